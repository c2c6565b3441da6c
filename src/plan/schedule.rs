//! The order of an apply, as a graph of tasks: pure, from the plan and the dependency graph.

use crate::addr::Address;
use crate::graph::{Graph, Node};
use crate::plan::staging::{
    Move, is_staged, leaving_traffic, moves, on_hosts, parts_first, rolling_on_defaults,
};
use crate::plan::{Action, Change};
use crate::state::without_keys;
use petgraph::algo::has_path_connecting;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Indexes of changes are those of the list given to [`schedule`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Evaluate a declaration again: everything that it needs is real now.
    Settle(Node),
    /// Bring it to the state between old and new in which traffic can move.
    Stage(usize),
    /// Create, update, or read.
    Make(usize),
    /// Delete (the old one, in a replacement).
    Remove(usize),
    /// Nothing to do: all that was made from the declaration of this name is gone.
    Unused(String),
}

/// What a role may do.
const PERMISSIONS: &[&str] = &["aws_iam_role_policy", "aws_iam_role_policy_attachment"];
/// What runs with roles.
const RUNNING: &[&str] = &["aws_ecs_service", "aws_autoscaling_group", "aws_codedeploy_deployment_group"];

/// Edges point from what must be done first.
pub type Schedule = DiGraph<Task, ()>;

/// Orders `changes`. The declaration graph orders making; what resources were made from (state) orders
/// removing, backwards.
pub fn schedule(graph: &Graph, changes: &[Arc<Change>]) -> Schedule {
    let mut builder = Builder {
        dag: DiGraph::new(),
        at: BTreeMap::new(),
        edges: BTreeSet::new(),
        changes,
        by_name: BTreeMap::new(),
    };
    for (i, change) in changes.iter().enumerate() {
        builder.by_name.entry(without_keys(&change.address)).or_default().push(i);
    }
    let moves = moves(changes);
    builder.making(graph, &moves);
    builder.moving(&moves);
    for (group, service) in on_hosts(changes) {
        builder.edge_unless_cycle(Task::Make(group), builder.begins(service));
    }
    for Move { route, server } in leaving_traffic(changes) {
        builder.edge_unless_cycle(Task::Make(route), builder.goes(server));
    }
    for (part, user) in parts_first(changes) {
        builder.edge_unless_cycle(Task::Make(part), builder.begins(user));
    }
    builder.removing();
    builder.permissions_last();
    builder.rollouts_first();
    builder.dag
}

struct Builder<'a> {
    dag: Schedule,
    at: BTreeMap<Task, NodeIndex>,
    /// To look for an edge in the graph takes as long as a task has edges.
    edges: BTreeSet<(NodeIndex, NodeIndex)>,
    changes: &'a [Arc<Change>],
    /// Changes by address without instance keys.
    by_name: BTreeMap<String, Vec<usize>>,
}

fn makes(change: &Change) -> bool {
    matches!(change.action, Action::Create | Action::Update | Action::Replace | Action::Read)
}

fn removes(change: &Change) -> bool {
    matches!(change.action, Action::Delete | Action::Replace)
}

