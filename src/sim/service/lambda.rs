//! Lambda, as far as functions are targets of hooks and notifications. No code runs here: what a function
//! answers is declared by its tags, or else read from its name.
//!
//! `cutover:answers`: `SUCCEEDED`, `FAILED` or `IN_PROGRESS`, one for each invocation, separated by commas; the
//! last one stays. `cutover:seconds`: how long an invocation takes. Without them a name with `fail` in it means
//! FAILED, `retry` IN_PROGRESS twice and then SUCCEEDED, `hang` IN_PROGRESS for ever, any other SUCCEEDED.

use super::tree::{Output, Tags};
use super::{Answer, ApiError, Input, Operations, call, iam, page};
use crate::World;
use crate::world::{Millis, SECOND};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    functions: BTreeMap<String, Function>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Function {
    /// As GetFunctionConfiguration answers it, without state.
    configuration: Json,
    tags: Tags,
    created: Millis,
    changed: Millis,
    /// Number of the newest published version.
    versions: i64,
    /// Statements of its policy, by id.
    policy: BTreeMap<String, Json>,
    invocations: u64,
}

pub const OPERATIONS: Operations = &[
    ("AddPermission", add_permission),
    ("CreateFunction", create),
    ("DeleteFunction", delete),
    ("GetFunction", get),
    ("GetFunctionCodeSigningConfig", get_code_signing),
    ("GetFunctionConcurrency", get_concurrency),
    ("GetFunctionConfiguration", get_configuration),
    ("GetPolicy", get_policy),
    ("Invoke", invoke),
    ("ListFunctions", list),
    ("ListTags", list_tags),
    ("ListVersionsByFunction", list_versions),
    ("PublishVersion", publish),
    ("RemovePermission", remove_permission),
    ("TagResource", tag),
    ("UntagResource", untag),
    ("UpdateFunctionCode", update_code),
    ("UpdateFunctionConfiguration", update_configuration),
];

/// A new function is Pending for a moment, a changed one InProgress.
const SETTLES: Millis = 3 * SECOND;
/// Unless `cutover:seconds` says otherwise.
const RUN: Millis = 2 * SECOND;

/// What an invocation will have come to.
pub struct Reply {
    pub after: Millis,
    /// `SUCCEEDED`, `FAILED` or `IN_PROGRESS`.
    pub answer: String,
}

/// Of a name, an ARN or a part of one, with or without a version.
fn name_of(reference: &str) -> &str {
    let rest = reference.rsplit_once(":function:").map_or(reference, |(_, rest)| rest);
    let rest = rest.strip_prefix("function:").unwrap_or(rest);
    rest.split(':').next().unwrap_or(rest)
}

/// What a function of this name answers when it is called for the nth time, if nothing is declared.
pub fn by_name(name: &str, calls: u64) -> &'static str {
    match name_of(name) {
        name if name.contains("fail") => "FAILED",
        name if name.contains("hang") => "IN_PROGRESS",
        name if name.contains("retry") && calls <= 2 => "IN_PROGRESS",
        _ => "SUCCEEDED",
    }
}

/// Another service invokes a function; None if there is none.
pub fn ask(world: &mut World, function: &str, payload: &Json) -> Option<Reply> {
    let name = name_of(function).to_owned();
    let found = world.lambda.functions.get_mut(&name)?;
    found.invocations += 1;
    let calls = found.invocations;
    let declared = found.tags.get("cutover:answers").and_then(|list| {
        let all: Vec<&str> = list.split(',').map(str::trim).collect();
        all.get((calls as usize - 1).min(all.len() - 1)).map(|one| one.to_uppercase())
    });
    let answer = declared.unwrap_or_else(|| by_name(&name, calls).to_owned());
    let seconds = found.tags.get("cutover:seconds").and_then(|text| text.trim().parse::<Millis>().ok());
    let after = seconds.map_or(RUN, |seconds| seconds.max(0) * SECOND);
    log(world, &name, payload, &answer);
    Some(Reply { after, answer })
}

