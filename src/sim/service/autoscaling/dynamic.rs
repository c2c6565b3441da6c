//! Scaling that follows alarms: simple, step and target tracking policies.
//!
//! User Guide, "Target tracking scaling policies", "Step and simple scaling policies", "Scaling cooldowns".

use super::groups::invalid;
use super::policies::adjusted;
use super::state::Group;
use super::{activities, capacity};
use crate::World;
use crate::service::cloudwatch::{self, Breach, Effect};
use crate::service::{ApiError, Input};
use crate::world::SECOND;
use serde_json::{Value as Json, json};

/// The metric that a target tracking policy follows, as members of PutMetricAlarm.
fn metric(group: &str, configuration: &Json) -> Option<Json> {
    if let Some(custom) = configuration.get("CustomizedMetricSpecification").filter(|one| !one.is_null()) {
        if !custom.list("Metrics").is_empty() {
            return Some(json!({"Metrics": custom["Metrics"]}));
        }
        let mut metric = json!({"Period": 60});
        for name in ["Namespace", "MetricName", "Statistic", "Dimensions", "Unit"] {
            if let Some(value) = custom.get(name).filter(|one| !one.is_null()) {
                metric[name] = value.clone();
            }
        }
        return Some(metric);
    }
    let predefined = configuration.get("PredefinedMetricSpecification")?;
    let name = match predefined.text("PredefinedMetricType")? {
        "ASGAverageCPUUtilization" => "CPUUtilization",
        "ASGAverageNetworkIn" => "NetworkIn",
        "ASGAverageNetworkOut" => "NetworkOut",
        "ALBRequestCountPerTarget" => {
            // app/name/id/targetgroup/name/id
            let (balancer, tail) = predefined.text("ResourceLabel")?.split_once("/targetgroup/")?;
            let target_group = format!("targetgroup/{tail}");
            return Some(json!({
                "Namespace": "AWS/ApplicationELB", "MetricName": "RequestCountPerTarget",
                "Dimensions": [
                    {"Name": "TargetGroup", "Value": target_group}, {"Name": "LoadBalancer", "Value": balancer},
                ],
                "Statistic": "Sum", "Period": 60,
            }));
        }
        _ => return None,
    };
    Some(json!({
        "Namespace": "AWS/EC2", "MetricName": name, "Statistic": "Average", "Period": 60,
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group}],
    }))
}

/// The two alarms of target tracking: above the target for 3 minutes, and under 90 % of it for 15. Names and ARNs.
pub fn make_alarms(
    world: &mut World,
    group: &str,
    arn: &str,
    configuration: &Json,
) -> Result<Vec<Json>, ApiError> {
    let Some(metric) = metric(group, configuration) else {
        return Err(invalid("The target tracking configuration must name a metric that it can follow"));
    };
    let target = configuration.get("TargetValue").and_then(Json::as_f64).unwrap_or_default();
    let mut sides = vec![("High", "GreaterThanThreshold", 3, target)];
    if configuration.flag("DisableScaleIn") != Some(true) {
        sides.push(("Low", "LessThanThreshold", 15, target * 0.9));
    }
    let mut made = Vec::new();
    for (side, comparison, periods, threshold) in sides {
        let name = format!("TargetTracking-{group}-Alarm{side}-{}", world.uuid());
        let mut alarm = metric.clone();
        alarm["AlarmName"] = json!(name);
        alarm["AlarmDescription"] =
            json!(format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}."));
        alarm["AlarmActions"] = json!([arn]);
        alarm["ComparisonOperator"] = json!(comparison);
        alarm["EvaluationPeriods"] = json!(periods);
        alarm["Threshold"] = json!(threshold);
        cloudwatch::put_metric_alarm(world, &alarm)?;
        let arn = world.arn("cloudwatch", &format!("alarm:{name}"));
        made.push(json!({"AlarmName": name, "AlarmARN": arn}));
    }
    Ok(made)
}

