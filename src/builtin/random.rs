//! Where the random types get their randomness.

use crate::aws::AwsError;
use rand::SeedableRng;
use sha2::{Digest, Sha256};

pub type Random = rand::rngs::StdRng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entropy {
    /// The operating system's.
    System,
    /// The embedded AWS: the same seed tells the same story.
    Seeded(u64),
}

impl Entropy {
    /// A generator for one intent; `token` is the intent's.
    pub fn random(self, token: &str) -> Result<Random, AwsError> {
        let seed: [u8; 32] = match self {
            Entropy::System => {
                let mut bytes = [0; 32];
                let failed = |e: getrandom::Error| AwsError::failed("random", "NoEntropy", e.to_string());
                getrandom::fill(&mut bytes).map_err(failed)?;
                bytes
            }
            Entropy::Seeded(seed) => Sha256::digest(format!("{seed}\0{token}").as_bytes()).into(),
        };
        Ok(Random::from_seed(seed))
    }

    /// The generator that a configuration's own `seed` gives, or else one for the intent.
    pub fn seeded_or(self, seed: Option<String>, token: &str) -> Result<Random, AwsError> {
        match seed {
            Some(seed) => Ok(Random::from_seed(Sha256::digest(seed.as_bytes()).into())),
            None => self.random(token),
        }
    }

    /// A random UUID.
    pub fn uuid(self, token: &str) -> Result<String, AwsError> {
        use rand::Rng;
        let mut bytes = [0; 16];
        self.random(token)?.fill_bytes(&mut bytes);
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }
}
