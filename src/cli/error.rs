//! What a command can end in, and how it is told.

use crate::aws::AwsError;
use crate::diag::render::{Style, render_text};
use crate::diag::{Diagnostics, Sources};
use crate::plan::walk::WalkError;
use crate::sim::store::StoreError;
use crate::state::{LockError, StateError};
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
pub enum CliError {
    /// The command line asks for something that cannot be.
    Usage {
        problem: String,
        help: String,
    },
    /// Mistakes in the user's files.
    Config {
        diags: Diagnostics,
        sources: Sources,
    },
    /// AWS, or the way to it.
    Provider {
        what: String,
        error: AwsError,
    },
    /// Someone else is at it.
    Conflict {
        problem: String,
        help: String,
    },
    State(StateError),
    World(StoreError),
    /// Anything else that the system refused.
    Io {
        what: String,
        error: std::io::Error,
    },
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        CliError::State(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        CliError::World(error)
    }
}

impl From<LockError> for CliError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::State(error) => CliError::State(error),
            held => CliError::Conflict {
                problem: held.to_string(),
                help: "wait until it has ended; the lock goes away with its process".to_owned(),
            },
        }
    }
}

impl From<WalkError> for CliError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Aws { what, error } => CliError::Provider { what, error },
            WalkError::UnknownType { .. } => CliError::Conflict {
                problem: error.to_string(),
                help: "use the version of Cutover that made it".to_owned(),
            },
        }
    }
}

/// Width and colours of stderr.
pub fn style() -> Style {
    Style { color: color(&std::io::stderr()), width: width() }
}

pub fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(100, |(w, _)| usize::from(w.0))
}

static NO_COLOR: AtomicBool = AtomicBool::new(false);

/// `--no-color`.
pub fn refuse_color() {
    NO_COLOR.store(true, Ordering::Relaxed);
}

/// Colours only on a terminal, and never with --no-color or NO_COLOR.
pub fn color(stream: &impl std::io::IsTerminal) -> bool {
    let refused =
        NO_COLOR.load(Ordering::Relaxed) || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    stream.is_terminal() && !refused
}

impl CliError {
    pub fn usage(problem: impl Into<String>, help: impl Into<String>) -> Self {
        CliError::Usage { problem: problem.into(), help: help.into() }
    }

    pub fn print(&self) {
        match self {
            CliError::Config { diags, sources } => {
                eprint!("{}", render_text(&diags.clone().into_sorted(), sources, style()));
            }
            CliError::Usage { problem, help } | CliError::Conflict { problem, help } => {
                eprintln!("error: {problem}\nhelp: {help}");
            }
            CliError::Provider { what, error } => eprint!("{}", aws_error(what, error)),
            CliError::State(error) => {
                eprintln!(
                    "error: {error}\nhelp: nothing was changed; restore the file from a backup, or repair that line"
                );
            }
            CliError::World(error) => eprintln!("error: {error}"),
            CliError::Io { what, error } => eprintln!("error: {what}: {error}"),
        }
    }
}

/// Operation, address, code, request id, and what to do.
pub fn aws_error(what: &str, error: &AwsError) -> String {
    let mut out = format!("error[{}]: {what}: {} failed\n", error.code, error.operation);
    for line in error.message.lines() {
        out += &format!("  {line}\n");
    }
    if let Some(id) = &error.request_id {
        out += &format!("  request id: {id}\n");
    }
    out + &format!("help: {}\n", advice(error))
}

fn advice(error: &AwsError) -> String {
    let code = error.code.as_str();
    let text = match code {
        "InvalidEndpoint" => "unset it to ask AWS itself, or write it as `http://127.0.0.1:4566`",
        "NoCredentials" => {
            "give credentials one of these ways, or use `cloud = \"embedded\"` to try without an account"
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the credentials have expired: log in again, then run the same command; it goes on where it stopped"
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
            return format!(
                "the caller may not do this: allow the action for `{}` in its IAM policy, then run again",
                error.operation
            );
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "AuthFailure" | "SignatureDoesNotMatch" => {
            "AWS does not accept these credentials: check the profile, the keys and the clock"
        }
        "DependencyViolation" | "ResourceInUse" | "DeleteConflict" => {
            "something still uses it; find out what, remove that first, then run again"
        }
        "Timeout" => "it may still end well: look at it in AWS, then run again; nothing is made twice",
        "RolloutFailed" => {
            "the old version was kept or restored where AWS could; fix the cause above, then apply again"
        }
        "Unreachable" => "check the network, the region and the endpoint, then run again",
        "Unreadable" => {
            "this does not look like AWS's answer: check the endpoint, and proxies on the way, then run again"
        }
        _ if error.transient => "this can pass: run the same command again; it goes on where it stopped",
        _ if code.contains("LimitExceeded") || code.contains("QuotaExceeded") => {
            "raise the quota in Service Quotas, or free some, then run again"
        }
        _ if code.contains("NotFound") => {
            "it is not there (any more): check that it was not deleted by hand, then run again"
        }
        "FileError" => "check the path and its permissions, then run again; what was applied is recorded",
        "ProvisionerFailed" => {
            "the resource counts as damaged: correct the command, then run again, and it is replaced"
        }
        _ => "correct what it says above, then run again; what was applied is recorded",
    };
    text.to_owned()
}
