//! Instance refreshes of a group: started with the desired configuration, re-attached to, observed.

use super::convert;
use super::joining::Joining;
use super::table::*;
use super::versions;
use crate::aws::types::ecs::{small, some};
use crate::aws::types::timeouts;
use crate::aws::{Aws, AwsError, INTERRUPTED, Job, Op, Poll, ROLLED_BACK, Red, absent, wait};
use crate::rollout::Decision;
use crate::rollout::instance_refresh::{self, Observation};
use crate::rollout::settings::{Settings, Strategy};
use crate::schema::Object;
use aws_sdk_autoscaling::types as sdk;
use aws_sdk_autoscaling::types::builders::RefreshPreferencesBuilder;
use aws_sdk_autoscaling::types::{DesiredConfiguration, InstanceRefresh, RefreshPreferences};
use std::sync::atomic::Ordering;
use std::time::Duration;

const START: &str = "StartInstanceRefresh";
const EVERY: Duration = Duration::from_secs(15);

/// Without an `instance_refresh` block a launch change rolls out all the same, with these.
pub const SAFE_MIN: i64 = 90;
pub const SAFE_MAX: i64 = 110;

/// Minimum and maximum healthy percentage that a refresh will keep to.
pub fn percentages(want: &Object) -> (i64, i64) {
    match want.block(&INSTANCE_REFRESH).and_then(|r| r.block(&refresh::PREFERENCES)) {
        Some(p) => (p.get(&refresh::MIN_HEALTHY).unwrap_or(90), p.get(&refresh::MAX_HEALTHY).unwrap_or(100)),
        None => (SAFE_MIN, SAFE_MAX),
    }
}

/// Checkpoints as a `rollout` block asks for them.
pub fn tune(want: &mut Object, settings: &Settings) -> Result<(), String> {
    // All at once is no refresh: its last step may wait and hold.
    if settings.strategy == Some(Strategy::BlueGreen) {
        return Ok(());
    }
    if settings.steps.iter().any(|step| step.approve) {
        return Err("AWS's instance refresh cannot wait for a person: leave `approve` out".to_owned());
    }
    if settings.steps.is_empty() {
        return Ok(());
    }
    let mut block = want.block(&INSTANCE_REFRESH).unwrap_or_else(|| {
        let mut block = Object::new();
        block.set(&refresh::STRATEGY, "Rolling");
        block
    });
    let mut preferences = block.block(&refresh::PREFERENCES).unwrap_or_else(|| {
        let mut safe = Object::new();
        safe.set(&refresh::MIN_HEALTHY, SAFE_MIN).set(&refresh::MAX_HEALTHY, SAFE_MAX);
        safe.set(&refresh::SKIP_MATCHING, true).set(&refresh::SCALE_IN_PROTECTED, "Refresh");
        safe
    });
    if preferences.has("checkpoint_percentages") {
        return Err("its `instance_refresh` has checkpoints of its own: keep one of the two".to_owned());
    }
    let mut percentages: Vec<i64> = settings.steps.iter().map(|step| step.weight.round() as i64).collect();
    if percentages.last() != Some(&100) {
        percentages.push(100);
    }
    // AWS knows one delay for all checkpoints: the longest is safe.
    let delay = settings.steps.iter().map(|step| step.hold.as_secs()).max().unwrap_or_default();
    preferences.set(&refresh::CHECKPOINT_PERCENTAGES, percentages);
    preferences.set(&refresh::CHECKPOINT_DELAY, delay.to_string());
    block.set_blocks(&refresh::PREFERENCES, vec![preferences.complete(&refresh::PREFERENCES_TABLE)]);
    want.set_blocks(&INSTANCE_REFRESH, vec![block.complete(&refresh::TABLE)]);
    Ok(())
}

/// Starts the refresh to what is wanted and returns its id; one that already runs to just that is taken
/// over, another one is never cancelled.
pub async fn start(aws: &Aws, job: &Job<'_>, carries_template: bool) -> Result<String, AwsError> {
    let desired = if carries_template { desired_configuration(aws, job.want).await? } else { None };
    if let Some(running) = running(aws, job.id).await? {
        return attach(&running, towards(aws, job, &running).await?.as_ref(), desired.as_ref());
    }
    let preferences = preferences(job, carries_template, desired.is_some());
    let result = aws
        .autoscaling
        .start_instance_refresh()
        .auto_scaling_group_name(job.id)
        .strategy(sdk::RefreshStrategy::Rolling)
        .set_desired_configuration(desired.clone())
        .preferences(preferences)
        .send()
        .await
        .op(START);
    match result {
        Ok(answer) => Ok(answer.instance_refresh_id.unwrap_or_default()),
        // Someone was faster than our look.
        Err(e) if e.is(&["InstanceRefreshInProgress", "InstanceRefreshInProgressFault"]) => {
            match running(aws, job.id).await? {
                Some(running) => {
                    attach(&running, towards(aws, job, &running).await?.as_ref(), desired.as_ref())
                }
                None => Err(e),
            }
        }
        Err(e) => Err(e),
    }
}

