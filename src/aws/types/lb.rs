//! `aws_lb`: application, network and gateway load balancers.

use super::ecs::small;
use super::elb::{self, Keyed};
use super::timeouts::{self, TIMEOUTS};
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Between, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{Attr, Blocks, ID, Object, Str, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::Filter;
use aws_sdk_elasticloadbalancingv2::types as sdk;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerAttribute, LoadBalancerStateEnum};
use std::time::Duration;

mod logs {
    use super::*;
    attributes! {
        TABLE:
        BUCKET: Str = required("bucket");
        ENABLED: Bool = optional("enabled").default_bool(false);
        PREFIX: Str = optional("prefix");
    }
}

mod mapping {
    use super::*;
    attributes! {
        TABLE:
        SUBNET_ID: Str = required("subnet_id");
        ALLOCATION_ID: Str = optional("allocation_id");
        IPV6_ADDRESS: Str = optional("ipv6_address");
        PRIVATE_IPV4_ADDRESS: Str = optional("private_ipv4_address");
        OUTPOST_ID: Str = computed("outpost_id");
    }
}

attributes! {
    IPAM_TABLE:
    IPV4_IPAM_POOL_ID: Str = required("ipv4_ipam_pool_id");
}

attributes! {
    CAPACITY_TABLE:
    CAPACITY_UNITS: Int = required("capacity_units");
}

attributes! {
    TABLE [TAGS, TAGS_ALL, TIMEOUTS]:
    NAME: Str = optional_computed("name").replaces().check(elb::check_balancer_name).conflicts_with(&["name_prefix"]);
    NAME_PREFIX: Str = optional_computed("name_prefix").replaces().check(elb::check_name_prefix);
    INTERNAL: Bool = optional_computed("internal").replaces();
    LOAD_BALANCER_TYPE: Str = optional("load_balancer_type").default_str("application").replaces()
        .one_of(&["application", "network", "gateway"]);
    SECURITY_GROUPS: StrSet = optional_computed("security_groups").replaces_if(first_or_last_group_of_nlb);
    SUBNETS: StrSet = optional_computed("subnets").replaces_if(nlb_loses_subnet)
        .bound_to_vpc_if(|_, _| true).conflicts_with(&["subnet_mapping"]);
    SUBNET_MAPPING: Blocks = optional_computed("subnet_mapping").set(&mapping::TABLE)
        .conflicts_with(&["subnets"])
        .replaces_if(nlb_loses_mapping).bound_to_vpc_if(|_, _| true);
    IP_ADDRESS_TYPE: Str = optional_computed("ip_address_type")
        .one_of(&["ipv4", "dualstack", "dualstack-without-public-ipv4"]);
    CUSTOMER_OWNED_IPV4_POOL: Str = optional("customer_owned_ipv4_pool").replaces();
    ENFORCE_INBOUND: Str = optional_computed("enforce_security_group_inbound_rules_on_private_link_traffic")
        .one_of(&["on", "off"]);
    CLIENT_KEEP_ALIVE: Int = optional("client_keep_alive").default_int(3600).range(60, 604_800)
        .owned_elsewhere(not_application);
    DESYNC_MITIGATION_MODE: Str = optional("desync_mitigation_mode").default_str("defensive")
        .one_of(&["monitor", "defensive", "strictest"]).owned_elsewhere(not_application);
    DNS_RECORD_CLIENT_ROUTING_POLICY: Str = optional("dns_record_client_routing_policy")
        .one_of(&["availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"])
        .owned_elsewhere(not_network);
    DROP_INVALID_HEADER_FIELDS: Bool = optional("drop_invalid_header_fields").default_bool(false)
        .owned_elsewhere(not_application);
    ENABLE_CROSS_ZONE: Bool = optional("enable_cross_zone_load_balancing").owned_elsewhere(is_application)
        .doc("Always on for application load balancers");
    ENABLE_DELETION_PROTECTION: Bool = optional("enable_deletion_protection").default_bool(false).protects();
    ENABLE_HTTP2: Bool = optional("enable_http2").default_bool(true).owned_elsewhere(not_application);
    ENABLE_TLS_HEADERS: Bool = optional("enable_tls_version_and_cipher_suite_headers").default_bool(false)
        .owned_elsewhere(not_application);
    ENABLE_WAF_FAIL_OPEN: Bool = optional("enable_waf_fail_open").default_bool(false)
        .owned_elsewhere(not_application);
    ENABLE_XFF_CLIENT_PORT: Bool = optional("enable_xff_client_port").default_bool(false)
        .owned_elsewhere(not_application);
    ENABLE_ZONAL_SHIFT: Bool = optional("enable_zonal_shift").default_bool(false).owned_elsewhere(is_gateway);
    IDLE_TIMEOUT: Int = optional("idle_timeout").default_int(60).range(1, 4000).owned_elsewhere(not_application);
    PRESERVE_HOST_HEADER: Bool = optional("preserve_host_header").default_bool(false)
        .owned_elsewhere(not_application);
    XFF_MODE: Str = optional("xff_header_processing_mode").default_str("append")
        .one_of(&["append", "preserve", "remove"]).owned_elsewhere(not_application);
    ACCESS_LOGS: Blocks = optional("access_logs").single(&logs::TABLE)
        .owned_elsewhere(|live, want| no_logs(&ACCESS_LOGS, live, want));
    CONNECTION_LOGS: Blocks = optional("connection_logs").single(&logs::TABLE)
        .owned_elsewhere(|live, want| no_logs(&CONNECTION_LOGS, live, want));
    IPAM_POOLS: Blocks = optional("ipam_pools").single(&IPAM_TABLE);
    MINIMUM_CAPACITY: Blocks = optional("minimum_load_balancer_capacity").single(&CAPACITY_TABLE);
    ARN: Str = computed("arn");
    ARN_SUFFIX: Str = computed("arn_suffix");
    DNS_NAME: Str = computed("dns_name");
    ZONE_ID: Str = computed("zone_id");
    VPC_ID: Str = computed("vpc_id");
}

