//! Services that CodeDeploy deploys (`deployment_controller { type = "CODE_DEPLOY" }`): what ECS's UpdateService
//! refuses for them goes through a deployment of CodeDeploy, in the deployment group that names the service.

mod app_spec;
mod follow;

use super::table::*;
use super::{AWAIT, Place, last, send_changes, what_changes};
use crate::aws::types::codedeploy::{Deployer, deployers};
use crate::aws::types::timeouts;
use crate::aws::{Aws, AwsError, Job, Op, Poll, RolloutStep, Serving, wait};
use crate::rollout::code_deploy::Shift;
use crate::rollout::settings::{OnFailure, Settings, Strategy};
use crate::schema::Object;
use aws_sdk_codedeploy::types as sdk;
use aws_sdk_ecs::types::{Service, StabilityStatus};
use std::time::Duration;

pub const CREATE: &str = "create-deployment";

/// What a deployment of CodeDeploy changes (ECS API reference, UpdateService: "If the network configuration, platform
/// version, task definition, or load balancer need to be updated, create a new CodeDeploy deployment").
const BY_DEPLOYMENT: &[&str] = &[
    "task_definition",
    "network_configuration",
    "load_balancer",
    "platform_version",
    "capacity_provider_strategy",
];

pub fn controls(o: &Object) -> bool {
    let controller = o.block(&DEPLOYMENT_CONTROLLER).and_then(|c| c.get(&controller::TYPE));
    controller.as_deref() == Some("CODE_DEPLOY")
}

