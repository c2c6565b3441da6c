//! Credentials of assumed roles: one call of STS each, with all that a provider block may say of the session.

use crate::provider::{AssumeRole, ProviderSettings, WebIdentity};
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use aws_types::SdkConfig;
use aws_types::region::Region;
use std::time::SystemTime;

/// What the last role of a provider block may do; each is assumed with the credentials of the one before.
pub fn with_roles(mut config: SdkConfig, settings: &ProviderSettings) -> SdkConfig {
    let web = settings.web_identity.iter().cloned().map(How::WebIdentity);
    for how in web.chain(settings.assume_roles.iter().cloned().map(How::Role)) {
        let own = aws_sdk_sts::config::Builder::from(&config);
        let own = match &settings.sts_region {
            Some(region) => own.region(Region::new(region.clone())),
            None => own,
        };
        let assumed = Assumed { sts: aws_sdk_sts::Client::from_conf(own.build()), how };
        // One cache for the clients of all services: one session for all.
        config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(assumed))
            .identity_cache(IdentityCache::lazy().build())
            .build();
    }
    config
}

#[derive(Debug)]
enum How {
    Role(AssumeRole),
    WebIdentity(WebIdentity),
}

#[derive(Debug)]
struct Assumed {
    sts: aws_sdk_sts::Client,
    how: How,
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

impl Assumed {
    async fn ask(&self) -> Result {
        let given = match &self.how {
            How::Role(role) => self.role(role).await?,
            How::WebIdentity(identity) => self.web_identity(identity).await?,
        };
        let given = given.ok_or_else(|| CredentialsError::unhandled("STS answered without credentials"))?;
        let expires = SystemTime::try_from(*given.expiration()).map_err(CredentialsError::unhandled)?;
        let (key, secret) = (given.access_key_id(), given.secret_access_key());
        Ok(Credentials::new(
            key,
            secret,
            Some(given.session_token().to_owned()),
            Some(expires),
            "assumed role",
        ))
    }

    async fn role(
        &self,
        role: &AssumeRole,
    ) -> std::result::Result<Option<aws_sdk_sts::types::Credentials>, CredentialsError> {
        let tags = role.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags: Vec<Tag> =
            tags.collect::<std::result::Result<_, _>>().map_err(CredentialsError::unhandled)?;
        let request = self
            .sts
            .assume_role()
            .role_arn(&role.role_arn)
            .role_session_name(session_name(role.session_name.as_deref()))
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(seconds(role.duration_seconds))
            .set_policy(role.policy.clone())
            .set_policy_arns(policies(&role.policy_arns))
            .set_source_identity(role.source_identity.clone())
            .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
            .set_transitive_tag_keys(Some(role.transitive_tag_keys.clone()).filter(|keys| !keys.is_empty()));
        let answer = request.send().await.map_err(CredentialsError::provider_error)?;
        Ok(answer.credentials)
    }

    async fn web_identity(
        &self,
        identity: &WebIdentity,
    ) -> std::result::Result<Option<aws_sdk_sts::types::Credentials>, CredentialsError> {
        // Read anew each time: whoever issues tokens renews the file.
        let token = match (&identity.token, &identity.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(path)) => {
                let unreadable = |e| CredentialsError::provider_error(format!("cannot read {path}: {e}"));
                std::fs::read_to_string(path).map_err(unreadable)?.trim().to_owned()
            }
            (None, None) => return Err(CredentialsError::not_loaded("there is no web identity token")),
        };
        let request = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&identity.role_arn)
            .role_session_name(session_name(identity.session_name.as_deref()))
            .web_identity_token(token)
            .set_duration_seconds(seconds(identity.duration_seconds))
            .set_policy(identity.policy.clone())
            .set_policy_arns(policies(&identity.policy_arns));
        let answer = request.send().await.map_err(CredentialsError::provider_error)?;
        Ok(answer.credentials)
    }
}

fn session_name(given: Option<&str>) -> &str {
    given.unwrap_or("cutover")
}

fn seconds(given: Option<u64>) -> Option<i32> {
    given.and_then(|seconds| seconds.try_into().ok())
}

fn policies(arns: &[String]) -> Option<Vec<PolicyDescriptorType>> {
    let all: Vec<_> = arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn).build()).collect();
    Some(all).filter(|all| !all.is_empty())
}
