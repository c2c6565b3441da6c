//! `aws_ami`: one machine image, the newest if asked.

use super::ec2::{self, FILTER, TAGS};
use crate::aws::types::ec2::arn;
use crate::aws::types::timeouts::TIMEOUTS_READ;
use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{Attr, ID, Object, StrMap, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ec2::types::{BlockDeviceMapping, Image, ProductCode};
use regex::Regex;
use std::collections::BTreeMap;

mod device {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        NAME: Str = computed("device_name");
        EBS: StrMap = computed("ebs");
        NO_DEVICE: Str = computed("no_device");
        VIRTUAL_NAME: Str = computed("virtual_name");
    }
}

mod product_code {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        ID: Str = computed("product_code_id");
        TYPE: Str = computed("product_code_type");
    }
}

attributes! {
    TABLE [FILTER, TAGS, TIMEOUTS_READ]:
    ARCHITECTURE: Str = computed("architecture");
    ARN: Str = computed("arn");
    BLOCK_DEVICES: Blocks = computed("block_device_mappings").set(&device::TABLE);
    BOOT_MODE: Str = computed("boot_mode");
    CREATION_DATE: Str = computed("creation_date");
    DEPRECATION_TIME: Str = computed("deprecation_time");
    DESCRIPTION: Str = computed("description");
    ENA_SUPPORT: Bool = computed("ena_support");
    EXECUTABLE_USERS: StrList = optional("executable_users");
    HYPERVISOR: Str = computed("hypervisor");
    IMAGE_ID: Str = computed("image_id");
    IMAGE_LOCATION: Str = computed("image_location");
    OWNER_ALIAS: Str = computed("image_owner_alias");
    IMAGE_TYPE: Str = computed("image_type");
    IMDS_SUPPORT: Str = computed("imds_support");
    INCLUDE_DEPRECATED: Bool = optional("include_deprecated");
    KERNEL_ID: Str = computed("kernel_id");
    LAST_LAUNCHED: Str = computed("last_launched_time");
    MOST_RECENT: Bool = optional("most_recent");
    NAME: Str = computed("name");
    NAME_REGEX: Str = optional("name_regex").check(valid_regex);
    OWNER_ID: Str = computed("owner_id");
    OWNERS: StrList = optional("owners");
    PLATFORM: Str = computed("platform");
    PLATFORM_DETAILS: Str = computed("platform_details");
    PRODUCT_CODES: Blocks = computed("product_codes").set(&product_code::TABLE);
    PUBLIC: Bool = computed("public");
    RAMDISK_ID: Str = computed("ramdisk_id");
    ROOT_DEVICE: Str = computed("root_device_name");
    ROOT_DEVICE_TYPE: Str = computed("root_device_type");
    ROOT_SNAPSHOT: Str = computed("root_snapshot_id");
    SRIOV: Str = computed("sriov_net_support");
    STATE: Str = computed("state");
    STATE_REASON: StrMap = computed("state_reason");
    TPM: Str = computed("tpm_support");
    USAGE_OPERATION: Str = computed("usage_operation");
    VIRTUALIZATION: Str = computed("virtualization_type");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "One machine image, the newest if asked",
    example: r#"
data "aws_ami" "linux" {
  most_recent = true
  owners      = ["amazon"]

  filter {
    name   = "architecture"
    values = ["x86_64"]
  }
}
"#,
    ..TypeSchema::new("aws_ami", &TABLE)
};

fn valid_regex(value: &Value) -> Result<(), String> {
    let result = Regex::new(value.as_str().unwrap_or_default());
    result.map(drop).map_err(|error| format!("is not a regular expression: {error}"))
}

pub struct Ami;

#[async_trait(?Send)]
impl AwsData for Ami {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let request = aws
            .ec2
            .describe_images()
            .set_executable_users(ec2::some(want.all(&EXECUTABLE_USERS)))
            .set_owners(ec2::some(want.all(&OWNERS)))
            .set_filters(ec2::some(ec2::filters(&without_tags(want))))
            .set_include_deprecated(want.get(&INCLUDE_DEPRECATED));
        let mut found: Vec<Image> =
            request.into_paginator().items().send().try_collect().await.op("DescribeImages")?;
        if let Some(pattern) = want.get(&NAME_REGEX) {
            let invalid = |e: regex::Error| AwsError::failed("DescribeImages", "InvalidRegex", e.to_string());
            let regex = Regex::new(&pattern).map_err(invalid)?;
            found.retain(|image| image.name().is_some_and(|name| regex.is_match(name)));
        }
        if want.get(&MOST_RECENT) == Some(true) {
            // RFC 3339 in UTC sorts as text; the id decides between images of the same moment.
            let key = |image: &Image| {
                let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
                (text(image.creation_date()), text(image.image_id()))
            };
            found = found.into_iter().max_by_key(key).into_iter().collect();
        }
        let mut image = ec2::single("DescribeImages", "image", found);
        if let Err(error) = &mut image
            && error.code == "Ambiguous"
        {
            error.message += ", or set `most_recent = true`";
        }
        Ok(object(aws, want, &image?))
    }
}

