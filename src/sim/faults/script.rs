//! Faults as users write them: with times from now, in JSON.

use super::super::service::{self, ec2, servicequotas};
use super::super::wire::model;
use super::super::{Millis, World};
use super::{Fault, What, declare};
use serde::{Deserialize, Serialize};
use std::fmt;

/// `{"after": "5m", "for": "1h", "fault": "lost-zone", "zone": "us-east-1a"}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    #[serde(flatten)]
    pub what: What,
}

/// `90s`, `1h30m`: what an order's times are written as.
pub fn duration(text: &str) -> Result<Millis, String> {
    let told = || format!("`{text}` is not a duration such as 90s, 5m or 1h30m");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| told())?;
    let millis = Millis::try_from(parsed.as_millis()).map_err(|_| told())?;
    if millis < 0 { Err(told()) } else { Ok(millis) }
}

/// `1h 30m`, as it is written.
fn spoken(millis: Millis) -> String {
    format!("{:#}", jiff::SignedDuration::from_millis(millis))
}

/// All of them, or none and what is wrong with the first wrong one.
fn declare_all(world: &mut World, orders: Vec<Order>) -> Result<Vec<u32>, String> {
    let alone = orders.len() == 1;
    let checked: Result<Vec<Fault>, String> = orders
        .into_iter()
        .enumerate()
        .map(|(at, order)| {
            fault(world, order).map_err(|why| if alone { why } else { format!("fault {}: {why}", at + 1) })
        })
        .collect();
    Ok(checked?.into_iter().map(|fault| declare(world, fault)).collect())
}

/// Declares them; what shall happen now has happened afterwards. Then what is declared, a line each.
pub fn carry_out(world: &mut World, orders: Vec<Order>) -> Result<Vec<String>, String> {
    declare_all(world, orders)?;
    world.advance_to(world.now);
    Ok(told(world))
}

/// What is declared and not over, a line each.
pub fn told(world: &World) -> Vec<String> {
    world.faults.declared().iter().map(|fault| fault.told(world.now)).collect()
}

fn fault(world: &World, order: Order) -> Result<Fault, String> {
    check(world, &order.what)?;
    let from = world.now + order.after.as_deref().map_or(Ok(0), duration)?;
    let until = order.lasts.as_deref().map(duration).transpose()?.map(|lasts| from + lasts);
    Ok(Fault { number: 0, from, until, what: order.what })
}

fn share(value: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(format!("{value} is not between 0 and 1")) }
}

