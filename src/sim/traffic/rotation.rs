//! Which targets of a group take requests, in which parts, and what answers behind them.

use super::course::{GroupCourse, Hosts, KEPT_POINTS, Leaving, Mode, Outcome, Spell};
use super::flow::STEPS;
use super::{Event, schedule};
use crate::World;
use crate::service::ecs;
use crate::service::elbv2::{self, Seen, SeenTarget};
use crate::world::{Millis, SECOND};
use std::collections::{BTreeMap, BTreeSet};

/// The balancer's nodes learn of a target that was deregistered after a moment, as they do of a new one. A
/// target that drains answers meanwhile; one that is gone does not.
const LEARNED: Millis = 5 * SECOND;

pub(super) fn leaves(world: &mut World, group: &str, key: &str) {
    let until = world.now + LEARNED;
    let Some(course) = world.traffic.groups.get_mut(group) else { return };
    let Some(weight) = course.open(key).map(|spell| spell.weight) else { return };
    if course.leaving.contains_key(key) {
        return;
    }
    let Some(target) = elbv2::target(world, group, key) else { return };
    let Some(course) = world.traffic.groups.get_mut(group) else { return };
    let leaving = Leaving { until, id: target.id.clone(), port: target.port, zone: target.zone, weight };
    course.leaving.insert(key.to_owned(), leaving);
    world.traffic.leaving.entry(target.id).or_default().insert(group.to_owned());
    schedule(world, LEARNED, Event::Group(group.to_owned()));
}

/// Targets that were at this place and are about to be left: group and key.
pub(super) fn left_at(world: &World, id: &str, port: i64) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for group in world.traffic.leaving.get(id).into_iter().flatten() {
        let leaving = world.traffic.groups.get(group).into_iter().flat_map(|course| &course.leaving);
        let here = leaving.filter(|(_, one)| one.id == id && one.port.unwrap_or(0) == port);
        found.extend(here.map(|(key, _)| (group.clone(), key.clone())));
    }
    found
}

/// The nodes have learned of targets that went, or others have warmed up some more.
pub(super) fn due(world: &mut World, group: &str) {
    let now = world.now;
    let Some(course) = world.traffic.groups.get(group) else { return };
    if course.ramps_at == Some(now) {
        return super::group_changed(world, group);
    }
    let over = course.leaving.iter().filter(|(_, leaving)| leaving.until <= now);
    for key in over.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
        super::target_changed(world, group, &key);
    }
}

/// What is counted of a group's targets, so that a change of one costs no look at the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    in_use: bool,
    /// Too few are healthy: all that are checked get requests.
    open: bool,
    /// State and zone of each target.
    known: BTreeMap<String, (&'static str, String)>,
    /// By zone: healthy, unhealthy, all.
    zones: BTreeMap<String, (i64, i64, i64)>,
}

impl Tally {
    fn of(seen: &Seen) -> Tally {
        let mut tally = Tally { in_use: seen.in_use, ..Tally::default() };
        for (key, target) in &seen.targets {
            tally.put(key, target);
        }
        tally.open = tally.is_open(seen);
        tally
    }

    /// Counts these targets anew. Returns whether the others take part as they did.
    fn follow(&mut self, keys: &BTreeSet<String>, seen: &Seen) -> bool {
        for key in keys {
            if let Some((state, zone)) = self.known.remove(key) {
                self.count(state, &zone, -1);
            }
            if let Some(target) = seen.targets.get(key) {
                self.put(key, target);
            }
        }
        self.in_use && seen.in_use && self.open == self.is_open(seen)
    }

    fn put(&mut self, key: &str, target: &SeenTarget) {
        let zone = target.zone.clone().unwrap_or_default();
        self.count(target.state, &zone, 1);
        self.known.insert(key.to_owned(), (target.state, zone));
    }

    fn count(&mut self, state: &str, zone: &str, by: i64) {
        if !self.zones.contains_key(zone) {
            self.zones.insert(zone.to_owned(), (0, 0, 0));
        }
        let Some(count) = self.zones.get_mut(zone) else { return };
        match state {
            "healthy" => count.0 += by,
            "unhealthy" => count.1 += by,
            _ => {}
        }
        count.2 += by;
        if count.2 == 0 {
            self.zones.remove(zone);
        }
    }

