//! Blocks of a service to AWS's types and back.

use super::table::*;
use crate::aws::AwsError;
use crate::aws::types::ecs::{built, small, some};
use crate::schema::Object;
use aws_sdk_ecs::types as sdk;
use aws_smithy_types::{Document, Number};
use std::collections::{BTreeMap, HashMap};

const OP: &str = "CreateService";

/// Attributes that together make AWS's deployment configuration, which is sent as a whole.
pub const DEPLOYMENT: &[&str] = &[
    "deployment_maximum_percent",
    "deployment_minimum_healthy_percent",
    "deployment_circuit_breaker",
    "alarms",
    "deployment_configuration",
];

/// `fallback` is what is live: what was not declared stays as it is.
pub fn deployment_configuration(
    want: &Object,
    fallback: &Object,
    changed: &[String],
) -> Result<sdk::DeploymentConfiguration, AwsError> {
    let removed = |name: &str| changed.iter().any(|c| c == name) && !want.has(name);
    let block = |attr| want.block(attr).or_else(|| fallback.block(attr).filter(|_| !removed(attr.row.name)));
    let breaker = match block(&DEPLOYMENT_CIRCUIT_BREAKER) {
        Some(b) => Some((b.need(&breaker::ENABLE), b.need(&breaker::ROLLBACK))),
        None => removed("deployment_circuit_breaker").then_some((false, false)),
    };
    let breaker = breaker.map(|(enable, rollback)| {
        sdk::DeploymentCircuitBreaker::builder().enable(enable).rollback(rollback).build()
    });
    let alarms = match block(&ALARMS) {
        Some(b) => Some((b.all(&alarms::ALARM_NAMES), b.need(&alarms::ENABLE), b.need(&alarms::ROLLBACK))),
        None => removed("alarms").then_some((Vec::new(), false, false)),
    };
    let alarms = alarms.map(|(names, enable, rollback)| {
        let alarms = sdk::DeploymentAlarms::builder().set_alarm_names(Some(names));
        built(OP, alarms.enable(enable).rollback(rollback).build())
    });
    let maximum = want.get(&DEPLOYMENT_MAXIMUM_PERCENT).filter(|_| !daemon(want));
    let mut config = sdk::DeploymentConfiguration::builder()
        .set_maximum_percent(small(maximum))
        .set_minimum_healthy_percent(small(minimum_healthy(want)))
        .set_deployment_circuit_breaker(breaker)
        .set_alarms(alarms.transpose()?);
    if let Some(b) = block(&DEPLOYMENT_CONFIGURATION) {
        let hooks = b.all(&deployment::LIFECYCLE_HOOK).iter().map(hook).collect();
        config = config
            .set_strategy(b.get(&deployment::STRATEGY).map(|s| s.as_str().into()))
            .set_bake_time_in_minutes(small(b.get(&deployment::BAKE_TIME)))
            .set_lifecycle_hooks(Some(hooks))
            .set_linear_configuration(b.block(&deployment::LINEAR).map(|l| {
                sdk::LinearConfiguration::builder()
                    .set_step_percent(l.get(&deployment::STEP_PERCENT))
                    .set_step_bake_time_in_minutes(small(l.get(&deployment::STEP_BAKE_TIME)))
                    .build()
            }))
            .set_canary_configuration(b.block(&deployment::CANARY).map(|c| {
                sdk::CanaryConfiguration::builder()
                    .set_canary_percent(c.get(&deployment::CANARY_PERCENT))
                    .set_canary_bake_time_in_minutes(small(c.get(&deployment::CANARY_BAKE_TIME)))
                    .build()
            }));
    }
    Ok(config.build())
}

fn hook(b: &Object) -> sdk::DeploymentLifecycleHook {
    let details = b.get(&deployment::HOOK_DETAILS).and_then(|text| serde_json::from_str(&text).ok());
    let stages = b.all(&deployment::LIFECYCLE_STAGES).iter().map(|s| s.as_str().into()).collect();
    let timeout = b.block(&deployment::HOOK_TIMEOUT).map(|t| {
        sdk::DeploymentLifecycleHookTimeoutConfiguration::builder()
            .set_timeout_in_minutes(small(t.get(&deployment::TIMEOUT_MINUTES)))
            .set_action(t.get(&deployment::TIMEOUT_ACTION).map(|a| a.as_str().into()))
            .build()
    });
    // The type is younger than hooks are: only the one that is not the default is sent.
    let kind = b.get(&deployment::HOOK_TARGET_TYPE).filter(|kind| kind != "AWS_LAMBDA");
    sdk::DeploymentLifecycleHook::builder()
        .set_target_type(kind.map(|kind| kind.as_str().into()))
        .set_timeout_configuration(timeout)
        .set_hook_target_arn(b.get(&deployment::HOOK_TARGET_ARN))
        .set_role_arn(b.get(&deployment::HOOK_ROLE_ARN))
        .set_lifecycle_stages(Some(stages))
        .set_hook_details(details.map(document))
        .build()
}

