//! Metrics that follow from the requests, alarms on them, and what alarms set off.

use crate::World;
use crate::service::ecs::tests::{Net, balanced, define, fargate, ok, pass, service, world};
use crate::traffic::order::{self, Order};
use crate::world::{MINUTE, Millis};
use serde_json::{Value as Json, json};

fn stage(image: &str) -> (World, Net, String) {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "ip");
    let definition = define(&mut world, image);
    fargate(&mut world, &net, &group, &definition);
    pass(&mut world, 10 * MINUTE);
    (world, net, group)
}

fn send(world: &mut World, rate: f64) {
    let orders: Vec<Order> = serde_json::from_value(json!([{"rate": rate}])).expect("an order");
    order::carry_out(world, orders).expect("declared");
}

/// `app/name/id` and `targetgroup/name/id`.
fn paths(world: &World) -> (String, String) {
    let group = world.elbv2.groups.keys().next().expect("a group");
    let tail = group.rsplit_once(':').expect("an ARN").1;
    (world.elbv2.balancers.values().next().expect("a balancer").path.clone(), tail.to_owned())
}

fn dims(pairs: &[(&str, &str)]) -> Json {
    pairs.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}

/// The values of whole minutes of the last `back`.
fn values(
    world: &mut World,
    namespace: &str,
    metric: &str,
    dims: Json,
    stat: &str,
    back: Millis,
) -> Vec<f64> {
    let end = world.now - world.now % MINUTE;
    let query = json!({
        "StartTime": World::timestamp(end - back), "EndTime": World::timestamp(end), "ScanBy": "TimestampAscending",
        "MetricDataQueries": [{"Id": "m", "MetricStat": {
            "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": dims}, "Period": 60, "Stat": stat,
        }}],
    });
    let answer = ok(world, "monitoring", "GetMetricData", query);
    let values = answer["MetricDataResults"][0]["Values"].as_array().cloned().unwrap_or_default();
    values.iter().filter_map(Json::as_f64).collect()
}

fn near(found: &[f64], wanted: f64, by: f64) {
    assert!(!found.is_empty() && found.iter().all(|value| (value - wanted).abs() <= by), "{found:?}");
}

