//! What the checks are shown on: small configurations, each good as it stands.

pub const ROLLING: &str = r#"
resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_task_definition" "web" {
  family                = "web"
  container_definitions = jsonencode([{ name = "web", image = "web:1", memory = 128 }])
}

resource "aws_ecs_service" "web" {
  name                       = "web"
  cluster                    = aws_ecs_cluster.main.id
  task_definition            = aws_ecs_task_definition.web.arn
  desired_count              = 8
  deployment_maximum_percent = 125

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}

resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/main/web"
  min_capacity       = 4
  max_capacity       = 8
}
"#;

pub const SCALED: &str = r#"
resource "aws_appautoscaling_target" "web" {
  service_namespace  = "ecs"
  resource_id        = "service/main/${aws_ecs_service.web.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = 1
  max_capacity       = 8
}
"#;

pub const GROUP: &str = r##"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

resource "aws_launch_template" "hosts" {
  name          = "hosts"
  description   = "first"
  image_id      = data.aws_ssm_parameter.image.value
  instance_type = "t3.micro"
  user_data     = base64encode("#!/bin/sh\necho 1\n")
}

resource "aws_autoscaling_group" "hosts" {
  name                  = "hosts"
  min_size              = 3
  max_size              = 4
  protect_from_scale_in = false
  vpc_zone_identifier   = [aws_subnet.a.id]

  launch_template {
    id      = aws_launch_template.hosts.id
    version = aws_launch_template.hosts.latest_version
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage       = 90
      max_healthy_percentage       = 110
      scale_in_protected_instances = "Refresh"
    }
  }
}
"##;

pub const HOSTS: &str = r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

resource "aws_launch_template" "hosts" {
  name          = "hosts"
  image_id      = data.aws_ssm_parameter.image.value
  instance_type = "t3.micro"
}

resource "aws_ecs_cluster" "main" {
  name = "main"
}
"#;

pub const PROVIDER: &str = r#"
resource "aws_autoscaling_group" "hosts" {
  name                  = "hosts"
  min_size              = 0
  max_size              = 2
  protect_from_scale_in = true
  vpc_zone_identifier   = [aws_subnet.a.id]

  launch_template {
    id      = aws_launch_template.hosts.id
    version = aws_launch_template.hosts.latest_version
  }
}

resource "aws_ecs_capacity_provider" "hosts" {
  name = "hosts"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.hosts.arn
    managed_termination_protection = "ENABLED"

    managed_scaling {
      status          = "ENABLED"
      target_capacity = 100
    }
  }
}
"#;

pub const ATTACHED: &str = r#"
resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["hosts"]
  depends_on         = [aws_ecs_capacity_provider.hosts]
}
"#;

/// It names its capacity provider, and so nothing says that it is made from it.
pub const ON_HOSTS: &str = r#"
resource "aws_iam_role" "tasks" {
  name               = "tasks"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_ecs_task_definition" "web" {
  family                = "web"
  execution_role_arn    = aws_iam_role.tasks.arn
  container_definitions = jsonencode([{ name = "web", image = "web:1", memory = 128 }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 0
  depends_on      = [aws_ecs_cluster_capacity_providers.main]

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  capacity_provider_strategy {
    capacity_provider = "hosts"
    weight            = 1
  }
}
"#;

pub const POLICY: &str = r#"
resource "aws_iam_role_policy_attachment" "tasks" {
  role       = aws_iam_role.tasks.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}
"#;

pub const BALANCER: &str = r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "one" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_subnet" "two" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.2.0/24"
  availability_zone = "us-east-1b"
}

resource "aws_lb" "web" {
  name       = "web"
  subnets    = [aws_subnet.one.id, aws_subnet.two.id]
  depends_on = [aws_internet_gateway.main]
}
"#;

pub const BEHIND: &str = r#"
resource "aws_security_group" "host" {
  name   = "host"
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group_rule" "host" {
  security_group_id = aws_security_group.host.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 32768
  to_port           = 65535
  cidr_blocks       = ["10.0.0.0/16"]
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

resource "aws_launch_template" "hosts" {
  name                   = "hosts"
  image_id               = data.aws_ssm_parameter.image.value
  instance_type          = "t3.micro"
  vpc_security_group_ids = [aws_security_group.host.id]
}

resource "aws_autoscaling_group" "hosts" {
  name                = "hosts"
  min_size            = 0
  max_size            = 2
  vpc_zone_identifier = [aws_subnet.one.id]

  launch_template {
    id      = aws_launch_template.hosts.id
    version = aws_launch_template.hosts.latest_version
  }
}

resource "aws_ecs_cluster" "main" {
  name = "main"
}

resource "aws_ecs_capacity_provider" "hosts" {
  name = "hosts"

  auto_scaling_group_provider {
    auto_scaling_group_arn = aws_autoscaling_group.hosts.arn
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = [aws_ecs_capacity_provider.hosts.name]

  default_capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.hosts.name
    weight            = 1
  }
}

resource "aws_lb_target_group" "web" {
  name     = "web"
  port     = 80
  protocol = "HTTP"
  vpc_id   = aws_vpc.main.id
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_ecs_task_definition" "web" {
  family = "web"

  container_definitions = jsonencode([{
    name         = "web"
    image        = "web:1"
    memory       = 128
    portMappings = [{ containerPort = 80 }]
  }])
}

resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.web.arn
  desired_count   = 0
  depends_on      = [aws_lb_listener.http, aws_ecs_cluster_capacity_providers.main]

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
    container_name   = "web"
    container_port   = 80
  }
}
"#;
