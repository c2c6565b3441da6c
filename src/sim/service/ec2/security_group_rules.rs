//! Security group rules: given and taken as IP permissions, or one by one by their ids.

use super::query::{Listing, check_tags, describe, done, fail, lean, missing, need, new_tags, tags_of};
use super::security_groups::{group_of, no_group};
use super::state::{Peer, Rule};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Value as Json, json};

/// Inbound or outbound rules a group may have (VPC User Guide, "Amazon VPC quotas").
const LIMIT: usize = 60;

fn no_rule(id: &str) -> ApiError {
    missing("InvalidSecurityGroupRuleId.NotFound", "security group rule", id)
}

pub fn everything(group: &str, egress: bool, peer: Peer) -> Rule {
    Rule {
        id: String::new(),
        group: group.to_owned(),
        egress,
        protocol: "-1".to_owned(),
        from: -1,
        to: -1,
        peer,
        description: None,
        number: 0,
    }
}

/// Gives the rule its id.
pub fn add(world: &mut World, mut rule: Rule) -> String {
    let id = world.id("sgr");
    rule.id.clone_from(&id);
    world.ec2.rules_made += 1;
    rule.number = world.ec2.rules_made;
    world.ec2.rules.insert(id.clone(), rule);
    id
}

pub fn of<'a>(world: &'a World, group: &'a str) -> impl Iterator<Item = &'a Rule> {
    world.ec2.rules.values().filter(move |rule| rule.group == group)
}

impl Rule {
    fn same(&self, other: &Rule) -> bool {
        let key = |rule: &Rule| (rule.egress, rule.protocol.clone(), rule.from, rule.to);
        self.group == other.group && key(self) == key(other) && self.peer == other.peer
    }

    /// `peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW`
    fn describe(&self) -> String {
        let (Peer::Ipv4(peer) | Peer::Ipv6(peer) | Peer::PrefixList(peer) | Peer::Group(peer)) = &self.peer;
        match self.protocol.as_str() {
            "-1" => format!("peer: {peer}, ALL, ALLOW"),
            "icmp" | "icmpv6" => format!(
                "peer: {peer}, {}, type: {}, code: {}, ALLOW",
                self.protocol.to_uppercase(),
                self.from,
                self.to
            ),
            protocol => format!(
                "peer: {peer}, {}, from port: {}, to port: {}, ALLOW",
                protocol.to_uppercase(),
                self.from,
                self.to
            ),
        }
    }
}

/// (protocol, from, to) in the form EC2 keeps.
fn ports(input: &Json) -> Result<(String, i64, i64), ApiError> {
    let protocol = match input.text("IpProtocol").unwrap_or_default().to_ascii_lowercase().as_str() {
        "" => return Err(super::query::absent("IpProtocol")),
        "all" | "-1" => return Ok(("-1".to_owned(), -1, -1)),
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        other => other.to_owned(),
    };
    let (from, to) = (input.int("FromPort"), input.int("ToPort"));
    match protocol.as_str() {
        "tcp" | "udp" => {
            let (Some(from), Some(to)) = (from, to) else {
                let message =
                    "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.";
                return fail("InvalidParameterValue", message);
            };
            let range = 0..=65535;
            if !range.contains(&from) || !range.contains(&to) || from > to {
                let message =
                    format!("Invalid value '{from}-{to}' for portRange. Must be ascending and in 0-65535.");
                return fail("InvalidParameterValue", message);
            }
            Ok((protocol, from, to))
        }
        "icmp" | "icmpv6" => Ok((protocol, from.unwrap_or(-1), to.unwrap_or(-1))),
        number if number.parse::<u8>().is_ok() => Ok((protocol, -1, -1)),
        _ => {
            let message = format!("Invalid value '{protocol}' for IP protocol. Unknown protocol.");
            fail("InvalidParameterValue", message)
        }
    }
}

/// With host bits cleared, as EC2 does.
fn ipv4(text: &str) -> Result<Peer, ApiError> {
    let with_length = text.contains('/').then_some(text);
    let net = with_length.and_then(|text| text.parse::<Ipv4Net>().ok());
    let bad = || ApiError::new("InvalidParameterValue", format!("CIDR block {text} is malformed"));
    Ok(Peer::Ipv4(net.ok_or_else(bad)?.trunc().to_string()))
}

