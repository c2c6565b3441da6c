use super::Done;
use super::environment::EnvironmentArgs;
use super::error::{CliError, aws_error, color, style};
use super::plan::schema_of;
use super::planning::{LockArgs, PlanningArgs};
use super::saved::Saved;
use super::screen::Screen;
use super::session::{Locked, Session, load_checked, load_for_plan, with_walk_of};
use crate::apply::probes::Probed;
use crate::apply::{self, Event, Failure, Outcome, RolledOut};
use crate::aws::{ROLLED_BACK, WAITS_FOR_A_PERSON};
use crate::diag::render::render_text;
use crate::plan::walk::options::Options;
use crate::plan::walk::{Purpose, Walk};
use crate::plan::{Change, Plan};
use crate::render::{self, Palette, counted};
use crate::state::journal::Entry;
use std::io::{BufRead, IsTerminal, Write};

/// Make AWS be as declared
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An environment's directory, or a plan saved with `plan --out`, as the first argument
    #[command(flatten)]
    environment: EnvironmentArgs,
    #[command(flatten)]
    apply: ApplyArgs,
    /// The same as `cutover destroy`
    #[arg(long)]
    destroy: bool,
}

/// What `apply` and `destroy` share.
#[derive(Debug, clap::Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    pub planning: PlanningArgs,
    #[command(flatten)]
    pub lock: LockArgs,
    /// Do not ask
    #[arg(long)]
    pub auto_approve: bool,
    /// Apply although a guard's freeze forbids it now; say why
    #[arg(long, value_name = "REASON")]
    pub despite_freeze: Option<String>,
    /// Tell in the end what probes were answered second by second
    #[arg(long)]
    pub availability: bool,
    /// How many resources to work on at once
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub parallelism: usize,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    if args.environment.dir.is_file() {
        return apply_saved(args);
    }
    let purpose = if args.destroy { Purpose::Destroy } else { Purpose::Plan };
    let operation = if args.destroy { "destroy" } else { "apply" };
    let environment = load_for_plan(&args.environment, &args.apply.planning)?;
    let locked = Locked { operation, how: args.apply.lock };
    with_walk_of(environment, purpose, Some(locked), async |walk, session| {
        carry_out(walk, session, &args.apply, operation).await
    })
}

/// A saved plan: planned again from its snapshot of the configuration, and refused if that differs.
fn apply_saved(args: Args) -> Result<Done, CliError> {
    let planning = &args.apply.planning;
    if args.destroy || planning.options()? != Options::default() {
        return Err(CliError::usage(
            "a saved plan is applied as it is",
            "give --destroy, --target, --replace and --refresh to `cutover plan --out`",
        ));
    }
    let saved = Saved::load(&args.environment.dir)?;
    let unpacked = saved.unpack(&args.environment.variables.given)?;
    let snapshot = EnvironmentArgs {
        dir: unpacked.config_dir.clone(),
        variables: unpacked.variables.clone(),
        cloud: args.environment.cloud,
        compact_warnings: args.environment.compact_warnings,
        generate: false,
    };
    let mut environment = load_checked(&snapshot)?;
    environment.live_at(&unpacked.environment);
    environment.options = saved.options();
    saved.check_secrets(&environment)?;
    let purpose = if saved.destroys() { Purpose::Destroy } else { Purpose::Plan };
    let approved = ApplyArgs { auto_approve: true, ..args.apply };
    let locked = Locked { operation: "apply", how: approved.lock };
    with_walk_of(environment, purpose, Some(locked), async |walk, session| {
        saved.check(&walk.plan(), walk)?;
        carry_out(walk, session, &approved, "apply").await
    })
}

