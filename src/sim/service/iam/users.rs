//! Users.

use super::*;
use crate::service::tree::Output;

pub(super) fn find<'a>(world: &'a World, name: &str) -> Result<&'a User, ApiError> {
    let user = world.iam.users.get(name);
    user.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

pub(super) fn find_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut User, ApiError> {
    let user = world.iam.users.get_mut(name);
    user.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

pub(super) fn user_json(world: &World, user: &User) -> Json {
    json!({
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn(world),
        "CreateDate": World::timestamp(user.created),
    })
}

fn full(world: &World, user: &User) -> Json {
    user_json(world, user)
        .with("PermissionsBoundary", boundary(user.boundary.as_deref()))
        .with("Tags", (!user.tags.is_empty()).then(|| tag_list(&user.tags)))
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    if world.iam.users.keys().any(|other| other.eq_ignore_ascii_case(name)) {
        return Err(already_exists(format!("User with name {name} already exists.")));
    }
    let boundary = input.text("PermissionsBoundary").map(str::to_owned);
    if let Some(arn) = &boundary {
        policies::boundary_must_exist(world, arn)?;
    }
    let tags = new_tags(input)?;
    let user = User {
        name: name.to_owned(),
        path: input.text("Path").unwrap_or("/").to_owned(),
        id: unique_id(world, "AIDA"),
        created: world.now,
        boundary,
        tags,
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        password: None,
    };
    let answer = json!({ "User": full(world, &user) });
    world.iam.users.insert(user.name.clone(), user);
    Ok(answer)
}

/// Without a name: the caller, who is the account's root user if none of its users.
pub fn get(world: &mut World, input: &Json) -> Answer {
    let Some(name) = keys::user_meant(world, input) else {
        return Ok(json!({ "User": {
            "Path": "/",
            "UserName": "root",
            "UserId": world.account,
            "Arn": world.arn("iam", "root"),
            "CreateDate": World::timestamp(managed::CREATED),
        } }));
    };
    Ok(json!({ "User": full(world, find(world, name)?) }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let users = world.iam.users.values().filter(|user| user.path.starts_with(prefix));
    Ok(listed(input, "Users", users.map(|user| user_json(world, user)).collect()))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    find(world, name)?;
    let new = input.text("NewUserName").unwrap_or(name);
    let taken = world.iam.users.keys().any(|other| other.eq_ignore_ascii_case(new));
    if !new.eq_ignore_ascii_case(name) && taken {
        return Err(already_exists(format!("User with name {new} already exists.")));
    }
    let mut user = world.iam.users.remove(name).expect("found above");
    new.clone_into(&mut user.name);
    if let Some(path) = input.text("NewPath") {
        user.path = path.to_owned();
    }
    for group in world.iam.groups.values_mut() {
        if group.members.remove(name) {
            group.members.insert(new.to_owned());
        }
    }
    keys::rename(world, name, new);
    world.iam.users.insert(new.to_owned(), user);
    Ok(json!({}))
}

/// "You must delete the items attached to the user manually, or the deletion fails" (API reference).
pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    let user = find(world, name)?;
    if world.iam.groups.values().any(|group| group.members.contains(name)) {
        return Err(delete_conflict("Cannot delete entity, must remove users from group first."));
    }
    entity::must_be_bare((&user.inline, &user.attached))?;
    if keys::of_user(world, name).next().is_some() {
        return Err(delete_conflict("Cannot delete entity, must delete access keys first."));
    }
    if user.password.is_some() {
        return Err(delete_conflict("Cannot delete entity, must delete login profile first."));
    }
    world.iam.users.remove(name);
    Ok(json!({}))
}

pub fn put_boundary(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PermissionsBoundary")?;
    policies::boundary_must_exist(world, arn)?;
    find_mut(world, required(input, "UserName")?)?.boundary = Some(arn.to_owned());
    Ok(json!({}))
}

pub fn delete_boundary(world: &mut World, input: &Json) -> Answer {
    find_mut(world, required(input, "UserName")?)?.boundary = None;
    Ok(json!({}))
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    add_tags(&mut find_mut(world, required(input, "UserName")?)?.tags, input)
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    remove_tags(&mut find_mut(world, required(input, "UserName")?)?.tags, input)
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    tags_page(input, &find(world, required(input, "UserName")?)?.tags)
}
