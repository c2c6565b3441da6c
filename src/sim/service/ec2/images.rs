//! Public machine images, fixed: the ones people launch container hosts and test machines from.
use super::query::{fail, filtered, lean, paged, tags_of};
use crate::sim::World;
use crate::sim::service::ssm::public;
use crate::sim::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};
use std::sync::LazyLock;

#[derive(Clone, Debug)]
pub struct Image {
    pub id: &'static str,
    pub name: &'static str,
    pub description: String,
    pub arch: &'static str,
    owner: &'static str,
    alias: Option<&'static str>,
    pub root_device: &'static str,
    pub snapshot: String,
    pub size: i64,
    created: String,
}

const AMAZON_ECS: &str = "591542846629";
const AMAZON: &str = "137112412989";
const CANONICAL: &str = "099720109477";

/// Images of others than Amazon, and an older Amazon one: id, name, architecture, owner, created. Names
/// follow each publisher's scheme; ids are ours.
const OTHERS: [(&str, &str, &str, &str, &str); 6] = [
    (
        "ami-0ec5a12023d0000f1",
        "al2023-ami-ecs-hvm-2023.0.20250715-kernel-6.1-x86_64",
        "x86_64",
        AMAZON_ECS,
        "2025-07-16T18:02:11.000Z",
    ),
    (
        "ami-0ec5a12023d0000f2",
        "al2023-ami-ecs-hvm-2023.0.20250715-kernel-6.1-arm64",
        "arm64",
        AMAZON_ECS,
        "2025-07-16T18:04:47.000Z",
    ),
    (
        "ami-0b24040000000e86f",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250821",
        "x86_64",
        CANONICAL,
        "2025-08-21T07:15:20.000Z",
    ),
    (
        "ami-0b24040000000a64f",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20250821",
        "arm64",
        CANONICAL,
        "2025-08-21T07:18:52.000Z",
    ),
    (
        "ami-0b22040000000e86f",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250819",
        "x86_64",
        CANONICAL,
        "2025-08-19T06:55:13.000Z",
    ),
    (
        "ami-0b22040000000a64f",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-20250819",
        "arm64",
        CANONICAL,
        "2025-08-19T06:57:40.000Z",
    ),
];

fn made(
    id: &'static str,
    name: &'static str,
    arch: &'static str,
    owner: &'static str,
    created: String,
) -> Image {
    let canonical = owner == CANONICAL;
    Image {
        id,
        name,
        description: if canonical {
            format!("Canonical, Ubuntu, {arch} image")
        } else {
            format!("Amazon Linux AMI {name}")
        },
        arch,
        owner,
        alias: (!canonical).then_some("amazon"),
        root_device: if canonical { "/dev/sda1" } else { "/dev/xvda" },
        snapshot: id.replace("ami-", "snap-"),
        size: if owner == AMAZON_ECS { 30 } else { 8 },
        created,
    }
}

/// Those that the public SSM parameters name, and the others.
static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| {
    let released = World::timestamp(public::MODIFIED).as_str().unwrap_or_default().replace('Z', ".000Z");
    let amazon = public::IMAGES.iter().map(|image| {
        let owner = if image.ecs_path.is_some() { AMAZON_ECS } else { AMAZON };
        made(image.id, image.name, image.architecture, owner, released.clone())
    });
    let others = OTHERS
        .iter()
        .map(|(id, name, arch, owner, created)| made(id, name, arch, owner, (*created).to_owned()));
    amazon.chain(others).collect()
});

pub fn image(id: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| image.id == id)
}

pub fn no_image(id: &str) -> ApiError {
    if !id.starts_with("ami-") {
        return ApiError::new(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"ami-...\")"),
        );
    }
    ApiError::new("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
}

fn image_json(world: &World, image: &Image) -> Json {
    lean(json!({
        "ImageId": image.id, "Name": image.name, "Description": image.description,
        "Architecture": image.arch, "OwnerId": image.owner, "ImageOwnerAlias": image.alias,
        "ImageLocation": format!("{}/{}", image.alias.unwrap_or(image.owner), image.name),
        "CreationDate": image.created, "DeprecationTime": "2028-09-10T00:00:00.000Z",
        "ImageType": "machine", "Public": true, "State": "available", "Hypervisor": "xen",
        "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances", "EnaSupport": true,
        "SriovNetSupport": "simple", "VirtualizationType": "hvm", "RootDeviceType": "ebs",
        "RootDeviceName": image.root_device,
        "BootMode": if image.arch == "arm64" { "uefi" } else { "uefi-preferred" },
        "ImdsSupport": image.name.starts_with("al2023").then_some("v2.0"),
        "BlockDeviceMappings": [{
            "DeviceName": image.root_device,
            "Ebs": {
                "DeleteOnTermination": true, "SnapshotId": image.snapshot, "VolumeSize": image.size,
                "VolumeType": if image.name.starts_with("amzn2") { "gp2" } else { "gp3" },
                "Encrypted": false,
            },
        }],
        "ProductCodes": [], "Tags": tags_of(world, image.id),
    }))
}

pub fn describe_images(world: &mut World, input: &Json) -> Answer {
    let ids = input.texts("ImageIds");
    for id in &ids {
        image(id).ok_or_else(|| no_image(id))?;
    }
    let owners = input.texts("Owners");
    let owned = |image: &&Image| {
        let aliases = [Some(image.owner), image.alias];
        owners.is_empty() || owners.iter().any(|owner| aliases.contains(&Some(*owner)))
    };
    let named = IMAGES.iter().filter(|image| ids.is_empty() || ids.contains(&image.id)).filter(owned);
    let items = named.map(|image| image_json(world, image)).collect();
    let table = &[
        ("architecture", "Architecture"),
        ("block-device-mapping.delete-on-termination", "BlockDeviceMappings.Ebs.DeleteOnTermination"),
        ("block-device-mapping.device-name", "BlockDeviceMappings.DeviceName"),
        ("block-device-mapping.encrypted", "BlockDeviceMappings.Ebs.Encrypted"),
        ("block-device-mapping.snapshot-id", "BlockDeviceMappings.Ebs.SnapshotId"),
        ("block-device-mapping.volume-size", "BlockDeviceMappings.Ebs.VolumeSize"),
        ("block-device-mapping.volume-type", "BlockDeviceMappings.Ebs.VolumeType"),
        ("creation-date", "CreationDate"),
        ("description", "Description"),
        ("ena-support", "EnaSupport"),
        ("hypervisor", "Hypervisor"),
        ("image-id", "ImageId"),
        ("image-type", "ImageType"),
        ("is-public", "Public"),
        ("manifest-location", "ImageLocation"),
        ("name", "Name"),
        ("owner-alias", "ImageOwnerAlias"),
        ("owner-id", "OwnerId"),
        ("platform", "Platform"),
        ("product-code", "ProductCodes.ProductCodeId"),
        ("root-device-name", "RootDeviceName"),
        ("root-device-type", "RootDeviceType"),
        ("state", "State"),
        ("virtualization-type", "VirtualizationType"),
    ];
    let items = filtered(items, input.list("Filters"), table)?;
    paged(input, "Images", items)
}

pub fn describe_image_attribute(_world: &mut World, input: &Json) -> Answer {
    let id = super::query::need(input, "ImageId")?;
    let image = image(id).ok_or_else(|| no_image(id))?;
    match input.text("Attribute") {
        Some("description") => Ok(json!({"ImageId": id, "Description": {"Value": image.description}})),
        Some("launchPermission") => fail("AuthFailure", format!("Not authorized for image:{id}")),
        _ => Ok(json!({"ImageId": id})),
    }
}
