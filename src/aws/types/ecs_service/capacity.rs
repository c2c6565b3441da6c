//! Why hosts for a service's tasks do not come.

use crate::aws::types::autoscaling_group::launch_failures;
use crate::aws::{Aws, AwsError, Op};
use aws_sdk_ecs::types::Service;
use aws_smithy_types::DateTime;

/// What Auto Scaling says of launches that failed since then, for the groups of the service's capacity providers.
pub async fn failures(
    aws: &Aws,
    service: &Service,
    began: Option<DateTime>,
) -> Result<Vec<String>, AwsError> {
    let strategy = service.capacity_provider_strategy();
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
