//! What must be true of IAM at every moment.

use super::*;

/// References that lead nowhere.
pub fn dangling(world: &World) -> Vec<String> {
    let iam = &world.iam;
    let mut found = Vec::new();
    let own = format!(":iam::{}:policy/", world.account);
    // Those of AWS are attached to linked roles by name, whether the table has them or not.
    let mut policies = |of: String, attached: &BTreeSet<String>| {
        let gone = attached.iter().filter(|arn| arn.contains(&own) && !iam.policies.contains_key(*arn));
        found.extend(gone.map(|arn| format!("{of} has policy {arn}, which is gone")));
    };
    for role in iam.roles.values() {
        policies(format!("role {}", role.name), &role.attached);
    }
    for user in iam.users.values() {
        policies(format!("user {}", user.name), &user.attached);
    }
    for group in iam.groups.values() {
        policies(format!("group {}", group.name), &group.attached);
    }
    for group in iam.groups.values() {
        let gone = group.members.iter().filter(|user| !iam.users.contains_key(*user));
        found.extend(gone.map(|user| format!("group {} has user {user}, who is gone", group.name)));
    }
    for (id, key) in &iam.keys {
        if !iam.users.contains_key(&key.user) {
            found.push(format!("access key {id} is of user {}, who is gone", key.user));
        }
    }
    for profile in iam.profiles.values() {
        if let Some(role) = profile.role.as_ref().filter(|role| !iam.roles.contains_key(*role)) {
            found.push(format!("instance profile {} has role {role}, which is gone", profile.name));
        }
    }
    for (arn, policy) in &iam.policies {
        if !policy.versions.contains_key(&policy.default_version) {
            found.push(format!("policy {arn} has no version v{}, its default", policy.default_version));
        }
    }
    found
}
