//! One parameter: put, get, its history and labels.

use super::*;
use crate::service::tree::Output;
use regex::Regex;
use sha2::{Digest, Sha256};

/// "Standard: 4 KB, advanced: 8 KB" and "maximum number of past versions: 100" (Parameter Store quotas).
const STANDARD_MAX: usize = 4096;
const ADVANCED_MAX: usize = 8192;
const MAX_VERSIONS: usize = 100;
const MAX_LEVELS: usize = 15;

/// The one key of a parameter, by its name or ARN: `/x` and `x` are the same parameter (moto's tests that
/// were verified against AWS); names with more levels always have their first slash, ARNs never.
pub fn key_of(name_or_arn: &str) -> String {
    let arn = name_or_arn.strip_prefix("arn:").and_then(|rest| rest.split_once(":parameter/"));
    let name = arn.map_or(name_or_arn, |(_, name)| name);
    let bare = name.strip_prefix('/').unwrap_or(name);
    if bare.contains('/') { format!("/{bare}") } else { bare.to_owned() }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let lower = name.to_lowercase();
    if lower.starts_with("/aws") {
        return Err(ApiError::new(
            "AccessDeniedException",
            format!("No access to reserved parameter name: {name}."),
        ));
    }
    if lower.starts_with("/ssm") {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can \
             consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, \
             numbers and the following 3 symbols .-_",
        ));
    }
    if lower.starts_with("aws") || lower.starts_with("ssm") {
        return Err(invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive)."));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    if name.split('/').count() - 1 > MAX_LEVELS {
        return Err(ApiError::new(
            "HierarchyLevelLimitExceededException",
            format!("Parameter path can have a maximum of {MAX_LEVELS} levels."),
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if name.is_empty() || name.ends_with('/') || name.contains("//") || !name.chars().all(allowed) {
        return Err(invalid(
            "Parameter name: can only contain letters, numbers and the following symbols: . - _ and /, and \
             must not end with a slash.",
        ));
    }
    Ok(())
}

fn check_value(world: &World, version: &Version) -> Result<(), ApiError> {
    if version.value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must \
             have length greater than or equal to 1.",
        ));
    }
    let max = if version.tier == "Advanced" { ADVANCED_MAX } else { STANDARD_MAX };
    if version.value.len() > max {
        return Err(invalid(match version.tier.as_str() {
            "Advanced" => {
                format!("Advanced tier parameters support a maximum parameter value of {max} characters.")
            }
            _ => format!(
                "Standard tier parameters support a maximum parameter value of {max} characters. To create \
                 a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For \
                 more information, see \
                 https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
            ),
        }));
    }
    if let Some(pattern) = &version.allowed_pattern {
        let regex = Regex::new(pattern).map_err(|_| {
            ApiError::new("InvalidAllowedPatternException", format!("Invalid allowedPattern: {pattern}"))
        })?;
        let items: Vec<&str> = match version.kind.as_str() {
            "StringList" => version.value.split(',').collect(),
            _ => vec![&version.value],
        };
        if !items.iter().all(|item| regex.is_match(item)) {
            return Err(ApiError::new(
                "ParameterPatternMismatchException",
                format!("Parameter value, cannot be validated against allowedPattern: {pattern}"),
            ));
        }
    }
    match version.data_type.as_str() {
        "text" | "aws:ssm:integration" => Ok(()),
        "aws:ec2:image" if version.kind == "String" => {
            let digits = version.value.strip_prefix("ami-").unwrap_or_default();
            if matches!(digits.len(), 8 | 17) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
                return Ok(());
            }
            Err(invalid(format!(
                "The following data type is not valid for the parameter value: aws:ec2:image in {}",
                world.region
            )))
        }
        other => Err(invalid(format!(
            "The following data type is not supported: {other} (Data type names are all lowercase.)"
        ))),
    }
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let given = input.text("Name").unwrap_or_default();
    let name = key_of(given);
    let overwrite = input.flag("Overwrite") == Some(true);
    check_name(given)?;
    let current = world.ssm.parameters.get(&name).map(|parameter| parameter.latest().clone());
    if current.is_some() && !overwrite {
        return Err(ApiError::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request \
             to true.",
        ));
    }
    let given_tags = tags(input.list("Tags"));
    if overwrite && !given_tags.is_empty() {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, \
             please remove overwrite flag. To update tags for an existing parameter, please use \
             AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let version = next_version(world, input, current.as_ref())?;
    check_value(world, &version)?;
    let answer = json!({ "Version": version.number, "Tier": version.tier });
    let parameter = world.ssm.parameters.entry(name).or_insert_with(|| Parameter {
        // As it was first written: with its slash or without.
        name: given.to_owned(),
        tags: given_tags,
        versions: BTreeMap::new(),
    });
    if parameter.versions.len() >= MAX_VERSIONS {
        let (oldest, version) = parameter.versions.first_key_value().expect("as many as the maximum");
        if !version.labels.is_empty() {
            return Err(ApiError::new(
                "ParameterMaxVersionLimitExceeded",
                format!(
                    "You attempted to create a new version of {} by calling the PutParameter API with the \
                     overwrite flag. Version {oldest}, the oldest version, can't be deleted because it has \
                     a label associated with it. Move the label to another version of the parameter, and \
                     try again.",
                    parameter.name
                ),
            ));
        }
        parameter.versions.pop_first();
    }
    parameter.versions.insert(version.number, version);
    Ok(answer)
}

