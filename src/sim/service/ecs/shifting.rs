//! Blue/green, linear and canary deployments: the new revision (green) comes up beside the old one (blue) in
//! the other target group, traffic moves over by the weights of listener rules, then the old one goes. The
//! stages are those of the Developer Guide, "Amazon ECS blue/green service deployments workflow".

use super::super::{ApiError, Input};
use super::hooks::{self, Outcome};
use super::model::{Revision, Service, ServiceDeployment, Shift, Stage};
use super::settle::say;
use super::{deployments, invalid, kick, scheduler};
use crate::World;
use crate::service::{elbv2, iam};
use crate::world::{MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A stage that has nothing to wait for still takes a moment.
const MOMENT: Millis = 5 * SECOND;

/// Whether two revisions stand side by side while this configuration deploys.
pub(super) fn is_native(configuration: &Json) -> bool {
    matches!(configuration.text("strategy"), Some("BLUE_GREEN" | "LINEAR" | "CANARY"))
}

/// Checks what belongs to the strategies, fills in their defaults and drops what another strategy left.
pub(super) fn complete_configuration(all: &mut Json, daemon: bool, controller: &str) -> Result<(), ApiError> {
    let strategy = all.text("strategy").unwrap_or("ROLLING").to_owned();
    if is_native(all) && (daemon || controller != "ECS") {
        return Err(invalid(format!(
            "The {strategy} deployment strategy is only supported for services with the ECS deployment controller and the REPLICA scheduling strategy."
        )));
    }
    let minutes = |value: Option<i64>, name: &str| match value {
        Some(value) if !(0..=1440).contains(&value) => {
            Err(invalid(format!("{name} must be between 0 and 1440.")))
        }
        _ => Ok(()),
    };
    minutes(all.int("bakeTimeInMinutes"), "bakeTimeInMinutes")?;
    let kinds = [
        ("linearConfiguration", "LINEAR", ("stepPercent", 10.0, 3.0), ("stepBakeTimeInMinutes", 6)),
        ("canaryConfiguration", "CANARY", ("canaryPercent", 5.0, 0.1), ("canaryBakeTimeInMinutes", 10)),
    ];
    for (name, of, (percent, usual, least), (bake, usual_bake)) in kinds {
        if strategy != of {
            if let Some(map) = all.as_object_mut() {
                map.remove(name);
            }
            continue;
        }
        let given = all.get(name).filter(|one| !one.is_null()).cloned().unwrap_or_else(|| json!({}));
        let share = given.get(percent).and_then(Json::as_f64).unwrap_or(usual);
        let tenths = share * 10.0;
        if !(least..=100.0).contains(&share) || (tenths - tenths.round()).abs() > 1e-6 {
            return Err(invalid(format!("{percent} must be a multiple of 0.1 from {least} to 100.0.")));
        }
        minutes(given.int(bake), bake)?;
        all[name] = json!({percent: share, bake: given.int(bake).unwrap_or(usual_bake)});
    }
    hooks::check(all)
}

/// What must be in place before traffic can be moved ("Required resources for Amazon ECS blue/green
/// deployments"): both groups on the rule, which only forwards, and a role that ECS may assume.
pub(super) fn check_balancers(world: &World, revision: &Revision) -> Result<(), ApiError> {
    for balancer in &revision.load_balancers {
        let Some(advanced) = balancer.get("advancedConfiguration").filter(|one| !one.is_null()) else {
            return Err(invalid(
                "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy.",
            ));
        };
        let need = |name: &str| {
            advanced
                .text(name)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| invalid(format!("advancedConfiguration must contain {name}.")))
        };
        let alternate = need("alternateTargetGroupArn")?;
        let declared = balancer.text("targetGroupArn").unwrap_or_default();
        if alternate == declared {
            return Err(invalid("targetGroupArn and alternateTargetGroupArn must be different."));
        }
        check_role(world, need("roleArn")?)?;
        if elbv2::group_facts(world, alternate).is_none() {
            return Err(invalid(format!("The target group {alternate} does not exist.")));
        }
        check_rule(world, need("productionListenerRule")?, "production", &[declared, alternate])?;
        if let Some(test) = advanced.text("testListenerRule").filter(|text| !text.is_empty()) {
            check_rule(world, test, "test", &[])?;
        }
    }
    Ok(())
}

