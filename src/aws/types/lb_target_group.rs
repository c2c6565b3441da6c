//! `aws_lb_target_group`: where a load balancer sends requests, and how it checks health.

use super::ecs::{patiently, small};
use super::elb::{self, Keyed};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, absent};
use crate::schema::{ID, Object, TypeSchema, attributes, second_name};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{Matcher, TargetGroup, TargetGroupAttribute};
use std::time::Duration;

mod health {
    use super::*;
    attributes! {
        TABLE:
        ENABLED: Bool = optional("enabled").default_bool(true);
        HEALTHY_THRESHOLD: Int = optional("healthy_threshold").default_int(3).range(2, 10);
        INTERVAL: Int = optional("interval").default_int(30).range(5, 300);
        MATCHER: Str = optional_computed("matcher");
        PATH: Str = optional_computed("path");
        PORT: Str = optional("port").default_str("traffic-port").check(port);
        PROTOCOL: Str = optional("protocol").default_str("HTTP").same(same_case)
            .one_of(&["HTTP", "HTTPS", "TCP", "http", "https", "tcp"]);
        TIMEOUT: Int = optional_computed("timeout").range(2, 120);
        UNHEALTHY_THRESHOLD: Int = optional("unhealthy_threshold").default_int(3).range(2, 10);
    }

    fn port(value: &Value) -> Result<(), String> {
        let text = value.as_str().unwrap_or("");
        let is_port = text.parse::<u16>().is_ok_and(|p| p > 0);
        if text == "traffic-port" || is_port {
            Ok(())
        } else {
            Err("must be a port or \"traffic-port\"".into())
        }
    }
}

mod stickiness {
    use super::*;
    attributes! {
        TABLE:
        TYPE: Str = required("type")
            .one_of(&["lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto"]);
        ENABLED: Bool = optional("enabled").default_bool(true);
        COOKIE_DURATION: Int = optional("cookie_duration").default_int(86_400).range(0, 604_800);
        COOKIE_NAME: Str = optional("cookie_name");
    }
}

mod failover {
    use super::*;
    attributes! {
        TABLE:
        ON_DEREGISTRATION: Str = required("on_deregistration").one_of(&["rebalance", "no_rebalance"]);
        ON_UNHEALTHY: Str = required("on_unhealthy").one_of(&["rebalance", "no_rebalance"]);
    }
}

mod group_health {
    use super::*;
    attributes! {
        DNS_TABLE:
        DNS_COUNT: Str = optional("minimum_healthy_targets_count").default_str("off");
        DNS_PERCENTAGE: Str = optional("minimum_healthy_targets_percentage").default_str("off");
    }
    attributes! {
        ROUTING_TABLE:
        ROUTING_COUNT: Int = optional("minimum_healthy_targets_count").default_int(1);
        ROUTING_PERCENTAGE: Str = optional("minimum_healthy_targets_percentage").default_str("off");
    }
    attributes! {
        TABLE:
        DNS_FAILOVER: Blocks = optional("dns_failover").single(&DNS_TABLE);
        ROUTING: Blocks = optional("unhealthy_state_routing").single(&ROUTING_TABLE);
    }
}