pub fn is_deployed(service: &Service) -> bool {
    service.deployment_controller().is_some_and(|c| c.r#type().as_str() == "CODE_DEPLOY")
}

fn forced(want: &Object, changed: &[String]) -> bool {
    want.get(&FORCE_NEW_DEPLOYMENT) == Some(true)
        && changed.iter().any(|c| c == "force_new_deployment" || c == "triggers")
}

fn deploys(want: &Object, changed: &[String]) -> bool {
    forced(want, changed) || changed.iter().any(|c| BY_DEPLOYMENT.contains(&c.as_str()))
}

/// Who deploys it, as its attributes tell.
pub fn block(deployer: &Deployer) -> Object {
    let mut o = Object::new();
    o.set(&deployer::GROUP, deployer.name())
        .set(&deployer::CONFIG, deployer.config.as_str())
        .set(&deployer::TARGET_GROUPS, &deployer.target_groups[..])
        .set(&deployer::WAITS, deployer.waits)
        .set(&deployer::STAYS, deployer.stays);
    o
}

/// Which of the two target groups serves is CodeDeploy's to say.
pub fn moves_group(live: &Object, want: &Object) -> bool {
    let names = live.block(&CODE_DEPLOY).map(|b| b.all(&deployer::TARGET_GROUPS)).unwrap_or_default();
    let level = |o: &Object| -> Option<Vec<Object>> {
        let one = |mut b: Object| {
            let arn = b.get(&balancer::TARGET_GROUP_ARN)?;
            b.put("target_group_arn", None);
            names.iter().any(|name| name == group_name(&arn)).then_some(b)
        };
        o.all(&LOAD_BALANCER).into_iter().map(one).collect()
    };
    !names.is_empty() && level(live).is_some_and(|all| !all.is_empty() && Some(all) == level(want))
}

/// `arn:…:targetgroup/green/abc` → `green`
fn group_name(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

/// A `rollout` block brings gates, a deadline and what to do on failure; how traffic moves, the group says.
pub fn tune(settings: &Settings) -> Result<(), String> {
    if settings.steps.iter().any(|step| step.approve) {
        return Err("CodeDeploy moves the traffic of this service: for a person's agreement declare \
                    `deployment_ready_option` with action_on_timeout \"STOP_DEPLOYMENT\" in its \
                    aws_codedeploy_deployment_group"
            .to_owned());
    }
    let at_once = matches!(settings.strategy, None | Some(Strategy::BlueGreen));
    if at_once && settings.steps.is_empty() {
        return Ok(());
    }
    Err("CodeDeploy moves the traffic of this service, as the deployment_config_name of its \
         aws_codedeploy_deployment_group says: leave `strategy` and `step` out"
        .to_owned())
}

pub fn rollout(live: &Object, want: &Object, changed: &[String]) -> Vec<RolloutStep> {
    if !deploys(want, changed) {
        return Vec::new();
    }
    let name = want.get(&NAME).unwrap_or_default();
    let group = live.block(&CODE_DEPLOY).and_then(|b| b.get(&deployer::GROUP));
    let group = group.map_or("by CodeDeploy".to_owned(), |group| format!("by CodeDeploy, group {group}"));
    let text = format!("deploy service {name} {group} ({})", what_changes(live, want, changed));
    let (old, new) = super::revisions(live, want);
    let tasks = super::count(live).map(|n| format!("{n} × ")).unwrap_or_default();
    let serving = Serving {
        before: format!("{tasks}{old}"),
        meanwhile: format!("{old}, and {tasks}{new} beside it as CodeDeploy moves the traffic"),
        afterwards: format!("{tasks}{new}"),
    };
    let mut steps = vec![RolloutStep::new(CREATE, text).serving(serving)];
    steps.extend(resume(want, Some(live)));
    steps
}

/// The step that follows the deployment; with what is live it says how the traffic moves.
pub fn resume(want: &Object, live: Option<&Object>) -> Vec<RolloutStep> {
    if want.get(&WAIT_FOR_STEADY_STATE) == Some(false) {
        return Vec::new();
    }
    let group = live.and_then(|live| live.block(&CODE_DEPLOY)).unwrap_or_default();
    let config = group.get(&deployer::CONFIG);
    let shift = config.as_deref().and_then(Shift::of);
    let (waits, stays) = (group.get(&deployer::WAITS), group.get(&deployer::STAYS).unwrap_or(0));
    let mut parts: Vec<String> = shift.map(|s| s.to_string()).or(config).into_iter().collect();
    parts.extend(waits.map(|minutes| format!("before that it waits {minutes} min for a person")));
    parts.extend((stays > 0).then(|| format!("the original tasks stay {stays} min")));
    let how = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) };
    let step = RolloutStep::new(AWAIT, format!("follow that deployment to its end{how}"))
        .gate("the deployment is Succeeded, its task set is the primary one, its targets are healthy")
        .back("CodeDeploy sends the traffic back to the original task set, and that is followed to its end");
    let stays = Duration::from_secs(u64::try_from(stays).unwrap_or_default() * 60);
    let takes = shift.map_or(Duration::ZERO, Shift::takes) + stays;
    vec![if takes.is_zero() { step } else { step.expected(takes) }]
}

pub async fn run_step(
    aws: &Aws,
    job: &Job<'_>,
    step: &str,
    carried: Option<&str>,
) -> Result<Option<String>, AwsError> {
    let place = Place::of(job.id, job.want);
    match step {
        CREATE => begin(aws, &place, job).await.map(Some),
        AWAIT => {
            let Some(id) = (match carried {
                Some(id) => Some(id.to_owned()),
                None => last_attempted(aws, &place).await?,
            }) else {
                return Ok(None);
            };
            follow::to_the_end(aws, &place, &id, job).await?;
            Ok(Some(id))
        }
        other => {
            Err(AwsError::failed(other, "Internal", "a service that CodeDeploy deploys has no such step"))
        }
    }
}

/// Without steps: a rollout that is taken back later does it like this.
pub async fn update(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    if !deploys(job.want, job.changed) {
        return send_changes(aws, job).await;
    }
    let place = Place::of(job.id, job.want);
    let id = begin(aws, &place, job).await?;
    follow::to_the_end(aws, &place, &id, job).await
}

/// Takes back what has not yet moved; false where there is nothing under way.
pub async fn take_back(aws: &Aws, job: &Job<'_>, carried: Option<&str>) -> Result<bool, AwsError> {
    let place = Place::of(job.id, job.want);
    let id = match carried {
        Some(id) => id.to_owned(),
        None => match last_attempted(aws, &place).await? {
            Some(id) => id,
            None => return Ok(false),
        },
    };
    follow::take_back(aws, &place, &id, job).await
}

