//! A day of a large world: `cargo bench -p cutover-sim --bench simulated_day [-- INSTANCES] [--log FILE]`.
//!
//! By default 2,000 instances carry 20,000 tasks of 500 services behind load balancers, in Auto Scaling groups of
//! 100 with managed scaling. In the day an eighth of the services is rolled out, another one scaled out and in,
//! a tenth of the groups refreshed and another tenth, of spot instances, interrupted, and health checks of every
//! tenth target group fail for ten minutes. Prints what it took to build the world and to let
//! the day pass, the events and the memory; the aim is 10 seconds and 1 GB for the day. A quarter and a half of it are
//! measured first, and a table shows how the cost of an event grows. `--log` writes the event log of the largest world
//! to a file: the same before and after a change that is to alter nothing.

use cutover_sim::World;
use cutover_sim::faults::{Fault, What, declare};
use cutover_sim::service::operations;
use serde_json::{Value as Json, json};
use std::time::Instant;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const TASKS_PER_INSTANCE: i64 = 10;
const TASKS_PER_SERVICE: i64 = 40;
const GROUP: i64 = 100;
/// A load balancer takes 100 target groups.
const SERVICES_PER_BALANCER: i64 = 100;

fn ok(world: &mut World, service: &str, name: &str, input: Json) -> Json {
    let table = operations(service).expect("a service");
    let (_, handler) = table.iter().find(|(known, _)| *known == name).expect("an operation");
    handler(world, &input).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn text(answer: &Json) -> String {
    answer.as_str().expect("text").to_owned()
}

/// How large a world is.
#[derive(Clone, Copy)]
struct Size {
    instances: i64,
}

impl Size {
    fn services(self) -> i64 {
        self.instances * TASKS_PER_INSTANCE / TASKS_PER_SERVICE
    }

    fn groups(self) -> i64 {
        (self.instances / GROUP).max(1)
    }
}

struct Stage<'a> {
    world: &'a mut World,
    vpc: Json,
    subnets: Vec<String>,
}

/// Hosts that join the cluster `main`, and services that fill them.
fn build(world: &mut World, size: Size) {
    let mut stage = network(world);
    hosts(&mut stage, size);
    release(stage.world, "v1");
    stage.world.advance_to(stage.world.now + HOUR / 4);
    services(&mut stage, size);
    stage.world.advance_to(stage.world.now + HOUR);
}

fn network(world: &mut World) -> Stage<'_> {
    world.faults.make_prompt();
    let vpc = ok(world, "ec2", "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"]["VpcId"].clone();
    let gateway = ok(world, "ec2", "CreateInternetGateway", json!({}));
    let gateway = &gateway["InternetGateway"]["InternetGatewayId"];
    ok(world, "ec2", "AttachInternetGateway", json!({"InternetGatewayId": gateway, "VpcId": vpc}));
    let mut subnets = Vec::new();
    for (at, zone) in ["a", "b", "c", "d"].iter().enumerate() {
        let block = format!("10.0.{}.0/18", at * 64);
        let zone = format!("us-east-1{zone}");
        let input = json!({"VpcId": vpc, "CidrBlock": block, "AvailabilityZone": zone});
        subnets.push(text(&ok(world, "ec2", "CreateSubnet", input)["Subnet"]["SubnetId"]));
    }
    Stage { world, vpc, subnets }
}

