//! What is under way right now, a line each, for a terminal that is drawn again and again.

use super::duration;
use crate::apply::Event;
use crate::rollout::gates::Answers;
use std::collections::BTreeMap;

/// What the events so far say of everything that has not ended.
#[derive(Debug, Default)]
pub struct Live {
    running: BTreeMap<String, Running>,
    probes: BTreeMap<String, (Answers, bool)>,
}

#[derive(Debug, Default)]
struct Running {
    /// `step 2 of 3 (at least 5 min; deadline in 40 min)`
    step: Option<String>,
    /// What it waits for.
    text: String,
}

impl Live {
    /// Whether the event says something that the lines do not go on to show, and must stay on the screen.
    pub fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Started { address, .. } => {
                self.running.insert(address.to_string(), Running::default());
                false
            }
            Event::Progress { address, text } => {
                self.running.entry(address.to_string()).or_default().text.clone_from(text);
                false
            }
            Event::StepStarted { address, number, of, text, expected, left } => {
                let running = self.running.entry(address.to_string()).or_default();
                let least = expected.filter(|s| *s > 0).map(|s| format!("at least {}", duration(s)));
                let end = left.map(|s| format!("deadline in {}", duration(s)));
                let times: Vec<String> = least.into_iter().chain(end).collect();
                let times = if times.is_empty() { String::new() } else { format!(" ({})", times.join("; ")) };
                *running =
                    Running { step: Some(format!("step {number} of {of}{times}")), text: text.clone() };
                true
            }
            Event::Probed { probe, answers, fault } => {
                let turned = self.probes.get(probe).is_some_and(|(_, bad)| *bad) != fault.is_some();
                self.probes.insert(probe.clone(), (answers.clone(), fault.is_some()));
                turned
            }
            Event::Done { address, .. } | Event::Failed { address, .. } => {
                self.running.remove(&address.to_string());
                true
            }
            Event::StepDone { .. } | Event::Output { .. } => true,
        }
    }

    /// By what it is about: a resource, or a probe.
    pub fn lines(&self) -> BTreeMap<String, String> {
        let running = self.running.iter().map(|(address, one)| {
            let parts = [one.step.clone().unwrap_or_default(), one.text.clone()];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            (address.clone(), parts.join(": "))
        });
        let probes = self.probes.iter().map(|(name, (answers, bad))| {
            let now = if *bad { "bad" } else { "good" };
            let text = format!(
                "{now} now; {} of {} answers good ({:.1} %)",
                answers.good,
                answers.sent,
                answers.percent()
            );
            (format!("probe {name}"), text)
        });
        running.chain(probes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Action;

    #[test]
    fn what_is_under_way_is_shown_until_it_ends() {
        let address: crate::addr::Address = "aws_ecs_service.web".parse().expect("an address");
        let mut live = Live::default();
        live.note(&Event::Started { address: address.clone(), action: Action::Update });
        assert!(live.note(&Event::StepStarted {
            address: address.clone(),
            number: 2,
            of: 3,
            text: "follow the deployment".into(),
            expected: Some(300),
            left: Some(2400),
        }));
        let line = |live: &Live| live.lines().values().cloned().collect::<Vec<_>>();
        assert_eq!(line(&live), ["step 2 of 3 (at least 5 min; deadline in 40 min): follow the deployment"]);
        assert!(!live.note(&Event::Progress { address: address.clone(), text: "new 1 of 2, old 2".into() }));
        assert_eq!(line(&live), ["step 2 of 3 (at least 5 min; deadline in 40 min): new 1 of 2, old 2"]);
        let answers = Answers { sent: 4, good: 3, fault: Some("HTTP 502".into()) };
        let fault = Some("HTTP 502".to_owned());
        assert!(live.note(&Event::Probed { probe: "site".into(), answers: answers.clone(), fault }));
        assert_eq!(live.lines()["probe site"], "bad now; 3 of 4 answers good (75.0 %)");
        assert!(live.note(&Event::Probed { probe: "site".into(), answers: answers.clone(), fault: None }));
        assert!(!live.note(&Event::Probed { probe: "site".into(), answers, fault: None }));
        live.note(&Event::Done { address, action: Action::Update, id: "web".into(), seconds: 7 });
        assert_eq!(live.lines().keys().collect::<Vec<_>>(), ["probe site"]);
    }
}
