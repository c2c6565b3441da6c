//! Managed policies: their versions, and what they are attached to.

use super::document::{self, Kind, encoded};
use super::*;
use crate::service::tree::Output;

/// IAM and STS quotas: versions of a policy, characters in one.
const MAX_VERSIONS: usize = 5;
const MAX_SIZE: usize = 6144;

pub(super) fn not_found(arn: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} was not found."))
}

fn not_attachable(arn: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} does not exist or is not attachable."))
}

fn no_version(arn: &str, version: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} version {version} does not exist or is not attachable."))
}

pub(super) fn must_exist(world: &World, arn: &str) -> Result<(), ApiError> {
    if world.iam.policies.contains_key(arn) || managed::find(arn).is_some() {
        return Ok(());
    }
    Err(not_attachable(arn))
}

pub(super) fn boundary_must_exist(world: &World, arn: &str) -> Result<(), ApiError> {
    if !arn.contains(":policy/") {
        let message = format!("Value ({arn}) for parameter PermissionsBoundary is invalid.");
        return Err(ApiError::new("ValidationError", message));
    }
    must_exist(world, arn)
}

/// A customer's policy. Those of AWS cannot be changed.
fn own<'a>(world: &'a mut World, arn: &str) -> Result<&'a mut Policy, ApiError> {
    if managed::find(arn).is_some() {
        return Err(ApiError::new("AccessDenied", format!("{arn} is managed by AWS and can't be changed"))
            .status(403));
    }
    world.iam.policies.get_mut(arn).ok_or_else(|| not_found(arn))
}

pub(super) fn attachments(world: &World, arn: &str) -> usize {
    let iam = &world.iam;
    let roles = iam.roles.values().filter(|role| role.attached.contains(arn)).count();
    let users = iam.users.values().filter(|user| user.attached.contains(arn)).count();
    roles + users + iam.groups.values().filter(|group| group.attached.contains(arn)).count()
}

fn boundaries(world: &World, arn: &str) -> usize {
    let roles = world.iam.roles.values().filter(|role| role.boundary.as_deref() == Some(arn)).count();
    let users = world.iam.users.values().filter(|user| user.boundary.as_deref() == Some(arn)).count();
    roles + users
}

pub(super) fn policy_json(world: &World, arn: &str, policy: &Policy) -> Json {
    json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": format!("v{}", policy.default_version),
        "AttachmentCount": attachments(world, arn),
        "PermissionsBoundaryUsageCount": boundaries(world, arn),
        "IsAttachable": true,
        "CreateDate": World::timestamp(policy.created),
        "UpdateDate": World::timestamp(policy.updated),
    })
}

pub(super) fn managed_json(world: &World, policy: &managed::Managed) -> Json {
    let arn = policy.arn();
    json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id(),
        "Arn": arn,
        "Path": policy.path,
        "DefaultVersionId": policy.version,
        "AttachmentCount": attachments(world, &arn),
        "PermissionsBoundaryUsageCount": boundaries(world, &arn),
        "IsAttachable": true,
        "CreateDate": World::timestamp(policy.created),
        "UpdateDate": World::timestamp(policy.updated),
    })
}

pub(super) fn managed_version_json(policy: &managed::Managed) -> Json {
    json!({
        "VersionId": policy.version,
        "IsDefaultVersion": true,
        "CreateDate": World::timestamp(policy.updated),
    })
}

pub(super) fn version_json(number: u32, version: &Version, default: u32) -> Json {
    json!({
        "VersionId": format!("v{number}"),
        "IsDefaultVersion": number == default,
        "CreateDate": World::timestamp(version.created),
    })
}

