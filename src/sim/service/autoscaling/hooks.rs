//! Lifecycle hooks: an instance waits until somebody completes the action, or its timeout decides.

use super::groups::{group, group_mut, invalid};
use super::state::{Hold, Hook, Lifecycle};
use super::{Event, activities, groups, life};
use crate::World;
use crate::service::ec2::query::lean;
use crate::service::{Answer, ApiError, Input, events, lambda, notify};
use crate::world::{self, MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};

const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LONGEST: Millis = 48 * 60 * MINUTE;

/// From a request, or from a specification at a group's creation.
pub fn from(given: &Json) -> Result<Hook, ApiError> {
    let launching = match given.text("LifecycleTransition") {
        Some(LAUNCHING) => true,
        Some(TERMINATING) => false,
        other => {
            let message = format!("Invalid lifecycle transition: {}", other.unwrap_or_default());
            return Err(invalid(&message));
        }
    };
    let timeout = given.int("HeartbeatTimeout").unwrap_or(3600);
    if !(30..=7200).contains(&timeout) {
        return Err(invalid("HeartbeatTimeout must be between 30 and 7200 seconds."));
    }
    let text = |name: &str| given.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(Hook {
        name: given.text("LifecycleHookName").unwrap_or_default().to_owned(),
        launching,
        timeout,
        default_continue: given.text("DefaultResult") == Some("CONTINUE"),
        metadata: text("NotificationMetadata"),
        target: text("NotificationTargetARN"),
        role: text("RoleARN"),
    })
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?;
    let mut given = input.clone();
    let name = input.text("LifecycleHookName").unwrap_or_default();
    // An update may leave out what stays.
    if let Some(old) = group.hooks.get(name) {
        let mut old = json(group.name.as_str(), old);
        crate::service::ec2::overlay(&mut old, input);
        given = old;
    }
    let hook = from(&given)?;
    group.hooks.insert(hook.name.clone(), hook);
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = input.text("LifecycleHookName").unwrap_or_default().to_owned();
    let group = group_mut(world, input)?;
    group.hooks.remove(&name).ok_or_else(|| no_hook(&name))?;
    let group_name = group.name.clone();
    let held =
        group.members.values().filter(|member| member.hold.as_ref().is_some_and(|hold| hold.hook == name));
    let held: Vec<String> = held.map(|member| member.id.clone()).collect();
    for id in held {
        resolve(world, &group_name, &id, true);
    }
    Ok(json!({}))
}

fn no_hook(name: &str) -> ApiError {
    invalid(&format!("No Lifecycle Hook found with name {name}"))
}

fn json(group: &str, hook: &Hook) -> Json {
    lean(json!({
        "LifecycleHookName": hook.name, "AutoScalingGroupName": group,
        "LifecycleTransition": if hook.launching { LAUNCHING } else { TERMINATING },
        "HeartbeatTimeout": hook.timeout,
        "GlobalTimeout": (hook.timeout * 100).min(172_800),
        "DefaultResult": if hook.default_continue { "CONTINUE" } else { "ABANDON" },
        "NotificationMetadata": hook.metadata, "NotificationTargetARN": hook.target, "RoleARN": hook.role,
    }))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let names = input.texts("LifecycleHookNames");
    let asked = group.hooks.values().filter(|hook| names.is_empty() || names.contains(&hook.name.as_str()));
    Ok(json!({"LifecycleHooks": asked.map(|hook| json(&group.name, hook)).collect::<Vec<_>>()}))
}

pub fn types(_world: &mut World, _input: &Json) -> Answer {
    Ok(json!({"LifecycleHookTypes": [LAUNCHING, TERMINATING]}))
}

/// Lets the next hook of this transition hold the instance; false when all have let it pass.
pub fn hold(world: &mut World, name: &str, id: &str, launching: bool) -> bool {
    let token = world.uuid();
    let now = world.now;
    let Some(group) = world.autoscaling.groups.get_mut(name) else { return false };
    let Some(member) = group.members.get_mut(id) else { return false };
    let mut open = group.hooks.values().filter(|hook| hook.launching == launching);
    let Some(hook) = open.find(|hook| !member.passed.contains(&hook.name)) else { return false };
    let until = now + hook.timeout * SECOND;
    let last = now + (hook.timeout * 100 * SECOND).min(LONGEST);
    let called = hook.clone();
    member.hold = Some(Hold { hook: hook.name.clone(), token: token.clone(), until, last });
    let activity = member.activity.clone();
    let status = if launching { "MidLifecycleAction" } else { "MidTerminatingLifecycleAction" };
    activities::progress(group, &activity, status, 60);
    let event = Event::HookExpires(name.to_owned(), id.to_owned(), token.clone());
    world.schedule(until - now, world::Event::Autoscaling(event));
    notify_target(world, name, id, &called, &token);
    true
}

