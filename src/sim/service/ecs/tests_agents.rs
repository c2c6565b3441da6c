//! Hosts that register themselves, and tasks that a client places or sets.

use super::tests::{Net, call, ok, pass, world};
use crate::World;
use crate::service::ec2::{self, LaunchSpec};
use crate::world::MINUTE;
use serde_json::{Value as Json, json};

/// A running instance whose user data joins no cluster.
fn instance(world: &mut World, net: &Net) -> String {
    let spec = LaunchSpec {
        image_id: ec2::images::ecs_optimized_ami("x86_64", "amazon-linux-2023").to_owned(),
        instance_type: "t3.medium".to_owned(),
        subnet_id: net.subnets[0].clone(),
        ..LaunchSpec::default()
    };
    let id = ec2::launch(world, spec).expect("an instance");
    pass(world, 2 * MINUTE);
    id
}

fn register(world: &mut World, cluster: &str, instance: &str) -> Json {
    let document = json!({"instanceId": instance}).to_string();
    let size = |name: &str, amount: i64| json!({"name": name, "type": "INTEGER", "integerValue": amount});
    let input = json!({
        "cluster": cluster, "instanceIdentityDocument": document,
        "totalResources": [size("CPU", 1024), size("MEMORY", 900)],
        "attributes": [{"name": "ecs.os-type", "value": "linux"}],
        "versionInfo": {"agentVersion": "1.0.0"},
    });
    ok(world, "ecs", "RegisterContainerInstance", input)["containerInstance"].clone()
}

fn define(world: &mut World, family: &str, more: &Json) {
    let mut input = json!({"family": family, "containerDefinitions": [
        {"name": "job", "image": "job:v1", "cpu": 600, "memory": 400},
    ]});
    for (name, value) in more.as_object().expect("members") {
        input[name.as_str()] = value.clone();
    }
    ok(world, "ecs", "RegisterTaskDefinition", input);
}

fn refused(world: &mut World, operation: &str, input: Json) -> (String, String) {
    let error = call(world, "ecs", operation, input).expect_err("refused");
    (error.code.to_owned(), error.message.clone())
}

#[test]
fn a_host_has_what_its_agent_says_and_three_attributes_of_ecs() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let id = instance(&mut world, &net);
    let host = register(&mut world, "main", &id);
    let names: Vec<&str> = host["attributes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["ecs.ami-id", "ecs.availability-zone", "ecs.instance-type", "ecs.os-type"]);
    assert_eq!(host["versionInfo"]["agentVersion"], "1.0.0");
    assert_eq!(host["registeredResources"][0]["integerValue"], 1024);
    assert_eq!(
        host["remainingResources"][2]["stringSetValue"],
        json!(["22", "2376", "2375", "51678", "51679"])
    );
}

#[test]
fn an_agent_that_registers_elsewhere_leaves_its_first_host_behind() {
    let (mut world, net) = world();
    for name in ["first", "second"] {
        ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": name}));
    }
    define(&mut world, "job", &json!({}));
    let id = instance(&mut world, &net);
    let first = register(&mut world, "first", &id)["containerInstanceArn"].clone();
    let second = register(&mut world, "second", &id)["containerInstanceArn"].clone();
    assert_ne!(first, second);
    let asked = json!({"cluster": "first", "containerInstances": [first]});
    let answer = ok(&mut world, "ecs", "DescribeContainerInstances", asked);
    assert_eq!(answer["containerInstances"][0]["agentConnected"], false);
    let start = |cluster: &str, host: &Json| json!({"cluster": cluster, "taskDefinition": "job", "containerInstances": [host]});
    let answer = ok(&mut world, "ecs", "StartTask", start("first", &first));
    assert_eq!(answer["failures"], json!([{"arn": first, "reason": "AGENT"}]));
    let run = json!({"cluster": "first", "taskDefinition": "job"});
    assert_eq!(ok(&mut world, "ecs", "RunTask", run)["tasks"], json!([]));
    let answer = ok(&mut world, "ecs", "StartTask", start("second", &second));
    assert_eq!(answer["tasks"].as_array().map(Vec::len), Some(1));
    pass(&mut world, MINUTE);
    ec2::terminate(&mut world, &id);
    pass(&mut world, 5 * MINUTE);
    for name in ["first", "second"] {
        let left = ok(&mut world, "ecs", "ListContainerInstances", json!({"cluster": name}));
        assert_eq!(left["containerInstanceArns"], json!([]));
    }
}

#[test]
fn a_started_task_needs_room_on_its_host() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    define(&mut world, "job", &json!({}));
    let id = instance(&mut world, &net);
    let host = register(&mut world, "main", &id)["containerInstanceArn"].clone();
    let start = json!({"cluster": "main", "taskDefinition": "job", "containerInstances": [host]});
    let answer = ok(&mut world, "ecs", "StartTask", start.clone());
    assert_eq!(answer["tasks"][0]["containerInstanceArn"], host);
    let answer = ok(&mut world, "ecs", "StartTask", start);
    assert_eq!(answer["failures"], json!([{"arn": host, "reason": "RESOURCE:CPU"}]));
    let nowhere = json!({"cluster": "main", "taskDefinition": "job", "containerInstances": []});
    let (code, message) = refused(&mut world, "StartTask", nowhere);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidParameterException", "Container instance cannot be empty.")
    );
}