fn hosts(stage: &mut Stage, size: Size) {
    let world = &mut *stage.world;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let role = json!({"RoleName": "host", "AssumeRolePolicyDocument": trust.to_string()});
    ok(world, "iam", "CreateRole", role);
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role";
    ok(world, "iam", "AttachRolePolicy", json!({"RoleName": "host", "PolicyArn": policy}));
    ok(world, "iam", "CreateInstanceProfile", json!({"InstanceProfileName": "host"}));
    let both = json!({"InstanceProfileName": "host", "RoleName": "host"});
    ok(world, "iam", "AddRoleToInstanceProfile", both);
    template(world, "host", None);
    template(world, "spot", Some(json!({"MarketType": "spot"})));
    ok(world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let mut names = Vec::new();
    for number in 0..size.groups() {
        let name = format!("hosts{number}");
        let count = size.instances / size.groups();
        // Every tenth group is of spot instances.
        let template = if number % 10 == 0 { "spot" } else { "host" };
        let group = json!({"AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 2 * count,
            "DesiredCapacity": count, "LaunchTemplate": {"LaunchTemplateName": template, "Version": "1"},
            "VPCZoneIdentifier": stage.subnets.join(",")});
        ok(world, "autoscaling", "CreateAutoScalingGroup", group);
        let asked = json!({"AutoScalingGroupNames": [name]});
        let answer = ok(world, "autoscaling", "DescribeAutoScalingGroups", asked);
        let provider = json!({"autoScalingGroupArn": answer["AutoScalingGroups"][0]["AutoScalingGroupARN"],
            "managedScaling": {"status": "ENABLED", "targetCapacity": 100},
            "managedTerminationProtection": "DISABLED", "managedDraining": "ENABLED"});
        let input = json!({"name": format!("p{number}"), "autoScalingGroupProvider": provider});
        ok(world, "ecs", "CreateCapacityProvider", input);
        names.push(format!("p{number}"));
    }
    let input = json!({"cluster": "main", "capacityProviders": names, "defaultCapacityProviderStrategy": []});
    ok(world, "ecs", "PutClusterCapacityProviders", input);
}

fn template(world: &mut World, name: &str, market: Option<Json>) {
    use base64::Engine;
    let path = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let image = ok(world, "ssm", "GetParameter", json!({"Name": path}));
    let script = "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n";
    let mut data = json!({"ImageId": image["Parameter"]["Value"], "InstanceType": "m5.large",
        "IamInstanceProfile": {"Name": "host"},
        "UserData": base64::engine::general_purpose::STANDARD.encode(script)});
    if let Some(market) = market {
        data["InstanceMarketOptions"] = market;
    }
    let input = json!({"LaunchTemplateName": name, "LaunchTemplateData": data});
    ok(world, "ec2", "CreateLaunchTemplate", input);
}

/// A new revision of the task definition.
fn release(world: &mut World, version: &str) {
    let container = json!({"name": "job", "image": format!("job:{version}"), "cpu": 100, "memory": 200,
        "portMappings": [{"containerPort": 80, "hostPort": 0}]});
    let input = json!({"family": "job", "containerDefinitions": [container]});
    ok(world, "ecs", "RegisterTaskDefinition", input);
}

fn services(stage: &mut Stage, size: Size) {
    let mut listener = Json::Null;
    for service in 0..size.services() {
        if service % SERVICES_PER_BALANCER == 0 {
            listener = balancer(stage, service / SERVICES_PER_BALANCER);
        }
        let world = &mut *stage.world;
        let group = json!({"Name": format!("t{service}"), "Protocol": "HTTP", "Port": 80, "VpcId": stage.vpc,
            "TargetType": "instance"});
        let made = ok(world, "elasticloadbalancing", "CreateTargetGroup", group);
        let arn = &made["TargetGroups"][0]["TargetGroupArn"];
        let rule = json!({"ListenerArn": listener, "Priority": service % SERVICES_PER_BALANCER + 1,
            "Conditions": [{"Field": "path-pattern", "Values": [format!("/s{service}/*")]}],
            "Actions": [{"Type": "forward", "TargetGroupArn": arn}]});
        ok(world, "elasticloadbalancing", "CreateRule", rule);
        let strategy = json!({"capacityProvider": format!("p{}", service % size.groups()), "weight": 1});
        let input = json!({"cluster": "main", "serviceName": format!("s{service}"), "taskDefinition": "job",
            "desiredCount": TASKS_PER_SERVICE, "capacityProviderStrategy": [strategy],
            "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"},
                {"type": "spread", "field": "instanceId"}],
            "loadBalancers": [{"targetGroupArn": arn, "containerName": "job", "containerPort": 80}]});
        ok(world, "ecs", "CreateService", input);
    }
}

