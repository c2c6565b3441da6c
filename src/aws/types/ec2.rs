//! What EC2 types share: tags, filters, ownership, ids in order, retries, and why a deletion is blocked.

use crate::aws::{Aws, AwsError, Existing, Job, Op, Poll, partition, tags, wait};
use crate::schema::Object;
use crate::value::Value;
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use std::time::Duration;

/// How often EC2 is asked while something settles.
pub const EVERY: Duration = Duration::from_secs(2);

pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub fn tag_specification(kind: ResourceType, job: &Job<'_>) -> TagSpecification {
    let mut spec = TagSpecification::builder().resource_type(kind);
    for (key, value) in tags::for_creation(job.want, job.token) {
        spec = spec.tags(Tag::builder().key(key).value(value).build());
    }
    spec.build()
}

pub fn filter<V: Into<String>>(name: &str, values: impl IntoIterator<Item = V>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// Filter that finds what a creation with this token made.
pub fn owned_by(token: &str) -> Filter {
    filter(&format!("tag:{}", tags::OWNERSHIP), [token])
}

pub fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|t| (t.key().unwrap_or(""), t.value().unwrap_or("")))
}

/// `arn:aws:ec2:eu-west-1:123456789012:subnet/subnet-…`
pub fn arn(aws: &Aws, owner: &str, resource: &str) -> String {
    format!("arn:{}:ec2:{}:{owner}:{resource}", partition::of(&aws.region).name, aws.region)
}

/// Text that AWS gives as "" where it means nothing.
pub fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|t| !t.is_empty())
}

/// Brings the tags of one EC2 resource from live to wanted.
pub async fn update_tags(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (set, removed) = tags::difference(job.live, job.want);
    if !set.is_empty() {
        let tags = set.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        aws.ec2.create_tags().resources(job.id).set_tags(Some(tags)).send().await.op("CreateTags")?;
    }
    if !removed.is_empty() {
        let tags = removed.into_iter().map(|k| Tag::builder().key(k).build()).collect();
        aws.ec2.delete_tags().resources(job.id).set_tags(Some(tags)).send().await.op("DeleteTags")?;
    }
    Ok(())
}

