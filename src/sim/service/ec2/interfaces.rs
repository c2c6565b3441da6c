//! Network interfaces: what holds an address in a subnet, whoever made it.

use super::network::{internal_domain, net, no_subnet};
use super::query::{Listing, check_tags, describe, done, fail, lean, missing, need, once, tag_new, tags_of};
use super::state::{Address, Attachment, Interface};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};
use std::net::Ipv4Addr;

pub fn no_interface(id: &str) -> ApiError {
    missing("InvalidNetworkInterfaceID.NotFound", "networkInterface", id)
}

impl Interface {
    pub fn instance(&self) -> Option<&str> {
        self.attachment.as_ref()?.instance.as_deref()
    }

    /// What a message names as the user of this interface.
    pub fn user(&self) -> String {
        match self.instance() {
            Some(instance) => instance.to_owned(),
            None if self.description.is_empty() => "unattached".to_owned(),
            None => self.description.clone(),
        }
    }
}

/// An interface that a service makes for itself (a load balancer, a task): in use from the start. Its
/// private address is the answer's; `delete_interface` gives it back. Without groups it gets the VPC's
/// default one.
pub fn create_interface(
    world: &mut World,
    subnet: &str,
    description: &str,
    groups: &[String],
) -> Result<Interface, ApiError> {
    let id = new_interface(world, subnet, description, groups, None)?;
    let attachment = Attachment {
        id: world.id("eni-attach"),
        instance: None,
        device_index: 1,
        at: world.now,
        delete_on_termination: false,
    };
    // Balancers' interfaces are known by their description ("ELB app/name/id").
    let requester = if description.starts_with("ELB ") { "amazon-elb" } else { "amazon-ecs" };
    let eni = world.ec2.interfaces.get_mut(&id).expect("just made");
    eni.requester = Some(requester.to_owned());
    eni.attachment = Some(attachment);
    // No instance is in it, so that nothing derived changes.
    Ok(eni.clone())
}

/// Gives the interface a public address of Amazon's pool, gone with the interface.
pub fn map_public_ip(world: &mut World, id: &str) -> Option<String> {
    let address = public_address(world);
    let eni = world.ec2.interfaces.get_mut(id)?;
    eni.public_ip = Some(address.clone());
    Some(address)
}

/// Removes it, whatever its attachment; unknown ids are ignored.
pub fn delete_interface(world: &mut World, id: &str) {
    let Some(eni) = world.ec2.interfaces.remove(id) else { return };
    world.ec2.unlink(id, eni.attachment.as_ref());
    world.ec2.tags.remove(id);
    if let Some(subnet) = world.ec2.subnets.get_mut(&eni.subnet) {
        for address in std::iter::once(&eni.private_ip).chain(&eni.secondary) {
            give_back(subnet, address);
        }
    }
    for address in world.ec2.addresses.values_mut() {
        address.association.take_if(|association| association.interface == id);
    }
}

fn give_back(subnet: &mut super::state::Subnet, address: &str) {
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        subnet.used.remove(&u32::from(address));
    }
}

/// Secondary private addresses: these, and `count` more of the subnet's choice.
pub fn add_private(world: &mut World, id: &str, wanted: &[String], count: i64) -> Result<(), ApiError> {
    let eni = world.ec2.interfaces.get(id).ok_or_else(|| no_interface(id))?;
    let (subnet_id, has) = (eni.subnet.clone(), eni.secondary.clone());
    let mut made: Vec<String> = Vec::new();
    for text in wanted.iter().filter(|text| !has.contains(text)) {
        let subnet = world.ec2.subnets.get_mut(&subnet_id).expect("interfaces lie in a subnet");
        match take(subnet, text) {
            Ok(address) => made.push(address.to_string()),
            Err(error) => {
                made.iter().for_each(|address| give_back(subnet, address));
                return Err(error);
            }
        }
    }
    for _ in 0..count.max(0) {
        let random = world.random();
        let subnet = world.ec2.subnets.get_mut(&subnet_id).expect("interfaces lie in a subnet");
        let Some(address) = subnet.take_address(random) else {
            made.iter().for_each(|address| give_back(subnet, address));
            let message = format!("There are not enough free addresses in subnet '{subnet_id}'.");
            return fail("PrivateIpAddressLimitExceeded", message);
        };
        made.push(address.to_string());
    }
    world.ec2.interfaces.get_mut(id).expect("seen above").secondary.extend(made);
    Ok(())
}

