//! Lists and tuples, and what works on any collection.

use super::{Call, Failure};
use crate::value::{Kind, Marks, Number, Type, Value, convert, equal, unify};
use unicode_segmentation::UnicodeSegmentation;

type Result<T = Value> = std::result::Result<T, Failure>;

fn is_sequence(ty: &Type) -> bool {
    matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_))
}

/// A list of these, of the element type the call returns.
pub(super) fn list_of(call: &Call, items: Vec<Value>) -> Value {
    Value::list(call.ty.element().cloned().unwrap_or(Type::Dynamic), items)
}

pub fn length(call: &Call) -> Result {
    let value = &call.args[0];
    if let Some((least, most)) = value.length_bounds() {
        let number = |n: usize| match i64::try_from(n) {
            Ok(n) => Number::from(n),
            Err(_) => Number::infinity(false),
        };
        let known = Value::unknown_between(number(least), number(most));
        return Ok(known.marked(value.marks));
    }
    match (&value.kind, value.ty()) {
        (Kind::String(s), _) => Ok(Value::int(s.graphemes(true).count() as i64).marked(value.marks)),
        (Kind::Unknown(_), Type::String | Type::Dynamic) => {
            let length = Value::unknown_between(Number::from(0), Number::infinity(false));
            Ok(length.marked(value.marks))
        }
        (_, ty) => Err(Failure::inside(0, format!("{} has no length", ty.a_noun()))),
    }
}

// --- Elements -------------------------------------------------------------------------------------

/// Negative ones count from the end, but only in lists: for tuples Terraform takes the remainder as it is.
fn wrapped(index: i64, count: usize, tuple: bool) -> Result<usize> {
    let length = i64::try_from(count).ok().filter(|length| *length > 0);
    let length = length.ok_or_else(|| Failure::new("an empty list has no elements"))?;
    if tuple && index % length < 0 {
        return Err(Failure::new("the index must not be negative, for this is a tuple")
            .help("use tolist() first, or list[length(list) - 1] for the last"));
    }
    usize::try_from(index.rem_euclid(length)).map_err(|_| Failure::new("there is no such element"))
}

pub fn element_type(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        Type::List(element) => Ok((*element).clone()),
        Type::Tuple(types) => match args[1].as_number() {
            Some(_) => {
                let index =
                    args[1].as_i64().ok_or_else(|| Failure::inside(1, "a whole number is required"))?;
                Ok(types[wrapped(index, types.len(), true)?].clone())
            }
            None => Ok(Type::Dynamic),
        },
        other => {
            Err(Failure::inside(0, format!("a list or tuple is required, but this is {}", other.a_noun())))
        }
    }
}

pub fn element(call: &Call) -> Result {
    let items = call.items(0);
    let tuple = matches!(call.args[0].kind, Kind::Tuple(_));
    let found = items[wrapped(call.whole(1)?, items.len(), tuple)?].clone();
    Ok(found.marked(call.args[0].marks))
}

pub fn index(call: &Call) -> Result {
    let list = &call.args[0];
    if !matches!(list.kind, Kind::List(..) | Kind::Tuple(_)) {
        return Err(Failure::new(format!("a list or tuple is required, but this is {}", list.ty().a_noun())));
    }
    for (i, item) in call.items(0).iter().enumerate() {
        match equal(item, &call.args[1]).as_bool() {
            Some(true) => return Ok(Value::int(i as i64)),
            Some(false) => {}
            None => return Ok(Value::unknown(Type::Number)),
        }
    }
    Err(Failure::new("the list has no such element").help("contains() tells whether there is one"))
}

pub fn contains(call: &Call) -> Result {
    let list = &call.args[0];
    if !is_sequence(&list.ty()) {
        return Err(Failure::inside(
            0,
            format!("a list, set or tuple is required, but this is {}", list.ty().a_noun()),
        ));
    }
    let mut undecided = false;
    for item in call.items(0) {
        match equal(item, &call.args[1]).as_bool() {
            Some(true) => return Ok(Value::bool(true)),
            Some(false) => {}
            None => undecided = true,
        }
    }
    Ok(if undecided { Value::unknown(Type::Bool) } else { Value::bool(false) })
}