/// Where a running refresh leads; one that carries nothing leads to what the group itself says.
async fn towards(
    aws: &Aws,
    job: &Job<'_>,
    running: &InstanceRefresh,
) -> Result<Option<DesiredConfiguration>, AwsError> {
    let carried = running.desired_configuration();
    if carried.is_some() || job.want.has("launch_configuration") {
        return Ok(carried.cloned());
    }
    let call = aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(job.id);
    let answer = call.send().await.op("DescribeAutoScalingGroups")?;
    Ok(answer.auto_scaling_groups().first().map(|group| {
        DesiredConfiguration::builder()
            .set_launch_template(group.launch_template().cloned())
            .set_mixed_instances_policy(group.mixed_instances_policy().cloned())
            .build()
    }))
}

fn attach(
    running: &InstanceRefresh,
    towards: Option<&DesiredConfiguration>,
    desired: Option<&DesiredConfiguration>,
) -> Result<String, AwsError> {
    let id = running.instance_refresh_id().unwrap_or_default();
    let status = running.status().map_or("", |s| s.as_str());
    let usable = matches!(status, "Pending" | "InProgress" | "Baking");
    let same = match desired {
        Some(_) => key(towards) == key(desired),
        None => running.desired_configuration().is_none(),
    };
    if usable && same {
        return Ok(id.to_owned());
    }
    let message = format!(
        "instance refresh {id}, which was not started for this, is {status} ({} %): wait until it has ended, or \
         cancel it (aws autoscaling cancel-instance-refresh), then apply again",
        running.percentage_complete().unwrap_or(0)
    );
    Err(AwsError::failed(START, "InstanceRefreshInProgress", message))
}

/// What makes two desired configurations the same, apart from what AWS fills in.
fn key(desired: Option<&DesiredConfiguration>) -> Option<Vec<String>> {
    let desired = desired?;
    let mixed = desired.mixed_instances_policy().and_then(|p| p.launch_template());
    let spec = desired.launch_template().or(mixed.and_then(|t| t.launch_template_specification()))?;
    let template = spec.launch_template_id().or(spec.launch_template_name()).unwrap_or_default();
    let overrides = mixed.map(|t| t.overrides()).unwrap_or_default().iter();
    let types = overrides.map(|o| {
        format!("{} {}", o.instance_type().unwrap_or_default(), o.weighted_capacity().unwrap_or_default())
    });
    let pointer = [template.to_owned(), spec.version().unwrap_or_default().to_owned()];
    Some(pointer.into_iter().chain(types).collect())
}

/// The group's refresh that has not ended, if there is one.
async fn running(aws: &Aws, group: &str) -> Result<Option<InstanceRefresh>, AwsError> {
    let call = aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group).max_records(10);
    let found = call.send().await.op("DescribeInstanceRefreshes")?.instance_refreshes.unwrap_or_default();
    let active = |r: &InstanceRefresh| {
        matches!(
            r.status().map(|s| s.as_str()),
            Some("Pending" | "InProgress" | "Baking" | "Cancelling" | "RollbackInProgress")
        )
    };
    Ok(found.into_iter().find(active))
}

/// What instances shall be launched from, with a numbered version. None for a launch configuration,
/// which a refresh cannot carry: then the group was updated before.
pub async fn desired_configuration(
    aws: &Aws,
    want: &Object,
) -> Result<Option<DesiredConfiguration>, AwsError> {
    if want.has("launch_configuration") {
        return Ok(None);
    }
    let version = wanted_version(aws, want).await?;
    let desired = DesiredConfiguration::builder();
    Ok(match (want.block(&LAUNCH_TEMPLATE), want.block(&MIXED_INSTANCES_POLICY)) {
        (Some(t), _) => Some(desired.launch_template(convert::launch_template(&t, version)).build()),
        (None, Some(p)) => Some(desired.mixed_instances_policy(convert::mixed_policy(&p, version)).build()),
        (None, None) => None,
    })
}

