//! Scheduled actions: at their time they set a target's bounds.

use super::super::{Answer, Input};
use super::{Event, Id, ScheduledAction, millis, not_found, paged, schedule, targets, validation};
use crate::World;
use crate::service::ecs;
use crate::world::{Event as WorldEvent, Millis};
use serde_json::{Value as Json, json};

/// Plans the next run of an action, if there is one.
fn plan(world: &mut World, key: &str) {
    let now = world.now;
    let Some(action) = world.appautoscaling.actions.get_mut(key) else { return };
    let from = now.max(action.start.unwrap_or(now) - 1);
    let start = action.start.unwrap_or(action.created);
    let due = schedule::parse(&action.schedule)
        .and_then(|schedule| schedule::next(&schedule, action.timezone.as_deref(), start, from))
        .filter(|due| action.end.is_none_or(|end| *due <= end));
    action.due = due;
    if let Some(at) = due {
        world.schedule(at - now, WorldEvent::Appautoscaling(Event::Run { action: key.to_owned(), at }));
    }
}

pub(super) fn due(world: &mut World, key: &str, at: Millis) {
    let Some(action) = world.appautoscaling.actions.get(key).filter(|action| action.due == Some(at)).cloned()
    else {
        return;
    };
    plan(world, key);
    let Some(target) = world.appautoscaling.targets.get_mut(&action.id.key()) else { return };
    if target.suspended.flag("ScheduledScalingSuspended") == Some(true) {
        return;
    }
    let bound = |name: &str| action.change.as_ref().and_then(|change| change.int(name));
    target.min = bound("MinCapacity").unwrap_or(target.min);
    target.max = bound("MaxCapacity").unwrap_or(target.max).max(target.min);
    let (min, max) = (target.min, target.max);
    let Some((cluster, service)) = action.id.service() else { return };
    let Some(current) = ecs::desired_count(world, cluster, service) else { return };
    if current.clamp(min, max) != current {
        let cause = format!("scheduled action name {} was triggered", action.name);
        targets::set(world, &action.id, current.clamp(min, max), &cause);
    }
}

pub(super) fn put_scheduled_action(world: &mut World, input: &Json) -> Answer {
    let id = Id::of(input)?;
    if !world.appautoscaling.targets.contains_key(&id.key()) {
        return Err(not_found("scalable target", &id));
    }
    let name = input.text("ScheduledActionName").unwrap_or_default().to_owned();
    let key = id.named(&name);
    let before = world.appautoscaling.actions.get(&key).cloned();
    let given = input.text("Schedule").map(str::to_owned).or(before.as_ref().map(|one| one.schedule.clone()));
    let text = given.ok_or_else(|| validation("Schedule must be specified for a new scheduled action"))?;
    if schedule::parse(&text).is_none() {
        return Err(validation(format!("Unsupported schedule expression: {text}")));
    }
    let arn = match &before {
        Some(before) => before.arn.clone(),
        None => {
            let number = world.uuid();
            let tail = format!(
                "scheduledAction:{number}:resource/{}/{}:scheduledActionName/{name}",
                id.namespace, id.resource
            );
            world.arn("autoscaling", &tail)
        }
    };
    let time = |name: &str| input.text(name).and_then(millis);
    let change = input.get("ScalableTargetAction").filter(|one| !one.is_null()).cloned();
    let action = ScheduledAction {
        arn,
        name,
        id,
        schedule: text,
        timezone: input
            .text("Timezone")
            .map(str::to_owned)
            .or(before.as_ref().and_then(|one| one.timezone.clone())),
        start: time("StartTime").or(before.as_ref().and_then(|one| one.start)),
        end: time("EndTime").or(before.as_ref().and_then(|one| one.end)),
        change: change.or(before.as_ref().and_then(|one| one.change.clone())),
        created: before.as_ref().map_or(world.now, |one| one.created),
        due: None,
    };
    world.appautoscaling.actions.insert(key.clone(), action);
    plan(world, &key);
    Ok(json!({}))
}

pub(super) fn describe_scheduled_actions(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("ScheduledActionNames");
    let found = world.appautoscaling.actions.values().filter(|action| {
        action.id.matches(input, &[]) && (names.is_empty() || names.contains(&action.name.as_str()))
    });
    let views = found
        .map(|action| {
            let mut view = json!({
                "ScheduledActionName": action.name,
                "ScheduledActionARN": action.arn,
                "Schedule": action.schedule,
                "CreationTime": World::timestamp(action.created),
            });
            action.id.lay(&mut view);
            if let Some(zone) = &action.timezone {
                view["Timezone"] = json!(zone);
            }
            if let Some(change) = &action.change {
                view["ScalableTargetAction"] = change.clone();
            }
            for (name, at) in [("StartTime", action.start), ("EndTime", action.end)] {
                if let Some(at) = at {
                    view[name] = World::timestamp(at);
                }
            }
            view
        })
        .collect();
    Ok(paged(input, "ScheduledActions", views))
}

pub(super) fn delete_scheduled_action(world: &mut World, input: &Json) -> Answer {
    let id = Id::of(input)?;
    let name = input.text("ScheduledActionName").unwrap_or_default();
    match world.appautoscaling.actions.remove(&id.named(name)) {
        Some(_) => Ok(json!({})),
        None => Err(not_found("scheduled action", &id)),
    }
}

pub(super) fn forget(world: &mut World, id: &Id) {
    world.appautoscaling.actions.retain(|_, action| action.id != *id);
}
