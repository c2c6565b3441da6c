//! Sets.

use super::{Call, Failure};
use crate::value::{Type, Value, convert, equal, unify};

type Result<T = Value> = std::result::Result<T, Failure>;

pub fn union_type(args: &[Value]) -> Result<Type> {
    // An empty set of no type goes with all others.
    let empty =
        |v: &&Value| !(v.ty() == Type::set(Type::Dynamic) && v.as_slice().is_some_and(<[_]>::is_empty));
    let types: Vec<Type> = args.iter().filter(empty).map(Value::ty).collect();
    if types.is_empty() {
        return Ok(Type::set(Type::Dynamic));
    }
    unify(&types).ok_or_else(|| Failure::new("the sets must have elements of types that go together"))
}

fn converted(call: &Call) -> Result<Vec<Value>> {
    let one = |(i, v): (usize, &Value)| convert(v, call.ty).map_err(|e| Failure::arg(i, e.to_string()));
    call.args.iter().enumerate().map(one).collect()
}

fn set_of(call: &Call, items: Vec<Value>) -> Value {
    Value::set(call.ty.element().cloned().unwrap_or(Type::Dynamic), items)
}

fn has(set: &Value, item: &Value) -> bool {
    set.as_slice().unwrap_or_default().iter().any(|v| equal(v, item).as_bool() == Some(true))
}

pub fn setunion(call: &Call) -> Result {
    let sets = converted(call)?;
    Ok(set_of(call, sets.iter().flat_map(|s| s.as_slice().unwrap_or_default().iter().cloned()).collect()))
}

pub fn setintersection(call: &Call) -> Result {
    select(call, |others, item| others.iter().all(|set| has(set, item)))
}

pub fn setsubtract(call: &Call) -> Result {
    select(call, |others, item| !others.iter().any(|set| has(set, item)))
}

/// The elements of the first set that `keep` holds for, given the other sets.
fn select(call: &Call, keep: fn(&[Value], &Value) -> bool) -> Result {
    if call.args.iter().any(|v| !v.is_wholly_known()) {
        return Ok(Value::unknown(call.ty.clone()));
    }
    let sets = converted(call)?;
    let (first, others) = sets.split_first().ok_or_else(|| Failure::new("a set is required"))?;
    let items = first.as_slice().unwrap_or_default().iter().filter(|item| keep(others, item));
    Ok(set_of(call, items.cloned().collect()))
}

pub fn setproduct_type(args: &[Value]) -> Result<Type> {
    if args.len() < 2 {
        return Err(Failure::new("at least two sets or lists are required"));
    }
    let mut elements = Vec::new();
    let mut ordered = true;
    for (i, arg) in args.iter().enumerate() {
        elements.push(match arg.ty() {
            Type::Set(element) => {
                ordered = false;
                (*element).clone()
            }
            Type::List(element) => (*element).clone(),
            Type::Tuple(types) if types.is_empty() => Type::Dynamic,
            Type::Tuple(types) => unify(&types)
                .ok_or_else(|| Failure::arg(i, "all elements must have types that go together"))?,
            other => {
                return Err(Failure::arg(
                    i,
                    format!("a set or list is required, but this is {}", other.a_noun()),
                ));
            }
        });
    }
    let tuple = Type::tuple(elements);
    Ok(if ordered { Type::list(tuple) } else { Type::set(tuple) })
}

const LARGEST: usize = 1_000_000;

pub fn setproduct(call: &Call) -> Result {
    let marks = call.args.iter().fold(crate::value::Marks::NONE, |m, v| m.union(v.marks));
    let element = call.ty.element().cloned().unwrap_or(Type::Dynamic);
    let bounds: Vec<_> = call.args.iter().map(|v| v.length_bounds().unwrap_or((0, usize::MAX))).collect();
    // Even where an empty one among them decides it: Terraform looks at the unknown first.
    if call.args.iter().any(Value::is_unknown) || bounds.iter().any(|(least, most)| least != most) {
        return Ok(Value::unknown(call.ty.clone()).marked(marks));
    }
    let empty = bounds.contains(&(0, 0));
    let total = bounds
        .iter()
        .try_fold(1usize, |n, (_, count)| n.checked_mul(*count))
        .filter(|n| n.saturating_mul(bounds.len()) <= 4 * LARGEST && *n <= LARGEST || empty);
    let total = total.ok_or_else(|| Failure::new(format!("the product has more than {LARGEST} elements")))?;
    let Type::Tuple(types) = &element else { return Ok(Value::unknown(call.ty.clone())) };
    let mut rows: Vec<Vec<Value>> = if total == 0 { Vec::new() } else { vec![Vec::new()] };
    for (i, arg) in call.args.iter().enumerate().filter(|_| total > 0) {
        let mut longer = Vec::with_capacity(rows.len());
        for row in &rows {
            for item in arg.as_slice().unwrap_or_default() {
                let item = convert(item, &types[i]).map_err(|e| Failure::arg(i, e.to_string()))?;
                longer.push(row.iter().cloned().chain([item]).collect());
            }
        }
        rows = longer;
    }
    let items: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    let element = match items.first().filter(|_| element.has_dynamic()) {
        Some(first) => {
            let ty = first.ty();
            if items.iter().any(|item| item.ty() != ty) {
                return Err(Failure::new("all elements must have types that go together"));
            }
            ty
        }
        None => element,
    };
    let value = match call.ty {
        Type::Set(_) => Value::set(element, items),
        _ => Value::list(element, items),
    };
    Ok(value.marked(marks))
}
