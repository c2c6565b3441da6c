use super::Done;
use super::environment::EnvironmentArgs;
use super::error::{CliError, color};
use super::planning::PlanningArgs;
use super::saved;
use super::session::{Session, load_for_plan, with_walk_of};
use crate::plan::walk::{Purpose, Walk};
use crate::plan::{Change, Plan};
use crate::render::generate::Generated;
use crate::render::{self, Palette, counted};
use crate::schema::TypeSchema;
use crate::value::exact_numbers;
use std::path::{Path, PathBuf};

/// Show what would change
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// Further environments, each planned by itself
    #[arg(value_name = "DIR")]
    more: Vec<PathBuf>,
    #[command(flatten)]
    planning: PlanningArgs,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The same as --format json: Cutover's own form, not Terraform's stream of events
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Save the plan, for `cutover apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write configuration for what `import` blocks name and nothing declares; the file must not exist yet
    #[arg(long, value_name = "FILE")]
    generate_config_out: Option<PathBuf>,
    /// Plan to destroy everything
    #[arg(long)]
    destroy: bool,
    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
    /// How many resources `apply` works on at once; a plan reads in batches, whatever this says
    #[arg(long, value_name = "N", hide_short_help = true)]
    parallelism: Option<usize>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    lock: Option<bool>,
    #[arg(long, hide = true)]
    lock_timeout: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    Markdown,
    /// Terraform's plan representation, for tools that read that. Sensitive values, which Terraform writes
    /// in the clear there, are null
    TerraformJson,
}

pub fn run(mut args: Args) -> Result<Done, CliError> {
    if let Some(path) = args.generate_config_out.as_ref().filter(|p| p.exists()) {
        return Err(CliError::usage(
            format!("`{}` exists already", path.display()),
            "name a new file: what is there is never overwritten",
        ));
    }
    args.environment.generate = args.generate_config_out.is_some();
    let format = if args.json { Format::Json } else { args.format };
    let idle = [
        ("parallelism", args.parallelism.is_some()),
        ("lock", args.lock.is_some()),
        ("lock-timeout", args.lock_timeout.is_some()),
    ];
    for (flag, _) in idle.iter().filter(|(_, given)| *given) {
        eprintln!("note: --{flag} changes nothing here: a plan reads in batches and takes no lock");
    }
    if args.more.is_empty() {
        let (text, done) = one(&args, &args.environment, format)?;
        print!("{}", exact(text, format));
        if let (Some(path), Format::Text) = (&args.out, format) {
            eprintln!("saved to {0}; carry it out with: cutover apply {0}", path.display());
        }
        return Ok(done);
    }
    if args.out.is_some() {
        return Err(CliError::usage("one plan file is for one environment", "save their plans one by one"));
    }
    Ok(several(&args, format))
}

/// The plan as printed, and how the command ends.
fn one(args: &Args, given: &EnvironmentArgs, format: Format) -> Result<(String, Done), CliError> {
    let environment = load_for_plan(given, &args.planning)?;
    let purpose = if args.destroy { Purpose::Destroy } else { Purpose::Plan };
    with_walk_of(environment, purpose, None, async |walk, session| {
        let plan = walk.plan();
        if let Some(path) = &args.out {
            saved::save(path, walk, &plan, session.environment)?;
        }
        let text = rendered(&plan, walk, format, &session);
        session.environment.show_warnings();
        if let Some(path) = &args.generate_config_out {
            generate(path, walk)?;
        }
        let done = if args.detailed_exitcode && !plan.is_empty() { Done::Changes } else { Done::Ok };
        Ok((text, done))
    })
}

/// One environment after the other, whatever becomes of those before; the worst end is the command's. JSON is
/// one object, by directory; an environment that could not be planned is null there.
fn several(args: &Args, format: Format) -> Done {
    let mut worst = Done::Ok;
    let mut documents = serde_json::Map::new();
    for dir in std::iter::once(&args.environment.dir).chain(&args.more) {
        let given = EnvironmentArgs { dir: dir.clone(), ..args.environment.clone() };
        let name = dir.display().to_string();
        match one(args, &given, format) {
            Ok((text, done)) => {
                match format {
                    Format::Text => print!("== {name}\n\n{text}\n"),
                    Format::Markdown => println!("{text}"),
                    Format::Json | Format::TerraformJson => {
                        let document = serde_json::from_str(&text).unwrap_or(serde_json::Value::Null);
                        documents.insert(name, document);
                    }
                }
                if worst == Done::Ok {
                    worst = done;
                }
            }
            Err(error) => {
                eprintln!("== {name}");
                error.print();
                documents.insert(name, serde_json::Value::Null);
                worst = Done::Failed;
            }
        }
    }
    if matches!(format, Format::Json | Format::TerraformJson) {
        println!("{}", exact(format!("{:#}", serde_json::Value::Object(documents)), format));
    }
    worst
}

/// Terraform's form has numbers with all their digits.
fn exact(text: String, format: Format) -> String {
    if format == Format::TerraformJson { exact_numbers(&text) } else { text }
}

/// Writes what was found but is not declared.
fn generate(path: &Path, walk: &Walk<'_>) -> Result<(), CliError> {
    let found = walk.found.iter().filter_map(|f| {
        Some(Generated {
            address: &f.address,
            id: &f.id,
            schema: walk.provider.resource(&f.address.type_name)?,
            live: &f.live,
            provider: f.provider.as_deref(),
        })
    });
    let found: Vec<Generated<'_>> = found.collect();
    if found.is_empty() {
        eprintln!("nothing to write: everything that is imported is declared");
        return Ok(());
    }
    let failed = |error| CliError::Io { what: format!("cannot write `{}`", path.display()), error };
    let text = render::generate::file(&found).map_err(|e| failed(std::io::Error::other(e.to_string())))?;
    std::fs::write(path, text).map_err(failed)?;
    eprintln!(
        "wrote {} to {}; look it over, then plan again",
        counted(found.len(), "resource"),
        path.display()
    );
    Ok(())
}

/// The table of a change's type.
pub fn schema_of(walk: &Walk<'_>, change: &Change) -> Option<&'static TypeSchema> {
    let type_name = &change.address.type_name;
    walk.provider.resource(type_name).or_else(|| walk.provider.data(type_name))
}

fn rendered(plan: &Plan, walk: &Walk<'_>, format: Format, session: &Session<'_>) -> String {
    let schemas = |change: &Change| schema_of(walk, change);
    match format {
        Format::Text => render::text::plan(plan, &schemas, Palette { color: color(&std::io::stdout()) }),
        Format::Json => format!("{:#}\n", render::json::plan(plan)),
        Format::TerraformJson => format!("{}\n", render::terraform::plan(plan, walk)),
        Format::Markdown => render::markdown::plan(plan, &session.environment.name(), &schemas),
    }
}
