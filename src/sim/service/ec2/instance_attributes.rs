//! What clients may change of an instance, and read one by one.

use super::images::image_in;
use super::instance_types::instance_type;
use super::instances::{asked, device_json, metadata, need_ids, no_instance};
use super::interfaces::groups_json;
use super::query::{attribute, fail, lean, need};
use super::state::{Instance, InstanceState};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

fn instance_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Instance, ApiError> {
    let id = need(input, "InstanceId")?;
    world.ec2.instances.get_mut(id).ok_or_else(|| no_instance(id))
}

pub fn describe_instance_attribute(world: &mut World, input: &Json) -> Answer {
    use base64::Engine;
    let id = need(input, "InstanceId")?.to_owned();
    let instance = instance_mut(world, input)?.clone();
    let spec = &instance.spec;
    let value = |value: Json| json!({"Value": value});
    let (member, value) = match need(input, "Attribute")? {
        "instanceType" => ("InstanceType", value(json!(spec.instance_type))),
        "userData" if spec.user_data.is_empty() => ("UserData", json!({})),
        "userData" => {
            let text = base64::engine::general_purpose::STANDARD.encode(&spec.user_data);
            ("UserData", value(json!(text)))
        }
        "disableApiTermination" => ("DisableApiTermination", value(json!(spec.no_api_termination))),
        "disableApiStop" => ("DisableApiStop", value(json!(spec.no_api_stop))),
        "instanceInitiatedShutdownBehavior" => (
            "InstanceInitiatedShutdownBehavior",
            value(json!(spec.shutdown_behavior.as_deref().unwrap_or("stop"))),
        ),
        "rootDeviceName" => {
            ("RootDeviceName", value(json!(image_in(world, &spec.image_id).map(|image| image.root_device))))
        }
        "sourceDestCheck" => ("SourceDestCheck", value(json!(instance.source_dest_check))),
        "groupSet" => ("Groups", json!(groups_json(world, &spec.security_group_ids))),
        "ebsOptimized" => ("EbsOptimized", value(json!(spec.ebs_optimized))),
        "enaSupport" => ("EnaSupport", value(json!(true))),
        "sriovNetSupport" => ("SriovNetSupport", json!({})),
        "enclaveOptions" => ("EnclaveOptions", json!({"Enabled": false})),
        "productCodes" => ("ProductCodes", json!([])),
        "kernel" => ("KernelId", json!({})),
        "ramdisk" => ("RamdiskId", json!({})),
        "blockDeviceMapping" => {
            let devices = instance.volumes.iter().map(|(device, id)| device_json(world, device, id));
            ("BlockDeviceMappings", Json::Array(devices.collect()))
        }
        other => {
            let message = format!("Value ({other}) for parameter attribute is invalid. Unknown attribute.");
            return fail("InvalidParameterValue", message);
        }
    };
    Ok(lean(json!({"InstanceId": id, member: value})))
}

/// `Attribute` and `Value` as members of their own, the API's first way, to the way of today.
fn modern(input: &Json) -> Json {
    let mut input = input.clone();
    if let (Some(name), Some(value)) = (input.text("Attribute"), input.text("Value")) {
        let mut member = name.to_owned();
        member[..1].make_ascii_uppercase();
        let value = match value.to_ascii_lowercase().as_str() {
            "true" => json!(true),
            "false" => json!(false),
            _ => json!(value),
        };
        input[member] = json!({"Value": value});
    }
    input
}

