//! The sts part of the embedded AWS: who calls, and temporary credentials.

use super::{Answer, ApiError, Input, Operations, iam, tree};
use crate::World;
use crate::authority::{self, Context, Principal};
use crate::world::{Millis, SECOND};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
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
pub struct Session {
    pub user_id: String,
    pub arn: String,
    pub expires: Millis,
    /// Whose policies speak for it.
    #[serde(default)]
    pub of: Of,
    #[serde(default)]
    pub token: Option<String>,
    #[serde(default)]
    pub issued: Millis,
    /// Session policies, if any were given: it may do only what these allow too.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
    #[serde(default)]
    pub tags: tree::Tags,
    #[serde(default)]
    pub source_identity: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Of {
    /// The embedded user, or a role that this account does not have.
    #[default]
    Administrator,
    Role(String),
    User(String),
}

pub const OPERATIONS: Operations = &[
    ("AssumeRole", assume_role),
    ("AssumeRoleWithWebIdentity", assume_role_with_web_identity),
    ("DecodeAuthorizationMessage", decode_authorization_message),
    ("GetAccessKeyInfo", get_access_key_info),
    ("GetCallerIdentity", get_caller_identity),
    ("GetFederationToken", get_federation_token),
    ("GetSessionToken", get_session_token),
];

/// Every caller without credentials of this world's is one and the same user: signatures are not checked.
const USER: (&str, &str) = ("AIDAEMBEDDEDAWSUSER00", "user/embedded");

const HOUR: i64 = 3_600;

pub fn session<'a>(world: &'a World, key: &str) -> Option<&'a Session> {
    world.sts.sessions.get(key)
}

/// The request in hand was made with a key or a session: IAM remembers when.
pub fn used(world: &mut World, service: &str) {
    match world.sts.sessions.get(&world.caller).map(|session| session.of.clone()) {
        Some(Of::Role(name)) => iam::role_used(world, &name),
        Some(_) => {}
        None => iam::key_used(world, service),
    }
}

/// Id and ARN of the caller, and whose policies speak for it.
fn caller(world: &World) -> (String, String, Of) {
    if let Some(session) = world.sts.sessions.get(&world.caller) {
        return (session.user_id.clone(), session.arn.clone(), session.of.clone());
    }
    let user = iam::owner_of_key(world, &world.caller).map(|(name, _)| name);
    match user.and_then(|name| Some((iam::held_by_user(world, &name)?, name))) {
        Some((held, name)) => (held.id, held.arn, Of::User(name)),
        None => (USER.0.to_owned(), world.arn("iam", USER.1), Of::Administrator),
    }
}

fn get_caller_identity(world: &mut World, _: &Json) -> Answer {
    if session(world, &world.caller).is_some_and(|session| session.expires <= world.now) {
        let message = "The security token included in the request is expired";
        return Err(ApiError::new("ExpiredToken", message).status(403));
    }
    let (user_id, arn, _) = caller(world);
    let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
    Ok(json!({"UserId": user_id, "Account": account, "Arn": arn}))
}

fn assume_role(world: &mut World, input: &Json) -> Answer {
    let (credentials, user) = assume(world, input)?;
    let mut answer = json!({"Credentials": credentials, "AssumedRoleUser": user, "PackedPolicySize": 6});
    if let Some(identity) = input.text("SourceIdentity") {
        answer["SourceIdentity"] = json!(identity);
    }
    Ok(answer)
}

/// What the token says of itself. Its signature is no identity provider's here, and not looked at.
fn claims(token: &str) -> Option<Json> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&BASE64.decode(payload.trim_end_matches('=')).ok()?).ok()
}

fn assume_role_with_web_identity(world: &mut World, input: &Json) -> Answer {
    let claims = claims(input.text("WebIdentityToken").unwrap_or_default());
    if world.iam.enforcement.is_on() {
        check_web_identity(world, input, claims.as_ref())?;
    }
    let (credentials, user) = assume(world, input)?;
    let claims = claims.unwrap_or_default();
    let provider = input.text("ProviderId").or(claims.text("iss")).unwrap_or("accounts.google.com");
    Ok(json!({
        "Credentials": credentials,
        "AssumedRoleUser": user,
        "SubjectFromWebIdentityToken": claims.text("sub").unwrap_or("embedded"),
        "Audience": audiences(&claims).first().copied().unwrap_or("embedded"),
        "Provider": provider,
        "PackedPolicySize": 6,
    }))
}

fn audiences(claims: &Json) -> Vec<&str> {
    claims.text("aud").map_or_else(|| claims.texts("aud"), |one| vec![one])
}

