//! Account settings. Settings of other principals than the caller are kept apart.

use super::super::{Answer, ApiError, Input};
use super::{invalid, paged};
use crate::World;
use serde_json::{Value as Json, json};

/// Setting and its default (ECS developer guide, account settings).
const DEFAULTS: &[(&str, &str)] = &[
    ("awsvpcTrunking", "disabled"),
    ("containerInsights", "disabled"),
    ("containerInstanceLongArnFormat", "enabled"),
    ("dualStackIPv6", "enabled"),
    ("defaultLogDriverMode", "non-blocking"),
    ("fargateFIPSMode", "disabled"),
    ("fargateTaskRetirementWaitPeriod", "7"),
    ("guardDutyActivate", "disabled"),
    ("serviceLongArnFormat", "enabled"),
    ("tagResourceAuthorization", "off"),
    ("taskLongArnFormat", "enabled"),
];

fn root(world: &World) -> String {
    world.arn("iam", "root")
}

fn setting(world: &World, name: &str, value: &str, principal: Option<&str>) -> Json {
    let kind = if name == "guardDutyActivate" { "aws_managed" } else { "user" };
    let principal = principal.map_or_else(|| root(world), str::to_owned);
    json!({"name": name, "value": value, "principalArn": principal, "type": kind})
}

fn known(input: &Json) -> Result<(&'static str, &'static str), ApiError> {
    let name = input.text("name").unwrap_or_default();
    DEFAULTS
        .iter()
        .copied()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| invalid(format!("Unknown account setting name: {name}")))
}

/// Names a value by its setting, and by its principal if that is not the account.
fn key(world: &World, name: &str, principal: Option<&str>) -> String {
    match principal {
        Some(principal) if principal != root(world) => format!("{principal} {name}"),
        _ => name.to_owned(),
    }
}

pub(super) fn put_account_setting(world: &mut World, input: &Json) -> Answer {
    let (name, _) = known(input)?;
    let value = input.text("value").unwrap_or_default();
    let allowed: &[&str] = match name {
        "containerInsights" => &["enabled", "disabled", "enhanced"],
        "tagResourceAuthorization" => &["on", "off"],
        "fargateTaskRetirementWaitPeriod" => &["0", "7", "14"],
        "defaultLogDriverMode" => &["blocking", "non-blocking"],
        _ => &["enabled", "disabled"],
    };
    if !allowed.contains(&value) || name == "guardDutyActivate" {
        return Err(invalid(format!("Invalid setting value for {name}: {value}")));
    }
    let key = key(world, name, input.text("principalArn"));
    world.ecs.settings.insert(key, value.to_owned());
    Ok(json!({"setting": setting(world, name, value, input.text("principalArn"))}))
}

pub(super) fn put_account_setting_default(world: &mut World, input: &Json) -> Answer {
    put_account_setting(world, input)
}

pub(super) fn delete_account_setting(world: &mut World, input: &Json) -> Answer {
    let (name, default) = known(input)?;
    let key = key(world, name, input.text("principalArn"));
    let value = world.ecs.settings.remove(&key).unwrap_or_else(|| default.to_owned());
    Ok(json!({"setting": setting(world, name, &value, input.text("principalArn"))}))
}

pub(super) fn list_account_settings(world: &mut World, input: &Json) -> Answer {
    let principal = input.text("principalArn");
    let effective = input.flag("effectiveSettings") == Some(true);
    let mut settings = Vec::new();
    for (name, default) in DEFAULTS {
        if input.text("name").is_some_and(|wanted| wanted != *name) {
            continue;
        }
        let own = world.ecs.settings.get(&key(world, name, principal));
        let value = match own.or_else(|| world.ecs.settings.get(*name).filter(|_| effective)) {
            Some(value) => value.as_str(),
            None if effective => default,
            None => continue,
        };
        if input.text("value").is_none_or(|wanted| wanted == value) {
            settings.push(setting(world, name, value, principal));
        }
    }
    Ok(paged(input, "settings", settings, 100))
}
