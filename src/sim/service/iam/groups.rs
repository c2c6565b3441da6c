//! Groups of users: they hold policies for all their members.

use super::*;

pub(super) fn find<'a>(world: &'a World, name: &str) -> Result<&'a Group, ApiError> {
    world.iam.groups.get(name).ok_or_else(|| no_group(name))
}

pub(super) fn find_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Group, ApiError> {
    world.iam.groups.get_mut(name).ok_or_else(|| no_group(name))
}

fn no_group(name: &str) -> ApiError {
    no_such_entity(format!("The group with name {name} cannot be found."))
}

/// IAM and STS quotas.
const MAX_OF_USER: usize = 10;

pub(super) fn group_json(world: &World, group: &Group) -> Json {
    json!({
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn(world),
        "CreateDate": World::timestamp(group.created),
    })
}

fn must_be_free(world: &World, name: &str) -> Result<(), ApiError> {
    if world.iam.groups.keys().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(already_exists(format!("Group with name {name} already exists.")));
    }
    Ok(())
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "GroupName")?;
    must_be_free(world, name)?;
    let group = Group {
        name: name.to_owned(),
        path: input.text("Path").unwrap_or("/").to_owned(),
        id: unique_id(world, "AGPA"),
        created: world.now,
        members: BTreeSet::new(),
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
    };
    let answer = json!({ "Group": group_json(world, &group) });
    world.iam.groups.insert(group.name.clone(), group);
    Ok(answer)
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let group = find(world, required(input, "GroupName")?)?;
    let members = group.members.iter().filter_map(|name| world.iam.users.get(name));
    let mut answer = listed(input, "Users", members.map(|user| users::user_json(world, user)).collect());
    answer["Group"] = group_json(world, group);
    Ok(answer)
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let groups = world.iam.groups.values().filter(|group| group.path.starts_with(prefix));
    Ok(listed(input, "Groups", groups.map(|group| group_json(world, group)).collect()))
}

pub fn list_for_user(world: &mut World, input: &Json) -> Answer {
    let user = required(input, "UserName")?;
    users::find(world, user)?;
    let groups = world.iam.groups.values().filter(|group| group.members.contains(user));
    Ok(listed(input, "Groups", groups.map(|group| group_json(world, group)).collect()))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "GroupName")?;
    find(world, name)?;
    if let Some(new) = input.text("NewGroupName").filter(|new| !new.eq_ignore_ascii_case(name)) {
        must_be_free(world, new)?;
    }
    let mut group = world.iam.groups.remove(name).expect("found above");
    if let Some(path) = input.text("NewPath") {
        group.path = path.to_owned();
    }
    if let Some(new) = input.text("NewGroupName") {
        group.name = new.to_owned();
    }
    world.iam.groups.insert(group.name.clone(), group);
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "GroupName")?;
    let group = find(world, name)?;
    if !group.members.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must remove users from group first."));
    }
    entity::must_be_bare((&group.inline, &group.attached))?;
    world.iam.groups.remove(name);
    Ok(json!({}))
}

pub fn add_user(world: &mut World, input: &Json) -> Answer {
    let (name, user) = (required(input, "GroupName")?, required(input, "UserName")?);
    users::find(world, user)?;
    find(world, name)?;
    let already = world.iam.groups.values().filter(|group| group.members.contains(user)).count();
    let group = find_mut(world, name)?;
    if !group.members.contains(user) && already >= MAX_OF_USER {
        return Err(limit_exceeded(format!("Cannot exceed quota for GroupsPerUser: {MAX_OF_USER}")));
    }
    group.members.insert(user.to_owned());
    Ok(json!({}))
}

pub fn remove_user(world: &mut World, input: &Json) -> Answer {
    let (name, user) = (required(input, "GroupName")?, required(input, "UserName")?);
    find(world, name)?;
    users::find(world, user)?;
    if find_mut(world, name)?.members.remove(user) {
        return Ok(json!({}));
    }
    Err(no_such_entity(format!("User {user} not in group {name}")))
}
