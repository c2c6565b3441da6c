//! A deployment of an ECS service over time (User Guide, "Deployments on an Amazon ECS compute platform"):
//! a replacement task set in the other target group, test traffic, production traffic in steps, and after a
//! wait the end of the original task set. Until then there is a way back, by another deployment.

use super::appspec::{self, AppSpec};
use super::hooks::{self, HookCall};
use super::*;
use crate::service::cloudwatch::{self, AlarmState};
use crate::service::{call, ecs, elbv2, events, notify};
use crate::world::{MINUTE, SECOND};

/// Events that a function can be called for.
pub const HOOKS: &[&str] =
    &["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];
/// CodeDeploy asks ECS how the replacement task set is doing, and CloudWatch about alarms, at this interval.
const LOOK: Millis = 10 * SECOND;
const ALARM_CHECK: Millis = 30 * SECOND;
/// "The deployment timed out while waiting for the replacement task set to become healthy. This time out period
/// is 60 minutes" (User Guide, "Troubleshoot Amazon ECS deployment issues").
const INSTALL_TIMEOUT: Millis = 60 * MINUTE;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub service: String,
    pub spec: AppSpec,
    /// Brings the original task set back.
    pub back: bool,
    /// Ids of the original and the replacement task set.
    pub blue: String,
    pub green: Option<String>,
    pub blue_group: String,
    pub green_group: String,
    production: String,
    test: Option<String>,
    /// What the listeners' rules did before.
    before: Vec<(String, Vec<(String, i64)>)>,
    /// Percentage of the production traffic that the replacement task set gets.
    pub share: i64,
    pub events: Vec<Lifecycle>,
    at: usize,
    /// The event's own work has been done, since then.
    acted: bool,
    since: Millis,
    /// Traffic waits for somebody until then, or has waited long enough.
    pub ready: Option<Millis>,
    pub released: bool,
    /// The original task set ends then.
    pub ends: Option<Millis>,
    pub hook: Option<HookCall>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lifecycle {
    pub name: String,
    /// `Pending`, `InProgress`, `Succeeded`, `Failed` or `Skipped`.
    pub status: String,
    pub started: Option<Millis>,
    pub ended: Option<Millis>,
    pub message: Option<String>,
}

/// Code, message, and which rollback event it is.
pub struct Failure {
    pub code: &'static str,
    pub message: String,
    pub event: &'static str,
}

impl Failure {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Failure { code, message: message.into(), event: "DEPLOYMENT_FAILURE" }
    }

    fn on(self, event: &'static str) -> Self {
        Failure { event, ..self }
    }

    fn status(&self) -> Status {
        if self.event == "DEPLOYMENT_FAILURE" { Status::Failed } else { Status::Stopped }
    }
}

pub enum Turn {
    Next,
    Wait(Millis),
}

type Result<T> = std::result::Result<T, Failure>;

fn lifecycle(names: &[&str]) -> Vec<Lifecycle> {
    let one = |name: &&str| Lifecycle {
        name: (*name).to_owned(),
        status: "Pending".to_owned(),
        started: None,
        ended: None,
        message: None,
    };
    names.iter().map(one).collect()
}

/// Goes on with a deployment as far as it can now.
pub fn look(world: &mut World, id: &str) {
    let Some(deployment) = world.codedeploy.deployments.get_mut(id) else { return };
    if deployment.status.is_over() {
        return;
    }
    if deployment.platform != "ECS" {
        return server::look(world, id);
    }
    let result = match deployment.run.take() {
        None => begin(world, id).map(|run| (run, Turn::Wait(0))),
        Some(mut run) => match go_on(world, id, &mut run) {
            Ok(turn) => Ok((run, turn)),
            Err(failure) => {
                put_back(world, id, run);
                Err(failure)
            }
        },
    };
    match result {
        Ok((run, Turn::Wait(after))) => {
            put_back(world, id, run);
            look_after(world, id, after);
        }
        Ok((run, Turn::Next)) => {
            put_back(world, id, run);
            finish(world, id);
        }
        Err(failure) => fail(world, id, &failure, None),
    }
}