/// What is not given stays as it was: description, type, pattern, data type, key (API reference, Overwrite).
fn next_version(world: &World, input: &Json, current: Option<&Version>) -> Result<Version, ApiError> {
    let own = |name: &str| input.text(name).map(str::to_owned);
    let kind = match (own("Type"), current) {
        (Some(kind), _) => kind,
        (None, Some(current)) => current.kind.clone(),
        (None, None) => {
            return Err(invalid("A parameter type is required when you create a parameter."));
        }
    };
    let key_id = (kind == "SecureString").then(|| {
        own("KeyId")
            .or_else(|| current.and_then(|current| current.key_id.clone()))
            .unwrap_or_else(|| "alias/aws/ssm".to_owned())
    });
    let value = own("Value").unwrap_or_default();
    let tier = match (input.text("Tier"), current.map(|current| current.tier.as_str())) {
        (Some("Standard"), Some("Advanced")) => {
            return Err(invalid(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
                 advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the \
                 advanced parameter and recreate it as a standard parameter.",
            ));
        }
        (_, Some("Advanced")) | (Some("Advanced"), _) => "Advanced",
        (Some("Intelligent-Tiering"), _)
            if value.len() > STANDARD_MAX || input.text("Policies").is_some() =>
        {
            "Advanced"
        }
        _ => "Standard",
    };
    Ok(Version {
        number: current.map_or(1, |current| current.number + 1),
        value,
        kind,
        tier: tier.to_owned(),
        description: own("Description").or_else(|| current.and_then(|c| c.description.clone())),
        key_id,
        allowed_pattern: own("AllowedPattern").or_else(|| current.and_then(|c| c.allowed_pattern.clone())),
        data_type: own("DataType")
            .or_else(|| current.map(|c| c.data_type.clone()))
            .unwrap_or_else(|| "text".to_owned()),
        policies: own("Policies").filter(|policies| policies != "{}" && !policies.is_empty()),
        modified: world.now,
        labels: Default::default(),
    })
}

/// What a SecureString shows to one who does not decrypt: the same text for the same value and version.
fn ciphertext(version: &Version) -> String {
    use base64::Engine as _;
    let mut hash = Sha256::new();
    hash.update(version.number.to_be_bytes());
    hash.update(&version.value);
    format!("AQICAH{}", base64::engine::general_purpose::STANDARD.encode(hash.finalize()))
}

