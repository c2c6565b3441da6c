//! The service scheduler: one look compares what a service should have with what it has, and starts or
//! stops tasks within the deployment's minimum and maximum percent.

use super::model::{ContainerHealth, Deployment, Rollout, Service, StrategyItem, Task, TaskStatus};
use super::settle::say;
use super::tasks::{self, Order, Stop};
use super::{capacity, daemon, deployments, kick, placement, shifting, short, task_sets, tell};
use crate::World;
use crate::service::elbv2;
use crate::world::SECOND;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::rc::Rc;

/// One task as the scheduler sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub arn: String,
    /// Not being stopped.
    wanted: bool,
    proven: bool,
    /// How long it may still fail its checks.
    grace_left: Option<i64>,
    pub primary: bool,
    running: bool,
    leaving_host: bool,
    pub healthy: bool,
    /// Failed its checks, in AWS's words.
    pub sick: Option<String>,
    zone: Rc<str>,
    created: i64,
    deployment: Option<Rc<str>>,
}

/// Texts of which there are few different ones.
#[derive(Default)]
struct Texts(Vec<Rc<str>>);

impl Texts {
    fn shared(&mut self, text: &str) -> Rc<str> {
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == text) {
            return known.clone();
        }
        let text: Rc<str> = text.into();
        self.0.push(text.clone());
        text
    }
}

pub(super) fn look(world: &mut World, arn: &str, at: i64) {
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    if service.looks_at != Some(at) {
        return;
    }
    service.looks_at = None;
    let (status, external) = (service.status.clone(), !service.is_rolling());
    match status.as_str() {
        "INACTIVE" => {}
        "DRAINING" => wind_down(world, arn),
        _ if external => task_sets::look(world, arn),
        _ => {
            deployments::started(world, arn);
            let mut seen = survey(world, arn);
            let primary = primary(world, arn);
            let mut changed = retire_unhealthy(world, arn, &seen);
            deployments::watch(world, arn);
            changed |= self::primary(world, arn) != primary;
            if shifting::look(world, arn) {
                return;
            }
            if changed {
                seen = survey(world, arn);
            }
            if world.ecs.services.get(arn).is_some_and(|service| service.daemon) {
                daemon::look(world, arn);
            } else {
                replica(world, arn, &seen);
            }
            finish(world, arn);
        }
    }
}

impl Service {
    /// ECS itself rolls this service's deployments out.
    pub(super) fn is_rolling(&self) -> bool {
        matches!(self.controller.as_deref(), None | Some("ECS"))
    }

    /// Tasks that must stay healthy, and tasks that may live at once.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let (min, max) = if self.daemon { (0, 100) } else { (100, 200) };
        let min = self.percent("minimumHealthyPercent", min);
        let max = self.percent("maximumPercent", max);
        ((self.desired * min + 99) / 100, self.desired * max / 100)
    }
}

fn tasks_of<'a>(world: &'a World, service: &'a Service) -> impl Iterator<Item = &'a Task> {
    service.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn))
}

