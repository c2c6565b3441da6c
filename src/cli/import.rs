use super::Done;
use super::environment::{EnvironmentArgs, VariableArgs};
use super::error::CliError;
use super::planning::LockArgs;
use super::session::{Locked, with_walk};
use super::surgery::{journal, split_directory};
use crate::addr::{Address, AddressError, InstanceKey, Mode};
use crate::aws::Existing;
use crate::clock::Clock;
use crate::config::{Repetition, Resource};
use crate::plan::walk::{Purpose, Walk};
use crate::state::journal::Entry;

/// Take a resource that exists under this environment's care
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the environment (the current one if left out), address, id
    #[arg(num_args = 2..=3, required = true, value_names = ["DIR", "ADDRESS", "ID"])]
    values: Vec<String>,
    #[command(flatten)]
    variables: VariableArgs,
    /// Cloud to use instead of the one in cutover.hcl
    #[arg(long, value_enum)]
    cloud: Option<super::cloud::CloudKind>,
    #[command(flatten)]
    lock: LockArgs,
    /// Only look for it, and say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let three = args.values.len() == 3;
    let (dir, rest) = if three { split_directory(&args.values, 2) } else { (".".into(), &args.values[..]) };
    let [address, id] = rest else {
        return Err(CliError::usage(
            format!("there is no directory `{}`", args.values[0]),
            "write `cutover import DIR ADDRESS ID`",
        ));
    };
    let address: Address = address
        .parse()
        .map_err(|e: AddressError| CliError::usage(e.to_string(), "such as `aws_vpc.main`"))?;
    let environment = EnvironmentArgs {
        dir,
        variables: args.variables,
        cloud: args.cloud,
        compact_warnings: false,
        generate: false,
    };
    let operation = (!args.dry_run).then_some(Locked { operation: "import", how: args.lock });
    with_walk(&environment, Purpose::Refresh, operation, async |walk, session| {
        let provider = declared_provider(walk, &address)?;
        if walk.state.resources.contains_key(&address) {
            return Err(CliError::usage(
                format!("{address} is managed already"),
                "to let something else take its place, `cutover state rm` it first",
            ));
        }
        let before = walk.state.clone();
        let Some(known) = walk.provider.import(&address.type_name, id) else {
            return Err(CliError::usage(
                format!("a {} cannot be imported", address.type_name),
                "declare it, and let it be created",
            ));
        };
        let own = if known.id().is_empty() { id.as_str() } else { known.id() };
        let items = [Existing { id: own, known: &known }];
        let answer = walk.provider.read(&provider, &address.type_name, &items).await;
        let answer = answer.map_err(|error| CliError::Provider { what: address.to_string(), error })?;
        let Some(live) = answer.into_iter().next().flatten() else {
            return Err(CliError::usage(
                format!("there is no {} with id `{id}`", address.type_name),
                "check the id, the region and the account",
            ));
        };
        walk.adopt(&address, &provider, id, &known, live);
        let resource = walk.state.resources[&address].clone();
        if args.dry_run {
            println!("would import {address} [{}]", resource.id);
            return Ok(Done::Ok);
        }
        let entry = Entry::Imported { address: address.clone(), resource: Box::new(resource.clone()) };
        journal(&session.environment.state, &before, "import", Clock::wall_now().to_string(), &[entry])?;
        println!(
            "imported {address} [{}]; `cutover plan` shows how it differs from what is declared",
            resource.id
        );
        Ok(Done::Ok)
    })
}

/// The provider of what is declared at an address.
fn declared_provider(walk: &Walk<'_>, address: &Address) -> Result<String, CliError> {
    let found = walk.find_resource(address).filter(|_| address.mode == Mode::Managed);
    let Some((module, resource)) = found else {
        return Err(CliError::usage(
            format!("nothing declares {address}"),
            format!("add `resource \"{}\" \"{}\" {{ … }}` there first", address.type_name, address.name),
        ));
    };
    if !fits(resource, &address.key) {
        return Err(CliError::usage(
            format!("{address} has the wrong kind of instance key"),
            "with `count` write `[0]`, with `for_each` `[\"key\"]`, without them nothing",
        ));
    }
    Ok(walk.provider_for(module, &resource.provider))
}

fn fits(resource: &Resource, key: &InstanceKey) -> bool {
    matches!(
        (&resource.repetition, key),
        (Repetition::Count(_), InstanceKey::Index(_))
            | (Repetition::ForEach(_), InstanceKey::Key(_))
            | (Repetition::Single | Repetition::Enabled(_), InstanceKey::None)
    )
}
