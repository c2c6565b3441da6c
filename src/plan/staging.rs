//! Traffic that moves to other target groups: what serves in them is ready before, and what served stays until
//! after. Who takes part in such a move, and which of them are brought to a state between old and new first.

use super::{Action, Change};
use crate::aws::RolloutStep;
use crate::provider::Provider;
use crate::schema::{Object, blocks_in};
use crate::state::without_keys;
use crate::value::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first step of a rollout that is carried out before those of others: see [`crate::aws::AwsType::between`].
pub const STAGE: &str = "stage";

/// What moves from one thing to another: who says where to, who is there, and by what both are bound.
struct Kind {
    routes: &'static [&'static str],
    serves: &'static [&'static str],
    shared: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    // Traffic, between target groups.
    Kind {
        routes: &["aws_lb_listener", "aws_lb_listener_rule", "aws_alb_listener", "aws_alb_listener_rule"],
        serves: &["aws_ecs_service", "aws_autoscaling_group"],
        shared: &["aws_lb_target_group.", "aws_alb_target_group."],
    },
    // Tasks, between capacity providers.
    Kind {
        routes: &["aws_ecs_cluster_capacity_providers"],
        serves: &["aws_ecs_service"],
        shared: &["aws_ecs_capacity_provider."],
    },
];

impl Kind {
    fn has_server(&self, change: &Change) -> bool {
        self.serves.contains(&&*change.address.type_name)
    }

    /// What a change is bound to, by address without instance keys.
    fn shared<'c>(&self, change: &'c Change) -> BTreeSet<&'c str> {
        let named = |name: &&str| {
            self.shared.iter().any(|kind| name.starts_with(kind) || name.contains(&format!(".{kind}")))
        };
        change.depends_on.iter().map(String::as_str).filter(named).collect()
    }
}

/// One route whose traffic (or tasks) moves, and one that serves where it leads: indexes of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    pub route: usize,
    pub server: usize,
}

pub fn is_staged(change: &Change) -> bool {
    change.rollout.first().is_some_and(|step| step.name == STAGE)
}

/// All pairs. A route that is made from what serves is not among them: its order is declared.
pub fn moves(changes: &[Arc<Change>]) -> Vec<Move> {
    let moves = KINDS.iter().flat_map(|kind| moves_of(kind, changes));
    let leads_elsewhere = |pair: &Move| {
        let route = &changes[pair.route];
        route.action == Action::Update && route.attributes.iter().any(|a| a.name == "capacity_providers")
    };
    let rolling = rolling_on_defaults(changes).into_iter().filter(leads_elsewhere);
    moves.chain(behind_balancers(changes)).chain(on_defaults(changes)).chain(rolling).collect()
}

/// What a cluster may use, and a service there that took its default strategy when it was made: nothing says that it
/// is made from those capacity providers.
fn defaults(changes: &[Arc<Change>]) -> Vec<Move> {
    let of =
        |kind: &'static str| changes.iter().enumerate().filter(move |(_, c)| &*c.address.type_name == kind);
    let name = |c: &Change, attribute: &str| {
        let value = c.before.as_ref()?.value(attribute)?.as_str()?;
        value.rsplit('/').next().map(str::to_owned)
    };
    let mut pairs = Vec::new();
    for (server, service) in of("aws_ecs_service").filter(|(_, s)| took_default(s)) {
        let cluster = name(service, "cluster");
        let own = |c: &Change| cluster.is_some() && name(c, "cluster_name") == cluster;
        let routes = of("aws_ecs_cluster_capacity_providers").filter(|(_, c)| own(c));
        pairs.extend(routes.map(|(route, _)| Move { route, server }));
    }
    pairs
}

/// Those of [`defaults`] whose service is on a capacity provider that now leaves the cluster: AWS does not let it go
/// before they place their tasks by others.
pub fn on_defaults(changes: &[Arc<Change>]) -> Vec<Move> {
    let mut pairs = defaults(changes);
    pairs.retain(|Move { route, server }| {
        let live = changes[*server].before.as_ref().and_then(|live| live.value("capacity_provider_strategy"));
        let leaving = leaving(&changes[*route], changes);
        changes[*route].action == Action::Update
            && live.is_some_and(|live| live.texts().iter().any(|text| leaving.contains(*text)))
    });
    pairs
}

