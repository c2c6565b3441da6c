//! What of a group has calls of its own: tags, traffic sources, processes, metrics, the warm pool.

use super::table::*;
use super::{ECS_MANAGED, convert, describe};
use crate::aws::types::ecs::{patiently, small};
use crate::aws::types::timeouts;
use crate::aws::{Aws, AwsError, Job, Op, Poll, wait};
use crate::schema::Object;
use aws_sdk_autoscaling::types as sdk;
use std::time::Duration;

pub async fn set_tags(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let read = |o: &Object| -> Vec<(String, String, bool)> {
        o.all(&TAG)
            .iter()
            .map(|t| (t.need(&tag::KEY), t.need(&tag::VALUE), t.need(&tag::PROPAGATE)))
            .collect()
    };
    let (have, wanted) = (read(job.live), read(job.want));
    let set: Vec<sdk::Tag> = wanted
        .iter()
        .filter(|t| !have.contains(t))
        .map(|(key, value, propagate)| convert::tag(job.id, key, value, *propagate))
        .collect();
    let removed: Vec<sdk::Tag> = have
        .iter()
        .filter(|(key, ..)| key != ECS_MANAGED && !wanted.iter().any(|(k, ..)| k == key))
        .map(|(key, value, propagate)| convert::tag(job.id, key, value, *propagate))
        .collect();
    if !set.is_empty() {
        aws.autoscaling.create_or_update_tags().set_tags(Some(set)).send().await.op("CreateOrUpdateTags")?;
    }
    if !removed.is_empty() {
        aws.autoscaling.delete_tags().set_tags(Some(removed)).send().await.op("DeleteTags")?;
    }
    Ok(())
}

/// What is in `wanted` but not in `have`, and the other way round.
fn both_ways<T: PartialEq + Clone>(have: &[T], wanted: &[T]) -> (Vec<T>, Vec<T>) {
    let missing = |of: &[T], from: &[T]| from.iter().filter(|x| !of.contains(x)).cloned().collect();
    (missing(have, wanted), missing(wanted, have))
}

/// Attaches first, then detaches, so that the group is never without what both have.
pub async fn set_sources(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let client = &aws.autoscaling;
    if job.changes(&["target_group_arns"]) {
        let (add, remove) = both_ways(&job.live.all(&TARGET_GROUP_ARNS), &job.want.all(&TARGET_GROUP_ARNS));
        for chunk in add.chunks(10) {
            let call = client.attach_load_balancer_target_groups().auto_scaling_group_name(job.id);
            let call = call.set_target_group_arns(Some(chunk.to_vec()));
            call.send().await.op("AttachLoadBalancerTargetGroups")?;
        }
        for chunk in remove.chunks(10) {
            let call = client.detach_load_balancer_target_groups().auto_scaling_group_name(job.id);
            let call = call.set_target_group_arns(Some(chunk.to_vec()));
            call.send().await.op("DetachLoadBalancerTargetGroups")?;
        }
    }
    if job.changes(&["load_balancers"]) {
        let (add, remove) = both_ways(&job.live.all(&LOAD_BALANCERS), &job.want.all(&LOAD_BALANCERS));
        if !add.is_empty() {
            let call = client.attach_load_balancers().auto_scaling_group_name(job.id);
            call.set_load_balancer_names(Some(add)).send().await.op("AttachLoadBalancers")?;
        }
        if !remove.is_empty() {
            let call = client.detach_load_balancers().auto_scaling_group_name(job.id);
            call.set_load_balancer_names(Some(remove)).send().await.op("DetachLoadBalancers")?;
        }
    }
    if job.changes(&["traffic_source"]) {
        let (have, wanted) = (convert::traffic_sources(job.live), convert::traffic_sources(job.want));
        let (add, remove) = both_ways(&have, &wanted);
        for chunk in add.chunks(10) {
            let call = client.attach_traffic_sources().auto_scaling_group_name(job.id);
            call.set_traffic_sources(Some(chunk.to_vec())).send().await.op("AttachTrafficSources")?;
        }
        for chunk in remove.chunks(10) {
            let call = client.detach_traffic_sources().auto_scaling_group_name(job.id);
            call.set_traffic_sources(Some(chunk.to_vec())).send().await.op("DetachTrafficSources")?;
        }
    }
    Ok(())
}

