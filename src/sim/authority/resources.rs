//! Which resources a request is about, as ARNs: the kinds of the operation's row, filled from its input.

use super::actions::{Row, Table, Wanted};
use crate::World;
use crate::service::{Input, iam};
use serde_json::Value as Json;

/// (service, variable of its ARNs, members that hold it). Without a row here, the member of the variable's name
/// or its plural, in any case.
const MEMBERS: &[(&str, &str, &[&str])] = &[
    ("acm", "CertificateId", &["CertificateArn"]),
    ("autoscaling", "GroupFriendlyName", &["AutoScalingGroupName", "AutoScalingGroupNames"]),
    ("codedeploy", "DeploymentConfigurationName", &["deploymentConfigName"]),
    ("codedeploy", "DeploymentGroupName", &["deploymentGroupName", "currentDeploymentGroupName"]),
    ("ec2", "NaclId", &["NetworkAclId", "NetworkAclIds"]),
    ("ec2", "KeyPairName", &["KeyName", "KeyNames"]),
    ("ec2", "PlacementGroupName", &["GroupName"]),
    ("ec2", "SecurityGroupId", &["GroupId", "GroupIds", "SecurityGroupId", "SecurityGroupIds"]),
    ("ecs", "CapacityProviderName", &["capacityProvider", "capacityProviders", "name"]),
    ("ecs", "ClusterName", &["cluster", "clusterName", "clusters"]),
    ("ecs", "ContainerInstanceId", &["containerInstance", "containerInstances"]),
    ("ecs", "ServiceName", &["service", "serviceName", "services"]),
    ("ecs", "TaskDefinitionFamilyName", &["taskDefinition", "family", "taskDefinitions"]),
    ("ecs", "TaskId", &["task", "tasks"]),
    ("ecs", "TaskSetId", &["taskSet", "taskSets"]),
    ("elasticloadbalancing", "LoadBalancerName", &["Name"]),
    ("elasticloadbalancing", "TargetGroupName", &["Name"]),
    ("elasticloadbalancing", "TrustStoreName", &["Name"]),
    ("events", "RuleName", &["Name", "Rule"]),
    ("iam", "CertificateNameWithPath", &["ServerCertificateName"]),
    ("iam", "GroupNameWithPath", &["GroupName"]),
    ("iam", "InstanceProfileNameWithPath", &["InstanceProfileName"]),
    ("iam", "MfaTokenIdWithPath", &["VirtualMFADeviceName"]),
    ("iam", "PolicyNameWithPath", &["PolicyName"]),
    ("iam", "RoleNameWithPath", &["RoleName"]),
    ("iam", "SamlProviderName", &["Name"]),
    ("iam", "UserNameWithPath", &["UserName"]),
    ("kms", "Alias", &["AliasName"]),
    ("kms", "KeyId", &["KeyId", "TargetKeyId"]),
    ("logs", "LogGroupName", &["logGroupName", "logGroupIdentifier", "logGroupNames", "logGroupNamePrefix"]),
    ("route53", "Id", &["Id", "HostedZoneId", "HealthCheckId", "ResourceId"]),
    ("s3", "BucketName", &["Bucket"]),
    ("s3", "ObjectName", &["Key"]),
    ("secretsmanager", "SecretId", &["SecretId", "Name"]),
    ("sns", "TopicName", &["Name"]),
    ("sqs", "QueueName", &["QueueName", "QueueUrl"]),
    ("ssm", "DocumentName", &["DocumentName", "Name"]),
    ("ssm", "ParameterNameWithoutLeadingSlash", &["Name", "Names", "Path", "ResourceId"]),
    ("sts", "RoleNameWithPath", &["RoleArn"]),
    ("sts", "FederatedUserName", &["Name"]),
];

