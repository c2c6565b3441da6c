output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "availability_zones" {
  description = "Names of the zones in use, in order."
  value       = local.zones
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, in the order of the zones: for load balancers."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, in the order of the zones: for hosts and tasks."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "nat_public_ips" {
  description = "Addresses that the private subnets show to the internet, by zone."
  value       = { for zone, address in aws_eip.nat : zone => address.public_ip }
}
