//! `aws_region`: the region in use, or another one by its name or endpoint.

use crate::aws::{Aws, AwsData, AwsError, partition};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;

attributes! {
    TABLE:
    DESCRIPTION: Str = computed("description");
    ENDPOINT: Str = optional_computed("endpoint").doc("EC2's endpoint there, without scheme");
    NAME: Str = optional_computed("name");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A region; the one in use unless `name` or `endpoint` says another",
    example: r#"
data "aws_region" "current" {}
"#,
    ..TypeSchema::new("aws_region", &TABLE)
};

pub struct Region;

#[async_trait(?Send)]
impl AwsData for Region {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let by_endpoint = match want.get(&ENDPOINT) {
            Some(endpoint) => Some(of_endpoint(&endpoint).ok_or_else(|| unknown(&endpoint))?),
            None => None,
        };
        let name = match (want.get(&NAME), by_endpoint) {
            (Some(name), Some(other)) if name != other => {
                let message = format!("`name` is {name}, but `endpoint` is that of {other}");
                return Err(AwsError::failed("aws_region", "Ambiguous", message));
            }
            (Some(name), _) if name != aws.region && description(&name).is_none() => {
                return Err(unknown(&name));
            }
            (Some(name), _) => name,
            (None, Some(name)) => name.to_owned(),
            (None, None) => aws.region.clone(),
        };
        let mut o = Object::new();
        o.set(&ID, &name)
            .set(&DESCRIPTION, description(&name).unwrap_or_default())
            .set(&ENDPOINT, endpoint(&name))
            .set(&NAME, &name);
        Ok(o)
    }
}

fn unknown(text: &str) -> AwsError {
    AwsError::failed("aws_region", "NotFound", format!("no region is known by {text:?}"))
}

fn endpoint(region: &str) -> String {
    format!("ec2.{region}.{}", partition::of(region).dns_suffix)
}

fn of_endpoint(text: &str) -> Option<&'static str> {
    REGIONS.iter().map(|(name, _)| *name).find(|name| endpoint(name) == text)
}

fn description(region: &str) -> Option<&'static str> {
    REGIONS.iter().find(|(name, _)| *name == region).map(|(_, text)| *text)
}

/// AWS's regions and what AWS calls them (AWS General Reference, "AWS service endpoints").
static REGIONS: &[(&str, &str)] = &[
    ("af-south-1", "Africa (Cape Town)"),
    ("ap-east-1", "Asia Pacific (Hong Kong)"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("ap-northeast-2", "Asia Pacific (Seoul)"),
    ("ap-northeast-3", "Asia Pacific (Osaka)"),
    ("ap-south-1", "Asia Pacific (Mumbai)"),
    ("ap-south-2", "Asia Pacific (Hyderabad)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-southeast-2", "Asia Pacific (Sydney)"),
    ("ap-southeast-3", "Asia Pacific (Jakarta)"),
    ("ap-southeast-4", "Asia Pacific (Melbourne)"),
    ("ap-southeast-5", "Asia Pacific (Malaysia)"),
    ("ap-southeast-7", "Asia Pacific (Thailand)"),
    ("ca-central-1", "Canada (Central)"),
    ("ca-west-1", "Canada West (Calgary)"),
    ("cn-north-1", "China (Beijing)"),
    ("cn-northwest-1", "China (Ningxia)"),
    ("eu-central-1", "Europe (Frankfurt)"),
    ("eu-central-2", "Europe (Zurich)"),
    ("eu-north-1", "Europe (Stockholm)"),
    ("eu-south-1", "Europe (Milan)"),
    ("eu-south-2", "Europe (Spain)"),
    ("eu-west-1", "Europe (Ireland)"),
    ("eu-west-2", "Europe (London)"),
    ("eu-west-3", "Europe (Paris)"),
    ("il-central-1", "Israel (Tel Aviv)"),
    ("me-central-1", "Middle East (UAE)"),
    ("me-south-1", "Middle East (Bahrain)"),
    ("mx-central-1", "Mexico (Central)"),
    ("sa-east-1", "South America (Sao Paulo)"),
    ("us-east-1", "US East (N. Virginia)"),
    ("us-east-2", "US East (Ohio)"),
    ("us-gov-east-1", "AWS GovCloud (US-East)"),
    ("us-gov-west-1", "AWS GovCloud (US-West)"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_name_their_region() {
        assert_eq!(of_endpoint("ec2.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(of_endpoint("ec2.cn-north-1.amazonaws.com.cn"), Some("cn-north-1"));
        assert_eq!(of_endpoint("ec2.nowhere-1.amazonaws.com"), None);
    }
}
