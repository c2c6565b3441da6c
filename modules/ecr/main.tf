# A repository for one image.
#
# What one gets: a repository that scans what is pushed and, unless told otherwise, lets no tag be moved, so
# that a tag names one image for ever; and a lifecycle policy that drops untagged images after some days and
# all but the newest of the rest.
#
#   module "ecr" {
#     source      = "../../modules/ecr"
#     name        = "shop-dev/web"
#     keep_images = 30
#   }
#
# prevent_destroy must be a literal in the language: so there are two forms of the repository, and the
# variable chooses. Switching it for an existing repository is a move, not a change:
#   moved {
#     from = module.ecr.aws_ecr_repository.this[0]
#     to   = module.ecr.aws_ecr_repository.protected[0]
#   }

locals {
  repository = one(concat(aws_ecr_repository.this, aws_ecr_repository.protected))
}

resource "aws_ecr_repository" "this" {
  count = var.prevent_destroy ? 0 : 1

  name                 = var.name
  image_tag_mutability = var.immutable_tags ? "IMMUTABLE" : "MUTABLE"
  force_delete         = var.force_delete

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }

  tags = var.tags
}

resource "aws_ecr_repository" "protected" {
  count = var.prevent_destroy ? 1 : 0

  name                 = var.name
  image_tag_mutability = var.immutable_tags ? "IMMUTABLE" : "MUTABLE"
  force_delete         = false

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }

  tags = var.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = local.repository.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Untagged images go after ${var.untagged_days} days"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = var.untagged_days
        }
        action = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The newest ${var.keep_images} images stay"
        selection = {
          tagStatus   = "any"
          countType   = "imageCountMoreThan"
          countNumber = var.keep_images
        }
        action = { type = "expire" }
      },
    ]
  })
}