/// Those of [`defaults`] whose service rolls out: until it has, hosts of a provider that goes may still run its tasks.
pub fn rolling_on_defaults(changes: &[Arc<Change>]) -> Vec<Move> {
    let mut pairs = defaults(changes);
    let rolls = |c: &Change| c.action == Action::Update && !c.rollout.is_empty();
    pairs.retain(|pair| rolls(&changes[pair.server]));
    pairs
}

/// The capacity providers that a cluster has and is about to lose: to new ones, where those are not known yet.
fn leaving<'c>(cluster: &'c Change, changes: &'c [Arc<Change>]) -> BTreeSet<&'c str> {
    let list = |object: &'c crate::schema::Object| object.value("capacity_providers");
    let has = cluster.before.as_ref().and_then(list).map(|v| v.texts()).unwrap_or_default();
    let goes = |name: &str| {
        changes.iter().filter(|c| &*c.address.type_name == "aws_ecs_capacity_provider").any(|c| {
            let own = c.before.as_ref().and_then(|live| live.value("name")?.as_str());
            matches!(c.action, Action::Replace | Action::Delete) && own == Some(name)
        })
    };
    let kept = list(&cluster.after).filter(|listed| listed.is_wholly_known()).map(|listed| listed.texts());
    let left = |name: &&str| kept.as_ref().map_or_else(|| goes(name), |kept| !kept.contains(name));
    has.into_iter().filter(left).collect()
}

/// Whether a service that ECS deploys says nothing of its capacity.
fn took_default(service: &Change) -> bool {
    let silent = |name: &str| service.desired.value(name).is_none_or(crate::value::Value::is_null);
    let empty =
        |name: &str| service.desired.value(name).is_none_or(|v| v.as_slice().is_none_or(<[_]>::is_empty));
    let by_ecs =
        service.desired.value("deployment_controller").is_none_or(|c| !c.texts().contains(&"CODE_DEPLOY"));
    matches!(service.action, Action::None | Action::Update)
        && empty("capacity_provider_strategy")
        && silent("launch_type")
        && by_ecs
}

/// A load balancer that gets new security groups keeps the old ones until all that is behind it has rolled out: what
/// runs now lets in only what comes from those.
fn behind_balancers(changes: &[Arc<Change>]) -> Vec<Move> {
    let anew = |c: &&Arc<Change>| {
        &*c.address.type_name == "aws_security_group"
            && c.action == Action::Replace
            && c.create_before_destroy
    };
    let groups: BTreeSet<String> = changes.iter().filter(anew).map(|c| without_keys(&c.address)).collect();
    let moves = |c: &Change| {
        ["aws_lb", "aws_alb"].contains(&&*c.address.type_name)
            && c.action == Action::Update
            && !groups.is_disjoint(&c.depends_on)
    };
    let rolls = |c: &Change| c.action == Action::Update && !c.rollout.is_empty() && KINDS[0].has_server(c);
    let mut pairs = Vec::new();
    for (route, balancer) in changes.iter().enumerate().filter(|(_, c)| moves(c)) {
        let behind = changes.iter().enumerate().filter(|(_, c)| rolls(c));
        let free = behind.filter(|(_, c)| !balancer.depends_on.contains(&without_keys(&c.address)));
        pairs.extend(free.map(|(server, _)| Move { route, server }));
    }
    pairs
}

fn moves_of(kind: &Kind, changes: &[Arc<Change>]) -> Vec<Move> {
    let of = |types: &'static [&'static str]| {
        changes.iter().enumerate().filter(move |(_, c)| types.contains(&&*c.address.type_name))
    };
    let leads_elsewhere =
        |r: &Change| !r.rollout.is_empty() || r.attributes.iter().any(|a| a.name == "capacity_providers");
    let leaving: BTreeSet<Move> = leaving_traffic(changes).into_iter().collect();
    let mut moves = Vec::new();
    for (route, r) in of(kind.routes).filter(|(_, r)| r.action == Action::Update && leads_elsewhere(r)) {
        let routed = kind.shared(r);
        for (server, s) in of(kind.serves) {
            let works = match s.action {
                Action::Update if leaving.contains(&Move { route, server }) => false,
                Action::Update if grows(s) == Some(true) => true,
                Action::Update => {
                    !s.rollout.is_empty() || s.attributes.iter().any(|a| a.name == "target_group_arns")
                }
                Action::Create => true,
                Action::Replace => s.create_before_destroy,
                _ => false,
            };
            let ordered = r.depends_on.contains(&without_keys(&s.address));
            if works && !ordered && !routed.is_disjoint(&kind.shared(s)) {
                moves.push(Move { route, server });
            }
        }
    }
    moves
}

