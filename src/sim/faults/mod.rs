//! What goes wrong in a world that nobody configured: each a declared [`Fault`], with a time at which it
//! begins and perhaps one at which it ends. Random ones draw from the world's seed, so a run can be repeated.

mod calls;
pub mod script;
#[cfg(test)]
mod tests;
mod throttle;

pub use calls::{CallFault, Disturbance, How, Lost, on_call};
pub use throttle::Buckets;

use super::World;
use super::service::{self, cloudtrail, ec2, ecs};
use super::world::{Event, Millis};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Faults {
    /// Whether calls are throttled as AWS publishes it. Part of the world; can be switched off.
    pub throttling: bool,
    pub buckets: Buckets,
    /// Until a new IAM role or instance profile can be used by other services.
    pub iam_delay: Millis,
    /// Until a new EC2 id is known to all of EC2, at most; most ids are at once (see `ec2::fresh`). 0: all are.
    #[serde(default)]
    pub ec2_delay: Millis,
    declared: Vec<Fault>,
    next: u32,
    /// Whether the next call is its caller's last.
    #[serde(skip)]
    kill: bool,
    /// Worlds as they were before recent changes, for stale reads; kept only while such a fault is declared.
    #[serde(skip)]
    past: Vec<(Millis, Vec<u8>)>,
}

/// "The instance profile isn't immediately available": IAM's changes are eventually consistent (IAM User
/// Guide, "Troubleshoot IAM: changes that I make are not always immediately visible"); some seconds, as seen.
const IAM_DELAY: Millis = 6_000;

/// EC2's window is not published; waits of some seconds are what its guide asks of clients ("start with a couple of
/// seconds of wait time"). 0 switches it off for all worlds.
const EC2_DELAY: Millis = 3_000;

impl Default for Faults {
    fn default() -> Self {
        Self {
            throttling: true,
            buckets: Buckets::default(),
            iam_delay: IAM_DELAY,
            ec2_delay: EC2_DELAY,
            declared: Vec::new(),
            next: 1,
            kill: false,
            past: Vec::new(),
        }
    }
}

/// One declared fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Numbered as declared; what `sim fault clear` takes.
    #[serde(default)]
    pub number: u32,
    /// In the world's time.
    #[serde(default)]
    pub from: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// Calls fail, get lost, or answer with what was true before.
    Calls(CallFault),
    /// An availability zone fails: its instances die, and nothing starts in it.
    LostZone { zone: String },
    /// Spot instances get their interruption notice, and two minutes later they end.
    SpotInterruption { share: f64 },
    /// Launches fail for lack of capacity.
    NoCapacity { instance_type: String, zone: String },
    /// The account's quota with this code is this.
    Quota { code: String, value: f64 },
    /// Instances take this much longer to boot.
    SlowBoot { by: Millis },
    /// Containers of images like this behave like that, from their next start on.
    Image { image: String, behaviour: ecs::ImageBehaviour },
    /// Health checks of target groups with such a name fail.
    UnhealthyTargets { group: String },
    /// New IAM roles and profiles take this long to be usable.
    IamDelay { by: Millis },
    /// New EC2 ids, all of them, are unknown to later calls for up to so long.
    Ec2Delay { by: Millis },
    /// Whoever makes the next call ends without its answer, as a killed process does.
    Kill,
    /// Somebody else makes this call.
    Edit { service: String, operation: String, input: Json },
}

