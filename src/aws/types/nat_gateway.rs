//! `aws_nat_gateway`: lets what has no public address reach the internet (or another network).

use super::ec2;
use super::timeouts::{self, TIMEOUTS};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ec2::types::{
    ConnectivityType, Filter, NatGateway as Live, NatGatewayAddress, NatGatewayAddressStatus,
    NatGatewayState, ResourceType,
};
use std::time::Duration;

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS]:
    ALLOCATION_ID: Str = optional("allocation_id").replaces().doc("The address it appears with");
    ASSOCIATION_ID: Str = computed("association_id");
    CONNECTIVITY_TYPE: Str = optional("connectivity_type").replaces().default_str("public").one_of(&["private", "public"]);
    INTERFACE: Str = computed("network_interface_id");
    PRIVATE_IP: Str = optional_computed("private_ip").replaces().check(ec2::check::ipv4);
    PUBLIC_IP: Str = computed("public_ip");
    SECONDARY_ALLOCATIONS: StrSet = optional("secondary_allocation_ids");
    SECONDARY_COUNT: Int = optional_computed("secondary_private_ip_address_count").replaces()
        .conflicts_with(&["secondary_private_ip_addresses"]).unknown_after_change_of(&["secondary_allocation_ids"]);
    SECONDARY_IPS: StrSet = optional_computed("secondary_private_ip_addresses")
        .conflicts_with(&["secondary_private_ip_address_count"]);
    SUBNET_ID: Str = required("subnet_id").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Lets what has no public address reach the internet",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "public" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_eip" "nat" {
  domain = "vpc"
}

resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public.id
  tags          = { Name = "main" }
  depends_on    = [aws_internet_gateway.main]
}
"#,
    validate,
    ..TypeSchema::new("aws_nat_gateway", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    match want.get(&CONNECTIVITY_TYPE).as_deref() {
        Some("private") => {
            for name in ["allocation_id", "secondary_allocation_ids"] {
                if want.has(name) {
                    problems.push((name, "is only for a public NAT gateway".to_owned()));
                }
            }
        }
        Some("public") if want.value("secondary_private_ip_address_count").is_some_and(declared) => {
            problems
                .push(("secondary_private_ip_address_count", "is only for a private NAT gateway".to_owned()));
        }
        _ => {}
    }
    problems
}

/// Known and more than nothing: an undeclared computed one may stand as unknown or as live.
fn declared(value: &Value) -> bool {
    value.as_i64().is_some_and(|n| n > 0) && !value.is_unknown()
}

pub struct NatGateway;

