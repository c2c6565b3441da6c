//! Launch configurations: the older way; immutable, by name.

use super::groups::{invalid, paged};
use super::state::Source;
use crate::World;
use crate::service::ec2::query::lean;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

/// What a launch configuration takes from an instance: "the new launch configuration derives attributes from the
/// instance, except for the block device mapping" (API reference, CreateLaunchConfiguration).
fn derived(world: &World, id: &str) -> Result<Json, ApiError> {
    let instance = world.ec2.instances.get(id).filter(|instance| instance.state.lives());
    let instance = instance.ok_or_else(|| invalid(&format!("Instance [{id}] is invalid.")))?;
    let spec = &instance.spec;
    Ok(lean(json!({
        "ImageId": spec.image_id, "InstanceType": spec.instance_type, "KeyName": spec.key_name,
        "SecurityGroups": spec.security_group_ids, "IamInstanceProfile": spec.instance_profile_arn,
        "InstanceMonitoring": {"Enabled": spec.monitoring}, "EbsOptimized": spec.ebs_optimized,
    })))
}

/// "Amazon EC2 Auto Scaling creates a new launch configuration and associates it with the Auto Scaling group"
/// (API reference, CreateAutoScalingGroup, InstanceId): under the group's name.
pub fn from_instance(world: &mut World, group: &str, id: &str) -> Result<(), ApiError> {
    create(world, &json!({"LaunchConfigurationName": group, "InstanceId": id})).map(drop)
}

pub fn create(world: &mut World, given: &Json) -> Answer {
    let mut input = match given.text("InstanceId") {
        Some(id) => derived(world, id)?,
        None => json!({}),
    };
    crate::service::ec2::overlay(&mut input, given);
    if let Some(members) = input.as_object_mut() {
        members.remove("InstanceId");
    }
    let input = &input;
    let name = input.text("LaunchConfigurationName").unwrap_or_default().to_owned();
    if world.autoscaling.launch_configurations.contains_key(&name) {
        let message = format!(
            "Launch Configuration by this name already exists - A launch configuration already exists with the name {name}"
        );
        return Err(ApiError::new("AlreadyExists", message));
    }
    let whole = input.text("ImageId").is_some() && input.text("InstanceType").is_some();
    if !whole {
        return Err(invalid(
            "Valid requests must contain either the InstanceID parameter or both the ImageId and InstanceType parameters.",
        ));
    }
    let uuid = world.uuid();
    let arn = world.arn("autoscaling", &format!("launchConfiguration:{uuid}:launchConfigurationName/{name}"));
    let empty = |name: &str| input.get(name).cloned().unwrap_or_else(|| json!([]));
    let mut kept = input.clone();
    kept["LaunchConfigurationARN"] = json!(arn);
    kept["CreatedTime"] = World::timestamp(world.now);
    kept["SecurityGroups"] = empty("SecurityGroups");
    kept["BlockDeviceMappings"] = empty("BlockDeviceMappings");
    kept["ClassicLinkVPCSecurityGroups"] = json!([]);
    for (name, default) in [("KeyName", ""), ("UserData", ""), ("KernelId", ""), ("RamdiskId", "")] {
        if kept.get(name).is_none() {
            kept[name] = json!(default);
        }
    }
    kept["EbsOptimized"] = json!(input.flag("EbsOptimized").unwrap_or(false));
    if kept.get("InstanceMonitoring").is_none() {
        kept["InstanceMonitoring"] = json!({"Enabled": true});
    }
    world.autoscaling.launch_configurations.insert(name, lean(kept));
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = input.text("LaunchConfigurationName").unwrap_or_default();
    let user = world
        .autoscaling
        .groups
        .values()
        .find(|group| matches!(&group.source, Source::Configuration(used) if used == name));
    if let Some(group) = user {
        let message = format!(
            "Cannot delete launch configuration {name} because it is attached to AutoScalingGroup {}",
            group.name
        );
        return Err(ApiError::new("ResourceInUse", message));
    }
    if world.autoscaling.launch_configurations.remove(name).is_none() {
        let message = format!("Launch configuration name not found - Launch configuration {name} not found");
        return Err(invalid(&message));
    }
    Ok(json!({}))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let wanted = input.texts("LaunchConfigurationNames");
    let all = world.autoscaling.launch_configurations.iter();
    let asked = all.filter(|(name, _)| wanted.is_empty() || wanted.contains(&name.as_str()));
    paged(input, "LaunchConfigurations", asked.map(|(_, kept)| kept.clone()).collect(), 100)
}

/// As launch template data.
pub fn launch_data(world: &World, name: &str) -> Result<Json, ApiError> {
    let kept = world.autoscaling.launch_configurations.get(name).ok_or_else(|| {
        invalid(&format!("Launch configuration name not found - Launch configuration {name} not found"))
    })?;
    let profile = kept.text("IamInstanceProfile").map(|text| {
        let member = if text.starts_with("arn:") { "Arn" } else { "Name" };
        json!({member: text})
    });
    let public = kept.flag("AssociatePublicIpAddress");
    let groups = kept.get("SecurityGroups");
    let interfaces = public
        .map(|public| json!([{"DeviceIndex": 0, "AssociatePublicIpAddress": public, "Groups": groups}]));
    let key = kept.text("KeyName").filter(|key| !key.is_empty());
    let market = kept.get("SpotPrice").map(|_| json!({"MarketType": "spot"}));
    Ok(lean(json!({
        "ImageId": kept.get("ImageId"), "InstanceType": kept.get("InstanceType"), "KeyName": key,
        "UserData": kept.get("UserData"), "IamInstanceProfile": profile,
        "SecurityGroupIds": if interfaces.is_none() { groups } else { None },
        "NetworkInterfaces": interfaces, "BlockDeviceMappings": kept.get("BlockDeviceMappings"),
        "MetadataOptions": kept.get("MetadataOptions"), "EbsOptimized": kept.get("EbsOptimized"),
        "InstanceMarketOptions": market,
    })))
}
