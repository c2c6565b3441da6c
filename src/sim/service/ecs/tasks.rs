//! The life of a task: PROVISIONING → PENDING → ACTIVATING → RUNNING → DEACTIVATING → STOPPING →
//! DEPROVISIONING → STOPPED.

use super::super::Input;
use super::definitions;
use super::hosts;
use super::model::{Container, ContainerHealth, Task, TaskDefinition, TaskStatus};
use super::reach::{bind_ports, listen, provision, register_targets, share, silence, tell_balancers};
use super::{Event, capacity, container_logs, discovery, images, kick, network, placement, roles, tell};
use crate::World;
use crate::service::elbv2;
use crate::world::{Event as WorldEvent, MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Stopped tasks can be described for an hour.
const REMEMBERED: Millis = 60 * MINUTE;
/// A task that no host takes is given up after this time.
const PLACEMENT_TIMEOUT: Millis = 30 * MINUTE;
/// Without any health check a task counts as healthy this long after it runs (API reference,
/// `minimumHealthyPercent`).
pub(super) const SETTLING: Millis = 40 * SECOND;

/// What happens to a task next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Its interface is attached: pull the images.
    Provisioned,
    /// Images are there: start the containers.
    Pulled,
    /// Registered with its target groups.
    Activated,
    /// The application of a container answers.
    Booted {
        container: usize,
    },
    /// A container's own health check has come to a result.
    HealthChecked {
        container: usize,
    },
    /// A container ended by itself.
    Exited {
        container: usize,
    },
    /// The containers have been asked to stop and did.
    Terminated,
    /// The interface is gone: the task is STOPPED.
    Deprovisioned,
    /// No host took it in time.
    Unplaceable,
    Forgotten,
}

/// Why a task is stopped: code and reason.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    pub code: &'static str,
    pub reason: String,
}

impl Stop {
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Stop { code, reason: reason.into() }
    }

    pub fn scheduler(deployment: Option<&str>) -> Self {
        let by = deployment.map_or(String::new(), |id| format!(" (deployment {id})"));
        Stop::new("ServiceSchedulerInitiated", format!("Scaling activity initiated by{by}"))
    }

    pub fn host_terminated(instance: &str) -> Self {
        Stop::new("TerminationNotice", format!("Host EC2 (instance {instance}) terminated."))
    }

    pub fn zone_lost() -> Self {
        Stop::new("TaskFailedToStart", "Timeout waiting for network interface provisioning to complete.")
    }

    pub fn host_deregistered() -> Self {
        Stop::new("ServiceSchedulerInitiated", "Container instance deregistration forced by user.")
    }
}

/// A task as it is asked for, before it has a place.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub cluster: String,
    pub definition: String,
    pub group: String,
    pub started_by: Option<String>,
    pub service: Option<String>,
    pub deployment: Option<String>,
    pub launch_type: String,
    pub provider: Option<String>,
    pub platform_version: Option<String>,
    pub network: Option<Json>,
    pub overrides: Json,
    pub execute_command: bool,
    pub tags: super::Tags,
    /// A host that was chosen already; None for Fargate, and for tasks that wait for capacity.
    pub host: Option<String>,
}

pub(super) fn schedule(world: &mut World, arn: &str, after: Millis, step: Step) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let event = Event::Task { task: arn.to_owned(), generation: task.generation, step };
    world.schedule(after, WorldEvent::Ecs(event));
}

pub(super) fn jitter(world: &mut World, seconds: u64) -> Millis {
    (world.random() % (seconds * 1_000)) as Millis
}

fn digest(image: &str) -> String {
    use sha2::{Digest, Sha256};
    format!("sha256:{}", hex::encode(Sha256::digest(image.as_bytes())))
}