/// The launch template, or the mixed instances policy: always with a number, for `$Latest` would launch a version that
/// was not rolled out.
pub async fn launched_from(
    aws: &Aws,
    want: &Object,
) -> Result<(Option<sdk::LaunchTemplateSpecification>, Option<sdk::MixedInstancesPolicy>), AwsError> {
    let version = wanted_version(aws, want).await?;
    let template = want.block(&LAUNCH_TEMPLATE).map(|t| convert::launch_template(&t, version.clone()));
    let policy = want.block(&MIXED_INSTANCES_POLICY).map(|p| convert::mixed_policy(&p, version));
    Ok((template, policy))
}

/// The number of the version that is wanted now.
pub async fn wanted_version(aws: &Aws, want: &Object) -> Result<Option<String>, AwsError> {
    let Some((template, version)) = versions::declared(want) else { return Ok(None) };
    if version.as_deref().is_some_and(|v| !v.starts_with('$')) {
        return Ok(version);
    }
    let found = versions::templates(aws, vec![template.clone()]).await?;
    Ok(found.number(&template, version.as_deref()).or(version))
}

/// Protected instances would otherwise be left out silently: managed termination protection of an ECS capacity
/// provider protects all of them.
fn safe() -> RefreshPreferencesBuilder {
    RefreshPreferences::builder()
        .min_healthy_percentage(SAFE_MIN as i32)
        .max_healthy_percentage(SAFE_MAX as i32)
        .skip_matching(true)
        .scale_in_protected_instances(sdk::ScaleInProtectedInstances::Refresh)
}

fn preferences(job: &Job<'_>, may_skip: bool, has_way_back: bool) -> RefreshPreferences {
    let Some(p) = job.want.block(&INSTANCE_REFRESH).and_then(|r| r.block(&refresh::PREFERENCES)) else {
        return safe()
            .skip_matching(may_skip)
            .auto_rollback(has_way_back && numbered(job.live))
            .standby_instances(sdk::StandbyInstances::Ignore)
            .build();
    };
    let seconds = |attr| p.get(attr).and_then(|s: String| s.parse::<i32>().ok());
    let checkpoints: Vec<i32> =
        p.all(&refresh::CHECKPOINT_PERCENTAGES).into_iter().filter_map(|c| small(Some(c))).collect();
    let alarms = p.block(&refresh::ALARM_SPECIFICATION).map(|a| a.all(&refresh::ALARMS));
    let (min, max) = percentages(job.want);
    RefreshPreferences::builder()
        .set_min_healthy_percentage(small(Some(min)))
        .set_max_healthy_percentage(small(Some(max)))
        .set_instance_warmup(seconds(&refresh::INSTANCE_WARMUP))
        .set_checkpoint_percentages(some(checkpoints))
        .set_checkpoint_delay(seconds(&refresh::CHECKPOINT_DELAY))
        // Instances in subnets that are given up match the template all the same, and there is no way back there.
        .set_skip_matching(p.get(&refresh::SKIP_MATCHING).map(|skip| skip && may_skip))
        .set_auto_rollback(p.get(&refresh::AUTO_ROLLBACK).map(|back| back && has_way_back))
        .set_scale_in_protected_instances(p.get(&refresh::SCALE_IN_PROTECTED).map(|s| s.as_str().into()))
        .set_standby_instances(p.get(&refresh::STANDBY).map(|s| s.as_str().into()))
        .set_alarm_specification(
            alarms.map(|alarms| sdk::AlarmSpecification::builder().set_alarms(Some(alarms)).build()),
        )
        .build()
}

/// AWS refuses automatic rollback to a group whose template version is not a number.
fn numbered(live: &Object) -> bool {
    versions::declared(live).is_some_and(|(_, v)| v.is_some_and(|v| !v.starts_with('$')))
}

