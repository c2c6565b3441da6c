//! Functions that a deployment calls at its lifecycle events. They answer by a call of their own,
//! PutLifecycleEventHookExecutionStatus; what a function of this world will say is declared with it.

use super::run::{Failure, Run};
use super::*;
use crate::service::lambda;
use crate::world::MINUTE;

/// "… must report within one hour" (User Guide, "AppSpec 'hooks' section for an Amazon ECS deployment").
const TIMEOUT: Millis = 60 * MINUTE;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HookCall {
    pub execution: String,
    /// Its own answer comes then.
    pub due: Millis,
    pub expires: Millis,
    /// `Succeeded` or `Failed`: what it will say, or somebody said for it.
    pub verdict: Option<String>,
}

pub(super) fn step(
    world: &mut World,
    id: &str,
    event: &str,
    run: &mut Run,
) -> Result<super::run::Turn, Failure> {
    let Some(function) = run.spec.hooks.get(event).cloned() else { return Ok(super::run::Turn::Next) };
    let hook = match &run.hook {
        Some(hook) => hook.clone(),
        None => run.hook.insert(begin(world, id, &function)?).clone(),
    };
    let failed = |why: &str| {
        let message = format!("The lifecycle event hook {event} failed: the function {function} {why}.");
        Failure::new("HOOK_EXECUTION_FAILURE", message)
    };
    let now = world.now;
    match hook.verdict.as_deref() {
        Some(_) if hook.due > now => Ok(super::run::Turn::Wait(hook.due - now)),
        Some("Succeeded") => Ok(super::run::Turn::Next),
        Some(_) => Err(failed("reported a failure")),
        None if hook.expires > now => Ok(super::run::Turn::Wait(hook.expires - now)),
        None => Err(failed("did not report within one hour")),
    }
}

fn begin(world: &mut World, id: &str, function: &str) -> Result<HookCall, Failure> {
    let execution = world.uuid();
    let payload = json!({"DeploymentId": id, "LifecycleEventHookExecutionId": execution});
    let Some(reply) = lambda::ask(world, function, &payload) else {
        let message = format!("The function {function} does not exist.");
        return Err(Failure::new("HOOK_EXECUTION_FAILURE", message));
    };
    let verdict = match reply.answer.as_str() {
        "SUCCEEDED" => Some("Succeeded".to_owned()),
        "FAILED" => Some("Failed".to_owned()),
        _ => None,
    };
    Ok(HookCall { execution, due: world.now + reply.after, expires: world.now + TIMEOUT, verdict })
}

pub fn put_status(world: &mut World, input: &Json) -> Answer {
    let id = deployment(world, input)?.id.clone();
    let execution = input.text("lifecycleEventHookExecutionId").unwrap_or_default();
    let status = input.text("status").unwrap_or_default();
    if !matches!(status, "Succeeded" | "Failed") {
        let message = "The status of a lifecycle event hook must be Succeeded or Failed.";
        return Err(error("InvalidLifecycleEventHookExecutionStatusException", message));
    }
    let now = world.now;
    let found = world.codedeploy.deployments.get_mut(&id).expect("just found");
    if found.status.is_over() {
        let message = "The lifecycle event hook has already been completed.";
        return Err(error("LifecycleEventAlreadyCompletedException", message));
    }
    let hook = found.run.as_mut().and_then(|run| run.hook.as_mut());
    let Some(hook) = hook.filter(|hook| hook.execution == execution) else {
        let message =
            "A lifecycle event hook is invalid or the execution ID does not belong to this deployment.";
        return Err(error("InvalidLifecycleEventHookExecutionIdException", message));
    };
    hook.verdict = Some(status.to_owned());
    hook.due = now;
    look_after(world, &id, 0);
    Ok(json!({"lifecycleEventHookExecutionId": execution}))
}
