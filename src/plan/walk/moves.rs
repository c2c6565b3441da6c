//! `moved` and `removed` blocks: the state as it is under the addresses of the configuration.

use super::{Purpose, Walk};
use crate::addr::{Address, InstanceKey, Mode, ModulePath};
use crate::config::place::Place;
use crate::config::{Moved, Removed, Repetition};
use crate::diag::Diagnostic;
use crate::graph::ModuleId;
use crate::plan::values::Expansion;
use crate::state::journal::{Entry, fold};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet};

/// A `moved` block with the module that it stands in.
#[derive(Clone, Copy)]
struct Statement<'a> {
    module: ModuleId,
    moved: &'a Moved,
}

impl Statement<'_> {
    /// Where an address goes, if this statement is about it. `depth`: how many modules are around the block.
    fn target(&self, depth: usize, address: &Address) -> Option<Address> {
        let (from, to) = (&self.moved.from, &self.moved.to);
        let (outer, inner) = address.module.0.split_at_checked(depth)?;
        let rebuilt = |modules: &[(std::sync::Arc<str>, InstanceKey)]| {
            ModulePath(outer.iter().chain(modules).cloned().collect())
        };
        if let (Some((key, instance)), Some((new, new_instance))) = (&from.resource, &to.resource) {
            let whole = *instance == InstanceKey::None && *new_instance == InstanceKey::None;
            let same = *inner == *from.modules.0
                && address.mode == key.mode
                && address.type_name == key.type_name
                && address.name == key.name
                && (whole || address.key == *instance);
            return same.then(|| Address {
                module: rebuilt(&to.modules.0),
                mode: new.mode,
                type_name: new.type_name.clone(),
                name: new.name.clone(),
                key: if whole { address.key.clone() } else { new_instance.clone() },
            });
        }
        let count = from.modules.0.len();
        let (head, tail) = inner.split_at_checked(count)?;
        let ((last, before), (wanted, wanted_before)) = (head.split_last()?, from.modules.0.split_last()?);
        let whole = *from.last_key() == InstanceKey::None && *to.last_key() == InstanceKey::None;
        if before != wanted_before || last.0 != wanted.0 || !(whole || last.1 == wanted.1) {
            return None;
        }
        let mut modules = to.modules.0.to_vec();
        if let (true, Some(end)) = (whole, modules.last_mut()) {
            end.1 = last.1.clone();
        }
        modules.extend(tail.iter().cloned());
        Some(Address { module: rebuilt(&modules), ..address.clone() })
    }
}

/// What of `addresses` goes where when `from` becomes `to` in the root.
pub fn moves_between(
    from: Place,
    to: Place,
    addresses: impl Iterator<Item = Address>,
) -> Vec<(Address, Address)> {
    let moved = Moved { span: from.span, from, to };
    let statement = Statement { module: 0, moved: &moved };
    addresses.filter_map(|a| Some((a.clone(), statement.target(0, &a)?))).collect()
}

/// Whether what arrives at `to` may be what leaves from `from`.
fn feeds(to: &Place, from: &Place) -> bool {
    let same_key =
        |a: &InstanceKey, b: &InstanceKey| a == b || *a == InstanceKey::None || *b == InstanceKey::None;
    let shared = to.modules.0.iter().zip(from.modules.0.iter());
    if shared.clone().any(|((a, ka), (b, kb))| a != b || !same_key(ka, kb)) {
        return false;
    }
    let (a, b) = (to.modules.0.len(), from.modules.0.len());
    match (&to.resource, &from.resource) {
        (Some((x, kx)), Some((y, ky))) => a == b && x == y && same_key(kx, ky),
        // A resource within a module that moves, or a module that brings a resource.
        (Some(_), None) => b <= a,
        (None, Some(_)) => a <= b,
        (None, None) => true,
    }
}

