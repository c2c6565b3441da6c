//! Services over virtual time, driven through the handlers.

use crate::World;
use crate::service::ec2::{self, LaunchSpec};
use crate::service::{ApiError, operations};
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

pub fn call(world: &mut World, service: &str, name: &str, input: Json) -> Result<Json, ApiError> {
    let table = operations(service).expect("a service");
    let (_, handler) = table.iter().find(|(known, _)| *known == name).expect("an operation");
    handler(world, &input)
}

pub fn ok(world: &mut World, service: &str, name: &str, input: Json) -> Json {
    call(world, service, name, input).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

pub fn pass(world: &mut World, millis: i64) {
    let to = world.now + millis;
    world.advance_to(to);
}

pub struct Net {
    pub subnets: Vec<String>,
    pub vpc: String,
}

/// A world with a VPC and two subnets in two zones.
pub fn world() -> (World, Net) {
    let mut world = World::new("123456789012", "us-east-1", 7, 1_750_000_000_000);
    let vpc = ok(&mut world, "ec2", "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"]["VpcId"].clone();
    let mut subnets = Vec::new();
    for (at, zone) in ["us-east-1a", "us-east-1b"].iter().enumerate() {
        let input = json!({"VpcId": vpc, "CidrBlock": format!("10.0.{at}.0/24"), "AvailabilityZone": zone});
        let answer = ok(&mut world, "ec2", "CreateSubnet", input);
        subnets.push(answer["Subnet"]["SubnetId"].as_str().expect("an id").to_owned());
    }
    (world, Net { subnets, vpc: vpc.as_str().expect("an id").to_owned() })
}

/// An active ALB with a listener that forwards to one target group of type `ip`.
pub fn balanced(world: &mut World, net: &Net, kind: &str) -> String {
    let answer = ok(
        world,
        "elasticloadbalancing",
        "CreateLoadBalancer",
        json!({"Name": "web", "Subnets": net.subnets}),
    );
    let balancer = answer["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let answer = ok(
        world,
        "elasticloadbalancing",
        "CreateTargetGroup",
        json!({
            "Name": "web", "Protocol": "HTTP", "Port": 80, "VpcId": net.vpc, "TargetType": kind,
            "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2, "HealthCheckPath": "/health",
        }),
    );
    let group = answer["TargetGroups"][0]["TargetGroupArn"].as_str().expect("an ARN").to_owned();
    ok(
        world,
        "elasticloadbalancing",
        "ModifyTargetGroupAttributes",
        json!({
            "TargetGroupArn": group,
            "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
        }),
    );
    ok(
        world,
        "elasticloadbalancing",
        "CreateListener",
        json!({
            "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 80,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        }),
    );
    pass(world, 3 * MINUTE);
    group
}

pub fn define(world: &mut World, image: &str) -> String {
    let answer = ok(
        world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "web", "image": image, "portMappings": [{"containerPort": 8080}]}],
        }),
    );
    answer["taskDefinition"]["taskDefinitionArn"].as_str().expect("an ARN").to_owned()
}

pub fn fargate(world: &mut World, net: &Net, group: &str, definition: &str) -> Json {
    ok(world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    ok(
        world,
        "ecs",
        "CreateService",
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": definition, "desiredCount": 2,
            "launchType": "FARGATE", "healthCheckGracePeriodSeconds": 30,
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": net.subnets}},
            "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        }),
    )["service"]
        .clone()
}

pub fn service(world: &mut World) -> Json {
    let answer = ok(world, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["web"]}));
    answer["services"][0].clone()
}

fn states(world: &mut World, group: &str) -> Vec<String> {
    let answer = ok(world, "elasticloadbalancing", "DescribeTargetHealth", json!({"TargetGroupArn": group}));
    let list = answer["TargetHealthDescriptions"].as_array().expect("a list").clone();
    list.iter().map(|one| one["TargetHealth"]["State"].as_str().expect("a state").to_owned()).collect()
}

fn healthy(world: &mut World, group: &str) -> usize {
    states(world, group).iter().filter(|state| *state == "healthy").count()
}

