//! Record sets: their form in the API, and listing them.

use super::*;
use crate::service::tree::Output;

/// What `routing` holds: the members that choose between sets of one name and type.
const ROUTING: [&str; 9] = [
    "CidrRoutingConfig",
    "Failover",
    "GeoLocation",
    "GeoProximityLocation",
    "HealthCheckId",
    "MultiValueAnswer",
    "Region",
    "TrafficPolicyInstanceId",
    "Weight",
];

impl RecordSet {
    pub fn from_json(input: &Json) -> Self {
        let own = |name: &&str| Some(((*name).to_owned(), input.get(*name)?.clone()));
        let alias = input.get("AliasTarget").map(|alias| Alias {
            zone_id: alias.text("HostedZoneId").unwrap_or_default().to_owned(),
            name: normal(alias.text("DNSName").unwrap_or_default()),
            evaluate_target_health: alias.flag("EvaluateTargetHealth").unwrap_or(false),
        });
        let values = input.list("ResourceRecords").iter();
        RecordSet {
            name: normal(input.text("Name").unwrap_or_default()),
            kind: input.text("Type").unwrap_or_default().to_owned(),
            set_identifier: input.text("SetIdentifier").map(str::to_owned),
            ttl: input.int("TTL"),
            values: values.filter_map(|record| record.text("Value").map(str::to_owned)).collect(),
            alias,
            routing: ROUTING.iter().filter_map(own).collect(),
        }
    }

    pub fn json(&self) -> Json {
        let values: Json = self.values.iter().map(|value| json!({ "Value": value })).collect();
        let alias = self.alias.as_ref().map(|alias| {
            json!({
                "HostedZoneId": alias.zone_id,
                "DNSName": alias.name,
                "EvaluateTargetHealth": alias.evaluate_target_health,
            })
        });
        let mut set = json!({ "Name": self.name, "Type": self.kind })
            .with("SetIdentifier", self.set_identifier.clone())
            .with("TTL", self.ttl)
            .with("ResourceRecords", self.alias.is_none().then_some(values))
            .with("AliasTarget", alias);
        for (name, value) in &self.routing {
            set[name] = value.clone();
        }
        set
    }

    /// The order of ListResourceRecordSets: labels from the right, then type, then identifier.
    pub fn key(&self) -> (Vec<&str>, &str, &str) {
        (reversed(&self.name), &self.kind, self.set_identifier.as_deref().unwrap_or_default())
    }
}

/// Blanks and control characters stand in names only as escape codes (developer guide, "DNS domain name format").
pub fn unsupported(name: &str) -> Option<String> {
    let mut before = ' ';
    for c in name.chars() {
        if (c.is_whitespace() || c.is_control()) && before != '\\' {
            return Some(format!(
                "FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with '{c}'"
            ));
        }
        before = c;
    }
    None
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let zone = find(world, input.text("HostedZoneId").unwrap_or_default())?;
    let kind = input.text("StartRecordType").unwrap_or_default();
    let identifier = input.text("StartRecordIdentifier").unwrap_or_default();
    if let Some(problem) = input.text("StartRecordName").and_then(unsupported) {
        return Err(ApiError::new("InvalidInput", problem));
    }
    let start = input.text("StartRecordName").map(normal);
    if start.is_none() && !kind.is_empty() {
        return Err(ApiError::new("InvalidInput", "The input is not valid"));
    }
    let first = match &start {
        None => 0,
        Some(name) => {
            let from = (reversed(name), kind, identifier);
            zone.records.partition_point(|set| set.key() < from)
        }
    };
    let max = max_items(input, 300);
    let page: Json = zone.records.iter().skip(first).take(max).map(RecordSet::json).collect();
    let next = zone.records.get(first + max);
    Ok(json!({
        "ResourceRecordSets": page,
        "IsTruncated": next.is_some(),
        "MaxItems": max.to_string(),
    })
    .with("NextRecordName", next.map(|set| set.name.clone()))
    .with("NextRecordType", next.map(|set| set.kind.clone()))
    .with("NextRecordIdentifier", next.and_then(|set| set.set_identifier.clone())))
}
