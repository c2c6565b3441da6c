//! Data source `local_sensitive_file`: what a file holds that is a secret.

use crate::aws::AwsError;
use crate::builtin::types::files::{self, *};
use crate::builtin::{BuiltinData, Context};
use crate::schema::{Object, TypeSchema, attributes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

attributes! {
    TABLE [CONTENT_BASE64SHA256, CONTENT_BASE64SHA512, CONTENT_MD5, CONTENT_SHA1, CONTENT_SHA256, CONTENT_SHA512]:
    CONTENT: Str = computed("content").sensitive().doc("What does not read as UTF-8 is replaced; `content_base64` has every byte");
    CONTENT_BASE64: Str = computed("content_base64").sensitive();
    FILENAME: Str = required("filename").doc("Relative to the environment's directory");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "What a file holds that is a secret",
    ..TypeSchema::new("local_sensitive_file", &TABLE)
};

pub struct LocalSensitiveFile;

#[async_trait(?Send)]
impl BuiltinData for LocalSensitiveFile {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, want: &Object) -> Result<Object, AwsError> {
        let path = files::path(cx, want);
        let bytes = std::fs::read(&path).map_err(|e| files::failed("read", &path, &e))?;
        let mut object = want.clone();
        files::set_hashes(&mut object, &bytes);
        object
            .set(&CONTENT, String::from_utf8_lossy(&bytes).into_owned())
            .set(&CONTENT_BASE64, STANDARD.encode(&bytes));
        Ok(object)
    }
}
