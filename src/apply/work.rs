//! One task of an apply: create, update, delete, read; each with its entries in the journal.

use super::Event;
use super::Failure;
use super::executor::Executor;
use crate::aws::{AwsError, Between, Discreet, Job, RolloutStep, Unwatched, WAITS_FOR_A_PERSON};
use crate::config::DeclKey;
use crate::plan::desired::{derive_tags, updated};
use crate::plan::staging::{STAGE, on_defaults};
use crate::plan::walk::Moment;
use crate::plan::{Action, Change, Reason};
use crate::provider::default_name;
use crate::schema::Object;
use crate::state::journal::{self, Entry};
use crate::state::{OpenRollout, Resource};
use crate::value::Value;

/// Of a service, what it may take from its cluster.
const STRATEGY: &str = "capacity_provider_strategy";

/// An update may give a resource another id: a DNS record's type is part of its. Where what identifies a
/// resource is not its `id` attribute (a task definition's is the family), it stays.
fn current_id<'i>(change: &Change, id: &'i str, live: &'i Object) -> &'i str {
    let shown = change.before.as_ref().is_some_and(|before| before.id() == id);
    if change.action == Action::Update && shown && !live.id().is_empty() { live.id() } else { id }
}

/// Codes of errors by which we stop to look on at what AWS goes on with.
const GOES_ON: &[&str] = &["Interrupted", "Timeout"];

fn unwritten() -> AwsError {
    AwsError::failed("journal", "Internal", "the journal cannot be written")
}

impl Executor<'_, '_> {
    pub(super) async fn read_data(&self, change: &Change, want: &Object) -> Result<String, Failure> {
        let provider = self.walk.borrow().provider;
        let answer = provider.read_data(&change.provider, &change.address.type_name, want).await;
        let object = answer.map_err(|e| self.aws(change, e))?;
        let key = DeclKey::of(&change.address);
        let id = object.id().to_owned();
        let value = crate::plan::walk::data_value(provider, &key, object);
        self.walk.borrow_mut().accept_value(&change.address, value);
        Ok(id)
    }

    pub(super) async fn create(&self, change: &Change, want: Object) -> Result<String, Failure> {
        let (token, intent) = self.intent(change, journal::Action::Create, &want)?;
        let address = change.address.to_string();
        let nothing = Object::new();
        let progress = |text: &str| self.progress(&change.address, text);
        let discreet = Discreet(|| self.walk.borrow().secrets());
        let job = Job {
            address: &address,
            token: &token,
            id: "",
            want: &want,
            live: &nothing,
            changed: &[],
            progress: &progress,
            watch: &discreet,
        };
        let made = self.create_once(change, &job, &intent).await?;
        self.outcome.borrow_mut().created += 1;
        let shown = made.id.clone();
        let ids = self.recorded_ids(change);
        // Ids of the small providers need not differ (a file's is its hash): the state's must.
        let id = if made.object.is_some() && ids.contains(&made.id) { token } else { made.id };
        self.store(change, &id, &want, made.object).await?;
        // What is gone already needs no deletion.
        if let (Some(Reason::Vanished), Some(id)) = (change.reason, ids.into_iter().next()) {
            self.record(&Entry::DeposedDeleted { address: change.address.clone(), id })?;
        }
        self.provision_created(change).await?;
        Ok(shown)
    }

    /// The current one first, then those that are left of unfinished replacements.
    fn recorded_ids(&self, change: &Change) -> Vec<String> {
        let walk = self.walk.borrow();
        let Some(recorded) = walk.state.resources.get(&change.address) else { return Vec::new() };
        let deposed = recorded.deposed.iter().map(|d| d.id.clone());
        [recorded.id.clone()].into_iter().chain(deposed).collect()
    }

    pub(super) fn created(&self, change: &Change, id: String, want: &Object) -> Entry {
        let walk = self.walk.borrow();
        let table = walk.provider.resource(&change.address.type_name).map(|s| s.table);
        let applied = table.map(|t| walk.state.stored(want, t)).unwrap_or_default();
        Entry::Created { address: change.address.clone(), provider: change.provider.clone(), id, applied }
    }

    fn applied(&self, change: &Change) -> Option<Object> {
        let walk = self.walk.borrow();
        let schema = walk.provider.resource(&change.address.type_name)?;
        let old = walk.state.resources.get(&change.address).filter(|_| change.importing.is_none());
        old.map(|one| one.applied(schema.table))
    }

