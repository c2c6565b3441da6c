//! What CodeDeploy's types share: ARNs, tags, and which deployment group deploys which ECS service.

use crate::aws::types::ec2;
use crate::aws::types::ecs::last;
use crate::aws::{Aws, AwsError, Job, Op, absent, partition, tags};
use aws_sdk_codedeploy::types::{ComputePlatform, DeploymentGroupInfo, LoadBalancerInfo, Tag};
use std::collections::BTreeMap;

/// BatchGetApplications and BatchGetDeploymentGroups take so many names a call (API reference).
pub const BATCH: usize = 100;

/// `application:web`, `deploymentgroup:web/web`: as the ARNs of what CodeDeploy answers without them end.
pub fn arn(aws: &Aws, account: &str, tail: &str) -> String {
    format!("arn:{}:codedeploy:{}:{account}:{tail}", partition::of(&aws.region).name, aws.region)
}

pub async fn own_arn(aws: &Aws, tail: &str) -> Result<String, AwsError> {
    Ok(arn(aws, &ec2::account(aws).await?, tail))
}

pub fn creation_tags(job: &Job<'_>) -> Vec<Tag> {
    let tags = tags::for_creation(job.want, job.token).into_iter();
    tags.map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
}

/// CodeDeploy has no list form of this.
pub async fn tags_of(aws: &Aws, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let answer = aws.codedeploy.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = answer.op("ListTagsForResource")?.tags.unwrap_or_default();
    Ok(tags.into_iter().filter_map(|t| Some((t.key?, t.value.unwrap_or_default()))).collect())
}

/// Whether a creation with this job's token made it.
pub async fn is_ours(aws: &Aws, tail: &str, job: &Job<'_>) -> Result<bool, AwsError> {
    let tags = tags_of(aws, &own_arn(aws, tail).await?).await?;
    Ok(tags.get(tags::OWNERSHIP).is_some_and(|token| token == job.token))
}

pub async fn update_tags(aws: &Aws, arn: &str, job: &Job<'_>) -> Result<(), AwsError> {
    let (set, removed) = tags::difference(job.live, job.want);
    if !set.is_empty() {
        let tags = set.into_iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        let call = aws.codedeploy.tag_resource().resource_arn(arn).set_tags(Some(tags));
        call.send().await.op("TagResource")?;
    }
    if !removed.is_empty() {
        let call = aws.codedeploy.untag_resource().resource_arn(arn).set_tag_keys(Some(removed));
        call.send().await.op("UntagResource")?;
    }
    Ok(())
}

pub const NO_GROUP: &[&str] = &["DeploymentGroupDoesNotExistException", "ApplicationDoesNotExistException"];

/// Deployment groups of an application by name; those that are not there are left out.
pub async fn groups(
    aws: &Aws,
    application: &str,
    names: &[String],
) -> Result<Vec<DeploymentGroupInfo>, AwsError> {
    let mut found = Vec::new();
    for chunk in names.chunks(BATCH) {
        let call = aws.codedeploy.batch_get_deployment_groups().application_name(application);
        let answer = call.set_deployment_group_names(Some(chunk.to_vec())).send().await;
        let answer = absent(answer.op("BatchGetDeploymentGroups"), NO_GROUP)?;
        found.extend(answer.and_then(|a| a.deployment_groups_info).unwrap_or_default());
    }
    Ok(found)
}

/// A deployment group for an ECS service: what deploys it, and between what its traffic moves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deployer {
    pub application: String,
    pub group: String,
    pub config: String,
    /// Cluster and name of the service.
    pub cluster: String,
    pub service: String,
    /// Names of the two target groups.
    pub target_groups: Vec<String>,
    /// ARNs of the production and test listeners.
    pub listeners: Vec<String>,
    /// Minutes that traffic waits for ContinueDeployment; None: it is rerouted at once.
    pub waits: Option<i64>,
    /// Minutes that the original tasks stay.
    pub stays: i64,
}

impl Deployer {
    fn of(group: &DeploymentGroupInfo) -> Option<Self> {
        let service = group.ecs_services().first()?;
        let options = group.blue_green_deployment_configuration();
        let ready = options.and_then(|o| o.deployment_ready_option());
        let stops = ready.filter(|r| r.action_on_timeout().is_some_and(|a| a.as_str() == "STOP_DEPLOYMENT"));
        let ends = options.and_then(|o| o.terminate_blue_instances_on_deployment_success());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some(Self {
            application: text(group.application_name()),
            group: text(group.deployment_group_name()),
            config: text(group.deployment_config_name()),
            cluster: text(Some(last(service.cluster_name().unwrap_or("default")))),
            service: text(service.service_name().map(last)),
            target_groups: group.load_balancer_info().map(pair).unwrap_or_default(),
            listeners: group.load_balancer_info().map(routes).unwrap_or_default(),
            waits: stops.map(|r| r.wait_time_in_minutes().into()),
            stays: ends.map_or(0, |e| e.termination_wait_time_in_minutes().into()),
        })
    }

    pub fn deploys(&self, cluster: &str, service: &str) -> bool {
        self.cluster == last(cluster) && self.service == last(service)
    }

    /// `application/group`
    pub fn name(&self) -> String {
        format!("{}/{}", self.application, self.group)
    }
}

fn pair(info: &LoadBalancerInfo) -> Vec<String> {
    let groups = info.target_group_pair_info_list().iter().flat_map(|pair| pair.target_groups());
    groups.filter_map(|group| group.name().map(str::to_owned)).collect()
}

fn routes(info: &LoadBalancerInfo) -> Vec<String> {
    let pairs = info.target_group_pair_info_list().iter();
    let routes = pairs.flat_map(|pair| [pair.prod_traffic_route(), pair.test_traffic_route()]);
    routes.flatten().flat_map(|route| route.listener_arns().iter().cloned()).collect()
}

/// Of a user that may not look.
const DENIED: &[&str] = &["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"];

/// Every deployment group for an ECS service; None where nobody may look.
pub async fn deployers(aws: &Aws) -> Result<Option<Vec<Deployer>>, AwsError> {
    absent(all_deployers(aws).await, DENIED)
}

/// CodeDeploy tells them by application only: one list for each whose compute platform is ECS.
async fn all_deployers(aws: &Aws) -> Result<Vec<Deployer>, AwsError> {
    let listed = aws.codedeploy.list_applications().into_paginator().items().send().try_collect().await;
    let names: Vec<String> = listed.op("ListApplications")?;
    let mut found = Vec::new();
    for chunk in names.chunks(BATCH) {
        let call = aws.codedeploy.batch_get_applications().set_application_names(Some(chunk.to_vec()));
        let answer = call.send().await.op("BatchGetApplications")?;
        let of_ecs = answer.applications_info.unwrap_or_default().into_iter();
        let of_ecs = of_ecs.filter(|a| a.compute_platform() == Some(&ComputePlatform::Ecs));
        for application in of_ecs.filter_map(|a| a.application_name) {
            let call = aws.codedeploy.list_deployment_groups().application_name(&application);
            let groups: Result<Vec<String>, _> = call.into_paginator().items().send().try_collect().await;
            let names = absent(groups.op("ListDeploymentGroups"), NO_GROUP)?.unwrap_or_default();
            found.extend(self::groups(aws, &application, &names).await?.iter().filter_map(Deployer::of));
        }
    }
    Ok(found)
}