fn checked_document<'a>(world: &World, input: &'a Json) -> Result<&'a str, ApiError> {
    let text = required(input, "PolicyDocument")?;
    document::check(world, text, Kind::Identity)?;
    if document::size(text) > MAX_SIZE {
        return Err(limit_exceeded(format!("Cannot exceed quota for PolicySize: {MAX_SIZE}")));
    }
    Ok(text)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = required(input, "PolicyName")?;
    let text = checked_document(world, input)?;
    if world.iam.policies.values().any(|policy| policy.name.eq_ignore_ascii_case(name)) {
        return Err(already_exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    let path = input.text("Path").unwrap_or("/");
    let arn = world.arn("iam", &format!("policy{path}{name}"));
    let tags = new_tags(input)?;
    let policy = Policy {
        name: name.to_owned(),
        path: path.to_owned(),
        id: unique_id(world, "ANPA"),
        created: world.now,
        updated: world.now,
        description: input.text("Description").map(str::to_owned),
        tags,
        versions: BTreeMap::from([(1, Version { document: text.to_owned(), created: world.now })]),
        default_version: 1,
        next_version: 2,
    };
    // CreatePolicy answers without the description, with the tags (API reference, example).
    let answer = policy_json(world, &arn, &policy)
        .with("Tags", (!policy.tags.is_empty()).then(|| tag_list(&policy.tags)));
    world.iam.policies.insert(arn, policy);
    Ok(json!({ "Policy": answer }))
}

pub fn get(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    if let Some(policy) = managed::find(arn) {
        return Ok(json!({ "Policy": managed_json(world, policy).with("Tags", Some(json!([]))) }));
    }
    let policy = world.iam.policies.get(arn).ok_or_else(|| not_found(arn))?;
    let answer = policy_json(world, arn, policy)
        .with("Description", policy.description.clone())
        .with("Tags", Some(tag_list(&policy.tags)));
    Ok(json!({ "Policy": answer }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let scope = input.text("Scope").unwrap_or("All");
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let mut found: Vec<(String, Json)> = Vec::new();
    if scope != "AWS" {
        for (arn, policy) in world.iam.policies.iter().filter(|(_, p)| p.path.starts_with(prefix)) {
            found.push((arn.clone(), policy_json(world, arn, policy)));
        }
    }
    if scope != "Local" {
        for policy in managed::all().iter().filter(|p| p.path.starts_with(prefix)) {
            found.push((policy.arn(), managed_json(world, policy)));
        }
    }
    let usage = input.text("PolicyUsageFilter");
    found.retain(|(arn, _)| {
        let wanted = match usage {
            Some("PermissionsPolicy") => attachments(world, arn) > 0,
            Some("PermissionsBoundary") => boundaries(world, arn) > 0,
            _ => attachments(world, arn) + boundaries(world, arn) > 0,
        };
        wanted || (input.flag("OnlyAttached") != Some(true) && usage.is_none())
    });
    Ok(listed(input, "Policies", found.into_iter().map(|(_, policy)| policy).collect()))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let versions = own(world, arn)?.versions.len();
    if attachments(world, arn) + boundaries(world, arn) > 0 {
        return Err(delete_conflict("Cannot delete a policy attached to entities."));
    }
    if versions > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's \
             versions. The default version is deleted with the policy.",
        ));
    }
    world.iam.policies.remove(arn);
    Ok(json!({}))
}

pub fn create_version(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    own(world, arn)?;
    let text = checked_document(world, input)?;
    let now = world.now;
    let policy = own(world, arn)?;
    if policy.versions.len() >= MAX_VERSIONS {
        return Err(limit_exceeded(format!(
            "A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you \
             must delete an existing version."
        )));
    }
    let number = policy.next_version;
    policy.next_version += 1;
    let version = Version { document: text.to_owned(), created: now };
    if input.flag("SetAsDefault") == Some(true) {
        policy.default_version = number;
    }
    policy.updated = now;
    let answer = version_json(number, &version, policy.default_version);
    policy.versions.insert(number, version);
    Ok(json!({ "PolicyVersion": answer }))
}

fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.parse().ok()
}

