//! An environment as a command finds it: configuration, variables, state.

use super::cloud::CloudKind;
use super::error::{CliError, style};
use super::line::ask;
use crate::config::variables::{Argument, Given, VariableValue, answered_values, missing, root_values};
use crate::config::{Config, load};
use crate::diag::render::render_text;
use crate::diag::{Diagnostic, Diagnostics, Severity, Sources, nearest};
use crate::graph::Graph;
use crate::lang::syntax::Block;
use crate::plan::walk::options::Options;
use crate::state::StateDir;
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of every command that reads an environment.
#[derive(Clone, Debug, clap::Args)]
pub struct EnvironmentArgs {
    /// Directory of the environment
    #[arg(default_value = ".", value_name = "DIR")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Cloud to use instead of the one in cutover.hcl
    #[arg(long, value_enum)]
    pub cloud: Option<CloudKind>,
    /// One line for each kind of warning
    #[arg(long)]
    pub compact_warnings: bool,
    /// `plan --generate-config-out`: imports need no declaration.
    #[arg(skip)]
    pub generate: bool,
}

/// `-var` and `-var-file` in the order written.
#[derive(Clone, Debug, Default)]
pub struct VariableArgs {
    pub given: Vec<Argument>,
}

impl VariableArgs {
    /// With those of the process's environment.
    pub fn all(&self) -> Given {
        Given { arguments: self.given.clone(), ..Given::default() }.with_environment(std::env::vars())
    }
}

