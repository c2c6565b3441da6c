//! Instance refreshes: when one is done, failed or stuck.

use super::{Decision, with_reasons};
use jiff::{SignedDuration, Timestamp};

/// AWS fails a refresh that cannot replace anything for an hour; when it says nothing for longer than
/// that and no checkpoint or bake time explains it, something else is wrong.
const STALLED: SignedDuration = SignedDuration::from_mins(90);

/// One look at a refresh.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    pub id: String,
    /// `Pending`, `InProgress`, `Baking`, `Successful`, `Failed`, `Cancelling`, `Cancelled`,
    /// `RollbackInProgress`, `RollbackFailed`, `RollbackSuccessful`; others are waited for.
    pub status: String,
    pub reason: Option<String>,
    pub percent: Option<i32>,
    pub instances_to_update: Option<i32>,
    /// When status, percentage or the number of instances last changed.
    pub last_progress: Timestamp,
    /// Pauses that the preferences ask for (checkpoint delay, bake time), in seconds.
    pub planned_pause_seconds: i64,
    /// Messages of the group's failed scaling activities since the refresh began, newest first.
    pub failures: Vec<String>,
}

pub fn decide(seen: &Observation, now: Timestamp) -> Decision {
    let because = seen.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
    let failed = |what: &str| {
        let headline = format!("instance refresh {} {what}{because}", seen.id);
        Decision::Failed(with_reasons(headline, &seen.failures, 3))
    };
    match seen.status.as_str() {
        "Successful" => return Decision::Done,
        "Failed" => return failed("failed"),
        "Cancelled" => {
            return failed("was cancelled by someone else; instances already replaced stay replaced");
        }
        "RollbackSuccessful" => return failed("was rolled back by AWS"),
        "RollbackFailed" => return failed("failed, and so did AWS's rollback"),
        _ => {}
    }
    let patience = STALLED + SignedDuration::from_secs(seen.planned_pause_seconds);
    if now.duration_since(seen.last_progress) > patience {
        return failed(&format!("made no progress for {} min", patience.as_mins()));
    }
    let mut text = match seen.status.as_str() {
        "RollbackInProgress" => format!("AWS is rolling back{because}"),
        "Cancelling" => "being cancelled".to_owned(),
        "Baking" => format!("all instances replaced, baking{because}"),
        "Pending" => "pending".to_owned(),
        _ => format!("{} % complete", seen.percent.unwrap_or(0)),
    };
    if seen.status == "InProgress" {
        match seen.instances_to_update {
            Some(1) => text.push_str(", 1 instance to replace"),
            Some(n) => text.push_str(&format!(", {n} instances to replace")),
            None => {}
        }
        text.push_str(&because);
    }
    Decision::Wait(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn seen(status: &str) -> Observation {
        Observation {
            id: "r-1".into(),
            status: status.into(),
            last_progress: at(0),
            ..Observation::default()
        }
    }

    #[test]
    fn only_successful_is_done() {
        assert_eq!(decide(&seen("Successful"), at(1)), Decision::Done);
        for status in ["Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"] {
            assert!(matches!(decide(&seen(status), at(1)), Decision::Failed(_)), "{status}");
        }
        for status in ["Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress", "SomethingNew"]
        {
            assert!(matches!(decide(&seen(status), at(1)), Decision::Wait(_)), "{status}");
        }
    }

    #[test]
    fn a_rollback_names_the_reason_and_the_failed_activities_once() {
        let observation = Observation {
            reason: Some("health check failed".into()),
            failures: vec!["no capacity in us-east-1a".into(), "no capacity in us-east-1a".into()],
            ..seen("RollbackSuccessful")
        };
        let text =
            "instance refresh r-1 was rolled back by AWS: health check failed\n  - no capacity in us-east-1a";
        assert_eq!(decide(&observation, at(1)), Decision::Failed(text.into()));
    }

    #[test]
    fn progress_is_told() {
        let observation =
            Observation { percent: Some(40), instances_to_update: Some(3), ..seen("InProgress") };
        assert_eq!(
            decide(&observation, at(1)),
            Decision::Wait("40 % complete, 3 instances to replace".into())
        );
    }

    #[test]
    fn stuck_is_failed_but_a_planned_pause_is_not() {
        assert!(matches!(decide(&seen("InProgress"), at(91)), Decision::Failed(_)));
        let pausing = Observation { planned_pause_seconds: 3600, ..seen("InProgress") };
        assert!(matches!(decide(&pausing, at(91)), Decision::Wait(_)));
    }
}
