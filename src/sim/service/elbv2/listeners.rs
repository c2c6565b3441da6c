//! Listeners, their certificates and attributes.

use super::super::{Answer, ApiError, Input, acm, page};
use super::balancers::with_marker;
use super::model::{Balancer, Listener, Rule};
use super::{actions, attributes, balancers, page_size, rules, ssl, tags, validation};
use crate::World;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

const DEFAULT_POLICY: &str = "ELBSecurityPolicy-2016-08";

pub(super) fn not_found(arn: &str) -> ApiError {
    ApiError::new("ListenerNotFound", format!("Listener '{arn}' not found"))
}

fn view(listener: &Listener) -> Json {
    let mut view = json!({
        "ListenerArn": listener.arn,
        "LoadBalancerArn": listener.balancer,
        "Port": listener.port,
        "Protocol": listener.protocol,
        "DefaultActions": listener.actions,
    });
    if let Some(arn) = &listener.certificate {
        view["Certificates"] = json!([{"CertificateArn": arn}]);
    }
    if let Some(policy) = &listener.ssl_policy {
        view["SslPolicy"] = json!(policy);
    }
    if !listener.alpn.is_empty() {
        view["AlpnPolicy"] = json!(listener.alpn);
    }
    if let Some(mutual) = &listener.mutual {
        view["MutualAuthentication"] = mutual.clone();
    }
    view
}

fn secure(protocol: &str) -> bool {
    matches!(protocol, "HTTPS" | "TLS")
}

fn check_protocol(balancer: &Balancer, protocol: &str, port: i64) -> Result<(), ApiError> {
    let allowed: &[&str] = if balancer.kind == "application" {
        &["HTTP", "HTTPS"]
    } else {
        &["TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC"]
    };
    if !allowed.contains(&protocol) {
        return Err(validation(format!(
            "Listener protocol '{protocol}' must be one of '{}'",
            allowed.join(", ")
        )));
    }
    if !(1..=65_535).contains(&port) {
        return Err(validation(format!("Listener port '{port}' must be in the range 1-65535")));
    }
    Ok(())
}

/// "The specified certificate does not exist" (API Reference, CreateListener, CertificateNotFound; the embedded
/// IAM keeps no server certificates), and one that is not issued yet is not supported
/// (UnsupportedCertificate).
fn check_certificate(world: &World, arn: &str) -> Result<(), ApiError> {
    if acm::usable(world, arn) {
        return Ok(());
    }
    if acm::exists(world, arn) {
        return Err(ApiError::new(
            "UnsupportedCertificate",
            format!(
                "The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a \
                 supported key size."
            ),
        ));
    }
    Err(ApiError::new("CertificateNotFound", format!("Certificate '{arn}' not found")))
}

/// Tells ACM which load balancers use which certificates, after listeners changed.
pub(super) fn tell_certificates(world: &mut World) {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for listener in world.elbv2.listeners.values() {
        for arn in listener.certificate.iter().chain(&listener.extra_certificates) {
            users.entry(arn.clone()).or_default().insert(listener.balancer.clone());
        }
    }
    acm::used_by_balancers(world, users);
}

/// Certificate, policy, ALPN and mutual TLS of a listener, from what was and what is asked.
fn lay_security(world: &World, listener: &mut Listener, input: &Json) -> Result<(), ApiError> {
    let given = input.get("Certificates").is_some_and(Json::is_array);
    if listener.protocol == "HTTPS" && given && input.list("Certificates").is_empty() {
        return Err(ApiError::new(
            "InvalidConfigurationRequest",
            "You must provide a list containing exactly one certificate if the listener protocol is HTTPS.",
        ));
    }
    if let Some(certificate) = input.list("Certificates").first() {
        let arn = certificate.text("CertificateArn").unwrap_or_default();
        if input.list("Certificates").len() > 1 {
            return Err(ApiError::new("TooManyCertificates", "Up to one certificate can be specified here"));
        }
        if secure(&listener.protocol) {
            check_certificate(world, arn)?;
        }
        listener.certificate = Some(arn.to_owned());
    }
    if let Some(policy) = input.text("SslPolicy") {
        listener.ssl_policy = Some(policy.to_owned());
    }
    if input.get("AlpnPolicy").is_some_and(Json::is_array) {
        listener.alpn =
            input.texts("AlpnPolicy").into_iter().filter(|one| *one != "None").map(str::to_owned).collect();
    }
    if let Some(mutual) = input.get("MutualAuthentication").filter(|one| !one.is_null()) {
        listener.mutual = Some(mutual.clone());
    }
    if !secure(&listener.protocol) {
        let has = listener.certificate.is_some() || listener.ssl_policy.is_some();
        if has && input.text("Protocol").is_none() {
            return Err(validation(format!(
                "Certificates and SSL policies cannot be specified for {} listeners",
                listener.protocol
            )));
        }
        (listener.certificate, listener.ssl_policy, listener.mutual) = (None, None, None);
        return Ok(());
    }
    if listener.certificate.is_none() {
        return Err(ApiError::new(
            "CertificateNotFound",
            format!("A certificate must be specified for {} listeners", listener.protocol),
        ));
    }
    let policy = listener.ssl_policy.get_or_insert_with(|| DEFAULT_POLICY.to_owned());
    if !ssl::exists(policy) {
        return Err(ApiError::new("SSLPolicyNotFound", format!("SSL policy '{policy}' not found")));
    }
    if listener.protocol == "HTTPS" {
        listener.mutual.get_or_insert_with(|| json!({"Mode": "off"}));
    }
    Ok(())
}

