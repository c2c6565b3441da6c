//! `aws_eip`: a public IPv4 address that stays.

use super::ec2;
use super::timeouts::{self, TIMEOUTS_READ_UPDATE_DELETE};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent, partition};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{Address as Live, AddressAttributeName, DomainType, Filter, ResourceType};
use std::collections::BTreeMap;

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS_READ_UPDATE_DELETE]:
    ADDRESS: Str = optional("address").replaces().local().doc("An address of one's own pool to take");
    ALLOCATION_ID: Str = computed("allocation_id");
    ARN: Str = computed("arn");
    ASSOCIATE_WITH: Str = optional("associate_with_private_ip").local();
    ASSOCIATION_ID: Str = computed("association_id").unknown_after_change_of(&["instance", "network_interface", "associate_with_private_ip"]);
    CARRIER_IP: Str = computed("carrier_ip");
    CUSTOMER_IP: Str = computed("customer_owned_ip");
    CUSTOMER_POOL: Str = optional("customer_owned_ipv4_pool");
    DOMAIN: Str = optional_computed("domain").replaces().one_of(&["vpc", "standard"]).conflicts_with(&["vpc"]);
    INSTANCE: Str = optional_computed("instance");
    IPAM_POOL: Str = optional_computed("ipam_pool_id").replaces().local();
    BORDER_GROUP: Str = optional_computed("network_border_group").replaces();
    INTERFACE: Str = optional_computed("network_interface");
    PRIVATE_DNS: Str = computed("private_dns");
    PRIVATE_IP: Str = computed("private_ip");
    PTR_RECORD: Str = computed("ptr_record");
    PUBLIC_DNS: Str = computed("public_dns");
    PUBLIC_IP: Str = computed("public_ip");
    PUBLIC_POOL: Str = optional_computed("public_ipv4_pool").replaces();
    VPC: Bool = optional_computed("vpc").replaces().conflicts_with(&["domain"]).deprecated("use domain = \"vpc\"");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A public IPv4 address that stays",
    example: r#"
resource "aws_eip" "nat" {
  domain = "vpc"
  tags   = { Name = "nat" }
}
"#,
    ..TypeSchema::new("aws_eip", &TABLE)
};

pub struct Eip;

#[async_trait(?Send)]
impl AwsType for Eip {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found =
            ec2::by_id(items, async |ids| describe(aws, ec2::filter("allocation-id", ids)).await).await?;
        if found.is_empty() {
            return Ok(vec![None; items.len()]);
        }
        let ids = found.iter().filter_map(|a| a.allocation_id()).map(str::to_owned).collect();
        let names: BTreeMap<String, String> =
            ec2::in_chunks(ids, async |ids| ptr_records(aws, ids).await).await?.into_iter().collect();
        let account = ec2::account(aws).await?;
        Ok(ec2::in_order(items, &found, Live::allocation_id, |address, _| {
            object(aws, &account, address, &names)
        }))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let standard = want.get(&DOMAIN).as_deref() == Some("standard") || want.get(&VPC) == Some(false);
        let made = aws
            .ec2
            .allocate_address()
            .domain(if standard { DomainType::Standard } else { DomainType::Vpc })
            .set_address(want.get(&ADDRESS))
            .set_customer_owned_ipv4_pool(want.get(&CUSTOMER_POOL))
            .set_ipam_pool_id(want.get(&IPAM_POOL))
            .set_network_border_group(want.get(&BORDER_GROUP))
            .set_public_ipv4_pool(want.get(&PUBLIC_POOL))
            .tag_specifications(ec2::tag_specification(ResourceType::ElasticIp, job))
            .send()
            .await
            .op("AllocateAddress")?;
        let id = made.allocation_id().unwrap_or_default().to_owned();
        ec2::wait_visible(aws, "AllocateAddress", job.progress, async || {
            Ok(!describe(aws, ec2::filter("allocation-id", [id.as_str()])).await?.is_empty())
        })
        .await?;
        associate(aws, job, &id).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["instance", "network_interface", "associate_with_private_ip"]) {
            disassociate(aws, job).await?;
            associate(aws, job, job.id).await?;
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // Only what we associated: an address that a NAT gateway or someone else took is not ours to take.
        if job.want.has("instance") || job.want.has("network_interface") {
            disassociate(aws, job).await?;
        }
        // A NAT gateway gives its address back some time after it is gone.
        let busy = &["InvalidIPAddress.InUse", "AuthFailure"];
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 3);
        let group = job.live.get(&BORDER_GROUP);
        ec2::retry(aws, "ReleaseAddress", busy, deadline, job.progress, async || {
            let request =
                aws.ec2.release_address().allocation_id(job.id).set_network_border_group(group.clone());
            let result = request.send().await.op("ReleaseAddress");
            absent(result, &["InvalidAllocationID.NotFound"]).map(drop)
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, ec2::owned_by(job.token)).await?;
        Ok(found.first().and_then(Live::allocation_id).map(str::to_owned))
    }
}

async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<Live>, AwsError> {
    let answer = aws.ec2.describe_addresses().filters(filter).send().await.op("DescribeAddresses")?;
    Ok(answer.addresses.unwrap_or_default())
}

