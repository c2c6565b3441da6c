output "name" {
  description = "Name of the group."
  value       = aws_autoscaling_group.this.name
}

output "arn" {
  description = "ARN of the group: what a capacity provider is made of."
  value       = aws_autoscaling_group.this.arn
}
