output "name" {
  description = "Name of the cluster."
  value       = aws_ecs_cluster.this.name
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_ecs_cluster.this.arn
}

output "ec2_capacity_provider" {
  description = "Name of the capacity provider on EC2, or null."
  value       = one(aws_ecs_capacity_provider.ec2[*].name)

  # A service may use it only once it is attached to the cluster.
  depends_on = [aws_ecs_cluster_capacity_providers.this]
}

output "exec_log_group_arn" {
  description = "ARN of the log group of ECS Exec sessions: what a service needs to allow them."
  value       = aws_cloudwatch_log_group.exec.arn
}