mod state {
    use super::*;
    attributes! {
        TABLE:
        TERMINATION: Bool = required("enable_unhealthy_connection_termination");
        DRAINING_INTERVAL: Int = optional("unhealthy_draining_interval").range(0, 360_000);
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    NAME: Str = optional_computed("name").replaces().check(elb::check_name).conflicts_with(&["name_prefix"])
        .same(second_name::same::<LONGEST_NAME>);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().check(elb::check_name_prefix);
    PORT: Int = optional("port").replaces().range(1, 65_535).owned_elsewhere(is_lambda);
    PROTOCOL: Str = optional("protocol").replaces().owned_elsewhere(is_lambda)
        .one_of(&["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"]);
    PROTOCOL_VERSION: Str = optional_computed("protocol_version").replaces().same(same_case)
        .owned_elsewhere(|_, want| !is_http(want)).one_of(&["GRPC", "HTTP1", "HTTP2", "grpc", "http1", "http2"]);
    VPC_ID: Str = optional("vpc_id").replaces().owned_elsewhere(is_lambda);
    TARGET_TYPE: Str = optional("target_type").default_str("instance").replaces()
        .one_of(&["instance", "ip", "lambda", "alb"]);
    IP_ADDRESS_TYPE: Str = optional_computed("ip_address_type").replaces().one_of(&["ipv4", "ipv6"]);
    DEREGISTRATION_DELAY: Str = optional("deregistration_delay").default_str("300").check(delay)
        .owned_elsewhere(is_lambda);
    CONNECTION_TERMINATION: Bool = optional_computed("connection_termination");
    LAMBDA_MULTI_VALUE: Bool = optional("lambda_multi_value_headers_enabled").default_bool(false)
        .owned_elsewhere(|_, want| !lambda(want));
    ALGORITHM: Str = optional_computed("load_balancing_algorithm_type")
        .one_of(&["round_robin", "least_outstanding_requests", "weighted_random"]);
    ANOMALY: Str = optional_computed("load_balancing_anomaly_mitigation").one_of(&["on", "off"]);
    CROSS_ZONE: Str = optional_computed("load_balancing_cross_zone_enabled")
        .one_of(&["true", "false", "use_load_balancer_configuration"]);
    PRESERVE_CLIENT_IP: Str = optional_computed("preserve_client_ip");
    PROXY_PROTOCOL: Bool = optional("proxy_protocol_v2").default_bool(false)
        .owned_elsewhere(|_, want| is_http(want) && !want.get(&PROXY_PROTOCOL).unwrap_or(false));
    SLOW_START: Int = optional("slow_start").default_int(0).check(slow_start)
        .owned_elsewhere(|_, want| !is_http(want) && want.get(&SLOW_START) == Some(0));
    HEALTH_CHECK: Blocks = optional_computed("health_check").single(&health::TABLE);
    STICKINESS: Blocks = optional_computed("stickiness").single(&stickiness::TABLE).same(same_stickiness);
    TARGET_FAILOVER: Blocks = optional_computed("target_failover").list(&failover::TABLE);
    TARGET_GROUP_HEALTH: Blocks = optional_computed("target_group_health").single(&group_health::TABLE);
    TARGET_HEALTH_STATE: Blocks = optional_computed("target_health_state").list(&state::TABLE);
    ARN: Str = computed("arn");
    ARN_SUFFIX: Str = computed("arn_suffix");
    LOAD_BALANCER_ARNS: StrSet = computed("load_balancer_arns");
}

pub const SCHEMA: TypeSchema = TypeSchema {
    doc: "Targets that a load balancer sends requests to, and their health check",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_lb_target_group" "web" {
  name                 = "web"
  port                 = 80
  protocol             = "HTTP"
  vpc_id               = aws_vpc.main.id
  deregistration_delay = 30

  health_check {
    path    = "/health"
    matcher = "200-299"
  }
}
"#,
    validate,
    unique: &["name"],
    // What it is on, and what registers in it, must leave the old one first.
    create_before_destroy: true,
    second_name: Some(LONGEST_NAME),
    ..TypeSchema::new("aws_lb_target_group", &TABLE)
};

const LONGEST_NAME: usize = 32;

