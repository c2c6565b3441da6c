//! What someone changed behind our back: live against what AWS answered right after our last apply.

use crate::addr::Address;
use crate::diff::{equal, is_nothing};
use crate::schema::{Object, Row, TypeSchema};
use crate::state::{Resource, State};
use crate::value::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Drift {
    pub resources: Vec<Drifted>,
    /// How many resources were compared.
    pub checked: usize,
    /// What cannot be compared, and why.
    pub unchecked: Vec<(Address, String)>,
}

#[derive(Clone, Debug)]
pub struct Drifted {
    pub address: Address,
    pub id: String,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// AWS no longer has it.
    Deleted,
    Changed(Vec<DriftedAttribute>),
}

#[derive(Clone, Debug)]
pub struct DriftedAttribute {
    pub name: String,
    pub was: Option<Value>,
    pub is: Option<Value>,
    pub sensitive: bool,
}

impl Drift {
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }
}

/// Compares every resource in state. `live` holds an entry for each; `schema` knows the types.
pub fn drift(
    state: &State,
    live: &BTreeMap<Address, Option<Object>>,
    schema: impl Fn(&str) -> Option<&'static TypeSchema>,
) -> Drift {
    let mut found = Drift { resources: Vec::new(), checked: 0, unchecked: Vec::new() };
    for (address, resource) in &state.resources {
        let (Some(schema), Some(live)) = (schema(&address.type_name), live.get(address)) else {
            found.unchecked.push((address.clone(), "it was not read".to_owned()));
            continue;
        };
        found.checked += 1;
        let kind = match live {
            None => Kind::Deleted,
            Some(live) => {
                let changed = changed(schema, resource, live, &state.salt);
                if changed.is_empty() {
                    continue;
                }
                Kind::Changed(changed)
            }
        };
        found.resources.push(Drifted { address: address.clone(), id: resource.id.clone(), kind });
    }
    found
}

fn changed(schema: &TypeSchema, resource: &Resource, live: &Object, salt: &str) -> Vec<DriftedAttribute> {
    let (applied, seen) = (resource.applied(schema.table), resource.seen(schema.table));
    let compared = |row: &&Row| {
        let declared = applied.has(row.name) || row.watched;
        let owned = row.owned_elsewhere.is_some_and(|owned| owned(live, &applied));
        row.settable() && declared && !row.local && !owned && row.name != "tags"
    };
    let differs = |row: &&'static Row| match (seen.value(row.name), live.value(row.name)) {
        (Some(a), Some(b)) => !equal(row, b, a, salt),
        (None, Some(v)) | (Some(v), None) => !is_nothing(v),
        (None, None) => false,
    };
    schema
        .table
        .rows
        .iter()
        .filter(|row| compared(row))
        .filter(differs)
        .map(|row| DriftedAttribute {
            name: row.name.to_owned(),
            was: seen.value(row.name).cloned(),
            is: live.value(row.name).cloned(),
            sensitive: row.sensitive || applied.value(row.name).is_some_and(Value::contains_sensitive),
        })
        .collect()
}
