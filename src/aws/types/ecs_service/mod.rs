//! `aws_ecs_service`: keeps tasks running behind load balancers. A new task definition, or anything else
//! that makes ECS deploy, is a rollout: we follow our own deployment, by its id, to its end.

mod capacity;
mod code_deploy;
mod convert;
mod exchange;
mod follow;
mod last_words;
mod live;
mod strategy;
mod table;
mod tuned;

use super::ecs::{self, last, small, some};
use super::{appautoscaling_target, codedeploy, timeouts};
use crate::aws::{Aws, AwsError, AwsType, Between, Existing, Job, Op, Poll, RolloutStep, absent, wait};
use crate::rollout::settings::Settings;
use crate::schema::{Attr, ID, Object, Str, TypeSchema};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ecs::types as sdk;
use aws_sdk_ecs::types::{Service, ServiceField};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use strategy::Deploys;
use table::*;

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Keeps a number of tasks running and deploys new ones without a gap",
    example: r#"
resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([{
    name   = "web"
    image  = "public.ecr.aws/docker/library/busybox:1"
    memory = 64
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 0
  launch_type     = "EC2"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  ordered_placement_strategy {
    type  = "spread"
    field = "attribute:ecs.availability-zone"
  }
}
"#,
    validate,
    unique: &["name", "cluster"],
    // The old one serves until the new one does.
    create_before_destroy: true,
    second_name: Some(LONGEST_NAME),
    may_stand_beside,
    carried: &["desired_count"],
    ..TypeSchema::new("aws_ecs_service", &TABLE)
};

/// Where a service lives, from its ARN `arn:…:service/cluster/name`.
pub struct Place {
    pub cluster: String,
    pub service: String,
}

impl Place {
    /// Old ARNs (`service/name`) and ids from an import do not name the cluster; then it is in `known`.
    fn of(id: &str, known: &Object) -> Self {
        let path = id.split_once(":service/").map_or(id, |(_, path)| path);
        match path.split_once('/') {
            Some((cluster, service)) => Self { cluster: cluster.to_owned(), service: service.to_owned() },
            None => Self {
                cluster: known.get(&CLUSTER).unwrap_or_else(|| "default".to_owned()),
                service: path.to_owned(),
            },
        }
    }
}

/// Not where both would ask for what there is once (a place on each host, a name in a namespace, a listener rule), and
/// not where it moves (to another VPC: hosts cannot leave the old one before the old tasks have).
fn may_stand_beside(live: &Object, want: &Object) -> bool {
    let is_named = |o: &Object| o.block(&SERVICE_CONNECT).is_some_and(|block| block.has("service"));
    let both_named = is_named(live) && is_named(want);
    let groups = |o: &Object| -> Vec<Option<Value>> {
        o.all(&LOAD_BALANCER).iter().map(|block| block.value("target_group_arn").cloned()).collect()
    };
    let subnets = |o: &Object| o.block(&NETWORK_CONFIGURATION).and_then(|n| n.value("subnets").cloned());
    let stays = groups(live) == groups(want) && subnets(live) == subnets(want);
    stays && !both_named && !daemon(want) && !moves_traffic(want)
}

pub struct EcsService;

#[async_trait(?Send)]
impl AwsType for EcsService {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let places: Vec<Place> = items.iter().map(|i| Place::of(i.id, i.known)).collect();
        let mut by_cluster: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for place in &places {
            by_cluster.entry(&place.cluster).or_default().insert(&place.service);
        }
        let mut found = Vec::new();
        for (cluster, services) in by_cluster {
            let services: Vec<&str> = services.into_iter().collect();
            for chunk in services.chunks(10) {
                found.extend(describe(aws, cluster, chunk).await?);
            }
        }
        let bounds = autoscaling_bounds(aws, &found).await?;
        let serving = exchange::serving(aws, &found).await?;
        let deployers = match found.iter().any(code_deploy::is_deployed) {
            true => codedeploy::deployers(aws).await?.unwrap_or_default(),
            false => Vec::new(),
        };
        let one = |(item, place): (&Existing<'_>, &Place)| {
            let service = found.iter().find(|s| {
                let same_cluster = s.cluster_arn().is_some_and(|c| last(c) == last(&place.cluster));
                s.service_name() == Some(&place.service) && same_cluster
            })?;
            let mut o = live::object(service, item.known);
            let deployer = deployers.iter().find(|d| d.deploys(&place.cluster, &place.service));
            o.set_blocks(&CODE_DEPLOY, deployer.map(code_deploy::block).into_iter().collect());
            if let Some(groups) = service.service_arn().and_then(|arn| serving.get(arn)) {
                o.set(&SERVING, &groups[..]);
            }
            if let Some((min, max)) = service.service_arn().and_then(|arn| bounds.get(arn)) {
                o.set(&AUTOSCALING_MIN, *min).set(&AUTOSCALING_MAX, *max);
            }
            Some(o.complete(&TABLE))
        };
        Ok(items.iter().zip(&places).map(one).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let call = creation(aws, job)?;
        // New roles, target groups without their listener yet, and new clusters pass by themselves.
        let passing = |e: &AwsError| {
            let says = ["assume", "does not have an associated load balancer", "service linked role"];
            e.is(&["InvalidParameterException", "ClientException", "ClusterNotFoundException"])
                && (says.iter().any(|s| e.message.contains(s)) || e.is(&["ClusterNotFoundException"]))
        };
        let deadline = Duration::from_secs(120);
        let made = ecs::patiently(aws, "CreateService", deadline, job.progress, passing, async || {
            call.clone().send().await.op("CreateService")
        })
        .await?;
        let arn = made.service().and_then(|s| s.service_arn()).unwrap_or_default().to_owned();
        self.settle(aws, &Job { id: &arn, ..*job }).await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if code_deploy::controls(job.want) {
            return code_deploy::update(aws, job).await;
        }
        send_changes(aws, job).await
    }

    async fn take_back(&self, aws: &Aws, job: &Job<'_>, carried: Option<&str>) -> Result<bool, AwsError> {
        if code_deploy::controls(job.want) {
            code_deploy::take_back(aws, job, carried).await
        } else {
            Ok(false)
        }
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let place = Place::of(job.id, job.want);
        let found = describe(aws, &place.cluster, &[&place.service]).await?;
        let Some(service) = found.first() else { return Ok(()) };
        if service.status() == Some("ACTIVE")
            && service.desired_count() > 0
            && !daemon(job.want)
            && (native(job.want) || code_deploy::controls(job.want))
        {
            let call = aws.ecs.update_service().cluster(&place.cluster).service(&place.service);
            let gone = &["ServiceNotFoundException", "ServiceNotActiveException"];
            absent(call.desired_count(0).send().await.op("UpdateService"), gone)?;
        }
        let force = daemon(job.want) || job.want.get(&FORCE_DELETE).unwrap_or(false);
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 20);
        let passing = |e: &AwsError| {
            let says = ["while deployments are active", "primary deployment", "scaled above 0"];
            e.is(&["InvalidParameterException"]) && says.iter().any(|s| e.message.contains(s))
        };
        let result = ecs::patiently(aws, "DeleteService", deadline, job.progress, passing, async || {
            let call = aws.ecs.delete_service().cluster(&place.cluster).service(&place.service);
            call.force(force).send().await.op("DeleteService")
        });
        absent(result.await, &["ServiceNotFoundException", "ClusterNotFoundException"])?;
        wait(aws, "DeleteService", Duration::from_secs(10), deadline, job.progress, async || {
            let left = describe(aws, &place.cluster, &[&place.service]).await?;
            Ok(match left.first() {
                None => Poll::Ready(()),
                Some(s) => Poll::Pending(format!("{} tasks draining", s.running_count())),
            })
        })
        .await
    }

    async fn settle(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let place = Place::of(job.id, job.want);
        if code_deploy::controls(job.want) && job.want.get(&WAIT_FOR_STEADY_STATE) != Some(false) {
            return code_deploy::settle(aws, &place, job).await;
        }
        if !follows(job.want) {
            return Ok(());
        }
        if let Some(deployment) = follow::ours(aws, &place, None, None, job.progress).await? {
            let following = following(job.want, &timeouts::CREATE);
            follow::to_the_end(aws, &place, &deployment, &following, job).await?;
            follow::healthy_targets(aws, &place, job.progress).await?;
        }
        Ok(())
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let cluster = job.want.get(&CLUSTER).unwrap_or_else(|| "default".to_owned());
        let found = describe(aws, last(&cluster), &[&job.want.need(&NAME)]).await?;
        let ours = found.iter().find(|s| ecs::is_ours(s.tags(), job.token));
        Ok(ours.and_then(|s| s.service_arn()).map(str::to_owned))
    }

    /// The provider imports by `cluster/service`.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&ID, id);
        if let Some((cluster, service)) = id.split_once('/').filter(|_| !id.starts_with("arn:")) {
            known.set(&CLUSTER, cluster).set(&NAME, service);
        }
        known
    }

    fn tune(&self, want: &mut Object, settings: &Settings) -> Result<(), String> {
        if code_deploy::controls(want) { code_deploy::tune(settings) } else { tuned::tune(want, settings) }
    }

    fn rollout(
        &self,
        live: &Object,
        want: &Object,
        changed: &[String],
        _: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        if code_deploy::controls(want) {
            return code_deploy::rollout(live, want, changed);
        }
        if !deploys(want, changed) || !native(want) {
            return Vec::new();
        }
        let name = want.get(&NAME).unwrap_or_default();
        let what = what_changes(live, want, changed);
        let text = format!("update service {name} ({what})");
        let (old, new) = revisions(live, want);
        let serving = Deploys::of(want).serving(count(live), &old, &new);
        let mut steps = vec![RolloutStep::new("update-service", text).serving(serving)];
        steps.extend(self.resume(want));
        steps
    }

    fn resume(&self, want: &Object) -> Vec<RolloutStep> {
        if code_deploy::controls(want) {
            return code_deploy::resume(want, None);
        }
        if want.get(&WAIT_FOR_STEADY_STATE) == Some(false) || !native(want) {
            return Vec::new();
        }
        let follow = format!("follow that deployment to its end ({})", Deploys::of(want));
        let mut gate = "the deployment is SUCCESSFUL".to_owned();
        if want.has("load_balancer") {
            gate.push_str(", its targets are healthy");
        }
        let back = "ECS puts back the revision that runs now, and that is followed to its end";
        let step = RolloutStep::new(AWAIT, follow).gate(gate).back(back);
        vec![match Deploys::of(want).pauses() {
            Some(least) => step.expected(least),
            None => step,
        }]
    }

    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        if !changed.iter().any(|c| c == "load_balancer") || !native(want) {
            return None;
        }
        if moves_traffic(want) {
            return exchange::between(live, want, changed);
        }
        let new = want.all(&LOAD_BALANCER);
        let mut both = new.clone();
        let group = |block: &Object| block.value("target_group_arn").cloned();
        let left = live.all(&LOAD_BALANCER).into_iter();
        both.extend(left.filter(|old| !new.iter().any(|block| group(block) == group(old))));
        // ECS takes five groups a service.
        if both.len() == new.len() || both.len() > 5 || new.is_empty() {
            return None;
        }
        let mut between = want.clone();
        between.set_blocks(&LOAD_BALANCER, both);
        let text = "let new tasks register in the old and the new target group".to_owned();
        Some(Between { want: between, changed: changed.to_vec(), text })
    }

    async fn run_step(
        &self,
        aws: &Aws,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        if code_deploy::controls(job.want) {
            return code_deploy::run_step(aws, job, step, carried).await;
        }
        let place = Place::of(job.id, job.want);
        match step {
            "update-service" => {
                let before = follow::deployments(aws, &place).await?.into_iter().next();
                let before = before.and_then(|d| d.service_deployment_arn);
                let definition = job.want.get(&TASK_DEFINITION);
                let sent = send_changes(aws, job).await;
                if let Err(error) = sent {
                    // The answer may be lost although the deployment runs: a second call would force another.
                    let begun = match error.is_ambiguous() {
                        true => {
                            follow::ours(aws, &place, before.as_deref(), definition.as_deref(), job.progress)
                                .await?
                        }
                        false => None,
                    };
                    return begun.map(Some).ok_or(error);
                }
                let ours =
                    follow::ours(aws, &place, before.as_deref(), definition.as_deref(), job.progress).await?;
                // None new: the call before a crash had started it already.
                Ok(ours.or(before))
            }
            AWAIT => {
                // A run that was killed may not have told which one it began.
                let newest = follow::deployments(aws, &place).await?.into_iter().next();
                let newest = newest.and_then(|d| d.service_deployment_arn);
                let Some(deployment) = carried.map(str::to_owned).or(newest) else { return Ok(None) };
                let following = following(job.want, &timeouts::UPDATE);
                follow::to_the_end(aws, &place, &deployment, &following, job).await?;
                follow::healthy_targets(aws, &place, job.progress).await?;
                Ok(Some(deployment))
            }
            other => Err(AwsError::failed(other, "Internal", "aws_ecs_service has no such step")),
        }
    }
}

