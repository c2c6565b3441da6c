//! Network ACLs: every VPC has a default one; every subnet is associated with exactly one.

use super::query::{
    Listing, absent, check_tags, describe, fail, held, lean, missing, need, tag_new, tags_of,
};
use super::state::{AclEntry, NetworkAcl};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

/// Number of the entry that denies what no other entry matched.
const LAST: i64 = 32767;

fn no_acl(id: &str) -> ApiError {
    missing("InvalidNetworkAclID.NotFound", "networkAcl", id)
}

fn entry(number: i64, egress: bool, allow: bool) -> AclEntry {
    AclEntry {
        number,
        egress,
        protocol: "-1".to_owned(),
        allow,
        cidr: Some("0.0.0.0/0".to_owned()),
        ipv6: None,
        ports: None,
        icmp: None,
    }
}

fn new_acl(world: &mut World, vpc: &str, is_default: bool) -> String {
    let id = world.id("acl");
    let mut entries = vec![entry(LAST, true, false), entry(LAST, false, false)];
    if is_default {
        entries.splice(0..0, [entry(100, true, true), entry(100, false, true)]);
    }
    let acl = NetworkAcl {
        id: id.clone(),
        vpc: vpc.to_owned(),
        is_default,
        entries,
        associations: Default::default(),
    };
    world.ec2.network_acls.insert(id.clone(), acl);
    id
}

pub fn create_default(world: &mut World, vpc: &str) {
    new_acl(world, vpc, true);
}

/// A new subnet is associated with its VPC's default ACL.
pub fn take_subnet(world: &mut World, vpc: &str, subnet: &str) {
    let association = world.id("aclassoc");
    let default = world.ec2.network_acls.values_mut().find(|acl| acl.vpc == vpc && acl.is_default);
    if let Some(acl) = default {
        acl.associations.insert(subnet.to_owned(), association);
    }
}

pub fn create_network_acl(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["network-acl"])?;
    let vpc = need(input, "VpcId")?.to_owned();
    world.ec2.vpcs.get(&vpc).ok_or_else(|| super::network::no_vpc(&vpc))?;
    let id = new_acl(world, &vpc, false);
    tag_new(world, input, "network-acl", &id);
    Ok(json!({"NetworkAcl": acl_json(world, &id)}))
}

pub fn delete_network_acl(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkAclId")?;
    let acl = world.ec2.network_acls.get(id).ok_or_else(|| no_acl(id))?;
    if acl.is_default {
        return fail(
            "InvalidParameterValue",
            format!("The network acl '{id}' is the default one of its VPC"),
        );
    }
    if !acl.associations.is_empty() {
        let subnets: Vec<String> = acl.associations.keys().cloned().collect();
        return Err(held("network ACL", id, &subnets));
    }
    world.ec2.network_acls.remove(id);
    world.ec2.tags.remove(id);
    Ok(json!({}))
}

fn acl_json(world: &World, id: &str) -> Option<Json> {
    let acl = world.ec2.network_acls.get(id)?;
    let entry = |entry: &AclEntry| {
        json!({
            "RuleNumber": entry.number, "Egress": entry.egress, "Protocol": entry.protocol,
            "RuleAction": if entry.allow { "allow" } else { "deny" },
            "CidrBlock": entry.cidr, "Ipv6CidrBlock": entry.ipv6,
            "PortRange": entry.ports.map(|(from, to)| json!({"From": from, "To": to})),
            "IcmpTypeCode": entry.icmp.map(|(kind, code)| json!({"Type": kind, "Code": code})),
        })
    };
    let association = |(subnet, association): (&String, &String)| json!({"NetworkAclAssociationId": association, "NetworkAclId": id, "SubnetId": subnet});
    Some(lean(json!({
        "NetworkAclId": id, "VpcId": acl.vpc, "OwnerId": world.account, "IsDefault": acl.is_default,
        "Entries": acl.entries.iter().map(entry).collect::<Vec<_>>(),
        "Associations": acl.associations.iter().map(association).collect::<Vec<_>>(),
        "Tags": tags_of(world, id),
    })))
}