fn ipv6(text: &str) -> Result<Peer, ApiError> {
    let bad = |_| ApiError::new("InvalidParameterValue", format!("CIDR block {text} is malformed"));
    Ok(Peer::Ipv6(text.parse::<Ipv6Net>().map_err(bad)?.trunc().to_string()))
}

fn peer_group(world: &World, group: &str, pair: &Json) -> Result<Peer, ApiError> {
    let vpc = &world.ec2.security_groups[group].vpc;
    let id = match (pair.text("GroupId"), pair.text("GroupName")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => {
            let mut all = world.ec2.security_groups.values();
            let found = all.find(|other| other.vpc == *vpc && other.name == name);
            found.ok_or_else(|| no_group(name))?.id.clone()
        }
        (None, None) => return Err(super::query::absent("GroupId")),
    };
    // Groups of other accounts cannot be looked up.
    if pair.text("UserId").is_some_and(|user| user != world.account) {
        return Ok(Peer::Group(id));
    }
    let other = world.ec2.security_groups.get(&id).ok_or_else(|| no_group(&id))?;
    if other.vpc != *vpc {
        let message = "You have specified two resources that belong to different networks.";
        return fail("InvalidGroup.NotFound", message);
    }
    Ok(Peer::Group(id))
}

/// One rule a range, group or prefix list of every permission.
fn rules_from(world: &World, input: &Json, group: &str, egress: bool) -> Result<Vec<Rule>, ApiError> {
    let mut rules = Vec::new();
    let old_style;
    let mut permissions = input.list("IpPermissions");
    if permissions.is_empty() && input.text("IpProtocol").is_some() {
        old_style = [one_permission(input)];
        permissions = &old_style;
    }
    for permission in permissions {
        let (protocol, from, to) = ports(permission)?;
        let mut peers = Vec::new();
        for range in permission.list("IpRanges") {
            peers.push((ipv4(range.text("CidrIp").unwrap_or_default())?, range));
        }
        for range in permission.list("Ipv6Ranges") {
            peers.push((ipv6(range.text("CidrIpv6").unwrap_or_default())?, range));
        }
        for list in permission.list("PrefixListIds") {
            peers.push((Peer::PrefixList(need(list, "PrefixListId")?.to_owned()), list));
        }
        for pair in permission.list("UserIdGroupPairs") {
            peers.push((peer_group(world, group, pair)?, pair));
        }
        for (peer, source) in peers {
            let description = source.text("Description").filter(|text| !text.is_empty()).map(str::to_owned);
            rules.push(Rule {
                id: String::new(),
                group: group.to_owned(),
                egress,
                protocol: protocol.clone(),
                from,
                to,
                peer,
                description,
                number: 0,
            });
        }
    }
    Ok(rules)
}

/// The first API's way: protocol, ports and one source as members of the request itself.
fn one_permission(input: &Json) -> Json {
    let ranges: Vec<Json> = input.text("CidrIp").iter().map(|cidr| json!({"CidrIp": cidr})).collect();
    let group = input.text("SourceSecurityGroupName");
    let pairs: Vec<Json> = group.iter().map(|name| json!({"GroupName": name})).collect();
    lean(json!({
        "IpProtocol": input["IpProtocol"], "FromPort": input.int("FromPort"), "ToPort": input.int("ToPort"),
        "IpRanges": ranges, "UserIdGroupPairs": pairs,
    }))
}

pub fn authorize_ingress(world: &mut World, input: &Json) -> Answer {
    authorize(world, input, false)
}

pub fn authorize_egress(world: &mut World, input: &Json) -> Answer {
    authorize(world, input, true)
}

fn authorize(world: &mut World, input: &Json, egress: bool) -> Answer {
    check_tags(input, &["security-group-rule"])?;
    let group = group_of(world, input)?;
    let rules = rules_from(world, input, &group, egress)?;
    if rules.is_empty() {
        return fail("MissingParameter", "The request must contain the parameter ipPermissions");
    }
    for (at, rule) in rules.iter().enumerate() {
        if rules[..at].iter().any(|earlier| earlier.same(rule)) {
            let message = format!("The same permission must not appear multiple times: {}", rule.describe());
            return fail("InvalidParameterValue", message);
        }
        if of(world, &group).any(|has| has.same(rule)) {
            let message = format!("the specified rule \"{}\" already exists", rule.describe());
            return fail("InvalidPermission.Duplicate", message);
        }
    }
    if of(world, &group).filter(|rule| rule.egress == egress).count() + rules.len() > LIMIT {
        let message = "The maximum number of rules per security group has been reached.";
        return fail("RulesPerSecurityGroupLimitExceeded", message);
    }
    let tags = new_tags(input, "security-group-rule");
    let mut made = Vec::new();
    for rule in rules {
        let id = add(world, rule);
        if !tags.is_empty() {
            world.ec2.tags.insert(id.clone(), tags.clone());
        }
        made.push(rule_json(world, &id));
    }
    Ok(json!({"Return": true, "SecurityGroupRules": made}))
}

