//! How a deployment replaces tasks and moves traffic, as declared; with AWS's defaults where nothing is said.

use super::table::*;
use crate::aws::Serving;
use crate::schema::Object;
use std::fmt;
use std::time::Duration;

pub struct Deploys {
    how: How,
    /// Minutes that old and new run side by side in the end.
    bake: i64,
}

enum How {
    Rolling { min: i64, max: i64 },
    BlueGreen,
    Linear { percent: f64, minutes: i64 },
    Canary { percent: f64, minutes: i64 },
}

impl Deploys {
    pub fn of(want: &Object) -> Deploys {
        let block = want.block(&DEPLOYMENT_CONFIGURATION).unwrap_or_default();
        let how = match block.get(&deployment::STRATEGY).as_deref() {
            Some("BLUE_GREEN") => How::BlueGreen,
            Some("LINEAR") => {
                let step = block.block(&deployment::LINEAR).unwrap_or_default();
                How::Linear {
                    percent: step.get(&deployment::STEP_PERCENT).unwrap_or(10.0),
                    minutes: step.get(&deployment::STEP_BAKE_TIME).unwrap_or(6),
                }
            }
            Some("CANARY") => {
                let first = block.block(&deployment::CANARY).unwrap_or_default();
                How::Canary {
                    percent: first.get(&deployment::CANARY_PERCENT).unwrap_or(5.0),
                    minutes: first.get(&deployment::CANARY_BAKE_TIME).unwrap_or(10),
                }
            }
            _ if daemon(want) => How::Rolling { min: minimum_healthy(want).unwrap_or(0), max: 100 },
            _ => How::Rolling {
                min: want.get(&DEPLOYMENT_MINIMUM_HEALTHY_PERCENT).unwrap_or(100),
                max: want.get(&DEPLOYMENT_MAXIMUM_PERCENT).unwrap_or(200),
            },
        };
        Deploys { how, bake: block.get(&deployment::BAKE_TIME).unwrap_or(0) }
    }

    /// Who serves while `old` is replaced by `new`; `count` is the number of tasks, where there is one.
    pub fn serving(&self, count: Option<i64>, old: &str, new: &str) -> Serving {
        let tasks = match count {
            Some(1) => "1 task of ".to_owned(),
            Some(n) => format!("{n} tasks of "),
            None => String::new(),
        };
        let share = |n: i64, percent: i64, up: i64| (n * percent + up) / 100;
        let meanwhile = match (&self.how, count) {
            (How::Rolling { min, max }, Some(n)) => {
                format!(
                    "old and new, never fewer than {} tasks, up to {}",
                    share(n, *min, 99),
                    share(n, *max, 0)
                )
            }
            (How::Rolling { min, max }, None) => format!("old and new, {min}–{max} % of the tasks"),
            (How::BlueGreen, _) => {
                format!("{old}, and {tasks}{new} beside it until all of the traffic moves")
            }
            (How::Linear { percent, minutes }, _) => {
                format!(
                    "{old}, and {tasks}{new} beside it with {percent} % of the traffic more every {minutes} min"
                )
            }
            (How::Canary { percent, minutes }, _) => {
                format!("{old}, and {tasks}{new} beside it with {percent} % of the traffic for {minutes} min")
            }
        };
        Serving { before: format!("{tasks}{old}"), meanwhile, afterwards: format!("{tasks}{new}") }
    }

    /// How long its declared pauses take together.
    pub fn pauses(&self) -> Option<Duration> {
        let shift = match self.how {
            How::Linear { percent, minutes } => ((100.0 / percent).ceil() as i64 - 1) * minutes,
            How::Canary { minutes, .. } => minutes,
            How::Rolling { .. } | How::BlueGreen => 0,
        };
        let minutes = u64::try_from(self.bake + shift).ok().filter(|minutes| *minutes > 0)?;
        Some(Duration::from_secs(minutes * 60))
    }
}

/// `canary: 10 % of the traffic for 3 min, then all of it; bakes 2 min`
impl fmt::Display for Deploys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Rolling { min, max } => return write!(f, "rolling, {min}–{max} % of the tasks"),
            How::BlueGreen => write!(f, "blue/green: all traffic at once")?,
            How::Linear { percent, minutes } => {
                write!(f, "linear: {percent} % of the traffic more every {minutes} min")?;
            }
            How::Canary { percent, minutes } => {
                write!(f, "canary: {percent} % of the traffic for {minutes} min, then all of it")?;
            }
        }
        if self.bake > 0 { write!(f, "; bakes {} min", self.bake) } else { Ok(()) }
    }
}
