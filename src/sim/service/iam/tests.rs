use super::document::encoded;
use super::*;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
    "Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const EXECUTION: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

fn world() -> World {
    World::new("123456789012", "us-east-1", 1, 1_700_000_000_000)
}

fn call(world: &mut World, operation: &str, input: Json) -> Answer {
    let (_, handler) = OPERATIONS.iter().find(|(name, _)| *name == operation).expect("operation");
    handler(world, &input)
}

fn code(answer: Answer) -> String {
    answer.expect_err("an error").code
}

fn with_role() -> World {
    let mut world = world();
    let input = json!({ "RoleName": "web", "AssumeRolePolicyDocument": TRUST });
    call(&mut world, "CreateRole", input).expect("created");
    world
}

#[test]
fn a_role_is_read_back_with_defaults_and_an_encoded_document() {
    let mut world = world();
    let input = json!({
        "RoleName": "web", "Path": "/app/", "AssumeRolePolicyDocument": TRUST,
        "Tags": [{ "Key": "team", "Value": "web" }],
    });
    call(&mut world, "CreateRole", input).expect("created");
    let role = &call(&mut world, "GetRole", json!({ "RoleName": "web" })).expect("found")["Role"];
    assert_eq!(role["Arn"], "arn:aws:iam::123456789012:role/app/web");
    assert_eq!(role["MaxSessionDuration"], 3600);
    assert_eq!(role["AssumeRolePolicyDocument"], encoded(TRUST).as_str());
    assert!(role["AssumeRolePolicyDocument"].as_str().expect("text").starts_with("%7B%22Version%22%3A"));
    assert!(role["RoleId"].as_str().is_some_and(|id| id.starts_with("AROA") && id.len() == 21));
    assert_eq!(role["Tags"], json!([{ "Key": "team", "Value": "web" }]));
    assert!(role.get("Description").is_none());
}

#[test]
fn a_role_in_use_is_not_deleted() {
    let mut world = with_role();
    let attach = json!({ "RoleName": "web", "PolicyArn": EXECUTION });
    call(&mut world, "AttachRolePolicy", attach.clone()).expect("attached");
    let error = call(&mut world, "DeleteRole", json!({ "RoleName": "web" })).expect_err("in use");
    assert_eq!((error.code.as_str(), error.status), ("DeleteConflict", 409));
    call(&mut world, "DetachRolePolicy", attach).expect("detached");

    let profile = json!({ "InstanceProfileName": "web", "RoleName": "web" });
    call(&mut world, "CreateInstanceProfile", profile.clone()).expect("created");
    call(&mut world, "AddRoleToInstanceProfile", profile.clone()).expect("added");
    assert_eq!(code(call(&mut world, "AddRoleToInstanceProfile", profile.clone())), "LimitExceeded");
    assert_eq!(code(call(&mut world, "DeleteRole", json!({ "RoleName": "web" }))), "DeleteConflict");
    assert_eq!(code(call(&mut world, "DeleteInstanceProfile", profile.clone())), "DeleteConflict");
    call(&mut world, "RemoveRoleFromInstanceProfile", profile).expect("removed");

    let inline = json!({ "RoleName": "web", "PolicyName": "p", "PolicyDocument": POLICY });
    call(&mut world, "PutRolePolicy", inline.clone()).expect("put");
    assert_eq!(code(call(&mut world, "DeleteRole", json!({ "RoleName": "web" }))), "DeleteConflict");
    call(&mut world, "DeleteRolePolicy", inline).expect("deleted");
    call(&mut world, "DeleteRole", json!({ "RoleName": "web" })).expect("deleted");
    let error = call(&mut world, "GetRole", json!({ "RoleName": "web" })).expect_err("gone");
    assert_eq!(error.message, "The role with name web cannot be found.");
    assert_eq!(error.status, 404);
}

