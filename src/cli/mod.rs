//! The command line: one file a command.

mod apply;
mod assume;
mod bench;
mod cloud;
mod completions;
mod console;
mod destroy;
mod drift;
mod environment;
mod error;
mod explain;
mod fault;
mod fmt;
mod graph;
mod import;
mod keys;
#[cfg(test)]
mod killed;
mod line;
mod output;
mod plan;
mod planning;
mod prober;
mod rollout;
#[cfg(test)]
mod roots;
mod saved;
mod screen;
mod session;
mod show;
mod sim;
mod state;
mod surgery;
mod traffic;
mod validate;

pub use error::CliError;

use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// Plans and applies AWS infrastructure for containers on ECS without dropping a request.
#[derive(Debug, Parser)]
#[command(name = "cutover", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// Run as if started in this directory
    #[arg(long, value_name = "DIR")]
    chdir: Option<std::path::PathBuf>,
    /// No colours, as with NO_COLOR
    #[arg(long, global = true)]
    no_color: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::Args),
    Apply(apply::Args),
    Destroy(destroy::Args),
    Drift(drift::Args),
    Rollout(rollout::Args),
    Explain(explain::Args),
    Validate(validate::Args),
    Output(output::Args),
    State(state::Args),
    Import(import::Args),
    Show(show::Args),
    Graph(graph::Args),
    Console(console::Args),
    Completions(completions::Args),
    Fmt(fmt::Args),
    Sim(sim::Args),
    #[command(hide = true)]
    Bench(bench::Args),
}

/// The whole command line, for completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// How a command that did its work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Ok,
    /// With `--detailed-exitcode`: there are changes, or drift.
    Changes,
    /// Something could not be applied; it has been reported.
    Failed,
    /// `fmt --check`: some files are not in the canonical style.
    Unformatted,
    /// A rollout did not end well, and is where it began again.
    RolledBack,
    /// A rollout waits for a person.
    Paused,
    Interrupted,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        ExitCode::from(match done {
            Done::Ok => 0,
            Done::Failed => 1,
            Done::Changes => 2,
            Done::Unformatted | Done::RolledBack => 3,
            Done::Paused => 4,
            Done::Interrupted => 130,
        })
    }
}

/// Runs the command that `arguments` (program name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    start_logging();
    end_with_the_reader();
    let cli = match Cli::try_parse_from(arguments.into_iter().map(double_dash)) {
        Ok(cli) => cli,
        Err(error) => {
            // Usage errors are errors like any other; help and version are not errors.
            let code = if error.use_stderr() { 1 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if cli.no_color {
        error::refuse_color();
    }
    if let Some(dir) = &cli.chdir
        && let Err(error) = std::env::set_current_dir(dir)
    {
        eprintln!("error: cannot change to the directory `{}`: {error}", dir.display());
        return ExitCode::from(1);
    }
    let result = match cli.command {
        Command::Plan(args) => plan::run(args),
        Command::Apply(args) => apply::run(args),
        Command::Destroy(args) => destroy::run(args),
        Command::Drift(args) => drift::run(args),
        Command::Rollout(args) => rollout::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Validate(args) => validate::run(args),
        Command::Output(args) => output::run(args),
        Command::State(args) => state::run(args),
        Command::Import(args) => import::run(args),
        Command::Show(args) => show::run(args),
        Command::Graph(args) => graph::run(args),
        Command::Console(args) => console::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Fmt(args) => fmt::run(args),
        Command::Sim(args) => sim::run(args),
        Command::Bench(args) => bench::run(args),
    };
    match result {
        Ok(done) => done.into(),
        Err(error) => {
            error.print();
            ExitCode::from(1)
        }
    }
}

/// `-var` as Terraform's users write it → `--var`. Single letters stay what they are.
fn double_dash(argument: OsString) -> OsString {
    let Some(text) = argument.to_str() else { return argument };
    let mut chars = text.chars();
    let single = chars.next() == Some('-') && chars.next().is_some_and(|c| c.is_ascii_lowercase());
    let name = text.trim_start_matches('-').split('=').next().unwrap_or_default();
    if single && name.len() > 1 { OsString::from(format!("-{text}")) } else { argument }
}

/// `cutover … | head`: when no one reads any more, that is no defect to tell of.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        if text.is_some_and(|t| t.starts_with("failed printing to stdout") && t.contains("Broken pipe")) {
            // As the signal would have it.
            std::process::exit(141);
        }
        usual(info);
    }));
}

/// `CUTOVER_LOG=debug` (or a filter such as `aws_config=trace`) writes a log to stderr.
fn start_logging() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("CUTOVER_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dash_will_do_for_long_flags() {
        let converted = |s: &str| double_dash(s.into()).into_string().expect("text");
        assert_eq!(converted("-var"), "--var");
        assert_eq!(converted("-var-file=x"), "--var-file=x");
        assert_eq!(converted("--var"), "--var");
        assert_eq!(converted("-h"), "-h");
        assert_eq!(converted("-"), "-");
        assert_eq!(converted("a=-b"), "a=-b");
        assert_eq!(converted("-5"), "-5");
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
