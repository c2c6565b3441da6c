output "id" {
  description = "Id of the launch template."
  value       = aws_launch_template.this.id
}

output "latest_version" {
  description = "Number of its newest version: what a group is to roll to."
  value       = aws_launch_template.this.latest_version
}

output "ami_id" {
  description = "The image that hosts are launched from."
  value       = local.ami_id
}

output "security_group_id" {
  description = "Security group of the hosts."
  value       = aws_security_group.instance.id
}

output "instance_role_name" {
  description = "Name of the hosts' role, to attach more policies to."
  value       = aws_iam_role.instance.name
}
