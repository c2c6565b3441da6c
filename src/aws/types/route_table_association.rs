//! `aws_route_table_association`: which route table a subnet or gateway uses.

use super::ec2;
use super::timeouts::{self, TIMEOUTS};
use crate::aws::{Aws, AwsError, AwsType, Existing, Job, Op, Poll, absent, wait};
use crate::schema::{ID, Object, TypeSchema, attributes};
use async_trait::async_trait;
use aws_sdk_ec2::types::{
    Filter, RouteTable, RouteTableAssociation as Live, RouteTableAssociationStateCode as State,
};

attributes! {
    TABLE [TIMEOUTS]:
    GATEWAY_ID: Str = optional("gateway_id").replaces();
    ROUTE_TABLE_ID: Str = required("route_table_id");
    SUBNET_ID: Str = optional("subnet_id").replaces();
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "Which route table a subnet or gateway uses",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table_association" "a" {
  subnet_id      = aws_subnet.a.id
  route_table_id = aws_route_table.main.id
}
"#,
    validate: |want| ec2::exactly_one(want, &["subnet_id", "gateway_id"]),
    ..TypeSchema::new("aws_route_table_association", &TABLE)
};

pub struct RouteTableAssociation;

#[async_trait(?Send)]
impl AwsType for RouteTableAssociation {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let mut found = associations(
            &ec2::by_id(items, async |ids| {
                describe(aws, ec2::filter("association.route-table-association-id", ids)).await
            })
            .await?,
        );
        // Another table for the same subnet gives the association a new id (ReplaceRouteTableAssociation):
        // what is not found by its id is looked for by its subnet or gateway.
        for (attr, name) in [(&SUBNET_ID, "association.subnet-id"), (&GATEWAY_ID, "association.gateway-id")] {
            let missing = items.iter().filter(|i| !found.iter().any(|f| is(f, i.id)));
            let keys: Vec<String> = missing.filter_map(|i| i.known.get(attr)).collect();
            let tables =
                ec2::in_chunks(keys, async |keys| describe(aws, ec2::filter(name, keys)).await).await?;
            found.extend(associations(&tables));
        }
        let find = |item: &Existing<'_>| {
            found
                .iter()
                .find(|f| is(f, item.id))
                .or_else(|| found.iter().find(|f| same_target(f, item.known)))
        };
        Ok(items.iter().map(|item| find(item).map(object)).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let deadline = timeouts::limit(job.want, &timeouts::CREATE, 5);
        let fresh =
            &["InvalidRouteTableID.NotFound", "InvalidSubnetID.NotFound", "InvalidGatewayID.NotFound"];
        let made = ec2::retry(aws, "AssociateRouteTable", fresh, deadline, job.progress, async || {
            aws.ec2
                .associate_route_table()
                .route_table_id(want.need(&ROUTE_TABLE_ID))
                .set_subnet_id(want.get(&SUBNET_ID))
                .set_gateway_id(want.get(&GATEWAY_ID))
                .send()
                .await
                .op("AssociateRouteTable")
        })
        .await?;
        let id = made.association_id().unwrap_or_default().to_owned();
        wait_associated(aws, job, &id, deadline).await?;
        Ok(id)
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if !job.changes(&["route_table_id"]) {
            return Ok(());
        }
        let request = aws
            .ec2
            .replace_route_table_association()
            .association_id(live_id(job))
            .route_table_id(job.want.need(&ROUTE_TABLE_ID));
        let made = request.send().await.op("ReplaceRouteTableAssociation")?;
        let id = made.new_association_id().unwrap_or_default();
        wait_associated(aws, job, id, timeouts::limit(job.want, &timeouts::UPDATE, 2)).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let id = live_id(job);
        let result =
            aws.ec2.disassociate_route_table().association_id(id).send().await.op("DisassociateRouteTable");
        absent(result, &["InvalidAssociationID.NotFound"])?;
        let deadline = timeouts::limit(job.want, &timeouts::DELETE, 5);
        wait(aws, "DisassociateRouteTable", ec2::EVERY, deadline, job.progress, async || {
            let filter = ec2::filter("association.route-table-association-id", [id]);
            let found = associations(&describe(aws, filter).await?);
            Ok(if found.iter().any(|f| is(f, id)) {
                Poll::Pending("still associated".to_owned())
            } else {
                Poll::Ready(())
            })
        })
        .await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let (name, key) = match (job.want.get(&SUBNET_ID), job.want.get(&GATEWAY_ID)) {
            (Some(subnet), _) => ("association.subnet-id", subnet),
            (None, Some(gateway)) => ("association.gateway-id", gateway),
            (None, None) => return Ok(None),
        };
        let table = job.want.need(&ROUTE_TABLE_ID);
        let found = associations(&describe(aws, ec2::filter(name, [key])).await?);
        let ours = |f: &&Live| same_target(f, job.want) && f.route_table_id() == Some(table.as_str());
        Ok(found.iter().find(ours).and_then(Live::route_table_association_id).map(str::to_owned))
    }

    /// As Terraform has it: `subnet-…/rtb-…`; besides, the association's own id.
    fn import(&self, id: &str) -> Object {
        let mut known = Object::new();
        known.set(&ID, id);
        if let Some((target, table)) = id.split_once('/') {
            let attr = if target.starts_with("subnet-") { &SUBNET_ID } else { &GATEWAY_ID };
            known.set(attr, target).set(&ROUTE_TABLE_ID, table);
        }
        known
    }
}

