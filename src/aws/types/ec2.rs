//! What EC2 types share: tags, filters, ownership.

use crate::aws::{Aws, AwsError, Existing, Job, Op, tags};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};

pub fn tag_specification(kind: ResourceType, job: &Job<'_>) -> TagSpecification {
    let mut spec = TagSpecification::builder().resource_type(kind);
    for (key, value) in tags::for_creation(job.want, job.token) {
        spec = spec.tags(Tag::builder().key(key).value(value).build());
    }
    spec.build()
}

/// Filter that finds what a creation with this token made.
pub fn owned_by(token: &str) -> Filter {
    Filter::builder().name(format!("tag:{}", tags::OWNERSHIP)).values(token).build()
}

pub fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|t| (t.key().unwrap_or(""), t.value().unwrap_or("")))
}

/// Brings the tags of one EC2 resource from live to wanted.
pub async fn update_tags(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (set, removed) = tags::difference(job.live, job.want);
    if !set.is_empty() {
        let tags = set.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        aws.ec2.create_tags().resources(job.id).set_tags(Some(tags)).send().await.op("CreateTags")?;
    }
    if !removed.is_empty() {
        let tags = removed.into_iter().map(|k| Tag::builder().key(k).build()).collect();
        aws.ec2.delete_tags().resources(job.id).set_tags(Some(tags)).send().await.op("DeleteTags")?;
    }
    Ok(())
}

/// Calls a describe operation with the ids of `items`, at most 200 (AWS's limit of filter values) a call.
pub async fn by_id<T>(
    items: &[Existing<'_>],
    mut describe: impl AsyncFnMut(Vec<String>) -> Result<Vec<T>, AwsError>,
) -> Result<Vec<T>, AwsError> {
    let mut found = Vec::with_capacity(items.len());
    for chunk in items.chunks(200) {
        found.extend(describe(chunk.iter().map(|i| i.id.to_owned()).collect()).await?);
    }
    Ok(found)
}
