//! Calls of which nobody knows whether they were carried out: the answer was lost, or AWS had an error of its
//! own. Before anything is sent again it is looked whether it is there; then it is taken over and finished.

use super::Failure;
use super::executor::Executor;
use crate::aws::{AwsError, Existing, Job};
use crate::diff::{Sides, differing};
use crate::plan::desired::derive_tags;
use crate::plan::{Action, Change};
use crate::provider::Made;
use crate::schema::Object;
use crate::state::Resource;
use crate::state::journal::Entry;
use regex::Regex;
use std::sync::LazyLock;
use std::time::Duration;

/// How often something unclear is tried, each time after a longer pause.
pub(super) const TRIES: u32 = 6;

/// Looks for what an unclear creation made: lists of AWS lag behind by seconds.
const LOOKS: u32 = 4;

/// How often what is there is asked for again because it is not as it was sent: the next plan tells what stays so.
const LAGS: u32 = 3;

/// 1, 2, 4, 8, 16, 16 … seconds.
pub(super) fn pause(tried: u32) -> Duration {
    Duration::from_secs(1 << tried.min(4))
}

impl Executor<'_, '_> {
    /// Creates it once, whatever answers are lost. What is there in the end is in the journal, also when
    /// this fails.
    pub(super) async fn create_once(
        &self,
        change: &Change,
        job: &Job<'_>,
        intent: &Entry,
    ) -> Result<Made, Failure> {
        let provider = self.walk.borrow().provider;
        let type_name = &*change.address.type_name;
        let mut tried = 0;
        loop {
            let error = match provider.create(&change.provider, type_name, job).await {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            // Only after a lost answer may the one that is there already be ours.
            let unclear = error.transient || error.is_not_found() || error.is_already_there() && tried > 0;
            match self.look(change, job, unclear).await {
                // Made, or half made: not to be lost.
                Ok(Some(id)) => {
                    let old = self.walk.borrow().state.resources.get(&change.address).cloned();
                    self.record(&self.created(change, id.clone(), job.want))?;
                    if !unclear {
                        let error = self.take_back(change, job, (id, old), error).await?;
                        return Err(self.aws(change, error));
                    }
                    (job.progress)(&format!("{}: the answer was lost; going on with {id}", error.operation));
                    return self.finish(change, job, id).await.map_err(|e| self.aws(change, e));
                }
                Ok(None) if (error.transient || self.is_too_new(&error)) && tried < TRIES => {
                    (job.progress)(&format!("{}: {}; trying again", error.operation, error.code));
                    self.clock.sleep(pause(tried)).await;
                    tried += 1;
                }
                Ok(None) => {
                    self.record(&self.failed(change, job.token, &error))?;
                    return Err(self.aws(change, error));
                }
                // Not even that can be seen: the intent stays open, and the next run looks.
                Err(_) => {
                    self.outcome.borrow_mut().open.push(intent.clone());
                    return Err(self.aws(change, error));
                }
            }
        }
    }

    /// Whether something is not found that this run made: AWS does not know new ids everywhere at once (EC2's
    /// documentation, "Eventual consistency").
    fn is_too_new(&self, error: &AwsError) -> bool {
        static ID: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\b[a-z]+-[0-9a-f]{8,17}\b").expect("a good pattern"));
        let Some(id) = ID.find(&error.message).filter(|_| error.is_not_found()) else { return false };
        let walk = self.walk.borrow();
        let changes = self.changes.borrow();
        let made = changes.iter().filter(|c| matches!(c.action, Action::Create | Action::Replace));
        let mut made = made.filter_map(|c| walk.state.resources.get(&c.address));
        made.any(|resource| resource.id == id.as_str() || resource.seen.mention(id.as_str()))
    }

    /// One made beside the old one that does not come to life goes again: the old one serves on. Where even that
    /// fails both stay in the state.
    async fn take_back(
        &self,
        change: &Change,
        job: &Job<'_>,
        (id, old): (String, Option<Resource>),
        error: AwsError,
    ) -> Result<AwsError, Failure> {
        let beside = change.action == Action::Replace && change.create_before_destroy;
        let Some(old) = old.filter(|_| beside && !error.is(&["Interrupted"])) else { return Ok(error) };
        (job.progress)("it does not come to life: the new one goes again, the old one stays");
        let going = Job { id: &id, live: job.want, ..*job };
        match self.delete_once(change, &going).await {
            Ok(()) => {
                let resource = Box::new(old);
                self.record(&Entry::TakenBack { address: change.address.clone(), resource })?;
                let message = format!("{}; the new one is gone again, the old one serves on", error.message);
                Ok(AwsError { message, ..error })
            }
            Err(second) => {
                let message = format!("{}; and the new one cannot be deleted: {second}", error.message);
                Ok(AwsError { message, ..error })
            }
        }
    }

    pub(super) fn failed(&self, change: &Change, token: &str, error: &AwsError) -> Entry {
        Entry::Failed { address: change.address.clone(), token: token.to_owned(), error: error.to_string() }
    }

    async fn look(
        &self,
        change: &Change,
        job: &Job<'_>,
        patiently: bool,
    ) -> Result<Option<String>, AwsError> {
        let provider = self.walk.borrow().provider;
        let mut looked = 0;
        loop {
            if patiently {
                self.clock.sleep(pause(looked)).await;
            }
            looked += 1;
            match provider.find(&change.provider, &change.address.type_name, job).await {
                Ok(None) if patiently && looked < LOOKS => {}
                Err(error) if (error.transient || error.is_not_found()) && looked < TRIES => {}
                answer => return answer,
            }
        }
    }

    /// Brings what an unclear creation left to what was wanted, and waits until it can be used.
    async fn finish(&self, change: &Change, job: &Job<'_>, id: String) -> Result<Made, AwsError> {
        let mut tried = 0;
        loop {
            match self.bring(change, job, &id).await {
                Ok(()) => return Ok(Made { id, object: None }),
                Err(error) if (error.transient || error.is_not_found()) && tried < TRIES => {
                    self.clock.sleep(pause(tried)).await;
                    tried += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn bring(&self, change: &Change, job: &Job<'_>, id: &str) -> Result<(), AwsError> {
        let provider = self.walk.borrow().provider;
        let type_name = &*change.address.type_name;
        let Some(live) = self.look_at(change, id, job.want).await? else {
            return Err(not_visible(id));
        };
        let names = self.differing(change, job.want, None, &live);
        let job = Job { id, live: &live, changed: &names, ..*job };
        if !names.is_empty() {
            provider.update(&change.provider, type_name, &job).await?;
        }
        provider.settle(&change.provider, type_name, &job).await
    }

    /// What is live, as it is compared.
    pub(super) async fn look_at(
        &self,
        change: &Change,
        id: &str,
        want: &Object,
    ) -> Result<Option<Object>, AwsError> {
        let provider = self.walk.borrow().provider;
        let mut known = want.clone();
        known.put("id", Some(id.into()));
        let items = [Existing { id, known: &known }];
        let read = provider.read(&change.provider, &change.address.type_name, &items).await?;
        let Some(mut live) = read.into_iter().next().flatten() else { return Ok(None) };
        let walk = self.walk.borrow();
        let Some(schema) = provider.resource(&change.address.type_name) else { return Ok(Some(live)) };
        let settings = walk.settings.get(&change.provider).cloned().unwrap_or_default();
        derive_tags(&mut live, schema.table, &settings, Some(want));
        Ok(Some(live))
    }

    /// The attributes that are not as wanted, given what was applied before.
    pub(super) fn differing(
        &self,
        change: &Change,
        want: &Object,
        applied: Option<&Object>,
        live: &Object,
    ) -> Vec<String> {
        let walk = self.walk.borrow();
        let Some(schema) = walk.provider.resource(&change.address.type_name) else { return Vec::new() };
        let sides = Sides { desired: want, applied, seen: None, live, salt: &walk.state.salt };
        differing(schema.table, &sides)
    }

    /// A plain update; one that is unclear is compared again, and only what still differs is sent again.
    pub(super) async fn update_once(
        &self,
        change: &Change,
        job: &Job<'_>,
    ) -> Result<Option<Object>, AwsError> {
        let provider = self.walk.borrow().provider;
        let type_name = &*change.address.type_name;
        let mut error = match provider.update(&change.provider, type_name, job).await {
            Err(error) if error.transient || self.is_too_new(&error) => error,
            answer => return answer,
        };
        for tried in 0..TRIES {
            (job.progress)(&format!("{}: {}; looking what was done", error.operation, error.code));
            self.clock.sleep(pause(tried)).await;
            match self.bring(change, job, job.id).await {
                Ok(()) => return Ok(None),
                Err(again) if again.transient || again.is_not_found() || again.is_already_there() => {
                    error = again;
                }
                Err(again) => return Err(again),
            }
        }
        Err(error)
    }

    /// One step of a rollout. Steps look what was begun already before they begin anything, so an unclear one
    /// is run again.
    pub(super) async fn step_once(
        &self,
        change: &Change,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        let provider = self.walk.borrow().provider;
        let mut tried = 0;
        loop {
            match provider.run_step(&change.provider, &change.address.type_name, job, step, carried).await {
                Err(error) if (error.transient || self.is_too_new(&error)) && tried < TRIES => {
                    (job.progress)(&format!("{}: {}; looking what was done", error.operation, error.code));
                    self.clock.sleep(pause(tried)).await;
                    tried += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Deletes; gone is gone, whatever the answers were.
    pub(super) async fn delete_once(&self, change: &Change, job: &Job<'_>) -> Result<(), AwsError> {
        let provider = self.walk.borrow().provider;
        let type_name = &*change.address.type_name;
        let mut tried = 0;
        loop {
            let error = match provider.delete(&change.provider, type_name, job).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.transient && tried < TRIES {
                (job.progress)(&format!("{}: {}; trying again", error.operation, error.code));
                self.clock.sleep(pause(tried)).await;
                tried += 1;
                continue;
            }
            // It may have been done by a call whose answer was lost, and now be missed.
            let gone = matches!(self.look_at(change, job.id, job.want).await, Ok(None));
            return if gone { Ok(()) } else { Err(error) };
        }
    }

    /// What is there after it was made or changed. AWS's answers lag behind: what does not yet show, or not
    /// yet as sent, is asked for again a few times.
    pub(super) async fn look_until_seen(
        &self,
        change: &Change,
        id: &str,
        want: &Object,
    ) -> Result<Object, AwsError> {
        let mut tried = 0;
        loop {
            let last = tried >= TRIES;
            match self.look_at(change, id, want).await {
                Ok(Some(live)) if tried >= LAGS || self.differing(change, want, None, &live).is_empty() => {
                    return Ok(live);
                }
                Ok(None) if last => return Err(not_visible(id)),
                Err(error) if last || !(error.transient || error.is_not_found()) => return Err(error),
                _ => {}
            }
            self.clock.sleep(pause(tried)).await;
            tried += 1;
        }
    }
}

fn not_visible(id: &str) -> AwsError {
    AwsError::failed(
        "read",
        "NotVisible",
        format!("{id} was made, but AWS does not show it; run apply again"),
    )
}