/// The role's trust policy must name the provider, under the conditions it sets on the token's claims.
fn check_web_identity(world: &World, input: &Json, claims: Option<&Json>) -> Result<(), ApiError> {
    let role_arn = input.text("RoleArn").unwrap_or_default();
    let refused = || {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        ApiError::new("AccessDenied", message).status(403)
    };
    let invalid = |message: &str| ApiError::new("InvalidIdentityToken", message);
    let claims = claims.ok_or_else(|| invalid("The ID Token provided is not a valid JWT."))?;
    let issuer = claims.text("iss").unwrap_or_default();
    let seconds = world.now / SECOND;
    if claims.int("exp").is_some_and(|at| at <= seconds) {
        let message = "Token expired: current date/time must be before the expiration date/time";
        return Err(ApiError::new("ExpiredTokenException", message));
    }
    let url = issuer.trim_start_matches("https://").trim_end_matches('/');
    let provider = match iam::provider_of(world, issuer) {
        Some((arn, clients)) => {
            let known =
                clients.is_empty() || audiences(claims).iter().any(|one| clients.iter().any(|c| c == one));
            if !known {
                return Err(invalid("Incorrect token audience"));
            }
            arn
        }
        // Providers that need no entity in IAM (User Guide, "Common scenarios for OIDC federation").
        None if ["accounts.google.com", "www.amazon.com", "graph.facebook.com"].contains(&url) => {
            url.to_owned()
        }
        None => {
            return Err(invalid(&format!("No OpenIDConnect provider found in your account for {issuer}")));
        }
    };
    let role = iam::role_by_arn(world, role_arn).ok_or_else(refused)?;
    let mut context = Context::default();
    for key in ["sub", "amr", "azp", "email"] {
        if let Some(value) = claims.text(key) {
            context.set(&format!("{url}:{key}"), value);
        }
    }
    context.set_all(&format!("{url}:aud"), audiences(claims).into_iter().map(str::to_owned).collect());
    let principal = Principal::Federated(provider);
    let action = "sts:AssumeRoleWithWebIdentity";
    if authority::may_assume(&role.trust, &principal, action, role_arn, &context) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// A role that this account does not have may be assumed too: a `provider` block that assumes the deploying role
/// must work before that role is made. Whether the caller may is asked before, once authority is enforced.
fn assume(world: &mut World, input: &Json) -> Result<(Json, Json), ApiError> {
    let role_arn = input.text("RoleArn").unwrap_or_default();
    let name = input.text("RoleSessionName").unwrap_or_default();
    let seconds = input.int("DurationSeconds").unwrap_or(HOUR);
    let (partition, account, role_name) = role_of(role_arn)
        .ok_or_else(|| ApiError::new("ValidationError", format!("{role_arn} is invalid")))?;
    let known = iam::role_by_arn(world, role_arn).map(|role| (role.id.clone(), role.max_session_seconds));
    if known.as_ref().is_some_and(|(_, max)| seconds > *max) {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(ApiError::new("ValidationError", message));
    }
    let of = if known.is_some() { Of::Role(role_name.to_owned()) } else { Of::Administrator };
    let role_id = known.map_or_else(|| format!("AROA{}", world.hex(17).to_uppercase()), |(id, _)| id);
    let user_id = format!("{role_id}:{name}");
    let arn = format!("arn:{partition}:sts::{account}:assumed-role/{role_name}/{name}");
    let user = json!({"AssumedRoleId": user_id, "Arn": arn});
    let session = Session {
        user_id,
        arn,
        expires: world.now + seconds * SECOND,
        of,
        token: None,
        issued: world.now,
        policies: session_policies(world, input),
        tags: tree::tags(input.list("Tags")),
        source_identity: input.text("SourceIdentity").map(str::to_owned),
    };
    Ok((credentials(world, session), user))
}

/// Given in the request, as a document or as ARNs of managed policies.
fn session_policies(world: &World, input: &Json) -> Option<Vec<String>> {
    let given = input.text("Policy").map(str::to_owned);
    let arns = input.list("PolicyArns").iter().filter_map(|one| one.text("arn"));
    let named = arns.map(|arn| iam::document_of(world, arn).unwrap_or_default());
    let all: Vec<String> = given.into_iter().chain(named).collect();
    (!all.is_empty()).then_some(all)
}

/// Partition, account and name of `arn:aws:iam::123456789012:role/path/name`.
fn role_of(arn: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "iam", "", account, resource] => {
            Some((partition, account, resource.strip_prefix("role/")?.rsplit('/').next()?))
        }
        _ => None,
    }
}

fn get_federation_token(world: &mut World, input: &Json) -> Answer {
    let name = input.text("Name").unwrap_or_default();
    let user_id = format!("{}:{name}", world.account);
    let arn = world.arn("sts", &format!("federated-user/{name}"));
    let seconds = input.int("DurationSeconds").unwrap_or(12 * HOUR);
    let user = json!({"FederatedUserId": user_id, "Arn": arn});
    let (.., of) = caller(world);
    let session = Session {
        user_id,
        arn,
        expires: world.now + seconds * SECOND,
        of,
        token: None,
        issued: world.now,
        // "If you do not pass this parameter, … the resulting federated user session has no permissions."
        policies: Some(session_policies(world, input).unwrap_or_default()),
        tags: tree::tags(input.list("Tags")),
        source_identity: None,
    };
    let credentials = credentials(world, session);
    Ok(json!({"Credentials": credentials, "FederatedUser": user, "PackedPolicySize": 6}))
}

fn get_session_token(world: &mut World, input: &Json) -> Answer {
    let seconds = input.int("DurationSeconds").unwrap_or(12 * HOUR);
    let (user_id, arn, of) = caller(world);
    let session = Session {
        user_id,
        arn,
        expires: world.now + seconds * SECOND,
        of,
        token: None,
        issued: world.now,
        policies: None,
        tags: tree::Tags::new(),
        source_identity: None,
    };
    Ok(json!({"Credentials": credentials(world, session)}))
}

/// Temporary credentials that stand for a session.
fn credentials(world: &mut World, mut session: Session) -> Json {
    let key = format!("ASIA{}", world.hex(16).to_uppercase());
    let secret = world.hex(40);
    // Tokens are opaque; AWS's begin with a header that reads so in base64.
    let token = format!("FQoGZXIvYXdzE{}", world.hex(343));
    session.token = Some(token.clone());
    let expires = session.expires;
    world.sts.sessions.insert(key.clone(), session);
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

fn decode_authorization_message(_: &mut World, input: &Json) -> Answer {
    let decoded = authority::decode_message(input.text("EncodedMessage").unwrap_or_default());
    let message = "The EncodedMessage is invalid.";
    let decoded = decoded.ok_or_else(|| ApiError::new("InvalidAuthorizationMessageException", message))?;
    Ok(json!({"DecodedMessage": decoded}))
}
