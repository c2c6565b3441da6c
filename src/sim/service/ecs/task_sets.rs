//! Task sets of services whose deployments someone else controls (EXTERNAL, CODE_DEPLOY).

use super::super::{Answer, ApiError, Input};
use super::model::{Revision, Service, TaskSet, TaskStatus};
use super::settle::say;
use super::tasks::{self, Order, Stop};
use super::{
    capacity, clusters, definitions, invalid, kick, missing, placement, put, scheduler, services, short,
    tag_list, tags_of, tell, view,
};
use crate::World;
use crate::world::SECOND;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

fn not_found() -> ApiError {
    ApiError::new("TaskSetNotFoundException", "The specified task set was not found.")
}

fn set_view(world: &World, service: &Service, set: &TaskSet) -> Json {
    let (running, pending) = view::counts(world, service, Some(&set.id));
    let revision = world.ecs.revisions.get(&set.revision).cloned().unwrap_or_default();
    let wanted = computed(service, set);
    let mut one = json!({
        "id": set.id,
        "taskSetArn": set.arn,
        "serviceArn": service.arn,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", service.cluster)),
        "status": if set.primary { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": revision.task_definition,
        "computedDesiredCount": wanted,
        "pendingCount": pending,
        "runningCount": running,
        "createdAt": World::timestamp(set.created),
        "updatedAt": World::timestamp(set.updated),
        "loadBalancers": revision.load_balancers,
        "serviceRegistries": revision.registries,
        "scale": {"value": set.scale, "unit": "PERCENT"},
        "stabilityStatus": if is_steady(world, service, set) { "STEADY_STATE" } else { "STABILIZING" },
        "stabilityStatusAt": World::timestamp(set.updated),
        "tags": tag_list(&set.tags),
    });
    view::lay_revision(&mut one, &revision);
    put(&mut one, "externalId", set.external_id.clone());
    if service.controller.as_deref() == Some("CODE_DEPLOY") {
        one["startedBy"] = json!("CODE_DEPLOY");
    }
    one
}

/// As many tasks run as there shall be, none is on its way, and all are healthy (API reference, TaskSet).
fn is_steady(world: &World, service: &Service, set: &TaskSet) -> bool {
    let (running, pending) = view::counts(world, service, Some(&set.id));
    let wanted = computed(service, set);
    let healthy = scheduler::healthy_of(world, &service.arn, &set.id).0;
    running == wanted && pending == 0 && healthy >= wanted
}

fn named<'a>(world: &'a World, service: &str, id: &str) -> Option<(&'a Service, &'a TaskSet)> {
    let service = world.ecs.services.get(service)?;
    Some((service, service.task_sets.iter().find(|set| set.id == id)?))
}

/// For CodeDeploy: whether a task set is steady; None if it is gone.
pub fn is_task_set_steady(world: &World, service: &str, id: &str) -> Option<bool> {
    let (service, set) = named(world, service, id)?;
    Some(is_steady(world, service, set))
}

pub struct Counts {
    pub status: &'static str,
    pub desired: i64,
    pub pending: i64,
    pub running: i64,
}

pub fn task_set_counts(world: &World, service: &str, id: &str) -> Option<Counts> {
    let (service, set) = named(world, service, id)?;
    let (running, pending) = view::counts(world, service, Some(id));
    let status = if set.primary { "PRIMARY" } else { "ACTIVE" };
    Some(Counts { status, desired: computed(service, set), pending, running })
}

/// What another task set of the same service needs of this one, in CreateTaskSet's members.
pub fn task_set_settings(world: &World, service: &str, id: &str) -> Option<Json> {
    let (service, set) = named(world, service, id)?;
    let revision = world.ecs.revisions.get(&set.revision)?;
    let mut all = json!({"cluster": service.cluster, "serviceRegistries": revision.registries});
    view::lay_revision(&mut all, revision);
    Some(all)
}

