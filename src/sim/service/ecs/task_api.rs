//! Tasks over the API: run, start, stop, describe, list.

use super::super::{Answer, ApiError, Input};
use super::model::{ContainerHealth, StrategyItem, Task, TaskStatus};
use super::tasks::{self, Order, Stop};
use super::{
    capacity, client, cluster_name, clusters, container_logs, definitions, hosts, includes, invalid, missing,
    paged, placement, put,
};
use super::{reach, scheduler, services, short, tag_list, tags_of, time, view};
use crate::World;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

fn container_status(task: &Task, container: &super::model::Container) -> &'static str {
    if container.running {
        "RUNNING"
    } else if container.exit_code.is_some() || task.status == TaskStatus::Stopped {
        "STOPPED"
    } else {
        "PENDING"
    }
}

fn health(health: ContainerHealth) -> &'static str {
    match health {
        ContainerHealth::None | ContainerHealth::Unknown => "UNKNOWN",
        ContainerHealth::Healthy => "HEALTHY",
        ContainerHealth::Unhealthy => "UNHEALTHY",
    }
}

fn container_view(world: &World, task: &Task, at: usize) -> Json {
    let container = &task.containers[at];
    let defined =
        world.ecs.definition(&task.definition).and_then(|one| one.body.list("containerDefinitions").get(at));
    let member = |name: &str| defined.and_then(|one| one.int(name)).map(|number| number.to_string());
    let mut one = json!({
        "containerArn": container.arn,
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "lastStatus": container_status(task, container),
        "healthStatus": health(container.health),
        "cpu": member("cpu").unwrap_or("0".to_owned()),
    });
    put(&mut one, "memory", member("memory"));
    put(&mut one, "memoryReservation", member("memoryReservation"));
    put(&mut one, "exitCode", container.exit_code);
    put(&mut one, "reason", container.reason.clone());
    if task.pull_stopped.is_some() {
        one["imageDigest"] = json!(container.digest);
        one["runtimeId"] = json!(container_logs::runtime_id(task, at));
    }
    match &task.interface {
        Some(interface) => {
            one["networkBindings"] = json!([]);
            one["networkInterfaces"] =
                json!([{"attachmentId": interface.attachment, "privateIpv4Address": interface.private_ip}]);
        }
        None => {
            let started = container.running || container.exit_code.is_some();
            let bindings: Vec<Json> = container
                .bindings
                .iter()
                .filter(|_| started)
                .map(|(inner, outer, protocol)| {
                    json!({"bindIP": "0.0.0.0", "containerPort": inner, "hostPort": outer, "protocol": protocol})
                })
                .collect();
            one["networkBindings"] = json!(bindings);
            one["networkInterfaces"] = json!([]);
        }
    }
    one
}

/// The worst of the essential containers that have a check.
fn task_health(task: &Task) -> &'static str {
    let all: Vec<ContainerHealth> =
        task.containers.iter().filter(|one| one.essential).map(|one| one.health).collect();
    if all.contains(&ContainerHealth::Unhealthy) {
        "UNHEALTHY"
    } else if all.contains(&ContainerHealth::Unknown) || all.iter().all(|one| *one == ContainerHealth::None) {
        "UNKNOWN"
    } else {
        "HEALTHY"
    }
}

/// Of the host, or of the platform that a Fargate task asks for.
fn architecture(world: &World, task: &Task) -> String {
    let host = task.host.as_ref().and_then(|host| world.ecs.hosts.get(host));
    let of_host = host.and_then(|host| host.attributes.get("ecs.cpu-architecture").cloned().flatten());
    let platform = world.ecs.definition(&task.definition).and_then(|one| one.body.get("runtimePlatform"));
    let asked = platform.and_then(|platform| platform.text("cpuArchitecture")).map(str::to_lowercase);
    of_host.or(asked).unwrap_or_else(|| "x86_64".to_owned())
}

/// Every container has its entry, also where nothing is overridden (CLI reference, describe-tasks).
fn overrides(task: &Task) -> Json {
    let mut all = if task.overrides.is_object() { task.overrides.clone() } else { json!({}) };
    let mut listed = all.list("containerOverrides").to_vec();
    for name in task.containers.iter().map(|one| one.name.as_str()) {
        if !listed.iter().any(|one| one.text("name") == Some(name)) {
            listed.push(json!({"name": name}));
        }
    }
    all["containerOverrides"] = json!(listed);
    let accelerators = all.list("inferenceAcceleratorOverrides").to_vec();
    all["inferenceAcceleratorOverrides"] = json!(accelerators);
    all
}

