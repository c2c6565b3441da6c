//! Scaling policies and scheduled actions.

use super::groups::{group_mut, invalid, no_group, paged};
use super::state::Group;
use super::{Event, activities, capacity, dynamic};
use crate::World;
use crate::service::appautoscaling::schedule;
use crate::service::ec2::query::lean;
use crate::service::{Answer, ApiError, Input};
use crate::world::{self, Millis};
use serde_json::{Value as Json, json};

pub fn put(world: &mut World, input: &Json) -> Answer {
    let name = input.text("PolicyName").unwrap_or_default().to_owned();
    let uuid = world.uuid();
    let (account, region) = (world.account.clone(), world.region.clone());
    let group = group_mut(world, input)?;
    let kind = input.text("PolicyType").unwrap_or("SimpleScaling");
    let missing = match kind {
        "TargetTrackingScaling" => input.get("TargetTrackingConfiguration").is_none(),
        "StepScaling" => input.list("StepAdjustments").is_empty(),
        "PredictiveScaling" => input.get("PredictiveScalingConfiguration").is_none(),
        "SimpleScaling" => input.int("ScalingAdjustment").is_none(),
        _ => return Err(invalid(&format!("Invalid policy type: {kind}"))),
    };
    if missing {
        return Err(invalid(&format!("The configuration of a {kind} policy must be specified")));
    }
    let old = group.policies.get(&name).and_then(|policy| policy.text("PolicyARN")).map(str::to_owned);
    let arn = old.unwrap_or_else(|| {
        format!("arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid}:autoScalingGroupName/{}:policyName/{name}", group.name)
    });
    let mut kept = input.clone();
    kept["PolicyARN"] = json!(arn);
    kept["PolicyType"] = json!(kind);
    kept["Enabled"] = json!(input.flag("Enabled").unwrap_or(true));
    if kind == "SimpleScaling" && kept.get("Cooldown").is_none() {
        kept["Cooldown"] = json!(group.cooldown);
    }
    let group = group.name.clone();
    let alarms = match input.get("TargetTrackingConfiguration") {
        Some(configuration) if kind == "TargetTrackingScaling" => {
            dynamic::make_alarms(world, &group, &arn, configuration)?
        }
        _ => Vec::new(),
    };
    kept["Alarms"] = json!(alarms);
    if let Some(before) = group_mut(world, input)?.policies.insert(name, lean(kept)) {
        dynamic::forget_alarms(world, &before);
    }
    Ok(json!({"PolicyARN": arn, "Alarms": alarms}))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let wanted = input.text("AutoScalingGroupName");
    if let Some(name) = wanted
        && !world.autoscaling.groups.contains_key(name)
    {
        return Err(no_group(name));
    }
    let (names, types) = (input.texts("PolicyNames"), input.texts("PolicyTypes"));
    let groups =
        world.autoscaling.groups.values().filter(|group| wanted.is_none_or(|name| name == group.name));
    let items = groups.flat_map(|group| group.policies.values()).filter(|policy| {
        let is = |member: &str, list: &[&str]| policy.text(member).is_some_and(|text| list.contains(&text));
        (names.is_empty() || is("PolicyName", &names) || is("PolicyARN", &names))
            && (types.is_empty() || is("PolicyType", &types))
    });
    paged(input, "ScalingPolicies", items.cloned().collect(), 100)
}

/// (group, policy name) of a name or ARN.
fn find(world: &World, input: &Json) -> Result<(String, String), ApiError> {
    let wanted = input.text("AutoScalingGroupName");
    let policy = input.text("PolicyName").unwrap_or_default();
    let groups =
        world.autoscaling.groups.values().filter(|group| wanted.is_none_or(|name| name == group.name));
    for group in groups {
        let found = group
            .policies
            .iter()
            .find(|(name, kept)| name.as_str() == policy || kept.text("PolicyARN") == Some(policy));
        if let Some((name, _)) = found {
            return Ok((group.name.clone(), name.clone()));
        }
    }
    Err(invalid(&format!("No policy found with name or ARN '{policy}'")))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let (group, policy) = find(world, input)?;
    let found = world.autoscaling.groups.get_mut(&group).and_then(|group| group.policies.remove(&policy));
    if let Some(policy) = found {
        dynamic::forget_alarms(world, &policy);
    }
    Ok(json!({}))
}

pub fn execute(world: &mut World, input: &Json) -> Answer {
    let (name, policy) = find(world, input)?;
    let group = &world.autoscaling.groups[&name];
    let kept = &group.policies[&policy];
    if kept.text("PolicyType") == Some("TargetTrackingScaling") {
        return Err(invalid("Target tracking policies cannot be executed"));
    }
    let step = kept
        .int("ScalingAdjustment")
        .or(kept.list("StepAdjustments").first().and_then(|s| s.int("ScalingAdjustment")));
    let step = step.unwrap_or(0);
    let wanted = adjusted(group, kept, step);
    let (before, wanted) = (group.desired, wanted.clamp(group.min, group.max));
    if wanted != before {
        let why = format!(
            "At {} a user request executed policy {policy} changing the desired capacity from {before} to {wanted}.",
            activities::at(world.now)
        );
        capacity::set_desired(world, &name, wanted, why);
    }
    Ok(json!({}))
}

/// The capacity that an adjustment of a policy leads to, before the group's bounds.
pub fn adjusted(group: &Group, policy: &Json, step: i64) -> i64 {
    match policy.text("AdjustmentType") {
        Some("ExactCapacity") => step,
        Some("PercentChangeInCapacity") => {
            let change = group.desired * step / 100;
            let least = policy.int("MinAdjustmentMagnitude").unwrap_or(1);
            group.desired + if change.abs() < least { least * step.signum() } else { change }
        }
        _ => group.desired + step,
    }
}

