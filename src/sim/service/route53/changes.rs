//! ChangeResourceRecordSets: all of a batch, or nothing and every reason why not.

use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

const POLICIES: [&str; 7] = [
    "CidrRoutingConfig",
    "Failover",
    "GeoLocation",
    "GeoProximityLocation",
    "MultiValueAnswer",
    "Region",
    "Weight",
];

pub fn change(world: &mut World, input: &Json) -> Answer {
    let id = input.text("HostedZoneId").unwrap_or_default();
    let zone = find(world, id)?;
    let batch = input.get("ChangeBatch").cloned().unwrap_or_default();
    let changes = batch.list("Changes");
    if changes.is_empty() {
        return Err(ApiError::new("InvalidChangeBatch", "[The change batch holds no changes]"));
    }
    // "A request cannot contain more than 1,000 ResourceRecord elements", an UPSERT counts twice.
    let size = |change: &Json| {
        let values = change.get("ResourceRecordSet").map_or(0, |set| set.list("ResourceRecords").len());
        if change.text("Action") == Some("UPSERT") { 2 * values } else { values }
    };
    if changes.iter().map(size).sum::<usize>() > 1000 {
        return Err(ApiError::new("InvalidChangeBatch", "[Number of records limit of 1000 exceeded.]"));
    }
    let mut records = zone.records.clone();
    let mut problems = Vec::new();
    for change in changes {
        let name = change.get("ResourceRecordSet").and_then(|set| set.text("Name"));
        if let Some(problem) = name.and_then(super::records::unsupported) {
            return Err(ApiError::new("InvalidChangeBatch", problem));
        }
        check_form(change)?;
        let action = change.text("Action").unwrap_or_default();
        let set = RecordSet::from_json(change.get("ResourceRecordSet").unwrap_or(&Json::Null));
        match apply(zone, &mut records, action, set) {
            Ok(()) => {}
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(apex_problems(zone, &records));
    if !problems.is_empty() {
        return Err(ApiError::new("InvalidChangeBatch", format!("[{}]", problems.join(", "))));
    }
    find_mut(world, id)?.records = records;
    let info = submit(world, batch.text("Comment"));
    super::super::acm::records_changed(world);
    Ok(json!({ "ChangeInfo": info }))
}

/// What the service refuses before it looks into the zone: InvalidInput.
fn check_form(change: &Json) -> Result<(), ApiError> {
    let set = change.get("ResourceRecordSet").unwrap_or(&Json::Null);
    let (alias, ttl) = (set.get("AliasTarget").is_some(), set.get("TTL").is_some());
    let values = !set.list("ResourceRecords").is_empty();
    let policy = set.get("TrafficPolicyInstanceId").is_some();
    let plain = ttl && values;
    let text = |name| set.text(name).unwrap_or("null");
    let within = format!(
        "in Change with [Action={}, Name={}, Type={}, SetIdentifier={}]",
        change.text("Action").unwrap_or("null"),
        text("Name"),
        text("Type"),
        text("SetIdentifier"),
    );
    let routed = POLICIES.iter().any(|policy| set.get(*policy).is_some());
    if routed && set.get("SetIdentifier").is_none() {
        return Err(ApiError::new(
            "InvalidInput",
            format!("Invalid request: Missing field 'SetIdentifier' {within}"),
        ));
    }
    let found = usize::from(alias) + usize::from(plain || ttl || values) + usize::from(policy);
    if found == 1 && (plain || !(ttl || values)) {
        return Ok(());
    }
    let found = match found {
        0 | 1 => "none",
        _ => "more than one",
    };
    Err(ApiError::new(
        "InvalidInput",
        format!(
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or \
             TrafficPolicyInstanceId], but found {found} {within}"
        ),
    ))
}

fn described(set: &RecordSet) -> String {
    match &set.set_identifier {
        Some(id) => format!("[name='{}', type='{}', set-identifier='{id}']", set.name, set.kind),
        None => format!("[name='{}', type='{}']", set.name, set.kind),
    }
}

fn apply(zone: &Zone, records: &mut Vec<RecordSet>, action: &str, set: RecordSet) -> Result<(), String> {
    if set.name != zone.name && !set.name.ends_with(&format!(".{}", zone.name)) {
        return Err(format!("RRSet with DNS name {} is not permitted in zone {}", set.name, zone.name));
    }
    let place = records.binary_search_by(|other| other.key().cmp(&set.key()));
    if action == "DELETE" {
        let Ok(index) = place else {
            return Err(format!(
                "Tried to delete resource record set {} but it was not found",
                described(&set)
            ));
        };
        if !same(&records[index], &set) {
            return Err(format!(
                "Tried to delete resource record set {} but the values provided do not match the current \
                 values",
                described(&set)
            ));
        }
        records.remove(index);
        return Ok(());
    }
    if action == "CREATE" && place.is_ok() {
        return Err(format!("Tried to create resource record set {} but it already exists", described(&set)));
    }
    check_values(&set)?;
    check_neighbours(zone, records, &set)?;
    check_alias(zone, records, &set)?;
    match place {
        Ok(index) => records[index] = set,
        Err(index) => records.insert(index, set),
    }
    Ok(())
}

/// The order of the values does not count.
fn same(a: &RecordSet, b: &RecordSet) -> bool {
    let sorted = |set: &RecordSet| {
        let mut set = set.clone();
        set.values.sort();
        set
    };
    sorted(a) == sorted(b)
}

fn check_values(set: &RecordSet) -> Result<(), String> {
    for value in &set.values {
        let problem = match set.kind.as_str() {
            "A" if value.parse::<Ipv4Addr>().is_err() => {
                "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
            }
            "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
            }
            "TXT" | "SPF" if !(value.starts_with('"') && value.ends_with('"') && value.len() >= 2) => {
                "InvalidCharacterString (Value should be enclosed in quotation marks)"
            }
            _ => continue,
        };
        return Err(format!(
            "Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"
        ));
    }
    if set.kind == "CNAME" && set.values.len() > 1 {
        return Err(format!("Duplicate Resource Record: '{}'", set.values.join(", ")));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = set.values.iter().find(|value| !seen.insert(*value)) {
        return Err(format!("Duplicate Resource Record: '{twice}'"));
    }
    Ok(())
}

/// A CNAME stands alone, and not at the apex; weighted, latency… sets do not mix with simple ones.
fn check_neighbours(zone: &Zone, records: &[RecordSet], set: &RecordSet) -> Result<(), String> {
    if set.kind == "CNAME" && set.name == zone.name {
        return Err(format!(
            "RRSet of type CNAME with DNS name {} is not permitted at apex in zone {}",
            set.name, zone.name
        ));
    }
    let of_name = || records.iter().filter(|other| other.name == set.name);
    if of_name().any(|other| (other.kind == "CNAME") != (set.kind == "CNAME")) {
        return Err(format!(
            "RRSet of type {} with DNS name {} is not permitted as it conflicts with other records with the \
             same DNS name in zone {}",
            set.kind, set.name, zone.name
        ));
    }
    let policy = |set: &RecordSet| POLICIES.into_iter().find(|policy| set.routing.contains_key(*policy));
    if let (Some(id), None) = (&set.set_identifier, policy(set)) {
        return Err(format!(
            "Missing routing policy for the resource record set {} {} with SetIdentifier {id}",
            set.name, set.kind
        ));
    }
    let differs = |other: &&RecordSet| {
        other.kind == set.kind
            && (policy(other) != policy(set)
                || other.set_identifier.is_none() != set.set_identifier.is_none())
            && other.key() != set.key()
    };
    match of_name().find(differs) {
        Some(_) => Err(format!(
            "RRSet with DNS name {}, type {}, SetIdentifier {} cannot be created because a set with another \
             routing policy exists with the same name and type",
            set.name,
            set.kind,
            set.set_identifier.as_deref().unwrap_or("null")
        )),
        None => Ok(()),
    }
}

/// Targets within the zone must exist. Those of load balancers must at least look like one.
fn check_alias(zone: &Zone, records: &[RecordSet], set: &RecordSet) -> Result<(), String> {
    let Some(alias) = &set.alias else { return Ok(()) };
    let tried = format!(
        "Tried to create an alias that targets {}, type {} in zone {}",
        alias.name, set.kind, alias.zone_id
    );
    if alias.zone_id != zone.id {
        let elsewhere = alias.name.trim_end_matches('.').contains('.');
        return if elsewhere {
            Ok(())
        } else {
            Err(format!("{tried}, but the alias target name does not lie within the target zone"))
        };
    }
    if !alias.name.ends_with(&zone.name) {
        return Err(format!("{tried}, but the alias target name does not lie within the target zone"));
    }
    if records.iter().any(|other| other.name == alias.name && other.kind == set.kind) {
        return Ok(());
    }
    Err(format!("{tried}, but that target was not found"))
}

fn apex_problems(zone: &Zone, records: &[RecordSet]) -> Vec<String> {
    let at_apex = |kind: &str| records.iter().filter(|s| s.name == zone.name && s.kind == kind).count();
    let mut problems = Vec::new();
    if at_apex("SOA") != 1 {
        problems.push("A HostedZone must contain exactly one SOA record.".to_owned());
    }
    if at_apex("NS") == 0 {
        problems.push("A HostedZone must contain at least one NS record for the zone itself.".to_owned());
    }
    problems
}