/// Shows the plan, asks, applies, reports.
pub async fn carry_out(
    walk: &mut Walk<'_>,
    session: Session<'_>,
    args: &ApplyArgs,
    operation: &str,
) -> Result<Done, CliError> {
    let plan = walk.plan();
    session.environment.show_warnings();
    show(&plan, walk);
    if !plan.is_empty() {
        refuse_while_frozen(walk, &session, args)?;
    }
    walk.seal_what_became_secret();
    if plan.is_empty() {
        if operation == "apply" {
            print_outputs(&plan, walk);
        }
        // What a killed run left in the journal is folded in now.
        session.environment.state.save(&walk.state)?;
        return Ok(Done::Ok);
    }
    if !args.auto_approve && !approved(operation, session.environment.name())? {
        eprintln!("Nothing was changed.");
        return Ok(Done::Failed);
    }
    // The identity of a new state, and what a killed run left, are on disk before the first call.
    session.environment.state.save(&walk.state)?;
    let mut journal = session.environment.state.open_journal()?;
    let at = session.clock.now().to_string();
    journal.append(&Entry::Begin { operation: operation.to_owned(), at })?;
    let screen = Screen::new();
    let show_event = |event: Event| screen.show(&event);
    // Nobody but the apply keeps what was planned: it lets go of what is done.
    drop(plan);
    let clock = session.clock.clone();
    let (stop, prober) = (&session.stop, &*session.prober);
    let outcome = apply::apply(walk, &mut journal, &show_event, clock, args.parallelism, stop, prober).await;
    screen.end();
    session.environment.state.save_open(&walk.state, &outcome.open)?;
    Ok(report(walk, &outcome, args, operation, &session))
}

/// Nothing is changed while a guard says so.
fn refuse_while_frozen(walk: &Walk<'_>, session: &Session<'_>, args: &ApplyArgs) -> Result<(), CliError> {
    let now = session.clock.now();
    for guard in walk.guards() {
        let Some((window, ends)) = guard.freeze.iter().find_map(|w| w.ends(now).map(|ends| (w, ends))) else {
            continue;
        };
        if let Some(reason) = &args.despite_freeze {
            eprintln!("guard {}: applied in the freeze `{}`, because: {reason}", guard.name, window.text);
            continue;
        }
        return Err(CliError::Conflict {
            problem: format!("guard `{}` freezes this environment: {}", guard.name, window.text),
            help: format!("nothing was changed; it ends at {ends}; in need, say why: --despite-freeze \"…\""),
        });
    }
    Ok(())
}

fn show(plan: &Plan, walk: &Walk<'_>) {
    let schemas = |change: &Change| schema_of(walk, change);
    print!("{}", render::text::plan(plan, &schemas, Palette { color: color(&std::io::stdout()) }));
}

fn approved(operation: &str, environment: String) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage(
            format!("cannot ask whether to {operation}: there is no terminal"),
            format!(
                "look at the plan, then use `cutover {operation} --auto-approve`, or apply a plan saved with `plan --out`"
            ),
        ));
    }
    eprint!("\nDo this in {environment}? Only \"yes\" does it: ");
    let failed = |error| CliError::Io { what: "cannot ask".to_owned(), error };
    std::io::stderr().flush().map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(line.trim() == "yes")
}

