//! Public machine images, fixed: the ones people launch container hosts and test machines from.

use super::own_images::{self, OwnImage};
use super::query::{fail, filtered, lean, paged, tags_of};
use crate::World;
use crate::service::{Answer, ApiError, Input};
use serde_json::{Value as Json, json};

#[derive(Clone, Copy)]
pub struct Image<'a> {
    pub id: &'a str,
    pub name: &'a str,
    description: &'a str,
    pub arch: &'a str,
    owner: &'a str,
    alias: Option<&'a str>,
    pub root_device: &'a str,
    pub snapshot: &'a str,
    pub size: i64,
    created: &'a str,
}

const AMAZON_ECS: &str = "591542846629";
const AMAZON: &str = "137112412989";
const CANONICAL: &str = "099720109477";

/// Names follow each publisher's scheme; ids are ours.
const IMAGES: &[Image<'static>] = &[
    Image {
        id: "ami-0ec5a12023000e86a",
        name: "al2023-ami-ecs-hvm-2023.0.20260909-kernel-6.1-x86_64-ebs",
        description: "Amazon Linux AMI 2023.0.20260909 x86_64 ECS HVM EBS",
        arch: "x86_64",
        owner: AMAZON_ECS,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0ec5a12023000e86a",
        size: 30,
        created: "2026-09-10T18:02:11.000Z",
    },
    Image {
        id: "ami-0ec5a12023000a64b",
        name: "al2023-ami-ecs-hvm-2023.0.20260909-kernel-6.1-arm64-ebs",
        description: "Amazon Linux AMI 2023.0.20260909 arm64 ECS HVM EBS",
        arch: "arm64",
        owner: AMAZON_ECS,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0ec5a12023000a64b",
        size: 30,
        created: "2026-09-10T18:04:47.000Z",
    },
    Image {
        id: "ami-0ec5a12023020e86c",
        name: "al2023-ami-ecs-hvm-2023.0.20260812-kernel-6.1-x86_64-ebs",
        description: "Amazon Linux AMI 2023.0.20260812 x86_64 ECS HVM EBS",
        arch: "x86_64",
        owner: AMAZON_ECS,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0ec5a12023020e86c",
        size: 30,
        created: "2026-08-13T17:41:09.000Z",
    },
    Image {
        id: "ami-0ec5a20000000e86d",
        name: "amzn2-ami-ecs-hvm-2.0.20260909-x86_64-ebs",
        description: "Amazon Linux AMI 2.0.20260909 x86_64 ECS HVM GP2",
        arch: "x86_64",
        owner: AMAZON_ECS,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0ec5a20000000e86d",
        size: 30,
        created: "2026-09-10T17:22:31.000Z",
    },
    Image {
        id: "ami-0ec5a20000000a64e",
        name: "amzn2-ami-ecs-hvm-2.0.20260909-arm64-ebs",
        description: "Amazon Linux AMI 2.0.20260909 arm64 ECS HVM GP2",
        arch: "arm64",
        owner: AMAZON_ECS,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0ec5a20000000a64e",
        size: 30,
        created: "2026-09-10T17:25:02.000Z",
    },
    Image {
        id: "ami-0a120230000000e86",
        name: "al2023-ami-2023.8.20260915.0-kernel-6.1-x86_64",
        description: "Amazon Linux 2023 AMI 2023.8.20260915.0 x86_64 HVM kernel-6.1",
        arch: "x86_64",
        owner: AMAZON,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0a120230000000e86",
        size: 8,
        created: "2026-09-15T22:10:01.000Z",
    },
    Image {
        id: "ami-0a120230000000a64",
        name: "al2023-ami-2023.8.20260915.0-kernel-6.1-arm64",
        description: "Amazon Linux 2023 AMI 2023.8.20260915.0 arm64 HVM kernel-6.1",
        arch: "arm64",
        owner: AMAZON,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0a120230000000a64",
        size: 8,
        created: "2026-09-15T22:12:33.000Z",
    },
    Image {
        id: "ami-0a1200000000d0e86",
        name: "amzn2-ami-hvm-2.0.20260914.0-x86_64-gp2",
        description: "Amazon Linux 2 AMI 2.0.20260914.0 x86_64 HVM gp2",
        arch: "x86_64",
        owner: AMAZON,
        alias: Some("amazon"),
        root_device: "/dev/xvda",
        snapshot: "snap-0a1200000000d0e86",
        size: 8,
        created: "2026-09-14T20:31:40.000Z",
    },
    Image {
        id: "ami-0b24040000000e86f",
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260910",
        description: "Canonical, Ubuntu, 24.04, amd64 noble image",
        arch: "x86_64",
        owner: CANONICAL,
        alias: None,
        root_device: "/dev/sda1",
        snapshot: "snap-0b24040000000e86f",
        size: 8,
        created: "2026-09-10T07:15:20.000Z",
    },
    Image {
        id: "ami-0b24040000000a64f",
        name: "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20260910",
        description: "Canonical, Ubuntu, 24.04, arm64 noble image",
        arch: "arm64",
        owner: CANONICAL,
        alias: None,
        root_device: "/dev/sda1",
        snapshot: "snap-0b24040000000a64f",
        size: 8,
        created: "2026-09-10T07:18:52.000Z",
    },
    Image {
        id: "ami-0b22040000000e86f",
        name: "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20260908",
        description: "Canonical, Ubuntu, 22.04 LTS, amd64 jammy image",
        arch: "x86_64",
        owner: CANONICAL,
        alias: None,
        root_device: "/dev/sda1",
        snapshot: "snap-0b22040000000e86f",
        size: 8,
        created: "2026-09-08T06:55:13.000Z",
    },
];

