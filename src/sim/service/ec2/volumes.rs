//! Volumes: with instances, and on their own.

use super::instances::no_instance;
use super::query::{
    Listing, absent, check_tags, describe, fail, lean, missing, need, once, tag_new, tags_of,
};
use super::state::{InstanceState, Modification, Volume};
use super::zones::zones;
use crate::World;
use crate::service::{Answer, ApiError, Input, kms};
use crate::world::{MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};

/// creating → available, and how long a modified volume is being optimized.
const CREATES: Millis = 3 * SECOND;
const OPTIMIZES: Millis = 5 * MINUTE;

pub fn no_volume(id: &str) -> ApiError {
    ApiError::new("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."))
}

/// From the members that EbsBlockDevice and CreateVolume have in common.
pub fn new_volume<'a>(world: &'a mut World, ebs: &Json, zone: &str) -> &'a mut Volume {
    let kind = ebs.text("VolumeType").unwrap_or("gp2").to_owned();
    let gp3 = kind == "gp3";
    let id = world.id("vol");
    let snapshot = ebs.text("SnapshotId").filter(|id| !id.is_empty());
    let source = snapshot.and_then(|id| world.ec2.snapshots.get(id)).cloned();
    let encrypted = ebs.flag("Encrypted").unwrap_or(source.as_ref().is_some_and(|source| source.encrypted));
    let given = ebs.text("KmsKeyId").map(str::to_owned);
    let mut key = given.or_else(|| source.as_ref().and_then(|source| source.kms_key.clone()));
    if encrypted && key.is_none() {
        // The account's key for EBS (API reference, CreateVolume: KmsKeyId).
        key = kms::managed_key(world, "ebs");
    }
    let volume = Volume {
        id: id.clone(),
        size: ebs
            .int("VolumeSize")
            .or(ebs.int("Size"))
            .or(source.as_ref().map(|source| source.size))
            .unwrap_or(8),
        iops: ebs.int("Iops").or(gp3.then_some(3000)),
        throughput: ebs.int("Throughput").or(gp3.then_some(125)),
        encrypted,
        kms_key: key,
        snapshot: snapshot.map(str::to_owned),
        kind,
        zone: zone.to_owned(),
        created: world.now,
        instance: None,
        device: String::new(),
        delete_on_termination: false,
        attached: None,
        modified: None,
    };
    world.ec2.volumes.entry(id).or_insert(volume)
}

fn state(world: &World, volume: &Volume) -> &'static str {
    match &volume.instance {
        Some(_) => "in-use",
        None if world.now < volume.created + CREATES => "creating",
        None => "available",
    }
}

fn attachment_json(volume: &Volume, instance: &str) -> Json {
    json!({
        "InstanceId": instance, "VolumeId": volume.id, "Device": volume.device, "State": "attached",
        // In whole seconds, unlike CreateTime (CLI reference, describe-volumes).
        "AttachTime": World::timestamp(volume.attached.unwrap_or(volume.created) / 1000 * 1000),
        "DeleteOnTermination": volume.delete_on_termination,
    })
}

fn volume_json(world: &World, id: &str) -> Option<Json> {
    let volume = world.ec2.volumes.get(id)?;
    let attachments: Vec<Json> =
        volume.instance.iter().map(|instance| attachment_json(volume, instance)).collect();
    Some(lean(json!({
        "VolumeId": id, "Size": volume.size, "VolumeType": volume.kind, "Encrypted": volume.encrypted,
        "KmsKeyId": volume.kms_key, "Iops": volume.iops, "Throughput": volume.throughput,
        "SnapshotId": volume.snapshot.as_deref().unwrap_or_default(), "AvailabilityZone": volume.zone,
        "AvailabilityZoneId": super::zone_id(world, &volume.zone),
        "State": state(world, volume),
        "CreateTime": World::timestamp(volume.created), "MultiAttachEnabled": false,
        "Attachments": attachments, "Tags": tags_of(world, id),
    })))
}

pub fn describe_volumes(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "VolumeIds",
        filters: "Filters",
        output: "Volumes",
        missing: no_volume,
        table: &[
            ("attachment.attach-time", "Attachments.AttachTime"),
            ("attachment.delete-on-termination", "Attachments.DeleteOnTermination"),
            ("attachment.device", "Attachments.Device"),
            ("attachment.instance-id", "Attachments.InstanceId"),
            ("attachment.status", "Attachments.State"),
            ("availability-zone", "AvailabilityZone"),
            ("create-time", "CreateTime"),
            ("encrypted", "Encrypted"),
            ("size", "Size"),
            ("snapshot-id", "SnapshotId"),
            ("status", "State"),
            ("volume-id", "VolumeId"),
            ("volume-type", "VolumeType"),
        ],
    };
    describe(input, &listing, world.ec2.volumes.keys(), |id| volume_json(world, id))
}

