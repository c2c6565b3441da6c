//! Whether a rollout may go on: its gates, its deadline.

use super::settings::{Gate, Settings, Watched};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was seen of everything that the gates look at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// By name: `OK`, `ALARM`, `INSUFFICIENT_DATA`; one that there is not is missing.
    pub alarms: BTreeMap<String, String>,
    /// By name, since the rollout began.
    pub probes: BTreeMap<String, Answers>,
}

/// What a probe was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    pub sent: u64,
    pub good: u64,
    /// The last bad one.
    pub fault: Option<String>,
}

impl Answers {
    pub fn note(&mut self, fault: Option<String>) {
        self.sent += 1;
        match fault {
            None => self.good += 1,
            fault => self.fault = fault,
        }
    }

    pub fn percent(&self) -> f64 {
        if self.sent == 0 { 100.0 } else { self.good as f64 / self.sent as f64 * 100.0 }
    }

    /// What came after `earlier`.
    pub fn since(&self, earlier: &Answers) -> Answers {
        let bad = (self.sent - self.good) > (earlier.sent - earlier.good);
        Answers {
            sent: self.sent - earlier.sent,
            good: self.good - earlier.good,
            fault: self.fault.clone().filter(|_| bad),
        }
    }
}

/// Why the rollout that began then must not go on; None: it may.
pub fn red(settings: &Settings, began: Timestamp, seen: &Seen, now: Timestamp) -> Option<String> {
    let late = settings.deadline.and_then(|deadline| {
        let allowed = SignedDuration::try_from(deadline).unwrap_or(SignedDuration::MAX);
        let passed = now.duration_since(began) > allowed;
        passed.then(|| format!("the deadline of {} min has passed", allowed.as_mins()))
    });
    late.or_else(|| settings.gates.iter().find_map(|gate| shut(gate, seen)))
}

fn shut(gate: &Gate, seen: &Seen) -> Option<String> {
    let why = match &gate.what {
        Watched::Alarms(names) => {
            names.iter().find_map(|name| match seen.alarms.get(name).map(String::as_str) {
                Some("ALARM") => Some(format!("alarm {name} is in ALARM")),
                Some(_) => None,
                None => Some(format!("there is no alarm {name}")),
            })
        }
        Watched::Probe { name, success } => {
            seen.probes.get(name).filter(|a| a.percent() < *success).map(|a| {
                let fault = a.fault.as_deref().map(|f| format!(", last {f}")).unwrap_or_default();
                format!("probe {name} had {} good answers of {}{fault}; {success}% are asked", a.good, a.sent)
            })
        }
    };
    why.map(|why| format!("gate {}: {why}", gate.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn settings(what: Watched) -> Settings {
        let gate = Gate { name: "site".into(), what };
        Settings { gates: vec![gate], deadline: Some(Duration::from_secs(2700)), ..Settings::default() }
    }

    fn alarm(state: Option<&str>) -> Seen {
        let alarms = state.map(|s| ("5xx".to_owned(), s.to_owned()));
        Seen { alarms: alarms.into_iter().collect(), ..Seen::default() }
    }

    #[test]
    fn an_alarm_that_fires_or_is_missing_is_red() {
        let settings = settings(Watched::Alarms(vec!["5xx".into()]));
        assert_eq!(red(&settings, at(0), &alarm(Some("OK")), at(1)), None);
        assert_eq!(red(&settings, at(0), &alarm(Some("INSUFFICIENT_DATA")), at(1)), None);
        let why = red(&settings, at(0), &alarm(Some("ALARM")), at(1));
        assert_eq!(why.as_deref(), Some("gate site: alarm 5xx is in ALARM"));
        assert_eq!(
            red(&settings, at(0), &alarm(None), at(1)).as_deref(),
            Some("gate site: there is no alarm 5xx")
        );
    }

    #[test]
    fn a_probe_is_red_below_its_share_of_good_answers() {
        let settings = settings(Watched::Probe { name: "web".into(), success: 99.0 });
        let seen = |good| {
            let answers = Answers { sent: 100, good, fault: Some("HTTP 502".into()) };
            Seen { probes: [("web".to_owned(), answers)].into(), ..Seen::default() }
        };
        assert_eq!(red(&settings, at(0), &seen(99), at(1)), None);
        assert_eq!(
            red(&settings, at(0), &seen(98), at(1)).as_deref(),
            Some("gate site: probe web had 98 good answers of 100, last HTTP 502; 99% are asked")
        );
    }

    #[test]
    fn after_the_deadline_it_is_red() {
        let settings = settings(Watched::Alarms(Vec::new()));
        assert_eq!(red(&settings, at(0), &alarm(None), at(45)), None);
        assert_eq!(
            red(&settings, at(0), &alarm(None), at(46)).as_deref(),
            Some("the deadline of 45 min has passed")
        );
    }

    #[test]
    fn only_answers_since_the_beginning_count() {
        let earlier = Answers { sent: 10, good: 5, fault: Some("HTTP 500".into()) };
        let now = Answers { sent: 20, good: 15, fault: Some("HTTP 500".into()) };
        assert_eq!(now.since(&earlier), Answers { sent: 10, good: 10, fault: None });
    }
}
