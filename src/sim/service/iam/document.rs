//! Policy documents: what IAM refuses (IAM User Guide, "Grammar of the IAM JSON policy language").

use crate::World;
use crate::service::ApiError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use regex::Regex;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Attached to a role: says what it may do.
    Identity,
    /// A role's trust policy: says who may assume it.
    Trust,
}

/// IAM answers documents percent-encoded by RFC 3986 (API reference of GetRole, GetPolicyVersion…).
pub fn encoded(document: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(document, RESERVED).to_string()
}

/// The quotas count characters without white space.
pub fn size(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicyDocument", message)
}

pub fn check(world: &World, text: &str, kind: Kind) -> Result<(), ApiError> {
    const SYNTAX: &str = "Syntax errors in policy.";
    let invalid = || match kind {
        Kind::Identity => malformed(SYNTAX),
        Kind::Trust => malformed("This policy contains invalid Json"),
    };
    let Json::Object(policy) = serde_json::from_str(text).map_err(|_| invalid())? else {
        return Err(invalid());
    };
    if policy.keys().any(|key| !matches!(key.as_str(), "Version" | "Id" | "Statement")) {
        return Err(malformed(SYNTAX));
    }
    if policy.get("Id").is_some_and(|id| !id.is_string()) {
        return Err(malformed(SYNTAX));
    }
    let statements: Vec<&Map<String, Json>> = match policy.get("Statement") {
        Some(Json::Array(list)) if !list.is_empty() => {
            list.iter().map(Json::as_object).collect::<Option<_>>().ok_or_else(|| malformed(SYNTAX))?
        }
        Some(Json::Object(one)) => vec![one],
        _ => return Err(malformed(SYNTAX)),
    };
    // Each rule is asked of all statements before the next one.
    statements.iter().try_for_each(|statement| check_shape(statement))?;
    match (policy.get("Version").map(|v| v.as_str()), kind) {
        (Some(Some("2012-10-17")), _) | (None | Some(Some("2008-10-17")), Kind::Trust) => {}
        (None | Some(Some("2008-10-17")), Kind::Identity) => {
            return Err(malformed("Policy document must be version 2012-10-17 or greater."));
        }
        _ => return Err(malformed(SYNTAX)),
    }
    statements.iter().try_for_each(|statement| check_legacy(statement))?;
    let mut sids = BTreeSet::new();
    let named = statements.iter().filter_map(|statement| statement.get("Sid")?.as_str());
    for sid in named.filter(|sid| !sid.is_empty()) {
        check_sid(sid)?;
        if !sids.insert(sid) {
            return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
        }
    }
    match kind {
        Kind::Identity => check_identity(&statements),
        Kind::Trust => statements.iter().try_for_each(|statement| check_trust(world, statement)),
    }
}

fn check_sid(sid: &str) -> Result<(), ApiError> {
    if sid.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(malformed(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
         [0-9A-Za-z]*",
    ))
}

fn check_shape(statement: &Map<String, Json>) -> Result<(), ApiError> {
    const KNOWN: [&str; 9] = [
        "Action",
        "Condition",
        "Effect",
        "NotAction",
        "NotPrincipal",
        "NotResource",
        "Principal",
        "Resource",
        "Sid",
    ];
    let pair = |a: &str, b: &str| statement.contains_key(a) && statement.contains_key(b);
    let broken = statement.keys().any(|key| !KNOWN.contains(&key.as_str()))
        || !statement.get("Effect").and_then(Json::as_str).is_some_and(is_effect)
        || statement.get("Sid").is_some_and(|sid| !sid.is_string())
        || statement.get("Condition").is_some_and(|condition| !is_condition(condition))
        || pair("Action", "NotAction")
        || pair("Resource", "NotResource")
        || pair("Principal", "NotPrincipal")
        || ["Action", "NotAction", "Resource", "NotResource"]
            .iter()
            .any(|key| statement.get(*key).is_some_and(|value| texts(value).is_none()));
    if broken { Err(malformed("Syntax errors in policy.")) } else { Ok(()) }
}

/// A string or a list of strings.
fn texts(value: &Json) -> Option<Vec<&str>> {
    match value {
        Json::String(one) => Some(vec![one]),
        // IAM takes null for no entry at all (moto's tests of policies that AWS took).
        Json::Array(list) => list.iter().filter(|one| !one.is_null()).map(Json::as_str).collect(),
        _ => None,
    }
}

fn either<'a>(statement: &'a Map<String, Json>, names: [&str; 2]) -> Vec<&'a str> {
    names.iter().filter_map(|name| texts(statement.get(*name)?)).flatten().collect()
}

