//! What an alarm does: the actions of its state.
//!
//! "Alarms invoke actions for sustained state changes only"; but for Auto Scaling "the alarm continues to invoke
//! the action once per minute that the alarm remains in the new state" (CloudWatch user guide, alarm actions).
//! What topics and functions are told is in `actions`.

use super::evaluate::Watch;
use super::*;
use crate::service::{appautoscaling, autoscaling, ec2};

/// What came of telling a scaling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Done,
    /// Not now: it cools down, or warms up.
    Later,
    /// Nothing to do, as long as nothing changes.
    Nothing,
}

/// What a scaling policy is told by its alarm.
#[derive(Clone, Debug)]
pub struct Breach {
    pub alarm: String,
    pub state: AlarmState,
    pub value: Option<f64>,
    pub threshold: f64,
}

fn actions(alarm: &Alarm) -> Vec<String> {
    let list = match alarm.state {
        AlarmState::Alarm => "AlarmActions",
        AlarmState::Ok => "OKActions",
        AlarmState::InsufficientData => "InsufficientDataActions",
    };
    alarm.settings.texts(list).into_iter().map(str::to_owned).collect()
}

fn scales(action: &str) -> bool {
    action.contains(":scalingPolicy:")
}

/// An actions suppressor in ALARM keeps a composite alarm's actions back (API reference, PutCompositeAlarm).
pub(super) fn is_suppressed(world: &World, alarm: &Alarm) -> bool {
    let suppressor = alarm.settings.text("ActionsSuppressor").and_then(|one| alarms::find_ref(world, one));
    let suppressor = suppressor.and_then(|name| world.cloudwatch.alarms.get(name));
    suppressor.is_some_and(|one| one.state == AlarmState::Alarm)
}

/// The alarm has got into another state.
pub fn transitioned(world: &mut World, name: &str) {
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return };
    if alarm.settings.flag("ActionsEnabled") == Some(false) || is_suppressed(world, alarm) {
        return;
    }
    let kind = alarm.kind;
    for action in actions(alarm) {
        if scales(&action) {
            // In its state for the first time: as every minute from now on.
            awake::keep_awake(world, name);
            scale(world, name, &action);
        } else if action.starts_with("arn:aws:automate:") {
            act_on_instance(world, name, &action);
        }
        let at = World::timestamp(world.now);
        let data = json!({
            "actionState": "Succeeded", "stateUpdateTimestamp": at, "notificationResource": action,
            "publishedMessage": Json::Null, "error": Json::Null,
        });
        alarms::note(world, name, kind, "Action", format!("Successfully executed action {action}"), &data);
    }
}

/// As every minute while it stays in its state. Whether it shall be looked at again for that.
pub fn sustained(world: &mut World, name: &str) -> bool {
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return false };
    if alarm.settings.flag("ActionsEnabled") == Some(false) || alarm.state_updated == world.now {
        return alarm.state_updated == world.now && actions(alarm).iter().any(|action| scales(action));
    }
    let mut again = false;
    for action in actions(alarm).into_iter().filter(|action| scales(action)) {
        again |= scale(world, name, &action) != Effect::Nothing;
    }
    again
}

fn scale(world: &mut World, name: &str, action: &str) -> Effect {
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return Effect::Nothing };
    let Some(watch) = Watch::of(&alarm.settings) else { return Effect::Nothing };
    let breach = Breach {
        alarm: name.to_owned(),
        state: alarm.state,
        value: watch.latest(world),
        threshold: watch.threshold(),
    };
    if action.contains(":autoScalingGroupName/") {
        autoscaling::alarm_fired(world, action, &breach)
    } else {
        appautoscaling::alarm_fired(world, action, &breach)
    }
}

/// `arn:aws:automate:REGION:ec2:terminate` and the like, on the instance that the alarm watches.
fn act_on_instance(world: &mut World, name: &str, action: &str) {
    let Some(alarm) = world.cloudwatch.alarms.get(name) else { return };
    let Some(id) = dimensions(alarm.settings.list("Dimensions")).remove("InstanceId") else { return };
    let operation = match action.rsplit(':').next() {
        Some("terminate") => "TerminateInstances",
        Some("stop") => "StopInstances",
        Some("reboot") => "RebootInstances",
        _ => return,
    };
    let Some((_, handler)) = ec2::OPERATIONS.iter().find(|(known, _)| *known == operation) else { return };
    if let Err(error) = handler(world, &json!({ "InstanceIds": [id] })) {
        tracing::debug!("an alarm's {operation} was refused: {}", error.message);
    }
}
