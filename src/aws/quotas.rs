//! How many vCPUs an account may run at once, and how many run.

use super::{Aws, AwsError, Op, absent};
use aws_sdk_ec2::types::{Filter, InstanceLifecycleType, InstanceType};
use aws_sdk_ecs::types::{DesiredStatus, LaunchType, Task};
use std::collections::{BTreeMap, BTreeSet};

/// A quota, as Service Quotas names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota {
    pub service: &'static str,
    pub code: &'static str,
    pub name: &'static str,
}

const fn quota(service: &'static str, code: &'static str, name: &'static str) -> Quota {
    Quota { service, code, name }
}

/// Of instance families: by what a family's letters are or begin with, On-Demand and spot ("Amazon EC2 endpoints and
/// quotas" of the AWS General Reference). The longest first: `inf` is no `i`.
const FAMILIES: &[(&[&str], Quota, Quota)] = &[
    (
        &["dl"],
        quota("ec2", "L-6E869C2A", "Running On-Demand DL instances"),
        quota("ec2", "L-85EED4F7", "All DL Spot Instance Requests"),
    ),
    (
        &["inf"],
        quota("ec2", "L-1945791B", "Running On-Demand Inf instances"),
        quota("ec2", "L-B5D1601B", "All Inf Spot Instance Requests"),
    ),
    (
        &["trn"],
        quota("ec2", "L-2C3B7624", "Running On-Demand Trn instances"),
        quota("ec2", "L-6B0D517C", "All Trn Spot Instance Requests"),
    ),
    (
        &["vt", "g"],
        quota("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances"),
        quota("ec2", "L-3819A6DF", "All G and VT Spot Instance Requests"),
    ),
    (
        &["f"],
        quota("ec2", "L-74FC7D96", "Running On-Demand F instances"),
        quota("ec2", "L-88CF9481", "All F Spot Instance Requests"),
    ),
    (
        &["x"],
        quota("ec2", "L-7295265B", "Running On-Demand X instances"),
        quota("ec2", "L-E3A00192", "All X Spot Instance Requests"),
    ),
    (
        &["a", "c", "d", "h", "i", "m", "r", "t", "z"],
        quota("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
        quota("ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    ),
];

/// P instances have one quota On-Demand, and several of spot instances, by generation.
const P: Quota = quota("ec2", "L-417A185B", "Running On-Demand P instances");

/// Counted otherwise, or on dedicated hosts only.
const OTHERWISE: &[&str] = &["hpc", "mac", "u"];

const FARGATE: Quota = quota("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count");
const FARGATE_SPOT: Quota = quota("fargate", "L-36FBB829", "Fargate Spot vCPU resource count");

/// Where vCPUs are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    Instances { instance_type: String, spot: bool },
    Fargate { spot: bool },
}

impl Pool {
    /// None where nothing plain bounds them.
    pub fn quota(&self) -> Option<Quota> {
        match self {
            Pool::Fargate { spot } => Some(if *spot { FARGATE_SPOT } else { FARGATE }),
            Pool::Instances { instance_type, spot } => {
                let family: String = instance_type.chars().take_while(char::is_ascii_lowercase).collect();
                if OTHERWISE.contains(&family.as_str()) {
                    return None;
                }
                if family.starts_with('p') {
                    return (!spot).then_some(P);
                }
                let fits =
                    |(names, ..): &&(&[&str], Quota, Quota)| names.iter().any(|n| family.starts_with(n));
                let (_, on_demand, of_spot) = FAMILIES.iter().find(fits)?;
                Some(if *spot { *of_spot } else { *on_demand })
            }
        }
    }
}

/// vCPUs that may run, and that do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    pub limit: f64,
    pub used: f64,
}

#[derive(Clone, Debug, Default)]
pub struct Vcpus {
    /// By quota code.
    pub rooms: BTreeMap<&'static str, Room>,
    /// vCPUs of each instance type.
    pub of_type: BTreeMap<String, i64>,
}

/// The quotas that these pools are bound by, and what runs in them.
pub async fn vcpus(aws: &Aws, pools: &BTreeSet<Pool>) -> Result<Vcpus, AwsError> {
    let quotas: BTreeSet<Quota> = pools.iter().filter_map(Pool::quota).collect();
    let mut found = Vcpus::default();
    for quota in quotas {
        if let Some(limit) = limit(aws, quota).await? {
            found.rooms.insert(quota.code, Room { limit, used: 0.0 });
        }
    }
    let mut running: BTreeMap<Pool, f64> = BTreeMap::new();
    let has = |service: &str| pools.iter().filter_map(Pool::quota).any(|q| q.service == service);
    if has("ec2") {
        let instances = instances(aws).await?;
        let asked = pools.iter().chain(instances.keys()).filter_map(|pool| match pool {
            Pool::Instances { instance_type, .. } => Some(instance_type.as_str()),
            Pool::Fargate { .. } => None,
        });
        found.of_type = of_types(aws, asked.collect()).await?;
        for (pool, count) in instances {
            let Pool::Instances { instance_type, .. } = &pool else { continue };
            let each = found.of_type.get(instance_type).copied().unwrap_or_default();
            running.insert(pool, (count * each) as f64);
        }
    }
    if has("fargate") {
        running.extend(on_fargate(aws).await?);
    }
    for (pool, vcpus) in running {
        let room = pool.quota().and_then(|quota| found.rooms.get_mut(quota.code));
        if let Some(room) = room {
            room.used += vcpus;
        }
    }
    Ok(found)
}

/// The account's own value, or AWS's default where it has none.
async fn limit(aws: &Aws, quota: Quota) -> Result<Option<f64>, AwsError> {
    const NONE: &[&str] = &["NoSuchResourceException"];
    let call = aws.quotas.get_service_quota().service_code(quota.service).quota_code(quota.code);
    let own = absent(call.send().await.op("GetServiceQuota"), NONE)?;
    if let Some(value) = own.and_then(|answer| answer.quota?.value) {
        return Ok(Some(value));
    }
    let call = aws.quotas.get_aws_default_service_quota().service_code(quota.service).quota_code(quota.code);
    let default = absent(call.send().await.op("GetAWSDefaultServiceQuota"), NONE)?;
    Ok(default.and_then(|answer| answer.quota?.value))
}

/// How many instances of each kind run, or are about to.
async fn instances(aws: &Aws) -> Result<BTreeMap<Pool, i64>, AwsError> {
    let states = Filter::builder().name("instance-state-name").values("pending").values("running").build();
    let pages = aws.ec2.describe_instances().filters(states).into_paginator().items().send();
    let reservations = pages.try_collect().await.op("DescribeInstances")?;
    let mut found = BTreeMap::new();
    for instance in reservations.iter().flat_map(|r| r.instances()) {
        let spot = instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot);
        let Some(kind) = instance.instance_type() else { continue };
        let pool = Pool::Instances { instance_type: kind.as_str().to_owned(), spot };
        *found.entry(pool).or_default() += 1;
    }
    Ok(found)
}

