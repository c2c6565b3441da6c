//! Deployment groups.

use super::*;
use crate::service::{elbv2, iam};

const SETTINGS: &[&str] = &[
    "deploymentConfigName",
    "ec2TagFilters",
    "onPremisesInstanceTagFilters",
    "autoScalingGroups",
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "outdatedInstancesStrategy",
    "deploymentStyle",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ec2TagSet",
    "ecsServices",
    "onPremisesTagSet",
    "terminationHookEnabled",
    "ec2DeploymentOptions",
];

fn lay(settings: &mut Json, input: &Json) {
    for name in SETTINGS {
        if let Some(value) = input.get(*name).filter(|value| !value.is_null()) {
            settings[*name] = value.clone();
        }
    }
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default().to_owned();
    let platform = application(world, &name)?.platform.clone();
    let group = input.text("deploymentGroupName").unwrap_or_default().to_owned();
    check_name(&group, "DeploymentGroupNameRequiredException", "Deployment group")?;
    if application(world, &name)?.groups.contains_key(&group) {
        let message = format!("Deployment group already exists: {group}");
        return Err(error("DeploymentGroupAlreadyExistsException", message));
    }
    let mut settings = json!({
        "deploymentConfigName": configs::default_of(&platform),
        "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
        "outdatedInstancesStrategy": "UPDATE",
        "ec2TagFilters": [], "onPremisesInstanceTagFilters": [], "autoScalingGroups": [],
        "triggerConfigurations": [], "terminationHookEnabled": false,
    });
    lay(&mut settings, input);
    check(world, &platform, &settings, None)?;
    let made = Group {
        id: world.uuid(),
        settings,
        tags: tags(input.list("tags")),
        attempted: None,
        succeeded: None,
    };
    let id = made.id.clone();
    application_mut(world, &name)?.groups.insert(group, made);
    Ok(json!({"deploymentGroupId": id}))
}

fn check(world: &World, platform: &str, settings: &Json, me: Option<&str>) -> Result<(), ApiError> {
    configs::check(world, settings.text("deploymentConfigName").unwrap_or_default(), platform)?;
    let alarms = settings.get("alarmConfiguration").map_or(0, |one| one.list("alarms").len());
    if alarms > 10 {
        let message = "The maximum number of alarms for a deployment group (10) was exceeded.";
        return Err(error("AlarmsLimitExceededException", message));
    }
    let rollback = settings.get("autoRollbackConfiguration");
    if rollback.is_some_and(|one| one.flag("enabled") == Some(true) && one.list("events").is_empty()) {
        let message = "Automatic rollback is enabled, but no rollback events are specified.";
        return Err(error("InvalidAutoRollbackConfigException", message));
    }
    if platform == "ECS" { check_ecs(world, settings, me) } else { Ok(()) }
}

/// What a group for an ECS service must have (API reference, CreateDeploymentGroup; User Guide, "Create a
/// deployment group for an Amazon ECS deployment").
fn check_ecs(world: &World, settings: &Json, me: Option<&str>) -> Result<(), ApiError> {
    let style = settings.get("deploymentStyle").cloned().unwrap_or_default();
    if style.text("deploymentType") != Some("BLUE_GREEN")
        || style.text("deploymentOption") != Some("WITH_TRAFFIC_CONTROL")
    {
        let message = "For ECS deployment group, deploymentType must be BLUE_GREEN and deploymentOption must be WITH_TRAFFIC_CONTROL.";
        return Err(error("InvalidDeploymentStyleException", message));
    }
    check_role(world, settings.text("serviceRoleArn").unwrap_or_default())?;
    check_blue_green(settings)?;
    let [service] = settings.list("ecsServices") else {
        let message = "For ECS deployment group, exactly one ECS service must be specified.";
        return Err(error("InvalidECSServiceException", message));
    };
    let arn = service_arn(world, service);
    match world.ecs.services.get(&arn) {
        Some(found) if found.status == "ACTIVE" && found.controller.as_deref() == Some("CODE_DEPLOY") => {}
        Some(found) if found.status == "ACTIVE" => {
            let message =
                format!("Deployment controller of the ECS service {} must be CODE_DEPLOY.", found.name);
            return Err(error("InvalidECSServiceException", message));
        }
        _ => {
            let name = service.text("serviceName").unwrap_or_default();
            let message = format!("The ECS service {name} does not exist.");
            return Err(error("InvalidECSServiceException", message));
        }
    }
    let groups = world.codedeploy.applications.values().flat_map(|one| one.groups.values());
    let mut others = groups.filter(|one| Some(one.id.as_str()) != me);
    if others.any(|one| one.settings.list("ecsServices").iter().any(|other| service_arn(world, other) == arn))
    {
        let message = "The Amazon ECS service is already associated with another deployment group.";
        return Err(error("ECSServiceMappingLimitExceededException", message));
    }
    check_pair(world, settings)
}