fn check_role(world: &World, role: &str) -> Result<(), ApiError> {
    let found = iam::role_by_arn(world, role);
    if found.is_some_and(|role| iam::trusts_service(role, "ecs.amazonaws.com")) {
        return Ok(());
    }
    Err(invalid(format!(
        "ECS was unable to assume the role {role} that was provided in advancedConfiguration. Please verify that the role exists and that its trust policy lets ecs.amazonaws.com assume it."
    )))
}

fn check_rule(world: &World, arn: &str, what: &str, groups: &[&str]) -> Result<(), ApiError> {
    match elbv2::traffic(world, arn) {
        elbv2::Traffic::Absent => Err(invalid(format!("The {what} listener rule {arn} does not exist."))),
        elbv2::Traffic::Other(kind) => Err(invalid(format!(
            "The {what} listener rule {arn} has an action of type {kind}: only forward actions are supported."
        ))),
        elbv2::Traffic::Forward(there) => {
            let on = |group: &&&str| there.iter().any(|(one, _)| one == **group);
            // A listener of a network load balancer forwards to one group until the first shift.
            let enough = if arn.contains(":listener/net/") { 1.min(groups.len()) } else { groups.len() };
            if groups.iter().filter(on).count() >= enough {
                return Ok(());
            }
            Err(invalid(format!(
                "The {what} listener rule {arn} must forward to the target groups {}.",
                groups.join(" and ")
            )))
        }
    }
}

/// The target groups that a new revision takes, where they are not the declared ones: with two revisions side
/// by side always the ones that do not serve.
pub(super) fn resolve(world: &World, service: &Service, revision: &Revision) -> BTreeMap<String, String> {
    let serving = service.completed.as_ref().and_then(|arn| world.ecs.revisions.get(arn));
    let serves = |group: &str| {
        serving.is_some_and(|one| one.load_balancers.iter().any(|b| one.group(b) == Some(group)))
    };
    let native = is_native(&service.deployment_configuration);
    let mut resolved = BTreeMap::new();
    for balancer in &revision.load_balancers {
        let alternate =
            balancer.get("advancedConfiguration").and_then(|one| one.text("alternateTargetGroupArn"));
        let (Some(declared), Some(alternate)) = (balancer.text("targetGroupArn"), alternate) else {
            continue;
        };
        let other = if native { serves(declared) } else { serves(alternate) && !serves(declared) };
        if other {
            resolved.insert(declared.to_owned(), alternate.to_owned());
        }
    }
    resolved
}

/// Both groups of a load balancer as declared, and whether the second is the new revision's.
fn pair(revision: &Revision, balancer: &Json) -> Option<(String, String, bool)> {
    let declared = balancer.text("targetGroupArn")?;
    let alternate = balancer.get("advancedConfiguration")?.text("alternateTargetGroupArn")?;
    Some((declared.to_owned(), alternate.to_owned(), revision.group(balancer) == Some(alternate)))
}

fn rules<'a>(revision: &'a Revision, name: &'a str) -> impl Iterator<Item = (&'a Json, &'a str)> {
    revision.load_balancers.iter().filter_map(move |balancer| {
        let rule = balancer.get("advancedConfiguration")?.text(name)?;
        (!rule.is_empty()).then_some((balancer, rule))
    })
}

const PRODUCTION: &str = "productionListenerRule";
const TEST: &str = "testListenerRule";

/// Sends this percentage of the rules' requests to the revision's groups, the rest to the other ones.
fn send(world: &mut World, revision: &Revision, which: &str, percent: f64) {
    // Weights are whole numbers up to 999: tenths of a percent need the finer scale.
    let scale = if percent.fract() == 0.0 { 1.0 } else { 10.0 };
    let (to, rest) = ((percent * scale).round() as i64, ((100.0 - percent) * scale).round() as i64);
    for (balancer, rule) in rules(revision, which) {
        let Some((declared, alternate, second)) = pair(revision, balancer) else { continue };
        let (first, last) = if second { (rest, to) } else { (to, rest) };
        elbv2::set_weights(world, rule, &[(declared, first), (alternate, last)]);
    }
}