pub fn revoke_ingress(world: &mut World, input: &Json) -> Answer {
    revoke(world, input, false)
}

pub fn revoke_egress(world: &mut World, input: &Json) -> Answer {
    revoke(world, input, true)
}

fn revoke(world: &mut World, input: &Json, egress: bool) -> Answer {
    let group = group_of(world, input)?;
    let mut doomed: Vec<String> = Vec::new();
    for id in input.texts("SecurityGroupRuleIds") {
        let rule = world.ec2.rules.get(id).filter(|rule| rule.group == group && rule.egress == egress);
        doomed.push(rule.ok_or_else(|| no_rule(id))?.id.clone());
    }
    for rule in rules_from(world, input, &group, egress)? {
        let Some(has) = of(world, &group).find(|has| has.same(&rule)) else {
            let message = "The specified rule does not exist in this security group.";
            return fail("InvalidPermission.NotFound", message);
        };
        doomed.push(has.id.clone());
    }
    let mut revoked = Vec::new();
    for id in doomed {
        let Some(rule) = world.ec2.rules.remove(&id) else { continue };
        world.ec2.tags.remove(&id);
        let peer = peer_json(&rule.peer);
        revoked.push(lean(json!({
            "SecurityGroupRuleId": id, "GroupId": rule.group, "IsEgress": rule.egress,
            "IpProtocol": rule.protocol, "FromPort": rule.from, "ToPort": rule.to,
            "CidrIpv4": peer[0], "CidrIpv6": peer[1], "PrefixListId": peer[2], "ReferencedGroupId": peer[3],
            "Description": rule.description,
        })));
    }
    Ok(json!({"Return": true, "RevokedSecurityGroupRules": revoked}))
}

/// IPv4 block, IPv6 block, prefix list, group.
fn peer_json(peer: &Peer) -> [Option<&String>; 4] {
    match peer {
        Peer::Ipv4(cidr) => [Some(cidr), None, None, None],
        Peer::Ipv6(cidr) => [None, Some(cidr), None, None],
        Peer::PrefixList(id) => [None, None, Some(id), None],
        Peer::Group(id) => [None, None, None, Some(id)],
    }
}

fn rule_json(world: &World, id: &str) -> Option<Json> {
    let rule = world.ec2.rules.get(id)?;
    let [v4, v6, list, group] = peer_json(&rule.peer);
    Some(lean(json!({
        "SecurityGroupRuleId": id, "GroupId": rule.group, "GroupOwnerId": world.account,
        "IsEgress": rule.egress, "IpProtocol": rule.protocol, "FromPort": rule.from, "ToPort": rule.to,
        "CidrIpv4": v4, "CidrIpv6": v6, "PrefixListId": list,
        "ReferencedGroupInfo": group.map(|group| {
            let vpc = world.ec2.security_groups.get(group).map(|group| &group.vpc);
            json!({"GroupId": group, "UserId": world.account, "VpcId": vpc})
        }),
        "Description": rule.description,
        "SecurityGroupRuleArn": world.arn("ec2", &format!("security-group-rule/{id}")),
        "Tags": tags_of(world, id),
    })))
}

pub fn describe_security_group_rules(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "SecurityGroupRuleIds",
        filters: "Filters",
        output: "SecurityGroupRules",
        missing: no_rule,
        table: &[("group-id", "GroupId"), ("security-group-rule-id", "SecurityGroupRuleId")],
    };
    for filter in input.list("Filters").iter().filter(|filter| filter.text("Name") == Some("group-id")) {
        if let Some(bad) = filter.texts("Values").into_iter().find(|id| !id.starts_with("sg-")) {
            let message = format!("The security group ID '{bad}' is malformed");
            return fail("InvalidGroupId.Malformed", message);
        }
    }
    let mut ids: Vec<&String> = world.ec2.rules.keys().collect();
    ids.sort_by_key(|id| {
        let rule = &world.ec2.rules[*id];
        (&rule.group, rule.number)
    });
    describe(input, &listing, ids.into_iter(), |id| rule_json(world, id))
}

