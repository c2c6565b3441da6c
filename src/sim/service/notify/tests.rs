//! What happens in one service and is heard in another.

use crate::World;
use crate::service::Input;
use crate::service::ecs::tests::{define, ok, pass, world as net_world};
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

const INBOX: &str = "arn:aws:sqs:us-east-1:123456789012:inbox";

fn inbox(world: &mut World) {
    ok(
        world,
        "sqs",
        "CreateQueue",
        json!({"QueueName": "inbox", "Attributes": {"VisibilityTimeout": "43200"}}),
    );
}

/// Everything that has come since, as JSON.
fn received(world: &mut World) -> Vec<Json> {
    let url = "https://sqs.us-east-1.amazonaws.com/123456789012/inbox";
    let mut all = Vec::new();
    loop {
        let answer = ok(world, "sqs", "ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10}));
        if answer.list("Messages").is_empty() {
            return all;
        }
        let body = |one: &Json| serde_json::from_str(one.text("Body").expect("a body")).expect("JSON");
        all.extend(answer.list("Messages").iter().map(body));
    }
}

fn hear(world: &mut World, pattern: Json) {
    inbox(world);
    ok(world, "events", "PutRule", json!({"Name": "all", "EventPattern": pattern.to_string()}));
    ok(world, "events", "PutTargets", json!({"Rule": "all", "Targets": [{"Id": "q", "Arn": INBOX}]}));
}

fn service(world: &mut World, subnets: &[String], more: Json) {
    let definition = define(world, "repo/web:v1");
    ok(world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    let mut input = json!({
        "cluster": "main", "serviceName": "web", "taskDefinition": definition, "desiredCount": 1,
        "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": subnets}},
    });
    for (name, value) in more.as_object().expect("an object") {
        input[name.as_str()] = value.clone();
    }
    ok(world, "ecs", "CreateService", input);
}

