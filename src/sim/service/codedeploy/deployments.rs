//! Deployments: begun, continued, stopped, listed.

use super::run::{Failure, fail};
use super::*;
use crate::world::SECOND;

/// `d-ABCDEF123`.
pub fn new_id(world: &mut World) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letter = |world: &mut World| LETTERS[(world.random() % LETTERS.len() as u64) as usize] as char;
    let id: String = (0..9).map(|_| letter(world)).collect();
    format!("d-{id}")
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = input.text("applicationName").unwrap_or_default().to_owned();
    let platform = application(world, &name)?.platform.clone();
    let Some(group_name) = input.text("deploymentGroupName").map(str::to_owned) else {
        let message = "Deployment group name must not be null or empty";
        return Err(error("DeploymentGroupNameRequiredException", message));
    };
    let found = group(world, &name, &group_name)?;
    let (mut settings, last) = (found.settings.clone(), found.succeeded.clone());
    if platform == "Lambda" {
        let message = "The embedded AWS does not support deployments of Lambda functions.";
        return Err(error("UnsupportedOperation", message).status(501));
    }
    let previous = last.and_then(|id| world.codedeploy.deployments.get(&id)).map(|one| one.revision.clone());
    let Some(revision) = input.get("revision").cloned().or_else(|| previous.clone()) else {
        return Err(error("RevisionRequiredException", "The revision must be specified."));
    };
    check_revision(&revision)?;
    let own = settings.text("deploymentConfigName").unwrap_or_default().to_owned();
    let config = input.text("deploymentConfigName").unwrap_or(&own).to_owned();
    configs::check(world, &config, &platform)?;
    let active =
        |one: &&Deployment| one.application == name && one.group == group_name && !one.status.is_over();
    // One at a time for services; servers queue.
    if let Some(other) = world.codedeploy.deployments.values().find(active).filter(|_| platform == "ECS") {
        let message =
            format!("The Deployment Group '{group_name}' already has an active Deployment '{}'", other.id);
        return Err(error("DeploymentLimitExceededException", message));
    }
    for (ours, given) in [
        ("autoRollbackConfiguration", "autoRollbackConfiguration"),
        ("alarmConfiguration", "overrideAlarmConfiguration"),
    ] {
        if let Some(value) = input.get(given) {
            settings[ours] = value.clone();
        }
    }
    let id = new_id(world);
    let after = if platform == "ECS" { 2 * SECOND } else { server::FIRST_LOOK };
    let made = Deployment {
        id: id.clone(),
        application: name.clone(),
        group: group_name.clone(),
        config,
        platform,
        status: Status::Created,
        error: None,
        revision: revision.clone(),
        previous,
        created: world.now,
        started: None,
        completed: None,
        description: input.text("description").map(str::to_owned),
        creator: "user".to_owned(),
        settings,
        rollback: None,
        run: None,
        generation: 0,
    };
    world.codedeploy.deployments.insert(id.clone(), made);
    if let Some(group) = application_mut(world, &name)?.groups.get_mut(&group_name) {
        group.attempted = Some(id.clone());
    }
    applications::use_revision(world, &name, &group_name, &revision);
    look_after(world, &id, after);
    Ok(json!({"deploymentId": id}))
}

/// The member that belongs to its type must be there.
fn check_revision(revision: &Json) -> Result<(), ApiError> {
    let member = match revision.text("revisionType") {
        Some("S3") => "s3Location",
        Some("GitHub") => "gitHubLocation",
        Some("String") => "string",
        Some("AppSpecContent") => "appSpecContent",
        _ => return Err(error("RevisionRequiredException", "The revision type must be specified.")),
    };
    if revision.get(member).is_some() || (member == "appSpecContent" && revision.get("string").is_some()) {
        return Ok(());
    }
    let message = format!("The revision must have a {member}.");
    Err(error("InvalidRevisionException", message))
}

fn overview(deployment: &Deployment) -> Json {
    let mut all =
        json!({"Pending": 0, "InProgress": 0, "Succeeded": 0, "Failed": 0, "Skipped": 0, "Ready": 0});
    if deployment.platform == "ECS" {
        let name = match deployment.status {
            Status::Created => "Pending",
            Status::Stopped => "Failed",
            status => status.text(),
        };
        all[name] = json!(1);
    }
    all
}

fn view(world: &World, deployment: &Deployment) -> Json {
    let settings = &deployment.settings;
    let mut view = json!({
        "applicationName": deployment.application, "deploymentGroupName": deployment.group,
        "deploymentConfigName": deployment.config, "deploymentId": deployment.id,
        "status": deployment.status.text(), "createTime": World::timestamp(deployment.created),
        "creator": deployment.creator, "computePlatform": deployment.platform,
        "ignoreApplicationStopFailures": false, "updateOutdatedInstancesOnly": false,
        "fileExistsBehavior": "DISALLOW", "deploymentStatusMessages": [],
        "deploymentStyle": settings["deploymentStyle"], "deploymentOverview": overview(deployment),
        "instanceTerminationWaitTimeStarted": deployment.run.as_ref().is_some_and(|run| {
            run.ends.is_some_and(|at| at > run.events.iter().filter_map(|one| one.ended).max().unwrap_or(at))
        }),
        "rollbackInfo": deployment.rollback.clone().unwrap_or_else(|| json!({})),
    });
    for (name, value) in [
        ("revision", Some(&deployment.revision)),
        ("previousRevision", deployment.previous.as_ref()),
        ("autoRollbackConfiguration", settings.get("autoRollbackConfiguration")),
        ("blueGreenDeploymentConfiguration", settings.get("blueGreenDeploymentConfiguration")),
        ("loadBalancerInfo", settings.get("loadBalancerInfo")),
        (
            "overrideAlarmConfiguration",
            settings.get("alarmConfiguration").filter(|_| alarms_differ(world, deployment)),
        ),
    ] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            view[name] = value.clone();
        }
    }
    for (name, at) in [("startTime", deployment.started), ("completeTime", deployment.completed)] {
        if let Some(at) = at {
            view[name] = World::timestamp(at);
        }
    }
    if let Some(description) = &deployment.description {
        view["description"] = json!(description);
    }
    if let Some((code, message)) = &deployment.error {
        view["errorInformation"] = json!({"code": code, "message": message});
    }
    view
}

