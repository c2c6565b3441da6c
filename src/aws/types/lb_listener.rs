//! `aws_lb_listener`: a port of a load balancer and what it does by default.

use super::ecs::{patiently, some};
use super::elb::{self, Keyed};
use super::elb_owner::Owners;
use super::elb_shift::{self, Forwards};
use super::timeouts::{self, TIMEOUTS_CREATE_UPDATE};
use super::{elb_actions, elb_owner};
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::types::ecs::small;
use crate::aws::{Aws, AwsError, AwsType, Between, Existing, Job, Op, RolloutStep, absent};
use crate::rollout::settings::Settings;
use crate::schema::{ID, Object, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types as sdk;
use aws_sdk_elasticloadbalancingv2::types::{Certificate, Listener, ListenerAttribute};

mod mutual {
    use super::*;
    attributes! {
        TABLE:
        MODE: Str = required("mode").one_of(&["off", "verify", "passthrough"]);
        ADVERTISE: Str = optional_computed("advertise_trust_store_ca_names");
        IGNORE_EXPIRY: Bool = optional("ignore_client_certificate_expiry").default_bool(false);
        TRUST_STORE_ARN: Str = optional("trust_store_arn").check(arn::check);
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS_CREATE_UPDATE]:
    LOAD_BALANCER_ARN: Str = required("load_balancer_arn").replaces().check(arn::check);
    PORT: Int = optional("port").range(1, 65_535);
    PROTOCOL: Str = optional_computed("protocol").check(protocol)
        .same(|live, want| live.as_str().zip(want.as_str()).is_some_and(|(l, w)| l.eq_ignore_ascii_case(w)));
    CERTIFICATE_ARN: Str = optional("certificate_arn").check(arn::check);
    SSL_POLICY: Str = optional_computed("ssl_policy");
    ALPN_POLICY: Str = optional("alpn_policy")
        .one_of(&["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"]);
    TCP_IDLE_TIMEOUT: Int = optional_computed("tcp_idle_timeout_seconds").range(60, 6000);
    DEFAULT_ACTION: Blocks = required("default_action").list(&elb_actions::TABLE).min_items(1)
        .same(elb_actions::same).owned_elsewhere(weights_are_moved);
    MUTUAL_AUTHENTICATION: Blocks = optional_computed("mutual_authentication").single(&mutual::TABLE);
    REQUEST_MTLS_CERT: Str = optional_computed("routing_http_request_x_amzn_mtls_clientcert_header_name");
    REQUEST_MTLS_ISSUER: Str =
        optional_computed("routing_http_request_x_amzn_mtls_clientcert_issuer_header_name");
    REQUEST_MTLS_LEAF: Str = optional_computed("routing_http_request_x_amzn_mtls_clientcert_leaf_header_name");
    REQUEST_MTLS_SERIAL: Str =
        optional_computed("routing_http_request_x_amzn_mtls_clientcert_serial_number_header_name");
    REQUEST_MTLS_SUBJECT: Str =
        optional_computed("routing_http_request_x_amzn_mtls_clientcert_subject_header_name");
    REQUEST_MTLS_VALIDITY: Str =
        optional_computed("routing_http_request_x_amzn_mtls_clientcert_validity_header_name");
    REQUEST_TLS_CIPHER: Str = optional_computed("routing_http_request_x_amzn_tls_cipher_suite_header_name");
    REQUEST_TLS_VERSION: Str = optional_computed("routing_http_request_x_amzn_tls_version_header_name");
    RESPONSE_ALLOW_CREDENTIALS: Str =
        optional_computed("routing_http_response_access_control_allow_credentials_header_value");
    RESPONSE_ALLOW_HEADERS: Str =
        optional_computed("routing_http_response_access_control_allow_headers_header_value");
    RESPONSE_ALLOW_METHODS: Str =
        optional_computed("routing_http_response_access_control_allow_methods_header_value");
    RESPONSE_ALLOW_ORIGIN: Str =
        optional_computed("routing_http_response_access_control_allow_origin_header_value");
    RESPONSE_EXPOSE_HEADERS: Str =
        optional_computed("routing_http_response_access_control_expose_headers_header_value");
    RESPONSE_MAX_AGE: Str = optional_computed("routing_http_response_access_control_max_age_header_value");
    RESPONSE_CSP: Str = optional_computed("routing_http_response_content_security_policy_header_value");
    RESPONSE_SERVER: Bool = optional_computed("routing_http_response_server_enabled");
    RESPONSE_STS: Str = optional_computed("routing_http_response_strict_transport_security_header_value");
    RESPONSE_CONTENT_TYPE: Str = optional_computed("routing_http_response_x_content_type_options_header_value");
    RESPONSE_FRAME: Str = optional_computed("routing_http_response_x_frame_options_header_value");
    ARN: Str = computed("arn");
    WEIGHTS_MOVED_BY: Str = computed("weights_moved_by")
        .doc("ARN of the ECS service or CodeDeploy deployment group that moves the weights of the default action (Cutover's own)");
    MOVED_BETWEEN: StrSet = computed("moved_between")
        .doc("Names of the target groups between which CodeDeploy moves the traffic (Cutover's own)");
}

pub const SCHEMA: TypeSchema = TypeSchema {
    doc: "A port of a load balancer and what it does by default",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_subnet" "b" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = "us-east-1b"
}

resource "aws_lb" "web" {
  name       = "web"
  subnets    = [aws_subnet.a.id, aws_subnet.b.id]
  depends_on = [aws_internet_gateway.main]
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}
"#,
    validate,
    ..TypeSchema::new("aws_lb_listener", &TABLE)
};

