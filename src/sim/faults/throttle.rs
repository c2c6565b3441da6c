//! Token buckets of the sizes AWS publishes: EC2, ECS and Elastic Load Balancing each in "Request throttling
//! for the … API" of their guides, the others as quotas per second in "Service quotas" of theirs. Services
//! whose sizes are not published (Auto Scaling, IAM, Application Auto Scaling) are not throttled here.

use super::super::world::Millis;
use super::like;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is left in the buckets that were used; those that have filled up again need not be kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buckets(BTreeMap<String, Level>);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Level {
    tokens: f64,
    at: Millis,
}

/// Capacity, and tokens that come back each second.
type Size = (f64, f64);

struct Limit {
    service: &'static str,
    /// Names, or with `*` at the end beginnings of names; the first limit that has the operation counts.
    operations: &'static [&'static str],
    size: Size,
    /// One bucket for all of `operations`, or one each.
    shared: bool,
}

const fn each(service: &'static str, operations: &'static [&'static str], size: Size) -> Limit {
    Limit { service, operations, size, shared: false }
}

const fn together(service: &'static str, operations: &'static [&'static str], size: Size) -> Limit {
    Limit { service, operations, size, shared: true }
}

const READS: &[&str] = &["Describe*", "List*", "Get*", "Search*"];

const LIMITS: &[Limit] = &[
    each("ec2", &["RunInstances", "StartInstances"], (5.0, 2.0)),
    each("ec2", &["CreateNatGateway", "DeleteNatGateway", "AssociateNatGatewayAddress"], (10.0, 1.0)),
    each("ec2", &["CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints"], (4.0, 0.3)),
    each("ec2", &["CreateDefaultVpc", "CreateDefaultSubnet"], (1.0, 1.0)),
    each("ec2", &["CreateTags", "DeleteTags"], (100.0, 10.0)),
    each(
        "ec2",
        &[
            "CreateLaunchTemplateVersion",
            "ModifyLaunchTemplate",
            "CreateNetworkInterface",
            "DeleteNetworkInterface",
            "ModifyNetworkInterfaceAttribute",
            "AssignPrivateIpAddresses",
            "AssociateIamInstanceProfile",
            "ModifyInstanceMetadataOptions",
            "TerminateInstances",
            "CreateVolume",
            "DeleteVolume",
        ],
        (100.0, 5.0),
    ),
    each("ec2", &["DescribeSecurityGroupReferences", "DescribeStaleSecurityGroups"], (20.0, 5.0)),
    each("ec2", READS, (100.0, 20.0)),
    each("ec2", &["*"], (50.0, 5.0)),
    together(
        "ecs",
        &[
            "CreateCluster",
            "DeleteCluster",
            "PutClusterCapacityProviders",
            "UpdateCluster",
            "UpdateClusterSettings",
        ],
        (20.0, 1.0),
    ),
    together("ecs", &["DescribeClusters", "ListClusters"], (50.0, 20.0)),
    together("ecs", &["RegisterTaskDefinition", "DeregisterTaskDefinition"], (20.0, 1.0)),
    together(
        "ecs",
        &["DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"],
        (50.0, 20.0),
    ),
    together("ecs", &["DeleteTaskDefinitions"], (5.0, 1.0)),
    together(
        "ecs",
        &["CreateCapacityProvider", "DeleteCapacityProvider", "UpdateCapacityProvider"],
        (10.0, 1.0),
    ),
    together("ecs", &["DescribeCapacityProviders"], (50.0, 20.0)),
    together("ecs", &["TagResource", "UntagResource"], (20.0, 10.0)),
    together("ecs", &["ListTagsForResource"], (50.0, 20.0)),
    together("ecs", &["PutAccountSetting", "PutAccountSettingDefault", "DeleteAccountSetting"], (10.0, 1.0)),
    together("ecs", &["ListAccountSettings"], (50.0, 20.0)),
    together(
        "ecs",
        &[
            "RunTask",
            "StartTask",
            "StopTask",
            "PutAttributes",
            "DeleteAttributes",
            "ExecuteCommand",
            "DeregisterContainerInstance",
            "UpdateContainerAgent",
            "UpdateContainerInstancesState",
        ],
        (100.0, 40.0),
    ),
    together(
        "ecs",
        &[
            "DescribeContainerInstances",
            "DescribeTasks",
            "ListAttributes",
            "ListContainerInstances",
            "ListTasks",
        ],
        (100.0, 20.0),
    ),
    together("ecs", &["CreateService", "DeleteService", "UpdateService"], (50.0, 5.0)),
    together("ecs", &["DescribeServices", "ListServices"], (100.0, 20.0)),
    together("ecs", &["DescribeServiceDeployments", "ListServiceDeployments"], (50.0, 20.0)),
    together("ecs", &["DescribeServiceRevisions"], (50.0, 20.0)),
    together("ecs", &["UpdateTaskProtection", "GetTaskProtection"], (200.0, 80.0)),
    together("elasticloadbalancing", &["CreateLoadBalancer", "SetSubnets"], (10.0, 0.2)),
    together("elasticloadbalancing", &["RegisterTargets", "DeregisterTargets"], (20.0, 4.0)),
    together("elasticloadbalancing", READS, (40.0, 10.0)),
    together("elasticloadbalancing", &["*"], (20.0, 3.0)),
    each("monitoring", &["PutMetricAlarm", "DeleteAlarms", "DescribeAlarmsForMetric"], (3.0, 3.0)),
    each("monitoring", &["DescribeAlarms"], (9.0, 9.0)),
    each("monitoring", &["GetMetricData"], (50.0, 50.0)),
    each("monitoring", &["GetMetricStatistics"], (400.0, 400.0)),
    each("monitoring", &["ListMetrics"], (25.0, 25.0)),
    each("logs", &["CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups"], (10.0, 10.0)),
    each("logs", &["DescribeLogStreams"], (25.0, 25.0)),
    each("logs", &["CreateLogStream"], (50.0, 50.0)),
    together("ssm", &["GetParameter", "GetParameters"], (40.0, 40.0)),
    each("ssm", &["PutParameter"], (3.0, 3.0)),
    together("route53", &["*"], (5.0, 5.0)),
    each("acm", &["RequestCertificate", "AddTagsToCertificate", "RemoveTagsFromCertificate"], (5.0, 5.0)),
    each("acm", &["DescribeCertificate", "DeleteCertificate", "ListTagsForCertificate"], (10.0, 10.0)),
    each("acm", &["ListCertificates"], (8.0, 8.0)),
    together("sts", &["*"], (600.0, 600.0)),
];

/// "There is an account-level throttling limit that is shared across all Elastic Load Balancing API actions."
const ACCOUNT: &[(&str, Size)] = &[("elasticloadbalancing", (40.0, 10.0))];

/// The buckets that a call takes a token of.
fn of(service: &str, operation: &str) -> Vec<(String, Size)> {
    let has = |limit: &&Limit| limit.operations.iter().any(|pattern| like(pattern, operation));
    let limit = LIMITS.iter().filter(|limit| limit.service == service).find(has);
    let mut buckets: Vec<(String, Size)> = Vec::new();
    if let Some(limit) = limit {
        let name = if limit.shared { limit.operations[0] } else { operation };
        buckets.push((format!("{service}:{name}"), limit.size));
    }
    buckets
        .extend(ACCOUNT.iter().filter(|(of, _)| *of == service).map(|(of, size)| ((*of).to_owned(), *size)));
    buckets
}

impl Buckets {
    /// Takes a token of each bucket of the call, or of none: then the call is too many.
    pub fn take(&mut self, service: &str, operation: &str, now: Millis) -> bool {
        let buckets = of(service, operation);
        let levels: Vec<f64> = buckets.iter().map(|(name, size)| self.level(name, *size, now)).collect();
        if levels.iter().any(|tokens| *tokens < 1.0) {
            return false;
        }
        for ((name, _), tokens) in buckets.into_iter().zip(levels) {
            self.0.insert(name, Level { tokens: tokens - 1.0, at: now });
        }
        true
    }

    fn level(&self, name: &str, (capacity, refill): Size, now: Millis) -> f64 {
        let Some(level) = self.0.get(name) else { return capacity };
        let passed = (now - level.at).max(0) as f64 / 1000.0;
        (level.tokens + passed * refill).min(capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::Buckets;

    fn accepted(buckets: &mut Buckets, service: &str, operation: &str, calls: usize, now: i64) -> usize {
        (0..calls).filter(|_| buckets.take(service, operation, now)).count()
    }

    #[test]
    fn a_bucket_is_emptied_at_once_and_fills_up_slowly() {
        let mut buckets = Buckets::default();
        assert_eq!(accepted(&mut buckets, "ec2", "DescribeVpcs", 150, 0), 100);
        assert_eq!(accepted(&mut buckets, "ec2", "DescribeVpcs", 150, 1_000), 20);
        assert_eq!(accepted(&mut buckets, "ec2", "DescribeVpcs", 150, 60_000), 100);
    }

    #[test]
    fn ec2_counts_each_operation_ecs_each_kind_and_elb_the_account_too() {
        let mut buckets = Buckets::default();
        assert_eq!(accepted(&mut buckets, "ec2", "CreateVpc", 60, 0), 50);
        assert_eq!(accepted(&mut buckets, "ec2", "CreateSubnet", 60, 0), 50);
        assert_eq!(accepted(&mut buckets, "ecs", "CreateCluster", 15, 0), 15);
        assert_eq!(accepted(&mut buckets, "ecs", "DeleteCluster", 15, 0), 5);
        assert_eq!(accepted(&mut buckets, "elasticloadbalancing", "CreateRule", 30, 0), 20);
        assert_eq!(accepted(&mut buckets, "elasticloadbalancing", "DescribeRules", 40, 0), 20);
        assert_eq!(accepted(&mut buckets, "iam", "CreateRole", 1_000, 0), 1_000);
    }
}
