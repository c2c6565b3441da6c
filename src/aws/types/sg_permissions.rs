//! Security group rules as sets: what the `ingress`, `egress` blocks and AWS's permissions have in common.
//!
//! AWS keeps one rule for each source; blocks and permissions are only groupings of them. So everything
//! is compared and changed one source at a time.

use super::ec2;
use crate::aws::{Aws, AwsError, Op};
use crate::schema::{Blocks, Field, Object};
use crate::value::Value;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use std::collections::BTreeMap;

pub mod block {
    use super::{checked_ranges, ec2};
    use crate::schema::attributes;
    use ec2::check;

    attributes! {
        TABLE:
        CIDR_BLOCKS: StrList = optional("cidr_blocks").check(|v| checked_ranges(v, check::cidr_v4));
        DESCRIPTION: Str = optional("description").check(|v| check::length(v, 0, 255));
        FROM_PORT: Int = required("from_port");
        IPV6_CIDR_BLOCKS: StrList = optional("ipv6_cidr_blocks").check(|v| checked_ranges(v, check::cidr_v6));
        PREFIX_LIST_IDS: StrList = optional("prefix_list_ids");
        PROTOCOL: Str = required("protocol");
        SECURITY_GROUPS: StrSet = optional("security_groups");
        SELF: Bool = optional("self").default_bool(false);
        TO_PORT: Int = required("to_port");
    }
}

/// Applies a check to every element.
pub fn checked_ranges(list: &Value, check: fn(&Value) -> Result<(), String>) -> Result<(), String> {
    list.as_slice().unwrap_or_default().iter().filter(|v| v.as_str().is_some()).try_for_each(check)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ingress,
    Egress,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    V4(String),
    V6(String),
    PrefixList(String),
    /// `sg-…`, or `account/sg-…` across a peering.
    Group(String),
    /// The group that the rule is in.
    Own,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    pub protocol: String,
    pub from: i64,
    pub to: i64,
}

/// One rule as AWS keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub ports: Ports,
    pub source: Source,
}

/// Rules and their descriptions.
pub type Rules = BTreeMap<Rule, String>;

/// AWS answers names for the protocols that have ports or types, and numbers for the others.
pub fn protocol(text: &str) -> String {
    match text.to_lowercase().as_str() {
        "all" | "-1" => "-1".to_owned(),
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        other => other.to_owned(),
    }
}

impl Ports {
    /// Ports mean nothing when the protocol is all of them.
    pub fn new(text: &str, from: i64, to: i64) -> Self {
        let protocol = protocol(text);
        let (from, to) = if protocol == "-1" { (0, 0) } else { (from, to) };
        Self { protocol, from, to }
    }
}

/// The shortest way to write a range, where it is one.
pub fn range(text: &str) -> String {
    text.parse::<ipnet::IpNet>().map_or_else(|_| text.to_owned(), |n| n.to_string())
}

/// The rules of one block.
pub fn of_block(block: &Object) -> Rules {
    let ports =
        Ports::new(&block.need(&block::PROTOCOL), block.need(&block::FROM_PORT), block.need(&block::TO_PORT));
    let v4 = block.all(&block::CIDR_BLOCKS).into_iter().map(|r| Source::V4(range(&r)));
    let v6 = block.all(&block::IPV6_CIDR_BLOCKS).into_iter().map(|r| Source::V6(range(&r)));
    let lists = block.all(&block::PREFIX_LIST_IDS).into_iter().map(Source::PrefixList);
    let groups = block.all(&block::SECURITY_GROUPS).into_iter().map(Source::Group);
    let own = block.get(&block::SELF).filter(|on| *on).map(|_| Source::Own);
    let description = block.get(&block::DESCRIPTION).unwrap_or_default();
    let sources = v4.chain(v6).chain(lists).chain(groups).chain(own);
    sources.map(|source| (Rule { ports: ports.clone(), source }, description.clone())).collect()
}

