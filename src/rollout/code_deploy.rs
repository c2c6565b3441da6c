//! CodeDeploy's deployments of an ECS service: when ours is done, waits for a person, failed, or stands still.

use super::{Decision, with_reasons};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// One look at a deployment.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// `d-ABCDEF123`
    pub id: String,
    /// `Created`, `Queued`, `InProgress`, `Baking`, `Ready`, `Succeeded`, `Failed`, `Stopped`; others are waited
    /// for.
    pub status: String,
    /// Why it failed or was stopped, in CodeDeploy's words.
    pub error: Option<String>,
    /// The deployment that brings the original task set back.
    pub back: Option<String>,
    /// In their order.
    pub events: Vec<Lifecycle>,
    /// The original and the replacement task set, once there are any.
    pub old: Option<TaskSet>,
    pub new: Option<TaskSet>,
    /// All traffic has moved, the original task set stays for a while.
    pub bakes: bool,
    /// So many minutes the traffic waits for a person, if it does.
    pub waits: Option<i64>,
    /// Tasks of the replacement task set that failed.
    pub failed_tasks: usize,
    /// When it last got on.
    pub last_progress: Timestamp,
    /// Without progress for so long it is given up.
    pub patience: SignedDuration,
    /// What the service told since it began, newest first.
    pub told: Vec<String>,
    /// Why its tasks stopped, newest first.
    pub stopped: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskSet {
    pub desired: i64,
    pub running: i64,
    /// Percent of the production traffic.
    pub traffic: f64,
}

/// A lifecycle event: `Install`, `AllowTraffic` …
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifecycle {
    pub name: String,
    /// `Pending`, `InProgress`, `Succeeded`, `Failed`, `Skipped`.
    pub status: String,
    pub message: Option<String>,
}

impl Observation {
    /// What CodeDeploy is at: the event in progress, else the last one that was begun.
    pub fn at(&self) -> Option<&Lifecycle> {
        let going = self.events.iter().find(|e| e.status == "InProgress");
        going.or_else(|| {
            self.events.iter().rev().find(|e| !matches!(e.status.as_str(), "Pending" | "Skipped"))
        })
    }

    /// Whether it stands still on purpose: for a person, between two steps of the traffic, or to keep the original
    /// tasks. How long is CodeDeploy's to say.
    pub fn pauses(&self) -> bool {
        let moving = self.at().is_some_and(|e| e.name == "AllowTraffic" && e.status == "InProgress");
        self.bakes || self.status == "Ready" || moving && self.share() > 0.0
    }

    /// Percent of the production traffic that the replacement task set has.
    pub fn share(&self) -> f64 {
        self.new.as_ref().map_or(0.0, |set| set.traffic)
    }

    /// `old 90 % new 10 %`
    pub fn traffic(&self) -> Option<String> {
        let (old, new) = (self.old.as_ref(), self.new.as_ref()?);
        let old = old.map_or(100.0 - new.traffic, |set| set.traffic);
        Some(format!("old {old} % new {} %", new.traffic))
    }
}

/// Whether CodeDeploy has finished with it.
pub fn is_terminal(status: &str) -> bool {
    matches!(status, "Succeeded" | "Failed" | "Stopped")
}

/// CodeDeploy itself waits an hour for a task set whose tasks cannot start. So many failed tasks are enough for us: as
/// many as for the circuit breaker of ECS (half of the desired count, 3 to 200).
fn too_many(desired: i64) -> usize {
    let half = usize::try_from((desired + 1) / 2).unwrap_or_default();
    half.clamp(3, 200)
}

pub fn decide(seen: &Observation, now: Timestamp) -> Decision {
    let because = seen.error.as_deref().map(|e| format!(": {e}")).unwrap_or_default();
    let failed = |what: &str| {
        let of_events = seen.events.iter().filter(|e| e.status == "Failed");
        let of_events = of_events.filter_map(|e| Some(format!("{}: {}", e.name, e.message.as_ref()?)));
        // A hook that failed says why; what the deployment says already is not said twice.
        let of_events =
            of_events.filter(|text| !seen.error.as_ref().is_some_and(|e| text.ends_with(e.as_str())));
        let reasons: Vec<String> =
            of_events.chain(seen.stopped.iter().take(3).cloned()).chain(seen.told.iter().cloned()).collect();
        Decision::Failed(with_reasons(format!("deployment {} {what}{because}", seen.id), &reasons, 6))
    };
    match seen.status.as_str() {
        "Succeeded" => return Decision::Done,
        "Failed" => return failed("failed"),
        "Stopped" => return failed("was stopped"),
        _ => {}
    }
    let desired = seen.new.as_ref().map_or(0, |set| set.desired);
    let installs = seen.at().is_some_and(|e| e.name == "Install" && e.status == "InProgress");
    if installs && seen.failed_tasks >= too_many(desired) {
        return failed(&format!("is given up, {} of its tasks failed", seen.failed_tasks));
    }
    if now.duration_since(seen.last_progress) > seen.patience {
        return failed(&format!("made no progress for {} min", seen.patience.as_mins()));
    }
    Decision::Wait(told(seen))
}

