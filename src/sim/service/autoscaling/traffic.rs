//! Target groups (and names of classic load balancers) that a group's instances stand behind.

use super::groups::{group, group_mut, invalid, paged};
use super::state::{Group, Lifecycle};
use super::{capacity, life};
use crate::World;
use crate::service::ec2::query::lean;
use crate::service::{Answer, ApiError, Input, elbv2};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

fn check(world: &World, arns: &[String]) -> Result<(), ApiError> {
    match arns.iter().find(|arn| elbv2::group_facts(world, arn).is_none()) {
        Some(bad) => Err(invalid(&format!(
            "Provided Target Groups may not be valid. Please ensure they exist and try again: {bad}"
        ))),
        None => Ok(()),
    }
}

fn elbv2_sources(input: &Json) -> Vec<String> {
    let sources = input.list("TrafficSources").iter();
    let ours = sources.filter(|source| {
        source.text("Type").is_none_or(|kind| kind == "elbv2")
            && source.text("Identifier").is_some_and(|id| id.contains(":targetgroup/"))
    });
    ours.filter_map(|source| source.text("Identifier").map(str::to_owned)).collect()
}

/// The target groups that a creation names.
pub fn given(world: &World, input: &Json) -> Result<BTreeSet<String>, ApiError> {
    let mut arns: Vec<String> = input.texts("TargetGroupARNs").into_iter().map(str::to_owned).collect();
    arns.extend(elbv2_sources(input));
    check(world, &arns)?;
    Ok(arns.into_iter().collect())
}

fn in_service(group: &Group) -> Vec<String> {
    let members = group.members.values().filter(|member| member.lifecycle == Lifecycle::InService);
    members.map(|member| member.id.clone()).collect()
}

fn attach(world: &mut World, input: &Json, arns: Vec<String>) -> Answer {
    check(world, &arns)?;
    let group = group_mut(world, input)?;
    let (name, members) = (group.name.clone(), in_service(group));
    for arn in arns {
        let group = world.autoscaling.groups.get_mut(&name).expect("seen above");
        if group.target_groups.insert(arn.clone()) {
            for id in &members {
                elbv2::register(world, &arn, id, None);
            }
        }
    }
    life::watch_health(world, &name);
    Ok(json!({}))
}

fn detach(world: &mut World, input: &Json, arns: Vec<String>) -> Answer {
    let group = group_mut(world, input)?;
    let (name, members) = (group.name.clone(), in_service(group));
    for arn in arns {
        let group = world.autoscaling.groups.get_mut(&name).expect("seen above");
        if !group.target_groups.remove(&arn) {
            let message = format!("Trying to remove Target Groups that are not part of the group: {arn}");
            return Err(invalid(&message));
        }
        for id in &members {
            elbv2::deregister(world, &arn, id, None);
        }
    }
    capacity::soon(world, &name);
    Ok(json!({}))
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

pub fn attach_target_groups(world: &mut World, input: &Json) -> Answer {
    attach(world, input, owned(input.texts("TargetGroupARNs")))
}

pub fn detach_target_groups(world: &mut World, input: &Json) -> Answer {
    detach(world, input, owned(input.texts("TargetGroupARNs")))
}

pub fn attach_sources(world: &mut World, input: &Json) -> Answer {
    attach(world, input, elbv2_sources(input))
}

pub fn detach_sources(world: &mut World, input: &Json) -> Answer {
    detach(world, input, elbv2_sources(input))
}

pub fn attach_load_balancers(world: &mut World, input: &Json) -> Answer {
    let names = owned(input.texts("LoadBalancerNames"));
    group_mut(world, input)?.load_balancers.extend(names);
    Ok(json!({}))
}

pub fn detach_load_balancers(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?;
    for name in input.texts("LoadBalancerNames") {
        group.load_balancers.remove(name);
    }
    Ok(json!({}))
}

/// Adding while instances register, Added when all have, InService when one passes its checks.
fn state(world: &World, group: &Group, arn: &str) -> &'static str {
    let states = in_service(group).into_iter().map(|id| elbv2::target_health(world, arn, &id, None));
    let states: Vec<Option<&str>> = states.collect();
    if states.iter().flatten().any(|state| *state == "healthy") {
        "InService"
    } else if states.iter().any(Option::is_none) {
        "Adding"
    } else {
        "Added"
    }
}

pub fn describe_target_groups(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let render = |arn: &String| json!({"LoadBalancerTargetGroupARN": arn, "State": state(world, group, arn)});
    paged(input, "LoadBalancerTargetGroups", group.target_groups.iter().map(render).collect(), 100)
}

pub fn describe_load_balancers(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let render = |name: &String| json!({"LoadBalancerName": name, "State": "InService"});
    paged(input, "LoadBalancers", group.load_balancers.iter().map(render).collect(), 100)
}

pub fn describe_sources(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let kind = input.text("TrafficSourceType");
    let mut items = Vec::new();
    if kind.is_none_or(|kind| kind == "elbv2") {
        items.extend(group.target_groups.iter().map(|arn| {
            lean(json!({
                "TrafficSource": arn, "Identifier": arn, "Type": "elbv2", "State": state(world, group, arn),
            }))
        }));
    }
    if kind.is_none_or(|kind| kind == "elb") {
        let render = |name: &String| json!({"TrafficSource": name, "Identifier": name, "Type": "elb", "State": "InService"});
        items.extend(group.load_balancers.iter().map(render));
    }
    paged(input, "TrafficSources", items, 50)
}
