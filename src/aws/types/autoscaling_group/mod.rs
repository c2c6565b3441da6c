//! `aws_autoscaling_group`: the hosts of a cluster. What instances are launched from changes by an
//! instance refresh that carries it, so that AWS can roll back to what the group still says.

mod capacity;
mod convert;
mod joining;
mod refreshing;
mod settings;
mod surge;
mod table;
mod versions;

pub use refreshing::launch_failures;

use super::ecs::{patiently, small, some};
use super::timeouts;
use crate::aws::{
    Aws, AwsError, AwsType, Between, Existing, Job, Op, Poll, RolloutStep, Serving, tags, wait,
};
use crate::rollout::settings::{Settings, Strategy};
use crate::schema::{ID, Object, TypeSchema};
use crate::value::{Type, Value};
use async_trait::async_trait;
use aws_sdk_autoscaling::types as sdk;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use capacity::{empty, wait_for_capacity};
use settings::{delete_warm_pool, put_warm_pool, set_metrics, set_processes, set_sources, set_tags};
use std::collections::BTreeSet;
use std::time::Duration;
use table::*;

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A group of instances that is kept at a size and refreshed in steps",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

resource "aws_launch_template" "hosts" {
  name_prefix   = "hosts-"
  image_id      = data.aws_ssm_parameter.image.value
  instance_type = "t3.micro"
}

resource "aws_autoscaling_group" "hosts" {
  name                = "hosts"
  min_size            = 1
  max_size            = 4
  desired_capacity    = 2
  vpc_zone_identifier = [aws_subnet.a.id]

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = 1
      on_demand_percentage_above_base_capacity = 0
      spot_allocation_strategy                 = "capacity-optimized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.hosts.id
        version            = aws_launch_template.hosts.latest_version
      }

      override {
        instance_type = "t3.micro"
      }

      override {
        instance_type = "t3a.micro"
      }
    }
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 90
      max_healthy_percentage = 110
    }
  }

  tag {
    key                 = "Name"
    value               = "hosts"
    propagate_at_launch = true
  }
}
"#,
    validate,
    predict: |want| {
        want.value("name").filter(|n| !n.is_null()).cloned().map(|n| ("id", n)).into_iter().collect()
    },
    unique: &["name"],
    // Its hosts serve until those of the new one do.
    create_before_destroy: true,
    second_name: Some(LONGEST_NAME),
    carried: &["desired_capacity"],
    resolve_words: versions::resolve_words,
    ..TypeSchema::new("aws_autoscaling_group", &TABLE)
};

pub struct AutoscalingGroup;