/// Health checks of a task have failed, and its grace period is over; Err is how long that still lasts.
fn is_unhealthy(
    world: &World,
    task: &Task,
    targets: &[Option<&'static str>],
    grace: i64,
) -> Result<Option<String>, i64> {
    if task.status != TaskStatus::Running {
        return Ok(None);
    }
    let failing = targets.iter().position(|health| *health == Some("unhealthy"));
    let reason = failing
        .and_then(|at| task.targets.get(at))
        .map(|(group, ..)| format!("Task failed ELB health checks in (target-group {group})"))
        .or_else(|| {
            let sick =
                |one: &super::model::Container| one.essential && one.health == ContainerHealth::Unhealthy;
            task.containers.iter().any(sick).then(|| "Task failed container health checks".to_owned())
        });
    let over = task.started.unwrap_or(world.now) + grace * SECOND;
    match reason {
        Some(_) if over > world.now => Err(over - world.now),
        reason => Ok(reason),
    }
}

fn primary(world: &World, arn: &str) -> Option<String> {
    Some(world.ecs.services.get(arn)?.primary()?.id.clone())
}

/// Stops tasks that never became healthy. One that was is replaced before it is stopped (see `replica`).
fn retire_unhealthy(world: &mut World, arn: &str, seen: &[Seen]) -> bool {
    retire(world, arn, seen, false)
}

/// Stops all unhealthy tasks, those too that once were healthy: task sets replace them afterwards.
pub(super) fn stop_unhealthy(world: &mut World, arn: &str) {
    let seen = survey(world, arn);
    retire(world, arn, &seen, true);
}

fn retire(world: &mut World, arn: &str, seen: &[Seen], all: bool) -> bool {
    if let Some(wait) = seen.iter().filter(|one| one.wanted).filter_map(|one| one.grace_left).min() {
        kick(world, arn, wait);
    }
    let mut stopped = false;
    for one in seen.iter().filter(|one| one.wanted && (all || !one.proven)) {
        let Some(reason) = one.sick.clone() else { continue };
        let Some(task) = world.ecs.tasks.get(&one.arn).cloned() else { continue };
        tell_unhealthy(world, arn, &task);
        super::settle::failed(world, &task.arn);
        tasks::stop(world, &task.arn, Stop::new("ServiceSchedulerInitiated", reason));
        stopped = true;
    }
    stopped
}

/// Healthy tasks of a deployment on hosts that stay, and when there may be more without any event.
pub(super) fn healthy_of(world: &World, arn: &str, deployment: &str) -> (i64, Option<i64>) {
    let Some(service) = world.ecs.services.get(arn) else { return (0, None) };
    let all: Vec<&Task> = tasks_of(world, service).collect();
    let ours = || all.iter().filter(|task| task.wanted && task.deployment.as_deref() == Some(deployment));
    let good = |task: &&&Task| tasks::counts_healthy(world, task) == Ok(true) && !leaving(world, task);
    (
        ours().filter(good).count() as i64,
        ours().filter_map(|task| tasks::counts_healthy(world, task).err()).min(),
    )
}

fn tell_unhealthy(world: &mut World, service: &str, task: &Task) {
    let unhealthy = task
        .targets
        .iter()
        .find(|(group, id, port)| elbv2::target_health(world, group, id, Some(*port)) == Some("unhealthy"));
    let id = short(&task.arn).to_owned();
    match unhealthy {
        Some((group, target, port)) => {
            let reason = elbv2::reason(world, group, target, Some(*port)).unwrap_or_default();
            let who =
                if task.interface.is_some() { format!("task {id}") } else { format!("instance {target}") };
            let who = if task.interface.is_some() { who } else { format!("{who}) (port {port}") };
            say(world, service, |name| {
                format!(
                    "(service {name}) ({who}) is unhealthy in (target-group {group}) due to (reason {reason})"
                )
            });
        }
        None => say(world, service, |name| {
            format!("(service {name}) (task {id}) failed container health checks.")
        }),
    }
}

/// Its host is being drained, or gone.
fn leaving(world: &World, task: &Task) -> bool {
    let host = task.host.as_ref();
    host.is_some_and(|host| world.ecs.hosts.get(host).is_none_or(|host| host.draining))
}

/// All tasks of a service.
fn survey(world: &World, arn: &str) -> Vec<Seen> {
    let Some(service) = world.ecs.services.get(arn) else { return Vec::new() };
    let primary = service.primary().map(|one| one.id.as_str());
    let grace = service.grace_seconds.unwrap_or(0);
    // Most tasks of a service are targets of the same groups.
    let mut groups = elbv2::Groups::new(world);
    let mut targets = Vec::new();
    let mut texts = Texts::default();
    let mut seen = |task: &Task| {
        ask_targets(&mut groups, task, &mut targets);
        let (sick, grace_left) = match is_unhealthy(world, task, &targets, grace) {
            Ok(sick) => (sick, None),
            Err(wait) => (None, Some(wait)),
        };
        let counts = tasks::counts_healthy_with(world, task, &targets);
        Seen {
            wanted: task.wanted,
            proven: task.proven,
            grace_left,
            primary: task.deployment.as_deref() == primary,
            running: task.status == TaskStatus::Running,
            leaving_host: leaving(world, task),
            healthy: counts == Ok(true),
            sick,
            zone: texts.shared(&task.zone),
            created: task.created,
            deployment: task.deployment.as_deref().map(|id| texts.shared(id)),
            arn: task.arn.clone(),
        }
    };
    tasks_of(world, service).map(&mut seen).collect()
}

/// As [`tasks::targets`], for many tasks.
fn ask_targets(groups: &mut elbv2::Groups, task: &Task, into: &mut Vec<Option<&'static str>>) {
    into.clear();
    if task.status == TaskStatus::Running {
        into.extend(task.targets.iter().map(|(group, id, port)| groups.health(group, id, *port)));
    }
}

/// The tasks of a service that are not being stopped.
pub(super) fn see(world: &World, service: &Service) -> Vec<Seen> {
    let mut seen = survey(world, &service.arn);
    seen.retain(|one| one.wanted);
    seen
}

fn replica(world: &mut World, arn: &str, seen: &[Seen]) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let Some(primary) = service.primary() else { return };
    let (id, bounds) = (primary.id.clone(), service.bounds());
    let wanted: Vec<&Seen> = seen.iter().filter(|one| one.wanted).collect();
    keep(world, arn, &id, bounds, &wanted);
}

