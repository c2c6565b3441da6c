//! Deployments of services: they begin, are watched, complete, fail and roll back. And the API of service
//! deployments and revisions.

use super::super::cloudwatch::{self, AlarmState};
use super::super::{Answer, ApiError, Input};
use super::model::{Deployment, Revision, Rollout, Service, ServiceDeployment, Stage, TaskStatus};
use super::settle::say;
use super::{invalid, kick, missing, paged, put, services, shifting, tell, time};
use crate::World;
use crate::world::{Millis, SECOND};
use serde_json::{Value as Json, json};

/// Alarms are looked at this often while a deployment runs.
const ALARM_CHECK: Millis = 30 * SECOND;

fn tail(service: &Service) -> String {
    format!("{}/{}", service.cluster, service.name)
}

/// A new revision becomes PRIMARY; a deployment that was still going on is stopped by that.
pub(super) fn begin(world: &mut World, service_arn: &str, mut revision: Revision) {
    let Some(service) = world.ecs.services.get(service_arn) else { return };
    let tail = tail(service);
    let rolling = service.is_rolling();
    let configuration = service.deployment_configuration.clone();
    let cluster = service.cluster.clone();
    let mut sources: Vec<String> = Vec::new();
    for deployment in &service.deployments {
        let runs = service
            .tasks
            .iter()
            .filter_map(|arn| world.ecs.tasks.get(arn))
            .any(|task| task.wanted && task.deployment.as_ref() == Some(&deployment.id));
        if runs && !sources.contains(&deployment.revision) {
            sources.push(deployment.revision.clone());
        }
    }
    let previous = service.primary().filter(|one| one.rollout == Rollout::InProgress);
    let superseded = previous.and_then(|one| one.service_deployment.clone());
    if let Some(superseded) = &superseded {
        shifting::undo(world, superseded);
    }
    let Some(service) = world.ecs.services.get(service_arn) else { return };
    revision.resolved = shifting::resolve(world, service, &revision);
    let blue = service.completed.as_ref();
    let blue = blue.and_then(|done| service.deployments.iter().find(|one| one.revision == *done));
    let blue = blue.map(|one| (one.id.clone(), one.revision.clone()));
    let crowd =
        service.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn)).any(|task| {
            task.deployment.is_some() && task.deployment.as_ref() != blue.as_ref().map(|(id, _)| id)
        });
    let native = shifting::is_native(&configuration);
    if native && let Some((_, revision)) = &blue {
        // The one that serves first, even if it happens to have no task.
        sources.retain(|one| one != revision);
        sources.insert(0, revision.clone());
    }
    let now = world.now;
    let random = world.random();
    let number = world.ecs.next_number(random).to_string();
    let number = world.foreseen("service-revision").unwrap_or(number);
    revision.arn = world.arn("ecs", &format!("service-revision/{tail}/{number}"));
    revision.created = now;
    let own = world.ecs.next_number(random).to_string();
    let id = format!("ecs-svc/{}", world.foreseen("ecs-svc").unwrap_or(own));
    let record = rolling.then(|| {
        let id = world.hex(21);
        world.arn("ecs", &format!("service-deployment/{tail}/{id}"))
    });
    if let Some(superseded) = superseded.and_then(|arn| world.ecs.service_deployments.get_mut(&arn)) {
        superseded.status = "STOPPED".to_owned();
        superseded.reason =
            Some("Service deployment was stopped because a newer service deployment was started.".to_owned());
        superseded.stopped = Some(now);
        superseded.finished = Some(now);
        superseded.updated = now;
        superseded.breaker = monitor(&superseded.configuration, "MONITORING_COMPLETE");
    }
    if let Some(arn) = &record {
        let blue = blue.map(|(id, _)| id);
        let shift = native.then(|| shifting::begin(world, &revision, &id, blue, crowd));
        let alarms = alarm_names(&configuration);
        let ignored_alarms = alarms.into_iter().filter(|name| in_alarm(world, name)).collect();
        let made = ServiceDeployment {
            arn: arn.clone(),
            service: service_arn.to_owned(),
            cluster,
            status: "PENDING".to_owned(),
            reason: None,
            created: now,
            started: None,
            finished: None,
            stopped: None,
            updated: now,
            sources,
            target: revision.arn.clone(),
            breaker: monitor(&configuration, "MONITORING"),
            configuration,
            rollback: None,
            failures: 0,
            triggered_alarms: Vec::new(),
            ignored_alarms,
            shift,
        };
        world.ecs.service_deployments.insert(arn.clone(), made);
    }
    let deployment = Deployment {
        reason: format!("ECS deployment {id} in progress."),
        id,
        revision: revision.arn.clone(),
        service_deployment: record.clone(),
        created: now,
        updated: now,
        rollout: Rollout::InProgress,
        failed_tasks: 0,
        is_rollback: false,
    };
    world.ecs.revisions.insert(revision.arn.clone(), revision);
    if let Some(service) = world.ecs.services.get_mut(service_arn) {
        service.deployments.insert(0, deployment);
        service.history.extend(record);
        service.steady = false;
        service.failures_in_row = 0;
        service.throttled_until = 0;
        service.complaint = None;
    }
    kick(world, service_arn, 2 * SECOND);
}

