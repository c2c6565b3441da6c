//! Numbers of requests over an interval, by load balancer, rule, target group and target; and what was lost,
//! where and why.

use super::course::{GroupCourse, Lane, Outcome, Point, Spell};
use super::{flush, rotation};
use crate::World;
use crate::world::Millis;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What is asked about; everything by default. ARNs; `target` is `id:port`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    pub balancer: Option<&'a str>,
    pub rule: Option<&'a str>,
    pub group: Option<&'a str>,
    pub target: Option<&'a str>,
    pub zone: Option<&'a str>,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Cause {
    /// The application answered with a 5xx.
    TargetError,
    /// 502: nothing listened at the target.
    Refused,
    /// 502: the target went, or was let go, while it answered.
    Reset,
    /// 504: nobody was there to connect to.
    Unreachable,
    /// 503: the target group had no target that takes requests.
    NoTarget,
    /// A fixed response with a 5xx.
    FixedResponse,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::TargetError => "5xx of the target",
            Cause::Refused => "502, connection refused",
            Cause::Reset => "502, connection reset",
            Cause::Unreachable => "504, connection timed out",
            Cause::NoTarget => "503, no target",
            Cause::FixedResponse => "fixed response",
        })
    }
}

/// How a request ended: what a leaf of the books counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Answered,
    ClientError,
    /// By the balancer itself, with this status.
    Own(u16),
    Failed(Cause),
}

impl End {
    /// The application worked on it.
    pub fn reached(self) -> bool {
        matches!(self, End::Answered | End::ClientError | End::Failed(Cause::TargetError))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    pub sent: u64,
    /// 2xx and 3xx of targets.
    pub answered: u64,
    /// 4xx of targets: the client's fault, so served.
    pub client_errors: u64,
    /// Redirects and fixed responses below 500.
    pub own: u64,
    pub failed: BTreeMap<Cause, u64>,
}

impl Numbers {
    pub fn served(&self) -> u64 {
        self.answered + self.client_errors + self.own
    }

    pub fn lost(&self) -> u64 {
        self.failed.values().sum()
    }

    fn add(&mut self, end: End, count: u64) {
        self.sent += count;
        match end {
            End::Answered => self.answered += count,
            End::ClientError => self.client_errors += count,
            End::Own(status) if status < 500 => self.own += count,
            End::Own(_) => *self.failed.entry(Cause::FixedResponse).or_default() += count,
            End::Failed(cause) => *self.failed.entry(cause).or_default() += count,
        }
    }
}

/// Requests that failed for one reason at one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    pub from: Millis,
    pub to: Millis,
    pub balancer: String,
    pub rule: String,
    pub group: Option<String>,
    pub target: Option<String>,
    pub cause: Cause,
    pub why: Option<String>,
    pub requests: u64,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |arn: &str| arn.rsplit_once(":").map_or(arn.to_owned(), |(_, tail)| tail.to_owned());
        let at = jiff::Timestamp::from_millisecond(self.from).map(|at| at.to_string()).unwrap_or_default();
        let seconds = (self.to - self.from) as f64 / 1_000.0;
        write!(f, "{at} for {seconds} s: {} ({})", self.requests, self.cause)?;
        let place = self.target.as_deref().or(self.group.as_deref().map(|_| "")).unwrap_or_default();
        let group = self.group.as_deref().map(short).unwrap_or_else(|| short(&self.rule));
        write!(f, " at {group} {place}")?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

/// Requests of one kind at one place, in the interval that is looked at.
pub struct Leaf<'a> {
    pub balancer: &'a str,
    pub rule: &'a str,
    /// ARN of the target group, or what the balancer answers itself: `fixed 503`.
    pub lane: &'a str,
    pub group: Option<&'a str>,
    pub target: Option<&'a str>,
    pub spell: Option<&'a Spell>,
    pub from: Millis,
    pub to: Millis,
    pub end: End,
    pub count: u64,
}

/// What was sent since `from` and before `to`, by how it ended.
pub fn numbers(world: &mut World, scope: &Scope, from: Millis, to: Millis) -> Numbers {
    flush(world);
    let mut numbers = Numbers::default();
    outcomes(world, scope, from, to, &mut |leaf| numbers.add(leaf.end, leaf.count));
    numbers
}

/// Everything that failed in that time, in order of time.
pub fn losses(world: &mut World, scope: &Scope, from: Millis, to: Millis) -> Vec<Loss> {
    flush(world);
    let mut found = Vec::new();
    outcomes(world, scope, from, to, &mut |leaf| {
        let cause = match leaf.end {
            End::Failed(cause) => cause,
            End::Own(500..) => Cause::FixedResponse,
            _ => return,
        };
        found.push(Loss {
            from: leaf.from,
            to: leaf.to,
            balancer: leaf.balancer.to_owned(),
            rule: leaf.rule.to_owned(),
            group: leaf.group.map(str::to_owned),
            target: leaf.target.map(str::to_owned),
            cause,
            why: leaf.spell.and_then(|spell| spell.mode.why.clone()),
            requests: leaf.count,
        });
    });
    found.sort_by(|a, b| (a.from, &a.rule, &a.target).cmp(&(b.from, &b.rule, &b.target)));
    found
}