#[test]
fn a_load_balancer_tells_of_its_requests() {
    let (mut world, ..) = stage("repo/web:errors");
    send(&mut world, 100.0);
    pass(&mut world, 10 * MINUTE);
    let (balancer, group) = paths(&world);
    let lb = dims(&[("LoadBalancer", &balancer)]);
    let both = dims(&[("LoadBalancer", &balancer), ("TargetGroup", &group)]);
    let alb = "AWS/ApplicationELB";
    let back = 5 * MINUTE;
    near(&values(&mut world, alb, "RequestCount", lb.clone(), "Sum", back), 6_000.0, 4.0);
    near(&values(&mut world, alb, "HTTPCode_Target_5XX_Count", both.clone(), "Sum", back), 3_000.0, 4.0);
    near(&values(&mut world, alb, "HTTPCode_Target_2XX_Count", lb.clone(), "Sum", back), 3_000.0, 4.0);
    near(&values(&mut world, alb, "RequestCountPerTarget", both.clone(), "Sum", back), 3_000.0, 4.0);
    near(&values(&mut world, alb, "HealthyHostCount", both.clone(), "Minimum", back), 2.0, 0.0);
    near(&values(&mut world, alb, "UnHealthyHostCount", both.clone(), "Maximum", back), 0.0, 0.0);
    // What did not happen is not told of.
    assert_eq!(values(&mut world, alb, "HTTPCode_ELB_5XX_Count", lb.clone(), "Sum", back), [0.0; 0]);
    // 50 requests a second of 5 ms are a CPU's quarter, which is all that a task has: ten times as slow.
    let p99 = values(&mut world, alb, "TargetResponseTime", lb.clone(), "p99", back);
    let mean = values(&mut world, alb, "TargetResponseTime", lb.clone(), "Average", back);
    near(&mean, 0.5, 0.01);
    near(&p99, 1.3, 0.03);
    let zones = dims(&[("LoadBalancer", &balancer), ("AvailabilityZone", "us-east-1a")]);
    near(&values(&mut world, alb, "RequestCount", zones, "Sum", back), 3_000.0, 4.0);
    let listed = ok(&mut world, "monitoring", "ListMetrics", json!({"Namespace": alb, "Dimensions": lb}));
    let names: Vec<&str> = listed["Metrics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["MetricName"].as_str())
        .collect();
    assert!(
        names.contains(&"HTTPCode_Target_5XX_Count") && !names.contains(&"HTTPCode_ELB_502_Count"),
        "{names:?}"
    );
}

#[test]
fn without_requests_there_is_no_data() {
    let (mut world, ..) = stage("repo/web:v1");
    send(&mut world, 0.0);
    pass(&mut world, 10 * MINUTE);
    let (balancer, group) = paths(&world);
    let lb = dims(&[("LoadBalancer", &balancer)]);
    assert_eq!(values(&mut world, "AWS/ApplicationELB", "RequestCount", lb, "Sum", 5 * MINUTE), [0.0; 0]);
    let both = dims(&[("LoadBalancer", &balancer), ("TargetGroup", &group)]);
    near(
        &values(&mut world, "AWS/ApplicationELB", "HealthyHostCount", both, "Average", 5 * MINUTE),
        2.0,
        0.0,
    );
}

#[test]
fn cpu_follows_the_requests_to_each_task() {
    let (mut world, ..) = stage("repo/web:v1");
    send(&mut world, 40.0);
    pass(&mut world, 10 * MINUTE);
    let of_service = dims(&[("ClusterName", "main"), ("ServiceName", "web")]);
    // 20 requests a second of 5 ms are a tenth of a CPU; a task has a quarter.
    near(
        &values(&mut world, "AWS/ECS", "CPUUtilization", of_service.clone(), "Average", 5 * MINUTE),
        42.0,
        0.5,
    );
    near(&values(&mut world, "AWS/ECS", "MemoryUtilization", of_service, "Average", 5 * MINUTE), 38.0, 0.5);
    let of_cluster = dims(&[("ClusterName", "main")]);
    near(&values(&mut world, "AWS/ECS", "CPUUtilization", of_cluster, "Average", 5 * MINUTE), 42.0, 0.5);
}

fn track(world: &mut World, metric: Json, target: f64) {
    let id = json!({
        "ServiceNamespace": "ecs", "ResourceId": "service/main/web", "ScalableDimension": "ecs:service:DesiredCount",
    });
    let mut register = id.clone();
    (register["MinCapacity"], register["MaxCapacity"]) = (json!(2), json!(10));
    ok(world, "application-autoscaling", "RegisterScalableTarget", register);
    let mut policy = id;
    (policy["PolicyName"], policy["PolicyType"]) = (json!("track"), json!("TargetTrackingScaling"));
    policy["TargetTrackingScalingPolicyConfiguration"] =
        json!({"TargetValue": target, "PredefinedMetricSpecification": metric});
    ok(world, "application-autoscaling", "PutScalingPolicy", policy);
}

fn desired(world: &mut World) -> i64 {
    service(world)["desiredCount"].as_i64().expect("a number")
}

#[test]
fn a_service_follows_its_cpu_out_and_in() {
    let (mut world, ..) = stage("repo/web:v1");
    track(&mut world, json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}), 40.0);
    pass(&mut world, 10 * MINUTE);
    assert_eq!(desired(&mut world), 2);
    send(&mut world, 120.0);
    pass(&mut world, 30 * MINUTE);
    // 120 requests a second are 0.6 CPUs: at 38 % over idle, a quarter CPU a task, seven tasks.
    assert_eq!(desired(&mut world), 7);
    send(&mut world, 10.0);
    pass(&mut world, 60 * MINUTE);
    assert_eq!(desired(&mut world), 2);
    let activities = ok(
        &mut world,
        "application-autoscaling",
        "DescribeScalingActivities",
        json!({"ServiceNamespace": "ecs"}),
    );
    let cause = activities["ScalingActivities"][0]["Cause"].as_str().expect("a cause").to_owned();
    assert!(cause.contains("AlarmLow") && cause.contains("triggered policy track"), "{cause}");
}

#[test]
fn a_service_follows_requests_per_target() {
    let (mut world, ..) = stage("repo/web:v1");
    let (balancer, group) = paths(&world);
    let label = format!("{balancer}/{group}");
    let metric = json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label});
    track(&mut world, metric, 600.0);
    send(&mut world, 50.0);
    pass(&mut world, 30 * MINUTE);
    assert_eq!(desired(&mut world), 5);
}

fn errors_alarm(world: &mut World, missing: &str) {
    let (balancer, _) = paths(world);
    ok(
        world,
        "monitoring",
        "PutMetricAlarm",
        json!({
            "AlarmName": "errors", "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": dims(&[("LoadBalancer", &balancer)]), "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 2, "Threshold": 10.0, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": missing,
        }),
    );
}

