//! All hosts replaced at once: as many new ones beside the old, tasks moved over, the old ones terminated. Nothing
//! goes before everything new is in service, in its cluster, and healthy.

use super::capacity::{healthy_behind, in_service, unprotect, weight};
use super::joining::{Joining, tasks_by_instance};
use super::table::*;
use super::{SCALING, describe, refreshing, update_group};
use crate::aws::types::ecs::{patiently, small};
use crate::aws::types::timeouts;
use crate::aws::{
    Aws, AwsError, INTERRUPTED, Job, Op, Poll, ROLLED_BACK, Red, RolloutStep, WAITS_FOR_A_PERSON, absent,
    wait,
};
use crate::rollout::hosts::{Hosts, State};
use crate::rollout::settings::Settings;
use crate::schema::Object;
use crate::schema::duration::spoken;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance};
use aws_sdk_ecs::types::{ContainerInstance, ContainerInstanceStatus};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

const OPERATION: &str = "surge";
const EVERY: Duration = Duration::from_secs(15);

/// What would move instances meanwhile, and take new hosts for ones too many.
const PROCESSES: &[&str] = &["AZRebalance", "AlarmNotification", "ScheduledActions"];

const UPDATE: &str = "surge-update";
const ADD: &str = "surge-add";
const DRAIN: &str = "surge-drain";
const APPROVE: &str = "surge-approve";
const REMOVE: &str = "surge-remove";

pub fn is_step(name: &str) -> bool {
    [UPDATE, ADD, DRAIN, APPROVE, REMOVE].contains(&name)
}

/// What was before anything was done; carried from step to step.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Before {
    hosts: BTreeSet<String>,
    min: i32,
    max: i32,
    desired: i32,
}

impl Before {
    fn of(group: &AutoScalingGroup) -> Self {
        Self {
            hosts: group.instances().iter().filter_map(|i| i.instance_id().map(str::to_owned)).collect(),
            min: group.min_size().unwrap_or(0),
            max: group.max_size().unwrap_or(0),
            desired: group.desired_capacity().unwrap_or(0),
        }
    }

    /// How many there shall be in the end: as declared where that changes, for scaling has moved it else.
    fn target(&self, job: &Job<'_>) -> i32 {
        let declared =
            job.changes(&["desired_capacity"]).then(|| small(job.want.get(&DESIRED_CAPACITY))).flatten();
        let (min, max) = (small(job.want.get(&MIN_SIZE)), small(job.want.get(&MAX_SIZE)));
        declared.unwrap_or(self.desired).max(min.unwrap_or(0)).min(max.unwrap_or(i32::MAX))
    }

    fn has(&self, instance: &Instance) -> bool {
        instance.instance_id().is_some_and(|id| self.hosts.contains(id))
    }
}

/// See [`crate::aws::AwsType::rollout`]. `destination` is ` to version 4 of lt-0abc`.
pub fn steps(name: &str, destination: &str, settings: &Settings) -> Vec<RolloutStep> {
    let back = "the old hosts take tasks again, the new ones are drained and terminated";
    let update = format!("let {name} launch{destination}; its own scaling stands still meanwhile");
    let add = format!("start as many new hosts in {name} beside the old ones");
    let held = settings.steps.last();
    let mut drained = "no task runs on them".to_owned();
    if let Some(step) = held.filter(|step| !step.hold.is_zero()) {
        drained += &format!(", held for {}", spoken(step.hold));
    }
    for gate in &settings.gates {
        drained += &format!(", gate {} is open", gate.name);
    }
    let hold = held.map(|step| step.hold).unwrap_or_default();
    let mut steps = vec![
        RolloutStep::new(UPDATE, update).back("it launches what it did before"),
        RolloutStep::new(ADD, add)
            .gate("all are in service, in their cluster, healthy where they serve")
            .back(back),
        RolloutStep::new(DRAIN, format!("drain the old hosts in {name}"))
            .gate(drained)
            .expected(hold)
            .back(back),
    ];
    if held.is_some_and(|step| step.approve) {
        let text = "wait for a person, with the old hosts empty".to_owned();
        steps.push(RolloutStep::new(APPROVE, text).gate("`cutover rollout continue`").back(back));
    }
    steps.push(RolloutStep::new(
        REMOVE,
        format!("terminate the old hosts in {name}; its size is as declared"),
    ));
    steps
}