/// Whether what serves gets larger (true) or smaller; None where it stays as large as it is, or nobody can say.
fn grows(server: &Change) -> Option<bool> {
    let sizes: &[&str] = match &*server.address.type_name {
        "aws_autoscaling_group" => &["desired_capacity", "max_size", "min_size"],
        "aws_ecs_service" => &["desired_count"],
        _ => return None,
    };
    let changes = |name: &str| server.attributes.iter().any(|a| a.name == name);
    let (count, changed) = (sizes[0], sizes.iter().any(|name| changes(name)));
    let number = |object: &Object, name: &str| object.value(name).and_then(Value::as_i64);
    let live = number(server.before.as_ref().filter(|_| changed)?, count)?;
    let asked = number(&server.after, count).filter(|_| changes(count)).unwrap_or(live);
    let least = number(&server.after, "min_size").unwrap_or(i64::MIN);
    let most = number(&server.after, "max_size").unwrap_or(i64::MAX);
    let wanted = asked.max(least).min(most);
    (wanted != live).then_some(wanted > live)
}

/// ARNs of the target groups to which a listener or rule gives a weight.
pub fn weighted(route: &Object) -> BTreeSet<String> {
    let inner = |object: &Object, name: &str| -> Vec<Object> {
        object.value(name).map(blocks_in).unwrap_or_default().iter().filter_map(Object::of).collect()
    };
    let text = |object: &Object, name: &str| Some(object.value(name)?.as_str()?.to_owned());
    let mut found = BTreeSet::new();
    for action in ["action", "default_action"].into_iter().flat_map(|name| inner(route, name)) {
        found.extend(text(&action, "target_group_arn"));
        for group in inner(&action, "forward").iter().flat_map(|forward| inner(forward, "target_group")) {
            let weight = group.value("weight").and_then(Value::as_i64).unwrap_or(1);
            found.extend(text(&group, "arn").filter(|_| weight > 0));
        }
    }
    found
}

/// What gets smaller or goes, where traffic moves away from it: not before it has. What takes part in the move with
/// something new has its own order, and where the traffic stays nothing waits for it.
pub fn leaving_traffic(changes: &[Arc<Change>]) -> Vec<Move> {
    let kind = &KINDS[0];
    let moves_traffic = |r: &Change| {
        kind.routes.contains(&&*r.address.type_name) && r.action == Action::Update && !r.rollout.is_empty()
    };
    let mut pairs = Vec::new();
    for (route, r) in changes.iter().enumerate().filter(|(_, r)| moves_traffic(r)) {
        let keeps = weighted(&r.after);
        for (server, s) in changes.iter().enumerate().filter(|(_, s)| kind.has_server(s)) {
            let goes = match s.action {
                Action::Update => grows(s) == Some(false) && !is_staged(s),
                Action::Delete => true,
                _ => false,
            };
            let had = r.before.as_ref().map(weighted).unwrap_or_default();
            let behind = serves_in(s);
            if goes && !behind.is_disjoint(&had) && behind.is_disjoint(&keeps) {
                pairs.push(Move { route, server });
            }
        }
    }
    pairs
}

/// ARNs of the target groups in which it serves now.
fn serves_in(server: &Change) -> BTreeSet<String> {
    let live = server.before.as_ref();
    let named = ["target_group_arns", "load_balancer"].iter().filter_map(|name| live?.value(name));
    let texts = named.flat_map(|value| value.texts());
    texts.filter(|text| text.contains(":targetgroup/")).map(str::to_owned).collect()
}

/// What is nothing without its parts: a new one stands ready only when those are there.
const PARTS: &[(&str, &[&str])] = &[
    (
        "aws_security_group",
        &[
            "aws_security_group_rule",
            "aws_vpc_security_group_egress_rule",
            "aws_vpc_security_group_ingress_rule",
        ],
    ),
    ("aws_route_table", &["aws_route"]),
];

