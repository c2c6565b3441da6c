//! Choosing: where and as what the next instance is launched, and which one goes first.

use super::state::{Group, Member, Mixed, Override, Source, TemplateRef};
use crate::World;
use crate::service::ec2::{self, InstanceType, Subnet};
use crate::service::{ApiError, Input};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The next launch, decided.
pub struct Launch {
    pub subnet: String,
    pub zone: String,
    pub template: Option<TemplateRef>,
    pub configuration: Option<String>,
    /// Over the template's.
    pub instance_type: Option<String>,
    pub image_id: Option<String>,
    pub weight: Option<i64>,
    pub spot: bool,
}

/// Zones, and pools of a zone (with the instance type), where a launch has just failed for lack of capacity.
pub type Exhausted = BTreeSet<(String, Option<String>)>;

pub fn launch(world: &World, group: &Group, exhausted: &Exhausted) -> Result<Launch, ApiError> {
    let (subnet, zone) = place(world, group, exhausted)?;
    let plain = |template, configuration| Launch {
        subnet: subnet.clone(),
        zone: zone.clone(),
        template,
        configuration,
        instance_type: None,
        image_id: None,
        weight: None,
        spot: false,
    };
    match group.launches() {
        Source::Template(template) => Ok(plain(Some(template.clone()), None)),
        Source::Configuration(name) => Ok(plain(None, Some(name.clone()))),
        Source::Mixed(mixed) => {
            let spot = wants_spot(group, mixed);
            let mut launch = plain(Some(mixed.template.clone()), None);
            launch.spot = spot;
            if let Some((name, one)) = pool(world, mixed, &zone, spot, exhausted)? {
                launch.instance_type = Some(name);
                launch.weight = one.weight;
                launch.image_id.clone_from(&one.image_id);
                if let Some(own) = &one.template {
                    launch.template = Some(own.clone());
                }
            }
            Ok(launch)
        }
    }
}

/// The instance types that the group's settings name.
pub fn types(world: &World, group: &Group) -> BTreeSet<String> {
    let of_template = |template: &TemplateRef| {
        let data = ec2::resolve(world, &template.specification()).ok()?.data;
        data.text("InstanceType").map(str::to_owned)
    };
    let mut found: BTreeSet<String> = match group.launches() {
        Source::Mixed(mixed) if !mixed.overrides.is_empty() => {
            mixed.overrides.iter().filter_map(|one| one.instance_type.clone()).collect()
        }
        from => from.templates().into_iter().filter_map(of_template).collect(),
    };
    if found.is_empty() {
        found.extend(group.members.values().map(|member| member.instance_type.clone()));
    }
    found
}

/// The zone with the fewest instances, and there the subnet with the fewest.
fn place(world: &World, group: &Group, exhausted: &Exhausted) -> Result<(String, String), ApiError> {
    let mut zones: BTreeMap<&str, i64> = BTreeMap::new();
    let mut subnets: BTreeMap<&str, i64> = BTreeMap::new();
    let several = shares_zones(world, group);
    for member in group.members.values().filter(|member| member.lifecycle.counts()) {
        *zones.entry(&member.zone).or_default() += member.units();
        if several && let Some(instance) = world.ec2.instances.get(&member.id) {
            *subnets.entry(&instance.spec.subnet_id).or_default() += 1;
        }
    }
    let in_zone = |zone: &str| zones.get(zone).copied().unwrap_or(0);
    let in_subnet = |subnet: &str| subnets.get(subnet).copied().unwrap_or(0);
    let known = group.subnets.iter().filter_map(|id| world.ec2.subnets.get(id));
    let has_capacity = |subnet: &&Subnet| !exhausted.contains(&(subnet.zone.clone(), None));
    let best = known.filter(has_capacity).min_by_key(|subnet| (in_zone(&subnet.zone), in_subnet(&subnet.id)));
    match best {
        Some(subnet) => Ok((subnet.id.clone(), subnet.zone.clone())),
        None if !exhausted.is_empty() => Err(ApiError::new(ec2::NO_CAPACITY, "No zone has capacity left.")),
        None if group.subnets.is_empty() => Err(ApiError::new(
            "VPCIdNotSpecified",
            "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.",
        )),
        None => {
            let message = format!("The subnet ID '{}' does not exist", group.subnets[0]);
            Err(ApiError::new("InvalidSubnetID.NotFound", message))
        }
    }
}

/// Whether two of the group's subnets are in one zone.
fn shares_zones(world: &World, group: &Group) -> bool {
    let zones = group.subnets.iter().filter_map(|id| world.ec2.subnets.get(id)).map(|subnet| &subnet.zone);
    zones.collect::<BTreeSet<_>>().len() < group.subnets.len()
}

