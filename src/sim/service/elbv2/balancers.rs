//! Load balancers: provisioning → active, their subnets, security groups and attributes.

use super::super::{Answer, ApiError, Input, page};
use super::model::{Balancer, Zone};
use super::{Event, attributes, page_size, tags, targets, validation};
use crate::World;
use crate::service::ecs::network;
use crate::world::{Event as WorldEvent, MINUTE, SECOND};
use serde_json::{Value as Json, json};

/// A balancer takes about two minutes to become active; the exact time is drawn.
const PROVISIONING: i64 = 2 * MINUTE;
/// Interfaces of a deleted balancer linger for a while (terraform-provider-aws#27483).
const LINGER: i64 = 20 * SECOND;

/// Hosted zones of balancer names: region, application, network (AWS General Reference).
const HOSTED_ZONES: &[(&str, &str, &str)] = &[
    ("us-east-1", "Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"),
    ("us-east-2", "Z3AADJGX6KTTL2", "ZLMOA37VPKANP"),
    ("us-west-1", "Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"),
    ("us-west-2", "Z1H1FL5HABSF5", "Z18D5FSROUN65G"),
    ("ca-central-1", "ZQSVJUPU6J1EY", "Z2EPGBW3API2WT"),
    ("eu-central-1", "Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"),
    ("eu-west-1", "Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"),
    ("eu-west-2", "ZHURV8PSTC4K8", "ZD4D7Y8KGAS4G"),
    ("eu-west-3", "Z3Q77PNBQS71R4", "Z1CMS0P5QUZ6D5"),
    ("eu-north-1", "Z23TAZ6LKFMNIO", "Z1UDT6IFJ4EJM"),
    ("ap-southeast-1", "Z1LMS91P8CMLE5", "ZKVM4W9LS7TM"),
    ("ap-southeast-2", "Z1GM3OXH4ZPM65", "ZCT6FZBF4DROD"),
    ("ap-northeast-1", "Z14GRHDCWA56QT", "Z31USIVHYNEOWT"),
    ("ap-south-1", "ZP97RAFLXTNZK", "ZVDDRBQ08TROA"),
    ("sa-east-1", "Z2P70J7HTTTPLU", "ZTK26PT1VY4CU"),
];

fn hosted_zone(region: &str, kind: &str) -> &'static str {
    let (_, application, network) =
        HOSTED_ZONES.iter().find(|(name, ..)| *name == region).unwrap_or(&HOSTED_ZONES[0]);
    if kind == "application" { application } else { network }
}

pub(super) fn not_found(arn: &str) -> ApiError {
    ApiError::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"))
}