/// ModifySecurityGroupRules' own words for what a rule lacks (as moto's tests saw them at AWS).
fn check_one(new: &Json) -> Result<(), ApiError> {
    let Some(protocol) = new.text("IpProtocol") else {
        let message =
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.";
        return fail("InvalidParameterValue", message);
    };
    let ports = new.get("FromPort").is_some() && new.get("ToPort").is_some();
    if matches!(protocol, "tcp" | "udp" | "6" | "17") && !ports {
        let message = "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.";
        return fail("InvalidParameterValue", message);
    }
    let sources = ["CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId"];
    match sources.iter().filter(|name| new.get(**name).is_some()).count() {
        0 => fail(
            "MissingParameter",
            "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId",
        ),
        1 => Ok(()),
        _ => fail(
            "InvalidParameterCombination",
            "Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified",
        ),
    }
}

pub fn modify_security_group_rules(world: &mut World, input: &Json) -> Answer {
    let group = group_of(world, input)?;
    let mut changed = Vec::new();
    for update in input.list("SecurityGroupRules") {
        let id = need(update, "SecurityGroupRuleId")?;
        let old = world.ec2.rules.get(id).filter(|rule| rule.group == group).ok_or_else(|| no_rule(id))?;
        let Some(new) = update.get("SecurityGroupRule") else {
            return Err(super::query::absent("SecurityGroupRule"));
        };
        check_one(new)?;
        let (protocol, from, to) = ports(new)?;
        let peer = match (new.text("CidrIpv4"), new.text("CidrIpv6"), new.text("PrefixListId")) {
            (Some(cidr), ..) => ipv4(cidr)?,
            (_, Some(cidr), _) => ipv6(cidr)?,
            (.., Some(list)) => Peer::PrefixList(list.to_owned()),
            _ => peer_group(world, &group, &json!({"GroupId": need(new, "ReferencedGroupId")?}))?,
        };
        if std::mem::discriminant(&peer) != std::mem::discriminant(&old.peer) {
            let message = "You may not change the source or destination type of a security group rule.";
            return fail("InvalidParameterValue", message);
        }
        let description = new.text("Description").filter(|text| !text.is_empty()).map(str::to_owned);
        let rule = Rule {
            id: id.to_owned(),
            group: group.clone(),
            egress: old.egress,
            protocol,
            from,
            to,
            peer,
            description,
            number: old.number,
        };
        if of(world, &group).any(|has| has.id != rule.id && has.same(&rule)) {
            let message = format!("the specified rule \"{}\" already exists", rule.describe());
            return fail("InvalidPermission.Duplicate", message);
        }
        changed.push(rule);
    }
    for rule in changed {
        world.ec2.rules.insert(rule.id.clone(), rule);
    }
    done()
}

pub fn describe_ingress_anew(world: &mut World, input: &Json) -> Answer {
    describe_anew(world, input, false)
}

pub fn describe_egress_anew(world: &mut World, input: &Json) -> Answer {
    describe_anew(world, input, true)
}

/// UpdateSecurityGroupRuleDescriptions…: only the descriptions change.
fn describe_anew(world: &mut World, input: &Json, egress: bool) -> Answer {
    let group = group_of(world, input)?;
    let mut changes: Vec<(String, Option<String>)> = Vec::new();
    for given in input.list("SecurityGroupRuleDescriptions") {
        let id = need(given, "SecurityGroupRuleId")?;
        let rule = world.ec2.rules.get(id).filter(|rule| rule.group == group && rule.egress == egress);
        rule.ok_or_else(|| no_rule(id))?;
        changes.push((id.to_owned(), given.text("Description").map(str::to_owned)));
    }
    for rule in rules_from(world, input, &group, egress)? {
        let Some(has) = of(world, &group).find(|has| has.same(&rule)) else {
            let message = "The specified rule does not exist in this security group.";
            return fail("InvalidPermission.NotFound", message);
        };
        changes.push((has.id.clone(), rule.description));
    }
    for (id, description) in changes {
        world.ec2.rules.get_mut(&id).expect("found above").description =
            description.filter(|d| !d.is_empty());
    }
    done()
}