fn is_effect(text: &str) -> bool {
    text.eq_ignore_ascii_case("allow") || text.eq_ignore_ascii_case("deny")
}

/// Operators over keys over values; what an operator is, is in the User Guide ("Condition operators").
fn is_condition(condition: &Json) -> bool {
    let Json::Object(operators) = condition else { return false };
    operators.iter().all(|(operator, keys)| match keys {
        Json::Object(keys) if keys.is_empty() => true,
        Json::Object(keys) => is_operator(operator) && keys.values().all(is_condition_value),
        _ => false,
    })
}

fn is_condition_value(value: &Json) -> bool {
    match value {
        Json::Array(all) => all.iter().all(|one| !one.is_object() && !one.is_array()),
        Json::Object(_) | Json::Null => false,
        _ => true,
    }
}

fn is_operator(name: &str) -> bool {
    const OPERATORS: &[&str] = &[
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "BinaryEquals",
        "Bool",
        "DateEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateNotEquals",
        "IpAddress",
        "NotIpAddress",
        "Null",
        "NumericEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericNotEquals",
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "StringNotEquals",
        "StringNotEqualsIgnoreCase",
        "StringNotLike",
    ];
    let name = ["ForAllValues:", "ForAnyValue:"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
    let name = name.strip_suffix("IfExists").filter(|name| *name != "Null").unwrap_or(name);
    OPERATORS.contains(&name)
}

/// What an older parser behind the first one refuses: the case of effects, dates, ARNs that end early.
fn check_legacy(statement: &Map<String, Json>) -> Result<(), ApiError> {
    let effect = statement.get("Effect").and_then(Json::as_str).unwrap_or_default();
    let early = |resource: &&str| {
        let parts: Vec<_> = resource.split(':').collect();
        matches!(parts[..], ["arn", partition, ..] if is_partition(partition))
            && (parts.get(2).is_some_and(|vendor| vendor.is_empty())
                || matches!(parts.len(), 4 | 5) && !resource.contains('*'))
    };
    let dates = statement.get("Condition").and_then(Json::as_object).into_iter().flatten();
    let mut dates = dates
        .filter(|(operator, _)| operator.contains("Date"))
        .filter_map(|(_, keys)| keys.as_object())
        .flat_map(|keys| keys.values())
        .filter_map(texts)
        .flatten();
    if !matches!(effect, "Allow" | "Deny")
        || dates.any(|date| !is_date(date))
        || either(statement, ["Resource", "NotResource"]).iter().any(early)
    {
        return Err(malformed("The policy failed legacy parsing"));
    }
    Ok(())
}

/// ISO 8601, also of reduced precision, or seconds since 1970 (User Guide, "Date condition operators").
fn is_date(text: &str) -> bool {
    static DATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^\d{2,4}(-(0[1-9]|1[0-2])(-\d{2})?)?",
            r"([Tt](\d{1,2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?([Zz]|[+-]\d{2}(:?\d{2})?)?)?$"
        ))
        .expect("a constant pattern")
    });
    text.parse::<i64>().is_ok() || DATE.is_match(text)
}

fn is_partition(text: &str) -> bool {
    matches!(text, "aws" | "aws-cn" | "aws-us-gov" | "aws-iso" | "aws-iso-b" | "aws-iso-e" | "aws-iso-f")
        || text.contains('*')
}

fn check_identity(statements: &[&Map<String, Json>]) -> Result<(), ApiError> {
    for statement in statements {
        if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
            return Err(malformed("Policy document should not specify a principal."));
        }
        let actions = either(statement, ["Action", "NotAction"]);
        if actions.is_empty() {
            return Err(malformed("Policy statement must contain actions."));
        }
        let vendor = |action: &&str| {
            **action == *"*"
                || action.split_once(':').is_some_and(|(v, name)| !v.is_empty() && !name.is_empty())
        };
        if !actions.iter().all(vendor) {
            return Err(malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        }
        let resources = either(statement, ["Resource", "NotResource"]);
        if resources.is_empty() {
            return Err(malformed("Policy statement must contain resources."));
        }
        resources.iter().try_for_each(|resource| check_resource(resource))?;
        if actions.iter().any(|action| action.matches(':').count() > 1) {
            return Err(malformed("Actions/Condition can contain only one colon."));
        }
        for vendor in actions.iter().filter_map(|action| action.split(':').next()) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            if vendor != "*" && !vendor.chars().all(plain) {
                return Err(malformed(format!("Vendor {vendor} is not valid")));
            }
        }
    }
    Ok(())
}

