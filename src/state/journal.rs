//! The journal: what we are about to do, and what came of it. State is a fold over it.
//!
//! An intent is on disk before its call is made; a result before the next step starts. One JSON object
//! a line; a last line cut short by a crash is ignored.

use super::{Attributes, Deposed, OpenRollout, Resource, State, without_keys};
use crate::addr::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A run of `apply` or `destroy` begins.
    Begin {
        operation: String,
        at: String,
    },
    /// A mutating call is about to be made.
    Intent {
        address: Address,
        action: Action,
        token: String,
        provider: String,
        want: Attributes,
    },
    /// A rollout step ended; `carried` goes to the next one.
    Step {
        address: Address,
        token: String,
        step: String,
        carried: Option<String>,
    },
    /// The resource is now this.
    Stored {
        address: Address,
        resource: Box<Resource>,
    },
    /// It was created but could not be finished: it exists under this id.
    Created {
        address: Address,
        provider: String,
        id: String,
        applied: Attributes,
    },
    /// Whether it is damaged: not all of its provisioners have run.
    Tainted {
        address: Address,
        tainted: bool,
    },
    Deleted {
        address: Address,
    },
    /// The deposed resource of a replacement is gone.
    DeposedDeleted {
        address: Address,
        id: String,
    },
    /// A replacement did not come to life and is gone again: the old one stays.
    TakenBack {
        address: Address,
        resource: Box<Resource>,
    },
    /// The call failed and made nothing.
    Failed {
        address: Address,
        token: String,
        error: String,
    },
    /// A resource has another address now.
    Moved {
        from: Address,
        to: Address,
    },
    /// It exists, and is managed from now on.
    Imported {
        address: Address,
        resource: Box<Resource>,
    },
    /// It lives on, but is no longer managed.
    Forgotten {
        address: Address,
    },
    Outputs {
        outputs: BTreeMap<String, super::Output>,
    },
    /// What was seen of a running rollout, and what was decided.
    Watched {
        address: Address,
        at: String,
        seen: Json,
        decision: String,
    },
    /// A rollout begins a step.
    Rolling {
        address: Address,
        rollout: Box<OpenRollout>,
    },
    /// A rollout waits for a person.
    Paused {
        address: Address,
        rollout: Box<OpenRollout>,
    },
    /// The person has agreed.
    Approved {
        address: Address,
    },
    /// It is through, or was taken back.
    RolledOut {
        address: Address,
    },
    /// The run ended by itself.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// An intent without a result: the process ended in the middle of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    pub address: Address,
    pub action: Action,
    pub token: String,
    pub provider: String,
    pub want: Attributes,
    /// The last rollout step that ended, and what it carried.
    pub step: Option<(String, Option<String>)>,
}

/// Applies the entries to the state; what is left unfinished.
pub fn fold(state: &mut State, entries: impl IntoIterator<Item = Entry>) -> Vec<Unfinished> {
    let mut open: BTreeMap<Address, Unfinished> = BTreeMap::new();
    let mut moves = Vec::new();
    for entry in entries {
        // Moves stand together: one pass over the state does for all of them.
        if !matches!(entry, Entry::Moved { .. }) && !moves.is_empty() {
            rename(state, std::mem::take(&mut moves));
        }
        match entry {
            Entry::Begin { .. } | Entry::Watched { .. } | Entry::End => {}
            Entry::Rolling { address, rollout } | Entry::Paused { address, rollout } => {
                state.rollouts.insert(address, *rollout);
            }
            Entry::Approved { address } => {
                if let Some(rollout) = state.rollouts.get_mut(&address) {
                    rollout.agreed = Some(rollout.step.clone());
                }
            }
            Entry::RolledOut { address } => {
                state.rollouts.remove(&address);
            }
            Entry::Intent { address, action, token, provider, want } => {
                let unfinished =
                    Unfinished { address: address.clone(), action, token, provider, want, step: None };
                open.insert(address, unfinished);
            }
            Entry::Step { address, step, carried, .. } => {
                if let Some(unfinished) = open.get_mut(&address) {
                    unfinished.step = Some((step, carried));
                }
            }
            Entry::Stored { address, resource } => {
                open.remove(&address);
                store(state, address, *resource);
            }
            Entry::Created { address, provider, id, applied } => {
                open.remove(&address);
                let resource = Resource {
                    id,
                    provider,
                    seen: applied.clone(),
                    applied,
                    depends_on: Default::default(),
                    create_before_destroy: false,
                    tainted: false,
                    deposed: Vec::new(),
                };
                store(state, address, resource);
            }
            Entry::Tainted { address, tainted } => {
                if let Some(resource) = state.resources.get_mut(&address) {
                    resource.tainted = tainted;
                }
            }
            Entry::Deleted { address } => {
                open.remove(&address);
                state.resources.remove(&address);
                state.rollouts.remove(&address);
            }
            Entry::DeposedDeleted { address, id } => {
                open.remove(&address);
                if let Some(resource) = state.resources.get_mut(&address) {
                    resource.deposed.retain(|d| d.id != id);
                }
            }
            Entry::Failed { address, .. } => {
                open.remove(&address);
            }
            Entry::TakenBack { address, resource } => {
                state.resources.insert(address, *resource);
            }
            Entry::Moved { from, to } => moves.push((from, to)),
            Entry::Imported { address, resource } => store(state, address, *resource),
            Entry::Forgotten { address } => {
                open.remove(&address);
                state.resources.remove(&address);
            }
            Entry::Outputs { outputs } => state.outputs = outputs,
        }
        state.serial += 1;
    }
    rename(state, moves);
    open.into_values().collect()
}

