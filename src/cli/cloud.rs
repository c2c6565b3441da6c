//! Which AWS a command talks to: the real one, or the embedded one in this process or another.

use super::assume::with_roles;
use super::environment::Environment;
use super::error::CliError;
use super::prober::{InWorld, OverHttp};
use crate::apply::probes::Prober;
use crate::aws::{Aws, AwsError};
use crate::builtin::Entropy;
use crate::clock::Clock;
use crate::embedded::sdk_config;
use crate::provider::{Connect, ProviderSettings};
use crate::sim::{Sim, World};
use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CloudKind {
    /// The simulator inside Cutover
    Embedded,
    /// The real one
    Aws,
}

/// The world's account, as examples in AWS's documentation have it.
const ACCOUNT: &str = "123456789012";
pub const DEFAULT_REGION: &str = "us-east-1";
/// Where a new world's time begins: fixed, so that the same seed tells the same story.
const WORLD_BEGINS: &str = "2026-01-01T00:00:00Z";

pub enum Cloud {
    /// This process owns the world, until the lock is dropped.
    Embedded {
        sim: Sim,
        path: PathBuf,
        _owner: File,
    },
    /// Another process serves the world on a loopback port.
    Served {
        endpoint: String,
    },
    Aws,
}

impl Cloud {
    pub fn open(environment: &Environment) -> Result<Self, CliError> {
        match environment.settings.cloud {
            CloudKind::Aws => Ok(Cloud::Aws),
            CloudKind::Embedded => Self::open_world(environment),
        }
    }

    fn open_world(environment: &Environment) -> Result<Self, CliError> {
        environment.state.create()?;
        match own_world(environment, "")? {
            Ok(owner) => {
                let path = environment.state.world();
                let world = load_or_new(environment)?;
                let sim = Sim::new(world).saving_to(&path);
                Ok(Cloud::Embedded { sim, path, _owner: owner })
            }
            Err(holder) => match holder.strip_prefix("http://") {
                Some(_) => Ok(Cloud::Served { endpoint: holder }),
                None => Err(CliError::Conflict {
                    problem: "another command is using this environment's embedded AWS".to_owned(),
                    help: "wait until it has ended".to_owned(),
                }),
            },
        }
    }

    /// A runtime on the cloud's own time: paused for the world in this process, real otherwise.
    pub fn runtime(&self) -> Result<tokio::runtime::Runtime, CliError> {
        let paused = matches!(self, Cloud::Embedded { .. });
        let built = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(paused).build();
        built.map_err(|error| CliError::Io { what: "cannot start the runtime".to_owned(), error })
    }

    /// Call inside the cloud's runtime.
    pub fn clock(&self) -> Clock {
        match self {
            Cloud::Embedded { sim, .. } => {
                let now = sim.with(|world| world.now);
                Clock::starting_at(Timestamp::from_millisecond(now).unwrap_or_default())
            }
            _ => Clock::real(),
        }
    }

    pub fn connector(&self, clock: &Clock) -> Connector {
        let target = match self {
            Cloud::Embedded { sim, .. } => Target::Sim(sim.clone()),
            Cloud::Served { endpoint } => Target::Endpoint(endpoint.clone()),
            Cloud::Aws => Target::Aws,
        };
        Connector { target, clock: Some(clock.clone()) }
    }

    /// What random resources draw from. `seed` is the environment's.
    pub fn entropy(&self, seed: u64) -> Entropy {
        match self {
            Cloud::Aws => Entropy::System,
            Cloud::Embedded { .. } | Cloud::Served { .. } => Entropy::Seeded(seed),
        }
    }

    /// Who sends probes.
    pub fn prober(&self, clock: &Clock) -> Box<dyn Prober> {
        match self {
            Cloud::Embedded { sim, .. } => Box::new(InWorld { sim: sim.clone(), clock: clock.clone() }),
            Cloud::Served { endpoint } => Box::new(OverHttp { through: Some(endpoint.clone()) }),
            Cloud::Aws => Box::new(OverHttp { through: None }),
        }
    }

    /// Writes the world down with the time that has passed.
    pub fn save(&self, clock: &Clock) -> Result<(), CliError> {
        if let Cloud::Embedded { sim, path, .. } = self {
            let now = clock.now().as_millisecond();
            sim.with(|world| {
                world.advance_to(now);
                world.save(path)
            })?;
        }
        Ok(())
    }
}

pub fn load_or_new(environment: &Environment) -> Result<World, CliError> {
    let begins: Timestamp = WORLD_BEGINS.parse().expect("a constant that is a time");
    let fresh = || World::new(ACCOUNT, DEFAULT_REGION, environment.settings.seed, begins.as_millisecond());
    Ok(World::load(&environment.state.world())?.unwrap_or_else(fresh))
}

