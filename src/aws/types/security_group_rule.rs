//! `aws_security_group_rule`: rules of one direction, protocol and port range, in one resource.
//!
//! The older way; AWS knows no such thing, only the single rules, so it is identified by what it says.

use super::ec2::{self, check};
use super::sg_permissions::{self as permissions, Direction, Ports, Rule, Rules, Source};
use super::timeouts::TIMEOUTS_CREATE;
use super::{security_group, sg_rule};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ec2::types::{SecurityGroup, SecurityGroupRule as LiveRule};

attributes! {
    TABLE [TIMEOUTS_CREATE]:
    CIDR_BLOCKS: StrList = optional("cidr_blocks").replaces().same(same_elements)
        .check(|v| permissions::checked_ranges(v, check::cidr_v4)).conflicts_with(&["source_security_group_id"]);
    DESCRIPTION: Str = optional("description").check(|v| check::length(v, 0, 255));
    FROM_PORT: Int = required("from_port").replaces();
    IPV6_CIDR_BLOCKS: StrList = optional("ipv6_cidr_blocks").replaces().same(same_elements)
        .check(|v| permissions::checked_ranges(v, check::cidr_v6)).conflicts_with(&["source_security_group_id"]);
    PREFIX_LIST_IDS: StrList = optional("prefix_list_ids").replaces().same(same_elements);
    PROTOCOL: Str = required("protocol").replaces().same(sg_rule::same_protocol);
    SECURITY_GROUP: Str = required("security_group_id").replaces();
    RULE_ID: Str = computed("security_group_rule_id").doc("Where it is only one rule");
    SELF: Bool = optional("self").default_bool(false).replaces();
    SOURCE: Str = optional_computed("source_security_group_id").replaces();
    TO_PORT: Int = required("to_port").replaces();
    TYPE: Str = required("type").replaces().one_of(&["egress", "ingress"]);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Rules of one direction, protocol and port range of a security group",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_security_group" "web" {
  name   = "web-rule"
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group_rule" "https" {
  type              = "ingress"
  security_group_id = aws_security_group.web.id
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_blocks       = ["10.0.0.0/16", "10.1.0.0/16"]
  description       = "HTTPS"
}
"#,
    validate,
    ..TypeSchema::new("aws_security_group_rule", &TABLE)
};

/// AWS keeps no order of sources.
fn same_elements(live: &Value, desired: &Value) -> bool {
    let sorted = |v: &Value| {
        let mut texts: Vec<String> =
            v.as_slice()?.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect();
        texts.sort();
        Some(texts)
    };
    desired.is_wholly_known() && sorted(live).is_some() && sorted(live) == sorted(desired)
}

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    const SOURCES: &[&str] =
        &["cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "source_security_group_id"];
    let declared: Vec<&'static str> = SOURCES.iter().copied().filter(|s| want.has(s)).collect();
    let own = want.get(&SELF) == Some(true);
    let own_unknown = want.value("self").is_some_and(Value::is_unknown);
    if declared.is_empty() && !own && !own_unknown {
        return vec![("", format!("one of `{}`, `self` is needed", SOURCES.join("`, `")))];
    }
    let excluded = declared.iter().find(|s| own && **s != "prefix_list_ids");
    excluded.map(|s| ("self", format!("excludes `{s}`: they are rules of their own"))).into_iter().collect()
}

pub struct SecurityGroupRule;

