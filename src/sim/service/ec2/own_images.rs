//! Images of the account's own: made from instances or snapshots, shared, deregistered.

use super::images::{image_in, no_image};
use super::instances::no_instance;
use super::query::{check_tags, fail, lean, need, tag_new, tags_of};
use super::{snapshots, volumes};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use crate::world::{MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// pending → available, after the snapshots.
const READY: Millis = 150 * SECOND;
/// How long a deregistered image is known of.
const REMEMBERED: Millis = 60 * MINUTE;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnImage {
    pub id: String,
    pub name: String,
    pub description: String,
    pub arch: String,
    pub root_device: String,
    pub devices: Vec<Device>,
    /// RFC 3339, to the millisecond.
    pub created: String,
    pub ready: Millis,
    pub source_instance: Option<String>,
    /// Accounts, organizations and their units that may launch it, and `all`; in the order of their coming.
    pub shared: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    pub name: String,
    pub snapshot: String,
    pub size: i64,
    pub kind: String,
    pub encrypted: bool,
    pub delete_on_termination: bool,
}

impl OwnImage {
    pub fn root(&self) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == self.root_device)
    }

    pub fn is_public(&self) -> bool {
        self.shared.iter().any(|who| who == "all")
    }

    pub fn uses(&self, snapshot: &str) -> bool {
        self.devices.iter().any(|device| device.snapshot == snapshot)
    }

    /// As BlockDeviceMappings.
    pub fn mappings(&self) -> Vec<Json> {
        let one = |device: &Device| {
            json!({
                "DeviceName": device.name,
                "Ebs": {
                    "SnapshotId": device.snapshot, "VolumeSize": device.size, "VolumeType": device.kind,
                    "Encrypted": device.encrypted, "DeleteOnTermination": device.delete_on_termination,
                },
            })
        };
        self.devices.iter().map(one).collect()
    }

    pub fn json(&self, world: &World) -> Json {
        lean(json!({
            "ImageId": self.id, "Name": self.name, "Description": self.description, "Architecture": self.arch,
            "OwnerId": world.account, "ImageLocation": format!("{}/{}", world.account, self.name),
            "CreationDate": self.created, "ImageType": "machine", "Public": self.is_public(),
            "State": if world.now >= self.ready { "available" } else { "pending" }, "Hypervisor": "xen",
            "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances", "EnaSupport": true,
            "SriovNetSupport": "simple", "VirtualizationType": "hvm", "RootDeviceType": "ebs",
            "RootDeviceName": self.root_device, "BlockDeviceMappings": self.mappings(),
            "SourceInstanceId": self.source_instance, "ProductCodes": [], "Tags": tags_of(world, &self.id),
        }))
    }
}

fn own<'a>(world: &'a mut World, id: &str) -> Result<&'a mut OwnImage, ApiError> {
    if !world.ec2.images.contains_key(id) && image_in(world, id).is_some() {
        return fail("AuthFailure", format!("Not authorized for image:{id}"));
    }
    world.ec2.images.get_mut(id).ok_or_else(|| no_image(id))
}

fn free_name(world: &World, name: &str) -> Result<(), ApiError> {
    let taken = world.ec2.images.values().find(|image| image.name == name);
    match taken {
        Some(image) => {
            let message = format!("AMI name {name} is already in use by AMI {}", image.id);
            fail("InvalidAMIName.Duplicate", message)
        }
        None => Ok(()),
    }
}

fn insert(world: &mut World, mut image: OwnImage) -> String {
    let id = world.id("ami");
    image.id.clone_from(&id);
    image.ready = world.now + READY + super::jitter(world, 60);
    let second = World::timestamp(world.now / 1000 * 1000);
    image.created = second.as_str().unwrap_or_default().replace('Z', ".000Z");
    world.ec2.images.insert(id.clone(), image);
    id
}

fn blank(name: &str, input: &Json) -> OwnImage {
    OwnImage {
        id: String::new(),
        name: name.to_owned(),
        description: input.text("Description").unwrap_or_default().to_owned(),
        arch: "x86_64".to_owned(),
        root_device: String::new(),
        devices: vec![],
        created: String::new(),
        ready: 0,
        source_instance: None,
        shared: Vec::new(),
    }
}

