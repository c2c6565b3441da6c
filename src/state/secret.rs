//! Digests that stand for secrets: comparable, not usable.

use crate::value::{Value, to_json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const PREFIX: &str = "digest:v1:";
/// Rounds of hashing: slow enough to make guessing costly, fast enough for some dozen secrets.
const ROUNDS: u32 = 100_000;

/// The digest of a secret: salted, and slow to guess.
pub fn seal(value: &Value, salt: &str) -> Value {
    if value.is_null() || is_opaque(value) {
        return value.clone();
    }
    let text = to_json(value).map(|j| j.to_string()).unwrap_or_default();
    let mut hash = Sha256::digest(format!("{salt}\0{text}").as_bytes());
    for _ in 0..ROUNDS {
        let mut round = Sha256::new();
        round.update(hash);
        round.update(salt.as_bytes());
        hash = round.finalize();
    }
    Value::string(Arc::from(format!("{PREFIX}{}", hex::encode(hash)))).sensitive()
}

/// A digest, or a secret that is encrypted: neither can be used as it stands.
pub fn is_opaque(value: &Value) -> bool {
    is_digest(value) || value.as_str().is_some_and(super::key::is_encrypted)
}

pub fn is_digest(value: &Value) -> bool {
    value.as_str().is_some_and(|s| s.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_compare_and_do_not_show_the_secret() {
        let secret = Value::string("hunter2").sensitive();
        let sealed = seal(&secret, "salt");
        assert_eq!(sealed, seal(&secret, "salt"));
        assert_ne!(sealed, seal(&secret, "other salt"));
        assert_ne!(sealed, seal(&Value::string("hunter3"), "salt"));
        assert!(!sealed.as_str().expect("a digest is text").contains("hunter2"));
        assert_eq!(seal(&sealed, "salt"), sealed, "sealing twice changes nothing");
    }
}
