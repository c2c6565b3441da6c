//! What tasks and hosts may do with the roles they have.

use super::tests::{Net, hosts, ok, pass, world};
use crate::World;
use crate::world::MINUTE;
use serde_json::{Value as Json, json};

const IMAGE: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web:v1";

fn role(world: &mut World, name: &str, service: &str, statements: Json) -> String {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": service } }],
    });
    let create = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
    let arn = ok(world, "iam", "CreateRole", create)["Role"]["Arn"].as_str().expect("an ARN").to_owned();
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let put = json!({ "RoleName": name, "PolicyName": "own", "PolicyDocument": document });
    ok(world, "iam", "PutRolePolicy", put);
    arn
}

/// What becomes of one task on Fargate with this execution role.
fn run(world: &mut World, net: &Net, role: &str) -> Json {
    ok(world, "ecs", "CreateCluster", json!({ "clusterName": "main" }));
    ok(world, "logs", "CreateLogGroup", json!({ "logGroupName": "/ecs/web" }));
    let definition = json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "executionRoleArn": role,
        "containerDefinitions": [{
            "name": "web", "image": IMAGE,
            "secrets": [{ "name": "KEY", "valueFrom": "/web/key" }],
            "logConfiguration": { "logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web",
            } },
        }],
    });
    ok(world, "ecs", "RegisterTaskDefinition", definition);
    let network = json!({ "awsvpcConfiguration": { "subnets": net.subnets } });
    let run = json!({ "cluster": "main", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": network });
    let arn = ok(world, "ecs", "RunTask", run)["tasks"][0]["taskArn"].clone();
    pass(world, 3 * MINUTE);
    ok(world, "ecs", "DescribeTasks", json!({ "cluster": "main", "tasks": [arn] }))["tasks"][0].clone()
}

fn allow(actions: &[&str]) -> Json {
    json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }])
}

#[test]
fn an_execution_role_that_lacks_something_stops_its_task_with_the_reason() {
    let ecr = [
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
    ];
    let cases = [
        (
            vec![],
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/execution/",
        ),
        (
            vec!["ssm:GetParameters"],
            "is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action status code: 400",
        ),
        (
            vec!["ssm:GetParameters", ecr[0]],
            "CannotPullContainerError: pull image manifest has been retried 1 time(s)",
        ),
        (vec!["ssm:GetParameters", "ecr:*"], "failed to create Cloudwatch log stream: AccessDeniedException"),
    ];
    for (actions, reason) in cases {
        let (mut world, net) = world();
        let statements = if actions.is_empty() { allow(&["s3:GetObject"]) } else { allow(&actions) };
        let arn = role(&mut world, "execution", "ecs-tasks.amazonaws.com", statements);
        let task = run(&mut world, &net, &arn);
        let told = task["stoppedReason"].as_str().unwrap_or_default();
        assert!(told.contains(reason), "{actions:?}: {told}");
        assert_eq!(task["stopCode"], "TaskFailedToStart");
    }
}

#[test]
fn awss_own_policy_for_execution_roles_and_the_parameter_are_enough() {
    let (mut world, net) = world();
    let parameter = json!([{
        "Effect": "Allow", "Action": "ssm:GetParameters",
        "Resource": "arn:aws:ssm:us-east-1:123456789012:parameter/web/key",
    }]);
    let arn = role(&mut world, "execution", "ecs-tasks.amazonaws.com", parameter);
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
    ok(&mut world, "iam", "AttachRolePolicy", json!({ "RoleName": "execution", "PolicyArn": policy }));
    assert_eq!(run(&mut world, &net, &arn)["lastStatus"], "RUNNING");
}

#[test]
fn a_role_that_does_not_trust_tasks_cannot_be_assumed() {
    let (mut world, net) = world();
    let arn = role(&mut world, "execution", "ec2.amazonaws.com", allow(&["*"]));
    let task = run(&mut world, &net, &arn);
    let told = task["stoppedReason"].as_str().unwrap_or_default();
    assert!(told.starts_with(&format!("ECS was unable to assume the role '{arn}'")), "{told}");
}

#[test]
fn an_agent_joins_once_its_role_lets_it() {
    let (mut world, net) = world();
    ok(&mut world, "ecs", "CreateCluster", json!({ "clusterName": "main" }));
    role(&mut world, "host", "ec2.amazonaws.com", allow(&["ssm:*"]));
    ok(&mut world, "iam", "CreateInstanceProfile", json!({ "InstanceProfileName": "host" }));
    let add = json!({ "InstanceProfileName": "host", "RoleName": "host" });
    ok(&mut world, "iam", "AddRoleToInstanceProfile", add);
    hosts(&mut world, &net, "t3.small", 1);
    let registered = |world: &mut World| {
        ok(world, "ecs", "ListContainerInstances", json!({ "cluster": "main" }))["containerInstanceArns"]
            .clone()
    };
    pass(&mut world, 10 * MINUTE);
    assert_eq!(registered(&mut world), json!([]));
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role";
    ok(&mut world, "iam", "AttachRolePolicy", json!({ "RoleName": "host", "PolicyArn": policy }));
    pass(&mut world, 20 * MINUTE);
    assert_eq!(registered(&mut world).as_array().map(Vec::len), Some(1));
}
