//! `aws_ecs_cluster`: where services and container instances live.

use super::ecs::{self, built};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_ecs::types::{
    Cluster, ClusterConfiguration, ClusterField, ClusterServiceConnectDefaultsRequest, ClusterSetting,
    ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, ManagedStorageConfiguration,
};
use std::time::Duration;

mod logs {
    use super::*;
    attributes! {
        TABLE:
        CLOUD_WATCH_ENCRYPTION_ENABLED: Bool = optional("cloud_watch_encryption_enabled");
        CLOUD_WATCH_LOG_GROUP_NAME: Str = optional("cloud_watch_log_group_name");
        S3_BUCKET_ENCRYPTION_ENABLED: Bool = optional("s3_bucket_encryption_enabled");
        S3_BUCKET_NAME: Str = optional("s3_bucket_name");
        S3_KEY_PREFIX: Str = optional("s3_key_prefix");
    }
}

mod command {
    use super::*;
    attributes! {
        TABLE:
        KMS_KEY_ID: Str = optional("kms_key_id");
        LOGGING: Str = optional("logging").default_str("DEFAULT").one_of(&["NONE", "DEFAULT", "OVERRIDE"]);
        LOG_CONFIGURATION: Blocks = optional("log_configuration").single(&logs::TABLE);
    }
}

mod storage {
    use super::*;
    attributes! {
        TABLE:
        KMS_KEY_ID: Str = optional("kms_key_id");
        FARGATE_EPHEMERAL_STORAGE_KMS_KEY_ID: Str = optional("fargate_ephemeral_storage_kms_key_id");
    }
}

mod configuration {
    use super::*;
    attributes! {
        TABLE:
        EXECUTE_COMMAND: Blocks = optional("execute_command_configuration").single(&command::TABLE);
        MANAGED_STORAGE: Blocks = optional("managed_storage_configuration").single(&storage::TABLE);
    }
}

attributes! {
    SETTING_TABLE:
    SETTING_NAME: Str = required("name").one_of(&["containerInsights"]);
    SETTING_VALUE: Str = required("value");
}

attributes! {
    CONNECT_TABLE:
    NAMESPACE: Str = required("namespace").doc("ARN of a Cloud Map namespace");
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    NAME: Str = required("name").replaces().check(name);
    ARN: Str = computed("arn");
    SETTING: Blocks = optional_computed("setting").set(&SETTING_TABLE).doc("`containerInsights`");
    CONFIGURATION: Blocks = optional("configuration").single(&configuration::TABLE);
    SERVICE_CONNECT_DEFAULTS: Blocks = optional("service_connect_defaults").single(&CONNECT_TABLE);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A group of container instances, Fargate capacity and the services that run on them",
    example: r#"
resource "aws_ecs_cluster" "main" {
  name = "main"

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}
"#,
    unique: &["name"],
    ..TypeSchema::new("aws_ecs_cluster", &TABLE)
};

