//! How much comes to each rule, and how a rule parts it among its target groups.

use super::course::RuleCourse;
use super::{DEFAULT_PORTS, DEFAULT_RATE, Event, Stream, schedule};
use crate::World;
use crate::faults::like;
use crate::service::Input;
use crate::service::cloudwatch;
use crate::service::elbv2::model::{Balancer, Listener, Rule};
use crate::world::{Millis, SECOND};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// How long a client's session lasts: for sticky ones, how long the requests of old sessions still go where
/// they went, as far as their cookie lives so long.
pub const SESSION: Millis = 300 * SECOND;
/// Gradual changes are made in so many steps.
pub(super) const STEPS: i64 = 10;

/// What a rule gets now: requests a second, and the share of clients' errors.
fn rate(world: &World, balancer: &Balancer, listener: &Listener, rule: &Rule) -> (f64, f64) {
    if !balancer.active {
        return (0.0, 0.0);
    }
    let fits = |stream: &&Stream| {
        let what = &stream.what;
        let named = what.rule.as_deref().is_none_or(|wanted| match rule.priority {
            None => wanted == "default" || wanted == rule.arn,
            Some(priority) => wanted == priority.to_string() || wanted == rule.arn,
        });
        stream.from <= world.now
            && stream.until.is_none_or(|until| world.now < until)
            && like(&what.balancer, &balancer.name)
            && what.port.is_none_or(|port| port == listener.port)
            && named
    };
    match world.traffic.streams.iter().rev().find(fits) {
        Some(stream) => (stream.what.rate, stream.what.client_errors),
        None if DEFAULT_PORTS.contains(&listener.port) => (DEFAULT_RATE, 0.0),
        None => (0.0, 0.0),
    }
}

/// Where the last action sends requests: groups with their shares, or what the balancer answers itself.
enum Goes {
    Groups { shares: BTreeMap<String, f64>, sticky: Option<Millis> },
    Own(String),
}

fn goes(actions: &[Json]) -> Goes {
    let Some(action) = actions.last() else { return Goes::Own("nowhere".to_owned()) };
    match action.text("Type").unwrap_or_default() {
        "forward" => {
            let config = action.get("ForwardConfig");
            let tuples = config.map_or(&[][..], |config| config.list("TargetGroups"));
            let total: i64 = tuples.iter().map(|tuple| tuple.int("Weight").unwrap_or(1)).sum();
            let share = |tuple: &Json| match total {
                0 => 0.0,
                _ => tuple.int("Weight").unwrap_or(1) as f64 / total as f64,
            };
            let of = |tuple: &Json| Some((tuple.text("TargetGroupArn")?.to_owned(), share(tuple)));
            let sticky = config.and_then(|config| config.get("TargetGroupStickinessConfig"));
            let sticky = sticky.filter(|one| one.flag("Enabled") == Some(true));
            let sticky = sticky.map(|one| one.int("DurationSeconds").unwrap_or(0) * SECOND);
            Goes::Groups { shares: tuples.iter().filter_map(of).collect(), sticky }
        }
        "redirect" => {
            let status = action.get("RedirectConfig").and_then(|one| one.text("StatusCode"));
            Goes::Own(format!("redirect {}", status.unwrap_or("HTTP_302").trim_start_matches("HTTP_")))
        }
        "fixed-response" => {
            let status = action.get("FixedResponseConfig").and_then(|one| one.text("StatusCode"));
            Goes::Own(format!("fixed {}", status.unwrap_or("200")))
        }
        other => Goes::Own(other.to_owned()),
    }
}

/// Every rule's rates anew. Groups that get more or less than before join `moved`; groups that are forwarded to
/// for the first time join `fresh`: their targets are not known here yet.
pub(super) fn settle_rules(world: &mut World, fresh: &mut BTreeSet<String>, moved: &mut BTreeSet<String>) {
    let mut found: Vec<(String, String, (f64, f64), Goes)> = Vec::new();
    let elb = &world.elbv2;
    for rule in elb.rules.values() {
        let Some(listener) = elb.listeners.get(&rule.listener) else { continue };
        let Some(balancer) = elb.balancers.get(&listener.balancer) else { continue };
        let actions = if rule.priority.is_some() { &rule.actions } else { &listener.actions };
        let rate = rate(world, balancer, listener, rule);
        found.push((rule.arn.clone(), balancer.arn.clone(), rate, goes(actions)));
    }
    let known: BTreeSet<String> = found.iter().map(|(rule, ..)| rule.clone()).collect();
    let gone = world.traffic.rules.iter().filter(|(arn, rule)| !known.contains(*arn) && rule.is_fed());
    let gone: Vec<(String, String)> = gone.map(|(arn, rule)| (arn.clone(), rule.balancer.clone())).collect();
    let nothing = || Goes::Groups { shares: BTreeMap::new(), sticky: None };
    found.extend(gone.into_iter().map(|(rule, balancer)| (rule, balancer, (0.0, 0.0), nothing())));
    let mut next: Option<Millis> = None;
    for (arn, balancer, rate, goes) in found {
        if let Some(at) = settle_rule(world, &arn, &balancer, rate, goes, (fresh, moved)) {
            next = Some(next.map_or(at, |other| other.min(at)));
        }
    }
    if let Some(at) = next {
        schedule(world, at - world.now, Event::Rules);
    }
}

