//! `aws_vpc`: one VPC, found by what is known of it.

use super::ec2::{self, FILTER, TAGS};
use crate::aws::types::ec2::{arn, filter};
use crate::aws::types::timeouts::TIMEOUTS_READ;
use crate::aws::types::vpc::switch;
use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{Vpc as Live, VpcAttributeName, VpcCidrBlockStateCode};

mod association {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        ID: Str = computed("association_id");
        CIDR_BLOCK: Str = computed("cidr_block");
        STATE: Str = computed("state");
    }
}

attributes! {
    TABLE [FILTER, TAGS, TIMEOUTS_READ]:
    ARN: Str = computed("arn");
    CIDR_BLOCK: Str = optional_computed("cidr_block");
    ASSOCIATIONS: Blocks = computed("cidr_block_associations").list(&association::TABLE);
    DEFAULT: Bool = optional_computed("default");
    DHCP_OPTIONS: Str = optional_computed("dhcp_options_id");
    DNS_HOSTNAMES: Bool = computed("enable_dns_hostnames");
    DNS_SUPPORT: Bool = computed("enable_dns_support");
    USAGE_METRICS: Bool = computed("enable_network_address_usage_metrics");
    VPC_ID: Str = optional_computed("id");
    TENANCY: Str = computed("instance_tenancy");
    IPV6_ASSOCIATION: Str = computed("ipv6_association_id");
    IPV6_CIDR: Str = computed("ipv6_cidr_block");
    MAIN_ROUTE_TABLE: Str = computed("main_route_table_id");
    OWNER_ID: Str = computed("owner_id");
    STATE: Str = optional_computed("state");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "One VPC, found by what is known of it",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

data "aws_vpc" "main" {
  id = aws_vpc.main.id
}
"#,
    ..TypeSchema::new("aws_vpc", &TABLE)
};

pub struct Vpc;

#[async_trait(?Send)]
impl AwsData for Vpc {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let mut filters = ec2::filters(want);
        filters.extend(ec2::declared("vpc-id", want, &VPC_ID));
        filters.extend(ec2::declared("cidr", want, &CIDR_BLOCK));
        filters.extend(ec2::declared("is-default", want, &DEFAULT));
        filters.extend(ec2::declared("dhcp-options-id", want, &DHCP_OPTIONS));
        filters.extend(ec2::declared("state", want, &STATE));
        let request = aws.ec2.describe_vpcs().set_filters(ec2::some(filters));
        let found = request.into_paginator().items().send().try_collect().await.op("DescribeVpcs")?;
        let vpc = ec2::single("DescribeVpcs", "VPC", found)?;
        object(aws, want, &vpc).await
    }
}

async fn object(aws: &Aws, want: &Object, vpc: &Live) -> Result<Object, AwsError> {
    let id = vpc.vpc_id().unwrap_or_default();
    let owner = vpc.owner_id().unwrap_or_default();
    let mut o = want.clone();
    o.set(&VPC_ID, id)
        .set(&ARN, arn(aws, owner, &format!("vpc/{id}")))
        .set(&CIDR_BLOCK, vpc.cidr_block())
        .set(&DEFAULT, vpc.is_default().unwrap_or(false))
        .set(&DHCP_OPTIONS, vpc.dhcp_options_id())
        .set(&DNS_HOSTNAMES, switch(aws, id, VpcAttributeName::EnableDnsHostnames).await?)
        .set(&DNS_SUPPORT, switch(aws, id, VpcAttributeName::EnableDnsSupport).await?)
        .set(&USAGE_METRICS, switch(aws, id, VpcAttributeName::EnableNetworkAddressUsageMetrics).await?)
        .set(&TENANCY, vpc.instance_tenancy().map(|t| t.as_str()))
        .set(&MAIN_ROUTE_TABLE, main_route_table(aws, id).await?)
        .set(&OWNER_ID, owner)
        .set(&STATE, vpc.state().map(|s| s.as_str()));
    let associations = vpc.cidr_block_association_set().iter().map(|a| {
        let mut o = Object::new();
        o.set(&association::ID, a.association_id())
            .set(&association::CIDR_BLOCK, a.cidr_block())
            .set(&association::STATE, a.cidr_block_state().and_then(|s| s.state()).map(|s| s.as_str()));
        o
    });
    o.set_blocks(&ASSOCIATIONS, associations.collect());
    let ipv6 = vpc.ipv6_cidr_block_association_set().iter().find(|a| {
        a.ipv6_cidr_block_state().and_then(|s| s.state()) == Some(&VpcCidrBlockStateCode::Associated)
    });
    if let Some(ipv6) = ipv6 {
        o.set(&IPV6_ASSOCIATION, ipv6.association_id()).set(&IPV6_CIDR, ipv6.ipv6_cidr_block());
    }
    ec2::set_tags(&mut o, vpc.tags());
    Ok(o)
}

async fn main_route_table(aws: &Aws, vpc: &str) -> Result<Option<String>, AwsError> {
    let request = aws
        .ec2
        .describe_route_tables()
        .filters(filter("vpc-id", [vpc]))
        .filters(filter("association.main", ["true"]));
    let answer = request.send().await.op("DescribeRouteTables")?;
    Ok(answer.route_tables().first().and_then(|t| t.route_table_id()).map(str::to_owned))
}