fn monitor(configuration: &Json, state: &str) -> String {
    let enabled =
        configuration.get("deploymentCircuitBreaker").and_then(|one| one.flag("enable")) == Some(true);
    if enabled { state.to_owned() } else { "DISABLED".to_owned() }
}

fn alarm_names(configuration: &Json) -> Vec<String> {
    let alarms = configuration.get("alarms").filter(|one| one.flag("enable") == Some(true));
    alarms
        .map(|one| one.texts("alarmNames").iter().map(|name| (*name).to_owned()).collect())
        .unwrap_or_default()
}

fn in_alarm(world: &mut World, name: &str) -> bool {
    cloudwatch::alarm_state(world, name) == Some(AlarmState::Alarm)
}

/// The service deployment that the primary deployment carries out.
fn current(world: &World, service: &str) -> Option<String> {
    world.ecs.services.get(service)?.primary()?.service_deployment.clone()
}

/// The scheduler has begun: PENDING is over.
pub(super) fn started(world: &mut World, service: &str) {
    let now = world.now;
    let record = current(world, service).and_then(|arn| world.ecs.service_deployments.get_mut(&arn));
    if let Some(record) = record.filter(|record| record.status == "PENDING") {
        record.status = "IN_PROGRESS".to_owned();
        record.started = Some(now);
        record.updated = now;
        tell::deployment(world, service);
    }
}

/// How many failed tasks fail the deployment (API reference, DeploymentCircuitBreaker): half of the desired
/// count, at least 3 and at most 200, unless configured otherwise.
pub(super) fn threshold(desired: i64, configuration: &Json) -> i64 {
    let set = configuration.get("deploymentCircuitBreaker").and_then(|one| one.get("thresholdConfiguration"));
    let kind = set.and_then(|one| one.text("type")).unwrap_or("BOUNDED_PERCENT");
    let value = set.and_then(|one| one.int("value")).unwrap_or(50);
    let percent = (desired * value + 99) / 100;
    match kind {
        "COUNT" => value,
        "UNBOUNDED_PERCENT" => percent.max(1),
        _ => percent.clamp(3, 200),
    }
}