/// Takes ownership of the environment's world, or says who has it: the endpoint if it is served, else "".
/// `endpoint` is what others shall find.
pub fn own_world(environment: &Environment, endpoint: &str) -> Result<Result<File, String>, CliError> {
    let path = environment.state.path().join("world.lock");
    let failed = |error| CliError::Io { what: format!("cannot lock `{}`", path.display()), error };
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(endpoint.as_bytes()))
                .map_err(failed)?;
            Ok(Ok(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            Ok(Err(holder))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

enum Target {
    /// Only looking for mistakes: nothing is asked.
    None,
    Sim(Sim),
    Endpoint(String),
    Aws,
}

/// Makes SDK clients for provider blocks.
pub struct Connector {
    target: Target,
    clock: Option<Clock>,
}

impl Connector {
    pub fn none() -> Self {
        Self { target: Target::None, clock: None }
    }
}

#[async_trait(?Send)]
impl Connect for Connector {
    async fn connect(&self, settings: &ProviderSettings) -> Result<Aws, AwsError> {
        let region = settings.region.clone();
        let Some(clock) = &self.clock else {
            return Err(AwsError::failed("configure", "Internal", "validation does not ask AWS"));
        };
        let config = match &self.target {
            Target::None => {
                return Err(AwsError::failed("configure", "Internal", "validation does not ask AWS"));
            }
            Target::Sim(sim) => {
                let region = region.unwrap_or_else(|| sim.with(|w| w.region.clone()));
                sdk_config(sim, clock, &region, retries(settings))
            }
            Target::Endpoint(endpoint) => {
                let keys = Credentials::new("AKIAEMBEDDEDAWS00000", "embedded", None, None, "embedded");
                let loader = loader(&ProviderSettings {
                    region: region.or(Some(DEFAULT_REGION.into())),
                    ..Default::default()
                });
                loader.credentials_provider(keys).endpoint_url(endpoint).load().await
            }
            Target::Aws => real(settings).await?,
        };
        Ok(Aws::new(&with_roles(config, settings), clock.clone()))
    }
}

/// AWS_MAX_ATTEMPTS is the SDKs' own variable; their default of 3 is too few for a busy account.
fn attempts() -> u32 {
    let told = std::env::var("AWS_MAX_ATTEMPTS").ok().and_then(|n| n.parse().ok());
    told.filter(|n| *n > 0).unwrap_or(8)
}

/// After throttled calls the SDK itself slows down, for all calls of a client together.
fn retries(settings: &ProviderSettings) -> RetryConfig {
    let tries = settings.max_retries.map_or_else(attempts, |retries| retries.saturating_add(1));
    RetryConfig::adaptive().with_max_attempts(tries).with_max_backoff(Duration::from_secs(20))
}

fn loader(settings: &ProviderSettings) -> aws_config::ConfigLoader {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).retry_config(retries(settings));
    if settings.use_fips {
        loader = loader.use_fips(true);
    }
    if settings.use_dualstack {
        loader = loader.use_dual_stack(true);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(aws_types::region::Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &settings.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let (Some(key), Some(secret)) = (&settings.access_key, &settings.secret_key) {
        loader = loader.credentials_provider(Credentials::new(
            key,
            secret,
            settings.token.clone(),
            None,
            "provider block",
        ));
    }
    loader
}

/// Region and credentials from where the AWS CLI looks for them; checked before the first call.
async fn real(settings: &ProviderSettings) -> Result<aws_types::SdkConfig, AwsError> {
    let named = std::env::vars().filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL"));
    let named = named.chain(settings.endpoint.clone().map(|url| ("the provider's endpoint".to_owned(), url)));
    named.into_iter().try_for_each(|(name, url)| check_endpoint(&name, &url))?;
    let config = loader(settings).load().await;
    check_endpoint("endpoint_url of the profile", config.endpoint_url().unwrap_or("https://aws"))?;
    if config.region().is_none() {
        return Err(AwsError::failed(
            "configure",
            "NoRegion",
            "no region: looked in the provider block, AWS_REGION, AWS_DEFAULT_REGION and the profile",
        ));
    }
    // A web identity needs no other credentials.
    if settings.web_identity.is_none() {
        let Some(provider) = config.credentials_provider() else { return Err(no_credentials("no provider")) };
        provider.provide_credentials().await.map_err(|e| no_credentials(&e.to_string()))?;
    }
    Ok(config)
}

/// The SDK would not end well with an empty one.
fn check_endpoint(name: &str, url: &str) -> Result<(), AwsError> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let good = parsed.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    let what = if url.is_empty() { "is empty".to_owned() } else { format!("is `{url}`, which is no URL") };
    match good {
        true => Ok(()),
        false => Err(AwsError::failed("configure", "InvalidEndpoint", format!("{name} {what}"))),
    }
}

fn no_credentials(why: &str) -> AwsError {
    let looked = [
        "access_key and secret_key in the provider block",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "the profile (AWS_PROFILE or `profile`), SSO and credential_process included",
        "a web identity token (AWS_WEB_IDENTITY_TOKEN_FILE)",
        "the container's and the instance's metadata service",
    ];
    let message = format!("no AWS credentials ({why}); looked for:\n- {}", looked.join("\n- "));
    AwsError::failed("configure", "NoCredentials", message)
}
