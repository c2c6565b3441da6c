//! Launch templates, instances, Auto Scaling groups.

use super::network::{tag, text};
use super::{Builder, millis, pick};
use crate::service::autoscaling::state::{Lifecycle, TemplateRef};
use crate::service::ec2::{self, InstanceState};
use crate::service::{Input, ecs};
use serde_json::{Value as Json, json};

const EC2: &str = "ec2";

pub fn build(b: &mut Builder) {
    launch_templates(b);
    for reservation in b.items(EC2, "DescribeInstances", "Reservations") {
        for instance in reservation.list("Instances") {
            make_instance(b, instance, &text(reservation, "ReservationId"));
        }
    }
}

/// Images of AWS and of the account are not known here: each behaves like the newest ECS-optimised one.
fn know_image(b: &mut Builder, id: &str, arch: &str) {
    if id.starts_with("ami-") && ec2::images::image_in(&b.world, id).is_none() {
        let stand_in = ec2::images::ecs_optimized_ami(arch, "amazon-linux-2023");
        b.world.ec2.stand_ins.insert(id.to_owned(), stand_in.to_owned());
        b.filled(format!("{id}: an image like the ECS-optimised {stand_in}"));
    }
}

fn launch_templates(b: &mut Builder) {
    let versions = b.items(EC2, "DescribeLaunchTemplateVersions", "LaunchTemplateVersions");
    for template in b.items(EC2, "DescribeLaunchTemplates", "LaunchTemplates") {
        let id = text(template, "LaunchTemplateId");
        let of_it = versions.iter().filter(|version| version.text("LaunchTemplateId") == Some(&id));
        let mut own: Vec<&&Json> = of_it.collect();
        own.sort_by_key(|version| version.int("VersionNumber"));
        if own.is_empty() {
            b.left_out(format!("{id}, of which no DescribeLaunchTemplateVersions tells the versions"));
            continue;
        }
        for (at, version) in own.iter().enumerate() {
            let data = &version["LaunchTemplateData"];
            let arch = architecture(data.text("InstanceType"));
            know_image(b, data.text("ImageId").unwrap_or_default(), arch);
            let mut input = pick(version, &["LaunchTemplateData", "VersionDescription"]);
            let when = millis(version.get("CreateTime"));
            if at == 0 {
                b.world.foresee("lt", &id);
                input["LaunchTemplateName"] = template["LaunchTemplateName"].clone();
                b.call(millis(template.get("CreateTime")), EC2, "CreateLaunchTemplate", &input);
            } else {
                input["LaunchTemplateId"] = json!(id);
                b.call(when, EC2, "CreateLaunchTemplateVersion", &input);
            }
            let number = version.int("VersionNumber").unwrap_or(1);
            if let Some(made) = b.world.ec2.launch_templates.get_mut(&id) {
                made.renumber_newest(number);
            }
        }
        if let Some(default) = template.int("DefaultVersionNumber") {
            let input = json!({"LaunchTemplateId": id, "DefaultVersion": default.to_string()});
            b.call(None, EC2, "ModifyLaunchTemplate", &input);
        }
        tag(b, &id, template);
    }
}

fn architecture(instance_type: Option<&str>) -> &'static str {
    instance_type.and_then(ec2::instance_type).map_or("x86_64", |kind| kind.arch)
}

/// What describing an instance does not tell, from the launch template that its tags name.
fn user_data(b: &mut Builder, instance: &Json) -> Option<Json> {
    let tags = instance.list("Tags");
    let tag =
        |key: &str| tags.iter().find(|tag| tag.text("Key") == Some(key)).and_then(|tag| tag.text("Value"));
    let (id, version) = (tag("aws:ec2launchtemplate:id")?, tag("aws:ec2launchtemplate:version")?);
    let found = ec2::resolve(&b.world, &json!({"LaunchTemplateId": id, "Version": version})).ok()?;
    found.data.get("UserData").cloned()
}

