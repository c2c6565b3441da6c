use crate::World;
use crate::service::{ApiError, Input, ec2, operations};
use crate::world::{MINUTE, SECOND};
use serde_json::{Value as Json, json};

pub(super) fn world() -> World {
    World::new("123456789012", "us-east-1", 7, 1_800_000_000_000)
}

fn try_call(world: &mut World, operation: &str, input: Json) -> Result<Json, ApiError> {
    let table = operations("ec2").expect("ec2 is a service");
    let (_, handler) = table.iter().find(|(name, _)| *name == operation).expect(operation);
    handler(world, &input)
}

pub(super) fn call(world: &mut World, operation: &str, input: Json) -> Json {
    try_call(world, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

pub(super) fn refused(world: &mut World, operation: &str, input: Json) -> (String, String) {
    let error = try_call(world, operation, input).expect_err(operation);
    (error.code, error.message)
}

pub(super) fn id(answer: &Json, path: &str) -> String {
    answer.pointer(path).and_then(Json::as_str).unwrap_or_else(|| panic!("{path} in {answer}")).to_owned()
}

pub(super) struct Net {
    pub vpc: String,
    pub subnet: String,
    gateway: String,
}

pub(super) fn net(world: &mut World) -> Net {
    let vpc = id(&call(world, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"})), "/Vpc/VpcId");
    let input = json!({"VpcId": vpc, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b"});
    let subnet = id(&call(world, "CreateSubnet", input), "/Subnet/SubnetId");
    let gateway = id(&call(world, "CreateInternetGateway", json!({})), "/InternetGateway/InternetGatewayId");
    call(world, "AttachInternetGateway", json!({"VpcId": vpc, "InternetGatewayId": gateway}));
    Net { vpc, subnet, gateway }
}

#[test]
fn operations_are_sorted_by_name() {
    for service in ["ec2", "autoscaling"] {
        let names: Vec<&str> = operations(service).expect("known").iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted(), "{service}");
    }
}

#[test]
fn a_vpc_comes_with_its_main_table_default_group_and_acl() {
    let mut world = world();
    let net = net(&mut world);
    let by_vpc = json!({"Filters": [{"Name": "vpc-id", "Values": [net.vpc]}]});
    let groups = call(&mut world, "DescribeSecurityGroups", by_vpc.clone());
    let group = &groups["SecurityGroups"][0];
    assert_eq!(group["GroupName"], "default");
    assert_eq!(group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"], group["GroupId"]);
    assert_eq!(group["IpPermissionsEgress"][0]["IpRanges"][0]["CidrIp"], "0.0.0.0/0");
    let tables = call(&mut world, "DescribeRouteTables", by_vpc.clone());
    assert_eq!(tables["RouteTables"][0]["Associations"][0]["Main"], true);
    assert_eq!(tables["RouteTables"][0]["Routes"][0]["GatewayId"], "local");
    let acls = call(&mut world, "DescribeNetworkAcls", by_vpc);
    assert_eq!(acls["NetworkAcls"][0]["IsDefault"], true);
    assert_eq!(acls["NetworkAcls"][0]["Associations"][0]["SubnetId"], net.subnet);
    let attribute = json!({"VpcId": net.vpc, "Attribute": "enableDnsHostnames"});
    let answer = call(&mut world, "DescribeVpcAttribute", attribute.clone());
    assert_eq!(answer["EnableDnsHostnames"]["Value"], false);
    call(&mut world, "ModifyVpcAttribute", json!({"VpcId": net.vpc, "EnableDnsHostnames": {"Value": true}}));
    let answer = call(&mut world, "DescribeVpcAttribute", attribute);
    assert_eq!(answer["EnableDnsHostnames"]["Value"], true);
}

#[test]
fn subnets_must_lie_in_the_vpc_and_not_overlap() {
    let mut world = world();
    let net = net(&mut world);
    let with = |cidr: &str| json!({"VpcId": net.vpc, "CidrBlock": cidr});
    assert_eq!(refused(&mut world, "CreateSubnet", with("10.0.1.128/25")).0, "InvalidSubnet.Conflict");
    assert_eq!(refused(&mut world, "CreateSubnet", with("10.1.0.0/24")).0, "InvalidSubnet.Range");
    assert_eq!(refused(&mut world, "CreateSubnet", with("nonsense")).0, "InvalidParameterValue");
    let (code, message) = refused(&mut world, "DescribeSubnets", json!({"SubnetIds": ["subnet-0"]}));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidSubnetID.NotFound", "The subnet ID 'subnet-0' does not exist")
    );
    let ours = json!({"Filters": [{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}]});
    let subnets = call(&mut world, "DescribeSubnets", ours);
    assert_eq!(subnets["Subnets"][0]["AvailableIpAddressCount"], 251);
    assert_eq!(subnets["Subnets"][0]["AvailabilityZoneId"], "use1-az2");
}

#[test]
fn a_nat_gateway_takes_minutes_and_holds_what_it_uses() {
    let mut world = world();
    let net = net(&mut world);
    let allocation = id(&call(&mut world, "AllocateAddress", json!({"Domain": "vpc"})), "/AllocationId");
    let input = json!({"SubnetId": net.subnet, "AllocationId": allocation, "ClientToken": "one"});
    let nat = id(&call(&mut world, "CreateNatGateway", input.clone()), "/NatGateway/NatGatewayId");
    assert_eq!(id(&call(&mut world, "CreateNatGateway", input), "/NatGateway/NatGatewayId"), nat);
    let state = |world: &mut World| {
        let answer = call(world, "DescribeNatGateways", json!({"NatGatewayIds": [nat]}));
        id(&answer, "/NatGateways/0/State")
    };
    assert_eq!(state(&mut world), "pending");
    world.advance_to(world.now + 3 * MINUTE);
    assert_eq!(state(&mut world), "available");
    let release = json!({"AllocationId": allocation});
    assert_eq!(refused(&mut world, "ReleaseAddress", release.clone()).0, "InvalidIPAddress.InUse");
    let (code, message) = refused(&mut world, "DeleteSubnet", json!({"SubnetId": net.subnet}));
    assert_eq!(code, "DependencyViolation");
    assert!(message.contains(&nat), "{message}");
    let detach = json!({"VpcId": net.vpc, "InternetGatewayId": net.gateway});
    assert_eq!(refused(&mut world, "DetachInternetGateway", detach.clone()).0, "DependencyViolation");
    call(&mut world, "DeleteNatGateway", json!({"NatGatewayId": nat}));
    assert_eq!(state(&mut world), "deleting");
    world.advance_to(world.now + 2 * MINUTE);
    assert_eq!(state(&mut world), "deleted");
    call(&mut world, "ReleaseAddress", release);
    call(&mut world, "DetachInternetGateway", detach);
    call(&mut world, "DeleteSubnet", json!({"SubnetId": net.subnet}));
    assert_eq!(
        refused(&mut world, "DeleteInternetGateway", json!({"InternetGatewayId": "igw-0"})).0,
        "InvalidInternetGatewayID.NotFound"
    );
    call(&mut world, "DeleteInternetGateway", json!({"InternetGatewayId": net.gateway}));
    call(&mut world, "DeleteVpc", json!({"VpcId": net.vpc}));
    world.advance_to(world.now + 61 * MINUTE);
    assert_eq!(
        refused(&mut world, "DescribeNatGateways", json!({"NatGatewayIds": [nat]})).0,
        "NatGatewayNotFound"
    );
    assert!(
        world.ec2.interfaces.is_empty()
            && world.ec2.rules.values().all(|rule| world.ec2.security_groups.contains_key(&rule.group))
            && world.ec2.tags.is_empty()
    );
}

#[test]
fn a_nat_gateway_without_an_internet_gateway_fails() {
    let mut world = world();
    let net = net(&mut world);
    call(&mut world, "DetachInternetGateway", json!({"VpcId": net.vpc, "InternetGatewayId": net.gateway}));
    let allocation = id(&call(&mut world, "AllocateAddress", json!({})), "/AllocationId");
    call(&mut world, "CreateNatGateway", json!({"SubnetId": net.subnet, "AllocationId": allocation}));
    world.advance_to(world.now + MINUTE);
    let answer = call(&mut world, "DescribeNatGateways", json!({}));
    assert_eq!(answer["NatGateways"][0]["State"], "failed");
    assert_eq!(answer["NatGateways"][0]["FailureCode"], "Gateway.NotAttached");
    call(&mut world, "ReleaseAddress", json!({"AllocationId": allocation}));
}

#[test]
fn a_vpc_names_what_holds_it() {
    let mut world = world();
    let net = net(&mut world);
    let (code, message) = refused(&mut world, "DeleteVpc", json!({"VpcId": net.vpc}));
    assert_eq!(code, "DependencyViolation");
    assert!(message.starts_with(&format!("The vpc '{}' has dependencies and cannot be deleted.", net.vpc)));
    assert!(message.contains(&net.subnet) && message.contains(&net.gateway), "{message}");
}

#[test]
fn routes_turn_black_and_are_refused_twice() {
    let mut world = world();
    let net = net(&mut world);
    let table =
        id(&call(&mut world, "CreateRouteTable", json!({"VpcId": net.vpc})), "/RouteTable/RouteTableId");
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": net.gateway});
    call(&mut world, "CreateRoute", route.clone());
    let (code, message) = refused(&mut world, "CreateRoute", route);
    assert_eq!(code, "RouteAlreadyExists");
    assert_eq!(message, "The route identified by 0.0.0.0/0 already exists.");
    let association = json!({"RouteTableId": table, "SubnetId": net.subnet});
    let association = id(&call(&mut world, "AssociateRouteTable", association), "/AssociationId");
    assert_eq!(
        refused(&mut world, "DeleteRouteTable", json!({"RouteTableId": table})).0,
        "DependencyViolation"
    );
    let other =
        id(&call(&mut world, "CreateRouteTable", json!({"VpcId": net.vpc})), "/RouteTable/RouteTableId");
    let again = json!({"RouteTableId": other, "SubnetId": net.subnet});
    assert_eq!(refused(&mut world, "AssociateRouteTable", again).0, "Resource.AlreadyAssociated");
    call(&mut world, "DetachInternetGateway", json!({"VpcId": net.vpc, "InternetGatewayId": net.gateway}));
    let answer = call(&mut world, "DescribeRouteTables", json!({"RouteTableIds": [table]}));
    assert_eq!(answer["RouteTables"][0]["Routes"][1]["State"], "blackhole");
    call(&mut world, "DisassociateRouteTable", json!({"AssociationId": association}));
    call(&mut world, "DeleteRoute", json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}));
    let gone = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"});
    assert_eq!(refused(&mut world, "DeleteRoute", gone).0, "InvalidRoute.NotFound");
    call(&mut world, "DeleteRouteTable", json!({"RouteTableId": table}));
}

fn group(world: &mut World, vpc: &str, name: &str) -> String {
    let input = json!({"GroupName": name, "Description": name, "VpcId": vpc});
    id(&call(world, "CreateSecurityGroup", input), "/GroupId")
}

#[test]
fn rules_are_resources_and_hold_the_group_they_refer_to() {
    let mut world = world();
    let net = net(&mut world);
    let (front, back) = (group(&mut world, &net.vpc, "front"), group(&mut world, &net.vpc, "back"));
    let duplicate = json!({"GroupName": "back", "Description": "x", "VpcId": net.vpc});
    assert_eq!(refused(&mut world, "CreateSecurityGroup", duplicate).0, "InvalidGroup.Duplicate");
    let permission = json!({
        "IpProtocol": "tcp", "FromPort": 32768, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": front}],
    });
    let input = json!({
        "GroupId": back, "IpPermissions": [permission],
        "TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": [{"Key": "Name", "Value": "x"}]}],
    });
    let answer = call(&mut world, "AuthorizeSecurityGroupIngress", input.clone());
    let rule = &answer["SecurityGroupRules"][0];
    assert_eq!(rule["ReferencedGroupInfo"]["GroupId"], front);
    assert_eq!(rule["Tags"][0]["Value"], "x");
    assert_eq!(refused(&mut world, "AuthorizeSecurityGroupIngress", input).0, "InvalidPermission.Duplicate");
    assert_eq!(
        refused(&mut world, "DeleteSecurityGroup", json!({"GroupId": front})).0,
        "DependencyViolation"
    );
    let rule = rule.text("SecurityGroupRuleId").expect("has an id").to_owned();
    let change = json!({"GroupId": back, "SecurityGroupRules": [{
        "SecurityGroupRuleId": rule,
        "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "ReferencedGroupId": front},
    }]});
    call(&mut world, "ModifySecurityGroupRules", change);
    let found = call(&mut world, "DescribeSecurityGroupRules", json!({"SecurityGroupRuleIds": [rule]}));
    assert_eq!(found["SecurityGroupRules"][0]["FromPort"], 80);
    let revoke = json!({"GroupId": back, "SecurityGroupRuleIds": [rule]});
    call(&mut world, "RevokeSecurityGroupIngress", revoke.clone());
    assert_eq!(
        refused(&mut world, "RevokeSecurityGroupIngress", revoke).0,
        "InvalidSecurityGroupRuleId.NotFound"
    );
    call(&mut world, "DeleteSecurityGroup", json!({"GroupId": front}));
}

#[test]
fn the_same_rule_twice_is_named_as_ec2_names_it() {
    let mut world = world();
    let net = net(&mut world);
    let web = group(&mut world, &net.vpc, "web");
    let input = json!({"GroupId": web, "IpPermissions": [
        {"IpProtocol": "6", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.9/8"}]},
    ]});
    call(&mut world, "AuthorizeSecurityGroupIngress", input.clone());
    let (_, message) = refused(&mut world, "AuthorizeSecurityGroupIngress", input);
    assert_eq!(
        message,
        "the specified rule \"peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW\" already exists"
    );
}

#[test]
fn filters_know_tags_and_wildcards() {
    let mut world = world();
    let net = net(&mut world);
    call(
        &mut world,
        "CreateTags",
        json!({
            "Resources": [net.subnet], "Tags": [{"Key": "Name", "Value": "dev-public-a"}],
        }),
    );
    let with = |name: &str, value: &str| json!({"Filters": [{"Name": name, "Values": [value]}]});
    let count = |world: &mut World, input: Json| {
        call(world, "DescribeSubnets", input)["Subnets"].as_array().expect("a list").len()
    };
    assert_eq!(count(&mut world, with("tag:Name", "dev-*-?")), 1);
    assert_eq!(count(&mut world, with("tag:Name", "dev")), 0);
    assert_eq!(count(&mut world, with("tag-key", "Name")), 1);
    assert_eq!(count(&mut world, with("map-public-ip-on-launch", "false")), 1);
    assert_eq!(refused(&mut world, "DescribeSubnets", with("colour", "red")).0, "InvalidParameterValue");
    let tags = call(&mut world, "DescribeTags", with("resource-type", "subnet"));
    assert_eq!(tags["Tags"][0]["ResourceId"], net.subnet);
    let reserved = json!({"Resources": [net.subnet], "Tags": [{"Key": "aws:x", "Value": ""}]});
    assert_eq!(refused(&mut world, "CreateTags", reserved).0, "InvalidParameterValue");
    call(&mut world, "DeleteTags", json!({"Resources": [net.subnet], "Tags": [{"Key": "Name"}]}));
    assert_eq!(count(&mut world, with("tag-key", "Name")), 0);
}

#[test]
fn template_versions_build_on_each_other() {
    let mut world = world();
    let data = json!({"ImageId": "ami-1", "InstanceType": "t3.small", "KeyName": "k"});
    let input = json!({"LaunchTemplateName": "web", "LaunchTemplateData": data});
    let template =
        id(&call(&mut world, "CreateLaunchTemplate", input.clone()), "/LaunchTemplate/LaunchTemplateId");
    let (code, message) = refused(&mut world, "CreateLaunchTemplate", input);
    assert_eq!(code, "InvalidLaunchTemplateName.AlreadyExistsException");
    assert_eq!(message, "Launch template name already in use.");
    let next = json!({
        "LaunchTemplateId": template, "SourceVersion": "1", "LaunchTemplateData": {"InstanceType": "t3.large"},
    });
    let answer = call(&mut world, "CreateLaunchTemplateVersion", next);
    assert_eq!(answer["LaunchTemplateVersion"]["VersionNumber"], 2);
    assert_eq!(answer["LaunchTemplateVersion"]["LaunchTemplateData"]["KeyName"], "k");
    assert_eq!(answer["LaunchTemplateVersion"]["LaunchTemplateData"]["InstanceType"], "t3.large");
    let of = |version: &str| json!({"LaunchTemplateName": "web", "Versions": [version]});
    let number = |answer: &Json| answer["LaunchTemplateVersions"][0]["VersionNumber"].clone();
    assert_eq!(number(&call(&mut world, "DescribeLaunchTemplateVersions", of("$Default"))), 1);
    assert_eq!(number(&call(&mut world, "DescribeLaunchTemplateVersions", of("$Latest"))), 2);
    call(&mut world, "ModifyLaunchTemplate", json!({"LaunchTemplateId": template, "DefaultVersion": "2"}));
    assert_eq!(number(&call(&mut world, "DescribeLaunchTemplateVersions", of("$Default"))), 2);
    let delete = json!({"LaunchTemplateId": template, "Versions": ["1", "2"]});
    let answer = call(&mut world, "DeleteLaunchTemplateVersions", delete);
    assert_eq!(answer["SuccessfullyDeletedLaunchTemplateVersions"][0]["VersionNumber"], 1);
    assert_eq!(answer["UnsuccessfullyDeletedLaunchTemplateVersions"][0]["VersionNumber"], 2);
    assert_eq!(
        refused(&mut world, "DescribeLaunchTemplateVersions", of("1")).0,
        "InvalidLaunchTemplateId.VersionNotFound"
    );
    for n in 3..=10 {
        call(
            &mut world,
            "CreateLaunchTemplateVersion",
            json!({
                "LaunchTemplateId": template, "LaunchTemplateData": {"InstanceType": format!("m{n}.large")},
            }),
        );
    }
    let page = json!({"LaunchTemplateId": template, "MaxResults": 5});
    let first = call(&mut world, "DescribeLaunchTemplateVersions", page);
    assert_eq!(number(&first), 10);
    let page = json!({"LaunchTemplateId": template, "MaxResults": 5, "NextToken": first["NextToken"]});
    let second = call(&mut world, "DescribeLaunchTemplateVersions", page);
    assert_eq!(second["LaunchTemplateVersions"].as_array().map(Vec::len), Some(4));
    assert!(second.get("NextToken").is_none());
}

pub(super) fn image(arch: &str) -> &'static str {
    ec2::images::ecs_optimized_ami(arch, "amazon-linux-2023")
}

#[test]
fn an_instance_boots_is_checked_ends_and_is_forgotten() {
    let mut world = world();
    let net = net(&mut world);
    let template = json!({"LaunchTemplateName": "web", "LaunchTemplateData": {
        "ImageId": image("x86_64"), "InstanceType": "t3.micro",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}]}],
    }});
    call(&mut world, "CreateLaunchTemplate", template);
    let input = json!({
        "LaunchTemplate": {"LaunchTemplateName": "web"}, "InstanceType": "t3.small", "MinCount": 2, "MaxCount": 2,
        "SubnetId": net.subnet, "ClientToken": "t",
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "2"}]}],
    });
    let answer = call(&mut world, "RunInstances", input.clone());
    let instance = id(&answer, "/Instances/0/InstanceId");
    assert_eq!(id(&call(&mut world, "RunInstances", input), "/Instances/0/InstanceId"), instance);
    assert_eq!(answer["Instances"][0]["InstanceType"], "t3.small");
    // The template's, the request's, and two that name the template.
    assert_eq!(answer["Instances"][0]["Tags"].as_array().map(Vec::len), Some(4));
    assert_eq!(world.ec2.instances.len(), 2);
    let find = json!({"InstanceIds": [instance]});
    let state = |world: &mut World| {
        id(&call(world, "DescribeInstances", find.clone()), "/Reservations/0/Instances/0/State/Name")
    };
    assert_eq!(state(&mut world), "pending");
    world.advance_to(world.now + MINUTE);
    assert_eq!(state(&mut world), "running");
    let status = call(&mut world, "DescribeInstanceStatus", find.clone());
    assert_eq!(status["InstanceStatuses"][0]["InstanceStatus"]["Status"], "initializing");
    world.advance_to(world.now + 3 * MINUTE);
    let status = call(&mut world, "DescribeInstanceStatus", find.clone());
    assert_eq!(status["InstanceStatuses"][0]["InstanceStatus"]["Status"], "ok");
    assert_eq!(refused(&mut world, "DeleteSubnet", json!({"SubnetId": net.subnet})).0, "DependencyViolation");
    call(&mut world, "TerminateInstances", find.clone());
    assert_eq!(state(&mut world), "shutting-down");
    world.advance_to(world.now + 2 * MINUTE);
    assert_eq!(state(&mut world), "terminated");
    assert_eq!(world.ec2.interfaces.len(), 1);
    assert_eq!(world.ec2.volumes.len(), 1);
    world.advance_to(world.now + 61 * MINUTE);
    assert_eq!(refused(&mut world, "DescribeInstances", find).0, "InvalidInstanceID.NotFound");
}

