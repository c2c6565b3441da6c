//! Streams as users write them: with times from now, in JSON; and what became of them, in words.

use super::numbers::{Scope, losses, numbers};
use super::{DEFAULT_PORTS, DEFAULT_RATE, Event, Requests, Stream, rules_changed, schedule};
use crate::World;
use crate::faults::script::duration;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::fmt;

/// `{"balancer": "web", "port": 443, "rule": "10", "rate": 200, "after": "5m", "for": "1h"}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub struct Order {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    #[serde(flatten)]
    pub what: Requests,
}

impl TryFrom<Json> for Order {
    type Error = String;

    /// Flattening takes unknown members; here they are mistakes.
    fn try_from(mut value: Json) -> Result<Self, String> {
        let mut take = |name: &str| match value.as_object_mut().and_then(|members| members.remove(name)) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{name} is a duration such as 90s, not {other}")),
        };
        let (after, lasts) = (take("after")?, take("for")?);
        let what = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Order { after, lasts, what })
    }
}

/// Declares them all, or none; then what is declared, a line each.
pub fn carry_out(world: &mut World, orders: Vec<Order>) -> Result<Vec<String>, String> {
    let now = world.now;
    let checked: Result<Vec<(Millis, Option<Millis>, Requests)>, String> = orders
        .into_iter()
        .map(|order| {
            check(&order.what)?;
            let from = now + order.after.as_deref().map_or(Ok(0), duration)?;
            let until = order.lasts.as_deref().map(duration).transpose()?.map(|lasts| from + lasts);
            Ok((from, until, order.what))
        })
        .collect();
    for (from, until, what) in checked? {
        set(world, from, until, what);
    }
    Ok(told(world))
}

fn check(what: &Requests) -> Result<(), String> {
    if !(what.rate.is_finite() && (0.0..=1e7).contains(&what.rate)) {
        return Err(format!("{} requests a second are not between 0 and 10 million", what.rate));
    }
    if !(0.0..=1.0).contains(&what.client_errors) {
        return Err(format!("{} is not between 0 and 1", what.client_errors));
    }
    Ok(())
}

/// From then on, over whatever was declared before.
pub fn set(world: &mut World, from: Millis, until: Option<Millis>, what: Requests) -> u32 {
    let now = world.now;
    let traffic = &mut world.traffic;
    traffic.next += 1;
    let number = traffic.next;
    traffic.streams.retain(|stream| stream.until.is_none_or(|until| until > now));
    // The same place again, from now on and for good: what was declared for it is over.
    if from <= now && until.is_none() {
        let same = |other: &Requests| {
            (&other.balancer, other.port, &other.rule) == (&what.balancer, what.port, &what.rule)
        };
        traffic.streams.retain(|stream| !same(&stream.what));
    }
    traffic.streams.push(Stream { number, from, until, what });
    rules_changed(world);
    for at in [Some(from), until].into_iter().flatten().filter(|at| *at > now) {
        schedule(world, at - now, Event::Rules);
    }
    number
}

/// Takes back the stream with this number, or all; how many there were.
pub fn clear(world: &mut World, number: Option<u32>) -> usize {
    let before = world.traffic.streams.len();
    world.traffic.streams.retain(|stream| number.is_some_and(|n| n != stream.number));
    rules_changed(world);
    before - world.traffic.streams.len()
}

/// What is declared and not over, a line each, the default last.
pub fn told(world: &World) -> Vec<String> {
    let now = world.now;
    let spoken = |millis: Millis| format!("{:#}", jiff::SignedDuration::from_millis(millis));
    let mut lines: Vec<String> = Vec::new();
    for stream in world.traffic.streams.iter().filter(|s| s.until.is_none_or(|until| until > now)) {
        let from =
            if stream.from <= now { "now".to_owned() } else { format!("in {}", spoken(stream.from - now)) };
        let lasts = stream.until.map(|until| format!(", for {}", spoken(until - stream.from.max(now))));
        lines.push(format!("{:>3}  {from}{}: {}", stream.number, lasts.unwrap_or_default(), stream.what));
    }
    let ports = DEFAULT_PORTS.map(|port| port.to_string()).join(" and ");
    lines.push(format!("  -  otherwise: {DEFAULT_RATE} requests/s to each rule on ports {ports}"));
    lines
}

/// What became of the requests to each load balancer since then, and every loss: a line each.
pub fn report(world: &mut World, from: Millis) -> Vec<String> {
    let now = world.now;
    let balancers: Vec<(String, String)> =
        world.elbv2.balancers.values().map(|one| (one.name.clone(), one.arn.clone())).collect();
    let mut lines = Vec::new();
    for (name, arn) in balancers {
        let scope = Scope { balancer: Some(&arn), ..Scope::default() };
        let found = numbers(world, &scope, from, now);
        lines.push(format!("{name}: {} sent, {} served, {} lost", found.sent, found.served(), found.lost()));
        let lost = losses(world, &scope, from, now);
        lines.extend(lost.iter().map(|loss| format!("  {loss}")));
    }
    lines
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests/s to ", self.rate)?;
        match &self.rule {
            None => write!(f, "each rule")?,
            Some(rule) => write!(f, "rule {rule}")?,
        }
        write!(f, " of load balancer {}", self.balancer)?;
        if let Some(port) = self.port {
            write!(f, " on port {port}")?;
        }
        match self.client_errors {
            0.0 => Ok(()),
            share => write!(f, ", {}% of them the client's fault", share * 100.0),
        }
    }
}