pub(super) fn create_listener(world: &mut World, input: &Json) -> Answer {
    let balancer_arn = input.text("LoadBalancerArn").unwrap_or_default();
    let balancer =
        world.elbv2.balancers.get(balancer_arn).cloned().ok_or_else(|| balancers::not_found(balancer_arn))?;
    let protocol =
        input.text("Protocol").ok_or_else(|| validation("A listener protocol must be specified"))?;
    let port = input.int("Port").ok_or_else(|| validation("A listener port must be specified"))?;
    check_protocol(&balancer, protocol, port)?;
    let actions = actions::normalise(world, &balancer, input.list("DefaultActions"))?;
    let new_tags = tags::from_input(input)?;
    let mut listener = Listener {
        arn: String::new(),
        balancer: balancer_arn.to_owned(),
        port,
        protocol: protocol.to_owned(),
        ssl_policy: None,
        certificate: None,
        extra_certificates: Default::default(),
        alpn: Vec::new(),
        mutual: None,
        actions,
        attributes: Default::default(),
    };
    lay_security(world, &mut listener, input)?;
    if let Some(existing) = world.elbv2.listeners_of(balancer_arn).find(|other| other.port == port) {
        let same = existing.protocol == listener.protocol
            && existing.actions == listener.actions
            && existing.certificate == listener.certificate
            && existing.ssl_policy == listener.ssl_policy;
        return if same {
            Ok(json!({"Listeners": [view(existing)]}))
        } else {
            Err(ApiError::new(
                "DuplicateListener",
                format!("A listener already exists on this port for this load balancer '{balancer_arn}'"),
            ))
        };
    }
    let id = world.hex(16);
    listener.arn = format!("{}/{id}", balancer_arn.replacen(":loadbalancer/", ":listener/", 1));
    let rule = Rule {
        arn: rules::new_arn(world, &listener.arn),
        listener: listener.arn.clone(),
        priority: None,
        conditions: Vec::new(),
        actions: Vec::new(),
        transforms: Vec::new(),
    };
    let answer = json!({"Listeners": [view(&listener)]});
    world.elbv2.tags.insert(listener.arn.clone(), new_tags);
    world.elbv2.rules.insert(rule.arn.clone(), rule);
    world.elbv2.listeners.insert(listener.arn.clone(), listener);
    actions::refresh(world);
    Ok(answer)
}

pub(super) fn describe_listeners(world: &mut World, input: &Json) -> Answer {
    let arns = input.texts("ListenerArns");
    let mut found: Vec<&Listener> = match input.text("LoadBalancerArn") {
        Some(_) if !arns.is_empty() => {
            return Err(validation(
                "Load balancer ARN and listener ARNs cannot be specified at the same time",
            ));
        }
        Some(arn) if world.elbv2.balancers.contains_key(arn) => world.elbv2.listeners_of(arn).collect(),
        Some(arn) => return Err(balancers::not_found(arn)),
        None if arns.is_empty() => {
            return Err(validation("You must specify either listener ARNs or a load balancer ARN"));
        }
        None => arns
            .iter()
            .map(|arn| world.elbv2.listeners.get(*arn))
            .collect::<Option<_>>()
            .ok_or_else(|| ApiError::new("ListenerNotFound", "One or more listeners not found"))?,
    };
    found.sort_by_key(|listener| listener.port);
    let (found, next) = page(found, input.text("Marker"), page_size(input));
    let views: Vec<Json> = found.into_iter().map(view).collect();
    Ok(with_marker(json!({"Listeners": views}), next))
}

