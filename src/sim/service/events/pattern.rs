//! Event patterns (EventBridge User Guide, "Comparison operators for use in event patterns"); SNS filter
//! policies on bodies and attributes use the same words.

use crate::faults::like;
use serde_json::Value as Json;

/// What is wrong with a pattern.
pub fn check(text: &str) -> Result<(), String> {
    let pattern: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !pattern.is_object() {
        return Err("Filter is not an object".to_owned());
    }
    sound(&pattern)
}

fn sound(pattern: &Json) -> Result<(), String> {
    for (name, wanted) in pattern.as_object().into_iter().flatten() {
        match wanted {
            Json::Object(inside) if inside.is_empty() => {
                return Err("Empty objects are not allowed".to_owned());
            }
            Json::Object(_) => sound(wanted)?,
            Json::Array(items) if items.is_empty() => return Err("Empty arrays are not allowed".to_owned()),
            Json::Array(items) if name == "$or" => items.iter().try_for_each(sound)?,
            Json::Array(items) => items.iter().try_for_each(known)?,
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

const OPERATORS: &[&str] =
    &["prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case", "wildcard", "cidr"];

fn known(item: &Json) -> Result<(), String> {
    let unknown = item.as_object().and_then(|all| all.keys().find(|key| !OPERATORS.contains(&key.as_str())));
    unknown.map_or(Ok(()), |name| Err(format!("Unrecognized match type {name}")))
}

/// Every member of the pattern must fit; of a list, one item.
pub fn matches(pattern: &Json, event: &Json) -> bool {
    pattern.as_object().is_some_and(|members| {
        members.iter().all(|(name, wanted)| match wanted {
            Json::Array(items) if name == "$or" => items.iter().any(|one| matches(one, event)),
            Json::Array(items) => items.iter().any(|item| fits(item, event.get(name))),
            Json::Object(_) => match event.get(name) {
                // Of several objects one must match.
                Some(Json::Array(list)) => list.iter().any(|one| matches(wanted, one)),
                Some(inside) => matches(wanted, inside),
                None => matches(wanted, &Json::Null),
            },
            _ => false,
        })
    })
}

fn fits(item: &Json, value: Option<&Json>) -> bool {
    if let Some(wanted) = item.get("exists") {
        return wanted.as_bool() == Some(value.is_some_and(|value| !value.is_object()));
    }
    match value {
        Some(Json::Array(values)) => values.iter().any(|value| fits_one(item, value)),
        Some(value) => fits_one(item, value),
        None => false,
    }
}

fn fits_one(item: &Json, value: &Json) -> bool {
    let Some((operator, wanted)) = item.as_object().and_then(|all| all.iter().next()) else {
        return same(item, value);
    };
    let text = value.as_str();
    let folded =
        |wanted: &Json| wanted.get("equals-ignore-case").and_then(Json::as_str).map(str::to_lowercase);
    match operator.as_str() {
        "prefix" => text.is_some_and(|text| match (wanted.as_str(), folded(wanted)) {
            (Some(wanted), _) => text.starts_with(wanted),
            (None, Some(wanted)) => text.to_lowercase().starts_with(&wanted),
            _ => false,
        }),
        "suffix" => text.is_some_and(|text| match (wanted.as_str(), folded(wanted)) {
            (Some(wanted), _) => text.ends_with(wanted),
            (None, Some(wanted)) => text.to_lowercase().ends_with(&wanted),
            _ => false,
        }),
        "equals-ignore-case" => text
            .zip(wanted.as_str())
            .is_some_and(|(text, wanted)| text.to_lowercase() == wanted.to_lowercase()),
        "wildcard" => text.zip(wanted.as_str()).is_some_and(|(text, wanted)| like(wanted, text)),
        "anything-but" => match wanted {
            Json::Array(items) => !items.iter().any(|one| same(one, value)),
            Json::Object(_) => anything_but(wanted, value),
            one => !same(one, value),
        },
        "numeric" => value.as_f64().is_some_and(|number| numeric(wanted, number)),
        "cidr" => {
            let range = wanted.as_str().and_then(|text| text.parse::<ipnet::IpNet>().ok());
            let address = text.and_then(|text| text.parse::<std::net::IpAddr>().ok());
            range.zip(address).is_some_and(|(range, address)| range.contains(&address))
        }
        _ => false,
    }
}

/// `{"anything-but": {"prefix": "init"}}`, with one text or several.
fn anything_but(operators: &Json, value: &Json) -> bool {
    operators.as_object().into_iter().flatten().all(|(operator, wanted)| {
        let several = match wanted {
            Json::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        !several.into_iter().any(|one| {
            let item = serde_json::json!({operator.as_str(): one});
            fits_one(&item, value)
        })
    })
}

fn same(wanted: &Json, value: &Json) -> bool {
    match (wanted.as_f64(), value.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => wanted == value,
    }
}

/// `[">", 0, "<=", 5]`.
fn numeric(wanted: &Json, number: f64) -> bool {
    let items = wanted.as_array().map_or(&[][..], Vec::as_slice);
    !items.is_empty()
        && items.chunks(2).all(|pair| match pair {
            [Json::String(operator), limit] => limit.as_f64().is_some_and(|limit| match operator.as_str() {
                "=" => number == limit,
                ">" => number > limit,
                ">=" => number >= limit,
                "<" => number < limit,
                "<=" => number <= limit,
                _ => false,
            }),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operators_do_what_they_say() {
        let event = json!({
            "source": "aws.ecs", "resources": ["a", "b"],
            "detail": {"lastStatus": "RUNNING", "count": 3, "ip": "10.0.0.7", "group": "service:web"},
        });
        for (pattern, expected) in [
            (json!({"source": ["aws.ecs"]}), true),
            (json!({"source": ["aws.ec2", {"prefix": "aws.e"}]}), true),
            (json!({"resources": ["b"]}), true),
            (json!({"detail": {"lastStatus": [{"anything-but": "RUNNING"}]}}), false),
            (json!({"detail": {"lastStatus": [{"anything-but": ["STOPPED", "PENDING"]}]}}), true),
            (json!({"detail": {"group": [{"anything-but": {"prefix": "service:"}}]}}), false),
            (json!({"detail": {"count": [{"numeric": [">", 1, "<=", 3]}]}}), true),
            (json!({"detail": {"count": [{"numeric": ["<", 3]}]}}), false),
            (json!({"detail": {"missing": [{"exists": false}]}}), true),
            (json!({"other": {"missing": [{"exists": false}]}}), true),
            (json!({"detail": {"lastStatus": [{"exists": false}]}}), false),
            (json!({"detail": {"lastStatus": [{"equals-ignore-case": "running"}]}}), true),
            (json!({"detail": {"group": [{"wildcard": "serv*:w*"}]}}), true),
            (json!({"detail": {"group": [{"suffix": ":web"}]}}), true),
            (json!({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}), true),
            (json!({"$or": [{"source": ["x"]}, {"detail": {"count": [3]}}]}), true),
            (json!({"source": ["aws.ecs"], "detail": {"count": [4]}}), false),
        ] {
            check(&pattern.to_string()).unwrap();
            assert_eq!(matches(&pattern, &event), expected, "{pattern}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_refused() {
        for text in ["[]", "{", r#"{"a": 1}"#, r#"{"a": []}"#, r#"{"a": [{"like": "x"}]}"#] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
