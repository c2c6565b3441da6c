//! Weights of forwards, as ECS moves them on the rules of its services.

use super::super::Input;
use super::actions;
use crate::World;
use serde_json::{Value as Json, json};

/// What a rule (or, of a network load balancer, a listener) does with its requests.
#[derive(Debug, PartialEq)]
pub enum Traffic {
    /// There is no such rule or listener.
    Absent,
    /// It does something else than forward: redirects, answers, authenticates.
    Other(String),
    /// Groups with their weights.
    Forward(Vec<(String, i64)>),
}

/// The listener of whose default actions `arn` speaks: of a listener, or of a default rule.
fn listener_of(world: &World, arn: &str) -> Option<String> {
    match world.elbv2.rules.get(arn) {
        Some(rule) => rule.priority.is_none().then(|| rule.listener.clone()),
        None => world.elbv2.listeners.contains_key(arn).then(|| arn.to_owned()),
    }
}

fn actions_of<'a>(world: &'a World, arn: &str) -> Option<&'a [Json]> {
    match listener_of(world, arn) {
        Some(listener) => Some(&world.elbv2.listeners.get(&listener)?.actions),
        None => Some(&world.elbv2.rules.get(arn)?.actions),
    }
}

pub fn traffic(world: &World, arn: &str) -> Traffic {
    let Some(actions) = actions_of(world, arn) else { return Traffic::Absent };
    let kind = |action: &Json| action.text("Type").unwrap_or_default().to_owned();
    if let Some(other) = actions.iter().map(kind).find(|kind| kind != "forward") {
        return Traffic::Other(other);
    }
    let groups = actions.iter().filter_map(|action| action.get("ForwardConfig"));
    let groups = groups.flat_map(|config| config.list("TargetGroups"));
    Traffic::Forward(
        groups
            .filter_map(|one| Some((one.text("TargetGroupArn")?.to_owned(), one.int("Weight").unwrap_or(1))))
            .collect(),
    )
}

/// The rules of a listener that are tried before its default actions, and the listener itself for these.
pub fn rules_of(world: &World, listener: &str) -> Vec<String> {
    let rules = world.elbv2.rules_of(listener).filter(|rule| rule.priority.is_some());
    rules.map(|rule| rule.arn.clone()).chain([listener.to_owned()]).collect()
}

/// Forwards to these groups with these weights from now on; everything else about the rule stays.
pub fn set_weights(world: &mut World, arn: &str, weights: &[(String, i64)]) {
    let listener = listener_of(world, arn);
    let actions = match &listener {
        Some(listener) => world.elbv2.listeners.get_mut(listener).map(|one| &mut one.actions),
        None => world.elbv2.rules.get_mut(arn).map(|one| &mut one.actions),
    };
    let Some(action) =
        actions.and_then(|list| list.iter_mut().find(|one| one.text("Type") == Some("forward")))
    else {
        return;
    };
    let groups: Vec<Json> =
        weights.iter().map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight})).collect();
    action["ForwardConfig"]["TargetGroups"] = json!(groups);
    if let Some(map) = action.as_object_mut() {
        match weights {
            [(only, _)] => map.insert("TargetGroupArn".to_owned(), json!(only)),
            _ => map.remove("TargetGroupArn"),
        };
    }
    actions::refresh(world);
}