/// A `null_resource` as `terraform_data`: its triggers are an object there, as Terraform takes them over.
fn become_data(resource: &mut Resource) {
    for attributes in [&mut resource.applied, &mut resource.seen] {
        let mut opened = attributes.open();
        let Some(Json::Object(triggers)) = opened.remove("triggers") else { continue };
        let types: serde_json::Map<String, Json> =
            triggers.keys().map(|name| (name.clone(), "string".into())).collect();
        let packed = serde_json::json!({ "type": ["object", types], "value": triggers });
        opened.insert("triggers_replace".to_owned(), packed);
        *attributes = (&opened).into();
    }
    resource.provider = "terraform".to_owned();
}

/// Nothing is ever overwritten: where another resource stands at the new address, it stays where it is. Who
/// was made from a moved resource knows its new name.
fn rename(state: &mut State, moves: Vec<(Address, Address)>) {
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in moves {
        if state.resources.contains_key(&to) {
            continue;
        }
        let Some(mut resource) = state.resources.remove(&from) else { continue };
        if (&*from.type_name, &*to.type_name) == ("null_resource", "terraform_data") {
            become_data(&mut resource);
        }
        let (old, new) = (without_keys(&from), without_keys(&to));
        state.resources.insert(to, resource);
        if old != new {
            names.entry(old).or_default().insert(new);
        }
    }
    if names.is_empty() {
        return;
    }
    let here: BTreeSet<String> = state.resources.keys().map(without_keys).collect();
    for resource in state.resources.values_mut() {
        if resource.depends_on.iter().any(|name| names.contains_key(name)) {
            resource.depends_on = Arc::new(renamed(&resource.depends_on, &names, &here));
        }
    }
}

