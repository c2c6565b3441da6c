//! Regions and their availability zones. Zone names map to zone ids differently in every account; ours
//! maps them in order.

use super::query::{fail, filtered};
use crate::World;
use crate::service::{Answer, Input};
use serde_json::{Value as Json, json};

/// Region, prefix of its zone ids, zone letters (AWS's list of zone ids; zones of new accounts).
const REGIONS: &[(&str, &str, &str)] = &[
    ("ap-northeast-1", "apne1", "acd"),
    ("ap-northeast-2", "apne2", "abcd"),
    ("ap-northeast-3", "apne3", "abc"),
    ("ap-south-1", "aps1", "abc"),
    ("ap-southeast-1", "apse1", "abc"),
    ("ap-southeast-2", "apse2", "abc"),
    ("ca-central-1", "cac1", "abd"),
    ("eu-central-1", "euc1", "abc"),
    ("eu-north-1", "eun1", "abc"),
    ("eu-west-1", "euw1", "abc"),
    ("eu-west-2", "euw2", "abc"),
    ("eu-west-3", "euw3", "abc"),
    ("sa-east-1", "sae1", "abc"),
    ("us-east-1", "use1", "abcdef"),
    ("us-east-2", "use2", "abc"),
    ("us-west-1", "usw1", "ab"),
    ("us-west-2", "usw2", "abcd"),
];

fn here(world: &World) -> (String, &'static str) {
    match REGIONS.iter().find(|row| row.0 == world.region) {
        Some((_, prefix, letters)) => ((*prefix).to_owned(), letters),
        // `me-central-1` → `mec1`, `ap-southeast-3` → `apse3`, as AWS abbreviates.
        None => {
            let short = |part: &str| match part {
                "northeast" => "ne".to_owned(),
                "northwest" => "nw".to_owned(),
                "southeast" => "se".to_owned(),
                "southwest" => "sw".to_owned(),
                other => other.chars().take(1).collect(),
            };
            let mut parts = world.region.split('-');
            let area = parts.next().unwrap_or_default();
            (
                area.chars().chain(parts.flat_map(|part| short(part).chars().collect::<Vec<_>>())).collect(),
                "abc",
            )
        }
    }
}

/// Names of the region's zones, in order.
pub fn zones(world: &World) -> Vec<String> {
    here(world).1.chars().map(|letter| format!("{}{letter}", world.region)).collect()
}

/// `use1-az2` for `us-east-1b`.
pub fn zone_id(world: &World, zone: &str) -> Option<String> {
    let (prefix, letters) = here(world);
    let letter = zone.strip_prefix(world.region.as_str())?;
    let at = letters.chars().position(|known| letter.len() == 1 && letter.starts_with(known))?;
    Some(format!("{prefix}-az{}", at + 1))
}

pub fn describe_availability_zones(world: &mut World, input: &Json) -> Answer {
    let render = |zone: &String| {
        json!({
            "ZoneName": zone, "ZoneId": zone_id(world, zone), "RegionName": world.region,
            "GroupName": format!("{}-zg-1", world.region), "NetworkBorderGroup": world.region,
            "ZoneType": "availability-zone", "State": "available", "OptInStatus": "opt-in-not-required",
            "Messages": [],
        })
    };
    let mut items: Vec<Json> = zones(world).iter().map(render).collect();
    for (member, field) in [("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")] {
        let wanted = input.texts(member);
        if let Some(bad) = wanted.iter().find(|id| !items.iter().any(|zone| zone.text(field) == Some(id))) {
            return fail("InvalidParameterValue", format!("Invalid availability zone: [{bad}]"));
        }
        if !wanted.is_empty() {
            items.retain(|zone| zone.text(field).is_some_and(|id| wanted.contains(&id)));
        }
    }
    let table = &[
        ("group-name", "GroupName"),
        ("message", "Messages.Message"),
        ("opt-in-status", "OptInStatus"),
        ("region-name", "RegionName"),
        ("state", "State"),
        ("zone-id", "ZoneId"),
        ("zone-name", "ZoneName"),
        ("zone-type", "ZoneType"),
        ("parent-zone-id", "ParentZoneId"),
        ("parent-zone-name", "ParentZoneName"),
    ];
    let items = filtered(items, input.list("Filters"), table)?;
    Ok(json!({"AvailabilityZones": items}))
}

pub fn describe_regions(_world: &mut World, input: &Json) -> Answer {
    let wanted = input.texts("RegionNames");
    if let Some(bad) = wanted.iter().find(|name| !REGIONS.iter().any(|row| row.0 == **name)) {
        return fail("InvalidParameterValue", format!("Invalid values found for region name: [{bad}]"));
    }
    let named = REGIONS.iter().filter(|row| wanted.is_empty() || wanted.contains(&row.0));
    let render = |row: &(&str, &str, &str)| {
        let endpoint = format!("ec2.{}.amazonaws.com", row.0);
        json!({"RegionName": row.0, "Endpoint": endpoint, "OptInStatus": "opt-in-not-required"})
    };
    let table = &[("endpoint", "Endpoint"), ("opt-in-status", "OptInStatus"), ("region-name", "RegionName")];
    let items = filtered(named.map(render).collect(), input.list("Filters"), table)?;
    Ok(json!({"Regions": items}))
}

pub fn describe_account_attributes(world: &mut World, input: &Json) -> Answer {
    let default_vpc = world.ec2.vpcs.values().find(|vpc| vpc.is_default).map(|vpc| vpc.id.as_str());
    let all = [
        ("supported-platforms", "VPC"),
        ("default-vpc", default_vpc.unwrap_or("none")),
        ("max-instances", "20"),
        ("max-elastic-ips", "5"),
        ("vpc-max-elastic-ips", "5"),
        ("vpc-max-security-groups-per-interface", "5"),
    ];
    let wanted = input.texts("AttributeNames");
    let named = all.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let render = |(name, value): &(&str, &str)| json!({"AttributeName": name, "AttributeValues": [{"AttributeValue": value}]});
    Ok(json!({"AccountAttributes": named.map(render).collect::<Vec<_>>()}))
}
