//! Tags of every EC2 resource, by its id.

use super::query::{absent, fail, filtered, paged, tags_from};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

/// Prefix of the ids, resource type as tags name it, error code of an unknown id and its noun there.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("acl", "network-acl", "InvalidNetworkAclID.NotFound", "networkAcl"),
    ("ami", "image", "InvalidAMIID.NotFound", "image"),
    ("dopt", "dhcp-options", "InvalidDhcpOptionID.NotFound", "dhcpOption"),
    ("eipalloc", "elastic-ip", "InvalidAllocationID.NotFound", "allocation"),
    ("eni", "network-interface", "InvalidNetworkInterfaceID.NotFound", "networkInterface"),
    ("i", "instance", "InvalidInstanceID.NotFound", "instance"),
    ("igw", "internet-gateway", "InvalidInternetGatewayID.NotFound", "internetGateway"),
    ("key", "key-pair", "InvalidKeyPair.NotFound", "keyPair"),
    ("lt", "launch-template", "InvalidLaunchTemplateId.NotFound", "launchTemplate"),
    ("nat", "natgateway", "NatGatewayNotFound", "natGateway"),
    ("rtb", "route-table", "InvalidRouteTableID.NotFound", "routeTable"),
    ("sg", "security-group", "InvalidGroup.NotFound", "securityGroup"),
    ("sgr", "security-group-rule", "InvalidSecurityGroupRuleId.NotFound", "securityGroupRule"),
    ("snap", "snapshot", "InvalidSnapshot.NotFound", "snapshot"),
    ("subnet", "subnet", "InvalidSubnetID.NotFound", "subnet"),
    ("vol", "volume", "InvalidVolume.NotFound", "volume"),
    ("vpc", "vpc", "InvalidVpcID.NotFound", "vpc"),
];

const TAG_LIMIT: usize = 50;

fn kind(id: &str) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    let prefix = id.split_once('-')?.0;
    KINDS.iter().find(|row| row.0 == prefix)
}

/// The error for an id that there is not; None for ids of no resource.
pub fn unknown(id: &str) -> Option<ApiError> {
    let (prefix, _, code, noun) = kind(id)?;
    let message = match *prefix {
        "nat" => format!("The Nat Gateway {id} was not found"),
        "sg" => format!("The security group '{id}' does not exist"),
        _ => format!("The {noun} ID '{id}' does not exist"),
    };
    Some(ApiError::new(code, message))
}

fn exists(world: &World, prefix: &str, id: &str) -> bool {
    let ec2 = &world.ec2;
    match prefix {
        "acl" => ec2.network_acls.contains_key(id),
        "ami" => super::images::image_in(world, id).is_some(),
        "dopt" => ec2.dhcp_options.contains_key(id),
        "eipalloc" => ec2.addresses.contains_key(id),
        "eni" => ec2.interfaces.contains_key(id),
        "i" => ec2.instances.contains_key(id),
        "igw" => ec2.internet_gateways.contains_key(id),
        "key" => ec2.key_pairs.values().any(|pair| pair.id == id),
        "lt" => ec2.launch_templates.contains_key(id),
        "nat" => ec2.nat_gateways.contains_key(id),
        "rtb" => ec2.route_tables.contains_key(id),
        "sg" => ec2.security_groups.contains_key(id),
        "sgr" => ec2.rules.contains_key(id),
        "snap" => ec2.snapshots.contains_key(id),
        "subnet" => ec2.subnets.contains_key(id),
        "vol" => ec2.volumes.contains_key(id),
        "vpc" => ec2.vpcs.contains_key(id),
        _ => false,
    }
}

