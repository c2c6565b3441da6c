//! How a deployment replaces tasks and moves traffic, as declared; with AWS's defaults where nothing is said.

use super::table::*;
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
            _ => How::Rolling {
                min: want.get(&DEPLOYMENT_MINIMUM_HEALTHY_PERCENT).unwrap_or(100),
                max: want.get(&DEPLOYMENT_MAXIMUM_PERCENT).unwrap_or(200),
            },
        };
        Deploys { how, bake: block.get(&deployment::BAKE_TIME).unwrap_or(0) }
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
