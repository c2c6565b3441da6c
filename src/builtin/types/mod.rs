//! One file a resource type, and the list of all of them.

pub mod files;
pub mod keepers;
mod local_file;
mod local_sensitive_file;
pub mod moments;
mod null_resource;
mod random_id;
mod random_integer;
mod random_password;
mod random_pet;
mod random_shuffle;
mod random_string;
mod random_uuid;
pub mod strings;
mod terraform_data;
mod time_offset;
mod time_rotating;
mod time_sleep;
mod time_static;

use super::BuiltinType;

/// Every resource type, sorted by name.
#[rustfmt::skip]
pub static ALL: &[&dyn BuiltinType] = &[
    &local_file::LocalFile,
    &local_sensitive_file::LocalSensitiveFile,
    &null_resource::NullResource,
    &random_id::RandomId,
    &random_integer::RandomInteger,
    &random_password::RandomPassword,
    &random_pet::RandomPet,
    &random_shuffle::RandomShuffle,
    &random_string::RandomString,
    &random_uuid::RandomUuid,
    &terraform_data::TerraformData,
    &time_offset::TimeOffset,
    &time_rotating::TimeRotating,
    &time_sleep::TimeSleep,
    &time_static::TimeStatic,
];

pub fn find(name: &str) -> Option<&'static dyn BuiltinType> {
    if name.starts_with("aws_") {
        return None;
    }
    ALL.iter().find(|t| t.schema().name == name).copied()
}