pub const SCHEMA: TypeSchema = TypeSchema {
    doc: "A load balancer over at least two Availability Zones",
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
  name         = "web"
  subnets      = [aws_subnet.a.id, aws_subnet.b.id]
  idle_timeout = 30
  depends_on   = [aws_internet_gateway.main]
}
"#,
    validate: |want| {
        let none = |name| want.value(name).is_none_or(crate::schema::is_absent);
        if none("subnets") && none("subnet_mapping") {
            vec![("", "needs `subnets` or `subnet_mapping`".to_owned())]
        } else {
            Vec::new()
        }
    },
    complete: |want| {
        // An application load balancer is always across zones: the provider plans nothing, whatever is written.
        match want.value("load_balancer_type") {
            Some(value) if value.is_unknown() => {}
            _ if application(want) => want.put(ENABLE_CROSS_ZONE.row.name, None),
            _ if want.has(ENABLE_CROSS_ZONE.row.name) => {}
            _ => want.put(ENABLE_CROSS_ZONE.row.name, Some(false.into())),
        }
    },
    unique: &["name"],
    ..TypeSchema::new("aws_lb", &TABLE)
};

fn kind(o: &Object) -> String {
    o.get(&LOAD_BALANCER_TYPE).unwrap_or_else(|| "application".to_owned())
}

fn application(o: &Object) -> bool {
    kind(o) == "application"
}

fn network(o: &Object) -> bool {
    kind(o) == "network"
}

// Attributes that AWS does not have for this kind of load balancer never show as a difference.
fn not_application(_: &Object, want: &Object) -> bool {
    !application(want)
}

fn is_application(_: &Object, want: &Object) -> bool {
    application(want)
}

fn not_network(_: &Object, want: &Object) -> bool {
    !network(want)
}

fn is_gateway(_: &Object, want: &Object) -> bool {
    kind(want) == "gateway"
}

fn first_or_last_group_of_nlb(live: &Object, want: &Object) -> bool {
    network(live) && live.all(&SECURITY_GROUPS).is_empty() != want.all(&SECURITY_GROUPS).is_empty()
}

fn nlb_loses_subnet(live: &Object, want: &Object) -> bool {
    let (has, wanted) = (live.all(&SUBNETS), want.all(&SUBNETS));
    let known = want.value("subnets").is_some_and(crate::value::Value::is_wholly_known);
    network(live) && known && has.iter().any(|s| !wanted.contains(s))
}

fn nlb_loses_mapping(live: &Object, want: &Object) -> bool {
    let known = want.value("subnet_mapping").is_some_and(crate::value::Value::is_wholly_known);
    network(live) && known && want.all(&SUBNET_MAPPING).len() < live.all(&SUBNET_MAPPING).len()
}

