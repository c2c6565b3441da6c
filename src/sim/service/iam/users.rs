//! Users, the account's alias and its summary: as far as clients look at them.

use super::*;
use crate::service::tree::Output;

fn find<'a>(world: &'a World, name: &str) -> Result<&'a User, ApiError> {
    let user = world.iam.users.get(name);
    user.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

fn find_mut<'a>(world: &'a mut World, name: &str) -> Result<&'a mut User, ApiError> {
    let user = world.iam.users.get_mut(name);
    user.ok_or_else(|| no_such_entity(format!("The user with name {name} cannot be found.")))
}

fn user_json(world: &World, user: &User) -> Json {
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
        policies::must_exist(world, arn)?;
    }
    let tags = new_tags(input)?;
    let user = User {
        name: name.to_owned(),
        path: input.text("Path").unwrap_or("/").to_owned(),
        id: unique_id(world, "AIDA"),
        created: world.now,
        boundary,
        tags,
    };
    let answer = json!({ "User": full(world, &user) });
    world.iam.users.insert(user.name.clone(), user);
    Ok(answer)
}

/// Without a name: the caller, who here is the account's root user.
pub fn get(world: &mut World, input: &Json) -> Answer {
    let Some(name) = input.text("UserName") else {
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

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "UserName")?;
    find(world, name)?;
    world.iam.users.remove(name);
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

/// "You can have only one account alias for each account": a new one takes the old one's place.
pub fn create_alias(world: &mut World, input: &Json) -> Answer {
    let alias = required(input, "AccountAlias")?;
    if world.iam.aliases.contains(alias) {
        return Err(already_exists(format!("The account alias {alias} already exists.")));
    }
    world.iam.aliases = BTreeSet::from([alias.to_owned()]);
    Ok(json!({}))
}

pub fn delete_alias(world: &mut World, input: &Json) -> Answer {
    let alias = required(input, "AccountAlias")?;
    if world.iam.aliases.remove(alias) {
        return Ok(json!({}));
    }
    Err(no_such_entity(format!("The account alias {alias} cannot be found.")))
}

pub fn list_aliases(world: &mut World, input: &Json) -> Answer {
    Ok(listed(input, "AccountAliases", world.iam.aliases.iter().map(|alias| json!(alias)).collect()))
}

pub fn summary(world: &mut World, _input: &Json) -> Answer {
    let iam = &world.iam;
    Ok(json!({ "SummaryMap": {
        "AttachedPoliciesPerRoleQuota": 10,
        "InstanceProfiles": iam.profiles.len(),
        "InstanceProfilesQuota": 1000,
        "Policies": iam.policies.len(),
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "Roles": iam.roles.len(),
        "RolesQuota": 1000,
        "Users": iam.users.len(),
        "UsersQuota": 5000,
        "VersionsPerPolicyQuota": 5,
    } }))
}
