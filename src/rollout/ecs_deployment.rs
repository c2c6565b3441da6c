//! ECS service deployments: when ours is done, failed, rolled back or stuck.

use super::{Decision, with_reasons};
use jiff::{SignedDuration, Timestamp};

/// One look at a service deployment.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    pub id: String,
    /// `PENDING`, `IN_PROGRESS`, `SUCCESSFUL`, `STOP_REQUESTED`, `STOPPED`, `ROLLBACK_REQUESTED`,
    /// `ROLLBACK_IN_PROGRESS`, `ROLLBACK_SUCCESSFUL`, `ROLLBACK_FAILED`; others are waited for.
    pub status: String,
    pub reason: Option<String>,
    /// `SCALE_UP`, `BAKE_TIME` … while it runs.
    pub stage: Option<String>,
    /// Percent of the production traffic that the new revision gets, where ECS moves traffic.
    pub traffic: Option<f64>,
    /// Lifecycle hooks at work.
    pub hooks: Vec<Hook>,
    /// Tasks of the target revision.
    pub requested: i32,
    pub running: i32,
    /// Running tasks of the revisions before it.
    pub old: i32,
    pub pending: i32,
    /// Failed tasks that the circuit breaker counted, and its threshold.
    pub failed_tasks: i32,
    pub threshold: i32,
    /// When status, stage or task numbers last changed.
    pub last_progress: Timestamp,
    /// Without progress for so long it is given up (see [`is_terminal`]: the caller then stops it).
    pub patience: SignedDuration,
    /// The service's events since the deployment began, newest first.
    pub events: Vec<String>,
    /// Why its tasks stopped, newest first.
    pub stopped: Vec<String>,
}

/// A lifecycle hook that a deployment waits for.
#[derive(Clone, Debug, Default)]
pub struct Hook {
    pub id: String,
    /// The function that is asked; None for a pause, which waits for a person.
    pub function: Option<String>,
    /// When it times out, and what then happens: `CONTINUE` or `ROLLBACK`.
    pub expires: Option<Timestamp>,
    pub then: Option<String>,
}

impl Hook {
    /// ` until 2026-01-02T04:04:05Z, then rollback`
    pub fn until(&self) -> String {
        let until = self.expires.map(|t| format!(" until {}", t.strftime("%Y-%m-%dT%H:%M:%SZ")));
        let then = self.then.as_deref().map(|t| format!(", then {}", t.to_lowercase()));
        until.unwrap_or_default() + &then.unwrap_or_default()
    }

    fn tell(&self, deployment: &str) -> String {
        let until = self.until();
        match &self.function {
            Some(function) => {
                let name = function.rsplit(":function:").next().unwrap_or(function);
                format!("asking the function {name}{until}")
            }
            None => format!(
                "paused: waits for a person{until} (aws ecs continue-service-deployment \
                 --service-deployment-arn {deployment} --hook-id {})",
                self.id
            ),
        }
    }
}

/// Whether a rolling deployment of so many tasks may neither stop an old one nor start a new one.
pub fn stands_still(desired: i64, min_percent: i64, max_percent: i64) -> bool {
    let may_stop = desired - (desired * min_percent + 99) / 100;
    let may_start = desired * max_percent / 100 - desired;
    may_stop <= 0 && may_start <= 0
}

/// Whether AWS has finished with it.
pub fn is_terminal(status: &str) -> bool {
    matches!(status, "SUCCESSFUL" | "STOPPED" | "ROLLBACK_SUCCESSFUL" | "ROLLBACK_FAILED")
}

pub fn decide(seen: &Observation, now: Timestamp) -> Decision {
    let because = seen.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
    let failed = |what: &str| {
        let headline = format!("deployment {} {what}{because}", short(&seen.id));
        let telling = seen.events.iter().filter(|e| !is_noise(e)).cloned();
        let reasons: Vec<String> = seen.stopped.iter().take(3).cloned().chain(telling).collect();
        Decision::Failed(with_reasons(headline, &reasons, 6))
    };
    match seen.status.as_str() {
        "SUCCESSFUL" => return Decision::Done,
        "STOPPED" => return failed("was stopped"),
        "ROLLBACK_SUCCESSFUL" => return failed("failed and AWS rolled it back"),
        "ROLLBACK_FAILED" => return failed("failed, and so did AWS's rollback"),
        _ => {}
    }
    if now.duration_since(seen.last_progress) > seen.patience {
        return failed(&format!("made no progress for {} min", seen.patience.as_mins()));
    }
    let mut text = match seen.status.as_str() {
        "PENDING" => "pending".to_owned(),
        "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => format!("AWS is rolling back{because}"),
        "STOP_REQUESTED" => "being stopped".to_owned(),
        _ => format!("{} of {} tasks running", seen.running, seen.requested),
    };
    if seen.status == "IN_PROGRESS" {
        if let Some(stage) = &seen.stage {
            text.push_str(&format!(", {}", stage.to_lowercase().replace('_', " ")));
        }
        if let Some(percent) = seen.traffic {
            text.push_str(&format!(", {percent} % of the traffic"));
        }
        for hook in &seen.hooks {
            text.push_str(&format!("; {}", hook.tell(&seen.id)));
        }
        if seen.failed_tasks > 0 {
            text.push_str(&format!(", {} tasks failed", seen.failed_tasks));
            if seen.threshold > 0 {
                text.push_str(&format!(" of {} allowed", seen.threshold));
            }
        }
        if let Some(trouble) = seen.events.iter().find(|e| is_trouble(e)) {
            text.push_str(&format!("; {trouble}"));
        }
    }
    Decision::Wait(text)
}

