//! The attributes of `aws_ecs_service` and the rules between them.

use super::code_deploy;
use crate::aws::arn;
use crate::aws::tags::{TAGS, TAGS_ALL};
use crate::aws::types::ecs;
use crate::aws::types::timeouts::TIMEOUTS;
use crate::rollout::ecs_deployment::stands_still;
use crate::schema::{Object, attributes, second_name};
use crate::value::Value;

pub mod alarms {
    use super::*;
    attributes! {
        TABLE:
        ALARM_NAMES: StrSet = required("alarm_names");
        ENABLE: Bool = required("enable");
        ROLLBACK: Bool = required("rollback");
    }
}

pub mod breaker {
    use super::*;
    attributes! {
        TABLE:
        ENABLE: Bool = required("enable");
        ROLLBACK: Bool = required("rollback");
    }
}

pub mod controller {
    use super::*;
    attributes! {
        TABLE:
        TYPE: Str = optional("type").default_str("ECS").replaces().one_of(&["ECS", "CODE_DEPLOY", "EXTERNAL"]);
    }
}

pub mod deployment {
    use super::*;
    const STAGES: &[&str] = &[
        "RECONCILE_SERVICE",
        "PRE_SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
    ];

    fn stages(value: &Value) -> Result<(), String> {
        let mut items = value.as_slice().unwrap_or_default().iter().filter_map(Value::as_str);
        match items.find(|s| !STAGES.contains(s)) {
            Some(bad) => Err(format!("may hold {}, not `{bad}`", STAGES.join(", "))),
            None => Ok(()),
        }
    }

    attributes! {
        HOOK_TIMEOUT_TABLE:
        TIMEOUT_MINUTES: Int = optional_computed("timeout_in_minutes").range(1, 20_160);
        TIMEOUT_ACTION: Str = optional_computed("action").one_of(&["ROLLBACK", "CONTINUE"]);
    }
    attributes! {
        HOOK_TABLE:
        HOOK_TARGET_TYPE: Str = optional("target_type").default_str("AWS_LAMBDA")
            .one_of(&["AWS_LAMBDA", "PAUSE"]).doc("PAUSE waits for a person");
        HOOK_TARGET_ARN: Str = optional("hook_target_arn").check(arn::check).doc("The function of an AWS_LAMBDA hook");
        HOOK_ROLE_ARN: Str = optional("role_arn").check(arn::check);
        HOOK_TIMEOUT: Blocks = optional("timeout_configuration").single(&HOOK_TIMEOUT_TABLE);
        LIFECYCLE_STAGES: StrSet = required("lifecycle_stages").check(stages);
        HOOK_DETAILS: Json = optional("hook_details").doc("JSON that the hook gets");
    }
    attributes! {
        LINEAR_TABLE:
        STEP_PERCENT: Float = optional_computed("step_percent").range(3, 100);
        STEP_BAKE_TIME: Int = optional_computed("step_bake_time_in_minutes").range(0, 1440);
    }
    attributes! {
        CANARY_TABLE:
        CANARY_PERCENT: Float = optional_computed("canary_percent").range(0, 100);
        CANARY_BAKE_TIME: Int = optional_computed("canary_bake_time_in_minutes").range(0, 1440);
    }
    attributes! {
        TABLE:
        STRATEGY: Str = optional_computed("strategy").one_of(&["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"]);
        BAKE_TIME: Int = optional_computed("bake_time_in_minutes").range(0, 1440);
        LIFECYCLE_HOOK: Blocks = optional("lifecycle_hook").set(&HOOK_TABLE);
        LINEAR: Blocks = optional("linear_configuration").single(&LINEAR_TABLE);
        CANARY: Blocks = optional("canary_configuration").single(&CANARY_TABLE);
    }
}

pub mod balancer {
    use super::*;
    attributes! {
        ADVANCED_TABLE:
        ALTERNATE_TARGET_GROUP_ARN: Str = required("alternate_target_group_arn").check(arn::check);
        PRODUCTION_LISTENER_RULE: Str = required("production_listener_rule").check(arn::check);
        TEST_LISTENER_RULE: Str = optional("test_listener_rule").check(arn::check);
        ADVANCED_ROLE_ARN: Str = required("role_arn").check(arn::check);
    }
    attributes! {
        TABLE:
        CONTAINER_NAME: Str = required("container_name");
        CONTAINER_PORT: Int = required("container_port").range(0, 65_536);
        ELB_NAME: Str = optional("elb_name");
        TARGET_GROUP_ARN: Str = optional("target_group_arn").check(arn::check);
        ADVANCED: Blocks = optional("advanced_configuration").single(&ADVANCED_TABLE);
    }
}

