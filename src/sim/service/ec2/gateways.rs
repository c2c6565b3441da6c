//! Internet gateways, Elastic IP addresses, NAT gateways.

use super::Event;
use super::interfaces::{delete_interface, new_interface, no_interface, public_address, public_ip_of};
use super::network::{no_subnet, no_vpc};
use super::query::{
    Listing, check_tags, describe, done, fail, filtered, held, lean, missing, need, once, tag_new, tags_of,
};
use super::state::{Address, Association, Attachment, InternetGateway, NatGateway, NatState};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use crate::world::{self, MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};

/// NAT gateways take about two minutes to start and one to stop, and stay visible for about an hour
/// after that (VPC User Guide, "Work with NAT gateways").
const NAT_STARTS: Millis = 105 * SECOND;
const NAT_STOPS: Millis = 50 * SECOND;
const NAT_FAILS: Millis = 10 * SECOND;
const NAT_FORGOTTEN: Millis = 60 * MINUTE;

fn no_gateway(id: &str) -> ApiError {
    missing("InvalidInternetGatewayID.NotFound", "internetGateway", id)
}

pub fn create_internet_gateway(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["internet-gateway"])?;
    let id = world.id("igw");
    world.ec2.internet_gateways.insert(id.clone(), InternetGateway::default());
    tag_new(world, input, "internet-gateway", &id);
    Ok(json!({"InternetGateway": gateway_json(world, &id)}))
}

fn gateway_json(world: &World, id: &str) -> Option<Json> {
    let gateway = world.ec2.internet_gateways.get(id)?;
    let attached: Vec<Json> =
        gateway.vpc.iter().map(|vpc| json!({"VpcId": vpc, "State": "available"})).collect();
    let tags = tags_of(world, id);
    Some(json!({"InternetGatewayId": id, "OwnerId": world.account, "Attachments": attached, "Tags": tags}))
}

pub fn describe_internet_gateways(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "InternetGatewayIds",
        filters: "Filters",
        output: "InternetGateways",
        missing: no_gateway,
        table: &[
            ("attachment.state", "Attachments.State"),
            ("attachment.vpc-id", "Attachments.VpcId"),
            ("internet-gateway-id", "InternetGatewayId"),
            ("owner-id", "OwnerId"),
        ],
    };
    describe(input, &listing, world.ec2.internet_gateways.keys(), |id| gateway_json(world, id))
}

pub fn attach_internet_gateway(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "InternetGatewayId")?;
    let vpc = need(input, "VpcId")?;
    let gateway = world.ec2.internet_gateways.get(id).ok_or_else(|| no_gateway(id))?;
    world.ec2.vpcs.get(vpc).ok_or_else(|| no_vpc(vpc))?;
    if let Some(has) = &gateway.vpc {
        let message = format!("resource {id} is already attached to network {has}");
        return fail("Resource.AlreadyAssociated", message);
    }
    if gateway_of(world, vpc).is_some() {
        let message = format!("Network {vpc} already has an internet gateway attached");
        return fail("InvalidParameterValue", message);
    }
    world.ec2.internet_gateways.get_mut(id).expect("seen above").vpc = Some(vpc.to_owned());
    Ok(json!({}))
}

pub fn gateway_of<'a>(world: &'a World, vpc: &str) -> Option<&'a String> {
    let mut all = world.ec2.internet_gateways.iter();
    all.find(|(_, gateway)| gateway.vpc.as_deref() == Some(vpc)).map(|(id, _)| id)
}

pub fn detach_internet_gateway(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "InternetGatewayId")?;
    let vpc = need(input, "VpcId")?;
    let gateway = world.ec2.internet_gateways.get(id).ok_or_else(|| no_gateway(id))?;
    if gateway.vpc.as_deref() != Some(vpc) {
        return fail("Gateway.NotAttached", format!("resource {id} is not attached to network {vpc}"));
    }
    let mapped = world.ec2.interfaces.values().filter(|eni| eni.vpc == vpc);
    let mapped = mapped.filter(|eni| public_ip_of(world, eni).is_some());
    let holders: Vec<String> = mapped.map(|eni| format!("{} ({})", eni.id, eni.user())).collect();
    if !holders.is_empty() {
        let message = format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before \
             detaching the gateway. Held by: {}",
            holders.join(", ")
        );
        return fail("DependencyViolation", message);
    }
    world.ec2.internet_gateways.get_mut(id).expect("seen above").vpc = None;
    Ok(json!({}))
}