fn same_case(live: &Value, want: &Value) -> bool {
    matches!((live.as_str(), want.as_str()), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

fn lambda(o: &Object) -> bool {
    o.get(&TARGET_TYPE).as_deref() == Some("lambda")
}

fn is_lambda(_: &Object, want: &Object) -> bool {
    lambda(want)
}

fn is_http(o: &Object) -> bool {
    matches!(o.get(&PROTOCOL).as_deref(), Some("HTTP" | "HTTPS"))
}

fn is_gateway(o: &Object) -> bool {
    o.get(&PROTOCOL).as_deref() == Some("GENEVE")
}

/// TCP, TLS, UDP and TCP_UDP: groups of network load balancers.
fn is_network(o: &Object) -> bool {
    !lambda(o) && !is_http(o) && !is_gateway(o)
}

fn delay(value: &Value) -> Result<(), String> {
    match value.as_str().and_then(|s| s.parse::<u32>().ok()) {
        Some(0..=3600) => Ok(()),
        _ => Err("must be a number of seconds from 0 to 3600".to_owned()),
    }
}

fn slow_start(value: &Value) -> Result<(), String> {
    match value.as_i64() {
        Some(0 | 30..=900) => Ok(()),
        _ => Err("must be 0 (off) or from 30 to 900 seconds".to_owned()),
    }
}

/// Cookie settings mean nothing for stickiness by source address, and nothing means anything while it is
/// off.
fn same_stickiness(live: &Value, want: &Value) -> bool {
    let kind = |v: &Value| -> Option<(String, bool)> {
        let block = Object::of(v.as_slice()?.first()?)?;
        Some((block.get(&stickiness::TYPE)?, block.get(&stickiness::ENABLED).unwrap_or(true)))
    };
    let same = |a: (String, bool), b: (String, bool)| match (a.1, b.1) {
        (false, false) => true,
        _ => a == b && a.0.starts_with("source_ip"),
    };
    kind(live).zip(kind(want)).is_some_and(|(a, b)| same(a, b))
}

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let missing = |name: &str| want.value(name).is_none_or(Value::is_null);
    if !lambda(want) && want.value("target_type").is_none_or(|t| !t.is_unknown()) {
        for name in ["port", "protocol", "vpc_id"] {
            if missing(name) {
                problems.push((name, "is needed unless target_type is \"lambda\"".to_owned()));
            }
        }
    }
    problems.extend(validate_health_check(want));
    if let Some(sticky) = want.block(&STICKINESS) {
        let kind = sticky.get(&stickiness::TYPE).unwrap_or_default();
        let name = sticky.value("cookie_name");
        if kind == "app_cookie" && name.is_none_or(Value::is_null) {
            problems.push(("stickiness", "needs cookie_name with type \"app_cookie\"".to_owned()));
        }
        if name.and_then(Value::as_str).is_some_and(|n| n.starts_with("AWSALB")) {
            problems
                .push(("stickiness", "cookie_name must not begin with AWSALB, which AWS uses".to_owned()));
        }
        let known = want.get(&PROTOCOL).is_some() && sticky.get(&stickiness::ENABLED) != Some(false);
        if known && is_http(want) == kind.starts_with("source_ip") && !kind.is_empty() {
            problems.push(("stickiness", format!("type \"{kind}\" does not fit this group's protocol")));
        }
    }
    problems
}

fn validate_health_check(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let Some(check) = want.block(&HEALTH_CHECK) else { return problems };
    let protocol = check.get(&health::PROTOCOL).unwrap_or_default().to_uppercase();
    if protocol == "TCP" {
        if lambda(want) || is_http(want) {
            problems
                .push(("health_check", "must use HTTP or HTTPS for this kind of target group".to_owned()));
        }
        for name in ["path", "matcher"] {
            if check.has(name) {
                problems.push(("health_check", format!("`{name}` means nothing with protocol TCP")));
            }
        }
    }
    if let (Some(timeout), Some(interval)) = (check.get(&health::TIMEOUT), check.get(&health::INTERVAL))
        && timeout >= interval
        && !is_network(want)
    {
        let text = format!("timeout ({timeout} s) must be shorter than interval ({interval} s)");
        problems.push(("health_check", text));
    }
    problems
}

static KEYED: &[Keyed] = &[
    Keyed {
        name: "deregistration_delay",
        key: "deregistration_delay.timeout_seconds",
        applies: |o| !lambda(o),
    },
    Keyed {
        name: "connection_termination",
        key: "deregistration_delay.connection_termination.enabled",
        applies: is_network,
    },
    Keyed {
        name: "lambda_multi_value_headers_enabled",
        key: "lambda.multi_value_headers.enabled",
        applies: lambda,
    },
    Keyed {
        name: "load_balancing_algorithm_type",
        key: "load_balancing.algorithm.type",
        applies: |o| is_http(o) || lambda(o),
    },
    Keyed {
        name: "load_balancing_anomaly_mitigation",
        key: "load_balancing.algorithm.anomaly_mitigation",
        applies: is_http,
    },
    Keyed {
        name: "load_balancing_cross_zone_enabled",
        key: "load_balancing.cross_zone.enabled",
        applies: |_| true,
    },
    Keyed { name: "preserve_client_ip", key: "preserve_client_ip.enabled", applies: is_network },
    Keyed { name: "proxy_protocol_v2", key: "proxy_protocol_v2.enabled", applies: is_network },
    Keyed { name: "slow_start", key: "slow_start.duration_seconds", applies: is_http },
];

pub struct LbTargetGroup;

#[async_trait(?Send)]
impl AwsType for LbTargetGroup {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = elb::by_arn(items, GONE, async |arns| {
            let call = aws.elb.describe_target_groups().set_target_group_arns(Some(arns)).send().await;
            Ok(call.op("DescribeTargetGroups")?.target_groups.unwrap_or_default())
        })
        .await?;
        let arns: Vec<String> =
            found.iter().filter_map(|g| g.target_group_arn().map(str::to_owned)).collect();
        let tags = elb::tags_of(aws, &arns).await?;
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let Some(group) = found.iter().find(|g| g.target_group_arn() == Some(item.id)) else {
                objects.push(None);
                continue;
            };
            let mut o = object(aws, item, group).await?;
            tags::read(&mut o, tags.get(item.id).into_iter().flat_map(|t| elb::pairs(t)));
            objects.push(Some(o.complete(&TABLE)));
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let check = want.block(&HEALTH_CHECK).unwrap_or_default();
        let declared = want.has("health_check");
        let beyond_lambda = |text: Option<String>| text.filter(|_| !lambda(want));
        let made = aws
            .elb
            .create_target_group()
            .name(elb::name(job, "tf-"))
            .set_target_type(want.get(&TARGET_TYPE).map(|t| t.as_str().into()))
            .set_port(small(want.get(&PORT)).filter(|_| !lambda(want)))
            .set_protocol(beyond_lambda(want.get(&PROTOCOL)).map(|p| p.as_str().into()))
            .set_protocol_version(protocol_version(want))
            .set_vpc_id(beyond_lambda(want.get(&VPC_ID)))
            .set_ip_address_type(beyond_lambda(want.get(&IP_ADDRESS_TYPE)).map(|t| t.as_str().into()))
            .set_health_check_enabled(check.get(&health::ENABLED))
            .set_health_check_interval_seconds(small(check.get(&health::INTERVAL)))
            .set_health_check_timeout_seconds(small(check.get(&health::TIMEOUT)))
            .set_healthy_threshold_count(small(check.get(&health::HEALTHY_THRESHOLD)))
            .set_unhealthy_threshold_count(small(check.get(&health::UNHEALTHY_THRESHOLD)))
            .set_health_check_path(check.get(&health::PATH))
            .set_health_check_port(beyond_lambda(check.get(&health::PORT)))
            .set_health_check_protocol(
                beyond_lambda(check.get(&health::PROTOCOL)).map(|p| p.to_uppercase().as_str().into()),
            )
            .set_matcher(if declared { matcher(want, &check) } else { None })
            .set_tags(Some(elb::creation_tags(job)))
            .send()
            .await
            .op("CreateTargetGroup")?;
        let arn =
            made.target_groups().first().and_then(|g| g.target_group_arn()).unwrap_or_default().to_owned();
        set_attributes(aws, &arn, want, None).await?;
        Ok(arn)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["health_check"]) {
            let check = job.want.block(&HEALTH_CHECK).unwrap_or_default();
            aws.elb
                .modify_target_group()
                .target_group_arn(job.id)
                .set_health_check_enabled(check.get(&health::ENABLED))
                .set_health_check_interval_seconds(small(check.get(&health::INTERVAL)))
                .set_health_check_timeout_seconds(small(check.get(&health::TIMEOUT)))
                .set_healthy_threshold_count(small(check.get(&health::HEALTHY_THRESHOLD)))
                .set_unhealthy_threshold_count(small(check.get(&health::UNHEALTHY_THRESHOLD)))
                .set_health_check_path(check.get(&health::PATH))
                .set_health_check_port(check.get(&health::PORT).filter(|_| !lambda(job.want)))
                .set_health_check_protocol(
                    check
                        .get(&health::PROTOCOL)
                        .filter(|_| !lambda(job.want))
                        .map(|p| p.to_uppercase().as_str().into()),
                )
                .set_matcher(matcher(job.want, &check))
                .send()
                .await
                .op("ModifyTargetGroup")?;
        }
        set_attributes(aws, job.id, job.want, Some(job.changed)).await?;
        elb::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        // A listener or a service that just let go of it is still counted for moments.
        let passing = |e: &AwsError| e.is(&["ResourceInUse", "ResourceInUseException"]);
        let deadline = Duration::from_secs(5 * 60);
        let result = patiently(aws, "DeleteTargetGroup", deadline, job.progress, passing, async || {
            aws.elb.delete_target_group().target_group_arn(job.id).send().await.op("DeleteTargetGroup")
        });
        absent(result.await, GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let call = aws.elb.describe_target_groups().names(elb::name(job, "tf-")).send().await;
        let answer = absent(call.op("DescribeTargetGroups"), GONE)?;
        let found = answer.and_then(|a| a.target_groups).unwrap_or_default();
        elb::ours(aws, job, found.into_iter().filter_map(|g| g.target_group_arn).collect()).await
    }
}

