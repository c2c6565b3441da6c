//! The data of a launch template version, as AWS answers it → attributes.

use super::tables::*;
use crate::aws::types::ec2;
use crate::schema::{Attr, Blocks, Field, Object, Put, StrMap};
use aws_sdk_ec2::types::*;

/// Sets what a version says; what it leaves open stays unset.
pub fn set_data(o: &mut Object, data: &ResponseLaunchTemplateData) {
    o.set(&DISABLE_STOP, data.disable_api_stop())
        .set(&DISABLE_TERMINATION, data.disable_api_termination())
        .set(&EBS_OPTIMIZED, flag(data.ebs_optimized()))
        .set(&IMAGE_ID, ec2::filled(data.image_id()))
        .set(&SHUTDOWN, data.instance_initiated_shutdown_behavior().map(|s| s.as_str()))
        .set(&INSTANCE_TYPE, data.instance_type().map(|t| t.as_str()))
        .set(&KERNEL_ID, ec2::filled(data.kernel_id()))
        .set(&KEY_NAME, ec2::filled(data.key_name()))
        .set(&RAM_DISK_ID, ec2::filled(data.ram_disk_id()))
        .set(&GROUP_NAMES, some(data.security_groups()))
        .set(&GROUP_IDS, some(data.security_group_ids()))
        .set(&USER_DATA, ec2::filled(data.user_data()))
        .set_blocks(&BLOCK_DEVICES, data.block_device_mappings().iter().map(block_device).collect())
        .set_blocks(&ELASTIC_GPUS, types(data.elastic_gpu_specifications(), |g| g.r#type()))
        .set_blocks(&ELASTIC_INFERENCE, types(data.elastic_inference_accelerators(), |a| a.r#type()))
        .set_blocks(&INTERFACES, data.network_interfaces().iter().map(network_interface).collect())
        .set_blocks(
            &TAG_SPECIFICATIONS,
            data.tag_specifications().iter().filter(launched).map(tags).collect(),
        )
        .set_blocks(
            &LICENSES,
            data.license_specifications()
                .iter()
                .map(|l| only(&license::ARN, l.license_configuration_arn()))
                .collect(),
        );
    set_options(o, data);
}

/// The blocks of which there is at most one.
fn set_options(o: &mut Object, data: &ResponseLaunchTemplateData) {
    one(o, &CAPACITY_RESERVATION, data.capacity_reservation_specification().map(reservation));
    one(
        o,
        &CPU,
        data.cpu_options().map(|c| {
            with(|b| {
                b.set(&cpu::AMD_SEV_SNP, c.amd_sev_snp().map(|s| s.as_str()))
                    .set(&cpu::CORES, c.core_count())
                    .set(&cpu::THREADS, c.threads_per_core());
            })
        }),
    );
    one(o, &CREDITS, data.credit_specification().map(|c| only(&credits::CPU, c.cpu_credits())));
    one(o, &ENCLAVE, data.enclave_options().map(|e| only(&enclave::ENABLED, e.enabled())));
    one(o, &HIBERNATION, data.hibernation_options().map(|h| only(&hibernation::CONFIGURED, h.configured())));
    one(
        o,
        &PROFILE,
        data.iam_instance_profile().map(|p| {
            with(|b| {
                b.set(&profile::ARN, ec2::filled(p.arn())).set(&profile::NAME, ec2::filled(p.name()));
            })
        }),
    );
    one(o, &MARKET, data.instance_market_options().map(market_options));
    one(o, &REQUIREMENTS, data.instance_requirements().map(instance_requirements));
    one(
        o,
        &MAINTENANCE,
        data.maintenance_options()
            .map(|m| only(&maintenance::AUTO_RECOVERY, m.auto_recovery().map(|r| r.as_str()))),
    );
    one(
        o,
        &METADATA,
        data.metadata_options().map(|m| {
            with(|b| {
                b.set(&metadata::ENDPOINT, m.http_endpoint().map(|s| s.as_str()))
                    .set(&metadata::IPV6, m.http_protocol_ipv6().map(|s| s.as_str()))
                    .set(&metadata::HOP_LIMIT, m.http_put_response_hop_limit())
                    .set(&metadata::TOKENS, m.http_tokens().map(|s| s.as_str()))
                    .set(&metadata::TAGS, m.instance_metadata_tags().map(|s| s.as_str()));
            })
        }),
    );
    one(o, &MONITORING, data.monitoring().map(|m| only(&monitoring::ENABLED, m.enabled())));
    one(o, &PLACEMENT, data.placement().map(placement_options));
    one(
        o,
        &PRIVATE_DNS,
        data.private_dns_name_options().map(|d| {
            with(|b| {
                b.set(&dns::A_RECORD, d.enable_resource_name_dns_a_record())
                    .set(&dns::AAAA_RECORD, d.enable_resource_name_dns_aaaa_record())
                    .set(&dns::HOSTNAME_TYPE, d.hostname_type().map(|h| h.as_str()));
            })
        }),
    );
}

fn with(fill: impl FnOnce(&mut Object)) -> Object {
    let mut block = Object::new();
    fill(&mut block);
    block
}

/// A block of one attribute.
fn only<T: Field>(attr: &Attr<T>, value: impl Put<T>) -> Object {
    let mut block = Object::new();
    block.set(attr, value);
    block
}

fn one(o: &mut Object, attr: &Attr<Blocks>, block: Option<Object>) {
    o.set_blocks(attr, block.into_iter().collect());
}

fn some(items: &[String]) -> Option<Vec<String>> {
    Some(items.to_vec()).filter(|i| !i.is_empty())
}

fn texts<T>(items: &[T], text: impl Fn(&T) -> Option<&str>) -> Option<Vec<String>> {
    let texts: Vec<String> = items.iter().filter_map(|i| text(i).map(str::to_owned)).collect();
    Some(texts).filter(|t| !t.is_empty())
}

fn types<T>(items: &[T], kind: impl Fn(&T) -> Option<&str>) -> Vec<Object> {
    items.iter().map(|i| only(&accelerator::TYPE, kind(i))).collect()
}

fn flag(on: Option<bool>) -> Option<&'static str> {
    on.map(|on| if on { "true" } else { "false" })
}

fn block_device(d: &LaunchTemplateBlockDeviceMapping) -> Object {
    let ebs = d.ebs().map(|e| {
        with(|b| {
            b.set(&ebs::DELETE_ON_TERMINATION, flag(e.delete_on_termination()))
                .set(&ebs::ENCRYPTED, flag(e.encrypted()))
                .set(&ebs::IOPS, e.iops())
                .set(&ebs::KMS_KEY, ec2::filled(e.kms_key_id()))
                .set(&ebs::SNAPSHOT, ec2::filled(e.snapshot_id()))
                .set(&ebs::THROUGHPUT, e.throughput())
                .set(&ebs::INITIALIZATION_RATE, e.volume_initialization_rate())
                .set(&ebs::SIZE, e.volume_size())
                .set(&ebs::TYPE, e.volume_type().map(|t| t.as_str()));
        })
    });
    with(|b| {
        one(b, &device::EBS, ebs);
        b.set(&device::NAME, ec2::filled(d.device_name()))
            .set(&device::NO_DEVICE, d.no_device())
            .set(&device::VIRTUAL_NAME, ec2::filled(d.virtual_name()));
    })
}

fn reservation(r: &LaunchTemplateCapacityReservationSpecificationResponse) -> Object {
    with(|b| {
        b.set(&reservation::PREFERENCE, r.capacity_reservation_preference().map(|p| p.as_str()));
        one(
            b,
            &reservation::TARGET,
            r.capacity_reservation_target().map(|t| {
                with(|b| {
                    b.set(&reservation_target::ID, t.capacity_reservation_id())
                        .set(&reservation_target::GROUP, t.capacity_reservation_resource_group_arn());
                })
            }),
        );
    })
}

fn market_options(m: &LaunchTemplateInstanceMarketOptions) -> Object {
    let spot = m.spot_options().map(|s| {
        let until = s.valid_until().and_then(|t| jiff::Timestamp::from_second(t.secs()).ok());
        with(|b| {
            b.set(&spot::BLOCK_MINUTES, s.block_duration_minutes())
                .set(&spot::INTERRUPTION, s.instance_interruption_behavior().map(|i| i.as_str()))
                .set(&spot::MAX_PRICE, ec2::filled(s.max_price()))
                .set(&spot::TYPE, s.spot_instance_type().map(|t| t.as_str()))
                .set(&spot::VALID_UNTIL, until.map(|t| t.to_string()));
        })
    });
    with(|b| {
        b.set(&market::TYPE, m.market_type().map(|t| t.as_str()));
        one(b, &market::SPOT, spot);
    })
}

/// `{ min, max }` blocks: each of AWS's types for them is another one.
macro_rules! range {
    ($object:expr, $attr:expr, $live:expr, int) => {
        one(
            $object,
            &$attr,
            $live.map(|r| {
                with(|b| {
                    b.set(&range::MIN, r.min()).set(&range::MAX, r.max());
                })
            }),
        )
    };
    ($object:expr, $attr:expr, $live:expr, float) => {
        one(
            $object,
            &$attr,
            $live.map(|r| {
                with(|b| {
                    b.set(&float_range::MIN, r.min()).set(&float_range::MAX, r.max());
                })
            }),
        )
    };
}

fn instance_requirements(live: &InstanceRequirements) -> Object {
    use requirements as r;
    with(|b| {
        b.set(&r::ACCELERATOR_MANUFACTURERS, texts(live.accelerator_manufacturers(), |x| Some(x.as_str())))
            .set(&r::ACCELERATOR_NAMES, texts(live.accelerator_names(), |x| Some(x.as_str())))
            .set(&r::ACCELERATOR_TYPES, texts(live.accelerator_types(), |x| Some(x.as_str())))
            .set(&r::ALLOWED, some(live.allowed_instance_types()))
            .set(&r::BARE_METAL, live.bare_metal().map(|x| x.as_str()))
            .set(&r::BURSTABLE, live.burstable_performance().map(|x| x.as_str()))
            .set(&r::CPU_MANUFACTURERS, texts(live.cpu_manufacturers(), |x| Some(x.as_str())))
            .set(&r::EXCLUDED, some(live.excluded_instance_types()))
            .set(&r::GENERATIONS, texts(live.instance_generations(), |x| Some(x.as_str())))
            .set(&r::LOCAL_STORAGE, live.local_storage().map(|x| x.as_str()))
            .set(&r::LOCAL_STORAGE_TYPES, texts(live.local_storage_types(), |x| Some(x.as_str())))
            .set(&r::MAX_SPOT_OF_ON_DEMAND, live.max_spot_price_as_percentage_of_optimal_on_demand_price())
            .set(&r::ON_DEMAND_OVER_LOWEST, live.on_demand_max_price_percentage_over_lowest_price())
            .set(&r::HIBERNATE, live.require_hibernate_support())
            .set(&r::SPOT_OVER_LOWEST, live.spot_max_price_percentage_over_lowest_price());
        range!(b, r::ACCELERATOR_COUNT, live.accelerator_count(), int);
        range!(b, r::ACCELERATOR_MEMORY, live.accelerator_total_memory_mib(), int);
        range!(b, r::EBS_BANDWIDTH, live.baseline_ebs_bandwidth_mbps(), int);
        range!(b, r::INTERFACE_COUNT, live.network_interface_count(), int);
        range!(b, r::MEMORY, live.memory_mib(), int);
        range!(b, r::VCPU_COUNT, live.v_cpu_count(), int);
        range!(b, r::LOCAL_STORAGE_GB, live.total_local_storage_gb(), float);
        range!(b, r::MEMORY_PER_VCPU, live.memory_gib_per_v_cpu(), float);
        range!(b, r::NETWORK_BANDWIDTH, live.network_bandwidth_gbps(), float);
    })
}

fn network_interface(n: &LaunchTemplateInstanceNetworkInterfaceSpecification) -> Object {
    let addresses = n.private_ip_addresses();
    let primary = addresses.iter().find(|a| a.primary() == Some(true)).and_then(|a| a.private_ip_address());
    with(|b| {
        b.set(&interface::CARRIER_IP, flag(n.associate_carrier_ip_address()))
            .set(&interface::PUBLIC_IP, flag(n.associate_public_ip_address()))
            .set(&interface::DELETE_ON_TERMINATION, flag(n.delete_on_termination()))
            .set(&interface::DESCRIPTION, ec2::filled(n.description()))
            .set(&interface::DEVICE_INDEX, n.device_index())
            .set(&interface::TYPE, ec2::filled(n.interface_type()))
            .set(&interface::IPV4_COUNT, n.secondary_private_ip_address_count())
            .set(&interface::IPV4_ADDRESSES, texts(addresses, |a| a.private_ip_address()))
            .set(&interface::IPV4_PREFIX_COUNT, n.ipv4_prefix_count())
            .set(&interface::IPV4_PREFIXES, texts(n.ipv4_prefixes(), |p| p.ipv4_prefix()))
            .set(&interface::IPV6_COUNT, n.ipv6_address_count())
            .set(&interface::IPV6_ADDRESSES, texts(n.ipv6_addresses(), |a| a.ipv6_address()))
            .set(&interface::IPV6_PREFIX_COUNT, n.ipv6_prefix_count())
            .set(&interface::IPV6_PREFIXES, texts(n.ipv6_prefixes(), |p| p.ipv6_prefix()))
            .set(&interface::CARD_INDEX, n.network_card_index())
            .set(&interface::INTERFACE_ID, ec2::filled(n.network_interface_id()))
            .set(&interface::PRIMARY_IPV6, flag(n.primary_ipv6()))
            .set(&interface::PRIVATE_IP, ec2::filled(n.private_ip_address()).or(primary))
            .set(&interface::GROUPS, some(n.groups()))
            .set(&interface::SUBNET_ID, ec2::filled(n.subnet_id()));
        one(
            b,
            &interface::TRACKING,
            n.connection_tracking_specification().map(|t| {
                with(|b| {
                    b.set(&tracking::TCP_ESTABLISHED, t.tcp_established_timeout())
                        .set(&tracking::UDP_STREAM, t.udp_stream_timeout())
                        .set(&tracking::UDP, t.udp_timeout());
                })
            }),
        );
        one(b, &interface::ENA_SRD, n.ena_srd_specification().map(ena_srd));
    })
}

fn ena_srd(e: &LaunchTemplateEnaSrdSpecification) -> Object {
    with(|b| {
        b.set(&ena_srd::ENABLED, e.ena_srd_enabled());
        one(
            b,
            &ena_srd::UDP,
            e.ena_srd_udp_specification().map(|u| only(&ena_srd_udp::ENABLED, u.ena_srd_udp_enabled())),
        );
    })
}

fn placement_options(p: &LaunchTemplatePlacement) -> Object {
    with(|b| {
        b.set(&placement::AFFINITY, ec2::filled(p.affinity()))
            .set(&placement::ZONE, ec2::filled(p.availability_zone()))
            .set(&placement::GROUP_NAME, ec2::filled(p.group_name()))
            .set(&placement::HOST_ID, ec2::filled(p.host_id()))
            .set(&placement::HOST_GROUP, ec2::filled(p.host_resource_group_arn()))
            .set(&placement::PARTITION, p.partition_number())
            .set(&placement::SPREAD_DOMAIN, ec2::filled(p.spread_domain()))
            .set(&placement::TENANCY, p.tenancy().map(|t| t.as_str()));
    })
}

/// The template's own tags are no part of its data, though some endpoints answer them there (moto).
fn launched(t: &&LaunchTemplateTagSpecification) -> bool {
    t.resource_type() != Some(&ResourceType::LaunchTemplate)
}

fn tags(t: &LaunchTemplateTagSpecification) -> Object {
    let tags = ec2::pairs(t.tags()).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    with(|b| {
        b.set(&tag_specification::RESOURCE_TYPE, t.resource_type().map(|r| r.as_str()))
            .set::<StrMap>(&tag_specification::TAGS, Some(tags));
    })
}