pub fn delete_internet_gateway(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "InternetGatewayId")?;
    let gateway = world.ec2.internet_gateways.get(id).ok_or_else(|| no_gateway(id))?;
    if let Some(vpc) = &gateway.vpc {
        return Err(held("internetGateway", id, std::slice::from_ref(vpc)));
    }
    world.ec2.internet_gateways.remove(id);
    world.ec2.tags.remove(id);
    Ok(json!({}))
}

fn no_allocation(id: &str) -> ApiError {
    missing("InvalidAllocationID.NotFound", "allocation", id)
}

pub fn allocate_address(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["elastic-ip"])?;
    let id = world.id("eipalloc");
    let public_ip = public_address(world);
    world.ec2.addresses.insert(id.clone(), Address { public_ip: public_ip.clone(), association: None });
    tag_new(world, input, "elastic-ip", &id);
    Ok(json!({
        "AllocationId": id, "PublicIp": public_ip, "Domain": "vpc", "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": world.region,
    }))
}

fn address_json(world: &World, id: &str) -> Option<Json> {
    let address = world.ec2.addresses.get(id)?;
    let with = address.association.as_ref();
    let eni = with.and_then(|association| world.ec2.interfaces.get(&association.interface));
    Some(lean(json!({
        "AllocationId": id, "PublicIp": address.public_ip, "Domain": "vpc", "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": world.region, "AssociationId": with.map(|a| &a.id),
        "NetworkInterfaceId": with.map(|a| &a.interface), "PrivateIpAddress": with.map(|a| &a.private_ip),
        "NetworkInterfaceOwnerId": with.map(|_| &world.account),
        "InstanceId": eni.and_then(|eni| eni.instance()), "Tags": tags_of(world, id),
    })))
}

pub fn describe_addresses(world: &mut World, input: &Json) -> Answer {
    let mut items = Vec::new();
    let (ids, ips) = (input.texts("AllocationIds"), input.texts("PublicIps"));
    for id in &ids {
        items.push(address_json(world, id).ok_or_else(|| no_allocation(id))?);
    }
    for ip in &ips {
        let found = world.ec2.addresses.iter().find(|(_, address)| address.public_ip == *ip);
        let json = found.and_then(|(id, _)| address_json(world, id));
        items.push(json.ok_or_else(|| no_address(ip))?);
    }
    if ids.is_empty() && ips.is_empty() {
        items.extend(world.ec2.addresses.keys().filter_map(|id| address_json(world, id)));
    }
    let table = &[
        ("allocation-id", "AllocationId"),
        ("association-id", "AssociationId"),
        ("domain", "Domain"),
        ("instance-id", "InstanceId"),
        ("network-border-group", "NetworkBorderGroup"),
        ("network-interface-id", "NetworkInterfaceId"),
        ("network-interface-owner-id", "NetworkInterfaceOwnerId"),
        ("private-ip-address", "PrivateIpAddress"),
        ("public-ip", "PublicIp"),
    ];
    Ok(json!({"Addresses": filtered(items, input.list("Filters"), table)?}))
}

fn no_address(ip: &str) -> ApiError {
    ApiError::new("InvalidAddress.NotFound", format!("Address '{ip}' not found."))
}

/// Names of Elastic IPs; the reverse DNS attribute, which we have none of.
pub fn describe_addresses_attribute(world: &mut World, input: &Json) -> Answer {
    let ids = input.texts("AllocationIds");
    let items = world.ec2.addresses.iter().filter(|(id, _)| ids.is_empty() || ids.contains(&id.as_str()));
    let render =
        |(id, address): (&String, &Address)| json!({"AllocationId": id, "PublicIp": address.public_ip});
    Ok(json!({"Addresses": items.map(render).collect::<Vec<_>>()}))
}