fn document(json: serde_json::Value) -> Document {
    match json {
        serde_json::Value::Null => Document::Null,
        serde_json::Value::Bool(b) => Document::Bool(b),
        serde_json::Value::String(s) => Document::String(s),
        serde_json::Value::Array(items) => Document::Array(items.into_iter().map(document).collect()),
        serde_json::Value::Object(items) => {
            Document::Object(items.into_iter().map(|(k, v)| (k, document(v))).collect())
        }
        serde_json::Value::Number(n) => Document::Number(match (n.as_u64(), n.as_i64()) {
            (Some(u), _) => Number::PosInt(u),
            (None, Some(i)) => Number::NegInt(i),
            _ => Number::Float(n.as_f64().unwrap_or_default()),
        }),
    }
}

fn json(document: &Document) -> serde_json::Value {
    match document {
        Document::Null => serde_json::Value::Null,
        Document::Bool(b) => (*b).into(),
        Document::String(s) => s.clone().into(),
        Document::Array(items) => items.iter().map(json).collect(),
        Document::Object(items) => items.iter().map(|(k, v)| (k.clone(), json(v))).collect(),
        Document::Number(Number::PosInt(u)) => (*u).into(),
        Document::Number(Number::NegInt(i)) => (*i).into(),
        Document::Number(Number::Float(f)) => (*f).into(),
    }
}

pub fn load_balancers(want: &Object) -> Vec<sdk::LoadBalancer> {
    let one = |b: Object| {
        let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
        let advanced = b.block(&balancer::ADVANCED).map(|a| {
            sdk::AdvancedConfiguration::builder()
                .set_alternate_target_group_arn(a.get(&balancer::ALTERNATE_TARGET_GROUP_ARN))
                .set_production_listener_rule(a.get(&balancer::PRODUCTION_LISTENER_RULE))
                .set_test_listener_rule(a.get(&balancer::TEST_LISTENER_RULE))
                .set_role_arn(a.get(&balancer::ADVANCED_ROLE_ARN))
                .build()
        });
        sdk::LoadBalancer::builder()
            .set_target_group_arn(filled(b.get(&balancer::TARGET_GROUP_ARN)))
            .set_load_balancer_name(filled(b.get(&balancer::ELB_NAME)))
            .container_name(b.need(&balancer::CONTAINER_NAME))
            .set_container_port(small(b.get(&balancer::CONTAINER_PORT)))
            .set_advanced_configuration(advanced)
            .build()
    };
    want.all(&LOAD_BALANCER).into_iter().map(one).collect()
}

pub fn network_configuration(want: &Object) -> Result<Option<sdk::NetworkConfiguration>, AwsError> {
    let Some(b) = want.block(&NETWORK_CONFIGURATION) else { return Ok(None) };
    let public = b.get(&network::ASSIGN_PUBLIC_IP).unwrap_or(false);
    let vpc = sdk::AwsVpcConfiguration::builder()
        .set_subnets(Some(b.all(&network::SUBNETS)))
        .set_security_groups(Some(b.all(&network::SECURITY_GROUPS)))
        .assign_public_ip(if public { sdk::AssignPublicIp::Enabled } else { sdk::AssignPublicIp::Disabled });
    let vpc = built(OP, vpc.build())?;
    Ok(Some(sdk::NetworkConfiguration::builder().awsvpc_configuration(vpc).build()))
}

pub fn placement_strategy(want: &Object) -> Vec<sdk::PlacementStrategy> {
    let one = |b: Object| {
        sdk::PlacementStrategy::builder()
            .r#type(b.need(&placement::STRATEGY_TYPE).as_str().into())
            .set_field(b.get(&placement::STRATEGY_FIELD))
            .build()
    };
    want.all(&ORDERED_PLACEMENT_STRATEGY).into_iter().map(one).collect()
}