/// Trips the circuit breaker or an alarm's, if it is time.
pub(super) fn watch(world: &mut World, arn: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let Some(primary) = service.primary().filter(|one| one.rollout == Rollout::InProgress) else { return };
    if shifting::is_past_return(world, arn) {
        return;
    }
    let configuration = &service.deployment_configuration;
    let breaker = configuration.get("deploymentCircuitBreaker");
    let enabled = breaker.and_then(|one| one.flag("enable")) == Some(true);
    let rollback = breaker.and_then(|one| one.flag("rollback")) == Some(true);
    if enabled && primary.failed_tasks >= threshold(service.desired, configuration) {
        fail(world, arn, &Cause::Breaker, rollback);
        return;
    }
    let names = alarm_names(configuration);
    if names.is_empty() || primary.is_rollback {
        return;
    }
    let ignored = current(world, arn)
        .and_then(|arn| world.ecs.service_deployments.get(&arn))
        .map(|record| record.ignored_alarms.clone())
        .unwrap_or_default();
    let rollback = configuration.get("alarms").and_then(|one| one.flag("rollback")) == Some(true);
    let ringing: Vec<String> =
        names.into_iter().filter(|name| !ignored.contains(name) && in_alarm(world, name)).collect();
    if ringing.is_empty() {
        kick(world, arn, ALARM_CHECK);
        return;
    }
    fail(world, arn, &Cause::Alarms(ringing), rollback);
}

pub(super) enum Cause {
    Breaker,
    Alarms(Vec<String>),
    Request,
    /// A lifecycle hook of that stage said no.
    Hook(Stage, String),
    HookTimeout(Stage, String),
}

impl Cause {
    /// For `rolloutStateReason`.
    fn state(&self) -> String {
        match self {
            Cause::Breaker => "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
            Cause::Alarms(names) => {
                format!("ECS deployment alarms: alarm detected. Alarms: {}", names.join(", "))
            }
            Cause::Request => "ECS deployment was stopped by the user.".to_owned(),
            Cause::Hook(stage, hook) => {
                format!("ECS deployment lifecycle hook: {hook} failed at {}.", stage.text())
            }
            Cause::HookTimeout(stage, hook) => {
                format!("ECS deployment lifecycle hook: {hook} timed out at {}.", stage.text())
            }
        }
    }

    fn source(&self) -> &'static str {
        match self {
            Cause::Breaker => "ECS deployment circuit breaker",
            Cause::Alarms(_) => "ECS deployment alarms",
            Cause::Request => "ECS deployment stop request",
            Cause::Hook(..) | Cause::HookTimeout(..) => "ECS deployment lifecycle hook",
        }
    }

    /// For events: `deployment … failed: …`.
    fn event(&self) -> &'static str {
        match self {
            Cause::Breaker => "tasks failed to start.",
            Cause::Alarms(_) => "alarm detected.",
            Cause::Request => "stopped by the user.",
            Cause::Hook(..) => "lifecycle hook failed.",
            Cause::HookTimeout(..) => "lifecycle hook timed out.",
        }
    }

    /// For the service deployment's `statusReason` and its rollback's `reason`.
    fn rolled_back(&self) -> String {
        let why = match self {
            Cause::Breaker => "the circuit breaker threshold was exceeded".to_owned(),
            Cause::Alarms(_) => "an alarm was triggered".to_owned(),
            Cause::Request => "of a request to stop it".to_owned(),
            Cause::Hook(stage, hook) => format!("the lifecycle hook {hook} failed at {}", stage.text()),
            Cause::HookTimeout(stage, hook) => {
                format!("the lifecycle hook {hook} timed out at {}", stage.text())
            }
        };
        format!("Service deployment rolled back because {why}.")
    }
}