fn allocation_of(world: &World, input: &Json) -> Result<String, ApiError> {
    if let Some(id) = input.text("AllocationId") {
        let known = world.ec2.addresses.contains_key(id);
        return if known { Ok(id.to_owned()) } else { Err(no_allocation(id)) };
    }
    let ip = need(input, "PublicIp")?;
    let found = world.ec2.addresses.iter().find(|(_, address)| address.public_ip == ip);
    found.map(|(id, _)| id.clone()).ok_or_else(|| no_address(ip))
}

pub fn release_address(world: &mut World, input: &Json) -> Answer {
    let id = allocation_of(world, input)?;
    let address = &world.ec2.addresses[&id];
    // "[Default VPC] Releasing an Elastic IP address automatically disassociates it from any instance that it's
    // associated with. [Nondefault VPC] You must use DisassociateAddress" (API reference, ReleaseAddress).
    let of_default_vpc = address.association.as_ref().is_some_and(|association| {
        let eni = world.ec2.interfaces.get(&association.interface);
        eni.is_some_and(|eni| {
            eni.instance().is_some() && world.ec2.vpcs.get(&eni.vpc).is_some_and(|vpc| vpc.is_default)
        })
    });
    if address.association.is_some() && !of_default_vpc {
        let message = format!("Address {} is in use.", address.public_ip);
        return fail("InvalidIPAddress.InUse", message);
    }
    world.ec2.addresses.remove(&id);
    world.ec2.tags.remove(&id);
    done()
}

pub fn associate_address(world: &mut World, input: &Json) -> Answer {
    let id = allocation_of(world, input)?;
    let eni = match (input.text("NetworkInterfaceId"), input.text("InstanceId")) {
        (Some(eni), _) => eni.to_owned(),
        (None, Some(instance)) => {
            let found = world.ec2.instances.get(instance);
            let found = found.ok_or_else(|| super::instances::no_instance(instance))?;
            if !found.state.lives() {
                let message = "The pending or terminated instance cannot have an address associated.";
                return fail("InvalidInstanceID", message);
            }
            found.interface.clone().unwrap_or_default()
        }
        _ => {
            let message = "Invalid request, expect InstanceId/NetworkId parameter.";
            return fail("MissingParameter", message);
        }
    };
    let reassociate = input.flag("AllowReassociation").unwrap_or(false);
    let association = associate(world, &id, &eni, reassociate)?;
    Ok(json!({"AssociationId": association}))
}

fn associate(world: &mut World, id: &str, eni: &str, move_it: bool) -> Result<String, ApiError> {
    let private_ip = world.ec2.interfaces.get(eni).ok_or_else(|| no_interface(eni))?.private_ip.clone();
    if let Some(has) = &world.ec2.addresses[id].association {
        if has.interface == eni {
            return Ok(has.id.clone());
        }
        if !move_it {
            let message = format!("resource {id} is already associated with associate-id {}", has.id);
            return fail("Resource.AlreadyAssociated", message);
        }
    }
    let on_eni = world.ec2.addresses.iter().find(|(_, address)| {
        address.association.as_ref().is_some_and(|association| association.interface == eni)
    });
    if let Some(other) = on_eni.map(|(id, _)| id.clone()) {
        if !move_it {
            let message = format!("resource {eni} is already associated with address {other}");
            return fail("Resource.AlreadyAssociated", message);
        }
        world.ec2.addresses.get_mut(&other).expect("found above").association = None;
    }
    let association = world.id("eipassoc");
    world.ec2.addresses.get_mut(id).expect("checked by callers").association =
        Some(Association { id: association.clone(), interface: eni.to_owned(), private_ip });
    // An Elastic IP takes the place of the instance's own public address, which goes back to the pool.
    world.ec2.interfaces.get_mut(eni).expect("seen above").public_ip = None;
    Ok(association)
}