pub(super) fn task_view(world: &World, task: &Task, tags: bool) -> Json {
    let containers: Vec<Json> =
        (0..task.containers.len()).map(|at| container_view(world, task, at)).collect();
    let attachments: Vec<Json> = reach::attachment(world, task).into_iter().collect();
    let mut view = json!({
        "attachments": attachments,
        "attributes": [{"name": "ecs.cpu-architecture", "value": architecture(world, task)}],
        "clusterArn": world.arn("ecs", &format!("cluster/{}", task.cluster)),
        "containers": containers,
        "cpu": task.cpu.to_string(),
        "createdAt": World::timestamp(task.created),
        "desiredStatus": if task.wanted { "RUNNING" } else { "STOPPED" },
        "enableExecuteCommand": task.execute_command,
        "group": task.group,
        "healthStatus": task_health(task),
        "inferenceAccelerators": [],
        "lastStatus": task.status.text(),
        "launchType": task.launch_type,
        "memory": task.memory.to_string(),
        "overrides": overrides(task),
        "tags": if tags { tag_list(&task.tags) } else { json!([]) },
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition,
        "version": task.version,
    });
    put(&mut view, "containerInstanceArn", task.host.clone());
    put(&mut view, "capacityProviderName", task.provider.clone());
    put(&mut view, "startedBy", task.started_by.clone());
    put(&mut view, "stopCode", task.stop_code.clone());
    put(&mut view, "stoppedReason", task.stopped_reason.clone());
    if !task.zone.is_empty() {
        view["availabilityZone"] = json!(task.zone);
    }
    if let Some(version) = &task.platform_version {
        view["platformVersion"] = json!(version);
        view["platformFamily"] = json!("Linux");
        view["ephemeralStorage"] = json!({"sizeInGiB": 20});
    }
    if let Some(at) = task.pull_started {
        view["connectivity"] = json!("CONNECTED");
        view["connectivityAt"] = World::timestamp(at);
    }
    let times = [
        ("pullStartedAt", task.pull_started),
        ("pullStoppedAt", task.pull_stopped),
        ("startedAt", task.started),
        ("stoppingAt", task.stopping),
        ("executionStoppedAt", task.stopped),
        ("stoppedAt", task.stopped),
    ];
    for (name, at) in times {
        put(&mut view, name, time(at));
    }
    view
}

fn find<'a>(world: &'a World, cluster: &str, name: &str) -> Option<&'a Task> {
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else {
        world.arn("ecs", &format!("task/{cluster}/{name}"))
    };
    world.ecs.tasks.get(&arn).filter(|task| task.cluster == cluster)
}