/// The ARNs that the request is about; `*` when it is about none.
pub fn arns(world: &World, service: &str, table: &Table, row: &Row, input: &Json) -> Vec<String> {
    if service == "ec2" && matches!(row.action, "CreateTags" | "DeleteTags") {
        return input.texts("Resources").into_iter().map(|id| ec2_arn(world, id)).collect();
    }
    if service == "s3" {
        return s3(input);
    }
    if (service, row.action) == ("elasticloadbalancing", "CreateLoadBalancer") {
        let kind = match input.text("Type") {
            Some("network") => "net",
            Some("gateway") => "gwy",
            _ => "app",
        };
        let name = input.text("Name").unwrap_or_default();
        return vec![world.arn("elasticloadbalancing", &format!("loadbalancer/{kind}/{name}/*"))];
    }
    let mut found = Vec::new();
    for wanted in &row.kinds {
        let Some(template) = table.arn(wanted.kind) else { continue };
        let ask = Ask { world, service, template, input };
        let arns = ask.arns(wanted);
        // EC2 asks for each kind of resource that a call makes or uses: the reference's "required" ones are
        // alternatives elsewhere (a listener of either kind).
        if arns.is_empty() && wanted.required && service == "ec2" {
            found.push(ask.filled(&|_| None));
        }
        found.extend(arns);
    }
    let unknown = row.kinds.iter().find(|wanted| wanted.required && found.is_empty());
    if let Some(template) = unknown.and_then(|wanted| table.arn(wanted.kind)) {
        found.push(Ask { world, service, template, input }.filled(&|_| None));
    }
    if found.is_empty() { vec!["*".to_owned()] } else { found }
}

struct Ask<'a> {
    world: &'a World,
    service: &'a str,
    template: &'static str,
    input: &'a Json,
}

impl Ask<'_> {
    fn arns(&self, wanted: &Wanted) -> Vec<String> {
        let mut found = self.given();
        let variables = variables(self.template);
        let Some(last) = variables.iter().rev().find(|name| !self.values(name).is_empty()) else {
            return found;
        };
        // A service's name without that of its cluster says nothing of an optional container.
        let own = variables.last().is_some_and(|name| name == last) || wanted.required;
        if !found.is_empty() || !own {
            return found;
        }
        for value in self.values(last) {
            if value.starts_with("arn:") && !self.names_by_arn() {
                continue;
            }
            found.push(self.filled(&|name| (name == *last).then(|| value.clone())));
        }
        found
    }

    /// Some services take an ARN where others take a name: of it, the name is used.
    fn names_by_arn(&self) -> bool {
        matches!(self.service, "ecs" | "secretsmanager" | "sts" | "logs" | "ssm" | "lambda")
    }

    /// ARNs of this kind that stand in the input.
    fn given(&self) -> Vec<String> {
        let members = self.input.as_object().into_iter().flat_map(|members| members.values());
        let texts = members.flat_map(|value| match value {
            Json::String(one) => vec![one.as_str()],
            Json::Array(list) => list.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        });
        texts
            .filter(|text| text.starts_with("arn:") && like(self.template, text))
            .map(str::to_owned)
            .collect()
    }

    fn values(&self, variable: &str) -> Vec<String> {
        let listed = MEMBERS.iter().find(|(service, name, _)| *service == self.service && *name == variable);
        let mut found = Vec::new();
        match listed {
            Some((_, _, members)) => {
                members.iter().for_each(|name| texts(self.input, name, self.deep(), &mut found))
            }
            None => {
                texts(self.input, variable, self.deep(), &mut found);
                texts(self.input, &format!("{variable}s"), self.deep(), &mut found);
            }
        }
        found
    }

    /// EC2 has its ids anywhere in the input.
    fn deep(&self) -> bool {
        self.service == "ec2"
    }

    fn filled(&self, chosen: &dyn Fn(&str) -> Option<String>) -> String {
        let world = self.world;
        let mut arn = self
            .template
            .replace("$P", world.partition())
            .replace("$R", &world.region)
            .replace("$A", &world.account);
        for name in variables(self.template) {
            let value = chosen(name).or_else(|| self.values(name).into_iter().next());
            let value = match value {
                Some(value) => self.name(name, &value),
                None => self.absent(name),
            };
            arn = arn.replacen(&format!("${{{name}}}"), &value, 1);
        }
        // An ARN of a group without its streams is no resource of CloudWatch Logs' own actions but tagging.
        if self.service == "logs"
            && self.template.ends_with("${LogGroupName}")
            && self.input.get("resourceArn").is_none()
        {
            arn += ":log-stream:";
        }
        arn
    }

    fn absent(&self, variable: &str) -> String {
        match (self.service, variable) {
            // "If you do not specify a cluster, the default cluster is assumed."
            ("ecs", "ClusterName") => "default".to_owned(),
            ("events", "EventBusName") => "default".to_owned(),
            _ => "*".to_owned(),
        }
    }

    /// A name as the ARN has it.
    fn name(&self, variable: &str, value: &str) -> String {
        let world = self.world;
        let last = || value.rsplit('/').next().unwrap_or(value).to_owned();
        match (self.service, variable) {
            ("iam" | "sts", name) if name.ends_with("WithPath") => {
                let given = self.input.text("Path");
                iam::name_with_path(world, name.trim_end_matches("NameWithPath"), &last(), given)
            }
            ("ssm", "ParameterNameWithoutLeadingSlash") => {
                let name = value.split_once(":parameter/").map_or(value, |(_, name)| name);
                name.trim_start_matches('/').split(':').next().unwrap_or_default().to_owned()
            }
            ("ecs", "TaskDefinitionFamilyName") => last().split(':').next().unwrap_or_default().to_owned(),
            ("ecs" | "sqs" | "route53", _) => last(),
            ("kms", "Alias") => value.trim_start_matches("alias/").to_owned(),
            ("autoscaling", "GroupId") => "*".to_owned(),
            ("logs" | "secretsmanager" | "lambda", _) if value.starts_with("arn:") => {
                value.splitn(7, ':').nth(6).unwrap_or_default().trim_end_matches(":*").to_owned()
            }
            _ => value.to_owned(),
        }
    }
}

