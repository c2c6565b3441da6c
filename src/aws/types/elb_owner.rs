//! Which ECS service moves the weights of a listener or rule: native blue/green, linear and canary
//! deployments do, and then the weights are not ours to set back.

use crate::aws::{Aws, AwsError, Op};
use std::collections::BTreeMap;

/// Listener rule ARN → ARN of the service that declares it as its production or test rule. Asked only
/// when some rule forwards to more than one group: clusters, then services 100 a page, then ten a call.
pub async fn services_by_rule(aws: &Aws) -> Result<BTreeMap<String, String>, AwsError> {
    let clusters: Vec<String> =
        aws.ecs.list_clusters().into_paginator().items().send().try_collect().await.op("ListClusters")?;
    let mut owners = BTreeMap::new();
    for cluster in &clusters {
        let call = aws.ecs.list_services().cluster(cluster).max_results(100).into_paginator().items();
        let services: Vec<String> = call.send().try_collect().await.op("ListServices")?;
        for chunk in services.chunks(10) {
            let call = aws.ecs.describe_services().cluster(cluster).set_services(Some(chunk.to_vec()));
            let answer = call.send().await.op("DescribeServices")?;
            for service in answer.services() {
                let advanced = service.load_balancers().iter().filter_map(|b| b.advanced_configuration());
                let rules = advanced.flat_map(|a| [a.production_listener_rule(), a.test_listener_rule()]);
                for rule in rules.flatten() {
                    owners.insert(rule.to_owned(), service.service_arn().unwrap_or_default().to_owned());
                }
            }
        }
    }
    Ok(owners)
}
