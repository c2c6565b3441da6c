# How a host of an ECS cluster is launched.
#
# What one gets: a launch template with the current ECS-optimised Amazon Linux 2023 (from AWS's public
# parameter), metadata by token only (IMDSv2), an encrypted disk, and user data that joins the cluster; the
# role and instance profile that let the ECS agent work; a security group that lets in the load balancers.
#
#   module "launch_template" {
#     source                     = "../../modules/launch_template"
#     name                       = "shop-dev"
#     cluster_name               = "shop-dev"
#     vpc_id                     = module.network.vpc_id
#     ingress_security_group_ids = { alb = module.alb.security_group_id }
#   }
#
# Instance types are the group's matter (modules/asg). A change here makes a new version; the group rolls
# its hosts to it. A new AMI in the public parameter is such a change too: pin ami_id to decide when.

data "aws_partition" "current" {}

data "aws_ssm_parameter" "ami" {
  count = var.ami_id == null ? 1 : 0

  name = join("", [
    "/aws/service/ecs/optimized-ami/amazon-linux-2023",
    var.architecture == "arm64" ? "/arm64" : "",
    "/recommended/image_id",
  ])
}

locals {
  # The id of a public image is no secret: insecure_value keeps it readable in plans.
  ami_id = var.ami_id == null ? one(data.aws_ssm_parameter.ami[*].insecure_value) : var.ami_id

  managed_policies = merge(
    { ecs = "service-role/AmazonEC2ContainerServiceforEC2Role" },
    var.session_manager ? { ssm = "AmazonSSMManagedInstanceCore" } : {},
  )
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "instance" {
  name               = "${var.name}-instance"
  description        = "Hosts of the ECS cluster ${var.cluster_name}"
  assume_role_policy = data.aws_iam_policy_document.assume.json

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "instance" {
  for_each = local.managed_policies

  role       = aws_iam_role.instance.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value}"
}

resource "aws_iam_instance_profile" "instance" {
  name = "${var.name}-instance"
  role = aws_iam_role.instance.name

  tags = var.tags

  # A host that starts before its role may do anything never joins the cluster.
  depends_on = [aws_iam_role_policy_attachment.instance]
}

resource "aws_security_group" "instance" {
  name_prefix = "${var.name}-instance-"
  description = "Hosts of the ECS cluster ${var.cluster_name}"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-instance" })

  lifecycle {
    create_before_destroy = true
  }
}

# Tasks in bridge mode get a host port out of this range (ip_local_port_range of the ECS-optimised image).
resource "aws_vpc_security_group_ingress_rule" "dynamic_ports" {
  for_each = var.ingress_security_group_ids

  security_group_id            = aws_security_group.instance.id
  description                  = "Dynamic host ports from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 32768
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.instance.id
  description       = "Images, the ECS control plane, and what tasks call"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_launch_template" "this" {
  name                   = var.name
  description            = "Hosts of the ECS cluster ${var.cluster_name}"
  image_id               = local.ami_id
  vpc_security_group_ids = [aws_security_group.instance.id]
  update_default_version = true

  user_data = base64encode(templatefile("${path.module}/user_data.sh.tftpl", {
    cluster_name      = var.cluster_name
    instance_labels   = var.instance_attributes
    extra_commands    = var.extra_user_data
    spot_draining     = true
    image_age_minutes = 60
  }))

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance.arn
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"

    # One hop: the host itself, and no container behind its bridge.
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = var.detailed_monitoring
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_volume_gb
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]

    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.name}-ecs" })
    }
  }

  tags = var.tags
}