/// See [`crate::aws::AwsType::run_step`].
pub async fn run_step(
    aws: &Aws,
    job: &Job<'_>,
    step: &str,
    carried: Option<&str>,
) -> Result<Option<String>, AwsError> {
    let before = match carried.and_then(|text| serde_json::from_str(text).ok()) {
        Some(before) => before,
        None => Before::of(&group(aws, job).await?),
    };
    let red = match step {
        UPDATE => update(aws, job).await.map(|()| None),
        ADD => add(aws, job, &before).await,
        DRAIN => drain(aws, job, &before).await,
        APPROVE if !job.watch.is_approved(step) => {
            let text =
                "the old hosts are empty and wait: `cutover rollout continue`, or `cutover rollout rollback`";
            return Err(AwsError::failed(OPERATION, WAITS_FOR_A_PERSON, text));
        }
        APPROVE => Ok(None),
        _ => remove(aws, job, &before).await.map(|()| None),
    };
    match red? {
        Some(red) => Err(end(aws, job, &before, red).await),
        None => Ok(serde_json::to_string(&before).ok()),
    }
}

async fn group(aws: &Aws, job: &Job<'_>) -> Result<AutoScalingGroup, AwsError> {
    let gone =
        || AwsError::failed(OPERATION, "RolloutFailed", format!("there is no group {} any more", job.id));
    describe(aws, &[job.id.to_owned()]).await?.pop().ok_or_else(gone)
}

/// New instances are launched as wanted from here on; no size changes yet.
async fn update(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(job.id);
    call.set_scaling_processes(Some(owned(PROCESSES))).send().await.op("SuspendProcesses")?;
    let sizes = ["min_size", "max_size", "desired_capacity", "suspended_processes"];
    let others: Vec<String> =
        job.changed.iter().filter(|name| !sizes.contains(&name.as_str())).cloned().collect();
    update_group(aws, &Job { changed: &others, ..*job }, true).await?;
    launch(aws, job, job.want).await
}

/// The group launches what `of` says.
async fn launch(aws: &Aws, job: &Job<'_>, of: &Object) -> Result<(), AwsError> {
    let (template, policy) = refreshing::launched_from(aws, of).await?;
    let call = aws.autoscaling.update_auto_scaling_group().auto_scaling_group_name(job.id);
    let call = call
        .set_launch_configuration_name(of.get(&LAUNCH_CONFIGURATION))
        .set_launch_template(template)
        .set_mixed_instances_policy(policy);
    call.send().await.op("UpdateAutoScalingGroup").map(drop)
}

async fn resize(
    aws: &Aws,
    job: &Job<'_>,
    min: Option<i32>,
    max: Option<i32>,
    desired: Option<i32>,
) -> Result<(), AwsError> {
    let call = aws.autoscaling.update_auto_scaling_group().auto_scaling_group_name(job.id);
    let call = call.set_min_size(min).set_max_size(max).set_desired_capacity(desired);
    let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 10);
    patiently(
        aws,
        "UpdateAutoScalingGroup",
        deadline,
        job.progress,
        |e| e.is(SCALING),
        async || call.clone().send().await.op("UpdateAutoScalingGroup"),
    )
    .await
    .map(drop)
}