    pub(super) async fn update(&self, change: &Change, want: Object) -> Result<String, Failure> {
        let id = change.id.clone().unwrap_or_default();
        let staged = self.between.borrow_mut().remove(&change.address);
        let was_staged = staged.is_some();
        let live = staged.or_else(|| change.before.clone()).unwrap_or_default();
        let applied = self.applied(change);
        let names = self.differing(change, &want, applied.as_ref(), &live);
        let mut made = None;
        if !names.is_empty() {
            made = self.send(change, &id, &live, &want, &names).await?;
            self.outcome.borrow_mut().updated += 1;
        } else if !change.rollout.is_empty() && self.begun_elsewhere(change).is_some() {
            self.send(change, &id, &live, &want, &[]).await?;
            self.outcome.borrow_mut().updated += 1;
        } else if was_staged {
            self.outcome.borrow_mut().updated += 1;
        } else if !self.is_asked(change) {
            made = Some(live);
        }
        self.store(change, &id, &want, made).await?;
        Ok(id)
    }

    /// Sends an update, with its intent and what came of it in the journal. Where nothing is left to send, a rollout
    /// that another run began is followed to its end.
    async fn send(
        &self,
        change: &Change,
        id: &str,
        live: &Object,
        want: &Object,
        names: &[String],
    ) -> Result<Option<Object>, Failure> {
        let (token, _) = self.intent(change, journal::Action::Update, want)?;
        let address = change.address.to_string();
        let progress = |text: &str| self.progress(&change.address, text);
        let watcher = self.watcher(change);
        let job = Job {
            address: &address,
            token: &token,
            id,
            want,
            live,
            changed: names,
            progress: &progress,
            watch: &watcher,
        };
        let sent = match self.begun_elsewhere(change).filter(|_| names.is_empty()) {
            Some(carried) => self.run_steps(change, &job, &change.rollout, carried).await.map(|()| None),
            None => self.send_update(change, &job, live, want, names).await,
        };
        if change.rollout.iter().any(|step| step.name != STAGE) {
            self.outcome.borrow_mut().rolled.push(watcher.ended());
        }
        match sent {
            Ok(object) => Ok(object),
            Err(error) => {
                self.record(&self.failed(change, &token, &error))?;
                Err(self.aws(change, error))
            }
        }
    }

    /// What the open rollout of a resource carries from step to step.
    fn begun_elsewhere(&self, change: &Change) -> Option<Option<String>> {
        let walk = self.walk.borrow();
        walk.state.rollouts.get(&change.address).map(|open| open.carried.clone())
    }

    /// Before traffic moves: old and new both serve. What comes of it is what the update begins with.
    pub(super) async fn bring_between(&self, change: &Change) -> Result<(), Failure> {
        self.conditions(Moment::Before, change)?;
        let want = self.wanted(change)?;
        let live = change.before.clone().unwrap_or_default();
        let names = self.differing(change, &want, self.applied(change).as_ref(), &live);
        let provider = self.walk.borrow().provider;
        let between = provider.between(&change.address.type_name, &live, &want, &names);
        let declared = want.clone();
        let following = self.default_strategy(change)?;
        let Some(Between { mut want, mut changed, text }) = between.or_else(|| {
            let text = "placing its tasks by the new default capacity providers of its cluster".to_owned();
            following.as_ref().map(|_| Between { want, changed: Vec::new(), text })
        }) else {
            return Ok(());
        };
        let mut recorded = want.clone();
        if let Some(strategy) = following {
            want.put(STRATEGY, Some(strategy));
            changed.push(STRATEGY.to_owned());
            // It goes on to declare none.
            recorded.put(STRATEGY, declared.value(STRATEGY).cloned());
        }
        self.progress(&change.address, &text);
        let id = change.id.clone().unwrap_or_default();
        let made = self.send(change, &id, &live, &want, &changed).await?;
        self.store(change, &id, &recorded, made).await?;
        let now = self.walk.borrow().live.get(&change.address).cloned().flatten().unwrap_or_default();
        self.between.borrow_mut().insert(change.address.clone(), now);
        Ok(())
    }

    /// The new default strategy of its cluster, for a service that took the one before.
    fn default_strategy(&self, change: &Change) -> Result<Option<Value>, Failure> {
        let changes = self.changes.borrow().clone();
        let route = on_defaults(&changes).into_iter().find(|m| changes[m.server].address == change.address);
        let Some(cluster) = route.map(|m| changes[m.route].clone()) else { return Ok(None) };
        let wanted = self.wanted(&cluster)?;
        let strategy = wanted.value("default_capacity_provider_strategy");
        match strategy.filter(|s| s.as_slice().is_some_and(|items| !items.is_empty())) {
            Some(strategy) => Ok(Some(strategy.clone())),
            None => {
                let text = format!(
                    "it took the default strategy of its cluster, which {} takes away: declare a \
                     capacity_provider_strategy or a launch_type",
                    cluster.address
                );
                Err(self.aws(change, AwsError::failed("UpdateService", "NoDefaultStrategy", text)))
            }
        }
    }

