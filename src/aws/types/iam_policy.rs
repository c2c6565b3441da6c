//! `aws_iam_policy`: a managed policy, with its versions.

use super::iam;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_iam::types::{Policy as Live, PolicyScopeType, PolicyVersion};
use futures::stream::{StreamExt, TryStreamExt};

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    ATTACHMENT_COUNT: Int = computed("attachment_count");
    DESCRIPTION: Str = optional("description").replaces();
    NAME: Str = optional_computed("name").replaces().check(|v| iam::check_name(v, 128)).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().local().check(|v| iam::check_name(v, 102)).conflicts_with(&["name"]);
    PATH: Str = optional("path").default_str("/").replaces();
    POLICY: Json = required("policy").check(iam::check_json).same(iam::same_policy).doc("The policy document");
    POLICY_ID: Str = computed("policy_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A managed policy",
    example: r#"
resource "aws_iam_policy" "read" {
  name        = "example-read"
  description = "Reads the example bucket"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::example/*" }]
  })
  tags = { Team = "web" }
}
"#,
    unique: &["name", "path"],
    ..TypeSchema::new("aws_iam_policy", &TABLE)
};

const GONE: &[&str] = &["NoSuchEntity"];
/// AWS keeps at most this many versions of a policy.
const MOST_VERSIONS: usize = 5;

pub struct IamPolicy;

#[async_trait(?Send)]
impl AwsType for IamPolicy {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(|item| read_one(aws, item));
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let made = aws
            .iam
            .create_policy()
            .policy_name(iam::name(job, &NAME, &NAME_PREFIX))
            .policy_document(job.want.need(&POLICY))
            .set_description(job.want.get(&DESCRIPTION))
            .set_path(job.want.get(&PATH))
            .set_tags(iam::creation_tags(job))
            .send()
            .await
            .op("CreatePolicy")?;
        let arn = made.policy().and_then(Live::arn).unwrap_or_default().to_owned();
        iam::patiently(aws, job, GONE, async || {
            aws.iam.get_policy().policy_arn(&arn).send().await.op("GetPolicy")
        })
        .await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["policy"]) {
            make_room(aws, job.id).await?;
            aws.iam
                .create_policy_version()
                .policy_arn(job.id)
                .policy_document(job.want.need(&POLICY))
                .set_as_default(true)
                .send()
                .await
                .op("CreatePolicyVersion")?;
        }
        let (set, removed) = tags::difference(job.live, job.want);
        if !set.is_empty() {
            let tags = set.into_iter().map(|(k, v)| iam::tag(k, v)).collect();
            aws.iam.tag_policy().policy_arn(job.id).set_tags(Some(tags)).send().await.op("TagPolicy")?;
        }
        if !removed.is_empty() {
            let call = aws.iam.untag_policy().policy_arn(job.id).set_tag_keys(Some(removed));
            call.send().await.op("UntagPolicy")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let Some(versions) = absent(versions(aws, job.id).await, GONE)? else { return Ok(()) };
        for version in versions.iter().filter(|v| !v.is_default_version()) {
            delete_version(aws, job.id, version).await?;
        }
        let result = iam::patiently(aws, job, &["DeleteConflict"], async || {
            aws.iam.delete_policy().policy_arn(job.id).send().await.op("DeletePolicy")
        })
        .await;
        absent(result, GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        let pages = aws.iam.list_policies().scope(PolicyScopeType::Local).into_paginator().items().send();
        let all: Vec<Live> = pages.try_collect().await.op("ListPolicies")?;
        let Some(arn) = all.iter().find(|p| p.policy_name() == Some(&name)).and_then(Live::arn) else {
            return Ok(None);
        };
        let answer = absent(aws.iam.get_policy().policy_arn(arn).send().await.op("GetPolicy"), GONE)?;
        let ours = answer.and_then(|a| a.policy).is_some_and(|p| iam::is_ours(p.tags(), job.token));
        Ok(ours.then(|| arn.to_owned()))
    }
}

async fn read_one(aws: &Aws, item: &Existing<'_>) -> Result<Option<Object>, AwsError> {
    let answer = aws.iam.get_policy().policy_arn(item.id).send().await.op("GetPolicy");
    let Some(policy) = absent(answer, GONE)?.and_then(|a| a.policy) else { return Ok(None) };
    let version = policy.default_version_id().unwrap_or("v1");
    let call = aws.iam.get_policy_version().policy_arn(item.id).version_id(version);
    let Some(version) = absent(call.send().await.op("GetPolicyVersion"), GONE)? else { return Ok(None) };
    let document = version.policy_version().and_then(PolicyVersion::document);
    let mut o = Object::new();
    o.set(&ID, item.id)
        .set(&ARN, policy.arn())
        .set(&ATTACHMENT_COUNT, policy.attachment_count())
        .set(&DESCRIPTION, policy.description().filter(|d| !d.is_empty()))
        .set(&NAME, policy.policy_name())
        .set(&NAME_PREFIX, item.known.get(&NAME_PREFIX))
        .set(&PATH, policy.path())
        .set(&POLICY, iam::decoded(document))
        .set(&POLICY_ID, policy.policy_id());
    tags::read(&mut o, iam::pairs(policy.tags()));
    Ok(Some(o))
}

async fn versions(aws: &Aws, arn: &str) -> Result<Vec<PolicyVersion>, AwsError> {
    let pages = aws.iam.list_policy_versions().policy_arn(arn).into_paginator().items().send();
    pages.try_collect().await.op("ListPolicyVersions")
}

async fn delete_version(aws: &Aws, arn: &str, version: &PolicyVersion) -> Result<(), AwsError> {
    let id = version.version_id().unwrap_or_default();
    let call = aws.iam.delete_policy_version().policy_arn(arn).version_id(id);
    absent(call.send().await.op("DeletePolicyVersion"), GONE).map(drop)
}

/// Deletes the oldest version if a new one would be one too many.
async fn make_room(aws: &Aws, arn: &str) -> Result<(), AwsError> {
    let versions = versions(aws, arn).await?;
    if versions.len() < MOST_VERSIONS {
        return Ok(());
    }
    let old = versions.iter().filter(|v| !v.is_default_version()).min_by_key(|v| v.create_date().copied());
    match old {
        Some(version) => delete_version(aws, arn, version).await,
        None => Ok(()),
    }
}
