"""What moto's tests take for granted of their surroundings and AWS does not, made good at the client.

The embedded AWS keeps AWS's rules. Where a test only sets its scene with what AWS would refuse, and is about
something else, the scene is put right here, and the answers read as the test wrote them. Nothing here touches
what a test is about: that goes to fixtures/moto/exceptions.txt.

  images    Ids of images that AWS had years ago, or never: RunInstances, launch templates and configurations.
            AWS: InvalidAMIID.NotFound (EC2 User Guide, "Error codes"). Each stands for an image there is.
  groups    A security group of the default VPC on a load balancer in another VPC. AWS: InvalidConfiguration
            (User Guide for Application Load Balancers, "Security groups": of the load balancer's VPC).
            A like group of the right VPC is made.
            Also security groups of the default VPC on interfaces, instances and templates elsewhere.
  names     Load balancers for endpoint services with an underscore. AWS: letters, digits and hyphens.
  devices   The images meant have their root volume at /dev/sda1, ours at /dev/xvda.
  zones     Zones of another region, in CreateSubnet and CreateVolume, or what is none. AWS: InvalidParameterValue and
            InvalidZone.NotFound. The region's own with that letter.
  addresses Private addresses that are not the subnet's to give. AWS: InvalidParameterValue. Each stands for one.
  keys      Key pairs that nobody made. AWS: InvalidKeyPair.NotFound (EC2 User Guide, "Error codes"). One is made.
  vpcs      A VPC that nobody made, for a security group. AWS: InvalidVpcID.NotFound. One is made.
  gateways  NAT gateways in a VPC without an internet gateway: AWS's turn `failed` (VPC User Guide, "Troubleshoot
            NAT gateways"); routes to an internet gateway that is attached nowhere: InvalidParameterValue. One is
            attached.
  policies  Trust policies that are no JSON, or empty. AWS: MalformedPolicyDocument (CreateRole, errors). Hosts and
            functions may take the role, which is what the tests have it for.
  key policies  No JSON. AWS: MalformedPolicyDocumentException (KMS, CreateKey, errors). Each
            stands for a policy there can be.
  time      moto's world has no delays. After a change, time passes in the world before the next question. Tasks
            that were run, started or stopped are answered as they are then.
  hosts     Container instances registered with their identity document alone. An agent also says how large its
            host is (API reference, RegisterContainerInstance: totalResources): as large as moto's. An instance that
            is registered in two clusters: an agent serves one (`ECS_CLUSTER`). Each gets an instance.
  attributes of no container instance: PutAttributes takes a target each. They are put on all of the cluster's.
  platforms A platform version for a service on EC2. AWS: InvalidParameterException (API reference, CreateService:
            "only for tasks using the Fargate launch type"). It is left out.
  fargate   Task definitions for Fargate without network mode or size. AWS: ClientException (ECS Developer Guide,
            "Amazon ECS task definition differences for Fargate"). They are filled in.
  registry  Cloud Map services with DNS records in an HTTP namespace. AWS: InvalidInput (API reference, CreateService:
            DnsConfig is for DNS namespaces). Without records. Namespaces named without a dot, in a VPC that nobody
            made: AWS: ValidationException (API model), InvalidInput. A name with a dot, a VPC.
  providers Capacity providers of a group that nobody made. AWS: ClientException. One is made.
"""

import ipaddress
import json
import re
import time

