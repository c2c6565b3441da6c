//! VPCs, their attributes, subnets, DHCP options.

use super::query::{
    Listing, absent, attribute, check_tags, describe, fail, held, lean, missing, need, tag_new, tags_of,
};
use super::state::{Subnet, Vpc};
use super::zones::{zone_id, zones};
use super::{network_acls, routes, security_groups};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Value as Json, json};
use std::net::Ipv4Addr;

/// Every subnet's first four addresses and its last are AWS's.
const RESERVED: u32 = 5;

pub fn found(world: &mut World) {
    let id = world.id("dopt");
    let domain = internal_domain(&world.region);
    let options = [
        ("domain-name".to_owned(), vec![domain]),
        ("domain-name-servers".to_owned(), vec!["AmazonProvidedDNS".to_owned()]),
    ];
    world.ec2.dhcp_options.insert(id, options.into());
}

/// Private DNS names end so: us-east-1 is older than the scheme.
pub fn internal_domain(region: &str) -> String {
    if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") }
}

pub fn no_vpc(id: &str) -> ApiError {
    missing("InvalidVpcID.NotFound", "vpc", id)
}

pub fn no_subnet(id: &str) -> ApiError {
    missing("InvalidSubnetID.NotFound", "subnet", id)
}

pub fn net(cidr: &str) -> Ipv4Net {
    cidr.parse().expect("stored blocks were checked when they came in")
}

/// A block as users give it, with its host bits cleared as EC2 clears them.
fn block(text: &str) -> Result<Ipv4Net, ApiError> {
    let bad = || {
        let message =
            format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.");
        ApiError::new("InvalidParameterValue", message)
    };
    if !text.contains('/') {
        return Err(bad());
    }
    text.parse::<Ipv4Net>().map(|net| net.trunc()).map_err(|_| bad())
}

pub fn default_vpc(world: &World) -> Option<&Vpc> {
    world.ec2.vpcs.values().find(|vpc| vpc.is_default)
}

pub fn create_vpc(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["vpc"])?;
    let cidr = block(need(input, "CidrBlock")?)?;
    if !(16..=28).contains(&cidr.prefix_len()) {
        return fail("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid."));
    }
    let ipv6 = input.flag("AmazonProvidedIpv6CidrBlock") == Some(true);
    let id = new_vpc(world, cidr, input.text("InstanceTenancy").unwrap_or("default"), ipv6, false);
    tag_new(world, input, "vpc", &id);
    let mut vpc = vpc_json(world, &id).expect("just made");
    vpc["State"] = json!("pending");
    Ok(json!({"Vpc": vpc}))
}

fn new_vpc(world: &mut World, cidr: Ipv4Net, tenancy: &str, ipv6: bool, is_default: bool) -> String {
    let id = world.id("vpc");
    let blocks6 = if ipv6 { vec![amazons_block(world)] } else { vec![] };
    let vpc = Vpc {
        id: id.clone(),
        cidrs: vec![(world.id("vpc-cidr-assoc"), cidr.to_string())],
        ipv6: blocks6,
        dhcp_options: world.ec2.dhcp_options.keys().next().cloned().unwrap_or_default(),
        tenancy: tenancy.to_owned(),
        is_default,
        dns_support: true,
        dns_hostnames: is_default,
        address_usage_metrics: false,
    };
    world.ec2.vpcs.insert(id.clone(), vpc);
    routes::create_main(world, &id);
    network_acls::create_default(world, &id);
    security_groups::create_default(world, &id);
    id
}

/// An association with an IPv6 block of Amazon's.
fn amazons_block(world: &mut World) -> (String, String) {
    let part = world.hex(8);
    let cidr = format!("2600:1f{}:{}:{}00::/56", &part[..2], &part[2..6], &part[6..]);
    let cidr = cidr.parse::<Ipv6Net>().expect("hexadecimal groups").trunc().to_string();
    (world.id("vpc-cidr-assoc"), cidr)
}