async fn of_types(aws: &Aws, names: BTreeSet<&str>) -> Result<BTreeMap<String, i64>, AwsError> {
    let all: Vec<InstanceType> = names.into_iter().map(InstanceType::from).collect();
    let mut found = BTreeMap::new();
    for batch in all.chunks(100) {
        let call = aws.ec2.describe_instance_types().set_instance_types(Some(batch.to_vec()));
        let answer = call.send().await.op("DescribeInstanceTypes")?;
        found.extend(answer.instance_types().iter().filter_map(|info| {
            let vcpus = info.v_cpu_info()?.default_v_cpus()?;
            Some((info.instance_type()?.as_str().to_owned(), i64::from(vcpus)))
        }));
    }
    Ok(found)
}

/// vCPUs of all tasks on Fargate, in all clusters.
async fn on_fargate(aws: &Aws) -> Result<BTreeMap<Pool, f64>, AwsError> {
    let pages = aws.ecs.list_clusters().into_paginator().items().send();
    let clusters: Vec<String> = pages.try_collect().await.op("ListClusters")?;
    let mut found = BTreeMap::new();
    for cluster in clusters {
        let call = aws.ecs.list_tasks().cluster(&cluster).launch_type(LaunchType::Fargate);
        let pages = call.desired_status(DesiredStatus::Running).into_paginator().items().send();
        let gone = &["ClusterNotFoundException"];
        let arns: Option<Vec<String>> = absent(pages.try_collect().await.op("ListTasks"), gone)?;
        for batch in arns.unwrap_or_default().chunks(100) {
            let call = aws.ecs.describe_tasks().cluster(&cluster).set_tasks(Some(batch.to_vec()));
            let answer = call.send().await.op("DescribeTasks")?;
            for task in answer.tasks() {
                *found.entry(pool_of(task)).or_default() += units(task) / 1024.0;
            }
        }
    }
    Ok(found)
}

fn pool_of(task: &Task) -> Pool {
    Pool::Fargate { spot: task.capacity_provider_name() == Some("FARGATE_SPOT") }
}

fn units(task: &Task) -> f64 {
    task.cpu().and_then(|cpu| cpu.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_counts_by_its_family_and_market() {
        for (instance_type, on_demand, of_spot) in [
            ("m5.large", Some("L-1216C47A"), Some("L-34B43A08")),
            ("im4gn.large", Some("L-1216C47A"), Some("L-34B43A08")),
            ("d3en.xlarge", Some("L-1216C47A"), Some("L-34B43A08")),
            ("dl1.24xlarge", Some("L-6E869C2A"), Some("L-85EED4F7")),
            ("inf2.xlarge", Some("L-1945791B"), Some("L-B5D1601B")),
            ("vt1.3xlarge", Some("L-DB2E81BA"), Some("L-3819A6DF")),
            ("g5.xlarge", Some("L-DB2E81BA"), Some("L-3819A6DF")),
            ("p4d.24xlarge", Some("L-417A185B"), None),
            ("hpc6a.48xlarge", None, None),
            ("u-6tb1.metal", None, None),
        ] {
            let code = |spot| {
                let pool = Pool::Instances { instance_type: instance_type.to_owned(), spot };
                pool.quota().map(|quota| quota.code)
            };
            assert_eq!((code(false), code(true)), (on_demand, of_spot), "{instance_type}");
        }
    }
}