fn containers(world: &mut World, cluster: &str, task: &str, definition: &str) -> Vec<Container> {
    let count = |one: &TaskDefinition| one.body.list("containerDefinitions").len();
    let ids = (0..world.ecs.definition(definition).map_or(0, count)).map(|_| world.uuid());
    let ids: Vec<String> = ids.collect();
    let list = world.ecs.definition(definition).map(|one| one.body.list("containerDefinitions"));
    let mut made = Vec::new();
    for (one, id) in list.unwrap_or_default().iter().zip(ids) {
        let image = one.text("image").unwrap_or_default();
        let has_check = one.get("healthCheck").is_some_and(|check| !check.is_null());
        made.push(Container {
            arn: world.arn("ecs", &format!("container/{cluster}/{task}/{id}")),
            name: one.text("name").unwrap_or_default().to_owned(),
            digest: digest(image),
            image: image.to_owned(),
            essential: one.flag("essential").unwrap_or(true),
            running: false,
            exit_code: None,
            reason: None,
            bindings: Vec::new(),
            health: if has_check { ContainerHealth::Unknown } else { ContainerHealth::None },
            answers: None,
            work: images::Work::default(),
        });
    }
    made
}

/// Makes the task; it goes on by itself. The task definition must exist.
pub(super) fn create(world: &mut World, order: Order) -> String {
    let id = world.hex(32);
    let arn = world.arn("ecs", &format!("task/{}/{id}", order.cluster));
    let needs = definitions::needs(world, &order.definition);
    let (cpu, memory) = needs.as_ref().map_or((0, 0), |needs| (needs.cpu, needs.memory));
    let containers = containers(world, &order.cluster, &id, &order.definition);
    let task = Task {
        arn: arn.clone(),
        cluster: order.cluster.clone(),
        definition: order.definition,
        group: order.group,
        started_by: order.started_by,
        service: order.service.clone(),
        deployment: order.deployment,
        launch_type: order.launch_type,
        provider: order.provider,
        platform_version: order.platform_version,
        host: None,
        zone: String::new(),
        network: order.network,
        interface: None,
        status: TaskStatus::Provisioning,
        wanted: true,
        cpu,
        memory,
        containers,
        targets: Vec::new(),
        registered: Vec::new(),
        created: world.now,
        pull_started: None,
        pull_stopped: None,
        started: None,
        stopping: None,
        stopped: None,
        stop_code: None,
        stopped_reason: None,
        overrides: order.overrides,
        execute_command: order.execute_command,
        tags: order.tags,
        version: 1,
        proven: false,
        generation: 0,
    };
    let provider = task.provider.clone();
    world.ecs.tasks.insert(arn.clone(), task);
    world.tell("ecs", "task", &arn, "PROVISIONING", None);
    if let Some(cluster) = world.ecs.clusters.get_mut(&order.cluster) {
        cluster.tasks.insert(arn.clone());
    }
    if let Some(service) = order.service.as_ref().and_then(|service| world.ecs.services.get_mut(service)) {
        service.tasks.insert(arn.clone());
    }
    match order.host {
        Some(host) => place(world, &arn, &host),
        None if is_fargate(world, &arn) => provision(world, &arn),
        None => {
            if let Some(cluster) = world.ecs.clusters.get_mut(&order.cluster) {
                cluster.unplaced.insert(arn.clone());
            }
            super::scaling::wake_provider(world, provider.as_deref());
            schedule(world, &arn, PLACEMENT_TIMEOUT, Step::Unplaceable);
        }
    }
    tell::task(world, &arn);
    arn
}

fn is_fargate(world: &World, arn: &str) -> bool {
    world.ecs.tasks.get(arn).is_some_and(|task| {
        task.launch_type == "FARGATE" || task.provider.as_deref().is_some_and(capacity::is_fargate)
    })
}

/// What decides which hosts can take a task: cluster, definition, capacity provider, group.
pub(super) type Kind = (String, String, Option<String>, String);

pub(super) fn kind(world: &World, arn: &str) -> Option<Kind> {
    let task = world.ecs.tasks.get(arn)?;
    Some((task.cluster.clone(), task.definition.clone(), task.provider.clone(), task.group.clone()))
}

