//! Instances: their life, what clients read of it and may change.

use super::Event;
use super::images::image_in;
use super::instance_types::instance_type;
use super::interfaces::{
    addresses_json, association_json, delete_interface, groups_json, interface_name, ipv6_json, private_name,
    public_ip_of, public_name,
};
use super::query::{fail, filtered, lean, tags_of};
use super::state::{Instance, InstanceState};
use crate::World;
use crate::service::{Answer, ApiError, Input, autoscaling, ecs, elbv2, events, page};
use crate::world::{self, MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};

/// shutting-down → terminated, and how long after that an instance can still be read.
const SHUTS_DOWN: Millis = 40 * SECOND;
const STOPS: Millis = 30 * SECOND;
const FORGOTTEN: Millis = 60 * MINUTE;

pub fn no_instance(id: &str) -> ApiError {
    no_instances(&[id])
}

fn no_instances(ids: &[&str]) -> ApiError {
    if let Some(bad) = ids.iter().find(|id| !id.starts_with("i-")) {
        let message = format!("Invalid id: \"{bad}\" (expecting \"i-...\")");
        return ApiError::new("InvalidInstanceID.Malformed", message);
    }
    let message = match ids {
        [id] => format!("The instance ID '{id}' does not exist"),
        _ => format!("The instance IDs '{}' do not exist", ids.join(", ")),
    };
    ApiError::new("InvalidInstanceID.NotFound", message)
}

pub fn running(world: &mut World, id: &str, boot: u32) {
    match world.ec2.instances.get_mut(id) {
        Some(instance) if instance.state == InstanceState::Pending && instance.boots == boot => {
            instance.state = InstanceState::Running;
        }
        _ => return,
    }
    world.tell("ec2", "instance", id, "running", None);
    tell_state(world, id);
    autoscaling::instance_running(world, id);
    ecs::instance_running(world, id);
    elbv2::instance_running(world, id);
}

/// "EC2 Instance State-change Notification" on the event bus.
pub fn tell_state(world: &mut World, id: &str) {
    let Some(state) = world.ec2.instances.get(id).map(|instance| instance.state.name()) else { return };
    let arn = world.arn("ec2", &format!("instance/{id}"));
    let detail = || json!({"instance-id": id, "state": state});
    events::put(world, "aws.ec2", "EC2 Instance State-change Notification", &[arn], detail);
}

pub fn stopped(world: &mut World, id: &str, boot: u32) {
    if let Some(instance) = world.ec2.instances.get_mut(id)
        && instance.state == InstanceState::Stopping
        && instance.boots == boot
    {
        instance.state = InstanceState::Stopped;
        world.tell("ec2", "instance", id, "stopped", None);
        tell_state(world, id);
    }
}

/// shutting-down now, terminated later; `code` and `reason` are the state reason.
pub fn terminate(world: &mut World, id: &str, code: &str, reason: &str) {
    let when = gmt(world.now);
    let Some(instance) = world.ec2.instances.get_mut(id).filter(|instance| instance.state.lives()) else {
        return;
    };
    instance.state = InstanceState::ShuttingDown;
    instance.reason = Some((code.to_owned(), format!("{code}: {reason}")));
    instance.transition = format!("User initiated ({when})");
    world.tell("ec2", "instance", id, "shutting-down", Some(&format!("{code}: {reason}")));
    let after = SHUTS_DOWN + super::gateways::jitter(world, 30);
    world.schedule(after, world::Event::Ec2(Event::InstanceTerminated(id.to_owned())));
    tell_state(world, id);
    ecs::instance_gone(world, id);
    elbv2::instance_gone(world, id);
    autoscaling::instance_gone(world, id);
}

/// `2026-11-21 09:12:33 GMT`
fn gmt(now: Millis) -> String {
    let text = World::timestamp(now / 1000 * 1000);
    text.as_str().unwrap_or_default().replace('T', " ").replace('Z', " GMT")
}

