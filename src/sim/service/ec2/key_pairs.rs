//! Key pairs: names that launches may refer to. No instance can be logged in to, so the keys are not real.

use super::query::{check_tags, fail, filtered, lean, need, tag_new, tags_of};
use super::state::KeyPair;
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        short @ 0..128 => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | bytes.len() as u8);
            out.extend(bytes);
        }
    }
    out.extend(body);
    out
}

/// The base64 part of an OpenSSH public key, or of the form of RFC 4716.
fn key_blob(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let encoded = match text.strip_prefix("---- BEGIN SSH2 PUBLIC KEY ----") {
        Some(rest) => {
            let body = rest.split("---- END").next()?;
            let mut lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
            let mut encoded = String::new();
            // Headers may go on over lines that end with a backslash.
            while let Some(line) = lines.next() {
                if line.contains(": ") {
                    let mut header = line;
                    while header.ends_with('\\') {
                        header = lines.next()?;
                    }
                } else {
                    encoded.push_str(line);
                }
            }
            encoded
        }
        None => text.split_whitespace().nth(1)?.to_owned(),
    };
    base64::engine::general_purpose::STANDARD.decode(encoded).ok()
}

/// The strings of SSH's wire format, each after its length.
fn strings(blob: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut rest, mut found) = (blob, Vec::new());
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        found.push(tail.get(..length)?);
        rest = &tail[length..];
    }
    Some(found)
}

/// "If you created the key pair using a third-party tool and uploaded the public key: RSA: MD5 of the DER-encoded
/// public key; ED25519: SHA-256, as OpenSSH prints it" (EC2 User Guide, "Verify the fingerprint of your key pair").
fn fingerprint(blob: &[u8]) -> Option<String> {
    use base64::Engine;
    use md5::Digest;
    match strings(blob)?[..] {
        [b"ssh-rsa", exponent, modulus] => {
            // rsaEncryption, 1.2.840.113549.1.1.1
            let rsa = der(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]);
            let algorithm = der(0x30, &[rsa, der(5, &[])].concat());
            let key = der(0x30, &[der(2, modulus), der(2, exponent)].concat());
            let whole = der(0x30, &[algorithm, der(3, &[vec![0], key].concat())].concat());
            let pairs: Vec<String> =
                md5::Md5::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect();
            Some(pairs.join(":"))
        }
        [b"ssh-ed25519", _] => {
            Some(base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(blob)))
        }
        _ => None,
    }
}

fn insert(
    world: &mut World,
    input: &Json,
    kind: &str,
    public_key: String,
    fingerprint: Option<String>,
) -> Result<Json, ApiError> {
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
        fingerprint: fingerprint.unwrap_or_else(|| pairs.join(":")),
        kind: kind.to_owned(),
        public_key,
        created: world.now,
    };
    world.ec2.key_pairs.insert(name.to_owned(), pair);
    tag_new(world, input, "key-pair", &id);
    let pair = &world.ec2.key_pairs[name];
    let tags = world.ec2.tags.get(&id).map(|_| tags_of(world, &id));
    Ok(lean(json!({"KeyPairId": id, "KeyName": name, "KeyFingerprint": pair.fingerprint, "Tags": tags})))
}

pub fn create_key_pair(world: &mut World, input: &Json) -> Answer {
    let kind = input.text("KeyType").unwrap_or("rsa").to_owned();
    let mut answer = insert(world, input, &kind, String::new(), None)?;
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
    let Some(print) = key_blob(&text).and_then(|blob| fingerprint(&blob)) else {
        return fail("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    };
    let kind = if text.starts_with("ssh-ed25519") { "ed25519" } else { "rsa" };
    insert(world, input, kind, text, Some(print))
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
