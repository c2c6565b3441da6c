//! Roles and their inline policies.

use super::document::{self, Kind, encoded};
use super::*;
use crate::service::tree::Output;

const DEFAULT_SESSION_SECONDS: i64 = 3600;

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
        policies::boundary_must_exist(world, arn)?;
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
        last_used: None,
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
    Ok(json!({ "Role": full(world, role).with("RoleLastUsed", Some(last_used(role))) }))
}

/// Empty when it never was, or not for long.
pub(super) fn last_used(role: &Role) -> Json {
    let Some((at, region)) = &role.last_used else { return json!({}) };
    json!({ "LastUsedDate": World::timestamp(*at), "Region": region })
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
    entity::must_be_bare((&role.inline, &role.attached))?;
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
    policies::boundary_must_exist(world, arn)?;
    modifiable(world, required(input, "RoleName")?)?.boundary = Some(arn.to_owned());
    Ok(json!({}))
}

pub fn delete_boundary(world: &mut World, input: &Json) -> Answer {
    modifiable(world, required(input, "RoleName")?)?.boundary = None;
    Ok(json!({}))
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
