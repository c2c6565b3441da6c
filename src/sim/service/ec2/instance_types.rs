//! Instance types: what ECS and launches need to know of them.
//!
//! The table beside this file has what DescribeInstanceTypes tells of every type, a line a type: name, vCPUs,
//! threads a core, MiB, architecture, maker, interfaces, addresses an interface, flags (see `flag`), GB of local
//! disks, GPUs, GHz, network performance.

use super::query::{fail, filtered, lean, paged};
use super::zones::{zone_id, zones};
use crate::World;
use crate::service::{Answer, Input};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("instance_types.txt");

#[derive(Clone, Debug)]
pub struct InstanceType {
    pub name: String,
    pub vcpus: i64,
    pub threads_per_core: i64,
    pub memory_mib: i64,
    /// `x86_64` or `arm64` (or, for Macs, `x86_64_mac` and `arm64_mac`).
    pub arch: &'static str,
    pub interfaces: i64,
    pub addresses_per_interface: i64,
    pub burstable: bool,
    pub nitro: bool,
    pub bare_metal: bool,
    pub current: bool,
    pub manufacturer: &'static str,
    /// Of local disks, GB.
    pub disk_gb: i64,
    pub gpus: i64,
    flags: &'static str,
    gpu: Option<(&'static str, i64)>,
    gigahertz: Option<f64>,
    network: String,
}

/// Letters of the table's flags that nothing but DescribeInstanceTypes looks at.
mod flag {
    pub const AUTO_RECOVERY: char = 'R';
    pub const CLUSTER_PLACEMENT: char = 'k';
    pub const CPU_OPTIONS: char = 'y';
    pub const DEDICATED_HOSTS: char = 'D';
    pub const EBS_OPTIMIZED_ALWAYS: char = 'o';
    pub const EBS_OPTIMIZED_ON_DEMAND: char = 'O';
    pub const EFA: char = 'a';
    pub const ENA_POSSIBLE: char = 'E';
    pub const ENA_REQUIRED: char = 'e';
    pub const ENCLAVES: char = 'N';
    pub const FREE_TIER: char = 'f';
    pub const HIBERNATION: char = 'h';
    pub const I386: char = 'i';
    pub const IN_TRANSIT_ENCRYPTION: char = 't';
    pub const LEGACY_BIOS: char = 'l';
    pub const NVME: char = 'v';
    pub const PARAVIRTUAL: char = 'p';
    pub const SPOT: char = 's';
    pub const TPM: char = 'T';
    pub const UEFI: char = 'u';
    pub const XEN: char = 'x';
}

impl InstanceType {
    fn read(line: &'static str) -> Option<InstanceType> {
        let fields: Vec<&'static str> = line.split(' ').collect();
        let [name, vcpus, threads, mib, arch, maker, interfaces, addresses, flags, disk, gpu, clock, network] =
            fields[..]
        else {
            return None;
        };
        let gpu: Option<Vec<&str>> = (gpu != "-").then(|| gpu.split('x').collect());
        let (gpus, gpu) = match gpu.as_deref() {
            Some([count, model, mib]) => (count.parse().ok()?, Some((*model, mib.parse().ok()?))),
            _ => (0, None),
        };
        Some(InstanceType {
            name: name.to_owned(),
            vcpus: vcpus.parse().ok()?,
            threads_per_core: threads.parse().ok()?,
            memory_mib: mib.parse().ok()?,
            arch: match arch {
                "a" => "arm64",
                "m" => "arm64_mac",
                "M" => "x86_64_mac",
                _ => "x86_64",
            },
            interfaces: interfaces.parse().ok()?,
            addresses_per_interface: addresses.parse().ok()?,
            burstable: flags.contains('b'),
            nitro: flags.contains('n'),
            bare_metal: flags.contains('m'),
            current: flags.contains('c'),
            manufacturer: match maker {
                "Int" => "Intel",
                "AMD" => "AMD",
                "App" => "Apple",
                _ => "AWS",
            },
            disk_gb: disk.parse().ok()?,
            gpus,
            flags,
            gpu,
            gigahertz: clock.parse().ok(),
            network: network.replace('_', " "),
        })
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }
}

static TYPES: LazyLock<BTreeMap<String, InstanceType>> = LazyLock::new(|| {
    let types =
        TABLE.lines().map(|line| InstanceType::read(line).expect("the table is whole: a test reads it"));
    types.map(|it| (it.name.clone(), it)).collect()
});

pub fn instance_type(name: &str) -> Option<&'static InstanceType> {
    TYPES.get(name)
}

/// All there are, by name.
pub fn all() -> impl Iterator<Item = &'static InstanceType> {
    TYPES.values()
}

