//! Scalable targets, their tags and activities.

use super::super::ecs;
use super::super::{Answer, ApiError, Input};
use super::{Activity, Event, Id, Target, dynamic, not_found, paged, policies, scheduled, validation};
use crate::World;
use crate::world::{Event as WorldEvent, MINUTE};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Activities of the last weeks are kept; so many are enough here.
const ACTIVITIES: usize = 1_000;

fn role(world: &World, namespace: &str) -> String {
    let (service, suffix) = match namespace {
        "ecs" => ("ecs", "ECSService"),
        "dynamodb" => ("dynamodb", "DynamoDBTable"),
        "lambda" => ("lambda", "LambdaConcurrency"),
        "rds" => ("rds", "RDSCluster"),
        other => (other, other),
    };
    world.arn(
        "iam",
        &format!(
            "role/aws-service-role/{service}.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_{suffix}"
        ),
    )
}

pub(super) fn register_scalable_target(world: &mut World, input: &Json) -> Answer {
    let id = Id::of(input)?;
    let key = id.key();
    let known = world.appautoscaling.targets.get(&key).cloned();
    let bound = |name: &str, old: Option<i64>| {
        input.int(name).or(old).ok_or_else(|| {
            validation(format!("{name} must be specified when registering a new scalable target"))
        })
    };
    let min = bound("MinCapacity", known.as_ref().map(|one| one.min))?;
    let max = bound("MaxCapacity", known.as_ref().map(|one| one.max))?;
    if min < 0 {
        return Err(validation("Minimum capacity cannot be less than 0"));
    }
    if min > max {
        return Err(validation("Maximum capacity cannot be less than minimum capacity"));
    }
    if let Some((cluster, service)) = id.service()
        && ecs::desired_count(world, cluster, service).is_none()
    {
        return Err(validation(format!("ECS service doesn't exist: {}", id.resource)));
    }
    if known.is_some()
        && input.get("Tags").is_some_and(|tags| tags.as_object().is_some_and(|map| !map.is_empty()))
    {
        return Err(validation(
            "You cannot add tags to an existing scalable target with this operation. Use TagResource.",
        ));
    }
    let suspended = input.get("SuspendedState").filter(|one| !one.is_null()).cloned();
    let mut target = match known {
        Some(known) => known,
        None => {
            let number = format!("0ec5{}", world.hex(32));
            Target {
                arn: world.arn("application-autoscaling", &format!("scalable-target/{number}")),
                min,
                max,
                role: role(world, &id.namespace),
                suspended: json!({}),
                created: world.now,
                tags: tags(input),
                id,
            }
        }
    };
    (target.min, target.max) = (min, max);
    for name in ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"] {
        let new = suspended.as_ref().and_then(|one| one.flag(name)).or(target.suspended.flag(name));
        target.suspended[name] = json!(new.unwrap_or(false));
    }
    let arn = target.arn.clone();
    world.appautoscaling.targets.insert(key.clone(), target);
    dynamic::look_again(world, &key);
    world.schedule(MINUTE, WorldEvent::Appautoscaling(Event::Clamp { target: key }));
    Ok(json!({"ScalableTargetARN": arn}))
}

fn tags(input: &Json) -> BTreeMap<String, String> {
    let given = input.get("Tags").and_then(Json::as_object).into_iter().flatten();
    given.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

pub(super) fn clamp(world: &mut World, key: &str) {
    let Some(target) = world.appautoscaling.targets.get(key).cloned() else { return };
    let Some((cluster, service)) = target.id.service() else { return };
    let Some(current) = ecs::desired_count(world, cluster, service) else { return };
    let wanted = current.clamp(target.min, target.max);
    if wanted != current {
        let cause = if wanted > current { "minimum capacity was set" } else { "maximum capacity was set" };
        set(world, &target.id, wanted, cause);
    }
}

/// Sets the count and writes the activity.
pub(super) fn set(world: &mut World, id: &Id, count: i64, cause: &str) {
    let Some((cluster, service)) = id.service() else { return };
    world.tell("application-autoscaling", "target", &id.resource, &format!("desired {count}"), Some(cause));
    ecs::set_desired_count(world, cluster, service, count);
    let activity = Activity {
        activity: world.uuid(),
        id: id.clone(),
        description: format!("Setting desired count to {count}."),
        cause: cause.to_owned(),
        at: world.now,
    };
    let activities = &mut world.appautoscaling.activities;
    activities.push(activity);
    if activities.len() > ACTIVITIES {
        activities.remove(0);
    }
}

pub(super) fn describe_scalable_targets(world: &mut World, input: &Json) -> Answer {
    let resources = input.texts("ResourceIds");
    let found = world.appautoscaling.targets.values().filter(|target| target.id.matches(input, &resources));
    let mut found: Vec<&Target> = found.collect();
    found.sort_by_key(|target| target.created);
    let views = found
        .into_iter()
        .map(|target| {
            let mut view = json!({
                "MinCapacity": target.min,
                "MaxCapacity": target.max,
                "RoleARN": target.role,
                "CreationTime": World::timestamp(target.created),
                "SuspendedState": target.suspended,
                "ScalableTargetARN": target.arn,
            });
            target.id.lay(&mut view);
            view
        })
        .collect();
    Ok(paged(input, "ScalableTargets", views))
}

/// Policies, their alarms and scheduled actions go with the target.
pub(super) fn deregister_scalable_target(world: &mut World, input: &Json) -> Answer {
    let id = Id::of(input)?;
    if world.appautoscaling.targets.remove(&id.key()).is_none() {
        return Err(not_found("scalable target", &id));
    }
    policies::forget(world, &id);
    scheduled::forget(world, &id);
    Ok(json!({}))
}

/// Newest first.
pub(super) fn describe_scaling_activities(world: &mut World, input: &Json) -> Answer {
    let found = world.appautoscaling.activities.iter().rev().filter(|one| one.id.matches(input, &[]));
    let views = found
        .map(|one| {
            let mut view = json!({
                "ActivityId": one.activity,
                "Description": one.description,
                "Cause": one.cause,
                "StartTime": World::timestamp(one.at),
                "EndTime": World::timestamp(one.at),
                "StatusCode": "Successful",
                "StatusMessage": "Successfully set desired count. Change successfully fulfilled by ecs.",
            });
            one.id.lay(&mut view);
            view
        })
        .collect();
    Ok(paged(input, "ScalingActivities", views))
}

fn by_arn<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Target, ApiError> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    world.appautoscaling.targets.values_mut().find(|target| target.arn == arn).ok_or_else(|| {
        ApiError::new("ResourceNotFoundException", format!("The specified resource doesn't exist: {arn}"))
    })
}

pub(super) fn list_tags_for_resource(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"Tags": by_arn(world, input)?.tags}))
}

pub(super) fn tag_resource(world: &mut World, input: &Json) -> Answer {
    let new = tags(input);
    let target = by_arn(world, input)?;
    let mut all = target.tags.clone();
    all.extend(new);
    if all.len() > 50 {
        return Err(ApiError::new("TooManyTagsException", "The request contains too many tags."));
    }
    target.tags = all;
    Ok(json!({}))
}

pub(super) fn untag_resource(world: &mut World, input: &Json) -> Answer {
    let keys = input.texts("TagKeys");
    by_arn(world, input)?.tags.retain(|key, _| !keys.contains(&key.as_str()));
    Ok(json!({}))
}
