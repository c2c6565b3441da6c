use super::Done;
use super::environment::EnvironmentArgs;
use super::error::CliError;
use super::session::{load_checked, unconnected};
use crate::diag::Diagnostics;
use crate::graph::Graph;
use crate::render;

/// Print what needs what
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// Language to print it in
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Dot,
    Mermaid,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let environment = load_checked(&args.environment)?;
    let provider = unconnected();
    let graph = Graph::build(&environment.config, &provider, &mut Diagnostics::default());
    match args.format {
        Format::Dot => print!("{}", render::graph::dot(&graph)),
        Format::Mermaid => print!("{}", render::graph::mermaid(&graph)),
    }
    Ok(Done::Ok)
}
