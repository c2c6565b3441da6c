//! Who makes a request, by its access key, and which policies speak for that caller.

use super::policy::Policy;
use super::{Context, Policies, Principal};
use crate::World;
use crate::service::iam::{self, Holder};
use crate::service::sts;

pub struct Caller {
    pub arn: String,
    /// `AIDA…`, or `AROA…:session`.
    pub id: String,
    pub principal: Principal,
    pub policies: Policies,
    /// Keys of the request context that tell who asks.
    pub context: Context,
}

pub enum Identified {
    /// Credentials that this world did not hand out: the embedded ones, and whatever else a client was given.
    Administrator,
    Caller(Box<Caller>),
    /// A key as AWS makes them, which there is not, is inactive, or came without its session's token.
    Invalid,
    Expired,
}

pub fn identify(world: &World, key: &str, token: Option<&str>) -> Identified {
    if let Some(session) = sts::session(world, key) {
        if session.token.as_deref().is_some_and(|wanted| token != Some(wanted)) {
            return Identified::Invalid;
        }
        if session.expires <= world.now {
            return Identified::Expired;
        }
        return of_session(world, session);
    }
    match iam::owner_of_key(world, key) {
        Some((_, false)) => Identified::Invalid,
        Some((user, true)) => user_named(world, &user)
            .map_or(Identified::Invalid, |caller| Identified::Caller(Box::new(caller))),
        None if is_issued(key) => Identified::Invalid,
        None => Identified::Administrator,
    }
}

/// `AKIA` or `ASIA` and sixteen letters and digits (IAM User Guide, "Unique identifiers").
fn is_issued(key: &str) -> bool {
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    key.len() == 20 && (key.starts_with("AKIA") || key.starts_with("ASIA")) && key.chars().all(upper)
}

fn of_session(world: &World, session: &sts::Session) -> Identified {
    let caller = match &session.of {
        sts::Of::Administrator => return Identified::Administrator,
        sts::Of::Role(name) => of_role(world, name, session),
        sts::Of::User(name) => user_named(world, name),
    };
    let Some(mut caller) = caller else { return Identified::Invalid };
    caller.arn.clone_from(&session.arn);
    caller.id.clone_from(&session.user_id);
    if let (Principal::Account { arn, .. }, sts::Of::Role(_)) = (&mut caller.principal, &session.of) {
        arn.clone_from(&session.arn);
    }
    if let Some(policies) = &session.policies {
        caller.policies.session = Some(policies.iter().map(|text| Policy::parse(text)).collect());
    }
    caller.context.set("aws:userid", &session.user_id);
    caller.context.set("aws:MultiFactorAuthPresent", "false");
    caller.context.set("aws:TokenIssueTime", &super::time(session.issued));
    for (key, value) in &session.tags {
        caller.context.set(&format!("aws:PrincipalTag/{key}"), value);
    }
    if let Some(identity) = &session.source_identity {
        caller.context.set("aws:SourceIdentity", identity);
    }
    Identified::Caller(Box::new(caller))
}

fn user_named(world: &World, name: &str) -> Option<Caller> {
    let held = iam::held_by_user(world, name)?;
    let principal = Principal::Account { arn: held.arn.clone(), account: world.account.clone(), role: None };
    let mut caller = with_policies(world, &held, principal, "User");
    caller.context.set("aws:username", name);
    Some(caller)
}

/// A role of another account, which this world does not know, may do everything here: it is not ours to judge.
fn of_role(world: &World, name: &str, session: &sts::Session) -> Option<Caller> {
    let held = iam::held_by_role(world, name)?;
    let principal = Principal::Account {
        arn: session.arn.clone(),
        account: world.account.clone(),
        role: Some(held.arn.clone()),
    };
    Some(with_policies(world, &held, principal, "AssumedRole"))
}

fn with_policies(world: &World, held: &Holder, principal: Principal, kind: &str) -> Caller {
    let mut context = Context::default();
    context.set("aws:PrincipalArn", &held.arn);
    context.set("aws:PrincipalAccount", &world.account);
    context.set("aws:PrincipalType", kind);
    context.set("aws:userid", &held.id);
    for (key, value) in &held.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value);
    }
    let policies = Policies {
        identity: held.policies.iter().map(|text| Policy::parse(text)).collect(),
        boundary: held.boundary.as_deref().map(Policy::parse),
        ..Policies::default()
    };
    Caller { arn: held.arn.clone(), id: held.id.clone(), principal, policies, context }
}

/// A service with a role it was given: an instance's, a task's.
pub fn service_with_role(world: &World, role: &str, session: &str) -> Option<Caller> {
    let held = iam::held_by_role(world, role)?;
    let account = &world.account;
    let arn = format!("arn:{}:sts::{account}:assumed-role/{role}/{session}", world.partition());
    let principal =
        Principal::Account { arn: arn.clone(), account: account.clone(), role: Some(held.arn.clone()) };
    let mut caller = with_policies(world, &held, principal, "AssumedRole");
    caller.id = format!("{}:{session}", held.id);
    caller.arn = arn;
    Some(caller)
}
