//! `aws_appautoscaling_target`: what Application Auto Scaling may scale, and between which bounds.

use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::types::ecs::{patiently, small};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_applicationautoscaling::types::{ScalableTarget, ServiceNamespace, SuspendedState};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

mod suspended {
    use super::*;
    attributes! {
        TABLE:
        SCALING_IN: Bool = optional("dynamic_scaling_in_suspended").default_bool(false);
        SCALING_OUT: Bool = optional("dynamic_scaling_out_suspended").default_bool(false);
        SCHEDULED: Bool = optional("scheduled_scaling_suspended").default_bool(false);
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    SERVICE_NAMESPACE: Str = required("service_namespace").replaces().doc("`ecs` and others");
    RESOURCE_ID: Str = required("resource_id").replaces().doc("`service/cluster/name`");
    SCALABLE_DIMENSION: Str = required("scalable_dimension").replaces().doc("`ecs:service:DesiredCount`");
    MIN_CAPACITY: Int = required("min_capacity");
    MAX_CAPACITY: Int = required("max_capacity");
    ROLE_ARN: Str = optional_computed("role_arn");
    ARN: Str = computed("arn");
    SUSPENDED_STATE: Blocks = optional_computed("suspended_state").single(&suspended::TABLE);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Bounds between which Application Auto Scaling moves a service's desired count",
    example: r#"
resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([{
    name   = "web"
    image  = "public.ecr.aws/docker/library/busybox:1"
    memory = 64
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 0
}

resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.web.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 0
  max_capacity       = 4
}
"#,
    validate: |want| match (want.get(&MIN_CAPACITY), want.get(&MAX_CAPACITY)) {
        (Some(min), Some(max)) if min > max => {
            vec![("min_capacity", format!("is {min}, above max_capacity, which is {max}"))]
        }
        _ => Vec::new(),
    },
    predict: |want| want.value("resource_id").cloned().map(|id| ("id", id)).into_iter().collect(),
    ..TypeSchema::new("aws_appautoscaling_target", &TABLE)
};

pub struct AppautoscalingTarget;

#[async_trait(?Send)]
impl AwsType for AppautoscalingTarget {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for item in items {
            let namespace = item.known.get(&SERVICE_NAMESPACE).unwrap_or_else(|| "ecs".to_owned());
            ids.entry(namespace).or_default().insert(item.id.to_owned());
        }
        let mut found = Vec::new();
        for (namespace, ids) in ids {
            found.extend(describe(aws, &namespace, ids.into_iter().collect()).await?);
        }
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let dimension = item.known.get(&SCALABLE_DIMENSION);
            let target = found.iter().find(|t| {
                t.resource_id() == item.id
                    && dimension.as_deref().is_none_or(|d| d == t.scalable_dimension().as_str())
            });
            objects.push(match target {
                Some(target) => Some(object(aws, target).await?),
                None => None,
            });
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let call = register(aws, job.want).set_tags(Some(creation_tags(job)));
        patiently(aws, "RegisterScalableTarget", PROPAGATION, job.progress, not_yet, async || {
            call.clone().send().await.op("RegisterScalableTarget")
        })
        .await?;
        Ok(job.want.need(&RESOURCE_ID))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["min_capacity", "max_capacity", "role_arn", "suspended_state"]) {
            let call = register(aws, job.want);
            patiently(aws, "RegisterScalableTarget", PROPAGATION, job.progress, not_yet, async || {
                call.clone().send().await.op("RegisterScalableTarget")
            })
            .await?;
        }
        let Some(arn) = job.live.get(&ARN) else { return Ok(()) };
        let (set, removed) = tags::difference(job.live, job.want);
        if !set.is_empty() {
            let tags = set.into_iter().collect();
            aws.appautoscaling
                .tag_resource()
                .resource_arn(&arn)
                .set_tags(Some(tags))
                .send()
                .await
                .op("TagResource")?;
        }
        if !removed.is_empty() {
            let call = aws.appautoscaling.untag_resource().resource_arn(&arn).set_tag_keys(Some(removed));
            call.send().await.op("UntagResource")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let result = aws
            .appautoscaling
            .deregister_scalable_target()
            .service_namespace(job.want.need(&SERVICE_NAMESPACE).as_str().into())
            .resource_id(job.id)
            .scalable_dimension(job.want.need(&SCALABLE_DIMENSION).as_str().into())
            .send()
            .await
            .op("DeregisterScalableTarget");
        absent(result, &["ObjectNotFoundException"]).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        // Registering again is the same as updating, so the natural key is enough.
        let id = job.want.need(&RESOURCE_ID);
        let dimension = job.want.need(&SCALABLE_DIMENSION);
        let found = describe(aws, &job.want.need(&SERVICE_NAMESPACE), vec![id.clone()]).await?;
        Ok(found.iter().any(|t| t.scalable_dimension().as_str() == dimension).then_some(id))
    }

    /// `ecs/service/main/web/ecs:service:DesiredCount`: namespace, resource, dimension.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        match (id.split_once('/'), id.rsplit_once('/')) {
            (Some((namespace, _)), Some((front, dimension))) if front.len() > namespace.len() => {
                let resource = &front[namespace.len() + 1..];
                known
                    .set(&ID, resource)
                    .set(&RESOURCE_ID, resource)
                    .set(&SERVICE_NAMESPACE, namespace)
                    .set(&SCALABLE_DIMENSION, dimension);
            }
            _ => {
                known.set(&ID, id);
            }
        }
        known
    }
}

