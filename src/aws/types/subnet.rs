//! `aws_subnet`: a part of a VPC's addresses in one availability zone.

use super::ec2;
use super::timeouts::{self, TIMEOUTS_CREATE_DELETE};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::operation::modify_subnet_attribute::builders::ModifySubnetAttributeFluentBuilder;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, HostnameType, ResourceType, Subnet as Live, SubnetCidrBlockStateCode,
    SubnetIpv6CidrBlockAssociation, SubnetState,
};

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS_CREATE_DELETE]:
    ARN: Str = computed("arn");
    ASSIGN_IPV6: Bool = optional("assign_ipv6_address_on_creation").default_bool(false);
    AVAILABILITY_ZONE: Str = optional_computed("availability_zone").replaces().conflicts_with(&["availability_zone_id"]);
    AVAILABILITY_ZONE_ID: Str = optional_computed("availability_zone_id").replaces().conflicts_with(&["availability_zone"]);
    CIDR_BLOCK: Str = optional("cidr_block").replaces().check(ec2::check::cidr_v4).doc("IPv4 range within the VPC's");
    CUSTOMER_POOL: Str = optional("customer_owned_ipv4_pool");
    DNS64: Bool = optional("enable_dns64").default_bool(false);
    LNI_INDEX: Int = optional("enable_lni_at_device_index");
    DNS_A: Bool = optional("enable_resource_name_dns_a_record_on_launch").default_bool(false);
    DNS_AAAA: Bool = optional("enable_resource_name_dns_aaaa_record_on_launch").default_bool(false);
    IPV6_CIDR: Str = optional("ipv6_cidr_block").check(ec2::check::cidr_v6).same(ec2::same_range);
    IPV6_ASSOCIATION: Str = computed("ipv6_cidr_block_association_id").unknown_after_change_of(&["ipv6_cidr_block"]);
    IPV6_NATIVE: Bool = optional("ipv6_native").replaces().default_bool(false);
    MAP_CUSTOMER_IP: Bool = optional("map_customer_owned_ip_on_launch");
    MAP_PUBLIC_IP: Bool = optional("map_public_ip_on_launch").default_bool(false);
    OUTPOST_ARN: Str = optional("outpost_arn").replaces();
    OWNER_ID: Str = computed("owner_id");
    HOSTNAME_TYPE: Str = optional_computed("private_dns_hostname_type_on_launch").one_of(&["ip-name", "resource-name"]);
    VPC_ID: Str = required("vpc_id").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A part of a VPC's addresses in one availability zone",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.0.1.0/24"
  map_public_ip_on_launch = true
  tags                    = { Name = "a" }
}
"#,
    validate,
    ..TypeSchema::new("aws_subnet", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    for name in ["customer_owned_ipv4_pool", "map_customer_owned_ip_on_launch", "outpost_arn"] {
        let rest = ["customer_owned_ipv4_pool", "map_customer_owned_ip_on_launch", "outpost_arn"];
        // An Outpost alone is fine; an address pool needs all three.
        if name != "outpost_arn" && want.has(name) && !rest.iter().all(|r| want.has(r)) {
            problems.push((name, format!("needs all of `{}`", rest.join("`, `"))));
        }
    }
    if want.get(&IPV6_NATIVE) == Some(false) && !want.has("cidr_block") {
        problems.push(("", "`cidr_block` is needed unless the subnet is `ipv6_native`".to_owned()));
    }
    problems
}

pub struct Subnet;

