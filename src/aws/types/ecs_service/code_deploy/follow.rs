//! Following a deployment of CodeDeploy to its end, and taking one back: observing here, deciding in `rollout`.

use super::super::follow::{EVERY, failed_tasks, healthy_targets, red, told_since};
use super::super::last_words::LastWords;
use super::super::table::*;
use super::super::{AWAIT, Place};
use super::{OPERATION, serves};
use crate::aws::types::timeouts;
use crate::aws::{Aws, AwsError, INTERRUPTED, Job, Op, ROLLED_BACK, WAITS_FOR_A_PERSON, Watch, absent};
use crate::rollout::Decision;
use crate::rollout::code_deploy::{self, End, Lifecycle, Observation, TaskSet};
use aws_sdk_codedeploy::types as sdk;
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::Ordering;

/// So long even the way back may stand still.
const BACK: SignedDuration = SignedDuration::from_mins(30);

/// Waits until a deployment has ended well. One that ends otherwise, or that is given up (then it is stopped, so that
/// CodeDeploy goes back), is an error with AWS's reasons.
pub async fn to_the_end(aws: &Aws, place: &Place, id: &str, job: &Job<'_>) -> Result<(), AwsError> {
    let mut memory = Memory::new(aws, job);
    let mut agreed = false;
    loop {
        let seen = observe(aws, place, id, &mut memory).await?;
        let decision = code_deploy::decide(&seen, aws.clock.now());
        note(job, &seen, &decision);
        let ended = code_deploy::is_terminal(&seen.status);
        let stop = match decision {
            Decision::Done => return finish(aws, place, job).await,
            Decision::Failed(reason) if ended => return Err(end(aws, place, &seen, reason, job).await?),
            Decision::Failed(reason) => Some(reason),
            Decision::Wait(text) => {
                (job.progress)(&text);
                if seen.status == "Ready" && !agreed {
                    agreed = agree(aws, &seen, job).await?;
                }
                let back = job.want.get(&SIGINT_ROLLBACK) == Some(true);
                let interrupted = back && INTERRUPTED.load(Ordering::Relaxed);
                if interrupted { Some("interrupted".to_owned()) } else { red(job).await? }
            }
        };
        if let Some(reason) = stop {
            return Err(stop_it(aws, place, id, reason, &mut memory, job).await?);
        }
        aws.clock.sleep(EVERY).await;
    }
}

/// Stops it if it is not over, and goes back; false if it is over.
pub async fn take_back(aws: &Aws, place: &Place, id: &str, job: &Job<'_>) -> Result<bool, AwsError> {
    let mut memory = Memory::new(aws, job);
    // What is wanted is what served before.
    memory.old = job.want.get(&TASK_DEFINITION);
    let seen = observe(aws, place, id, &mut memory).await?;
    if code_deploy::is_terminal(&seen.status) {
        return Ok(false);
    }
    let error = stop_it(aws, place, id, "a person asked for it".to_owned(), &mut memory, job).await?;
    if error.is(&[ROLLED_BACK]) { Ok(true) } else { Err(error) }
}

/// Succeeded is not enough: what serves must be ours.
async fn finish(aws: &Aws, place: &Place, job: &Job<'_>) -> Result<(), AwsError> {
    if let Some(wanted) = job.want.get(&TASK_DEFINITION)
        && !serves(aws, place, &wanted).await?
    {
        let text = format!("the deployment succeeded, but the primary task set is not of {wanted}");
        return Err(AwsError::failed(OPERATION, "RolloutFailed", text));
    }
    healthy_targets(aws, place, job.progress).await
}

/// Traffic waits for a person: goes on if one has agreed, else the rollout pauses.
async fn agree(aws: &Aws, seen: &Observation, job: &Job<'_>) -> Result<bool, AwsError> {
    if !job.watch.is_approved(AWAIT) {
        let limit = seen.waits.map(|m| format!(", at most {m} min in all, then CodeDeploy stops it"));
        let text = format!(
            "deployment {} is ready, its traffic waits for a person{}: `cutover rollout continue`, or `cutover \
             rollout rollback`",
            seen.id,
            limit.unwrap_or_default()
        );
        return Err(AwsError::failed(OPERATION, WAITS_FOR_A_PERSON, text));
    }
    (job.progress)("agreed to: the traffic is rerouted");
    let call = aws.codedeploy.continue_deployment().deployment_id(&seen.id);
    let call = call.deployment_wait_type(sdk::DeploymentWaitType::ReadyWait);
    // An answer that was lost, or a person at the console.
    let gone = &["DeploymentIsNotInReadyStateException", "DeploymentAlreadyCompletedException"];
    absent(call.send().await.op("ContinueDeployment"), gone)?;
    Ok(true)
}

