//! Auto Scaling groups: create, read, update, delete.

use super::state::{Group, Member, Source, Tag};
use super::{activities, capacity, configurations, hooks, life, source, tags, traffic};
use crate::World;
use crate::service::ec2::{self, query::lean};
use crate::service::{Answer, ApiError, Input, page};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Settings that change nothing here but are kept and answered.
const KEPT: [&str; 8] = [
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "CapacityReservationSpecification",
    "Context",
    "DeletionProtection",
    "DesiredCapacityType",
    "InstanceLifecyclePolicy",
    "PlacementGroup",
];

pub fn invalid(message: &str) -> ApiError {
    ApiError::new("ValidationError", message)
}

pub fn no_group(name: &str) -> ApiError {
    invalid(&format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"))
}

pub fn group<'a>(world: &'a World, input: &Json) -> Result<&'a Group, ApiError> {
    let name = input.text("AutoScalingGroupName").unwrap_or_default();
    world.autoscaling.groups.get(name).ok_or_else(|| no_group(name))
}

pub fn group_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Group, ApiError> {
    let name = input.text("AutoScalingGroupName").unwrap_or_default();
    world.autoscaling.groups.get_mut(name).ok_or_else(|| no_group(name))
}

/// A page of at most `most` (the service's `MaxRecords` defaults to half of it).
pub fn paged(input: &Json, output: &str, items: Vec<Json>, most: i64) -> Answer {
    let limit = input.int("MaxRecords").unwrap_or(if most == 100 { 50 } else { most }).clamp(1, most);
    let (items, next) = page(items, input.text("NextToken"), usize::try_from(limit).unwrap_or(1));
    Ok(lean(json!({output: items, "NextToken": next})))
}

pub fn arn(world: &World, group: &Group) -> String {
    let name = &group.name;
    world.arn("autoscaling", &format!("autoScalingGroup:{}:autoScalingGroupName/{name}", group.uuid))
}

/// Subnets, and the zones they lie in.
type Places = (Vec<String>, Vec<String>);

/// Those of a VPCZoneIdentifier, or the default VPC's in the zones named.
fn places(world: &World, input: &Json) -> Result<Option<Places>, ApiError> {
    let listed = input.text("VPCZoneIdentifier").map(|text| {
        let ids = text.split(',').map(str::trim).filter(|id| !id.is_empty());
        ids.map(str::to_owned).collect::<Vec<_>>()
    });
    if let Some(subnets) = listed.filter(|subnets| !subnets.is_empty()) {
        let mut zones = Vec::new();
        for id in &subnets {
            let Some(subnet) = world.ec2.subnets.get(id) else {
                return Err(invalid(&format!("The subnet ID '{id}' does not exist")));
            };
            if !zones.contains(&subnet.zone) {
                zones.push(subnet.zone.clone());
            }
        }
        zones.sort();
        return Ok(Some((subnets, zones)));
    }
    let zones = input.texts("AvailabilityZones");
    if zones.is_empty() {
        return Ok(None);
    }
    let known = ec2::zones(world);
    if let Some(bad) = zones.iter().find(|zone| !known.iter().any(|name| name == *zone)) {
        return Err(invalid(&format!("Invalid Availability Zone: {bad}")));
    }
    let default = world.ec2.vpcs.values().find(|vpc| vpc.is_default).map(|vpc| &vpc.id);
    let subnets = world
        .ec2
        .subnets
        .values()
        .filter(|subnet| Some(&subnet.vpc) == default && zones.contains(&subnet.zone.as_str()));
    let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
    Ok(Some((subnets.map(|subnet| subnet.id.clone()).collect(), zones)))
}

fn check_sizes(min: i64, max: i64, desired: Option<i64>) -> Result<(), ApiError> {
    if min < 0 || max < 0 {
        return Err(invalid("Group sizes must not be negative"));
    }
    if min > max {
        return Err(invalid(&format!("Max bound, {max}, must be greater than or equal to min bound, {min}")));
    }
    if let Some(desired) = desired.filter(|desired| !(min..=max).contains(desired)) {
        let message = format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}"
        );
        return Err(invalid(&message));
    }
    Ok(())
}

