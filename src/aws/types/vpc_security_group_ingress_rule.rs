//! `aws_vpc_security_group_ingress_rule`: one rule for what may come in.

use super::sg_permissions::Direction;
use super::sg_rule;
use crate::aws::{Aws, AwsError, AwsType, Existing, Job};
use crate::schema::{Object, TypeSchema};
use async_trait::async_trait;

static SCHEMA: TypeSchema = TypeSchema {
    doc: "One rule of a security group for what may come in",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_security_group" "web" {
  name   = "web-ingress"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  security_group_id = aws_security_group.web.id
  description       = "HTTPS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = { Name = "https" }
}
"#,
    validate: sg_rule::validate,
    ..TypeSchema::new("aws_vpc_security_group_ingress_rule", &sg_rule::TABLE)
};

pub struct VpcSecurityGroupIngressRule;

#[async_trait(?Send)]
impl AwsType for VpcSecurityGroupIngressRule {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        sg_rule::read(aws, items, Direction::Ingress).await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        sg_rule::create(aws, job, Direction::Ingress).await
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        sg_rule::update(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        sg_rule::delete(aws, job, Direction::Ingress).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        sg_rule::find(aws, job).await
    }
}
