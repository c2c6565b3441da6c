# Development: the whole environment, on the embedded AWS unless told otherwise (see cutover.hcl).
#
# What one gets: a network over three zones with one NAT gateway; hosts, mostly spot, that scale with the
# tasks; a load balancer with a test listener; one service. All of it is thrown away by a destroy.
#
#   cutover apply envs/dev
#   cutover plan  envs/dev --var image_tag=1.1.0

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Project     = var.project
      Environment = "dev"
      ManagedBy   = "cutover"
    }
  }
}

locals {
  name  = "${var.project}-dev"
  ec2   = var.capacity == "EC2"
  image = var.image == null ? "${module.ecr.repository_url}:${var.image_tag}" : var.image
}

module "network" {
  source = "../../modules/network"

  name         = local.name
  cidr         = var.vpc_cidr
  az_count     = var.az_count
  nat_gateways = "single"
}

module "ecr" {
  source = "../../modules/ecr"

  name         = "${local.name}/web"
  keep_images  = 20
  force_delete = true
}

module "alb" {
  source = "../../modules/alb"

  name       = local.name
  vpc_id     = module.network.vpc_id
  vpc_cidr   = module.network.vpc_cidr
  subnet_ids = module.network.public_subnet_ids

  target_type  = local.ec2 ? "instance" : "ip"
  health_check = { path = var.health_check_path }

  # Where a new version can be tried before it gets traffic.
  test_listener_port = 8080
  test_ingress_cidrs = [var.vpc_cidr]
  green_path_pattern = "/green*"
}

module "launch_template" {
  source = "../../modules/launch_template"

  name                       = local.name
  cluster_name               = local.name
  vpc_id                     = module.network.vpc_id
  ingress_security_group_ids = { alb = module.alb.security_group_id }
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
  force_delete            = true
}

module "cluster" {
  source = "../../modules/ecs_cluster"

  name = local.name

  ec2_capacity = {
    autoscaling_group_arn = module.asg.arn
  }
}

# Made here so that there is a secret to read. Its value is set by hand, and stays as it was set.
resource "aws_ssm_parameter" "session_key" {
  name        = "/${local.name}/session-key"
  description = "Signs the sessions of ${local.name}"
  type        = "SecureString"
  value       = "set me with aws ssm put-parameter --overwrite"

  lifecycle {
    ignore_changes = [value]
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
    APP_ENV = "dev"
    PORT    = tostring(var.container_port)
  }

  secrets = {
    SESSION_KEY = aws_ssm_parameter.session_key.arn
  }

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

  # A shell in a running container, for looking around. Its agent must be able to write there.
  execute_command          = { log_group_arn = module.cluster.exec_log_group_arn }
  readonly_root_filesystem = false
  log_retention_days       = 7
}
