//! Attribute tables against the AWS provider's own schema (`fixtures/provider`, version 5.100.0): the same
//! names, types and presence, so that existing configurations stay valid.

use crate::environment::repository;
use cutover::schema::{Nesting, Presence, Shape, Table, TypeSchema};
use serde_json::{Map, Value as Json};

/// What differs on purpose: (type or `*`, attribute path, why).
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("*", "tags_all", "one shared row; newer provider types have it computed only"),
    ("aws_alb_listener", "weights_moved_by", "ours: who moves weights after creation"),
    ("aws_alb_listener", "moved_between", "ours: between what CodeDeploy moves them"),
    ("aws_lb_listener", "weights_moved_by", "ours: who moves weights after creation"),
    ("aws_lb_listener", "moved_between", "ours: between what CodeDeploy moves them"),
    ("aws_alb_listener_rule", "weights_moved_by", "ours: who moves weights after creation"),
    ("aws_alb_listener_rule", "moved_between", "ours: between what CodeDeploy moves them"),
    ("aws_lb_listener_rule", "weights_moved_by", "ours: who moves weights after creation"),
    ("aws_lb_listener_rule", "moved_between", "ours: between what CodeDeploy moves them"),
    ("aws_alb_listener_rule", "action.authenticate_cognito.scope", AWS_CHOOSES),
    ("aws_lb_listener_rule", "action.authenticate_cognito.scope", AWS_CHOOSES),
    ("aws_alb_listener_rule", "action.authenticate_cognito.session_cookie_name", AWS_CHOOSES),
    ("aws_lb_listener_rule", "action.authenticate_cognito.session_cookie_name", AWS_CHOOSES),
    ("aws_alb_listener_rule", "action.authenticate_cognito.session_timeout", AWS_CHOOSES),
    ("aws_lb_listener_rule", "action.authenticate_cognito.session_timeout", AWS_CHOOSES),
    ("aws_alb_listener_rule", "action.authenticate_oidc.scope", AWS_CHOOSES),
    ("aws_lb_listener_rule", "action.authenticate_oidc.scope", AWS_CHOOSES),
    ("aws_alb_listener_rule", "action.authenticate_oidc.session_cookie_name", AWS_CHOOSES),
    ("aws_lb_listener_rule", "action.authenticate_oidc.session_cookie_name", AWS_CHOOSES),
    ("aws_alb_listener_rule", "action.authenticate_oidc.session_timeout", AWS_CHOOSES),
    ("aws_lb_listener_rule", "action.authenticate_oidc.session_timeout", AWS_CHOOSES),
    ("aws_acm_certificate", "options", FILLED_IN),
    ("aws_appautoscaling_policy", "step_scaling_policy_configuration.cooldown", FILLED_IN),
    ("aws_appautoscaling_policy", "step_scaling_policy_configuration.metric_aggregation_type", FILLED_IN),
    (
        "aws_appautoscaling_policy",
        "target_tracking_scaling_policy_configuration.scale_in_cooldown",
        FILLED_IN,
    ),
    (
        "aws_appautoscaling_policy",
        "target_tracking_scaling_policy_configuration.scale_out_cooldown",
        FILLED_IN,
    ),
    ("aws_autoscaling_group", "scaled_by", "ours: who moves the desired capacity"),
    ("aws_ecs_service", "autoscaling_min_capacity", "ours: between what the autoscaler moves the count"),
    ("aws_ecs_service", "autoscaling_max_capacity", "ours: between what the autoscaler moves the count"),
    ("aws_ecs_service", "serving_target_groups", "ours: in which target groups its tasks are"),
    ("aws_ecs_service", "deployment_completed", "ours: whether there is a deployment to go back to"),
    ("aws_ecs_service", "code_deploy", "ours: the deployment group that deploys the service"),
    ("aws_ecs_service", "deployment_configuration", VERSION_6),
    ("aws_ecs_service", "sigint_rollback", VERSION_6),
    ("aws_ecs_service", "load_balancer.advanced_configuration", VERSION_6),
    ("aws_ssm_parameter", "has_value_wo", WRITE_ONLY),
    ("aws_ssm_parameter", "value_wo", WRITE_ONLY),
    ("aws_ssm_parameter", "value_wo_version", WRITE_ONLY),
    ("data aws_ami", "uefi_data", "the provider accepts it and does nothing with it"),
];