/// Both percentages; -1 takes the policy away.
fn maintenance(given: &Json) -> Result<Option<(i64, i64)>, ApiError> {
    match (given.int("MinHealthyPercentage"), given.int("MaxHealthyPercentage")) {
        (Some(-1), Some(-1)) | (None, None) => Ok(None),
        (Some(min), Some(max)) if max - min <= 100 => Ok(Some((min, max))),
        (Some(_), Some(_)) => Err(invalid(
            "The difference between MinHealthyPercentage and MaxHealthyPercentage must not be greater than 100.",
        )),
        _ => Err(invalid(
            "MinHealthyPercentage and MaxHealthyPercentage must both be specified in an instance maintenance policy.",
        )),
    }
}

const POLICIES: [&str; 7] = [
    "AllocationStrategy",
    "ClosestToNextInstanceHour",
    "Default",
    "NewestInstance",
    "OldestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
];

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("AutoScalingGroupName").unwrap_or_default().to_owned();
    if world.autoscaling.groups.contains_key(&name) {
        let message = format!(
            "AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        );
        return Err(ApiError::new("AlreadyExists", message));
    }
    if name.is_empty() || name.contains(':') {
        return Err(invalid("Invalid AutoScalingGroupName"));
    }
    let (min, max) = (input.int("MinSize").unwrap_or(0), input.int("MaxSize").unwrap_or(0));
    let desired = input.int("DesiredCapacity");
    check_sizes(min, max, desired)?;
    let mut like = input.clone();
    if let Some(instance) = input.text("InstanceId") {
        let instance = instance.to_owned();
        configurations::from_instance(world, &name, &instance)?;
        like["LaunchConfigurationName"] = json!(name);
    }
    let from = source::given(world, &like)?.ok_or_else(|| {
        invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
    })?;
    let Some((subnets, zones)) = places(world, input)? else {
        return Err(invalid("At least one Availability Zone or VPC Subnet is required."));
    };
    let target_groups = traffic::given(world, input)?;
    tags::check(input.list("Tags"))?;
    check_launch(world, &from, &subnets)?;
    let role = format!(
        "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        world.account
    );
    let mut group = Group {
        uuid: world.uuid(),
        created: world.now,
        min,
        max,
        desired: desired.unwrap_or(min),
        source: from,
        subnets,
        zones,
        target_groups,
        load_balancers: input.texts("LoadBalancerNames").into_iter().map(str::to_owned).collect(),
        health_check: "EC2".to_owned(),
        grace: 0,
        cooldown: 300,
        warmup: None,
        protect_new: false,
        suspended: BTreeMap::new(),
        termination_policies: vec!["Default".to_owned()],
        tags: BTreeMap::new(),
        metrics: Default::default(),
        tells: false,
        max_lifetime: None,
        rebalance: false,
        service_role: role,
        maintenance: None,
        other: BTreeMap::new(),
        deleting: false,
        members: BTreeMap::new(),
        hooks: BTreeMap::new(),
        activities: vec![],
        refreshes: vec![],
        policies: BTreeMap::new(),
        scheduled: BTreeMap::new(),
        scheduled_due: BTreeMap::new(),
        notifications: BTreeMap::new(),
        warm_pool: None,
        why: vec![],
        reconcile_due: false,
        health_due: false,
        suspects: Default::default(),
        may_be_misplaced: false,
        failures: 0,
        name: name.clone(),
    };
    settings(&mut group, input)?;
    for tag in input.list("Tags") {
        let new = Tag {
            value: tag.text("Value").unwrap_or_default().to_owned(),
            propagate: tag.flag("PropagateAtLaunch").unwrap_or(false),
        };
        group.tags.insert(tag.text("Key").unwrap_or_default().to_owned(), new);
    }
    for hook in input.list("LifecycleHookSpecificationList") {
        let hook = hooks::from(hook)?;
        group.hooks.insert(hook.name.clone(), hook);
    }
    group.why.push(format!(
        "At {} a user request created an AutoScalingGroup changing the desired capacity from 0 to {}.",
        activities::at(world.now),
        group.desired
    ));
    world.autoscaling.groups.insert(name.clone(), group);
    capacity::soon(world, &name);
    life::watch_health(world, &name);
    Ok(json!({}))
}

