//! Common instance types: what ECS and launches need to know of them (Instance Types guide).

use super::query::{fail, filtered, paged};
use super::zones::{zone_id, zones};
use crate::World;
use crate::service::{Answer, Input};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

#[derive(Clone, Debug)]
pub struct InstanceType {
    pub name: String,
    pub vcpus: i64,
    pub memory_mib: i64,
    /// `x86_64` or `arm64`.
    pub arch: &'static str,
    pub interfaces: i64,
    pub addresses_per_interface: i64,
    pub burstable: bool,
    pub nitro: bool,
    pub manufacturer: &'static str,
}

struct Family {
    name: &'static str,
    arch: &'static str,
    /// GiB of memory a vCPU, for the sizes of the regular table.
    ratio: f64,
    sizes: &'static [&'static str],
    manufacturer: &'static str,
}

const X86: &str = "x86_64";
const ARM: &str = "arm64";
/// Burstable sizes: name, vCPUs, MiB, interfaces, addresses an interface.
const BURST: [(&str, i64, i64, i64, i64); 7] = [
    ("nano", 2, 512, 2, 2),
    ("micro", 2, 1024, 2, 2),
    ("small", 2, 2048, 3, 4),
    ("medium", 2, 4096, 3, 6),
    ("large", 2, 8192, 3, 12),
    ("xlarge", 4, 16384, 4, 15),
    ("2xlarge", 8, 32768, 4, 15),
];
/// Regular sizes: name, vCPUs, interfaces, addresses an interface.
const SIZES: [(&str, i64, i64, i64); 12] = [
    ("medium", 1, 2, 4),
    ("large", 2, 3, 10),
    ("xlarge", 4, 4, 15),
    ("2xlarge", 8, 4, 15),
    ("4xlarge", 16, 8, 30),
    ("8xlarge", 32, 8, 30),
    ("9xlarge", 36, 8, 30),
    ("12xlarge", 48, 8, 30),
    ("16xlarge", 64, 15, 50),
    ("18xlarge", 72, 15, 50),
    ("24xlarge", 96, 15, 50),
    ("32xlarge", 128, 15, 50),
];
const INTEL5: &[&str] =
    &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"];
const INTEL6: &[&str] =
    &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "32xlarge"];
const C5: &[&str] = &["large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge"];
const GRAVITON: &[&str] =
    &["medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"];

const FAMILIES: &[Family] = &[
    Family { name: "m5", arch: X86, ratio: 4.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "m5a", arch: X86, ratio: 4.0, sizes: INTEL5, manufacturer: "AMD" },
    Family { name: "m5d", arch: X86, ratio: 4.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "m6i", arch: X86, ratio: 4.0, sizes: INTEL6, manufacturer: "Intel" },
    Family { name: "m6a", arch: X86, ratio: 4.0, sizes: INTEL6, manufacturer: "AMD" },
    Family { name: "m6g", arch: ARM, ratio: 4.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "m7i", arch: X86, ratio: 4.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "m7i-flex", arch: X86, ratio: 4.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "m7a", arch: X86, ratio: 4.0, sizes: INTEL6, manufacturer: "AMD" },
    Family { name: "m7g", arch: ARM, ratio: 4.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "m8g", arch: ARM, ratio: 4.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "c5", arch: X86, ratio: 2.0, sizes: C5, manufacturer: "Intel" },
    Family { name: "c5a", arch: X86, ratio: 2.0, sizes: INTEL5, manufacturer: "AMD" },
    Family { name: "c6i", arch: X86, ratio: 2.0, sizes: INTEL6, manufacturer: "Intel" },
    Family { name: "c6a", arch: X86, ratio: 2.0, sizes: INTEL6, manufacturer: "AMD" },
    Family { name: "c6g", arch: ARM, ratio: 2.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "c7i", arch: X86, ratio: 2.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "c7a", arch: X86, ratio: 2.0, sizes: INTEL6, manufacturer: "AMD" },
    Family { name: "c7g", arch: ARM, ratio: 2.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "c8g", arch: ARM, ratio: 2.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "r5", arch: X86, ratio: 8.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "r5a", arch: X86, ratio: 8.0, sizes: INTEL5, manufacturer: "AMD" },
    Family { name: "r6i", arch: X86, ratio: 8.0, sizes: INTEL6, manufacturer: "Intel" },
    Family { name: "r6a", arch: X86, ratio: 8.0, sizes: INTEL6, manufacturer: "AMD" },
    Family { name: "r6g", arch: ARM, ratio: 8.0, sizes: GRAVITON, manufacturer: "AWS" },
    Family { name: "r7i", arch: X86, ratio: 8.0, sizes: INTEL5, manufacturer: "Intel" },
    Family { name: "r7g", arch: ARM, ratio: 8.0, sizes: GRAVITON, manufacturer: "AWS" },
];

