//! CloudWatch Logs: groups, streams, events.

mod groups;
mod streams;
#[cfg(test)]
mod tests;

use super::tree::Tags;
use super::{Answer, ApiError, Input, Operations, page, page_start};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub use streams::write;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Group {
    name: String,
    created: Millis,
    class: String,
    retention_days: Option<i64>,
    kms_key: Option<String>,
    deletion_protection: bool,
    tags: Tags,
    streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Stream {
    created: Millis,
    /// In order of their timestamps.
    events: Vec<LogEvent>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LogEvent {
    at: Millis,
    ingested: Millis,
    message: String,
}

pub const OPERATIONS: Operations = &[
    ("AssociateKmsKey", groups::associate_key),
    ("CreateLogGroup", groups::create),
    ("CreateLogStream", streams::create),
    ("DeleteLogGroup", groups::delete),
    ("DeleteLogStream", streams::delete),
    ("DeleteRetentionPolicy", groups::delete_retention),
    ("DescribeLogGroups", groups::describe),
    ("DescribeLogStreams", streams::describe),
    ("DisassociateKmsKey", groups::disassociate_key),
    ("FilterLogEvents", streams::filter_events),
    ("GetLogEvents", streams::get_events),
    ("ListLogGroups", groups::list),
    ("ListTagsForResource", groups::list_tags),
    ("ListTagsLogGroup", groups::list_tags),
    ("PutLogEvents", streams::put_events),
    ("PutLogGroupDeletionProtection", groups::put_deletion_protection),
    ("PutRetentionPolicy", groups::put_retention),
    ("TagLogGroup", groups::tag),
    ("TagResource", groups::tag),
    ("UntagLogGroup", groups::untag),
    ("UntagResource", groups::untag),
];

pub fn group_exists(world: &World, name: &str) -> bool {
    world.logs.groups.contains_key(name)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

fn no_group() -> ApiError {
    ApiError::new("ResourceNotFoundException", "The specified log group does not exist.")
}

/// The ARN that tags and policies use; DescribeLogGroups' `arn` has `:*` behind it.
fn arn(world: &World, name: &str) -> String {
    world.arn("logs", &format!("log-group:{name}"))
}

/// Whatever way an operation names its group: by name, by identifier (name or ARN), by ARN.
fn group_name<'a>(world: &World, input: &'a Json) -> Result<&'a str, ApiError> {
    let given = ["logGroupName", "logGroupIdentifier", "resourceArn", "resourceIdentifier"]
        .iter()
        .find_map(|name| input.text(name))
        .ok_or_else(|| invalid("A log group name or identifier is required."))?;
    if !given.starts_with("arn:") {
        return Ok(given);
    }
    let prefix = arn(world, "");
    given
        .strip_prefix(prefix.as_str())
        .ok_or_else(|| invalid(format!("The provided ARN is not valid: {given}")))
}

fn find<'a>(world: &'a World, input: &Json) -> Result<&'a Group, ApiError> {
    let name = group_name(world, input)?;
    world.logs.groups.get(name).ok_or_else(no_group)
}

fn find_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Group, ApiError> {
    let name = group_name(world, input)?;
    world.logs.groups.get_mut(name).ok_or_else(no_group)
}

/// A token that is none of ours is refused.
fn check_token(input: &Json) -> Result<(), ApiError> {
    match input.text("nextToken").map(page_start) {
        Some(None) => Err(invalid("The specified nextToken is invalid.")),
        _ => Ok(()),
    }
}

fn limit(input: &Json) -> usize {
    input.int("limit").and_then(|n| usize::try_from(n).ok()).unwrap_or(50)
}
