//! Volumes, snapshots and images, and what holds what among them.

use super::tests::{call, id, launched, net, refused, world};
use crate::World;
use crate::service::Input;
use crate::world::MINUTE;
use serde_json::{Value as Json, json};

fn state(world: &mut World, operation: &str, ids: &str, member: &str, wanted: &str) -> String {
    id(&call(world, operation, json!({ids: [wanted]})), &format!("/{member}/0/State"))
}

fn volume(world: &mut World, zone: &str) -> String {
    let input = json!({"AvailabilityZone": zone, "Size": 10, "VolumeType": "gp3"});
    id(&call(world, "CreateVolume", input), "/VolumeId")
}

#[test]
fn a_volume_is_created_attached_and_held_by_its_instance() {
    let mut world = world();
    let net = net(&mut world);
    let host =
        id(&launched(&mut world, json!({"InstanceType": "t3.small", "SubnetId": net.subnet})), "/InstanceId");
    let elsewhere = volume(&mut world, "us-east-1a");
    let volume = volume(&mut world, "us-east-1b");
    let look = |world: &mut World| state(world, "DescribeVolumes", "VolumeIds", "Volumes", &volume);
    assert_eq!(look(&mut world), "creating");
    world.advance_to(world.now + MINUTE);
    assert_eq!(look(&mut world), "available");
    let attach = |volume: &str| json!({"VolumeId": volume, "InstanceId": host, "Device": "/dev/sdf"});
    assert_eq!(refused(&mut world, "AttachVolume", attach(&elsewhere)).0, "InvalidVolume.ZoneMismatch");
    assert_eq!(call(&mut world, "AttachVolume", attach(&volume))["State"], "attaching");
    assert_eq!(look(&mut world), "in-use");
    let (code, message) = refused(&mut world, "DeleteVolume", json!({"VolumeId": volume}));
    assert!(code == "VolumeInUse" && message.contains(&host), "{message}");
    assert_eq!(refused(&mut world, "AttachVolume", attach(&volume)).0, "VolumeInUse");
    // What was attached later outlives the instance.
    call(&mut world, "TerminateInstances", json!({"InstanceIds": [host]}));
    world.advance_to(world.now + 3 * MINUTE);
    assert_eq!(look(&mut world), "available");
    call(&mut world, "DeleteVolume", json!({"VolumeId": volume}));
    assert_eq!(
        refused(&mut world, "DescribeVolumes", json!({"VolumeIds": [volume]})).0,
        "InvalidVolume.NotFound"
    );
}

#[test]
fn a_volume_grows_and_never_shrinks() {
    let mut world = world();
    let volume = volume(&mut world, "us-east-1b");
    let resize = |size: i64| json!({"VolumeId": volume, "Size": size});
    assert_eq!(refused(&mut world, "ModifyVolume", resize(5)).0, "InvalidParameterValue");
    let change = call(&mut world, "ModifyVolume", resize(20))["VolumeModification"].clone();
    assert_eq!((&change["OriginalSize"], &change["TargetSize"]), (&json!(10), &json!(20)));
    assert_eq!(change["ModificationState"], "optimizing");
    world.advance_to(world.now + 10 * MINUTE);
    let later = call(&mut world, "DescribeVolumesModifications", json!({"VolumeIds": [volume]}));
    assert_eq!(later["VolumesModifications"][0]["ModificationState"], "completed");
}

