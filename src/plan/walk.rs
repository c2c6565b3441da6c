//! Walks the graph in order, evaluating everything once, and finds what has to change.

mod another_vpc;
mod checks;
mod conditions;
mod data;
mod imports;
mod linting;
mod modules;
mod moves;
pub mod options;
mod providers;
mod provisioners;
mod removal;
mod resources;
mod secrets;
mod steering;
mod triggers;
mod types;

pub use conditions::{Conditioned, Moment};
pub use data::data_value;
pub use imports::Found;
pub use moves::moves_between;
pub use provisioners::LocalCommand;

use self::options::Options;
use super::values::{Expansion, ModuleScope, Place, Repeated, Values};
use super::{Change, CheckResult, OutputChange, Plan};
use crate::addr::{Address, Mode, ModulePath};
use crate::aws::{AwsError, Existing};
use crate::config::DeclKey;
use crate::config::variables::VariableValue;
use crate::diag::Diagnostics;
use crate::graph::{Graph, ModuleId, Node};
use crate::lang::eval::Kept;
use crate::provider::{Provider, ProviderSettings};
use crate::schema::Object;
use crate::state::journal::Unfinished;
use crate::state::{State, object};
use crate::value::to_json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only look for mistakes: no state, no AWS; what is not known is unknown.
    Validate,
    Plan,
    /// Everything in state goes.
    Destroy,
    /// Only read what is in state.
    Refresh,
}

#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// AWS did not answer, or badly; with the address or type asked for.
    #[error("{what}: {error}")]
    Aws { what: String, error: AwsError },
    /// A resource in state has a type that this Cutover does not know.
    #[error("{address} is in the state, but this Cutover does not know its type")]
    UnknownType { address: Address },
}

/// Address, id, and what was seen last.
type Known = (Address, String, Object);

/// A walk in progress, and after it all that it found.
pub struct Walk<'a> {
    pub graph: &'a Graph,
    pub provider: &'a dyn Provider,
    pub place: Place,
    pub purpose: Purpose,
    pub state: State,
    pub values: Values,
    pub diags: Diagnostics,
    pub changes: BTreeMap<Address, Arc<Change>>,
    /// Deletions of what replaced resources left behind.
    pub deposed: Vec<Arc<Change>>,
    pub live: BTreeMap<Address, Option<Object>>,
    pub settings: BTreeMap<String, ProviderSettings>,
    /// From → to, as the journal shall have it.
    pub moved: Vec<(Address, Address)>,
    /// To → from.
    came_from: BTreeMap<Address, Address>,
    /// By which id.
    pub imported: BTreeMap<Address, String>,
    pub checks: BTreeMap<String, CheckResult>,
    /// What `rollout`, `probe` and `guard` blocks come to, by kind and name.
    steering: BTreeMap<Arc<str>, Object>,
    /// Imports of what nothing declares are looked up, so that it can be written.
    pub generate: bool,
    pub found: Vec<Found>,
    /// Types of what a killed run left, and of what is imported without being declared.
    awaited: Vec<Arc<str>>,
    /// Nodes with errors, and what needs them.
    broken: BTreeSet<Node>,
    /// Everything was applied: nothing is pending any more.
    settled: bool,
    pub options: Options,
    /// Declarations whose changes were not asked for.
    left_out: BTreeSet<String>,
    given: BTreeMap<Arc<str>, VariableValue>,
    create_before_destroy: BTreeSet<Node>,
    late_providers: BTreeSet<String>,
    /// Data sources that need no cloud are read even when validating.
    pub reads_own_data: bool,
    /// Tells what could do harm in another run, too.
    pub thorough: bool,
    /// Evaluates every block once and takes nothing for known: what is wrong then is wrong whatever the values,
    /// also in a block without instances, as Terraform's own validation has it.
    blank: bool,
    missing_types: BTreeMap<(Mode, Arc<str>), types::Missing>,
    /// Default region and endpoint for provider blocks that name none.
    pub defaults: ProviderSettings,
    /// What locals take.
    kept: Kept,
    /// Instances as `count` and `for_each` come out while applying.
    again: RefCell<BTreeMap<(ModuleId, ModulePath), Repetitions>>,
}

