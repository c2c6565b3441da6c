//! The requests that clients send to load balancers, as rates: constant between two changes of the world, so
//! that nothing happens per request and every number is an integral.
//!
//! What users send is declared ([`Stream`]); what becomes of it follows from rules, targets and what answers
//! behind them. A change marks what it touches; before time goes on, the rates of what is marked are found
//! anew ([`flush`]). Requests are whole: where the integral of a kind of answers at a target passes the next
//! whole number (from a start drawn per place out of the world's seed), there was one more.

mod course;
mod flow;
mod numbers;
pub mod order;
mod rotation;
#[cfg(test)]
mod tests;

pub use course::{Mode, Outcome, Spell};
pub use flow::SESSION;
pub use numbers::{Cause, End, Leaf, Loss, Numbers, Scope, broken, losses, numbers, outcomes};

use super::World;
use super::named::Named;
use super::service::{cloudwatch, ecs};
use super::world::{self, Millis};
use course::{GroupCourse, RuleCourse};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What comes to each rule of a listener on port 80 or 443 unless something else is declared, in requests a
/// second. Other ports (test listeners) get what is declared for them only.
pub const DEFAULT_RATE: f64 = 10.0;
const DEFAULT_PORTS: [i64; 2] = [80, 443];

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The last one that fits a rule counts.
    streams: Vec<Stream>,
    next: u32,
    /// By ARN; those of deleted rules and groups are kept: what they served is history.
    rules: BTreeMap<String, RuleCourse>,
    groups: Named<GroupCourse, 2>,
    /// Running tasks of a service, from when on.
    services: BTreeMap<String, Vec<(Millis, i64)>>,
    /// Groups that a target (by id) is about to be left by the nodes of.
    leaving: BTreeMap<String, BTreeSet<String>>,
    dirty: Dirty,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Dirty {
    rules: bool,
    /// Groups with all of their targets.
    groups: BTreeSet<String>,
    /// Groups of which only these targets are not as they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    targets: BTreeMap<String, BTreeSet<String>>,
    services: BTreeSet<String>,
}

impl Dirty {
    fn is_empty(&self) -> bool {
        !self.rules && self.groups.is_empty() && self.targets.is_empty() && self.services.is_empty()
    }
}

/// A declared stream of requests: so many a second to each rule that it fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    pub number: u32,
    pub from: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    #[serde(flatten)]
    pub what: Requests,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// Name of the load balancer; `*` for any text.
    #[serde(default = "any")]
    pub balancer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Priority or ARN of a rule, or `default`; without it every rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Requests a second.
    pub rate: f64,
    /// 0 to 1: the share of requests that are the client's fault (4xx from any target).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_errors: f64,
}

fn any() -> String {
    "*".to_owned()
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A stream begins or ends, or sessions have moved on.
    Rules,
    /// The nodes have learned of a change, or a target has warmed up some more.
    Group(String),
}

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Rules => rules_changed(world),
        Event::Group(group) => rotation::due(world, &group),
    }
}

fn schedule(world: &mut World, after: Millis, event: Event) {
    world.schedule(after, world::Event::Traffic(event));
}

/// elbv2: balancers, listeners, rules or their weights are not as they were.
pub fn rules_changed(world: &mut World) {
    world.traffic.dirty.rules = true;
}

/// elbv2: something that all targets of the group depend on is not as it was.
pub fn group_changed(world: &mut World, group: &str) {
    if !world.traffic.dirty.groups.contains(group) {
        world.traffic.dirty.groups.insert(group.to_owned());
    }
}

/// elbv2: this target came, went, changed its health, or something else answers behind it.
pub fn target_changed(world: &mut World, group: &str, key: &str) {
    let targets = &mut world.traffic.dirty.targets;
    match targets.get_mut(group) {
        Some(keys) => drop(keys.insert(key.to_owned())),
        None => drop(targets.insert(group.to_owned(), BTreeSet::from([key.to_owned()]))),
    }
}

/// elbv2: this target is deregistered, or being so. The balancer's nodes learn of it a moment later.
pub fn target_leaves(world: &mut World, group: &str, key: &str) {
    rotation::leaves(world, group, key);
    target_changed(world, group, key);
}

/// elbv2: something else answers at this port of an address or instance.
pub fn app_changed(world: &mut World, id: &str, port: i64) {
    for (group, key) in rotation::left_at(world, id, port) {
        target_changed(world, &group, &key);
    }
}

/// ecs: tasks of the service came or went.
pub fn service_changed(world: &mut World, service: &str) {
    if !world.traffic.dirty.services.contains(service) {
        world.traffic.dirty.services.insert(service.to_owned());
    }
}

