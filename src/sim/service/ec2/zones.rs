//! Regions and their availability zones. Zone names map to zone ids differently in every account; ours
//! maps them in order.

use super::query::{fail, filtered};
use crate::World;
use crate::service::{Answer, Input};
use serde_json::{Value as Json, json};

/// Region, prefix of its zone ids, zone letters (AWS's list of zone ids; zones of new accounts).
const REGIONS: &[(&str, &str, &str)] = &[
    ("af-south-1", "afs1", "abc"),
    ("ap-east-1", "ape1", "abc"),
    ("ap-east-2", "ape2", "abc"),
    ("ap-northeast-1", "apne1", "acd"),
    ("ap-northeast-2", "apne2", "abcd"),
    ("ap-northeast-3", "apne3", "abc"),
    ("ap-south-1", "aps1", "abc"),
    ("ap-south-2", "aps2", "abc"),
    ("ap-southeast-1", "apse1", "abc"),
    ("ap-southeast-2", "apse2", "abc"),
    ("ap-southeast-3", "apse3", "abc"),
    ("ap-southeast-4", "apse4", "abc"),
    ("ap-southeast-5", "apse5", "abc"),
    ("ap-southeast-7", "apse7", "abc"),
    ("ca-central-1", "cac1", "abd"),
    ("ca-west-1", "caw1", "abc"),
    ("eu-central-1", "euc1", "abc"),
    ("eu-central-2", "euc2", "abc"),
    ("eu-north-1", "eun1", "abc"),
    ("eu-south-1", "eus1", "abc"),
    ("eu-south-2", "eus2", "abc"),
    ("eu-west-1", "euw1", "abc"),
    ("eu-west-2", "euw2", "abc"),
    ("eu-west-3", "euw3", "abc"),
    ("il-central-1", "ilc1", "abc"),
    ("me-central-1", "mec1", "abc"),
    ("me-south-1", "mes1", "abc"),
    ("mx-central-1", "mxc1", "abc"),
    ("sa-east-1", "sae1", "abc"),
    ("us-east-1", "use1", "abcdef"),
    ("us-east-2", "use2", "abc"),
    ("us-west-1", "usw1", "ab"),
    ("us-west-2", "usw2", "abcd"),
];

/// Regions of 2019 and later, which an account must enable (Account Management reference, "Enable or disable AWS
/// Regions"). Nobody has, here; asked for anything, they answer all the same.
fn opt_in(region: &str) -> bool {
    const WITHOUT: [&str; 17] = [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ];
    !WITHOUT.contains(&region)
}

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
    let all = input.flag("AllRegions") == Some(true);
    let named = REGIONS.iter().filter(|row| match &wanted[..] {
        [] => all || !opt_in(row.0),
        wanted => wanted.contains(&row.0),
    });
    let render = |row: &(&str, &str, &str)| {
        let endpoint = format!("ec2.{}.amazonaws.com", row.0);
        let status = if opt_in(row.0) { "not-opted-in" } else { "opt-in-not-required" };
        json!({"RegionName": row.0, "Endpoint": endpoint, "OptInStatus": status})
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
