//! Targets and policies, driven through the handlers.

use crate::World;
use crate::service::ApiError;
use crate::service::ecs::tests::{call, ok, pass};
use crate::world::MINUTE;
use serde_json::{Value as Json, json};

const ID: [(&str, &str); 3] = [
    ("ServiceNamespace", "ecs"),
    ("ResourceId", "service/main/web"),
    ("ScalableDimension", "ecs:service:DesiredCount"),
];

fn with_id(mut input: Json) -> Json {
    for (name, value) in ID {
        input[name] = json!(value);
    }
    input
}

fn scaling(world: &mut World, name: &str, input: Json) -> Result<Json, ApiError> {
    call(world, "application-autoscaling", name, with_id(input))
}

fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", 3, 1_750_000_000_000);
    ok(&mut world, "ecs", "CreateCluster", json!({"clusterName": "main"}));
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({
            "family": "job", "containerDefinitions": [{"name": "job", "image": "job:v1", "memory": 128}],
        }),
    );
    ok(
        &mut world,
        "ecs",
        "CreateService",
        json!({
            "cluster": "main", "serviceName": "web", "taskDefinition": "job", "desiredCount": 1,
        }),
    );
    world
}

fn desired(world: &mut World) -> Json {
    let answer = ok(world, "ecs", "DescribeServices", json!({"cluster": "main", "services": ["web"]}));
    answer["services"][0]["desiredCount"].clone()
}

#[test]
fn a_count_outside_the_bounds_is_brought_back() {
    let mut world = world();
    scaling(&mut world, "RegisterScalableTarget", json!({"MinCapacity": 3, "MaxCapacity": 6}))
        .expect("registered");
    assert_eq!(desired(&mut world), 1);
    pass(&mut world, 2 * MINUTE);
    assert_eq!(desired(&mut world), 3);
    let answer = scaling(&mut world, "DescribeScalingActivities", json!({})).expect("described");
    assert_eq!(answer["ScalingActivities"][0]["Description"], "Setting desired count to 3.");
}

#[test]
fn target_tracking_makes_two_alarms_that_go_with_it() {
    let mut world = world();
    let policy = json!({
        "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 60.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    });
    let missing = scaling(&mut world, "PutScalingPolicy", policy.clone()).unwrap_err();
    assert_eq!(missing.code, "ObjectNotFoundException");
    scaling(&mut world, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 6}))
        .expect("registered");
    let made = scaling(&mut world, "PutScalingPolicy", policy.clone()).expect("put");
    assert_eq!(made["Alarms"].as_array().map(Vec::len), Some(2));
    let again = scaling(&mut world, "PutScalingPolicy", policy).expect("put");
    assert_eq!(made, again);
    let alarms = ok(&mut world, "monitoring", "DescribeAlarms", json!({}));
    assert_eq!(alarms["MetricAlarms"].as_array().map(Vec::len), Some(2));
    scaling(&mut world, "DeregisterScalableTarget", json!({})).expect("deregistered");
    let alarms = ok(&mut world, "monitoring", "DescribeAlarms", json!({}));
    assert_eq!(alarms["MetricAlarms"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_scheduled_action_sets_the_bounds_at_its_time() {
    let mut world = world();
    scaling(&mut world, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 6}))
        .expect("registered");
    scaling(
        &mut world,
        "PutScheduledAction",
        json!({
            "ScheduledActionName": "up", "Schedule": "rate(10 minutes)",
            "ScalableTargetAction": {"MinCapacity": 4},
        }),
    )
    .expect("put");
    pass(&mut world, 9 * MINUTE);
    assert_eq!(desired(&mut world), 1);
    pass(&mut world, 2 * MINUTE);
    assert_eq!(desired(&mut world), 4);
}

#[test]
fn a_service_that_is_not_there_cannot_be_registered() {
    let mut world = World::new("123456789012", "us-east-1", 3, 0);
    let error = scaling(&mut world, "RegisterScalableTarget", json!({"MinCapacity": 1, "MaxCapacity": 2}))
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("ValidationException", "ECS service doesn't exist: service/main/web")
    );
}

#[test]
fn a_table_s_provisioned_capacity_is_watched_too() {
    let mut world = world();
    let table = |mut input: Json| {
        input["ServiceNamespace"] = json!("dynamodb");
        input["ResourceId"] = json!("table/orders");
        input["ScalableDimension"] = json!("dynamodb:table:ReadCapacityUnits");
        input
    };
    let target = table(json!({"MinCapacity": 5, "MaxCapacity": 50}));
    ok(&mut world, "application-autoscaling", "RegisterScalableTarget", target);
    let policy = table(json!({
        "PolicyName": "reads", "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
        },
    }));
    let made = ok(&mut world, "application-autoscaling", "PutScalingPolicy", policy);
    let names: Vec<&str> = made["Alarms"]
        .as_array()
        .expect("alarms")
        .iter()
        .filter_map(|one| one["AlarmName"].as_str())
        .collect();
    let sides = ["-AlarmHigh-", "-AlarmLow-", "-ProvisionedCapacityHigh-", "-ProvisionedCapacityLow-"];
    assert!(names.iter().zip(sides).all(|(name, side)| name.contains(side)), "{names:?}");
    let asked = json!({"AlarmNames": [names[2]]});
    let alarm = ok(&mut world, "monitoring", "DescribeAlarms", asked)["MetricAlarms"][0].clone();
    assert_eq!(alarm["MetricName"], "ProvisionedReadCapacityUnits");
    assert_eq!((names.len(), &alarm["Threshold"]), (4, &json!(5.0)));
}
