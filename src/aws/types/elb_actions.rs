//! Actions of listeners and listener rules: their blocks, to and from AWS, and when two lists of them
//! do the same.

use crate::aws::arn;
use crate::aws::types::ecs::small;
use crate::schema::{Attr, Blocks, Object, attributes};
use crate::value::Value;
use aws_sdk_elasticloadbalancingv2::types as sdk;
use aws_sdk_elasticloadbalancingv2::types::Action;

const ON_UNAUTHENTICATED: &[&str] = &["deny", "allow", "authenticate"];

pub mod cognito {
    use super::*;
    attributes! {
        TABLE:
        EXTRA_PARAMS: StrMap = optional("authentication_request_extra_params");
        ON_UNAUTHENTICATED_REQUEST: Str = optional_computed("on_unauthenticated_request")
            .one_of(ON_UNAUTHENTICATED);
        SCOPE: Str = optional_computed("scope");
        SESSION_COOKIE_NAME: Str = optional_computed("session_cookie_name");
        SESSION_TIMEOUT: Int = optional_computed("session_timeout");
        USER_POOL_ARN: Str = required("user_pool_arn").check(arn::check);
        USER_POOL_CLIENT_ID: Str = required("user_pool_client_id");
        USER_POOL_DOMAIN: Str = required("user_pool_domain");
    }
}

pub mod oidc {
    use super::*;
    attributes! {
        TABLE:
        EXTRA_PARAMS: StrMap = optional("authentication_request_extra_params");
        AUTHORIZATION_ENDPOINT: Str = required("authorization_endpoint");
        CLIENT_ID: Str = required("client_id");
        CLIENT_SECRET: Str = required("client_secret").sensitive().local();
        ISSUER: Str = required("issuer");
        ON_UNAUTHENTICATED_REQUEST: Str = optional_computed("on_unauthenticated_request")
            .one_of(ON_UNAUTHENTICATED);
        SCOPE: Str = optional_computed("scope");
        SESSION_COOKIE_NAME: Str = optional_computed("session_cookie_name");
        SESSION_TIMEOUT: Int = optional_computed("session_timeout");
        TOKEN_ENDPOINT: Str = required("token_endpoint");
        USER_INFO_ENDPOINT: Str = required("user_info_endpoint");
    }
}

pub mod fixed {
    use super::*;
    attributes! {
        TABLE:
        CONTENT_TYPE: Str = required("content_type")
            .one_of(&["text/plain", "text/css", "text/html", "application/javascript", "application/json"]);
        MESSAGE_BODY: Str = optional("message_body").check(|v| at_most(v, 1024));
        STATUS_CODE: Str = optional_computed("status_code").check(status_code);
    }

    fn status_code(value: &Value) -> Result<(), String> {
        let code = value.as_str().unwrap_or("");
        let three = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
        if three && matches!(code.as_bytes()[0], b'2' | b'4' | b'5') {
            Ok(())
        } else {
            Err("must be a 2xx, 4xx or 5xx status code".to_owned())
        }
    }
}

pub mod forward {
    use super::*;
    attributes! {
        GROUP_TABLE:
        ARN: Str = required("arn").check(arn::check);
        WEIGHT: Int = optional("weight").default_int(1).range(0, 999);
    }
    attributes! {
        STICKINESS_TABLE:
        DURATION: Int = required("duration").range(1, 604_800);
        ENABLED: Bool = optional("enabled").default_bool(false);
    }
    attributes! {
        TABLE:
        TARGET_GROUP: Blocks = required("target_group").set(&GROUP_TABLE).min_items(1).max_items(5);
        STICKINESS: Blocks = optional("stickiness").single(&STICKINESS_TABLE);
    }
}