/// 172.31.0.0/16, an internet gateway with a default route, a /20 subnet a zone (VPC User Guide, "Default
/// VPC components").
pub fn create_default_vpc(world: &mut World, _input: &Json) -> Answer {
    if default_vpc(world).is_some() {
        return fail(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        );
    }
    let vpc = new_vpc(world, net("172.31.0.0/16"), "default", false, true);
    let gateway = world.id("igw");
    world
        .ec2
        .internet_gateways
        .insert(gateway.clone(), super::state::InternetGateway { vpc: Some(vpc.clone()) });
    routes::add_default(world, &vpc, &gateway);
    for (zone, cidr) in zones(world).into_iter().zip(net("172.31.0.0/16").subnets(20).expect("longer")) {
        let subnet = new_subnet(world, &vpc, cidr, &zone);
        let subnet = world.ec2.subnets.get_mut(&subnet).expect("just made");
        subnet.default_for_zone = true;
        subnet.map_public_ip = true;
    }
    Ok(json!({"Vpc": vpc_json(world, &vpc)}))
}

/// A default subnet where there is none: a /20 of the default VPC (VPC User Guide, "Create a default subnet").
pub fn create_default_subnet(world: &mut World, input: &Json) -> Answer {
    let zone = subnet_zone(world, input)?;
    let Some(vpc) = default_vpc(world).map(|vpc| (vpc.id.clone(), net(&vpc.cidrs[0].1))) else {
        return fail("DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.");
    };
    let inside = |subnet: &&Subnet| subnet.vpc == vpc.0;
    let there = |subnet: &&Subnet| inside(subnet) && subnet.default_for_zone && subnet.zone == zone;
    if let Some(subnet) = world.ec2.subnets.values().find(there) {
        let message = format!("'{}' is already the default subnet in {zone}.", subnet.id);
        return fail("DefaultSubnetAlreadyExistsInAvailabilityZone", message);
    }
    let mut free = vpc.1.subnets(20).expect("the default VPC's block is longer");
    let taken = |cidr: &Ipv4Net| {
        world.ec2.subnets.values().filter(inside).any(|subnet| overlap(net(&subnet.cidr), *cidr))
    };
    let Some(cidr) = free.find(|cidr| !taken(cidr)) else {
        return fail("InsufficientCidrBlocks", "The default VPC has no CIDR block left for a subnet.");
    };
    let id = new_subnet(world, &vpc.0, cidr, &zone);
    let subnet = world.ec2.subnets.get_mut(&id).expect("just made");
    subnet.default_for_zone = true;
    subnet.map_public_ip = true;
    Ok(json!({"Subnet": subnet_json(world, &id)}))
}

pub fn vpc_json(world: &World, id: &str) -> Option<Json> {
    let vpc = world.ec2.vpcs.get(id)?;
    let associated = json!({"State": "associated"});
    let block = |(association, cidr): &(String, String)| json!({"AssociationId": association, "CidrBlock": cidr, "CidrBlockState": associated});
    let block6 = |(association, cidr): &(String, String)| {
        json!({
            "AssociationId": association, "Ipv6CidrBlock": cidr, "Ipv6CidrBlockState": associated,
            "NetworkBorderGroup": world.region, "Ipv6Pool": "Amazon", "IpSource": "amazon",
            "Ipv6AddressAttribute": "public",
        })
    };
    Some(json!({
        "VpcId": vpc.id, "OwnerId": world.account, "State": "available", "CidrBlock": vpc.cidrs[0].1,
        "CidrBlockAssociationSet": vpc.cidrs.iter().map(block).collect::<Vec<_>>(),
        "Ipv6CidrBlockAssociationSet": vpc.ipv6.iter().map(block6).collect::<Vec<_>>(),
        "DhcpOptionsId": vpc.dhcp_options, "InstanceTenancy": vpc.tenancy, "IsDefault": vpc.is_default,
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": tags_of(world, id),
    }))
}

