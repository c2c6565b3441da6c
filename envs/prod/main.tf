# Production.
#
# What one gets: a network over three zones, each with a NAT gateway of its own; on-demand hosts as a base and
# spot above it; a load balancer that AWS does not delete, with HTTPS once there is a domain; a service that
# goes back by itself when a deployment fails or its alarms go off; a repository that no plan may delete.
#
#   cutover plan  envs/prod --out plan.cutover
#   cutover apply plan.cutover
#
# The first time, the image must be in the repository before the service can start: push it right after the
# repository is made, or name an image from elsewhere with --var image=….

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }

  # State for more than one person and machine: fill in and uncomment. The bucket must exist, with versioning.
  #
  # backend "s3" {
  #   bucket       = "my-company-state"
  #   key          = "prod/cutover.state"
  #   region       = "us-east-1"
  #   encrypt      = true
  #   kms_key_id   = "alias/state"
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = var.project
      Environment = "prod"
      ManagedBy   = "cutover"
    }
  }
}

locals {
  name  = "${var.project}-prod"
  ec2   = var.capacity == "EC2"
  image = var.image == null ? "${module.ecr.repository_url}:${var.image_tag}" : var.image

  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

data "aws_route53_zone" "this" {
  count = var.zone_name == null ? 0 : 1

  name         = var.zone_name
  private_zone = false
}

data "aws_acm_certificate" "this" {
  count = var.domain_name == null ? 0 : 1

  domain      = var.domain_name
  statuses    = ["ISSUED"]
  most_recent = true
}

module "network" {
  source = "../../modules/network"

  name         = local.name
  cidr         = var.vpc_cidr
  az_count     = var.az_count
  nat_gateways = "per_az"
}

module "ecr" {
  source = "../../modules/ecr"

  name            = "${local.name}/web"
  keep_images     = 100
  prevent_destroy = true
}

module "alb" {
  source = "../../modules/alb"

  name       = local.name
  vpc_id     = module.network.vpc_id
  vpc_cidr   = module.network.vpc_cidr
  subnet_ids = module.network.public_subnet_ids

  certificate_arn = one(data.aws_acm_certificate.this[*].arn)

  target_type  = local.ec2 ? "instance" : "ip"
  health_check = { path = var.health_check_path }

  # Where a new version can be tried before it gets traffic.
  test_listener_port = 8080
  test_ingress_cidrs = [var.vpc_cidr]
  green_path_pattern = "/green*"

  deletion_protection = true
  alarm_actions       = local.alarm_actions
}

module "launch_template" {
  source = "../../modules/launch_template"

  name                       = local.name
  cluster_name               = local.name
  vpc_id                     = module.network.vpc_id
  ingress_security_group_ids = { alb = module.alb.security_group_id }
  detailed_monitoring        = true
}

module "asg" {
  source = "../../modules/asg"

  name                    = local.name
  subnet_ids              = module.network.private_subnet_ids
  launch_template_id      = module.launch_template.id
  launch_template_version = module.launch_template.latest_version
  instance_types          = var.instance_types
  min_size                = var.hosts.min
  max_size                = var.hosts.max
  on_demand_base          = var.hosts.on_demand_base
  protect_from_scale_in   = true
}

module "cluster" {
  source = "../../modules/ecs_cluster"

  name               = local.name
  container_insights = "enhanced"

  ec2_capacity = {
    autoscaling_group_arn  = module.asg.arn
    termination_protection = true
  }
}

module "web" {
  source = "../../modules/ecs_service"

  name              = "${local.name}-web"
  cluster_name      = module.cluster.name
  capacity_provider = local.ec2 ? module.cluster.ec2_capacity_provider : "FARGATE"

  image           = local.image
  repository_arns = var.image == null ? [module.ecr.repository_arn] : []
  container_name  = "web"
  container_port  = var.container_port
  cpu             = var.task.cpu
  memory          = var.task.memory

  environment = {
    APP_ENV = "prod"
    PORT    = tostring(var.container_port)
  }

  secrets             = var.secret_arns
  secret_kms_key_arns = var.secret_kms_key_arns

  load_balancer = { target_group_arn = module.alb.live_target_group_arn }

  # Used on Fargate only, where tasks have addresses of their own.
  network = {
    vpc_id                     = module.network.vpc_id
    subnet_ids                 = module.network.private_subnet_ids
    ingress_security_group_ids = { alb = module.alb.security_group_id }
  }

  desired_count = var.tasks.min
  min_count     = var.tasks.min
  max_count     = var.tasks.max

  rollback_alarm_names = module.alb.alarm_names.errors
  alarm_actions        = local.alarm_actions
  log_retention_days   = 365
}

resource "aws_route53_record" "web" {
  count = var.domain_name == null ? 0 : 1

  zone_id = data.aws_route53_zone.this[0].zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = module.alb.dns_name
    zone_id                = module.alb.zone_id
    evaluate_target_health = true
  }
}