/// Waits until the first task set of a new service is as it shall be.
pub async fn settle(aws: &Aws, place: &Place, job: &Job<'_>) -> Result<(), AwsError> {
    let limit = timeouts::limit(job.want, &timeouts::CREATE, 20);
    wait(aws, "ECS service", Duration::from_secs(10), limit, job.progress, async || {
        let found = super::describe(aws, &place.cluster, &[&place.service]).await?;
        let Some(service) = found.first() else { return Ok(Poll::Pending("not visible yet".to_owned())) };
        let set = service.task_sets().iter().find(|set| set.status() == Some("PRIMARY"));
        let steady = set.is_none_or(|set| set.stability_status() == Some(&StabilityStatus::SteadyState));
        let text = format!("{} of {} tasks running", service.running_count(), service.desired_count());
        Ok(if steady { Poll::Ready(()) } else { Poll::Pending(text) })
    })
    .await?;
    super::follow::healthy_targets(aws, place, job.progress).await
}

const OPERATION: &str = "CodeDeploy deployment";

async fn deployer(aws: &Aws, place: &Place) -> Result<Deployer, AwsError> {
    let all = deployers(aws).await?.ok_or_else(|| {
        let text = "the applications of CodeDeploy may not be listed: codedeploy:ListApplications, \
                    ListDeploymentGroups and their BatchGet calls are needed to find the service's group";
        AwsError::failed(OPERATION, "AccessDeniedException", text)
    })?;
    let ours = all.into_iter().find(|one| one.deploys(&place.cluster, &place.service));
    ours.ok_or_else(|| {
        let text = format!(
            "no deployment group of CodeDeploy is for the service {} of cluster {}: declare an \
             aws_codedeploy_deployment_group whose `ecs_service` names them",
            place.service, place.cluster
        );
        AwsError::failed(OPERATION, "NoDeploymentGroup", text)
    })
}

async fn last_attempted(aws: &Aws, place: &Place) -> Result<Option<String>, AwsError> {
    let info = group(aws, &deployer(aws, place).await?).await?;
    Ok(info.last_attempted_deployment.and_then(|d| d.deployment_id))
}

async fn group(aws: &Aws, deployer: &Deployer) -> Result<sdk::DeploymentGroupInfo, AwsError> {
    let call = aws.codedeploy.get_deployment_group().application_name(&deployer.application);
    let answer = call.deployment_group_name(&deployer.group).send().await.op("GetDeploymentGroup")?;
    let gone =
        || AwsError::failed("GetDeploymentGroup", "NoDeploymentGroup", "CodeDeploy tells nothing of it");
    answer.deployment_group_info.ok_or_else(gone)
}

/// Sends what ECS changes without a deployment, then creates one; or finds the one that an earlier call or run of
/// ours has created.
async fn begin(aws: &Aws, place: &Place, job: &Job<'_>) -> Result<String, AwsError> {
    let deployer = deployer(aws, place).await?;
    check_groups(&deployer, job)?;
    let before = group(aws, &deployer).await?.target_revision;
    let revision = app_spec::revision(job.want, before.as_ref())?;
    if let Some(id) = under_way(aws, &deployer, &revision, job).await? {
        (job.progress)(&format!("deployment {id} is under way already"));
        return Ok(id);
    }
    let by_deployment = |name: &String| {
        BY_DEPLOYMENT.contains(&name.as_str())
            || ["force_new_deployment", "triggers"].contains(&name.as_str())
    };
    let plain: Vec<String> = job.changed.iter().filter(|name| !by_deployment(name)).cloned().collect();
    send_changes(aws, &Job { changed: &plain, ..*job }).await?;
    let call = aws
        .codedeploy
        .create_deployment()
        .application_name(&deployer.application)
        .deployment_group_name(&deployer.group)
        .description(description(job))
        .set_auto_rollback_configuration(way_back(job))
        .revision(revision);
    let made = call.send().await.op("CreateDeployment")?;
    let id = made.deployment_id.unwrap_or_default();
    (job.progress)(&format!("deployment {id} of {} created", deployer.name()));
    Ok(id)
}