static KEYED: &[Keyed] = &[
    Keyed { name: "idle_timeout", key: "idle_timeout.timeout_seconds", applies: application },
    Keyed { name: "client_keep_alive", key: "client_keep_alive.seconds", applies: application },
    Keyed {
        name: "desync_mitigation_mode",
        key: "routing.http.desync_mitigation_mode",
        applies: application,
    },
    Keyed {
        name: "drop_invalid_header_fields",
        key: "routing.http.drop_invalid_header_fields.enabled",
        applies: application,
    },
    Keyed { name: "enable_http2", key: "routing.http2.enabled", applies: application },
    Keyed {
        name: "enable_tls_version_and_cipher_suite_headers",
        key: "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        applies: application,
    },
    Keyed { name: "enable_waf_fail_open", key: "waf.fail_open.enabled", applies: application },
    Keyed {
        name: "enable_xff_client_port",
        key: "routing.http.xff_client_port.enabled",
        applies: application,
    },
    Keyed {
        name: "preserve_host_header",
        key: "routing.http.preserve_host_header.enabled",
        applies: application,
    },
    Keyed {
        name: "xff_header_processing_mode",
        key: "routing.http.xff_header_processing.mode",
        applies: application,
    },
    Keyed {
        name: "dns_record_client_routing_policy",
        key: "dns_record.client_routing_policy",
        applies: network,
    },
    Keyed {
        name: "enable_cross_zone_load_balancing",
        key: "load_balancing.cross_zone.enabled",
        applies: |o| !application(o),
    },
    Keyed { name: "enable_deletion_protection", key: "deletion_protection.enabled", applies: |_| true },
    Keyed {
        name: "enable_zonal_shift",
        key: "zonal_shift.config.enabled",
        applies: |o| kind(o) != "gateway",
    },
];

pub struct Lb;

#[async_trait(?Send)]
impl AwsType for Lb {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = elb::by_arn(items, GONE, async |arns| describe(aws, arns).await).await?;
        let arns: Vec<String> =
            found.iter().filter_map(|b| b.load_balancer_arn().map(str::to_owned)).collect();
        let tags = elb::tags_of(aws, &arns).await?;
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let balancer = found.iter().find(|b| b.load_balancer_arn() == Some(item.id));
            let Some(balancer) = balancer else {
                objects.push(None);
                continue;
            };
            let mut o = object(aws, item, balancer).await?;
            tags::read(&mut o, tags.get(item.id).into_iter().flat_map(|t| elb::pairs(t)));
            objects.push(Some(o.complete(&TABLE)));
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let made = aws
            .elb
            .create_load_balancer()
            .name(elb::name(job, "tf-lb-"))
            .r#type(kind(want).as_str().into())
            .set_scheme(want.get(&INTERNAL).map(|i| if i { "internal" } else { "internet-facing" }.into()))
            .set_subnets(subnets(want))
            .set_subnet_mappings(mappings(want))
            .set_security_groups(super::ecs::some(want.all(&SECURITY_GROUPS)))
            .set_ip_address_type(want.get(&IP_ADDRESS_TYPE).map(|t| t.as_str().into()))
            .set_customer_owned_ipv4_pool(want.get(&CUSTOMER_OWNED_IPV4_POOL))
            .set_ipam_pools(ipam_pools(want))
            .set_tags(Some(elb::creation_tags(job)))
            .send()
            .await
            .op("CreateLoadBalancer")?;
        let arn = made.load_balancers().first().and_then(|b| b.load_balancer_arn()).unwrap_or_default();
        let arn = arn.to_owned();
        wait_active(aws, &arn, job).await?;
        set_attributes(aws, &arn, want, None).await?;
        if want.has("minimum_load_balancer_capacity") {
            set_capacity(aws, &arn, want).await?;
        }
        // The API takes this one only together with groups.
        if want.get(&ENFORCE_INBOUND).is_some() && network(want) {
            set_groups(aws, &arn, want).await?;
        }
        Ok(arn)
    }

    /// Who lets in what comes from the old group does so until its own has changed, too.
    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        let text = "put it in the old and the new security groups";
        Between::with_both(SECURITY_GROUPS.row.name, live, want, changed, text)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        set_attributes(aws, job.id, job.want, Some(job.changed)).await?;
        if job.changes(&["security_groups", "enforce_security_group_inbound_rules_on_private_link_traffic"]) {
            set_groups(aws, job.id, job.want).await?;
        }
        if job.changes(&["subnets", "subnet_mapping"]) {
            aws.elb
                .set_subnets()
                .load_balancer_arn(job.id)
                .set_subnets(subnets(job.want))
                .set_subnet_mappings(mappings(job.want))
                .send()
                .await
                .op("SetSubnets")?;
        }
        if job.changes(&["ip_address_type"]) {
            let address_type = job.want.need(&IP_ADDRESS_TYPE);
            let call = aws.elb.set_ip_address_type().load_balancer_arn(job.id);
            call.ip_address_type(address_type.as_str().into()).send().await.op("SetIpAddressType")?;
        }
        if job.changes(&["ipam_pools"]) {
            let mut call = aws.elb.modify_ip_pools().load_balancer_arn(job.id);
            call = match ipam_pools(job.want) {
                Some(pools) => call.ipam_pools(pools),
                None => call.remove_ipam_pools(sdk::RemoveIpamPoolEnum::Ipv4),
            };
            call.send().await.op("ModifyIpPools")?;
        }
        if job.changes(&["minimum_load_balancer_capacity"]) {
            set_capacity(aws, job.id, job.want).await?;
        }
        elb::update_tags(aws, job).await?;
        wait_active(aws, job.id, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.elb.delete_load_balancer().load_balancer_arn(job.id).send().await;
        if let Err(e) = absent(call.op("DeleteLoadBalancer"), GONE) {
            if !e.is(&["OperationNotPermitted"]) {
                return Err(e);
            }
            let hint = "set enable_deletion_protection = false and apply before deleting it";
            return Err(AwsError { message: format!("{} ({hint})", e.message), ..e });
        }
        wait_interfaces_gone(aws, job).await
    }

    async fn settle(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        wait_active(aws, job.id, job).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let call = aws.elb.describe_load_balancers().names(elb::name(job, "tf-lb-")).send().await;
        let answer = absent(call.op("DescribeLoadBalancers"), GONE)?;
        let found = answer.and_then(|a| a.load_balancers).unwrap_or_default();
        elb::ours(aws, job, found.into_iter().filter_map(|b| b.load_balancer_arn).collect()).await
    }
}

