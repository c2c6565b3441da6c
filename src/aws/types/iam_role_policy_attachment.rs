//! `aws_iam_role_policy_attachment`: a managed policy on a role.

use super::iam;
use crate::aws::arn;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};

attributes! {
    TABLE:
    POLICY_ARN: Str = required("policy_arn").replaces().check(arn::check);
    ROLE: Str = required("role").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A managed policy on a role",
    example: r#"
resource "aws_iam_role" "host" {
  name = "example-host"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "ssm" {
  role       = aws_iam_role.host.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}
"#,
    ..TypeSchema::new("aws_iam_role_policy_attachment", &TABLE)
};

const GONE: &[&str] = &["NoSuchEntity"];

pub struct IamRolePolicyAttachment;

#[async_trait(?Send)]
impl AwsType for IamRolePolicyAttachment {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// One list a role, however many attachments it has.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let roles: BTreeSet<String> = items.iter().map(|i| i.known.all(&ROLE)).collect();
        let lists = roles.into_iter().map(async |role| {
            let pages =
                aws.iam.list_attached_role_policies().role_name(&role).into_paginator().items().send();
            let found = absent(pages.try_collect().await.op("ListAttachedRolePolicies"), GONE)?;
            let arns: BTreeSet<String> =
                found.unwrap_or_default().iter().filter_map(|p| p.policy_arn().map(str::to_owned)).collect();
            Ok::<_, AwsError>((role, arns))
        });
        let attached: BTreeMap<_, _> = futures::future::try_join_all(lists).await?.into_iter().collect();
        let read = |item: &Existing<'_>| {
            let (role, arn) = (item.known.all(&ROLE), item.known.all(&POLICY_ARN));
            attached.get(&role)?.contains(&arn).then(|| {
                let mut o = Object::new();
                o.set(&ID, item.id).set(&ROLE, role).set(&POLICY_ARN, arn);
                o
            })
        };
        Ok(items.iter().map(read).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let (role, arn) = (job.want.need(&ROLE), job.want.need(&POLICY_ARN));
        iam::patiently(aws, job, &["NoSuchEntity", "ConcurrentModification"], async || {
            aws.iam.attach_role_policy().role_name(&role).policy_arn(&arn).send().await.op("AttachRolePolicy")
        })
        .await?;
        Ok(format!("{role}-{arn}"))
    }

    async fn update(&self, _aws: &Aws, _job: &Job<'_>) -> Result<(), AwsError> {
        // Both attributes replace.
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call =
            aws.iam.detach_role_policy().role_name(job.want.all(&ROLE)).policy_arn(job.want.all(&POLICY_ARN));
        absent(call.send().await.op("DetachRolePolicy"), GONE).map(drop)
    }

    /// Attaching is idempotent: whoever attached it, it is as wanted.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let id = format!("{}-{}", job.want.all(&ROLE), job.want.all(&POLICY_ARN));
        let found = self.read(aws, &[Existing { id: &id, known: job.want }]).await?;
        Ok(found.into_iter().flatten().next().map(|_| id))
    }

    /// `role/policy-arn`
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        if let Some((role, arn)) = id.split_once('/') {
            known.set(&ID, format!("{role}-{arn}")).set(&ROLE, role).set(&POLICY_ARN, arn);
        }
        known
    }
}