pub mod deployer {
    use super::*;
    attributes! {
        TABLE:
        GROUP: Str = computed("group").doc("`application/group`");
        CONFIG: Str = computed("config");
        TARGET_GROUPS: StrSet = computed("target_groups");
        WAITS: Int = computed("waits_minutes");
        STAYS: Int = computed("stays_minutes");
    }
}

pub mod network {
    use super::*;
    attributes! {
        TABLE:
        SUBNETS: StrSet = required("subnets");
        SECURITY_GROUPS: StrSet = optional("security_groups");
        ASSIGN_PUBLIC_IP: Bool = optional("assign_public_ip").default_bool(false);
    }
}

pub mod placement {
    use super::*;
    /// AWS answers `instanceId` for `host`, and capitals for small letters.
    fn same_field(live: &Value, want: &Value) -> bool {
        let plain = |v: &Value| {
            let field = v.as_str().unwrap_or("").to_lowercase();
            if field == "host" { "instanceid".to_owned() } else { field }
        };
        plain(live) == plain(want)
    }
    attributes! {
        STRATEGY_TABLE:
        STRATEGY_TYPE: Str = required("type").one_of(&["random", "spread", "binpack"]);
        STRATEGY_FIELD: Str = optional("field").same(same_field);
    }
    attributes! {
        CONSTRAINT_TABLE:
        CONSTRAINT_TYPE: Str = required("type").one_of(&["distinctInstance", "memberOf"]);
        EXPRESSION: Str = optional("expression");
    }
}

pub mod connect {
    use super::*;
    attributes! {
        SECRET_TABLE:
        SECRET_NAME: Str = required("name");
        VALUE_FROM: Str = required("value_from");
    }
    attributes! {
        LOG_TABLE:
        LOG_DRIVER: Str = required("log_driver").one_of(&[
            "json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens",
        ]);
        OPTIONS: StrMap = optional_computed("options");
        SECRET_OPTION: Blocks = optional("secret_option").list(&SECRET_TABLE);
    }
    attributes! {
        ALIAS_TABLE:
        PORT: Int = required("port").range(0, 65_535);
        DNS_NAME: Str = optional_computed("dns_name");
    }
    attributes! {
        TIMEOUT_TABLE:
        IDLE: Int = optional("idle_timeout_seconds").range(0, 2_147_483_647);
        PER_REQUEST: Int = optional("per_request_timeout_seconds").range(0, 2_147_483_647);
    }
    attributes! {
        AUTHORITY_TABLE:
        PCA_ARN: Str = required("aws_pca_authority_arn").check(arn::check);
    }
    attributes! {
        TLS_TABLE:
        KMS_KEY: Str = optional("kms_key");
        TLS_ROLE_ARN: Str = optional("role_arn").check(arn::check);
        ISSUER: Blocks = required("issuer_cert_authority").single(&AUTHORITY_TABLE).min_items(1);
    }
    attributes! {
        SERVICE_TABLE:
        PORT_NAME: Str = required("port_name");
        DISCOVERY_NAME: Str = optional_computed("discovery_name");
        INGRESS_PORT_OVERRIDE: Int = optional("ingress_port_override").range(0, 65_535);
        CLIENT_ALIAS: Blocks = optional("client_alias").single(&ALIAS_TABLE);
        TIMEOUT: Blocks = optional("timeout").single(&TIMEOUT_TABLE);
        TLS: Blocks = optional("tls").single(&TLS_TABLE);
    }
    attributes! {
        TABLE:
        ENABLED: Bool = required("enabled");
        NAMESPACE: Str = optional_computed("namespace");
        LOG_CONFIGURATION: Blocks = optional("log_configuration").single(&LOG_TABLE);
        SERVICE: Blocks = optional("service").list(&SERVICE_TABLE);
    }
}

