//! Where a new world answers otherwise than the one it is built of.

use super::{Answer, time};
use crate::World;
use crate::service::operations;
use serde_json::{Map, Value as Json, json};

/// Members that tell where an item of a list belongs, the best first.
const NAMES: [&str; 24] = [
    "AssociationId",
    "RouteTableAssociationId",
    "NetworkAclAssociationId",
    "AllocationId",
    "SecurityGroupRuleId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "InstanceId",
    "VersionNumber",
    "RuleArn",
    "ListenerArn",
    "LoadBalancerArn",
    "TargetGroupArn",
    "ResourceArn",
    "PolicyName",
    "RoleName",
    "taskArn",
    "serviceArn",
    "containerInstanceArn",
    "logGroupName",
    "clusterArn",
    "Key",
    "name",
    "id",
];

/// Parts of an answer that are about the call.
const OF_THE_CALL: [&str; 7] =
    ["ResponseMetadata", "NextToken", "nextToken", "NextMarker", "Marker", "IsTruncated", "MaxItems"];

pub fn differences(world: &mut World, answers: &[Answer]) -> Vec<String> {
    let mut found = Vec::new();
    for answer in answers {
        let table = operations(&answer.service).unwrap_or(&[]);
        let Some((_, handler)) = table.iter().find(|(name, _)| *name == answer.operation) else {
            found.push(format!(
                "{} {}: the embedded AWS has no such operation",
                answer.service, answer.operation
            ));
            continue;
        };
        let input = if answer.input.is_null() { json!({}) } else { answer.input.clone() };
        let place = format!("{} {}", answer.service, answer.operation);
        match handler(world, &input) {
            Ok(here) => compare(&place, &answer.output, &here, &mut found),
            Err(error) => found.push(format!("{place}: {}: {}", error.code, error.message)),
        }
    }
    found.sort();
    found.dedup();
    found
}

fn compare(place: &str, recorded: &Json, here: &Json, found: &mut Vec<String>) {
    match (recorded, here) {
        (Json::Object(recorded), Json::Object(here)) => members(place, recorded, here, found),
        (Json::Array(recorded), Json::Array(here)) => items(place, recorded, here, found),
        _ if same(recorded, here) => {}
        _ => found.push(format!("{place}: recorded {}, here {}", short(recorded), short(here))),
    }
}

fn members(place: &str, recorded: &Map<String, Json>, here: &Map<String, Json>, found: &mut Vec<String>) {
    let names = recorded.keys().chain(here.keys().filter(|name| !recorded.contains_key(*name)));
    for name in names.filter(|name| !OF_THE_CALL.contains(&name.as_str())) {
        let there = recorded.get(name).unwrap_or(&Json::Null);
        compare(&format!("{place}.{name}"), there, here.get(name).unwrap_or(&Json::Null), found);
    }
}

/// What stands for an item: its name, or all of it.
fn name(item: &Json) -> String {
    let named = NAMES.iter().find_map(|name| item.get(*name).filter(|value| !value.is_null()));
    let other = || {
        let members = item.as_object().into_iter().flatten();
        let mut ids = members.filter(|(name, value)| {
            value.is_string() && ["Id", "Arn", "ARN", "Name", "arn"].iter().any(|end| name.ends_with(end))
        });
        ids.next().map(|(_, value)| value)
    };
    match named.or_else(other) {
        Some(Json::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => item.to_string(),
    }
}

fn items(place: &str, recorded: &[Json], here: &[Json], found: &mut Vec<String>) {
    let mut left: Vec<&Json> = here.iter().collect();
    let mut unmatched = Vec::new();
    for item in recorded {
        match left.iter().position(|other| same(item, other)) {
            Some(at) => drop(left.remove(at)),
            None => unmatched.push(item),
        }
    }
    let single = unmatched.len() == 1 && left.len() == 1;
    for item in unmatched {
        let name = name(item);
        match left.iter().position(|other| single || self::name(other) == name) {
            Some(at) => compare(&format!("{place}[{}]", clipped(&name)), item, left.remove(at), found),
            None => found.push(format!("{place}: recorded {}, not here", short(item))),
        }
    }
    for item in left {
        found.push(format!("{place}: here {}, not recorded", short(item)));
    }
}

/// Nothing and an empty list, a number and its text, and one time in two spellings are the same.
fn same(recorded: &Json, here: &Json) -> bool {
    let nothing = |value: &Json| match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => false,
    };
    match (recorded, here) {
        _ if recorded == here => true,
        (Json::Object(recorded), Json::Object(here)) => {
            let mut found = Vec::new();
            members("", recorded, here, &mut found);
            found.is_empty()
        }
        (Json::Array(recorded), Json::Array(here)) if recorded.len() == here.len() => {
            let mut found = Vec::new();
            items("", recorded, here, &mut found);
            found.is_empty()
        }
        (Json::String(recorded), Json::String(here)) => {
            let times = time(recorded).zip(time(here));
            times.is_some_and(|(recorded, here)| recorded / 1000 == here / 1000)
        }
        (Json::Number(recorded), Json::Number(here)) => recorded.as_f64() == here.as_f64(),
        (read @ Json::Object(_), Json::String(text)) | (Json::String(text), read @ Json::Object(_)) => {
            let plain = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
            serde_json::from_str::<Json>(&plain).is_ok_and(|document| document == *read)
        }
        (Json::Number(seconds), Json::String(text)) | (Json::String(text), Json::Number(seconds)) => {
            time(text).map(|millis| millis / 1000) == seconds.as_f64().map(|seconds| seconds as i64)
        }
        _ => nothing(recorded) && nothing(here),
    }
}

fn short(value: &Json) -> String {
    if value.is_null() { "nothing".to_owned() } else { clipped(&value.to_string()) }
}

fn clipped(text: &str) -> String {
    const LENGTH: usize = 200;
    if text.chars().count() <= LENGTH {
        return text.to_owned();
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}