/// Keeps one of two deployments that stand side by side at the desired count, without regard to the other.
pub(super) fn keep_one(world: &mut World, arn: &str, deployment: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let bounds = (service.desired, service.desired * 2);
    let mut seen = see(world, service);
    seen.retain(|one| one.deployment.as_deref() == Some(deployment));
    for one in &mut seen {
        one.primary = true;
    }
    keep(world, arn, deployment, bounds, &seen.iter().collect::<Vec<_>>());
}

/// Starts and stops tasks so that the deployment `id` has the desired count, within least and most.
fn keep(world: &mut World, arn: &str, id: &str, (min, max): (i64, i64), seen: &[&Seen]) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let Some(kept) = service.deployments.iter().find(|one| one.id == id) else { return };
    let halted = kept.rollout == Rollout::Failed;
    let desired = service.desired;
    let throttled = service.throttled_until - world.now;
    let (good, out): (Vec<&Seen>, Vec<&Seen>) =
        seen.iter().copied().partition(|one| one.primary && !one.leaving_host && one.sick.is_none());
    let need = desired - good.len() as i64;
    let room = max - seen.len() as i64;
    let mut started = 0;
    if need > 0 && !halted {
        if throttled > 0 {
            kick(world, arn, throttled);
        } else {
            started = start(world, arn, id, need.min(room));
        }
    }
    if halted {
        return;
    }
    let surplus = good.len() as i64 - desired;
    if surplus > 0 {
        scale_in(world, arn, &good, surplus as usize);
    }
    let blocked = started < need;
    let healthy = seen.iter().filter(|one| one.healthy && one.sick.is_none()).count() as i64;
    let replaced = good.iter().filter(|one| one.healthy).count() as i64 >= desired;
    let floor = if blocked { min } else { min.max(desired) };
    let stopped = stop_outdated(world, arn, &out, healthy - floor, blocked || replaced);
    // Neither may anything start nor stop: AWS says so instead of waiting in silence.
    if need > 0 && started == 0 && stopped == 0 && min >= desired && max <= desired && !out.is_empty() {
        complain(world, arn, |name| {
            format!(
                "(service {name}) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again."
            )
        });
    }
}

/// Says something once, until the cause is resolved.
pub(super) fn complain(world: &mut World, arn: &str, text: impl FnOnce(&str) -> String) {
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    let message = text(&service.name);
    if service.complaint.as_ref() != Some(&message) {
        service.complaint = Some(message.clone());
        say(world, arn, |_| message);
    }
}

