//! `aws_ecs_capacity_provider`: an Auto Scaling group as capacity of a cluster.

use super::ecs::{self, built, small};
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes, second_name};
use async_trait::async_trait;
use aws_sdk_ecs::types::{
    AutoScalingGroupProvider, AutoScalingGroupProviderUpdate, CapacityProvider, CapacityProviderField,
    CapacityProviderStatus, CapacityProviderUpdateStatus, ManagedScaling,
};
use std::time::Duration;

mod scaling {
    use super::*;
    attributes! {
        TABLE:
        STATUS: Str = optional_computed("status").one_of(&["ENABLED", "DISABLED"]);
        TARGET_CAPACITY: Int = optional_computed("target_capacity").range(1, 100);
        MINIMUM_SCALING_STEP_SIZE: Int = optional_computed("minimum_scaling_step_size").range(1, 10_000);
        MAXIMUM_SCALING_STEP_SIZE: Int = optional_computed("maximum_scaling_step_size").range(1, 10_000);
        INSTANCE_WARMUP_PERIOD: Int = optional_computed("instance_warmup_period").range(0, 10_000);
    }
}

mod provider {
    use super::*;
    attributes! {
        TABLE:
        AUTO_SCALING_GROUP_ARN: Str = required("auto_scaling_group_arn").replaces().check(arn::check)
            .doc("AWS cannot move a provider to another group");
        MANAGED_DRAINING: Str = optional_computed("managed_draining").one_of(&["ENABLED", "DISABLED"]);
        MANAGED_TERMINATION_PROTECTION: Str = optional_computed("managed_termination_protection")
            .one_of(&["ENABLED", "DISABLED"]);
        MANAGED_SCALING: Blocks = optional_computed("managed_scaling").single(&scaling::TABLE);
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    NAME: Str = required("name").replaces().same(second_name::same::<LONGEST_NAME>);
    ARN: Str = computed("arn");
    AUTO_SCALING_GROUP_PROVIDER: Blocks = required("auto_scaling_group_provider")
        .single(&provider::TABLE).min_items(1);
}

const LONGEST_NAME: usize = 255;

/// A group belongs to one provider at a time.
fn of_another_group(live: &Object, want: &Object) -> bool {
    let group = |o: &Object| {
        let block = o.block(&AUTO_SCALING_GROUP_PROVIDER)?;
        block.value("auto_scaling_group_arn").cloned()
    };
    group(live) != group(want)
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "An Auto Scaling group as capacity that ECS scales by the tasks to place",
    example: r#"
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

resource "aws_launch_template" "hosts" {
  name_prefix   = "hosts-"
  image_id      = data.aws_ssm_parameter.image.value
  instance_type = "t3.micro"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_autoscaling_group" "hosts" {
  name                = "hosts"
  min_size            = 0
  max_size            = 2
  vpc_zone_identifier = [aws_subnet.a.id]

  launch_template {
    id      = aws_launch_template.hosts.id
    version = aws_launch_template.hosts.latest_version
  }
}

resource "aws_ecs_capacity_provider" "hosts" {
  name = "hosts"

  auto_scaling_group_provider {
    auto_scaling_group_arn = aws_autoscaling_group.hosts.arn

    managed_scaling {
      status          = "ENABLED"
      target_capacity = 80
    }
  }
}
"#,
    validate,
    unique: &["name"],
    create_before_destroy: true,
    second_name: Some(LONGEST_NAME),
    may_stand_beside: of_another_group,
    ..TypeSchema::new("aws_ecs_capacity_provider", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if let Some(name) = want.get(&NAME) {
        let lower = name.to_lowercase();
        if ["aws", "ecs", "fargate"].iter().any(|p| lower.starts_with(p)) {
            problems.push(("name", "must not begin with `aws`, `ecs` or `fargate`".to_owned()));
        }
    }
    if let Some(p) = want.block(&AUTO_SCALING_GROUP_PROVIDER) {
        let scaling = p.block(&provider::MANAGED_SCALING);
        let off = scaling.is_some_and(|s| s.get(&scaling::STATUS).as_deref() == Some("DISABLED"));
        if off && p.get(&provider::MANAGED_TERMINATION_PROTECTION).as_deref() == Some("ENABLED") {
            let text = "managed_termination_protection needs managed_scaling with status ENABLED";
            problems.push(("auto_scaling_group_provider", text.to_owned()));
        }
    }
    problems
}

pub struct EcsCapacityProvider;

#[async_trait(?Send)]
impl AwsType for EcsCapacityProvider {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let ids: Vec<String> = items.iter().map(|i| i.id.to_owned()).collect();
        let found = describe(aws, &ids).await?;
        let is =
            |p: &&CapacityProvider, id: &str| p.capacity_provider_arn() == Some(id) || p.name() == Some(id);
        Ok(items.iter().map(|i| found.iter().find(|p| is(p, i.id)).map(object)).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let block = job.want.block(&AUTO_SCALING_GROUP_PROVIDER).unwrap_or_default();
        let group = AutoScalingGroupProvider::builder()
            .auto_scaling_group_arn(block.need(&provider::AUTO_SCALING_GROUP_ARN))
            .set_managed_scaling(block.block(&provider::MANAGED_SCALING).map(|s| managed_scaling(&s)))
            .set_managed_termination_protection(
                block.get(&provider::MANAGED_TERMINATION_PROTECTION).map(|p| p.as_str().into()),
            )
            .set_managed_draining(block.get(&provider::MANAGED_DRAINING).map(|d| d.as_str().into()))
            .build();
        let call = aws
            .ecs
            .create_capacity_provider()
            .name(job.want.need(&NAME))
            .auto_scaling_group_provider(built("CreateCapacityProvider", group)?)
            .set_tags(Some(ecs::creation_tags(job)));
        // A new group, and the service-linked role, take moments until ECS sees them.
        let passing = |e: &AwsError| {
            e.is(&["UpdateInProgressException"])
                || e.message.contains("does not exist")
                || e.message.contains("service linked role")
        };
        let deadline = Duration::from_secs(120);
        let made =
            ecs::patiently(aws, "CreateCapacityProvider", deadline, job.progress, passing, async || {
                call.clone().send().await.op("CreateCapacityProvider")
            })
            .await?;
        let arn = made.capacity_provider().and_then(|p| p.capacity_provider_arn()).unwrap_or_default();
        wait_settled(aws, "CreateCapacityProvider", arn, job.progress).await?;
        Ok(arn.to_owned())
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["auto_scaling_group_provider"]) {
            let block = job.want.block(&AUTO_SCALING_GROUP_PROVIDER).unwrap_or_default();
            let update = AutoScalingGroupProviderUpdate::builder()
                .set_managed_scaling(block.block(&provider::MANAGED_SCALING).map(|s| managed_scaling(&s)))
                .set_managed_termination_protection(
                    block.get(&provider::MANAGED_TERMINATION_PROTECTION).map(|p| p.as_str().into()),
                )
                .set_managed_draining(block.get(&provider::MANAGED_DRAINING).map(|d| d.as_str().into()))
                .build();
            let call = aws
                .ecs
                .update_capacity_provider()
                .name(job.want.need(&NAME))
                .auto_scaling_group_provider(update);
            let passing = |e: &AwsError| e.is(&["UpdateInProgressException"]);
            let deadline = Duration::from_secs(600);
            ecs::patiently(aws, "UpdateCapacityProvider", deadline, job.progress, passing, async || {
                call.clone().send().await.op("UpdateCapacityProvider")
            })
            .await?;
            wait_settled(aws, "UpdateCapacityProvider", job.id, job.progress).await?;
        }
        ecs::update_tags(aws, job.id, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = Duration::from_secs(20 * 60);
        let passing = |e: &AwsError| {
            e.is(&["UpdateInProgressException", "ResourceInUseException"]) || e.message.contains("in use")
        };
        let result =
            ecs::patiently(aws, "DeleteCapacityProvider", deadline, job.progress, passing, async || {
                aws.ecs
                    .delete_capacity_provider()
                    .capacity_provider(job.id)
                    .send()
                    .await
                    .op("DeleteCapacityProvider")
            })
            .await;
        let gone = ["not found", "does not exist"];
        match result {
            Err(e) if e.is(&["ResourceNotFoundException"]) || gone.iter().any(|g| e.message.contains(g)) => {}
            other => drop(other?),
        }
        wait(aws, "DeleteCapacityProvider", Duration::from_secs(5), deadline, job.progress, async || {
            let found = describe(aws, &[job.id.to_owned()]).await?;
            let Some(provider) = found.first() else { return Ok(Poll::Ready(())) };
            if provider.update_status() == Some(&CapacityProviderUpdateStatus::DeleteFailed) {
                let reason = provider.update_status_reason().unwrap_or("AWS gave no reason");
                return Err(AwsError::failed("DeleteCapacityProvider", "NotStable", reason));
            }
            Ok(Poll::Pending("being deleted".to_owned()))
        })
        .await
    }

    async fn settle(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        wait_settled(aws, "CreateCapacityProvider", job.id, job.progress).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, &[job.want.need(&NAME)]).await?;
        let ours = found.iter().find(|p| ecs::is_ours(p.tags(), job.token));
        Ok(ours.and_then(|p| p.capacity_provider_arn()).map(str::to_owned))
    }
}

/// Capacity providers by name or ARN, at most 100 a call; those that are gone are left out.
async fn describe(aws: &Aws, ids: &[String]) -> Result<Vec<CapacityProvider>, AwsError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(100) {
        let answer = aws
            .ecs
            .describe_capacity_providers()
            .set_capacity_providers(Some(chunk.to_vec()))
            .include(CapacityProviderField::Tags)
            .send()
            .await
            .op("DescribeCapacityProviders");
        let answer = absent(answer, &["ResourceNotFoundException"])?;
        found.extend(answer.and_then(|a| a.capacity_providers).unwrap_or_default());
    }
    found.retain(|p| p.status() != Some(&CapacityProviderStatus::Inactive));
    Ok(found)
}