#[test]
fn launches_refuse_a_foreign_architecture_and_a_full_subnet() {
    let mut world = world();
    let net = net(&mut world);
    let run = |kind: &str, count: i64, subnet: &str| {
        json!({
            "ImageId": image("arm64"), "InstanceType": kind, "MinCount": count, "MaxCount": count,
            "SubnetId": subnet,
        })
    };
    let (code, message) = refused(&mut world, "RunInstances", run("t3.small", 1, &net.subnet));
    assert_eq!(code, "InvalidParameterValue");
    assert!(message.contains("architecture 'x86_64'"), "{message}");
    let small = json!({"VpcId": net.vpc, "CidrBlock": "10.0.9.0/28"});
    let small = id(&call(&mut world, "CreateSubnet", small), "/Subnet/SubnetId");
    let (code, _) = refused(&mut world, "RunInstances", run("t4g.small", 12, &small));
    assert_eq!(code, "InsufficientFreeAddressesInSubnet");
    assert!(world.ec2.instances.is_empty() && world.ec2.interfaces.is_empty());
    call(&mut world, "RunInstances", run("t4g.small", 11, &small));
}

#[test]
fn instances_beyond_the_quota_of_vcpus_are_refused() {
    use crate::faults::{Fault, What, declare};
    let mut world = world();
    let net = net(&mut world);
    for (code, value) in [("L-1216C47A", 5.0), ("L-34B43A08", 2.0)] {
        let what = What::Quota { code: code.to_owned(), value };
        declare(&mut world, Fault { number: 0, from: 0, until: None, what });
    }
    let run = |kind: &str, spot: bool| {
        let mut input = json!({
            "ImageId": image("x86_64"), "InstanceType": kind, "MinCount": 1, "MaxCount": 1, "SubnetId": net.subnet,
        });
        if spot {
            input["InstanceMarketOptions"] = json!({"MarketType": "spot"});
        }
        input
    };
    let first = id(&call(&mut world, "RunInstances", run("m5.large", false)), "/Instances/0/InstanceId");
    call(&mut world, "RunInstances", run("t3.small", false));
    let (code, message) = refused(&mut world, "RunInstances", run("c5.large", false));
    assert_eq!(code, "VcpuLimitExceeded");
    assert!(
        message.starts_with("You have requested more vCPU capacity than your current vCPU limit of 5 allows")
    );
    // Another bucket.
    call(&mut world, "RunInstances", run("m5.large", true));
    assert_eq!(
        refused(&mut world, "RunInstances", run("m5.large", true)),
        ("MaxSpotInstanceCountExceeded".to_owned(), "Max spot instance count exceeded".to_owned())
    );
    // What ends makes room.
    call(&mut world, "TerminateInstances", json!({"InstanceIds": [first]}));
    call(&mut world, "RunInstances", run("c5.large", false));
}

