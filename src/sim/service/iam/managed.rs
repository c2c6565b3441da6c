//! The policies that AWS manages, as far as containers on ECS use them: a table of names.
//!
//! Documents are shortened to the actions that matter here, on all resources; the names and paths are
//! those of the AWS managed policy reference. Any other ARN of AWS answers NoSuchEntity.

use crate::world::Millis;
use sha2::{Digest, Sha256};

pub struct Managed {
    pub path: &'static str,
    pub name: &'static str,
    /// Space-separated.
    actions: &'static str,
}

/// 2015-02-06T18:40:00Z: when AWS introduced managed policies.
pub const CREATED: Millis = 1_423_248_000_000;

impl Managed {
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::aws:policy{}{}", self.path, self.name)
    }

    /// The same in every account and world: from a digest of the ARN.
    pub fn id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digest = Sha256::digest(self.arn());
        let letters = digest.iter().take(17).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        format!("ANPA{}", letters.collect::<String>())
    }

    pub fn document(&self) -> String {
        let actions: Vec<String> = self.actions.split(' ').map(|action| format!("\"{action}\"")).collect();
        format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Action\":[{}],\
             \"Resource\":\"*\"}}]}}",
            actions.join(",")
        )
    }
}

pub fn find(arn: &str) -> Option<&'static Managed> {
    let path_and_name = arn.strip_prefix("arn:aws:iam::aws:policy")?;
    ALL.iter().find(|policy| path_and_name.strip_prefix(policy.path).is_some_and(|name| name == policy.name))
}

const fn row(path: &'static str, name: &'static str, actions: &'static str) -> Managed {
    Managed { path, name, actions }
}