/// The burstable families.
const BURSTABLE: [(&str, &str, &str); 3] = [("t3", X86, "Intel"), ("t3a", X86, "AMD"), ("t4g", ARM, "AWS")];
/// Older types that people still write; `m1.small` is what a launch without a type gets. Name, vCPUs,
/// MiB, interfaces, addresses an interface.
const OLD: [(&str, i64, i64, i64, i64); 20] = [
    ("c4.large", 2, 3840, 3, 10),
    ("c4.xlarge", 4, 7680, 4, 15),
    ("m1.small", 1, 1740, 2, 4),
    ("m1.medium", 1, 3840, 2, 6),
    ("m3.medium", 1, 3840, 2, 6),
    ("m3.large", 2, 7680, 3, 10),
    ("m4.large", 2, 8192, 2, 10),
    ("m4.xlarge", 4, 16384, 4, 15),
    ("m4.2xlarge", 8, 32768, 4, 15),
    ("m4.4xlarge", 16, 65536, 8, 30),
    ("r4.large", 2, 15616, 3, 10),
    ("r4.xlarge", 4, 31232, 4, 15),
    ("t1.micro", 1, 613, 2, 2),
    ("t2.nano", 1, 512, 2, 2),
    ("t2.micro", 1, 1024, 2, 2),
    ("t2.small", 1, 2048, 3, 4),
    ("t2.medium", 2, 4096, 3, 6),
    ("t2.large", 2, 8192, 3, 12),
    ("t2.xlarge", 4, 16384, 3, 15),
    ("t2.2xlarge", 8, 32768, 3, 15),
];

static TYPES: LazyLock<BTreeMap<String, InstanceType>> = LazyLock::new(|| {
    let mut types = BTreeMap::new();
    let mut add = |name: String, shape: [i64; 4], arch, manufacturer| {
        let burstable = name.starts_with('t');
        let nitro = !OLD.iter().any(|old| old.0 == name);
        let [vcpus, memory_mib, interfaces, addresses_per_interface] = shape;
        let it = InstanceType {
            name: name.clone(),
            vcpus,
            memory_mib,
            arch,
            interfaces,
            addresses_per_interface,
            burstable,
            nitro,
            manufacturer,
        };
        types.insert(name, it);
    };
    for (family, arch, manufacturer) in BURSTABLE {
        for (size, vcpus, mib, interfaces, addresses) in BURST {
            add(format!("{family}.{size}"), [vcpus, mib, interfaces, addresses], arch, manufacturer);
        }
    }
    for (name, vcpus, mib, interfaces, addresses) in OLD {
        add(name.to_owned(), [vcpus, mib, interfaces, addresses], X86, "Intel");
    }
    for family in FAMILIES {
        for (size, vcpus, interfaces, addresses) in SIZES.iter().filter(|row| family.sizes.contains(&row.0)) {
            let mib = (*vcpus as f64 * family.ratio * 1024.0) as i64;
            let name = format!("{}.{size}", family.name);
            add(name, [*vcpus, mib, *interfaces, *addresses], family.arch, family.manufacturer);
        }
    }
    types
});

pub fn instance_type(name: &str) -> Option<&'static InstanceType> {
    TYPES.get(name)
}

/// All we know, by name.
pub fn all() -> impl Iterator<Item = &'static InstanceType> {
    TYPES.values()
}

