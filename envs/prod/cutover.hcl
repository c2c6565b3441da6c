# What Cutover needs to know and Terraform does not: this environment lives in a real account. Where its
# state is kept stands in main.tf: fill in the backend block there before the first apply.

cutover {
  cloud = "aws"
}