pub fn one_type(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        Type::List(element) | Type::Set(element) => Ok((*element).clone()),
        Type::Tuple(types) if types.is_empty() => Ok(Type::Dynamic),
        Type::Tuple(types) if types.len() == 1 => Ok(types[0].clone()),
        Type::Tuple(types) => Err(too_many(types.len())),
        other => {
            Err(Failure::arg(0, format!("a list, set or tuple is required, but this is {}", other.a_noun())))
        }
    }
}

fn too_many(count: usize) -> Failure {
    Failure::arg(0, format!("there may be one element or none, but there are {count}"))
}

pub fn one(call: &Call) -> Result {
    match (call.items(0), call.args[0].length_bounds()) {
        (_, Some((least, most))) if least != most => Ok(Value::unknown(call.ty.clone())),
        ([], _) => Ok(Value::null(call.ty.clone())),
        ([only], _) => Ok(only.clone()),
        (items, _) => Err(too_many(items.len())),
    }
}

// --- Joining and cutting --------------------------------------------------------------------------

pub fn concat_type(args: &[Value]) -> Result<Type> {
    if args.is_empty() {
        return Err(Failure::new("at least one list is required"));
    }
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    if types.iter().all(|t| matches!(t, Type::List(_)))
        && let Some(common) = unify(&types)
    {
        return Ok(common);
    }
    let mut out = Vec::new();
    for (i, (arg, ty)) in args.iter().zip(&types).enumerate() {
        match ty {
            Type::Tuple(items) => out.extend(items.iter().cloned()),
            Type::List(element) => match arg.as_slice() {
                Some(items) => out.extend(items.iter().map(|_| (**element).clone())),
                None => return Ok(Type::Dynamic),
            },
            other => {
                return Err(Failure::arg(
                    i,
                    format!("a list or tuple is required, but this is {}", other.a_noun()),
                ));
            }
        }
    }
    Ok(Type::tuple(out))
}

pub fn concat(call: &Call) -> Result {
    let mut out = Vec::new();
    let mut marks = Marks::NONE;
    for arg in call.args {
        let list = match call.ty {
            Type::List(_) => convert(arg, call.ty).map_err(|e| Failure::new(e.to_string()))?,
            _ => arg.clone(),
        };
        marks = marks.union(list.marks);
        out.extend(list.as_slice().unwrap_or_default().iter().cloned());
    }
    let value = if matches!(call.ty, Type::List(_)) { list_of(call, out) } else { Value::tuple(out) };
    Ok(value.marked(marks))
}

pub fn chunklist_type(args: &[Value]) -> Result<Type> {
    Ok(Type::list(args[0].ty()))
}

pub fn chunklist(call: &Call) -> Result {
    let size = call.whole(1)?;
    let size = usize::try_from(size).map_err(|_| Failure::inside(1, "the size must not be negative"))?;
    let items = call.items(0);
    let inner = |chunk: &[Value]| {
        Value::list(call.args[0].ty().element().cloned().unwrap_or(Type::Dynamic), chunk.to_vec())
    };
    let chunks: Vec<Value> = match (size, items.len()) {
        (_, 0) => Vec::new(),
        (0, _) => vec![inner(items)],
        (size, _) => items.chunks(size).map(inner).collect(),
    };
    Ok(list_of(call, chunks).marked(call.args[0].marks))
}

fn bounds(args: &[Value], count: usize) -> Result<(usize, usize)> {
    let whole = |i: usize| {
        let n = args[i].as_i64().and_then(|n| usize::try_from(n).ok());
        n.ok_or_else(|| Failure::arg(i, "a whole number that is not negative is required"))
    };
    let (start, end) = (whole(1)?, whole(2)?);
    if start > count {
        return Err(Failure::arg(1, format!("the start {start} is beyond the {count} elements of the list")));
    }
    if end > count {
        return Err(Failure::arg(2, format!("the end {end} is beyond the {count} elements of the list")));
    }
    if start > end {
        return Err(Failure::arg(1, format!("the start {start} lies behind the end {end}")));
    }
    Ok((start, end))
}

