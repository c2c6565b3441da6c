//! The public parameters that name current AMIs: ECS-optimised and plain Amazon Linux.
//!
//! Names as in "Retrieving Amazon ECS-optimized Linux AMI metadata" (ECS developer guide) and "Calling
//! AMI public parameters" (Systems Manager user guide); the images are those that EC2 has.

use crate::service::ec2::images;
use crate::world::Millis;
use serde_json::json;
use std::collections::BTreeMap;

/// All public parameters have the same version and date here.
pub const VERSION: i64 = 42;
/// 2026-09-16T00:00:00Z.
pub const MODIFIED: Millis = 1_789_516_800_000;

const AGENT: &str = "1.98.0";
const RUNTIME: &str = "Docker version 25.0.8";

/// (path, processor, the system in the path, its name, the system that the image is made from).
const ECS_OPTIMIZED: &[(&str, &str, &str, &str, &str)] = &[
    ("amazon-linux-2", "x86_64", "amazon-linux-2", "Amazon Linux 2", "amzn2-ami-minimal-hvm"),
    ("amazon-linux-2/arm64", "arm64", "amazon-linux-2", "Amazon Linux 2", "amzn2-ami-minimal-hvm"),
    ("amazon-linux-2023", "x86_64", "amazon-linux-2023", "Amazon Linux 2023", "al2023-ami-minimal"),
    ("amazon-linux-2023/arm64", "arm64", "amazon-linux-2023", "Amazon Linux 2023", "al2023-ami-minimal"),
];

/// Under `/aws/service/ami-amazon-linux-latest/`, beside those of Amazon Linux 2023.
const AMAZON_LINUX_2: (&str, &[&str]) =
    ("ami-0a1200000000d0e86", &["amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-kernel-5.10-hvm-x86_64-gp2"]);

/// `2023.0.20260909` out of `al2023-ami-ecs-hvm-2023.0.20260909-kernel-6.1-x86_64-ebs`.
fn version(image_name: &str) -> &str {
    image_name.split('-').find(|part| part.contains(".202")).unwrap_or_default()
}

pub fn all() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (path, arch, os_path, os, base) in ECS_OPTIMIZED {
        let name = images::ecs_optimized_name(arch, os_path);
        let version = version(name);
        let source = format!("{base}-{version}-{arch}");
        let fields = [
            ("ecs_agent_version", AGENT),
            ("ecs_runtime_version", RUNTIME),
            ("image_id", images::ecs_optimized_ami(arch, os_path)),
            ("image_name", name),
            ("image_version", version),
            ("os", os),
            ("source_image_name", &source),
        ];
        let mut whole = json!({ "schema_version": 1 });
        for (field, value) in fields {
            whole[field] = value.into();
        }
        let base = format!("/aws/service/ecs/optimized-ami/{path}");
        for version in ["recommended", name] {
            all.insert(format!("{base}/{version}"), whole.to_string());
            all.insert(format!("{base}/{version}/schema_version"), "1".to_owned());
            let members =
                fields.map(|(field, value)| (format!("{base}/{version}/{field}"), value.to_owned()));
            all.extend(members);
        }
    }
    let latest = |name: &str| format!("/aws/service/ami-amazon-linux-latest/{name}");
    for arch in ["arm64", "x86_64"] {
        for kernel in ["default", "6.1", "6.12"] {
            let name = latest(&format!("al2023-ami-kernel-{kernel}-{arch}"));
            all.insert(name, images::amazon_linux_ami(arch).to_owned());
        }
    }
    let (id, names) = AMAZON_LINUX_2;
    all.extend(names.iter().map(|name| (latest(name), id.to_owned())));
    all
}

pub fn find(name: &str) -> Option<String> {
    // Most names are not public: no need to make the table for them.
    name.strip_prefix("/aws/service/")?;
    all().remove(name)
}
