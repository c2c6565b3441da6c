//! Which host takes a task: room, constraints, then strategies in their order.

use super::super::Input;
use super::definitions::{self, Needs};
use super::index::Room;
use super::model::{Host, Service};
use super::{Event, kick, tasks};
use crate::World;
use crate::world::{Event as WorldEvent, SECOND};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

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

/// The part of a host's rank that one strategy or habit decides; the least wins.
enum Criterion<'a> {
    /// Tasks of the group on hosts of the same value.
    Spread(&'a str, BTreeMap<&'a str, usize>),
    Neighbours,
    FreeCpu,
    FreeMemory,
    UsedMemory,
    UsedCpu,
}

/// One search for a host.
struct Search<'a> {
    ask: &'a Ask<'a>,
    needs: Needs,
    neighbours: Option<&'a BTreeMap<String, usize>>,
    /// Hosts with tasks of the group, and how many they have.
    occupied: Vec<(&'a Host, usize)>,
    criteria: Vec<Criterion<'a>>,
}

impl<'a> Search<'a> {
    /// Strategies narrow the choice one after the other; what they leave open goes to the host with the fewest
    /// tasks of the group, then to the emptiest.
    fn new(world: &'a World, ask: &'a Ask<'a>, needs: Needs) -> Self {
        let neighbours = world.ecs.index.neighbours(ask.cluster, ask.group);
        let occupied = neighbours.into_iter().flatten();
        let occupied = occupied.filter_map(|(arn, count)| Some((world.ecs.hosts.get(arn)?, *count)));
        let occupied: Vec<(&Host, usize)> = occupied.collect();
        let mut criteria = Vec::new();
        for step in ask.strategy {
            let field = step.text("field").unwrap_or_default();
            match (step.text("type"), field.strip_prefix("attribute:")) {
                (Some("spread"), Some(name)) => {
                    let mut load: BTreeMap<&str, usize> = BTreeMap::new();
                    for (host, count) in occupied.iter().filter(|(host, _)| !host.draining) {
                        *load.entry(attribute(host, name)).or_default() += count;
                    }
                    criteria.push(Criterion::Spread(name, load));
                }
                (Some("spread"), None) => criteria.push(Criterion::Neighbours),
                (Some("binpack"), _) if field.eq_ignore_ascii_case("cpu") => {
                    criteria.push(Criterion::FreeCpu);
                }
                (Some("binpack"), _) => criteria.push(Criterion::FreeMemory),
                _ => {}
            }
        }
        criteria.extend([Criterion::Neighbours, Criterion::UsedMemory, Criterion::UsedCpu]);
        Search { ask, needs, neighbours, occupied, criteria }
    }

    fn neighbours(&self, host: &str) -> usize {
        self.neighbours.and_then(|all| all.get(host)).copied().unwrap_or(0)
    }

    fn takes(&self, host: &Host, neighbours: usize) -> bool {
        lack(host, &self.needs, self.ask, neighbours).is_none()
    }

    /// Puts the host's rank into `into`.
    fn rank(&self, host: &Host, neighbours: usize, into: &mut Vec<i64>) {
        let rank = |criterion: &Criterion| match criterion {
            Criterion::Spread(name, load) => load.get(attribute(host, name)).map_or(0, |count| *count as i64),
            Criterion::Neighbours => neighbours as i64,
            Criterion::FreeCpu => host.cpu - host.used_cpu,
            Criterion::FreeMemory => host.memory - host.used_memory,
            Criterion::UsedMemory => host.used_memory,
            Criterion::UsedCpu => host.used_cpu,
        };
        into.clear();
        into.extend(self.criteria.iter().map(rank));
    }

    /// Hosts among which the best one is: those with tasks of the group, and of each row of the index (hosts of
    /// one class with the same free CPU, which differ only in their memory) the best one without.
    fn candidates(&self, world: &'a World) -> Vec<(&'a Host, usize)> {
        let known = |arn: &String| world.ecs.hosts.get(arn);
        if let Some(only) = self.ask.only {
            return world.ecs.hosts.get(only).map(|host| (host, self.neighbours(only))).into_iter().collect();
        }
        let mut found = self.occupied.clone();
        let fullest_first = self.criteria.iter().any(|one| matches!(one, Criterion::FreeMemory));
        for (class, room) in world.ecs.index.room(self.ask.cluster) {
            if self.ask.provider.is_some() && class.provider.as_deref() != self.ask.provider {
                continue;
            }
            let rows = room.range(self.needs.cpu..).map(|(_, row)| row);
            if self.needs.own_interface && !class.interface || !self.class_fits(world, room) {
                continue;
            }
            for row in rows {
                let fitting = row.range(..=class.memory - self.needs.memory);
                let fresh = |hosts: &'a std::collections::BTreeSet<String>| {
                    let others = hosts.iter().filter(|arn| self.neighbours(arn) == 0).filter_map(known);
                    others.into_iter().find(|host| self.takes(host, 0)).map(|host| (host, 0))
                };
                found.extend(if fullest_first {
                    fitting.rev().find_map(|(_, hosts)| fresh(hosts))
                } else {
                    fitting.into_iter().find_map(|(_, hosts)| fresh(hosts))
                });
            }
        }
        found
    }

    /// Zones and attributes are the same for a whole class: one host stands for all.
    fn class_fits(&self, world: &World, room: &Room) -> bool {
        let sample = room.values().flat_map(BTreeMap::values).flatten().next();
        let Some(host) = sample.and_then(|arn| world.ecs.hosts.get(arn)) else { return false };
        let zones = self.ask.zones.as_ref();
        zones.is_none_or(|zones| zones.contains(&host.zone))
            && self.ask.constraints.iter().chain(&self.needs.constraints).all(|constraint| {
                let text = constraint.text("expression").unwrap_or_default();
                constraint.text("type") != Some("memberOf")
                    || text.contains("ec2InstanceId")
                    || expression_holds(text, host)
            })
    }
}

