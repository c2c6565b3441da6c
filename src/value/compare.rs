//! Equality with unknowns, and the order in which sets keep their elements.

use super::{Kind, Marks, Type, Value, quote};
use std::cmp::Ordering;
use std::fmt::Write;
use std::sync::Arc;

/// `a == b`: a bool or, when it cannot be told yet, an unknown one. Never converts: a number is not
/// equal to the string that reads like it. Nulls of all types are equal.
pub fn equal(a: &Value, b: &Value) -> Value {
    let marks: Marks = a.all_marks().union(b.all_marks());
    let result = match compare(a, b) {
        Some(known) => Value::bool(known),
        None => Value::unknown_not_null(Type::Bool),
    };
    result.marked(marks)
}

/// None when it cannot be told yet.
fn compare(a: &Value, b: &Value) -> Option<bool> {
    match (&a.kind, &b.kind) {
        (Kind::Unknown(_), Kind::Unknown(_)) => None,
        (Kind::Unknown(_), _) => compare(b, a),
        (_, Kind::Unknown(u)) => {
            let impossible = if a.is_null() {
                u.not_null
            } else {
                !u.ty.has_dynamic() && !a.has_type(&u.ty) || outside_refinements(a, u)
            };
            if impossible { Some(false) } else { None }
        }
        (Kind::Null(_), Kind::Null(_)) => Some(true),
        (Kind::Null(_), _) | (_, Kind::Null(_)) => Some(false),
        (Kind::Bool(x), Kind::Bool(y)) => Some(x == y),
        (Kind::Number(x), Kind::Number(y)) => Some(x == y),
        (Kind::String(x), Kind::String(y)) => Some(x == y),
        _ => compare_compound(a, b),
    }
}

fn outside_refinements(known: &Value, unknown: &super::Unknown) -> bool {
    let prefix = match (&unknown.prefix, known.as_str()) {
        (Some(prefix), Some(text)) => !text.starts_with(&**prefix),
        _ => false,
    };
    let length = match (unknown.length, known.length_bounds()) {
        (Some((least, most)), Some((low, high))) => high < least || low > most,
        _ => false,
    };
    let range = match (&unknown.range, known.as_number()) {
        (Some((least, most)), Some(n)) => n < least || n > most,
        _ => false,
    };
    prefix || length || range
}

fn compare_compound(a: &Value, b: &Value) -> Option<bool> {
    let (ta, tb) = (a.ty(), b.ty());
    let undecided = |v: &Value| v.any(&mut |v| matches!(&v.kind, Kind::Unknown(u) if u.ty == Type::Dynamic));
    if undecided(a) || undecided(b) {
        return if conforms(&ta, &tb) || conforms(&tb, &ta) { None } else { Some(false) };
    }
    if ta != tb {
        return Some(false);
    }
    match (&a.kind, &b.kind) {
        (Kind::Set(_, x), Kind::Set(_, y)) => {
            (a.is_wholly_known() && b.is_wholly_known()).then(|| x.len() == y.len() && all_equal(x, y))
        }
        (Kind::List(_, x), Kind::List(_, y)) | (Kind::Tuple(x), Kind::Tuple(y)) => {
            if x.len() != y.len() {
                return Some(false);
            }
            for (x, y) in x.iter().zip(y.iter()) {
                match compare(x, y) {
                    Some(true) => {}
                    decided => return decided,
                }
            }
            Some(true)
        }
        (Kind::Map(_, x), Kind::Map(_, y)) | (Kind::Object(x), Kind::Object(y)) => {
            if x.len() != y.len() || x.keys().ne(y.keys()) {
                return Some(false);
            }
            let parts: Vec<_> = x.values().zip(y.values()).map(|(x, y)| compare(x, y)).collect();
            if parts.contains(&Some(false)) {
                return Some(false);
            }
            parts.into_iter().all(|p| p == Some(true)).then_some(true)
        }
        _ => Some(false),
    }
}

/// Whether `given` is `want` but for what is `any` in that.
fn conforms(given: &Type, want: &Type) -> bool {
    match (given, want) {
        (_, Type::Dynamic) => true,
        (Type::Object(g), Type::Object(w)) => {
            let attribute = |(name, want): (&Arc<str>, &Type)| {
                g.attributes.get(name).is_some_and(|given| conforms(given, want))
            };
            g.attributes.len() == w.attributes.len() && w.attributes.iter().all(attribute)
        }
        (Type::Tuple(g), Type::Tuple(w)) => {
            g.len() == w.len() && g.iter().zip(w.iter()).all(|(given, want)| conforms(given, want))
        }
        (Type::List(g), Type::List(w)) | (Type::Set(g), Type::Set(w)) | (Type::Map(g), Type::Map(w)) => {
            conforms(g, w)
        }
        _ => given == want,
    }
}

fn all_equal(x: &[Value], y: &[Value]) -> bool {
    x.iter().zip(y).all(|(x, y)| compare(x, y) == Some(true))
}

/// The order of elements in sets: known, then unknown, then null; false before true, numbers by size,
/// strings by bytes. Anything compound is ordered as cty does, by a text made of it.
pub fn order(a: &Value, b: &Value) -> Ordering {
    match (&a.kind, &b.kind) {
        (Kind::Bool(x), Kind::Bool(y)) => x.cmp(y),
        (Kind::Number(x), Kind::Number(y)) => x.cmp(y),
        (Kind::String(x), Kind::String(y)) => x.cmp(y),
        _ => rank(a).cmp(&rank(b)).then_with(|| set_text(a).cmp(&set_text(b))),
    }
}

