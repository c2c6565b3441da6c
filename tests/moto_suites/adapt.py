"""What moto's tests take for granted of their surroundings and AWS does not, made good at the client.

The embedded AWS keeps AWS's rules. Where a test only sets its scene with what AWS would refuse, and is about
something else, the scene is put right here, and the answers read as the test wrote them. Nothing here touches
what a test is about: that goes to fixtures/moto/exceptions.txt.

  images    Ids of images that AWS had years ago, or never: RunInstances, launch templates and configurations.
            AWS: InvalidAMIID.NotFound (EC2 User Guide, "Error codes"). Each stands for an image there is.
  groups    A security group of the default VPC on a load balancer in another VPC. AWS: InvalidConfiguration
            (User Guide for Application Load Balancers, "Security groups": of the load balancer's VPC).
            A like group of the right VPC is made.
  policies  Trust policies that are no JSON, or empty. AWS: MalformedPolicyDocument (CreateRole, errors).
  keys      Key policies that are no JSON. AWS: MalformedPolicyDocumentException (KMS, CreateKey, errors). Each
            stands for a policy there can be.
  time      moto's world has no delays. After a change, time passes in the world before the next question.
"""

import json
import re
import time

IMAGES = ["ami-0a120230000000e86", "ami-0b24040000000e86f", "ami-0b22040000000e86f", "ami-0a1200000000d0e86"]
LAUNCHING = {
    "RunInstances", "CreateLaunchTemplate", "CreateLaunchTemplateVersion", "CreateLaunchConfiguration",
    "RequestSpotInstances", "RequestSpotFleet", "CreateFleet",
}  # fmt: skip
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})  # fmt: skip
NO_POLICY = {"some policy", "some policy2", "test policy", "policy", "example", "sp", "{}", json.dumps("{ }")}
CHANGES = re.compile("Create|Update|Put|Set|Run|Start|Stop|Terminate|Attach|Detach|Execute|Register|Deregister"
                     "|Delete|Enter|Exit|Modify|Request|Resume|Allocate|Reboot")


def replaced(tree, names):
    """The tree with every occurrence of some texts replaced; other objects (streams, times) as they are."""
    if isinstance(tree, str):
        return names.get(tree, tree)
    if isinstance(tree, dict):
        return {key: replaced(value, names) for key, value in tree.items()}
    if isinstance(tree, list):
        return [replaced(value, names) for value in tree]
    return tree


class Scene:
    """Of one test: what its names stand for."""

    def __init__(self, call, pause):
        self.call = call
        self.pause = pause
        self.theirs = {}
        self.ours = {}

    def stands(self, theirs, ours):
        self.ours[theirs] = ours
        self.theirs[ours] = theirs

    def ask(self, client, operation, arguments):
        service = client.meta.service_model.service_name
        if operation in LAUNCHING:
            self.find_images(arguments)
        if operation == "CreateRole" and arguments.get("AssumeRolePolicyDocument") in NO_POLICY:
            arguments = {**arguments, "AssumeRolePolicyDocument": TRUST}
        if service == "kms" and operation in ("CreateKey", "PutKeyPolicy"):
            self.make_policy(arguments.get("Policy"))
        if (service, operation) == ("elbv2", "CreateLoadBalancer") and arguments.get("SecurityGroups"):
            self.move_groups(client, arguments)
        answer = self.call(client, operation, replaced(arguments, self.ours) if self.ours else arguments)
        if self.pause and CHANGES.match(operation):
            time.sleep(self.pause)
        return replaced(answer, self.theirs) if self.theirs else answer

    def find_images(self, arguments):
        for name in re.findall(r'"(?:ImageId|image_id)": "([^"]+)"', json.dumps(arguments, default=str)):
            spare = [image for image in IMAGES if image not in self.theirs]
            if re.fullmatch(r"ami-[0-9a-z-]+", name) and name not in self.ours and name not in IMAGES and spare:
                self.stands(name, spare[0])

    def make_policy(self, policy):
        if policy and not policy.startswith("{") and policy not in self.ours:
            allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
            document = {"Version": "2012-10-17", "Id": policy, "Statement": [allow]}
            self.stands(policy, json.dumps(document))

    def move_groups(self, client, arguments):
        import boto3

        ec2 = boto3.client("ec2", client.meta.region_name)
        subnets = arguments.get("Subnets") or [m["SubnetId"] for m in arguments.get("SubnetMappings", [])]
        try:
            vpc = self.call(ec2, "DescribeSubnets", {"SubnetIds": subnets[:1]})["Subnets"][0]["VpcId"]
            groups = self.call(ec2, "DescribeSecurityGroups", {"GroupIds": arguments["SecurityGroups"]})
        except Exception:
            return  # No such subnet or group: what the test is about.
        for group in groups["SecurityGroups"]:
            if group["VpcId"] != vpc and group["GroupId"] not in self.ours:
                like = {"GroupName": group["GroupName"], "Description": group["Description"], "VpcId": vpc}
                self.stands(group["GroupId"], self.call(ec2, "CreateSecurityGroup", like)["GroupId"])
