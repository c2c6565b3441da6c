//! `time_static`: a moment, kept.

use super::moments::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE [DAY, HOUR, MINUTE, MONTH, SECOND, TRIGGERS, UNIX, YEAR]:
    RFC3339: Str = optional_computed("rfc3339").replaces().check(is_rfc3339).doc("Now, unless declared");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A moment, kept until its triggers change",
    example: r#"
resource "time_static" "released" {
  triggers = { version = "42" }
}
"#,
    ..TypeSchema::new("time_static", &TABLE)
};

pub struct TimeStatic;

#[async_trait(?Send)]
impl BuiltinType for TimeStatic {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    fn import(&self, id: &str) -> Option<Object> {
        let moment = moments::parse(id)?;
        let mut known = Object::new();
        moments::set_parts(&mut known, &moment);
        known.set(&ID, id).set(&RFC3339, id);
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let moment = moments::declared_or_now(job.want.get(&RFC3339), cx)?;
        let text = moments::format(&moment);
        let mut object = job.want.clone();
        moments::set_parts(&mut object, &moment);
        object.set(&ID, &text).set(&RFC3339, text);
        Ok(object)
    }
}
