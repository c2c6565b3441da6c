//! Versions of a secret and the labels that move between them.

use super::*;
use crate::service::tree::Output;

/// A version without any label is deprecated; AWS keeps at most about a hundred versions.
const KEPT: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    Binary(String),
}

impl Content {
    pub(super) fn of(input: &Json) -> Result<Option<Self>, ApiError> {
        match (input.text("SecretString"), input.text("SecretBinary")) {
            (Some(_), Some(_)) => Err(invalid_parameter(
                "You can't specify both a binary secret value and a string secret value.",
            )),
            (Some(text), None) => Ok(Some(Self::Text(text.to_owned()))),
            (None, Some(binary)) => Ok(Some(Self::Binary(binary.to_owned()))),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn is_of(&self, version: &Version) -> bool {
        match self {
            Self::Text(text) => version.text.as_ref() == Some(text),
            Self::Binary(binary) => version.binary.as_ref() == Some(binary),
        }
    }
}

pub(super) fn token_used(secret: &Secret, token: &str) -> ApiError {
    let message = format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {}.",
        secret.arn
    );
    ApiError::new("ResourceExistsException", message)
}

/// A new version with its labels, its id the client's token; the same one again changes nothing.
pub(super) fn add_version(
    world: &mut World,
    name: &str,
    input: &Json,
    content: Content,
    stages: &[&str],
) -> Result<String, ApiError> {
    let token = match input.text("ClientRequestToken") {
        Some(token) => token.to_owned(),
        None => world.uuid(),
    };
    let now = world.now;
    let secret = world.secretsmanager.secrets.get_mut(name).expect("looked up before");
    if let Some(version) = secret.versions.iter().find(|version| version.id == token) {
        return if content.is_of(version) { Ok(token) } else { Err(token_used(secret, &token)) };
    }
    let (text, binary) = match content {
        Content::Text(text) => (Some(text), None),
        Content::Binary(binary) => (None, Some(binary)),
    };
    let version =
        Version { id: token.clone(), created: now, accessed: None, text, binary, stages: Vec::new() };
    secret.versions.push(version);
    for stage in stages {
        attach(secret, &token, stage);
    }
    // A secret's first version is its current one, whatever else it is called.
    if secret.versions.len() == 1 && !stages.contains(&CURRENT) {
        attach(secret, &token, CURRENT);
    }
    let spare = secret.versions.len().saturating_sub(KEPT);
    for _ in 0..spare {
        if let Some(at) = secret.versions.iter().position(|version| version.stages.is_empty()) {
            secret.versions.remove(at);
        }
    }
    secret.changed = now;
    Ok(token)
}

/// A label is on one version at a time; what was current becomes the previous one.
fn attach(secret: &mut Secret, id: &str, stage: &str) {
    let holder = secret.versions.iter().find(|version| version.stages.iter().any(|s| s == stage));
    let holder = holder.map(|version| version.id.clone()).filter(|holder| holder != id);
    for version in &mut secret.versions {
        version.stages.retain(|s| s != stage);
    }
    if let Some(version) = secret.versions.iter_mut().find(|version| version.id == id) {
        version.stages.push(stage.to_owned());
    }
    if stage == CURRENT
        && let Some(holder) = holder
    {
        attach(secret, &holder, PREVIOUS);
    }
}

pub fn put(world: &mut World, input: &Json) -> Answer {
    let Some(content) = Content::of(input)? else {
        return Err(invalid_request("You must provide either SecretString or SecretBinary."));
    };
    let name = living(world, input, MARKED)?.name.clone();
    let given = input.texts("VersionStages");
    let stages = if given.is_empty() { vec![CURRENT] } else { given };
    let id = add_version(world, &name, input, content, &stages)?;
    let secret = &world.secretsmanager.secrets[&name];
    let version = secret.versions.iter().find(|version| version.id == id).expect("just added");
    Ok(json!({"ARN": secret.arn, "Name": name, "VersionId": id, "VersionStages": version.stages}))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let secret = living(
        world,
        input,
        "You can't perform this operation on the secret because it was marked for deletion.",
    )?;
    value(secret, input.text("VersionId"), input.text("VersionStage"), now)
}

pub(super) fn value(secret: &mut Secret, id: Option<&str>, stage: Option<&str>, now: Millis) -> Answer {
    let stage = stage.or(if id.is_none() { Some(CURRENT) } else { None });
    let has = |version: &Version, stage: &str| version.stages.iter().any(|s| s == stage);
    let found = secret.versions.iter_mut().find(|version| match (id, stage) {
        (Some(id), _) => version.id == id,
        (None, Some(stage)) => has(version, stage),
        (None, None) => false,
    });
    let version = found.ok_or_else(|| {
        let which = match (id, stage) {
            (Some(id), _) => format!("VersionId: {id}"),
            (None, stage) => format!("staging label: {}", stage.unwrap_or(CURRENT)),
        };
        not_found(format!("Secrets Manager can't find the specified secret value for {which}"))
    })?;
    if stage.is_some_and(|stage| !has(version, stage)) {
        return Err(invalid_request(
            "You provided a VersionStage that is not associated to the provided VersionId.",
        ));
    }
    version.accessed = Some(now);
    secret.accessed = Some(now);
    Ok(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version.id,
        "VersionStages": version.stages,
        "CreatedDate": World::timestamp(version.created),
    })
    .with("SecretString", version.text.clone())
    .with("SecretBinary", version.binary.clone()))
}

pub fn list_versions(world: &mut World, input: &Json) -> Answer {
    let secret = find(world, input)?;
    let all = input.flag("IncludeDeprecated") == Some(true);
    let shown = secret.versions.iter().filter(|version| all || !version.stages.is_empty());
    let items = shown.map(|version| {
        json!({
            "VersionId": version.id,
            "VersionStages": version.stages,
            "CreatedDate": World::timestamp(version.created),
        })
        .with("LastAccessedDate", seconds(version.accessed))
    });
    let limit = input.int("MaxResults").map_or(100, |n| usize::try_from(n).unwrap_or(1));
    let (versions, next) = page(items.collect(), input.text("NextToken"), limit);
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "Versions": versions}).with("NextToken", next))
}

pub fn update_stage(world: &mut World, input: &Json) -> Answer {
    let stage = input.text("VersionStage").unwrap_or_default();
    let (from, to) = (input.text("RemoveFromVersionId"), input.text("MoveToVersionId"));
    let secret = living(world, input, MARKED)?;
    for id in [from, to].into_iter().flatten() {
        if !secret.versions.iter().any(|version| version.id == id) {
            return Err(not_found(format!(
                "Secrets Manager can't find the specified secret value for VersionId: {id}"
            )));
        }
    }
    let holder = secret.versions.iter().find(|version| version.stages.iter().any(|s| s == stage));
    let holder = holder.map(|version| version.id.clone());
    match (&holder, from) {
        (Some(holder), None) if Some(holder.as_str()) != to => {
            return Err(invalid_parameter(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to \
                 version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        (holder, Some(from)) if holder.as_deref() != Some(from) => {
            return Err(invalid_parameter(format!(
                "Not able to remove staging label {stage} from version {from}, which does not have it."
            )));
        }
        _ => {}
    }
    match to {
        Some(to) => attach(secret, to, stage),
        None if stage == CURRENT => {
            return Err(invalid_parameter(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
            ));
        }
        None => {
            for version in &mut secret.versions {
                version.stages.retain(|s| s != stage);
            }
        }
    }
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}