/// IPv6 addresses: these, and `count` more of the subnet's block.
pub fn add_ipv6(world: &mut World, id: &str, wanted: &[String], count: i64) -> Result<(), ApiError> {
    if wanted.is_empty() && count <= 0 {
        return Ok(());
    }
    let eni = world.ec2.interfaces.get(id).ok_or_else(|| no_interface(id))?;
    let block = world.ec2.subnets.get(&eni.subnet).and_then(|subnet| subnet.ipv6.as_ref());
    let block = block.and_then(|(_, cidr)| cidr.parse::<ipnet::Ipv6Net>().ok());
    let Some(block) = block else {
        let message = format!("The subnet '{}' has no IPv6 CIDR block", eni.subnet);
        return fail("InvalidParameterValue", message);
    };
    let mut addresses = Vec::new();
    for text in wanted {
        match text.parse::<std::net::Ipv6Addr>() {
            Ok(address) if block.contains(&address) => addresses.push(address.to_string()),
            _ => {
                let message = format!("Address {text} does not fall within the subnet's address range");
                return fail("InvalidParameterValue", message);
            }
        }
    }
    for _ in 0..count.max(0) {
        let host = u128::from(world.random());
        addresses.push(std::net::Ipv6Addr::from(u128::from(block.network()) | host).to_string());
    }
    let eni = world.ec2.interfaces.get_mut(id).expect("seen above");
    addresses.retain(|address| !eni.ipv6.contains(address));
    eni.ipv6.extend(addresses);
    Ok(())
}

pub fn ipv6_json(eni: &Interface) -> Json {
    eni.ipv6.iter().map(|address| json!({"Ipv6Address": address})).collect()
}

