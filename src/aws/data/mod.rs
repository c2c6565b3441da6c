//! One file a data source, and the list of all of them.

mod acm_certificate;
mod ami;
mod availability_zones;
mod caller_identity;
mod ec2;
mod iam_policy_document;
mod partition;
mod region;
mod route53_zone;
mod ssm_parameter;
mod subnet;
mod subnets;
mod vpc;

use super::AwsData;

/// Every data source, sorted by name.
#[rustfmt::skip]
pub static ALL: &[&dyn AwsData] = &[
    &acm_certificate::AcmCertificate,
    &ami::Ami,
    &availability_zones::AvailabilityZones,
    &caller_identity::CallerIdentity,
    &iam_policy_document::IamPolicyDocument,
    &partition::Partition,
    &region::Region,
    &route53_zone::Route53Zone,
    &ssm_parameter::SsmParameter,
    &subnet::Subnet,
    &subnets::Subnets,
    &vpc::Vpc,
];

pub fn find(name: &str) -> Option<&'static dyn AwsData> {
    name.starts_with("aws_").then(|| ALL.iter().find(|t| t.schema().name == name).copied()).flatten()
}