pub fn of_blocks(blocks: &[Object]) -> Rules {
    blocks.iter().flat_map(of_block).collect()
}

/// The rules of a group as AWS answers them; `own` and `owner` are the group and its account.
pub fn of_live(permissions: &[IpPermission], own: &str, owner: &str) -> Rules {
    let mut rules = Rules::new();
    for permission in permissions {
        let port = |p: Option<i32>| p.unwrap_or(0).into();
        let protocol = permission.ip_protocol().unwrap_or("-1");
        let ports = Ports::new(protocol, port(permission.from_port()), port(permission.to_port()));
        let mut add = |source, description: Option<&str>| {
            rules.insert(Rule { ports: ports.clone(), source }, description.unwrap_or_default().to_owned());
        };
        for r in permission.ip_ranges() {
            add(Source::V4(r.cidr_ip().unwrap_or_default().to_owned()), r.description());
        }
        for r in permission.ipv6_ranges() {
            add(Source::V6(range(r.cidr_ipv6().unwrap_or_default())), r.description());
        }
        for r in permission.prefix_list_ids() {
            add(Source::PrefixList(r.prefix_list_id().unwrap_or_default().to_owned()), r.description());
        }
        for pair in permission.user_id_group_pairs() {
            let group = pair.group_id().unwrap_or_default();
            let source = match pair.user_id().filter(|u| !u.is_empty() && *u != owner) {
                Some(account) => Source::Group(format!("{account}/{group}")),
                None if group == own => Source::Own,
                None => Source::Group(group.to_owned()),
            };
            add(source, pair.description());
        }
    }
    rules
}

/// Rules as blocks: grouped as `declared` groups them where it does, the others by ports and description.
pub fn blocks(mut rules: Rules, declared: &[Object]) -> Vec<Object> {
    let mut groups: Vec<Rules> = Vec::new();
    for block in declared {
        let wanted = of_block(block);
        if !wanted.is_empty() && wanted.iter().all(|(rule, text)| rules.get(rule) == Some(text)) {
            wanted.keys().for_each(|rule| drop(rules.remove(rule)));
            groups.push(wanted);
        }
    }
    let mut rest: BTreeMap<(Ports, String), Rules> = BTreeMap::new();
    for (rule, text) in rules {
        rest.entry((rule.ports.clone(), text.clone())).or_default().insert(rule, text);
    }
    groups.extend(rest.into_values());
    groups.iter().filter_map(block_of).collect()
}

/// One block of rules that share ports and description, with every attribute as Terraform stores it.
fn block_of(rules: &Rules) -> Option<Object> {
    let (first, description) = rules.first_key_value()?;
    let texts = |pick: fn(&Source) -> Option<&String>| -> Vec<String> {
        rules.keys().filter_map(|r| pick(&r.source)).cloned().collect()
    };
    let mut o = Object::new();
    o.set(&block::CIDR_BLOCKS, texts(|s| if let Source::V4(t) = s { Some(t) } else { None }))
        .set(&block::DESCRIPTION, description)
        .set(&block::FROM_PORT, first.ports.from)
        .set(&block::IPV6_CIDR_BLOCKS, texts(|s| if let Source::V6(t) = s { Some(t) } else { None }))
        .set(&block::PREFIX_LIST_IDS, texts(|s| if let Source::PrefixList(t) = s { Some(t) } else { None }))
        .set(&block::PROTOCOL, &first.ports.protocol)
        .set(&block::SECURITY_GROUPS, texts(|s| if let Source::Group(t) = s { Some(t) } else { None }))
        .set(&block::SELF, rules.keys().any(|r| r.source == Source::Own))
        .set(&block::TO_PORT, first.ports.to);
    Some(o)
}

/// For [`crate::schema::Attr::same`]: the same rules, however they are grouped and written.
pub fn same(live: &Value, desired: &Value) -> bool {
    if !live.is_wholly_known() || !desired.is_wholly_known() {
        return live == desired;
    }
    let read = |v: &Value| Blocks::read(v).map(|blocks| of_blocks(&blocks));
    read(live) == read(desired)
}