impl Walk<'_> {
    fn statements(&self) -> Vec<Statement<'_>> {
        let modules = self.graph.modules.iter().enumerate();
        modules
            .flat_map(|(id, entry)| {
                entry.module.moved.iter().map(move |moved| Statement { module: id, moved })
            })
            .collect()
    }

    fn depth(&self, mut id: ModuleId) -> usize {
        let mut depth = 0;
        while let Some(parent) = self.graph.modules[id].parent {
            (id, depth) = (parent, depth + 1);
        }
        depth
    }

    fn within(&self, outer: ModuleId, names: &ModulePath) -> Option<ModuleId> {
        names.0.iter().try_fold(outer, |at, (name, _)| self.graph.modules[at].children.get(name).copied())
    }

    /// Whether the configuration still has what a place names (keys aside).
    fn declares(&self, module: ModuleId, place: &Place) -> bool {
        match (self.within(module, &place.modules), &place.resource) {
            (Some(id), Some((key, _))) => self.graph.modules[id].module.resources.contains_key(key),
            (found, None) => found.is_some(),
            (None, _) => false,
        }
    }

    /// Mistakes in `moved` and `removed` blocks that show without state.
    pub(super) fn check_moves(&mut self) {
        let mut found = Vec::new();
        let statements = self.statements();
        let circle = order(&statements).err();
        for (i, statement) in statements.iter().enumerate() {
            let Moved { from, to, span } = statement.moved;
            let keyed = [from, to].iter().any(|p| *p.last_key() != InstanceKey::None);
            // In a circle everything is moved to: that it is declared is no second mistake.
            if !keyed && circle.is_none() && self.declares(statement.module, from) {
                found.push(
                    Diagnostic::error(
                        "still-declared",
                        format!("`{from}` has moved to `{to}`, but is still declared"),
                    )
                    .at(*span)
                    .help(format!("rename the declaration to `{to}`, or remove this block")),
                );
            }
            let same = |a: &Place, b: &Place| a.to_string() == b.to_string();
            let earlier = statements[..i].iter().filter(|s| s.module == statement.module);
            for other in earlier {
                let (from_same, to_same) = (same(&other.moved.from, from), same(&other.moved.to, to));
                if from_same || to_same {
                    let what = if from_same { from } else { to };
                    let side = if from_same { "from" } else { "to" };
                    found.push(
                        Diagnostic::error(
                            "ambiguous-move",
                            format!("two blocks move something {side} `{what}`"),
                        )
                        .at(*span)
                        .label(other.moved.span, "the other one is here")
                        .help("remove one of them"),
                    );
                    break;
                }
            }
        }
        found.extend(circle.map(|cycle| *cycle));
        for (id, entry) in self.graph.modules.iter().enumerate() {
            for removed in entry.module.removed.iter().filter(|r| self.declares(id, &r.from)) {
                let place = &removed.from;
                found.push(
                    Diagnostic::error(
                        "still-declared",
                        format!("`{place}` is said to be removed, but is still declared"),
                    )
                    .at(removed.span)
                    .help("remove the declaration, or this block"),
                );
            }
        }
        self.diags.extend(found);
    }

    /// Brings the state under its new addresses; the journal gets the same moves at the apply.
    pub(super) fn apply_moves(&mut self) {
        let mut moves: Vec<(Address, Address)> = Vec::new();
        let mut blocked: BTreeMap<Address, Address> = BTreeMap::new();
        {
            let statements = self.statements();
            let Ok(ordered) = order(&statements) else { return };
            let mut taken: BTreeSet<Address> = self.state.resources.keys().cloned().collect();
            let mut origin: BTreeMap<Address, Address> = BTreeMap::new();
            for statement in ordered {
                let depth = self.depth(statement.module);
                let mentioned: Vec<Address> =
                    taken.iter().filter(|a| self.is_inside(statement.module, a)).cloned().collect();
                for address in mentioned {
                    let Some(target) = statement.target(depth, &address) else { continue };
                    move_one(address, target, &mut taken, &mut origin, &mut blocked);
                }
            }
            for (address, target) in self.implied_moves(&taken, &statements) {
                move_one(address, target, &mut taken, &mut origin, &mut blocked);
            }
            moves.extend(origin.into_iter().map(|(to, from)| (from, to)));
        }
        self.moved = sequence(moves);
        let entry = |(from, to): &(Address, Address)| Entry::Moved { from: from.clone(), to: to.clone() };
        fold(&mut self.state, self.moved.iter().map(entry));
        self.came_from = self.moved.iter().map(|(from, to)| (to.clone(), from.clone())).collect();
        for (from, to) in blocked {
            self.diags.push(
                Diagnostic::warning("blocked-move", format!("{from} cannot move to {to}: there is another resource"))
                    .address(&from)
                    .detail("Both are in the state; the one that is to move stays, and is destroyed if nothing declares it.")
                    .help(format!("move the other one first, or take it out of the state with `cutover state rm {to}`")),
            );
        }
    }

    /// Whether an address lies in an instance of a module of the tree.
    fn is_inside(&self, module: ModuleId, address: &Address) -> bool {
        let mut names = Vec::new();
        let mut at = module;
        while let Some(parent) = self.graph.modules[at].parent {
            names.push(&self.graph.modules[at].name);
            at = parent;
        }
        let path = &address.module.0;
        path.len() >= names.len() && names.iter().rev().zip(path.iter()).all(|(a, (b, _))| **a == *b)
    }

    /// `x` becomes `x[0]` when `count` is added, and back. As in Terraform only resources do so: what is in
    /// a module that gets a `count` is moved by a `moved` block.
    fn implied_moves(
        &self,
        taken: &BTreeSet<Address>,
        statements: &[Statement<'_>],
    ) -> Vec<(Address, Address)> {
        let mut implied = Vec::new();
        for address in taken {
            let mut target = address.clone();
            if let Some((_, resource)) = self.find_resource(address) {
                target.key = implied_key(&address.key, &resource.repetition);
            }
            let explicit = || {
                statements.iter().any(|s| {
                    self.is_inside(s.module, address) && s.target(self.depth(s.module), address).is_some()
                })
            };
            if target != *address && !taken.contains(&target) && !explicit() {
                implied.push((address.clone(), target));
            }
        }
        implied
    }

    /// After the walk: an instance that moved away must not be produced any more.
    pub(super) fn check_moved_instances(&mut self) {
        let mut found = Vec::new();
        for statement in self.statements() {
            let Moved { from, to, span } = statement.moved;
            let keyed = [from, to].iter().any(|p| *p.last_key() != InstanceKey::None);
            if keyed
                && self
                    .values
                    .paths(statement.module)
                    .iter()
                    .any(|p| self.produces(statement.module, p, from))
            {
                found.push(
                    Diagnostic::error(
                        "still-declared",
                        format!("`{from}` has moved to `{to}`, but there is still such an instance"),
                    )
                    .at(*span)
                    .help("take its key out of `count` or `for_each`, or remove this block"),
                );
            }
        }
        self.diags.extend(found);
    }

    fn produces(&self, module: ModuleId, path: &ModulePath, place: &Place) -> bool {
        let (mut at, mut path) = (module, path.clone());
        for (name, key) in place.modules.0.iter() {
            let Some(child) = self.graph.modules[at].children.get(name).copied() else { return false };
            path = path.child(name, key.clone());
            if self.values.module(child, &path).is_none() {
                return false;
            }
            at = child;
        }
        let Some((key, instance)) = &place.resource else { return true };
        let expansion = self.values.resource(self.graph, at, &path, key);
        expansion.is_some_and(|e| !matches!(e, Expansion::Unknown) && e.get(instance).is_some())
    }

    /// The `removed` block about an address that is no longer declared.
    pub(super) fn removed(&self, address: &Address) -> Option<&Removed> {
        self.removed_by(address).map(|(_, removed)| removed)
    }

    /// The same, with the module that it stands in.
    pub(super) fn removed_by(&self, address: &Address) -> Option<(ModuleId, &Removed)> {
        self.graph.modules.iter().enumerate().find_map(|(id, entry)| {
            let depth = self.depth(id);
            if entry.module.removed.is_empty() || !self.is_inside(id, address) {
                return None;
            }
            let inner = ModulePath(address.module.0[depth..].into());
            let relative = Address { module: inner, ..address.clone() };
            let removed = entry.module.removed.iter().find(|r| r.from.covers(&relative))?;
            Some((id, removed))
        })
    }

    /// The address that a resource had in the state before this walk.
    pub fn previous(&self, address: &Address) -> Option<Address> {
        self.came_from.get(address).cloned()
    }

    /// What `removed` blocks let go of is told.
    pub(super) fn warn_of_forgotten(&mut self) {
        let forgotten: Vec<String> = self
            .changes
            .values()
            .filter(|c| c.action == crate::plan::Action::Forget)
            .map(|c| c.address.to_string())
            .collect();
        if self.purpose != Purpose::Validate && !forgotten.is_empty() {
            self.diags.push(
                Diagnostic::warning("forgotten", "some resources will no longer be managed, but live on")
                    .note(forgotten.join(", "))
                    .help(
                        "`removed` says so with `destroy = false`; nothing will look after them from then on",
                    ),
            );
        }
    }
}

