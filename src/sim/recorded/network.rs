//! VPCs and what is in them.

use super::{Builder, millis, pick};
use crate::service::Input;
use crate::service::ec2::State;
use crate::service::ec2::state::{KeyPair, NatState};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const EC2: &str = "ec2";

pub fn build(b: &mut Builder) {
    if b.items(EC2, "DescribeVpcs", "Vpcs").is_empty() {
        b.filled("VPCs: the default VPC of a new account");
        return;
    }
    b.world.ec2 = State::default();
    dhcp_options(b);
    for vpc in b.items(EC2, "DescribeVpcs", "Vpcs") {
        make_vpc(b, vpc);
    }
    for subnet in b.items(EC2, "DescribeSubnets", "Subnets") {
        make_subnet(b, subnet);
    }
    for gateway in b.items(EC2, "DescribeInternetGateways", "InternetGateways") {
        let id = text(gateway, "InternetGatewayId");
        b.world.foresee("igw", &id);
        b.call(None, EC2, "CreateInternetGateway", &json!({}));
        for attachment in gateway.list("Attachments") {
            let input = json!({"InternetGatewayId": id, "VpcId": attachment["VpcId"]});
            b.call(None, EC2, "AttachInternetGateway", &input);
        }
        tag(b, &id, gateway);
    }
    security_groups(b);
    for address in b.items(EC2, "DescribeAddresses", "Addresses") {
        let id = text(address, "AllocationId");
        b.world.foresee("eipalloc", &id);
        b.world.foresee("public-ip", &text(address, "PublicIp"));
        b.call(None, EC2, "AllocateAddress", &json!({"Domain": "vpc"}));
        tag(b, &id, address);
    }
    for nat in b.items(EC2, "DescribeNatGateways", "NatGateways") {
        make_nat(b, nat);
    }
    route_tables(b);
    key_pairs(b);
    interfaces(b);
}

pub fn text(from: &Json, member: &str) -> String {
    from.text(member).unwrap_or_default().to_owned()
}

pub fn tag(b: &mut Builder, id: &str, from: &Json) {
    let pairs = from.list("Tags").iter().map(|tag| (text(tag, "Key"), text(tag, "Value")));
    let tags: BTreeMap<String, String> = pairs.collect();
    if !tags.is_empty() {
        b.world.ec2.tags.insert(id.to_owned(), tags);
    }
}

fn dhcp_options(b: &mut Builder) {
    for options in b.items(EC2, "DescribeDhcpOptions", "DhcpOptions") {
        let values = options.list("DhcpConfigurations").iter().map(|one| {
            let values = one.list("Values").iter().map(|value| text(value, "Value"));
            (text(one, "Key"), values.collect())
        });
        b.world.ec2.dhcp_options.insert(text(options, "DhcpOptionsId"), values.collect());
    }
}

/// What belongs to this VPC and has this flag set.
fn default_of<'a>(items: &[&'a Json], vpc: &str, is: impl Fn(&Json) -> bool) -> Option<&'a Json> {
    items.iter().copied().find(|item| item.text("VpcId") == Some(vpc) && is(item))
}

fn make_vpc(b: &mut Builder, vpc: &Json) {
    let id = text(vpc, "VpcId");
    b.world.foresee("vpc", &id);
    let blocks = vpc.list("CidrBlockAssociationSet");
    if let Some(first) = blocks.first() {
        b.world.foresee("vpc-cidr-assoc", &text(first, "AssociationId"));
    }
    let tables = b.items(EC2, "DescribeRouteTables", "RouteTables");
    let is_main = |association: &Json| association.flag("Main") == Some(true);
    match default_of(&tables, &id, |table| table.list("Associations").iter().any(is_main)) {
        Some(main) => {
            b.world.foresee("rtb", &text(main, "RouteTableId"));
            let association = main.list("Associations").iter().find(|one| is_main(one));
            b.world.foresee(
                "rtbassoc",
                &association.map_or(String::new(), |one| text(one, "RouteTableAssociationId")),
            );
        }
        None => b.filled(format!("{id}: a main route table without routes")),
    }
    let lists = b.items(EC2, "DescribeNetworkAcls", "NetworkAcls");
    match default_of(&lists, &id, |list| list.flag("IsDefault") == Some(true)) {
        Some(list) => b.world.foresee("acl", &text(list, "NetworkAclId")),
        None => b.filled(format!("{id}: a default network ACL that allows everything")),
    }
    let groups = b.items(EC2, "DescribeSecurityGroups", "SecurityGroups");
    match default_of(&groups, &id, |group| group.text("GroupName") == Some("default")) {
        Some(group) => b.world.foresee("sg", &text(group, "GroupId")),
        None => b.filled(format!("{id}: a default security group with the usual rules")),
    }
    let input = json!({"CidrBlock": vpc["CidrBlock"], "InstanceTenancy": vpc["InstanceTenancy"]});
    b.call(None, EC2, "CreateVpc", &input);
    for block in blocks.iter().skip(1) {
        b.world.foresee("vpc-cidr-assoc", &text(block, "AssociationId"));
        b.call(None, EC2, "AssociateVpcCidrBlock", &json!({"VpcId": id, "CidrBlock": block["CidrBlock"]}));
    }
    let attribute = |name: &str| {
        let about = |answer: &&super::Answer| answer.output.text("VpcId") == Some(&id);
        let answers = b.answers(EC2, "DescribeVpcAttribute");
        answers.into_iter().filter(about).find_map(|answer| answer.output.get(name)?.flag("Value"))
    };
    let (support, names) = (attribute("EnableDnsSupport"), attribute("EnableDnsHostnames"));
    if support.is_none() || names.is_none() {
        b.filled(format!("{id}: DNS support and DNS host names where nothing says otherwise"));
    }
    if let Some(made) = b.world.ec2.vpcs.get_mut(&id) {
        made.is_default = vpc.flag("IsDefault") == Some(true);
        made.dns_support = support.unwrap_or(true);
        made.dns_hostnames = names.unwrap_or(true);
        made.dhcp_options = text(vpc, "DhcpOptionsId");
    }
    tag(b, &id, vpc);
}

