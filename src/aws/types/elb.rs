//! What load-balancing types share: reading by ARN, tags, and attributes that AWS keeps as key and value.

use crate::aws::{Aws, AwsError, Existing, Job, Op, tags};
use crate::schema::{Object, Shape, Table};
use crate::value::{Kind, Value};
use aws_sdk_elasticloadbalancingv2::types::Tag;
use std::collections::BTreeMap;

/// Describes the ARNs of `items`, 20 a call (AWS's limit). One ARN that is gone fails a whole call
/// (`codes`), so such a batch is halved until the gone ones stand alone.
pub async fn by_arn<T>(
    items: &[Existing<'_>],
    codes: &[&str],
    mut describe: impl AsyncFnMut(Vec<String>) -> Result<Vec<T>, AwsError>,
) -> Result<Vec<T>, AwsError> {
    let mut found = Vec::with_capacity(items.len());
    let mut open: Vec<Vec<String>> =
        items.chunks(20).map(|chunk| chunk.iter().map(|i| i.id.to_owned()).collect()).rev().collect();
    while let Some(arns) = open.pop() {
        match describe(arns.clone()).await {
            Ok(some) => found.extend(some),
            Err(e) if e.is(codes) && arns.len() > 1 => {
                let (front, back) = arns.split_at(arns.len() / 2);
                open.extend([back.to_vec(), front.to_vec()]);
            }
            Err(e) if e.is(codes) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}

/// Tags of many resources, 20 ARNs a call.
pub async fn tags_of(aws: &Aws, arns: &[String]) -> Result<BTreeMap<String, Vec<Tag>>, AwsError> {
    let mut found = BTreeMap::new();
    for chunk in arns.chunks(20) {
        let call = aws.elb.describe_tags().set_resource_arns(Some(chunk.to_vec()));
        let answer = call.send().await.op("DescribeTags")?;
        for description in answer.tag_descriptions.unwrap_or_default() {
            let arn = description.resource_arn.unwrap_or_default();
            found.insert(arn, description.tags.unwrap_or_default());
        }
    }
    Ok(found)
}

pub fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|t| (t.key().unwrap_or(""), t.value().unwrap_or("")))
}

pub fn creation_tags(job: &Job<'_>) -> Vec<Tag> {
    let tags = tags::for_creation(job.want, job.token).into_iter();
    tags.map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
}

pub async fn update_tags(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (set, removed) = tags::difference(job.live, job.want);
    if !set.is_empty() {
        let tags = set.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        aws.elb.add_tags().resource_arns(job.id).set_tags(Some(tags)).send().await.op("AddTags")?;
    }
    if !removed.is_empty() {
        let call = aws.elb.remove_tags().resource_arns(job.id).set_tag_keys(Some(removed));
        call.send().await.op("RemoveTags")?;
    }
    Ok(())
}

/// Of some ARNs the one that a creation with this job's token made.
pub async fn ours(aws: &Aws, job: &Job<'_>, arns: Vec<String>) -> Result<Option<String>, AwsError> {
    let tags = tags_of(aws, &arns).await?;
    let ours = |tags: &[Tag]| pairs(tags).any(|(k, v)| k == tags::OWNERSHIP && v == job.token);
    Ok(tags.into_iter().find(|(_, t)| ours(t)).map(|(arn, _)| arn))
}

/// Name of a new load balancer or target group (32 characters at most): the declared one, or the
/// prefix with digits of the token, so that a second try makes the same.
pub fn name(job: &Job<'_>, prefix: &str) -> String {
    let declared = |name: &str| job.want.value(name).and_then(Value::as_str).map(str::to_owned);
    declared("name").unwrap_or_else(|| {
        let prefix = declared("name_prefix").unwrap_or_else(|| prefix.to_owned());
        let digits = job.token.len().min(32usize.saturating_sub(prefix.len()));
        format!("{prefix}{}", &job.token[..digits])
    })
}

/// Names like these are those of internal balancers' domains.
pub fn check_balancer_name(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(s) if s.starts_with("internal-") => Err("must not begin with `internal-`".to_owned()),
        _ => check_name(value),
    }
}

pub fn check_name(value: &Value) -> Result<(), String> {
    let Some(s) = value.as_str() else { return Ok(()) };
    if s.len() > 32 {
        return Err(format!("must be at most 32 characters, has {}", s.len()));
    }
    check_characters(s)?;
    if s.ends_with('-') { Err("must not end with a hyphen".to_owned()) } else { Ok(()) }
}

pub fn check_name_prefix(value: &Value) -> Result<(), String> {
    let Some(s) = value.as_str() else { return Ok(()) };
    if s.len() > 6 {
        return Err(format!("must be at most 6 characters, has {}", s.len()));
    }
    check_characters(s)
}

fn check_characters(s: &str) -> Result<(), String> {
    if s.starts_with('-') {
        return Err("must not begin with a hyphen".to_owned());
    }
    match s.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        Some(c) => Err(format!("may hold letters, digits and hyphens, not `{c}`")),
        None => Ok(()),
    }
}

/// An attribute that AWS keeps as key and value of a load balancer, target group or listener.
pub struct Keyed {
    pub name: &'static str,
    pub key: &'static str,
    /// For which objects AWS has it.
    pub applies: fn(&Object) -> bool,
}

/// The keyed attributes among `names` (all for None) that are declared, as AWS writes them.
pub fn keyed_wanted(keyed: &[Keyed], want: &Object, names: Option<&[String]>) -> Vec<(String, String)> {
    keyed
        .iter()
        .filter(|k| (k.applies)(want) && names.is_none_or(|names| names.iter().any(|n| n == k.name)))
        .filter_map(|k| Some((k.key.to_owned(), text(want.value(k.name)?)?)))
        .collect()
}

/// Sets what AWS answered; an empty value is none.
pub fn keyed_read<'a>(
    keyed: &[Keyed],
    table: &Table,
    o: &mut Object,
    answered: impl Iterator<Item = (&'a str, &'a str)>,
) {
    let answered: BTreeMap<&str, &str> = answered.collect();
    for k in keyed {
        let shape = table.row(k.name).map(|r| r.shape);
        let value = answered.get(k.key).filter(|v| !v.is_empty()).and_then(|v| match shape {
            Some(Shape::Bool) => Some(Value::bool(*v == "true")),
            Some(Shape::Int) => v.parse().ok().map(Value::int),
            _ => Some(Value::string(*v)),
        });
        o.put(k.name, value);
    }
}

fn text(value: &Value) -> Option<String> {
    match &value.kind {
        Kind::Bool(b) => Some(b.to_string()),
        Kind::Number(n) => Some(n.to_string()),
        Kind::String(s) => Some(s.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_aws_has_them() {
        for good in ["web", "a-b-1", &"a".repeat(32)] {
            assert_eq!(check_name(&Value::string(good)), Ok(()), "{good}");
        }
        for bad in ["-a", "a-", "a_b", &"a".repeat(33)] {
            assert!(check_name(&Value::string(bad)).is_err(), "{bad}");
        }
        let internal = Value::string("internal-a");
        assert!(check_name(&internal).is_ok() && check_balancer_name(&internal).is_err());
        assert!(check_name_prefix(&Value::string("abcdefg")).is_err());
    }
}