pub fn describe_vpcs(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "VpcIds",
        filters: "Filters",
        output: "Vpcs",
        missing: no_vpc,
        table: &[
            ("cidr", "CidrBlock"),
            ("cidr-block-association.cidr-block", "CidrBlockAssociationSet.CidrBlock"),
            ("cidr-block-association.association-id", "CidrBlockAssociationSet.AssociationId"),
            ("cidr-block-association.state", "CidrBlockAssociationSet.CidrBlockState.State"),
            ("dhcp-options-id", "DhcpOptionsId"),
            ("ipv6-cidr-block-association.ipv6-cidr-block", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock"),
            ("ipv6-cidr-block-association.association-id", "Ipv6CidrBlockAssociationSet.AssociationId"),
            ("ipv6-cidr-block-association.state", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"),
            ("ipv6-cidr-block-association.ipv6-pool", "Ipv6CidrBlockAssociationSet.Ipv6Pool"),
            ("is-default", "IsDefault"),
            ("isDefault", "IsDefault"),
            ("owner-id", "OwnerId"),
            ("state", "State"),
            ("vpc-id", "VpcId"),
        ],
    };
    describe(input, &listing, world.ec2.vpcs.keys(), |id| vpc_json(world, id))
}

pub fn delete_vpc(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VpcId")?.to_owned();
    let vpc = world.ec2.vpcs.get(&id).ok_or_else(|| no_vpc(&id))?;
    let ec2 = &world.ec2;
    let mut holders: Vec<String> = Vec::new();
    // The gateway and subnets of a default VPC go with it only in the console; DeleteVpc refuses.
    holders.extend(ec2.subnets.values().filter(|s| s.vpc == vpc.id).map(|s| s.id.clone()));
    let gateways = ec2.internet_gateways.iter().filter(|(_, g)| g.vpc.as_deref() == Some(&id));
    holders.extend(gateways.map(|(gateway, _)| gateway.clone()));
    let groups = ec2.security_groups.values().filter(|g| g.vpc == id && g.name != "default");
    holders.extend(groups.map(|g| g.id.clone()));
    holders.extend(ec2.route_tables.values().filter(|t| t.vpc == id && !t.is_main()).map(|t| t.id.clone()));
    holders.extend(ec2.network_acls.values().filter(|a| a.vpc == id && !a.is_default).map(|a| a.id.clone()));
    if !holders.is_empty() {
        return Err(held("vpc", &id, &holders));
    }
    let ec2 = &mut world.ec2;
    ec2.vpcs.remove(&id);
    let mut gone = vec![id.clone()];
    gone.extend(ec2.route_tables.extract_if(.., |_, t| t.vpc == id).map(|(id, _)| id));
    gone.extend(ec2.network_acls.extract_if(.., |_, a| a.vpc == id).map(|(id, _)| id));
    let groups: Vec<String> =
        ec2.security_groups.extract_if(.., |_, g| g.vpc == id).map(|(id, _)| id).collect();
    gone.extend(ec2.rules.extract_if(.., |_, r| groups.contains(&r.group)).map(|(id, _)| id));
    gone.extend(groups);
    for id in gone {
        ec2.tags.remove(&id);
    }
    Ok(json!({}))
}

pub fn describe_vpc_attribute(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VpcId")?;
    let vpc = world.ec2.vpcs.get(id).ok_or_else(|| no_vpc(id))?;
    let (member, value) = match need(input, "Attribute")? {
        "enableDnsSupport" => ("EnableDnsSupport", vpc.dns_support),
        "enableDnsHostnames" => ("EnableDnsHostnames", vpc.dns_hostnames),
        "enableNetworkAddressUsageMetrics" => ("EnableNetworkAddressUsageMetrics", vpc.address_usage_metrics),
        other => {
            let message = format!(
                "Value ({other}) for parameter attribute is invalid. Unknown attribute. Valid values: \
                 enableDnsSupport, enableDnsHostnames, enableNetworkAddressUsageMetrics"
            );
            return fail("InvalidParameterValue", message);
        }
    };
    Ok(json!({"VpcId": id, member: {"Value": value}}))
}

pub fn modify_vpc_attribute(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VpcId")?;
    let vpc = world.ec2.vpcs.get_mut(id).ok_or_else(|| no_vpc(id))?;
    let support = attribute(input, "EnableDnsSupport");
    let hostnames = attribute(input, "EnableDnsHostnames");
    let usage = attribute(input, "EnableNetworkAddressUsageMetrics");
    match [support, hostnames, usage].iter().flatten().count() {
        0 => return Err(absent("attribute")),
        1 => {}
        _ => return fail("InvalidParameterCombination", "Fields for multiple attribute types specified"),
    }
    vpc.dns_support = support.unwrap_or(vpc.dns_support);
    vpc.dns_hostnames = hostnames.unwrap_or(vpc.dns_hostnames);
    vpc.address_usage_metrics = usage.unwrap_or(vpc.address_usage_metrics);
    Ok(json!({}))
}

pub fn modify_vpc_tenancy(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VpcId")?;
    let vpc = world.ec2.vpcs.get_mut(id).ok_or_else(|| no_vpc(id))?;
    let tenancy = need(input, "InstanceTenancy")?;
    if tenancy != "default" {
        let message = format!("The tenancy value {tenancy} is not supported.");
        return fail("UnsupportedTenancy", message);
    }
    vpc.tenancy = tenancy.to_owned();
    Ok(json!({"ReturnValue": true}))
}

/// IPv4 and IPv6 blocks a VPC (VPC User Guide, "Amazon VPC quotas"; one of Amazon's).
const IPV4_LIMIT: usize = 5;
const IPV6_LIMIT: usize = 1;

pub fn associate_vpc_cidr_block(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VpcId")?.to_owned();
    let vpc = world.ec2.vpcs.get(&id).ok_or_else(|| no_vpc(&id))?;
    let full = |count: usize| {
        let message = format!("This network {id} has met its maximum number of allowed CIDRs: {count}");
        ApiError::new("CidrLimitExceeded", message)
    };
    let Some(text) = input.text("CidrBlock") else {
        if input.flag("AmazonProvidedIpv6CidrBlock") != Some(true) {
            return Err(absent("cidrBlock"));
        }
        if !vpc.ipv6.is_empty() {
            return Err(full(IPV6_LIMIT));
        }
        let new = amazons_block(world);
        world.ec2.vpcs.get_mut(&id).expect("seen above").ipv6.push(new.clone());
        let mut shown = vpc_json(world, &id).expect("seen above")["Ipv6CidrBlockAssociationSet"][0].take();
        shown["Ipv6CidrBlockState"] = json!({"State": "associating"});
        return Ok(json!({"VpcId": id, "Ipv6CidrBlockAssociation": shown}));
    };
    let cidr = block(text)?;
    if vpc.cidrs.len() >= IPV4_LIMIT {
        return Err(full(IPV4_LIMIT));
    }
    let association = world.id("vpc-cidr-assoc");
    let vpc = world.ec2.vpcs.get_mut(&id).expect("seen above");
    if !(16..=28).contains(&cidr.prefix_len()) {
        return fail("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid."));
    }
    if vpc.cidrs.iter().any(|(_, has)| overlap(net(has), cidr)) {
        return fail(
            "InvalidVpc.Conflict",
            format!("The CIDR '{cidr}' conflicts with another CIDR of the VPC"),
        );
    }
    vpc.cidrs.push((association.clone(), cidr.to_string()));
    Ok(json!({
        "VpcId": id,
        "CidrBlockAssociation": {
            "AssociationId": association, "CidrBlock": cidr.to_string(), "CidrBlockState": {"State": "associating"},
        },
    }))
}

