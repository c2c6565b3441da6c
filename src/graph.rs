//! The dependency graph of a configuration: what must be known before what.
//!
//! Nodes are declarations, not instances: count and for_each expand while walking, and every instance
//! of a declaration waits for all instances of what it refers to, as in Terraform.

mod calls;
mod references;

pub use references::{
    count_outside, each_outside, missing_key, no_member, reference_key, self_outside, superfluous_key,
};

use crate::addr::{InstanceKey, Mode, ModulePath};
use crate::config::body::body_references;
use crate::config::providers::{is_proxy, passed};
use crate::config::{Config, DeclKey, Module, ModuleNode, SteeringKind};
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::eval::references;
use crate::lang::syntax::{Expr, Traversal};
use crate::provider::Provider;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Index of a module of the tree (before expansion); 0 is the root.
pub type ModuleId = usize;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Evaluates count or for_each of a module block: the module's instances.
    Call(ModuleId),
    Provider(ModuleId, Arc<str>),
    Variable(ModuleId, Arc<str>),
    Local(ModuleId, Arc<str>),
    Output(ModuleId, Arc<str>),
    Resource(ModuleId, DeclKey),
    Check(ModuleId, Arc<str>),
    /// A `rollout`, `probe` or `guard` block, as `rollout.web`.
    Steering(ModuleId, Arc<str>),
}

impl Node {
    /// Where its kind stands among the kinds.
    fn kind(&self) -> usize {
        match self {
            Node::Call(..) => 0,
            Node::Provider(..) => 1,
            Node::Variable(..) => 2,
            Node::Local(..) => 3,
            Node::Output(..) => 4,
            Node::Resource(..) => 5,
            Node::Check(..) => 6,
            Node::Steering(..) => 7,
        }
    }

    pub fn module(&self) -> ModuleId {
        match self {
            Node::Call(m) | Node::Provider(m, _) | Node::Variable(m, _) | Node::Local(m, _) => *m,
            Node::Output(m, _) | Node::Check(m, _) | Node::Steering(m, _) => *m,
            Node::Resource(m, _) => *m,
        }
    }
}

/// A module with its place in the tree.
pub struct ModuleEntry {
    pub module: Arc<Module>,
    pub parent: Option<ModuleId>,
    /// Name of the call in the parent; empty for the root.
    pub name: Arc<str>,
    pub children: BTreeMap<Arc<str>, ModuleId>,
    /// `path.module`: relative to the root directory.
    pub dir: PathBuf,
}

pub struct Graph {
    pub modules: Vec<ModuleEntry>,
    /// Knows what attributes there are.
    provider: Rc<dyn Provider>,
    /// References to nothing, by who makes them.
    pub mistakes: BTreeMap<Node, Diagnostics>,
    /// Whether everything can be looked at: module blocks give what their modules take, and nothing needs itself.
    pub sound: bool,
    /// Whether a reference leads into a resource where there is nothing.
    misled: bool,
    /// Edges point from what is needed to what needs it.
    dag: DiGraph<Node, ()>,
    /// Of all nodes but resources. Only to look up: among many names an ordered map compares often, each far away
    /// in memory.
    index: HashMap<Node, NodeIndex>,
    /// Where the nodes of each module's resources begin; they stand in the order that the module has them in.
    first_resource: Vec<usize>,
    /// What needs something, and what it needs, while the graph is built: to look for an edge in the graph takes as
    /// long as a node has edges.
    edges: BTreeSet<(NodeIndex, NodeIndex)>,
    /// How many names may still be compared with mistyped ones: a file with nothing but mistakes ends, too.
    comparisons: Cell<usize>,
    /// Nodes by level: everything a node needs is in earlier levels.
    pub levels: Vec<Vec<Node>>,
}

const COMPARISONS: usize = 5_000_000;