pub fn disassociate_address(world: &mut World, input: &Json) -> Answer {
    let by_ip = input.text("PublicIp");
    let wanted = input.text("AssociationId");
    let found = world.ec2.addresses.values_mut().find(|address| {
        let association = address.association.as_ref().map(|association| association.id.as_str());
        (wanted.is_some() && association == wanted) || by_ip == Some(address.public_ip.as_str())
    });
    let Some(address) = found else {
        return match (wanted, by_ip) {
            (Some(id), _) => Err(missing("InvalidAssociationID.NotFound", "association", id)),
            (None, Some(ip)) => Err(no_address(ip)),
            (None, None) => Err(super::query::absent("AssociationId")),
        };
    };
    let eni = address.association.as_ref().map(|association| association.interface.clone());
    let kind = eni.and_then(|eni| Some(world.ec2.interfaces.get(&eni)?.kind.clone()));
    if kind.as_deref() == Some("nat_gateway") {
        return fail("AuthFailure", "You do not have permission to access the specified resource.");
    }
    address.association = None;
    done()
}

fn no_nat(id: &str) -> ApiError {
    ApiError::new("NatGatewayNotFound", format!("The Nat Gateway {id} was not found"))
}

pub fn create_nat_gateway(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["natgateway"])?;
    once(world, "CreateNatGateway", input, |world, input| {
        let id = new_nat(world, input)?;
        tag_new(world, input, "natgateway", &id);
        Ok(lean(json!({"NatGateway": nat_json(world, &id), "ClientToken": input.text("ClientToken")})))
    })
}

fn new_nat(world: &mut World, input: &Json) -> Result<String, ApiError> {
    let subnet = need(input, "SubnetId")?.to_owned();
    let vpc = world.ec2.subnets.get(&subnet).ok_or_else(|| no_subnet(&subnet))?.vpc.clone();
    let public = input.text("ConnectivityType") != Some("private");
    let allocation = input.text("AllocationId").map(str::to_owned);
    match &allocation {
        Some(id) if !world.ec2.addresses.contains_key(id) => return Err(no_allocation(id)),
        Some(_) if !public => {
            let message = "The AllocationId parameter cannot be used with a private NAT gateway";
            return fail("InvalidParameterCombination", message);
        }
        None if public => return Err(super::query::absent("AllocationId")),
        _ => {}
    }
    let taken = allocation.as_ref().filter(|id| world.ec2.addresses[*id].association.is_some());
    // These are no errors of the call: the gateway turns `failed` (VPC User Guide, "Troubleshoot NAT
    // gateways").
    let failure = if public && gateway_of(world, &vpc).is_none() {
        Some(("Gateway.NotAttached", format!("Network {vpc} has no Internet gateway attached")))
    } else {
        taken.map(|id| {
            let message = format!("Elastic IP address [{id}] is already associated");
            ("Resource.AlreadyAssociated", message)
        })
    };
    let id = world.id("nat");
    let description = format!("Interface for NAT Gateway {id}");
    let eni = new_interface(world, &subnet, &description, &[], input.text("PrivateIpAddress"))?;
    let attachment = Attachment {
        id: world.id("eni-attach"),
        instance: None,
        device_index: 1,
        at: world.now,
        delete_on_termination: false,
    };
    let account = world.account.clone();
    let interface = world.ec2.interfaces.get_mut(&eni).expect("just made");
    interface.kind = "nat_gateway".to_owned();
    interface.requester = Some(account);
    interface.source_dest_check = false;
    interface.groups.clear();
    interface.attachment = Some(attachment);
    let private_ip = interface.private_ip.clone();
    let mut public_ip = None;
    if let (Some(allocation), None) = (&allocation, &failure) {
        associate(world, allocation, &eni, false)?;
        public_ip = Some(world.ec2.addresses[allocation].public_ip.clone());
    }
    let settles = if failure.is_some() { NAT_FAILS } else { NAT_STARTS + jitter(world, 30) };
    let nat = NatGateway {
        id: id.clone(),
        subnet,
        vpc,
        state: NatState::Pending,
        public,
        allocation,
        interface: Some(eni),
        private_ip,
        public_ip,
        created: world.now,
        deleted: None,
        failure: failure.map(|(code, message)| (code.to_owned(), message)),
    };
    world.ec2.nat_gateways.insert(id.clone(), nat);
    world.schedule(settles, world::Event::Ec2(Event::NatSettled(id.clone())));
    Ok(id)
}

