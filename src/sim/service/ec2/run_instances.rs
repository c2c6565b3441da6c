//! Launching: the request over its launch template to a complete specification, then to an instance.

use super::images::{image_in, no_image};
use super::instance_types::instance_type;
use super::interfaces::{new_interface, public_address};
use super::launch_templates::{overlay, resolve};
use super::network::{default_vpc, no_subnet};
use super::query::{absent, check_tags, fail, lean, new_tags, once, tags_from};
use super::state::{Attachment, Instance, InstanceState, Tags};
use super::{Event, instances};
use crate::World;
use crate::service::{Answer, ApiError, Input, iam, servicequotas, ssm};
use crate::world::{self, Millis, SECOND};
use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// pending → running takes half a minute to a minute; status checks pass some two minutes later.
const BOOTS: Millis = 30 * SECOND;
const CHECKS: Millis = 120 * SECOND;

/// What an instance is launched from (by RunInstances or by a group), launch template already merged.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LaunchSpec {
    pub image_id: String,
    pub instance_type: String,
    pub subnet_id: String,
    pub security_group_ids: Vec<String>,
    pub instance_profile_arn: Option<String>,
    /// Decoded text.
    pub user_data: String,
    pub launch_template: Option<(String, i64)>,
    pub spot: bool,
    pub tags: Tags,
    pub associate_public_ip: Option<bool>,
    pub key_name: Option<String>,
    pub private_ip: Option<String>,
    /// An interface made before, instead of a new one.
    pub interface: Option<String>,
    pub volume_tags: Tags,
    pub interface_tags: Tags,
    pub client_token: Option<String>,
    /// BlockDeviceMappings over the image's own.
    pub block_devices: Vec<Json>,
    /// MetadataOptions as given.
    pub metadata: Option<Json>,
    pub credits: Option<String>,
    pub monitoring: bool,
    pub ebs_optimized: bool,
    pub no_api_termination: bool,
    pub no_api_stop: bool,
    pub shutdown_behavior: Option<String>,
    pub tenancy: Option<String>,
    #[serde(default)]
    pub hibernation: bool,
    /// Placement as given.
    #[serde(default)]
    pub placement: Option<Json>,
    /// Whether the interface at index 0 goes with the instance; by default one that is made for it does.
    #[serde(default)]
    pub interface_goes: Option<bool>,
    #[serde(default)]
    pub secondary_ips: Vec<String>,
    #[serde(default)]
    pub secondary_ip_count: i64,
    #[serde(default)]
    pub ipv6: Vec<String>,
    #[serde(default)]
    pub ipv6_count: i64,
    /// NetworkInterfaces at other indexes than 0, as given.
    #[serde(default)]
    pub other_interfaces: Vec<Json>,
}

