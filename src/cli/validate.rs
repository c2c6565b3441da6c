use super::Done;
use super::environment::EnvironmentArgs;
use super::error::CliError;
use super::session::load_checked_thoroughly;

/// Look for mistakes in the configuration, without AWS
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let mut environment = load_checked_thoroughly(&args.environment)?;
    environment.show_warnings();
    println!("{} is valid.", environment.name());
    Ok(Done::Ok)
}
