//! Values of any type as state keeps them: with the type beside, so that a list comes back a list.

use super::{is_digest, seal};
use crate::value::{Kind, Map, Number, Type, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// `{"type": …, "value": …}`, sensitive parts sealed; None if any part is unknown.
pub(super) fn pack(value: &Value, salt: &str) -> Option<Json> {
    Some(json!({ "type": type_json(&value.ty()), "value": value_json(value, salt)? }))
}

pub(super) fn unpack(json: &Json) -> Option<Value> {
    let ty = type_from(json.get("type")?)?;
    value_from(json.get("value")?, &ty)
}

fn value_json(value: &Value, salt: &str) -> Option<Json> {
    if value.marks.sensitive && !value.is_null() {
        return crate::value::to_json(&seal(value, salt));
    }
    Some(match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        // As text: JSON readers round what has more digits than a double.
        Kind::Number(n) => n.to_i64().map_or_else(|| Json::String(n.to_string()), Json::from),
        Kind::String(s) => Json::String(s.to_string()),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(|v| value_json(v, salt)).collect::<Option<_>>()?)
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            let entries = items.iter().map(|(k, v)| Some((k.to_string(), value_json(v, salt)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
    })
}

fn value_from(json: &Json, ty: &Type) -> Option<Value> {
    if let Json::String(text) = json {
        let digest = Value::string(text.as_str());
        if is_digest(&digest) {
            return Some(digest.sensitive());
        }
    }
    let items = |of: &dyn Fn(usize) -> Option<Type>| -> Option<Vec<Value>> {
        json.as_array()?.iter().enumerate().map(|(i, item)| value_from(item, &of(i)?)).collect()
    };
    let entries = |of: &dyn Fn(&str) -> Option<Type>| -> Option<Map> {
        let each = json.as_object()?.iter();
        each.map(|(k, v)| Some((Arc::from(k.as_str()), value_from(v, &of(k)?)?))).collect()
    };
    Some(match (json, ty) {
        (Json::Null, _) => Value::null(ty.clone()),
        (Json::Bool(b), Type::Bool) => Value::bool(*b),
        (Json::Number(n), Type::Number) => Value::number(n.to_string().parse().ok()?),
        (Json::String(s), Type::Number) => Value::number(s.parse::<Number>().ok()?),
        (Json::String(s), Type::String) => Value::string(s.as_str()),
        (_, Type::List(t)) => Value::list((**t).clone(), items(&|_| Some((**t).clone()))?),
        (_, Type::Set(t)) => Value::set((**t).clone(), items(&|_| Some((**t).clone()))?),
        (_, Type::Tuple(types)) => Value::tuple(items(&|i| types.get(i).cloned())?),
        (_, Type::Map(t)) => Value::map((**t).clone(), entries(&|_| Some((**t).clone()))?),
        (_, Type::Object(o)) => Value::object(entries(&|name| o.attributes.get(name).cloned())?),
        _ => return None,
    })
}

/// Types as Terraform's state writes them: `"string"`, `["list", "number"]`, `["object", {…}]`.
fn type_json(ty: &Type) -> Json {
    match ty {
        Type::Dynamic => json!("dynamic"),
        Type::Bool => json!("bool"),
        Type::Number => json!("number"),
        Type::String => json!("string"),
        Type::List(t) => json!(["list", type_json(t)]),
        Type::Set(t) => json!(["set", type_json(t)]),
        Type::Map(t) => json!(["map", type_json(t)]),
        Type::Tuple(items) => json!(["tuple", items.iter().map(type_json).collect::<Vec<_>>()]),
        Type::Object(o) => {
            let attributes = o.attributes.iter().map(|(k, t)| (k.to_string(), type_json(t)));
            json!(["object", Json::Object(attributes.collect())])
        }
    }
}

fn type_from(json: &Json) -> Option<Type> {
    if let Some(name) = json.as_str() {
        return Some(match name {
            "dynamic" => Type::Dynamic,
            "bool" => Type::Bool,
            "number" => Type::Number,
            "string" => Type::String,
            _ => return None,
        });
    }
    let [kind, inner] = json.as_array()?.as_slice() else { return None };
    Some(match kind.as_str()? {
        "list" => Type::list(type_from(inner)?),
        "set" => Type::set(type_from(inner)?),
        "map" => Type::map(type_from(inner)?),
        "tuple" => Type::tuple(inner.as_array()?.iter().map(type_from).collect::<Option<Vec<_>>>()?),
        "object" => {
            let each = inner.as_object()?.iter();
            let attributes: Option<Vec<_>> =
                each.map(|(k, t)| Some((Arc::from(k.as_str()), type_from(t)?))).collect();
            Type::object(attributes?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_comes_back_as_it_was() {
        let number: Number = "123456789012345678901234567890.5".parse().expect("a number");
        let inner: Map = [
            ("set".into(), Value::set(Type::Number, vec![Value::number(number), Value::int(2)])),
            ("empty".into(), Value::list(Type::object([("a".into(), Type::Bool)]), Vec::new())),
            ("map".into(), Value::map(Type::String, [("k".into(), "v".into())].into())),
            ("null".into(), Value::null(Type::String)),
        ]
        .into();
        let value = Value::tuple(vec![Value::object(inner), Value::null(Type::Dynamic), true.into()]);
        assert_eq!(unpack(&pack(&value, "salt").expect("known")), Some(value));
    }

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