/// Finds the rates that hold from now on, where something changed. Returns whether anything had.
pub fn flush(world: &mut World) -> bool {
    if world.traffic.dirty.is_empty() {
        return false;
    }
    let mut dirty = std::mem::take(&mut world.traffic.dirty);
    let mut moved = BTreeSet::new();
    if dirty.rules {
        flow::settle_rules(world, &mut dirty.groups, &mut moved);
    }
    // None: all of its targets.
    let mut groups: BTreeMap<String, Option<BTreeSet<String>>> =
        dirty.targets.into_iter().map(|(group, keys)| (group, Some(keys))).collect();
    groups.extend(dirty.groups.into_iter().map(|group| (group, None)));
    for (group, keys) in &groups {
        rotation::settle(world, group, keys.as_ref());
        cloudwatch::wake(world, &cloudwatch::Subject::Group(group.clone()));
    }
    for group in moved.iter().filter(|group| !groups.contains_key(*group)) {
        cloudwatch::wake(world, &cloudwatch::Subject::Group(group.clone()));
    }
    for service in &dirty.services {
        settle_service(world, service);
    }
    true
}

/// As long as CloudWatch keeps one-minute data.
pub const KEPT: Millis = 15 * 24 * 60 * world::MINUTE;

fn settle_service(world: &mut World, service: &str) {
    let (now, running) = (world.now, ecs::running_count(world, service));
    let course = world.traffic.services.entry(service.to_owned()).or_default();
    if course.last().map_or(0, |(_, count)| *count) == running {
        return;
    }
    course.push((now, running));
    if course.len() > course::KEPT_POINTS {
        course.drain(..course::KEPT_POINTS / 4);
    }
    cloudwatch::wake(world, &cloudwatch::Subject::Service(service.to_owned()));
}

/// Mean number of running tasks over `from <= t < to`.
pub fn running_tasks(world: &World, service: &str, from: Millis, to: Millis) -> f64 {
    let Some(course) = world.traffic.services.get(service) else { return 0.0 };
    let first = course.partition_point(|(at, _)| *at <= from).saturating_sub(1);
    let mut area = 0.0;
    for (at, (begins, count)) in course.iter().enumerate().skip(first) {
        if *begins >= to {
            break;
        }
        let ends = course.get(at + 1).map_or(to, |(next, _)| (*next).min(to));
        area += (ends - (*begins).max(from)).max(0) as f64 * *count as f64;
    }
    area / (to - from).max(1) as f64
}

impl State {
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }
}

/// Mean and bounds of a number over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    pub mean: f64,
    pub min: f64,
    pub max: f64,
}

/// How many targets of a group were healthy and unhealthy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostLevels {
    pub healthy: Level,
    pub unhealthy: Level,
}

/// None while the group had no targets.
pub fn hosts(world: &World, group: &str, zone: Option<&str>, from: Millis, to: Millis) -> Option<HostLevels> {
    let course = &world.traffic.groups.get(group)?.hosts;
    let first = course.partition_point(|hosts| hosts.from <= from).saturating_sub(1);
    let none = Level { mean: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
    let (mut levels, mut time) = ([none, none], 0.0);
    for (at, hosts) in course.iter().enumerate().skip(first) {
        if hosts.from >= to {
            break;
        }
        let end = course.get(at + 1).map_or(to, |next| next.from.min(to));
        let lasts = (end - hosts.from.max(from)) as f64;
        if lasts <= 0.0 || hosts.registered == 0 {
            continue;
        }
        let counted = hosts.zones.iter().filter(|(name, _)| zone.is_none_or(|zone| zone == *name));
        let (healthy, unhealthy) = counted.fold((0, 0), |sum, (_, one)| (sum.0 + one.0, sum.1 + one.1));
        time += lasts;
        for (level, count) in levels.iter_mut().zip([healthy as f64, unhealthy as f64]) {
            level.mean += count * lasts;
            level.min = level.min.min(count);
            level.max = level.max.max(count);
        }
    }
    let [healthy, unhealthy] = levels.map(|level| Level { mean: level.mean / time, ..level });
    (time > 0.0).then_some(HostLevels { healthy, unhealthy })
}

/// Target groups that tasks of the service were targets of.
pub fn groups_before(world: &World, service: &str) -> Vec<String> {
    let groups = world.traffic.groups.iter().filter(|(_, group)| group.services.contains(service));
    groups.map(|(arn, _)| arn.clone()).collect()
}

/// Target groups with targets on the instance.
pub fn groups_on(world: &World, instance: &str) -> Vec<String> {
    let there = |spell: &Spell| spell.mode.instance.as_deref() == Some(instance);
    let groups = world.traffic.groups.iter();
    let found = groups.filter(|(_, group)| group.spells.values().flatten().any(there));
    found.map(|(arn, _)| arn.clone()).collect()
}

/// Services whose tasks were targets of the group.
pub fn services_behind(world: &World, group: &str) -> Vec<String> {
    let course = world.traffic.groups.get(group);
    course.map(|course| course.services.iter().cloned().collect()).unwrap_or_default()
}
