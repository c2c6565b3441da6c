output "url" {
  description = "Where the service answers."
  value       = module.alb.url
}

output "test_url" {
  description = "Where a version that is not live yet answers, from within the VPC."
  value       = "http://${module.alb.dns_name}:8080"
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = module.network.vpc_id
}

output "nat_public_ips" {
  description = "Addresses that this environment shows to the internet, by zone."
  value       = module.network.nat_public_ips
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = module.cluster.name
}

output "autoscaling_group_name" {
  description = "Name of the group of hosts."
  value       = module.asg.name
}

output "service_name" {
  description = "Name of the service."
  value       = module.web.name
}

output "task_definition_arn" {
  description = "The task definition's revision that is deployed."
  value       = module.web.task_definition_arn
}

output "image" {
  description = "The image that is deployed."
  value       = local.image
}

output "repository_url" {
  description = "Where to push images to."
  value       = module.ecr.repository_url
}

output "target_group_arns" {
  description = "Target groups by color."
  value       = module.alb.target_group_arns
}

output "log_group_name" {
  description = "Where the service's logs are."
  value       = module.web.log_group_name
}
