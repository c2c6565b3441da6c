//! `aws_cloudwatch_metric_alarm`: watches a metric, or an expression over several.

use super::{ec2, iam};
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, Metric, MetricAlarm as Live, MetricDataQuery, MetricStat,
    StandardUnit, Statistic, Tag,
};
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;

mod metric {
    use crate::aws::types::ec2;
    use crate::schema::attributes;
    attributes! {
        TABLE:
        DIMENSIONS: StrMap = optional("dimensions");
        METRIC_NAME: Str = required("metric_name").check(|v| ec2::check::length(v, 1, 255));
        NAMESPACE: Str = optional("namespace").check(|v| ec2::check::length(v, 1, 255));
        PERIOD: Int = required("period").check(super::check_query_period);
        STAT: Str = required("stat");
        UNIT: Str = optional("unit").one_of(super::UNITS);
    }
}

mod query {
    use super::metric;
    use crate::aws::types::ec2;
    use crate::schema::attributes;
    attributes! {
        TABLE:
        ACCOUNT_ID: Str = optional("account_id").check(|v| ec2::check::length(v, 1, 255));
        EXPRESSION: Str = optional("expression").check(|v| ec2::check::length(v, 1, 1024));
        ID: Str = required("id").check(|v| ec2::check::length(v, 1, 255));
        LABEL: Str = optional("label");
        METRIC: Blocks = optional("metric").single(&metric::TABLE);
        PERIOD: Int = optional("period").check(super::check_query_period);
        RETURN_DATA: Bool = optional("return_data");
    }
}

const UNITS: &[&str] = &[
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

const OPERATORS: &[&str] = &[
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
];

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ACTIONS_ENABLED: Bool = optional("actions_enabled").default_bool(true);
    ALARM_ACTIONS: StrSet = optional("alarm_actions").check(arn::check_all);
    DESCRIPTION: Str = optional("alarm_description").check(|v| ec2::check::length(v, 0, 1024));
    NAME: Str = required("alarm_name").replaces().check(|v| ec2::check::length(v, 1, 255));
    ARN: Str = computed("arn");
    OPERATOR: Str = required("comparison_operator").one_of(OPERATORS);
    DATAPOINTS: Int = optional("datapoints_to_alarm").range(1, i32::MAX as i64);
    DIMENSIONS: StrMap = optional("dimensions");
    LOW_SAMPLES: Str = optional_computed("evaluate_low_sample_count_percentiles").one_of(&["evaluate", "ignore"]);
    PERIODS: Int = required("evaluation_periods").range(1, i32::MAX as i64);
    EXTENDED_STATISTIC: Str = optional("extended_statistic").conflicts_with(&["statistic"]);
    INSUFFICIENT_ACTIONS: StrSet = optional("insufficient_data_actions").check(arn::check_all);
    METRIC_NAME: Str = optional("metric_name").check(|v| ec2::check::length(v, 1, 255)).conflicts_with(&["metric_query"]);
    METRIC_QUERY: Blocks = optional("metric_query").set(&query::TABLE);
    NAMESPACE: Str = optional("namespace").check(|v| ec2::check::length(v, 1, 255));
    OK_ACTIONS: StrSet = optional("ok_actions").check(arn::check_all);
    PERIOD: Int = optional("period").check(check_period);
    STATISTIC: Str = optional("statistic").one_of(&["SampleCount", "Average", "Sum", "Minimum", "Maximum"]);
    THRESHOLD: Float = optional("threshold");
    THRESHOLD_METRIC: Str = optional("threshold_metric_id").check(|v| ec2::check::length(v, 1, 255));
    MISSING_DATA: Str = optional("treat_missing_data").default_str("missing").one_of(&["breaching", "ignore", "missing", "notBreaching"]);
    UNIT: Str = optional("unit").one_of(UNITS);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Watches a metric, or an expression over several",
    example: r#"
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "example-5xx"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  metric_name         = "HTTPCode_Target_5XX_Count"
  namespace           = "AWS/ApplicationELB"
  period              = 60
  statistic           = "Sum"
  threshold           = 10
  treat_missing_data  = "notBreaching"
  dimensions          = { LoadBalancer = "app/example/0123456789abcdef" }
  tags                = { Team = "web" }
}
"#,
    validate,
    predict: |want| want.get(&NAME).map(|name| vec![("id", Value::from(name))]).unwrap_or_default(),
    unique: &["alarm_name"],
    ..TypeSchema::new("aws_cloudwatch_metric_alarm", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    if !want.has("metric_name") && !want.has("metric_query") {
        return vec![("", "one of `metric_name` and `metric_query` is needed".to_owned())];
    }
    if want.has("metric_name") && !want.has("statistic") && !want.has("extended_statistic") {
        let message = "needs one of `statistic` and `extended_statistic` beside it";
        return vec![("metric_name", message.to_owned())];
    }
    Vec::new()
}

/// Metrics within an expression may have high resolution.
fn check_query_period(value: &Value) -> Result<(), String> {
    match value.as_i64() {
        Some(n) if [1, 5].contains(&n) => Ok(()),
        _ => check_period(value).map_err(|_| "must be 1, 5, 10, 20, 30 or a multiple of 60".to_owned()),
    }
}

