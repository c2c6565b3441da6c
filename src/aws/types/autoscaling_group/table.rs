//! The attributes of `aws_autoscaling_group` and the rules between them.

use crate::aws::arn;
use crate::aws::types::timeouts::{TIMEOUTS_UPDATE_DELETE, is_duration};
use crate::schema::{Object, attributes, second_name};
use crate::value::Value;

pub mod distribution {
    use super::*;
    attributes! {
        TABLE:
        ON_DEMAND_ALLOCATION_STRATEGY: Str = optional_computed("on_demand_allocation_strategy");
        ON_DEMAND_BASE_CAPACITY: Int = optional_computed("on_demand_base_capacity").range(0, 100_000);
        ON_DEMAND_PERCENTAGE: Int = optional_computed("on_demand_percentage_above_base_capacity").range(0, 100);
        SPOT_ALLOCATION_STRATEGY: Str = optional_computed("spot_allocation_strategy");
        SPOT_INSTANCE_POOLS: Int = optional_computed("spot_instance_pools").range(0, 20);
        SPOT_MAX_PRICE: Str = optional("spot_max_price");
    }
}

pub mod template {
    use super::*;
    attributes! {
        TABLE:
        ID: Str = optional_computed("id");
        NAME: Str = optional_computed("name");
        VERSION: Str = optional_computed("version").doc("A number, `$Latest` or `$Default`");
    }
    attributes! {
        SPECIFICATION_TABLE:
        TEMPLATE_ID: Str = optional_computed("launch_template_id");
        TEMPLATE_NAME: Str = optional_computed("launch_template_name");
        TEMPLATE_VERSION: Str = optional_computed("version");
    }
}

pub mod requirements {
    use super::*;
    attributes! {
        INT_RANGE:
        MIN: Int = optional("min");
        MAX: Int = optional("max");
    }
    attributes! {
        FLOAT_RANGE:
        MIN_F: Float = optional("min");
        MAX_F: Float = optional("max");
    }
    const CHOICE: &[&str] = &["included", "excluded", "required"];
    attributes! {
        TABLE:
        ACCELERATOR_COUNT: Blocks = optional("accelerator_count").single(&INT_RANGE);
        ACCELERATOR_MANUFACTURERS: StrSet = optional("accelerator_manufacturers");
        ACCELERATOR_NAMES: StrSet = optional("accelerator_names");
        ACCELERATOR_MEMORY: Blocks = optional("accelerator_total_memory_mib").single(&INT_RANGE);
        ACCELERATOR_TYPES: StrSet = optional("accelerator_types");
        ALLOWED_INSTANCE_TYPES: StrSet = optional("allowed_instance_types");
        BARE_METAL: Str = optional("bare_metal").one_of(CHOICE);
        BASELINE_EBS: Blocks = optional("baseline_ebs_bandwidth_mbps").single(&INT_RANGE);
        BURSTABLE: Str = optional("burstable_performance").one_of(CHOICE);
        CPU_MANUFACTURERS: StrSet = optional("cpu_manufacturers");
        EXCLUDED_INSTANCE_TYPES: StrSet = optional("excluded_instance_types");
        INSTANCE_GENERATIONS: StrSet = optional("instance_generations");
        LOCAL_STORAGE: Str = optional("local_storage").one_of(CHOICE);
        LOCAL_STORAGE_TYPES: StrSet = optional("local_storage_types");
        MAX_SPOT_OF_ON_DEMAND: Int = optional("max_spot_price_as_percentage_of_optimal_on_demand_price");
        MEMORY_GIB_PER_VCPU: Blocks = optional("memory_gib_per_vcpu").single(&FLOAT_RANGE);
        MEMORY_MIB: Blocks = optional("memory_mib").single(&INT_RANGE);
        NETWORK_BANDWIDTH: Blocks = optional("network_bandwidth_gbps").single(&FLOAT_RANGE);
        NETWORK_INTERFACES: Blocks = optional("network_interface_count").single(&INT_RANGE);
        ON_DEMAND_OVER_LOWEST: Int = optional("on_demand_max_price_percentage_over_lowest_price");
        HIBERNATE: Bool = optional("require_hibernate_support");
        SPOT_OVER_LOWEST: Int = optional("spot_max_price_percentage_over_lowest_price");
        LOCAL_STORAGE_GB: Blocks = optional("total_local_storage_gb").single(&FLOAT_RANGE);
        VCPU_COUNT: Blocks = optional("vcpu_count").single(&INT_RANGE);
    }
}

