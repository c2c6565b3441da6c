//! Following our own service deployment to its end: observing here, deciding in `rollout`.

use super::last_words::LastWords;
use super::{Place, capacity};
use crate::aws::{Aws, AwsError, INTERRUPTED, Job, Op, ROLLED_BACK, Red, WAITS_FOR_A_PERSON, absent};
use crate::rollout::Decision;
use crate::rollout::ecs_deployment::{self, Hook, Observation};
use aws_sdk_ecs::types as sdk;
use aws_sdk_ecs::types::{ServiceDeployment, ServiceDeploymentBrief};
use aws_smithy_types::DateTime;
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::Ordering;
use std::time::Duration;

pub const EVERY: Duration = Duration::from_secs(10);

/// The newest deployments of a service, newest first.
pub async fn deployments(aws: &Aws, place: &Place) -> Result<Vec<ServiceDeploymentBrief>, AwsError> {
    let call = aws.ecs.list_service_deployments().service(&place.service).cluster(&place.cluster);
    let answer = absent(
        call.max_results(20).send().await.op("ListServiceDeployments"),
        &["ServiceNotFoundException", "ClusterNotFoundException"],
    )?;
    let mut found = answer.and_then(|a| a.service_deployments).unwrap_or_default();
    found.sort_by_key(|d| std::cmp::Reverse(d.created_at().map(|t| t.as_nanos())));
    Ok(found)
}

/// The deployment that our call started: newer than `before` and to the revision we asked for. None
/// when AWS started none, because what we sent was live already.
pub async fn ours(
    aws: &Aws,
    place: &Place,
    before: Option<&str>,
    task_definition: Option<&str>,
    progress: &dyn Fn(&str),
) -> Result<Option<String>, AwsError> {
    // A new deployment is listed within moments of the call.
    for _ in 0..12 {
        for deployment in deployments(aws, place).await? {
            let Some(arn) = deployment.service_deployment_arn() else { continue };
            if Some(arn) == before {
                break;
            }
            if leads_to(aws, &deployment, task_definition).await? {
                return Ok(Some(arn.to_owned()));
            }
        }
        progress("waiting for ECS to list the new deployment");
        aws.clock.sleep(Duration::from_secs(5)).await;
    }
    Ok(None)
}

/// Whether the target revision of a deployment has our task definition.
async fn leads_to(
    aws: &Aws,
    deployment: &ServiceDeploymentBrief,
    task_definition: Option<&str>,
) -> Result<bool, AwsError> {
    let (Some(wanted), Some(revision)) = (task_definition, deployment.target_service_revision_arn()) else {
        return Ok(true);
    };
    let answer = aws.ecs.describe_service_revisions().service_revision_arns(revision).send().await;
    let answer = answer.op("DescribeServiceRevisions")?;
    let found = answer.service_revisions().first().and_then(|r| r.task_definition());
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    // Asked for by family alone, any revision of it is ours.
    Ok(found.is_none_or(|f| name(f) == name(wanted) || name(f).starts_with(&format!("{}:", name(wanted)))))
}

/// How a deployment is followed.
pub struct Following {
    /// Without progress for so long it is given up.
    pub patience: Duration,
    /// Stop it and go back when the apply is interrupted.
    pub back_on_interrupt: bool,
}

