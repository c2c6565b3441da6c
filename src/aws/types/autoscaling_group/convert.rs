//! Blocks of an Auto Scaling group to AWS's types and back.

use super::table::*;
use crate::aws::types::ecs::{small, some};
use crate::schema::{Attr, Blocks, Object, StrSet};
use aws_sdk_autoscaling::types as sdk;

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty())
}

/// `version` is resolved by the caller: never `$Latest`, which would launch what was not rolled out.
pub fn launch_template(b: &Object, version: Option<String>) -> sdk::LaunchTemplateSpecification {
    let id = filled(b.get(&template::ID));
    let name = filled(b.get(&template::NAME)).filter(|_| id.is_none());
    let spec = sdk::LaunchTemplateSpecification::builder();
    spec.set_launch_template_id(id).set_launch_template_name(name).set_version(version).build()
}

pub fn specification(b: &Object, version: Option<String>) -> sdk::LaunchTemplateSpecification {
    let id = filled(b.get(&template::TEMPLATE_ID));
    let name = filled(b.get(&template::TEMPLATE_NAME)).filter(|_| id.is_none());
    let spec = sdk::LaunchTemplateSpecification::builder();
    spec.set_launch_template_id(id).set_launch_template_name(name).set_version(version).build()
}

pub fn mixed_policy(b: &Object, version: Option<String>) -> sdk::MixedInstancesPolicy {
    let template = b.block(&mixed::TEMPLATE).unwrap_or_default();
    let main = template.block(&mixed::SPECIFICATION).unwrap_or_default();
    let overrides = template.all(&mixed::OVERRIDE).iter().map(template_override).collect();
    let launch = sdk::LaunchTemplate::builder()
        .launch_template_specification(specification(&main, version))
        .set_overrides(some(overrides))
        .build();
    let spread = b.block(&mixed::DISTRIBUTION).map(|d| {
        sdk::InstancesDistribution::builder()
            .set_on_demand_allocation_strategy(d.get(&distribution::ON_DEMAND_ALLOCATION_STRATEGY))
            .set_on_demand_base_capacity(small(d.get(&distribution::ON_DEMAND_BASE_CAPACITY)))
            .set_on_demand_percentage_above_base_capacity(small(d.get(&distribution::ON_DEMAND_PERCENTAGE)))
            .set_spot_allocation_strategy(d.get(&distribution::SPOT_ALLOCATION_STRATEGY))
            .set_spot_instance_pools(small(d.get(&distribution::SPOT_INSTANCE_POOLS)).filter(|p| *p > 0))
            // An empty text takes a maximum away.
            .set_spot_max_price(Some(d.get(&distribution::SPOT_MAX_PRICE).unwrap_or_default()))
            .build()
    });
    sdk::MixedInstancesPolicy::builder().launch_template(launch).set_instances_distribution(spread).build()
}

fn template_override(b: &Object) -> sdk::LaunchTemplateOverrides {
    let spec = b.block(&mixed::OVERRIDE_SPECIFICATION);
    sdk::LaunchTemplateOverrides::builder()
        .set_instance_type(filled(b.get(&mixed::INSTANCE_TYPE)))
        .set_weighted_capacity(filled(b.get(&mixed::WEIGHTED_CAPACITY)))
        .set_launch_template_specification(
            spec.map(|s| specification(&s, filled(s.get(&template::TEMPLATE_VERSION)))),
        )
        .set_instance_requirements(b.block(&mixed::INSTANCE_REQUIREMENTS).map(|r| instance_requirements(&r)))
        .build()
}

/// A block with `min` and `max` to AWS's type, which has its own name for each.
macro_rules! range {
    ($block:expr, $attr:expr, $kind:ident) => {
        $block.block(&$attr).map(|r| {
            sdk::$kind::builder()
                .set_min(small(r.get(&requirements::MIN)))
                .set_max(small(r.get(&requirements::MAX)))
                .build()
        })
    };
    (float $block:expr, $attr:expr, $kind:ident) => {
        $block.block(&$attr).map(|r| {
            sdk::$kind::builder()
                .set_min(r.get(&requirements::MIN_F))
                .set_max(r.get(&requirements::MAX_F))
                .build()
        })
    };
}

