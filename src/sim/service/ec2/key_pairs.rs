//! Key pairs: names that launches may refer to. No instance can be logged in to, so the keys are not real.

use super::query::{check_tags, fail, filtered, lean, need, tag_new, tags_of};
use super::state::KeyPair;
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

fn insert(world: &mut World, input: &Json, kind: &str, public_key: String) -> Result<Json, ApiError> {
    check_tags(input, &["key-pair"])?;
    let name = need(input, "KeyName")?;
    if world.ec2.key_pairs.contains_key(name) {
        return fail("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists."));
    }
    let digest = world.hex(40);
    let pairs: Vec<&str> = (0..20).map(|at| &digest[2 * at..2 * at + 2]).collect();
    let id = world.id("key");
    let pair = KeyPair {
        id: id.clone(),
        name: name.to_owned(),
        fingerprint: pairs.join(":"),
        kind: kind.to_owned(),
        public_key,
        created: world.now,
    };
    world.ec2.key_pairs.insert(name.to_owned(), pair);
    tag_new(world, input, "key-pair", &id);
    let pair = &world.ec2.key_pairs[name];
    let tags = tags_of(world, &id);
    Ok(json!({"KeyPairId": id, "KeyName": name, "KeyFingerprint": pair.fingerprint, "Tags": tags}))
}

pub fn create_key_pair(world: &mut World, input: &Json) -> Answer {
    let kind = input.text("KeyType").unwrap_or("rsa").to_owned();
    let mut answer = insert(world, input, &kind, String::new())?;
    let body = world.hex(64);
    let material = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----");
    answer["KeyMaterial"] = json!(material);
    Ok(answer)
}

pub fn import_key_pair(world: &mut World, input: &Json) -> Answer {
    use base64::Engine;
    let material = need(input, "PublicKeyMaterial")?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(material).unwrap_or_default();
    let text = String::from_utf8_lossy(&decoded).into_owned();
    if !text.starts_with("ssh-") && !text.contains("BEGIN") {
        return fail("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    }
    let kind = if text.starts_with("ssh-ed25519") { "ed25519" } else { "rsa" };
    insert(world, input, kind, text)
}

pub fn describe_key_pairs(world: &mut World, input: &Json) -> Answer {
    let (names, ids) = (input.texts("KeyNames"), input.texts("KeyPairIds"));
    if let Some(bad) = names.iter().find(|name| !world.ec2.key_pairs.contains_key(**name)) {
        return fail("InvalidKeyPair.NotFound", format!("The key pair '{bad}' does not exist"));
    }
    if let Some(bad) = ids.iter().find(|id| !world.ec2.key_pairs.values().any(|pair| pair.id == **id)) {
        return fail("InvalidKeyPair.NotFound", format!("The key pair ID '{bad}' does not exist"));
    }
    let with_key = input.flag("IncludePublicKey") == Some(true);
    let asked = |pair: &&KeyPair| {
        (names.is_empty() && ids.is_empty())
            || names.contains(&pair.name.as_str())
            || ids.contains(&pair.id.as_str())
    };
    let render = |pair: &KeyPair| {
        lean(json!({
            "KeyPairId": pair.id, "KeyName": pair.name, "KeyFingerprint": pair.fingerprint, "KeyType": pair.kind,
            "CreateTime": World::timestamp(pair.created), "Tags": tags_of(world, &pair.id),
            "PublicKey": with_key.then_some(&pair.public_key),
        }))
    };
    let items = world.ec2.key_pairs.values().filter(asked).map(render).collect();
    let table = &[("key-pair-id", "KeyPairId"), ("fingerprint", "KeyFingerprint"), ("key-name", "KeyName")];
    Ok(json!({"KeyPairs": filtered(items, input.list("Filters"), table)?}))
}

pub fn delete_key_pair(world: &mut World, input: &Json) -> Answer {
    let mut all = world.ec2.key_pairs.values();
    let found = all
        .find(|pair| input.text("KeyPairId") == Some(&pair.id) || input.text("KeyName") == Some(&pair.name));
    // An unknown key pair is no error.
    if let Some((id, name)) = found.map(|pair| (pair.id.clone(), pair.name.clone())) {
        world.ec2.key_pairs.remove(&name);
        world.ec2.tags.remove(&id);
        return Ok(json!({"Return": true, "KeyPairId": id}));
    }
    Ok(json!({"Return": true}))
}
