//! `terraform_data`: keeps a value of any type; its output is its input once it was applied.

use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context, over};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::{Type, Value};
use async_trait::async_trait;

attributes! {
    TABLE:
    INPUT: Any = optional("input").doc("A value to keep; `output` has it after apply");
    OUTPUT: Any = computed("output");
    TRIGGERS_REPLACE: Any = optional("triggers_replace").replaces().doc("A change of it replaces the resource");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Keeps a value of any type, and is replaced when another one changes",
    example: r#"
resource "terraform_data" "version" {
  input            = { tag = "1.4.2", ports = [80, 443], canary = null }
  triggers_replace = ["blue"]
}
"#,
    predict: |want| vec![("output", if input(want).is_null() { input(want) } else { unknown_output(want) })],
    predict_update: |want, changed| {
        vec![("output", if changed.contains(&"input") { unknown_output(want) } else { input(want) })]
    },
    ..TypeSchema::new("terraform_data", &TABLE)
};

fn input(want: &Object) -> Value {
    want.value("input").cloned().unwrap_or_else(|| Value::null(Type::Dynamic))
}

/// Known only after apply, but of the input's type. What is secret in the input is so in the output:
/// Terraform forgets that, and shows it.
fn unknown_output(want: &Object) -> Value {
    let input = input(want);
    Value::unknown(input.ty()).marked(input.all_marks())
}

fn settled(mut object: Object) -> Object {
    let output = input(&object);
    object.put("output", Some(output));
    object
}

pub struct TerraformData;

#[async_trait(?Send)]
impl BuiltinType for TerraformData {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    fn import(&self, id: &str) -> Option<Object> {
        let mut known = Object::new();
        known.set(&ID, id);
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut object = settled(job.want.clone());
        object.set(&ID, cx.entropy.uuid(job.token)?);
        Ok(object)
    }

    async fn update(&self, _cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        Ok(settled(over(job.live, job.want)))
    }
}