fn make_instance(b: &mut Builder, instance: &Json, reservation: &str) {
    let id = text(instance, "InstanceId");
    let state = match instance.get("State").and_then(|state| state.text("Name")) {
        Some("running") => InstanceState::Running,
        Some("pending") => InstanceState::Pending,
        Some("stopped" | "stopping") => InstanceState::Stopped,
        other => return b.left_out(format!("{id}, which is {}", other.unwrap_or("in no state"))),
    };
    know_image(b, &text(instance, "ImageId"), architecture(instance.text("InstanceType")));
    let mut data = pick(
        instance,
        &["ImageId", "InstanceType", "KeyName", "SubnetId", "PrivateIpAddress", "EbsOptimized", "Placement"],
    );
    let groups: Vec<String> =
        instance.list("SecurityGroups").iter().map(|group| text(group, "GroupId")).collect();
    data["SecurityGroupIds"] = json!(groups);
    if let Some(arn) = instance.get("IamInstanceProfile").and_then(|profile| profile.text("Arn")) {
        data["IamInstanceProfile"] = json!({"Arn": arn});
    }
    if instance.text("InstanceLifecycle") == Some("spot") {
        data["InstanceMarketOptions"] = json!({"MarketType": "spot"});
    }
    if instance.get("Monitoring").and_then(|one| one.text("State")) == Some("enabled") {
        data["Monitoring"] = json!({"Enabled": true});
    }
    if let Some(options) = instance.get("MetadataOptions") {
        data["MetadataOptions"] = pick(
            options,
            &[
                "HttpTokens",
                "HttpEndpoint",
                "HttpPutResponseHopLimit",
                "InstanceMetadataTags",
                "HttpProtocolIpv6",
            ],
        );
    }
    match user_data(b, instance) {
        Some(text) => data["UserData"] = text,
        None => b.filled(format!("{id}: no user data")),
    }
    volumes(b, instance, &mut data);
    foresee_instance(b, instance);
    let index = instance.int("AmiLaunchIndex").unwrap_or(0);
    let spec = ec2::spec_from(&b.world, &data);
    let made = spec.and_then(|spec| {
        b.at(millis(instance.get("LaunchTime")), |world| ec2::launch_in(world, spec, reservation, index))
    });
    b.world.forget_foreseen();
    if let Err(error) = made {
        return b.left_out(format!("{id}: {}: {}", error.code, error.message));
    }
    if let Some(made) = b.world.ec2.instances.get_mut(&id) {
        made.state = state;
        made.spec.client_token = instance.text("ClientToken").map(str::to_owned);
    }
    tag(b, &id, instance);
}

fn foresee_instance(b: &mut Builder, instance: &Json) {
    b.world.foresee("i", &text(instance, "InstanceId"));
    if let Some(eni) = instance.list("NetworkInterfaces").first() {
        b.world.foresee("eni", &text(eni, "NetworkInterfaceId"));
        b.world.foresee("mac", &text(eni, "MacAddress"));
        if let Some(attachment) = eni.get("Attachment") {
            b.world.foresee("eni-attach", &text(attachment, "AttachmentId"));
        }
    }
    for device in instance.list("BlockDeviceMappings") {
        b.world.foresee("vol", &device.get("Ebs").map_or(String::new(), |ebs| text(ebs, "VolumeId")));
    }
    if let Some(ip) = instance.text("PublicIpAddress") {
        b.world.foresee("public-ip", ip);
    }
}

/// Block devices, with what DescribeVolumes tells of them.
fn volumes(b: &mut Builder, instance: &Json, data: &mut Json) {
    let known = b.items(EC2, "DescribeVolumes", "Volumes");
    let mut mappings = Vec::new();
    for device in instance.list("BlockDeviceMappings") {
        let Some(ebs) = device.get("Ebs") else { continue };
        let id = text(ebs, "VolumeId");
        let mut made = pick(ebs, &["DeleteOnTermination"]);
        match known.iter().find(|volume| volume.text("VolumeId") == Some(&id)) {
            Some(volume) => {
                for (member, from) in [
                    ("VolumeSize", "Size"),
                    ("VolumeType", "VolumeType"),
                    ("Iops", "Iops"),
                    ("Throughput", "Throughput"),
                    ("Encrypted", "Encrypted"),
                    ("KmsKeyId", "KmsKeyId"),
                    ("SnapshotId", "SnapshotId"),
                ] {
                    if let Some(value) = volume.get(from).filter(|value| !value.is_null()) {
                        made[member] = value.clone();
                    }
                }
            }
            None => b.filled(format!("{id}: size and type as its image has them")),
        }
        mappings.push(json!({"DeviceName": device["DeviceName"], "Ebs": made}));
    }
    if !mappings.is_empty() {
        data["BlockDeviceMappings"] = json!(mappings);
    }
}

pub fn groups(b: &mut Builder) {
    for group in b.items("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups") {
        make_group(b, group);
    }
    for hook in b.items("autoscaling", "DescribeLifecycleHooks", "LifecycleHooks") {
        b.call(None, "autoscaling", "PutLifecycleHook", &without(hook, &["GlobalTimeout"]));
    }
    for policy in b.items("autoscaling", "DescribePolicies", "ScalingPolicies") {
        b.call(None, "autoscaling", "PutScalingPolicy", &without(policy, &["PolicyARN", "Alarms"]));
    }
}

