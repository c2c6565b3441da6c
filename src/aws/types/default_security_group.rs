//! `aws_default_security_group`: takes charge of the group that every VPC comes with.
//!
//! It is adopted, not made, and stays when the resource goes: AWS does not delete it.

use super::ec2;
use super::security_group::{self, EGRESS, INGRESS};
use super::sg_permissions::{self as permissions, Direction};
use crate::aws::tags::{TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job};
use crate::schema::{Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::SecurityGroup as Live;

attributes! {
    TABLE [EGRESS, INGRESS, TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    DESCRIPTION: Str = computed("description");
    NAME: Str = computed("name");
    NAME_PREFIX: Str = computed("name_prefix");
    OWNER_ID: Str = computed("owner_id");
    REVOKE_ON_DELETE: Bool = optional("revoke_rules_on_delete").default_bool(false).local();
    VPC_ID: Str = optional_computed("vpc_id").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "The group that a VPC comes with: without rules unless some are declared",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "closed" }
}
"#,
    ..TypeSchema::new("aws_default_security_group", &TABLE)
};

pub struct DefaultSecurityGroup;

#[async_trait(?Send)]
impl AwsType for DefaultSecurityGroup {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found =
            ec2::by_id(items, async |ids| security_group::describe(aws, ec2::filter("group-id", ids)).await)
                .await?;
        Ok(ec2::in_order(items, &found, Live::group_id, |group, item| {
            security_group::object(aws, group, item.known)
        }))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let Some(id) = adopted(aws, job).await? else {
            let message = "the VPC has no default security group, or there is no default VPC";
            return Err(AwsError::failed("DescribeSecurityGroups", "NotFound", message));
        };
        security_group::set_rules(aws, job, &id).await?;
        // Tags that it already has are taken over: those that are wanted are set, the others go.
        let mut items = self.read(aws, &[Existing { id: &id, known: job.want }]).await?;
        let live = items.pop().flatten().unwrap_or_default();
        ec2::update_tags(aws, &Job { id: &id, live: &live, ..*job }).await?;
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

    async fn delete(&self, _aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        (job.progress)("the default security group stays with its VPC, as it is");
        Ok(())
    }

    /// Adopting is harmless to repeat, and undeclared rules must have gone: creation does it again.
    async fn find(&self, _aws: &Aws, _job: &Job<'_>) -> Result<Option<String>, AwsError> {
        Ok(None)
    }
}

/// The id of the VPC's default group; of the account's default VPC if none is named.
async fn adopted(aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
    let vpc = match job.want.get(&VPC_ID) {
        Some(vpc) => vpc,
        None => {
            use crate::aws::Op;
            let request = aws.ec2.describe_vpcs().filters(ec2::filter("is-default", ["true"]));
            let answer = request.send().await.op("DescribeVpcs")?;
            let Some(vpc) = answer.vpcs().first().and_then(|v| v.vpc_id()) else { return Ok(None) };
            vpc.to_owned()
        }
    };
    let found = security_group::describe(aws, ec2::filter("vpc-id", [vpc])).await?;
    let default = found.iter().find(|g| g.group_name() == Some("default"));
    Ok(default.and_then(Live::group_id).map(str::to_owned))
}