fn deployment(world: &mut World) -> Json {
    let list = ok(world, "ecs", "ListServiceDeployments", json!({"cluster": "main", "service": "web"}));
    let arn = list["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    let answer = ok(world, "ecs", "DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
    answer["serviceDeployments"][0].clone()
}

fn messages(service: &Json) -> Vec<String> {
    let events = service["events"].as_array().expect("events");
    events.iter().map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_fargate_service_becomes_steady() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let definition = define(&mut world, "repo/web:v1");
    let created = fargate(&mut world, &net, &group, &definition);
    assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS");
    pass(&mut world, 5 * SECOND);
    assert_eq!(deployment(&mut world)["status"], "IN_PROGRESS");
    pass(&mut world, 5 * MINUTE);
    let now = service(&mut world);
    assert_eq!((&now["runningCount"], &now["pendingCount"]), (&json!(2), &json!(0)));
    assert_eq!(now["deployments"][0]["rolloutState"], "COMPLETED");
    assert!(messages(&now)[0].ends_with("has reached a steady state."), "{:?}", messages(&now));
    assert_eq!(states(&mut world, &group), ["healthy", "healthy"]);
    assert_eq!(deployment(&mut world)["status"], "SUCCESSFUL");
}

#[test]
fn a_rolling_update_never_drops_below_the_desired_count() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let first = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &first);
    pass(&mut world, 5 * MINUTE);
    let second = define(&mut world, "repo/web:v2");
    ok(
        &mut world,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "taskDefinition": second}),
    );
    assert_eq!(service(&mut world)["deployments"].as_array().map(Vec::len), Some(2));
    for _ in 0..120 {
        pass(&mut world, 3 * SECOND);
        assert!(healthy(&mut world, &group) >= 2, "{:?}", states(&mut world, &group));
    }
    let now = service(&mut world);
    assert_eq!(now["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(now["deployments"][0]["taskDefinition"], json!(second));
    assert_eq!(now["deployments"][0]["rolloutState"], "COMPLETED");
    let record = deployment(&mut world);
    assert_eq!(record["status"], "SUCCESSFUL");
    assert_eq!(record["targetServiceRevision"]["runningTaskCount"], 2);
}

fn rolls_back(image: &str) {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let first = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &first);
    pass(&mut world, 5 * MINUTE);
    let second = define(&mut world, image);
    ok(
        &mut world,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "taskDefinition": second}),
    );
    for _ in 0..200 {
        pass(&mut world, 5 * SECOND);
        assert!(healthy(&mut world, &group) >= 2, "{:?}", states(&mut world, &group));
    }
    let now = service(&mut world);
    assert_eq!(now["taskDefinition"], json!(first), "{:#?}", messages(&now));
    assert_eq!(now["deployments"].as_array().map(Vec::len), Some(1));
    let record = deployment(&mut world);
    assert_eq!(record["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(record["deploymentCircuitBreaker"]["status"], "TRIGGERED");
    assert!(messages(&now).iter().any(|text| text.contains("rolling back to deployment")));
}

#[test]
fn an_image_that_crashes_trips_the_breaker_and_is_rolled_back() {
    rolls_back("repo/web:crash");
}

#[test]
fn an_unhealthy_image_trips_the_breaker_and_is_rolled_back() {
    rolls_back("repo/web:unhealthy");
}

#[test]
fn desired_count_changes_start_no_deployment() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let definition = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &definition);
    pass(&mut world, 5 * MINUTE);
    ok(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web", "desiredCount": 4}));
    pass(&mut world, 5 * MINUTE);
    assert_eq!(healthy(&mut world, &group), 4);
    ok(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web", "desiredCount": 1}));
    pass(&mut world, 5 * MINUTE);
    assert_eq!(states(&mut world, &group), ["healthy"]);
    let list = ok(&mut world, "ecs", "ListServiceDeployments", json!({"cluster": "main", "service": "web"}));
    assert_eq!(list["serviceDeployments"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_deleted_service_drains_and_its_cluster_can_go() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let definition = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &definition);
    pass(&mut world, 5 * MINUTE);
    let refused = call(&mut world, "ecs", "DeleteService", json!({"cluster": "main", "service": "web"}));
    assert_eq!(refused.unwrap_err().message, "The service cannot be stopped while it is scaled above 0.");
    ok(&mut world, "ecs", "DeleteService", json!({"cluster": "main", "service": "web", "force": true}));
    let held = call(&mut world, "ecs", "DeleteCluster", json!({"cluster": "main"})).unwrap_err();
    assert_eq!(held.code, "ClusterContainsServicesException");
    assert_eq!(service(&mut world)["status"], "DRAINING");
    pass(&mut world, 2 * MINUTE);
    assert_eq!(service(&mut world)["status"], "INACTIVE");
    assert!(states(&mut world, &group).is_empty());
    ok(&mut world, "ecs", "DeleteCluster", json!({"cluster": "main"}));
    let gone =
        call(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web"})).unwrap_err();
    assert_eq!(gone.code, "ClusterNotFoundException");
}

#[test]
fn stopping_a_deployment_rolls_it_back() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let first = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &first);
    pass(&mut world, 5 * MINUTE);
    let second = define(&mut world, "repo/web:slow");
    ok(
        &mut world,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "taskDefinition": second}),
    );
    pass(&mut world, 30 * SECOND);
    let arn = deployment(&mut world)["serviceDeploymentArn"].clone();
    ok(
        &mut world,
        "ecs",
        "StopServiceDeployment",
        json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}),
    );
    pass(&mut world, 5 * MINUTE);
    assert_eq!(service(&mut world)["taskDefinition"], json!(first));
    assert_eq!(deployment(&mut world)["status"], "ROLLBACK_SUCCESSFUL");
}

