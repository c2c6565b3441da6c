//! `aws_internet_gateway`: a VPC's door to the internet.

use super::ec2;
use super::timeouts::{self, TIMEOUTS};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{Filter, InternetGateway as Live, ResourceType};

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS]:
    ARN: Str = computed("arn");
    OWNER_ID: Str = computed("owner_id");
    VPC_ID: Str = optional_computed("vpc_id").replaces_if(moves).doc("The VPC it is attached to");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A VPC's door to the internet",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = "main" }
}
"#,
    ..TypeSchema::new("aws_internet_gateway", &TABLE)
};

/// From one VPC to another: the old one keeps its door until nothing in it has a public address any more,
/// the new one has its own from the beginning.
fn moves(live: &Object, want: &Object) -> bool {
    live.has("vpc_id") && want.has("vpc_id")
}

pub struct InternetGateway;

#[async_trait(?Send)]
impl AwsType for InternetGateway {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found =
            ec2::by_id(items, async |ids| describe(aws, ec2::filter("internet-gateway-id", ids)).await)
                .await?;
        Ok(ec2::in_order(items, &found, Live::internet_gateway_id, |gateway, _| object(aws, gateway)))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let request = aws
            .ec2
            .create_internet_gateway()
            .tag_specifications(ec2::tag_specification(ResourceType::InternetGateway, job));
        let made = request.send().await.op("CreateInternetGateway")?;
        let id = made.internet_gateway().and_then(Live::internet_gateway_id).unwrap_or_default().to_owned();
        if let Some(vpc) = job.want.get(&VPC_ID) {
            attach(aws, job, &id, &vpc, timeouts::limit(job.want, &timeouts::CREATE, 20)).await?;
        }
        ec2::wait_visible(aws, "CreateInternetGateway", job.progress, async || {
            Ok(!describe(aws, ec2::filter("internet-gateway-id", [id.as_str()])).await?.is_empty())
        })
        .await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // After a creation that was cut short it is there but not attached: `vpc_id` differs then too.
        if job.changes(&["vpc_id"]) {
            let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 20);
            if let Some(vpc) = job.live.get(&VPC_ID) {
                detach(aws, job, &vpc, deadline).await?;
            }
            if let Some(vpc) = job.want.get(&VPC_ID) {
                attach(aws, job, job.id, &vpc, deadline).await?;
            }
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 20);
        if let Some(vpc) = job.live.get(&VPC_ID) {
            detach(aws, job, &vpc, deadline).await?;
        }
        let blocked = &["DependencyViolation"];
        ec2::retry(aws, "DeleteInternetGateway", blocked, deadline, job.progress, async || {
            let request = aws.ec2.delete_internet_gateway().internet_gateway_id(job.id);
            let result = request.send().await.op("DeleteInternetGateway");
            absent(result, &["InvalidInternetGatewayID.NotFound"]).map(drop)
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, ec2::owned_by(job.token)).await?;
        Ok(found.first().and_then(Live::internet_gateway_id).map(str::to_owned))
    }
}

async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<Live>, AwsError> {
    let pages = aws.ec2.describe_internet_gateways().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeInternetGateways")
}

fn attached_to(gateway: &Live) -> Option<&str> {
    ec2::filled(gateway.attachments().first().and_then(|a| a.vpc_id()))
}

fn object(aws: &Aws, gateway: &Live) -> Object {
    let id = gateway.internet_gateway_id().unwrap_or_default();
    let owner = gateway.owner_id().unwrap_or_default();
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&ARN, ec2::arn(aws, owner, &format!("internet-gateway/{id}")))
        .set(&OWNER_ID, owner)
        .set(&VPC_ID, attached_to(gateway));
    tags::read(&mut o, ec2::pairs(gateway.tags()));
    o
}

async fn attach(
    aws: &Aws,
    job: &Job<'_>,
    id: &str,
    vpc: &str,
    deadline: std::time::Duration,
) -> Result<(), AwsError> {
    let fresh = &["InvalidInternetGatewayID.NotFound", "InvalidVpcID.NotFound"];
    ec2::retry(aws, "AttachInternetGateway", fresh, deadline, job.progress, async || {
        let request = aws.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        request.send().await.op("AttachInternetGateway").map(drop)
    })
    .await?;
    wait(aws, "AttachInternetGateway", ec2::EVERY, deadline, job.progress, async || {
        let found = describe(aws, ec2::filter("internet-gateway-id", [id])).await?;
        Ok(if found.first().and_then(attached_to) == Some(vpc) {
            Poll::Ready(())
        } else {
            Poll::Pending("not attached yet".to_owned())
        })
    })
    .await
}

/// AWS refuses while anything in the VPC has a public address: NAT gateways and load balancers that are
/// being deleted among them.
async fn detach(aws: &Aws, job: &Job<'_>, vpc: &str, deadline: std::time::Duration) -> Result<(), AwsError> {
    let users = ec2::filter("vpc-id", [vpc]);
    ec2::delete_when_free(aws, "DetachInternetGateway", deadline, job.progress, users, async || {
        let request = aws.ec2.detach_internet_gateway().internet_gateway_id(job.id).vpc_id(vpc);
        let result = request.send().await.op("DetachInternetGateway");
        absent(result, &["Gateway.NotAttached", "InvalidInternetGatewayID.NotFound"]).map(drop)
    })
    .await
}