const GONE: &[&str] = &["TargetGroupNotFound", "TargetGroupNotFoundException"];

/// AWS takes a version only for HTTP groups and only in capitals.
fn protocol_version(want: &Object) -> Option<String> {
    want.get(&PROTOCOL_VERSION).filter(|_| is_http(want)).map(|v| v.to_uppercase())
}

fn matcher(want: &Object, check: &Object) -> Option<Matcher> {
    let codes = check.get(&health::MATCHER)?;
    let grpc = protocol_version(want).as_deref() == Some("GRPC");
    let builder = Matcher::builder();
    Some(if grpc { builder.grpc_code(codes) } else { builder.http_code(codes) }.build())
}

async fn set_attributes(
    aws: &Aws,
    arn: &str,
    want: &Object,
    only: Option<&[String]>,
) -> Result<(), AwsError> {
    let mut pairs = elb::keyed_wanted(KEYED, want, only);
    if only.is_none() {
        // What AWS starts with anyway need not be sent.
        let initial = [
            ("deregistration_delay.timeout_seconds", "300"),
            ("slow_start.duration_seconds", "0"),
            ("proxy_protocol_v2.enabled", "false"),
        ];
        pairs.retain(|(k, v)| !initial.contains(&(k.as_str(), v.as_str())));
    }
    let touched = |name: &str| only.is_none_or(|names| names.iter().any(|n| n == name));
    if let Some(sticky) = want.block(&STICKINESS).filter(|_| touched("stickiness")) {
        pairs.extend(stickiness_pairs(&sticky));
    }
    if let Some(b) = want.block(&TARGET_FAILOVER).filter(|_| touched("target_failover")) {
        pairs.push(("target_failover.on_deregistration".into(), b.need(&failover::ON_DEREGISTRATION)));
        pairs.push(("target_failover.on_unhealthy".into(), b.need(&failover::ON_UNHEALTHY)));
    }
    if let Some(b) = want.block(&TARGET_HEALTH_STATE).filter(|_| touched("target_health_state")) {
        let on = b.need(&state::TERMINATION);
        pairs.push(("target_health_state.unhealthy.connection_termination.enabled".into(), on.to_string()));
        if let Some(seconds) = b.get(&state::DRAINING_INTERVAL).filter(|_| !on) {
            pairs.push((
                "target_health_state.unhealthy.draining_interval_seconds".into(),
                seconds.to_string(),
            ));
        }
    }
    if let Some(b) = want.block(&TARGET_GROUP_HEALTH).filter(|_| touched("target_group_health")) {
        pairs.extend(group_health_pairs(&b));
    }
    for chunk in pairs.chunks(20) {
        let attributes =
            chunk.iter().map(|(k, v)| TargetGroupAttribute::builder().key(k).value(v).build()).collect();
        aws.elb
            .modify_target_group_attributes()
            .target_group_arn(arn)
            .set_attributes(Some(attributes))
            .send()
            .await
            .op("ModifyTargetGroupAttributes")?;
    }
    Ok(())
}