/// An instance profile, as hosts need one.
fn host_profile(world: &mut World) -> String {
    let answer = ok(world, "iam", "CreateInstanceProfile", json!({"InstanceProfileName": "host"}));
    answer["InstanceProfile"]["Arn"].as_str().expect("an ARN").to_owned()
}

fn host_image(world: &mut World) -> String {
    let name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id";
    let answer = ok(world, "ssm", "GetParameter", json!({"Name": name}));
    answer["Parameter"]["Value"].as_str().expect("an image").to_owned()
}

/// Instances that join the cluster `main`, one a subnet in turn.
pub fn hosts(world: &mut World, net: &Net, kind: &str, count: usize) -> Vec<String> {
    let image = host_image(world);
    let mut ids = Vec::new();
    for at in 0..count {
        let spec = LaunchSpec {
            image_id: image.clone(),
            instance_type: kind.to_owned(),
            subnet_id: net.subnets[at % net.subnets.len()].clone(),
            instance_profile_arn: Some("arn:aws:iam::123456789012:instance-profile/host".to_owned()),
            user_data: "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n".to_owned(),
            ..LaunchSpec::default()
        };
        ids.push(ec2::launch(world, spec).expect("an instance"));
    }
    pass(world, 2 * MINUTE);
    ids
}

fn on_hosts(world: &mut World, group: &str, image: &str, desired: i64) -> Json {
    let definition = ok(world, "ecs", "RegisterTaskDefinition", json!({
        "family": "host", "containerDefinitions": [{
            "name": "web", "image": image, "memory": 256, "cpu": 256, "portMappings": [{"containerPort": 8080, "hostPort": 0}],
        }],
    }))["taskDefinition"]["taskDefinitionArn"].clone();
    ok(
        world,
        "ecs",
        "CreateService",
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": definition, "desiredCount": desired,
            "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
            "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
        }),
    )
}

#[test]
fn hosts_take_tasks_with_dynamic_ports_spread_over_zones() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "instance");
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let ids = hosts(&mut world, &net, "t3.small", 2);
    on_hosts(&mut world, &group, "repo/web:v1", 4);
    pass(&mut world, 5 * MINUTE);
    assert_eq!(healthy(&mut world, &group), 4);
    let list = ok(&mut world, "ecs", "ListContainerInstances", json!({"cluster": "main"}));
    let described = ok(
        &mut world,
        "ecs",
        "DescribeContainerInstances",
        json!({
            "cluster": "main", "containerInstances": list["containerInstanceArns"],
        }),
    );
    for host in described["containerInstances"].as_array().expect("a list") {
        assert_eq!(host["runningTasksCount"], 2);
        assert!(ids.iter().any(|id| host["ec2InstanceId"] == json!(id)));
    }
    let tasks = ok(&mut world, "ecs", "ListTasks", json!({"cluster": "main", "serviceName": "web"}));
    let tasks =
        ok(&mut world, "ecs", "DescribeTasks", json!({"cluster": "main", "tasks": tasks["taskArns"]}));
    let port = tasks["tasks"][0]["containers"][0]["networkBindings"][0]["hostPort"].as_i64().expect("a port");
    assert!(port >= 32_768);
}

