//! `aws_ssm_parameter`: a value from the Parameter Store, AWS's public ones included.

use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterType;

attributes! {
    TABLE:
    ARN: Str = computed("arn");
    INSECURE_VALUE: Str = computed("insecure_value");
    NAME: Str = required("name");
    TYPE: Str = computed("type");
    VALUE: Str = computed("value").sensitive();
    VERSION: Int = computed("version");
    WITH_DECRYPTION: Bool = optional("with_decryption").default_bool(true);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A value from the Parameter Store",
    example: r#"
data "aws_ssm_parameter" "ami" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}
"#,
    ..TypeSchema::new("aws_ssm_parameter", &TABLE)
};

pub struct SsmParameter;

#[async_trait(?Send)]
impl AwsData for SsmParameter {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let name = want.need(&NAME);
        let call = aws.ssm.get_parameter().name(&name).set_with_decryption(want.get(&WITH_DECRYPTION));
        let answer = call.send().await.op("GetParameter")?;
        let Some(parameter) = answer.parameter else {
            return Err(AwsError::failed(
                "GetParameter",
                "ParameterNotFound",
                format!("there is no parameter {name}"),
            ));
        };
        let plain = parameter.r#type() != Some(&ParameterType::SecureString);
        let mut o = Object::new();
        o.set(&ID, &name)
            .set(&NAME, &name)
            .set(&ARN, parameter.arn())
            .set(&TYPE, parameter.r#type().map(|t| t.as_str()))
            .set(&VALUE, parameter.value())
            .set(&INSECURE_VALUE, parameter.value().filter(|_| plain))
            .set(&VERSION, parameter.version())
            .set(&WITH_DECRYPTION, want.get(&WITH_DECRYPTION));
        Ok(o)
    }
}
