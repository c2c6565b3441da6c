//! The attributes of `aws_codedeploy_deployment_group` and the rules between them.

use crate::aws::arn;
use crate::aws::tags::{TAGS, TAGS_ALL};
use crate::aws::types::codedeploy_app::short_name;
use crate::schema::{Object, attributes};
use crate::value::Value;

fn one_of(value: &Value, known: &[&str]) -> Result<(), String> {
    let mut items = value.as_slice().unwrap_or_default().iter().filter_map(Value::as_str);
    match items.find(|s| !known.contains(s)) {
        Some(bad) => Err(format!("may hold {}, not `{bad}`", known.join(", "))),
        None => Ok(()),
    }
}

pub mod alarms {
    use super::*;
    attributes! {
        TABLE:
        ALARMS: StrSet = optional("alarms").doc("Names of CloudWatch alarms that stop a deployment");
        ENABLED: Bool = optional("enabled");
        IGNORE_POLL_FAILURE: Bool = optional("ignore_poll_alarm_failure").default_bool(false);
    }
}

pub mod rollback {
    use super::*;
    const EVENTS: &[&str] = &["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"];
    attributes! {
        TABLE:
        ENABLED: Bool = optional("enabled");
        EVENTS_SET: StrSet = optional("events").check(|v| one_of(v, EVENTS));
    }
}

pub mod blue_green {
    use super::*;
    attributes! {
        READY_TABLE:
        ON_TIMEOUT: Str = optional("action_on_timeout")
            .one_of(&["CONTINUE_DEPLOYMENT", "STOP_DEPLOYMENT"])
            .doc("STOP_DEPLOYMENT waits for a person before traffic is rerouted");
        WAIT: Int = optional("wait_time_in_minutes");
    }
    attributes! {
        FLEET_TABLE:
        FLEET_ACTION: Str = optional("action").one_of(&["DISCOVER_EXISTING", "COPY_AUTO_SCALING_GROUP"]);
    }
    attributes! {
        TERMINATE_TABLE:
        TERMINATE_ACTION: Str = optional("action").one_of(&["TERMINATE", "KEEP_ALIVE"]);
        TERMINATE_WAIT: Int = optional("termination_wait_time_in_minutes").range(0, 2880)
            .doc("So long the original tasks stay after the traffic has moved");
    }
    attributes! {
        TABLE:
        READY: Blocks = optional("deployment_ready_option").single(&READY_TABLE);
        FLEET: Blocks = optional("green_fleet_provisioning_option").single(&FLEET_TABLE);
        TERMINATE: Blocks =
            optional("terminate_blue_instances_on_deployment_success").single(&TERMINATE_TABLE);
    }
}

pub mod style {
    use super::*;
    attributes! {
        TABLE:
        OPTION: Str = optional("deployment_option").default_str("WITHOUT_TRAFFIC_CONTROL")
            .one_of(&["WITH_TRAFFIC_CONTROL", "WITHOUT_TRAFFIC_CONTROL"]);
        TYPE: Str = optional("deployment_type").default_str("IN_PLACE").one_of(&["IN_PLACE", "BLUE_GREEN"]);
    }
}

pub mod filter {
    use super::*;
    attributes! {
        TABLE:
        KEY: Str = optional("key");
        TYPE: Str = optional("type").one_of(&["KEY_ONLY", "VALUE_ONLY", "KEY_AND_VALUE"]);
        VALUE: Str = optional("value");
    }
    attributes! {
        SET_TABLE:
        FILTERS: Blocks = optional("ec2_tag_filter").set(&TABLE);
    }
}

pub mod service {
    use super::*;
    attributes! {
        TABLE:
        CLUSTER_NAME: Str = required("cluster_name");
        SERVICE_NAME: Str = required("service_name");
    }
}

pub mod balancer {
    use super::*;
    attributes! {
        NAME_TABLE:
        NAME: Str = optional("name");
    }
    attributes! {
        GROUP_TABLE:
        GROUP_NAME: Str = required("name");
    }
    attributes! {
        ROUTE_TABLE:
        LISTENER_ARNS: StrSet = required("listener_arns").check(arn::check_all);
    }
    attributes! {
        PAIR_TABLE:
        PRODUCTION: Blocks = required("prod_traffic_route").single(&ROUTE_TABLE).min_items(1);
        TARGET_GROUP: Blocks = required("target_group").list(&GROUP_TABLE).min_items(1).max_items(2);
        TEST: Blocks = optional("test_traffic_route").single(&ROUTE_TABLE);
    }
    attributes! {
        TABLE:
        ELB: Blocks = optional("elb_info").set(&NAME_TABLE);
        TARGET_GROUP_INFO: Blocks = optional("target_group_info").set(&NAME_TABLE);
        PAIR: Blocks = optional("target_group_pair_info").single(&PAIR_TABLE);
    }
}