fn check_role(world: &World, role: &str) -> Result<(), ApiError> {
    let trusted = iam::role_by_arn(world, role)
        .is_some_and(|role| iam::trusts_service(role, "codedeploy.amazonaws.com"));
    if trusted {
        return Ok(());
    }
    let message = format!("AWS CodeDeploy does not have the permissions required to assume the role {role}.");
    Err(error("InvalidRoleException", message))
}

fn check_blue_green(settings: &Json) -> Result<(), ApiError> {
    let invalid = |message: &str| Err(error("InvalidBlueGreenDeploymentConfigurationException", message));
    let Some(all) = settings.get("blueGreenDeploymentConfiguration") else {
        return invalid("For ECS deployment group, blueGreenDeploymentConfiguration must be specified.");
    };
    let ready = all.get("deploymentReadyOption").cloned().unwrap_or_default();
    let wait = ready.int("waitTimeInMinutes").unwrap_or(0);
    if ready.text("actionOnTimeout") == Some("STOP_DEPLOYMENT") && wait <= 0 {
        return invalid(
            "The wait time in minutes must be greater than 0 when the action on timeout is STOP_DEPLOYMENT.",
        );
    }
    if ready.text("actionOnTimeout") != Some("STOP_DEPLOYMENT") && wait > 0 {
        return invalid(
            "The wait time in minutes cannot be specified when the action on timeout is CONTINUE_DEPLOYMENT.",
        );
    }
    let Some(terminate) = all.get("terminateBlueInstancesOnDeploymentSuccess") else {
        return invalid(
            "For ECS deployment group, terminateBlueInstancesOnDeploymentSuccess must be specified.",
        );
    };
    // At most two days (API reference, BlueInstanceTerminationOption).
    if !(0..=2880).contains(&terminate.int("terminationWaitTimeInMinutes").unwrap_or(0)) {
        return invalid("The termination wait time must be between 0 and 2880 minutes.");
    }
    Ok(())
}

fn check_pair(world: &World, settings: &Json) -> Result<(), ApiError> {
    let pairs = settings.get("loadBalancerInfo").map_or(&[][..], |one| one.list("targetGroupPairInfoList"));
    let [pair] = pairs else {
        let message = "For ECS deployment group, exactly one target group pair must be specified.";
        return Err(error("InvalidLoadBalancerInfoException", message));
    };
    let names: Vec<&str> = pair.list("targetGroups").iter().filter_map(|one| one.text("name")).collect();
    if names.len() != 2 || names[0] == names[1] {
        let message = "A target group pair must have two different target groups.";
        return Err(error("InvalidTargetGroupPairException", message));
    }
    if let Some(name) = names.iter().find(|name| elbv2::group_named(world, name).is_none()) {
        let message = format!("The target group {name} does not exist.");
        return Err(error("InvalidTargetGroupPairException", message));
    }
    let production = traffic::listener(pair, "prodTrafficRoute");
    let routes = [production, traffic::listener(pair, "testTrafficRoute")];
    if production.is_none() {
        let message = "A target group pair must have a production traffic route with one listener.";
        return Err(error("InvalidTargetGroupPairException", message));
    }
    match routes.into_iter().flatten().find(|arn| elbv2::traffic(world, arn) == elbv2::Traffic::Absent) {
        Some(arn) => {
            let message = format!("The listener {arn} does not exist.");
            Err(error("InvalidTargetGroupPairException", message))
        }
        None => Ok(()),
    }
}

