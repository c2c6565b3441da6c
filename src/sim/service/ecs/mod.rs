//! ECS: clusters, hosts, capacity providers, task definitions, services with their deployments, tasks.
//!
//! How a container behaves is read from its image: a tag that contains `crash` exits with code 1 soon after
//! its start, `unhealthy` answers health checks wrongly, `slow` boots slowly. Anything else boots in 5 to
//! 10 seconds and is healthy. [`State::images`] overrides this by image reference or pattern, so that a bad
//! release can be rehearsed. An image need not exist in ECR: nothing can be pushed here.
//!
//! Nothing polls: a service is looked at when a task, a target, a host or its settings changed.

mod account;
pub mod adopt;
mod agent;
mod attributes;
mod backend;
mod capacity;
mod clusters;
mod container_logs;
mod daemon;
mod definitions;
mod deployments;
mod discovery;
mod hooks;
mod hosts;
pub mod images;
pub mod index;
pub mod model;
pub mod network;
mod placement;
mod reach;
mod roles;
mod scaling;
mod scheduler;
mod services;
mod settle;
mod shifting;
mod tagging;
mod task_api;
mod task_sets;
mod tasks;
mod tell;
#[cfg(test)]
pub mod tests;
#[cfg(test)]
mod tests_agents;
#[cfg(test)]
mod tests_container_logs;
#[cfg(test)]
mod tests_requests;
#[cfg(test)]
mod tests_roles;
#[cfg(test)]
mod tests_shifting;
mod told;
mod view;

use super::{ApiError, Input, Operations};
use crate::World;
use crate::world::{Event as WorldEvent, Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

pub use backend::{Backend, answers, backend, running_count, vcpus_of};
pub use images::{ImageBehaviour, Work};
pub use model::State;
pub use model::Tags;
pub use task_sets::{is_task_set_steady, task_set_counts, task_set_settings};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The agent on a booted instance tries to join its cluster.
    Register { instance: String, attempt: u32 },
    /// The scheduler looks at a service, unless it was asked for another time since.
    Look { service: String, at: Millis },
    /// Tasks that wait for a host are tried again.
    Place { cluster: String, at: Millis },
    /// A task goes on, unless it has changed its course (`generation`).
    Task { task: String, generation: u64, step: tasks::Step },
    /// A capacity provider's reservation is compared with its target.
    Scale { provider: String, at: Millis },
    /// CloudWatch is told of a cluster's hosts.
    Tell { cluster: String },
}

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Register { instance, attempt } => hosts::register(world, &instance, attempt),
        Event::Look { service, at } => scheduler::look(world, &service, at),
        Event::Place { cluster, at } => placement::place_waiting(world, &cluster, at),
        Event::Task { task, generation, step } => tasks::step(world, &task, generation, step),
        Event::Tell { cluster } => told::tell(world, &cluster),
        Event::Scale { provider, at } => scaling::evaluate(world, &provider, at),
    }
}