pub mod registry {
    use super::*;
    attributes! {
        TABLE:
        REGISTRY_ARN: Str = required("registry_arn").check(arn::check);
        CONTAINER_NAME: Str = optional("container_name");
        CONTAINER_PORT: Int = optional("container_port").range(0, 65_536);
        PORT: Int = optional("port").range(0, 65_536);
    }
}

pub mod volume {
    use super::*;
    attributes! {
        TAGS_TABLE:
        RESOURCE_TYPE: Str = required("resource_type").one_of(&["volume"]);
        PROPAGATE: Str = optional("propagate_tags").one_of(&["TASK_DEFINITION", "SERVICE", "NONE"]);
        VOLUME_TAGS: StrMap = optional("tags");
    }
    attributes! {
        EBS_TABLE:
        ROLE_ARN: Str = required("role_arn").check(arn::check);
        ENCRYPTED: Bool = optional("encrypted").default_bool(true);
        FILE_SYSTEM_TYPE: Str = optional("file_system_type").default_str("xfs")
            .one_of(&["ext3", "ext4", "xfs", "ntfs"]);
        IOPS: Int = optional("iops");
        KMS_KEY_ID: Str = optional("kms_key_id");
        SIZE_IN_GB: Int = optional("size_in_gb");
        SNAPSHOT_ID: Str = optional("snapshot_id");
        THROUGHPUT: Int = optional("throughput").range(0, 1000);
        INITIALIZATION_RATE: Int = optional("volume_initialization_rate");
        VOLUME_TYPE: Str = optional("volume_type");
        TAG_SPECIFICATIONS: Blocks = optional("tag_specifications").list(&TAGS_TABLE);
    }
    attributes! {
        TABLE:
        NAME: Str = required("name");
        MANAGED_EBS: Blocks = required("managed_ebs_volume").single(&EBS_TABLE).min_items(1);
    }
}

pub mod lattice {
    use super::*;
    attributes! {
        TABLE:
        PORT_NAME: Str = required("port_name");
        ROLE_ARN: Str = required("role_arn").check(arn::check);
        TARGET_GROUP_ARN: Str = required("target_group_arn").check(arn::check);
    }
}

