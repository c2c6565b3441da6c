//! `aws_acm_certificate`: a certificate, requested (and then validated, by DNS records at best) or imported.

use super::acm_options as dvo;
use super::ecs::{patiently, some};
use super::iam::AT_ONCE;
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::{Type, Value};
use async_trait::async_trait;
use aws_sdk_acm::types as sdk;
use aws_sdk_acm::types::{CertificateDetail, CertificateStatus, CertificateType};
use aws_smithy_types::Blob;
use futures::stream::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

mod options {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        TRANSPARENCY: Str = optional("certificate_transparency_logging_preference").one_of(&["ENABLED", "DISABLED"]);
    }
}

mod validation {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        DOMAIN: Str = required("domain_name");
        BY: Str = required("validation_domain");
    }
}

attributes! {
    SUMMARY_TABLE:
    RENEWAL_STATUS: Str = computed("renewal_status");
    RENEWAL_REASON: Str = computed("renewal_status_reason");
    UPDATED_AT: Str = computed("updated_at");
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    AUTHORITY: Str = optional("certificate_authority_arn").replaces().check(arn::check)
        .conflicts_with(&["validation_method", "certificate_body", "certificate_chain", "private_key"]);
    BODY: Str = optional("certificate_body").local().same(same_pem).doc("PEM of a certificate to import")
        .conflicts_with(&["domain_name", "subject_alternative_names", "validation_method", "validation_option"]);
    CHAIN: Str = optional("certificate_chain").local().same(same_pem)
        .conflicts_with(&["domain_name", "subject_alternative_names", "validation_method"]);
    DOMAIN_NAME: Str = optional_computed("domain_name").replaces().check(fully_qualified)
        .conflicts_with(&["private_key", "certificate_body", "certificate_chain"]);
    VALIDATION_OPTIONS: Blocks = computed("domain_validation_options").set(&dvo::TABLE)
        .doc("The records that prove who owns the names");
    EARLY_RENEWAL: Str = optional("early_renewal_duration").local();
    KEY_ALGORITHM: Str = optional_computed("key_algorithm").replaces().one_of(&[
        "RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1",
    ]);
    NOT_AFTER: Str = computed("not_after").unknown_after_change_of(IMPORTED);
    NOT_BEFORE: Str = computed("not_before").unknown_after_change_of(IMPORTED);
    OPTIONS: Blocks = optional_computed("options").single(&options::TABLE);
    PENDING_RENEWAL: Bool = computed("pending_renewal");
    PRIVATE_KEY: Str = optional("private_key").local().sensitive().same(same_pem);
    RENEWAL_ELIGIBILITY: Str = computed("renewal_eligibility");
    RENEWAL_SUMMARY: Blocks = computed("renewal_summary").list(&SUMMARY_TABLE);
    STATUS: Str = computed("status");
    OTHER_NAMES: StrSet = optional_computed("subject_alternative_names").replaces().owned_elsewhere(same_names);
    TYPE: Str = computed("type");
    VALIDATION_EMAILS: StrList = computed("validation_emails");
    VALIDATION_METHOD: Str = optional_computed("validation_method").replaces().one_of(&["DNS", "EMAIL", "HTTP"]);
    VALIDATION_OPTION: Blocks = optional("validation_option").set(&validation::TABLE).replaces().local();
}

/// A change of these imports again, under the same ARN.
const IMPORTED: &[&str] = &["certificate_body", "certificate_chain", "private_key"];