async fn wait_settled(aws: &Aws, what: &str, id: &str, progress: &dyn Fn(&str)) -> Result<(), AwsError> {
    use CapacityProviderUpdateStatus::{CreateFailed, CreateInProgress, UpdateFailed, UpdateInProgress};
    let (every, deadline) = (Duration::from_secs(3), Duration::from_secs(600));
    wait(aws, what, every, deadline, progress, async || {
        let found = describe(aws, &[id.to_owned()]).await?;
        let Some(provider) = found.first() else { return Ok(Poll::Pending("not visible yet".to_owned())) };
        match provider.update_status() {
            Some(CreateFailed | UpdateFailed) => {
                let reason = provider.update_status_reason().unwrap_or("AWS gave no reason");
                Err(AwsError::failed(what, "NotStable", reason))
            }
            Some(status @ (CreateInProgress | UpdateInProgress)) => Ok(Poll::Pending(status.to_string())),
            _ if provider.status() == Some(&CapacityProviderStatus::Active) => Ok(Poll::Ready(())),
            _ => Ok(Poll::Pending(provider.status().map_or("unknown".to_owned(), |s| s.to_string()))),
        }
    })
    .await
}

fn managed_scaling(block: &Object) -> ManagedScaling {
    ManagedScaling::builder()
        .set_status(block.get(&scaling::STATUS).map(|s| s.as_str().into()))
        .set_target_capacity(small(block.get(&scaling::TARGET_CAPACITY)))
        .set_minimum_scaling_step_size(small(block.get(&scaling::MINIMUM_SCALING_STEP_SIZE)))
        .set_maximum_scaling_step_size(small(block.get(&scaling::MAXIMUM_SCALING_STEP_SIZE)))
        .set_instance_warmup_period(small(block.get(&scaling::INSTANCE_WARMUP_PERIOD)))
        .build()
}

