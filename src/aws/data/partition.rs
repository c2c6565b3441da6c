//! `aws_partition`: the partition that the region is in.

use crate::aws::{Aws, AwsData, AwsError, partition};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE:
    DNS_SUFFIX: Str = computed("dns_suffix");
    PARTITION: Str = computed("partition");
    REVERSE_DNS_PREFIX: Str = computed("reverse_dns_prefix");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "The partition that the region is in: `aws`, `aws-cn`, `aws-us-gov` …",
    example: r#"
data "aws_partition" "current" {}
"#,
    ..TypeSchema::new("aws_partition", &TABLE)
};

pub struct Partition;

#[async_trait(?Send)]
impl AwsData for Partition {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, _want: &Object) -> Result<Object, AwsError> {
        let partition = partition::of(&aws.region);
        let mut o = Object::new();
        o.set(&ID, partition.name)
            .set(&DNS_SUFFIX, partition.dns_suffix)
            .set(&PARTITION, partition.name)
            .set(&REVERSE_DNS_PREFIX, partition.reverse_dns_prefix);
        Ok(o)
    }
}