fn check_period(value: &Value) -> Result<(), String> {
    match value.as_i64() {
        Some(n) if [10, 20, 30].contains(&n) || n > 0 && n % 60 == 0 => Ok(()),
        _ => Err("must be 10, 20, 30 or a multiple of 60".to_owned()),
    }
}

const GONE: &[&str] = &["ResourceNotFound", "ResourceNotFoundException"];

pub struct CloudwatchMetricAlarm;

#[async_trait(?Send)]
impl AwsType for CloudwatchMetricAlarm {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let mut found: Vec<Live> = Vec::new();
        for chunk in items.chunks(100) {
            let names = chunk.iter().map(|i| i.id.to_owned()).collect();
            let call = aws.cloudwatch.describe_alarms().set_alarm_names(Some(names));
            let call = call.alarm_types(AlarmType::MetricAlarm).max_records(100);
            found.extend(call.send().await.op("DescribeAlarms")?.metric_alarms.unwrap_or_default());
        }
        let reads = items.iter().map(async |item| {
            let Some(alarm) = found.iter().find(|a| a.alarm_name() == Some(item.id)) else { return Ok(None) };
            let tags = tags_of(aws, alarm.alarm_arn().unwrap_or_default()).await?;
            Ok(Some(object(alarm, &tags)))
        });
        futures::stream::iter(reads).buffered(iam::AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let tags = tags::for_creation(job.want, job.token).into_iter().map(|(k, v)| tag(k, v)).collect();
        put(aws, job.want, Some(tags)).await?;
        Ok(job.want.need(&NAME))
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changed.iter().any(|c| c != "tags" && c != "tags_all") {
            put(aws, job.want, None).await?;
        }
        let arn = job.live.get(&ARN).unwrap_or_default();
        let (set, removed) = tags::difference(job.live, job.want);
        if !set.is_empty() {
            let tags = set.into_iter().map(|(k, v)| tag(k, v)).collect();
            aws.cloudwatch
                .tag_resource()
                .resource_arn(&arn)
                .set_tags(Some(tags))
                .send()
                .await
                .op("TagResource")?;
        }
        if !removed.is_empty() {
            let call = aws.cloudwatch.untag_resource().resource_arn(&arn).set_tag_keys(Some(removed));
            call.send().await.op("UntagResource")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.cloudwatch.delete_alarms().alarm_names(job.id);
        absent(call.send().await.op("DeleteAlarms"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = job.want.need(&NAME);
        let answer = aws.cloudwatch.describe_alarms().alarm_names(&name).send().await.op("DescribeAlarms")?;
        let Some(alarm) = answer.metric_alarms().first() else { return Ok(None) };
        let tags = tags_of(aws, alarm.alarm_arn().unwrap_or_default()).await?;
        let ours = tags.iter().any(|t| t.key() == Some(tags::OWNERSHIP) && t.value() == Some(job.token));
        Ok(ours.then_some(name))
    }
}

fn tag(key: String, value: String) -> Tag {
    Tag::builder().key(key).value(value).build()
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, AwsError> {
    let call = aws.cloudwatch.list_tags_for_resource().resource_arn(arn);
    let answer = absent(call.send().await.op("ListTagsForResource"), GONE)?;
    Ok(answer.and_then(|a| a.tags).unwrap_or_default())
}

fn dimensions(map: BTreeMap<String, String>) -> Option<Vec<Dimension>> {
    let each = |(name, value)| Dimension::builder().name(name).value(value).build();
    (!map.is_empty()).then(|| map.into_iter().map(each).collect())
}

/// PutMetricAlarm replaces the whole alarm.
async fn put(aws: &Aws, want: &Object, tags: Option<Vec<Tag>>) -> Result<(), AwsError> {
    let queries = want.all(&METRIC_QUERY);
    let small = |i: Option<i64>| i.map(|i| i as i32);
    aws.cloudwatch
        .put_metric_alarm()
        .alarm_name(want.need(&NAME))
        .set_actions_enabled(want.get(&ACTIONS_ENABLED))
        .set_alarm_actions(want.get(&ALARM_ACTIONS))
        .set_alarm_description(want.get(&DESCRIPTION))
        .comparison_operator(ComparisonOperator::from(want.need(&OPERATOR).as_str()))
        .set_datapoints_to_alarm(small(want.get(&DATAPOINTS)))
        .set_dimensions(dimensions(want.all(&DIMENSIONS)))
        .set_evaluate_low_sample_count_percentile(want.get(&LOW_SAMPLES))
        .set_evaluation_periods(small(want.get(&PERIODS)))
        .set_extended_statistic(want.get(&EXTENDED_STATISTIC))
        .set_insufficient_data_actions(want.get(&INSUFFICIENT_ACTIONS))
        .set_metric_name(want.get(&METRIC_NAME))
        .set_metrics((!queries.is_empty()).then(|| queries.iter().map(query_of).collect()))
        .set_namespace(want.get(&NAMESPACE))
        .set_ok_actions(want.get(&OK_ACTIONS))
        .set_period(small(want.get(&PERIOD)))
        .set_statistic(want.get(&STATISTIC).map(|s| Statistic::from(s.as_str())))
        .set_threshold(want.get(&THRESHOLD))
        .set_threshold_metric_id(want.get(&THRESHOLD_METRIC))
        .set_treat_missing_data(want.get(&MISSING_DATA))
        .set_unit(want.get(&UNIT).map(|u| StandardUnit::from(u.as_str())))
        .set_tags(tags)
        .send()
        .await
        .op("PutMetricAlarm")
        .map(drop)
}

fn query_of(block: &Object) -> MetricDataQuery {
    let stat = block.block(&query::METRIC).map(|m| {
        let metric = Metric::builder()
            .metric_name(m.need(&metric::METRIC_NAME))
            .set_namespace(m.get(&metric::NAMESPACE))
            .set_dimensions(dimensions(m.all(&metric::DIMENSIONS)))
            .build();
        MetricStat::builder()
            .metric(metric)
            .period(m.need(&metric::PERIOD) as i32)
            .stat(m.need(&metric::STAT))
            .set_unit(m.get(&metric::UNIT).map(|u| StandardUnit::from(u.as_str())))
            .build()
    });
    MetricDataQuery::builder()
        .id(block.need(&query::ID))
        .set_account_id(block.get(&query::ACCOUNT_ID))
        .set_expression(block.get(&query::EXPRESSION))
        .set_label(block.get(&query::LABEL))
        .set_metric_stat(stat)
        .set_period(block.get(&query::PERIOD).map(|p| p as i32))
        .set_return_data(block.get(&query::RETURN_DATA))
        .build()
}

fn of_dimensions(list: &[Dimension]) -> Option<BTreeMap<String, String>> {
    let pair = |d: &Dimension| Some((d.name()?.to_owned(), d.value()?.to_owned()));
    (!list.is_empty()).then(|| list.iter().filter_map(pair).collect())
}

fn actions(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn object(alarm: &Live, tags: &[Tag]) -> Object {
    let mut o = Object::new();
    o.set(&ID, alarm.alarm_name())
        .set(&ACTIONS_ENABLED, alarm.actions_enabled())
        .set(&ALARM_ACTIONS, actions(alarm.alarm_actions()))
        .set(&DESCRIPTION, alarm.alarm_description())
        .set(&NAME, alarm.alarm_name())
        .set(&ARN, alarm.alarm_arn())
        .set(&OPERATOR, alarm.comparison_operator().map(|c| c.as_str()))
        .set(&DATAPOINTS, alarm.datapoints_to_alarm())
        .set(&DIMENSIONS, of_dimensions(alarm.dimensions()))
        .set(&LOW_SAMPLES, alarm.evaluate_low_sample_count_percentile())
        .set(&PERIODS, alarm.evaluation_periods())
        .set(&EXTENDED_STATISTIC, alarm.extended_statistic())
        .set(&INSUFFICIENT_ACTIONS, actions(alarm.insufficient_data_actions()))
        .set(&METRIC_NAME, alarm.metric_name())
        .set_blocks(&METRIC_QUERY, alarm.metrics().iter().map(query_object).collect())
        .set(&NAMESPACE, alarm.namespace())
        .set(&OK_ACTIONS, actions(alarm.ok_actions()))
        .set(&PERIOD, alarm.period())
        .set(&STATISTIC, alarm.statistic().map(|s| s.as_str()))
        .set(&THRESHOLD, alarm.threshold())
        .set(&THRESHOLD_METRIC, alarm.threshold_metric_id())
        .set(&MISSING_DATA, alarm.treat_missing_data().unwrap_or("missing"))
        .set(&UNIT, alarm.unit().map(|u| u.as_str()));
    tags::read(&mut o, tags.iter().map(|t| (t.key().unwrap_or(""), t.value().unwrap_or(""))));
    o
}

fn query_object(live: &MetricDataQuery) -> Object {
    let stat = live.metric_stat().map(|stat| {
        let metric = stat.metric();
        let mut o = Object::new();
        o.set(&metric::DIMENSIONS, metric.and_then(|m| of_dimensions(m.dimensions())))
            .set(&metric::METRIC_NAME, metric.and_then(|m| m.metric_name()))
            .set(&metric::NAMESPACE, metric.and_then(|m| m.namespace()))
            .set(&metric::PERIOD, stat.period())
            .set(&metric::STAT, stat.stat())
            .set(&metric::UNIT, stat.unit().map(|u| u.as_str()));
        o
    });
    let mut o = Object::new();
    o.set(&query::ID, live.id())
        .set(&query::ACCOUNT_ID, live.account_id())
        .set(&query::EXPRESSION, live.expression())
        .set(&query::LABEL, live.label())
        .set_blocks(&query::METRIC, stat.into_iter().collect())
        .set(&query::PERIOD, live.period())
        .set(&query::RETURN_DATA, live.return_data().filter(|r| *r));
    o
}
