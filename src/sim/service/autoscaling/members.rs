//! What clients do to single instances of groups.

use super::groups::{group, group_mut, invalid, member_json, paged};
use super::state::{Lifecycle, Member};
use super::{activities, capacity, life};
use crate::World;
use crate::service::ec2::InstanceState;
use crate::service::{Answer, ApiError, Input, ec2};
use serde_json::{Value as Json, json};

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn no_member(id: &str) -> ApiError {
    invalid(&format!("Instance Id not found - No managed instance found for instance ID: {id}"))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let wanted = input.texts("InstanceIds");
    let mut items = Vec::new();
    for (id, name) in &world.autoscaling.group_of {
        if !wanted.is_empty() && !wanted.contains(&id.as_str()) {
            continue;
        }
        let member = world.autoscaling.groups.get(name).and_then(|group| group.members.get(id));
        if let Some(member) = member {
            let mut json = member_json(world, member);
            json["AutoScalingGroupName"] = json!(name);
            // Only this operation shouts.
            json["HealthStatus"] = json!(if member.unhealthy.is_some() { "UNHEALTHY" } else { "HEALTHY" });
            items.push(json);
        }
    }
    paged(input, "AutoScalingInstances", items, 50)
}

/// Every named instance must be of the group.
fn check(world: &World, input: &Json) -> Result<(String, Vec<String>), ApiError> {
    let group = group(world, input)?;
    let ids = owned(input.texts("InstanceIds"));
    if let Some(bad) = ids.iter().find(|id| !group.members.contains_key(*id)) {
        let message = format!("The instance {bad} is not part of Auto Scaling group {}.", group.name);
        return Err(invalid(&message));
    }
    Ok((group.name.clone(), ids))
}

pub fn set_protection(world: &mut World, input: &Json) -> Answer {
    let (name, ids) = check(world, input)?;
    let protected = input.flag("ProtectedFromScaleIn").unwrap_or(false);
    let group = world.autoscaling.groups.get_mut(&name).expect("checked above");
    for id in &ids {
        let member = group.members.get_mut(id).expect("checked above");
        if !matches!(member.lifecycle, Lifecycle::InService | Lifecycle::Standby | Lifecycle::Pending) {
            let message = format!("The instance {id} is not in InService or EnteringStandby or Standby.");
            return Err(invalid(&message));
        }
        member.protected = protected;
    }
    // Something may have waited for it.
    capacity::soon(world, &name);
    Ok(json!({}))
}

pub fn set_health(world: &mut World, input: &Json) -> Answer {
    let id = input.text("InstanceId").unwrap_or_default().to_owned();
    let name = world.autoscaling.group_of.get(&id).cloned().ok_or_else(|| no_member(&id))?;
    let now = world.now;
    let grace = world.autoscaling.groups.get(&name).map_or(0, |group| group.grace * 1000);
    let respect = input.flag("ShouldRespectGracePeriod").unwrap_or(true);
    let member = life::member_mut(world, &id).ok_or_else(|| no_member(&id))?;
    match input.text("HealthStatus").unwrap_or_default().to_ascii_lowercase().as_str() {
        "healthy" => member.unhealthy = None,
        "unhealthy" => {
            let young = member.in_service.is_none_or(|since| now < since + grace);
            if !(respect && young) {
                let why = "an instance was taken out of service in response to a user health-check.";
                member.unhealthy = Some(why.to_owned());
                capacity::soon(world, &name);
            }
        }
        other => {
            let message = format!("Valid instance health states are: [Healthy, Unhealthy]. '{other}' is not");
            return Err(invalid(&message));
        }
    }
    Ok(json!({}))
}