#[async_trait(?Send)]
impl AwsType for NatGateway {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found =
            ec2::by_id(items, async |ids| describe(aws, ec2::filter("nat-gateway-id", ids)).await).await?;
        // A deleted one is shown for about an hour.
        let found: Vec<Live> =
            found.into_iter().filter(|g| g.state() != Some(&NatGatewayState::Deleted)).collect();
        Ok(ec2::in_order(items, &found, Live::nat_gateway_id, |gateway, _| object(gateway)))
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 10);
        let fresh = &["InvalidSubnetID.NotFound", "InvalidSubnet", "InvalidAllocationID.NotFound"];
        let patience = ec2::minutes(2).min(deadline);
        let made = ec2::retry(aws, "CreateNatGateway", fresh, patience, job.progress, async || {
            aws.ec2
                .create_nat_gateway()
                .client_token(job.token)
                .subnet_id(want.need(&SUBNET_ID))
                .connectivity_type(ConnectivityType::from(want.need(&CONNECTIVITY_TYPE).as_str()))
                .set_allocation_id(want.get(&ALLOCATION_ID))
                .set_private_ip_address(want.get(&PRIVATE_IP))
                .set_secondary_allocation_ids(some(want.all(&SECONDARY_ALLOCATIONS)))
                .set_secondary_private_ip_addresses(some(want.all(&SECONDARY_IPS)))
                .set_secondary_private_ip_address_count(want.get(&SECONDARY_COUNT).map(|n| n as i32))
                .tag_specifications(ec2::tag_specification(ResourceType::Natgateway, job))
                .send()
                .await
                .op("CreateNatGateway")
        })
        .await?;
        let id = made.nat_gateway().and_then(Live::nat_gateway_id).unwrap_or_default().to_owned();
        wait_available(aws, job, &id, deadline).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["secondary_allocation_ids"]) {
            change_allocations(aws, job).await?;
        }
        if job.changes(&["secondary_private_ip_addresses"]) && !job.want.has("secondary_allocation_ids") {
            change_private_ips(aws, job).await?;
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 30);
        let result = aws.ec2.delete_nat_gateway().nat_gateway_id(job.id).send().await.op("DeleteNatGateway");
        absent(result, &["NatGatewayNotFound"])?;
        wait(aws, "DeleteNatGateway", ec2::EVERY * 5, deadline, job.progress, async || {
            let found = describe(aws, ec2::filter("nat-gateway-id", [job.id])).await?;
            Ok(match found.first() {
                None => Poll::Ready(()),
                Some(g) if g.state() == Some(&NatGatewayState::Deleted) => Poll::Ready(()),
                Some(g) => Poll::Pending(g.state().map_or("", |s| s.as_str()).to_owned()),
            })
        })
        .await
    }

    async fn settle(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        wait_available(aws, job, job.id, timeouts::limit(job.want, &timeouts::CREATE, 10)).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, ec2::owned_by(job.token)).await?;
        let lives =
            |g: &&Live| matches!(g.state(), Some(NatGatewayState::Available | NatGatewayState::Pending));
        Ok(found.iter().find(lives).and_then(Live::nat_gateway_id).map(str::to_owned))
    }
}

fn some(items: Vec<String>) -> Option<Vec<String>> {
    Some(items).filter(|i| !i.is_empty())
}