fn protocol(value: &Value) -> Result<(), String> {
    const KNOWN: &[&str] = &["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"];
    let upper = value.as_str().unwrap_or("").to_uppercase();
    if KNOWN.contains(&upper.as_str()) { Ok(()) } else { Err(format!("must be one of {}", KNOWN.join(", "))) }
}

fn weights_are_moved(live: &Object, want: &Object) -> bool {
    elb_owner::moved(live, "default_action", "weights_moved_by", &live.all(&MOVED_BETWEEN), want)
}

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = elb_actions::validate("default_action", &want.all(&DEFAULT_ACTION));
    let secure = matches!(want.get(&PROTOCOL).map(|p| p.to_uppercase()).as_deref(), Some("HTTPS" | "TLS"));
    if secure && want.value("certificate_arn").is_none_or(Value::is_null) {
        problems.push(("certificate_arn", "is needed with protocol HTTPS or TLS".to_owned()));
    }
    problems
}

fn is_https(o: &Object) -> bool {
    o.get(&PROTOCOL).is_some_and(|p| p.eq_ignore_ascii_case("HTTPS"))
}

/// AWS has header attributes for listeners of application load balancers.
fn is_application(o: &Object) -> bool {
    o.get(&PROTOCOL).is_none_or(|p| p.to_uppercase().starts_with("HTTP"))
}

const fn request(name: &'static str, key: &'static str) -> Keyed {
    Keyed { name, key, applies: is_https }
}

const fn response(name: &'static str, key: &'static str) -> Keyed {
    Keyed { name, key, applies: is_application }
}

static KEYED: &[Keyed] = &[
    request(REQUEST_MTLS_CERT.row.name, "routing.http.request.x_amzn_mtls_clientcert.header_name"),
    request(REQUEST_MTLS_ISSUER.row.name, "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name"),
    request(REQUEST_MTLS_LEAF.row.name, "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name"),
    request(
        REQUEST_MTLS_SERIAL.row.name,
        "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
    ),
    request(REQUEST_MTLS_SUBJECT.row.name, "routing.http.request.x_amzn_mtls_clientcert_subject.header_name"),
    request(
        REQUEST_MTLS_VALIDITY.row.name,
        "routing.http.request.x_amzn_mtls_clientcert_validity.header_name",
    ),
    request(REQUEST_TLS_CIPHER.row.name, "routing.http.request.x_amzn_tls_cipher_suite.header_name"),
    request(REQUEST_TLS_VERSION.row.name, "routing.http.request.x_amzn_tls_version.header_name"),
    response(
        RESPONSE_ALLOW_CREDENTIALS.row.name,
        "routing.http.response.access_control_allow_credentials.header_value",
    ),
    response(
        RESPONSE_ALLOW_HEADERS.row.name,
        "routing.http.response.access_control_allow_headers.header_value",
    ),
    response(
        RESPONSE_ALLOW_METHODS.row.name,
        "routing.http.response.access_control_allow_methods.header_value",
    ),
    response(
        RESPONSE_ALLOW_ORIGIN.row.name,
        "routing.http.response.access_control_allow_origin.header_value",
    ),
    response(
        RESPONSE_EXPOSE_HEADERS.row.name,
        "routing.http.response.access_control_expose_headers.header_value",
    ),
    response(RESPONSE_MAX_AGE.row.name, "routing.http.response.access_control_max_age.header_value"),
    response(RESPONSE_CSP.row.name, "routing.http.response.content_security_policy.header_value"),
    response(RESPONSE_SERVER.row.name, "routing.http.response.server.enabled"),
    response(RESPONSE_STS.row.name, "routing.http.response.strict_transport_security.header_value"),
    response(RESPONSE_CONTENT_TYPE.row.name, "routing.http.response.x_content_type_options.header_value"),
    response(RESPONSE_FRAME.row.name, "routing.http.response.x_frame_options.header_value"),
    Keyed {
        name: "tcp_idle_timeout_seconds",
        key: "tcp.idle_timeout.seconds",
        applies: |o| !is_application(o),
    },
];