pub(super) fn describe_tasks(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let names = input.texts("tasks");
    if names.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if names.len() > 100 {
        return Err(invalid("Tasks cannot have more than 100 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match find(world, cluster, name) {
            Some(task) => found.push(task_view(world, task, includes(input, "TAGS"))),
            None if name.starts_with("arn:") => failures.push(missing(name)),
            None => failures.push(missing(world.arn("ecs", &format!("task/{cluster}/{name}")))),
        }
    }
    Ok(json!({"tasks": found, "failures": failures}))
}

/// Tasks that should run, unless stopped ones are asked for; those are known for an hour.
pub(super) fn list_tasks(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let running = input.text("desiredStatus").unwrap_or("RUNNING") != "STOPPED";
    let service = match input.text("serviceName") {
        Some(name) => {
            let arn = world.arn("ecs", &format!("service/{cluster}/{}", short(name)));
            if !world.ecs.services.contains_key(&arn) {
                return Err(ApiError::new("ServiceNotFoundException", "Service not found."));
            }
            Some(arn)
        }
        None => None,
    };
    // Of a container instance that is not known there are no tasks (moto's test_list_tasks_with_filters).
    let host = input.text("containerInstance").map(|name| hosts::find(world, cluster, name));
    let family = input.text("family");
    let of_family = |task: &Task| short(&task.definition).split(':').next() == family;
    let arns = world
        .ecs
        .tasks
        .values()
        .filter(|task| task.cluster == cluster && task.wanted == running)
        .filter(|task| service.is_none() || task.service == service)
        .filter(|task| host.as_ref().is_none_or(|host| host.is_some() && task.host == *host))
        .filter(|task| family.is_none() || of_family(task))
        .filter(|task| input.text("startedBy").is_none_or(|by| task.started_by.as_deref() == Some(by)))
        .filter(|task| input.text("launchType").is_none_or(|kind| task.launch_type == kind))
        .map(|task| json!(task.arn))
        .collect();
    Ok(paged(input, "taskArns", arns, 100))
}

/// What RunTask and StartTask have in common.
fn order(world: &World, input: &Json, cluster: &str) -> Result<Order, ApiError> {
    let definition = definitions::active_arn(world, input.text("taskDefinition").unwrap_or_default())?;
    let body = &world.ecs.definition(&definition).ok_or_else(|| client("TaskDefinition not found."))?.body;
    let family = body.text("family").unwrap_or_default();
    let network = view::network(input);
    let awsvpc = body.text("networkMode") == Some("awsvpc");
    services::check_network(world, network.as_ref(), awsvpc)?;
    let mut tags = match input.text("propagateTags") {
        Some("TASK_DEFINITION") => {
            world.ecs.definition(&definition).map(|one| one.tags.clone()).unwrap_or_default()
        }
        _ => Default::default(),
    };
    tags.extend(tags_of(input)?);
    Ok(Order {
        cluster: cluster.to_owned(),
        group: input.text("group").map_or_else(|| format!("family:{family}"), str::to_owned),
        definition,
        started_by: input.text("startedBy").map(str::to_owned),
        service: None,
        deployment: None,
        launch_type: "EC2".to_owned(),
        provider: None,
        platform_version: None,
        network,
        overrides: input.get("overrides").cloned().unwrap_or_default(),
        execute_command: input.flag("enableExecuteCommand").unwrap_or(false),
        tags,
        host: None,
    })
}

const NO_HOSTS: &str = "No Container Instances were found in your cluster.";

/// Why RunTask could not place: `RESOURCE:MEMORY` and the like.
fn failure(world: &World, cluster: &str, why: &str) -> Json {
    let reason = if why.contains("insufficient memory") {
        "RESOURCE:MEMORY"
    } else if why.contains("insufficient CPU") {
        "RESOURCE:CPU"
    } else if why.contains("port required") {
        "RESOURCE:PORTS"
    } else if why.contains("RESOURCE:ENI") {
        "RESOURCE:ENI"
    } else if why.contains("attribute") {
        "ATTRIBUTE"
    } else {
        return json!({"reason": NO_HOSTS});
    };
    let id = why.split_whitespace().nth(4).unwrap_or_default();
    json!({"arn": world.arn("ecs", &format!("container-instance/{cluster}/{id}")), "reason": reason})
}

/// Whether there is anything that the tasks can run on.
fn check_capacity(world: &World, order: &Order, strategy: &[StrategyItem]) -> Result<(), ApiError> {
    let fargate = order.launch_type == "FARGATE"
        || strategy.iter().any(|item| capacity::is_fargate(&item.capacity_provider));
    let definition = world.ecs.definition(&order.definition);
    if fargate && !definition.is_some_and(|one| one.body.texts("compatibilities").contains(&"FARGATE")) {
        return Err(invalid("Task definition does not support launch_type FARGATE."));
    }
    let hosts = world.ecs.clusters.get(&order.cluster).map_or(0, |cluster| cluster.hosts.len());
    if !fargate && strategy.is_empty() && hosts == 0 {
        // An error, not a failure (amazon-ecs-cli#1122).
        return Err(invalid(NO_HOSTS));
    }
    Ok(())
}

pub(super) fn run_task(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?.to_owned();
    let count = input.int("count").unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(invalid("Count must be between 1 and 10."));
    }
    let token = input.text("clientToken").map(|token| format!("task {token}"));
    if let Some(made) = token.as_ref().and_then(|token| world.ecs.tokens.get(token)) {
        let views: Vec<Json> = made
            .iter()
            .filter_map(|arn| world.ecs.tasks.get(arn))
            .map(|task| task_view(world, task, true))
            .collect();
        return Ok(json!({"tasks": views, "failures": []}));
    }
    let mut order = order(world, input, &cluster)?;
    let mut strategy = clusters::strategy(input, "capacityProviderStrategy")?;
    clusters::check_strategy(&strategy, &world.ecs.clusters[&cluster].capacity_providers)?;
    match input.text("launchType") {
        Some(kind) if strategy.is_empty() => kind.clone_into(&mut order.launch_type),
        Some(_) => {
            return Err(invalid(
                "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
            ));
        }
        None if strategy.is_empty() => strategy.clone_from(&world.ecs.clusters[&cluster].default_strategy),
        None => {}
    }
    check_capacity(world, &order, &strategy)?;
    let (mut made, mut failures) = (Vec::new(), Vec::new());
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for _ in 0..count {
        let mut order = order.clone();
        order.provider = scheduler::pick_provider(&strategy, &counts);
        if let Some(provider) = &order.provider {
            *counts.entry(provider.clone()).or_default() += 1;
        }
        if order.launch_type == "FARGATE" || order.provider.as_deref().is_some_and(capacity::is_fargate) {
            order.launch_type = "FARGATE".to_owned();
            order.platform_version = Some(scheduler::platform(input.text("platformVersion")));
        } else {
            let ask = placement::Ask {
                cluster: &cluster,
                definition: &order.definition,
                provider: order.provider.as_deref(),
                constraints: input.list("placementConstraints"),
                strategy: input.list("placementStrategy"),
                group: &order.group,
                zones: placement::zones(world, &order.definition, order.network.as_ref()),
                only: None,
            };
            let waits = order.provider.as_deref().and_then(|name| capacity::get(world, name));
            match placement::choose(world, &ask) {
                Some(host) => order.host = Some(host),
                None if waits.is_some_and(|provider| provider.managed_scaling) => {}
                None => {
                    let why = placement::why_not(world, &ask);
                    failures.push(failure(world, &cluster, &why));
                    continue;
                }
            }
        }
        made.push(tasks::create(world, order));
    }
    let views: Vec<Json> = made
        .iter()
        .filter_map(|arn| world.ecs.tasks.get(arn))
        .map(|task| task_view(world, task, true))
        .collect();
    if let Some(token) = token {
        world.ecs.tokens.insert(token, made);
    }
    Ok(json!({"tasks": views, "failures": failures}))
}

