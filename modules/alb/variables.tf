variable "name" {
  description = "Name of the load balancer, and prefix of other names."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]$", var.name))
    error_message = "name must be 2 to 32 letters, digits and hyphens, without a hyphen at either end."
  }

  validation {
    condition     = !startswith(var.name, "internal-")
    error_message = "name must not begin with internal-: AWS keeps that for itself."
  }
}

variable "vpc_id" {
  description = "VPC of the load balancer and its targets."
  type        = string
}

variable "vpc_cidr" {
  description = "IPv4 range of that VPC: what the load balancer may connect to."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr))
    error_message = "vpc_cidr must be an IPv4 range."
  }
}

variable "subnet_ids" {
  description = "Subnets of the load balancer in two or more zones: public ones unless it is internal."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must have at least two subnets, in different zones."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  default     = false
}

variable "ingress_cidrs" {
  description = "Who may connect on ports 80 and, with a certificate, 443."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.ingress_cidrs : can(cidrnetmask(cidr))])
    error_message = "ingress_cidrs must be IPv4 ranges."
  }
}

variable "certificate_arn" {
  description = "ACM certificate of the HTTPS listener; null for HTTP only."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[^:]+:(acm|iam):", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate in ACM or IAM."
  }
}

variable "ssl_policy" {
  description = "TLS policy of HTTPS listeners."
  type        = string
  default     = "ELBSecurityPolicy-TLS13-1-2-2021-06"
}

variable "live" {
  description = "The target group that gets the traffic when listeners are made: blue or green."
  type        = string
  default     = "blue"

  validation {
    condition     = contains(["blue", "green"], var.live)
    error_message = "live must be blue or green."
  }
}

variable "test_listener_port" {
  description = "Port of a listener that serves the group that is not live; null for none."
  type        = number
  default     = null

  validation {
    condition = (
      var.test_listener_port == null
      || try(var.test_listener_port >= 1 && var.test_listener_port <= 65535 && !contains([80, 443], var.test_listener_port), false)
    )
    error_message = "test_listener_port must be a port other than 80 and 443."
  }
}

variable "test_ingress_cidrs" {
  description = "Who may connect to the test listener."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.test_ingress_cidrs : can(cidrnetmask(cidr))])
    error_message = "test_ingress_cidrs must be IPv4 ranges."
  }
}

variable "green_path_pattern" {
  description = "Path on the live listener that leads to the group that is not live, such as /green*; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.green_path_pattern == null || can(regex("^/.{0,127}$", var.green_path_pattern))
    error_message = "green_path_pattern must be a path pattern that begins with a slash, of at most 128 characters."
  }
}

variable "green_path_priority" {
  description = "Priority of that rule among the listener's rules."
  type        = number
  default     = 10

  validation {
    condition     = var.green_path_priority >= 1 && var.green_path_priority <= 50000
    error_message = "green_path_priority must be 1 to 50000."
  }
}

variable "target_type" {
  description = "instance for tasks in bridge mode (EC2), ip for tasks with their own address (Fargate)."
  type        = string
  default     = "instance"

  validation {
    condition     = contains(["instance", "ip"], var.target_type)
    error_message = "target_type must be instance or ip."
  }
}

variable "target_port" {
  description = "Port of targets that are registered without one: ECS registers its tasks with theirs."
  type        = number
  default     = 80

  validation {
    condition     = var.target_port >= 1 && var.target_port <= 65535
    error_message = "target_port must be 1 to 65535."
  }
}

variable "target_port_range" {
  description = "Ports of targets that the load balancer may connect to. Dynamic host ports need the default."
  type = object({
    from = number
    to   = number
  })
  default = {
    from = 1024
    to   = 65535
  }

  validation {
    condition     = var.target_port_range.from >= 1 && var.target_port_range.to <= 65535
    error_message = "target_port_range must lie within 1 to 65535."
  }

  validation {
    condition     = var.target_port_range.from <= var.target_port_range.to
    error_message = "target_port_range must not end before it begins."
  }
}

variable "health_check" {
  description = "How targets are found healthy: an HTTP request to the traffic port."
  type = object({
    path                = optional(string, "/")
    matcher             = optional(string, "200-299")
    interval_seconds    = optional(number, 15)
    timeout_seconds     = optional(number, 5)
    healthy_threshold   = optional(number, 2)
    unhealthy_threshold = optional(number, 3)
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.health_check.path, "/")
    error_message = "health_check.path must begin with a slash."
  }

  validation {
    condition     = var.health_check.timeout_seconds < var.health_check.interval_seconds
    error_message = "health_check.timeout_seconds must be less than interval_seconds."
  }

  validation {
    condition = alltrue([
      for n in [var.health_check.healthy_threshold, var.health_check.unhealthy_threshold] : n >= 2 && n <= 10
    ])
    error_message = "health_check thresholds must be 2 to 10."
  }
}

variable "deregistration_delay_seconds" {
  description = "How long requests in flight may still finish on a target that leaves."
  type        = number
  default     = 30

  validation {
    condition     = var.deregistration_delay_seconds >= 0 && var.deregistration_delay_seconds <= 3600
    error_message = "deregistration_delay_seconds must be 0 to 3600."
  }
}

variable "slow_start_seconds" {
  description = "Over how long a new target's share grows to the full; 0 for at once."
  type        = number
  default     = 0

  validation {
    condition     = var.slow_start_seconds == 0 || (var.slow_start_seconds >= 30 && var.slow_start_seconds <= 900)
    error_message = "slow_start_seconds must be 0 or 30 to 900."
  }
}

variable "idle_timeout_seconds" {
  description = "After how long an idle connection is closed. Keep the application's own timeout longer."
  type        = number
  default     = 60

  validation {
    condition     = var.idle_timeout_seconds >= 1 && var.idle_timeout_seconds <= 4000
    error_message = "idle_timeout_seconds must be 1 to 4000."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the load balancer."
  type        = bool
  default     = false
}

variable "access_logs_bucket" {
  description = "S3 bucket for access logs; null for none."
  type        = string
  default     = null
}

variable "alarm_errors_per_minute" {
  description = "How many 5xx answers of targets in a minute are still no reason for an alarm."
  type        = number
  default     = 10

  validation {
    condition     = var.alarm_errors_per_minute >= 0
    error_message = "alarm_errors_per_minute must not be negative."
  }
}

variable "alarm_actions" {
  description = "ARNs that are told when an alarm goes off and when it is over, such as an SNS topic."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions must be ARNs."
  }
}

variable "tags" {
  description = "Tags of every resource, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