pub struct LbListener;

#[async_trait(?Send)]
impl AwsType for LbListener {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = elb::by_arn(items, GONE, async |arns| {
            let call = aws.elb.describe_listeners().set_listener_arns(Some(arns)).send().await;
            Ok(call.op("DescribeListeners")?.listeners.unwrap_or_default())
        })
        .await?;
        let arns: Vec<String> = found.iter().filter_map(|l| l.listener_arn().map(str::to_owned)).collect();
        let tags = elb::tags_of(aws, &arns).await?;
        let known = |l: &Listener| items.iter().find(|i| l.listener_arn() == Some(i.id));
        let actions = found
            .iter()
            .map(|l| (known(l).and_then(|item| item.known.value("default_action")), l.default_actions()));
        let owners = Owners::ask(aws, actions).await?;
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let Some(listener) = found.iter().find(|l| l.listener_arn() == Some(item.id)) else {
                objects.push(None);
                continue;
            };
            let mut o = object(aws, listener).await?;
            if let Some((arn, deployer)) = owners.deployer(item.id, listener.default_actions()) {
                o.set(&WEIGHTS_MOVED_BY, arn).set(&MOVED_BETWEEN, &deployer.target_groups[..]);
            } else if owners.has_services() && elb_actions::group_count(listener.default_actions()) > 1 {
                let rule = default_rule(aws, item.id).await?;
                o.set(&WEIGHTS_MOVED_BY, rule.and_then(|r| owners.service(&r).cloned()));
            }
            tags::read(&mut o, tags.get(item.id).into_iter().flat_map(|t| elb::pairs(t)));
            objects.push(Some(o.complete(&TABLE)));
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let balancer = want.need(&LOAD_BALANCER_ARN);
        let call = aws
            .elb
            .create_listener()
            .set_port(small(want.get(&PORT)))
            .set_protocol(wanted_protocol(want).or_else(|| default_protocol(&balancer)))
            .load_balancer_arn(balancer)
            .set_ssl_policy(want.get(&SSL_POLICY))
            .set_certificates(certificates(want))
            .set_alpn_policy(want.get(&ALPN_POLICY).map(|p| vec![p]))
            .set_mutual_authentication(mutual_authentication(want))
            .set_default_actions(Some(elb_actions::actions(&want.all(&DEFAULT_ACTION))))
            .set_tags(Some(elb::creation_tags(job)));
        // A certificate that was just issued, or a group just made, is not at once seen everywhere.
        let passing = |e: &AwsError| e.is(&["CertificateNotFound", "TargetGroupNotFound"]);
        let deadline = timeouts::limit(want, &timeouts::CREATE, 5);
        let made = patiently(aws, "CreateListener", deadline, job.progress, passing, async || {
            call.clone().send().await.op("CreateListener")
        })
        .await?;
        let arn = made.listeners().first().and_then(|l| l.listener_arn()).unwrap_or_default().to_owned();
        set_attributes(aws, &arn, elb::keyed_wanted(KEYED, want, None)).await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let want = job.want;
        let mut call = aws.elb.modify_listener().listener_arn(job.id);
        if job.changes(&["port", "protocol", "ssl_policy", "certificate_arn", "alpn_policy"]) {
            // Protocol, certificate and policy only make sense together.
            call = call
                .set_port(small(want.get(&PORT)))
                .set_protocol(wanted_protocol(want))
                .set_certificates(certificates(want))
                .set_ssl_policy(want.get(&SSL_POLICY).filter(|_| certificates(want).is_some()))
                .set_alpn_policy(
                    job.changes(&["alpn_policy"])
                        .then(|| vec![want.get(&ALPN_POLICY).unwrap_or_else(|| "None".to_owned())]),
                );
        }
        if job.changes(&["default_action"]) {
            call = call.set_default_actions(Some(elb_actions::actions(&want.all(&DEFAULT_ACTION))));
        }
        if job.changes(&["mutual_authentication"]) {
            call = call.set_mutual_authentication(mutual_authentication(want));
        }
        let (port, actions) = (call.get_port().is_some(), call.get_default_actions().is_some());
        if port || actions || call.get_mutual_authentication().is_some() {
            let passing = |e: &AwsError| e.is(&["CertificateNotFound", "TargetGroupNotFound"]);
            let deadline = timeouts::limit(want, &timeouts::UPDATE, 5);
            patiently(aws, "ModifyListener", deadline, job.progress, passing, async || {
                call.clone().send().await.op("ModifyListener")
            })
            .await?;
        }
        set_attributes(aws, job.id, elb::keyed_wanted(KEYED, want, Some(job.changed))).await?;
        elb::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.elb.delete_listener().listener_arn(job.id).send().await;
        absent(call.op("DeleteListener"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let balancer = job.want.need(&LOAD_BALANCER_ARN);
        let call = aws.elb.describe_listeners().load_balancer_arn(balancer).into_paginator().items();
        let found: Result<Vec<Listener>, _> = call.send().try_collect().await;
        let found = absent(found.op("DescribeListeners"), &["LoadBalancerNotFound"])?.unwrap_or_default();
        elb::ours(aws, job, found.into_iter().filter_map(|l| l.listener_arn).collect()).await
    }

    fn tune(&self, _: &mut Object, settings: &Settings) -> Result<(), String> {
        elb_shift::check(settings)
    }

    fn rollout(
        &self,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        elb_shift::rollout(&DEFAULT_ACTION, (live, want), changed, settings)
    }

    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        elb_shift::between(&DEFAULT_ACTION, live, want, changed)
    }