/// What came and what was answered stands in the function's log group, as functions log it.
fn log(world: &mut World, name: &str, payload: &Json, answer: &str) {
    let group = format!("/aws/lambda/{name}");
    let day: String = World::timestamp(world.now).as_str().unwrap_or_default().chars().take(10).collect();
    let stream = format!("{}/[$LATEST]{}", day.replace('-', "/"), "0".repeat(32));
    let now = world.now;
    let lines = [format!("event: {payload}"), format!("hookStatus: {answer}")];
    let events: Vec<Json> = lines.iter().map(|line| json!({"timestamp": now, "message": line})).collect();
    // Group and stream may be there.
    let _ = call(world, "logs", "CreateLogGroup", &json!({"logGroupName": group}));
    let _ = call(world, "logs", "CreateLogStream", &json!({"logGroupName": group, "logStreamName": stream}));
    let input = json!({"logGroupName": group, "logStreamName": stream, "logEvents": events});
    let _ = call(world, "logs", "PutLogEvents", &input);
}

fn arn(world: &World, name: &str) -> String {
    world.arn("lambda", &format!("function:{name}"))
}

fn not_found(world: &World, name: &str) -> ApiError {
    let message = format!("Function not found: {}", arn(world, name));
    ApiError::new("ResourceNotFoundException", message).status(404)
}

fn find<'a>(
    world: &'a mut World,
    input: &Json,
    member: &str,
) -> Result<(String, &'a mut Function), ApiError> {
    let name = name_of(input.text(member).unwrap_or_default()).to_owned();
    if !world.lambda.functions.contains_key(&name) {
        return Err(not_found(world, &name));
    }
    Ok((name.clone(), world.lambda.functions.get_mut(&name).expect("just found")))
}

fn view(function: &Function, now: Millis) -> Json {
    let mut view = function.configuration.clone();
    let settled = now >= function.created + SETTLES;
    view["State"] = json!(if settled { "Active" } else { "Pending" });
    if !settled {
        view["StateReason"] = json!("The function is being created.");
        view["StateReasonCode"] = json!("Creating");
    }
    let busy = settled && now < function.changed + SETTLES && function.changed > function.created;
    view["LastUpdateStatus"] = json!(if busy || !settled { "InProgress" } else { "Successful" });
    view
}

/// `2026-01-02T03:04:05.000+0000`: Lambda writes this one time as text.
fn modified(now: Millis) -> String {
    let text = World::timestamp(now).as_str().unwrap_or_default().to_owned();
    format!("{}.{:03}+0000", &text[..text.len().min(19)], now.rem_euclid(1000))
}

const SETTINGS: &[&str] = &[
    "Runtime",
    "Role",
    "Handler",
    "Description",
    "Timeout",
    "MemorySize",
    "KMSKeyArn",
    "DeadLetterConfig",
    "FileSystemConfigs",
    "Architectures",
    "EphemeralStorage",
];

fn lay(configuration: &mut Json, input: &Json) {
    for name in SETTINGS {
        if let Some(value) = input.get(*name) {
            configuration[*name] = value.clone();
        }
    }
    if let Some(variables) = input.get("Environment").and_then(|one| one.get("Variables")) {
        configuration["Environment"] = json!({"Variables": variables});
    }
    if let Some(tracing) = input.get("TracingConfig") {
        configuration["TracingConfig"] = tracing.clone();
    }
    if let Some(logging) = input.get("LoggingConfig") {
        for (name, value) in logging.as_object().into_iter().flatten() {
            configuration["LoggingConfig"][name.as_str()] = value.clone();
        }
    }
    if let Some(vpc) = input.get("VpcConfig") {
        let list = |name: &str| vpc.list(name).to_vec();
        configuration["VpcConfig"] = json!({"SubnetIds": list("SubnetIds"), "SecurityGroupIds": list("SecurityGroupIds"), "VpcId": ""});
    }
    if let Some(layers) = input.get("Layers") {
        let all: Vec<Json> =
            layers.as_array().into_iter().flatten().map(|arn| json!({"Arn": arn, "CodeSize": 0})).collect();
        configuration["Layers"] = json!(all);
    }
}