/// By which a later run knows a deployment of ours.
fn description(job: &Job<'_>) -> String {
    format!("Cutover: {}", job.address)
}

/// CodeDeploy goes back by itself on whatever makes it fail, whether or not the group says so: this is what a rollout
/// promises. One that is to stay or to go on leaves it to the group.
fn way_back(job: &Job<'_>) -> Option<sdk::AutoRollbackConfiguration> {
    use sdk::AutoRollbackEvent::{DeploymentFailure, DeploymentStopOnAlarm, DeploymentStopOnRequest};
    let on_failure = job.watch.settings().map(|s| s.on_failure).unwrap_or_default();
    let events = vec![DeploymentFailure, DeploymentStopOnAlarm, DeploymentStopOnRequest];
    let all = sdk::AutoRollbackConfiguration::builder().enabled(true).set_events(Some(events)).build();
    (on_failure == OnFailure::Rollback).then_some(all)
}

/// A target group beyond the pair: CodeDeploy would go on with the pair, and never get there.
fn check_groups(deployer: &Deployer, job: &Job<'_>) -> Result<(), AwsError> {
    if !job.changes(&["load_balancer"]) {
        return Ok(());
    }
    let wanted = job.want.all(&LOAD_BALANCER);
    let wanted = wanted.iter().filter_map(|b| b.get(&balancer::TARGET_GROUP_ARN));
    let Some(other) =
        wanted.into_iter().find(|arn| !deployer.target_groups.iter().any(|g| g == group_name(arn)))
    else {
        return Ok(());
    };
    let text = format!(
        "target group {} is none of those that the deployment group {} moves traffic between ({}): change its \
         target_group_pair_info first",
        group_name(&other),
        deployer.name(),
        deployer.target_groups.join(", ")
    );
    Err(AwsError::failed(OPERATION, "InvalidTargetGroupPairException", text))
}

/// The deployment in the group that is not over, if it is ours. Somebody else's is left alone. A rollback is waited
/// for: it ends soon.
async fn under_way(
    aws: &Aws,
    deployer: &Deployer,
    revision: &sdk::RevisionLocation,
    job: &Job<'_>,
) -> Result<Option<String>, AwsError> {
    let limit = timeouts::limit(job.want, &timeouts::UPDATE, 20);
    wait(aws, OPERATION, Duration::from_secs(10), limit, job.progress, async || {
        let Some(other) = active(aws, deployer).await? else { return Ok(Poll::Ready(None)) };
        let id = other.deployment_id().unwrap_or_default();
        if other.creator() == Some(&sdk::DeploymentCreator::CodeDeployRollback) {
            return Ok(Poll::Pending(format!("deployment {id} takes an earlier one back")));
        }
        let ours = other.description() == Some(&description(job));
        if ours && app_spec::is_same(other.revision(), revision) {
            return Ok(Poll::Ready(Some(id.to_owned())));
        }
        let who = other.description().map(|text| format!(" ({text})")).unwrap_or_default();
        let text = format!(
            "deployment {id}{who} of {} is not over, and it is not ours: it was left alone. Run this again when \
             it has ended, or end it: aws deploy stop-deployment --deployment-id {id}",
            deployer.name()
        );
        Err(AwsError::failed(OPERATION, "DeploymentLimitExceededException", text))
    })
    .await
}

/// CodeDeploy has one deployment of an ECS service at a time.
async fn active(aws: &Aws, deployer: &Deployer) -> Result<Option<sdk::DeploymentInfo>, AwsError> {
    use sdk::DeploymentStatus::{Baking, Created, InProgress, Queued, Ready};
    let call = aws
        .codedeploy
        .list_deployments()
        .application_name(&deployer.application)
        .deployment_group_name(&deployer.group)
        .set_include_only_statuses(Some(vec![Created, Queued, InProgress, Baking, Ready]));
    let listed = call.send().await.op("ListDeployments")?.deployments.unwrap_or_default();
    match listed.first() {
        Some(id) => follow::deployment(aws, id).await.map(Some),
        None => Ok(None),
    }
}

