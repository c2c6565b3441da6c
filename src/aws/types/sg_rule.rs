//! What `aws_vpc_security_group_ingress_rule` and `_egress_rule` share: one rule, one source.

use super::ec2;
use super::sg_permissions::{Direction, protocol};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, Existing, Job, Op, absent};
use crate::schema::{ID, Object, attributes};
use crate::value::Value;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroupRule as Live,
    SecurityGroupRuleRequest, SecurityGroupRuleUpdate, UserIdGroupPair,
};

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    CIDR_IPV4: Str = optional("cidr_ipv4").check(ec2::check::cidr_v4).replaces_if(|live, want| other_kind("cidr_ipv4", live, want));
    CIDR_IPV6: Str = optional("cidr_ipv6").check(ec2::check::cidr_v6).same(ec2::same_range)
        .replaces_if(|live, want| other_kind("cidr_ipv6", live, want));
    DESCRIPTION: Str = optional("description");
    FROM_PORT: Int = optional("from_port").range(-1, 65535);
    IP_PROTOCOL: Str = required("ip_protocol").same(same_protocol).doc("tcp, udp, icmp, icmpv6, a number, or -1 for all");
    PREFIX_LIST: Str = optional("prefix_list_id").replaces_if(|live, want| other_kind("prefix_list_id", live, want));
    GROUP: Str = optional("referenced_security_group_id")
        .replaces_if(|live, want| other_kind("referenced_security_group_id", live, want));
    SECURITY_GROUP: Str = required("security_group_id").replaces();
    RULE_ID: Str = computed("security_group_rule_id");
    TO_PORT: Int = optional("to_port").range(-1, 65535);
}

/// AWS changes a source to another of its kind, not to another kind.
fn other_kind(name: &str, live: &Object, want: &Object) -> bool {
    live.has(name) != want.has(name)
}

pub fn same_protocol(live: &Value, desired: &Value) -> bool {
    let name = |v: &Value| v.as_str().map(protocol);
    live == desired || name(live).is_some() && name(live) == name(desired)
}

pub fn validate(want: &Object) -> Vec<(&'static str, String)> {
    ec2::exactly_one(want, &["cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"])
}