#[test]
fn an_alarm_on_errors_rolls_a_deployment_back() {
    let (mut world, ..) = stage("repo/web:v1");
    let first = service(&mut world)["taskDefinition"].clone();
    errors_alarm(&mut world, "notBreaching");
    pass(&mut world, 5 * MINUTE);
    let bad = define(&mut world, "repo/web:errors");
    ok(
        &mut world,
        "ecs",
        "UpdateService",
        json!({
            "cluster": "main", "service": "web", "taskDefinition": bad, "desiredCount": 6,
            "deploymentConfiguration": {
                "minimumHealthyPercent": 100, "maximumPercent": 120,
                "alarms": {"alarmNames": ["errors"], "enable": true, "rollback": true},
            },
        }),
    );
    pass(&mut world, 30 * MINUTE);
    let now = service(&mut world);
    assert_eq!(now["taskDefinition"], first, "{:#?}", now["events"]);
    let history = json!({"AlarmName": "errors", "HistoryItemType": "StateUpdate"});
    let history = ok(&mut world, "monitoring", "DescribeAlarmHistory", history);
    let changes = history["AlarmHistoryItems"].as_array().expect("a list");
    assert_eq!(changes[0]["HistorySummary"], "Alarm updated from ALARM to OK");
    let data: Json = serde_json::from_str(changes[0]["HistoryData"].as_str().expect("data")).expect("JSON");
    assert_eq!(data["newState"]["stateValue"], "OK");
}

#[test]
fn an_alarm_on_a_share_of_requests_is_computed() {
    let (mut world, ..) = stage("repo/web:v1");
    let (balancer, _) = paths(&world);
    let query = |id: &str, metric: &str| {
        json!({"Id": id, "ReturnData": false, "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApplicationELB", "MetricName": metric,
                "Dimensions": dims(&[("LoadBalancer", &balancer)]),
            },
            "Period": 60, "Stat": "Sum",
        }})
    };
    let queries = json!([
        query("bad", "HTTPCode_Target_5XX_Count"), query("all", "RequestCount"),
        {"Id": "share", "Expression": "100 * FILL(bad, 0) / all", "ReturnData": true},
    ]);
    ok(
        &mut world,
        "monitoring",
        "PutMetricAlarm",
        json!({
            "AlarmName": "share", "Metrics": queries, "EvaluationPeriods": 3, "DatapointsToAlarm": 2,
            "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold",
        }),
    );
    pass(&mut world, 5 * MINUTE);
    assert_eq!(super::alarm_state(&mut world, "share"), Some(super::AlarmState::Ok));
    let bad = define(&mut world, "repo/web:errors");
    ok(
        &mut world,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "taskDefinition": bad}),
    );
    pass(&mut world, 10 * MINUTE);
    let alarms = ok(&mut world, "monitoring", "DescribeAlarms", json!({"AlarmNames": ["share"]}));
    let alarm = &alarms["MetricAlarms"][0];
    assert_eq!(alarm["StateValue"], "ALARM");
    assert!(
        alarm["StateReason"].as_str().expect("a reason").starts_with("Threshold Crossed: 2 out of the last")
    );
}

#[test]
fn a_composite_alarm_follows_its_children_at_once() {
    let (mut world, ..) = stage("repo/web:v1");
    errors_alarm(&mut world, "notBreaching");
    let composite = json!({"AlarmName": "any", "AlarmRule": "ALARM(errors)", "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:on-call"]});
    ok(&mut world, "monitoring", "PutCompositeAlarm", composite);
    let bad = define(&mut world, "repo/web:errors");
    ok(
        &mut world,
        "ecs",
        "UpdateService",
        json!({"cluster": "main", "service": "web", "taskDefinition": bad}),
    );
    pass(&mut world, 15 * MINUTE);
    let history =
        ok(&mut world, "monitoring", "DescribeAlarmHistory", json!({"ScanBy": "TimestampAscending"}));
    let told: Vec<(String, String, String)> = history["AlarmHistoryItems"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (text("Timestamp"), text("AlarmName"), text("HistorySummary"))
        })
        .collect();
    let at = |alarm: &str, summary: &str| {
        told.iter().find(|one| one.1 == alarm && one.2.ends_with(summary)).map(|one| one.0.clone())
    };
    assert!(at("any", "to ALARM").is_some(), "{told:#?}");
    assert_eq!(at("any", "to ALARM"), at("errors", "to ALARM"));
    assert!(told.iter().any(|one| one.2.starts_with("Successfully executed action arn:aws:sns")));
}

