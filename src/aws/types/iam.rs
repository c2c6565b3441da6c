//! What IAM types share: tags, generated names, policy documents, and patience with propagation.

use crate::aws::{Aws, AwsError, Job, tags};
use crate::schema::{Attr, Object, Str};
use crate::value::Value;
use aws_sdk_iam::types::Tag;
use serde_json::Value as Json;
use std::time::Duration;

/// IAM has no list that answers for many resources at once: so many calls run side by side.
pub const AT_ONCE: usize = 8;

pub fn tag(key: impl Into<String>, value: impl Into<String>) -> Tag {
    Tag::builder().key(key).value(value).build().expect("key and value are set")
}

pub fn creation_tags(job: &Job<'_>) -> Option<Vec<Tag>> {
    Some(tags::for_creation(job.want, job.token).into_iter().map(|(k, v)| tag(k, v)).collect())
}

pub fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|t| (t.key(), t.value()))
}

pub fn is_ours(tags: &[Tag], token: &str) -> bool {
    tags.iter().any(|t| t.key() == tags::OWNERSHIP && t.value() == token)
}

/// The declared name, or one made of the prefix (`terraform-` without one) and the intent's token: the
/// same again when the creation is tried again.
pub fn name(job: &Job<'_>, name: &Attr<Str>, prefix: &Attr<Str>) -> String {
    name_of(job.want, job.token, name, prefix)
}

fn name_of(want: &Object, token: &str, name: &Attr<Str>, prefix: &Attr<Str>) -> String {
    want.get(name).filter(|n| !n.is_empty()).unwrap_or_else(|| {
        let prefix = want.get(prefix).filter(|p| !p.is_empty());
        format!("{}{}", prefix.as_deref().unwrap_or("terraform-"), &token[..26.min(token.len())])
    })
}

/// IAM answers policy documents percent-encoded (RFC 3986).
pub fn decoded(document: Option<&str>) -> Option<String> {
    document.map(|d| percent_encoding::percent_decode_str(d).decode_utf8_lossy().into_owned())
}

/// Same meaning to IAM: one element or a list of one, any order in lists, any order of keys.
pub fn same_policy(live: &Value, desired: &Value) -> bool {
    let parse = |v: &Value| v.as_str().and_then(|s| serde_json::from_str::<Json>(s).ok());
    match (parse(live), parse(desired)) {
        (Some(a), Some(b)) => canonical(&a) == canonical(&b),
        _ => false,
    }
}

fn canonical(json: &Json) -> Json {
    match json {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(canonical).collect();
            items.sort_by_key(Json::to_string);
            if items.len() == 1 { items.remove(0) } else { Json::Array(items) }
        }
        // An empty `Sid` or `Id` is none.
        Json::Object(members) => {
            let named = members.iter().filter(|(k, v)| !(matches!(k.as_str(), "Sid" | "Id") && *v == ""));
            Json::Object(named.map(|(k, v)| (k.clone(), member(k, v))).collect())
        }
        // IAM keeps conditions and account ids as strings.
        Json::Bool(b) => Json::String(b.to_string()),
        Json::Number(n) => Json::String(n.to_string()),
        other => other.clone(),
    }
}

fn member(key: &str, value: &Json) -> Json {
    match (key, value) {
        // An account may be written as its id or as its root's ARN.
        ("AWS", Json::String(text)) => Json::String(account(text).to_owned()),
        ("AWS", Json::Array(items)) => {
            let accounts = items.iter().map(|i| member("AWS", i)).collect();
            canonical(&Json::Array(accounts))
        }
        _ => canonical(value),
    }
}

/// The account in `arn:aws:iam::123456789012:root`, in any partition.
fn account(text: &str) -> &str {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        ["arn", _, "iam", "", account, "root"] => account,
        _ => text,
    }
}

pub fn check_json(value: &Value) -> Result<(), String> {
    let parsed = value.as_str().map(serde_json::from_str::<Json>);
    match parsed {
        Some(Ok(Json::Object(_))) | None => Ok(()),
        Some(Ok(_)) => Err("must be a JSON object".to_owned()),
        Some(Err(error)) => Err(format!("is not valid JSON: {error}")),
    }
}

/// A name of IAM, of at most `most` characters.
pub fn check_name(value: &Value, most: usize) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (1..=most).contains(&text.len()) && text.chars().all(good) {
        Ok(())
    } else {
        Err(format!("must have 1 to {most} letters, digits and characters of _+=,.@-"))
    }
}

/// Calls again while IAM does not yet know everywhere what was just made.
pub async fn patiently<T>(
    aws: &Aws,
    job: &Job<'_>,
    codes: &[&str],
    mut call: impl AsyncFnMut() -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    let deadline = aws.clock.now() + Duration::from_secs(120);
    loop {
        match call().await {
            Err(error) if error.is(codes) && aws.clock.now() < deadline => {
                (job.progress)(&format!("IAM does not know it everywhere yet ({})", error.code));
                aws.clock.sleep(Duration::from_secs(2)).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_mean_the_same_are_the_same() {
        let same = |a: &str, b: &str| same_policy(&Value::string(a), &Value::string(b));
        assert!(same(r#"{"Action":["a","b"]}"#, r#"{ "Action": ["b", "a"] }"#));
        assert!(same(r#"{"Action":"a"}"#, r#"{"Action":["a"]}"#));
        assert!(same(
            r#"{"Principal":{"AWS":"arn:aws:iam::123456789012:root"}}"#,
            r#"{"Principal":{"AWS":["123456789012"]}}"#
        ));
        assert!(same(
            r#"{"Principal":{"AWS":"arn:aws-cn:iam::123456789012:root"}}"#,
            r#"{"Principal":{"AWS":"123456789012"}}"#
        ));
        assert!(same(
            r#"{"Statement":{"Sid":"","Action":"a"},"Id":""}"#,
            r#"{"Statement":[{"Action":"a"}]}"#
        ));
        assert!(!same(r#"{"Action":"a"}"#, r#"{"Action":"b"}"#));
        assert!(!same(r#"{"Action":["a","b"]}"#, r#"{"Action":["a","b","b"]}"#));
        assert!(!same(r#"{"Principal":"*"}"#, r#"{"Principal":{"AWS":"*"}}"#));
    }
}