/// The first task set of a service that CodeDeploy will deploy: it is the primary one, with all tasks.
pub(super) fn first(world: &mut World, arn: &str, mut revision: Revision) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let tail = format!("{}/{}", service.cluster, service.name);
    let random = world.random();
    let number = world.ecs.next_number(random);
    revision.arn = world.arn("ecs", &format!("service-revision/{tail}/{number}"));
    revision.created = world.now;
    let id = format!("ecs-svc/{}", world.ecs.next_number(random));
    let set = TaskSet {
        arn: world.arn("ecs", &format!("task-set/{tail}/{id}")),
        id,
        revision: revision.arn.clone(),
        primary: true,
        scale: 100.0,
        external_id: None,
        created: world.now,
        updated: world.now,
        tags: Default::default(),
    };
    world.ecs.revisions.insert(revision.arn.clone(), revision);
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.task_sets.push(set);
    }
    kick(world, arn, 2 * SECOND);
}

pub(super) fn views(world: &World, service: &Service) -> Json {
    service.task_sets.iter().map(|set| set_view(world, service, set)).collect()
}

/// A share of the service's desired count, rounded up.
fn computed(service: &Service, set: &TaskSet) -> i64 {
    (service.desired as f64 * set.scale / 100.0).ceil() as i64
}

