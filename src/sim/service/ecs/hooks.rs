//! Lifecycle hooks of service deployments: functions that are asked, and pauses for a person.
//!
//! No code runs here: how a function answers is declared with it (see `lambda`).

use super::super::{Answer, ApiError, Input, lambda};
use super::deployments::{self, Cause, no_service_deployment};
use super::model::{HookRun, Stage};
use super::{invalid, kick};
use crate::World;
use crate::world::{MINUTE, Millis, SECOND};
use serde_json::{Value as Json, json};

/// A function that answers IN_PROGRESS is called again after this time (Developer Guide, "Lambda hooks for
/// Amazon ECS service deployments").
const AGAIN: Millis = 30 * SECOND;
/// A function's own run.
const RUN: Millis = 2 * SECOND;
/// `timeoutInMinutes` unless given (API reference, DeploymentLifecycleHookTimeoutConfiguration).
const TIMEOUT_MINUTES: i64 = 1440;

fn kind(hook: &Json) -> &str {
    hook.text("targetType").unwrap_or("AWS_LAMBDA")
}

pub(super) fn check(configuration: &Json) -> Result<(), ApiError> {
    for hook in configuration.list("lifecycleHooks") {
        if hook.list("lifecycleStages").is_empty() {
            return Err(invalid("lifecycleStages must contain at least one lifecycle stage."));
        }
        let target = hook.text("hookTargetArn");
        match kind(hook) {
            "PAUSE" if target.is_some() => {
                return Err(invalid("hookTargetArn is not applicable for PAUSE lifecycle hooks."));
            }
            "AWS_LAMBDA" if !target.is_some_and(|arn| arn.contains(":function:")) => {
                return Err(invalid(
                    "hookTargetArn must be the ARN of a Lambda function for AWS_LAMBDA lifecycle hooks.",
                ));
            }
            _ => {}
        }
        let minutes = hook.get("timeoutConfiguration").and_then(|one| one.int("timeoutInMinutes"));
        if minutes.is_some_and(|minutes| !(1..=20_160).contains(&minutes)) {
            return Err(invalid("timeoutInMinutes must be between 1 and 20160."));
        }
    }
    Ok(())
}

/// The hooks of a stage, as they begin.
pub(super) fn open(world: &mut World, configuration: &Json, stage: Stage) -> Vec<HookRun> {
    let mut runs = Vec::new();
    for hook in configuration.list("lifecycleHooks") {
        if !hook.texts("lifecycleStages").contains(&stage.text()) {
            continue;
        }
        let timeout = hook.get("timeoutConfiguration");
        let minutes = timeout.and_then(|one| one.int("timeoutInMinutes")).unwrap_or(TIMEOUT_MINUTES);
        let pause = kind(hook) == "PAUSE";
        runs.push(HookRun {
            id: world.uuid(),
            kind: kind(hook).to_owned(),
            target: hook.text("hookTargetArn").map(str::to_owned),
            status: if pause { "AWAITING_ACTION" } else { "IN_PROGRESS" }.to_owned(),
            calls_at: world.now + RUN,
            calls: 0,
            expires: world.now + minutes * MINUTE,
            on_timeout: timeout.and_then(|one| one.text("action")).unwrap_or("ROLLBACK").to_owned(),
        });
    }
    runs
}

pub(super) enum Outcome {
    Done,
    /// Nothing happens before then, unless somebody acts.
    Wait(Millis),
    Failed(Cause),
}

/// What the function answers this time: as it is declared, or by its name if there is no such function.
fn answer(world: &mut World, stage: Stage, service: &str, run: &HookRun) -> String {
    let target = run.target.clone().unwrap_or_default();
    let payload = json!({"executionDetails": {"serviceArn": service}, "executionId": run.id, "lifecycleStage": stage.text()});
    match lambda::ask(world, &target, &payload) {
        Some(reply) => reply.answer,
        None => lambda::by_name(&target, run.calls.into()).to_owned(),
    }
}

