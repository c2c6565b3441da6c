//! `random_id`: random bytes, in several notations.

use super::keepers::KEEPERS;
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dashu_int::UBig;
use rand::Rng;

attributes! {
    TABLE [KEEPERS]:
    B64_STD: Str = computed("b64_std");
    B64_URL: Str = computed("b64_url");
    BYTE_LENGTH: Int = required("byte_length").replaces().range(1, 1 << 20);
    DEC: Str = computed("dec");
    HEX: Str = computed("hex");
    PREFIX: Str = optional("prefix").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Random bytes, in several notations",
    example: r#"
resource "random_id" "bucket" {
  byte_length = 8
  prefix      = "logs-"
  keepers     = { region = "eu-central-1" }
}
"#,
    ..TypeSchema::new("random_id", &TABLE)
};

pub struct RandomId;

#[async_trait(?Send)]
impl BuiltinType for RandomId {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// The id, or `prefix,id`
    fn import(&self, id: &str) -> Option<Object> {
        let (prefix, text) = id.rsplit_once(',').map_or((None, id), |(prefix, text)| (Some(prefix), text));
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let mut known = Object::new();
        known.set(&BYTE_LENGTH, bytes.len()).set(&PREFIX, prefix);
        Some(shown(known, &bytes))
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut bytes = vec![0; job.want.need(&BYTE_LENGTH) as usize];
        cx.entropy.random(job.token)?.fill_bytes(&mut bytes);
        Ok(shown(job.want.clone(), &bytes))
    }
}

/// All notations of the bytes; only the id goes without the prefix.
fn shown(mut object: Object, bytes: &[u8]) -> Object {
    let prefix = object.get(&PREFIX).unwrap_or_default();
    let with = |text: String| format!("{prefix}{text}");
    object
        .set(&ID, URL_SAFE_NO_PAD.encode(bytes))
        .set(&B64_STD, with(STANDARD.encode(bytes)))
        .set(&B64_URL, with(URL_SAFE_NO_PAD.encode(bytes)))
        .set(&HEX, with(hex::encode(bytes)))
        .set(&DEC, with(UBig::from_be_bytes(bytes).to_string()));
    object
}
