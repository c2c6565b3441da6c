//! Waiting until a group has its instances, or none.

use super::table::*;
use super::{SCALING, describe, refreshing};
use crate::aws::types::ecs::patiently;
use crate::aws::types::timeouts;
use crate::aws::{Aws, AwsError, Job, Op, Poll, absent, wait};
use crate::schema::Object;
use aws_sdk_autoscaling::types as sdk;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use std::time::Duration;

/// Scales a group to nothing: without protection from scale-in, which would hold the instances.
pub async fn empty(
    aws: &Aws,
    job: &Job<'_>,
    group: &AutoScalingGroup,
    deadline: Duration,
) -> Result<(), AwsError> {
    let call = aws.autoscaling.update_auto_scaling_group().auto_scaling_group_name(job.id);
    let call = call.min_size(0).max_size(0).desired_capacity(0).new_instances_protected_from_scale_in(false);
    let passing = |e: &AwsError| e.is(SCALING);
    patiently(aws, "UpdateAutoScalingGroup", deadline, job.progress, passing, async || {
        call.clone().send().await.op("UpdateAutoScalingGroup")
    })
    .await?;
    unprotect(aws, job.id, group.instances()).await?;
    wait(aws, "scaling to 0", Duration::from_secs(10), deadline, job.progress, async || {
        let found = describe(aws, &[job.id.to_owned()]).await?;
        let Some(group) = found.first() else { return Ok(Poll::Ready(())) };
        let left = group.instances();
        if left.is_empty() {
            return Ok(Poll::Ready(()));
        }
        let ids: Vec<&str> = left.iter().filter_map(|i| i.instance_id()).take(5).collect();
        Ok(Poll::Pending(format!("{} instances left ({})", left.len(), ids.join(", "))))
    })
    .await
}

/// Lets scale-in take these instances.
pub async fn unprotect<'i>(
    aws: &Aws,
    group: &str,
    instances: impl IntoIterator<Item = &'i sdk::Instance>,
) -> Result<(), AwsError> {
    let protected: Vec<String> = instances
        .into_iter()
        .filter(|i| i.protected_from_scale_in() == Some(true))
        .filter_map(|i| i.instance_id().map(str::to_owned))
        .collect();
    for chunk in protected.chunks(50) {
        let call = aws.autoscaling.set_instance_protection().auto_scaling_group_name(group);
        let call = call.set_instance_ids(Some(chunk.to_vec())).protected_from_scale_in(false);
        // Instances that left in the meantime are a ValidationError.
        absent(call.send().await.op("SetInstanceProtection"), &["ValidationError"])?;
    }
    Ok(())
}

/// Waits until the group has its instances, in service and (if asked for) healthy behind its load
/// balancers, as the provider does; `wait_for_capacity_timeout = "0"` does not wait.
pub async fn wait_for_capacity(
    aws: &Aws,
    job: &Job<'_>,
    group: &str,
    began: aws_smithy_types::DateTime,
) -> Result<(), AwsError> {
    let text = job.want.get(&WAIT_FOR_CAPACITY_TIMEOUT).unwrap_or_else(|| "10m".to_owned());
    let deadline = timeouts::parse(&text).unwrap_or(Duration::from_secs(600));
    if deadline.is_zero() {
        return Ok(());
    }
    let behind = job.want.get(&WAIT_FOR_ELB_CAPACITY).or(job.want.get(&MIN_ELB_CAPACITY)).unwrap_or(0);
    let result = wait(aws, "capacity", Duration::from_secs(10), deadline, job.progress, async || {
        let Some(g) = describe(aws, &[group.to_owned()]).await?.pop() else {
            return Ok(Poll::Pending("the group is not visible yet".to_owned()));
        };
        let desired = g.desired_capacity().unwrap_or(0);
        let ready: Vec<&str> =
            g.instances().iter().filter(|i| in_service(i)).filter_map(|i| i.instance_id()).collect();
        let capacity: i32 = g.instances().iter().filter(|i| in_service(i)).map(weight).sum();
        if capacity < desired {
            return Ok(Poll::Pending(format!("{capacity} of {desired} instances in service")));
        }
        if behind > 0 {
            let healthy = healthy_behind(aws, g.target_group_arns(), &ready).await?;
            if healthy < behind {
                return Ok(Poll::Pending(format!("{healthy} of {behind} healthy behind the load balancer")));
            }
        }
        Ok(Poll::Ready(()))
    });
    match result.await {
        Err(e) if e.is(&["Timeout"]) => {
            let reasons = refreshing::launch_failures(aws, group, Some(began)).await?;
            let reasons: Vec<String> = reasons.into_iter().take(3).map(|r| format!("\n  - {r}")).collect();
            Err(AwsError { message: format!("{}{}", e.message, reasons.concat()), ..e })
        }
        other => other,
    }
}

/// A smaller group behind target groups: its instances drain there before they end. Until then it is not what it
/// shall be; one that takes longer than the update may is left to AWS.
pub async fn wait_for_drained(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let sizes = |o: &Object| o.get(&DESIRED_CAPACITY);
    let shrinks = sizes(job.live).zip(sizes(job.want).or(job.want.get(&MAX_SIZE)));
    if shrinks.is_none_or(|(live, want)| want >= live) {
        return Ok(());
    }
    let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 10);
    let result = wait(aws, "capacity", Duration::from_secs(10), deadline, job.progress, async || {
        let Some(g) = describe(aws, &[job.id.to_owned()]).await?.pop() else { return Ok(Poll::Ready(())) };
        let left = g.instances().iter().map(weight).sum::<i32>() - g.desired_capacity().unwrap_or(0);
        Ok(match g.target_group_arns().is_empty() || left <= 0 {
            true => Poll::Ready(()),
            false => Poll::Pending(format!("{left} instances drain and end")),
        })
    });
    match result.await {
        Err(e) if e.is(&["Timeout"]) => Ok(()),
        other => other,
    }
}

pub fn in_service(i: &sdk::Instance) -> bool {
    i.lifecycle_state() == Some(&sdk::LifecycleState::InService) && i.health_status() != Some("Unhealthy")
}

pub fn weight(i: &sdk::Instance) -> i32 {
    i.weighted_capacity().and_then(|w| w.parse().ok()).unwrap_or(1)
}

/// How many of the instances are healthy in every target group.
pub async fn healthy_behind(aws: &Aws, groups: &[String], instances: &[&str]) -> Result<i64, AwsError> {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum::Healthy;
    let mut left: Vec<&str> = instances.to_vec();
    for group in groups {
        let call = aws.elb.describe_target_health().target_group_arn(group).send().await;
        let targets = call.op("DescribeTargetHealth")?.target_health_descriptions.unwrap_or_default();
        let healthy = |id: &str| {
            targets.iter().any(|t| {
                t.target().and_then(|t| t.id()) == Some(id)
                    && t.target_health().and_then(|h| h.state()) == Some(&Healthy)
            })
        };
        left.retain(|id| healthy(id));
    }
    Ok(left.len() as i64)
}
