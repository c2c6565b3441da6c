//! One file a data source, and the list of all of them.

mod ami;
mod availability_zones;
mod ec2;
mod partition;
mod region;
mod subnet;
mod subnets;
mod vpc;

use super::AwsData;

/// Every data source, sorted by name.
#[rustfmt::skip]
pub static ALL: &[&dyn AwsData] = &[
    &ami::Ami,
    &availability_zones::AvailabilityZones,
    &partition::Partition,
    &region::Region,
    &subnet::Subnet,
    &subnets::Subnets,
    &vpc::Vpc,
];

pub fn find(name: &str) -> Option<&'static dyn AwsData> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}