/// Pairs of (part, user) of what is made anew while the old one is in use: a user that only changes moves to the new
/// one after its parts are made.
pub fn parts_first(changes: &[Arc<Change>]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let anew = |c: &&Arc<Change>| c.action == Action::Replace && c.create_before_destroy;
    for whole in changes.iter().filter(anew) {
        let Some((_, kinds)) = PARTS.iter().find(|(kind, _)| *kind == &*whole.address.type_name) else {
            continue;
        };
        let name = without_keys(&whole.address);
        let of_it: Vec<(usize, &Arc<Change>)> =
            changes.iter().enumerate().filter(|(_, c)| c.depends_on.contains(&name)).collect();
        let is_part = |c: &Change| kinds.contains(&&*c.address.type_name);
        let parts =
            of_it.iter().filter(|(_, c)| is_part(c) && matches!(c.action, Action::Create | Action::Replace));
        for (part, _) in parts {
            let users = of_it.iter().filter(|(_, c)| !is_part(c) && c.action == Action::Update);
            pairs.extend(users.map(|(user, _)| (*part, *user)));
        }
    }
    pairs
}

/// Groups and services that both roll out in one cluster: (group, service). Hosts first: what is deployed then starts on
/// new ones, and stays there.
pub fn on_hosts(changes: &[Arc<Change>]) -> Vec<(usize, usize)> {
    let text =
        |change: &Change, name: &str| change.after.value(name).and_then(|v| v.as_str().map(str::to_owned));
    let of =
        |kind: &'static str| changes.iter().enumerate().filter(move |(_, c)| &*c.address.type_name == kind);
    let rolls = |change: &Change| change.action == Action::Update && !change.rollout.is_empty();
    let mut pairs = Vec::new();
    for (group, g) in of("aws_autoscaling_group").filter(|(_, g)| rolls(g)) {
        let Some(arn) = text(g, "arn") else { continue };
        let provides = |p: &Change| {
            p.after.value("auto_scaling_group_provider").is_some_and(|v| v.texts().contains(&*arn))
        };
        let providers: BTreeSet<String> = of("aws_ecs_capacity_provider")
            .filter(|(_, p)| provides(p))
            .filter_map(|(_, p)| text(p, "name"))
            .collect();
        let attached = |a: &Change| {
            let listed = a.after.value("capacity_providers");
            listed.is_some_and(|listed| listed.texts().iter().any(|name| providers.contains(*name)))
        };
        let clusters: BTreeSet<String> = of("aws_ecs_cluster_capacity_providers")
            .filter(|(_, a)| attached(a))
            .filter_map(|(_, a)| text(a, "cluster_name"))
            .collect();
        let inside = |s: &Change| {
            text(s, "cluster").is_some_and(|c| clusters.contains(c.rsplit('/').next().unwrap_or(&c)))
        };
        pairs.extend(
            of("aws_ecs_service").filter(|(_, s)| rolls(s) && inside(s)).map(|(service, _)| (group, service)),
        );
    }
    pairs
}

fn following_default(change: &Change) -> Change {
    let mut staged = Change::clone(change);
    if staged.action == Action::None {
        staged.action = Action::Update;
        staged.reason = Some(super::Reason::FollowsDefault);
    }
    let text = "place its tasks by the new default capacity providers of its cluster";
    staged.rollout.insert(0, RolloutStep::new(STAGE, text).gate("all of it is in service"));
    staged
}

/// The changes that take part in a move and have a state between, with the step that brings them there.
pub fn staged(changes: &[Arc<Change>], provider: &dyn Provider) -> Vec<Change> {
    let taking_part: BTreeSet<usize> = moves(changes).into_iter().flat_map(|m| [m.route, m.server]).collect();
    let following: BTreeSet<usize> = on_defaults(changes).into_iter().map(|m| m.server).collect();
    let stage = |i: usize| {
        let change = &changes[i];
        if following.contains(&i) && !is_staged(change) {
            return Some(following_default(change));
        }
        let live =
            change.before.as_ref().filter(|_| change.action == Action::Update && !is_staged(change))?;
        let names = change.changed_names();
        let between = provider.between(&change.address.type_name, live, &change.desired, &names)?;
        let mut staged = Change::clone(change);
        staged.rollout.insert(0, RolloutStep::new(STAGE, between.text).gate("all of it is in service"));
        Some(staged)
    };
    taking_part.into_iter().filter_map(stage).collect()
}
