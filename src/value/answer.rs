//! Values as JSON that loses nothing: with types, exact numbers, and which parts are unknown or sensitive.

use super::{Kind, Value, type_json};
use serde_json::{Value as Json, json};

/// The known parts, numbers as `{"$n": "text"}`; unknown parts are null in lists and missing in objects.
pub fn exact_json(value: &Value) -> Json {
    match &value.kind {
        Kind::Unknown(_) | Kind::Null(_) => Json::Null,
        Kind::Bool(b) => json!(b),
        Kind::Number(n) => json!({ "$n": n.in_plan().to_string() }),
        Kind::String(s) => json!(&**s),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(exact_json).collect())
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            let known = items.iter().filter(|(_, v)| !v.is_unknown());
            Json::Object(known.map(|(k, v)| (k.to_string(), exact_json(v))).collect())
        }
    }
}

/// True where `test` holds, in the value's own shape: false elsewhere in lists, nothing in objects (as
/// Terraform's `after_unknown` and `after_sensitive`).
pub fn shape_json(value: &Value, test: &dyn Fn(&Value) -> bool) -> Json {
    if test(value) {
        return Json::Bool(true);
    }
    match (value.as_slice(), value.as_map()) {
        (Some(items), _) => Json::Array(items.iter().map(|v| shape_json(v, test)).collect()),
        (_, Some(items)) => {
            let shapes = items.iter().map(|(k, v)| (k.to_string(), shape_json(v, test)));
            Json::Object(shapes.filter(|(_, v)| *v != Json::Bool(false)).collect())
        }
        _ => Json::Bool(false),
    }
}

/// One answer: `type`, `value`, `unknown`, `sensitive`. Nothing has a type while parts of it are unknown,
/// and null has none: what Terraform records of outputs.
pub fn answer_json(value: &Value) -> serde_json::Map<String, Json> {
    let mut answer = serde_json::Map::new();
    let known = value.is_wholly_known();
    let ty = match known {
        true if value.is_null() => json!("dynamic"),
        true => type_json(&value.ty()),
        false => Json::Null,
    };
    answer.insert("type".into(), ty);
    if !value.is_unknown() {
        answer.insert("value".into(), exact_json(value));
    }
    if !known {
        answer.insert("unknown".into(), shape_json(value, &Value::is_unknown));
    }
    if value.contains_sensitive() {
        answer.insert("sensitive".into(), shape_json(value, &|v| v.marks.sensitive));
    }
    answer
}