pub fn terminate(world: &mut World, input: &Json) -> Answer {
    let id = input.text("InstanceId").unwrap_or_default().to_owned();
    let name = world.autoscaling.group_of.get(&id).cloned().ok_or_else(|| no_member(&id))?;
    let group = world.autoscaling.groups.get_mut(&name).ok_or_else(|| no_member(&id))?;
    let decrement = input.flag("ShouldDecrementDesiredCapacity").unwrap_or(false);
    let units = group.members.get(&id).map_or(1, Member::units);
    let mut cause = format!(
        "At {} instance {id} was taken out of service in response to a user request",
        activities::at(world.now)
    );
    let group = world.autoscaling.groups.get_mut(&name).expect("seen above");
    if decrement {
        let (from, to) = (group.desired, group.desired - units);
        if to < group.min {
            let message = format!(
                "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will \
                 violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to \
                 false or lower group's min size.",
                group.min
            );
            return Err(invalid(&message));
        }
        group.desired = to;
        cause += &format!(", shrinking the capacity from {from} to {to}");
    }
    cause.push('.');
    let activity = life::begin_leaving(world, &name, &id, &cause);
    capacity::soon(world, &name);
    let group = &world.autoscaling.groups[&name];
    let shown = activity.and_then(|id| group.activities.iter().rev().find(|activity| activity.id == id));
    match shown.or(group.activities.last()) {
        Some(activity) => Ok(json!({"Activity": activities::json(world, group, activity)})),
        None => Ok(json!({})),
    }
}

pub fn attach(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let (name, ids) = (group.name.clone(), owned(input.texts("InstanceIds")));
    if group.desired + ids.len() as i64 > group.max {
        let message = format!(
            "AutoScalingGroup '{name}' has max-size={}, and desired-size={}. Attaching {} instances would exceed it.",
            group.max,
            group.desired,
            ids.len()
        );
        return Err(invalid(&message));
    }
    for id in &ids {
        let instance = world.ec2.instances.get(id);
        let running = instance.is_some_and(|instance| instance.state == InstanceState::Running);
        if !running {
            return Err(invalid(&format!("Invalid Instance ID(s): [{id}] specified")));
        }
        if let Some(other) = world.autoscaling.group_of.get(id) {
            let message = format!("Instance {id} is already part of AutoScalingGroup:{other}");
            return Err(invalid(&message));
        }
    }
    for id in ids {
        let instance = world.ec2.instances[&id].clone();
        let activity = activities::begin(
            world,
            &name,
            activities::New {
                description: format!("Attaching an existing EC2 instance: {id}"),
                cause: format!(
                    "At {} an instance was attached in response to a user request.",
                    activities::at(world.now)
                ),
                subnet: instance.spec.subnet_id.clone(),
                zone: instance.zone.clone(),
            },
        );
        let member = Member {
            id: id.clone(),
            zone: instance.zone,
            instance_type: instance.spec.instance_type,
            image_id: instance.spec.image_id,
            lifecycle: Lifecycle::Pending,
            unhealthy: None,
            retires: None,
            protected: false,
            template: None,
            configuration: None,
            weight: None,
            spot: instance.spec.spot,
            launched: instance.launched,
            in_service: None,
            activity,
            hold: None,
            passed: Default::default(),
        };
        world.autoscaling.group_of.insert(id.clone(), name.clone());
        let group = world.autoscaling.groups.get_mut(&name).expect("seen above");
        group.members.insert(id.clone(), member);
        group.may_be_misplaced = true;
        group.desired += 1;
        let tag = ("aws:autoscaling:groupName".to_owned(), name.clone());
        world.ec2.tags.entry(id.clone()).or_default().extend([tag]);
        life::proceed_launch(world, &name, &id);
    }
    Ok(json!({}))
}

/// Desired capacity after so many leave without replacement, or the refusal.
fn decremented(world: &World, name: &str, count: usize) -> Result<i64, ApiError> {
    let group = &world.autoscaling.groups[name];
    let desired = group.desired - count as i64;
    if desired < group.min {
        let message = format!(
            "AutoScalingGroup {name} has min-size={}, max-size={}, and desired-size={}. To place into \
             standby or detach {count} instance(s), update the AutoScalingGroup sizes appropriately.",
            group.min, group.max, group.desired
        );
        return Err(invalid(&message));
    }
    Ok(desired)
}

