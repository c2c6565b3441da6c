//! SSM Parameter Store: an account's parameters with their history, and the public ones of AWS.

mod describe;
mod parameters;
pub mod public;
mod reference;
#[cfg(test)]
mod tests;

use super::tree::{Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    parameters: BTreeMap<String, Parameter>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Parameter {
    name: String,
    tags: Tags,
    /// By number; the oldest go when there are more than 100. Never empty.
    versions: BTreeMap<i64, Version>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    number: i64,
    value: String,
    kind: String,
    tier: String,
    description: Option<String>,
    key_id: Option<String>,
    allowed_pattern: Option<String>,
    data_type: String,
    policies: Option<String>,
    modified: Millis,
    labels: std::collections::BTreeSet<String>,
}

pub const OPERATIONS: Operations = &[
    ("AddTagsToResource", add_tags),
    ("DeleteParameter", parameters::delete),
    ("DeleteParameters", parameters::delete_many),
    ("DescribeParameters", describe::describe),
    ("GetParameter", parameters::get),
    ("GetParameterHistory", parameters::history),
    ("GetParameters", parameters::get_many),
    ("GetParametersByPath", describe::by_path),
    ("LabelParameterVersion", parameters::label),
    ("ListTagsForResource", list_tags),
    ("PutParameter", parameters::put),
    ("RemoveTagsFromResource", remove_tags),
    ("UnlabelParameterVersion", parameters::unlabel),
];

/// What a new account has from the start: nothing of its own. The public parameters are in `public`.
pub fn found(_world: &mut World) {}

/// The decrypted value that a name or ARN has now: what ECS puts into a container.
pub fn value(world: &World, name_or_arn: &str) -> Option<String> {
    let name = parameters::key_of(name_or_arn);
    if let Some(public) = public::find(&name) {
        return Some(public);
    }
    let parameter = world.ssm.parameters.get(&name)?;
    Some(parameter.latest().value.clone())
}

impl Parameter {
    fn latest(&self) -> &Version {
        self.versions.values().next_back().expect("a parameter has a version from its creation on")
    }
}

/// AWS answers ParameterNotFound without words.
fn not_found() -> ApiError {
    ApiError::new("ParameterNotFound", "")
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// `/a/b` and `b` both follow `parameter/` with one slash.
fn arn(world: &World, name: &str) -> String {
    world.arn("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
}

fn public_arn(world: &World, name: &str) -> String {
    format!("arn:aws:ssm:{}::parameter{name}", world.region)
}

/// Only parameters are kept here; the id is the name or, as AWS allows too, the ARN.
fn tagged<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Tags, ApiError> {
    let kind = input.text("ResourceType").unwrap_or_default();
    let id = input.text("ResourceId").unwrap_or_default();
    if kind != "Parameter" {
        return Err(ApiError::new(
            "InvalidResourceType",
            format!("The resource type is not valid: {kind}. Only parameters exist in the embedded AWS."),
        ));
    }
    let name = parameters::key_of(id);
    match world.ssm.parameters.get_mut(&name) {
        Some(parameter) => Ok(&mut parameter.tags),
        None => Err(ApiError::new("InvalidResourceId", format!("The resource ID is not valid: {id}"))),
    }
}

fn add_tags(world: &mut World, input: &Json) -> Answer {
    let current = tagged(world, input)?;
    let added = tags(input.list("Tags"));
    let new = added.keys().filter(|key| !current.contains_key(*key)).count();
    if current.len() + new > 50 {
        return Err(ApiError::new("TooManyTagsError", "The Targets parameter includes too many tags."));
    }
    current.extend(added);
    Ok(json!({}))
}

fn remove_tags(world: &mut World, input: &Json) -> Answer {
    let current = tagged(world, input)?;
    for key in input.texts("TagKeys") {
        current.remove(key);
    }
    Ok(json!({}))
}

fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({ "TagList": tag_list(tagged(world, input)?) }))
}
