//! One file a data source, and the list of all of them.

use super::AwsData;

/// Every data source, sorted by name.
pub static ALL: &[&dyn AwsData] = &[];

pub fn find(name: &str) -> Option<&'static dyn AwsData> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}
