//! Proves on the order of an apply that nobody loses what serves them: what goes, goes after all that need it have
//! let go; what carries traffic stays until its replacement is in service. Where the order does not say so, that is told.

use super::schedule::{Schedule, Task};
use super::staging::{is_staged, leaving_traffic, moves, on_hosts};
use super::{Action, Change};
use crate::addr::Address;
use crate::schema::Object;
use crate::state::without_keys;
use crate::value::Value;
use petgraph::graph::NodeIndex;
use petgraph::visit::{Dfs, Reversed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the order of the steps does not keep from happening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    pub address: Address,
    pub why: String,
}

/// `first` must be done before `then`, or `why` happens to `address`.
struct Obligation {
    first: Task,
    then: Task,
    unproven: Unproven,
}

/// Indexes of changes are those that the schedule was made with.
pub fn check(schedule: &Schedule, changes: &[Arc<Change>]) -> Vec<Unproven> {
    let mut found: Vec<Unproven> = changes.iter().filter_map(|c| gap(c)).collect();
    found.extend(changes.iter().filter_map(|c| unproven_group(c)));
    let mut owed: BTreeMap<Task, Vec<Obligation>> = BTreeMap::new();
    let all = let_go(changes).into_iter().chain(moved(changes)).chain(hosts_first(changes));
    for one in all {
        owed.entry(one.then.clone()).or_default().push(one);
    }
    let at: BTreeMap<&Task, NodeIndex> = schedule.node_indices().map(|i| (&schedule[i], i)).collect();
    for (then, owed) in owed {
        let before = at.get(&then).map(|i| all_before(schedule, *i)).unwrap_or_default();
        let kept = |first: &Task| at.get(first).is_none_or(|i| before.contains(i));
        found.extend(owed.into_iter().filter(|one| !kept(&one.first)).map(|one| one.unproven));
    }
    found
}

fn all_before(schedule: &Schedule, task: NodeIndex) -> BTreeSet<NodeIndex> {
    let reversed = Reversed(schedule);
    let mut walk = Dfs::new(reversed, task);
    std::iter::from_fn(|| walk.next(reversed)).collect()
}

fn begins(changes: &[Arc<Change>], i: usize) -> Task {
    if is_staged(&changes[i]) { Task::Stage(i) } else { Task::Make(i) }
}

/// Whether it carries requests, or what does: how many, where that is a number.
fn carries(change: &Change, live: &Object) -> bool {
    let some = |name: &str| live.value(name).and_then(Value::as_i64).is_some_and(|n| n > 0);
    match &*change.address.type_name {
        "aws_ecs_service" => some("desired_count"),
        "aws_autoscaling_group" => some("desired_capacity"),
        "aws_lb" | "aws_alb" => true,
        "aws_lb_target_group" | "aws_alb_target_group" => {
            live.value("load_balancer_arns").is_some_and(|arns| !arns.texts().is_empty())
        }
        _ => false,
    }
}

/// Destroyed before there is a new one.
fn gap(change: &Change) -> Option<Unproven> {
    let live = change.before.as_ref()?;
    let first = change.action == Action::Replace && !change.create_before_destroy;
    (first && carries(change, live)).then(|| Unproven {
        address: change.address.clone(),
        why: "it is destroyed before the new one is made: nothing serves in its place until that is ready"
            .into(),
    })
}

/// Traffic that moves without a look at where it goes.
fn unproven_group(change: &Change) -> Option<Unproven> {
    let mut steps = change.rollout.iter();
    let shift = change.rollout.iter().position(|step| step.name.starts_with("shift-"))?;
    let proven = steps.position(|step| step.name == "prove-healthy").is_some_and(|at| at < shift);
    (!proven).then(|| Unproven {
        address: change.address.clone(),
        why: "its traffic moves to target groups that nothing has proven healthy".into(),
    })
}

/// Who stays has let go of what is removed.
fn let_go(changes: &[Arc<Change>]) -> Vec<Obligation> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let goes_late = |c: &Change| match c.action {
        Action::Delete => true,
        Action::Replace => c.create_before_destroy,
        _ => false,
    };
    for (i, _) in changes.iter().enumerate().filter(|(_, c)| goes_late(c)) {
        by_name.entry(without_keys(&changes[i].address)).or_default().push(i);
    }
    let mut owed = Vec::new();
    let stays = |c: &Change| matches!(c.action, Action::Update | Action::Replace);
    for (user, u) in changes.iter().enumerate().filter(|(_, u)| stays(u)) {
        for used in u.depends_on.iter().flat_map(|name| by_name.get(name).into_iter().flatten()) {
            let unproven = Unproven {
                address: changes[*used].address.clone(),
                why: format!("it is deleted while {} may still use it", u.address),
            };
            owed.push(Obligation { first: Task::Make(user), then: Task::Remove(*used), unproven });
        }
    }
    owed
}