/// Every kind of outcome at every place that has any in `from <= t < to`. What changed since the world's last
/// step is not in it: [`flush`] first.
pub fn outcomes(world: &World, scope: &Scope, from: Millis, to: Millis, tell: &mut dyn FnMut(Leaf<'_>)) {
    let to = to.min(world.now);
    if from >= to {
        return;
    }
    let one_group = scope.group.and_then(|group| world.traffic.groups.get(group));
    let all = world.traffic.rules.iter();
    let rules: Vec<_> = match one_group {
        Some(group) => group.rules.iter().filter_map(|arn| world.traffic.rules.get_key_value(arn)).collect(),
        None => all.collect(),
    };
    for (arn, rule) in rules {
        let wanted = scope.rule.is_none_or(|rule| rule == arn);
        if !wanted || scope.balancer.is_some_and(|balancer| balancer != rule.balancer) {
            continue;
        }
        for (name, lane) in &rule.lanes {
            if scope.group.is_some_and(|group| group != name) {
                continue;
            }
            let books = Books { seed: world.seed, balancer: &rule.balancer, rule: arn, name, lane, from, to };
            match world.traffic.groups.get(name) {
                Some(group) => books.of_group(group, scope, tell),
                None if scope.target.is_none() && scope.zone.is_none() => books.own(tell),
                None => {}
            }
        }
    }
}

struct Books<'a> {
    seed: u64,
    balancer: &'a str,
    rule: &'a str,
    /// Of the lane.
    name: &'a str,
    lane: &'a Lane,
    from: Millis,
    to: Millis,
}