pub mod redirect {
    use super::*;
    attributes! {
        TABLE:
        HOST: Str = optional("host").default_str("#{host}").check(|v| at_most(v, 128));
        PATH: Str = optional("path").default_str("/#{path}").check(|v| at_most(v, 128));
        PORT: Str = optional("port").default_str("#{port}");
        PROTOCOL: Str = optional("protocol").default_str("#{protocol}")
            .one_of(&["#{protocol}", "HTTP", "HTTPS"]);
        QUERY: Str = optional("query").default_str("#{query}").check(|v| at_most(v, 128));
        STATUS_CODE: Str = required("status_code").one_of(&["HTTP_301", "HTTP_302"]);
    }
}

attributes! {
    TABLE:
    TYPE: Str = required("type")
        .one_of(&["forward", "authenticate-oidc", "authenticate-cognito", "redirect", "fixed-response"]);
    ORDER: Int = optional_computed("order").range(1, 50_000);
    TARGET_GROUP_ARN: Str = optional("target_group_arn").check(arn::check);
    AUTHENTICATE_COGNITO: Blocks = optional("authenticate_cognito").single(&cognito::TABLE);
    AUTHENTICATE_OIDC: Blocks = optional("authenticate_oidc").single(&oidc::TABLE);
    FIXED_RESPONSE: Blocks = optional("fixed_response").single(&fixed::TABLE);
    FORWARD: Blocks = optional("forward").single(&forward::TABLE);
    REDIRECT: Blocks = optional("redirect").single(&redirect::TABLE);
}

fn at_most(value: &Value, limit: usize) -> Result<(), String> {
    let length = value.as_str().map_or(0, |s| s.chars().count());
    if length <= limit { Ok(()) } else { Err(format!("must be at most {limit} characters, has {length}")) }
}

/// Rules across the attributes of one action, on values that may be unknown.
pub fn validate(attribute: &'static str, actions: &[Object]) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    for action in actions {
        let Some(kind) = action.get(&TYPE) else { continue };
        let needed = match kind.as_str() {
            "redirect" => "redirect",
            "fixed-response" => "fixed_response",
            "authenticate-oidc" => "authenticate_oidc",
            "authenticate-cognito" => "authenticate_cognito",
            _ => {
                problems.extend(validate_forward(action).map(|text| (attribute, text)));
                continue;
            }
        };
        if !action.has(needed) {
            problems.push((attribute, format!("of type \"{kind}\" needs a `{needed}` block")));
        }
    }
    problems
}

fn validate_forward(action: &Object) -> Option<String> {
    let block = action.block(&FORWARD);
    let Some(block) = block else {
        let none = !action.has("target_group_arn") && !action.has("forward");
        return none.then(|| "of type \"forward\" needs target_group_arn or a `forward` block".to_owned());
    };
    let one = action.get(&TARGET_GROUP_ARN)?;
    let groups: Option<Vec<String>> =
        block.all(&forward::TARGET_GROUP).iter().map(|g| g.get(&forward::ARN)).collect();
    let other = groups.is_some_and(|groups| groups != [one]);
    other.then(|| "has both target_group_arn and a `forward` block with other groups: keep one".to_owned())
}

/// Blocks to what AWS takes; the order is the position unless declared.
pub fn actions(blocks: &[Object]) -> Vec<Action> {
    let many = blocks.len() > 1;
    blocks.iter().enumerate().map(|(i, b)| action(b, many.then_some(i as i32 + 1))).collect()
}

