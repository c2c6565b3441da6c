//! The provider port: what the engine asks of whoever owns the resource types.

use crate::aws::types::timeouts;
use crate::aws::{self, Aws, AwsError, Between, Detail, Existing, Host, Job, Pool, RolloutStep, Vcpus};
use crate::builtin::{self, BuiltinType, Context};
use crate::rollout::settings::Settings;
use crate::schema::{Object, TypeSchema};
use async_trait::async_trait;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What a `provider "aws"` block says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderSettings {
    pub region: Option<String>,
    pub profile: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
    pub token: Option<String>,
    /// Each assumed with the credentials of the one before.
    pub assume_roles: Vec<AssumeRole>,
    /// Assumed first of all; no other credentials are needed then.
    pub web_identity: Option<WebIdentity>,
    /// Where STS is asked, if not in `region`.
    pub sts_region: Option<String>,
    /// Endpoint of every service; from `endpoints` blocks or AWS_ENDPOINT_URL.
    pub endpoint: Option<String>,
    pub default_tags: BTreeMap<String, String>,
    pub ignore_tag_keys: Vec<String>,
    pub ignore_tag_prefixes: Vec<String>,
    pub use_fips: bool,
    pub use_dualstack: bool,
    pub max_retries: Option<u32>,
    /// The account must be one of these, if there are any.
    pub allowed_accounts: Vec<String>,
    pub forbidden_accounts: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AssumeRole {
    pub role_arn: String,
    pub session_name: Option<String>,
    pub external_id: Option<String>,
    /// `1h30m`, as seconds.
    pub duration_seconds: Option<u64>,
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub source_identity: Option<String>,
    /// Of the session.
    pub tags: BTreeMap<String, String>,
    /// Those of them that sessions assumed from this one have, too.
    pub transitive_tag_keys: Vec<String>,
}

/// A role that a token of an identity provider lets one assume.
#[derive(Clone, Default, PartialEq)]
pub struct WebIdentity {
    pub role_arn: String,
    pub token: Option<String>,
    pub token_file: Option<String>,
    pub session_name: Option<String>,
    pub duration_seconds: Option<u64>,
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
}

/// Without the token.
impl std::fmt::Debug for WebIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebIdentity").field("role_arn", &self.role_arn).finish_non_exhaustive()
    }
}

/// What a creation made.
#[derive(Debug)]
pub struct Made {
    pub id: String,
    /// All of it, where there is nothing to read it back from.
    pub object: Option<Object>,
}

/// `provider`: a configured provider's name (`aws`, `aws.west`).
#[async_trait(?Send)]
pub trait Provider {
    fn resource(&self, type_name: &str) -> Option<&'static TypeSchema>;
    fn data(&self, type_name: &str) -> Option<&'static TypeSchema>;
    fn resource_names(&self) -> Vec<&'static str>;
    fn data_names(&self) -> Vec<&'static str>;

    /// Local names of the providers that this answers for (`aws`; `random`, `time` …).
    fn names(&self) -> Vec<&'static str>;
    /// Whether a provider of this name takes settings, and must be configured before it is asked.
    fn is_configurable(&self, name: &str) -> bool;

    /// Makes `provider` usable. No call to AWS yet.
    async fn configure(&self, provider: &str, settings: &ProviderSettings) -> Result<(), AwsError>;