fn object(p: &CapacityProvider) -> Object {
    let scaling = |s: &ManagedScaling| {
        let mut b = Object::new();
        b.set(&scaling::STATUS, s.status().map(|s| s.as_str()))
            .set(&scaling::TARGET_CAPACITY, s.target_capacity())
            .set(&scaling::MINIMUM_SCALING_STEP_SIZE, s.minimum_scaling_step_size())
            .set(&scaling::MAXIMUM_SCALING_STEP_SIZE, s.maximum_scaling_step_size())
            .set(&scaling::INSTANCE_WARMUP_PERIOD, s.instance_warmup_period());
        b
    };
    let group = |g: &AutoScalingGroupProvider| {
        let mut b = Object::new();
        b.set(&provider::AUTO_SCALING_GROUP_ARN, g.auto_scaling_group_arn())
            .set(&provider::MANAGED_DRAINING, g.managed_draining().map(|d| d.as_str()))
            .set(
                &provider::MANAGED_TERMINATION_PROTECTION,
                g.managed_termination_protection().map(|p| p.as_str()),
            )
            .set_blocks(&provider::MANAGED_SCALING, g.managed_scaling().map(scaling).into_iter().collect());
        b
    };
    let mut o = Object::new();
    o.set(&ID, p.capacity_provider_arn())
        .set(&ARN, p.capacity_provider_arn())
        .set(&NAME, p.name())
        .set_blocks(
            &AUTO_SCALING_GROUP_PROVIDER,
            p.auto_scaling_group_provider().map(group).into_iter().collect(),
        );
    tags::read(&mut o, ecs::pairs(p.tags()));
    o.complete(&TABLE)
}
