//! The key that encrypts what state must keep and use again: a random password, a generated key.
//!
//! XChaCha20-Poly1305 with a random nonce; the key is a file that stays outside the repository.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::Path;

const HEADER: &str = "cutover-state-key:v1:";
const PREFIX: &str = "encrypted:v1:";
const NONCE: usize = 24;

#[derive(Clone, PartialEq, Eq)]
pub struct StateKey([u8; 32]);

/// Never the key itself.
impl std::fmt::Debug for StateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StateKey({})", self.name())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot {what} the key file `{path}`: {error}")]
    Io { what: &'static str, path: String, error: std::io::Error },
    #[error("`{path}` is no key file: it must hold one line that starts with `{HEADER}`")]
    Malformed { path: String },
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(getrandom::Error),
}

/// Why an encrypted value cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// It was encrypted with the key of this name.
    OtherKey(String),
    Damaged,
}

impl StateKey {
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(KeyError::NoEntropy)?;
        Ok(Self(bytes))
    }

    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| KeyError::Io {
            what: "read",
            path: shown.clone(),
            error,
        })?;
        Self::parse(&text).ok_or(KeyError::Malformed { path: shown })
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'))?;
        let bytes = hex::decode(line.strip_prefix(HEADER)?).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Writes a new file that only its owner may read; an existing one is never overwritten.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = format!(
            "# Key {} of a Cutover state. Keep it secret and keep it: without it, what it encrypts is lost.\n{HEADER}{}\n",
            self.name(),
            hex::encode(self.0)
        );
        let written = options.open(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| KeyError::Io { what: "write", path: path.display().to_string(), error })
    }

    /// Tells keys apart without telling anything of them.
    pub fn name(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"cutover state key name\0");
        hash.update(self.0);
        hex::encode(&hash.finalize()[..4])
    }

    /// `context` (the attribute's name, say) must be the same to decrypt.
    pub fn encrypt(&self, text: &str, context: &str) -> Result<String, KeyError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(KeyError::NoEntropy)?;
        let payload = Payload { msg: text.as_bytes(), aad: context.as_bytes() };
        let sealed = XChaCha20Poly1305::new(&self.0.into())
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a state's values are far smaller than the cipher's limit of 256 GB");
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{PREFIX}{}:{}", self.name(), STANDARD.encode(bytes)))
    }

    pub fn decrypt(&self, text: &str, context: &str) -> Result<String, Sealed> {
        let (name, encoded) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once(':')).ok_or(Sealed::Damaged)?;
        if name != self.name() {
            return Err(Sealed::OtherKey(name.to_owned()));
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| Sealed::Damaged)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(Sealed::Damaged)?;
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        let opened = XChaCha20Poly1305::new(&self.0.into()).decrypt(&XNonce::from(*nonce), payload);
        String::from_utf8(opened.map_err(|_| Sealed::Damaged)?).map_err(|_| Sealed::Damaged)
    }
}

pub fn is_encrypted(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether a file's text is a key: it must not be taken along anywhere.
pub fn is_key_file(text: &str) -> bool {
    text.contains(HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_context_open_it() {
        let key = StateKey([7; 32]);
        let sealed = key.encrypt("hunter2", "result").expect("random bytes");
        assert!(is_encrypted(&sealed) && !sealed.contains("hunter2"));
        assert_eq!(key.decrypt(&sealed, "result"), Ok("hunter2".to_owned()));
        assert_eq!(key.decrypt(&sealed, "other"), Err(Sealed::Damaged));
        let other = StateKey([8; 32]);
        assert_eq!(other.decrypt(&sealed, "result"), Err(Sealed::OtherKey(key.name())));
        assert_ne!(key.encrypt("hunter2", "result").expect("random bytes"), sealed, "the nonce differs");
        let mut damaged = sealed.clone().into_bytes();
        let last = damaged.len() - 5;
        damaged[last] ^= 1;
        assert!(key.decrypt(&String::from_utf8(damaged).expect("text"), "result").is_err());
    }

    #[test]
    fn key_files_are_private_and_never_overwritten() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("state.key");
        let key = StateKey::generate().expect("random bytes");
        key.write_new(&path).expect("writes");
        assert_eq!(StateKey::load(&path).expect("reads"), key);
        assert!(StateKey::generate().expect("random bytes").write_new(&path).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert!(!format!("{key:?}").contains(&hex::encode(key.0)));
        std::fs::write(&path, "something else").expect("writes");
        assert!(matches!(StateKey::load(&path), Err(KeyError::Malformed { .. })));
    }
}