/// A task that waits for capacity is tried again; whether it has, or needs, no further try.
pub(super) fn try_placement(world: &mut World, arn: &str) -> bool {
    let Some(task) = world.ecs.tasks.get(arn).filter(|task| task.wanted && task.host.is_none()) else {
        return true;
    };
    let service = task.service.as_ref().and_then(|service| world.ecs.services.get(service));
    let ask = match service {
        Some(service) => placement::ask(
            world,
            service,
            &task.definition,
            task.provider.as_deref(),
            task.network.as_ref(),
            &task.group,
        ),
        None => placement::Ask {
            cluster: &task.cluster,
            definition: &task.definition,
            provider: task.provider.as_deref(),
            constraints: &[],
            strategy: &[],
            group: &task.group,
            zones: placement::zones(world, &task.definition, task.network.as_ref()),
            only: None,
        },
    };
    if let Some(host) = placement::choose(world, &ask) {
        let (cluster, provider) = (task.cluster.clone(), task.provider.clone());
        if let Some(cluster) = world.ecs.clusters.get_mut(&cluster) {
            cluster.unplaced.remove(arn);
        }
        if let Some(task) = world.ecs.tasks.get_mut(arn) {
            task.generation += 1;
        }
        place(world, arn, &host);
        super::scaling::wake_provider(world, provider.as_deref());
        return true;
    }
    false
}

fn place(world: &mut World, arn: &str, host: &str) {
    let Some(found) = world.ecs.hosts.get(host) else { return };
    let zone = found.zone.clone();
    if let Some(task) = world.ecs.tasks.get_mut(arn) {
        task.host = Some(host.to_owned());
        task.zone = zone;
        world.ecs.index.settle(&task.cluster, &task.group, host);
    }
    bind_ports(world, arn, host);
    let share = share(world, arn);
    hosts::take(world, host, arn, &share);
    let own = world.ecs.tasks.get(arn).and_then(|task| definitions::needs(world, &task.definition));
    if own.is_some_and(|needs| needs.own_interface) {
        provision(world, arn);
    } else {
        step(world, arn, generation(world, arn), Step::Provisioned);
    }
}

fn generation(world: &World, arn: &str) -> u64 {
    world.ecs.tasks.get(arn).map_or(0, |task| task.generation)
}

pub(super) fn step(world: &mut World, arn: &str, generation: u64, step: Step) {
    let Some(task) = world.ecs.tasks.get(arn).filter(|task| task.generation == generation) else { return };
    let pull = if is_fargate(world, arn) { 15 * SECOND } else { 5 * SECOND };
    match step {
        Step::Provisioned => {
            let now = world.now;
            set(world, arn, TaskStatus::Pending, |task| task.pull_started = Some(now));
            let delay = pull + jitter(world, 8);
            schedule(world, arn, delay, Step::Pulled);
        }
        Step::Pulled => match roles::refused(world, arn).or_else(|| container_logs::prepare(world, arn)) {
            Some(why) => {
                super::settle::failed(world, arn);
                stop(world, arn, why);
            }
            None => start_containers(world, arn),
        },
        Step::Activated => {
            set(world, arn, TaskStatus::Running, |_| ());
            settle(world, arn);
        }
        Step::Booted { container } => booted(world, arn, container),
        Step::HealthChecked { container } => health_checked(world, arn, container),
        Step::Exited { container } => exited(world, arn, container),
        Step::Terminated => terminated(world, arn),
        Step::Deprovisioned => stopped(world, arn),
        Step::Unplaceable => {
            let reason = "Timed out waiting for capacity to place the task.";
            if task.host.is_none() {
                stop(world, arn, Stop::new("TaskFailedToStart", reason));
            }
        }
        Step::Forgotten => {
            world.ecs.tasks.remove(arn);
        }
    }
}

fn set(world: &mut World, arn: &str, status: TaskStatus, change: impl FnOnce(&mut Task)) {
    let Some(task) = world.ecs.set_status(arn, status) else { return };
    task.version += 1;
    change(task);
    let service = task.service.clone();
    world.tell("ecs", "task", arn, status.text(), None);
    // On its way there a task changes nothing that its service decides about.
    if let Some(service) = service.filter(|_| status >= TaskStatus::Running) {
        kick(world, &service, SECOND);
    }
    tell::task(world, arn);
}