pub const OPERATIONS: Operations = &[
    ("ContinueServiceDeployment", hooks::continue_service_deployment),
    ("CreateCapacityProvider", capacity::create_capacity_provider),
    ("CreateCluster", clusters::create_cluster),
    ("CreateService", services::create_service),
    ("CreateTaskSet", task_sets::create_task_set),
    ("DeleteAccountSetting", account::delete_account_setting),
    ("DeleteAttributes", attributes::delete_attributes),
    ("DeleteCapacityProvider", capacity::delete_capacity_provider),
    ("DeleteCluster", clusters::delete_cluster),
    ("DeleteService", services::delete_service),
    ("DeleteTaskDefinitions", definitions::delete_task_definitions),
    ("DeleteTaskSet", task_sets::delete_task_set),
    ("DeregisterContainerInstance", hosts::deregister_container_instance),
    ("DeregisterTaskDefinition", definitions::deregister_task_definition),
    ("DescribeCapacityProviders", capacity::describe_capacity_providers),
    ("DescribeClusters", clusters::describe_clusters),
    ("DescribeContainerInstances", hosts::describe_container_instances),
    ("DescribeServiceDeployments", deployments::describe_service_deployments),
    ("DescribeServiceRevisions", deployments::describe_service_revisions),
    ("DescribeServices", services::describe_services),
    ("DescribeTaskDefinition", definitions::describe_task_definition),
    ("DescribeTaskSets", task_sets::describe_task_sets),
    ("DescribeTasks", task_api::describe_tasks),
    ("DiscoverPollEndpoint", agent::discover_poll_endpoint),
    ("ListAccountSettings", account::list_account_settings),
    ("ListAttributes", attributes::list_attributes),
    ("ListClusters", clusters::list_clusters),
    ("ListContainerInstances", hosts::list_container_instances),
    ("ListServiceDeployments", deployments::list_service_deployments),
    ("ListServices", services::list_services),
    ("ListTagsForResource", tagging::list_tags_for_resource),
    ("ListTaskDefinitionFamilies", definitions::list_task_definition_families),
    ("ListTaskDefinitions", definitions::list_task_definitions),
    ("ListTasks", task_api::list_tasks),
    ("PutAccountSetting", account::put_account_setting),
    ("PutAccountSettingDefault", account::put_account_setting_default),
    ("PutAttributes", attributes::put_attributes),
    ("PutClusterCapacityProviders", clusters::put_cluster_capacity_providers),
    ("RegisterContainerInstance", agent::register_container_instance),
    ("RegisterTaskDefinition", definitions::register_task_definition),
    ("RunTask", task_api::run_task),
    ("StartTask", task_api::start_task),
    ("StopServiceDeployment", deployments::stop_service_deployment),
    ("StopTask", task_api::stop_task),
    ("TagResource", tagging::tag_resource),
    ("UntagResource", tagging::untag_resource),
    ("UpdateCapacityProvider", capacity::update_capacity_provider),
    ("UpdateCluster", clusters::update_cluster),
    ("UpdateClusterSettings", clusters::update_cluster_settings),
    ("UpdateContainerInstancesState", hosts::update_container_instances_state),
    ("UpdateService", services::update_service),
    ("UpdateServicePrimaryTaskSet", task_sets::update_service_primary_task_set),
    ("UpdateTaskSet", task_sets::update_task_set),
];

/// ec2 says: this instance has booted. Joins a cluster if its user data says so.
pub fn instance_running(world: &mut World, instance_id: &str) {
    let delay = 10 * SECOND + (world.random() % 10_000) as Millis;
    let event = Event::Register { instance: instance_id.to_owned(), attempt: 0 };
    world.schedule(delay, WorldEvent::Ecs(event));
}

/// ec2 says: this instance is shutting down; its tasks stop and the container instance goes.
pub fn instance_gone(world: &mut World, instance_id: &str) {
    hosts::gone(world, instance_id);
}

/// Whether a group should wait with terminating an instance because managed draining still moves its
/// tasks (autoscaling asks every few seconds); starts the draining when first asked.
/// Two minutes from now the instance will be taken away.
pub fn spot_noticed(world: &mut World, instance_id: &str) {
    hosts::spot_noticed(world, instance_id);
}

/// Tasks without an instance of their own (Fargate) go with their zone; the others with their hosts.
pub fn zone_lost(world: &mut World, zone: &str) {
    let there = world.ecs.tasks.values().filter(|task| task.host.is_none() && task.zone == zone);
    let arns: Vec<String> = there.map(|task| task.arn.clone()).collect();
    for arn in arns {
        tasks::vanish(world, &arn, tasks::Stop::zone_lost());
    }
}

pub fn drain_before_termination(world: &mut World, instance_id: &str) -> bool {
    hosts::drain_before_termination(world, instance_id)
}