/// The primary deployment fails: back to the last completed revision, or it stalls.
pub(super) fn fail(world: &mut World, arn: &str, cause: &Cause, rollback: bool) {
    let now = world.now;
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    let target = service.completed.clone().filter(|_| rollback);
    let Some(failed) = service.deployments.first_mut() else { return };
    failed.rollout = Rollout::Failed;
    failed.reason = cause.state();
    failed.updated = now;
    let (id, was_rollback, record) =
        (failed.id.clone(), failed.is_rollback, failed.service_deployment.clone());
    let target = target.filter(|revision| *revision != failed.revision && !was_rollback);
    say(world, arn, |name| {
        format!("(service {name}) (deployment {id}) deployment failed: {}", cause.event())
    });
    tell::deployment(world, arn);
    if let Some(record) = record.as_ref().and_then(|arn| world.ecs.service_deployments.get_mut(arn)) {
        record.updated = now;
        if matches!(cause, Cause::Breaker) {
            record.breaker = "TRIGGERED".to_owned();
        }
        if let Cause::Alarms(names) = cause {
            record.triggered_alarms.clone_from(names);
        }
        match &target {
            Some(revision) => {
                record.status = "ROLLBACK_IN_PROGRESS".to_owned();
                record.reason = Some(cause.rolled_back());
                record.rollback = Some((cause.rolled_back(), now, revision.clone()));
            }
            None => {
                record.status = if was_rollback { "ROLLBACK_FAILED" } else { "STOPPED" }.to_owned();
                record.reason = Some(cause.state());
                record.stopped = Some(now);
                record.finished = Some(now);
            }
        }
    }
    if let Some(revision) = target {
        if let Some(record) = &record {
            shifting::undo(world, record);
        }
        roll_back(world, arn, &revision, record, cause);
    }
    kick(world, arn, 2 * SECOND);
}

/// The deployment of that revision becomes PRIMARY again, with the tasks it still has.
fn roll_back(world: &mut World, arn: &str, revision: &str, record: Option<String>, cause: &Cause) {
    let now = world.now;
    let random = world.random();
    let number = world.ecs.next_number(random);
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    let at = service.deployments.iter().position(|one| one.revision == revision);
    let mut back = match at {
        Some(at) => service.deployments.remove(at),
        None => Deployment {
            id: format!("ecs-svc/{number}"),
            revision: revision.to_owned(),
            service_deployment: None,
            created: now,
            updated: now,
            rollout: Rollout::InProgress,
            reason: String::new(),
            failed_tasks: 0,
            is_rollback: true,
        },
    };
    back.reason = format!("{}: rolling back to deploymentId {}.", cause.source(), back.id);
    back.rollout = Rollout::InProgress;
    back.failed_tasks = 0;
    back.updated = now;
    back.is_rollback = true;
    back.service_deployment = record;
    let id = back.id.clone();
    service.deployments.insert(0, back);
    service.failures_in_row = 0;
    service.throttled_until = 0;
    say(world, arn, |name| format!("(service {name}) rolling back to deployment {id}."));
}

/// The primary deployment has all its tasks, and nothing else is left.
pub(super) fn complete(world: &mut World, arn: &str) {
    let now = world.now;
    let Some(service) = world.ecs.services.get_mut(arn) else { return };
    let Some(primary) = service.deployments.first_mut() else { return };
    primary.rollout = Rollout::Completed;
    primary.reason = format!("ECS deployment {} completed.", primary.id);
    primary.updated = now;
    let (id, record, back) = (primary.id.clone(), primary.service_deployment.clone(), primary.is_rollback);
    primary.is_rollback = false;
    service.completed = Some(primary.revision.clone());
    if let Some(record) = record.and_then(|arn| world.ecs.service_deployments.get_mut(&arn)) {
        record.status = if back { "ROLLBACK_SUCCESSFUL" } else { "SUCCESSFUL" }.to_owned();
        record.finished = Some(now);
        record.updated = now;
        if record.breaker == "MONITORING" {
            record.breaker = "MONITORING_COMPLETE".to_owned();
        }
    }
    say(world, arn, |name| format!("(service {name}) (deployment {id}) deployment completed."));
    tell::deployment(world, arn);
}

/// Running and pending tasks of a revision.
fn counts(world: &World, service: &Service, revision: &str) -> (i64, i64) {
    let ids: Vec<&String> =
        service.deployments.iter().filter(|one| one.revision == revision).map(|one| &one.id).collect();
    let (mut running, mut pending) = (0, 0);
    for task in service.tasks.iter().filter_map(|arn| world.ecs.tasks.get(arn)) {
        if task.deployment.as_ref().is_none_or(|id| !ids.contains(&id)) {
            continue;
        }
        match task.status {
            TaskStatus::Running => running += 1,
            status if status < TaskStatus::Running => pending += 1,
            _ => {}
        }
    }
    (running, pending)
}