fn active(world: &World, input: &Json) -> Result<String, ApiError> {
    let service = services::find(world, input, "service")?;
    if service.status != "ACTIVE" {
        return Err(ApiError::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    if service.is_rolling() {
        return Err(invalid(
            "Task sets are supported with the EXTERNAL and CODE_DEPLOY deployment controllers only.",
        ));
    }
    Ok(service.arn.clone())
}

fn scale(input: &Json) -> Option<f64> {
    input.get("scale").and_then(|scale| scale.get("value")).and_then(Json::as_f64)
}

pub(super) fn create_task_set(world: &mut World, input: &Json) -> Answer {
    let arn = active(world, input)?;
    let service = &world.ecs.services[&arn];
    let (cluster, name) = (service.cluster.clone(), service.name.clone());
    let strategy = clusters::strategy(input, "capacityProviderStrategy")?;
    clusters::check_strategy(&strategy, &world.ecs.clusters[&cluster].capacity_providers)?;
    let launch_type =
        input.text("launchType").map(str::to_owned).or(strategy.is_empty().then(|| "EC2".to_owned()));
    let random = world.random();
    let number = world.ecs.next_number(random);
    let revision = Revision {
        arn: world.arn("ecs", &format!("service-revision/{cluster}/{name}/{number}")),
        service: arn.clone(),
        task_definition: definitions::active_arn(world, input.text("taskDefinition").unwrap_or_default())?,
        launch_type,
        strategy,
        platform_version: input.text("platformVersion").map(str::to_owned),
        network: view::network(input),
        load_balancers: input.list("loadBalancers").to_vec(),
        registries: input.list("serviceRegistries").to_vec(),
        created: world.now,
        ..Revision::default()
    };
    let id = format!("ecs-svc/{}", world.ecs.next_number(random));
    let set = TaskSet {
        arn: world.arn("ecs", &format!("task-set/{cluster}/{name}/{id}")),
        id,
        revision: revision.arn.clone(),
        primary: false,
        scale: scale(input).unwrap_or(0.0),
        external_id: input.text("externalId").map(str::to_owned),
        created: world.now,
        updated: world.now,
        tags: tags_of(input)?,
    };
    world.ecs.revisions.insert(revision.arn.clone(), revision);
    if let Some(service) = world.ecs.services.get_mut(&arn) {
        service.task_sets.push(set.clone());
    }
    kick(world, &arn, SECOND);
    Ok(json!({"taskSet": set_view(world, &world.ecs.services[&arn], &set)}))
}

fn find(world: &World, arn: &str, name: &str) -> Option<usize> {
    world.ecs.services.get(arn)?.task_sets.iter().position(|set| set.arn == name || set.id == name)
}

fn change(
    world: &mut World,
    input: &Json,
    member: &str,
    change: impl FnOnce(&mut Vec<TaskSet>, usize),
) -> Answer {
    let arn = active(world, input)?;
    let at = find(world, &arn, input.text(member).unwrap_or_default()).ok_or_else(not_found)?;
    let now = world.now;
    let service = world.ecs.services.get_mut(&arn).ok_or_else(not_found)?;
    change(&mut service.task_sets, at);
    service.task_sets[at].updated = now;
    kick(world, &arn, SECOND);
    let service = &world.ecs.services[&arn];
    Ok(json!({"taskSet": set_view(world, service, &service.task_sets[at])}))
}

pub(super) fn update_task_set(world: &mut World, input: &Json) -> Answer {
    let value = scale(input);
    change(world, input, "taskSet", |sets, at| {
        if let Some(value) = value {
            sets[at].scale = value;
        }
    })
}

pub(super) fn update_service_primary_task_set(world: &mut World, input: &Json) -> Answer {
    change(world, input, "primaryTaskSet", |sets, at| {
        for (index, set) in sets.iter_mut().enumerate() {
            set.primary = index == at;
        }
    })
}

pub(super) fn delete_task_set(world: &mut World, input: &Json) -> Answer {
    let arn = active(world, input)?;
    let at = find(world, &arn, input.text("taskSet").unwrap_or_default()).ok_or_else(not_found)?;
    let service = world.ecs.services.get_mut(&arn).ok_or_else(not_found)?;
    let set = &service.task_sets[at];
    if set.scale > 0.0 && input.flag("force") != Some(true) {
        return Err(invalid("The task set cannot be deleted while it is scaled above 0."));
    }
    let set = service.task_sets.remove(at);
    let tasks: Vec<String> = service.tasks.iter().cloned().collect();
    for task in tasks {
        if world.ecs.tasks.get(&task).is_some_and(|task| task.deployment.as_ref() == Some(&set.id)) {
            tasks::stop(world, &task, Stop::scheduler(Some(&set.id)));
        }
    }
    let mut view = set_view(world, &world.ecs.services[&arn], &set);
    view["status"] = json!("DRAINING");
    Ok(json!({"taskSet": view}))
}

pub(super) fn describe_task_sets(world: &mut World, input: &Json) -> Answer {
    let arn = active(world, input)?;
    let service = &world.ecs.services[&arn];
    let asked = input.texts("taskSets");
    let found: Vec<Json> = service
        .task_sets
        .iter()
        .filter(|set| asked.is_empty() || asked.iter().any(|name| set.arn == *name || set.id == *name))
        .map(|set| {
            let mut one = set_view(world, service, set);
            // "If this field is omitted, tags aren't included in the response" (API reference of include).
            if let Some(members) = one.as_object_mut().filter(|_| !input.texts("include").contains(&"TAGS")) {
                members.remove("tags");
            }
            one
        })
        .collect();
    let failures: Vec<Json> =
        asked.iter().filter(|name| find(world, &arn, name).is_none()).map(|name| missing(*name)).collect();
    Ok(json!({"taskSets": found, "failures": failures}))
}

/// Every task set gets its share of the desired count, of tasks that are not known to be unhealthy.
pub(super) fn look(world: &mut World, arn: &str) {
    scheduler::stop_unhealthy(world, arn);
    let Some(service) = world.ecs.services.get(arn) else { return };
    for set in service.task_sets.clone() {
        let Some(service) = world.ecs.services.get(arn) else { return };
        let mut live: Vec<(bool, String)> = service
            .tasks
            .iter()
            .filter_map(|task| world.ecs.tasks.get(task))
            .filter(|task| task.wanted && task.deployment.as_ref() == Some(&set.id))
            .map(|task| (task.status == TaskStatus::Running, task.arn.clone()))
            .collect();
        live.sort();
        let wanted = computed(service, &set);
        let mut begun = Vec::new();
        for _ in live.len() as i64..wanted {
            match start(world, arn, &set) {
                Ok(task) => begun.push(format!("(task {})", short(&task))),
                Err(why) => {
                    let id = &set.id;
                    scheduler::complain(world, arn, |name| {
                        format!(
                            "(service {name}, taskSet {id}) was unable to place a task because no container instance met all of its requirements. {why} For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
                        )
                    });
                    scheduler::wait_for_room(world, arn);
                    break;
                }
            }
        }
        if !begun.is_empty() {
            let id = &set.id;
            say(world, arn, |name| {
                let (count, list) = (begun.len(), begun.join(" "));
                format!("(service {name}, taskSet {id}) has started {count} tasks: {list}.")
            });
        }
        for (_, task) in live.iter().take((live.len() as i64 - wanted).max(0) as usize) {
            tasks::stop(world, task, Stop::scheduler(Some(&set.id)));
        }
    }
    settle(world, arn);
}

/// Says once that all task sets are steady, and looks again when they may be.
fn settle(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let sets = &service.task_sets;
    let steady = !sets.is_empty() && sets.iter().all(|set| is_steady(world, service, set));
    let wait = sets.iter().filter_map(|set| scheduler::healthy_of(world, arn, &set.id).1).min();
    let was = service.steady;
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.steady = steady;
    }
    match wait.filter(|_| !steady) {
        Some(wait) => kick(world, arn, wait),
        None if steady && !was => {
            say(world, arn, |name| format!("(service {name}) has reached a steady state."));
            tell::service(world, arn, "INFO", "SERVICE_STEADY_STATE", None);
        }
        None => {}
    }
}

fn start(world: &mut World, arn: &str, set: &TaskSet) -> Result<String, String> {
    let service = world.ecs.services.get(arn).ok_or("The service does not exist.")?;
    let revision = world.ecs.revisions.get(&set.revision).ok_or("The revision does not exist.")?;
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    let tasks = service.tasks.iter().filter_map(|task| world.ecs.tasks.get(task));
    for task in tasks.filter(|task| task.wanted && task.deployment.as_ref() == Some(&set.id)) {
        if let Some(provider) = &task.provider {
            *counts.entry(provider.clone()).or_default() += 1;
        }
    }
    let provider = scheduler::pick_provider(&revision.strategy, &counts);
    let fargate = revision.launch_type.as_deref() == Some("FARGATE")
        || provider.as_deref().is_some_and(capacity::is_fargate);
    let group = format!("service:{}", service.name);
    let network = revision.network.as_ref();
    let ask = placement::ask(world, service, &revision.task_definition, provider.as_deref(), network, &group);
    let host = if fargate { None } else { placement::choose(world, &ask) };
    // As for any task of a capacity provider: managed scaling brings a host, it waits in PROVISIONING (Developer
    // Guide, "Amazon ECS managed scaling behavior").
    let waits = fargate || provider.as_deref().is_some_and(|name| scheduler::scales(world, name));
    if host.is_none() && !waits {
        return Err(placement::why_not(world, &ask));
    }
    let order = Order {
        cluster: service.cluster.clone(),
        definition: revision.task_definition.clone(),
        group,
        started_by: Some(set.id.clone()),
        service: Some(arn.to_owned()),
        deployment: Some(set.id.clone()),
        launch_type: if fargate { "FARGATE" } else { "EC2" }.to_owned(),
        platform_version: fargate.then(|| scheduler::platform(revision.platform_version.as_deref())),
        provider,
        network: revision.network.clone(),
        overrides: Json::Null,
        execute_command: service.execute_command,
        tags: scheduler::propagated(world, service, &revision.task_definition),
        host,
    };
    Ok(tasks::create(world, order))
}
