//! A lively world is recorded and built again.

use super::*;
use crate::service::ecs::tests::{balanced, define, fargate, ok, pass, world};
use crate::world::SECOND;
use serde_json::json;

/// Every answer, as the CLI would have printed it: without members that are null.
fn record(world: &mut World, service: &str, operation: &str, input: Json) -> Answer {
    fn lean(value: &Json) -> Json {
        match value {
            Json::Object(members) => {
                let there = members.iter().filter(|(_, value)| !value.is_null());
                Json::Object(there.map(|(name, value)| (name.clone(), lean(value))).collect())
            }
            Json::Array(items) => items.iter().map(lean).collect(),
            other => other.clone(),
        }
    }
    let output = lean(&ok(world, service, operation, input.clone()));
    Answer { service: service.to_owned(), operation: operation.to_owned(), input, output }
}

/// A VPC with a gateway, hosts of a group with a launch template, a service on them and one on Fargate behind a
/// load balancer, roles, a repository, a log group, a parameter, scaling and alarms, a zone.
fn lively() -> World {
    use base64::Engine;
    let (mut w, net) = world();
    w.faults.make_prompt();
    let w_ref = &mut w;
    let gateway =
        ok(w_ref, "ec2", "CreateInternetGateway", json!({}))["InternetGateway"]["InternetGatewayId"].clone();
    ok(w_ref, "ec2", "AttachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": net.vpc}));
    let table =
        ok(w_ref, "ec2", "CreateRouteTable", json!({"VpcId": net.vpc}))["RouteTable"]["RouteTableId"].clone();
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway});
    ok(w_ref, "ec2", "CreateRoute", route);
    ok(w_ref, "ec2", "AssociateRouteTable", json!({"RouteTableId": table, "SubnetId": net.subnets[0]}));
    let address = ok(w_ref, "ec2", "AllocateAddress", json!({"Domain": "vpc"}))["AllocationId"].clone();
    ok(w_ref, "ec2", "CreateNatGateway", json!({"SubnetId": net.subnets[0], "AllocationId": address}));
    let group = json!({"GroupName": "hosts", "Description": "hosts", "VpcId": net.vpc});
    let group = ok(w_ref, "ec2", "CreateSecurityGroup", group)["GroupId"].clone();
    let open = json!([{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}]}]);
    ok(w_ref, "ec2", "AuthorizeSecurityGroupIngress", json!({"GroupId": group, "IpPermissions": open}));
    ok(
        w_ref,
        "ec2",
        "CreateTags",
        json!({"Resources": [net.vpc, group], "Tags": [{"Key": "env", "Value": "dev"}]}),
    );
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    ok(
        w_ref,
        "iam",
        "CreateRole",
        json!({"RoleName": "host", "AssumeRolePolicyDocument": trust.to_string()}),
    );
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role";
    ok(w_ref, "iam", "AttachRolePolicy", json!({"RoleName": "host", "PolicyArn": policy}));
    ok(w_ref, "iam", "CreateInstanceProfile", json!({"InstanceProfileName": "host"}));
    ok(w_ref, "iam", "AddRoleToInstanceProfile", json!({"InstanceProfileName": "host", "RoleName": "host"}));
    let path = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let image = ok(w_ref, "ssm", "GetParameter", json!({"Name": path}))["Parameter"]["Value"].clone();
    let script = "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n";
    let data = json!({"ImageId": image, "InstanceType": "m5.large", "IamInstanceProfile": {"Name": "host"},
        "SecurityGroupIds": [group], "UserData": base64::engine::general_purpose::STANDARD.encode(script)});
    ok(
        w_ref,
        "ec2",
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "hosts", "LaunchTemplateData": data}),
    );
    let target = balanced(w_ref, &net, "ip");
    let definition = define(w_ref, "repo/web:v1");
    fargate(w_ref, &net, &target, &definition);
    ok(
        w_ref,
        "autoscaling",
        "CreateAutoScalingGroup",
        json!({"AutoScalingGroupName": "hosts", "MinSize": 1,
        "MaxSize": 5, "DesiredCapacity": 3, "LaunchTemplate": {"LaunchTemplateName": "hosts", "Version": "$Latest"},
        "VPCZoneIdentifier": net.subnets.join(",")}),
    );
    ok(
        w_ref,
        "ecs",
        "RegisterTaskDefinition",
        json!({"family": "job", "containerDefinitions": [{"name": "job",
        "image": "job:v1", "memory": 500, "portMappings": [{"containerPort": 80, "hostPort": 0}]}]}),
    );
    pass(w_ref, 5 * MINUTE);
    ok(
        w_ref,
        "ecs",
        "CreateService",
        json!({"cluster": "main", "serviceName": "job", "taskDefinition": "job",
        "desiredCount": 4}),
    );
    ok(w_ref, "ecr", "CreateRepository", json!({"repositoryName": "web"}));
    ok(w_ref, "logs", "CreateLogGroup", json!({"logGroupName": "/ecs/web"}));
    ok(w_ref, "logs", "PutRetentionPolicy", json!({"logGroupName": "/ecs/web", "retentionInDays": 7}));
    ok(w_ref, "ssm", "PutParameter", json!({"Name": "/web/colour", "Type": "String", "Value": "blue"}));
    ok(
        w_ref,
        "application-autoscaling",
        "RegisterScalableTarget",
        json!({"ServiceNamespace": "ecs",
        "ResourceId": "service/main/web", "ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": 1, "MaxCapacity": 9}),
    );
    ok(
        w_ref,
        "application-autoscaling",
        "PutScalingPolicy",
        json!({"PolicyName": "cpu", "ServiceNamespace": "ecs",
        "ResourceId": "service/main/web", "ScalableDimension": "ecs:service:DesiredCount",
        "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}),
    );
    ok(w_ref, "route53", "CreateHostedZone", json!({"Name": "example.com", "CallerReference": "1"}));
    pass(w_ref, 30 * MINUTE);
    w
}

fn arns(world: &mut World, operation: &str, member: &str, cluster: bool) -> Vec<Json> {
    let input = if cluster { json!({"cluster": "main"}) } else { json!({}) };
    ok(world, "ecs", operation, input)[member].as_array().expect("a list").clone()
}

fn recording(w: &mut World) -> Vec<Answer> {
    let mut all = Vec::new();
    for operation in [
        "DescribeVpcs",
        "DescribeSubnets",
        "DescribeInternetGateways",
        "DescribeRouteTables",
        "DescribeNetworkAcls",
        "DescribeDhcpOptions",
        "DescribeSecurityGroups",
        "DescribeSecurityGroupRules",
        "DescribeAddresses",
        "DescribeNatGateways",
        "DescribeNetworkInterfaces",
        "DescribeLaunchTemplates",
        "DescribeInstances",
        "DescribeVolumes",
    ] {
        all.push(record(w, "ec2", operation, json!({})));
    }
    let vpcs: Vec<String> = w.ec2.vpcs.keys().cloned().collect();
    for vpc in vpcs {
        for attribute in ["enableDnsSupport", "enableDnsHostnames"] {
            all.push(record(w, "ec2", "DescribeVpcAttribute", json!({"VpcId": vpc, "Attribute": attribute})));
        }
    }
    let versions = json!({"LaunchTemplateName": "hosts"});
    all.push(record(w, "ec2", "DescribeLaunchTemplateVersions", versions));
    all.push(record(w, "autoscaling", "DescribeAutoScalingGroups", json!({})));
    for operation in ["ListRoles", "ListInstanceProfiles"] {
        all.push(record(w, "iam", operation, json!({})));
    }
    all.push(record(w, "iam", "ListAttachedRolePolicies", json!({"RoleName": "host"})));
    for operation in ["DescribeLoadBalancers", "DescribeTargetGroups"] {
        all.push(record(w, "elasticloadbalancing", operation, json!({})));
    }
    let balancers: Vec<String> = w.elbv2.balancers.keys().cloned().collect();
    for arn in balancers {
        all.push(record(w, "elasticloadbalancing", "DescribeListeners", json!({"LoadBalancerArn": arn})));
        all.push(record(
            w,
            "elasticloadbalancing",
            "DescribeLoadBalancerAttributes",
            json!({"LoadBalancerArn": arn}),
        ));
    }
    let listeners: Vec<String> = w.elbv2.listeners.keys().cloned().collect();
    for arn in listeners {
        all.push(record(w, "elasticloadbalancing", "DescribeRules", json!({"ListenerArn": arn})));
    }
    let groups: Vec<String> = w.elbv2.groups.keys().cloned().collect();
    for arn in groups {
        all.push(record(
            w,
            "elasticloadbalancing",
            "DescribeTargetGroupAttributes",
            json!({"TargetGroupArn": arn}),
        ));
        all.push(record(w, "elasticloadbalancing", "DescribeTargetHealth", json!({"TargetGroupArn": arn})));
    }
    all.push(record(
        w,
        "ecs",
        "DescribeClusters",
        json!({"clusters": ["main"], "include": ["TAGS", "SETTINGS"]}),
    ));
    for definition in arns(w, "ListTaskDefinitions", "taskDefinitionArns", false) {
        all.push(record(
            w,
            "ecs",
            "DescribeTaskDefinition",
            json!({"taskDefinition": definition, "include": ["TAGS"]}),
        ));
    }
    let hosts = arns(w, "ListContainerInstances", "containerInstanceArns", true);
    all.push(record(
        w,
        "ecs",
        "DescribeContainerInstances",
        json!({"cluster": "main", "containerInstances": hosts}),
    ));
    let services = arns(w, "ListServices", "serviceArns", true);
    all.push(record(w, "ecs", "DescribeServices", json!({"cluster": "main", "services": services})));
    for service in services {
        all.push(record(w, "ecs", "ListServiceDeployments", json!({"cluster": "main", "service": service})));
    }
    let tasks = arns(w, "ListTasks", "taskArns", true);
    all.push(record(w, "ecs", "DescribeTasks", json!({"cluster": "main", "tasks": tasks})));
    all.push(record(w, "ecr", "DescribeRepositories", json!({})));
    all.push(record(w, "logs", "DescribeLogGroups", json!({})));
    all.push(record(w, "ssm", "GetParameter", json!({"Name": "/web/colour"})));
    for operation in ["DescribeScalableTargets", "DescribeScalingPolicies"] {
        all.push(record(w, "application-autoscaling", operation, json!({"ServiceNamespace": "ecs"})));
    }
    all.push(record(w, "monitoring", "DescribeAlarms", json!({})));
    all.push(record(w, "route53", "ListHostedZones", json!({})));
    let zones: Vec<String> = w.route53.zones.keys().cloned().collect();
    for zone in zones {
        all.push(record(w, "route53", "GetHostedZone", json!({"Id": zone})));
        all.push(record(w, "route53", "ListResourceRecordSets", json!({"HostedZoneId": zone})));
    }
    all
}

#[test]
fn a_world_built_of_answers_gives_the_same_answers() {
    let mut original = lively();
    let answers = recording(&mut original);
    assert!(answers.len() > 40);
    let (mut copy, report) = build(&answers, 1);
    let lines = report.lines();
    assert_eq!(report.left_out, Vec::<String>::new(), "{lines:#?}");
    // What an alarm decided from is load that has passed, and no answer tells it.
    let differs: Vec<&String> =
        report.differs.iter().filter(|line| !line.starts_with("monitoring DescribeAlarms")).collect();
    assert!(differs.is_empty(), "{differs:#?}");
    assert_eq!(crate::invariants::broken(&copy), Vec::<String>::new());
    // It lives on: a release goes through, with nothing but what was recorded.
    let definition = define(&mut copy, "repo/web:v2");
    ok(
        &mut copy,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "taskDefinition": definition}),
    );
    pass(&mut copy, 20 * MINUTE);
    let answer = ok(&mut copy, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["web"]}));
    assert_eq!(answer["services"][0]["deployments"][0]["rolloutState"], "COMPLETED", "{answer:#}");
    let service = &answer["services"][0];
    assert!(
        service["runningCount"] == service["desiredCount"] && service["runningCount"] != 0,
        "{service:#}"
    );
    pass(&mut copy, SECOND);
}