pub fn modify_instance_attribute(world: &mut World, input: &Json) -> Answer {
    let input = &modern(input);
    let groups: Vec<String> = input.texts("Groups").into_iter().map(str::to_owned).collect();
    let instance = instance_mut(world, input)?;
    let stopped = instance.state == InstanceState::Stopped;
    if let Some(kind) = input.get("InstanceType").and_then(|value| value.text("Value")) {
        if !stopped {
            let message = format!(
                "The instance '{}' is not in the 'stopped' state. Stop the instance and try again.",
                instance.id
            );
            return fail("IncorrectInstanceState", message);
        }
        instance.spec.instance_type = kind.to_owned();
    }
    if let Some(text) = input.get("UserData").and_then(|value| value.text("Value")) {
        if !stopped {
            let message = format!(
                "The instance '{}' is not in the 'stopped' state. Stop the instance and try again.",
                instance.id
            );
            return fail("IncorrectInstanceState", message);
        }
        instance.spec.user_data = super::run_instances::plain(text)?;
    }
    let set = |field: &mut bool, name: &str| *field = attribute(input, name).unwrap_or(*field);
    set(&mut instance.spec.no_api_termination, "DisableApiTermination");
    set(&mut instance.spec.no_api_stop, "DisableApiStop");
    set(&mut instance.spec.ebs_optimized, "EbsOptimized");
    set(&mut instance.source_dest_check, "SourceDestCheck");
    let behavior = input.get("InstanceInitiatedShutdownBehavior").and_then(|value| value.text("Value"));
    if let Some(behavior) = behavior {
        instance.spec.shutdown_behavior = Some(behavior.to_owned());
    }
    let changes: Vec<(String, bool)> = input
        .list("BlockDeviceMappings")
        .iter()
        .filter_map(|mapping| {
            let device = mapping.text("DeviceName")?;
            let keep = mapping.get("Ebs")?.flag("DeleteOnTermination")?;
            let (_, volume) = instance.volumes.iter().find(|(name, _)| name == device)?;
            Some((volume.clone(), keep))
        })
        .collect();
    let (eni, vpc, check) = (instance.interface.clone(), instance.vpc.clone(), instance.source_dest_check);
    for (volume, with_instance) in changes {
        if let Some(volume) = world.ec2.volumes.get_mut(&volume) {
            volume.delete_on_termination = with_instance;
        }
    }
    if !groups.is_empty() {
        super::interfaces::check_groups(world, &groups, &vpc)?;
        instance_mut(world, input)?.spec.security_group_ids.clone_from(&groups);
    }
    if let Some(eni) = eni.and_then(|eni| world.ec2.interfaces.get_mut(&eni)) {
        eni.source_dest_check = check;
        if !groups.is_empty() {
            eni.groups = groups;
        }
    }
    Ok(json!({}))
}

pub fn modify_instance_metadata_options(world: &mut World, input: &Json) -> Answer {
    let instance = instance_mut(world, input)?;
    let mut options = instance.spec.metadata.take().unwrap_or_else(|| json!({}));
    for name in
        ["HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "HttpProtocolIpv6", "InstanceMetadataTags"]
    {
        if let Some(value) = input.get(name) {
            options[name] = value.clone();
        }
    }
    instance.spec.metadata = Some(options);
    let instance = instance.clone();
    Ok(json!({"InstanceId": instance.id, "InstanceMetadataOptions": metadata(world, &instance)}))
}

pub fn describe_instance_credit_specifications(world: &mut World, input: &Json) -> Answer {
    let named = !input.texts("InstanceIds").is_empty();
    let mut items = Vec::new();
    for id in asked(world, input)? {
        let spec = &world.ec2.instances[&id].spec;
        if instance_type(&spec.instance_type).is_some_and(|kind| kind.burstable) {
            let default = if spec.instance_type.starts_with("t2.") { "standard" } else { "unlimited" };
            let credits = spec.credits.as_deref().unwrap_or(default);
            items.push(json!({"InstanceId": id, "CpuCredits": credits}));
        } else if named {
            // "If you specify an instance ID that is not a burstable performance instance, Amazon EC2 returns the
            // standard credit option" (API reference).
            items.push(json!({"InstanceId": id, "CpuCredits": "standard"}));
        }
    }
    super::query::paged(input, "InstanceCreditSpecifications", items)
}

pub fn modify_instance_credit_specification(world: &mut World, input: &Json) -> Answer {
    let (mut good, mut bad) = (vec![], vec![]);
    for change in input.list("InstanceCreditSpecifications") {
        let id = change.text("InstanceId").unwrap_or_default();
        match world.ec2.instances.get_mut(id) {
            Some(instance) => {
                instance.spec.credits = change.text("CpuCredits").map(str::to_owned);
                good.push(json!({"InstanceId": id}));
            }
            None => bad.push(json!({
                "InstanceId": id,
                "Error": {"Code": "InvalidInstanceID.NotFound", "Message": no_instance(id).message},
            })),
        }
    }
    Ok(json!({
        "SuccessfulInstanceCreditSpecifications": good, "UnsuccessfulInstanceCreditSpecifications": bad,
    }))
}

pub fn monitor_instances(world: &mut World, input: &Json) -> Answer {
    set_monitoring(world, input, true)
}

pub fn unmonitor_instances(world: &mut World, input: &Json) -> Answer {
    set_monitoring(world, input, false)
}

fn set_monitoring(world: &mut World, input: &Json, on: bool) -> Answer {
    need_ids(input)?;
    let mut items = Vec::new();
    for id in asked(world, input)? {
        world.ec2.instances.get_mut(&id).expect("asked() knows them all").spec.monitoring = on;
        let state = if on { "enabled" } else { "disabled" };
        items.push(json!({"InstanceId": id, "Monitoring": {"State": state}}));
    }
    Ok(json!({"InstanceMonitorings": items}))
}