/// The private addresses, the primary one first.
pub fn addresses_json(world: &World, eni: &Interface, association: Option<&Json>) -> Json {
    let one = |address: &String, primary: bool| {
        json!({
            "Primary": primary, "PrivateIpAddress": address,
            "PrivateDnsName": interface_name(world, &eni.vpc, address),
            "Association": association.filter(|_| primary),
        })
    };
    let secondary = eni.secondary.iter().map(|address| one(address, false));
    std::iter::once(one(&eni.private_ip, true)).chain(secondary).collect()
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

pub fn assign_private_ip_addresses(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let wanted = owned(input.texts("PrivateIpAddresses"));
    let before = world.ec2.interfaces.get(id).map_or(0, |eni| eni.secondary.len());
    add_private(world, id, &wanted, input.int("SecondaryPrivateIpAddressCount").unwrap_or(0))?;
    let new = world.ec2.interfaces[id].secondary.iter().skip(before);
    let assigned: Json = new.map(|address| json!({"PrivateIpAddress": address})).collect();
    Ok(json!({"NetworkInterfaceId": id, "AssignedPrivateIpAddresses": assigned}))
}

pub fn unassign_private_ip_addresses(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let doomed = owned(input.texts("PrivateIpAddresses"));
    let eni = world.ec2.interfaces.get_mut(id).ok_or_else(|| no_interface(id))?;
    if let Some(unknown) = doomed.iter().find(|address| !eni.secondary.contains(address)) {
        let message = format!("The private IP address '{unknown}' is not a secondary one of interface {id}");
        return fail("InvalidParameterValue", message);
    }
    eni.secondary.retain(|address| !doomed.contains(address));
    let subnet = eni.subnet.clone();
    if let Some(subnet) = world.ec2.subnets.get_mut(&subnet) {
        doomed.iter().for_each(|address| give_back(subnet, address));
    }
    Ok(json!({}))
}

pub fn assign_ipv6_addresses(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let before = world.ec2.interfaces.get(id).map_or(0, |eni| eni.ipv6.len());
    let wanted = owned(input.texts("Ipv6Addresses"));
    add_ipv6(world, id, &wanted, input.int("Ipv6AddressCount").unwrap_or(0))?;
    let assigned: Vec<&String> = world.ec2.interfaces[id].ipv6.iter().skip(before).collect();
    Ok(json!({"NetworkInterfaceId": id, "AssignedIpv6Addresses": assigned}))
}

pub fn unassign_ipv6_addresses(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let doomed = owned(input.texts("Ipv6Addresses"));
    let eni = world.ec2.interfaces.get_mut(id).ok_or_else(|| no_interface(id))?;
    eni.ipv6.retain(|address| !doomed.contains(address));
    Ok(json!({"NetworkInterfaceId": id, "UnassignedIpv6Addresses": doomed}))
}

pub fn public_address(world: &mut World) -> String {
    if let Some(foreseen) = world.foreseen("public-ip") {
        return foreseen;
    }
    loop {
        let n = world.random();
        let address = Ipv4Addr::new(54, (n >> 16) as u8, (n >> 8) as u8, (n % 254 + 1) as u8).to_string();
        let taken = world.ec2.addresses.values().any(|has| has.public_ip == address);
        if !taken {
            return address;
        }
    }
}

pub fn new_interface(
    world: &mut World,
    subnet_id: &str,
    description: &str,
    groups: &[String],
    wanted: Option<&str>,
) -> Result<String, ApiError> {
    let vpc = world.ec2.subnets.get(subnet_id).ok_or_else(|| no_subnet(subnet_id))?.vpc.clone();
    let groups = check_groups(world, groups, &vpc)?;
    let random = world.random();
    let foreseen = if wanted.is_none() { world.foreseen("private-ip") } else { None };
    let wanted = wanted.or(foreseen.as_deref());
    let subnet = world.ec2.subnets.get_mut(subnet_id).expect("seen above");
    let private_ip = match wanted {
        Some(text) => take(subnet, text)?,
        None => subnet.take_address(random).ok_or_else(|| {
            let message = format!(
                "The specified subnet does not have enough free addresses to satisfy the request. \
                 There are not enough free addresses in subnet '{subnet_id}' to satisfy the requested number of instances."
            );
            ApiError::new("InsufficientFreeAddressesInSubnet", message)
        })?,
    };
    let zone = subnet.zone.clone();
    let id = world.id("eni");
    let foreseen = world.foreseen("mac");
    let mac = world.hex(10);
    let pairs: Vec<&str> = (0..5).map(|at| &mac[2 * at..2 * at + 2]).collect();
    let eni = Interface {
        id: id.clone(),
        subnet: subnet_id.to_owned(),
        vpc,
        zone,
        description: description.to_owned(),
        groups,
        private_ip: private_ip.to_string(),
        secondary: vec![],
        ipv6: vec![],
        mac: foreseen.unwrap_or_else(|| format!("0a:{}", pairs.join(":"))),
        kind: "interface".to_owned(),
        requester: None,
        source_dest_check: true,
        public_ip: None,
        attachment: None,
    };
    world.ec2.interfaces.insert(id.clone(), eni);
    Ok(id)
}

fn take(subnet: &mut super::state::Subnet, text: &str) -> Result<Ipv4Addr, ApiError> {
    let address: Ipv4Addr = text
        .parse()
        .map_err(|_| ApiError::new("InvalidParameterValue", format!("Invalid IP address '{text}'")))?;
    if !subnet.usable(address) {
        let message = if net(&subnet.cidr).contains(&address) {
            "Address is in subnet's reserved address range"
        } else {
            "Address does not fall within the subnet's address range"
        };
        return fail("InvalidParameterValue", message);
    }
    if !subnet.used.insert(u32::from(address)) {
        return fail("InvalidIPAddress.InUse", format!("Address {address} is in use."));
    }
    Ok(address)
}

/// The groups, or the VPC's default one if none are given; all must be of the VPC.
pub fn check_groups(world: &World, groups: &[String], vpc: &str) -> Result<Vec<String>, ApiError> {
    if groups.is_empty() {
        let mut all = world.ec2.security_groups.values();
        let default = all.find(|group| group.vpc == vpc && group.name == "default");
        return Ok(default.map(|group| group.id.clone()).into_iter().collect());
    }
    for id in groups {
        let group = world.ec2.security_groups.get(id).ok_or_else(|| super::security_groups::no_group(id))?;
        if group.vpc != vpc {
            return fail(
                "InvalidParameter",
                format!("Security group {id} and subnet belong to different networks."),
            );
        }
    }
    Ok(groups.to_vec())
}

pub fn groups_json(world: &World, groups: &[String]) -> Vec<Json> {
    let name = |id: &String| world.ec2.security_groups.get(id).map(|group| group.name.clone());
    groups.iter().map(|id| json!({"GroupId": id, "GroupName": name(id)})).collect()
}

pub fn private_name(world: &World, address: &str) -> String {
    format!("ip-{}.{}", address.replace('.', "-"), internal_domain(&world.region))
}

fn has_names(world: &World, vpc: &str) -> bool {
    world.ec2.vpcs.get(vpc).is_some_and(|vpc| vpc.dns_hostnames && vpc.dns_support)
}

/// The private name of an interface's address: only in a VPC with DNS hostnames (DescribeVpcAttribute;
/// terraform-provider-aws#1599). An instance has one in any.
pub fn interface_name(world: &World, vpc: &str, address: &str) -> Option<String> {
    has_names(world, vpc).then(|| private_name(world, address))
}

/// `ec2-54-1-2-3.compute-1.amazonaws.com`; only VPCs with DNS hostnames have them.
pub fn public_name(world: &World, vpc: &str, address: &str) -> String {
    if !has_names(world, vpc) {
        return String::new();
    }
    let dashed = address.replace('.', "-");
    match world.region.as_str() {
        "us-east-1" => format!("ec2-{dashed}.compute-1.amazonaws.com"),
        region => format!("ec2-{dashed}.{region}.compute.amazonaws.com"),
    }
}

fn elastic<'a>(world: &'a World, eni: &str) -> Option<(&'a String, &'a Address)> {
    let with = |address: &&Address| address.association.as_ref().is_some_and(|a| a.interface == eni);
    world.ec2.addresses.iter().find(|(_, address)| with(address))
}