fn make_subnet(b: &mut Builder, subnet: &Json) {
    let id = text(subnet, "SubnetId");
    b.world.foresee("subnet", &id);
    let lists = b.items(EC2, "DescribeNetworkAcls", "NetworkAcls");
    let association = lists.iter().flat_map(|list| list.list("Associations"));
    if let Some(one) = association.into_iter().find(|one| one.text("SubnetId") == Some(&id)) {
        b.world.foresee("aclassoc", &text(one, "NetworkAclAssociationId"));
    }
    let input = pick(subnet, &["VpcId", "CidrBlock", "AvailabilityZone"]);
    b.call(None, EC2, "CreateSubnet", &input);
    if let Some(made) = b.world.ec2.subnets.get_mut(&id) {
        made.map_public_ip = subnet.flag("MapPublicIpOnLaunch") == Some(true);
        made.default_for_zone = subnet.flag("DefaultForAz") == Some(true);
        made.assign_ipv6 = subnet.flag("AssignIpv6AddressOnCreation") == Some(true);
        made.dns64 = subnet.flag("EnableDns64") == Some(true);
        if let Some(options) = subnet.get("PrivateDnsNameOptionsOnLaunch") {
            made.hostname_type = text(options, "HostnameType");
            made.a_record = options.flag("EnableResourceNameDnsARecord") == Some(true);
            made.aaaa_record = options.flag("EnableResourceNameDnsAAAARecord") == Some(true);
        }
    }
    tag(b, &id, subnet);
}

/// First all groups, then their rules, which may name each other.
fn security_groups(b: &mut Builder) {
    let groups = b.items(EC2, "DescribeSecurityGroups", "SecurityGroups");
    for group in &groups {
        let id = text(group, "GroupId");
        if !b.world.ec2.security_groups.contains_key(&id) {
            b.world.foresee("sg", &id);
            let input = json!({"GroupName": group["GroupName"], "Description": group["Description"],
                "VpcId": group["VpcId"]});
            b.call(None, EC2, "CreateSecurityGroup", &input);
        }
        b.world.ec2.rules.retain(|_, rule| rule.group != id);
        tag(b, &id, group);
    }
    let rules = b.items(EC2, "DescribeSecurityGroupRules", "SecurityGroupRules");
    for rule in &rules {
        make_rule(b, rule);
    }
    for group in groups {
        let id = text(group, "GroupId");
        if rules.iter().any(|rule| rule.text("GroupId") == Some(&id)) {
            continue;
        }
        for (member, operation) in [
            ("IpPermissions", "AuthorizeSecurityGroupIngress"),
            ("IpPermissionsEgress", "AuthorizeSecurityGroupEgress"),
        ] {
            if !group.list(member).is_empty() {
                b.filled(format!("{id}: ids of its rules, which no DescribeSecurityGroupRules tells"));
                let input = json!({"GroupId": id, "IpPermissions": group[member]});
                b.call(None, EC2, operation, &input);
            }
        }
    }
}

