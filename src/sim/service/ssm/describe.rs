//! Lists of parameters: by filters and by path.

use super::parameters::{metadata_json, public_json, value_json};
use super::*;
use crate::sim::service::tree::Output;

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

fn check(filter: &Json) -> Result<(), ApiError> {
    let key = filter.text("Key").unwrap_or_default();
    let known = matches!(key, "Name" | "Type" | "KeyId" | "Path" | "Label" | "Tier" | "DataType")
        || key.starts_with("tag:");
    if !known {
        return Err(ApiError::new(
            "InvalidFilterKey",
            format!(
                "The following filter key is not valid: {key}. Valid filter keys include: [DataType, KeyId, \
                 Label, Name, Path, Tier, Type]."
            ),
        ));
    }
    let option = filter.text("Option").unwrap_or("Equals");
    let valid = match key {
        "Path" => matches!(option, "Recursive" | "OneLevel" | "Equals"),
        "Name" => matches!(option, "Equals" | "BeginsWith" | "Contains"),
        "KeyId" | "DataType" => matches!(option, "Equals" | "BeginsWith"),
        _ => option == "Equals",
    };
    if !valid {
        return Err(ApiError::new(
            "InvalidFilterOption",
            format!("The following filter option is not valid: {option}. Filter key: {key}."),
        ));
    }
    if filter.list("Values").is_empty() && !key.starts_with("tag:") {
        return Err(ApiError::new(
            "InvalidFilterValue",
            "The following filter values are missing : null for filter key ".to_owned() + key,
        ));
    }
    Ok(())
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
    if let Some(tag) = key.strip_prefix("tag:") {
        return parameter.tags.get(tag).is_some_and(|v| values.is_empty() || values.contains(&v.as_str()));
    }
    let compare = |text: &str| {
        values.iter().any(|value| match option {
            Some("BeginsWith") => text.starts_with(value),
            Some("Contains") => text.contains(value),
            _ => text == *value,
        })
    };
    match key {
        // Names compare with and without their leading slash.
        "Name" => compare(&parameter.name) || compare(parameter.name.trim_start_matches('/')),
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
    let filters = filters(input);
    filters.iter().try_for_each(check)?;
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
    let (parameters, next) = page(all, input.text("NextToken"), limit(input, 50));
    Ok(json!({ "Parameters": parameters }).with("NextToken", next))
}

pub fn by_path(world: &mut World, input: &Json) -> Answer {
    let path = input.text("Path").unwrap_or_default();
    if !path.starts_with('/') {
        return Err(invalid(format!(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with \
             a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It \
             must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ \
             (underscore). Path: {path}"
        )));
    }
    let recursive = input.flag("Recursive") == Some(true);
    let decrypt = input.flag("WithDecryption") == Some(true);
    let filters = input.list("ParameterFilters");
    for filter in filters {
        check(filter)?;
        if !matches!(filter.text("Key"), Some("Type" | "KeyId" | "Label")) {
            return Err(ApiError::new(
                "InvalidFilterKey",
                "The following filter key is not valid: GetParametersByPath takes Type, KeyId and Label.",
            ));
        }
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