fn start_containers(world: &mut World, arn: &str) {
    let now = world.now;
    set(world, arn, TaskStatus::Activating, |task| {
        task.pull_stopped = Some(now);
        task.started = Some(now);
        for container in &mut task.containers {
            container.running = true;
        }
    });
    listen(world, arn);
    let images: Vec<String> =
        world.ecs.tasks[arn].containers.iter().map(|container| container.image.clone()).collect();
    for (at, image) in images.iter().enumerate() {
        let behaviour = images::behaviour(world, image);
        let crashes = (world.random() % 10_000) as f64 / 10_000.0 < behaviour.crash;
        if crashes {
            let after = 2 * SECOND + jitter(world, 3);
            schedule(world, arn, after, Step::Exited { container: at });
            continue;
        }
        schedule(world, arn, behaviour.boot_ms, Step::Booted { container: at });
        if let Some(after) = check_result(world, arn, at, &behaviour) {
            schedule(world, arn, after, Step::HealthChecked { container: at });
        }
    }
    register_targets(world, arn);
    discovery::register(world, arn);
    let delay = if world.ecs.tasks[arn].targets.is_empty() { 0 } else { 2 * SECOND };
    schedule(world, arn, delay, Step::Activated);
}

/// When a container's own health check has a result: the first check after the boot, or as many failed
/// ones in a row as `retries` says, not counting those in `startPeriod`.
fn check_result(world: &World, arn: &str, at: usize, behaviour: &images::ImageBehaviour) -> Option<Millis> {
    let task = world.ecs.tasks.get(arn)?;
    let body = &world.ecs.definition(&task.definition)?.body;
    let check = body.list("containerDefinitions").get(at)?.get("healthCheck").filter(|one| !one.is_null())?;
    let interval = check.int("interval").unwrap_or(30).max(1) * SECOND;
    let start = check.int("startPeriod").unwrap_or(0) * SECOND;
    let retries = check.int("retries").unwrap_or(3);
    let in_time = behaviour.boot_ms <= start + interval * retries;
    Some(if behaviour.healthy && in_time {
        (behaviour.boot_ms + interval - 1) / interval * interval
    } else {
        start + interval * retries
    })
}

fn booted(world: &mut World, arn: &str, at: usize) {
    let image =
        world.ecs.tasks.get(arn).and_then(|task| task.containers.get(at)).map(|one| one.image.clone());
    let Some(image) = image else { return };
    let behaviour = images::behaviour(world, &image);
    if let Some(container) = world.ecs.tasks.get_mut(arn).and_then(|task| task.containers.get_mut(at)) {
        container.answers = Some(behaviour.healthy);
        container.work = behaviour.work;
    }
    container_logs::booted(world, arn, at, behaviour.healthy);
    tell_balancers(world, arn);
}

fn health_checked(world: &mut World, arn: &str, at: usize) {
    let Some(container) = world.ecs.tasks.get_mut(arn).and_then(|task| task.containers.get_mut(at)) else {
        return;
    };
    container.health =
        if container.answers == Some(true) { ContainerHealth::Healthy } else { ContainerHealth::Unhealthy };
    discovery::tell_health(world, arn);
    settle(world, arn);
}

/// A container ended with code 1. An essential one takes its task with it.
fn exited(world: &mut World, arn: &str, at: usize) {
    let Some(container) = world.ecs.tasks.get_mut(arn).and_then(|task| task.containers.get_mut(at)) else {
        return;
    };
    container.running = false;
    container.exit_code = Some(1);
    container.answers = None;
    let essential = container.essential;
    container_logs::crashed(world, arn, at);
    tell_balancers(world, arn);
    if essential {
        super::settle::failed(world, arn);
        stop(world, arn, Stop::new("EssentialContainerExited", "Essential container in task exited"));
    }
}