/// The deployment of `green` begins to move from `blue`; `crowd` if other revisions still have tasks.
pub(super) fn begin(
    world: &World,
    revision: &Revision,
    green: &str,
    blue: Option<String>,
    crowd: bool,
) -> Shift {
    let mut before = Vec::new();
    for (_, rule) in rules(revision, PRODUCTION).chain(rules(revision, TEST)) {
        if let elbv2::Traffic::Forward(weights) = elbv2::traffic(world, rule) {
            before.push((rule.to_owned(), weights));
        }
    }
    Shift {
        stage: if crowd { Stage::ReconcileService } else { Stage::PreScaleUp },
        since: world.now,
        acted: false,
        green: green.to_owned(),
        blue,
        production: 0.0,
        test: 0.0,
        hooks: Vec::new(),
        before,
    }
}

/// Weights are what they were before the deployment. Past the point of no return nothing changes.
pub(super) fn undo(world: &mut World, record: &str) {
    let now = world.now;
    let shift = world.ecs.service_deployments.get_mut(record).and_then(|one| one.shift.as_mut());
    let Some(shift) = shift.filter(|shift| shift.stage != Stage::CleanUp) else { return };
    shift.stage = Stage::CleanUp;
    shift.since = now;
    shift.production = 0.0;
    shift.test = 0.0;
    let before = shift.before.clone();
    for (rule, weights) in before {
        elbv2::set_weights(world, &rule, &weights);
    }
}

/// The deployment that is being carried out, if it is one of ours.
fn current<'a>(world: &'a World, arn: &str) -> Option<(&'a ServiceDeployment, &'a Shift)> {
    let service = world.ecs.services.get(arn)?;
    let record = world.ecs.service_deployments.get(service.primary()?.service_deployment.as_ref()?)?;
    let shift = record.shift.as_ref().filter(|_| record.status == "IN_PROGRESS")?;
    Some((record, shift))
}

/// The old revision is being taken away: there is no way back any more.
pub(super) fn is_past_return(world: &World, arn: &str) -> bool {
    current(world, arn).is_some_and(|(_, shift)| shift.stage == Stage::CleanUp)
}

/// Goes on with a deployment as far as it can now; false if the rest is the scheduler's usual work.
pub(super) fn look(world: &mut World, arn: &str) -> bool {
    let Some((record, shift)) = current(world, arn) else { return false };
    if shift.stage == Stage::CleanUp {
        return false;
    }
    let (record, shift) = (record.arn.clone(), shift.clone());
    if let Some(blue) = &shift.blue {
        scheduler::keep_one(world, arn, blue);
    }
    if shift.stage >= Stage::ScaleUp {
        scheduler::keep_one(world, arn, &shift.green);
    }
    step(world, arn, &record, shift);
    true
}

fn step(world: &mut World, arn: &str, record: &str, mut shift: Shift) {
    let Some(configuration) = world.ecs.service_deployments.get(record).map(|one| one.configuration.clone())
    else {
        return;
    };
    if !shift.acted {
        if !act(world, arn, &configuration, &mut shift) {
            return;
        }
        shift.acted = true;
        shift.since = world.now;
        shift.hooks = hooks::open(world, &configuration, shift.stage);
    }
    let outcome = hooks::run(world, arn, shift.stage, &mut shift.hooks);
    let until = shift.since + stay(&configuration, &shift);
    let now = world.now;
    if let Some(record) = world.ecs.service_deployments.get_mut(record) {
        record.shift = Some(shift.clone());
        record.updated = now;
    }
    match outcome {
        Outcome::Failed(cause) => deployments::fail(world, arn, &cause, true),
        Outcome::Wait(at) => kick(world, arn, at - now),
        Outcome::Done if until > now => kick(world, arn, until - now),
        Outcome::Done => go_on(world, arn, record, shift),
    }
}

