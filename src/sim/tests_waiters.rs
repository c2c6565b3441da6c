//! What clients wait for comes about by itself, within the tries that botocore's waiters make (their delays and
//! attempts are botocore's, as are the answers that end them).

use super::World;
use super::service::ecs::tests::{balanced, call, define, fargate, ok, world};
use super::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

/// Seconds between tries, and how many there are.
struct Tries(i64, u32);

/// Asks until `ends` likes the answer; errors are answers too, as `{"Error": code}`.
fn wait(
    world: &mut World,
    what: &str,
    Tries(delay, attempts): Tries,
    (service, operation, input): (&str, &str, &Json),
    ends: impl Fn(&Json) -> bool,
) {
    for _ in 0..attempts {
        let answer = call(world, service, operation, input.clone());
        let answer = answer.unwrap_or_else(|error| json!({"Error": error.code}));
        if ends(&answer) {
            return;
        }
        let next = world.now + delay * SECOND;
        world.advance_to(next);
    }
    panic!("{what} does not come about in {attempts} tries");
}

fn all(list: &Json, wanted: impl Fn(&Json) -> bool) -> bool {
    list.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(wanted))
}

fn instances(answer: &Json, state: &str) -> bool {
    all(&answer["Reservations"], |one| all(&one["Instances"], |instance| instance["State"]["Name"] == state))
}

#[test]
fn instances_run_pass_their_checks_serve_and_end() {
    let (mut world, net) = world();
    let world = &mut world;
    let group = balanced(world, &net, "instance");
    let images = ok(world, "ec2", "DescribeImages", json!({"Owners": ["amazon"]}));
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "#!/bin/sh\nhttpd\n");
    let launch = json!({
        "ImageId": images["Images"][0]["ImageId"], "InstanceType": "t3.micro", "MinCount": 2, "MaxCount": 2,
        "SubnetId": net.subnets[0], "UserData": data,
    });
    let launched = ok(world, "ec2", "RunInstances", launch);
    let ids: Vec<Json> = launched["Instances"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["InstanceId"].clone())
        .collect();
    let these = json!({"InstanceIds": ids});
    let described = ("ec2", "DescribeInstances", &these);
    wait(world, "instance_running", Tries(15, 40), described, |answer| instances(answer, "running"));
    let status = ("ec2", "DescribeInstanceStatus", &these);
    wait(world, "instance_status_ok", Tries(15, 40), status, |answer| {
        all(&answer["InstanceStatuses"], |one| one["InstanceStatus"]["Status"] == "ok")
    });
    let targets: Vec<Json> = ids.iter().map(|id| json!({"Id": id})).collect();
    let both = json!({"TargetGroupArn": group, "Targets": targets});
    ok(world, "elasticloadbalancing", "RegisterTargets", both.clone());
    let health = |input| ("elasticloadbalancing", "DescribeTargetHealth", input);
    wait(world, "target_in_service", Tries(15, 40), health(&both), |answer| {
        all(&answer["TargetHealthDescriptions"], |one| one["TargetHealth"]["State"] == "healthy")
    });
    let first = json!({"TargetGroupArn": group, "Targets": [targets[0]]});
    ok(world, "elasticloadbalancing", "DeregisterTargets", first.clone());
    wait(world, "target_deregistered", Tries(15, 40), health(&first), |answer| {
        all(&answer["TargetHealthDescriptions"], |one| one["TargetHealth"]["State"] == "unused")
    });
    ok(world, "ec2", "StopInstances", these.clone());
    wait(world, "instance_stopped", Tries(15, 40), described, |answer| instances(answer, "stopped"));
    let answer = ok(world, "elasticloadbalancing", "DescribeTargetHealth", json!({"TargetGroupArn": group}));
    assert_eq!(answer["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"], "Target.InvalidState");
    ok(world, "ec2", "StartInstances", these.clone());
    let second = json!({"TargetGroupArn": group, "Targets": [targets[1]]});
    wait(world, "target_in_service", Tries(15, 40), health(&second), |answer| {
        all(&answer["TargetHealthDescriptions"], |one| one["TargetHealth"]["State"] == "healthy")
    });
    ok(world, "ec2", "TerminateInstances", these.clone());
    wait(world, "instance_terminated", Tries(15, 40), described, |answer| instances(answer, "terminated"));
    let answer = ok(world, "elasticloadbalancing", "DescribeTargetHealth", json!({"TargetGroupArn": group}));
    assert_eq!(answer["TargetHealthDescriptions"], json!([]));
}

