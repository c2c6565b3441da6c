//! `local_sensitive_file`: a file with a secret, which only its owner may read.

use super::files::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE [CONTENT_BASE64SHA256, CONTENT_BASE64SHA512, CONTENT_MD5, CONTENT_SHA1, CONTENT_SHA256, CONTENT_SHA512, FILENAME, SOURCE]:
    CONTENT: Str = optional("content").sensitive().replaces();
    CONTENT_BASE64: Str = optional("content_base64").sensitive().replaces();
    DIRECTORY_PERMISSION: Str = optional("directory_permission").default_str("0700").replaces().check(is_permission);
    FILE_PERMISSION: Str = optional("file_permission").default_str("0700").replaces().check(is_permission);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A file with a secret, which only its owner may read",
    example: r#"
resource "local_sensitive_file" "token" {
  filename        = "out/token"
  content         = "not-much-of-a-secret"
  file_permission = "0600"
}
"#,
    validate: |want| files::one_content(want, &["content", "content_base64", "source"]),
    ..TypeSchema::new("local_sensitive_file", &TABLE)
};

pub struct LocalSensitiveFile;

#[async_trait(?Send)]
impl BuiltinType for LocalSensitiveFile {
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