#[test]
fn a_service_interface_takes_an_address_and_gives_it_back() {
    let mut world = world();
    let net = net(&mut world);
    let eni = ec2::create_interface(&mut world, &net.subnet, "ELB app/x/1", &[]).expect("free");
    ec2::map_public_ip(&mut world, &eni.id);
    let found = call(&mut world, "DescribeNetworkInterfaces", json!({"NetworkInterfaceIds": [eni.id]}));
    assert_eq!(found["NetworkInterfaces"][0]["RequesterId"], "amazon-elb");
    assert_eq!(found["NetworkInterfaces"][0]["Status"], "in-use");
    assert!(found["NetworkInterfaces"][0]["Association"]["PublicIp"].is_string());
    ec2::delete_interface(&mut world, &eni.id);
    let ours = json!({"Filters": [{"Name": "cidr-block", "Values": ["10.0.1.0/24"]}]});
    let subnets = call(&mut world, "DescribeSubnets", ours);
    assert_eq!(subnets["Subnets"][0]["AvailableIpAddressCount"], 251);
}

#[test]
fn images_are_found_by_name_and_owner() {
    let mut world = world();
    let input = json!({"Owners": ["amazon"], "Filters": [
        {"Name": "name", "Values": ["al2023-ami-ecs-hvm-*-x86_64-ebs"]},
        {"Name": "state", "Values": ["available"]},
    ]});
    let answer = call(&mut world, "DescribeImages", input);
    let images = answer["Images"].as_array().expect("a list");
    assert!(images.len() >= 2 && images.iter().all(|image| image["Architecture"] == "x86_64"));
    assert_eq!(
        refused(&mut world, "DescribeImages", json!({"ImageIds": ["ami-9"]})).0,
        "InvalidAMIID.NotFound"
    );
    let zones = call(&mut world, "DescribeAvailabilityZones", json!({}));
    assert_eq!(zones["AvailabilityZones"].as_array().map(Vec::len), Some(6));
    let kind = ec2::instance_type("m6i.large").expect("common");
    assert_eq!((kind.vcpus, kind.memory_mib, kind.interfaces), (2, 8192, 3));
}