pub mod mixed {
    use super::*;
    attributes! {
        OVERRIDE_TABLE:
        INSTANCE_TYPE: Str = optional("instance_type");
        WEIGHTED_CAPACITY: Str = optional("weighted_capacity");
        INSTANCE_REQUIREMENTS: Blocks = optional("instance_requirements").single(&requirements::TABLE);
        OVERRIDE_SPECIFICATION: Blocks = optional("launch_template_specification")
            .single(&template::SPECIFICATION_TABLE);
    }
    attributes! {
        TEMPLATE_TABLE:
        SPECIFICATION: Blocks = required("launch_template_specification")
            .single(&template::SPECIFICATION_TABLE).min_items(1);
        OVERRIDE: Blocks = optional_computed("override").list(&OVERRIDE_TABLE);
    }
    attributes! {
        TABLE:
        DISTRIBUTION: Blocks = optional_computed("instances_distribution").single(&distribution::TABLE);
        TEMPLATE: Blocks = required("launch_template").single(&TEMPLATE_TABLE).min_items(1);
    }
}

pub mod refresh {
    use super::*;

    /// Seconds as text; empty is none.
    fn seconds(value: &Value) -> Result<(), String> {
        let text = value.as_str().unwrap_or("");
        if text.is_empty() || text.parse::<u32>().is_ok() {
            Ok(())
        } else {
            Err("must be a number of seconds".into())
        }
    }

    attributes! {
        ALARM_TABLE:
        ALARMS: StrList = optional("alarms");
    }
    attributes! {
        PREFERENCES_TABLE:
        MIN_HEALTHY: Int = optional("min_healthy_percentage").default_int(90).range(0, 100);
        MAX_HEALTHY: Int = optional("max_healthy_percentage").default_int(100).range(100, 200);
        INSTANCE_WARMUP: Str = optional("instance_warmup").check(seconds);
        CHECKPOINT_PERCENTAGES: IntList = optional("checkpoint_percentages");
        CHECKPOINT_DELAY: Str = optional("checkpoint_delay").check(seconds);
        SKIP_MATCHING: Bool = optional("skip_matching").default_bool(false);
        AUTO_ROLLBACK: Bool = optional("auto_rollback");
        SCALE_IN_PROTECTED: Str = optional("scale_in_protected_instances").default_str("Ignore")
            .one_of(&["Refresh", "Ignore", "Wait"]);
        STANDBY: Str = optional("standby_instances").default_str("Ignore")
            .one_of(&["Terminate", "Ignore", "Wait"]);
        ALARM_SPECIFICATION: Blocks = optional("alarm_specification").single(&ALARM_TABLE);
    }
    attributes! {
        TABLE:
        STRATEGY: Str = required("strategy").one_of(&["Rolling"]);
        TRIGGERS: StrSet = optional("triggers").check(triggers);
        PREFERENCES: Blocks = optional("preferences").single(&PREFERENCES_TABLE);
    }

    fn triggers(value: &Value) -> Result<(), String> {
        let mut names = value.as_slice().unwrap_or_default().iter().filter_map(Value::as_str);
        match names.find(|n| super::TABLE.row(n).is_none() && *n != "tags") {
            Some(bad) => Err(format!("must name attributes of aws_autoscaling_group, `{bad}` is none")),
            None => Ok(()),
        }
    }
}