/// Reverse DNS names by allocation; only of addresses that are there (others fail the call).
async fn ptr_records(aws: &Aws, ids: Vec<String>) -> Result<Vec<(String, String)>, AwsError> {
    let request = aws
        .ec2
        .describe_addresses_attribute()
        .set_allocation_ids(Some(ids))
        .attribute(AddressAttributeName::DomainName);
    let result: Result<Vec<_>, _> =
        request.into_paginator().items().send().try_collect().await.op("DescribeAddressesAttribute");
    let found = absent(result, &["InvalidAllocationID.NotFound"])?.unwrap_or_default();
    let pair = |a: &aws_sdk_ec2::types::AddressAttribute| {
        Some((a.allocation_id()?.to_owned(), a.ptr_record()?.to_owned()))
    };
    Ok(found.iter().filter_map(pair).collect())
}

fn object(aws: &Aws, account: &str, address: &Live, names: &BTreeMap<String, String>) -> Object {
    let id = address.allocation_id().unwrap_or_default();
    let domain = address.domain().map(|d| d.as_str());
    let private = ec2::filled(address.private_ip_address());
    let public = ec2::filled(address.public_ip());
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&ALLOCATION_ID, id)
        .set(&ARN, ec2::arn(aws, account, &format!("elastic-ip/{id}")))
        .set(&ASSOCIATION_ID, ec2::filled(address.association_id()))
        .set(&CARRIER_IP, ec2::filled(address.carrier_ip()))
        .set(&CUSTOMER_IP, ec2::filled(address.customer_owned_ip()))
        .set(&CUSTOMER_POOL, ec2::filled(address.customer_owned_ipv4_pool()))
        .set(&DOMAIN, domain)
        .set(&INSTANCE, ec2::filled(address.instance_id()))
        .set(&BORDER_GROUP, ec2::filled(address.network_border_group()))
        .set(&INTERFACE, ec2::filled(address.network_interface_id()))
        .set(&PRIVATE_IP, private)
        .set(&PRIVATE_DNS, private.map(|ip| private_dns(&aws.region, ip)))
        .set(&PTR_RECORD, names.get(id))
        .set(&PUBLIC_IP, public)
        .set(&PUBLIC_DNS, public.map(|ip| public_dns(&aws.region, ip)))
        .set(&PUBLIC_POOL, ec2::filled(address.public_ipv4_pool()))
        .set(&VPC, domain == Some("vpc"));
    tags::read(&mut o, ec2::pairs(address.tags()));
    o
}

/// EC2's names for addresses; the first region has shorter ones
/// (EC2 user guide, "Amazon EC2 instance hostnames and domains").
fn private_dns(region: &str, ip: &str) -> String {
    let zone =
        if region == "us-east-1" { "ec2.internal".into() } else { format!("{region}.compute.internal") };
    format!("ip-{}.{zone}", ip.replace('.', "-"))
}

fn public_dns(region: &str, ip: &str) -> String {
    let zone = if region == "us-east-1" { "compute-1".into() } else { format!("{region}.compute") };
    format!("ec2-{}.{zone}.{}", ip.replace('.', "-"), partition::of(region).dns_suffix)
}

async fn associate(aws: &Aws, job: &Job<'_>, id: &str) -> Result<(), AwsError> {
    let (instance, interface) = (job.want.get(&INSTANCE), job.want.get(&INTERFACE));
    // An undeclared one of the two stands in `want` as it is live: the changed one is meant.
    let instance =
        instance.filter(|i| !i.is_empty() && (job.id.is_empty() || !job.changes(&["network_interface"])));
    let interface = interface.filter(|i| !i.is_empty() && instance.is_none());
    if instance.is_none() && interface.is_none() {
        return Ok(());
    }
    let fresh = &["InvalidAllocationID.NotFound", "InvalidInstanceID"];
    ec2::retry(aws, "AssociateAddress", fresh, ec2::minutes(5), job.progress, async || {
        aws.ec2
            .associate_address()
            .allocation_id(id)
            .set_instance_id(instance.clone())
            .set_network_interface_id(interface.clone())
            .set_private_ip_address(job.want.get(&ASSOCIATE_WITH))
            .send()
            .await
            .op("AssociateAddress")
            .map(drop)
    })
    .await
}

async fn disassociate(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let Some(association) = job.live.get(&ASSOCIATION_ID) else { return Ok(()) };
    let result = aws.ec2.disassociate_address().association_id(association).send().await;
    absent(result.op("DisassociateAddress"), &["InvalidAssociationID.NotFound"]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_names_that_ec2_gives_them() {
        assert_eq!(private_dns("us-east-1", "10.0.0.7"), "ip-10-0-0-7.ec2.internal");
        assert_eq!(private_dns("eu-west-1", "10.0.0.7"), "ip-10-0-0-7.eu-west-1.compute.internal");
        assert_eq!(public_dns("us-east-1", "52.1.2.3"), "ec2-52-1-2-3.compute-1.amazonaws.com");
        assert_eq!(public_dns("eu-west-1", "52.1.2.3"), "ec2-52-1-2-3.eu-west-1.compute.amazonaws.com");
    }
}
