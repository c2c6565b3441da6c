//! ACM: certificates, requested and validated by DNS, or imported.

mod certificates;
#[cfg(test)]
mod tests;
mod x509;

use super::tree::{Tags, tags};
use super::{Answer, ApiError, Input, Operations, page, route53};
use crate::World;
use crate::world::{self, MINUTE, Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// By ARN.
    certificates: BTreeMap<String, Certificate>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Certificate {
    arn: String,
    domain: String,
    /// The domain first, then the alternative names.
    names: Vec<String>,
    status: String,
    kind: String,
    validation_method: String,
    /// By name; empty until ACM has made them up.
    validations: BTreeMap<String, Validation>,
    created: Millis,
    issued: Option<Millis>,
    imported: Option<Millis>,
    not_before: Option<Millis>,
    not_after: Option<Millis>,
    key_algorithm: String,
    transparency_logging: bool,
    token: Option<String>,
    serial: String,
    /// Of an imported one, as it says itself.
    #[serde(default)]
    issuer: Option<String>,
    /// PEM, for an imported one.
    body: Option<String>,
    chain: Option<String>,
    tags: Tags,
    used_by: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Validation {
    record: String,
    value: String,
    done: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The records to make are known.
    Prepared { arn: String },
    /// ACM looks whether the records are there.
    Checked { arn: String },
    /// 72 hours have passed (user guide, "Validate domain ownership").
    TimedOut { arn: String },
}

/// "It might take a few seconds" until DescribeCertificate shows the records (RequestCertificate).
const PREPARATION: Millis = 3 * SECOND;
const CHECK: Millis = 15 * SECOND;
const TIME_TO_VALIDATE: Millis = 72 * 60 * MINUTE;
/// "ACM certificates are valid for 13 months (395 days)".
const VALIDITY: Millis = 395 * 24 * 60 * MINUTE;

pub const OPERATIONS: Operations = &[
    ("AddTagsToCertificate", certificates::add_tags),
    ("DeleteCertificate", certificates::delete),
    ("DescribeCertificate", certificates::describe),
    ("GetCertificate", certificates::get),
    ("ImportCertificate", certificates::import),
    ("ListCertificates", certificates::list),
    ("ListTagsForCertificate", certificates::list_tags),
    ("RemoveTagsFromCertificate", certificates::remove_tags),
    ("RequestCertificate", certificates::request),
    ("UpdateCertificateOptions", certificates::update_options),
];

pub fn run(world: &mut World, event: Event) {
    match event {
        Event::Prepared { arn } => {
            prepare(world, &arn);
            check(world, &arn);
        }
        Event::Checked { arn } => check(world, &arn),
        Event::TimedOut { arn } => {
            if let Some(certificate) = world.acm.certificates.get_mut(&arn)
                && certificate.status == "PENDING_VALIDATION"
            {
                certificate.status = "VALIDATION_TIMED_OUT".to_owned();
            }
        }
    }
}

/// route53 says: records have changed. Certificates that wait for theirs are looked at soon.
pub fn records_changed(world: &mut World) {
    let waiting: Vec<String> = world
        .acm
        .certificates
        .values()
        .filter(|certificate| {
            certificate.status == "PENDING_VALIDATION" && !certificate.validations.is_empty()
        })
        .map(|certificate| certificate.arn.clone())
        .collect();
    for arn in waiting {
        world.schedule(CHECK, world::Event::Acm(Event::Checked { arn }));
    }
}

/// Whether a listener may use it: it exists and is issued.
pub fn usable(world: &World, arn: &str) -> bool {
    world.acm.certificates.get(arn).is_some_and(|certificate| certificate.status == "ISSUED")
}

pub fn exists(world: &World, arn: &str) -> bool {
    world.acm.certificates.contains_key(arn)
}

/// Which load balancers use which certificates, by the certificates' ARNs: those cannot be deleted.
pub fn used_by_balancers(world: &mut World, mut users: BTreeMap<String, BTreeSet<String>>) {
    for certificate in world.acm.certificates.values_mut() {
        certificate.used_by = users.remove(&certificate.arn).unwrap_or_default();
    }
}

/// A name and its wildcard share one record.
fn prepare(world: &mut World, arn: &str) {
    let Some(certificate) = world.acm.certificates.get(arn) else { return };
    let names = certificate.names.clone();
    let mut records: BTreeMap<String, Validation> = BTreeMap::new();
    for name in &names {
        let base = name.trim_start_matches("*.").to_owned();
        if records.contains_key(&base) {
            continue;
        }
        let zone: String = world.hex(10).bytes().map(|b| char::from(b'a' + b % 26)).collect();
        let validation = Validation {
            record: format!("_{}.{base}.", world.hex(32)),
            value: format!("_{}.{zone}.acm-validations.aws.", world.hex(32)),
            done: false,
        };
        records.insert(base, validation);
    }
    let Some(certificate) = world.acm.certificates.get_mut(arn) else { return };
    for name in names {
        if let Some(validation) = records.get(name.trim_start_matches("*.")) {
            certificate.validations.insert(name, validation.clone());
        }
    }
}

fn check(world: &mut World, arn: &str) {
    let now = world.now;
    let Some(certificate) = world.acm.certificates.get(arn) else { return };
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let done: Vec<String> = certificate
        .validations
        .iter()
        .filter(|(_, validation)| {
            let values = route53::public_record(world, &validation.record, "CNAME").unwrap_or_default();
            validation.done || values.iter().any(|value| plain(value) == plain(&validation.value))
        })
        .map(|(name, _)| name.clone())
        .collect();
    let Some(certificate) = world.acm.certificates.get_mut(arn) else { return };
    for name in &done {
        if let Some(validation) = certificate.validations.get_mut(name) {
            validation.done = true;
        }
    }
    let all = !certificate.validations.is_empty() && certificate.validations.values().all(|v| v.done);
    if all && certificate.status == "PENDING_VALIDATION" {
        certificate.status = "ISSUED".to_owned();
        certificate.issued = Some(now);
        certificate.not_before = Some(now);
        certificate.not_after = Some(now + VALIDITY);
    }
}
