//! Probes run from the beginning of an apply to its end; what they were answered is told then, and gates look
//! at it on the way.

use super::Event;
use super::executor::Executor;
use crate::rollout::gates::Answers;
use crate::rollout::settings::Probe;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Sends HTTP requests for probes.
#[async_trait(?Send)]
pub trait Prober {
    /// What is wrong with the answer, or why there is none; None: it is good.
    async fn ask(&self, probe: &Probe) -> Option<String>;
}

/// What a probe saw in one apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    pub answers: Answers,
    /// It has had a good answer: only from then on bad ones count, what was just made need not answer yet.
    pub answered: bool,
    /// Why it was not answered well before.
    pub before: Option<String>,
    /// What counts, by the second in which it was answered.
    pub seconds: Vec<Second>,
}

/// The answers of one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    pub at: Timestamp,
    pub answers: Answers,
}

/// How often it is looked whether a probe's address has become known.
const LOOK: Duration = Duration::from_secs(5);

impl Executor<'_, '_> {
    /// Never ends by itself: it is dropped when there is nothing more to do.
    pub(super) async fn probe(&self) {
        let mut begun: BTreeSet<String> = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        loop {
            let known = self.walk.borrow().probes();
            for probe in known {
                if begun.insert(probe.name.clone()) {
                    running.push(self.send_again_and_again(probe));
                }
            }
            tokio::select! {
                Some(()) = running.next(), if !running.is_empty() => {}
                () = self.clock.sleep(LOOK) => {}
            }
        }
    }

    async fn send_again_and_again(&self, probe: Probe) {
        loop {
            let fault = self.prober.ask(&probe).await;
            let counted = {
                let mut probed = self.probed.borrow_mut();
                let probed = probed.entry(probe.name.clone()).or_default();
                probed.note(fault.clone(), self.clock.now());
                probed.answered.then(|| probed.answers.clone())
            };
            if let Some(answers) = counted {
                (self.events)(Event::Probed { probe: probe.name.clone(), answers, fault });
            }
            self.clock.sleep(probe.interval).await;
        }
    }

    /// What counts of each probe so far.
    pub(super) fn answers(&self) -> BTreeMap<String, Answers> {
        self.probed.borrow().iter().map(|(name, probed)| (name.clone(), probed.answers.clone())).collect()
    }
}

impl Probed {
    fn note(&mut self, fault: Option<String>, now: Timestamp) {
        self.answered |= fault.is_none();
        if !self.answered {
            self.before = fault;
            return;
        }
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        if self.seconds.last().is_none_or(|last| last.at != at) {
            self.seconds.push(Second { at, answers: Answers::default() });
        }
        if let Some(second) = self.seconds.last_mut() {
            second.answers.note(fault.clone());
        }
        self.answers.note(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_answers_count_from_the_first_good_one_on() {
        let mut probed = Probed::default();
        for (millisecond, fault) in
            [(0, Some("refused")), (500, None), (1000, Some("HTTP 502")), (1900, None), (2000, None)]
        {
            let now = Timestamp::from_millisecond(millisecond).expect("in range");
            probed.note(fault.map(str::to_owned), now);
        }
        assert_eq!(probed.before.as_deref(), Some("refused"));
        assert_eq!(probed.answers, Answers { sent: 4, good: 3, fault: Some("HTTP 502".into()) });
        let by_second = probed.seconds.iter().map(|s| (s.at.as_second(), s.answers.good, s.answers.sent));
        assert_eq!(by_second.collect::<Vec<_>>(), [(0, 1, 1), (1, 1, 2), (2, 1, 1)]);
    }
}