/// Snapshots of all volumes of an instance.
pub fn create_image(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["image", "snapshot"])?;
    let (source, name) = (need(input, "InstanceId")?, need(input, "Name")?);
    let instance = world.ec2.instances.get(source).filter(|instance| instance.state.lives());
    let instance = instance.ok_or_else(|| no_instance(source))?.clone();
    free_name(world, name)?;
    let mut made = blank(name, input);
    made.source_instance = Some(source.to_owned());
    if let Some(base) = image_in(world, &instance.spec.image_id) {
        made.arch = base.arch.to_owned();
        made.root_device = base.root_device.to_owned();
    }
    for (device, volume) in &instance.volumes {
        let snapshot = snapshots::take(world, volume, &format!("Created by CreateImage({source})"))?;
        tag_new(world, input, "snapshot", &snapshot);
        let volume = world.ec2.volumes.get(volume).ok_or_else(|| volumes::no_volume(volume))?;
        made.devices.push(Device {
            name: device.clone(),
            snapshot,
            size: volume.size,
            kind: volume.kind.clone(),
            encrypted: volume.encrypted,
            delete_on_termination: volume.delete_on_termination,
        });
    }
    let id = insert(world, made);
    tag_new(world, input, "image", &id);
    Ok(json!({"ImageId": id}))
}

/// From snapshots.
pub fn register_image(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["image", "snapshot"])?;
    let name = need(input, "Name")?;
    free_name(world, name)?;
    let mut made = blank(name, input);
    made.arch = input.text("Architecture").unwrap_or("x86_64").to_owned();
    made.root_device = input.text("RootDeviceName").unwrap_or("/dev/sda1").to_owned();
    for mapping in input.list("BlockDeviceMappings") {
        let Some(ebs) = mapping.get("Ebs") else { continue };
        let snapshot = ebs.text("SnapshotId").unwrap_or_default();
        if !snapshot.is_empty() {
            snapshots::known(world, snapshot)?;
        }
        let source = world.ec2.snapshots.get(snapshot).map_or(8, |source| source.size);
        made.devices.push(Device {
            name: mapping.text("DeviceName").unwrap_or_default().to_owned(),
            snapshot: snapshot.to_owned(),
            size: ebs.int("VolumeSize").unwrap_or(source),
            kind: ebs.text("VolumeType").unwrap_or("gp2").to_owned(),
            encrypted: ebs.flag("Encrypted").unwrap_or(false),
            delete_on_termination: ebs.flag("DeleteOnTermination").unwrap_or(true),
        });
    }
    let id = insert(world, made);
    tag_new(world, input, "image", &id);
    Ok(json!({"ImageId": id}))
}

/// "Instances that are already running are not affected" (API reference, DeregisterImage); its snapshots stay.
pub fn deregister_image(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "ImageId")?;
    own(world, id)?;
    world.ec2.images.remove(id);
    world.ec2.deregistered.insert(id.to_owned(), world.now);
    world.ec2.tags.remove(id);
    Ok(json!({"Return": true}))
}

/// Whether one asks in vain, but without an error: for a while, and as long as an instance refers to it (API
/// reference, DescribeImages).
pub fn is_remembered(world: &World, id: &str) -> bool {
    let refers = |one: &super::state::Instance| one.state.lives() && one.spec.image_id == id;
    let at = world.ec2.deregistered.get(id);
    at.is_some_and(|at| world.now < at + REMEMBERED || world.ec2.instances.values().any(refers))
}

/// Of this region or another one: the snapshots are copied too.
pub fn copy_image(world: &mut World, input: &Json) -> Answer {
    check_tags(input, &["image", "snapshot"])?;
    let (id, region, name) =
        (need(input, "SourceImageId")?, need(input, "SourceRegion")?, need(input, "Name")?);
    free_name(world, name)?;
    let look = |world: &World| {
        let own = world.ec2.images.get(id).cloned();
        own.or_else(|| {
            let base = image_in(world, id)?;
            let mut made = blank(name, input);
            made.arch = base.arch.to_owned();
            made.root_device = base.root_device.to_owned();
            made.devices.push(Device {
                name: base.root_device.to_owned(),
                snapshot: base.snapshot.to_owned(),
                size: base.size,
                kind: base.volume_type().to_owned(),
                encrypted: false,
                delete_on_termination: true,
            });
            Some(made)
        })
    };
    let found =
        if region == world.region { look(world) } else { world.in_region(region, |there| look(there)) };
    let mut made = found.ok_or_else(|| no_image(id))?;
    made.name = name.to_owned();
    made.description = input.text("Description").unwrap_or(&made.description).to_owned();
    made.source_instance = None;
    made.shared.clear();
    let encrypted = input.flag("Encrypted").unwrap_or(false);
    for device in &mut made.devices {
        let copy = world.id("snap");
        let complete = world.now + READY;
        world.ec2.snapshots.insert(
            copy.clone(),
            super::state::Snapshot {
                id: copy.clone(),
                volume: "vol-ffffffff".to_owned(),
                size: device.size,
                description: format!("Copied for DestinationAmi from SourceAmi {id}"),
                encrypted: encrypted || device.encrypted,
                kms_key: input.text("KmsKeyId").map(str::to_owned),
                started: world.now,
                complete,
            },
        );
        device.snapshot = copy;
        device.encrypted |= encrypted;
    }
    let id = insert(world, made);
    tag_new(world, input, "image", &id);
    Ok(json!({"ImageId": id}))
}

