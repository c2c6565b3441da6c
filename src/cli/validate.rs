use super::Done;
use super::environment::{Environment, EnvironmentArgs};
use super::error::{CliError, style};
use super::session::validate;
use crate::diag::render::{render_sarif, render_text};
use crate::diag::{Diagnostic, Severity, Sources};
use crate::render::validation;

/// Look for mistakes in the configuration, without AWS
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    /// As `terraform validate -json` has it, and with our codes
    Json,
    /// For code scanning
    Sarif,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let format = if args.json { Format::Json } else { args.format };
    let (diags, sources, name) = find(&args.environment)?;
    let valid = diags.iter().all(|d| d.severity != Severity::Error);
    match format {
        Format::Text => {
            eprint!(
                "{}",
                if diags.is_empty() { String::new() } else { render_text(&diags, &sources, style()) }
            );
            if valid {
                println!("{name} is valid.");
            }
        }
        Format::Json => println!("{:#}", validation::json(&diags, &sources)),
        Format::Sarif => println!("{:#}", render_sarif(&diags, &sources)),
    }
    Ok(if valid { Done::Ok } else { Done::Failed })
}

/// Everything that is wrong, in source order.
fn find(args: &EnvironmentArgs) -> Result<(Vec<Diagnostic>, Sources, String), CliError> {
    let mut environment = match Environment::load(args) {
        Ok(environment) => environment,
        Err(CliError::Config { diags, sources }) => {
            return Ok((diags.into_sorted(), sources, args.dir.display().to_string()));
        }
        Err(error) => return Err(error),
    };
    let (_, found) = validate(&environment, true);
    environment.diags.extend(found);
    let name = environment.name();
    Ok((environment.diags.into_sorted(), environment.sources, name))
}
