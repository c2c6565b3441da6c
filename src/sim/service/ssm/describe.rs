//! Lists of parameters: by filters and by path.

use super::parameters::{metadata_json, public_json, value_json};
use super::*;
use crate::service::tree::Output;

fn limit(input: &Json, default: usize) -> usize {
    input.int("MaxResults").and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
}

/// The old `Filters` are `ParameterFilters` that compare the start of names (API reference).
fn filters(input: &Json) -> Vec<Json> {
    let old = input.list("Filters").iter().map(|filter| {
        let option = if filter.text("Key") == Some("Name") { "BeginsWith" } else { "Equals" };
        filter.clone().with("Option", Some(option))
    });
    old.chain(input.list("ParameterFilters").iter().cloned()).collect()
}

fn check(filter: &Json, keys: &[&str]) -> Result<(), ApiError> {
    let key = filter.text("Key").unwrap_or_default();
    let known = if key.starts_with("tag:") { keys.contains(&"tag:") } else { keys.contains(&key) };
    if !known {
        let valid: Vec<&str> = keys.iter().copied().filter(|key| *key != "tag:").collect();
        return Err(ApiError::new(
            "InvalidFilterKey",
            format!(
                "The following filter key is not valid: {key}. Valid filter keys include: [{}]",
                valid.join(", ")
            ),
        ));
    }
    let option = filter.text("Option").unwrap_or(if key == "Path" { "OneLevel" } else { "Equals" });
    let valid: &[&str] = match key {
        "Path" => &["Recursive", "OneLevel"],
        "Label" | "Tier" => &["Equals"],
        _ => &["BeginsWith", "Equals"],
    };
    // "For filters used with DescribeParameters, valid options include also Contains for the Name filter".
    let contains = key == "Name" && option == "Contains";
    if !contains && !valid.contains(&option) {
        return Err(ApiError::new(
            "InvalidFilterOption",
            format!(
                "The following filter option is not valid: {option}. Valid options include: [{}].",
                valid.join(", ")
            ),
        ));
    }
    check_values(key, &filter.texts("Values"))?;
    if filter.list("Values").is_empty() && !key.starts_with("tag:") {
        return Err(ApiError::new(
            "InvalidFilterValue",
            "The following filter values are missing : null for filter key ".to_owned() + key,
        ));
    }
    Ok(())
}

fn check_values(key: &str, values: &[&str]) -> Result<(), ApiError> {
    let allowed: &[&str] = match key {
        "Tier" => &["Standard", "Advanced", "Intelligent-Tiering"],
        "Type" => &["String", "StringList", "SecureString"],
        _ => &[],
    };
    if let Some(bad) = values.iter().find(|value| !allowed.is_empty() && !allowed.contains(value)) {
        return Err(ApiError::new(
            "InvalidFilterOption",
            format!(
                "The following filter value is not valid: {bad}. Valid values include: [{}]",
                allowed.join(", ")
            ),
        ));
    }
    if key == "Path" { values.iter().try_for_each(|path| check_path(path)) } else { Ok(()) }
}

fn check_path(path: &str) -> Result<(), ApiError> {
    let lower = path.to_lowercase();
    if lower.starts_with("/aws") || lower.starts_with("/ssm") {
        return Err(invalid(
            "Filters for common parameters can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if path.starts_with('/') && !path.contains("//") && path.chars().all(allowed) {
        return Ok(());
    }
    Err(path_rules())
}

fn path_rules() -> ApiError {
    invalid(
        "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a \
         forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use \
         only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special \
         characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". \
         Valid example: /get/parameters2-/by1./path0_.",
    )
}

/// Whether `name` lies under `path`: directly, or at any depth.
fn under(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    let rest = if path.is_empty() {
        // The root holds names without a slash too.
        Some(name.trim_start_matches('/'))
    } else {
        name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'))
    };
    rest.is_some_and(|rest| !rest.is_empty() && (recursive || !rest.contains('/')))
}

fn fits(parameter: &Parameter, filter: &Json) -> bool {
    let key = filter.text("Key").unwrap_or_default();
    let option = filter.text("Option");
    let values = filter.texts("Values");
    let version = parameter.latest();
    let compare = |text: &str| {
        values.iter().any(|value| match option {
            Some("BeginsWith") => text.starts_with(value),
            Some("Contains") => text.contains(value),
            _ => text == *value,
        })
    };
    if let Some(tag) = key.strip_prefix("tag:") {
        return parameter.tags.get(tag).is_some_and(|value| values.is_empty() || compare(value));
    }
    match key {
        // Names compare without their leading slash, except for what they contain.
        "Name" => values.iter().any(|value| {
            let (name, bare) = (parameter.name.trim_start_matches('/'), value.trim_start_matches('/'));
            match option {
                Some("BeginsWith") => name.starts_with(bare),
                Some("Contains") => format!("/{name}").contains(value),
                _ => name == bare,
            }
        }),
        "Type" => compare(&version.kind),
        "Tier" => compare(&version.tier),
        "DataType" => compare(&version.data_type),
        "KeyId" => version.key_id.as_deref().is_some_and(compare),
        "Label" => version.labels.iter().any(|label| values.contains(&label.as_str())),
        "Path" => values.iter().any(|path| under(&parameter.name, path, option == Some("Recursive"))),
        _ => false,
    }
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    if !input.list("Filters").is_empty() && !input.list("ParameterFilters").is_empty() {
        return Err(invalid("You can use either Filters or ParameterFilters in a single request."));
    }
    let filters = filters(input);
    let mut seen = std::collections::BTreeSet::new();
    for filter in &filters {
        check(filter, &["Path", "Name", "Type", "KeyId", "Tier", "DataType", "tag:"])?;
        let key = filter.text("Key").unwrap_or_default();
        if !seen.insert(key) {
            return Err(ApiError::new(
                "InvalidFilterKey",
                format!(
                    "The following filter is duplicated in the request: {key}. A request can contain only \
                     one occurrence of a specific filter."
                ),
            ));
        }
    }
    let all = world
        .ssm
        .parameters
        .values()
        .filter(|parameter| filters.iter().all(|filter| fits(parameter, filter)))
        .map(|parameter| {
            metadata_json(world, &parameter.name, parameter.latest())
                .with("ARN", Some(arn(world, &parameter.name)))
        })
        .collect();
    let (parameters, next) = page(all, input.text("NextToken"), limit(input, 10));
    Ok(json!({ "Parameters": parameters }).with("NextToken", next))
}

pub fn by_path(world: &mut World, input: &Json) -> Answer {
    let path = input.text("Path").unwrap_or_default();
    if !path.starts_with('/') {
        return Err(path_rules());
    }
    let recursive = input.flag("Recursive") == Some(true);
    let decrypt = input.flag("WithDecryption") == Some(true);
    let filters = input.list("ParameterFilters");
    for filter in filters {
        check(filter, &["Type", "KeyId", "Label"])?;
    }
    let own = world
        .ssm
        .parameters
        .values()
        .filter(|p| under(&p.name, path, recursive) && filters.iter().all(|filter| fits(p, filter)))
        .map(|p| value_json(world, &p.name, p.latest(), decrypt));
    let public = public::all()
        .into_iter()
        .filter(|(name, _)| path.starts_with("/aws") && under(name, path, recursive) && filters.is_empty())
        .map(|(name, value)| public_json(world, &name, &value));
    let all = own.chain(public).collect();
    let (parameters, next) = page(all, input.text("NextToken"), limit(input, 10));
    Ok(json!({ "Parameters": parameters }).with("NextToken", next))
}