pub fn terminated(world: &mut World, id: &str) {
    let Some(instance) = world.ec2.instances.get_mut(id) else { return };
    instance.state = InstanceState::Terminated;
    instance.interface = None;
    instance.others.clear();
    let volumes = std::mem::take(&mut instance.volumes);
    instance.public_ip = None;
    tell_state(world, id);
    for eni in world.ec2.attached.get(id).cloned().unwrap_or_default() {
        let attachment = world.ec2.interfaces.get(&eni).and_then(|eni| eni.attachment.as_ref());
        if attachment.is_some_and(|attachment| attachment.delete_on_termination) {
            delete_interface(world, &eni);
        } else {
            world.ec2.attach(&eni, None);
        }
    }
    for (_, id) in volumes {
        match world.ec2.volumes.get_mut(&id) {
            Some(volume) if !volume.delete_on_termination => volume.instance = None,
            _ => {
                world.ec2.volumes.remove(&id);
                world.ec2.tags.remove(&id);
            }
        }
    }
    world.tell("ec2", "instance", id, "terminated", None);
    world.schedule(FORGOTTEN, world::Event::Ec2(Event::InstanceForgotten(id.to_owned())));
    autoscaling::instance_terminated(world, id);
}

pub fn forgotten(world: &mut World, id: &str) {
    world.ec2.instances.remove(id);
    world.ec2.tags.remove(id);
}

/// Takes back a launch whose request failed after it.
pub fn vanish(world: &mut World, id: &str) {
    if let Some(instance) = world.ec2.instances.remove(id) {
        for (_, volume) in &instance.volumes {
            world.ec2.volumes.remove(volume);
            world.ec2.tags.remove(volume);
        }
        for eni in instance.interface.iter().chain(&instance.others) {
            delete_interface(world, eni);
        }
        world.ec2.tags.remove(id);
    }
}

/// MetadataOptions as they take effect: images that say so require version 2.
pub fn metadata(world: &World, instance: &Instance) -> Json {
    let given = instance.spec.metadata.as_ref();
    let modern =
        image_in(world, &instance.spec.image_id).is_some_and(|image| image.name.starts_with("al2023"));
    let text = |name: &str, default: &str| {
        given.and_then(|options| options.text(name)).unwrap_or(default).to_owned()
    };
    let hops = given.and_then(|options| options.int("HttpPutResponseHopLimit"));
    json!({
        "State": "applied", "HttpTokens": text("HttpTokens", if modern { "required" } else { "optional" }),
        "HttpPutResponseHopLimit": hops.unwrap_or(if modern { 2 } else { 1 }),
        "HttpEndpoint": text("HttpEndpoint", "enabled"),
        "HttpProtocolIpv6": text("HttpProtocolIpv6", "disabled"),
        "InstanceMetadataTags": text("InstanceMetadataTags", "disabled"),
    })
}