fn action(b: &Object, position: Option<i32>) -> Action {
    let kind = b.get(&TYPE).unwrap_or_default();
    let builder = Action::builder().r#type(kind.as_str().into()).set_order(small(b.get(&ORDER)).or(position));
    match kind.as_str() {
        "forward" => match b.block(&FORWARD) {
            Some(f) => builder.forward_config(forward_config(&f)),
            None => builder.set_target_group_arn(b.get(&TARGET_GROUP_ARN)),
        },
        "redirect" => builder.set_redirect_config(b.block(&REDIRECT).map(|r| redirect_config(&r))),
        "fixed-response" => builder.set_fixed_response_config(b.block(&FIXED_RESPONSE).map(|f| {
            sdk::FixedResponseActionConfig::builder()
                .set_content_type(f.get(&fixed::CONTENT_TYPE))
                .set_message_body(f.get(&fixed::MESSAGE_BODY))
                .set_status_code(f.get(&fixed::STATUS_CODE).or(Some("200".to_owned())))
                .build()
        })),
        "authenticate-oidc" => {
            builder.set_authenticate_oidc_config(b.block(&AUTHENTICATE_OIDC).map(|o| oidc_config(&o)))
        }
        "authenticate-cognito" => builder
            .set_authenticate_cognito_config(b.block(&AUTHENTICATE_COGNITO).map(|c| cognito_config(&c))),
        _ => builder,
    }
    .build()
}

fn forward_config(f: &Object) -> sdk::ForwardActionConfig {
    let group = |g: Object| {
        sdk::TargetGroupTuple::builder()
            .set_target_group_arn(g.get(&forward::ARN))
            .set_weight(small(g.get(&forward::WEIGHT)))
            .build()
    };
    let stickiness = f.block(&forward::STICKINESS).map(|s| {
        sdk::TargetGroupStickinessConfig::builder()
            .set_enabled(s.get(&forward::ENABLED))
            .set_duration_seconds(small(s.get(&forward::DURATION)))
            .build()
    });
    sdk::ForwardActionConfig::builder()
        .set_target_groups(Some(f.all(&forward::TARGET_GROUP).into_iter().map(group).collect()))
        .set_target_group_stickiness_config(stickiness)
        .build()
}

fn redirect_config(r: &Object) -> sdk::RedirectActionConfig {
    sdk::RedirectActionConfig::builder()
        .set_host(r.get(&redirect::HOST))
        .set_path(r.get(&redirect::PATH))
        .set_port(r.get(&redirect::PORT))
        .set_protocol(r.get(&redirect::PROTOCOL))
        .set_query(r.get(&redirect::QUERY))
        .set_status_code(r.get(&redirect::STATUS_CODE).map(|s| s.as_str().into()))
        .build()
}

fn oidc_config(o: &Object) -> sdk::AuthenticateOidcActionConfig {
    sdk::AuthenticateOidcActionConfig::builder()
        .set_issuer(o.get(&oidc::ISSUER))
        .set_authorization_endpoint(o.get(&oidc::AUTHORIZATION_ENDPOINT))
        .set_token_endpoint(o.get(&oidc::TOKEN_ENDPOINT))
        .set_user_info_endpoint(o.get(&oidc::USER_INFO_ENDPOINT))
        .set_client_id(o.get(&oidc::CLIENT_ID))
        .set_client_secret(o.get(&oidc::CLIENT_SECRET))
        .set_session_cookie_name(o.get(&oidc::SESSION_COOKIE_NAME))
        .set_scope(o.get(&oidc::SCOPE))
        .set_session_timeout(o.get(&oidc::SESSION_TIMEOUT))
        .set_authentication_request_extra_params(o.get(&oidc::EXTRA_PARAMS).map(|m| m.into_iter().collect()))
        .set_on_unauthenticated_request(o.get(&oidc::ON_UNAUTHENTICATED_REQUEST).map(|s| s.as_str().into()))
        .build()
}

fn cognito_config(c: &Object) -> sdk::AuthenticateCognitoActionConfig {
    sdk::AuthenticateCognitoActionConfig::builder()
        .set_user_pool_arn(c.get(&cognito::USER_POOL_ARN))
        .set_user_pool_client_id(c.get(&cognito::USER_POOL_CLIENT_ID))
        .set_user_pool_domain(c.get(&cognito::USER_POOL_DOMAIN))
        .set_session_cookie_name(c.get(&cognito::SESSION_COOKIE_NAME))
        .set_scope(c.get(&cognito::SCOPE))
        .set_session_timeout(c.get(&cognito::SESSION_TIMEOUT))
        .set_authentication_request_extra_params(
            c.get(&cognito::EXTRA_PARAMS).map(|m| m.into_iter().collect()),
        )
        .set_on_unauthenticated_request(
            c.get(&cognito::ON_UNAUTHENTICATED_REQUEST).map(|s| s.as_str().into()),
        )
        .build()
}

