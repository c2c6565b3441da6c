//! What there is one of in an account: its alias, its summary, its password policy, and all its authority in one
//! answer.

use super::*;
use crate::service::tree::Output;

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

/// Every count and quota of the account (API reference, GetAccountSummary); what is not modelled is none.
pub fn summary(world: &mut World, _input: &Json) -> Answer {
    let iam = &world.iam;
    let in_use: usize = iam.policies.keys().map(|arn| policies::attachments(world, arn)).sum();
    Ok(json!({ "SummaryMap": {
        "AccessKeysPerUserQuota": 2,
        "AccountAccessKeysPresent": 0,
        "AccountMFAEnabled": 0,
        "AccountSigningCertificatesPresent": 0,
        "AssumeRolePolicySizeQuota": 2048,
        "AttachedPoliciesPerGroupQuota": 10,
        "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10,
        "GlobalEndpointTokenVersion": 1,
        "GroupPolicySizeQuota": 5120,
        "Groups": iam.groups.len(),
        "GroupsPerUserQuota": 10,
        "GroupsQuota": 300,
        "InstanceProfiles": iam.profiles.len(),
        "InstanceProfilesQuota": 1000,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "Policies": iam.policies.len(),
        "PoliciesQuota": 1500,
        "PolicySizeQuota": 6144,
        "PolicyVersionsInUse": in_use,
        "PolicyVersionsInUseQuota": 10_000,
        "Providers": iam.providers.len(),
        "RolePolicySizeQuota": 10_240,
        "Roles": iam.roles.len(),
        "RolesQuota": 1000,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 20,
        "SigningCertificatesPerUserQuota": 2,
        "UserPolicySizeQuota": 2048,
        "Users": iam.users.len(),
        "UsersQuota": 5000,
        "VersionsPerPolicyQuota": 5,
    } }))
}

/// Each parameter that is not given goes back to its default (API reference, UpdateAccountPasswordPolicy).
pub fn update_password_policy(world: &mut World, input: &Json) -> Answer {
    let flag = |name: &str| input.flag(name).unwrap_or(false);
    let age = input.int("MaxPasswordAge").unwrap_or(0);
    let policy = json!({
        "AllowUsersToChangePassword": flag("AllowUsersToChangePassword"),
        "ExpirePasswords": age > 0,
        "HardExpiry": flag("HardExpiry"),
        "MaxPasswordAge": age,
        "MinimumPasswordLength": input.int("MinimumPasswordLength").unwrap_or(6),
        "RequireLowercaseCharacters": flag("RequireLowercaseCharacters"),
        "RequireNumbers": flag("RequireNumbers"),
        "RequireSymbols": flag("RequireSymbols"),
        "RequireUppercaseCharacters": flag("RequireUppercaseCharacters"),
    });
    world.iam.password_policy =
        Some(policy.with("PasswordReusePrevention", input.int("PasswordReusePrevention")));
    Ok(json!({}))
}

fn no_password_policy(world: &World) -> ApiError {
    no_such_entity(format!("The Password Policy with domain name {} cannot be found.", world.account))
}

pub fn password_policy(world: &mut World, _input: &Json) -> Answer {
    let policy = world.iam.password_policy.clone().ok_or_else(|| no_password_policy(world))?;
    Ok(json!({ "PasswordPolicy": policy }))
}

pub fn delete_password_policy(world: &mut World, _input: &Json) -> Answer {
    let gone = world.iam.password_policy.take();
    let unknown = "The account policy with name PasswordPolicy cannot be found.";
    gone.map(|_| json!({})).ok_or_else(|| no_such_entity(unknown))
}

/// Users, groups, roles and policies with all that they hold.
pub fn authorization_details(world: &mut World, input: &Json) -> Answer {
    let filters = input.texts("Filter");
    let wanted = |kind: &str| filters.is_empty() || filters.contains(&kind);
    let iam = &world.iam;
    let mut found: Vec<(&str, Json)> = Vec::new();
    if wanted("User") {
        found.extend(iam.users.values().map(|user| ("UserDetailList", user_detail(world, user))));
    }
    if wanted("Group") {
        found.extend(iam.groups.values().map(|group| ("GroupDetailList", group_detail(world, group))));
    }
    if wanted("Role") {
        found.extend(iam.roles.values().map(|role| ("RoleDetailList", role_detail(world, role))));
    }
    if wanted("LocalManagedPolicy") {
        let own = iam.policies.iter().map(|(arn, policy)| ("Policies", policy_detail(world, arn, policy)));
        found.extend(own);
    }
    if wanted("AWSManagedPolicy") {
        found.extend(managed::all().iter().map(|policy| ("Policies", managed_detail(world, policy))));
    }
    let limit = input.int("MaxItems").and_then(|n| usize::try_from(n).ok()).unwrap_or(1000);
    let (found, marker) = page(found, input.text("Marker"), limit);
    let of = |list: &str| -> Json {
        found.iter().filter(|(of, _)| *of == list).map(|(_, one)| one.clone()).collect()
    };
    Ok(json!({
        "UserDetailList": of("UserDetailList"),
        "GroupDetailList": of("GroupDetailList"),
        "RoleDetailList": of("RoleDetailList"),
        "Policies": of("Policies"),
        "IsTruncated": marker.is_some(),
    })
    .with("Marker", marker))
}