pub const SCHEMA: TypeSchema = TypeSchema {
    doc: "A certificate, requested or imported",
    example: r#"
resource "aws_route53_zone" "main" {
  name = "example.com"
}

resource "aws_acm_certificate" "web" {
  domain_name               = "example.com"
  subject_alternative_names = ["*.example.com", "www.example.com"]
  validation_method         = "DNS"
  tags                      = { Name = "web" }

  lifecycle {
    create_before_destroy = true
  }
}

# A name and its wildcard are proven by one record.
resource "aws_route53_record" "proof" {
  for_each = {
    for option in aws_acm_certificate.web.domain_validation_options : option.domain_name => {
      name  = option.resource_record_name
      type  = option.resource_record_type
      value = option.resource_record_value
    }
  }

  zone_id         = aws_route53_zone.main.zone_id
  name            = each.value.name
  type            = each.value.type
  records         = [each.value.value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "web" {
  certificate_arn         = aws_acm_certificate.web.arn
  validation_record_fqdns = [for record in aws_route53_record.proof : record.fqdn]
}
"#,
    validate,
    predict,
    ..TypeSchema::new("aws_acm_certificate", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    if !want.has("domain_name") && !want.has("private_key") {
        problems
            .push(("", "needs `domain_name` (to request one) or `private_key` (to import one)".to_owned()));
    }
    if want.has("private_key") && !want.has("certificate_body") {
        problems.push(("private_key", "comes with `certificate_body`".to_owned()));
    }
    if want.has("certificate_body") && !want.has("private_key") {
        problems.push(("certificate_body", "comes with `private_key`".to_owned()));
    }
    if want.has("early_renewal_duration") {
        let text = "is not carried out here: ACM renews what it issued by itself; renew others with `aws acm renew-certificate`";
        problems.push(("early_renewal_duration", text.to_owned()));
    }
    problems
}

/// One option a name, with what only ACM knows left open: `for_each` over them needs their number and names.
fn predict(want: &Object) -> Vec<(&'static str, Value)> {
    let known = |name: &str| want.value(name).is_none_or(|v| v.is_wholly_known());
    let dns = want.get(&VALIDATION_METHOD).as_deref() == Some("DNS");
    let Some(domain) = want.get(&DOMAIN_NAME) else { return Vec::new() };
    if !known("subject_alternative_names") {
        return Vec::new();
    }
    let names = names(want);
    let mut predicted = Vec::new();
    if dns {
        let option = |name: &String| {
            let mut o = Object::new();
            o.set(&dvo::DOMAIN_NAME, name);
            for unknown in [dvo::RECORD_NAME.row.name, dvo::RECORD_TYPE.row.name, dvo::RECORD_VALUE.row.name]
            {
                o.put(unknown, Some(Value::unknown_not_null(Type::String)));
            }
            Value::from(o)
        };
        let options = names.iter().map(option).collect();
        predicted.push((VALIDATION_OPTIONS.row.name, Value::set(dvo::TABLE.ty(), options)));
    }
    if want.get(&AUTHORITY).is_none() {
        let mut all: BTreeSet<String> = want.all(&OTHER_NAMES).into_iter().collect();
        all.insert(domain);
        let all = all.into_iter().map(Value::from).collect();
        predicted.push((OTHER_NAMES.row.name, Value::set(Type::String, all)));
    }
    predicted
}

/// The domain and all alternative names, in lower case as ACM has them.
fn names(o: &Object) -> BTreeSet<String> {
    let all = o.get(&DOMAIN_NAME).into_iter().chain(o.all(&OTHER_NAMES));
    all.map(|name| name.to_ascii_lowercase()).collect()
}

/// ACM answers the domain among the alternative names, whether it was given there or not.
fn same_names(live: &Object, want: &Object) -> bool {
    let known = ["domain_name", "subject_alternative_names"]
        .iter()
        .all(|name| want.value(name).is_none_or(Value::is_wholly_known));
    known && names(live) == names(want)
}

fn same_pem(live: &Value, want: &Value) -> bool {
    let lines = |v: &Value| v.as_str().map(|s| s.split_whitespace().collect::<Vec<_>>().join("\n"));
    lines(live).is_some() && lines(live) == lines(want)
}

fn fully_qualified(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(s) if s.ends_with('.') => Err("must not end with a period".to_owned()),
        _ => Ok(()),
    }
}

pub const GONE: &[&str] = &["ResourceNotFoundException"];

pub struct AcmCertificate;

#[async_trait(?Send)]
impl AwsType for AcmCertificate {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// Lists of certificates have neither the validation records nor the tags: calls a certificate, side by
    /// side.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(async |item| {
            let Some(live) = describe(aws, item.id).await? else { return Ok(None) };
            let Some(tags) = tags_of(aws, item.id).await? else { return Ok(None) };
            let mut o = object(item, &live);
            tags::read(&mut o, tags);
            Ok(Some(o.complete(&TABLE)))
        });
        futures::stream::iter(reads).buffered(AT_ONCE).try_collect().await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        if job.want.has("private_key") {
            return import(aws, job, None).await;
        }
        let want = job.want;
        let others: Vec<String> = want.all(&OTHER_NAMES);
        let options = want.all(&VALIDATION_OPTION).into_iter().map(|b| {
            let option = sdk::DomainValidationOption::builder();
            option.domain_name(b.need(&validation::DOMAIN)).validation_domain(b.need(&validation::BY)).build()
        });
        let options: Result<Vec<_>, _> = options.collect();
        let made = aws
            .acm
            .request_certificate()
            .domain_name(want.need(&DOMAIN_NAME))
            .set_subject_alternative_names(some(others))
            .set_validation_method(want.get(&VALIDATION_METHOD).map(|m| m.as_str().into()))
            .set_certificate_authority_arn(want.get(&AUTHORITY))
            .set_key_algorithm(want.get(&KEY_ALGORITHM).map(|a| a.as_str().into()))
            .set_domain_validation_options(some(options.map_err(built)?))
            .set_options(transparency(want))
            .idempotency_token(job.token)
            .set_tags(some(creation_tags(job)?))
            .send()
            .await
            .op("RequestCertificate")?;
        let arn = made.certificate_arn.unwrap_or_default();
        let every = Duration::from_secs(5);
        // A few seconds pass until ACM has made up the records.
        wait(aws, "RequestCertificate", every, Duration::from_secs(300), job.progress, async || {
            let live = describe(aws, &arn).await?;
            let settled = live.as_ref().is_some_and(prepared);
            Ok(if settled {
                Poll::Ready(())
            } else {
                Poll::Pending("its validation is being prepared".to_owned())
            })
        })
        .await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(IMPORTED) {
            import(aws, job, Some(job.id)).await?;
        }
        if job.changes(&["options"])
            && let Some(options) = transparency(job.want)
        {
            let call = aws.acm.update_certificate_options().certificate_arn(job.id).options(options);
            call.send().await.op("UpdateCertificateOptions")?;
        }
        let (set, removed) = tags::difference(job.live, job.want);
        if !removed.is_empty() {
            let keys: Result<Vec<_>, _> =
                removed.iter().map(|k| sdk::Tag::builder().key(k).build()).collect();
            let call = aws.acm.remove_tags_from_certificate().certificate_arn(job.id);
            call.set_tags(Some(keys.map_err(built)?)).send().await.op("RemoveTagsFromCertificate")?;
        }
        if !set.is_empty() {
            let call = aws.acm.add_tags_to_certificate().certificate_arn(job.id);
            call.set_tags(Some(sdk_tags(set)?)).send().await.op("AddTagsToCertificate")?;
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // A load balancer that just went is still counted for a while.
        let passing = |e: &AwsError| e.is(&["ResourceInUseException"]);
        let deadline = Duration::from_secs(20 * 60);
        let result = patiently(aws, "DeleteCertificate", deadline, job.progress, passing, async || {
            aws.acm.delete_certificate().certificate_arn(job.id).send().await.op("DeleteCertificate")
        });
        absent(result.await, GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let keys = sdk::KeyAlgorithm::values().iter().map(|k| sdk::KeyAlgorithm::from(*k)).collect();
        let all = sdk::Filters::builder().set_key_types(Some(keys)).build();
        let mut found = aws.acm.list_certificates().includes(all).into_paginator().items().send();
        while let Some(summary) = found.next().await.transpose().op("ListCertificates")? {
            let wanted = job.want.get(&DOMAIN_NAME).map(|d| d.to_ascii_lowercase());
            let arn = summary.certificate_arn.unwrap_or_default();
            if wanted.is_some() && summary.domain_name != wanted {
                continue;
            }
            let tags = tags_of(aws, &arn).await?.unwrap_or_default();
            if tags.get(tags::OWNERSHIP).map(String::as_str) == Some(job.token) {
                return Ok(Some(arn));
            }
        }
        Ok(None)
    }
}

/// None: it is not there.
pub async fn describe(aws: &Aws, arn: &str) -> Result<Option<CertificateDetail>, AwsError> {
    let call = aws.acm.describe_certificate().certificate_arn(arn);
    Ok(absent(call.send().await.op("DescribeCertificate"), GONE)?.and_then(|answer| answer.certificate))
}

/// Failed, or every option shows what has to be done.
fn prepared(live: &CertificateDetail) -> bool {
    if live.status() != Some(&CertificateStatus::PendingValidation) {
        return true;
    }
    let options = live.domain_validation_options();
    !options.is_empty()
        && options.iter().all(|o| {
            let by_dns = o.validation_method() == Some(&sdk::ValidationMethod::Dns);
            !by_dns || o.resource_record().is_some()
        })
}

async fn import(aws: &Aws, job: &Job<'_>, again: Option<&str>) -> Result<String, AwsError> {
    let want = job.want;
    let blob = |text: String| Blob::new(text.into_bytes());
    let mut call = aws
        .acm
        .import_certificate()
        .certificate(blob(want.get(&BODY).unwrap_or_default()))
        .private_key(blob(want.get(&PRIVATE_KEY).unwrap_or_default()))
        .set_certificate_chain(want.get(&CHAIN).map(blob))
        .set_certificate_arn(again.map(str::to_owned));
    // ACM takes no tags with a second import.
    if again.is_none() {
        call = call.set_tags(some(creation_tags(job)?));
    }
    Ok(call.send().await.op("ImportCertificate")?.certificate_arn.unwrap_or_default())
}

/// AWS does not let one opt out any more; configurations that declare the preference stay valid.
#[expect(deprecated)]
fn transparency(want: &Object) -> Option<sdk::CertificateOptions> {
    let preference = want.block(&OPTIONS)?.get(&options::TRANSPARENCY)?;
    let options = sdk::CertificateOptions::builder();
    Some(options.certificate_transparency_logging_preference(preference.as_str().into()).build())
}

fn built(error: aws_smithy_types::error::operation::BuildError) -> AwsError {
    AwsError::failed("RequestCertificate", "Internal", error.to_string())
}

fn creation_tags(job: &Job<'_>) -> Result<Vec<sdk::Tag>, AwsError> {
    sdk_tags(tags::for_creation(job.want, job.token))
}

fn sdk_tags(tags: BTreeMap<String, String>) -> Result<Vec<sdk::Tag>, AwsError> {
    let tags: Result<Vec<_>, _> =
        tags.into_iter().map(|(k, v)| sdk::Tag::builder().key(k).value(v).build()).collect();
    tags.map_err(built)
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    let call = aws.acm.list_tags_for_certificate().certificate_arn(arn);
    let answer = absent(call.send().await.op("ListTagsForCertificate"), GONE)?;
    let pairs =
        |tags: Vec<sdk::Tag>| tags.into_iter().map(|t| (t.key, t.value.unwrap_or_default())).collect();
    Ok(answer.map(|a| pairs(a.tags.unwrap_or_default())))
}

fn object(item: &Existing<'_>, live: &CertificateDetail) -> Object {
    let requested = live.r#type() != Some(&CertificateType::Imported);
    let options = live.domain_validation_options();
    let method = options.first().and_then(|o| o.validation_method()).map(|m| m.as_str());
    let time = |at: Option<&aws_smithy_types::DateTime>| at.map(|at| at.to_string());
    let mut o = Object::new();
    o.set(&ID, item.id)
        .set(&ARN, item.id)
        .set(&AUTHORITY, live.certificate_authority_arn())
        .set(&DOMAIN_NAME, live.domain_name())
        .set(&OTHER_NAMES, live.subject_alternative_names())
        .set(&KEY_ALGORITHM, live.key_algorithm().map(|k| k.as_str().replace('-', "_")))
        .set(&NOT_AFTER, time(live.not_after()))
        .set(&NOT_BEFORE, time(live.not_before()))
        .set(&PENDING_RENEWAL, false)
        .set(&RENEWAL_ELIGIBILITY, live.renewal_eligibility().map(|r| r.as_str()))
        .set(&STATUS, live.status().map(|s| s.as_str()))
        .set(&TYPE, live.r#type().map(|t| t.as_str()))
        .set(&VALIDATION_METHOD, method.filter(|_| requested).or((!requested).then_some("NONE")));
    let emails: Vec<String> = options.iter().flat_map(|o| o.validation_emails()).cloned().collect();
    o.set(&VALIDATION_EMAILS, emails);
    o.set_blocks(&VALIDATION_OPTIONS, dvo::blocks(live));
    #[expect(deprecated)]
    let preference = live.options().and_then(|o| o.certificate_transparency_logging_preference());
    let preference = preference.map(|p| {
        let mut b = Object::new();
        b.set(&options::TRANSPARENCY, p.as_str());
        b
    });
    o.set_blocks(&OPTIONS, preference.into_iter().collect());
    let summary = live.renewal_summary().map(|r| {
        let mut b = Object::new();
        b.set(&RENEWAL_STATUS, r.renewal_status().as_str())
            .set(&RENEWAL_REASON, r.renewal_status_reason().map(|s| s.as_str()))
            .set(&UPDATED_AT, r.updated_at().to_string());
        b
    });
    o.set_blocks(&RENEWAL_SUMMARY, summary.into_iter().collect());
    o
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(domain: &str, others: &[&str]) -> Object {
        let mut o = Object::new();
        let others: Vec<String> = others.iter().map(|s| (*s).to_owned()).collect();
        o.set(&DOMAIN_NAME, domain).set(&OTHER_NAMES, others).set(&VALIDATION_METHOD, "DNS");
        o
    }

    #[test]
    fn the_domain_among_the_other_names_is_no_difference() {
        let live = requested("example.com", &["example.com", "www.example.com"]);
        assert!(same_names(&live, &requested("example.com", &["www.example.com"])));
        assert!(same_names(&live, &requested("example.com", &["www.example.com", "example.com"])));
        assert!(!same_names(&live, &requested("example.com", &["api.example.com"])));
    }

    #[test]
    fn the_names_of_the_records_to_come_are_known_while_planning() {
        let predicted = predict(&requested("example.com", &["*.example.com"]));
        let (name, options) = &predicted[0];
        assert_eq!(*name, "domain_validation_options");
        let options = options.as_slice().expect("a set");
        let names: Vec<&str> =
            options.iter().filter_map(|o| o.as_map()?.get("domain_name")?.as_str()).collect();
        assert_eq!(names, ["*.example.com", "example.com"]);
        assert!(options.iter().all(|o| !o.is_wholly_known()));
    }

    #[test]
    fn a_request_and_an_import_exclude_each_other() {
        assert_eq!(validate(&Object::new()).len(), 1);
        let mut key = Object::new();
        key.set(&PRIVATE_KEY, "-----BEGIN PRIVATE KEY-----");
        assert_eq!(validate(&key), [("private_key", "comes with `certificate_body`".to_owned())]);
    }
}
