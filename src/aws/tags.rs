//! Tags, the same way for every type: what is declared, what the provider adds, what AWS and we hide.

use crate::schema::{Attr, Object, StrMap};
use std::collections::BTreeMap;

/// Declared tags of this resource.
pub const TAGS: Attr<StrMap> = Attr::<StrMap>::optional("tags");
/// Declared tags and the provider's `default_tags`; this is what is sent and compared.
pub const TAGS_ALL: Attr<StrMap> = Attr::<StrMap>::optional_computed("tags_all");

/// Tag that a creation carries, so that a killed one is found again. Never shown, never compared.
pub const OWNERSHIP: &str = "cutover:intent";

/// Whether people see a tag: AWS's own and ours are hidden.
pub fn visible(key: &str) -> bool {
    !key.starts_with("aws:") && !key.starts_with("cutover:") && key != "AmazonECSManaged"
}

/// Sets `tags_all` from what AWS answered: (key, value) pairs. (`tags` is derived by the engine.)
pub fn read<K: Into<String>, V: Into<String>>(object: &mut Object, pairs: impl IntoIterator<Item = (K, V)>) {
    let tags: BTreeMap<String, String> =
        pairs.into_iter().map(|(k, v)| (k.into(), v.into())).filter(|(k, _)| visible(k)).collect();
    object.set(&TAGS_ALL, tags);
}

/// The tags to send at creation: wanted ones and the ownership tag.
pub fn for_creation(want: &Object, token: &str) -> BTreeMap<String, String> {
    let mut tags = want.all(&TAGS_ALL);
    tags.insert(OWNERSHIP.to_owned(), token.to_owned());
    tags
}

/// What to set and what to remove, to get from live to wanted tags.
pub fn difference(live: &Object, want: &Object) -> (BTreeMap<String, String>, Vec<String>) {
    let (have, wanted) = (live.all(&TAGS_ALL), want.all(&TAGS_ALL));
    let set = wanted.iter().filter(|(k, v)| have.get(*k) != Some(v)).map(|(k, v)| (k.clone(), v.clone()));
    let removed = have.keys().filter(|k| !wanted.contains_key(*k)).cloned();
    (set.collect(), removed.collect())
}