impl Graph {
    /// Reports cycles and what module blocks lack; if there is none of that, other mistakes. As in Terraform,
    /// which looks further only with a sound graph.
    pub fn build(config: &Config, provider: Rc<dyn Provider>, diags: &mut Diagnostics) -> Self {
        let mut graph = Graph {
            modules: Vec::new(),
            provider,
            mistakes: BTreeMap::new(),
            sound: true,
            misled: false,
            dag: DiGraph::new(),
            index: HashMap::new(),
            first_resource: Vec::new(),
            edges: BTreeSet::new(),
            comparisons: Cell::new(COMPARISONS),
            levels: Vec::new(),
        };
        graph.add_module(&config.root, None, "".into());
        for id in 0..graph.modules.len() {
            graph.add_nodes(id);
        }
        let (mut unsound, mut wrong) = (Diagnostics::default(), Diagnostics::default());
        for id in 0..graph.modules.len() {
            graph.check_call(id, &mut unsound);
            graph.add_edges(id, &mut wrong);
        }
        graph.edges.clear();
        graph.find_cycles(&mut unsound);
        graph.sound = !unsound.has_errors();
        // An import may be of what nothing declares: nobody comes there.
        let mistakes = std::mem::take(&mut graph.mistakes);
        let (kept, lost): (BTreeMap<_, _>, BTreeMap<_, _>) =
            mistakes.into_iter().partition(|(n, _)| graph.has(n));
        graph.mistakes = kept;
        wrong.extend(lost.into_values().flatten());
        diags.extend(if graph.sound { wrong } else { unsound });
        graph.levels = graph.by_level();
        graph
    }

    fn add_module(&mut self, node: &ModuleNode, parent: Option<ModuleId>, name: Arc<str>) -> ModuleId {
        let id = self.modules.len();
        let dir = node.path.clone();
        self.modules.push(ModuleEntry {
            module: node.module.clone(),
            parent,
            name,
            children: BTreeMap::new(),
            dir,
        });
        for (name, child) in &node.children {
            let child_id = self.add_module(child, Some(id), name.clone());
            self.modules[id].children.insert(name.clone(), child_id);
        }
        id
    }

    fn nodes_of(&self, id: ModuleId) -> Vec<Node> {
        let module = &self.modules[id].module;
        let mut nodes = Vec::new();
        if id != 0 {
            nodes.push(Node::Call(id));
        }
        nodes.extend(module.providers.keys().map(|n| Node::Provider(id, n.clone())));
        nodes.extend(module.variables.keys().map(|n| Node::Variable(id, n.clone())));
        nodes.extend(module.locals.keys().map(|n| Node::Local(id, n.clone())));
        nodes.extend(module.outputs.keys().map(|n| Node::Output(id, n.clone())));
        nodes.extend(module.resources.keys().map(|k| Node::Resource(id, k.clone())));
        nodes.extend(module.checks.keys().map(|n| Node::Check(id, n.clone())));
        nodes.extend(module.steering.keys().map(|n| Node::Steering(id, n.clone())));
        nodes
    }

    fn add_nodes(&mut self, id: ModuleId) {
        for node in self.nodes_of(id) {
            let is_resource = matches!(node, Node::Resource(..));
            if is_resource && self.first_resource.len() == id {
                self.first_resource.push(self.dag.node_count());
            }
            let index = self.dag.add_node(node.clone());
            if !is_resource {
                self.index.insert(node, index);
            }
        }
        self.first_resource.resize(id + 1, 0);
    }

    fn index_of(&self, node: &Node) -> Option<NodeIndex> {
        match node {
            Node::Resource(id, key) => {
                let at = self.modules.get(*id)?.module.resources.get_index_of(key)?;
                Some(NodeIndex::new(self.first_resource[*id] + at))
            }
            _ => self.index.get(node).copied(),
        }
    }

    /// Whether there is such a declaration.
    pub fn has(&self, node: &Node) -> bool {
        self.index_of(node).is_some()
    }

