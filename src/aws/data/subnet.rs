//! `aws_subnet`: one subnet, found by what is known of it.

use super::ec2::{self, FILTER, TAGS};
use crate::aws::types::timeouts::TIMEOUTS_READ;
use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{Subnet as Live, SubnetCidrBlockStateCode};

attributes! {
    TABLE [FILTER, TAGS, TIMEOUTS_READ]:
    ARN: Str = computed("arn");
    ASSIGN_IPV6: Bool = computed("assign_ipv6_address_on_creation");
    AVAILABILITY_ZONE: Str = optional_computed("availability_zone");
    AVAILABILITY_ZONE_ID: Str = optional_computed("availability_zone_id");
    AVAILABLE_ADDRESSES: Int = computed("available_ip_address_count");
    CIDR_BLOCK: Str = optional_computed("cidr_block");
    CUSTOMER_POOL: Str = computed("customer_owned_ipv4_pool");
    DEFAULT_FOR_AZ: Bool = optional_computed("default_for_az");
    DNS64: Bool = computed("enable_dns64");
    LNI_INDEX: Int = computed("enable_lni_at_device_index");
    DNS_A: Bool = computed("enable_resource_name_dns_a_record_on_launch");
    DNS_AAAA: Bool = computed("enable_resource_name_dns_aaaa_record_on_launch");
    SUBNET_ID: Str = optional_computed("id");
    IPV6_CIDR: Str = optional_computed("ipv6_cidr_block");
    IPV6_ASSOCIATION: Str = computed("ipv6_cidr_block_association_id");
    IPV6_NATIVE: Bool = computed("ipv6_native");
    MAP_CUSTOMER_IP: Bool = computed("map_customer_owned_ip_on_launch");
    MAP_PUBLIC_IP: Bool = computed("map_public_ip_on_launch");
    OUTPOST_ARN: Str = computed("outpost_arn");
    OWNER_ID: Str = computed("owner_id");
    HOSTNAME_TYPE: Str = computed("private_dns_hostname_type_on_launch");
    STATE: Str = optional_computed("state");
    VPC_ID: Str = optional_computed("vpc_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "One subnet, found by what is known of it",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

data "aws_subnet" "a" {
  id = aws_subnet.a.id
}
"#,
    ..TypeSchema::new("aws_subnet", &TABLE)
};

pub struct Subnet;

#[async_trait(?Send)]
impl AwsData for Subnet {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let mut filters = ec2::filters(want);
        filters.extend(ec2::declared("availabilityZone", want, &AVAILABILITY_ZONE));
        filters.extend(ec2::declared("availabilityZoneId", want, &AVAILABILITY_ZONE_ID));
        filters.extend(ec2::declared("cidrBlock", want, &CIDR_BLOCK));
        filters.extend(ec2::declared("defaultForAz", want, &DEFAULT_FOR_AZ));
        filters.extend(ec2::declared("ipv6-cidr-block-association.ipv6-cidr-block", want, &IPV6_CIDR));
        filters.extend(ec2::declared("state", want, &STATE));
        filters.extend(ec2::declared("subnet-id", want, &SUBNET_ID));
        filters.extend(ec2::declared("vpc-id", want, &VPC_ID));
        let request = aws.ec2.describe_subnets().set_filters(ec2::some(filters));
        let found = request.into_paginator().items().send().try_collect().await.op("DescribeSubnets")?;
        Ok(object(want, &ec2::single("DescribeSubnets", "subnet", found)?))
    }
}

fn object(want: &Object, subnet: &Live) -> Object {
    let dns = subnet.private_dns_name_options_on_launch();
    let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
    let mut o = want.clone();
    o.set(&SUBNET_ID, subnet.subnet_id())
        .set(&ARN, subnet.subnet_arn())
        .set(&ASSIGN_IPV6, subnet.assign_ipv6_address_on_creation().unwrap_or(false))
        .set(&AVAILABILITY_ZONE, subnet.availability_zone())
        .set(&AVAILABILITY_ZONE_ID, subnet.availability_zone_id())
        .set(&AVAILABLE_ADDRESSES, subnet.available_ip_address_count())
        .set(&CIDR_BLOCK, text(subnet.cidr_block()))
        .set(&CUSTOMER_POOL, text(subnet.customer_owned_ipv4_pool()))
        .set(&DEFAULT_FOR_AZ, subnet.default_for_az().unwrap_or(false))
        .set(&DNS64, subnet.enable_dns64().unwrap_or(false))
        .set(&LNI_INDEX, subnet.enable_lni_at_device_index().unwrap_or(0))
        .set(&DNS_A, dns.and_then(|d| d.enable_resource_name_dns_a_record()).unwrap_or(false))
        .set(&DNS_AAAA, dns.and_then(|d| d.enable_resource_name_dns_aaaa_record()).unwrap_or(false))
        .set(&HOSTNAME_TYPE, dns.and_then(|d| d.hostname_type()).map(|h| h.as_str()))
        .set(&IPV6_NATIVE, subnet.ipv6_native().unwrap_or(false))
        .set(&MAP_CUSTOMER_IP, subnet.map_customer_owned_ip_on_launch().unwrap_or(false))
        .set(&MAP_PUBLIC_IP, subnet.map_public_ip_on_launch().unwrap_or(false))
        .set(&OUTPOST_ARN, text(subnet.outpost_arn()))
        .set(&OWNER_ID, subnet.owner_id())
        .set(&STATE, subnet.state().map(|s| s.as_str()))
        .set(&VPC_ID, subnet.vpc_id());
    let range = subnet.ipv6_cidr_block_association_set().iter().find(|r| {
        r.ipv6_cidr_block_state().and_then(|s| s.state()) == Some(&SubnetCidrBlockStateCode::Associated)
    });
    o.set(&IPV6_CIDR, text(range.and_then(|r| r.ipv6_cidr_block())))
        .set(&IPV6_ASSOCIATION, text(range.and_then(|r| r.association_id())));
    ec2::set_tags(&mut o, subnet.tags());
    o
}
