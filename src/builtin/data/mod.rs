//! One file a data source, and the list of all of them.

mod local_file;
mod local_sensitive_file;
mod null_data_source;
mod template_file;
mod terraform_remote_state;

use super::BuiltinData;

/// Every data source, sorted by name.
#[rustfmt::skip]
pub static ALL: &[&dyn BuiltinData] = &[
    &local_file::LocalFile,
    &local_sensitive_file::LocalSensitiveFile,
    &null_data_source::NullDataSource,
    &template_file::TemplateFile,
    &terraform_remote_state::TerraformRemoteState,
];

pub fn find(name: &str) -> Option<&'static dyn BuiltinData> {
    ALL.iter().find(|t| t.schema().name == name).copied()
}