#[test]
fn a_quiet_alarm_costs_no_events() {
    let (mut world, ..) = stage("repo/web:v1");
    errors_alarm(&mut world, "missing");
    pass(&mut world, 60 * MINUTE);
    let before = world.events_run();
    pass(&mut world, 24 * 60 * MINUTE);
    assert!(world.events_run() - before < 20, "{}", world.events_run() - before);
}

#[test]
fn missing_data_is_treated_as_the_user_guides_table_says() {
    use super::evaluate::Watch;
    // Datapoints of the evaluation range, oldest first: 0 does not breach, X does, - is missing. Then the state
    // for missing, ignore, breaching and notBreaching: Ok, Alarm, Insufficient data, or = as it was.
    for (points, states) in
        [("0-X-X", "OOOO"), ("0----", "OOOO"), ("-----", "I=AO"), ("0XX-X", "AAAA"), ("--X--", "A=AO")]
    {
        for (missing, state) in
            ["missing", "ignore", "breaching", "notBreaching"].into_iter().zip(states.chars())
        {
            let settings = json!({
                "Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 3,
                "DatapointsToAlarm": 3, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
                "TreatMissingData": missing,
            });
            let watch = Watch::of(&settings).expect("an alarm");
            let value = |point: char| match point {
                '0' => Some(0.0),
                'X' => Some(9.0),
                _ => None,
            };
            let data = points
                .chars()
                .zip(0..)
                .filter_map(|(point, at)| Some((at * MINUTE, value(point)?)))
                .collect();
            let found = watch.judge(5 * MINUTE, &data, 5 * MINUTE).map(|verdict| verdict.state);
            use super::AlarmState::*;
            let wanted = match state {
                'O' => Some(Ok),
                'A' => Some(Alarm),
                'I' => Some(InsufficientData),
                _ => None,
            };
            assert_eq!(found, wanted, "{points} {missing}");
        }
    }
}

/// A group of servers behind the load balancer, without ECS.
fn servers(world: &mut World, net: &Net, group: &str) {
    let images = ok(world, "ec2", "DescribeImages", json!({"Owners": ["amazon"]}));
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "#!/bin/sh\nnginx\n");
    ok(
        world,
        "ec2",
        "CreateLaunchTemplate",
        json!({"LaunchTemplateName": "server", "LaunchTemplateData": {
            "ImageId": images["Images"][0]["ImageId"], "InstanceType": "t3.medium", "UserData": data,
        }}),
    );
    ok(
        world,
        "autoscaling",
        "CreateAutoScalingGroup",
        json!({
            "AutoScalingGroupName": "servers", "MinSize": 1, "MaxSize": 8, "DesiredCapacity": 2,
            "LaunchTemplate": {"LaunchTemplateName": "server"}, "VPCZoneIdentifier": net.subnets.join(","),
            "TargetGroupARNs": [group], "HealthCheckType": "ELB", "HealthCheckGracePeriod": 60,
        }),
    );
}

fn capacity(world: &mut World) -> i64 {
    let answer = ok(world, "autoscaling", "DescribeAutoScalingGroups", json!({}));
    answer["AutoScalingGroups"][0]["DesiredCapacity"].as_i64().expect("a number")
}

#[test]
fn a_group_of_instances_follows_its_cpu_and_tells_of_itself() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "instance");
    servers(&mut world, &net, &group);
    ok(
        &mut world,
        "autoscaling",
        "PutScalingPolicy",
        json!({
            "AutoScalingGroupName": "servers", "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling",
            "TargetTrackingConfiguration": {
                "TargetValue": 50.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            },
        }),
    );
    let collect = json!({"AutoScalingGroupName": "servers", "Granularity": "1Minute"});
    ok(&mut world, "autoscaling", "EnableMetricsCollection", collect);
    // Two instances of two CPUs; 1,000 requests a second of 5 ms are five CPUs: five instances at half.
    send(&mut world, 1_000.0);
    pass(&mut world, 40 * MINUTE);
    assert_eq!(capacity(&mut world), 6);
    let mine = dims(&[("AutoScalingGroupName", "servers")]);
    near(&values(&mut world, "AWS/EC2", "CPUUtilization", mine.clone(), "Average", 3 * MINUTE), 43.7, 0.5);
    near(
        &values(&mut world, "AWS/AutoScaling", "GroupInServiceInstances", mine, "Average", 3 * MINUTE),
        6.0,
        0.0,
    );
    send(&mut world, 10.0);
    pass(&mut world, 90 * MINUTE);
    assert_eq!(capacity(&mut world), 1);
}