pub fn slice_type(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        ty @ Type::List(_) => Ok(ty),
        Type::Tuple(types) if args[1].as_number().is_some() && args[2].as_number().is_some() => {
            let (start, end) = bounds(args, types.len())?;
            Ok(Type::tuple(types[start..end].iter().cloned()))
        }
        Type::Tuple(_) => Ok(Type::Dynamic),
        Type::Set(_) => Err(Failure::arg(0, "a set has no order to slice it by").help("use tolist() first")),
        other => Err(Failure::arg(0, format!("a list or tuple is required, but this is {}", other.a_noun()))),
    }
}

pub fn slice(call: &Call) -> Result {
    let items = call.items(0);
    let (start, end) = bounds(call.args, items.len())?;
    let part = items[start..end].to_vec();
    let value = if matches!(call.ty, Type::List(_)) { list_of(call, part) } else { Value::tuple(part) };
    Ok(value.marked(call.args[0].marks))
}

pub fn reverse_type(args: &[Value]) -> Result<Type> {
    match args[0].ty() {
        ty @ Type::List(_) => Ok(ty),
        Type::Set(element) => Ok(Type::List(element)),
        Type::Tuple(types) => Ok(Type::tuple(types.iter().rev().cloned())),
        other => {
            Err(Failure::arg(0, format!("a list, set or tuple is required, but this is {}", other.a_noun())))
        }
    }
}

pub fn reverse(call: &Call) -> Result {
    let items: Vec<Value> = call.items(0).iter().rev().cloned().collect();
    let value = if matches!(call.ty, Type::List(_)) { list_of(call, items) } else { Value::tuple(items) };
    Ok(value.marked(call.args[0].marks))
}

pub fn flatten_type(args: &[Value]) -> Result<Type> {
    // Terraform looks at the type only of what is known.
    if args[0].is_wholly_known() && !is_sequence(&args[0].ty()) {
        return Err(Failure::new(format!(
            "a list, set or tuple is required, but this is {}",
            args[0].ty().a_noun()
        )));
    }
    Ok(Type::Dynamic)
}

/// Always a tuple: the types of nested lists need not agree. Lists that are not known yet leave the
/// whole unknown.
pub fn flatten(call: &Call) -> Result {
    let mut out = Vec::new();
    let mut marks = Marks::NONE;
    if let Some(items) = call.args[0].as_map() {
        let values = Value::tuple(items.values().cloned().collect()).marked(call.args[0].marks);
        let known = flatten_into(&values, &mut out, &mut marks);
        return Ok(if known { Value::tuple(out) } else { Value::dynamic() }.marked(marks));
    }
    let known = flatten_into(&call.args[0], &mut out, &mut marks);
    Ok(if known { Value::tuple(out) } else { Value::dynamic() }.marked(marks))
}

fn flatten_into(list: &Value, out: &mut Vec<Value>, marks: &mut Marks) -> bool {
    *marks = marks.union(list.marks);
    let undecided = list.length_bounds().is_none_or(|(least, most)| least != most);
    let (Some(items), false) = (list.as_slice(), undecided) else { return false };
    let mut known = true;
    for item in items {
        match &item.kind {
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => known &= flatten_into(item, out, marks),
            Kind::Unknown(u) if u.ty == Type::Dynamic || is_sequence(&u.ty) => {
                *marks = marks.union(item.marks);
                known = false;
            }
            _ => out.push(item.clone()),
        }
    }
    known
}

pub fn coalesce_type(args: &[Value]) -> Result<Type> {
    if args.is_empty() {
        return Err(Failure::new("at least one argument is required"));
    }
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    unify(&types).ok_or_else(|| Failure::new("all arguments must have types that go together"))
}

pub fn coalesce(call: &Call) -> Result {
    for (i, arg) in call.args.iter().enumerate() {
        let value = convert(arg, call.ty).map_err(|e| Failure::arg(i, e.to_string()))?;
        if value.is_unknown() {
            return Ok(Value::unknown(call.ty.clone()));
        }
        if !value.is_null() && value.as_str() != Some("") {
            return Ok(value);
        }
    }
    Err(Failure::new("all arguments are null or empty strings")
        .help("make the last argument one that is neither"))
}

