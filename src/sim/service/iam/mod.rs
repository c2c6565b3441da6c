//! IAM: roles, policies, instance profiles, service-linked roles; users, groups and their keys.

mod account;
mod authority;
mod document;
mod entity;
mod groups;
mod keys;
mod linked;
mod login;
mod managed;
mod policies;
mod profiles;
mod providers;
mod roles;
mod simulate;
mod sound;
#[cfg(test)]
mod tests;
mod users;

use super::tree::{Tags, tag_list, tags};
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub use authority::{
    Enforcement, Holder, document_of, held_by_role, held_by_user, name_with_path, role_used, tags_of,
};
pub use keys::{owner_of_key, used as key_used};
pub use linked::ensure_service_linked_role;
pub use providers::provider_of;
pub use sound::dangling;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub(crate) roles: BTreeMap<String, Role>,
    /// Customer managed policies by ARN. Those of AWS are a table, see `managed`.
    policies: BTreeMap<String, Policy>,
    pub(crate) profiles: BTreeMap<String, Profile>,
    users: BTreeMap<String, User>,
    aliases: BTreeSet<String>,
    /// Deletions of service-linked roles by task id.
    deletions: BTreeMap<String, linked::Deletion>,
    #[serde(default)]
    groups: BTreeMap<String, Group>,
    /// By id.
    #[serde(default)]
    keys: BTreeMap<String, keys::AccessKey>,
    /// By ARN.
    #[serde(default)]
    providers: BTreeMap<String, providers::Provider>,
    /// As it is answered.
    #[serde(default)]
    password_policy: Option<Json>,
    /// When the credential report was made.
    #[serde(default)]
    report: Option<Millis>,
    /// Whether calls are checked against policies.
    #[serde(default)]
    pub enforcement: Enforcement,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Millis,
    pub trust: String,
    pub description: Option<String>,
    pub max_session_seconds: i64,
    pub boundary: Option<String>,
    pub tags: Tags,
    pub inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// The service that owns it, for a service-linked role.
    pub service: Option<String>,
    /// When, and in which region.
    #[serde(default)]
    last_used: Option<(Millis, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    name: String,
    path: String,
    id: String,
    created: Millis,
    updated: Millis,
    description: Option<String>,
    tags: Tags,
    versions: BTreeMap<u32, Version>,
    default_version: u32,
    /// Numbers are never used again, not even those of deleted versions.
    next_version: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Version {
    document: String,
    created: Millis,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created: Millis,
    /// At most one.
    pub role: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    name: String,
    path: String,
    id: String,
    created: Millis,
    boundary: Option<String>,
    tags: Tags,
    #[serde(default)]
    inline: BTreeMap<String, String>,
    #[serde(default)]
    attached: BTreeSet<String>,
    #[serde(default)]
    password: Option<login::Password>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Group {
    name: String,
    path: String,
    id: String,
    created: Millis,
    members: BTreeSet<String>,
    inline: BTreeMap<String, String>,
    attached: BTreeSet<String>,
}

impl Role {
    pub fn arn(&self, world: &World) -> String {
        world.arn("iam", &format!("role{}{}", self.path, self.name))
    }
}

impl Profile {
    pub fn arn(&self, world: &World) -> String {
        world.arn("iam", &format!("instance-profile{}{}", self.path, self.name))
    }
}

impl User {
    fn arn(&self, world: &World) -> String {
        world.arn("iam", &format!("user{}{}", self.path, self.name))
    }
}

impl Group {
    fn arn(&self, world: &World) -> String {
        world.arn("iam", &format!("group{}{}", self.path, self.name))
    }
}

pub const OPERATIONS: Operations = &[
    ("AddClientIDToOpenIDConnectProvider", providers::add_client),
    ("AddRoleToInstanceProfile", profiles::add_role),
    ("AddUserToGroup", groups::add_user),
    ("AttachGroupPolicy", entity::attach_to_group),
    ("AttachRolePolicy", entity::attach_to_role),
    ("AttachUserPolicy", entity::attach_to_user),
    ("CreateAccessKey", keys::create),
    ("CreateAccountAlias", account::create_alias),
    ("CreateGroup", groups::create),
    ("CreateInstanceProfile", profiles::create),
    ("CreateLoginProfile", login::create),
    ("CreateOpenIDConnectProvider", providers::create),
    ("CreatePolicy", policies::create),
    ("CreatePolicyVersion", policies::create_version),
    ("CreateRole", roles::create),
    ("CreateServiceLinkedRole", linked::create),
    ("CreateUser", users::create),
    ("DeleteAccessKey", keys::delete),
    ("DeleteAccountAlias", account::delete_alias),
    ("DeleteAccountPasswordPolicy", account::delete_password_policy),
    ("DeleteGroup", groups::delete),
    ("DeleteGroupPolicy", entity::delete_group_policy),
    ("DeleteInstanceProfile", profiles::delete),
    ("DeleteLoginProfile", login::delete),
    ("DeleteOpenIDConnectProvider", providers::delete),
    ("DeletePolicy", policies::delete),
    ("DeletePolicyVersion", policies::delete_version),
    ("DeleteRole", roles::delete),
    ("DeleteRolePermissionsBoundary", roles::delete_boundary),
    ("DeleteRolePolicy", entity::delete_role_policy),
    ("DeleteServiceLinkedRole", linked::delete),
    ("DeleteUser", users::delete),
    ("DeleteUserPermissionsBoundary", users::delete_boundary),
    ("DeleteUserPolicy", entity::delete_user_policy),
    ("DetachGroupPolicy", entity::detach_from_group),
    ("DetachRolePolicy", entity::detach_from_role),
    ("DetachUserPolicy", entity::detach_from_user),
    ("GenerateCredentialReport", account::generate_report),
    ("GetAccessKeyLastUsed", keys::last_used),
    ("GetAccountAuthorizationDetails", account::authorization_details),
    ("GetAccountPasswordPolicy", account::password_policy),
    ("GetAccountSummary", account::summary),
    ("GetCredentialReport", account::report),
    ("GetGroup", groups::get),
    ("GetGroupPolicy", entity::group_policy),
    ("GetInstanceProfile", profiles::get),
    ("GetLoginProfile", login::get),
    ("GetOpenIDConnectProvider", providers::get),
    ("GetPolicy", policies::get),
    ("GetPolicyVersion", policies::get_version),
    ("GetRole", roles::get),
    ("GetRolePolicy", entity::role_policy),
    ("GetServiceLinkedRoleDeletionStatus", linked::deletion_status),
    ("GetUser", users::get),
    ("GetUserPolicy", entity::user_policy),
    ("ListAccessKeys", keys::list),
    ("ListAccountAliases", account::list_aliases),
    ("ListAttachedGroupPolicies", entity::attached_to_group),
    ("ListAttachedRolePolicies", entity::attached_to_role),
    ("ListAttachedUserPolicies", entity::attached_to_user),
    ("ListEntitiesForPolicy", policies::list_entities),
    ("ListGroupPolicies", entity::group_policies),
    ("ListGroups", groups::list),
    ("ListGroupsForUser", groups::list_for_user),
    ("ListInstanceProfileTags", profiles::list_tags),
    ("ListInstanceProfiles", profiles::list),
    ("ListInstanceProfilesForRole", profiles::list_for_role),
    ("ListOpenIDConnectProviderTags", providers::list_tags),
    ("ListOpenIDConnectProviders", providers::list),
    ("ListPolicies", policies::list),
    ("ListPolicyTags", policies::list_tags),
    ("ListPolicyVersions", policies::list_versions),
    ("ListRolePolicies", entity::role_policies),
    ("ListRoleTags", roles::list_tags),
    ("ListRoles", roles::list),
    ("ListUserPolicies", entity::user_policies),
    ("ListUserTags", users::list_tags),
    ("ListUsers", users::list),
    ("PutGroupPolicy", entity::put_group_policy),
    ("PutRolePermissionsBoundary", roles::put_boundary),
    ("PutRolePolicy", entity::put_role_policy),
    ("PutUserPermissionsBoundary", users::put_boundary),
    ("PutUserPolicy", entity::put_user_policy),
    ("RemoveClientIDFromOpenIDConnectProvider", providers::remove_client),
    ("RemoveRoleFromInstanceProfile", profiles::remove_role),
    ("RemoveUserFromGroup", groups::remove_user),
    ("SetDefaultPolicyVersion", policies::set_default_version),
    ("SimulateCustomPolicy", simulate::custom),
    ("SimulatePrincipalPolicy", simulate::principal),
    ("TagInstanceProfile", profiles::tag),
    ("TagOpenIDConnectProvider", providers::tag),
    ("TagPolicy", policies::tag),
    ("TagRole", roles::tag),
    ("TagUser", users::tag),
    ("UntagInstanceProfile", profiles::untag),
    ("UntagOpenIDConnectProvider", providers::untag),
    ("UntagPolicy", policies::untag),
    ("UntagRole", roles::untag),
    ("UntagUser", users::untag),
    ("UpdateAccessKey", keys::update),
    ("UpdateAccountPasswordPolicy", account::update_password_policy),
    ("UpdateAssumeRolePolicy", roles::update_trust),
    ("UpdateGroup", groups::update),
    ("UpdateLoginProfile", login::update),
    ("UpdateOpenIDConnectProviderThumbprint", providers::update_thumbprints),
    ("UpdateRole", roles::update),
    ("UpdateRoleDescription", roles::update_description),
    ("UpdateUser", users::update),
];

/// What a new account has from the start: nothing. Service-linked roles come with their first use, and
/// the policies of AWS belong to no account.
pub fn found(_world: &mut World) {}

pub fn role_by_arn<'a>(world: &'a World, arn: &str) -> Option<&'a Role> {
    let name = arn.rsplit('/').next()?;
    world.iam.roles.get(name).filter(|role| role.arn(world) == arn)
}