const FILLED_IN: &str = "AWS fills it in, and then it is no difference";
const VERSION_6: &str = "from version 6 of the provider";
const WRITE_ONLY: &str = "write-only arguments need ephemeral values, which are not there yet";
const AWS_CHOOSES: &str = "AWS fills it in; listeners and rules share the block";

fn excepted(type_name: &str, path: &str) -> bool {
    EXCEPTIONS.iter().any(|(on, attribute, _)| {
        let of_type = match on.strip_suffix('*') {
            Some(kind) => kind.is_empty() || type_name.starts_with(kind),
            None => *on == type_name,
        };
        of_type && *attribute == path
    })
}

fn object<'a>(schema: &'a Json, name: &str) -> Option<&'a Map<String, Json>> {
    schema.get(name).and_then(Json::as_object)
}

/// Paths that differ, each with what.
fn compare(table: &'static Table, schema: &Json, at: &str, found: &mut Vec<(String, String)>) {
    let empty = Map::new();
    let attributes = object(schema, "attributes").unwrap_or(&empty);
    let blocks = object(schema, "block_types").unwrap_or(&empty);
    for row in table.rows {
        let path = format!("{at}{}", row.name);
        let mut differs = |what: String| found.push((path.clone(), what));
        match (&row.shape, attributes.get(row.name), blocks.get(row.name)) {
            (_, Some(attribute), _) => {
                let ours = row.shape.ty().to_string().replace(' ', "");
                let theirs = attribute["type"].as_str().unwrap_or_default().replace(' ', "");
                if ours != theirs {
                    differs(format!("is {ours}, the provider has {theirs}"));
                }
                if row.write_only != (attribute["write_only"] == true) {
                    differs(format!(
                        "is write-only: {}, the provider has {}",
                        row.write_only, !row.write_only
                    ));
                }
                if row.presence != presence(attribute) {
                    differs(format!("is {:?}, the provider has {:?}", row.presence, presence(attribute)));
                }
            }
            (Shape::Blocks(nesting, inner), None, Some(block)) => {
                let theirs = match block["nesting"].as_str() {
                    Some("set") => Nesting::Set,
                    Some("single") => Nesting::Single,
                    _ => Nesting::List,
                };
                if *nesting != theirs {
                    differs(format!("is a {nesting:?} of blocks, the provider has {theirs:?}"));
                }
                let most =
                    if block["nesting"] == "single" { 1 } else { block["max_items"].as_u64().unwrap_or(0) };
                if row.max_items as u64 != most {
                    differs(format!("allows {} blocks, the provider {most} (0: any)", row.max_items));
                }
                let needed = block["min_items"].as_u64().unwrap_or(0) > 0;
                if (row.presence == Presence::Required) != needed {
                    differs(format!("is {:?}, the provider needs one: {needed}", row.presence));
                }
                compare(inner, block, &format!("{path}."), found);
            }
            _ => differs("is not in the provider's schema".to_owned()),
        }
    }
    for name in attributes.keys().chain(blocks.keys()) {
        if table.row(name).is_none() && !(at.is_empty() && name == "id") {
            found.push((format!("{at}{name}"), "is missing".to_owned()));
        }
    }
}

fn presence(attribute: &Json) -> Presence {
    let is = |flag: &str| attribute[flag].as_bool() == Some(true);
    match (is("required"), is("optional"), is("computed")) {
        (true, _, _) => Presence::Required,
        (_, true, true) => Presence::OptionalComputed,
        (_, true, false) => Presence::Optional,
        _ => Presence::Computed,
    }
}

fn problems(kind: &str, folder: &str, schema: &TypeSchema) -> Vec<String> {
    let name = format!("{kind}{}", schema.name);
    let path = repository().join("fixtures/provider").join(folder).join(format!("{}.json", schema.name));
    let Ok(text) = std::fs::read_to_string(&path) else {
        return vec![format!("{name}: copy the provider's schema of it to {folder}/{}.json", schema.name)];
    };
    let theirs: Json = serde_json::from_str(&text).expect("fixtures are JSON");
    let mut found = Vec::new();
    compare(schema.table, &theirs, "", &mut found);
    found.retain(|(path, _)| !excepted(&name, path));
    found.into_iter().map(|(path, what)| format!("{name}: `{path}` {what}")).collect()
}

#[test]
fn tables_have_what_the_provider_has() {
    let mut found = Vec::new();
    for one in cutover::aws::types::ALL {
        found.extend(problems("", "", one.schema()));
    }
    for one in cutover::aws::data::ALL {
        found.extend(problems("data ", "data", one.schema()));
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
