//! desired, applied, live → what differs, attribute by attribute.

mod compare;

pub use compare::{equal, json_equal};

use crate::schema::{Object, Presence, Replaces, Row, Shape, Table};
use crate::state::is_opaque;
use crate::value::Value;

/// Why an attribute differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The configuration changed since the last apply.
    Config,
    /// AWS answers something else than after the last apply.
    Drift,
    Both,
}

/// One attribute (top level) that will change.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeChange {
    pub name: String,
    pub before: Option<Value>,
    pub after: Value,
    pub cause: Cause,
    pub replaces: bool,
    pub sensitive: bool,
}

/// The objects that a diff is made from. `applied` and `seen` are None when unknown (import, recovery).
pub struct Sides<'a> {
    pub desired: &'a Object,
    pub applied: Option<&'a Object>,
    pub seen: Option<&'a Object>,
    pub live: &'a Object,
    /// Of the digests in `applied` and `seen`.
    pub salt: &'a str,
}

/// What to change so that live becomes desired. Empty: nothing to do.
pub fn diff(table: &'static Table, sides: &Sides<'_>) -> Vec<AttributeChange> {
    let compared = table.rows.iter().filter(|row| row.settable() && !row.write_only);
    compared.filter_map(|row| attribute(row, sides)).collect()
}

/// Names of the attributes to change.
pub fn differing(table: &'static Table, sides: &Sides<'_>) -> Vec<String> {
    diff(table, sides).into_iter().map(|attribute| attribute.name).collect()
}

fn attribute(row: &'static Row, sides: &Sides<'_>) -> Option<AttributeChange> {
    let desired =
        sides.desired.value(row.name).filter(|v| row.declares(v) || row.also_attribute && !v.is_null());
    let before_apply = sides.applied.and_then(|a| a.value(row.name)).filter(|v| row.declares(v));
    let live =
        if row.local { before_apply } else { sides.live.value(row.name).filter(|v| !row.is_absent(v)) };
    // A secret that was recorded and not read again: it was so when we last applied ours.
    let live = if live.is_some_and(is_opaque) { before_apply.or(live) } else { live };
    let after = match desired {
        Some(value) => value.clone(),
        // Undeclared: AWS's own business, unless we declared it before and it can be taken back.
        None if before_apply.is_none() || live.is_none() || row.presence != Presence::Optional => {
            return None;
        }
        None => empty(row),
    };
    if row.owned_elsewhere.is_some_and(|owned| owned(sides.live, sides.desired)) {
        return None;
    }
    let same = match live {
        Some(live) => equal(row, live, &after, sides.salt),
        // Nothing answered for an empty string, empty collection or a default of false.
        None if matches!(row.shape, Shape::Any) => after.is_null(),
        None => row.local && sides.applied.is_none() || is_nothing(&after),
    };
    if same {
        return None;
    }
    let replaces = match row.replaces {
        Replaces::Never => nested_replaces(row, live, &after, sides.salt),
        Replaces::Always => true,
        Replaces::If(test) => test(sides.live, sides.desired),
    };
    Some(AttributeChange {
        name: row.name.to_owned(),
        before: live.cloned(),
        cause: cause(row, sides, &after),
        sensitive: row.sensitive
            || [Some(&after), before_apply].into_iter().flatten().any(Value::contains_sensitive),
        after,
        replaces,
    })
}

fn cause(row: &'static Row, sides: &Sides<'_>, after: &Value) -> Cause {
    let differs = |a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(a), Some(b)) => !equal(row, a, b, sides.salt),
        (None, None) => false,
        (Some(v), None) | (None, Some(v)) => !is_nothing(v),
    };
    let config = differs(sides.applied.and_then(|a| a.value(row.name)), Some(after));
    let drift = !row.local
        && sides.seen.is_some()
        && differs(sides.seen.and_then(|s| s.value(row.name)), sides.live.value(row.name));
    match (config, drift) {
        (true, true) => Cause::Both,
        (false, true) => Cause::Drift,
        _ => Cause::Config,
    }
}

fn empty(row: &Row) -> Value {
    match row.shape {
        Shape::Blocks(nesting, t) => nesting.collect(t, Vec::new()),
        _ => Value::null(row.ty()),
    }
}

/// Null, `""`, `false`, 0 or an empty collection: what AWS answers by not answering.
pub fn is_nothing(value: &Value) -> bool {
    value.is_null()
        || value.as_str() == Some("")
        || value.as_bool() == Some(false)
        || value.as_i64() == Some(0)
        || value.as_slice().is_some_and(<[Value]>::is_empty)
        || value.as_map().is_some_and(|m| m.is_empty())
}

/// Whether a difference lies in a nested attribute that needs a new resource.
fn nested_replaces(row: &'static Row, live: Option<&Value>, desired: &Value, salt: &str) -> bool {
    let Shape::Blocks(_, table) = row.shape else { return false };
    let (Some(live), Some(desired)) = (live.and_then(Value::as_slice), desired.as_slice()) else {
        // A block added or removed: replaced if any of what it declares is immutable and the row says so.
        return false;
    };
    live.iter().zip(desired).any(|(live, desired)| {
        let (Some(live), Some(desired)) = (Object::of(live), Object::of(desired)) else { return false };
        let sides = Sides { desired: &desired, applied: None, seen: None, live: &live, salt };
        diff(table, &sides).iter().any(|change| change.replaces)
    })
}