pub fn without(from: &Json, members: &[&str]) -> Json {
    let mut left = from.clone();
    if let Some(all) = left.as_object_mut() {
        all.retain(|name, _| !members.contains(&name.as_str()));
    }
    left
}

fn make_group(b: &mut Builder, group: &Json) {
    let name = text(group, "AutoScalingGroupName");
    let mut input = pick(
        group,
        &[
            "AutoScalingGroupName",
            "MixedInstancesPolicy",
            "LaunchConfigurationName",
            "HealthCheckType",
            "HealthCheckGracePeriod",
            "DefaultCooldown",
            "VPCZoneIdentifier",
            "TargetGroupARNs",
            "TerminationPolicies",
            "NewInstancesProtectedFromScaleIn",
            "ServiceLinkedRoleARN",
            "MaxInstanceLifetime",
            "CapacityRebalance",
            "DefaultInstanceWarmup",
            "InstanceMaintenancePolicy",
            "Tags",
        ],
    );
    if let Some(template) = group.get("LaunchTemplate").filter(|one| !one.is_null()) {
        input["LaunchTemplate"] = pick(template, &["LaunchTemplateId", "Version"]);
    }
    // Its instances are there already: it launches none.
    let members = group.list("Instances");
    (input["MinSize"], input["DesiredCapacity"], input["MaxSize"]) = (json!(0), json!(0), json!(100_000));
    let uuid = text(group, "AutoScalingGroupARN");
    b.world.foresee(
        "uuid",
        uuid.split(":autoScalingGroup:").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default(),
    );
    if b.call(millis(group.get("CreatedTime")), "autoscaling", "CreateAutoScalingGroup", &input).is_none() {
        return;
    }
    b.filled(format!("{name}: scaling activities"));
    for member in members {
        adopt(b, &name, member);
    }
    if let Some(made) = b.world.autoscaling.groups.get_mut(&name) {
        made.min = group.int("MinSize").unwrap_or(0);
        made.max = group.int("MaxSize").unwrap_or(0);
        made.desired = group.int("DesiredCapacity").unwrap_or(0);
        made.why.clear();
        made.activities.clear();
        made.metrics = group.list("EnabledMetrics").iter().map(|one| text(one, "Metric")).collect();
        let suspended = group.list("SuspendedProcesses").iter();
        made.suspended =
            suspended.map(|one| (text(one, "ProcessName"), text(one, "SuspensionReason"))).collect();
    }
}

fn adopt(b: &mut Builder, name: &str, member: &Json) {
    let id = text(member, "InstanceId");
    let lifecycle = match member.text("LifecycleState") {
        Some("InService") => Lifecycle::InService,
        Some("Standby") => Lifecycle::Standby,
        Some("Pending") => Lifecycle::Pending,
        other => return b.left_out(format!("{id} of {name}, which is {}", other.unwrap_or("in no state"))),
    };
    let launched = b.world.ec2.instances.get(&id).map(|instance| instance.launched);
    let tags = b.world.ec2.tags.get(&id).cloned();
    let input = json!({"AutoScalingGroupName": name, "InstanceIds": [id]});
    if b.call(launched, "autoscaling", "AttachInstances", &input).is_none() {
        return;
    }
    if let Some(tags) = tags {
        b.world.ec2.tags.insert(id.clone(), tags);
    }
    let group = b.world.autoscaling.groups.get_mut(name);
    if let Some(made) = group.and_then(|group| group.members.get_mut(&id)) {
        made.lifecycle = lifecycle;
        made.protected = member.flag("ProtectedFromScaleIn") == Some(true);
        made.weight = member.text("WeightedCapacity").and_then(|weight| weight.parse().ok());
        made.template =
            member.get("LaunchTemplate").filter(|one| !one.is_null()).map(|template| TemplateRef {
                id: text(template, "LaunchTemplateId"),
                name: text(template, "LaunchTemplateName"),
                version: text(template, "Version"),
            });
        made.configuration = member.text("LaunchConfigurationName").map(str::to_owned);
        if member.text("HealthStatus") == Some("Unhealthy") {
            made.unhealthy = Some("an instance was marked unhealthy before it was recorded.".to_owned());
        }
    }
}

/// An instance that runs and is no host yet joins as it would after its boot.
pub fn agents(b: &mut Builder) {
    let running = b.world.ec2.instances.values().filter(|one| one.state == InstanceState::Running);
    let no_host = |id: &String| !b.world.ecs.host_of.contains_key(id);
    let ids: Vec<String> = running.map(|one| one.id.clone()).filter(no_host).collect();
    for id in ids {
        ecs::instance_running(&mut b.world, &id);
    }
}