#[async_trait(?Send)]
impl AwsType for Subnet {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = ec2::by_id(items, async |ids| describe(aws, ec2::filter("subnet-id", ids)).await).await?;
        Ok(ec2::in_order(items, &found, Live::subnet_id, |subnet, _| object(subnet)))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 10);
        let made =
            ec2::retry(aws, "CreateSubnet", &["InvalidVpcID.NotFound"], deadline, job.progress, async || {
                aws.ec2
                    .create_subnet()
                    .vpc_id(want.need(&VPC_ID))
                    .set_availability_zone(want.get(&AVAILABILITY_ZONE))
                    .set_availability_zone_id(want.get(&AVAILABILITY_ZONE_ID))
                    .set_cidr_block(want.get(&CIDR_BLOCK))
                    .set_ipv6_cidr_block(want.get(&IPV6_CIDR))
                    .set_ipv6_native(want.get(&IPV6_NATIVE).filter(|on| *on))
                    .set_outpost_arn(want.get(&OUTPOST_ARN))
                    .tag_specifications(ec2::tag_specification(ResourceType::Subnet, job))
                    .send()
                    .await
                    .op("CreateSubnet")
            })
            .await?;
        let id = made.subnet().and_then(Live::subnet_id).unwrap_or_default().to_owned();
        let fresh = wait(aws, "CreateSubnet", ec2::EVERY, deadline, job.progress, async || {
            let found = describe(aws, ec2::filter("subnet-id", [id.as_str()])).await?;
            Ok(match found.first() {
                Some(s) if s.state() == Some(&SubnetState::Available) && ipv6_settled(s) => {
                    Poll::Ready(object(s))
                }
                Some(s) => Poll::Pending(s.state().map_or("", |s| s.as_str()).to_owned()),
                None => Poll::Pending("not visible yet".to_owned()),
            })
        })
        .await?;
        set_options(aws, &id, &fresh, job).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let ipv6 = job.changes(&["ipv6_cidr_block"]);
        // Addresses can only be assigned while there is a range to take them from.
        let stop_assigning = ipv6 && job.live.get(&ASSIGN_IPV6) == Some(true);
        let mut live = job.live.clone();
        if stop_assigning {
            let off = AttributeBooleanValue::builder().value(false).build();
            let request = aws.ec2.modify_subnet_attribute().subnet_id(job.id);
            modify(request.assign_ipv6_address_on_creation(off)).await?;
            live.set(&ASSIGN_IPV6, false);
        }
        if ipv6 {
            change_ipv6(aws, job).await?;
        }
        set_options(aws, job.id, &live, job).await?;
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 20);
        let users = ec2::filter("subnet-id", [job.id]);
        ec2::delete_when_free(aws, "DeleteSubnet", deadline, job.progress, users, async || {
            let result = aws.ec2.delete_subnet().subnet_id(job.id).send().await.op("DeleteSubnet");
            absent(result, &["InvalidSubnetID.NotFound"]).map(drop)
        })
        .await?;
        wait(aws, "DeleteSubnet", ec2::EVERY, deadline, job.progress, async || {
            let found = describe(aws, ec2::filter("subnet-id", [job.id])).await?;
            Ok(if found.is_empty() { Poll::Ready(()) } else { Poll::Pending("still there".to_owned()) })
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, ec2::owned_by(job.token)).await?;
        Ok(found.first().and_then(Live::subnet_id).map(str::to_owned))
    }
}

async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<Live>, AwsError> {
    let pages = aws.ec2.describe_subnets().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeSubnets")
}

fn object(subnet: &Live) -> Object {
    let dns = subnet.private_dns_name_options_on_launch();
    let mut o = Object::new();
    o.set(&ID, subnet.subnet_id())
        .set(&ARN, subnet.subnet_arn())
        .set(&ASSIGN_IPV6, subnet.assign_ipv6_address_on_creation().unwrap_or(false))
        .set(&AVAILABILITY_ZONE, subnet.availability_zone())
        .set(&AVAILABILITY_ZONE_ID, subnet.availability_zone_id())
        .set(&CIDR_BLOCK, ec2::filled(subnet.cidr_block()))
        .set(&CUSTOMER_POOL, ec2::filled(subnet.customer_owned_ipv4_pool()))
        .set(&DNS64, subnet.enable_dns64().unwrap_or(false))
        .set(&LNI_INDEX, subnet.enable_lni_at_device_index().filter(|i| *i != 0))
        .set(&DNS_A, dns.and_then(|d| d.enable_resource_name_dns_a_record()).unwrap_or(false))
        .set(&DNS_AAAA, dns.and_then(|d| d.enable_resource_name_dns_aaaa_record()).unwrap_or(false))
        .set(&HOSTNAME_TYPE, dns.and_then(|d| d.hostname_type()).map(|h| h.as_str()))
        .set(&IPV6_NATIVE, subnet.ipv6_native().unwrap_or(false))
        .set(&MAP_CUSTOMER_IP, subnet.map_customer_owned_ip_on_launch().filter(|on| *on))
        .set(&MAP_PUBLIC_IP, subnet.map_public_ip_on_launch().unwrap_or(false))
        .set(&OUTPOST_ARN, ec2::filled(subnet.outpost_arn()))
        .set(&OWNER_ID, subnet.owner_id())
        .set(&VPC_ID, subnet.vpc_id());
    if let Some(ipv6) = ipv6_range(subnet) {
        o.set(&IPV6_CIDR, ipv6.ipv6_cidr_block()).set(&IPV6_ASSOCIATION, ipv6.association_id());
    }
    tags::read(&mut o, ec2::pairs(subnet.tags()));
    o
}

fn range_state(range: &SubnetIpv6CidrBlockAssociation) -> Option<&SubnetCidrBlockStateCode> {
    range.ipv6_cidr_block_state().and_then(|s| s.state())
}

fn ipv6_range(subnet: &Live) -> Option<&SubnetIpv6CidrBlockAssociation> {
    let ranges = subnet.ipv6_cidr_block_association_set();
    ranges.iter().find(|r| range_state(r) == Some(&SubnetCidrBlockStateCode::Associated))
}

fn ipv6_settled(subnet: &Live) -> bool {
    let moving = [SubnetCidrBlockStateCode::Associating, SubnetCidrBlockStateCode::Disassociating];
    !subnet
        .ipv6_cidr_block_association_set()
        .iter()
        .any(|r| range_state(r).is_some_and(|s| moving.contains(s)))
}