#[test]
fn the_saved_world_is_the_same_world() {
    let mut world = world();
    let net = net(&mut world);
    let run = json!({
        "ImageId": image("x86_64"), "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": net.subnet,
    });
    call(&mut world, "RunInstances", run);
    let text = serde_json::to_string(&world).expect("serialises");
    let mut again: World = serde_json::from_str(&text).expect("deserialises");
    for world in [&mut world, &mut again] {
        world.advance_to(world.now + 90 * SECOND);
    }
    let look = |world: &mut World| call(world, "DescribeInstances", json!({}));
    assert_eq!(look(&mut world), look(&mut again));
}

#[test]
fn an_instance_tells_less_of_its_address_than_its_interface() {
    let mut world = world();
    let net = net(&mut world);
    let run = json!({
        "ImageId": image("x86_64"), "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": net.subnet,
    });
    let id = call(&mut world, "RunInstances", run)["Instances"][0]["InstanceId"].clone();
    world.advance_to(world.now + 90 * SECOND);
    let address = call(&mut world, "AllocateAddress", json!({}))["AllocationId"].clone();
    call(&mut world, "AssociateAddress", json!({"AllocationId": address, "InstanceId": id}));
    let found = call(&mut world, "DescribeInstances", json!({"InstanceIds": [id]}));
    let association = &found["Reservations"][0]["Instances"][0]["NetworkInterfaces"][0]["Association"];
    assert!(
        association["PublicIp"].is_string() && association.get("AllocationId").is_none(),
        "{association}"
    );
}

