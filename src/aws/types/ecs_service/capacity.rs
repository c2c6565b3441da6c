//! Why hosts for a service's tasks do not come.

use super::Place;
use crate::aws::types::autoscaling_group::launch_failures;
use crate::aws::{Aws, AwsError, Op};
use aws_smithy_types::DateTime;

/// What Auto Scaling says of launches that failed since then, for the groups of the service's capacity providers.
pub async fn failures(aws: &Aws, place: &Place, began: Option<DateTime>) -> Result<Vec<String>, AwsError> {
    let call = aws.ecs.describe_services().cluster(&place.cluster).services(&place.service);
    let answer = call.send().await.op("DescribeServices")?;
    let strategy = answer.services().first().map(|s| s.capacity_provider_strategy()).unwrap_or_default();
    let names: Vec<String> = strategy.iter().map(|item| item.capacity_provider().to_owned()).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let call = aws.ecs.describe_capacity_providers().set_capacity_providers(Some(names)).send().await;
    let answer = call.op("DescribeCapacityProviders")?;
    let mut failures = Vec::new();
    for provider in answer.capacity_providers() {
        let arn = provider.auto_scaling_group_provider().map(|p| p.auto_scaling_group_arn());
        if let Some(group) = arn.and_then(|arn| arn.rsplit("autoScalingGroupName/").next()) {
            failures.extend(launch_failures(aws, group, began).await?);
        }
    }
    Ok(failures)
}