/// `tags` is an answer here, no filter.
fn without_tags(want: &Object) -> Object {
    let mut want = want.clone();
    want.put(TAGS.row.name, None);
    want
}

fn object(aws: &Aws, want: &Object, image: &Image) -> Object {
    let id = image.image_id().unwrap_or_default();
    let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
    let mut o = want.clone();
    o.set(&ID, id)
        .set(&IMAGE_ID, id)
        .set(&ARCHITECTURE, image.architecture().map(|a| a.as_str()))
        .set(&ARN, arn(aws, "", &format!("image/{id}")))
        .set(&BOOT_MODE, text(image.boot_mode().map(|b| b.as_str())))
        .set(&CREATION_DATE, image.creation_date())
        .set(&DEPRECATION_TIME, text(image.deprecation_time()))
        .set(&DESCRIPTION, text(image.description()))
        .set(&ENA_SUPPORT, image.ena_support().unwrap_or(false))
        .set(&HYPERVISOR, image.hypervisor().map(|h| h.as_str()))
        .set(&IMAGE_LOCATION, text(image.image_location()))
        .set(&OWNER_ALIAS, text(image.image_owner_alias()))
        .set(&IMAGE_TYPE, image.image_type().map(|t| t.as_str()))
        .set(&IMDS_SUPPORT, text(image.imds_support().map(|s| s.as_str())))
        .set(&KERNEL_ID, text(image.kernel_id()))
        .set(&LAST_LAUNCHED, text(image.last_launched_time()))
        .set(&NAME, image.name())
        .set(&OWNER_ID, image.owner_id())
        .set(&PLATFORM, text(image.platform().map(|p| p.as_str())))
        .set(&PLATFORM_DETAILS, text(image.platform_details()))
        .set(&PUBLIC, image.public().unwrap_or(false))
        .set(&RAMDISK_ID, text(image.ramdisk_id()))
        .set(&ROOT_DEVICE, image.root_device_name())
        .set(&ROOT_DEVICE_TYPE, image.root_device_type().map(|t| t.as_str()))
        .set(&ROOT_SNAPSHOT, root_snapshot(image))
        .set(&SRIOV, text(image.sriov_net_support()))
        .set(&STATE, image.state().map(|s| s.as_str()))
        .set(&TPM, text(image.tpm_support().map(|t| t.as_str())))
        .set(&USAGE_OPERATION, text(image.usage_operation()))
        .set(&VIRTUALIZATION, image.virtualization_type().map(|v| v.as_str()))
        .set_blocks(&BLOCK_DEVICES, image.block_device_mappings().iter().map(block_device).collect())
        .set_blocks(&PRODUCT_CODES, image.product_codes().iter().map(code).collect());
    set_map(&mut o, &STATE_REASON, state_reason(image));
    ec2::set_tags(&mut o, image.tags());
    o
}

fn set_map(o: &mut Object, attr: &Attr<StrMap>, entries: Vec<(&str, String)>) {
    let map: BTreeMap<String, String> = entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    o.set(attr, map);
}

/// The AWS provider writes UNSET where AWS gives no reason; configurations compare with it.
fn state_reason(image: &Image) -> Vec<(&'static str, String)> {
    let reason = image.state_reason();
    let text = |t: Option<&str>| t.unwrap_or("UNSET").to_owned();
    vec![("code", text(reason.and_then(|r| r.code()))), ("message", text(reason.and_then(|r| r.message())))]
}

fn root_snapshot(image: &Image) -> String {
    let root = image.block_device_mappings().iter().find(|d| d.device_name() == image.root_device_name());
    root.and_then(|d| d.ebs()?.snapshot_id()).unwrap_or_default().to_owned()
}

fn block_device(mapping: &BlockDeviceMapping) -> Object {
    let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
    let number = |n: Option<i32>| n.unwrap_or(0).to_string();
    let flag = |b: Option<bool>| b.unwrap_or(false).to_string();
    let ebs = mapping.ebs().map_or_else(Vec::new, |e| {
        vec![
            ("delete_on_termination", flag(e.delete_on_termination())),
            ("encrypted", flag(e.encrypted())),
            ("iops", number(e.iops())),
            ("snapshot_id", text(e.snapshot_id())),
            ("throughput", number(e.throughput())),
            ("volume_size", number(e.volume_size())),
            ("volume_type", text(e.volume_type().map(|t| t.as_str()))),
        ]
    });
    let mut o = Object::new();
    o.set(&device::NAME, text(mapping.device_name()))
        .set(&device::NO_DEVICE, text(mapping.no_device()))
        .set(&device::VIRTUAL_NAME, text(mapping.virtual_name()));
    set_map(&mut o, &device::EBS, ebs);
    o
}

fn code(code: &ProductCode) -> Object {
    let mut o = Object::new();
    o.set(&product_code::ID, code.product_code_id())
        .set(&product_code::TYPE, code.product_code_type().map(|t| t.as_str()));
    o
}