type Repetitions = BTreeMap<DeclKey, Rc<Expansion<Repeated>>>;

impl<'a> Walk<'a> {
    pub fn new(
        graph: &'a Graph,
        provider: &'a dyn Provider,
        place: Place,
        purpose: Purpose,
        state: State,
        given: BTreeMap<Arc<str>, VariableValue>,
    ) -> Self {
        let mut walk = Walk {
            graph,
            provider,
            place,
            purpose,
            state,
            values: Values::default(),
            diags: Diagnostics::default(),
            changes: BTreeMap::new(),
            deposed: Vec::new(),
            live: BTreeMap::new(),
            settings: BTreeMap::new(),
            moved: Vec::new(),
            came_from: BTreeMap::new(),
            imported: BTreeMap::new(),
            checks: BTreeMap::new(),
            steering: BTreeMap::new(),
            generate: false,
            found: Vec::new(),
            awaited: Vec::new(),
            broken: BTreeSet::new(),
            settled: false,
            options: Options::default(),
            left_out: BTreeSet::new(),
            given,
            create_before_destroy: BTreeSet::new(),
            late_providers: BTreeSet::new(),
            reads_own_data: false,
            thorough: false,
            blank: false,
            missing_types: BTreeMap::new(),
            defaults: ProviderSettings::default(),
            kept: Kept::default(),
            again: RefCell::default(),
        };
        walk.values.module_mut(0, &ModulePath::root());
        walk.create_before_destroy = walk.find_create_before_destroy();
        walk
    }

    /// Looks only for what is wrong whatever the values.
    pub fn without_values(mut self) -> Self {
        self.blank = true;
        self.values.blank = true;
        self
    }

    /// Evaluates everything; `unfinished` is what a killed run left. On return, errors are in `diags`.
    pub async fn run(&mut self, unfinished: &[Unfinished]) -> Result<(), WalkError> {
        if matches!(self.purpose, Purpose::Validate | Purpose::Plan) && !self.blank {
            self.check_moves();
            self.check_import_targets();
        }
        let imports = self.graph.modules[0].module.imports.iter().filter_map(|i| i.to.resource.as_ref());
        self.awaited = imports.map(|(key, _)| key.type_name.clone()).collect();
        self.awaited.extend(unfinished.iter().map(|u| u.address.type_name.clone()));
        let early = self.before_providers();
        for node in &early {
            if self.is_cut_off(node) {
                continue;
            }
            let errors = self.diags.error_count();
            self.diags.extend(self.graph.mistakes.get(node).cloned().unwrap_or_default());
            self.visit(node).await?;
            if self.diags.error_count() > errors {
                self.broken.insert(node.clone());
            }
        }
        if self.diags.has_errors() && self.purpose != Purpose::Validate {
            return Ok(());
        }
        if self.purpose != Purpose::Validate {
            self.configure_defaults().await?;
            self.recover(unfinished).await?;
            if self.purpose != Purpose::Refresh {
                self.apply_moves();
            }
            self.late_providers = self.providers_after(&early);
            self.refresh(None).await?;
        }
        if self.purpose == Purpose::Refresh {
            self.derive_all_tags();
            return Ok(());
        }
        let early: BTreeSet<Node> = early.into_iter().collect();
        for level in &self.graph.levels {
            self.visit_level(level.iter().filter(|n| !early.contains(*n)).cloned().collect()).await?;
        }
        if !self.blank {
            self.report_unknown_types();
        }
        if self.purpose != Purpose::Validate {
            if self.generate {
                self.find_undeclared().await?;
            }
            self.check_imported_instances();
            self.check_moved_instances();
            self.orphans();
            self.narrow();
            if self.purpose == Purpose::Plan {
                self.stage();
                self.lint().await;
            }
            self.warn_of_forgotten();
        }
        Ok(())
    }