pub(super) fn start_task(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?.to_owned();
    let order = order(world, input, &cluster)?;
    let names = input.texts("containerInstances");
    if names.is_empty() {
        return Err(invalid("Container instance cannot be empty."));
    }
    if names.len() > 10 {
        return Err(invalid("Container instances cannot have more than 10 elements."));
    }
    let (mut views, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let Some(host) = hosts::find(world, &cluster, name) else {
            failures.push(missing(name));
            continue;
        };
        match unfit(world, &cluster, &order, &host) {
            Some(reason) => failures.push(json!({"arn": host, "reason": reason})),
            None => {
                let arn = tasks::create(world, Order { host: Some(host), ..order.clone() });
                views.push(task_view(world, &world.ecs.tasks[&arn], true));
            }
        }
    }
    Ok(json!({"tasks": views, "failures": failures}))
}

/// Why this host cannot take the task (ECS developer guide, "API failures": RunTask or StartTask).
fn unfit(world: &World, cluster: &str, order: &Order, host: &str) -> Option<String> {
    if world.ecs.hosts.get(host)?.disconnected {
        return Some("AGENT".to_owned());
    }
    let ask = placement::Ask {
        cluster,
        definition: &order.definition,
        provider: None,
        constraints: &[],
        strategy: &[],
        group: &order.group,
        zones: placement::zones(world, &order.definition, order.network.as_ref()),
        only: Some(host),
    };
    placement::lacks(world, &ask).map(str::to_owned)
}

pub(super) fn stop_task(world: &mut World, input: &Json) -> Answer {
    let cluster = cluster_name(world, input)?;
    let found = find(world, cluster, input.text("task").unwrap_or_default());
    let arn =
        found.map(|task| task.arn.clone()).ok_or_else(|| invalid("The referenced task was not found."))?;
    let reason = input.text("reason").unwrap_or("Task stopped by user");
    tasks::stop(world, &arn, Stop::new("UserInitiated", reason));
    Ok(json!({"task": task_view(world, &world.ecs.tasks[&arn], true)}))
}
