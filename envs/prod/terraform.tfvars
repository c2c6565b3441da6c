# Sizes of the production environment.

vpc_cidr       = "10.40.0.0/16"
az_count       = 3
capacity       = "EC2"
instance_types = ["m6i.large", "m6a.large", "m5.large", "m5a.large"]
image_tag      = "1.0.0"

hosts = {
  min            = 3
  max            = 30
  on_demand_base = 3
}

task = {
  cpu    = 512
  memory = 1024
}

tasks = {
  min = 6
  max = 40
}

# For HTTPS: a hosted zone of the account, and a name in it that has an issued certificate.
# domain_name = "www.example.com"
# zone_name   = "example.com"

# secret_arns = {
#   DATABASE_URL = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop-prod/database-AbCdEf:url::"
# }

# alarm_topic_arn = "arn:aws:sns:us-east-1:123456789012:on-call"