pub const LONGEST_NAME: usize = 255;

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS]:
    NAME: Str = required("name").replaces().same(second_name::same::<LONGEST_NAME>);
    CLUSTER: Str = optional_computed("cluster").replaces().same(same_name)
        .doc("Name or ARN; the cluster `default` unless declared");
    TASK_DEFINITION: Str = optional("task_definition").same(same_revision)
        .doc("ARN, `family:revision` or family; a change is a deployment");
    DESIRED_COUNT: Int = optional("desired_count").range(0, 100_000).owned_elsewhere(count_is_owned);
    AUTOSCALING_MIN: Int = computed("autoscaling_min_capacity")
        .doc("Least count that Application Auto Scaling sets, if it scales this service (Cutover's own)");
    AUTOSCALING_MAX: Int = computed("autoscaling_max_capacity")
        .doc("Greatest count that Application Auto Scaling sets (Cutover's own)");
    SERVING: StrSet = computed("serving_target_groups")
        .doc("The target groups that its tasks are in, if ECS moves its traffic between two (Cutover's own)");
    CODE_DEPLOY: Blocks = computed("code_deploy").single(&deployer::TABLE)
        .doc("The deployment group by which CodeDeploy deploys this service (Cutover's own)");
    DEPLOYMENT_COMPLETED: Bool = computed("deployment_completed")
        .doc("Whether one of its deployments has come to its end: ECS goes back only to such a one (Cutover's own)");
    LAUNCH_TYPE: Str = optional_computed("launch_type").replaces().one_of(&["EC2", "FARGATE", "EXTERNAL"]);
    CAPACITY_PROVIDER_STRATEGY: Blocks = optional("capacity_provider_strategy").set(&ecs::STRATEGY)
        .replaces_if(strategy_taken_away)
        .doc("A change is a deployment; taking it away needs a new service");
    PLATFORM_VERSION: Str = optional_computed("platform_version");
    SCHEDULING_STRATEGY: Str = optional("scheduling_strategy").default_str("REPLICA").replaces()
        .one_of(&["REPLICA", "DAEMON"]);
    DEPLOYMENT_MAXIMUM_PERCENT: Int = optional("deployment_maximum_percent").default_int(200)
        .owned_elsewhere(|_, want| daemon(want));
    DEPLOYMENT_MINIMUM_HEALTHY_PERCENT: Int =
        optional("deployment_minimum_healthy_percent").default_int(100)
        .owned_elsewhere(|_, want| daemon(want) && minimum_healthy(want).is_none());
    AVAILABILITY_ZONE_REBALANCING: Str = optional("availability_zone_rebalancing").default_str("DISABLED")
        .one_of(&["ENABLED", "DISABLED"]);
    HEALTH_CHECK_GRACE_PERIOD: Int = optional("health_check_grace_period_seconds").range(0, 2_147_483_647);
    ENABLE_ECS_MANAGED_TAGS: Bool = optional("enable_ecs_managed_tags").default_bool(false);
    ENABLE_EXECUTE_COMMAND: Bool = optional("enable_execute_command").default_bool(false);
    PROPAGATE_TAGS: Str = optional("propagate_tags").one_of(&["TASK_DEFINITION", "SERVICE", "NONE"])
        .same(|live, want| live.as_str().unwrap_or("NONE") == want.as_str().unwrap_or("NONE"));
    IAM_ROLE: Str = optional_computed("iam_role").replaces().same(same_name);
    FORCE_DELETE: Bool = optional("force_delete").local();
    FORCE_NEW_DEPLOYMENT: Bool = optional("force_new_deployment").local();
    WAIT_FOR_STEADY_STATE: Bool = optional("wait_for_steady_state").local()
        .doc("Deployments are followed to their end unless this is declared false");
    SIGINT_ROLLBACK: Bool = optional("sigint_rollback").local()
        .doc("Stop and roll back the deployment when the apply is interrupted");
    TRIGGERS: StrMap = optional_computed("triggers").local().owned_elsewhere(|_, want| !forces_deployments(want))
        .doc("With force_new_deployment: a change starts a deployment");
    ALARMS: Blocks = optional("alarms").single(&alarms::TABLE);
    DEPLOYMENT_CIRCUIT_BREAKER: Blocks = optional("deployment_circuit_breaker").single(&breaker::TABLE);
    DEPLOYMENT_CONFIGURATION: Blocks = optional_computed("deployment_configuration").single(&deployment::TABLE);
    DEPLOYMENT_CONTROLLER: Blocks = optional("deployment_controller").single(&controller::TABLE);
    LOAD_BALANCER: Blocks = optional("load_balancer").set(&balancer::TABLE)
        .bound_to_vpc_if(|_, want| shares_host_address(want)).owned_elsewhere(code_deploy::moves_group);
    NETWORK_CONFIGURATION: Blocks = optional("network_configuration").single(&network::TABLE);
    ORDERED_PLACEMENT_STRATEGY: Blocks = optional("ordered_placement_strategy")
        .list(&placement::STRATEGY_TABLE).max_items(5);
    PLACEMENT_CONSTRAINTS: Blocks = optional("placement_constraints").set(&placement::CONSTRAINT_TABLE)
        .max_items(10);
    SERVICE_CONNECT: Blocks = optional("service_connect_configuration").single(&connect::TABLE);
    SERVICE_REGISTRIES: Blocks = optional("service_registries").single(&registry::TABLE);
    VOLUME_CONFIGURATION: Blocks = optional("volume_configuration").single(&volume::TABLE);
    VPC_LATTICE: Blocks = optional("vpc_lattice_configurations").set(&lattice::TABLE);
}

/// Tasks that are reached at their host's address: a target group of another VPC takes none of them, so no
/// deployment leads there (Elastic Load Balancing, RegisterTargets: instances must be in the group's VPC). Tasks
/// with an address of their own start in the new subnets.
fn shares_host_address(want: &Object) -> bool {
    !want.has("network_configuration")
}

pub fn daemon(o: &Object) -> bool {
    o.get(&SCHEDULING_STRATEGY).as_deref() == Some("DAEMON")
}

/// What is sent: for a daemon the schema's 100 stands for ECS's own, which is 0.
pub fn minimum_healthy(o: &Object) -> Option<i64> {
    o.get(&DEPLOYMENT_MINIMUM_HEALTHY_PERCENT).filter(|percent| !(daemon(o) && *percent == 100))
}