    async fn run_step(
        &self,
        aws: &Aws,
        job: &Job<'_>,
        step: &str,
        _: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        elb_shift::run_step(&DEFAULT_ACTION, aws, job, step, &Shift { aws, job }).await
    }
}

struct Shift<'a> {
    aws: &'a Aws,
    job: &'a Job<'a>,
}

#[async_trait(?Send)]
impl Forwards for Shift<'_> {
    async fn set(&self, actions: Vec<sdk::Action>) -> Result<(), AwsError> {
        self.aws
            .elb
            .modify_listener()
            .listener_arn(self.job.id)
            .set_default_actions(Some(actions))
            .send()
            .await
            .op("ModifyListener")?;
        Ok(())
    }

    async fn read(&self) -> Result<Vec<sdk::Action>, AwsError> {
        let call = self.aws.elb.describe_listeners().listener_arns(self.job.id).send().await;
        let found = call.op("DescribeListeners")?.listeners.unwrap_or_default();
        Ok(found.into_iter().next().and_then(|l| l.default_actions).unwrap_or_default())
    }

    async fn finish(&self, want: &Object) -> Result<(), AwsError> {
        LbListener.update(self.aws, &Job { want, ..*self.job }).await
    }
}

const GONE: &[&str] = &["ListenerNotFound", "ListenerNotFoundException"];

/// HTTP where nothing is declared for an application load balancer, as the provider has it.
fn wanted_protocol(want: &Object) -> Option<sdk::ProtocolEnum> {
    let application = want.get(&LOAD_BALANCER_ARN).is_some_and(|arn| arn.contains(":loadbalancer/app/"));
    let declared = want.get(&PROTOCOL).map(|p| p.to_uppercase().as_str().into());
    declared.or(application.then_some(sdk::ProtocolEnum::Http))
}

/// AWS has no default; the provider's for application load balancers is HTTP. Gateway load balancers take
/// none, network load balancers must be told.
fn default_protocol(balancer: &str) -> Option<sdk::ProtocolEnum> {
    balancer.contains("loadbalancer/app/").then_some(sdk::ProtocolEnum::Http)
}

