use super::*;

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_700_000_000_000)
}

fn call(world: &mut World, operation: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input)
}

fn text_of(world: &mut World, input: Json) -> String {
    let value = call(world, "GetSecretValue", input).expect("a value");
    value["SecretString"].as_str().expect("text").to_owned()
}

fn with_secret() -> World {
    let mut world = world();
    call(&mut world, "CreateSecret", json!({"Name": "db", "SecretString": "one"})).expect("created");
    world
}

#[test]
fn the_current_version_becomes_the_previous_one() {
    let mut world = with_secret();
    call(&mut world, "PutSecretValue", json!({"SecretId": "db", "SecretString": "two"})).expect("put");
    assert_eq!(text_of(&mut world, json!({"SecretId": "db"})), "two");
    assert_eq!(text_of(&mut world, json!({"SecretId": "db", "VersionStage": "AWSPREVIOUS"})), "one");
    call(&mut world, "PutSecretValue", json!({"SecretId": "db", "SecretString": "three"})).expect("put");
    let listed = call(&mut world, "ListSecretVersionIds", json!({"SecretId": "db"})).expect("listed");
    assert_eq!(listed["Versions"].as_array().expect("list").len(), 2, "the first one has no label any more");
}

#[test]
fn a_label_that_is_held_moves_only_when_its_holder_is_named() {
    let mut world = with_secret();
    let put = json!({"SecretId": "db", "SecretString": "two", "VersionStages": ["AWSPENDING"]});
    let second = call(&mut world, "PutSecretValue", put).expect("put")["VersionId"].clone();
    let first =
        call(&mut world, "GetSecretValue", json!({"SecretId": "db"})).expect("got")["VersionId"].clone();
    let mut input = json!({"SecretId": "db", "VersionStage": "AWSCURRENT", "MoveToVersionId": second});
    let error = call(&mut world, "UpdateSecretVersionStage", input.clone()).expect_err("refused");
    assert_eq!(error.code, "InvalidParameterException");
    input["RemoveFromVersionId"] = first;
    call(&mut world, "UpdateSecretVersionStage", input).expect("moved");
    assert_eq!(text_of(&mut world, json!({"SecretId": "db"})), "two");
}

#[test]
fn a_deleted_secret_is_gone_only_after_its_window() {
    let mut world = with_secret();
    call(&mut world, "DeleteSecret", json!({"SecretId": "db", "RecoveryWindowInDays": 7})).expect("asked");
    let marked = call(&mut world, "GetSecretValue", json!({"SecretId": "db"})).expect_err("marked");
    assert_eq!(marked.code, "InvalidRequestException");
    let taken = call(&mut world, "CreateSecret", json!({"Name": "db"})).expect_err("the name is taken");
    assert_eq!(taken.code, "InvalidRequestException");
    call(&mut world, "RestoreSecret", json!({"SecretId": "db"})).expect("restored");
    assert_eq!(text_of(&mut world, json!({"SecretId": "db"})), "one");
    call(&mut world, "DeleteSecret", json!({"SecretId": "db", "RecoveryWindowInDays": 7})).expect("asked");
    world.advance_to(world.now + 7 * 24 * 60 * crate::world::MINUTE);
    assert_eq!(
        call(&mut world, "DescribeSecret", json!({"SecretId": "db"})).expect_err("gone").code,
        "ResourceNotFoundException"
    );
}

#[test]
fn a_token_stands_for_one_value() {
    let mut world = world();
    let input = json!({"Name": "db", "SecretString": "one", "ClientRequestToken": "t"});
    let first = call(&mut world, "CreateSecret", input.clone()).expect("created");
    assert_eq!(call(&mut world, "CreateSecret", input).expect("again"), first);
    let other = json!({"SecretId": "db", "SecretString": "two", "ClientRequestToken": "t"});
    assert_eq!(call(&mut world, "PutSecretValue", other).expect_err("other").code, "ResourceExistsException");
}

#[test]
fn a_password_has_of_each_included_kind() {
    let mut world = world();
    let input = json!({"PasswordLength": 4, "ExcludeCharacters": "abc"});
    let password = call(&mut world, "GetRandomPassword", input).expect("drawn");
    let password = password["RandomPassword"].as_str().expect("text");
    assert_eq!(password.chars().count(), 4);
    for kind in [char::is_lowercase, char::is_uppercase, char::is_numeric] {
        assert!(password.chars().any(kind), "{password}");
    }
    let short = json!({"PasswordLength": 3});
    assert!(call(&mut world, "GetRandomPassword", short).is_err());
}

#[test]
fn secrets_are_found_by_words_of_their_names() {
    let mut world = world();
    for name in ["prod/AppBeta", "uat/COMPANYthings"] {
        call(&mut world, "CreateSecret", json!({"Name": name})).expect("created");
    }
    let mut found = |value: &str| {
        let input = json!({"Filters": [{"Key": "all", "Values": [value]}]});
        let listed = call(&mut world, "ListSecrets", input).expect("listed");
        listed["SecretList"].as_array().expect("a list").len()
    };
    assert_eq!(
        (found("beta"), found("eta"), found("Ythings"), found("things"), found("!beta")),
        (1, 0, 1, 0, 1)
    );
}
