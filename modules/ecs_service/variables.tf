variable "name" {
  description = "Name of the service and its task definition, and prefix of the roles'."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_-]{0,52}$", var.name))
    error_message = "name must be 1 to 53 letters, digits, hyphens and underscores, and start with a letter."
  }
}

variable "cluster_name" {
  description = "The cluster to run in."
  type        = string
}

variable "capacity_provider" {
  description = "Where tasks run: the name of an EC2 capacity provider, FARGATE or FARGATE_SPOT."
  type        = string

  validation {
    condition     = !startswith(var.capacity_provider, "FARGATE") || contains(["FARGATE", "FARGATE_SPOT"], var.capacity_provider)
    error_message = "capacity_provider must be FARGATE, FARGATE_SPOT or the name of a provider on EC2."
  }
}

variable "network" {
  description = "Needed on Fargate: where the tasks' addresses are, and who may reach them (names of one's choice to ids)."
  type = object({
    vpc_id                     = string
    subnet_ids                 = list(string)
    ingress_security_group_ids = optional(map(string), {})
    security_group_ids         = optional(list(string), [])
  })
  default = null

  validation {
    condition     = !startswith(var.capacity_provider, "FARGATE") || var.network != null
    error_message = "network must be given on Fargate: tasks there have addresses of their own."
  }
}

variable "image" {
  description = "The image, with a tag or a digest. Another one is a new deployment."
  type        = string

  validation {
    condition     = can(regex("^[^[:space:]]+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "image must have a tag (repository:1.4.2) or a digest (repository@sha256:…)."
  }

  validation {
    condition     = !endswith(var.image, ":latest")
    error_message = "image must not have the tag latest: one could not tell what runs, nor go back to it."
  }
}

variable "repository_arns" {
  description = "ECR repositories that the tasks' images are pulled from; none for public images."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.repository_arns : can(regex("^arn:[^:]+:ecr:", arn))])
    error_message = "repository_arns must be ARNs of ECR repositories."
  }
}

variable "architecture" {
  description = "Processor that the image is built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "container_name" {
  description = "Name of the container in the task."
  type        = string
  default     = "app"

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,255}$", var.container_name))
    error_message = "container_name must be letters, digits, hyphens and underscores."
  }
}

variable "container_port" {
  description = "Port that the container listens on; null for a worker that nobody calls."
  type        = number
  default     = null

  validation {
    condition     = var.container_port == null || try(var.container_port >= 1 && var.container_port <= 65535, false)
    error_message = "container_port must be 1 to 65535."
  }
}

variable "command" {
  description = "Command instead of the image's own; null for that."
  type        = list(string)
  default     = null
}

variable "cpu" {
  description = "CPU units of a task: 1024 are one processor. Fargate knows 256, 512, 1024, 2048, 4096, 8192, 16384."
  type        = number
  default     = 256

  validation {
    condition     = var.cpu >= 128 && var.cpu <= 196608
    error_message = "cpu must be 128 to 196608."
  }

  validation {
    condition     = !startswith(var.capacity_provider, "FARGATE") || contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "cpu must be one of 256, 512, 1024, 2048, 4096, 8192, 16384 on Fargate."
  }
}

variable "memory" {
  description = "Memory of a task in MiB: a container that takes more is killed."
  type        = number
  default     = 512

  validation {
    condition     = var.memory >= 6
    error_message = "memory must be at least 6."
  }

  validation {
    condition     = !startswith(var.capacity_provider, "FARGATE") || (var.memory >= 2 * var.cpu && var.memory <= 8 * var.cpu)
    error_message = "memory must be between twice and eight times cpu on Fargate."
  }
}

variable "environment" {
  description = "Environment variables of the container. Not for secrets: they would be in every plan."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "secrets" {
  description = "Environment variables whose values ECS fetches: names to ARNs of SSM parameters or Secrets Manager secrets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[^:]+:(ssm|secretsmanager):", arn))])
    error_message = "secrets must be ARNs of SSM parameters or Secrets Manager secrets, never values."
  }

  validation {
    condition     = length(setintersection(keys(var.secrets), keys(var.environment))) == 0
    error_message = "secrets and environment must not set the same variable."
  }
}