    fn add_edges(&mut self, id: ModuleId, diags: &mut Diagnostics) {
        let module = self.modules[id].module.clone();
        if let Some(parent) = self.modules[id].parent {
            let call = &self.modules[parent].module.clone().calls[&self.modules[id].name];
            let expansion = Node::Call(id);
            self.refer_all(parent, call.repetition.expr(), &expansion);
            if parent != 0 {
                self.edge(&Node::Call(parent), &expansion);
            }
            for attribute in &call.arguments.attributes {
                let variable = Node::Variable(id, attribute.name.name.clone());
                if self.has(&variable) {
                    self.refer_all(parent, [&attribute.expr], &variable);
                }
            }
        }
        for local in module.locals.values() {
            self.refer_all(id, [&local.expr], &Node::Local(id, local.name.clone()));
        }
        for variable in module.variables.values() {
            let node = Node::Variable(id, variable.name.clone());
            let own = |t: &Traversal| &*t.root == "var" && t.attr(0) == Some(&variable.name);
            for validation in &variable.validations {
                let found = references(&validation.condition)
                    .into_iter()
                    .chain(references(&validation.error_message));
                self.refer(id, found.filter(|t| !own(t)).collect(), &node);
            }
        }
        for output in module.outputs.values() {
            let node = Node::Output(id, output.name.clone());
            let conditions = output.preconditions.iter().flat_map(|v| [&v.condition, &v.error_message]);
            self.refer_all(id, conditions.chain([&output.expr]), &node);
            self.wait_for(id, &output.depends_on, &node);
        }
        for provider in module.providers.values() {
            let node = Node::Provider(id, provider.name.clone());
            self.refer(id, body_references(&provider.body), &node);
        }
        for resource in module.resources.values() {
            self.resource_edges(id, resource, diags);
        }
        for check in module.checks.values() {
            let node = Node::Check(id, check.name.clone());
            self.refer_all(id, check.asserts.iter().flat_map(|v| [&v.condition, &v.error_message]), &node);
            if let Some(data) = &check.data {
                self.edge(&Node::Resource(id, data.clone()), &node);
            }
        }
        for (name, steering) in &module.steering {
            self.steering_edges(id, name, steering, diags);
        }
        for import in &module.imports {
            self.import_edges(id, import, diags);
        }
        if id != 0 {
            let inner = self.nodes_of(id).into_iter().filter(|n| *n != Node::Call(id));
            inner.for_each(|node| self.edge(&Node::Call(id), &node));
        }
    }

    /// What a rollout looks at must be there before it begins.
    fn steering_edges(
        &mut self,
        id: ModuleId,
        name: &Arc<str>,
        steering: &crate::config::Steering,
        diags: &mut Diagnostics,
    ) {
        if id != 0 {
            let kind = name.split('.').next().unwrap_or_default();
            let d = Diagnostic::error(
                "misplaced-block",
                format!("`{kind}` blocks stand in the root module only"),
            );
            diags.push(
                d.at(steering.header).help("move it there; a rollout's `target` may be inside of modules"),
            );
            return;
        }
        let node = Node::Steering(id, name.clone());
        self.refer(id, body_references(&steering.body), &node);
        let SteeringKind::Rollout { target } = &steering.kind else { return };
        let Some((key, _)) = &target.resource else { return };
        let target_node = self.module_at(target.modules.0.iter().map(|(name, _)| name));
        let target_node = target_node.map(|module| Node::Resource(module, key.clone()));
        match target_node.filter(|node| self.has(node)) {
            Some(target) => self.edge(&node, &target),
            None => diags.push(
                Diagnostic::error("undeclared-resource", format!("there is no resource `{target}`"))
                    .at(target.span)
                    .help("declare it, or correct the name; inside of a module it is `module.<name>.<type>.<name>`"),
            ),
        }
    }

    /// What tells the id must be known before the resource is compared.
    fn import_edges(&mut self, id: ModuleId, import: &crate::config::Import, diags: &mut Diagnostics) {
        if id != 0 {
            let d = Diagnostic::error("misplaced-import", "`import` blocks stand in the root module only");
            diags.push(d.at(import.span).help("move it there, and write the address from the root"));
            return;
        }
        let names = import.to.modules.iter().map(|(name, _)| name);
        let target = self.module_at(names);
        let (Some(target), Some((key, _))) = (target, &import.to.resource) else { return };
        let node = Node::Resource(target, key.clone());
        self.refer_all(id, import.for_each.iter().chain([import.id.expr()]), &node);
    }