/// Variables of an ARN, in order.
fn variables(template: &str) -> Vec<&str> {
    template.split("${").skip(1).filter_map(|part| part.split('}').next()).collect()
}

/// Whether an ARN is of the template's kind: the fixed parts of the last part are where they should be.
fn like(template: &str, arn: &str) -> bool {
    let template = template.replace("$P", "*").replace("$R", "*").replace("$A", "*");
    let mut pattern = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        pattern += before;
        pattern.push('*');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    pattern += rest;
    super::pattern::Pattern::new(&pattern).matches_arn(arn)
}

fn texts(input: &Json, name: &str, deep: bool, found: &mut Vec<String>) {
    match input {
        Json::Object(members) => {
            for (key, value) in members {
                if key.eq_ignore_ascii_case(name) {
                    match value {
                        Json::String(one) => found.push(one.clone()),
                        Json::Array(list) => {
                            found.extend(list.iter().filter_map(Json::as_str).map(str::to_owned));
                        }
                        _ => {}
                    }
                }
                if deep {
                    texts(value, name, deep, found);
                }
            }
        }
        Json::Array(list) if deep => list.iter().for_each(|one| texts(one, name, deep, found)),
        _ => {}
    }
}

fn s3(input: &Json) -> Vec<String> {
    let Some(bucket) = input.text("Bucket") else { return vec!["*".to_owned()] };
    match input.text("Key") {
        Some(key) => vec![format!("arn:aws:s3:::{bucket}/{key}")],
        None => vec![format!("arn:aws:s3:::{bucket}")],
    }
}

/// An EC2 resource by its id, whose prefix says what it is.
pub fn ec2_arn(world: &World, id: &str) -> String {
    const KINDS: &[(&str, &str)] = &[
        ("acl", "network-acl"),
        ("ami", "image"),
        ("cr", "capacity-reservation"),
        ("dopt", "dhcp-options"),
        ("eigw", "egress-only-internet-gateway"),
        ("eipalloc", "elastic-ip"),
        ("eni", "network-interface"),
        ("fl", "vpc-flow-log"),
        ("i", "instance"),
        ("igw", "internet-gateway"),
        ("key", "key-pair"),
        ("lt", "launch-template"),
        ("nat", "natgateway"),
        ("pcx", "vpc-peering-connection"),
        ("pg", "placement-group"),
        ("pl", "prefix-list"),
        ("rtb", "route-table"),
        ("sg", "security-group"),
        ("sgr", "security-group-rule"),
        ("sir", "spot-instances-request"),
        ("snap", "snapshot"),
        ("subnet", "subnet"),
        ("vgw", "vpn-gateway"),
        ("vol", "volume"),
        ("vpc", "vpc"),
        ("vpce", "vpc-endpoint"),
    ];
    let prefix = id.split('-').next().unwrap_or_default();
    let kind = KINDS.iter().find(|(known, _)| *known == prefix).map_or("*", |(_, kind)| kind);
    let arn = world.arn("ec2", &format!("{kind}/{id}"));
    // Images and snapshots are of no account.
    if matches!(kind, "image" | "snapshot") { arn.replace(&world.account, "") } else { arn }
}

