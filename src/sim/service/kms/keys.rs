//! Keys: their life, policy, rotation and tags.

use super::*;
use crate::service::tree::{Output, tags};

const DAY: Millis = 86_400_000;

/// What a spec may be used for, and the algorithms it has (KMS Developer Guide, "Key spec reference").
fn algorithms(spec: &str, usage: &str) -> (&'static str, Vec<&'static str>) {
    const RSA: [&str; 6] = [
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
    ];
    match (spec, usage) {
        ("SYMMETRIC_DEFAULT", _) => ("EncryptionAlgorithms", vec!["SYMMETRIC_DEFAULT"]),
        ("SM2", "ENCRYPT_DECRYPT") => ("EncryptionAlgorithms", vec!["SM2PKE"]),
        (_, "ENCRYPT_DECRYPT") => ("EncryptionAlgorithms", vec!["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
        (_, "KEY_AGREEMENT") => ("KeyAgreementAlgorithms", vec!["ECDH"]),
        ("HMAC_224", _) => ("MacAlgorithms", vec!["HMAC_SHA_224"]),
        ("HMAC_256", _) => ("MacAlgorithms", vec!["HMAC_SHA_256"]),
        ("HMAC_384", _) => ("MacAlgorithms", vec!["HMAC_SHA_384"]),
        ("HMAC_512", _) => ("MacAlgorithms", vec!["HMAC_SHA_512"]),
        ("ECC_NIST_P256" | "ECC_SECG_P256K1", _) => ("SigningAlgorithms", vec!["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", _) => ("SigningAlgorithms", vec!["ECDSA_SHA_384"]),
        ("ECC_NIST_P521", _) => ("SigningAlgorithms", vec!["ECDSA_SHA_512"]),
        ("SM2", _) => ("SigningAlgorithms", vec!["SM2DSA"]),
        (spec, _) if spec.starts_with("RSA_") => ("SigningAlgorithms", RSA.to_vec()),
        _ => ("SigningAlgorithms", Vec::new()),
    }
}

fn usage_fits(spec: &str, usage: &str) -> bool {
    match spec {
        "SYMMETRIC_DEFAULT" => usage == "ENCRYPT_DECRYPT",
        _ if spec.starts_with("HMAC_") => usage == "GENERATE_VERIFY_MAC",
        _ if spec.starts_with("RSA_") => matches!(usage, "ENCRYPT_DECRYPT" | "SIGN_VERIFY"),
        _ if spec.starts_with("ECC_NIST_P") => matches!(usage, "SIGN_VERIFY" | "KEY_AGREEMENT"),
        "ECC_SECG_P256K1" | "ECC_NIST_EDWARDS25519" => usage == "SIGN_VERIFY",
        "SM2" => matches!(usage, "ENCRYPT_DECRYPT" | "SIGN_VERIFY" | "KEY_AGREEMENT"),
        _ if spec.starts_with("ML_DSA") => usage == "SIGN_VERIFY",
        _ => usage == "ENCAPSULATE_DECAPSULATE",
    }
}

pub(super) fn metadata(world: &World, key: &Key) -> Json {
    let state = match (key.deletion, key.enabled) {
        (Some(_), _) => "PendingDeletion",
        (None, true) if key.origin == "EXTERNAL" => "PendingImport",
        (None, true) => "Enabled",
        (None, false) => "Disabled",
    };
    let (list, algorithms) = algorithms(&key.spec, &key.usage);
    let arn = key_arn(world, &key.id);
    let regions = json!({
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": { "Arn": arn, "Region": world.region },
        "ReplicaKeys": [],
    });
    json!({
        "AWSAccountId": world.account,
        "KeyId": key.id,
        "Arn": arn,
        "CreationDate": World::timestamp(key.created),
        "Enabled": state == "Enabled",
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": state,
        "Origin": key.origin,
        "KeyManager": if key.managed { "AWS" } else { "CUSTOMER" },
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": key.multi_region,
        list: algorithms,
    })
    .with("MultiRegionConfiguration", key.multi_region.then_some(regions))
    .with("DeletionDate", key.deletion.map(|(at, _)| World::timestamp(at)))
}

/// "AWS KMS creates a default key policy" that lets the account's own policies decide (CreateKey, Policy).
fn default_policy(world: &World) -> String {
    let root = world.arn("iam", "root");
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": root },
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

/// A policy that keeps the account out of its own key is refused, unless that is wanted.
fn checked_policy(input: &Json) -> Result<Option<&str>, ApiError> {
    let Some(text) = input.text("Policy").filter(|text| !text.is_empty()) else { return Ok(None) };
    let malformed = || ApiError::new("MalformedPolicyDocumentException", "");
    let policy: Json = serde_json::from_str(text).map_err(|_| malformed())?;
    if policy.get("Statement").is_none() {
        return Err(malformed());
    }
    Ok(Some(text))
}

/// A key of a service, behind its alias.
pub(super) fn managed(world: &mut World, service: &str) -> String {
    let via = format!("{service}.{}.amazonaws.com", world.region);
    let policy = json!({
        "Version": "2012-10-17",
        "Id": format!("auto-{service}-1"),
        "Statement": [{
            "Sid": format!("Allow access through {service} for all principals in the account"),
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey"],
            "Resource": "*",
            "Condition": { "StringEquals": { "kms:CallerAccount": world.account, "kms:ViaService": via } },
        }, {
            "Sid": "Allow direct access to key metadata to the account",
            "Effect": "Allow",
            "Principal": { "AWS": world.arn("iam", "root") },
            "Action": ["kms:Describe*", "kms:Get*", "kms:List*"],
            "Resource": "*",
        }],
    });
    let description = format!("Default key that protects my {service} data when no other key is defined");
    let mut key = new(world, description, policy.to_string());
    key.managed = true;
    // "AWS managed keys are automatically rotated every year."
    key.rotation = Some((world.now, 365));
    let id = key.id.clone();
    world.kms.keys.insert(id.clone(), key);
    id
}

fn new(world: &mut World, description: String, policy: String) -> Key {
    Key {
        id: world.uuid(),
        created: world.now,
        description,
        enabled: true,
        deletion: None,
        usage: "ENCRYPT_DECRYPT".to_owned(),
        spec: "SYMMETRIC_DEFAULT".to_owned(),
        origin: "AWS_KMS".to_owned(),
        multi_region: false,
        managed: false,
        policy,
        tags: Tags::new(),
        rotation: None,
        rotated: Vec::new(),
    }
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let spec = input.text("KeySpec").or(input.text("CustomerMasterKeySpec")).unwrap_or("SYMMETRIC_DEFAULT");
    let usage = input.text("KeyUsage").unwrap_or("ENCRYPT_DECRYPT");
    if !usage_fits(spec, usage) {
        return Err(invalid(format!("KeyUsage {usage} is not compatible with KeySpec {spec}")));
    }
    let policy = checked_policy(input)?.map_or_else(|| default_policy(world), str::to_owned);
    let tags = new_tags(input, 0)?;
    let mut key = new(world, input.text("Description").unwrap_or_default().to_owned(), policy);
    (key.usage, key.spec, key.tags) = (usage.to_owned(), spec.to_owned(), tags);
    if let Some(origin) = input.text("Origin") {
        key.origin = origin.to_owned();
    }
    if input.flag("MultiRegion") == Some(true) {
        key.multi_region = true;
        key.id = format!("mrk-{}", key.id.replace('-', ""));
    }
    let answer = json!({ "KeyMetadata": metadata(world, &key) });
    world.kms.keys.insert(key.id.clone(), key);
    Ok(answer)
}

fn given(input: &Json) -> &str {
    input.text("KeyId").unwrap_or_default()
}

/// The key of an operation that takes no alias and changes it: not a service's.
fn own<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Key, ApiError> {
    let id = key_id(world, given(input))?;
    if world.kms.keys[&id].managed {
        let message =
            format!("{} is not authorized to perform this operation on an AWS managed key", world.account);
        return Err(ApiError::new("AccessDeniedException", message));
    }
    Ok(world.kms.keys.get_mut(&id).expect("found above"))
}

/// As `own`, of a key that is not about to go.
fn lasting<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Key, ApiError> {
    let key = own(world, input)?;
    if key.deletion.is_none() {
        return own(world, input);
    }
    let arn = own(world, input)?.id.clone();
    let message = format!("{} is pending deletion.", key_arn(world, &arn));
    Err(ApiError::new("KMSInvalidStateException", message))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let id = id_of(world, given(input))?;
    Ok(json!({ "KeyMetadata": metadata(world, &world.kms.keys[&id]) }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    forget(world);
    let keys = world.kms.keys.keys().map(|id| json!({ "KeyId": id, "KeyArn": key_arn(world, id) }));
    Ok(listed(input, "Keys", keys.collect(), 100))
}

pub fn enable(world: &mut World, input: &Json) -> Answer {
    lasting(world, input)?.enabled = true;
    Ok(json!({}))
}

pub fn disable(world: &mut World, input: &Json) -> Answer {
    lasting(world, input)?.enabled = false;
    Ok(json!({}))
}

pub fn update_description(world: &mut World, input: &Json) -> Answer {
    lasting(world, input)?.description = input.text("Description").unwrap_or_default().to_owned();
    Ok(json!({}))
}

/// "The waiting period … 7 to 30 days; the default is 30."
pub fn schedule_deletion(world: &mut World, input: &Json) -> Answer {
    let days = input.int("PendingWindowInDays").unwrap_or(30);
    if !(7..=30).contains(&days) {
        return Err(invalid("PendingWindowInDays must be between 7 and 30 (inclusive)."));
    }
    let at = world.now + days * DAY;
    let key = lasting(world, input)?;
    key.deletion = Some((at, days));
    key.enabled = false;
    let id = key.id.clone();
    Ok(json!({
        "KeyId": key_arn(world, &id),
        "DeletionDate": World::timestamp(at),
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
    }))
}

/// "If this operation is successful, the key state of the KMS key is Disabled."
pub fn cancel_deletion(world: &mut World, input: &Json) -> Answer {
    let key = own(world, input)?;
    let waiting = key.deletion.take().is_some();
    let id = key.id.clone();
    let arn = key_arn(world, &id);
    if !waiting {
        let message = format!("{arn} is not pending deletion.");
        return Err(ApiError::new("KMSInvalidStateException", message));
    }
    Ok(json!({ "KeyId": arn }))
}

fn rotatable<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Key, ApiError> {
    let id = lasting(world, input)?.id.clone();
    let arn = key_arn(world, &id);
    let key = world.kms.keys.get_mut(&id).expect("found above");
    if key.spec != "SYMMETRIC_DEFAULT" {
        let message = format!("{arn} is not a symmetric encryption key.");
        return Err(ApiError::new("UnsupportedOperationException", message));
    }
    if !key.enabled {
        return Err(ApiError::new("DisabledException", format!("{arn} is disabled.")));
    }
    Ok(key)
}

pub fn enable_rotation(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let days = input.int("RotationPeriodInDays").unwrap_or(365);
    rotatable(world, input)?.rotation = Some((now, days));
    Ok(json!({}))
}

pub fn disable_rotation(world: &mut World, input: &Json) -> Answer {
    rotatable(world, input)?.rotation = None;
    Ok(json!({}))
}

pub fn rotate(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let key = rotatable(world, input)?;
    key.rotated.push(now);
    Ok(json!({ "KeyId": key.id }))
}

pub fn rotation(world: &mut World, input: &Json) -> Answer {
    let id = key_id(world, given(input))?;
    let key = &world.kms.keys[&id];
    let next = key.rotation.map(|(since, days)| {
        let passed = (world.now - since) / (days * DAY);
        World::timestamp(since + (passed + 1) * days * DAY)
    });
    Ok(json!({ "KeyId": id, "KeyRotationEnabled": key.rotation.is_some() })
        .with("RotationPeriodInDays", key.rotation.map(|(_, days)| days))
        .with("NextRotationDate", next))
}

pub fn rotations(world: &mut World, input: &Json) -> Answer {
    let id = key_id(world, given(input))?;
    let key = &world.kms.keys[&id];
    let one = |at: Millis, kind: &str| json!({ "KeyId": id, "RotationDate": World::timestamp(at), "RotationType": kind });
    let mut all: Vec<(Millis, &str)> = key.rotated.iter().map(|at| (*at, "ON_DEMAND")).collect();
    if let Some((since, days)) = key.rotation {
        let times = (world.now - since) / (days * DAY);
        all.extend((1..=times).map(|n| (since + n * days * DAY, "AUTOMATIC")));
    }
    all.sort_unstable();
    Ok(listed(input, "Rotations", all.into_iter().map(|(at, kind)| one(at, kind)).collect(), 100))
}

pub fn policies(world: &mut World, input: &Json) -> Answer {
    key_id(world, given(input))?;
    Ok(json!({ "PolicyNames": ["default"], "Truncated": false }))
}

/// "The only valid value is default."
fn check_policy_name(input: &Json) -> Result<(), ApiError> {
    match input.text("PolicyName") {
        None | Some("default") => Ok(()),
        Some(_) => Err(not_found("No such policy exists")),
    }
}

pub fn policy(world: &mut World, input: &Json) -> Answer {
    let id = key_id(world, given(input))?;
    check_policy_name(input)?;
    Ok(json!({ "Policy": world.kms.keys[&id].policy, "PolicyName": "default" }))
}

pub fn put_policy(world: &mut World, input: &Json) -> Answer {
    own(world, input)?;
    check_policy_name(input)?;
    let text = checked_policy(input)?.unwrap_or_default().to_owned();
    own(world, input)?.policy = text;
    Ok(json!({}))
}

/// Tags here are `TagKey` and `TagValue`; at most 50 on a key.
fn new_tags(input: &Json, already: usize) -> Result<Tags, ApiError> {
    let list: Vec<Json> = input
        .list("Tags")
        .iter()
        .map(|tag| json!({ "Key": tag.text("TagKey"), "Value": tag.text("TagValue") }))
        .collect();
    let found = tags(&list);
    if found.keys().any(|key| key.to_lowercase().starts_with("aws:")) {
        return Err(ApiError::new(
            "TagException",
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    if already + found.len() > 50 {
        return Err(ApiError::new("TagException", "Too many tags: a key has at most 50."));
    }
    Ok(found)
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    let before = lasting(world, input)?.tags.clone();
    let fresh = new_tags(input, 0)?;
    let new = fresh.keys().filter(|key| !before.contains_key(*key)).count();
    new_tags(&json!({}), before.len() + new)?;
    lasting(world, input)?.tags.extend(fresh);
    Ok(json!({}))
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    let key = lasting(world, input)?;
    for name in input.texts("TagKeys") {
        key.tags.remove(name);
    }
    Ok(json!({}))
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let id = key_id(world, given(input))?;
    let tags = tag_list(&world.kms.keys[&id].tags);
    let tags = tags.as_array().into_iter().flatten();
    let tags = tags.map(|tag| json!({ "TagKey": tag["Key"], "TagValue": tag["Value"] })).collect();
    Ok(listed(input, "Tags", tags, 50))
}
