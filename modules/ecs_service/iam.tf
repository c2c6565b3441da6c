# Two roles: what ECS needs to start a task, and what the task itself may do.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Only for tasks of this account: no other may make ECS use these roles.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.arn_prefix}:ecs:${local.region}:${local.account}:*"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "What ECS needs to start tasks of ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.assume.json

  tags = var.tags
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.arn_prefix}:logs:${local.region}:${local.account}:log-group:${local.log_group_name}:*"]
  }

  dynamic "statement" {
    for_each = length(var.repository_arns) > 0 ? [var.repository_arns] : []

    content {
      sid       = "Pull"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(var.repository_arns) > 0 ? ["*"] : []

    content {
      # The token is the registry's: AWS knows no narrower resource for it.
      sid       = "PullToken"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = [statement.value]
    }
  }

  # Each action fits only one of the two kinds of ARN: together they allow no more than apart.
  dynamic "statement" {
    for_each = length(var.secrets) > 0 ? [local.secret_arns] : []

    content {
      sid       = "Secrets"
      actions   = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(var.secret_kms_key_arns) > 0 ? [var.secret_kms_key_arns] : []

    content {
      sid       = "SecretKeys"
      actions   = ["kms:Decrypt"]
      resources = statement.value
    }
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-tasks"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "What the tasks of ${var.name} may do"
  assume_role_policy = data.aws_iam_policy_document.assume.json

  tags = var.tags
}

data "aws_iam_policy_document" "exec" {
  count = var.execute_command == null ? 0 : 1

  # AWS knows no narrower resource for the channels of a session, nor for listing log groups.
  statement {
    sid = "ExecSession"
    actions = [
      "logs:DescribeLogGroups",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ExecLog"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${var.execute_command.log_group_arn}:*"]
  }
}

resource "aws_iam_role_policy" "task" {
  for_each = merge(
    var.task_policies,
    var.execute_command == null ? {} : { ecs-exec = data.aws_iam_policy_document.exec[0].json },
  )

  name   = each.key
  role   = aws_iam_role.task.id
  policy = each.value
}
