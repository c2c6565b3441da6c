# An ECS cluster and where its tasks run.
#
# What one gets: the cluster, with Container Insights if wanted; a capacity provider on an Auto Scaling group,
# scaled by ECS to 80 % use, which drains hosts before they end; Fargate and Fargate Spot beside it; a default
# strategy; a log group for what is typed in ECS Exec sessions.
#
#   module "cluster" {
#     source       = "../../modules/ecs_cluster"
#     name         = "shop-dev"
#     ec2_capacity = { autoscaling_group_arn = module.asg.arn }
#   }
#
# Without ec2_capacity it is a cluster for Fargate only.

locals {
  ec2 = var.ec2_capacity != null

  providers = concat(
    aws_ecs_capacity_provider.ec2[*].name,
    var.fargate ? ["FARGATE", "FARGATE_SPOT"] : [],
  )
}

resource "aws_cloudwatch_log_group" "exec" {
  name              = "/ecs/${var.name}/exec"
  retention_in_days = var.exec_log_retention_days
  kms_key_id        = var.log_kms_key_arn

  tags = var.tags
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }

  configuration {
    execute_command_configuration {
      logging = "OVERRIDE"

      log_configuration {
        cloud_watch_log_group_name     = aws_cloudwatch_log_group.exec.name
        cloud_watch_encryption_enabled = var.log_kms_key_arn != null
      }
    }
  }

  tags = var.tags
}

resource "aws_ecs_capacity_provider" "ec2" {
  count = local.ec2 ? 1 : 0

  name = "${var.name}-ec2"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = var.ec2_capacity.autoscaling_group_arn
    managed_draining               = "ENABLED"
    managed_termination_protection = var.ec2_capacity.termination_protection ? "ENABLED" : "DISABLED"

    managed_scaling {
      status                    = "ENABLED"
      target_capacity           = var.ec2_capacity.target_percent
      minimum_scaling_step_size = 1
      maximum_scaling_step_size = var.ec2_capacity.max_step
      instance_warmup_period    = var.ec2_capacity.warmup_seconds
    }
  }

  tags = var.tags
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = local.providers

  default_capacity_provider_strategy {
    capacity_provider = local.ec2 ? aws_ecs_capacity_provider.ec2[0].name : "FARGATE"
    weight            = 1
    base              = 0
  }
}