/// Up to so many seconds, drawn.
pub fn jitter(world: &mut World, seconds: u64) -> Millis {
    (world.random() % (seconds * 1000)) as Millis
}

pub fn nat_settled(world: &mut World, id: &str) {
    let Some(nat) = world.ec2.nat_gateways.get_mut(id) else { return };
    if nat.state != NatState::Pending {
        return;
    }
    if nat.failure.is_none() {
        nat.state = NatState::Available;
        return;
    }
    nat.state = NatState::Failed;
    if let Some(eni) = nat.interface.take() {
        delete_interface(world, &eni);
    }
    world.schedule(NAT_FORGOTTEN, world::Event::Ec2(Event::NatForgotten(id.to_owned())));
}

pub fn delete_nat_gateway(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NatGatewayId")?;
    let now = world.now;
    let nat = world.ec2.nat_gateways.get_mut(id).ok_or_else(|| no_nat(id))?;
    if matches!(nat.state, NatState::Pending | NatState::Available | NatState::Failed) {
        nat.state = NatState::Deleting;
        nat.deleted = Some(now);
        let stops = NAT_STOPS + jitter(world, 20);
        world.schedule(stops, world::Event::Ec2(Event::NatDeleted(id.to_owned())));
    }
    Ok(json!({"NatGatewayId": id}))
}

pub fn nat_deleted(world: &mut World, id: &str) {
    let Some(nat) = world.ec2.nat_gateways.get_mut(id) else { return };
    nat.state = NatState::Deleted;
    if let Some(eni) = nat.interface.take() {
        delete_interface(world, &eni);
    }
    world.schedule(NAT_FORGOTTEN, world::Event::Ec2(Event::NatForgotten(id.to_owned())));
}

pub fn nat_forgotten(world: &mut World, id: &str) {
    world.ec2.nat_gateways.remove(id);
    world.ec2.tags.remove(id);
}

fn nat_json(world: &World, id: &str) -> Option<Json> {
    let nat = world.ec2.nat_gateways.get(id)?;
    let state = match nat.state {
        NatState::Pending => "pending",
        NatState::Failed => "failed",
        NatState::Available => "available",
        NatState::Deleting => "deleting",
        NatState::Deleted => "deleted",
    };
    let association =
        nat.allocation.as_ref().and_then(|id| world.ec2.addresses.get(id)?.association.as_ref());
    let association = association.filter(|a| Some(&a.interface) == nat.interface.as_ref());
    let status = match nat.state {
        NatState::Pending => "associating",
        NatState::Failed => "failed",
        _ => "succeeded",
    };
    Some(lean(json!({
        "NatGatewayId": id, "SubnetId": nat.subnet, "VpcId": nat.vpc, "State": state,
        "ConnectivityType": if nat.public { "public" } else { "private" }, "AvailabilityMode": "zonal",
        "CreateTime": World::timestamp(nat.created), "DeleteTime": nat.deleted.map(World::timestamp),
        "FailureCode": nat.failure.as_ref().map(|f| &f.0), "FailureMessage": nat.failure.as_ref().map(|f| &f.1),
        "NatGatewayAddresses": [{
            "AllocationId": nat.allocation, "NetworkInterfaceId": nat.interface, "PrivateIp": nat.private_ip,
            "PublicIp": nat.public_ip, "AssociationId": association.map(|a| &a.id), "IsPrimary": true,
            "Status": status,
        }],
        "Tags": tags_of(world, id),
    })))
}

pub fn describe_nat_gateways(world: &mut World, input: &Json) -> Answer {
    // The request names its filters `Filter`.
    let listing = Listing {
        ids: "NatGatewayIds",
        filters: "Filter",
        output: "NatGateways",
        missing: no_nat,
        table: &[
            ("nat-gateway-id", "NatGatewayId"),
            ("state", "State"),
            ("subnet-id", "SubnetId"),
            ("vpc-id", "VpcId"),
        ],
    };
    describe(input, &listing, world.ec2.nat_gateways.keys(), |id| nat_json(world, id))
}
