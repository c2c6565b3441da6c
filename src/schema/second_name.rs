//! The name that a replacement has while the old one of the declared name still stands: that name with a hash of
//! itself. A resource under its second name is as declared; the one that replaces it takes the declared name back.

use crate::value::Value;
use sha2::{Digest, Sha256};

/// `web` → `web-8fb7bd`, within so many characters.
fn second(name: &str, longest: usize) -> String {
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    let kept: String = name.chars().take(longest - 7).collect();
    format!("{}-{}", kept.trim_end_matches('-'), &hash[..6])
}

/// Whether a live name is the declared one, or stands for it.
pub fn is_same(live: &str, declared: &str, longest: usize) -> bool {
    live == declared || live == second(declared, longest)
}

/// See [`is_same`], for rows of a table.
pub fn same<const LONGEST: usize>(live: &Value, want: &Value) -> bool {
    let pair = live.as_str().zip(want.as_str());
    pair.is_some_and(|(live, want)| is_same(live, want, LONGEST))
}

/// The one of the two names that is free while `live` stands.
pub fn free(live: &str, declared: &str, longest: usize) -> String {
    if live == declared { second(declared, longest) } else { declared.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_take_turns_with_two_names() {
        let first = free("web", "web", 32);
        assert!(first.starts_with("web-") && first.len() == 10, "{first}");
        assert!(is_same(&first, "web", 32) && is_same("web", "web", 32));
        assert_eq!(free(&first, "web", 32), "web");
        assert!(!is_same("web-1", "web", 32) && !is_same(&first, "shop", 32));
    }

    #[test]
    fn a_long_name_is_cut() {
        let long = "a-very-long-name-of-32-character";
        assert_eq!((long.len(), free(long, long, 32).len()), (32, 32));
        assert!(!free("aaaaaaaaaaaaaaaaaaaaaaaa-bbb", "aaaaaaaaaaaaaaaaaaaaaaaa-bbb", 32).contains("--"));
    }
}
