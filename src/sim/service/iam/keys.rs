//! Access keys of users, and when they were last used.

use super::*;

/// IAM and STS quotas.
const MAX_OF_USER: usize = 2;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessKey {
    id: String,
    secret: String,
    pub(super) user: String,
    active: bool,
    created: Millis,
    /// When, for which service, in which region.
    last_used: Option<(Millis, String, String)>,
}

/// The caller, when a request about users names none.
pub(super) fn user_meant<'a>(world: &'a World, input: &'a Json) -> Option<&'a str> {
    input.text("UserName").or_else(|| world.iam.keys.get(&world.caller).map(|key| key.user.as_str()))
}

fn key_json(key: &AccessKey) -> Json {
    json!({
        "UserName": key.user,
        "AccessKeyId": key.id,
        "Status": if key.active { "Active" } else { "Inactive" },
        "CreateDate": World::timestamp(key.created),
    })
}

/// The embedded administrator is no user of IAM's: keys are made for those that are.
fn user_of(world: &World, input: &Json) -> Result<String, ApiError> {
    let name = user_meant(world, input).map(str::to_owned);
    let name = name.ok_or_else(|| {
        ApiError::new("ValidationError", "Must specify userName when calling with non-User credentials")
    })?;
    users::find(world, &name)?;
    Ok(name)
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let user = user_of(world, input)?;
    if world.iam.keys.values().filter(|key| key.user == user).count() >= MAX_OF_USER {
        return Err(limit_exceeded(format!("Cannot exceed quota for AccessKeysPerUser: {MAX_OF_USER}")));
    }
    // Twenty characters in all, and a secret of forty.
    let mut id = unique_id(world, "AKIA");
    id.truncate(20);
    let secret = world.hex(40);
    let key = AccessKey { id, secret, user, active: true, created: world.now, last_used: None };
    let mut answer = key_json(&key);
    answer["SecretAccessKey"] = json!(key.secret);
    world.iam.keys.insert(key.id.clone(), key);
    Ok(json!({ "AccessKey": answer }))
}

pub fn list(world: &mut World, input: &Json) -> Answer {
    let user = user_of(world, input)?;
    let keys = world.iam.keys.values().filter(|key| key.user == user).map(key_json).collect();
    Ok(listed(input, "AccessKeyMetadata", keys))
}

fn find_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut AccessKey, ApiError> {
    let id = required(input, "AccessKeyId")?;
    let user = input.text("UserName");
    let key = world.iam.keys.get_mut(id).filter(|key| user.is_none_or(|user| user == key.user));
    key.ok_or_else(|| no_such_entity(format!("The Access Key with id {id} cannot be found.")))
}

pub fn update(world: &mut World, input: &Json) -> Answer {
    if let Some(user) = input.text("UserName") {
        users::find(world, user)?;
    }
    let active = required(input, "Status")? == "Active";
    find_mut(world, input)?.active = active;
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    if let Some(user) = input.text("UserName") {
        users::find(world, user)?;
    }
    let id = find_mut(world, input)?.id.clone();
    world.iam.keys.remove(&id);
    Ok(json!({}))
}

pub fn last_used(world: &mut World, input: &Json) -> Answer {
    let id = required(input, "AccessKeyId")?;
    let Some(key) = world.iam.keys.get(id) else {
        let message = format!("The Access Key with id {id} cannot be found");
        return Err(ApiError::new("AccessDenied", message).status(403));
    };
    // "N/A … when the user has never used the key" (API reference, AccessKeyLastUsed).
    let used = match &key.last_used {
        Some((at, service, region)) => {
            json!({ "LastUsedDate": World::timestamp(*at), "ServiceName": service, "Region": region })
        }
        None => json!({ "ServiceName": "N/A", "Region": "N/A" }),
    };
    Ok(json!({ "UserName": key.user, "AccessKeyLastUsed": used }))
}

/// A request was made with a key.
pub fn used(world: &mut World, service: &str) {
    let (now, region) = (world.now, world.region.clone());
    if let Some(key) = world.iam.keys.get_mut(&world.caller) {
        key.last_used = Some((now, service.to_owned(), region));
    }
}

/// Whose key it is, and whether it is active.
pub fn owner_of_key(world: &World, id: &str) -> Option<(String, bool)> {
    world.iam.keys.get(id).map(|key| (key.user.clone(), key.active))
}

pub(super) fn of_user<'a>(world: &'a World, user: &'a str) -> impl Iterator<Item = &'a AccessKey> {
    world.iam.keys.values().filter(move |key| key.user == user)
}

/// A user that is called otherwise keeps its keys.
pub(super) fn rename(world: &mut World, from: &str, to: &str) {
    for key in world.iam.keys.values_mut().filter(|key| key.user == from) {
        key.user = to.to_owned();
    }
}

impl AccessKey {
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    pub(super) fn created(&self) -> Millis {
        self.created
    }

    pub(super) fn used_at(&self) -> Option<&(Millis, String, String)> {
        self.last_used.as_ref()
    }
}