const GONE: &[&str] = &["LoadBalancerNotFound", "LoadBalancerNotFoundException"];

async fn describe(aws: &Aws, arns: Vec<String>) -> Result<Vec<LoadBalancer>, AwsError> {
    let call = aws.elb.describe_load_balancers().set_load_balancer_arns(Some(arns)).send().await;
    Ok(call.op("DescribeLoadBalancers")?.load_balancers.unwrap_or_default())
}

async fn wait_active(aws: &Aws, arn: &str, job: &Job<'_>) -> Result<(), AwsError> {
    let which = if job.id.is_empty() { &timeouts::CREATE } else { &timeouts::UPDATE };
    let (every, deadline) = (Duration::from_secs(5), timeouts::limit(job.want, which, 10));
    wait(aws, "CreateLoadBalancer", every, deadline, job.progress, async || {
        let found = absent(describe(aws, vec![arn.to_owned()]).await, GONE)?.unwrap_or_default();
        let state = found.first().and_then(|b| b.state());
        match state.and_then(|s| s.code()) {
            Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => {
                Ok(Poll::Ready(()))
            }
            Some(LoadBalancerStateEnum::Failed) => {
                let reason = state.and_then(|s| s.reason()).unwrap_or("AWS gave no reason");
                Err(AwsError::failed("CreateLoadBalancer", "NotStable", format!("it failed: {reason}")))
            }
            Some(other) => Ok(Poll::Pending(other.to_string())),
            None => Ok(Poll::Pending("not visible yet".to_owned())),
        }
    })
    .await
}

/// Its network interfaces outlive the load balancer and keep subnets and security groups in use.
async fn wait_interfaces_gone(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let Some(suffix) = arn_suffix(job.id) else { return Ok(()) };
    let deadline = timeouts::limit(job.want, &timeouts::DELETE, 10);
    wait(aws, "DeleteLoadBalancer", Duration::from_secs(10), deadline, job.progress, async || {
        let filter = Filter::builder().name("description").values(format!("ELB {suffix}")).build();
        let answer = aws.ec2.describe_network_interfaces().filters(filter).send().await;
        let left = answer.op("DescribeNetworkInterfaces")?.network_interfaces.unwrap_or_default();
        let ids: Vec<&str> = left.iter().filter_map(|i| i.network_interface_id()).collect();
        Ok(match ids.is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending(format!("its network interfaces {} are not gone", ids.join(", "))),
        })
    })
    .await
}

