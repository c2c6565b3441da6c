//! `aws_security_group`: a firewall around network interfaces.

use super::ec2;
use super::sg_permissions::{self as permissions, Direction};
use super::timeouts::{self, TIMEOUTS_CREATE_DELETE};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{Attr, Blocks, ID, Object, TypeSchema, attributes, second_name};
use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, ResourceType, SecurityGroup as Live};

/// Undeclared, rules are someone else's (rule resources); `[]` means: none.
pub const INGRESS: Attr<Blocks> = rules("ingress");
pub const EGRESS: Attr<Blocks> = rules("egress");

const fn rules(name: &'static str) -> Attr<Blocks> {
    let blocks = Attr::<Blocks>::optional_computed(name).set(&permissions::block::TABLE);
    blocks.also_attribute().same(permissions::same)
}

attributes! {
    TABLE [EGRESS, INGRESS, TAGS, TAGS_ALL, TIMEOUTS_CREATE_DELETE]:
    ARN: Str = computed("arn");
    DESCRIPTION: Str = optional("description").replaces().default_str("Managed by Terraform")
        .check(|v| ec2::check::length(v, 0, 255));
    NAME: Str = optional_computed("name").replaces().same(second_name::same::<LONGEST_NAME>).conflicts_with(&["name_prefix"]).check(checked_name);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().conflicts_with(&["name"]).check(checked_prefix);
    OWNER_ID: Str = computed("owner_id");
    REVOKE_ON_DELETE: Bool = optional("revoke_rules_on_delete").default_bool(false).local();
    VPC_ID: Str = optional_computed("vpc_id").replaces();
}

const LONGEST_NAME: usize = 255;

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A firewall around network interfaces",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_security_group" "web" {
  name_prefix = "web-"
  description = "Web traffic"
  vpc_id      = aws_vpc.main.id

  ingress {
    description = "HTTPS"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }

  tags = { Name = "web" }
}
"#,
    unique: &["name", "vpc_id"],
    // What it protects must leave the old one first: AWS deletes none that is in use.
    create_before_destroy: true,
    second_name: Some(LONGEST_NAME),
    ..TypeSchema::new("aws_security_group", &TABLE)
};

fn checked_name(value: &crate::value::Value) -> Result<(), String> {
    if value.as_str().is_some_and(|s| s.starts_with("sg-")) {
        return Err("must not begin with `sg-`: so do ids".to_owned());
    }
    ec2::check::length(value, 0, 255)
}

/// The generated end has 26 characters.
fn checked_prefix(value: &crate::value::Value) -> Result<(), String> {
    checked_name(value)?;
    ec2::check::length(value, 0, 229)
}

pub struct SecurityGroup;

#[async_trait(?Send)]
impl AwsType for SecurityGroup {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = ec2::by_id(items, async |ids| describe(aws, ec2::filter("group-id", ids)).await).await?;
        Ok(ec2::in_order(items, &found, Live::group_id, |group, item| {
            let mut o = object(aws, group, item.known);
            o.set(&NAME_PREFIX, group.group_name().and_then(ec2::name_prefix));
            o
        }))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 10);
        let prefix = want.get(&NAME_PREFIX).unwrap_or_else(|| "cutover-".to_owned());
        let name = want.get(&NAME).unwrap_or_else(|| ec2::unique_name(&prefix, job.token));
        let made = ec2::retry(
            aws,
            "CreateSecurityGroup",
            &["InvalidVpcID.NotFound"],
            deadline,
            job.progress,
            async || {
                aws.ec2
                    .create_security_group()
                    .group_name(&name)
                    .description(want.need(&DESCRIPTION))
                    .set_vpc_id(want.get(&VPC_ID))
                    .tag_specifications(ec2::tag_specification(ResourceType::SecurityGroup, job))
                    .send()
                    .await
                    .op("CreateSecurityGroup")
            },
        )
        .await?;
        let id = made.group_id().unwrap_or_default().to_owned();
        set_rules(aws, job, &id).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        for (attr, direction) in [(&INGRESS, Direction::Ingress), (&EGRESS, Direction::Egress)] {
            if job.changes(&[attr.row.name]) {
                let live = permissions::of_blocks(&job.live.all(attr));
                let want = permissions::of_blocks(&job.want.all(attr));
                permissions::change(aws, job.id, direction, &live, &want).await?;
            }
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 15);
        if job.want.get(&REVOKE_ON_DELETE) == Some(true) {
            for (attr, direction) in [(&INGRESS, Direction::Ingress), (&EGRESS, Direction::Egress)] {
                let live = permissions::of_blocks(&job.live.all(attr));
                permissions::change(aws, job.id, direction, &live, &permissions::Rules::new()).await?;
            }
        }
        let users = ec2::filter("group-id", [job.id]);
        let result =
            ec2::delete_when_free(aws, "DeleteSecurityGroup", deadline, job.progress, users, async || {
                let result = aws.ec2.delete_security_group().group_id(job.id).send().await;
                absent(
                    result.op("DeleteSecurityGroup"),
                    &["InvalidGroup.NotFound", "InvalidGroupId.NotFound"],
                )
                .map(drop)
            })
            .await;
        match result {
            Err(mut error) if error.is(&["DependencyViolation"]) => {
                let groups = referring(aws, job.id).await.unwrap_or_default();
                if !groups.is_empty() {
                    error.message += &format!("; rules that name it are in {}", groups.join(", "));
                }
                return Err(error);
            }
            other => other?,
        }
        wait(aws, "DeleteSecurityGroup", ec2::EVERY, ec2::minutes(5), job.progress, async || {
            let found = describe(aws, ec2::filter("group-id", [job.id])).await?;
            Ok(if found.is_empty() { Poll::Ready(()) } else { Poll::Pending("still there".to_owned()) })
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, ec2::owned_by(job.token)).await?;
        let Some(id) = found.first().and_then(Live::group_id) else { return Ok(None) };
        // A creation that was cut short may have left AWS's own egress rule, which undeclared would stay.
        set_rules(aws, job, id).await?;
        Ok(Some(id.to_owned()))
    }
}

