//! Scaling activities: what a group did, and why, in AWS's words.

use super::groups::{no_group, paged};
use super::state::{Activity, Group};
use crate::World;
use crate::service::ec2::query::lean;
use crate::service::{Answer, Input};
use crate::world::Millis;
use serde_json::{Value as Json, json};

/// Six weeks of them in AWS; here so many a group.
const KEPT: usize = 1_000;

/// `2026-11-21T09:12:33Z`
pub fn at(now: Millis) -> String {
    World::timestamp(now / 1000 * 1000).as_str().unwrap_or_default().to_owned()
}

pub struct New {
    pub description: String,
    pub cause: String,
    pub subnet: String,
    pub zone: String,
}

/// An activity in progress; its id.
pub fn begin(world: &mut World, group: &str, new: New) -> String {
    let id = world.uuid();
    let now = world.now;
    world.tell("autoscaling", "group", group, &new.description, None);
    let details = json!({"Subnet ID": new.subnet, "Availability Zone": new.zone});
    let activity = Activity {
        id: id.clone(),
        description: new.description,
        cause: new.cause,
        start: now,
        end: None,
        status: "InProgress".to_owned(),
        message: None,
        progress: 30,
        details: details.to_string(),
    };
    if let Some(group) = world.autoscaling.groups.get_mut(group) {
        if group.activities.len() >= KEPT {
            group.activities.remove(0);
        }
        group.activities.push(activity);
    }
    id
}

pub fn find<'a>(group: &'a mut Group, id: &str) -> Option<&'a mut Activity> {
    group.activities.iter_mut().rev().find(|activity| activity.id == id)
}

pub fn progress(group: &mut Group, id: &str, status: &str, percent: i64) {
    if let Some(activity) = find(group, id) {
        activity.status = status.to_owned();
        activity.progress = percent;
    }
}

pub fn end(world: &mut World, group: &str, id: &str, status: &str, message: Option<String>) {
    let (now, name) = (world.now, group.to_owned());
    let Some(group) = world.autoscaling.groups.get_mut(group) else { return };
    if let Some(activity) = find(group, id)
        && activity.end.is_none()
    {
        activity.status = status.to_owned();
        activity.progress = 100;
        activity.end = Some(now);
        activity.message = message;
        let told = format!("{}: {status}", activity.description);
        world.tell("autoscaling", "group", &name, &told, None);
    }
}

pub fn json(world: &World, group: &Group, activity: &Activity) -> Json {
    lean(json!({
        "ActivityId": activity.id, "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": super::groups::arn(world, group),
        "Description": activity.description, "Cause": activity.cause,
        "StartTime": World::timestamp(activity.start), "EndTime": activity.end.map(World::timestamp),
        "StatusCode": activity.status, "StatusMessage": activity.message, "Progress": activity.progress,
        "Details": activity.details,
    }))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let wanted = input.text("AutoScalingGroupName");
    if let Some(name) = wanted
        && !world.autoscaling.groups.contains_key(name)
    {
        return Err(no_group(name));
    }
    let ids = input.texts("ActivityIds");
    let groups =
        world.autoscaling.groups.values().filter(|group| wanted.is_none_or(|name| name == group.name));
    let mut items: Vec<(Millis, Json)> = groups
        .flat_map(|group| group.activities.iter().rev().map(move |activity| (group, activity)))
        .filter(|(_, activity)| ids.is_empty() || ids.contains(&activity.id.as_str()))
        .map(|(group, activity)| (activity.start, json(world, group, activity)))
        .collect();
    // Newest first; the sort is stable, so those of one moment stay newest first too.
    items.sort_by_key(|(start, _)| -start);
    paged(input, "Activities", items.into_iter().map(|(_, json)| json).collect(), 100)
}