fn summary(world: &World, service: Option<&Service>, revision: &str, going_on: bool) -> Json {
    let (running, pending) = service.map_or((0, 0), |service| counts(world, service, revision));
    let primary = service.and_then(Service::primary).is_some_and(|one| one.revision == revision);
    let requested = match service.filter(|_| primary) {
        Some(service) => service.desired,
        None if going_on => running,
        None => 0,
    };
    json!({
        "arn": revision,
        "requestedTaskCount": requested,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    })
}

fn view(world: &World, record: &ServiceDeployment) -> Json {
    let service = world.ecs.services.get(&record.service);
    let going_on = record.finished.is_none();
    let sources: Vec<Json> =
        record.sources.iter().map(|revision| summary(world, service, revision, going_on)).collect();
    let threshold = threshold(service.map_or(0, |service| service.desired), &record.configuration);
    let mut view = json!({
        "serviceDeploymentArn": record.arn,
        "serviceArn": record.service,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", record.cluster)),
        "createdAt": World::timestamp(record.created),
        "updatedAt": World::timestamp(record.updated),
        "sourceServiceRevisions": sources,
        "targetServiceRevision": summary(world, service, &record.target, going_on),
        "status": record.status,
        "deploymentConfiguration": record.configuration,
        "deploymentCircuitBreaker": {
            "status": record.breaker,
            "failureCount": record.failures,
            "threshold": threshold,
        },
    });
    shifting::lay(&mut view, record, service.map_or(0, |service| service.desired));
    let names = alarm_names(&record.configuration);
    let alarms = match (names.is_empty(), record.triggered_alarms.is_empty()) {
        (true, _) => json!({"status": "DISABLED"}),
        (_, false) => json!({
            "status": "TRIGGERED", "alarmNames": names, "triggeredAlarmNames": record.triggered_alarms,
        }),
        _ if going_on => json!({"status": "MONITORING", "alarmNames": names}),
        _ => json!({"status": "MONITORING_COMPLETE", "alarmNames": names}),
    };
    view["alarms"] = alarms;
    put(&mut view, "statusReason", record.reason.clone());
    put(&mut view, "startedAt", time(record.started));
    put(&mut view, "finishedAt", time(record.finished));
    put(&mut view, "stoppedAt", time(record.stopped));
    if let Some((reason, at, revision)) = &record.rollback {
        view["rollback"] = json!({
            "reason": reason, "startedAt": World::timestamp(*at), "serviceRevisionArn": revision,
        });
    }
    view
}