fn stickiness_pairs(b: &Object) -> Vec<(String, String)> {
    let kind = b.need(&stickiness::TYPE);
    let enabled = b.get(&stickiness::ENABLED).unwrap_or(true);
    let mut pairs = vec![("stickiness.enabled".to_owned(), enabled.to_string())];
    if !enabled {
        return pairs;
    }
    pairs.push(("stickiness.type".to_owned(), kind.clone()));
    let seconds = b.get(&stickiness::COOKIE_DURATION).unwrap_or(86_400).to_string();
    match kind.as_str() {
        "lb_cookie" => pairs.push(("stickiness.lb_cookie.duration_seconds".to_owned(), seconds)),
        "app_cookie" => {
            let name = b.get(&stickiness::COOKIE_NAME).unwrap_or_default();
            pairs.push(("stickiness.app_cookie.duration_seconds".to_owned(), seconds));
            pairs.push(("stickiness.app_cookie.cookie_name".to_owned(), name));
        }
        _ => {}
    }
    pairs
}

const DNS_COUNT: &str = "target_group_health.dns_failover.minimum_healthy_targets.count";
const DNS_PERCENTAGE: &str = "target_group_health.dns_failover.minimum_healthy_targets.percentage";
const ROUTING_COUNT: &str = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count";
const ROUTING_PERCENTAGE: &str =
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";

