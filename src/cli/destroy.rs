use super::Done;
use super::apply::{ApplyArgs, carry_out};
use super::environment::EnvironmentArgs;
use super::error::CliError;
use super::session::with_walk;
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
    with_walk(&args.environment, Purpose::Destroy, Some("destroy"), async |walk, session| {
        carry_out(walk, session, &args.apply, "destroy").await
    })
}
