//! `aws_appautoscaling_policy`: how a scalable target is scaled, by target tracking or in steps.

use crate::aws::types::ecs::{built, patiently, small};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{Blocks, ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_applicationautoscaling::types as sdk;
use aws_sdk_applicationautoscaling::types::ScalingPolicy;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

attributes! {
    DIMENSION:
    DIMENSION_NAME: Str = required("name");
    DIMENSION_VALUE: Str = required("value");
}

mod metric {
    use super::*;
    attributes! {
        TABLE:
        METRIC_NAME: Str = required("metric_name");
        NAMESPACE: Str = required("namespace");
        DIMENSIONS: Blocks = optional("dimensions").set(&DIMENSION);
    }
    attributes! {
        STAT_TABLE:
        STAT: Str = required("stat");
        UNIT: Str = optional("unit");
        METRIC: Blocks = required("metric").single(&TABLE).min_items(1);
    }
    attributes! {
        QUERY_TABLE:
        QUERY_ID: Str = required("id");
        EXPRESSION: Str = optional("expression");
        LABEL: Str = optional("label");
        RETURN_DATA: Bool = optional("return_data").default_bool(true);
        METRIC_STAT: Blocks = optional("metric_stat").single(&STAT_TABLE);
    }
}

mod customized {
    use super::*;
    attributes! {
        TABLE:
        METRIC_NAME: Str = optional("metric_name");
        NAMESPACE: Str = optional("namespace");
        STATISTIC: Str = optional("statistic")
            .one_of(&["Average", "Minimum", "Maximum", "SampleCount", "Sum"]);
        UNIT: Str = optional("unit");
        DIMENSIONS: Blocks = optional("dimensions").set(&DIMENSION);
        METRICS: Blocks = optional("metrics").set(&metric::QUERY_TABLE);
    }
}

mod tracking {
    use super::*;
    attributes! {
        PREDEFINED_TABLE:
        METRIC_TYPE: Str = required("predefined_metric_type").doc("`ECSServiceAverageCPUUtilization` and others");
        RESOURCE_LABEL: Str = optional("resource_label");
    }
    attributes! {
        TABLE:
        TARGET_VALUE: Float = required("target_value");
        DISABLE_SCALE_IN: Bool = optional("disable_scale_in").default_bool(false);
        SCALE_IN_COOLDOWN: Int = optional_computed("scale_in_cooldown");
        SCALE_OUT_COOLDOWN: Int = optional_computed("scale_out_cooldown");
        PREDEFINED: Blocks = optional("predefined_metric_specification").single(&PREDEFINED_TABLE);
        CUSTOMIZED: Blocks = optional("customized_metric_specification").single(&customized::TABLE);
    }
}

mod step {
    use super::*;
    attributes! {
        ADJUSTMENT_TABLE:
        LOWER_BOUND: Str = optional("metric_interval_lower_bound");
        UPPER_BOUND: Str = optional("metric_interval_upper_bound");
        SCALING_ADJUSTMENT: Int = required("scaling_adjustment");
    }
    attributes! {
        TABLE:
        ADJUSTMENT_TYPE: Str = optional("adjustment_type");
        COOLDOWN: Int = optional_computed("cooldown");
        METRIC_AGGREGATION_TYPE: Str = optional_computed("metric_aggregation_type");
        MIN_ADJUSTMENT_MAGNITUDE: Int = optional("min_adjustment_magnitude");
        STEP_ADJUSTMENT: Blocks = optional("step_adjustment").set(&ADJUSTMENT_TABLE);
    }
}

attributes! {
    TABLE:
    NAME: Str = required("name").replaces();
    POLICY_TYPE: Str = optional("policy_type").default_str("StepScaling")
        .one_of(&["StepScaling", "TargetTrackingScaling"]);
    RESOURCE_ID: Str = required("resource_id").replaces();
    SCALABLE_DIMENSION: Str = required("scalable_dimension").replaces();
    SERVICE_NAMESPACE: Str = required("service_namespace").replaces();
    STEP: Blocks = optional("step_scaling_policy_configuration").single(&step::TABLE);
    TRACKING: Blocks = optional("target_tracking_scaling_policy_configuration").single(&tracking::TABLE);
    ARN: Str = computed("arn");
    ALARM_ARNS: StrList = computed("alarm_arns").unknown_after_update();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "How Application Auto Scaling moves a desired count: by tracking a metric or in steps",
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

resource "aws_appautoscaling_policy" "cpu" {
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.web.service_namespace
  resource_id        = aws_appautoscaling_target.web.resource_id
  scalable_dimension = aws_appautoscaling_target.web.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = 60
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
"#,
    validate,
    predict: |want| want.value("name").cloned().map(|name| ("id", name)).into_iter().collect(),
    ..TypeSchema::new("aws_appautoscaling_policy", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let (stepped, tracked) = (want.has(STEP.row.name), want.has(TRACKING.row.name));
    if stepped && tracked {
        problems.push((STEP.row.name, format!("excludes `{}`", TRACKING.row.name)));
    }
    match want.get(&POLICY_TYPE).as_deref() {
        Some("TargetTrackingScaling") if !tracked => {
            problems.push(("policy_type", format!("TargetTrackingScaling needs `{}`", TRACKING.row.name)));
        }
        Some("StepScaling") if tracked => {
            let text = format!("must be \"TargetTrackingScaling\" with `{}`", TRACKING.row.name);
            problems.push(("policy_type", text));
        }
        _ => {}
    }
    if let Some(t) = want.block(&TRACKING) {
        let (predefined, customized) =
            (t.has(tracking::PREDEFINED.row.name), t.has(tracking::CUSTOMIZED.row.name));
        if predefined == customized {
            let text = "needs either predefined_metric_specification or customized_metric_specification";
            problems.push((TRACKING.row.name, text.to_owned()));
        }
    }
    problems
}

pub struct AppautoscalingPolicy;

#[async_trait(?Send)]
impl AwsType for AppautoscalingPolicy {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for item in items {
            let namespace = item.known.get(&SERVICE_NAMESPACE).unwrap_or_else(|| "ecs".to_owned());
            names.entry(namespace).or_default().insert(item.id.to_owned());
        }
        let mut found = Vec::new();
        for (namespace, names) in names {
            found.extend(describe(aws, &namespace, names.into_iter().collect()).await?);
        }
        let one = |item: &Existing<'_>| {
            let resource = item.known.get(&RESOURCE_ID);
            let dimension = item.known.get(&SCALABLE_DIMENSION);
            found.iter().find(|p| {
                p.policy_name() == item.id
                    && resource.as_deref().is_none_or(|r| r == p.resource_id())
                    && dimension.as_deref().is_none_or(|d| d == p.scalable_dimension().as_str())
            })
        };
        Ok(items.iter().map(|item| one(item).map(object)).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        put(aws, job).await?;
        Ok(job.want.need(&NAME))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        put(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let result = aws
            .appautoscaling
            .delete_scaling_policy()
            .policy_name(job.id)
            .service_namespace(job.want.need(&SERVICE_NAMESPACE).as_str().into())
            .resource_id(job.want.need(&RESOURCE_ID))
            .scalable_dimension(job.want.need(&SCALABLE_DIMENSION).as_str().into())
            .send()
            .await
            .op("DeleteScalingPolicy");
        absent(result, &["ObjectNotFoundException"]).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        // Putting a policy again updates it, so the natural key is enough.
        let name = job.want.need(&NAME);
        let found = describe(aws, &job.want.need(&SERVICE_NAMESPACE), vec![name.clone()]).await?;
        let resource = job.want.need(&RESOURCE_ID);
        Ok(found.iter().any(|p| p.resource_id() == resource).then_some(name))
    }

    /// `ecs/service/main/web/ecs:service:DesiredCount/cpu`: namespace, resource, dimension, name.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        let parts: Vec<&str> = id.split('/').collect();
        match parts.as_slice() {
            [namespace, resource @ .., dimension, name] if !resource.is_empty() => {
                known
                    .set(&ID, *name)
                    .set(&NAME, *name)
                    .set(&SERVICE_NAMESPACE, *namespace)
                    .set(&RESOURCE_ID, resource.join("/"))
                    .set(&SCALABLE_DIMENSION, *dimension);
            }
            _ => {
                known.set(&ID, id);
            }
        }
        known
    }
}

async fn put(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let want = job.want;
    let tracking = want.block(&TRACKING).map(|t| tracking_config(&t)).transpose()?;
    let step = want.block(&STEP).map(|s| step_config(&s)).transpose()?;
    let call = aws
        .appautoscaling
        .put_scaling_policy()
        .policy_name(want.need(&NAME))
        .service_namespace(want.need(&SERVICE_NAMESPACE).as_str().into())
        .resource_id(want.need(&RESOURCE_ID))
        .scalable_dimension(want.need(&SCALABLE_DIMENSION).as_str().into())
        .set_policy_type(want.get(&POLICY_TYPE).map(|t| t.as_str().into()))
        .set_target_tracking_scaling_policy_configuration(tracking)
        .set_step_scaling_policy_configuration(step);
    // A target that was just registered is not at once seen here; its alarms may be throttled.
    let passing = |e: &AwsError| {
        e.is(&["ObjectNotFoundException", "FailedResourceAccessException", "ConcurrentUpdateException"])
    };
    let deadline = Duration::from_secs(120);
    patiently(aws, "PutScalingPolicy", deadline, job.progress, passing, async || {
        call.clone().send().await.op("PutScalingPolicy")
    })
    .await
    .map(drop)
}

/// Policies by name, at most 50 a call; the same name may stand at several targets.
async fn describe(aws: &Aws, namespace: &str, names: Vec<String>) -> Result<Vec<ScalingPolicy>, AwsError> {
    let mut found = Vec::new();
    for chunk in names.chunks(50) {
        let page: Vec<ScalingPolicy> = aws
            .appautoscaling
            .describe_scaling_policies()
            .service_namespace(namespace.into())
            .set_policy_names(Some(chunk.to_vec()))
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .op("DescribeScalingPolicies")?;
        found.extend(page);
    }
    Ok(found)
}

const PUT: &str = "PutScalingPolicy";

fn step_config(b: &Object) -> Result<sdk::StepScalingPolicyConfiguration, AwsError> {
    let bound = |b: &Object, attr| b.get(attr).and_then(|s: String| s.parse().ok());
    let mut config = sdk::StepScalingPolicyConfiguration::builder()
        .set_adjustment_type(b.get(&step::ADJUSTMENT_TYPE).map(|t| t.as_str().into()))
        .set_cooldown(small(b.get(&step::COOLDOWN)))
        .set_metric_aggregation_type(b.get(&step::METRIC_AGGREGATION_TYPE).map(|t| t.as_str().into()))
        .set_min_adjustment_magnitude(small(b.get(&step::MIN_ADJUSTMENT_MAGNITUDE)));
    for a in b.all(&step::STEP_ADJUSTMENT) {
        let adjustment = sdk::StepAdjustment::builder()
            .set_metric_interval_lower_bound(bound(&a, &step::LOWER_BOUND))
            .set_metric_interval_upper_bound(bound(&a, &step::UPPER_BOUND))
            .set_scaling_adjustment(small(a.get(&step::SCALING_ADJUSTMENT)));
        config = config.step_adjustments(built(PUT, adjustment.build())?);
    }
    Ok(config.build())
}

fn tracking_config(b: &Object) -> Result<sdk::TargetTrackingScalingPolicyConfiguration, AwsError> {
    let predefined = match b.block(&tracking::PREDEFINED) {
        Some(p) => {
            let spec = sdk::PredefinedMetricSpecification::builder()
                .predefined_metric_type(p.need(&tracking::METRIC_TYPE).as_str().into())
                .set_resource_label(p.get(&tracking::RESOURCE_LABEL));
            Some(built(PUT, spec.build())?)
        }
        None => None,
    };
    let config = sdk::TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(b.need(&tracking::TARGET_VALUE))
        .set_disable_scale_in(b.get(&tracking::DISABLE_SCALE_IN))
        .set_scale_in_cooldown(small(b.get(&tracking::SCALE_IN_COOLDOWN)))
        .set_scale_out_cooldown(small(b.get(&tracking::SCALE_OUT_COOLDOWN)))
        .set_predefined_metric_specification(predefined)
        .set_customized_metric_specification(
            b.block(&tracking::CUSTOMIZED).map(|c| customized_metric(&c)).transpose()?,
        );
    built(PUT, config.build())
}

fn customized_metric(b: &Object) -> Result<sdk::CustomizedMetricSpecification, AwsError> {
    let mut spec = sdk::CustomizedMetricSpecification::builder()
        .set_metric_name(b.get(&customized::METRIC_NAME))
        .set_namespace(b.get(&customized::NAMESPACE))
        .set_statistic(b.get(&customized::STATISTIC).map(|s| s.as_str().into()))
        .set_unit(b.get(&customized::UNIT));
    for d in b.all(&customized::DIMENSIONS) {
        let dimension =
            sdk::MetricDimension::builder().name(d.need(&DIMENSION_NAME)).value(d.need(&DIMENSION_VALUE));
        spec = spec.dimensions(built(PUT, dimension.build())?);
    }
    for q in b.all(&customized::METRICS) {
        let query = sdk::TargetTrackingMetricDataQuery::builder()
            .id(q.need(&metric::QUERY_ID))
            .set_expression(q.get(&metric::EXPRESSION))
            .set_label(q.get(&metric::LABEL))
            .set_return_data(q.get(&metric::RETURN_DATA))
            .set_metric_stat(q.block(&metric::METRIC_STAT).map(|s| metric_stat(&s)).transpose()?);
        spec = spec.metrics(built(PUT, query.build())?);
    }
    Ok(spec.build())
}

fn metric_stat(b: &Object) -> Result<sdk::TargetTrackingMetricStat, AwsError> {
    let block = b.block(&metric::METRIC).unwrap_or_default();
    let mut metric = sdk::TargetTrackingMetric::builder()
        .set_metric_name(block.get(&metric::METRIC_NAME))
        .set_namespace(block.get(&metric::NAMESPACE));
    for d in block.all(&metric::DIMENSIONS) {
        let dimension = sdk::TargetTrackingMetricDimension::builder()
            .name(d.need(&DIMENSION_NAME))
            .value(d.need(&DIMENSION_VALUE));
        metric = metric.dimensions(built(PUT, dimension.build())?);
    }
    let stat = sdk::TargetTrackingMetricStat::builder()
        .metric(metric.build())
        .stat(b.need(&metric::STAT))
        .set_unit(b.get(&metric::UNIT));
    built(PUT, stat.build())
}

fn dimension(name: &str, value: &str) -> Object {
    let mut o = Object::new();
    o.set(&DIMENSION_NAME, name).set(&DIMENSION_VALUE, value);
    o
}

fn step_block(s: &sdk::StepScalingPolicyConfiguration) -> Object {
    let adjustment = |a: &sdk::StepAdjustment| {
        let mut o = Object::new();
        o.set(&step::LOWER_BOUND, a.metric_interval_lower_bound().map(|b| b.to_string()))
            .set(&step::UPPER_BOUND, a.metric_interval_upper_bound().map(|b| b.to_string()))
            .set(&step::SCALING_ADJUSTMENT, a.scaling_adjustment());
        o
    };
    let mut o = Object::new();
    o.set(&step::ADJUSTMENT_TYPE, s.adjustment_type().map(|t| t.as_str()))
        .set(&step::COOLDOWN, s.cooldown())
        .set(&step::METRIC_AGGREGATION_TYPE, s.metric_aggregation_type().map(|t| t.as_str()))
        .set(&step::MIN_ADJUSTMENT_MAGNITUDE, s.min_adjustment_magnitude())
        .set_blocks(&step::STEP_ADJUSTMENT, s.step_adjustments().iter().map(adjustment).collect());
    o
}

fn query_block(q: &sdk::TargetTrackingMetricDataQuery) -> Object {
    let stat = |s: &sdk::TargetTrackingMetricStat| {
        let mut m = Object::new();
        if let Some(metric) = s.metric() {
            m.set(&metric::METRIC_NAME, metric.metric_name()).set(&metric::NAMESPACE, metric.namespace());
            let dimensions = metric.dimensions().iter().map(|d| dimension(d.name(), d.value())).collect();
            m.set_blocks(&metric::DIMENSIONS, dimensions);
        }
        let mut o = Object::new();
        o.set(&metric::STAT, s.stat()).set(&metric::UNIT, s.unit()).set_blocks(&metric::METRIC, vec![m]);
        o
    };
    let mut o = Object::new();
    o.set(&metric::QUERY_ID, q.id())
        .set(&metric::EXPRESSION, q.expression())
        .set(&metric::LABEL, q.label())
        .set(&metric::RETURN_DATA, q.return_data())
        .set_blocks(&metric::METRIC_STAT, q.metric_stat().map(stat).into_iter().collect());
    o
}

fn tracking_block(t: &sdk::TargetTrackingScalingPolicyConfiguration) -> Object {
    let predefined = |p: &sdk::PredefinedMetricSpecification| {
        let mut o = Object::new();
        o.set(&tracking::METRIC_TYPE, p.predefined_metric_type().as_str())
            .set(&tracking::RESOURCE_LABEL, p.resource_label());
        o
    };
    let custom = |c: &sdk::CustomizedMetricSpecification| {
        let dimensions = c.dimensions().iter().map(|d| dimension(d.name(), d.value())).collect();
        let mut o = Object::new();
        o.set(&customized::METRIC_NAME, c.metric_name())
            .set(&customized::NAMESPACE, c.namespace())
            .set(&customized::STATISTIC, c.statistic().map(|s| s.as_str()))
            .set(&customized::UNIT, c.unit())
            .set_blocks(&customized::DIMENSIONS, dimensions)
            .set_blocks(&customized::METRICS, c.metrics().iter().map(query_block).collect());
        o
    };
    let one = |attr: &crate::schema::Attr<Blocks>, o: &mut Object, b: Option<Object>| {
        o.set_blocks(attr, b.into_iter().collect());
    };
    let mut o = Object::new();
    o.set(&tracking::TARGET_VALUE, t.target_value())
        .set(&tracking::DISABLE_SCALE_IN, t.disable_scale_in().unwrap_or(false))
        .set(&tracking::SCALE_IN_COOLDOWN, t.scale_in_cooldown())
        .set(&tracking::SCALE_OUT_COOLDOWN, t.scale_out_cooldown());
    one(&tracking::PREDEFINED, &mut o, t.predefined_metric_specification().map(predefined));
    one(&tracking::CUSTOMIZED, &mut o, t.customized_metric_specification().map(custom));
    o
}

fn object(p: &ScalingPolicy) -> Object {
    let alarms: Vec<String> = p.alarms().iter().map(|a| a.alarm_arn().to_owned()).collect();
    let step = p.step_scaling_policy_configuration().map(step_block);
    let tracking = p.target_tracking_scaling_policy_configuration().map(tracking_block);
    let mut o = Object::new();
    o.set(&ID, p.policy_name())
        .set(&NAME, p.policy_name())
        .set(&ARN, p.policy_arn())
        .set(&POLICY_TYPE, p.policy_type().as_str())
        .set(&RESOURCE_ID, p.resource_id())
        .set(&SCALABLE_DIMENSION, p.scalable_dimension().as_str())
        .set(&SERVICE_NAMESPACE, p.service_namespace().as_str())
        .set(&ALARM_ARNS, alarms)
        .set_blocks(&STEP, step.into_iter().collect())
        .set_blocks(&TRACKING, tracking.into_iter().collect());
    o.complete(&TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_id_ends_with_the_name() {
        let known = AppautoscalingPolicy.import("ecs/service/main/web/ecs:service:DesiredCount/cpu");
        assert_eq!(known.id(), "cpu");
        assert_eq!(known.need(&RESOURCE_ID), "service/main/web");
        assert_eq!(known.need(&SCALABLE_DIMENSION), "ecs:service:DesiredCount");
    }
}