/// Its public address (Elastic or Amazon's) as an Association.
pub fn association_json(world: &World, eni: &Interface) -> Option<Json> {
    match elastic(world, &eni.id) {
        Some((allocation, address)) => Some(json!({
            "AllocationId": allocation, "AssociationId": address.association.as_ref().map(|a| &a.id),
            "IpOwnerId": world.account, "PublicIp": address.public_ip,
            "PublicDnsName": public_name(world, &eni.vpc, &address.public_ip),
        })),
        None => eni.public_ip.as_ref().map(|public_ip| {
            let owner = eni.requester.as_deref().unwrap_or("amazon");
            let name = public_name(world, &eni.vpc, public_ip);
            json!({"IpOwnerId": owner, "PublicIp": public_ip, "PublicDnsName": name})
        }),
    }
}

pub fn public_ip_of(world: &World, eni: &Interface) -> Option<String> {
    elastic(world, &eni.id).map(|(_, address)| address.public_ip.clone()).or_else(|| eni.public_ip.clone())
}

pub fn interface_json(world: &World, id: &str) -> Option<Json> {
    let eni = world.ec2.interfaces.get(id)?;
    let association = association_json(world, eni);
    let name = interface_name(world, &eni.vpc, &eni.private_ip);
    let attachment = eni.attachment.as_ref().map(|attachment| {
        let owner = eni.requester.clone().filter(|_| attachment.instance.is_none());
        json!({
            "AttachmentId": attachment.id, "AttachTime": World::timestamp(attachment.at),
            "DeleteOnTermination": attachment.delete_on_termination, "DeviceIndex": attachment.device_index,
            "NetworkCardIndex": attachment.instance.as_ref().map(|_| 0), "InstanceId": attachment.instance,
            "InstanceOwnerId": owner.unwrap_or_else(|| world.account.clone()), "Status": "attached",
        })
    });
    Some(lean(json!({
        "NetworkInterfaceId": eni.id, "SubnetId": eni.subnet, "VpcId": eni.vpc, "OwnerId": world.account,
        "AvailabilityZone": eni.zone, "AvailabilityZoneId": super::zone_id(world, &eni.zone),
        "Description": eni.description, "InterfaceType": eni.kind, "MacAddress": eni.mac,
        "Status": if attachment.is_some() { "in-use" } else { "available" }, "Attachment": attachment,
        "PrivateIpAddress": eni.private_ip, "PrivateDnsName": name, "Association": association,
        "PrivateIpAddresses": addresses_json(world, eni, association.as_ref()),
        "Ipv6Addresses": ipv6_json(eni), "Groups": groups_json(world, &eni.groups),
        "RequesterId": eni.requester, "RequesterManaged": eni.requester.is_some(),
        "SourceDestCheck": eni.source_dest_check, "TagSet": tags_of(world, id),
    })))
}

