use super::schedule::{Schedule, Task, schedule};
use super::{Event, Failure};
use crate::addr::{Address, Mode};
use crate::aws::{AwsError, Existing, Job};
use crate::clock::Clock;
use crate::diag::{Diagnostic, Diagnostics};
use crate::diff::{Sides, diff};
use crate::graph::Node;
use crate::plan::desired::{derive_tags, updated};
use crate::plan::walk::{Moment, Walk};
use crate::plan::{Action, Change, Reason};
use crate::provider::default_name;
use crate::schema::Object;
use crate::state::journal::{self, Entry, fold};
use crate::state::{Output, Resource, StateError, seal};
use crate::value::to_json;
use futures::stream::{FuturesUnordered, StreamExt};
use petgraph::graph::NodeIndex;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// Where entries go before anything else happens.
pub trait Record {
    fn record(&mut self, entry: &Entry) -> Result<(), StateError>;
}

impl Record for crate::state::file::JournalFile {
    fn record(&mut self, entry: &Entry) -> Result<(), StateError> {
        self.append(entry)
    }
}

/// How an apply ended.
#[derive(Debug, Default)]
pub struct Outcome {
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
    pub imported: usize,
    pub moved: usize,
    pub forgotten: usize,
    /// What `check` blocks say in the end.
    pub warnings: Diagnostics,
    pub failures: Vec<Failure>,
    /// Someone asked to stop before all was done.
    pub interrupted: bool,
}

pub(super) struct Executor<'w, 'a> {
    pub(super) walk: RefCell<&'w mut Walk<'a>>,
    changes: Vec<Change>,
    journal: RefCell<&'w mut dyn Record>,
    pub(super) events: &'w dyn Fn(Event),
    clock: Clock,
    outcome: RefCell<Outcome>,
    intents: Cell<u64>,
}

/// Applies the changes of a walk. `stop` is looked at before each new task.
pub async fn apply(
    walk: &mut Walk<'_>,
    journal: &mut dyn Record,
    events: &dyn Fn(Event),
    clock: Clock,
    parallelism: usize,
    stop: &Cell<bool>,
) -> Outcome {
    let plan = walk.plan();
    let schedule = schedule(walk.graph, &plan.changes);
    let serial = walk.state.serial;
    let executor = Executor {
        walk: RefCell::new(walk),
        changes: plan.changes,
        journal: RefCell::new(journal),
        events,
        clock,
        outcome: RefCell::default(),
        intents: Cell::new(serial),
    };
    if executor.prepare() {
        executor.run(&schedule, parallelism, stop).await;
    }
    executor.record_outputs();
    let Executor { walk, outcome, .. } = executor;
    let mut outcome = outcome.into_inner();
    match walk.into_inner().check_again().await {
        Ok(found) => outcome.warnings.extend(found),
        Err(error) => outcome
            .warnings
            .push(Diagnostic::warning("failed-check", format!("the checks could not be looked at: {error}"))),
    }
    outcome
}

/// An update may give a resource another id: a DNS record's type is part of its. Where what identifies a
/// resource is not its `id` attribute (a task definition's is the family), it stays.
fn current_id<'i>(change: &Change, id: &'i str, live: &'i Object) -> &'i str {
    let shown = change.before.as_ref().is_some_and(|before| before.id() == id);
    if change.action == Action::Update && shown && !live.id().is_empty() { live.id() } else { id }
}

