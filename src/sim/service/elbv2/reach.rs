//! The way of a request through a balancer, as far as its configuration says it.

use super::model::{Health, Rule};
use crate::World;
use serde_json::Value as Json;

/// The ARN of the balancer with this DNS name, which may be in any case and has a twin with `dualstack.`.
pub fn balancer_named(world: &World, name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_lowercase();
    let name = name.strip_prefix("dualstack.").unwrap_or(&name);
    let mut balancers = world.elbv2.balancers.values();
    balancers.find(|b| b.active && b.dns_name.to_lowercase() == name).map(|b| b.arn.clone())
}

/// The actions of the first rule of the port's listener that fits; None if nothing listens there.
pub fn actions_for(
    world: &World,
    balancer: &str,
    port: i64,
    fits: impl Fn(&[Json]) -> bool,
) -> Option<Vec<Json>> {
    let listener = world.elbv2.listeners_of(balancer).find(|listener| listener.port == port)?;
    let mut rules: Vec<&Rule> =
        world.elbv2.rules_of(&listener.arn).filter(|rule| rule.priority.is_some()).collect();
    rules.sort_by_key(|rule| rule.priority);
    let rule = rules.into_iter().find(|rule| fits(&rule.conditions));
    Some(rule.map_or_else(|| listener.actions.clone(), |rule| rule.actions.clone()))
}

/// Targets that requests go to, with their ports: the healthy ones, or all if there is none.
pub fn takers(world: &World, group: &str) -> Vec<(String, i64)> {
    let Some(group) = world.elbv2.groups.get(group) else { return Vec::new() };
    let of = |wanted: &[Health]| -> Vec<(String, i64)> {
        let targets = group.targets.values().filter(|target| wanted.contains(&target.health));
        targets.map(|t| (t.id.clone(), t.port.or(group.port).unwrap_or_default())).collect()
    };
    let healthy = of(&[Health::Healthy]);
    if healthy.is_empty() { of(&[Health::Unhealthy, Health::Initial]) } else { healthy }
}
