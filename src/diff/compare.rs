//! When two values of an attribute are the same.

use super::is_nothing;
use crate::schema::{Nesting, Object, Presence, Row, Shape, Table, blocks_in};
use crate::state::{is_digest, seal};
use crate::value::{Kind, Map, Value};

/// Whether `live` already is what `desired` asks for. Unknown is never the same.
pub fn equal(row: &'static Row, live: &Value, desired: &Value, salt: &str) -> bool {
    if desired.is_unknown() {
        return false;
    }
    if row.same.is_some_and(|same| same(live, desired)) {
        return true;
    }
    shape_equal(&row.shape, live, desired, salt)
}

fn shape_equal(shape: &'static Shape, live: &Value, desired: &Value, salt: &str) -> bool {
    if is_digest(live) != is_digest(desired) {
        return seal(live, salt).as_str() == seal(desired, salt).as_str();
    }
    match shape {
        Shape::Json => json_equal(live, desired),
        Shape::Blocks(nesting, table) => blocks_equal(*nesting, table, live, desired, salt),
        Shape::List(inner) => match (live.as_slice(), desired.as_slice()) {
            (Some(a), Some(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| shape_equal(inner, a, b, salt))
            }
            _ => is_nothing(live) && is_nothing(desired),
        },
        Shape::Set(inner) => match (live.as_slice(), desired.as_slice()) {
            (Some(a), Some(b)) => {
                a.len() == b.len() && b.iter().all(|b| a.iter().any(|a| shape_equal(inner, a, b, salt)))
            }
            _ => is_nothing(live) && is_nothing(desired),
        },
        Shape::Map(inner) => match (live.as_map(), desired.as_map()) {
            (Some(a), Some(b)) => {
                a.len() == b.len()
                    && b.iter().all(|(k, b)| a.get(k).is_some_and(|a| shape_equal(inner, a, b, salt)))
            }
            _ => is_nothing(live) && is_nothing(desired),
        },
        Shape::Any => any_equal(live, desired, salt),
        Shape::Str | Shape::Int | Shape::Float | Shape::Bool => {
            plain_equal(live, desired) || is_nothing(live) && is_nothing(desired)
        }
    }
}

/// Same value of the same type; secrets inside compare by their digests.
fn any_equal(live: &Value, desired: &Value, salt: &str) -> bool {
    if is_digest(live) != is_digest(desired) {
        return seal(live, salt).as_str() == seal(desired, salt).as_str();
    }
    let each =
        |a: &[Value], b: &[Value]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| any_equal(a, b, salt));
    let entries = |a: &Map, b: &Map| {
        a.len() == b.len() && b.iter().all(|(k, b)| a.get(k).is_some_and(|a| any_equal(a, b, salt)))
    };
    match (&live.kind, &desired.kind) {
        // The order of a set with secrets is that of the secrets, not of their digests.
        (Kind::Set(s, a), Kind::Set(t, b)) => {
            s == t && a.len() == b.len() && b.iter().all(|b| a.iter().any(|a| any_equal(a, b, salt)))
        }
        (Kind::List(s, a), Kind::List(t, b)) => s == t && each(a, b),
        (Kind::Tuple(a), Kind::Tuple(b)) => each(a, b),
        (Kind::Map(s, a), Kind::Map(t, b)) => s == t && entries(a, b),
        (Kind::Object(a), Kind::Object(b)) => entries(a, b),
        (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => false,
        (a, b) => a == b,
    }
}

/// Marks do not matter: a secret that did not change is the same.
fn plain_equal(a: &Value, b: &Value) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Number(x), Kind::Number(y)) => x == y,
        (x, y) => x == y,
    }
}

/// Same JSON document, whatever the order of keys and white space.
pub fn json_equal(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_str(), b.as_str()) else { return is_nothing(a) && is_nothing(b) };
    if a == b {
        return true;
    }
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    matches!((parse(a), parse(b)), (Some(a), Some(b)) if a == b)
}

fn blocks_equal(nesting: Nesting, table: &'static Table, live: &Value, desired: &Value, salt: &str) -> bool {
    let (live, desired) = (blocks_in(live), blocks_in(desired));
    if live.len() != desired.len() {
        return false;
    }
    match nesting {
        Nesting::List | Nesting::Single => {
            live.iter().zip(desired).all(|(l, d)| block_equal(table, l, d, salt))
        }
        Nesting::Set => {
            let mut left: Vec<&Value> = live.iter().collect();
            desired.iter().all(|d| match left.iter().position(|l| block_equal(table, l, d, salt)) {
                Some(at) => {
                    left.remove(at);
                    true
                }
                None => false,
            })
        }
    }
}

/// One block: what it declares must be live; what it does not declare must be nothing, or AWS's to choose.
fn block_equal(table: &'static Table, live: &Value, desired: &Value, salt: &str) -> bool {
    let (Some(live), Some(desired)) = (Object::of(live), Object::of(desired)) else { return false };
    table.rows.iter().filter(|r| r.settable()).all(|row| {
        let nothing = || Value::null(row.ty());
        let live_value = live.value(row.name).cloned().unwrap_or_else(nothing);
        match desired.value(row.name).filter(|v| row.declares(v)) {
            Some(wanted) => {
                equal(row, &live_value, wanted, salt)
                    || row.owned_elsewhere.is_some_and(|o| o(&live, &desired))
            }
            None if row.presence == Presence::OptionalComputed || row.local => true,
            None => match row.default {
                Some(default) => equal(row, &live_value, &default.value(), salt),
                None => is_nothing(&live_value),
            },
        }
    })
}