/// Brings hooks up to date: calls functions that are due, ends what has taken too long.
pub(super) fn run(world: &mut World, service: &str, stage: Stage, runs: &mut [HookRun]) -> Outcome {
    let now = world.now;
    let mut next: Option<Millis> = None;
    for run in runs {
        if !matches!(run.status.as_str(), "AWAITING_ACTION" | "IN_PROGRESS") {
            continue;
        }
        if run.expires <= now {
            run.status = "TIMED_OUT".to_owned();
        } else if run.kind != "PAUSE" && run.calls_at <= now {
            run.calls += 1;
            run.calls_at = now + AGAIN;
            run.status = answer(world, stage, service, run);
        }
        let who = run.target.clone().unwrap_or("PAUSE".to_owned());
        match run.status.as_str() {
            "FAILED" => return Outcome::Failed(Cause::Hook(stage, who)),
            "TIMED_OUT" if run.on_timeout == "ROLLBACK" => {
                return Outcome::Failed(Cause::HookTimeout(stage, who));
            }
            "AWAITING_ACTION" => next = Some(next.map_or(run.expires, |at| at.min(run.expires))),
            "IN_PROGRESS" => {
                let at = run.calls_at.min(run.expires);
                next = Some(next.map_or(at, |other| other.min(at)));
            }
            _ => {}
        }
    }
    next.map_or(Outcome::Done, Outcome::Wait)
}

pub(super) fn views(runs: &[HookRun]) -> Json {
    let one = |run: &HookRun| {
        let mut view = json!({
            "hookId": run.id, "targetType": run.kind, "status": run.status,
            "expiresAt": World::timestamp(run.expires), "timeoutAction": run.on_timeout,
        });
        super::put(&mut view, "targetArn", run.target.clone());
        view
    };
    runs.iter().map(one).collect()
}

pub(super) fn continue_service_deployment(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("serviceDeploymentArn").unwrap_or_default();
    let Some(record) = world.ecs.service_deployments.get_mut(arn) else {
        return Err(no_service_deployment("ContinueServiceDeployment"));
    };
    let (service, going_on) = (record.service.clone(), record.status == "IN_PROGRESS");
    let id = input.text("hookId").unwrap_or_default();
    let stage = record.shift.as_ref().map(|shift| shift.stage);
    let hook = record.shift.as_mut().and_then(|shift| shift.hooks.iter_mut().find(|one| one.id == id));
    let (Some(hook), Some(stage)) = (hook.filter(|one| going_on && one.status == "AWAITING_ACTION"), stage)
    else {
        return Err(invalid(format!("The lifecycle hook {id} is not awaiting an action.")));
    };
    let back = input.text("action") == Some("ROLLBACK");
    hook.status = if back { "FAILED" } else { "SUCCEEDED" }.to_owned();
    if back {
        deployments::fail(world, &service, &Cause::Hook(stage, "PAUSE".to_owned()), true);
    } else {
        kick(world, &service, 0);
    }
    Ok(json!({"serviceDeploymentArn": arn}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::ecs::tests::ok;

    fn status(world: &mut World, target: &str) -> String {
        let hook = json!({"hookTargetArn": target, "lifecycleStages": ["PRE_SCALE_UP"]});
        let mut runs = open(world, &json!({"lifecycleHooks": [hook]}), Stage::PreScaleUp);
        world.advance_to(world.now + RUN);
        run(world, "service", Stage::PreScaleUp, &mut runs);
        runs[0].status.clone()
    }

    #[test]
    fn a_function_answers_as_it_is_declared_and_else_by_its_name() {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let trust = json!({"Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ]});
        let role = json!({"RoleName": "fn", "AssumeRolePolicyDocument": trust.to_string()});
        let role = ok(&mut world, "iam", "CreateRole", role)["Role"]["Arn"].clone();
        let input = json!({
            "FunctionName": "gate", "Role": role, "Code": {}, "Tags": {"cutover:answers": "FAILED"},
        });
        let arn = ok(&mut world, "lambda", "CreateFunction", input)["FunctionArn"].clone();
        let arn = arn.as_str().expect("an ARN");
        assert_eq!(status(&mut world, arn), "FAILED");
        assert_eq!(status(&mut world, &arn.replace("gate", "other")), "SUCCEEDED");
        assert_eq!(status(&mut world, &arn.replace("gate", "hang")), "IN_PROGRESS");
    }
}
