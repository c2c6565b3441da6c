# The group of hosts behind an ECS capacity provider.
#
# What one gets: an Auto Scaling group over several instance types, with on-demand hosts as a base and spot
# hosts above it, taken from the pools that are least likely to be interrupted; an instance refresh that adds
# new hosts before it ends old ones whenever the launch template or the instance types change.
#
#   module "asg" {
#     source                  = "../../modules/asg"
#     name                    = "shop-dev"
#     subnet_ids              = module.network.private_subnet_ids
#     launch_template_id      = module.launch_template.id
#     launch_template_version = module.launch_template.latest_version
#     instance_types          = ["m7i.large", "m6i.large", "m6a.large"]
#     min_size                = 2
#     max_size                = 10
#     on_demand_base          = 2
#   }
#
# How many hosts there are is the capacity provider's decision: desired_capacity counts at creation only.

resource "aws_autoscaling_group" "this" {
  name                = var.name
  vpc_zone_identifier = var.subnet_ids
  min_size            = var.min_size
  max_size            = var.max_size
  desired_capacity    = coalesce(var.desired_capacity, var.min_size)

  # EC2's checks see a broken host; a broken task is for ECS and the load balancer to see.
  health_check_type         = "EC2"
  health_check_grace_period = 60
  default_instance_warmup   = var.instance_warmup_seconds
  capacity_rebalance        = true
  protect_from_scale_in     = var.protect_from_scale_in
  force_delete              = var.force_delete
  max_instance_lifetime     = var.max_instance_lifetime_days * 86400
  termination_policies      = ["OldestLaunchTemplate", "Default"]

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = var.on_demand_base
      on_demand_percentage_above_base_capacity = var.on_demand_percentage_above_base
      spot_allocation_strategy                 = var.spot_allocation_strategy
    }

    launch_template {
      launch_template_specification {
        launch_template_id = var.launch_template_id
        version            = tostring(var.launch_template_version)
      }

      dynamic "override" {
        for_each = var.instance_types

        content {
          instance_type = override.value
        }
      }
    }
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage       = var.refresh.min_healthy_percentage
      max_healthy_percentage       = var.refresh.max_healthy_percentage
      instance_warmup              = var.instance_warmup_seconds
      scale_in_protected_instances = "Refresh"
      standby_instances            = "Terminate"
      skip_matching                = true
      auto_rollback                = var.refresh.auto_rollback
    }
  }

  # ECS puts this tag on groups behind a capacity provider: declared, so that nothing takes it off.
  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = "${var.name}-ecs" })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}