#[test]
fn an_image_of_an_instance_takes_minutes_holds_its_snapshots_and_launches() {
    let mut world = world();
    let net = net(&mut world);
    let mapping = json!({"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 33, "VolumeType": "gp3"}});
    let input = json!({"InstanceType": "t3.small", "SubnetId": net.subnet, "BlockDeviceMappings": [mapping]});
    let host = id(&launched(&mut world, input), "/InstanceId");
    world.advance_to(world.now + 2 * MINUTE);
    let make = json!({"InstanceId": host, "Name": "golden"});
    let image = id(&call(&mut world, "CreateImage", make.clone()), "/ImageId");
    assert_eq!(refused(&mut world, "CreateImage", make).0, "InvalidAMIName.Duplicate");
    let look = |world: &mut World| state(world, "DescribeImages", "ImageIds", "Images", &image);
    assert_eq!(look(&mut world), "pending");
    world.advance_to(world.now + 5 * MINUTE);
    assert_eq!(look(&mut world), "available");
    let own = call(&mut world, "DescribeImages", json!({"Owners": ["self"]}));
    assert_eq!(own["Images"].as_array().map(Vec::len), Some(1));
    let snapshots = call(&mut world, "DescribeSnapshots", json!({"OwnerIds": ["self"]}));
    assert_eq!(snapshots["Snapshots"].as_array().map(Vec::len), Some(2));
    let snapshot = id(&snapshots, "/Snapshots/0/SnapshotId");
    let (code, message) = refused(&mut world, "DeleteSnapshot", json!({"SnapshotId": snapshot}));
    assert!(code == "InvalidSnapshot.InUse" && message.contains(&image), "{message}");
    let input = json!({"ImageId": image, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, "SubnetId": net.subnet});
    let copy = call(&mut world, "RunInstances", input)["Instances"][0].clone();
    let sizes: Vec<Json> = copy
        .list("BlockDeviceMappings")
        .iter()
        .map(|device| call(&mut world, "DescribeVolumes", json!({"VolumeIds": [device["Ebs"]["VolumeId"]]})))
        .map(|found| found["Volumes"][0]["Size"].clone())
        .collect();
    assert_eq!(sizes, [json!(30), json!(33)]);
    call(&mut world, "DeregisterImage", json!({"ImageId": image}));
    call(&mut world, "DeleteSnapshot", json!({"SnapshotId": snapshot}));
    let again = json!({"ImageId": image, "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1});
    assert_eq!(refused(&mut world, "RunInstances", again).0, "InvalidAMIID.NotFound");
}

#[test]
fn an_image_is_shared_with_accounts_and_copied() {
    let mut world = world();
    let host = id(&launched(&mut world, json!({"InstanceType": "t3.small"})), "/InstanceId");
    let image =
        id(&call(&mut world, "CreateImage", json!({"InstanceId": host, "Name": "golden"})), "/ImageId");
    let share = |who: &str| json!({"ImageId": image, "LaunchPermission": {"Add": [{"UserId": who}]}});
    assert_eq!(
        refused(&mut world, "ModifyImageAttribute", share("nobody")).0,
        "InvalidAMIAttributeItemValue"
    );
    call(&mut world, "ModifyImageAttribute", share("210987654321"));
    let ask = json!({"ImageId": image, "Attribute": "launchPermission"});
    let shared = call(&mut world, "DescribeImageAttribute", ask);
    assert_eq!(shared["LaunchPermissions"], json!([{"UserId": "210987654321"}]));
    let copy = json!({"SourceImageId": image, "SourceRegion": "us-east-1", "Name": "copy"});
    let copied = id(&call(&mut world, "CopyImage", copy), "/ImageId");
    assert_ne!(copied, image);
    let found = call(&mut world, "DescribeImages", json!({"ImageIds": [copied]}));
    assert_eq!(found["Images"][0]["Name"], "copy");
}

#[test]
fn a_deregistered_image_is_no_error_while_it_is_remembered() {
    let mut world = world();
    let host = id(&launched(&mut world, json!({"InstanceType": "t3.small"})), "/InstanceId");
    let image =
        id(&call(&mut world, "CreateImage", json!({"InstanceId": host, "Name": "golden"})), "/ImageId");
    let ask = json!({"ImageIds": [image]});
    call(&mut world, "DeregisterImage", json!({"ImageId": image}));
    assert_eq!(call(&mut world, "DescribeImages", ask.clone())["Images"], json!([]));
    let later = world.now + 2 * 60 * MINUTE;
    world.advance_to(later);
    assert_eq!(refused(&mut world, "DescribeImages", ask).0, "InvalidAMIID.NotFound");
}

#[test]
fn images_are_found_by_those_who_may_launch_them() {
    let mut world = world();
    let host = id(&launched(&mut world, json!({"InstanceType": "t3.small"})), "/InstanceId");
    let made = json!({"InstanceId": host, "Name": "golden"});
    let image = id(&call(&mut world, "CreateImage", made), "/ImageId");
    let unit = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-cdef1234";
    let share = json!({
        "ImageId": image, "Attribute": "launchPermission", "OperationType": "add",
        "UserIds": ["210987654321", "123456789012"], "OrganizationalUnitArns": [unit],
    });
    call(&mut world, "ModifyImageAttribute", share);
    let ask = json!({"ImageId": image, "Attribute": "launchPermission"});
    let shared = call(&mut world, "DescribeImageAttribute", ask);
    assert_eq!(
        shared["LaunchPermissions"],
        json!([{"UserId": "210987654321"}, {"UserId": "123456789012"}, {"OrganizationalUnitArn": unit}])
    );
    for (user, found) in [("210987654321", 1), ("111122223333", 0), ("self", 1)] {
        let answer = call(&mut world, "DescribeImages", json!({"ExecutableUsers": [user]}));
        assert_eq!(answer["Images"].as_array().map(Vec::len), Some(found), "{user}");
    }
}

#[test]
fn a_tag_specification_has_a_tag() {
    let mut world = world();
    let input =
        |spec: Json| json!({"AvailabilityZone": "us-east-1a", "Size": 8, "TagSpecifications": [spec]});
    for spec in [json!({"ResourceType": "volume", "Tags": []}), json!({"Tags": [{"Key": "a", "Value": "b"}]})]
    {
        assert_eq!(refused(&mut world, "CreateVolume", input(spec)).0, "InvalidParameterValue");
    }
}

#[test]
fn times_are_filtered_by_as_they_are_answered() {
    let mut world = world();
    world.advance_to(world.now / 1000 * 1000 + 60_000);
    let made = volume(&mut world, "us-east-1a");
    let at = call(&mut world, "DescribeVolumes", json!({"VolumeIds": [made]}));
    let at = at["Volumes"][0]["CreateTime"].as_str().expect("a time").replace('Z', ".000Z");
    let filter = json!({"Filters": [{"Name": "create-time", "Values": [at]}]});
    let found = call(&mut world, "DescribeVolumes", filter);
    assert_eq!(found["Volumes"][0]["VolumeId"], made.as_str());
}

#[test]
fn an_encrypted_volume_has_the_account_s_key_for_ebs() {
    let mut world = world();
    let input = json!({"AvailabilityZone": "us-east-1a", "Size": 8, "Encrypted": true});
    let made = call(&mut world, "CreateVolume", input.clone());
    let key = made["KmsKeyId"].as_str().expect("a key").to_owned();
    assert!(key.starts_with("arn:aws:kms:us-east-1:"), "{key}");
    assert_eq!(call(&mut world, "CreateVolume", input)["KmsKeyId"], key.as_str());
    let plain = call(&mut world, "CreateVolume", json!({"AvailabilityZone": "us-east-1a", "Size": 8}));
    assert_eq!(plain["KmsKeyId"], Json::Null);
}
