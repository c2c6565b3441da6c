//! `null_resource`: nothing, replaced when its triggers change. Provisioners hang on it.

use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use rand::Rng;

attributes! {
    TABLE:
    TRIGGERS: StrMap = optional("triggers").replaces().doc("A change of any value replaces the resource");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Nothing, replaced when its triggers change",
    example: r#"
resource "null_resource" "release" {
  triggers = { version = "42" }
}
"#,
    ..TypeSchema::new("null_resource", &TABLE)
};

pub struct NullResource;

#[async_trait(?Send)]
impl BuiltinType for NullResource {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut object = job.want.clone();
        let id = cx.entropy.random(job.token)?.next_u64() >> 1;
        object.set(&ID, id.to_string());
        Ok(object)
    }
}