fn put_back(world: &mut World, id: &str, run: Run) {
    if let Some(deployment) = world.codedeploy.deployments.get_mut(id) {
        deployment.run = Some(run);
    }
}

fn begin(world: &mut World, id: &str) -> Result<Run> {
    let now = world.now;
    let deployment = world.codedeploy.deployments.get_mut(id).expect("the caller has it");
    deployment.started = Some(now);
    deployment.status = Status::InProgress;
    let (settings, revision) = (deployment.settings.clone(), deployment.revision.clone());
    tell(world, id, "DeploymentStart", "START");
    let spec = appspec::of(world, &revision).map_err(|why| Failure::new("INVALID_REVISION", why))?;
    let arn =
        settings.list("ecsServices").first().map(|one| groups::service_arn(world, one)).unwrap_or_default();
    let Some((blue, serving)) = primary(world, &arn) else {
        let message =
            format!("The ECS service {arn} cannot be deployed: it is not active or has no primary task set.");
        return Err(Failure::new("INVALID_ECS_SERVICE", message));
    };
    let pairs = settings.get("loadBalancerInfo").map_or(&[][..], |one| one.list("targetGroupPairInfoList"));
    let pair = pairs.first().cloned().unwrap_or_default();
    let production = traffic::listener(&pair, "prodTrafficRoute").unwrap_or_default().to_owned();
    let test = traffic::listener(&pair, "testTrafficRoute").map(str::to_owned);
    let arns =
        pair.list("targetGroups").iter().filter_map(|one| elbv2::group_named(world, one.text("name")?));
    let arns: Vec<String> = arns.collect();
    let behind = || {
        let message = format!(
            "The ELB could not be updated due to the following error: Primary taskset target group must be behind listener {production}"
        );
        Failure::new("ELASTIC_LOAD_BALANCING_INVALID", message)
    };
    let [one, two] = &arns[..] else { return Err(behind()) };
    let (blue_group, green_group) = match &serving {
        Some(group) if group == one => (one.clone(), two.clone()),
        Some(group) if group == two => (two.clone(), one.clone()),
        _ => return Err(behind()),
    };
    let mut before = traffic::rules(world, &production, [one, two]);
    if !before.iter().any(|(_, weights)| weights.iter().any(|(group, _)| *group == blue_group)) {
        return Err(behind());
    }
    if let Some(test) = &test {
        before.extend(traffic::rules(world, test, [one, two]));
    }
    // What an earlier deployment left behind that was stopped without a rollback.
    clear(world, &arn, &blue);
    let mut names = vec!["BeforeInstall", "Install", "AfterInstall"];
    if test.is_some() {
        names.extend(["AllowTestTraffic", "AfterAllowTestTraffic"]);
    }
    names.extend(["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]);
    Ok(Run {
        service: arn,
        spec,
        back: false,
        blue,
        green: None,
        blue_group,
        green_group,
        production,
        test,
        before,
        share: 0,
        events: lifecycle(&names),
        at: 0,
        acted: false,
        since: now,
        ready: None,
        released: false,
        ends: None,
        hook: None,
    })
}

/// Id of the service's primary task set, and the target group that it is in.
fn primary(world: &World, arn: &str) -> Option<(String, Option<String>)> {
    let service = world.ecs.services.get(arn).filter(|service| service.status == "ACTIVE")?;
    let set = service.task_sets.iter().find(|set| set.primary)?;
    let revision = world.ecs.revisions.get(&set.revision)?;
    let group = revision.load_balancers.iter().find_map(|one| one.text("targetGroupArn").map(str::to_owned));
    Some((set.id.clone(), group))
}

/// Every task set goes but this one.
fn clear(world: &mut World, arn: &str, but: &str) {
    let Some(service) = world.ecs.services.get(arn) else { return };
    let others = service.task_sets.iter().filter(|set| set.id != but).map(|set| set.id.clone());
    for set in others.collect::<Vec<_>>() {
        delete_set(world, arn, &set);
    }
}

fn delete_set(world: &mut World, arn: &str, set: &str) {
    let input = json!({"service": arn, "taskSet": set, "force": true});
    // The service or the set may be gone already.
    let _ = call(world, "ecs", "DeleteTaskSet", &input);
}

fn alarms_of(deployment: &Deployment) -> (Vec<String>, bool) {
    let of = deployment.settings.get("alarmConfiguration").filter(|one| one.flag("enabled") == Some(true));
    let Some(of) = of else { return (Vec::new(), false) };
    let names = of.list("alarms").iter().filter_map(|one| one.text("name").map(str::to_owned)).collect();
    (names, of.flag("ignorePollAlarmFailure") == Some(true))
}

fn check_alarms(world: &mut World, id: &str) -> Result<bool> {
    let (names, forgiving) = alarms_of(&world.codedeploy.deployments[id]);
    let mut active = Vec::new();
    for name in &names {
        match cloudwatch::alarm_state(world, name) {
            Some(AlarmState::Alarm) => active.push(name.as_str()),
            None if !forgiving => {
                let message =
                    format!("The state of the alarm {name} could not be retrieved from Amazon CloudWatch.");
                return Err(Failure::new("ALARM_ACTIVE", message).on("DEPLOYMENT_STOP_ON_ALARM"));
            }
            _ => {}
        }
    }
    if active.is_empty() {
        return Ok(!names.is_empty());
    }
    let message = format!(
        "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: <{}>",
        active.join(", ")
    );
    Err(Failure::new("ALARM_ACTIVE", message).on("DEPLOYMENT_STOP_ON_ALARM"))
}

fn go_on(world: &mut World, id: &str, run: &mut Run) -> Result<Turn> {
    let watched = !run.back && check_alarms(world, id)?;
    loop {
        let turn = match run.at.cmp(&run.events.len()) {
            std::cmp::Ordering::Less => event(world, id, run)?,
            _ => retire(world, id, run),
        };
        match turn {
            Turn::Next if run.at < run.events.len() => {
                let now = world.now;
                let done = &mut run.events[run.at];
                done.status = "Succeeded".to_owned();
                done.ended = Some(now);
                run.at += 1;
                run.acted = false;
                run.hook = None;
            }
            Turn::Wait(after) if watched => return Ok(Turn::Wait(after.min(ALARM_CHECK))),
            turn => return Ok(turn),
        }
    }
}

/// One lifecycle event.
fn event(world: &mut World, id: &str, run: &mut Run) -> Result<Turn> {
    let name = run.events[run.at].name.clone();
    if name == "BeforeAllowTraffic" && !run.released {
        match wait_for_release(world, id, run)? {
            Turn::Next => run.released = true,
            wait => return Ok(wait),
        }
    }
    let began = !run.acted;
    if began {
        run.since = world.now;
        run.events[run.at].status = "InProgress".to_owned();
        run.events[run.at].started = Some(world.now);
    }
    run.acted = true;
    match name.as_str() {
        "Install" => {
            if began {
                install(world, id, run)?;
            }
            wait_for_tasks(world, run)
        }
        "AllowTestTraffic" => {
            if let Some(test) = &run.test {
                traffic::send(world, test, &run.blue_group, &run.green_group, 100);
            }
            Ok(Turn::Next)
        }
        "AllowTraffic" if run.back => Ok(go_back(world, run)),
        "AllowTraffic" => Ok(shift(world, id, run)),
        hook => hooks::step(world, id, hook, run),
    }
}

/// The replacement task set, with what the AppSpec does not say as the original one has it.
fn install(world: &mut World, id: &str, run: &mut Run) -> Result<()> {
    // Only the targets of a group that some rule names are checked.
    traffic::send(world, &run.production, &run.blue_group, &run.green_group, 0);
    let before = ecs::task_set_settings(world, &run.service, &run.blue).unwrap_or_default();
    let spec = &run.spec;
    let mut input = json!({
        "service": run.service, "cluster": before["cluster"], "externalId": id,
        "taskDefinition": spec.definition, "scale": {"unit": "PERCENT", "value": 100.0},
        "loadBalancers": [{
            "targetGroupArn": run.green_group, "containerName": spec.container, "containerPort": spec.port,
        }],
        "serviceRegistries": before["serviceRegistries"],
    });
    let network = spec.network.clone().or_else(|| before.get("networkConfiguration").cloned());
    let platform =
        spec.platform_version.clone().map(Json::from).or_else(|| before.get("platformVersion").cloned());
    for (name, value) in [("networkConfiguration", network), ("platformVersion", platform)] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            input[name] = value;
        }
    }
    let capacity = ["capacityProviderStrategy", "launchType"];
    if spec.strategy.is_empty() {
        for name in capacity.into_iter().filter(|name| !before[*name].is_null()) {
            input[name] = before[name].clone();
        }
    } else {
        input["capacityProviderStrategy"] = json!(spec.strategy);
    }
    let made = call(world, "ecs", "CreateTaskSet", &input).map_err(|error| {
        let message =
            format!("The ECS service cannot be updated due to the following error: {}", error.message);
        Failure::new("ECS_UPDATE_ERROR", message)
    })?;
    run.green = made["taskSet"].text("id").map(str::to_owned);
    Ok(())
}

