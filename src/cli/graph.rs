use super::Done;
use super::environment::EnvironmentArgs;
use super::error::CliError;
use super::session::{graph_of, load_checked};
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
    let graph = graph_of(&mut load_checked(&args.environment)?);
    match args.format {
        Format::Dot => print!("{}", render::graph::dot(&graph)),
        Format::Mermaid => print!("{}", render::graph::mermaid(&graph)),
    }
    Ok(Done::Ok)
}
