//! Targets: initial → healthy ⇄ unhealthy by the group's checks, draining for the deregistration delay.

use super::super::{Answer, ApiError, Input};
use super::model::{Group, Health, Target};
use super::{Event, groups, validation};
use crate::faults::like;
use crate::service::autoscaling;
use crate::service::ecs::{self, network};
use crate::world::{Event as WorldEvent, Millis, SECOND};
use crate::{World, traffic};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The balancer's nodes learn of a new target after a moment; then the first check runs.
const FIRST_CHECK: Millis = 5 * SECOND;

fn key(id: &str, port: Option<i64>) -> String {
    match port {
        Some(port) => format!("{id}:{port}"),
        None => id.to_owned(),
    }
}

/// `traffic-port` or a fixed one.
fn check_port(group: &Group, target: &Target) -> i64 {
    group.check.port.parse().ok().or(target.port).or(group.port).unwrap_or(0)
}

pub fn register(world: &mut World, group_arn: &str, id: &str, port: Option<i64>) {
    let zone = network::zone_of(world, id);
    let Some(group) = world.elbv2.groups.get_mut(group_arn) else { return };
    let port = port.or(group.port);
    let key = key(id, port);
    if group.targets.get(&key).is_some_and(|target| target.health != Health::Draining) {
        return;
    }
    let target = Target {
        id: id.to_owned(),
        port,
        zone,
        health: Health::Initial,
        checks_from: None,
        answer: None,
        generation: 0,
    };
    group.targets.insert(key.clone(), target);
    world.elbv2.registrations.of_name(id).insert((group_arn.to_owned(), key.clone()));
    world.tell("elasticloadbalancing", "target", &of(group_arn, &key), "initial", None);
    refresh_target(world, group_arn, &key);
}

pub fn deregister(world: &mut World, group_arn: &str, id: &str, port: Option<i64>) {
    let Some(group) = world.elbv2.groups.get_mut(group_arn) else { return };
    let key = key(id, port.or(group.port));
    let delay: i64 = group.attribute("deregistration_delay.timeout_seconds").parse().unwrap_or(300);
    let in_use = world.elbv2.uses.contains_key(group_arn);
    let generation = world.elbv2.next_generation();
    let Some(target) = world.elbv2.groups.get_mut(group_arn).and_then(|group| group.targets.get_mut(&key))
    else {
        return;
    };
    if target.health == Health::Draining {
        return;
    }
    if !in_use || delay == 0 {
        forget(world, group_arn, &key);
        return;
    }
    target.health = Health::Draining;
    target.generation = generation;
    world.tell("elasticloadbalancing", "target", &of(group_arn, &key), "draining", None);
    traffic::target_leaves(world, group_arn, &key);
    let (group, target) = (group_arn.to_owned(), key);
    world.schedule(delay * SECOND, WorldEvent::Elbv2(Event::Drained { group, target, generation }));
}

pub fn target_health(world: &World, group_arn: &str, id: &str, port: Option<i64>) -> Option<&'static str> {
    let group = world.elbv2.groups.get(group_arn)?;
    let target = group.targets.get(&key(id, port.or(group.port)))?;
    Some(state(world, group, target).0)
}

/// An instance that is shutting down answers no more; its registration goes at once. One that is stopped stays
/// registered, and unused (both as moto's tests found them on AWS).
pub fn instance_gone(world: &mut World, instance_id: &str) {
    let lives = world.ec2.instances.get(instance_id).is_some_and(|one| one.state.lives());
    let registered = world.elbv2.registrations.get(instance_id).cloned().unwrap_or_default();
    for (group, key) in registered {
        if lives {
            traffic::target_leaves(world, &group, &key);
            let generation = world.elbv2.next_generation();
            let target = world.elbv2.groups.get_mut(&group).and_then(|group| group.targets.get_mut(&key));
            if let Some(target) = target.filter(|target| target.health != Health::Draining) {
                (target.health, target.checks_from, target.generation) = (Health::Initial, None, generation);
            }
            continue;
        }
        forget(world, &group, &key);
        if let Some(group) = world.elbv2.groups.get_mut(&group) {
            group.ended.insert(key);
        }
    }
}

