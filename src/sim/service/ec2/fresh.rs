//! Ids that are so new that not all of EC2 knows them yet: "if you run a command to modify or describe the resource
//! that you just created, its ID might not have propagated throughout the system, and you will get an error responding
//! that the resource does not exist" (EC2 Developer Guide, "Eventual consistency in the Amazon EC2 API").
//!
//! All of EC2 learns of an id at the same moment: once a call knows it, so do all later ones. Lists and filters show it
//! from the beginning. For what else is eventually consistent, the faults have `stale` reads.

use super::tags;
use crate::World;
use crate::service::ApiError;
use crate::world::Millis;
use serde_json::Value as Json;

/// One in so many ids is not known at once, unless a fault says that none is.
const RARITY: u64 = 8;

/// Calls that undo something. That they fail for a new id is not documented, and what they leave would be an orphan.
const UNDOING: &[&str] =
    &["Delete", "Deregister", "Detach", "Disassociate", "Release", "Revoke", "Terminate"];

/// A call has given these ids.
pub fn given(world: &mut World, ids: Vec<String>) {
    let (longest, rarity) = match world.faults.declared_ec2_delay(world.now) {
        Some(longest) => (longest, 1),
        None => (world.faults.ec2_delay, RARITY),
    };
    if longest <= 0 {
        return;
    }
    for id in ids.into_iter().filter(|id| tags::unknown(id).is_some()) {
        let drawn = world.drawn_for(&id);
        if drawn.is_multiple_of(rarity) {
            let lasts = 1 + (drawn / rarity % longest.unsigned_abs()) as Millis;
            world.ec2.fresh.insert(id, world.now + lasts);
        }
    }
}

/// Whether the call can be carried out: the ids that it names are known.
pub fn check(world: &mut World, operation: &str, input: &Json) -> Result<(), ApiError> {
    let now = world.now;
    world.ec2.fresh.retain(|_, until| *until > now);
    if world.ec2.fresh.is_empty() || UNDOING.iter().any(|verb| operation.starts_with(verb)) {
        return Ok(());
    }
    match named(world, input).and_then(tags::unknown) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn named<'a>(world: &World, input: &'a Json) -> Option<&'a str> {
    match input {
        Json::String(text) => world.ec2.fresh.contains_key(text).then_some(text),
        Json::Array(items) => items.iter().find_map(|item| named(world, item)),
        Json::Object(members) => {
            let mut members = members.iter().filter(|(name, _)| *name != "Filters");
            members.find_map(|(_, value)| named(world, value))
        }
        _ => None,
    }
}