impl Executor<'_, '_> {
    async fn run(&self, schedule: &Schedule, parallelism: usize, stop: &Cell<bool>) {
        let mut waiting: BTreeMap<NodeIndex, usize> = schedule
            .node_indices()
            .map(|n| (n, schedule.neighbors_directed(n, petgraph::Incoming).count()))
            .collect();
        let mut ready: BTreeSet<NodeIndex> =
            waiting.iter().filter(|(_, n)| **n == 0).map(|(i, _)| *i).collect();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < parallelism.max(1) && !stop.get() {
                let Some(index) = ready.pop_first() else { break };
                running.push(async move { (index, self.task(&schedule[index]).await) });
            }
            let Some((index, result)) = running.next().await else { break };
            waiting.remove(&index);
            match result {
                Ok(()) => {
                    for next in schedule.neighbors(index) {
                        let Some(left) = waiting.get_mut(&next) else { continue };
                        *left -= 1;
                        if *left == 0 {
                            ready.insert(next);
                        }
                    }
                }
                Err(failure) => self.outcome.borrow_mut().failures.push(failure),
            }
        }
        let mut outcome = self.outcome.borrow_mut();
        outcome.interrupted = stop.get() && !waiting.is_empty();
        let left = waiting.keys().map(|i| &schedule[*i]);
        for address in super::schedule::addresses(left, &self.changes) {
            outcome.failures.push(Failure::Skipped { address: address.clone() });
        }
    }

    async fn task(&self, task: &Task) -> Result<(), Failure> {
        match task {
            Task::Settle(node) => self.settle(node),
            Task::Make(i) => self.timed(&self.changes[*i], false).await,
            Task::Remove(i) => self.timed(&self.changes[*i], true).await,
        }
    }

    /// What only concerns the state: each in the journal before any call is made. False: it cannot be
    /// written.
    fn prepare(&self) -> bool {
        let mut entries = Vec::new();
        {
            let mut walk = self.walk.borrow_mut();
            entries.extend(
                std::mem::take(&mut walk.moved).into_iter().map(|(from, to)| Entry::Moved { from, to }),
            );
            for change in self.changes.iter().filter(|c| c.importing.is_some()) {
                if let Some(resource) = walk.state.resources.get(&change.address) {
                    let (address, resource) = (change.address.clone(), Box::new(resource.clone()));
                    entries.push(Entry::Imported { address, resource });
                }
            }
        }
        let forgets = self.changes.iter().filter(|c| c.action == Action::Forget);
        entries.extend(forgets.map(|c| Entry::Forgotten { address: c.address.clone() }));
        for entry in entries {
            if let Err(failure) = self.record(&entry) {
                self.outcome.borrow_mut().failures.push(failure);
                return false;
            }
            self.count_preparation(&entry);
        }
        true
    }

    fn count_preparation(&self, entry: &Entry) {
        let done = |address: &Address, action, id: String| {
            (self.events)(Event::Done { address: address.clone(), action, id, seconds: 0 })
        };
        let mut outcome = self.outcome.borrow_mut();
        match entry {
            Entry::Moved { .. } => outcome.moved += 1,
            Entry::Imported { address, resource } => {
                outcome.imported += 1;
                done(address, Action::Import, resource.id.clone());
            }
            Entry::Forgotten { address } => {
                outcome.forgotten += 1;
                let id = self.changes.iter().find(|c| c.address == *address).and_then(|c| c.id.clone());
                done(address, Action::Forget, id.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn settle(&self, node: &Node) -> Result<(), Failure> {
        if let Node::Resource(id, key) = node {
            let walk = self.walk.borrow();
            let mut found = Diagnostics::default();
            for address in walk.untouched_with_conditions(*id, key) {
                walk.conditions_again(Moment::Before, &address, &mut found);
                walk.conditions_again(Moment::After, &address, &mut found);
            }
            if found.has_errors() {
                return Err(Failure::Config(found));
            }
        }
        if matches!(node, Node::Variable(..) | Node::Local(..) | Node::Output(..)) {
            let mut walk = self.walk.borrow_mut();
            let before = std::mem::take(&mut walk.diags);
            walk.evaluate_again(node);
            let found = std::mem::replace(&mut walk.diags, before);
            if found.has_errors() {
                return Err(Failure::Config(found));
            }
        }
        Ok(())
    }

    async fn timed(&self, change: &Change, removing: bool) -> Result<(), Failure> {
        let action = if removing { Action::Delete } else { change.action };
        let address = change.address.clone();
        let begun = self.clock.now();
        (self.events)(Event::Started { address: address.clone(), action });
        let result = if removing { self.remove(change).await } else { self.make(change).await };
        let seconds = self.clock.now().duration_since(begun).as_secs().unsigned_abs();
        match &result {
            Ok(id) => (self.events)(Event::Done { address, action, id: id.clone(), seconds }),
            Err(failure) => {
                let error = match failure {
                    Failure::Aws { error, .. } => error.to_string(),
                    Failure::Config(diags) => {
                        diags.iter().next().map(|d| d.summary.clone()).unwrap_or_default()
                    }
                    Failure::State(error) => error.to_string(),
                    Failure::Skipped { .. } => String::new(),
                };
                (self.events)(Event::Failed { address, action, error });
            }
        }
        result.map(drop)
    }

    /// Creates, updates or reads; returns the id.
    async fn make(&self, change: &Change) -> Result<String, Failure> {
        self.conditions(Moment::Before, change)?;
        let want = self.wanted(change)?;
        let id = match change.action {
            _ if change.address.mode == Mode::Data => self.read_data(change, &want).await,
            Action::Update => self.update(change, want).await,
            _ => self.create(change, want).await,
        }?;
        self.conditions(Moment::After, change)?;
        Ok(id)
    }

    fn conditions(&self, moment: Moment, change: &Change) -> Result<(), Failure> {
        let mut found = Diagnostics::default();
        self.walk.borrow().conditions_again(moment, &change.address, &mut found);
        if found.has_errors() { Err(Failure::Config(found)) } else { Ok(()) }
    }

    /// Desired values with everything known; a mistake if something still is not.
    fn wanted(&self, change: &Change) -> Result<Object, Failure> {
        let mut diags = Diagnostics::default();
        let walk = self.walk.borrow();
        let wanted = walk.desired_again(&change.address, &mut diags);
        let Some((mut wanted, _)) = wanted else {
            return Ok(change.desired.clone());
        };
        if let Some(table) = walk.provider.resource(&change.address.type_name).map(|s| s.table) {
            wanted = wanted.complete(table);
        }
        let unknown = wanted.0.iter().find(|(_, v)| !v.is_wholly_known());
        if let (Some((name, _)), false) = (unknown, diags.has_errors()) {
            diags.push(
                Diagnostic::error(
                    "still-unknown",
                    format!(
                        "`{name}` of {} is not known although everything it needs was applied",
                        change.address
                    ),
                )
                .address(&change.address)
                .help("run `cutover apply` again; if it stays, this is a defect of Cutover"),
            );
        }
        if diags.has_errors() { Err(Failure::Config(diags)) } else { Ok(wanted) }
    }

    async fn read_data(&self, change: &Change, want: &Object) -> Result<String, Failure> {
        let provider = self.walk.borrow().provider;
        let answer = provider.read_data(&change.provider, &change.address.type_name, want).await;
        let object = answer.map_err(|e| self.aws(change, e))?;
        let key = crate::config::DeclKey {
            mode: Mode::Data,
            type_name: change.address.type_name.clone(),
            name: change.address.name.clone(),
        };
        let id = object.id().to_owned();
        let value = crate::plan::walk::data_value(provider, &key, object);
        self.walk.borrow_mut().accept_value(&change.address, value);
        Ok(id)
    }

    async fn create(&self, change: &Change, want: Object) -> Result<String, Failure> {
        let token = self.intent(change, journal::Action::Create, &want)?;
        let address = change.address.to_string();
        let nothing = Object::new();
        let progress = |text: &str| self.progress(&change.address, text);
        let job = Job {
            address: &address,
            token: &token,
            id: "",
            want: &want,
            live: &nothing,
            changed: &[],
            progress: &progress,
        };
        let provider = self.walk.borrow().provider;
        let type_name = &*change.address.type_name;
        let made = match provider.create(&change.provider, type_name, &job).await {
            Ok(made) => made,
            Err(error) => {
                // Half made is made: look for it, so that it is not lost.
                match provider.find(&change.provider, type_name, &job).await {
                    Ok(Some(id)) => self.record(&self.created(change, id, &want))?,
                    _ => self.record(&Entry::Failed {
                        address: change.address.clone(),
                        token,
                        error: error.to_string(),
                    })?,
                }
                return Err(self.aws(change, error));
            }
        };
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

    fn created(&self, change: &Change, id: String, want: &Object) -> Entry {
        let walk = self.walk.borrow();
        let table = walk.provider.resource(&change.address.type_name).map(|s| s.table);
        let applied = table.map(|t| walk.state.stored(want, t)).unwrap_or_default();
        Entry::Created { address: change.address.clone(), provider: change.provider.clone(), id, applied }
    }

    async fn update(&self, change: &Change, want: Object) -> Result<String, Failure> {
        let id = change.id.clone().unwrap_or_default();
        let live = change.before.clone().unwrap_or_default();
        let names: Vec<String> = {
            let walk = self.walk.borrow();
            let Some(schema) = walk.provider.resource(&change.address.type_name) else { return Ok(id) };
            let old = walk.state.resources.get(&change.address);
            let applied = old.filter(|_| change.importing.is_none()).map(|o| o.applied(schema.table));
            let sides = Sides {
                desired: &want,
                applied: applied.as_ref(),
                seen: None,
                live: &live,
                salt: &walk.state.salt,
            };
            diff(schema.table, &sides).into_iter().map(|a| a.name).collect()
        };
        let mut made = None;
        if !names.is_empty() {
            let token = self.intent(change, journal::Action::Update, &want)?;
            let address = change.address.to_string();
            let progress = |text: &str| self.progress(&change.address, text);
            let job = Job {
                address: &address,
                token: &token,
                id: &id,
                want: &want,
                live: &live,
                changed: &names,
                progress: &progress,
            };
            match self.send_update(change, &job, &live, &want, &names).await {
                Ok(object) => made = object,
                Err(error) => {
                    self.record(&Entry::Failed {
                        address: change.address.clone(),
                        token: token.clone(),
                        error: error.to_string(),
                    })?;
                    return Err(self.aws(change, error));
                }
            }
            self.outcome.borrow_mut().updated += 1;
        } else if !self.is_asked(change) {
            made = Some(live);
        }
        self.store(change, &id, &want, made).await?;
        Ok(id)
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
        let steps = provider.rollout(type_name, live, want, names);
        if steps.is_empty() {
            return provider.update(&change.provider, type_name, job).await;
        }
        let of = steps.len();
        let mut carried: Option<String> = None;
        for (i, step) in steps.iter().enumerate() {
            let (address, number) = (change.address.clone(), i + 1);
            let begun = self.clock.now();
            (self.events)(Event::StepStarted {
                address: address.clone(),
                number,
                of,
                text: step.text.clone(),
            });
            carried =
                provider.run_step(&change.provider, type_name, job, &step.name, carried.as_deref()).await?;
            let entry = Entry::Step {
                address: address.clone(),
                token: job.token.to_owned(),
                step: step.name.clone(),
                carried: carried.clone(),
            };
            self.record(&entry)
                .map_err(|_| AwsError::failed("journal", "Internal", "the journal cannot be written"))?;
            let seconds = self.clock.now().duration_since(begun).as_secs().unsigned_abs();
            (self.events)(Event::StepDone { address, number, of, seconds });
        }
        Ok(None)
    }

    async fn remove(&self, change: &Change) -> Result<String, Failure> {
        let id = change.id.clone().unwrap_or_default();
        self.provision_destroyed(change).await?;
        let token = self.intent(change, journal::Action::Delete, &change.desired)?;
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
        };
        if let Err(error) = provider.delete(&change.provider, &change.address.type_name, &job).await {
            self.record(&Entry::Failed { address: change.address.clone(), token, error: error.to_string() })?;
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
        let mut known = want.clone();
        known.put("id", Some(id.into()));
        let items = [Existing { id, known: &known }];
        let read = match made {
            Some(object) => Ok(vec![Some(object)]),
            None => provider.read(&change.provider, &change.address.type_name, &items).await,
        };
        let live = match read {
            Ok(mut objects) => objects.pop().flatten(),
            Err(error) => {
                self.record(&self.created(change, id.to_owned(), want))?;
                return Err(self.aws(change, error));
            }
        };
        let Some(mut live) = live else {
            self.record(&self.created(change, id.to_owned(), want))?;
            let message = format!("{id} was made, but AWS does not show it; run apply again");
            return Err(self.aws(change, AwsError::failed("read", "NotVisible", message)));
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
                    seen: walk.state.stored(&live, schema.table),
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

    fn record_outputs(&self) {
        let outputs = {
            let walk = self.walk.borrow();
            let mut outputs = BTreeMap::new();
            for (name, change) in walk.plan().outputs {
                let value =
                    if change.sensitive { seal(&change.after, &walk.state.salt) } else { change.after };
                let Some(json) = to_json(&value).filter(|j| !j.is_null()) else { continue };
                outputs.insert(name, Output { value: json, sensitive: change.sensitive });
            }
            outputs
        };
        for entry in [Entry::Outputs { outputs }, Entry::End] {
            if let Err(failure) = self.record(&entry) {
                self.outcome.borrow_mut().failures.push(failure);
            }
        }
    }

    /// Writes the intent and returns its token: unique, and the same for the same intent.
    fn intent(&self, change: &Change, action: journal::Action, want: &Object) -> Result<String, Failure> {
        let number = self.intents.get() + 1;
        self.intents.set(number);
        let (token, want) = {
            let walk = self.walk.borrow();
            let text = format!("{}\0{}\0{number}\0{}", walk.state.lineage, walk.state.serial, change.address);
            let table = walk.provider.resource(&change.address.type_name).map(|s| s.table);
            let want = table.map(|t| walk.state.stored(want, t)).unwrap_or_default();
            (hex::encode(Sha256::digest(text.as_bytes()))[..32].to_owned(), want)
        };
        self.record(&Entry::Intent {
            address: change.address.clone(),
            action,
            token: token.clone(),
            provider: change.provider.clone(),
            want,
        })?;
        Ok(token)
    }

    pub(super) fn record(&self, entry: &Entry) -> Result<(), Failure> {
        self.journal.borrow_mut().record(entry).map_err(Failure::State)?;
        fold(&mut self.walk.borrow_mut().state, [entry.clone()]);
        Ok(())
    }

    fn progress(&self, address: &Address, text: &str) {
        (self.events)(Event::Progress { address: address.clone(), text: text.to_owned() });
    }

    pub(super) fn aws(&self, change: &Change, error: AwsError) -> Failure {
        Failure::Aws { address: change.address.clone(), error }
    }
}