/// Whether ECS itself deploys, not CodeDeploy or someone else.
pub fn native(o: &Object) -> bool {
    let controller = o.block(&DEPLOYMENT_CONTROLLER).and_then(|c| c.get(&controller::TYPE));
    controller.is_none_or(|c| c == "ECS")
}

/// The count is ECS's for daemons, and the autoscaler's between its bounds.
fn count_is_owned(live: &Object, want: &Object) -> bool {
    let within = |count: i64| {
        let (min, max) = (live.get(&AUTOSCALING_MIN), live.get(&AUTOSCALING_MAX));
        matches!((min, max), (Some(min), Some(max)) if (min..=max).contains(&count))
    };
    daemon(want) || live.get(&DESIRED_COUNT).is_some_and(within)
}

/// Without that the provider drops a change of `triggers`, too: modules declare them always.
pub fn forces_deployments(want: &Object) -> bool {
    want.get(&FORCE_NEW_DEPLOYMENT) == Some(true)
}

/// The API changes a strategy in place (with a new deployment) but cannot go back to a launch type.
fn strategy_taken_away(live: &Object, want: &Object) -> bool {
    live.has("capacity_provider_strategy") && !want.has("capacity_provider_strategy")
}

/// A name and an ARN that ends with it are the same thing.
fn same_name(live: &Value, want: &Value) -> bool {
    let (Some(live), Some(want)) = (live.as_str(), want.as_str()) else { return false };
    let name = |s: &str| s.rsplit('/').next().unwrap_or(s).to_owned();
    let comparable = live.starts_with("arn:") != want.starts_with("arn:");
    live == want || (comparable && name(live) == name(want))
}

/// `web:3` is the ARN that ends so; `web` is whatever revision of the family is live.
fn same_revision(live: &Value, want: &Value) -> bool {
    let (Some(live), Some(want)) = (live.as_str(), want.as_str()) else { return false };
    let revision = live.rsplit('/').next().unwrap_or(live);
    let family = revision.split(':').next().unwrap_or(revision);
    live == want || revision == want || (!want.contains(':') && family == want)
}

/// Attributes whose change starts a deployment (UpdateService's documentation).
pub const DEPLOYS: &[&str] = &[
    "task_definition",
    "network_configuration",
    "load_balancer",
    "service_registries",
    "service_connect_configuration",
    "volume_configuration",
    "vpc_lattice_configurations",
    "platform_version",
    "capacity_provider_strategy",
];

pub fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let has = |name: &str| want.has(name);
    if has("launch_type") && has("capacity_provider_strategy") {
        problems.push(("capacity_provider_strategy", "excludes `launch_type`".to_owned()));
    }
    if (native(want) || code_deploy::controls(want)) && !has("task_definition") {
        problems
            .push(("task_definition", "is needed unless the deployment controller is EXTERNAL".to_owned()));
    }
    for b in want.all(&LOAD_BALANCER) {
        if b.has("target_group_arn") == b.has("elb_name")
            && !b.get(&balancer::ELB_NAME).is_some_and(|n| n.is_empty())
        {
            problems.push(("load_balancer", "needs either target_group_arn or elb_name".to_owned()));
        }
    }
    validate_strategy(want, &mut problems);
    validate_percentages(want, &mut problems);
    problems
}

fn unknown(want: &Object, name: &str) -> bool {
    want.value(name).is_some_and(Value::is_unknown)
}