const PROPAGATION: Duration = Duration::from_secs(120);

/// A new role or service that Application Auto Scaling does not see yet.
fn not_yet(e: &AwsError) -> bool {
    e.is(&["ConcurrentUpdateException"])
        || (e.is(&["ValidationException"])
            && (e.message.contains("Unable to assume IAM role")
                || e.message.contains("service doesn't exist")))
}

fn register(
    aws: &Aws,
    want: &Object,
) -> aws_sdk_applicationautoscaling::operation::register_scalable_target::builders::RegisterScalableTargetFluentBuilder
{
    let suspended = want.block(&SUSPENDED_STATE).map(|b| {
        SuspendedState::builder()
            .set_dynamic_scaling_in_suspended(b.get(&suspended::SCALING_IN))
            .set_dynamic_scaling_out_suspended(b.get(&suspended::SCALING_OUT))
            .set_scheduled_scaling_suspended(b.get(&suspended::SCHEDULED))
            .build()
    });
    aws.appautoscaling
        .register_scalable_target()
        .service_namespace(want.need(&SERVICE_NAMESPACE).as_str().into())
        .resource_id(want.need(&RESOURCE_ID))
        .scalable_dimension(want.need(&SCALABLE_DIMENSION).as_str().into())
        .set_min_capacity(small(want.get(&MIN_CAPACITY)))
        .set_max_capacity(small(want.get(&MAX_CAPACITY)))
        .set_role_arn(want.get(&ROLE_ARN))
        .set_suspended_state(suspended)
}

fn creation_tags(job: &Job<'_>) -> std::collections::HashMap<String, String> {
    tags::for_creation(job.want, job.token).into_iter().collect()
}

/// Scalable targets by resource id, at most 50 a call; ids without a target are left out.
pub async fn describe(aws: &Aws, namespace: &str, ids: Vec<String>) -> Result<Vec<ScalableTarget>, AwsError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(50) {
        let page: Vec<ScalableTarget> = aws
            .appautoscaling
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::from(namespace))
            .set_resource_ids(Some(chunk.to_vec()))
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .op("DescribeScalableTargets")?;
        found.extend(page);
    }
    Ok(found)
}

async fn object(aws: &Aws, t: &ScalableTarget) -> Result<Object, AwsError> {
    let suspended = t.suspended_state().map(|s| {
        let mut b = Object::new();
        b.set(&suspended::SCALING_IN, s.dynamic_scaling_in_suspended().unwrap_or(false))
            .set(&suspended::SCALING_OUT, s.dynamic_scaling_out_suspended().unwrap_or(false))
            .set(&suspended::SCHEDULED, s.scheduled_scaling_suspended().unwrap_or(false));
        b
    });
    let mut o = Object::new();
    o.set(&ID, t.resource_id())
        .set(&SERVICE_NAMESPACE, t.service_namespace().as_str())
        .set(&RESOURCE_ID, t.resource_id())
        .set(&SCALABLE_DIMENSION, t.scalable_dimension().as_str())
        .set(&MIN_CAPACITY, t.min_capacity())
        .set(&MAX_CAPACITY, t.max_capacity())
        .set(&ROLE_ARN, t.role_arn())
        .set(&ARN, t.scalable_target_arn())
        .set_blocks(&SUSPENDED_STATE, suspended.into_iter().collect());
    if let Some(arn) = t.scalable_target_arn() {
        // AWS has no list form of this.
        let call = aws.appautoscaling.list_tags_for_resource().resource_arn(arn).send().await;
        let answer = absent(call.op("ListTagsForResource"), &["ResourceNotFoundException"])?;
        let tags = answer.and_then(|a| a.tags).unwrap_or_default();
        tags::read(&mut o, tags);
    }
    Ok(o.complete(&TABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_id_is_namespace_resource_and_dimension() {
        let known = AppautoscalingTarget.import("ecs/service/main/web/ecs:service:DesiredCount");
        assert_eq!(known.id(), "service/main/web");
        assert_eq!(known.need(&SERVICE_NAMESPACE), "ecs");
        assert_eq!(known.need(&SCALABLE_DIMENSION), "ecs:service:DesiredCount");
    }
}