fn instance_requirements(b: &Object) -> sdk::InstanceRequirements {
    fn kinds<T: for<'a> From<&'a str>>(b: &Object, attr: &Attr<StrSet>) -> Option<Vec<T>> {
        some(b.all(attr).iter().map(|s| T::from(s.as_str())).collect())
    }
    sdk::InstanceRequirements::builder()
        .set_v_cpu_count(range!(b, requirements::VCPU_COUNT, VCpuCountRequest))
        .set_memory_mib(range!(b, requirements::MEMORY_MIB, MemoryMiBRequest))
        .set_cpu_manufacturers(kinds(b, &requirements::CPU_MANUFACTURERS))
        .set_memory_gib_per_v_cpu(range!(float b, requirements::MEMORY_GIB_PER_VCPU, MemoryGiBPerVCpuRequest))
        .set_excluded_instance_types(some(b.all(&requirements::EXCLUDED_INSTANCE_TYPES)))
        .set_allowed_instance_types(some(b.all(&requirements::ALLOWED_INSTANCE_TYPES)))
        .set_instance_generations(kinds(b, &requirements::INSTANCE_GENERATIONS))
        .set_spot_max_price_percentage_over_lowest_price(small(b.get(&requirements::SPOT_OVER_LOWEST)))
        .set_max_spot_price_as_percentage_of_optimal_on_demand_price(small(
            b.get(&requirements::MAX_SPOT_OF_ON_DEMAND),
        ))
        .set_on_demand_max_price_percentage_over_lowest_price(small(
            b.get(&requirements::ON_DEMAND_OVER_LOWEST),
        ))
        .set_bare_metal(b.get(&requirements::BARE_METAL).map(|s| s.as_str().into()))
        .set_burstable_performance(b.get(&requirements::BURSTABLE).map(|s| s.as_str().into()))
        .set_require_hibernate_support(b.get(&requirements::HIBERNATE))
        .set_network_interface_count(range!(
            b,
            requirements::NETWORK_INTERFACES,
            NetworkInterfaceCountRequest
        ))
        .set_local_storage(b.get(&requirements::LOCAL_STORAGE).map(|s| s.as_str().into()))
        .set_local_storage_types(kinds(b, &requirements::LOCAL_STORAGE_TYPES))
        .set_total_local_storage_gb(
            range!(float b, requirements::LOCAL_STORAGE_GB, TotalLocalStorageGbRequest),
        )
        .set_baseline_ebs_bandwidth_mbps(range!(
            b,
            requirements::BASELINE_EBS,
            BaselineEbsBandwidthMbpsRequest
        ))
        .set_accelerator_types(kinds(b, &requirements::ACCELERATOR_TYPES))
        .set_accelerator_count(range!(b, requirements::ACCELERATOR_COUNT, AcceleratorCountRequest))
        .set_accelerator_manufacturers(kinds(b, &requirements::ACCELERATOR_MANUFACTURERS))
        .set_accelerator_names(kinds(b, &requirements::ACCELERATOR_NAMES))
        .set_accelerator_total_memory_mib(range!(
            b,
            requirements::ACCELERATOR_MEMORY,
            AcceleratorTotalMemoryMiBRequest
        ))
        .set_network_bandwidth_gbps(range!(
            float b,
            requirements::NETWORK_BANDWIDTH,
            NetworkBandwidthGbpsRequest
        ))
        .build()
}

pub fn maintenance_policy(want: &Object) -> sdk::InstanceMaintenancePolicy {
    let b = want.block(&INSTANCE_MAINTENANCE_POLICY);
    // -1 and -1 take the policy away.
    let value = |attr| b.as_ref().and_then(|b| small(b.get(attr))).unwrap_or(-1);
    sdk::InstanceMaintenancePolicy::builder()
        .min_healthy_percentage(value(&maintenance::MIN_HEALTHY))
        .max_healthy_percentage(value(&maintenance::MAX_HEALTHY))
        .build()
}

pub fn zone_distribution(want: &Object) -> Option<sdk::AvailabilityZoneDistribution> {
    let strategy = want.block(&AVAILABILITY_ZONE_DISTRIBUTION)?.get(&zones::STRATEGY)?;
    let distribution = sdk::AvailabilityZoneDistribution::builder();
    Some(distribution.capacity_distribution_strategy(strategy.as_str().into()).build())
}