/// The step in which a deployment is followed.
const AWAIT: &str = "await-deployment";

/// Whether ECS itself moves the traffic of a deployment from one target group to another.
fn moves_traffic(want: &Object) -> bool {
    want.all(&LOAD_BALANCER).iter().any(|block| block.has("advanced_configuration"))
}

fn following(want: &Object, limit: &Attr<Str>) -> follow::Following {
    follow::Following {
        patience: timeouts::limit(want, limit, 20),
        back_on_interrupt: want.get(&SIGINT_ROLLBACK).unwrap_or(false),
    }
}

fn follows(want: &Object) -> bool {
    native(want) && want.get(&WAIT_FOR_STEADY_STATE) != Some(false)
}

/// Whether these changes start a deployment.
fn deploys(want: &Object, changed: &[String]) -> bool {
    let forced =
        forces_deployments(want) && changed.iter().any(|c| c == "force_new_deployment" || c == "triggers");
    forced || changed.iter().any(|c| DEPLOYS.contains(&c.as_str()))
}

/// `to web:4`, or the names of what changes.
fn revisions(live: &Object, want: &Object) -> (String, String) {
    let from = live.get(&TASK_DEFINITION).map(|t| last(&t).to_owned()).unwrap_or_default();
    let to = match want.value("task_definition").filter(|v| !v.is_unknown()).and_then(Value::as_str) {
        Some(to) => last(to).to_owned(),
        None => "the new revision".to_owned(),
    };
    let to = if from == to { format!("{to}, started anew") } else { to };
    (from, to)
}