#[async_trait(?Send)]
impl AwsType for AutoscalingGroup {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let names: Vec<String> = items.iter().map(|i| i.id.to_owned()).collect();
        let groups = describe(aws, &names).await?;
        let templates = versions::needed(aws, items, &groups).await?;
        let scaled = if groups.is_empty() { BTreeSet::new() } else { scaled_by_policies(aws).await? };
        let one = |item: &Existing<'_>| {
            let group = groups.iter().find(|g| g.auto_scaling_group_name() == Some(item.id))?;
            let version = versions::effective(group, item.known, &templates);
            let mut o = object(group, item.known, version.as_deref());
            let by_ecs = group.tags().iter().any(|t| t.key() == Some(ECS_MANAGED));
            let by_policy = scaled.contains(item.id).then_some("scaling policies");
            o.set(&SCALED_BY, if by_ecs { Some("ECS capacity provider") } else { by_policy });
            Some(o.complete(&TABLE))
        };
        Ok(items.iter().map(one).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let name = name(job);
        let began = aws_smithy_types::DateTime::from_secs(aws.clock.now().as_second());
        let call = creation(aws, job, &name).await?;
        // A new instance profile or service-linked role is not at once usable.
        let passing = |e: &AwsError| {
            let says =
                ["Invalid IamInstanceProfile", "iamInstanceProfile", "not authorized to use launch template"];
            e.is(&["ValidationError", "InvalidParameterValue"]) && says.iter().any(|s| e.message.contains(s))
        };
        let deadline = Duration::from_secs(120);
        patiently(aws, "CreateAutoScalingGroup", deadline, job.progress, passing, async || {
            call.clone().send().await.op("CreateAutoScalingGroup")
        })
        .await?;
        set_processes(aws, &name, &Object::new(), want).await?;
        set_metrics(aws, &name, &Object::new(), want).await?;
        if want.has("warm_pool") {
            put_warm_pool(aws, &name, want).await?;
        }
        wait_for_capacity(aws, job, &name, began).await?;
        Ok(name)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        update_group(aws, job, is_empty(job.live)).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let force = job.want.get(&FORCE_DELETE).unwrap_or(false);
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 20);
        let Some(group) = describe(aws, &[job.id.to_owned()]).await?.pop() else { return Ok(()) };
        if group.warm_pool_configuration().is_some() {
            let force = force || job.want.get(&FORCE_DELETE_WARM_POOL).unwrap_or(false);
            delete_warm_pool(aws, job, force).await?;
        }
        if !force {
            empty(aws, job, &group, deadline).await?;
        }
        let passing = |e: &AwsError| {
            e.is(&[
                "ScalingActivityInProgress",
                "ScalingActivityInProgressFault",
                "ResourceInUse",
                "ResourceInUseFault",
            ])
        };
        let result = patiently(aws, "DeleteAutoScalingGroup", deadline, job.progress, passing, async || {
            let call = aws.autoscaling.delete_auto_scaling_group().auto_scaling_group_name(job.id);
            call.force_delete(force).send().await.op("DeleteAutoScalingGroup")
        });
        match result.await {
            Err(e) if e.message.contains("not found") => return Ok(()),
            other => other?,
        };
        wait(aws, "DeleteAutoScalingGroup", Duration::from_secs(10), deadline, job.progress, async || {
            Ok(match describe(aws, &[job.id.to_owned()]).await?.first() {
                None => Poll::Ready(()),
                Some(g) => Poll::Pending(format!("{} instances left", g.instances().len())),
            })
        })
        .await
    }

    async fn settle(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // What failed before is not known any more: only what fails from now on counts.
        let now = aws_smithy_types::DateTime::from_secs(aws.clock.now().as_second());
        wait_for_capacity(aws, job, job.id, now).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, &[name(job)]).await?;
        let ours = |g: &&AutoScalingGroup| {
            g.tags().iter().any(|t| t.key() == Some(tags::OWNERSHIP) && t.value() == Some(job.token))
        };
        Ok(found.iter().find(ours).and_then(|g| g.auto_scaling_group_name()).map(str::to_owned))
    }

    fn tune(&self, want: &mut Object, settings: &Settings) -> Result<(), String> {
        refreshing::tune(want, settings)
    }

    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        let text = "register the instances in the old and the new target group";
        Between::with_both(TARGET_GROUP_ARNS.row.name, live, want, changed, text)
    }

    fn rollout(
        &self,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        let launch = changed.iter().any(|c| LAUNCH.contains(&c.as_str()));
        let rolls = launch || triggered(want, changed) || leaves_subnets(live, want, changed);
        if !rolls || is_empty(live) {
            return Vec::new();
        }
        let name = live.get(&NAME).or(want.get(&NAME)).unwrap_or_default();
        if let Some(settings) = settings.filter(|s| s.strategy == Some(Strategy::BlueGreen)) {
            let serving = serving(live, &destination(live, want, changed), None);
            let mut steps = surge::steps(&name, &destination(live, want, changed), settings);
            steps.iter_mut().take(1).for_each(|first| first.serving = Some(serving.clone()));
            return steps;
        }
        let mut steps = Vec::new();
        let others: Vec<&str> =
            changed.iter().map(String::as_str).filter(|c| !LAUNCH.contains(c) && !is_local(c)).collect();
        let by_configuration = want.has("launch_configuration");
        if by_configuration || !others.is_empty() {
            let mut what: Vec<&str> = others;
            if by_configuration {
                what.push("launch_configuration");
            }
            steps.push(RolloutStep::new("update-group", format!("update {name}: {}", what.join(", "))));
        }
        let (min, max) = refreshing::percentages(want);
        let what = destination(live, want, changed);
        let text = format!("start an instance refresh of {name}{what} ({min}–{max} % healthy)");
        let serving = serving(live, &what, Some((min, max)));
        steps.push(RolloutStep::new("start-refresh", text).serving(serving));
        let text = format!("wait until every instance of {name} is replaced");
        let step = RolloutStep::new("await-refresh", text).gate("the refresh is Successful");
        steps.push(step.back("the refresh is rolled back to the version that runs now"));
        steps
    }

    async fn run_step(
        &self,
        aws: &Aws,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        match step {
            "update-group" => {
                update_group(aws, job, true).await?;
                Ok(carried.map(str::to_owned))
            }
            "start-refresh" => refreshing::start(aws, job, carries_template(job)).await.map(Some),
            "await-refresh" => {
                let Some(id) = carried else { return Ok(None) };
                refreshing::to_the_end(aws, job, id).await?;
                Ok(Some(id.to_owned()))
            }
            surge if surge::is_step(surge) => surge::run_step(aws, job, surge, carried).await,
            other => Err(AwsError::failed(other, "Internal", "aws_autoscaling_group has no such step")),
        }
    }
}