/// A public image, or one of the account's own; one that is not known here may have a stand-in.
pub fn image_in<'a>(world: &'a World, id: &str) -> Option<Image<'a>> {
    let own = || world.ec2.images.get(id).map(|own| own_image(world, own));
    image(id).copied().or_else(own).or_else(|| image(world.ec2.stand_ins.get(id)?).copied())
}

/// A public image.
pub fn image(id: &str) -> Option<&'static Image<'static>> {
    IMAGES.iter().find(|image| image.id == id)
}

fn own_image<'a>(world: &'a World, own: &'a OwnImage) -> Image<'a> {
    Image {
        id: &own.id,
        name: &own.name,
        description: &own.description,
        arch: &own.arch,
        owner: &world.account,
        alias: None,
        root_device: &own.root_device,
        snapshot: own.root().map_or("", |device| device.snapshot.as_str()),
        size: own.root().map_or(8, |device| device.size),
        created: &own.created,
    }
}

fn newest(prefix: &str, arch: &str) -> &'static Image<'static> {
    let mut all = IMAGES.iter().filter(|image| image.name.starts_with(prefix) && image.arch == arch);
    let first = all.next().unwrap_or(&IMAGES[0]);
    all.fold(first, |best, image| if image.created > best.created { image } else { best })
}

/// The newest ECS-optimised image. `os`: `amazon-linux-2023` or `amazon-linux-2`; `arch`: `x86_64` or
/// `arm64`.
pub fn ecs_optimized_ami(arch: &str, os: &str) -> &'static str {
    let prefix = if os == "amazon-linux-2" { "amzn2-ami-ecs-hvm-" } else { "al2023-ami-ecs-hvm-" };
    newest(prefix, arch).id
}

/// Its name, for the recommended parameter's JSON (`image_name`).
pub fn ecs_optimized_name(arch: &str, os: &str) -> &'static str {
    let id = ecs_optimized_ami(arch, os);
    IMAGES.iter().find(|image| image.id == id).map_or("", |image| image.name)
}

/// The newest generic Amazon Linux 2023 (`/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-…`).
pub fn amazon_linux_ami(arch: &str) -> &'static str {
    newest("al2023-ami-2023.", arch).id
}

/// Image ids that AWS publishes as SSM parameters, by name.
pub fn public_parameter(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("/aws/service/")?;
    if let Some(rest) = name.strip_prefix("ecs/optimized-ami/") {
        let path = rest.strip_suffix("/recommended/image_id").or(rest.strip_suffix("/image_id"))?;
        let (os, arch) = path.split_once('/').unwrap_or((path, "x86_64"));
        return matches!(os, "amazon-linux-2023" | "amazon-linux-2")
            .then(|| ecs_optimized_ami(if arch == "arm64" { "arm64" } else { "x86_64" }, os));
    }
    let rest = name.strip_prefix("ami-amazon-linux-latest/al2023-ami-")?;
    let arch = rest.rsplit('-').next()?;
    matches!(arch, "x86_64" | "arm64").then(|| amazon_linux_ami(arch))
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

/// Whether it is a public image's.
pub fn has_snapshot(id: &str) -> bool {
    IMAGES.iter().any(|image| image.snapshot == id)
}

impl Image<'_> {
    pub fn description(&self) -> &str {
        self.description
    }

    pub fn volume_type(&self) -> &'static str {
        if self.name.contains("gp2") || self.description.ends_with("GP2") { "gp2" } else { "gp3" }
    }
}

fn image_json(world: &World, image: &Image<'_>) -> Json {
    if let Some(own) = world.ec2.images.get(image.id) {
        return own.json(world);
    }
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
                "VolumeType": image.volume_type(),
                "Encrypted": false,
            },
        }],
        "ProductCodes": [], "Tags": tags_of(world, image.id),
    }))
}

pub fn describe_images(world: &mut World, input: &Json) -> Answer {
    let ids = input.texts("ImageIds");
    let known = |id: &&&str| image_in(world, id).is_some() || own_images::is_remembered(world, id);
    let unknown: Vec<&str> = ids.iter().filter(|id| !known(id)).copied().collect();
    match unknown[..] {
        [] => {}
        [id] => return Err(no_image(id)),
        [_, ..] if unknown.iter().all(|id| id.starts_with("ami-")) => {
            let message = format!("The image ids '[{}]' do not exist", unknown.join(", "));
            return fail("InvalidAMIID.NotFound", message);
        }
        [first, ..] => {
            return Err(no_image(unknown.iter().find(|id| !id.starts_with("ami-")).unwrap_or(&first)));
        }
    }
    let owners = input.texts("Owners");
    let owned = |image: &Image<'_>| {
        let own = if image.owner == world.account { Some("self") } else { image.alias };
        let aliases = [Some(image.owner), own];
        owners.is_empty() || owners.iter().any(|owner| aliases.contains(&Some(*owner)))
    };
    let users: Vec<&str> = input
        .texts("ExecutableUsers")
        .into_iter()
        .map(|user| if user == "self" { world.account.as_str() } else { user })
        .collect();
    let shared =
        |own: &&OwnImage| users.is_empty() || own.shared.iter().any(|who| users.contains(&who.as_str()));
    let public = users.is_empty() || users.contains(&"all");
    let own = world.ec2.images.values().filter(shared).map(|own| own_image(world, own));
    let all = IMAGES
        .iter()
        .copied()
        .filter(|_| public)
        .chain(own)
        .filter(|image| ids.is_empty() || ids.contains(&image.id));
    let items = all.filter(owned).map(|image| image_json(world, &image)).collect();
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
        ("source-instance-id", "SourceInstanceId"),
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
