//! What keys are used for.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

fn bytes(input: &Json, name: &str) -> Vec<u8> {
    BASE64.decode(input.text(name).unwrap_or_default()).unwrap_or_default()
}

fn context(input: &Json, name: &str) -> Json {
    input.get(name).filter(|one| one.is_object()).cloned().unwrap_or_else(|| json!({}))
}

/// A key that may be used so.
fn key_for(world: &mut World, given: &str, usage: &str) -> Result<String, ApiError> {
    let id = id_of(world, given)?;
    let key = usable(world, &id)?;
    if key.usage != usage {
        let arn = key_arn(world, &id);
        let message = format!("{arn} key usage is {} which is not valid for the operation.", key.usage);
        return Err(ApiError::new("InvalidKeyUsageException", message));
    }
    Ok(id)
}

fn random(world: &mut World, count: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(count + 8);
    while out.len() < count {
        out.extend(world.random().to_be_bytes());
    }
    out.truncate(count);
    out
}

fn sealed(world: &mut World, key: &str, context: &Json, text: &[u8]) -> String {
    let mut nonce = [0; 16];
    nonce.copy_from_slice(&random(world, 16));
    BASE64.encode(cipher::encrypt(world.seed, key, context, &nonce, text))
}

pub fn encrypt(world: &mut World, input: &Json) -> Answer {
    let key = key_for(world, input.text("KeyId").unwrap_or_default(), "ENCRYPT_DECRYPT")?;
    let blob = sealed(world, &key, &context(input, "EncryptionContext"), &bytes(input, "Plaintext"));
    let algorithm = input.text("EncryptionAlgorithm").unwrap_or(ALGORITHM);
    Ok(json!({ "CiphertextBlob": blob, "KeyId": key_arn(world, &key), "EncryptionAlgorithm": algorithm }))
}

/// The key and the text of a ciphertext, which names its key itself.
fn opened(
    world: &mut World,
    blob: &[u8],
    context: &Json,
    wanted: Option<&str>,
) -> Result<(String, Vec<u8>), ApiError> {
    let unreadable = || ApiError::new("InvalidCiphertextException", "");
    let key = cipher::key_of(blob).ok_or_else(unreadable)?.to_owned();
    forget(world);
    if !world.kms.keys.contains_key(&key) {
        return Err(unreadable());
    }
    if let Some(given) = wanted
        && id_of(world, given)? != key
    {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        return Err(ApiError::new("IncorrectKeyException", message));
    }
    usable(world, &key)?;
    let text = cipher::decrypt(world.seed, context, blob).ok_or_else(unreadable)?;
    Ok((key, text))
}

pub fn decrypt(world: &mut World, input: &Json) -> Answer {
    let blob = bytes(input, "CiphertextBlob");
    let (key, text) = opened(world, &blob, &context(input, "EncryptionContext"), input.text("KeyId"))?;
    let algorithm = input.text("EncryptionAlgorithm").unwrap_or(ALGORITHM);
    Ok(json!({
        "KeyId": key_arn(world, &key),
        "Plaintext": BASE64.encode(text),
        "EncryptionAlgorithm": algorithm,
    }))
}

pub fn re_encrypt(world: &mut World, input: &Json) -> Answer {
    let blob = bytes(input, "CiphertextBlob");
    let to = key_for(world, input.text("DestinationKeyId").unwrap_or_default(), "ENCRYPT_DECRYPT")?;
    let (from, text) =
        opened(world, &blob, &context(input, "SourceEncryptionContext"), input.text("SourceKeyId"))?;
    let blob = sealed(world, &to, &context(input, "DestinationEncryptionContext"), &text);
    Ok(json!({
        "CiphertextBlob": blob,
        "SourceKeyId": key_arn(world, &from),
        "KeyId": key_arn(world, &to),
        "SourceEncryptionAlgorithm": ALGORITHM,
        "DestinationEncryptionAlgorithm": ALGORITHM,
    }))
}

/// "You must specify either the KeySpec or the NumberOfBytes parameter (but not both)."
fn data_key(world: &mut World, input: &Json) -> Result<(Json, Vec<u8>), ApiError> {
    let count = match (input.text("KeySpec"), input.int("NumberOfBytes")) {
        (Some("AES_128"), None) => 16,
        (Some(_), None) => 32,
        (None, Some(count)) => usize::try_from(count).unwrap_or(1),
        _ => return Err(invalid("Please specify either number of bytes or key spec.")),
    };
    let key = key_for(world, input.text("KeyId").unwrap_or_default(), "ENCRYPT_DECRYPT")?;
    let text = random(world, count);
    let blob = sealed(world, &key, &context(input, "EncryptionContext"), &text);
    Ok((json!({ "CiphertextBlob": blob, "KeyId": key_arn(world, &key) }), text))
}

pub fn generate_data_key(world: &mut World, input: &Json) -> Answer {
    let (mut answer, text) = data_key(world, input)?;
    answer["Plaintext"] = json!(BASE64.encode(text));
    Ok(answer)
}

pub fn generate_data_key_alone(world: &mut World, input: &Json) -> Answer {
    Ok(data_key(world, input)?.0)
}

pub fn generate_random(world: &mut World, input: &Json) -> Answer {
    let count = input.int("NumberOfBytes").ok_or_else(|| invalid("NumberOfBytes is required."))?;
    let text = random(world, usize::try_from(count).unwrap_or(1));
    Ok(json!({ "Plaintext": BASE64.encode(text) }))
}

fn mac_of(world: &mut World, input: &Json) -> Result<(String, String), ApiError> {
    let key = key_for(world, input.text("KeyId").unwrap_or_default(), "GENERATE_VERIFY_MAC")?;
    let mac = cipher::mac(world.seed, &key, &bytes(input, "Message"));
    Ok((key_arn(world, &key), BASE64.encode(mac)))
}

pub fn generate_mac(world: &mut World, input: &Json) -> Answer {
    let (key, mac) = mac_of(world, input)?;
    Ok(json!({ "Mac": mac, "KeyId": key, "MacAlgorithm": input.text("MacAlgorithm") }))
}

pub fn verify_mac(world: &mut World, input: &Json) -> Answer {
    let (key, mac) = mac_of(world, input)?;
    if input.text("Mac") != Some(&mac) {
        return Err(ApiError::new("KMSInvalidMacException", ""));
    }
    Ok(json!({ "KeyId": key, "MacValid": true, "MacAlgorithm": input.text("MacAlgorithm") }))
}