    /// Whether there is something behind the resource that can be read: the small providers have only what
    /// the state knows.
    fn is_asked(&self, change: &Change) -> bool {
        let provider = self.walk.borrow().provider;
        provider.is_configurable(default_name(&change.address.type_name))
    }

    /// A plain update, or the steps of its rollout one by one.
    async fn send_update(
        &self,
        change: &Change,
        job: &Job<'_>,
        live: &Object,
        want: &Object,
        names: &[String],
    ) -> Result<Option<Object>, AwsError> {
        let provider = self.walk.borrow().provider;
        let type_name = &*change.address.type_name;
        let steps = provider.rollout(type_name, live, want, names, job.watch.settings());
        if steps.is_empty() {
            return self.update_once(change, job).await;
        }
        if !self.walk.borrow().rollout_is_known(&change.address) {
            return Err(AwsError::failed(
                "rollout",
                "StillUnknown",
                "not all that its gates look at is known",
            ));
        }
        // What a killed run of the same rollout knew.
        let carried = self.begun_elsewhere(change).flatten();
        self.run_steps(change, job, &steps, carried).await?;
        Ok(None)
    }

    /// One after the other; where it is, is in the journal before it is there.
    async fn run_steps(
        &self,
        change: &Change,
        job: &Job<'_>,
        steps: &[RolloutStep],
        mut carried: Option<String>,
    ) -> Result<(), AwsError> {
        let of = steps.len();
        for (i, step) in steps.iter().enumerate() {
            let (address, number) = (change.address.clone(), i + 1);
            let begun = self.clock.now();
            let rolling = self.open_rollout(change, job, step, carried.clone());
            let entry = Entry::Rolling { address: address.clone(), rollout: Box::new(rolling) };
            self.record(&entry).map_err(|_| unwritten())?;
            (self.events)(Event::StepStarted {
                address: address.clone(),
                number,
                of,
                text: step.text.clone(),
                expected: step.expected_seconds,
                left: self.left(change),
            });
            carried = match self.step_once(change, job, &step.name, carried.as_deref()).await {
                Err(error) => return Err(self.stopped(change, job, (step, carried), error)),
                Ok(carried) => carried,
            };
            let entry = Entry::Step {
                address: address.clone(),
                token: job.token.to_owned(),
                step: step.name.clone(),
                carried: carried.clone(),
            };
            self.record(&entry).map_err(|_| unwritten())?;
            let seconds = self.clock.now().duration_since(begun).as_secs().unsigned_abs();
            (self.events)(Event::StepDone { address, number, of, seconds });
        }
        self.close(change).map_err(|_| unwritten())
    }

    /// As it is at this step; when it began and from what stays as it was.
    fn open_rollout(
        &self,
        change: &Change,
        job: &Job<'_>,
        step: &RolloutStep,
        carried: Option<String>,
    ) -> OpenRollout {
        let walk = self.walk.borrow();
        let open = walk.state.rollouts.get(&change.address);
        let table = walk.provider.resource(&change.address.type_name).map(|s| s.table);
        let before = table.map(|table| walk.state.stored_seen(job.live, job.want, table)).unwrap_or_default();
        OpenRollout {
            provider: change.provider.clone(),
            since: open.map_or_else(|| self.clock.now().to_string(), |open| open.since.clone()),
            step: step.name.clone(),
            text: step.text.clone(),
            carried,
            waits: false,
            before: open.map_or(before, |open| open.before.clone()),
            agreed: open.and_then(|open| open.agreed.clone()),
        }
    }

    /// A rollout did not get through this step: one that waits for a person, or goes on in AWS without us, stays
    /// open in the state.
    fn stopped(
        &self,
        change: &Change,
        job: &Job<'_>,
        (step, carried): (&RolloutStep, Option<String>),
        error: AwsError,
    ) -> AwsError {
        let waits = error.is(&[WAITS_FOR_A_PERSON]);
        let written = if waits || error.is(GOES_ON) {
            let open = self.open_rollout(change, job, step, carried);
            let rollout = Box::new(OpenRollout { waits, agreed: None, ..open });
            self.record(&Entry::Paused { address: change.address.clone(), rollout })
        } else {
            self.close(change)
        };
        if written.is_err() { unwritten() } else { error }
    }

