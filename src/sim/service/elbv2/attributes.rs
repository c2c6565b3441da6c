//! Attribute keys with AWS's defaults (Elastic Load Balancing API reference, `…Attribute` types).

use super::super::{ApiError, Input};
use super::model::{Balancer, Group, Listener};
use super::validation;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub(super) type Defaults = Vec<(&'static str, &'static str)>;

const BALANCER: &[(&str, &str)] = &[
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.prefix", ""),
    ("deletion_protection.enabled", "false"),
    ("zonal_shift.config.enabled", "false"),
];

const APPLICATION: &[(&str, &str)] = &[
    ("client_keep_alive.seconds", "3600"),
    ("connection_logs.s3.bucket", ""),
    ("connection_logs.s3.enabled", "false"),
    ("connection_logs.s3.prefix", ""),
    ("health_check_logs.s3.bucket", ""),
    ("health_check_logs.s3.enabled", "false"),
    ("health_check_logs.s3.prefix", ""),
    ("idle_timeout.timeout_seconds", "60"),
    ("load_balancing.cross_zone.enabled", "true"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
    ("routing.http.xff_client_port.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
    ("waf.fail_open.enabled", "false"),
];

const NETWORK: &[(&str, &str)] = &[
    ("dns_record.client_routing_policy", "any_availability_zone"),
    ("load_balancing.cross_zone.enabled", "false"),
    ("secondary_ips.auto_assigned.per_subnet", "0"),
];

pub(super) fn of_balancer(kind: &str, scheme: &str) -> Defaults {
    let own = if kind == "application" { APPLICATION } else { NETWORK };
    let deny = if scheme == "internal" { "true" } else { "false" };
    let mut all: Defaults = [BALANCER, own].concat();
    all.push(("ipv6.deny_all_igw_traffic", deny));
    all
}

const GROUP: &[(&str, &str)] = &[
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("stickiness.enabled", "false"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
];

const HTTP_GROUP: &[(&str, &str)] = &[
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
    ("stickiness.type", "lb_cookie"),
];

/// By target type and protocol: `preserve_client_ip` is on for instances, and for addresses over UDP.
fn is_web(target_type: &str, protocol: Option<&str>) -> bool {
    matches!(protocol, Some("HTTP" | "HTTPS")) && !matches!(target_type, "alb" | "lambda")
}

pub(super) fn of_group(target_type: &str, protocol: Option<&str>) -> Defaults {
    let protocol = protocol.unwrap_or_default();
    if target_type == "lambda" {
        return vec![
            ("lambda.multi_value_headers.enabled", "false"),
            ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
            ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
            ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
            ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
        ];
    }
    if is_web(target_type, Some(protocol)) {
        return [GROUP, HTTP_GROUP].concat();
    }
    let udp = matches!(protocol, "UDP" | "TCP_UDP");
    let yes = |is: bool| if is { "true" } else { "false" };
    let mut all = GROUP.to_vec();
    all.push(("deregistration_delay.connection_termination.enabled", yes(udp)));
    all.push(("preserve_client_ip.enabled", yes(target_type != "ip" || udp)));
    all.push(("proxy_protocol_v2.enabled", "false"));
    all.push(("stickiness.type", "source_ip"));
    all.push(("target_health_state.unhealthy.connection_termination.enabled", "true"));
    all.push(("target_health_state.unhealthy.draining_interval_seconds", "0"));
    all
}

const REQUEST_HEADERS: &[&str] = &[
    "routing.http.request.x_amzn_mtls_clientcert.header_name",
    "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name",
    "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name",
    "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
    "routing.http.request.x_amzn_mtls_clientcert_subject.header_name",
    "routing.http.request.x_amzn_mtls_clientcert_validity.header_name",
    "routing.http.request.x_amzn_tls_cipher_suite.header_name",
    "routing.http.request.x_amzn_tls_version.header_name",
];

const RESPONSE_HEADERS: &[&str] = &[
    "routing.http.response.access_control_allow_credentials.header_value",
    "routing.http.response.access_control_allow_headers.header_value",
    "routing.http.response.access_control_allow_methods.header_value",
    "routing.http.response.access_control_allow_origin.header_value",
    "routing.http.response.access_control_expose_headers.header_value",
    "routing.http.response.access_control_max_age.header_value",
    "routing.http.response.content_security_policy.header_value",
    "routing.http.response.strict_transport_security.header_value",
    "routing.http.response.x_content_type_options.header_value",
    "routing.http.response.x_frame_options.header_value",
];

pub(super) fn of_listener(protocol: &str) -> Defaults {
    let empty = |keys: &[&'static str]| keys.iter().map(|key| (*key, "")).collect::<Vec<_>>();
    match protocol {
        "HTTP" | "HTTPS" => {
            let mut all = empty(RESPONSE_HEADERS);
            all.push(("routing.http.response.server.enabled", "true"));
            if protocol == "HTTPS" {
                all.extend(empty(REQUEST_HEADERS));
            }
            all
        }
        "TCP" => vec![("tcp.idle_timeout.seconds", "350")],
        _ => Vec::new(),
    }
}

/// What is set over the defaults, as the API answers it.
pub(super) fn answer(defaults: &Defaults, set: &BTreeMap<String, String>) -> Json {
    let mut all: BTreeMap<&str, &str> = defaults.iter().copied().collect();
    all.extend(set.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let list: Vec<Json> = all.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Attributes": list})
}

pub(super) fn value<'a>(defaults: &Defaults, set: &'a BTreeMap<String, String>, key: &str) -> &'a str {
    set.get(key)
        .map(String::as_str)
        .unwrap_or_else(|| defaults.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| *value))
}

/// The changes of a Modify…Attributes call, checked against the keys that this thing has.
pub(super) fn changes(
    input: &Json,
    defaults: &Defaults,
    what: &str,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut changes = BTreeMap::new();
    for attribute in input.list("Attributes") {
        let (key, value) =
            (attribute.text("Key").unwrap_or_default(), attribute.text("Value").unwrap_or_default());
        let Some((_, default)) = defaults.iter().find(|(name, _)| *name == key) else {
            let known = [BALANCER, APPLICATION, NETWORK, GROUP, HTTP_GROUP].concat();
            return Err(if known.iter().any(|(name, _)| *name == key) {
                ApiError::new(
                    "InvalidConfigurationRequest",
                    format!("{what} attribute key '{key}' is not supported on this {}", what.to_lowercase()),
                )
            } else {
                validation(format!("{what} attribute key '{key}' is not recognized"))
            });
        };
        let wrong = match *default {
            "true" | "false" => !matches!(value, "true" | "false"),
            // The cross-zone default of a group is a word; its values are true, false or that word.
            number if number.parse::<i64>().is_ok() => value.parse::<i64>().map_or(value != "off", |n| n < 0),
            _ => false,
        };
        let range = match key {
            "deregistration_delay.timeout_seconds" => Some(0..=3600),
            "idle_timeout.timeout_seconds" => Some(1..=4000),
            "client_keep_alive.seconds" => Some(60..=604_800),
            "stickiness.lb_cookie.duration_seconds" | "stickiness.app_cookie.duration_seconds" => {
                Some(1..=604_800)
            }
            "tcp.idle_timeout.seconds" => Some(60..=6000),
            _ => None,
        };
        let outside = range.is_some_and(|range| value.parse::<i64>().map_or(true, |n| !range.contains(&n)));
        if wrong || outside {
            return Err(validation(format!("{what} attribute '{key}' value '{value}' is invalid")));
        }
        changes.insert(key.to_owned(), value.to_owned());
    }
    Ok(changes)
}

/// Which kinds of stickiness a group can have goes by its protocol (API reference, TargetGroupAttribute).
pub(super) fn check_stickiness(input: &Json, protocol: &str) -> Result<(), ApiError> {
    let set = |key: &str| {
        let found = input.list("Attributes").iter().find(|attribute| attribute.text("Key") == Some(key));
        found.and_then(|attribute| attribute.text("Value"))
    };
    let Some(kind) = set("stickiness.type") else { return Ok(()) };
    let enabled = set("stickiness.enabled") == Some("true");
    let message = match (protocol, kind) {
        ("GENEVE", "source_ip_dest_ip" | "source_ip_dest_ip_proto") => return Ok(()),
        // Its own attributes are not known here: they say so.
        ("GENEVE", "app_cookie") => {
            let key = input.list("Attributes").iter().filter_map(|attribute| attribute.text("Key"));
            match key.into_iter().find(|key| key.starts_with("stickiness.app_cookie.")) {
                Some(key) => format!("Target group attribute key '{key}' is not recognized"),
                None => return Ok(()),
            }
        }
        ("GENEVE", _) => format!("'{kind}' must be one of [source_ip_dest_ip_proto, source_ip_dest_ip]"),
        ("HTTP" | "HTTPS", "lb_cookie" | "app_cookie") => return Ok(()),
        ("TLS", "source_ip") if enabled => {
            "You cannot enable stickiness on target groups with the TLS protocol".to_owned()
        }
        ("HTTP" | "HTTPS", "source_ip") | (_, "lb_cookie" | "app_cookie") => {
            format!(
                "Stickiness type '{kind}' is not supported for target groups with the {protocol} protocol"
            )
        }
        (_, "source_ip") => return Ok(()),
        _ => "'Stickiness type' must be one of [app_cookie, lb_cookie, source_ip]".to_owned(),
    };
    Err(validation(message))
}

impl Balancer {
    pub(super) fn defaults(&self) -> Defaults {
        of_balancer(&self.kind, &self.scheme)
    }

    pub(super) fn attribute(&self, key: &str) -> String {
        value(&self.defaults(), &self.attributes, key).to_owned()
    }
}

impl Group {
    pub(super) fn defaults(&self) -> Defaults {
        of_group(&self.target_type, self.protocol.as_deref())
    }

    pub(super) fn attribute(&self, key: &str) -> String {
        if is_web(&self.target_type, self.protocol.as_deref()) {
            // Asked often; the list of all defaults need not be made for it.
            let default = || GROUP.iter().chain(HTTP_GROUP).find(|(name, _)| *name == key);
            let set = self.attributes.get(key).map(String::as_str);
            return set.or_else(|| default().map(|(_, value)| *value)).unwrap_or_default().to_owned();
        }
        value(&self.defaults(), &self.attributes, key).to_owned()
    }
}

impl Listener {
    pub(super) fn defaults(&self) -> Defaults {
        of_listener(&self.protocol)
    }
}