pub fn shown_value(version: &Version, decrypt: bool) -> String {
    if version.kind == "SecureString" && !decrypt { ciphertext(version) } else { version.value.clone() }
}

pub fn value_json(world: &World, name: &str, version: &Version, decrypt: bool) -> Json {
    json!({
        "Name": name,
        "Type": version.kind,
        "Value": shown_value(version, decrypt),
        "Version": version.number,
        "LastModifiedDate": World::timestamp(version.modified),
        "ARN": arn(world, name),
        "DataType": version.data_type,
    })
}

pub fn public_json(world: &World, name: &str, value: &str) -> Json {
    json!({
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": public::VERSION,
        "LastModifiedDate": World::timestamp(public::MODIFIED),
        "ARN": public_arn(world, name),
        // Of images too: so they are in moto's copy of AWS's, ssm/resources/ami-amazon-linux-latest.
        "DataType": "text",
    })
}

/// `name`, `name:3`, `name:label`, or an ARN with either.
fn lookup(world: &World, wanted: &str, decrypt: bool) -> Answer {
    let is_arn = wanted.starts_with("arn:");
    let (base, selector) = match wanted.rsplit_once(':') {
        Some((base, selector)) if !is_arn || base.contains(":parameter/") => (base, Some(selector)),
        _ => (wanted, None),
    };
    let name = key_of(base);
    if let Some(value) = public::find(&name) {
        return match selector {
            Some(selector) if selector != public::VERSION.to_string() => Err(no_version(selector, base)),
            _ => Ok(public_json(world, &name, &value)),
        };
    }
    let parameter = world.ssm.parameters.get(&name).ok_or_else(not_found)?;
    let version = match selector {
        None => parameter.latest(),
        Some(selector) => parameter
            .versions
            .values()
            .find(|version| {
                selector.parse::<i64>().is_ok_and(|n| n == version.number)
                    || version.labels.contains(selector)
            })
            .ok_or_else(|| no_version(selector, base))?,
    };
    let answer = value_json(world, &parameter.name, version, decrypt);
    Ok(answer.with("Selector", selector.map(|selector| format!(":{selector}"))))
}

fn no_version(selector: &str, name: &str) -> ApiError {
    let what = if selector.parse::<i64>().is_ok() {
        format!(
            "Systems Manager could not find version {selector} of {name}. Verify the version and try again."
        )
    } else {
        format!("Systems Manager could not find label {selector} of {name}. Verify the label and try again.")
    };
    ApiError::new("ParameterVersionNotFound", what)
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let decrypt = input.flag("WithDecryption") == Some(true);
    if let Some(answer) = reference::get(world, input.text("Name").unwrap_or_default(), decrypt) {
        return answer;
    }
    Ok(json!({ "Parameter": lookup(world, input.text("Name").unwrap_or_default(), decrypt)? }))
}

