//! The predefined security policies (Elastic Load Balancing user guide, security policies).

use super::super::{Answer, ApiError, Input, page};
use super::balancers::with_marker;
use super::page_size;
use crate::World;
use serde_json::{Value as Json, json};

const TLS13: &[&str] = &["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
const GCM: &[&str] = &[
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
];
const CBC_SHA2: &[&str] = &[
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
];
const CBC_SHA1: &[&str] =
    &["ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA"];
const RSA_SHA2: &[&str] = &["AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256"];
const RSA_SHA1: &[&str] = &["AES128-SHA", "AES256-SHA"];

type Policy = (&'static str, &'static [&'static str], &'static [&'static [&'static str]]);

const V13: &[&str] = &["TLSv1.3"];
const V12_UP: &[&str] = &["TLSv1.2", "TLSv1.3"];
const V11_UP: &[&str] = &["TLSv1.1", "TLSv1.2", "TLSv1.3"];
const V10_UP: &[&str] = &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const V12: &[&str] = &["TLSv1.2"];
const V11_12: &[&str] = &["TLSv1.1", "TLSv1.2"];
const V10_12: &[&str] = &["TLSv1", "TLSv1.1", "TLSv1.2"];

/// Name, protocols, cipher groups in order of preference.
const POLICIES: &[Policy] = &[
    ("ELBSecurityPolicy-TLS13-1-3-2021-06", V13, &[TLS13]),
    ("ELBSecurityPolicy-TLS13-1-2-2021-06", V12_UP, &[TLS13, GCM, CBC_SHA2]),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", V12_UP, &[TLS13, GCM]),
    ("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", V12_UP, &[TLS13, GCM, CBC_SHA2, RSA_SHA2]),
    (
        "ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06",
        V12_UP,
        &[TLS13, GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1],
    ),
    ("ELBSecurityPolicy-TLS13-1-1-2021-06", V11_UP, &[TLS13, GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-TLS13-1-0-2021-06", V10_UP, &[TLS13, GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-2016-08", V10_12, &[GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-2015-05", V10_12, &[GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-TLS-1-0-2015-04", V10_12, &[GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-TLS-1-1-2017-01", V11_12, &[GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-TLS-1-2-2017-01", V12, &[GCM, CBC_SHA2, RSA_SHA2]),
    ("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", V12, &[GCM, CBC_SHA2, CBC_SHA1, RSA_SHA2, RSA_SHA1]),
    ("ELBSecurityPolicy-FS-2018-06", V10_12, &[GCM, CBC_SHA2, CBC_SHA1]),
    ("ELBSecurityPolicy-FS-1-1-2019-08", V11_12, &[GCM, CBC_SHA2, CBC_SHA1]),
    ("ELBSecurityPolicy-FS-1-2-2019-08", V12, &[GCM, CBC_SHA2, CBC_SHA1]),
    ("ELBSecurityPolicy-FS-1-2-Res-2019-08", V12, &[GCM, CBC_SHA2]),
    ("ELBSecurityPolicy-FS-1-2-Res-2020-10", V12, &[GCM]),
];

/// The FIPS and post-quantum families are accepted on listeners though their ciphers are not listed here.
pub(super) fn exists(name: &str) -> bool {
    POLICIES.iter().any(|(policy, ..)| *policy == name)
        || (name.starts_with("ELBSecurityPolicy-TLS13-") && (name.contains("FIPS") || name.contains("PQ")))
}

pub(super) fn describe_ssl_policies(_world: &mut World, input: &Json) -> Answer {
    let names = input.texts("Names");
    if let Some(missing) = names.iter().find(|name| !POLICIES.iter().any(|(policy, ..)| policy == *name)) {
        return Err(ApiError::new("SSLPolicyNotFound", format!("SSL policy '{missing}' not found")));
    }
    // In the order asked for, each once.
    let mut found: Vec<&Policy> =
        POLICIES.iter().filter(|(name, ..)| names.is_empty() || names.contains(name)).collect();
    found.sort_by_key(|(name, ..)| names.iter().position(|asked| asked == name));
    let (found, next) = page(found, input.text("Marker"), page_size(input));
    let views: Vec<Json> = found.into_iter().map(view).collect();
    Ok(with_marker(json!({"SslPolicies": views}), next))
}

fn view((name, protocols, groups): &Policy) -> Json {
    let ciphers: Vec<Json> = groups
        .iter()
        .flat_map(|group| group.iter())
        .enumerate()
        .map(|(at, cipher)| json!({"Name": cipher, "Priority": at + 1}))
        .collect();
    json!({
        "Name": name,
        "SslProtocols": protocols,
        "Ciphers": ciphers,
        "SupportedLoadBalancerTypes": ["application", "network"],
    })
}