impl clap::FromArgMatches for VariableArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given: Vec<(usize, Argument)> = Vec::new();
        let positions = |name: &str| matches.indices_of(name).into_iter().flatten().collect::<Vec<_>>();
        if let Some(values) = matches.get_many::<String>("var") {
            given.extend(positions("var").into_iter().zip(values.map(|v| Argument::Var(v.clone()))));
        }
        if let Some(values) = matches.get_many::<PathBuf>("var-file") {
            given.extend(positions("var-file").into_iter().zip(values.map(|v| Argument::File(v.clone()))));
        }
        given.sort_by_key(|(at, _)| *at);
        Ok(Self { given: given.into_iter().map(|(_, argument)| argument).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for VariableArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let var = clap::Arg::new("var")
            .long("var")
            .value_name("NAME=VALUE")
            .action(clap::ArgAction::Append)
            .help("Value of a variable; may be repeated");
        let file = clap::Arg::new("var-file")
            .long("var-file")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .action(clap::ArgAction::Append)
            .help("File with values of variables; may be repeated, later ones win");
        command.arg(var).arg(file)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// What `cutover { … }` says.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cloud: CloudKind,
    /// Seed of the embedded AWS.
    pub seed: u64,
    /// `state { key_file = … }`, relative to the environment's directory.
    pub key_file: Option<PathBuf>,
}

pub struct Environment {
    pub dir: PathBuf,
    pub sources: Sources,
    pub config: Config,
    /// Once it has been checked.
    pub graph: Option<Graph>,
    pub settings: Settings,
    pub values: BTreeMap<Arc<str>, VariableValue>,
    pub state: StateDir,
    /// Imports of what nothing declares are no mistake: it will be written.
    pub generate: bool,
    pub diags: Diagnostics,
    pub options: Options,
    compact_warnings: bool,
}

impl Environment {
    fn new(
        args: &EnvironmentArgs,
        sources: Sources,
        config: Config,
        settings: Settings,
        values: BTreeMap<Arc<str>, VariableValue>,
        diags: Diagnostics,
    ) -> Self {
        Self {
            dir: args.dir.clone(),
            sources,
            config,
            graph: None,
            settings,
            values,
            state: StateDir::of(&args.dir),
            diags,
            options: Options::default(),
            generate: args.generate,
            compact_warnings: args.compact_warnings,
        }
    }

    /// Asks for the variables that have no value, if there is someone to ask.
    pub fn ask_for_variables(&mut self) -> Result<(), CliError> {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Ok(());
        }
        let module = self.config.root.module.clone();
        let mut answers = BTreeMap::new();
        for variable in missing(&module, &self.values) {
            eprintln!("var.{}", variable.name);
            if let Some(description) = &variable.description {
                eprintln!("  {description}");
            }
            let failed = |error| CliError::Io { what: "cannot ask".to_owned(), error };
            // Nothing is said: then it is missing, which is told with all others.
            if let Some(text) = ask("\n  Enter a value: ", variable.sensitive).map_err(failed)? {
                answers.insert(variable.name.to_string(), text);
            }
            eprintln!();
        }
        let answered = answered_values(&module, &answers, &mut self.sources, &mut self.diags);
        self.values.extend(answered);
        Ok(())
    }

    /// Of a directory without configuration: `text` is all that is declared.
    pub fn scratch(args: &EnvironmentArgs, text: &str) -> Result<Self, CliError> {
        let failed = |error| CliError::Io { what: "cannot write a temporary directory".to_owned(), error };
        let dir = tempfile::tempdir().map_err(failed)?;
        std::fs::write(dir.path().join("main.tf"), text).map_err(failed)?;
        let (mut sources, mut diags) = (Sources::default(), Diagnostics::default());
        let config =
            load(dir.path(), &mut sources, &mut Diagnostics::default()).unwrap_or_else(Config::empty);
        let module = config.root.module.clone();
        let values = root_values(&module, &args.variables.all(), &mut sources, &mut diags);
        let settings = Settings { cloud: CloudKind::Embedded, seed: 1, key_file: None };
        Ok(Self::new(args, sources, config, settings, values, diags))
    }

    /// Reads the configuration and the variables; mistakes are in `diags`.
    pub fn load(args: &EnvironmentArgs) -> Result<Self, CliError> {
        let mut sources = Sources::default();
        let mut diags = Diagnostics::default();
        let Some(config) = load(&args.dir, &mut sources, &mut diags) else {
            return Err(CliError::Config { diags, sources });
        };
        let module = config.root.module.clone();
        let mut settings = settings(&module, &mut diags);
        if let Some(cloud) = args.cloud {
            settings.cloud = cloud;
        }
        let remote = |b: &&Block| b.labels.first().is_none_or(|l| &*l.name != "local");
        selected_workspace(&args.dir, &mut diags);
        if let (CloudKind::Aws, Some(backend)) = (settings.cloud, module.backend.as_ref().filter(remote)) {
            diags.push(
                Diagnostic::error("unsupported-backend", "only local state is supported yet")
                    .at(backend.header)
                    .help("leave the backend block commented out; state is then kept in `.cutover/` beside the environment"),
            );
        }
        let values = root_values(&module, &args.variables.all(), &mut sources, &mut diags);
        Ok(Self::new(args, sources, config, settings, values, diags))
    }

    /// Configuration from a snapshot, state and world where the environment really is.
    pub fn live_at(&mut self, dir: &Path) {
        self.state = StateDir::of(dir);
    }

    /// The directory where it really is, also when the configuration comes from a snapshot.
    pub fn home(&self) -> &Path {
        self.state.path().parent().unwrap_or(&self.dir)
    }

    /// Errors end the command; warnings are shown once.
    pub fn check(&mut self, found: Diagnostics) -> Result<(), CliError> {
        self.diags.extend(found);
        if self.diags.has_errors() {
            let (diags, sources) = (std::mem::take(&mut self.diags), std::mem::take(&mut self.sources));
            return Err(CliError::Config { diags, sources });
        }
        Ok(())
    }

    pub fn show_warnings(&mut self) {
        let warnings: Vec<Diagnostic> = std::mem::take(&mut self.diags).into_sorted();
        if self.compact_warnings {
            eprint!("{}", compact(&warnings, &self.sources));
        } else if warnings.iter().any(|d| d.severity == Severity::Warning) {
            eprint!("{}", render_text(&warnings, &self.sources, style()));
        }
    }

    /// `envs/dev`, as written by the user.
    pub fn name(&self) -> String {
        let path = crate::config::tree::normal(&self.dir);
        if path == Path::new(".") {
            let absolute = std::path::absolute(&path).unwrap_or_default();
            return absolute.file_name().map_or(".".to_owned(), |n| n.to_string_lossy().into_owned());
        }
        path.display().to_string()
    }
}

