//! `aws_alb` and its kin: older names of the `aws_lb` types, which many configurations still use.

use super::{lb, lb_listener, lb_listener_rule, lb_target_group};
use crate::aws::{Aws, AwsError, AwsType, Between, Existing, Job, RolloutStep};
use crate::rollout::settings::Settings;
use crate::schema::{Object, TypeSchema};
use async_trait::async_trait;

/// The same type under another name.
pub struct Alias {
    schema: &'static TypeSchema,
    of: &'static dyn AwsType,
}

macro_rules! balancer {
    () => {
        r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
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

resource "aws_alb" "web" {
  name     = "web"
  internal = true
  subnets  = [aws_subnet.a.id, aws_subnet.b.id]
}

resource "aws_alb_target_group" "web" {
  name     = "web"
  port     = 80
  protocol = "HTTP"
  vpc_id   = aws_vpc.main.id
}

resource "aws_alb_listener" "http" {
  load_balancer_arn = aws_alb.web.arn
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_alb_target_group.web.arn
  }
}
"#
    };
}

const RULE: &str = concat!(
    balancer!(),
    r#"
resource "aws_alb_listener_rule" "api" {
  listener_arn = aws_alb_listener.http.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_alb_target_group.web.arn
  }

  condition {
    path_pattern {
      values = ["/api/*"]
    }
  }
}
"#
);

pub static ALB: Alias =
    Alias { schema: &TypeSchema { name: "aws_alb", example: balancer!(), ..lb::SCHEMA }, of: &lb::Lb };

pub static ALB_LISTENER: Alias = Alias {
    schema: &TypeSchema { name: "aws_alb_listener", example: balancer!(), ..lb_listener::SCHEMA },
    of: &lb_listener::LbListener,
};

pub static ALB_LISTENER_RULE: Alias = Alias {
    schema: &TypeSchema { name: "aws_alb_listener_rule", example: RULE, ..lb_listener_rule::SCHEMA },
    of: &lb_listener_rule::LbListenerRule,
};

pub static ALB_TARGET_GROUP: Alias = Alias {
    schema: &TypeSchema { name: "aws_alb_target_group", example: balancer!(), ..lb_target_group::SCHEMA },
    of: &lb_target_group::LbTargetGroup,
};

#[async_trait(?Send)]
impl AwsType for Alias {
    fn schema(&self) -> &'static TypeSchema {
        self.schema
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        self.of.read(aws, items).await
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        self.of.create(aws, job).await
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        self.of.update(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        self.of.delete(aws, job).await
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        self.of.find(aws, job).await
    }

    fn import(&self, id: &str) -> Object {
        self.of.import(id)
    }

    fn tune(&self, want: &mut Object, settings: &Settings) -> Result<(), String> {
        self.of.tune(want, settings)
    }

    fn rollout(
        &self,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        self.of.rollout(live, want, changed, settings)
    }

    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        self.of.between(live, want, changed)
    }

    async fn run_step(
        &self,
        aws: &Aws,
        job: &Job<'_>,
        step: &str,
        carried: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        self.of.run_step(aws, job, step, carried).await
    }
}
