//! Instance refreshes as clients see them; `refresh_run` carries them out.

use super::groups::{group, group_mut, invalid, paged};
use super::refresh_run;
use super::source;
use super::state::{Group, Preferences, Refresh, RefreshStatus, Source};
use crate::World;
use crate::service::ec2::{self, query::lean};
use crate::service::{Answer, ApiError, Input, cloudwatch};
use serde_json::{Value as Json, json};

/// What the request asks for over what the group's maintenance policy and warmup say.
fn preferences(group: &Group, given: &Json) -> Result<Preferences, ApiError> {
    let (min, max) = (given.int("MinHealthyPercentage"), given.int("MaxHealthyPercentage"));
    if max.is_some() && min.is_none() {
        return Err(invalid("MinHealthyPercentage must be specified with MaxHealthyPercentage."));
    }
    if let (Some(min), Some(max)) = (min, max)
        && max - min > 100
    {
        return Err(invalid(
            "The difference between MinHealthyPercentage and MaxHealthyPercentage must not be greater than 100.",
        ));
    }
    let checkpoints: Vec<i64> = given.list("CheckpointPercentages").iter().filter_map(Json::as_i64).collect();
    if !checkpoints.is_sorted_by(|a, b| a < b) {
        return Err(invalid("CheckpointPercentages must be unique and in ascending order."));
    }
    if checkpoints.is_empty() && given.int("CheckpointDelay").is_some() {
        return Err(invalid("CheckpointDelay requires CheckpointPercentages."));
    }
    let text = |name: &str, default: &str| given.text(name).unwrap_or(default).to_owned();
    let maintenance = group.maintenance;
    let alarms = given.get("AlarmSpecification").map(|spec| spec.texts("Alarms")).unwrap_or_default();
    Ok(Preferences {
        given: given.clone(),
        min: min.or(maintenance.map(|policy| policy.0)).unwrap_or(90),
        max: max.or(maintenance.map(|policy| policy.1)),
        warmup: given.int("InstanceWarmup").filter(|s| *s >= 0).unwrap_or(group.default_warmup()),
        checkpoints,
        checkpoint_delay: given.int("CheckpointDelay").unwrap_or(3600),
        skip_matching: given.flag("SkipMatching").unwrap_or(false),
        auto_rollback: given.flag("AutoRollback").unwrap_or(false),
        protected: text("ScaleInProtectedInstances", "Wait"),
        standby: text("StandbyInstances", "Wait"),
        alarms: alarms.into_iter().map(str::to_owned).collect(),
        bake: given.int("BakeTime").unwrap_or(0),
    })
}

/// Whether the settings before the refresh name a version to go back to.
fn can_roll_back(world: &World, group: &Group) -> Result<(), ApiError> {
    let templates = group.source.templates();
    if templates.iter().any(|template| !template.numbered()) {
        return Err(ApiError::new(
            "IrreversibleInstanceRefresh",
            "The Auto Scaling group uses the launch template's $Latest or $Default version and cannot be rolled back.",
        ));
    }
    let by_parameter = templates.iter().any(|template| {
        ec2::resolve(world, &template.specification())
            .is_ok_and(|found| found.data.text("ImageId").is_some_and(|id| id.starts_with("resolve:ssm:")))
    });
    if by_parameter {
        return Err(ApiError::new(
            "IrreversibleInstanceRefresh",
            "The Auto Scaling group's launch template uses an AWS Systems Manager parameter instead of an AMI ID and cannot be rolled back.",
        ));
    }
    Ok(())
}

pub fn start(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    if group.refresh().is_some() {
        return Err(ApiError::new(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        ));
    }
    if group.deleting {
        let message = format!("AutoScalingGroup '{}' is pending delete.", group.name);
        return Err(ApiError::new("ScalingActivityInProgress", message));
    }
    if input.text("Strategy").is_some_and(|strategy| strategy != "Rolling") {
        return Err(invalid("Only the Rolling strategy is supported for this Auto Scaling group."));
    }
    let empty = json!({});
    let preferences = preferences(group, input.get("Preferences").unwrap_or(&empty))?;
    let given = input.get("DesiredConfiguration").filter(|given| !given.is_null());
    let desired = match given {
        Some(given) => source::given(world, given)?,
        None => None,
    };
    if preferences.auto_rollback {
        if desired.is_none() {
            return Err(invalid(
                "The request isn't valid. The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty. Set AutoRollback to false or specify a desired configuration and try again.",
            ));
        }
        can_roll_back(world, group).map_err(|error| invalid(&error.message))?;
    }
    let from = desired.as_ref().unwrap_or(&group.source);
    for template in from.templates() {
        ec2::resolve(world, &template.specification()).map_err(|error| invalid(&error.message))?;
    }
    let name = group.name.clone();
    for alarm in &preferences.alarms {
        if cloudwatch::alarm_state(world, alarm).is_none() {
            return Err(invalid(&format!("The alarm {alarm} does not exist")));
        }
    }
    let id = world.uuid();
    let refresh = Refresh {
        id: id.clone(),
        status: RefreshStatus::Pending,
        reason: None,
        started: world.now,
        ended: None,
        desired,
        preferences,
        outdated: Default::default(),
        total: 0,
        percentage: 0,
        surge: 0,
        next_checkpoint: 0,
        resume: None,
        bake_until: None,
        progress: world.now,
        rollback: None,
    };
    world.autoscaling.groups.get_mut(&name).expect("seen above").refreshes.push(refresh);
    refresh_run::begin(world, &name, &id);
    Ok(json!({"InstanceRefreshId": id}))
}