/// It runs (again): its checks begin.
pub fn instance_running(world: &mut World, instance_id: &str) {
    for (group, key) in world.elbv2.registrations.get(instance_id).cloned().unwrap_or_default() {
        refresh_target(world, &group, &key);
    }
}

/// What is said of an instance that cannot be a target now.
fn stopped(world: &World, target: &Target) -> Option<&'static str> {
    use crate::service::ec2::InstanceState;
    match world.ec2.instances.get(&target.id)?.state {
        InstanceState::Stopped | InstanceState::Stopping => Some("Target is in the stopped state"),
        InstanceState::Terminated | InstanceState::ShuttingDown => Some("Target is in the terminated state"),
        InstanceState::Pending | InstanceState::Running => None,
    }
}

/// `ecs` says: what answers behind this address or instance and port has changed.
pub fn app_changed(world: &mut World, id: &str, port: i64) {
    traffic::app_changed(world, id, port);
    let mut concerned = Vec::new();
    let place = key(id, Some(port));
    for (group_arn, key) in world.elbv2.registrations.get(id).into_iter().flatten() {
        let Some(group) = world.elbv2.groups.get(group_arn) else { continue };
        // Most targets on an instance have other ports, and are checked there.
        if *key != place && key.len() > id.len() && group.check.port == "traffic-port" {
            continue;
        }
        let Some(target) = group.targets.get(key) else { continue };
        let (checked, served) = (check_port(group, target) == port, target.port.unwrap_or(0) == port);
        if checked || served {
            concerned.push((group_arn.clone(), key.clone(), checked));
        }
    }
    for (group_arn, key, checked) in concerned {
        traffic::target_changed(world, &group_arn, &key);
        if checked {
            decide(world, &group_arn, &key);
        }
    }
}

fn forget(world: &mut World, group_arn: &str, key: &str) {
    traffic::target_leaves(world, group_arn, key);
    let Some(group) = world.elbv2.groups.get_mut(group_arn) else { return };
    let Some(target) = group.targets.remove(key) else { return };
    if let Some(set) = world.elbv2.registrations.get_mut(&target.id) {
        set.remove(&(group_arn.to_owned(), key.to_owned()));
        if set.is_empty() {
            world.elbv2.registrations.remove(&target.id);
        }
    }
    world.tell("elasticloadbalancing", "target", &of(group_arn, key), "gone", None);
    ecs::target_changed(world, group_arn, &target.id, target.port);
    autoscaling::target_changed(world, &target.id);
}

/// How the event log names a target.
fn of(group_arn: &str, key: &str) -> String {
    let group = group_arn.rsplit_once(":targetgroup/").map_or(group_arn, |(_, name)| name);
    format!("{group}/{key}")
}

pub(super) fn forget_group(world: &mut World, group_arn: &str) {
    let keys: Vec<String> = world
        .elbv2
        .groups
        .get(group_arn)
        .map(|group| group.targets.keys().cloned().collect())
        .unwrap_or_default();
    for key in keys {
        forget(world, group_arn, &key);
    }
}

pub(super) fn refresh_balancer(world: &mut World, balancer: &str) {
    let groups: Vec<String> = world
        .elbv2
        .uses
        .iter()
        .filter(|(_, users)| users.contains(balancer))
        .map(|(group, _)| group.clone())
        .collect();
    for group in groups {
        refresh_group(world, &group);
    }
}

/// The group came into use or out of it, or its checks changed.
pub(super) fn refresh_group(world: &mut World, group_arn: &str) {
    let keys: Vec<String> = world
        .elbv2
        .groups
        .get(group_arn)
        .map(|group| group.targets.keys().cloned().collect())
        .unwrap_or_default();
    for key in keys {
        refresh_target(world, group_arn, &key);
    }
}

