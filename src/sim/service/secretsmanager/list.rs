//! Lists of secrets, and their filters (API reference, ListSecrets).

use super::*;
use crate::service::tree::Output;

pub fn list(world: &mut World, input: &Json) -> Answer {
    let all = input.flag("IncludePlannedDeletion") == Some(true);
    let mut secrets = matching(world, input)?;
    secrets.retain(|secret| all || secret.deletion.is_none());
    // By creation, oldest first unless asked otherwise.
    secrets.sort_by_key(|secret| secret.created);
    if input.text("SortOrder") == Some("desc") {
        secrets.reverse();
    }
    let items = secrets.iter().map(|secret| secrets::view(secret, "SecretVersionsToStages")).collect();
    let limit = input.int("MaxResults").map_or(100, |n| usize::try_from(n).unwrap_or(1));
    let (items, next) = page(items, input.text("NextToken"), limit);
    Ok(json!({"SecretList": items}).with("NextToken", next))
}

fn matching(world: &mut World, input: &Json) -> Result<Vec<Secret>, ApiError> {
    forget(world);
    let filters = input.list("Filters");
    for filter in filters {
        let Some(key) = filter.text("Key") else {
            return Err(invalid_parameter("Invalid filter key"));
        };
        if filter.list("Values").is_empty() {
            return Err(invalid_parameter(format!("Invalid filter values for key: {key}")));
        }
    }
    let owner = world.region.clone();
    let pass = |secret: &&Secret| filters.iter().all(|filter| passes(secret, filter, &owner));
    Ok(world.secretsmanager.secrets.values().filter(pass).cloned().collect())
}

/// One of the values is enough; one that starts with `!` must not match.
fn passes(secret: &Secret, filter: &Json, region: &str) -> bool {
    let key = filter.text("Key").unwrap_or_default();
    filter.texts("Values").into_iter().any(|value| match value.strip_prefix('!') {
        Some(unwanted) => !is_match(secret, key, unwanted, region),
        None => is_match(secret, key, value, region),
    })
}

fn is_match(secret: &Secret, key: &str, value: &str, region: &str) -> bool {
    let starts = |text: &str| text.starts_with(value);
    let words = || secret.description.as_deref().is_some_and(|text| has_words(text, value));
    match key {
        "name" => starts(&secret.name),
        "tag-key" => secret.tags.keys().any(|tag| starts(tag)),
        "tag-value" => secret.tags.values().any(|tag| starts(tag)),
        "description" => words(),
        "primary-region" => region.starts_with(value),
        // Secrets that other services own are not here.
        "owning-service" => false,
        _ => {
            let tags = secret.tags.iter().any(|(key, text)| has_words(key, value) || has_words(text, value));
            has_words(&secret.name, value) || tags || words()
        }
    }
}

/// Not case-sensitive; every word of the value begins a word of the text.
fn has_words(text: &str, value: &str) -> bool {
    let (have, wanted) = (words(text), words(value));
    !wanted.is_empty() && wanted.iter().all(|word| have.iter().any(|other| other.starts_with(word.as_str())))
}

/// `prod/AppBeta` → prod, app, beta; `COMPANYthings` → compan, ythings (seen on AWS by moto's tests).
fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
            });
        if begins || " /_-+=.@".contains(c) {
            words.push(String::new());
        }
        if !" /_-+=.@".contains(c) {
            words.last_mut().expect("begun with one").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    let ids: Vec<String> = input.texts("SecretIdList").into_iter().map(str::to_owned).collect();
    let filtered = !input.list("Filters").is_empty();
    if !ids.is_empty() && filtered {
        return Err(invalid_parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both."));
    }
    if input.int("MaxResults").is_some() && !filtered {
        return Err(invalid_parameter(
            "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.",
        ));
    }
    let (ids, next) = if filtered {
        let names = matching(world, input)?.into_iter().map(|secret| secret.name).collect();
        let limit = input.int("MaxResults").map_or(20, |n| usize::try_from(n).unwrap_or(1));
        page(names, input.text("NextToken"), limit)
    } else {
        (ids, None)
    };
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match one(world, &id) {
            Ok(mut value) => {
                if let Some(members) = value.as_object_mut() {
                    members.retain(|_, member| !member.is_null());
                }
                found.push(value);
            }
            Err(error) if filtered && error.code == "ResourceNotFoundException" => {}
            Err(error) => {
                errors.push(json!({"SecretId": id, "ErrorCode": error.code, "Message": error.message}))
            }
        }
    }
    Ok(json!({"SecretValues": found, "Errors": errors}).with("NextToken", next))
}

fn one(world: &mut World, id: &str) -> Answer {
    let now = world.now;
    let name = name_of(world, id).ok_or_else(unknown)?;
    let secret = world.secretsmanager.secrets.get_mut(&name).expect("just found");
    if secret.deletion.is_some() {
        return Err(invalid_request(
            "You can't perform this operation on the secret because it was currently marked deleted.",
        ));
    }
    values::value(secret, None, None, now)
}
