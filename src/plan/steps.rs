//! The numbered steps of a plan's rollouts: what leads up to them, what they do, what they wait on.

use super::{Action, Change, Plan};
use crate::addr::Address;
use crate::aws::{RolloutStep, Serving};
use crate::state::without_keys;
use std::collections::BTreeSet;

/// One rollout as people read it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rollout {
    pub address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
    pub steps: Vec<NumberedStep>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NumberedStep {
    pub number: usize,
    pub address: Address,
    #[serde(flatten)]
    pub step: RolloutStep,
}

impl Rollout {
    /// How its steps are taken back, each way once.
    pub fn ways_back(&self) -> BTreeSet<&str> {
        self.steps.iter().filter_map(|one| one.step.back.as_deref()).collect()
    }
}

/// All rollouts of a plan, by address.
pub fn rollouts(plan: &Plan) -> Vec<Rollout> {
    let each = plan.changes.iter().filter(|c| !c.rollout.is_empty());
    each.map(|change| Rollout {
        address: change.address.clone(),
        serving: change.rollout.iter().find_map(|step| step.serving.clone()),
        steps: steps(plan, change),
    })
    .collect()
}

fn steps(plan: &Plan, change: &Change) -> Vec<NumberedStep> {
    let mut steps: Vec<(Address, RolloutStep)> = Vec::new();
    let causes: Vec<&Change> = plan.changes.iter().map(|c| &**c).filter(|c| leads_up(c, change)).collect();
    for cause in &causes {
        steps.push((cause.address.clone(), RolloutStep::new("prepare", preparation(cause))));
    }
    for step in &change.rollout {
        steps.push((change.address.clone(), RolloutStep { serving: None, ..step.clone() }));
    }
    for cause in causes.iter().filter(|c| c.action == Action::Replace && c.create_before_destroy) {
        steps.push((cause.address.clone(), RolloutStep::new("clean-up", cleanup(cause))));
    }
    let number = |(i, (address, step))| NumberedStep { number: i + 1, address, step };
    steps.into_iter().enumerate().map(number).collect()
}

/// Whether `cause` is a versioned thing that this rollout moves to: a template or a task definition.
fn leads_up(cause: &Change, change: &Change) -> bool {
    const VERSIONED: &[&str] = &["aws_launch_template", "aws_ecs_task_definition"];
    let needed: &BTreeSet<String> = &change.depends_on;
    VERSIONED.contains(&&*cause.address.type_name)
        && matches!(cause.action, Action::Create | Action::Update | Action::Replace)
        && needed.contains(&without_keys(&cause.address))
}

fn preparation(cause: &Change) -> String {
    let family = |name: &str| cause.after.value(name).and_then(|v| v.as_str().map(str::to_owned));
    match (&*cause.address.type_name, cause.action) {
        ("aws_launch_template", Action::Update) => {
            format!("create a new version of launch template {}", cause.id.as_deref().unwrap_or("(new)"))
        }
        ("aws_ecs_task_definition", _) => {
            format!(
                "register a new revision of {}",
                family("family").unwrap_or_else(|| "the task definition".into())
            )
        }
        _ => format!("create {}", cause.address),
    }
}

fn cleanup(cause: &Change) -> String {
    match &*cause.address.type_name {
        "aws_ecs_task_definition" => "deregister the old revision".to_owned(),
        _ => format!("delete the old {}", cause.address),
    }
}