#[test]
fn what_the_answers_do_not_tell_is_named() {
    let vpc = json!({"VpcId": "vpc-11112222", "CidrBlock": "10.1.0.0/16", "InstanceTenancy": "default",
        "DhcpOptionsId": "dopt-1", "State": "available", "IsDefault": false,
        "CidrBlockAssociationSet": [{"AssociationId": "vpc-cidr-assoc-1", "CidrBlock": "10.1.0.0/16",
            "CidrBlockState": {"State": "associated"}}]});
    let instance = json!({"InstanceId": "i-0123", "ImageId": "ami-0fedcba9876543210", "InstanceType": "t3.micro",
        "State": {"Name": "running", "Code": 16}, "SubnetId": "subnet-1", "PrivateIpAddress": "10.1.0.9",
        "LaunchTime": "2026-01-01T10:00:00+00:00"});
    let recorded = json!([
        {"service": "ec2", "operation": "describe-vpcs", "output": {"Vpcs": [vpc]}},
        {"service": "ec2", "operation": "describe-subnets", "output": {"Subnets": [{"SubnetId": "subnet-1",
            "VpcId": "vpc-11112222", "CidrBlock": "10.1.0.0/24", "AvailabilityZone": "eu-west-1a",
            "SubnetArn": "arn:aws:ec2:eu-west-1:210987654321:subnet/subnet-1"}]}},
        {"service": "ec2", "operation": "describe-instances", "output": {"Reservations": [
            {"ReservationId": "r-1", "Instances": [instance]}]}},
        {"service": "elbv2", "operation": "describe-target-health", "output": {"TargetHealthDescriptions": []}},
    ]);
    let answers = parse(&recorded.to_string()).unwrap();
    assert_eq!(
        (answers[3].service.as_str(), answers[3].operation.as_str()),
        ("elasticloadbalancing", "DescribeTargetHealth")
    );
    let (world, report) = build(&answers, 1);
    assert_eq!((world.account.as_str(), world.region.as_str()), ("210987654321", "eu-west-1"));
    assert_eq!(world.ec2.instances["i-0123"].private_ip, "10.1.0.9");
    assert!(world.ec2.vpcs.len() == 1 && world.ec2.subnets.contains_key("subnet-1"));
    let lines = report.lines().join("\n");
    for told in [
        "vpc-11112222: a default security group",
        "ami-0fedcba9876543210: an image like",
        "i-0123: no user data",
        "left out: DescribeTargetHealth without its input",
    ] {
        assert!(lines.contains(told), "nothing of {told} in\n{lines}");
    }
    assert!(
        parse(r#"[{"service": "x", "operation": "y", "output": {}}]"#)
            .unwrap_err()
            .contains("no service `x`")
    );
    assert!(parse("{").is_err());
}