pub fn create_volume(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["volume"])?;
    once(world, "CreateVolume", input, |world, input| {
        let all = zones(world);
        let by_id = input.text("AvailabilityZoneId");
        let zone = match (input.text("AvailabilityZone"), by_id) {
            (Some(name), _) => all.iter().find(|zone| *zone == name),
            (None, Some(id)) => all.iter().find(|zone| super::zone_id(world, zone).as_deref() == Some(id)),
            (None, None) => return Err(absent("AvailabilityZone")),
        };
        let Some(zone) = zone.cloned() else {
            let given = input.text("AvailabilityZone").or(by_id).unwrap_or_default();
            return fail("InvalidZone.NotFound", format!("The zone '{given}' does not exist."));
        };
        let source = input.text("SnapshotId").filter(|id| !id.is_empty());
        if let Some(id) = source {
            super::snapshots::known(world, id)?;
        }
        if input.int("Size").is_none() && source.is_none() {
            return fail("MissingParameter", "The request must contain the parameter size/snapshot");
        }
        check_settings(input)?;
        let id = new_volume(world, input, &zone).id.clone();
        tag_new(world, input, "volume", &id);
        Ok(volume_json(world, &id).expect("just made"))
    })
}

/// What a volume's type allows (API reference, CreateVolume).
fn check_settings(input: &Json) -> Result<(), ApiError> {
    let kind = input.text("VolumeType").unwrap_or("gp2");
    if input.text("KmsKeyId").is_some() && input.flag("Encrypted") != Some(true) {
        let message = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
        return fail("InvalidParameterDependency", message);
    }
    if input.int("Iops").is_some() && !matches!(kind, "gp3" | "io1" | "io2") {
        let message = format!("The parameter iops is not supported for {kind} volumes.");
        return fail("InvalidParameterCombination", message);
    }
    if input.int("Iops").is_none() && matches!(kind, "io1" | "io2") {
        return fail(
            "MissingParameter",
            format!("The request must contain the parameter iops for {kind} volumes"),
        );
    }
    if input.int("Throughput").is_some() && kind != "gp3" {
        let message = format!("The throughput parameter is not supported for {kind} volumes.");
        return fail("InvalidParameterCombination", message);
    }
    Ok(())
}

pub fn delete_volume(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VolumeId")?;
    let volume = world.ec2.volumes.get(id).ok_or_else(|| no_volume(id))?;
    if let Some(instance) = &volume.instance {
        return fail("VolumeInUse", format!("Volume {id} is currently attached to {instance}"));
    }
    world.ec2.volumes.remove(id);
    world.ec2.tags.remove(id);
    Ok(json!({}))
}

pub fn attach_volume(world: &mut World, input: &Json) -> Answer {
    let (id, instance) = (need(input, "VolumeId")?, need(input, "InstanceId")?);
    let device = need(input, "Device")?;
    let now = world.now;
    let host = world.ec2.instances.get(instance).ok_or_else(|| no_instance(instance))?;
    let volume = world.ec2.volumes.get(id).ok_or_else(|| no_volume(id))?;
    if volume.instance.is_some() {
        return fail("VolumeInUse", format!("{id} is already attached to an instance"));
    }
    if !matches!(host.state, InstanceState::Running | InstanceState::Stopped | InstanceState::Pending) {
        return fail("IncorrectState", format!("Instance '{instance}' is not 'running'."));
    }
    if volume.zone != host.zone {
        let message =
            format!("The volume '{id}' is not in the same availability zone as instance '{instance}'");
        return fail("InvalidVolume.ZoneMismatch", message);
    }
    if host.volumes.iter().any(|(taken, _)| taken == device) {
        let message =
            format!("Invalid value '{device}' for unixDevice. Attachment point {device} is already in use");
        return fail("InvalidParameterValue", message);
    }
    let volume = world.ec2.volumes.get_mut(id).expect("seen above");
    volume.instance = Some(instance.to_owned());
    volume.device = device.to_owned();
    volume.delete_on_termination = false;
    volume.attached = Some(now);
    let mut shown = attachment_json(volume, instance);
    shown["State"] = json!("attaching");
    let host = world.ec2.instances.get_mut(instance).expect("seen above");
    host.volumes.push((device.to_owned(), id.to_owned()));
    Ok(shown)
}

