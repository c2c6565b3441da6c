//! `provider` blocks: evaluated, then handed to the provider.

use super::{Purpose, Walk, WalkError};
use crate::config::body::{describe, dynamic_items};
use crate::config::providers::is_proxy;
use crate::diag::{Diagnostic, Span, nearest};
use crate::graph::{ModuleId, Node};
use crate::lang::eval::{Scope, eval};
use crate::lang::syntax::{Attribute, Body};
use crate::plan::values::Repeated;
use crate::provider::{AssumeRole, ProviderSettings, WebIdentity, default_name, local_name};
use crate::schema::Object;
use crate::value::{Type, Value, convert};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Arguments that only spare Terraform's provider some checks, or tune it.
const HARMLESS: &[&str] = &[
    "retry_mode",
    "s3_us_east_1_regional_endpoint",
    "s3_use_path_style",
    "skip_credentials_validation",
    "skip_metadata_api_check",
    "skip_region_validation",
    "skip_requesting_account_id",
    "token_bucket_rate_limiter_capacity",
];
/// Arguments that say how to reach AWS in a way that Cutover does not have, and what to use instead.
const NOT_USED: &[(&str, &str)] = &[
    ("custom_ca_bundle", "set AWS_CA_BUNDLE"),
    ("ec2_metadata_service_endpoint", "set AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    ("ec2_metadata_service_endpoint_mode", "set AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
    ("http_proxy", "proxies are not supported"),
    ("https_proxy", "proxies are not supported"),
    ("insecure", "certificates are always checked"),
    ("no_proxy", "proxies are not supported"),
    ("shared_config_files", "set AWS_CONFIG_FILE"),
    ("shared_credentials_files", "set AWS_SHARED_CREDENTIALS_FILE"),
];
const USED: &[&str] = &[
    "access_key",
    "allowed_account_ids",
    "forbidden_account_ids",
    "max_retries",
    "profile",
    "region",
    "secret_key",
    "sts_region",
    "token",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
];

const ASSUME_ROLE: &[&str] = &[
    "duration",
    "external_id",
    "policy",
    "policy_arns",
    "role_arn",
    "session_name",
    "source_identity",
    "tags",
    "transitive_tag_keys",
];
const WEB_IDENTITY: &[&str] = &[
    "duration",
    "policy",
    "policy_arns",
    "role_arn",
    "session_name",
    "web_identity_token",
    "web_identity_token_file",
];

impl Walk<'_> {
    pub(super) async fn provider_block(&mut self, id: ModuleId, name: &Arc<str>) -> Result<(), WalkError> {
        let block = &self.graph.modules[id].module.providers[name];
        let kind = name.split('.').next().unwrap_or_default();
        // What uses a provider that nobody knows is reported with its resources.
        if !self.provider.names().contains(&kind) || (id != 0 && is_proxy(block)) {
            return Ok(());
        }
        if !self.provider.is_configurable(kind) {
            self.without_settings(kind, &block.body);
            return Ok(());
        }
        let path = self.values.paths(id).into_iter().next().unwrap_or_default();
        let mut diags = std::mem::take(&mut self.diags);
        let scope = self.scope(id, &path, Repeated::default());
        let unknown_is_error = self.purpose != Purpose::Validate;
        let mut reader = Reader { scope: &scope, diags: &mut diags, unknown_is_error };
        let settings = reader.settings(&block.body, &self.defaults);
        self.diags = diags;
        let key = provider_key(id, name);
        if self.diags.has_errors() {
            self.settings.insert(key, settings);
            return Ok(());
        }
        self.configure(key.clone(), settings).await?;
        self.check_account(&key, block.header).await
    }

    /// `allowed_account_ids` and `forbidden_account_ids`.
    async fn check_account(&mut self, key: &str, span: Span) -> Result<(), WalkError> {
        let settings = &self.settings[key];
        let (allowed, forbidden) = (&settings.allowed_accounts, &settings.forbidden_accounts);
        let asked = !allowed.is_empty() || !forbidden.is_empty();
        if self.purpose == Purpose::Validate || !asked || !self.is_used("aws") {
            return Ok(());
        }
        let answer = self.provider.read_data(key, "aws_caller_identity", &Object::new()).await;
        let answer = answer.map_err(|error| WalkError::Aws { what: format!("provider {key}"), error })?;
        let account = answer.value("account_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let listed = |list: &[String]| list.contains(&account);
        if (!allowed.is_empty() && !listed(allowed)) || listed(forbidden) {
            let d = Diagnostic::error("wrong-account", format!("account {account} is not allowed here"));
            let d = d.at(span).note(match allowed.is_empty() {
                true => format!("forbidden are {}", forbidden.join(", ")),
                false => format!("allowed are {}", allowed.join(", ")),
            });
            self.diags.push(d.help("use credentials of the right account; nothing was changed"));
        }
        Ok(())
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
        let all = declared.chain(recorded).chain(&self.awaited);
        all.into_iter().any(|type_name| default_name(type_name) == name)
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
    unknown_is_error: bool,
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
                "sts_region" => settings.sts_region = self.text(attribute),
                "max_retries" => {
                    settings.max_retries =
                        self.value(attribute, &Type::Number).and_then(|v| v.as_i64()?.try_into().ok());
                }
                "use_fips_endpoint" => settings.use_fips = self.flag(attribute),
                "use_dualstack_endpoint" => settings.use_dualstack = self.flag(attribute),
                "allowed_account_ids" => settings.allowed_accounts = self.texts(body, name),
                "forbidden_account_ids" => settings.forbidden_accounts = self.texts(body, name),
                // Old configurations have it; versions are named in required_providers.
                "version" => {}
                _ if HARMLESS.contains(&name) => {}
                _ => self.other_argument(attribute),
            }
        }
        for block in &body.blocks {
            let Some(items) = dynamic_items(block, self.scope, self.diags) else {
                self.nested(&block.kind.name, block.header, &block.body, &mut settings);
                continue;
            };
            for (kind, inner, scope) in items {
                let mut reader =
                    Reader { scope: &scope, diags: self.diags, unknown_is_error: self.unknown_is_error };
                reader.nested(&kind, block.header, inner, &mut settings);
            }
        }
        settings
    }

    fn nested(&mut self, kind: &str, header: Span, body: &Body, settings: &mut ProviderSettings) {
        match kind {
            "default_tags" => settings.default_tags = self.tags(body, "tags"),
            "ignore_tags" => {
                settings.ignore_tag_keys = self.texts(body, "keys");
                settings.ignore_tag_prefixes = self.texts(body, "key_prefixes");
            }
            "assume_role" => settings.assume_roles.extend(self.assume_role(body)),
            "endpoints" => settings.endpoint = self.one_endpoint(body).or(settings.endpoint.take()),
            "assume_role_with_web_identity" => settings.web_identity = self.web_identity(header, body),
            other => {
                let d = Diagnostic::error("unknown-block", format!("provider `aws` has no block `{other}`"));
                self.diags.push(d.at(header).help(
                    "it may hold default_tags, ignore_tags, assume_role, assume_role_with_web_identity and endpoints",
                ));
            }
        }
    }

    fn other_argument(&mut self, attribute: &Attribute) {
        let name = &*attribute.name.name;
        if let Some((_, instead)) = NOT_USED.iter().find(|(n, _)| *n == name) {
            let d = Diagnostic::warning("unused-argument", format!("`{name}` is not used by Cutover"));
            self.diags.push(d.at(attribute.span).help(*instead));
            return;
        }
        let d = Diagnostic::error("unknown-attribute", format!("provider `aws` has no argument `{name}`"));
        let near = nearest(name, USED.iter().chain(HARMLESS).copied());
        let help =
            near.map_or_else(|| format!("it takes {}", USED.join(", ")), |n| format!("did you mean `{n}`?"));
        self.diags.push(d.at(attribute.name.span).help(help));
    }

    fn assume_role(&mut self, body: &Body) -> Option<AssumeRole> {
        let mut role = AssumeRole::default();
        for attribute in &body.attributes {
            match &*attribute.name.name {
                "role_arn" => role.role_arn = self.text(attribute).unwrap_or_default(),
                "session_name" => role.session_name = self.text(attribute),
                "external_id" => role.external_id = self.text(attribute),
                "policy" => role.policy = self.text(attribute),
                "policy_arns" => role.policy_arns = self.texts(body, "policy_arns"),
                "duration" => role.duration_seconds = self.duration(attribute),
                "source_identity" => role.source_identity = self.text(attribute),
                "tags" => role.tags = self.tags(body, "tags"),
                "transitive_tag_keys" => {
                    role.transitive_tag_keys = self.texts(body, "transitive_tag_keys");
                }
                _ => self.unknown_in("assume_role", attribute, ASSUME_ROLE),
            }
        }
        // Left empty, it is meant not to be there: `role_arn = var.role`.
        (!role.role_arn.is_empty()).then_some(role)
    }

    fn web_identity(&mut self, header: Span, body: &Body) -> Option<WebIdentity> {
        let mut identity = WebIdentity::default();
        for attribute in &body.attributes {
            match &*attribute.name.name {
                "role_arn" => identity.role_arn = self.text(attribute).unwrap_or_default(),
                "session_name" => identity.session_name = self.text(attribute),
                "policy" => identity.policy = self.text(attribute),
                "policy_arns" => identity.policy_arns = self.texts(body, "policy_arns"),
                "duration" => identity.duration_seconds = self.duration(attribute),
                "web_identity_token" => identity.token = self.text(attribute),
                "web_identity_token_file" => identity.token_file = self.text(attribute),
                _ => self.unknown_in("assume_role_with_web_identity", attribute, WEB_IDENTITY),
            }
        }
        let written = |name: &str| body.attribute(name).is_some();
        let d = match (written("web_identity_token"), written("web_identity_token_file")) {
            (true, true) => Diagnostic::error(
                "conflict",
                "`web_identity_token` and `web_identity_token_file` exclude each other",
            )
            .help("keep one of them"),
            (false, false) => Diagnostic::error(
                "missing-argument",
                "`assume_role_with_web_identity` needs `web_identity_token_file`, or `web_identity_token`",
            )
            .help("name the file that your CI system writes the token to"),
            // Left empty, it is meant not to be there: `role_arn = var.role`.
            _ => return (!identity.role_arn.is_empty()).then_some(identity),
        };
        self.diags.push(d.at(header));
        None
    }

    fn unknown_in(&mut self, block: &str, attribute: &Attribute, known: &[&str]) {
        let name = &attribute.name.name;
        let d = Diagnostic::error("unknown-attribute", format!("`{block}` has no argument `{name}`"));
        let near = nearest(name, known.iter().copied());
        let help =
            near.map_or_else(|| format!("it takes {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
        self.diags.push(d.at(attribute.name.span).help(help));
    }

    /// `1h30m`, in seconds.
    fn duration(&mut self, attribute: &Attribute) -> Option<u64> {
        let text = self.text(attribute)?;
        let parsed: Result<jiff::SignedDuration, _> = text.parse();
        match parsed.ok().and_then(|d| u64::try_from(d.as_secs()).ok()).filter(|s| (900..=43_200).contains(s))
        {
            Some(seconds) => Some(seconds),
            None => {
                let d = Diagnostic::error("invalid-value", "`duration` must be from 15 minutes to 12 hours");
                self.diags.push(
                    d.label(attribute.expr.span, format!("this is {text:?}"))
                        .help("write such as \"1h\" or \"30m\""),
                );
                None
            }
        }
    }

    fn flag(&mut self, attribute: &Attribute) -> bool {
        self.value(attribute, &Type::Bool).and_then(|v| v.as_bool()).unwrap_or_default()
    }

    fn value(&mut self, attribute: &Attribute, ty: &Type) -> Option<Value> {
        let value = eval(&attribute.expr, self.scope, self.diags);
        if !value.is_wholly_known() && self.unknown_is_error {
            let name = &attribute.name.name;
            let d =
                Diagnostic::error("unknown-provider-argument", format!("`{name}` is known only after apply"));
            self.diags.push(
                d.at(attribute.expr.span)
                    .detail("A provider must be configured before anything can be planned; this depends on something that AWS decides.")
                    .help("let it depend on variables and locals only, or apply what it needs first, in a root of its own"),
            );
            return None;
        }
        if !value.is_wholly_known() || value.is_null() {
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
