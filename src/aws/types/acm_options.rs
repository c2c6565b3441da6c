//! What ACM wants to see in DNS before it issues a certificate.

use crate::schema::{Object, attributes};
use aws_sdk_acm::types::CertificateDetail;

attributes! {
    TABLE:
    DOMAIN_NAME: Str = computed("domain_name");
    RECORD_NAME: Str = computed("resource_record_name");
    RECORD_TYPE: Str = computed("resource_record_type");
    RECORD_VALUE: Str = computed("resource_record_value");
}

/// One a name that is validated by DNS.
pub fn blocks(live: &CertificateDetail) -> Vec<Object> {
    let options = live.domain_validation_options().iter();
    let block = |option: &aws_sdk_acm::types::DomainValidation| {
        let record = option.resource_record()?;
        let mut b = Object::new();
        b.set(&DOMAIN_NAME, option.domain_name())
            .set(&RECORD_NAME, record.name())
            .set(&RECORD_TYPE, record.r#type().as_str())
            .set(&RECORD_VALUE, record.value());
        Some(b)
    };
    options.filter_map(block).collect()
}
