use super::Done;
use super::environment::EnvironmentArgs;
use super::error::{CliError, color};

use super::session::with_walk;
use crate::drift::drift;
use crate::plan::walk::Purpose;
use crate::render::{self, Palette};

/// Show what was changed outside Cutover since the last apply
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with 2 when there is drift
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    with_walk(&args.environment, Purpose::Refresh, None, async |walk, session| {
        let found = drift(&walk.state, &walk.live, |name| walk.provider.resource(name));
        match args.format {
            Format::Text => {
                print!("{}", render::drift::text(&found, Palette { color: color(&std::io::stdout()) }))
            }
            Format::Json => println!("{:#}", render::drift::json(&found)),
            Format::Markdown => print!("{}", render::drift::markdown(&found, &session.environment.name())),
        }
        session.environment.show_warnings();
        Ok(if args.detailed_exitcode && !found.is_empty() { Done::Changes } else { Done::Ok })
    })
}
