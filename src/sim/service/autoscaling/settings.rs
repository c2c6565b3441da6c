//! Suspended processes, metrics collection, notifications, the (empty) warm pool, and fixed lists.

use super::groups::{group, group_mut, invalid, paged};
use super::{activities, capacity, told};
use crate::World;
use crate::service::ec2::query::lean;
use crate::service::{Answer, Input};
use serde_json::{Value as Json, json};

const PROCESSES: [&str; 9] = [
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
];
pub const METRICS: [&str; 20] = [
    "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
    "GroupDesiredCapacity",
    "GroupInServiceCapacity",
    "GroupInServiceInstances",
    "GroupMaxSize",
    "GroupMinSize",
    "GroupPendingCapacity",
    "GroupPendingInstances",
    "GroupStandbyCapacity",
    "GroupStandbyInstances",
    "GroupTerminatingCapacity",
    "GroupTerminatingInstances",
    "GroupTotalCapacity",
    "GroupTotalInstances",
    "WarmPoolDesiredCapacity",
    "WarmPoolMinSize",
    "WarmPoolPendingCapacity",
    "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity",
];
const NOTIFICATIONS: [&str; 5] = [
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
    "autoscaling:TEST_NOTIFICATION",
];

fn names(
    input: &Json,
    member: &str,
    all: &[&str],
    what: &str,
) -> Result<Vec<String>, super::super::ApiError> {
    let given = input.texts(member);
    if let Some(bad) = given.iter().find(|name| !all.contains(name)) {
        return Err(invalid(&format!("Invalid {what}: {bad}")));
    }
    let given = if given.is_empty() { all.to_vec() } else { given };
    Ok(given.into_iter().map(str::to_owned).collect())
}

pub fn suspend(world: &mut World, input: &Json) -> Answer {
    let processes = names(input, "ScalingProcesses", &PROCESSES, "scaling process")?;
    let reason = format!("User suspended at {}", activities::at(world.now));
    let group = group_mut(world, input)?;
    for process in processes {
        group.suspended.entry(process).or_insert_with(|| reason.clone());
    }
    Ok(json!({}))
}

pub fn resume(world: &mut World, input: &Json) -> Answer {
    let processes = names(input, "ScalingProcesses", &PROCESSES, "scaling process")?;
    let group = group_mut(world, input)?;
    group.suspended.retain(|name, _| !processes.contains(name));
    let name = group.name.clone();
    capacity::soon(world, &name);
    super::life::watch_health(world, &name);
    Ok(json!({}))
}

pub fn process_types(_world: &mut World, _input: &Json) -> Answer {
    let all: Vec<Json> = PROCESSES.iter().map(|name| json!({"ProcessName": name})).collect();
    Ok(json!({"Processes": all}))
}

pub fn enable_metrics(world: &mut World, input: &Json) -> Answer {
    let metrics = names(input, "Metrics", &METRICS, "metric")?;
    if input.text("Granularity") != Some("1Minute") {
        return Err(invalid("Valid metrics granularity type is: 1Minute."));
    }
    let group = group_mut(world, input)?;
    group.metrics.extend(metrics);
    let name = group.name.clone();
    told::begin(world, &name);
    Ok(json!({}))
}

pub fn disable_metrics(world: &mut World, input: &Json) -> Answer {
    let metrics = names(input, "Metrics", &METRICS, "metric")?;
    group_mut(world, input)?.metrics.retain(|name| !metrics.contains(name));
    Ok(json!({}))
}

pub fn metric_types(_world: &mut World, _input: &Json) -> Answer {
    let all: Vec<Json> = METRICS.iter().map(|name| json!({"Metric": name})).collect();
    Ok(json!({"Metrics": all, "Granularities": [{"Granularity": "1Minute"}]}))
}

pub fn put_notification(world: &mut World, input: &Json) -> Answer {
    let types = names(input, "NotificationTypes", &NOTIFICATIONS, "notification type")?;
    let topic = input.text("TopicARN").unwrap_or_default().to_owned();
    group_mut(world, input)?.notifications.insert(topic, types.into_iter().collect());
    Ok(json!({}))
}

pub fn delete_notification(world: &mut World, input: &Json) -> Answer {
    group_mut(world, input)?.notifications.remove(input.text("TopicARN").unwrap_or_default());
    Ok(json!({}))
}

pub fn describe_notifications(world: &mut World, input: &Json) -> Answer {
    let wanted = input.texts("AutoScalingGroupNames");
    let mut items = Vec::new();
    for group in world.autoscaling.groups.values() {
        if !wanted.is_empty() && !wanted.contains(&group.name.as_str()) {
            continue;
        }
        for (topic, types) in &group.notifications {
            items.extend(types.iter().map(|kind| {
                json!({"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind})
            }));
        }
    }
    paged(input, "NotificationConfigurations", items, 100)
}

pub fn notification_types(_world: &mut World, _input: &Json) -> Answer {
    Ok(json!({"AutoScalingNotificationTypes": NOTIFICATIONS}))
}

pub fn adjustment_types(_world: &mut World, _input: &Json) -> Answer {
    let all = ["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"];
    let all: Vec<Json> = all.iter().map(|name| json!({"AdjustmentType": name})).collect();
    Ok(json!({"AdjustmentTypes": all}))
}

pub fn termination_policy_types(_world: &mut World, _input: &Json) -> Answer {
    Ok(json!({"TerminationPolicyTypes": [
        "AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance", "OldestInstance",
        "OldestLaunchConfiguration", "OldestLaunchTemplate",
    ]}))
}

pub fn account_limits(world: &mut World, _input: &Json) -> Answer {
    Ok(json!({
        "MaxNumberOfAutoScalingGroups": 500, "MaxNumberOfLaunchConfigurations": 200,
        "NumberOfAutoScalingGroups": world.autoscaling.groups.len(),
        "NumberOfLaunchConfigurations": world.autoscaling.launch_configurations.len(),
    }))
}

/// Kept and answered; no instance is ever prepared in it.
pub fn put_warm_pool(world: &mut World, input: &Json) -> Answer {
    let pool = lean(json!({
        "MaxGroupPreparedCapacity": input.int("MaxGroupPreparedCapacity"),
        "MinSize": input.int("MinSize").unwrap_or(0), "PoolState": input.text("PoolState").unwrap_or("Stopped"),
        "InstanceReusePolicy": input.get("InstanceReusePolicy"),
    }));
    group_mut(world, input)?.warm_pool = Some(pool);
    Ok(json!({}))
}

pub fn describe_warm_pool(world: &mut World, input: &Json) -> Answer {
    Ok(lean(json!({"WarmPoolConfiguration": group(world, input)?.warm_pool, "Instances": []})))
}

pub fn delete_warm_pool(world: &mut World, input: &Json) -> Answer {
    group_mut(world, input)?.warm_pool = None;
    Ok(json!({}))
}
