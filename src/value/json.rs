//! Values to and from JSON.

use super::{Kind, Map, Type, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// JSON as jsondecode reads it: arrays become tuples, objects objects.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::null(Type::Dynamic),
        Json::Bool(b) => Value::bool(*b),
        Json::Number(n) => n.to_string().parse().map_or_else(|_| Value::null(Type::Number), Value::number),
        Json::String(s) => Value::string(s.as_str()),
        Json::Array(items) => Value::tuple(items.iter().map(from_json).collect()),
        Json::Object(items) => {
            let entries: Map = items.iter().map(|(k, v)| (Arc::from(k.as_str()), from_json(v))).collect();
            Value::object(entries)
        }
    }
}

/// None if any part is unknown. Marks are dropped: the caller decides what may be shown.
pub fn to_json(value: &Value) -> Option<Json> {
    Some(match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Number(n) => number_json(&n.to_string()),
        Kind::String(s) => Json::String(s.to_string()),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(to_json).collect::<Option<_>>()?)
        }
        Kind::Map(_, items) | Kind::Object(items) => Json::Object(
            items.iter().map(|(k, v)| Some((k.to_string(), to_json(v)?))).collect::<Option<_>>()?,
        ),
    })
}

fn number_json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}
