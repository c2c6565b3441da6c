//! `state mv` and `state rm`: the state changes, nothing else. Every change is one journal entry, after a
//! backup.

use super::Done;
use super::error::CliError;
use crate::addr::{Address, AddressError};
use crate::clock::Clock;
use crate::config::place::Place;
use crate::plan::walk::moves_between;
use crate::state::journal::{Entry, Unfinished};
use crate::state::{State, StateDir};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Give a resource, or everything in a module, another address
#[derive(Debug, clap::Args)]
pub struct MvArgs {
    /// Directory of the environment (the current one if left out), old address, new address
    #[arg(num_args = 2..=3, required = true, value_names = ["DIR", "FROM", "TO"])]
    values: Vec<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Take resources out of the state; they live on, unmanaged
#[derive(Debug, clap::Args)]
pub struct RmArgs {
    /// Directory of the environment (the current one if left out), then addresses of resources or modules
    #[arg(num_args = 1.., required = true, value_names = ["DIR", "ADDRESS"])]
    values: Vec<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// The directory, if the first value is one, and the rest.
pub fn split_directory(values: &[String], least: usize) -> (PathBuf, &[String]) {
    match values.split_first() {
        Some((first, rest)) if rest.len() >= least && (Path::new(first).is_dir() || first.contains('/')) => {
            (PathBuf::from(first), rest)
        }
        _ => (PathBuf::from("."), values),
    }
}

fn place(text: &str) -> Result<Place, CliError> {
    text.parse().map_err(|e: AddressError| CliError::usage(e.to_string(), "see `cutover state list`"))
}

pub fn mv(args: MvArgs) -> Result<Done, CliError> {
    let (dir, addresses) = split_directory(&args.values, 2);
    let [from, to] = addresses else {
        return Err(CliError::usage(
            format!("there is no directory `{}`", args.values[0]),
            "write `cutover state mv DIR FROM TO`",
        ));
    };
    edit(&dir, "state mv", args.dry_run, |state| {
        let (source, target) = (place(from)?, place(to)?);
        let types = |p: &Place| p.resource.as_ref().map(|(key, _)| (key.mode, key.type_name.clone()));
        if types(&source) != types(&target) {
            return Err(CliError::usage(
                format!("`{from}` cannot become `{to}`"),
                "a resource keeps its type, and a module moves to a module",
            ));
        }
        let moves = moves_between(source, target, state.resources.keys().cloned());
        nothing_found(moves.is_empty(), from, state)?;
        if let Some((_, taken)) = moves.iter().find(|(_, to)| state.resources.contains_key(to)) {
            return Err(CliError::usage(
                format!("there is already a resource at {taken}"),
                "move that one first, or take it out with `cutover state rm`",
            ));
        }
        Ok(moves.into_iter().map(|(from, to)| Entry::Moved { from, to }).collect())
    })
}

pub fn rm(args: RmArgs) -> Result<Done, CliError> {
    let (dir, addresses) = split_directory(&args.values, 1);
    edit(&dir, "state rm", args.dry_run, |state| {
        let mut gone = BTreeSet::new();
        for text in addresses {
            let place = place(text)?;
            let covered: Vec<Address> = state.resources.keys().filter(|a| place.covers(a)).cloned().collect();
            nothing_found(covered.is_empty(), text, state)?;
            gone.extend(covered);
        }
        Ok(gone.into_iter().map(|address| Entry::Forgotten { address }).collect())
    })
}

fn nothing_found(empty: bool, text: &str, state: &State) -> Result<(), CliError> {
    if !empty {
        return Ok(());
    }
    let names: Vec<String> = state.resources.keys().map(Address::to_string).collect();
    let help = match crate::diag::nearest(text, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "see `cutover state list`".to_owned(),
    };
    Err(CliError::usage(format!("there is no `{text}` in the state"), help))
}

/// Under the lock: what `decide` says goes to the journal, after a backup.
pub fn edit(
    dir: &Path,
    operation: &str,
    dry_run: bool,
    decide: impl FnOnce(&State) -> Result<Vec<Entry>, CliError>,
) -> Result<Done, CliError> {
    super::session::load_state(dir)?;
    let state_dir = StateDir::of(dir);
    let now = Clock::wall_now().to_string();
    let _lock = (!dry_run).then(|| state_dir.lock(operation, &now)).transpose()?;
    let (state, unfinished) = state_dir.load()?;
    let entries = decide(&state)?;
    refuse_unfinished(&entries, &unfinished)?;
    if dry_run {
        entries.iter().for_each(|entry| println!("would {}", told(entry, &state)));
        return Ok(Done::Ok);
    }
    journal(&state_dir, &state, operation, now, &entries)?;
    entries.iter().for_each(|entry| println!("{}", told(entry, &state)));
    Ok(Done::Ok)
}

/// Writes entries as one run of their own; the journal is not folded, so that what is unfinished stays.
pub fn journal(
    state_dir: &StateDir,
    state: &State,
    operation: &str,
    at: String,
    entries: &[Entry],
) -> Result<(), CliError> {
    // A new state gets its identity on disk first: digests need its salt.
    if !state_dir.is_written() {
        state_dir.save(state)?;
    }
    let backup = state_dir.backup(state)?;
    let mut journal = state_dir.open_journal()?;
    journal.append(&Entry::Begin { operation: operation.to_owned(), at })?;
    for entry in entries {
        journal.append(entry)?;
    }
    journal.append(&Entry::End)?;
    eprintln!("the state as it was: {}", backup.display());
    Ok(())
}

/// A killed run knows a resource by its address: it must be brought to an end first.
fn refuse_unfinished(entries: &[Entry], unfinished: &[Unfinished]) -> Result<(), CliError> {
    let touched = |u: &&Unfinished| {
        entries.iter().any(|entry| match entry {
            Entry::Moved { from, to } => *from == u.address || *to == u.address,
            Entry::Forgotten { address } | Entry::Imported { address, .. } => *address == u.address,
            _ => false,
        })
    };
    match unfinished.iter().find(touched) {
        None => Ok(()),
        Some(open) => Err(CliError::Conflict {
            problem: format!("a run that was stopped left {} unfinished", open.address),
            help: "run `cutover apply` (or `destroy`) to its end first; nothing was changed".to_owned(),
        }),
    }
}

fn told(entry: &Entry, state: &State) -> String {
    let id = |address: &Address| state.resources.get(address).map_or("", |r| &r.id).to_owned();
    match entry {
        Entry::Moved { from, to } => format!("move {from} to {to} [{}]", id(from)),
        Entry::Forgotten { address } => {
            let deposed = state.resources.get(address).map_or(0, |r| r.deposed.len());
            let also = if deposed > 0 {
                format!(", and what it replaced ({deposed} still to be deleted)")
            } else {
                String::new()
            };
            format!("forget {address} [{}]{also}: it lives on, unmanaged", id(address))
        }
        Entry::Imported { address, resource } => format!("import {address} [{}]", resource.id),
        other => format!("{other:?}"),
    }
}