/// By name or ARN, as launch templates and RunInstances name profiles.
pub fn instance_profile<'a>(world: &'a World, name_or_arn: &str) -> Option<&'a Profile> {
    if name_or_arn.starts_with("arn:") {
        let name = name_or_arn.rsplit('/').next()?;
        return world.iam.profiles.get(name).filter(|profile| profile.arn(world) == name_or_arn);
    }
    world.iam.profiles.get(name_or_arn)
}

/// Whether the role's trust policy lets a service (`ecs-tasks.amazonaws.com`) assume it.
pub fn trusts_service(role: &Role, service: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Json>(&role.trust) else { return false };
    let statements = match document.get("Statement") {
        Some(Json::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => return false,
    };
    statements.iter().any(|statement| {
        let services = statement.get("Principal").and_then(|principal| principal.get("Service"));
        let named = match services {
            Some(Json::String(one)) => one == service,
            Some(Json::Array(list)) => list.iter().any(|s| s.as_str() == Some(service)),
            _ => false,
        };
        named && statement.text("Effect") == Some("Allow")
    })
}

/// `AROA` and 17 letters and digits (IAM User Guide, "Unique identifiers").
fn unique_id(world: &mut World, prefix: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    if let Some(foreseen) = world.foreseen("iam-id") {
        return foreseen;
    }
    let mut id = prefix.to_owned();
    for _ in 0..17 {
        id.push(char::from(ALPHABET[(world.random() % 32) as usize]));
    }
    id
}

fn no_such_entity(message: impl Into<String>) -> ApiError {
    ApiError::new("NoSuchEntity", message).status(404)
}

fn delete_conflict(message: &str) -> ApiError {
    ApiError::new("DeleteConflict", message).status(409)
}

fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new("LimitExceeded", message).status(409)
}