pub async fn read(
    aws: &Aws,
    items: &[Existing<'_>],
    direction: Direction,
) -> Result<Vec<Option<Object>>, AwsError> {
    let found =
        ec2::by_id(items, async |ids| describe(aws, ec2::filter("security-group-rule-id", ids)).await)
            .await?;
    let egress = direction == Direction::Egress;
    let found: Vec<Live> = found.into_iter().filter(|r| r.is_egress().unwrap_or(egress) == egress).collect();
    Ok(ec2::in_order(items, &found, Live::security_group_rule_id, |rule, item| object(aws, rule, item.known)))
}

pub async fn create(aws: &Aws, job: &Job<'_>, direction: Direction) -> Result<String, AwsError> {
    let group = job.want.need(&SECURITY_GROUP);
    let permission = permission(job.want);
    let tags = ec2::tag_specification(ResourceType::SecurityGroupRule, job);
    let fresh = &["InvalidGroup.NotFound", "InvalidPrefixListID.NotFound"];
    let rules = ec2::retry(aws, "AuthorizeSecurityGroup", fresh, ec2::minutes(2), job.progress, async || {
        Ok(match direction {
            Direction::Ingress => {
                let request = aws.ec2.authorize_security_group_ingress().group_id(&group);
                let request = request.ip_permissions(permission.clone()).tag_specifications(tags.clone());
                request.send().await.op("AuthorizeSecurityGroupIngress")?.security_group_rules
            }
            Direction::Egress => {
                let request = aws.ec2.authorize_security_group_egress().group_id(&group);
                let request = request.ip_permissions(permission.clone()).tag_specifications(tags.clone());
                request.send().await.op("AuthorizeSecurityGroupEgress")?.security_group_rules
            }
        })
    })
    .await?
    .unwrap_or_default();
    let id = rules.first().and_then(Live::security_group_rule_id).unwrap_or_default().to_owned();
    ec2::wait_visible(aws, "AuthorizeSecurityGroup", job.progress, async || {
        Ok(!describe(aws, ec2::filter("security-group-rule-id", [id.as_str()])).await?.is_empty())
    })
    .await?;
    Ok(id)
}

pub async fn update(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let want = job.want;
    let inert = ["tags", "tags_all"];
    if job.changed.iter().any(|c| !inert.contains(&c.as_str())) {
        let rule = SecurityGroupRuleRequest::builder()
            .ip_protocol(want.need(&IP_PROTOCOL))
            .set_from_port(port(want, want.get(&FROM_PORT)))
            .set_to_port(port(want, want.get(&TO_PORT)))
            .set_cidr_ipv4(want.get(&CIDR_IPV4))
            .set_cidr_ipv6(want.get(&CIDR_IPV6))
            .set_prefix_list_id(want.get(&PREFIX_LIST))
            .set_referenced_group_id(want.get(&GROUP).map(|g| account_and_group(&g).1.to_owned()))
            .set_description(want.get(&DESCRIPTION));
        let update = SecurityGroupRuleUpdate::builder()
            .security_group_rule_id(job.id)
            .security_group_rule(rule.build())
            .build();
        let request = aws.ec2.modify_security_group_rules().group_id(want.need(&SECURITY_GROUP));
        request.security_group_rules(update).send().await.op("ModifySecurityGroupRules")?;
    }
    ec2::update_tags(aws, job).await
}

pub async fn delete(aws: &Aws, job: &Job<'_>, direction: Direction) -> Result<(), AwsError> {
    let known = if job.live.has("security_group_id") { job.live } else { job.want };
    let group = known.need(&SECURITY_GROUP);
    let result = match direction {
        Direction::Ingress => {
            let request = aws.ec2.revoke_security_group_ingress().group_id(group);
            let request = request.security_group_rule_ids(job.id);
            request.send().await.op("RevokeSecurityGroupIngress").map(drop)
        }
        Direction::Egress => {
            let request = aws.ec2.revoke_security_group_egress().group_id(group);
            let request = request.security_group_rule_ids(job.id);
            request.send().await.op("RevokeSecurityGroupEgress").map(drop)
        }
    };
    let gone =
        &["InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound"];
    absent(result, gone).map(drop)
}

pub async fn find(aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
    let found = describe(aws, ec2::owned_by(job.token)).await?;
    Ok(found.first().and_then(Live::security_group_rule_id).map(str::to_owned))
}

pub async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<Live>, AwsError> {
    let pages = aws.ec2.describe_security_group_rules().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeSecurityGroupRules")
}

fn object(aws: &Aws, rule: &Live, known: &Object) -> Object {
    let id = rule.security_group_rule_id().unwrap_or_default();
    let owner = rule.group_owner_id().unwrap_or_default();
    let arn = ec2::arn(aws, owner, &format!("security-group-rule/{id}"));
    let protocol = rule.ip_protocol().unwrap_or("-1");
    // For all protocols AWS answers -1 whatever was sent: what was declared then is as good.
    let port = |live: Option<i32>, declared: Option<i64>| match live {
        Some(-1) | None if protocol == "-1" => declared,
        live => live.map(i64::from),
    };
    let group = rule.referenced_group_info().and_then(|info| {
        let group = ec2::filled(info.group_id())?;
        Some(match info.user_id().filter(|u| !u.is_empty() && !owner.is_empty() && *u != owner) {
            Some(account) => format!("{account}/{group}"),
            None => group.to_owned(),
        })
    });
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&RULE_ID, id)
        .set(&ARN, rule.security_group_rule_arn().map_or(arn, str::to_owned))
        .set(&CIDR_IPV4, ec2::filled(rule.cidr_ipv4()))
        .set(&CIDR_IPV6, ec2::filled(rule.cidr_ipv6()))
        .set(&DESCRIPTION, ec2::filled(rule.description()))
        .set(&FROM_PORT, port(rule.from_port(), known.get(&FROM_PORT)))
        .set(&IP_PROTOCOL, protocol)
        .set(&PREFIX_LIST, ec2::filled(rule.prefix_list_id()))
        .set(&GROUP, group)
        .set(&SECURITY_GROUP, rule.group_id())
        .set(&TO_PORT, port(rule.to_port(), known.get(&TO_PORT)));
    tags::read(&mut o, ec2::pairs(rule.tags()));
    o
}

/// Only `account/sg-…` names an account.
fn account_and_group(text: &str) -> (Option<&str>, &str) {
    text.split_once('/').map_or((None, text), |(account, group)| (Some(account), group))
}

fn permission(want: &Object) -> IpPermission {
    let text = want.get(&DESCRIPTION);
    let mut permission = IpPermission::builder()
        .ip_protocol(want.need(&IP_PROTOCOL))
        .set_from_port(port(want, want.get(&FROM_PORT)))
        .set_to_port(port(want, want.get(&TO_PORT)));
    if let Some(range) = want.get(&CIDR_IPV4) {
        let range = IpRange::builder().cidr_ip(range).set_description(text.clone());
        permission = permission.ip_ranges(range.build());
    }
    if let Some(range) = want.get(&CIDR_IPV6) {
        let range = Ipv6Range::builder().cidr_ipv6(range).set_description(text.clone());
        permission = permission.ipv6_ranges(range.build());
    }
    if let Some(list) = want.get(&PREFIX_LIST) {
        let list = PrefixListId::builder().prefix_list_id(list).set_description(text.clone());
        permission = permission.prefix_list_ids(list.build());
    }
    if let Some(group) = want.get(&GROUP) {
        let (account, group) = account_and_group(&group);
        let pair = UserIdGroupPair::builder().group_id(group).set_user_id(account.map(str::to_owned));
        permission = permission.user_id_group_pairs(pair.set_description(text).build());
    }
    permission.build()
}

/// AWS wants no ports where the protocol has none.
fn port(want: &Object, port: Option<i64>) -> Option<i32> {
    if protocol(&want.need(&IP_PROTOCOL)) == "-1" { None } else { port.map(|p| p as i32) }
}