/// Waits until the refresh has ended well. One that ended otherwise, or that a gate has stopped, is an error.
pub async fn to_the_end(aws: &Aws, job: &Job<'_>, id: &str) -> Result<(), AwsError> {
    let end = aws.clock.now() + timeouts::limit(job.want, &timeouts::UPDATE, 48 * 60);
    let mut since = aws.clock.now();
    let mut key = None;
    let mut given_up: Option<String> = None;
    let mut joining = Joining::of(aws, job.id, None).await?;
    loop {
        let Some(r) = describe(aws, job.id, id).await? else {
            let text = format!("AWS does not know instance refresh {id} any more");
            return Err(AwsError::failed(START, "RolloutFailed", text));
        };
        let now_key = (r.status().cloned(), r.percentage_complete(), r.instances_to_update());
        if key.as_ref() != Some(&now_key) {
            since = aws.clock.now();
            key = Some(now_key);
        }
        let seen = observe(aws, job.id, &r, since).await?;
        let decision = instance_refresh::decide(&seen, aws.clock.now());
        joining.look(aws, job.watch).await?;
        job.watch.note(
            serde_json::json!({
                "refresh": seen.status, "percent": seen.percent, "reason": seen.reason,
                "hosts": joining.hosts.to_string(),
            }),
            &decision.to_string(),
        );
        let ended_well = decision == Decision::Done;
        match decision {
            Decision::Done if joining.hosts.are_settled() => return Ok(()),
            Decision::Done => (job.progress)(&format!("all instances are replaced; {}", joining.hosts)),
            Decision::Failed(reason) => {
                return Err(ended(&seen.status, given_up.unwrap_or_default(), reason));
            }
            Decision::Wait(text) if aws.clock.now() >= end => {
                let text = format!("instance refresh {id} is still {text}; it goes on without us");
                return Err(AwsError::failed(START, "Timeout", text));
            }
            Decision::Wait(text) if INTERRUPTED.load(Ordering::Relaxed) => {
                let text =
                    format!("interrupted at {text}; the refresh goes on in AWS, the next apply follows it");
                return Err(AwsError::failed(START, "Interrupted", text));
            }
            Decision::Wait(text) => (job.progress)(&text),
        }
        if given_up.is_none()
            && let Some(red) = red(aws, job, &joining).await?
        {
            if ended_well {
                return Err(replace_back(aws, job, red).await);
            }
            given_up = Some(give_up(aws, job, id, red).await?);
        }
        aws.clock.sleep(EVERY).await;
    }
}

/// Why it must not go on: what its hosts do, its gates, its deadline.
async fn red(aws: &Aws, job: &Job<'_>, joining: &Joining) -> Result<Option<Red>, AwsError> {
    match joining.hosts.red(aws.clock.now()).and_then(|reason| job.red_because(reason)) {
        None => job.red().await,
        red => Ok(red),
    }
}

/// AWS rolls back no refresh that has ended: the way back is another one, to what ran before.
async fn replace_back(aws: &Aws, job: &Job<'_>, Red { reason, stays }: Red) -> AwsError {
    let failed = |text: String| AwsError::failed(START, "RolloutFailed", text);
    if stays {
        return failed(format!(
            "{reason}; the instances stay as they are, as declared (`on_failure = \"hold\"`)"
        ));
    }
    (job.progress)(&format!("{reason}; replacing the instances back"));
    match refresh_to_live(aws, job).await {
        Ok(()) => AwsError::failed(START, ROLLED_BACK, format!("{reason}; all instances were replaced back")),
        Err(second) => failed(format!("{reason}; and the way back failed: {second}")),
    }
}

async fn refresh_to_live(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let Some(before) = desired_configuration(aws, job.live).await? else {
        return Err(AwsError::failed(
            START,
            "RolloutFailed",
            "what a launch configuration was cannot be had back",
        ));
    };
    let call = aws.autoscaling.start_instance_refresh().auto_scaling_group_name(job.id);
    let call = call.desired_configuration(before).preferences(safe().build()).send().await;
    let id = call.op(START)?.instance_refresh_id.unwrap_or_default();
    let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 48 * 60);
    wait(aws, START, EVERY, deadline, job.progress, async || {
        let seen = describe(aws, job.id, &id).await?;
        let status = seen.as_ref().and_then(|r| r.status()).map_or("gone", |s| s.as_str());
        match status {
            "Successful" => Ok(Poll::Ready(())),
            "Pending" | "InProgress" | "Baking" => Ok(Poll::Pending(format!("the way back is {status}"))),
            other => {
                Err(AwsError::failed(START, "RolloutFailed", format!("instance refresh {id} is {other}")))
            }
        }
    })
    .await
}

async fn describe(aws: &Aws, group: &str, id: &str) -> Result<Option<InstanceRefresh>, AwsError> {
    let call = aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(group);
    let answer = call.instance_refresh_ids(id).send().await.op("DescribeInstanceRefreshes")?;
    Ok(answer.instance_refreshes.and_then(|found| found.into_iter().next()))
}