/// Errors that pass: the group is about to launch or terminate.
const SCALING: &[&str] = &["ScalingActivityInProgress", "ScalingActivityInProgressFault"];

/// The tag by which ECS marks a group that its managed scaling moves. Without it ECS stops doing so: it
/// is never taken away.
const ECS_MANAGED: &str = "AmazonECSManaged";

fn is_local(name: &str) -> bool {
    name == "timeouts" || TABLE.row(name).is_some_and(|r| r.local)
}

/// Whether one of the declared `triggers` changed.
fn triggered(want: &Object, changed: &[String]) -> bool {
    let triggers = want.block(&INSTANCE_REFRESH).map(|r| r.all(&refresh::TRIGGERS)).unwrap_or_default();
    let named = |t: &String| if t == "tags" { "tag".to_owned() } else { t.clone() };
    triggers.iter().map(named).any(|t| changed.contains(&t))
}

/// Whether the group gives up subnets: their instances must be gone before a subnet can be deleted. AWS
/// replaces them by itself (CloudFormation, AWS::AutoScaling::AutoScalingGroup, VPCZoneIdentifier), each before
/// there is another; a refresh keeps to the percentages and can be waited for.
fn leaves_subnets(live: &Object, want: &Object, changed: &[String]) -> bool {
    if !changed.iter().any(|c| c == "vpc_zone_identifier") {
        return false;
    }
    let kept = want.all(&VPC_ZONE_IDENTIFIER);
    live.all(&VPC_ZONE_IDENTIFIER).iter().any(|subnet| !kept.contains(subnet))
}

/// With other subnets the template goes to the group at once, not with the refresh: AWS checks both together,
/// and security groups of the old VPC do not fit subnets of a new one.
fn carries_template(job: &Job<'_>) -> bool {
    !leaves_subnets(job.live, job.want, job.changed)
}

/// Nothing runs in it: what it launches from now on is all there is to roll out.
fn is_empty(live: &Object) -> bool {
    live.get(&DESIRED_CAPACITY) == Some(0)
}

/// `shares`: the least and the most percent of the instances in a refresh; None: as many new ones beside all old ones.
fn serving(live: &Object, destination: &str, shares: Option<(i64, i64)>) -> Serving {
    let size = live.get(&DESIRED_CAPACITY).unwrap_or(0);
    let instances = if size == 1 { "1 instance".to_owned() } else { format!("{size} instances") };
    let meanwhile = match shares {
        Some((min, max)) => {
            let (least, most) = ((size * min + 99) / 100, size * max / 100);
            format!("old and new, never fewer than {least} in service, up to {most}")
        }
        None => format!("the old ones, and as many new ones beside them: {}", size * 2),
    };
    let launched = versions::declared(live).and_then(|(template, version)| Some((template, version?)));
    let from = launched.map(|(template, version)| format!(" of version {version} of {template}"));
    let anew = destination.strip_prefix(" to ").map_or(", all new".to_owned(), |to| format!(" of {to}"));
    Serving {
        before: format!("{instances}{}", from.unwrap_or_default()),
        meanwhile,
        afterwards: format!("{instances}{anew}"),
    }
}

