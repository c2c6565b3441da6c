//! Policy documents: what IAM refuses (IAM User Guide, "Grammar of the IAM JSON policy language").

use crate::sim::World;
use crate::sim::service::ApiError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

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
    match (policy.get("Version").map(|v| v.as_str()), kind) {
        (Some(Some("2012-10-17")), _) | (None | Some(Some("2008-10-17")), Kind::Trust) => {}
        (None | Some(Some("2008-10-17")), Kind::Identity) => {
            return Err(malformed("Policy document must be version 2012-10-17 or greater."));
        }
        _ => return Err(malformed(SYNTAX)),
    }
    let statements: Vec<&Json> = match policy.get("Statement") {
        Some(Json::Array(list)) if !list.is_empty() => list.iter().collect(),
        Some(one @ Json::Object(_)) => vec![one],
        _ => return Err(malformed(SYNTAX)),
    };
    let mut sids = BTreeSet::new();
    for statement in statements {
        let statement = statement.as_object().ok_or_else(|| malformed(SYNTAX))?;
        check_shape(statement)?;
        if let Some(sid) = statement.get("Sid").and_then(Json::as_str)
            && !sid.is_empty()
        {
            check_sid(sid)?;
            if !sids.insert(sid) {
                return Err(malformed("Statement IDs (SID) in a single policy must be unique."));
            }
        }
        match kind {
            Kind::Identity => check_identity(statement)?,
            Kind::Trust => check_trust(world, statement)?,
        }
    }
    Ok(())
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
    let effect = statement.get("Effect").and_then(Json::as_str);
    if effect.is_some_and(|e| {
        !matches!(e, "Allow" | "Deny") && (e.eq_ignore_ascii_case("allow") || e.eq_ignore_ascii_case("deny"))
    }) {
        return Err(malformed("The policy failed legacy parsing"));
    }
    let broken = statement.keys().any(|key| !KNOWN.contains(&key.as_str()))
        || !matches!(effect, Some("Allow" | "Deny"))
        || statement.get("Sid").is_some_and(|sid| !sid.is_string())
        || statement.get("Condition").is_some_and(|condition| !condition.is_object())
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
        Json::Array(list) => list.iter().map(Json::as_str).collect(),
        _ => None,
    }
}

fn either<'a>(statement: &'a Map<String, Json>, names: [&str; 2]) -> Vec<&'a str> {
    names.iter().filter_map(|name| texts(statement.get(*name)?)).flatten().collect()
}

fn check_identity(statement: &Map<String, Json>) -> Result<(), ApiError> {
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Err(malformed("Policy document should not specify a principal."));
    }
    let actions = either(statement, ["Action", "NotAction"]);
    if actions.is_empty() {
        return Err(malformed("Policy statement must contain actions."));
    }
    for action in actions {
        if action != "*"
            && !action.split_once(':').is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty())
        {
            return Err(malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        }
    }
    let resources = either(statement, ["Resource", "NotResource"]);
    if resources.is_empty() {
        return Err(malformed("Policy statement must contain resources."));
    }
    for resource in resources {
        // A pattern may stand for any part of an ARN: `arn:*` is accepted, a bare name is not.
        if resource != "*" && !resource.starts_with("arn:") {
            return Err(malformed(format!("Resource {resource} must be in ARN format or \"*\".")));
        }
        // Fewer than six parts are an ARN only when a pattern stands for the rest.
        if resource != "*" && resource.split(':').count() < 6 && !resource.contains('*') {
            return Err(malformed("The policy failed legacy parsing"));
        }
    }
    Ok(())
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
    let Some(rest) = name.strip_prefix("arn:aws:") else { return false };
    match rest.strip_prefix(&format!("iam::{}:", world.account)) {
        Some(own) if own.starts_with("role/") => super::role_by_arn(world, name).is_some(),
        Some(own) if own.starts_with("user/") => world.iam.users.values().any(|user| user.arn(world) == name),
        Some(own) => own == "root",
        None => rest.starts_with("iam::") || rest.starts_with("sts::"),
    }
}
