//! `provider` blocks: evaluated, then handed to the provider.

use super::{Purpose, Walk, WalkError};
use crate::config::body::describe;
use crate::diag::{Diagnostic, nearest};
use crate::graph::{ModuleId, Node};
use crate::lang::eval::{Scope, eval};
use crate::lang::syntax::{Attribute, Body};
use crate::plan::values::Repeated;
use crate::provider::{AssumeRole, ProviderSettings, default_name, local_name};
use crate::value::{Type, Value, convert};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Arguments of Terraform's provider that change how it talks to AWS, not what it does: accepted, unused.
const ACCEPTED: &[&str] = &[
    "shared_config_files",
    "shared_credentials_files",
    "skip_credentials_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "skip_requesting_account_id",
    "s3_use_path_style",
    "max_retries",
    "retry_mode",
    "allowed_account_ids",
    "forbidden_account_ids",
    "http_proxy",
    "https_proxy",
    "insecure",
    "use_fips_endpoint",
    "use_dualstack_endpoint",
    "sts_region",
    "custom_ca_bundle",
    "ec2_metadata_service_endpoint",
    "token_bucket_rate_limiter_capacity",
];
const USED: &[&str] = &["region", "profile", "access_key", "secret_key", "token"];

impl Walk<'_> {
    pub(super) async fn provider_block(&mut self, id: ModuleId, name: &Arc<str>) -> Result<(), WalkError> {
        let block = &self.graph.modules[id].module.providers[name];
        let kind = name.split('.').next().unwrap_or_default();
        if !self.provider.names().contains(&kind) {
            let names = self.provider.names();
            self.diags.push(
                Diagnostic::error("unknown-provider", format!("there is no provider `{kind}`"))
                    .at(block.header)
                    .help(format!("Cutover knows {}; remove this block and what uses it", names.join(", "))),
            );
            return Ok(());
        }
        if !self.provider.is_configurable(kind) {
            self.without_settings(kind, &block.body);
            return Ok(());
        }
        let path = self.values.paths(id).into_iter().next().unwrap_or_default();
        let mut diags = std::mem::take(&mut self.diags);
        let scope = self.scope(id, &path, Repeated::default());
        let settings = Reader { scope: &scope, diags: &mut diags }.settings(&block.body, &self.defaults);
        self.diags = diags;
        let key = provider_key(id, name);
        self.configure(key, settings).await
    }

    /// Provider blocks that nobody wrote but somebody uses: the environment's defaults.
    pub(super) async fn configure_defaults(&mut self) -> Result<(), WalkError> {
        if self.settings.contains_key("aws") || !self.is_used("aws") {
            return Ok(());
        }
        self.configure("aws".to_owned(), self.defaults.clone()).await
    }

    /// A provider that takes no settings.
    fn without_settings(&mut self, kind: &str, body: &Body) {
        let arguments = body.attributes.iter().map(|a| (a.name.span, &a.name.name));
        let blocks = body.blocks.iter().map(|b| (b.header, &b.kind.name));
        for (span, name) in arguments.chain(blocks) {
            let problem = format!("provider `{kind}` has no argument `{name}`");
            self.diags.push(Diagnostic::error("unknown-attribute", problem).at(span).help("it takes none"));
        }
    }

    /// Whether anything declared or in the state belongs to this provider. One that nothing uses needs no
    /// credentials.
    fn is_used(&self, name: &str) -> bool {
        let declared = self.graph.nodes().filter_map(|node| match node {
            Node::Resource(_, key) => Some(&key.type_name),
            _ => None,
        });
        let recorded = self.state.resources.keys().map(|address| &address.type_name);
        declared.chain(recorded).any(|type_name| default_name(type_name) == name)
    }

    async fn configure(&mut self, key: String, settings: ProviderSettings) -> Result<(), WalkError> {
        if self.purpose != Purpose::Validate && self.is_used(local_name(&key)) {
            let done = self.provider.configure(&key, &settings).await;
            done.map_err(|error| WalkError::Aws { what: format!("provider {key}"), error })?;
        }
        self.settings.insert(key, settings);
        Ok(())
    }
}

/// How state names a provider: `aws`, `aws.west`; with the module's number when it is not the root's.
pub fn provider_key(owner: ModuleId, name: &str) -> String {
    if owner == 0 { name.to_owned() } else { format!("{name}@{owner}") }
}