fn note(world: &mut World, name: &str, id: &str, description: String, cause: &str) -> Json {
    let zone = world.autoscaling.groups[name].members.get(id).map(|member| member.zone.clone());
    let subnet = world.ec2.instances.get(id).map(|instance| instance.spec.subnet_id.clone());
    let cause = format!("At {} {cause}", activities::at(world.now));
    let new = activities::New {
        description,
        cause,
        subnet: subnet.unwrap_or_default(),
        zone: zone.unwrap_or_default(),
    };
    let activity = activities::begin(world, name, new);
    let group = &world.autoscaling.groups[name];
    let shown = group.activities.last().map(|activity| activities::json(world, group, activity));
    activities::end(world, name, &activity, "Successful", None);
    shown.unwrap_or_default()
}

pub fn detach(world: &mut World, input: &Json) -> Answer {
    let (name, ids) = check(world, input)?;
    let decrement = input.flag("ShouldDecrementDesiredCapacity").unwrap_or(false);
    if decrement {
        let desired = decremented(world, &name, ids.len())?;
        world.autoscaling.groups.get_mut(&name).expect("checked above").desired = desired;
    }
    let mut shown = Vec::new();
    for id in ids {
        let cause = format!("instance {id} was detached in response to a user request.");
        shown.push(note(world, &name, &id, format!("Detaching EC2 instance: {id}"), &cause));
        life::deregister(world, &name, &id);
        world.autoscaling.group_of.remove(&id);
        world.autoscaling.groups.get_mut(&name).expect("checked above").members.remove(&id);
        if let Some(tags) = world.ec2.tags.get_mut(&id) {
            tags.remove("aws:autoscaling:groupName");
        }
    }
    capacity::soon(world, &name);
    Ok(json!({"Activities": shown}))
}

pub fn enter_standby(world: &mut World, input: &Json) -> Answer {
    let (name, ids) = check(world, input)?;
    if let Some(bad) =
        ids.iter().find(|id| world.autoscaling.groups[&name].members[*id].lifecycle != Lifecycle::InService)
    {
        return Err(invalid(&format!("The instance {bad} is not in InService.")));
    }
    if input.flag("ShouldDecrementDesiredCapacity").unwrap_or(false) {
        let desired = decremented(world, &name, ids.len())?;
        world.autoscaling.groups.get_mut(&name).expect("checked above").desired = desired;
    }
    let mut shown = Vec::new();
    for id in ids {
        let cause = format!("instance {id} was moved to standby in response to a user request.");
        shown.push(note(world, &name, &id, format!("Moving EC2 instance to Standby: {id}"), &cause));
        life::deregister(world, &name, &id);
        if let Some(member) = life::member_mut(world, &id) {
            member.lifecycle = Lifecycle::Standby;
        }
    }
    capacity::soon(world, &name);
    Ok(json!({"Activities": shown}))
}

pub fn exit_standby(world: &mut World, input: &Json) -> Answer {
    let (name, ids) = check(world, input)?;
    let group = group_mut(world, input)?;
    if let Some(bad) = ids.iter().find(|id| group.members[*id].lifecycle != Lifecycle::Standby) {
        return Err(invalid(&format!("The instance {bad} is not in Standby.")));
    }
    if group.desired + ids.len() as i64 > group.max {
        let message = format!(
            "AutoScalingGroup {name} has max-size={}, and desired-size={}. Moving {} instance(s) out of standby would exceed it.",
            group.max,
            group.desired,
            ids.len()
        );
        return Err(invalid(&message));
    }
    group.desired += ids.len() as i64;
    let mut shown = Vec::new();
    for id in ids {
        let cause = format!("instance {id} was moved out of standby in response to a user request.");
        shown.push(note(world, &name, &id, format!("Moving EC2 instance out of Standby: {id}"), &cause));
        if let Some(member) = life::member_mut(world, &id) {
            member.lifecycle = Lifecycle::InService;
        }
        if world.ec2.instances.get(&id).is_some_and(|instance: &ec2::Instance| instance.state.lives()) {
            life::register(world, &name, &id);
        }
    }
    Ok(json!({"Activities": shown}))
}
