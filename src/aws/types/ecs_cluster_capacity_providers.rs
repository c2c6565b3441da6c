//! `aws_ecs_cluster_capacity_providers`: which providers a cluster may use, and its default strategy.

use super::{ecs, ecs_cluster};
use crate::aws::{Aws, AwsError, AwsType, Between, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ecs::types::{CapacityProviderStrategyItem, Cluster};
use std::time::Duration;

attributes! {
    TABLE:
    CLUSTER_NAME: Str = required("cluster_name").replaces().check(ecs_cluster::name);
    CAPACITY_PROVIDERS: StrSet = optional("capacity_providers");
    DEFAULT_STRATEGY: Blocks = optional("default_capacity_provider_strategy").set(&ecs::STRATEGY);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "The capacity providers of a cluster and its default strategy (the whole list)",
    example: r#"
resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]

  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    base              = 1
    weight            = 100
  }
}
"#,
    predict: |want| want.value("cluster_name").cloned().map(|name| ("id", name)).into_iter().collect(),
    ..TypeSchema::new("aws_ecs_cluster_capacity_providers", &TABLE)
};

pub struct EcsClusterCapacityProviders;

#[async_trait(?Send)]
impl AwsType for EcsClusterCapacityProviders {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let names: Vec<String> = items.iter().map(|i| i.id.to_owned()).collect();
        let found = ecs_cluster::describe(aws, &names).await?;
        let by_name = |name: &str| found.iter().find(|c| c.cluster_name() == Some(name));
        Ok(items.iter().map(|i| by_name(i.id).map(object)).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let cluster = job.want.need(&CLUSTER_NAME);
        let strategy = ecs::strategy(&job.want.all(&DEFAULT_STRATEGY))?;
        put(aws, job, &cluster, job.want.all(&CAPACITY_PROVIDERS), strategy).await?;
        Ok(cluster)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let strategy = ecs::strategy(&job.want.all(&DEFAULT_STRATEGY))?;
        put(aws, job, job.id, job.want.all(&CAPACITY_PROVIDERS), strategy).await
    }

    /// Services leave the old ones for the new ones while the cluster has both.
    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        let text = "let the cluster use the old and the new capacity providers";
        Between::with_both(CAPACITY_PROVIDERS.row.name, live, want, changed, text)
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let gone = &["ClusterNotFoundException"];
        absent(put(aws, job, job.id, Vec::new(), Vec::new()).await, gone).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let name = job.want.need(&CLUSTER_NAME);
        let found = ecs_cluster::describe(aws, std::slice::from_ref(&name)).await?;
        let mut wanted = job.want.all(&CAPACITY_PROVIDERS);
        wanted.sort();
        let as_wanted = found.first().is_some_and(|c| {
            let mut has = c.capacity_providers().to_vec();
            has.sort();
            has == wanted
        });
        Ok(as_wanted.then_some(name))
    }
}

/// Sets the whole list; waits while an earlier change or a service that still uses a provider is in
/// the way, then until the providers are attached.
async fn put(
    aws: &Aws,
    job: &Job<'_>,
    cluster: &str,
    providers: Vec<String>,
    strategy: Vec<CapacityProviderStrategyItem>,
) -> Result<(), AwsError> {
    const PUT: &str = "PutClusterCapacityProviders";
    let call = aws
        .ecs
        .put_cluster_capacity_providers()
        .cluster(cluster)
        .set_capacity_providers(Some(providers))
        .set_default_capacity_provider_strategy(Some(strategy));
    let passing = |e: &AwsError| e.is(&["ResourceInUseException", "UpdateInProgressException"]);
    let deadline = Duration::from_secs(20 * 60);
    ecs::patiently(aws, PUT, deadline, job.progress, passing, async || call.clone().send().await.op(PUT))
        .await?;
    wait(aws, PUT, Duration::from_secs(5), deadline, job.progress, async || {
        let found = ecs_cluster::describe(aws, &[cluster.to_owned()]).await?;
        match found.first().and_then(|c| c.attachments_status()) {
            Some("UPDATE_FAILED") => {
                Err(AwsError::failed(PUT, "NotStable", "the cluster could not attach its capacity providers"))
            }
            Some("UPDATE_IN_PROGRESS") => Ok(Poll::Pending("attaching capacity providers".to_owned())),
            _ => Ok(Poll::Ready(())),
        }
    })
    .await
}

fn object(c: &Cluster) -> Object {
    let mut o = Object::new();
    o.set(&ID, c.cluster_name())
        .set(&CLUSTER_NAME, c.cluster_name())
        .set(&CAPACITY_PROVIDERS, c.capacity_providers())
        .set_blocks(&DEFAULT_STRATEGY, ecs::strategy_blocks(c.default_capacity_provider_strategy()));
    o.complete(&TABLE)
}
