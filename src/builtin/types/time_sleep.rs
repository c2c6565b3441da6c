//! `time_sleep`: waits, when it is created and when it is destroyed.

use super::moments::{self, TRIGGERS};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context};
use crate::schema::{Attr, ID, Object, Str, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use jiff::tz::TimeZone;
use std::time::Duration;

attributes! {
    TABLE [TRIGGERS]:
    CREATE_DURATION: Str = optional("create_duration").check(is_duration).doc("`30s`, `5m`: waited for after creation of what it depends on");
    DESTROY_DURATION: Str = optional("destroy_duration").check(is_duration).doc("Waited for before what it depends on is destroyed");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Waits, when it is created and when it is destroyed",
    example: r#"
resource "time_sleep" "propagation" {
  create_duration  = "30s"
  destroy_duration = "1m"
}
"#,
    validate: |want| {
        if want.has("create_duration") || want.has("destroy_duration") {
            return Vec::new();
        }
        vec![("", "`create_duration` or `destroy_duration` must be set".to_owned())]
    },
    ..TypeSchema::new("time_sleep", &TABLE)
};

/// One number and one unit, unlike other durations.
fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..digits].parse().ok()?;
    let seconds = match &text[digits..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

fn is_duration(value: &Value) -> Result<(), String> {
    match value.as_str().and_then(parse) {
        Some(_) => Ok(()),
        None => Err("must be a number and ms, s, m or h, such as \"90s\"".to_owned()),
    }
}

async fn wait(cx: &Context, job: &Job<'_>, attr: &Attr<Str>) -> Result<(), AwsError> {
    let Some(text) = job.want.get(attr) else { return Ok(()) };
    let bad =
        || AwsError::failed("wait", "InvalidDuration", format!("`{text}` is not a duration such as 90s"));
    let duration = parse(&text).ok_or_else(bad)?;
    (job.progress)(&format!("waiting {text}"));
    cx.clock.sleep(duration).await;
    Ok(())
}

pub struct TimeSleep;

#[async_trait(?Send)]
impl BuiltinType for TimeSleep {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// `create,destroy`, one of which may be empty.
    fn import(&self, id: &str) -> Option<Object> {
        let (create, destroy) = id.split_once(',')?;
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let good = [create, destroy].into_iter().all(|text| text.is_empty() || parse(text).is_some());
        let mut known = Object::new();
        known.set(&ID, id).set(&CREATE_DURATION, given(create)).set(&DESTROY_DURATION, given(destroy));
        (good && (known.has("create_duration") || known.has("destroy_duration"))).then_some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        wait(cx, job, &CREATE_DURATION).await?;
        let mut object = job.want.clone();
        object.set(&ID, moments::format(&cx.clock.now().to_zoned(TimeZone::UTC)));
        Ok(object)
    }

    async fn delete(&self, cx: &Context, job: &Job<'_>) -> Result<(), AwsError> {
        wait(cx, job, &DESTROY_DURATION).await
    }
}