fn make_rule(b: &mut Builder, rule: &Json) {
    let mut permission = pick(rule, &["IpProtocol", "FromPort", "ToPort"]);
    let described = |mut peer: Json| {
        if let Some(words) = rule.text("Description") {
            peer["Description"] = json!(words);
        }
        json!([peer])
    };
    if let Some(cidr) = rule.text("CidrIpv4") {
        permission["IpRanges"] = described(json!({"CidrIp": cidr}));
    } else if let Some(cidr) = rule.text("CidrIpv6") {
        permission["Ipv6Ranges"] = described(json!({"CidrIpv6": cidr}));
    } else if let Some(list) = rule.text("PrefixListId") {
        permission["PrefixListIds"] = described(json!({"PrefixListId": list}));
    } else if let Some(group) = rule.get("ReferencedGroupInfo") {
        permission["UserIdGroupPairs"] = described(json!({"GroupId": group["GroupId"]}));
    }
    let id = text(rule, "SecurityGroupRuleId");
    b.world.foresee("sgr", &id);
    let egress = rule.flag("IsEgress") == Some(true);
    let operation = if egress { "AuthorizeSecurityGroupEgress" } else { "AuthorizeSecurityGroupIngress" };
    b.call(None, EC2, operation, &json!({"GroupId": rule["GroupId"], "IpPermissions": [permission]}));
    tag(b, &id, rule);
}

fn make_nat(b: &mut Builder, nat: &Json) {
    let id = text(nat, "NatGatewayId");
    let state = match nat.text("State") {
        Some("pending") => NatState::Pending,
        Some("available") => NatState::Available,
        other => return b.left_out(format!("{id}, which is {}", other.unwrap_or("in no state"))),
    };
    let mut input = pick(nat, &["SubnetId", "ConnectivityType"]);
    b.world.foresee("nat", &id);
    if let Some(address) = nat.list("NatGatewayAddresses").first() {
        for (member, from) in [("AllocationId", "AllocationId"), ("PrivateIpAddress", "PrivateIp")] {
            if let Some(value) = address.text(from) {
                input[member] = json!(value);
            }
        }
        b.world.foresee("eni", &text(address, "NetworkInterfaceId"));
        b.world.foresee("eipassoc", &text(address, "AssociationId"));
    }
    b.call(millis(nat.get("CreateTime")), EC2, "CreateNatGateway", &input);
    if let Some(made) = b.world.ec2.nat_gateways.get_mut(&id) {
        made.state = state;
    }
    tag(b, &id, nat);
}

fn route_tables(b: &mut Builder) {
    for table in b.items(EC2, "DescribeRouteTables", "RouteTables") {
        let id = text(table, "RouteTableId");
        if !b.world.ec2.route_tables.contains_key(&id) {
            b.world.foresee("rtb", &id);
            b.call(None, EC2, "CreateRouteTable", &json!({"VpcId": table["VpcId"]}));
        }
        for route in table.list("Routes").iter().filter(|route| route.text("Origin") == Some("CreateRoute")) {
            let mut input = route.clone();
            if let Some(members) = input.as_object_mut() {
                for name in ["Origin", "State", "InstanceOwnerId"] {
                    members.remove(name);
                }
            }
            input["RouteTableId"] = json!(id);
            b.call(None, EC2, "CreateRoute", &input);
        }
        for association in table.list("Associations").iter().filter(|one| one.flag("Main") != Some(true)) {
            b.world.foresee("rtbassoc", &text(association, "RouteTableAssociationId"));
            let mut input = pick(association, &["SubnetId", "GatewayId"]);
            input["RouteTableId"] = json!(id);
            b.call(None, EC2, "AssociateRouteTable", &input);
        }
        tag(b, &id, table);
    }
}

fn key_pairs(b: &mut Builder) {
    for pair in b.items(EC2, "DescribeKeyPairs", "KeyPairs") {
        let made = KeyPair {
            id: text(pair, "KeyPairId"),
            name: text(pair, "KeyName"),
            fingerprint: text(pair, "KeyFingerprint"),
            kind: text(pair, "KeyType"),
            public_key: text(pair, "PublicKey"),
            created: millis(pair.get("CreateTime")).unwrap_or(b.world.now),
        };
        tag(b, &made.id, pair);
        b.world.ec2.key_pairs.insert(made.name.clone(), made);
    }
}

/// Those that somebody made by hand; the others come with what they belong to.
fn interfaces(b: &mut Builder) {
    for eni in b.items(EC2, "DescribeNetworkInterfaces", "NetworkInterfaces") {
        let own = eni.text("InterfaceType") == Some("interface")
            && eni.flag("RequesterManaged") != Some(true)
            && eni.get("Attachment").is_none_or(Json::is_null);
        if own {
            let id = text(eni, "NetworkInterfaceId");
            b.world.foresee("eni", &id);
            let mut input = pick(eni, &["SubnetId", "Description", "PrivateIpAddress"]);
            let groups: Vec<String> = eni.list("Groups").iter().map(|group| text(group, "GroupId")).collect();
            input["Groups"] = json!(groups);
            b.call(None, EC2, "CreateNetworkInterface", &input);
            tag(b, &id, eni);
        }
    }
}