/// Auto Scaling tries the launch in advance; what it refuses at once are references to nothing, and security
/// groups of another VPC than the subnets' (User Guide, "Troubleshoot: Launch templates").
fn check_launch(world: &World, from: &Source, subnets: &[String]) -> Result<(), ApiError> {
    let vpc = subnets.first().and_then(|id| world.ec2.subnets.get(id)).map(|subnet| subnet.vpc.as_str());
    for template in from.templates() {
        let data = ec2::resolve(world, &template.specification()).map_err(|e| invalid(&e.message))?.data;
        let spec = ec2::spec_from(world, &data).map_err(|error| {
            let message = format!("You must use a valid fully-formed launch template. {}", error.message);
            invalid(&message)
        })?;
        let elsewhere = spec.security_group_ids.iter().find(|id| {
            let group = world.ec2.security_groups.get(*id);
            group.is_none_or(|group| vpc.is_some_and(|vpc| group.vpc != vpc))
        });
        if let (Some(id), Some(vpc)) = (elsewhere, vpc) {
            let message = format!(
                "You must use a valid fully-formed launch template. The security group '{id}' does not exist in VPC '{vpc}'"
            );
            return Err(invalid(&message));
        }
        let overridden =
            matches!(from, Source::Mixed(mixed) if mixed.overrides.iter().any(|one| one.image_id.is_some()));
        if spec.image_id.is_empty() && !overridden {
            let message = "You must use a valid fully-formed launch template. The request must contain the parameter ImageId";
            return Err(invalid(message));
        }
        if !spec.image_id.is_empty() && ec2::images::image_in(world, &spec.image_id).is_none() {
            let message = format!(
                "You must use a valid fully-formed launch template. The image id '[{}]' does not exist",
                spec.image_id
            );
            return Err(invalid(&message));
        }
    }
    Ok(())
}

/// What create and update set alike.
fn settings(group: &mut Group, input: &Json) -> Result<(), ApiError> {
    if let Some(kind) = input.text("HealthCheckType") {
        group.health_check = kind.to_owned();
    }
    group.grace = input.int("HealthCheckGracePeriod").unwrap_or(group.grace);
    group.cooldown = input.int("DefaultCooldown").unwrap_or(group.cooldown);
    if let Some(warmup) = input.int("DefaultInstanceWarmup") {
        group.warmup = (warmup >= 0).then_some(warmup);
    }
    group.protect_new = input.flag("NewInstancesProtectedFromScaleIn").unwrap_or(group.protect_new);
    let policies = input.texts("TerminationPolicies");
    if let Some(bad) = policies.iter().find(|name| !POLICIES.contains(name) && !name.starts_with("arn:")) {
        return Err(invalid(&format!("Invalid termination policy: {bad}")));
    }
    if !policies.is_empty() {
        group.termination_policies = policies.into_iter().map(str::to_owned).collect();
    }
    if let Some(lifetime) = input.int("MaxInstanceLifetime") {
        if lifetime != 0 && !(86_400..=31_536_000).contains(&lifetime) {
            return Err(invalid("MaxInstanceLifetime must be 0 or between 86400 and 31536000 seconds."));
        }
        group.max_lifetime = (lifetime > 0).then_some(lifetime);
    }
    group.rebalance = input.flag("CapacityRebalance").unwrap_or(group.rebalance);
    if let Some(role) = input.text("ServiceLinkedRoleARN") {
        group.service_role = role.to_owned();
    }
    if let Some(policy) = input.get("InstanceMaintenancePolicy") {
        group.maintenance = maintenance(policy)?;
    }
    for name in KEPT {
        if let Some(value) = input.get(name).filter(|value| !value.is_null()) {
            group.other.insert(name.to_owned(), value.clone());
        }
    }
    Ok(())
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    // The words are UpdateAutoScalingGroup's own, as clients have seen them.
    let group = group(world, input).map_err(|_| invalid("AutoScalingGroup name not found - null"))?;
    let name = group.name.clone();
    if group.deleting {
        let message = format!("AutoScalingGroup '{name}' is pending delete.");
        return Err(ApiError::new("ScalingActivityInProgress", message));
    }
    let from = source::given(world, input)?;
    let places = places(world, input)?;
    if let Some(from) = &from {
        check_launch(world, from, places.as_ref().map_or(&group.subnets, |(subnets, _)| subnets))?;
    }
    let min = input.int("MinSize").unwrap_or(group.min);
    let max = input.int("MaxSize").unwrap_or(group.max);
    check_sizes(min, max, input.int("DesiredCapacity"))?;
    // Without a desired capacity, the old one is brought between the new bounds (API Reference,
    // UpdateAutoScalingGroup).
    let desired = input.int("DesiredCapacity").unwrap_or(group.desired.clamp(min, max));
    let mut changed = group.clone();
    settings(&mut changed, input)?;
    changed.min = min;
    changed.max = max;
    if let Some(from) = from {
        changed.source = from;
    }
    if let Some((subnets, zones)) = places {
        changed.subnets = subnets;
        changed.may_be_misplaced = true;
        changed.zones = zones;
    }
    let before = changed.desired;
    world.autoscaling.groups.insert(name.clone(), changed);
    if desired != before {
        let why = format!(
            "At {} a user request update of AutoScalingGroup constraints to min: {min}, max: {max}, desired: \
             {desired} changing the desired capacity from {before} to {desired}.",
            activities::at(world.now)
        );
        capacity::set_desired(world, &name, desired, why);
    }
    capacity::soon(world, &name);
    life::watch_health(world, &name);
    Ok(json!({}))
}