/// Whether the primary task set has this task definition.
async fn serves(aws: &Aws, place: &Place, definition: &str) -> Result<bool, AwsError> {
    let found = super::describe(aws, &place.cluster, &[&place.service]).await?;
    let Some(service) = found.first() else { return Ok(false) };
    let set = service.task_sets().iter().find(|set| set.status() == Some("PRIMARY"));
    let serving = set.and_then(|set| set.task_definition()).or(service.task_definition());
    Ok(serving.is_some_and(|arn| is_revision(arn, definition)))
}

/// `…/web:3` is `web:3`, and some revision of `web`.
fn is_revision(arn: &str, wanted: &str) -> bool {
    let (found, wanted) = (last(arn), last(wanted));
    found == wanted || (!wanted.contains(':') && found.split(':').next() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(group: &str) -> Object {
        let mut b = Object::new();
        b.set(
            &balancer::TARGET_GROUP_ARN,
            format!("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/{group}/1"),
        )
        .set(&balancer::CONTAINER_NAME, "web")
        .set(&balancer::CONTAINER_PORT, 80i64);
        let mut o = Object::new();
        o.set(&NAME, "web").set_blocks(&LOAD_BALANCER, vec![b]);
        o
    }

    fn deployed(group: &str) -> Object {
        let mut o = service(group);
        let deployer = Deployer {
            application: "shop".into(),
            group: "web".into(),
            config: "CodeDeployDefault.ECSCanary10Percent5Minutes".into(),
            target_groups: vec!["blue".into(), "green".into()],
            stays: 5,
            ..Deployer::default()
        };
        o.set_blocks(&CODE_DEPLOY, vec![block(&deployer)]);
        o
    }

    #[test]
    fn which_of_the_pair_serves_is_no_difference() {
        assert!(moves_group(&deployed("green"), &service("blue")));
        assert!(!moves_group(&deployed("green"), &service("red")));
        assert!(!moves_group(&service("green"), &service("blue")), "nobody is known to move it");
        let mut other = service("blue");
        let mut b = other.block(&LOAD_BALANCER).expect("has one");
        b.set(&balancer::CONTAINER_PORT, 81i64);
        other.set_blocks(&LOAD_BALANCER, vec![b]);
        assert!(!moves_group(&deployed("green"), &other), "another port is");
    }

    #[test]
    fn the_plan_says_how_traffic_moves() {
        let steps = rollout(&deployed("blue"), &service("blue"), &["task_definition".to_owned()]);
        assert!(
            steps[0].text.starts_with("deploy service web by CodeDeploy, group shop/web ("),
            "{}",
            steps[0].text
        );
        let text = "follow that deployment to its end (10 % of the traffic for 5 min, then all of it; the original \
                    tasks stay 5 min)";
        assert_eq!((steps[1].text.as_str(), steps[1].expected_seconds), (text, Some(600)));
        assert_eq!(rollout(&deployed("blue"), &service("blue"), &["desired_count".to_owned()]), []);
    }

    #[test]
    fn a_rollout_block_cannot_say_how_codedeploy_moves_traffic() {
        assert_eq!(tune(&Settings::default()), Ok(()));
        let canary = Settings { strategy: Some(Strategy::Canary), ..Settings::default() };
        assert!(tune(&canary).is_err_and(|why| why.contains("deployment_config_name")));
    }

    #[test]
    fn a_revision_is_known_by_arn_by_number_and_by_family() {
        let arn = "arn:aws:ecs:us-east-1:1:task-definition/web:3";
        for (wanted, is) in [(arn, true), ("web:3", true), ("web", true), ("web:4", false), ("we", false)] {
            assert_eq!(is_revision(arn, wanted), is, "{wanted}");
        }
    }
}