variable "secret_kms_key_arns" {
  description = "Keys of one's own that those secrets are encrypted with. AWS's keys need no mention."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_kms_key_arns : can(regex("^arn:[^:]+:kms:", arn))])
    error_message = "secret_kms_key_arns must be ARNs of KMS keys."
  }
}

variable "task_policies" {
  description = "What the tasks themselves may do: names to IAM policies as JSON."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for policy in values(var.task_policies) : can(jsondecode(policy))])
    error_message = "task_policies must be JSON; aws_iam_policy_document writes it."
  }
}

variable "readonly_root_filesystem" {
  description = "Whether the container cannot write to its own file system."
  type        = bool
  default     = true
}

variable "stop_timeout_seconds" {
  description = "How long a container may take to finish after SIGTERM. Longer than a request, shorter than 120 s."
  type        = number
  default     = 60

  validation {
    condition     = var.stop_timeout_seconds >= 2 && var.stop_timeout_seconds <= 120
    error_message = "stop_timeout_seconds must be 2 to 120."
  }
}

variable "health_check_command" {
  description = "Shell command in the container that tells whether it is healthy; null to leave it to the load balancer."
  type        = string
  default     = null
}

variable "health_check_grace_seconds" {
  description = "How long a new task's failing health checks do not count: the time that it takes to start."
  type        = number
  default     = 60

  validation {
    condition     = var.health_check_grace_seconds >= 0 && var.health_check_grace_seconds <= 300
    error_message = "health_check_grace_seconds must be 0 to 300."
  }
}

variable "load_balancer" {
  description = "The target group that tasks register with; null for none. Its listener must exist before."
  type = object({
    target_group_arn = string
  })
  default = null

  validation {
    condition     = var.load_balancer == null || var.container_port != null
    error_message = "load_balancer needs a container_port to send requests to."
  }
}

variable "desired_count" {
  description = "Tasks at creation. Later scaling decides."
  type        = number
  default     = 2

  validation {
    condition     = var.desired_count >= var.min_count && var.desired_count <= var.max_count
    error_message = "desired_count must lie between min_count and max_count."
  }
}

variable "min_count" {
  description = "Fewest tasks. Two or more, or one zone's failure is the service's."
  type        = number
  default     = 2

  validation {
    condition     = var.min_count >= 0
    error_message = "min_count must not be negative."
  }
}

variable "max_count" {
  description = "Most tasks. A deployment runs up to twice as many for a while."
  type        = number
  default     = 6

  validation {
    condition     = var.max_count >= 1 && var.max_count >= var.min_count
    error_message = "max_count must be at least 1 and not below min_count."
  }
}

variable "target_cpu_percent" {
  description = "CPU use that scaling aims at."
  type        = number
  default     = 60

  validation {
    condition     = var.target_cpu_percent >= 10 && var.target_cpu_percent <= 90
    error_message = "target_cpu_percent must be 10 to 90."
  }
}

variable "target_memory_percent" {
  description = "Memory use that scaling aims at."
  type        = number
  default     = 70

  validation {
    condition     = var.target_memory_percent >= 10 && var.target_memory_percent <= 90
    error_message = "target_memory_percent must be 10 to 90."
  }
}

variable "rollback_alarm_names" {
  description = "CloudWatch alarms that make a deployment go back when they go off while it runs."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs that are told when an alarm of this service goes off and when it is over."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "execute_command" {
  description = "Whether a shell in a running container can be had (ECS Exec), and where its log goes; null for no."
  type = object({
    log_group_arn = string
  })
  default = null

  validation {
    condition     = var.execute_command == null || !var.readonly_root_filesystem
    error_message = "execute_command needs readonly_root_filesystem = false: the agent writes to the container."
  }
}

variable "wait_for_steady_state" {
  description = "Whether Terraform waits for deployments. Cutover always follows them to their end."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long the service's logs are kept."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days,
    )
    error_message = "log_retention_days must be one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 365…"
  }
}

variable "log_kms_key_arn" {
  description = "Key that encrypts the logs; null for CloudWatch's own encryption."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "tags" {
  description = "Tags of every resource, of tasks too, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