pub fn instance_json(world: &World, id: &str) -> Option<Json> {
    let instance = world.ec2.instances.get(id)?;
    let spec = &instance.spec;
    let kind = instance_type(&spec.instance_type);
    let image = image_in(world, &spec.image_id);
    let has_network = instance.interface.is_some();
    let eni = instance.interface.as_ref().and_then(|eni| world.ec2.interfaces.get(eni));
    let public_ip = eni.and_then(|eni| public_ip_of(world, eni));
    let others = instance.others.iter().filter_map(|eni| world.ec2.interfaces.get(eni));
    let enis: Vec<_> = eni.into_iter().chain(others).collect();
    let groups = groups_json(world, &spec.security_group_ids);
    let (cores, threads) =
        kind.map_or((1, 1), |kind| (kind.vcpus / kind.threads_per_core, kind.threads_per_core));
    let (nothing, no_tags) = (json!({}), world.ec2.tags.get(id).is_none_or(|tags| tags.is_empty()));
    let placement = spec.placement.as_ref().unwrap_or(&nothing);
    let devices: Vec<Json> =
        instance.volumes.iter().map(|(device, id)| device_json(world, device, id)).collect();
    let name = private_name(world, &instance.private_ip);
    let mut json = json!({
        "InstanceId": id, "ImageId": spec.image_id, "InstanceType": spec.instance_type,
        "State": {"Code": instance.state.code(), "Name": instance.state.name()},
        "StateReason": instance.reason.as_ref().map(|(code, message)| json!({"Code": code, "Message": message})),
        "StateTransitionReason": instance.transition, "LaunchTime": World::timestamp(instance.launched),
        "AmiLaunchIndex": instance.launch_index, "ClientToken": spec.client_token.clone().unwrap_or_default(),
        "Architecture": image.map(|image| image.arch), "Hypervisor": "xen", "VirtualizationType": "hvm",
        "RootDeviceName": image.map(|image| image.root_device), "RootDeviceType": "ebs",
        "BlockDeviceMappings": devices, "EbsOptimized": spec.ebs_optimized, "EnaSupport": true,
        "PlatformDetails": "Linux/UNIX", "ProductCodes": [],
        "UsageOperation": "RunInstances", "UsageOperationUpdateTime": World::timestamp(instance.launched),
        "Placement": {
            "AvailabilityZone": instance.zone, "AvailabilityZoneId": super::zone_id(world, &instance.zone),
            "GroupName": placement.text("GroupName").unwrap_or_default(),
            "Tenancy": spec.tenancy.as_deref().unwrap_or("default"),
            "HostId": placement.get("HostId"), "Affinity": placement.get("Affinity"),
            "PartitionNumber": placement.get("PartitionNumber"),
        },
        "KeyName": spec.key_name, "InstanceLifecycle": spec.spot.then_some("spot"),
        "SpotInstanceRequestId": spec.spot.then(|| super::spot::request_id(id)),
        "IamInstanceProfile": spec.instance_profile_arn.as_ref().map(|arn| {
            json!({"Arn": arn, "Id": profile_id(arn)})
        }),
        // An instance without tags has no such member at all.
        "Tags": if no_tags { Json::Null } else { tags_of(world, id) },
    });
    let network_and_options = json!({
        "PrivateIpAddress": has_network.then_some(&instance.private_ip),
        "PrivateDnsName": if has_network { name } else { String::new() },
        "PublicIpAddress": public_ip,
        "PublicDnsName": public_ip.as_ref().map_or(String::new(), |ip| public_name(world, &instance.vpc, ip)),
        "SubnetId": has_network.then_some(&spec.subnet_id), "VpcId": has_network.then_some(&instance.vpc),
        "SecurityGroups": if has_network { groups } else { vec![] },
        "NetworkInterfaces": enis.iter().map(|eni| eni_json(world, eni)).collect::<Vec<_>>(),
        "Ipv6Address": eni.and_then(|eni| eni.ipv6.first()),
        "SourceDestCheck": has_network.then_some(instance.source_dest_check),
        "Monitoring": {"State": if spec.monitoring { "enabled" } else { "disabled" }},
        "MetadataOptions": metadata(world, instance), "CpuOptions": {"CoreCount": cores, "ThreadsPerCore": threads},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "HibernationOptions": {"Configured": spec.hibernation}, "EnclaveOptions": {"Enabled": false},
        "MaintenanceOptions": {"AutoRecovery": "default"}, "BootMode": "uefi-preferred",
        "PrivateDnsNameOptions": {
            "HostnameType": "ip-name", "EnableResourceNameDnsARecord": false,
            "EnableResourceNameDnsAAAARecord": false,
        },
    });
    super::launch_templates::overlay(&mut json, &network_and_options);
    Some(lean(json))
}

/// Profiles have ids of their own; ours are made of the name.
fn profile_id(arn: &str) -> String {
    let sum = arn
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("AIPA{sum:016X}")
}

pub fn device_json(world: &World, device: &str, id: &str) -> Json {
    let volume = world.ec2.volumes.get(id);
    json!({
        "DeviceName": device,
        "Ebs": {
            "VolumeId": id, "Status": "attached",
            "AttachTime": volume.map(|volume| World::timestamp(volume.created)),
            "DeleteOnTermination": volume.map(|volume| volume.delete_on_termination),
        },
    })
}

