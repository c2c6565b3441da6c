//! One file a resource type, and the list of all of them.

mod ec2;
mod vpc;

use super::AwsType;

/// Every resource type, sorted by name.
pub static ALL: &[&dyn AwsType] = &[&vpc::Vpc];

pub fn find(name: &str) -> Option<&'static dyn AwsType> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}
