//! Whether policies allow a request, and why not (IAM User Guide, "Policy evaluation logic"): pure.

use super::Context;
use super::policy::{Known, Policy, Statement};

/// Who asks, as the policies of resources name principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A user, or a session with its role's ARN.
    Account {
        arn: String,
        account: String,
        role: Option<String>,
    },
    Service(String),
    Federated(String),
}

/// All policies that speak of one request.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    pub identity: Vec<Policy>,
    pub boundary: Option<Policy>,
    /// Given when the session was made: the session may do only what these allow too.
    pub session: Option<Vec<Policy>>,
    pub resource: Option<Policy>,
    /// Roles and keys are used by those alone whom their own policy lets, if only by letting the account.
    pub resource_must_allow: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub principal: &'a Principal,
    pub action: &'a str,
    pub resource: &'a str,
    pub context: &'a Context,
}

/// Which kind of policy decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Identity,
    Boundary,
    Session,
    Resource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// No policy of this kind allows it.
    NotAllowed(Kind),
    ExplicitlyDenied(Kind),
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Identity => "identity-based policy",
            Kind::Boundary => "permissions boundary",
            Kind::Session => "session policy",
            Kind::Resource => "resource-based policy",
        }
    }
}

impl Asked<'_> {
    fn any(&self, policies: &[Policy], allows: bool) -> bool {
        policies
            .iter()
            .flat_map(|policy| &policy.statements)
            .any(|statement| statement.allows == allows && self.applies(statement))
    }

    fn applies(&self, statement: &Statement) -> bool {
        statement.applies(self.action, self.resource, self.context)
    }

    /// How the resource's own policy speaks of the principal in the statements that apply.
    fn known(&self, policy: &Policy, allows: bool) -> Option<Known> {
        let statements = policy.statements.iter().filter(|one| one.allows == allows && self.applies(one));
        statements.filter_map(|one| one.knows(self.principal)).max()
    }
}

/// Within one account: "an explicit deny in any of these policies overrides the allow"; a resource's policy may
/// allow what the identity's do not; boundary and session policies only take away.
pub fn evaluate(policies: &Policies, asked: &Asked) -> Decision {
    if let Some(kind) = denied(policies, asked) {
        return Decision::ExplicitlyDenied(kind);
    }
    let known = policies.resource.as_ref().and_then(|policy| asked.known(policy, true));
    if policies.resource_must_allow && known.is_none() {
        return Decision::NotAllowed(Kind::Resource);
    }
    // "Resource-based policies that grant permissions to an IAM user ARN [or a] role session ARN … are not
    // limited by an implicit deny in an identity-based policy, a permissions boundary, or a session policy."
    if known == Some(Known::Itself) {
        return Decision::Allowed;
    }
    if known != Some(Known::Role) && !asked.any(&policies.identity, true) {
        return Decision::NotAllowed(Kind::Identity);
    }
    if let Some(boundary) = &policies.boundary
        && !asked.any(std::slice::from_ref(boundary), true)
    {
        return Decision::NotAllowed(Kind::Boundary);
    }
    match &policies.session {
        Some(session) if !asked.any(session, true) => Decision::NotAllowed(Kind::Session),
        _ => Decision::Allowed,
    }
}