/// The member of a launch permission that can hold this.
fn kind_of(who: &str) -> Option<&'static str> {
    let organization = who.strip_prefix("arn:").filter(|arn| arn.contains(":organizations::"));
    match organization {
        _ if who == "all" => Some("Group"),
        _ if who.len() == 12 && who.bytes().all(|byte| byte.is_ascii_digit()) => Some("UserId"),
        Some(arn) if arn.contains(":organization/") => Some("OrganizationArn"),
        Some(arn) if arn.contains(":ou/") => Some("OrganizationalUnitArn"),
        _ => None,
    }
}

fn permissions(image: &OwnImage) -> Json {
    let one = |who: &String| kind_of(who).map(|kind| json!({kind: who}));
    image.shared.iter().filter_map(one).collect()
}

pub fn describe_image_attribute(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "ImageId")?;
    if let Some(own) = world.ec2.images.get(id) {
        return Ok(match input.text("Attribute") {
            Some("description") => json!({"ImageId": id, "Description": {"Value": own.description}}),
            Some("launchPermission") => json!({"ImageId": id, "LaunchPermissions": permissions(own)}),
            Some("blockDeviceMapping") => json!({"ImageId": id, "BlockDeviceMappings": own.mappings()}),
            _ => json!({"ImageId": id}),
        });
    }
    let image = image_in(world, id).ok_or_else(|| no_image(id))?;
    match input.text("Attribute") {
        Some("description") => Ok(json!({"ImageId": id, "Description": {"Value": image.description()}})),
        Some("launchPermission") => fail("AuthFailure", format!("Not authorized for image:{id}")),
        _ => Ok(json!({"ImageId": id})),
    }
}

/// Launch permissions and the description; in the API's first way, too.
pub fn modify_image_attribute(world: &mut World, input: &Json) -> Answer {
    let id = need(input, "ImageId")?;
    let names = |list: &[Json]| -> Vec<String> {
        let members = ["UserId", "Group", "OrganizationArn", "OrganizationalUnitArn"];
        list.iter()
            .flat_map(|one| members.iter().filter_map(|name| one.text(name)))
            .map(str::to_owned)
            .collect()
    };
    let listed = |name: &str| input.get("LaunchPermission").map_or(&[][..], |change| change.list(name));
    let (mut add, mut remove) = (names(listed("Add")), names(listed("Remove")));
    let first_way = ["UserIds", "UserGroups", "OrganizationArns", "OrganizationalUnitArns"];
    let first_way = first_way.iter().flat_map(|name| input.texts(name)).map(str::to_owned);
    match input.text("OperationType") {
        Some("remove") => remove.extend(first_way),
        _ => add.extend(first_way),
    }
    if let Some(bad) = add.iter().chain(&remove).find(|who| kind_of(who).is_none()) {
        let message = format!("Invalid attribute item value \"{bad}\" for userId item type.");
        return fail("InvalidAMIAttributeItemValue", message);
    }
    let image = own(world, id)?;
    add.retain(|who| !image.shared.contains(who));
    image.shared.extend(add);
    image.shared.retain(|who| !remove.contains(who));
    let description = input.get("Description").and_then(|value| value.text("Value"));
    let first_way = input.text("Value").filter(|_| input.text("Attribute") == Some("description"));
    if let Some(text) = description.or(first_way) {
        image.description = text.to_owned();
    }
    Ok(json!({}))
}

pub fn reset_image_attribute(world: &mut World, input: &Json) -> Answer {
    own(world, need(input, "ImageId")?)?.shared.clear();
    Ok(json!({}))
}