    /// Keys of provider blocks that wait for resources or data sources.
    fn providers_after(&self, early: &[Node]) -> BTreeSet<String> {
        let late = self.graph.nodes().filter(|n| !early.contains(n));
        let key = |node: &Node| match node {
            Node::Provider(id, name) => Some(providers::provider_key(*id, name)),
            _ => None,
        };
        late.filter_map(key).collect()
    }

    /// Provider blocks and what they need, in order, as far as that needs no resources.
    fn before_providers(&self) -> Vec<Node> {
        let mut early = BTreeSet::new();
        for node in self.graph.nodes().filter(|n| matches!(n, Node::Provider(..))) {
            let needed = self.graph.needs_all(node);
            if !needed.iter().any(|n| matches!(n, Node::Resource(..))) {
                early.extend(needed.into_iter().cloned());
                early.insert(node.clone());
            }
        }
        self.graph.nodes().filter(|n| early.contains(*n)).cloned().collect()
    }

    async fn visit_level(&mut self, nodes: Vec<Node>) -> Result<(), WalkError> {
        let mut reads = Vec::new();
        for node in nodes {
            if self.is_cut_off(&node) {
                continue;
            }
            let errors = self.diags.error_count();
            self.diags.extend(self.graph.mistakes.get(&node).cloned().unwrap_or_default());
            match &node {
                Node::Resource(id, key) if key.mode == Mode::Data => {
                    reads.extend(self.plan_data(*id, key));
                }
                _ => self.visit(&node).await?,
            }
            if self.diags.error_count() > errors {
                self.broken.insert(node);
            }
        }
        self.read_data(reads).await
    }

    /// Whether something that a node needs went wrong: then nothing can be said about it. (When validating with
    /// values, everything is looked at.)
    fn is_cut_off(&mut self, node: &Node) -> bool {
        if self.purpose == Purpose::Validate && !self.blank || self.broken.is_empty() {
            return false;
        }
        if !self.graph.needs(node).any(|n| self.broken.contains(n)) {
            return false;
        }
        if let Node::Resource(id, key) = node {
            self.forget_values(*id, key);
        }
        self.broken.insert(node.clone());
        true
    }

    /// Evaluates one node for all instances of its module.
    pub async fn visit(&mut self, node: &Node) -> Result<(), WalkError> {
        match node {
            Node::Call(child) => self.expand_call(*child),
            Node::Variable(id, name) => self.variable(*id, name),
            Node::Local(id, name) => self.local(*id, name),
            Node::Output(id, name) => self.output(*id, name),
            Node::Provider(id, name) => {
                self.provider_block(*id, name).await?;
                let key = providers::provider_key(*id, name);
                if self.late_providers.contains(&key) && !self.diags.has_errors() {
                    return self.refresh(Some(&key)).await;
                }
            }
            Node::Check(id, name) => self.check(*id, name),
            Node::Steering(id, name) if !self.blank => self.steer(*id, name),
            Node::Steering(..) => {}
            Node::Resource(id, key) if key.mode == Mode::Managed => {
                let errors = self.diags.error_count();
                if self.purpose == Purpose::Plan {
                    self.import_into(*id, key).await?;
                }
                match self.diags.error_count() > errors {
                    true => self.forget_values(*id, key),
                    false => self.plan_resource(*id, key),
                }
            }
            Node::Resource(id, key) => {
                let reads = self.plan_data(*id, key);
                return self.read_data(reads).await;
            }
        }
        Ok(())
    }

