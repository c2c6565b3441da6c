//! The sts part of the embedded AWS: who calls, and temporary credentials.

use super::{Answer, ApiError, Input, Operations};
use crate::sim::World;
use crate::sim::world::SECOND;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By access key.
    sessions: BTreeMap<String, Session>,
}

/// What temporary credentials stand for.
#[derive(Debug, Serialize, Deserialize)]
struct Session {
    user_id: String,
    arn: String,
}

pub const OPERATIONS: Operations = &[
    ("AssumeRole", assume_role),
    ("GetAccessKeyInfo", get_access_key_info),
    ("GetCallerIdentity", get_caller_identity),
    ("GetSessionToken", get_session_token),
];

/// Every caller without a session is one and the same user: signatures are not checked.
const USER: (&str, &str) = ("AIDAEMBEDDEDAWSUSER00", "user/embedded");

fn get_caller_identity(world: &mut World, _: &Json) -> Answer {
    let (user_id, arn) = match world.sts.sessions.get(&world.caller) {
        Some(session) => (session.user_id.clone(), session.arn.clone()),
        None => (USER.0.to_owned(), world.arn("iam", USER.1)),
    };
    Ok(json!({"UserId": user_id, "Account": world.account, "Arn": arn}))
}

/// Trust policies are not evaluated: whoever asks may assume any role.
fn assume_role(world: &mut World, input: &Json) -> Answer {
    let role_arn = input.text("RoleArn").unwrap_or_default();
    let name = input.text("RoleSessionName").unwrap_or_default();
    let (account, role) = role_of(role_arn)
        .ok_or_else(|| ApiError::new("ValidationError", format!("{role_arn} is invalid")))?;
    let id = format!("AROA{}:{name}", world.hex(17).to_uppercase());
    let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/{name}");
    let credentials = credentials(world, input.int("DurationSeconds").unwrap_or(3600));
    let key = credentials["AccessKeyId"].as_str().unwrap_or_default().to_owned();
    world.sts.sessions.insert(key, Session { user_id: id.clone(), arn: arn.clone() });
    Ok(json!({
        "Credentials": credentials,
        "AssumedRoleUser": {"AssumedRoleId": id, "Arn": arn},
        "PackedPolicySize": 6,
    }))
}

/// Account and name of `arn:aws:iam::123456789012:role/path/name`.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", account, resource] => {
            Some((account, resource.strip_prefix("role/")?.rsplit('/').next()?))
        }
        _ => None,
    }
}

fn get_session_token(world: &mut World, input: &Json) -> Answer {
    let credentials = credentials(world, input.int("DurationSeconds").unwrap_or(43_200));
    Ok(json!({"Credentials": credentials}))
}

fn credentials(world: &mut World, seconds: i64) -> Json {
    let token = world.hex(64);
    json!({
        "AccessKeyId": format!("ASIA{}", world.hex(16).to_uppercase()),
        "SecretAccessKey": world.hex(40),
        "SessionToken": token,
        "Expiration": World::timestamp(world.now + seconds * SECOND),
    })
}

fn get_access_key_info(world: &mut World, _: &Json) -> Answer {
    Ok(json!({"Account": world.account}))
}