fn alarms_differ(world: &World, deployment: &Deployment) -> bool {
    let group = group(world, &deployment.application, &deployment.group).ok();
    group.is_some_and(|one| {
        one.settings.get("alarmConfiguration") != deployment.settings.get("alarmConfiguration")
    })
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"deploymentInfo": view(world, deployment(world, input)?)}))
}

pub fn batch_get(world: &mut World, input: &Json) -> Answer {
    let ids = input.texts("deploymentIds");
    // At most 25 (API reference).
    if ids.len() > 25 {
        return Err(error("BatchLimitExceededException", "The maximum number of deployment IDs is 25."));
    }
    let found = ids.iter().filter_map(|id| world.codedeploy.deployments.get(*id));
    Ok(json!({"deploymentsInfo": found.map(|one| view(world, one)).collect::<Vec<_>>()}))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let (name, group_name) = (input.text("applicationName"), input.text("deploymentGroupName"));
    match (name, group_name) {
        (Some(_), None) => {
            let message = "If applicationName is specified, then deploymentGroupName must be specified.";
            return Err(error("DeploymentGroupNameRequiredException", message));
        }
        (None, Some(_)) => {
            let message = "If deploymentGroupName is specified, then applicationName must be specified.";
            return Err(error("ApplicationNameRequiredException", message));
        }
        (Some(name), Some(group_name)) => {
            group(world, name, group_name)?;
        }
        (None, None) => {}
    }
    let statuses = input.texts("includeOnlyStatuses");
    let time = |name: &str| -> Option<Millis> {
        let text = input.get("createTimeRange")?.text(name)?;
        text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond())
    };
    let (start, end) = (time("start"), time("end"));
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        let message = "The start time must be earlier than the end time.";
        return Err(error("InvalidTimeRangeException", message));
    }
    let mut found: Vec<&Deployment> = world
        .codedeploy
        .deployments
        .values()
        .filter(|one| name.is_none_or(|name| one.application == name))
        .filter(|one| group_name.is_none_or(|group| one.group == group))
        .filter(|one| statuses.is_empty() || statuses.contains(&one.status.text()))
        .filter(|one| start.is_none_or(|at| one.created >= at) && end.is_none_or(|at| one.created <= at))
        .collect();
    // Newest first.
    found.sort_by_key(|one| std::cmp::Reverse(one.created));
    paged(input, "deployments", found.into_iter().map(|one| json!(one.id)).collect())
}

pub fn stop(world: &mut World, input: &Json) -> Answer {
    let found = deployment(world, input)?;
    let id = found.id.clone();
    if found.status.is_over() {
        let message = format!("The deployment {id} has already completed");
        return Err(error("DeploymentAlreadyCompletedException", message));
    }
    let message = "The deployment was stopped by a user.";
    let failure =
        Failure { code: "MANUAL_STOP", message: message.to_owned(), event: "DEPLOYMENT_STOP_ON_REQUEST" };
    fail(world, &id, &failure, input.flag("autoRollbackEnabled"));
    Ok(
        json!({"status": "Succeeded", "statusMessage": "No more commands will be scheduled for execution in the deployment instances"}),
    )
}

pub fn go_on(world: &mut World, input: &Json) -> Answer {
    let found = deployment(world, input)?;
    let (id, status) = (found.id.clone(), found.status);
    if input.text("deploymentWaitType") == Some("TERMINATION_WAIT") {
        return skip_wait(world, input);
    }
    if status != Status::Ready {
        let message = format!("The deployment {id} is not in the Ready state.");
        return Err(error("DeploymentIsNotInReadyStateException", message));
    }
    let found = world.codedeploy.deployments.get_mut(&id).expect("just found");
    found.status = Status::InProgress;
    if let Some(run) = &mut found.run {
        run.released = true;
    }
    look_after(world, &id, SECOND);
    Ok(json!({}))
}

/// Ends the wait before the original task set goes.
pub fn skip_wait(world: &mut World, input: &Json) -> Answer {
    let id = deployment(world, input)?.id.clone();
    let now = world.now;
    let found = world.codedeploy.deployments.get_mut(&id).expect("just found");
    let waiting = found.run.as_mut().and_then(|run| run.ends.as_mut()).filter(|_| !found.status.is_over());
    let Some(ends) = waiting else {
        let message = format!("The deployment {id} is not waiting to terminate its original task set.");
        return Err(error("DeploymentNotStartedException", message));
    };
    *ends = now;
    look_after(world, &id, SECOND);
    Ok(json!({}))
}