/// `app/web/0123456789abcdef` of a load balancer's ARN.
fn arn_suffix(arn: &str) -> Option<&str> {
    arn.split_once(":loadbalancer/").map(|(_, suffix)| suffix)
}

fn subnets(want: &Object) -> Option<Vec<String>> {
    if want.has("subnet_mapping") { None } else { super::ecs::some(want.all(&SUBNETS)) }
}

fn mappings(want: &Object) -> Option<Vec<sdk::SubnetMapping>> {
    // `subnets` is computed too: only a declared mapping counts, and it excludes declared subnets.
    let mapping = |b: &Object| {
        let some = |attr| b.get::<Str>(attr).filter(|s| !s.is_empty());
        sdk::SubnetMapping::builder()
            .subnet_id(b.need(&mapping::SUBNET_ID))
            .set_allocation_id(some(&mapping::ALLOCATION_ID))
            .set_ipv6_address(some(&mapping::IPV6_ADDRESS))
            .set_private_ipv4_address(some(&mapping::PRIVATE_IPV4_ADDRESS))
            .build()
    };
    super::ecs::some(want.all(&SUBNET_MAPPING).iter().map(mapping).collect())
}

/// Logs that are switched off are not read back.
fn no_logs(attr: &Attr<Blocks>, live: &Object, want: &Object) -> bool {
    let off =
        |block: Object| block.value("enabled").is_none_or(|v| v.is_null() || v.as_bool() == Some(false));
    !live.has(attr.row.name) && want.block(attr).is_some_and(off)
}

fn ipam_pools(want: &Object) -> Option<sdk::IpamPools> {
    let block = want.block(&IPAM_POOLS)?;
    Some(sdk::IpamPools::builder().ipv4_ipam_pool_id(block.need(&IPV4_IPAM_POOL_ID)).build())
}

async fn set_attributes(
    aws: &Aws,
    arn: &str,
    want: &Object,
    only: Option<&[String]>,
) -> Result<(), AwsError> {
    let mut pairs = elb::keyed_wanted(KEYED, want, only);
    let touched = |name: &str| match only {
        Some(names) => names.iter().any(|n| n == name),
        None => want.has(name),
    };
    for (attr, key) in [(&ACCESS_LOGS, "access_logs"), (&CONNECTION_LOGS, "connection_logs")] {
        if !touched(attr.row.name) {
            continue;
        }
        let block = want.block(attr).unwrap_or_default();
        let enabled = block.get(&logs::ENABLED).unwrap_or(false);
        pairs.push((format!("{key}.s3.enabled"), enabled.to_string()));
        if enabled {
            pairs.push((format!("{key}.s3.bucket"), block.need(&logs::BUCKET)));
            pairs.push((format!("{key}.s3.prefix"), block.get(&logs::PREFIX).unwrap_or_default()));
        }
    }
    // AWS takes at most 20 a call.
    for chunk in pairs.chunks(20) {
        let attributes =
            chunk.iter().map(|(k, v)| LoadBalancerAttribute::builder().key(k).value(v).build()).collect();
        aws.elb
            .modify_load_balancer_attributes()
            .load_balancer_arn(arn)
            .set_attributes(Some(attributes))
            .send()
            .await
            .op("ModifyLoadBalancerAttributes")?;
    }
    Ok(())
}

async fn set_groups(aws: &Aws, arn: &str, want: &Object) -> Result<(), AwsError> {
    aws.elb
        .set_security_groups()
        .load_balancer_arn(arn)
        .set_security_groups(Some(want.all(&SECURITY_GROUPS)))
        .set_enforce_security_group_inbound_rules_on_private_link_traffic(
            want.get(&ENFORCE_INBOUND).filter(|_| network(want)).map(|e| e.as_str().into()),
        )
        .send()
        .await
        .op("SetSecurityGroups")
        .map(drop)
}

async fn set_capacity(aws: &Aws, arn: &str, want: &Object) -> Result<(), AwsError> {
    let call = aws.elb.modify_capacity_reservation().load_balancer_arn(arn);
    let call = match want.block(&MINIMUM_CAPACITY) {
        Some(b) => call.minimum_load_balancer_capacity(
            sdk::MinimumLoadBalancerCapacity::builder()
                .set_capacity_units(small(b.get(&CAPACITY_UNITS)))
                .build(),
        ),
        None => call.reset_capacity_reservation(true),
    };
    call.send().await.op("ModifyCapacityReservation").map(drop)
}

