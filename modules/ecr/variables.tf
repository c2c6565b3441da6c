variable "name" {
  description = "Name of the repository, such as shop/web."
  type        = string

  validation {
    condition     = can(regex("^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$", var.name))
    error_message = "name must be lower-case letters and digits, joined by single . _ - or /."
  }

  validation {
    condition     = length(var.name) >= 2 && length(var.name) <= 256
    error_message = "name must have 2 to 256 characters."
  }
}

variable "immutable_tags" {
  description = "Whether a pushed tag can never be moved to another image."
  type        = bool
  default     = true
}

variable "keep_images" {
  description = "How many images stay. Keep more than the deployments that one may want to go back to."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_images >= 1 && var.keep_images <= 10000
    error_message = "keep_images must be 1 to 10000."
  }
}

variable "untagged_days" {
  description = "After how many days untagged images go."
  type        = number
  default     = 7

  validation {
    condition     = var.untagged_days >= 1
    error_message = "untagged_days must be at least 1."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the images; null for AWS's own (AES-256). A change replaces the repository."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "force_delete" {
  description = "Whether a destroy deletes the repository even with images in it. For throw-away environments."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_delete && var.prevent_destroy)
    error_message = "force_delete and prevent_destroy contradict each other."
  }
}

variable "prevent_destroy" {
  description = "Whether any plan that would delete the repository is refused."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of the repository, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
