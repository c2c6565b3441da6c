//! Roles that a request hands to a service: the caller needs `iam:PassRole` on each (IAM User Guide, "Grant a
//! user permissions to pass a role to an AWS service").

use crate::World;
use crate::service::{Input, ec2, iam};
use serde_json::Value as Json;

/// (service, operations that begin so, where the role stands, the service it is passed to). `[]` is each item of
/// a list. From the API references: parameters that are said to be a role the service assumes.
const ROLES: &[(&str, &str, &str, &str)] = &[
    ("application-autoscaling", "RegisterScalableTarget", "RoleARN", "application-autoscaling.amazonaws.com"),
    (
        "autoscaling",
        "CreateAutoScalingGroup",
        "LifecycleHookSpecificationList[].RoleARN",
        "autoscaling.amazonaws.com",
    ),
    ("autoscaling", "PutLifecycleHook", "RoleARN", "autoscaling.amazonaws.com"),
    ("cloudtrail", "CreateTrail", "CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"),
    ("cloudtrail", "UpdateTrail", "CloudWatchLogsRoleArn", "cloudtrail.amazonaws.com"),
    ("codedeploy", "CreateDeploymentGroup", "serviceRoleArn", "codedeploy.amazonaws.com"),
    ("codedeploy", "UpdateDeploymentGroup", "serviceRoleArn", "codedeploy.amazonaws.com"),
    ("ec2", "CreateFlowLogs", "DeliverLogsPermissionArn", "vpc-flow-logs.amazonaws.com"),
    ("ec2", "RequestSpotFleet", "SpotFleetRequestConfig.IamFleetRole", "spotfleet.amazonaws.com"),
    ("ecs", "CreateService", "loadBalancers[].advancedConfiguration.roleArn", "ecs.amazonaws.com"),
    ("ecs", "CreateService", "deploymentConfiguration.lifecycleHooks[].roleArn", "ecs.amazonaws.com"),
    ("ecs", "CreateService", "volumeConfigurations[].managedEBSVolume.roleArn", "ecs.amazonaws.com"),
    ("ecs", "RegisterTaskDefinition", "executionRoleArn", "ecs-tasks.amazonaws.com"),
    ("ecs", "RegisterTaskDefinition", "taskRoleArn", "ecs-tasks.amazonaws.com"),
    ("ecs", "RunTask", "overrides.executionRoleArn", "ecs-tasks.amazonaws.com"),
    ("ecs", "RunTask", "overrides.taskRoleArn", "ecs-tasks.amazonaws.com"),
    ("ecs", "StartTask", "overrides.executionRoleArn", "ecs-tasks.amazonaws.com"),
    ("ecs", "StartTask", "overrides.taskRoleArn", "ecs-tasks.amazonaws.com"),
    ("ecs", "UpdateService", "loadBalancers[].advancedConfiguration.roleArn", "ecs.amazonaws.com"),
    ("ecs", "UpdateService", "deploymentConfiguration.lifecycleHooks[].roleArn", "ecs.amazonaws.com"),
    ("events", "PutRule", "RoleArn", "events.amazonaws.com"),
    ("events", "PutTargets", "Targets[].RoleArn", "events.amazonaws.com"),
    ("lambda", "CreateFunction", "Role", "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration", "Role", "lambda.amazonaws.com"),
    ("logs", "PutDestination", "roleArn", "logs.amazonaws.com"),
    ("logs", "PutSubscriptionFilter", "roleArn", "logs.amazonaws.com"),
    ("ssm", "SendCommand", "ServiceRoleArn", "ssm.amazonaws.com"),
];

pub struct Passed {
    pub role_arn: String,
    pub to: &'static str,
}

pub fn passed(world: &World, service: &str, operation: &str, input: &Json) -> Vec<Passed> {
    let rows = ROLES.iter().filter(|(of, name, ..)| *of == service && *name == operation);
    let mut found: Vec<Passed> = Vec::new();
    for (_, _, path, to) in rows {
        for role in at(input, path) {
            // Roles may be named as well as given by ARN; their own services' roles need not be passed.
            let role_arn = if role.starts_with("arn:") { role.to_owned() } else { named(world, role) };
            if !role_arn.contains(":role/aws-service-role/") {
                found.push(Passed { role_arn, to });
            }
        }
    }
    found.extend(of_instances(world, service, operation, input));
    found
}

fn named(world: &World, role: &str) -> String {
    world.arn("iam", &format!("role/{}", iam::name_with_path(world, "Role", role, None)))
}

fn at<'a>(input: &'a Json, path: &str) -> Vec<&'a str> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let name = first.trim_end_matches("[]");
    let Some(value) = input.get(name) else { return Vec::new() };
    let values: Vec<&Json> =
        if first.ends_with("[]") { input.list(name).iter().collect() } else { vec![value] };
    match rest {
        Some(rest) => values.into_iter().flat_map(|value| at(value, rest)).collect(),
        None => values.into_iter().filter_map(Json::as_str).filter(|text| !text.is_empty()).collect(),
    }
}

/// The role of an instance profile goes to EC2 with whatever launches instances: the call itself, or the
/// launch template it names (EC2 Auto Scaling User Guide, "Control Amazon EC2 launch template usage").
fn of_instances(world: &World, service: &str, operation: &str, input: &Json) -> Vec<Passed> {
    let to = "ec2.amazonaws.com";
    let own = match (service, operation) {
        ("iam", "AddRoleToInstanceProfile") => {
            let role = input.text("RoleName").map(|name| Passed { role_arn: named(world, name), to });
            return role.into_iter().collect();
        }
        ("ec2", "RunInstances" | "AssociateIamInstanceProfile" | "ReplaceIamInstanceProfileAssociation") => {
            input.get("IamInstanceProfile").and_then(|one| one.text("Arn").or(one.text("Name")))
        }
        ("autoscaling", "CreateLaunchConfiguration") => input.text("IamInstanceProfile"),
        ("autoscaling", "CreateAutoScalingGroup" | "UpdateAutoScalingGroup") => None,
        _ => return Vec::new(),
    };
    let template = input.get("LaunchTemplate").or_else(|| {
        input.get("MixedInstancesPolicy")?.get("LaunchTemplate")?.get("LaunchTemplateSpecification")
    });
    let from_template = || {
        let data = ec2::resolve(world, template?).ok()?.data;
        let profile = data.get("IamInstanceProfile")?;
        profile.text("Arn").or(profile.text("Name")).map(str::to_owned)
    };
    let profile = own.map(str::to_owned).or_else(from_template);
    let role = profile.and_then(|name| iam::instance_profile(world, &name)?.role.clone());
    role.map(|role| Passed { role_arn: named(world, &role), to }).into_iter().collect()
}