    /// Evaluates a variable, local or output with what is known by now (while applying).
    pub fn evaluate_again(&mut self, node: &Node) {
        match node {
            Node::Variable(id, name) => self.variable(*id, name),
            Node::Local(id, name) => self.local(*id, name),
            Node::Output(id, name) => self.output(*id, name),
            Node::Steering(id, name) => self.steer(*id, name),
            Node::Call(_) | Node::Provider(..) | Node::Resource(..) | Node::Check(..) => {}
        }
    }

    fn scope<'s>(&'s self, module: ModuleId, path: &'s ModulePath, repeated: Repeated) -> ModuleScope<'s> {
        ModuleScope {
            graph: self.graph,
            values: &self.values,
            place: &self.place,
            module,
            path,
            repeated,
            this: None,
        }
    }

    /// The names of the root module; `path` is the root's.
    pub fn root_scope<'s>(&'s self, path: &'s ModulePath) -> ModuleScope<'s> {
        self.scope(0, path, Repeated::default())
    }

    /// Creations that a killed run began: looks for what they made and takes it into the state.
    async fn recover(&mut self, unfinished: &[Unfinished]) -> Result<(), WalkError> {
        use crate::state::journal::{Action, Entry, fold};
        for item in unfinished.iter().filter(|u| u.action == Action::Create) {
            let type_name = &*item.address.type_name;
            let Some(schema) = self.provider.resource(type_name) else { continue };
            let want = object(&item.want, schema.table);
            let address = item.address.to_string();
            let nothing = Object::new();
            let job = crate::aws::Job {
                address: &address,
                token: &item.token,
                id: "",
                want: &want,
                live: &nothing,
                changed: &[],
                progress: &|_| {},
                watch: &crate::aws::Unwatched,
            };
            let found = self.provider.find(&item.provider, type_name, &job).await;
            let found = found.map_err(|error| WalkError::Aws { what: address.clone(), error })?;
            if let Some(id) = found {
                let entry = Entry::Created {
                    address: item.address.clone(),
                    provider: item.provider.clone(),
                    id,
                    applied: item.want.clone(),
                };
                fold(&mut self.state, [entry]);
            }
        }
        Ok(())
    }

    /// Reads everything in state, one batch a provider and type; what belongs to `late`, when it is
    /// configured at last, or else everything that belongs to no such provider.
    async fn refresh(&mut self, late: Option<&str>) -> Result<(), WalkError> {
        let mut batches: BTreeMap<(String, Arc<str>), Vec<Known>> = BTreeMap::new();
        let mut locked = Vec::new();
        for (address, resource) in &self.state.resources {
            let Some(schema) = self.provider.resource(&address.type_name) else {
                return Err(WalkError::UnknownType { address: address.clone() });
            };
            let wanted = match late {
                Some(late) => resource.provider == late,
                None => !self.late_providers.contains(&resource.provider),
            };
            if !wanted {
                continue;
            }
            let batch = batches.entry((resource.provider.clone(), address.type_name.clone())).or_default();
            let mut known = resource.seen(schema.table);
            if let (Err(problem), Purpose::Plan) = (self.state.open(&mut known, schema.table), self.purpose) {
                locked.push(super::keys::cannot_open(address, problem));
            }
            if !known.has("id") {
                known.put("id", Some(resource.id.as_str().into()));
            }
            if !self.options.refresh {
                self.live.insert(address.clone(), Some(known));
                continue;
            }
            batch.push((address.clone(), resource.id.clone(), known));
        }
        batches.retain(|_, batch| !batch.is_empty());
        self.diags.extend(locked);
        let provider = self.provider;
        let reads = batches.iter().map(async |((name, type_name), batch)| {
            let items: Vec<Existing<'_>> =
                batch.iter().map(|(_, id, known)| Existing { id, known }).collect();
            let answer = provider.read(name, type_name, &items).await;
            answer.map_err(|error| WalkError::Aws { what: format!("reading {type_name}"), error })
        });
        let answers = futures::future::try_join_all(reads).await?;
        for (batch, objects) in batches.values().zip(answers) {
            for ((address, _, _), object) in batch.iter().zip(objects) {
                self.live.insert(address.clone(), object);
            }
        }
        Ok(())
    }