/// Waits until a deployment has ended well. One that ends otherwise, or that is given up (then it is
/// stopped, so that ECS goes back), is an error with AWS's reasons.
pub async fn to_the_end(
    aws: &Aws,
    place: &Place,
    deployment: &str,
    following: &Following,
    job: &Job<'_>,
) -> Result<(), AwsError> {
    let words = LastWords::default();
    let mut memory = Memory { since: aws.clock.now(), key: None, best: 0, left: i32::MAX, words };
    let mut given_up: Option<String> = None;
    let mut agreed = false;
    loop {
        let seen = observe(aws, place, deployment, following.patience, &mut memory, job).await?;
        let ended = ecs_deployment::is_terminal(&seen.status);
        if seen.requested > 0 {
            job.watch.in_service((seen.running + seen.old).into(), seen.requested.into());
        }
        let decision = ecs_deployment::decide(&seen, aws.clock.now());
        job.watch.note(
            serde_json::json!({
                "deployment": seen.status, "stage": seen.stage, "traffic": seen.traffic,
                "running": seen.running, "requested": seen.requested, "failed_tasks": seen.failed_tasks,
            }),
            &decision.to_string(),
        );
        if let Some(reason) = given_up.as_ref().filter(|_| ended || memory.stuck(aws.clock.now())) {
            let now = seen.status.to_lowercase().replace('_', " ");
            let message = format!("{reason}\n  it was stopped for that, and is now: {now}");
            return Err(failure(&seen.status, message));
        }
        if let Some(hook) = seen.hooks.iter().find(|hook| hook.function.is_none()) {
            if agreed || !job.watch.is_approved(super::AWAIT) {
                return Err(waits(&seen, hook));
            }
            (job.progress)(&format!("agreed to: going on behind hook {}", hook.id));
            go_on(aws, deployment, &hook.id).await?;
            agreed = true;
            aws.clock.sleep(EVERY).await;
            continue;
        }
        let reason = match decision {
            Decision::Done => return Ok(()),
            Decision::Failed(reason) if ended => return Err(failure(&seen.status, reason)),
            Decision::Failed(reason) => Some(reason),
            Decision::Wait(text) => {
                (job.progress)(&text);
                let interrupted = following.back_on_interrupt && INTERRUPTED.load(Ordering::Relaxed);
                if interrupted { Some("interrupted".to_owned()) } else { red(job).await? }
            }
        };
        if let Some(reason) = reason.filter(|_| given_up.is_none()) {
            if !can_go_back(aws, deployment).await? {
                return Err(AwsError::failed(OPERATION, "RolloutFailed", reason));
            }
            (job.progress)("stopping the deployment, so that ECS goes back");
            stop(aws, deployment).await?;
            memory.since = aws.clock.now();
            given_up = Some(reason);
        }
        aws.clock.sleep(EVERY).await;
    }
}

const OPERATION: &str = "ECS deployment";

/// A pause hook: the deployment stands still in ECS until somebody agrees, or the hook times out.
fn waits(seen: &Observation, hook: &Hook) -> AwsError {
    let stage = seen.stage.as_deref().unwrap_or("its stage").to_lowercase().replace('_', " ");
    let text = format!(
        "paused at {stage}, it waits for a person{}: `cutover rollout continue`, or `cutover rollout rollback`",
        hook.until()
    );
    AwsError::failed(OPERATION, WAITS_FOR_A_PERSON, text)
}

async fn go_on(aws: &Aws, deployment: &str, hook: &str) -> Result<(), AwsError> {
    let call = aws.ecs.continue_service_deployment().service_deployment_arn(deployment).hook_id(hook);
    let call = call.action(sdk::DeploymentLifecycleHookAction::Continue);
    call.send().await.op("ContinueServiceDeployment").map(drop)
}

fn failure(status: &str, message: String) -> AwsError {
    let code = if status == "ROLLBACK_SUCCESSFUL" { ROLLED_BACK } else { "RolloutFailed" };
    AwsError::failed(OPERATION, code, message)
}

/// Why a gate says that the deployment must go back; one that shall stay as it is is an error.
pub async fn red(job: &Job<'_>) -> Result<Option<String>, AwsError> {
    match job.red().await? {
        Some(Red { reason, stays: true }) => {
            let text = format!(
                "{reason}; the deployment goes on in AWS, nobody follows it (`on_failure = \"hold\"`)"
            );
            Err(AwsError::failed(OPERATION, "RolloutFailed", text))
        }
        red => Ok(red.map(|red| red.reason)),
    }
}

/// Asks ECS to stop a deployment and go back to what ran before. One that has ended stays as it is.
pub async fn stop(aws: &Aws, deployment: &str) -> Result<(), AwsError> {
    let call = aws
        .ecs
        .stop_service_deployment()
        .service_deployment_arn(deployment)
        .stop_type(sdk::StopServiceDeploymentStopType::Rollback);
    let ended = &["ConflictException", "ServiceDeploymentNotFoundException"];
    absent(call.send().await.op("StopServiceDeployment"), ended).map(drop)
}

/// The first deployment of a service has nothing before it.
async fn can_go_back(aws: &Aws, deployment: &str) -> Result<bool, AwsError> {
    Ok(describe(aws, deployment).await?.is_some_and(|d| !d.source_service_revisions().is_empty()))
}

