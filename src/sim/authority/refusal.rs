//! How services word that a request is not authorized (IAM User Guide, "Troubleshoot access denied error
//! messages"), or not authenticated ("Common errors" of each API reference).

use super::caller::Caller;
use super::evaluate::{Decision, Kind};
use super::{Context, Principal};
use crate::service::ApiError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value as Json, json};

/// Services whose errors are XML and coded `AccessDenied`; the JSON ones have their types.
const XML: &[&str] =
    &["autoscaling", "elasticloadbalancing", "iam", "monitoring", "route53", "s3", "sns", "sqs", "sts"];

/// `User: … is not authorized to perform: …`, with the kind of policy that decided.
pub fn words(caller: &str, action: &str, resource: Option<&str>, why: Decision) -> String {
    let on = resource.map(|resource| format!(" on resource: {resource}")).unwrap_or_default();
    let because = match why {
        // STS and KMS do not say more of what a resource's policy lacks.
        Decision::NotAllowed(Kind::Resource) if action.starts_with("sts:AssumeRole") => String::new(),
        Decision::NotAllowed(kind) => format!(" because no {} allows the {action} action", kind.name()),
        Decision::ExplicitlyDenied(kind) => {
            let name = kind.name();
            let article = if name.starts_with('i') { "an" } else { "a" };
            format!(" with an explicit deny in {article} {name}")
        }
        Decision::Allowed => String::new(),
    };
    format!("User: {caller} is not authorized to perform: {action}{on}{because}")
}

pub fn denied(
    service: &str,
    caller: &Caller,
    action: &str,
    resource: &str,
    why: Decision,
    context: &Context,
) -> ApiError {
    // EC2 names no resource of the calls that have none; the JSON services name `*`.
    let named = (resource != "*" || service != "ec2").then_some(resource);
    let message = words(&caller.arn, action, named, why);
    match service {
        "ec2" => {
            let encoded = encode(&explained(caller, action, resource, why, context));
            let message = format!(
                "You are not authorized to perform this operation. {message}. Encoded authorization failure \
                 message: {encoded}"
            );
            ApiError::new("UnauthorizedOperation", message).status(403)
        }
        name if XML.contains(&name) => ApiError::new("AccessDenied", message).status(403),
        "lambda" => ApiError::new("AccessDeniedException", message).status(403),
        _ => ApiError::new("AccessDeniedException", message),
    }
}

/// What DecodeAuthorizationMessage tells (its API reference).
fn explained(caller: &Caller, action: &str, resource: &str, why: Decision, context: &Context) -> Json {
    let arn = match &caller.principal {
        Principal::Account { arn, .. } => arn.as_str(),
        Principal::Service(name) | Principal::Federated(name) => name,
    };
    let conditions: Vec<Json> = context
        .iter()
        .map(|(key, values)| {
            let items: Vec<Json> = values.iter().map(|value| json!({ "value": value })).collect();
            json!({ "key": key, "values": { "items": items } })
        })
        .collect();
    json!({
        "allowed": false,
        "explicitDeny": matches!(why, Decision::ExplicitlyDenied(_)),
        "matchedStatements": { "items": [] },
        "failures": { "items": [] },
        "context": {
            "principal": { "id": caller.id, "arn": arn },
            "action": action,
            "resource": resource,
            "conditions": { "items": conditions },
        },
    })
}

fn encode(message: &Json) -> String {
    use std::io::Write;
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    let written = packed.write_all(message.to_string().as_bytes()).and_then(|()| packed.finish());
    BASE64.encode(written.expect("memory takes all that is written"))
}

/// The text of an encoded message; none if it is not one of ours.
pub fn decode(message: &str) -> Option<String> {
    use std::io::Read;
    let bytes = BASE64.decode(message).ok()?;
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(&bytes[..]).take(1 << 20).read_to_string(&mut text).ok()?;
    serde_json::from_str::<Json>(&text).ok()?;
    Some(text)
}

pub fn invalid_credentials(service: &str) -> ApiError {
    const INVALID: &str = "The security token included in the request is invalid.";
    match service {
        "ec2" => {
            let message = "AWS was not able to validate the provided access credentials";
            ApiError::new("AuthFailure", message).status(401)
        }
        "s3" => {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            ApiError::new("InvalidAccessKeyId", message).status(403)
        }
        name if XML.contains(&name) => ApiError::new("InvalidClientTokenId", INVALID).status(403),
        _ => ApiError::new("UnrecognizedClientException", INVALID),
    }
}

pub fn expired_credentials(service: &str) -> ApiError {
    let code = match service {
        "ec2" => "RequestExpired",
        name if XML.contains(&name) => "ExpiredToken",
        _ => "ExpiredTokenException",
    };
    let status = if service == "ec2" || code == "ExpiredTokenException" { 400 } else { 403 };
    ApiError::new(code, "The security token included in the request is expired").status(status)
}