fn millis(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())
}

fn put_one(world: &mut World, group: &str, given: &Json) -> Result<(), ApiError> {
    let name = given.text("ScheduledActionName").unwrap_or_default().to_owned();
    let start = given.text("StartTime").or(given.text("Time"));
    let recurrence = given.text("Recurrence");
    if start.is_none() && recurrence.is_none() {
        return Err(invalid("Either a start time or a recurrence must be specified"));
    }
    if let Some(text) = recurrence.filter(|text| schedule::unix(text).is_none()) {
        return Err(invalid(&format!("Invalid recurrence expression: {text}")));
    }
    if start.and_then(millis).is_some_and(|at| at < world.now) {
        return Err(invalid("Given start time is in the past"));
    }
    let uuid = world.uuid();
    let arn = world.arn(
        "autoscaling",
        &format!("scheduledUpdateGroupAction:{uuid}:autoScalingGroupName/{group}:scheduledActionName/{name}"),
    );
    let mut kept = given.clone();
    kept["AutoScalingGroupName"] = json!(group);
    kept["ScheduledActionARN"] = json!(arn);
    if let Some(start) = start {
        kept["StartTime"] = json!(start);
        kept["Time"] = json!(start);
    }
    let found = world.autoscaling.groups.get_mut(group).ok_or_else(|| no_group(group))?;
    found.scheduled.insert(name.clone(), lean(kept));
    let first = start.and_then(millis);
    plan(world, group, &name, first);
    Ok(())
}

/// When the action runs next: at its start, then by its recurrence, up to its end. A recurring action tells the
/// next time as its start.
fn plan(world: &mut World, group: &str, name: &str, first: Option<Millis>) {
    let now = world.now;
    let Some(found) = world.autoscaling.groups.get_mut(group) else { return };
    let Some(kept) = found.scheduled.get_mut(name) else { return };
    let recurs = kept.text("Recurrence").and_then(schedule::unix);
    let end = kept.text("EndTime").and_then(millis);
    let next = recurs.as_ref().and_then(|one| schedule::next(one, kept.text("TimeZone"), now, now));
    let due = first.or(next).filter(|due| end.is_none_or(|end| *due <= end));
    found.scheduled_due.remove(name);
    let Some(due) = due else { return };
    if recurs.is_some() {
        kept["StartTime"] = World::timestamp(due);
        kept["Time"] = World::timestamp(due);
    }
    found.scheduled_due.insert(name.to_owned(), due);
    let event = Event::Scheduled(group.to_owned(), name.to_owned());
    world.schedule((due - now).max(0), world::Event::Autoscaling(event));
}

pub fn put_scheduled(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?.name.clone();
    put_one(world, &group, input)?;
    Ok(json!({}))
}

pub fn batch_put_scheduled(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?.name.clone();
    let mut failed = Vec::new();
    for one in input.list("ScheduledUpdateGroupActions") {
        if let Err(error) = put_one(world, &group, one) {
            failed.push(json!({
                "ScheduledActionName": one.text("ScheduledActionName"), "ErrorCode": error.code,
                "ErrorMessage": error.message,
            }));
        }
    }
    Ok(json!({"FailedScheduledUpdateGroupActions": failed}))
}

fn no_action(name: &str) -> ApiError {
    invalid(&format!("Scheduled action name not found: {name}"))
}

pub fn delete_scheduled(world: &mut World, input: &Json) -> Answer {
    let name = input.text("ScheduledActionName").unwrap_or_default();
    group_mut(world, input)?.scheduled.remove(name).ok_or_else(|| no_action(name))?;
    Ok(json!({}))
}

pub fn batch_delete_scheduled(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?;
    let mut failed = Vec::new();
    for name in input.texts("ScheduledActionNames") {
        if group.scheduled.remove(name).is_none() {
            let error = no_action(name);
            failed.push(json!({
                "ScheduledActionName": name, "ErrorCode": error.code, "ErrorMessage": error.message,
            }));
        }
    }
    Ok(json!({"FailedScheduledActions": failed}))
}

pub fn describe_scheduled(world: &mut World, input: &Json) -> Answer {
    let wanted = input.text("AutoScalingGroupName");
    let names = input.texts("ScheduledActionNames");
    let groups =
        world.autoscaling.groups.values().filter(|group| wanted.is_none_or(|name| name == group.name));
    let items = groups.flat_map(|group| group.scheduled.iter());
    let asked = items.filter(|(name, _)| names.is_empty() || names.contains(&name.as_str()));
    paged(input, "ScheduledUpdateGroupActions", asked.map(|(_, kept)| kept.clone()).collect(), 100)
}

pub fn scheduled(world: &mut World, name: &str, action: &str) {
    let now = world.now;
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return };
    let Some(kept) = group.scheduled.get(action).cloned() else { return };
    if group.scheduled_due.get(action) != Some(&now) {
        return;
    }
    let suspended = group.suspends("ScheduledActions");
    plan(world, name, action, None);
    let Some(group) = world.autoscaling.groups.get_mut(name).filter(|_| !suspended) else { return };
    group.min = kept.int("MinSize").unwrap_or(group.min);
    group.max = kept.int("MaxSize").unwrap_or(group.max).max(group.min);
    let before = group.desired;
    let desired = kept.int("DesiredCapacity").unwrap_or(before).clamp(group.min, group.max);
    let why = format!(
        "At {} a scheduled action '{action}' was executed changing the desired capacity from {before} to {desired}.",
        activities::at(now)
    );
    capacity::set_desired(world, name, desired, why);
}
