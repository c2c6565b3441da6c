//! Carries out a plan: in dependency order, in parallel, journalled step by step.

mod executor;
mod local_exec;
pub mod probes;
mod provision;
mod unclear;
mod watch;
mod work;

pub use executor::{Outcome, Record, apply};

use crate::addr::Address;
use crate::aws::AwsError;
use crate::diag::Diagnostics;
use crate::plan::Action;
use crate::rollout::gates::Answers;
use crate::state::StateError;

/// What happens while applying, for whoever shows it.
#[derive(Clone, Debug)]
pub enum Event {
    Started {
        address: Address,
        action: Action,
    },
    /// Still at it: what it waits for.
    Progress {
        address: Address,
        text: String,
    },
    /// A line that a command of a provisioner wrote.
    Output {
        address: Address,
        line: String,
    },
    StepStarted {
        address: Address,
        number: usize,
        of: usize,
        text: String,
        /// Seconds that it takes at least.
        expected: Option<u64>,
        /// Seconds until the rollout's deadline.
        left: Option<u64>,
    },
    StepDone {
        address: Address,
        number: usize,
        of: usize,
        seconds: u64,
    },
    /// An answer that counts.
    Probed {
        probe: String,
        /// With this one.
        answers: Answers,
        /// What is wrong with this one.
        fault: Option<String>,
    },
    Done {
        address: Address,
        action: Action,
        id: String,
        seconds: u64,
    },
    Failed {
        address: Address,
        action: Action,
        error: String,
    },
}

/// How a rollout came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledOut {
    pub address: Address,
    pub seconds: u64,
    /// The fewest of its tasks, targets or instances that were seen in service, of how many.
    pub least: Option<(i64, i64)>,
}

/// Why something could not be applied.
#[derive(Debug)]
pub enum Failure {
    Aws {
        address: Address,
        error: AwsError,
    },
    /// Evaluating again with real values showed a mistake.
    Config(Diagnostics),
    /// Not begun, because what it needs failed.
    Skipped {
        address: Address,
    },
    State(StateError),
}
