output "arn" {
  description = "ARN of the load balancer."
  value       = aws_lb.this.arn
}

output "dns_name" {
  description = "DNS name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of that DNS name: what an alias record needs."
  value       = aws_lb.this.zone_id
}

output "url" {
  description = "Where the service answers, by the load balancer's own name."
  value       = "${local.https ? "https" : "http"}://${aws_lb.this.dns_name}"
}

output "security_group_id" {
  description = "Security group of the load balancer: whom targets must let in."
  value       = aws_security_group.this.id
}

output "target_group_arns" {
  description = "ARNs of the target groups by color."
  value       = { for color, group in aws_lb_target_group.this : color => group.arn }
}

output "live_target_group_arn" {
  description = "ARN of the target group that a service is to register with."
  value       = aws_lb_target_group.this[var.live].arn

  # ECS refuses a target group that no listener leads to yet.
  depends_on = [aws_lb_listener.http, aws_lb_listener.https]
}

output "idle_target_group_arn" {
  description = "ARN of the other target group: where a blue/green deployment puts the new version."
  value       = aws_lb_target_group.this[local.idle].arn
}

output "production_listener_arn" {
  description = "ARN of the listener that serves clients."
  value       = local.https ? aws_lb_listener.https[0].arn : aws_lb_listener.http.arn
}

output "test_listener_arn" {
  description = "ARN of the test listener, or null."
  value       = one(aws_lb_listener.test[*].arn)
}

output "alarm_names" {
  description = "Names of the alarms: those on errors of targets are what a deployment should roll back on."
  value = {
    errors    = [for alarm in aws_cloudwatch_metric_alarm.target_errors : alarm.alarm_name]
    unhealthy = [for alarm in aws_cloudwatch_metric_alarm.unhealthy_targets : alarm.alarm_name]
  }
}
