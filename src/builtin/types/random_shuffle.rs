//! `random_shuffle`: a list in another order, or some of it, or it more than once.

use super::keepers::KEEPERS;
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use rand::seq::SliceRandom;

attributes! {
    TABLE [KEEPERS]:
    INPUT: StrList = required("input").replaces();
    RESULT: StrList = computed("result");
    RESULT_COUNT: Int = optional("result_count").replaces().range(0, 1 << 20).doc("How many; all of them unless declared");
    SEED: Str = optional("seed").replaces().doc("The same seed gives the same order");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A list in another order, or some of it",
    example: r#"
resource "random_shuffle" "zones" {
  input        = ["a", "b", "c"]
  result_count = 2
}
"#,
    ..TypeSchema::new("random_shuffle", &TABLE)
};

pub struct RandomShuffle;

#[async_trait(?Send)]
impl BuiltinType for RandomShuffle {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let input = job.want.all(&INPUT);
        let count = job.want.get(&RESULT_COUNT).map_or(input.len(), |n| n as usize);
        let mut random = cx.entropy.seeded_or(job.want.get(&SEED), job.token)?;
        let mut result = Vec::with_capacity(count);
        // More than there are: again in another order, so that each comes up equally often.
        while !input.is_empty() && result.len() < count {
            let mut round = input.clone();
            round.shuffle(&mut random);
            round.truncate(count - result.len());
            result.extend(round);
        }
        let mut object = job.want.clone();
        object.set(&ID, "-").set(&RESULT, result);
        Ok(object)
    }
}
