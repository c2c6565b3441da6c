//! `aws_vpc`: a virtual network.

use super::ec2;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, ResourceType, Tenancy, VpcAttributeName, VpcCidrBlockStateCode,
    VpcIpv6CidrBlockAssociation, VpcState, VpcTenancy,
};
use std::collections::BTreeMap;

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    ARN: Str = computed("arn");
    ASSIGN_IPV6: Bool = optional("assign_generated_ipv6_cidr_block")
        .conflicts_with(&["ipv6_cidr_block", "ipv6_ipam_pool_id"]).doc("Ask Amazon for a /56 IPv6 range");
    CIDR_BLOCK: Str = optional_computed("cidr_block").replaces().check(ec2::check::cidr_vpc)
        .conflicts_with(&["ipv4_netmask_length"]).doc("IPv4 range, /16 to /28");
    DEFAULT_NETWORK_ACL_ID: Str = computed("default_network_acl_id");
    DEFAULT_ROUTE_TABLE_ID: Str = computed("default_route_table_id");
    DEFAULT_SECURITY_GROUP_ID: Str = computed("default_security_group_id");
    DHCP_OPTIONS_ID: Str = computed("dhcp_options_id");
    DNS_HOSTNAMES: Bool = optional_computed("enable_dns_hostnames").watched();
    DNS_SUPPORT: Bool = optional("enable_dns_support").default_bool(true);
    USAGE_METRICS: Bool = optional_computed("enable_network_address_usage_metrics");
    // AWS can loosen the tenancy of a VPC, not tighten it.
    INSTANCE_TENANCY: Str = optional("instance_tenancy").default_str("default")
        .one_of(&["default", "dedicated"]).replaces_if(|_, want| want.get(&INSTANCE_TENANCY).as_deref() != Some("default"));
    IPV4_POOL: Str = optional("ipv4_ipam_pool_id").replaces().local();
    IPV4_NETMASK: Int = optional("ipv4_netmask_length").replaces().local().range(16, 28);
    IPV6_ASSOCIATION: Str = computed("ipv6_association_id")
        .unknown_after_change_of(&["assign_generated_ipv6_cidr_block", "ipv6_cidr_block", "ipv6_ipam_pool_id", "ipv6_netmask_length"]);
    IPV6_CIDR: Str = optional_computed("ipv6_cidr_block").check(ec2::check::cidr_v6).same(ec2::same_range)
        .conflicts_with(&["ipv6_netmask_length", "assign_generated_ipv6_cidr_block"])
        .unknown_after_change_of(&["assign_generated_ipv6_cidr_block", "ipv6_ipam_pool_id", "ipv6_netmask_length"]);
    IPV6_BORDER_GROUP: Str = optional_computed("ipv6_cidr_block_network_border_group");
    IPV6_POOL: Str = optional("ipv6_ipam_pool_id").local();
    IPV6_NETMASK: Int = optional("ipv6_netmask_length").local().check(|v| match v.as_i64() {
        Some(44 | 48 | 52 | 56 | 60) => Ok(()),
        _ => Err("must be one of 44, 48, 52, 56, 60".to_owned()),
    });
    MAIN_ROUTE_TABLE_ID: Str = computed("main_route_table_id");
    OWNER_ID: Str = computed("owner_id");
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A virtual network",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "main" }
}
"#,
    validate,
    // Nothing of a VPC is given only once, and all that is in it must leave before it goes.
    create_before_destroy: true,
    ..TypeSchema::new("aws_vpc", &TABLE)
};

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut needs = |name: &'static str, other: &[&str], what: &str| {
        if want.has(name) && !other.iter().any(|o| want.has(o)) {
            problems.push((name, format!("needs {what}")));
        }
    };
    needs("ipv4_netmask_length", &["ipv4_ipam_pool_id"], "`ipv4_ipam_pool_id`");
    needs("ipv6_netmask_length", &["ipv6_ipam_pool_id"], "`ipv6_ipam_pool_id`");
    if !want.has("cidr_block") && !want.has("ipv4_ipam_pool_id") {
        problems.push(("", "one of `cidr_block`, `ipv4_ipam_pool_id` is needed".to_owned()));
    }
    problems
}

pub struct Vpc;