async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<Live>, AwsError> {
    let pages = aws.ec2.describe_nat_gateways().filter(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeNatGateways")
}

/// Pending at first, for a minute or two; Failed says why.
async fn wait_available(aws: &Aws, job: &Job<'_>, id: &str, deadline: Duration) -> Result<(), AwsError> {
    wait(aws, "CreateNatGateway", ec2::EVERY * 5, deadline, job.progress, async || {
        let found = describe(aws, ec2::filter("nat-gateway-id", [id])).await?;
        let Some(gateway) = found.first() else { return Ok(Poll::Pending("not visible yet".to_owned())) };
        match gateway.state() {
            Some(NatGatewayState::Available) => Ok(Poll::Ready(())),
            Some(NatGatewayState::Failed) => Err(failure(id, gateway)),
            state => Ok(Poll::Pending(state.map_or("", |s| s.as_str()).to_owned())),
        }
    })
    .await
}

fn failure(id: &str, gateway: &Live) -> AwsError {
    let message = format!("{id} failed: {}", gateway.failure_message().unwrap_or("AWS gave no reason"));
    AwsError::failed("CreateNatGateway", gateway.failure_code().unwrap_or("Failed"), message)
}

fn gone(address: &NatGatewayAddress) -> bool {
    use NatGatewayAddressStatus::*;
    matches!(address.status(), Some(Disassociating | Unassigning | Failed))
}

fn object(gateway: &Live) -> Object {
    let addresses: Vec<&NatGatewayAddress> =
        gateway.nat_gateway_addresses().iter().filter(|a| !gone(a)).collect();
    // Older answers do not say which one is primary: then it is the only one.
    let primary = addresses.iter().position(|a| a.is_primary() == Some(true)).unwrap_or(0);
    let others = || addresses.iter().enumerate().filter(|(i, _)| *i != primary).map(|(_, a)| a);
    let texts = |of: fn(&NatGatewayAddress) -> Option<&str>| -> Vec<String> {
        others().filter_map(|a| of(a)).map(str::to_owned).collect()
    };
    let mut o = Object::new();
    if let Some(address) = addresses.get(primary) {
        o.set(&ALLOCATION_ID, ec2::filled(address.allocation_id()))
            .set(&ASSOCIATION_ID, ec2::filled(address.association_id()))
            .set(&INTERFACE, ec2::filled(address.network_interface_id()))
            .set(&PRIVATE_IP, ec2::filled(address.private_ip()))
            .set(&PUBLIC_IP, ec2::filled(address.public_ip()));
    }
    let connectivity = gateway.connectivity_type().unwrap_or(&ConnectivityType::Public).as_str();
    o.set(&ID, gateway.nat_gateway_id())
        .set(&CONNECTIVITY_TYPE, connectivity)
        .set(&SECONDARY_ALLOCATIONS, some(texts(NatGatewayAddress::allocation_id)))
        .set(&SECONDARY_IPS, texts(NatGatewayAddress::private_ip))
        .set(&SECONDARY_COUNT, others().count())
        .set(&SUBNET_ID, gateway.subnet_id());
    tags::read(&mut o, ec2::pairs(gateway.tags()));
    o
}

/// Elements of `a` that are not in `b`.
fn without(a: &[String], b: &[String]) -> Vec<String> {
    a.iter().filter(|x| !b.contains(x)).cloned().collect()
}

async fn change_allocations(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (live, want) = (job.live.all(&SECONDARY_ALLOCATIONS), job.want.all(&SECONDARY_ALLOCATIONS));
    // First the new ones: connections keep an address to go out with.
    let added = without(&want, &live);
    if !added.is_empty() {
        let request =
            aws.ec2.associate_nat_gateway_address().nat_gateway_id(job.id).set_allocation_ids(Some(added));
        request.send().await.op("AssociateNatGatewayAddress")?;
        settle(aws, job).await?;
    }
    let removed = without(&live, &want);
    if removed.is_empty() {
        return Ok(());
    }
    let found = describe(aws, ec2::filter("nat-gateway-id", [job.id])).await?;
    let associations = found
        .iter()
        .flat_map(Live::nat_gateway_addresses)
        .filter(|a| a.allocation_id().is_some_and(|id| removed.iter().any(|r| r == id)))
        .filter_map(|a| a.association_id().map(str::to_owned))
        .collect();
    let request = aws
        .ec2
        .disassociate_nat_gateway_address()
        .nat_gateway_id(job.id)
        .set_association_ids(Some(associations));
    request.send().await.op("DisassociateNatGatewayAddress")?;
    settle(aws, job).await
}

async fn change_private_ips(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let (live, want) = (job.live.all(&SECONDARY_IPS), job.want.all(&SECONDARY_IPS));
    let (added, removed) = (without(&want, &live), without(&live, &want));
    if !added.is_empty() {
        let request = aws.ec2.assign_private_nat_gateway_address().nat_gateway_id(job.id);
        let request = request.set_private_ip_addresses(Some(added));
        request.send().await.op("AssignPrivateNatGatewayAddress")?;
        settle(aws, job).await?;
    }
    if !removed.is_empty() {
        let request = aws.ec2.unassign_private_nat_gateway_address().nat_gateway_id(job.id);
        let request = request.set_private_ip_addresses(Some(removed));
        request.send().await.op("UnassignPrivateNatGatewayAddress")?;
        settle(aws, job).await?;
    }
    Ok(())
}

/// Waits until no address comes or goes.
async fn settle(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let deadline = timeouts::limit(job.want, &timeouts::UPDATE, 10);
    wait(aws, "UpdateNatGatewayAddresses", ec2::EVERY * 5, deadline, job.progress, async || {
        let found = describe(aws, ec2::filter("nat-gateway-id", [job.id])).await?;
        let mut moving = found.iter().flat_map(Live::nat_gateway_addresses).filter(|a| {
            !matches!(
                a.status(),
                None | Some(NatGatewayAddressStatus::Succeeded | NatGatewayAddressStatus::Failed)
            )
        });
        Ok(match moving.next() {
            None => Poll::Ready(()),
            Some(a) => Poll::Pending(format!(
                "{} {}",
                a.private_ip().or(a.allocation_id()).unwrap_or("an address"),
                a.status().map_or("", |s| s.as_str())
            )),
        })
    })
    .await
}