fn balancer(stage: &mut Stage, number: i64) -> Json {
    let world = &mut *stage.world;
    let input = json!({"Name": format!("b{number}"), "Subnets": stage.subnets});
    let made = ok(world, "elasticloadbalancing", "CreateLoadBalancer", input);
    let input = json!({"LoadBalancerArn": made["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": "HTTP",
        "Port": 80, "DefaultActions": [{"Type": "fixed-response",
            "FixedResponseConfig": {"StatusCode": "404"}}]});
    ok(world, "elasticloadbalancing", "CreateListener", input)["Listeners"][0]["ListenerArn"].clone()
}

/// What people do and what befalls them in one hour of the day.
fn hour(world: &mut World, size: Size, hour: i64) {
    release(world, &format!("day-{hour}"));
    // Services in turn: of 100, one is rolled out every second hour, one scaled out and in again.
    let turn = |service: i64, hour: i64| service % 100 == hour * 4;
    for service in (0..size.services()).filter(|service| hour % 2 == 0 && turn(*service, hour)) {
        let input = json!({"cluster": "main", "service": format!("s{service}"), "taskDefinition": "job"});
        ok(world, "ecs", "UpdateService", input);
    }
    for service in (0..size.services()).filter(|service| turn(*service, hour - hour % 2 + 1)) {
        let count = TASKS_PER_SERVICE * if hour % 2 == 0 { 3 } else { 2 } / 2;
        let input = json!({"cluster": "main", "service": format!("s{service}"), "desiredCount": count});
        ok(world, "ecs", "UpdateService", input);
    }
    if hour == 3 {
        for group in (0..size.groups()).filter(|group| group % 10 == 1) {
            let input = json!({"AutoScalingGroupName": format!("hosts{group}"),
                "Preferences": {"MinHealthyPercentage": 90, "InstanceWarmup": 60}});
            ok(world, "autoscaling", "StartInstanceRefresh", input);
        }
    }
    let lasting = |what, minutes: i64| Fault { number: 0, from: 0, until: Some(minutes), what };
    if hour == 6 {
        declare(world, Fault { until: None, ..lasting(What::SpotInterruption { share: 0.1 }, 0) });
    }
    if hour == 9 {
        let until = world.now + 10 * MINUTE;
        declare(world, lasting(What::UnhealthyTargets { group: "t*9".to_owned() }, until));
    }
    world.advance_to(world.now + HOUR);
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).map_or(f64::NAN, |kb| kb / 1024.0)
}

/// Processor time of this process: what other work on the machine does not change.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks: f64 =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

struct Took {
    wall: f64,
    cpu: f64,
    events: u64,
}

impl Took {
    fn micros(&self) -> f64 {
        self.cpu * 1e6 / self.events.max(1) as f64
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Took { wall, cpu, events } = self;
        let rate = *events as f64 / wall.max(1e-9);
        write!(
            f,
            "{wall:.2} s ({cpu:.2} s of CPU), {events} events, {rate:.0} events/s, {:.1} µs an event",
            self.micros()
        )
    }
}

fn timed(world: &mut World, act: impl FnOnce(&mut World)) -> Took {
    let (began, cpu, events) = (Instant::now(), cpu_seconds(), world.events_run());
    act(world);
    let wall = began.elapsed().as_secs_f64();
    Took { wall, cpu: cpu_seconds() - cpu, events: world.events_run() - events }
}

struct Day {
    size: Size,
    built: Took,
    passed: Took,
}

fn measure(size: Size, log: Option<&str>) -> Day {
    let mut world = World::new("123456789012", "us-east-1", 7, 1_750_000_000_000);
    if log.is_some() {
        world.log.keep(usize::MAX);
    }
    let built = timed(&mut world, |world| build(world, size));
    let running = world.ecs.tasks.values().filter(|task| task.started.is_some()).count();
    println!("{} instances, {} services, {running} tasks running", size.instances, size.services());
    println!("  built in  {built}");
    let passed = timed(&mut world, |world| (0..24).for_each(|at| hour(world, size, at)));
    println!("  a day in  {passed}");
    println!("  {} lines in the event log, at most {:.0} MB resident", world.log.next() - 1, resident_mb());
    if let Some(file) = log {
        let lines: String = world.log.since(0).flat_map(|line| [line, "\n"]).collect();
        std::fs::write(file, lines).expect("the log can be written");
    }
    Day { size, built, passed }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let log = words.iter().position(|word| word == "--log").and_then(|at| words.get(at + 1));
    let instances: i64 = words.iter().find_map(|word| word.parse().ok()).unwrap_or(2_000);
    let sizes = [instances / 4, instances / 2, instances].map(|instances| Size { instances });
    let days =
        sizes.map(|size| measure(size, log.filter(|_| size.instances == instances).map(String::as_str)));
    println!(
        "instances    tasks  services  built: events  µs an event  the day: events  µs an event   growth"
    );
    for Day { size, built, passed } in &days {
        println!(
            "{:>9} {:>8} {:>9} {:>14} {:>12.1} {:>16} {:>12.1} {:>8.2}",
            size.instances,
            size.instances * TASKS_PER_INSTANCE,
            size.services(),
            built.events,
            built.micros(),
            passed.events,
            passed.micros(),
            passed.micros() / days[0].passed.micros(),
        );
    }
}
