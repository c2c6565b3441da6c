use super::Done;
use super::error::CliError;
use super::session::load_state;
use super::surgery;
use crate::addr::Address;
use crate::aws;
use crate::builtin;
use crate::clock::Clock;
use crate::render::value::hcl;
use crate::state::{State, StateDir};
use crate::value::{Value, from_json};
use std::path::PathBuf;

/// Look at what is recorded, or change how it is recorded
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the addresses of all resources
    List {
        /// Directory of the environment
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show one resource as it was after the last apply
    Show {
        /// Directory of the environment
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Address, such as module.network.aws_vpc.this
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    Mv(surgery::MvArgs),
    Rm(surgery::RmArgs),
    /// Mark a resource as damaged: the next plan replaces it
    Taint {
        /// Directory of the environment
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Address, such as module.network.aws_vpc.this
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Take that mark back
    Untaint {
        /// Directory of the environment
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Address, such as module.network.aws_vpc.this
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Make a key that encrypts secrets in the state
    Keygen {
        /// File to write; it must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub fn run(args: Args) -> Result<Done, CliError> {
    match args.command {
        Command::List { dir } => {
            for address in load_state(&dir)?.resources.keys() {
                println!("{address}");
            }
        }
        Command::Show { dir, address } => show(&load_state(&dir)?, &address)?,
        Command::Mv(args) => return surgery::mv(args),
        Command::Rm(args) => return surgery::rm(args),
        Command::Taint { dir, address } => mark(&dir, &address, true)?,
        Command::Untaint { dir, address } => mark(&dir, &address, false)?,
        Command::Keygen { file } => super::keys::generate(&file)?,
    }
    Ok(Done::Ok)
}

/// Taints a resource, or takes that back.
fn mark(dir: &std::path::Path, text: &str, tainted: bool) -> Result<(), CliError> {
    load_state(dir)?;
    let directory = StateDir::of(dir);
    let _lock = directory.lock("state", &Clock::wall_now().to_string())?;
    let (mut state, unfinished) = directory.load()?;
    if let Some(first) = unfinished.first() {
        return Err(CliError::Conflict {
            problem: format!("the last run did not end: {} is under way", first.address),
            help: "run `cutover apply` first: it finds what was made and goes on".to_owned(),
        });
    }
    let address = find(&state, text)?;
    if let Some(resource) = state.resources.get_mut(&address) {
        resource.tainted = tainted;
    }
    state.serial += 1;
    directory.save(&state)?;
    let now = if tainted { "is tainted: the next plan replaces it" } else { "is no longer tainted" };
    eprintln!("{address} {now}");
    Ok(())
}

fn find(state: &State, text: &str) -> Result<Address, CliError> {
    let address: Address = text
        .parse()
        .map_err(|e: crate::addr::AddressError| CliError::usage(e.to_string(), "see `cutover state list`"))?;
    if !state.resources.contains_key(&address) {
        let names: Vec<String> = state.resources.keys().map(|a| a.to_string()).collect();
        let help = match crate::diag::nearest(text, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see `cutover state list`".to_owned(),
        };
        return Err(CliError::usage(format!("there is no `{address}` in the state"), help));
    }
    Ok(address)
}

fn show(state: &State, text: &str) -> Result<(), CliError> {
    let address = find(state, text)?;
    let resource = &state.resources[&address];
    println!("# {address} [{}], provider {}", resource.id, resource.provider);
    if resource.tainted {
        println!("# tainted: the next plan replaces it");
    }
    for needed in &*resource.depends_on {
        println!("# needs {needed}");
    }
    let schema = aws::types::find(&address.type_name)
        .map(|t| t.schema())
        .or_else(|| builtin::types::find(&address.type_name).map(|t| t.schema()));
    let object = schema.map(|schema| resource.seen(schema.table));
    let values: Vec<(String, Value)> = match object {
        Some(object) => object.0.iter().map(|(k, v)| (k.to_string(), v.clone())).collect(),
        None => resource.seen.open().iter().map(|(k, v)| (k.clone(), from_json(v))).collect(),
    };
    for (name, value) in values {
        println!("{name} = {}", hcl(&value));
    }
    Ok(())
}
