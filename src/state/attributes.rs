//! Attributes as the state keeps them, small: those of every resource lie in memory for a whole run, and are
//! looked at once or twice.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// JSON by name, as one shared text: a tree of it takes ten times the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(
    /// None: there are none.
    Option<Arc<str>>,
);

impl Attributes {
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Reads them.
    pub fn open(&self) -> BTreeMap<String, Json> {
        let text = self.0.as_deref().unwrap_or("{}");
        serde_json::from_str(text).expect("it was written as JSON")
    }

    /// Whether this stands somewhere in them.
    pub fn mention(&self, text: &str) -> bool {
        self.0.as_deref().is_some_and(|all| all.contains(text))
    }
}

impl From<&BTreeMap<String, Json>> for Attributes {
    fn from(attributes: &BTreeMap<String, Json>) -> Self {
        let text = || serde_json::to_string(attributes).expect("JSON can be written").into();
        Self((!attributes.is_empty()).then(text))
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.open().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|attributes| Self::from(&attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_as_the_json_that_they_were_read_from() {
        for text in ["{}", r#"{"a":[1,2.5,null],"b":{"c":"d\"é"},"e":true}"#] {
            let read: Attributes = serde_json::from_str(text).expect("good JSON");
            assert_eq!(serde_json::to_string(&read).expect("can be written"), text);
            assert_eq!(read.is_empty(), text == "{}");
        }
    }
}