pub fn set_desired_capacity(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let (name, before) = (group.name.clone(), group.desired);
    let desired = input.int("DesiredCapacity").unwrap_or(before);
    if desired > group.max {
        let message = format!(
            "New SetDesiredCapacity value {desired} is above max value {} for the AutoScalingGroup.",
            group.max
        );
        return Err(invalid(&message));
    }
    if desired < group.min {
        let message = format!(
            "New SetDesiredCapacity value {desired} is below min value {} for the AutoScalingGroup.",
            group.min
        );
        return Err(invalid(&message));
    }
    if desired != before {
        let why = format!(
            "At {} a user request explicitly set group desired capacity changing the desired capacity from \
             {before} to {desired}.",
            activities::at(world.now)
        );
        capacity::set_desired(world, &name, desired, why);
    }
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?;
    let name = group.name.clone();
    let force = input.flag("ForceDelete").unwrap_or(false);
    let protection = group.other.get("DeletionProtection").and_then(Json::as_str);
    if protection == Some("prevent-all-deletion") || (force && protection == Some("prevent-force-deletion")) {
        let message = format!("AutoScalingGroup '{name}' has deletion protection enabled.");
        return Err(ApiError::new("ResourceInUse", message));
    }
    if !force && !group.members.is_empty() {
        let leaving = group.members.values().all(|member| member.lifecycle.leaves());
        return Err(if leaving {
            let message = "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.";
            ApiError::new("ScalingActivityInProgress", message)
        } else {
            let message = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.";
            ApiError::new("ResourceInUse", message)
        });
    }
    group.deleting = true;
    let policies = std::mem::take(&mut group.policies);
    (group.min, group.max, group.desired) = (0, 0, 0);
    group.hooks.clear();
    if let Some(refresh) = group.refresh_mut() {
        refresh.status = super::state::RefreshStatus::Cancelled;
    }
    let ids: Vec<String> = group.members.keys().cloned().collect();
    for policy in policies.values() {
        super::dynamic::forget_alarms(world, policy);
    }
    let now = activities::at(world.now);
    for id in ids {
        let cause = format!(
            "At {now} a user request force deleted AutoScalingGroup changing the desired capacity to 0."
        );
        life::begin_leaving(world, &name, &id, &cause);
    }
    capacity::forget_if_empty(world, &name);
    Ok(json!({}))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let names = input.texts("AutoScalingGroupNames");
    let mut items = Vec::new();
    for group in world.autoscaling.groups.values() {
        if !names.is_empty() && !names.contains(&group.name.as_str()) {
            continue;
        }
        if tags::group_matches(group, input.list("Filters"))? {
            items.push(json(world, group, input.flag("IncludeInstances").unwrap_or(true)));
        }
    }
    paged(input, "AutoScalingGroups", items, 100)
}

