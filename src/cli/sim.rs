use super::Done;
use super::cloud::{CloudKind, load_or_new, own_world};
use super::environment::{Environment, EnvironmentArgs};
use super::error::CliError;
use super::fault::{self, FaultCommand, ImageCommand};
use super::traffic::{self, TrafficCommand};
use crate::sim::faults::script;
use crate::sim::recorded;
use crate::sim::service::iam::Enforcement;
use crate::sim::{Sim, World, log, server};
use std::path::PathBuf;
use tokio::net::TcpListener;

/// Work with an environment's embedded AWS
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let the aws CLI, boto3 and others use it, on 127.0.0.1
    Serve {
        /// Directory of the environment
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
        /// Port to listen on; 0 takes a free one
        #[arg(long, default_value_t = 4566)]
        port: u16,
        /// How many seconds pass in the world in one real second
        #[arg(long, default_value_t = 1.0, value_parser = speed)]
        speed: f64,
        /// No throttling and no propagation delays, for tests that were written for a fake without them
        #[arg(long)]
        prompt: bool,
        /// Check the calls of IAM users and assumed roles against their policies; the world keeps to it until told
        /// `--enforce-iam=false`
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
        enforce_iam: Option<bool>,
    },
    /// Start over with an empty account; refused while the state still holds resources
    Reset {
        /// Directory of the environment
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
        /// Forget the recorded resources too
        #[arg(long)]
        force: bool,
    },
    /// Write the whole world to a file
    Export {
        /// Directory of the environment
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take a world that was exported, or build one of answers that the real AWS gave
    Import {
        /// Directory of the environment
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// What `sim export` wrote, or a JSON list of {"service", "operation", "input", "output"}, with outputs as
        /// the AWS CLI prints them
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// What has happened in it, a JSON line an event
    Events {
        /// Directory of the environment
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
        /// Leave out events before this number
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        since: u64,
    },
    /// Let time pass in it
    Wait {
        /// Directory of the environment
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// 90s, 5m, 1h30m
        #[arg(value_name = "DURATION")]
        duration: String,
    },
    /// Let things go wrong in it: throttling, lost calls, lost zones, spot interruptions …
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Say how the containers of an image behave
    #[command(subcommand)]
    Image(ImageCommand),
    /// Requests that come to its load balancers, and what became of them
    #[command(subcommand)]
    Traffic(TrafficCommand),
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed <= 100_000.0 => Ok(speed),
        _ => Err("it must be a number above 0 and at most 100000".to_owned()),
    }
}

pub fn run(args: Args) -> Result<Done, CliError> {
    match args.command {
        Command::Serve { dir, port, speed, prompt, enforce_iam } => {
            serve(dir, port, speed, prompt, enforce_iam)
        }
        Command::Reset { dir, force } => reset(dir, force),
        Command::Export { dir, file } => export(dir, file),
        Command::Import { dir, file } => import(dir, file),
        Command::Events { dir, since } => events(dir, since),
        Command::Wait { dir, duration } => wait(dir, &duration),
        Command::Fault(command) => fault::run(command),
        Command::Image(command) => fault::run_image(command),
        Command::Traffic(command) => traffic::run(command),
    }
}

fn wait(dir: PathBuf, duration: &str) -> Result<Done, CliError> {
    let wrong = |problem| CliError::usage(problem, "write how long: 90s, 5m, 1h30m");
    let millis = script::duration(duration).map_err(wrong)?;
    fault::with_world(
        dir,
        |world| {
            world.advance_to(world.now + millis);
            Ok(())
        },
        |endpoint| {
            let problem = format!("the world is served at {endpoint}, where time passes by itself");
            Err(CliError::Conflict { problem, help: "wait, or end the server first".to_owned() })
        },
    )?;
    Ok(Done::Ok)
}

pub fn environment(dir: PathBuf) -> Result<Environment, CliError> {
    let args = EnvironmentArgs {
        dir,
        variables: Default::default(),
        cloud: None,
        compact_warnings: false,
        generate: false,
    };
    let environment = Environment::load(&args)?;
    if environment.settings.cloud != CloudKind::Embedded {
        return Err(CliError::usage(
            format!("{} does not use the embedded AWS", environment.name()),
            "write `cutover { cloud = \"embedded\" }` in its cutover.hcl",
        ));
    }
    environment.state.create()?;
    Ok(environment)
}

pub fn busy(holder: &str) -> CliError {
    let problem = match holder {
        "" => "another command is using this environment's embedded AWS".to_owned(),
        endpoint => format!("this environment's embedded AWS is already served at {endpoint}"),
    };
    CliError::Conflict { problem, help: "use that one, or end it first".to_owned() }
}

