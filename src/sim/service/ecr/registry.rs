//! What is set on the whole registry: its policy, and where its images are replicated to.

use super::*;

pub fn describe(world: &mut World, _input: &Json) -> Answer {
    let replication = world.ecr.replication.clone().unwrap_or_else(|| json!({ "rules": [] }));
    Ok(json!({ "registryId": world.account, "replicationConfiguration": replication }))
}

/// "A maximum of 10 rules" of "a maximum of 25 unique destinations"; to oneself there is nothing to replicate.
pub fn put_replication(world: &mut World, input: &Json) -> Answer {
    let configuration = input.get("replicationConfiguration").cloned().unwrap_or_default();
    let refused = |why: &str| {
        let at = "replicationConfiguration";
        Err(invalid(format!("Invalid parameter at '{at}' failed to satisfy constraint: '{why}'")))
    };
    let destinations = configuration.list("rules").iter().flat_map(|rule| rule.list("destinations"));
    for destination in destinations {
        let own = destination.text("registryId") == Some(&world.account);
        if own && destination.text("region") == Some(&world.region) {
            return refused("Replication destination cannot be the same as the source registry");
        }
    }
    world.ecr.replication = Some(configuration.clone());
    Ok(json!({ "replicationConfiguration": configuration }))
}

fn no_policy(world: &World) -> ApiError {
    let message = format!("Registry policy does not exist in the registry with id '{}'", world.account);
    ApiError::new("RegistryPolicyNotFoundException", message)
}

pub fn policy(world: &mut World, _input: &Json) -> Answer {
    let text = world.ecr.registry_policy.as_ref().ok_or_else(|| no_policy(world))?;
    Ok(json!({ "registryId": world.account, "policyText": text }))
}

/// "ecr:CreateRepository, ecr:ReplicateImage, ecr:BatchImportUpstreamImage" are what one may allow others there.
pub fn put_policy(world: &mut World, input: &Json) -> Answer {
    const ACTIONS: &[&str] =
        &["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:BatchImportUpstreamImage", "ecr:*"];
    let text = input.text("policyText").unwrap_or_default();
    let refused = || {
        invalid(
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid registry policy provided'",
        )
    };
    let policy: Json = serde_json::from_str(text).map_err(|_| refused())?;
    let statements = match policy.get("Statement") {
        Some(Json::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => return Err(refused()),
    };
    for statement in &statements {
        let actions = statement.text("Action").map_or_else(|| statement.texts("Action"), |one| vec![one]);
        let known = actions.iter().all(|action| ACTIONS.contains(action));
        if actions.is_empty() || !known || statement.get("Principal").is_none() {
            return Err(refused());
        }
    }
    world.ecr.registry_policy = Some(text.to_owned());
    Ok(json!({ "registryId": world.account, "policyText": text }))
}

pub fn delete_policy(world: &mut World, _input: &Json) -> Answer {
    let text = world.ecr.registry_policy.take();
    let text = text.ok_or_else(|| no_policy(world))?;
    Ok(json!({ "registryId": world.account, "policyText": text }))
}
