//! What is wanted → the data of a launch template version, as AWS takes it.

use super::tables::*;
use crate::schema::{Attr, Int, Object, Str, StrSet};
use aws_sdk_ec2::types::*;

/// The complete data of a version: AWS takes nothing over from the version before. `live` gives the
/// blocks that stay when they are no longer declared.
#[expect(deprecated, reason = "old configurations declare what AWS has ended, and old versions hold it")]
pub fn data(want: &Object, live: &Object) -> RequestLaunchTemplateData {
    RequestLaunchTemplateData::builder()
        .set_block_device_mappings(some(want.all(&BLOCK_DEVICES).iter().map(block_device).collect()))
        .set_capacity_reservation_specification(want.block(&CAPACITY_RESERVATION).as_ref().map(reservation))
        .set_cpu_options(want.block(&CPU).as_ref().map(cpu_options))
        .set_credit_specification(
            want.block(&CREDITS).map(|b| {
                CreditSpecificationRequest::builder().set_cpu_credits(text(&b, &credits::CPU)).build()
            }),
        )
        .set_disable_api_stop(want.get(&DISABLE_STOP))
        .set_disable_api_termination(want.get(&DISABLE_TERMINATION))
        .set_ebs_optimized(flag(want, &EBS_OPTIMIZED))
        .set_elastic_gpu_specifications(some(
            want.all(&ELASTIC_GPUS)
                .iter()
                .map(|b| ElasticGpuSpecification::builder().r#type(b.need(&accelerator::TYPE)).build())
                .collect(),
        ))
        .set_elastic_inference_accelerators(some(
            want.all(&ELASTIC_INFERENCE)
                .iter()
                .map(|b| {
                    let kind = b.need(&accelerator::TYPE);
                    LaunchTemplateElasticInferenceAccelerator::builder().r#type(kind).build()
                })
                .collect(),
        ))
        .set_enclave_options(want.block(&ENCLAVE).map(|b| {
            LaunchTemplateEnclaveOptionsRequest::builder().set_enabled(b.get(&enclave::ENABLED)).build()
        }))
        .set_hibernation_options(want.block(&HIBERNATION).map(|b| {
            let configured = b.get(&hibernation::CONFIGURED);
            LaunchTemplateHibernationOptionsRequest::builder().set_configured(configured).build()
        }))
        .set_iam_instance_profile(want.block(&PROFILE).map(|b| {
            LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
                .set_arn(text(&b, &profile::ARN))
                .set_name(text(&b, &profile::NAME))
                .build()
        }))
        .set_image_id(text(want, &IMAGE_ID))
        .set_instance_initiated_shutdown_behavior(named(want, &SHUTDOWN))
        .set_instance_market_options(want.block(&MARKET).as_ref().map(market_options))
        .set_instance_requirements(want.block(&REQUIREMENTS).as_ref().map(instance_requirements))
        .set_instance_type(named(want, &INSTANCE_TYPE))
        .set_kernel_id(text(want, &KERNEL_ID))
        .set_key_name(text(want, &KEY_NAME))
        .set_license_specifications(some(
            want.all(&LICENSES)
                .iter()
                .map(|b| {
                    let arn = b.need(&license::ARN);
                    LaunchTemplateLicenseConfigurationRequest::builder()
                        .license_configuration_arn(arn)
                        .build()
                })
                .collect(),
        ))
        .set_maintenance_options(want.block(&MAINTENANCE).map(|b| {
            LaunchTemplateInstanceMaintenanceOptionsRequest::builder()
                .set_auto_recovery(named(&b, &maintenance::AUTO_RECOVERY))
                .build()
        }))
        .set_metadata_options(
            want.block(&METADATA).or_else(|| live.block(&METADATA)).as_ref().map(metadata_options),
        )
        .set_monitoring(want.block(&MONITORING).map(|b| {
            LaunchTemplatesMonitoringRequest::builder().set_enabled(b.get(&monitoring::ENABLED)).build()
        }))
        .set_network_interfaces(some(want.all(&INTERFACES).iter().map(network_interface).collect()))
        .set_placement(want.block(&PLACEMENT).as_ref().map(placement_options))
        .set_private_dns_name_options(want.block(&PRIVATE_DNS).map(|b| {
            LaunchTemplatePrivateDnsNameOptionsRequest::builder()
                .set_enable_resource_name_dns_a_record(b.get(&dns::A_RECORD))
                .set_enable_resource_name_dns_aaaa_record(b.get(&dns::AAAA_RECORD))
                .set_hostname_type(named(&b, &dns::HOSTNAME_TYPE))
                .build()
        }))
        .set_ram_disk_id(text(want, &RAM_DISK_ID))
        .set_security_groups(some(want.all(&GROUP_NAMES)))
        .set_security_group_ids(some(want.all(&GROUP_IDS)))
        .set_tag_specifications(some(want.all(&TAG_SPECIFICATIONS).iter().map(tags).collect()))
        .set_user_data(text(want, &USER_DATA))
        .build()
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    Some(items).filter(|i| !i.is_empty())
}

/// `""` stands for none.
fn text(object: &Object, attr: &Attr<Str>) -> Option<String> {
    object.get(attr).filter(|t| !t.is_empty())
}

fn flag(object: &Object, attr: &Attr<Str>) -> Option<bool> {
    object.get(attr).as_deref().and_then(parse_flag)
}

fn int(object: &Object, attr: &Attr<Int>) -> Option<i32> {
    object.get(attr).map(|i| i as i32)
}

/// A number whose 0 stands for none.
fn count(object: &Object, attr: &Attr<Int>) -> Option<i32> {
    int(object, attr).filter(|i| *i != 0)
}

fn named<E: for<'a> From<&'a str>>(object: &Object, attr: &Attr<Str>) -> Option<E> {
    text(object, attr).map(|t| E::from(&t))
}

fn all_named<E: for<'a> From<&'a str>>(object: &Object, attr: &Attr<StrSet>) -> Option<Vec<E>> {
    some(object.all(attr).iter().map(|t| E::from(t)).collect())
}

fn block_device(b: &Object) -> LaunchTemplateBlockDeviceMappingRequest {
    let ebs = b.block(&device::EBS).map(|e| {
        LaunchTemplateEbsBlockDeviceRequest::builder()
            .set_delete_on_termination(flag(&e, &ebs::DELETE_ON_TERMINATION))
            .set_encrypted(flag(&e, &ebs::ENCRYPTED))
            .set_iops(count(&e, &ebs::IOPS))
            .set_kms_key_id(text(&e, &ebs::KMS_KEY))
            .set_snapshot_id(text(&e, &ebs::SNAPSHOT))
            .set_throughput(count(&e, &ebs::THROUGHPUT))
            .set_volume_initialization_rate(count(&e, &ebs::INITIALIZATION_RATE))
            .set_volume_size(count(&e, &ebs::SIZE))
            .set_volume_type(named(&e, &ebs::TYPE))
            .build()
    });
    LaunchTemplateBlockDeviceMappingRequest::builder()
        .set_device_name(text(b, &device::NAME))
        .set_ebs(ebs)
        .set_no_device(text(b, &device::NO_DEVICE))
        .set_virtual_name(text(b, &device::VIRTUAL_NAME))
        .build()
}

fn reservation(b: &Object) -> LaunchTemplateCapacityReservationSpecificationRequest {
    let target = b.block(&reservation::TARGET).map(|t| {
        CapacityReservationTarget::builder()
            .set_capacity_reservation_id(text(&t, &reservation_target::ID))
            .set_capacity_reservation_resource_group_arn(text(&t, &reservation_target::GROUP))
            .build()
    });
    LaunchTemplateCapacityReservationSpecificationRequest::builder()
        .set_capacity_reservation_preference(named(b, &reservation::PREFERENCE))
        .set_capacity_reservation_target(target)
        .build()
}

fn cpu_options(b: &Object) -> LaunchTemplateCpuOptionsRequest {
    LaunchTemplateCpuOptionsRequest::builder()
        .set_amd_sev_snp(named(b, &cpu::AMD_SEV_SNP))
        .set_core_count(count(b, &cpu::CORES))
        .set_threads_per_core(count(b, &cpu::THREADS))
        .build()
}

fn market_options(b: &Object) -> LaunchTemplateInstanceMarketOptionsRequest {
    let spot = b.block(&market::SPOT).map(|s| {
        let until = text(&s, &spot::VALID_UNTIL).and_then(|t| t.parse::<jiff::Timestamp>().ok());
        LaunchTemplateSpotMarketOptionsRequest::builder()
            .set_block_duration_minutes(count(&s, &spot::BLOCK_MINUTES))
            .set_instance_interruption_behavior(named(&s, &spot::INTERRUPTION))
            .set_max_price(text(&s, &spot::MAX_PRICE))
            .set_spot_instance_type(named(&s, &spot::TYPE))
            .set_valid_until(until.map(|t| aws_smithy_types::DateTime::from_secs(t.as_second())))
            .build()
    });
    LaunchTemplateInstanceMarketOptionsRequest::builder()
        .set_market_type(named(b, &market::TYPE))
        .set_spot_options(spot)
        .build()
}

/// `{ min, max }` blocks: each of AWS's types for them is another one.
macro_rules! range {
    ($object:expr, $attr:expr, $request:ident, int) => {
        $object
            .block(&$attr)
            .map(|r| $request::builder().set_min(int(&r, &range::MIN)).set_max(int(&r, &range::MAX)).build())
    };
    ($object:expr, $attr:expr, $request:ident, float) => {
        $object.block(&$attr).map(|r| {
            let (min, max) = (r.get(&float_range::MIN), r.get(&float_range::MAX));
            $request::builder().set_min(min).set_max(max).build()
        })
    };
}

fn instance_requirements(b: &Object) -> InstanceRequirementsRequest {
    use requirements as r;
    InstanceRequirementsRequest::builder()
        .set_accelerator_count(range!(b, r::ACCELERATOR_COUNT, AcceleratorCountRequest, int))
        .set_accelerator_manufacturers(all_named(b, &r::ACCELERATOR_MANUFACTURERS))
        .set_accelerator_names(all_named(b, &r::ACCELERATOR_NAMES))
        .set_accelerator_total_memory_mib(range!(
            b,
            r::ACCELERATOR_MEMORY,
            AcceleratorTotalMemoryMiBRequest,
            int
        ))
        .set_accelerator_types(all_named(b, &r::ACCELERATOR_TYPES))
        .set_allowed_instance_types(some(b.all(&r::ALLOWED)))
        .set_bare_metal(named(b, &r::BARE_METAL))
        .set_baseline_ebs_bandwidth_mbps(range!(b, r::EBS_BANDWIDTH, BaselineEbsBandwidthMbpsRequest, int))
        .set_burstable_performance(named(b, &r::BURSTABLE))
        .set_cpu_manufacturers(all_named(b, &r::CPU_MANUFACTURERS))
        .set_excluded_instance_types(some(b.all(&r::EXCLUDED)))
        .set_instance_generations(all_named(b, &r::GENERATIONS))
        .set_local_storage(named(b, &r::LOCAL_STORAGE))
        .set_local_storage_types(all_named(b, &r::LOCAL_STORAGE_TYPES))
        .set_max_spot_price_as_percentage_of_optimal_on_demand_price(count(b, &r::MAX_SPOT_OF_ON_DEMAND))
        .set_memory_gib_per_v_cpu(range!(b, r::MEMORY_PER_VCPU, MemoryGiBPerVCpuRequest, float))
        .set_memory_mib(range!(b, r::MEMORY, MemoryMiBRequest, int))
        .set_network_bandwidth_gbps(range!(b, r::NETWORK_BANDWIDTH, NetworkBandwidthGbpsRequest, float))
        .set_network_interface_count(range!(b, r::INTERFACE_COUNT, NetworkInterfaceCountRequest, int))
        .set_on_demand_max_price_percentage_over_lowest_price(count(b, &r::ON_DEMAND_OVER_LOWEST))
        .set_require_hibernate_support(b.get(&r::HIBERNATE).filter(|on| *on))
        .set_spot_max_price_percentage_over_lowest_price(count(b, &r::SPOT_OVER_LOWEST))
        .set_total_local_storage_gb(range!(b, r::LOCAL_STORAGE_GB, TotalLocalStorageGbRequest, float))
        .set_v_cpu_count(range!(b, r::VCPU_COUNT, VCpuCountRangeRequest, int))
        .build()
}

fn metadata_options(b: &Object) -> LaunchTemplateInstanceMetadataOptionsRequest {
    LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .set_http_endpoint(named(b, &metadata::ENDPOINT))
        .set_http_protocol_ipv6(named(b, &metadata::IPV6))
        .set_http_put_response_hop_limit(count(b, &metadata::HOP_LIMIT))
        .set_http_tokens(named(b, &metadata::TOKENS))
        .set_instance_metadata_tags(named(b, &metadata::TAGS))
        .build()
}

fn network_interface(b: &Object) -> LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
    let ipv6 = |a: &String| InstanceIpv6AddressRequest::builder().ipv6_address(a).build();
    let prefix4 = |p: &String| Ipv4PrefixSpecificationRequest::builder().ipv4_prefix(p).build();
    let prefix6 = |p: &String| Ipv6PrefixSpecificationRequest::builder().ipv6_prefix(p).build();
    let primary = text(b, &interface::PRIVATE_IP);
    let ipv4 = |a: &String| {
        let is_primary = primary.as_ref() == Some(a);
        PrivateIpAddressSpecification::builder().private_ip_address(a).primary(is_primary).build()
    };
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .set_associate_carrier_ip_address(flag(b, &interface::CARRIER_IP))
        .set_associate_public_ip_address(flag(b, &interface::PUBLIC_IP))
        .set_connection_tracking_specification(b.block(&interface::TRACKING).map(|t| {
            ConnectionTrackingSpecificationRequest::builder()
                .set_tcp_established_timeout(count(&t, &tracking::TCP_ESTABLISHED))
                .set_udp_stream_timeout(count(&t, &tracking::UDP_STREAM))
                .set_udp_timeout(count(&t, &tracking::UDP))
                .build()
        }))
        .set_delete_on_termination(flag(b, &interface::DELETE_ON_TERMINATION))
        .set_description(text(b, &interface::DESCRIPTION))
        // RunInstances needs it of every interface.
        .device_index(int(b, &interface::DEVICE_INDEX).unwrap_or(0))
        .set_ena_srd_specification(b.block(&interface::ENA_SRD).map(|e| {
            let udp = e.block(&ena_srd::UDP).map(|u| {
                EnaSrdUdpSpecificationRequest::builder()
                    .set_ena_srd_udp_enabled(u.get(&ena_srd_udp::ENABLED))
                    .build()
            });
            EnaSrdSpecificationRequest::builder()
                .set_ena_srd_enabled(e.get(&ena_srd::ENABLED))
                .set_ena_srd_udp_specification(udp)
                .build()
        }))
        .set_interface_type(text(b, &interface::TYPE))
        .set_secondary_private_ip_address_count(count(b, &interface::IPV4_COUNT))
        .set_private_ip_address(primary.clone())
        .set_private_ip_addresses(some(b.all(&interface::IPV4_ADDRESSES).iter().map(ipv4).collect()))
        .set_ipv4_prefix_count(count(b, &interface::IPV4_PREFIX_COUNT))
        .set_ipv4_prefixes(some(b.all(&interface::IPV4_PREFIXES).iter().map(prefix4).collect()))
        .set_ipv6_address_count(count(b, &interface::IPV6_COUNT))
        .set_ipv6_addresses(some(b.all(&interface::IPV6_ADDRESSES).iter().map(ipv6).collect()))
        .set_ipv6_prefix_count(count(b, &interface::IPV6_PREFIX_COUNT))
        .set_ipv6_prefixes(some(b.all(&interface::IPV6_PREFIXES).iter().map(prefix6).collect()))
        .set_network_card_index(int(b, &interface::CARD_INDEX))
        .set_network_interface_id(text(b, &interface::INTERFACE_ID))
        .set_primary_ipv6(flag(b, &interface::PRIMARY_IPV6))
        .set_groups(some(b.all(&interface::GROUPS)))
        .set_subnet_id(text(b, &interface::SUBNET_ID))
        .build()
}

fn placement_options(b: &Object) -> LaunchTemplatePlacementRequest {
    LaunchTemplatePlacementRequest::builder()
        .set_affinity(text(b, &placement::AFFINITY))
        .set_availability_zone(text(b, &placement::ZONE))
        .set_group_name(text(b, &placement::GROUP_NAME))
        .set_host_id(text(b, &placement::HOST_ID))
        .set_host_resource_group_arn(text(b, &placement::HOST_GROUP))
        .set_partition_number(count(b, &placement::PARTITION))
        .set_spread_domain(text(b, &placement::SPREAD_DOMAIN))
        .set_tenancy(named(b, &placement::TENANCY))
        .build()
}

fn tags(b: &Object) -> LaunchTemplateTagSpecificationRequest {
    let tags = b.all(&tag_specification::TAGS).into_iter();
    LaunchTemplateTagSpecificationRequest::builder()
        .set_resource_type(named(b, &tag_specification::RESOURCE_TYPE))
        .set_tags(some(tags.map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()))
        .build()
}