fn serving(world: &World, group_arn: &str) -> bool {
    let users = world.elbv2.uses.get(group_arn);
    users.into_iter().flatten().any(|arn| world.elbv2.balancers.get(arn).is_some_and(|one| one.active))
}

/// How the application, or what stands in its way, answers a health check.
fn answer(world: &World, group: &Group, target: &Target) -> Option<bool> {
    if world.faults.fails_checks(world.now, &group.name) {
        return Some(false);
    }
    ecs::answers(world, &target.id, check_port(group, target))
}

/// Something that all checks of groups with such a name depend on has changed.
pub fn check_named(world: &mut World, name: &str) {
    let named = world.elbv2.groups.values().filter(|group| like(name, &group.name));
    let groups: Vec<String> = named.map(|group| group.arn.clone()).collect();
    for group in groups {
        refresh_group(world, &group);
    }
}

fn refresh_target(world: &mut World, group_arn: &str, key: &str) {
    traffic::target_changed(world, group_arn, key);
    let serving = serving(world, group_arn);
    let now = world.now;
    let running = world.elbv2.groups.get(group_arn).and_then(|group| group.targets.get(key));
    let running = running.is_some_and(|target| stopped(world, target).is_none());
    let Some(group) = world.elbv2.groups.get_mut(group_arn) else { return };
    let Some(target) = group.targets.get_mut(key) else { return };
    match (serving && running, target.checks_from) {
        (true, None) => target.checks_from = Some(now + FIRST_CHECK),
        (false, Some(_)) => {
            target.checks_from = None;
            if target.health != Health::Draining {
                target.health = Health::Initial;
            }
        }
        _ => {}
    }
    decide(world, group_arn, key);
}

/// Asks the application, and schedules the moment at which enough checks in a row will have run for the
/// target to change its state, if the answer stays.
fn decide(world: &mut World, group_arn: &str, key: &str) {
    let Some(group) = world.elbv2.groups.get(group_arn) else { return };
    let Some(target) = group.targets.get(key) else { return };
    let Some(from) = target.checks_from.filter(|_| target.health != Health::Draining) else { return };
    let answer = answer(world, group, target);
    let healthy = answer == Some(true) || !group.check.enabled;
    let settled = match target.health {
        Health::Healthy => healthy,
        Health::Unhealthy => !healthy,
        Health::Initial | Health::Draining => false,
    };
    let checks = if healthy { group.check.healthy } else { group.check.unhealthy };
    let interval = group.check.interval * SECOND;
    let passed = (world.now - from).max(0);
    let first = from + (passed + interval - 1) / interval * interval;
    let due = first + (checks - 1).max(0) * interval;
    let generation = world.elbv2.next_generation();
    let target = world.elbv2.groups.get_mut(group_arn).and_then(|group| group.targets.get_mut(key));
    if let Some(target) = target {
        target.answer = answer;
        target.generation = generation;
    }
    if !settled {
        let (group, target) = (group_arn.to_owned(), key.to_owned());
        let after = (due - world.now).max(0);
        world.schedule(after, WorldEvent::Elbv2(Event::Checked { group, target, generation }));
    }
}

pub(super) fn checked(world: &mut World, group_arn: &str, key: &str, generation: u64) {
    traffic::target_changed(world, group_arn, key);
    let Some(group) = world.elbv2.groups.get(group_arn) else { return };
    let Some(target) = group.targets.get(key).filter(|target| target.generation == generation) else {
        return;
    };
    let answer = answer(world, group, target);
    let health =
        if answer == Some(true) || !group.check.enabled { Health::Healthy } else { Health::Unhealthy };
    let (id, port) = (target.id.clone(), target.port);
    if let Some(target) = world.elbv2.groups.get_mut(group_arn).and_then(|group| group.targets.get_mut(key)) {
        target.health = health;
        target.answer = answer;
    }
    world.tell("elasticloadbalancing", "target", &of(group_arn, key), health.text(), None);
    ecs::target_changed(world, group_arn, &id, port);
    autoscaling::target_changed(world, &id);
}