pub fn placement_constraints(want: &Object) -> Vec<sdk::PlacementConstraint> {
    let one = |b: Object| {
        sdk::PlacementConstraint::builder()
            .r#type(b.need(&placement::CONSTRAINT_TYPE).as_str().into())
            .set_expression(b.get(&placement::EXPRESSION))
            .build()
    };
    want.all(&PLACEMENT_CONSTRAINTS).into_iter().map(one).collect()
}

pub fn registries(want: &Object) -> Vec<sdk::ServiceRegistry> {
    let one = |b: Object| {
        sdk::ServiceRegistry::builder()
            .registry_arn(b.need(&registry::REGISTRY_ARN))
            .set_container_name(b.get(&registry::CONTAINER_NAME))
            .set_container_port(small(b.get(&registry::CONTAINER_PORT)).filter(|p| *p != 0))
            .set_port(small(b.get(&registry::PORT)).filter(|p| *p != 0))
            .build()
    };
    want.all(&SERVICE_REGISTRIES).into_iter().map(one).collect()
}

pub fn service_connect(want: &Object) -> Result<Option<sdk::ServiceConnectConfiguration>, AwsError> {
    let Some(b) = want.block(&SERVICE_CONNECT) else { return Ok(None) };
    let services: Result<Vec<_>, AwsError> = b.all(&connect::SERVICE).iter().map(connect_service).collect();
    let log = b.block(&connect::LOG_CONFIGURATION).map(|l| connect_log(&l)).transpose()?;
    Ok(Some(
        sdk::ServiceConnectConfiguration::builder()
            .enabled(b.need(&connect::ENABLED))
            .set_namespace(b.get(&connect::NAMESPACE))
            .set_services(some(services?))
            .set_log_configuration(log)
            .build(),
    ))
}

fn connect_service(b: &Object) -> Result<sdk::ServiceConnectService, AwsError> {
    let mut service = sdk::ServiceConnectService::builder()
        .port_name(b.need(&connect::PORT_NAME))
        .set_discovery_name(b.get(&connect::DISCOVERY_NAME))
        .set_ingress_port_override(small(b.get(&connect::INGRESS_PORT_OVERRIDE)).filter(|p| *p != 0));
    if let Some(a) = b.block(&connect::CLIENT_ALIAS) {
        let alias = sdk::ServiceConnectClientAlias::builder()
            .set_port(small(a.get(&connect::PORT)))
            .set_dns_name(a.get(&connect::DNS_NAME));
        service = service.client_aliases(built(OP, alias.build())?);
    }
    if let Some(t) = b.block(&connect::TIMEOUT) {
        let timeout = sdk::TimeoutConfiguration::builder()
            .set_idle_timeout_seconds(small(t.get(&connect::IDLE)))
            .set_per_request_timeout_seconds(small(t.get(&connect::PER_REQUEST)));
        service = service.timeout(timeout.build());
    }
    if let Some(t) = b.block(&connect::TLS) {
        let authority = t.block(&connect::ISSUER).and_then(|i| i.get(&connect::PCA_ARN));
        let authority =
            sdk::ServiceConnectTlsCertificateAuthority::builder().set_aws_pca_authority_arn(authority);
        let tls = sdk::ServiceConnectTlsConfiguration::builder()
            .issuer_certificate_authority(authority.build())
            .set_kms_key(t.get(&connect::KMS_KEY))
            .set_role_arn(t.get(&connect::TLS_ROLE_ARN));
        service = service.tls(tls.build());
    }
    built(OP, service.build())
}

fn connect_log(b: &Object) -> Result<sdk::LogConfiguration, AwsError> {
    let secret = |s: &Object| {
        let secret = sdk::Secret::builder()
            .name(s.need(&connect::SECRET_NAME))
            .value_from(s.need(&connect::VALUE_FROM));
        built(OP, secret.build())
    };
    let secrets: Result<Vec<_>, AwsError> = b.all(&connect::SECRET_OPTION).iter().map(secret).collect();
    let options = b.get(&connect::OPTIONS).map(|m| m.into_iter().collect::<HashMap<_, _>>());
    let log = sdk::LogConfiguration::builder()
        .log_driver(b.need(&connect::LOG_DRIVER).as_str().into())
        .set_options(options)
        .set_secret_options(some(secrets?));
    built(OP, log.build())
}

