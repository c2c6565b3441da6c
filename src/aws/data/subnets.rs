//! `aws_subnets`: the ids of all subnets that match.

use super::ec2::{self, FILTER, TAGS};
use crate::aws::types::timeouts::TIMEOUTS_READ;
use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::Subnet;

attributes! {
    TABLE [FILTER, TAGS, TIMEOUTS_READ]:
    IDS: StrList = computed("ids");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "The ids of all subnets that match",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

data "aws_subnets" "all" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.main.id]
  }

  depends_on = [aws_subnet.a]
}
"#,
    ..TypeSchema::new("aws_subnets", &TABLE)
};

pub struct Subnets;

#[async_trait(?Send)]
impl AwsData for Subnets {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let request = aws.ec2.describe_subnets().set_filters(ec2::some(ec2::filters(want)));
        let found: Vec<Subnet> =
            request.into_paginator().items().send().try_collect().await.op("DescribeSubnets")?;
        let mut o = want.clone();
        o.set(&ID, &aws.region)
            .set(&IDS, found.iter().filter_map(|s| s.subnet_id().map(str::to_owned)).collect::<Vec<_>>());
        Ok(o)
    }
}