pub mod trigger {
    use super::*;
    const EVENTS: &[&str] = &[
        "DeploymentStart",
        "DeploymentSuccess",
        "DeploymentFailure",
        "DeploymentStop",
        "DeploymentRollback",
        "DeploymentReady",
        "InstanceStart",
        "InstanceSuccess",
        "InstanceFailure",
        "InstanceReady",
    ];
    attributes! {
        TABLE:
        TRIGGER_EVENTS: StrSet = required("trigger_events").check(|v| one_of(v, EVENTS));
        TRIGGER_NAME: Str = required("trigger_name");
        TRIGGER_TARGET_ARN: Str = required("trigger_target_arn").check(arn::check);
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    APP_NAME: Str = required("app_name").check(|v| short_name(v, 0));
    GROUP_NAME: Str = required("deployment_group_name").check(|v| short_name(v, 0));
    SERVICE_ROLE_ARN: Str = required("service_role_arn").check(arn::check);
    AUTOSCALING_GROUPS: StrSet = optional("autoscaling_groups");
    DEPLOYMENT_CONFIG_NAME: Str = optional("deployment_config_name")
        .default_str("CodeDeployDefault.OneAtATime").check(|v| short_name(v, 0))
        .doc("How traffic moves: `CodeDeployDefault.ECSCanary10Percent5Minutes`");
    OUTDATED_INSTANCES: Str = optional("outdated_instances_strategy").default_str("UPDATE")
        .one_of(&["UPDATE", "IGNORE"]);
    TERMINATION_HOOK: Bool = optional("termination_hook_enabled").default_bool(false);
    ARN: Str = computed("arn").unknown_after_change_of(&["app_name", "deployment_group_name"]);
    COMPUTE_PLATFORM: Str = computed("compute_platform");
    GROUP_ID: Str = computed("deployment_group_id");
    ALARM_CONFIGURATION: Blocks = optional("alarm_configuration").single(&alarms::TABLE);
    AUTO_ROLLBACK: Blocks = optional("auto_rollback_configuration").single(&rollback::TABLE);
    BLUE_GREEN: Blocks = optional_computed("blue_green_deployment_config").single(&blue_green::TABLE);
    STYLE: Blocks = optional("deployment_style").single(&style::TABLE);
    EC2_TAG_FILTER: Blocks = optional("ec2_tag_filter").set(&filter::TABLE);
    EC2_TAG_SET: Blocks = optional("ec2_tag_set").set(&filter::SET_TABLE);
    ECS_SERVICE: Blocks = optional("ecs_service").single(&service::TABLE);
    LOAD_BALANCER_INFO: Blocks = optional("load_balancer_info").single(&balancer::TABLE);
    ON_PREMISES_TAG_FILTER: Blocks = optional("on_premises_instance_tag_filter").set(&filter::TABLE);
    TRIGGER: Blocks = optional("trigger_configuration").set(&trigger::TABLE);
}

/// What a group for an ECS service must have (API reference, CreateDeploymentGroup; User Guide, "Create a
/// deployment group for an Amazon ECS deployment"): CodeDeploy would refuse it.
pub fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let rollback = want.block(&AUTO_ROLLBACK);
    let on = rollback.as_ref().is_some_and(|b| b.get(&rollback::ENABLED) == Some(true));
    if on
        && rollback
            .is_some_and(|b| !b.has("events") || b.get(&rollback::EVENTS_SET).is_some_and(|e| e.is_empty()))
    {
        problems.push(("auto_rollback_configuration", "is enabled, and then needs `events`".to_owned()));
    }
    if !want.has("ecs_service") {
        return problems;
    }
    let style = want.block(&STYLE).unwrap_or_default();
    let shifts = style.get(&style::TYPE).as_deref() == Some("BLUE_GREEN")
        && style.get(&style::OPTION).as_deref() == Some("WITH_TRAFFIC_CONTROL");
    let known = ["deployment_type", "deployment_option"]
        .iter()
        .all(|name| !style.value(name).is_some_and(Value::is_unknown));
    if !shifts && known {
        let text = "of a group with `ecs_service` must be deployment_type \"BLUE_GREEN\" and deployment_option \
                    \"WITH_TRAFFIC_CONTROL\"";
        problems.push(("deployment_style", text.to_owned()));
    }
    let config = want.get(&DEPLOYMENT_CONFIG_NAME);
    if let Some(config) = config.filter(|c| c.starts_with("CodeDeployDefault.") && !c.contains(".ECS")) {
        let text = format!(
            "is {config}, which is for servers: a group with `ecs_service` needs one for ECS, such as \
             CodeDeployDefault.ECSAllAtOnce"
        );
        problems.push(("deployment_config_name", text));
    }
    for (name, why) in [
        ("blue_green_deployment_config", "is needed with `ecs_service`"),
        ("load_balancer_info", "with a target_group_pair_info is needed with `ecs_service`"),
    ] {
        if !want.has(name) {
            problems.push((name, why.to_owned()));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_for_a_service_says_how_its_traffic_moves() {
        let mut want = Object::new();
        assert_eq!(validate(&want), []);
        let mut service = Object::new();
        service.set(&service::CLUSTER_NAME, "main").set(&service::SERVICE_NAME, "web");
        want.set_blocks(&ECS_SERVICE, vec![service]);
        want.set(&DEPLOYMENT_CONFIG_NAME, "CodeDeployDefault.OneAtATime");
        let names: Vec<&str> = validate(&want).iter().map(|(name, _)| *name).collect();
        let expected = [
            "deployment_style",
            "deployment_config_name",
            "blue_green_deployment_config",
            "load_balancer_info",
        ];
        assert_eq!(names, expected);
    }
}