/// What AWS answered, as blocks. One group without stickiness is answered as `target_group_arn`, more as
/// a `forward` block; [`same`] knows that the two forms mean the same.
pub fn blocks(actions: &[Action]) -> Vec<Object> {
    let mut actions: Vec<&Action> = actions.iter().collect();
    actions.sort_by_key(|a| a.order().unwrap_or(0));
    actions.into_iter().map(block).collect()
}

fn block(a: &Action) -> Object {
    let mut o = Object::new();
    o.set(&TYPE, a.r#type().map(|t| t.as_str())).set(&ORDER, a.order());
    let one = |attr: &Attr<Blocks>, o: &mut Object, b: Object| {
        o.set_blocks(attr, vec![b]);
    };
    match a.forward_config().filter(|f| f.target_groups().len() > 1 || sticky(f)) {
        Some(f) => one(&FORWARD, &mut o, forward_block(f)),
        None => {
            let only = a.forward_config().and_then(|f| f.target_groups().first());
            o.set(&TARGET_GROUP_ARN, a.target_group_arn().or(only.and_then(|g| g.target_group_arn())));
        }
    }
    if let Some(r) = a.redirect_config() {
        let mut b = Object::new();
        b.set(&redirect::HOST, r.host())
            .set(&redirect::PATH, r.path())
            .set(&redirect::PORT, r.port())
            .set(&redirect::PROTOCOL, r.protocol())
            .set(&redirect::QUERY, r.query())
            .set(&redirect::STATUS_CODE, r.status_code().map(|s| s.as_str()));
        one(&REDIRECT, &mut o, b);
    }
    if let Some(f) = a.fixed_response_config() {
        let mut b = Object::new();
        b.set(&fixed::CONTENT_TYPE, f.content_type())
            .set(&fixed::MESSAGE_BODY, f.message_body())
            .set(&fixed::STATUS_CODE, f.status_code());
        one(&FIXED_RESPONSE, &mut o, b);
    }
    if let Some(c) = a.authenticate_oidc_config() {
        let mut b = Object::new();
        b.set(&oidc::ISSUER, c.issuer())
            .set(&oidc::AUTHORIZATION_ENDPOINT, c.authorization_endpoint())
            .set(&oidc::TOKEN_ENDPOINT, c.token_endpoint())
            .set(&oidc::USER_INFO_ENDPOINT, c.user_info_endpoint())
            .set(&oidc::CLIENT_ID, c.client_id())
            .set(&oidc::SESSION_COOKIE_NAME, c.session_cookie_name())
            .set(&oidc::SCOPE, c.scope())
            .set(&oidc::SESSION_TIMEOUT, c.session_timeout())
            .set(&oidc::ON_UNAUTHENTICATED_REQUEST, c.on_unauthenticated_request().map(|s| s.as_str()));
        if let Some(params) = c.authentication_request_extra_params().filter(|p| !p.is_empty()) {
            b.set(
                &oidc::EXTRA_PARAMS,
                params.clone().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            );
        }
        one(&AUTHENTICATE_OIDC, &mut o, b);
    }
    if let Some(c) = a.authenticate_cognito_config() {
        let mut b = Object::new();
        b.set(&cognito::USER_POOL_ARN, c.user_pool_arn())
            .set(&cognito::USER_POOL_CLIENT_ID, c.user_pool_client_id())
            .set(&cognito::USER_POOL_DOMAIN, c.user_pool_domain())
            .set(&cognito::SESSION_COOKIE_NAME, c.session_cookie_name())
            .set(&cognito::SCOPE, c.scope())
            .set(&cognito::SESSION_TIMEOUT, c.session_timeout())
            .set(&cognito::ON_UNAUTHENTICATED_REQUEST, c.on_unauthenticated_request().map(|s| s.as_str()));
        if let Some(params) = c.authentication_request_extra_params().filter(|p| !p.is_empty()) {
            let params = params.clone().into_iter().collect::<std::collections::BTreeMap<_, _>>();
            b.set(&cognito::EXTRA_PARAMS, params);
        }
        one(&AUTHENTICATE_COGNITO, &mut o, b);
    }
    o
}

fn sticky(f: &sdk::ForwardActionConfig) -> bool {
    f.target_group_stickiness_config().is_some_and(|s| s.enabled() == Some(true))
}

fn forward_block(f: &sdk::ForwardActionConfig) -> Object {
    let group = |g: &sdk::TargetGroupTuple| {
        let mut o = Object::new();
        o.set(&forward::ARN, g.target_group_arn()).set(&forward::WEIGHT, g.weight().unwrap_or(1));
        o
    };
    let mut o = Object::new();
    o.set_blocks(&forward::TARGET_GROUP, f.target_groups().iter().map(group).collect());
    if let Some(s) = f.target_group_stickiness_config().filter(|_| sticky(f)) {
        let mut b = Object::new();
        b.set(&forward::ENABLED, s.enabled()).set(&forward::DURATION, s.duration_seconds());
        o.set_blocks(&forward::STICKINESS, vec![b]);
    }
    o
}

fn objects(value: &Value) -> Vec<Object> {
    let items = value.as_slice().unwrap_or_default().iter();
    items.filter_map(Object::of).collect()
}

/// Whether declared actions are what is live: order of blocks by `order`, one group written either way,
/// what AWS fills in when it is not declared. Client secrets are never answered, so they do not count.
pub fn same(live: &Value, want: &Value) -> bool {
    if !want.is_wholly_known() {
        return false;
    }
    let ordered = |mut actions: Vec<Action>| {
        actions.sort_by_key(|a| a.order().unwrap_or(0));
        actions
    };
    let (live, want) = (ordered(actions(&objects(live))), ordered(actions(&objects(want))));
    live.len() == want.len() && live.iter().zip(&want).all(|(l, w)| same_action(l, w))
}

fn same_action(live: &Action, want: &Action) -> bool {
    let declared = |l: Option<&str>, w: Option<&str>| w.is_none() || l == w;
    let filled = |l: Option<&str>, w: Option<&str>| l.unwrap_or("") == w.unwrap_or("");
    if live.r#type() != want.r#type() || groups(live) != groups(want) || stickiness(live) != stickiness(want)
    {
        return false;
    }
    if live.redirect_config() != want.redirect_config() {
        return false;
    }
    match (live.fixed_response_config(), want.fixed_response_config()) {
        (Some(l), Some(w)) => {
            if l.content_type() != w.content_type()
                || !filled(l.message_body(), w.message_body())
                || !declared(l.status_code(), w.status_code())
            {
                return false;
            }
        }
        (None, None) => {}
        _ => return false,
    }
    match (live.authenticate_oidc_config(), want.authenticate_oidc_config()) {
        (Some(l), Some(w)) => {
            if (
                l.issuer(),
                l.client_id(),
                l.authorization_endpoint(),
                l.token_endpoint(),
                l.user_info_endpoint(),
            ) != (
                w.issuer(),
                w.client_id(),
                w.authorization_endpoint(),
                w.token_endpoint(),
                w.user_info_endpoint(),
            ) || !declared(l.scope(), w.scope())
                || !declared(l.session_cookie_name(), w.session_cookie_name())
                || (w.session_timeout().is_some() && l.session_timeout() != w.session_timeout())
                || (w.on_unauthenticated_request().is_some()
                    && l.on_unauthenticated_request() != w.on_unauthenticated_request())
                || l.authentication_request_extra_params() != w.authentication_request_extra_params()
            {
                return false;
            }
        }
        (None, None) => {}
        _ => return false,
    }
    match (live.authenticate_cognito_config(), want.authenticate_cognito_config()) {
        (Some(l), Some(w)) => {
            (l.user_pool_arn(), l.user_pool_client_id(), l.user_pool_domain())
                == (w.user_pool_arn(), w.user_pool_client_id(), w.user_pool_domain())
                && declared(l.scope(), w.scope())
                && declared(l.session_cookie_name(), w.session_cookie_name())
                && (w.session_timeout().is_none() || l.session_timeout() == w.session_timeout())
                && (w.on_unauthenticated_request().is_none()
                    || l.on_unauthenticated_request() == w.on_unauthenticated_request())
                && l.authentication_request_extra_params() == w.authentication_request_extra_params()
        }
        (None, None) => true,
        _ => false,
    }
}

/// Target groups with weights, sorted; the weight of a single one means nothing.
fn groups(a: &Action) -> Vec<(String, i32)> {
    let of = |g: &sdk::TargetGroupTuple| {
        (g.target_group_arn().unwrap_or_default().to_owned(), g.weight().unwrap_or(1))
    };
    let mut groups: Vec<(String, i32)> = match a.forward_config() {
        Some(f) => f.target_groups().iter().map(of).collect(),
        None => a.target_group_arn().map(|arn| (arn.to_owned(), 1)).into_iter().collect(),
    };
    groups.sort();
    if let [only] = groups.as_mut_slice() {
        only.1 = 1;
    }
    groups
}

fn stickiness(a: &Action) -> Option<i32> {
    let config = a.forward_config()?.target_group_stickiness_config()?;
    config.duration_seconds().filter(|_| config.enabled() == Some(true))
}

/// Whether two lists of actions differ at most in the weights of the same target groups.
pub fn same_but_weights(live: &Value, want: &Value) -> bool {
    let level = |value: &Value| {
        let mut actions = actions(&objects(value));
        for action in &mut actions {
            if let Some(groups) = action.forward_config.as_mut().and_then(|f| f.target_groups.as_mut()) {
                groups.iter_mut().for_each(|g| g.weight = Some(1));
            }
        }
        actions
    };
    let (live_actions, want_actions) = (level(live), level(want));
    want.is_wholly_known()
        && live_actions.len() == want_actions.len()
        && live_actions.iter().zip(&want_actions).all(|(l, w)| same_action(l, w))
}

/// Whether two lists of actions differ at most in which of these target groups, by name, get what is forwarded to
/// them.
pub fn same_but_groups(live: &Value, want: &Value, names: &[String]) -> bool {
    let level = |value: &Value| {
        let mut actions = actions(&objects(value));
        for action in &mut actions {
            let groups = groups(action);
            let inside = |(arn, _): &(String, i32)| {
                arn.rsplit('/').nth(1).is_some_and(|n| names.iter().any(|g| g == n))
            };
            if !groups.is_empty() && groups.iter().all(inside) {
                action.target_group_arn = Some("(moved)".to_owned());
                action.forward_config = None;
            }
        }
        actions
    };
    let (live_actions, want_actions) = (level(live), level(want));
    want.is_wholly_known()
        && live_actions.len() == want_actions.len()
        && live_actions.iter().zip(&want_actions).all(|(l, w)| same_action(l, w))
}

/// Whether what is live forwards to other groups than what is known.
pub fn has_moved(live: &[Action], known: &Value) -> bool {
    group_arns(live) != group_arns(&actions(&objects(known)))
}

/// ARNs of the target groups that actions forward to, sorted.
pub fn group_arns(actions: &[Action]) -> Vec<String> {
    let mut arns: Vec<String> = actions.iter().flat_map(groups).map(|(arn, _)| arn).collect();
    arns.sort();
    arns
}

/// How many target groups the actions forward to.
pub fn group_count(actions: &[Action]) -> usize {
    actions.iter().map(|a| groups(a).len()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLUE: &str = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/blue/1";
    const GREEN: &str = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/green/2";

    fn value(actions: Vec<Object>) -> Value {
        const ACTIONS: Attr<Blocks> = Attr::<Blocks>::optional("action").list(&TABLE);
        let mut o = Object::new();
        o.set_blocks(&ACTIONS, actions);
        o.value("action").cloned().expect("just set")
    }

    fn simple(arn: &str) -> Object {
        let mut o = Object::new();
        o.set(&TYPE, "forward").set(&TARGET_GROUP_ARN, arn);
        o
    }

    fn weighted(groups: &[(&str, i64)]) -> Object {
        let group = |(arn, weight): &(&str, i64)| {
            let mut o = Object::new();
            o.set(&forward::ARN, *arn).set(&forward::WEIGHT, *weight);
            o
        };
        let mut f = Object::new();
        f.set_blocks(&forward::TARGET_GROUP, groups.iter().map(group).collect());
        let mut o = Object::new();
        o.set(&TYPE, "forward").set_blocks(&FORWARD, vec![f]);
        o
    }

    #[test]
    fn one_group_may_be_written_either_way() {
        let plain = value(vec![simple(BLUE)]);
        assert!(same(&plain, &value(vec![weighted(&[(BLUE, 1)])])));
        assert!(same(&plain, &value(vec![weighted(&[(BLUE, 100)])])));
        assert!(!same(&plain, &value(vec![simple(GREEN)])));
        assert!(!same(&plain, &value(vec![weighted(&[(BLUE, 1), (GREEN, 0)])])));
    }

    #[test]
    fn weights_differ_but_the_groups_are_the_same() {
        let (live, want) = (weighted(&[(BLUE, 0), (GREEN, 100)]), weighted(&[(BLUE, 100), (GREEN, 0)]));
        let (live, want) = (value(vec![live]), value(vec![want]));
        assert!(!same(&live, &want));
        assert!(same_but_weights(&live, &want));
        assert!(!same_but_weights(&live, &value(vec![simple(BLUE)])));
    }

    #[test]
    fn which_of_a_pair_serves_may_differ() {
        let pair = ["blue".to_owned(), "green".to_owned()];
        let (one, both) = (value(vec![simple(BLUE)]), value(vec![weighted(&[(BLUE, 0), (GREEN, 100)])]));
        assert!(same_but_groups(&both, &one, &pair));
        assert!(same_but_groups(&value(vec![simple(GREEN)]), &one, &pair));
        assert!(!same_but_groups(&both, &one, &pair[..1]), "one group is not of the pair");
        assert!(has_moved(&actions(&objects(&both)), &one));
        assert!(!has_moved(&actions(&objects(&one)), &one));
    }

    #[test]
    fn what_aws_answers_reads_back_as_declared() {
        let mut redirect_action = Object::new();
        let mut r = Object::new();
        r.set(&redirect::HOST, "#{host}")
            .set(&redirect::PATH, "/#{path}")
            .set(&redirect::PORT, "443")
            .set(&redirect::PROTOCOL, "HTTPS")
            .set(&redirect::QUERY, "#{query}")
            .set(&redirect::STATUS_CODE, "HTTP_301");
        redirect_action.set(&TYPE, "redirect").set_blocks(&REDIRECT, vec![r]);
        let declared = vec![redirect_action];
        assert!(same(&value(blocks(&actions(&declared))), &value(declared)));
    }

    #[test]
    fn an_action_needs_the_block_of_its_type() {
        let mut o = Object::new();
        o.set(&TYPE, "fixed-response");
        assert_eq!(validate("action", &[o]).len(), 1);
        let mut both = weighted(&[(GREEN, 1)]);
        both.set(&TARGET_GROUP_ARN, BLUE);
        assert_eq!(validate("action", &[both]).len(), 1);
        assert_eq!(validate("action", &[simple(BLUE), weighted(&[(BLUE, 1)])]), []);
    }
}
