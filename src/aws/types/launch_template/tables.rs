//! The attributes of a launch template and of its blocks.

use crate::aws::arn;
use crate::aws::tags::{TAGS, TAGS_ALL};
use crate::aws::types::ec2::check;
use crate::schema::{Object, attributes};
use crate::value::Value;

/// What a version consists of: a change of any makes a new one. (Tags belong to the template.)
pub const DATA: &[&str] = &[
    "block_device_mappings",
    "capacity_reservation_specification",
    "cpu_options",
    "credit_specification",
    "description",
    "disable_api_stop",
    "disable_api_termination",
    "ebs_optimized",
    "elastic_gpu_specifications",
    "elastic_inference_accelerator",
    "enclave_options",
    "hibernation_options",
    "iam_instance_profile",
    "image_id",
    "instance_initiated_shutdown_behavior",
    "instance_market_options",
    "instance_requirements",
    "instance_type",
    "kernel_id",
    "key_name",
    "license_specification",
    "maintenance_options",
    "metadata_options",
    "monitoring",
    "network_interfaces",
    "placement",
    "private_dns_name_options",
    "ram_disk_id",
    "security_group_names",
    "tag_specifications",
    "user_data",
    "vpc_security_group_ids",
];

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    BLOCK_DEVICES: Blocks = optional("block_device_mappings").list(&device::TABLE);
    CAPACITY_RESERVATION: Blocks = optional("capacity_reservation_specification").single(&reservation::TABLE);
    CPU: Blocks = optional("cpu_options").single(&cpu::TABLE);
    CREDITS: Blocks = optional("credit_specification").single(&credits::TABLE);
    DEFAULT_VERSION: Int = optional_computed("default_version").range(1, i64::MAX)
        .conflicts_with(&["update_default_version"])
        .unknown_after_change_of(DATA).unknown_when(default_moves);
    DESCRIPTION: Str = optional("description").check(|v| check::length(v, 0, 255)).doc("Of the version");
    DISABLE_STOP: Bool = optional("disable_api_stop");
    DISABLE_TERMINATION: Bool = optional("disable_api_termination");
    EBS_OPTIMIZED: Str = optional("ebs_optimized").check(flag).same(same_flag);
    ELASTIC_GPUS: Blocks = optional("elastic_gpu_specifications").list(&accelerator::TABLE)
        .deprecated("AWS ended Elastic Graphics: remove it");
    ELASTIC_INFERENCE: Blocks = optional("elastic_inference_accelerator").single(&accelerator::TABLE)
        .deprecated("AWS ended Elastic Inference: remove it");
    ENCLAVE: Blocks = optional("enclave_options").single(&enclave::TABLE);
    HIBERNATION: Blocks = optional("hibernation_options").single(&hibernation::TABLE);
    PROFILE: Blocks = optional("iam_instance_profile").single(&profile::TABLE).owned_elsewhere(no_profile);
    IMAGE_ID: Str = optional("image_id");
    SHUTDOWN: Str = optional("instance_initiated_shutdown_behavior").one_of(&["stop", "terminate"]);
    MARKET: Blocks = optional("instance_market_options").single(&market::TABLE);
    REQUIREMENTS: Blocks = optional("instance_requirements").single(&requirements::TABLE)
        .conflicts_with(&["instance_type"]);
    INSTANCE_TYPE: Str = optional("instance_type").conflicts_with(&["instance_requirements"]);
    KERNEL_ID: Str = optional("kernel_id");
    KEY_NAME: Str = optional("key_name");
    LATEST_VERSION: Int = computed("latest_version").unknown_after_change_of(DATA);
    LICENSES: Blocks = optional("license_specification").set(&license::TABLE);
    MAINTENANCE: Blocks = optional("maintenance_options").single(&maintenance::TABLE);
    METADATA: Blocks = optional_computed("metadata_options").single(&metadata::TABLE);
    MONITORING: Blocks = optional("monitoring").single(&monitoring::TABLE);
    NAME: Str = optional_computed("name").replaces().check(|v| name(v, 125)).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().check(|v| name(v, 99)).conflicts_with(&["name"]);
    INTERFACES: Blocks = optional("network_interfaces").list(&interface::TABLE);
    PLACEMENT: Blocks = optional("placement").single(&placement::TABLE);
    PRIVATE_DNS: Blocks = optional("private_dns_name_options").single(&dns::TABLE);
    RAM_DISK_ID: Str = optional("ram_disk_id");
    GROUP_NAMES: StrSet = optional("security_group_names").conflicts_with(&["vpc_security_group_ids"]);
    TAG_SPECIFICATIONS: Blocks = optional("tag_specifications").list(&tag_specification::TABLE);
    UPDATE_DEFAULT: Bool = optional("update_default_version").local().conflicts_with(&["default_version"])
        .doc("New versions become the default");
    USER_DATA: Str = optional("user_data").doc("Base64; see `base64encode`");
    GROUP_IDS: StrSet = optional("vpc_security_group_ids").conflicts_with(&["security_group_names"]);
}

