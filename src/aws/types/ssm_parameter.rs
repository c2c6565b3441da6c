//! `aws_ssm_parameter`: a value in the Parameter Store.

use super::ec2;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{Attr, ID, Object, Str, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ssm::types::{
    Parameter, ParameterMetadata, ParameterStringFilter, ParameterTier, ParameterType,
    ResourceTypeForTagging, Tag,
};
use futures::stream::{StreamExt, TryStreamExt};

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ALLOWED_PATTERN: Str = optional("allowed_pattern").check(|v| ec2::check::length(v, 0, 1024));
    ARN: Str = optional_computed("arn");
    DATA_TYPE: Str = optional_computed("data_type").replaces().one_of(&["text", "aws:ec2:image", "aws:ssm:integration"]);
    DESCRIPTION: Str = optional("description").check(|v| ec2::check::length(v, 0, 1024));
    HAS_VALUE_WO: Bool = computed("has_value_wo").unknown_after_change_of(&["value_wo_version"]);
    INSECURE_VALUE: Str = optional_computed("insecure_value");
    KEY_ID: Str = optional_computed("key_id");
    NAME: Str = required("name").replaces().check(|v| ec2::check::length(v, 1, 2048));
    OVERWRITE: Bool = optional("overwrite").local();
    TIER: Str = optional_computed("tier").one_of(&["Standard", "Advanced", "Intelligent-Tiering"]).replaces_if(shrinks).same(same_tier);
    TYPE: Str = required("type").one_of(&["String", "StringList", "SecureString"]);
    VALUE: Str = optional_computed("value").sensitive();
    VALUE_WO: Str = optional("value_wo").sensitive().write_only().doc("A value that state does not keep");
    VALUE_WO_VERSION: Int = optional("value_wo_version").local().doc("A change of it sends `value_wo` again");
    VERSION: Int = computed("version").unknown_after_change_of(&["value", "insecure_value", "type", "description", "tier", "allowed_pattern", "key_id", "value_wo_version"]);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A value in the Parameter Store",
    example: r#"
resource "aws_ssm_parameter" "level" {
  name  = "/example/log-level"
  type  = "String"
  value = "info"
  tags  = { Team = "web" }
}

resource "aws_ssm_parameter" "password" {
  name             = "/example/password"
  type             = "SecureString"
  value_wo         = "never in state"
  value_wo_version = 1
}
"#,
    validate: |want| {
        let mut problems = ec2::exactly_one(want, &["value", "insecure_value", "value_wo"]);
        for (one, other) in [("value_wo", "value_wo_version"), ("value_wo_version", "value_wo")] {
            if want.has(one) && !want.has(other) {
                problems.push((one, format!("needs `{other}` beside it")));
            }
        }
        if want.has("insecure_value") && want.get(&TYPE).as_deref() == Some("SecureString") {
            problems
                .push(("insecure_value", "a SecureString needs `value`, not `insecure_value`".to_owned()));
        }
        problems
    },
    predict: |want| want.get(&NAME).map(|name| vec![("id", Value::from(name))]).unwrap_or_default(),
    unique: &["name"],
    ..TypeSchema::new("aws_ssm_parameter", &TABLE)
};

/// An advanced parameter cannot become a standard one.
fn shrinks(live: &Object, want: &Object) -> bool {
    live.get(&TIER).as_deref() == Some("Advanced") && want.get(&TIER).as_deref() == Some("Standard")
}

/// `Intelligent-Tiering` leaves the choice to AWS, which answers what it chose.
fn same_tier(live: &Value, desired: &Value) -> bool {
    live == desired || desired.as_str() == Some("Intelligent-Tiering")
}

const GONE: &[&str] = &["ParameterNotFound", "InvalidResourceId"];

pub struct SsmParameter;