fn attached(arns: &BTreeSet<String>) -> Json {
    arns.iter().map(|arn| entity::attached_json(arn)).collect()
}

fn user_detail(world: &World, user: &User) -> Json {
    let groups = world.iam.groups.values().filter(|group| group.members.contains(&user.name));
    let groups: Json = groups.map(|group| json!(group.name)).collect();
    users::user_json(world, user)
        .with("UserPolicyList", Some(entity::inline_json(&user.inline)))
        .with("GroupList", Some(groups))
        .with("AttachedManagedPolicies", Some(attached(&user.attached)))
        .with("PermissionsBoundary", boundary(user.boundary.as_deref()))
        .with("Tags", Some(tag_list(&user.tags)))
}

fn group_detail(world: &World, group: &Group) -> Json {
    groups::group_json(world, group)
        .with("GroupPolicyList", Some(entity::inline_json(&group.inline)))
        .with("AttachedManagedPolicies", Some(attached(&group.attached)))
}

fn role_detail(world: &World, role: &Role) -> Json {
    let profiles = world.iam.profiles.values().filter(|one| one.role.as_ref() == Some(&role.name));
    let profiles: Json = profiles.map(|profile| profiles::profile_json(world, profile)).collect();
    let mut detail = roles::role_json(world, role)
        .with("InstanceProfileList", Some(profiles))
        .with("RolePolicyList", Some(entity::inline_json(&role.inline)))
        .with("AttachedManagedPolicies", Some(attached(&role.attached)))
        .with("PermissionsBoundary", boundary(role.boundary.as_deref()))
        .with("Tags", Some(tag_list(&role.tags)))
        .with("RoleLastUsed", Some(roles::last_used(role)));
    if let Json::Object(members) = &mut detail {
        members.remove("Description");
    }
    detail
}

fn policy_detail(world: &World, arn: &str, policy: &Policy) -> Json {
    let versions = policy.versions.iter().rev().map(|(number, version)| {
        policies::version_json(*number, version, policy.default_version)
            .with("Document", Some(document::encoded(&version.document)))
    });
    policies::policy_json(world, arn, policy)
        .with("Description", policy.description.clone())
        .with("PolicyVersionList", Some(versions.collect::<Json>()))
}

fn managed_detail(world: &World, policy: &managed::Managed) -> Json {
    let version =
        policies::managed_version_json(policy).with("Document", Some(document::encoded(&policy.document())));
    policies::managed_json(world, policy).with("PolicyVersionList", Some(json!([version])))
}

/// The report is made while one asks for it again (API reference, GenerateCredentialReport).
pub fn generate_report(world: &mut World, _input: &Json) -> Answer {
    let state = match world.iam.report {
        None => "STARTED",
        Some(_) => "COMPLETE",
    };
    let answer = json!({ "State": state });
    if world.iam.report.is_none() {
        world.iam.report = Some(world.now);
        return Ok(
            answer.with("Description", Some("No report exists. Starting a new report generation task"))
        );
    }
    Ok(answer)
}

pub fn report(world: &mut World, _input: &Json) -> Answer {
    use base64::Engine;
    let Some(at) = world.iam.report else {
        let message = "No report exists. Please use GenerateCredentialReport to generate a report.";
        return Err(ApiError::new("ReportNotPresent", message).status(410));
    };
    let mut lines = vec![REPORT_COLUMNS.to_owned()];
    lines.extend(world.iam.users.values().map(|user| report_line(world, user)));
    let content = base64::engine::general_purpose::STANDARD.encode(lines.join("\n"));
    Ok(json!({ "Content": content, "ReportFormat": "text/csv", "GeneratedTime": World::timestamp(at) }))
}

/// IAM User Guide, "Understanding the report format".
const REPORT_COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,\
    access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,\
    access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,\
    access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

fn report_line(world: &World, user: &User) -> String {
    let time = |at: Millis| World::timestamp(at).as_str().unwrap_or_default().to_owned();
    let absent = || "N/A".to_owned();
    let mut fields = vec![user.name.clone(), user.arn(world), time(user.created)];
    let password = user.password.as_ref();
    fields.push(password.is_some().to_string());
    fields.push(password.map_or_else(absent, |_| "no_information".to_owned()));
    fields.push(password.map_or_else(absent, |password| time(password.created)));
    fields.extend([absent(), "false".to_owned()]);
    let mut keys: Vec<_> = keys::of_user(world, &user.name).collect();
    keys.sort_by_key(|key| key.created());
    for at in 0..2 {
        let Some(key) = keys.get(at) else {
            fields.extend(["false".to_owned(), absent(), absent(), absent(), absent()]);
            continue;
        };
        let used = key.used_at();
        fields.extend([key.is_active().to_string(), time(key.created())]);
        fields.push(used.map_or_else(absent, |(at, ..)| time(*at)));
        fields.push(used.map_or_else(absent, |(.., region)| region.clone()));
        fields.push(used.map_or_else(absent, |(_, service, _)| service.clone()));
    }
    fields.extend(["false".to_owned(), absent(), "false".to_owned(), absent()]);
    fields.join(",")
}