pub fn volumes(want: &Object) -> Result<Vec<sdk::ServiceVolumeConfiguration>, AwsError> {
    let one = |b: &Object| {
        let ebs = b.block(&volume::MANAGED_EBS).map(|e| ebs_volume(&e)).transpose()?;
        let volume = sdk::ServiceVolumeConfiguration::builder()
            .name(b.need(&volume::NAME))
            .set_managed_ebs_volume(ebs);
        built(OP, volume.build())
    };
    want.all(&VOLUME_CONFIGURATION).iter().map(one).collect()
}

fn ebs_volume(b: &Object) -> Result<sdk::ServiceManagedEbsVolumeConfiguration, AwsError> {
    let specification = |t: &Object| {
        let tags = t.all(&volume::VOLUME_TAGS).into_iter();
        let specification = sdk::EbsTagSpecification::builder()
            .resource_type(t.need(&volume::RESOURCE_TYPE).as_str().into())
            .set_propagate_tags(t.get(&volume::PROPAGATE).map(|p| p.as_str().into()))
            .set_tags(some(tags.map(|(k, v)| sdk::Tag::builder().key(k).value(v).build()).collect()));
        built(OP, specification.build())
    };
    let specifications: Result<Vec<_>, AwsError> =
        b.all(&volume::TAG_SPECIFICATIONS).iter().map(specification).collect();
    let positive = |attr| small(b.get(attr)).filter(|n: &i32| *n != 0);
    let ebs = sdk::ServiceManagedEbsVolumeConfiguration::builder()
        .role_arn(b.need(&volume::ROLE_ARN))
        .set_encrypted(b.get(&volume::ENCRYPTED))
        .set_filesystem_type(b.get(&volume::FILE_SYSTEM_TYPE).map(|t| t.as_str().into()))
        .set_iops(positive(&volume::IOPS))
        .set_kms_key_id(b.get(&volume::KMS_KEY_ID))
        .set_size_in_gib(positive(&volume::SIZE_IN_GB))
        .set_snapshot_id(b.get(&volume::SNAPSHOT_ID))
        .set_throughput(positive(&volume::THROUGHPUT))
        .set_volume_initialization_rate(positive(&volume::INITIALIZATION_RATE))
        .set_volume_type(b.get(&volume::VOLUME_TYPE))
        .set_tag_specifications(some(specifications?));
    built(OP, ebs.build())
}

pub fn lattices(want: &Object) -> Result<Vec<sdk::VpcLatticeConfiguration>, AwsError> {
    let one = |b: &Object| {
        let lattice = sdk::VpcLatticeConfiguration::builder()
            .port_name(b.need(&lattice::PORT_NAME))
            .role_arn(b.need(&lattice::ROLE_ARN))
            .target_group_arn(b.need(&lattice::TARGET_GROUP_ARN));
        built(OP, lattice.build())
    };
    want.all(&VPC_LATTICE).iter().map(one).collect()
}

// ---- back ----