fn group_health_pairs(b: &Object) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    if let Some(dns) = b.block(&group_health::DNS_FAILOVER) {
        let off = || "off".to_owned();
        pairs.push((DNS_COUNT.to_owned(), dns.get(&group_health::DNS_COUNT).unwrap_or_else(off)));
        pairs.push((DNS_PERCENTAGE.to_owned(), dns.get(&group_health::DNS_PERCENTAGE).unwrap_or_else(off)));
    }
    if let Some(routing) = b.block(&group_health::ROUTING) {
        let count = routing.get(&group_health::ROUTING_COUNT).unwrap_or(1).to_string();
        let percentage = routing.get(&group_health::ROUTING_PERCENTAGE).unwrap_or_else(|| "off".to_owned());
        pairs.push((ROUTING_COUNT.to_owned(), count));
        pairs.push((ROUTING_PERCENTAGE.to_owned(), percentage));
    }
    pairs
}

async fn object(aws: &Aws, item: &Existing<'_>, g: &TargetGroup) -> Result<Object, AwsError> {
    let arn = item.id;
    // AWS has no list form of this.
    let call = aws.elb.describe_target_group_attributes().target_group_arn(arn).send().await;
    let attributes = call.op("DescribeTargetGroupAttributes")?.attributes.unwrap_or_default();
    let pairs: Vec<(&str, &str)> =
        attributes.iter().map(|a| (a.key().unwrap_or(""), a.value().unwrap_or(""))).collect();
    let mut o = Object::new();
    o.set(&ID, arn)
        .set(&ARN, arn)
        .set(&ARN_SUFFIX, arn.rsplit(':').next())
        .set(&NAME, g.target_group_name())
        .set(&NAME_PREFIX, item.known.get(&NAME_PREFIX))
        .set(&PORT, g.port())
        .set(&PROTOCOL, g.protocol().map(|p| p.as_str()))
        .set(&PROTOCOL_VERSION, g.protocol_version())
        .set(&VPC_ID, g.vpc_id())
        .set(&TARGET_TYPE, g.target_type().map(|t| t.as_str()))
        .set(&IP_ADDRESS_TYPE, g.ip_address_type().map(|t| t.as_str()))
        .set(&LOAD_BALANCER_ARNS, g.load_balancer_arns())
        .set_blocks(&HEALTH_CHECK, vec![health_block(g)]);
    elb::keyed_read(KEYED, &TABLE, &mut o, pairs.iter().copied());
    let value = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v).filter(|v| !v.is_empty());
    o.set_blocks(&STICKINESS, stickiness_block(value).into_iter().collect());
    let failover = value("target_failover.on_deregistration").map(|on| {
        let mut b = Object::new();
        b.set(&failover::ON_DEREGISTRATION, on)
            .set(&failover::ON_UNHEALTHY, value("target_failover.on_unhealthy"));
        b
    });
    o.set_blocks(&TARGET_FAILOVER, failover.into_iter().collect());
    let state = value("target_health_state.unhealthy.connection_termination.enabled").map(|on| {
        // Connections that are ended at once are not drained, whatever the interval was before.
        let interval =
            value("target_health_state.unhealthy.draining_interval_seconds").filter(|_| on != "true");
        let mut b = Object::new();
        b.set(&state::TERMINATION, on == "true")
            .set(&state::DRAINING_INTERVAL, interval.and_then(|i| i.parse::<i64>().ok()));
        b
    });
    o.set_blocks(&TARGET_HEALTH_STATE, state.into_iter().collect());
    o.set_blocks(&TARGET_GROUP_HEALTH, group_health_block(value).into_iter().collect());
    Ok(o)
}

