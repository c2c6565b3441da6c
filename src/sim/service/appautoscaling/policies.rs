//! Scaling policies. Target tracking makes two alarms, named as AWS names them.

use super::super::{Answer, ApiError, Input, cloudwatch};
use super::{Id, Policy, not_found, paged, validation};
use crate::World;
use serde_json::{Value as Json, json};

const KINDS: &[(&str, &str)] = &[
    ("PredictiveScaling", "PredictiveScalingPolicyConfiguration"),
    ("StepScaling", "StepScalingPolicyConfiguration"),
    ("TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration"),
];

/// Namespace, metric name, dimensions and statistic of what a target tracking policy follows.
fn metric(id: &Id, configuration: &Json) -> Option<Json> {
    if let Some(custom) = configuration.get("CustomizedMetricSpecification").filter(|one| !one.is_null()) {
        if let [_, ..] = custom.list("Metrics") {
            return Some(json!({"Metrics": custom["Metrics"]}));
        }
        let mut metric = json!({
            "Namespace": custom["Namespace"],
            "MetricName": custom["MetricName"],
            "Statistic": custom["Statistic"],
            "Period": 60,
        });
        for name in ["Dimensions", "Unit"] {
            if let Some(value) = custom.get(name).filter(|one| !one.is_null()) {
                metric[name] = value.clone();
            }
        }
        return Some(metric);
    }
    let predefined = configuration.get("PredefinedMetricSpecification")?;
    let name = match predefined.text("PredefinedMetricType")? {
        "ECSServiceAverageCPUUtilization" => "CPUUtilization",
        "ECSServiceAverageMemoryUtilization" => "MemoryUtilization",
        "ALBRequestCountPerTarget" => {
            // app/name/id/targetgroup/name/id
            let label = predefined.text("ResourceLabel")?;
            let (balancer, group) = label.split_once("/targetgroup/")?;
            return Some(json!({
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "RequestCountPerTarget",
                "Dimensions": [
                    {"Name": "TargetGroup", "Value": format!("targetgroup/{group}")},
                    {"Name": "LoadBalancer", "Value": balancer},
                ],
                "Statistic": "Sum",
                "Period": 60,
            }));
        }
        other => return elsewhere(id, other),
    };
    let (cluster, service) = id.service()?;
    Some(json!({
        "Namespace": "AWS/ECS",
        "MetricName": name,
        "Dimensions": [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}],
        "Statistic": "Average",
        "Period": 60,
    }))
}

/// Of services that the embedded AWS does not have: their alarms never see data.
fn elsewhere(id: &Id, metric: &str) -> Option<Json> {
    let parts: Vec<&str> = id.resource.split(['/', ':']).collect();
    let (namespace, name, statistic, dims): (_, _, _, &[(&str, usize)]) = match metric {
        "SageMakerVariantInvocationsPerInstance" => {
            let dims = &[("EndpointName", 1), ("VariantName", 3)];
            ("AWS/SageMaker", "InvocationsPerInstance", "Sum", dims)
        }
        "DynamoDBReadCapacityUtilization" => {
            ("AWS/DynamoDB", "ConsumedReadCapacityUnits", "Sum", &[("TableName", 1)])
        }
        "DynamoDBWriteCapacityUtilization" => {
            ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Sum", &[("TableName", 1)])
        }
        "RDSReaderAverageCPUUtilization" => {
            ("AWS/RDS", "CPUUtilization", "Average", &[("DBClusterIdentifier", 1)])
        }
        "LambdaProvisionedConcurrencyUtilization" => {
            ("AWS/Lambda", "ProvisionedConcurrencyUtilization", "Maximum", &[("FunctionName", 1)])
        }
        _ => return None,
    };
    let dims: Option<Vec<Json>> =
        dims.iter().map(|(name, at)| Some(json!({"Name": name, "Value": parts.get(*at)?}))).collect();
    Some(json!({
        "Namespace": namespace, "MetricName": name, "Dimensions": dims?, "Statistic": statistic, "Period": 60,
    }))
}

fn number(configuration: &Json, name: &str) -> f64 {
    configuration.get(name).and_then(Json::as_f64).unwrap_or_default()
}

/// The two alarms of target tracking: above the target for 3 minutes, and under 90 % of it for 15.
fn make_alarms(world: &mut World, policy: &Policy) -> Result<Vec<String>, ApiError> {
    let configuration = &policy.configuration.1;
    let Some(metric) = metric(&policy.id, configuration) else {
        return Err(validation(
            "Exactly one of PredefinedMetricSpecification or CustomizedMetricSpecification, with a metric of this resource, must be specified",
        ));
    };
    let target = number(configuration, "TargetValue");
    let mut sides = vec![("High", "GreaterThanThreshold", 3, target)];
    if configuration.flag("DisableScaleIn") != Some(true) {
        sides.push(("Low", "LessThanThreshold", 15, target * 0.9));
    }
    let mut wanted: Vec<_> = sides
        .into_iter()
        .map(|(side, comparison, periods, threshold)| {
            (format!("Alarm{side}"), metric.clone(), comparison, periods, threshold)
        })
        .collect();
    wanted.extend(of_provisioned(world, &policy.id, &metric));
    let mut names = Vec::new();
    for (side, mut alarm, comparison, periods, threshold) in wanted {
        let name = format!("TargetTracking-{}-{side}-{}", policy.id.resource, world.uuid());
        alarm["AlarmName"] = json!(name);
        alarm["AlarmDescription"] =
            json!(format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}.", policy.arn));
        alarm["AlarmActions"] = json!([policy.arn]);
        alarm["ComparisonOperator"] = json!(comparison);
        alarm["EvaluationPeriods"] = json!(periods);
        alarm["Threshold"] = json!(threshold);
        cloudwatch::put_metric_alarm(world, &alarm)?;
        names.push(name);
    }
    Ok(names)
}