fn default_moves(_live: &Object, want: &Object) -> bool {
    want.get(&UPDATE_DEFAULT) == Some(true)
}

fn name(value: &Value, max: usize) -> Result<(), String> {
    check::length(value, if max == 125 { 3 } else { 0 }, max)?;
    let text = value.as_str().unwrap_or_default();
    match text.chars().find(|c| !(c.is_ascii_alphanumeric() || "().-/_".contains(*c))) {
        Some(c) => Err(format!("must not have {c:?}: letters, digits and ().-/_ are allowed")),
        None => Ok(()),
    }
}

/// A bool that may be left open: `"true"`, `"false"` or `""`.
pub fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn flag(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(text) if !text.is_empty() && parse_flag(text).is_none() => {
            Err(format!("must be true or false, not {text:?}"))
        }
        _ => Ok(()),
    }
}

fn same_flag(live: &Value, desired: &Value) -> bool {
    let read = |v: &Value| v.as_str().and_then(parse_flag);
    live == desired || read(live).is_some() && read(live) == read(desired)
}

pub mod device {
    use super::*;
    attributes! {
        TABLE:
        NAME: Str = optional("device_name");
        EBS: Blocks = optional("ebs").single(&ebs::TABLE);
        NO_DEVICE: Str = optional("no_device");
        VIRTUAL_NAME: Str = optional("virtual_name");
    }
}

pub mod ebs {
    use super::*;
    attributes! {
        TABLE:
        DELETE_ON_TERMINATION: Str = optional("delete_on_termination").check(flag).same(same_flag);
        ENCRYPTED: Str = optional("encrypted").check(flag).same(same_flag);
        IOPS: Int = optional_computed("iops");
        KMS_KEY: Str = optional("kms_key_id").check(arn::check);
        SNAPSHOT: Str = optional("snapshot_id");
        THROUGHPUT: Int = optional_computed("throughput").range(125, 1000);
        INITIALIZATION_RATE: Int = optional_computed("volume_initialization_rate");
        SIZE: Int = optional_computed("volume_size");
        TYPE: Str = optional_computed("volume_type")
            .one_of(&["standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"]);
    }
}

pub mod reservation {
    use super::*;
    attributes! {
        TABLE:
        PREFERENCE: Str = optional("capacity_reservation_preference")
            .one_of(&["capacity-reservations-only", "open", "none"]);
        TARGET: Blocks = optional("capacity_reservation_target").single(&reservation_target::TABLE);
    }
}

pub mod reservation_target {
    use super::*;
    attributes! {
        TABLE:
        ID: Str = optional("capacity_reservation_id").conflicts_with(&["capacity_reservation_resource_group_arn"]);
        GROUP: Str = optional("capacity_reservation_resource_group_arn").check(arn::check);
    }
}

pub mod cpu {
    use super::*;
    attributes! {
        TABLE:
        AMD_SEV_SNP: Str = optional("amd_sev_snp").one_of(&["enabled", "disabled"]);
        CORES: Int = optional("core_count");
        THREADS: Int = optional("threads_per_core");
    }
}

pub mod credits {
    use super::*;
    attributes! {
        TABLE:
        CPU: Str = optional("cpu_credits").one_of(&["standard", "unlimited"]);
    }
}

pub mod accelerator {
    use super::*;
    attributes! {
        TABLE:
        TYPE: Str = required("type");
    }
}

pub mod enclave {
    use super::*;
    attributes! {
        TABLE:
        ENABLED: Bool = optional("enabled");
    }
}

pub mod hibernation {
    use super::*;
    attributes! {
        TABLE:
        CONFIGURED: Bool = required("configured");
    }
}

pub mod profile {
    use super::*;
    attributes! {
        TABLE:
        ARN: Str = optional("arn").check(arn::check).conflicts_with(&["name"]);
        NAME: Str = optional("name");
    }
}

pub mod market {
    use super::*;
    attributes! {
        TABLE:
        TYPE: Str = optional("market_type").one_of(&["spot", "capacity-block"]);
        SPOT: Blocks = optional("spot_options").single(&spot::TABLE);
    }
}

