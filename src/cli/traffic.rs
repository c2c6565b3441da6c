//! `sim traffic`: the requests that clients send to an environment's embedded AWS, and what became of them.

use super::Done;
use super::error::CliError;
use super::fault::{self, clear_at, lines, with_world};
use crate::sim::faults::script;
use crate::sim::server::TRAFFIC_PATH;
use crate::sim::traffic::Requests;
use crate::sim::traffic::order::{self, Order};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum TrafficCommand {
    /// Say how many requests come to the rules of load balancers
    Set {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Requests a second to each rule
        #[arg(value_name = "RATE")]
        rate: f64,
        /// Name of the load balancer; * for any text
        #[arg(long, default_value = "*", value_name = "NAME")]
        balancer: String,
        /// Port of the listener; without it every listener
        #[arg(long)]
        port: Option<i64>,
        /// Priority or ARN of the rule, or default; without it every rule
        #[arg(long)]
        rule: Option<String>,
        /// Share of the requests that are the client's fault (4xx), 0 to 1
        #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
        client_errors: f64,
        /// When it begins, in the world's time from now: 90s, 5m, 1h30m
        #[arg(long, value_name = "DURATION")]
        after: Option<String>,
        /// How long it lasts; without it, until something else is set
        #[arg(long = "for", value_name = "DURATION")]
        lasts: Option<String>,
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
    /// What became of the requests: how many were served, and every loss with its cause
    Report {
        #[arg(default_value = ".", value_name = "DIR")]
        dir: PathBuf,
        /// How far back, in the world's time
        #[arg(long, default_value = "1h", value_name = "DURATION")]
        since: String,
    },
}

pub fn run(command: TrafficCommand) -> Result<Done, CliError> {
    let told = match command {
        TrafficCommand::Set { dir, rate, balancer, port, rule, client_errors, after, lasts } => {
            let what = Requests { balancer, port, rule, rate, client_errors };
            set(dir, vec![Order { after, lasts, what }])?
        }
        TrafficCommand::List { dir } => with_world(
            dir,
            |world| Ok(order::told(world)),
            |endpoint| ask(endpoint, TRAFFIC_PATH, "GET", ""),
        )?,
        TrafficCommand::Clear { dir, number } => clear(dir, number)?,
        TrafficCommand::Report { dir, since } => report(dir, &since)?,
    };
    for line in told {
        println!("{line}");
    }
    Ok(Done::Ok)
}

fn wrong(problem: String) -> CliError {
    CliError::usage(problem, "nothing was changed; `cutover sim traffic set --help` says what there is")
}

fn ask(endpoint: &str, path: &str, method: &str, body: &str) -> Result<Vec<String>, CliError> {
    fault::ask(endpoint, path, method, body, wrong).map(|answer| lines(&answer))
}

fn set(dir: PathBuf, orders: Vec<Order>) -> Result<Vec<String>, CliError> {
    let body = serde_json::to_string(&orders).expect("orders are plain data");
    with_world(
        dir,
        |world| order::carry_out(world, orders).map_err(wrong),
        |endpoint| ask(endpoint, TRAFFIC_PATH, "POST", &body),
    )
}

fn clear(dir: PathBuf, number: Option<u32>) -> Result<Vec<String>, CliError> {
    clear_at(dir, number, (TRAFFIC_PATH, "stream"), |world| order::clear(world, number), wrong)
        .map(|told| vec![told])
}

fn report(dir: PathBuf, since: &str) -> Result<Vec<String>, CliError> {
    let back = script::duration(since).map_err(wrong)?;
    with_world(
        dir,
        |world| {
            let from = world.now - back;
            Ok(order::report(world, from))
        },
        |endpoint| ask(endpoint, &format!("{TRAFFIC_PATH}?since={since}"), "GET", ""),
    )
}