/// Rules as AWS takes them.
pub fn permissions<'a>(
    rules: impl IntoIterator<Item = (&'a Rule, &'a String)>,
    own: &str,
) -> Vec<IpPermission> {
    let mut by_ports: BTreeMap<&Ports, Vec<(&Source, &String)>> = BTreeMap::new();
    for (rule, text) in rules {
        by_ports.entry(&rule.ports).or_default().push((&rule.source, text));
    }
    let permission = |(ports, sources): (&Ports, Vec<(&Source, &String)>)| {
        let mut permission = IpPermission::builder()
            .ip_protocol(&ports.protocol)
            .from_port(ports.from as i32)
            .to_port(ports.to as i32);
        for (source, text) in sources {
            let text = Some(text.clone()).filter(|t| !t.is_empty());
            let pair = UserIdGroupPair::builder().set_description(text.clone());
            permission = match source {
                Source::V4(r) => {
                    permission.ip_ranges(IpRange::builder().cidr_ip(r).set_description(text).build())
                }
                Source::V6(r) => {
                    permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(r).set_description(text).build())
                }
                Source::PrefixList(id) => {
                    let list = PrefixListId::builder().prefix_list_id(id).set_description(text);
                    permission.prefix_list_ids(list.build())
                }
                Source::Own => permission.user_id_group_pairs(pair.group_id(own).build()),
                Source::Group(id) => match id.split_once('/') {
                    Some((account, id)) => {
                        permission.user_id_group_pairs(pair.user_id(account).group_id(id).build())
                    }
                    None => permission.user_id_group_pairs(pair.group_id(id).build()),
                },
            };
        }
        permission.build()
    };
    by_ports.into_iter().map(permission).collect()
}

/// Brings a group's rules of one direction from `live` to `want`. New rules come before old ones go, so
/// that what both allow is never cut.
pub async fn change(
    aws: &Aws,
    group: &str,
    direction: Direction,
    live: &Rules,
    want: &Rules,
) -> Result<(), AwsError> {
    let added = permissions(want.iter().filter(|(rule, _)| !live.contains_key(*rule)), group);
    let reworded = permissions(
        want.iter().filter(|(rule, text)| live.get(*rule).is_some_and(|old| old != *text)),
        group,
    );
    let removed = permissions(live.iter().filter(|(rule, _)| !want.contains_key(*rule)), group);
    if !added.is_empty() {
        authorize(aws, group, direction, added).await?;
    }
    if !reworded.is_empty() {
        describe(aws, group, direction, reworded).await?;
    }
    if !removed.is_empty() {
        revoke(aws, group, direction, removed).await?;
    }
    Ok(())
}

