//! `aws_cloudwatch_log_group`: where containers log to.

use super::iam;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::{LogGroup as Live, LogGroupClass};
use futures::stream::{StreamExt, TryStreamExt};

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    KMS_KEY: Str = optional("kms_key_id");
    CLASS: Str = optional_computed("log_group_class").replaces().one_of(&["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"]);
    NAME: Str = optional_computed("name").replaces().check(|v| check_name(v, 512)).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().local().check(|v| check_name(v, 483)).conflicts_with(&["name"]);
    RETENTION: Int = optional("retention_in_days").default_int(0).check(check_retention).doc("Days; 0 keeps everything");
    SKIP_DESTROY: Bool = optional("skip_destroy").default_bool(false).local();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Where containers log to",
    example: r#"
resource "aws_cloudwatch_log_group" "app" {
  name              = "/ecs/example"
  retention_in_days = 30
  tags              = { Team = "web" }
}
"#,
    predict: |want| match want.get(&NAME) {
        Some(name) => vec![("id", Value::from(name))],
        None => Vec::new(),
    },
    unique: &["name"],
    ..TypeSchema::new("aws_cloudwatch_log_group", &TABLE)
};

fn check_name(value: &Value, most: usize) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if (1..=most).contains(&text.len()) && text.chars().all(good) {
        Ok(())
    } else {
        Err(format!("must have 1 to {most} letters, digits and characters of _-/.#"))
    }
}

fn check_retention(value: &Value) -> Result<(), String> {
    const DAYS: &[i64] = &[
        0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
        3653,
    ];
    match value.as_i64() {
        Some(days) if DAYS.contains(&days) => Ok(()),
        _ => {
            let days: Vec<String> = DAYS.iter().map(i64::to_string).collect();
            Err(format!("must be one of {}", days.join(", ")))
        }
    }
}

const GONE: &[&str] = &["ResourceNotFoundException"];

pub struct CloudwatchLogGroup;

#[async_trait(?Send)]
impl AwsType for CloudwatchLogGroup {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// DescribeLogGroups lists by prefix only: one call a group, side by side.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(|item| read_one(aws, item));
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        aws.logs
            .create_log_group()
            .log_group_name(&name)
            .set_kms_key_id(job.want.get(&KMS_KEY))
            .set_log_group_class(job.want.get(&CLASS).map(|c| LogGroupClass::from(c.as_str())))
            .set_tags(Some(tags::for_creation(job.want, job.token).into_iter().collect()))
            .send()
            .await
            .op("CreateLogGroup")?;
        if job.want.get(&RETENTION).is_some_and(|days| days > 0) {
            set_retention(aws, &name, job.want).await?;
        }
        Ok(name)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["retention_in_days"]) {
            set_retention(aws, job.id, job.want).await?;
        }
        if job.changes(&["kms_key_id"]) {
            match job.want.get(&KMS_KEY) {
                Some(key) => {
                    let call = aws.logs.associate_kms_key().log_group_name(job.id).kms_key_id(key);
                    call.send().await.op("AssociateKmsKey").map(drop)?;
                }
                None => {
                    let call = aws.logs.disassociate_kms_key().log_group_name(job.id);
                    call.send().await.op("DisassociateKmsKey").map(drop)?;
                }
            }
        }
        let (set, removed) = tags::difference(job.live, job.want);
        let arn = job.live.get(&ARN).unwrap_or_default();
        if !set.is_empty() {
            let call = aws.logs.tag_resource().resource_arn(&arn).set_tags(Some(set.into_iter().collect()));
            call.send().await.op("TagResource")?;
        }
        if !removed.is_empty() {
            let call = aws.logs.untag_resource().resource_arn(&arn).set_tag_keys(Some(removed));
            call.send().await.op("UntagResource")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.want.get(&SKIP_DESTROY) == Some(true) {
            return Ok(());
        }
        let call = aws.logs.delete_log_group().log_group_name(job.id);
        absent(call.send().await.op("DeleteLogGroup"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        let Some(group) = group(aws, &name).await? else { return Ok(None) };
        let tags = tags_of(aws, &arn(&group)).await?;
        Ok((tags.get(tags::OWNERSHIP).map(String::as_str) == Some(job.token)).then_some(name))
    }
}

async fn group(aws: &Aws, name: &str) -> Result<Option<Live>, AwsError> {
    let mut pages =
        aws.logs.describe_log_groups().log_group_name_prefix(name).into_paginator().items().send();
    // Names come sorted: the exact one is the first.
    let first = pages.next().await.transpose().op("DescribeLogGroups")?;
    Ok(first.filter(|g| g.log_group_name() == Some(name)))
}

/// The ARN as the tagging operations and everybody else want it: without the `:*` of DescribeLogGroups.
fn arn(group: &Live) -> String {
    let arn = group.log_group_arn().or(group.arn()).unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn).to_owned()
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<std::collections::BTreeMap<String, String>, AwsError> {
    let call = aws.logs.list_tags_for_resource().resource_arn(arn);
    let answer = absent(call.send().await.op("ListTagsForResource"), GONE)?;
    Ok(answer.and_then(|a| a.tags).unwrap_or_default().into_iter().collect())
}

async fn read_one(aws: &Aws, item: &Existing<'_>) -> Result<Option<Object>, AwsError> {
    let Some(group) = group(aws, item.id).await? else { return Ok(None) };
    let arn = arn(&group);
    let mut o = Object::new();
    o.set(&ID, item.id)
        .set(&ARN, &arn)
        .set(&KMS_KEY, group.kms_key_id())
        .set(&CLASS, group.log_group_class().map_or("STANDARD", |c| c.as_str()))
        .set(&NAME, item.id)
        .set(&NAME_PREFIX, item.known.get(&NAME_PREFIX))
        .set(&RETENTION, group.retention_in_days().unwrap_or(0))
        .set(&SKIP_DESTROY, item.known.get(&SKIP_DESTROY));
    tags::read(&mut o, tags_of(aws, &arn).await?);
    Ok(Some(o))
}

async fn set_retention(aws: &Aws, name: &str, want: &Object) -> Result<(), AwsError> {
    match want.get(&RETENTION).filter(|days| *days > 0) {
        Some(days) => {
            let call = aws.logs.put_retention_policy().log_group_name(name).retention_in_days(days as i32);
            call.send().await.op("PutRetentionPolicy").map(drop)
        }
        None => {
            let call = aws.logs.delete_retention_policy().log_group_name(name);
            call.send().await.op("DeleteRetentionPolicy").map(drop)
        }
    }
}
