//! Calls by several callers, as the wire would pass them on.

use crate::World;
use crate::service::iam::Enforcement;
use crate::service::{ApiError, operations};
use crate::world::MINUTE;
use serde_json::{Value as Json, json};

/// Credentials as a client holds them.
#[derive(Clone, Debug, Default)]
struct Keys {
    id: String,
    token: Option<String>,
}

fn world() -> World {
    let mut world = World::new("123456789012", "us-east-1", 7, 1_750_000_000_000);
    world.iam.enforcement = Enforcement::on();
    world
}

fn call(
    world: &mut World,
    keys: &Keys,
    service: &str,
    operation: &str,
    input: Json,
) -> Result<Json, ApiError> {
    world.caller.clone_from(&keys.id);
    world.token.clone_from(&keys.token);
    super::authorize(world, service, operation, &input)?;
    let (_, handler) = operations(service)
        .expect("a service")
        .iter()
        .find(|(name, _)| *name == operation)
        .expect("an operation");
    handler(world, &input)
}

fn admin(world: &mut World, service: &str, operation: &str, input: Json) -> Json {
    let keys = Keys { id: "embedded".into(), token: None };
    call(world, &keys, service, operation, input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn document(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

fn text(json: &Json) -> String {
    json.as_str().expect("a text").to_owned()
}

/// A user who may do what the statements say.
fn user(world: &mut World, name: &str, statements: &str) -> Keys {
    admin(world, "iam", "CreateUser", json!({ "UserName": name }));
    if !statements.is_empty() {
        let put = json!({ "UserName": name, "PolicyName": "own", "PolicyDocument": document(statements) });
        admin(world, "iam", "PutUserPolicy", put);
    }
    let made = admin(world, "iam", "CreateAccessKey", json!({ "UserName": name }));
    Keys { id: text(&made["AccessKey"]["AccessKeyId"]), token: None }
}

fn role(world: &mut World, name: &str, trusted: &str, statements: &str) -> String {
    let trust = document(&format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{trusted}}}"#));
    let create = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust });
    let arn = text(&admin(world, "iam", "CreateRole", create)["Role"]["Arn"]);
    let put = json!({ "RoleName": name, "PolicyName": "own", "PolicyDocument": document(statements) });
    admin(world, "iam", "PutRolePolicy", put);
    arn
}

fn assume(world: &mut World, keys: &Keys, arn: &str, more: Json) -> Result<Keys, ApiError> {
    let mut input = json!({ "RoleArn": arn, "RoleSessionName": "ci" });
    input.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let answer = call(world, keys, "sts", "AssumeRole", input)?;
    let credentials = &answer["Credentials"];
    Ok(Keys { id: text(&credentials["AccessKeyId"]), token: Some(text(&credentials["SessionToken"])) })
}

fn refusal(result: Result<Json, ApiError>) -> String {
    let error = result.expect_err("refused");
    format!("{} {}: {}", error.status, error.code, error.message)
}

const ECS: &str = r#"{"Effect":"Allow","Action":["ecs:List*","ecs:Describe*"],"Resource":"*"}"#;

