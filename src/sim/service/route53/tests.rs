use super::*;

fn call(world: &mut World, operation: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input)
}

fn with_zone() -> (World, String) {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    let input = json!({ "Name": "Example.com", "CallerReference": "one" });
    let made = call(&mut world, "CreateHostedZone", input).expect("created");
    let id = made["HostedZone"]["Id"].as_str().expect("id").to_owned();
    (world, id)
}

fn set(name: &str, kind: &str, value: &str) -> Json {
    json!({ "Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{ "Value": value }] })
}

fn change(world: &mut World, zone: &str, changes: &[(&str, Json)]) -> Answer {
    let changes: Json =
        changes.iter().map(|(action, set)| json!({ "Action": action, "ResourceRecordSet": set })).collect();
    let input = json!({ "HostedZoneId": zone, "ChangeBatch": { "Changes": changes } });
    call(world, "ChangeResourceRecordSets", input)
}

fn names(world: &mut World, zone: &str) -> Vec<String> {
    let listed = call(world, "ListResourceRecordSets", json!({ "HostedZoneId": zone })).expect("listed");
    let sets = listed["ResourceRecordSets"].as_array().expect("list").clone();
    sets.iter()
        .map(|set| format!("{} {}", set["Name"].as_str().expect("name"), set["Type"].as_str().expect("type")))
        .collect()
}

#[test]
fn a_zone_is_born_with_its_ns_and_soa() {
    let (mut world, id) = with_zone();
    assert_eq!(names(&mut world, &id), ["example.com. NS", "example.com. SOA"]);
    let got = call(&mut world, "GetHostedZone", json!({ "Id": id })).expect("got");
    assert_eq!(got["HostedZone"]["Name"], "example.com.");
    assert_eq!(got["DelegationSet"]["NameServers"].as_array().map(Vec::len), Some(4));
    let again = json!({ "Name": "example.com", "CallerReference": "one" });
    let error = call(&mut world, "CreateHostedZone", again).expect_err("reused");
    assert_eq!((error.code.as_str(), error.status), ("HostedZoneAlreadyExists", 409));
}

#[test]
fn records_are_listed_by_labels_from_the_right() {
    let (mut world, id) = with_zone();
    let sets = ["www.example.com", "*.example.com.", "a.b.example.com", "b.example.com"];
    for name in sets {
        change(&mut world, &id, &[("CREATE", set(name, "A", "192.0.2.1"))]).expect("created");
    }
    assert_eq!(
        names(&mut world, &id),
        [
            "example.com. NS",
            "example.com. SOA",
            "\\052.example.com. A",
            "b.example.com. A",
            "a.b.example.com. A",
            "www.example.com. A"
        ]
    );
    let from = json!({ "HostedZoneId": id, "StartRecordName": "b.example.com", "MaxItems": "2" });
    let page = call(&mut world, "ListResourceRecordSets", from).expect("listed");
    assert_eq!(page["ResourceRecordSets"][0]["Name"], "b.example.com.");
    assert_eq!((&page["IsTruncated"], &page["NextRecordName"]), (&json!(true), &json!("www.example.com.")));
}

#[test]
fn a_batch_is_done_whole_or_not_at_all() {
    let (mut world, id) = with_zone();
    let good = ("CREATE", set("a.example.com", "A", "192.0.2.1"));
    let bad = ("DELETE", set("no.example.com", "A", "192.0.2.1"));
    let stray = ("CREATE", set("a.example.org", "A", "192.0.2.1"));
    let error = change(&mut world, &id, &[good.clone(), bad, stray]).expect_err("refused");
    assert_eq!(error.code, "InvalidChangeBatch");
    assert_eq!(
        error.message,
        "[Tried to delete resource record set [name='no.example.com.', type='A'] but it was not found, \
         RRSet with DNS name a.example.org. is not permitted in zone example.com.]"
    );
    assert_eq!(names(&mut world, &id).len(), 2);
    change(&mut world, &id, std::slice::from_ref(&good)).expect("created");
    let error = change(&mut world, &id, &[good]).expect_err("exists");
    assert_eq!(
        error.message,
        "[Tried to create resource record set [name='a.example.com.', type='A'] but it already exists]"
    );
    let other = ("DELETE", set("a.example.com", "A", "192.0.2.9"));
    let error = change(&mut world, &id, &[other]).expect_err("differs");
    assert!(error.message.contains("the values provided do not match the current values"));
    change(&mut world, &id, &[("UPSERT", set("a.example.com", "A", "192.0.2.9"))]).expect("replaced");
    assert_eq!(public_record(&world, "a.example.com", "A"), Some(vec!["192.0.2.9".to_owned()]));
}

#[test]
fn records_that_cannot_be_are_refused() {
    let (mut world, id) = with_zone();
    let mut refused = |set: Json| change(&mut world, &id, &[("CREATE", set)]).expect_err("refused").message;
    assert!(refused(set("example.com", "CNAME", "x.example.org")).contains("is not permitted at apex"));
    assert!(refused(set("a.example.com", "A", "nonsense")).contains("ARRDATAIllegalIPv4Address"));
    assert!(refused(set("a.example.com", "TXT", "bare")).contains("InvalidCharacterString"));
    let both = json!({
        "Name": "a.example.com", "Type": "A", "TTL": 60,
        "AliasTarget": { "HostedZoneId": "Z1", "DNSName": "x.example.org", "EvaluateTargetHealth": false },
    });
    assert!(
        refused(both).contains("but found more than one in Change with [Action=CREATE, Name=a.example.com")
    );
    change(&mut world, &id, &[("CREATE", set("c.example.com", "CNAME", "x.example.org"))]).expect("created");
    let beside =
        change(&mut world, &id, &[("CREATE", set("c.example.com", "A", "192.0.2.1"))]).expect_err("beside");
    assert!(beside.message.contains("conflicts with other records with the same DNS name"));
}

#[test]
fn weighted_sets_live_beside_each_other() {
    let (mut world, id) = with_zone();
    let weighted = |id: &str, weight: i64| {
        let mut set = set("w.example.com", "A", "192.0.2.1");
        set["SetIdentifier"] = id.into();
        set["Weight"] = weight.into();
        ("CREATE", set)
    };
    change(&mut world, &id, &[weighted("blue", 90), weighted("green", 10)]).expect("created");
    assert_eq!(names(&mut world, &id).len(), 4);
    let simple = ("CREATE", set("w.example.com", "A", "192.0.2.1"));
    let error = change(&mut world, &id, &[simple]).expect_err("mixed");
    assert!(error.message.contains("another routing policy exists"));
}

#[test]
fn a_change_is_in_sync_after_a_while() {
    let (mut world, id) = with_zone();
    let info =
        change(&mut world, &id, &[("CREATE", set("a.example.com", "A", "192.0.2.1"))]).expect("created");
    let change = json!({ "Id": info["ChangeInfo"]["Id"] });
    assert_eq!(info["ChangeInfo"]["Status"], "PENDING");
    world.advance_to(world.now + 30_000);
    let later = call(&mut world, "GetChange", change).expect("known");
    assert_eq!(later["ChangeInfo"]["Status"], "INSYNC");
}

#[test]
fn a_zone_with_records_stays() {
    let (mut world, id) = with_zone();
    let record = set("a.example.com", "A", "192.0.2.1");
    change(&mut world, &id, &[("CREATE", record.clone())]).expect("created");
    let error = call(&mut world, "DeleteHostedZone", json!({ "Id": id })).expect_err("not empty");
    assert_eq!(error.code, "HostedZoneNotEmpty");
    change(&mut world, &id, &[("DELETE", record)]).expect("deleted");
    call(&mut world, "DeleteHostedZone", json!({ "Id": id })).expect("deleted");
    let error = call(&mut world, "GetHostedZone", json!({ "Id": id })).expect_err("gone");
    assert_eq!((error.code.as_str(), error.status), ("NoSuchHostedZone", 404));
}

#[test]
fn private_zones_belong_to_vpcs() {
    let (mut world, _) = with_zone();
    let vpc = json!({ "VPCRegion": "us-east-1", "VPCId": "vpc-1" });
    let input = json!({ "Name": "corp.test", "CallerReference": "two", "VPC": vpc });
    let made = call(&mut world, "CreateHostedZone", input.clone()).expect("created");
    let id = made["HostedZone"]["Id"].clone();
    let got = call(&mut world, "GetHostedZone", json!({ "Id": id })).expect("got");
    assert_eq!(got["VPCs"], json!([vpc]));
    let twin = json!({ "Name": "corp.test", "CallerReference": "three", "VPC": vpc });
    assert_eq!(call(&mut world, "CreateHostedZone", twin).expect_err("twin").code, "ConflictingDomainExists");
    let by_name =
        call(&mut world, "ListHostedZonesByName", json!({ "DNSName": "corp.test" })).expect("listed");
    assert_eq!(by_name["HostedZones"][0]["Name"], "corp.test.");
    let id = id.as_str().expect("an id").trim_start_matches("/hostedzone/");
    let tags =
        json!({ "ResourceType": "hostedzone", "ResourceId": id, "AddTags": [{ "Key": "a", "Value": "b" }] });
    call(&mut world, "ChangeTagsForResource", tags).expect("tagged");
    let list = json!({ "ResourceType": "hostedzone", "ResourceId": id });
    let listed = call(&mut world, "ListTagsForResource", list).expect("listed");
    assert_eq!(listed["ResourceTagSet"]["Tags"], json!([{ "Key": "a", "Value": "b" }]));
}