/// Tells the hook's target and the event bus that an instance waits (User Guide, "Amazon EC2 Auto Scaling
/// lifecycle hooks": the members of both). A function completes the action by its answer.
fn notify_target(world: &mut World, group: &str, id: &str, hook: &Hook, token: &str) {
    let warm = if hook.launching { ("EC2", "AutoScalingGroup") } else { ("AutoScalingGroup", "EC2") };
    let mut detail = json!({
        "LifecycleActionToken": token, "AutoScalingGroupName": group, "LifecycleHookName": hook.name,
        "EC2InstanceId": id, "LifecycleTransition": if hook.launching { LAUNCHING } else { TERMINATING },
        "Origin": warm.0, "Destination": warm.1,
    });
    if let Some(metadata) = &hook.metadata {
        detail["NotificationMetadata"] = json!(metadata);
    }
    let resources = world.autoscaling.groups.get(group).map(|one| groups::arn(world, one));
    let resources: Vec<String> = resources.into_iter().collect();
    let kind = if hook.launching { "launch" } else { "terminate" };
    let kind = format!("EC2 Instance-{kind} Lifecycle Action");
    let told = detail.clone();
    events::put(world, "aws.autoscaling", &kind, &resources, || told);
    let Some(target) = &hook.target else { return };
    let request = world.aside(World::uuid);
    for (name, value) in [
        ("Service", json!("AWS Auto Scaling")),
        ("Time", World::timestamp(world.now)),
        ("AccountId", json!(world.account)),
        ("RequestId", json!(request)),
    ] {
        detail[name] = value;
    }
    if target.split(':').nth(2) != Some("lambda") {
        let subject =
            format!("Auto Scaling:  Lifecycle action '{}' for instance {id} in progress.", kind_of(hook));
        return notify::send(world, target, Some(&subject), &detail);
    }
    let Some(reply) = lambda::ask(world, target, &detail) else { return };
    if reply.answer != "IN_PROGRESS" {
        let go_on = reply.answer == "SUCCEEDED";
        let event = Event::HookAnswered(group.to_owned(), id.to_owned(), token.to_owned(), go_on);
        world.schedule(reply.after, world::Event::Autoscaling(event));
    }
}

fn kind_of(hook: &Hook) -> &'static str {
    if hook.launching { "LAUNCHING" } else { "TERMINATING" }
}

/// The function that this hold called has answered.
pub fn answered(world: &mut World, name: &str, id: &str, token: &str, go_on: bool) {
    let group = world.autoscaling.groups.get(name);
    let held = group.and_then(|group| group.members.get(id)).and_then(|member| member.hold.as_ref());
    if held.is_some_and(|hold| hold.token == token) {
        resolve(world, name, id, go_on);
    }
}

pub fn expires(world: &mut World, name: &str, id: &str, token: &str) {
    let now = world.now;
    let Some(group) = world.autoscaling.groups.get(name) else { return };
    let held = group.members.get(id).and_then(|member| member.hold.as_ref());
    let Some(hold) = held.filter(|hold| hold.token == token) else { return };
    if hold.until > now {
        // A heartbeat came.
        let event = Event::HookExpires(name.to_owned(), id.to_owned(), token.to_owned());
        let rest = hold.until - now;
        world.schedule(rest, world::Event::Autoscaling(event));
        return;
    }
    let go_on = group.hooks.get(&hold.hook).is_none_or(|hook| hook.default_continue);
    resolve(world, name, id, go_on);
}

/// The hook has decided. ABANDON of a launch ends the instance; of a termination, only other hooks.
fn resolve(world: &mut World, name: &str, id: &str, go_on: bool) {
    let Some(member) = life::member_mut(world, id) else { return };
    let Some(hold) = member.hold.take() else { return };
    member.passed.insert(hold.hook);
    match (member.lifecycle, go_on) {
        (Lifecycle::PendingWait, true) => life::proceed_launch(world, name, id),
        (Lifecycle::PendingWait, false) => {
            let cause = format!(
                "At {} an instance was taken out of service because its lifecycle action was abandoned.",
                activities::at(world.now)
            );
            life::begin_leaving(world, name, id, &cause);
        }
        (_, true) => life::leave(world, name, id),
        (_, false) => {
            let hooks: Vec<String> = world.autoscaling.groups[name].hooks.keys().cloned().collect();
            if let Some(member) = life::member_mut(world, id) {
                member.passed.extend(hooks);
            }
            life::leave(world, name, id);
        }
    }
}

/// The instance that a request means, by token or by id, held by the hook it names.
fn held(world: &World, input: &Json) -> Result<String, ApiError> {
    let group = group(world, input)?;
    let hook = input.text("LifecycleHookName").unwrap_or_default();
    if !group.hooks.contains_key(hook) {
        return Err(no_hook(hook));
    }
    let (token, id) = (input.text("LifecycleActionToken"), input.text("InstanceId"));
    let found = group.members.values().find(|member| {
        let by_hook = member.hold.as_ref().filter(|hold| hold.hook == hook);
        by_hook.is_some_and(|hold| match token {
            Some(token) => hold.token == token,
            None => id == Some(&member.id),
        })
    });
    found.map(|member| member.id.clone()).ok_or_else(|| {
        let what = token.map_or_else(
            || format!("instance ID {}", id.unwrap_or_default()),
            |token| format!("token {token}"),
        );
        invalid(&format!("No active Lifecycle Action found with {what}"))
    })
}

pub fn complete(world: &mut World, input: &Json) -> Answer {
    let id = held(world, input)?;
    let name = group(world, input)?.name.clone();
    resolve(world, &name, &id, input.text("LifecycleActionResult") == Some("CONTINUE"));
    Ok(json!({}))
}

pub fn heartbeat(world: &mut World, input: &Json) -> Answer {
    let id = held(world, input)?;
    let now = world.now;
    let group = group_mut(world, input)?;
    let hook = input.text("LifecycleHookName").unwrap_or_default();
    let timeout = group.hooks[hook].timeout * SECOND;
    if let Some(hold) = group.members.get_mut(&id).and_then(|member| member.hold.as_mut()) {
        hold.until = (now + timeout).min(hold.last);
    }
    Ok(json!({}))
}
