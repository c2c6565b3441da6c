//! Security groups; their rules are resources of their own (`security_group_rules`).

use super::query::{Listing, check_tags, describe, fail, lean, need, tag_new, tags_of};
use super::security_group_rules as rules;
use super::state::{Peer, Rule, SecurityGroup};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

pub fn no_group(id: &str) -> ApiError {
    ApiError::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

/// A VPC's default group lets its members talk to each other.
pub fn create_default(world: &mut World, vpc: &str) {
    let id = new_group(world, vpc, "default", "default VPC security group");
    let peer = Peer::Group(id.clone());
    rules::add(world, rules::everything(&id, false, peer));
}

/// Every new group lets everything out.
fn new_group(world: &mut World, vpc: &str, name: &str, description: &str) -> String {
    let id = world.id("sg");
    let group = SecurityGroup {
        id: id.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        vpc: vpc.to_owned(),
    };
    world.ec2.security_groups.insert(id.clone(), group);
    rules::add(world, rules::everything(&id, true, Peer::Ipv4("0.0.0.0/0".to_owned())));
    if world.ec2.vpcs.get(vpc).is_some_and(|vpc| !vpc.ipv6.is_empty()) {
        rules::add(world, rules::everything(&id, true, Peer::Ipv6("::/0".to_owned())));
    }
    id
}

fn plain(text: &str) -> bool {
    text.chars().count() <= 255
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c))
}

pub fn create_security_group(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["security-group"])?;
    let name = need(input, "GroupName")?;
    let description = need(input, "Description")?;
    let vpc = match input.text("VpcId") {
        Some(id) => id.to_owned(),
        None => match super::network::default_vpc(world) {
            Some(vpc) => vpc.id.clone(),
            None => return fail("VPCIdNotSpecified", "No default VPC for this user"),
        },
    };
    world.ec2.vpcs.get(&vpc).ok_or_else(|| super::network::no_vpc(&vpc))?;
    if name.starts_with("sg-") {
        let message = format!(
            "Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        );
        return fail("InvalidParameterValue", message);
    }
    for (what, text) in [("GroupName", name), ("GroupDescription", description)] {
        if !plain(text) {
            let message = format!(
                "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported."
            );
            return fail("InvalidParameterValue", message);
        }
    }
    if world.ec2.security_groups.values().any(|group| group.vpc == vpc && group.name == name) {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return fail("InvalidGroup.Duplicate", message);
    }
    let id = new_group(world, &vpc, name, description);
    tag_new(world, input, "security-group", &id);
    let arn = world.arn("ec2", &format!("security-group/{id}"));
    Ok(json!({"GroupId": id, "SecurityGroupArn": arn, "Tags": tags_of(world, &id)}))
}

/// By id, or by name in the default VPC.
pub fn group_of(world: &World, input: &Json) -> Result<String, ApiError> {
    if let Some(id) = input.text("GroupId") {
        let known = world.ec2.security_groups.contains_key(id);
        return if known { Ok(id.to_owned()) } else { Err(no_group(id)) };
    }
    let Some(name) = input.text("GroupName") else {
        return fail("MissingParameter", "The request must contain the parameter groupName or groupId");
    };
    let vpc = super::network::default_vpc(world).map(|vpc| &vpc.id);
    let mut all = world.ec2.security_groups.values();
    let found = all.find(|group| Some(&group.vpc) == vpc && group.name == name);
    found.map(|group| group.id.clone()).ok_or_else(|| match vpc {
        Some(vpc) => {
            let message = format!("The security group '{name}' does not exist in default VPC '{vpc}'");
            ApiError::new("InvalidGroup.NotFound", message)
        }
        None => no_group(name),
    })
}

pub fn delete_security_group(world: &mut World, input: &Json) -> Answer {
    let id = group_of(world, input)?;
    let group = &world.ec2.security_groups[&id];
    if group.name == "default" {
        let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return fail("CannotDelete", message);
    }
    let users = world.ec2.interfaces.values().filter(|eni| eni.groups.contains(&id));
    let mut holders: Vec<String> = users.map(|eni| format!("{} ({})", eni.id, eni.user())).collect();
    let peer = Peer::Group(id.clone());
    let referrers = world.ec2.rules.values().filter(|rule| rule.peer == peer && rule.group != id);
    holders.extend(referrers.map(|rule| format!("{} of {}", rule.id, rule.group)));
    if !holders.is_empty() {
        // AWS stops after the first sentence.
        let message = format!("resource {id} has a dependent object. Held by: {}", holders.join(", "));
        return fail("DependencyViolation", message);
    }
    let ec2 = &mut world.ec2;
    ec2.security_groups.remove(&id);
    ec2.tags.remove(&id);
    let gone: Vec<String> = ec2.rules.extract_if(.., |_, rule| rule.group == id).map(|(id, _)| id).collect();
    for rule in gone {
        ec2.tags.remove(&rule);
    }
    Ok(json!({"Return": true, "GroupId": id}))
}