/// Returns when sessions will have moved on.
fn settle_rule(
    world: &mut World,
    arn: &str,
    balancer: &str,
    (rate, client_errors): (f64, f64),
    goes: Goes,
    (fresh, moved): (&mut BTreeSet<String>, &mut BTreeSet<String>),
) -> Option<Millis> {
    let now = world.now;
    let rule = world.traffic.rules.entry(arn.to_owned()).or_default();
    rule.balancer = balancer.to_owned();
    let (lanes, again) = match goes {
        Goes::Own(what) => (BTreeMap::from([(what, 1.0)]), None),
        // "forward" with no weight at all: nothing takes it.
        Goes::Groups { shares, .. } if !shares.is_empty() && shares.values().all(|share| *share == 0.0) => {
            (BTreeMap::from([("nowhere".to_owned(), 1.0)]), None)
        }
        Goes::Groups { shares, sticky } => rule.blend(now, shares, sticky),
    };
    let names: BTreeSet<String> = lanes.keys().chain(rule.lanes.keys()).cloned().collect();
    let mut own = false;
    for name in names {
        let share = lanes.get(&name).copied().unwrap_or(0.0);
        let is_group = name.starts_with("arn:");
        let weight =
            if is_group { world.traffic.groups.get(&name).map_or(0.0, |one| one.weight) } else { 1.0 };
        let Some(rule) = world.traffic.rules.get_mut(arn) else { continue };
        let lane = rule.lanes.entry(name.clone()).or_default();
        let before = lane.now().map_or(0.0, |point| point.rate);
        lane.set(now, rate * share, client_errors, weight);
        if lane.points.is_empty() && !is_group {
            rule.lanes.remove(&name);
        }
        if !is_group {
            own |= before != rate * share;
            continue;
        }
        if before != rate * share {
            moved.insert(name.clone());
        }
        let group = world.traffic.groups.of_name(&name);
        if group.rules.insert(arn.to_owned()) {
            fresh.insert(name);
        }
    }
    if own {
        cloudwatch::wake(world, &cloudwatch::Subject::Balancer(balancer.to_owned()));
    }
    again
}

impl RuleCourse {
    fn is_fed(&self) -> bool {
        self.lanes.values().any(|lane| lane.now().is_some_and(|point| point.rate > 0.0))
    }

    /// The shares now, and when they will be others by themselves.
    fn blend(
        &mut self,
        now: Millis,
        shares: BTreeMap<String, f64>,
        sticky: Option<Millis>,
    ) -> (BTreeMap<String, f64>, Option<Millis>) {
        let lasts = sticky.map_or(0, |cookie| cookie.min(SESSION));
        if shares != self.shares {
            self.before = self.mixed(now, lasts);
            self.shares = shares;
            self.since = now;
        }
        // What is no longer forwarded to has no sessions either.
        self.before.retain(|group, _| self.shares.contains_key(group));
        let step = lasts / STEPS;
        let again = (step > 0 && !self.before.is_empty() && now < self.since + lasts)
            .then(|| now + step - (now - self.since) % step);
        (self.mixed(now, lasts), again)
    }

    fn mixed(&self, now: Millis, lasts: Millis) -> BTreeMap<String, f64> {
        let kept: f64 = self.before.values().sum();
        let left = ((self.since + lasts - now) as f64 / lasts.max(1) as f64).clamp(0.0, 1.0);
        if lasts == 0 || kept <= 0.0 || left == 0.0 {
            return self.shares.clone();
        }
        let of = |(group, share): (&String, &f64)| {
            let old = self.before.get(group).copied().unwrap_or(0.0);
            (group.clone(), share * (1.0 - left * kept) + old * left)
        };
        self.shares.iter().map(of).collect()
    }
}
