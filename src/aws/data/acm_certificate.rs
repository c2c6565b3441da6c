//! `aws_acm_certificate`: a certificate, found by its domain or tags.

use crate::aws::types::iam::AT_ONCE;
use crate::aws::{Aws, AwsData, AwsError, Op, absent, tags};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_acm::types::{CertificateStatus, CertificateSummary, CertificateType, Filters, KeyAlgorithm};
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;

attributes! {
    TABLE:
    ARN: Str = computed("arn");
    CERTIFICATE: Str = computed("certificate");
    CHAIN: Str = computed("certificate_chain");
    DOMAIN: Str = optional_computed("domain");
    KEY_TYPES: StrSet = optional("key_types").check(check_key_types).doc("ACM lists RSA keys of up to 2048 bits unless others are asked for");
    MOST_RECENT: Bool = optional("most_recent").default_bool(false).doc("Take the newest of several");
    STATUS: Str = computed("status");
    STATUSES: StrList = optional("statuses").doc("ISSUED unless given");
    TAGS: StrMap = optional_computed("tags").doc("Declared: what to look for; then what was found");
    TYPES: StrList = optional("types").check(check_types);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A certificate, found by its domain or tags",
    example: r#"
data "aws_acm_certificate" "main" {
  domain      = "example.com"
  statuses    = ["ISSUED"]
  most_recent = true
}
"#,
    validate: |want| {
        let declared = want.has("domain") || want.has("tags");
        if declared { Vec::new() } else { vec![("", "`domain` or `tags` is needed".to_owned())] }
    },
    ..TypeSchema::new("aws_acm_certificate", &TABLE)
};

fn each_of(value: &Value, allowed: &[&str]) -> Result<(), String> {
    let given = value.as_slice().unwrap_or_default();
    match given.iter().filter_map(Value::as_str).find(|v| !allowed.contains(v)) {
        Some(other) => Err(format!("may hold {}, not {other:?}", allowed.join(", "))),
        None => Ok(()),
    }
}

fn check_key_types(value: &Value) -> Result<(), String> {
    each_of(value, KeyAlgorithm::values())
}

fn check_types(value: &Value) -> Result<(), String> {
    each_of(value, CertificateType::values())
}

const GONE: &[&str] = &["ResourceNotFoundException"];

pub struct AcmCertificate;

#[async_trait(?Send)]
impl AwsData for AcmCertificate {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let (found, tags) = find(aws, want).await?;
        let arn = found.certificate_arn().unwrap_or_default();
        let mut o = want.clone();
        o.set(&ID, arn)
            .set(&ARN, arn)
            .set(&DOMAIN, found.domain_name())
            .set(&STATUS, found.status().map(|s| s.as_str()))
            .set(&TAGS, tags);
        if found.status() == Some(&CertificateStatus::Issued) {
            let answer = aws.acm.get_certificate().certificate_arn(arn).send().await.op("GetCertificate")?;
            o.set(&CERTIFICATE, answer.certificate()).set(&CHAIN, answer.certificate_chain());
        }
        Ok(o)
    }
}

type Found = (CertificateSummary, BTreeMap<String, String>);

async fn find(aws: &Aws, want: &Object) -> Result<Found, AwsError> {
    let domain = want.get(&DOMAIN);
    let types = want.all(&TYPES);
    let mut candidates = list(aws, want).await?;
    candidates.retain(|c| {
        domain.as_deref().is_none_or(|d| c.domain_name() == Some(d))
            && (types.is_empty() || c.r#type().is_some_and(|t| types.iter().any(|x| x == t.as_str())))
    });
    let declared = want.all(&TAGS);
    // ACM has no list of tags of many certificates.
    let with_tags = candidates.into_iter().map(async |certificate| {
        let tags = tags_of(aws, certificate.certificate_arn().unwrap_or_default()).await?;
        Ok((certificate, tags))
    });
    let mut found: Vec<Found> = futures::stream::iter(with_tags).buffered(AT_ONCE).try_collect().await?;
    found.retain(|(_, tags)| declared.iter().all(|(k, v)| tags.get(k) == Some(v)));
    let (most_recent, count) = (want.get(&MOST_RECENT) == Some(true), found.len());
    let failed = |code, message| Err(AwsError::failed("ListCertificates", code, message));
    let what = domain.map(|d| format!(" of {d}")).unwrap_or_default();
    if count > 1 && !most_recent {
        let message = format!("{count} certificates{what} are as declared: narrow it, or set `most_recent`");
        return failed("Ambiguous", message);
    }
    match found.into_iter().max_by(|(a, _), (b, _)| age(a).total_cmp(&age(b))) {
        Some(found) => Ok(found),
        None => failed("NotFound", format!("no certificate{what} is as declared")),
    }
}

async fn list(aws: &Aws, want: &Object) -> Result<Vec<CertificateSummary>, AwsError> {
    let statuses = Some(want.all(&STATUSES)).filter(|s| !s.is_empty());
    let statuses = statuses.unwrap_or_else(|| vec!["ISSUED".to_owned()]);
    let keys = want.all(&KEY_TYPES);
    let includes = (!keys.is_empty()).then(|| {
        let keys = keys.iter().map(|k| KeyAlgorithm::from(k.as_str())).collect();
        Filters::builder().set_key_types(Some(keys)).build()
    });
    let statuses = statuses.iter().map(|s| CertificateStatus::from(s.as_str())).collect();
    let call = aws.acm.list_certificates().set_certificate_statuses(Some(statuses)).set_includes(includes);
    call.into_paginator().items().send().try_collect().await.op("ListCertificates")
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let call = aws.acm.list_tags_for_certificate().certificate_arn(arn);
    let answer = absent(call.send().await.op("ListTagsForCertificate"), GONE)?;
    let tags = answer.and_then(|a| a.tags).unwrap_or_default();
    let pairs = tags.into_iter().map(|t| (t.key, t.value.unwrap_or_default()));
    Ok(pairs.filter(|(key, _)| tags::visible(key)).collect())
}

/// The newer, the larger: an issued one by when it became valid, others by when they were made.
fn age(certificate: &CertificateSummary) -> f64 {
    let issued = certificate.status() == Some(&CertificateStatus::Issued);
    let made = certificate.created_at().or(certificate.imported_at());
    let when = if issued { certificate.not_before().or(made) } else { made };
    when.map_or(0.0, |t| t.as_secs_f64())
}
