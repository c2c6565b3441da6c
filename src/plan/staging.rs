//! Traffic that moves to other target groups: what serves in them is ready before, and what served stays until
//! after. Who takes part in such a move, and which of them are brought to a state between old and new first.

use super::{Action, Change};
use crate::aws::RolloutStep;
use crate::provider::Provider;
use crate::state::without_keys;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The first step of a rollout that is carried out before those of others: see [`crate::aws::AwsType::between`].
pub const STAGE: &str = "stage";

const ROUTES: &[&str] =
    &["aws_lb_listener", "aws_lb_listener_rule", "aws_alb_listener", "aws_alb_listener_rule"];
const SERVES: &[&str] = &["aws_ecs_service", "aws_autoscaling_group"];
const GROUPS: &[&str] = &["aws_lb_target_group.", "aws_alb_target_group."];

/// One route whose traffic moves, and one that serves in its target groups: indexes of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    pub route: usize,
    pub server: usize,
}

pub fn is_staged(change: &Change) -> bool {
    change.rollout.first().is_some_and(|step| step.name == STAGE)
}

/// Target groups by address, without instance keys.
fn groups(change: &Change) -> BTreeSet<&str> {
    let named =
        |name: &&str| GROUPS.iter().any(|kind| name.starts_with(kind) || name.contains(&format!(".{kind}")));
    change.depends_on.iter().map(String::as_str).filter(named).collect()
}

/// All pairs. A route that is made from what serves is not among them: its order is declared.
pub fn moves(changes: &[Arc<Change>]) -> Vec<Move> {
    let is = |change: &Change, kinds: &[&str]| kinds.contains(&&*change.address.type_name);
    let mut moves = Vec::new();
    let servers: Vec<(usize, &Arc<Change>)> =
        changes.iter().enumerate().filter(|(_, s)| is(s, SERVES)).collect();
    for (route, r) in changes.iter().enumerate() {
        if r.action != Action::Update || r.rollout.is_empty() || !is(r, ROUTES) {
            continue;
        }
        let routed = groups(r);
        for &(server, s) in &servers {
            let works = match s.action {
                Action::Update => {
                    !s.rollout.is_empty() || s.attributes.iter().any(|a| a.name == "target_group_arns")
                }
                Action::Create => true,
                Action::Replace => s.create_before_destroy,
                _ => false,
            };
            let ordered = r.depends_on.contains(&without_keys(&s.address));
            if works && !ordered && !routed.is_disjoint(&groups(s)) {
                moves.push(Move { route, server });
            }
        }
    }
    moves
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

/// The changes that take part in a move and have a state between, with the step that brings them there.
pub fn staged(changes: &[Arc<Change>], provider: &dyn Provider) -> Vec<Change> {
    let taking_part: BTreeSet<usize> = moves(changes).into_iter().flat_map(|m| [m.route, m.server]).collect();
    let stage = |i: usize| {
        let change = &changes[i];
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