fn health_block(g: &TargetGroup) -> Object {
    let codes = g.matcher().and_then(|m| m.http_code().or(m.grpc_code()));
    let mut b = Object::new();
    b.set(&health::ENABLED, g.health_check_enabled())
        .set(&health::HEALTHY_THRESHOLD, g.healthy_threshold_count())
        .set(&health::INTERVAL, g.health_check_interval_seconds())
        .set(&health::MATCHER, codes)
        .set(&health::PATH, g.health_check_path())
        .set(&health::PORT, g.health_check_port().unwrap_or("traffic-port"))
        .set(&health::PROTOCOL, g.health_check_protocol().map_or("HTTP", |p| p.as_str()))
        .set(&health::TIMEOUT, g.health_check_timeout_seconds())
        .set(&health::UNHEALTHY_THRESHOLD, g.unhealthy_threshold_count());
    b
}

fn stickiness_block<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<Object> {
    let kind = value("stickiness.type")?;
    let seconds = match kind {
        "lb_cookie" => value("stickiness.lb_cookie.duration_seconds"),
        "app_cookie" => value("stickiness.app_cookie.duration_seconds"),
        _ => None,
    };
    let mut b = Object::new();
    b.set(&stickiness::TYPE, kind)
        .set(&stickiness::ENABLED, value("stickiness.enabled") == Some("true"))
        .set(&stickiness::COOKIE_DURATION, seconds.and_then(|s| s.parse::<i64>().ok()))
        .set(
            &stickiness::COOKIE_NAME,
            // AWS remembers the name while another type is set.
            value("stickiness.app_cookie.cookie_name").filter(|_| kind == "app_cookie"),
        );
    Some(b)
}

fn group_health_block<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<Object> {
    let mut o = Object::new();
    if let Some(count) = value(DNS_COUNT) {
        let mut b = Object::new();
        b.set(&group_health::DNS_COUNT, count).set(&group_health::DNS_PERCENTAGE, value(DNS_PERCENTAGE));
        o.set_blocks(&group_health::DNS_FAILOVER, vec![b]);
    }
    if let Some(count) = value(ROUTING_COUNT) {
        let mut b = Object::new();
        b.set(&group_health::ROUTING_COUNT, count.parse::<i64>().ok())
            .set(&group_health::ROUTING_PERCENTAGE, value(ROUTING_PERCENTAGE));
        o.set_blocks(&group_health::ROUTING, vec![b]);
    }
    (!o.0.is_empty()).then_some(o)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(protocol: &str) -> Object {
        let mut o = Object::new();
        o.set(&PROTOCOL, protocol).set(&PORT, 80i64).set(&VPC_ID, "vpc-1").set(&TARGET_TYPE, "instance");
        o
    }

    #[test]
    fn a_tcp_check_does_not_fit_an_http_group_and_has_no_path() {
        let mut check = Object::new();
        check.set(&health::PROTOCOL, "TCP").set(&health::PATH, "/");
        let mut want = group("HTTP");
        want.set_blocks(&HEALTH_CHECK, vec![check]);
        assert_eq!(validate(&want).len(), 2);
    }

    #[test]
    fn network_attributes_are_sent_for_network_groups_only() {
        let mut want = group("TCP");
        want.set(&PROXY_PROTOCOL, true).set(&SLOW_START, 0i64);
        let keys = |want: &Object| -> Vec<String> {
            elb::keyed_wanted(KEYED, want, None).into_iter().map(|(k, _)| k).collect()
        };
        assert_eq!(keys(&want), ["proxy_protocol_v2.enabled"]);
        want.set(&PROTOCOL, "HTTP");
        assert_eq!(keys(&want), ["slow_start.duration_seconds"]);
    }
}