/// How long a stage lasts after its work is done.
fn stay(configuration: &Json, shift: &Shift) -> Millis {
    let of = |name: &str, minutes: &str| configuration.get(name).and_then(|one| one.int(minutes));
    let minutes = match shift.stage {
        // Without an old revision there is nothing to go back to, and nothing to watch for.
        Stage::BakeTime => configuration.int("bakeTimeInMinutes").filter(|_| shift.blue.is_some()),
        Stage::ProductionTrafficShift if shift.production < 100.0 => {
            of("linearConfiguration", "stepBakeTimeInMinutes")
                .or(of("canaryConfiguration", "canaryBakeTimeInMinutes"))
        }
        _ => None,
    };
    minutes.map_or(MOMENT, |minutes| (minutes * MINUTE).max(MOMENT))
}

/// Does what the stage is there for; false while that must wait.
fn act(world: &mut World, arn: &str, configuration: &Json, shift: &mut Shift) -> bool {
    let Some(service) = world.ecs.services.get(arn) else { return false };
    let desired = service.desired;
    let green = service.deployments.iter().find(|one| one.id == shift.green);
    let revision = green.and_then(|one| world.ecs.revisions.get(&one.revision)).cloned();
    let Some(revision) = revision else { return false };
    match shift.stage {
        Stage::ReconcileService => reconcile(world, arn, shift, desired),
        Stage::PreScaleUp => {
            join_rules(world, &revision);
            true
        }
        Stage::ScaleUp => healthy(world, arn, &shift.green, desired),
        Stage::TestTrafficShift => {
            if rules(&revision, TEST).next().is_some() {
                send(world, &revision, TEST, 100.0);
                shift.test = 100.0;
            }
            true
        }
        Stage::ProductionTrafficShift => {
            if !healthy(world, arn, &shift.green, desired) {
                return false;
            }
            shift.production = next_share(configuration, shift);
            send(world, &revision, PRODUCTION, shift.production);
            let percent = shift.production;
            say(world, arn, |name| {
                format!(
                    "(service {name}) (deployment {}) is sending {percent} percent of production traffic to the new service revision.",
                    shift.green
                )
            });
            true
        }
        _ => true,
    }
}

fn next_share(configuration: &Json, shift: &Shift) -> f64 {
    let share = |name: &str, percent: &str| {
        let found = configuration.get(name).and_then(|one| one.get(percent)).and_then(Json::as_f64);
        found.unwrap_or(100.0)
    };
    let next = match configuration.text("strategy") {
        _ if shift.blue.is_none() => 100.0,
        Some("LINEAR") => shift.production + share("linearConfiguration", "stepPercent"),
        Some("CANARY") if shift.production == 0.0 => share("canaryConfiguration", "canaryPercent"),
        _ => 100.0,
    };
    // Sums of tenths, without what binary fractions add.
    ((next * 10.0).round() / 10.0).min(100.0)
}

/// Whether enough tasks of a deployment are healthy; looks again when that may be.
fn healthy(world: &mut World, arn: &str, deployment: &str, desired: i64) -> bool {
    let (count, wait) = scheduler::healthy_of(world, arn, deployment);
    if let Some(wait) = wait {
        kick(world, arn, wait);
    }
    count >= desired
}

/// Leaves one revision before another one comes: the old one gets all its tasks back, the others go.
fn reconcile(world: &mut World, arn: &str, shift: &Shift, desired: i64) -> bool {
    if let Some(blue) = &shift.blue
        && !healthy(world, arn, blue, desired)
    {
        return false;
    }
    let keeps = |id: Option<&String>| id == Some(&shift.green) || id.is_some() && id == shift.blue.as_ref();
    let Some(service) = world.ecs.services.get(arn) else { return false };
    let others: Vec<_> = service
        .tasks
        .iter()
        .filter_map(|task| world.ecs.tasks.get(task))
        .filter(|task| !keeps(task.deployment.as_ref()))
        .collect();
    let going: Vec<String> = others.iter().filter(|task| task.wanted).map(|task| task.arn.clone()).collect();
    if !others.is_empty() {
        scheduler::stop_all(world, arn, &going);
        return false;
    }
    if let Some(service) = world.ecs.services.get_mut(arn) {
        service.deployments.retain(|one| keeps(Some(&one.id)));
    }
    true
}