fn eni_json(world: &World, eni: &super::Interface) -> Json {
    // An instance tells less of it than the interface itself.
    let association = association_json(world, eni).map(|mut association| {
        for name in ["AllocationId", "AssociationId"] {
            association[name] = Json::Null;
        }
        association
    });
    let attachment = eni.attachment.as_ref().map(|attachment| {
        json!({
            "AttachmentId": attachment.id, "AttachTime": World::timestamp(attachment.at),
            "DeleteOnTermination": attachment.delete_on_termination,
            "DeviceIndex": attachment.device_index, "NetworkCardIndex": 0, "Status": "attached",
        })
    });
    let name = interface_name(world, &eni.vpc, &eni.private_ip);
    json!({
        "NetworkInterfaceId": eni.id, "SubnetId": eni.subnet, "VpcId": eni.vpc, "OwnerId": world.account,
        "Description": eni.description, "MacAddress": eni.mac, "InterfaceType": eni.kind, "Status": "in-use",
        "PrivateIpAddress": eni.private_ip, "PrivateDnsName": name,
        "PrivateIpAddresses": addresses_json(world, eni, association.as_ref()),
        "Ipv6Addresses": ipv6_json(eni), "Groups": groups_json(world, &eni.groups), "Association": association,
        "Attachment": attachment, "SourceDestCheck": eni.source_dest_check,
    })
}

pub const FILTERS: super::query::Table = &[
    ("architecture", "Architecture"),
    ("availability-zone", "Placement.AvailabilityZone"),
    ("availability-zone-id", "Placement.AvailabilityZoneId"),
    ("block-device-mapping.device-name", "BlockDeviceMappings.DeviceName"),
    ("block-device-mapping.volume-id", "BlockDeviceMappings.Ebs.VolumeId"),
    ("client-token", "ClientToken"),
    ("dns-name", "PublicDnsName"),
    ("group-id", "SecurityGroups.GroupId"),
    ("group-name", "SecurityGroups.GroupName"),
    ("hypervisor", "Hypervisor"),
    ("iam-instance-profile.arn", "IamInstanceProfile.Arn"),
    ("image-id", "ImageId"),
    ("instance-id", "InstanceId"),
    ("instance-lifecycle", "InstanceLifecycle"),
    ("instance-state-code", "State.Code"),
    ("instance-state-name", "State.Name"),
    ("instance-type", "InstanceType"),
    ("instance.group-id", "SecurityGroups.GroupId"),
    ("instance.group-name", "SecurityGroups.GroupName"),
    ("ip-address", "PublicIpAddress"),
    ("key-name", "KeyName"),
    ("launch-time", "LaunchTime"),
    ("metadata-options.http-tokens", "MetadataOptions.HttpTokens"),
    ("monitoring-state", "Monitoring.State"),
    (
        "network-interface.addresses.private-ip-address",
        "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
    ),
    ("network-interface.attachment.attachment-id", "NetworkInterfaces.Attachment.AttachmentId"),
    ("network-interface.availability-zone", "Placement.AvailabilityZone"),
    ("network-interface.description", "NetworkInterfaces.Description"),
    ("network-interface.group-id", "NetworkInterfaces.Groups.GroupId"),
    ("network-interface.ipv6-addresses.ipv6-address", "NetworkInterfaces.Ipv6Addresses.Ipv6Address"),
    ("network-interface.mac-address", "NetworkInterfaces.MacAddress"),
    ("network-interface.network-interface-id", "NetworkInterfaces.NetworkInterfaceId"),
    ("network-interface.private-dns-name", "NetworkInterfaces.PrivateDnsName"),
    ("network-interface.private-ip-address", "NetworkInterfaces.PrivateIpAddress"),
    ("network-interface.status", "NetworkInterfaces.Status"),
    ("network-interface.subnet-id", "NetworkInterfaces.SubnetId"),
    ("network-interface.vpc-id", "NetworkInterfaces.VpcId"),
    ("owner-id", "OwnerId"),
    ("private-dns-name", "PrivateDnsName"),
    ("private-ip-address", "PrivateIpAddress"),
    ("requester-id", "RequesterId"),
    ("reservation-id", "ReservationId"),
    ("root-device-name", "RootDeviceName"),
    ("root-device-type", "RootDeviceType"),
    ("source-dest-check", "SourceDestCheck"),
    ("spot-instance-request-id", "SpotInstanceRequestId"),
    ("state-reason-code", "StateReason.Code"),
    ("subnet-id", "SubnetId"),
    ("tenancy", "Placement.Tenancy"),
    ("virtualization-type", "VirtualizationType"),
    ("vpc-id", "VpcId"),
];

