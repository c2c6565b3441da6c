variable "name" {
  description = "Name of the launch template, and prefix of the role's, profile's and security group's."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9_-]{2,52}$", var.name))
    error_message = "name must be 3 to 53 letters, digits, hyphens and underscores."
  }
}

variable "cluster_name" {
  description = "The ECS cluster that hosts join."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_-]{0,254}$", var.cluster_name))
    error_message = "cluster_name must be letters, digits, hyphens and underscores, and start with a letter."
  }
}

variable "vpc_id" {
  description = "VPC of the hosts."
  type        = string
}

variable "ingress_security_group_ids" {
  description = "Who may reach tasks on dynamic host ports: names of one's choice to security group ids."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "architecture" {
  description = "Processor of the hosts: x86_64 or arm64. The instance types must have it."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "ami_id" {
  description = "Image of the hosts; null for the current ECS-optimised one."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]{8,17}$", var.ami_id))
    error_message = "ami_id must look like ami-0123456789abcdef0."
  }
}

variable "root_volume_gb" {
  description = "Size of the root disk: at least the image's own, and room for container images."
  type        = number
  default     = 30

  validation {
    condition     = var.root_volume_gb >= 30 && var.root_volume_gb <= 16384
    error_message = "root_volume_gb must be 30 (the image's own size) to 16384."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the disk; null for the account's default key. The group's service role must be allowed to use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "session_manager" {
  description = "Whether a shell on hosts can be had through Session Manager (there is no SSH)."
  type        = bool
  default     = true
}

variable "detailed_monitoring" {
  description = "Whether hosts report metrics every minute, at a price, and not every five."
  type        = bool
  default     = false
}

variable "instance_attributes" {
  description = "Attributes that hosts register with, for placement constraints."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "extra_user_data" {
  description = "Shell commands to run at the end of the first boot."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !strcontains(var.extra_user_data, "\r")
    error_message = "extra_user_data must have Unix line ends: with others the whole script is not run."
  }
}

variable "tags" {
  description = "Tags of every resource, of instances and volumes too, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