impl<'a> Books<'a> {
    /// Where the count of a kind of outcome at a place starts, between 0 and 1.
    fn phase(&self, target: &str, kind: &str) -> f64 {
        let bytes = [self.rule, self.name, target, kind].into_iter().flat_map(str::bytes);
        let hash = bytes.fold(self.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }

    fn own(&self, tell: &mut dyn FnMut(Leaf<'a>)) {
        let (before, after) = (self.lane.at(self.from).came, self.lane.at(self.to).came);
        let count = whole(before, after, self.phase("", ""));
        let status = self.name.rsplit_once(' ').and_then(|(_, status)| status.parse().ok());
        let end = status.map_or(End::Failed(Cause::NoTarget), End::Own);
        self.tell(tell, None, None, (self.from, self.to), end, count);
    }

    fn tell(
        &self,
        tell: &mut dyn FnMut(Leaf<'a>),
        target: Option<&'a str>,
        spell: Option<&'a Spell>,
        (from, to): (Millis, Millis),
        end: End,
        count: u64,
    ) {
        if count > 0 {
            let group = self.name.starts_with("arn:").then_some(self.name);
            let (balancer, rule, lane) = (self.balancer, self.rule, self.name);
            tell(Leaf { balancer, rule, lane, group, target, spell, from, to, end, count });
        }
    }

    fn of_group(&self, group: &'a GroupCourse, scope: &Scope, tell: &mut dyn FnMut(Leaf<'a>)) {
        if scope.target.is_none() && scope.zone.is_none() {
            self.nowhere(tell);
        }
        for (key, spells) in &group.spells {
            let ended = spells.last().and_then(|spell| spell.to).is_some_and(|to| to <= self.from);
            let began = spells.first().is_some_and(|spell| spell.from < self.to);
            if began && !ended && scope.target.is_none_or(|target| target == key) {
                self.of_target(key, spells, scope.zone, tell);
            }
        }
    }

    /// While nobody took them.
    fn nowhere(&self, tell: &mut dyn FnMut(Leaf<'a>)) {
        let points = &self.lane.points;
        let first = points.partition_point(|point| point.from <= self.from).saturating_sub(1);
        if points.iter().all(|point| point.weight > 0.0 || point.rate == 0.0) {
            return;
        }
        let mut sum = 0.0;
        let phase = self.phase("", "nowhere");
        for (at, point) in points.iter().enumerate() {
            if point.from >= self.to {
                break;
            }
            let end = points.get(at + 1).map_or(self.to, |next| next.from.min(self.to));
            if point.weight > 0.0 || point.rate == 0.0 {
                continue;
            }
            let came = |time: Millis| sum + point.rate * (time - point.from).max(0) as f64 / 1_000.0;
            let (before, after) = (came(self.from.clamp(point.from, end)), came(end));
            let whole_of_it = came(points.get(at + 1).map_or(end, |next| next.from));
            if at >= first {
                let count = whole(before, after, phase);
                let span = (self.from.max(point.from), end);
                self.tell(tell, None, None, span, End::Failed(Cause::NoTarget), count);
            }
            sum = whole_of_it;
        }
    }

    fn of_target(
        &self,
        key: &'a str,
        spells: &'a [Spell],
        zone: Option<&str>,
        tell: &mut dyn FnMut(Leaf<'a>),
    ) {
        let kinds = ["2", "4", "5", "refused", "reset", "unreachable"];
        let ends = [
            End::Answered,
            End::ClientError,
            End::Failed(Cause::TargetError),
            End::Failed(Cause::Refused),
            End::Failed(Cause::Reset),
            End::Failed(Cause::Unreachable),
        ];
        let phases = kinds.map(|kind| self.phase(key, kind));
        let mut sums = [0.0; 6];
        for spell in spells {
            if spell.from >= self.to {
                break;
            }
            let end = spell.to.unwrap_or(self.to);
            let whole_spell = amounts(spell, &self.lane.at(spell.from), &self.lane.at(end));
            let (from, to) = (spell.from.max(self.from), end.min(self.to));
            if from < to && zone.is_none_or(|zone| spell.mode.zone.as_deref() == Some(zone)) {
                let start = self.lane.at(spell.from);
                let before = amounts(spell, &start, &self.lane.at(from));
                let after = amounts(spell, &start, &self.lane.at(to));
                for kind in 0..kinds.len() {
                    let sum = sums[kind];
                    let count = whole(sum + before[kind], sum + after[kind], phases[kind]);
                    self.tell(tell, Some(key), Some(spell), (from, to), ends[kind], count);
                }
            }
            for (sum, amount) in sums.iter_mut().zip(whole_spell) {
                *sum += amount;
            }
        }
    }
}

/// What a spell's target got between two points, by outcome: 2xx, 4xx, 5xx, refused, reset, unreachable.
fn amounts(spell: &Spell, from: &Point, to: &Point) -> [f64; 6] {
    let all = spell.weight * (to.share - from.share).max(0.0);
    let faulty = spell.weight * (to.share_faulty - from.share_faulty).max(0.0);
    match spell.mode.outcome {
        Outcome::Answered { errors } => {
            let rest = (all - faulty).max(0.0);
            [rest * (1.0 - errors), faulty, rest * errors, 0.0, 0.0, 0.0]
        }
        Outcome::Refused => [0.0, 0.0, 0.0, all, 0.0, 0.0],
        Outcome::Reset => [0.0, 0.0, 0.0, 0.0, all, 0.0],
        Outcome::Unreachable => [0.0, 0.0, 0.0, 0.0, 0.0, all],
    }
}

fn whole(before: f64, after: f64, phase: f64) -> u64 {
    ((after + phase).floor() - (before + phase).floor()).max(0.0) as u64
}

/// What is not as it must be: requests that came are those that were answered and those that failed; the
/// weights that requests are parted by are those of the targets that take part.
pub fn broken(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    if !world.traffic.dirty.is_empty() {
        return found;
    }
    for (arn, group) in &world.traffic.groups {
        found.extend(rotation::stale(world, arn, group));
        let open: f64 = group.spells.keys().filter_map(|key| group.open(key)).map(|spell| spell.weight).sum();
        if (open - group.weight).abs() > 1e-6 {
            found.push(format!("targets of {arn} weigh {open}, their group {}", group.weight));
        }
        for (key, spells) in &group.spells {
            let ordered = spells.windows(2).all(|pair| pair[0].to.is_some_and(|to| to <= pair[1].from));
            if !ordered {
                found.push(format!("target {key} of {arn} takes part twice at once: {spells:?}"));
            }
        }
    }
    for (arn, rule) in &world.traffic.rules {
        for (name, lane) in &rule.lanes {
            let Some(group) = world.traffic.groups.get(name) else { continue };
            let start = lane.points.first().map_or(0, |point| point.from);
            let came = lane.at(world.now).came;
            let ended = ended(group, lane, start, world.now);
            if (came - ended).abs() > 1e-6 * came.max(1.0) {
                found.push(format!("{came} requests came by {arn} to {name}, {ended} ended"));
            }
        }
    }
    found
}

/// All outcomes of a lane together; only as exact as what is still kept.
fn ended(group: &GroupCourse, lane: &Lane, start: Millis, now: Millis) -> f64 {
    let mut sum = 0.0;
    for spells in group.spells.values() {
        for spell in spells {
            let (from, to) = (spell.from.max(start), spell.to.unwrap_or(now));
            if from < to {
                sum += amounts(spell, &lane.at(from), &lane.at(to)).iter().sum::<f64>();
            }
        }
    }
    for (at, point) in lane.points.iter().enumerate() {
        let end = lane.points.get(at + 1).map_or(now, |next| next.from);
        if point.weight <= 0.0 {
            sum += point.rate * (end - point.from) as f64 / 1_000.0;
        }
    }
    sum
}