/// Whether no instance type is left to try there.
pub fn zone_is_exhausted(world: &World, group: &Group, zone: &str, exhausted: &Exhausted) -> bool {
    match group.launches() {
        Source::Mixed(mixed) => {
            let spot = wants_spot(group, mixed);
            !matches!(pool(world, mixed, zone, spot, exhausted), Ok(Some(_)))
        }
        _ => true,
    }
}

/// On-demand up to the base, then the percentage of what is above it, rounded in favour of on-demand.
fn wants_spot(group: &Group, mixed: &Mixed) -> bool {
    let live: Vec<&Member> = group.members.values().filter(|member| member.lifecycle.counts()).collect();
    let total = live.iter().map(|member| member.units()).sum::<i64>() + 1;
    let on_demand: i64 = live.iter().filter(|member| !member.spot).map(|member| member.units()).sum();
    let above = (total - mixed.on_demand_base).max(0);
    let wanted = total.min(mixed.on_demand_base) + (above * mixed.on_demand_percentage + 99) / 100;
    on_demand >= wanted
}

/// One instance type of the policy's pools, with the override it comes from.
fn pool<'a>(
    world: &World,
    mixed: &'a Mixed,
    zone: &str,
    spot: bool,
    exhausted: &Exhausted,
) -> Result<Option<(String, &'a Override)>, ApiError> {
    let mut pools: Vec<(String, &Override)> = Vec::new();
    for one in &mixed.overrides {
        match (&one.instance_type, &one.requirements) {
            (Some(name), _) => pools.push((name.clone(), one)),
            (None, Some(requirements)) => {
                let template = one.template.as_ref().unwrap_or(&mixed.template);
                let arch = architecture(world, template);
                let fits = ec2::all_types().filter(|kind| meets(kind, requirements, arch));
                pools.extend(fits.map(|kind| (kind.name.clone(), one)));
            }
            (None, None) => {}
        }
    }
    if pools.is_empty() {
        if mixed.overrides.iter().any(|one| one.requirements.is_some()) {
            let message = "No instance types satisfy the instance requirements.";
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        return Ok(None);
    }
    pools.retain(|(name, _)| !exhausted.contains(&(zone.to_owned(), Some(name.clone()))));
    if pools.is_empty() {
        return Err(ApiError::new(ec2::NO_CAPACITY, "No instance type has capacity left in the zone."));
    }
    let strategy = if spot { &mixed.spot_strategy } else { &mixed.on_demand_strategy };
    let best = match strategy.as_str() {
        // The overrides are in order of priority; min_by_key keeps the first of equals.
        "prioritized" | "capacity-optimized-prioritized" => pools.into_iter().next(),
        "capacity-optimized" => pools.into_iter().min_by_key(|(name, _)| scarcity(world, name, zone)),
        "price-capacity-optimized" => {
            pools.into_iter().min_by_key(|(name, _)| (scarcity(world, name, zone) / 4, price(name)))
        }
        _ => pools.into_iter().min_by_key(|(name, one)| price(name) / one.weight.unwrap_or(1)),
    };
    Ok(best)
}

/// How little spare capacity a pool has, 0..15: fixed for a world, zone and type.
fn scarcity(world: &World, name: &str, zone: &str) -> u64 {
    let text = name.bytes().chain(zone.bytes());
    let sum = text.fold(world.seed ^ 0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (sum >> 40) % 16
}

/// Relative: vCPUs and memory as AWS roughly prices them.
fn price(name: &str) -> i64 {
    ec2::instance_type(name).map_or(i64::MAX / 1000, |kind| {
        let base = kind.vcpus * 30 + kind.memory_mib / 1024 * 4 + kind.gpus * 500;
        base * if kind.arch == "arm64" { 8 } else { 10 } * if kind.burstable { 8 } else { 10 }
    })
}

fn architecture(world: &World, template: &TemplateRef) -> &'static str {
    let data = ec2::resolve(world, &template.specification()).ok().map(|found| found.data);
    let image = data.as_ref().and_then(|data| data.text("ImageId")).unwrap_or_default();
    ec2::images::image_in(world, &ec2::real_image(world, image)).map_or("x86_64", |image| image.arch)
}

fn meets(kind: &InstanceType, requirements: &Json, arch: &str) -> bool {
    let within = |name: &str, value: i64| {
        requirements.get(name).is_none_or(|range| {
            value >= range.int("Min").unwrap_or(0) && value <= range.int("Max").unwrap_or(i64::MAX)
        })
    };
    let like = |patterns: Vec<&str>| patterns.iter().any(|pattern| ec2::query::wild(pattern, &kind.name));
    let allowed = requirements.texts("AllowedInstanceTypes");
    let burst = requirements.text("BurstablePerformance").unwrap_or("excluded");
    let makers = requirements.texts("CpuManufacturers");
    let maker = match kind.manufacturer {
        "Intel" => "intel",
        "AMD" => "amd",
        _ => "amazon-web-services",
    };
    let generations = requirements.texts("InstanceGenerations");
    kind.arch == arch
        && within("VCpuCount", kind.vcpus)
        && within("MemoryMiB", kind.memory_mib)
        && (allowed.is_empty() || like(allowed))
        && !like(requirements.texts("ExcludedInstanceTypes"))
        && match burst {
            "required" => kind.burstable,
            "included" => true,
            _ => !kind.burstable,
        }
        && (makers.is_empty() || makers.contains(&maker))
        && match requirements.text("LocalStorage") {
            Some("required") => kind.disk_gb > 0,
            Some("excluded") => kind.disk_gb == 0,
            _ => true,
        }
        && match requirements.text("BareMetal") {
            Some("required") => kind.bare_metal,
            Some("included") => true,
            _ => !kind.bare_metal,
        }
        && (generations.is_empty()
            || generations.contains(&if kind.current { "current" } else { "previous" }))
        && within("AcceleratorCount", kind.gpus)
}

/// The launch data of a decided launch, ready for `ec2::spec_from`.
pub fn data(world: &World, launch: &Launch) -> Result<(Json, Option<TemplateRef>), ApiError> {
    let (mut data, template) = match (&launch.template, &launch.configuration) {
        (Some(template), _) => {
            let found = ec2::resolve(world, &template.specification())?;
            let numbered = TemplateRef { id: found.id, name: found.name, version: found.version.to_string() };
            (found.data, Some(numbered))
        }
        (None, Some(name)) => (super::configurations::launch_data(world, name)?, None),
        (None, None) => (json!({}), None),
    };
    if let Some(name) = &launch.instance_type {
        data["InstanceType"] = json!(name);
    }
    if let Some(image) = &launch.image_id {
        data["ImageId"] = json!(image);
    }
    Ok((data, template))
}

/// Which instance leaves when the group shrinks: of those not protected, by the termination policies,
/// first in the zone that has most (User Guide, "Default termination policy").
pub fn victim(world: &World, group: &Group) -> Option<String> {
    let open: Vec<&Member> =
        group.members.values().filter(|member| member.lifecycle.counts() && !member.protected).collect();
    if let Some(flagged) = open.iter().find(|member| member.replaced_for().is_some()) {
        return Some(flagged.id.clone());
    }
    // An instance that never came into service costs nobody anything.
    if let Some(pending) = open.iter().find(|member| member.in_service.is_none()) {
        return Some(pending.id.clone());
    }
    let mut per_zone: BTreeMap<&str, i64> = BTreeMap::new();
    for member in group.members.values().filter(|member| member.lifecycle.counts()) {
        *per_zone.entry(&member.zone).or_default() += member.units();
    }
    let most = open.iter().filter_map(|member| per_zone.get(member.zone.as_str())).max().copied()?;
    let mut left: Vec<&Member> =
        open.into_iter().filter(|member| per_zone[member.zone.as_str()] == most).collect();
    for policy in &group.termination_policies {
        narrow(world, group, policy, &mut left);
    }
    left.sort_by_key(|member| (member.launched, member.id.clone()));
    left.first().map(|member| member.id.clone())
}

fn narrow(world: &World, group: &Group, policy: &str, left: &mut Vec<&Member>) {
    match policy {
        "OldestInstance" => keep_least(left, |member| member.launched),
        "NewestInstance" => keep_least(left, |member| -member.launched),
        "ClosestToNextInstanceHour" => {
            keep_least(left, |member| 3_600_000 - (world.now - member.launched) % 3_600_000);
        }
        "OldestLaunchTemplate" | "OldestLaunchConfiguration" => keep_least(left, version),
        "AllocationStrategy" => align(group, left),
        _ => {
            align(group, left);
            keep_least(left, version);
        }
    }
}

/// Instances of a launch configuration go before those of a template, old versions before new ones.
fn version(member: &Member) -> i64 {
    member.template.as_ref().and_then(|template| template.version.parse().ok()).unwrap_or(0)
}

/// Only the kind (on-demand or spot) that there is too much of.
fn align(group: &Group, left: &mut Vec<&Member>) {
    if let Source::Mixed(mixed) = group.launches() {
        // What would be launched next is what there is too little of.
        let spot_is_short = wants_spot(group, mixed);
        if left.iter().any(|member| member.spot != spot_is_short) {
            left.retain(|member| member.spot != spot_is_short);
        }
    }
}

fn keep_least<K: Ord>(left: &mut Vec<&Member>, key: impl Fn(&Member) -> K) {
    if let Some(least) = left.iter().map(|member| key(member)).min() {
        left.retain(|member| key(member) == least);
    }
}
