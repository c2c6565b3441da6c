# A VPC over two or more availability zones.
#
# What one gets: the VPC; in every zone a public and a private subnet; an internet gateway for the public
# ones; for the private ones no way out, one NAT gateway for all, or one per zone; a route table for all
# public subnets and one for each private subnet, so that each zone can leave through its own gateway.
#
#   module "network" {
#     source       = "../../modules/network"
#     name         = "shop-dev"
#     cidr         = "10.20.0.0/16"
#     az_count     = 3
#     nat_gateways = "single"
#   }
#
# Sizes: with subnet_newbits = 4 a /16 is cut into /20 networks, public ones from the front, private ones
# from the middle. A new cidr replaces the VPC and all that lives in it.

data "aws_availability_zones" "available" {
  state = "available"

  # Local and wavelength zones take part only when someone opts in: never by surprise.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = (
    length(var.availability_zones) > 0
    ? var.availability_zones
    : slice(data.aws_availability_zones.available.names, 0, var.az_count)
  )

  # Zone name to its place: subnets keep their addresses and ranges when zones are added at the end.
  zone_index = { for index, zone in local.zones : zone => index }

  # The private half of the range starts here.
  private_offset = pow(2, var.subnet_newbits - 1)

  # Zones that have a NAT gateway, and the zone whose gateway each private subnet leaves through.
  nat_zones = {
    none   = []
    single = slice(local.zones, 0, 1)
    per_az = local.zones
  }[var.nat_gateways]

  nat_zone_of = {
    for zone in local.zones : zone => var.nat_gateways == "per_az" ? zone : local.zones[0]
    if var.nat_gateways != "none"
  }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "public" {
  for_each = local.zone_index

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, var.subnet_newbits, each.value)

  # Nothing that this configuration makes needs a public address by itself.
  map_public_ip_on_launch = false

  tags = merge(var.tags, { Name = "${var.name}-public-${each.key}", Tier = "public" })
}

resource "aws_subnet" "private" {
  for_each = local.zone_index

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, var.subnet_newbits, local.private_offset + each.value)

  tags = merge(var.tags, { Name = "${var.name}-private-${each.key}", Tier = "private" })
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-public" })
}

resource "aws_route" "public_internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = merge(var.tags, { Name = "${var.name}-nat-${each.key}" })

  # An address of a VPC is of use only with its gateway, and can be given back only before it goes.
  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}" })

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "private" {
  for_each = local.zone_index

  vpc_id = aws_vpc.this.id

  tags = merge(var.tags, { Name = "${var.name}-private-${each.key}" })
}

resource "aws_route" "private_nat" {
  for_each = local.nat_zone_of

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.value].id
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[each.key].id
}