#[test]
fn draining_a_host_moves_its_tasks_without_losing_any() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "instance");
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    hosts(&mut world, &net, "t3.small", 2);
    on_hosts(&mut world, &group, "repo/web:v1", 2);
    pass(&mut world, 5 * MINUTE);
    let list = ok(&mut world, "ecs", "ListContainerInstances", json!({"cluster": "main"}));
    let first = list["containerInstanceArns"][0].clone();
    ok(
        &mut world,
        "ecs",
        "UpdateContainerInstancesState",
        json!({
            "cluster": "main", "containerInstances": [first], "status": "DRAINING",
        }),
    );
    for _ in 0..60 {
        pass(&mut world, 5 * SECOND);
        assert!(healthy(&mut world, &group) >= 2);
    }
    let described = ok(
        &mut world,
        "ecs",
        "DescribeContainerInstances",
        json!({
            "cluster": "main", "containerInstances": [first],
        }),
    );
    assert_eq!(described["containerInstances"][0]["runningTasksCount"], 0);
    assert_eq!(described["containerInstances"][0]["status"], "DRAINING");
}

#[test]
fn a_terminated_host_takes_its_tasks_with_it_and_they_come_back_elsewhere() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "instance");
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let ids = hosts(&mut world, &net, "t3.small", 2);
    on_hosts(&mut world, &group, "repo/web:v1", 2);
    pass(&mut world, 5 * MINUTE);
    ec2::terminate(&mut world, &ids[0]);
    assert_eq!(service(&mut world)["runningCount"], 1);
    pass(&mut world, 5 * MINUTE);
    assert_eq!(service(&mut world)["runningCount"], 2);
    assert_eq!(states(&mut world, &group), ["healthy", "healthy"]);
}

#[test]
fn a_full_host_is_named_in_the_events() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    hosts(&mut world, &net, "t3.small", 1);
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "big", "containerDefinitions": [{"name": "big", "image": "big:v1", "memory": 1500}],
        }),
    );
    ok(
        &mut world,
        "ecs",
        "CreateService",
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": "big", "desiredCount": 2,
        }),
    );
    pass(&mut world, 2 * MINUTE);
    let now = service(&mut world);
    assert_eq!(now["runningCount"], 1);
    let text = messages(&now).join("\n");
    assert!(text.contains("has insufficient memory available."), "{text}");
}

#[test]
fn the_same_token_makes_one_service() {
    let (mut world, _) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "job", "containerDefinitions": [{"name": "job", "image": "job:v1", "memory": 128}],
        }),
    );
    let input = json!({"cluster": "main", "serviceName": "job", "taskDefinition": "job", "desiredCount": 1, "clientToken": "t1"});
    let first = ok(&mut world, "ecs", "CreateService", input.clone());
    let again = ok(&mut world, "ecs", "CreateService", input);
    assert_eq!(first["service"]["deployments"][0]["id"], again["service"]["deployments"][0]["id"]);
    pass(&mut world, MINUTE);
    let answer = ok(&mut world, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["job"]}));
    let text = messages(&answer["services"][0]).join("\n");
    assert!(text.contains("Reason: No Container Instances were found in your cluster."), "{text}");
}