/// ECS names: letters, digits, hyphens and underscores, at most 255.
pub fn name(value: &Value) -> Result<(), String> {
    let ok = value.as_str().is_some_and(|s| {
        (1..=255).contains(&s.len()) && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    if ok { Ok(()) } else { Err("must be 1 to 255 letters, digits, hyphens or underscores".to_owned()) }
}

pub struct EcsCluster;

#[async_trait(?Send)]
impl AwsType for EcsCluster {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let ids: Vec<String> = items.iter().map(|i| i.id.to_owned()).collect();
        let found = describe(aws, &ids).await?;
        let same = |c: &&Cluster, id: &str| c.cluster_arn() == Some(id) || c.cluster_name() == Some(id);
        Ok(items.iter().map(|i| found.iter().find(|c| same(c, i.id)).map(object)).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let call = aws
            .ecs
            .create_cluster()
            .cluster_name(job.want.need(&NAME))
            .set_settings(ecs::some(settings(job.want)))
            .set_configuration(job.want.block(&CONFIGURATION).map(|c| cluster_configuration(&c)))
            .set_service_connect_defaults(connect_defaults(job.want)?)
            .set_tags(Some(ecs::creation_tags(job)));
        // The very first call in an account creates the service-linked role, which is not at once usable.
        let passing = |e: &AwsError| e.message.contains("service linked role");
        let deadline = Duration::from_secs(120);
        let made = ecs::patiently(aws, "CreateCluster", deadline, job.progress, passing, async || {
            call.clone().send().await.op("CreateCluster")
        })
        .await?;
        let arn = made.cluster().and_then(|c| c.cluster_arn()).unwrap_or_default().to_owned();
        wait_active(aws, &arn, job.progress).await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["setting", "configuration", "service_connect_defaults"]) {
            let mut call = aws.ecs.update_cluster().cluster(job.id);
            if job.changes(&["setting"]) {
                call = call.set_settings(Some(settings(job.want)));
            }
            if job.changes(&["configuration"]) {
                let block = job.want.block(&CONFIGURATION).unwrap_or_default();
                call = call.configuration(cluster_configuration(&block));
            }
            if job.changes(&["service_connect_defaults"]) {
                // An empty namespace takes the defaults away.
                let none = || ClusterServiceConnectDefaultsRequest::builder().namespace("").build();
                let defaults = match connect_defaults(job.want)? {
                    Some(defaults) => defaults,
                    None => built("UpdateCluster", none())?,
                };
                call = call.service_connect_defaults(defaults);
            }
            call.send().await.op("UpdateCluster")?;
            wait_active(aws, job.id, job.progress).await?;
        }
        ecs::update_tags(aws, job.id, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // Instances that were just terminated and services that were just drained are still counted.
        let passing = |e: &AwsError| {
            e.is(&[
                "ClusterContainsContainerInstancesException",
                "ClusterContainsServicesException",
                "ClusterContainsTasksException",
                "ClusterContainsCapacityProviderException",
                "UpdateInProgressException",
            ])
        };
        let deadline = Duration::from_secs(10 * 60);
        let result = ecs::patiently(aws, "DeleteCluster", deadline, job.progress, passing, async || {
            aws.ecs.delete_cluster().cluster(job.id).send().await.op("DeleteCluster")
        });
        absent(result.await, &["ClusterNotFoundException"])?;
        let every = Duration::from_secs(5);
        wait(aws, "DeleteCluster", every, deadline, job.progress, async || {
            Ok(match describe(aws, &[job.id.to_owned()]).await?.first() {
                None => Poll::Ready(()),
                Some(c) => Poll::Pending(c.status().unwrap_or("deleting").to_owned()),
            })
        })
        .await
    }

    async fn settle(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        wait_active(aws, job.id, job.progress).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, &[job.want.need(&NAME)]).await?;
        let ours = found.iter().find(|c| ecs::is_ours(c.tags(), job.token));
        Ok(ours.and_then(|c| c.cluster_arn()).map(str::to_owned))
    }
}

/// Clusters by name or ARN, at most 100 a call; those that are gone (or INACTIVE) are left out.
pub async fn describe(aws: &Aws, ids: &[String]) -> Result<Vec<Cluster>, AwsError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(100) {
        let answer = aws
            .ecs
            .describe_clusters()
            .set_clusters(Some(chunk.to_vec()))
            .include(ClusterField::Tags)
            .include(ClusterField::Settings)
            .include(ClusterField::Configurations)
            .include(ClusterField::Attachments)
            .send()
            .await
            .op("DescribeClusters")?;
        found.extend(answer.clusters.unwrap_or_default());
    }
    found.retain(|c| c.status() != Some("INACTIVE"));
    Ok(found)
}

async fn wait_active(aws: &Aws, arn: &str, progress: &dyn Fn(&str)) -> Result<(), AwsError> {
    let (every, deadline) = (Duration::from_secs(3), Duration::from_secs(600));
    wait(aws, "CreateCluster", every, deadline, progress, async || {
        let found = describe(aws, &[arn.to_owned()]).await?;
        match found.first().and_then(|c| c.status()) {
            Some("ACTIVE") => Ok(Poll::Ready(())),
            Some("FAILED") => {
                Err(AwsError::failed("CreateCluster", "NotStable", "the cluster ended in FAILED"))
            }
            other => Ok(Poll::Pending(other.unwrap_or("not visible yet").to_owned())),
        }
    })
    .await
}

fn settings(want: &Object) -> Vec<ClusterSetting> {
    let setting = |b: &Object| {
        ClusterSetting::builder()
            .name(b.need(&SETTING_NAME).as_str().into())
            .value(b.need(&SETTING_VALUE))
            .build()
    };
    want.all(&SETTING).iter().map(setting).collect()
}

fn connect_defaults(want: &Object) -> Result<Option<ClusterServiceConnectDefaultsRequest>, AwsError> {
    let Some(block) = want.block(&SERVICE_CONNECT_DEFAULTS) else { return Ok(None) };
    let request = ClusterServiceConnectDefaultsRequest::builder().namespace(block.need(&NAMESPACE)).build();
    built("CreateCluster", request).map(Some)
}

