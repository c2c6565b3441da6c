use super::probes::{Probed, Prober};
use super::{Event, Failure, RolledOut};
use crate::addr::{Address, Mode};
use crate::aws::AwsError;
use crate::clock::Clock;
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Node;
use crate::plan::schedule::{Schedule, Task, addresses, schedule};
use crate::plan::walk::{Moment, Walk};
use crate::plan::{Action, Change};
use crate::schema::Object;
use crate::state::journal::{self, Entry, fold};
use crate::state::{Output, StateError, seal};
use crate::value::to_json;
use futures::stream::{FuturesUnordered, StreamExt};
use petgraph::graph::NodeIndex;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    /// Intents of which could not be found out whether they were carried out: the next run looks.
    pub open: Vec<Entry>,
    /// What the probes were answered.
    pub probes: BTreeMap<String, Probed>,
    /// Rollouts that ended, well or not.
    pub rolled: Vec<RolledOut>,
    /// Someone asked to stop before all was done.
    pub interrupted: bool,
}

pub(super) struct Executor<'w, 'a> {
    pub(super) walk: RefCell<&'w mut Walk<'a>>,
    pub(super) changes: RefCell<Vec<Arc<Change>>>,
    journal: RefCell<&'w mut dyn Record>,
    pub(super) events: &'w dyn Fn(Event),
    pub(super) clock: Clock,
    pub(super) outcome: RefCell<Outcome>,
    pub(super) prober: &'w dyn Prober,
    pub(super) probed: RefCell<BTreeMap<String, Probed>>,
    /// What is live of those that were brought to a state between.
    pub(super) between: RefCell<BTreeMap<Address, Object>>,
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
    prober: &dyn Prober,
) -> Outcome {
    let plan = walk.plan();
    let schedule = schedule(walk.graph, &plan.changes);
    let serial = walk.state.serial;
    let executor = Executor {
        walk: RefCell::new(walk),
        changes: RefCell::new(plan.changes),
        journal: RefCell::new(journal),
        events,
        clock,
        outcome: RefCell::default(),
        prober,
        probed: RefCell::default(),
        between: RefCell::default(),
        intents: Cell::new(serial),
    };
    if executor.prepare() {
        tokio::select! {
            () = executor.run(&schedule, parallelism, stop) => {}
            () = executor.probe() => {}
        }
    }
    executor.record_outputs();
    let Executor { walk, outcome, probed, .. } = executor;
    let mut outcome = outcome.into_inner();
    outcome.probes = probed.into_inner();
    match walk.into_inner().check_again().await {
        Ok(found) => outcome.warnings.extend(found),
        Err(error) => outcome
            .warnings
            .push(Diagnostic::warning("failed-check", format!("the checks could not be looked at: {error}"))),
    }
    outcome
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
        for address in addresses(left, &self.changes.borrow()) {
            outcome.failures.push(Failure::Skipped { address: address.clone() });
        }
    }

    async fn task(&self, task: &Task) -> Result<(), Failure> {
        match task {
            Task::Settle(node) => self.settle(node),
            Task::Unused(_) => Ok(()),
            Task::Stage(i) => self.stage(&self.change(*i)).await,
            Task::Make(i) => {
                self.timed(&self.change(*i), false).await?;
                self.forget_planned(*i);
                Ok(())
            }
            Task::Remove(i) => self.timed(&self.change(*i), true).await,
        }
    }

    fn change(&self, i: usize) -> Arc<Change> {
        self.changes.borrow()[i].clone()
    }

    /// What a new resource was to be like takes room, and nobody asks for it any more: now it is.
    fn forget_planned(&self, i: usize) {
        let change = self.change(i);
        if change.action != Action::Create {
            return;
        }
        let (after, desired) = (Object::new(), Object::new());
        let done = Arc::new(Change { after, desired, ..(*change).clone() });
        self.walk.borrow_mut().changes.insert(done.address.clone(), done.clone());
        self.changes.borrow_mut()[i] = done;
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
            for change in self.changes.borrow().iter().filter(|c| c.importing.is_some()) {
                if let Some(resource) = walk.state.resources.get(&change.address) {
                    let (address, resource) = (change.address.clone(), Box::new(resource.clone()));
                    entries.push(Entry::Imported { address, resource });
                }
            }
        }
        let changes = self.changes.borrow();
        let forgets = changes.iter().filter(|c| c.action == Action::Forget);
        entries.extend(forgets.map(|c| Entry::Forgotten { address: c.address.clone() }));
        drop(changes);
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
                let changes = self.changes.borrow();
                let id = changes.iter().find(|c| c.address == *address).and_then(|c| c.id.clone());
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
        if matches!(node, Node::Variable(..) | Node::Local(..) | Node::Output(..) | Node::Steering(..)) {
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

    async fn stage(&self, change: &Change) -> Result<(), Failure> {
        let result = self.bring_between(change).await;
        if let Err(failure) = &result {
            self.tell_failure(change.address.clone(), change.action, failure);
        }
        result
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
            Err(failure) => self.tell_failure(address, action, failure),
        }
        result.map(drop)
    }

    fn tell_failure(&self, address: Address, action: Action, failure: &Failure) {
        let error = match failure {
            Failure::Aws { error, .. } => error.to_string(),
            Failure::Config(diags) => diags.iter().next().map(|d| d.summary.clone()).unwrap_or_default(),
            Failure::State(error) => error.to_string(),
            Failure::Skipped { .. } => String::new(),
        };
        (self.events)(Event::Failed { address, action, error });
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

    pub(super) fn conditions(&self, moment: Moment, change: &Change) -> Result<(), Failure> {
        let mut found = Diagnostics::default();
        self.walk.borrow().conditions_again(moment, &change.address, &mut found);
        if found.has_errors() { Err(Failure::Config(found)) } else { Ok(()) }
    }

    /// Desired values with everything known; a mistake if something still is not.
    pub(super) fn wanted(&self, change: &Change) -> Result<Object, Failure> {
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

    pub(super) fn record_outputs(&self) {
        let outputs = {
            let walk = self.walk.borrow();
            let mut outputs = BTreeMap::new();
            for (name, change) in walk.output_changes() {
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
    pub(super) fn intent(
        &self,
        change: &Change,
        action: journal::Action,
        want: &Object,
    ) -> Result<(String, Entry), Failure> {
        let number = self.intents.get() + 1;
        self.intents.set(number);
        let (token, want) = {
            let walk = self.walk.borrow();
            let text = format!("{}\0{}\0{number}\0{}", walk.state.lineage, walk.state.serial, change.address);
            let table = walk.provider.resource(&change.address.type_name).map(|s| s.table);
            let want = table.map(|t| walk.state.stored(want, t)).unwrap_or_default();
            (hex::encode(Sha256::digest(text.as_bytes()))[..32].to_owned(), want)
        };
        let intent = Entry::Intent {
            address: change.address.clone(),
            action,
            token: token.clone(),
            provider: change.provider.clone(),
            want,
        };
        self.record(&intent)?;
        Ok((token, intent))
    }

    pub(super) fn record(&self, entry: &Entry) -> Result<(), Failure> {
        self.journal.borrow_mut().record(entry).map_err(Failure::State)?;
        fold(&mut self.walk.borrow_mut().state, [entry.clone()]);
        Ok(())
    }

    pub(super) fn progress(&self, address: &Address, text: &str) {
        (self.events)(Event::Progress { address: address.clone(), text: text.to_owned() });
    }

    pub(super) fn aws(&self, change: &Change, error: AwsError) -> Failure {
        Failure::Aws { address: change.address.clone(), error }
    }
}