fn implied_key(key: &InstanceKey, repetition: &Repetition) -> InstanceKey {
    match (key, repetition) {
        (InstanceKey::None, Repetition::Count(_)) => InstanceKey::Index(0),
        (InstanceKey::Index(0), Repetition::Single | Repetition::Enabled(_)) => InstanceKey::None,
        _ => key.clone(),
    }
}

fn move_one(
    address: Address,
    target: Address,
    taken: &mut BTreeSet<Address>,
    origin: &mut BTreeMap<Address, Address>,
    blocked: &mut BTreeMap<Address, Address>,
) {
    if address.mode != Mode::Managed || address == target {
        return;
    }
    if taken.contains(&target) {
        blocked.insert(address, target);
        return;
    }
    taken.remove(&address);
    taken.insert(target.clone());
    let from = origin.remove(&address).unwrap_or(address);
    if from != target {
        origin.insert(target, from);
    }
}

/// Moves in an order in which every destination is free when its turn comes.
fn sequence(moves: Vec<(Address, Address)>) -> Vec<(Address, Address)> {
    let mut left: BTreeMap<Address, Address> = moves.into_iter().collect();
    let mut out = Vec::new();
    while !left.is_empty() {
        let free: Vec<Address> =
            left.iter().filter(|(_, to)| !left.contains_key(*to)).map(|(from, _)| from.clone()).collect();
        assert!(!free.is_empty(), "moves were ordered without a circle");
        for from in free {
            if let Some(to) = left.remove(&from) {
                out.push((from, to));
            }
        }
    }
    out
}

