//! Authority: who may do what. Once it is enforced, each call is checked against the policies that speak for its
//! caller, by action, resource and condition, before its handler sees it.
//!
//! Off unless asked for (`sim serve --enforce-iam`): the credentials that a world starts with are those of an
//! administrator, who is never refused. Checked are the access keys of IAM users, and the sessions that STS
//! hands out. [`evaluate`] is pure; the rest finds out who asks for what.

mod actions;
mod caller;
mod condition;
mod context;
mod evaluate;
mod passing;
mod pattern;
mod policy;
mod refusal;
mod resources;
#[cfg(test)]
mod tests;
mod told;

pub use context::Context;
pub use evaluate::{Asked, Decision, Kind, Policies, Principal, evaluate};
pub use policy::Policy;
pub use refusal::{decode as decode_message, words};

use self::caller::{Caller, Identified, identify};
use super::World;
use super::service::{ApiError, Input as _};
use super::world::Millis;
use serde_json::Value as Json;

/// ISO 8601, as conditions compare it.
fn time(millis: Millis) -> String {
    World::timestamp(millis).as_str().unwrap_or_default().to_owned()
}

/// "No permissions are required to perform this operation" (STS API reference).
const FREE: &[(&str, &str)] = &[("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")];

/// Whether the caller of the request in hand may make it.
pub fn authorize(world: &mut World, service: &str, operation: &str, input: &Json) -> Result<(), ApiError> {
    if !world.iam.enforcement.applies() {
        return Ok(());
    }
    let caller = match identify(world, &world.caller, world.token.as_deref()) {
        // Calls without a signature, by which one gets one's first credentials, are judged by their handlers.
        Identified::Administrator => return Ok(()),
        Identified::Invalid => return Err(refusal::invalid_credentials(service)),
        Identified::Expired => return Err(refusal::expired_credentials(service)),
        Identified::Caller(caller) => caller,
    };
    if FREE.contains(&(service, operation)) {
        return Ok(());
    }
    let Some(table) = actions::table(service) else { return Ok(()) };
    let Some(row) = table.row(operation) else { return Ok(()) };
    let context = context::of_request(world, service, table.prefix, operation, input, caller.context.clone());
    let action = format!("{}:{}", table.prefix, row.action);
    let mut resources = resources::arns(world, service, table, row, input);
    if resources.iter().any(|arn| arn.ends_with("user/*"))
        && service == "iam"
        && input.text("UserName").is_none()
    {
        // Without a name, operations on users mean the caller.
        resources = vec![caller.arn.clone()];
    }
    let mut asks: Vec<(String, String, Context)> =
        resources.into_iter().map(|arn| (action.clone(), arn, context.clone())).collect();
    if let Some(tagging) = tagging(service, operation, input) {
        let tagged: Vec<_> =
            asks.iter().map(|(_, arn, context)| (tagging.to_owned(), arn.clone(), context.clone())).collect();
        // EC2 asks of what is made, not of what it is made in.
        let made = |arn: &String| service != "ec2" || arn.ends_with("/*");
        asks.extend(tagged.into_iter().filter(|(_, arn, _)| made(arn)));
    }
    for passed in passing::passed(world, service, operation, input) {
        let mut context = context.clone();
        context.set("iam:PassedToService", passed.to);
        asks.push(("iam:PassRole".to_owned(), passed.role_arn, context));
    }
    for (action, arn, context) in asks {
        check(world, service, &caller, &action, arn, context)?;
    }
    Ok(())
}

fn check(
    world: &mut World,
    service: &str,
    caller: &Caller,
    action: &str,
    arn: String,
    mut context: Context,
) -> Result<(), ApiError> {
    let arn = told::completed(world, arn);
    let decision = decide(world, caller, action, &arn, &mut context);
    if decision == Decision::Allowed {
        return Ok(());
    }
    Err(refusal::denied(service, caller, action, &arn, decision, &context))
}

fn decide(world: &mut World, caller: &Caller, action: &str, arn: &str, context: &mut Context) -> Decision {
    let prefix = action.split(':').next().unwrap_or_default();
    for (key, value) in told::tags(world, arn) {
        context.set(&format!("aws:ResourceTag/{key}"), &value);
        context.set(&format!("{prefix}:ResourceTag/{key}"), &value);
    }
    // A trust policy says who may assume its role, and nothing about changing it.
    let assumes = action.starts_with("sts:AssumeRole") || action == "sts:TagSession";
    let own = if arn.contains(":iam:") && !assumes { None } else { told::policy(world, arn) };
    // "Every KMS key must have exactly one key policy … no principal has any permissions unless it allows it."
    let strict = assumes || prefix == "kms" && arn.contains(":key/") && own.is_some();
    let policies = Policies { resource: own, resource_must_allow: strict, ..caller.policies.clone() };
    evaluate(&policies, &Asked { principal: &caller.principal, action, resource: arn, context })
}

/// The action that a creation with tags needs beside its own (each service's "tag on create").
fn tagging(service: &str, operation: &str, input: &Json) -> Option<&'static str> {
    if !context::is_creation(operation) || context::request_tags(input).is_empty() {
        return None;
    }
    Some(match service {
        "ec2" => "ec2:CreateTags",
        "ecs" => "ecs:TagResource",
        "ecr" => "ecr:TagResource",
        "elasticloadbalancing" => "elasticloadbalancing:AddTags",
        "autoscaling" => "autoscaling:CreateOrUpdateTags",
        "iam" => match operation {
            "CreateRole" => "iam:TagRole",
            "CreateUser" => "iam:TagUser",
            "CreatePolicy" => "iam:TagPolicy",
            "CreateInstanceProfile" => "iam:TagInstanceProfile",
            "CreateOpenIDConnectProvider" => "iam:TagOpenIDConnectProvider",
            _ => return None,
        },
        "kms" => "kms:TagResource",
        "lambda" => "lambda:TagResource",
        "logs" => "logs:TagResource",
        "secretsmanager" => "secretsmanager:TagResource",
        "sns" => "sns:TagResource",
        "sqs" => "sqs:TagQueue",
        "ssm" if operation == "PutParameter" => "ssm:AddTagsToResource",
        _ => return None,
    })
}

/// The first of several things that a role does not let the service do that has it (an instance's agent, a
/// task's start): which, the ARN of the session that is refused, and why.
pub fn first_refused(
    world: &mut World,
    role: &str,
    session: &str,
    asked: &[(&str, &str)],
) -> Option<(usize, String, Decision)> {
    if asked.is_empty() {
        return None;
    }
    let Some(caller) = caller::service_with_role(world, role, session) else {
        return Some((0, role.to_owned(), Decision::NotAllowed(Kind::Identity)));
    };
    for (at, (action, arn)) in asked.iter().enumerate() {
        let mut context = context::of_request(world, "", "", "", &Json::Null, caller.context.clone());
        let decision = decide(world, &caller, action, arn, &mut context);
        if decision != Decision::Allowed {
            return Some((at, caller.arn, decision));
        }
    }
    None
}

/// Whether a role's trust policy lets one who is of no account assume it: a service, an identity provider.
pub fn may_assume(
    trust: &str,
    principal: &Principal,
    action: &str,
    role_arn: &str,
    context: &Context,
) -> bool {
    let policies =
        Policies { resource: Some(Policy::parse(trust)), resource_must_allow: true, ..Policies::default() };
    evaluate(&policies, &Asked { principal, action, resource: role_arn, context }) == Decision::Allowed
}
