//! The dependency graph of a configuration: what must be known before what.
//!
//! Nodes are declarations, not instances: count and for_each expand while walking, and every instance
//! of a declaration waits for all instances of what it refers to, as in Terraform.

use crate::addr::{InstanceKey, Mode, ModulePath};
use crate::config::body::body_references;
use crate::config::providers::{is_proxy, passed};
use crate::config::{Config, DeclKey, Module, ModuleNode, SteeringKind};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use crate::lang::eval::references;
use crate::lang::syntax::{Expr, Traversal};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
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
pub struct ModuleEntry<'a> {
    pub module: &'a Arc<Module>,
    pub parent: Option<ModuleId>,
    /// Name of the call in the parent; empty for the root.
    pub name: Arc<str>,
    pub children: BTreeMap<Arc<str>, ModuleId>,
    /// `path.module`: relative to the root directory.
    pub dir: PathBuf,
}

pub struct Graph<'a> {
    pub modules: Vec<ModuleEntry<'a>>,
    /// Edges point from what is needed to what needs it.
    dag: DiGraph<Node, ()>,
    /// Only to look up: among 100,000 names an ordered map compares seventeen times, each far away in memory.
    index: HashMap<Node, NodeIndex>,
    /// While it is built: to look for an edge in the graph takes as long as a node has edges.
    edges: BTreeSet<(NodeIndex, NodeIndex)>,
    /// How many names may still be compared with mistyped ones: a file with nothing but mistakes ends, too.
    comparisons: Cell<usize>,
    /// Nodes by level: everything a node needs is in earlier levels.
    pub levels: Vec<Vec<Node>>,
}

const COMPARISONS: usize = 5_000_000;

impl<'a> Graph<'a> {
    /// Reports references to nothing and cycles.
    pub fn build(config: &'a Config, diags: &mut Diagnostics) -> Self {
        let mut graph = Graph {
            modules: Vec::new(),
            dag: DiGraph::new(),
            index: HashMap::new(),
            edges: BTreeSet::new(),
            comparisons: Cell::new(COMPARISONS),
            levels: Vec::new(),
        };
        graph.add_module(&config.root, None, "".into());
        for id in 0..graph.modules.len() {
            graph.add_nodes(id);
        }
        for id in 0..graph.modules.len() {
            graph.add_edges(id, diags);
        }
        graph.edges.clear();
        graph.find_cycles(diags);
        graph.levels = graph.by_level();
        graph
    }

    fn add_module(&mut self, node: &'a ModuleNode, parent: Option<ModuleId>, name: Arc<str>) -> ModuleId {
        let id = self.modules.len();
        let dir = node.path.clone();
        self.modules.push(ModuleEntry { module: &node.module, parent, name, children: BTreeMap::new(), dir });
        for (name, child) in &node.children {
            let child_id = self.add_module(child, Some(id), name.clone());
            self.modules[id].children.insert(name.clone(), child_id);
        }
        id
    }

