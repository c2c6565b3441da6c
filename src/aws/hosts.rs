//! Container instances of a cluster: what they have, and what of it is free.

use super::{Aws, AwsError, Op, absent};
use aws_sdk_ec2::types::InstanceType;
use aws_sdk_ecs::types::{ContainerInstance, ContainerInstanceStatus, DesiredStatus, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// A container instance: what it has, and what of it is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// CPU units.
    pub cpu: i64,
    pub free_cpu: i64,
    /// MiB.
    pub memory: i64,
    pub free_memory: i64,
    /// Taken ones.
    pub ports: BTreeSet<i64>,
    /// The capacity provider that it came from.
    pub provider: Option<String>,
    /// The availability zone.
    pub zone: Option<String>,
    /// So many tasks with a network interface of their own it takes, and so many more now; None: not asked for, or
    /// not known.
    pub interfaces: Option<i64>,
    pub free_interfaces: Option<i64>,
    /// Groups of its tasks (`service:web`), if asked for.
    pub groups: BTreeSet<String>,
}

/// How much of the hosts is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What they say of themselves.
    #[default]
    Resources,
    /// Their tasks, too, and the interfaces that those take.
    Tasks,
}

impl Host {
    fn of(instance: &ContainerInstance) -> Self {
        let amount = |all: &[Resource], name: &str| {
            all.iter().find(|r| r.name() == Some(name)).map_or(0, |r| i64::from(r.integer_value()))
        };
        let (whole, free) = (instance.registered_resources(), instance.remaining_resources());
        let ports = free.iter().filter(|r| r.name() == Some("PORTS")).flat_map(|r| r.string_set_value());
        Self {
            cpu: amount(whole, "CPU"),
            free_cpu: amount(free, "CPU"),
            memory: amount(whole, "MEMORY"),
            free_memory: amount(free, "MEMORY"),
            ports: ports.filter_map(|port| port.parse().ok()).collect(),
            provider: instance.capacity_provider_name().map(str::to_owned),
            zone: attribute(instance, "ecs.availability-zone").map(str::to_owned),
            ..Self::default()
        }
    }
}

fn attribute<'i>(instance: &'i ContainerInstance, name: &str) -> Option<&'i str> {
    instance.attributes().iter().find(|a| a.name() == name)?.value()
}

/// The active container instances of a cluster.
pub async fn hosts(aws: &Aws, cluster: &str, detail: Detail) -> Result<Vec<Host>, AwsError> {
    let active = Some(ContainerInstanceStatus::Active);
    let instances = container_instances(aws, cluster, active).await?;
    let mut hosts: Vec<Host> = instances.iter().map(Host::of).collect();
    if detail == Detail::Tasks && !hosts.is_empty() {
        let limits = interface_limits(aws, &instances).await?;
        let running = running(aws, cluster).await?;
        for (host, instance) in hosts.iter_mut().zip(&instances) {
            let here = running.get(instance.container_instance_arn().unwrap_or_default());
            let taken = here.map_or(0, |here| here.interfaces);
            host.groups = here.map(|here| here.groups.clone()).unwrap_or_default();
            host.interfaces = interfaces(instance, &limits);
            host.free_interfaces = host.interfaces.map(|all| all - taken);
        }
    }
    Ok(hosts)
}

/// Container instances with a status; without one, the active and the draining ones.
pub async fn container_instances(
    aws: &Aws,
    cluster: &str,
    status: Option<ContainerInstanceStatus>,
) -> Result<Vec<ContainerInstance>, AwsError> {
    let call = aws.ecs.list_container_instances().cluster(cluster).set_status(status);
    let pages = call.into_paginator().items().send();
    let gone = &["ClusterNotFoundException"];
    let arns: Option<Vec<String>> = absent(pages.try_collect().await.op("ListContainerInstances"), gone)?;
    let mut found = Vec::new();
    for batch in arns.unwrap_or_default().chunks(100) {
        let call = aws.ecs.describe_container_instances().cluster(cluster);
        let answer = call.set_container_instances(Some(batch.to_vec())).send().await;
        let answer = answer.op("DescribeContainerInstances")?;
        found.extend(answer.container_instances.unwrap_or_default());
    }
    Ok(found)
}

