//! One file a resource type, and the list of all of them.

mod null_resource;
mod terraform_data;

use super::BuiltinType;

/// Every resource type, sorted by name.
pub static ALL: &[&dyn BuiltinType] = &[&null_resource::NullResource, &terraform_data::TerraformData];

pub fn find(name: &str) -> Option<&'static dyn BuiltinType> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}