    fn resource_edges(&mut self, id: ModuleId, resource: &crate::config::Resource, diags: &mut Diagnostics) {
        let node = Node::Resource(id, resource.key.clone());
        let own = |t: &Traversal| {
            let refers = reference_key(t);
            refers.is_some_and(|(key, _)| key == resource.key)
        };
        let mut found = body_references(&resource.body);
        let mut triggers = Vec::new();
        found.extend(resource.repetition.expr().into_iter().flat_map(references));
        for named in resource.lifecycle.replace_triggered_by.iter().flat_map(references) {
            let instance = matches!(&*named.root, "each" | "count");
            let kinds = ["var", "local", "module", "data", "path", "terraform", "self"];
            if kinds.contains(&&*named.root) {
                diags.push(
                    Diagnostic::error("invalid-trigger", "`replace_triggered_by` takes only managed resources of this module")
                        .at(named.span)
                        .help("put the value into the `triggers_replace` of a terraform_data resource, and name that"),
                );
            } else if !instance {
                triggers.push(named);
            }
        }
        for provisioner in &resource.provisioners {
            found.extend(body_references(&provisioner.body));
        }
        for condition in &resource.lifecycle.preconditions {
            found.extend(
                references(&condition.condition).into_iter().chain(references(&condition.error_message)),
            );
        }
        for own_reference in found.iter().filter(|t| own(t)) {
            diags.push(
                Diagnostic::error("self-reference", format!("`{}` refers to itself", resource.key))
                    .at(own_reference.span)
                    .help("inside its own block its attributes are not known yet; use a local or `self` in conditions"),
            );
        }
        found.retain(|t| !own(t));
        // Postconditions may refer to `self` and to the resource itself.
        for condition in &resource.lifecycle.postconditions {
            let both =
                references(&condition.condition).into_iter().chain(references(&condition.error_message));
            found.extend(both.filter(|t| !own(t)));
        }
        self.refer(id, found, &node);
        self.refer_whole(id, triggers.into_iter().filter(|t| !own(t)), &node);
        self.wait_for(id, &resource.depends_on, &node);
        if let Some((owner, name)) = self.provider_of(id, &resource.provider) {
            self.edge(&Node::Provider(owner, name), &node);
        }
        // depends_on of every module block around it.
        let mut at = id;
        while let Some(parent) = self.modules[at].parent {
            let call = &self.modules[parent].module.clone().calls[&self.modules[at].name];
            self.wait_for(parent, &call.depends_on, &node);
            at = parent;
        }
    }

    /// Which provider block serves `name` in a module: passed by `providers`, or inherited by name.
    pub fn provider_of(&self, id: ModuleId, name: &str) -> Option<(ModuleId, Arc<str>)> {
        let entry = &self.modules[id];
        let own = entry.module.providers.get_key_value(name);
        if let Some((name, _)) = own.filter(|(_, block)| entry.parent.is_none() || !is_proxy(block)) {
            return Some((id, name.clone()));
        }
        let parent = entry.parent?;
        let outer = &self.modules[parent].module;
        let passed = passed(outer, &outer.calls[&entry.name], &entry.module, name);
        self.provider_of(parent, passed.as_deref().unwrap_or(name))
    }