/// Has CodeDeploy stop a deployment and go back, and says how that ended.
async fn stop_it(
    aws: &Aws,
    place: &Place,
    id: &str,
    reason: String,
    memory: &mut Memory<'_>,
    job: &Job<'_>,
) -> Result<AwsError, AwsError> {
    (job.progress)(&format!("{reason}; stopping deployment {id}, so that CodeDeploy goes back"));
    let call = aws.codedeploy.stop_deployment().deployment_id(id).auto_rollback_enabled(true);
    absent(call.send().await.op("StopDeployment"), &["DeploymentAlreadyCompletedException"])?;
    let given_up = aws.clock.now() + BACK;
    loop {
        let seen = observe(aws, place, id, memory).await?;
        match seen.status.as_str() {
            // Too late: the original tasks are gone.
            "Succeeded" => {
                let text = format!("{reason}\n  it could not be stopped any more: it succeeded, and serves");
                return Ok(AwsError::failed(OPERATION, "RolloutFailed", text));
            }
            status if code_deploy::is_terminal(status) => return end(aws, place, &seen, reason, job).await,
            _ if aws.clock.now() > given_up => {
                let text = format!("{reason}\n  it was stopped for that, but does not end");
                return Ok(AwsError::failed(OPERATION, "RolloutFailed", text));
            }
            _ => aws.clock.sleep(EVERY).await,
        }
    }
}

/// How one that did not succeed ended; the deployment that takes it back is followed to its end.
async fn end(
    aws: &Aws,
    place: &Place,
    failed: &Observation,
    reason: String,
    job: &Job<'_>,
) -> Result<AwsError, AwsError> {
    let mut memory = Memory::new(aws, job);
    let mut back = None;
    // CodeDeploy names it within moments, if there is one.
    for _ in 0..6 {
        back = observe(aws, place, &failed.id, &mut memory).await?.back;
        if back.is_some() {
            break;
        }
        aws.clock.sleep(EVERY).await;
    }
    let back = match back {
        Some(id) => Some(followed_back(aws, place, &id, job).await?),
        None => None,
    };
    let old = job.live.get(&TASK_DEFINITION).or(memory.old);
    let serves_old = match old {
        Some(old) => serves(aws, place, &old).await?,
        None => true,
    };
    Ok(match code_deploy::ended(&reason, failed, back.as_ref(), serves_old) {
        End::Old(text) => AwsError::failed(OPERATION, ROLLED_BACK, text),
        End::Mixed(text) => AwsError::failed(OPERATION, "RolloutFailed", text),
    })
}

async fn followed_back(aws: &Aws, place: &Place, id: &str, job: &Job<'_>) -> Result<Observation, AwsError> {
    let mut memory = Memory::new(aws, job);
    let given_up = aws.clock.now() + BACK;
    loop {
        let seen = observe(aws, place, id, &mut memory).await?;
        if code_deploy::is_terminal(&seen.status) || aws.clock.now() > given_up {
            return Ok(seen);
        }
        (job.progress)(&format!("deployment {id} takes it back: {}", seen.status));
        aws.clock.sleep(EVERY).await;
    }
}

fn note(job: &Job<'_>, seen: &Observation, decision: &Decision) {
    let counts = |set: &Option<TaskSet>| set.as_ref().map(|s| (s.running, s.desired));
    if let Some((running, desired)) = counts(&seen.new).or(counts(&seen.old)) {
        let old = counts(&seen.old).filter(|_| seen.new.is_some()).map_or(0, |(old, _)| old);
        job.watch.in_service(running + old, desired);
    }
    let event = seen.at().map(|event| (&event.name, &event.status));
    let seen = serde_json::json!({
        "deployment": seen.status, "event": event, "traffic": seen.traffic(),
        "old": counts(&seen.old), "new": counts(&seen.new), "failed_tasks": seen.failed_tasks,
    });
    job.watch.note(seen, &decision.to_string());
}

/// What tells progress: the event, the share of the traffic, the most new tasks ever running.
struct Memory<'j> {
    watch: &'j dyn Watch,
    words: LastWords,
    since: Timestamp,
    key: (String, usize, String),
    best: i64,
    patience: SignedDuration,
    /// Task definition of what serves when we began to look.
    old: Option<String>,
}