pub fn get_many(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("Names");
    if names.len() > 10 {
        return Err(invalid(format!(
            "1 validation error detected: Value '[{}]' at 'names' failed to satisfy constraint: Member must \
             have length less than or equal to 10",
            names.join(", ")
        )));
    }
    let decrypt = input.flag("WithDecryption") == Some(true);
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    for name in names.into_iter().filter(|name| seen.insert(*name)) {
        match lookup(world, name, decrypt) {
            Ok(parameter) => found.push(parameter),
            Err(_) => unknown.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": unknown }))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = key_of(input.text("Name").unwrap_or_default());
    world.ssm.parameters.remove(&name).map(|_| json!({})).ok_or_else(not_found)
}

pub fn delete_many(world: &mut World, input: &Json) -> Answer {
    let (mut deleted, mut unknown) = (Vec::new(), Vec::new());
    for given in input.texts("Names") {
        let name = key_of(given);
        if world.ssm.parameters.remove(&name).is_some() { deleted.push(given) } else { unknown.push(given) }
    }
    Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": unknown }))
}

pub fn metadata_json(world: &World, name: &str, version: &Version) -> Json {
    let policies = version.policies.as_deref().and_then(|text| serde_json::from_str::<Vec<Json>>(text).ok());
    let policies: Json = policies
        .unwrap_or_default()
        .iter()
        .map(|policy| {
            json!({
                "PolicyText": policy.to_string(),
                "PolicyType": policy.text("Type"),
                "PolicyStatus": "Pending",
            })
        })
        .collect();
    json!({
        "Name": name,
        "Type": version.kind,
        "LastModifiedDate": World::timestamp(version.modified),
        "LastModifiedUser": world.arn("iam", "root"),
        "Version": version.number,
        "Tier": version.tier,
        "Policies": policies,
        "DataType": version.data_type,
    })
    .with("KeyId", version.key_id.clone())
    .with("Description", version.description.clone())
    .with("AllowedPattern", version.allowed_pattern.clone())
}

pub fn history(world: &mut World, input: &Json) -> Answer {
    let name = key_of(input.text("Name").unwrap_or_default());
    let decrypt = input.flag("WithDecryption") == Some(true);
    let parameter = world.ssm.parameters.get(&name).ok_or_else(not_found)?;
    let all = parameter
        .versions
        .values()
        .map(|version| {
            metadata_json(world, &name, version)
                .with("Value", Some(shown_value(version, decrypt)))
                .with("Labels", Some(json!(version.labels)))
        })
        .collect();
    let limit = input.int("MaxResults").and_then(|n| usize::try_from(n).ok()).unwrap_or(50);
    let (parameters, next) = page(all, input.text("NextToken"), limit);
    Ok(json!({ "Parameters": parameters }).with("NextToken", next))
}

/// A label is on one version at a time: it moves.
pub fn label(world: &mut World, input: &Json) -> Answer {
    let name = key_of(input.text("Name").unwrap_or_default());
    let parameter = world.ssm.parameters.get_mut(&name).ok_or_else(not_found)?;
    let number = input.int("ParameterVersion").unwrap_or(parameter.latest().number);
    if !parameter.versions.contains_key(&number) {
        return Err(no_version(&number.to_string(), &name));
    }
    let valid = |label: &&str| {
        let lower = label.to_lowercase();
        let first_digit = label.starts_with(|c: char| c.is_ascii_digit());
        !first_digit
            && !lower.starts_with("aws")
            && !lower.starts_with("ssm")
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let (labels, refused): (Vec<&str>, Vec<&str>) = input.texts("Labels").into_iter().partition(valid);
    if parameter.versions[&number].labels.len() + labels.len() > 10 {
        return Err(ApiError::new(
            "ParameterVersionLabelLimitExceeded",
            "A parameter version can have a maximum of 10 labels.",
        ));
    }
    for version in parameter.versions.values_mut() {
        version.labels.retain(|label| !labels.contains(&label.as_str()));
        if version.number == number {
            version.labels.extend(labels.iter().map(|label| (*label).to_owned()));
        }
    }
    Ok(json!({ "InvalidLabels": refused, "ParameterVersion": number }))
}

pub fn unlabel(world: &mut World, input: &Json) -> Answer {
    let name = key_of(input.text("Name").unwrap_or_default());
    let parameter = world.ssm.parameters.get_mut(&name).ok_or_else(not_found)?;
    let number = input.int("ParameterVersion").unwrap_or_default();
    let version =
        parameter.versions.get_mut(&number).ok_or_else(|| no_version(&number.to_string(), &name))?;
    let (removed, unknown): (Vec<&str>, Vec<&str>) =
        input.texts("Labels").into_iter().partition(|label| version.labels.contains(*label));
    version.labels.retain(|label| !removed.contains(&label.as_str()));
    Ok(json!({ "RemovedLabels": removed, "InvalidLabels": unknown }))
}
