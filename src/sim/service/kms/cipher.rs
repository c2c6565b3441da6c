//! What stands for encryption: texts that only the world can read, and only whole and in their context. It
//! keeps no secret from somebody who has the world's file.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// Version, and lengths of what stands before the text itself.
const VERSION: u8 = 1;
const NONCE: usize = 16;
const SEAL: usize = 32;

/// Key ids have no secret of their own here: it follows from the world's seed.
fn secret(seed: u64, key: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed.to_be_bytes()).chain_update(key).finalize().into()
}

fn stream(secret: &[u8], nonce: &[u8], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (count, block) in (0u64..).zip(text.chunks(32)) {
        let pad = Sha256::new()
            .chain_update(secret)
            .chain_update(nonce)
            .chain_update(count.to_be_bytes())
            .finalize();
        out.extend(block.iter().zip(pad).map(|(byte, pad)| byte ^ pad));
    }
    out
}

/// HMAC over SHA-256 (RFC 2104).
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner =
        parts.iter().fold(Sha256::new().chain_update(pad(0x36)), |hash, part| hash.chain_update(part));
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

pub fn mac(seed: u64, key: &str, message: &[u8]) -> [u8; 32] {
    hmac(&secret(seed, key), &[message])
}

fn seal(secret: &[u8], context: &Json, rest: &[u8]) -> [u8; 32] {
    // Maps are ordered: equal contexts are equal texts.
    hmac(secret, &[context.to_string().as_bytes(), rest])
}

pub fn encrypt(seed: u64, key: &str, context: &Json, nonce: &[u8; NONCE], text: &[u8]) -> Vec<u8> {
    let secret = secret(seed, key);
    let mut rest = vec![VERSION, key.len() as u8];
    rest.extend(key.as_bytes());
    rest.extend(nonce);
    rest.extend(stream(&secret, nonce, text));
    let mut out = seal(&secret, context, &rest).to_vec();
    out.extend(rest);
    out
}

/// The key it was encrypted under, if it is one of ours.
pub fn key_of(blob: &[u8]) -> Option<&str> {
    let rest = blob.get(SEAL..)?;
    let (head, rest) = rest.split_at_checked(2)?;
    let key = rest.get(..usize::from(head[1]))?;
    (head[0] == VERSION).then(|| std::str::from_utf8(key).ok())?
}

pub fn decrypt(seed: u64, context: &Json, blob: &[u8]) -> Option<Vec<u8>> {
    let key = key_of(blob)?;
    let secret = secret(seed, key);
    let (given, rest) = blob.split_at_checked(SEAL)?;
    if seal(&secret, context, rest) != given {
        return None;
    }
    let (nonce, text) = rest.get(2 + key.len()..)?.split_at_checked(NONCE)?;
    Some(stream(&secret, nonce, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hmac_is_that_of_the_rfc() {
        // RFC 4231, test case 2.
        let found = hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        let wanted = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(found), wanted);
    }

    #[test]
    fn only_the_whole_text_in_its_context_is_read_back() {
        let context = json!({ "app": "shop" });
        let blob = encrypt(7, "key", &context, &[1; NONCE], b"a secret that is longer than a block of it");
        assert!(!blob.windows(8).any(|window| window == b"a secret"));
        assert_eq!(key_of(&blob), Some("key"));
        let text = decrypt(7, &context, &blob).expect("whole");
        assert_eq!(text, b"a secret that is longer than a block of it");
        assert_eq!(decrypt(7, &json!({}), &blob), None);
        assert_eq!(decrypt(8, &context, &blob), None);
        for at in [0, SEAL, blob.len() - 1] {
            let mut broken = blob.clone();
            broken[at] ^= 1;
            assert_eq!(decrypt(7, &context, &broken), None);
        }
        assert_eq!(decrypt(7, &context, &blob[..20]), None);
    }
}