/// Size and digest of the code that was given; it is not kept.
fn lay_code(configuration: &mut Json, code: &Json) {
    let bytes = code.text("ZipFile").and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.unwrap_or_else(|| code.to_string().into_bytes());
    configuration["CodeSize"] = json!(bytes.len());
    configuration["CodeSha256"] = json!(STANDARD.encode(Sha256::digest(&bytes)));
}

fn create(world: &mut World, input: &Json) -> Answer {
    let name = name_of(input.text("FunctionName").unwrap_or_default()).to_owned();
    if world.lambda.functions.contains_key(&name) {
        let message = format!("Function already exist: {name}");
        return Err(ApiError::new("ResourceConflictException", message).status(409));
    }
    let role = input.text("Role").unwrap_or_default();
    let trusted =
        iam::role_by_arn(world, role).is_some_and(|role| iam::trusts_service(role, "lambda.amazonaws.com"));
    if !trusted {
        let message = "The role defined for the function cannot be assumed by Lambda.";
        return Err(ApiError::new("InvalidParameterValueException", message));
    }
    let mut configuration = json!({
        "FunctionName": name, "FunctionArn": arn(world, &name), "Description": "", "Timeout": 3,
        "MemorySize": 128, "Version": "$LATEST", "PackageType": input.text("PackageType").unwrap_or("Zip"),
        "TracingConfig": {"Mode": "PassThrough"}, "RevisionId": world.uuid(),
        "Architectures": ["x86_64"], "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}")},
        "LastModified": modified(world.now),
    });
    lay(&mut configuration, input);
    lay_code(&mut configuration, input.get("Code").unwrap_or(&Json::Null));
    let function = Function {
        configuration,
        tags: tags(input),
        created: world.now,
        changed: world.now,
        versions: 0,
        policy: BTreeMap::new(),
        invocations: 0,
    };
    let mut answer = view(&function, world.now);
    world.lambda.functions.insert(name.clone(), function);
    if input.flag("Publish") == Some(true) {
        // Here alone the ARN is the function's, not the version's (API reference, CreateFunction, example).
        let arn = answer["FunctionArn"].take();
        answer = publish(world, &json!({"FunctionName": name}))?;
        answer["FunctionArn"] = arn;
    }
    Ok(answer)
}

