//! `time_rotating`: a moment that is replaced when its time has come.

use super::moments::{self, *};
use crate::aws::{AwsError, Job};
use crate::builtin::{BuiltinType, Context, over};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use jiff::Zoned;

attributes! {
    TABLE [DAY, HOUR, MINUTE, MONTH, SECOND, TRIGGERS, UNIX, YEAR]:
    RFC3339: Str = optional_computed("rfc3339").replaces().check(is_rfc3339).doc("Now, unless declared");
    ROTATION_DAYS: Int = optional("rotation_days").range(1, i64::MAX);
    ROTATION_HOURS: Int = optional("rotation_hours").range(1, i64::MAX);
    ROTATION_MINUTES: Int = optional("rotation_minutes").range(1, i64::MAX);
    ROTATION_MONTHS: Int = optional("rotation_months").range(1, i64::MAX);
    ROTATION_RFC3339: Str = optional_computed("rotation_rfc3339").check(is_rfc3339).unknown_after_update();
    ROTATION_YEARS: Int = optional("rotation_years").range(1, i64::MAX);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A moment that is replaced when its time has come",
    example: r#"
resource "time_rotating" "key" {
  rotation_days = 90
}
"#,
    validate: |want| {
        let names = [
            "rotation_days",
            "rotation_hours",
            "rotation_minutes",
            "rotation_months",
            "rotation_rfc3339",
            "rotation_years",
        ];
        if names.iter().any(|name| want.has(name)) {
            return Vec::new();
        }
        vec![("", "one of the rotation_* arguments must be set".to_owned())]
    },
    ..TypeSchema::new("time_rotating", &TABLE)
};

/// Every rotation counts from the base, so that the last of several wins, in the provider's own order.
fn rotation(want: &Object, base: &Zoned) -> Option<Zoned> {
    let seconds = |attr, each: i64| want.get(attr).map(|n: i64| Distance::Seconds(n.saturating_mul(each)));
    if let Some(years) = want.get(&ROTATION_YEARS) {
        return Distance::Years(years).after(base);
    }
    if let Some(text) = want.get(&ROTATION_RFC3339).filter(|text| !text.is_empty()) {
        return moments::parse(&text);
    }
    want.get(&ROTATION_MONTHS)
        .map(Distance::Months)
        .or_else(|| seconds(&ROTATION_MINUTES, 60))
        .or_else(|| seconds(&ROTATION_HOURS, 3600))
        .or_else(|| want.get(&ROTATION_DAYS).map(Distance::Days))
        .and_then(|distance| distance.after(base))
}

/// `want` says how far; `object` is to have the outcome.
fn settle(object: &mut Object, want: &Object, base: &Zoned) -> Result<(), AwsError> {
    let far = || AwsError::failed("create", "InvalidTime", "the rotation leads out of the calendar");
    let moment = rotation(want, base).ok_or_else(far)?;
    let text = moments::format(base);
    moments::set_parts(object, &moment);
    object.set(&ID, &text).set(&RFC3339, text).set(&ROTATION_RFC3339, moments::format(&moment));
    Ok(())
}

pub struct TimeRotating;

#[async_trait(?Send)]
impl BuiltinType for TimeRotating {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    /// Past its time it is gone, and made anew.
    fn read(&self, cx: &Context, known: &Object) -> Result<Option<Object>, AwsError> {
        let rotates = known.get(&ROTATION_RFC3339).and_then(|text| moments::parse(&text));
        let past = rotates.is_some_and(|at| cx.clock.now() > at.timestamp());
        Ok((!past).then(|| known.clone()))
    }

    /// `base,years,months,days,hours,minutes`, or `base,moment`.
    fn import(&self, id: &str) -> Option<Object> {
        let attrs = [&ROTATION_YEARS, &ROTATION_MONTHS, &ROTATION_DAYS, &ROTATION_HOURS, &ROTATION_MINUTES];
        let (base, far) = moments::imported(id, attrs.len())?;
        let mut known = Object::new();
        match far {
            Imported::Moment(far) => {
                known.set(&ROTATION_RFC3339, moments::format(&far));
            }
            Imported::Numbers(numbers) => {
                for (attr, n) in attrs.into_iter().zip(numbers).filter(|(_, n)| *n != 0) {
                    known.set(attr, n);
                }
            }
        }
        let want = known.clone();
        settle(&mut known, &want, &base).ok()?;
        Some(known)
    }

    async fn create(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut object = job.want.clone();
        settle(&mut object, job.want, &moments::declared_or_now(job.want.get(&RFC3339), cx)?)?;
        Ok(object)
    }

    async fn update(&self, cx: &Context, job: &Job<'_>) -> Result<Object, AwsError> {
        let mut object = over(job.live, job.want);
        let base = moments::declared_or_now(job.live.get(&RFC3339), cx)?;
        settle(&mut object, job.want, &base)?;
        Ok(object)
    }
}