fn type_json(it: &InstanceType) -> Json {
    let support = |flag: char| if it.has(flag) { "supported" } else { "unsupported" };
    let when = |flag: char, value: &'static str| it.has(flag).then_some(value);
    let some = |values: &[Option<&'static str>]| values.iter().flatten().copied().collect::<Vec<_>>();
    let ebs_optimized = match () {
        () if it.has(flag::EBS_OPTIMIZED_ALWAYS) => "default",
        () if it.has(flag::EBS_OPTIMIZED_ON_DEMAND) => "supported",
        () => "unsupported",
    };
    lean(json!({
        "InstanceType": it.name, "CurrentGeneration": it.current, "FreeTierEligible": it.has(flag::FREE_TIER),
        "SupportedUsageClasses": some(&[Some("on-demand"), when(flag::SPOT, "spot")]),
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": some(&[Some("hvm"), when(flag::PARAVIRTUAL, "paravirtual")]),
        "BareMetal": it.bare_metal,
        "Hypervisor": if it.nitro { Some("nitro") } else { when(flag::XEN, "xen") },
        "ProcessorInfo": {
            "SupportedArchitectures": some(&[when(flag::I386, "i386"), Some(it.arch)]),
            "SustainedClockSpeedInGhz": it.gigahertz, "Manufacturer": it.manufacturer,
        },
        "VCpuInfo": {
            "DefaultVCpus": it.vcpus, "DefaultCores": it.vcpus / it.threads_per_core,
            "DefaultThreadsPerCore": it.threads_per_core,
            "ValidThreadsPerCore":
                it.has(flag::CPU_OPTIONS).then(|| (1..=it.threads_per_core).collect::<Vec<_>>()),
        },
        "MemoryInfo": {"SizeInMiB": it.memory_mib}, "InstanceStorageSupported": it.disk_gb > 0,
        "InstanceStorageInfo": (it.disk_gb > 0).then(|| json!({"TotalSizeInGB": it.disk_gb})),
        "EbsInfo": {
            "EbsOptimizedSupport": ebs_optimized, "EncryptionSupport": "supported",
            "NvmeSupport": if it.has(flag::NVME) { "required" } else { "unsupported" },
        },
        "NetworkInfo": network_json(it), "GpuInfo": gpu_json(it),
        "PlacementGroupInfo": {
            "SupportedStrategies":
                some(&[when(flag::CLUSTER_PLACEMENT, "cluster"), Some("partition"), Some("spread")]),
        },
        "HibernationSupported": it.has(flag::HIBERNATION), "BurstablePerformanceSupported": it.burstable,
        "DedicatedHostsSupported": it.has(flag::DEDICATED_HOSTS),
        "AutoRecoverySupported": it.has(flag::AUTO_RECOVERY),
        "SupportedBootModes": some(&[when(flag::LEGACY_BIOS, "legacy-bios"), when(flag::UEFI, "uefi")]),
        "NitroEnclavesSupport": support(flag::ENCLAVES), "NitroTpmSupport": support(flag::TPM),
    }))
}

fn network_json(it: &InstanceType) -> Json {
    let ena = match () {
        () if it.has(flag::ENA_REQUIRED) => "required",
        () if it.has(flag::ENA_POSSIBLE) => "supported",
        () => "unsupported",
    };
    json!({
        "NetworkPerformance": it.network, "MaximumNetworkInterfaces": it.interfaces,
        "MaximumNetworkCards": 1, "DefaultNetworkCardIndex": 0,
        "NetworkCards": [{
            "NetworkCardIndex": 0, "NetworkPerformance": it.network, "MaximumNetworkInterfaces": it.interfaces,
        }],
        "Ipv4AddressesPerInterface": it.addresses_per_interface,
        "Ipv6AddressesPerInterface": it.addresses_per_interface, "Ipv6Supported": it.nitro || it.current,
        "EnaSupport": ena, "EfaSupported": it.has(flag::EFA),
        "EncryptionInTransitSupported": it.has(flag::IN_TRANSIT_ENCRYPTION), "EnaSrdSupported": false,
    })
}

fn gpu_json(it: &InstanceType) -> Option<Json> {
    let (model, mib) = it.gpu?;
    // The families for computing only are named p.
    let graphics = it.name.starts_with('g');
    Some(json!({
        "Gpus": [{
            "Name": model.replace('_', " "), "Manufacturer": "NVIDIA", "Count": it.gpus,
            "MemoryInfo": {"SizeInMiB": mib}, "LogicalGpuCount": it.gpus.max(1), "GpuPartitionSize": 1.0,
            "Workloads": if graphics { vec!["graphics", "ml-ai"] } else { vec!["ml-ai"] },
        }],
        "TotalGpuMemoryInMiB": mib * it.gpus,
    }))
}

/// "The valid range is 5–100" (API reference, DescribeInstanceTypes), and 1,000 for the offerings; without a
/// wish that many come.
fn page_of(input: &Json, most: i64, output: &str, items: Vec<Json>) -> Answer {
    let mut input = input.clone();
    let limit = input.int("MaxResults").unwrap_or(most).min(most);
    if let Some(members) = input.as_object_mut() {
        members.insert("MaxResults".to_owned(), json!(limit));
    }
    paged(&input, output, items)
}

pub fn describe_instance_types(_world: &mut World, input: &Json) -> Answer {
    let wanted = input.texts("InstanceTypes");
    let bad: Vec<&str> = wanted.iter().filter(|name| instance_type(name).is_none()).copied().collect();
    if !bad.is_empty() {
        let message = format!("The following supplied instance types do not exist: [{}]", bad.join(", "));
        return fail("InvalidInstanceType", message);
    }
    let named = all().filter(|it| wanted.is_empty() || wanted.contains(&it.name.as_str()));
    let items = named.map(type_json).collect();
    let table = &[
        ("auto-recovery-supported", "AutoRecoverySupported"),
        ("bare-metal", "BareMetal"),
        ("burstable-performance-supported", "BurstablePerformanceSupported"),
        ("current-generation", "CurrentGeneration"),
        ("dedicated-hosts-supported", "DedicatedHostsSupported"),
        ("ebs-info.ebs-optimized-support", "EbsInfo.EbsOptimizedSupport"),
        ("ebs-info.encryption-support", "EbsInfo.EncryptionSupport"),
        ("ebs-info.nvme-support", "EbsInfo.NvmeSupport"),
        ("free-tier-eligible", "FreeTierEligible"),
        ("hibernation-supported", "HibernationSupported"),
        ("hypervisor", "Hypervisor"),
        ("instance-storage-info.total-size-in-gb", "InstanceStorageInfo.TotalSizeInGB"),
        ("instance-storage-supported", "InstanceStorageSupported"),
        ("instance-type", "InstanceType"),
        ("memory-info.size-in-mib", "MemoryInfo.SizeInMiB"),
        ("network-info.efa-supported", "NetworkInfo.EfaSupported"),
        ("network-info.ena-support", "NetworkInfo.EnaSupport"),
        ("network-info.encryption-in-transit-supported", "NetworkInfo.EncryptionInTransitSupported"),
        ("network-info.ipv4-addresses-per-interface", "NetworkInfo.Ipv4AddressesPerInterface"),
        ("network-info.ipv6-addresses-per-interface", "NetworkInfo.Ipv6AddressesPerInterface"),
        ("network-info.ipv6-supported", "NetworkInfo.Ipv6Supported"),
        ("network-info.maximum-network-interfaces", "NetworkInfo.MaximumNetworkInterfaces"),
        ("network-info.network-performance", "NetworkInfo.NetworkPerformance"),
        ("nitro-enclaves-support", "NitroEnclavesSupport"),
        ("nitro-tpm-support", "NitroTpmSupport"),
        ("processor-info.supported-architecture", "ProcessorInfo.SupportedArchitectures"),
        ("processor-info.sustained-clock-speed-in-ghz", "ProcessorInfo.SustainedClockSpeedInGhz"),
        ("supported-boot-mode", "SupportedBootModes"),
        ("supported-root-device-type", "SupportedRootDeviceTypes"),
        ("supported-usage-class", "SupportedUsageClasses"),
        ("supported-virtualization-type", "SupportedVirtualizationTypes"),
        ("vcpu-info.default-cores", "VCpuInfo.DefaultCores"),
        ("vcpu-info.default-threads-per-core", "VCpuInfo.DefaultThreadsPerCore"),
        ("vcpu-info.default-vcpus", "VCpuInfo.DefaultVCpus"),
        ("vcpu-info.valid-threads-per-core", "VCpuInfo.ValidThreadsPerCore"),
    ];
    page_of(input, 100, "InstanceTypes", filtered(items, input.list("Filters"), table)?)
}

pub fn describe_instance_type_offerings(world: &mut World, input: &Json) -> Answer {
    let kind = input.text("LocationType").unwrap_or("region");
    let places: Vec<String> = match kind {
        "region" => vec![world.region.clone()],
        "availability-zone" => zones(world),
        "availability-zone-id" => zones(world).iter().filter_map(|zone| zone_id(world, zone)).collect(),
        _ => vec![],
    };
    let render = |(it, place): (&InstanceType, &String)| json!({"InstanceType": it.name, "LocationType": kind, "Location": place});
    let pairs = all().flat_map(|it| places.iter().map(move |place| (it, place)));
    let items = pairs.map(render).collect();
    let table = &[("location", "Location"), ("instance-type", "InstanceType")];
    page_of(input, 1000, "InstanceTypeOfferings", filtered(items, input.list("Filters"), table)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_type() {
        assert_eq!(TYPES.len(), TABLE.lines().count());
        let it = instance_type("m6g.large").expect("it is listed");
        assert_eq!((it.arch, it.vcpus, it.memory_mib, it.interfaces), ("arm64", 2, 8192, 3));
        assert!(instance_type("t3.micro").is_some_and(|it| it.burstable && it.nitro && it.current));
    }
}