#[test]
fn each_service_refuses_in_its_own_words() {
    let mut world = world();
    let ann = user(&mut world, "ann", ECS);
    call(&mut world, &ann, "ecs", "ListClusters", json!({})).expect("allowed");
    assert_eq!(
        refusal(call(
            &mut world,
            &ann,
            "ecs",
            "CreateService",
            json!({ "cluster": "main", "serviceName": "web" })
        )),
        "400 AccessDeniedException: User: arn:aws:iam::123456789012:user/ann is not authorized to perform: \
         ecs:CreateService on resource: arn:aws:ecs:us-east-1:123456789012:service/main/web because no \
         identity-based policy allows the ecs:CreateService action"
    );
    assert_eq!(
        refusal(call(&mut world, &ann, "iam", "CreateRole", json!({ "RoleName": "x", "Path": "/team/" }))),
        "403 AccessDenied: User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:CreateRole on \
         resource: arn:aws:iam::123456789012:role/team/x because no identity-based policy allows the \
         iam:CreateRole action"
    );
    let ec2 = refusal(call(&mut world, &ann, "ec2", "DescribeVpcs", json!({})));
    let begin = "403 UnauthorizedOperation: You are not authorized to perform this operation. User: \
                 arn:aws:iam::123456789012:user/ann is not authorized to perform: ec2:DescribeVpcs because no \
                 identity-based policy allows the ec2:DescribeVpcs action. Encoded authorization failure message: ";
    let encoded = ec2.strip_prefix(begin).unwrap_or_else(|| panic!("{ec2}"));
    let decoded =
        admin(&mut world, "sts", "DecodeAuthorizationMessage", json!({ "EncodedMessage": encoded }));
    let decoded: Json =
        serde_json::from_str(decoded["DecodedMessage"].as_str().expect("text")).expect("JSON");
    assert_eq!(decoded["context"]["action"], "ec2:DescribeVpcs");
    assert_eq!((&decoded["allowed"], &decoded["explicitDeny"]), (&json!(false), &json!(false)));
}

#[test]
fn nobody_is_refused_until_authority_is_enforced() {
    let mut world = world();
    let ann = user(&mut world, "ann", "");
    world.iam.enforcement = Enforcement::default();
    call(&mut world, &ann, "ecs", "ListClusters", json!({})).expect("nobody asks");
    world.iam.enforcement = Enforcement::after(Some(1));
    call(&mut world, &ann, "ecs", "ListClusters", json!({})).expect("the last free call");
    refusal(call(&mut world, &ann, "ecs", "ListClusters", json!({})));
    call(&mut world, &ann, "sts", "GetCallerIdentity", json!({})).expect("needs no permission");
}