#[test]
fn services_become_stable_and_tasks_run_and_stop() {
    let (mut world, net) = world();
    let world = &mut world;
    let group = balanced(world, &net, "ip");
    let definition = define(world, "web:v1");
    fargate(world, &net, &group, &definition);
    let services = json!({"cluster": "main", "services": ["web"]});
    wait(world, "services_stable", Tries(15, 40), ("ecs", "DescribeServices", &services), |answer| {
        all(&answer["services"], |one| {
            one["deployments"].as_array().map(Vec::len) == Some(1)
                && one["runningCount"] == one["desiredCount"]
        })
    });
    let network = json!({"awsvpcConfiguration": {"subnets": net.subnets}});
    let run = json!({
        "cluster": "main", "taskDefinition": definition, "launchType": "FARGATE", "networkConfiguration": network,
    });
    let task = ok(world, "ecs", "RunTask", run)["tasks"][0]["taskArn"].clone();
    let tasks = json!({"cluster": "main", "tasks": [task]});
    let status =
        |status: &'static str| move |answer: &Json| all(&answer["tasks"], |one| one["lastStatus"] == status);
    let describe = ("ecs", "DescribeTasks", &tasks);
    wait(world, "tasks_running", Tries(6, 100), describe, status("RUNNING"));
    ok(world, "ecs", "StopTask", json!({"cluster": "main", "task": task}));
    wait(world, "tasks_stopped", Tries(6, 100), describe, status("STOPPED"));
    ok(world, "ecs", "DeleteService", json!({"cluster": "main", "service": "web", "force": true}));
    wait(world, "services_inactive", Tries(15, 40), ("ecs", "DescribeServices", &services), |answer| {
        all(&answer["services"], |one| one["status"] == "INACTIVE")
    });
}

#[test]
fn balancers_come_and_go() {
    let (mut world, net) = world();
    let world = &mut world;
    let made =
        ok(world, "elasticloadbalancing", "CreateLoadBalancer", json!({"Name": "a", "Subnets": net.subnets}));
    let these = json!({"LoadBalancerArns": [made["LoadBalancers"][0]["LoadBalancerArn"]]});
    let describe = ("elasticloadbalancing", "DescribeLoadBalancers", &these);
    wait(world, "load_balancer_available", Tries(15, 40), describe, |answer| {
        all(&answer["LoadBalancers"], |one| one["State"]["Code"] == "active")
    });
    let input = json!({"LoadBalancerArn": these["LoadBalancerArns"][0]});
    ok(world, "elasticloadbalancing", "DeleteLoadBalancer", input);
    wait(world, "load_balancers_deleted", Tries(15, 40), describe, |answer| {
        answer["Error"] == "LoadBalancerNotFound"
    });
}

#[test]
fn nat_gateways_come_and_go_and_certificates_are_validated() {
    let (mut world, net) = world();
    let world = &mut world;
    let internet =
        ok(world, "ec2", "CreateInternetGateway", json!({}))["InternetGateway"]["InternetGatewayId"].clone();
    ok(world, "ec2", "AttachInternetGateway", json!({"InternetGatewayId": internet, "VpcId": net.vpc}));
    let address = ok(world, "ec2", "AllocateAddress", json!({"Domain": "vpc"}))["AllocationId"].clone();
    let gateway =
        ok(world, "ec2", "CreateNatGateway", json!({"SubnetId": net.subnets[0], "AllocationId": address}));
    let these = json!({"NatGatewayIds": [gateway["NatGateway"]["NatGatewayId"]]});
    let state =
        |state: &'static str| move |answer: &Json| all(&answer["NatGateways"], |one| one["State"] == state);
    let describe = ("ec2", "DescribeNatGateways", &these);
    wait(world, "nat_gateway_available", Tries(15, 40), describe, state("available"));
    ok(world, "ec2", "DeleteNatGateway", json!({"NatGatewayId": these["NatGatewayIds"][0]}));
    wait(world, "nat_gateway_deleted", Tries(15, 40), describe, state("deleted"));

    let request = json!({"DomainName": "shop.test", "ValidationMethod": "DNS"});
    let this = json!({"CertificateArn": ok(world, "acm", "RequestCertificate", request)["CertificateArn"]});
    let soon = world.now + MINUTE;
    world.advance_to(soon);
    let described = ok(world, "acm", "DescribeCertificate", this.clone());
    let record = &described["Certificate"]["DomainValidationOptions"][0]["ResourceRecord"];
    let zone = ok(world, "route53", "CreateHostedZone", json!({"Name": "shop.test", "CallerReference": "1"}));
    let set = json!({
        "Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}],
    });
    let change = json!({
        "HostedZoneId": zone["HostedZone"]["Id"],
        "ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": set}]},
    });
    let change = ok(world, "route53", "ChangeResourceRecordSets", change);
    let id = json!({"Id": change["ChangeInfo"]["Id"]});
    wait(world, "resource_record_sets_changed", Tries(30, 60), ("route53", "GetChange", &id), |answer| {
        answer["ChangeInfo"]["Status"] == "INSYNC"
    });
    let describe = ("acm", "DescribeCertificate", &this);
    wait(world, "certificate_validated", Tries(60, 40), describe, |answer| {
        all(&answer["Certificate"]["DomainValidationOptions"], |one| one["ValidationStatus"] == "SUCCESS")
    });
}
