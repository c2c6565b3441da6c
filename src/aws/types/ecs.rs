//! What ECS types share: tags, capacity provider strategies, retries, small conversions.

use crate::aws::{Aws, AwsError, Job, Op, Poll, tags, wait};
use crate::schema::{Object, attributes};
use aws_sdk_ecs::types::{CapacityProviderStrategyItem, Tag};
use std::time::Duration;

/// The part of an ARN after its last slash.
pub fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// AWS's integers are 32 bits wide; values were checked against the table's ranges.
pub fn small(i: Option<i64>) -> Option<i32> {
    i.and_then(|i| i32::try_from(i).ok())
}

/// The SDK's builders fail only where we left out a required part.
pub fn built<T, E: std::fmt::Display>(operation: &str, result: Result<T, E>) -> Result<T, AwsError> {
    result.map_err(|e| AwsError::failed(operation, "Internal", e.to_string()))
}

/// None for nothing: AWS takes an empty list for "none at all" and a missing one for "as it is".
pub fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

pub fn creation_tags(job: &Job<'_>) -> Vec<Tag> {
    tags::for_creation(job.want, job.token)
        .into_iter()
        .map(|(k, v)| Tag::builder().key(k).value(v).build())
        .collect()
}

pub fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|t| (t.key().unwrap_or(""), t.value().unwrap_or("")))
}

/// Whether a creation with this token made it.
pub fn is_ours(tags: &[Tag], token: &str) -> bool {
    pairs(tags).any(|(k, v)| k == tags::OWNERSHIP && v == token)
}

pub async fn update_tags(aws: &Aws, arn: &str, job: &Job<'_>) -> Result<(), AwsError> {
    let (set, removed) = tags::difference(job.live, job.want);
    if !set.is_empty() {
        let tags = set.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        aws.ecs.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await.op("TagResource")?;
    }
    if !removed.is_empty() {
        let call = aws.ecs.untag_resource().resource_arn(arn).set_tag_keys(Some(removed));
        call.send().await.op("UntagResource")?;
    }
    Ok(())
}

attributes! {
    STRATEGY:
    CAPACITY_PROVIDER: Str = required("capacity_provider");
    WEIGHT: Int = optional("weight").default_int(0).range(0, 1000);
    BASE: Int = optional("base").default_int(0).range(0, 100_000);
}

pub fn strategy(blocks: &[Object]) -> Result<Vec<CapacityProviderStrategyItem>, AwsError> {
    let item = |b: &Object| {
        let item = CapacityProviderStrategyItem::builder()
            .capacity_provider(b.need(&CAPACITY_PROVIDER))
            .set_weight(small(b.get(&WEIGHT)))
            .set_base(small(b.get(&BASE)));
        built("CapacityProviderStrategyItem", item.build())
    };
    blocks.iter().map(item).collect()
}

pub fn strategy_blocks(items: &[CapacityProviderStrategyItem]) -> Vec<Object> {
    let block = |i: &CapacityProviderStrategyItem| {
        let mut o = Object::new();
        o.set(&CAPACITY_PROVIDER, i.capacity_provider()).set(&WEIGHT, i.weight()).set(&BASE, i.base());
        o
    };
    items.iter().map(block).collect()
}

/// Calls until the error is none of those that pass by themselves (`passing`), every 5 s.
pub async fn patiently<T>(
    aws: &Aws,
    operation: &str,
    deadline: Duration,
    progress: &dyn Fn(&str),
    passing: fn(&AwsError) -> bool,
    mut call: impl AsyncFnMut() -> Result<T, AwsError>,
) -> Result<T, AwsError> {
    let end = aws.clock.now() + deadline;
    wait(aws, operation, Duration::from_secs(5), deadline, progress, async || match call().await {
        Ok(value) => Ok(Poll::Ready(value)),
        // At the deadline AWS's own error says more than "still waiting".
        Err(e) if passing(&e) && aws.clock.now() < end => Ok(Poll::Pending(e.message)),
        Err(e) => Err(e),
    })
    .await
}