/// Starts the new hosts and waits until all of them serve.
async fn add(aws: &Aws, job: &Job<'_>, before: &Before) -> Result<Option<Red>, AwsError> {
    let mut joining = Joining::of(aws, job.id, Some(&before.hosts)).await?;
    let target = before.target(job);
    let now = group(aws, job).await?;
    let old: i32 = now.instances().iter().filter(|i| before.has(i)).map(weight).sum();
    // Room to replace spot instances that AWS wants back, too: nothing else scales meanwhile.
    let most = now.max_size().unwrap_or(0).max(old + 2 * target);
    resize(aws, job, None, Some(most), Some(old + target)).await?;
    let began = aws_smithy_types::DateTime::from_secs(aws.clock.now().as_second());
    let end = aws.clock.now() + patience(job);
    loop {
        joining.look(aws, job.watch).await?;
        let now = group(aws, job).await?;
        let leaving = leaving(aws, &joining.clusters).await?;
        let stays = |i: &&Instance| i.instance_id().is_some_and(|id| !leaving.contains(id));
        let new = now.instances().iter().filter(|i| !before.has(i) && in_service(i));
        let new: Vec<&Instance> = new.filter(stays).collect();
        let ready: i32 = new.iter().map(|i| weight(i)).sum();
        let ids: Vec<&str> = new.iter().filter_map(|i| i.instance_id()).collect();
        let healthy = healthy_behind(aws, now.target_group_arns(), &ids).await?;
        let mut text = format!("{ready} of {target} new hosts in service");
        if healthy < ids.len() as i64 {
            text += &format!(", {healthy} of {} healthy behind the load balancer", ids.len());
        }
        if !joining.hosts.are_settled() {
            text += &format!(", {}", joining.hosts);
        }
        let done = ready >= target && joining.hosts.are_settled() && healthy == ids.len() as i64;
        let decision = if done { "all new hosts serve" } else { "wait" };
        job.watch.note(
            serde_json::json!({ "old": old, "new": ready, "of": target, "healthy": healthy }),
            decision,
        );
        if done {
            return Ok(None);
        }
        (job.progress)(&text);
        if aws.clock.now() >= end {
            let reasons = refreshing::launch_failures(aws, job.id, Some(began)).await?;
            let reasons: Vec<String> = reasons.iter().take(3).map(|r| format!("\n  - {r}")).collect();
            let text = format!("{text} after {}{}", spoken(patience(job).unsigned_abs()), reasons.concat());
            return Ok(job.red_because(text));
        }
        if let Some(red) = look_out(aws, job, &joining.hosts, &text).await? {
            return Ok(Some(red));
        }
    }
}

/// Hosts that take no tasks any more: those of spot instances that AWS wants back drain by themselves.
async fn leaving(aws: &Aws, clusters: &[String]) -> Result<BTreeSet<String>, AwsError> {
    let mut found = BTreeSet::new();
    for cluster in clusters {
        let draining = Some(ContainerInstanceStatus::Draining);
        let all = crate::aws::container_instances(aws, cluster, draining).await?;
        found.extend(all.into_iter().filter_map(|one| one.ec2_instance_id));
    }
    Ok(found)
}

fn patience(job: &Job<'_>) -> SignedDuration {
    let text = job.want.get(&WAIT_FOR_CAPACITY_TIMEOUT);
    let asked = text.and_then(|text| timeouts::parse(&text)).filter(|limit| !limit.is_zero());
    SignedDuration::try_from(asked.unwrap_or(Duration::from_secs(900))).unwrap_or(SignedDuration::MAX)
}

/// Between two looks: gates, stuck hosts, and whoever interrupts.
async fn look_out(aws: &Aws, job: &Job<'_>, hosts: &Hosts, at: &str) -> Result<Option<Red>, AwsError> {
    if let Some(red) = hosts.red(aws.clock.now()).and_then(|reason| job.red_because(reason)) {
        return Ok(Some(red));
    }
    if let Some(red) = job.red().await? {
        return Ok(Some(red));
    }
    if INTERRUPTED.load(Ordering::Relaxed) {
        let text = format!("interrupted at {at}; old and new hosts stay, the next apply goes on");
        return Err(AwsError::failed(OPERATION, "Interrupted", text));
    }
    aws.clock.sleep(EVERY).await;
    Ok(None)
}