#[async_trait(?Send)]
impl AwsType for Vpc {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        // A filter, not VpcIds: ids that are gone would fail the whole call.
        let found = ec2::by_id(items, async |ids| describe(aws, ec2::filter("vpc-id", ids)).await).await?;
        let ids = || found.iter().filter_map(|v| v.vpc_id()).map(str::to_owned).collect();
        let parts = Parts {
            route_tables: ec2::in_chunks(ids(), async |ids| main_route_tables(aws, ids).await)
                .await?
                .into_iter()
                .collect(),
            groups: ec2::in_chunks(ids(), async |ids| default_groups(aws, ids).await)
                .await?
                .into_iter()
                .collect(),
            acls: ec2::in_chunks(ids(), async |ids| default_acls(aws, ids).await)
                .await?
                .into_iter()
                .collect(),
        };
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            let vpc = found.iter().find(|v| v.vpc_id() == Some(item.id));
            objects.push(match vpc {
                Some(vpc) => Some(object(aws, vpc, &parts).await?),
                None => None,
            });
        }
        Ok(objects)
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let made = aws
            .ec2
            .create_vpc()
            .set_cidr_block(want.get(&CIDR_BLOCK))
            .set_amazon_provided_ipv6_cidr_block(want.get(&ASSIGN_IPV6))
            .set_ipv4_ipam_pool_id(want.get(&IPV4_POOL))
            .set_ipv4_netmask_length(want.get(&IPV4_NETMASK).map(|n| n as i32))
            .set_ipv6_cidr_block(want.get(&IPV6_CIDR))
            .set_ipv6_ipam_pool_id(want.get(&IPV6_POOL))
            .set_ipv6_netmask_length(want.get(&IPV6_NETMASK).map(|n| n as i32))
            .set_ipv6_cidr_block_network_border_group(want.get(&IPV6_BORDER_GROUP))
            .instance_tenancy(Tenancy::from(want.need(&INSTANCE_TENANCY).as_str()))
            .tag_specifications(ec2::tag_specification(ResourceType::Vpc, job))
            .send()
            .await
            .op("CreateVpc")?;
        let id = made.vpc().and_then(|v| v.vpc_id()).unwrap_or_default().to_owned();
        wait_available(aws, &id, job.progress).await?;
        let mut fresh = Object::new();
        fresh.set(&DNS_SUPPORT, true).set(&DNS_HOSTNAMES, false).set(&USAGE_METRICS, false);
        set_switches(aws, &id, &fresh, want).await?;
        if ipv6_wanted(want) {
            wait_ipv6(aws, &id, true, job.progress).await?;
        }
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["instance_tenancy"]) {
            aws.ec2
                .modify_vpc_tenancy()
                .vpc_id(job.id)
                .instance_tenancy(VpcTenancy::Default)
                .send()
                .await
                .op("ModifyVpcTenancy")?;
        }
        set_switches(aws, job.id, job.live, job.want).await?;
        let ipv6 = [
            "assign_generated_ipv6_cidr_block",
            "ipv6_cidr_block",
            "ipv6_cidr_block_network_border_group",
            "ipv6_ipam_pool_id",
            "ipv6_netmask_length",
        ];
        if job.changes(&ipv6) {
            change_ipv6(aws, job).await?;
        }
        ec2::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let users = ec2::filter("vpc-id", [job.id]);
        ec2::delete_when_free(aws, "DeleteVpc", ec2::minutes(5), job.progress, users, async || {
            let result = aws.ec2.delete_vpc().vpc_id(job.id).send().await.op("DeleteVpc");
            absent(result, &["InvalidVpcID.NotFound"]).map(drop)
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let found = describe(aws, ec2::owned_by(job.token)).await?;
        Ok(found.first().and_then(|v| v.vpc_id()).map(str::to_owned))
    }
}

async fn describe(
    aws: &Aws,
    filter: aws_sdk_ec2::types::Filter,
) -> Result<Vec<aws_sdk_ec2::types::Vpc>, AwsError> {
    let pages = aws.ec2.describe_vpcs().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeVpcs")
}

/// What comes with each VPC, by the VPC's id.
struct Parts {
    route_tables: BTreeMap<String, String>,
    groups: BTreeMap<String, String>,
    acls: BTreeMap<String, String>,
}