/// From launch data (a template's, or one with a request's members laid over it). The subnet may be
/// given later by whoever launches.
pub fn spec_from(world: &World, data: &Json) -> Result<LaunchSpec, ApiError> {
    let eni = data.list("NetworkInterfaces").iter().find(|eni| eni.int("DeviceIndex").unwrap_or(0) == 0);
    let from_eni = |name: &str| eni.and_then(|eni| eni.text(name));
    let owned = |texts: Vec<&str>| -> Vec<String> { texts.into_iter().map(str::to_owned).collect() };
    let mut groups = owned(data.texts("SecurityGroupIds"));
    if let Some(eni) = eni.filter(|eni| !eni.list("Groups").is_empty()) {
        groups = owned(eni.texts("Groups"));
    }
    let tags = |kind: &str| new_tags(data, kind);
    let placement = data.get("Placement");
    let addresses = eni.map_or(&[][..], |eni| eni.list("PrivateIpAddresses"));
    let (first, rest): (Vec<&Json>, Vec<&Json>) =
        addresses.iter().partition(|address| address.flag("Primary") == Some(true));
    let primary = first.first().and_then(|address| address.text("PrivateIpAddress"));
    let ipv6 = eni.unwrap_or(data).list("Ipv6Addresses");
    let count = |name: &str| eni.and_then(|eni| eni.int(name)).or(data.int(name)).unwrap_or(0);
    let market = data.get("InstanceMarketOptions").and_then(|options| options.text("MarketType"));
    Ok(LaunchSpec {
        image_id: checked_image(world, data.text("ImageId").unwrap_or_default())?,
        instance_type: data.text("InstanceType").unwrap_or("m1.small").to_owned(),
        subnet_id: data.text("SubnetId").or(from_eni("SubnetId")).unwrap_or_default().to_owned(),
        security_group_ids: groups,
        instance_profile_arn: profile(world, data.get("IamInstanceProfile"))?,
        user_data: plain(data.text("UserData").unwrap_or_default())?,
        launch_template: None,
        spot: market == Some("spot"),
        tags: tags("instance"),
        associate_public_ip: eni.and_then(|eni| eni.flag("AssociatePublicIpAddress")),
        key_name: data.text("KeyName").map(str::to_owned),
        private_ip: data
            .text("PrivateIpAddress")
            .or(from_eni("PrivateIpAddress"))
            .or(primary)
            .map(str::to_owned),
        interface: from_eni("NetworkInterfaceId").map(str::to_owned),
        volume_tags: tags("volume"),
        interface_tags: tags("network-interface"),
        client_token: data.text("ClientToken").map(str::to_owned),
        block_devices: data.list("BlockDeviceMappings").to_vec(),
        metadata: data.get("MetadataOptions").cloned(),
        credits: data.get("CreditSpecification").and_then(|c| c.text("CpuCredits")).map(str::to_owned),
        monitoring: data.get("Monitoring").and_then(|m| m.flag("Enabled")).unwrap_or(false),
        ebs_optimized: data.flag("EbsOptimized").unwrap_or(false),
        no_api_termination: data.flag("DisableApiTermination").unwrap_or(false),
        no_api_stop: data.flag("DisableApiStop").unwrap_or(false),
        shutdown_behavior: data.text("InstanceInitiatedShutdownBehavior").map(str::to_owned),
        tenancy: placement.and_then(|placement| placement.text("Tenancy")).map(str::to_owned),
        hibernation: data.get("HibernationOptions").and_then(|h| h.flag("Configured")).unwrap_or(false),
        placement: placement.cloned(),
        interface_goes: eni.and_then(|eni| eni.flag("DeleteOnTermination")),
        secondary_ips: rest
            .iter()
            .filter_map(|address| address.text("PrivateIpAddress"))
            .map(str::to_owned)
            .collect(),
        secondary_ip_count: count("SecondaryPrivateIpAddressCount"),
        ipv6: ipv6.iter().filter_map(|one| one.text("Ipv6Address")).map(str::to_owned).collect(),
        ipv6_count: count("Ipv6AddressCount"),
        other_interfaces: data
            .list("NetworkInterfaces")
            .iter()
            .filter(|eni| eni.int("DeviceIndex").unwrap_or(0) != 0)
            .cloned()
            .collect(),
    })
}

/// `resolve:ssm:` stands for the parameter's value at launch; what does not resolve stays as it is.
pub fn real_image(world: &World, given: &str) -> String {
    let parameter = given.strip_prefix("resolve:ssm:");
    // A version or label may follow the name.
    let name = parameter.map(|text| text.split(':').next().unwrap_or_default());
    name.and_then(|name| ssm::value(world, name)).unwrap_or_else(|| given.to_owned())
}

fn checked_image(world: &World, given: &str) -> Result<String, ApiError> {
    let image = real_image(world, given);
    match image.strip_prefix("resolve:ssm:") {
        None => Ok(image),
        Some(name) => {
            let message = format!("Could not resolve the SSM parameter {name} to an image id");
            fail("InvalidParameterValue", message)
        }
    }
}

pub fn plain(user_data: &str) -> Result<String, ApiError> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(user_data.trim());
    let bytes =
        bytes.map_err(|_| ApiError::new("InvalidParameterValue", "Invalid BASE64 encoding of user data."))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn profile(world: &World, given: Option<&Json>) -> Result<Option<String>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    Ok(match (given.text("Arn"), given.text("Name")) {
        (Some(arn), _) => Some(known_profile(world, arn, "arn")?),
        (None, Some(name)) => Some(known_profile(world, name, "name")?),
        (None, None) => None,
    })
}

fn known_profile(world: &World, given: &str, member: &str) -> Result<String, ApiError> {
    let known = world.now - world.faults.iam_delay(world.now);
    let found = iam::instance_profile(world, given).filter(|profile| profile.created <= known);
    let found = found.map(|profile| profile.arn(world));
    found.ok_or_else(|| {
        let noun = if member == "arn" { "ARN" } else { "name" };
        let message = format!(
            "Value ({given}) for parameter iamInstanceProfile.{member} is invalid. Invalid IAM Instance Profile {noun}"
        );
        ApiError::new("InvalidParameterValue", message)
    })
}

