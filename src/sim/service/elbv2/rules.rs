//! Rules of listeners: priorities are unique, the default rule comes last and only follows its listener.

use super::super::{Answer, ApiError, Input, page};
use super::balancers::with_marker;
use super::model::{Balancer, Rule};
use super::{actions, conditions, listeners, page_size, tags, validation};
use crate::World;
use serde_json::{Value as Json, json};

pub(super) fn new_arn(world: &mut World, listener: &str) -> String {
    let id = world.hex(16);
    format!("{}/{id}", listener.replacen(":listener/", ":listener-rule/", 1))
}

fn not_found(arn: &str) -> ApiError {
    ApiError::new("RuleNotFound", format!("Rule '{arn}' not found"))
}

fn in_use(priority: i64) -> ApiError {
    ApiError::new("PriorityInUse", format!("Priority '{priority}' is currently in use"))
}

fn view(world: &World, rule: &Rule) -> Json {
    let priority = rule.priority.map_or("default".to_owned(), |number| number.to_string());
    let actions = match rule.priority {
        Some(_) => &rule.actions,
        None => world.elbv2.listeners.get(&rule.listener).map_or(&rule.actions, |listener| &listener.actions),
    };
    json!({
        "RuleArn": rule.arn,
        "Priority": priority,
        "Conditions": rule.conditions,
        "Actions": actions,
        "IsDefault": rule.priority.is_none(),
        "Transforms": rule.transforms,
    })
}

fn balancer_of<'a>(world: &'a World, listener: &str) -> Result<&'a Balancer, ApiError> {
    let listener = world.elbv2.listeners.get(listener).ok_or_else(|| listeners::not_found(listener))?;
    world.elbv2.balancers.get(&listener.balancer).ok_or_else(|| listeners::not_found(&listener.arn))
}

fn check_priority(priority: i64) -> Result<(), ApiError> {
    if (1..=50_000).contains(&priority) {
        Ok(())
    } else {
        Err(validation(format!("Rule priority '{priority}' must be in the range 1-50000")))
    }
}

/// Not idempotent: a second identical call fails on the priority.
pub(super) fn create_rule(world: &mut World, input: &Json) -> Answer {
    let listener = input.text("ListenerArn").unwrap_or_default();
    let balancer = balancer_of(world, listener)?;
    if balancer.kind == "network" {
        return Err(ApiError::new(
            "UnsupportedOperation",
            "Rules are not supported for listeners of network load balancers",
        ));
    }
    let priority = input.int("Priority").ok_or_else(|| validation("A rule priority must be specified"))?;
    check_priority(priority)?;
    let conditions = conditions::normalise(input.list("Conditions"))?;
    let actions = actions::normalise(world, balancer, input.list("Actions"))?;
    let new_tags = tags::from_input(input)?;
    if world.elbv2.rules_of(listener).any(|rule| rule.priority == Some(priority)) {
        return Err(in_use(priority));
    }
    if world.elbv2.rules_of(listener).count() > 100 {
        return Err(ApiError::new(
            "TooManyRules",
            "The limit on the number of rules (100) has been exceeded",
        ));
    }
    let arn = new_arn(world, listener);
    let rule = Rule {
        arn: arn.clone(),
        listener: listener.to_owned(),
        priority: Some(priority),
        conditions,
        actions,
        transforms: input.list("Transforms").to_vec(),
    };
    let answer = json!({"Rules": [view(world, &rule)]});
    world.elbv2.rules.insert(arn.clone(), rule);
    world.elbv2.tags.insert(arn, new_tags);
    actions::refresh(world);
    Ok(answer)
}

fn by_priority(rule: &Rule) -> i64 {
    rule.priority.unwrap_or(i64::MAX)
}

