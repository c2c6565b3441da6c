//! `local_file`: a file beside the configuration.

use super::files::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE [CONTENT_BASE64SHA256, CONTENT_BASE64SHA512, CONTENT_MD5, CONTENT_SHA1, CONTENT_SHA256, CONTENT_SHA512, FILENAME, SOURCE]:
    CONTENT: Str = optional("content").replaces();
    CONTENT_BASE64: Str = optional("content_base64").replaces();
    DIRECTORY_PERMISSION: Str = optional("directory_permission").default_str("0777").replaces().check(is_permission);
    FILE_PERMISSION: Str = optional("file_permission").default_str("0777").replaces().check(is_permission);
    SENSITIVE_CONTENT: Str = optional("sensitive_content").sensitive().replaces().deprecated("use the resource type `local_sensitive_file`");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A file beside the configuration",
    example: r#"
resource "local_file" "inventory" {
  filename        = "out/inventory.txt"
  content         = "web-1\nweb-2\n"
  file_permission = "0644"
}
"#,
    validate: |want| files::one_content(want, &["content", "content_base64", "sensitive_content", "source"]),
    ..TypeSchema::new("local_file", &TABLE)
};

pub struct LocalFile;

#[async_trait(?Send)]
impl BuiltinType for LocalFile {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    fn read(&self, cx: &Context, known: &Object) -> Result<Option<Object>, AwsError> {
        files::read(cx, known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        files::create(cx, job, &FILE_PERMISSION, &DIRECTORY_PERMISSION)
    }

    async fn delete(&self, cx: &Context, job: &Job<'_>) -> Result<(), AwsError> {
        files::delete(cx, job)
    }
}