fn group_json(world: &World, id: &str) -> Option<Json> {
    let group = world.ec2.security_groups.get(id)?;
    let mut all: Vec<&Rule> = rules::of(world, id).collect();
    all.sort_by_key(|rule| rule.number);
    let (egress, ingress): (Vec<&Rule>, Vec<&Rule>) = all.into_iter().partition(|rule| rule.egress);
    Some(json!({
        "GroupId": id, "GroupName": group.name, "Description": group.description, "VpcId": group.vpc,
        "OwnerId": world.account, "SecurityGroupArn": world.arn("ec2", &format!("security-group/{id}")),
        "IpPermissions": permissions(world, &ingress), "IpPermissionsEgress": permissions(world, &egress),
        "Tags": tags_of(world, id),
    }))
}

/// Rules of one protocol and port range are one permission.
fn permissions(world: &World, rules: &[&Rule]) -> Json {
    let mut keys: Vec<(&str, i64, i64)> = Vec::new();
    for rule in rules {
        let key = (rule.protocol.as_str(), rule.from, rule.to);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let of = |key: (&str, i64, i64)| {
        let same = rules.iter().filter(|rule| (rule.protocol.as_str(), rule.from, rule.to) == key);
        let (mut v4, mut v6, mut lists, mut groups) = (vec![], vec![], vec![], vec![]);
        for rule in same {
            let description = &rule.description;
            match &rule.peer {
                Peer::Ipv4(cidr) => v4.push(json!({"CidrIp": cidr, "Description": description})),
                Peer::Ipv6(cidr) => v6.push(json!({"CidrIpv6": cidr, "Description": description})),
                Peer::PrefixList(id) => lists.push(json!({"PrefixListId": id, "Description": description})),
                Peer::Group(id) => {
                    let user = &world.account;
                    groups.push(json!({"GroupId": id, "UserId": user, "Description": description}));
                }
            }
        }
        let ports = (key.0 != "-1").then_some((key.1, key.2));
        lean(json!({
            "IpProtocol": key.0, "FromPort": ports.map(|p| p.0), "ToPort": ports.map(|p| p.1),
            "IpRanges": v4, "Ipv6Ranges": v6, "PrefixListIds": lists, "UserIdGroupPairs": groups,
        }))
    };
    Json::Array(keys.into_iter().map(of).collect())
}

pub fn describe_security_groups(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("GroupNames");
    let mut ids: Vec<&String> = world.ec2.security_groups.keys().collect();
    if !names.is_empty() {
        // Names select in the default VPC only.
        let wanted: Result<Vec<String>, ApiError> =
            names.iter().map(|name| group_of(world, &json!({"GroupName": name}))).collect();
        let wanted = wanted?;
        ids.retain(|id| wanted.contains(id));
    }
    let listing = Listing {
        ids: "GroupIds",
        filters: "Filters",
        output: "SecurityGroups",
        missing: no_group,
        table: &[
            ("description", "Description"),
            ("egress.ip-permission.cidr", "IpPermissionsEgress.IpRanges.CidrIp"),
            ("egress.ip-permission.from-port", "IpPermissionsEgress.FromPort"),
            ("egress.ip-permission.group-name", "IpPermissionsEgress.UserIdGroupPairs.GroupName"),
            ("egress.ip-permission.group-id", "IpPermissionsEgress.UserIdGroupPairs.GroupId"),
            ("egress.ip-permission.ipv6-cidr", "IpPermissionsEgress.Ipv6Ranges.CidrIpv6"),
            ("egress.ip-permission.prefix-list-id", "IpPermissionsEgress.PrefixListIds.PrefixListId"),
            ("egress.ip-permission.protocol", "IpPermissionsEgress.IpProtocol"),
            ("egress.ip-permission.to-port", "IpPermissionsEgress.ToPort"),
            ("egress.ip-permission.user-id", "IpPermissionsEgress.UserIdGroupPairs.UserId"),
            ("group-id", "GroupId"),
            ("group-name", "GroupName"),
            ("ip-permission.cidr", "IpPermissions.IpRanges.CidrIp"),
            ("ip-permission.from-port", "IpPermissions.FromPort"),
            ("ip-permission.group-name", "IpPermissions.UserIdGroupPairs.GroupName"),
            ("ip-permission.group-id", "IpPermissions.UserIdGroupPairs.GroupId"),
            ("ip-permission.ipv6-cidr", "IpPermissions.Ipv6Ranges.CidrIpv6"),
            ("ip-permission.prefix-list-id", "IpPermissions.PrefixListIds.PrefixListId"),
            ("ip-permission.protocol", "IpPermissions.IpProtocol"),
            ("ip-permission.to-port", "IpPermissions.ToPort"),
            ("ip-permission.user-id", "IpPermissions.UserIdGroupPairs.UserId"),
            ("owner-id", "OwnerId"),
            ("vpc-id", "VpcId"),
        ],
    };
    describe(input, &listing, ids.into_iter(), |id| group_json(world, id))
}