pub fn capacity_reservation(want: &Object) -> Option<sdk::CapacityReservationSpecification> {
    let b = want.block(&CAPACITY_RESERVATION)?;
    let target = b.block(&reservation::TARGET).map(|t| {
        sdk::CapacityReservationTarget::builder()
            .set_capacity_reservation_ids(some(t.all(&reservation::IDS)))
            .set_capacity_reservation_resource_group_arns(some(t.all(&reservation::GROUP_ARNS)))
            .build()
    });
    Some(
        sdk::CapacityReservationSpecification::builder()
            .set_capacity_reservation_preference(b.get(&reservation::PREFERENCE).map(|p| p.as_str().into()))
            .set_capacity_reservation_target(target)
            .build(),
    )
}

pub fn lifecycle_hooks(want: &Object) -> Vec<sdk::LifecycleHookSpecification> {
    let one = |b: Object| {
        sdk::LifecycleHookSpecification::builder()
            .lifecycle_hook_name(b.need(&hook::NAME))
            .lifecycle_transition(b.need(&hook::TRANSITION))
            .set_default_result(b.get(&hook::DEFAULT_RESULT))
            .set_heartbeat_timeout(small(b.get(&hook::HEARTBEAT_TIMEOUT)).filter(|t| *t > 0))
            .set_notification_metadata(filled(b.get(&hook::NOTIFICATION_METADATA)))
            .set_notification_target_arn(filled(b.get(&hook::NOTIFICATION_TARGET_ARN)))
            .set_role_arn(filled(b.get(&hook::ROLE_ARN)))
            .build()
    };
    want.all(&INITIAL_LIFECYCLE_HOOK).into_iter().map(one).collect()
}

pub fn traffic_sources(o: &Object) -> Vec<sdk::TrafficSourceIdentifier> {
    let one = |b: Object| {
        sdk::TrafficSourceIdentifier::builder()
            .identifier(b.need(&traffic::IDENTIFIER))
            .set_type(filled(b.get(&traffic::TYPE)))
            .build()
    };
    o.all(&TRAFFIC_SOURCE).into_iter().map(one).collect()
}

pub fn tag(group: &str, key: &str, value: &str, propagate: bool) -> sdk::Tag {
    sdk::Tag::builder()
        .resource_id(group)
        .resource_type("auto-scaling-group")
        .key(key)
        .value(value)
        .propagate_at_launch(propagate)
        .build()
}

// ---- back ----

pub fn launch_template_block(t: &sdk::LaunchTemplateSpecification, version: Option<&str>) -> Object {
    let mut o = Object::new();
    o.set(&template::ID, t.launch_template_id())
        .set(&template::NAME, t.launch_template_name())
        .set(&template::VERSION, version.or(t.version()));
    o
}

fn specification_block(t: &sdk::LaunchTemplateSpecification, version: Option<&str>) -> Object {
    let mut o = Object::new();
    o.set(&template::TEMPLATE_ID, t.launch_template_id())
        .set(&template::TEMPLATE_NAME, t.launch_template_name())
        .set(&template::TEMPLATE_VERSION, version.or(t.version()));
    o
}

pub fn mixed_policy_block(p: &sdk::MixedInstancesPolicy, version: Option<&str>) -> Object {
    let spread = p.instances_distribution().map(|d| {
        let mut o = Object::new();
        o.set(&distribution::ON_DEMAND_ALLOCATION_STRATEGY, d.on_demand_allocation_strategy())
            .set(&distribution::ON_DEMAND_BASE_CAPACITY, d.on_demand_base_capacity())
            .set(&distribution::ON_DEMAND_PERCENTAGE, d.on_demand_percentage_above_base_capacity())
            .set(&distribution::SPOT_ALLOCATION_STRATEGY, d.spot_allocation_strategy())
            .set(&distribution::SPOT_INSTANCE_POOLS, d.spot_instance_pools())
            .set(&distribution::SPOT_MAX_PRICE, d.spot_max_price().filter(|p| !p.is_empty()));
        o
    });
    let launch = p.launch_template();
    let main =
        launch.and_then(|l| l.launch_template_specification()).map(|s| specification_block(s, version));
    let overrides = launch.map(|l| l.overrides()).unwrap_or_default();
    let mut template = Object::new();
    template
        .set_blocks(&mixed::SPECIFICATION, main.into_iter().collect())
        .set_blocks(&mixed::OVERRIDE, overrides.iter().map(override_block).collect());
    let mut o = Object::new();
    o.set_blocks(&mixed::DISTRIBUTION, spread.into_iter().collect())
        .set_blocks(&mixed::TEMPLATE, vec![template]);
    o
}