pub fn disassociate_vpc_cidr_block(world: &mut World, input: &Json) -> Answer {
    let association = need(input, "AssociationId")?;
    if let Some(answer) = disassociate_ipv6(world, association) {
        return answer;
    }
    let find = |vpc: &&mut Vpc| vpc.cidrs.iter().any(|(id, _)| id == association);
    let Some(vpc) = world.ec2.vpcs.values_mut().find(find) else {
        let message = format!("The vpc CIDR block association ID '{association}' does not exist");
        return fail("InvalidVpcCidrBlockAssociationIdError.NotFound", message);
    };
    if vpc.cidrs[0].0 == association {
        let message = format!(
            "The vpc CIDR block with association ID {association} may not be disassociated. It is the \
             primary IPv4 CIDR block of the VPC"
        );
        return fail("OperationNotPermitted", message);
    }
    let at = vpc.cidrs.iter().position(|(id, _)| id == association).expect("found above");
    let cidr = net(&vpc.cidrs[at].1);
    let mut users = world.ec2.subnets.values().filter(|s| s.vpc == vpc.id);
    if users.any(|s| overlap(net(&s.cidr), cidr)) {
        return fail(
            "DependencyViolation",
            format!(
                "The vpc CIDR block with association ID {association} has dependencies and cannot be disassociated"
            ),
        );
    }
    vpc.cidrs.remove(at);
    Ok(json!({
        "VpcId": vpc.id,
        "CidrBlockAssociation": {
            "AssociationId": association, "CidrBlock": cidr.to_string(),
            "CidrBlockState": {"State": "disassociating"},
        },
    }))
}