/// Moves the tasks off the old hosts, and holds as declared.
async fn drain(aws: &Aws, job: &Job<'_>, before: &Before) -> Result<Option<Red>, AwsError> {
    let joining = Joining::of(aws, job.id, Some(&before.hosts)).await?;
    if let Some(red) = empty_hosts(aws, job, &joining.clusters, &before.hosts).await? {
        return Ok(Some(red));
    }
    let hold = job.watch.settings().and_then(|s| s.steps.last()).map(|step| step.hold).unwrap_or_default();
    let end = aws.clock.now() + SignedDuration::try_from(hold).unwrap_or(SignedDuration::MAX);
    loop {
        let left = end.duration_since(aws.clock.now());
        if left <= SignedDuration::ZERO {
            return job.red().await;
        }
        let text = format!("the old hosts are empty, held for {} min more", (left.as_secs() + 59) / 60);
        (job.progress)(&text);
        if let Some(red) = look_out(aws, job, &Hosts::default(), &text).await? {
            return Ok(Some(red));
        }
    }
}

/// No new task comes to these hosts, and those that run go elsewhere.
async fn empty_hosts(
    aws: &Aws,
    job: &Job<'_>,
    clusters: &[String],
    ids: &BTreeSet<String>,
) -> Result<Option<Red>, AwsError> {
    set_state(aws, clusters, ids, ContainerInstanceStatus::Draining).await?;
    let mut hosts = Hosts::default();
    loop {
        let mut tasks = BTreeMap::new();
        for cluster in clusters {
            tasks.extend(tasks_by_instance(aws, cluster).await?);
        }
        let busy = tasks.into_iter().filter(|(id, count)| ids.contains(id) && *count > 0);
        hosts.note(busy.map(|(id, count)| (id, State::Draining(count))).collect(), aws.clock.now());
        job.watch.note(serde_json::json!({ "hosts": hosts.to_string() }), "drain");
        if hosts.are_settled() {
            return Ok(None);
        }
        (job.progress)(&hosts.to_string());
        if let Some(red) = look_out(aws, job, &hosts, &hosts.to_string()).await? {
            return Ok(Some(red));
        }
    }
}

async fn set_state(
    aws: &Aws,
    clusters: &[String],
    ids: &BTreeSet<String>,
    status: ContainerInstanceStatus,
) -> Result<(), AwsError> {
    for cluster in clusters {
        let all = crate::aws::container_instances(aws, cluster, None).await?;
        let ours = |one: &&ContainerInstance| one.ec2_instance_id().is_some_and(|id| ids.contains(id));
        let arns: Vec<String> = all
            .iter()
            .filter(ours)
            .filter(|one| one.status() != Some(status.as_str()))
            .filter_map(|one| one.container_instance_arn().map(str::to_owned))
            .collect();
        for batch in arns.chunks(10) {
            let call = aws.ecs.update_container_instances_state().cluster(cluster).status(status.clone());
            let call = call.set_container_instances(Some(batch.to_vec()));
            call.send().await.op("UpdateContainerInstancesState")?;
        }
    }
    Ok(())
}

/// Terminates the old hosts, and gives the group its declared size.
async fn remove(aws: &Aws, job: &Job<'_>, before: &Before) -> Result<(), AwsError> {
    let (min, max) = (small(job.want.get(&MIN_SIZE)), small(job.want.get(&MAX_SIZE)));
    let target = before.target(job);
    resize(aws, job, Some(min.unwrap_or(0).min(target)), None, None).await?;
    terminate(aws, job, |one| before.has(one)).await?;
    resize(aws, job, min, max, Some(target)).await?;
    resume(aws, job, job.want).await
}

/// One after the other, each with its place in the group, so that none comes in its stead.
async fn terminate(aws: &Aws, job: &Job<'_>, which: impl Fn(&Instance) -> bool) -> Result<(), AwsError> {
    let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 60);
    let goes = |i: &Instance| i.lifecycle_state().is_some_and(|state| state.as_str().starts_with("Terminat"));
    wait(aws, "TerminateInstanceInAutoScalingGroup", EVERY, deadline, job.progress, async || {
        let now = group(aws, job).await?;
        let left: Vec<&Instance> = now.instances().iter().filter(|i| which(i)).collect();
        unprotect(aws, job.id, left.iter().copied()).await?;
        for one in left.iter().filter(|i| !goes(i)) {
            let call = aws.autoscaling.terminate_instance_in_auto_scaling_group();
            let call = call.set_instance_id(one.instance_id().map(str::to_owned));
            let sent = call.should_decrement_desired_capacity(true).send().await;
            // Gone already, or another activity holds it: the next look tells.
            let passing = [SCALING, &["ValidationError"]].concat();
            absent(sent.op("TerminateInstanceInAutoScalingGroup"), &passing)?;
        }
        Ok(match left.len() {
            0 => Poll::Ready(()),
            n => Poll::Pending(format!("{n} hosts are still to go")),
        })
    })
    .await
}