pub fn get_version(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let id = required(input, "VersionId")?;
    if let Some(policy) = managed::find(arn) {
        if id != policy.version {
            return Err(no_version(arn, id));
        }
        let answer = managed_version_json(policy).with("Document", Some(encoded(&policy.document())));
        return Ok(json!({ "PolicyVersion": answer }));
    }
    let policy = world.iam.policies.get(arn).ok_or_else(|| not_found(arn))?;
    let (number, version) =
        number(id).and_then(|n| policy.versions.get_key_value(&n)).ok_or_else(|| no_version(arn, id))?;
    let answer = version_json(*number, version, policy.default_version)
        .with("Document", Some(encoded(&version.document)));
    Ok(json!({ "PolicyVersion": answer }))
}

/// Newest first, without documents.
pub fn list_versions(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let versions = match managed::find(arn) {
        Some(policy) => vec![managed_version_json(policy)],
        None => {
            let policy = world.iam.policies.get(arn).ok_or_else(|| not_found(arn))?;
            let versions = policy.versions.iter().rev();
            versions.map(|(n, version)| version_json(*n, version, policy.default_version)).collect()
        }
    };
    Ok(listed(input, "Versions", versions))
}

pub fn set_default_version(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let id = required(input, "VersionId")?;
    let now = world.now;
    let policy = own(world, arn)?;
    let number = number(id).filter(|n| policy.versions.contains_key(n)).ok_or_else(|| no_version(arn, id))?;
    policy.default_version = number;
    policy.updated = now;
    Ok(json!({}))
}

pub fn delete_version(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let id = required(input, "VersionId")?;
    let policy = own(world, arn)?;
    let number = number(id).filter(|n| policy.versions.contains_key(n)).ok_or_else(|| no_version(arn, id))?;
    if number == policy.default_version {
        return Err(delete_conflict("Cannot delete the default version of a policy."));
    }
    policy.versions.remove(&number);
    Ok(json!({}))
}

pub fn list_entities(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    must_exist(world, arn).map_err(|_| not_found(arn))?;
    let usage = input.text("PolicyUsageFilter");
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let used = |attached: bool, bounds: bool| match usage {
        Some("PermissionsPolicy") => attached,
        Some("PermissionsBoundary") => bounds,
        _ => attached || bounds,
    };
    // The two kinds of policies are no kinds of entities: they leave nothing out.
    let filter = input.text("EntityFilter").filter(|kind| ["User", "Group", "Role"].contains(kind));
    let wanted = |kind: &str| filter.is_none_or(|filter| filter == kind);
    let mut answer =
        json!({ "IsTruncated": false, "PolicyGroups": [], "PolicyUsers": [], "PolicyRoles": [] });
    if wanted("Role") {
        let roles = world.iam.roles.values().filter(|role| {
            role.path.starts_with(prefix)
                && used(role.attached.contains(arn), role.boundary.as_deref() == Some(arn))
        });
        answer["PolicyRoles"] =
            roles.map(|role| json!({ "RoleName": role.name, "RoleId": role.id })).collect();
    }
    if wanted("User") {
        let users = world.iam.users.values().filter(|user| {
            user.path.starts_with(prefix)
                && used(user.attached.contains(arn), user.boundary.as_deref() == Some(arn))
        });
        answer["PolicyUsers"] =
            users.map(|user| json!({ "UserName": user.name, "UserId": user.id })).collect();
    }
    if wanted("Group") {
        let groups = world.iam.groups.values();
        let groups = groups
            .filter(|group| group.path.starts_with(prefix) && used(group.attached.contains(arn), false));
        answer["PolicyGroups"] =
            groups.map(|group| json!({ "GroupName": group.name, "GroupId": group.id })).collect();
    }
    Ok(answer)
}

pub fn tag(world: &mut World, input: &Json) -> Answer {
    add_tags(&mut own(world, required(input, "PolicyArn")?)?.tags, input)
}

pub fn untag(world: &mut World, input: &Json) -> Answer {
    remove_tags(&mut own(world, required(input, "PolicyArn")?)?.tags, input)
}

pub fn list_tags(world: &mut World, input: &Json) -> Answer {
    let arn = required(input, "PolicyArn")?;
    if managed::find(arn).is_some() {
        return tags_page(input, &Tags::new());
    }
    tags_page(input, &world.iam.policies.get(arn).ok_or_else(|| not_found(arn))?.tags)
}