/// Launches one instance: pending now, running later (then `ecs::instance_running` is told).
pub fn launch(world: &mut World, spec: LaunchSpec) -> Result<String, ApiError> {
    let reservation = world.id("r");
    launch_in(world, spec, &reservation, 0)
}

fn check(world: &World, spec: &LaunchSpec) -> Result<(), ApiError> {
    if spec.image_id.is_empty() {
        return Err(absent("ImageId"));
    }
    let image = image_in(world, &spec.image_id).ok_or_else(|| no_image(&spec.image_id))?;
    let Some(kind) = instance_type(&spec.instance_type) else {
        let message = format!("Invalid value '{}' for InstanceType.", spec.instance_type);
        return fail("InvalidParameterValue", message);
    };
    if kind.arch != image.arch {
        let message = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the \
             specified AMI. Specify an instance type and an AMI that have matching architectures, and try \
             again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture \
             of the instance type or AMI.",
            kind.arch, image.arch
        );
        return fail("InvalidParameterValue", message);
    }
    if let Some(key) = &spec.key_name
        && !world.ec2.key_pairs.contains_key(key)
    {
        return fail("InvalidKeyPair.NotFound", format!("The key pair '{key}' does not exist"));
    }
    Ok(())
}

/// The code with which launches fail for lack of capacity (EC2 API error codes).
pub const NO_CAPACITY: &str = "InsufficientInstanceCapacity";

fn capacity(world: &World, spec: &LaunchSpec) -> Result<(), ApiError> {
    let Some(subnet) = world.ec2.subnets.get(&spec.subnet_id) else { return Ok(()) };
    if !world.faults.no_capacity(world.now, &spec.instance_type, &subnet.zone) {
        return Ok(());
    }
    if spec.spot {
        return fail(NO_CAPACITY, "There is no Spot capacity available that matches your request.");
    }
    let message = format!(
        "We currently do not have sufficient {} capacity in the Availability Zone you requested ({}). Our \
         system will be working on provisioning additional capacity.",
        spec.instance_type, subnet.zone
    );
    fail(NO_CAPACITY, message)
}

/// The quota for vCPUs: "You have reached the limit on the number of vCPUs" (EC2 API error codes, VcpuLimitExceeded;
/// of spot instances MaxSpotInstanceCountExceeded).
pub fn vcpu_quota(world: &World, instance_type: &str, spot: bool) -> Result<(), ApiError> {
    let Some((limit, counts)) = servicequotas::vcpus(world, instance_type, spot) else { return Ok(()) };
    // No need to count: even the largest ones would be fewer.
    if (world.ec2.instances.len() as f64 + 1.0) * MOST_VCPUS <= limit {
        return Ok(());
    }
    let of = |name: &str| super::instance_types::instance_type(name).map_or(0, |one| one.vcpus);
    let running = world.ec2.instances.values().filter(|one| {
        matches!(one.state, InstanceState::Pending | InstanceState::Running)
            && counts(&one.spec.instance_type, one.spec.spot)
    });
    let used: i64 = running.map(|one| of(&one.spec.instance_type)).sum();
    if (used + of(instance_type)) as f64 <= limit {
        return Ok(());
    }
    if spot {
        return fail("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded");
    }
    let message = format!(
        "You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket \
         that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to \
         request an adjustment to this limit."
    );
    fail("VcpuLimitExceeded", message)
}

/// Of any instance type, and more.
const MOST_VCPUS: f64 = 1_024.0;