pub(super) fn modify_listener(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("ListenerArn").unwrap_or_default();
    let mut listener = world.elbv2.listeners.get(arn).cloned().ok_or_else(|| not_found(arn))?;
    let balancer = world.elbv2.balancers.get(&listener.balancer).ok_or_else(|| not_found(arn))?;
    if let Some(protocol) = input.text("Protocol") {
        listener.protocol = protocol.to_owned();
    }
    if let Some(port) = input.int("Port") {
        listener.port = port;
    }
    check_protocol(balancer, &listener.protocol, listener.port)?;
    let others = world.elbv2.listeners_of(&listener.balancer).filter(|other| other.arn != arn);
    if others.into_iter().any(|other| other.port == listener.port) {
        return Err(ApiError::new(
            "DuplicateListener",
            format!("A listener already exists on this port for this load balancer '{}'", listener.balancer),
        ));
    }
    if !input.list("DefaultActions").is_empty() {
        listener.actions = actions::normalise(world, balancer, input.list("DefaultActions"))?;
    }
    lay_security(world, &mut listener, input)?;
    let answer = json!({"Listeners": [view(&listener)]});
    world.elbv2.listeners.insert(arn.to_owned(), listener);
    actions::refresh(world);
    Ok(answer)
}

pub(super) fn delete_listener(world: &mut World, input: &Json) -> Answer {
    let arn = input.text("ListenerArn").unwrap_or_default();
    if !world.elbv2.listeners.contains_key(arn) {
        return Err(not_found(arn));
    }
    remove(world, arn);
    actions::refresh(world);
    Ok(json!({}))
}

/// Takes a listener and its rules away; the caller refreshes what is in use.
pub(super) fn remove(world: &mut World, arn: &str) {
    let rules: Vec<String> = world.elbv2.rules_of(arn).map(|rule| rule.arn.clone()).collect();
    for rule in rules {
        world.elbv2.rules.remove(&rule);
        world.elbv2.tags.remove(&rule);
    }
    world.elbv2.listeners.remove(arn);
    world.elbv2.tags.remove(arn);
}

fn get_mut<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Listener, ApiError> {
    let arn = input.text("ListenerArn").unwrap_or_default();
    world.elbv2.listeners.get_mut(arn).ok_or_else(|| not_found(arn))
}

pub(super) fn describe_listener_attributes(world: &mut World, input: &Json) -> Answer {
    let listener = get_mut(world, input)?;
    Ok(attributes::answer(&listener.defaults(), &listener.attributes))
}

pub(super) fn modify_listener_attributes(world: &mut World, input: &Json) -> Answer {
    let listener = get_mut(world, input)?;
    let defaults = listener.defaults();
    let changes = attributes::changes(input, &defaults, "Listener")?;
    listener.attributes.extend(changes);
    Ok(attributes::answer(&defaults, &listener.attributes))
}

pub(super) fn describe_listener_certificates(world: &mut World, input: &Json) -> Answer {
    let listener = get_mut(world, input)?;
    let default = listener.certificate.iter().map(|arn| json!({"CertificateArn": arn, "IsDefault": true}));
    let extra =
        listener.extra_certificates.iter().map(|arn| json!({"CertificateArn": arn, "IsDefault": false}));
    let all: Vec<Json> = default.chain(extra).collect();
    let (all, next) = page(all, input.text("Marker"), page_size(input));
    Ok(with_marker(json!({"Certificates": all}), next))
}

pub(super) fn add_certificates(world: &mut World, input: &Json) -> Answer {
    let new: Vec<String> = input
        .list("Certificates")
        .iter()
        .filter_map(|one| one.text("CertificateArn"))
        .map(str::to_owned)
        .collect();
    if !secure(&get_mut(world, input)?.protocol) {
        return Err(validation("Certificates cannot be added to a listener without TLS"));
    }
    new.iter().try_for_each(|arn| check_certificate(world, arn))?;
    let listener = get_mut(world, input)?;
    listener
        .extra_certificates
        .extend(new.iter().filter(|arn| listener.certificate.as_ref() != Some(arn)).cloned());
    tell_certificates(world);
    let views: Vec<Json> = new.iter().map(|arn| json!({"CertificateArn": arn, "IsDefault": false})).collect();
    Ok(json!({"Certificates": views}))
}

pub(super) fn remove_certificates(world: &mut World, input: &Json) -> Answer {
    let listener = get_mut(world, input)?;
    for arn in input.list("Certificates").iter().filter_map(|one| one.text("CertificateArn")) {
        if listener.certificate.as_deref() == Some(arn) {
            return Err(ApiError::new(
                "OperationNotPermitted",
                "Default certificate cannot be removed; use ModifyListener to replace it",
            ));
        }
        listener.extra_certificates.remove(arn);
    }
    tell_certificates(world);
    Ok(json!({}))
}
