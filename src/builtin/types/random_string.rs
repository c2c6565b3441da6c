//! `random_string`: a random string that is no secret.

use super::keepers::KEEPERS;
use super::strings::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE [KEEPERS, LENGTH, LOWER, MIN_LOWER, MIN_NUMERIC, MIN_SPECIAL, MIN_UPPER, NUMBER, NUMERIC, OVERRIDE_SPECIAL, SPECIAL, UPPER]:
    RESULT: Str = computed("result");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A random string; for secrets there is random_password",
    example: r#"
resource "random_string" "suffix" {
  length  = 6
  special = false
  upper   = false
}
"#,
    complete: strings::complete,
    validate: strings::validate,
    ..TypeSchema::new("random_string", &TABLE)
};

pub struct RandomString;

#[async_trait(?Send)]
impl BuiltinType for RandomString {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    fn import(&self, id: &str) -> Option<Object> {
        let mut known = strings::imported(id);
        known.set(&ID, id).set(&RESULT, id);
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let text = strings::generate(job.want, &mut cx.entropy.random(job.token)?)
            .map_err(|problem| AwsError::failed("create", "InvalidCombination", problem))?;
        let mut object = job.want.clone();
        object.set(&ID, &text).set(&RESULT, text);
        Ok(object)
    }
}