fn wait_for_tasks(world: &mut World, run: &Run) -> Result<Turn> {
    let green = run.green.as_deref().unwrap_or_default();
    match ecs::is_task_set_steady(world, &run.service, green) {
        Some(true) => Ok(Turn::Next),
        None => {
            let message =
                "The deployment failed because the ECS service or its replacement task set was deleted.";
            Err(Failure::new("ECS_UPDATE_ERROR", message))
        }
        Some(false) if world.now >= run.since + INSTALL_TIMEOUT => {
            let message = "The deployment timed out while waiting for the replacement task set to become healthy. This time out period is 60 minutes.";
            Err(Failure::new("TIMEOUT", message))
        }
        Some(false) => Ok(Turn::Wait(LOOK)),
    }
}

/// With STOP_DEPLOYMENT traffic waits until somebody continues, and no longer than the time says.
fn wait_for_release(world: &mut World, id: &str, run: &mut Run) -> Result<Turn> {
    let deployment = &world.codedeploy.deployments[id];
    let option = deployment.settings.get("blueGreenDeploymentConfiguration");
    let option = option.and_then(|one| one.get("deploymentReadyOption")).cloned().unwrap_or_default();
    let minutes = option.int("waitTimeInMinutes").unwrap_or(0);
    if run.back || option.text("actionOnTimeout") != Some("STOP_DEPLOYMENT") || minutes <= 0 {
        return Ok(Turn::Next);
    }
    let until = match run.ready {
        Some(until) => until,
        None => {
            set_status(world, id, Status::Ready);
            tell(world, id, "DeploymentReady", "READY");
            *run.ready.insert(world.now + minutes * MINUTE)
        }
    };
    if until > world.now {
        return Ok(Turn::Wait(until - world.now));
    }
    let message = "The deployment was stopped because traffic was not rerouted before the wait time ended.";
    Err(Failure::new("TIMEOUT", message).on("DEPLOYMENT_STOP_ON_REQUEST"))
}