/// None if it is no association of an IPv6 block.
fn disassociate_ipv6(world: &mut World, association: &str) -> Option<Answer> {
    let find = |vpc: &&mut Vpc| vpc.ipv6.iter().any(|(id, _)| id == association);
    let vpc = world.ec2.vpcs.values_mut().find(find)?;
    let at = vpc.ipv6.iter().position(|(id, _)| id == association)?;
    let block: Option<Ipv6Net> = vpc.ipv6[at].1.parse().ok();
    let uses = |subnet: &&Subnet| {
        let own = subnet.ipv6.as_ref().and_then(|(_, cidr)| cidr.parse::<Ipv6Net>().ok());
        subnet.vpc == vpc.id && own.is_some_and(|own| block.is_some_and(|block| block.contains(&own)))
    };
    let users: Vec<String> =
        world.ec2.subnets.values().filter(uses).map(|subnet| subnet.id.clone()).collect();
    if !users.is_empty() {
        return Some(Err(held("vpc CIDR block", association, &users)));
    }
    let (_, cidr) = vpc.ipv6.remove(at);
    Some(Ok(json!({
        "VpcId": vpc.id,
        "Ipv6CidrBlockAssociation": {
            "AssociationId": association, "Ipv6CidrBlock": cidr,
            "Ipv6CidrBlockState": {"State": "disassociating"},
        },
    })))
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

pub fn create_subnet(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["subnet"])?;
    let vpc_id = need(input, "VpcId")?.to_owned();
    let vpc = world.ec2.vpcs.get(&vpc_id).ok_or_else(|| no_vpc(&vpc_id))?;
    if input.flag("Ipv6Native") == Some(true) {
        return Err(ipv6_only(input));
    }
    let cidr = block(need(input, "CidrBlock")?)?;
    let inside = vpc.cidrs.iter().any(|(_, has)| net(has).contains(&cidr));
    if !inside || !(16..=28).contains(&cidr.prefix_len()) {
        return fail("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid."));
    }
    let mut others = world.ec2.subnets.values().filter(|s| s.vpc == vpc_id);
    if others.any(|other| overlap(net(&other.cidr), cidr)) {
        return fail("InvalidSubnet.Conflict", format!("The CIDR '{cidr}' conflicts with another subnet"));
    }
    let zone = subnet_zone(world, input)?;
    let id = new_subnet(world, &vpc_id, cidr, &zone);
    if let Some(text) = input.text("Ipv6CidrBlock") {
        let association = world.id("subnet-cidr-assoc");
        world.ec2.subnets.get_mut(&id).expect("just made").ipv6 = Some((association, text.to_owned()));
    }
    tag_new(world, input, "subnet", &id);
    Ok(json!({"Subnet": subnet_json(world, &id)}))
}

/// Why no IPv6-only subnet is made: what EC2 refuses itself, or that there are none here.
fn ipv6_only(input: &Json) -> ApiError {
    if input.get("Ipv6CidrBlock").is_none() && input.get("Ipv6IpamPoolId").is_none() {
        let message = "Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided.";
        return ApiError::new("MissingParameter", message);
    }
    if input.get("CidrBlock").is_some() {
        let message = "When specifying ipv4 parameters, cidrBlock or ipv4IpamPoolId, you cannot set ipv6Native to true.";
        return ApiError::new("InvalidParameterCombination", message);
    }
    ApiError::new("UnsupportedOperation", "The embedded AWS has no IPv6-only subnets.").status(501)
}

/// The zone asked for by name or id, or one that has few of our subnets (EC2: "selects one for you").
fn subnet_zone(world: &World, input: &Json) -> Result<String, ApiError> {
    let all = zones(world);
    let (text, found) = match (input.text("AvailabilityZone"), input.text("AvailabilityZoneId")) {
        (Some(name), _) => (name, all.iter().find(|zone| *zone == name)),
        (None, Some(id)) => (id, all.iter().find(|zone| zone_id(world, zone).as_deref() == Some(id))),
        (None, None) => return Ok(all[0].clone()),
    };
    found.cloned().ok_or_else(|| {
        let message = format!(
            "Value ({text}) for parameter availabilityZone is invalid. Subnets can currently only be created \
             in the following availability zones: {}.",
            all.join(", ")
        );
        ApiError::new("InvalidParameterValue", message)
    })
}

