//! What is kept of the past: the rates of rules, and when a target took part with what outcome.

use crate::named::Named;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KEPT_POINTS: usize = 4_000;
/// Targets that are gone and still told of, a group.
const KEPT_TARGETS: usize = 1_000;

/// A rule, and where its requests went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct RuleCourse {
    pub balancer: String,
    /// By target group's ARN, or by what the balancer answers itself: `redirect 301`, `fixed 503`.
    pub lanes: BTreeMap<String, Lane>,
    /// Shares of the groups that it moves to, and where it came from: sessions stay where they began.
    pub shares: BTreeMap<String, f64>,
    pub before: BTreeMap<String, f64>,
    pub since: Millis,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lane {
    pub points: Vec<Point>,
}

/// From here on these rates hold. The sums are those up to here.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Point {
    pub from: Millis,
    /// Requests a second.
    pub rate: f64,
    /// Of these, the share that is the client's fault.
    pub client_errors: f64,
    /// All weights of the targets that share them; 0: nobody takes them.
    pub weight: f64,
    /// Requests that came.
    pub came: f64,
    /// Requests a unit of weight got, and of these the client's faults.
    pub share: f64,
    pub share_faulty: f64,
}

impl Lane {
    /// The sums at a time.
    pub fn at(&self, time: Millis) -> Point {
        let next = self.points.partition_point(|point| point.from <= time);
        match next.checked_sub(1).and_then(|at| self.points.get(at)) {
            Some(point) => point.grown(time),
            None => match self.points.first() {
                Some(first) => Point { from: time, rate: 0.0, ..*first },
                None => Point { from: time, ..Point::default() },
            },
        }
    }

    pub fn now(&self) -> Option<&Point> {
        self.points.last()
    }

    /// Other rates from now on.
    pub fn set(&mut self, now: Millis, rate: f64, client_errors: f64, weight: f64) {
        let grown = self.at(now);
        let point = Point { rate, client_errors, weight, ..grown };
        match self.points.last_mut() {
            Some(last)
                if last.rate == rate && last.client_errors == client_errors && last.weight == weight => {}
            Some(last) if last.from == now => *last = point,
            None if rate == 0.0 => {}
            _ => self.points.push(point),
        }
        if self.points.len() > KEPT_POINTS {
            self.points.drain(..KEPT_POINTS / 4);
        }
    }
}

impl Point {
    fn grown(&self, time: Millis) -> Point {
        let seconds = (time - self.from).max(0) as f64 / 1_000.0;
        let came = self.rate * seconds;
        let share = if self.weight > 0.0 { came / self.weight } else { 0.0 };
        Point {
            from: time,
            came: self.came + came,
            share: self.share + share,
            share_faulty: self.share_faulty + share * self.client_errors,
            ..*self
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct GroupCourse {
    /// By `id:port`, in order of time; the last may be open.
    pub spells: Named<Vec<Spell>>,
    /// Deregistered, but the balancer's nodes do not know it yet.
    pub leaving: BTreeMap<String, Leaving>,
    /// Since when a target takes part, for slow start.
    pub entered: BTreeMap<String, Millis>,
    /// Rules that ever forwarded here.
    pub rules: BTreeSet<String>,
    /// Services whose tasks were targets here.
    pub services: BTreeSet<String>,
    /// What HealthyHostCount and UnHealthyHostCount say, by zone.
    pub hosts: Vec<Hosts>,
    pub weight: f64,
    pub ramps_at: Option<Millis>,
    /// Counted when last looked at; after loading it is counted anew.
    #[serde(skip)]
    pub tally: Option<super::rotation::Tally>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Hosts {
    pub from: Millis,
    pub zones: BTreeMap<String, (i64, i64)>,
    pub registered: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Leaving {
    pub until: Millis,
    pub id: String,
    pub port: Option<i64>,
    pub zone: Option<String>,
    pub weight: f64,
}

/// A target's part in its group's requests, from one change to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spell {
    pub from: Millis,
    pub to: Option<Millis>,
    pub weight: f64,
    #[serde(flatten)]
    pub mode: Mode,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    pub outcome: Outcome,
    /// Why requests get no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Mean response time without load, and CPU time a request.
    pub latency_ms: f64,
    pub cpu_ms: f64,
    /// What the target has of a CPU.
    pub vcpus: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Answered, this share of the requests with a 5xx.
    Answered { errors: f64 },
    /// Nothing listens there: 502, the connection is refused.
    Refused,
    /// The connection broke before the answer: 502.
    Reset,
    /// Nobody is there: 504 after the connection timeout.
    Unreachable,
}

impl Outcome {
    pub fn answers(self) -> bool {
        matches!(self, Outcome::Answered { .. })
    }
}

impl GroupCourse {
    /// The open spell of a target.
    pub fn open(&self, key: &str) -> Option<&Spell> {
        self.spells.get(key)?.last().filter(|spell| spell.to.is_none())
    }

    pub fn close(&mut self, key: &str, now: Millis) {
        let Some(spells) = self.spells.get_mut(key) else { return };
        match spells.last_mut() {
            Some(last) if last.to.is_none() && last.from == now => drop(spells.pop()),
            Some(last) if last.to.is_none() => last.to = Some(now),
            _ => {}
        }
        if spells.is_empty() {
            self.spells.remove(key);
        }
    }

    pub fn begin(&mut self, key: &str, now: Millis, weight: f64, mode: Mode) {
        self.close(key, now);
        self.services.extend(mode.service.clone());
        self.spells.of_name(key).push(Spell { from: now, to: None, weight, mode });
        if self.spells.len() > KEPT_TARGETS {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let ended = self.spells.iter().filter_map(|(key, spells)| Some((spells.last()?.to?, key.clone())));
        let mut ended: Vec<(Millis, String)> = ended.collect();
        ended.sort();
        for (_, key) in ended.into_iter().take(KEPT_TARGETS / 10) {
            self.spells.remove(&key);
        }
    }

    /// What a target was sent since then was under way when it broke off: it got no answer. Only as long as a
    /// request takes there is looked back, so a target that had been left long ago loses nothing.
    pub fn cut(&mut self, key: &str, now: Millis, why: &str) {
        let Some(spells) = self.spells.get_mut(key) else { return };
        let mut lost = Vec::new();
        for spell in spells.iter_mut().rev() {
            let since = now - spell.mode.latency_ms.ceil() as Millis;
            let end = spell.to.unwrap_or(now);
            if end <= since {
                break;
            }
            if spell.mode.outcome.answers() {
                let from = spell.from.max(since);
                let mode = Mode { outcome: Outcome::Reset, why: Some(why.to_owned()), ..spell.mode.clone() };
                lost.push(Spell { from, to: Some(end), weight: spell.weight, mode });
                spell.to = Some(from);
            }
        }
        spells.extend(lost);
        spells.retain(|spell| spell.to != Some(spell.from));
        spells.sort_by_key(|spell| (spell.from, spell.to));
        if spells.is_empty() {
            self.spells.remove(key);
        }
    }
}
