//! `aws_vpc`: a virtual network.

use super::ec2;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType, Tenancy, VpcAttributeName, VpcState};
use std::time::Duration;

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    CIDR_BLOCK: Str = optional_computed("cidr_block").replaces().doc("IPv4 range, /16 to /28");
    INSTANCE_TENANCY: Str = optional("instance_tenancy").default_str("default").one_of(&["default", "dedicated"]);
    ENABLE_DNS_SUPPORT: Bool = optional("enable_dns_support").default_bool(true);
    ENABLE_DNS_HOSTNAMES: Bool = optional_computed("enable_dns_hostnames").watched();
    ARN: Str = computed("arn");
    OWNER_ID: Str = computed("owner_id");
    MAIN_ROUTE_TABLE_ID: Str = computed("main_route_table_id");
    DEFAULT_SECURITY_GROUP_ID: Str = computed("default_security_group_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A virtual network",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
}
"#,
    ..TypeSchema::new("aws_vpc", &TABLE)
};

pub struct Vpc;

#[async_trait(?Send)]
impl AwsType for Vpc {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        // A filter, not VpcIds: ids that are gone would fail the whole call.
        let found = ec2::by_id(items, async |ids| {
            let filter = Filter::builder().name("vpc-id").set_values(Some(ids)).build();
            aws.ec2
                .describe_vpcs()
                .filters(filter)
                .into_paginator()
                .items()
                .send()
                .try_collect()
                .await
                .op("DescribeVpcs")
        })
        .await?;
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let vpc = found.iter().find(|v| v.vpc_id() == Some(item.id));
            objects.push(match vpc {
                Some(vpc) => Some(object(aws, vpc).await?),
                None => None,
            });
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let made = aws
            .ec2
            .create_vpc()
            .set_cidr_block(job.want.get(&CIDR_BLOCK))
            .instance_tenancy(Tenancy::from(job.want.need(&INSTANCE_TENANCY).as_str()))
            .tag_specifications(ec2::tag_specification(ResourceType::Vpc, job))
            .send()
            .await
            .op("CreateVpc")?;
        let id = made.vpc().and_then(|v| v.vpc_id()).unwrap_or_default().to_owned();
        wait_available(aws, &id, job.progress).await?;
        let fresh = Object::new();
        set_dns(aws, &id, &fresh, job.want).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["instance_tenancy"]) {
            aws.ec2
                .modify_vpc_tenancy()
                .vpc_id(job.id)
                .instance_tenancy(aws_sdk_ec2::types::VpcTenancy::Default)
                .send()
                .await
                .op("ModifyVpcTenancy")?;
        }
        set_dns(aws, job.id, job.live, job.want).await?;
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let result = aws.ec2.delete_vpc().vpc_id(job.id).send().await.op("DeleteVpc");
        absent(result, &["InvalidVpcID.NotFound"]).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let answer =
            aws.ec2.describe_vpcs().filters(ec2::owned_by(job.token)).send().await.op("DescribeVpcs")?;
        Ok(answer.vpcs().first().and_then(|v| v.vpc_id()).map(str::to_owned))
    }
}

async fn object(aws: &Aws, vpc: &aws_sdk_ec2::types::Vpc) -> Result<Object, AwsError> {
    let id = vpc.vpc_id().unwrap_or_default();
    let owner = vpc.owner_id().unwrap_or_default();
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&CIDR_BLOCK, vpc.cidr_block())
        .set(&INSTANCE_TENANCY, vpc.instance_tenancy().map(|t| t.as_str()))
        .set(&OWNER_ID, owner)
        .set(&ARN, format!("arn:aws:ec2:{}:{owner}:vpc/{id}", aws.region))
        // AWS has no list form of these three: they are asked per VPC.
        .set(&ENABLE_DNS_SUPPORT, dns(aws, id, VpcAttributeName::EnableDnsSupport).await?)
        .set(&ENABLE_DNS_HOSTNAMES, dns(aws, id, VpcAttributeName::EnableDnsHostnames).await?)
        .set(&MAIN_ROUTE_TABLE_ID, main_route_table(aws, id).await?)
        .set(&DEFAULT_SECURITY_GROUP_ID, default_security_group(aws, id).await?);
    tags::read(&mut o, ec2::pairs(vpc.tags()));
    Ok(o)
}

async fn dns(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<bool, AwsError> {
    let answer = aws
        .ec2
        .describe_vpc_attribute()
        .vpc_id(id)
        .attribute(name)
        .send()
        .await
        .op("DescribeVpcAttribute")?;
    let value = answer.enable_dns_support().or(answer.enable_dns_hostnames());
    Ok(value.and_then(|v| v.value()).unwrap_or(false))
}

async fn main_route_table(aws: &Aws, id: &str) -> Result<Option<String>, AwsError> {
    let answer = aws
        .ec2
        .describe_route_tables()
        .filters(Filter::builder().name("vpc-id").values(id).build())
        .filters(Filter::builder().name("association.main").values("true").build())
        .send()
        .await
        .op("DescribeRouteTables")?;
    Ok(answer.route_tables().first().and_then(|t| t.route_table_id()).map(str::to_owned))
}

async fn default_security_group(aws: &Aws, id: &str) -> Result<Option<String>, AwsError> {
    let answer = aws
        .ec2
        .describe_security_groups()
        .filters(Filter::builder().name("vpc-id").values(id).build())
        .filters(Filter::builder().name("group-name").values("default").build())
        .send()
        .await
        .op("DescribeSecurityGroups")?;
    Ok(answer.security_groups().first().and_then(|g| g.group_id()).map(str::to_owned))
}

async fn wait_available(aws: &Aws, id: &str, progress: &dyn Fn(&str)) -> Result<(), AwsError> {
    let (every, deadline) = (Duration::from_secs(2), Duration::from_secs(300));
    wait(aws, "CreateVpc", every, deadline, progress, async || {
        let answer = aws.ec2.describe_vpcs().vpc_ids(id).send().await.op("DescribeVpcs");
        let state = absent(answer, &["InvalidVpcID.NotFound"])?
            .and_then(|a| a.vpcs().first().and_then(|v| v.state().cloned()));
        Ok(match state {
            Some(VpcState::Available) => Poll::Ready(()),
            other => Poll::Pending(other.map_or("not visible yet".into(), |s| s.to_string())),
        })
    })
    .await
}

/// AWS takes one attribute a call.
async fn set_dns(aws: &Aws, id: &str, live: &Object, want: &Object) -> Result<(), AwsError> {
    let value = |b: bool| AttributeBooleanValue::builder().value(b).build();
    if let Some(on) = want.get(&ENABLE_DNS_SUPPORT).filter(|on| live.get(&ENABLE_DNS_SUPPORT) != Some(*on)) {
        aws.ec2
            .modify_vpc_attribute()
            .vpc_id(id)
            .enable_dns_support(value(on))
            .send()
            .await
            .op("ModifyVpcAttribute")?;
    }
    if let Some(on) =
        want.get(&ENABLE_DNS_HOSTNAMES).filter(|on| live.get(&ENABLE_DNS_HOSTNAMES) != Some(*on))
    {
        aws.ec2
            .modify_vpc_attribute()
            .vpc_id(id)
            .enable_dns_hostnames(value(on))
            .send()
            .await
            .op("ModifyVpcAttribute")?;
    }
    Ok(())
}