#[test]
fn credentials_must_be_in_force() {
    let mut world = world();
    let ann = user(&mut world, "ann", ECS);
    let unknown = Keys { id: "AKIAABCDEFGHIJKLMNOP".into(), token: None };
    assert_eq!(
        refusal(call(&mut world, &unknown, "ecs", "ListClusters", json!({}))),
        "400 UnrecognizedClientException: The security token included in the request is invalid."
    );
    let put_out = json!({ "UserName": "ann", "AccessKeyId": ann.id, "Status": "Inactive" });
    admin(&mut world, "iam", "UpdateAccessKey", put_out);
    assert!(refusal(call(&mut world, &ann, "ec2", "DescribeVpcs", json!({}))).starts_with("401 AuthFailure"));
    let arn = role(&mut world, "deploy", r#"{"AWS":"*"}"#, ECS);
    let session = assume(&mut world, &Keys::default(), &arn, json!({})).expect("an administrator may");
    call(&mut world, &session, "ecs", "ListClusters", json!({})).expect("allowed");
    let without = Keys { token: None, ..session.clone() };
    assert!(
        refusal(call(&mut world, &without, "iam", "ListRoles", json!({}))).contains("InvalidClientTokenId")
    );
    world.advance_to(world.now + 61 * MINUTE);
    assert!(refusal(call(&mut world, &session, "iam", "ListRoles", json!({}))).contains("ExpiredToken"));
}

#[test]
fn groups_managed_policies_and_boundaries_speak_for_a_user() {
    let mut world = world();
    let ann = user(&mut world, "ann", "");
    let list = |world: &mut World| call(world, &ann, "ecs", "ListClusters", json!({}));
    refusal(list(&mut world));
    admin(&mut world, "iam", "CreateGroup", json!({ "GroupName": "ops" }));
    admin(&mut world, "iam", "AddUserToGroup", json!({ "GroupName": "ops", "UserName": "ann" }));
    let power = json!({ "GroupName": "ops", "PolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess" });
    admin(&mut world, "iam", "AttachGroupPolicy", power);
    list(&mut world).expect("the group may");
    let iam = refusal(call(&mut world, &ann, "iam", "CreateUser", json!({ "UserName": "bob" })));
    assert!(iam.contains("because no identity-based policy allows"), "{iam}");
    let boundary = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    admin(
        &mut world,
        "iam",
        "PutUserPermissionsBoundary",
        json!({ "UserName": "ann", "PermissionsBoundary": boundary }),
    );
    let bounded = refusal(list(&mut world));
    assert!(
        bounded.ends_with("because no permissions boundary allows the ecs:ListClusters action"),
        "{bounded}"
    );
}

#[test]
fn a_role_is_assumed_by_whom_its_trust_policy_lets() {
    let mut world = world();
    let ann = user(&mut world, "ann", "");
    let may = r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}"#;
    let bob = user(&mut world, "bob", may);
    let named = role(&mut world, "named", r#"{"AWS":"arn:aws:iam::123456789012:user/ann"}"#, ECS);
    assume(&mut world, &ann, &named, json!({})).expect("she is named");
    assert_eq!(
        refusal(assume(&mut world, &bob, &named, json!({})).map(|_| Json::Null)),
        format!(
            "403 AccessDenied: User: arn:aws:iam::123456789012:user/bob is not authorized to perform: \
             sts:AssumeRole on resource: {named}"
        )
    );
    let open = role(&mut world, "open", r#"{"AWS":"123456789012"}"#, ECS);
    assume(&mut world, &bob, &open, json!({})).expect("the account is, and his own policy lets him");
    refusal(assume(&mut world, &ann, &open, json!({})).map(|_| Json::Null));
    refusal(assume(&mut world, &bob, "arn:aws:iam::123456789012:role/ghost", json!({})).map(|_| Json::Null));
}

#[test]
fn a_session_may_do_what_its_role_and_its_session_policies_allow() {
    let mut world = world();
    let all = r#"{"Effect":"Allow","Action":["ecs:*","logs:*"],"Resource":"*"}"#;
    let arn = role(&mut world, "deploy", r#"{"AWS":"*"}"#, all);
    let narrow = document(ECS);
    let session = assume(&mut world, &Keys::default(), &arn, json!({ "Policy": narrow })).expect("assumed");
    call(&mut world, &session, "ecs", "ListClusters", json!({})).expect("both allow it");
    let refused = refusal(call(&mut world, &session, "logs", "DescribeLogGroups", json!({})));
    assert!(
        refused.contains("User: arn:aws:sts::123456789012:assumed-role/deploy/ci is not authorized")
            && refused.ends_with("because no session policy allows the logs:DescribeLogGroups action"),
        "{refused}"
    );
    let identity = call(&mut world, &session, "sts", "GetCallerIdentity", json!({})).expect("answered");
    assert_eq!(identity["Arn"], "arn:aws:sts::123456789012:assumed-role/deploy/ci");
}

#[test]
fn a_role_that_is_handed_to_a_service_must_be_one_that_may_be_passed() {
    let mut world = world();
    let tasks = role(&mut world, "tasks", r#"{"Service":"ecs-tasks.amazonaws.com"}"#, ECS);
    let register = r#"{"Effect":"Allow","Action":"ecs:RegisterTaskDefinition","Resource":"*"}"#;
    let ann = user(&mut world, "ann", register);
    let definition = json!({
        "family": "web", "executionRoleArn": tasks,
        "containerDefinitions": [{ "name": "web", "image": "web", "memory": 64 }],
    });
    let refused = refusal(call(&mut world, &ann, "ecs", "RegisterTaskDefinition", definition.clone()));
    assert!(refused.contains(&format!("iam:PassRole on resource: {tasks}")), "{refused}");
    let pass = |to: &str| {
        format!(
            r#"{register},{{"Effect":"Allow","Action":"iam:PassRole","Resource":"{tasks}",
               "Condition":{{"StringEquals":{{"iam:PassedToService":"{to}"}}}}}}"#
        )
    };
    for (to, may) in [("ec2.amazonaws.com", false), ("ecs-tasks.amazonaws.com", true)] {
        let put = json!({ "UserName": "ann", "PolicyName": "own", "PolicyDocument": document(&pass(to)) });
        admin(&mut world, "iam", "PutUserPolicy", put);
        let result = call(&mut world, &ann, "ecs", "RegisterTaskDefinition", definition.clone());
        assert_eq!(result.is_ok(), may, "{to}: {result:?}");
    }
}

#[test]
fn tags_of_request_and_resource_and_the_cluster_are_conditions() {
    let mut world = world();
    let tagged = r#"{"Effect":"Allow","Action":["ec2:CreateVpc","ec2:CreateTags"],"Resource":"*",
        "Condition":{"StringEquals":{"aws:RequestTag/team":"web"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}},
        {"Effect":"Allow","Action":"ec2:DeleteVpc","Resource":"arn:aws:ec2:*:*:vpc/*",
        "Condition":{"StringEquals":{"aws:ResourceTag/team":"web"}}},
        {"Effect":"Allow","Action":"ecs:ListTasks","Resource":"*",
        "Condition":{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:*:*:cluster/main"}}}"#;
    let ann = user(&mut world, "ann", tagged);
    let vpc = |tags: Json| json!({ "CidrBlock": "10.0.0.0/16", "TagSpecifications": [{ "ResourceType": "vpc", "Tags": tags }] });
    let web = json!([{ "Key": "team", "Value": "web" }]);
    let made = call(&mut world, &ann, "ec2", "CreateVpc", vpc(web)).expect("tagged as it must be");
    let more = json!([{ "Key": "team", "Value": "web" }, { "Key": "cost", "Value": "1" }]);
    refusal(call(&mut world, &ann, "ec2", "CreateVpc", vpc(more)));
    refusal(call(&mut world, &ann, "ec2", "CreateVpc", json!({ "CidrBlock": "10.0.0.0/16" })));
    let other = admin(&mut world, "ec2", "CreateVpc", json!({ "CidrBlock": "10.1.0.0/16" }));
    let id = |vpc: &Json| json!({ "VpcId": vpc["Vpc"]["VpcId"] });
    refusal(call(&mut world, &ann, "ec2", "DeleteVpc", id(&other)));
    call(&mut world, &ann, "ec2", "DeleteVpc", id(&made)).expect("it is of her team");
    admin(&mut world, "ecs", "CreateCluster", json!({ "clusterName": "main" }));
    admin(&mut world, "ecs", "CreateCluster", json!({ "clusterName": "other" }));
    call(&mut world, &ann, "ecs", "ListTasks", json!({ "cluster": "main" })).expect("this cluster");
    refusal(call(&mut world, &ann, "ecs", "ListTasks", json!({ "cluster": "other" })));
}

#[test]
fn a_user_may_be_allowed_to_look_after_itself() {
    let mut world = world();
    let own = r#"{"Effect":"Allow","Action":["iam:*AccessKey*","iam:GetUser"],
        "Resource":"arn:aws:iam::*:user/${aws:username}"}"#;
    let ann = user(&mut world, "ann", own);
    user(&mut world, "bob", "");
    let me = call(&mut world, &ann, "iam", "GetUser", json!({})).expect("herself");
    assert_eq!(me["User"]["UserName"], "ann");
    call(&mut world, &ann, "iam", "ListAccessKeys", json!({})).expect("her own");
    refusal(call(&mut world, &ann, "iam", "ListAccessKeys", json!({ "UserName": "bob" })));
}

#[test]
fn what_a_resource_allows_in_its_own_policy_needs_no_other() {
    let mut world = world();
    let ann = user(&mut world, "ann", "");
    admin(&mut world, "ecr", "CreateRepository", json!({ "repositoryName": "web" }));
    let describe = json!({ "repositoryName": "web" });
    refusal(call(&mut world, &ann, "ecr", "DescribeImages", describe.clone()));
    let policy = document(
        r#"{"Effect":"Allow","Action":"ecr:DescribeImages","Principal":{"AWS":"arn:aws:iam::123456789012:user/ann"}}"#,
    );
    admin(&mut world, "ecr", "SetRepositoryPolicy", json!({ "repositoryName": "web", "policyText": policy }));
    call(&mut world, &ann, "ecr", "DescribeImages", describe).expect("the repository lets her");
}

#[test]
fn a_web_identity_is_trusted_under_the_conditions_on_its_claims() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let mut world = world();
    let url = "token.actions.githubusercontent.com";
    let provider = admin(
        &mut world,
        "iam",
        "CreateOpenIDConnectProvider",
        json!({ "Url": format!("https://{url}"), "ClientIDList": ["sts.amazonaws.com"] }),
    );
    let provider = text(&provider["OpenIDConnectProviderArn"]);
    let trust = document(&format!(
        r#"{{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{{"Federated":"{provider}"}},
           "Condition":{{"StringEquals":{{"{url}:aud":"sts.amazonaws.com"}},"StringLike":{{"{url}:sub":"repo:us/shop:*"}}}}}}"#
    ));
    let create = json!({ "RoleName": "ci", "AssumeRolePolicyDocument": trust });
    let arn = text(&admin(&mut world, "iam", "CreateRole", create)["Role"]["Arn"]);
    let mut ask = |subject: &str, audience: &str| {
        let claims = json!({ "iss": format!("https://{url}"), "sub": subject, "aud": audience });
        let token = format!("e30.{}.c2ln", BASE64.encode(claims.to_string()));
        let input = json!({ "RoleArn": arn, "RoleSessionName": "run", "WebIdentityToken": token });
        call(&mut world, &Keys::default(), "sts", "AssumeRoleWithWebIdentity", input)
    };
    let answer = ask("repo:us/shop:ref:refs/heads/main", "sts.amazonaws.com").expect("trusted");
    assert_eq!(answer["SubjectFromWebIdentityToken"], "repo:us/shop:ref:refs/heads/main");
    let other = refusal(ask("repo:them/fork:ref:refs/heads/main", "sts.amazonaws.com"));
    assert_eq!(other, "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity");
    assert!(refusal(ask("repo:us/shop:x", "elsewhere")).contains("Incorrect token audience"));
}