fn none_active(name: &str) -> ApiError {
    let message = format!("No in progress or pending Instance Refresh found for Auto Scaling group {name}");
    ApiError::new("ActiveInstanceRefreshNotFound", message)
}

pub fn cancel(world: &mut World, input: &Json) -> Answer {
    let group = group_mut(world, input)?;
    let name = group.name.clone();
    let refresh = group.refresh_mut().filter(|refresh| refresh.rollback.is_none());
    let refresh = refresh.ok_or_else(|| none_active(&name))?;
    let id = refresh.id.clone();
    if refresh.status != RefreshStatus::Cancelling {
        refresh.status = RefreshStatus::Cancelling;
        refresh.reason = Some("Cancelled due to user request.".to_owned());
        refresh.surge = 0;
    }
    refresh_run::soon(world, &name, &id);
    Ok(json!({"InstanceRefreshId": id}))
}

pub fn rollback(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let name = group.name.clone();
    let refresh = group.refresh().filter(|refresh| refresh.rollback.is_none());
    let refresh = refresh.ok_or_else(|| none_active(&name))?;
    if refresh.desired.is_none() {
        return Err(ApiError::new(
            "IrreversibleInstanceRefresh",
            "The instance refresh does not have a desired configuration and cannot be rolled back.",
        ));
    }
    can_roll_back(world, group)?;
    let id = refresh.id.clone();
    refresh_run::roll_back(world, &name, "Rollback initiated due to a user request.");
    Ok(json!({"InstanceRefreshId": id}))
}

fn json(group: &Group, refresh: &Refresh) -> Json {
    let p = &refresh.preferences;
    let to_update = refresh.outdated.len();
    let desired = refresh.desired.as_ref().map(|desired: &Source| source::json(desired));
    let checkpoints = !p.checkpoints.is_empty();
    lean(json!({
        "InstanceRefreshId": refresh.id, "AutoScalingGroupName": group.name, "Strategy": "Rolling",
        "Status": format!("{:?}", refresh.status), "StatusReason": refresh.reason,
        "StartTime": World::timestamp(refresh.started), "EndTime": refresh.ended.map(World::timestamp),
        "PercentageComplete": (refresh.status != RefreshStatus::Pending).then_some(refresh.percentage),
        "InstancesToUpdate": (refresh.status != RefreshStatus::Pending).then_some(to_update),
        "Preferences": {
            "MinHealthyPercentage": p.min, "MaxHealthyPercentage": p.max,
            "InstanceWarmup": p.given.int("InstanceWarmup"),
            "CheckpointPercentages": checkpoints.then_some(&p.checkpoints),
            "CheckpointDelay": checkpoints.then_some(p.checkpoint_delay), "SkipMatching": p.skip_matching,
            "AutoRollback": p.auto_rollback, "ScaleInProtectedInstances": p.protected,
            "StandbyInstances": p.standby, "AlarmSpecification": p.given.get("AlarmSpecification"),
            "BakeTime": p.given.int("BakeTime"),
        },
        "DesiredConfiguration": desired,
        "RollbackDetails": refresh.rollback.as_ref().map(|rollback| json!({
            "RollbackReason": rollback.reason, "RollbackStartTime": World::timestamp(rollback.started),
            "PercentageCompleteOnRollback": rollback.percentage,
            "InstancesToUpdateOnRollback": rollback.to_update,
        })),
    }))
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let group = group(world, input)?;
    let ids = input.texts("InstanceRefreshIds");
    let newest = group.refreshes.iter().rev();
    let asked = newest.filter(|refresh| ids.is_empty() || ids.contains(&refresh.id.as_str()));
    paged(input, "InstanceRefreshes", asked.map(|refresh| json(group, refresh)).collect(), 100)
}