pub(super) fn describe_rules(world: &mut World, input: &Json) -> Answer {
    let arns = input.texts("RuleArns");
    let mut found: Vec<&Rule> = match input.text("ListenerArn") {
        Some(_) if !arns.is_empty() => {
            return Err(validation("Listener ARN and rule ARNs cannot be specified at the same time"));
        }
        Some(arn) if world.elbv2.listeners.contains_key(arn) => world.elbv2.rules_of(arn).collect(),
        Some(_) => return Err(ApiError::new("ListenerNotFound", "One or more listeners not found")),
        None if arns.is_empty() => {
            return Err(validation("You must specify either listener ARN or rule ARNs"));
        }
        None => arns
            .iter()
            .map(|arn| world.elbv2.rules.get(*arn))
            .collect::<Option<_>>()
            .ok_or_else(|| ApiError::new("RuleNotFound", "One or more rules not found"))?,
    };
    found.sort_by_key(|rule| by_priority(rule));
    let (found, next) = page(found, input.text("Marker"), page_size(input));
    let views: Vec<Json> = found.into_iter().map(|rule| view(world, rule)).collect();
    Ok(with_marker(json!({"Rules": views}), next))
}

pub(super) fn modify_rule(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("RuleArn").unwrap_or_default();
    let mut rule = world.elbv2.rules.get(arn).cloned().ok_or_else(|| not_found(arn))?;
    if rule.priority.is_none() {
        return Err(ApiError::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be modified"),
        ));
    }
    if !input.list("Conditions").is_empty() {
        rule.conditions = conditions::normalise(input.list("Conditions"))?;
    }
    if !input.list("Actions").is_empty() {
        rule.actions = actions::normalise(world, balancer_of(world, &rule.listener)?, input.list("Actions"))?;
    }
    if input.flag("ResetTransforms") == Some(true) {
        rule.transforms.clear();
    } else if !input.list("Transforms").is_empty() {
        rule.transforms = input.list("Transforms").to_vec();
    }
    let answer = json!({"Rules": [view(world, &rule)]});
    world.elbv2.rules.insert(arn.to_owned(), rule);
    actions::refresh(world);
    Ok(answer)
}

/// All at once, so that two rules can trade places.
pub(super) fn set_rule_priorities(world: &mut World, input: &Json) -> Answer {
    let mut changes: Vec<(String, i64)> = Vec::new();
    for pair in input.list("RulePriorities") {
        let arn = pair.text("RuleArn").unwrap_or_default();
        let priority = pair.int("Priority").unwrap_or_default();
        check_priority(priority)?;
        let rule = world.elbv2.rules.get(arn).ok_or_else(|| not_found(arn))?;
        if rule.priority.is_none() {
            return Err(ApiError::new(
                "OperationNotPermitted",
                format!("Priority of the default rule '{arn}' cannot be modified"),
            ));
        }
        if changes.iter().any(|(_, other)| *other == priority) {
            return Err(in_use(priority));
        }
        changes.push((arn.to_owned(), priority));
    }
    let moved = |rule: &Rule| changes.iter().any(|(arn, _)| *arn == rule.arn);
    for (arn, priority) in &changes {
        let listener = &world.elbv2.rules[arn].listener;
        let clash =
            world.elbv2.rules_of(listener).any(|rule| rule.priority == Some(*priority) && !moved(rule));
        if clash {
            return Err(in_use(*priority));
        }
    }
    for (arn, priority) in &changes {
        if let Some(rule) = world.elbv2.rules.get_mut(arn) {
            rule.priority = Some(*priority);
        }
    }
    let views: Vec<Json> = changes
        .iter()
        .filter_map(|(arn, _)| world.elbv2.rules.get(arn))
        .map(|rule| view(world, rule))
        .collect();
    Ok(json!({"Rules": views}))
}

pub(super) fn delete_rule(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("RuleArn").unwrap_or_default();
    let rule = world.elbv2.rules.get(arn).ok_or_else(|| not_found(arn))?;
    if rule.priority.is_none() {
        return Err(ApiError::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be deleted"),
        ));
    }
    world.elbv2.rules.remove(arn);
    world.elbv2.tags.remove(arn);
    actions::refresh(world);
    Ok(json!({}))
}