    fn close(&self, change: &Change) -> Result<(), Failure> {
        let open = self.walk.borrow().state.rollouts.contains_key(&change.address);
        if open { self.record(&Entry::RolledOut { address: change.address.clone() }) } else { Ok(()) }
    }

    pub(super) async fn remove(&self, change: &Change) -> Result<String, Failure> {
        let id = change.id.clone().unwrap_or_default();
        self.provision_destroyed(change).await?;
        if change.reason == Some(Reason::Deposed) {
            self.successor_serves(change).await?;
        }
        let (token, _) = self.intent(change, journal::Action::Delete, &change.desired)?;
        let address = change.address.to_string();
        let live = change.before.clone().unwrap_or_default();
        let provider = self.walk.borrow().provider;
        // What was applied says how to delete (`force_delete`), not what is wanted from now on.
        let applied = provider
            .resource(&change.address.type_name)
            .map(|s| crate::state::object(&change.applied, s.table))
            .filter(|applied| !applied.0.is_empty())
            .unwrap_or_else(|| change.desired.clone());
        let progress = |text: &str| self.progress(&change.address, text);
        let job = Job {
            address: &address,
            token: &token,
            id: &id,
            want: &applied,
            live: &live,
            changed: &[],
            progress: &progress,
            watch: &Unwatched,
        };
        if let Err(error) = self.delete_once(change, &job).await {
            self.record(&self.failed(change, &token, &error))?;
            return Err(self.aws(change, error));
        }
        let current = self.walk.borrow().state.resources.get(&change.address).map(|r| r.id.clone());
        let entry = if current.as_deref() == Some(id.as_str()) {
            Entry::Deleted { address: change.address.clone() }
        } else {
            Entry::DeposedDeleted { address: change.address.clone(), id: id.clone() }
        };
        self.record(&entry)?;
        self.outcome.borrow_mut().deleted += 1;
        Ok(id)
    }

    /// What another run left to be deleted may still be the one that serves: whether what replaced it does.
    async fn successor_serves(&self, change: &Change) -> Result<(), Failure> {
        let (provider, known) = {
            let walk = self.walk.borrow();
            let schema = walk.provider.resource(&change.address.type_name);
            let known = schema.zip(walk.state.resources.get(&change.address)).map(|(schema, now)| {
                let want = now.applied(schema.table);
                let live = walk.live.get(&change.address).cloned().flatten();
                (now.id.clone(), live.unwrap_or_else(|| want.clone()), want)
            });
            (walk.provider, known)
        };
        let Some((id, live, want)) = known else { return Ok(()) };
        let address = change.address.to_string();
        let progress = |text: &str| self.progress(&change.address, text);
        let discreet = Discreet(|| self.walk.borrow().secrets());
        let job = Job {
            address: &address,
            token: "",
            id: &id,
            want: &want,
            live: &live,
            changed: &[],
            progress: &progress,
            watch: &discreet,
        };
        let serves = provider.settle(&change.provider, &change.address.type_name, &job).await;
        serves.map_err(|error| self.aws(change, error))
    }

    /// Reads what now is (unless `made` says), and writes it to the state.
    async fn store(
        &self,
        change: &Change,
        id: &str,
        want: &Object,
        made: Option<Object>,
    ) -> Result<(), Failure> {
        let provider = self.walk.borrow().provider;
        let Some(schema) = provider.resource(&change.address.type_name) else { return Ok(()) };
        let read = match made {
            Some(object) => Ok(object),
            None => self.look_until_seen(change, id, want).await,
        };
        let mut live = match read {
            Ok(live) => live,
            Err(error) => {
                self.record(&self.created(change, id.to_owned(), want))?;
                return Err(self.aws(change, error));
            }
        };
        let entry = {
            let walk = self.walk.borrow();
            let settings = walk.settings.get(&change.provider).cloned().unwrap_or_default();
            derive_tags(&mut live, schema.table, &settings, Some(want));
            Entry::Stored {
                address: change.address.clone(),
                resource: Box::new(Resource {
                    id: current_id(change, id, &live).to_owned(),
                    provider: change.provider.clone(),
                    applied: walk.state.stored(want, schema.table),
                    seen: walk.state.stored_seen(&live, want, schema.table),
                    depends_on: change.depends_on.clone(),
                    create_before_destroy: change.create_before_destroy,
                    tainted: false,
                    deposed: Vec::new(),
                }),
            }
        };
        self.record(&entry)?;
        let value = updated(schema, &live, want, &[]);
        let mut walk = self.walk.borrow_mut();
        walk.live.insert(change.address.clone(), Some(live));
        walk.accept_value(&change.address, value.into());
        Ok(())
    }
}