async fn describe(aws: &Aws, deployment: &str) -> Result<Option<ServiceDeployment>, AwsError> {
    let call = aws.ecs.describe_service_deployments().service_deployment_arns(deployment).send().await;
    Ok(call.op("DescribeServiceDeployments")?.service_deployments.and_then(|d| d.into_iter().next()))
}

/// Status, stage and share of the traffic.
type Key = (String, Option<String>, Option<f64>);

/// What tells progress from tasks that come and go: the key, the most new tasks ever running and the fewest
/// old ones.
struct Memory {
    since: Timestamp,
    key: Option<Key>,
    best: i32,
    left: i32,
    words: LastWords,
}

impl Memory {
    fn note(&mut self, now: Timestamp, key: Key, running: i32, old: i32, paused: bool) {
        let moved = self.key.as_ref() != Some(&key) || running > self.best || old < self.left;
        if moved || paused {
            self.since = now;
        }
        self.key = Some(key);
        self.best = self.best.max(running);
        self.left = self.left.min(old);
    }

    /// Even the way back takes too long.
    fn stuck(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) > SignedDuration::from_mins(30)
    }
}

async fn observe(
    aws: &Aws,
    place: &Place,
    arn: &str,
    patience: Duration,
    memory: &mut Memory,
    job: &Job<'_>,
) -> Result<Observation, AwsError> {
    let Some(d) = describe(aws, arn).await? else {
        return Err(AwsError::failed(
            "DescribeServiceDeployments",
            "RolloutFailed",
            format!("ECS does not know the deployment {arn} any more"),
        ));
    };
    let target = d.target_service_revision();
    let counts = target
        .map_or((0, 0, 0), |t| (t.requested_task_count(), t.running_task_count(), t.pending_task_count()));
    let old = d.source_service_revisions().iter().map(|s| s.running_task_count()).sum();
    let status = d.status().map_or("PENDING", |s| s.as_str()).to_owned();
    let stage = d.lifecycle_stage().map(|s| s.as_str().to_owned());
    let hooks: Vec<Hook> = d.lifecycle_hook_details().iter().filter_map(hook).collect();
    let traffic = target.and_then(|t| t.requested_production_traffic_weight());
    // Hooks have a timeout of their own: AWS ends the waiting.
    memory.note(aws.clock.now(), (status.clone(), stage.clone(), traffic), counts.1, old, !hooks.is_empty());
    let began = d.created_at().copied();
    let breaker = d.deployment_circuit_breaker();
    let failed_tasks = breaker.map_or(0, |b| b.failure_count());
    let troubled = failed_tasks > 0 || !matches!(status.as_str(), "PENDING" | "IN_PROGRESS" | "SUCCESSFUL");
    let stalled = aws.clock.now().duration_since(memory.since) > SignedDuration::from_mins(2);
    let mut told = Vec::new();
    if status != "SUCCESSFUL"
        && let Some(service) = super::describe(aws, &place.cluster, &[&place.service]).await?.first()
    {
        told.extend(events(service, began));
        // Tasks that wait for a host have no events: what keeps hosts away does.
        if stalled && counts.1 < counts.0 {
            told.extend(capacity::failures(aws, service, began).await?);
        }
    }
    let stopped = match troubled || stalled {
        true => memory.words.reasons(aws, job.watch, &stopped(aws, place, began).await?).await,
        false => Vec::new(),
    };
    Ok(Observation {
        id: arn.to_owned(),
        reason: reason(&d),
        stage,
        traffic,
        hooks,
        requested: counts.0,
        running: counts.1,
        old,
        pending: counts.2,
        failed_tasks,
        threshold: breaker.map_or(0, |b| b.threshold()),
        last_progress: memory.since,
        patience: SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX) + pauses(&d),
        events: told,
        stopped,
        status,
    })
}

/// A hook that is still at work.
fn hook(h: &sdk::DeploymentLifecycleHookDetail) -> Option<Hook> {
    use sdk::DeploymentLifecycleHookStatus::{AwaitingAction, InProgress};
    matches!(h.status(), Some(AwaitingAction | InProgress)).then(|| Hook {
        id: h.hook_id().unwrap_or_default().to_owned(),
        function: h.target_arn().map(str::to_owned),
        expires: h.expires_at().and_then(|t| Timestamp::from_second(t.secs()).ok()),
        then: h.timeout_action().map(|a| a.as_str().to_owned()),
    })
}