/// elbv2: one of the task's targets is healthy, unhealthy or gone.
pub(super) fn target_changed(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    if task.status == TaskStatus::Deactivating {
        let left = task
            .targets
            .iter()
            .any(|(group, id, port)| elbv2::target_health(world, group, id, Some(*port)).is_some());
        if !left {
            terminate(world, arn);
        }
        return;
    }
    settle(world, arn);
}

/// Something that decides about the task's health changed.
fn settle(world: &mut World, arn: &str) {
    let Some(task) = world.ecs.tasks.get(arn) else { return };
    let Some(service) = task.service.clone() else { return };
    match counts_healthy(world, task) {
        Ok(true) if !task.proven => super::settle::proven(world, arn),
        Err(wait) => kick(world, &service, wait),
        _ => {}
    }
    kick(world, &service, SECOND);
}

/// Whether the service may count on the task; Err is how long until that can be said.
pub(super) fn counts_healthy(world: &World, task: &Task) -> Result<bool, Millis> {
    counts_healthy_with(world, task, &targets(world, task))
}

/// How the task's targets stand, in their order; only while it runs does anybody ask.
pub(super) fn targets(world: &World, task: &Task) -> Vec<Option<&'static str>> {
    if task.status != TaskStatus::Running {
        return Vec::new();
    }
    let health =
        |(group, id, port): &(String, String, i64)| elbv2::target_health(world, group, id, Some(*port));
    task.targets.iter().map(health).collect()
}

