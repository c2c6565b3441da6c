//! `aws_iam_role_policy`: a policy written into a role.

use super::iam;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use futures::stream::{StreamExt, TryStreamExt};

attributes! {
    TABLE:
    NAME: Str = optional_computed("name").replaces().check(|v| iam::check_name(v, 128)).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().local().check(|v| iam::check_name(v, 102)).conflicts_with(&["name"]);
    POLICY: Json = required("policy").check(iam::check_json).same(iam::same_policy).doc("The policy document");
    ROLE: Str = required("role").replaces().check(|v| iam::check_name(v, 128));
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A policy written into a role",
    example: r#"
resource "aws_iam_role" "task" {
  name = "example-inline"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ecs-tasks.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy" "queue" {
  name = "queue"
  role = aws_iam_role.task.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sqs:SendMessage", Resource = "*" }]
  })
}
"#,
    predict: |want| match (want.get(&ROLE), want.get(&NAME)) {
        (Some(role), Some(name)) => vec![("id", Value::from(format!("{role}:{name}")))],
        _ => Vec::new(),
    },
    ..TypeSchema::new("aws_iam_role_policy", &TABLE)
};

const GONE: &[&str] = &["NoSuchEntity"];

pub struct IamRolePolicy;

#[async_trait(?Send)]
impl AwsType for IamRolePolicy {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(async |item| {
            let (role, name) = parts(item.id);
            let call = aws.iam.get_role_policy().role_name(role).policy_name(name);
            let answer = absent(call.send().await.op("GetRolePolicy"), GONE)?;
            Ok(answer.map(|a| {
                let mut o = Object::new();
                o.set(&ID, item.id)
                    .set(&ROLE, role)
                    .set(&NAME, name)
                    .set(&NAME_PREFIX, item.known.get(&NAME_PREFIX))
                    .set(&POLICY, iam::decoded(Some(a.policy_document())));
                o
            }))
        });
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let (role, name) = (job.want.need(&ROLE), iam::name(job, &NAME, &NAME_PREFIX));
        put(aws, job, &role, &name).await?;
        Ok(format!("{role}:{name}"))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let (role, name) = parts(job.id);
        put(aws, job, role, name).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let (role, name) = parts(job.id);
        let call = aws.iam.delete_role_policy().role_name(role).policy_name(name);
        absent(call.send().await.op("DeleteRolePolicy"), GONE).map(drop)
    }

    /// Putting is idempotent: a policy of this name on this role is the one.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let id = format!("{}:{}", job.want.all(&ROLE), iam::name(job, &NAME, &NAME_PREFIX));
        let found = self.read(aws, &[Existing { id: &id, known: job.want }]).await?;
        Ok(found.into_iter().flatten().next().map(|_| id))
    }
}

/// `role:name`
fn parts(id: &str) -> (&str, &str) {
    id.split_once(':').unwrap_or((id, ""))
}

async fn put(aws: &Aws, job: &Job<'_>, role: &str, name: &str) -> Result<(), AwsError> {
    iam::patiently(aws, job, &["NoSuchEntity", "ConcurrentModification"], async || {
        let call = aws
            .iam
            .put_role_policy()
            .role_name(role)
            .policy_name(name)
            .policy_document(job.want.need(&POLICY));
        call.send().await.op("PutRolePolicy").map(drop)
    })
    .await
}
