//! Secrets as such: made, described, changed, deleted with a way back.

use super::values::{Content, add_version};
use super::*;
use crate::service::tree::{Output, tag_list, tags};
use crate::world::MINUTE;

const DAY: Millis = 24 * 60 * MINUTE;

/// An ARN ends in a hyphen and six characters, so that a new secret of an old name has another one.
fn new_arn(world: &mut World, name: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let end: String =
        (0..6).map(|_| char::from(ALPHABET[(world.random() % ALPHABET.len() as u64) as usize])).collect();
    world.arn("secretsmanager", &format!("secret:{name}-{end}"))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    if !input.list("AddReplicaRegions").is_empty() {
        let message = "The embedded AWS does not replicate secrets: leave AddReplicaRegions out.";
        return Err(ApiError::new("UnsupportedOperation", message).status(501));
    }
    let content = Content::of(input)?;
    if let Some(other) = name_of(world, &name) {
        return repeated(&world.secretsmanager.secrets[&other], input, content.as_ref());
    }
    let arn = new_arn(world, &name);
    let secret = Secret {
        name: name.clone(),
        arn,
        description: input.text("Description").map(str::to_owned),
        kms_key: input.text("KmsKeyId").map(str::to_owned),
        tags: tags(input.list("Tags")),
        policy: None,
        created: world.now,
        changed: world.now,
        accessed: None,
        deletion: None,
        versions: Vec::new(),
    };
    world.secretsmanager.secrets.insert(name.clone(), secret);
    let version = content.map(|content| add_version(world, &name, input, content, &[CURRENT])).transpose()?;
    let secret = &world.secretsmanager.secrets[&name];
    Ok(json!({"ARN": secret.arn, "Name": name}).with("VersionId", version))
}

/// The same request again, known by its token, gets the same answer.
fn repeated(secret: &Secret, input: &Json, content: Option<&Content>) -> Answer {
    if secret.deletion.is_some() {
        let message =
            "You can't create this secret because a secret with this name is already scheduled for deletion.";
        return Err(invalid_request(message));
    }
    let token = input.text("ClientRequestToken");
    let version = secret.versions.iter().find(|version| Some(version.id.as_str()) == token);
    match (version, content) {
        (Some(version), Some(content)) if content.is_of(version) => {
            Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": version.id}))
        }
        (Some(version), _) => Err(values::token_used(secret, &version.id)),
        (None, _) => Err(ApiError::new(
            "ResourceExistsException",
            format!("The operation failed because the secret {} already exists.", secret.name),
        )),
    }
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    Ok(view(find(world, input)?, "VersionIdsToStages"))
}

/// As DescribeSecret and ListSecrets show it; they name the stages differently.
pub(super) fn view(secret: &Secret, stages_name: &str) -> Json {
    let staged = secret.versions.iter().filter(|version| !version.stages.is_empty());
    let stages: BTreeMap<&str, &[String]> = staged.map(|v| (v.id.as_str(), v.stages.as_slice())).collect();
    json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": World::timestamp(secret.created),
        "LastChangedDate": World::timestamp(secret.changed),
    })
    .with("Description", secret.description.clone())
    .with("KmsKeyId", secret.kms_key.clone())
    // A day without its time (API reference).
    .with("LastAccessedDate", seconds(secret.accessed.map(|at| at - at.rem_euclid(DAY))))
    .with("DeletedDate", seconds(secret.deletion.map(|(asked, _)| asked)))
    .with("Tags", (!secret.tags.is_empty()).then(|| tag_list(&secret.tags)))
    .with(stages_name, (!stages.is_empty()).then(|| json!(stages)))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let content = Content::of(input)?;
    let now = world.now;
    let secret = living(world, input, MARKED)?;
    if let Some(text) = input.text("Description") {
        secret.description = Some(text.to_owned());
    }
    if let Some(key) = input.text("KmsKeyId") {
        secret.kms_key = Some(key.to_owned());
    }
    secret.changed = now;
    let (name, arn) = (secret.name.clone(), secret.arn.clone());
    let version = content.map(|content| add_version(world, &name, input, content, &[CURRENT])).transpose()?;
    Ok(json!({"ARN": arn, "Name": name}).with("VersionId", version))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let force = input.flag("ForceDeleteWithoutRecovery") == Some(true);
    let days = input.int("RecoveryWindowInDays");
    if days.is_some_and(|days| !(7..=30).contains(&days)) {
        return Err(invalid_parameter(
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        ));
    }
    if force && days.is_some() {
        return Err(invalid_parameter(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ));
    }
    let now = world.now;
    let at = if force { now } else { now + days.unwrap_or(30) * DAY };
    let id = input.text("SecretId").unwrap_or_default().to_owned();
    let Some(name) = name_of(world, &id) else {
        // "If you forcibly delete an already deleted or nonexistent secret, the operation does not return
        // ResourceNotFoundException" (API reference).
        if !force {
            return Err(unknown());
        }
        let arn = new_arn(world, &id);
        return Ok(json!({"ARN": arn, "Name": id, "DeletionDate": World::timestamp(now)}));
    };
    let secret = world.secretsmanager.secrets.get_mut(&name).expect("just found");
    if secret.deletion.is_some() && !force {
        return Err(invalid_request(MARKED));
    }
    secret.deletion = Some((now, at));
    let answer = json!({"ARN": secret.arn, "Name": name, "DeletionDate": World::timestamp(at)});
    forget(world);
    Ok(answer)
}

pub fn restore(world: &mut World, input: &Json) -> Answer {
    let secret = find(world, input)?;
    secret.deletion = None;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    let secret = living(world, input, MARKED)?;
    let added = tags(input.list("Tags"));
    if secret.tags.keys().chain(added.keys()).collect::<std::collections::BTreeSet<_>>().len() > 50 {
        return Err(invalid_parameter("A secret can have no more than 50 tags."));
    }
    secret.tags.extend(added);
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let secret = living(world, input, MARKED)?;
    for key in input.texts("TagKeys") {
        secret.tags.remove(key);
    }
    Ok(json!({}))
}

pub fn put_policy(world: &mut World, input: &Json) -> Answer {
    let policy = input.text("ResourcePolicy").unwrap_or_default();
    living(world, input, MARKED)?;
    if serde_json::from_str::<Json>(policy).is_err() {
        let message = "This resource policy contains invalid Json.";
        return Err(ApiError::new("MalformedPolicyDocumentException", message));
    }
    let secret = living(world, input, MARKED)?;
    secret.policy = Some(policy.to_owned());
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}

pub fn get_policy(world: &mut World, input: &Json) -> Answer {
    let secret = find(world, input)?;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}).with("ResourcePolicy", secret.policy.clone()))
}

pub fn delete_policy(world: &mut World, input: &Json) -> Answer {
    let secret = living(world, input, MARKED)?;
    secret.policy = None;
    Ok(json!({"ARN": secret.arn, "Name": secret.name}))
}