#[async_trait(?Send)]
impl AwsType for SecurityGroupRule {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let ids = || items.iter().filter_map(|i| i.known.get(&SECURITY_GROUP)).collect();
        let groups = ec2::in_chunks(ids(), async |ids| {
            security_group::describe(aws, ec2::filter("group-id", ids)).await
        })
        .await?;
        let rules =
            ec2::in_chunks(ids(), async |ids| sg_rule::describe(aws, ec2::filter("group-id", ids)).await)
                .await?;
        let find = |item: &Existing<'_>| {
            let group = item.known.get(&SECURITY_GROUP)?;
            let live = groups.iter().find(|g| g.group_id() == Some(&group))?;
            object(live, &rules, item.known)
        };
        Ok(items.iter().map(find).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let group = job.want.need(&SECURITY_GROUP);
        let wanted = permissions::permissions(&rules(job.want), &group);
        permissions::authorize(aws, &group, direction(job.want), wanted).await?;
        ec2::wait_visible(aws, "AuthorizeSecurityGroup", job.progress, async || {
            Ok(self.find(aws, job).await?.is_some())
        })
        .await?;
        Ok(id(job.want))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if !job.changes(&["description"]) {
            return Ok(());
        }
        let group = job.want.need(&SECURITY_GROUP);
        let wanted = permissions::permissions(&rules(job.want), &group);
        permissions::describe(aws, &group, direction(job.want), wanted).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // Only what is still there: one missing rule fails the whole call.
        if job.live.id().is_empty() {
            return Ok(());
        }
        let group = job.live.need(&SECURITY_GROUP);
        let gone = permissions::permissions(&rules(job.live), &group);
        permissions::revoke(aws, &group, direction(job.live), gone).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let group = job.want.need(&SECURITY_GROUP);
        let found = security_group::describe(aws, ec2::filter("group-id", [group])).await?;
        let wanted = rules(job.want);
        let there = |g: &SecurityGroup| {
            let live = live_rules(g, direction(job.want));
            wanted.keys().all(|rule| live.contains_key(rule))
        };
        Ok(found.first().filter(|g| there(g)).map(|_| id(job.want)))
    }

    /// As Terraform has it: `sg-…_ingress_tcp_443_443_10.0.0.0/16_…`; a source may be `self` too.
    fn import(&self, text: &str) -> Object {
        let parts: Vec<&str> = text.split('_').collect();
        let mut known = Object::new();
        let [group, kind, protocol, from, to, sources @ ..] = &parts[..] else {
            known.set(&ID, text);
            return known;
        };
        let own = |pick: fn(&str) -> bool| -> Option<Vec<String>> {
            let picked: Vec<String> = sources.iter().filter(|s| pick(s)).map(|s| (*s).to_owned()).collect();
            Some(picked).filter(|p| !p.is_empty())
        };
        let number = |text: &str| text.parse::<i64>().unwrap_or(0);
        known
            .set(&SECURITY_GROUP, *group)
            .set(&TYPE, *kind)
            .set(&PROTOCOL, *protocol)
            .set(&FROM_PORT, number(from))
            .set(&TO_PORT, number(to))
            .set(&SELF, sources.contains(&"self"))
            .set(&SOURCE, sources.iter().find(|s| s.contains("sg-")).copied())
            .set(&PREFIX_LIST_IDS, own(|s| s.starts_with("pl-")))
            .set(&IPV6_CIDR_BLOCKS, own(|s| s.contains(':')))
            .set(&CIDR_BLOCKS, own(|s| s.contains('.') && s.contains('/')));
        let id = id(&known);
        known.set(&ID, id);
        known
    }
}

fn direction(o: &Object) -> Direction {
    if o.get(&TYPE).as_deref() == Some("egress") { Direction::Egress } else { Direction::Ingress }
}

fn ports(o: &Object) -> Ports {
    Ports::new(&o.need(&PROTOCOL), o.need(&FROM_PORT), o.need(&TO_PORT))
}

fn rules(o: &Object) -> Rules {
    let group = o.need(&SECURITY_GROUP);
    let named = o.get(&SOURCE);
    let named = named.map(|s| if s == group { Source::Own } else { Source::Group(s) });
    let own = o.get(&SELF).filter(|on| *on).map(|_| Source::Own);
    let v4 = o.all(&CIDR_BLOCKS).into_iter().map(Source::V4);
    let v6 = o.all(&IPV6_CIDR_BLOCKS).into_iter().map(|r| Source::V6(permissions::range(&r)));
    let lists = o.all(&PREFIX_LIST_IDS).into_iter().map(Source::PrefixList);
    let sources = v4.chain(v6).chain(lists).chain(named).chain(own);
    let text = o.get(&DESCRIPTION).unwrap_or_default();
    sources.map(|source| (Rule { ports: ports(o), source }, text.clone())).collect()
}

fn live_rules(group: &SecurityGroup, direction: Direction) -> Rules {
    let (id, owner) = (group.group_id().unwrap_or_default(), group.owner_id().unwrap_or_default());
    let live = match direction {
        Direction::Ingress => group.ip_permissions(),
        Direction::Egress => group.ip_permissions_egress(),
    };
    permissions::of_live(live, id, owner)
}