pub fn describe_network_interfaces(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "NetworkInterfaceIds",
        filters: "Filters",
        output: "NetworkInterfaces",
        missing: no_interface,
        table: &[
            ("addresses.association.owner-id", "PrivateIpAddresses.Association.IpOwnerId"),
            ("addresses.association.public-ip", "PrivateIpAddresses.Association.PublicIp"),
            ("addresses.primary", "PrivateIpAddresses.Primary"),
            ("addresses.private-ip-address", "PrivateIpAddresses.PrivateIpAddress"),
            ("association.allocation-id", "Association.AllocationId"),
            ("association.association-id", "Association.AssociationId"),
            ("association.ip-owner-id", "Association.IpOwnerId"),
            ("association.public-dns-name", "Association.PublicDnsName"),
            ("association.public-ip", "Association.PublicIp"),
            ("attachment.attach-time", "Attachment.AttachTime"),
            ("attachment.attachment-id", "Attachment.AttachmentId"),
            ("attachment.delete-on-termination", "Attachment.DeleteOnTermination"),
            ("attachment.device-index", "Attachment.DeviceIndex"),
            ("attachment.instance-id", "Attachment.InstanceId"),
            ("attachment.instance-owner-id", "Attachment.InstanceOwnerId"),
            ("attachment.status", "Attachment.Status"),
            ("availability-zone", "AvailabilityZone"),
            ("availability-zone-id", "AvailabilityZoneId"),
            ("description", "Description"),
            ("group-id", "Groups.GroupId"),
            ("group-name", "Groups.GroupName"),
            ("interface-type", "InterfaceType"),
            ("mac-address", "MacAddress"),
            ("network-interface-id", "NetworkInterfaceId"),
            ("owner-id", "OwnerId"),
            ("private-dns-name", "PrivateDnsName"),
            ("private-ip-address", "PrivateIpAddress"),
            ("requester-id", "RequesterId"),
            ("requester-managed", "RequesterManaged"),
            ("source-dest-check", "SourceDestCheck"),
            ("status", "Status"),
            ("subnet-id", "SubnetId"),
            ("vpc-id", "VpcId"),
        ],
    };
    describe(input, &listing, world.ec2.interfaces.keys(), |id| interface_json(world, id))
}

pub fn create_network_interface(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["network-interface"])?;
    once(world, "CreateNetworkInterface", input, |world, input| {
        let subnet = need(input, "SubnetId")?;
        let groups: Vec<String> = input.texts("Groups").into_iter().map(str::to_owned).collect();
        let description = input.text("Description").unwrap_or_default();
        let listed = input.list("PrivateIpAddresses");
        let first = listed.iter().position(|one| one.flag("Primary") == Some(true)).unwrap_or(0);
        let named = |one: &Json| one.text("PrivateIpAddress").map(str::to_owned);
        let wanted = input.text("PrivateIpAddress").map(str::to_owned).or(listed.get(first).and_then(named));
        let others = listed.iter().enumerate().filter(|(at, _)| *at != first);
        let secondary: Vec<String> = others.filter_map(|(_, one)| named(one)).collect();
        let ipv6 = input.list("Ipv6Addresses").iter().filter_map(|one| one.text("Ipv6Address"));
        let ipv6 = owned(ipv6.collect());
        let id = new_interface(world, subnet, description, &groups, wanted.as_deref())?;
        let count = |name: &str| input.int(name).unwrap_or(0);
        let more = add_private(world, &id, &secondary, count("SecondaryPrivateIpAddressCount"))
            .and_then(|()| add_ipv6(world, &id, &ipv6, count("Ipv6AddressCount")));
        if let Err(error) = more {
            delete_interface(world, &id);
            return Err(error);
        }
        tag_new(world, input, "network-interface", &id);
        let mut eni = interface_json(world, &id).expect("just made");
        eni["Status"] = json!("pending");
        Ok(json!({"NetworkInterface": eni, "ClientToken": input.text("ClientToken")}))
    })
    .map(lean)
}