async fn describe(aws: &Aws, filter: Filter) -> Result<Vec<RouteTable>, AwsError> {
    let pages = aws.ec2.describe_route_tables().filters(filter).into_paginator().items().send();
    pages.try_collect().await.op("DescribeRouteTables")
}

/// Those that hold or are about to.
fn associations(tables: &[RouteTable]) -> Vec<Live> {
    let all = tables.iter().flat_map(RouteTable::associations);
    let holds = |a: &&Live| {
        let state = a.association_state().and_then(|s| s.state());
        !matches!(state, Some(State::Disassociated | State::Disassociating | State::Failed))
    };
    all.filter(holds).cloned().collect()
}

fn is(association: &Live, id: &str) -> bool {
    association.route_table_association_id() == Some(id)
}

fn same_target(association: &Live, known: &Object) -> bool {
    let (subnet, gateway) = (known.get(&SUBNET_ID), known.get(&GATEWAY_ID));
    (subnet.is_some() && association.subnet_id() == subnet.as_deref())
        || (gateway.is_some() && association.gateway_id() == gateway.as_deref())
}

fn object(association: &Live) -> Object {
    let mut o = Object::new();
    o.set(&ID, association.route_table_association_id())
        .set(&GATEWAY_ID, ec2::filled(association.gateway_id()))
        .set(&ROUTE_TABLE_ID, association.route_table_id())
        .set(&SUBNET_ID, ec2::filled(association.subnet_id()));
    o
}

/// The id changes with every update: the live one counts.
fn live_id<'a>(job: &'a Job<'_>) -> &'a str {
    if job.live.id().is_empty() { job.id } else { job.live.id() }
}

async fn wait_associated(
    aws: &Aws,
    job: &Job<'_>,
    id: &str,
    deadline: std::time::Duration,
) -> Result<(), AwsError> {
    wait(aws, "AssociateRouteTable", ec2::EVERY, deadline, job.progress, async || {
        let filter = ec2::filter("association.route-table-association-id", [id]);
        let tables = describe(aws, filter).await?;
        let found = tables.iter().flat_map(RouteTable::associations).find(|a| is(a, id));
        let state = found.and_then(|a| a.association_state());
        match (found, state.and_then(|s| s.state())) {
            (None, _) => Ok(Poll::Pending("not visible yet".to_owned())),
            (Some(_), Some(State::Failed)) => {
                let message = state.and_then(|s| s.status_message()).unwrap_or("AWS gave no reason");
                Err(AwsError::failed("AssociateRouteTable", "Failed", format!("{id} failed: {message}")))
            }
            (Some(_), Some(State::Associating)) => Ok(Poll::Pending("associating".to_owned())),
            (Some(_), _) => Ok(Poll::Ready(())),
        }
    })
    .await
}