fn told(seen: &Observation) -> String {
    let mut text = match seen.status.as_str() {
        "Created" | "Queued" => "created, not begun yet".to_owned(),
        "Ready" => "ready, the traffic waits for a person".to_owned(),
        _ if seen.bakes => "the original tasks stay for a while".to_owned(),
        _ => seen.at().map_or("in progress".to_owned(), |event| spoken(&event.name)),
    };
    if let (Some(set), false) = (&seen.new, seen.bakes) {
        text += &format!(", {} of {} new tasks running", set.running, set.desired);
    }
    if let Some(traffic) = seen.traffic() {
        text += &format!("; {traffic}");
    }
    if seen.failed_tasks > 0 {
        text += &format!("; {} tasks failed", seen.failed_tasks);
    }
    match seen.told.first() {
        Some(trouble) => format!("{text}; {trouble}"),
        None => text,
    }
}

/// `AllowTestTraffic` → `allow test traffic`
fn spoken(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// How a deployment that did not succeed ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The original task set serves as before.
    Old(String),
    /// It does not, or nobody can say.
    Mixed(String),
}

/// `failed`: the last look at it; `back`: at the deployment that took it back, if there was one; `serves_old`: whether
/// the service's primary task set is the original one.
pub fn ended(reason: &str, failed: &Observation, back: Option<&Observation>, serves_old: bool) -> End {
    let share = failed.traffic().unwrap_or_else(|| "old 100 % new 0 %".to_owned());
    match back {
        Some(back) if back.status == "Succeeded" && serves_old => {
            End::Old(format!("{reason}\n  deployment {} took it back: the original tasks serve", back.id))
        }
        Some(back) => {
            let why = back.error.as_deref().map(|e| format!(" ({e})")).unwrap_or_default();
            End::Mixed(format!(
                "{reason}\n  deployment {}, which was to take it back, is {}{why}",
                back.id,
                back.status.to_lowercase()
            ))
        }
        None if failed.new.is_some() && failed.share() == 0.0 && serves_old => {
            End::Old(format!("{reason}\n  no traffic had moved: the original tasks serve"))
        }
        None => End::Mixed(format!("{reason}\n  nothing took it back: the traffic is at {share}")),
    }
}

/// How a deployment configuration of AWS's own moves traffic (User Guide, "Working with deployment configurations");
/// None for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    AtOnce,
    Canary { percent: u64, minutes: u64 },
    Linear { percent: u64, minutes: u64 },
}

impl Shift {
    /// `CodeDeployDefault.ECSCanary10Percent5Minutes`
    pub fn of(config: &str) -> Option<Shift> {
        let name = config.strip_prefix("CodeDeployDefault.ECS")?;
        if name == "AllAtOnce" {
            return Some(Shift::AtOnce);
        }
        let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
        let (percent, minutes) = (numbers.next().filter(|p| *p > 0)?, numbers.next()?);
        match name {
            _ if name.starts_with("Canary") => Some(Shift::Canary { percent, minutes }),
            _ if name.starts_with("Linear") => Some(Shift::Linear { percent, minutes }),
            _ => None,
        }
    }

    pub fn takes(self) -> Duration {
        let minutes = match self {
            Shift::AtOnce => 0,
            Shift::Canary { minutes, .. } => minutes,
            Shift::Linear { percent, minutes } => (100u64.div_ceil(percent) - 1) * minutes,
        };
        Duration::from_secs(minutes * 60)
    }
}

