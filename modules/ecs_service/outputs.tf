output "name" {
  description = "Name of the service."
  value       = aws_ecs_service.this.name
}

output "task_definition_arn" {
  description = "ARN of the task definition's revision that is deployed."
  value       = aws_ecs_task_definition.this.arn
}

output "log_group_name" {
  description = "Log group of the containers."
  value       = aws_cloudwatch_log_group.this.name
}

output "task_role_name" {
  description = "Name of the tasks' role, to attach more policies to."
  value       = aws_iam_role.task.name
}

output "execution_role_arn" {
  description = "ARN of the role that ECS starts tasks with."
  value       = aws_iam_role.execution.arn
}

output "security_group_id" {
  description = "Security group of the tasks on Fargate, or null."
  value       = one(aws_security_group.this[*].id)
}

output "alarm_names" {
  description = "Names of the alarms on CPU and memory."
  value       = [for alarm in aws_cloudwatch_metric_alarm.exhausted : alarm.alarm_name]
}