#[test]
fn policies_keep_five_versions_and_never_reuse_a_number() {
    let mut world = world();
    let created = call(&mut world, "CreatePolicy", json!({ "PolicyName": "p", "PolicyDocument": POLICY }));
    let arn = created.expect("created")["Policy"]["Arn"].as_str().expect("arn").to_owned();
    let version = json!({ "PolicyArn": arn, "PolicyDocument": POLICY, "SetAsDefault": true });
    for expected in 2..=5 {
        let made = call(&mut world, "CreatePolicyVersion", version.clone()).expect("created");
        assert_eq!(made["PolicyVersion"]["VersionId"], format!("v{expected}"));
    }
    assert_eq!(code(call(&mut world, "CreatePolicyVersion", version.clone())), "LimitExceeded");
    let v5 = json!({ "PolicyArn": arn, "VersionId": "v5" });
    assert_eq!(code(call(&mut world, "DeletePolicyVersion", v5)), "DeleteConflict");
    assert_eq!(code(call(&mut world, "DeletePolicy", json!({ "PolicyArn": arn }))), "DeleteConflict");
    call(&mut world, "DeletePolicyVersion", json!({ "PolicyArn": arn, "VersionId": "v2" })).expect("deleted");
    let made = call(&mut world, "CreatePolicyVersion", version).expect("created");
    assert_eq!(made["PolicyVersion"]["VersionId"], "v6");
    let read = call(&mut world, "GetPolicyVersion", json!({ "PolicyArn": arn, "VersionId": "v6" }));
    assert_eq!(read.expect("found")["PolicyVersion"]["Document"], encoded(POLICY).as_str());
}

#[test]
fn policies_of_aws_are_known_by_name_only() {
    let mut world = with_role();
    let policy = call(&mut world, "GetPolicy", json!({ "PolicyArn": EXECUTION })).expect("known");
    assert_eq!(policy["Policy"]["Path"], "/service-role/");
    let unknown = json!({ "RoleName": "web", "PolicyArn": "arn:aws:iam::aws:policy/NoSuchThing" });
    let error = call(&mut world, "AttachRolePolicy", unknown).expect_err("unknown");
    assert_eq!(error.code, "NoSuchEntity");
    assert!(error.message.ends_with("does not exist or is not attachable."));
    for policy in managed::all() {
        document::check(&world, &policy.document(), document::Kind::Identity).expect(policy.name);
    }
    assert!(managed::all().is_sorted_by_key(|policy| policy.name));
}

#[test]
fn malformed_documents_are_refused_with_the_reason() {
    let world = world();
    let refused = |text: &str, kind| document::check(&world, text, kind).expect_err("malformed").message;
    use document::Kind::{Identity, Trust};
    assert_eq!(refused("{", Identity), "Syntax errors in policy.");
    assert_eq!(refused("{", Trust), "This policy contains invalid Json");
    let no_resource = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*"}}"#;
    assert_eq!(refused(no_resource, Identity), "Policy statement must contain resources.");
    let name =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}}"#;
    assert_eq!(refused(name, Identity), "Resource bucket must be in ARN format or \"*\".");
    assert_eq!(refused(POLICY, Trust), "Has prohibited field Resource");
    assert_eq!(refused(TRUST, Identity), "Policy document should not specify a principal.");
    let stranger = TRUST.replace("ecs-tasks.amazonaws.com", "ecs-tasks");
    assert_eq!(refused(&stranger, Trust), "Invalid principal in policy: \"SERVICE\":\"ecs-tasks\"");
    let arn = r#""AWS":"arn:aws:iam::123456789012:role/ghost""#;
    let ghost = TRUST.replace(r#""Service":"ecs-tasks.amazonaws.com""#, arn);
    assert!(refused(&ghost, Trust).starts_with("Invalid principal in policy: \"AWS\""));
}

#[test]
fn lists_come_in_pages() {
    let mut world = world();
    for n in 0..5 {
        let input = json!({ "RoleName": format!("r{n}"), "AssumeRolePolicyDocument": TRUST });
        call(&mut world, "CreateRole", input).expect("created");
    }
    let first = call(&mut world, "ListRoles", json!({ "MaxItems": 3 })).expect("listed");
    assert_eq!((first["Roles"].as_array().map(Vec::len), &first["IsTruncated"]), (Some(3), &json!(true)));
    let rest = call(&mut world, "ListRoles", json!({ "Marker": first["Marker"] })).expect("listed");
    assert_eq!(rest["Roles"].as_array().map(Vec::len), Some(2));
    assert!(rest.get("Marker").is_none());
}

