//! A day of a large world: `cargo bench -p cutover-sim --bench simulated_day [-- INSTANCES]`.
//!
//! By default 2,000 instances carry 20,000 tasks of 500 services. Prints what it took to build the world, to let
//! the day pass in it, how many events that were, and the memory; the aim is 10 seconds and 1 GB for the day.
//! A tenth of each is measured first, so that the growth shows.

use cutover_sim::World;
use cutover_sim::service::operations;
use serde_json::{Value as Json, json};
use std::time::Instant;

const HOUR: i64 = 3_600_000;
const TASKS_PER_INSTANCE: i64 = 10;
const TASKS_PER_SERVICE: i64 = 40;

fn ok(world: &mut World, service: &str, name: &str, input: Json) -> Json {
    let table = operations(service).expect("a service");
    let (_, handler) = table.iter().find(|(known, _)| *known == name).expect("an operation");
    handler(world, &input).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

/// Hosts that join the cluster `main`, and services that fill them.
fn build(instances: i64) -> World {
    let mut world = World::new("123456789012", "us-east-1", 7, 1_750_000_000_000);
    world.faults.make_prompt();
    let world_ref = &mut world;
    let vpc = ok(world_ref, "ec2", "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"]["VpcId"].clone();
    let subnets: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .enumerate()
        .map(|(at, zone)| {
            let block = format!("10.0.{}.0/18", at * 64);
            let zone = format!("us-east-1{zone}");
            let input = json!({"VpcId": vpc, "CidrBlock": block, "AvailabilityZone": zone});
            let made = ok(world_ref, "ec2", "CreateSubnet", input);
            made["Subnet"]["SubnetId"].as_str().expect("an id").to_owned()
        })
        .collect();
    hosts(world_ref, instances, &subnets);
    ok(world_ref, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    ok(
        world_ref,
        "ecs",
        "RegisterTaskDefinition",
        json!({"family": "job", "containerDefinitions": [{"name": "job", "image": "job:v1", "cpu": 100, "memory": 200}]}),
    );
    world.advance_to(world.now + HOUR / 4);
    for service in 0..instances * TASKS_PER_INSTANCE / TASKS_PER_SERVICE {
        let input = json!({"cluster": "main", "serviceName": format!("s{service}"), "taskDefinition": "job",
            "desiredCount": TASKS_PER_SERVICE});
        ok(&mut world, "ecs", "CreateService", input);
    }
    world.advance_to(world.now + HOUR);
    world
}

fn hosts(world: &mut World, instances: i64, subnets: &[String]) {
    use base64::Engine;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let role = json!({"RoleName": "host", "AssumeRolePolicyDocument": trust.to_string()});
    ok(world, "iam", "CreateRole", role);
    ok(world, "iam", "CreateInstanceProfile", json!({"InstanceProfileName": "host"}));
    let both = json!({"InstanceProfileName": "host", "RoleName": "host"});
    ok(world, "iam", "AddRoleToInstanceProfile", both);
    let image = ok(
        world,
        "ssm",
        "GetParameter",
        json!({"Name": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"}),
    );
    let script = "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n";
    let data = json!({"ImageId": image["Parameter"]["Value"], "InstanceType": "m5.large",
        "IamInstanceProfile": {"Name": "host"},
        "UserData": base64::engine::general_purpose::STANDARD.encode(script)});
    ok(
        world,
        "ec2",
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "host", "LaunchTemplateData": data}),
    );
    let group = json!({"AutoScalingGroupName": "hosts", "MinSize": 0, "MaxSize": instances, "DesiredCapacity": instances,
        "LaunchTemplate": {"LaunchTemplateName": "host", "Version": "1"}, "VPCZoneIdentifier": subnets.join(",")});
    ok(world, "autoscaling", "CreateAutoScalingGroup", group);
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).map_or(f64::NAN, |kb| kb / 1024.0)
}

fn measure(instances: i64) {
    let began = Instant::now();
    let mut world = build(instances);
    let built = began.elapsed();
    let running = world.ecs.tasks.values().filter(|task| task.started.is_some()).count();
    let before = world.events_run();
    let began = Instant::now();
    world.advance_to(world.now + 24 * HOUR);
    let day = began.elapsed();
    println!(
        "{instances} instances, {running} tasks running: built in {:.2} s; a day took {:.2} s, {} events; {:.0} MB",
        built.as_secs_f64(),
        day.as_secs_f64(),
        world.events_run() - before,
        resident_mb()
    );
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let instances = asked.unwrap_or(2_000);
    measure(instances / 10);
    measure(instances);
}
