//! `random_password`: a random string that is a secret. It must be usable again, so state keeps it encrypted.

use super::keepers::KEEPERS;
use super::strings::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context, Random};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use rand::Rng;

attributes! {
    TABLE [KEEPERS, LENGTH, LOWER, MIN_LOWER, MIN_NUMERIC, MIN_SPECIAL, MIN_UPPER, NUMBER, NUMERIC, OVERRIDE_SPECIAL, SPECIAL, UPPER]:
    BCRYPT_HASH: Str = computed("bcrypt_hash").sensitive().kept();
    RESULT: Str = computed("result").sensitive().kept();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A random string that is a secret",
    example: r#"
resource "random_password" "database" {
  length           = 24
  override_special = "-_."
  min_numeric      = 2
}
"#,
    complete: strings::complete,
    validate: strings::validate,
    ..TypeSchema::new("random_password", &TABLE)
};

/// Of the bcrypt hash, as Go's library has it by default.
const COST: u32 = 10;

fn hashed(text: &str, random: &mut Random) -> Result<String, AwsError> {
    let mut salt = [0; 16];
    random.fill_bytes(&mut salt);
    let hash = bcrypt::hash_with_salt(text, COST, salt)
        .map_err(|error| AwsError::failed("create", "BcryptFailed", error.to_string()))?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA))
}

pub struct RandomPassword;

#[async_trait(?Send)]
impl BuiltinType for RandomPassword {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// By the password itself.
    fn import(&self, id: &str) -> Option<Object> {
        let mut known = strings::imported(id);
        known.set(&ID, "none").set(&RESULT, id);
        Some(known)
    }

    /// What was imported has no hash yet.
    fn read(&self, cx: &Context, known: &Object) -> Result<Option<Object>, AwsError> {
        let mut known = known.clone();
        if let (Some(text), false) = (known.get(&RESULT), known.has("bcrypt_hash")) {
            known.set(&BCRYPT_HASH, hashed(&text, &mut cx.entropy.random("imported password")?)?);
        }
        Ok(Some(known))
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut random = cx.entropy.random(job.token)?;
        let text = strings::generate(job.want, &mut random)
            .map_err(|problem| AwsError::failed("create", "InvalidCombination", problem))?;
        let hash = hashed(&text, &mut random)?;
        let mut object = job.want.clone();
        object.set(&ID, "none").set(&RESULT, text).set(&BCRYPT_HASH, hash);
        Ok(object)
    }
}
