variable "name" {
  description = "Name of the VPC and prefix of the names of all that is in it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name must be 2 to 41 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC, /16 to /22, such as 10.20.0.0/16. A change replaces the VPC."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr must be an IPv4 range that begins at its network address, such as 10.20.0.0/16."
  }

  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 22, false)
    error_message = "cidr must be between /16 (AWS's largest) and /22 (room for the subnets)."
  }
}

variable "az_count" {
  description = "How many availability zones to use: the first ones of the region by name."
  type        = number
  default     = 2

  validation {
    condition     = var.az_count >= 2 && var.az_count <= 6 && floor(var.az_count) == var.az_count
    error_message = "az_count must be a whole number from 2 to 6: a load balancer needs two zones."
  }
}

variable "availability_zones" {
  description = "Names of the zones to use instead of the first az_count ones, in a lasting order."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.availability_zones) == 0 || length(var.availability_zones) >= 2
    error_message = "availability_zones must name at least two zones, or none to take the first az_count ones."
  }

  validation {
    condition     = length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must not name a zone twice."
  }
}

variable "subnet_newbits" {
  description = "How many bits longer than the VPC's the prefixes of the subnets are: 4 makes /20 of a /16."
  type        = number
  default     = 4

  validation {
    condition     = var.subnet_newbits >= 4 && var.subnet_newbits <= 6
    error_message = "subnet_newbits must be 4 to 6: six zones, public and private, must fit in."
  }
}

variable "nat_gateways" {
  description = "Ways out of the private subnets: none, single (cheap; one zone's failure takes all) or per_az."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["none", "single", "per_az"], var.nat_gateways)
    error_message = "nat_gateways must be none, single or per_az."
  }
}

variable "tags" {
  description = "Tags of every resource, beside the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
