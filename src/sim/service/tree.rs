//! Small writers of the value tree, and tags as most services have them.

use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub type Tags = BTreeMap<String, String>;

/// Optional members: an absent one does not appear in the answer at all.
pub trait Output {
    fn with<V: Into<Json>>(self, name: &str, value: Option<V>) -> Self;
}

impl Output for Json {
    fn with<V: Into<Json>>(mut self, name: &str, value: Option<V>) -> Self {
        if let (Json::Object(members), Some(value)) = (&mut self, value) {
            members.insert(name.to_owned(), value.into());
        }
        self
    }
}

/// `[{Key, Value}]` to a map; a missing value is empty, as AWS has it.
pub fn tags(list: &[Json]) -> Tags {
    list.iter()
        .filter_map(|tag| {
            let value = tag.get("Value").and_then(Json::as_str).unwrap_or_default();
            Some((tag.get("Key")?.as_str()?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// A map to `[{Key, Value}]`.
pub fn tag_list(tags: &Tags) -> Json {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
