//! `ignore_changes`: parts of what is wanted give way to what is live.

use crate::config::Lifecycle;
use crate::diag::{Diagnostic, Diagnostics, nearest};
use crate::lang::syntax::{Step, Traversal};
use crate::schema::{Object, Presence, Table};
use crate::value::{Kind, Value};
use std::sync::Arc;

/// Replaces ignored parts of desired by what is live.
pub fn ignore_changes(desired: &mut Object, live: &Object, lifecycle: &Lifecycle, table: &Table) {
    if lifecycle.ignore_all {
        for row in table.rows {
            desired.put(row.name, live.value(row.name).cloned());
        }
        return;
    }
    for path in &lifecycle.ignore_changes {
        // What is said of the tags goes for those with the provider's defaults, too.
        let names: &[&str] = if *path.root == *"tags" { &["tags", "tags_all"] } else { &[&path.root] };
        for name in names {
            match desired.value(name) {
                Some(want) if !path.steps.is_empty() => {
                    let kept = keep(want, live.value(name), &path.steps);
                    desired.put(name, Some(kept));
                }
                _ => desired.put(name, live.value(name).cloned()),
            }
        }
    }
}

/// `want` with what is live at a path. Where the path leads nowhere, nothing is ignored.
fn keep(want: &Value, live: Option<&Value>, steps: &[Step]) -> Value {
    let Some((step, rest)) = steps.split_first() else {
        return live.cloned().unwrap_or_else(|| Value::null(want.ty()));
    };
    let (name, index) = match step {
        Step::Attr(name, _) => (Some(&**name), None),
        Step::Index(key, _) => (key.as_str(), key.as_i64().and_then(|i| usize::try_from(i).ok())),
    };
    let kind = match (&want.kind, name, index) {
        // As in Terraform the name of an attribute does not lead into a map, and a key takes all of an object.
        (Kind::Map(..), Some(_), _) if matches!(step, Step::Attr(..)) => return want.clone(),
        (Kind::Object(_), Some(_), _) if rest.is_empty() && matches!(step, Step::Index(..)) => {
            return live.cloned().unwrap_or_else(|| want.clone());
        }
        (Kind::Map(t, entries), Some(name), _) => {
            Kind::Map(t.clone(), Arc::new(with_entry(entries, name, live, rest)))
        }
        (Kind::Object(entries), Some(name), _) => {
            let there = live.and_then(Value::as_map).and_then(|m| m.get(name));
            let (Some(part), Some(there)) = (entries.get(name), there) else { return want.clone() };
            let mut out = Entries::clone(entries);
            out.insert(name.into(), keep(part, Some(there), rest));
            Kind::Object(Arc::new(out))
        }
        (Kind::List(t, items), _, Some(i)) => {
            Kind::List(t.clone(), Arc::new(with_item(items, i, live, rest)))
        }
        (Kind::Tuple(items), _, Some(i)) => Kind::Tuple(Arc::new(with_item(items, i, live, rest))),
        // `block.attribute` for a block that stands once.
        (Kind::List(t, items), Some(_), None) if items.len() == 1 => {
            Kind::List(t.clone(), Arc::new(with_item(items, 0, live, steps)))
        }
        // No tags wanted, but one of them is to stay as it is.
        (Kind::Null(_), Some(name), _) if rest.is_empty() => {
            let Some(kept) = live.and_then(Value::as_map).and_then(|m| m.get(name)) else {
                return want.clone();
            };
            let crate::value::Type::Map(t) = want.ty() else { return want.clone() };
            return Value::map((*t).clone(), [(name.into(), kept.clone())].into()).marked(want.marks);
        }
        _ => return want.clone(),
    };
    Value { kind, marks: want.marks }
}

type Entries = crate::value::Map;

fn with_entry(entries: &Entries, name: &str, live: Option<&Value>, rest: &[Step]) -> Entries {
    let mut out = entries.clone();
    let there = live.and_then(Value::as_map).and_then(|m| m.get(name));
    match (rest.is_empty(), entries.get(name), there) {
        (true, _, Some(there)) => {
            out.insert(name.into(), there.clone());
        }
        (true, _, None) => {
            out.remove(name);
        }
        (false, Some(want), there) => {
            out.insert(name.into(), keep(want, there, rest));
        }
        (false, None, _) => {}
    }
    out
}