pub mod reservation {
    use super::*;
    attributes! {
        TARGET_TABLE:
        IDS: StrList = optional("capacity_reservation_ids");
        GROUP_ARNS: StrList = optional("capacity_reservation_resource_group_arns");
    }
    attributes! {
        TABLE:
        PREFERENCE: Str = optional_computed("capacity_reservation_preference")
            .one_of(&["capacity-reservations-only", "capacity-reservations-first", "none", "default"]);
        TARGET: Blocks = optional("capacity_reservation_target").single(&TARGET_TABLE);
    }
}

pub mod hook {
    use super::*;
    attributes! {
        TABLE:
        NAME: Str = required("name");
        TRANSITION: Str = required("lifecycle_transition")
            .one_of(&["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"]);
        DEFAULT_RESULT: Str = optional_computed("default_result").one_of(&["ABANDON", "CONTINUE"]);
        HEARTBEAT_TIMEOUT: Int = optional("heartbeat_timeout").range(30, 7200);
        NOTIFICATION_METADATA: Str = optional("notification_metadata");
        NOTIFICATION_TARGET_ARN: Str = optional("notification_target_arn").check(arn::check);
        ROLE_ARN: Str = optional("role_arn").check(arn::check);
    }
}

pub mod maintenance {
    use super::*;
    attributes! {
        TABLE:
        MAX_HEALTHY: Int = required("max_healthy_percentage").range(-1, 200);
        MIN_HEALTHY: Int = required("min_healthy_percentage").range(-1, 100);
    }
}

pub mod zones {
    use super::*;
    attributes! {
        TABLE:
        STRATEGY: Str = optional("capacity_distribution_strategy")
            .one_of(&["balanced-only", "balanced-best-effort"]);
    }
}

pub mod tag {
    use super::*;
    attributes! {
        TABLE:
        KEY: Str = required("key");
        VALUE: Str = required("value");
        PROPAGATE: Bool = required("propagate_at_launch");
    }
}

pub mod traffic {
    use super::*;
    attributes! {
        TABLE:
        IDENTIFIER: Str = required("identifier");
        TYPE: Str = optional("type");
    }
}

pub mod warm {
    use super::*;
    attributes! {
        REUSE_TABLE:
        REUSE: Bool = optional("reuse_on_scale_in").default_bool(false);
    }
    attributes! {
        TABLE:
        MAX_PREPARED: Int = optional("max_group_prepared_capacity").default_int(-1).range(-1, 100_000);
        MIN_SIZE: Int = optional("min_size").default_int(0).range(0, 100_000);
        POOL_STATE: Str = optional("pool_state").default_str("Stopped")
            .one_of(&["Stopped", "Running", "Hibernated"]);
        REUSE_POLICY: Blocks = optional("instance_reuse_policy").single(&REUSE_TABLE);
    }
}

pub const LONGEST_NAME: usize = 255;