fn type_json(it: &InstanceType) -> Json {
    let threads = if it.arch == ARM || it.vcpus == 1 { 1 } else { 2 };
    let support = |yes: bool| if yes { "supported" } else { "unsupported" };
    json!({
        "InstanceType": it.name, "CurrentGeneration": it.nitro || it.name.starts_with("t2."), "FreeTierEligible": it.name == "t3.micro",
        "SupportedUsageClasses": ["on-demand", "spot"], "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": ["hvm"], "BareMetal": false,
        "Hypervisor": if it.nitro { "nitro" } else { "xen" },
        "ProcessorInfo": {
            "SupportedArchitectures": [it.arch], "SustainedClockSpeedInGhz": 3.1, "Manufacturer": it.manufacturer,
        },
        "VCpuInfo": {
            "DefaultVCpus": it.vcpus, "DefaultCores": it.vcpus / threads, "DefaultThreadsPerCore": threads,
        },
        "MemoryInfo": {"SizeInMiB": it.memory_mib}, "InstanceStorageSupported": it.name.starts_with("m5d"),
        "EbsInfo": {
            "EbsOptimizedSupport": if it.nitro { "default" } else { "unsupported" },
            "EncryptionSupport": "supported", "NvmeSupport": if it.nitro { "required" } else { "unsupported" },
        },
        "NetworkInfo": {
            "NetworkPerformance": "Up to 10 Gigabit", "MaximumNetworkInterfaces": it.interfaces,
            "MaximumNetworkCards": 1, "DefaultNetworkCardIndex": 0,
            "NetworkCards": [{
                "NetworkCardIndex": 0, "NetworkPerformance": "Up to 10 Gigabit",
                "MaximumNetworkInterfaces": it.interfaces,
            }],
            "Ipv4AddressesPerInterface": it.addresses_per_interface,
            "Ipv6AddressesPerInterface": it.addresses_per_interface, "Ipv6Supported": true,
            "EnaSupport": if it.nitro { "required" } else { "unsupported" }, "EfaSupported": false,
            "EncryptionInTransitSupported": it.nitro && !it.burstable, "EnaSrdSupported": false,
        },
        "PlacementGroupInfo": {"SupportedStrategies": ["partition", "spread"]},
        "HibernationSupported": it.nitro, "BurstablePerformanceSupported": it.burstable,
        "DedicatedHostsSupported": !it.burstable, "AutoRecoverySupported": true,
        "SupportedBootModes": if it.arch == ARM { vec!["uefi"] } else { vec!["legacy-bios", "uefi"] },
        "NitroEnclavesSupport": support(it.nitro && !it.burstable && it.vcpus >= 4),
        "NitroTpmSupport": support(it.nitro),
    })
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
        ("free-tier-eligible", "FreeTierEligible"),
        ("hibernation-supported", "HibernationSupported"),
        ("hypervisor", "Hypervisor"),
        ("instance-storage-supported", "InstanceStorageSupported"),
        ("instance-type", "InstanceType"),
        ("memory-info.size-in-mib", "MemoryInfo.SizeInMiB"),
        ("network-info.ena-support", "NetworkInfo.EnaSupport"),
        ("network-info.ipv4-addresses-per-interface", "NetworkInfo.Ipv4AddressesPerInterface"),
        ("network-info.maximum-network-interfaces", "NetworkInfo.MaximumNetworkInterfaces"),
        ("processor-info.supported-architecture", "ProcessorInfo.SupportedArchitectures"),
        ("supported-root-device-type", "SupportedRootDeviceTypes"),
        ("supported-usage-class", "SupportedUsageClasses"),
        ("supported-virtualization-type", "SupportedVirtualizationTypes"),
        ("supported-boot-mode", "SupportedBootModes"),
        ("vcpu-info.default-cores", "VCpuInfo.DefaultCores"),
        ("vcpu-info.default-vcpus", "VCpuInfo.DefaultVCpus"),
    ];
    paged(input, "InstanceTypes", filtered(items, input.list("Filters"), table)?)
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
    paged(input, "InstanceTypeOfferings", filtered(items, input.list("Filters"), table)?)
}
