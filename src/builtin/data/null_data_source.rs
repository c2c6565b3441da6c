//! Data source `null_data_source`: its inputs as outputs.

use crate::aws::AwsError;
use crate::builtin::{BuiltinData, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use rand::Rng;

attributes! {
    TABLE:
    HAS_COMPUTED_DEFAULT: Str = optional_computed("has_computed_default");
    INPUTS: StrMap = optional("inputs");
    OUTPUTS: StrMap = computed("outputs");
    RANDOM: Str = computed("random");
}

static SCHEMA: TypeSchema =
    TypeSchema { doc: "Its inputs as outputs", ..TypeSchema::new("null_data_source", &TABLE) };

pub struct NullDataSource;

#[async_trait(?Send)]
impl BuiltinData for NullDataSource {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, cx: &Context, want: &Object) -> Result<Object, AwsError> {
        let mut object = want.clone();
        object.put("outputs", want.value("inputs").cloned());
        if !want.has("has_computed_default") {
            object.set(&HAS_COMPUTED_DEFAULT, "default");
        }
        // Another one at every time, where the clock goes on.
        let moment = cx.clock.now().to_string();
        let random = cx.entropy.random(&moment)?.next_u64() >> 1;
        object.set(&ID, "static").set(&RANDOM, random.to_string());
        Ok(object)
    }
}