impl<'j> Memory<'j> {
    fn new(aws: &Aws, job: &Job<'j>) -> Self {
        let patience = timeouts::limit(job.want, &timeouts::UPDATE, 20);
        Self {
            watch: job.watch,
            words: LastWords::default(),
            since: aws.clock.now(),
            key: Default::default(),
            best: 0,
            patience: SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX),
            old: None,
        }
    }

    fn note(&mut self, now: Timestamp, seen: &Observation) {
        let done = seen.events.iter().filter(|e| e.status == "Succeeded").count();
        let key = (seen.status.clone(), done, seen.traffic().unwrap_or_default());
        let running = seen.new.as_ref().map_or(0, |set| set.running);
        if key != self.key || running > self.best || seen.pauses() {
            self.since = now;
        }
        self.key = key;
        self.best = self.best.max(running);
    }
}

pub async fn deployment(aws: &Aws, id: &str) -> Result<sdk::DeploymentInfo, AwsError> {
    let answer = aws.codedeploy.get_deployment().deployment_id(id).send().await.op("GetDeployment")?;
    let gone =
        || AwsError::failed("GetDeployment", "RolloutFailed", format!("CodeDeploy does not tell of {id}"));
    answer.deployment_info.ok_or_else(gone)
}

/// The ECS service of a deployment, once it has begun.
async fn target(aws: &Aws, id: &str) -> Result<Option<sdk::EcsTarget>, AwsError> {
    const NOT_YET: &[&str] = &["DeploymentNotStartedException", "DeploymentTargetDoesNotExistException"];
    let listed = aws.codedeploy.list_deployment_targets().deployment_id(id).send().await;
    let listed = absent(listed.op("ListDeploymentTargets"), NOT_YET)?;
    let ids = listed.and_then(|l| l.target_ids).unwrap_or_default();
    if ids.is_empty() {
        return Ok(None);
    }
    let call = aws.codedeploy.batch_get_deployment_targets().deployment_id(id).set_target_ids(Some(ids));
    let answer = absent(call.send().await.op("BatchGetDeploymentTargets"), NOT_YET)?;
    let targets = answer.and_then(|a| a.deployment_targets).unwrap_or_default();
    Ok(targets.into_iter().find_map(|t| t.ecs_target))
}

async fn observe(
    aws: &Aws,
    place: &Place,
    id: &str,
    memory: &mut Memory<'_>,
) -> Result<Observation, AwsError> {
    let info = deployment(aws, id).await?;
    let target = target(aws, id).await?;
    let sets = target.as_ref().map(|t| t.task_sets_info()).unwrap_or_default();
    let set = |label: sdk::TargetLabel| sets.iter().find(|s| s.task_set_label() == Some(&label));
    let (old, new) = (set(sdk::TargetLabel::Blue), set(sdk::TargetLabel::Green));
    let options = info.blue_green_deployment_configuration();
    let ready = options.and_then(|o| o.deployment_ready_option());
    let mut seen = Observation {
        id: id.to_owned(),
        status: info.status().map_or("Created", |s| s.as_str()).to_owned(),
        error: info.error_information().and_then(error),
        back: info.rollback_info().and_then(|r| r.rollback_deployment_id()).map(str::to_owned),
        events: target
            .as_ref()
            .map(|t| t.lifecycle_events())
            .unwrap_or_default()
            .iter()
            .map(lifecycle)
            .collect(),
        old: old.map(task_set),
        new: new.map(task_set),
        bakes: info.instance_termination_wait_time_started(),
        waits: ready.map(|r| r.wait_time_in_minutes().into()).filter(|minutes| *minutes > 0),
        patience: memory.patience,
        ..Observation::default()
    };
    let now = aws.clock.now();
    memory.note(now, &seen);
    seen.last_progress = memory.since;
    let stalled = now.duration_since(memory.since) > SignedDuration::from_mins(2);
    if let Some(started) = new.and_then(|set| set.identifer()) {
        let began = info.create_time().copied();
        let failed = failed_tasks(aws, place, began, started).await?;
        seen.failed_tasks = failed.len();
        seen.stopped = memory.words.reasons(aws, memory.watch, &failed).await;
        if stalled || seen.failed_tasks > 0 {
            seen.told = told_since(aws, place, began).await?;
        }
    }
    Ok(seen)
}

fn error(of: &sdk::ErrorInformation) -> Option<String> {
    let parts: Vec<&str> = [of.code().map(|c| c.as_str()), of.message()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

fn lifecycle(event: &sdk::LifecycleEvent) -> Lifecycle {
    Lifecycle {
        name: event.lifecycle_event_name().unwrap_or_default().to_owned(),
        status: event.status().map_or("Pending", |s| s.as_str()).to_owned(),
        message: event.diagnostics().and_then(|d| d.message()).map(str::to_owned),
    }
}

fn task_set(set: &sdk::EcsTaskSet) -> TaskSet {
    TaskSet { desired: set.desired_count(), running: set.running_count(), traffic: set.traffic_weight() }
}