pub(super) fn drained(world: &mut World, group_arn: &str, key: &str, generation: u64) {
    let target = world.elbv2.groups.get(group_arn).and_then(|group| group.targets.get(key));
    if target.is_some_and(|target| target.generation == generation && target.health == Health::Draining) {
        forget(world, group_arn, key);
    }
}

/// A target as the balancer's nodes see it.
#[derive(Debug)]
pub struct SeenTarget {
    pub id: String,
    pub port: Option<i64>,
    pub zone: Option<String>,
    pub state: &'static str,
    /// Its checks have come to a result: where too few are healthy, it gets requests all the same.
    pub checked: bool,
}

/// A group as the balancer's nodes see it.
#[derive(Debug, Default)]
pub struct Seen {
    pub arn: String,
    /// By an active balancer.
    pub in_use: bool,
    pub targets: BTreeMap<String, SeenTarget>,
    /// How long a target warms up, and how long a client sticks to one.
    pub warms_up: Millis,
    pub sticky: Millis,
    /// `unhealthy_state_routing.minimum_healthy_targets`: count, and percentage.
    least: (usize, Option<f64>),
}

impl Seen {
    /// How long the weight of a target may still change by itself: it warms up, or has fewer sessions than others.
    pub fn warmth(&self) -> Millis {
        self.warms_up.max(self.sticky.clamp(0, traffic::SESSION))
    }

    /// With fewer healthy targets than this, requests go to all.
    pub fn least_healthy(&self, registered: usize) -> usize {
        let share = self.least.1.map_or(0, |percent| (registered as f64 * percent / 100.0).ceil() as usize);
        self.least.0.max(share)
    }
}

pub fn target(world: &World, group_arn: &str, key: &str) -> Option<SeenTarget> {
    let group = world.elbv2.groups.get(group_arn)?;
    Some(seen(world, group.targets.get(key)?, &enabled_zones(world, group)))
}

fn seen(world: &World, target: &Target, zones: &Zones) -> SeenTarget {
    let state = state_among(world, target, zones).0;
    let (id, port, zone) = (target.id.clone(), target.port, target.zone.clone());
    SeenTarget { id, port, zone, state, checked: matches!(state, "healthy" | "unhealthy") }
}

/// How many targets must be healthy, as a count and as a percentage, for only these to get requests.
const LEAST_HEALTHY: (&str, &str) = (
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
);

/// With all targets, or with those of these keys that there are. None if there is no such group.
pub fn rotation(world: &World, group_arn: &str, only: Option<&BTreeSet<String>>) -> Option<Seen> {
    let group = world.elbv2.groups.get(group_arn)?;
    let zones = enabled_zones(world, group);
    let of = |(key, target): (&String, &Target)| (key.clone(), seen(world, target, &zones));
    let targets = match only {
        None => group.targets.iter().map(of).collect(),
        Some(keys) => keys.iter().filter_map(|key| group.targets.get_key_value(key)).map(of).collect(),
    };
    let number = |key: &str| group.attribute(key).parse::<i64>().unwrap_or(0);
    let sticky =
        match (group.attribute("stickiness.enabled").as_str(), group.attribute("stickiness.type").as_str()) {
            ("true", "app_cookie") => number("stickiness.app_cookie.duration_seconds"),
            ("true", _) => number("stickiness.lb_cookie.duration_seconds"),
            _ => 0,
        };
    Some(Seen {
        arn: group_arn.to_owned(),
        in_use: serving(world, group_arn),
        targets,
        warms_up: number("slow_start.duration_seconds") * SECOND,
        sticky: sticky * SECOND,
        least: (number(LEAST_HEALTHY.0).max(1) as usize, group.attribute(LEAST_HEALTHY.1).parse().ok()),
    })
}

/// Target groups, for one who asks after many targets of few groups.
pub struct Groups<'w> {
    world: &'w World,
    group: Option<(&'w Group, Zones<'w>)>,
    key: String,
}