pub mod spot {
    use super::*;
    attributes! {
        TABLE:
        BLOCK_MINUTES: Int = optional("block_duration_minutes");
        INTERRUPTION: Str = optional("instance_interruption_behavior").one_of(&["hibernate", "stop", "terminate"]);
        MAX_PRICE: Str = optional("max_price");
        TYPE: Str = optional("spot_instance_type").one_of(&["one-time", "persistent"]);
        VALID_UNTIL: Str = optional_computed("valid_until").check(timestamp);
    }
}

fn timestamp(value: &Value) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed.map(drop).map_err(|_| format!("must be a time such as 2030-01-01T00:00:00Z, not {text:?}"))
}

pub mod requirements {
    use super::*;
    attributes! {
        TABLE:
        ACCELERATOR_COUNT: Blocks = optional("accelerator_count").single(&range::TABLE);
        ACCELERATOR_MANUFACTURERS: StrSet = optional("accelerator_manufacturers");
        ACCELERATOR_NAMES: StrSet = optional("accelerator_names");
        ACCELERATOR_MEMORY: Blocks = optional("accelerator_total_memory_mib").single(&range::TABLE);
        ACCELERATOR_TYPES: StrSet = optional("accelerator_types");
        ALLOWED: StrSet = optional("allowed_instance_types").conflicts_with(&["excluded_instance_types"]);
        BARE_METAL: Str = optional("bare_metal").one_of(INCLUSION);
        EBS_BANDWIDTH: Blocks = optional("baseline_ebs_bandwidth_mbps").single(&range::TABLE);
        BURSTABLE: Str = optional("burstable_performance").one_of(INCLUSION);
        CPU_MANUFACTURERS: StrSet = optional("cpu_manufacturers");
        EXCLUDED: StrSet = optional("excluded_instance_types");
        GENERATIONS: StrSet = optional("instance_generations");
        LOCAL_STORAGE: Str = optional("local_storage").one_of(INCLUSION);
        LOCAL_STORAGE_TYPES: StrSet = optional("local_storage_types");
        MAX_SPOT_OF_ON_DEMAND: Int = optional("max_spot_price_as_percentage_of_optimal_on_demand_price")
            .conflicts_with(&["spot_max_price_percentage_over_lowest_price"]);
        MEMORY_PER_VCPU: Blocks = optional("memory_gib_per_vcpu").single(&float_range::TABLE);
        MEMORY: Blocks = required("memory_mib").single(&needed_range::TABLE);
        NETWORK_BANDWIDTH: Blocks = optional("network_bandwidth_gbps").single(&float_range::TABLE);
        INTERFACE_COUNT: Blocks = optional("network_interface_count").single(&range::TABLE);
        ON_DEMAND_OVER_LOWEST: Int = optional("on_demand_max_price_percentage_over_lowest_price");
        HIBERNATE: Bool = optional("require_hibernate_support");
        SPOT_OVER_LOWEST: Int = optional("spot_max_price_percentage_over_lowest_price");
        LOCAL_STORAGE_GB: Blocks = optional("total_local_storage_gb").single(&float_range::TABLE);
        VCPU_COUNT: Blocks = required("vcpu_count").single(&needed_range::TABLE);
    }
    const INCLUSION: &[&str] = &["included", "excluded", "required"];
}

pub mod range {
    use super::*;
    attributes! {
        TABLE:
        MAX: Int = optional("max");
        MIN: Int = optional("min");
    }
}

pub mod needed_range {
    use super::*;
    attributes! {
        TABLE:
        MAX: Int = optional("max");
        MIN: Int = required("min");
    }
}

pub mod float_range {
    use super::*;
    attributes! {
        TABLE:
        MAX: Float = optional("max");
        MIN: Float = optional("min");
    }
}

pub mod license {
    use super::*;
    attributes! {
        TABLE:
        ARN: Str = required("license_configuration_arn").check(arn::check);
    }
}

pub mod maintenance {
    use super::*;
    attributes! {
        TABLE:
        AUTO_RECOVERY: Str = optional("auto_recovery").one_of(&["default", "disabled"]);
    }
}

pub mod metadata {
    use super::*;
    attributes! {
        TABLE:
        ENDPOINT: Str = optional_computed("http_endpoint").one_of(SWITCH);
        IPV6: Str = optional_computed("http_protocol_ipv6").one_of(SWITCH);
        HOP_LIMIT: Int = optional_computed("http_put_response_hop_limit").range(1, 64);
        TOKENS: Str = optional_computed("http_tokens").one_of(&["optional", "required"]);
        TAGS: Str = optional_computed("instance_metadata_tags").one_of(SWITCH);
    }
    const SWITCH: &[&str] = &["disabled", "enabled"];
}