fn certificates(want: &Object) -> Option<Vec<Certificate>> {
    let certificate = want.get(&CERTIFICATE_ARN)?;
    some(vec![Certificate::builder().certificate_arn(certificate).build()])
}

fn mutual_authentication(want: &Object) -> Option<sdk::MutualAuthenticationAttributes> {
    let block = want.block(&MUTUAL_AUTHENTICATION)?;
    let mode = block.need(&mutual::MODE);
    let verify = mode == "verify";
    Some(
        sdk::MutualAuthenticationAttributes::builder()
            .mode(mode)
            .set_trust_store_arn(block.get(&mutual::TRUST_STORE_ARN).filter(|_| verify))
            .set_ignore_client_certificate_expiry(block.get(&mutual::IGNORE_EXPIRY).filter(|_| verify))
            .set_advertise_trust_store_ca_names(
                block.get(&mutual::ADVERTISE).filter(|a| verify && !a.is_empty()).map(|a| a.as_str().into()),
            )
            .build(),
    )
}

async fn set_attributes(aws: &Aws, arn: &str, pairs: Vec<(String, String)>) -> Result<(), AwsError> {
    if pairs.is_empty() {
        return Ok(());
    }
    let attributes =
        pairs.iter().map(|(k, v)| ListenerAttribute::builder().key(k).value(v).build()).collect();
    aws.elb
        .modify_listener_attributes()
        .listener_arn(arn)
        .set_attributes(Some(attributes))
        .send()
        .await
        .op("ModifyListenerAttributes")
        .map(drop)
}

async fn default_rule(aws: &Aws, listener: &str) -> Result<Option<String>, AwsError> {
    let answer = aws.elb.describe_rules().listener_arn(listener).send().await.op("DescribeRules")?;
    let rule = answer.rules().iter().find(|r| r.is_default() == Some(true));
    Ok(rule.and_then(|r| r.rule_arn()).map(str::to_owned))
}

async fn object(aws: &Aws, l: &Listener) -> Result<Object, AwsError> {
    let arn = l.listener_arn().unwrap_or_default();
    let mutual = l.mutual_authentication().filter(|m| m.mode().is_some()).map(|m| {
        let mut b = Object::new();
        b.set(&mutual::MODE, m.mode())
            .set(&mutual::ADVERTISE, m.advertise_trust_store_ca_names().map(|a| a.as_str()))
            .set(&mutual::IGNORE_EXPIRY, m.ignore_client_certificate_expiry().unwrap_or(false))
            .set(&mutual::TRUST_STORE_ARN, m.trust_store_arn());
        b
    });
    let mut o = Object::new();
    o.set(&ID, arn)
        .set(&ARN, arn)
        .set(&LOAD_BALANCER_ARN, l.load_balancer_arn())
        .set(&PORT, l.port())
        .set(&PROTOCOL, l.protocol().map(|p| p.as_str()))
        .set(&CERTIFICATE_ARN, l.certificates().first().and_then(|c| c.certificate_arn()))
        .set(&SSL_POLICY, l.ssl_policy())
        .set(&ALPN_POLICY, l.alpn_policy().first().map(String::as_str))
        .set_blocks(&MUTUAL_AUTHENTICATION, mutual.into_iter().collect())
        .set_blocks(&DEFAULT_ACTION, elb_actions::blocks(l.default_actions()));
    // AWS has no list form of this.
    let call = aws.elb.describe_listener_attributes().listener_arn(arn).send().await;
    let attributes = absent(call.op("DescribeListenerAttributes"), GONE)?;
    let attributes = attributes.and_then(|a| a.attributes).unwrap_or_default();
    let pairs = attributes.iter().map(|a| (a.key().unwrap_or(""), a.value().unwrap_or("")));
    elb::keyed_read(KEYED, &TABLE, &mut o, pairs);
    Ok(o)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_needs_a_certificate() {
        let mut want = Object::new();
        want.set(&PROTOCOL, "HTTPS");
        assert_eq!(validate(&want), [("certificate_arn", "is needed with protocol HTTPS or TLS".to_owned())]);
        want.set(&PROTOCOL, "http");
        assert_eq!(validate(&want), []);
    }
}