pub(super) fn launched(world: &mut World, mut input: Json) -> Json {
    for (name, value) in [("ImageId", json!(image("x86_64"))), ("MinCount", json!(1)), ("MaxCount", json!(1))]
    {
        input[name] = value;
    }
    call(world, "RunInstances", input)["Instances"][0].clone()
}

#[test]
fn an_instance_carries_the_template_it_came_from() {
    let mut world = world();
    let input = json!({
        "LaunchTemplateName": "web",
        "LaunchTemplateData": {
            "InstanceType": "t3.small", "KeyName": "k",
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "a"}]}],
        },
    });
    let template = id(&call(&mut world, "CreateLaunchTemplate", input), "/LaunchTemplate/LaunchTemplateId");
    call(&mut world, "CreateKeyPair", json!({"KeyName": "k"}));
    // What the request gives replaces what the template says; tags are merged.
    let instance = launched(
        &mut world,
        json!({
            "LaunchTemplate": {"LaunchTemplateId": template}, "InstanceType": "t3.large",
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "name", "Value": "b"}]}],
        }),
    );
    assert_eq!(
        (instance["InstanceType"].as_str(), instance["KeyName"].as_str()),
        (Some("t3.large"), Some("k"))
    );
    let tag = |key: &str| {
        let found = instance.list("Tags").iter().find(|tag| tag.text("Key") == Some(key));
        found.and_then(|tag| tag.text("Value")).unwrap_or_default().to_owned()
    };
    assert_eq!([tag("team"), tag("name")], ["a", "b"]);
    assert_eq!(
        [tag("aws:ec2launchtemplate:id"), tag("aws:ec2launchtemplate:version")],
        [template.as_str(), "1"]
    );
}

