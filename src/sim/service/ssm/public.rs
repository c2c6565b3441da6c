//! The public parameters that name current AMIs, ECS-optimised and plain Amazon Linux, and AWS's regions.
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

/// Regions by their names (AWS General Reference, "AWS Regions"), under `/aws/service/global-infrastructure/`
/// (Systems Manager User Guide, "Calling AWS service, Region, endpoint, … public parameters").
const REGIONS: &[(&str, &str)] = &[
    ("af-south-1", "Africa (Cape Town)"),
    ("ap-east-1", "Asia Pacific (Hong Kong)"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("ap-northeast-2", "Asia Pacific (Seoul)"),
    ("ap-northeast-3", "Asia Pacific (Osaka)"),
    ("ap-south-1", "Asia Pacific (Mumbai)"),
    ("ap-south-2", "Asia Pacific (Hyderabad)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-southeast-2", "Asia Pacific (Sydney)"),
    ("ap-southeast-3", "Asia Pacific (Jakarta)"),
    ("ap-southeast-4", "Asia Pacific (Melbourne)"),
    ("ca-central-1", "Canada (Central)"),
    ("ca-west-1", "Canada West (Calgary)"),
    ("eu-central-1", "Europe (Frankfurt)"),
    ("eu-central-2", "Europe (Zurich)"),
    ("eu-north-1", "Europe (Stockholm)"),
    ("eu-south-1", "Europe (Milan)"),
    ("eu-south-2", "Europe (Spain)"),
    ("eu-west-1", "Europe (Ireland)"),
    ("eu-west-2", "Europe (London)"),
    ("eu-west-3", "Europe (Paris)"),
    ("il-central-1", "Israel (Tel Aviv)"),
    ("me-central-1", "Middle East (UAE)"),
    ("me-south-1", "Middle East (Bahrain)"),
    ("sa-east-1", "South America (Sao Paulo)"),
    ("us-east-1", "US East (N. Virginia)"),
    ("us-east-2", "US East (Ohio)"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
];

/// Those of the services that are here.
const SERVICES: &[(&str, &str)] = &[
    ("acm", "AWS Certificate Manager"),
    ("application-autoscaling", "Application Auto Scaling"),
    ("autoscaling", "Amazon EC2 Auto Scaling"),
    ("cloudwatch", "Amazon CloudWatch"),
    ("ec2", "Amazon Elastic Compute Cloud (EC2)"),
    ("ecr", "Amazon Elastic Container Registry (ECR)"),
    ("ecs", "Amazon Elastic Container Service (ECS)"),
    ("elb", "Elastic Load Balancing"),
    ("iam", "AWS Identity and Access Management (IAM)"),
    ("kms", "AWS Key Management Service (KMS)"),
    ("logs", "Amazon CloudWatch Logs"),
    ("route53", "Amazon Route 53"),
    ("secretsmanager", "AWS Secrets Manager"),
    ("ssm", "AWS Systems Manager"),
    ("sts", "AWS Security Token Service (STS)"),
];

fn infrastructure() -> impl Iterator<Item = (String, String)> {
    let path = |kind: &str, name: &str| format!("/aws/service/global-infrastructure/{kind}/{name}");
    let named = move |kind: &'static str, list: &'static [(&str, &str)]| {
        list.iter().flat_map(move |(name, long)| {
            let own = path(kind, name);
            [(format!("{own}/longName"), (*long).to_owned()), (own, (*name).to_owned())]
        })
    };
    named("regions", REGIONS).chain(named("services", SERVICES))
}

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
        for kernel in ["default", "6.1", "6.12", "6.18"] {
            let name = latest(&format!("al2023-ami-kernel-{kernel}-{arch}"));
            all.insert(name, images::amazon_linux_ami(arch).to_owned());
        }
    }
    all.extend(infrastructure());
    let (id, names) = AMAZON_LINUX_2;
    all.extend(names.iter().map(|name| (latest(name), id.to_owned())));
    all
}

pub fn find(name: &str) -> Option<String> {
    // Most names are not public: no need to make the table for them.
    name.strip_prefix("/aws/service/")?;
    all().remove(name)
}
