//! Which host takes a task: room, constraints, then strategies in their order.

use super::super::Input;
use super::definitions::{self, Needs};
use super::model::{Host, Service, Task};
use super::{Event, kick, tasks};
use crate::World;
use crate::world::{Event as WorldEvent, SECOND};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What to place, and where it may go.
pub(super) struct Ask<'a> {
    pub cluster: &'a str,
    pub definition: &'a str,
    /// Only hosts of this capacity provider.
    pub provider: Option<&'a str>,
    pub constraints: &'a [Json],
    pub strategy: &'a [Json],
    /// `service:web` or `family:app`: what spreads and what keeps distinct.
    pub group: &'a str,
    /// Zones of the subnets a task with its own interface may use.
    pub zones: Option<Vec<String>>,
    /// This host or none.
    pub only: Option<&'a str>,
}

/// What one lacks in AWS's words, from the one that came closest.
enum Lack {
    Cpu,
    Memory,
    Port,
    Interface,
    Attribute,
}

fn lack(host: &Host, needs: &Needs, ask: &Ask, neighbours: usize) -> Option<Lack> {
    if ask.zones.as_ref().is_some_and(|zones| !zones.contains(&host.zone)) {
        return Some(Lack::Attribute);
    }
    for constraint in ask.constraints.iter().chain(&needs.constraints) {
        let holds = match constraint.text("type") {
            Some("distinctInstance") => neighbours == 0,
            Some("memberOf") => expression_holds(constraint.text("expression").unwrap_or_default(), host),
            _ => true,
        };
        if !holds {
            return Some(Lack::Attribute);
        }
    }
    if needs.static_ports.iter().any(|port| host.ports.contains(port)) {
        return Some(Lack::Port);
    }
    if host.used_memory + needs.memory > host.memory {
        return Some(Lack::Memory);
    }
    if host.used_cpu + needs.cpu > host.cpu {
        return Some(Lack::Cpu);
    }
    (needs.own_interface && host.used_interfaces >= host.interfaces).then_some(Lack::Interface)
}

/// Host → tasks of the group on it. A service knows its tasks; those of other groups are searched for.
fn neighbours<'a>(world: &'a World, ask: &Ask) -> BTreeMap<&'a str, usize> {
    let service = ask.group.strip_prefix("service:").and_then(|name| {
        world.ecs.services.get(&world.arn("ecs", &format!("service/{}/{name}", ask.cluster)))
    });
    let tasks: Box<dyn Iterator<Item = &Task>> = match service {
        Some(service) => Box::new(service.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn))),
        None => Box::new(world.ecs.tasks.values().filter(|task| task.group == ask.group)),
    };
    let mut found = BTreeMap::new();
    for host in tasks.filter(|task| task.wanted).filter_map(|task| task.host.as_deref()) {
        *found.entry(host).or_default() += 1;
    }
    found
}

/// The best host, or why there is none (the end of an event's sentence).
pub(super) fn choose(world: &World, ask: &Ask) -> Result<String, String> {
    let needs = definitions::needs(world, ask.definition).ok_or("The task definition does not exist.")?;
    let Some(cluster) = world.ecs.clusters.get(ask.cluster) else {
        return Err("Cluster not found.".to_owned());
    };
    let mut fitting: Vec<(&Host, usize)> = Vec::new();
    let mut closest: Option<(u8, &Host, Lack)> = None;
    let mut any = false;
    let neighbours = neighbours(world, ask);
    for arn in cluster.hosts.iter().filter(|arn| ask.only.is_none_or(|only| only == *arn)) {
        let Some(host) = world.ecs.hosts.get(arn).filter(|host| !host.draining) else { continue };
        if ask.provider.is_some() && host.provider.as_deref() != ask.provider {
            continue;
        }
        any = true;
        let neighbours = neighbours.get(arn.as_str()).copied().unwrap_or(0);
        match lack(host, &needs, ask, neighbours) {
            None => fitting.push((host, neighbours)),
            Some(lack) => {
                let rank = match lack {
                    Lack::Attribute => 0,
                    Lack::Port => 1,
                    Lack::Interface => 2,
                    Lack::Memory => 3,
                    Lack::Cpu => 4,
                };
                if closest.as_ref().is_none_or(|(best, ..)| rank > *best) {
                    closest = Some((rank, host, lack));
                }
            }
        }
    }
    if let Some((host, _)) = best(fitting, ask.strategy) {
        return Ok(host.arn.clone());
    }
    Err(match closest {
        _ if !any && ask.provider.is_some() => {
            "Reason: No Container Instances were found in your capacity provider.".to_owned()
        }
        None => "Reason: No Container Instances were found in your cluster.".to_owned(),
        Some((_, host, lack)) => {
            let id = super::short(&host.arn);
            let what = match lack {
                Lack::Cpu => "has insufficient CPU units available",
                Lack::Memory => "has insufficient memory available",
                Lack::Port => "is already using a port required by your task",
                Lack::Interface => "encountered error \"RESOURCE:ENI\"",
                Lack::Attribute => "is missing an attribute required by your task",
            };
            format!("The closest matching container-instance {id} {what}.")
        }
    })
}