/// Outer modules first; within one, chains in order, what lies inside before what is around it. A circle is
/// an error.
fn order<'a>(statements: &[Statement<'a>]) -> Result<Vec<Statement<'a>>, Box<Diagnostic>> {
    let modules: BTreeSet<ModuleId> = statements.iter().map(|s| s.module).collect();
    let mut out = Vec::new();
    for module in modules {
        let own: Vec<Statement<'a>> = statements.iter().filter(|s| s.module == module).copied().collect();
        out.extend(chained(&own)?);
    }
    Ok(out)
}

fn chained<'a>(statements: &[Statement<'a>]) -> Result<Vec<Statement<'a>>, Box<Diagnostic>> {
    let mut dag: DiGraph<usize, ()> = DiGraph::new();
    let nodes: Vec<NodeIndex> = (0..statements.len()).map(|i| dag.add_node(i)).collect();
    for (i, first) in statements.iter().enumerate() {
        for (j, second) in statements.iter().enumerate() {
            let (a, b) = (first.moved, second.moved);
            if i != j && (feeds(&a.to, &b.from) || lies_in(&a.from, &b.from)) {
                dag.add_edge(nodes[i], nodes[j], ());
            }
        }
    }
    if let Ok(order) = petgraph::algo::toposort(&dag, None) {
        return Ok(order.into_iter().map(|n| statements[dag[n]]).collect());
    }
    let circle = petgraph::algo::tarjan_scc(&dag).into_iter().find(|c| c.len() > 1).unwrap_or_default();
    let mut around: Vec<&Moved> = circle.iter().map(|n| statements[dag[*n]].moved).collect();
    around.sort_by_key(|m| m.span);
    let mut d = Diagnostic::error("move-cycle", "these moves go round in a circle");
    for moved in around {
        d = d.label(moved.span, format!("{} → {}", moved.from, moved.to));
    }
    Err(Box::new(d.help("remove the one that is no longer true: blocks that were applied everywhere can go")))
}

