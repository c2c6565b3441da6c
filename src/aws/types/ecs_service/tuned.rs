//! A `rollout` block in the words of ECS's own deployment strategies.

use super::table::*;
use crate::rollout::settings::{Portion, Settings, Strategy};
use crate::schema::Object;

/// Writes the strategy into the service's deployment configuration, or says why that cannot be.
pub fn tune(want: &mut Object, settings: &Settings) -> Result<(), String> {
    if settings.steps.iter().any(|step| step.approve) {
        return Err(
            "ECS moves the traffic of a service by itself: for a person's agreement declare a PAUSE \
                    `lifecycle_hook` in its `deployment_configuration`"
                .to_owned(),
        );
    }
    let Some(strategy) = settings.strategy else {
        return if settings.steps.is_empty() { Ok(()) } else { Err("steps need a `strategy`".to_owned()) };
    };
    let mut block = want.block(&DEPLOYMENT_CONFIGURATION).unwrap_or_default();
    if block.has("strategy") {
        return Err("the service declares its own `strategy`: keep one of the two".to_owned());
    }
    let advanced = want.all(&LOAD_BALANCER).iter().any(|b| b.has("advanced_configuration"));
    if strategy != Strategy::Rolling && !advanced {
        return Err("ECS moves traffic between two target groups: its `load_balancer` block needs an \
                    `advanced_configuration` with the other group and the listener rule"
            .to_owned());
    }
    match strategy {
        Strategy::Rolling => drop(block.set(&deployment::STRATEGY, "ROLLING")),
        Strategy::BlueGreen => drop(block.set(&deployment::STRATEGY, "BLUE_GREEN")),
        Strategy::Canary => canary(&mut block, &settings.steps)?,
        Strategy::Linear => linear(&mut block, &settings.steps)?,
    }
    bake(&mut block, &settings.steps)?;
    want.set_blocks(&DEPLOYMENT_CONFIGURATION, vec![block.complete(&deployment::TABLE)]);
    Ok(())
}

/// What is held with all of the traffic moved is ECS's bake time: the old tasks still stand.
fn bake(block: &mut Object, steps: &[Portion]) -> Result<(), String> {
    let Some(last) = steps.iter().find(|step| step.weight >= 100.0 && !step.hold.is_zero()) else {
        return Ok(());
    };
    if block.has("bake_time_in_minutes") {
        return Err("the service declares its own `bake_time_in_minutes`: keep one of the two".to_owned());
    }
    block.set(&deployment::BAKE_TIME, minutes(last));
    Ok(())
}

/// Whole minutes, as ECS counts; rather longer.
fn minutes(step: &Portion) -> i64 {
    step.hold.as_secs().div_ceil(60) as i64
}

fn canary(block: &mut Object, steps: &[Portion]) -> Result<(), String> {
    let [first] = &steps.iter().filter(|step| step.weight < 100.0).collect::<Vec<_>>()[..] else {
        return Err("ECS's canary has one step before all of the traffic: for more use `linear`".to_owned());
    };
    let mut canary = Object::new();
    canary.set(&deployment::CANARY_PERCENT, first.weight).set(&deployment::CANARY_BAKE_TIME, minutes(first));
    block.set(&deployment::STRATEGY, "CANARY");
    block.set_blocks(&deployment::CANARY, vec![canary]);
    Ok(())
}

fn linear(block: &mut Object, steps: &[Portion]) -> Result<(), String> {
    block.set(&deployment::STRATEGY, "LINEAR");
    let Some(first) = steps.first() else { return Ok(()) };
    let even = |(i, step): (usize, &Portion)| {
        let due = (first.weight * (i + 1) as f64).min(100.0);
        (step.weight - due).abs() < 0.05 && (step.hold == first.hold || step.weight >= 100.0)
    };
    if !steps.iter().enumerate().all(even) {
        return Err("ECS's linear deployment has equal steps and pauses: 25, 50, 75 …".to_owned());
    }
    let mut linear = Object::new();
    linear.set(&deployment::STEP_PERCENT, first.weight).set(&deployment::STEP_BAKE_TIME, minutes(first));
    block.set_blocks(&deployment::LINEAR, vec![linear]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings(strategy: Strategy, steps: &[(f64, u64)]) -> Settings {
        let portion = |(weight, seconds): &(f64, u64)| Portion {
            weight: *weight,
            hold: Duration::from_secs(*seconds),
            approve: false,
        };
        let steps = steps.iter().map(portion).collect();
        Settings { strategy: Some(strategy), steps, ..Settings::default() }
    }

    fn service() -> Object {
        let mut advanced = Object::new();
        advanced.set(&balancer::ALTERNATE_TARGET_GROUP_ARN, "arn:aws:elasticloadbalancing:x");
        let mut one = Object::new();
        one.set_blocks(&balancer::ADVANCED, vec![advanced]);
        let mut want = Object::new();
        want.set_blocks(&LOAD_BALANCER, vec![one]);
        want
    }

    #[test]
    fn a_canary_becomes_ecss_own() {
        let mut want = service();
        tune(&mut want, &settings(Strategy::Canary, &[(10.0, 90)])).expect("fits");
        let block = want.block(&DEPLOYMENT_CONFIGURATION).expect("written");
        assert_eq!(block.get(&deployment::STRATEGY).as_deref(), Some("CANARY"));
        let canary = block.block(&deployment::CANARY).expect("written");
        assert_eq!(canary.get(&deployment::CANARY_PERCENT), Some(10.0));
        assert_eq!(canary.get(&deployment::CANARY_BAKE_TIME), Some(2));
    }

    #[test]
    fn what_ecs_cannot_do_is_said() {
        let wrong = |strategy, steps: &[(f64, u64)], part: &str| {
            let why = tune(&mut service(), &settings(strategy, steps)).expect_err("cannot be");
            assert!(why.contains(part), "{why}");
        };
        wrong(Strategy::Canary, &[(10.0, 60), (50.0, 60)], "one step");
        wrong(Strategy::Linear, &[(10.0, 60), (50.0, 60)], "equal steps");
        let why = tune(&mut Object::new(), &settings(Strategy::BlueGreen, &[])).expect_err("one group");
        assert!(why.contains("advanced_configuration"), "{why}");
    }
}