attributes! {
    TABLE [TIMEOUTS_UPDATE_DELETE]:
    NAME: Str = optional_computed("name").replaces().same(second_name::same::<LONGEST_NAME>).conflicts_with(&["name_prefix"])
        .check(|v| at_most(v, 255));
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().check(|v| at_most(v, 229));
    MIN_SIZE: Int = required("min_size");
    MAX_SIZE: Int = required("max_size");
    DESIRED_CAPACITY: Int = optional_computed("desired_capacity").owned_elsewhere(capacity_is_owned);
    SCALED_BY: Str = computed("scaled_by")
        .doc("What moves the desired capacity: an ECS capacity provider or scaling policies (Cutover's own)");
    DESIRED_CAPACITY_TYPE: Str = optional("desired_capacity_type").one_of(&["units", "vcpu", "memory-mib"]);
    LAUNCH_CONFIGURATION: Str = optional("launch_configuration")
        .conflicts_with(&["launch_template", "mixed_instances_policy"]);
    LAUNCH_TEMPLATE: Blocks = optional_computed("launch_template").single(&template::TABLE)
        .conflicts_with(&["mixed_instances_policy"]);
    MIXED_INSTANCES_POLICY: Blocks = optional_computed("mixed_instances_policy").single(&mixed::TABLE);
    INSTANCE_REFRESH: Blocks = optional("instance_refresh").single(&refresh::TABLE).local()
        .doc("How instances are replaced when the launch template or the instance types change");
    VPC_ZONE_IDENTIFIER: StrSet = optional_computed("vpc_zone_identifier");
    AVAILABILITY_ZONES: StrSet = optional_computed("availability_zones")
        .conflicts_with(&["vpc_zone_identifier"]);
    AVAILABILITY_ZONE_DISTRIBUTION: Blocks =
        optional_computed("availability_zone_distribution").single(&zones::TABLE);
    TARGET_GROUP_ARNS: StrSet = optional_computed("target_group_arns").conflicts_with(&["traffic_source"]);
    LOAD_BALANCERS: StrSet = optional_computed("load_balancers").conflicts_with(&["traffic_source"]);
    TRAFFIC_SOURCE: Blocks = optional_computed("traffic_source").set(&traffic::TABLE);
    HEALTH_CHECK_TYPE: Str = optional_computed("health_check_type");
    HEALTH_CHECK_GRACE_PERIOD: Int = optional("health_check_grace_period").default_int(300);
    DEFAULT_COOLDOWN: Int = optional_computed("default_cooldown");
    DEFAULT_INSTANCE_WARMUP: Int = optional("default_instance_warmup");
    PROTECT_FROM_SCALE_IN: Bool = optional("protect_from_scale_in").default_bool(false);
    CAPACITY_REBALANCE: Bool = optional("capacity_rebalance");
    CAPACITY_RESERVATION: Blocks =
        optional_computed("capacity_reservation_specification").single(&reservation::TABLE);
    MAX_INSTANCE_LIFETIME: Int = optional("max_instance_lifetime").check(lifetime);
    INSTANCE_MAINTENANCE_POLICY: Blocks =
        optional("instance_maintenance_policy").single(&maintenance::TABLE);
    TERMINATION_POLICIES: StrList = optional("termination_policies");
    SUSPENDED_PROCESSES: StrSet = optional("suspended_processes");
    ENABLED_METRICS: StrSet = optional("enabled_metrics");
    METRICS_GRANULARITY: Str = optional("metrics_granularity").default_str("1Minute")
        .owned_elsewhere(|_, want| want.all(&ENABLED_METRICS).is_empty());
    PLACEMENT_GROUP: Str = optional("placement_group");
    SERVICE_LINKED_ROLE_ARN: Str = optional_computed("service_linked_role_arn").check(arn::check);
    CONTEXT: Str = optional("context");
    TAG: Blocks = optional("tag").set(&tag::TABLE);
    INITIAL_LIFECYCLE_HOOK: Blocks = optional("initial_lifecycle_hook").set(&hook::TABLE).local().replaces()
        .doc("Hooks that stand before the first instance is launched");
    WARM_POOL: Blocks = optional("warm_pool").single(&warm::TABLE);
    FORCE_DELETE: Bool = optional("force_delete").default_bool(false).local();
    FORCE_DELETE_WARM_POOL: Bool = optional("force_delete_warm_pool").default_bool(false).local();
    IGNORE_FAILED_ACTIVITIES: Bool =
        optional("ignore_failed_scaling_activities").default_bool(false).local();
    WAIT_FOR_CAPACITY_TIMEOUT: Str = optional("wait_for_capacity_timeout").default_str("10m")
        .check(is_duration).local();
    WAIT_FOR_ELB_CAPACITY: Int = optional("wait_for_elb_capacity").local();
    MIN_ELB_CAPACITY: Int = optional("min_elb_capacity").local();
    ARN: Str = computed("arn");
    PREDICTED_CAPACITY: Int = computed("predicted_capacity");
    WARM_POOL_SIZE: Int = computed("warm_pool_size");
}

/// Attributes that say what instances are launched from: changed by an instance refresh, never by an
/// update of the group.
pub const LAUNCH: &[&str] = &["launch_template", "mixed_instances_policy", "launch_configuration"];