fn already_exists(message: impl Into<String>) -> ApiError {
    ApiError::new("EntityAlreadyExists", message).status(409)
}

fn required<'a>(input: &'a Json, name: &str) -> Result<&'a str, ApiError> {
    input.text(name).ok_or_else(|| {
        let member = name[..1].to_lowercase() + &name[1..];
        ApiError::new(
            "ValidationError",
            format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member \
                 must not be null"
            ),
        )
    })
}

/// One page as every IAM list has it: Marker and IsTruncated; 100 items unless told.
fn listed(input: &Json, name: &str, items: Vec<Json>) -> Json {
    let limit = input.int("MaxItems").and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let (items, marker) = page(items, input.text("Marker"), limit);
    let mut answer = json!({ "IsTruncated": marker.is_some() });
    answer[name] = items.into();
    if let Some(marker) = marker {
        answer["Marker"] = marker.into();
    }
    answer
}

/// Tag keys are unique regardless of case; a new case of a key is refused by IAM as a duplicate.
fn new_tags(input: &Json) -> Result<Tags, ApiError> {
    let list = input.list("Tags");
    let mut seen = BTreeSet::new();
    for tag in list {
        if !seen.insert(tag.text("Key").unwrap_or_default().to_lowercase()) {
            return Err(ApiError::new(
                "InvalidInput",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if tag.text("Key").is_some_and(|key| key.to_lowercase().starts_with("aws:")) {
            return Err(ApiError::new("InvalidInput", "User-defined tag keys can't start with 'aws:'."));
        }
    }
    if list.len() > 50 {
        return Err(ApiError::new("InvalidInput", "The number of tags has reached the maximum limit."));
    }
    Ok(tags(list))
}

fn add_tags(to: &mut Tags, input: &Json) -> Answer {
    let added = new_tags(input)?;
    let new = added.keys().filter(|key| !to.contains_key(*key)).count();
    if to.len() + new > 50 {
        return Err(limit_exceeded("The number of tags has reached the maximum limit."));
    }
    to.extend(added);
    Ok(json!({}))
}

fn remove_tags(from: &mut Tags, input: &Json) -> Answer {
    for key in input.texts("TagKeys") {
        from.remove(key);
    }
    Ok(json!({}))
}

fn tags_page(input: &Json, tags: &Tags) -> Answer {
    let list = tag_list(tags).as_array().cloned().unwrap_or_default();
    Ok(listed(input, "Tags", list))
}

fn boundary(arn: Option<&str>) -> Option<Json> {
    arn.map(|arn| json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn }))
}