/// How many tasks run; None for one on every host.
fn count(live: &Object) -> Option<i64> {
    live.get(&DESIRED_COUNT).filter(|_| !daemon(live))
}

fn what_changes(live: &Object, want: &Object, changed: &[String]) -> String {
    let deploying = |c: &&String| DEPLOYS.contains(&c.as_str()) || *c == "force_new_deployment";
    let names: Vec<&str> = changed.iter().filter(deploying).map(String::as_str).collect();
    if names.contains(&"task_definition") {
        let (from, to) = revisions(live, want);
        let others = names.len() - 1;
        let more = if others > 0 {
            format!(", {}", names.join(", ").replace("task_definition, ", ""))
        } else {
            String::new()
        };
        return format!("{from} → {to}{more}");
    }
    if names.is_empty() { "new deployment".to_owned() } else { names.join(", ") }
}

/// Services by name, at most ten; those that are gone (or INACTIVE) are left out.
async fn describe(aws: &Aws, cluster: &str, services: &[&str]) -> Result<Vec<Service>, AwsError> {
    let names = services.iter().map(|s| (*s).to_owned()).collect();
    let call =
        aws.ecs.describe_services().cluster(cluster).set_services(Some(names)).include(ServiceField::Tags);
    let answer = absent(call.send().await.op("DescribeServices"), &["ClusterNotFoundException"])?;
    let mut found = answer.and_then(|a| a.services).unwrap_or_default();
    found.retain(|s| s.status() != Some("INACTIVE"));
    Ok(found)
}