fn at_most(value: &Value, limit: usize) -> Result<(), String> {
    let length = value.as_str().map_or(0, str::len);
    if length <= limit { Ok(()) } else { Err(format!("must be at most {limit} characters, has {length}")) }
}

fn lifetime(value: &Value) -> Result<(), String> {
    match value.as_i64() {
        Some(0 | 86_400..=31_536_000) => Ok(()),
        _ => Err("must be 0 (no limit) or from 86400 to 31536000 seconds".to_owned()),
    }
}

/// Between the bounds the desired capacity is its autoscaler's.
fn capacity_is_owned(live: &Object, want: &Object) -> bool {
    let bounds = want.get(&MIN_SIZE).zip(want.get(&MAX_SIZE));
    let within = |(min, max)| live.get(&DESIRED_CAPACITY).is_some_and(|d| (min..=max).contains(&d));
    live.has("scaled_by") && bounds.is_some_and(within)
}

pub fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if !LAUNCH.iter().any(|name| want.has(name)) {
        let text = "needs one of launch_template, mixed_instances_policy and launch_configuration";
        problems.push(("", text.to_owned()));
    }
    if let Some(t) = want.block(&LAUNCH_TEMPLATE)
        && t.has("id") == t.has("name")
    {
        problems.push(("launch_template", "needs either `id` or `name`".to_owned()));
    }
    let (min, max) = (want.get(&MIN_SIZE), want.get(&MAX_SIZE));
    if let (Some(min), Some(max)) = (min, max) {
        if min > max {
            problems.push(("min_size", format!("is {min}, above max_size, which is {max}")));
        }
        let outside = want.get(&DESIRED_CAPACITY).filter(|d| *d < min || *d > max);
        if let Some(desired) = outside.filter(|_| min <= max) {
            let text = format!("is {desired}, outside min_size {min} to max_size {max}");
            problems.push(("desired_capacity", text));
        }
    }
    let preferences = want.block(&INSTANCE_REFRESH).and_then(|r| r.block(&refresh::PREFERENCES));
    if let Some(p) = preferences {
        let percentages = p.all(&refresh::CHECKPOINT_PERCENTAGES);
        if percentages.last().is_some_and(|last| *last != 100) {
            let text = "checkpoint_percentages must end with 100, or the refresh stops there";
            problems.push(("instance_refresh", text.to_owned()));
        }
        if let (Some(min), Some(max)) = (p.get(&refresh::MIN_HEALTHY), p.get(&refresh::MAX_HEALTHY))
            && max - min > 100
        {
            let text = "max_healthy_percentage may be at most 100 above min_healthy_percentage";
            problems.push(("instance_refresh", text.to_owned()));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capacity_is_its_scalers_between_the_bounds() {
        let (mut live, mut want) = (Object::new(), Object::new());
        live.set(&DESIRED_CAPACITY, 4i64);
        want.set(&MIN_SIZE, 1i64).set(&MAX_SIZE, 6i64).set(&DESIRED_CAPACITY, 2i64);
        assert!(!capacity_is_owned(&live, &want), "nobody scales it");
        live.set(&SCALED_BY, "ECS capacity provider");
        assert!(capacity_is_owned(&live, &want));
        want.set(&MAX_SIZE, 3i64);
        assert!(!capacity_is_owned(&live, &want), "outside the bounds");
    }

    #[test]
    fn checkpoints_end_with_the_whole_group() {
        let (mut p, mut r, mut t, mut want) = (Object::new(), Object::new(), Object::new(), Object::new());
        p.set(&refresh::CHECKPOINT_PERCENTAGES, vec![20i64, 50]);
        r.set(&refresh::STRATEGY, "Rolling").set_blocks(&refresh::PREFERENCES, vec![p]);
        t.set(&template::ID, "lt-1");
        want.set_blocks(&INSTANCE_REFRESH, vec![r]).set_blocks(&LAUNCH_TEMPLATE, vec![t]);
        assert_eq!(validate(&want).len(), 1);
    }
}