#[test]
fn registration_fills_in_defaults_and_counts_revisions() {
    let (mut world, _) = world();
    let input = json!({
        "family": "job",
        "containerDefinitions": [{"name": "job", "image": "job:v1", "memory": 128, "portMappings": [{"containerPort": 80}]}],
    });
    let first = ok(&mut world, "ecs", "RegisterTaskDefinition", input.clone());
    let container = &first["taskDefinition"]["containerDefinitions"][0];
    assert_eq!(container["cpu"], 0);
    assert_eq!(container["essential"], true);
    assert_eq!(container["environment"], json!([]));
    assert_eq!(container["portMappings"], json!([{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]));
    assert_eq!(first["taskDefinition"]["status"], "ACTIVE");
    let second = ok(&mut world, "ecs", "RegisterTaskDefinition", input.clone());
    assert_eq!(second["taskDefinition"]["revision"], 2);
    ok(&mut world, "ecs", "DeregisterTaskDefinition", json!({"taskDefinition": "job:2"}));
    let newest = ok(&mut world, "ecs", "DescribeTaskDefinition", json!({"taskDefinition": "job"}));
    assert_eq!(newest["taskDefinition"]["revision"], 1);
    let third = ok(&mut world, "ecs", "RegisterTaskDefinition", input);
    assert_eq!(third["taskDefinition"]["revision"], 3);
}

#[test]
fn a_daemon_runs_once_on_every_host() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    hosts(&mut world, &net, "t3.small", 2);
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "agent", "containerDefinitions": [{"name": "agent", "image": "agent:v1", "memory": 64}],
        }),
    );
    ok(
        &mut world,
        "ecs",
        "CreateService",
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": "agent", "schedulingStrategy": "DAEMON",
        }),
    );
    pass(&mut world, 2 * MINUTE);
    assert_eq!(service(&mut world)["runningCount"], 2);
    hosts(&mut world, &net, "t3.small", 1);
    pass(&mut world, 2 * MINUTE);
    let now = service(&mut world);
    assert_eq!((&now["runningCount"], &now["desiredCount"]), (&json!(3), &json!(3)));
    assert_eq!(now["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn a_saved_world_goes_on_where_it_was() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let first = define(&mut world, "repo/web:v1");
    fargate(&mut world, &net, &group, &first);
    pass(&mut world, 40 * SECOND);
    let saved = serde_json::to_string(&world).expect("saved");
    let mut loaded: World = serde_json::from_str(&saved).expect("loaded");
    pass(&mut world, 5 * MINUTE);
    pass(&mut loaded, 5 * MINUTE);
    assert_eq!(serde_json::to_string(&world).unwrap(), serde_json::to_string(&loaded).unwrap());
    assert_eq!(service(&mut loaded)["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn run_task_starts_what_stop_task_stops() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    hosts(&mut world, &net, "t3.small", 1);
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "job", "containerDefinitions": [{
                "name": "job", "image": "job:v1", "memory": 64, "portMappings": [{"containerPort": 80, "hostPort": 80}],
            }],
        }),
    );
    let input = json!({"cluster": "main", "taskDefinition": "job", "count": 2});
    let answer = ok(&mut world, "ecs", "RunTask", input);
    assert_eq!(answer["failures"][0]["reason"], "RESOURCE:PORTS");
    let arn = answer["tasks"][0]["taskArn"].clone();
    pass(&mut world, MINUTE);
    let describe = |world: &mut World| {
        ok(world, "ecs", "DescribeTasks", json!({"cluster": "main", "tasks": [arn]}))["tasks"][0].clone()
    };
    assert_eq!(describe(&mut world)["lastStatus"], "RUNNING");
    ok(&mut world, "ecs", "StopTask", json!({"cluster": "main", "task": arn, "reason": "enough"}));
    pass(&mut world, MINUTE);
    let stopped = describe(&mut world);
    assert_eq!((&stopped["lastStatus"], &stopped["stoppedReason"]), (&json!("STOPPED"), &json!("enough")));
    pass(&mut world, 61 * MINUTE);
    assert_eq!(describe(&mut world), Json::Null);
}

/// A group of t3.small hosts for the cluster `main`, and a capacity provider `pool` on it.
pub fn pool(world: &mut World, net: &Net, desired: i64, protect: bool) {
    use base64::Engine;
    let image = host_image(world);
    let profile = host_profile(world);
    // Until other services know it.
    pass(world, 10 * SECOND);
    let script = "#!/bin/bash\necho ECS_CLUSTER=main >> /etc/ecs/ecs.config\n";
    ok(
        world,
        "ec2",
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "host", "LaunchTemplateData": {
            "ImageId": image, "InstanceType": "t3.small",
            "IamInstanceProfile": {"Arn": profile},
            "UserData": base64::engine::general_purpose::STANDARD.encode(script),
        }}),
    );
    ok(
        world,
        "autoscaling",
        "CreateAutoScalingGroup",
        json!({
            "AutoScalingGroupName": "hosts", "MinSize": 0, "MaxSize": 4, "DesiredCapacity": desired,
            "LaunchTemplate": {"LaunchTemplateName": "host", "Version": "1"},
            "VPCZoneIdentifier": net.subnets.join(","), "NewInstancesProtectedFromScaleIn": protect,
        }),
    );
    let groups = ok(world, "autoscaling", "DescribeAutoScalingGroups", json!({}));
    ok(
        world,
        "ecs",
        "CreateCapacityProvider",
        json!({"name": "pool", "autoScalingGroupProvider": {
            "autoScalingGroupArn": groups["AutoScalingGroups"][0]["AutoScalingGroupARN"],
            "managedScaling": {"status": "ENABLED", "targetCapacity": 100, "maximumScalingStepSize": 10},
            "managedTerminationProtection": if protect { "ENABLED" } else { "DISABLED" },
        }}),
    );
    ok(
        world,
        "ecs",
        "CreateCluster",
        json!({
            "clusterName": "main", "capacityProviders": ["pool"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "pool", "weight": 1}],
        }),
    );
}