/// Application Auto Scaling sets a service's desired count.
pub fn set_desired_count(world: &mut World, cluster: &str, service: &str, desired: i64) {
    let arn = world.arn("ecs", &format!("service/{cluster}/{service}"));
    let found = world.ecs.services.get_mut(&arn).filter(|one| one.status == "ACTIVE");
    if let Some(found) = found
        && found.desired != desired
    {
        found.desired = desired;
        found.steady = false;
        kick(world, &arn, 0);
    }
}

/// The service's desired count, if it is active.
pub fn desired_count(world: &World, cluster: &str, service: &str) -> Option<i64> {
    let arn = world.arn("ecs", &format!("service/{cluster}/{service}"));
    world.ecs.services.get(&arn).filter(|service| service.status == "ACTIVE").map(|service| service.desired)
}

/// elbv2 says: the health of this target changed, or it is gone.
pub fn target_changed(world: &mut World, _group: &str, id: &str, port: Option<i64>) {
    let Some(port) = port else { return };
    if let Some(task) = world.ecs.listening.get(&format!("{id}:{port}")).cloned() {
        tasks::target_changed(world, &task);
    }
}

/// Asks the scheduler to look at a service, after a while at most.
fn kick(world: &mut World, service: &str, after: Millis) {
    crate::traffic::service_changed(world, service);
    let at = world.now + after;
    let Some(found) = world.ecs.services.get_mut(service) else { return };
    if found.looks_at.is_none_or(|planned| planned > at) {
        found.looks_at = Some(at);
        world.schedule(after, WorldEvent::Ecs(Event::Look { service: service.to_owned(), at }));
    }
}

fn client(message: impl Into<String>) -> ApiError {
    ApiError::new("ClientException", message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

/// The last part of an ARN, or the name itself.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The name of the cluster that an input means: `cluster` is a name or an ARN, `default` if absent.
fn cluster_name<'a>(world: &World, input: &'a Json) -> Result<&'a str, ApiError> {
    let name = short(input.text("cluster").unwrap_or("default"));
    match world.ecs.clusters.get(name) {
        Some(cluster) if cluster.active => Ok(name),
        Some(_) => Err(ApiError::new("ClusterNotFoundException", "The referenced cluster was inactive.")),
        None => Err(ApiError::new("ClusterNotFoundException", "Cluster not found.")),
    }
}

fn tags_of(input: &Json) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in input.list("tags") {
        let key = tag.text("key").unwrap_or_default();
        if key.is_empty() || key.len() > 128 {
            return Err(invalid("Tag keys must be between 1 and 128 characters."));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys must not start with aws:, which is reserved for AWS use."));
        }
        if tags.insert(key.to_owned(), tag.text("value").unwrap_or_default().to_owned()).is_some() {
            return Err(invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
    }
    if tags.len() > 50 {
        return Err(invalid("The maximum number of tags that can be applied is 50."));
    }
    Ok(tags)
}

fn tag_list(tags: &Tags) -> Json {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

fn missing(arn: impl Into<String>) -> Json {
    json!({"arn": arn.into(), "reason": "MISSING"})
}

/// Whether a Describe call asked to `include` this.
fn includes(input: &Json, what: &str) -> bool {
    input.texts("include").contains(&what)
}

/// One page of an answer, at most `maxResults` (and never more than `most`).
fn paged(input: &Json, name: &str, items: Vec<Json>, most: usize) -> Json {
    let limit = input.int("maxResults").map_or(most, |n| (n.max(1) as usize).min(most));
    let (items, next) = super::page(items, input.text("nextToken"), limit);
    let mut answer = json!({name: items});
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    answer
}

fn time(millis: Option<Millis>) -> Option<Json> {
    millis.map(World::timestamp)
}

/// Puts what is there; absent members are left out, as AWS does.
fn put(view: &mut Json, name: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        view[name] = value.into();
    }
}