pub(super) fn view(world: &World, balancer: &Balancer) -> Json {
    let zones: Vec<Json> = balancer.zones.iter().map(zone_view).collect();
    let state = if balancer.active { "active" } else { "provisioning" };
    let mut view = json!({
        "LoadBalancerArn": balancer.arn,
        "DNSName": balancer.dns_name,
        "CanonicalHostedZoneId": hosted_zone(&world.region, &balancer.kind),
        "CreatedTime": World::timestamp(balancer.created),
        "LoadBalancerName": balancer.name,
        "Scheme": balancer.scheme,
        "VpcId": balancer.vpc_id,
        "State": {"Code": state},
        "Type": balancer.kind,
        "AvailabilityZones": zones,
        "IpAddressType": balancer.ip_address_type,
    });
    if balancer.kind == "application" || !balancer.security_groups.is_empty() {
        view["SecurityGroups"] = json!(balancer.security_groups);
    }
    if balancer.kind == "network" {
        view["EnablePrefixForIpv6SourceNat"] = json!("off");
        if let Some(enforce) = &balancer.enforce_private_link {
            view["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = json!(enforce);
        }
    }
    view
}

fn zone_view(zone: &Zone) -> Json {
    let mut address = serde_json::Map::new();
    if let Some(id) = &zone.allocation_id {
        address.insert("AllocationId".into(), json!(id));
    }
    if let Some(ip) = &zone.private_ip {
        address.insert("PrivateIPv4Address".into(), json!(ip));
    }
    let addresses = if address.is_empty() { json!([]) } else { json!([address]) };
    json!({"ZoneName": zone.name, "SubnetId": zone.subnet_id, "LoadBalancerAddresses": addresses})
}

/// Name, subnets, scheme, type and security groups as asked for: what must agree for a repeated create.
struct Wanted {
    kind: String,
    scheme: String,
    ip_address_type: String,
    security_groups: Vec<String>,
    subnets: Vec<WantedSubnet>,
}

struct WantedSubnet {
    id: String,
    vpc_id: String,
    zone: String,
    allocation_id: Option<String>,
    private_ip: Option<String>,
}

fn wanted_subnets(world: &World, input: &Json, kind: &str) -> Result<Vec<WantedSubnet>, ApiError> {
    let mut wanted: Vec<WantedSubnet> = Vec::new();
    let plain = input.texts("Subnets").into_iter().map(|id| (id, None, None));
    let mapped = input.list("SubnetMappings").iter().map(|mapping| {
        (
            mapping.text("SubnetId").unwrap_or_default(),
            mapping.text("AllocationId").map(str::to_owned),
            mapping.text("PrivateIPv4Address").map(str::to_owned),
        )
    });
    for (id, allocation_id, private_ip) in plain.chain(mapped) {
        let Some(subnet) = network::subnet(world, id) else {
            return Err(ApiError::new("SubnetNotFound", format!("The subnet ID '{id}' does not exist")));
        };
        if wanted.iter().any(|other| other.zone == subnet.zone) {
            return Err(ApiError::new(
                "InvalidConfigurationRequest",
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            ));
        }
        if wanted.first().is_some_and(|first| first.vpc_id != subnet.vpc_id) {
            return Err(ApiError::new("InvalidSubnet", "All subnets must belong to the same VPC"));
        }
        let (vpc_id, zone) = (subnet.vpc_id, subnet.zone);
        wanted.push(WantedSubnet { id: id.to_owned(), vpc_id, zone, allocation_id, private_ip });
    }
    if wanted.is_empty() {
        return Err(validation("You must specify subnets, or subnet mappings"));
    }
    if kind == "application" && wanted.len() < 2 {
        return Err(validation("At least two subnets in two different Availability Zones must be specified"));
    }
    wanted.sort_by(|a, b| a.zone.cmp(&b.zone));
    Ok(wanted)
}

fn checked_security_groups(world: &World, groups: &[&str]) -> Result<Vec<String>, ApiError> {
    match groups.iter().find(|id| !network::security_group_exists(world, id)) {
        Some(id) => Err(ApiError::new(
            "InvalidSecurityGroup",
            format!("One or more security groups are invalid: '{id}'"),
        )),
        None => Ok(groups.iter().map(|id| (*id).to_owned()).collect()),
    }
}

fn check_name(name: &str, what: &str) -> Result<(), ApiError> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let message = if name.chars().count() > 32 {
        format!("{what} name '{name}' cannot be longer than '32' characters")
    } else if !plain {
        format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )
    } else if what == "Target group" && (name.starts_with('-') || name.ends_with('-') || name.contains("--"))
    {
        format!(
            "1 validation error detected: Value '{name}' at 'targetGroup.targetGroupArn.targetGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!.*--)(?!^-)(?!.*-$)^[A-Za-z0-9-]+$"
        )
    } else if name.starts_with('-') || name.ends_with('-') {
        format!("{what} name '{name}' cannot begin or end with a hyphen(-)")
    } else if what == "Load balancer" && name.starts_with("internal-") {
        format!("{what} name '{name}' cannot begin with 'internal-'")
    } else {
        return Ok(());
    };
    Err(validation(message))
}

pub(super) fn check_group_name(name: &str) -> Result<(), ApiError> {
    check_name(name, "Target group")
}

fn wanted(world: &World, input: &Json) -> Result<Wanted, ApiError> {
    let kind = input.text("Type").unwrap_or("application").to_owned();
    if kind == "gateway" {
        return Err(ApiError::new(
            "UnsupportedOperation",
            "gateway load balancers are not part of the embedded AWS",
        )
        .status(501));
    }
    let subnets = wanted_subnets(world, input, &kind)?;
    let mut security_groups = checked_security_groups(world, &input.texts("SecurityGroups"))?;
    if security_groups.is_empty() && kind == "application" {
        security_groups.extend(network::default_security_group(world, &subnets[0].vpc_id));
    }
    Ok(Wanted {
        kind,
        scheme: input.text("Scheme").unwrap_or("internet-facing").to_owned(),
        ip_address_type: input.text("IpAddressType").unwrap_or("ipv4").to_owned(),
        security_groups,
        subnets,
    })
}

