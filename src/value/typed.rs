//! Types and values of known types in JSON, as Terraform's state writes them.

use super::{Kind, Map, Number, Type, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// `"string"`, `["list", "number"]`, `["object", {"a": "bool"}]`.
pub fn type_json(ty: &Type) -> Json {
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

pub fn parse_type(json: &Json) -> Option<Type> {
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
        "list" => Type::list(parse_type(inner)?),
        "set" => Type::set(parse_type(inner)?),
        "map" => Type::map(parse_type(inner)?),
        "tuple" => Type::tuple(inner.as_array()?.iter().map(parse_type).collect::<Option<Vec<_>>>()?),
        "object" => {
            let each = inner.as_object()?.iter();
            let attributes: Option<Vec<_>> =
                each.map(|(k, t)| Some((Arc::from(k.as_str()), parse_type(t)?))).collect();
            Type::object(attributes?)
        }
        _ => return None,
    })
}

/// None if any part is unknown. What `stand_in` gives stands for a part instead of the part itself.
pub fn typed_json(value: &Value, stand_in: &dyn Fn(&Value) -> Option<Json>) -> Option<Json> {
    if let Some(json) = stand_in(value) {
        return Some(json);
    }
    Some(match &value.kind {
        Kind::Unknown(_) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        // As text: readers of JSON round what has more digits than a double.
        Kind::Number(n) => n.to_i64().map_or_else(|| Json::String(n.to_string()), Json::from),
        Kind::String(s) => Json::String(s.to_string()),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Json::Array(items.iter().map(|v| typed_json(v, stand_in)).collect::<Option<_>>()?)
        }
        Kind::Map(_, items) | Kind::Object(items) => {
            let entries = items.iter().map(|(k, v)| Some((k.to_string(), typed_json(v, stand_in)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
    })
}

/// The value of type `ty` that `json` is; None where it is none. `stand_in` knows what strings stand for
/// something else.
pub fn value_of_type(json: &Json, ty: &Type, stand_in: &dyn Fn(&str) -> Option<Value>) -> Option<Value> {
    if let Some(value) = json.as_str().and_then(stand_in) {
        return Some(value);
    }
    let items = |of: &dyn Fn(usize) -> Option<Type>| -> Option<Vec<Value>> {
        let each = json.as_array()?.iter().enumerate();
        each.map(|(i, item)| value_of_type(item, &of(i)?, stand_in)).collect()
    };
    let entries = |of: &dyn Fn(&str) -> Option<Type>| -> Option<Map> {
        let each = json.as_object()?.iter();
        each.map(|(k, v)| Some((Arc::from(k.as_str()), value_of_type(v, &of(k)?, stand_in)?))).collect()
    };
    Some(match (json, ty) {
        (Json::Null, _) => Value::null(ty.clone()),
        (_, Type::Dynamic) => super::from_json(json),
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
        let ty = parse_type(&type_json(&value.ty())).expect("well formed");
        assert_eq!(ty, value.ty());
        let json = typed_json(&value, &|_| None).expect("known");
        assert_eq!(value_of_type(&json, &ty, &|_| None), Some(value));
    }
}
