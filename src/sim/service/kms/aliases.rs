//! Aliases: names that stand for keys, one's own and those of services.

use super::*;
use crate::service::tree::Output;

/// Services whose key AWS makes at first use (KMS Developer Guide, "AWS managed keys"), as far as they are here.
const MANAGED: &[&str] =
    &["cloudtrail", "dynamodb", "ebs", "ecr", "lambda", "s3", "secretsmanager", "sns", "sqs", "ssm"];

fn service_of(name: &str) -> Option<&'static str> {
    let service = name.strip_prefix("alias/aws/")?;
    MANAGED.iter().find(|known| **known == service).copied()
}

/// The key behind an alias; a service's is made when it is first asked for.
pub(super) fn key_of(world: &mut World, name: &str) -> Option<String> {
    forget(world);
    if let Some(Alias { key: Some(key), .. }) = world.kms.aliases.get(name) {
        return Some(key.clone());
    }
    let service = service_of(name)?;
    let key = keys::managed(world, service);
    let alias = Alias { key: Some(key.clone()), created: world.now, updated: world.now };
    world.kms.aliases.insert(name.to_owned(), alias);
    Some(key)
}

fn checked_name(input: &Json) -> Result<&str, ApiError> {
    let name = input.text("AliasName").unwrap_or_default();
    let Some(own) = name.strip_prefix("alias/").filter(|own| !own.is_empty()) else {
        return Err(invalid("Invalid identifier"));
    };
    if own.contains(':') {
        return Err(invalid(format!("{name} contains invalid characters for an alias")));
    }
    if own.starts_with("aws/") {
        return Err(ApiError::new("NotAuthorizedException", ""));
    }
    Ok(name)
}

fn target(world: &mut World, input: &Json) -> Result<String, ApiError> {
    let given = input.text("TargetKeyId").unwrap_or_default();
    if given.contains("alias/") {
        return Err(invalid("Aliases must refer to keys. Not aliases"));
    }
    let id = key_id(world, given)?;
    if world.kms.keys[&id].deletion.is_some() {
        let message = format!("{} is pending deletion.", key_arn(world, &id));
        return Err(ApiError::new("KMSInvalidStateException", message));
    }
    Ok(id)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = checked_name(input)?;
    let key = target(world, input)?;
    if world.kms.aliases.contains_key(name) {
        let arn = world.arn("kms", name);
        let message = format!("An alias with the name {arn} already exists");
        return Err(ApiError::new("AlreadyExistsException", message));
    }
    let alias = Alias { key: Some(key), created: world.now, updated: world.now };
    world.kms.aliases.insert(name.to_owned(), alias);
    Ok(json!({}))
}

fn unknown(world: &World, name: &str) -> ApiError {
    not_found(format!("Alias {} is not found.", world.arn("kms", name)))
}

/// "The current and new KMS key must be the same type, … the same key usage."
pub fn update(world: &mut World, input: &Json) -> Answer {
    let name = checked_name(input)?;
    let key = target(world, input)?;
    let old = world
        .kms
        .aliases
        .get(name)
        .and_then(|alias| alias.key.clone())
        .ok_or_else(|| unknown(world, name))?;
    let kind = |id: &str| world.kms.keys.get(id).map(|key| key.usage.clone());
    if kind(&old) != kind(&key) {
        return Err(invalid(format!(
            "Alias {name} cannot be changed from a key of one usage to one of another."
        )));
    }
    let now = world.now;
    let alias = world.kms.aliases.get_mut(name).expect("found above");
    alias.key = Some(key);
    alias.updated = now;
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = checked_name(input)?;
    let gone = world.kms.aliases.remove(name);
    gone.map(|_| json!({})).ok_or_else(|| unknown(world, name))
}

/// Those of services are there from the start, without a key until it is used.
pub fn list(world: &mut World, input: &Json) -> Answer {
    let wanted = input.text("KeyId").map(|id| key_id(world, id)).transpose()?;
    forget(world);
    let mut all = world.kms.aliases.clone();
    for service in MANAGED {
        let alias = Alias { key: None, created: world.now, updated: world.now };
        all.entry(format!("alias/aws/{service}")).or_insert(alias);
    }
    let all = all.into_iter().filter(|(_, alias)| wanted.is_none() || alias.key == wanted);
    let view = |(name, alias): (String, Alias)| {
        let date = |at: Millis| alias.key.is_some().then(|| World::timestamp(at));
        json!({ "AliasName": name, "AliasArn": world.arn("kms", &name) })
            .with("TargetKeyId", alias.key.clone())
            .with("CreationDate", date(alias.created))
            .with("LastUpdatedDate", date(alias.updated))
    };
    Ok(listed(input, "Aliases", all.map(view).collect(), 50))
}
