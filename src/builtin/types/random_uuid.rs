//! `random_uuid`: a random UUID.

use super::keepers::KEEPERS;
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE [KEEPERS]:
    RESULT: Str = computed("result");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A random UUID",
    example: r#"
resource "random_uuid" "installation" {}
"#,
    ..TypeSchema::new("random_uuid", &TABLE)
};

pub struct RandomUuid;

#[async_trait(?Send)]
impl BuiltinType for RandomUuid {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    fn import(&self, id: &str) -> Option<Object> {
        let uuid = uuid::Uuid::parse_str(id).ok()?.to_string();
        let mut known = Object::new();
        known.set(&ID, &uuid).set(&RESULT, uuid);
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let uuid = cx.entropy.uuid(job.token)?;
        let mut object = job.want.clone();
        object.set(&ID, &uuid).set(&RESULT, uuid.as_str());
        Ok(object)
    }
}