fn start(world: &mut World, arn: &str, deployment: &str, count: i64) -> i64 {
    let mut started: Vec<String> = Vec::new();
    for _ in 0..count.max(0) {
        match launch_of(world, arn, deployment, None) {
            Ok(task) => started.push(format!("(task {})", short(&task))),
            Err(why) => {
                complain(world, arn, |name| {
                    format!(
                        "(service {name}) was unable to place a task because no container instance met all of its requirements. {why} For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
                    )
                });
                tell::service(world, arn, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", Some(&why));
                wait_for_room(world, arn);
                break;
            }
        }
    }
    if started.len() as i64 == count
        && let Some(service) = world.ecs.services.get_mut(arn)
    {
        service.complaint = None;
    }
    self::started(world, arn, &started);
    started.len() as i64
}

/// Tells that these tasks have been started.
pub(super) fn started(world: &mut World, arn: &str, list: &[String]) {
    if list.is_empty() {
        return;
    }
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.steady = false;
    }
    let (count, list) = (list.len(), list.join(" "));
    say(world, arn, |name| format!("(service {name}) has started {count} tasks: {list}."));
}

pub(super) fn wait_for_room(world: &mut World, arn: &str) {
    let Some(cluster) = world.ecs.services.get(arn).map(|service| service.cluster.clone()) else { return };
    if let Some(cluster) = world.ecs.clusters.get_mut(&cluster) {
        cluster.waiting.insert(arn.to_owned());
    }
}

/// The provider that is furthest behind its share: first the base, then the weights.
pub(super) fn pick_provider(strategy: &[StrategyItem], counts: &BTreeMap<String, i64>) -> Option<String> {
    let count = |item: &StrategyItem| counts.get(&item.capacity_provider).copied().unwrap_or(0);
    if let Some(item) = strategy.iter().find(|item| item.base > count(item)) {
        return Some(item.capacity_provider.clone());
    }
    let weighted = strategy.iter().filter(|item| item.weight > 0);
    let behind = weighted.min_by(|a, b| {
        let share = |item: &StrategyItem| (count(item) - item.base).max(0) * 1_000_000 / item.weight;
        share(a).cmp(&share(b))
    });
    behind.or(strategy.first()).map(|item| item.capacity_provider.clone())
}

/// Starts one task of the primary deployment, on this host if one is named.
pub(super) fn launch(world: &mut World, arn: &str, on: Option<&str>) -> Result<String, String> {
    let service = world.ecs.services.get(arn).ok_or("The service does not exist.")?;
    let deployment = service.primary().ok_or("The service has no deployment.")?.id.clone();
    launch_of(world, arn, &deployment, on)
}

fn launch_of(world: &mut World, arn: &str, id: &str, on: Option<&str>) -> Result<String, String> {
    let service = world.ecs.services.get(arn).ok_or("The service does not exist.")?;
    let deployment = service.deployments.iter().find(|one| one.id == id);
    let deployment = deployment.ok_or("The service has no such deployment.")?;
    let revision = world.ecs.revisions.get(&deployment.revision).ok_or("The revision does not exist.")?;
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    // With one provider there is nothing to pick.
    let counted = if revision.strategy.len() > 1 { Some(service) } else { None };
    for task in counted.into_iter().flat_map(|service| tasks_of(world, service)) {
        if task.wanted
            && task.deployment.as_ref() == Some(&deployment.id)
            && let Some(provider) = &task.provider
        {
            *counts.entry(provider.clone()).or_default() += 1;
        }
    }
    let provider = pick_provider(&revision.strategy, &counts);
    let fargate = revision.launch_type.as_deref() == Some("FARGATE")
        || provider.as_deref().is_some_and(capacity::is_fargate);
    let group = format!("service:{}", service.name);
    let network = revision.network.as_ref();
    let mut ask =
        placement::ask(world, service, &revision.task_definition, provider.as_deref(), network, &group);
    ask.only = on;
    let host = if fargate { None } else { placement::choose(world, &ask) };
    // Managed scaling brings a host: the task waits for it in PROVISIONING.
    let waits = fargate || provider.as_deref().is_some_and(|name| scales(world, name));
    if host.is_none() && !waits {
        return Err(placement::why_not(world, &ask));
    }
    let order = Order {
        cluster: service.cluster.clone(),
        definition: revision.task_definition.clone(),
        group,
        started_by: Some(deployment.id.clone()),
        service: Some(arn.to_owned()),
        deployment: Some(deployment.id.clone()),
        launch_type: if fargate { "FARGATE" } else { "EC2" }.to_owned(),
        platform_version: fargate.then(|| platform(revision.platform_version.as_deref())),
        provider,
        network: revision.network.clone(),
        overrides: Json::Null,
        execute_command: service.execute_command,
        tags: propagated(world, service, &revision.task_definition),
        host,
    };
    Ok(tasks::create(world, order))
}

