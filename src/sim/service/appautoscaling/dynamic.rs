//! What policies do when their alarms tell them: target tracking and steps (Application Auto Scaling User Guide).

use super::{Policy, Target, targets};
use crate::World;
use crate::service::Input;
use crate::service::cloudwatch::{self, Breach, Effect};
use crate::service::ecs;
use crate::world::SECOND;
use serde_json::Value as Json;

/// "The default cooldown period is 300 seconds" for ECS services.
const COOLDOWN: i64 = 300;

/// An alarm tells the policy with this ARN, every minute as long as it is in its state.
pub fn alarm_fired(world: &mut World, arn: &str, breach: &Breach) -> Effect {
    let found = world.appautoscaling.policies.iter().find(|(_, policy)| policy.arn == arn);
    let Some((key, policy)) = found.map(|(key, policy)| (key.clone(), policy.clone())) else {
        return Effect::Nothing;
    };
    let Some(target) = world.appautoscaling.targets.get(&policy.id.key()).cloned() else {
        return Effect::Nothing;
    };
    let current =
        policy.id.service().and_then(|(cluster, service)| ecs::desired_count(world, cluster, service));
    let Some(current) = current else { return Effect::Nothing };
    let wanted = match policy.kind.as_str() {
        "TargetTrackingScaling" => track(&policy.configuration.1, current, breach),
        "StepScaling" => step(&policy.configuration.1, current, breach),
        _ => None,
    };
    let Some(wanted) = wanted.map(|wanted| wanted.clamp(target.min, target.max)) else {
        return Effect::Nothing;
    };
    if wanted == current || is_suspended(&target, wanted > current) {
        return Effect::Nothing;
    }
    if waits(world, &policy, wanted > current) {
        return Effect::Later;
    }
    let now = world.now;
    if let Some(policy) = world.appautoscaling.policies.get_mut(&key) {
        policy.scaled = Some((now, wanted > current));
    }
    let cause = format!(
        "monitor alarm {} in state {} triggered policy {}",
        breach.alarm,
        breach.state.text(),
        policy.name
    );
    targets::set(world, &policy.id, wanted, &cause);
    Effect::Done
}

/// Alarms that had nothing to do may have something now.
pub(super) fn look_again(world: &mut World, key: &str) {
    let policies = world.appautoscaling.policies.values().filter(|policy| policy.id.key() == key);
    let alarms: Vec<String> = policies.flat_map(|policy| policy.alarms.clone()).collect();
    for alarm in alarms {
        cloudwatch::keep_awake(world, &alarm);
    }
}

fn is_suspended(target: &Target, out: bool) -> bool {
    let name = if out { "DynamicScalingOutSuspended" } else { "DynamicScalingInSuspended" };
    target.suspended.flag(name) == Some(true)
}

/// As many tasks as bring the metric, which falls with their number, to its target.
fn track(configuration: &Json, current: i64, breach: &Breach) -> Option<i64> {
    let target = configuration.get("TargetValue").and_then(Json::as_f64).filter(|target| *target > 0.0)?;
    let wanted = (current.max(1) as f64 * breach.value? / target).ceil() as i64;
    let high = breach.threshold >= target;
    Some(if high { wanted.max(current + 1) } else { wanted.min(current) })
}

fn step(configuration: &Json, current: i64, breach: &Breach) -> Option<i64> {
    let over = breach.value? - breach.threshold;
    let bound = |step: &Json, name: &str| step.get(name).and_then(Json::as_f64);
    let inside = |step: &&Json| {
        let (low, high) = (bound(step, "MetricIntervalLowerBound"), bound(step, "MetricIntervalUpperBound"));
        if over >= 0.0 {
            low.is_none_or(|low| over >= low) && high.is_none_or(|high| over < high)
        } else {
            low.is_none_or(|low| over > low) && high.is_none_or(|high| over <= high)
        }
    };
    let change = configuration.list("StepAdjustments").iter().find(inside)?.int("ScalingAdjustment")?;
    Some(match configuration.text("AdjustmentType") {
        Some("ExactCapacity") => change,
        Some("PercentChangeInCapacity") => {
            let least = configuration.int("MinAdjustmentMagnitude").unwrap_or(1);
            let by = current * change / 100;
            current + if by.abs() < least { least * change.signum() } else { by }
        }
        _ => current + change,
    })
}

/// A cooldown keeps back the same direction, and scaling in after any scaling; out it goes at once after in.
fn waits(world: &World, policy: &Policy, out: bool) -> bool {
    let same_target = world.appautoscaling.policies.values().filter(|other| other.id == policy.id);
    let Some((last, last_out)) = same_target.filter_map(|other| other.scaled).max() else { return false };
    let configuration = &policy.configuration.1;
    let cooldown = |name: &str| configuration.int(name).or(configuration.int("Cooldown")).unwrap_or(COOLDOWN);
    let seconds = match (last_out, out) {
        (true, _) => cooldown("ScaleOutCooldown"),
        (false, false) => cooldown("ScaleInCooldown"),
        (false, true) => 0,
    };
    world.now < last + seconds * SECOND
}