impl Builder<'_> {
    fn task(&mut self, task: Task) -> NodeIndex {
        *self.at.entry(task.clone()).or_insert_with(|| self.dag.add_node(task))
    }

    fn edge(&mut self, first: Task, then: Task) {
        let (a, b) = (self.task(first), self.task(then));
        if a != b && self.edges.insert((a, b)) {
            self.dag.add_edge(a, b, ());
        }
    }

    fn making(&mut self, graph: &Graph, moves: &[Move]) {
        let routes: BTreeSet<usize> = moves.iter().map(|one| one.route).collect();
        for node in graph.nodes() {
            self.task(Task::Settle(node.clone()));
            let making = match node {
                Node::Resource(..) => self.making_at(&graph.describe(node)),
                _ => Vec::new(),
            };
            for i in &making {
                // What it is known by does not change: who was made from it need not wait until its traffic has
                // moved.
                match (routes.contains(i), is_staged(&self.changes[*i])) {
                    (false, _) => self.edge(Task::Make(*i), Task::Settle(node.clone())),
                    (true, true) => self.edge(Task::Stage(*i), Task::Settle(node.clone())),
                    (true, false) => {}
                }
                if is_staged(&self.changes[*i]) {
                    self.edge(Task::Stage(*i), Task::Make(*i));
                }
            }
            for needed in graph.needs(node).cloned().collect::<Vec<_>>() {
                self.edge(Task::Settle(needed.clone()), Task::Settle(node.clone()));
                for i in &making {
                    self.edge(Task::Settle(needed.clone()), Task::Make(*i));
                    if is_staged(&self.changes[*i]) {
                        self.edge(Task::Settle(needed.clone()), Task::Stage(*i));
                    }
                }
            }
        }
    }

    /// New target groups stand beside the old ones, then what serves in them is ready, then the traffic moves, then
    /// what served in the old ones lets go of them.
    fn moving(&mut self, moves: &[Move]) {
        for Move { route, server } in moves {
            let ready = self.begins(*server);
            if is_staged(&self.changes[*route]) {
                self.edge_unless_cycle(Task::Stage(*route), ready.clone());
            }
            self.edge_unless_cycle(ready.clone(), Task::Make(*route));
            if is_staged(&self.changes[*server]) {
                self.edge_unless_cycle(Task::Make(*route), Task::Make(*server));
            }
        }
    }

    fn begins(&self, change: usize) -> Task {
        if is_staged(&self.changes[change]) { Task::Stage(change) } else { Task::Make(change) }
    }

    /// Where it begins to take away what serves.
    fn goes(&self, change: usize) -> Task {
        if self.changes[change].action == Action::Delete { Task::Remove(change) } else { Task::Make(change) }
    }

    /// Where the declarations already say the opposite, they hold.
    fn edge_unless_cycle(&mut self, first: Task, then: Task) {
        let (a, b) = (self.task(first.clone()), self.task(then.clone()));
        if !has_path_connecting(&self.dag, b, a, None) {
            self.edge(first, then);
        }
    }

    fn making_at(&self, name: &str) -> Vec<usize> {
        let all = self.by_name.get(name).cloned().unwrap_or_default();
        all.into_iter().filter(|i| makes(&self.changes[*i])).collect()
    }

    fn removing(&mut self) {
        for (i, change) in self.changes.iter().enumerate() {
            if !removes(change) {
                continue;
            }
            self.task(Task::Remove(i));
            if change.action == Action::Replace {
                if change.create_before_destroy {
                    self.edge(Task::Make(i), Task::Remove(i));
                } else {
                    self.edge(Task::Remove(i), Task::Make(i));
                }
            }
        }
        for (user, change) in self.changes.iter().enumerate() {
            for name in change.depends_on.iter() {
                self.order_removals(user, name);
            }
        }
        for Move { route, server } in rolling_on_defaults(self.changes) {
            for name in self.changes[route].depends_on.iter() {
                self.order_removals(server, name);
            }
        }
    }

    /// `user` was made from all that have this name. Between what only goes stands one task a name: pairs would
    /// be as many as instances times instances.
    fn order_removals(&mut self, user: usize, name: &str) {
        let Some(used) = self.by_name.get(name) else { return };
        let changes = self.changes;
        let (gone, others): (Vec<usize>, Vec<usize>) =
            used.iter().copied().partition(|i| changes[*i].action == Action::Delete);
        let only_goes = changes[user].action == Action::Delete && !gone.contains(&user);
        if only_goes && !gone.is_empty() {
            let unused = Task::Unused(name.to_owned());
            if !self.at.contains_key(&unused) {
                for used in gone {
                    self.edge(unused.clone(), Task::Remove(used));
                }
            }
            self.edge(Task::Remove(user), unused);
        } else {
            gone.into_iter().for_each(|used| self.order_removal(user, used));
        }
        others.into_iter().for_each(|used| self.order_removal(user, used));
    }

    /// What a role may do goes after all that runs with it: a service whose role has lost its policies drains for ever
    /// (CreateService's documentation, `role`), and nothing else orders the two.
    fn permissions_last(&mut self) {
        let changes = self.changes;
        let of = |types: &'static [&'static str]| {
            (0..changes.len()).filter(move |i| types.contains(&&*changes[*i].address.type_name))
        };
        let policies: Vec<usize> = of(PERMISSIONS).filter(|i| changes[*i].action == Action::Delete).collect();
        if policies.is_empty() {
            return;
        }
        let needs = self.all_needs();
        for user in of(RUNNING) {
            let ends = match changes[user].action {
                Action::Delete => Task::Remove(user),
                Action::Update => Task::Make(user),
                _ => continue,
            };
            let used: BTreeSet<String> =
                reached([user], &needs).into_iter().map(|i| without_keys(&changes[i].address)).collect();
            let roles = |policy: &usize| {
                let of_role = |name: &&String| name.contains("aws_iam_role.");
                changes[*policy].depends_on.iter().filter(of_role).any(|role| used.contains(role))
            };
            for policy in policies.iter().copied().filter(roles) {
                self.edge_unless_cycle(ends.clone(), Task::Remove(policy));
            }
        }
    }

    /// A rollout takes from the old to the new (hosts into other subnets). What goes only because there is a new
    /// one, and what lives beside it, stays until the rollout is through: it may still be needed, and while
    /// hosts use it AWS would not let it go.
    fn rollouts_first(&mut self) {
        let rolls = |c: &Arc<Change>| c.action == Action::Update && !c.rollout.is_empty();
        if !self.changes.iter().any(rolls) {
            return;
        }
        let needs = self.all_needs();
        let needed_by: BTreeSet<(usize, usize)> = needs.iter().map(|(user, used)| (*used, *user)).collect();
        let changes = self.changes;
        let anew = |i: usize| changes[i].action == Action::Replace && changes[i].create_before_destroy;
        for (user, change) in changes.iter().enumerate() {
            if change.action != Action::Update || change.rollout.is_empty() {
                continue;
            }
            let made_from = reached([user], &needs).into_iter().filter(|i| anew(*i));
            let around = reached(made_from, &needed_by);
            let make = self.task(Task::Make(user));
            let before = self.all_before(make);
            for going in around.into_iter().filter(|i| changes[*i].action == Action::Delete || anew(*i)) {
                let remove = self.task(Task::Remove(going));
                if !before.contains(&remove) {
                    self.dag.update_edge(make, remove, ());
                }
            }
        }
    }

    /// Itself and all that must be done before it.
    fn all_before(&self, task: NodeIndex) -> BTreeSet<NodeIndex> {
        let reversed = Reversed(&self.dag);
        let mut walk = Dfs::new(reversed, task);
        std::iter::from_fn(|| walk.next(reversed)).collect()
    }

    /// (user, used) for all pairs of changes where the live user was made from the used one.
    fn all_needs(&self) -> BTreeSet<(usize, usize)> {
        let mut pairs = BTreeSet::new();
        for (user, change) in self.changes.iter().enumerate() {
            for name in change.depends_on.iter() {
                for used in self.by_name.get(name).into_iter().flatten() {
                    pairs.insert((user, *used));
                }
            }
        }
        pairs
    }

    fn order_removal(&mut self, user: usize, used: usize) {
        let (a, b) = (&self.changes[user], &self.changes[used]);
        if !removes(b) || user == used {
            return;
        }
        // An old one that outlives its replacement (a task definition) goes last, whatever it was made from.
        let outlives = a.action == Action::Replace && a.create_before_destroy;
        let blocked_by_making = b.action == Action::Replace && !b.create_before_destroy;
        if removes(a) && !(outlives && blocked_by_making) {
            self.edge(Task::Remove(user), Task::Remove(used));
        }
        // Who stays must have let go first.
        let used_goes_late = b.action == Action::Delete || b.create_before_destroy;
        if makes(a) && used_goes_late && !matches!(a.action, Action::Create) {
            self.edge(Task::Make(user), Task::Remove(used));
        }
    }
}

/// All that can be reached from some along pairs, those included.
fn reached(from: impl IntoIterator<Item = usize>, pairs: &BTreeSet<(usize, usize)>) -> BTreeSet<usize> {
    let mut found: BTreeSet<usize> = from.into_iter().collect();
    let mut open: Vec<usize> = found.iter().copied().collect();
    while let Some(at) = open.pop() {
        let next = pairs.range((at, 0)..=(at, usize::MAX)).map(|(_, to)| *to);
        open.extend(next.filter(|to| found.insert(*to)));
    }
    found
}

/// Addresses of what still waits when the schedule is cut short.
pub fn addresses<'c>(
    tasks: impl IntoIterator<Item = &'c Task>,
    changes: &'c [Arc<Change>],
) -> BTreeSet<&'c Address> {
    let of = |task: &Task| match task {
        Task::Stage(i) | Task::Make(i) | Task::Remove(i) => Some(&changes[*i].address),
        Task::Settle(_) | Task::Unused(_) => None,
    };
    tasks.into_iter().filter_map(of).collect()
}