fn on_pool(world: &mut World, memory: i64, desired: i64) {
    ok(
        world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "job", "containerDefinitions": [{"name": "job", "image": "job:v1", "memory": memory}],
        }),
    );
    ok(
        world,
        "ecs",
        "CreateService",
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": "job", "desiredCount": desired,
        }),
    );
}

fn capacity(world: &mut World) -> (i64, Vec<bool>) {
    let answer = ok(world, "autoscaling", "DescribeAutoScalingGroups", json!({}));
    let group = &answer["AutoScalingGroups"][0];
    let instances = group["Instances"].as_array().expect("instances").iter();
    let protected = instances.map(|one| one["ProtectedFromScaleIn"] == json!(true)).collect();
    (group["DesiredCapacity"].as_i64().expect("a number"), protected)
}

#[test]
fn managed_scaling_brings_hosts_for_waiting_tasks_and_takes_idle_ones_away() {
    let (mut world, net) = world();
    pool(&mut world, &net, 0, true);
    on_pool(&mut world, 1200, 3);
    pass(&mut world, 30 * SECOND);
    assert_eq!(service(&mut world)["pendingCount"], 3);
    pass(&mut world, 20 * MINUTE);
    let now = service(&mut world);
    assert_eq!(now["runningCount"], 3, "{:?}", messages(&now));
    assert_eq!(now["capacityProviderStrategy"][0]["capacityProvider"], "pool");
    assert_eq!(capacity(&mut world), (3, vec![true, true, true]));
    ok(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web", "desiredCount": 1}));
    pass(&mut world, 5 * MINUTE);
    assert_eq!(capacity(&mut world).0, 3);
    pass(&mut world, 40 * MINUTE);
    assert_eq!(capacity(&mut world), (1, vec![true]));
    assert_eq!(service(&mut world)["runningCount"], 1);
}

#[test]
fn managed_draining_moves_tasks_before_the_group_terminates_their_host() {
    let (mut world, net) = world();
    pool(&mut world, &net, 2, false);
    on_pool(&mut world, 800, 4);
    pass(&mut world, 10 * MINUTE);
    assert_eq!(service(&mut world)["runningCount"], 4);
    let hosts = ok(&mut world, "autoscaling", "DescribeAutoScalingGroups", json!({}));
    let id = hosts["AutoScalingGroups"][0]["Instances"][0]["InstanceId"].clone();
    ok(
        &mut world,
        "autoscaling",
        "TerminateInstanceInAutoScalingGroup",
        json!({
            "InstanceId": id, "ShouldDecrementDesiredCapacity": false,
        }),
    );
    for _ in 0..120 {
        pass(&mut world, 5 * SECOND);
        assert!(service(&mut world)["runningCount"].as_i64() >= Some(4));
    }
    assert!(!world.ecs.host_of.contains_key(id.as_str().expect("an id")));
    assert_eq!(capacity(&mut world).0, 2);
}

#[test]
fn a_provider_in_use_cannot_be_taken_away() {
    let (mut world, net) = world();
    pool(&mut world, &net, 1, false);
    on_pool(&mut world, 400, 1);
    pass(&mut world, 5 * MINUTE);
    let take = json!({"cluster": "main", "capacityProviders": [], "defaultCapacityProviderStrategy": []});
    let error = call(&mut world, "ecs", "PutClusterCapacityProviders", take.clone()).unwrap_err();
    assert_eq!(error.code, "ResourceInUseException");
    let error =
        call(&mut world, "ecs", "DeleteCapacityProvider", json!({"capacityProvider": "pool"})).unwrap_err();
    assert_eq!(error.code, "ResourceInUseException");
    ok(&mut world, "ecs", "DeleteService", json!({"cluster": "main", "service": "web", "force": true}));
    pass(&mut world, 2 * MINUTE);
    ok(&mut world, "ecs", "PutClusterCapacityProviders", take);
    ok(&mut world, "ecs", "DeleteCapacityProvider", json!({"capacityProvider": "pool"}));
    pass(&mut world, MINUTE);
    let answer = ok(&mut world, "ecs", "DescribeCapacityProviders", json!({"capacityProviders": ["pool"]}));
    assert_eq!(answer["capacityProviders"][0]["status"], "INACTIVE");
    assert_eq!(answer["capacityProviders"][0]["updateStatus"], "DELETE_COMPLETE");
}