pub(super) fn platform(version: Option<&str>) -> String {
    match version {
        None | Some("LATEST") => "1.4.0".to_owned(),
        Some(version) => version.to_owned(),
    }
}

pub(super) fn scales(world: &World, provider: &str) -> bool {
    capacity::get(world, provider).is_some_and(|provider| provider.managed_scaling)
}

pub(super) fn propagated(world: &World, service: &Service, definition: &str) -> super::Tags {
    let mut tags = match service.propagate_tags.as_str() {
        "SERVICE" => service.tags.clone(),
        "TASK_DEFINITION" => world.ecs.definition(definition).map(|one| one.tags.clone()).unwrap_or_default(),
        _ => super::Tags::new(),
    };
    if service.managed_tags {
        tags.insert("aws:ecs:clusterName".to_owned(), service.cluster.clone());
        tags.insert("aws:ecs:serviceName".to_owned(), service.name.clone());
    }
    tags
}

/// Takes tasks that do not run yet first, then from the fullest zone, the newest one.
fn scale_in(world: &mut World, arn: &str, good: &[&Seen], count: usize) {
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    for one in good {
        *zones.entry(&one.zone).or_default() += 1;
    }
    let mut left: Vec<&Seen> = good.to_vec();
    let mut going: Vec<String> = Vec::new();
    for _ in 0..count {
        let next = left.iter().copied().enumerate().max_by_key(|(_, one)| {
            (!one.running, zones.get(&*one.zone).copied().unwrap_or(0), one.created, &one.arn)
        });
        let Some((at, _)) = next else { break };
        let one = left.remove(at);
        if let Some(count) = zones.get_mut(&*one.zone) {
            *count -= 1;
        }
        going.push(one.arn.clone());
    }
    stop_all(world, arn, &going);
}

pub(super) fn stop_all(world: &mut World, arn: &str, going: &[String]) {
    if going.is_empty() {
        return;
    }
    let deployment =
        world.ecs.services.get(arn).and_then(|service| service.primary()).map(|one| one.id.clone());
    let list: Vec<String> = going.iter().map(|task| format!("(task {})", short(task))).collect();
    let (count, list) = (going.len(), list.join(" "));
    say(world, arn, |name| format!("(service {name}) has stopped {count} running tasks: {list}."));
    for task in going {
        tasks::stop(world, task, Stop::scheduler(deployment.as_deref()));
    }
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.steady = false;
    }
}

/// Stops what belongs to older deployments, to draining hosts or is sick, as far as healthy tasks can be
/// spared; what is not healthy anyway need not be spared.
fn stop_outdated(world: &mut World, arn: &str, out: &[&Seen], mut spare: i64, replaced: bool) -> i64 {
    let mut order: Vec<&Seen> = out.to_vec();
    order.sort_by(|a, b| {
        let rank = |one: &Seen| (one.healthy, one.running, one.created);
        (rank(a), &a.arn).cmp(&(rank(b), &b.arn))
    });
    let mut going: Vec<String> = Vec::new();
    for one in order {
        let useless = !one.healthy || one.sick.is_some();
        let free = useless && (!one.primary || replaced || one.leaving_host && !one.running);
        if free || (!useless && spare > 0) {
            if !useless {
                spare -= 1;
            }
            going.push(one.arn.clone());
        }
    }
    for one in out {
        let Some(reason) = one.sick.clone().filter(|_| going.contains(&one.arn)) else { continue };
        let Some(task) = world.ecs.tasks.get(&one.arn).cloned() else { continue };
        tell_unhealthy(world, arn, &task);
        super::settle::failed(world, &one.arn);
        tasks::stop(world, &one.arn, Stop::new("ServiceSchedulerInitiated", reason));
    }
    stop_all(world, arn, &going);
    going.len() as i64
}

