# What Cutover needs to know and Terraform does not: this environment lives in the AWS inside the binary.
# With cloud = "aws" the same files build it in a real account.

cutover {
  cloud = "embedded"
}