pub async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<Live>, AwsError> {
    let pages = aws.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeSecurityGroups")
}

/// All but what depends on how the name was made.
pub fn object(aws: &Aws, group: &Live, known: &Object) -> Object {
    let id = group.group_id().unwrap_or_default();
    let owner = group.owner_id().unwrap_or_default();
    let arn = ec2::arn(aws, owner, &format!("security-group/{id}"));
    let ingress = permissions::of_live(group.ip_permissions(), id, owner);
    let egress = permissions::of_live(group.ip_permissions_egress(), id, owner);
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&ARN, group.security_group_arn().map_or(arn, str::to_owned))
        .set(&DESCRIPTION, group.description())
        .set(&NAME, group.group_name())
        .set(&OWNER_ID, owner)
        .set(&VPC_ID, ec2::filled(group.vpc_id()))
        .set_blocks(&INGRESS, permissions::blocks(ingress, &known.all(&INGRESS)))
        .set_blocks(&EGRESS, permissions::blocks(egress, &known.all(&EGRESS)));
    tags::read(&mut o, ec2::pairs(group.tags()));
    o
}

/// Gives a group exactly the declared rules. A new one comes with a rule that lets everything out; it
/// goes, declared or not, as the AWS provider does.
pub async fn set_rules(aws: &Aws, job: &Job<'_>, id: &str) -> Result<(), AwsError> {
    let group = wait(aws, "CreateSecurityGroup", ec2::EVERY, ec2::minutes(5), job.progress, async || {
        let found = describe(aws, ec2::filter("group-id", [id])).await?;
        Ok(found.into_iter().next().map_or(Poll::Pending("not visible yet".to_owned()), Poll::Ready))
    })
    .await?;
    let owner = group.owner_id().unwrap_or_default();
    let live = permissions::of_live(group.ip_permissions(), id, owner);
    let want = permissions::of_blocks(&job.want.all(&INGRESS));
    permissions::change(aws, id, Direction::Ingress, &live, &want).await?;
    let live = permissions::of_live(group.ip_permissions_egress(), id, owner);
    let want = permissions::of_blocks(&job.want.all(&EGRESS));
    permissions::change(aws, id, Direction::Egress, &live, &want).await
}

/// Groups with a rule that names this one: AWS does not delete it while there are any.
async fn referring(aws: &Aws, id: &str) -> Result<Vec<String>, AwsError> {
    let mut groups = Vec::new();
    for name in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        let found = describe(aws, ec2::filter(name, [id])).await?;
        groups.extend(found.iter().filter_map(Live::group_id).filter(|g| *g != id).map(str::to_owned));
    }
    groups.sort();
    groups.dedup();
    Ok(groups)
}