pub fn launch_in(
    world: &mut World,
    spec: LaunchSpec,
    reservation: &str,
    launch_index: i64,
) -> Result<String, ApiError> {
    check(world, &spec)?;
    vcpu_quota(world, &spec.instance_type, spec.spot)?;
    capacity(world, &spec)?;
    let eni = match &spec.interface {
        Some(eni) => {
            let found = world.ec2.interfaces.get(eni).ok_or_else(|| super::interfaces::no_interface(eni))?;
            if found.attachment.is_some() {
                return fail("InvalidNetworkInterface.InUse", format!("Interface: [{eni}] in use."));
            }
            eni.clone()
        }
        None => {
            let groups = &spec.security_group_ids;
            new_interface(world, &spec.subnet_id, "", groups, spec.private_ip.as_deref())?
        }
    };
    if spec.interface.is_none()
        && let Err(error) = give_addresses(world, &eni, &spec)
    {
        super::delete_interface(world, &eni);
        return Err(error);
    }
    let id = world.id("i");
    let public = spec
        .associate_public_ip
        .unwrap_or_else(|| world.ec2.subnets.get(&spec.subnet_id).is_some_and(|subnet| subnet.map_public_ip));
    let public_ip = public.then(|| public_address(world));
    let attachment = Attachment {
        id: world.id("eni-attach"),
        instance: Some(id.clone()),
        device_index: 0,
        at: world.now,
        delete_on_termination: spec.interface_goes.unwrap_or(spec.interface.is_none()),
    };
    world.ec2.attach(&eni, Some(attachment));
    let interface = world.ec2.interfaces.get_mut(&eni).expect("made or seen above");
    if spec.interface.is_none() {
        interface.public_ip.clone_from(&public_ip);
    }
    let (vpc, zone) = (interface.vpc.clone(), interface.zone.clone());
    let (subnet_id, groups) = (interface.subnet.clone(), interface.groups.clone());
    let private_ip = interface.private_ip.clone();
    let others = attach_others(world, &spec, &id)?;
    let volumes = volumes(world, &spec, &id, &zone);
    let boots = BOOTS + super::gateways::jitter(world, 30) + world.faults.slower_boot(world.now);
    for (tagged, tags) in [(&id, &spec.tags), (&eni, &spec.interface_tags)] {
        if !tags.is_empty() {
            world.ec2.tags.entry(tagged.clone()).or_default().extend(tags.clone());
        }
    }
    let instance = Instance {
        id: id.clone(),
        reservation: reservation.to_owned(),
        launch_index,
        spec: LaunchSpec { subnet_id, security_group_ids: groups, ..spec },
        state: InstanceState::Pending,
        boots: 1,
        vpc,
        zone,
        private_ip,
        public_ip,
        interface: Some(eni),
        others,
        volumes,
        launched: world.now,
        checks_pass: world.now + boots + CHECKS,
        reason: None,
        transition: String::new(),
        source_dest_check: true,
        spot_notice: None,
    };
    world.ec2.instances.insert(id.clone(), instance);
    super::instances::tell_state(world, &id);
    world.schedule(boots, world::Event::Ec2(Event::InstanceRunning(id.clone(), 1)));
    world.tell("ec2", "instance", &id, "pending", None);
    Ok(id)
}

/// Further addresses of the first interface, as asked for or as the subnet gives every new one.
fn give_addresses(world: &mut World, eni: &str, spec: &LaunchSpec) -> Result<(), ApiError> {
    super::interfaces::add_private(world, eni, &spec.secondary_ips, spec.secondary_ip_count)?;
    let subnet = world.ec2.subnets.get(&spec.subnet_id);
    let by_itself = subnet.is_some_and(|subnet| subnet.assign_ipv6 && subnet.ipv6.is_some());
    let count = if spec.ipv6.is_empty() && by_itself { spec.ipv6_count.max(1) } else { spec.ipv6_count };
    super::interfaces::add_ipv6(world, eni, &spec.ipv6, count)
}

/// The interfaces at other device indexes: made, or made before.
fn attach_others(world: &mut World, spec: &LaunchSpec, instance: &str) -> Result<Vec<String>, ApiError> {
    let mut attached = Vec::new();
    for given in &spec.other_interfaces {
        let made = given.text("NetworkInterfaceId").is_none();
        let eni = match given.text("NetworkInterfaceId") {
            Some(eni) => eni.to_owned(),
            None => {
                let groups: Vec<String> = given.texts("Groups").into_iter().map(str::to_owned).collect();
                let subnet = given.text("SubnetId").unwrap_or(&spec.subnet_id);
                let description = given.text("Description").unwrap_or_default();
                new_interface(world, subnet, description, &groups, given.text("PrivateIpAddress"))?
            }
        };
        let attachment = Attachment {
            id: world.id("eni-attach"),
            instance: Some(instance.to_owned()),
            device_index: given.int("DeviceIndex").unwrap_or(1),
            at: world.now,
            delete_on_termination: given.flag("DeleteOnTermination").unwrap_or(made),
        };
        let found = world.ec2.interfaces.get(&eni).ok_or_else(|| super::interfaces::no_interface(&eni))?;
        if found.attachment.is_some() {
            return fail("InvalidNetworkInterface.InUse", format!("Interface: [{eni}] in use."));
        }
        world.ec2.attach(&eni, Some(attachment));
        attached.push(eni);
    }
    Ok(attached)
}

