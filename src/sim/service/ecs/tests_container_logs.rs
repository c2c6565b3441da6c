//! What containers write through the driver `awslogs`.

use super::images::ImageBehaviour;
use super::tests::{Net, call, ok, pass, world};
use crate::World;
use crate::world::MINUTE;
use serde_json::{Value as Json, json};

/// A task of one container with this image and these options of its log driver, some minutes on.
fn run(world: &mut World, net: &Net, image: &str, more: Json) -> Json {
    let mut options =
        json!({ "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web" });
    for (name, value) in more.as_object().expect("options") {
        options[name] = value.clone();
    }
    let definition = json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "containerDefinitions": [{
            "name": "app", "image": image, "portMappings": [{ "containerPort": 8080 }],
            "environment": [{ "name": "DATABASE", "value": "db:5432" }, { "name": "REGION", "value": "us" }],
            "logConfiguration": { "logDriver": "awslogs", "options": options },
        }],
    });
    ok(world, "ecs", "CreateCluster", json!({ "clusterName": "main" }));
    ok(world, "ecs", "RegisterTaskDefinition", definition);
    let run = json!({
        "cluster": "main", "taskDefinition": "web", "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": net.subnets } },
        "overrides": { "containerOverrides": [{ "name": "app", "environment": [{ "name": "REGION", "value": "eu" }] }] },
    });
    let arn = ok(world, "ecs", "RunTask", run)["tasks"][0]["taskArn"].clone();
    pass(world, 3 * MINUTE);
    ok(world, "ecs", "DescribeTasks", json!({ "cluster": "main", "tasks": [arn] }))["tasks"][0].clone()
}

fn make_group(world: &mut World) {
    ok(world, "logs", "CreateLogGroup", json!({ "logGroupName": "/ecs/web" }));
}

fn lines(world: &mut World, task: &Json) -> Vec<String> {
    let id = task["taskArn"].as_str().and_then(|arn| arn.rsplit('/').next()).expect("an id");
    let input = json!({ "logGroupName": "/ecs/web", "logStreamName": format!("web/app/{id}") });
    let answer = ok(world, "logs", "GetLogEvents", input);
    let events = answer["events"].as_array().expect("events").iter();
    events.map(|event| event["message"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn a_container_tells_how_it_starts_and_that_it_is_to_stop() {
    let (mut world, net) = world();
    make_group(&mut world);
    let task = run(&mut world, &net, "web:v1", json!({}));
    assert_eq!(lines(&mut world, &task), ["started, listening on port 8080"]);
    ok(&mut world, "ecs", "StopTask", json!({ "cluster": "main", "task": task["taskArn"] }));
    pass(&mut world, MINUTE);
    assert_eq!(
        lines(&mut world, &task),
        ["started, listening on port 8080", "received SIGTERM, shutting down"]
    );
}

#[test]
fn one_that_crashes_tells_why() {
    let (mut world, net) = world();
    make_group(&mut world);
    let task = run(&mut world, &net, "web:crash", json!({}));
    assert_eq!(task["containers"][0]["exitCode"], 1);
    assert_eq!(lines(&mut world, &task), ["starting web:crash", "ERROR: cannot start, exiting with code 1"]);
    let says = vec!["no way to ${DATABASE} from ${REGION}".to_owned()];
    let behaviour = ImageBehaviour { crash: 1.0, says, ..ImageBehaviour::default() };
    world.ecs.images.insert("web:v2".to_owned(), behaviour);
    let task = run(&mut world, &net, "web:v2", json!({}));
    assert_eq!(lines(&mut world, &task), ["starting web:v2", "no way to db:5432 from eu"]);
}

#[test]
fn without_its_group_a_task_does_not_start_unless_it_may_make_it() {
    let (mut world, net) = world();
    let task = run(&mut world, &net, "web:v1", json!({}));
    let told = task["stoppedReason"].as_str().unwrap_or_default();
    let reason = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: \
                  failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not \
                  exist.";
    assert!(told.starts_with(reason), "{told}");
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    let task = run(&mut world, &net, "web:v1", json!({ "awslogs-create-group": "true" }));
    assert_eq!(task["lastStatus"], "RUNNING");
    assert_eq!(lines(&mut world, &task), ["started, listening on port 8080"]);
}

#[test]
fn logs_of_another_region_are_not_kept_here() {
    let (mut world, net) = world();
    let task = run(&mut world, &net, "web:v1", json!({ "awslogs-region": "eu-west-1" }));
    assert_eq!(task["lastStatus"], "RUNNING");
    let input = json!({ "logGroupName": "/ecs/web", "logStreamName": "any" });
    assert!(call(&mut world, "logs", "GetLogEvents", input).is_err());
}