fn report(
    walk: &Walk<'_>,
    outcome: &Outcome,
    args: &ApplyArgs,
    operation: &str,
    session: &Session<'_>,
) -> Done {
    let palette = Palette { color: color(&std::io::stderr()) };
    if !outcome.warnings.is_empty() {
        let warnings = outcome.warnings.clone().into_sorted();
        eprint!("\n{}", render_text(&warnings, &session.environment.sources, style()));
    }
    for failure in &outcome.failures {
        eprint!("\n{}", describe(failure, session));
    }
    let mut done =
        format!("{} created, {} changed, {} destroyed.", outcome.created, outcome.updated, outcome.deleted);
    let rare = [(outcome.imported, "imported"), (outcome.moved, "moved"), (outcome.forgotten, "forgotten")];
    for (n, what) in rare.iter().filter(|(n, _)| *n > 0) {
        done.truncate(done.len() - 1);
        done += &format!(", {n} {what}.");
    }
    for rolled in &outcome.rolled {
        eprintln!("{}", told_of_rollout(rolled));
    }
    for (name, probed) in &outcome.probes {
        eprintln!("{}", told(name, probed));
        let seconds =
            if args.availability { render::availability::lines(&probed.seconds) } else { Vec::new() };
        seconds.iter().for_each(|line| eprintln!("  {line}"));
    }
    let skipped = outcome.failures.iter().filter(|f| matches!(f, Failure::Skipped { .. })).count();
    let failed = outcome.failures.len() - skipped;
    if outcome.interrupted {
        eprintln!("\n{}", palette.red(&format!("Interrupted: {done} Run the same command again to go on.")));
        return Done::Interrupted;
    }
    let all = |code: &str| {
        let mut failures = outcome.failures.iter().filter(|f| !matches!(f, Failure::Skipped { .. }));
        failed > 0 && failures.all(|f| matches!(f, Failure::Aws { error, .. } if error.is(&[code])))
    };
    if all(WAITS_FOR_A_PERSON) {
        let how = "`cutover rollout continue` goes on, `cutover rollout rollback` goes back";
        eprintln!("\n{}", palette.yellow(&format!("Paused: {done} {how}.")));
        return Done::Paused;
    }
    if all(ROLLED_BACK) {
        eprintln!(
            "\n{}",
            palette.red(&format!("Rolled back: {done} What was rolled back is as it was before."))
        );
        return Done::RolledBack;
    }
    if failed > 0 {
        done += &format!(" {} failed, {} not begun.", failed, counted(skipped, "resource"));
        eprintln!("\n{}", palette.red(&format!("Not finished: {done} Run the same command again to go on.")));
        return Done::Failed;
    }
    eprintln!("\n{}", palette.green(&format!("Done: {done}")));
    if operation == "apply" {
        print_outputs(&walk.plan(), walk);
    }
    Done::Ok
}

/// `rollout of aws_ecs_service.web: 3 min 31 s, never fewer than 4 of 4 in service`
fn told_of_rollout(rolled: &RolledOut) -> String {
    let least = rolled.least.map(|(least, of)| format!(", never fewer than {least} of {of} in service"));
    format!(
        "rollout of {}: {}{}",
        rolled.address,
        render::duration(rolled.seconds),
        least.unwrap_or_default()
    )
}

/// `probe site: 118 of 120 answers good (98.3 %), last bad one HTTP 502`
fn told(name: &str, probed: &Probed) -> String {
    let answers = &probed.answers;
    if !probed.answered {
        let why = probed.before.as_deref().unwrap_or("it was not sent");
        return format!("probe {name}: never a good answer ({why})");
    }
    let fault = answers.fault.as_deref().map(|f| format!(", last bad one {f}")).unwrap_or_default();
    format!(
        "probe {name}: {} of {} answers good ({:.1} %){fault}",
        answers.good,
        answers.sent,
        answers.percent()
    )
}

fn describe(failure: &Failure, session: &Session<'_>) -> String {
    match failure {
        Failure::Aws { address, error } => aws_error(&address.to_string(), error),
        Failure::Config(diags) => {
            render_text(&diags.clone().into_sorted(), &session.environment.sources, style())
        }
        Failure::Skipped { address } => format!("not begun: {address} (something it needs failed)\n"),
        Failure::State(error) => format!("error: {error}\n"),
    }
}

fn print_outputs(plan: &Plan, _walk: &Walk<'_>) {
    if plan.outputs.is_empty() {
        return;
    }
    println!("\nOutputs:\n");
    for (name, output) in &plan.outputs {
        let text = if output.sensitive {
            render::value::SENSITIVE.to_owned()
        } else {
            render::value::hcl(&output.after)
        };
        println!("{name} = {text}");
    }
}
