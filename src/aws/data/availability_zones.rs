//! `aws_availability_zones`: the zones of the region.

use super::ec2::{self, FILTER};
use crate::aws::types::ec2::filter;
use crate::aws::types::timeouts::TIMEOUTS_READ;
use crate::aws::{Aws, AwsData, AwsError, Op};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use std::collections::BTreeSet;

attributes! {
    TABLE [FILTER, TIMEOUTS_READ]:
    ALL: Bool = optional("all_availability_zones").doc("Also those that the account has not opted in to");
    EXCLUDE_NAMES: StrSet = optional("exclude_names");
    EXCLUDE_IDS: StrSet = optional("exclude_zone_ids");
    GROUP_NAMES: StrSet = computed("group_names");
    NAMES: StrList = computed("names").doc("Sorted");
    STATE: Str = optional("state").one_of(&["available", "information", "impaired", "unavailable", "constrained"]);
    ZONE_IDS: StrList = computed("zone_ids").doc("In the order of `names`");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "The availability zones of the region",
    example: r#"
data "aws_availability_zones" "available" {
  state = "available"
}
"#,
    ..TypeSchema::new("aws_availability_zones", &TABLE)
};

pub struct AvailabilityZones;

#[async_trait(?Send)]
impl AwsData for AvailabilityZones {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let mut filters = ec2::filters(want);
        filters.extend(want.get(&STATE).map(|state| filter("state", [state])));
        let request = aws
            .ec2
            .describe_availability_zones()
            .set_all_availability_zones(want.get(&ALL))
            .set_filters(ec2::some(filters));
        let answer = request.send().await.op("DescribeAvailabilityZones")?;
        let (names, ids) = (want.all(&EXCLUDE_NAMES), want.all(&EXCLUDE_IDS));
        let excluded = |list: &[String], text: Option<&str>| list.iter().any(|x| Some(x.as_str()) == text);
        let mut zones: Vec<_> = answer
            .availability_zones()
            .iter()
            .filter(|z| !excluded(&names, z.zone_name()) && !excluded(&ids, z.zone_id()))
            .collect();
        zones.sort_by_key(|z| z.zone_name());
        let text = |t: Option<&str>| t.unwrap_or_default().to_owned();
        let groups: BTreeSet<String> = zones.iter().map(|z| text(z.group_name())).collect();
        let mut o = want.clone();
        o.set(&ID, &aws.region)
            .set(&GROUP_NAMES, groups.into_iter().filter(|g| !g.is_empty()).collect::<Vec<_>>())
            .set(&NAMES, zones.iter().map(|z| text(z.zone_name())).collect::<Vec<_>>())
            .set(&ZONE_IDS, zones.iter().map(|z| text(z.zone_id())).collect::<Vec<_>>());
        Ok(o)
    }
}