pub(super) fn counts_healthy_with(
    world: &World,
    task: &Task,
    targets: &[Option<&'static str>],
) -> Result<bool, Millis> {
    if task.status != TaskStatus::Running {
        return Ok(false);
    }
    let checks = task.containers.iter().filter(|one| one.essential).map(|one| one.health);
    let mut checked = false;
    for health in checks {
        match health {
            ContainerHealth::None => {}
            ContainerHealth::Healthy => checked = true,
            ContainerHealth::Unknown | ContainerHealth::Unhealthy => return Ok(false),
        }
    }
    for health in targets {
        match health {
            Some("healthy" | "unused") => checked = true,
            _ => return Ok(false),
        }
    }
    let due = task.started.unwrap_or(world.now) + SETTLING;
    if checked || due <= world.now { Ok(true) } else { Err(due - world.now) }
}

/// Begins to stop a task, whatever it is doing; a second call changes nothing.
pub(super) fn stop(world: &mut World, arn: &str, why: Stop) {
    let now = world.now;
    let Some(task) = world.ecs.tasks.get_mut(arn).filter(|task| task.wanted) else { return };
    task.wanted = false;
    task.generation += 1;
    task.version += 1;
    task.stopping = Some(now);
    task.stop_code = Some(why.code.to_owned());
    task.stopped_reason = Some(why.reason);
    let (targets, status, service) = (task.targets.clone(), task.status, task.service.clone());
    let cluster = task.cluster.clone();
    world.ecs.task_unwanted(arn);
    if let Some(cluster) = world.ecs.clusters.get_mut(&cluster) {
        cluster.unplaced.remove(arn);
    }
    discovery::deregister(world, arn);
    tell::task(world, arn);
    if let Some(service) = &service {
        kick(world, service, SECOND);
    }
    if status == TaskStatus::Provisioning && task_has_no_place(world, arn) {
        stopped(world, arn);
        return;
    }
    if targets.is_empty() {
        terminate(world, arn);
        return;
    }
    world.ecs.set_status(arn, TaskStatus::Deactivating);
    world.tell("ecs", "task", arn, "DEACTIVATING", None);
    tell::task(world, arn);
    for (group, id, port) in &targets {
        elbv2::deregister(world, group, id, Some(*port));
        if let Some(service) = &service {
            super::settle::say(world, service, |name| {
                format!("(service {name}) deregistered 1 targets in (target-group {group})")
            });
        }
    }
    if let Some(service) = &service {
        super::settle::say(world, service, |name| {
            format!("(service {name}) has begun draining connections on 1 tasks.")
        });
    }
    let alive = world
        .ecs
        .tasks
        .get(arn)
        .is_some_and(|task| task.containers.iter().any(|one| one.essential && one.exit_code.is_none()));
    // A group without balancer or delay is left at once; what has crashed has nothing to drain.
    if alive { target_changed(world, arn) } else { terminate(world, arn) }
}

fn task_has_no_place(world: &World, arn: &str) -> bool {
    world.ecs.tasks.get(arn).is_some_and(|task| task.host.is_none() && task.interface.is_none())
}

/// SIGTERM to the containers.
fn terminate(world: &mut World, arn: &str) {
    if world.ecs.tasks.get(arn).is_none_or(|task| task.status >= TaskStatus::Stopping) {
        return;
    }
    container_logs::stopping(world, arn);
    let Some(task) = world.ecs.set_status(arn, TaskStatus::Stopping) else { return };
    task.generation += 1;
    world.tell("ecs", "task", arn, "STOPPING", None);
    tell::task(world, arn);
    schedule(world, arn, hosts::STOPS_IN, Step::Terminated);
}

fn terminated(world: &mut World, arn: &str) {
    silence(world, arn);
    let Some(task) = world.ecs.set_status(arn, TaskStatus::Deprovisioning) else { return };
    for container in task.containers.iter_mut().filter(|container| container.running) {
        container.running = false;
        container.exit_code = Some(0);
    }
    task.version += 1;
    let delay = if task.interface.is_some() { 8 * SECOND } else { 0 };
    world.tell("ecs", "task", arn, "DEPROVISIONING", None);
    tell::task(world, arn);
    schedule(world, arn, delay, Step::Deprovisioned);
}

fn stopped(world: &mut World, arn: &str) {
    let share = share(world, arn);
    let now = world.now;
    let Some(task) = world.ecs.set_status(arn, TaskStatus::Stopped) else { return };
    task.stopped = Some(now);
    task.version += 1;
    task.generation += 1;
    let (host, interface, service) = (task.host.clone(), task.interface.clone(), task.service.clone());
    let (cluster, why) = (task.cluster.clone(), task.stopped_reason.clone());
    world.tell("ecs", "task", arn, "STOPPED", why.as_deref());
    if let Some(interface) = interface {
        world.ecs.addresses.remove(&interface.private_ip);
        network::release_interface(world, &interface.id);
    }
    if let Some(found) = world.ecs.clusters.get_mut(&cluster) {
        found.tasks.remove(arn);
        found.unplaced.remove(arn);
    }
    if let Some(found) = service.as_ref().and_then(|service| world.ecs.services.get_mut(service)) {
        found.tasks.remove(arn);
    }
    if let Some(host) = host {
        hosts::give_back(world, &host, arn, &share);
    }
    if let Some(service) = service {
        kick(world, &service, SECOND);
    }
    tell::task(world, arn);
    schedule(world, arn, REMEMBERED, Step::Forgotten);
}

/// The host is gone under the task: it is STOPPED at once.
pub(super) fn vanish(world: &mut World, arn: &str, why: Stop) {
    let now = world.now;
    let Some(task) = world.ecs.tasks.get_mut(arn).filter(|task| task.status != TaskStatus::Stopped) else {
        return;
    };
    let was_wanted = std::mem::take(&mut task.wanted);
    if was_wanted {
        task.stopping = Some(now);
        task.stop_code = Some(why.code.to_owned());
        task.stopped_reason = Some(why.reason);
    }
    for container in task.containers.iter_mut().filter(|container| container.running) {
        container.running = false;
        container.exit_code = Some(137);
    }
    let targets = task.targets.clone();
    if was_wanted {
        world.ecs.task_unwanted(arn);
    }
    discovery::deregister(world, arn);
    silence(world, arn);
    for (group, id, port) in targets {
        elbv2::deregister(world, &group, &id, Some(port));
    }
    stopped(world, arn);
}
