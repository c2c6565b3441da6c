//! What IAM tells of those whose authority is checked: their policies and tags; and whether it is checked at all.

use super::*;

/// Whether calls are checked against policies, and from which call on (moto's tests set their scene first).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// How many calls still go unchecked; none for ever.
    after: Option<u64>,
}

impl Enforcement {
    pub fn on() -> Self {
        Self { after: Some(0) }
    }

    pub fn after(calls: Option<u64>) -> Self {
        Self { after: calls }
    }

    pub fn calls_left(&self) -> Option<u64> {
        self.after
    }

    pub fn is_on(&self) -> bool {
        self.after == Some(0)
    }

    /// Of the next call.
    pub fn applies(&mut self) -> bool {
        match &mut self.after {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }
}

/// One that holds policies and makes requests.
pub struct Holder {
    pub arn: String,
    pub id: String,
    pub tags: Tags,
    pub policies: Vec<String>,
    pub boundary: Option<String>,
}

/// A managed policy's document in force.
pub fn document_of(world: &World, arn: &str) -> Option<String> {
    match world.iam.policies.get(arn) {
        Some(policy) => policy.versions.get(&policy.default_version).map(|version| version.document.clone()),
        None => managed::find(arn).map(managed::Managed::document),
    }
}

fn documents<'a>(
    world: &World,
    inline: &BTreeMap<String, String>,
    attached: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    let attached = attached.filter_map(|arn| document_of(world, arn));
    inline.values().cloned().chain(attached).collect()
}

/// Its own policies and those of its groups.
pub fn held_by_user(world: &World, name: &str) -> Option<Holder> {
    let user = world.iam.users.get(name)?;
    let mut policies = documents(world, &user.inline, user.attached.iter());
    for group in world.iam.groups.values().filter(|group| group.members.contains(name)) {
        policies.extend(documents(world, &group.inline, group.attached.iter()));
    }
    Some(Holder {
        arn: user.arn(world),
        id: user.id.clone(),
        tags: user.tags.clone(),
        policies,
        // A boundary that is gone bounds everything.
        boundary: user.boundary.as_ref().map(|arn| document_of(world, arn).unwrap_or_default()),
    })
}

pub fn held_by_role(world: &World, name: &str) -> Option<Holder> {
    let role = world.iam.roles.get(name)?;
    Some(Holder {
        arn: role.arn(world),
        id: role.id.clone(),
        tags: role.tags.clone(),
        policies: documents(world, &role.inline, role.attached.iter()),
        boundary: role.boundary.as_ref().map(|arn| document_of(world, arn).unwrap_or_default()),
    })
}

/// `team/web` of a role, user, group, profile or policy called `web`; of one that is to be made, in the path given.
pub fn name_with_path(world: &World, kind: &str, name: &str, given: Option<&str>) -> String {
    let iam = &world.iam;
    let path = match kind {
        "Role" => iam.roles.get(name).map(|one| one.path.as_str()),
        "User" => iam.users.get(name).map(|one| one.path.as_str()),
        "Group" => iam.groups.get(name).map(|one| one.path.as_str()),
        "InstanceProfile" => iam.profiles.get(name).map(|one| one.path.as_str()),
        _ => None,
    };
    format!("{}{name}", path.or(given).unwrap_or("/")).trim_start_matches('/').to_owned()
}

/// By the last part of an ARN: `role/team/web`.
pub fn tags_of(world: &World, resource: &str) -> Tags {
    let name = resource.rsplit('/').next().unwrap_or_default();
    let iam = &world.iam;
    let tags = match resource.split('/').next() {
        Some("role") => iam.roles.get(name).map(|one| &one.tags),
        Some("user") => iam.users.get(name).map(|one| &one.tags),
        Some("instance-profile") => iam.profiles.get(name).map(|one| &one.tags),
        Some("policy") => iam.policies.values().find(|one| one.name == name).map(|one| &one.tags),
        _ => None,
    };
    tags.cloned().unwrap_or_default()
}

/// A role was assumed, or used by a service.
pub fn role_used(world: &mut World, name: &str) {
    let (now, region) = (world.now, world.region.clone());
    if let Some(role) = world.iam.roles.get_mut(name) {
        role.last_used = Some((now, region));
    }
}