pub const ALL: &[Managed] = &[
    row("/", "AWSCloudMapDiscoverInstanceAccess", "servicediscovery:DiscoverInstances"),
    row("/", "AWSCloudMapFullAccess", "servicediscovery:* route53:*"),
    row(
        "/",
        "AWSCodeDeployRoleForECS",
        "ecs:DescribeServices ecs:CreateTaskSet ecs:UpdateServicePrimaryTaskSet ecs:DeleteTaskSet \
         elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:DescribeListeners \
         elasticloadbalancing:ModifyListener elasticloadbalancing:DescribeRules \
         elasticloadbalancing:ModifyRule lambda:InvokeFunction cloudwatch:DescribeAlarms \
         sns:Publish s3:GetObject s3:GetObjectVersion",
    ),
    row(
        "/",
        "AWSCodeDeployRoleForECSLimited",
        "ecs:DescribeServices ecs:CreateTaskSet ecs:UpdateServicePrimaryTaskSet ecs:DeleteTaskSet \
         cloudwatch:DescribeAlarms",
    ),
    row("/", "AWSSupportAccess", "support:*"),
    row(
        "/",
        "AWSXRayDaemonWriteAccess",
        "xray:PutTraceSegments xray:PutTelemetryRecords xray:GetSamplingRules \
         xray:GetSamplingTargets xray:GetSamplingStatisticSummaries",
    ),
    row("/", "AWSXrayWriteOnlyAccess", "xray:PutTraceSegments xray:PutTelemetryRecords"),
    row("/", "AdministratorAccess", "*"),
    row("/", "AlexaForBusinessFullAccess", "a4b:* kms:DescribeKey"),
    row(
        "/",
        "AmazonCognitoReadOnly",
        "cognito-identity:Describe* cognito-identity:Get* cognito-identity:List* cognito-idp:Describe* cognito-idp:List*",
    ),
    row("/", "AmazonDynamoDBFullAccess", "dynamodb:*"),
    row("/", "AmazonEC2ContainerRegistryFullAccess", "ecr:* cloudtrail:LookupEvents"),
    row(
        "/",
        "AmazonEC2ContainerRegistryPowerUser",
        "ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer \
         ecr:DescribeRepositories ecr:ListImages ecr:DescribeImages ecr:BatchGetImage \
         ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage",
    ),
    row(
        "/",
        "AmazonEC2ContainerRegistryPullOnly",
        "ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer \
         ecr:BatchGetImage ecr:BatchImportUpstreamImage",
    ),
    row(
        "/",
        "AmazonEC2ContainerRegistryReadOnly",
        "ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer \
         ecr:GetRepositoryPolicy ecr:DescribeRepositories ecr:ListImages ecr:DescribeImages \
         ecr:BatchGetImage ecr:GetLifecyclePolicy ecr:GetLifecyclePolicyPreview \
         ecr:ListTagsForResource ecr:DescribeImageScanFindings",
    ),
    row("/", "AmazonEC2FullAccess", "ec2:* elasticloadbalancing:* cloudwatch:* autoscaling:*"),
    row(
        "/",
        "AmazonEC2ReadOnlyAccess",
        "ec2:Describe* elasticloadbalancing:Describe* cloudwatch:Describe* autoscaling:Describe*",
    ),
    row(
        "/",
        "AmazonECSInfrastructureRolePolicyForLoadBalancers",
        "elasticloadbalancing:DescribeListeners elasticloadbalancing:DescribeRules \
         elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:DescribeTargetHealth \
         elasticloadbalancing:DeregisterTargets elasticloadbalancing:ModifyListener \
         elasticloadbalancing:ModifyRule elasticloadbalancing:RegisterTargets",
    ),
    row(
        "/",
        "AmazonECSInfrastructureRolePolicyForManagedInstances",
        "ec2:CreateFleet ec2:CreateLaunchTemplate ec2:DeleteLaunchTemplate ec2:Describe* \
         ec2:RunInstances ec2:TerminateInstances",
    ),
    row(
        "/",
        "AmazonECS_FullAccess",
        "ecs:* elasticloadbalancing:* autoscaling:* cloudwatch:* logs:* ec2:Describe*",
    ),
    row("/", "AmazonRoute53FullAccess", "route53:* route53domains:*"),
    row("/", "AmazonRoute53ReadOnlyAccess", "route53:Get* route53:List*"),
    row("/", "AmazonS3FullAccess", "s3:* s3-object-lambda:*"),
    row("/", "AmazonS3ReadOnlyAccess", "s3:Get* s3:List* s3:Describe*"),
    row("/", "AmazonSNSFullAccess", "sns:*"),
    row("/", "AmazonSQSFullAccess", "sqs:*"),
    row("/", "AmazonSSMFullAccess", "ssm:*"),
    row(
        "/",
        "AmazonSSMManagedInstanceCore",
        "ssm:DescribeAssociation ssm:GetDeployablePatchSnapshotForInstance ssm:GetDocument \
         ssm:DescribeDocument ssm:GetManifest ssm:GetParameter ssm:GetParameters \
         ssm:ListAssociations ssm:ListInstanceAssociations ssm:PutInventory \
         ssm:PutComplianceItems ssm:PutConfigurePackageResult ssm:UpdateAssociationStatus \
         ssm:UpdateInstanceAssociationStatus ssm:UpdateInstanceInformation \
         ssmmessages:CreateControlChannel ssmmessages:CreateDataChannel \
         ssmmessages:OpenControlChannel ssmmessages:OpenDataChannel \
         ec2messages:AcknowledgeMessage ec2messages:DeleteMessage ec2messages:FailMessage \
         ec2messages:GetEndpoint ec2messages:GetMessages ec2messages:SendReply",
    ),
    row(
        "/",
        "AmazonSSMPatchAssociation",
        "ssm:DescribeEffectivePatchesForPatchBaseline ssm:GetPatchBaseline",
    ),
    row("/", "AmazonSSMReadOnlyAccess", "ssm:Describe* ssm:Get* ssm:List*"),
    row("/", "AmazonVPCFullAccess", "ec2:*Vpc* ec2:*Subnet* ec2:*RouteTable* ec2:Describe*"),
    row("/", "AutoScalingFullAccess", "autoscaling:* cloudwatch:PutMetricAlarm ec2:Describe*"),
    row(
        "/",
        "CloudWatchAgentAdminPolicy",
        "cloudwatch:PutMetricData ec2:DescribeTags logs:PutLogEvents logs:DescribeLogStreams \
         logs:DescribeLogGroups logs:CreateLogStream logs:CreateLogGroup ssm:PutParameter",
    ),
    row(
        "/",
        "CloudWatchAgentServerPolicy",
        "cloudwatch:PutMetricData ec2:DescribeVolumes ec2:DescribeTags logs:PutLogEvents \
         logs:PutRetentionPolicy logs:DescribeLogStreams logs:DescribeLogGroups \
         logs:CreateLogStream logs:CreateLogGroup xray:PutTraceSegments xray:PutTelemetryRecords",
    ),
    row("/", "CloudWatchFullAccess", "autoscaling:Describe* cloudwatch:* logs:* sns:*"),
    row("/", "CloudWatchFullAccessV2", "autoscaling:DescribeScalingPolicies cloudwatch:* logs:* sns:*"),
    row("/", "CloudWatchLogsFullAccess", "logs:*"),
    row("/", "CloudWatchLogsReadOnlyAccess", "logs:Describe* logs:Get* logs:List* logs:FilterLogEvents"),
    row(
        "/",
        "CloudWatchReadOnlyAccess",
        "cloudwatch:Describe* cloudwatch:Get* cloudwatch:List* logs:Describe* logs:Get*",
    ),
    row("/", "ElasticLoadBalancingFullAccess", "elasticloadbalancing:* ec2:Describe*"),
    row("/", "ElasticLoadBalancingReadOnly", "elasticloadbalancing:Describe*"),
    row("/", "IAMFullAccess", "iam:*"),
    row("/", "IAMReadOnlyAccess", "iam:Get* iam:List*"),
    row(
        "/",
        "PowerUserAccess",
        "ec2:* ecs:* ecr:* elasticloadbalancing:* autoscaling:* cloudwatch:* logs:* ssm:* \
         iam:ListRoles",
    ),
    row(
        "/",
        "ReadOnlyAccess",
        "autoscaling:Describe* cloudwatch:Describe* cloudwatch:Get* cloudwatch:List* \
         ec2:Describe* ecr:BatchGet* ecr:Describe* ecr:Get* ecr:List* ecs:Describe* ecs:List* \
         elasticloadbalancing:Describe* iam:Get* iam:List* logs:Describe* logs:FilterLogEvents \
         logs:Get* route53:Get* route53:List* s3:Get* s3:List* ssm:Describe* ssm:Get* ssm:List*",
    ),
    row("/", "SecretsManagerReadWrite", "secretsmanager:* kms:DescribeKey kms:ListAliases kms:ListKeys"),
    row(
        "/",
        "SecurityAudit",
        "cloudwatch:Describe* ec2:Describe* ecs:Describe* ecs:List* iam:Get* iam:List*",
    ),
    row(
        "/aws-service-role/",
        "AWSApplicationAutoscalingECSServicePolicy",
        "ecs:DescribeServices ecs:UpdateService cloudwatch:PutMetricAlarm \
         cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms",
    ),
    row(
        "/aws-service-role/",
        "AWSEC2SpotServiceRolePolicy",
        "ec2:DescribeInstances ec2:StopInstances ec2:StartInstances ec2:RunInstances",
    ),
    row(
        "/aws-service-role/",
        "AWSEC2VssSnapshotPolicy",
        "ec2:CreateTags ec2:DescribeInstances ec2:CreateSnapshots",
    ),
    row(
        "/aws-service-role/",
        "AWSElasticLoadBalancingServiceRolePolicy",
        "ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:Describe* ec2:AllocateAddress \
         ec2:ReleaseAddress",
    ),
    row(
        "/aws-service-role/",
        "AmazonECSServiceRolePolicy",
        "ec2:AttachNetworkInterface ec2:CreateNetworkInterface ec2:DeleteNetworkInterface \
         ec2:Describe* ec2:DetachNetworkInterface elasticloadbalancing:DeregisterTargets \
         elasticloadbalancing:Describe* elasticloadbalancing:RegisterTargets autoscaling:* \
         cloudwatch:DescribeAlarms logs:CreateLogStream logs:PutLogEvents",
    ),
    row(
        "/aws-service-role/",
        "AutoScalingServiceRolePolicy",
        "ec2:CreateFleet ec2:Describe* ec2:RunInstances ec2:TerminateInstances \
         elasticloadbalancing:Register* elasticloadbalancing:Deregister* \
         cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms",
    ),
    row(
        "/job-function/",
        "Billing",
        "aws-portal:*Billing aws-portal:*Usage budgets:ViewBudget budgets:ModifyBudget ce:Get*",
    ),
    row(
        "/job-function/",
        "ViewOnlyAccess",
        "autoscaling:Describe* cloudwatch:Describe* ec2:Describe* ecs:Describe* ecs:List* \
         iam:List* logs:Describe*",
    ),
    row(
        "/service-role/",
        "AWSAppRunnerServicePolicyForECRAccess",
        "ecr:GetDownloadUrlForLayer ecr:BatchGetImage ecr:DescribeImages \
         ecr:GetAuthorizationToken",
    ),
    row(
        "/service-role/",
        "AWSCodeDeployRole",
        "autoscaling:* ec2:Describe* elasticloadbalancing:* tag:GetResources",
    ),
    row(
        "/service-role/",
        "AWSLambdaBasicExecutionRole",
        "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents",
    ),
    row(
        "/service-role/",
        "AWSLambdaVPCAccessExecutionRole",
        "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents ec2:CreateNetworkInterface \
         ec2:DescribeNetworkInterfaces ec2:DeleteNetworkInterface",
    ),
    row(
        "/service-role/",
        "AmazonEC2ContainerServiceAutoscaleRole",
        "ecs:DescribeServices ecs:UpdateService cloudwatch:DescribeAlarms \
         cloudwatch:PutMetricAlarm",
    ),
    row("/service-role/", "AmazonEC2ContainerServiceEventsRole", "ecs:RunTask"),
    row(
        "/service-role/",
        "AmazonEC2ContainerServiceRole",
        "ec2:AuthorizeSecurityGroupIngress ec2:Describe* \
         elasticloadbalancing:DeregisterInstancesFromLoadBalancer \
         elasticloadbalancing:DeregisterTargets elasticloadbalancing:Describe* \
         elasticloadbalancing:RegisterInstancesWithLoadBalancer \
         elasticloadbalancing:RegisterTargets",
    ),
    row(
        "/service-role/",
        "AmazonEC2ContainerServiceforEC2Role",
        "ec2:DescribeTags ecs:CreateCluster ecs:DeregisterContainerInstance \
         ecs:DiscoverPollEndpoint ecs:Poll ecs:RegisterContainerInstance \
         ecs:StartTelemetrySession ecs:UpdateContainerInstancesState ecs:Submit* \
         ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer \
         ecr:BatchGetImage logs:CreateLogStream logs:PutLogEvents",
    ),
    row(
        "/service-role/",
        "AmazonEC2RoleforSSM",
        "ssm:GetParameter ssm:GetParameters ssm:UpdateInstanceInformation ssmmessages:* \
         ec2messages:*",
    ),
    row(
        "/service-role/",
        "AmazonECSInfrastructureRolePolicyForVolumes",
        "ec2:CreateVolume ec2:AttachVolume ec2:DetachVolume ec2:DeleteVolume ec2:DescribeVolumes",
    ),
    row(
        "/service-role/",
        "AmazonECSTaskExecutionRolePolicy",
        "ecr:GetAuthorizationToken ecr:BatchCheckLayerAvailability ecr:GetDownloadUrlForLayer \
         ecr:BatchGetImage logs:CreateLogStream logs:PutLogEvents",
    ),
    row("/service-role/", "AutoScalingNotificationAccessRole", "sqs:SendMessage sqs:GetQueueUrl sns:Publish"),
];
