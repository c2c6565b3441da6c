//! Instance profiles: a name under which an instance finds its role.

use super::roles::{self, role_json};
use super::*;
use crate::service::tree::Output;

fn find<'a>(world: &'a World, name: &str) -> Result<&'a Profile, ApiError> {
    let profile = world.iam.profiles.get(name);
    profile.ok_or_else(|| no_such_entity(format!("Instance Profile {name} cannot be found.")))
}

fn find_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Profile, ApiError> {
    let profile = world.iam.profiles.get_mut(name);
    profile.ok_or_else(|| no_such_entity(format!("Instance Profile {name} cannot be found.")))
}

pub(super) fn profile_json(world: &World, profile: &Profile) -> Json {
    let role = profile.role.as_ref().and_then(|name| world.iam.roles.get(name));
    json!({
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn(world),
        "CreateDate": World::timestamp(profile.created),
        "Roles": role.map(|role| role_json(world, role)).into_iter().collect::<Vec<_>>(),
    })
}

fn full(world: &World, profile: &Profile) -> Json {
    profile_json(world, profile).with("Tags", Some(tag_list(&profile.tags)))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "InstanceProfileName")?;
    if world.iam.profiles.keys().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(already_exists(format!("Instance Profile {name} already exists.")));
    }
    let tags = new_tags(input)?;
    let profile = Profile {
        name: name.to_owned(),
        path: input.text("Path").unwrap_or("/").to_owned(),
        id: unique_id(world, "AIPA"),
        created: world.now,
        role: None,
        tags,
    };
    let answer = json!({ "InstanceProfile": full(world, &profile) });
    world.iam.profiles.insert(profile.name.clone(), profile);
    Ok(answer)
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let profile = find(world, required(input, "InstanceProfileName")?)?;
    Ok(json!({ "InstanceProfile": full(world, profile) }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let profiles = world.iam.profiles.values().filter(|profile| profile.path.starts_with(prefix));
    Ok(listed(input, "InstanceProfiles", profiles.map(|p| profile_json(world, p)).collect()))
}

pub fn list_for_role(world: &mut World, input: &Json) -> Answer {
    let role = required(input, "RoleName")?;
    roles::find(world, role)?;
    let profiles = world.iam.profiles.values().filter(|profile| profile.role.as_deref() == Some(role));
    Ok(listed(input, "InstanceProfiles", profiles.map(|p| profile_json(world, p)).collect()))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "InstanceProfileName")?;
    if find(world, name)?.role.is_some() {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    world.iam.profiles.remove(name);
    Ok(json!({}))
}

pub fn add_role(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "InstanceProfileName")?;
    let role = required(input, "RoleName")?;
    find(world, name)?;
    roles::modifiable(world, role)?;
    let profile = find_mut(world, name)?;
    if profile.role.is_some() {
        return Err(limit_exceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"));
    }
    profile.role = Some(role.to_owned());
    Ok(json!({}))
}

pub fn remove_role(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "InstanceProfileName")?;
    let role = required(input, "RoleName")?;
    find(world, name)?;
    roles::find(world, role)?;
    let profile = find_mut(world, name)?;
    if profile.role.as_deref() != Some(role) {
        return Err(no_such_entity(format!("The role with name {role} cannot be found.")));
    }
    profile.role = None;
    Ok(json!({}))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    add_tags(&mut find_mut(world, required(input, "InstanceProfileName")?)?.tags, input)
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    remove_tags(&mut find_mut(world, required(input, "InstanceProfileName")?)?.tags, input)
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    tags_page(input, &find(world, required(input, "InstanceProfileName")?)?.tags)
}