fn rank(v: &Value) -> u8 {
    match v.kind {
        Kind::Unknown(_) => 1,
        Kind::Null(_) => 2,
        _ => 0,
    }
}

/// Sorted, and without duplicates: unknown elements are all kept, for they may yet differ.
pub(super) fn sorted_set(mut items: Vec<Value>) -> Vec<Value> {
    let primitive = |v: &Value| matches!(v.kind, Kind::Bool(_) | Kind::Number(_) | Kind::String(_));
    if items.iter().all(primitive) {
        items.sort_by(order);
    } else {
        items.sort_by_cached_key(|v| (rank(v), set_text(v)));
        // Numbers sort by size even when a null or unknown stands beside them.
        items.sort_by(|a, b| if primitive(a) && primitive(b) { order(a, b) } else { Ordering::Equal });
    }
    items.dedup_by(|a, b| compare(a, b) == Some(true));
    items
}

fn set_text(v: &Value) -> String {
    let mut out = String::new();
    write_set_text(v, &mut out);
    out
}

fn write_set_text(v: &Value, out: &mut String) {
    match &v.kind {
        Kind::Unknown(_) => out.push('?'),
        Kind::Null(_) => out.push('~'),
        Kind::Bool(b) => out.push(if *b { 'T' } else { 'F' }),
        Kind::Number(n) => out.push_str(&n.to_general(Some(10))),
        Kind::String(s) => out.push_str(&quote(s)),
        Kind::List(_, items) | Kind::Set(_, items) => write_items(items.iter(), ('[', ']'), out),
        Kind::Tuple(items) => write_items(items.iter(), ('<', '>'), out),
        Kind::Map(_, items) => {
            out.push('{');
            for (key, value) in items.iter() {
                let _ = write!(out, "{}:", quote(key));
                write_set_text(value, out);
                out.push(';');
            }
            out.push('}');
        }
        Kind::Object(items) => write_items(items.values(), ('<', '>'), out),
    }
}

fn write_items<'a>(items: impl IntoIterator<Item = &'a Value>, ends: (char, char), out: &mut String) {
    out.push(ends.0);
    for item in items {
        write_set_text(item, out);
        out.push(';');
    }
    out.push(ends.1);
}

impl Value {
    /// Whether this value is of exactly type `ty`.
    pub fn has_type(&self, ty: &Type) -> bool {
        match (&self.kind, ty) {
            (Kind::Unknown(u), _) => u.ty == *ty,
            (Kind::Null(t), _) => t == ty,
            (Kind::Bool(_), Type::Bool)
            | (Kind::Number(_), Type::Number)
            | (Kind::String(_), Type::String) => true,
            (Kind::List(e, _), Type::List(t))
            | (Kind::Set(e, _), Type::Set(t))
            | (Kind::Map(e, _), Type::Map(t)) => *e == **t,
            (Kind::Tuple(items), Type::Tuple(types)) => {
                items.len() == types.len() && items.iter().zip(types.iter()).all(|(v, t)| v.has_type(t))
            }
            (Kind::Object(items), Type::Object(o)) => {
                items.len() == o.attributes.len()
                    && items.iter().zip(&o.attributes).all(|((k, v), (name, t))| k == name && v.has_type(t))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_never_converts() {
        assert_eq!(equal(&Value::int(1), &"1".into()), Value::bool(false));
        let items = vec![Value::int(1), Value::int(2)];
        let (tuple, list) = (Value::tuple(items.clone()), Value::list(Type::Number, items));
        assert_eq!(equal(&tuple, &list), Value::bool(false));
        assert_eq!(equal(&Value::null(Type::String), &Value::null(Type::Number)), Value::bool(true));
    }

    #[test]
    fn refinements_decide_some_comparisons_with_unknowns() {
        let id = Value::unknown_not_null(Type::String);
        assert_eq!(equal(&id, &Value::null(Type::Dynamic)), Value::bool(false));
        assert!(equal(&id, &"a".into()).is_unknown());
        assert_eq!(equal(&Value::unknown_prefixed("x-"), &"y".into()), Value::bool(false));
        assert_eq!(equal(&id, &Value::int(1)), Value::bool(false));
    }

    #[test]
    fn objects_differ_by_any_attribute_tuples_up_to_the_first_unknown() {
        let object = |a: Value, b: i64| Value::object([("a".into(), a), ("b".into(), b.into())].into());
        let unknown = Value::unknown(Type::String);
        assert_eq!(equal(&object(unknown.clone(), 1), &object("x".into(), 2)), Value::bool(false));
        let tuple = |a: Value, b: i64| Value::tuple(vec![a, b.into()]);
        assert!(equal(&tuple(unknown, 1), &tuple("x".into(), 2)).is_unknown());
    }

    #[test]
    fn sets_sort_drop_duplicates_and_hoist_marks() {
        let set = Value::set(Type::Number, vec![10.into(), 9.into(), Value::null(Type::Number), 10.into()]);
        assert_eq!(set.as_slice().unwrap(), [9.into(), 10.into(), Value::null(Type::Number)]);
        let set = Value::set(Type::String, vec![Value::string("a").sensitive(), "b".into()]);
        assert!(set.marks.sensitive && !set.children().any(|c| c.marks.sensitive));
    }

    #[test]
    fn unknown_elements_of_a_set_may_turn_out_the_same() {
        let unknown = Value::unknown(Type::String);
        let set = Value::set(Type::String, vec![unknown.clone(), unknown]);
        assert_eq!(set.length_bounds(), Some((1, 2)));
    }
}
