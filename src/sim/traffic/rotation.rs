//! Which targets of a group take requests, in which parts, and what answers behind them.

use super::course::{GroupCourse, Hosts, KEPT_POINTS, Leaving, Mode, Outcome, Spell};
use super::flow::{SESSION, STEPS};
use super::{Event, schedule};
use crate::World;
use crate::service::ecs;
use crate::service::elbv2::{self, Seen};
use crate::world::{Millis, SECOND};
use std::collections::{BTreeMap, BTreeSet};

/// The balancer's nodes learn of a target that was deregistered after a moment, as they do of a new one. A
/// target that drains answers meanwhile; one that is gone does not.
const LEARNED: Millis = 5 * SECOND;

pub(super) fn leaves(world: &mut World, group: &str, key: &str) {
    let until = world.now + LEARNED;
    let Some(target) = elbv2::target(world, group, key) else { return };
    let Some(course) = world.traffic.groups.get_mut(group) else { return };
    let Some(weight) = course.open(key).map(|spell| spell.weight) else { return };
    if course.leaving.contains_key(key) {
        return;
    }
    world.traffic.leaving.entry(target.id.clone()).or_default().insert(group.to_owned());
    let leaving = Leaving { until, id: target.id, port: target.port, zone: target.zone, weight };
    course.leaving.insert(key.to_owned(), leaving);
    schedule(world, LEARNED, Event::Group(group.to_owned()));
}

/// A target that takes requests now.
struct Part {
    weight: f64,
    mode: Mode,
}

pub(super) fn settle(world: &mut World, group: &str) {
    let now = world.now;
    let seen = elbv2::rotation(world, group);
    let in_use = seen.as_ref().is_some_and(|seen| seen.in_use);
    if !in_use && !world.traffic.groups.contains_key(group) {
        return;
    }
    let mut course = world.traffic.groups.remove(group).unwrap_or_default();
    let seen = seen.unwrap_or_default();
    count_hosts(&mut course, now, &seen);
    let over: BTreeMap<String, Leaving> =
        course.leaving.extract_if(.., |_, leaving| leaving.until <= now).collect();
    for leaving in over.values() {
        if let Some(groups) = world.traffic.leaving.get_mut(&leaving.id) {
            groups.remove(group);
        }
    }
    world.traffic.leaving.retain(|_, groups| !groups.is_empty());
    let parts = if in_use { parts(world, &mut course, &seen) } else { BTreeMap::new() };
    // Those that take part, did until now, or may still have requests under way.
    let recent = |spells: &Vec<Spell>| {
        let last = spells.last();
        let under_way = |spell: &Spell| now - (spell.mode.latency_ms.ceil() as Millis);
        last.is_some_and(|spell| spell.to.is_none_or(|to| to >= under_way(spell)))
    };
    let known = course.spells.iter().filter(|(_, spells)| recent(spells)).map(|(key, _)| key);
    let keys: BTreeSet<String> = parts.keys().chain(known).cloned().collect();
    for key in keys {
        let gone = !seen.targets.contains_key(&key);
        if let Some(why) = broke_off(world, &course, &key, over.contains_key(&key) && gone) {
            course.cut(&key, now, why);
        }
        match (course.open(&key), parts.get(&key)) {
            (Some(spell), Some(part)) if spell.weight == part.weight && spell.mode == part.mode => {}
            (_, Some(part)) => course.begin(&key, now, part.weight, part.mode.clone()),
            (Some(_), None) => course.close(&key, now),
            (None, None) => {}
        }
    }
    course.weight = parts.values().map(|part| part.weight).sum();
    let (rules, weight) = (course.rules.clone(), course.weight);
    world.traffic.groups.insert(group.to_owned(), course);
    for rule in rules {
        let rule = world.traffic.rules.get_mut(&rule);
        if let Some(lane) = rule.and_then(|rule| rule.lanes.get_mut(group))
            && let Some(point) = lane.now().copied()
        {
            lane.set(now, point.rate, point.client_errors, weight);
        }
    }
}

fn count_hosts(course: &mut GroupCourse, now: Millis, seen: &Seen) {
    let mut zones: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for target in seen.targets.values() {
        let count = zones.entry(target.zone.clone().unwrap_or_default()).or_default();
        match target.state {
            "healthy" => count.0 += 1,
            "unhealthy" => count.1 += 1,
            _ => {}
        }
    }
    let hosts = Hosts { from: now, zones, registered: if seen.in_use { seen.targets.len() } else { 0 } };
    match course.hosts.last() {
        Some(last) if last.zones == hosts.zones && last.registered == hosts.registered => return,
        Some(last) if last.from == now => drop(course.hosts.pop()),
        _ => {}
    }
    course.hosts.push(hosts);
    if course.hosts.len() > KEPT_POINTS {
        course.hosts.drain(..KEPT_POINTS / 4);
    }
}

