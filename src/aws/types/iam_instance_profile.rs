//! `aws_iam_instance_profile`: how an instance gets its role.

use super::iam;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    CREATE_DATE: Str = computed("create_date");
    NAME: Str = optional_computed("name").replaces().check(|v| iam::check_name(v, 128)).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().local().check(|v| iam::check_name(v, 102)).conflicts_with(&["name"]);
    PATH: Str = optional("path").default_str("/").replaces();
    ROLE: Str = optional("role");
    UNIQUE_ID: Str = computed("unique_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "How an instance gets its role",
    example: r#"
resource "aws_iam_role" "host" {
  name = "example-profile"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "host" {
  name = "example-profile"
  role = aws_iam_role.host.name
  tags = { Team = "web" }
}
"#,
    predict: |want| match want.get(&NAME) {
        Some(name) => vec![("id", Value::from(name))],
        None => Vec::new(),
    },
    unique: &["name"],
    ..TypeSchema::new("aws_iam_instance_profile", &TABLE)
};

const GONE: &[&str] = &["NoSuchEntity"];

pub struct IamInstanceProfile;

#[async_trait(?Send)]
impl AwsType for IamInstanceProfile {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(|item| read_one(aws, item));
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        aws.iam
            .create_instance_profile()
            .instance_profile_name(&name)
            .set_path(job.want.get(&PATH))
            .set_tags(iam::creation_tags(job))
            .send()
            .await
            .op("CreateInstanceProfile")?;
        if let Some(role) = job.want.get(&ROLE) {
            add_role(aws, job, &name, &role).await?;
        }
        Ok(name)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["role"]) {
            if let Some(old) = job.live.get(&ROLE) {
                remove_role(aws, job.id, &old).await?;
            }
            if let Some(new) = job.want.get(&ROLE) {
                add_role(aws, job, job.id, &new).await?;
            }
        }
        let (set, removed) = tags::difference(job.live, job.want);
        if !set.is_empty() {
            let tags = set.into_iter().map(|(k, v)| iam::tag(k, v)).collect();
            let call = aws.iam.tag_instance_profile().instance_profile_name(job.id).set_tags(Some(tags));
            call.send().await.op("TagInstanceProfile")?;
        }
        if !removed.is_empty() {
            let call =
                aws.iam.untag_instance_profile().instance_profile_name(job.id).set_tag_keys(Some(removed));
            call.send().await.op("UntagInstanceProfile")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // What is live says which role is in it, whatever was declared.
        if let Some(role) =
            read_one(aws, &Existing { id: job.id, known: job.want }).await?.and_then(|o| o.get(&ROLE))
        {
            remove_role(aws, job.id, &role).await?;
        }
        let call = aws.iam.delete_instance_profile().instance_profile_name(job.id);
        absent(call.send().await.op("DeleteInstanceProfile"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        let call = aws.iam.get_instance_profile().instance_profile_name(&name);
        let found =
            absent(call.send().await.op("GetInstanceProfile"), GONE)?.and_then(|a| a.instance_profile);
        Ok(found.is_some_and(|p| iam::is_ours(p.tags(), job.token)).then_some(name))
    }
}

async fn read_one(aws: &Aws, item: &Existing<'_>) -> Result<Option<Object>, AwsError> {
    let call = aws.iam.get_instance_profile().instance_profile_name(item.id);
    let answer = absent(call.send().await.op("GetInstanceProfile"), GONE)?;
    let Some(profile) = answer.and_then(|a| a.instance_profile) else { return Ok(None) };
    let mut o = Object::new();
    o.set(&ID, profile.instance_profile_name())
        .set(&ARN, profile.arn())
        .set(&CREATE_DATE, profile.create_date().to_string())
        .set(&NAME, profile.instance_profile_name())
        .set(&NAME_PREFIX, item.known.get(&NAME_PREFIX))
        .set(&PATH, profile.path())
        .set(&ROLE, profile.roles().first().map(|r| r.role_name()))
        .set(&UNIQUE_ID, profile.instance_profile_id());
    tags::read(&mut o, iam::pairs(profile.tags()));
    Ok(Some(o))
}

async fn add_role(aws: &Aws, job: &Job<'_>, profile: &str, role: &str) -> Result<(), AwsError> {
    iam::patiently(aws, job, &["NoSuchEntity"], async || {
        let call = aws.iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(role);
        call.send().await.op("AddRoleToInstanceProfile").map(drop)
    })
    .await
}

async fn remove_role(aws: &Aws, profile: &str, role: &str) -> Result<(), AwsError> {
    let call = aws.iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
    absent(call.send().await.op("RemoveRoleFromInstanceProfile"), GONE).map(drop)
}
