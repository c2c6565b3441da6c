//! Application Auto Scaling: scalable targets (the desired count of ECS services), policies with their
//! alarms, scheduled actions.
//!
//! Policies act when CloudWatch's alarms tell them.

mod dynamic;
mod policies;
pub mod schedule;
mod scheduled;
mod targets;
#[cfg(test)]
mod tests;

pub use dynamic::alarm_fired;

use super::{ApiError, Input, Operations};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Targets by `namespace|resource|dimension`, policies and actions by that and their name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    targets: BTreeMap<String, Target>,
    policies: BTreeMap<String, Policy>,
    actions: BTreeMap<String, ScheduledAction>,
    /// Newest last.
    activities: Vec<Activity>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    arn: String,
    id: Id,
    min: i64,
    max: i64,
    role: String,
    suspended: Json,
    created: Millis,
    tags: BTreeMap<String, String>,
}

/// What is scaled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Id {
    namespace: String,
    resource: String,
    dimension: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Policy {
    arn: String,
    name: String,
    id: Id,
    kind: String,
    /// `TargetTrackingScalingPolicyConfiguration` and its like.
    configuration: (String, Json),
    /// Names of the CloudWatch alarms that were made for it.
    alarms: Vec<String>,
    created: Millis,
    /// When it last scaled, and whether out.
    #[serde(default)]
    scaled: Option<(Millis, bool)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScheduledAction {
    arn: String,
    name: String,
    id: Id,
    schedule: String,
    timezone: Option<String>,
    start: Option<Millis>,
    end: Option<Millis>,
    change: Option<Json>,
    created: Millis,
    /// The time for which it is planned; an event for another time is stale.
    due: Option<Millis>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Activity {
    activity: String,
    id: Id,
    description: String,
    cause: String,
    at: Millis,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The count of a target is brought between its bounds.
    Clamp { target: String },
    /// A scheduled action is due.
    Run { action: String, at: Millis },
}

pub const OPERATIONS: Operations = &[
    ("DeleteScalingPolicy", policies::delete_scaling_policy),
    ("DeleteScheduledAction", scheduled::delete_scheduled_action),
    ("DeregisterScalableTarget", targets::deregister_scalable_target),
    ("DescribeScalableTargets", targets::describe_scalable_targets),
    ("DescribeScalingActivities", targets::describe_scaling_activities),
    ("DescribeScalingPolicies", policies::describe_scaling_policies),
    ("DescribeScheduledActions", scheduled::describe_scheduled_actions),
    ("ListTagsForResource", targets::list_tags_for_resource),
    ("PutScalingPolicy", policies::put_scaling_policy),
    ("PutScheduledAction", scheduled::put_scheduled_action),
    ("RegisterScalableTarget", targets::register_scalable_target),
    ("TagResource", targets::tag_resource),
    ("UntagResource", targets::untag_resource),
];

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Clamp { target } => targets::clamp(world, &target),
        Event::Run { action, at } => scheduled::due(world, &action, at),
    }
}

impl Id {
    fn of(input: &Json) -> Result<Id, ApiError> {
        let text = |name: &str| input.text(name).unwrap_or_default().to_owned();
        let id = Id {
            namespace: text("ServiceNamespace"),
            resource: text("ResourceId"),
            dimension: text("ScalableDimension"),
        };
        let fits = id.dimension.starts_with(&format!("{}:", id.namespace));
        let parts: Vec<&str> = id.resource.split('/').collect();
        let shaped = id.namespace != "ecs" || matches!(parts.as_slice(), ["service", _, _]);
        if !fits || !shaped || id.resource.is_empty() {
            return Err(validation(format!(
                "Unsupported service namespace, resource type or scalable dimension: {}, {}, {}",
                id.namespace, id.resource, id.dimension
            )));
        }
        Ok(id)
    }

    fn key(&self) -> String {
        format!("{}|{}|{}", self.namespace, self.resource, self.dimension)
    }

    fn named(&self, name: &str) -> String {
        format!("{}|{name}", self.key())
    }

    /// Cluster and service of `service/cluster/name`.
    fn service(&self) -> Option<(&str, &str)> {
        self.resource.strip_prefix("service/")?.split_once('/').filter(|_| self.namespace == "ecs")
    }

    fn words(&self) -> String {
        format!(
            "service namespace: {}, resource ID: {}, scalable dimension: {}",
            self.namespace, self.resource, self.dimension
        )
    }

    /// Whether the filters of a Describe call let this through.
    fn matches(&self, input: &Json, resources: &[&str]) -> bool {
        let same = |name: &str, own: &str| input.text(name).is_none_or(|wanted| wanted == own);
        same("ServiceNamespace", &self.namespace)
            && same("ResourceId", &self.resource)
            && same("ScalableDimension", &self.dimension)
            && (resources.is_empty() || resources.contains(&self.resource.as_str()))
    }

    fn lay(&self, view: &mut Json) {
        view["ServiceNamespace"] = json!(self.namespace);
        view["ResourceId"] = json!(self.resource);
        view["ScalableDimension"] = json!(self.dimension);
    }
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationException", message)
}

fn not_found(what: &str, id: &Id) -> ApiError {
    ApiError::new("ObjectNotFoundException", format!("No {what} found for {}", id.words()))
}

/// At most 50 a page here.
fn paged(input: &Json, name: &str, items: Vec<Json>) -> Json {
    let limit = input.int("MaxResults").unwrap_or(50).clamp(1, 50) as usize;
    let (items, next) = super::page(items, input.text("NextToken"), limit);
    let mut answer = json!({name: items});
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}

fn millis(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
