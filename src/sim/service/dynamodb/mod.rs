//! DynamoDB as far as state needs it: tables, items with conditions, queries and scans (of indexes too),
//! batches and transactions. Streams and backups are switches only.

mod batch;
mod evaluate;
mod expression;
mod items;
mod keys;
mod legacy;
mod query;
mod tables;
#[cfg(test)]
mod tests;
mod values;

use super::tree::{Output, Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations};
use crate::World;
use crate::world::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    tables: BTreeMap<String, Table>,
    /// Transactions' tokens: until when they count, and for what.
    #[serde(default)]
    tokens: BTreeMap<String, (Millis, Json)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Table {
    id: String,
    /// The members of CreateTable.
    settings: Json,
    tags: Tags,
    created: Millis,
    /// Being created, changed or deleted until then.
    busy_until: Millis,
    deleting: bool,
    /// Name of the attribute that says when an item ends, if switched on.
    ttl: Option<String>,
    #[serde(default, alias = "backups", deserialize_with = "recovery")]
    recovery: Option<Recovery>,
    /// By the text of their key.
    items: BTreeMap<String, Map<String, Json>>,
}

/// To a point in time.
#[derive(Debug, Serialize, Deserialize)]
struct Recovery {
    since: Millis,
    days: i64,
}

/// Worlds saved before had a switch.
fn recovery<'de, D: serde::Deserializer<'de>>(saved: D) -> Result<Option<Recovery>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Saved {
        Switch(bool),
        Recovery(Option<Recovery>),
    }
    Ok(match Saved::deserialize(saved)? {
        Saved::Switch(on) => on.then_some(Recovery { since: 0, days: 35 }),
        Saved::Recovery(recovery) => recovery,
    })
}

pub const OPERATIONS: Operations = &[
    ("BatchGetItem", batch::batch_get),
    ("BatchWriteItem", batch::batch_write),
    ("CreateTable", tables::create),
    ("DeleteItem", items::delete),
    ("DeleteTable", tables::delete),
    ("DescribeContinuousBackups", tables::describe_backups),
    ("DescribeTable", tables::describe),
    ("DescribeTimeToLive", tables::describe_ttl),
    ("GetItem", items::get),
    ("ListTables", tables::list),
    ("ListTagsOfResource", tables::list_tags),
    ("PutItem", items::put),
    ("Query", query::query),
    ("Scan", query::scan),
    ("TagResource", tables::tag),
    ("TransactGetItems", batch::transact_get),
    ("TransactWriteItems", batch::transact_write),
    ("UntagResource", tables::untag),
    ("UpdateContinuousBackups", tables::update_backups),
    ("UpdateItem", items::update),
    ("UpdateTable", tables::update),
    ("UpdateTimeToLive", tables::update_ttl),
];

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

/// Of a table's name or ARN.
fn name_of(text: &str) -> &str {
    text.rsplit_once(":table/").map_or(text, |(_, name)| name)
}

/// A table whose items can be used.
fn table<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Table, ApiError> {
    tables::forget(world);
    let now = world.now;
    let found = world.dynamodb.tables.get_mut(name_of(name));
    let usable = |table: &&mut Table| !table.deleting && now >= table.created + tables::CREATION;
    found
        .filter(usable)
        .ok_or_else(|| ApiError::new("ResourceNotFoundException", "Requested resource not found"))
}