impl Wanted {
    fn agrees(&self, balancer: &Balancer) -> bool {
        let mut ours: Vec<&str> = self.subnets.iter().map(|subnet| subnet.id.as_str()).collect();
        let mut theirs: Vec<&str> = balancer.zones.iter().map(|zone| zone.subnet_id.as_str()).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        let sorted = |groups: &[String]| {
            let mut groups = groups.to_vec();
            groups.sort_unstable();
            groups
        };
        ours == theirs
            && self.kind == balancer.kind
            && self.scheme == balancer.scheme
            && self.ip_address_type == balancer.ip_address_type
            && sorted(&self.security_groups) == sorted(&balancer.security_groups)
    }
}

fn make_zones(
    world: &mut World,
    path: &str,
    subnets: Vec<WantedSubnet>,
    groups: &[String],
) -> Result<Vec<Zone>, ApiError> {
    let mut zones = Vec::new();
    for subnet in subnets {
        let description = format!("ELB {path}");
        let interface = network::create_interface(world, &subnet.id, groups, &description)?;
        zones.push(Zone {
            name: subnet.zone,
            subnet_id: subnet.id,
            interface: interface.id,
            allocation_id: subnet.allocation_id,
            private_ip: subnet.private_ip,
        });
    }
    Ok(zones)
}

pub(super) fn create_load_balancer(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default().to_owned();
    check_name(&name, "Load balancer")?;
    let wanted = wanted(world, input)?;
    let new_tags = tags::from_input(input)?;
    if let Some(existing) = world.elbv2.balancers.values().find(|balancer| balancer.name == name) {
        return if wanted.agrees(existing) {
            Ok(json!({"LoadBalancers": [view(world, existing)]}))
        } else {
            Err(ApiError::new(
                "DuplicateLoadBalancerName",
                format!("A load balancer with the same name '{name}' exists, but with different settings"),
            ))
        };
    }
    let id = world.hex(16);
    let short = if wanted.kind == "application" { "app" } else { "net" };
    let path = format!("{short}/{name}/{id}");
    let arn = world.arn("elasticloadbalancing", &format!("loadbalancer/{path}"));
    let internal = if wanted.scheme == "internal" { "internal-" } else { "" };
    let dns_name = if let Some(foreseen) = world.foreseen("dns-name") {
        foreseen
    } else if short == "app" {
        let number = 1_000_000_000 + world.random() % 1_000_000_000;
        format!("{internal}{name}-{number}.{}.elb.amazonaws.com", world.region)
    } else {
        format!("{name}-{id}.elb.{}.amazonaws.com", world.region)
    };
    let vpc_id = wanted.subnets[0].vpc_id.clone();
    let zones = make_zones(world, &path, wanted.subnets, &wanted.security_groups)?;
    let enforce = (short == "net" && !wanted.security_groups.is_empty()).then(|| "on".to_owned());
    let balancer = Balancer {
        arn: arn.clone(),
        name,
        path,
        kind: wanted.kind,
        scheme: wanted.scheme,
        vpc_id,
        dns_name,
        created: world.now,
        active: false,
        ip_address_type: wanted.ip_address_type,
        security_groups: wanted.security_groups,
        zones,
        attributes: Default::default(),
        enforce_private_link: enforce,
    };
    let answer = json!({"LoadBalancers": [view(world, &balancer)]});
    world.elbv2.balancers.insert(arn.clone(), balancer);
    world.elbv2.tags.insert(arn.clone(), new_tags);
    let jitter = (world.random() % 30) as i64 * SECOND;
    world.schedule(PROVISIONING + jitter, WorldEvent::Elbv2(Event::Active { balancer: arn }));
    Ok(answer)
}

pub(super) fn became_active(world: &mut World, arn: &str) {
    if let Some(balancer) = world.elbv2.balancers.get_mut(arn) {
        balancer.active = true;
        let path = balancer.path.clone();
        world.tell("elasticloadbalancing", "balancer", &path, "active", None);
        targets::refresh_balancer(world, arn);
        crate::traffic::rules_changed(world);
    }
}

