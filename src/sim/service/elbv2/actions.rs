//! Actions of listeners and rules, brought into the form in which AWS answers them.

use super::super::{ApiError, Input};
use super::model::Balancer;
use super::{listeners, targets, validation};
use crate::named::Named;
use crate::{World, traffic};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// API reference, FixedResponseActionConfig.
const CONTENT_TYPES: [&str; 5] =
    ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidLoadBalancerAction", message)
}

/// Every action with its order and the defaults AWS fills in; a forward to one group is answered both by
/// `TargetGroupArn` and by `ForwardConfig`.
pub(super) fn normalise(world: &World, balancer: &Balancer, actions: &[Json]) -> Result<Vec<Json>, ApiError> {
    if actions.is_empty() {
        return Err(validation("An action must be specified"));
    }
    let mut sorted: Vec<&Json> = actions.iter().collect();
    sorted.sort_by_key(|action| action.int("Order").unwrap_or(0));
    let mut normal = Vec::new();
    for (at, action) in sorted.into_iter().enumerate() {
        let kind = action.text("Type").unwrap_or_default();
        let ends = matches!(kind, "forward" | "redirect" | "fixed-response");
        let last = at + 1 == actions.len();
        if ends != last {
            return Err(invalid(if last {
                "The last action must be of type 'forward', 'redirect' or 'fixed-response'".to_owned()
            } else {
                format!("An action of type '{kind}' must be the last action")
            }));
        }
        if balancer.kind == "network" && kind != "forward" {
            return Err(invalid(format!("Action type '{kind}' is not supported for network load balancers")));
        }
        let mut action = one(world, balancer, kind, action)?;
        action["Order"] = json!(at + 1);
        normal.push(action);
    }
    Ok(normal)
}

fn with_defaults(config: &Json, defaults: &[(&str, Json)]) -> Json {
    let mut config = config.clone();
    for (name, value) in defaults {
        if config.get(*name).is_none_or(Json::is_null) {
            config[*name] = value.clone();
        }
    }
    config
}

fn one(world: &World, balancer: &Balancer, kind: &str, action: &Json) -> Result<Json, ApiError> {
    let config = |name: &str| {
        action
            .get(name)
            .filter(|config| !config.is_null())
            .ok_or_else(|| validation(format!("'{name}' must be specified for an action of type '{kind}'")))
    };
    let authentication = [
        ("SessionCookieName", json!("AWSELBAuthSessionCookie")),
        ("Scope", json!("openid")),
        ("SessionTimeout", json!(604_800)),
        ("OnUnauthenticatedRequest", json!("authenticate")),
    ];
    Ok(match kind {
        "forward" => forward(world, balancer, action)?,
        "redirect" => {
            let config = config("RedirectConfig")?;
            let parts = [
                ("Protocol", json!("#{protocol}")),
                ("Host", json!("#{host}")),
                ("Port", json!("#{port}")),
                ("Path", json!("/#{path}")),
                ("Query", json!("#{query}")),
            ];
            let full = with_defaults(config, &parts);
            if parts.iter().all(|(name, value)| full[*name] == *value) {
                return Err(invalid(
                    "A redirect must change at least one of protocol, host, port, path or query",
                ));
            }
            json!({"Type": kind, "RedirectConfig": full})
        }
        "fixed-response" => {
            let config = config("FixedResponseConfig")?;
            if let Some(wrong) = config.text("ContentType").filter(|one| !CONTENT_TYPES.contains(one)) {
                return Err(invalid(format!(
                    "The ContentType '{wrong}' must be one of: '{}'",
                    CONTENT_TYPES.join("', '")
                )));
            }
            json!({"Type": kind, "FixedResponseConfig": config})
        }
        "authenticate-cognito" => {
            let full = with_defaults(config("AuthenticateCognitoConfig")?, &authentication);
            json!({"Type": kind, "AuthenticateCognitoConfig": full})
        }
        "authenticate-oidc" => {
            let mut full = with_defaults(config("AuthenticateOidcConfig")?, &authentication);
            // The secret is written, never answered.
            if let Some(map) = full.as_object_mut() {
                map.remove("ClientSecret");
                map.remove("UseExistingClientSecret");
            }
            json!({"Type": kind, "AuthenticateOidcConfig": full})
        }
        "jwt-validation" => json!({"Type": kind, "JwtValidationConfig": config("JwtValidationConfig")?}),
        other => return Err(validation(format!("Action type '{other}' is not valid"))),
    })
}