/// The healthy ones; with fewer healthy ones than the group asks for, all that are checked ("If a target group
/// contains only unhealthy registered targets, the load balancer routes requests to all those targets": User
/// Guide, health checks; unhealthy state actions). And those that are about to be left.
fn parts(world: &mut World, course: &mut GroupCourse, seen: &Seen) -> BTreeMap<String, Part> {
    let now = world.now;
    let state = |wanted: &'static str| seen.targets.iter().filter(move |(_, target)| target.state == wanted);
    let healthy = state("healthy").count();
    let registered = seen.targets.values().filter(|target| target.checked).count();
    let open = healthy == 0 || healthy < seen.least_healthy(registered);
    let routable: BTreeSet<&String> = seen
        .targets
        .iter()
        .filter(|(_, target)| target.state == "healthy" || open && target.checked)
        .map(|(key, _)| key)
        .collect();
    course.leaving.retain(|key, _| !routable.contains(key));
    course.entered.retain(|key, _| routable.contains(key));
    let mut all = BTreeMap::new();
    let warm = seen.warms_up.max(if seen.sticky > 0 { seen.sticky.min(SESSION) } else { 0 });
    // "Targets do not enter slow start mode" while there is none that is past it (User Guide, slow start).
    let past = |key: &&&String| course.entered.get(**key).is_some_and(|since| now - since >= warm);
    let ramps = warm > 0 && routable.iter().any(|key| past(&key));
    let mut next = None;
    for key in &routable {
        let target = &seen.targets[*key];
        let first = if ramps { now } else { now - warm };
        let since = *course.entered.entry((*key).clone()).or_insert(first);
        let weight = if warm > 0 && now - since < warm {
            let step = (warm / STEPS).max(1);
            next = Some(next.map_or(step, |other: Millis| other.min(step)));
            ((now - since) / step) as f64 / STEPS as f64 + 0.5 / STEPS as f64
        } else {
            1.0
        };
        let why = if open { "no target of the group is healthy" } else { "nothing listens there any more" };
        all.insert(
            (*key).clone(),
            Part { weight, mode: mode(world, &target.id, target.port, &target.zone, why) },
        );
    }
    for (key, leaving) in &course.leaving {
        let why = "the target was gone before the balancer had learned of it";
        let mode = mode(world, &leaving.id, leaving.port, &leaving.zone, why);
        all.insert(key.clone(), Part { weight: leaving.weight, mode });
    }
    if let Some(after) = next
        && course.ramps_at.is_none_or(|at| at <= now)
    {
        course.ramps_at = Some(now + after);
        schedule(world, after, Event::Group(seen.arn.clone()));
    }
    all
}

fn mode(world: &World, id: &str, port: Option<i64>, zone: &Option<String>, why: &str) -> Mode {
    let backend = ecs::backend(world, id, port.unwrap_or(0));
    let outcome = match backend.answers {
        Some(true) => Outcome::Answered { errors: backend.work.errors },
        // What answers its health checks wrongly answers everybody so.
        Some(false) => Outcome::Answered { errors: 1.0 },
        None if backend.reachable => Outcome::Refused,
        None => Outcome::Unreachable,
    };
    Mode {
        outcome,
        why: (!outcome.answers()).then(|| why.to_owned()),
        latency_ms: backend.work.latency_ms,
        cpu_ms: backend.work.cpu_ms,
        vcpus: backend.vcpus,
        service: backend.service,
        instance: backend.instance,
        zone: zone.clone(),
    }
}

/// Why requests that are under way at a target get no answer, if so: it went silent, or its connections were
/// closed without draining.
fn broke_off(world: &World, course: &GroupCourse, key: &str, closed: bool) -> Option<&'static str> {
    let last = course.spells.get(key)?.last()?;
    let longest = last.mode.latency_ms.ceil() as Millis;
    if !last.mode.outcome.answers() || last.to.is_some_and(|to| to < world.now - longest) {
        return None;
    }
    if closed {
        return Some("the target was deregistered without draining");
    }
    let (id, port) = key.rsplit_once(':').map_or((key, 0), |(id, port)| (id, port.parse().unwrap_or(0)));
    let backend = ecs::backend(world, id, port);
    match backend.answers {
        Some(_) => None,
        None if backend.reachable => Some("the target stopped while it answered"),
        None => Some("the target was terminated while it answered"),
    }
}
