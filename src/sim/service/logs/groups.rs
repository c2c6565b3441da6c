//! Log groups and their settings.

use super::*;
use crate::service::tree::Output;

/// The days that PutRetentionPolicy takes (API reference).
const RETENTION_DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

fn group_json(world: &World, group: &Group) -> Json {
    let arn = arn(world, &group.name);
    let events = group.streams.values().flat_map(|stream| &stream.events);
    // "Each event's message in UTF-8 plus 26 bytes" (PutLogEvents).
    let stored_bytes: usize = events.map(|event| event.message.len() + 26).sum();
    json!({
        "logGroupName": group.name,
        "creationTime": group.created,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": stored_bytes,
        "logGroupClass": group.class,
        "deletionProtectionEnabled": group.deletion_protection,
    })
    .with("retentionInDays", group.retention_days)
    .with("kmsKeyId", group.kms_key.clone())
}

fn tag_map(input: &Json) -> Tags {
    let members = input.get("tags").and_then(Json::as_object);
    let text = |(key, value): (&String, &Json)| Some((key.clone(), value.as_str()?.to_owned()));
    members.into_iter().flatten().filter_map(text).collect()
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("logGroupName").unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._/#-".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(allowed) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if world.logs.groups.contains_key(name) {
        return Err(ApiError::new(
            "ResourceAlreadyExistsException",
            "The specified log group already exists",
        ));
    }
    let class = input.text("logGroupClass").unwrap_or("STANDARD").to_owned();
    let group = Group {
        name: name.to_owned(),
        created: world.now,
        // "If you create a DELIVERY log class, its logs expire after two days" (CreateLogGroup).
        retention_days: (class == "DELIVERY").then_some(2),
        class,
        kms_key: input.text("kmsKeyId").map(str::to_owned),
        deletion_protection: input.flag("deletionProtectionEnabled") == Some(true),
        tags: tag_map(input),
        streams: BTreeMap::new(),
    };
    world.logs.groups.insert(group.name.clone(), group);
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let group = find(world, input)?;
    if group.deletion_protection {
        return Err(ApiError::new(
            "ValidationException",
            "The log group cannot be deleted because deletion protection is enabled.",
        ));
    }
    let name = group.name.clone();
    world.logs.groups.remove(&name);
    Ok(json!({}))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("logGroupNamePrefix");
    let pattern = input.text("logGroupNamePattern");
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let identifiers: Vec<String> = input
        .texts("logGroupIdentifiers")
        .into_iter()
        .map(|id| id.rsplit_once(":log-group:").map_or(id, |(_, name)| name).to_owned())
        .collect();
    let class = input.text("logGroupClass");
    let all = world
        .logs
        .groups
        .values()
        .filter(|group| {
            prefix.is_none_or(|prefix| group.name.starts_with(prefix))
                && pattern.is_none_or(|pattern| group.name.contains(pattern))
                && class.is_none_or(|class| group.class == class)
                && (identifiers.is_empty() || identifiers.contains(&group.name))
        })
        .map(|group| group_json(world, group))
        .collect();
    check_token(input)?;
    let (groups, next) = page(all, input.text("nextToken"), limit(input));
    Ok(json!({ "logGroups": groups }).with("nextToken", next))
}

/// The short list; `logGroupNamePattern` is a regular expression here.
pub fn list(world: &mut World, input: &Json) -> Answer {
    let pattern = match input.text("logGroupNamePattern") {
        Some(text) => Some(
            regex::Regex::new(text)
                .map_err(|_| invalid(format!("The log group name pattern is not valid: {text}")))?,
        ),
        None => None,
    };
    let class = input.text("logGroupClass");
    let all = world
        .logs
        .groups
        .values()
        .filter(|group| {
            pattern.as_ref().is_none_or(|pattern| pattern.is_match(&group.name))
                && class.is_none_or(|class| group.class == class)
        })
        .map(|group| {
            json!({
                "logGroupName": group.name,
                "logGroupArn": arn(world, &group.name),
                "logGroupClass": group.class,
            })
        })
        .collect();
    let (groups, next) = page(all, input.text("nextToken"), limit(input));
    Ok(json!({ "logGroups": groups }).with("nextToken", next))
}

pub fn put_retention(world: &mut World, input: &Json) -> Answer {
    let days = input.int("retentionInDays").unwrap_or_default();
    if !RETENTION_DAYS.contains(&days) {
        let valid: Vec<String> = RETENTION_DAYS.iter().map(ToString::to_string).collect();
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: \
             Member must satisfy enum value set: [{}]",
            valid.join(", ")
        )));
    }
    let group = find_mut(world, input)?;
    if group.class == "DELIVERY" {
        return Err(invalid("Retention of a log group of class DELIVERY cannot be changed."));
    }
    group.retention_days = Some(days);
    Ok(json!({}))
}

pub fn delete_retention(world: &mut World, input: &Json) -> Answer {
    find_mut(world, input)?.retention_days = None;
    Ok(json!({}))
}

pub fn associate_key(world: &mut World, input: &Json) -> Answer {
    let key = input.text("kmsKeyId").unwrap_or_default().to_owned();
    find_mut(world, input)?.kms_key = Some(key);
    Ok(json!({}))
}

pub fn disassociate_key(world: &mut World, input: &Json) -> Answer {
    find_mut(world, input)?.kms_key = None;
    Ok(json!({}))
}

pub fn put_deletion_protection(world: &mut World, input: &Json) -> Answer {
    find_mut(world, input)?.deletion_protection = input.flag("deletionProtectionEnabled") == Some(true);
    Ok(json!({}))
}

/// By ARN without `:*`; with it, AWS does not know the resource (user guide, "Tagging log groups").
fn check_tag_arn(input: &Json) -> Result<(), ApiError> {
    match input.text("resourceArn") {
        Some(arn) if arn.ends_with(":*") => Err(invalid(format!(
            "1 validation error detected: Value '{arn}' at 'resourceArn' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=/:,.@-]*"
        ))),
        _ => Ok(()),
    }
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    check_tag_arn(input)?;
    let group = find_mut(world, input)?;
    let added = tag_map(input);
    let new = added.keys().filter(|key| !group.tags.contains_key(*key)).count();
    if group.tags.len() + new > 50 {
        return Err(ApiError::new("TooManyTagsException", "A resource can have no more than 50 tags."));
    }
    group.tags.extend(added);
    Ok(json!({}))
}

/// UntagLogGroup calls the keys `tags`, UntagResource `tagKeys`.
pub fn untag(world: &mut World, input: &Json) -> Answer {
    check_tag_arn(input)?;
    let group = find_mut(world, input)?;
    for key in input.texts("tagKeys").into_iter().chain(input.texts("tags")) {
        group.tags.remove(key);
    }
    Ok(json!({}))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    check_tag_arn(input)?;
    Ok(json!({ "tags": find(world, input)?.tags }))
}