/// A table's provisioned capacity is watched too: four alarms in all (moto's test_describe_scaling_policy_alarms,
/// which was run against AWS).
fn of_provisioned(world: &World, id: &Id, metric: &Json) -> Vec<(String, Json, &'static str, i64, f64)> {
    let name = metric.text("MetricName").unwrap_or_default();
    let Some(units) = name.strip_prefix("Consumed").filter(|_| metric["Namespace"] == "AWS/DynamoDB") else {
        return Vec::new();
    };
    let mut metric = metric.clone();
    metric["MetricName"] = json!(format!("Provisioned{units}"));
    metric["Statistic"] = json!("Average");
    metric["Period"] = json!(300);
    let capacity = world.appautoscaling.targets.get(&id.key()).map_or(0, |target| target.min) as f64;
    [("High", "GreaterThanThreshold"), ("Low", "LessThanThreshold")]
        .map(|(side, comparison)| {
            (format!("ProvisionedCapacity{side}"), metric.clone(), comparison, 3, capacity)
        })
        .into()
}

fn alarms_view(world: &World, policy: &Policy) -> Json {
    let arn = |name: &String| world.arn("cloudwatch", &format!("alarm:{name}"));
    policy.alarms.iter().map(|name| json!({"AlarmName": name, "AlarmARN": arn(name)})).collect()
}

pub(super) fn put_scaling_policy(world: &mut World, input: &Json) -> Answer {
    let id = Id::of(input)?;
    if !world.appautoscaling.targets.contains_key(&id.key()) {
        return Err(not_found("scalable target", &id));
    }
    let name = input.text("PolicyName").unwrap_or_default().to_owned();
    let key = id.named(&name);
    let before = world.appautoscaling.policies.get(&key).cloned();
    let kind = input.text("PolicyType").map(str::to_owned).or(before.as_ref().map(|one| one.kind.clone()));
    let kind = kind.unwrap_or("StepScaling".to_owned());
    if before.as_ref().is_some_and(|one| one.kind != kind) {
        return Err(validation("The policy type of an existing scaling policy cannot be changed"));
    }
    let member = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, member)| *member);
    let member = member.ok_or_else(|| validation(format!("Unknown policy type: {kind}")))?;
    let configuration = match input.get(member).filter(|one| !one.is_null()) {
        Some(given) => given.clone(),
        None => match &before {
            Some(before) => before.configuration.1.clone(),
            None => return Err(validation(format!("{member} must be specified for policy type {kind}"))),
        },
    };
    if kind == "TargetTrackingScaling" && number(&configuration, "TargetValue") <= 0.0 {
        return Err(validation("TargetValue must be greater than 0"));
    }
    let arn = match &before {
        Some(before) => before.arn.clone(),
        None => {
            let number = world.uuid();
            let tail =
                format!("scalingPolicy:{number}:resource/{}/{}:policyName/{name}", id.namespace, id.resource);
            world.arn("autoscaling", &tail)
        }
    };
    let unchanged = before.as_ref().is_some_and(|one| one.configuration.1 == configuration);
    let created = before.as_ref().map_or(world.now, |one| one.created);
    let mut policy = Policy {
        arn,
        name,
        id,
        kind,
        configuration: (member.to_owned(), configuration),
        alarms: before.as_ref().map(|one| one.alarms.clone()).unwrap_or_default(),
        created,
        scaled: before.as_ref().and_then(|one| one.scaled),
    };
    if policy.kind == "TargetTrackingScaling" && !unchanged {
        let made = make_alarms(world, &policy)?;
        for old in std::mem::replace(&mut policy.alarms, made) {
            cloudwatch::delete_alarm(world, &old);
        }
    }
    let answer = json!({"PolicyARN": policy.arn, "Alarms": alarms_view(world, &policy)});
    world.appautoscaling.policies.insert(key, policy);
    Ok(answer)
}

pub(super) fn describe_scaling_policies(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("PolicyNames");
    let found = world.appautoscaling.policies.values().filter(|policy| {
        policy.id.matches(input, &[]) && (names.is_empty() || names.contains(&policy.name.as_str()))
    });
    let views = found
        .map(|policy| {
            let (member, configuration) = &policy.configuration;
            let mut view = json!({
                "PolicyARN": policy.arn,
                "PolicyName": policy.name,
                "PolicyType": policy.kind,
                "Alarms": alarms_view(world, policy),
                "CreationTime": World::timestamp(policy.created),
            });
            view[member.as_str()] = configuration.clone();
            policy.id.lay(&mut view);
            view
        })
        .collect();
    Ok(paged(input, "ScalingPolicies", views))
}

fn remove(world: &mut World, key: &str) -> bool {
    let Some(policy) = world.appautoscaling.policies.remove(key) else { return false };
    for alarm in policy.alarms {
        cloudwatch::delete_alarm(world, &alarm);
    }
    true
}

pub(super) fn delete_scaling_policy(world: &mut World, input: &Json) -> Answer {
    let id = Id::of(input)?;
    let name = input.text("PolicyName").unwrap_or_default();
    if remove(world, &id.named(name)) { Ok(json!({})) } else { Err(not_found("scaling policy", &id)) }
}

pub(super) fn forget(world: &mut World, id: &Id) {
    let of_target = world.appautoscaling.policies.iter().filter(|(_, policy)| policy.id == *id);
    let keys: Vec<String> = of_target.map(|(key, _)| key.clone()).collect();
    for key in keys {
        remove(world, &key);
    }
}