/// Service ARN → bounds between which Application Auto Scaling moves its count. One call for 50 services.
async fn autoscaling_bounds(
    aws: &Aws,
    services: &[Service],
) -> Result<BTreeMap<String, (i32, i32)>, AwsError> {
    let mut arns: BTreeMap<String, String> = BTreeMap::new();
    for s in services.iter().filter(|s| s.scheduling_strategy() != Some(&sdk::SchedulingStrategy::Daemon)) {
        let (Some(cluster), Some(name), Some(arn)) = (s.cluster_arn(), s.service_name(), s.service_arn())
        else {
            continue;
        };
        arns.insert(format!("service/{}/{name}", last(cluster)), arn.to_owned());
    }
    let ids: Vec<String> = arns.keys().cloned().collect();
    let targets =
        if ids.is_empty() { Vec::new() } else { appautoscaling_target::describe(aws, "ecs", ids).await? };
    let bounds = targets.iter().filter(|t| t.scalable_dimension().as_str() == "ecs:service:DesiredCount");
    Ok(bounds
        .filter_map(|t| Some((arns.get(t.resource_id())?.clone(), (t.min_capacity(), t.max_capacity()))))
        .collect())
}

fn creation(
    aws: &Aws,
    job: &Job<'_>,
) -> Result<aws_sdk_ecs::operation::create_service::builders::CreateServiceFluentBuilder, AwsError> {
    let want = job.want;
    let external = want.block(&DEPLOYMENT_CONTROLLER).and_then(|c| c.get(&controller::TYPE));
    let controller = external.map(|kind| {
        let controller = sdk::DeploymentController::builder().r#type(kind.as_str().into()).build();
        ecs::built("CreateService", controller)
    });
    let nothing = Object::new();
    Ok(aws
        .ecs
        .create_service()
        .set_cluster(want.get(&CLUSTER))
        .service_name(want.need(&NAME))
        .set_task_definition(want.get(&TASK_DEFINITION))
        // AWS wants a number for replicas; the provider sends 0 when none is declared, and so do we.
        .set_desired_count(small(want.get(&DESIRED_COUNT)).or(Some(0)).filter(|_| !daemon(want)))
        .client_token(job.token)
        .set_launch_type(want.get(&LAUNCH_TYPE).map(|t| t.as_str().into()))
        .set_capacity_provider_strategy(some(ecs::strategy(&want.all(&CAPACITY_PROVIDER_STRATEGY))?))
        .set_platform_version(want.get(&PLATFORM_VERSION))
        .set_role(want.get(&IAM_ROLE))
        .deployment_configuration(convert::deployment_configuration(want, &nothing, &[])?)
        .set_deployment_controller(controller.transpose()?)
        .set_availability_zone_rebalancing(
            want.get(&AVAILABILITY_ZONE_REBALANCING).map(|r| r.as_str().into()),
        )
        .set_load_balancers(some(convert::load_balancers(want)))
        .set_network_configuration(convert::network_configuration(want)?)
        .set_placement_strategy(some(convert::placement_strategy(want)))
        .set_placement_constraints(some(convert::placement_constraints(want)))
        .set_service_registries(some(convert::registries(want)))
        .set_service_connect_configuration(convert::service_connect(want)?)
        .set_volume_configurations(some(convert::volumes(want)?))
        .set_vpc_lattice_configurations(some(convert::lattices(want)?))
        .set_health_check_grace_period_seconds(small(want.get(&HEALTH_CHECK_GRACE_PERIOD)))
        .set_scheduling_strategy(want.get(&SCHEDULING_STRATEGY).map(|s| s.as_str().into()))
        .set_enable_ecs_managed_tags(want.get(&ENABLE_ECS_MANAGED_TAGS))
        .set_enable_execute_command(want.get(&ENABLE_EXECUTE_COMMAND))
        .set_propagate_tags(want.get(&PROPAGATE_TAGS).filter(|p| p != "NONE").map(|p| p.as_str().into()))
        .set_tags(Some(ecs::creation_tags(job))))
}