fn validate_strategy(want: &Object, problems: &mut Vec<(&'static str, String)>) {
    let block = want.block(&DEPLOYMENT_CONFIGURATION);
    let strategy = block.as_ref().and_then(|b| b.get(&deployment::STRATEGY));
    let shifting = strategy.as_deref().is_some_and(|s| s != "ROLLING");
    let balancers = want.all(&LOAD_BALANCER);
    let advanced = balancers.iter().any(|b| b.has("advanced_configuration"));
    if let Some(strategy) = strategy.as_deref().filter(|_| shifting && !balancers.is_empty() && !advanced) {
        let text = format!("needs advanced_configuration with strategy {strategy}");
        problems.push(("load_balancer", text));
    }
    if let Some(b) = block {
        for hook in b.all(&deployment::LIFECYCLE_HOOK) {
            let pause = hook.get(&deployment::HOOK_TARGET_TYPE).as_deref() == Some("PAUSE");
            let bare = !hook.has("hook_target_arn") && !unknown(&hook, "hook_target_arn");
            if pause != bare && !unknown(&hook, "target_type") {
                let text =
                    "`lifecycle_hook` needs hook_target_arn, unless its target_type is PAUSE".to_owned();
                problems.push(("deployment_configuration", text));
            }
        }
        for (name, needs) in [("linear_configuration", "LINEAR"), ("canary_configuration", "CANARY")] {
            if b.has(name) && strategy.as_deref().is_some_and(|s| s != needs) {
                let text = format!("`{name}` goes with strategy {needs}");
                problems.push(("deployment_configuration", text));
            }
        }
    }
}

/// A rolling deployment that may neither stop an old task nor start a new one never moves.
fn validate_percentages(want: &Object, problems: &mut Vec<(&'static str, String)>) {
    let strategy = want.block(&DEPLOYMENT_CONFIGURATION).and_then(|b| b.get(&deployment::STRATEGY));
    if strategy.is_some_and(|strategy| strategy != "ROLLING") {
        return;
    }
    let (Some(min), Some(max)) =
        (want.get(&DEPLOYMENT_MINIMUM_HEALTHY_PERCENT), want.get(&DEPLOYMENT_MAXIMUM_PERCENT))
    else {
        return;
    };
    let Some(desired) = want.get(&DESIRED_COUNT).filter(|d| *d > 0 && !daemon(want)) else { return };
    if stands_still(desired, min, max) {
        let text = format!(
            "with minimum {min} % and maximum {max} % of {desired} tasks, a deployment can neither stop an old \
             task nor start a new one"
        );
        problems.push(("deployment_maximum_percent", text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_count_is_the_autoscalers_between_its_bounds() {
        let mut live = Object::new();
        live.set(&DESIRED_COUNT, 5i64);
        let want = Object::new();
        assert!(!count_is_owned(&live, &want));
        live.set(&AUTOSCALING_MIN, 2i64).set(&AUTOSCALING_MAX, 6i64);
        assert!(count_is_owned(&live, &want));
        live.set(&DESIRED_COUNT, 9i64);
        assert!(!count_is_owned(&live, &want));
    }

    #[test]
    fn names_arns_and_revisions_are_compared_by_meaning() {
        let v = Value::string;
        assert!(same_name(&v("arn:aws:ecs:us-east-1:1:cluster/main"), &v("main")));
        assert!(!same_name(&v("arn:aws:ecs:us-east-1:1:cluster/main"), &v("other")));
        assert!(!same_name(
            &v("arn:aws:ecs:us-east-1:1:cluster/main"),
            &v("arn:aws:ecs:eu-west-1:1:cluster/main")
        ));
        let live = v("arn:aws:ecs:us-east-1:1:task-definition/web:3");
        for (want, same) in [("web:3", true), ("web", true), ("web:4", false), ("other", false)] {
            assert_eq!(same_revision(&live, &v(want)), same, "{want}");
        }
    }

    #[test]
    fn modules_declare_triggers_and_the_count_of_a_daemon_always() {
        let mut want = Object::new();
        want.set(&TASK_DEFINITION, "t").set(&DESIRED_COUNT, 1i64).set(&SCHEDULING_STRATEGY, "DAEMON");
        want.set(&TRIGGERS, BTreeMap::from([("release".to_owned(), "2".to_owned())]));
        assert_eq!(validate(&want), []);
        let owned = TRIGGERS.row.owned_elsewhere.expect("a rule");
        assert!(owned(&Object::new(), &want));
        want.set(&FORCE_NEW_DEPLOYMENT, true);
        assert!(!owned(&Object::new(), &want));
    }

    #[test]
    fn a_deployment_that_cannot_move_is_refused() {
        let mut want = Object::new();
        want.set(&TASK_DEFINITION, "t")
            .set(&DESIRED_COUNT, 2i64)
            .set(&DEPLOYMENT_MINIMUM_HEALTHY_PERCENT, 100i64)
            .set(&DEPLOYMENT_MAXIMUM_PERCENT, 100i64);
        assert_eq!(validate(&want)[0].0, "deployment_maximum_percent");
        want.set(&DEPLOYMENT_MAXIMUM_PERCENT, 150i64);
        assert_eq!(validate(&want), []);
    }
}
