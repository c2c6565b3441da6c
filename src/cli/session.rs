//! What commands that look at AWS share: load, check, connect, walk.

use super::cloud::{Cloud, Connector};
use super::environment::{Environment, EnvironmentArgs};
use super::error::CliError;
use super::planning::{LockArgs, PlanningArgs};
use crate::apply::probes::Prober;
use crate::builtin::{Context, Entropy};
use crate::clock::Clock;
use crate::config::variables;
use crate::diag::{Diagnostic, Diagnostics, Severity, Span};
use crate::graph::{Graph, Node};
use crate::plan::values::Place;
use crate::plan::walk::{Purpose, Walk};
use crate::provider::{AwsProvider, BuiltinProvider, Provider, ProviderSettings, Providers};
use crate::state::file::Lock;
use crate::state::{LockError, State, StateDir};
use jiff::Timestamp;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// Around a finished walk.
pub struct Session<'s> {
    pub environment: &'s mut Environment,
    pub clock: Clock,
    pub stop: Rc<Cell<bool>>,
    pub prober: Box<dyn Prober>,
}

/// Loads an environment and looks for mistakes without AWS: what every command does first.
pub fn load_checked(args: &EnvironmentArgs) -> Result<Environment, CliError> {
    let mut environment = Environment::load(args)?;
    let (graph, found) = validate(&environment, false);
    environment.graph = Some(graph);
    environment.check(found)?;
    Ok(environment)
}

fn place(environment: &Environment, now: Timestamp) -> Place {
    Place {
        root: environment.dir.clone(),
        home: environment.home().to_owned(),
        workspace: "default".to_owned(),
        now,
    }
}

/// Everything that knows resource types; `context` is None where nothing is asked or made.
fn providers(connector: Connector, context: Option<Context>) -> Providers {
    Providers::new(vec![Box::new(AwsProvider::new(connector)), Box::new(BuiltinProvider::new(context))])
}

/// The same, for who needs only the tables.
pub fn unconnected() -> Providers {
    providers(Connector::none(), None)
}

/// Looks for mistakes without AWS; `thorough`: those too that do no harm now.
///
/// First for what is wrong whatever the values, every block once: as in Terraform, what depends on the values
/// is told only when nothing of that kind is left; and not at all of a module, whose values others give.
pub fn validate(environment: &Environment, thorough: bool) -> (Graph, Diagnostics) {
    let mut certain = Diagnostics::default();
    let provider = Rc::new(unconnected());
    let graph = Graph::build(&environment.config, provider.clone(), &mut certain);
    if !graph.sound {
        return (graph, certain);
    }
    let walk = || {
        let (place, values) = (place(environment, Timestamp::UNIX_EPOCH), environment.values.clone());
        let mut walk = Walk::new(&graph, &*provider, place, Purpose::Validate, State::default(), values);
        walk.generate = environment.generate;
        walk.thorough = thorough;
        walk
    };
    certain.extend(validated(walk().without_values()));
    let steering = environment.config.root.module.steering.values();
    let ours: Vec<Span> = steering.map(|block| block.body.span).collect();
    let is_module =
        thorough && !variables::missing(&environment.config.root.module, &environment.values).is_empty();
    let found = together(certain, is_module, validated(walk()), &ours);
    (graph, found)
}

/// Validating never waits: there is no AWS in it.
fn validated(mut walk: Walk<'_>) -> Diagnostics {
    if let Err(error) = futures::executor::block_on(walk.run(&[])) {
        unreachable!("validation asked AWS: {error}");
    }
    walk.diags
}

/// The graph that validation built, or one.
pub fn graph_of(environment: &mut Environment) -> Graph {
    let built = environment.graph.take();
    let build = || Graph::build(&environment.config, Rc::new(unconnected()), &mut Diagnostics::default());
    built.unwrap_or_else(build)
}

