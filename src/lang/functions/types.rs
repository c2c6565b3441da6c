//! Conversions to types, and marks.

use super::{Call, Failure};
use crate::value::{Kind, Map, Type, Value, convert};

type Result = std::result::Result<Value, Failure>;

fn to(call: &Call, ty: &Type) -> Result {
    let value = &call.args[0];
    let converted = convert(value, ty).map_err(|e| Failure::arg(0, e.to_string()))?;
    // Of an unknown value Terraform forgets here all that was known of it, but for its marks.
    Ok(if value.is_unknown() { Value::unknown(ty.clone()).marked(value.marks) } else { converted })
}

pub fn tostring(call: &Call) -> Result {
    to(call, &Type::String)
}

pub fn tonumber(call: &Call) -> Result {
    to(call, &Type::Number)
}

pub fn tobool(call: &Call) -> Result {
    to(call, &Type::Bool)
}

pub fn tolist(call: &Call) -> Result {
    to(call, &Type::list(Type::Dynamic))
}

pub fn toset(call: &Call) -> Result {
    to(call, &Type::set(Type::Dynamic))
}

pub fn tomap(call: &Call) -> Result {
    to(call, &Type::map(Type::Dynamic))
}

pub fn sensitive(call: &Call) -> Result {
    Ok(call.args[0].clone().sensitive())
}

pub fn nonsensitive(call: &Call) -> Result {
    let mut value = call.args[0].clone();
    value.marks.sensitive = false;
    Ok(value)
}

pub fn issensitive(call: &Call) -> Result {
    let value = &call.args[0];
    Ok(match value.marks.sensitive {
        true => Value::bool(true),
        false if value.is_unknown() => Value::unknown_not_null(Type::Bool),
        false => Value::bool(false),
    })
}

/// Null in place of whatever is ephemeral, so that the rest may be kept.
pub fn ephemeralasnull(call: &Call) -> Result {
    Ok(without_ephemeral(&call.args[0]))
}

fn without_ephemeral(value: &Value) -> Value {
    let mut marks = value.marks;
    if marks.ephemeral {
        marks.ephemeral = false;
        // An unknown one may come to be of another type than is known now.
        let left = if value.is_unknown() { Value::unknown(value.ty()) } else { Value::null(value.ty()) };
        return left.marked(marks);
    }
    let list = |items: &[Value]| items.iter().map(without_ephemeral).collect::<Vec<_>>();
    let map = |items: &Map| items.iter().map(|(k, v)| (k.clone(), without_ephemeral(v))).collect::<Map>();
    let inner = match &value.kind {
        Kind::List(ty, items) => Value::list(ty.clone(), list(items)),
        Kind::Tuple(items) => Value::tuple(list(items)),
        Kind::Map(ty, items) => Value::map(ty.clone(), map(items)),
        Kind::Object(items) => Value::object(map(items)),
        _ => return value.clone(),
    };
    inner.marked(marks)
}