impl std::fmt::Display for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shift::AtOnce => write!(f, "all traffic at once"),
            Shift::Canary { percent, minutes } => {
                write!(f, "{percent} % of the traffic for {minutes} min, then all of it")
            }
            Shift::Linear { percent, minutes } => {
                write!(f, "{percent} % of the traffic more every {minutes} min")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn event(name: &str, status: &str) -> Lifecycle {
        Lifecycle { name: name.into(), status: status.into(), message: None }
    }

    fn seen(status: &str, new: f64) -> Observation {
        Observation {
            id: "d-1".into(),
            status: status.into(),
            events: vec![event("BeforeInstall", "Succeeded"), event("Install", "InProgress")],
            old: Some(TaskSet { desired: 4, running: 4, traffic: 100.0 - new }),
            new: Some(TaskSet { desired: 4, running: 2, traffic: new }),
            last_progress: at(0),
            patience: SignedDuration::from_mins(20),
            ..Observation::default()
        }
    }

    #[test]
    fn only_succeeded_is_done() {
        assert_eq!(decide(&seen("Succeeded", 100.0), at(99)), Decision::Done);
        for status in ["Failed", "Stopped"] {
            assert!(matches!(decide(&seen(status, 0.0), at(1)), Decision::Failed(_)), "{status}");
            assert!(is_terminal(status));
        }
        for status in ["Created", "Queued", "InProgress", "Baking", "Ready", "Later"] {
            assert!(matches!(decide(&seen(status, 0.0), at(1)), Decision::Wait(_)), "{status}");
            assert!(!is_terminal(status));
        }
    }

    #[test]
    fn the_event_the_tasks_and_the_traffic_show_as_progress() {
        let wait = |seen: &Observation| match decide(seen, at(1)) {
            Decision::Wait(text) => text,
            other => panic!("{other}"),
        };
        assert_eq!(wait(&seen("InProgress", 0.0)), "install, 2 of 4 new tasks running; old 100 % new 0 %");
        let mut moving = seen("InProgress", 10.0);
        moving.events.push(event("AllowTraffic", "InProgress"));
        moving.events[1].status = "Succeeded".into();
        assert_eq!(wait(&moving), "allow traffic, 2 of 4 new tasks running; old 90 % new 10 %");
        moving.bakes = true;
        assert_eq!(wait(&moving), "the original tasks stay for a while; old 90 % new 10 %");
        let created = Observation { old: None, new: None, ..seen("Created", 0.0) };
        assert_eq!(wait(&created), "created, not begun yet");
    }

    #[test]
    fn failing_tasks_are_not_waited_for_an_hour() {
        let mut failing = seen("InProgress", 0.0);
        failing.failed_tasks = 2;
        assert!(matches!(decide(&failing, at(1)), Decision::Wait(_)));
        failing.failed_tasks = 3;
        failing.stopped = vec!["web: exit code 1".into()];
        let text = "deployment d-1 is given up, 3 of its tasks failed\n  - web: exit code 1";
        assert_eq!(decide(&failing, at(1)), Decision::Failed(text.into()));
        // With all of them in service a task that fails is replaced, as ever.
        failing.events[1].status = "Succeeded".into();
        assert!(matches!(decide(&failing, at(1)), Decision::Wait(_)));
    }

    #[test]
    fn what_stands_still_is_given_up_but_not_what_pauses() {
        let Decision::Failed(text) = decide(&seen("InProgress", 0.0), at(21)) else { panic!("gives up") };
        assert!(text.starts_with("deployment d-1 made no progress for 20 min"), "{text}");
        assert!(!seen("InProgress", 0.0).pauses());
        assert!(seen("Ready", 0.0).pauses());
        let mut canary = seen("InProgress", 10.0);
        canary.events = vec![event("AllowTraffic", "InProgress")];
        assert!(canary.pauses());
    }

    #[test]
    fn it_is_back_only_if_the_original_tasks_serve() {
        let failed = seen("Stopped", 10.0);
        let back = Observation { id: "d-2".into(), ..seen("Succeeded", 0.0) };
        assert!(matches!(ended("red", &failed, Some(&back), true), End::Old(text) if text.contains("d-2")));
        assert!(matches!(ended("red", &failed, Some(&back), false), End::Mixed(_)));
        let stuck = Observation { error: Some("no".into()), ..seen("Failed", 0.0) };
        assert!(
            matches!(ended("red", &failed, Some(&stuck), true), End::Mixed(text) if text.contains("failed (no)"))
        );
        let nobody = ended("red", &failed, None, true);
        assert_eq!(
            nobody,
            End::Mixed("red\n  nothing took it back: the traffic is at old 90 % new 10 %".into())
        );
        assert!(matches!(ended("red", &seen("Stopped", 0.0), None, true), End::Old(_)));
    }

    #[test]
    fn names_of_aws_configurations_say_how_traffic_moves() {
        let of = |name: &str| Shift::of(&format!("CodeDeployDefault.{name}"));
        assert_eq!(of("ECSAllAtOnce"), Some(Shift::AtOnce));
        assert_eq!(of("ECSCanary10Percent15Minutes"), Some(Shift::Canary { percent: 10, minutes: 15 }));
        let linear = of("ECSLinear10PercentEvery3Minutes").expect("AWS's own");
        assert_eq!(linear.to_string(), "10 % of the traffic more every 3 min");
        assert_eq!(linear.takes(), Duration::from_secs(27 * 60));
        assert_eq!(of("OneAtATime"), None);
        assert_eq!(Shift::of("slowly"), None);
    }
}