fn set_status(world: &mut World, id: &str, status: Status) {
    if let Some(deployment) = world.codedeploy.deployments.get_mut(id) {
        deployment.status = status;
    }
}

/// The next step of the production traffic; in the end the replacement task set is the primary one.
fn shift(world: &mut World, id: &str, run: &mut Run) -> Turn {
    let config = world.codedeploy.deployments[id].config.clone();
    let shifting = configs::shifting(world, &config);
    let due = run.since + if run.share == 0 { 0 } else { shifting.pause() };
    if due > world.now {
        return Turn::Wait(due - world.now);
    }
    run.share = shifting.next(run.share);
    run.since = world.now;
    traffic::send(world, &run.production, &run.blue_group, &run.green_group, run.share);
    if run.share < 100 {
        return Turn::Wait(shifting.pause());
    }
    make_primary(world, &run.service, run.green.as_deref().unwrap_or_default());
    Turn::Next
}

fn make_primary(world: &mut World, service: &str, set: &str) {
    let _ = call(
        world,
        "ecs",
        "UpdateServicePrimaryTaskSet",
        &json!({"service": service, "primaryTaskSet": set}),
    );
}

/// Everything is as it was before the deployment that this one takes back.
fn go_back(world: &mut World, run: &mut Run) -> Turn {
    for (rule, weights) in run.before.clone() {
        elbv2::set_weights(world, &rule, &weights);
    }
    run.share = 0;
    make_primary(world, &run.service, &run.blue);
    clear(world, &run.service, &run.blue);
    Turn::Next
}