pub async fn authorize(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<(), AwsError> {
    let fresh = &["InvalidGroup.NotFound"];
    ec2::retry(aws, "AuthorizeSecurityGroup", fresh, ec2::minutes(2), &|_| {}, async || match direction {
        Direction::Ingress => {
            let request = aws.ec2.authorize_security_group_ingress().group_id(group);
            let request = request.set_ip_permissions(Some(permissions.clone()));
            request.send().await.op("AuthorizeSecurityGroupIngress").map(drop)
        }
        Direction::Egress => {
            let request = aws.ec2.authorize_security_group_egress().group_id(group);
            let request = request.set_ip_permissions(Some(permissions.clone()));
            request.send().await.op("AuthorizeSecurityGroupEgress").map(drop)
        }
    })
    .await
}

pub async fn describe(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<(), AwsError> {
    match direction {
        Direction::Ingress => {
            let request = aws.ec2.update_security_group_rule_descriptions_ingress().group_id(group);
            let request = request.set_ip_permissions(Some(permissions));
            request.send().await.op("UpdateSecurityGroupRuleDescriptionsIngress").map(drop)
        }
        Direction::Egress => {
            let request = aws.ec2.update_security_group_rule_descriptions_egress().group_id(group);
            let request = request.set_ip_permissions(Some(permissions));
            request.send().await.op("UpdateSecurityGroupRuleDescriptionsEgress").map(drop)
        }
    }
}

pub async fn revoke(
    aws: &Aws,
    group: &str,
    direction: Direction,
    permissions: Vec<IpPermission>,
) -> Result<(), AwsError> {
    let gone = &["InvalidPermission.NotFound", "InvalidGroup.NotFound"];
    let result = match direction {
        Direction::Ingress => {
            let request = aws.ec2.revoke_security_group_ingress().group_id(group);
            let request = request.set_ip_permissions(Some(permissions));
            request.send().await.op("RevokeSecurityGroupIngress").map(drop)
        }
        Direction::Egress => {
            let request = aws.ec2.revoke_security_group_egress().group_id(group);
            let request = request.set_ip_permissions(Some(permissions));
            request.send().await.op("RevokeSecurityGroupEgress").map(drop)
        }
    };
    crate::aws::absent(result, gone).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(protocol: &str, ports: (i64, i64), ranges: &[&str]) -> Object {
        let mut o = Object::new();
        o.set(&block::PROTOCOL, protocol)
            .set(&block::FROM_PORT, ports.0)
            .set(&block::TO_PORT, ports.1)
            .set(&block::CIDR_BLOCKS, ranges.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>());
        o.complete(&block::TABLE)
    }

    fn check_same(a: &[Object], b: &[Object], expected: bool) {
        let value = |blocks: &[Object]| Blocks::write(blocks.to_vec());
        assert_eq!(same(&value(a), &value(b)), expected, "{a:?} {b:?}");
    }

    #[test]
    fn rules_are_the_same_however_they_are_written() {
        let tcp = block("tcp", (80, 80), &["10.0.0.0/16", "10.1.0.0/16"]);
        check_same(
            std::slice::from_ref(&tcp),
            &[block("6", (80, 80), &["10.1.0.0/16", "10.0.0.0/16"])],
            true,
        );
        check_same(
            std::slice::from_ref(&tcp),
            &[block("TCP", (80, 81), &["10.1.0.0/16", "10.0.0.0/16"])],
            false,
        );
        let split = [block("tcp", (80, 80), &["10.0.0.0/16"]), block("tcp", (80, 80), &["10.1.0.0/16"])];
        check_same(&[tcp], &split, true);
        check_same(&[block("-1", (0, 0), &["::/0"])], &[block("all", (0, 65535), &["::/0"])], true);
    }

    #[test]
    fn live_rules_come_back_in_the_declared_grouping() {
        let declared = [block("tcp", (80, 80), &["10.0.0.0/16"]), block("tcp", (80, 80), &["10.1.0.0/16"])];
        let mut live = of_blocks(&declared);
        let extra = block("udp", (53, 53), &["10.0.0.0/16"]);
        live.extend(of_block(&extra));
        let back = blocks(live, &declared);
        assert_eq!(back.len(), 3);
        assert_eq!(back[0].get(&block::CIDR_BLOCKS), Some(vec!["10.0.0.0/16".to_owned()]));
        assert_eq!(back[2].get(&block::PROTOCOL).as_deref(), Some("udp"));
        assert_eq!(back[2].value("description"), Some(&Value::string("")));
    }

    #[test]
    fn permissions_come_back_as_they_were_sent() {
        let mut rules = of_block(&block("tcp", (443, 443), &["0.0.0.0/0"]));
        let ports = Ports::new("tcp", 443, 443);
        for source in [
            Source::Own,
            Source::Group("sg-2".into()),
            Source::Group("999/sg-3".into()),
            Source::V6("::/0".into()),
        ] {
            rules.insert(Rule { ports: ports.clone(), source }, "why".into());
        }
        assert_eq!(of_live(&permissions(&rules, "sg-1"), "sg-1", "123"), rules);
    }
}