async fn object(aws: &Aws, vpc: &aws_sdk_ec2::types::Vpc, parts: &Parts) -> Result<Object, AwsError> {
    let id = vpc.vpc_id().unwrap_or_default();
    let owner = vpc.owner_id().unwrap_or_default();
    let mut o = Object::new();
    o.set(&ID, id)
        .set(&CIDR_BLOCK, vpc.cidr_block())
        .set(&INSTANCE_TENANCY, vpc.instance_tenancy().map(|t| t.as_str()))
        .set(&DHCP_OPTIONS_ID, vpc.dhcp_options_id())
        .set(&OWNER_ID, owner)
        .set(&ARN, ec2::arn(aws, owner, &format!("vpc/{id}")))
        // AWS has no list form of these three: they are asked per VPC.
        .set(&DNS_SUPPORT, switch(aws, id, VpcAttributeName::EnableDnsSupport).await?)
        .set(&DNS_HOSTNAMES, switch(aws, id, VpcAttributeName::EnableDnsHostnames).await?)
        .set(&USAGE_METRICS, switch(aws, id, VpcAttributeName::EnableNetworkAddressUsageMetrics).await?)
        .set(&MAIN_ROUTE_TABLE_ID, parts.route_tables.get(id))
        .set(&DEFAULT_ROUTE_TABLE_ID, parts.route_tables.get(id))
        .set(&DEFAULT_SECURITY_GROUP_ID, parts.groups.get(id))
        .set(&DEFAULT_NETWORK_ACL_ID, parts.acls.get(id));
    if let Some(ipv6) = ipv6_range(vpc) {
        o.set(&IPV6_ASSOCIATION, ipv6.association_id())
            .set(&IPV6_CIDR, ipv6.ipv6_cidr_block())
            .set(&IPV6_BORDER_GROUP, ipv6.network_border_group());
    }
    o.set(&ASSIGN_IPV6, ipv6_range(vpc).is_some_and(|a| a.ipv6_pool() == Some("Amazon")));
    tags::read(&mut o, ec2::pairs(vpc.tags()));
    Ok(o)
}

fn ipv6_range(vpc: &aws_sdk_ec2::types::Vpc) -> Option<&VpcIpv6CidrBlockAssociation> {
    vpc.ipv6_cidr_block_association_set().iter().find(|a| {
        a.ipv6_cidr_block_state().and_then(|s| s.state()) == Some(&VpcCidrBlockStateCode::Associated)
    })
}

/// One of the attributes that AWS answers only one at a time.
pub async fn switch(aws: &Aws, id: &str, name: VpcAttributeName) -> Result<bool, AwsError> {
    let request = aws.ec2.describe_vpc_attribute().vpc_id(id).attribute(name);
    let answer = request.send().await.op("DescribeVpcAttribute")?;
    let value = answer
        .enable_dns_support()
        .or(answer.enable_dns_hostnames())
        .or(answer.enable_network_address_usage_metrics());
    Ok(value.and_then(|v| v.value()).unwrap_or(false))
}

type ByVpc = Vec<(String, String)>;

fn by_vpc(vpc: Option<&str>, id: Option<&str>) -> (String, String) {
    (vpc.unwrap_or_default().to_owned(), id.unwrap_or_default().to_owned())
}

async fn main_route_tables(aws: &Aws, vpcs: Vec<String>) -> Result<ByVpc, AwsError> {
    let request = aws
        .ec2
        .describe_route_tables()
        .filters(ec2::filter("vpc-id", vpcs))
        .filters(ec2::filter("association.main", ["true"]));
    let tables: Vec<_> =
        request.into_paginator().items().send().try_collect().await.op("DescribeRouteTables")?;
    Ok(tables.iter().map(|t| by_vpc(t.vpc_id(), t.route_table_id())).collect())
}

async fn default_groups(aws: &Aws, vpcs: Vec<String>) -> Result<ByVpc, AwsError> {
    let request = aws
        .ec2
        .describe_security_groups()
        .filters(ec2::filter("vpc-id", vpcs))
        .filters(ec2::filter("group-name", ["default"]));
    let groups: Vec<_> =
        request.into_paginator().items().send().try_collect().await.op("DescribeSecurityGroups")?;
    Ok(groups.iter().map(|g| by_vpc(g.vpc_id(), g.group_id())).collect())
}