pub fn set_deployment_blocks(o: &mut Object, c: &sdk::DeploymentConfiguration) {
    let breaker = c.deployment_circuit_breaker().filter(|b| b.enable() || b.rollback()).map(|b| {
        let mut o = Object::new();
        o.set(&breaker::ENABLE, b.enable()).set(&breaker::ROLLBACK, b.rollback());
        o
    });
    let alarms = c.alarms().filter(|a| a.enable() || !a.alarm_names().is_empty()).map(|a| {
        let mut o = Object::new();
        o.set(&alarms::ALARM_NAMES, a.alarm_names())
            .set(&alarms::ENABLE, a.enable())
            .set(&alarms::ROLLBACK, a.rollback());
        o
    });
    let hook = |h: &sdk::DeploymentLifecycleHook| {
        let stages: Vec<String> = h.lifecycle_stages().iter().map(|s| s.as_str().to_owned()).collect();
        let timeout = h.timeout_configuration().map(|t| {
            let mut o = Object::new();
            o.set(&deployment::TIMEOUT_MINUTES, t.timeout_in_minutes())
                .set(&deployment::TIMEOUT_ACTION, t.action().map(|a| a.as_str()));
            o
        });
        let mut o = Object::new();
        o.set_blocks(&deployment::HOOK_TIMEOUT, timeout.into_iter().collect())
            .set(&deployment::HOOK_TARGET_TYPE, h.target_type().map_or("AWS_LAMBDA", |t| t.as_str()))
            .set(&deployment::HOOK_TARGET_ARN, h.hook_target_arn())
            .set(&deployment::HOOK_ROLE_ARN, h.role_arn())
            .set(&deployment::LIFECYCLE_STAGES, stages)
            .set(&deployment::HOOK_DETAILS, h.hook_details().map(|d| json(d).to_string()));
        o
    };
    let linear = c.linear_configuration().map(|l| {
        let mut o = Object::new();
        o.set(&deployment::STEP_PERCENT, l.step_percent())
            .set(&deployment::STEP_BAKE_TIME, l.step_bake_time_in_minutes());
        o
    });
    let canary = c.canary_configuration().map(|l| {
        let mut o = Object::new();
        o.set(&deployment::CANARY_PERCENT, l.canary_percent())
            .set(&deployment::CANARY_BAKE_TIME, l.canary_bake_time_in_minutes());
        o
    });
    let mut block = Object::new();
    block
        .set(&deployment::STRATEGY, c.strategy().map_or("ROLLING", |s| s.as_str()))
        .set(&deployment::BAKE_TIME, c.bake_time_in_minutes())
        .set_blocks(&deployment::LIFECYCLE_HOOK, c.lifecycle_hooks().iter().map(hook).collect())
        .set_blocks(&deployment::LINEAR, linear.into_iter().collect())
        .set_blocks(&deployment::CANARY, canary.into_iter().collect());
    o.set(&DEPLOYMENT_MAXIMUM_PERCENT, c.maximum_percent())
        .set(&DEPLOYMENT_MINIMUM_HEALTHY_PERCENT, c.minimum_healthy_percent())
        .set_blocks(&DEPLOYMENT_CIRCUIT_BREAKER, breaker.into_iter().collect())
        .set_blocks(&ALARMS, alarms.into_iter().collect())
        .set_blocks(&DEPLOYMENT_CONFIGURATION, vec![block]);
}

pub fn load_balancer_block(b: &sdk::LoadBalancer) -> Object {
    let advanced = b.advanced_configuration().map(|a| {
        let mut o = Object::new();
        o.set(&balancer::ALTERNATE_TARGET_GROUP_ARN, a.alternate_target_group_arn())
            .set(&balancer::PRODUCTION_LISTENER_RULE, a.production_listener_rule())
            .set(&balancer::TEST_LISTENER_RULE, a.test_listener_rule())
            .set(&balancer::ADVANCED_ROLE_ARN, a.role_arn());
        o
    });
    let mut o = Object::new();
    o.set(&balancer::CONTAINER_NAME, b.container_name())
        .set(&balancer::CONTAINER_PORT, b.container_port())
        .set(&balancer::ELB_NAME, b.load_balancer_name())
        .set(&balancer::TARGET_GROUP_ARN, b.target_group_arn())
        .set_blocks(&balancer::ADVANCED, advanced.into_iter().collect());
    o
}

pub fn network_block(n: &sdk::NetworkConfiguration) -> Option<Object> {
    let vpc = n.awsvpc_configuration()?;
    let mut o = Object::new();
    o.set(&network::SUBNETS, vpc.subnets())
        .set(&network::SECURITY_GROUPS, vpc.security_groups())
        .set(&network::ASSIGN_PUBLIC_IP, vpc.assign_public_ip() == Some(&sdk::AssignPublicIp::Enabled));
    Some(o)
}