/// Strategies narrow the choice one after the other; what they leave open goes to the emptiest host.
fn best<'a>(mut fitting: Vec<(&'a Host, usize)>, strategy: &[Json]) -> Option<(&'a Host, usize)> {
    for step in strategy {
        let field = step.text("field").unwrap_or_default();
        match step.text("type") {
            Some("spread") => {
                let mut load: BTreeMap<String, usize> = BTreeMap::new();
                for (host, neighbours) in &fitting {
                    *load.entry(bucket(host, field)).or_default() += neighbours;
                }
                let least = load.values().min().copied();
                fitting.retain(|(host, _)| load.get(&bucket(host, field)).copied() == least);
            }
            Some("binpack") => {
                let left = |host: &Host| match field {
                    "cpu" | "CPU" => host.cpu - host.used_cpu,
                    _ => host.memory - host.used_memory,
                };
                let least = fitting.iter().map(|(host, _)| left(host)).min();
                fitting.retain(|(host, _)| Some(left(host)) == least);
            }
            _ => {}
        }
    }
    fitting
        .into_iter()
        .min_by_key(|(host, neighbours)| (*neighbours, host.used_memory, host.used_cpu, &host.arn))
}

fn bucket(host: &Host, field: &str) -> String {
    match field.strip_prefix("attribute:") {
        Some(name) => host.attributes.get(name).cloned().flatten().unwrap_or_default(),
        None => host.arn.clone(),
    }
}

/// The cluster query language, as far as attributes go: `attribute:x == y`, `!=`, `in [a, b]`, `=~ glob`,
/// `exists`, joined by `and`/`or`, `not` before a term. What it cannot read holds for no host.
pub(super) fn expression_holds(text: &str, host: &Host) -> bool {
    let text = text.trim();
    if text.is_empty() {
        return true;
    }
    if let Some((left, right)) = split_word(text, "or") {
        return expression_holds(left, host) || expression_holds(right, host);
    }
    if let Some((left, right)) = split_word(text, "and") {
        return expression_holds(left, host) && expression_holds(right, host);
    }
    if let Some(rest) = text.strip_prefix("not ").or_else(|| text.strip_prefix('!')) {
        return !expression_holds(rest, host);
    }
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return expression_holds(inner, host);
    }
    term_holds(text, host)
}

/// Splits at the last `and`/`or` outside brackets (`&&` and `||` mean the same).
fn split_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let symbol = if word == "and" { "&&" } else { "||" };
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth != 0 {
            continue;
        }
        let rest = &text[at..];
        if let Some(after) = rest.strip_prefix(symbol) {
            return Some((&text[..at], after));
        }
        let spaced = rest.strip_prefix(' ').and_then(|rest| rest.strip_prefix(word));
        if let Some(after) = spaced.filter(|after| after.starts_with(' ')) {
            return Some((&text[..at], after));
        }
    }
    None
}

