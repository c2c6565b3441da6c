#!/usr/bin/env python3
"""Writes managed.txt, AWS's managed policies with their documents: python3 managed.py

The documents are AWS's own, as the AWS Managed Policy Reference Guide has them, read through the data of moto
(PyPI `moto`, moto/iam/aws_managed_policies.py), which takes them from GetPolicyVersion. Which policies, is the
list below: what containers on ECS and their surroundings use. A line:
  PATH NAME VERSION CREATED UPDATED<tab>DOCUMENT
"""

import json
import pathlib

from moto import __version__
from moto.iam.aws_managed_policies import aws_managed_policies_data

NAMES = """
APIGatewayServiceRolePolicy AWSAppRunnerServicePolicyForECRAccess 
AWSApplicationAutoscalingDynamoDBTablePolicy AWSApplicationAutoscalingECSServicePolicy
AWSCertificateManagerFullAccess AWSCertificateManagerReadOnly AWSCloudMapDiscoverInstanceAccess
AWSCloudMapFullAccess AWSCloudMapReadOnlyAccess AWSCloudTrail_FullAccess AWSCloudTrail_ReadOnlyAccess
AWSCodeDeployDeployerAccess AWSCodeDeployFullAccess AWSCodeDeployReadOnlyAccess AWSCodeDeployRole
AWSCodeDeployRoleForECS AWSCodeDeployRoleForECSLimited AWSCodeDeployRoleForLambda AWSEC2SpotFleetServiceRolePolicy
AWSEC2SpotServiceRolePolicy AWSEC2VssSnapshotPolicy AWSElasticBeanstalkServiceRolePolicy
AWSElasticLoadBalancingServiceRolePolicy AWSKeyManagementServicePowerUser AWSLambdaBasicExecutionRole
AWSLambdaRole AWSLambdaSQSQueueExecutionRole AWSLambdaVPCAccessExecutionRole AWSLambda_FullAccess
AWSLambda_ReadOnlyAccess AWSXRayDaemonWriteAccess AWSXrayReadOnlyAccess AWSXrayWriteOnlyAccess AdministratorAccess
AmazonDynamoDBFullAccess AmazonDynamoDBReadOnlyAccess AmazonEC2ContainerRegistryFullAccess
AmazonEC2ContainerRegistryPowerUser AmazonEC2ContainerRegistryPullOnly AmazonEC2ContainerRegistryReadOnly
AmazonEC2ContainerServiceAutoscaleRole AmazonEC2ContainerServiceEventsRole AmazonEC2ContainerServiceRole
AmazonEC2ContainerServiceforEC2Role AmazonEC2FullAccess AmazonEC2ReadOnlyAccess AmazonEC2RoleforSSM
AmazonEC2SpotFleetTaggingRole AmazonECSInfrastructureRolePolicyForLoadBalancers
AmazonECSInfrastructureRolePolicyForManagedInstances AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity
AmazonECSInfrastructureRolePolicyForVolumes AmazonECSInfrastructureRolePolicyForVpcLattice
AmazonECSInstanceRolePolicyForManagedInstances AmazonECSServiceRolePolicy AmazonECSTaskExecutionRolePolicy
AmazonECS_FullAccess AmazonEventBridgeFullAccess AmazonEventBridgeReadOnlyAccess AmazonRoute53FullAccess
AmazonRoute53ReadOnlyAccess AmazonS3FullAccess AmazonS3ReadOnlyAccess AmazonSNSFullAccess AmazonSNSReadOnlyAccess
AmazonSQSFullAccess AmazonSQSReadOnlyAccess AmazonSSMAutomationRole AmazonSSMFullAccess
AmazonSSMManagedEC2InstanceDefaultPolicy AmazonSSMManagedInstanceCore AmazonSSMPatchAssociation
AmazonSSMReadOnlyAccess AmazonVPCFullAccess AmazonVPCReadOnlyAccess AutoScalingFullAccess
AutoScalingNotificationAccessRole AutoScalingReadOnlyAccess AutoScalingServiceRolePolicy CloudWatchAgentAdminPolicy
CloudWatchAgentServerPolicy CloudWatchEventsFullAccess CloudWatchFullAccess CloudWatchFullAccessV2
CloudWatchLogsFullAccess CloudWatchLogsReadOnlyAccess CloudWatchReadOnlyAccess EC2InstanceConnect
EC2InstanceProfileForImageBuilder ElasticLoadBalancingFullAccess ElasticLoadBalancingReadOnly IAMFullAccess
IAMReadOnlyAccess IAMUserChangePassword NetworkAdministrator PowerUserAccess ReadOnlyAccess
SecretsManagerReadWrite SecurityAudit SystemAdministrator ViewOnlyAccess AWSSupportAccess AlexaForBusinessFullAccess
AmazonCognitoPowerUser AmazonCognitoReadOnly Billing DataScientist DatabaseAdministrator SupportUser
"""


def main():
    data = json.loads(aws_managed_policies_data)
    lines = [
        f"# AWS's managed policies, from the data of moto {__version__}; written by managed.py: do not edit.",
    ]
    for name in sorted(NAMES.split()):
        policy = data.get(name)
        if policy is None:
            print(f"there is no policy {name}")
            continue
        dates = [policy[k].replace("+00:00", "Z") for k in ("CreateDate", "UpdateDate")]
        fields = [policy["Path"], name, policy["DefaultVersionId"], *dates]
        document = json.dumps(policy["Document"], separators=(",", ":"), ensure_ascii=True)
        lines.append(" ".join(fields) + "\t" + document)
    pathlib.Path(__file__).with_name("managed.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