#[test]
fn a_service_that_comes_up_is_heard_on_the_bus() {
    let (mut world, net) = net_world();
    hear(&mut world, json!({"source": ["aws.ecs"]}));
    service(&mut world, &net.subnets, json!({}));
    pass(&mut world, 5 * MINUTE);
    let all = received(&mut world);
    let of = |kind: &str| all.iter().filter(|one| one["detail-type"] == kind).collect::<Vec<_>>();
    let states: Vec<&str> = of("ECS Task State Change")
        .iter()
        .map(|one| one["detail"]["lastStatus"].as_str().expect("a status"))
        .collect();
    assert_eq!(states, ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"]);
    let task = of("ECS Task State Change")[3];
    assert_eq!(task["resources"][0], task["detail"]["taskArn"]);
    assert_eq!(task["detail"]["group"], "service:web");
    let names = |kind: &str| {
        of(kind)
            .iter()
            .map(|one| one["detail"]["eventName"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let deployment = ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"];
    assert_eq!(names("ECS Deployment State Change"), deployment);
    assert_eq!(names("ECS Service Action"), ["SERVICE_STEADY_STATE"]);
}

#[test]
fn an_alarm_tells_its_topic_once() {
    let (mut world, _) = net_world();
    inbox(&mut world);
    let topic = ok(&mut world, "sns", "CreateTopic", json!({"Name": "page"}))["TopicArn"].clone();
    ok(&mut world, "sns", "Subscribe", json!({"TopicArn": topic, "Protocol": "sqs", "Endpoint": INBOX}));
    let alarm = json!({
        "AlarmName": "errors", "MetricName": "Errors", "Namespace": "shop", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "AlarmActions": [topic], "TreatMissingData": "notBreaching",
    });
    ok(&mut world, "monitoring", "PutMetricAlarm", alarm);
    let data = json!({"Namespace": "shop", "MetricData": [{"MetricName": "Errors", "Value": 5.0}]});
    ok(&mut world, "monitoring", "PutMetricData", data);
    for _ in 0..3 {
        pass(&mut world, 30 * SECOND);
        ok(&mut world, "monitoring", "DescribeAlarms", json!({}));
    }
    let notes = received(&mut world);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0]["Subject"], "ALARM: \"errors\" in US East (N. Virginia)");
    let text: Json = serde_json::from_str(notes[0].text("Message").expect("text")).expect("JSON");
    assert_eq!((&text["NewStateValue"], &text["Trigger"]["MetricName"]), (&json!("ALARM"), &json!("Errors")));
}

/// A group of one instance whose launch waits for a hook with this target.
fn hooked(world: &mut World, subnets: &[String], target: &str) {
    let image = crate::service::ec2::images::ecs_optimized_ami("x86_64", "amazon-linux-2023");
    let data = json!({"ImageId": image, "InstanceType": "t3.small"});
    let template = json!({"LaunchTemplateName": "web", "LaunchTemplateData": data});
    ok(world, "ec2", "CreateLaunchTemplate", template);
    let input = json!({
        "AutoScalingGroupName": "g", "MinSize": 1, "MaxSize": 1, "DesiredCapacity": 1,
        "VPCZoneIdentifier": subnets.join(","),
        "LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"},
        "LifecycleHookSpecificationList": [{
            "LifecycleHookName": "ready", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "HeartbeatTimeout": 3600, "NotificationTargetARN": target, "NotificationMetadata": "m",
        }],
    });
    ok(world, "autoscaling", "CreateAutoScalingGroup", input);
    pass(world, 2 * MINUTE);
}

fn state(world: &mut World) -> Json {
    let group =
        ok(world, "autoscaling", "DescribeAutoScalingGroups", json!({"AutoScalingGroupNames": ["g"]}));
    group["AutoScalingGroups"][0]["Instances"][0]["LifecycleState"].clone()
}

#[test]
fn a_lifecycle_hook_tells_its_queue_with_a_token() {
    let (mut world, net) = net_world();
    hear(&mut world, json!({"source": ["aws.autoscaling"]}));
    hooked(&mut world, &net.subnets, INBOX);
    let notes = received(&mut world);
    assert_eq!(notes.len(), 2, "{notes:?}");
    let (event, note) = (&notes[0], &notes[1]);
    assert_eq!(event["detail-type"], "EC2 Instance-launch Lifecycle Action");
    assert_eq!(event["detail"]["LifecycleActionToken"], note["LifecycleActionToken"]);
    assert_eq!(state(&mut world), "Pending:Wait");
    let answer = json!({
        "AutoScalingGroupName": "g", "LifecycleHookName": "ready", "LifecycleActionResult": "CONTINUE",
        "LifecycleActionToken": note["LifecycleActionToken"],
    });
    ok(&mut world, "autoscaling", "CompleteLifecycleAction", answer);
    pass(&mut world, 10 * SECOND);
    assert_eq!(state(&mut world), "InService");
}

fn function(world: &mut World, name: &str, tags: Json) -> String {
    let trust = json!({"Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]});
    let role = json!({"RoleName": "fn", "AssumeRolePolicyDocument": trust.to_string()});
    let role = ok(world, "iam", "CreateRole", role)["Role"]["Arn"].clone();
    let input = json!({
        "FunctionName": name, "Role": role, "Runtime": "python3.13", "Handler": "a.b", "Tags": tags,
        "Code": {"ZipFile": "UEsFBg=="},
    });
    ok(world, "lambda", "CreateFunction", input)["FunctionArn"].as_str().expect("an ARN").to_owned()
}

#[test]
fn a_function_completes_the_lifecycle_action() {
    let (mut world, net) = net_world();
    let arn = function(&mut world, "ready", json!({"cutover:seconds": "300"}));
    hooked(&mut world, &net.subnets, &arn);
    assert_eq!(state(&mut world), "Pending:Wait");
    pass(&mut world, 5 * MINUTE);
    assert_eq!(state(&mut world), "InService");
}

#[test]
fn instances_are_heard_as_they_come_and_go() {
    let (mut world, net) = net_world();
    hear(&mut world, json!({"detail-type": ["EC2 Instance State-change Notification"]}));
    let image = crate::service::ec2::images::ecs_optimized_ami("x86_64", "amazon-linux-2023");
    let input = json!({"ImageId": image, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": net.subnets[0]});
    let id = ok(&mut world, "ec2", "RunInstances", input)["Instances"][0]["InstanceId"].clone();
    pass(&mut world, 3 * MINUTE);
    ok(&mut world, "ec2", "TerminateInstances", json!({"InstanceIds": [id]}));
    pass(&mut world, 3 * MINUTE);
    let states: Vec<Json> = received(&mut world).iter().map(|one| one["detail"]["state"].clone()).collect();
    assert_eq!(states, ["pending", "running", "shutting-down", "terminated"]);
}

#[test]
fn tasks_are_found_in_their_registry_while_they_run() {
    let (mut world, net) = net_world();
    ok(
        &mut world,
        "servicediscovery",
        "CreatePrivateDnsNamespace",
        json!({"Name": "corp.local", "Vpc": net.vpc}),
    );
    let namespaces = ok(&mut world, "servicediscovery", "ListNamespaces", json!({}));
    let namespace = namespaces["Namespaces"][0]["Id"].clone();
    pass(&mut world, 2 * MINUTE);
    let dns = json!({"NamespaceId": namespace, "DnsRecords": [{"Type": "A", "TTL": 10}]});
    let made = ok(&mut world, "servicediscovery", "CreateService", json!({"Name": "web", "DnsConfig": dns}));
    service(
        &mut world,
        &net.subnets,
        json!({"serviceRegistries": [{"registryArn": made["Service"]["Arn"]}]}),
    );
    pass(&mut world, 3 * MINUTE);
    let ask = json!({"NamespaceName": "corp.local", "ServiceName": "web"});
    let found = ok(&mut world, "servicediscovery", "DiscoverInstances", ask.clone())["Instances"].clone();
    assert_eq!(found[0]["Attributes"]["ECS_SERVICE_NAME"], "web");
    let address = found[0]["Attributes"]["AWS_INSTANCE_IPV4"].as_str().expect("an address").to_owned();
    assert!(address.starts_with("10.0."), "{address}");
    ok(&mut world, "ecs", "UpdateService", json!({"cluster": "main", "service": "web", "desiredCount": 0}));
    pass(&mut world, 2 * MINUTE);
    let found = ok(&mut world, "servicediscovery", "DiscoverInstances", ask);
    assert_eq!(found["Instances"], json!([]));
    ok(&mut world, "servicediscovery", "DeleteService", json!({"Id": made["Service"]["Id"]}));
}

#[test]
fn service_connect_makes_its_services_known() {
    let (mut world, net) = net_world();
    ok(&mut world, "servicediscovery", "CreateHttpNamespace", json!({"Name": "mesh"}));
    pass(&mut world, MINUTE);
    let input = json!({
        "family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{
            "name": "api", "image": "repo/api:v1", "portMappings": [{"name": "http", "containerPort": 9000}],
        }],
    });
    let definition =
        ok(&mut world, "ecs", "RegisterTaskDefinition", input)["taskDefinition"]["taskDefinitionArn"].clone();
    let connect = json!({"enabled": true, "namespace": "mesh", "services": [{"portName": "http", "discoveryName": "api"}]});
    service(
        &mut world,
        &net.subnets,
        json!({"taskDefinition": definition, "serviceConnectConfiguration": connect}),
    );
    pass(&mut world, 3 * MINUTE);
    let ask = json!({"NamespaceName": "mesh", "ServiceName": "api"});
    let found = ok(&mut world, "servicediscovery", "DiscoverInstances", ask)["Instances"].clone();
    assert_eq!(found[0]["Attributes"]["AWS_INSTANCE_PORT"], "9000");
}