pub fn coalescelist_type(args: &[Value]) -> Result<Type> {
    let Some(first) = args.first().map(Value::ty) else {
        return Err(Failure::new("at least one list is required"));
    };
    let mut alike = true;
    for arg in args {
        // What comes before one that is not known yet must be lists all the same.
        if arg.is_unknown() {
            return Ok(Type::Dynamic);
        }
        let ty = arg.ty();
        if !matches!(ty, Type::List(_) | Type::Tuple(_)) {
            return Err(Failure::new("all arguments must be lists or tuples"));
        }
        alike &= ty == first;
    }
    Ok(if alike { first } else { Type::Dynamic })
}

pub fn coalescelist(call: &Call) -> Result {
    for arg in call.args {
        if arg.is_unknown() {
            return Ok(Value::unknown(call.ty.clone()));
        }
        if arg.as_slice().is_some_and(|items| !items.is_empty()) {
            return Ok(arg.clone());
        }
    }
    Err(Failure::new("all lists are empty or null"))
}

pub fn compact(call: &Call) -> Result {
    if !call.args[0].is_wholly_known() {
        return Ok(Value::unknown(Type::list(Type::String)));
    }
    let items = call.items(0).iter().filter(|v| v.as_str().is_some_and(|s| !s.is_empty()));
    Ok(Value::list(Type::String, items.cloned().collect()))
}

pub fn distinct(call: &Call) -> Result {
    let list = &call.args[0];
    if !list.is_wholly_known() {
        return Ok(Value::unknown(list.ty()));
    }
    let mut out: Vec<Value> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for item in call.items(0) {
        // Same type and same JSON means equal.
        if seen.insert(crate::value::json_text(item)) {
            out.push(item.clone());
        }
    }
    Ok(list_of(call, out))
}

pub fn sort(call: &Call) -> Result {
    let list = &call.args[0];
    let mut items = call.items(0).to_vec();
    if !list.is_wholly_known() {
        return Ok(Value::list(Type::String, items.iter().map(|_| Value::unknown(Type::String)).collect()));
    }
    if let Some(i) = items.iter().position(Value::is_null) {
        return Err(Failure::inside(0, format!("element {i} is null, which has no place in an order")));
    }
    items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    Ok(Value::list(Type::String, items))
}

pub fn alltrue(call: &Call) -> Result {
    for item in call.items(0) {
        match item.as_bool() {
            Some(true) => {}
            None if item.is_unknown() => return Ok(Value::unknown(Type::Bool)),
            _ => return Ok(Value::bool(false)),
        }
    }
    Ok(Value::bool(true))
}

pub fn anytrue(call: &Call) -> Result {
    let items = call.items(0);
    if items.iter().any(|v| v.as_bool() == Some(true)) {
        return Ok(Value::bool(true));
    }
    let undecided = items.iter().any(Value::is_unknown);
    Ok(if undecided { Value::unknown(Type::Bool) } else { Value::bool(false) })
}

pub fn first_type(args: &[Value]) -> Result<Type> {
    Ok(args[0].ty())
}

pub fn matchkeys(call: &Call) -> Result {
    let common = unify(&[call.args[1].ty(), call.args[2].ty()])
        .ok_or_else(|| Failure::new("keys and searchset must have elements of one type"))?;
    let as_common = |i: usize| convert(&call.args[i], &common).map_err(|e| Failure::arg(i, e.to_string()));
    let (keys, search) = (as_common(1)?, as_common(2)?);
    let (values, keys_list) = (call.items(0), keys.as_slice().unwrap_or_default());
    if values.len() != keys_list.len() {
        let what = format!(
            "there must be as many keys as values, but there are {} and {}",
            keys_list.len(),
            values.len()
        );
        return Err(Failure::new(what));
    }
    if search.as_slice().is_some_and(<[_]>::is_empty) {
        return Ok(list_of(call, Vec::new()));
    }
    if call.args[..2].iter().any(|v| !v.is_wholly_known()) {
        return Ok(Value::unknown(call.ty.clone()));
    }
    // What is unknown in the searchset matches nothing: Terraform's quirk.
    let wanted = |key: &Value| {
        search.as_slice().unwrap_or_default().iter().any(|s| equal(key, s).as_bool() == Some(true))
    };
    let found = values.iter().zip(keys_list).filter(|(_, key)| wanted(key)).map(|(v, _)| v.clone());
    Ok(list_of(call, found.collect()))
}