struct Reader<'a> {
    scope: &'a dyn Scope,
    diags: &'a mut crate::diag::Diagnostics,
}

impl Reader<'_> {
    fn settings(&mut self, body: &Body, defaults: &ProviderSettings) -> ProviderSettings {
        let mut settings = defaults.clone();
        for attribute in &body.attributes {
            let name = &*attribute.name.name;
            match name {
                "region" => settings.region = self.text(attribute).or(settings.region),
                "profile" => settings.profile = self.text(attribute).or(settings.profile),
                "access_key" => settings.access_key = self.text(attribute),
                "secret_key" => settings.secret_key = self.text(attribute),
                "token" => settings.token = self.text(attribute),
                _ if ACCEPTED.contains(&name) => {}
                _ => {
                    let d = Diagnostic::error(
                        "unknown-attribute",
                        format!("provider `aws` has no argument `{name}`"),
                    );
                    let near = nearest(name, USED.iter().chain(ACCEPTED).copied());
                    let help = near.map_or("see the AWS provider's documentation".to_owned(), |n| {
                        format!("did you mean `{n}`?")
                    });
                    self.diags.push(d.at(attribute.name.span).help(help));
                }
            }
        }
        for block in &body.blocks {
            let inner = &block.body;
            match &*block.kind.name {
                "default_tags" => settings.default_tags = self.tags(inner, "tags"),
                "ignore_tags" => {
                    settings.ignore_tag_keys = self.texts(inner, "keys");
                    settings.ignore_tag_prefixes = self.texts(inner, "key_prefixes");
                }
                "assume_role" => {
                    let get = |name: &str, this: &mut Self| inner.attribute(name).and_then(|a| this.text(a));
                    settings.assume_role = get("role_arn", self).map(|role_arn| AssumeRole {
                        role_arn,
                        session_name: get("session_name", self),
                        external_id: get("external_id", self),
                    });
                }
                "endpoints" => settings.endpoint = self.one_endpoint(inner).or(settings.endpoint),
                other => {
                    let d =
                        Diagnostic::error("unknown-block", format!("provider `aws` has no block `{other}`"));
                    self.diags.push(
                        d.at(block.header)
                            .help("it may hold default_tags, ignore_tags, assume_role and endpoints"),
                    );
                }
            }
        }
        settings
    }

    fn value(&mut self, attribute: &Attribute, ty: &Type) -> Option<Value> {
        let value = eval(&attribute.expr, self.scope, self.diags);
        if value.is_unknown() || value.is_null() {
            return None;
        }
        match convert(&value, ty) {
            Ok(value) => Some(value),
            Err(error) => {
                let d = Diagnostic::error("wrong-type", format!("`{}`: {error}", attribute.name.name));
                self.diags.push(d.label(attribute.expr.span, format!("this is {}", describe(&value))));
                None
            }
        }
    }

    fn text(&mut self, attribute: &Attribute) -> Option<String> {
        self.value(attribute, &Type::String)?.as_str().filter(|s| !s.is_empty()).map(str::to_owned)
    }

    fn texts(&mut self, body: &Body, name: &str) -> Vec<String> {
        let value = body.attribute(name).and_then(|a| self.value(a, &Type::set(Type::String)));
        let items = value.as_ref().and_then(Value::as_slice).unwrap_or_default();
        items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    }

    fn tags(&mut self, body: &Body, name: &str) -> BTreeMap<String, String> {
        let value = body.attribute(name).and_then(|a| self.value(a, &Type::map(Type::String)));
        let map = value.as_ref().and_then(Value::as_map);
        let pairs = map.into_iter().flatten();
        pairs.filter_map(|(k, v)| Some((k.to_string(), v.as_str()?.to_owned()))).collect()
    }

    /// Endpoints of all services must agree: our clients share one.
    fn one_endpoint(&mut self, body: &Body) -> Option<String> {
        let mut found: Option<String> = None;
        for attribute in &body.attributes {
            let text = self.text(attribute)?;
            if found.as_ref().is_some_and(|f| *f != text) {
                self.diags.push(
                    Diagnostic::error("endpoints-differ", "all endpoints must be the same")
                        .at(attribute.span)
                        .help("use AWS_ENDPOINT_URL_<SERVICE> variables for services that differ"),
                );
            }
            found.get_or_insert(text);
        }
        found
    }
}