fn known_service(name: &str) -> Result<(), String> {
    if name.contains('*') || model::service(name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = model::SERVICES.to_vec();
    Err(format!("there is no service `{name}` here; there are {}", known.join(", ")))
}

fn known_operation(service: &str, operation: &str) -> Result<(), String> {
    let handlers = service::operations(service).unwrap_or(&[]);
    if handlers.iter().any(|(name, _)| *name == operation) {
        return Ok(());
    }
    Err(format!("the embedded AWS has no operation {service} {operation}"))
}

fn check(world: &World, what: &What) -> Result<(), String> {
    match what {
        What::Calls(call) => {
            share(call.probability)?;
            known_service(&call.service)?;
            match call.service.contains('*') || call.operation.contains('*') {
                true => Ok(()),
                false => known_operation(&call.service, &call.operation),
            }
        }
        What::LostZone { zone } => {
            let zones = ec2::zones(world);
            match zones.contains(zone) {
                true => Ok(()),
                false => Err(format!("there is no zone `{zone}`; there are {}", zones.join(", "))),
            }
        }
        What::SpotInterruption { share: of } => share(*of),
        What::Image { behaviour, .. } => share(behaviour.crash).and(share(behaviour.work.errors)),
        What::Edit { service, operation, .. } => {
            known_service(service).and(known_operation(service, operation))
        }
        What::Quota { code, value } => match servicequotas::is_known(code) && *value >= 0.0 {
            true => Ok(()),
            false => Err(format!("there is no quota `{code}`, or it cannot be {value}")),
        },
        What::NoCapacity { .. }
        | What::SlowBoot { .. }
        | What::UnhealthyTargets { .. }
        | What::IamDelay { .. }
        | What::Ec2Delay { .. }
        | What::Kill => Ok(()),
    }
}

impl Fault {
    /// `  3  now, for 60 s: zone us-east-1a is lost`
    fn told(&self, now: Millis) -> String {
        let from =
            if self.from <= now { "now".to_owned() } else { format!("in {}", spoken(self.from - now)) };
        let lasts = self.until.map(|until| format!(", for {}", spoken(until - self.from.max(now))));
        format!("{:>3}  {from}{}: {}", self.number, lasts.unwrap_or_default(), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Calls(call) => {
                let how = serde_json::to_value(call.how).unwrap_or_default();
                let how = how.as_str().map_or_else(|| "stale".to_owned(), str::to_owned);
                write!(f, "{how} for {}% of {} {}", call.probability * 100.0, call.service, call.operation)?;
                call.times.map_or(Ok(()), |times| write!(f, ", {times} times still"))
            }
            What::LostZone { zone } => write!(f, "zone {zone} is lost"),
            What::SpotInterruption { share } => {
                write!(f, "{}% of the spot instances are interrupted", share * 100.0)
            }
            What::NoCapacity { instance_type, zone } => {
                write!(f, "no capacity for {instance_type} in {zone}")
            }
            What::Quota { code, value } => write!(f, "the quota {code} is {value}"),
            What::SlowBoot { by } => write!(f, "instances boot {} later", spoken(*by)),
            What::Image { image, behaviour } => write!(
                f,
                "containers of {image}: boot {}, crash {}%, {}, {}% of requests fail",
                spoken(behaviour.boot_ms),
                behaviour.crash * 100.0,
                if behaviour.healthy { "healthy" } else { "unhealthy" },
                behaviour.work.errors * 100.0
            ),
            What::UnhealthyTargets { group } => write!(f, "targets of {group} fail their checks"),
            What::IamDelay { by } => write!(f, "new IAM roles and profiles are usable after {}", spoken(*by)),
            What::Ec2Delay { by } => write!(f, "new EC2 ids are unknown for up to {}", spoken(*by)),
            What::Kill => write!(f, "the process that makes the next call is killed"),
            What::Edit { service, operation, .. } => write!(f, "somebody else calls {service} {operation}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new("123456789012", "us-east-1", 1, 1_767_323_045_000)
    }

    fn declared(text: &str) -> Result<Vec<String>, String> {
        let mut world = world();
        let orders: Vec<Order> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        declare_all(&mut world, orders)?;
        let begins = world.now;
        let told = |f: &Fault| {
            format!("{} +{} {:?}: {}", f.number, f.from - begins, f.until.map(|u| u - begins), f.what)
        };
        Ok(world.faults.declared().iter().map(told).collect())
    }

    #[test]
    fn a_script_is_read() {
        let script = r#"[
            {"after": "5m", "for": "1h", "fault": "lost-zone", "zone": "us-east-1a"},
            {"fault": "calls", "how": "timeout-after", "service": "ecs", "operation": "Create*", "probability": 0.1},
            {"fault": "edit", "service": "ec2", "operation": "DeleteVpc", "input": {"VpcId": "vpc-1"}}
        ]"#;
        let expected = [
            "1 +300000 Some(3900000): zone us-east-1a is lost",
            "2 +0 None: timeout-after for 10% of ecs Create*",
            "3 +0 None: somebody else calls ec2 DeleteVpc",
        ];
        assert_eq!(declared(script).unwrap(), expected);
    }

    #[test]
    fn a_wrong_one_declares_none() {
        let wrong = |text: &str, part: &str| {
            let error = declared(text).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        wrong(r#"[{"fault": "lost-zone", "zone": "x"}]"#, "there is no zone `x`; there are us-east-1a");
        wrong(
            r#"[{"fault": "lost-zone", "zone": "us-east-1a", "after": "soon"}]"#,
            "`soon` is not a duration",
        );
        wrong(r#"[{"fault": "calls", "how": "reset", "service": "ecs2"}]"#, "there is no service `ecs2`");
        wrong(r#"[{"fault": "calls", "how": "reset", "probability": 2}]"#, "not between 0 and 1");
        wrong(
            r#"[{"fault": "edit", "service": "ecs", "operation": "X", "input": {}}]"#,
            "no operation ecs X",
        );
        wrong(r#"[{"fault": "lost-zone", "zone": "us-east-1a", "sone": 1}]"#, "sone");
    }
}