    fn refer_all<'e>(&mut self, id: ModuleId, exprs: impl IntoIterator<Item = &'e Expr>, node: &Node) {
        let found = exprs.into_iter().flat_map(references).collect();
        self.refer(id, found, node);
    }

    fn refer(&mut self, id: ModuleId, found: Vec<Traversal>, node: &Node) {
        for traversal in &found {
            self.look_into(id, traversal, node);
        }
        self.refer_whole(id, found.into_iter(), node);
    }

    /// `depends_on`: what is named inside of a declaration would not matter.
    fn wait_for(&mut self, id: ModuleId, named: &[Traversal], node: &Node) {
        for traversal in named {
            let wrong = self.not_whole(id, traversal);
            self.mistaken(node, wrong);
        }
        self.refer_whole(id, named.iter().cloned(), node);
    }

    fn refer_whole(&mut self, id: ModuleId, found: impl Iterator<Item = Traversal>, node: &Node) {
        let user = self.index_of(node);
        for traversal in found {
            match self.targets(id, &traversal) {
                Ok(targets) => {
                    let to_itself = |t: &Node| t == node && !matches!(node, Node::Local(..));
                    for target in targets.iter().filter(|t| !to_itself(t)) {
                        if let Some(check) = self.scoped(target, node) {
                            let problem = format!("only check `{check}` sees this data source");
                            let d = Diagnostic::error("scoped-data", problem)
                                .at(traversal.span)
                                .help("declare the data source outside of the check to use it elsewhere");
                            self.mistaken(node, [d]);
                        }
                        if let Some(user) = user {
                            self.edge_to(target, user);
                        }
                    }
                }
                Err(problem) => self.mistaken(node, [*problem]),
            }
        }
    }

    fn mistaken(&mut self, node: &Node, wrong: impl IntoIterator<Item = Diagnostic>) {
        let mut wrong = wrong.into_iter().peekable();
        if wrong.peek().is_some() {
            self.mistakes.entry(node.clone()).or_default().extend(wrong);
        }
    }

    /// The module that calls of these names lead to, from the root.
    pub fn module_at<'n>(&self, mut names: impl Iterator<Item = &'n Arc<str>>) -> Option<ModuleId> {
        names.try_fold(0, |at, name| self.modules[at].children.get(name).copied())
    }

    /// The check that keeps `target` to itself, if `user` is something else.
    fn scoped(&self, target: &Node, user: &Node) -> Option<Arc<str>> {
        let Node::Resource(id, key) = target else { return None };
        if self.modules[*id].module.checks.is_empty() {
            return None;
        }
        let check = self.modules[*id].module.resources.get(key)?.check.clone()?;
        (*user != Node::Check(*id, check.clone())).then_some(check)
    }

    fn edge(&mut self, needed: &Node, needs: &Node) {
        if let Some(needs) = self.index_of(needs) {
            self.edge_to(needed, needs);
        }
    }

    fn edge_to(&mut self, needed: &Node, needs: NodeIndex) {
        if let Some(needed) = self.index_of(needed)
            && self.edges.insert((needs, needed))
        {
            self.dag.add_edge(needed, needs, ());
        }
    }

    fn find_cycles(&mut self, diags: &mut Diagnostics) {
        // Without recursion: a chain may be 100,000 long.
        for component in petgraph::algo::kosaraju_scc(&self.dag) {
            let looped = component.len() > 1 || self.dag.contains_edge(component[0], component[0]);
            if !looped {
                continue;
            }
            let mut nodes: Vec<&Node> = component.iter().map(|i| &self.dag[*i]).collect();
            nodes.sort();
            let names: Vec<String> = nodes.iter().map(|n| self.describe(n)).collect();
            let mut d = Diagnostic::error("cycle", "these need each other before either can be known");
            for (node, name) in nodes.iter().zip(&names) {
                if let Some(span) = self.span(node) {
                    d = d.label(span, name.clone());
                }
            }
            diags.push(
                d.note(names.join(", ")).help("break the circle: let one of them not refer to the others"),
            );
        }
    }

    /// `module.web.local.name`
    pub fn describe(&self, node: &Node) -> String {
        let prefix = self.module_path(node.module());
        let dot = if prefix.is_empty() { "" } else { "." };
        match node {
            Node::Call(_) => prefix,
            Node::Provider(_, n) => format!("{prefix}{dot}provider.{n}"),
            Node::Variable(_, n) => format!("{prefix}{dot}var.{n}"),
            Node::Local(_, n) => format!("{prefix}{dot}local.{n}"),
            Node::Output(_, n) => format!("{prefix}{dot}output.{n}"),
            Node::Resource(_, k) => format!("{prefix}{dot}{k}"),
            Node::Check(_, n) => format!("{prefix}{dot}check.{n}"),
            Node::Steering(_, n) => format!("{prefix}{dot}{n}"),
        }
    }

    /// Where a module stands, without instance keys.
    pub fn plain_path(&self, id: ModuleId) -> ModulePath {
        let entry = &self.modules[id];
        match entry.parent {
            Some(parent) => self.plain_path(parent).child(&entry.name, InstanceKey::None),
            None => ModulePath::root(),
        }
    }

    /// `module.a.module.b`, without instance keys.
    pub fn module_path(&self, id: ModuleId) -> String {
        let entry = &self.modules[id];
        match entry.parent {
            None => String::new(),
            Some(0) => format!("module.{}", entry.name),
            Some(parent) => format!("{}.module.{}", self.module_path(parent), entry.name),
        }
    }

    fn span(&self, node: &Node) -> Option<crate::diag::Span> {
        let entry = &self.modules[node.module()];
        let module = &entry.module;
        Some(match node {
            Node::Call(_) => self.modules[entry.parent?].module.calls[&entry.name].header,
            Node::Provider(_, n) => module.providers.get(n)?.header,
            Node::Variable(_, n) => module.variables.get(n)?.span,
            Node::Local(_, n) => module.locals.get(n)?.expr.span,
            Node::Output(_, n) => module.outputs.get(n)?.span,
            Node::Resource(_, k) => module.resources.get(k)?.header,
            Node::Check(_, n) => module.checks.get(n)?.span,
            Node::Steering(_, n) => module.steering.get(n)?.header,
        })
    }

    fn by_level(&self) -> Vec<Vec<Node>> {
        let Ok(order) = petgraph::algo::toposort(&self.dag, None) else { return Vec::new() };
        let mut level = vec![0; self.dag.node_count()];
        let mut levels: Vec<Vec<NodeIndex>> = Vec::new();
        for index in order {
            let at = self
                .dag
                .neighbors_directed(index, petgraph::Incoming)
                .map(|n| level[n.index()] + 1)
                .max()
                .unwrap_or(0);
            level[index.index()] = at;
            levels.resize_with(levels.len().max(at + 1), Vec::new);
            levels[at].push(index);
        }
        // As the nodes themselves are ordered: those of a kind were added in the order of their names.
        levels.iter_mut().for_each(|level| level.sort_by_key(|i| (self.dag[*i].kind(), *i)));
        levels.into_iter().map(|level| level.into_iter().map(|i| self.dag[i].clone()).collect()).collect()
    }

    /// What a node needs directly.
    pub fn needs(&self, node: &Node) -> impl Iterator<Item = &Node> {
        self.index_of(node).into_iter().flat_map(|i| self.needed_by(i)).map(|i| &self.dag[i])
    }

    fn needed_by(&self, index: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        self.dag.edges_directed(index, petgraph::Incoming).map(|edge| edge.source())
    }

    /// Everything a node needs, directly or not.
    pub fn needs_all(&self, node: &Node) -> BTreeSet<&Node> {
        let mut found = BTreeSet::new();
        let mut todo: Vec<&Node> = self.needs(node).collect();
        while let Some(next) = todo.pop() {
            if found.insert(next) {
                todo.extend(self.needs(next));
            }
        }
        found
    }

    /// The managed resources that a node needs, seen through variables, locals, outputs and data sources.
    pub fn resources_needed(&self, node: &Node) -> impl Iterator<Item = &Node> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut todo: Vec<NodeIndex> =
            self.index_of(node).into_iter().flat_map(|i| self.needed_by(i)).collect();
        while let Some(next) = todo.pop() {
            if !seen.insert(next) {
                continue;
            }
            match &self.dag[next] {
                node @ Node::Resource(_, key) if key.mode == Mode::Managed => found.push(node),
                _ => todo.extend(self.needed_by(next)),
            }
        }
        found.into_iter()
    }

    /// The nearest resources and data sources that a node needs, seen through variables, locals and outputs.
    pub fn declarations_needed(&self, node: &Node) -> BTreeSet<&Node> {
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut todo: Vec<&Node> = self.needs(node).collect();
        while let Some(next) = todo.pop() {
            if matches!(next, Node::Resource(..)) {
                found.insert(next);
            } else if seen.insert(next) {
                todo.extend(self.needs(next));
            }
        }
        found
    }

    /// All resources and data sources that a node needs, directly or not.
    pub fn resources_needed_all(&self, node: &Node) -> impl Iterator<Item = &Node> {
        self.needs_all(node).into_iter().filter(|n| matches!(n, Node::Resource(..)))
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.levels.iter().flatten()
    }
}
