//! Pure decisions about running rollouts: what was observed and the time go in, a decision comes out.
//! Nothing here calls AWS, so every rollout can be replayed.

pub mod code_deploy;
pub mod ecs_deployment;
pub mod freeze;
pub mod gates;
pub mod hosts;
pub mod instance_refresh;
pub mod settings;
pub mod traffic;

/// What to do about a rollout that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Look again later; the text says what it is at.
    Wait(String),
    Done,
    /// It did not end well, or will not; the text says why, with AWS's reasons.
    Failed(String),
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Decision::Wait(text) => write!(f, "wait: {text}"),
            Decision::Done => f.write_str("done"),
            Decision::Failed(text) => write!(f, "failed: {text}"),
        }
    }
}

/// At most `limit` reasons without repetition, newest first as given, as lines under a headline.
fn with_reasons(headline: String, reasons: &[String], limit: usize) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for reason in reasons.iter().map(|r| r.trim()).filter(|r| !r.is_empty()) {
        if !seen.contains(&reason) && seen.len() < limit {
            seen.push(reason);
        }
    }
    seen.iter().fold(headline, |text, reason| format!("{text}\n  - {reason}"))
}