#[test]
fn secondary_addresses_are_taken_from_the_subnet_and_given_back() {
    let mut world = world();
    let net = net(&mut world);
    let free = |world: &mut World| {
        call(world, "DescribeSubnets", json!({"SubnetIds": [net.subnet]}))["Subnets"][0]["AvailableIpAddressCount"]
            .as_i64()
    };
    let before = free(&mut world);
    let input = json!({"SubnetId": net.subnet, "SecondaryPrivateIpAddressCount": 2});
    let eni = id(&call(&mut world, "CreateNetworkInterface", input), "/NetworkInterface/NetworkInterfaceId");
    assert_eq!(free(&mut world), before.map(|count| count - 3));
    let shown = call(&mut world, "DescribeNetworkInterfaces", json!({"NetworkInterfaceIds": [eni]}));
    let second = id(&shown, "/NetworkInterfaces/0/PrivateIpAddresses/1/PrivateIpAddress");
    let input = json!({"NetworkInterfaceId": eni, "PrivateIpAddresses": [second]});
    call(&mut world, "UnassignPrivateIpAddresses", input.clone());
    assert_eq!(free(&mut world), before.map(|count| count - 2));
    assert_eq!(refused(&mut world, "UnassignPrivateIpAddresses", input).0, "InvalidParameterValue");
    call(&mut world, "DeleteNetworkInterface", json!({"NetworkInterfaceId": eni}));
    assert_eq!(free(&mut world), before);
}

