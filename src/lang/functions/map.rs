//! Maps and objects.

use super::{Call, Failure};
use crate::value::{Kind, Map, Marks, Type, Value, convert};
use std::collections::BTreeMap;
use std::sync::Arc;

type Result<T = Value> = std::result::Result<T, Failure>;

pub fn lookup_type(args: &[Value]) -> Result<Type> {
    if args.len() > 3 {
        return Err(Failure::inside(3, "there can be only one default"));
    }
    let default = args.get(2);
    match args[0].ty() {
        Type::Object(object) => {
            let Some(key) = args[1].as_str() else { return Ok(Type::Dynamic) };
            match (object.attributes.get(key), default) {
                (Some(ty), _) => Ok(ty.clone()),
                (None, Some(default)) => Ok(default.ty()),
                (None, None) => {
                    Err(Failure::arg(0, format!("the object has no attribute {}", shown_key(&args[1])))
                        .help("give a default as the third argument"))
                }
            }
        }
        Type::Map(element) => {
            if let Some(default) = default {
                convert(default, &element).map_err(|_| {
                    let what =
                        format!("the default must be {}, as the elements of the map are", element.a_noun());
                    Failure::arg(2, what)
                })?;
            }
            Ok((*element).clone())
        }
        other => Err(Failure::arg(0, format!("a map or object is required, but this is {}", other.a_noun()))),
    }
}

fn shown_key(key: &Value) -> String {
    match key.as_str() {
        Some(text) if !key.marks.sensitive => format!("`{text}`"),
        _ => "with this (sensitive) name".to_owned(),
    }
}

pub fn lookup(call: &Call) -> Result {
    let (map, key) = (&call.args[0], &call.args[1]);
    let marks = map.marks.union(key.marks);
    let found = map.as_map().and_then(|items| items.get(key.as_str()?));
    match (found, call.args.get(2)) {
        (Some(value), _) => Ok(value.clone().marked(marks)),
        (None, Some(default)) => {
            let default = convert(default, call.ty).map_err(|e| Failure::arg(2, e.to_string()))?;
            Ok(default.marked(marks))
        }
        (None, None) => Err(Failure::new(format!("the map has no element {}", shown_key(key)))
            .help("give a default as the third argument")),
    }
}

pub fn keys_type(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        Type::Map(_) => Ok(Type::list(Type::String)),
        Type::Object(o) => Ok(Type::tuple(o.attributes.keys().map(|_| Type::String))),
        other => Err(Failure::arg(0, format!("a map or object is required, but this is {}", other.a_noun()))),
    }
}

/// The keys of an object are known from its type.
pub fn keys(call: &Call) -> Result {
    let marks = call.args[0].marks;
    let names: Vec<Arc<str>> = match (&call.args[0].kind, call.args[0].ty()) {
        (Kind::Map(_, items) | Kind::Object(items), _) => items.keys().cloned().collect(),
        (_, Type::Object(o)) => o.attributes.keys().cloned().collect(),
        _ => return Ok(Value::unknown(call.ty.clone()).marked(marks)),
    };
    let names: Vec<Value> = names.into_iter().map(Value::string).collect();
    let value = if matches!(call.ty, Type::List(_)) {
        super::collection::list_of(call, names)
    } else {
        Value::tuple(names)
    };
    Ok(value.marked(marks))
}

pub fn values_type(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        Type::Map(element) => Ok(Type::List(element)),
        Type::Object(o) => Ok(Type::tuple(o.attributes.values().cloned())),
        other => {
            Err(Failure::inside(0, format!("a map or object is required, but this is {}", other.a_noun())))
        }
    }
}

pub fn values(call: &Call) -> Result {
    let items: Vec<Value> = call.args[0].as_map().into_iter().flat_map(|m| m.values().cloned()).collect();
    let value = if matches!(call.ty, Type::List(_)) {
        super::collection::list_of(call, items)
    } else {
        Value::tuple(items)
    };
    Ok(value.marked(call.args[0].marks))
}

