variable "name" {
  description = "Name of the group."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_-]{0,254}$", var.name))
    error_message = "name must be letters, digits, hyphens and underscores."
  }
}

variable "subnet_ids" {
  description = "Subnets of the hosts, one a zone: private ones with a way out."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "subnet_ids must have at least one subnet."
  }
}

variable "launch_template_id" {
  description = "Launch template of the hosts."
  type        = string
}

variable "launch_template_version" {
  description = "Number of the template's version. Not $Latest: a version by name hides its changes from plans."
  type        = number

  validation {
    condition     = var.launch_template_version >= 1
    error_message = "launch_template_version must be a number from 1 on."
  }
}

variable "instance_types" {
  description = "Types to choose from, best first. Many of one size make spot capacity last."
  type        = list(string)

  validation {
    condition     = length(var.instance_types) >= 1 && length(var.instance_types) <= 40
    error_message = "instance_types must have 1 to 40 types."
  }

  validation {
    condition     = alltrue([for type in var.instance_types : can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9-]+$", type))])
    error_message = "instance_types must look like m7i.large."
  }

  validation {
    condition     = length(distinct(var.instance_types)) == length(var.instance_types)
    error_message = "instance_types must not name a type twice."
  }
}

variable "min_size" {
  description = "Fewest hosts."
  type        = number
  default     = 1

  validation {
    condition     = var.min_size >= 0
    error_message = "min_size must not be negative."
  }
}

variable "max_size" {
  description = "Most hosts. A rollout needs room above what runs: for new hosts, and for twice the tasks."
  type        = number
  default     = 4

  validation {
    condition     = var.max_size >= 1 && var.max_size >= var.min_size
    error_message = "max_size must be at least 1 and not below min_size."
  }
}

variable "desired_capacity" {
  description = "Hosts at creation; null for min_size. Later the capacity provider decides."
  type        = number
  default     = null

  validation {
    condition = (
      var.desired_capacity == null
      || try(var.desired_capacity >= var.min_size && var.desired_capacity <= var.max_size, false)
    )
    error_message = "desired_capacity must lie between min_size and max_size."
  }
}

variable "on_demand_base" {
  description = "How many hosts are on-demand before any is spot."
  type        = number
  default     = 1

  validation {
    condition     = var.on_demand_base >= 0
    error_message = "on_demand_base must not be negative."
  }
}

variable "on_demand_percentage_above_base" {
  description = "Share of on-demand hosts above the base: 0 for spot only, 100 for no spot."
  type        = number
  default     = 0

  validation {
    condition     = var.on_demand_percentage_above_base >= 0 && var.on_demand_percentage_above_base <= 100
    error_message = "on_demand_percentage_above_base must be 0 to 100."
  }
}

variable "spot_allocation_strategy" {
  description = "How spot pools are chosen. capacity-optimized is interrupted least."
  type        = string
  default     = "capacity-optimized"

  validation {
    condition = contains(
      ["capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized", "lowest-price"],
      var.spot_allocation_strategy,
    )
    error_message = "spot_allocation_strategy must be one of AWS's: capacity-optimized, price-capacity-optimized…"
  }
}

variable "instance_warmup_seconds" {
  description = "How long a new host takes until it counts: boot, join the cluster, start its tasks."
  type        = number
  default     = 120

  validation {
    condition     = var.instance_warmup_seconds >= 0 && var.instance_warmup_seconds <= 3600
    error_message = "instance_warmup_seconds must be 0 to 3600."
  }
}

variable "refresh" {
  description = "How hosts are exchanged: how much capacity stays, how much more there may be, and the way back."
  type = object({
    min_healthy_percentage = optional(number, 100)
    max_healthy_percentage = optional(number, 150)
    auto_rollback          = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.refresh.min_healthy_percentage >= 0 && var.refresh.min_healthy_percentage <= 100
    error_message = "refresh.min_healthy_percentage must be 0 to 100."
  }

  validation {
    condition     = var.refresh.max_healthy_percentage >= 100 && var.refresh.max_healthy_percentage <= 200
    error_message = "refresh.max_healthy_percentage must be 100 to 200."
  }

  validation {
    condition     = var.refresh.max_healthy_percentage - var.refresh.min_healthy_percentage <= 100
    error_message = "refresh percentages must not lie more than 100 apart: AWS refuses that."
  }

  validation {
    condition     = var.refresh.max_healthy_percentage > var.refresh.min_healthy_percentage
    error_message = "refresh.max_healthy_percentage must be above min_healthy_percentage, or nothing can be exchanged."
  }
}

variable "protect_from_scale_in" {
  description = "Whether new hosts are protected: needed when the capacity provider decides which one goes."
  type        = bool
  default     = false
}

variable "max_instance_lifetime_days" {
  description = "After how many days a host is replaced; 0 for never."
  type        = number
  default     = 0

  validation {
    condition     = var.max_instance_lifetime_days == 0 || var.max_instance_lifetime_days >= 1
    error_message = "max_instance_lifetime_days must be 0 or at least 1."
  }
}

variable "force_delete" {
  description = "Whether a destroy does not wait for hosts to end one by one. For throw-away environments."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of the group and its hosts."
  type        = map(string)
  default     = {}
  nullable    = false
}