#[test]
fn the_simulator_of_policies_evaluates_as_calls_are_checked() {
    let mut world = world();
    user(&mut world, "ann", ECS);
    let input = json!({
        "PolicySourceArn": "arn:aws:iam::123456789012:user/ann",
        "ActionNames": ["ecs:ListClusters", "ecs:DeleteCluster"],
    });
    let results = admin(&mut world, "iam", "SimulatePrincipalPolicy", input);
    let decisions: Vec<&Json> = results["EvaluationResults"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["EvalDecision"])
        .collect();
    assert_eq!(decisions, [&json!("allowed"), &json!("implicitDeny")]);
}

#[test]
fn references_that_lead_nowhere_are_noticed() {
    let mut world = world();
    let ann = user(&mut world, "ann", ECS);
    assert_eq!(crate::invariants::broken(&world), Vec::<String>::new());
    // Through the API one must take away what refers to it first.
    let refused =
        refusal(call(&mut world, &Keys::default(), "iam", "DeleteUser", json!({ "UserName": "ann" })));
    assert!(refused.contains("DeleteConflict"), "{refused}");
    let mut saved = serde_json::to_value(&world).expect("plain data");
    saved["iam"]["users"].as_object_mut().expect("users").clear();
    let broken: World = serde_json::from_value(saved).expect("still a world");
    let told = crate::invariants::broken(&broken).join("\n");
    assert_eq!(told, format!("access key {} is of user ann, who is gone", ann.id));
}
