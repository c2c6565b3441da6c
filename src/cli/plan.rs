use super::Done;
use super::environment::EnvironmentArgs;
use super::error::{CliError, color};
use super::saved;
use super::session::{Session, with_walk};
use crate::plan::walk::{Purpose, Walk};
use crate::plan::{Change, Plan};
use crate::render::{self, Palette};
use crate::schema::TypeSchema;
use std::path::PathBuf;

/// Show what would change
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Save the plan, for `cutover apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Plan to destroy everything
    #[arg(long)]
    destroy: bool,
    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    Markdown,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let purpose = if args.destroy { Purpose::Destroy } else { Purpose::Plan };
    with_walk(&args.environment, purpose, None, async |walk, session| {
        let plan = walk.plan();
        if let Some(path) = &args.out {
            saved::save(path, walk, &plan, session.environment)?;
        }
        print(&plan, walk, args.format, &session);
        session.environment.show_warnings();
        if let (Some(path), Format::Text) = (&args.out, args.format) {
            eprintln!("saved to {0}; carry it out with: cutover apply {0}", path.display());
        }
        Ok(if args.detailed_exitcode && !plan.is_empty() { Done::Changes } else { Done::Ok })
    })
}

/// The table of a change's type.
pub fn schema_of(walk: &Walk<'_>, change: &Change) -> Option<&'static TypeSchema> {
    let type_name = &change.address.type_name;
    walk.provider.resource(type_name).or_else(|| walk.provider.data(type_name))
}

fn print(plan: &Plan, walk: &Walk<'_>, format: Format, session: &Session<'_>) {
    let schemas = |change: &Change| schema_of(walk, change);
    match format {
        Format::Text => {
            print!("{}", render::text::plan(plan, &schemas, Palette { color: color(&std::io::stdout()) }))
        }
        Format::Json => println!("{:#}", render::json::plan(plan)),
        Format::Markdown => print!("{}", render::markdown::plan(plan, &session.environment.name(), &schemas)),
    }
}