/// Instances launched from a template carry it as tags (EC2 User Guide, "Launch instances from a launch
/// template").
pub fn template_tags(id: &str, version: &str) -> [(String, String); 2] {
    [
        ("aws:ec2launchtemplate:id".to_owned(), id.to_owned()),
        ("aws:ec2launchtemplate:version".to_owned(), version.to_owned()),
    ]
}

/// What EC2 refuses of block device mappings before it launches anything.
fn check_mappings(world: &World, data: &Json) -> Result<(), ApiError> {
    for mapping in data.list("BlockDeviceMappings") {
        let ephemeral = mapping.get("VirtualName").is_some() || mapping.get("NoDevice").is_some();
        match mapping.get("Ebs") {
            None if !ephemeral => return Err(absent("Ebs")),
            Some(ebs) if ebs.as_object().is_some_and(|ebs| !ebs.is_empty()) => {
                let sized = ebs.get("VolumeSize").is_some() || ebs.get("SnapshotId").is_some();
                let device = mapping.text("DeviceName").unwrap_or_default();
                let root = image_in(world, data.text("ImageId").unwrap_or_default())
                    .is_some_and(|image| image.root_device == device);
                if !sized && !root {
                    return Err(absent("size or snapshotId"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_network(input: &Json) -> Result<(), ApiError> {
    if input.list("NetworkInterfaces").is_empty() {
        return Ok(());
    }
    let groups = !input.list("SecurityGroupIds").is_empty() || !input.list("SecurityGroups").is_empty();
    for (given, what) in [(input.text("SubnetId").is_some(), "subnet ID"), (groups, "security groups")] {
        if given {
            let message = format!(
                "Network interfaces and an instance-level {what} may not be specified on the same request"
            );
            return fail("InvalidParameterCombination", message);
        }
    }
    Ok(())
}

/// The image's volumes, changed and joined by the mappings of the request.
fn volumes(world: &mut World, spec: &LaunchSpec, instance: &str, zone: &str) -> Vec<(String, String)> {
    let image = image_in(world, &spec.image_id).expect("checked before");
    let (root_device, size, kind) = (image.root_device.to_owned(), image.size, image.volume_type());
    let snapshot = image.snapshot.to_owned();
    let root = json!({
        "DeviceName": root_device,
        "Ebs": {"VolumeSize": size, "VolumeType": kind, "SnapshotId": snapshot},
    });
    let own = world.ec2.images.get(&spec.image_id).map(super::own_images::OwnImage::mappings);
    let mut mappings = own.filter(|own| !own.is_empty()).unwrap_or_else(|| vec![root]);
    for given in &spec.block_devices {
        let device = given.text("DeviceName").unwrap_or_default();
        match mappings.iter_mut().find(|mapping| mapping.text("DeviceName") == Some(device)) {
            Some(mapping) if given.get("Ebs").is_some() => overlay(&mut mapping["Ebs"], &given["Ebs"]),
            Some(mapping) => *mapping = given.clone(),
            None => mappings.push(given.clone()),
        }
    }
    let mut made = Vec::new();
    for mapping in mappings {
        let Some(ebs) = mapping.get("Ebs").filter(|_| mapping.get("NoDevice").is_none()) else { continue };
        let device = mapping.text("DeviceName").unwrap_or_default().to_owned();
        let volume = super::volumes::new_volume(world, ebs, zone);
        volume.instance = Some(instance.to_owned());
        volume.device.clone_from(&device);
        volume.delete_on_termination = ebs.flag("DeleteOnTermination").unwrap_or(true);
        let id = volume.id.clone();
        if !spec.volume_tags.is_empty() {
            world.ec2.tags.insert(id.clone(), spec.volume_tags.clone());
        }
        made.push((device, id));
    }
    made
}

pub fn run_instances(world: &mut World, input: &Json) -> Answer {
    check_tags(
        input,
        &[
            "instance",
            "volume",
            "network-interface",
            "spot-instances-request",
            "elastic-gpu",
            "capacity-reservation",
        ],
    )?;
    once(world, "RunInstances", input, |world, input| {
        let (data, template) = match input.get("LaunchTemplate") {
            None => (input.clone(), None),
            Some(specification) => {
                let found = resolve(world, specification)?;
                let mut data = found.data;
                let tags = merged_tags(&data, input);
                overlay(&mut data, input);
                data["TagSpecifications"] = tags;
                (data, Some((found.id, found.version)))
            }
        };
        check_network(&data)?;
        check_mappings(world, &data)?;
        let mut spec = spec_from(world, &data)?;
        if let Some((id, version)) = &template {
            spec.tags.extend(template_tags(id, &version.to_string()));
        }
        spec.launch_template = template;
        place(world, &data, &mut spec)?;
        let most = input.int("MaxCount").unwrap_or(1);
        let least = input.int("MinCount").unwrap_or(1);
        if least < 1 || most < least {
            let message = format!(
                "Value ({most}) for parameter maxCount is invalid. Must be at least minCount, which must be at least 1."
            );
            return fail("InvalidParameterValue", message);
        }
        let reservation = world.id("r");
        let mut made = Vec::new();
        for index in 0..most {
            match launch_in(world, spec.clone(), &reservation, index) {
                Ok(id) => made.push(id),
                // Between the least and the most, EC2 launches as many as it can.
                Err(error) if (made.len() as i64) < least => {
                    made.iter().for_each(|id| instances::vanish(world, id));
                    return Err(error);
                }
                Err(_) => break,
            }
        }
        Ok(lean(json!({
            "ReservationId": reservation, "OwnerId": world.account, "Groups": [],
            "Instances": made.iter().map(|id| instances::instance_json(world, id)).collect::<Vec<_>>(),
        })))
    })
}

/// Tags of template and request are merged a resource type; the request wins a key.
fn merged_tags(template: &Json, input: &Json) -> Json {
    let kinds = template.list("TagSpecifications").iter().chain(input.list("TagSpecifications"));
    let mut merged: std::collections::BTreeMap<&str, Tags> = Default::default();
    for spec in kinds {
        let kind = spec.text("ResourceType").unwrap_or_default();
        merged.entry(kind).or_default().extend(tags_from(spec.list("Tags")));
    }
    let spec = |(kind, tags): (&&str, &Tags)| {
        let tags = super::query::tags_json(Some(tags));
        json!({"ResourceType": kind, "Tags": tags})
    };
    Json::Array(merged.iter().map(spec).collect())
}

/// Without a subnet, one of the default VPC's in the wanted zone.
fn place(world: &World, data: &Json, spec: &mut LaunchSpec) -> Result<(), ApiError> {
    if spec.interface.is_some() {
        return Ok(());
    }
    if spec.subnet_id.is_empty() {
        let zone = data.get("Placement").and_then(|placement| placement.text("AvailabilityZone"));
        let Some(vpc) = default_vpc(world) else {
            let message =
                "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.";
            return fail("VPCIdNotSpecified", message);
        };
        if let Some(zone) = zone.filter(|zone| !super::zones(world).iter().any(|known| known == zone)) {
            return fail("InvalidParameterValue", format!("Invalid Availability Zone ({zone})"));
        }
        let subnets = world.ec2.subnets.values().filter(|subnet| subnet.vpc == vpc.id);
        let found = subnets.filter(|subnet| subnet.default_for_zone);
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            let message =
                format!("No subnets found for the default VPC '{}'. Please specify a subnet.", vpc.id);
            return fail("MissingInput", message);
        }
        // EC2 chooses a zone for itself: ours takes the first.
        let found = found.into_iter().filter(|subnet| zone.is_none_or(|zone| subnet.zone == zone));
        let Some(subnet) = found.min_by_key(|subnet| &subnet.zone) else {
            let zone = zone.unwrap_or_default();
            return fail("InvalidInput", format!("No default subnet for availability zone: '{zone}'."));
        };
        spec.subnet_id.clone_from(&subnet.id);
    }
    let subnet = world.ec2.subnets.get(&spec.subnet_id).ok_or_else(|| no_subnet(&spec.subnet_id))?;
    for name in data.texts("SecurityGroups") {
        let mut all = world.ec2.security_groups.values();
        let found = all.find(|group| group.vpc == subnet.vpc && group.name == name);
        let group = found.ok_or_else(|| super::security_groups::no_group(name))?;
        spec.security_group_ids.push(group.id.clone());
    }
    Ok(())
}