/// ` to version 4 of lt-0abc`, with the instance types if they change.
fn destination(live: &Object, want: &Object, changed: &[String]) -> String {
    if !changed.iter().any(|c| LAUNCH.contains(&c.as_str())) {
        return String::new();
    }
    let types = |o: &Object| -> Vec<String> {
        let policy = o.block(&MIXED_INSTANCES_POLICY).and_then(|p| p.block(&mixed::TEMPLATE));
        let overrides = policy.map(|t| t.all(&mixed::OVERRIDE)).unwrap_or_default();
        overrides.iter().filter_map(|b| b.get(&mixed::INSTANCE_TYPE)).collect()
    };
    let (had, wanted) = (types(live), types(want));
    let numbered = |(template, version): (String, Option<String>)| match version.as_deref() {
        Some("$Latest") => format!(" to the latest version of {template}"),
        Some("$Default") | None => format!(" to the default version of {template}"),
        Some(version) => format!(" to version {version} of {template}"),
    };
    let mut text = match (versions::declared(want), versions::declared(live)) {
        (Some(known), _) if !version_unknown(want) => numbered(known),
        // Not known before the template has its new version.
        (_, Some((template, _))) => format!(" to the new version of {template}"),
        _ => String::new(),
    };
    if had != wanted && !wanted.is_empty() {
        text.push_str(&format!(", instance types {}", wanted.join(", ")));
    }
    text
}

fn version_unknown(want: &Object) -> bool {
    ["launch_template", "mixed_instances_policy"].iter().any(|name| {
        let unknown_string = |v: &Value| v.is_unknown() && v.ty() == Type::String;
        want.value(name).is_some_and(|v| v.is_unknown() || v.any(&mut |v| unknown_string(v)))
    })
}

/// Declared, or the prefix with the token, so that a second try makes the same.
fn name(job: &Job<'_>) -> String {
    let prefix = || job.want.get(&NAME_PREFIX).unwrap_or_else(|| "terraform-".to_owned());
    job.want.get(&NAME).unwrap_or_else(|| format!("{}{}", prefix(), job.token))
}

/// Groups by name, at most 100 a call (AWS's limit of records a page); those that are gone are left out.
async fn describe(aws: &Aws, names: &[String]) -> Result<Vec<AutoScalingGroup>, AwsError> {
    let mut found = Vec::new();
    for chunk in names.chunks(100) {
        let page: Vec<AutoScalingGroup> = aws
            .autoscaling
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(chunk.to_vec()))
            .max_records(100)
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .op("DescribeAutoScalingGroups")?;
        found.extend(page);
    }
    Ok(found)
}

/// Names of the groups that scaling policies move: one paged call for all groups.
async fn scaled_by_policies(aws: &Aws) -> Result<BTreeSet<String>, AwsError> {
    let call = aws.autoscaling.describe_policies().max_records(100).into_paginator().items();
    let policies: Vec<sdk::ScalingPolicy> = call.send().try_collect().await.op("DescribePolicies")?;
    let on = policies.into_iter().filter(|p| p.enabled() != Some(false));
    Ok(on.filter_map(|p| p.auto_scaling_group_name).collect())
}

async fn creation(
    aws: &Aws,
    job: &Job<'_>,
    name: &str,
) -> Result<
    aws_sdk_autoscaling::operation::create_auto_scaling_group::builders::CreateAutoScalingGroupFluentBuilder,
    AwsError,
> {
    let want = job.want;
    let (template, policy) = refreshing::launched_from(aws, want).await?;
    let mut tags: Vec<sdk::Tag> = want
        .all(&TAG)
        .iter()
        .map(|t| convert::tag(name, &t.need(&tag::KEY), &t.need(&tag::VALUE), t.need(&tag::PROPAGATE)))
        .collect();
    tags.push(convert::tag(name, tags::OWNERSHIP, job.token, false));
    let maintenance = want.has("instance_maintenance_policy").then(|| convert::maintenance_policy(want));
    Ok(aws
        .autoscaling
        .create_auto_scaling_group()
        .auto_scaling_group_name(name)
        .set_launch_configuration_name(want.get(&LAUNCH_CONFIGURATION))
        .set_launch_template(template)
        .set_mixed_instances_policy(policy)
        .set_min_size(small(want.get(&MIN_SIZE)))
        .set_max_size(small(want.get(&MAX_SIZE)))
        .set_desired_capacity(small(want.get(&DESIRED_CAPACITY)))
        .set_desired_capacity_type(want.get(&DESIRED_CAPACITY_TYPE))
        .set_default_cooldown(small(want.get(&DEFAULT_COOLDOWN)))
        .set_default_instance_warmup(small(want.get(&DEFAULT_INSTANCE_WARMUP)))
        .set_availability_zones(
            some(want.all(&AVAILABILITY_ZONES)).filter(|_| !want.has("vpc_zone_identifier")),
        )
        .set_vpc_zone_identifier(some(want.all(&VPC_ZONE_IDENTIFIER)).map(|s| s.join(",")))
        .set_availability_zone_distribution(convert::zone_distribution(want))
        .set_load_balancer_names(some(want.all(&LOAD_BALANCERS)))
        .set_target_group_arns(some(want.all(&TARGET_GROUP_ARNS)))
        .set_traffic_sources(some(convert::traffic_sources(want)))
        .set_health_check_type(want.get(&HEALTH_CHECK_TYPE))
        .set_health_check_grace_period(small(want.get(&HEALTH_CHECK_GRACE_PERIOD)))
        .set_placement_group(want.get(&PLACEMENT_GROUP))
        .set_termination_policies(some(want.all(&TERMINATION_POLICIES)))
        .set_new_instances_protected_from_scale_in(want.get(&PROTECT_FROM_SCALE_IN))
        .set_capacity_rebalance(want.get(&CAPACITY_REBALANCE))
        .set_capacity_reservation_specification(convert::capacity_reservation(want))
        .set_lifecycle_hook_specification_list(some(convert::lifecycle_hooks(want)))
        .set_service_linked_role_arn(want.get(&SERVICE_LINKED_ROLE_ARN))
        .set_max_instance_lifetime(small(want.get(&MAX_INSTANCE_LIFETIME)))
        .set_instance_maintenance_policy(maintenance)
        .set_context(want.get(&CONTEXT))
        .set_tags(Some(tags)))
}

