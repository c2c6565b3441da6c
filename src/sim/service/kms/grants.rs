//! Grants: who may use a key beside those its policy lets.

use super::*;
use crate::service::tree::Output;

fn grant_json(world: &World, grant: &Grant) -> Json {
    let input = &grant.input;
    let text = |name: &str| input.text(name).map(str::to_owned);
    json!({
        "KeyId": key_arn(world, &grant.key),
        "GrantId": grant.id,
        "CreationDate": World::timestamp(grant.created),
        "IssuingAccount": world.arn("iam", "root"),
        "Operations": input.get("Operations"),
        "Name": text("Name").unwrap_or_default(),
    })
    .with("GranteePrincipal", text("GranteePrincipal"))
    .with("RetiringPrincipal", text("RetiringPrincipal"))
    .with("Constraints", input.get("Constraints").cloned())
}

/// "When Name is given, … the same GrantId for identical requests."
pub fn create(world: &mut World, input: &Json) -> Answer {
    let key = key_id(world, input.text("KeyId").unwrap_or_default())?;
    usable(world, &key)?;
    let same = |grant: &&Grant| input.text("Name").is_some() && grant.key == key && grant.input == *input;
    if let Some(grant) = world.kms.grants.values().find(same) {
        return Ok(json!({ "GrantId": grant.id, "GrantToken": grant.token }));
    }
    let (id, token) = (world.hex(64), world.hex(128));
    let grant = Grant { id: id.clone(), token: token.clone(), key, created: world.now, input: input.clone() };
    world.kms.grants.insert(id.clone(), grant);
    Ok(json!({ "GrantId": id, "GrantToken": token }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let key = key_id(world, input.text("KeyId").unwrap_or_default())?;
    let wanted = |name: &str, value: Option<&str>| input.text(name).is_none_or(|one| Some(one) == value);
    let grants = world.kms.grants.values().filter(|grant| {
        grant.key == key
            && wanted("GrantId", Some(&grant.id))
            && wanted("GranteePrincipal", grant.input.text("GranteePrincipal"))
    });
    Ok(listed(input, "Grants", grants.map(|grant| grant_json(world, grant)).collect(), 50))
}

pub fn list_retirable(world: &mut World, input: &Json) -> Answer {
    let principal = input.text("RetiringPrincipal");
    let grants = world.kms.grants.values().filter(|grant| grant.input.text("RetiringPrincipal") == principal);
    Ok(listed(input, "Grants", grants.map(|grant| grant_json(world, grant)).collect(), 50))
}

fn unknown(id: &str) -> ApiError {
    not_found(format!("Grant ID {id} not found"))
}

pub fn revoke(world: &mut World, input: &Json) -> Answer {
    let key = key_id(world, input.text("KeyId").unwrap_or_default())?;
    let id = input.text("GrantId").unwrap_or_default();
    if world.kms.grants.get(id).is_none_or(|grant| grant.key != key) {
        return Err(unknown(id));
    }
    world.kms.grants.remove(id);
    Ok(json!({}))
}

/// By its token, or by key and id.
pub fn retire(world: &mut World, input: &Json) -> Answer {
    let found = match (input.text("GrantToken"), input.text("GrantId")) {
        (Some(token), _) => {
            world.kms.grants.values().find(|grant| grant.token == token).map(|grant| grant.id.clone())
        }
        (None, id) => id.filter(|id| world.kms.grants.contains_key(*id)).map(str::to_owned),
    };
    let id = found.ok_or_else(|| unknown(input.text("GrantId").unwrap_or_default()))?;
    world.kms.grants.remove(&id);
    Ok(json!({}))
}