/// The best host, if any takes it.
pub(super) fn choose(world: &World, ask: &Ask) -> Option<String> {
    let search = Search::new(world, ask, definitions::needs(world, ask.definition)?);
    if !world.ecs.clusters.contains_key(ask.cluster) {
        return None;
    }
    let mut best: Option<&Host> = None;
    let (mut least, mut rank) = (Vec::new(), Vec::new());
    for (host, neighbours) in search.candidates(world) {
        let asked = host.cluster == ask.cluster
            && !host.draining
            && !host.disconnected
            && (ask.provider.is_none() || host.provider.as_deref() == ask.provider);
        if !asked || !search.takes(host, neighbours) {
            continue;
        }
        search.rank(host, neighbours, &mut rank);
        if best.is_none_or(|best| (&rank, &host.arn) < (&least, &best.arn)) {
            std::mem::swap(&mut rank, &mut least);
            best = Some(host);
        }
    }
    best.map(|host| host.arn.clone())
}

/// What the one host asked for lacks, as API failures name it.
pub(super) fn lacks(world: &World, ask: &Ask) -> Option<&'static str> {
    let needs = definitions::needs(world, ask.definition)?;
    let host = world.ecs.hosts.get(ask.only?)?;
    let here = world.ecs.index.neighbours(ask.cluster, ask.group);
    let here = here.and_then(|all| all.get(&host.arn)).copied().unwrap_or(0);
    Some(match lack(host, &needs, ask, here)? {
        Lack::Cpu => "RESOURCE:CPU",
        Lack::Memory => "RESOURCE:MEMORY",
        Lack::Port => "RESOURCE:PORTS",
        Lack::Interface => "RESOURCE:ENI",
        Lack::Attribute => "ATTRIBUTE",
    })
}

/// Why there is no host (the end of an event's sentence). Of each class only the emptiest hosts are looked at.
pub(super) fn why_not(world: &World, ask: &Ask) -> String {
    const LOOKED_AT: usize = 8;
    let Some(needs) = definitions::needs(world, ask.definition) else {
        return "The task definition does not exist.".to_owned();
    };
    if !world.ecs.clusters.contains_key(ask.cluster) {
        return "Cluster not found.".to_owned();
    }
    let neighbours = world.ecs.index.neighbours(ask.cluster, ask.group);
    let rooms = world.ecs.index.room(ask.cluster);
    let emptiest = rooms
        .filter(|(class, _)| ask.provider.is_none() || class.provider.as_deref() == ask.provider)
        .flat_map(|(_, room)| room.values().rev().flat_map(BTreeMap::values).flatten().take(LOOKED_AT));
    let mut closest: Option<(u8, &Host, Lack)> = None;
    for host in emptiest.filter_map(|arn| world.ecs.hosts.get(arn)) {
        if ask.only.is_some_and(|only| only != host.arn) {
            continue;
        }
        let here = neighbours.and_then(|all| all.get(&host.arn)).copied().unwrap_or(0);
        let Some(lack) = lack(host, &needs, ask, here) else { continue };
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
    match closest {
        None if ask.provider.is_some() => {
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
    }
}

fn attribute<'a>(host: &'a Host, name: &str) -> &'a str {
    host.attributes.get(name).and_then(Option::as_deref).unwrap_or_default()
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
    // Room only shrinks here: what found none for one task finds none for the next one like it.
    let mut refused: BTreeSet<tasks::Kind> = BTreeSet::new();
    for (_, arn) in waiting {
        let Some(kind) = tasks::kind(world, &arn).filter(|kind| !refused.contains(kind)) else { continue };
        if !tasks::try_placement(world, &arn) {
            refused.insert(kind);
        }
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
