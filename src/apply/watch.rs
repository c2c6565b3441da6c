//! Looks on while a rollout runs: its gates, its deadline, a person's agreement; every look and what came of
//! it goes to the journal.

use super::RolledOut;
use super::executor::Executor;
use crate::aws::{AwsError, Watch};
use crate::plan::Change;
use crate::rollout::gates::{self, Answers, Seen};
use crate::rollout::settings::{Settings, Watched};
use crate::state::journal::Entry;
use crate::value::Secrets;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value as Json;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

pub(super) struct Watcher<'e, 'w, 'a> {
    executor: &'e Executor<'w, 'a>,
    change: &'e Change,
    settings: Option<Settings>,
    began: Timestamp,
    /// What the probes had been answered when the rollout began.
    before: BTreeMap<String, Answers>,
    /// What was written last: the same again is no news.
    last: RefCell<(Json, String)>,
    /// The fewest that were in service, of how many.
    least: Cell<Option<(i64, i64)>>,
}

impl Watcher<'_, '_, '_> {
    /// What is told of it in the end.
    pub(super) fn ended(&self) -> RolledOut {
        let seconds = self.executor.clock.now().duration_since(self.began).as_secs().unsigned_abs();
        RolledOut { address: self.change.address.clone(), seconds, least: self.least.get() }
    }
}

impl<'w, 'a> Executor<'w, 'a> {
    pub(super) fn watcher<'e>(&'e self, change: &'e Change) -> Watcher<'e, 'w, 'a> {
        Watcher {
            executor: self,
            change,
            settings: self.walk.borrow().rollout_settings(&change.address),
            began: self.begin_of(change),
            before: self.answers(),
            last: RefCell::default(),
            least: Cell::default(),
        }
    }

    /// Seconds until the deadline of its rollout.
    pub(super) fn left(&self, change: &Change) -> Option<u64> {
        let deadline = self.walk.borrow().rollout_settings(&change.address)?.deadline?;
        let passed = self.clock.now().duration_since(self.begin_of(change));
        Some(deadline.as_secs().saturating_sub(passed.as_secs().unsigned_abs()))
    }

    /// Of one that waited for a person the time until then counts, too.
    fn begin_of(&self, change: &Change) -> Timestamp {
        let walk = self.walk.borrow();
        let open = walk.state.rollouts.get(&change.address);
        open.and_then(|open| open.since.parse().ok()).unwrap_or_else(|| self.clock.now())
    }
}

#[async_trait(?Send)]
impl Watch for Watcher<'_, '_, '_> {
    fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    async fn red(&self) -> Result<Option<String>, AwsError> {
        let Some(settings) = &self.settings else { return Ok(None) };
        let named = settings.gates.iter().flat_map(|gate| match &gate.what {
            Watched::Alarms(names) => names.as_slice(),
            Watched::Probe { .. } => &[],
        });
        let names: Vec<String> = named.cloned().collect();
        let provider = self.executor.walk.borrow().provider;
        let alarms = match names.is_empty() {
            true => BTreeMap::new(),
            false => provider.alarms(&self.change.provider, &names).await?,
        };
        let nothing = Answers::default();
        let since = |(name, now): (String, Answers)| {
            let since = now.since(self.before.get(&name).unwrap_or(&nothing));
            (name, since)
        };
        let probes = self.executor.answers().into_iter().map(since).collect();
        let seen = Seen { alarms, probes };
        let red = gates::red(settings, self.began, &seen, self.executor.clock.now());
        if !settings.gates.is_empty() || red.is_some() {
            let decision =
                red.as_deref().map_or("gates are open".to_owned(), |why| format!("go back: {why}"));
            self.note(serde_json::to_value(&seen).unwrap_or_default(), &decision);
        }
        Ok(red)
    }

    fn is_approved(&self, step: &str) -> bool {
        let walk = self.executor.walk.borrow();
        walk.state.rollouts.get(&self.change.address).is_some_and(|open| open.agreed.as_deref() == Some(step))
    }

    fn is_changing(&self, id: &str, attribute: &str) -> bool {
        let changes =
            |c: &Change| c.id.as_deref() == Some(id) && c.attributes.iter().any(|a| a.name == attribute);
        self.executor.changes.borrow().iter().any(|c| changes(c))
    }

    fn in_service(&self, now: i64, of: i64) {
        if self.least.get().is_none_or(|(least, _)| now < least) {
            self.least.set(Some((now, of)));
        }
    }

    fn secrets(&self) -> Secrets {
        self.executor.walk.borrow().secrets()
    }

    fn note(&self, seen: Json, decision: &str) {
        let news = (seen, decision.to_owned());
        if *self.last.borrow() == news {
            return;
        }
        let entry = Entry::Watched {
            address: self.change.address.clone(),
            at: self.executor.clock.now().to_string(),
            seen: news.0.clone(),
            decision: news.1.clone(),
        };
        *self.last.borrow_mut() = news;
        // What cannot be written now fails with the next entry, which matters more.
        if let Err(failure) = self.executor.record(&entry) {
            tracing::warn!("the journal cannot be written: {failure:?}");
        }
    }
}
