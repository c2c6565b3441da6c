# An application load balancer with two target groups, for one service.
#
# What one gets: the load balancer and its security group; a blue and a green target group; an HTTP listener
# that serves the live group or, when there is a certificate, redirects to the HTTPS listener that does;
# on request a test listener and a path rule (such as /green*) that lead to the group that is not live, so
# that a new version can be tried before it gets traffic; alarms on errors and on unhealthy targets.
#
#   module "alb" {
#     source             = "../../modules/alb"
#     name               = "shop-dev"
#     vpc_id             = module.network.vpc_id
#     vpc_cidr           = module.network.vpc_cidr
#     subnet_ids         = module.network.public_subnet_ids
#     test_listener_port = 8080
#     green_path_pattern = "/green*"
#     health_check       = { path = "/healthz" }
#   }
#
# Weights: `live` says which group is served when a listener is made. Who moves traffic later (a rollout of
# Cutover, a blue/green deployment of ECS) owns the weights from then on.

locals {
  https = var.certificate_arn != null
  idle  = var.live == "blue" ? "green" : "blue"

  # The whole traffic to one group; both stand on every listener, because only groups that already do can
  # be shifted to.
  weights = {
    for color in ["blue", "green"] : color => {
      live = color == var.live ? 100 : 0
      idle = color == var.live ? 0 : 100
    }
  }

  # Ports that are open to clients, and to whom.
  open = merge(
    { for cidr in var.ingress_cidrs : "http-${cidr}" => { port = 80, cidr = cidr } },
    { for cidr in var.ingress_cidrs : "https-${cidr}" => { port = 443, cidr = cidr } if local.https },
    {
      for cidr in var.test_ingress_cidrs : "test-${cidr}" => { port = var.test_listener_port, cidr = cidr }
      if var.test_listener_port != null
    },
  )
}

resource "aws_security_group" "this" {
  # A prefix, and the new one first: a group that network interfaces still use cannot be deleted.
  name_prefix = "${var.name}-alb-"
  description = "Load balancer ${var.name}"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-alb" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  for_each = local.open

  security_group_id = aws_security_group.this.id
  description       = "Clients ${each.key}"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "targets" {
  security_group_id = aws_security_group.this.id
  description       = "Targets in the VPC"
  cidr_ipv4         = var.vpc_cidr
  ip_protocol       = "tcp"
  from_port         = var.target_port_range.from
  to_port           = var.target_port_range.to
}

resource "aws_lb" "this" {
  name               = var.name
  load_balancer_type = "application"
  internal           = var.internal
  subnets            = var.subnet_ids
  security_groups    = [aws_security_group.this.id]
  idle_timeout       = var.idle_timeout_seconds

  enable_deletion_protection = var.deletion_protection
  drop_invalid_header_fields = true

  dynamic "access_logs" {
    for_each = var.access_logs_bucket == null ? [] : [var.access_logs_bucket]

    content {
      enabled = true
      bucket  = access_logs.value
      prefix  = var.name
    }
  }

  tags = var.tags
}

resource "aws_lb_target_group" "this" {
  for_each = toset(["blue", "green"])

  # AWS allows six characters of prefix; the tag has the full name.
  name_prefix          = "${each.key}-"
  vpc_id               = var.vpc_id
  target_type          = var.target_type
  protocol             = "HTTP"
  port                 = var.target_port
  deregistration_delay = var.deregistration_delay_seconds
  slow_start           = var.slow_start_seconds

  health_check {
    protocol            = "HTTP"
    port                = "traffic-port"
    path                = var.health_check.path
    matcher             = var.health_check.matcher
    interval            = var.health_check.interval_seconds
    timeout             = var.health_check.timeout_seconds
    healthy_threshold   = var.health_check.healthy_threshold
    unhealthy_threshold = var.health_check.unhealthy_threshold
  }

  tags = merge(var.tags, { Name = "${var.name}-${each.key}", Color = each.key })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = local.https ? "redirect" : "forward"

    dynamic "redirect" {
      for_each = local.https ? [443] : []

      content {
        protocol    = "HTTPS"
        port        = tostring(redirect.value)
        status_code = "HTTP_301"
      }
    }

    dynamic "forward" {
      for_each = local.https ? [] : [local.weights]

      content {
        dynamic "target_group" {
          for_each = forward.value

          content {
            arn    = aws_lb_target_group.this[target_group.key].arn
            weight = target_group.value.live
          }
        }
      }
    }
  }

  tags = var.tags
}

resource "aws_lb_listener" "https" {
  count = local.https ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = var.ssl_policy
  certificate_arn   = var.certificate_arn

  default_action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = local.weights

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value.live
        }
      }
    }
  }

  tags = var.tags
}

resource "aws_lb_listener" "test" {
  count = var.test_listener_port == null ? 0 : 1

  load_balancer_arn = aws_lb.this.arn
  port              = var.test_listener_port
  protocol          = local.https ? "HTTPS" : "HTTP"
  ssl_policy        = local.https ? var.ssl_policy : null
  certificate_arn   = var.certificate_arn

  default_action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = local.weights

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value.idle
        }
      }
    }
  }

  tags = var.tags
}

# The same host, another path: for tries from where the test port is closed.
resource "aws_lb_listener_rule" "green_path" {
  count = var.green_path_pattern == null ? 0 : 1

  listener_arn = local.https ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
  priority     = var.green_path_priority

  condition {
    path_pattern {
      values = [var.green_path_pattern]
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[local.idle].arn
  }

  tags = merge(var.tags, { Name = "${var.name}-green-path" })
}

resource "aws_cloudwatch_metric_alarm" "target_errors" {
  for_each = aws_lb_target_group.this

  alarm_name          = "${var.name}-${each.key}-5xx"
  alarm_description   = "Targets of ${var.name} ${each.key} answered with errors more often than allowed."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_errors_per_minute
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = each.value.arn_suffix
  }

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "unhealthy_targets" {
  for_each = aws_lb_target_group.this

  alarm_name          = "${var.name}-${each.key}-unhealthy"
  alarm_description   = "A target of ${var.name} ${each.key} has failed its health checks for a while."
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  dimensions = {
    LoadBalancer = aws_lb.this.arn_suffix
    TargetGroup  = each.value.arn_suffix
  }

  tags = var.tags
}