fn cluster_configuration(block: &Object) -> ClusterConfiguration {
    let log = |b: Object| {
        ExecuteCommandLogConfiguration::builder()
            .set_cloud_watch_encryption_enabled(b.get(&logs::CLOUD_WATCH_ENCRYPTION_ENABLED))
            .set_cloud_watch_log_group_name(b.get(&logs::CLOUD_WATCH_LOG_GROUP_NAME))
            .set_s3_encryption_enabled(b.get(&logs::S3_BUCKET_ENCRYPTION_ENABLED))
            .set_s3_bucket_name(b.get(&logs::S3_BUCKET_NAME))
            .set_s3_key_prefix(b.get(&logs::S3_KEY_PREFIX))
            .build()
    };
    let command = |b: Object| {
        ExecuteCommandConfiguration::builder()
            .set_kms_key_id(b.get(&command::KMS_KEY_ID))
            .set_logging(b.get(&command::LOGGING).map(|l| l.as_str().into()))
            .set_log_configuration(b.block(&command::LOG_CONFIGURATION).map(log))
            .build()
    };
    let storage = |b: Object| {
        ManagedStorageConfiguration::builder()
            .set_kms_key_id(b.get(&storage::KMS_KEY_ID))
            .set_fargate_ephemeral_storage_kms_key_id(b.get(&storage::FARGATE_EPHEMERAL_STORAGE_KMS_KEY_ID))
            .build()
    };
    ClusterConfiguration::builder()
        .set_execute_command_configuration(block.block(&configuration::EXECUTE_COMMAND).map(command))
        .set_managed_storage_configuration(block.block(&configuration::MANAGED_STORAGE).map(storage))
        .build()
}

fn configuration_block(c: &ClusterConfiguration) -> Option<Object> {
    let mut o = Object::new();
    if let Some(e) = c.execute_command_configuration() {
        let mut b = Object::new();
        b.set(&command::KMS_KEY_ID, e.kms_key_id()).set(&command::LOGGING, e.logging().map(|l| l.as_str()));
        if let Some(l) = e.log_configuration() {
            let mut log = Object::new();
            log.set(&logs::CLOUD_WATCH_ENCRYPTION_ENABLED, l.cloud_watch_encryption_enabled())
                .set(&logs::CLOUD_WATCH_LOG_GROUP_NAME, l.cloud_watch_log_group_name())
                .set(&logs::S3_BUCKET_ENCRYPTION_ENABLED, l.s3_encryption_enabled())
                .set(&logs::S3_BUCKET_NAME, l.s3_bucket_name())
                .set(&logs::S3_KEY_PREFIX, l.s3_key_prefix());
            b.set_blocks(&command::LOG_CONFIGURATION, vec![log]);
        }
        o.set_blocks(&configuration::EXECUTE_COMMAND, vec![b]);
    }
    if let Some(s) = c.managed_storage_configuration() {
        let mut b = Object::new();
        b.set(&storage::KMS_KEY_ID, s.kms_key_id())
            .set(&storage::FARGATE_EPHEMERAL_STORAGE_KMS_KEY_ID, s.fargate_ephemeral_storage_kms_key_id());
        o.set_blocks(&configuration::MANAGED_STORAGE, vec![b]);
    }
    (!o.0.is_empty()).then_some(o)
}

fn object(c: &Cluster) -> Object {
    let setting = |s: &ClusterSetting| {
        let mut o = Object::new();
        o.set(&SETTING_NAME, s.name().map(|n| n.as_str())).set(&SETTING_VALUE, s.value());
        o
    };
    let mut o = Object::new();
    o.set(&ID, c.cluster_arn())
        .set(&ARN, c.cluster_arn())
        .set(&NAME, c.cluster_name())
        .set_blocks(&SETTING, c.settings().iter().map(setting).collect())
        .set_blocks(&CONFIGURATION, c.configuration().and_then(configuration_block).into_iter().collect());
    let namespace = c.service_connect_defaults().and_then(|d| d.namespace()).map(|n| {
        let mut b = Object::new();
        b.set(&NAMESPACE, n);
        b
    });
    o.set_blocks(&SERVICE_CONNECT_DEFAULTS, namespace.into_iter().collect());
    tags::read(&mut o, ecs::pairs(c.tags()));
    o.complete(&TABLE)
}