fn forward(world: &World, balancer: &Balancer, action: &Json) -> Result<Json, ApiError> {
    let config = action.get("ForwardConfig").filter(|config| !config.is_null());
    let mut tuples: Vec<(String, i64)> = Vec::new();
    for tuple in config.map_or(&[][..], |config| config.list("TargetGroups")) {
        let weight = tuple.int("Weight").unwrap_or(1);
        if !(0..=999).contains(&weight) {
            return Err(validation("Target group weight must be in the range 0-999"));
        }
        tuples.push((tuple.text("TargetGroupArn").unwrap_or_default().to_owned(), weight));
    }
    if let Some(arn) = action.text("TargetGroupArn") {
        match tuples.as_slice() {
            [] => tuples.push((arn.to_owned(), 1)),
            [(only, _)] if only == arn => {}
            _ => {
                return Err(validation(
                    "Specify either 'TargetGroupArn' or 'ForwardConfig', or the same target group in both",
                ));
            }
        }
    }
    let most = if balancer.kind == "network" { 1 } else { 5 };
    if tuples.is_empty() || tuples.len() > most {
        return Err(ApiError::new(
            "TooManyTargetGroups",
            format!("A forward action must have between 1 and {most} target groups"),
        ));
    }
    for (arn, _) in &tuples {
        check_group(world, balancer, arn)?;
    }
    let stickiness =
        config.and_then(|config| config.get("TargetGroupStickinessConfig")).filter(|one| !one.is_null());
    let enabled = stickiness.and_then(|one| one.flag("Enabled")).unwrap_or(false);
    let mut sticky = json!({"Enabled": enabled});
    if let Some(seconds) = stickiness.and_then(|one| one.int("DurationSeconds")) {
        sticky["DurationSeconds"] = json!(seconds);
    } else if enabled {
        return Err(validation(
            "'DurationSeconds' must be specified when target group stickiness is enabled",
        ));
    }
    let groups: Vec<Json> =
        tuples.iter().map(|(arn, weight)| json!({"TargetGroupArn": arn, "Weight": weight})).collect();
    let mut normal = json!({
        "Type": "forward",
        "ForwardConfig": {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky},
    });
    if let [(only, _)] = tuples.as_slice() {
        normal["TargetGroupArn"] = json!(only);
    }
    Ok(normal)
}

fn check_group(world: &World, balancer: &Balancer, arn: &str) -> Result<(), ApiError> {
    let Some(group) = world.elbv2.groups.get(arn) else {
        return Err(ApiError::new("TargetGroupNotFound", format!("Target group '{arn}' not found")));
    };
    let http = matches!(group.protocol.as_deref(), None | Some("HTTP" | "HTTPS"));
    if http != (balancer.kind == "application") {
        return Err(ApiError::new(
            "InvalidConfigurationRequest",
            format!(
                "Target group '{arn}' with protocol '{}' cannot be used with a load balancer of type '{}'",
                group.protocol.as_deref().unwrap_or_default(),
                balancer.kind
            ),
        ));
    }
    if group.vpc_id.as_ref().is_some_and(|vpc| *vpc != balancer.vpc_id) {
        return Err(ApiError::new(
            "InvalidConfigurationRequest",
            format!("Target group '{arn}' is in a different VPC than load balancer '{}'", balancer.arn),
        ));
    }
    if world.elbv2.uses.get(arn).is_some_and(|users| !users.contains(&balancer.arn)) {
        return Err(ApiError::new(
            "TargetGroupAssociationLimit",
            format!(
                "The following target groups cannot be associated with more than one load balancer: {arn}"
            ),
        ));
    }
    Ok(())
}

pub(super) fn groups_in(actions: &[Json]) -> impl Iterator<Item = &str> {
    actions
        .iter()
        .filter_map(|action| action.get("ForwardConfig"))
        .flat_map(|config| config.list("TargetGroups"))
        .filter_map(|tuple| tuple.text("TargetGroupArn"))
}

/// Derives which balancers use which groups, after listeners or rules changed; targets of groups that got
/// into or out of use start or stop being checked.
pub(super) fn refresh(world: &mut World) {
    let state = &world.elbv2;
    let mut uses: Named<BTreeSet<String>, 2> = Named::default();
    for rule in state.rules.values() {
        let Some(listener) = state.listeners.get(&rule.listener) else { continue };
        for group in groups_in(&rule.actions).chain(groups_in(&listener.actions)) {
            uses.of_name(group).insert(listener.balancer.clone());
        }
    }
    let changed: Vec<String> =
        state.groups.keys().filter(|group| uses.get(group) != state.uses.get(group)).cloned().collect();
    world.elbv2.uses = uses;
    listeners::tell_certificates(world);
    traffic::rules_changed(world);
    for group in changed {
        targets::refresh_group(world, &group);
    }
}