fn ended(status: &str, gate: String, reason: String) -> AwsError {
    let text = if gate.is_empty() { reason } else { format!("{gate}: {reason}") };
    let code = if status == "RollbackSuccessful" { ROLLED_BACK } else { "RolloutFailed" };
    AwsError::failed(START, code, text)
}

/// A gate is red: takes the refresh back, for this reason, or stops it where it is.
async fn give_up(aws: &Aws, job: &Job<'_>, id: &str, red: Red) -> Result<String, AwsError> {
    let Red { reason, stays } = red;
    if stays {
        let call = aws.autoscaling.cancel_instance_refresh().auto_scaling_group_name(job.id).send().await;
        absent(call.op("CancelInstanceRefresh"), &["ActiveInstanceRefreshNotFound"])?;
        let text =
            format!("{reason}; instance refresh {id} was cancelled and the instances stay as they are");
        return Err(AwsError::failed(START, "RolloutFailed", text));
    }
    (job.progress)(&format!("{reason}; rolling the refresh back"));
    let call = aws.autoscaling.rollback_instance_refresh().auto_scaling_group_name(job.id).send().await;
    absent(call.op("RollbackInstanceRefresh"), &["ActiveInstanceRefreshNotFound"])?;
    Ok(reason)
}

async fn observe(
    aws: &Aws,
    group: &str,
    r: &InstanceRefresh,
    last_progress: jiff::Timestamp,
) -> Result<Observation, AwsError> {
    let status = r.status().map_or("Pending", |s| s.as_str()).to_owned();
    let rollback = r.rollback_details().and_then(|d| d.rollback_reason()).map(str::to_owned);
    let preferences = r.preferences();
    let pause = |seconds: Option<i32>| i64::from(seconds.unwrap_or(0));
    let planned = preferences.map_or(0, |p| {
        pause(p.checkpoint_delay().or((!p.checkpoint_percentages().is_empty()).then_some(3600)))
            + pause(p.bake_time())
            + pause(p.instance_warmup())
    });
    let began = r.start_time().copied();
    let failures =
        if status == "Successful" { Vec::new() } else { launch_failures(aws, group, began).await? };
    Ok(Observation {
        id: r.instance_refresh_id().unwrap_or_default().to_owned(),
        status,
        reason: rollback.or(r.status_reason().map(str::to_owned)),
        percent: r.percentage_complete(),
        instances_to_update: r.instances_to_update(),
        last_progress,
        planned_pause_seconds: planned,
        failures,
    })
}

/// Messages of the group's failed scaling activities since `began`, newest first.
pub async fn launch_failures(
    aws: &Aws,
    group: &str,
    began: Option<aws_smithy_types::DateTime>,
) -> Result<Vec<String>, AwsError> {
    let call = aws.autoscaling.describe_scaling_activities().auto_scaling_group_name(group).max_records(20);
    let activities = call.send().await.op("DescribeScalingActivities")?.activities.unwrap_or_default();
    let failed = activities.iter().filter(|a| {
        let bad = matches!(
            a.status_code(),
            Some(sdk::ScalingActivityStatusCode::Failed | sdk::ScalingActivityStatusCode::Cancelled)
        );
        bad && began.is_none_or(|b| a.start_time().is_none_or(|t| *t >= b))
    });
    Ok(failed.filter_map(|a| a.status_message().or(a.description()).map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(version: &str) -> DesiredConfiguration {
        let spec = sdk::LaunchTemplateSpecification::builder().launch_template_id("lt-1").version(version);
        DesiredConfiguration::builder().launch_template(spec.build()).build()
    }

    fn running_to(version: &str, status: &str) -> InstanceRefresh {
        InstanceRefresh::builder()
            .instance_refresh_id("r-1")
            .status(status.into())
            .desired_configuration(to(version))
            .build()
    }

    #[test]
    fn a_refresh_to_the_same_is_taken_over() {
        let running = running_to("4", "InProgress");
        assert_eq!(attach(&running, Some(&to("4")), Some(&to("4"))), Ok("r-1".to_owned()));
    }

    #[test]
    fn anothers_refresh_is_never_cancelled() {
        for (version, status) in [("3", "InProgress"), ("4", "Cancelling"), ("4", "RollbackInProgress")] {
            let error = attach(&running_to(version, status), Some(&to(version)), Some(&to("4")))
                .expect_err("not ours");
            assert_eq!(error.code, "InstanceRefreshInProgress");
        }
    }

    #[test]
    fn without_a_block_the_percentages_are_safe() {
        assert_eq!(percentages(&Object::new()), (SAFE_MIN, SAFE_MAX));
    }
}