/// Groups that the production rule does not name yet stand on it from now on, without requests: only then
/// are their targets checked.
fn join_rules(world: &mut World, revision: &Revision) {
    for (balancer, rule) in rules(revision, PRODUCTION) {
        let (Some((declared, alternate, _)), elbv2::Traffic::Forward(mut weights)) =
            (pair(revision, balancer), elbv2::traffic(world, rule))
        else {
            continue;
        };
        let before = weights.len();
        for group in [declared, alternate] {
            if !weights.iter().any(|(one, _)| *one == group) {
                weights.push((group, 0));
            }
        }
        if weights.len() > before {
            elbv2::set_weights(world, rule, &weights);
        }
    }
}

fn go_on(world: &mut World, arn: &str, record: &str, shift: Shift) {
    let next = match shift.stage {
        Stage::ReconcileService => Stage::PreScaleUp,
        Stage::PreScaleUp => Stage::ScaleUp,
        Stage::ScaleUp => Stage::PostScaleUp,
        Stage::PostScaleUp => Stage::TestTrafficShift,
        Stage::TestTrafficShift => Stage::PostTestTrafficShift,
        Stage::PostTestTrafficShift => Stage::PreProductionTrafficShift,
        Stage::PreProductionTrafficShift => Stage::ProductionTrafficShift,
        Stage::ProductionTrafficShift if shift.production < 100.0 => Stage::PreProductionTrafficShift,
        Stage::ProductionTrafficShift => Stage::PostProductionTrafficShift,
        Stage::PostProductionTrafficShift => Stage::BakeTime,
        Stage::BakeTime | Stage::CleanUp => Stage::CleanUp,
    };
    let now = world.now;
    let Some(found) = world.ecs.service_deployments.get_mut(record) else { return };
    found.shift = Some(Shift { stage: next, since: now, acted: false, hooks: Vec::new(), ..shift });
    if next == Stage::CleanUp {
        // From here on the new revision is the one to go back to.
        let target = found.target.clone();
        if let Some(service) = world.ecs.services.get_mut(arn) {
            service.completed = Some(target);
        }
    }
    kick(world, arn, SECOND);
}

/// What DescribeServiceDeployments adds: the stage, its hooks, who gets how much.
pub(super) fn lay(view: &mut Json, record: &ServiceDeployment, desired: i64) {
    let Some(shift) = &record.shift else { return };
    view["lifecycleStage"] = json!(shift.stage.text());
    if !shift.hooks.is_empty() {
        view["lifecycleHookDetails"] = hooks::views(&shift.hooks);
    }
    let forward = matches!(record.status.as_str(), "PENDING" | "IN_PROGRESS");
    let side_by_side = forward && shift.stage < Stage::CleanUp;
    let target = &mut view["targetServiceRevision"];
    target["requestedProductionTrafficWeight"] = json!(shift.production);
    target["requestedTestTrafficWeight"] = json!(shift.test);
    if side_by_side && shift.stage < Stage::ScaleUp {
        target["requestedTaskCount"] = json!(0);
    }
    let blue = |source: &Json| record.sources.first().is_some_and(|arn| source["arn"] == json!(arn));
    let sources = view["sourceServiceRevisions"].as_array_mut();
    for source in sources.into_iter().flatten().filter(|source| blue(source)) {
        source["requestedProductionTrafficWeight"] = json!(100.0 - shift.production);
        source["requestedTestTrafficWeight"] = json!(100.0 - shift.test);
        if forward {
            source["requestedTaskCount"] = json!(if side_by_side { desired } else { 0 });
        }
    }
}