/// The instances asked for, or all; every unknown id is named.
pub fn asked(world: &World, input: &Json) -> Result<Vec<String>, ApiError> {
    let wanted = input.texts("InstanceIds");
    let unknown: Vec<&str> =
        wanted.iter().filter(|id| !world.ec2.instances.contains_key(id)).copied().collect();
    if !unknown.is_empty() {
        return Err(no_instances(&unknown));
    }
    if wanted.is_empty() {
        return Ok(world.ec2.instances.keys().cloned().collect());
    }
    Ok(wanted.into_iter().map(str::to_owned).collect())
}

pub fn describe_instances(world: &mut World, input: &Json) -> Answer {
    if !input.texts("InstanceIds").is_empty() && input.int("MaxResults").is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return fail("InvalidParameterCombination", message);
    }
    let mut ids = asked(world, input)?;
    // As launched, reservation by reservation.
    ids.sort_by_key(|id| {
        let instance = &world.ec2.instances[id];
        (instance.launched, instance.reservation.clone(), instance.launch_index)
    });
    let mut items = Vec::new();
    for id in ids {
        let mut json = instance_json(world, &id).expect("asked() knows them all");
        // What the reservation says, for the filters that look there.
        json["ReservationId"] = json!(world.ec2.instances[&id].reservation);
        json["OwnerId"] = json!(world.account);
        items.push(json);
    }
    let items = filtered(items, input.list("Filters"), FILTERS)?;
    let limit = input.int("MaxResults").map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(1).max(1));
    let (items, next) = page(items, input.text("NextToken"), limit);
    let mut reservations: Vec<Json> = Vec::new();
    for mut item in items {
        let members = item.as_object_mut().expect("an object");
        let id = members.remove("ReservationId").expect("set above");
        members.remove("OwnerId");
        match reservations.iter_mut().find(|reservation| reservation["ReservationId"] == id) {
            Some(reservation) => reservation["Instances"].as_array_mut().expect("a list").push(item),
            None => reservations.push(json!({
                "ReservationId": id, "OwnerId": world.account, "Groups": [], "Instances": [item],
            })),
        }
    }
    Ok(lean(json!({"Reservations": reservations, "NextToken": next})))
}

pub fn describe_instance_status(world: &mut World, input: &Json) -> Answer {
    let all = input.flag("IncludeAllInstances").unwrap_or(false);
    let mut items = Vec::new();
    for id in asked(world, input)? {
        let instance = &world.ec2.instances[&id];
        if !all && instance.state != InstanceState::Running {
            continue;
        }
        let (status, detail) = match instance.state {
            InstanceState::Running if world.now >= instance.checks_pass => ("ok", Some("passed")),
            InstanceState::Running => ("initializing", Some("initializing")),
            _ => ("not-applicable", None),
        };
        let details: Vec<Json> =
            detail.iter().map(|detail| json!({"Name": "reachability", "Status": detail})).collect();
        let summary = json!({"Status": status, "Details": details});
        items.push(json!({
            "InstanceId": id, "AvailabilityZone": instance.zone, "Events": [],
            "InstanceState": {"Code": instance.state.code(), "Name": instance.state.name()},
            "InstanceStatus": summary, "SystemStatus": summary, "AttachedEbsStatus": summary,
        }));
    }
    let table = &[
        ("availability-zone", "AvailabilityZone"),
        ("instance-state-code", "InstanceState.Code"),
        ("instance-state-name", "InstanceState.Name"),
        ("instance-status.reachability", "InstanceStatus.Details.Status"),
        ("instance-status.status", "InstanceStatus.Status"),
        ("system-status.reachability", "SystemStatus.Details.Status"),
        ("system-status.status", "SystemStatus.Status"),
    ];
    super::query::paged(input, "InstanceStatuses", filtered(items, input.list("Filters"), table)?)
}

fn change_json(id: &str, before: InstanceState, after: InstanceState) -> Json {
    let state = |state: InstanceState| json!({"Code": state.code(), "Name": state.name()});
    json!({"InstanceId": id, "PreviousState": state(before), "CurrentState": state(after)})
}