#[async_trait(?Send)]
impl AwsType for SsmParameter {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let mut values: Vec<Parameter> = Vec::new();
        let mut details: Vec<ParameterMetadata> = Vec::new();
        // GetParameters takes 10 names; the description and pattern come from DescribeParameters only.
        for chunk in items.chunks(10) {
            let names: Vec<String> = chunk.iter().map(|i| i.id.to_owned()).collect();
            let call = aws.ssm.get_parameters().set_names(Some(names.clone())).with_decryption(true);
            values.extend(call.send().await.op("GetParameters")?.parameters.unwrap_or_default());
            let filter =
                ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names));
            let filter = filter.build().expect("the key is set");
            let mut pages = aws.ssm.describe_parameters().parameter_filters(filter).into_paginator().send();
            while let Some(page) = pages.next().await {
                details.extend(page.op("DescribeParameters")?.parameters.unwrap_or_default());
            }
        }
        let reads = items.iter().map(async |item| {
            let Some(value) = values.iter().find(|p| p.name() == Some(item.id)) else { return Ok(None) };
            let detail = details.iter().find(|d| d.name() == Some(item.id));
            let tags = tags_of(aws, item.id).await?;
            Ok(Some(object(value, detail, &tags, item)))
        });
        futures::stream::iter(reads).buffered(super::iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let name = job.want.need(&NAME);
        let tags: Vec<Tag> =
            tags::for_creation(job.want, job.token).into_iter().map(|(k, v)| tag(k, v)).collect();
        if job.want.get(&OVERWRITE) == Some(true) {
            // Tags are refused together with Overwrite.
            put(aws, job, declared(job.want), true, None).await?;
            add_tags(aws, &name, tags).await?;
        } else {
            put(aws, job, declared(job.want), false, Some(tags)).await?;
        }
        Ok(name)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changed.iter().any(|c| !["tags", "tags_all", "overwrite"].contains(&c.as_str())) {
            // Only a new version sends a write-only value again; every call needs some value.
            let keep = job.want.has(VALUE_WO.row.name) && !job.changes(&[VALUE_WO_VERSION.row.name]);
            let value = if keep { current(aws, job.id).await? } else { declared(job.want) };
            put(aws, job, value, true, None).await?;
        }
        let (set, removed) = tags::difference(job.live, job.want);
        if !set.is_empty() {
            add_tags(aws, job.id, set.into_iter().map(|(k, v)| tag(k, v)).collect()).await?;
        }
        if !removed.is_empty() {
            let call = aws.ssm.remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
            let call = call.resource_id(job.id).set_tag_keys(Some(removed));
            call.send().await.op("RemoveTagsFromResource")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.ssm.delete_parameter().name(job.id);
        absent(call.send().await.op("DeleteParameter"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = job.want.need(&NAME);
        let tags = tags_of(aws, &name).await?;
        let ours = tags.iter().any(|t| t.key() == tags::OWNERSHIP && t.value() == job.token);
        Ok(ours.then_some(name))
    }
}

fn tag(key: String, value: String) -> Tag {
    Tag::builder().key(key).value(value).build().expect("key and value are set")
}

fn declared(want: &Object) -> Option<String> {
    want.get(&VALUE).or(want.get(&INSECURE_VALUE)).or(want.get(&VALUE_WO))
}

async fn current(aws: &Aws, name: &str) -> Result<Option<String>, AwsError> {
    let answer = aws.ssm.get_parameter().name(name).with_decryption(true).send().await.op("GetParameter")?;
    Ok(answer.parameter.and_then(|p| p.value))
}

/// What is not declared stays as it is: without a word on key and tier, AWS would take its defaults.
async fn put(
    aws: &Aws,
    job: &Job<'_>,
    value: Option<String>,
    overwrite: bool,
    tags: Option<Vec<Tag>>,
) -> Result<(), AwsError> {
    let want = job.want;
    let kept = |attr: &Attr<Str>| want.get(attr).or(job.live.get(attr));
    aws.ssm
        .put_parameter()
        .name(want.need(&NAME))
        .set_value(value)
        .r#type(ParameterType::from(want.need(&TYPE).as_str()))
        .set_allowed_pattern(want.get(&ALLOWED_PATTERN))
        .set_data_type(kept(&DATA_TYPE))
        .description(want.get(&DESCRIPTION).unwrap_or_default())
        .set_key_id(kept(&KEY_ID).filter(|_| want.get(&TYPE).as_deref() == Some("SecureString")))
        .set_tier(kept(&TIER).map(|t| ParameterTier::from(t.as_str())))
        .overwrite(overwrite)
        .set_tags(tags)
        .send()
        .await
        .op("PutParameter")
        .map(drop)
}

async fn add_tags(aws: &Aws, name: &str, tags: Vec<Tag>) -> Result<(), AwsError> {
    let call = aws.ssm.add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
    call.resource_id(name).set_tags(Some(tags)).send().await.op("AddTagsToResource").map(drop)
}

async fn tags_of(aws: &Aws, name: &str) -> Result<Vec<Tag>, AwsError> {
    let call =
        aws.ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter).resource_id(name);
    let answer = absent(call.send().await.op("ListTagsForResource"), GONE)?;
    Ok(answer.and_then(|a| a.tag_list).unwrap_or_default())
}

fn object(
    value: &Parameter,
    detail: Option<&ParameterMetadata>,
    tags: &[Tag],
    item: &Existing<'_>,
) -> Object {
    let secure = value.r#type() == Some(&ParameterType::SecureString);
    let write_only = item.known.has(VALUE_WO.row.name) || item.known.get(&HAS_VALUE_WO) == Some(true);
    let text = value.value().filter(|_| !write_only);
    let filled = |s: Option<&str>| s.filter(|s| !s.is_empty()).map(str::to_owned);
    let mut o = Object::new();
    o.set(&ID, item.id)
        .set(&ALLOWED_PATTERN, filled(detail.and_then(|d| d.allowed_pattern())))
        .set(&ARN, value.arn())
        .set(&DATA_TYPE, value.data_type())
        .set(&DESCRIPTION, filled(detail.and_then(|d| d.description())))
        .set(&INSECURE_VALUE, text.filter(|_| !secure))
        .set(&HAS_VALUE_WO, write_only)
        .set(&VALUE_WO_VERSION, item.known.get(&VALUE_WO_VERSION))
        .set(&KEY_ID, filled(detail.and_then(|d| d.key_id())))
        .set(&NAME, item.id)
        .set(&OVERWRITE, item.known.get(&OVERWRITE))
        .set(&TIER, detail.and_then(|d| d.tier()).map_or("Standard", |t| t.as_str()))
        .set(&TYPE, value.r#type().map(|t| t.as_str()))
        .set(&VALUE, text)
        .set(&VERSION, value.version());
    let secret = o.value("value").cloned().map(Value::sensitive);
    o.put("value", secret);
    tags::read(&mut o, tags.iter().map(|t| (t.key(), t.value())));
    o
}
