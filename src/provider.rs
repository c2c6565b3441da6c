//! The provider port: what the engine asks of whoever owns the resource types.

use crate::aws::{self, Aws, AwsError, Existing, Job, RolloutStep};
use crate::schema::{Object, TypeSchema};
use async_trait::async_trait;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What a `provider "aws"` block says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderSettings {
    pub region: Option<String>,
    pub profile: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
    pub token: Option<String>,
    pub assume_role: Option<AssumeRole>,
    /// Endpoint of every service; from `endpoints` blocks or AWS_ENDPOINT_URL.
    pub endpoint: Option<String>,
    pub default_tags: BTreeMap<String, String>,
    pub ignore_tag_keys: Vec<String>,
    pub ignore_tag_prefixes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssumeRole {
    pub role_arn: String,
    pub session_name: Option<String>,
    pub external_id: Option<String>,
}

/// `provider`: a configured provider's name (`aws`, `aws.west`).
#[async_trait(?Send)]
pub trait Provider {
    fn resource(&self, type_name: &str) -> Option<&'static TypeSchema>;
    fn data(&self, type_name: &str) -> Option<&'static TypeSchema>;
    fn resource_names(&self) -> Vec<&'static str>;
    fn data_names(&self) -> Vec<&'static str>;

    /// Makes `provider` usable. No call to AWS yet.
    async fn configure(&self, provider: &str, settings: &ProviderSettings) -> Result<(), AwsError>;

    async fn read(
        &self,
        provider: &str,
        type_name: &str,
        items: &[Existing<'_>],
    ) -> Result<Vec<Option<Object>>, AwsError>;
    async fn create(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<String, AwsError>;
    async fn update(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError>;
    async fn delete(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError>;
    async fn find(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Option<String>, AwsError>;
    fn rollout(&self, type_name: &str, live: &Object, want: &Object, changed: &[String]) -> Vec<RolloutStep>;
    async fn run_step(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError>;
    async fn read_data(&self, provider: &str, type_name: &str, want: &Object) -> Result<Object, AwsError>;
    /// What an id that a person gives (`import`) says about the attributes.
    fn import(&self, type_name: &str, id: &str) -> Object;
}

/// Builds the SDK configuration of one provider block: the edge where clouds differ.
#[async_trait(?Send)]
pub trait Connect {
    async fn connect(&self, settings: &ProviderSettings) -> Result<Aws, AwsError>;
}

/// The AWS provider: dispatches to `aws::types` and `aws::data`.
pub struct AwsProvider<C> {
    connect: C,
    configured: RefCell<BTreeMap<String, Aws>>,
}

impl<C: Connect> AwsProvider<C> {
    pub fn new(connect: C) -> Self {
        Self { connect, configured: RefCell::default() }
    }

    fn aws(&self, provider: &str) -> Result<Aws, AwsError> {
        self.configured.borrow().get(provider).cloned().ok_or_else(|| {
            AwsError::failed("configure", "NoProvider", format!("provider `{provider}` was not configured"))
        })
    }
}

fn of(type_name: &str) -> &'static dyn aws::AwsType {
    aws::types::find(type_name).expect("configuration and state were checked against the list of types")
}

#[async_trait(?Send)]
impl<C: Connect> Provider for AwsProvider<C> {
    fn resource(&self, type_name: &str) -> Option<&'static TypeSchema> {
        aws::types::find(type_name).map(|t| t.schema())
    }

    fn data(&self, type_name: &str) -> Option<&'static TypeSchema> {
        aws::data::find(type_name).map(|t| t.schema())
    }

    fn resource_names(&self) -> Vec<&'static str> {
        aws::types::ALL.iter().map(|t| t.schema().name).collect()
    }

    fn data_names(&self) -> Vec<&'static str> {
        aws::data::ALL.iter().map(|t| t.schema().name).collect()
    }

    async fn configure(&self, provider: &str, settings: &ProviderSettings) -> Result<(), AwsError> {
        let aws = self.connect.connect(settings).await?;
        self.configured.borrow_mut().insert(provider.to_owned(), aws);
        Ok(())
    }

    async fn read(
        &self,
        provider: &str,
        type_name: &str,
        items: &[Existing<'_>],
    ) -> Result<Vec<Option<Object>>, AwsError> {
        of(type_name).read(&self.aws(provider)?, items).await
    }

    async fn create(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<String, AwsError> {
        of(type_name).create(&self.aws(provider)?, job).await
    }

    async fn update(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        of(type_name).update(&self.aws(provider)?, job).await
    }

    async fn delete(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        of(type_name).delete(&self.aws(provider)?, job).await
    }

    async fn find(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        of(type_name).find(&self.aws(provider)?, job).await
    }

    fn rollout(&self, type_name: &str, live: &Object, want: &Object, changed: &[String]) -> Vec<RolloutStep> {
        of(type_name).rollout(live, want, changed)
    }

    async fn run_step(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        of(type_name).run_step(&self.aws(provider)?, job, step, carried).await
    }

    async fn read_data(&self, provider: &str, type_name: &str, want: &Object) -> Result<Object, AwsError> {
        let data =
            aws::data::find(type_name).expect("configuration was checked against the list of data sources");
        data.read(&self.aws(provider)?, want).await
    }

    fn import(&self, type_name: &str, id: &str) -> Object {
        of(type_name).import(id)
    }
}
