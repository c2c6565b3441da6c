# Sizes of the development environment. Any of them can be given for one run: --var image_tag=1.1.0.

vpc_cidr       = "10.20.0.0/16"
az_count       = 3
capacity       = "EC2"
instance_types = ["t3.medium", "t3a.medium"]
image_tag      = "1.0.0"

hosts = {
  min            = 2
  max            = 6
  on_demand_base = 1
}

task = {
  cpu    = 256
  memory = 512
}

tasks = {
  min = 2
  max = 6
}