/// Each mistake once, in the words that know the values; those in our own blocks (`ours`) in any case.
fn together(certain: Diagnostics, is_module: bool, with_values: Diagnostics, ours: &[Span]) -> Diagnostics {
    type Place = (&'static str, Option<Span>);
    let place = |d: &Diagnostic| -> Place { (d.code, d.span()) };
    let within = |s: Span, block: &Span| block.file == s.file && block.start <= s.start && s.end <= block.end;
    let is_ours = |d: &Diagnostic| d.span().is_some_and(|s| ours.iter().any(|block| within(s, block)));
    let failed = is_module || certain.iter().any(|d| d.severity == Severity::Error && !is_ours(d));
    let told: BTreeSet<Place> = certain.iter().map(place).collect();
    let found: BTreeSet<Place> = with_values.iter().map(place).collect();
    // What the first look does not look for.
    let is_kept = |d: &Diagnostic| {
        let foreign = matches!(d.code, "unknown-type" | "unknown-provider");
        !failed || foreign || is_ours(d) || d.severity != Severity::Error || told.contains(&place(d))
    };
    let mut diags = Diagnostics::default();
    diags.extend(certain.into_iter().filter(|d| !found.contains(&place(d))));
    diags.extend(with_values.into_iter().filter(is_kept));
    diags
}

/// Evaluates the environment without asking AWS: resources are as the state has them, or as declared, with
/// the rest unknown.
pub fn with_recorded<R>(
    mut environment: Environment,
    then: impl FnOnce(&Walk<'_>, &mut Environment) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let mut diags = Diagnostics::default();
    let context = Context {
        clock: Clock::real(),
        root: environment.home().to_owned(),
        entropy: Entropy::Seeded(environment.settings.seed),
    };
    let provider = providers(Connector::none(), Some(context));
    let graph = Graph::build(&environment.config, Rc::new(unconnected()), &mut diags);
    let (state, _) = environment.state.load()?;
    let place = place(&environment, Clock::wall_now());
    let mut walk = Walk::new(&graph, &provider, place, Purpose::Validate, state, environment.values.clone());
    walk.reads_own_data = true;
    if let Err(error) = futures::executor::block_on(walk.run(&[])) {
        unreachable!("nothing is asked while validating: {error}");
    }
    diags.extend(std::mem::take(&mut walk.diags));
    environment.check(diags)?;
    then(&walk, &mut environment)
}

/// Walks the environment against its cloud and hands the walk on. `operation`: takes the state's lock for
/// it; commands that only read take none.
pub fn with_walk<R>(
    args: &EnvironmentArgs,
    purpose: Purpose,
    operation: Option<Locked<'_>>,
    then: impl AsyncFnOnce(&mut Walk<'_>, Session<'_>) -> Result<R, CliError>,
) -> Result<R, CliError> {
    with_walk_of(load_checked(args)?, purpose, operation, then)
}

/// Loads an environment for a plan: as asked for, with variables asked for.
pub fn load_for_plan(args: &EnvironmentArgs, planning: &PlanningArgs) -> Result<Environment, CliError> {
    let options = planning.options()?;
    let mut environment = Environment::load(args)?;
    if planning.input {
        environment.ask_for_variables()?;
    }
    environment.options = options;
    let (graph, found) = validate(&environment, false);
    environment.graph = Some(graph);
    environment.check(found)?;
    Ok(environment)
}

/// An operation that needs the state for itself.
#[derive(Clone, Copy, Debug)]
pub struct Locked<'s> {
    pub operation: &'s str,
    pub how: LockArgs,
}

impl Locked<'_> {
    fn take(self, state: &StateDir, now: &str) -> Result<Option<Lock>, CliError> {
        const PAUSE: Duration = Duration::from_millis(100);
        if !self.how.lock {
            return Ok(None);
        }
        let mut waited = Duration::ZERO;
        loop {
            match state.lock(self.operation, now) {
                Err(LockError::Held { .. }) if waited < self.how.lock_timeout => {
                    if waited.is_zero() {
                        eprintln!("waiting for another run to end");
                    }
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                result => return Ok(Some(result?)),
            }
        }
    }
}

/// The same for an environment that has been loaded and checked.
pub fn with_walk_of<R>(
    environment: Environment,
    purpose: Purpose,
    operation: Option<Locked<'_>>,
    then: impl AsyncFnOnce(&mut Walk<'_>, Session<'_>) -> Result<R, CliError>,
) -> Result<R, CliError> {
    with_unchecked_walk(environment, purpose, operation, async |walk, session| {
        let found = std::mem::take(&mut walk.diags);
        session.environment.check(found)?;
        then(walk, session).await
    })
}

/// The same, mistakes or not: they are still in the walk.
pub fn with_unchecked_walk<R>(
    mut environment: Environment,
    purpose: Purpose,
    operation: Option<Locked<'_>>,
    then: impl AsyncFnOnce(&mut Walk<'_>, Session<'_>) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let now = Clock::wall_now().to_string();
    let _lock = operation.map(|locked| locked.take(&environment.state, &now)).transpose()?;
    let cloud = Cloud::open(&environment)?;
    let runtime = cloud.runtime()?;
    runtime.block_on(async {
        let clock = cloud.clock();
        let stop = Rc::new(Cell::new(false));
        let work = walk_then(&mut environment, &cloud, clock.clone(), purpose, stop.clone(), then);
        let result = until_interrupted(work, &stop).await;
        cloud.save(&clock)?;
        result
    })
}

async fn walk_then<R>(
    environment: &mut Environment,
    cloud: &Cloud,
    clock: Clock,
    purpose: Purpose,
    stop: Rc<Cell<bool>>,
    then: impl AsyncFnOnce(&mut Walk<'_>, Session<'_>) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let graph = graph_of(environment);
    let context = Context {
        clock: clock.clone(),
        root: environment.home().to_owned(),
        entropy: cloud.entropy(environment.settings.seed),
    };
    let provider = providers(cloud.connector(&clock), Some(context));
    let (mut state, unfinished) = environment.state.load()?;
    begin(&mut state, cloud);
    state.key = super::keys::state_key(environment, keeps_secrets(&graph, &state, &provider))?;
    let place = place(environment, clock.now());
    let mut walk =
        Walk::new(&graph, &provider as &dyn Provider, place, purpose, state, environment.values.clone());
    walk.defaults = ProviderSettings::default();
    walk.options = environment.options.clone();
    walk.generate = environment.generate;
    walk.run(&unfinished).await?;
    then(&mut walk, Session { environment, prober: cloud.prober(&clock), clock, stop }).await
}

/// Whether something declared, or in the state, has secrets that must be kept.
fn keeps_secrets(graph: &Graph, state: &State, provider: &dyn Provider) -> bool {
    let declared = graph.nodes().filter_map(|node| match node {
        Node::Resource(_, key) => Some(&key.type_name),
        _ => None,
    });
    let mut all = declared.chain(state.resources.keys().map(|address| &address.type_name));
    all.any(|type_name| provider.resource(type_name).is_some_and(|schema| schema.needs_key()))
}

/// A state that was never written gets its identity.
fn begin(state: &mut State, cloud: &Cloud) {
    if !state.lineage.is_empty() {
        return;
    }
    let fresh = |what: &str| match cloud {
        // The same seed tells the same story.
        Cloud::Embedded { sim, .. } => {
            let seed = sim.with(|w| w.seed);
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{what} {seed}").as_bytes())
        }
        _ => uuid::Uuid::new_v4(),
    };
    state.lineage = fresh("lineage").to_string();
    state.salt = fresh("salt").simple().to_string();
}

/// Runs `work`; the first Ctrl-C asks it to stop at the next safe point, the second one ends the process.
async fn until_interrupted<R>(work: impl Future<Output = R>, stop: &Cell<bool>) -> R {
    tokio::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => return result,
            signal = tokio::signal::ctrl_c() => {
                if signal.is_err() {
                    continue;
                }
                crate::aws::INTERRUPTED.store(true, std::sync::atomic::Ordering::Relaxed);
                if stop.replace(true) {
                    eprintln!("stopped at once; the journal knows what was under way, and the next run goes on with it");
                    std::process::exit(130);
                }
                eprintln!("stopping: waiting for what is under way (once more: stop at once)");
            }
        }
    }
}

/// The state of an environment, for commands that read only that.
pub fn load_state(dir: &std::path::Path) -> Result<State, CliError> {
    if !dir.is_dir() {
        return Err(CliError::usage(
            format!("`{}` is not a directory", dir.display()),
            "name the directory of an environment, such as `envs/dev`",
        ));
    }
    Ok(StateDir::of(dir).load()?.0)
}
