//! `aws_acm_certificate_validation`: not a thing in AWS, but the wait until a certificate is issued.

use super::acm_certificate::{GONE, describe};
use super::acm_options as dvo;

use super::iam::AT_ONCE;
use super::timeouts::{self, TIMEOUTS_CREATE};
use crate::aws::arn;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_acm::types::{CertificateDetail, CertificateStatus, CertificateType};
use futures::stream::{StreamExt, TryStreamExt};
use std::time::Duration;

attributes! {
    TABLE [TIMEOUTS_CREATE]:
    CERTIFICATE_ARN: Str = required("certificate_arn").replaces().check(arn::check);
    RECORDS: StrSet = optional("validation_record_fqdns").replaces().local()
        .doc("The records that prove it; compared with those that ACM wants to see");
}

pub const SCHEMA: TypeSchema = TypeSchema {
    doc: "The wait until a certificate is issued",
    example: super::acm_certificate::SCHEMA.example,
    ..TypeSchema::new("aws_acm_certificate_validation", &TABLE)
};

pub struct AcmCertificateValidation;

#[async_trait(?Send)]
impl AwsType for AcmCertificateValidation {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// There as long as its certificate is issued.
    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let reads = items.iter().map(async |item| {
            let live = describe(aws, item.id).await?;
            let issued = live.is_some_and(|live| live.status() == Some(&CertificateStatus::Issued));
            let mut o = Object::new();
            o.set(&ID, item.id).set(&CERTIFICATE_ARN, item.id);
            Ok(issued.then(|| o.complete(&TABLE)))
        });
        futures::stream::iter(reads).buffered(AT_ONCE).try_collect().await
    }

    /// Its id is the certificate's ARN.
    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        const OPERATION: &str = "DescribeCertificate";
        let arn = job.want.need(&CERTIFICATE_ARN);
        let missing = || AwsError::failed(OPERATION, GONE[0], format!("there is no certificate {arn}"));
        let live = describe(aws, &arn).await?.ok_or_else(missing)?;
        check_kind(&live, &arn)?;
        check_records(&live, &job.want.all(&RECORDS))?;
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 75);
        wait(aws, OPERATION, Duration::from_secs(10), deadline, job.progress, async || {
            let live = describe(aws, &arn).await?.ok_or_else(missing)?;
            progress(&live)
        })
        .await?;
        Ok(arn)
    }

    async fn update(&self, _aws: &Aws, _job: &Job<'_>) -> Result<(), AwsError> {
        Ok(())
    }

    async fn delete(&self, _aws: &Aws, _job: &Job<'_>) -> Result<(), AwsError> {
        Ok(())
    }

    /// Nothing is made, so nothing can be lost: an issued certificate stands for a wait that has ended.
    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let Some(arn) = job.want.get(&CERTIFICATE_ARN) else { return Ok(None) };
        let live = absent(describe(aws, &arn).await, GONE)?.flatten();
        Ok(live.filter(|live| live.status() == Some(&CertificateStatus::Issued)).map(|_| arn))
    }
}

fn check_kind(live: &CertificateDetail, arn: &str) -> Result<(), AwsError> {
    if live.r#type() == Some(&CertificateType::AmazonIssued) {
        return Ok(());
    }
    let text = format!("{arn} is not issued by Amazon: there is nothing to validate");
    Err(AwsError::failed("DescribeCertificate", "NotValidated", text))
}

/// The records must be just those that ACM looks for.
fn check_records(live: &CertificateDetail, given: &[String]) -> Result<(), AwsError> {
    if given.is_empty() || live.status() == Some(&CertificateStatus::Issued) {
        return Ok(());
    }
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let given: Vec<String> = given.iter().map(|name| plain(name)).collect();
    let wanted = dvo::blocks(live).into_iter().filter_map(|b| b.get(&dvo::RECORD_NAME));
    let missing: Vec<String> = wanted.map(|name| plain(&name)).filter(|name| !given.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("validation_record_fqdns lacks {}: ACM looks for it", missing.join(", "));
    Err(AwsError::failed("DescribeCertificate", "RecordMissing", text))
}

fn progress(live: &CertificateDetail) -> Result<Poll<()>, AwsError> {
    match live.status() {
        Some(CertificateStatus::Issued) => Ok(Poll::Ready(())),
        Some(CertificateStatus::PendingValidation) => {
            let open = live.domain_validation_options().iter();
            let open = open.filter(|o| o.validation_status().is_none_or(|s| s.as_str() != "SUCCESS"));
            let names: Vec<&str> = open.map(|o| o.domain_name()).collect();
            Ok(Poll::Pending(format!("validation pending for {}", names.join(", "))))
        }
        other => {
            let why = live.failure_reason().map(|r| format!(": {}", r.as_str())).unwrap_or_default();
            let status = other.map_or("without a status", |s| s.as_str());
            Err(AwsError::failed(
                "DescribeCertificate",
                "NotIssued",
                format!("the certificate is {status}{why}"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_acm::types as sdk;

    fn pending() -> CertificateDetail {
        let record = sdk::ResourceRecord::builder()
            .name("_a.example.com.")
            .r#type(sdk::RecordType::Cname)
            .value("_b.acm-validations.aws.")
            .build()
            .expect("complete");
        let option = sdk::DomainValidation::builder().domain_name("example.com").resource_record(record);
        CertificateDetail::builder()
            .status(CertificateStatus::PendingValidation)
            .domain_validation_options(option.build().expect("complete"))
            .build()
    }

    #[test]
    fn records_that_acm_does_not_look_for_prove_nothing() {
        assert_eq!(check_records(&pending(), &["_A.example.com".to_owned()]), Ok(()));
        assert_eq!(check_records(&pending(), &[]), Ok(()));
        let error = check_records(&pending(), &["www.example.com".to_owned()]).expect_err("missing");
        assert!(error.message.contains("_a.example.com"), "{}", error.message);
    }
}