fn denied(policies: &Policies, asked: &Asked) -> Option<Kind> {
    let by_resource = policies.resource.as_ref().and_then(|policy| asked.known(policy, false));
    if by_resource.is_some() {
        return Some(Kind::Resource);
    }
    let boundary: Vec<Policy> = policies.boundary.iter().cloned().collect();
    let session = policies.session.as_deref().unwrap_or(&[]);
    [(Kind::Identity, policies.identity.as_slice()), (Kind::Boundary, &boundary), (Kind::Session, session)]
        .into_iter()
        .find(|(_, all)| asked.any(all, false))
        .map(|(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "arn:aws:iam::123456789012:user/ann";
    const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/deploy/ci";
    const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
    const SERVICE: &str = "arn:aws:ecs:us-east-1:123456789012:service/main/web";

    fn user() -> Principal {
        Principal::Account { arn: USER.into(), account: "123456789012".into(), role: None }
    }

    fn session() -> Principal {
        Principal::Account { arn: SESSION.into(), account: "123456789012".into(), role: Some(ROLE.into()) }
    }

    fn policy(statements: &str) -> Policy {
        Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#))
    }

    const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    const ECS: &str = r#"{"Effect":"Allow","Action":"ecs:*","Resource":"*"}"#;
    const NO_ECS: &str = r#"{"Effect":"Deny","Action":"ECS:Update*","Resource":"*"}"#;

    fn decide(policies: &Policies, principal: &Principal, action: &str) -> Decision {
        let context = Context::default();
        evaluate(policies, &Asked { principal, action, resource: SERVICE, context: &context })
    }

    fn identity(statements: &str) -> Policies {
        Policies { identity: vec![policy(statements)], ..Policies::default() }
    }

    #[test]
    fn what_nothing_allows_is_refused() {
        let nothing = Policies::default();
        assert_eq!(decide(&nothing, &user(), "ecs:UpdateService"), Decision::NotAllowed(Kind::Identity));
        assert_eq!(decide(&identity(ECS), &user(), "ecs:UpdateService"), Decision::Allowed);
        assert_eq!(decide(&identity(ECS), &user(), "ecr:PutImage"), Decision::NotAllowed(Kind::Identity));
    }

    #[test]
    fn an_explicit_deny_in_any_policy_wins() {
        let denies = |kind| Decision::ExplicitlyDenied(kind);
        let mut policies = identity(&format!("{ALL},{NO_ECS}"));
        assert_eq!(decide(&policies, &user(), "ecs:UpdateService"), denies(Kind::Identity));
        assert_eq!(decide(&policies, &user(), "ecs:CreateService"), Decision::Allowed);
        policies = Policies { boundary: Some(policy(&format!("{ALL},{NO_ECS}"))), ..identity(ALL) };
        assert_eq!(decide(&policies, &user(), "ecs:UpdateService"), denies(Kind::Boundary));
        policies = Policies { session: Some(vec![policy(&format!("{ALL},{NO_ECS}"))]), ..identity(ALL) };
        assert_eq!(decide(&policies, &session(), "ecs:UpdateService"), denies(Kind::Session));
        let resource = r#"{"Effect":"Deny","Action":"*","Resource":"*","Principal":"*"}"#;
        policies = Policies { resource: Some(policy(resource)), ..identity(ALL) };
        assert_eq!(decide(&policies, &user(), "ecs:UpdateService"), denies(Kind::Resource));
    }

    #[test]
    fn boundary_and_session_policies_only_take_away() {
        let bounded = Policies { boundary: Some(policy(ECS)), ..identity(ALL) };
        assert_eq!(decide(&bounded, &user(), "ecs:UpdateService"), Decision::Allowed);
        assert_eq!(decide(&bounded, &user(), "ecr:PutImage"), Decision::NotAllowed(Kind::Boundary));
        let only_bounded = Policies { boundary: Some(policy(ALL)), ..Policies::default() };
        assert_eq!(decide(&only_bounded, &user(), "ecs:Poll"), Decision::NotAllowed(Kind::Identity));
        let narrow = Policies { session: Some(vec![policy(ECS)]), ..identity(ALL) };
        assert_eq!(decide(&narrow, &session(), "ecs:Poll"), Decision::Allowed);
        assert_eq!(decide(&narrow, &session(), "ecr:PutImage"), Decision::NotAllowed(Kind::Session));
        let wide = Policies { session: Some(vec![policy(ALL)]), ..identity(ECS) };
        assert_eq!(decide(&wide, &session(), "ecr:PutImage"), Decision::NotAllowed(Kind::Identity));
    }

    fn grant(principal: &str) -> Policies {
        let statement = format!(
            r#"{{"Effect":"Allow","Action":"ecs:*","Resource":"*","Principal":{{"AWS":"{principal}"}}}}"#
        );
        Policies { resource: Some(policy(&statement)), ..Policies::default() }
    }

    #[test]
    fn a_resources_policy_allows_the_principals_it_names() {
        assert_eq!(decide(&grant(USER), &user(), "ecs:Poll"), Decision::Allowed);
        assert_eq!(decide(&grant(SESSION), &session(), "ecs:Poll"), Decision::Allowed);
        // The account stands for those whom the account's own policies allow.
        let account = grant("arn:aws:iam::123456789012:root");
        assert_eq!(decide(&account, &user(), "ecs:Poll"), Decision::NotAllowed(Kind::Identity));
        assert_eq!(decide(&grant("123456789012"), &user(), "ecs:Poll"), Decision::NotAllowed(Kind::Identity));
        assert_eq!(decide(&grant(USER), &session(), "ecs:Poll"), Decision::NotAllowed(Kind::Identity));
    }

    #[test]
    fn a_grant_to_a_role_is_limited_by_boundary_and_session_and_one_to_a_user_is_not() {
        let bounded = |policies: Policies| Policies { boundary: Some(policy("")), ..policies };
        assert_eq!(decide(&grant(ROLE), &session(), "ecs:Poll"), Decision::Allowed);
        let limited = decide(&bounded(grant(ROLE)), &session(), "ecs:Poll");
        assert_eq!(limited, Decision::NotAllowed(Kind::Boundary));
        let narrow = Policies { session: Some(vec![]), ..grant(ROLE) };
        assert_eq!(decide(&narrow, &session(), "ecs:Poll"), Decision::NotAllowed(Kind::Session));
        assert_eq!(decide(&bounded(grant(USER)), &user(), "ecs:Poll"), Decision::Allowed);
    }

    #[test]
    fn roles_are_assumed_by_those_their_trust_policy_lets() {
        let trust = |principal: &str| Policies { resource_must_allow: true, ..grant(principal) };
        assert_eq!(decide(&trust(USER), &user(), "ecs:Poll"), Decision::Allowed);
        let other = "arn:aws:iam::123456789012:user/bob";
        assert_eq!(decide(&trust(other), &user(), "ecs:Poll"), Decision::NotAllowed(Kind::Resource));
        let admin = |policies: Policies| Policies { identity: vec![policy(ALL)], ..policies };
        let refused = decide(&admin(trust(other)), &user(), "ecs:Poll");
        assert_eq!(refused, Decision::NotAllowed(Kind::Resource));
        let account = trust("arn:aws:iam::123456789012:root");
        assert_eq!(decide(&admin(account), &user(), "ecs:Poll"), Decision::Allowed);
        let service =
            r#"{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ecs.amazonaws.com"}}"#;
        let trusts = Policies { resource: Some(policy(service)), ..Policies::default() };
        let ecs = Principal::Service("ecs.amazonaws.com".into());
        assert_eq!(decide(&trusts, &ecs, "sts:AssumeRole"), Decision::Allowed);
        assert_ne!(decide(&trusts, &user(), "sts:AssumeRole"), Decision::Allowed);
    }

    #[test]
    fn not_action_not_resource_and_not_principal_are_all_others() {
        let not_iam = identity(r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#);
        assert_eq!(decide(&not_iam, &user(), "ecs:Poll"), Decision::Allowed);
        assert_ne!(decide(&not_iam, &user(), "iam:CreateRole"), Decision::Allowed);
        let not_here =
            identity(r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:ecs:*:*:service/main/*"}"#);
        assert_ne!(decide(&not_here, &user(), "ecs:UpdateService"), Decision::Allowed);
        let but_ann =
            format!(r#"{{"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{{"AWS":"{USER}"}}}}"#);
        let only_ann = Policies { resource: Some(policy(&but_ann)), ..identity(ALL) };
        assert_eq!(decide(&only_ann, &user(), "ecs:Poll"), Decision::Allowed);
        assert_eq!(decide(&only_ann, &session(), "ecs:Poll"), Decision::ExplicitlyDenied(Kind::Resource));
    }

    #[test]
    fn conditions_and_variables_see_the_request() {
        let own = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*",
            "Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}"#;
        let policies = identity(own);
        let mut context = Context::default();
        context.set("aws:username", "ann");
        context.set("aws:RequestedRegion", "us-east-1");
        let principal = user();
        let mut ask = |resource: &str, region: &str| {
            context.set("aws:RequestedRegion", region);
            let asked = Asked { principal: &principal, action: "s3:PutObject", resource, context: &context };
            evaluate(&policies, &asked) == Decision::Allowed
        };
        assert!(ask("arn:aws:s3:::home/ann/notes", "us-east-1"));
        assert!(!ask("arn:aws:s3:::home/bob/notes", "us-east-1"));
        assert!(!ask("arn:aws:s3:::home/ann/notes", "eu-west-1"));
        // Documents of the old version have no variables.
        let old =
            Policies { identity: vec![Policy::parse(&format!(r#"{{"Statement":{own}}}"#))], ..policies };
        let asked = Asked {
            principal: &principal,
            action: "s3:PutObject",
            resource: "arn:aws:s3:::home/ann/notes",
            context: &context,
        };
        assert_ne!(evaluate(&old, &asked), Decision::Allowed);
    }
}