async fn object(aws: &Aws, item: &Existing<'_>, b: &LoadBalancer) -> Result<Object, AwsError> {
    let arn = item.id;
    let mut o = Object::new();
    let zones = b.availability_zones();
    o.set(&ID, arn)
        .set(&ARN, arn)
        .set(&ARN_SUFFIX, arn_suffix(arn))
        .set(&NAME, b.load_balancer_name())
        .set(&NAME_PREFIX, item.known.get(&NAME_PREFIX))
        .set(&INTERNAL, b.scheme() == Some(&sdk::LoadBalancerSchemeEnum::Internal))
        .set(&LOAD_BALANCER_TYPE, b.r#type().map(|t| t.as_str()))
        .set(&SECURITY_GROUPS, b.security_groups())
        .set(&SUBNETS, zones.iter().filter_map(|z| z.subnet_id().map(str::to_owned)).collect::<Vec<_>>())
        .set_blocks(&SUBNET_MAPPING, zones.iter().map(mapping_block).collect())
        .set(&IP_ADDRESS_TYPE, b.ip_address_type().map(|t| t.as_str()))
        .set(&CUSTOMER_OWNED_IPV4_POOL, b.customer_owned_ipv4_pool())
        .set(&ENFORCE_INBOUND, b.enforce_security_group_inbound_rules_on_private_link_traffic())
        .set(&DNS_NAME, b.dns_name())
        .set(&ZONE_ID, b.canonical_hosted_zone_id())
        .set(&VPC_ID, b.vpc_id());
    let pool = b.ipam_pools().and_then(|p| p.ipv4_ipam_pool_id()).map(|id| {
        let mut p = Object::new();
        p.set(&IPV4_IPAM_POOL_ID, id);
        p
    });
    o.set_blocks(&IPAM_POOLS, pool.into_iter().collect());
    // AWS has no list form of these two: they are asked per load balancer, the second if declared.
    let call = aws.elb.describe_load_balancer_attributes().load_balancer_arn(arn).send().await;
    let attributes = call.op("DescribeLoadBalancerAttributes")?.attributes.unwrap_or_default();
    let pairs: Vec<(&str, &str)> =
        attributes.iter().map(|a| (a.key().unwrap_or(""), a.value().unwrap_or(""))).collect();
    elb::keyed_read(KEYED, &TABLE, &mut o, pairs.iter().copied());
    for (attr, key) in [(&ACCESS_LOGS, "access_logs"), (&CONNECTION_LOGS, "connection_logs")] {
        o.set_blocks(attr, logs_block(&pairs, key).into_iter().collect());
    }
    if item.known.has("minimum_load_balancer_capacity") {
        let call = aws.elb.describe_capacity_reservation().load_balancer_arn(arn).send().await;
        let units = call.op("DescribeCapacityReservation")?;
        let units = units.minimum_load_balancer_capacity().and_then(|m| m.capacity_units());
        let block = units.map(|u| {
            let mut c = Object::new();
            c.set(&CAPACITY_UNITS, u);
            c
        });
        o.set_blocks(&MINIMUM_CAPACITY, block.into_iter().collect());
    }
    Ok(o)
}

fn mapping_block(z: &sdk::AvailabilityZone) -> Object {
    let address = z.load_balancer_addresses().first();
    let mut o = Object::new();
    o.set(&mapping::SUBNET_ID, z.subnet_id())
        .set(&mapping::OUTPOST_ID, z.outpost_id())
        .set(&mapping::ALLOCATION_ID, address.and_then(|a| a.allocation_id()))
        .set(&mapping::IPV6_ADDRESS, address.and_then(|a| a.ipv6_address()))
        .set(&mapping::PRIVATE_IPV4_ADDRESS, address.and_then(|a| a.private_ipv4_address()));
    o
}

fn logs_block(pairs: &[(&str, &str)], key: &str) -> Option<Object> {
    let value = |part: &str| {
        let wanted = format!("{key}.s3.{part}");
        pairs.iter().find(|(k, _)| *k == wanted).map(|(_, v)| *v).filter(|v| !v.is_empty())
    };
    let enabled = value("enabled") == Some("true");
    let bucket = value("bucket");
    if !enabled && bucket.is_none() {
        return None;
    }
    let mut o = Object::new();
    o.set(&logs::ENABLED, enabled).set(&logs::BUCKET, bucket).set(&logs::PREFIX, value("prefix"));
    Some(o)
}