#[test]
fn a_step_policy_takes_the_step_in_which_the_metric_lies() {
    let (mut world, net) = world();
    let group = balanced(&mut world, &net, "instance");
    servers(&mut world, &net, &group);
    pass(&mut world, 10 * MINUTE);
    let policy = ok(
        &mut world,
        "autoscaling",
        "PutScalingPolicy",
        json!({
            "AutoScalingGroupName": "servers", "PolicyName": "steps", "PolicyType": "StepScaling",
            "AdjustmentType": "ChangeInCapacity", "StepAdjustments": [
                {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 1000.0, "ScalingAdjustment": 1},
                {"MetricIntervalLowerBound": 1000.0, "ScalingAdjustment": 3},
            ],
        }),
    );
    let (balancer, _) = paths(&world);
    ok(
        &mut world,
        "monitoring",
        "PutMetricAlarm",
        json!({
            "AlarmName": "busy", "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount",
            "Dimensions": dims(&[("LoadBalancer", &balancer)]), "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5000.0, "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [policy["PolicyARN"]],
        }),
    );
    send(&mut world, 90.0);
    pass(&mut world, 4 * MINUTE);
    assert_eq!(capacity(&mut world), 3);
    send(&mut world, 200.0);
    pass(&mut world, 4 * MINUTE);
    assert_eq!(capacity(&mut world), 6);
}

#[test]
fn an_alarm_can_end_an_instance_and_does_nothing_while_its_actions_are_disabled() {
    let (mut world, net) = world();
    let images = ok(&mut world, "ec2", "DescribeImages", json!({"Owners": ["amazon"]}));
    let launch = json!({
        "ImageId": images["Images"][0]["ImageId"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
        "SubnetId": net.subnets[0],
    });
    let id = ok(&mut world, "ec2", "RunInstances", launch)["Instances"][0]["InstanceId"].clone();
    pass(&mut world, 5 * MINUTE);
    let alarm = json!({
        "AlarmName": "idle", "Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Dimensions": [{"Name": "InstanceId", "Value": id}], "Period": 60, "EvaluationPeriods": 3,
        "Threshold": 5.0, "ComparisonOperator": "LessThanThreshold", "ActionsEnabled": false,
        "AlarmActions": ["arn:aws:automate:us-east-1:ec2:terminate"],
    });
    ok(&mut world, "monitoring", "PutMetricAlarm", alarm);
    pass(&mut world, 10 * MINUTE);
    assert_eq!(super::alarm_state(&mut world, "idle"), Some(super::AlarmState::Alarm));
    let lives = |world: &World| world.ec2.instances.values().filter(|one| one.state.lives()).count();
    assert_eq!(lives(&world), 1);
    ok(&mut world, "monitoring", "EnableAlarmActions", json!({"AlarmNames": ["idle"]}));
    for state in ["OK", "ALARM"] {
        let set = json!({"AlarmName": "idle", "StateValue": state, "StateReason": "by hand"});
        ok(&mut world, "monitoring", "SetAlarmState", set);
    }
    assert_eq!(lives(&world), 0);
}

#[test]
fn clusters_with_hosts_tell_what_is_reserved() {
    let (mut world, net) = world();
    crate::service::ecs::tests::pool(&mut world, &net, 2, false);
    ok(
        &mut world,
        "ecs",
        "RegisterTaskDefinition",
        json!({"family": "job", "containerDefinitions": [{"name": "job", "image": "job:v1", "memory": 500, "cpu": 512}]}),
    );
    let create = json!({"cluster": "main", "serviceName": "job", "taskDefinition": "job", "desiredCount": 2});
    ok(&mut world, "ecs", "CreateService", create);
    pass(&mut world, 20 * MINUTE);
    let hosts = world.ecs.hosts.len() as f64;
    let cpu = world.ecs.hosts.values().map(|host| host.cpu).sum::<i64>() as f64;
    let of_cluster = dims(&[("ClusterName", "main")]);
    let reserved = values(&mut world, "AWS/ECS", "CPUReservation", of_cluster, "Average", MINUTE);
    near(&reserved, 100.0 * 1024.0 / cpu, 0.01);
    assert!(hosts > 0.0);
}