    fn derive_all_tags(&mut self) {
        for (address, live) in &mut self.live {
            let (Some(live), Some(schema)) = (live, self.provider.resource(&address.type_name)) else {
                continue;
            };
            let provider = self.state.resources.get(address).map(|r| r.provider.as_str()).unwrap_or_default();
            let settings = self.settings.get(provider).cloned().unwrap_or_default();
            super::desired::derive_tags(live, schema.table, &settings, None);
        }
    }

    /// The plan that this walk came to.
    pub fn plan(&self) -> Plan {
        let mut changes: Vec<Arc<Change>> = self.changes.values().cloned().collect();
        changes.extend(self.deposed.iter().cloned());
        let checks = self.checks.clone();
        Plan { changes, outputs: self.output_changes(), checks, serial: self.state.serial }
    }

    /// Outputs as they will be, beside those of the state.
    pub fn output_changes(&self) -> BTreeMap<String, OutputChange> {
        let root = self.values.module(0, &ModulePath::root());
        let declared = &self.graph.modules[0].module.outputs;
        let mut out = BTreeMap::new();
        if self.purpose == Purpose::Destroy && self.options.targets.is_empty() {
            return out;
        }
        for (name, value) in root.into_iter().flat_map(|m| m.outputs.iter()) {
            let sensitive = declared.get(name).is_some_and(|o| o.sensitive);
            let before = self.state.outputs.get(&**name).map(|o| o.value.clone());
            if self.purpose == Purpose::Destroy || self.is_left_out(name) {
                let Some(before) = before else { continue };
                let after = crate::value::from_json(&before);
                let before = Some(before);
                let kept = OutputChange { before, after, sensitive, changed: false, removed: false };
                out.insert(name.to_string(), kept);
                continue;
            }
            let after = if sensitive { crate::state::seal(value, &self.state.salt) } else { value.clone() };
            // A null output is not recorded, and an unknown one is going to be something else.
            let changed = match (&before, to_json(&after)) {
                (None, Some(json)) => !json.is_null(),
                (before, json) => json.is_none() || *before != json,
            };
            let change = OutputChange { before, after: value.clone(), sensitive, changed, removed: false };
            out.insert(name.to_string(), change);
        }
        for (name, old) in &self.state.outputs {
            out.entry(name.clone()).or_insert_with(|| OutputChange {
                before: Some(old.value.clone()),
                after: crate::value::Value::null(crate::value::Type::Dynamic),
                sensitive: old.sensitive,
                changed: true,
                removed: true,
            });
        }
        out
    }

    /// Whether an output needs something that was not asked for.
    fn is_left_out(&self, output: &Arc<str>) -> bool {
        let node = Node::Output(0, output.clone());
        !self.left_out.is_empty()
            && self.graph.resources_needed_all(&node).any(|n| self.left_out.contains(&self.graph.describe(n)))
    }

    /// Resources that are created before they are destroyed: those that say so, and all that they need.
    fn find_create_before_destroy(&self) -> BTreeSet<Node> {
        let asks = |node: &&Node| match node {
            Node::Resource(id, key) => {
                self.graph.modules[*id].module.resources[key].lifecycle.create_before_destroy
            }
            _ => false,
        };
        let modules = self.graph.modules.iter();
        let mut resources = modules.flat_map(|m| m.module.resources.values());
        if !resources.any(|r| r.lifecycle.create_before_destroy) {
            return BTreeSet::new();
        }
        let mut todo: Vec<&Node> = self.graph.nodes().filter(asks).collect();
        let mut seen: BTreeSet<&Node> = BTreeSet::new();
        while let Some(node) = todo.pop() {
            if seen.insert(node) {
                todo.extend(self.graph.needs(node));
            }
        }
        seen.into_iter().filter(|n| super::values::is_managed(n)).cloned().collect()
    }
}
