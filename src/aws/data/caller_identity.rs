//! `aws_caller_identity`: who is calling.

use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE:
    ACCOUNT_ID: Str = computed("account_id");
    ARN: Str = computed("arn");
    USER_ID: Str = computed("user_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Who is calling, in which account",
    example: r#"
data "aws_caller_identity" "current" {}
"#,
    ..TypeSchema::new("aws_caller_identity", &TABLE)
};

pub struct CallerIdentity;

#[async_trait(?Send)]
impl AwsData for CallerIdentity {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, _want: &Object) -> Result<Object, AwsError> {
        let answer = aws.sts.get_caller_identity().send().await.op("GetCallerIdentity")?;
        let mut o = Object::new();
        o.set(&ID, answer.account())
            .set(&ACCOUNT_ID, answer.account())
            .set(&ARN, answer.arn())
            .set(&USER_ID, answer.user_id());
        Ok(o)
    }
}
