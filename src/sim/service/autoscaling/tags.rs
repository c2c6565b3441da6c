//! Tags of groups, and the filters that look at them.

use super::groups::{invalid, paged};
use super::state::{Group, Tag};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

pub fn check(tags: &[Json]) -> Result<(), ApiError> {
    for tag in tags {
        let key = tag.text("Key").unwrap_or_default();
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("You cannot create or modify tags that start with 'aws:': {key}");
            return Err(invalid(&message));
        }
        if key.is_empty() || key.chars().count() > 128 {
            return Err(invalid("Tag keys must be between 1 and 128 characters long"));
        }
    }
    Ok(())
}

fn json(group: &str, key: &str, tag: &Tag) -> Json {
    json!({
        "ResourceId": group, "ResourceType": "auto-scaling-group", "Key": key, "Value": tag.value,
        "PropagateAtLaunch": tag.propagate,
    })
}

pub fn of(group: &Group) -> Vec<Json> {
    group.tags.iter().map(|(key, tag)| json(&group.name, key, tag)).collect()
}

fn resource<'a>(world: &'a mut World, tag: &Json) -> Result<&'a mut Group, ApiError> {
    let name = tag.text("ResourceId").unwrap_or_default();
    let kind = tag.text("ResourceType").unwrap_or("auto-scaling-group");
    if kind != "auto-scaling-group" {
        return Err(invalid(&format!("Invalid resource type: {kind}")));
    }
    world.autoscaling.groups.get_mut(name).ok_or_else(|| {
        invalid(&format!("Invalid AutoScalingGroup resource ID: {name}. AutoScalingGroup name not found"))
    })
}

pub fn create_or_update(world: &mut World, input: &Json) -> Answer {
    let tags = input.list("Tags");
    check(tags)?;
    for tag in tags {
        resource(world, tag)?;
    }
    for tag in tags {
        let new = Tag {
            value: tag.text("Value").unwrap_or_default().to_owned(),
            propagate: tag.flag("PropagateAtLaunch").unwrap_or(false),
        };
        resource(world, tag)?.tags.insert(tag.text("Key").unwrap_or_default().to_owned(), new);
    }
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    for tag in input.list("Tags") {
        resource(world, tag)?.tags.remove(tag.text("Key").unwrap_or_default());
    }
    Ok(json!({}))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let mut items = Vec::new();
    for group in world.autoscaling.groups.values() {
        for (key, tag) in &group.tags {
            let mut pass = true;
            for filter in input.list("Filters") {
                let values = filter.texts("Values");
                pass &= match filter.text("Name").unwrap_or_default() {
                    "auto-scaling-group" => values.contains(&group.name.as_str()),
                    "key" => values.contains(&key.as_str()),
                    "value" => values.contains(&tag.value.as_str()),
                    "propagate-at-launch" => {
                        values.iter().any(|value| value.eq_ignore_ascii_case(&tag.propagate.to_string()))
                    }
                    other => return Err(bad_filter(other)),
                };
            }
            if pass {
                items.push(json(&group.name, key, tag));
            }
        }
    }
    paged(input, "Tags", items, 100)
}

fn bad_filter(name: &str) -> ApiError {
    invalid(&format!(
        "Filter type {name} is not correct. Allowed Filter types are: auto-scaling-group key value propagate-at-launch"
    ))
}

/// DescribeAutoScalingGroups' filters.
pub fn group_matches(group: &Group, filters: &[Json]) -> Result<bool, ApiError> {
    for filter in filters {
        let values = filter.texts("Values");
        let name = filter.text("Name").unwrap_or_default();
        let pass = match name {
            "tag-key" => group.tags.keys().any(|key| values.contains(&key.as_str())),
            "tag-value" => group.tags.values().any(|tag| values.contains(&tag.value.as_str())),
            _ => match name.strip_prefix("tag:") {
                Some(key) => group.tags.get(key).is_some_and(|tag| values.contains(&tag.value.as_str())),
                None => {
                    return Err(invalid(&format!(
                        "Filter type {name} is not correct. Allowed Filter types are: tag-key tag-value tag:<key>"
                    )));
                }
            },
        };
        if !pass {
            return Ok(false);
        }
    }
    Ok(true)
}