    fn nodes_of(&self, id: ModuleId) -> Vec<Node> {
        let module = self.modules[id].module;
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
            let index = self.dag.add_node(node.clone());
            self.index.insert(node, index);
        }
    }

    fn add_edges(&mut self, id: ModuleId, diags: &mut Diagnostics) {
        let module = self.modules[id].module.clone();
        if let Some(parent) = self.modules[id].parent {
            let call = &self.modules[parent].module.clone().calls[&self.modules[id].name];
            let expansion = Node::Call(id);
            self.refer_all(parent, call.repetition.expr(), &expansion, diags);
            if parent != 0 {
                self.edge(&Node::Call(parent), &expansion);
            }
            for attribute in &call.arguments.attributes {
                let variable = Node::Variable(id, attribute.name.name.clone());
                if self.index.contains_key(&variable) {
                    self.refer_all(parent, [&attribute.expr], &variable, diags);
                }
            }
        }
        for local in module.locals.values() {
            self.refer_all(id, [&local.expr], &Node::Local(id, local.name.clone()), diags);
        }
        for variable in module.variables.values() {
            let node = Node::Variable(id, variable.name.clone());
            let own = |t: &Traversal| &*t.root == "var" && t.attr(0) == Some(&variable.name);
            for validation in &variable.validations {
                let found = references(&validation.condition)
                    .into_iter()
                    .chain(references(&validation.error_message));
                self.refer(id, found.filter(|t| !own(t)).collect(), &node, diags);
            }
        }
        for output in module.outputs.values() {
            let node = Node::Output(id, output.name.clone());
            let conditions = output.preconditions.iter().flat_map(|v| [&v.condition, &v.error_message]);
            self.refer_all(id, conditions.chain([&output.expr]), &node, diags);
            self.refer(id, output.depends_on.clone(), &node, diags);
        }
        for provider in module.providers.values() {
            let node = Node::Provider(id, provider.name.clone());
            self.refer(id, body_references(&provider.body), &node, diags);
        }
        for resource in module.resources.values() {
            self.resource_edges(id, resource, diags);
        }
        for check in module.checks.values() {
            let node = Node::Check(id, check.name.clone());
            self.refer_all(
                id,
                check.asserts.iter().flat_map(|v| [&v.condition, &v.error_message]),
                &node,
                diags,
            );
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
        self.refer(id, body_references(&steering.body), &node, diags);
        let SteeringKind::Rollout { target } = &steering.kind else { return };
        let Some((key, _)) = &target.resource else { return };
        let target_node = self.module_at(target.modules.0.iter().map(|(name, _)| name));
        let target_node = target_node.map(|module| Node::Resource(module, key.clone()));
        match target_node.filter(|node| self.index.contains_key(node)) {
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
        self.refer_all(id, import.for_each.iter().chain([import.id.expr()]), &node, diags);
    }

    fn resource_edges(&mut self, id: ModuleId, resource: &crate::config::Resource, diags: &mut Diagnostics) {
        let node = Node::Resource(id, resource.key.clone());
        let own = |t: &Traversal| {
            let refers = reference_key(t);
            refers.is_some_and(|(key, _)| key == resource.key)
        };
        let mut found = body_references(&resource.body);
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
                found.push(named);
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
        self.refer(id, found, &node, diags);
        self.refer(id, resource.depends_on.clone(), &node, diags);
        if let Some((owner, name)) = self.provider_of(id, &resource.provider) {
            self.edge(&Node::Provider(owner, name), &node);
        }
        // depends_on of every module block around it.
        let mut at = id;
        while let Some(parent) = self.modules[at].parent {
            let call = &self.modules[parent].module.clone().calls[&self.modules[at].name];
            self.refer(parent, call.depends_on.clone(), &node, diags);
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
        let outer = self.modules[parent].module;
        let passed = passed(outer, &outer.calls[&entry.name], entry.module, name);
        self.provider_of(parent, passed.as_deref().unwrap_or(name))
    }

    fn refer_all<'e>(
        &mut self,
        id: ModuleId,
        exprs: impl IntoIterator<Item = &'e Expr>,
        node: &Node,
        diags: &mut Diagnostics,
    ) {
        let found = exprs.into_iter().flat_map(references).collect();
        self.refer(id, found, node, diags);
    }

    fn refer(&mut self, id: ModuleId, found: Vec<Traversal>, node: &Node, diags: &mut Diagnostics) {
        for traversal in found {
            match self.targets(id, &traversal) {
                Ok(targets) => {
                    let to_itself = |t: &Node| t == node && !matches!(node, Node::Local(..));
                    for target in targets.iter().filter(|t| !to_itself(t)) {
                        if let Some(check) = self.scoped(target, node) {
                            diags.push(
                                Diagnostic::error(
                                    "scoped-data",
                                    format!("only check `{check}` sees this data source"),
                                )
                                .at(traversal.span)
                                .help("declare the data source outside of the check to use it elsewhere"),
                            );
                        }
                        self.edge(target, node);
                    }
                }
                Err(problem) => diags.push(*problem),
            }
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
        if let (Some(a), Some(b)) = (self.index.get(needed), self.index.get(needs))
            && self.edges.insert((*a, *b))
        {
            self.dag.add_edge(*a, *b, ());
        }
    }

    /// The declarations that a reference in a module means.
    pub fn targets(&self, id: ModuleId, t: &Traversal) -> Result<Vec<Node>, Box<Diagnostic>> {
        let entry = &self.modules[id];
        let module = entry.module;
        let step = t.attr(0);
        let name = |what: &str| {
            step.ok_or_else(|| {
                Diagnostic::error("incomplete-reference", format!("`{}` needs a name after it", t.root))
                    .at(t.span)
                    .help(format!("write `{}.<name>`: {what}", t.root))
            })
        };
        match &*t.root {
            "each" | "count" | "self" | "path" | "terraform" => Ok(Vec::new()),
            "var" => {
                let name = name("a variable of this module")?;
                match module.variables.get_key_value(name) {
                    Some((name, _)) => Ok(vec![Node::Variable(id, name.clone())]),
                    None => Err(self.undeclared("variable", name, t, module.variables.keys(), |n| {
                        format!("variable \"{n}\" {{ }}")
                    })),
                }
            }
            "local" => {
                let name = name("a local of this module")?;
                match module.locals.get_key_value(name) {
                    Some((name, _)) => Ok(vec![Node::Local(id, name.clone())]),
                    None => Err(self.undeclared("local", name, t, module.locals.keys(), |n| {
                        format!("locals {{ {n} = … }}")
                    })),
                }
            }
            "module" => {
                let name = name("a module block")?;
                match entry.children.get(name) {
                    Some(child) => self.module_targets(*child, t),
                    // Its directory could not be read: already reported.
                    None if module.calls.contains_key(name) => Ok(Vec::new()),
                    None => Err(self.undeclared("module", name, t, module.calls.keys(), |n| {
                        format!("module \"{n}\" {{ … }}")
                    })),
                }
            }
            _ => self.resource_target(id, t),
        }
    }

    fn module_targets(&self, child: ModuleId, t: &Traversal) -> Result<Vec<Node>, Box<Diagnostic>> {
        let module = self.modules[child].module;
        // The first attribute after the instance key, if any.
        let output = t.steps.iter().skip(1).find_map(|s| match s {
            crate::lang::syntax::Step::Attr(name, _) => Some(name),
            crate::lang::syntax::Step::Index(..) => None,
        });
        let mut targets = vec![Node::Call(child)];
        match output {
            Some(name) => match module.outputs.get_key_value(&**name) {
                Some((name, _)) => targets.push(Node::Output(child, name.clone())),
                None => {
                    let names = module.outputs.keys();
                    return Err(self.undeclared("output", name, t, names, |n| {
                        format!("output \"{n}\" {{ value = … }}` in `{}", module.dir.display())
                    }));
                }
            },
            None => self.subtree(child, &mut targets),
        }
        Ok(targets)
    }

    /// Everything that happens in a module and those inside it.
    fn subtree(&self, id: ModuleId, into: &mut Vec<Node>) {
        let module = self.modules[id].module;
        into.extend(module.outputs.keys().map(|n| Node::Output(id, n.clone())));
        into.extend(module.resources.keys().map(|k| Node::Resource(id, k.clone())));
        self.modules[id].children.values().for_each(|child| self.subtree(*child, into));
    }

    fn resource_target(&self, id: ModuleId, t: &Traversal) -> Result<Vec<Node>, Box<Diagnostic>> {
        let module = self.modules[id].module;
        let Some((key, _)) = reference_key(t) else {
            let mut d =
                Diagnostic::error("unknown-name", format!("there is nothing named `{}`", t.root)).at(t.span);
            let roots = ["var", "local", "module", "data", "each", "count", "path", "terraform", "self"];
            d = match nearest(&t.root, roots) {
                Some(near) => d.help(format!("did you mean `{near}.…`?")),
                None => d.help(format!("a string is written in quotes: \"{}\"", t.root)),
            };
            return Err(Box::new(d));
        };
        let node = Node::Resource(id, key.clone());
        if self.index.contains_key(&node) {
            return Ok(vec![node]);
        }
        let what = if key.mode == Mode::Data { "data source" } else { "resource" };
        let d =
            Diagnostic::error("undeclared-resource", format!("there is no {what} `{key}` in this module"))
                .at(t.span);
        if !self.may_compare(module.resources.len()) {
            return Err(Box::new(d.help("declare it, or correct the name")));
        }
        let names: Vec<String> =
            module.resources.keys().filter(|k| k.mode == key.mode).map(|k| k.to_string()).collect();
        let wanted = key.to_string();
        Err(Box::new(match nearest(&wanted, names.iter().map(String::as_str)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None if names.is_empty() => d.help("declare it: this module has none"),
            None => d.help(format!("declare it, or refer to one that this module has: {}", few(&names))),
        }))
    }

    fn undeclared<'n>(
        &self,
        what: &str,
        name: &str,
        t: &Traversal,
        known: impl ExactSizeIterator<Item = &'n Arc<str>>,
        declaration: impl Fn(&str) -> String,
    ) -> Box<Diagnostic> {
        let d = Diagnostic::error("undeclared", format!("there is no {what} `{name}`")).at(t.span);
        let near = if self.may_compare(known.len()) { nearest(name, known.map(|n| &**n)) } else { None };
        Box::new(match near {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help(format!("declare it: `{}`", declaration(name))),
        })
    }

    fn may_compare(&self, names: usize) -> bool {
        let left = self.comparisons.get();
        self.comparisons.set(left.saturating_sub(names));
        left >= names
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

    /// `module.a.module.b`, without instance keys.
    /// Where a module stands, without instance keys.
    pub fn plain_path(&self, id: ModuleId) -> ModulePath {
        let entry = &self.modules[id];
        match entry.parent {
            Some(parent) => self.plain_path(parent).child(&entry.name, InstanceKey::None),
            None => ModulePath::root(),
        }
    }

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
        let module = entry.module;
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
        let index = self.index.get(node).copied();
        index
            .into_iter()
            .flat_map(|i| self.dag.edges_directed(i, petgraph::Incoming))
            .map(|e| &self.dag[e.source()])
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
    pub fn resources_needed(&self, node: &Node) -> BTreeSet<&Node> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&Node> = self.needs(node).collect();
        while let Some(next) = todo.pop() {
            match next {
                Node::Resource(_, key) if key.mode == Mode::Managed => {
                    found.insert(next);
                }
                _ if seen.insert(next) => todo.extend(self.needs(next)),
                _ => {}
            }
        }
        found
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

/// `data.aws_ami.x.id` → (data.aws_ami.x, 2): the declaration named, and the steps used up.
pub fn reference_key(t: &Traversal) -> Option<(DeclKey, usize)> {
    if &*t.root == "data" {
        let key = DeclKey { mode: Mode::Data, type_name: t.name(0)?.clone(), name: t.name(1)?.clone() };
        return Some((key, 2));
    }
    let key = DeclKey { mode: Mode::Managed, type_name: t.root.clone(), name: t.name(0)?.clone() };
    Some((key, 1))
}

/// The first of them, and how many more.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{first} and {more} more"),
        None => first,
    }
}