#[test]
fn a_protected_instance_is_neither_stopped_nor_terminated() {
    let mut world = world();
    let instance = launched(&mut world, json!({"InstanceType": "t3.small", "DisableApiStop": true}));
    let named = json!({"InstanceIds": [instance["InstanceId"]]});
    let terminate =
        json!({"InstanceId": instance["InstanceId"], "Attribute": "disableApiTermination", "Value": "true"});
    call(&mut world, "ModifyInstanceAttribute", terminate);
    for operation in ["StopInstances", "TerminateInstances"] {
        assert_eq!(refused(&mut world, operation, named.clone()).0, "OperationNotPermitted", "{operation}");
    }
}

#[test]
fn an_interface_outlives_its_instance_if_asked_to() {
    let mut world = world();
    let net = net(&mut world);
    let instance = launched(
        &mut world,
        json!({
            "InstanceType": "t3.small",
            "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": net.subnet, "DeleteOnTermination": false}],
        }),
    );
    let eni = id(&instance, "/NetworkInterfaces/0/NetworkInterfaceId");
    call(&mut world, "TerminateInstances", json!({"InstanceIds": [instance["InstanceId"]]}));
    world.advance_to(world.now + 5 * MINUTE);
    let (_, message) = refused(&mut world, "DeleteSubnet", json!({"SubnetId": net.subnet}));
    assert!(message.contains(&eni), "{message}");
    call(&mut world, "DeleteNetworkInterface", json!({"NetworkInterfaceId": eni}));
    call(&mut world, "DeleteSubnet", json!({"SubnetId": net.subnet}));
}

