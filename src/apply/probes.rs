//! Probes run from the beginning of an apply to its end; what they were answered is told then, and gates look
//! at it on the way.

use super::executor::Executor;
use crate::rollout::gates::Answers;
use crate::rollout::settings::Probe;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
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
            self.probed.borrow_mut().entry(probe.name.clone()).or_default().note(fault);
            self.clock.sleep(probe.interval).await;
        }
    }

    /// What counts of each probe so far.
    pub(super) fn answers(&self) -> BTreeMap<String, Answers> {
        self.probed.borrow().iter().map(|(name, probed)| (name.clone(), probed.answers.clone())).collect()
    }
}

impl Probed {
    fn note(&mut self, fault: Option<String>) {
        self.answered |= fault.is_none();
        match self.answered {
            true => self.answers.note(fault),
            false => self.before = fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_answers_count_from_the_first_good_one_on() {
        let mut probed = Probed::default();
        for fault in [Some("refused"), None, Some("HTTP 502"), None] {
            probed.note(fault.map(str::to_owned));
        }
        assert_eq!(probed.before.as_deref(), Some("refused"));
        assert_eq!(probed.answers, Answers { sent: 3, good: 2, fault: Some("HTTP 502".into()) });
    }
}