pub mod monitoring {
    use super::*;
    attributes! {
        TABLE:
        ENABLED: Bool = optional("enabled");
    }
}

pub mod interface {
    use super::*;
    attributes! {
        TABLE:
        CARRIER_IP: Str = optional("associate_carrier_ip_address").check(flag).same(same_flag);
        PUBLIC_IP: Str = optional("associate_public_ip_address").check(flag).same(same_flag);
        TRACKING: Blocks = optional("connection_tracking_specification").single(&tracking::TABLE);
        DELETE_ON_TERMINATION: Str = optional("delete_on_termination").check(flag).same(same_flag);
        DESCRIPTION: Str = optional("description");
        DEVICE_INDEX: Int = optional("device_index");
        ENA_SRD: Blocks = optional("ena_srd_specification").single(&ena_srd::TABLE);
        TYPE: Str = optional("interface_type").one_of(&["efa", "interface", "efa-only"]);
        IPV4_COUNT: Int = optional("ipv4_address_count");
        IPV4_ADDRESSES: StrSet = optional("ipv4_addresses");
        IPV4_PREFIX_COUNT: Int = optional("ipv4_prefix_count");
        IPV4_PREFIXES: StrSet = optional("ipv4_prefixes");
        IPV6_COUNT: Int = optional("ipv6_address_count");
        IPV6_ADDRESSES: StrSet = optional("ipv6_addresses");
        IPV6_PREFIX_COUNT: Int = optional("ipv6_prefix_count");
        IPV6_PREFIXES: StrSet = optional("ipv6_prefixes");
        CARD_INDEX: Int = optional("network_card_index");
        INTERFACE_ID: Str = optional("network_interface_id");
        PRIMARY_IPV6: Str = optional("primary_ipv6").check(flag).same(same_flag);
        PRIVATE_IP: Str = optional("private_ip_address").check(check::ipv4_or_empty);
        GROUPS: StrSet = optional("security_groups");
        SUBNET_ID: Str = optional("subnet_id");
    }
}

pub mod tracking {
    use super::*;
    attributes! {
        TABLE:
        TCP_ESTABLISHED: Int = optional("tcp_established_timeout").range(60, 432_000);
        UDP_STREAM: Int = optional("udp_stream_timeout").range(60, 180);
        UDP: Int = optional("udp_timeout").range(30, 60);
    }
}

pub mod ena_srd {
    use super::*;
    attributes! {
        TABLE:
        ENABLED: Bool = optional("ena_srd_enabled");
        UDP: Blocks = optional("ena_srd_udp_specification").single(&ena_srd_udp::TABLE);
    }
}

pub mod ena_srd_udp {
    use super::*;
    attributes! {
        TABLE:
        ENABLED: Bool = optional("ena_srd_udp_enabled");
    }
}

pub mod placement {
    use super::*;
    attributes! {
        TABLE:
        AFFINITY: Str = optional("affinity");
        ZONE: Str = optional("availability_zone");
        GROUP_NAME: Str = optional("group_name");
        HOST_ID: Str = optional("host_id").conflicts_with(&["host_resource_group_arn"]);
        HOST_GROUP: Str = optional("host_resource_group_arn").check(arn::check);
        PARTITION: Int = optional("partition_number");
        SPREAD_DOMAIN: Str = optional("spread_domain");
        TENANCY: Str = optional("tenancy").one_of(&["default", "dedicated", "host"]);
    }
}

pub mod dns {
    use super::*;
    attributes! {
        TABLE:
        A_RECORD: Bool = optional("enable_resource_name_dns_a_record");
        AAAA_RECORD: Bool = optional("enable_resource_name_dns_aaaa_record");
        HOSTNAME_TYPE: Str = optional("hostname_type").one_of(&["ip-name", "resource-name"]);
    }
}

pub mod tag_specification {
    use super::*;
    use aws_sdk_ec2::types::ResourceType;
    attributes! {
        TABLE:
        RESOURCE_TYPE: Str = optional("resource_type").one_of(ResourceType::values());
        TAGS: StrMap = optional("tags");
    }
}

/// A block that names none.
fn no_profile(live: &Object, want: &Object) -> bool {
    let empty = |name: &str, p: &Object| p.value(name).is_none_or(|v| v.is_null() || v.as_str() == Some(""));
    let names_none = want.block(&PROFILE).is_some_and(|p| empty("arn", &p) && empty("name", &p));
    !live.has("iam_instance_profile") && names_none
}