fn reason(d: &ServiceDeployment) -> Option<String> {
    let alarms = d.alarms().map(|a| a.triggered_alarm_names().join(", ")).filter(|names| !names.is_empty());
    let rollback = d.rollback().and_then(|r| r.reason()).map(str::to_owned);
    let mut parts: Vec<String> = d.status_reason().map(str::to_owned).into_iter().chain(rollback).collect();
    parts.dedup();
    parts.extend(alarms.map(|names| format!("alarms: {names}")));
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Time that a deployment stands still on purpose: bake times and the shares of a gradual shift.
fn pauses(d: &ServiceDeployment) -> SignedDuration {
    let Some(c) = d.deployment_configuration() else { return SignedDuration::ZERO };
    let minutes = [
        c.bake_time_in_minutes(),
        c.linear_configuration().and_then(|l| l.step_bake_time_in_minutes()),
        c.canary_configuration().and_then(|c| c.canary_bake_time_in_minutes()),
    ];
    SignedDuration::from_mins(minutes.into_iter().flatten().max().unwrap_or(0).into())
}

/// Events of the service since the deployment began, newest first.
fn events(service: &sdk::Service, began: Option<DateTime>) -> Vec<String> {
    let since = |e: &&sdk::ServiceEvent| began.is_none_or(|b| e.created_at().is_none_or(|t| *t >= b));
    service.events().iter().filter(since).take(20).filter_map(|e| e.message().map(str::to_owned)).collect()
}

/// The tasks of a task set that failed since then, newest first.
pub async fn failed_tasks(
    aws: &Aws,
    place: &Place,
    began: Option<DateTime>,
    set: &str,
) -> Result<Vec<sdk::Task>, AwsError> {
    let mut tasks = stopped(aws, place, began).await?;
    tasks.retain(|task| task.started_by() == Some(set) && has_failed(task));
    Ok(tasks)
}

/// By its own doing: not because its host went, or nobody wanted it any more.
pub fn has_failed(task: &sdk::Task) -> bool {
    use sdk::TaskStopCode::{EssentialContainerExited, TaskFailedToStart};
    let unhealthy = task.stopped_reason().is_some_and(|reason| reason.contains("health checks"));
    unhealthy || matches!(task.stop_code(), Some(EssentialContainerExited | TaskFailedToStart))
}

/// What the service says since then that explains why it does not get on.
pub async fn told_since(aws: &Aws, place: &Place, began: Option<DateTime>) -> Result<Vec<String>, AwsError> {
    let found = super::describe(aws, &place.cluster, &[&place.service]).await?;
    let Some(service) = found.first() else { return Ok(Vec::new()) };
    let mut told = events(service, began);
    told.retain(|event| ecs_deployment::is_trouble(event));
    told.extend(capacity::failures(aws, service, began).await?);
    Ok(told)
}

async fn stopped(aws: &Aws, place: &Place, began: Option<DateTime>) -> Result<Vec<sdk::Task>, AwsError> {
    let call = aws
        .ecs
        .list_tasks()
        .cluster(&place.cluster)
        .service_name(&place.service)
        .desired_status(sdk::DesiredStatus::Stopped)
        .max_results(100);
    let arns = call.send().await.op("ListTasks")?.task_arns.unwrap_or_default();
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let call = aws.ecs.describe_tasks().cluster(&place.cluster).set_tasks(Some(arns)).send().await;
    let mut tasks = call.op("DescribeTasks")?.tasks.unwrap_or_default();
    tasks.retain(|t| began.is_none_or(|b| t.created_at().is_none_or(|c| *c >= b)));
    tasks.sort_by_key(|t| std::cmp::Reverse(t.stopped_at().map(|s| s.as_nanos())));
    Ok(tasks)
}

/// `app: exit code 1 (OutOfMemoryError: …); Essential container in task exited`.
pub fn stop_reason(task: &sdk::Task) -> Option<String> {
    // Tasks that the scheduler itself replaced say nothing about a failure.
    let scaled = task.stopped_reason().is_some_and(|r| r.contains("Scaling activity"));
    if scaled {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for c in task.containers() {
        let code = c.exit_code().filter(|code| *code != 0).map(|code| format!("exit code {code}"));
        let reason = c.reason().map(str::to_owned);
        let text: Vec<String> = code.into_iter().chain(reason).collect();
        if !text.is_empty() {
            parts.push(format!("{}: {}", c.name().unwrap_or("container"), text.join(", ")));
        }
    }
    parts.extend(task.stopped_reason().map(str::to_owned));
    (!parts.is_empty()).then(|| format!("task stopped: {}", parts.join("; ")))
}

/// Waits until every target group of the service has a healthy target (some minutes; a service without
/// tasks or groups is ready at once). With two groups for one container, either may be the live one.
pub async fn healthy_targets(aws: &Aws, place: &Place, progress: &dyn Fn(&str)) -> Result<(), AwsError> {
    let end = aws.clock.now() + SignedDuration::from_mins(10);
    loop {
        let call = aws.ecs.describe_services().cluster(&place.cluster).services(&place.service);
        let answer = call.send().await.op("DescribeServices")?;
        let Some(service) = answer.services().first().filter(|s| s.desired_count() > 0) else {
            return Ok(());
        };
        let mut waiting = None;
        for balancer in service.load_balancers() {
            let alternate = balancer.advanced_configuration().and_then(|a| a.alternate_target_group_arn());
            let groups: Vec<&str> = balancer.target_group_arn().into_iter().chain(alternate).collect();
            if groups.is_empty() || any_healthy(aws, &groups).await? {
                continue;
            }
            waiting = Some(groups[0].rsplit(':').next().unwrap_or(groups[0]).to_owned());
            break;
        }
        let Some(group) = waiting else { return Ok(()) };
        let text = format!("no healthy target in {group}");
        if aws.clock.now() >= end {
            return Err(AwsError::failed("ECS deployment", "RolloutFailed", format!("{text} after 10 min")));
        }
        progress(&text);
        aws.clock.sleep(EVERY).await;
    }
}

async fn any_healthy(aws: &Aws, groups: &[&str]) -> Result<bool, AwsError> {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum::{Healthy, Unused};
    for group in groups {
        let call = aws.elb.describe_target_health().target_group_arn(*group).send().await;
        let answer = absent(call.op("DescribeTargetHealth"), &["TargetGroupNotFound"])?;
        let targets = answer.and_then(|a| a.target_health_descriptions).unwrap_or_default();
        // A group that no listener uses (yet) reports its targets as unused, never as healthy.
        let good = |state| matches!(state, Some(Healthy | Unused));
        if targets.iter().any(|t| good(t.target_health().and_then(|h| h.state().cloned()))) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn tasks_that_come_and_go_are_no_progress() {
        let key = || ("IN_PROGRESS".to_owned(), None, None);
        let words = LastWords::default();
        let mut memory = Memory { since: at(0), key: None, best: 0, left: i32::MAX, words };
        memory.note(at(1), key(), 1, 2, false);
        memory.note(at(2), key(), 0, 2, false);
        memory.note(at(3), key(), 1, 2, false);
        assert_eq!(memory.since, at(1));
        memory.note(at(4), key(), 2, 2, false);
        assert_eq!(memory.since, at(4));
        memory.note(at(5), key(), 2, 1, false);
        assert_eq!(memory.since, at(5));
        memory.note(at(6), key(), 2, 1, true);
        assert_eq!(memory.since, at(6), "a pause for a person is no stand");
        memory.note(at(7), ("IN_PROGRESS".to_owned(), None, Some(10.0)), 2, 1, false);
        assert_eq!(memory.since, at(7), "traffic has moved");
    }

    #[test]
    fn a_stopped_task_tells_exit_code_and_reason() {
        let container =
            sdk::Container::builder().name("app").exit_code(137).reason("OutOfMemoryError").build();
        let task =
            sdk::Task::builder().containers(container).stopped_reason("Essential container in task exited");
        assert_eq!(
            stop_reason(&task.build()).as_deref(),
            Some("task stopped: app: exit code 137, OutOfMemoryError; Essential container in task exited")
        );
        let scaled =
            sdk::Task::builder().stopped_reason("Scaling activity initiated by (deployment ecs-svc/1)");
        assert_eq!(stop_reason(&scaled.build()), None);
    }
}