/// Sends the least: only what changed, as a re-sent load balancer list alone starts a deployment.
async fn send_changes(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    const TAGS_AND_LOCAL: &[&str] = &[
        "tags",
        "tags_all",
        "timeouts",
        "force_delete",
        "force_new_deployment",
        "triggers",
        "wait_for_steady_state",
        "sigint_rollback",
    ];
    let (want, changes) = (job.want, |names: &[&str]| job.changes(names));
    let place = Place::of(job.id, want);
    let forced = forces_deployments(want) && changes(&["force_new_deployment", "triggers"]);
    if forced || job.changed.iter().any(|c| !TAGS_AND_LOCAL.contains(&c.as_str())) {
        let mut call = aws.ecs.update_service().cluster(&place.cluster).service(&place.service);
        if changes(&["task_definition"]) {
            call = call.set_task_definition(want.get(&TASK_DEFINITION));
        }
        if changes(&["desired_count"]) && !daemon(want) {
            call = call.set_desired_count(small(want.get(&DESIRED_COUNT)));
        }
        if changes(convert::DEPLOYMENT) {
            let config = convert::deployment_configuration(want, job.live, job.changed)?;
            call = call.deployment_configuration(config);
        }
        if changes(&["capacity_provider_strategy"]) {
            // The API refuses a changed strategy without a new deployment.
            let strategy = ecs::strategy(&want.all(&CAPACITY_PROVIDER_STRATEGY))?;
            call = call.set_capacity_provider_strategy(Some(strategy)).force_new_deployment(true);
        }
        if forced {
            call = call.force_new_deployment(true);
        }
        if changes(&["load_balancer"]) {
            call = call.set_load_balancers(Some(convert::load_balancers(want)));
        }
        if changes(&["network_configuration"]) {
            call = call.set_network_configuration(convert::network_configuration(want)?);
        }
        if changes(&["service_registries"]) {
            call = call.set_service_registries(Some(convert::registries(want)));
        }
        if changes(&["service_connect_configuration"]) {
            let off = || sdk::ServiceConnectConfiguration::builder().enabled(false).build();
            call = call.service_connect_configuration(convert::service_connect(want)?.unwrap_or_else(off));
        }
        if changes(&["volume_configuration"]) {
            call = call.set_volume_configurations(Some(convert::volumes(want)?));
        }
        if changes(&["vpc_lattice_configurations"]) {
            call = call.set_vpc_lattice_configurations(Some(convert::lattices(want)?));
        }
        if changes(&["ordered_placement_strategy"]) {
            call = call.set_placement_strategy(Some(convert::placement_strategy(want)));
        }
        if changes(&["placement_constraints"]) {
            call = call.set_placement_constraints(Some(convert::placement_constraints(want)));
        }
        if changes(&["platform_version"]) {
            call = call.set_platform_version(want.get(&PLATFORM_VERSION));
        }
        if changes(&["health_check_grace_period_seconds"]) {
            let seconds = small(want.get(&HEALTH_CHECK_GRACE_PERIOD)).or(Some(0));
            call = call.set_health_check_grace_period_seconds(seconds);
        }
        if changes(&["availability_zone_rebalancing"]) {
            let rebalancing = want.get(&AVAILABILITY_ZONE_REBALANCING);
            call = call.set_availability_zone_rebalancing(rebalancing.map(|r| r.as_str().into()));
        }
        if changes(&["enable_ecs_managed_tags"]) {
            call = call.set_enable_ecs_managed_tags(want.get(&ENABLE_ECS_MANAGED_TAGS));
        }
        if changes(&["enable_execute_command"]) {
            call = call.set_enable_execute_command(want.get(&ENABLE_EXECUTE_COMMAND));
        }
        if changes(&["propagate_tags"]) {
            let propagate = want.get(&PROPAGATE_TAGS).unwrap_or_else(|| "NONE".to_owned());
            call = call.propagate_tags(propagate.as_str().into());
        }
        let passing = |e: &AwsError| {
            e.is(&["InvalidParameterException", "ClientException"])
                && ["assume", "does not have an associated load balancer"]
                    .iter()
                    .any(|s| e.message.contains(s))
        };
        let deadline = Duration::from_secs(120);
        ecs::patiently(aws, "UpdateService", deadline, job.progress, passing, async || {
            call.clone().send().await.op("UpdateService")
        })
        .await?;
    }
    ecs::update_tags(aws, job.id, job).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_the_path_in_its_arn() {
        let place = Place::of("arn:aws:ecs:us-east-1:1:service/main/web", &Object::new());
        assert_eq!((place.cluster.as_str(), place.service.as_str()), ("main", "web"));
        let mut known = Object::new();
        known.set(&CLUSTER, "old");
        let place = Place::of("arn:aws:ecs:us-east-1:1:service/web", &known);
        assert_eq!((place.cluster.as_str(), place.service.as_str()), ("old", "web"));
    }

    #[test]
    fn a_new_task_definition_is_a_rollout_of_two_steps() {
        let (mut live, mut want) = (Object::new(), Object::new());
        live.set(&TASK_DEFINITION, "arn:aws:ecs:us-east-1:1:task-definition/web:3");
        want.set(&NAME, "web").put("task_definition", Some(Value::unknown(crate::value::Type::String)));
        let steps = EcsService.rollout(&live, &want, &["task_definition".to_owned()], None);
        let names: Vec<&str> = steps.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["update-service", "await-deployment"]);
        assert_eq!(steps[0].text, "update service web (web:3 → the new revision)");
    }

    #[test]
    fn a_count_or_a_tag_is_a_plain_update() {
        let want = Object::new();
        for name in ["desired_count", "tags_all", "deployment_circuit_breaker"] {
            assert_eq!(EcsService.rollout(&Object::new(), &want, &[name.to_owned()], None), [], "{name}");
        }
    }
}