pub fn strategy_block(s: &sdk::PlacementStrategy) -> Object {
    let mut o = Object::new();
    o.set(&placement::STRATEGY_TYPE, s.r#type().map(|t| t.as_str()))
        .set(&placement::STRATEGY_FIELD, s.field());
    o
}

pub fn constraint_block(c: &sdk::PlacementConstraint) -> Object {
    let mut o = Object::new();
    o.set(&placement::CONSTRAINT_TYPE, c.r#type().map(|t| t.as_str()))
        .set(&placement::EXPRESSION, c.expression());
    o
}

pub fn registry_block(r: &sdk::ServiceRegistry) -> Object {
    let mut o = Object::new();
    o.set(&registry::REGISTRY_ARN, r.registry_arn())
        .set(&registry::CONTAINER_NAME, r.container_name())
        .set(&registry::CONTAINER_PORT, r.container_port())
        .set(&registry::PORT, r.port());
    o
}

pub fn connect_block(c: &sdk::ServiceConnectConfiguration) -> Object {
    let secret = |s: &sdk::Secret| {
        let mut o = Object::new();
        o.set(&connect::SECRET_NAME, s.name()).set(&connect::VALUE_FROM, s.value_from());
        o
    };
    let log = c.log_configuration().map(|l| {
        let options: Option<BTreeMap<String, String>> = l.options().map(|m| m.clone().into_iter().collect());
        let mut o = Object::new();
        o.set(&connect::LOG_DRIVER, l.log_driver().as_str())
            .set(&connect::OPTIONS, options)
            .set_blocks(&connect::SECRET_OPTION, l.secret_options().iter().map(secret).collect());
        o
    });
    let mut o = Object::new();
    o.set(&connect::ENABLED, c.enabled())
        .set(&connect::NAMESPACE, c.namespace())
        .set_blocks(&connect::LOG_CONFIGURATION, log.into_iter().collect())
        .set_blocks(&connect::SERVICE, c.services().iter().map(connect_service_block).collect());
    o
}

fn connect_service_block(s: &sdk::ServiceConnectService) -> Object {
    let alias = s.client_aliases().first().map(|a| {
        let mut o = Object::new();
        o.set(&connect::PORT, a.port()).set(&connect::DNS_NAME, a.dns_name());
        o
    });
    let timeout = s.timeout().map(|t| {
        let mut o = Object::new();
        o.set(&connect::IDLE, t.idle_timeout_seconds())
            .set(&connect::PER_REQUEST, t.per_request_timeout_seconds());
        o
    });
    let tls = s.tls().map(|t| {
        let mut issuer = Object::new();
        issuer
            .set(&connect::PCA_ARN, t.issuer_certificate_authority().and_then(|a| a.aws_pca_authority_arn()));
        let mut o = Object::new();
        o.set(&connect::KMS_KEY, t.kms_key())
            .set(&connect::TLS_ROLE_ARN, t.role_arn())
            .set_blocks(&connect::ISSUER, vec![issuer]);
        o
    });
    let mut o = Object::new();
    o.set(&connect::PORT_NAME, s.port_name())
        .set(&connect::DISCOVERY_NAME, s.discovery_name())
        .set(&connect::INGRESS_PORT_OVERRIDE, s.ingress_port_override())
        .set_blocks(&connect::CLIENT_ALIAS, alias.into_iter().collect())
        .set_blocks(&connect::TIMEOUT, timeout.into_iter().collect())
        .set_blocks(&connect::TLS, tls.into_iter().collect());
    o
}

pub fn volume_block(v: &sdk::ServiceVolumeConfiguration) -> Object {
    let specification = |t: &sdk::EbsTagSpecification| {
        let pairs = t.tags().iter();
        let tags: BTreeMap<String, String> = pairs
            .filter_map(|t| Some((t.key()?.to_owned(), t.value().unwrap_or_default().to_owned())))
            .collect();
        let mut o = Object::new();
        o.set(&volume::RESOURCE_TYPE, t.resource_type().as_str())
            .set(&volume::PROPAGATE, t.propagate_tags().map(|p| p.as_str()))
            .set(&volume::VOLUME_TAGS, Some(tags).filter(|t| !t.is_empty()));
        o
    };
    let ebs = v.managed_ebs_volume().map(|e| {
        let mut o = Object::new();
        o.set(&volume::ROLE_ARN, e.role_arn())
            .set(&volume::ENCRYPTED, e.encrypted())
            .set(&volume::FILE_SYSTEM_TYPE, e.filesystem_type().map(|t| t.as_str()))
            .set(&volume::IOPS, e.iops())
            .set(&volume::KMS_KEY_ID, e.kms_key_id())
            .set(&volume::SIZE_IN_GB, e.size_in_gib())
            .set(&volume::SNAPSHOT_ID, e.snapshot_id())
            .set(&volume::THROUGHPUT, e.throughput())
            .set(&volume::INITIALIZATION_RATE, e.volume_initialization_rate())
            .set(&volume::VOLUME_TYPE, e.volume_type())
            .set_blocks(
                &volume::TAG_SPECIFICATIONS,
                e.tag_specifications().iter().map(specification).collect(),
            );
        o
    });
    let mut o = Object::new();
    o.set(&volume::NAME, v.name()).set_blocks(&volume::MANAGED_EBS, ebs.into_iter().collect());
    o
}

pub fn lattice_block(l: &sdk::VpcLatticeConfiguration) -> Object {
    let mut o = Object::new();
    o.set(&lattice::PORT_NAME, l.port_name())
        .set(&lattice::ROLE_ARN, l.role_arn())
        .set(&lattice::TARGET_GROUP_ARN, l.target_group_arn());
    o
}