#[test]
fn a_task_cannot_run_in_a_cluster_without_hosts() {
    let (mut world, _) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    define(&mut world, "job", &json!({}));
    let (code, message) = refused(&mut world, "RunTask", json!({"cluster": "main", "taskDefinition": "job"}));
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(message, "No Container Instances were found in your cluster.");
    let fargate = json!({"cluster": "main", "taskDefinition": "job", "launchType": "FARGATE"});
    let (_, message) = refused(&mut world, "RunTask", fargate);
    assert_eq!(message, "Task definition does not support launch_type FARGATE.");
}

#[test]
fn every_container_of_a_task_has_its_override() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    define(&mut world, "job", &json!({}));
    let id = instance(&mut world, &net);
    register(&mut world, "main", &id);
    let run = json!({"cluster": "main", "taskDefinition": "job", "overrides": {"cpu": "512"}});
    let task = ok(&mut world, "ecs", "RunTask", run)["tasks"][0].clone();
    let expected =
        json!({"containerOverrides": [{"name": "job"}], "cpu": "512", "inferenceAcceleratorOverrides": []});
    assert_eq!(task["overrides"], expected);
}

#[test]
fn an_external_service_takes_after_its_primary_task_set() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    define(&mut world, "job", &json!({"tags": [{"key": "team", "value": "a"}]}));
    let id = instance(&mut world, &net);
    register(&mut world, "main", &id);
    let external = json!({
        "cluster": "main", "serviceName": "web", "desiredCount": 1, "propagateTags": "TASK_DEFINITION",
        "deploymentController": {"type": "EXTERNAL"},
    });
    ok(&mut world, "ecs", "CreateService", external);
    let set =
        json!({"cluster": "main", "service": "web", "taskDefinition": "job", "scale": {"value": 100.0}});
    let made = ok(&mut world, "ecs", "CreateTaskSet", set)["taskSet"].clone();
    let primary = json!({"cluster": "main", "service": "web", "primaryTaskSet": made["id"]});
    ok(&mut world, "ecs", "UpdateServicePrimaryTaskSet", primary);
    let answer = ok(&mut world, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["web"]}));
    assert_eq!(answer["services"][0]["taskDefinition"], made["taskDefinition"]);
    pass(&mut world, MINUTE);
    let arns = ok(&mut world, "ecs", "ListTasks", json!({"cluster": "main", "serviceName": "web"}));
    let asked = json!({"cluster": "main", "tasks": arns["taskArns"], "include": ["TAGS"]});
    let tasks = ok(&mut world, "ecs", "DescribeTasks", asked);
    assert_eq!(tasks["tasks"][0]["tags"], json!([{"key": "team", "value": "a"}]));
}

#[test]
fn fargate_shares_no_namespaces_of_its_hosts() {
    let (mut world, _) = world();
    let mut input = json!({
        "family": "job", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256",
        "memory": "512", "pidMode": "host", "containerDefinitions": [{"name": "job", "image": "job:v1"}],
    });
    let (code, message) = refused(&mut world, "RegisterTaskDefinition", input.clone());
    assert_eq!(code, "ClientException");
    assert_eq!(
        message,
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'."
    );
    input["pidMode"] = json!("task");
    ok(&mut world, "ecs", "RegisterTaskDefinition", input.clone());
    input["ipcMode"] = json!("task");
    let (_, message) = refused(&mut world, "RegisterTaskDefinition", input);
    assert_eq!(message, "Tasks using the Fargate launch type do not support ipcMode.");
}

#[test]
fn an_efs_volume_without_a_directory_is_the_file_system_s_root() {
    let (mut world, _) = world();
    let volume = |more: &str| json!({"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": more}});
    define(&mut world, "job", &json!({"volumes": [volume("/data")]}));
    define(&mut world, "job", &json!({"volumes": [volume("")]}));
    for (revision, directory) in [(1, "/data"), (2, "/")] {
        let name = json!({"taskDefinition": format!("job:{revision}")});
        let found = ok(&mut world, "ecs", "DescribeTaskDefinition", name);
        assert_eq!(
            found["taskDefinition"]["volumes"][0]["efsVolumeConfiguration"]["rootDirectory"],
            directory
        );
    }
}

#[test]
fn what_is_deregistered_is_a_revision() {
    let (mut world, _) = world();
    define(&mut world, "job", &json!({}));
    for (name, expected) in [
        ("job", "Revision is missing."),
        ("job:x", "Invalid revision number. Number: x"),
        ("job:7", "Unable to describe task definition."),
    ] {
        let (code, message) =
            refused(&mut world, "DeregisterTaskDefinition", json!({"taskDefinition": name}));
        assert_eq!((code.as_str(), message.as_str()), ("ClientException", expected));
    }
}

#[test]
fn a_service_that_is_not_there_is_named_without_its_cluster() {
    let (mut world, _) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let answer = ok(&mut world, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["web"]}));
    let arn = "arn:aws:ecs:us-east-1:123456789012:service/web";
    assert_eq!(answer["failures"], json!([{"arn": arn, "reason": "MISSING"}]));
}
