//! The policies that AWS manages, as far as containers on ECS and their surroundings use them, with their true
//! documents (`managed.txt`, written by `managed.py`). Any other ARN of AWS answers NoSuchEntity.

use crate::world::Millis;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

pub struct Managed {
    pub path: &'static str,
    pub name: &'static str,
    /// `v7`: only the version in force is kept.
    pub version: &'static str,
    pub created: Millis,
    pub updated: Millis,
    document: &'static str,
}

/// 2015-02-06T18:40:00Z: when AWS introduced managed policies.
pub const CREATED: Millis = 1_423_248_000_000;

impl Managed {
    /// In the commercial partition; the others have the same policies under their own name.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }

    /// The same in every account and world: from a digest of the ARN.
    pub fn id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digest = Sha256::digest(self.arn());
        let letters = digest.iter().take(17).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        format!("ANPA{}", letters.collect::<String>())
    }

    pub fn document(&self) -> String {
        self.document.to_owned()
    }
}

pub fn find(arn: &str) -> Option<&'static Managed> {
    let (partition, path_and_name) = arn.split_once(":iam::aws:policy")?;
    if !partition.starts_with("arn:aws") {
        return None;
    }
    all().iter().find(|policy| path_and_name.strip_prefix(policy.path) == Some(policy.name))
}

pub fn all() -> &'static [Managed] {
    static ALL: LazyLock<Vec<Managed>> =
        LazyLock::new(|| include_str!("managed.txt").lines().filter_map(read).collect());
    &ALL
}

fn read(line: &'static str) -> Option<Managed> {
    let (head, document) = line.split_once('\t')?;
    let mut fields = head.split(' ');
    let (path, name, version) = (fields.next()?, fields.next()?, fields.next()?);
    let mut time = || fields.next()?.parse::<jiff::Timestamp>().ok();
    let (created, updated) = (time()?.as_millisecond(), time()?.as_millisecond());
    Some(Managed { path, name, version, created, updated, document })
}
