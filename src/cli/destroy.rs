use super::Done;
use super::apply::{ApplyArgs, carry_out};
use super::environment::EnvironmentArgs;
use super::error::CliError;
use super::session::{Locked, load_for_plan, with_walk_of};
use crate::plan::walk::Purpose;

/// Delete everything that this environment made
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    apply: ApplyArgs,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let environment = load_for_plan(&args.environment, &args.apply.planning)?;
    let locked = Locked { operation: "destroy", how: args.apply.lock };
    with_walk_of(environment, Purpose::Destroy, Some(locked), async |walk, session| {
        carry_out(walk, session, &args.apply, "destroy").await
    })
}