pub async fn set_processes(aws: &Aws, group: &str, live: &Object, want: &Object) -> Result<(), AwsError> {
    let (suspend, resume) = both_ways(&live.all(&SUSPENDED_PROCESSES), &want.all(&SUSPENDED_PROCESSES));
    if !suspend.is_empty() {
        let call = aws.autoscaling.suspend_processes().auto_scaling_group_name(group);
        call.set_scaling_processes(Some(suspend)).send().await.op("SuspendProcesses")?;
    }
    if !resume.is_empty() {
        let call = aws.autoscaling.resume_processes().auto_scaling_group_name(group);
        call.set_scaling_processes(Some(resume)).send().await.op("ResumeProcesses")?;
    }
    Ok(())
}

pub async fn set_metrics(aws: &Aws, group: &str, live: &Object, want: &Object) -> Result<(), AwsError> {
    let (enable, disable) = both_ways(&live.all(&ENABLED_METRICS), &want.all(&ENABLED_METRICS));
    if !disable.is_empty() {
        let call = aws.autoscaling.disable_metrics_collection().auto_scaling_group_name(group);
        call.set_metrics(Some(disable)).send().await.op("DisableMetricsCollection")?;
    }
    if !enable.is_empty() {
        let granularity = want.get(&METRICS_GRANULARITY).unwrap_or_else(|| "1Minute".to_owned());
        let call = aws.autoscaling.enable_metrics_collection().auto_scaling_group_name(group);
        let call = call.set_metrics(Some(enable)).granularity(granularity);
        call.send().await.op("EnableMetricsCollection")?;
    }
    Ok(())
}

pub async fn put_warm_pool(aws: &Aws, group: &str, want: &Object) -> Result<(), AwsError> {
    let Some(b) = want.block(&WARM_POOL) else { return Ok(()) };
    let reuse = b
        .block(&warm::REUSE_POLICY)
        .map(|r| sdk::InstanceReusePolicy::builder().set_reuse_on_scale_in(r.get(&warm::REUSE)).build());
    aws.autoscaling
        .put_warm_pool()
        .auto_scaling_group_name(group)
        .set_max_group_prepared_capacity(small(b.get(&warm::MAX_PREPARED)))
        .set_min_size(small(b.get(&warm::MIN_SIZE)))
        .set_pool_state(b.get(&warm::POOL_STATE).map(|s| s.as_str().into()))
        .set_instance_reuse_policy(reuse)
        .send()
        .await
        .op("PutWarmPool")
        .map(drop)
}

pub async fn delete_warm_pool(aws: &Aws, job: &Job<'_>, force: bool) -> Result<(), AwsError> {
    let deadline = timeouts::limit(job.want, &timeouts::DELETE, 20);
    let call = aws.autoscaling.delete_warm_pool().auto_scaling_group_name(job.id).force_delete(force);
    let passing = |e: &AwsError| {
        e.is(&["ScalingActivityInProgress", "ScalingActivityInProgressFault", "ResourceInUse"])
    };
    let result = patiently(aws, "DeleteWarmPool", deadline, job.progress, passing, async || {
        call.clone().send().await.op("DeleteWarmPool")
    });
    match result.await {
        Err(e) if e.message.contains("No warm pool found") => return Ok(()),
        other => other?,
    };
    wait(aws, "DeleteWarmPool", Duration::from_secs(10), deadline, job.progress, async || {
        let found = describe(aws, &[job.id.to_owned()]).await?;
        Ok(match found.first().and_then(|g| g.warm_pool_configuration()) {
            None => Poll::Ready(()),
            Some(_) => Poll::Pending("its instances terminate".to_owned()),
        })
    })
    .await
}