fn override_block(v: &sdk::LaunchTemplateOverrides) -> Object {
    let spec = v.launch_template_specification().map(|s| specification_block(s, None));
    let mut o = Object::new();
    o.set(&mixed::INSTANCE_TYPE, v.instance_type())
        .set(&mixed::WEIGHTED_CAPACITY, v.weighted_capacity())
        .set_blocks(&mixed::OVERRIDE_SPECIFICATION, spec.into_iter().collect())
        .set_blocks(
            &mixed::INSTANCE_REQUIREMENTS,
            v.instance_requirements().map(requirements_block).into_iter().collect(),
        );
    o
}

macro_rules! range_block {
    ($o:ident, $attr:expr, $min:expr, $max:expr, $value:expr) => {
        let block = $value.map(|r| {
            let mut b = Object::new();
            b.set(&$min, r.min()).set(&$max, r.max());
            b
        });
        $o.set_blocks(&$attr, block.into_iter().collect());
    };
}

fn requirements_block(r: &sdk::InstanceRequirements) -> Object {
    use requirements::{MAX, MAX_F, MIN, MIN_F};
    macro_rules! names {
        ($list:expr) => {
            some($list.iter().map(|k| k.as_str().to_owned()).collect::<Vec<String>>())
        };
    }
    let mut o = Object::new();
    o.set(&requirements::CPU_MANUFACTURERS, names!(r.cpu_manufacturers()))
        .set(&requirements::EXCLUDED_INSTANCE_TYPES, names!(r.excluded_instance_types()))
        .set(&requirements::ALLOWED_INSTANCE_TYPES, names!(r.allowed_instance_types()))
        .set(&requirements::INSTANCE_GENERATIONS, names!(r.instance_generations()))
        .set(&requirements::LOCAL_STORAGE_TYPES, names!(r.local_storage_types()))
        .set(&requirements::ACCELERATOR_TYPES, names!(r.accelerator_types()))
        .set(&requirements::ACCELERATOR_MANUFACTURERS, names!(r.accelerator_manufacturers()))
        .set(&requirements::ACCELERATOR_NAMES, names!(r.accelerator_names()))
        .set(&requirements::BARE_METAL, r.bare_metal().map(|k| k.as_str()))
        .set(&requirements::BURSTABLE, r.burstable_performance().map(|k| k.as_str()))
        .set(&requirements::LOCAL_STORAGE, r.local_storage().map(|k| k.as_str()))
        .set(&requirements::HIBERNATE, r.require_hibernate_support())
        .set(&requirements::SPOT_OVER_LOWEST, r.spot_max_price_percentage_over_lowest_price())
        .set(
            &requirements::MAX_SPOT_OF_ON_DEMAND,
            r.max_spot_price_as_percentage_of_optimal_on_demand_price(),
        )
        .set(&requirements::ON_DEMAND_OVER_LOWEST, r.on_demand_max_price_percentage_over_lowest_price());
    range_block!(o, requirements::VCPU_COUNT, MIN, MAX, r.v_cpu_count());
    range_block!(o, requirements::MEMORY_MIB, MIN, MAX, r.memory_mib());
    range_block!(o, requirements::NETWORK_INTERFACES, MIN, MAX, r.network_interface_count());
    range_block!(o, requirements::BASELINE_EBS, MIN, MAX, r.baseline_ebs_bandwidth_mbps());
    range_block!(o, requirements::ACCELERATOR_COUNT, MIN, MAX, r.accelerator_count());
    range_block!(o, requirements::ACCELERATOR_MEMORY, MIN, MAX, r.accelerator_total_memory_mib());
    range_block!(o, requirements::MEMORY_GIB_PER_VCPU, MIN_F, MAX_F, r.memory_gib_per_v_cpu());
    range_block!(o, requirements::LOCAL_STORAGE_GB, MIN_F, MAX_F, r.total_local_storage_gb());
    range_block!(o, requirements::NETWORK_BANDWIDTH, MIN_F, MAX_F, r.network_bandwidth_gbps());
    o
}

pub fn reservation_block(r: &sdk::CapacityReservationSpecification) -> Object {
    let target = r.capacity_reservation_target().map(|t| {
        let mut o = Object::new();
        o.set(&reservation::IDS, some(t.capacity_reservation_ids().to_vec()))
            .set(&reservation::GROUP_ARNS, some(t.capacity_reservation_resource_group_arns().to_vec()));
        o
    });
    let mut o = Object::new();
    o.set(&reservation::PREFERENCE, r.capacity_reservation_preference().map(|p| p.as_str()))
        .set_blocks(&reservation::TARGET, target.into_iter().collect());
    o
}

