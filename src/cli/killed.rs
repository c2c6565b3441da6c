//! Applies that move, import, forget and change things are cut off at every journal entry: the next run goes
//! on, and nothing is lost or made twice.

use super::roots::{arguments, write};
use super::session::{load_checked, with_walk_of};
use crate::addr::Address;
use crate::apply::{self, Record};
use crate::plan::Action;
use crate::plan::walk::Purpose;
use crate::state::journal::Entry;
use crate::state::{StateDir, StateError};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A journal whose disk fails after so many entries.
struct Failing<'a> {
    journal: &'a mut dyn Record,
    left: usize,
}

impl Record for Failing<'_> {
    fn record(&mut self, entry: &Entry) -> Result<(), StateError> {
        if self.left == 0 {
            return Err(StateError::Io {
                what: "write",
                path: "journal.jsonl".into(),
                error: std::io::Error::other("the disk is gone"),
            });
        }
        self.left -= 1;
        self.journal.record(entry)
    }
}

/// Applies with room for so many entries; true if that was enough. As after a kill, nothing is folded.
fn apply(dir: &Path, room: usize) -> bool {
    let environment = load_checked(&arguments(dir, &json!([]))).expect("loads");
    let done = with_walk_of(environment, Purpose::Plan, None, async |walk, session| {
        let state = &session.environment.state;
        state.save(&walk.state)?;
        let mut file = state.open_journal()?;
        let mut journal = Failing { journal: &mut file, left: room };
        let clock = session.clock.clone();
        let outcome =
            apply::apply(walk, &mut journal, &|_| {}, clock, 1, &session.stop, &*session.prober).await;
        if outcome.failures.is_empty() {
            session.environment.state.save(&walk.state)?;
        }
        Ok(outcome.failures.is_empty())
    });
    done.expect("plans")
}

fn ids(dir: &Path) -> BTreeMap<String, String> {
    let (state, _) = StateDir::of(dir).load().expect("a state");
    state.resources.iter().map(|(address, r)| (address.to_string(), r.id.clone())).collect()
}

/// What is still to be done.
fn pending(dir: &Path) -> Vec<(Address, Action)> {
    let environment = load_checked(&arguments(dir, &json!([]))).expect("loads");
    let planned = with_walk_of(environment, Purpose::Plan, None, async |walk, _| {
        let open = walk.plan().changes.into_iter().filter(|c| !c.is_nothing());
        Ok(open.map(|c| (c.address.clone(), c.action)).collect())
    });
    planned.expect("plans")
}

const BEFORE: &str = r#"
resource "terraform_data" "a" { input = 1 }
resource "terraform_data" "b" { input = terraform_data.a.id }
resource "terraform_data" "gone" {}
module "m" {
  source = "./m"
}
"#;

const AFTER: &str = r#"
moved {
  from = terraform_data.b
  to   = terraform_data.c
}
moved {
  from = terraform_data.a
  to   = terraform_data.a2[0]
}
moved {
  from = module.m
  to   = module.n["k"]
}
removed {
  from = terraform_data.gone
  lifecycle {
    destroy = false
  }
}
import {
  to = terraform_data.old
  id = "known-before"
}
resource "terraform_data" "a2" {
  count = 1
  input = 2
}
resource "terraform_data" "c" { input = terraform_data.a2[0].id }
resource "terraform_data" "old" { input = "new" }
resource "terraform_data" "new" { input = terraform_data.old.id }
module "n" {
  source   = "./m"
  for_each = { k = 1 }
}
"#;

#[test]
fn killed_at_any_entry_the_next_run_goes_on_and_nothing_is_lost() {
    let mut room = 0;
    loop {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let files = json!({ "main.tf": BEFORE, "m/m.tf": "resource \"terraform_data\" \"x\" {}\n" });
        write(dir.path(), &files);
        assert!(apply(dir.path(), usize::MAX));
        let before = ids(dir.path());
        write(dir.path(), &json!({ "main.tf": AFTER }) as &Json);
        let whole = apply(dir.path(), room);
        if !whole {
            assert!(apply(dir.path(), usize::MAX), "the run after one with room for {room} entries");
        }
        let after = ids(dir.path());
        let moved = [
            ("terraform_data.a", "terraform_data.a2[0]"),
            ("terraform_data.b", "terraform_data.c"),
            ("module.m.terraform_data.x", "module.n[\"k\"].terraform_data.x"),
        ];
        for (from, to) in moved {
            assert_eq!(before.get(from), after.get(to), "{from} → {to}, room for {room}: {after:?}");
        }
        assert_eq!(after["terraform_data.old"], "known-before");
        assert_eq!(after.len(), 5, "room for {room}: {after:?}");
        assert_eq!(pending(dir.path()), [], "room for {room}");
        if whole {
            break;
        }
        room += 1;
    }
    assert!(room > 8, "the apply wrote {room} entries only");
}