#[test]
fn service_linked_roles_belong_to_their_service() {
    let mut world = world();
    let create = json!({ "AWSServiceName": "ecs.amazonaws.com" });
    let made = call(&mut world, "CreateServiceLinkedRole", create.clone()).expect("created");
    let arn = "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
    assert_eq!(made["Role"]["Arn"], arn);
    assert_eq!(ensure_service_linked_role(&mut world, "ecs.amazonaws.com").as_deref(), Some(arn));
    assert_eq!(code(call(&mut world, "CreateServiceLinkedRole", create)), "InvalidInput");
    let name = json!({ "RoleName": "AWSServiceRoleForECS" });
    assert_eq!(code(call(&mut world, "DeleteRole", name.clone())), "UnmodifiableEntity");
    let task = call(&mut world, "DeleteServiceLinkedRole", name).expect("started");
    let status = call(&mut world, "GetServiceLinkedRoleDeletionStatus", task.clone()).expect("status");
    assert_eq!(status["Status"], "IN_PROGRESS");
    world.advance_to(world.now + 10_000);
    let status = call(&mut world, "GetServiceLinkedRoleDeletionStatus", task).expect("status");
    assert_eq!(status["Status"], "SUCCEEDED");
}

#[test]
fn a_policy_names_the_roles_it_is_attached_to() {
    let mut world = with_role();
    call(&mut world, "AttachRolePolicy", json!({ "RoleName": "web", "PolicyArn": EXECUTION }))
        .expect("attached");
    let entities =
        call(&mut world, "ListEntitiesForPolicy", json!({ "PolicyArn": EXECUTION })).expect("listed");
    assert_eq!(entities["PolicyRoles"][0]["RoleName"], "web");
    let attached =
        call(&mut world, "ListAttachedRolePolicies", json!({ "RoleName": "web" })).expect("listed");
    assert_eq!(attached["AttachedPolicies"][0]["PolicyName"], "AmazonECSTaskExecutionRolePolicy");
}

#[test]
fn a_policy_is_refused_in_iams_words() {
    let mut world = world();
    let mut message = |statement: &str| {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        let input = json!({ "PolicyName": "p", "PolicyDocument": document });
        call(&mut world, "CreatePolicy", input).expect_err("refused").message
    };
    let with = |rest: &str| format!(r#"{{"Effect":"Allow","Action":"s3:ListBucket",{rest}}}"#);
    for (statement, wanted) in [
        (with(r#""Resource":"adf""#), "Resource adf must be in ARN format or \"*\"."),
        (
            with(r#""Resource":"arn:error:s3:::b""#),
            "Partition \"error\" is not valid for resource \"arn:error:s3:::b\".",
        ),
        (
            with(r#""Resource":"arn:aws:s3:us-east-1::b""#),
            "Resource arn:aws:s3:us-east-1::b can not contain region information.",
        ),
        (
            with(r#""Resource":"*","Condition":{"DateGreaterThan":{"a":"soon"}}"#),
            "The policy failed legacy parsing",
        ),
        (with(r#""Resource":"*","Condition":{"x":{"a":"1"}}"#), "Syntax errors in policy."),
        (
            r#"{"Effect":"Allow","Action":"s3:List:Bucket","Resource":"*"}"#.to_owned(),
            "Actions/Condition can contain only one colon.",
        ),
    ] {
        assert_eq!(message(&statement), wanted, "{statement}");
    }
    let accepted = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*",
        "Condition":{"DateLessThan":{"aws:CurrentTime":"2019-07-01T13:20:15Z"},"Null":{"aws:TokenIssueTime":true}}}}"#;
    call(&mut world, "CreatePolicy", json!({ "PolicyName": "p", "PolicyDocument": accepted }))
        .expect("created");
}
