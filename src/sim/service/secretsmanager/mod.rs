//! Secrets Manager: secrets, their versions and staging labels, policies, random passwords. Rules follow the
//! API reference; rotation needs Lambda functions, which are not here.

mod list;
mod password;
mod secrets;
#[cfg(test)]
mod tests;
mod values;

use super::tree::Tags;
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By name; a name is free again once its secret is really gone.
    secrets: BTreeMap<String, Secret>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    kms_key: Option<String>,
    tags: Tags,
    policy: Option<String>,
    created: Millis,
    changed: Millis,
    accessed: Option<Millis>,
    /// When it was asked to be deleted, and when it will be.
    deletion: Option<(Millis, Millis)>,
    /// Oldest first.
    versions: Vec<Version>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    id: String,
    created: Millis,
    accessed: Option<Millis>,
    text: Option<String>,
    /// In base64.
    binary: Option<String>,
    /// In the order they were given.
    stages: Vec<String>,
}

pub const OPERATIONS: Operations = &[
    ("BatchGetSecretValue", list::batch_get),
    ("CreateSecret", secrets::create),
    ("DeleteResourcePolicy", secrets::delete_policy),
    ("DeleteSecret", secrets::delete),
    ("DescribeSecret", secrets::describe),
    ("GetRandomPassword", password::get),
    ("GetResourcePolicy", secrets::get_policy),
    ("GetSecretValue", values::get),
    ("ListSecretVersionIds", values::list_versions),
    ("ListSecrets", list::list),
    ("PutResourcePolicy", secrets::put_policy),
    ("PutSecretValue", values::put),
    ("RestoreSecret", secrets::restore),
    ("TagResource", secrets::tag),
    ("UntagResource", secrets::untag),
    ("UpdateSecret", secrets::update),
    ("UpdateSecretVersionStage", values::update_stage),
];

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

fn invalid_parameter(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidRequestException", message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

fn unknown() -> ApiError {
    not_found("Secrets Manager can't find the specified secret.")
}

/// The name of the secret that an id means: a name, an ARN, or an ARN without its last six characters
/// (User Guide, "Find secrets": partial ARNs).
fn name_of(world: &mut World, id: &str) -> Option<String> {
    forget(world);
    let secrets = &world.secretsmanager.secrets;
    if secrets.contains_key(id) {
        return Some(id.to_owned());
    }
    let partial = |secret: &&Secret| secret.arn == id || secret.arn[..secret.arn.len() - 7] == *id;
    secrets.values().find(partial).map(|secret| secret.name.clone())
}

/// Removes what was to be deleted by now.
fn forget(world: &mut World) {
    let now = world.now;
    world.secretsmanager.secrets.retain(|_, secret| secret.deletion.is_none_or(|(_, at)| at > now));
}

fn find<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Secret, ApiError> {
    let id = input.text("SecretId").unwrap_or_default();
    let name = name_of(world, id).ok_or_else(unknown)?;
    Ok(world.secretsmanager.secrets.get_mut(&name).expect("just found"))
}

/// For what cannot be done with a secret that is to be deleted.
fn living<'a>(world: &'a mut World, input: &Json, message: &str) -> Result<&'a mut Secret, ApiError> {
    let secret = find(world, input)?;
    if secret.deletion.is_some() { Err(invalid_request(message)) } else { Ok(secret) }
}

/// What most operations say then.
const MARKED: &str = "You can't perform this operation on the secret because it was marked for deletion.";

/// A version of a secret, for Parameter Store.
pub struct Found {
    pub value: String,
    pub created: Json,
    /// What DescribeSecret answers.
    pub source: Json,
}

/// By a version's id or a label; the current one without. Binary values have no place in parameters.
pub fn version(world: &mut World, id: &str, which: Option<&str>) -> Option<Found> {
    let name = name_of(world, id)?;
    let now = world.now;
    let secret = world.secretsmanager.secrets.get_mut(&name).filter(|secret| secret.deletion.is_none())?;
    let by_id = which.filter(|which| secret.versions.iter().any(|version| version.id == *which));
    let label = which.filter(|_| by_id.is_none());
    let value = values::value(secret, by_id, label, now).ok()?;
    let text = value.text("SecretString")?.to_owned();
    let source = secrets::view(secret, "VersionIdsToStages");
    Some(Found { value: text, created: value["CreatedDate"].clone(), source })
}

fn seconds(millis: Option<Millis>) -> Option<Json> {
    millis.map(World::timestamp)
}
