//! `time_offset`: a moment some way from another, both kept.

use super::moments::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context, over};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use jiff::Zoned;

attributes! {
    TABLE [DAY, HOUR, MINUTE, MONTH, SECOND, TRIGGERS, UNIX, YEAR]:
    BASE_RFC3339: Str = optional_computed("base_rfc3339").check(is_rfc3339).doc("Now, unless declared");
    OFFSET_DAYS: Int = optional("offset_days");
    OFFSET_HOURS: Int = optional("offset_hours");
    OFFSET_MINUTES: Int = optional("offset_minutes");
    OFFSET_MONTHS: Int = optional("offset_months");
    OFFSET_SECONDS: Int = optional("offset_seconds");
    OFFSET_YEARS: Int = optional("offset_years");
    RFC3339: Str = computed("rfc3339").unknown_after_update();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A moment some way from another, kept until its triggers change",
    example: r#"
resource "time_offset" "expiry" {
  offset_days = 30
}
"#,
    validate: |want| {
        let names = [
            "offset_days",
            "offset_hours",
            "offset_minutes",
            "offset_months",
            "offset_seconds",
            "offset_years",
        ];
        if names.iter().any(|name| want.has(name)) {
            return Vec::new();
        }
        vec![("", "one of the offset_* arguments must be set".to_owned())]
    },
    ..TypeSchema::new("time_offset", &TABLE)
};

/// Every offset counts from the base, so that the last of several wins, in the provider's own order.
fn distance(want: &Object) -> Option<Distance> {
    let seconds = |attr, each: i64| {
        want.get(attr).filter(|n| *n != 0).map(|n: i64| Distance::Seconds(n.saturating_mul(each)))
    };
    let part = |attr, of: fn(i64) -> Distance| want.get(attr).filter(|n| *n != 0).map(of);
    part(&OFFSET_YEARS, Distance::Years)
        .or_else(|| seconds(&OFFSET_SECONDS, 1))
        .or_else(|| part(&OFFSET_MONTHS, Distance::Months))
        .or_else(|| seconds(&OFFSET_MINUTES, 60))
        .or_else(|| seconds(&OFFSET_HOURS, 3600))
        .or_else(|| part(&OFFSET_DAYS, Distance::Days))
}

fn settle(object: &mut Object, base: &Zoned) -> Result<(), AwsError> {
    let far = || AwsError::failed("create", "InvalidTime", "the offset leads out of the calendar");
    let moment = match distance(object) {
        Some(distance) => distance.after(base).ok_or_else(far)?,
        None => base.clone(),
    };
    let text = moments::format(base);
    moments::set_parts(object, &moment);
    object.set(&ID, &text).set(&BASE_RFC3339, text).set(&RFC3339, moments::format(&moment));
    Ok(())
}

pub struct TimeOffset;

#[async_trait(?Send)]
impl BuiltinType for TimeOffset {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// `base,years,months,days,hours,minutes,seconds`
    fn import(&self, id: &str) -> Option<Object> {
        let attrs =
            [&OFFSET_YEARS, &OFFSET_MONTHS, &OFFSET_DAYS, &OFFSET_HOURS, &OFFSET_MINUTES, &OFFSET_SECONDS];
        let (base, far) = moments::imported(id, attrs.len())?;
        let Imported::Numbers(numbers) = far else { return None };
        let mut known = Object::new();
        for (attr, n) in attrs.into_iter().zip(numbers).filter(|(_, n)| *n != 0) {
            known.set(attr, n);
        }
        settle(&mut known, &base).ok()?;
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut object = job.want.clone();
        settle(&mut object, &moments::declared_or_now(job.want.get(&BASE_RFC3339), cx)?)?;
        Ok(object)
    }

    async fn update(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let base = job.want.get(&BASE_RFC3339).or_else(|| job.live.get(&BASE_RFC3339));
        let mut object = over(job.live, job.want);
        settle(&mut object, &moments::declared_or_now(base, cx)?)?;
        Ok(object)
    }
}
