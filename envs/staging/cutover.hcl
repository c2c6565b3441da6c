# What Cutover needs to know and Terraform does not: this environment lives in a real account.

cutover {
  cloud = "aws"
}
