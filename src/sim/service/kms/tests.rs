use super::*;

fn call(world: &mut World, name: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(known, _)| *known == name).expect("an operation");
    handler(world, &input)
}

fn ok(world: &mut World, name: &str, input: Json) -> Json {
    call(world, name, input).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

fn world() -> (World, String) {
    let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
    let id = ok(&mut world, "CreateKey", json!({}))["KeyMetadata"]["KeyId"].as_str().expect("id").to_owned();
    (world, id)
}

#[test]
fn a_key_is_known_by_id_arn_and_alias() {
    let (mut world, id) = world();
    ok(&mut world, "CreateAlias", json!({ "AliasName": "alias/web", "TargetKeyId": id }));
    let arn = key_arn(&world, &id);
    for name in [id.clone(), arn.clone(), "alias/web".to_owned(), world.arn("kms", "alias/web")] {
        assert_eq!(ok(&mut world, "DescribeKey", json!({ "KeyId": name }))["KeyMetadata"]["Arn"], arn);
    }
    let error = call(&mut world, "DescribeKey", json!({ "KeyId": "alias/other" })).expect_err("unknown");
    assert_eq!(error.message, "Alias arn:aws:kms:us-east-1:123456789012:alias/other is not found.");
    let aliases = ok(&mut world, "ListAliases", json!({ "KeyId": id }));
    assert_eq!(aliases["Aliases"][0]["AliasName"], "alias/web");
}

#[test]
fn the_key_of_a_service_is_made_at_its_first_use() {
    let (mut world, _) = world();
    let described = ok(&mut world, "DescribeKey", json!({ "KeyId": "alias/aws/ssm" }));
    assert_eq!(described["KeyMetadata"]["KeyManager"], "AWS");
    let again = ok(&mut world, "DescribeKey", json!({ "KeyId": "alias/aws/ssm" }));
    assert_eq!(described, again);
    let disable = json!({ "KeyId": described["KeyMetadata"]["KeyId"] });
    assert_eq!(call(&mut world, "DisableKey", disable).expect_err("AWS's").code, "AccessDeniedException");
}

#[test]
fn what_is_encrypted_is_read_back_by_its_key_in_its_context() {
    let (mut world, id) = world();
    let context = json!({ "app": "shop" });
    let input = json!({ "KeyId": id, "Plaintext": "c2VjcmV0", "EncryptionContext": context });
    let blob = ok(&mut world, "Encrypt", input)["CiphertextBlob"].clone();
    let decrypted =
        ok(&mut world, "Decrypt", json!({ "CiphertextBlob": blob, "EncryptionContext": context }));
    assert_eq!(decrypted["Plaintext"], "c2VjcmV0");
    let other = call(&mut world, "Decrypt", json!({ "CiphertextBlob": blob })).expect_err("no context");
    assert_eq!(other.code, "InvalidCiphertextException");
    ok(&mut world, "DisableKey", json!({ "KeyId": id }));
    let disabled =
        call(&mut world, "Decrypt", json!({ "CiphertextBlob": blob, "EncryptionContext": context }));
    assert_eq!(disabled.expect_err("disabled").code, "DisabledException");
}

#[test]
fn a_key_goes_when_its_waiting_period_is_over() {
    let (mut world, id) = world();
    ok(&mut world, "CreateAlias", json!({ "AliasName": "alias/web", "TargetKeyId": id }));
    ok(&mut world, "ScheduleKeyDeletion", json!({ "KeyId": id, "PendingWindowInDays": 7 }));
    let state = ok(&mut world, "DescribeKey", json!({ "KeyId": id }));
    assert_eq!(state["KeyMetadata"]["KeyState"], "PendingDeletion");
    ok(&mut world, "CancelKeyDeletion", json!({ "KeyId": id }));
    assert_eq!(ok(&mut world, "DescribeKey", json!({ "KeyId": id }))["KeyMetadata"]["KeyState"], "Disabled");
    ok(&mut world, "ScheduleKeyDeletion", json!({ "KeyId": id, "PendingWindowInDays": 7 }));
    world.advance_to(world.now + 7 * 86_400_000);
    let error = call(&mut world, "DescribeKey", json!({ "KeyId": id })).expect_err("gone");
    assert_eq!(error.message, format!("Key '{}' does not exist", key_arn(&world, &id)));
    assert!(call(&mut world, "DescribeKey", json!({ "KeyId": "alias/web" })).is_err());
}