/// Calls a describe operation with the ids of `items`, at most 200 (AWS's limit of filter values) a call.
pub async fn by_id<T>(
    items: &[Existing<'_>],
    describe: impl AsyncFnMut(Vec<String>) -> Result<Vec<T>, AwsError>,
) -> Result<Vec<T>, AwsError> {
    in_chunks(items.iter().map(|i| i.id.to_owned()).collect(), describe).await
}

/// Calls a describe operation with `ids`, without duplicates, at most 200 a call.
pub async fn in_chunks<T>(
    mut ids: Vec<String>,
    mut describe: impl AsyncFnMut(Vec<String>) -> Result<Vec<T>, AwsError>,
) -> Result<Vec<T>, AwsError> {
    ids.sort();
    ids.dedup();
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(200) {
        found.extend(describe(chunk.to_vec()).await?);
    }
    Ok(found)
}

/// What was found, as objects in the order of `items`.
pub fn in_order<T>(
    items: &[Existing<'_>],
    found: &[T],
    id: impl Fn(&T) -> Option<&str>,
    object: impl Fn(&T, &Existing<'_>) -> Object,
) -> Vec<Option<Object>> {
    items.iter().map(|item| found.iter().find(|f| id(f) == Some(item.id)).map(|f| object(f, item))).collect()
}

/// Calls again while AWS answers one of `codes`: what was just made or deleted is not known everywhere yet.
/// After half a minute it asks less often.
pub async fn retry<T>(
    aws: &Aws,
    what: &str,
    codes: &[&str],
    deadline: Duration,
    progress: &dyn Fn(&str),
    mut call: impl AsyncFnMut() -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    let start = aws.clock.now();
    loop {
        match call().await {
            Err(error) if error.is(codes) && aws.clock.now() < start + deadline => {
                progress(&format!("{what}: AWS answers {}, trying again", error.code));
                let long = aws.clock.now() > start + EVERY * 15;
                aws.clock.sleep(if long { EVERY * 5 } else { EVERY }).await;
            }
            result => return result,
        }
    }
}

/// Deletes with patience: network interfaces of load balancers, NAT gateways and tasks go some time after
/// their owners. What still blocks at the deadline is named in the error.
pub async fn delete_when_free(
    aws: &Aws,
    what: &str,
    deadline: Duration,
    progress: &dyn Fn(&str),
    users: Filter,
    call: impl AsyncFnMut() -> Result<(), AwsError>,
) -> Result<(), AwsError> {
    const BLOCKED: &[&str] = &["DependencyViolation", "InvalidGroup.InUse"];
    match retry(aws, what, BLOCKED, deadline, progress, call).await {
        Err(mut error) if error.is(BLOCKED) => {
            let interfaces = blocking_interfaces(aws, users).await.unwrap_or_default();
            if !interfaces.is_empty() {
                error.message += &format!("; network interfaces still there: {}", interfaces.join(", "));
            }
            Err(error)
        }
        result => result,
    }
}

/// `eni-0abc (in-use, ELB app/web/50dc6c495c0c9188)`
async fn blocking_interfaces(aws: &Aws, users: Filter) -> Result<Vec<String>, AwsError> {
    let answer = aws
        .ec2
        .describe_network_interfaces()
        .filters(users)
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .op("DescribeNetworkInterfaces")?;
    let text = |eni: &aws_sdk_ec2::types::NetworkInterface| {
        let status = eni.status().map_or("", |s| s.as_str());
        let user = filled(eni.description())
            .or(eni.attachment().and_then(|a| a.instance_id()))
            .unwrap_or("no description");
        format!("{} ({status}, {user})", eni.network_interface_id().unwrap_or_default())
    };
    Ok(answer.iter().map(text).collect())
}

/// Waits until `there` finds what was just made: reads may lag behind writes.
pub async fn wait_visible(
    aws: &Aws,
    what: &str,
    progress: &dyn Fn(&str),
    mut there: impl AsyncFnMut() -> Result<bool, AwsError>,
) -> Result<(), AwsError> {
    wait(aws, what, EVERY, minutes(5), progress, async || {
        Ok(if there().await? { Poll::Ready(()) } else { Poll::Pending("not visible yet".to_owned()) })
    })
    .await
}

/// The account that the credentials belong to, for ARNs of what AWS answers without owner.
pub async fn account(aws: &Aws) -> Result<String, AwsError> {
    let answer = aws.sts.get_caller_identity().send().await.op("GetCallerIdentity")?;
    Ok(answer.account().unwrap_or_default().to_owned())
}

/// A name that begins with `prefix` and is the same again for the same intent: 26 hexadecimal digits
/// follow, as the AWS provider's generated names have them.
pub fn unique_name(prefix: &str, token: &str) -> String {
    format!("{prefix}{}", &token[..token.len().min(SUFFIX)])
}

/// The prefix of a generated name.
pub fn name_prefix(name: &str) -> Option<&str> {
    let at = name.len().checked_sub(SUFFIX)?;
    let (prefix, suffix) = (name.get(..at)?, name.get(at..)?);
    suffix.bytes().all(|b| b.is_ascii_hexdigit()).then_some(prefix)
}

const SUFFIX: usize = 26;

/// CRC-32 (IEEE 802.3), bit by bit: the texts are short. What the AWS provider hashes ids with.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// For [`crate::schema::Attr::check`].
pub mod check {
    use crate::value::Value;
    use ipnet::{IpNet, Ipv4Net, Ipv6Net};

    fn network<N: std::str::FromStr>(
        value: &Value,
        what: &str,
        parse: fn(&N) -> IpNet,
    ) -> Result<IpNet, String> {
        let text = value.as_str().unwrap_or_default();
        let net = text.parse::<N>().map_err(|_| format!("must be {what}, not {text:?}"))?;
        let net = parse(&net);
        if net.trunc() != net {
            return Err(format!(
                "must be the network address {} (host bits of {text:?} are set)",
                net.trunc()
            ));
        }
        Ok(net)
    }

    pub fn cidr_v4(value: &Value) -> Result<(), String> {
        network::<Ipv4Net>(value, "an IPv4 range such as 10.0.0.0/16", |n| (*n).into()).map(drop)
    }

    pub fn cidr_v6(value: &Value) -> Result<(), String> {
        network::<Ipv6Net>(value, "an IPv6 range such as 2001:db8::/56", |n| (*n).into()).map(drop)
    }

    /// For attributes where `""` stands for none.
    pub fn cidr_v4_or_empty(value: &Value) -> Result<(), String> {
        if value.as_str() == Some("") { Ok(()) } else { cidr_v4(value) }
    }

    pub fn cidr_v6_or_empty(value: &Value) -> Result<(), String> {
        if value.as_str() == Some("") { Ok(()) } else { cidr_v6(value) }
    }

    /// What a VPC may have: /16 to /28.
    pub fn cidr_vpc(value: &Value) -> Result<(), String> {
        let net = network::<Ipv4Net>(value, "an IPv4 range such as 10.0.0.0/16", |n| (*n).into())?;
        if (16..=28).contains(&net.prefix_len()) {
            Ok(())
        } else {
            Err(format!("must have a prefix from /16 to /28, not /{}", net.prefix_len()))
        }
    }

    pub fn ipv4(value: &Value) -> Result<(), String> {
        let text = value.as_str().unwrap_or_default();
        let parsed: Result<std::net::Ipv4Addr, _> = text.parse();
        parsed.map(drop).map_err(|_| format!("must be an IPv4 address, not {text:?}"))
    }

    pub fn ipv4_or_empty(value: &Value) -> Result<(), String> {
        if value.as_str() == Some("") { Ok(()) } else { ipv4(value) }
    }

    /// From `min` to `max` characters.
    pub fn length(value: &Value, min: usize, max: usize) -> Result<(), String> {
        let count = value.as_str().unwrap_or_default().chars().count();
        if (min..=max).contains(&count) {
            Ok(())
        } else {
            Err(format!("must have {min} to {max} characters, not {count}"))
        }
    }
}

/// For [`crate::schema::Attr::same`]: the same address range, however it is written.
pub fn same_range(live: &Value, desired: &Value) -> bool {
    let net = |v: &Value| v.as_str().and_then(|s| s.parse::<ipnet::IpNet>().ok());
    live == desired || net(live).is_some() && net(live) == net(desired)
}

/// For `validate`: exactly one of `names` must be there. Unknown counts as there.
pub fn exactly_one(want: &Object, names: &[&'static str]) -> Vec<(&'static str, String)> {
    let set: Vec<&'static str> = names.iter().copied().filter(|n| want.has(n)).collect();
    match set[..] {
        [_] => Vec::new(),
        [] => vec![("", format!("exactly one of {} is needed, there is none", list(names)))],
        [first, ..] => {
            vec![(first, format!("exactly one of {} may be given, not {}", list(names), list(&set)))]
        }
    }
}

/// `` `a`, `b` ``
fn list(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_show_their_prefix() {
        let name = unique_name("web-", "0123456789abcdef0123456789abcdef");
        assert_eq!(name, "web-0123456789abcdef0123456789");
        assert_eq!(name_prefix(&name), Some("web-"));
        assert_eq!(name_prefix("web"), None);
        assert_eq!(name_prefix("a-name-without-any-suffix-at-all-zz"), None);
    }

    #[test]
    fn hashes_are_those_of_ieee() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn ranges_with_host_bits_are_refused() {
        assert!(check::cidr_v4(&"10.0.0.0/16".into()).is_ok());
        assert!(check::cidr_v4(&"10.0.0.1/16".into()).unwrap_err().contains("10.0.0.0/16"));
        assert!(check::cidr_v4(&"10.0.0.0".into()).is_err());
        assert!(check::cidr_vpc(&"10.0.0.0/8".into()).unwrap_err().contains("/16 to /28"));
        assert!(check::cidr_v6(&"2001:db8::/56".into()).is_ok());
        assert!(same_range(&"::/0".into(), &"0::/0".into()));
    }
}