/// Events by which ECS says that it cannot go on: lack of capacity or of permission.
pub fn is_trouble(event: &str) -> bool {
    const SIGNS: &[&str] = &[
        "unable to place",
        "unable to stop or start",
        "unable to consistently",
        "was unable to",
        "unhealthy in",
        "InsufficientInstanceCapacity",
        "Could not launch",
    ];
    SIGNS.iter().any(|sign| event.contains(sign))
}

/// Events that every deployment has and that explain nothing.
fn is_noise(event: &str) -> bool {
    ["has started", "has begun draining", "registered", "has reached a steady state", "has stopped"]
        .iter()
        .any(|sign| event.contains(sign))
        && !is_trouble(event)
}

/// `arn:…:service-deployment/cluster/service/abc` → `abc`.
fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn seen(status: &str) -> Observation {
        Observation {
            id: "arn:aws:ecs:us-east-1:1:service-deployment/c/s/abc".into(),
            status: status.into(),
            requested: 4,
            running: 1,
            last_progress: at(0),
            patience: SignedDuration::from_mins(20),
            ..Observation::default()
        }
    }

    #[test]
    fn only_successful_is_done() {
        assert_eq!(decide(&seen("SUCCESSFUL"), at(99)), Decision::Done);
        for status in ["STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"] {
            assert!(matches!(decide(&seen(status), at(1)), Decision::Failed(_)), "{status}");
            assert!(is_terminal(status));
        }
        for status in ["PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_IN_PROGRESS", "NEW_STATUS"] {
            assert!(matches!(decide(&seen(status), at(1)), Decision::Wait(_)), "{status}");
            assert!(!is_terminal(status));
        }
    }

    #[test]
    fn a_rollback_by_aws_fails_with_stopped_tasks_and_telling_events() {
        let observation = Observation {
            reason: Some("tasks failed to start".into()),
            stopped: vec!["app: exit code 1".into()],
            events: vec![
                "(service s) has started 1 tasks".into(),
                "(service s) was unable to place a task".into(),
            ],
            ..seen("ROLLBACK_SUCCESSFUL")
        };
        let text = "deployment abc failed and AWS rolled it back: tasks failed to start\n  - app: exit code 1\n  - (service s) was unable to place a task";
        assert_eq!(decide(&observation, at(1)), Decision::Failed(text.into()));
    }

    #[test]
    fn stage_traffic_and_a_pause_show_as_progress() {
        let pause =
            Hook { id: "h1".into(), function: None, expires: Some(at(60)), then: Some("ROLLBACK".into()) };
        let observation = Observation {
            running: 4,
            stage: Some("PRE_PRODUCTION_TRAFFIC_SHIFT".into()),
            traffic: Some(10.0),
            hooks: vec![pause],
            ..seen("IN_PROGRESS")
        };
        let Decision::Wait(text) = decide(&observation, at(1)) else { panic!("waits") };
        assert_eq!(
            text,
            "4 of 4 tasks running, pre production traffic shift, 10 % of the traffic; paused: waits for a \
             person until 1970-01-01T01:00:00Z, then rollback (aws ecs continue-service-deployment \
             --service-deployment-arn arn:aws:ecs:us-east-1:1:service-deployment/c/s/abc --hook-id h1)"
        );
    }

    #[test]
    fn lack_of_capacity_shows_as_progress_and_then_fails() {
        let observation = Observation {
            events: vec!["(service s) was unable to place a task: no host has enough CPU".into()],
            ..seen("IN_PROGRESS")
        };
        let Decision::Wait(text) = decide(&observation, at(1)) else { panic!("waits") };
        assert_eq!(
            text,
            "1 of 4 tasks running; (service s) was unable to place a task: no host has enough CPU"
        );
        let Decision::Failed(text) = decide(&observation, at(21)) else { panic!("gives up") };
        assert!(text.starts_with("deployment abc made no progress for 20 min"), "{text}");
    }
}