fn tags(input: &Json) -> Tags {
    let given = input.get("Tags").and_then(Json::as_object).into_iter().flatten();
    given.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn delete(world: &mut World, input: &Json) -> Answer {
    let (name, _) = find(world, input, "FunctionName")?;
    world.lambda.functions.remove(&name);
    Ok(json!({"StatusCode": 204}))
}

fn get(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let (name, function) = find(world, input, "FunctionName")?;
    let location = format!("https://awslambda-code.s3.amazonaws.com/snapshots/{name}");
    let answer = json!({
        "Configuration": view(function, now), "Code": {"RepositoryType": "S3", "Location": location},
    });
    Ok(answer.with("Tags", (!function.tags.is_empty()).then(|| json!(function.tags))))
}

fn get_configuration(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    Ok(view(find(world, input, "FunctionName")?.1, now))
}

fn get_code_signing(world: &mut World, input: &Json) -> Answer {
    let (name, _) = find(world, input, "FunctionName")?;
    Ok(json!({"FunctionName": name, "CodeSigningConfigArn": ""}))
}

/// Nothing is reserved: the member is absent then.
fn get_concurrency(world: &mut World, input: &Json) -> Answer {
    find(world, input, "FunctionName")?;
    Ok(json!({}))
}

fn change(world: &mut World, input: &Json, lay: impl FnOnce(&mut Json)) -> Answer {
    let (now, revision) = (world.now, world.uuid());
    let (_, function) = find(world, input, "FunctionName")?;
    let wanted = input.text("RevisionId");
    if wanted.is_some_and(|id| function.configuration.text("RevisionId") != Some(id)) {
        let message = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
        return Err(ApiError::new("PreconditionFailedException", message).status(412));
    }
    lay(&mut function.configuration);
    function.configuration["RevisionId"] = json!(revision);
    function.configuration["LastModified"] = json!(modified(now));
    function.changed = now;
    Ok(view(function, now))
}

fn update_configuration(world: &mut World, input: &Json) -> Answer {
    change(world, input, |configuration| lay(configuration, input))
}

fn update_code(world: &mut World, input: &Json) -> Answer {
    change(world, input, |configuration| {
        lay_code(configuration, input);
        if let Some(architectures) = input.get("Architectures") {
            configuration["Architectures"] = architectures.clone();
        }
    })
}

fn list(world: &mut World, input: &Json) -> Answer {
    let all = world.lambda.functions.values().map(|one| view(one, world.now)).collect();
    let limit = input.int("MaxItems").map_or(50, |n| (n as usize).clamp(1, 50));
    let (items, next) = page(all, input.text("Marker"), limit);
    Ok(json!({"Functions": items}).with("NextMarker", next))
}

fn version_view(function: &Function, version: &str, now: Millis) -> Json {
    let mut view = view(function, now);
    let arn = format!("{}:{version}", view.text("FunctionArn").unwrap_or_default());
    view["FunctionArn"] = json!(arn);
    view["Version"] = json!(version);
    view
}

fn list_versions(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let (_, function) = find(world, input, "FunctionName")?;
    let numbers = (1..=function.versions).map(|number| number.to_string());
    let all = ["$LATEST".to_owned()].into_iter().chain(numbers);
    let all = all.map(|version| version_view(function, &version, now)).collect();
    let limit = input.int("MaxItems").map_or(50, |n| (n as usize).clamp(1, 50));
    let (items, next) = page(all, input.text("Marker"), limit);
    Ok(json!({"Versions": items}).with("NextMarker", next))
}

fn publish(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let (_, function) = find(world, input, "FunctionName")?;
    function.versions += 1;
    Ok(version_view(function, &function.versions.to_string(), now))
}

/// An answer as hook functions give it. A declared failure is an answer, not an error of the function.
fn invoke(world: &mut World, input: &Json) -> Answer {
    let (name, _) = find(world, input, "FunctionName")?;
    let payload = input.text("Payload").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let payload: Json = if payload.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(&payload).map_err(|error| {
            let message = format!("Could not parse request body into json: {error}");
            ApiError::new("InvalidRequestContentException", message)
        })?
    };
    match input.text("InvocationType") {
        Some("DryRun") => return Ok(json!({"StatusCode": 204})),
        Some("Event") => {
            ask(world, &name, &payload);
            return Ok(json!({"StatusCode": 202}));
        }
        _ => {}
    }
    let answer = ask(world, &name, &payload).map(|reply| reply.answer).unwrap_or_default();
    let body = STANDARD.encode(json!({"hookStatus": answer}).to_string());
    Ok(json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": body}))
}

fn list_tags(world: &mut World, input: &Json) -> Answer {
    Ok(json!({"Tags": find(world, input, "Resource")?.1.tags}))
}

fn tag(world: &mut World, input: &Json) -> Answer {
    find(world, input, "Resource")?.1.tags.extend(tags(input));
    Ok(json!({}))
}

fn untag(world: &mut World, input: &Json) -> Answer {
    let (_, function) = find(world, input, "Resource")?;
    for key in input.texts("TagKeys") {
        function.tags.remove(key);
    }
    Ok(json!({}))
}

fn add_permission(world: &mut World, input: &Json) -> Answer {
    let id = input.text("StatementId").unwrap_or_default().to_owned();
    let principal = input.text("Principal").unwrap_or_default();
    let principal = match principal.ends_with(".amazonaws.com") {
        true => json!({"Service": principal}),
        false => json!({"AWS": principal}),
    };
    let (_, function) = find(world, input, "FunctionName")?;
    if function.policy.contains_key(&id) {
        let message = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        return Err(ApiError::new("ResourceConflictException", message).status(409));
    }
    let mut statement = json!({
        "Sid": id, "Effect": "Allow", "Principal": principal, "Action": input["Action"],
        "Resource": function.configuration["FunctionArn"],
    });
    if let Some(source) = input.text("SourceArn") {
        statement["Condition"]["ArnLike"]["AWS:SourceArn"] = json!(source);
    }
    if let Some(account) = input.text("SourceAccount") {
        statement["Condition"]["StringEquals"]["AWS:SourceAccount"] = json!(account);
    }
    function.policy.insert(id, statement.clone());
    Ok(json!({"Statement": statement.to_string()}))
}

fn no_policy() -> ApiError {
    let message = "The resource you requested does not exist.";
    ApiError::new("ResourceNotFoundException", message).status(404)
}

fn get_policy(world: &mut World, input: &Json) -> Answer {
    let (_, function) = find(world, input, "FunctionName")?;
    if function.policy.is_empty() {
        return Err(no_policy());
    }
    let statements: Vec<&Json> = function.policy.values().collect();
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string();
    Ok(json!({"Policy": policy, "RevisionId": function.configuration["RevisionId"]}))
}

fn remove_permission(world: &mut World, input: &Json) -> Answer {
    let (_, function) = find(world, input, "FunctionName")?;
    let id = input.text("StatementId").unwrap_or_default();
    function.policy.remove(id).map(|_| json!({})).ok_or_else(no_policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let role = json!({"RoleName": "fn", "AssumeRolePolicyDocument": trust});
        call(&mut world, "iam", "CreateRole", &role).expect("created");
        world
    }

    fn make(world: &mut World, name: &str, tags: Json) {
        let role = world.arn("iam", "role/fn");
        let input = json!({
            "FunctionName": name, "Role": role, "Runtime": "python3.13", "Handler": "a.b",
            "Code": {"ZipFile": "UEsFBg=="}, "Tags": tags,
        });
        create(world, &input).expect("created");
    }

    #[test]
    fn a_function_answers_as_its_tags_say() {
        let mut world = world();
        make(&mut world, "gate", json!({"cutover:answers": "IN_PROGRESS, FAILED", "cutover:seconds": "90"}));
        let answers: Vec<(Millis, String)> = (0..3)
            .map(|_| {
                ask(&mut world, "gate", &json!({})).map(|reply| (reply.after, reply.answer)).expect("there")
            })
            .collect();
        let of = |answer: &str| (90_000, answer.to_owned());
        assert_eq!(answers, [of("IN_PROGRESS"), of("FAILED"), of("FAILED")]);
        let reference = "arn:aws:lambda:us-east-1:123456789012:function:gate:7";
        assert!(ask(&mut world, reference, &json!({})).is_some());
        assert!(ask(&mut world, "other", &json!({})).is_none());
        let events = json!({"logGroupName": "/aws/lambda/gate"});
        let logged = call(&mut world, "logs", "FilterLogEvents", &events).expect("logged");
        assert_eq!(logged["events"].as_array().map(Vec::len), Some(8));
    }

    #[test]
    fn a_name_says_it_when_no_tag_does() {
        let mut world = world();
        make(&mut world, "always-fail", json!({}));
        let answer = invoke(&mut world, &json!({"FunctionName": "always-fail"})).expect("answered");
        let body = STANDARD.decode(answer["Payload"].as_str().expect("payload")).expect("base64");
        assert_eq!(String::from_utf8_lossy(&body), r#"{"hookStatus":"FAILED"}"#);
        assert_eq!(by_name("retry-it", 2), "IN_PROGRESS");
        assert_eq!(by_name("retry-it", 3), "SUCCEEDED");
    }

    #[test]
    fn a_new_function_becomes_active() {
        let mut world = world();
        make(&mut world, "fn", json!({}));
        let asked = json!({"FunctionName": "fn"});
        assert_eq!(get_configuration(&mut world, &asked).expect("there")["State"], "Pending");
        world.advance_to(world.now + 5 * SECOND);
        assert_eq!(get_configuration(&mut world, &asked).expect("there")["State"], "Active");
        let role = json!({"FunctionName": "x", "Role": "arn:aws:iam::123456789012:role/none", "Code": {}});
        assert_eq!(create(&mut world, &role).expect_err("no role").code, "InvalidParameterValueException");
    }
}