const RSA: &str = concat!(
    "ssh-rsa ",
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDusXfgTE4eBP50NglSzCSEGnIL6+cr6m3H6cZANOQ+P1o/W4BdtcAL3sor4iGi7SOeJgo",
    "8kweyMQrhrt6HaKGgromRiz37LQx4YIAcBi4Zd023mO/V7Rc2Chh18mWgLSmA6ng+j37ip6452zxtv0jHAz9pJolbKBpJzbZlPN4",
    "5ZCTk9ck0fSVHRl6VRSSPQcpqi65XpRf+35zNOCGCc1mAOOTmw59Q2a6A3t8mL7r91aM5q6QOQm219lctFM8O7HRJnDgmhGpnjRw",
    "E1LyKktWTbgFZ4SNWU2XqusUO07jKuSxzPumXBeU+JEtx0J1tqZwJlpGt2R+0qN7nKnPl2+hx",
    " somebody",
);
const RSA_FINGERPRINT: &str = "6a:49:07:1c:7e:bd:d2:bd:96:25:fe:b5:74:83:ae:fd";

/// The MD5 of the DER form (EC2 User Guide, "Verify the fingerprint of your key pair"); key and fingerprint are those
/// of moto's tests.
#[test]
fn an_imported_key_has_the_fingerprint_of_its_public_half() {
    use base64::Engine;
    let mut world = world();
    let mut import = |name: &str, key: &str| {
        let material = base64::engine::general_purpose::STANDARD.encode(key);
        try_call(&mut world, "ImportKeyPair", json!({"KeyName": name, "PublicKeyMaterial": material}))
    };
    let rsa = import("rsa", RSA).expect("a sound key");
    assert_eq!(rsa["KeyFingerprint"], RSA_FINGERPRINT);
    let error = import("other", "ssh-rsa AAAA").expect_err("no key");
    assert_eq!(error.code, "InvalidKey.Format");
}
