//! `random_integer`: a whole number between two others.

use super::keepers::KEEPERS;
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use rand::RngExt;

attributes! {
    TABLE [KEEPERS]:
    MAX: Int = required("max").replaces();
    MIN: Int = required("min").replaces();
    RESULT: Int = computed("result");
    SEED: Str = optional("seed").replaces().doc("The same seed gives the same result");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A whole number between two others, both included",
    example: r#"
resource "random_integer" "port" {
  min = 8000
  max = 8099
}
"#,
    validate: |want| match (want.get(&MIN), want.get(&MAX)) {
        (Some(min), Some(max)) if min > max => {
            vec![("min", format!("`min` ({min}) is more than `max` ({max})"))]
        }
        _ => Vec::new(),
    },
    ..TypeSchema::new("random_integer", &TABLE)
};

pub struct RandomInteger;

#[async_trait(?Send)]
impl BuiltinType for RandomInteger {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// `result,min,max` or `result,min,max,seed`
    fn import(&self, id: &str) -> Option<Object> {
        let parts: Vec<&str> = id.split(',').collect();
        let (&[result, min, max] | &[result, min, max, _]) = parts.as_slice() else { return None };
        let mut known = Object::new();
        known
            .set(&ID, result)
            .set(&RESULT, result.parse::<i64>().ok()?)
            .set(&MIN, min.parse::<i64>().ok()?)
            .set(&MAX, max.parse::<i64>().ok()?)
            .set(&SEED, parts.get(3).map(|seed| (*seed).to_owned()));
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let (min, max) = (job.want.need(&MIN), job.want.need(&MAX));
        // What was unknown while planning is checked now.
        if min > max {
            let message = format!("`min` ({min}) is more than `max` ({max})");
            return Err(AwsError::failed("create", "InvalidRange", message));
        }
        let mut random = cx.entropy.seeded_or(job.want.get(&SEED), job.token)?;
        let result: i64 = random.random_range(min..=max);
        let mut object = job.want.clone();
        object.set(&ID, result.to_string()).set(&RESULT, result);
        Ok(object)
    }
}
