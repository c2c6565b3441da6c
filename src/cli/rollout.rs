//! `rollout`: looks at rollouts that stand still, and lets a person say how they go on.

use super::Done;
use super::apply::{ApplyArgs, carry_out};
use super::environment::EnvironmentArgs;
use super::error::CliError;
use super::session::{Locked, load_for_plan, load_state, with_walk_of};
use crate::addr::Address;
use crate::aws::{AwsError, Discreet, Job};
use crate::diff::{Sides, differing};
use crate::plan::walk::{Purpose, Walk};
use crate::state::journal::{Entry, fold};
use crate::state::{OpenRollout, State, StateDir};
use std::path::PathBuf;

/// Rollouts that wait for a person, and why they did what they did
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Which rollouts stand still, where and since when
    Status {
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Agree to a rollout that waits for it, and go on
    Continue(Choice),
    /// Leave everything where it is and forget that the rollout was under way
    Abort(Choice),
    /// Take a rollout back to where it began
    Rollback(Choice),
    /// What was seen of rollouts and what was decided, in order
    Replay {
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
        /// Only of this resource
        #[arg(long, value_name = "ADDRESS")]
        address: Option<Address>,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Choice {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// Which one; needed only where several stand still
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Address>,
    #[command(flatten)]
    apply: ApplyArgs,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    match args.command {
        Command::Status { dir, json } => status(&load_state(&dir)?, json),
        Command::Continue(choice) => go_on(choice),
        Command::Abort(choice) => abort(choice),
        Command::Rollback(choice) => rollback(choice),
        Command::Replay { dir, address, json } => replay(dir, address.as_ref(), json),
    }
}

fn status(state: &State, json: bool) -> Result<Done, CliError> {
    if json {
        let list: Vec<serde_json::Value> = state
            .rollouts
            .iter()
            .map(|(address, open)| {
                serde_json::json!({ "address": address, "since": open.since, "step": open.step,
                                    "text": open.text, "waits": open.waits, "approved": open.agreed.is_some() })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list).expect("plain data"));
        return Ok(Done::Ok);
    }
    if state.rollouts.is_empty() {
        println!("No rollout stands still.");
    }
    for (address, open) in &state.rollouts {
        let how = if open.waits { "" } else { "under way without us: " };
        println!("{address}: {how}{} (begun {})", open.text, open.since);
    }
    if state.rollouts.values().any(|open| !open.waits) {
        println!("\nThe next `cutover apply` follows what is under way.");
    }
    if state.rollouts.values().any(|open| open.waits) {
        println!("\n`cutover rollout continue`, `rollback` or `abort` says how it goes on.");
    }
    Ok(Done::Ok)
}

/// The one that is meant.
fn chosen(state: &State, address: Option<&Address>) -> Result<Address, CliError> {
    let open: Vec<&Address> = state.rollouts.keys().collect();
    let names = || open.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(", ");
    match (address, open.as_slice()) {
        (Some(address), _) if state.rollouts.contains_key(address) => Ok(address.clone()),
        (Some(address), []) => {
            Err(CliError::usage(format!("{address} has no rollout that stands still"), "there is none"))
        }
        (Some(address), _) => Err(CliError::usage(
            format!("{address} has no rollout that stands still"),
            format!("these do: {}", names()),
        )),
        (None, [one]) => Ok((*one).clone()),
        (None, []) => Err(CliError::usage(
            "no rollout stands still",
            "`cutover apply` begins one where something has to change",
        )),
        (None, _) => Err(CliError::usage(
            "several rollouts stand still",
            format!("say which with --address: {}", names()),
        )),
    }
}

fn go_on(mut choice: Choice) -> Result<Done, CliError> {
    let address = chosen(&load_state(&choice.environment.dir)?, choice.address.as_ref())?;
    // A person has just agreed, to this one only.
    choice.apply.auto_approve = true;
    choice.apply.planning.target = vec![address.to_string()];
    let environment = load_for_plan(&choice.environment, &choice.apply.planning)?;
    let locked = Locked { operation: "rollout continue", how: choice.apply.lock };
    with_walk_of(environment, Purpose::Plan, Some(locked), async |walk, session| {
        let entry = Entry::Approved { address: address.clone() };
        session.environment.state.open_journal()?.append(&entry)?;
        fold(&mut walk.state, [entry]);
        carry_out(walk, session, &choice.apply, "apply").await
    })
}

fn abort(choice: Choice) -> Result<Done, CliError> {
    let dir = &choice.environment.dir;
    let address = chosen(&load_state(dir)?, choice.address.as_ref())?;
    let state_dir = StateDir::of(dir);
    let now = crate::clock::Clock::wall_now().to_string();
    let _lock = state_dir.lock("rollout abort", &now)?;
    state_dir.open_journal()?.append(&Entry::RolledOut { address: address.clone() })?;
    println!("{address} stays as it is; `cutover plan` says what is left to do.");
    Ok(Done::Ok)
}

fn rollback(choice: Choice) -> Result<Done, CliError> {
    let address = chosen(&load_state(&choice.environment.dir)?, choice.address.as_ref())?;
    let environment = load_for_plan(&choice.environment, &choice.apply.planning)?;
    let locked = Locked { operation: "rollout rollback", how: choice.apply.lock };
    with_walk_of(environment, Purpose::Plan, Some(locked), async |walk, session| {
        let open = walk.state.rollouts[&address].clone();
        take_back(walk, &address, &open)
            .await
            .map_err(|error| CliError::Provider { what: address.to_string(), error })?;
        let entry = Entry::RolledOut { address: address.clone() };
        session.environment.state.open_journal()?.append(&entry)?;
        fold(&mut walk.state, [entry]);
        session.environment.state.save(&walk.state)?;
        println!("{address} is where it was before the rollout.");
        Ok(Done::Ok)
    })
}

/// Sends what was live before the rollout began.
async fn take_back(walk: &Walk<'_>, address: &Address, open: &OpenRollout) -> Result<(), AwsError> {
    let type_name = &*address.type_name;
    let table = walk.provider.resource(type_name).map(|schema| schema.table);
    let (Some(table), Some(resource)) = (table, walk.state.resources.get(address)) else {
        return Err(AwsError::failed("rollback", "NotVisible", "the state has no such resource any more"));
    };
    let want = crate::state::object(&open.before, table).complete(table);
    let live = walk.live.get(address).cloned().flatten().unwrap_or_default();
    let salt = &walk.state.salt;
    let changed = differing(table, &Sides { desired: &want, applied: None, seen: None, live: &live, salt });
    let name = address.to_string();
    let progress = |text: &str| eprintln!("{address}: {text}");
    let job = Job {
        address: &name,
        token: "",
        id: &resource.id,
        want: &want,
        live: &live,
        changed: &changed,
        progress: &progress,
        watch: &Discreet(|| walk.secrets()),
    };
    if walk.provider.take_back(&open.provider, type_name, &job, open.carried.as_deref()).await? {
        return Ok(());
    }
    if changed.is_empty() {
        return Ok(());
    }
    walk.provider.update(&open.provider, type_name, &job).await.map(drop)
}

fn replay(dir: PathBuf, address: Option<&Address>, json: bool) -> Result<Done, CliError> {
    let watched = StateDir::of(&dir).history()?;
    let mut shown = 0;
    for entry in &watched {
        let Entry::Watched { address: of, at, seen, decision } = entry else { continue };
        if address.is_some_and(|wanted| wanted != of) {
            continue;
        }
        shown += 1;
        if json {
            println!("{}", serde_json::to_string(entry).expect("plain data"));
        } else {
            println!("{at}  {of}\n    seen: {seen}\n    so:   {}", decision.replace('\n', "\n          "));
        }
    }
    if shown == 0 && !json {
        println!("Nothing was watched yet.");
    }
    Ok(Done::Ok)
}