/// What names have become, over chains of moves; a name that is still there stays, too.
fn renamed(
    old: &BTreeSet<String>,
    names: &BTreeMap<String, BTreeSet<String>>,
    here: &BTreeSet<String>,
) -> BTreeSet<String> {
    let (mut out, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut todo: Vec<&String> = old.iter().collect();
    while let Some(name) = todo.pop() {
        let next = names.get(name);
        if next.is_none() || here.contains(name) {
            out.insert(name.clone());
        }
        if seen.insert(name) {
            todo.extend(next.into_iter().flatten());
        }
    }
    out
}

/// A new resource at an address that still holds another one deposes it: nothing is ever forgotten.
fn store(state: &mut State, address: Address, mut resource: Resource) {
    if let Some(old) = state.resources.remove(&address) {
        resource.deposed.extend(old.deposed.into_iter().filter(|d| d.id != resource.id));
        if old.id != resource.id {
            resource.deposed.push(Deposed { id: old.id, seen: old.seen });
        }
    }
    let mut ids = std::collections::BTreeSet::new();
    resource.deposed.retain(|d| ids.insert(d.id.clone()));
    state.resources.insert(address, resource);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("a good address")
    }

    fn resource(id: &str) -> Box<Resource> {
        Box::new(Resource {
            id: id.to_owned(),
            provider: "aws".to_owned(),
            applied: Attributes::default(),
            seen: Attributes::default(),
            depends_on: Default::default(),
            create_before_destroy: false,
            tainted: false,
            deposed: Vec::new(),
        })
    }

    fn intent(text: &str, action: Action) -> Entry {
        Entry::Intent {
            address: address(text),
            action,
            token: "t".to_owned(),
            provider: "aws".to_owned(),
            want: Attributes::default(),
        }
    }

    #[test]
    fn an_intent_without_result_is_unfinished() {
        let mut state = State::default();
        let open = fold(
            &mut state,
            [
                intent("aws_vpc.a", Action::Create),
                intent("aws_vpc.b", Action::Create),
                Entry::Stored { address: address("aws_vpc.a"), resource: resource("vpc-1") },
            ],
        );
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].address, address("aws_vpc.b"));
        assert_eq!(state.resources.len(), 1);
    }

    #[test]
    fn whatever_part_of_the_moves_was_written_no_resource_is_lost() {
        let moves = [("aws_vpc.b", "aws_vpc.c"), ("aws_vpc.a", "aws_vpc.b"), ("aws_vpc.x", "aws_vpc.x[0]")];
        let entries = moves.map(|(from, to)| Entry::Moved { from: address(from), to: address(to) });
        for written in 0..=entries.len() {
            let mut state = State::default();
            for name in ["a", "b", "x"] {
                let place = address(&format!("aws_vpc.{name}"));
                fold(&mut state, [Entry::Stored { address: place, resource: resource(name) }]);
            }
            // Once cut short, once more from the start: as when the next run does the same moves.
            fold(&mut state, entries[..written].iter().cloned());
            fold(&mut state, entries.iter().cloned());
            let ids: Vec<(String, &str)> =
                state.resources.iter().map(|(a, r)| (a.to_string(), r.id.as_str())).collect();
            let mut held: Vec<&str> = ids.iter().map(|(_, id)| *id).collect();
            held.sort_unstable();
            assert_eq!(held, ["a", "b", "x"], "after {written}: {ids:?}");
        }
    }

    #[test]
    fn a_move_never_takes_the_place_of_another_resource() {
        let mut state = State::default();
        let (a, b) = (address("aws_vpc.a"), address("aws_vpc.b"));
        for (place, id) in [(&a, "1"), (&b, "2")] {
            fold(&mut state, [Entry::Stored { address: place.clone(), resource: resource(id) }]);
        }
        fold(&mut state, [Entry::Moved { from: a.clone(), to: b.clone() }]);
        assert_eq!((state.resources[&a].id.as_str(), state.resources[&b].id.as_str()), ("1", "2"));
    }

    #[test]
    fn who_was_made_from_a_moved_resource_knows_its_new_name() {
        let mut state = State::default();
        let (vpc, subnet) = (address("aws_vpc.a"), address("aws_subnet.s"));
        let mut user = resource("subnet");
        user.depends_on = Arc::new(["aws_vpc.a".to_owned()].into());
        fold(
            &mut state,
            [
                Entry::Stored { address: vpc.clone(), resource: resource("vpc") },
                Entry::Stored { address: subnet.clone(), resource: user },
                Entry::Moved { from: vpc, to: address("module.net.aws_vpc.a") },
            ],
        );
        assert_eq!(*state.resources[&subnet].depends_on, ["module.net.aws_vpc.a".to_owned()].into());
    }

    #[test]
    fn a_replacement_that_is_cut_short_keeps_the_old_one_as_deposed() {
        let mut state = State::default();
        let a = address("aws_vpc.a");
        fold(
            &mut state,
            [
                Entry::Stored { address: a.clone(), resource: resource("old") },
                Entry::Stored { address: a.clone(), resource: resource("new") },
            ],
        );
        assert_eq!(state.resources[&a].id, "new");
        assert_eq!(state.resources[&a].deposed[0].id, "old");
        fold(&mut state, [Entry::DeposedDeleted { address: a.clone(), id: "old".to_owned() }]);
        assert!(state.resources[&a].deposed.is_empty());
    }
}