fn check_resource(resource: &str) -> Result<(), ApiError> {
    if resource == "*" {
        return Ok(());
    }
    let mut parts: Vec<&str> = resource.split(':').collect();
    if parts.len() < 2 {
        return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
    }
    // What is left out at the end stands for anything.
    let vendor_given = parts.len() > 2;
    parts.extend(std::iter::repeat_n("*", 6usize.saturating_sub(parts.len())));
    if !is_partition(parts[1]) {
        let whole = format!("arn:{}", parts[1..].join(":"));
        let message = format!("Partition \"{}\" is not valid for resource \"{whole}\".", parts[1]);
        return Err(malformed(message));
    }
    if !vendor_given && !parts[1].contains('*') {
        return Err(malformed("Resource vendor must be fully qualified and cannot contain regexes."));
    }
    match (parts[2], parts[3]) {
        ("iam", region) if !region.is_empty() && region != "*" => {
            let message = format!("IAM resource {resource} cannot contain region information.");
            Err(malformed(message))
        }
        ("s3", region) if !region.is_empty() && region != "*" && parts[4].is_empty() => {
            Err(malformed(format!("Resource {resource} can not contain region information.")))
        }
        ("iam", _) => check_iam_path(parts[5]),
        _ => Ok(()),
    }
}

fn check_iam_path(path: &str) -> Result<(), ApiError> {
    const KINDS: [&str; 13] = [
        "user/",
        "federated-user/",
        "role/",
        "group/",
        "instance-profile/",
        "mfa/",
        "server-certificate/",
        "policy/",
        "sms-mfa/",
        "saml-provider/",
        "oidc-provider/",
        "report/",
        "access-report/",
    ];
    if path.contains('*') || path == "root" || KINDS.iter().any(|kind| path.starts_with(kind)) {
        return Ok(());
    }
    let kinds = KINDS.join(", ");
    Err(malformed(format!("IAM resource path must either be \"*\" or start with {kinds}.")))
}

fn check_trust(world: &World, statement: &Map<String, Json>) -> Result<(), ApiError> {
    for field in ["Resource", "NotResource"] {
        if statement.contains_key(field) {
            return Err(malformed(format!("Has prohibited field {field}")));
        }
    }
    let actions = either(statement, ["Action", "NotAction"]);
    if actions.is_empty() {
        return Err(malformed("Missing required field Action"));
    }
    if actions.iter().any(|action| !action.to_ascii_lowercase().starts_with("sts:")) {
        return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
    }
    let Some(principal) = statement.get("Principal").or_else(|| statement.get("NotPrincipal")) else {
        return Err(malformed("Missing required field Principal"));
    };
    match principal {
        Json::String(all) if all == "*" => Ok(()),
        Json::Object(kinds) if !kinds.is_empty() => {
            for (kind, names) in kinds {
                for name in texts(names).ok_or_else(|| malformed("Syntax errors in policy."))? {
                    check_principal(world, kind, name)?;
                }
            }
            Ok(())
        }
        _ => Err(malformed("Syntax errors in policy.")),
    }
}

fn check_principal(world: &World, kind: &str, name: &str) -> Result<(), ApiError> {
    let known = match kind {
        "Service" => name.ends_with(".amazonaws.com") || name.ends_with(".aws.internal"),
        "AWS" => known_arn(world, name),
        "Federated" | "CanonicalUser" => !name.is_empty(),
        _ => return Err(malformed("Syntax errors in policy.")),
    };
    if known {
        return Ok(());
    }
    let kind = if kind == "Service" { "SERVICE" } else { kind };
    Err(malformed(format!("Invalid principal in policy: \"{kind}\":\"{name}\"")))
}

/// Roles and users of one's own account must exist; other accounts cannot be looked into.
fn known_arn(world: &World, name: &str) -> bool {
    if name == "*" || (name.len() == 12 && name.chars().all(|c| c.is_ascii_digit())) {
        return true;
    }
    let partition = format!("arn:{}:", world.partition());
    let Some(rest) = name.strip_prefix(&partition) else { return false };
    match rest.strip_prefix(&format!("iam::{}:", world.account)) {
        Some(own) if own.starts_with("role/") => super::role_by_arn(world, name).is_some(),
        Some(own) if own.starts_with("user/") => world.iam.users.values().any(|user| user.arn(world) == name),
        Some(own) => own == "root",
        None => rest.starts_with("iam::") || rest.starts_with("sts::"),
    }
}