fn serve(
    dir: PathBuf,
    port: u16,
    speed: f64,
    prompt: bool,
    enforce_iam: Option<bool>,
) -> Result<Done, CliError> {
    let environment = environment(dir)?;
    let io = |what: &str| {
        let what = what.to_owned();
        move |error| CliError::Io { what, error }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(io("cannot start the runtime"))?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.map_err(io(&format!("cannot listen on 127.0.0.1:{port}")))?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(io("cannot listen"))?);
        let _owner = own_world(&environment, &endpoint)?.map_err(|holder| busy(&holder))?;
        let path = environment.state.world();
        let mut world = load_or_new(&environment)?;
        if prompt {
            world.faults.make_prompt();
        }
        if let Some(enforce) = enforce_iam {
            world.iam.enforcement = if enforce { Enforcement::on() } else { Enforcement::default() };
        }
        let sim = Sim::new(world).saving_to(&path);
        eprintln!("embedded AWS of {} at {endpoint} (Ctrl-C ends it); for other clients:", environment.name());
        println!("export AWS_ENDPOINT_URL={endpoint} AWS_REGION={} AWS_ACCESS_KEY_ID=embedded AWS_SECRET_ACCESS_KEY=embedded", sim.with(|w| w.region.clone()));
        let stop = async {
            let _ = ended().await;
        };
        server::serve(sim.clone(), listener, speed, stop, |_| {}).await.map_err(io("serving failed"))?;
        sim.with(|world| world.save(&path))?;
        Ok(Done::Ok)
    })
}

/// Ctrl-C, or what a supervisor sends.
async fn ended() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn export(dir: PathBuf, file: PathBuf) -> Result<Done, CliError> {
    let environment = environment(dir)?;
    let _owner = own_world(&environment, "")?.map_err(|holder| busy(&holder))?;
    load_or_new(&environment)?.export(&file)?;
    println!("{}: the embedded AWS is in {}.", environment.name(), file.display());
    Ok(Done::Ok)
}

fn import(dir: PathBuf, file: PathBuf) -> Result<Done, CliError> {
    let environment = environment(dir)?;
    let _owner = own_world(&environment, "")?.map_err(|holder| busy(&holder))?;
    let unreadable = |error| CliError::Io { what: format!("cannot read {}", file.display()), error };
    let text = std::fs::read_to_string(&file).map_err(unreadable)?;
    let path = environment.state.world();
    // The events of the world before are not this one's.
    let _ = std::fs::remove_file(log::path_beside(&path));
    if !text.trim_start().starts_with('[') {
        let world = World::load(&file)?.expect("it was just read");
        world.save(&path)?;
        println!("{}: the embedded AWS is the one of {} now.", environment.name(), file.display());
        return Ok(Done::Ok);
    }
    let answers = recorded::parse(&text).map_err(|why| {
        let help = "see the documentation of `sim import` for what a list of answers looks like";
        CliError::usage(format!("{} is no list of answers: {why}", file.display()), help)
    })?;
    let (world, report) = recorded::build(&answers, environment.settings.seed);
    world.save(&path)?;
    println!("{}: the embedded AWS is built of {} answers.", environment.name(), answers.len());
    report.lines().iter().for_each(|line| println!("{line}"));
    Ok(Done::Ok)
}

fn events(dir: PathBuf, since: u64) -> Result<Done, CliError> {
    let environment = environment(dir)?;
    match own_world(&environment, "")? {
        Err(endpoint) if endpoint.starts_with("http://") => {
            let path = format!("{}?since={since}", server::EVENTS_PATH);
            print!(
                "{}",
                fault::ask(&endpoint, &path, "GET", "", |why| CliError::usage(
                    why,
                    "`cutover sim events --help`"
                ))?
            );
        }
        Err(holder) => return Err(busy(&holder)),
        Ok(_owner) => {
            let failed = |error| CliError::Io { what: "cannot read the events".to_owned(), error };
            let lines = log::read(&environment.state.world(), since).map_err(failed)?;
            lines.iter().for_each(|line| println!("{line}"));
        }
    }
    Ok(Done::Ok)
}

fn reset(dir: PathBuf, force: bool) -> Result<Done, CliError> {
    let environment = environment(dir)?;
    let _owner = own_world(&environment, "")?.map_err(|holder| busy(&holder))?;
    let (state, _) = environment.state.load()?;
    if !state.resources.is_empty() && !force {
        return Err(CliError::usage(
            format!("the state of {} still holds {} resources", environment.name(), state.resources.len()),
            "run `cutover destroy` first, or use --force to forget them with their world",
        ));
    }
    environment.state.forget()?;
    println!("{}: the embedded AWS is empty again.", environment.name());
    Ok(Done::Ok)
}
