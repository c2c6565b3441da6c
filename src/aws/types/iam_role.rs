//! `aws_iam_role`: what a service or a person may become.

use super::{ec2, iam};
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_iam::types::Role as Live;
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};

mod inline {
    use super::iam;
    use crate::schema::attributes;
    attributes! {
        TABLE:
        NAME: Str = optional("name").check(|v| iam::check_name(v, 128));
        POLICY: Json = optional("policy").check(iam::check_json).same(iam::same_policy);
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    ASSUME_ROLE_POLICY: Json = required("assume_role_policy").check(iam::check_json).same(iam::same_policy).doc("Who may become this role");
    CREATE_DATE: Str = computed("create_date");
    DESCRIPTION: Str = optional("description").check(|v| ec2::check::length(v, 0, 1000));
    FORCE_DETACH: Bool = optional("force_detach_policies").default_bool(false).local();
    INLINE_POLICY: Blocks = optional_computed("inline_policy").set(&inline::TABLE).same(same_inline).deprecated("use aws_iam_role_policy");
    MANAGED_POLICY_ARNS: StrSet = optional_computed("managed_policy_arns").check(arn::check_all).deprecated("use aws_iam_role_policy_attachment");
    MAX_SESSION: Int = optional("max_session_duration").default_int(3600).range(3600, 43200);
    NAME: Str = optional_computed("name").replaces().check(|v| iam::check_name(v, 64)).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().local().check(|v| iam::check_name(v, 38)).conflicts_with(&["name"]);
    PATH: Str = optional("path").default_str("/").replaces().check(|v| ec2::check::length(v, 0, 512));
    BOUNDARY: Str = optional("permissions_boundary").check(arn::check);
    UNIQUE_ID: Str = computed("unique_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "What a service or a person may become",
    example: r#"
resource "aws_iam_role" "task" {
  name = "example-task"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
  tags = { Team = "web" }
}
"#,
    predict: |want| match want.get(&NAME) {
        Some(name) => vec![("id", Value::from(name))],
        None => Vec::new(),
    },
    unique: &["name"],
    ..TypeSchema::new("aws_iam_role", &TABLE)
};

/// An empty block declares that there are none.
fn same_inline(live: &Value, desired: &Value) -> bool {
    let policies = |v: &Value| -> BTreeMap<String, Value> {
        let blocks = v.as_slice().unwrap_or_default().iter().filter_map(Value::as_map);
        let pair = |b: &crate::value::Map| {
            let text = |name: &str| b.get(name).filter(|v| v.as_str().is_some_and(|s| !s.is_empty()));
            Some((text("name")?.as_str()?.to_owned(), text("policy")?.clone()))
        };
        blocks.filter_map(pair).collect()
    };
    let (live, wanted) = (policies(live), policies(desired));
    desired.is_wholly_known()
        && live.len() == wanted.len()
        && wanted.iter().all(|(name, policy)| live.get(name).is_some_and(|l| iam::same_policy(l, policy)))
}

const GONE: &[&str] = &["NoSuchEntity"];

pub struct IamRole;

#[async_trait(?Send)]
impl AwsType for IamRole {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(|item| read_one(aws, item));
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        // A principal that was just made is not known everywhere yet.
        iam::patiently(aws, job, &["MalformedPolicyDocument", "ConcurrentModification"], async || {
            aws.iam
                .create_role()
                .role_name(&name)
                .assume_role_policy_document(want.need(&ASSUME_ROLE_POLICY))
                .set_description(want.get(&DESCRIPTION))
                .set_max_session_duration(want.get(&MAX_SESSION).map(|n| n as i32))
                .set_path(want.get(&PATH))
                .set_permissions_boundary(want.get(&BOUNDARY))
                .set_tags(iam::creation_tags(job))
                .send()
                .await
                .op("CreateRole")
        })
        .await?;
        set_inline(aws, &name, &Object::new(), want).await?;
        set_managed(aws, &name, &Object::new(), want).await?;
        Ok(name)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let want = job.want;
        if job.changes(&["assume_role_policy"]) {
            iam::patiently(aws, job, &["MalformedPolicyDocument"], async || {
                let document = want.need(&ASSUME_ROLE_POLICY);
                let call = aws.iam.update_assume_role_policy().role_name(job.id).policy_document(document);
                call.send().await.op("UpdateAssumeRolePolicy")
            })
            .await?;
        }
        if job.changes(&["description", "max_session_duration"]) {
            aws.iam
                .update_role()
                .role_name(job.id)
                .description(want.get(&DESCRIPTION).unwrap_or_default())
                .set_max_session_duration(want.get(&MAX_SESSION).map(|n| n as i32))
                .send()
                .await
                .op("UpdateRole")?;
        }
        if job.changes(&["permissions_boundary"]) {
            match want.get(&BOUNDARY) {
                Some(arn) => {
                    let call =
                        aws.iam.put_role_permissions_boundary().role_name(job.id).permissions_boundary(arn);
                    call.send().await.op("PutRolePermissionsBoundary").map(drop)?;
                }
                None => {
                    let call = aws.iam.delete_role_permissions_boundary().role_name(job.id);
                    call.send().await.op("DeleteRolePermissionsBoundary").map(drop)?;
                }
            }
        }
        if job.changes(&["inline_policy"]) {
            set_inline(aws, job.id, job.live, want).await?;
        }
        if job.changes(&["managed_policy_arns"]) {
            set_managed(aws, job.id, job.live, want).await?;
        }
        update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let force = job.want.get(&FORCE_DETACH) == Some(true);
        if force || job.want.has("inline_policy") || job.want.has("managed_policy_arns") {
            let nothing = Object::new();
            let Some(live) = read_one(aws, &Existing { id: job.id, known: &nothing }).await? else {
                return Ok(());
            };
            let mut none = Object::new();
            none.set_blocks(&INLINE_POLICY, Vec::new()).set(&MANAGED_POLICY_ARNS, Vec::<String>::new());
            set_inline(aws, job.id, &live, &none).await?;
            set_managed(aws, job.id, &live, &none).await?;
        }
        // Detaching is not known everywhere at once.
        let result = iam::patiently(aws, job, &["DeleteConflict"], async || {
            aws.iam.delete_role().role_name(job.id).send().await.op("DeleteRole")
        })
        .await;
        absent(result, GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = iam::name(job, &NAME, &NAME_PREFIX);
        let found = absent(aws.iam.get_role().role_name(&name).send().await.op("GetRole"), GONE)?;
        let ours = found.and_then(|f| f.role).is_some_and(|r| iam::is_ours(r.tags(), job.token));
        Ok(ours.then_some(name))
    }
}

async fn read_one(aws: &Aws, item: &Existing<'_>) -> Result<Option<Object>, AwsError> {
    let answer = aws.iam.get_role().role_name(item.id).send().await.op("GetRole");
    let Some(role) = absent(answer, GONE)?.and_then(|a| a.role) else { return Ok(None) };
    let (inline, managed) =
        futures::try_join!(inline_policies(aws, item.id), managed_policies(aws, item.id))?;
    let mut o = object(&role);
    o.set_blocks(&INLINE_POLICY, inline).set(&MANAGED_POLICY_ARNS, managed);
    o.set(&FORCE_DETACH, item.known.get(&FORCE_DETACH)).set(&NAME_PREFIX, item.known.get(&NAME_PREFIX));
    Ok(Some(o))
}

fn object(role: &Live) -> Object {
    let mut o = Object::new();
    o.set(&ID, role.role_name())
        .set(&ARN, role.arn())
        .set(&ASSUME_ROLE_POLICY, iam::decoded(role.assume_role_policy_document()))
        .set(&CREATE_DATE, role.create_date().to_string())
        .set(&DESCRIPTION, role.description().filter(|d| !d.is_empty()))
        .set(&MAX_SESSION, role.max_session_duration())
        .set(&NAME, role.role_name())
        .set(&PATH, role.path())
        .set(&BOUNDARY, role.permissions_boundary().and_then(|b| b.permissions_boundary_arn()))
        .set(&UNIQUE_ID, role.role_id());
    tags::read(&mut o, iam::pairs(role.tags()));
    o
}

async fn inline_policies(aws: &Aws, role: &str) -> Result<Vec<Object>, AwsError> {
    let names =
        aws.iam.list_role_policies().role_name(role).into_paginator().items().send().try_collect().await;
    let names: Vec<String> = absent(names.op("ListRolePolicies"), GONE)?.unwrap_or_default();
    let reads = names.into_iter().map(async |name| {
        let call = aws.iam.get_role_policy().role_name(role).policy_name(&name);
        let answer = absent(call.send().await.op("GetRolePolicy"), GONE)?;
        Ok(answer.map(|a| {
            let mut o = Object::new();
            o.set(&inline::NAME, name).set(&inline::POLICY, iam::decoded(Some(a.policy_document())));
            o
        }))
    });
    let found: Vec<Option<Object>> = futures::future::try_join_all(reads).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn managed_policies(aws: &Aws, role: &str) -> Result<Vec<String>, AwsError> {
    let pages = aws.iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let found = absent(pages.try_collect().await.op("ListAttachedRolePolicies"), GONE)?.unwrap_or_default();
    Ok(found.iter().filter_map(|p| p.policy_arn().map(str::to_owned)).collect())
}

async fn set_inline(aws: &Aws, role: &str, live: &Object, want: &Object) -> Result<(), AwsError> {
    if !want.has("inline_policy") && !live.has("inline_policy") {
        return Ok(());
    }
    let wanted = want.all(&INLINE_POLICY);
    for policy in &wanted {
        let (Some(name), Some(document)) = (policy.get(&inline::NAME), policy.get(&inline::POLICY)) else {
            continue;
        };
        let call = aws.iam.put_role_policy().role_name(role).policy_name(name).policy_document(document);
        call.send().await.op("PutRolePolicy")?;
    }
    let kept: BTreeSet<String> = wanted.iter().filter_map(|p| p.get(&inline::NAME)).collect();
    for policy in live.all(&INLINE_POLICY) {
        let name = policy.get(&inline::NAME).unwrap_or_default();
        if !kept.contains(&name) {
            let call = aws.iam.delete_role_policy().role_name(role).policy_name(name);
            absent(call.send().await.op("DeleteRolePolicy"), GONE)?;
        }
    }
    Ok(())
}

async fn set_managed(aws: &Aws, role: &str, live: &Object, want: &Object) -> Result<(), AwsError> {
    let wanted: BTreeSet<String> = want.all(&MANAGED_POLICY_ARNS).into_iter().collect();
    let have: BTreeSet<String> = live.all(&MANAGED_POLICY_ARNS).into_iter().collect();
    for arn in wanted.difference(&have) {
        let call = aws.iam.attach_role_policy().role_name(role).policy_arn(arn);
        call.send().await.op("AttachRolePolicy")?;
    }
    for arn in have.difference(&wanted) {
        let call = aws.iam.detach_role_policy().role_name(role).policy_arn(arn);
        absent(call.send().await.op("DetachRolePolicy"), GONE)?;
    }
    Ok(())
}

async fn update_tags(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (set, removed) = tags::difference(job.live, job.want);
    if !set.is_empty() {
        let tags = set.into_iter().map(|(k, v)| iam::tag(k, v)).collect();
        aws.iam.tag_role().role_name(job.id).set_tags(Some(tags)).send().await.op("TagRole")?;
    }
    if !removed.is_empty() {
        aws.iam.untag_role().role_name(job.id).set_tag_keys(Some(removed)).send().await.op("UntagRole")?;
    }
    Ok(())
}
