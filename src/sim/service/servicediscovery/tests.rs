use super::*;

fn ok(world: &mut World, operation: &str, input: Json) -> Json {
    call(world, "servicediscovery", operation, &input)
        .unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn pass(world: &mut World, millis: Millis) {
    world.advance_to(world.now + millis);
}

fn refused(world: &mut World, operation: &str, input: Json) -> String {
    call(world, "servicediscovery", operation, &input).expect_err("refused").code
}

/// A private DNS namespace `corp.local` with a service `web`; ids of both.
fn stand() -> (World, String, String) {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    let vpc = call(&mut world, "ec2", "CreateVpc", &json!({"CidrBlock": "10.0.0.0/16"})).expect("created");
    let input = json!({"Name": "corp.local", "Vpc": vpc["Vpc"]["VpcId"]});
    let operation = ok(&mut world, "CreatePrivateDnsNamespace", input);
    let asked = json!({"OperationId": operation["OperationId"]});
    assert_eq!(ok(&mut world, "GetOperation", asked.clone())["Operation"]["Status"], "SUBMITTED");
    pass(&mut world, 10 * SECOND);
    assert_eq!(ok(&mut world, "GetOperation", asked.clone())["Operation"]["Status"], "PENDING");
    pass(&mut world, 60 * SECOND);
    let done = ok(&mut world, "GetOperation", asked)["Operation"].clone();
    assert_eq!(done["Status"], "SUCCESS");
    let namespace = done["Targets"]["NAMESPACE"].as_str().expect("an id").to_owned();
    let input = json!({
        "Name": "web", "DnsConfig": {"NamespaceId": namespace, "DnsRecords": [{"Type": "A", "TTL": 10}]},
        "HealthCheckCustomConfig": {"FailureThreshold": 1},
    });
    let service = ok(&mut world, "CreateService", input)["Service"]["Id"].as_str().expect("an id").to_owned();
    (world, namespace, service)
}

fn found(world: &mut World) -> Vec<String> {
    let answer = ok(world, "DiscoverInstances", json!({"NamespaceName": "corp.local", "ServiceName": "web"}));
    answer.list("Instances").iter().map(|one| one.text("InstanceId").expect("an id").to_owned()).collect()
}

fn addresses(world: &mut World, namespace: &str) -> usize {
    let zone = ok(world, "GetNamespace", json!({"Id": namespace}))["Namespace"]["Properties"]["DnsProperties"]
        ["HostedZoneId"]
        .clone();
    let sets =
        call(world, "route53", "ListResourceRecordSets", &json!({"HostedZoneId": zone})).expect("listed");
    sets.list("ResourceRecordSets").iter().filter(|one| one.text("Type") == Some("A")).count()
}

#[test]
fn registered_instances_are_found_and_have_records() {
    let (mut world, namespace, service) = stand();
    for (id, address) in [("one", "10.0.0.1"), ("two", "10.0.0.2")] {
        let input =
            json!({"ServiceId": service, "InstanceId": id, "Attributes": {"AWS_INSTANCE_IPV4": address}});
        ok(&mut world, "RegisterInstance", input);
    }
    assert!(found(&mut world).is_empty(), "registration takes a moment");
    pass(&mut world, 5 * SECOND);
    assert_eq!(found(&mut world), ["one", "two"]);
    assert_eq!(addresses(&mut world, &namespace), 2);
    let sick = json!({"ServiceId": service, "InstanceId": "one", "Status": "UNHEALTHY"});
    ok(&mut world, "UpdateInstanceCustomHealthStatus", sick);
    assert_eq!(found(&mut world), ["two"]);
    ok(&mut world, "DeregisterInstance", json!({"ServiceId": service, "InstanceId": "one"}));
    assert_eq!(addresses(&mut world, &namespace), 1);
}

#[test]
fn what_is_in_use_stays() {
    let (mut world, namespace, service) = stand();
    assert_eq!(refused(&mut world, "DeleteNamespace", json!({"Id": namespace})), "ResourceInUse");
    let no_address = json!({"ServiceId": service, "InstanceId": "x", "Attributes": {"a": "b"}});
    assert_eq!(refused(&mut world, "RegisterInstance", no_address), "InvalidInput");
    let input =
        json!({"ServiceId": service, "InstanceId": "x", "Attributes": {"AWS_INSTANCE_IPV4": "10.0.0.1"}});
    ok(&mut world, "RegisterInstance", input);
    assert_eq!(refused(&mut world, "DeleteService", json!({"Id": service})), "ResourceInUse");
    ok(&mut world, "DeregisterInstance", json!({"ServiceId": service, "InstanceId": "x"}));
    ok(&mut world, "DeleteService", json!({"Id": service}));
    ok(&mut world, "DeleteNamespace", json!({"Id": namespace}));
    assert_eq!(refused(&mut world, "GetNamespace", json!({"Id": namespace})), "NamespaceNotFound");
    let zones = call(&mut world, "route53", "ListHostedZones", &json!({})).expect("listed");
    assert!(zones.list("HostedZones").is_empty());
}

#[test]
fn names_are_unique_in_their_place() {
    let (mut world, namespace, _) = stand();
    let service = json!({"Name": "web", "NamespaceId": namespace});
    assert_eq!(refused(&mut world, "CreateService", service), "ServiceAlreadyExists");
    ok(&mut world, "CreateHttpNamespace", json!({"Name": "plain"}));
    assert_eq!(
        refused(&mut world, "CreateHttpNamespace", json!({"Name": "plain"})),
        "NamespaceAlreadyExists"
    );
    let unknown = json!({"NamespaceName": "nowhere", "ServiceName": "web"});
    assert_eq!(refused(&mut world, "DiscoverInstances", unknown), "NamespaceNotFound");
}

#[test]
fn an_instance_keeps_the_name_of_its_request() {
    let (mut world, _, service) = stand();
    let input = json!({
        "ServiceId": service, "InstanceId": "one", "CreatorRequestId": "r-1",
        "Attributes": {"AWS_INSTANCE_IPV4": "10.0.0.1"},
    });
    ok(&mut world, "RegisterInstance", input);
    let found = ok(&mut world, "GetInstance", json!({"ServiceId": service, "InstanceId": "one"}));
    assert_eq!(found["Instance"]["CreatorRequestId"], "r-1");
}