/// Does `act` to every instance named and answers how its state changed.
fn each(world: &mut World, input: &Json, output: &str, act: fn(&mut World, &str)) -> Answer {
    need_ids(input)?;
    let mut changes = Vec::new();
    for id in asked(world, input)? {
        let before = world.ec2.instances[&id].state;
        act(world, &id);
        changes.push(change_json(&id, before, world.ec2.instances[&id].state));
    }
    Ok(json!({output: changes}))
}

pub fn need_ids(input: &Json) -> Result<(), ApiError> {
    if input.texts("InstanceIds").is_empty() {
        return fail("InvalidParameterCombination", "No instances specified");
    }
    Ok(())
}

pub fn terminate_instances(world: &mut World, input: &Json) -> Answer {
    need_ids(input)?;
    for id in asked(world, input)? {
        let instance = &world.ec2.instances[&id];
        if instance.spec.no_api_termination && instance.state.lives() {
            let message = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance \
                 attribute and try again."
            );
            return fail("OperationNotPermitted", message);
        }
    }
    each(world, input, "TerminatingInstances", super::terminate)
}

pub fn stop_instances(world: &mut World, input: &Json) -> Answer {
    need_ids(input)?;
    for id in asked(world, input)? {
        let instance = &world.ec2.instances[&id];
        if instance.spec.spot {
            let message = format!(
                "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests."
            );
            return fail("UnsupportedOperation", message);
        }
        if !instance.state.lives() {
            return Err(wrong_state(&id, "stopped"));
        }
        if instance.spec.no_api_stop {
            let message = format!(
                "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
            );
            return fail("OperationNotPermitted", message);
        }
    }
    each(world, input, "StoppingInstances", |world, id| {
        let when = gmt(world.now);
        let instance = world.ec2.instances.get_mut(id).expect("seen by the caller");
        if !matches!(instance.state, InstanceState::Running | InstanceState::Pending) {
            return;
        }
        instance.state = InstanceState::Stopping;
        instance.transition = format!("User initiated ({when})");
        let code = "Client.UserInitiatedShutdown";
        instance.reason = Some((code.to_owned(), format!("{code}: User initiated shutdown")));
        let boot = instance.boots;
        world.schedule(STOPS, world::Event::Ec2(Event::InstanceStopped(id.to_owned(), boot)));
        world.tell("ec2", "instance", id, "stopping", None);
        tell_state(world, id);
        ecs::instance_gone(world, id);
        elbv2::instance_gone(world, id);
        autoscaling::instance_gone(world, id);
    })
}

fn wrong_state(id: &str, wish: &str) -> ApiError {
    let message = format!("The instance '{id}' is not in a state from which it can be {wish}.");
    ApiError::new("IncorrectInstanceState", message)
}

pub fn start_instances(world: &mut World, input: &Json) -> Answer {
    need_ids(input)?;
    for id in asked(world, input)? {
        let state = world.ec2.instances[&id].state;
        if !matches!(state, InstanceState::Stopped | InstanceState::Running | InstanceState::Pending) {
            return Err(wrong_state(&id, "started"));
        }
        if state == InstanceState::Stopped {
            let spec = &world.ec2.instances[&id].spec;
            super::run_instances::vcpu_quota(world, &spec.instance_type, spec.spot)?;
        }
    }
    each(world, input, "StartingInstances", |world, id| {
        let after = 20 * SECOND + super::gateways::jitter(world, 20);
        let now = world.now;
        let instance = world.ec2.instances.get_mut(id).expect("seen by the caller");
        if instance.state != InstanceState::Stopped {
            return;
        }
        instance.state = InstanceState::Pending;
        instance.boots += 1;
        instance.reason = None;
        instance.transition.clear();
        instance.launched = now;
        instance.checks_pass = now + after + 2 * MINUTE;
        let boot = instance.boots;
        world.schedule(after, world::Event::Ec2(Event::InstanceRunning(id.to_owned(), boot)));
        tell_state(world, id);
    })
}

pub fn reboot_instances(world: &mut World, input: &Json) -> Answer {
    need_ids(input)?;
    asked(world, input)?;
    Ok(json!({}))
}