/// What is live of the rules that `known` names; None if nothing is.
fn object(group: &SecurityGroup, all: &[LiveRule], known: &Object) -> Option<Object> {
    let named = rules(known);
    let live = live_rules(group, direction(known));
    let there: Vec<(&Rule, &String)> = live.iter().filter(|(rule, _)| named.contains_key(*rule)).collect();
    let (_, description) = there.first()?;
    let has = |source: &Source| there.iter().any(|(rule, _)| rule.source == *source);
    let mut o = known.clone();
    let kept = |texts: Vec<String>, source: fn(String) -> Source| -> Option<Vec<String>> {
        let kept: Vec<String> = texts.into_iter().filter(|t| has(&source(t.clone()))).collect();
        Some(kept).filter(|k| !k.is_empty())
    };
    o.set(&CIDR_BLOCKS, kept(known.all(&CIDR_BLOCKS), Source::V4))
        .set(&IPV6_CIDR_BLOCKS, kept(known.all(&IPV6_CIDR_BLOCKS), |t| Source::V6(permissions::range(&t))))
        .set(&PREFIX_LIST_IDS, kept(known.all(&PREFIX_LIST_IDS), Source::PrefixList))
        .set(&DESCRIPTION, ec2::filled(Some(description)))
        .set(&PROTOCOL, &ports(known).protocol)
        .set(&SELF, known.get(&SELF) == Some(true) && has(&Source::Own))
        .set(&RULE_ID, rule_id(all, group, known, &there));
    let id = id(known);
    o.set(&ID, id);
    Some(o)
}

/// The id of AWS's rule, where there is exactly one.
fn rule_id(
    all: &[LiveRule],
    group: &SecurityGroup,
    known: &Object,
    there: &[(&Rule, &String)],
) -> Option<String> {
    let [(rule, _)] = there else { return None };
    let egress = direction(known) == Direction::Egress;
    let source = |r: &LiveRule| match &rule.source {
        Source::V4(range) => r.cidr_ipv4() == Some(range),
        Source::V6(range) => r.cidr_ipv6() == Some(range),
        Source::PrefixList(id) => r.prefix_list_id() == Some(id),
        Source::Own => r.referenced_group_info().and_then(|g| g.group_id()) == group.group_id(),
        Source::Group(id) => {
            let bare = id.split_once('/').map_or(id.as_str(), |(_, id)| id);
            r.referenced_group_info().and_then(|g| g.group_id()) == Some(bare)
        }
    };
    let found = all.iter().find(|r| {
        let port = |p: Option<i32>| p.unwrap_or(0).into();
        let protocol = r.ip_protocol().unwrap_or("-1");
        r.group_id() == group.group_id()
            && r.is_egress().unwrap_or(egress) == egress
            && Ports::new(protocol, port(r.from_port()), port(r.to_port())) == rule.ports
            && source(r)
    });
    found?.security_group_rule_id().map(str::to_owned)
}

/// `sgrule-2174859013`: a hash of what it says, as the AWS provider makes it.
fn id(o: &Object) -> String {
    let group = o.need(&SECURITY_GROUP);
    let ports = ports(o);
    let mut parts = vec![group.clone()];
    parts.extend([ports.from, ports.to].iter().filter(|p| **p > 0).map(i64::to_string));
    parts.extend([ports.protocol, o.need(&TYPE)]);
    for mut sources in [o.all(&CIDR_BLOCKS), o.all(&IPV6_CIDR_BLOCKS), o.all(&PREFIX_LIST_IDS)] {
        sources.sort();
        parts.extend(sources);
    }
    let own = o.get(&SELF).filter(|on| *on).map(|_| group);
    parts.extend(own.or(o.get(&SOURCE)).filter(|s| !s.is_empty()));
    format!("sgrule-{}", ec2::crc32((parts.join("-") + "-").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_id_says_what_the_rule_says() {
        let known = SecurityGroupRule.import("sg-1_ingress_tcp_80_90_10.0.0.0/16_10.1.0.0/16");
        assert_eq!(known.all(&CIDR_BLOCKS), ["10.0.0.0/16", "10.1.0.0/16"]);
        assert_eq!((known.get(&FROM_PORT), known.get(&TO_PORT)), (Some(80), Some(90)));
        assert_eq!(rules(&known).len(), 2);
        assert!(validate(&known).is_empty());
        let own = SecurityGroupRule.import("sg-1_egress_-1_0_0_self");
        assert_eq!(rules(&own).keys().next().map(|r| &r.source), Some(&Source::Own));
        assert_ne!(id(&known), id(&own));
    }

    #[test]
    fn a_rule_needs_a_source() {
        let mut known = SecurityGroupRule.import("sg-1_ingress_tcp_80_90_10.0.0.0/16");
        known.set(&SELF, true);
        assert_eq!(validate(&known)[0].0, "self");
        known.set(&SELF, false).put("cidr_blocks", None);
        assert_eq!(validate(&known).len(), 1);
    }
}