/// What runs on one host.
#[derive(Default)]
struct Running {
    groups: BTreeSet<String>,
    /// Network interfaces that its tasks have for themselves.
    interfaces: i64,
}

/// All that shall run in a cluster, by the ARN of its host: two calls for 100 tasks.
async fn running(aws: &Aws, cluster: &str) -> Result<BTreeMap<String, Running>, AwsError> {
    let call = aws.ecs.list_tasks().cluster(cluster).desired_status(DesiredStatus::Running);
    let pages = call.into_paginator().items().send();
    let arns: Vec<String> = pages.try_collect().await.op("ListTasks")?;
    let mut found: BTreeMap<String, Running> = BTreeMap::new();
    for batch in arns.chunks(100) {
        let call = aws.ecs.describe_tasks().cluster(cluster).set_tasks(Some(batch.to_vec()));
        let answer = call.send().await.op("DescribeTasks")?;
        for task in answer.tasks() {
            let Some(host) = task.container_instance_arn() else { continue };
            let here = found.entry(host.to_owned()).or_default();
            here.groups.extend(task.group().map(str::to_owned));
            let own = task.attachments().iter().any(|a| a.r#type() == Some("ElasticNetworkInterface"));
            here.interfaces += i64::from(own);
        }
    }
    Ok(found)
}

/// Most network interfaces of the hosts' instance types, the first one included.
async fn interface_limits(
    aws: &Aws,
    instances: &[ContainerInstance],
) -> Result<BTreeMap<String, i64>, AwsError> {
    let types: BTreeSet<&str> = instances.iter().filter_map(|i| attribute(i, "ecs.instance-type")).collect();
    let types: Vec<InstanceType> = types.into_iter().map(InstanceType::from).collect();
    let mut limits = BTreeMap::new();
    for batch in types.chunks(100) {
        let call = aws.ec2.describe_instance_types().set_instance_types(Some(batch.to_vec()));
        let answer = call.send().await.op("DescribeInstanceTypes")?;
        let limit = |info: &aws_sdk_ec2::types::InstanceTypeInfo| {
            let most = info.network_info()?.maximum_network_interfaces()?;
            Some((info.instance_type()?.as_str().to_owned(), i64::from(most)))
        };
        limits.extend(answer.instance_types().iter().filter_map(limit));
    }
    Ok(limits)
}

/// How many tasks with an interface of their own a host takes. Its first interface is its own; a host with a trunk
/// interface takes more.
fn interfaces(instance: &ContainerInstance, limits: &BTreeMap<String, i64>) -> Option<i64> {
    let kind = attribute(instance, "ecs.instance-type")?;
    if attribute(instance, "ecs.awsvpc-trunk-id").is_some() {
        return trunked(kind);
    }
    Some((limits.get(kind)? - 1).max(0))
}

/// Tasks on a trunk interface, by the size of the instance: no call tells. The least that the table "Supported
/// instances for increased Amazon ECS container network interfaces" of ECS's developer guide has for the size.
fn trunked(kind: &str) -> Option<i64> {
    Some(match kind.split_once('.')?.1 {
        "medium" => 4,
        "large" => 10,
        "xlarge" => 20,
        "2xlarge" => 40,
        "3xlarge" | "4xlarge" | "6xlarge" | "8xlarge" | "9xlarge" | "12xlarge" => 60,
        _ => 120,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Attribute;

    fn instance(attributes: &[(&str, &str)]) -> ContainerInstance {
        let attribute = |(name, value): &(&str, &str)| {
            Attribute::builder().name(*name).value(*value).build().expect("has a name")
        };
        ContainerInstance::builder().set_attributes(Some(attributes.iter().map(attribute).collect())).build()
    }

    #[test]
    fn the_first_interface_of_a_host_is_its_own_and_a_trunk_makes_room() {
        let limits = BTreeMap::from([("m5.large".to_owned(), 3)]);
        let plain = instance(&[("ecs.instance-type", "m5.large")]);
        assert_eq!(interfaces(&plain, &limits), Some(2));
        let trunk = instance(&[("ecs.instance-type", "m5.large"), ("ecs.awsvpc-trunk-id", "eni-1")]);
        assert_eq!(interfaces(&trunk, &limits), Some(10));
        // A host outside EC2 has no such limit that AWS would know.
        assert_eq!(interfaces(&instance(&[]), &limits), None);
    }
}
