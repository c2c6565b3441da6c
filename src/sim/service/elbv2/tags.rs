//! Tags of balancers, groups, listeners and rules.

use super::super::{Answer, ApiError, Input};
use super::validation;
use crate::World;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub(super) fn from_input(input: &Json) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in input.list("Tags") {
        let key = tag.text("Key").unwrap_or_default().to_owned();
        if tags.insert(key.clone(), tag.text("Value").unwrap_or_default().to_owned()).is_some() {
            return Err(ApiError::new(
                "DuplicateTagKeys",
                format!("Tag key '{key}' was specified more than once"),
            ));
        }
    }
    check(&tags)?;
    Ok(tags)
}

fn check(tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(ApiError::new("TooManyTags", "The limit on the number of tags (50) has been exceeded"));
    }
    match tags.keys().find(|key| key.to_lowercase().starts_with("aws:")) {
        Some(_) => Err(validation("One or more tag keys are invalid: the prefix 'aws:' is reserved")),
        None => Ok(()),
    }
}

/// The error that AWS has for a missing thing of this ARN's kind.
fn exists(world: &World, arn: &str) -> Result<(), ApiError> {
    let state = &world.elbv2;
    let kind = arn.split(':').nth(5).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let (found, code, what) = match kind {
        "loadbalancer" => (state.balancers.contains_key(arn), "LoadBalancerNotFound", "Load balancer"),
        "targetgroup" => (state.groups.contains_key(arn), "TargetGroupNotFound", "Target group"),
        "listener" => (state.listeners.contains_key(arn), "ListenerNotFound", "Listener"),
        "listener-rule" => (state.rules.contains_key(arn), "RuleNotFound", "Rule"),
        _ => return Err(validation(format!("'{arn}' is not a valid load balancer ARN"))),
    };
    if !found && kind == "targetgroup" {
        return Err(ApiError::new(code, "One or more target groups not found"));
    }
    if found { Ok(()) } else { Err(ApiError::new(code, format!("{what} '{arn}' not found"))) }
}

fn arns<'a>(world: &World, input: &'a Json) -> Result<Vec<&'a str>, ApiError> {
    let arns = input.texts("ResourceArns");
    if arns.len() > 20 {
        return Err(validation("The number of resource ARNs must be at most 20"));
    }
    for arn in &arns {
        exists(world, arn)?;
    }
    Ok(arns)
}

pub(super) fn add_tags(world: &mut World, input: &Json) -> Answer {
    let new = from_input(input)?;
    for arn in arns(world, input)? {
        let mut tags = world.elbv2.tags.get(arn).cloned().unwrap_or_default();
        tags.extend(new.clone());
        check(&tags)?;
        world.elbv2.tags.insert(arn.to_owned(), tags);
    }
    Ok(json!({}))
}

pub(super) fn remove_tags(world: &mut World, input: &Json) -> Answer {
    for arn in arns(world, input)? {
        if let Some(tags) = world.elbv2.tags.get_mut(arn) {
            tags.retain(|key, _| !input.texts("TagKeys").contains(&key.as_str()));
        }
    }
    Ok(json!({}))
}

pub(super) fn describe_tags(world: &mut World, input: &Json) -> Answer {
    let described: Vec<Json> = arns(world, input)?
        .into_iter()
        .map(|arn| {
            let tags = world.elbv2.tags.get(arn).into_iter().flatten();
            let tags: Vec<Json> = tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect();
            json!({"ResourceArn": arn, "Tags": tags})
        })
        .collect();
    Ok(json!({"TagDescriptions": described}))
}