fn new_subnet(world: &mut World, vpc: &str, cidr: Ipv4Net, zone: &str) -> String {
    let id = world.id("subnet");
    let subnet = Subnet {
        id: id.clone(),
        vpc: vpc.to_owned(),
        cidr: cidr.to_string(),
        ipv6: None,
        zone: zone.to_owned(),
        map_public_ip: false,
        assign_ipv6: false,
        dns64: false,
        default_for_zone: false,
        hostname_type: "ip-name".to_owned(),
        a_record: false,
        aaaa_record: false,
        used: Default::default(),
    };
    world.ec2.subnets.insert(id.clone(), subnet);
    network_acls::take_subnet(world, vpc, &id);
    id
}

impl Subnet {
    fn size(&self) -> u32 {
        1u32 << (32 - u32::from(net(&self.cidr).prefix_len()))
    }

    pub fn available(&self) -> u32 {
        self.size()
            - RESERVED
            - u32::try_from(self.used.len()).unwrap_or(u32::MAX).min(self.size() - RESERVED)
    }

    pub fn usable(&self, address: Ipv4Addr) -> bool {
        let net = net(&self.cidr);
        let offset = u32::from(address).wrapping_sub(u32::from(net.network()));
        net.contains(&address) && offset >= RESERVED - 1 && offset < self.size() - 1
    }

    /// A free address, looked for from a random place on.
    pub fn take_address(&mut self, random: u64) -> Option<Ipv4Addr> {
        let first = u32::from(net(&self.cidr).network()) + RESERVED - 1;
        let count = self.size() - RESERVED;
        let start = u32::try_from(random % u64::from(count)).expect("below a u32");
        let candidates = (0..count).map(|step| first + (start + step) % count);
        let free = candidates.into_iter().find(|address| !self.used.contains(address))?;
        self.used.insert(free);
        Some(Ipv4Addr::from(free))
    }
}

pub fn subnet_json(world: &World, id: &str) -> Option<Json> {
    let subnet = world.ec2.subnets.get(id)?;
    let ipv6 = subnet.ipv6.iter().map(|(association, cidr)| {
        json!({"AssociationId": association, "Ipv6CidrBlock": cidr, "Ipv6CidrBlockState": {"State": "associated"}})
    });
    Some(lean(json!({
        "SubnetId": subnet.id, "VpcId": subnet.vpc, "CidrBlock": subnet.cidr, "State": "available",
        "AvailabilityZone": subnet.zone, "AvailabilityZoneId": zone_id(world, &subnet.zone),
        "AvailableIpAddressCount": subnet.available(), "DefaultForAz": subnet.default_for_zone,
        "MapPublicIpOnLaunch": subnet.map_public_ip, "MapCustomerOwnedIpOnLaunch": false,
        "AssignIpv6AddressOnCreation": subnet.assign_ipv6, "EnableDns64": subnet.dns64, "Ipv6Native": false,
        "Ipv6CidrBlockAssociationSet": ipv6.collect::<Vec<_>>(),
        "OwnerId": world.account, "SubnetArn": world.arn("ec2", &format!("subnet/{id}")),
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": subnet.hostname_type, "EnableResourceNameDnsARecord": subnet.a_record,
            "EnableResourceNameDnsAAAARecord": subnet.aaaa_record,
        },
        "BlockPublicAccessStates": {"InternetGatewayBlockMode": "off"},
        "Tags": tags_of(world, id),
    })))
}