impl<'w> Groups<'w> {
    pub fn new(world: &'w World) -> Self {
        Groups { world, group: None, key: String::new() }
    }

    /// As [`target_health`] says it.
    pub fn health(&mut self, group_arn: &str, id: &str, port: i64) -> Option<&'static str> {
        use std::fmt::Write;
        if self.group.as_ref().is_none_or(|(group, _)| group.arn != group_arn) {
            let group = self.world.elbv2.groups.get(group_arn)?;
            self.group = Some((group, enabled_zones(self.world, group)));
        }
        let (group, zones) = self.group.as_ref()?;
        self.key.clear();
        write!(self.key, "{id}:{port}").ok()?;
        Some(state_among(self.world, group.targets.get(&self.key)?, zones).0)
    }
}

/// Those of the balancers that use a group; None if none does.
type Zones<'w> = Option<Vec<&'w str>>;

fn enabled_zones<'w>(world: &'w World, group: &Group) -> Zones<'w> {
    let users = world.elbv2.uses.get(&group.arn)?.iter();
    let balancers = users.filter_map(|arn| world.elbv2.balancers.get(arn));
    Some(balancers.flat_map(|balancer| balancer.zones.iter().map(|zone| zone.name.as_str())).collect())
}

type State = (&'static str, Option<&'static str>, Option<&'static str>);

/// State, reason and description as DescribeTargetHealth answers them.
fn state(world: &World, group: &Group, target: &Target) -> State {
    state_among(world, target, &enabled_zones(world, group))
}

fn state_among(world: &World, target: &Target, zones: &Zones) -> State {
    let say = |state, reason, text| (state, Some(reason), Some(text));
    if target.health == Health::Draining {
        return say("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress");
    }
    // An instance that stops is not healthy or unhealthy any more from that moment on.
    if target.health == Health::Initial
        && let Some(how) = stopped(world, target)
    {
        return say("unused", "Target.InvalidState", how);
    }
    let Some(zones) = zones else {
        let text = "Target group is not configured to receive traffic from the load balancer";
        return say("unused", "Target.NotInUse", text);
    };
    if target.zone.as_ref().is_some_and(|zone| !zones.contains(&zone.as_str())) {
        let text = "Target is in an Availability Zone that is not enabled for the load balancer";
        return say("unused", "Target.NotInUse", text);
    }
    match (target.health, target.checks_from, target.answer) {
        (Health::Initial, Some(from), _) if from <= world.now => {
            say("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        }
        (Health::Initial, ..) => {
            say("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
        }
        (Health::Unhealthy, _, Some(false)) => {
            say("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")
        }
        (Health::Unhealthy, ..) => say("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
        (health, ..) => (health.text(), None, None),
    }
}

/// Why a target is unhealthy, in AWS's words (ECS repeats them in its events).
pub(in crate::service) fn reason(
    world: &World,
    group_arn: &str,
    id: &str,
    port: Option<i64>,
) -> Option<&'static str> {
    let group = world.elbv2.groups.get(group_arn)?;
    let target = group.targets.get(&key(id, port.or(group.port)))?;
    state(world, group, target).2
}

fn described(world: &World, group: &Group, target: &Target) -> Json {
    let (state, reason, description) = state(world, group, target);
    let mut health = json!({"State": state});
    if let Some(reason) = reason {
        health["Reason"] = json!(reason);
    }
    if let Some(description) = description {
        health["Description"] = json!(description);
    }
    let mut who = json!({"Id": target.id});
    if let Some(port) = target.port {
        who["Port"] = json!(port);
    }
    if group.target_type == "ip"
        && let Some(zone) = &target.zone
    {
        who["AvailabilityZone"] = json!(zone);
    }
    let port = check_port(group, target).to_string();
    json!({
        "Target": who,
        "HealthCheckPort": port,
        "TargetHealth": health,
        "AdministrativeOverride": {
            "State": "no_override",
            "Reason": "AdministrativeOverride.NoOverride",
            "Description": "No override is currently active on target",
        },
    })
}

/// A target that is not in the group; what a terminated instance was is draining for ever.
fn unregistered(group: &Group, asked: &Json) -> Json {
    let (id, port) = (asked.text("Id").unwrap_or_default(), asked.int("Port").or(group.port));
    let mut target = asked.clone();
    if let Some(port) = port {
        target["Port"] = json!(port);
    }
    let health = match group.ended.contains(&key(id, port)) {
        true => json!({
            "State": "draining",
            "Reason": "Target.DeregistrationInProgress",
            "Description": "Target deregistration is in progress",
        }),
        false => json!({
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        }),
    };
    let mut view = json!({"Target": target, "TargetHealth": health});
    if let Some(port) = group.check.port.parse().ok().or(port) {
        view["HealthCheckPort"] = json!(port.to_string());
    }
    view
}

pub(super) fn describe_target_health(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = world.elbv2.groups.get(arn).ok_or_else(|| groups::not_found(arn))?;
    let asked = input.list("Targets");
    let views: Vec<Json> = if asked.is_empty() {
        group.targets.values().map(|target| described(world, group, target)).collect()
    } else {
        asked
            .iter()
            .map(|one| {
                let id = one.text("Id").unwrap_or_default();
                match group.targets.get(&key(id, one.int("Port").or(group.port))) {
                    Some(target) => described(world, group, target),
                    None => unregistered(group, one),
                }
            })
            .collect()
    };
    Ok(json!({"TargetHealthDescriptions": views}))
}

fn check_target(world: &World, group: &Group, id: &str) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new("InvalidTarget", message));
    match group.target_type.as_str() {
        "instance" => match network::host(world, id) {
            None => invalid(format!("Instance ID '{id}' is not valid")),
            Some(host) if host.vpc_id.is_some() && host.vpc_id != group.vpc_id => invalid(format!(
                "The following targets are not in the target group VPC '{}': '{id}'",
                group.vpc_id.as_deref().unwrap_or_default()
            )),
            Some(host) if !host.running => invalid(format!(
                "The following targets are not in a running state and cannot be registered: '{id}'"
            )),
            Some(_) => Ok(()),
        },
        "ip" if id.parse::<std::net::IpAddr>().is_err() => {
            Err(validation(format!("The IP address '{id}' is not a valid IPv4 address")))
        }
        _ => Ok(()),
    }
}

/// Why RegisterTargets would not take an instance or address into a group, if it would not.
pub fn refusal(world: &World, group_arn: &str, id: &str) -> Option<String> {
    let group = world.elbv2.groups.get(group_arn)?;
    check_target(world, group, id).err().map(|error| error.message)
}

pub(super) fn register_targets(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = world.elbv2.groups.get(arn).ok_or_else(|| groups::not_found(arn))?;
    for target in input.list("Targets") {
        check_target(world, group, target.text("Id").unwrap_or_default())?;
    }
    for target in input.list("Targets") {
        register(world, arn, target.text("Id").unwrap_or_default(), target.int("Port"));
    }
    Ok(json!({}))
}

pub(super) fn deregister_targets(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("TargetGroupArn").unwrap_or_default();
    let group = world.elbv2.groups.get(arn).ok_or_else(|| groups::not_found(arn))?;
    // Without a port every registration of that id goes, whatever its port.
    let mut going: Vec<(String, Option<i64>)> = Vec::new();
    for asked in input.list("Targets") {
        let (id, port) = (asked.text("Id").unwrap_or_default(), asked.int("Port"));
        let registered =
            group.targets.values().filter(|one| one.id == id && (port.is_none() || one.port == port));
        let before = going.len();
        going.extend(registered.map(|one| (one.id.clone(), one.port)));
        if going.len() == before {
            return Err(ApiError::new(
                "InvalidTarget",
                format!("The following targets are not registered with the target group: '{id}'"),
            ));
        }
    }
    for (id, port) in going {
        deregister(world, arn, &id, port);
    }
    Ok(json!({}))
}