/// `warning: summary (main.tf:3, and 2 more)`, one line for each kind.
fn compact(warnings: &[Diagnostic], sources: &Sources) -> String {
    let mut kinds: Vec<(&Diagnostic, usize)> = Vec::new();
    for warning in warnings {
        match kinds.iter_mut().find(|(first, _)| first.code == warning.code) {
            Some((_, count)) => *count += 1,
            None => kinds.push((warning, 1)),
        }
    }
    let line = |(first, count): &(&Diagnostic, usize)| {
        let place = first.span().map(|span| {
            let (line, _) = sources.line_column(span.file, span.start);
            format!("{}:{line}", sources.path(span.file).display())
        });
        let more = (*count > 1).then(|| format!("and {} more", count - 1));
        let about: Vec<String> = place.into_iter().chain(more).collect();
        let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
        format!("warning[{}]: {}{about}\n", first.code, first.summary)
    };
    kinds.iter().map(line).collect()
}

/// A state belongs to a directory here: one of another workspace must not be taken for it.
fn selected_workspace(dir: &Path, diags: &mut Diagnostics) {
    let (name, from) = match std::env::var("TF_WORKSPACE") {
        Ok(name) => (name, "TF_WORKSPACE"),
        Err(_) => {
            let text = std::fs::read_to_string(dir.join(".terraform/environment")).unwrap_or_default();
            (text.trim().to_owned(), "`.terraform/environment`")
        }
    };
    if !name.is_empty() && name != "default" {
        diags.push(
            Diagnostic::error("workspace", format!("workspace `{name}` is selected by {from}"))
                .detail("Cutover keeps one state a directory; it has no workspaces but `default`.")
                .help("select `default`, and give each environment a directory of its own, or a variable"),
        );
    }
}

fn settings(module: &crate::config::Module, diags: &mut Diagnostics) -> Settings {
    let mut settings = Settings { cloud: CloudKind::Aws, seed: 1, key_file: None };
    let Some(block) = &module.cutover else { return settings };
    for attribute in &block.body.attributes {
        let text = crate::config::constant_string(&attribute.expr);
        let name = &*attribute.name.name;
        match (name, text.as_deref()) {
            ("cloud", Some("embedded")) => settings.cloud = CloudKind::Embedded,
            ("cloud", Some("aws")) => settings.cloud = CloudKind::Aws,
            ("cloud", _) => diags.push(
                Diagnostic::error("invalid-value", "`cloud` must be \"embedded\" or \"aws\"")
                    .at(attribute.expr.span)
                    .help("\"embedded\" is the simulator inside Cutover, \"aws\" the real one"),
            ),
            ("seed", _) => match literal_seed(&attribute.expr) {
                Some(seed) => settings.seed = seed,
                None => diags.push(
                    Diagnostic::error("invalid-value", "`seed` must be a whole number")
                        .at(attribute.expr.span),
                ),
            },
            _ => {
                let d = Diagnostic::error("unknown-attribute", format!("`cutover` has no argument `{name}`"));
                let help = nearest(name, ["cloud", "seed"])
                    .map_or("it takes cloud and seed".into(), |n| format!("did you mean `{n}`?"));
                diags.push(d.at(attribute.name.span).help(help));
            }
        }
    }
    for inner in &block.body.blocks {
        if &*inner.kind.name == "state" {
            state_settings(inner, &mut settings, diags);
            continue;
        }
        let d = Diagnostic::error("unknown-block", format!("`cutover` has no block `{}`", inner.kind.name));
        diags.push(d.at(inner.header).help("remove it"));
    }
    settings
}

fn state_settings(block: &Block, settings: &mut Settings, diags: &mut Diagnostics) {
    for attribute in &block.body.attributes {
        let name = &*attribute.name.name;
        match (name, crate::config::constant_string(&attribute.expr)) {
            ("key_file", Some(text)) => settings.key_file = Some(PathBuf::from(text)),
            ("key_file", None) => diags.push(
                Diagnostic::error("invalid-value", "`key_file` must be a plain string")
                    .at(attribute.expr.span)
                    .help("write the path out: it is needed before anything can be evaluated"),
            ),
            _ => diags.push(
                Diagnostic::error("unknown-attribute", format!("`state` has no argument `{name}`"))
                    .at(attribute.name.span)
                    .help("it takes key_file"),
            ),
        }
    }
    for inner in &block.body.blocks {
        let d = Diagnostic::error("unknown-block", format!("`state` has no block `{}`", inner.kind.name));
        diags.push(d.at(inner.header).help("remove it"));
    }
}

fn literal_seed(expr: &crate::lang::syntax::Expr) -> Option<u64> {
    match &expr.kind {
        crate::lang::syntax::ExprKind::Literal(value) => u64::try_from(value.as_i64()?).ok(),
        _ => None,
    }
}
