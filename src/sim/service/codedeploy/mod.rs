//! CodeDeploy: applications, deployment groups, configurations and deployments. Deployments of ECS services
//! really move them: a second task set, traffic on listeners, the first one's end (see [`run`]). On-premises
//! instances and Lambda deployments are not here; nothing runs an agent, so deployments to servers fail.

mod applications;
mod appspec;
mod configs;
mod deployments;
mod groups;
mod hooks;
mod run;
mod server;
#[cfg(test)]
mod tests;
mod traffic;
mod view;

use super::tree::{Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    applications: BTreeMap<String, Application>,
    /// Those that somebody created, as GetDeploymentConfig answers them.
    configs: BTreeMap<String, Json>,
    deployments: BTreeMap<String, Deployment>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Application {
    id: String,
    /// `Server`, `Lambda` or `ECS`.
    platform: String,
    created: Millis,
    tags: Tags,
    groups: BTreeMap<String, Group>,
    /// In the order of their registration.
    revisions: Vec<Registered>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Registered {
    location: Json,
    description: Option<String>,
    at: Millis,
    first_used: Option<Millis>,
    last_used: Option<Millis>,
    groups: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Group {
    id: String,
    /// The members of CreateDeploymentGroup, with defaults; GetDeploymentGroup answers most unchanged.
    settings: Json,
    tags: Tags,
    attempted: Option<String>,
    succeeded: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Deployment {
    id: String,
    application: String,
    group: String,
    config: String,
    platform: String,
    status: Status,
    /// Code and message.
    error: Option<(String, String)>,
    revision: Json,
    previous: Option<Json>,
    created: Millis,
    started: Option<Millis>,
    completed: Option<Millis>,
    description: Option<String>,
    /// `user` or `codeDeployRollback`.
    creator: String,
    /// The group's settings as they were at the start, with what CreateDeployment says otherwise.
    settings: Json,
    rollback: Option<Json>,
    /// Of an ECS deployment, once it has begun.
    run: Option<run::Run>,
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Status {
    Created,
    InProgress,
    Ready,
    Succeeded,
    Failed,
    Stopped,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Status::Created => "Created",
            Status::InProgress => "InProgress",
            Status::Ready => "Ready",
            Status::Succeeded => "Succeeded",
            Status::Failed => "Failed",
            Status::Stopped => "Stopped",
        }
    }

    fn is_over(self) -> bool {
        matches!(self, Status::Succeeded | Status::Failed | Status::Stopped)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// A deployment is looked at, unless another time was set since.
    Look { deployment: String, generation: u64 },
}

pub const OPERATIONS: Operations = &[
    ("BatchGetApplicationRevisions", applications::batch_get_revisions),
    ("BatchGetApplications", applications::batch_get),
    ("BatchGetDeploymentGroups", groups::batch_get),
    ("BatchGetDeploymentTargets", view::batch_get_targets),
    ("BatchGetDeployments", deployments::batch_get),
    ("ContinueDeployment", deployments::go_on),
    ("CreateApplication", applications::create),
    ("CreateDeployment", deployments::create),
    ("CreateDeploymentConfig", configs::create),
    ("CreateDeploymentGroup", groups::create),
    ("DeleteApplication", applications::delete),
    ("DeleteDeploymentConfig", configs::delete),
    ("DeleteDeploymentGroup", groups::delete),
    ("GetApplication", applications::get),
    ("GetApplicationRevision", applications::get_revision),
    ("GetDeployment", deployments::get),
    ("GetDeploymentConfig", configs::get),
    ("GetDeploymentGroup", groups::get),
    ("GetDeploymentTarget", view::get_target),
    ("ListApplicationRevisions", applications::list_revisions),
    ("ListApplications", applications::list),
    ("ListDeploymentConfigs", configs::list),
    ("ListDeploymentGroups", groups::list),
    ("ListDeploymentTargets", view::list_targets),
    ("ListDeployments", deployments::list),
    ("ListTagsForResource", applications::list_tags),
    ("PutLifecycleEventHookExecutionStatus", hooks::put_status),
    ("RegisterApplicationRevision", applications::register_revision),
    ("SkipWaitTimeForInstanceTermination", deployments::skip_wait),
    ("StopDeployment", deployments::stop),
    ("TagResource", applications::tag),
    ("UntagResource", applications::untag),
    ("UpdateApplication", applications::update),
    ("UpdateDeploymentGroup", groups::update),
];

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Look { deployment, generation } => {
            let now = world.codedeploy.deployments.get(&deployment).map(|one| one.generation);
            if now == Some(generation) {
                run::look(world, &deployment);
            }
        }
    }
}

/// Looks at a deployment after a while; a look that was planned before does not take place.
fn look_after(world: &mut World, id: &str, after: Millis) {
    let Some(deployment) = world.codedeploy.deployments.get_mut(id) else { return };
    deployment.generation += 1;
    let event = Event::Look { deployment: id.to_owned(), generation: deployment.generation };
    world.schedule(after, crate::world::Event::Codedeploy(event));
}

fn error(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

/// Lists of this API have pages of this size, which nobody can change.
const PAGE: usize = 100;

fn paged(input: &Json, name: &str, items: Vec<Json>) -> Answer {
    let (items, next) = page(items, input.text("nextToken"), PAGE);
    let mut answer = json!({name: items});
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

fn application<'a>(world: &'a World, name: &str) -> Result<&'a Application, ApiError> {
    let found = world.codedeploy.applications.get(name);
    found.ok_or_else(|| {
        error("ApplicationDoesNotExistException", format!("No application found for name: {name}"))
    })
}

fn application_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Application, ApiError> {
    application(world, name)?;
    Ok(world.codedeploy.applications.get_mut(name).expect("just found"))
}

fn no_group(name: &str) -> ApiError {
    error("DeploymentGroupDoesNotExistException", format!("No Deployment Group found for name: {name}"))
}

fn group<'a>(world: &'a World, application_name: &str, name: &str) -> Result<&'a Group, ApiError> {
    application(world, application_name)?.groups.get(name).ok_or_else(|| no_group(name))
}

fn deployment<'a>(world: &'a World, input: &Json) -> Result<&'a Deployment, ApiError> {
    let Some(id) = input.text("deploymentId") else {
        return Err(error("DeploymentIdRequiredException", "The deployment ID must be specified."));
    };
    world.codedeploy.deployments.get(id).ok_or_else(|| {
        error("DeploymentDoesNotExistException", format!("The deployment {id} could not be found"))
    })
}

/// Whether a name is there, and is one of CodeDeploy's.
fn check_name(name: &str, empty: &str, what: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(error(empty, format!("{what} name must not be null or empty")));
    }
    Ok(())
}
