//! The policy simulator: the same evaluation that calls are checked with, for questions (API reference of
//! SimulateCustomPolicy and SimulatePrincipalPolicy).

use super::authority::document_of;
use super::*;
use crate::authority::{Asked, Context, Decision, Kind, Policies, Policy, Principal, evaluate};

pub fn custom(world: &mut World, input: &Json) -> Answer {
    let texts = input.texts("PolicyInputList");
    let caller = input.text("CallerArn").unwrap_or_default().to_owned();
    let identity = texts.into_iter().map(Policy::parse).collect();
    simulate(world, input, &caller, Policies { identity, ..Policies::default() })
}

/// Of a user, group or role as it is, with further policies if such are given.
pub fn principal(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicySourceArn")?.to_owned();
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let name = resource.rsplit('/').next().unwrap_or_default();
    let held = match resource.split('/').next() {
        Some("user") => authority::held_by_user(world, name),
        Some("role") => authority::held_by_role(world, name),
        Some("group") => world.iam.groups.get(name).map(|group| authority::Holder {
            arn: group.arn(world),
            id: group.id.clone(),
            tags: Tags::new(),
            policies: group
                .inline
                .values()
                .cloned()
                .chain(group.attached.iter().filter_map(|arn| document_of(world, arn)))
                .collect(),
            boundary: None,
        }),
        _ => {
            let message = format!("Invalid Entity Arn: {arn} does not clearly define entity type and name.");
            return Err(ApiError::new("InvalidInput", message));
        }
    };
    let held = held.ok_or_else(|| no_such_entity(format!("The entity with ARN {arn} cannot be found.")))?;
    let given = input.texts("PolicyInputList").into_iter().map(str::to_owned);
    let identity = held.policies.iter().cloned().chain(given).map(|text| Policy::parse(&text)).collect();
    let boundary = held.boundary.as_deref().map(Policy::parse);
    let caller = input.text("CallerArn").unwrap_or(&arn).to_owned();
    simulate(world, input, &caller, Policies { identity, boundary, ..Policies::default() })
}

fn simulate(world: &World, input: &Json, caller: &str, mut policies: Policies) -> Answer {
    let bounds = input.texts("PermissionsBoundaryPolicyInputList");
    if let Some(first) = bounds.first() {
        policies.boundary = Some(Policy::parse(first));
    }
    policies.resource = input.text("ResourcePolicy").map(Policy::parse);
    let mut context = Context::default();
    for entry in input.list("ContextEntries") {
        let values = entry.texts("ContextKeyValues").into_iter().map(str::to_owned).collect();
        context.set_all(entry.text("ContextKeyName").unwrap_or_default(), values);
    }
    let account = world.account.clone();
    let role = caller.contains(":role/").then(|| caller.to_owned());
    let principal = Principal::Account { arn: caller.to_owned(), account, role };
    let resources = input.texts("ResourceArns");
    let resources = if resources.is_empty() { vec!["*"] } else { resources };
    let mut results = Vec::new();
    for action in input.texts("ActionNames") {
        for resource in &resources {
            let asked = Asked { principal: &principal, action, resource, context: &context };
            results.push(result(action, resource, evaluate(&policies, &asked), policies.boundary.is_some()));
        }
    }
    Ok(listed(input, "EvaluationResults", results))
}

fn result(action: &str, resource: &str, decision: Decision, bounded: bool) -> Json {
    let word = match decision {
        Decision::Allowed => "allowed",
        Decision::NotAllowed(_) => "implicitDeny",
        Decision::ExplicitlyDenied(_) => "explicitDeny",
    };
    let mut answer = json!({
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": word,
        "MatchedStatements": [],
        "MissingContextValues": [],
    });
    if bounded {
        let by_boundary = !matches!(
            decision,
            Decision::NotAllowed(Kind::Boundary) | Decision::ExplicitlyDenied(Kind::Boundary)
        );
        answer["PermissionsBoundaryDecisionDetail"] = json!({ "AllowedByPermissionsBoundary": by_boundary });
    }
    answer
}