/// Traffic moves to what is ready, and what has served stays until it has moved.
fn moved(changes: &[Arc<Change>]) -> Vec<Obligation> {
    let mut owed = Vec::new();
    for one in moves(changes) {
        let (route, server) = (&changes[one.route].address, &changes[one.server].address);
        owed.push(Obligation {
            first: begins(changes, one.server),
            then: Task::Make(one.route),
            unproven: Unproven {
                address: route.clone(),
                why: format!("its traffic moves before {server} is ready for it"),
            },
        });
        if changes[one.server].action == Action::Replace {
            owed.push(Obligation {
                first: Task::Make(one.route),
                then: Task::Remove(one.server),
                unproven: Unproven {
                    address: server.clone(),
                    why: format!("it is deleted before {route} has moved its traffic away"),
                },
            });
        }
    }
    for one in leaving_traffic(changes) {
        let (route, server) = (&changes[one.route].address, &changes[one.server]);
        let (then, what) = match server.action {
            Action::Delete => (Task::Remove(one.server), "it is deleted"),
            _ => (Task::Make(one.server), "it gets smaller"),
        };
        let why = format!("{what} before {route} has moved its traffic away");
        let unproven = Unproven { address: server.address.clone(), why };
        owed.push(Obligation { first: Task::Make(one.route), then, unproven });
    }
    owed
}

