//! `sim fault` and `sim image`: what shall go wrong in an environment's embedded AWS.

use super::Done;
use super::cloud::{load_or_new, own_world};
use super::environment::Environment;
use super::error::CliError;
use super::sim::{busy, environment};
use crate::sim::World;
use crate::sim::faults::script::{self, Order};
use crate::sim::faults::{self, CallFault, How, What};
use crate::sim::server::FAULTS_PATH;
use crate::sim::service::ecs::{ImageBehaviour, Work};
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::Value as Json;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum FaultCommand {
    /// Let something go wrong, now or later
    Add {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[command(subcommand)]
        kind: Kind,
        /// When it begins, in the world's time from now: 90s, 5m, 1h30m
        #[arg(long, global = true, value_name = "DURATION")]
        after: Option<String>,
        /// How long it lasts; without it, until it is cleared
        #[arg(long = "for", global = true, value_name = "DURATION")]
        lasts: Option<String>,
    },
    /// Read many from a JSON file: [{"after": "5m", "for": "1h", "fault": "lost-zone", "zone": "us-east-1a"}, …]
    Script {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// What is declared and not over
    List {
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
    },
    /// Take back one by its number, or all
    Clear {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[arg(value_name = "NUMBER")]
        number: Option<u32>,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum Kind {
    /// API calls fail, get lost or answer with what was true before
    Calls {
        #[arg(value_parser = hows())]
        how: String,
        /// As it is signed (ecs, ec2, elasticloadbalancing, autoscaling, iam …); * for any text
        #[arg(long, default_value = "*")]
        service: String,
        /// CreateService, Describe*
        #[arg(long, default_value = "*")]
        operation: String,
        /// Of the calls in question, 0 to 1
        #[arg(long, default_value_t = 1.0)]
        probability: f64,
        /// How often
        #[arg(long)]
        times: Option<u32>,
        /// With stale: how old the answers are
        #[arg(long, default_value = "5s", value_name = "DURATION")]
        age: String,
    },
    /// An availability zone fails with all that runs in it
    LostZone { zone: String },
    /// Spot instances get their two minutes' notice and end
    SpotInterruption {
        /// Of the running spot instances, 0 to 1
        #[arg(long, default_value_t = 1.0)]
        share: f64,
    },
    /// Instances cannot be launched
    NoCapacity {
        #[arg(long = "type", default_value = "*", value_name = "TYPE")]
        instance_type: String,
        #[arg(long, default_value = "*")]
        zone: String,
    },
    /// A quota of the account is this: L-1216C47A of On-Demand, L-34B43A08 of spot instances, in vCPUs
    Quota {
        /// As Service Quotas names it
        code: String,
        value: f64,
    },
    /// Instances boot later than usual
    SlowBoot {
        #[arg(value_name = "DURATION")]
        by: String,
    },
    /// Health checks of target groups fail
    UnhealthyTargets {
        /// Name of the target group; * for any text
        group: String,
    },
    /// New IAM roles and instance profiles are unknown to other services for a while
    IamDelay {
        #[arg(value_name = "DURATION")]
        by: String,
    },
    /// New EC2 ids are unknown to later calls for a while (a few are anyway, for seconds)
    Ec2Delay {
        /// At most
        #[arg(value_name = "DURATION")]
        by: String,
    },
    /// The command that works on the environment is killed, as by `kill -9`, when it next calls AWS (exit code 137)
    Kill,
    /// Somebody else makes a call
    Edit {
        service: String,
        operation: String,
        /// The operation's input, with the API's member names
        #[arg(value_name = "JSON")]
        input: String,
    },
}

/// [`How`] by the names that scripts use too.
fn hows() -> PossibleValuesParser {
    PossibleValuesParser::new([
        PossibleValue::new("throttle"),
        PossibleValue::new("internal-error"),
        PossibleValue::new("unavailable"),
        PossibleValue::new("expired-credentials"),
        PossibleValue::new("access-denied"),
        PossibleValue::new("timeout").help("No answer, nothing done"),
        PossibleValue::new("timeout-after").help("No answer, but done"),
        PossibleValue::new("reset").help("Connection broken before the call"),
        PossibleValue::new("reset-after").help("Connection broken after the call"),
        PossibleValue::new("stale").help("Reads answer with what was"),
    ])
}

#[derive(Debug, clap::Subcommand)]
pub enum ImageCommand {
    /// Say how containers of an image behave, from their next start on
    Set {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Image as the task definition names it; * for any text
        #[arg(value_name = "IMAGE")]
        image: String,
        /// From a container's start until its application answers
        #[arg(long, default_value = "5s", value_name = "DURATION")]
        boot: String,
        /// How probable it is that a container exits soon after its start, 0 to 1
        #[arg(long, default_value_t = 0.0)]
        crash: f64,
        /// Health checks fail
        #[arg(long)]
        unhealthy: bool,
        /// A line that it writes to its log when it crashes or is unhealthy; ${NAME} for an environment variable
        #[arg(long, value_name = "LINE")]
        says: Vec<String>,
        /// Share of requests answered with a 5xx, 0 to 1
        #[arg(long, default_value_t = 0.0)]
        errors: f64,
        /// Mean time in which a request is answered
        #[arg(long, default_value = "50ms", value_name = "DURATION")]
        latency: String,
        /// Time of one CPU that a request takes, in milliseconds
        #[arg(long, default_value_t = 5.0, value_name = "MILLISECONDS")]
        cpu: f64,
    },
}

pub fn run(command: FaultCommand) -> Result<Done, CliError> {
    match command {
        FaultCommand::Add { dir, kind, after, lasts } => {
            print(&declare(dir, vec![Order { after, lasts, what: what(kind)? }])?);
            Ok(Done::Ok)
        }
        FaultCommand::Script { dir, file } => {
            let text = std::fs::read_to_string(&file)
                .map_err(|error| CliError::Io { what: format!("cannot read `{}`", file.display()), error })?;
            let orders: Vec<Order> = serde_json::from_str(&text)
                .map_err(|error| wrong(format!("`{}` is not a list of faults: {error}", file.display())))?;
            print(&declare(dir, orders)?);
            Ok(Done::Ok)
        }
        FaultCommand::List { dir } => list(dir),
        FaultCommand::Clear { dir, number } => clear(dir, number),
    }
}

pub fn run_image(command: ImageCommand) -> Result<Done, CliError> {
    let ImageCommand::Set { dir, image, boot, crash, unhealthy, says, errors, latency, cpu } = command;
    let boot_ms = script::duration(&boot).map_err(wrong)?;
    let latency_ms = script::duration(&latency).map_err(wrong)? as f64;
    let work = Work { errors, latency_ms, cpu_ms: cpu };
    let behaviour = ImageBehaviour { boot_ms, crash, healthy: !unhealthy, says, work };
    let what = What::Image { image, behaviour };
    let told = what.to_string();
    declare(dir, vec![Order { after: None, lasts: None, what }])?;
    println!("{told}");
    Ok(Done::Ok)
}

fn wrong(problem: String) -> CliError {
    CliError::usage(problem, "nothing was declared; `cutover sim fault add --help` lists what there is")
}

fn what(kind: Kind) -> Result<What, CliError> {
    Ok(match kind {
        Kind::Calls { how, service, operation, probability, times, age } => {
            let how = match how.as_str() {
                "stale" => How::Stale(script::duration(&age).map_err(wrong)?),
                name => serde_json::from_value(name.into()).expect("one of the possible values"),
            };
            What::Calls(CallFault { how, service, operation, probability, times })
        }
        Kind::LostZone { zone } => What::LostZone { zone },
        Kind::SpotInterruption { share } => What::SpotInterruption { share },
        Kind::NoCapacity { instance_type, zone } => What::NoCapacity { instance_type, zone },
        Kind::Quota { code, value } => What::Quota { code, value },
        Kind::SlowBoot { by } => What::SlowBoot { by: script::duration(&by).map_err(wrong)? },
        Kind::UnhealthyTargets { group } => What::UnhealthyTargets { group },
        Kind::IamDelay { by } => What::IamDelay { by: script::duration(&by).map_err(wrong)? },
        Kind::Ec2Delay { by } => What::Ec2Delay { by: script::duration(&by).map_err(wrong)? },
        Kind::Kill => What::Kill,
        Kind::Edit { service, operation, input } => {
            let input: Json = serde_json::from_str(&input)
                .map_err(|error| wrong(format!("the input of {service} {operation} is not JSON: {error}")))?;
            What::Edit { service, operation, input }
        }
    })
}

/// Works on the environment's world, which must not be in use by another command. One that is served is told
/// through its port instead, where that is possible (`elsewhere`).
pub(super) fn with_world<R>(
    dir: PathBuf,
    change: impl FnOnce(&mut World) -> Result<R, CliError>,
    elsewhere: impl FnOnce(&str) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let environment: Environment = environment(dir)?;
    match own_world(&environment, "")? {
        Err(endpoint) if endpoint.is_empty() => Err(busy("")),
        Err(endpoint) => elsewhere(&endpoint),
        Ok(_owner) => {
            let mut world = load_or_new(&environment)?;
            let result = change(&mut world)?;
            world.save(&environment.state.world())?;
            Ok(result)
        }
    }
}

/// What is declared afterwards, a line each.
fn declare(dir: PathBuf, orders: Vec<Order>) -> Result<Vec<String>, CliError> {
    let body = serde_json::to_string(&orders).expect("orders are plain data");
    with_world(
        dir,
        |world| script::carry_out(world, orders).map_err(wrong),
        |endpoint| ask(endpoint, FAULTS_PATH, "POST", &body, wrong).map(|answer| lines(&answer)),
    )
}

fn list(dir: PathBuf) -> Result<Done, CliError> {
    let told = with_world(
        dir,
        |world| Ok(script::told(world)),
        |endpoint| ask(endpoint, FAULTS_PATH, "GET", "", wrong).map(|answer| lines(&answer)),
    )?;
    print(&told);
    Ok(Done::Ok)
}

fn print(lines: &[String]) {
    if lines.is_empty() {
        println!("No fault is declared that is not over.");
    }
    for line in lines {
        println!("{line}");
    }
}

fn clear(dir: PathBuf, number: Option<u32>) -> Result<Done, CliError> {
    println!(
        "{}",
        clear_at(dir, number, (FAULTS_PATH, "fault"), |world| faults::clear(world, number), wrong)?
    );
    Ok(Done::Ok)
}

/// Takes back one `what`, or all; says how many there were.
pub(super) fn clear_at(
    dir: PathBuf,
    number: Option<u32>,
    (path, what): (&str, &str),
    clear: impl FnOnce(&mut World) -> usize,
    wrong: fn(String) -> CliError,
) -> Result<String, CliError> {
    let body = number.map(|n| n.to_string()).unwrap_or_default();
    let cleared = with_world(
        dir,
        |world| Ok(clear(world)),
        |endpoint| {
            ask(endpoint, path, "DELETE", &body, wrong).map(|answer| answer.trim().parse().unwrap_or(0))
        },
    )?;
    match (cleared, number) {
        (0, Some(number)) => Err(wrong(format!("there is no {what} {number}"))),
        _ => Ok(format!("{cleared} cleared.")),
    }
}

pub(super) fn lines(answer: &str) -> Vec<String> {
    answer.lines().map(str::to_owned).collect()
}

/// One request to the process that serves the world; what is refused becomes an error by `refused`.
pub(super) fn ask(
    endpoint: &str,
    path: &str,
    method: &str,
    body: &str,
    refused: impl FnOnce(String) -> CliError,
) -> Result<String, CliError> {
    let told = |error: ureq::Error| CliError::Io {
        what: format!("cannot ask the embedded AWS at {endpoint}"),
        error: error.into_io(),
    };
    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let request = ureq::http::Request::builder().method(method).uri(format!("{endpoint}{path}"));
    let request = request.body(body.to_owned()).map_err(|error| told(error.into()))?;
    let mut answer =
        agent.run(agent.configure_request(request).allow_non_standard_methods(true).build()).map_err(told)?;
    // Everything that has happened in a world may be long.
    let text = answer.body_mut().with_config().limit(u64::MAX).read_to_string().map_err(told)?;
    if answer.status().is_success() { Ok(text) } else { Err(refused(text.trim().to_owned())) }
}
