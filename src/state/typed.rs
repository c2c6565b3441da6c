//! Values of any type as state keeps them: with the type beside, so that a list comes back a list.

use super::{is_digest, seal};
use crate::value::{Value, parse_type, to_json, type_json, typed_json, value_of_type};
use serde_json::{Value as Json, json};

/// `{"type": …, "value": …}`, sensitive parts sealed; None if any part is unknown.
pub(super) fn pack(value: &Value, salt: &str) -> Option<Json> {
    let sealed = |part: &Value| (part.marks.sensitive && !part.is_null()).then(|| to_json(&seal(part, salt)));
    Some(json!({ "type": type_json(&value.ty()), "value": typed_json(value, &|v| sealed(v).flatten())? }))
}

pub(super) fn unpack(json: &Json) -> Option<Value> {
    let digest = |text: &str| Some(Value::string(text)).filter(is_digest).map(Value::sensitive);
    value_of_type(json.get("value")?, &parse_type(json.get("type")?)?, &digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_inside_are_sealed() {
        let secret = Value::int(4711).sensitive();
        let value = Value::object([("a".into(), secret.clone()), ("b".into(), "x".into())].into());
        let json = pack(&value, "salt").expect("known");
        assert!(!json["value"].to_string().contains("4711"), "{json}");
        let back = unpack(&json).expect("well formed");
        let sealed = &back.as_map().expect("an object")["a"];
        assert_eq!(sealed.as_str(), seal(&secret, "salt").as_str());
        assert!(sealed.marks.sensitive);
    }
}
