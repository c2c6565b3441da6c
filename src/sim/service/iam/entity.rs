//! Policies on users, groups and roles: the same operations for each, inline and attached.

use super::document::{self, Kind as Document, encoded};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Group,
    Role,
}

impl Kind {
    fn member(self) -> &'static str {
        match self {
            Kind::User => "UserName",
            Kind::Group => "GroupName",
            Kind::Role => "RoleName",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Role => "role",
        }
    }

    /// Characters of all inline policies together (IAM and STS quotas, "IAM and STS character limits").
    fn inline_quota(self) -> usize {
        match self {
            Kind::User => 2_048,
            Kind::Group => 5_120,
            Kind::Role => 10_240,
        }
    }
}

/// Managed policies on one entity (IAM and STS quotas).
const MAX_ATTACHED: usize = 10;

type Held<'a> = (&'a BTreeMap<String, String>, &'a BTreeSet<String>);
type HeldMut<'a> = (&'a mut BTreeMap<String, String>, &'a mut BTreeSet<String>);

fn held<'a>(world: &'a World, kind: Kind, name: &str) -> Result<Held<'a>, ApiError> {
    Ok(match kind {
        Kind::User => users::find(world, name).map(|user| (&user.inline, &user.attached))?,
        Kind::Group => groups::find(world, name).map(|group| (&group.inline, &group.attached))?,
        Kind::Role => roles::find(world, name).map(|role| (&role.inline, &role.attached))?,
    })
}

fn held_mut<'a>(world: &'a mut World, kind: Kind, name: &str) -> Result<HeldMut<'a>, ApiError> {
    Ok(match kind {
        Kind::User => users::find_mut(world, name).map(|user| (&mut user.inline, &mut user.attached))?,
        Kind::Group => groups::find_mut(world, name).map(|group| (&mut group.inline, &mut group.attached))?,
        Kind::Role => roles::modifiable(world, name).map(|role| (&mut role.inline, &mut role.attached))?,
    })
}

fn attach(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let name = required(input, kind.member())?;
    held_mut(world, kind, name)?;
    policies::must_exist(world, arn)?;
    let (_, attached) = held_mut(world, kind, name)?;
    if !attached.contains(arn) && attached.len() >= MAX_ATTACHED {
        let per = kind.member().trim_end_matches("Name");
        return Err(limit_exceeded(format!("Cannot exceed quota for PoliciesPer{per}: {MAX_ATTACHED}")));
    }
    attached.insert(arn.to_owned());
    Ok(json!({}))
}

fn detach(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let arn = required(input, "PolicyArn")?;
    let (_, attached) = held_mut(world, kind, required(input, kind.member())?)?;
    if attached.remove(arn) { Ok(json!({})) } else { Err(policies::not_found(arn)) }
}

fn list_attached(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let (_, attached) = held(world, kind, required(input, kind.member())?)?;
    let prefix = input.text("PathPrefix").unwrap_or("/");
    let attached = attached.iter().filter(|arn| {
        arn.split_once(":policy").is_some_and(|(_, path_and_name)| path_and_name.starts_with(prefix))
    });
    Ok(listed(input, "AttachedPolicies", attached.map(|arn| attached_json(arn)).collect()))
}

pub fn attached_json(arn: &str) -> Json {
    json!({ "PolicyName": arn.rsplit('/').next().unwrap_or_default(), "PolicyArn": arn })
}

fn put_inline(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let name = required(input, kind.member())?;
    let policy = required(input, "PolicyName")?;
    let document = required(input, "PolicyDocument")?;
    held_mut(world, kind, name)?;
    document::check(world, document, Document::Identity)?;
    let (inline, _) = held_mut(world, kind, name)?;
    let others = inline.iter().filter(|(other, _)| *other != policy);
    let total: usize = others.map(|(_, text)| document::size(text)).sum();
    let quota = kind.inline_quota();
    if total + document::size(document) > quota {
        let word = kind.word();
        return Err(limit_exceeded(format!(
            "Maximum policy size of {quota} bytes exceeded for {word} {name}"
        )));
    }
    inline.insert(policy.to_owned(), document.to_owned());
    Ok(json!({}))
}

fn no_inline(kind: Kind, policy: &str) -> ApiError {
    no_such_entity(format!("The {} policy with name {policy} cannot be found.", kind.word()))
}

fn get_inline(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let name = required(input, kind.member())?;
    let policy = required(input, "PolicyName")?;
    let (inline, _) = held(world, kind, name)?;
    let document = inline.get(policy).ok_or_else(|| no_inline(kind, policy))?;
    Ok(json!({ kind.member(): name, "PolicyName": policy, "PolicyDocument": encoded(document) }))
}

fn list_inline(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let (inline, _) = held(world, kind, required(input, kind.member())?)?;
    Ok(listed(input, "PolicyNames", inline.keys().map(|name| json!(name)).collect()))
}

fn delete_inline(world: &mut World, input: &Json, kind: Kind) -> Answer {
    let policy = required(input, "PolicyName")?;
    let (inline, _) = held_mut(world, kind, required(input, kind.member())?)?;
    inline.remove(policy).map(|_| json!({})).ok_or_else(|| no_inline(kind, policy))
}

/// A handler for each kind of entity.
macro_rules! handlers {
    ($($act:ident: $user:ident $group:ident $role:ident;)*) => {
        $(
            pub fn $user(world: &mut World, input: &Json) -> Answer {
                $act(world, input, Kind::User)
            }
            pub fn $group(world: &mut World, input: &Json) -> Answer {
                $act(world, input, Kind::Group)
            }
            pub fn $role(world: &mut World, input: &Json) -> Answer {
                $act(world, input, Kind::Role)
            }
        )*
    };
}

handlers! {
    attach: attach_to_user attach_to_group attach_to_role;
    detach: detach_from_user detach_from_group detach_from_role;
    list_attached: attached_to_user attached_to_group attached_to_role;
    put_inline: put_user_policy put_group_policy put_role_policy;
    get_inline: user_policy group_policy role_policy;
    list_inline: user_policies group_policies role_policies;
    delete_inline: delete_user_policy delete_group_policy delete_role_policy;
}

/// What must go before an entity can.
pub fn must_be_bare(held: Held) -> Result<(), ApiError> {
    let (inline, attached) = held;
    if !attached.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !inline.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}

/// Inline policies as GetAccountAuthorizationDetails lists them.
pub fn inline_json(inline: &BTreeMap<String, String>) -> Json {
    inline.iter().map(|(name, text)| json!({ "PolicyName": name, "PolicyDocument": encoded(text) })).collect()
}
