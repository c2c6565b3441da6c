variable "name" {
  description = "Name of the cluster, and prefix of its capacity provider's."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_-]{0,250}$", var.name))
    error_message = "name must be letters, digits, hyphens and underscores, and start with a letter."
  }

  validation {
    condition     = !can(regex("(?i)^(aws|ecs|fargate)", var.name))
    error_message = "name must not begin with aws, ecs or fargate: capacity providers may not."
  }
}

variable "ec2_capacity" {
  description = "The Auto Scaling group to run tasks on, and how ECS scales it; null for none."
  type = object({
    autoscaling_group_arn  = string
    target_percent         = optional(number, 80)
    max_step               = optional(number, 10)
    warmup_seconds         = optional(number, 120)
    termination_protection = optional(bool, false)
  })
  default = null

  validation {
    condition     = try(var.ec2_capacity.target_percent >= 1 && var.ec2_capacity.target_percent <= 100, var.ec2_capacity == null)
    error_message = "ec2_capacity.target_percent must be 1 to 100."
  }

  validation {
    condition     = try(var.ec2_capacity.max_step >= 1 && var.ec2_capacity.max_step <= 10000, var.ec2_capacity == null)
    error_message = "ec2_capacity.max_step must be 1 to 10000."
  }
}

variable "fargate" {
  description = "Whether services may use FARGATE and FARGATE_SPOT."
  type        = bool
  default     = true

  validation {
    condition     = var.fargate || var.ec2_capacity != null
    error_message = "Without fargate and without ec2_capacity nothing could run."
  }
}

variable "container_insights" {
  description = "Container Insights: disabled, enabled or enhanced, at a price for each metric."
  type        = string
  default     = "disabled"

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}

variable "exec_log_retention_days" {
  description = "How long the logs of ECS Exec sessions are kept."
  type        = number
  default     = 90

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.exec_log_retention_days,
    )
    error_message = "exec_log_retention_days must be one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 365…"
  }
}

variable "log_kms_key_arn" {
  description = "Key that encrypts those logs; null for CloudWatch's own encryption."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "tags" {
  description = "Tags of every resource, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
