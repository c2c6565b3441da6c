//! Conditions of rules, in the form in which AWS answers them.

use super::super::{ApiError, Input};
use super::validation;
use serde_json::{Value as Json, json};

const FIELDS: &[(&str, &str)] = &[
    ("host-header", "HostHeaderConfig"),
    ("http-header", "HttpHeaderConfig"),
    ("http-request-method", "HttpRequestMethodConfig"),
    ("path-pattern", "PathPatternConfig"),
    ("query-string", "QueryStringConfig"),
    ("source-ip", "SourceIpConfig"),
];

/// Host and path conditions may be given in the old way (`Values`) and are answered in both.
pub(super) fn normalise(conditions: &[Json]) -> Result<Vec<Json>, ApiError> {
    if conditions.is_empty() {
        return Err(validation("A condition must be specified"));
    }
    let mut normal = Vec::new();
    let mut values = 0;
    for condition in conditions {
        let field = condition.text("Field").unwrap_or_default();
        let Some((_, name)) = FIELDS.iter().find(|(known, _)| *known == field) else {
            return Err(validation(format!(
                "Condition field '{field}' must be one of '[path-pattern, host-header, http-header, http-request-method, query-string, source-ip]'"
            )));
        };
        let once = matches!(field, "host-header" | "path-pattern" | "http-request-method" | "source-ip");
        if once && normal.iter().any(|other: &Json| other.text("Field") == Some(field)) {
            return Err(validation(format!("You can specify only one condition with field '{field}'")));
        }
        let old = matches!(field, "host-header" | "path-pattern");
        let mut config = match condition.get(*name).filter(|config| !config.is_null()) {
            Some(config) => config.clone(),
            None if old => json!({}),
            None => {
                return Err(validation(format!("A '{name}' must be specified with '{field}'")));
            }
        };
        if old {
            // The old way takes one value; the new one takes several.
            if condition.list("Values").len() > 1 && config.list("Values").is_empty() {
                return Err(validation(format!(
                    "The '{field}' field contains too many values; the limit is '1'"
                )));
            }
            for list in ["Values", "RegexValues"] {
                if config.list(list).is_empty() && !condition.list(list).is_empty() {
                    config[list] = condition[list].clone();
                }
            }
        }
        let count = config.list("Values").len() + config.list("RegexValues").len();
        if count == 0 {
            let what = if old { "condition".to_owned() } else { format!("'{field}'") };
            return Err(validation(format!("A {what} value must be specified")));
        }
        values += count;
        check_values(field, &config)?;
        let mut one = json!({"Field": field});
        if old && !config.list("Values").is_empty() {
            one["Values"] = config["Values"].clone();
        }
        if old && !config.list("RegexValues").is_empty() {
            one["RegexValues"] = config["RegexValues"].clone();
        }
        one[*name] = config;
        normal.push(one);
    }
    if values > 5 {
        return Err(validation("A rule can have at most 5 condition values"));
    }
    Ok(normal)
}

/// Lengths and characters as the API reference gives them (RuleCondition and its parts).
fn check_values(field: &str, config: &Json) -> Result<(), ApiError> {
    let long = |what: &str, text: &str, limit: usize| match text.chars().count() > limit {
        true => Err(validation(format!("The '{what}' value is too long; the limit is '{limit}'"))),
        false => Ok(()),
    };
    long("HttpHeaderName", config.text("HttpHeaderName").unwrap_or_default(), 40)?;
    for pair in config.list("Values").iter().filter(|_| field == "query-string") {
        long("Key", pair.text("Key").unwrap_or_default(), 128)?;
        let Some(value) = pair.text("Value") else {
            return Err(validation("A 'Value' must be specified in 'QueryStringKeyValuePair'"));
        };
        long("Value", value, 128)?;
    }
    for value in config.texts("Values") {
        let method = |c: char| c.is_ascii_uppercase() || matches!(c, '-' | '_');
        match field {
            "http-request-method" if !value.chars().all(method) => {
                return Err(validation(
                    "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore",
                ));
            }
            "http-request-method" => long(field, value, 40)?,
            "source-ip" => {
                if !value.parse::<ipnet::IpNet>().is_ok_and(|net| net.prefix_len() <= net.max_prefix_len()) {
                    let message = format!("Condition value '{value}' for field '{field}' is not valid");
                    return Err(validation(message));
                }
            }
            _ => long(field, value, 128)?,
        }
    }
    Ok(())
}