/// What EC2 says of keys and values; `aws:` is its own.
pub fn check(tags: &[Json]) -> Result<(), ApiError> {
    for tag in tags {
        let key = tag.text("Key").unwrap_or_default();
        if key.is_empty() {
            return fail("InvalidParameterValue", "Tag keys must be at least 1 character long.");
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return fail(
                "InvalidParameterValue",
                "Tag keys starting with 'aws:' are reserved for internal use",
            );
        }
        if key.chars().count() > 128 {
            return fail(
                "InvalidParameterValue",
                format!("Tag key exceeds the maximum length of 128 characters: {key}"),
            );
        }
        if tag.text("Value").is_some_and(|value| value.chars().count() > 256) {
            return fail(
                "InvalidParameterValue",
                format!("Tag value exceeds the maximum length of 256 characters for key: {key}"),
            );
        }
    }
    Ok(())
}

fn not_an_id(id: &str) -> ApiError {
    ApiError::new("InvalidID", format!("The ID '{id}' is not valid"))
}

/// Whether the part after the prefix can be one of an id: hexadecimal digits.
fn hexadecimal(id: &str) -> bool {
    let part = id.rsplit('-').next().unwrap_or_default();
    part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check_resources(world: &World, input: &Json) -> Result<(), ApiError> {
    for id in input.texts("Resources") {
        match kind(id) {
            Some((prefix, ..)) if !exists(world, prefix, id) && !hexadecimal(id) => {
                return Err(not_an_id(id));
            }
            Some((prefix, _, code, noun)) if !exists(world, prefix, id) => {
                return fail(code, format!("The {noun} ID '{id}' does not exist"));
            }
            Some(_) => {}
            None => return Err(not_an_id(id)),
        }
    }
    if input.texts("Resources").is_empty() { Err(absent("resourceIdSet")) } else { Ok(()) }
}

pub fn create_tags(world: &mut World, input: &Json) -> Answer {
    check_resources(world, input)?;
    let tags = input.list("Tags");
    if tags.is_empty() {
        return Err(absent("tagSet"));
    }
    check(tags)?;
    let tags = tags_from(tags);
    for id in input.texts("Resources") {
        let old = world.ec2.tags.get(id);
        let mut keys: Vec<&String> =
            old.into_iter().flat_map(|tags| tags.keys()).chain(tags.keys()).collect();
        keys.sort();
        keys.dedup();
        if keys.iter().filter(|key| !key.starts_with("aws:")).count() > TAG_LIMIT {
            return fail("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.");
        }
    }
    for id in input.texts("Resources") {
        world.ec2.tags.entry(id.to_owned()).or_default().extend(tags.clone());
    }
    Ok(json!({}))
}

pub fn delete_tags(world: &mut World, input: &Json) -> Answer {
    let doomed = input.list("Tags");
    check(doomed)?;
    for id in input.texts("Resources") {
        let Some(tags) = world.ec2.tags.get_mut(id) else { continue };
        if doomed.is_empty() {
            tags.retain(|key, _| key.starts_with("aws:"));
        }
        for tag in doomed {
            let key = tag.text("Key").unwrap_or_default();
            // A value given must match; an absent one matches any, an empty one only the empty value.
            if tag.text("Value").is_none_or(|value| tags.get(key).is_some_and(|has| has == value)) {
                tags.remove(key);
            }
        }
    }
    world.ec2.tags.retain(|_, tags| !tags.is_empty());
    Ok(json!({}))
}

pub fn describe_tags(world: &mut World, input: &Json) -> Answer {
    let mut items = Vec::new();
    for (id, tags) in &world.ec2.tags {
        let Some((_, kind, ..)) = kind(id) else { continue };
        for (key, value) in tags {
            items.push(json!({
                "ResourceId": id, "ResourceType": kind, "Key": key, "Value": value,
                "Tags": [{"Key": key, "Value": value}],
            }));
        }
    }
    let table = &[
        ("key", "Key"),
        ("value", "Value"),
        ("resource-id", "ResourceId"),
        ("resource-type", "ResourceType"),
    ];
    let mut items = filtered(items, input.list("Filters"), table)?;
    for item in &mut items {
        item.as_object_mut().expect("made above").remove("Tags");
    }
    paged(input, "Tags", items)
}