    async fn read(
        &self,
        provider: &str,
        type_name: &str,
        items: &[Existing<'_>],
    ) -> Result<Vec<Option<Object>>, AwsError>;
    async fn create(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Made, AwsError>;
    /// The whole new object, where there is nothing to read it back from.
    async fn update(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
    ) -> Result<Option<Object>, AwsError>;
    async fn delete(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError>;
    async fn find(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Option<String>, AwsError>;
    /// Waits until something whose creation was cut short can be used, as a creation does at its end.
    async fn settle(&self, _provider: &str, _type_name: &str, _job: &Job<'_>) -> Result<(), AwsError> {
        Ok(())
    }
    /// See [`crate::aws::AwsType::tune`].
    fn tune(&self, type_name: &str, _want: &mut Object, _settings: &Settings) -> Result<(), String> {
        Err(format!("{type_name} has no rollout"))
    }

    /// States of CloudWatch alarms by name; one that there is not is missing.
    async fn alarms(&self, _provider: &str, _names: &[String]) -> Result<BTreeMap<String, String>, AwsError> {
        Ok(BTreeMap::new())
    }

    /// Container instances of a cluster.
    async fn hosts(&self, _provider: &str, _cluster: &str, _detail: Detail) -> Result<Vec<Host>, AwsError> {
        Ok(Vec::new())
    }

    /// The quotas that these are bound by, and what runs.
    async fn vcpus(&self, _provider: &str, _pools: &BTreeSet<Pool>) -> Result<Vcpus, AwsError> {
        Ok(Vcpus::default())
    }

    /// Whether two versions of a launch template launch the same.
    async fn launch_alike(
        &self,
        _provider: &str,
        _template: &str,
        _versions: [&str; 2],
    ) -> Result<bool, AwsError> {
        Ok(false)
    }

    /// How many targets of each target group are healthy, by ARN.
    async fn healthy_targets(
        &self,
        _provider: &str,
        _groups: &[String],
    ) -> Result<BTreeMap<String, usize>, AwsError> {
        Ok(BTreeMap::new())
    }

    fn rollout(
        &self,
        type_name: &str,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep>;
    /// See [`crate::aws::AwsType::resume`].
    fn resume(&self, _type_name: &str, _want: &Object) -> Vec<RolloutStep> {
        Vec::new()
    }
    /// See [`crate::aws::AwsType::between`].
    fn between(
        &self,
        _type_name: &str,
        _live: &Object,
        _want: &Object,
        _changed: &[String],
    ) -> Option<Between> {
        None
    }
    /// See [`crate::aws::AwsType::take_back`].
    async fn take_back(
        &self,
        _provider: &str,
        _type_name: &str,
        _job: &Job<'_>,
        _carried: Option<&str>,
    ) -> Result<bool, AwsError> {
        Ok(false)
    }
    async fn run_step(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError>;
    async fn read_data(&self, provider: &str, type_name: &str, want: &Object) -> Result<Object, AwsError>;
    /// What an id that a person gives (`import`) says about the attributes; None: nothing of this type can be
    /// imported.
    fn import(&self, type_name: &str, id: &str) -> Option<Object>;
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

    fn names(&self) -> Vec<&'static str> {
        vec!["aws"]
    }

    fn is_configurable(&self, name: &str) -> bool {
        name == "aws"
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

    async fn create(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Made, AwsError> {
        let id = of(type_name).create(&self.aws(provider)?, job).await?;
        Ok(Made { id, object: None })
    }

    async fn update(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
    ) -> Result<Option<Object>, AwsError> {
        of(type_name).update(&self.aws(provider)?, job).await.map(|()| None)
    }

    async fn delete(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        of(type_name).delete(&self.aws(provider)?, job).await
    }

    async fn find(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        of(type_name).find(&self.aws(provider)?, job).await
    }

    async fn settle(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        of(type_name).settle(&self.aws(provider)?, job).await
    }

    fn tune(&self, type_name: &str, want: &mut Object, settings: &Settings) -> Result<(), String> {
        of(type_name).tune(want, settings)
    }

    async fn alarms(&self, provider: &str, names: &[String]) -> Result<BTreeMap<String, String>, AwsError> {
        aws::alarm_states(&self.aws(provider)?, names).await
    }

    async fn hosts(&self, provider: &str, cluster: &str, detail: Detail) -> Result<Vec<Host>, AwsError> {
        aws::hosts(&self.aws(provider)?, cluster, detail).await
    }

    async fn vcpus(&self, provider: &str, pools: &BTreeSet<Pool>) -> Result<Vcpus, AwsError> {
        aws::vcpus(&self.aws(provider)?, pools).await
    }

    async fn launch_alike(
        &self,
        provider: &str,
        template: &str,
        versions: [&str; 2],
    ) -> Result<bool, AwsError> {
        aws::types::launch_alike(&self.aws(provider)?, template, versions).await
    }

    async fn healthy_targets(
        &self,
        provider: &str,
        groups: &[String],
    ) -> Result<BTreeMap<String, usize>, AwsError> {
        aws::healthy_targets(&self.aws(provider)?, groups).await
    }

    fn rollout(
        &self,
        type_name: &str,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        of(type_name).rollout(live, want, changed, settings)
    }

    fn resume(&self, type_name: &str, want: &Object) -> Vec<RolloutStep> {
        of(type_name).resume(want)
    }

    fn between(&self, type_name: &str, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        of(type_name).between(live, want, changed)
    }

    async fn take_back(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
        carried: Option<&str>,
    ) -> Result<bool, AwsError> {
        of(type_name).take_back(&self.aws(provider)?, job, carried).await
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
        let limit = timeouts::limit(want, &timeouts::READ, 20);
        let late =
            || AwsError::failed(type_name, "Timeout", format!("no answer within {}s", limit.as_secs()));
        tokio::time::timeout(limit, data.read(&self.aws(provider)?, want)).await.map_err(|_| late())?
    }

    fn import(&self, type_name: &str, id: &str) -> Option<Object> {
        Some(of(type_name).import(id))
    }
}

/// The small providers: dispatches to `builtin::types` and `builtin::data`.
pub struct BuiltinProvider {
    /// None when only looking for mistakes: nothing is asked then.
    context: Option<Context>,
}

impl BuiltinProvider {
    pub fn new(context: Option<Context>) -> Self {
        Self { context }
    }

    fn context(&self) -> Result<&Context, AwsError> {
        let none = || AwsError::failed("configure", "Internal", "validation makes nothing");
        self.context.as_ref().ok_or_else(none)
    }
}

fn small(type_name: &str) -> &'static dyn BuiltinType {
    builtin::types::find(type_name).expect("configuration and state were checked against the list of types")
}

#[async_trait(?Send)]
impl Provider for BuiltinProvider {
    fn resource(&self, type_name: &str) -> Option<&'static TypeSchema> {
        builtin::types::find(type_name).map(|t| t.schema())
    }

    fn data(&self, type_name: &str) -> Option<&'static TypeSchema> {
        builtin::data::find(type_name).map(|t| t.schema())
    }

    fn resource_names(&self) -> Vec<&'static str> {
        builtin::types::ALL.iter().map(|t| t.schema().name).collect()
    }

    fn data_names(&self) -> Vec<&'static str> {
        builtin::data::ALL.iter().map(|t| t.schema().name).collect()
    }

    fn names(&self) -> Vec<&'static str> {
        builtin::PROVIDERS.to_vec()
    }

    fn is_configurable(&self, _name: &str) -> bool {
        false
    }

    async fn configure(&self, _provider: &str, _settings: &ProviderSettings) -> Result<(), AwsError> {
        Ok(())
    }

    async fn read(
        &self,
        _provider: &str,
        type_name: &str,
        items: &[Existing<'_>],
    ) -> Result<Vec<Option<Object>>, AwsError> {
        let context = self.context()?;
        items.iter().map(|item| small(type_name).read(context, item.known)).collect()
    }

    async fn create(&self, _provider: &str, type_name: &str, job: &Job<'_>) -> Result<Made, AwsError> {
        let object = small(type_name).create(self.context()?, job).await?;
        Ok(Made { id: object.id().to_owned(), object: Some(object) })
    }

    async fn update(
        &self,
        _provider: &str,
        type_name: &str,
        job: &Job<'_>,
    ) -> Result<Option<Object>, AwsError> {
        small(type_name).update(self.context()?, job).await.map(Some)
    }

    async fn delete(&self, _provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        small(type_name).delete(self.context()?, job).await
    }

    /// What a killed run made lives in no other place than the state: it is made again.
    async fn find(
        &self,
        _provider: &str,
        _type_name: &str,
        _job: &Job<'_>,
    ) -> Result<Option<String>, AwsError> {
        Ok(None)
    }

    fn rollout(
        &self,
        _type_name: &str,
        _live: &Object,
        _want: &Object,
        _changed: &[String],
        _settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        Vec::new()
    }

    async fn run_step(
        &self,
        _provider: &str,
        _type_name: &str,
        _job: &Job<'_>,
        step: &str,
        _carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        Err(AwsError::failed(step, "Internal", "this type plans no rollout steps"))
    }

    async fn read_data(&self, _provider: &str, type_name: &str, want: &Object) -> Result<Object, AwsError> {
        let data = builtin::data::find(type_name)
            .expect("configuration was checked against the list of data sources");
        data.read(self.context()?, want).await
    }

    fn import(&self, type_name: &str, id: &str) -> Option<Object> {
        small(type_name).import(id)
    }
}

/// Several providers as one: each call goes to the one whose type it is about.
pub struct Providers {
    members: Vec<Box<dyn Provider>>,
}

impl Providers {
    pub fn new(members: Vec<Box<dyn Provider>>) -> Self {
        Self { members }
    }

    fn owner(&self, type_name: &str) -> Result<&dyn Provider, AwsError> {
        let owns = |p: &&dyn Provider| p.resource(type_name).or_else(|| p.data(type_name)).is_some();
        let unknown = || AwsError::failed("dispatch", "Internal", format!("nobody knows {type_name}"));
        self.members.iter().map(|p| &**p).find(owns).ok_or_else(unknown)
    }
}

#[async_trait(?Send)]
impl Provider for Providers {
    fn resource(&self, type_name: &str) -> Option<&'static TypeSchema> {
        self.members.iter().find_map(|p| p.resource(type_name))
    }

    fn data(&self, type_name: &str) -> Option<&'static TypeSchema> {
        self.members.iter().find_map(|p| p.data(type_name))
    }