/// Old deployments without tasks leave the list; a deployment whose tasks are all there and healthy, with
/// nothing else left, is complete; a service at rest says so once.
fn finish(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let (settled, waits) = rests(world, service);
    let used = |id: &String| tasks_of(world, service).any(|task| task.deployment.as_ref() == Some(id));
    let left = |(at, one): (usize, &Deployment)| (at > 0 && !used(&one.id)).then(|| one.id.clone());
    let left: Vec<String> = service.deployments.iter().enumerate().filter_map(left).collect();
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    service.deployments.retain(|one| !left.contains(&one.id));
    if !settled {
        service.steady = false;
        if let Some(wait) = waits {
            kick(world, arn, wait);
        }
        return;
    }
    let running = service.primary().is_some_and(|one| one.rollout == Rollout::InProgress);
    let fresh = !service.steady;
    service.steady = true;
    service.complaint = None;
    if running {
        deployments::complete(world, arn);
    }
    if fresh || running {
        say(world, arn, |name| format!("(service {name}) has reached a steady state."));
        tell::service(world, arn, "INFO", "SERVICE_STEADY_STATE", None);
    }
}

/// Whether all tasks are as they should be; if not, when some may be without any event.
fn rests(world: &World, service: &Service) -> (bool, Option<i64>) {
    let primary = service.primary().map(|one| one.id.as_str());
    let in_place = |task: &Task| {
        task.wanted
            && task.status == TaskStatus::Running
            && task.deployment.as_deref() == primary
            && (service.daemon || !leaving(world, task))
    };
    let count = service.tasks.len() as i64;
    let in_place = count == service.desired && tasks_of(world, service).all(in_place);
    let mut groups = elbv2::Groups::new(world);
    let (mut targets, mut healthy, mut waits) = (Vec::new(), true, None);
    // What has targets is healthy by their checks, never by waiting.
    for task in tasks_of(world, service).filter(|task| in_place || task.targets.is_empty()) {
        ask_targets(&mut groups, task, &mut targets);
        match tasks::counts_healthy_with(world, task, &targets) {
            Ok(good) => healthy &= good,
            Err(wait) => waits = Some(waits.map_or(wait, |least: i64| least.min(wait))),
        }
    }
    (in_place && healthy && waits.is_none(), waits)
}

/// A deleted service stops its tasks and is INACTIVE when the last one is gone.
fn wind_down(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let wanted: Vec<String> =
        tasks_of(world, service).filter(|task| task.wanted).map(|task| task.arn.clone()).collect();
    stop_all(world, arn, &wanted);
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    if service.tasks.is_empty() {
        service.status = "INACTIVE".to_owned();
        service.deployments.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, weight: i64, base: i64) -> StrategyItem {
        StrategyItem { capacity_provider: name.to_owned(), weight, base }
    }

    #[test]
    fn base_comes_first_then_weights() {
        let strategy = [item("spot", 3, 0), item("demand", 1, 2)];
        let mut counts = BTreeMap::new();
        let mut order = Vec::new();
        for _ in 0..6 {
            let name = pick_provider(&strategy, &counts).expect("a provider");
            *counts.entry(name.clone()).or_insert(0) += 1;
            order.push(name);
        }
        assert_eq!(order, ["demand", "demand", "spot", "demand", "spot", "spot"]);
    }
}