pub fn merge_type(args: &[Value]) -> Result<Type> {
    let mut attributes: BTreeMap<Arc<str>, Type> = Default::default();
    let (mut alike, mut complete) = (true, true);
    let Some(first) = args.first().map(Value::ty) else { return Ok(Type::object([])) };
    for arg in args {
        let ty = arg.ty();
        match (&ty, &arg.kind) {
            (Type::Dynamic, _) => return Ok(Type::Dynamic),
            (Type::Object(_) | Type::Map(_), Kind::Null(_)) => {}
            (Type::Object(o), _) => {
                attributes.extend(o.attributes.iter().map(|(k, t)| (k.clone(), t.clone())))
            }
            (Type::Map(element), Kind::Map(_, items)) => {
                attributes.extend(items.keys().map(|k| (k.clone(), (**element).clone())));
            }
            (Type::Map(_), _) => complete = false,
            (other, _) => {
                return Err(Failure::new(format!(
                    "only maps and objects can be merged, but there is {}",
                    other.a_noun()
                )));
            }
        }
        alike &= ty == first;
    }
    Ok(match (alike, complete) {
        (true, _) => first,
        (false, false) => Type::Dynamic,
        (false, true) => Type::object(attributes),
    })
}

pub fn merge(call: &Call) -> Result {
    let mut out = Map::new();
    let mut marks = Marks::NONE;
    for arg in call.args {
        marks = marks.union(arg.marks);
        match (arg.as_map(), arg.is_null()) {
            (Some(items), _) => out.extend(items.iter().map(|(k, v)| (k.clone(), v.clone()))),
            (None, true) => {}
            (None, false) => {
                return Err(Failure::new(format!(
                    "only maps and objects can be merged, but there is {}",
                    arg.ty().a_noun()
                )));
            }
        }
    }
    let value = match call.ty {
        Type::Map(element) => Value::map((**element).clone(), out),
        _ => Value::object(out),
    };
    Ok(value.marked(marks))
}

pub fn zipmap_type(args: &[Value]) -> Result<Type> {
    match args[1].ty() {
        Type::List(element) => Ok(Type::Map(element)),
        Type::Tuple(types) => {
            if !args[0].is_wholly_known() {
                return Ok(Type::Dynamic);
            }
            let keys = args[0].as_slice().unwrap_or_default();
            check_counts(keys.len(), types.len())?;
            let name = |k: &Value| Arc::from(k.as_str().unwrap_or_default());
            Ok(Type::object(keys.iter().zip(types.iter()).map(|(k, t)| (name(k), t.clone()))))
        }
        other => {
            Err(Failure::inside(1, format!("a list or tuple is required, but this is {}", other.a_noun())))
        }
    }
}

fn check_counts(keys: usize, values: usize) -> Result<()> {
    if keys == values {
        return Ok(());
    }
    Err(Failure::new(format!("there must be as many keys as values, but there are {keys} and {values}")))
}

pub fn zipmap(call: &Call) -> Result {
    let (keys, values) = (call.items(0), call.items(1));
    let marks = call.args[0].all_marks().union(call.args[1].marks);
    if !call.args[0].is_wholly_known() {
        return Ok(Value::unknown(call.ty.clone()).marked(marks));
    }
    check_counts(keys.len(), values.len())?;
    let mut out = Map::new();
    for (i, (key, value)) in keys.iter().zip(values).enumerate() {
        let key = key.as_str().ok_or_else(|| Failure::inside(0, format!("key {i} is null")))?;
        out.insert(key.into(), value.clone());
    }
    let value = match call.ty {
        Type::Map(element) => Value::map((**element).clone(), out),
        _ => Value::object(out),
    };
    Ok(value.marked(marks))
}

pub fn transpose(call: &Call) -> Result {
    let ty = Type::list(Type::String);
    if !call.args[0].is_wholly_known() {
        return Ok(Value::unknown(Type::map(ty)));
    }
    let mut out: BTreeMap<Arc<str>, Vec<Value>> = Default::default();
    for (key, list) in call.args[0].as_map().into_iter().flatten() {
        if list.is_null() {
            return Err(Failure::new(format!("the list under `{key}` is null")));
        }
        for item in list.as_slice().unwrap_or_default() {
            let item =
                item.as_str().ok_or_else(|| Failure::new(format!("a list element under `{key}` is null")))?;
            out.entry(item.into()).or_default().push(Value::string(key.clone()));
        }
    }
    // The input is in key order, so every list is sorted already.
    let lists = out.into_iter().map(|(k, keys)| (k, Value::list(Type::String, keys))).collect();
    Ok(Value::map(ty, lists))
}