pub fn detach_volume(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VolumeId")?;
    let wanted = input.text("InstanceId");
    if let Some(wanted) = wanted.filter(|wanted| !world.ec2.instances.contains_key(wanted)) {
        return Err(no_instance(wanted));
    }
    let volume = world.ec2.volumes.get(id).ok_or_else(|| no_volume(id))?;
    let Some(instance) = volume.instance.clone() else {
        return fail("IncorrectState", format!("Volume '{id}' is in the 'available' state."));
    };
    let elsewhere = wanted.is_some_and(|wanted| wanted != instance)
        || input.text("Device").is_some_and(|device| device != volume.device);
    if elsewhere {
        let message = format!(
            "The volume {id} is not attached to instance {} as device {}",
            wanted.unwrap_or(&instance),
            input.text("Device").unwrap_or(&volume.device)
        );
        return fail("InvalidAttachment.NotFound", message);
    }
    let root = world.ec2.instances.get(&instance).is_some_and(|host| {
        let image = super::images::image_in(world, &host.spec.image_id);
        host.state != InstanceState::Stopped && image.is_some_and(|image| image.root_device == volume.device)
    });
    if root {
        let message = format!("Unable to detach root volume '{id}' from instance '{instance}'");
        return fail("OperationNotPermitted", message);
    }
    let mut shown = attachment_json(volume, &instance);
    shown["State"] = json!("detaching");
    let volume = world.ec2.volumes.get_mut(id).expect("seen above");
    volume.instance = None;
    volume.device.clear();
    if let Some(host) = world.ec2.instances.get_mut(&instance) {
        host.volumes.retain(|(_, volume)| volume != id);
    }
    Ok(shown)
}

fn modification_json(world: &World, volume: &Volume) -> Option<Json> {
    let before = volume.modified.as_ref()?;
    let done = world.now >= before.at + OPTIMIZES;
    Some(lean(json!({
        "VolumeId": volume.id, "ModificationState": if done { "completed" } else { "optimizing" },
        "OriginalSize": before.size, "OriginalVolumeType": before.kind, "OriginalIops": before.iops,
        "OriginalThroughput": before.throughput, "TargetSize": volume.size, "TargetVolumeType": volume.kind,
        "TargetIops": volume.iops, "TargetThroughput": volume.throughput, "Progress": if done { 100 } else { 0 },
        "StartTime": World::timestamp(before.at), "EndTime": done.then(|| World::timestamp(before.at + OPTIMIZES)),
    })))
}

pub fn modify_volume(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "VolumeId")?;
    let now = world.now;
    let volume = world.ec2.volumes.get_mut(id).ok_or_else(|| no_volume(id))?;
    let size = input.int("Size").unwrap_or(volume.size);
    if size < volume.size {
        let message = format!("New size cannot be smaller than existing size ({size} < {})", volume.size);
        return fail("InvalidParameterValue", message);
    }
    volume.modified = Some(Modification {
        at: now,
        size: volume.size,
        kind: volume.kind.clone(),
        iops: volume.iops,
        throughput: volume.throughput,
    });
    volume.size = size;
    if let Some(kind) = input.text("VolumeType") {
        volume.kind = kind.to_owned();
        let gp3 = kind == "gp3";
        volume.iops = gp3.then_some(3000);
        volume.throughput = gp3.then_some(125);
    }
    volume.iops = input.int("Iops").or(volume.iops);
    volume.throughput = input.int("Throughput").or(volume.throughput);
    let volume = &world.ec2.volumes[id];
    Ok(json!({"VolumeModification": modification_json(world, volume)}))
}

pub fn describe_volumes_modifications(world: &mut World, input: &Json) -> Answer {
    let listing = Listing {
        ids: "VolumeIds",
        filters: "Filters",
        output: "VolumesModifications",
        missing: |id| missing("InvalidVolumeModification.NotFound", "volume modification", id),
        table: &[("volume-id", "VolumeId"), ("modification-state", "ModificationState")],
    };
    let find = |id: &str| modification_json(world, world.ec2.volumes.get(id)?);
    describe(input, &listing, world.ec2.volumes.keys(), find)
}
