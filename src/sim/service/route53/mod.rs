//! Route 53: hosted zones and their records.

mod changes;
mod records;
#[cfg(test)]
mod tests;
mod zones;

use super::tree::Tags;
use super::{Answer, ApiError, Input, Operations};
use crate::World;
use crate::world::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By id, without `/hostedzone/`.
    pub(crate) zones: BTreeMap<String, Zone>,
    /// Change ids to when they were submitted.
    changes: BTreeMap<String, Change>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Zone {
    id: String,
    /// Normal form: lower case, escaped, with its final dot.
    name: String,
    caller_reference: String,
    comment: Option<String>,
    /// Region and id of the VPCs of a private zone; a public one has none.
    vpcs: BTreeSet<(String, String)>,
    pub(crate) name_servers: Vec<String>,
    tags: Tags,
    /// In the order of `RecordSet::key`.
    records: Vec<RecordSet>,
}

impl Zone {
    fn private(&self) -> bool {
        !self.vpcs.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RecordSet {
    name: String,
    kind: String,
    set_identifier: Option<String>,
    ttl: Option<i64>,
    values: Vec<String>,
    alias: Option<Alias>,
    /// Weight, Region, Failover, … as given: what tells apart sets of one name and type.
    routing: BTreeMap<String, Json>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Alias {
    zone_id: String,
    name: String,
    evaluate_target_health: bool,
}

/// Where an alias record of a public zone leads, or a CNAME; None if nothing has the name.
pub fn alias_of(world: &World, name: &str) -> Option<String> {
    let name = format!("{}.", name.trim_end_matches('.').to_lowercase());
    let public = world.route53.zones.values().filter(|zone| zone.vpcs.is_empty());
    let mut records = public.flat_map(|zone| &zone.records).filter(|record| record.name == name);
    let target = records.find_map(|record| match (&record.alias, record.kind.as_str()) {
        (Some(alias), _) => Some(alias.name.clone()),
        (None, "CNAME") => record.values.first().cloned(),
        _ => None,
    });
    target.map(|name| name.trim_end_matches('.').to_owned())
}

#[derive(Debug, Serialize, Deserialize)]
struct Change {
    submitted: Millis,
    comment: Option<String>,
}

/// "Changes generally propagate to all name servers within 60 seconds"; half of that here.
const PROPAGATION: Millis = 30 * SECOND;

pub const OPERATIONS: Operations = &[
    ("AssociateVPCWithHostedZone", zones::associate_vpc),
    ("ChangeResourceRecordSets", changes::change),
    ("ChangeTagsForResource", zones::change_tags),
    ("CreateHostedZone", zones::create),
    ("DeleteHostedZone", zones::delete),
    ("DisassociateVPCFromHostedZone", zones::disassociate_vpc),
    ("GetChange", get_change),
    ("GetDNSSEC", zones::get_dnssec),
    ("GetHostedZone", zones::get),
    ("GetHostedZoneCount", zones::count),
    ("ListHostedZones", zones::list),
    ("ListHostedZonesByName", zones::list_by_name),
    ("ListHostedZonesByVPC", zones::list_by_vpc),
    ("ListResourceRecordSets", records::list),
    ("ListTagsForResource", zones::list_tags),
    ("ListTagsForResources", zones::list_tags_of_many),
    ("UpdateHostedZoneComment", zones::update_comment),
];

/// The values of a record in the public zones: what a resolver outside would get. Aliases are not followed.
pub fn public_record(world: &World, name: &str, kind: &str) -> Option<Vec<String>> {
    let name = normal(name);
    let zones = world.route53.zones.values().filter(|zone| !zone.private());
    let mut sets = zones.flat_map(|zone| &zone.records);
    sets.find(|set| set.name == name && set.kind == kind).map(|set| set.values.clone())
}

/// The DNS name that an alias record of a public zone points at.
pub fn public_alias(world: &World, name: &str) -> Option<String> {
    let name = normal(name);
    let zones = world.route53.zones.values().filter(|zone| !zone.private());
    let mut sets = zones.flat_map(|zone| &zone.records);
    let alias = sets.find(|set| set.name == name && set.alias.is_some())?.alias.as_ref()?;
    Some(alias.name.clone())
}

/// Lower case, a final dot, and every character but letters, digits, `-`, `_` and `.` as `\ooo`
/// (developer guide, "DNS domain name format").
fn normal(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                // An escape that was given as one stays one.
                text.push('\\');
                text.extend(rest.by_ref().take(3));
            }
            c if c.is_ascii_alphanumeric() || "-_.".contains(c) => text.push(c.to_ascii_lowercase()),
            c => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    text += &format!("\\{byte:03o}");
                }
            }
        }
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// Names sort by their labels from the right.
fn reversed(name: &str) -> Vec<&str> {
    let mut labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    labels.reverse();
    labels
}

/// Ids come with or without their path.
fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

fn no_zone(id: &str) -> ApiError {
    ApiError::new("NoSuchHostedZone", format!("No hosted zone found with ID: {id}")).status(404)
}

fn find<'a>(world: &'a World, id: &str) -> Result<&'a Zone, ApiError> {
    world.route53.zones.get(bare(id)).ok_or_else(|| no_zone(bare(id)))
}

fn find_mut<'a>(world: &'a mut World, id: &str) -> Result<&'a mut Zone, ApiError> {
    world.route53.zones.get_mut(bare(id)).ok_or_else(|| no_zone(bare(id)))
}

/// Letters and digits in upper case behind a letter, as ids of Route 53 are.
fn new_id(world: &mut World, letter: char) -> String {
    const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if let Some(foreseen) = world.foreseen("zone-id") {
        return foreseen;
    }
    let mut id = String::from(letter);
    for _ in 0..20 {
        id.push(char::from(ALPHABET[(world.random() % 36) as usize]));
    }
    id
}

/// Notes a change and answers its ChangeInfo: pending at first.
fn submit(world: &mut World, comment: Option<&str>) -> Json {
    let id = new_id(world, 'C');
    let change = Change { submitted: world.now, comment: comment.map(str::to_owned) };
    let info = change_info(world, &id, &change);
    world.route53.changes.insert(id, change);
    info
}

fn change_info(world: &World, id: &str, change: &Change) -> Json {
    let done = world.now >= change.submitted + PROPAGATION;
    let mut info = json!({
        "Id": format!("/change/{id}"),
        "Status": if done { "INSYNC" } else { "PENDING" },
        "SubmittedAt": World::timestamp(change.submitted),
    });
    if let Some(comment) = &change.comment {
        info["Comment"] = comment.as_str().into();
    }
    info
}

fn get_change(world: &mut World, input: &Json) -> Answer {
    let id = bare(input.text("Id").unwrap_or_default());
    let Some(change) = world.route53.changes.get(id) else {
        let message = format!("Could not find resource with ID: {id}");
        return Err(ApiError::new("NoSuchChange", message).status(404));
    };
    Ok(json!({ "ChangeInfo": change_info(world, id, change) }))
}

/// MaxItems is text in this API.
fn max_items(input: &Json, default: usize) -> usize {
    let given = input.text("MaxItems").and_then(|text| text.parse().ok());
    given.or_else(|| input.int("MaxItems").and_then(|n| usize::try_from(n).ok())).unwrap_or(default)
}