async fn change_ipv6(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    if let Some(old) = job.live.get(&IPV6_ASSOCIATION) {
        let result = aws.ec2.disassociate_subnet_cidr_block().association_id(old).send().await;
        absent(result.op("DisassociateSubnetCidrBlock"), &["InvalidSubnetCidrBlockAssociationID.NotFound"])?;
        wait_ipv6(aws, job, None).await?;
    }
    let Some(range) = job.want.get(&IPV6_CIDR) else { return Ok(()) };
    let request = aws.ec2.associate_subnet_cidr_block().subnet_id(job.id).ipv6_cidr_block(&range);
    request.send().await.op("AssociateSubnetCidrBlock")?;
    wait_ipv6(aws, job, Some(&range)).await
}

async fn wait_ipv6(aws: &Aws, job: &Job<'_>, range: Option<&str>) -> Result<(), AwsError> {
    wait(aws, "AssociateSubnetCidrBlock", ec2::EVERY, ec2::minutes(3), job.progress, async || {
        let found = describe(aws, ec2::filter("subnet-id", [job.id])).await?;
        let settled =
            found.first().is_some_and(|s| ipv6_range(s).is_some() == range.is_some() && ipv6_settled(s));
        Ok(if settled { Poll::Ready(()) } else { Poll::Pending("changing its IPv6 range".to_owned()) })
    })
    .await
}

/// Brings the options that creation does not take from live to wanted; AWS takes one a call.
async fn set_options(aws: &Aws, id: &str, live: &Object, job: &Job<'_>) -> Result<(), AwsError> {
    let want = job.want;
    let request = || aws.ec2.modify_subnet_attribute().subnet_id(id);
    let value = |on: bool| AttributeBooleanValue::builder().value(on).build();
    let differs = |attr| want.get(attr).filter(|on| live.get(attr).unwrap_or(false) != *on).map(value);
    let mut requests: Vec<ModifySubnetAttributeFluentBuilder> = Vec::new();
    if let Some(type_) = want.get(&HOSTNAME_TYPE).filter(|t| live.get(&HOSTNAME_TYPE).as_ref() != Some(t)) {
        requests.push(request().private_dns_hostname_type_on_launch(HostnameType::from(type_.as_str())));
    }
    requests.extend(differs(&DNS64).map(|v| request().enable_dns64(v)));
    requests.extend(differs(&DNS_A).map(|v| request().enable_resource_name_dns_a_record_on_launch(v)));
    requests.extend(differs(&DNS_AAAA).map(|v| request().enable_resource_name_dns_aaaa_record_on_launch(v)));
    requests.extend(differs(&MAP_PUBLIC_IP).map(|v| request().map_public_ip_on_launch(v)));
    requests.extend(differs(&ASSIGN_IPV6).map(|v| request().assign_ipv6_address_on_creation(v)));
    // The pool goes with the switch, in one call.
    if let Some(on) = want.get(&MAP_CUSTOMER_IP).filter(|on| {
        live.get(&MAP_CUSTOMER_IP).unwrap_or(false) != *on
            || *on && live.get(&CUSTOMER_POOL) != want.get(&CUSTOMER_POOL)
    }) {
        let pool = want.get(&CUSTOMER_POOL);
        requests
            .push(request().map_customer_owned_ip_on_launch(value(on)).set_customer_owned_ipv4_pool(pool));
    }
    match (live.get(&LNI_INDEX), want.get(&LNI_INDEX).filter(|i| *i != 0)) {
        (old, Some(index)) if old != Some(index) => {
            requests.push(request().enable_lni_at_device_index(index as i32));
        }
        (Some(_), None) => requests.push(request().disable_lni_at_device_index(value(true))),
        _ => {}
    }
    let any = !requests.is_empty();
    for request in requests {
        modify(request).await?;
    }
    if any { wait_options(aws, id, job).await } else { Ok(()) }
}

async fn modify(request: ModifySubnetAttributeFluentBuilder) -> Result<(), AwsError> {
    request.send().await.op("ModifySubnetAttribute").map(drop)
}

/// Reads lag behind ModifySubnetAttribute.
async fn wait_options(aws: &Aws, id: &str, job: &Job<'_>) -> Result<(), AwsError> {
    let options = [&ASSIGN_IPV6, &DNS64, &DNS_A, &DNS_AAAA, &MAP_PUBLIC_IP];
    ec2::wait_visible(aws, "ModifySubnetAttribute", job.progress, async || {
        let found = describe(aws, ec2::filter("subnet-id", [id])).await?;
        let live = found.first().map(object).unwrap_or_default();
        Ok(options.iter().all(|o| job.want.get(o).is_none_or(|on| live.get(o) == Some(on))))
    })
    .await
}