/// Of `{serviceName, clusterName}`.
pub fn service_arn(world: &World, service: &Json) -> String {
    let short = |name: Option<&str>, usual: &str| {
        name.and_then(|name| name.rsplit('/').next()).unwrap_or(usual).to_owned()
    };
    let cluster = short(service.text("clusterName"), "default");
    world.arn("ecs", &format!("service/{cluster}/{}", short(service.text("serviceName"), "")))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default().to_owned();
    let current = input.text("currentDeploymentGroupName").unwrap_or_default().to_owned();
    let platform = application(world, &name)?.platform.clone();
    let found = group(world, &name, &current)?;
    let (id, mut settings) = (found.id.clone(), found.settings.clone());
    lay(&mut settings, input);
    check(world, &platform, &settings, Some(&id))?;
    let new = input.text("newDeploymentGroupName").unwrap_or(&current).to_owned();
    let groups = &mut application_mut(world, &name)?.groups;
    if new != current && groups.contains_key(&new) {
        let message = format!("Deployment group already exists: {new}");
        return Err(error("DeploymentGroupAlreadyExistsException", message));
    }
    let mut group = groups.remove(&current).expect("just found");
    group.settings = settings;
    groups.insert(new.clone(), group);
    if new != current {
        let of = |one: &&mut Deployment| one.application == name && one.group == current;
        for deployment in world.codedeploy.deployments.values_mut().filter(of) {
            deployment.group.clone_from(&new);
        }
    }
    Ok(json!({"hooksNotCleanedUp": []}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default();
    let group = input.text("deploymentGroupName").unwrap_or_default();
    if let Some(application) = world.codedeploy.applications.get_mut(name) {
        application.groups.remove(group);
    }
    Ok(json!({"hooksNotCleanedUp": []}))
}

fn last(world: &World, id: Option<&String>) -> Option<Json> {
    let deployment = world.codedeploy.deployments.get(id?)?;
    let mut view = json!({
        "deploymentId": deployment.id, "status": deployment.status.text(),
        "createTime": World::timestamp(deployment.created),
    });
    if let Some(at) = deployment.completed {
        view["endTime"] = World::timestamp(at);
    }
    Some(view)
}

fn view(world: &World, name: &str, group_name: &str) -> Answer {
    let platform = &application(world, name)?.platform;
    let group = group(world, name, group_name)?;
    let mut view = group.settings.clone();
    let scaling: Vec<Json> =
        group.settings.texts("autoScalingGroups").iter().map(|name| json!({"name": name})).collect();
    view["autoScalingGroups"] = json!(scaling);
    view["applicationName"] = json!(name);
    view["deploymentGroupName"] = json!(group_name);
    view["deploymentGroupId"] = json!(group.id);
    view["computePlatform"] = json!(platform);
    let succeeded = group.succeeded.as_ref().and_then(|id| world.codedeploy.deployments.get(id));
    for (member, value) in [
        ("lastAttemptedDeployment", last(world, group.attempted.as_ref())),
        ("lastSuccessfulDeployment", last(world, group.succeeded.as_ref())),
        ("targetRevision", succeeded.map(|one| one.revision.clone())),
    ] {
        if let Some(value) = value {
            view[member] = value;
        }
    }
    Ok(view)
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default();
    let group = input.text("deploymentGroupName").unwrap_or_default();
    Ok(json!({"deploymentGroupInfo": view(world, name, group)?}))
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default();
    application(world, name)?;
    let asked = input.texts("deploymentGroupNames");
    let found: Vec<Json> = asked.iter().filter_map(|group| view(world, name, group).ok()).collect();
    Ok(json!({"deploymentGroupsInfo": found}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default();
    let names = application(world, name)?.groups.keys().map(|name| json!(name)).collect();
    let mut answer = paged(input, "deploymentGroups", names)?;
    answer["applicationName"] = json!(name);
    Ok(answer)
}