    fn is_open(&self, seen: &Seen) -> bool {
        let (healthy, unhealthy) =
            self.zones.values().fold((0, 0), |sum, zone| (sum.0 + zone.0, sum.1 + zone.1));
        let checked = usize::try_from(healthy + unhealthy).unwrap_or(0);
        healthy == 0 || healthy < seen.least_healthy(checked) as i64
    }
}

/// A target that takes requests now.
#[derive(Debug, PartialEq)]
struct Part {
    weight: f64,
    mode: Mode,
}

/// Which targets take part from now on, and how. Only these keys are looked at, if what changed with them
/// leaves the other targets as they are.
pub(super) fn settle(world: &mut World, group: &str, only: Option<&BTreeSet<String>>) {
    let now = world.now;
    let mut seen = elbv2::rotation(world, group, only);
    let in_use = seen.as_ref().is_some_and(|seen| seen.in_use);
    if !in_use && !world.traffic.groups.contains_key(group) {
        return;
    }
    let mut course = world.traffic.groups.remove(group).unwrap_or_default();
    let whole = |leaving: &Leaving| leaving.weight.fract() == 0.0;
    let plain = seen.as_ref().is_some_and(|seen| seen.warmth() == 0) && course.leaving.values().all(whole);
    let mut tally = course.tally.take().filter(|_| plain);
    let only = only.filter(|keys| match (&mut tally, &seen) {
        (Some(tally), Some(seen)) => tally.follow(keys, seen),
        _ => false,
    });
    if only.is_none() {
        seen = elbv2::rotation(world, group, None);
        tally = None;
    }
    let seen = seen.unwrap_or_default();
    let tally = tally.unwrap_or_else(|| Tally::of(&seen));
    count_hosts(&mut course, now, &tally);
    let gone = |key: &String| !seen.targets.contains_key(key);
    let over = take_over(world, &mut course, group, only);
    let known = || course.entered.keys().chain(course.leaving.keys()).chain(seen.targets.keys());
    let looked_at = only.cloned().unwrap_or_else(|| known().cloned().collect());
    let parts =
        if in_use { parts(world, &mut course, &seen, &looked_at, tally.open) } else { BTreeMap::new() };
    // Those that take part, did until now, or may still have requests under way.
    let keys: BTreeSet<String> = match only {
        Some(keys) => keys.clone(),
        None => parts.keys().chain(recent(&course, now)).cloned().collect(),
    };
    let before: f64 = keys.iter().filter_map(|key| course.open(key)).map(|spell| spell.weight).sum();
    for key in keys {
        if let Some(why) = broke_off(world, &course, &key, over.contains(&key) && gone(&key)) {
            course.cut(&key, now, why);
        }
        match (course.open(&key), parts.get(&key)) {
            (Some(spell), Some(part)) if spell.weight == part.weight && spell.mode == part.mode => {}
            (_, Some(part)) => course.begin(&key, now, part.weight, part.mode.clone()),
            (Some(_), None) => course.close(&key, now),
            (None, None) => {}
        }
    }
    let weight: f64 = parts.values().map(|part| part.weight).sum();
    course.weight = if only.is_some() { course.weight - before + weight } else { weight };
    course.tally = Some(tally);
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

/// Targets whose spell is open or ended so short ago that requests may be under way.
fn recent(course: &GroupCourse, now: Millis) -> impl Iterator<Item = &String> {
    let under_way = move |spell: &Spell| now - (spell.mode.latency_ms.ceil() as Millis);
    let spells = course.spells.iter();
    let recent = spells.filter(move |(_, spells)| {
        spells.last().is_some_and(|spell| spell.to.is_none_or(|to| to >= under_way(spell)))
    });
    recent.map(|(key, _)| key)
}

/// Targets that the nodes have learned of now.
fn take_over(
    world: &mut World,
    course: &mut GroupCourse,
    group: &str,
    only: Option<&BTreeSet<String>>,
) -> BTreeSet<String> {
    let now = world.now;
    let over: BTreeMap<String, Leaving> = match only {
        None => course.leaving.extract_if(.., |_, leaving| leaving.until <= now).collect(),
        Some(keys) => {
            let over = |key: &&String| course.leaving.get(*key).is_some_and(|leaving| leaving.until <= now);
            let over: Vec<&String> = keys.iter().filter(over).collect();
            over.into_iter().filter_map(|key| course.leaving.remove_entry(key)).collect()
        }
    };
    for leaving in over.values() {
        if let Some(groups) = world.traffic.leaving.get_mut(&leaving.id) {
            groups.remove(group);
            if groups.is_empty() {
                world.traffic.leaving.remove(&leaving.id);
            }
        }
    }
    over.into_keys().collect()
}

fn count_hosts(course: &mut GroupCourse, now: Millis, tally: &Tally) {
    let registered = if tally.in_use { tally.known.len() } else { 0 };
    let zones: Vec<(&String, (i64, i64))> =
        tally.zones.iter().map(|(zone, count)| (zone, (count.0, count.1))).collect();
    let same = |last: &Hosts| {
        let mut pairs = last.zones.iter().zip(&zones);
        (last.registered, last.zones.len()) == (registered, zones.len())
            && pairs.all(|((zone, count), (name, now))| zone == *name && count == now)
    };
    match course.hosts.last() {
        Some(last) if same(last) => return,
        Some(last) if last.from == now => drop(course.hosts.pop()),
        _ => {}
    }
    let zones = zones.into_iter().map(|(zone, count)| (zone.clone(), count)).collect();
    course.hosts.push(Hosts { from: now, zones, registered });
    if course.hosts.len() > KEPT_POINTS {
        course.hosts.drain(..KEPT_POINTS / 4);
    }
}

/// The parts of these targets. The healthy ones have one; with fewer healthy ones than the group asks for, all that
/// are checked ("If a target group contains only unhealthy registered targets, the load balancer routes requests to
/// all those targets": User Guide, health checks; unhealthy state actions). And those that are about to be left.
fn parts(
    world: &mut World,
    course: &mut GroupCourse,
    seen: &Seen,
    keys: &BTreeSet<String>,
    open: bool,
) -> BTreeMap<String, Part> {
    let now = world.now;
    let routable = |key: &String| {
        let target = seen.targets.get(key);
        target.filter(|target| target.state == "healthy" || open && target.checked)
    };
    let warm = seen.warmth();
    // "Targets do not enter slow start mode" while there is none that is past it (User Guide, slow start).
    let past = |key: &String| course.entered.get(key).is_some_and(|since| now - since >= warm);
    let ramps = warm > 0 && seen.targets.keys().any(|key| routable(key).is_some() && past(key));
    let first = if ramps { now } else { now - warm };
    let mut next = None;
    let mut all = BTreeMap::new();
    for key in keys {
        let part = if let Some(target) = routable(key) {
            course.leaving.remove(key);
            let since = *course.entered.entry(key.clone()).or_insert(first);
            let step = (warm / STEPS).max(1);
            let warms_up = warm > 0 && now - since < warm;
            if warms_up {
                next = Some(next.map_or(step, |other: Millis| other.min(step)));
            }
            let warmed = ((now - since) / step) as f64 / STEPS as f64 + 0.5 / STEPS as f64;
            let why =
                if open { "no target of the group is healthy" } else { "nothing listens there any more" };
            let mode = mode(world, &target.id, target.port, &target.zone, why);
            Part { weight: if warms_up { warmed } else { 1.0 }, mode }
        } else {
            course.entered.remove(key);
            let Some(leaving) = course.leaving.get(key) else { continue };
            let why = "the target was gone before the balancer had learned of it";
            let mode = mode(world, &leaving.id, leaving.port, &leaving.zone, why);
            Part { weight: leaving.weight, mode }
        };
        all.insert(key.clone(), part);
    }
    if let Some(after) = next
        && course.ramps_at.is_none_or(|at| at <= now)
    {
        course.ramps_at = Some(now + after);
        schedule(world, after, Event::Group(seen.arn.clone()));
    }
    all
}

/// What is told of a group's targets that is not so: what nobody said had changed.
pub(super) fn stale(world: &World, group: &str, course: &GroupCourse) -> Vec<String> {
    let seen = elbv2::rotation(world, group, None).unwrap_or_default();
    let mut found = Vec::new();
    let Some(tally) = &course.tally else { return found };
    let is = Tally::of(&seen);
    if *tally != is && !(tally.known.is_empty() && is.known.is_empty()) {
        found.push(format!("targets of {group} were counted as {tally:?}, and are {is:?}"));
    }
    for (key, target) in &seen.targets {
        let Some(spell) = course.open(key) else { continue };
        let is = Mode { why: None, ..mode(world, &target.id, target.port, &target.zone, "") };
        let was = Mode { why: None, ..spell.mode.clone() };
        if was != is {
            found.push(format!("target {key} of {group} answers in another way than {:?}", spell.mode));
        }
    }
    found
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