/// Hosts and what runs on them roll one after the other: tasks move once.
fn hosts_first(changes: &[Arc<Change>]) -> Vec<Obligation> {
    let each = |(group, service): (usize, usize)| Obligation {
        first: Task::Make(group),
        then: begins(changes, service),
        unproven: Unproven {
            address: changes[service].address.clone(),
            why: format!("it is deployed while the hosts of {} roll", changes[group].address),
        },
    };
    on_hosts(changes).into_iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::RolloutStep;
    use crate::diff::{AttributeChange, Cause};
    use crate::value::Type;

    fn change(address: &str, action: Action, live: &[(&str, Value)], needs: &[&str]) -> Change {
        let mut before = Object::new();
        for (name, value) in live {
            before.put(name, Some(value.clone()));
        }
        Change {
            address: address.parse().expect("an address"),
            provider: "aws".into(),
            action,
            reason: None,
            id: None,
            before: Some(before),
            after: Object::new(),
            desired: Object::new(),
            attributes: Vec::new(),
            rollout: Vec::new(),
            previous: None,
            importing: None,
            create_before_destroy: true,
            prevent_destroy: false,
            depends_on: Arc::new(needs.iter().map(|name| (*name).to_owned()).collect()),
            applied: Default::default(),
        }
    }

    fn order(edges: &[(Task, Task)]) -> Schedule {
        let mut schedule = Schedule::new();
        let mut at = BTreeMap::new();
        for (first, then) in edges {
            let [a, b] =
                [first, then].map(|t| *at.entry(t.clone()).or_insert_with(|| schedule.add_node(t.clone())));
            schedule.add_edge(a, b, ());
        }
        schedule
    }

    fn told(schedule: &Schedule, changes: Vec<Change>) -> Vec<String> {
        let changes: Vec<Arc<Change>> = changes.into_iter().map(Arc::new).collect();
        check(schedule, &changes).into_iter().map(|one| format!("{}: {}", one.address, one.why)).collect()
    }

    #[test]
    fn what_is_deleted_goes_after_all_that_use_it() {
        let changes = || {
            vec![
                change("aws_lb_target_group.blue", Action::Delete, &[], &[]),
                change("aws_lb_listener.web", Action::Update, &[], &["aws_lb_target_group.blue"]),
            ]
        };
        let kept = order(&[(Task::Make(1), Task::Remove(0))]);
        assert_eq!(told(&kept, changes()), Vec::<String>::new());
        let turned = order(&[(Task::Remove(0), Task::Make(1))]);
        assert_eq!(
            told(&turned, changes()),
            ["aws_lb_target_group.blue: it is deleted while aws_lb_listener.web may still use it"]
        );
    }

    #[test]
    fn what_serves_is_not_destroyed_before_there_is_a_new_one() {
        let service = |tasks: i64, first: bool| {
            let mut one =
                change("aws_ecs_service.web", Action::Replace, &[("desired_count", tasks.into())], &[]);
            one.create_before_destroy = first;
            vec![one]
        };
        let none = order(&[]);
        assert!(told(&none, service(2, true)).is_empty());
        assert!(told(&none, service(0, false)).is_empty());
        assert_eq!(told(&none, service(2, false)).len(), 1);
    }

    #[test]
    fn traffic_moves_only_to_what_was_proven() {
        let listener = |steps: &[&str]| {
            let mut one = change("aws_lb_listener.web", Action::Update, &[], &[]);
            one.rollout = steps.iter().map(|name| RolloutStep::new(name, "")).collect();
            vec![one]
        };
        let none = order(&[]);
        assert!(told(&none, listener(&["prove-healthy", "shift-10", "shift-100"])).is_empty());
        assert_eq!(told(&none, listener(&["shift-10", "prove-healthy"])).len(), 1);
    }

    #[test]
    fn a_fleet_grows_before_it_gets_traffic_and_the_other_shrinks_after_it_lost_it() {
        let fleet = |name: &str, live: i64, size: i64| {
            let group = |of: &str| format!("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/{of}/1");
            let own = Value::set(Type::String, vec![group(name.rsplit('.').next().expect("a name")).into()]);
            let live = [("desired_capacity", live.into()), ("target_group_arns", own)];
            let mut one = change(name, Action::Update, &live, &["aws_lb_target_group.web"]);
            for size_of in ["desired_capacity", "max_size", "min_size"] {
                one.after.put(size_of, Some(size.into()));
                one.attributes.push(AttributeChange {
                    name: size_of.to_owned(),
                    before: None,
                    after: size.into(),
                    cause: Cause::Config,
                    replaces: false,
                    sensitive: false,
                });
            }
            one
        };
        let changes = || {
            let forward = |to: &str| {
                let arn = format!("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/{to}/1");
                let action = Value::object([("target_group_arn".into(), arn.into())].into_iter().collect());
                Value::tuple(vec![action])
            };
            let live = [("default_action", forward("blue"))];
            let mut route =
                change("aws_lb_listener.web", Action::Update, &live, &["aws_lb_target_group.web"]);
            route.after.put("default_action", Some(forward("green")));
            route.rollout = vec![RolloutStep::new("prove-healthy", ""), RolloutStep::new("shift-100", "")];
            vec![route, fleet("aws_autoscaling_group.blue", 4, 0), fleet("aws_autoscaling_group.green", 0, 4)]
        };
        let kept = order(&[(Task::Make(2), Task::Make(0)), (Task::Make(0), Task::Make(1))]);
        assert_eq!(told(&kept, changes()), Vec::<String>::new());
        let at_once = order(&[(Task::Settle(crate::graph::Node::Call(0)), Task::Make(0))]);
        let loose = {
            let mut schedule = at_once;
            schedule.add_node(Task::Make(1));
            schedule.add_node(Task::Make(2));
            schedule
        };
        assert_eq!(
            told(&loose, changes()),
            [
                "aws_lb_listener.web: its traffic moves before aws_autoscaling_group.green is ready for it",
                "aws_autoscaling_group.blue: it gets smaller before aws_lb_listener.web has moved its traffic away",
            ]
        );
    }

    #[test]
    fn a_new_service_is_ready_before_and_the_old_one_stays_until_traffic_has_moved() {
        let changes = || {
            let group = "aws_lb_target_group.web";
            let mut route = change("aws_lb_listener.web", Action::Update, &[], &[group]);
            route.rollout = vec![RolloutStep::new("prove-healthy", ""), RolloutStep::new("shift-100", "")];
            vec![route, change("aws_ecs_service.web", Action::Replace, &[], &[group])]
        };
        let kept = order(&[(Task::Make(1), Task::Make(0)), (Task::Make(0), Task::Remove(1))]);
        assert!(told(&kept, changes()).is_empty());
        let early = order(&[(Task::Make(1), Task::Make(0)), (Task::Make(1), Task::Remove(1))]);
        assert_eq!(
            told(&early, changes()),
            ["aws_ecs_service.web: it is deleted before aws_lb_listener.web has moved its traffic away"]
        );
    }
}