/// After its wait the original task set goes. The deployment is in progress until then.
fn retire(world: &mut World, id: &str, run: &mut Run) -> Turn {
    let wait = if run.back { 0 } else { termination(world, id) };
    let until = *run.ends.get_or_insert(world.now + wait);
    if until > world.now {
        return Turn::Wait(until - world.now);
    }
    if !run.back {
        let blue = run.blue.clone();
        delete_set(world, &run.service, &blue);
    }
    Turn::Next
}

/// How long the original task set stays after the last lifecycle event.
fn termination(world: &World, id: &str) -> Millis {
    let settings = &world.codedeploy.deployments[id].settings;
    let option = settings.get("blueGreenDeploymentConfiguration");
    let option = option.and_then(|one| one.get("terminateBlueInstancesOnDeploymentSuccess"));
    option.and_then(|one| one.int("terminationWaitTimeInMinutes")).unwrap_or(0) * MINUTE
}

fn finish(world: &mut World, id: &str) {
    let now = world.now;
    let Some(deployment) = world.codedeploy.deployments.get_mut(id) else { return };
    deployment.status = Status::Succeeded;
    deployment.completed = Some(now);
    let (name, group) = (deployment.application.clone(), deployment.group.clone());
    let group = world.codedeploy.applications.get_mut(&name).and_then(|one| one.groups.get_mut(&group));
    if let Some(group) = group {
        group.succeeded = Some(id.to_owned());
    }
    tell(world, id, "DeploymentSuccess", "SUCCESS");
}

/// Ends a deployment that does not succeed; `rolls_back` over what the group's settings say.
pub fn fail(world: &mut World, id: &str, failure: &Failure, rolls_back: Option<bool>) {
    let now = world.now;
    let Some(deployment) = world.codedeploy.deployments.get_mut(id) else { return };
    deployment.status = failure.status();
    deployment.error = Some((failure.code.to_owned(), failure.message.clone()));
    deployment.completed = Some(now);
    deployment.generation += 1;
    if let Some(run) = &mut deployment.run {
        for (at, event) in run.events.iter_mut().enumerate().skip(run.at) {
            let current = at == run.at && event.status == "InProgress";
            event.status = if current { "Failed" } else { "Skipped" }.to_owned();
            if current {
                event.ended = Some(now);
                event.message = Some(failure.message.clone());
            }
        }
    }
    let settings = deployment.settings.get("autoRollbackConfiguration").cloned().unwrap_or_default();
    let wanted = settings.flag("enabled") == Some(true) && settings.texts("events").contains(&failure.event);
    let back = rolls_back.unwrap_or(wanted) && deployment.run.as_ref().is_some_and(|run| !run.back);
    let (trigger, state) = match failure.status() {
        Status::Failed => ("DeploymentFailure", "FAILURE"),
        _ => ("DeploymentStop", "STOP"),
    };
    tell(world, id, trigger, state);
    if back {
        begin_back(world, id);
    }
}

