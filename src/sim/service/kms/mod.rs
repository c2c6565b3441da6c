//! KMS: keys, aliases, grants, and what is encrypted under keys: opaque to others, read back by the same key
//! and context alone. Asymmetric keys are described; nothing is signed with them.

mod aliases;
mod cipher;
mod crypto;
mod grants;
mod keys;
#[cfg(test)]
mod tests;

use super::tree::{Tags, tag_list};
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By id.
    keys: BTreeMap<String, Key>,
    /// By name, with its `alias/`.
    aliases: BTreeMap<String, Alias>,
    /// By id.
    grants: BTreeMap<String, Grant>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Key {
    id: String,
    created: Millis,
    description: String,
    enabled: bool,
    /// When it will be gone, and the days that was put off.
    deletion: Option<(Millis, i64)>,
    usage: String,
    spec: String,
    origin: String,
    multi_region: bool,
    /// Of a service, made by AWS at first use.
    managed: bool,
    policy: String,
    tags: Tags,
    /// Since when it is rotated, and how many days apart.
    rotation: Option<(Millis, i64)>,
    /// Rotations on demand.
    rotated: Vec<Millis>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Alias {
    /// None for a service's key that nobody has used yet.
    key: Option<String>,
    created: Millis,
    updated: Millis,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Grant {
    id: String,
    token: String,
    key: String,
    created: Millis,
    /// As it was asked for.
    input: Json,
}

pub const OPERATIONS: Operations = &[
    ("CancelKeyDeletion", keys::cancel_deletion),
    ("CreateAlias", aliases::create),
    ("CreateGrant", grants::create),
    ("CreateKey", keys::create),
    ("Decrypt", crypto::decrypt),
    ("DeleteAlias", aliases::delete),
    ("DescribeKey", keys::describe),
    ("DisableKey", keys::disable),
    ("DisableKeyRotation", keys::disable_rotation),
    ("EnableKey", keys::enable),
    ("EnableKeyRotation", keys::enable_rotation),
    ("Encrypt", crypto::encrypt),
    ("GenerateDataKey", crypto::generate_data_key),
    ("GenerateDataKeyWithoutPlaintext", crypto::generate_data_key_alone),
    ("GenerateMac", crypto::generate_mac),
    ("GenerateRandom", crypto::generate_random),
    ("GetKeyPolicy", keys::policy),
    ("GetKeyRotationStatus", keys::rotation),
    ("ListAliases", aliases::list),
    ("ListGrants", grants::list),
    ("ListKeyPolicies", keys::policies),
    ("ListKeyRotations", keys::rotations),
    ("ListKeys", keys::list),
    ("ListResourceTags", keys::list_tags),
    ("ListRetirableGrants", grants::list_retirable),
    ("PutKeyPolicy", keys::put_policy),
    ("ReEncrypt", crypto::re_encrypt),
    ("RetireGrant", grants::retire),
    ("RevokeGrant", grants::revoke),
    ("RotateKeyOnDemand", keys::rotate),
    ("ScheduleKeyDeletion", keys::schedule_deletion),
    ("TagResource", keys::tag),
    ("UntagResource", keys::untag),
    ("UpdateAlias", aliases::update),
    ("UpdateKeyDescription", keys::update_description),
    ("VerifyMac", crypto::verify_mac),
];

/// The ARN of a service's key in this account, which is made when it is first used.
pub fn managed_key(world: &mut World, service: &str) -> Option<String> {
    let id = aliases::key_of(world, &format!("alias/aws/{service}"))?;
    Some(key_arn(world, &id))
}

/// Aliases and grants of keys that are gone.
pub fn dangling(world: &World) -> Vec<String> {
    let kms = &world.kms;
    let gone = |key: &String| !kms.keys.contains_key(key);
    let aliases = kms.aliases.iter().filter(|(_, alias)| alias.key.as_ref().is_some_and(gone));
    let aliases = aliases.map(|(name, _)| format!("{name} stands for a key that is gone"));
    let grants = kms.grants.values().filter(|grant| gone(&grant.key));
    aliases.chain(grants.map(|grant| format!("grant {} is of a key that is gone", grant.id))).collect()
}

fn key_arn(world: &World, id: &str) -> String {
    world.arn("kms", &format!("key/{id}"))
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("NotFoundException", message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// The id of the key that is meant by an id, an ARN, an alias or an alias's ARN.
fn id_of(world: &mut World, given: &str) -> Result<String, ApiError> {
    let own = world.arn("kms", "");
    let name = given.strip_prefix(&own).unwrap_or(given);
    if name.starts_with("arn:") {
        return Err(not_found(format!("Invalid arn {given}")));
    }
    if name.starts_with("alias/") {
        return aliases::key_of(world, name)
            .ok_or_else(|| not_found(format!("Alias {} is not found.", world.arn("kms", name))));
    }
    key_id(world, given)
}

/// As `id_of`, for operations that take no alias.
fn key_id(world: &mut World, given: &str) -> Result<String, ApiError> {
    let own = world.arn("kms", "key/");
    let id = given.strip_prefix(&own).unwrap_or(given);
    forget(world);
    if world.kms.keys.contains_key(id) {
        return Ok(id.to_owned());
    }
    let uuid = id.len() >= 36
        && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-' || c == 'm' || c == 'r' || c == 'k');
    Err(not_found(if uuid {
        format!("Key '{}' does not exist", key_arn(world, id))
    } else {
        format!("Invalid keyId {given}")
    }))
}

/// Keys whose waiting period is over, and all that was theirs.
fn forget(world: &mut World) {
    let now = world.now;
    let gone = |key: &Key| key.deletion.is_some_and(|(at, _)| at <= now);
    if !world.kms.keys.values().any(gone) {
        return;
    }
    world.kms.keys.retain(|_, key| !gone(key));
    let State { keys, aliases, grants } = &mut world.kms;
    aliases.retain(|_, alias| alias.key.as_ref().is_none_or(|key| keys.contains_key(key)));
    grants.retain(|_, grant| keys.contains_key(&grant.key));
}

/// One that can be used for cryptography (KMS Developer Guide, "Key states of AWS KMS keys").
fn usable<'a>(world: &'a World, id: &str) -> Result<&'a Key, ApiError> {
    let key = &world.kms.keys[id];
    let arn = key_arn(world, id);
    if key.deletion.is_some() {
        return Err(ApiError::new("KMSInvalidStateException", format!("{arn} is pending deletion.")));
    }
    if !key.enabled {
        return Err(ApiError::new("DisabledException", format!("{arn} is disabled.")));
    }
    Ok(key)
}

/// One page as KMS has it: Marker, Limit, Truncated.
fn listed(input: &Json, name: &str, items: Vec<Json>, limit: i64) -> Json {
    let limit = usize::try_from(input.int("Limit").unwrap_or(limit)).unwrap_or(1);
    let (items, next) = page(items, input.text("Marker"), limit);
    let mut answer = json!({ name: items, "Truncated": next.is_some() });
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    answer
}