async fn default_acls(aws: &Aws, vpcs: Vec<String>) -> Result<ByVpc, AwsError> {
    let request = aws
        .ec2
        .describe_network_acls()
        .filters(ec2::filter("vpc-id", vpcs))
        .filters(ec2::filter("default", ["true"]));
    let acls: Vec<_> =
        request.into_paginator().items().send().try_collect().await.op("DescribeNetworkAcls")?;
    Ok(acls.iter().map(|a| by_vpc(a.vpc_id(), a.network_acl_id())).collect())
}

async fn wait_available(aws: &Aws, id: &str, progress: &dyn Fn(&str)) -> Result<(), AwsError> {
    wait(aws, "CreateVpc", ec2::EVERY, ec2::minutes(5), progress, async || {
        let found = describe(aws, ec2::filter("vpc-id", [id])).await?;
        Ok(match found.first().and_then(|v| v.state()) {
            Some(VpcState::Available) => Poll::Ready(()),
            other => Poll::Pending(other.map_or("not visible yet".into(), |s| s.to_string())),
        })
    })
    .await
}

/// AWS takes one attribute a call.
async fn set_switches(aws: &Aws, id: &str, live: &Object, want: &Object) -> Result<(), AwsError> {
    let value = |b: bool| AttributeBooleanValue::builder().value(b).build();
    let request = || aws.ec2.modify_vpc_attribute().vpc_id(id);
    let mut requests = Vec::new();
    if let Some(on) = want.get(&DNS_SUPPORT).filter(|on| live.get(&DNS_SUPPORT) != Some(*on)) {
        requests.push(request().enable_dns_support(value(on)));
    }
    if let Some(on) = want.get(&DNS_HOSTNAMES).filter(|on| live.get(&DNS_HOSTNAMES) != Some(*on)) {
        requests.push(request().enable_dns_hostnames(value(on)));
    }
    if let Some(on) = want.get(&USAGE_METRICS).filter(|on| live.get(&USAGE_METRICS) != Some(*on)) {
        requests.push(request().enable_network_address_usage_metrics(value(on)));
    }
    for request in requests {
        request.send().await.op("ModifyVpcAttribute")?;
    }
    Ok(())
}

fn ipv6_wanted(want: &Object) -> bool {
    want.get(&ASSIGN_IPV6) == Some(true) || want.has("ipv6_ipam_pool_id")
}

/// A VPC's IPv6 range cannot be changed, only given back and asked for again.
async fn change_ipv6(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let want = job.want;
    if let Some(association) = job.live.get(&IPV6_ASSOCIATION) {
        let request = aws.ec2.disassociate_vpc_cidr_block().association_id(association);
        absent(
            request.send().await.op("DisassociateVpcCidrBlock"),
            &["InvalidVpcCidrBlockAssociationID.NotFound"],
        )?;
        wait_ipv6(aws, job.id, false, job.progress).await?;
    }
    if !ipv6_wanted(want) {
        return Ok(());
    }
    let amazon = want.get(&ASSIGN_IPV6).filter(|on| *on);
    // With Amazon's own ranges the live one in `want` is the old one, not one to ask for.
    let range = want.get(&IPV6_CIDR).filter(|_| amazon.is_none() && !want.has("ipv6_netmask_length"));
    aws.ec2
        .associate_vpc_cidr_block()
        .vpc_id(job.id)
        .set_amazon_provided_ipv6_cidr_block(amazon)
        .set_ipv6_cidr_block(range)
        .set_ipv6_ipam_pool_id(want.get(&IPV6_POOL))
        .set_ipv6_netmask_length(want.get(&IPV6_NETMASK).map(|n| n as i32))
        .set_ipv6_cidr_block_network_border_group(want.get(&IPV6_BORDER_GROUP))
        .send()
        .await
        .op("AssociateVpcCidrBlock")?;
    wait_ipv6(aws, job.id, true, job.progress).await
}

async fn wait_ipv6(aws: &Aws, id: &str, there: bool, progress: &dyn Fn(&str)) -> Result<(), AwsError> {
    wait(aws, "AssociateVpcCidrBlock", ec2::EVERY, ec2::minutes(10), progress, async || {
        let found = describe(aws, ec2::filter("vpc-id", [id])).await?;
        Ok(if found.first().and_then(ipv6_range).is_some() == there {
            Poll::Ready(())
        } else {
            let text = if there { "without its IPv6 range" } else { "with its old IPv6 range" };
            Poll::Pending(text.to_owned())
        })
    })
    .await
}