pub fn describe_subnets(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "SubnetIds",
        filters: "Filters",
        output: "Subnets",
        missing: no_subnet,
        table: &[
            ("availability-zone", "AvailabilityZone"),
            ("availabilityZone", "AvailabilityZone"),
            ("availability-zone-id", "AvailabilityZoneId"),
            ("availabilityZoneId", "AvailabilityZoneId"),
            ("available-ip-address-count", "AvailableIpAddressCount"),
            ("cidr-block", "CidrBlock"),
            ("cidr", "CidrBlock"),
            ("cidrBlock", "CidrBlock"),
            ("default-for-az", "DefaultForAz"),
            ("defaultForAz", "DefaultForAz"),
            ("ipv6-cidr-block-association.ipv6-cidr-block", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock"),
            ("ipv6-cidr-block-association.association-id", "Ipv6CidrBlockAssociationSet.AssociationId"),
            ("ipv6-cidr-block-association.state", "Ipv6CidrBlockAssociationSet.Ipv6CidrBlockState.State"),
            ("ipv6-native", "Ipv6Native"),
            ("map-customer-owned-ip-on-launch", "MapCustomerOwnedIpOnLaunch"),
            ("map-public-ip-on-launch", "MapPublicIpOnLaunch"),
            ("owner-id", "OwnerId"),
            ("state", "State"),
            ("subnet-arn", "SubnetArn"),
            ("subnet-id", "SubnetId"),
            ("vpc-id", "VpcId"),
            ("outpost-arn", "OutpostArn"),
        ],
    };
    // Default subnets first, zone by zone.
    let mut ids: Vec<&String> = world.ec2.subnets.keys().collect();
    ids.sort_by_key(|id| {
        let subnet = &world.ec2.subnets[*id];
        (!subnet.default_for_zone, subnet.default_for_zone.then_some(&subnet.zone))
    });
    describe(input, &listing, ids.into_iter(), |id| subnet_json(world, id))
}

pub fn modify_subnet_attribute(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "SubnetId")?;
    let subnet = world.ec2.subnets.get_mut(id).ok_or_else(|| no_subnet(id))?;
    let set = |field: &mut bool, name: &str| *field = attribute(input, name).unwrap_or(*field);
    set(&mut subnet.map_public_ip, "MapPublicIpOnLaunch");
    set(&mut subnet.assign_ipv6, "AssignIpv6AddressOnCreation");
    set(&mut subnet.dns64, "EnableDns64");
    set(&mut subnet.a_record, "EnableResourceNameDnsARecordOnLaunch");
    set(&mut subnet.aaaa_record, "EnableResourceNameDnsAAAARecordOnLaunch");
    if let Some(kind) = input.text("PrivateDnsHostnameTypeOnLaunch") {
        subnet.hostname_type = kind.to_owned();
    }
    Ok(json!({}))
}

pub fn delete_subnet(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "SubnetId")?.to_owned();
    world.ec2.subnets.get(&id).ok_or_else(|| no_subnet(&id))?;
    let inside = world.ec2.interfaces.values().filter(|eni| eni.subnet == id);
    let holders: Vec<String> = inside.map(|eni| format!("{} ({})", eni.id, eni.user())).collect();
    if !holders.is_empty() {
        return Err(held("subnet", &id, &holders));
    }
    world.ec2.subnets.remove(&id);
    world.ec2.tags.remove(&id);
    for table in world.ec2.route_tables.values_mut() {
        table.associations.retain(|_, with| *with != super::state::RouteAssociation::Subnet(id.clone()));
    }
    for acl in world.ec2.network_acls.values_mut() {
        acl.associations.remove(&id);
    }
    Ok(json!({}))
}

pub fn describe_dhcp_options(world: &mut World, input: &Json) -> Answer {
    let render = |id: &str| {
        let options = world.ec2.dhcp_options.get(id)?.iter().map(|(key, values)| {
            let values: Vec<Json> = values.iter().map(|value| json!({"Value": value})).collect();
            json!({"Key": key, "Values": values})
        });
        Some(json!({
            "DhcpOptionsId": id, "OwnerId": world.account, "DhcpConfigurations": options.collect::<Vec<_>>(),
            "Tags": tags_of(world, id),
        }))
    };
    let listing = Listing {
        ids: "DhcpOptionsIds",
        filters: "Filters",
        output: "DhcpOptions",
        missing: |id| missing("InvalidDhcpOptionID.NotFound", "dhcpOption", id),
        table: &[
            ("dhcp-options-id", "DhcpOptionsId"),
            ("key", "DhcpConfigurations.Key"),
            ("value", "DhcpConfigurations.Values.Value"),
            ("owner-id", "OwnerId"),
        ],
    };
    describe(input, &listing, world.ec2.dhcp_options.keys(), render)
}
