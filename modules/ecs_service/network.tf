# The security group of tasks that have an address of their own (Fargate).

resource "aws_security_group" "this" {
  count = local.fargate ? 1 : 0

  name_prefix = "${var.name}-"
  description = "Tasks of ${var.name}"
  vpc_id      = var.network.vpc_id

  tags = merge(var.tags, { Name = var.name })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "container_port" {
  for_each = local.fargate && var.container_port != null ? var.network.ingress_security_group_ids : {}

  security_group_id            = aws_security_group.this[0].id
  description                  = "Container port from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.container_port
  to_port                      = var.container_port
}

resource "aws_vpc_security_group_egress_rule" "all" {
  count = local.fargate ? 1 : 0

  security_group_id = aws_security_group.this[0].id
  description       = "Images, logs, secrets, and what the tasks call"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