/// Sends what changed of the group itself. The launch template only with other subnets, else a refresh carries
/// it; a launch configuration (`with_configuration`), which a refresh cannot carry.
async fn update_group(aws: &Aws, job: &Job<'_>, with_configuration: bool) -> Result<(), AwsError> {
    let (want, changes) = (job.want, |names: &[&str]| job.changes(names));
    let mut call = aws.autoscaling.update_auto_scaling_group().auto_scaling_group_name(job.id);
    let mut any = false;
    macro_rules! send {
        ($name:literal, $setter:ident, $value:expr) => {
            if changes(&[$name]) {
                call = call.$setter($value);
                any = true;
            }
        };
    }
    send!("min_size", set_min_size, small(want.get(&MIN_SIZE)));
    send!("max_size", set_max_size, small(want.get(&MAX_SIZE)));
    send!("desired_capacity", set_desired_capacity, small(want.get(&DESIRED_CAPACITY)));
    send!("desired_capacity_type", set_desired_capacity_type, want.get(&DESIRED_CAPACITY_TYPE));
    send!("default_cooldown", set_default_cooldown, small(want.get(&DEFAULT_COOLDOWN)));
    // -1 takes a warm-up away, 0 a lifetime.
    send!(
        "default_instance_warmup",
        set_default_instance_warmup,
        small(want.get(&DEFAULT_INSTANCE_WARMUP)).or(Some(-1))
    );
    send!(
        "max_instance_lifetime",
        set_max_instance_lifetime,
        small(want.get(&MAX_INSTANCE_LIFETIME)).or(Some(0))
    );
    send!("availability_zones", set_availability_zones, some(want.all(&AVAILABILITY_ZONES)));
    send!(
        "vpc_zone_identifier",
        set_vpc_zone_identifier,
        some(want.all(&VPC_ZONE_IDENTIFIER)).map(|s| s.join(","))
    );
    send!(
        "availability_zone_distribution",
        set_availability_zone_distribution,
        convert::zone_distribution(want)
    );
    send!("health_check_type", set_health_check_type, want.get(&HEALTH_CHECK_TYPE));
    send!(
        "health_check_grace_period",
        set_health_check_grace_period,
        small(want.get(&HEALTH_CHECK_GRACE_PERIOD))
    );
    send!("placement_group", set_placement_group, want.get(&PLACEMENT_GROUP).or(Some(String::new())));
    send!(
        "termination_policies",
        set_termination_policies,
        some(want.all(&TERMINATION_POLICIES)).or(Some(vec!["Default".to_owned()]))
    );
    send!(
        "protect_from_scale_in",
        set_new_instances_protected_from_scale_in,
        want.get(&PROTECT_FROM_SCALE_IN).or(Some(false))
    );
    send!("capacity_rebalance", set_capacity_rebalance, want.get(&CAPACITY_REBALANCE).or(Some(false)));
    send!(
        "capacity_reservation_specification",
        set_capacity_reservation_specification,
        convert::capacity_reservation(want)
    );
    send!("service_linked_role_arn", set_service_linked_role_arn, want.get(&SERVICE_LINKED_ROLE_ARN));
    send!(
        "instance_maintenance_policy",
        set_instance_maintenance_policy,
        Some(convert::maintenance_policy(want))
    );
    send!("context", set_context, want.get(&CONTEXT).or(Some(String::new())));
    if with_configuration && changes(&["launch_configuration"]) {
        call = call.set_launch_configuration_name(want.get(&LAUNCH_CONFIGURATION));
        any = true;
    }
    let launches_anew = is_empty(job.live) && job.changes(LAUNCH) && !changes(&["launch_configuration"]);
    if !carries_template(job) || launches_anew {
        any = true;
        let (template, policy) = refreshing::launched_from(aws, want).await?;
        call = call.set_launch_template(template).set_mixed_instances_policy(policy);
    }
    let began = aws_smithy_types::DateTime::from_secs(aws.clock.now().as_second());
    if any {
        let passing = |e: &AwsError| e.is(SCALING);
        let deadline = timeouts::limit(want, &timeouts::UPDATE, 10);
        patiently(aws, "UpdateAutoScalingGroup", deadline, job.progress, passing, async || {
            call.clone().send().await.op("UpdateAutoScalingGroup")
        })
        .await?;
    }
    if changes(&["tag"]) {
        set_tags(aws, job).await?;
    }
    set_sources(aws, job).await?;
    if changes(&["suspended_processes"]) {
        set_processes(aws, job.id, job.live, want).await?;
    }
    if changes(&["enabled_metrics", "metrics_granularity"]) {
        set_metrics(aws, job.id, job.live, want).await?;
    }
    if changes(&["warm_pool"]) {
        match want.has("warm_pool") {
            true => put_warm_pool(aws, job.id, want).await?,
            false => {
                let force = want.get(&FORCE_DELETE_WARM_POOL).unwrap_or(false);
                delete_warm_pool(aws, job, force).await?;
            }
        }
    }
    if changes(&["min_size", "max_size", "desired_capacity"]) {
        wait_for_capacity(aws, job, job.id, began).await?;
        capacity::wait_for_drained(aws, job).await?;
    }
    Ok(())
}

