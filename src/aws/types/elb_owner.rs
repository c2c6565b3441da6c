//! Which ECS service moves the weights of a listener or rule: native blue/green, linear and canary
//! deployments do, and CodeDeploy does; then the weights are not ours to set back.

use super::codedeploy::{Deployer, deployers};
use super::elb_actions;
use crate::aws::{Aws, AwsError, Op};
use crate::schema::Object;
use crate::value::Value;
use aws_sdk_elasticloadbalancingv2::types::Action;
use std::collections::BTreeMap;

/// Who moves traffic on listeners and rules.
#[derive(Default)]
pub struct Owners {
    services: BTreeMap<String, String>,
    deployers: Vec<Deployer>,
}

impl Owners {
    /// Asks only where something may have moved: an action with several groups, or one that is not as it was
    /// when it was last seen. Items are what is known of an action, and the actions that are live.
    pub async fn ask<'a>(
        aws: &Aws,
        items: impl IntoIterator<Item = (Option<&'a Value>, &'a [Action])>,
    ) -> Result<Self, AwsError> {
        let (mut weighted, mut moved) = (false, false);
        for (known, live) in items {
            weighted |= elb_actions::group_count(live) > 1;
            moved |= known.is_some_and(|known| elb_actions::has_moved(live, known));
        }
        Ok(Self {
            services: if weighted { services_by_rule(aws).await? } else { BTreeMap::new() },
            deployers: match weighted || moved {
                true => deployers(aws).await?.unwrap_or_default(),
                false => Vec::new(),
            },
        })
    }

    pub fn has_services(&self) -> bool {
        !self.services.is_empty()
    }

    /// The service by which ECS moves the weights of a rule.
    pub fn service(&self, rule: &str) -> Option<&String> {
        self.services.get(rule)
    }

    /// The deployment group by which CodeDeploy moves traffic of a listener between groups, one of which has it.
    pub fn deployer(&self, listener: &str, actions: &[Action]) -> Option<(String, &Deployer)> {
        let named = |arn: &String| arn.rsplit('/').nth(1).map(str::to_owned);
        let serving: Vec<String> = elb_actions::group_arns(actions).iter().filter_map(named).collect();
        let moves = |d: &&Deployer| {
            d.listeners.iter().any(|arn| arn == listener)
                && serving.iter().any(|g| d.target_groups.contains(g))
        };
        let deployer = self.deployers.iter().find(moves)?;
        let parts: Vec<&str> = listener.split(':').collect();
        let [_, partition, _, region, account, ..] = parts[..] else { return None };
        let (application, group) = (&deployer.application, &deployer.group);
        let arn =
            format!("arn:{partition}:codedeploy:{region}:{account}:deploymentgroup:{application}/{group}");
        Some((arn, deployer))
    }
}

/// `arn:…:listener-rule/app/web/1/2/3` → `arn:…:listener/app/web/1/2`
pub fn listener_of(rule: &str) -> String {
    let (front, _) = rule.rsplit_once('/').unwrap_or((rule, ""));
    front.replacen(":listener-rule/", ":listener/", 1)
}

/// Whether ECS moves the traffic of a live listener or rule, by one of its services.
pub fn is_moved_by_service(live: &Object) -> bool {
    let between = live.value("moved_between").and_then(Value::as_slice);
    live.has("weights_moved_by") && between.is_none_or(<[Value]>::is_empty)
}

/// Whether the actions are as wanted but for what whoever moves their traffic moves: the weights, or with CodeDeploy
/// which of its target groups has them.
pub fn moved(live: &Object, attribute: &str, moved_by: &str, between: &[String], want: &Object) -> bool {
    let Some((live_actions, wanted)) = live.value(attribute).zip(want.value(attribute)) else { return false };
    match between {
        [] => live.has(moved_by) && elb_actions::same_but_weights(live_actions, wanted),
        names => elb_actions::same_but_groups(live_actions, wanted, names),
    }
}

/// Listener rule ARN → ARN of the service that declares it as its production or test rule: clusters, then services 100 a page, then ten a call.
async fn services_by_rule(aws: &Aws) -> Result<BTreeMap<String, String>, AwsError> {
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
