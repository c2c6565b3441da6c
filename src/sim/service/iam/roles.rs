//! Roles and their inline policies.

use super::document::{self, Kind, encoded};
use super::*;
use crate::service::tree::Output;

const DEFAULT_SESSION_SECONDS: i64 = 3600;
/// "Role inline policies: up to 10,240 characters in aggregate" (IAM and STS quotas).
const INLINE_QUOTA: usize = 10_240;

pub(super) fn role_json(world: &World, role: &Role) -> Json {
    json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn(world),
        "CreateDate": World::timestamp(role.created),
        "AssumeRolePolicyDocument": encoded(&role.trust),
    })
    .with("Description", role.description.clone())
}

/// Lists leave out boundary, tags and last use (API reference of ListRoles).
fn full(world: &World, role: &Role) -> Json {
    role_json(world, role)
        .with("MaxSessionDuration", Some(role.max_session_seconds))
        .with("PermissionsBoundary", boundary(role.boundary.as_deref()))
        .with("Tags", (!role.tags.is_empty()).then(|| tag_list(&role.tags)))
}

pub(super) fn find<'a>(world: &'a World, name: &str) -> Result<&'a Role, ApiError> {
    world
        .iam
        .roles
        .get(name)
        .ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))
}

pub(super) fn find_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Role, ApiError> {
    world
        .iam
        .roles
        .get_mut(name)
        .ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))
}

/// Service-linked roles belong to their service.
pub(super) fn modifiable<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Role, ApiError> {
    let role = find_mut(world, name)?;
    if role.service.is_some() {
        return Err(ApiError::new(
            "UnmodifiableEntity",
            format!(
                "Cannot perform the operation on the protected role '{name}' - this role is only modifiable \
                 by AWS"
            ),
        ));
    }
    Ok(role)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "RoleName")?;
    let trust = required(input, "AssumeRolePolicyDocument")?;
    // "Names are not distinguished by case" (API reference of CreateRole).
    if world.iam.roles.keys().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(already_exists(format!("Role with name {name} already exists.")));
    }
    document::check(world, trust, Kind::Trust)?;
    if document::size(trust) > 2048 {
        return Err(limit_exceeded("Cannot exceed quota for ACLSizePerRole: 2048"));
    }
    let boundary = input.text("PermissionsBoundary").map(str::to_owned);
    if let Some(arn) = &boundary {
        policies::must_exist(world, arn)?;
    }
    let tags = new_tags(input)?;
    let role = Role {
        name: name.to_owned(),
        path: input.text("Path").unwrap_or("/").to_owned(),
        id: unique_id(world, "AROA"),
        created: world.now,
        trust: trust.to_owned(),
        description: input.text("Description").map(str::to_owned),
        max_session_seconds: session_seconds(input)?,
        boundary,
        tags,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        service: None,
    };
    let answer = json!({ "Role": full(world, &role) });
    world.iam.roles.insert(role.name.clone(), role);
    Ok(answer)
}

fn session_seconds(input: &Json) -> Result<i64, ApiError> {
    let seconds = input.int("MaxSessionDuration").unwrap_or(DEFAULT_SESSION_SECONDS);
    let bound = match seconds {
        ..3600 => "greater than or equal to 3600",
        43_201.. => "less than or equal to 43200",
        _ => return Ok(seconds),
    };
    Err(ApiError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{seconds}' at 'maxSessionDuration' failed to satisfy \
             constraint: Member must have value {bound}"
        ),
    ))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let role = find(world, required(input, "RoleName")?)?;
    Ok(json!({ "Role": full(world, role).with("RoleLastUsed", Some(json!({}))) }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let roles = world.iam.roles.values().filter(|role| role.path.starts_with(prefix));
    let roles = roles
        .map(|role| role_json(world, role).with("MaxSessionDuration", Some(role.max_session_seconds)))
        .collect();
    Ok(listed(input, "Roles", roles))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "RoleName")?;
    let role = modifiable(world, name)?;
    if !role.attached.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    if world.iam.profiles.values().any(|profile| profile.role.as_deref() == Some(name)) {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    world.iam.roles.remove(name);
    Ok(json!({}))
}

/// Without a duration "the default value of one hour is applied" (API reference of UpdateRole); a
/// description that is not given stays.
pub fn update(world: &mut World, input: &Json) -> Answer {
    let seconds = session_seconds(input)?;
    let role = modifiable(world, required(input, "RoleName")?)?;
    role.max_session_seconds = seconds;
    if let Some(description) = input.text("Description") {
        role.description = Some(description.to_owned());
    }
    Ok(json!({}))
}

pub fn update_description(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "RoleName")?;
    let description = required(input, "Description")?;
    modifiable(world, name)?.description = Some(description.to_owned());
    Ok(json!({ "Role": full(world, find(world, name)?) }))
}

pub fn update_trust(world: &mut World, input: &Json) -> Answer {
    let document = required(input, "PolicyDocument")?;
    let name = required(input, "RoleName")?;
    modifiable(world, name)?;
    document::check(world, document, Kind::Trust)?;
    modifiable(world, name)?.trust = document.to_owned();
    Ok(json!({}))
}

pub fn put_boundary(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PermissionsBoundary")?;
    policies::must_exist(world, arn)?;
    modifiable(world, required(input, "RoleName")?)?.boundary = Some(arn.to_owned());
    Ok(json!({}))
}

pub fn delete_boundary(world: &mut World, input: &Json) -> Answer {
    modifiable(world, required(input, "RoleName")?)?.boundary = None;
    Ok(json!({}))
}

pub fn put_inline(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "RoleName")?;
    let policy = required(input, "PolicyName")?;
    let document = required(input, "PolicyDocument")?;
    modifiable(world, name)?;
    document::check(world, document, Kind::Identity)?;
    let role = modifiable(world, name)?;
    let others = role.inline.iter().filter(|(other, _)| *other != policy);
    let total: usize = others.map(|(_, text)| document::size(text)).sum();
    if total + document::size(document) > INLINE_QUOTA {
        return Err(limit_exceeded(format!(
            "Maximum policy size of {INLINE_QUOTA} bytes exceeded for role {name}"
        )));
    }
    role.inline.insert(policy.to_owned(), document.to_owned());
    Ok(json!({}))
}

pub fn get_inline(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "RoleName")?;
    let policy = required(input, "PolicyName")?;
    let Some(document) = find(world, name)?.inline.get(policy) else {
        return Err(no_such_entity(format!("The role policy with name {policy} cannot be found.")));
    };
    Ok(json!({ "RoleName": name, "PolicyName": policy, "PolicyDocument": encoded(document) }))
}

pub fn list_inline(world: &mut World, input: &Json) -> Answer {
    let role = find(world, required(input, "RoleName")?)?;
    Ok(listed(input, "PolicyNames", role.inline.keys().map(|name| json!(name)).collect()))
}

pub fn delete_inline(world: &mut World, input: &Json) -> Answer {
    let policy = required(input, "PolicyName")?;
    let role = modifiable(world, required(input, "RoleName")?)?;
    match role.inline.remove(policy) {
        Some(_) => Ok(json!({})),
        None => Err(no_such_entity(format!("The role policy with name {policy} cannot be found."))),
    }
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    add_tags(&mut modifiable(world, required(input, "RoleName")?)?.tags, input)
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    remove_tags(&mut modifiable(world, required(input, "RoleName")?)?.tags, input)
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    tags_page(input, &find(world, required(input, "RoleName")?)?.tags)
}