fn term_holds(text: &str, host: &Host) -> bool {
    let Some((subject, rest)) = text.split_once(char::is_whitespace) else { return false };
    let value = match subject.split_once(':') {
        Some(("attribute", name)) => host.attributes.get(name).map(|value| value.clone().unwrap_or_default()),
        None if subject == "ec2InstanceId" => Some(host.instance_id.clone()),
        None if subject == "agentConnected" => Some("true".to_owned()),
        _ => None,
    };
    let rest = rest.trim();
    let (operator, operand) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let operand = operand.trim();
    let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
    let listed = || operand.trim_matches(['[', ']']).split(',').map(bare).collect::<Vec<_>>();
    match (operator, value) {
        ("exists", value) => value.is_some(),
        ("!exists" | "not_exists", value) => value.is_none(),
        (_, None) => matches!(operator, "!=" | "not_in" | "!in"),
        ("==" | "=" | "equals", Some(value)) => value == bare(operand),
        ("!=" | "not_equals", Some(value)) => value != bare(operand),
        ("in", Some(value)) => listed().contains(&value),
        ("not_in" | "!in", Some(value)) => !listed().contains(&value),
        ("=~" | "matches", Some(value)) => {
            let pattern = bare(operand);
            let regex = regex::Regex::new(&format!("^(?:{pattern})$"));
            let glob = globset::Glob::new(&pattern).map(|glob| glob.compile_matcher());
            regex.is_ok_and(|regex| regex.is_match(&value)) || glob.is_ok_and(|glob| glob.is_match(&value))
        }
        _ => false,
    }
}

/// A host joined, or has room again: whoever waits is tried.
pub(super) fn room(world: &mut World, cluster: &str) {
    let at = world.now + SECOND;
    let Some(found) = world.ecs.clusters.get_mut(cluster) else { return };
    let waiting: Vec<String> = std::mem::take(&mut found.waiting).into_iter().collect();
    if !found.unplaced.is_empty() && found.places_at.is_none_or(|planned| planned > at) {
        found.places_at = Some(at);
        world.schedule(SECOND, WorldEvent::Ecs(Event::Place { cluster: cluster.to_owned(), at }));
    }
    for service in waiting {
        kick(world, &service, SECOND);
    }
}

pub(super) fn place_waiting(world: &mut World, cluster: &str, at: i64) {
    let Some(found) = world.ecs.clusters.get_mut(cluster) else { return };
    if found.places_at != Some(at) {
        return;
    }
    found.places_at = None;
    // In the order of creation, so that a task is not overtaken by one that asked later.
    let mut waiting: Vec<(i64, String)> = found
        .unplaced
        .iter()
        .filter_map(|arn| world.ecs.tasks.get(arn).map(|task| (task.created, arn.clone())))
        .collect();
    waiting.sort();
    for (_, arn) in waiting {
        tasks::try_placement(world, &arn);
    }
}

/// Constraints, strategy and zones of a service's tasks.
pub(super) fn ask<'a>(
    world: &World,
    service: &'a Service,
    definition: &'a str,
    provider: Option<&'a str>,
    network: Option<&Json>,
    group: &'a str,
) -> Ask<'a> {
    Ask {
        cluster: &service.cluster,
        definition,
        provider,
        constraints: &service.placement_constraints,
        strategy: &service.placement_strategy,
        group,
        zones: zones(world, definition, network),
        only: None,
    }
}

/// Zones of the subnets of a network configuration; None if the task has no interface of its own.
pub(super) fn zones(world: &World, definition: &str, network: Option<&Json>) -> Option<Vec<String>> {
    let needs = definitions::needs(world, definition)?;
    if !needs.own_interface {
        return None;
    }
    let subnets = network?.get("awsvpcConfiguration")?.texts("subnets");
    let zones = subnets.into_iter().filter_map(|id| super::network::subnet(world, id));
    Some(zones.map(|subnet| subnet.zone).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        let value = serde_json::json!({
            "arn": "a", "instance_id": "i-1", "cluster": "c", "zone": "us-east-1a", "subnet_id": "s",
            "vpc_id": null, "instance_type": "t3.small", "provider": null, "draining": false,
            "protected": false, "cpu": 2048, "memory": 1900, "interfaces": 2, "used_cpu": 0,
            "used_memory": 0, "used_interfaces": 0, "ports": [], "next_port": 32768, "tasks": [],
            "attributes": {"ecs.instance-type": "t3.small", "pool": "web"}, "registered": 0, "version": 1,
            "tags": {}
        });
        serde_json::from_value(value).expect("a host")
    }

    #[test]
    fn expressions_read_attributes() {
        let host = host();
        assert!(expression_holds("attribute:ecs.instance-type == t3.small", &host));
        assert!(expression_holds("attribute:ecs.instance-type =~ t3.*", &host));
        assert!(expression_holds("attribute:pool in [api, web]", &host));
        assert!(expression_holds("attribute:pool == api or attribute:pool == web", &host));
        assert!(!expression_holds("attribute:pool == web and not(attribute:pool exists)", &host));
        assert!(!expression_holds("attribute:other exists", &host));
    }
}