fn object(g: &AutoScalingGroup, known: &Object, version: Option<&str>) -> Object {
    let declared: Vec<String> = known.all(&TAG).iter().filter_map(|t| t.get(&tag::KEY)).collect();
    let shown = |key: &str| tags::visible(key) || declared.iter().any(|d| d == key);
    let tag = |t: &sdk::TagDescription| {
        let mut b = Object::new();
        b.set(&tag::KEY, t.key())
            .set(&tag::VALUE, t.value().unwrap_or_default())
            .set(&tag::PROPAGATE, t.propagate_at_launch().unwrap_or(false));
        b
    };
    let subnets: Vec<String> = g
        .vpc_zone_identifier()
        .unwrap_or("")
        .split(',')
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect();
    let processes: Vec<String> =
        g.suspended_processes().iter().filter_map(|p| p.process_name().map(str::to_owned)).collect();
    let metrics: Vec<String> =
        g.enabled_metrics().iter().filter_map(|m| m.metric().map(str::to_owned)).collect();
    let mut o = Object::new();
    o.set(&ID, g.auto_scaling_group_name())
        .set(&ARN, g.auto_scaling_group_arn())
        .set(&NAME, g.auto_scaling_group_name())
        .set(&NAME_PREFIX, known.get(&NAME_PREFIX))
        .set(&MIN_SIZE, g.min_size())
        .set(&MAX_SIZE, g.max_size())
        .set(&DESIRED_CAPACITY, g.desired_capacity())
        .set(&DESIRED_CAPACITY_TYPE, g.desired_capacity_type())
        .set(&LAUNCH_CONFIGURATION, g.launch_configuration_name())
        .set(&VPC_ZONE_IDENTIFIER, some(subnets))
        .set(&AVAILABILITY_ZONES, g.availability_zones())
        .set(&TARGET_GROUP_ARNS, g.target_group_arns())
        .set(&LOAD_BALANCERS, g.load_balancer_names())
        .set(&HEALTH_CHECK_TYPE, g.health_check_type())
        .set(&HEALTH_CHECK_GRACE_PERIOD, g.health_check_grace_period())
        .set(&DEFAULT_COOLDOWN, g.default_cooldown())
        .set(&DEFAULT_INSTANCE_WARMUP, g.default_instance_warmup())
        .set(&PROTECT_FROM_SCALE_IN, g.new_instances_protected_from_scale_in().unwrap_or(false))
        .set(&CAPACITY_REBALANCE, g.capacity_rebalance().unwrap_or(false))
        .set(&MAX_INSTANCE_LIFETIME, g.max_instance_lifetime())
        .set(&TERMINATION_POLICIES, g.termination_policies())
        .set(&SUSPENDED_PROCESSES, processes)
        .set(&ENABLED_METRICS, metrics)
        .set(&METRICS_GRANULARITY, g.enabled_metrics().first().and_then(|m| m.granularity()))
        .set(&PLACEMENT_GROUP, g.placement_group())
        .set(&SERVICE_LINKED_ROLE_ARN, g.service_linked_role_arn())
        .set(&CONTEXT, g.context())
        .set(&PREDICTED_CAPACITY, g.predicted_capacity())
        .set(&WARM_POOL_SIZE, g.warm_pool_size().unwrap_or(0));
    let template = g.launch_template().map(|t| convert::launch_template_block(t, version));
    let policy = g.mixed_instances_policy().map(|p| convert::mixed_policy_block(p, version));
    o.set_blocks(&LAUNCH_TEMPLATE, template.into_iter().collect())
        .set_blocks(&MIXED_INSTANCES_POLICY, policy.into_iter().collect())
        .set_blocks(&TAG, g.tags().iter().filter(|t| shown(t.key().unwrap_or(""))).map(tag).collect());
    convert::set_small_blocks(&mut o, g);
    o
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_version(version: &str) -> Object {
        let (mut t, mut o) = (Object::new(), Object::new());
        t.set(&template::ID, "lt-1").set(&template::VERSION, version);
        o.set(&NAME, "web").set_blocks(&LAUNCH_TEMPLATE, vec![t]);
        o
    }

    fn names(steps: &[RolloutStep]) -> Vec<&str> {
        steps.iter().map(|s| s.name.as_str()).collect()
    }

    #[test]
    fn a_new_template_version_is_a_refresh_and_no_update_of_the_group() {
        let (live, want) = (with_version("3"), with_version("4"));
        let steps = AutoscalingGroup.rollout(&live, &want, &["launch_template".to_owned()], None);
        assert_eq!(names(&steps), ["start-refresh", "await-refresh"]);
        assert_eq!(steps[0].text, "start an instance refresh of web to version 4 of lt-1 (90–110 % healthy)");
    }

    #[test]
    fn sizes_are_updated_before_the_refresh() {
        let (live, want) = (with_version("3"), with_version("4"));
        let changed = ["launch_template".to_owned(), "max_size".to_owned(), "instance_refresh".to_owned()];
        let steps = AutoscalingGroup.rollout(&live, &want, &changed, None);
        assert_eq!(names(&steps), ["update-group", "start-refresh", "await-refresh"]);
        assert_eq!(steps[0].text, "update web: max_size");
    }

    #[test]
    fn a_size_alone_is_a_plain_update() {
        let live = with_version("3");
        assert_eq!(AutoscalingGroup.rollout(&live, &live, &["max_size".to_owned()], None), []);
    }

    #[test]
    fn a_declared_trigger_starts_a_refresh() {
        let (mut r, mut want) = (Object::new(), with_version("3"));
        r.set(&refresh::STRATEGY, "Rolling").set(&refresh::TRIGGERS, vec!["tag".to_owned()]);
        want.set_blocks(&INSTANCE_REFRESH, vec![r]);
        let steps = AutoscalingGroup.rollout(&with_version("3"), &want, &["tag".to_owned()], None);
        assert_eq!(names(&steps), ["update-group", "start-refresh", "await-refresh"]);
    }

    #[test]
    fn the_tag_of_ecs_shows_only_where_it_is_declared() {
        let group = AutoScalingGroup::builder()
            .tags(
                sdk::TagDescription::builder()
                    .key(ECS_MANAGED)
                    .value("true")
                    .propagate_at_launch(true)
                    .build(),
            )
            .build();
        assert_eq!(object(&group, &Object::new(), None).all(&TAG).len(), 0);
        let (mut t, mut known) = (Object::new(), Object::new());
        t.set(&tag::KEY, ECS_MANAGED).set(&tag::VALUE, "true").set(&tag::PROPAGATE, true);
        known.set_blocks(&TAG, vec![t]);
        assert_eq!(object(&group, &known, None).all(&TAG).len(), 1);
    }
}