    fn resource_names(&self) -> Vec<&'static str> {
        self.members.iter().flat_map(|p| p.resource_names()).collect()
    }

    fn data_names(&self) -> Vec<&'static str> {
        self.members.iter().flat_map(|p| p.data_names()).collect()
    }

    fn names(&self) -> Vec<&'static str> {
        self.members.iter().flat_map(|p| p.names()).collect()
    }

    fn is_configurable(&self, name: &str) -> bool {
        self.members.iter().any(|p| p.is_configurable(name))
    }

    async fn configure(&self, provider: &str, settings: &ProviderSettings) -> Result<(), AwsError> {
        let name = local_name(provider);
        for member in self.members.iter().filter(|p| p.is_configurable(name)) {
            member.configure(provider, settings).await?;
        }
        Ok(())
    }

    async fn read(
        &self,
        provider: &str,
        type_name: &str,
        items: &[Existing<'_>],
    ) -> Result<Vec<Option<Object>>, AwsError> {
        self.owner(type_name)?.read(provider, type_name, items).await
    }

    async fn create(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Made, AwsError> {
        self.owner(type_name)?.create(provider, type_name, job).await
    }

    async fn update(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
    ) -> Result<Option<Object>, AwsError> {
        self.owner(type_name)?.update(provider, type_name, job).await
    }

    async fn delete(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        self.owner(type_name)?.delete(provider, type_name, job).await
    }

    async fn find(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        self.owner(type_name)?.find(provider, type_name, job).await
    }

    async fn settle(&self, provider: &str, type_name: &str, job: &Job<'_>) -> Result<(), AwsError> {
        self.owner(type_name)?.settle(provider, type_name, job).await
    }

    fn tune(&self, type_name: &str, want: &mut Object, settings: &Settings) -> Result<(), String> {
        self.owner(type_name).map_err(|e| e.message)?.tune(type_name, want, settings)
    }

    async fn alarms(&self, provider: &str, names: &[String]) -> Result<BTreeMap<String, String>, AwsError> {
        self.owner("aws_cloudwatch_metric_alarm")?.alarms(provider, names).await
    }

    async fn hosts(&self, provider: &str, cluster: &str, detail: Detail) -> Result<Vec<Host>, AwsError> {
        self.owner("aws_ecs_service")?.hosts(provider, cluster, detail).await
    }

    async fn vcpus(&self, provider: &str, pools: &BTreeSet<Pool>) -> Result<Vcpus, AwsError> {
        self.owner("aws_ecs_service")?.vcpus(provider, pools).await
    }

    async fn launch_alike(
        &self,
        provider: &str,
        template: &str,
        versions: [&str; 2],
    ) -> Result<bool, AwsError> {
        self.owner("aws_launch_template")?.launch_alike(provider, template, versions).await
    }

    async fn healthy_targets(
        &self,
        provider: &str,
        groups: &[String],
    ) -> Result<BTreeMap<String, usize>, AwsError> {
        self.owner("aws_lb_target_group")?.healthy_targets(provider, groups).await
    }

    fn rollout(
        &self,
        type_name: &str,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        let owner = self.owner(type_name);
        owner.map(|p| p.rollout(type_name, live, want, changed, settings)).unwrap_or_default()
    }

    fn resume(&self, type_name: &str, want: &Object) -> Vec<RolloutStep> {
        self.owner(type_name).map(|owner| owner.resume(type_name, want)).unwrap_or_default()
    }

    fn between(&self, type_name: &str, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        self.owner(type_name).ok()?.between(type_name, live, want, changed)
    }

    async fn take_back(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
        carried: Option<&str>,
    ) -> Result<bool, AwsError> {
        self.owner(type_name)?.take_back(provider, type_name, job, carried).await
    }

    async fn run_step(
        &self,
        provider: &str,
        type_name: &str,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        self.owner(type_name)?.run_step(provider, type_name, job, step, carried).await
    }

    async fn read_data(&self, provider: &str, type_name: &str, want: &Object) -> Result<Object, AwsError> {
        self.owner(type_name)?.read_data(provider, type_name, want).await
    }

    fn import(&self, type_name: &str, id: &str) -> Option<Object> {
        self.owner(type_name).ok()?.import(type_name, id)
    }
}

/// `aws.west@3` → `aws`: the name that a configuration gives a provider, without alias and owner.
pub fn local_name(provider: &str) -> &str {
    provider.split(['.', '@']).next().unwrap_or_default()
}

/// The provider that a type belongs to unless the configuration says otherwise.
pub fn default_name(type_name: &str) -> &str {
    type_name.split('_').next().unwrap_or_default()
}