pub(super) fn describe_service_deployments(world: &mut World, input: &Json) -> Answer {
    let arns = input.texts("serviceDeploymentArns");
    if arns.is_empty() || arns.len() > 20 {
        return Err(invalid("Service deployment ARNs must have between 1 and 20 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match world.ecs.service_deployments.get(arn) {
            Some(record) => found.push(view(world, record)),
            None => failures.push(missing(arn)),
        }
    }
    Ok(json!({"serviceDeployments": found, "failures": failures}))
}

/// Newest first.
pub(super) fn list_service_deployments(world: &mut World, input: &Json) -> Answer {
    let service = services::find(world, input, "service")?;
    let statuses = input.texts("status");
    let bound = |name: &str| {
        let text = input.get("createdAt").and_then(|range| range.text(name))?;
        text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    };
    let (before, after) = (bound("before"), bound("after"));
    let briefs: Vec<Json> = service
        .history
        .iter()
        .rev()
        .filter_map(|arn| world.ecs.service_deployments.get(arn))
        .filter(|record| statuses.is_empty() || statuses.contains(&record.status.as_str()))
        .filter(|record| before.is_none_or(|time| record.created < time))
        .filter(|record| after.is_none_or(|time| record.created > time))
        .map(|record| {
            let mut brief = json!({
                "serviceDeploymentArn": record.arn,
                "serviceArn": record.service,
                "clusterArn": world.arn("ecs", &format!("cluster/{}", record.cluster)),
                "createdAt": World::timestamp(record.created),
                "targetServiceRevisionArn": record.target,
                "status": record.status,
            });
            put(&mut brief, "startedAt", time(record.started));
            put(&mut brief, "finishedAt", time(record.finished));
            put(&mut brief, "statusReason", record.reason.clone());
            brief
        })
        .collect();
    Ok(paged(input, "serviceDeployments", briefs, 100))
}

pub(super) fn no_service_deployment(operation: &str) -> ApiError {
    ApiError::new(
        "ServiceDeploymentNotFoundException",
        format!("The service deploy ARN that you specified in the {operation} doesn't exist."),
    )
}

pub(super) fn stop_service_deployment(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("serviceDeploymentArn").unwrap_or_default();
    let Some(record) = world.ecs.service_deployments.get(arn) else {
        return Err(no_service_deployment("StopServiceDeployment"));
    };
    if !matches!(record.status.as_str(), "PENDING" | "IN_PROGRESS") {
        return Err(ApiError::new(
            "ConflictException",
            format!("The service deployment cannot be stopped because it is in the {} state.", record.status),
        ));
    }
    let service = record.service.clone();
    if shifting::is_past_return(world, &service) {
        return Err(ApiError::new(
            "ConflictException",
            "The service deployment cannot be stopped because it is in the CLEAN_UP lifecycle stage.",
        ));
    }
    fail(world, &service, &Cause::Request, true);
    Ok(json!({"serviceDeploymentArn": arn}))
}

pub(super) fn describe_service_revisions(world: &mut World, input: &Json) -> Answer {
    let arns = input.texts("serviceRevisionArns");
    if arns.is_empty() || arns.len() > 20 {
        return Err(invalid("Service revision ARNs must have between 1 and 20 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in arns {
        match world.ecs.revisions.get(arn) {
            Some(revision) => found.push(revision_view(world, revision)),
            None => failures.push(missing(arn)),
        }
    }
    Ok(json!({"serviceRevisions": found, "failures": failures}))
}

fn revision_view(world: &World, revision: &Revision) -> Json {
    let definition = world.ecs.definition(&revision.task_definition);
    let containers = definition.map_or(&[][..], |one| one.body.list("containerDefinitions"));
    let images: Vec<Json> = containers
        .iter()
        .map(|one| json!({"containerName": one.text("name"), "image": one.text("image")}))
        .collect();
    let cluster =
        world.ecs.services.get(&revision.service).map(|one| one.cluster.clone()).unwrap_or_default();
    let mut view = json!({
        "serviceRevisionArn": revision.arn,
        "serviceArn": revision.service,
        "clusterArn": world.arn("ecs", &format!("cluster/{cluster}")),
        "taskDefinition": revision.task_definition,
        "loadBalancers": revision.load_balancers,
        "serviceRegistries": revision.registries,
        "containerImages": images,
        "guardDutyEnabled": false,
        "volumeConfigurations": revision.volumes,
        "vpcLatticeConfigurations": revision.lattice,
        "createdAt": World::timestamp(revision.created),
    });
    if revision.strategy.is_empty() {
        put(&mut view, "launchType", revision.launch_type.clone());
    } else {
        view["capacityProviderStrategy"] = json!(revision.strategy);
    }
    put(&mut view, "platformVersion", revision.platform_version.clone());
    put(&mut view, "networkConfiguration", revision.network.clone());
    put(&mut view, "serviceConnectConfiguration", revision.service_connect.clone());
    let groups: Vec<Json> = revision
        .load_balancers
        .iter()
        .filter_map(|one| {
            let mut resolved = json!({"targetGroupArn": revision.group(one)?});
            let advanced = one.get("advancedConfiguration");
            put(
                &mut resolved,
                "productionListenerRule",
                advanced.and_then(|a| a.text("productionListenerRule")),
            );
            Some(resolved)
        })
        .collect();
    if !groups.is_empty() {
        view["resolvedConfiguration"] = json!({"loadBalancers": groups});
    }
    view
}
