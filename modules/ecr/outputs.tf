output "repository_name" {
  description = "Name of the repository."
  value       = local.repository.name
}

output "repository_arn" {
  description = "ARN of the repository: what a role may be allowed to pull from."
  value       = local.repository.arn
}

output "repository_url" {
  description = "Address of the repository: an image is this, a colon and a tag."
  value       = local.repository.repository_url
}