#[cfg(test)]
mod tests {
    use super::super::actions::table;
    use super::*;
    use serde_json::json;

    fn of(service: &str, operation: &str, input: Json) -> Vec<String> {
        let world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let table = table(service).expect("a table");
        let prefix = format!("arn:aws:{}:us-east-1:123456789012:", table.prefix);
        let found = arns(&world, service, table, table.row(operation).expect("a row"), &input);
        found.into_iter().map(|arn| arn.strip_prefix(&prefix).unwrap_or(&arn).to_owned()).collect()
    }

    #[test]
    fn ecs_names_and_arns_are_the_same_resource() {
        for cluster in ["main", "arn:aws:ecs:us-east-1:123456789012:cluster/main"] {
            let update = json!({ "cluster": cluster, "service": "web", "taskDefinition": "web:3" });
            assert_eq!(of("ecs", "UpdateService", update), ["service/main/web"]);
            assert_eq!(of("ecs", "DescribeClusters", json!({ "clusters": [cluster] })), ["cluster/main"]);
        }
        assert_eq!(of("ecs", "CreateService", json!({ "serviceName": "web" })), ["service/default/web"]);
        assert_eq!(
            of("ecs", "RegisterTaskDefinition", json!({ "family": "web" })),
            ["task-definition/web:*"]
        );
        assert_eq!(of("ecs", "ListClusters", json!({})), ["*"]);
    }

    #[test]
    fn ec2_asks_for_each_kind_that_is_made_or_used() {
        let subnet = of("ec2", "CreateSubnet", json!({ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24" }));
        assert_eq!(subnet, ["subnet/*", "vpc/vpc-1"]);
        assert_eq!(of("ec2", "CreateVpc", json!({})), ["vpc/*"]);
        assert_eq!(of("ec2", "DescribeVpcs", json!({})), ["*"]);
        let tags = json!({ "Resources": ["i-1", "ami-2"], "Tags": [] });
        assert_eq!(of("ec2", "CreateTags", tags), ["instance/i-1", "arn:aws:ec2:us-east-1::image/ami-2"]);
        let run = json!({ "ImageId": "ami-1", "SubnetId": "subnet-1", "SecurityGroupIds": ["sg-1", "sg-2"] });
        let run = of("ec2", "RunInstances", run);
        for arn in ["instance/*", "subnet/subnet-1", "security-group/sg-2", "network-interface/*"] {
            assert!(run.iter().any(|one| one == arn), "{arn} in {run:?}");
        }
    }

    #[test]
    fn other_services_have_their_own_ways_to_name_things() {
        let lb = json!({ "Name": "web", "Subnets": [] });
        assert_eq!(of("elasticloadbalancing", "CreateLoadBalancer", lb), ["loadbalancer/app/web/*"]);
        let arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/1/2";
        assert_eq!(
            of("elasticloadbalancing", "ModifyListener", json!({ "ListenerArn": arn })),
            ["listener/app/web/1/2"]
        );
        let stream = json!({ "logGroupName": "/ecs/web", "logStreamName": "a" });
        assert_eq!(of("logs", "PutLogEvents", stream), ["log-group:/ecs/web:log-stream:a"]);
        assert_eq!(
            of("logs", "CreateLogGroup", json!({ "logGroupName": "/ecs/web" })),
            ["log-group:/ecs/web:log-stream:"]
        );
        assert_eq!(
            of("ssm", "GetParameters", json!({ "Names": ["/a/b", "c"] })),
            ["parameter/a/b", "parameter/c"]
        );
        assert_eq!(of("s3", "GetObject", json!({ "Bucket": "b", "Key": "k/l" })), ["arn:aws:s3:::b/k/l"]);
        assert_eq!(
            of("iam", "CreateRole", json!({ "RoleName": "r", "Path": "/x/" })),
            ["arn:aws:iam::123456789012:role/x/r"]
        );
        assert_eq!(of("ecr", "PutImage", json!({ "repositoryName": "team/web" })), ["repository/team/web"]);
        let zone = json!({ "Id": "/hostedzone/Z1" });
        assert_eq!(of("route53", "GetHostedZone", zone), ["arn:aws:route53:::hostedzone/Z1"]);
    }
}
