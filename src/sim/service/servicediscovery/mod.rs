//! Cloud Map: namespaces, services, instances. Operations take their time; DNS namespaces have a hosted zone
//! in Route 53, with a record for every instance. Route 53 health checks are not run: instances of services
//! that have them count as healthy.

mod discover;
mod instances;
mod namespaces;
mod services;
#[cfg(test)]
mod tests;

use super::tree::{Output, Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, call, page};
use crate::World;
use crate::world::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub use instances::{deregister_task, register_task, set_health};
pub use services::{find_or_create, namespace_named};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    namespaces: BTreeMap<String, Namespace>,
    services: BTreeMap<String, Service>,
    operations: BTreeMap<String, Operation>,
    /// By ARN.
    tags: BTreeMap<String, Tags>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Namespace {
    name: String,
    /// `HTTP`, `DNS_PRIVATE` or `DNS_PUBLIC`.
    kind: String,
    description: Option<String>,
    zone: Option<String>,
    ttl: Option<i64>,
    created: Millis,
    /// It can be used from then on.
    ready: Millis,
    request: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Service {
    name: String,
    namespace: String,
    /// `HTTP`, `DNS_HTTP` or `DNS`.
    kind: String,
    description: Option<String>,
    dns: Option<Json>,
    check: Option<Json>,
    custom_check: Option<Json>,
    created: Millis,
    request: Option<String>,
    attributes: BTreeMap<String, String>,
    instances: BTreeMap<String, Instance>,
    /// Raised by every change of the instances.
    revision: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Instance {
    attributes: BTreeMap<String, String>,
    /// Found from then on.
    ready: Millis,
    healthy: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Operation {
    kind: String,
    created: Millis,
    done: Millis,
    /// `NAMESPACE`, `SERVICE` or `INSTANCE` → id.
    targets: BTreeMap<String, String>,
}

pub const OPERATIONS: Operations = &[
    ("CreateHttpNamespace", namespaces::create_http),
    ("CreatePrivateDnsNamespace", namespaces::create_private),
    ("CreatePublicDnsNamespace", namespaces::create_public),
    ("CreateService", services::create),
    ("DeleteNamespace", namespaces::delete),
    ("DeleteService", services::delete),
    ("DeleteServiceAttributes", services::delete_attributes),
    ("DeregisterInstance", instances::deregister),
    ("DiscoverInstances", discover::discover),
    ("DiscoverInstancesRevision", discover::revision),
    ("GetInstance", instances::get),
    ("GetInstancesHealthStatus", instances::health),
    ("GetNamespace", namespaces::get),
    ("GetOperation", get_operation),
    ("GetService", services::get),
    ("GetServiceAttributes", services::get_attributes),
    ("ListInstances", instances::list),
    ("ListNamespaces", namespaces::list),
    ("ListOperations", list_operations),
    ("ListServices", services::list),
    ("ListTagsForResource", list_tags),
    ("RegisterInstance", instances::register),
    ("TagResource", tag),
    ("UntagResource", untag),
    ("UpdateHttpNamespace", namespaces::update),
    ("UpdateInstanceCustomHealthStatus", instances::update_health),
    ("UpdatePrivateDnsNamespace", namespaces::update),
    ("UpdatePublicDnsNamespace", namespaces::update),
    ("UpdateService", services::update),
    ("UpdateServiceAttributes", services::update_attributes),
];

fn error(status: u16, code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message).status(status)
}

/// Of an id or an ARN.
fn id_of(text: &str) -> &str {
    if text.starts_with("arn:") { text.rsplit('/').next().unwrap_or(text) } else { text }
}

fn arn(world: &World, kind: &str, id: &str) -> String {
    world.arn("servicediscovery", &format!("{kind}/{id}"))
}

/// Letters and digits, as Cloud Map's ids are.
fn new_id(world: &mut World, prefix: &str) -> String {
    format!("{prefix}{}", world.hex(16))
}

/// An operation that is done after a while.
fn begin(world: &mut World, kind: &str, takes: Millis, targets: &[(&str, &str)]) -> Answer {
    let id = format!("{}-{}", world.hex(32), world.hex(8));
    let operation = Operation {
        kind: kind.to_owned(),
        created: world.now,
        done: world.now + takes,
        targets: targets.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect(),
    };
    world.servicediscovery.operations.insert(id.clone(), operation);
    Ok(json!({"OperationId": id}))
}

impl Operation {
    fn status(&self, now: Millis) -> &'static str {
        match now {
            _ if now >= self.done => "SUCCESS",
            _ if now >= self.created + SECOND => "PENDING",
            _ => "SUBMITTED",
        }
    }
}

fn get_operation(world: &mut World, input: &Json) -> Answer {
    let id = input.text("OperationId").unwrap_or_default();
    let Some(found) = world.servicediscovery.operations.get(id) else {
        return Err(error(404, "OperationNotFound", format!("Operation with id {id} was not found.")));
    };
    let updated = found.done.min(world.now);
    Ok(json!({"Operation": {
        "Id": id, "Type": found.kind, "Status": found.status(world.now), "Targets": found.targets,
        "OwnerAccount": world.account,
        "CreateDate": World::timestamp(found.created), "UpdateDate": World::timestamp(updated),
    }}))
}

/// Whether a filter (EQ, IN, BEGINS_WITH) lets a value through.
fn passes(filter: &Json, value: &str) -> bool {
    let wanted = filter.texts("Values");
    match filter.text("Condition") {
        Some("BEGINS_WITH") => wanted.iter().any(|one| value.starts_with(one)),
        _ => wanted.contains(&value),
    }
}

fn paged(input: &Json, name: &str, items: Vec<Json>) -> Answer {
    let limit = input.int("MaxResults").unwrap_or(100).clamp(1, 100) as usize;
    let (items, next) = page(items, input.text("NextToken"), limit);
    Ok(json!({name: items}).with("NextToken", next))
}

fn list_operations(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let of = |operation: &Operation, filter: &Json| {
        let target = |kind: &str| operation.targets.get(kind).is_some_and(|id| passes(filter, id));
        match filter.text("Name") {
            Some("NAMESPACE_ID") => target("NAMESPACE"),
            Some("SERVICE_ID") => target("SERVICE"),
            Some("STATUS") => passes(filter, operation.status(now)),
            Some("TYPE") => passes(filter, &operation.kind),
            _ => true,
        }
    };
    let all = world.servicediscovery.operations.iter();
    let found = all.filter(|(_, one)| input.list("Filters").iter().all(|filter| of(one, filter)));
    paged(input, "Operations", found.map(|(id, one)| json!({"Id": id, "Status": one.status(now)})).collect())
}

fn tagged(world: &World, input: &Json) -> Result<String, ApiError> {
    let arn = input.text("ResourceARN").unwrap_or_default();
    let id = id_of(arn);
    let state = &world.servicediscovery;
    if state.namespaces.contains_key(id) || state.services.contains_key(id) {
        return Ok(arn.to_owned());
    }
    let message = format!("Resource not found for ARN: {arn}");
    Err(error(404, "ResourceNotFoundException", message))
}

fn list_tags(world: &mut World, input: &Json) -> Answer {
    let arn = tagged(world, input)?;
    let none = Tags::new();
    Ok(json!({"Tags": tag_list(world.servicediscovery.tags.get(&arn).unwrap_or(&none))}))
}

fn tag(world: &mut World, input: &Json) -> Answer {
    let arn = tagged(world, input)?;
    let all = world.servicediscovery.tags.entry(arn).or_default();
    let mut after = all.clone();
    after.extend(tags(input.list("Tags")));
    if after.len() > 200 {
        let message = "The list of tags on the resource is over the limit. The maximum number of tags that can be applied to a resource is 200.";
        return Err(error(400, "TooManyTagsException", message));
    }
    *all = after;
    Ok(json!({}))
}

fn untag(world: &mut World, input: &Json) -> Answer {
    let arn = tagged(world, input)?;
    let all = world.servicediscovery.tags.entry(arn).or_default();
    for key in input.texts("TagKeys") {
        all.remove(key);
    }
    Ok(json!({}))
}