pub fn member_json(world: &World, member: &Member) -> Json {
    lean(json!({
        "InstanceId": member.id, "InstanceType": member.instance_type, "AvailabilityZone": member.zone,
        "AvailabilityZoneId": ec2::zone_id(world, &member.zone), "LifecycleState": member.lifecycle.name(),
        "HealthStatus": if member.unhealthy.is_some() { "Unhealthy" } else { "Healthy" },
        "ProtectedFromScaleIn": member.protected, "LaunchTemplate": member.template.as_ref().map(|t| t.json()),
        "LaunchConfigurationName": member.configuration,
        "ImageId": member.image_id, "WeightedCapacity": member.weight.map(|weight| weight.to_string()),
    }))
}

fn json(world: &World, group: &Group, instances: bool) -> Json {
    let suspended = group.suspended.iter();
    let suspended = suspended.map(|(name, why)| json!({"ProcessName": name, "SuspensionReason": why}));
    let metrics = group.metrics.iter().map(|name| json!({"Metric": name, "Granularity": "1Minute"}));
    let members = group.members.values().map(|member| member_json(world, member));
    let sources = group.target_groups.iter().map(|id| json!({"Identifier": id, "Type": "elbv2"}));
    let classic = group.load_balancers.iter().map(|id| json!({"Identifier": id, "Type": "elb"}));
    let zone_ids: Vec<_> = group.zones.iter().filter_map(|zone| ec2::zone_id(world, zone)).collect();
    let mut json = json!({
        "AutoScalingGroupName": group.name, "AutoScalingGroupARN": arn(world, group),
        "MinSize": group.min, "MaxSize": group.max, "DesiredCapacity": group.desired,
        "DefaultCooldown": group.cooldown, "DefaultInstanceWarmup": group.warmup,
        "AvailabilityZones": group.zones, "AvailabilityZoneIds": zone_ids,
        "VPCZoneIdentifier": group.subnets.join(","), "LoadBalancerNames": group.load_balancers,
        "TargetGroupARNs": group.target_groups,
        "TrafficSources": sources.chain(classic).collect::<Vec<_>>(),
        "HealthCheckType": group.health_check, "HealthCheckGracePeriod": group.grace,
        "Instances": if instances { members.collect::<Vec<_>>() } else { vec![] },
        "CreatedTime": World::timestamp(group.created), "SuspendedProcesses": suspended.collect::<Vec<_>>(),
        "EnabledMetrics": metrics.collect::<Vec<_>>(),
        "Status": group.deleting.then_some("Delete in progress"), "Tags": tags::of(group),
        "TerminationPolicies": group.termination_policies,
        "NewInstancesProtectedFromScaleIn": group.protect_new,
        "ServiceLinkedRoleARN": group.service_role, "MaxInstanceLifetime": group.max_lifetime,
        "CapacityRebalance": group.rebalance.then_some(true),
    });
    json["InstanceMaintenancePolicy"] = match group.maintenance {
        Some((min, max)) => json!({"MinHealthyPercentage": min, "MaxHealthyPercentage": max}),
        None => Json::Null,
    };
    if let Some(pool) = &group.warm_pool {
        json["WarmPoolConfiguration"] = pool.clone();
        json["WarmPoolSize"] = json!(0);
    }
    let members = json.as_object_mut().expect("an object");
    members.extend(group.other.clone());
    let from = source::json(&group.source);
    members.extend(from.as_object().cloned().unwrap_or_default());
    lean(json)
}