pub(super) fn describe_load_balancers(world: &mut World, input: &Json) -> Answer {
    let (arns, names) = (input.texts("LoadBalancerArns"), input.texts("Names"));
    if !arns.is_empty() && !names.is_empty() {
        return Err(validation(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ));
    }
    let all = world.elbv2.balancers.values();
    let mut found: Vec<&Balancer> = all
        .filter(|one| arns.is_empty() || arns.contains(&one.arn.as_str()))
        .filter(|one| names.is_empty() || names.contains(&one.name.as_str()))
        .collect();
    found.sort_by(|a, b| (a.created, &a.arn).cmp(&(b.created, &b.arn)));
    if let Some(missing) = arns.iter().find(|arn| !found.iter().any(|one| one.arn == **arn)) {
        return Err(ApiError::new("LoadBalancerNotFound", format!("Load balancers '[{missing}]' not found")));
    }
    if let Some(missing) = names.iter().find(|name| !found.iter().any(|one| one.name == **name)) {
        return Err(ApiError::new("LoadBalancerNotFound", format!("Load balancers '[{missing}]' not found")));
    }
    let (found, next) = page(found, input.text("Marker"), page_size(input));
    let views: Vec<Json> = found.into_iter().map(|one| view(world, one)).collect();
    Ok(with_marker(json!({"LoadBalancers": views}), next))
}

pub(super) fn with_marker(mut answer: Json, next: Option<String>) -> Json {
    if let Some(next) = next {
        answer["NextMarker"] = json!(next);
    }
    answer
}

/// Deleting what is not there succeeds (API reference, DeleteLoadBalancer).
pub(super) fn delete_load_balancer(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    let Some(balancer) = world.elbv2.balancers.get(arn) else {
        return Ok(json!({}));
    };
    if balancer.attribute("deletion_protection.enabled") == "true" {
        return Err(ApiError::new(
            "OperationNotPermitted",
            format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled"),
        ));
    }
    let interfaces: Vec<String> = balancer.zones.iter().map(|zone| zone.interface.clone()).collect();
    let listeners: Vec<String> = world.elbv2.listeners_of(arn).map(|listener| listener.arn.clone()).collect();
    for listener in listeners {
        super::listeners::remove(world, &listener);
    }
    world.elbv2.balancers.remove(arn);
    world.elbv2.tags.remove(arn);
    super::actions::refresh(world);
    world.schedule(LINGER, WorldEvent::Elbv2(Event::Release { interfaces }));
    Ok(json!({}))
}

fn get_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Balancer, ApiError> {
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    world.elbv2.balancers.get_mut(arn).ok_or_else(|| not_found(arn))
}

pub(super) fn describe_load_balancer_attributes(world: &mut World, input: &Json) -> Answer {
    let balancer = get_mut(world, input)?;
    Ok(attributes::answer(&balancer.defaults(), &balancer.attributes))
}

pub(super) fn modify_load_balancer_attributes(world: &mut World, input: &Json) -> Answer {
    let balancer = get_mut(world, input)?;
    let defaults = balancer.defaults();
    let mut set = balancer.attributes.clone();
    set.extend(attributes::changes(input, &defaults, "Load balancer")?);
    for kind in ["access_logs", "connection_logs", "health_check_logs"] {
        let value = |key: &str| attributes::value(&defaults, &set, &format!("{kind}.s3.{key}")).to_owned();
        if value("enabled") == "true" && value("bucket").is_empty() {
            return Err(ApiError::new(
                "InvalidConfigurationRequest",
                format!("The value of '{kind}.s3.bucket' cannot be empty"),
            ));
        }
    }
    if balancer.kind == "application"
        && set.get("load_balancing.cross_zone.enabled").is_some_and(|value| value == "false")
    {
        return Err(ApiError::new(
            "InvalidConfigurationRequest",
            "Load balancer attribute key 'load_balancing.cross_zone.enabled' cannot be 'false' for load balancers with type 'application'",
        ));
    }
    balancer.attributes = set;
    Ok(attributes::answer(&defaults, &balancer.attributes))
}

