//! The public parameters that name current AMIs: ECS-optimised and plain Amazon Linux.
//!
//! Names as in "Retrieving Amazon ECS-optimized Linux AMI metadata" (ECS developer guide) and "Calling
//! AMI public parameters" (Systems Manager user guide). Ids are made up; EC2's images are the same.

use crate::sim::world::Millis;
use serde_json::json;
use std::collections::BTreeMap;

/// All public parameters have the same version and date here.
pub const VERSION: i64 = 42;
/// 2025-09-01T00:00:00Z.
pub const MODIFIED: Millis = 1_756_684_800_000;

const AGENT: &str = "1.98.0";
const RUNTIME: &str = "Docker version 25.0.8";

/// An image that a public parameter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    pub id: &'static str,
    pub name: &'static str,
    /// `x86_64` or `arm64`, as EC2 says it.
    pub architecture: &'static str,
    /// As it stands in the parameter's path, or None for a plain Amazon Linux.
    pub ecs_path: Option<&'static str>,
    pub os: &'static str,
    pub version: &'static str,
    pub source: &'static str,
    /// Names under `/aws/service/ami-amazon-linux-latest/`.
    pub latest: &'static [&'static str],
}

pub const IMAGES: &[Image] = &[
    Image {
        id: "ami-0ec5a12023d000001",
        name: "al2023-ami-ecs-hvm-2023.0.20250821-kernel-6.1-x86_64",
        architecture: "x86_64",
        ecs_path: Some("amazon-linux-2023"),
        os: "Amazon Linux 2023",
        version: "2023.0.20250821",
        source: "al2023-ami-minimal-2023.8.20250818.0-kernel-6.1-x86_64",
        latest: &[],
    },
    Image {
        id: "ami-0ec5a12023d000002",
        name: "al2023-ami-ecs-hvm-2023.0.20250821-kernel-6.1-arm64",
        architecture: "arm64",
        ecs_path: Some("amazon-linux-2023/arm64"),
        os: "Amazon Linux 2023",
        version: "2023.0.20250821",
        source: "al2023-ami-minimal-2023.8.20250818.0-kernel-6.1-arm64",
        latest: &[],
    },
    Image {
        id: "ami-0ec5a12023d000003",
        name: "al2023-ami-ecs-gpu-hvm-2023.0.20250821-kernel-6.1-x86_64-ebs",
        architecture: "x86_64",
        ecs_path: Some("amazon-linux-2023/gpu"),
        os: "Amazon Linux 2023 (GPU)",
        version: "2023.0.20250821",
        source: "al2023-ami-minimal-2023.8.20250818.0-kernel-6.1-x86_64",
        latest: &[],
    },
    Image {
        id: "ami-0ec5a20002d000001",
        name: "amzn2-ami-ecs-hvm-2.0.20250821-x86_64-ebs",
        architecture: "x86_64",
        ecs_path: Some("amazon-linux-2"),
        os: "Amazon Linux 2",
        version: "2.0.20250821",
        source: "amzn2-ami-minimal-hvm-2.0.20250818.2-x86_64-ebs",
        latest: &[],
    },
    Image {
        id: "ami-0ec5a20002d000002",
        name: "amzn2-ami-ecs-hvm-2.0.20250821-arm64-ebs",
        architecture: "arm64",
        ecs_path: Some("amazon-linux-2/arm64"),
        os: "Amazon Linux 2",
        version: "2.0.20250821",
        source: "amzn2-ami-minimal-hvm-2.0.20250818.2-arm64-ebs",
        latest: &[],
    },
    Image {
        id: "ami-0ec5a20002d000003",
        name: "amzn2-ami-ecs-gpu-hvm-2.0.20250821-x86_64-ebs",
        architecture: "x86_64",
        ecs_path: Some("amazon-linux-2/gpu"),
        os: "Amazon Linux 2 (GPU)",
        version: "2.0.20250821",
        source: "amzn2-ami-minimal-hvm-2.0.20250818.2-x86_64-ebs",
        latest: &[],
    },
    Image {
        id: "ami-0a12023d000000001",
        name: "al2023-ami-2023.8.20250818.0-kernel-6.1-x86_64",
        architecture: "x86_64",
        ecs_path: None,
        os: "Amazon Linux 2023",
        version: "2023.8.20250818.0",
        source: "",
        latest: &["al2023-ami-kernel-default-x86_64", "al2023-ami-kernel-6.1-x86_64"],
    },
    Image {
        id: "ami-0a12023d000000002",
        name: "al2023-ami-2023.8.20250818.0-kernel-6.1-arm64",
        architecture: "arm64",
        ecs_path: None,
        os: "Amazon Linux 2023",
        version: "2023.8.20250818.0",
        source: "",
        latest: &["al2023-ami-kernel-default-arm64", "al2023-ami-kernel-6.1-arm64"],
    },
    Image {
        id: "ami-0a20002d000000001",
        name: "amzn2-ami-hvm-2.0.20250818.2-x86_64-gp2",
        architecture: "x86_64",
        ecs_path: None,
        os: "Amazon Linux 2",
        version: "2.0.20250818.2",
        source: "",
        latest: &["amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-kernel-5.10-hvm-x86_64-gp2"],
    },
    Image {
        id: "ami-0a20002d000000002",
        name: "amzn2-ami-hvm-2.0.20250818.2-arm64-gp2",
        architecture: "arm64",
        ecs_path: None,
        os: "Amazon Linux 2",
        version: "2.0.20250818.2",
        source: "",
        latest: &["amzn2-ami-hvm-arm64-gp2", "amzn2-ami-kernel-5.10-hvm-arm64-gp2"],
    },
];

fn of(image: &Image) -> Vec<(String, String)> {
    let latest = image
        .latest
        .iter()
        .map(|name| (format!("/aws/service/ami-amazon-linux-latest/{name}"), image.id.to_owned()));
    let mut all: Vec<(String, String)> = latest.collect();
    if let Some(path) = image.ecs_path {
        let fields = [
            ("ecs_agent_version", AGENT),
            ("ecs_runtime_version", RUNTIME),
            ("image_id", image.id),
            ("image_name", image.name),
            ("image_version", image.version),
            ("os", image.os),
            ("schema_version", "1"),
            ("source_image_name", image.source),
        ];
        let whole = json!({
            "ecs_agent_version": AGENT,
            "ecs_runtime_version": RUNTIME,
            "image_id": image.id,
            "image_name": image.name,
            "image_version": image.version,
            "os": image.os,
            "schema_version": 1,
            "source_image_name": image.source,
        });
        let base = format!("/aws/service/ecs/optimized-ami/{path}");
        for version in ["recommended", image.name] {
            all.push((format!("{base}/{version}"), whole.to_string()));
            all.extend(fields.map(|(field, value)| (format!("{base}/{version}/{field}"), value.to_owned())));
        }
    }
    all
}

pub fn all() -> BTreeMap<String, String> {
    IMAGES.iter().flat_map(of).collect()
}

pub fn find(name: &str) -> Option<String> {
    if !name.starts_with("/aws/service/") {
        return None;
    }
    IMAGES.iter().flat_map(of).find(|(known, _)| known == name).map(|(_, value)| value)
}