# The first without what newer images bring (tokens required, gp3).
IMAGES = ["ami-0ec5a20000000e86d", "ami-0b24040000000e86f", "ami-0b22040000000e86f", "ami-0a1200000000d0e86"]
ROOT_DEVICES = {"/dev/sda1": "/dev/xvda"}
GROUPED = {"RunInstances", "CreateNetworkInterface", "ModifyInstanceAttribute", "ModifyNetworkInterfaceAttribute"}
ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]([a-z])")
LAUNCHING = {
    "RunInstances", "CreateLaunchTemplate", "CreateLaunchTemplateVersion", "CreateLaunchConfiguration",
    "RequestSpotInstances", "RequestSpotFleet", "CreateFleet",
}  # fmt: skip
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
    }],
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
        # Instance → the cluster it is registered in.
        self.hosts = {}

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
            subnets = arguments.get("Subnets") or [m["SubnetId"] for m in arguments.get("SubnetMappings", [])]
            self.move_groups(client, arguments["SecurityGroups"], subnets[:1])
        if (service, operation) == ("elbv2", "CreateLoadBalancer") and "_vpce-" in arguments.get("Name", ""):
            self.stands(arguments["Name"], arguments["Name"].replace("_", "-"))
        if service == "ec2" and not arguments.get("DryRun"):
            self.set_scene(client, operation, arguments)
        if service == "servicediscovery":
            arguments = self.set_registry_scene(client, operation, dict(arguments))
        if service == "ecs":
            arguments = self.set_ecs_scene(client, operation, dict(arguments))
        answer = self.call(client, operation, replaced(arguments, self.ours) if self.ours else arguments)
        if self.pause and CHANGES.match(operation):
            time.sleep(self.pause)
            if service == "ecs" and operation in ("RunTask", "StartTask", "StopTask"):
                answer = self.look_again(client, arguments, answer)
        return replaced(answer, self.theirs) if self.theirs else answer

    def set_ecs_scene(self, client, operation, arguments):
        if operation == "RegisterContainerInstance":
            self.find_host(client, arguments)
        if operation == "PutAttributes":
            wanted = {"cluster": arguments["cluster"]} if "cluster" in arguments else {}
            hosts = self.call(client, "ListContainerInstances", wanted)["containerInstanceArns"]
            arguments["attributes"] = [
                {"targetId": host, **one}
                for one in arguments["attributes"]
                for host in ([one["targetId"]] if "targetId" in one else hosts)
            ]
        if operation == "CreateService" and not arguments.get("capacityProviderStrategy"):
            if arguments.get("launchType", "EC2") == "EC2":
                arguments.pop("platformVersion", None)
        if operation == "RegisterTaskDefinition" and arguments.get("requiresCompatibilities") == ["FARGATE"]:
            arguments = {"networkMode": "awsvpc", "cpu": "256", "memory": "512", **arguments}
        group = arguments.get("autoScalingGroupProvider", {}).get("autoScalingGroupArn", "autoScalingGroupName/")
        if operation == "CreateCapacityProvider" and "autoScalingGroupName/" not in group:
            self.make_group(client.meta.region_name, group)
        return arguments

    def set_registry_scene(self, client, operation, arguments):
        import boto3

        name = arguments.get("Name", "")
        if operation == "CreatePublicDnsNamespace" and "." not in name and name not in self.ours:
            self.stands(name, f"{name.replace('_', '-')}.test")
        vpc = arguments.get("Vpc")
        if operation == "CreatePrivateDnsNamespace" and not vpc.startswith("vpc-") and vpc not in self.ours:
            ec2 = boto3.client("ec2", client.meta.region_name)
            self.stands(vpc, self.call(ec2, "CreateVpc", {"CidrBlock": "10.78.0.0/16"})["Vpc"]["VpcId"])
        if operation == "CreateService" and "NamespaceId" in arguments and "DnsConfig" in arguments:
            found = self.call(client, "ListNamespaces", {})["Namespaces"]
            if any(one["Id"] == arguments["NamespaceId"] and one["Type"] == "HTTP" for one in found):
                del arguments["DnsConfig"]
        return arguments

    def find_host(self, client, arguments):
        import boto3

        size = [("CPU", 4096), ("MEMORY", 7482)]
        resources = [{"name": name, "type": "INTEGER", "integerValue": number} for name, number in size]
        arguments.setdefault("totalResources", resources)
        arguments.setdefault("attributes", [{"name": "ecs.os-type", "value": "linux"}])
        document = json.loads(arguments["instanceIdentityDocument"])
        instance, cluster = document["instanceId"], arguments.get("cluster", "default")
        if self.hosts.setdefault(instance, cluster) != cluster:
            ec2 = boto3.client("ec2", client.meta.region_name)
            found = self.call(ec2, "DescribeInstances", {"InstanceIds": [instance]})
            like = {"ImageId": found["Reservations"][0]["Instances"][0]["ImageId"], "MinCount": 1, "MaxCount": 1}
            document["instanceId"] = self.call(ec2, "RunInstances", like)["Instances"][0]["InstanceId"]
            arguments["instanceIdentityDocument"] = json.dumps(document)

    def make_group(self, region, arn):
        import boto3

        ec2, scaling = boto3.client("ec2", region), boto3.client("autoscaling", region)
        zone = self.call(ec2, "DescribeAvailabilityZones", {})["AvailabilityZones"][0]["ZoneName"]
        name = f"like-{len(self.ours)}"
        launched = {"LaunchConfigurationName": name, "ImageId": IMAGES[0], "InstanceType": "t3.micro"}
        self.call(scaling, "CreateLaunchConfiguration", launched)
        size = {"MinSize": 0, "MaxSize": 1, "AvailabilityZones": [zone]}
        made = {"AutoScalingGroupName": name, "LaunchConfigurationName": name, **size}
        self.call(scaling, "CreateAutoScalingGroup", made)
        groups = self.call(scaling, "DescribeAutoScalingGroups", {"AutoScalingGroupNames": [name]})
        self.stands(arn, groups["AutoScalingGroups"][0]["AutoScalingGroupARN"])

    def look_again(self, client, arguments, answer):
        before = answer["tasks"] if "tasks" in answer else [answer["task"]]
        if not before:
            return answer
        wanted = {"tasks": [task["taskArn"] for task in before], "include": ["TAGS"]}
        where = {"cluster": arguments["cluster"]} if "cluster" in arguments else {}
        after = self.call(client, "DescribeTasks", {**where, **wanted})["tasks"]
        return {**answer, **({"tasks": after} if "tasks" in answer else {"task": after[0]})}

    def find_images(self, arguments):
        for name in re.findall(r'"(?:ImageId|image_id)": "([^"]+)"', json.dumps(arguments, default=str)):
            spare = [image for image in IMAGES if image not in self.theirs]
            if re.fullmatch(r"ami-[0-9a-z-]+", name) and name not in self.ours and name not in IMAGES and spare:
                self.stands(name, spare[0])
                for theirs, ours in ROOT_DEVICES.items():
                    self.stands(theirs, ours)

    def make_policy(self, policy):
        if policy and not policy.startswith("{") and policy not in self.ours:
            allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
            document = {"Version": "2012-10-17", "Id": policy, "Statement": [allow]}
            self.stands(policy, json.dumps(document))

    def set_scene(self, client, operation, arguments):
        """Makes what an EC2 request takes for granted; a scene that cannot be set is what the test is about."""
        try:
            if operation in ("RunInstances", "CreateNetworkInterface", "AssignPrivateIpAddresses"):
                self.fit_addresses(client, operation, arguments)
            if operation in GROUPED:
                self.set_groups(client, operation, arguments)
            if operation == "RunInstances" and arguments.get("KeyName"):
                self.make_key(client, arguments["KeyName"])
            if operation in ("CreateSubnet", "CreateVolume"):
                self.find_zone(client, arguments.get("AvailabilityZone"), operation == "CreateVolume")
            if operation == "CreateSecurityGroup":
                self.make_vpc(client, arguments.get("VpcId"))
            if operation == "CreateNatGateway" and arguments.get("ConnectivityType") != "private":
                self.attach_gateway(client, self.vpc_of(client, arguments["SubnetId"]))
            if operation == "CreateRoute" and str(arguments.get("GatewayId")).startswith("igw-"):
                tables = self.call(client, "DescribeRouteTables", {"RouteTableIds": [arguments["RouteTableId"]]})
                self.attach_gateway(client, tables["RouteTables"][0]["VpcId"], arguments["GatewayId"])
        except Exception:
            return

    def vpc_of(self, client, subnet):
        return self.call(client, "DescribeSubnets", {"SubnetIds": [subnet]})["Subnets"][0]["VpcId"]

    def set_groups(self, client, operation, arguments):
        places = [arguments, *arguments.get("NetworkInterfaces", [])]
        subnet = next((place["SubnetId"] for place in places if place.get("SubnetId")), None)
        groups = [g for place in places for name in ("Groups", "SecurityGroupIds") for g in place.get(name, [])]
        if operation == "ModifyInstanceAttribute":
            found = self.call(client, "DescribeInstances", {"InstanceIds": [arguments["InstanceId"]]})
            subnet = found["Reservations"][0]["Instances"][0]["SubnetId"]
        if operation == "ModifyNetworkInterfaceAttribute":
            subnet = self.subnet_of(client, arguments["NetworkInterfaceId"])
        template = arguments.get("LaunchTemplate")
        if template and not subnet:
            which = {k: v for k, v in template.items() if k != "Version"}
            wanted = {**which, "Versions": [template.get("Version", "$Default")]}
            data = self.call(client, "DescribeLaunchTemplateVersions", wanted)["LaunchTemplateVersions"][0]
            inner = data["LaunchTemplateData"].get("NetworkInterfaces", [])
            subnet = next((place["SubnetId"] for place in inner if place.get("SubnetId")), None)
        if subnet and groups:
            self.move_groups(client, groups, [subnet])

    def subnet_of(self, client, interface):
        wanted = {"NetworkInterfaceIds": [interface]}
        return self.call(client, "DescribeNetworkInterfaces", wanted)["NetworkInterfaces"][0]["SubnetId"]

    def fit_addresses(self, client, operation, arguments):
        places = [arguments, *arguments.get("NetworkInterfaces", [])]
        wanted = []
        for place in places:
            listed = [a if isinstance(a, str) else a["PrivateIpAddress"] for a in place.get("PrivateIpAddresses", [])]
            wanted += ([place["PrivateIpAddress"]] if place.get("PrivateIpAddress") else []) + listed
        if not wanted:
            return
        subnet = next((place["SubnetId"] for place in places if place.get("SubnetId")), None)
        if operation == "AssignPrivateIpAddresses":
            subnet = self.subnet_of(client, arguments["NetworkInterfaceId"])
        which = {"SubnetIds": [subnet]} if subnet else {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
        found = self.call(client, "DescribeSubnets", which)["Subnets"]
        block = ipaddress.ip_network(min(found, key=lambda s: s["AvailabilityZone"])["CidrBlock"])
        for address in wanted:
            inside = ipaddress.ip_address(address) in block and ipaddress.ip_address(address) - 4 in block
            if not inside and address not in self.ours:
                self.stands(address, str(block.network_address + 200 + len(self.ours)))

    def make_key(self, client, name):
        known = self.call(client, "DescribeKeyPairs", {})["KeyPairs"]
        if all(pair["KeyName"] != name for pair in known):
            self.call(client, "CreateKeyPair", {"KeyName": name})

    def find_zone(self, client, name, whatever):
        zone = name and name not in self.ours and ZONE.fullmatch(name)
        if zone or (name and whatever and name not in self.ours):
            own = self.call(client, "DescribeAvailabilityZones", {})["AvailabilityZones"]
            letters = sorted(z["ZoneName"] for z in own)
            if name not in letters:
                self.stands(name, next((z for z in letters if z[-1] == name[-1]), letters[0]))

    def make_vpc(self, client, name):
        # What no id can look like, or what AWS gave out before 2018.
        if name and name not in self.ours and re.fullmatch(r"vpc-[0-9a-z]{4,10}", name):
            self.stands(name, self.call(client, "CreateVpc", {"CidrBlock": "10.77.0.0/16"})["Vpc"]["VpcId"])

    def attach_gateway(self, client, vpc, gateway=None):
        held = {"Filters": [{"Name": "attachment.vpc-id", "Values": [vpc]}]}
        if self.call(client, "DescribeInternetGateways", held)["InternetGateways"]:
            return
        if not gateway:
            gateway = self.call(client, "CreateInternetGateway", {})["InternetGateway"]["InternetGatewayId"]
        self.call(client, "AttachInternetGateway", {"InternetGatewayId": gateway, "VpcId": vpc})

    def move_groups(self, client, wanted, subnets):
        import boto3

        ec2 = boto3.client("ec2", client.meta.region_name)
        try:
            vpc = self.call(ec2, "DescribeSubnets", {"SubnetIds": subnets})["Subnets"][0]["VpcId"]
            groups = self.call(ec2, "DescribeSecurityGroups", {"GroupIds": wanted})
        except Exception:
            return  # No such subnet or group: what the test is about.
        for group in groups["SecurityGroups"]:
            if group["VpcId"] != vpc and group["GroupId"] not in self.ours:
                like = {"GroupName": group["GroupName"], "Description": group["Description"], "VpcId": vpc}
                self.stands(group["GroupId"], self.call(ec2, "CreateSecurityGroup", like)["GroupId"])