pub fn delete_network_interface(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let eni = world.ec2.interfaces.get(id).ok_or_else(|| no_interface(id))?;
    if eni.attachment.is_some() {
        return fail("InvalidParameterValue", format!("Network interface '{id}' is currently in use."));
    }
    delete_interface(world, id);
    Ok(json!({}))
}

pub fn modify_network_interface_attribute(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let vpc = world.ec2.interfaces.get(id).ok_or_else(|| no_interface(id))?.vpc.clone();
    let groups: Vec<String> = input.texts("Groups").into_iter().map(str::to_owned).collect();
    if !groups.is_empty() {
        check_groups(world, &groups, &vpc)?;
    }
    let eni = world.ec2.interfaces.get_mut(id).expect("seen above");
    if !groups.is_empty() {
        eni.groups = groups;
    }
    if let Some(check) = super::query::attribute(input, "SourceDestCheck") {
        eni.source_dest_check = check;
    }
    if let Some(text) = input.get("Description").and_then(|value| value.text("Value")) {
        eni.description = text.to_owned();
    }
    if let (Some(change), Some(attachment)) = (input.get("Attachment"), &mut eni.attachment) {
        attachment.delete_on_termination =
            change.flag("DeleteOnTermination").unwrap_or(attachment.delete_on_termination);
    }
    Ok(json!({}))
}

pub fn attach_network_interface(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "NetworkInterfaceId")?;
    let instance = need(input, "InstanceId")?;
    if !world.ec2.instances.get(instance).is_some_and(|instance| instance.state.lives()) {
        return Err(super::instances::no_instance(instance));
    }
    let attachment = Attachment {
        id: world.id("eni-attach"),
        instance: Some(instance.to_owned()),
        device_index: input.int("DeviceIndex").unwrap_or(1),
        at: world.now,
        delete_on_termination: false,
    };
    let instance = instance.to_owned();
    let eni = world.ec2.interfaces.get(id).ok_or_else(|| no_interface(id))?;
    if eni.attachment.is_some() {
        return fail("InvalidNetworkInterface.InUse", format!("Interface: [{id}] in use."));
    }
    let answer = json!({"AttachmentId": attachment.id, "NetworkCardIndex": 0});
    world.ec2.attach(id, Some(attachment));
    if let Some(instance) = world.ec2.instances.get_mut(&instance) {
        instance.others.push(id.to_owned());
    }
    Ok(answer)
}

pub fn detach_network_interface(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "AttachmentId")?;
    let mut all = world.ec2.interfaces.values();
    let with = |eni: &&Interface| eni.attachment.as_ref().is_some_and(|attachment| attachment.id == id);
    let Some(eni) = all.find(with) else {
        return Err(missing("InvalidAttachmentID.NotFound", "attachment", id));
    };
    let device = eni.attachment.as_ref().map(|attachment| attachment.device_index);
    if eni.requester.is_some() || device == Some(0) {
        let message = "The network interface at device index 0 and networkCard index 0 cannot be detached.";
        return fail("OperationNotPermitted", message);
    }
    let (attached, id) = (eni.instance().map(str::to_owned), eni.id.clone());
    world.ec2.attach(&id, None);
    if let Some(instance) = attached.and_then(|instance| world.ec2.instances.get_mut(&instance)) {
        instance.others.retain(|other| *other != id);
    }
    done()
}