pub fn describe_network_acls(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "NetworkAclIds",
        filters: "Filters",
        output: "NetworkAcls",
        missing: no_acl,
        table: &[
            ("association.association-id", "Associations.NetworkAclAssociationId"),
            ("association.network-acl-id", "Associations.NetworkAclId"),
            ("association.subnet-id", "Associations.SubnetId"),
            ("default", "IsDefault"),
            ("entry.cidr", "Entries.CidrBlock"),
            ("entry.ipv6-cidr", "Entries.Ipv6CidrBlock"),
            ("entry.protocol", "Entries.Protocol"),
            ("entry.rule-action", "Entries.RuleAction"),
            ("entry.egress", "Entries.Egress"),
            ("entry.rule-number", "Entries.RuleNumber"),
            ("network-acl-id", "NetworkAclId"),
            ("owner-id", "OwnerId"),
            ("vpc-id", "VpcId"),
        ],
    };
    describe(input, &listing, world.ec2.network_acls.keys(), |id| acl_json(world, id))
}

fn entry_from(input: &Json) -> Result<AclEntry, ApiError> {
    let range = |name: &str, first: &str, second: &str| {
        let range = input.get(name)?;
        Some((range.int(first)?, range.int(second)?))
    };
    Ok(AclEntry {
        number: input.int("RuleNumber").ok_or_else(|| absent("ruleNumber"))?,
        egress: input.flag("Egress").unwrap_or(false),
        protocol: need(input, "Protocol")?.to_owned(),
        allow: need(input, "RuleAction")? == "allow",
        cidr: input.text("CidrBlock").map(str::to_owned),
        ipv6: input.text("Ipv6CidrBlock").map(str::to_owned),
        ports: range("PortRange", "From", "To"),
        icmp: range("IcmpTypeCode", "Type", "Code"),
    })
}

pub fn create_network_acl_entry(world: &mut World, input: &Json) -> Answer {
    put_entry(world, input, false)
}

pub fn replace_network_acl_entry(world: &mut World, input: &Json) -> Answer {
    put_entry(world, input, true)
}

fn put_entry(world: &mut World, input: &Json, replace: bool) -> Answer {
    let id = need(input, "NetworkAclId")?;
    let new = entry_from(input)?;
    let acl = world.ec2.network_acls.get_mut(id).ok_or_else(|| no_acl(id))?;
    let at = acl.entries.iter().position(|e| e.number == new.number && e.egress == new.egress);
    match (at, replace) {
        (Some(_), false) => {
            let message = format!("The network acl entry identified by {} already exists.", new.number);
            return fail("NetworkAclEntryAlreadyExists", message);
        }
        (None, true) => return Err(no_entry(new.number)),
        (Some(at), true) => acl.entries[at] = new,
        (None, false) => acl.entries.push(new),
    }
    acl.entries.sort_by_key(|e| (!e.egress, e.number));
    Ok(json!({}))
}

fn no_entry(number: i64) -> ApiError {
    ApiError::new(
        "InvalidNetworkAclEntry.NotFound",
        format!("The network acl entry identified by rule number '{number}' does not exist"),
    )
}

pub fn delete_network_acl_entry(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkAclId")?;
    let number = input.int("RuleNumber").ok_or_else(|| absent("ruleNumber"))?;
    let egress = input.flag("Egress").unwrap_or(false);
    let acl = world.ec2.network_acls.get_mut(id).ok_or_else(|| no_acl(id))?;
    let at = acl.entries.iter().position(|e| e.number == number && e.egress == egress && number != LAST);
    acl.entries.remove(at.ok_or_else(|| no_entry(number))?);
    Ok(json!({}))
}

pub fn replace_network_acl_association(world: &mut World, input: &Json) -> Answer {
    let old = need(input, "AssociationId")?;
    let id = need(input, "NetworkAclId")?;
    let vpc = world.ec2.network_acls.get(id).ok_or_else(|| no_acl(id))?.vpc.clone();
    let new = world.id("aclassoc");
    let acls = world.ec2.network_acls.values_mut();
    let found = acls.filter(|acl| acl.vpc == vpc).find_map(|acl| {
        let subnet = acl.associations.iter().find(|(_, association)| *association == old)?.0.clone();
        acl.associations.remove(&subnet);
        Some(subnet)
    });
    let Some(subnet) = found else {
        return Err(missing("InvalidAssociationID.NotFound", "association", old));
    };
    let acl = world.ec2.network_acls.get_mut(id).expect("seen above");
    acl.associations.insert(subnet, new.clone());
    Ok(json!({"NewAssociationId": new}))
}