/// Alarms that were made for a policy go with it.
pub fn forget_alarms(world: &mut World, policy: &Json) {
    for alarm in policy.list("Alarms") {
        cloudwatch::delete_alarm(world, alarm.text("AlarmName").unwrap_or_default());
    }
}

/// An alarm tells the policy with this ARN, every minute as long as it is in its state.
pub fn alarm_fired(world: &mut World, arn: &str, breach: &Breach) -> Effect {
    let found = world.autoscaling.groups.values().find_map(|group| {
        let policy = group.policies.values().find(|policy| policy.text("PolicyARN") == Some(arn))?;
        Some((group.name.clone(), policy.clone()))
    });
    let Some((name, policy)) = found else { return Effect::Nothing };
    let group = &world.autoscaling.groups[&name];
    if group.deleting || policy.flag("Enabled") == Some(false) || group.suspends("AlarmNotification") {
        return Effect::Nothing;
    }
    let wanted = match policy.text("PolicyType").unwrap_or_default() {
        "TargetTrackingScaling" => track(group, &policy, breach),
        "StepScaling" => step(&policy, breach).map(|step| adjusted(group, &policy, step)),
        _ => Some(adjusted(group, &policy, policy.int("ScalingAdjustment").unwrap_or(0))),
    };
    let before = group.desired;
    let Some(wanted) = wanted.map(|wanted| wanted.clamp(group.min, group.max)) else {
        return Effect::Nothing;
    };
    if wanted == before {
        return Effect::Nothing;
    }
    if waits(world, group, &policy, wanted > before) {
        return Effect::Later;
    }
    let why = format!(
        "At {} a monitor alarm {} in state {} triggered policy {} changing the desired capacity from {before} to {wanted}.",
        activities::at(world.now),
        breach.alarm,
        breach.state.text(),
        policy.text("PolicyName").unwrap_or_default(),
    );
    let now = world.now;
    world.autoscaling.scaled.insert(name.clone(), (now, wanted > before));
    capacity::set_desired(world, &name, wanted, why);
    Effect::Done
}

/// As many instances as bring the metric, which falls with their number, to its target.
fn track(group: &Group, policy: &Json, breach: &Breach) -> Option<i64> {
    let configuration = policy.get("TargetTrackingConfiguration")?;
    let target = configuration.get("TargetValue").and_then(Json::as_f64).filter(|target| *target > 0.0)?;
    let wanted = (group.desired.max(1) as f64 * breach.value? / target).ceil() as i64;
    let high = breach.threshold >= target;
    Some(if high { wanted.max(group.desired + 1) } else { wanted.min(group.desired) })
}

/// The adjustment of the step in whose bounds the metric lies, counted from the alarm's threshold.
fn step(policy: &Json, breach: &Breach) -> Option<i64> {
    let over = breach.value? - breach.threshold;
    let bound = |step: &Json, name: &str| step.get(name).and_then(Json::as_f64);
    // "inclusive lower, exclusive upper" above the threshold, the other way round below.
    let inside = |step: &&Json| {
        let (low, high) = (bound(step, "MetricIntervalLowerBound"), bound(step, "MetricIntervalUpperBound"));
        if over >= 0.0 {
            low.is_none_or(|low| over >= low) && high.is_none_or(|high| over < high)
        } else {
            low.is_none_or(|low| over > low) && high.is_none_or(|high| over <= high)
        }
    };
    policy.list("StepAdjustments").iter().find(inside)?.int("ScalingAdjustment")
}

/// A simple policy waits for its cooldown after any scaling; the others for the warmup of what was launched last.
fn waits(world: &World, group: &Group, policy: &Json, out: bool) -> bool {
    let Some((last, last_out)) = world.autoscaling.scaled.get(&group.name) else { return false };
    let simple = policy.text("PolicyType") == Some("SimpleScaling");
    let seconds = if simple {
        policy.int("Cooldown").unwrap_or(group.cooldown)
    } else if *last_out || !out {
        policy.int("EstimatedInstanceWarmup").or(group.warmup.filter(|one| *one >= 0)).unwrap_or(300)
    } else {
        0
    };
    world.now < last + seconds * SECOND
}