/// Whether `inner` names something inside of the module `outer`.
fn lies_in(inner: &Place, outer: &Place) -> bool {
    let deeper = inner.modules.0.len() > outer.modules.0.len()
        || inner.resource.is_some() && inner.modules.0.len() == outer.modules.0.len();
    outer.resource.is_none() && deeper && feeds(inner, outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::place::Target;
    use crate::diag::{Sources, Span};
    use crate::lang::parse::parse_expression;

    fn place(text: &str) -> Place {
        let mut sources = Sources::default();
        let file = sources.add("test.tf", text);
        let (expr, errors) = parse_expression(&sources, file);
        assert!(errors.is_empty(), "{text}");
        Target::parse(&expr.expect("an expression")).and_then(Target::constant).expect("a place")
    }

    fn goes(from: &str, to: &str, address: &str) -> Option<String> {
        let moved = Moved { from: place(from), to: place(to), span: Span::default() };
        let statement = Statement { module: 0, moved: &moved };
        statement.target(0, &address.parse().expect("an address")).map(|a| a.to_string())
    }

    #[test]
    fn whole_resources_keep_their_instance_keys() {
        assert_eq!(goes("aws_vpc.a", "aws_vpc.b", "aws_vpc.a[2]").as_deref(), Some("aws_vpc.b[2]"));
        assert_eq!(
            goes("aws_vpc.a", "module.m.aws_vpc.b", "aws_vpc.a").as_deref(),
            Some("module.m.aws_vpc.b")
        );
        assert_eq!(goes("aws_vpc.a", "aws_vpc.b", "module.m.aws_vpc.a"), None);
    }

    #[test]
    fn a_key_on_either_side_means_one_instance() {
        assert_eq!(
            goes("aws_vpc.a[0]", "aws_vpc.a[\"x\"]", "aws_vpc.a[0]").as_deref(),
            Some("aws_vpc.a[\"x\"]")
        );
        assert_eq!(goes("aws_vpc.a", "aws_vpc.a[\"x\"]", "aws_vpc.a[0]"), None);
        assert_eq!(goes("aws_vpc.a[1]", "aws_vpc.b", "aws_vpc.a[1]").as_deref(), Some("aws_vpc.b"));
    }

    #[test]
    fn a_module_takes_everything_inside_along() {
        let inside = "module.m[0].module.n.aws_vpc.a[1]";
        assert_eq!(
            goes("module.m", "module.k", inside).as_deref(),
            Some("module.k[0].module.n.aws_vpc.a[1]")
        );
        assert_eq!(
            goes("module.m[0]", "module.k[\"x\"]", inside).as_deref(),
            Some("module.k[\"x\"].module.n.aws_vpc.a[1]")
        );
        assert_eq!(goes("module.m[1]", "module.k", inside), None);
    }
}
