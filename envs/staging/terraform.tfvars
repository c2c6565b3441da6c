# Sizes of the staging environment.

vpc_cidr       = "10.30.0.0/16"
az_count       = 3
capacity       = "EC2"
instance_types = ["m6i.large", "m6a.large", "m5.large"]
image_tag      = "1.0.0"

hosts = {
  min            = 2
  max            = 8
  on_demand_base = 1
}

task = {
  cpu    = 512
  memory = 1024
}

tasks = {
  min = 2
  max = 8
}

# For HTTPS: a hosted zone of the account, and a name in it that has an issued certificate.
# domain_name = "staging.example.com"
# zone_name   = "example.com"

# secret_arns = {
#   DATABASE_URL = "arn:aws:ssm:us-east-1:123456789012:parameter/shop-staging/database-url"
# }
