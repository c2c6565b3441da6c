//! The sts part of the embedded AWS: who calls, and temporary credentials.

use super::{Answer, ApiError, Input, Operations, iam};
use crate::World;
use crate::world::{Millis, SECOND};
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
    expires: Millis,
}

pub const OPERATIONS: Operations = &[
    ("AssumeRole", assume_role),
    ("AssumeRoleWithWebIdentity", assume_role_with_web_identity),
    ("GetAccessKeyInfo", get_access_key_info),
    ("GetCallerIdentity", get_caller_identity),
    ("GetFederationToken", get_federation_token),
    ("GetSessionToken", get_session_token),
];

/// Every caller without a session is one and the same user: signatures are not checked.
const USER: (&str, &str) = ("AIDAEMBEDDEDAWSUSER00", "user/embedded");

const HOUR: i64 = 3_600;

fn get_caller_identity(world: &mut World, _: &Json) -> Answer {
    let (user_id, arn) = match world.sts.sessions.get(&world.caller) {
        Some(session) if session.expires <= world.now => {
            let message = "The security token included in the request is expired";
            return Err(ApiError::new("ExpiredToken", message).status(403));
        }
        Some(session) => (session.user_id.clone(), session.arn.clone()),
        None => (USER.0.to_owned(), world.arn("iam", USER.1)),
    };
    Ok(json!({"UserId": user_id, "Account": world.account, "Arn": arn}))
}

fn assume_role(world: &mut World, input: &Json) -> Answer {
    let (credentials, user) = assume(world, input)?;
    Ok(json!({"Credentials": credentials, "AssumedRoleUser": user, "PackedPolicySize": 6}))
}

/// The token is not looked into: it is no identity provider's here.
fn assume_role_with_web_identity(world: &mut World, input: &Json) -> Answer {
    let (credentials, user) = assume(world, input)?;
    let provider = input.text("ProviderId").unwrap_or("accounts.google.com");
    Ok(json!({
        "Credentials": credentials,
        "AssumedRoleUser": user,
        "SubjectFromWebIdentityToken": "embedded",
        "Audience": "embedded",
        "Provider": provider,
        "PackedPolicySize": 6,
    }))
}

/// Trust policies are not evaluated, and a role this account does not have may be assumed too: a `provider`
/// block that assumes the deploying role must work before that role is made.
fn assume(world: &mut World, input: &Json) -> Result<(Json, Json), ApiError> {
    let role_arn = input.text("RoleArn").unwrap_or_default();
    let name = input.text("RoleSessionName").unwrap_or_default();
    let seconds = input.int("DurationSeconds").unwrap_or(HOUR);
    let (account, role_name) = role_of(role_arn)
        .ok_or_else(|| ApiError::new("ValidationError", format!("{role_arn} is invalid")))?;
    let known = iam::role_by_arn(world, role_arn).map(|role| (role.id.clone(), role.max_session_seconds));
    if known.as_ref().is_some_and(|(_, max)| seconds > *max) {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(ApiError::new("ValidationError", message));
    }
    let role_id = known.map_or_else(|| format!("AROA{}", world.hex(17).to_uppercase()), |(id, _)| id);
    let id = format!("{role_id}:{name}");
    let arn = format!("arn:{}:sts::{account}:assumed-role/{role_name}/{name}", world.partition());
    let credentials = credentials(world, seconds, Some((&id, &arn)));
    Ok((credentials, json!({"AssumedRoleId": id, "Arn": arn})))
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

fn get_federation_token(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    let id = format!("{}:{name}", world.account);
    let arn = world.arn("sts", &format!("federated-user/{name}"));
    let seconds = input.int("DurationSeconds").unwrap_or(12 * HOUR);
    let credentials = credentials(world, seconds, Some((&id, &arn)));
    let user = json!({"FederatedUserId": id, "Arn": arn});
    Ok(json!({"Credentials": credentials, "FederatedUser": user, "PackedPolicySize": 6}))
}

fn get_session_token(world: &mut World, input: &Json) -> Answer {
    let seconds = input.int("DurationSeconds").unwrap_or(12 * HOUR);
    Ok(json!({"Credentials": credentials(world, seconds, None)}))
}

/// Temporary credentials of `who` (id and ARN), or of the caller itself.
fn credentials(world: &mut World, seconds: i64, who: Option<(&str, &str)>) -> Json {
    let key = format!("ASIA{}", world.hex(16).to_uppercase());
    let secret = world.hex(40);
    // Tokens are opaque; AWS's begin with a header that reads so in base64.
    let token = format!("FQoGZXIvYXdzE{}", world.hex(343));
    let expires = world.now + seconds * SECOND;
    if let Some((user_id, arn)) = who {
        let session = Session { user_id: user_id.to_owned(), arn: arn.to_owned(), expires };
        world.sts.sessions.insert(key.clone(), session);
    }
    json!({
        "AccessKeyId": key,
        "SecretAccessKey": secret,
        "SessionToken": token,
        "Expiration": World::timestamp(expires),
    })
}

fn get_access_key_info(world: &mut World, _: &Json) -> Answer {
    Ok(json!({"Account": world.account}))
}