pub fn warm_pool_block(w: &sdk::WarmPoolConfiguration) -> Object {
    let reuse = w.instance_reuse_policy().map(|r| {
        let mut o = Object::new();
        o.set(&warm::REUSE, r.reuse_on_scale_in().unwrap_or(false));
        o
    });
    let mut o = Object::new();
    o.set(&warm::MAX_PREPARED, w.max_group_prepared_capacity().unwrap_or(-1))
        .set(&warm::MIN_SIZE, w.min_size().unwrap_or(0))
        .set(&warm::POOL_STATE, w.pool_state().map_or("Stopped", |s| s.as_str()))
        .set_blocks(&warm::REUSE_POLICY, reuse.into_iter().collect());
    o
}

/// The set blocks of a group that need no more than a line each.
pub fn set_small_blocks(o: &mut Object, g: &sdk::AutoScalingGroup) {
    let one = |attr: &Attr<Blocks>, o: &mut Object, b: Option<Object>| {
        o.set_blocks(attr, b.into_iter().collect());
    };
    let policy = g.instance_maintenance_policy().filter(|p| p.min_healthy_percentage().unwrap_or(-1) >= 0);
    let policy = policy.map(|p| {
        let mut b = Object::new();
        b.set(&maintenance::MIN_HEALTHY, p.min_healthy_percentage())
            .set(&maintenance::MAX_HEALTHY, p.max_healthy_percentage());
        b
    });
    one(&INSTANCE_MAINTENANCE_POLICY, o, policy);
    let zones = g.availability_zone_distribution().and_then(|d| d.capacity_distribution_strategy());
    let zones = zones.map(|s| {
        let mut b = Object::new();
        b.set(&zones::STRATEGY, s.as_str());
        b
    });
    one(&AVAILABILITY_ZONE_DISTRIBUTION, o, zones);
    one(&CAPACITY_RESERVATION, o, g.capacity_reservation_specification().map(reservation_block));
    one(&WARM_POOL, o, g.warm_pool_configuration().filter(|w| w.status().is_none()).map(warm_pool_block));
    let source = |t: &sdk::TrafficSourceIdentifier| {
        let mut b = Object::new();
        b.set(&traffic::IDENTIFIER, t.identifier()).set(&traffic::TYPE, t.r#type());
        b
    };
    o.set_blocks(&TRAFFIC_SOURCE, g.traffic_sources().iter().map(source).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_policy_survives_the_way_to_aws_types_and_back() {
        let mut range = Object::new();
        range.set(&requirements::MIN, 2i64);
        let mut needs = Object::new();
        needs
            .set_blocks(&requirements::VCPU_COUNT, vec![range.clone()])
            .set_blocks(&requirements::MEMORY_MIB, vec![range])
            .set(&requirements::CPU_MANUFACTURERS, vec!["amd".to_owned()]);
        let (mut by_type, mut by_needs, mut spec) = (Object::new(), Object::new(), Object::new());
        by_type.set(&mixed::INSTANCE_TYPE, "t3.micro").set(&mixed::WEIGHTED_CAPACITY, "2");
        by_needs.set_blocks(&mixed::INSTANCE_REQUIREMENTS, vec![needs]);
        spec.set(&template::TEMPLATE_ID, "lt-1").set(&template::TEMPLATE_VERSION, "3");
        let mut launch = Object::new();
        launch
            .set_blocks(&mixed::SPECIFICATION, vec![spec])
            .set_blocks(&mixed::OVERRIDE, vec![by_type, by_needs]);
        let (mut spread, mut policy) = (Object::new(), Object::new());
        spread.set(&distribution::ON_DEMAND_BASE_CAPACITY, 1i64);
        policy.set_blocks(&mixed::DISTRIBUTION, vec![spread]).set_blocks(&mixed::TEMPLATE, vec![launch]);
        let (mut want, mut live) = (Object::new(), Object::new());
        want.set_blocks(&MIXED_INSTANCES_POLICY, vec![policy.clone()]);
        let sent = mixed_policy(&policy, Some("3".to_owned()));
        live.set_blocks(&MIXED_INSTANCES_POLICY, vec![mixed_policy_block(&sent, None)]);
        assert_eq!(live, want);
    }
}
