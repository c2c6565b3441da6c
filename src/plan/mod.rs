//! What will be done: changes, in data. Made by [`walk`], rendered by `render`, carried out by `apply`.

pub mod check;
pub mod desired;
pub mod ignore;
pub mod keys;
pub mod lint;
pub mod repeat;
pub mod schedule;
pub mod staging;
pub mod steps;
pub mod values;
pub mod walk;

use crate::addr::Address;
use crate::aws::RolloutStep;
use crate::diff::AttributeChange;
use crate::schema::Object;
use crate::state::Attributes;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    None,
    /// A data source that can only be read while applying.
    Read,
    Create,
    Update,
    Replace,
    Delete,
    /// It exists; from now on it is managed. Nothing else changes.
    Import,
    /// It lives on, but is no longer managed.
    Forget,
}

/// Why a change is planned, when the attributes do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// In state, but AWS no longer has it.
    Vanished,
    /// No longer in the configuration.
    NotDeclared,
    /// Its instance key is no longer produced by count or for_each.
    NoInstance,
    /// It had another kind of instance key: count became for_each, or the like.
    WrongRepetition,
    /// It moved to an address that nothing declares.
    NoMoveTarget,
    /// A data source whose arguments are not known yet.
    ConfigUnknown,
    /// A data source that depends on something that changes.
    DependencyPending,
    /// Its creation did not end well, or someone tainted it.
    Tainted,
    /// `replace_triggered_by`.
    Triggered,
    /// A rollout that an earlier run began has not been followed to its end.
    UnderWay,
    /// It took its cluster's default capacity providers, and those change.
    FollowsDefault,
    /// `--replace`.
    Requested,
    /// The old one of an unfinished replacement.
    Deposed,
    /// `destroy` was asked for.
    Destroy,
}

/// One resource instance's difference.
#[derive(Clone, Debug)]
pub struct Change {
    pub address: Address,
    pub provider: String,
    pub action: Action,
    pub reason: Option<Reason>,
    /// Of the live resource.
    pub id: Option<String>,
    pub before: Option<Object>,
    /// What it will be; unknown where AWS decides. Empty on delete.
    pub after: Object,
    /// Declared values with defaults, as evaluated now (may hold unknowns).
    pub desired: Object,
    pub attributes: Vec<AttributeChange>,
    pub rollout: Vec<RolloutStep>,
    /// The address that it had so far (`moved`).
    pub previous: Option<Address>,
    /// The id that it is imported by.
    pub importing: Option<String>,
    pub create_before_destroy: bool,
    pub prevent_destroy: bool,
    /// Managed resources it is made from, without instance keys.
    pub depends_on: Arc<BTreeSet<String>>,
    /// What was declared of one that goes: it says how to delete it. Empty otherwise.
    pub applied: Attributes,
}

impl Change {
    /// Nothing to do, not even in the state.
    pub fn is_nothing(&self) -> bool {
        self.action == Action::None && self.previous.is_none()
    }

    pub fn changed_names(&self) -> Vec<String> {
        self.attributes.iter().map(|a| a.name.clone()).collect()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct OutputChange {
    pub before: Option<serde_json::Value>,
    pub after: Value,
    pub sensitive: bool,
    pub changed: bool,
    /// Nothing declares it any more.
    pub removed: bool,
}

/// What a `check` block came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CheckResult {
    pub status: CheckStatus,
    /// What failed, in the words of the configuration.
    pub problems: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Pass,
    /// Known only after apply.
    Unknown,
    Fail,
}

/// Everything that apply needs to know, and all that renderers show.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// By address; those with nothing to do included.
    pub changes: Vec<Arc<Change>>,
    pub outputs: BTreeMap<String, OutputChange>,
    /// By address: `check.name`, `module.a.check.name`.
    pub checks: BTreeMap<String, CheckResult>,
    /// Serial of the state it was made from.
    pub serial: u64,
}

impl Plan {
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|c| c.action == action).count()
    }

    /// Whether applying would do anything at all.
    pub fn is_empty(&self) -> bool {
        self.changes.iter().all(|c| c.is_nothing()) && self.outputs.values().all(|o| !o.changed)
    }

    pub fn changes_resources(&self) -> bool {
        self.changes.iter().any(|c| !c.is_nothing() && c.action != Action::Read)
    }
}