impl Fault {
    fn is_in_force(&self, now: Millis) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// `*` stands for any text.
pub fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl Faults {
    /// As other fakes are: every call is taken, and what was made is known everywhere at once.
    pub fn make_prompt(&mut self) {
        self.throttling = false;
        (self.iam_delay, self.ec2_delay) = (0, 0);
    }

    pub fn declared(&self) -> &[Fault] {
        &self.declared
    }

    fn in_force(&self, now: Millis) -> impl Iterator<Item = &Fault> {
        self.declared.iter().filter(move |fault| fault.is_in_force(now))
    }

    /// Whether no instance of this type can start there.
    pub fn no_capacity(&self, now: Millis, instance_type: &str, zone: &str) -> bool {
        self.in_force(now).any(|fault| match &fault.what {
            What::LostZone { zone: lost } => lost == zone,
            What::NoCapacity { instance_type: t, zone: z } => like(t, instance_type) && like(z, zone),
            _ => false,
        })
    }

    pub fn lost_zone(&self, now: Millis, zone: &str) -> bool {
        self.in_force(now).any(|fault| matches!(&fault.what, What::LostZone { zone: lost } if lost == zone))
    }

    /// What a quota is, if it was declared: the newest that was.
    pub fn quota(&self, now: Millis, code: &str) -> Option<f64> {
        let declared = self.in_force(now).filter_map(|fault| match &fault.what {
            What::Quota { code: of, value } if of == code => Some(*value),
            _ => None,
        });
        declared.last()
    }

    pub fn slower_boot(&self, now: Millis) -> Millis {
        self.in_force(now).map(|f| if let What::SlowBoot { by } = f.what { by } else { 0 }).sum()
    }

    pub fn fails_checks(&self, now: Millis, group: &str) -> bool {
        self.in_force(now).any(|f| matches!(&f.what, What::UnhealthyTargets { group: g } if like(g, group)))
    }

    /// How long after its creation an IAM entity is known to other services.
    pub fn iam_delay(&self, now: Millis) -> Millis {
        let declared = self.in_force(now).filter_map(|f| match f.what {
            What::IamDelay { by } => Some(by),
            _ => None,
        });
        declared.max().unwrap_or(self.iam_delay)
    }

    /// How long a new EC2 id may be unknown, if a fault says so.
    pub fn declared_ec2_delay(&self, now: Millis) -> Option<Millis> {
        let declared = self.in_force(now).filter_map(|f| match f.what {
            What::Ec2Delay { by } => Some(by),
            _ => None,
        });
        declared.max()
    }

    /// Whether the caller that makes this call is killed.
    pub fn kills(&mut self) -> bool {
        std::mem::take(&mut self.kill)
    }

    fn forget(&mut self, number: u32) {
        self.declared.retain(|fault| fault.number != number);
    }
}

/// Takes back the fault with this number, or all; how many there were.
pub fn clear(world: &mut World, number: Option<u32>) -> usize {
    let gone = |fault: &Fault| number.is_none_or(|number| fault.number == number);
    let taken: Vec<Fault> = world.faults.declared.extract_if(.., |fault| gone(fault)).collect();
    let now = world.now;
    for fault in taken.iter().filter(|fault| fault.from <= now) {
        end(world, &fault.what);
    }
    taken.len()
}

/// Puts a fault into the world; it begins and ends by itself.
pub fn declare(world: &mut World, mut fault: Fault) -> u32 {
    fault.number = world.faults.next;
    world.faults.next += 1;
    fault.from = fault.from.max(world.now);
    let number = fault.number;
    world.schedule(fault.from - world.now, Event::Fault { number, begins: true });
    if let Some(until) = fault.until {
        world.schedule((until - world.now).max(0), Event::Fault { number, begins: false });
    }
    world.faults.declared.push(fault);
    number
}

/// A fault begins, or has ended.
pub fn run(world: &mut World, number: u32, begins: bool) {
    let Some(fault) = world.faults.declared.iter().find(|f| f.number == number) else { return };
    let what = fault.what.clone();
    let told = serde_json::to_string(&what).unwrap_or_default();
    world.tell("cutover", "fault", &number.to_string(), if begins { "begun" } else { "over" }, Some(&told));
    if begins {
        begin(world, &what)
    } else {
        end(world, &what)
    }
    // What happened in a moment is over.
    if !begins
        || matches!(what, What::SpotInterruption { .. } | What::Image { .. } | What::Kill | What::Edit { .. })
    {
        world.faults.forget(number);
    }
}

fn begin(world: &mut World, what: &What) {
    match what {
        What::LostZone { zone } => ec2::lose_zone(world, zone),
        What::SpotInterruption { share } => ec2::interrupt_spot(world, *share),
        What::Image { image, behaviour } => {
            world.ecs.images.insert(image.clone(), behaviour.clone());
        }
        What::UnhealthyTargets { group } => super::service::elbv2::check_named(world, group),
        What::Kill => world.faults.kill = true,
        What::Edit { service, operation, input } => edit(world, service, operation, input),
        What::Calls(_)
        | What::NoCapacity { .. }
        | What::Quota { .. }
        | What::SlowBoot { .. }
        | What::IamDelay { .. }
        | What::Ec2Delay { .. } => {}
    }
}

fn end(world: &mut World, what: &What) {
    match what {
        What::UnhealthyTargets { group } => super::service::elbv2::check_named(world, group),
        What::LostZone { .. } | What::NoCapacity { .. } | What::Quota { .. } => {
            super::service::autoscaling::capacity_is_back(world)
        }
        _ => {}
    }
}

/// The call is made below the wire: whoever declared it has checked that there is such an operation.
fn edit(world: &mut World, service: &str, operation: &str, input: &Json) {
    let handlers = service::operations(service).unwrap_or(&[]);
    let Some((_, handler)) = handlers.iter().find(|(name, _)| *name == operation) else { return };
    let answer = handler(world, input);
    let caller = std::mem::replace(&mut world.caller, "SOMEBODYELSE".to_owned());
    let request_id = world.request_id();
    let made = cloudtrail::Call {
        service,
        operation,
        request_id: &request_id,
        agent: "console.amazonaws.com",
        address: "198.51.100.7",
    };
    cloudtrail::record(world, &made, input, &answer);
    world.caller = caller;
    if let Err(error) = answer {
        tracing::warn!("somebody else's {service} {operation} failed: {}: {}", error.code, error.message);
    }
}