/// "CodeDeploy rolls back deployments by redeploying a previously deployed revision … as a new deployment".
fn begin_back(world: &mut World, failed: &str) {
    let id = deployments::new_id(world);
    let now = world.now;
    let of = &world.codedeploy.deployments[failed];
    let Some(run) = &of.run else { return };
    let run = Run {
        back: true,
        spec: AppSpec::default(),
        events: lifecycle(&["AllowTraffic"]),
        at: 0,
        acted: false,
        ready: None,
        released: true,
        ends: None,
        hook: None,
        ..run.clone()
    };
    let made = Deployment {
        id: id.clone(),
        status: Status::InProgress,
        error: None,
        revision: of.previous.clone().unwrap_or_default(),
        previous: None,
        created: now,
        started: Some(now),
        completed: None,
        description: Some(format!("Automatic rollback of deployment {failed}")),
        creator: "codeDeployRollback".to_owned(),
        rollback: Some(json!({
            "rollbackTriggeringDeploymentId": failed,
            "rollbackMessage": format!("Deployment {failed} did not succeed and is being rolled back."),
        })),
        run: Some(run),
        generation: 0,
        application: of.application.clone(),
        group: of.group.clone(),
        config: of.config.clone(),
        platform: of.platform.clone(),
        settings: of.settings.clone(),
    };
    let (name, group) = (made.application.clone(), made.group.clone());
    world.codedeploy.deployments.insert(id.clone(), made);
    if let Some(failed) = world.codedeploy.deployments.get_mut(failed) {
        failed.rollback = Some(json!({
            "rollbackDeploymentId": id,
            "rollbackMessage": format!("Deployment was rolled back by deployment {id}."),
        }));
    }
    if let Some(group) =
        world.codedeploy.applications.get_mut(&name).and_then(|one| one.groups.get_mut(&group))
    {
        group.attempted = Some(id.clone());
    }
    tell(world, failed, "DeploymentRollback", "ROLLBACK");
    look_after(world, &id, 5 * SECOND);
}

/// Triggers of the group, and the event on the bus ("Monitoring deployments with Amazon CloudWatch Events").
fn tell(world: &mut World, id: &str, trigger: &str, state: &str) {
    let Some(deployment) = world.codedeploy.deployments.get(id) else { return };
    let (name, group) = (deployment.application.clone(), deployment.group.clone());
    let topics: Vec<String> = deployment
        .settings
        .list("triggerConfigurations")
        .iter()
        .filter(|one| one.texts("triggerEvents").contains(&trigger))
        .filter_map(|one| one.text("triggerTargetArn").map(str::to_owned))
        .collect();
    let mut message = json!({
        "region": world.region, "accountId": world.account, "eventTriggerName": trigger,
        "applicationName": name, "deploymentId": id, "deploymentGroupName": group,
        "createTime": World::timestamp(deployment.created), "status": deployment.status.text(),
    });
    if let Some((code, why)) = &deployment.error {
        message["errorInformation"] = json!(json!({"ErrorCode": code, "ErrorMessage": why}).to_string());
    }
    for topic in topics {
        let subject = format!("{trigger}: {name} {id}");
        notify::send(world, &topic, Some(&subject), &message);
    }
    let resources = vec![
        world.arn("codedeploy", &format!("deploymentgroup:{name}/{group}")),
        world.arn("codedeploy", &format!("application:{name}")),
    ];
    let detail = json!({
        "region": world.region, "deploymentId": id, "state": state, "application": name,
        "deploymentGroup": group,
    });
    events::put(
        world,
        "aws.codedeploy",
        "CodeDeploy Deployment State-change Notification",
        &resources,
        || detail,
    );
}