fn with_item(items: &[Value], index: usize, live: Option<&Value>, rest: &[Step]) -> Vec<Value> {
    let there = live.and_then(Value::as_slice).and_then(|l| l.get(index));
    let each = |(i, want): (usize, &Value)| match there {
        Some(there) if i == index => keep(want, Some(there), rest),
        _ => want.clone(),
    };
    items.iter().enumerate().map(each).collect()
}

/// Names that the type does not have, and those that are nobody's to ignore.
pub fn check_ignored(lifecycle: &Lifecycle, table: &Table, type_name: &str, diags: &mut Diagnostics) {
    for path in &lifecycle.ignore_changes {
        match table.row(&path.root) {
            None => diags.push(unknown(path, table, type_name)),
            Some(row) if row.presence == Presence::Computed => diags.push(
                Diagnostic::warning(
                    "redundant-ignore",
                    format!("`{}` is never set by the configuration", row.name),
                )
                .at(path.span)
                .help("its changes are never undone; remove it from `ignore_changes`"),
            ),
            Some(_) => {}
        }
    }
}

fn unknown(path: &Traversal, table: &Table, type_name: &str) -> Diagnostic {
    let d = Diagnostic::error("unknown-attribute", format!("`{type_name}` has no attribute `{}`", path.root))
        .at(path.span);
    match nearest(&path.root, table.rows.iter().map(|r| r.name)) {
        Some(near) => d.help(format!("did you mean `{near}`?")),
        None => d.help("`ignore_changes` names attributes of the resource, or is `all`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::value::{Type, convert, from_json};
    use serde_json::json;

    fn ignored(
        want: serde_json::Value,
        live: serde_json::Value,
        steps: &[serde_json::Value],
    ) -> serde_json::Value {
        let step = |s: &serde_json::Value| match s.as_str() {
            Some(name) => Step::Attr(name.into(), Span::default()),
            None => Step::Index(Value::int(s.as_i64().expect("a number")), Span::default()),
        };
        let steps: Vec<Step> = steps.iter().map(step).collect();
        crate::value::to_json(&keep(&from_json(&want), Some(&from_json(&live)), &steps)).expect("known")
    }

    #[test]
    fn one_key_of_a_map_stays_as_it_is_live() {
        let map = |json: serde_json::Value| {
            convert(&from_json(&json), &Type::map(Type::Number)).expect("a map of numbers")
        };
        let step = [Step::Index("x".into(), Span::default())];
        let ignored =
            |want, live| crate::value::to_json(&keep(&map(want), Some(&map(live)), &step)).expect("known");
        assert_eq!(ignored(json!({"x": 1, "y": 1}), json!({"x": 2, "y": 2})), json!({"x": 2, "y": 1}));
        assert_eq!(ignored(json!({"x": 1, "y": 1}), json!({"y": 2})), json!({"y": 1}));
        assert_eq!(ignored(json!({"y": 1}), json!({"x": 2, "y": 2})), json!({"x": 2, "y": 1}));
    }

    #[test]
    fn an_attribute_stays_as_it_is_live_where_there_is_one() {
        let steps = [json!("x")];
        assert_eq!(
            ignored(json!({"x": 1, "y": 1}), json!({"x": 2, "y": 2}), &steps),
            json!({"x": 2, "y": 1})
        );
        assert_eq!(ignored(json!({"x": 1, "y": 1}), json!({"y": 2}), &steps), json!({"x": 1, "y": 1}));
        assert_eq!(ignored(json!({"y": 1}), json!({"x": 2, "y": 2}), &steps), json!({"y": 1}));
    }

    #[test]
    fn one_attribute_of_one_element_stays_as_it_is_live() {
        let steps = [json!(1), json!("image")];
        let (want, live) = (
            json!([{"image": "a"}, {"image": "b", "cpu": 1}]),
            json!([{"image": "x"}, {"image": "y", "cpu": 2}]),
        );
        assert_eq!(ignored(want, live, &steps), json!([{"image": "a"}, {"image": "y", "cpu": 1}]));
    }

    #[test]
    fn an_element_that_is_not_live_is_wanted_as_written() {
        assert_eq!(ignored(json!([1, 2]), json!([5]), &[json!(1)]), json!([1, 2]));
        assert_eq!(ignored(json!([1, 2]), json!([5, 6, 7]), &[json!(0)]), json!([5, 2]));
    }
}
