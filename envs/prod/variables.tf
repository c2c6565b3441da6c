variable "region" {
  description = "AWS region of the environment."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like us-east-1."
  }
}

variable "project" {
  description = "First part of every name; the environment's own is the second."
  type        = string
  default     = "shop"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,15}$", var.project)) && !can(regex("^(aws|ecs|fargate)", var.project))
    error_message = "project must be 2 to 16 lower-case letters and digits, and not begin with aws, ecs or fargate."
  }
}

variable "vpc_cidr" {
  description = "IPv4 range of the VPC, /16 to /22. A change replaces the network and all that is in it."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr))
    error_message = "vpc_cidr must be an IPv4 range such as 10.20.0.0/16."
  }
}

variable "az_count" {
  description = "How many availability zones to spread over."
  type        = number
  default     = 3

  validation {
    condition     = var.az_count >= 2 && var.az_count <= 6
    error_message = "az_count must be 2 to 6."
  }
}

variable "capacity" {
  description = "Where tasks run: EC2 (the hosts of this environment) or FARGATE."
  type        = string
  default     = "EC2"

  validation {
    condition     = contains(["EC2", "FARGATE"], var.capacity)
    error_message = "capacity must be EC2 or FARGATE."
  }
}

variable "instance_types" {
  description = "Instance types of the hosts, best first. A change rolls the hosts."
  type        = list(string)

  validation {
    condition     = length(var.instance_types) > 0
    error_message = "instance_types must name at least one type."
  }
}

variable "hosts" {
  description = "How many hosts: fewest, most, and how many of them on-demand before any is spot."
  type = object({
    min            = number
    max            = number
    on_demand_base = number
  })

  validation {
    condition     = var.hosts.min >= 0 && var.hosts.max >= var.hosts.min && var.hosts.on_demand_base >= 0
    error_message = "hosts must have 0 <= min <= max, and on_demand_base not below 0."
  }
}

variable "image_tag" {
  description = "Tag of the image to run, in this environment's repository. A change is a deployment."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag other than latest."
  }
}

variable "image" {
  description = "A whole image reference instead of the repository and image_tag; null for those."
  type        = string
  default     = null
}

variable "container_port" {
  description = "Port that the application listens on."
  type        = number
  default     = 8080

  validation {
    condition     = var.container_port >= 1 && var.container_port <= 65535
    error_message = "container_port must be 1 to 65535."
  }
}

variable "health_check_path" {
  description = "Path that answers 2xx when the application is well."
  type        = string
  default     = "/healthz"

  validation {
    condition     = startswith(var.health_check_path, "/")
    error_message = "health_check_path must begin with a slash."
  }
}

variable "task" {
  description = "Size of one task: CPU units (1024 are one processor) and memory in MiB."
  type = object({
    cpu    = number
    memory = number
  })

  validation {
    condition     = var.task.cpu >= 128 && var.task.memory >= 128
    error_message = "task needs cpu and memory of at least 128."
  }
}

variable "tasks" {
  description = "How many tasks: fewest and most. Scaling moves between them."
  type = object({
    min = number
    max = number
  })

  validation {
    condition     = var.tasks.min >= 1 && var.tasks.max >= var.tasks.min
    error_message = "tasks must have 1 <= min <= max."
  }
}

variable "domain_name" {
  description = "Name that the service answers to, with an issued ACM certificate; null for HTTP by the load balancer's name."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain_name))
    error_message = "domain_name must be a domain name such as shop.example.com."
  }

  validation {
    condition     = (var.domain_name == null) == (var.zone_name == null)
    error_message = "domain_name and zone_name go together."
  }
}

variable "zone_name" {
  description = "Public hosted zone that domain_name lies in; null without one."
  type        = string
  default     = null
}

variable "secret_arns" {
  description = "Environment variables from secrets: names to ARNs of SSM parameters or Secrets Manager secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secret_arns) : can(regex("^arn:[^:]+:(ssm|secretsmanager):", arn))])
    error_message = "secret_arns must be ARNs of SSM parameters or Secrets Manager secrets, never values."
  }
}

variable "secret_kms_key_arns" {
  description = "Keys of one's own that those secrets are encrypted with."
  type        = list(string)
  default     = []
}

variable "alarm_topic_arn" {
  description = "SNS topic that is told of alarms; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[^:]+:sns:", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic."
  }
}