/// What was suspended for the time, but for what `of` says is to be.
async fn resume(aws: &Aws, job: &Job<'_>, of: &Object) -> Result<(), AwsError> {
    let declared = of.all(&SUSPENDED_PROCESSES);
    let ours = PROCESSES.iter().chain(&["Launch"]).map(|name| (*name).to_owned());
    let again: Vec<String> = ours.filter(|name| !declared.contains(name)).collect();
    let call = aws.autoscaling.resume_processes().auto_scaling_group_name(job.id);
    call.set_scaling_processes(Some(again)).send().await.op("ResumeProcesses").map(drop)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// It must not go on: it stays as it is, or goes back.
async fn end(aws: &Aws, job: &Job<'_>, before: &Before, Red { reason, stays }: Red) -> AwsError {
    let failed = |text: String| AwsError::failed(OPERATION, "RolloutFailed", text);
    if stays {
        return failed(format!("{reason}; old and new hosts stay, as declared (`on_failure = \"hold\"`)"));
    }
    (job.progress)(&format!("{reason}; going back"));
    match go_back(aws, job, before).await {
        Ok(()) => AwsError::failed(
            OPERATION,
            ROLLED_BACK,
            format!("{reason}; the old hosts serve, the new ones are gone"),
        ),
        Err(second) => failed(format!("{reason}; and the way back failed: {second}")),
    }
}

async fn go_back(aws: &Aws, job: &Job<'_>, before: &Before) -> Result<(), AwsError> {
    // What cannot be launched is not tried again.
    let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(job.id);
    call.scaling_processes("Launch").send().await.op("SuspendProcesses")?;
    let joining = Joining::of(aws, job.id, Some(&before.hosts)).await?;
    set_state(aws, &joining.clusters, &before.hosts, ContainerInstanceStatus::Active).await?;
    launch(aws, job, job.live).await?;
    let now = group(aws, job).await?;
    let new =
        now.instances().iter().filter(|i| !before.has(i)).filter_map(|i| i.instance_id().map(str::to_owned));
    // The gate that is red stays so: nobody asks it on the way back.
    let unwatched = Job { watch: &crate::aws::Unwatched, ..*job };
    if let Some(red) = empty_hosts(aws, &unwatched, &joining.clusters, &new.collect()).await? {
        return Err(AwsError::failed(OPERATION, "RolloutFailed", red.reason));
    }
    terminate(aws, job, |one| !before.has(one)).await?;
    resize(aws, job, Some(before.min), Some(before.max), Some(before.desired)).await?;
    resume(aws, job, job.live).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::settings::Portion;

    fn settings(hold: u64, approve: bool) -> Settings {
        let step = Portion { weight: 100.0, hold: Duration::from_secs(hold), approve };
        Settings { steps: vec![step], ..Settings::default() }
    }

    fn names(settings: &Settings) -> Vec<String> {
        steps("hosts", " to version 2 of lt-1", settings).into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn nothing_old_goes_before_all_that_is_new_has_taken_over() {
        assert_eq!(names(&Settings::default()), [UPDATE, ADD, DRAIN, REMOVE]);
        assert_eq!(names(&settings(60, true)), [UPDATE, ADD, DRAIN, APPROVE, REMOVE]);
        let all = steps("hosts", "", &settings(300, false));
        assert_eq!(all[2].gate.as_deref(), Some("no task runs on them, held for 5m"));
        assert!(all[..3].iter().all(|step| step.back.is_some()), "each has a way back until the old ones go");
    }
}
