# A service on ECS: a task definition, its roles, its logs, and how it is deployed and scaled.
#
# What one gets: tasks on an EC2 capacity provider or on Fargate, by one variable; rolling deployments that
# never go below the wanted count, with a circuit breaker that goes back by itself; spread over zones; target
# tracking on CPU and memory; an execution role that may pull this image, write these logs and read these
# secrets, and nothing else; secrets by ARN only, so that their values never come near a plan.
#
#   module "web" {
#     source            = "../../modules/ecs_service"
#     name              = "shop-dev-web"
#     cluster_name      = module.cluster.name
#     capacity_provider = module.cluster.ec2_capacity_provider   # or "FARGATE"
#     image             = "${module.ecr.repository_url}:1.4.2"
#     repository_arns   = [module.ecr.repository_arn]
#     container_port    = 8080
#     secrets           = { DATABASE_URL = aws_ssm_parameter.database_url.arn }
#     load_balancer     = { target_group_arn = module.alb.live_target_group_arn }
#   }
#
# With "FARGATE" or "FARGATE_SPOT" a task has its own address: give network, and a load balancer whose target
# groups have target_type = "ip". On EC2 tasks share their host's address behind a dynamic port.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  fargate = startswith(var.capacity_provider, "FARGATE")

  log_group_name = "/ecs/${var.name}"
  arn_prefix     = "arn:${data.aws_partition.current.partition}"
  account        = data.aws_caller_identity.current.account_id
  region         = data.aws_region.current.name

  # Without the part of a Secrets Manager reference that picks a JSON key or a version: it is not the secret's.
  secret_arns = [
    for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, min(7, length(split(":", arn)))))
  ]

  container = merge(
    {
      name        = var.container_name
      image       = var.image
      essential   = true
      stopTimeout = var.stop_timeout_seconds

      environment = [for name in sort(keys(var.environment)) : { name = name, value = var.environment[name] }]
      secrets     = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]

      portMappings = var.container_port == null ? [] : [
        {
          containerPort = var.container_port
          # 0: the host chooses. A task with its own address has no choice to make.
          hostPort = local.fargate ? var.container_port : 0
          protocol = "tcp"
        },
      ]

      readonlyRootFilesystem = var.readonly_root_filesystem

      linuxParameters = {
        initProcessEnabled = true
      }

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = local.region
          awslogs-stream-prefix = var.container_name
        }
      }
    },
    var.command == null ? {} : { command = var.command },
    var.health_check_command == null ? {} : {
      healthCheck = {
        command     = ["CMD-SHELL", var.health_check_command]
        interval    = 10
        timeout     = 5
        retries     = 3
        startPeriod = var.health_check_grace_seconds
      }
    },
  )
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group_name
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn

  tags = var.tags
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = [local.fargate ? "FARGATE" : "EC2"]
  network_mode             = local.fargate ? "awsvpc" : "bridge"
  cpu                      = tostring(var.cpu)
  memory                   = tostring(var.memory)
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }

  tags = var.tags
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_name
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.desired_count

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"
  health_check_grace_period_seconds  = var.load_balancer == null ? null : var.health_check_grace_seconds
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  enable_execute_command             = var.execute_command != null
  wait_for_steady_state              = var.wait_for_steady_state

  capacity_provider_strategy {
    capacity_provider = var.capacity_provider
    weight            = 1
    base              = 0
  }

  deployment_controller {
    type = "ECS"
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "alarms" {
    for_each = length(var.rollback_alarm_names) > 0 ? [var.rollback_alarm_names] : []

    content {
      enable      = true
      rollback    = true
      alarm_names = alarms.value
    }
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer == null ? [] : [var.load_balancer]

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = var.container_name
      container_port   = var.container_port
    }
  }

  dynamic "network_configuration" {
    for_each = local.fargate ? [var.network] : []

    content {
      subnets          = network_configuration.value.subnet_ids
      security_groups  = concat(aws_security_group.this[*].id, network_configuration.value.security_group_ids)
      assign_public_ip = false
    }
  }

  # Over zones first, then over hosts: one host's end takes as few tasks as can be. Fargate does so itself.
  dynamic "ordered_placement_strategy" {
    for_each = local.fargate ? [] : ["attribute:ecs.availability-zone", "instanceId"]

    content {
      type  = "spread"
      field = ordered_placement_strategy.value
    }
  }

  tags = var.tags

  lifecycle {
    # The count is the scaling target's, see below.
    ignore_changes = [desired_count]
  }

  # Tasks start with these permissions and, when the service goes, stop with them.
  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.task]
}