pub(super) fn set_security_groups(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("LoadBalancerArn").unwrap_or_default();
    let groups = checked_security_groups(world, &input.texts("SecurityGroups"))?;
    let balancer = world.elbv2.balancers.get_mut(arn).ok_or_else(|| not_found(arn))?;
    if balancer.kind == "network" && balancer.security_groups.is_empty() != groups.is_empty() {
        let message = if groups.is_empty() {
            "You must specify at least one security group"
        } else {
            "Security groups cannot be associated with a network load balancer that was created without any"
        };
        return Err(ApiError::new("InvalidConfigurationRequest", message));
    }
    if let Some(enforce) = input.text("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic") {
        balancer.enforce_private_link = Some(enforce.to_owned());
    }
    balancer.security_groups.clone_from(&groups);
    let mut answer = json!({"SecurityGroupIds": groups});
    if let Some(enforce) = &balancer.enforce_private_link {
        answer["EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"] = json!(enforce);
    }
    let interfaces: Vec<String> = balancer.zones.iter().map(|zone| zone.interface.clone()).collect();
    for id in interfaces {
        network::set_interface_groups(world, &id, &groups);
    }
    Ok(answer)
}

pub(super) fn set_subnets(world: &mut World, input: &Json) -> Answer {
    let balancer = get_mut(world, input)?.clone();
    let subnets = wanted_subnets(world, input, &balancer.kind)?;
    if subnets[0].vpc_id != balancer.vpc_id {
        return Err(ApiError::new(
            "InvalidConfigurationRequest",
            format!("The subnets must belong to the VPC '{}' of the load balancer", balancer.vpc_id),
        ));
    }
    let kept = |zone: &Zone| subnets.iter().any(|subnet| subnet.id == zone.subnet_id);
    let (mut zones, gone): (Vec<Zone>, Vec<Zone>) = balancer.zones.iter().cloned().partition(kept);
    let new =
        subnets.into_iter().filter(|subnet| !zones.iter().any(|zone| zone.subnet_id == subnet.id)).collect();
    zones.extend(make_zones(world, &balancer.path, new, &balancer.security_groups)?);
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    let interfaces = gone.into_iter().map(|zone| zone.interface).collect();
    world.schedule(LINGER, WorldEvent::Elbv2(Event::Release { interfaces }));
    let balancer = get_mut(world, input)?;
    balancer.zones = zones;
    if let Some(kind) = input.text("IpAddressType") {
        balancer.ip_address_type = kind.to_owned();
    }
    let zones: Vec<Json> = balancer.zones.iter().map(zone_view).collect();
    let answer = json!({"AvailabilityZones": zones, "IpAddressType": balancer.ip_address_type});
    let arn = balancer.arn.clone();
    targets::refresh_balancer(world, &arn);
    Ok(answer)
}

pub(super) fn set_ip_address_type(world: &mut World, input: &Json) -> Answer {
    let balancer = get_mut(world, input)?;
    balancer.ip_address_type = input.text("IpAddressType").unwrap_or("ipv4").to_owned();
    Ok(json!({"IpAddressType": balancer.ip_address_type}))
}

pub(super) fn describe_capacity_reservation(world: &mut World, input: &Json) -> Answer {
    get_mut(world, input)?;
    Ok(json!({"DecreaseRequestsRemaining": 2, "CapacityReservationState": []}))
}

/// AWS's default quotas (Elastic Load Balancing quotas page).
pub(super) fn describe_account_limits(_world: &mut World, input: &Json) -> Answer {
    let limits: &[(&str, &str)] = &[
        ("target-groups", "3000"),
        ("targets-per-application-load-balancer", "1000"),
        ("listeners-per-application-load-balancer", "50"),
        ("rules-per-application-load-balancer", "100"),
        ("network-load-balancers", "50"),
        ("targets-per-network-load-balancer", "3000"),
        ("targets-per-availability-zone-per-network-load-balancer", "500"),
        ("listeners-per-network-load-balancer", "50"),
        ("condition-values-per-alb-rule", "5"),
        ("condition-wildcards-per-alb-rule", "5"),
        ("target-groups-per-application-load-balancer", "100"),
        ("target-groups-per-action-on-application-load-balancer", "5"),
        ("target-groups-per-action-on-network-load-balancer", "1"),
        ("certificates-per-application-load-balancer", "25"),
        ("certificates-per-network-load-balancer", "25"),
        ("targets-per-target-group", "1000"),
        ("target-id-registrations-per-application-load-balancer", "1000"),
        ("application-load-balancers", "50"),
        ("gateway-load-balancers", "100"),
    ];
    let (limits, next) = page(limits.to_vec(), input.text("Marker"), page_size(input));
    let limits: Vec<Json> = limits.iter().map(|(name, max)| json!({"Name": name, "Max": max})).collect();
    Ok(with_marker(json!({"Limits": limits}), next))
}
