//! AWS's wire protocols on one side, the value tree on the other.
//!
//! A request is signed for a service, so the scope of its signature says which; the service's table
//! ([`model`]) says how its operations and their members travel. Signatures themselves are not checked.

mod cbor;
mod check;
mod json;
pub mod model;
mod query;
mod rest;
mod scalar;
#[cfg(test)]
mod tests;
mod xml;

use self::model::{Operation, Protocol, Service, Shape, ShapeId};
use super::World;
use super::authority;
use super::faults::{self, Disturbance, Lost};
use super::service::{self, ApiError, cloudtrail};
use super::world::partition;
use bytes::Bytes;
use ciborium::Value as Cbor;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value as Json, json};
use std::io::Read;

/// What a request turned out to ask for: an extension of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    pub service: String,
    pub operation: String,
    /// The code of the error, if it was one.
    pub error: Option<String>,
}

impl Called {
    /// Whether it can have changed the world by more than the passing of time.
    pub fn mutates(&self) -> bool {
        mutates(&self.operation)
    }
}

fn mutates(operation: &str) -> bool {
    const READS: &[&str] = &["Describe", "List", "Get", "BatchGet", "BatchCheck", "Filter", "Search", "Test"];
    !READS.iter().any(|verb| operation.starts_with(verb))
}

/// What a client sent cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    Document(String),
    Value { at: String, value: String, kind: &'static str },
    UnknownParameter(String),
}

impl Malformed {
    fn value(at: &str, value: &str, shape: &Shape) -> Self {
        Self::Value { at: at.to_owned(), value: value.to_owned(), kind: kind_name(shape) }
    }

    fn error(self, service: &Service, protocol: Protocol) -> ApiError {
        let code = match (&self, protocol) {
            (Malformed::UnknownParameter(_), _) => "UnknownParameter",
            (Malformed::Value { .. }, _) if matches!(service.name, "ec2" | "monitoring") => {
                "InvalidParameterValue"
            }
            (_, Protocol::Query | Protocol::Ec2) => "MalformedInput",
            (_, Protocol::Json | Protocol::Cbor | Protocol::RestJson) => "SerializationException",
            (_, Protocol::RestXml) if service.name == "s3" => "MalformedXML",
            (_, Protocol::RestXml) => "InvalidInput",
        };
        let message = match self {
            Malformed::Value { at, value, .. } if service.name == "monitoring" => {
                format!("The value {value} for parameter {} is invalid.", with_members(&at))
            }
            Malformed::Document(why) => format!("The request cannot be read: {why}"),
            Malformed::Value { at, value, kind } => {
                format!("Value ({value}) for parameter {at} is not a {kind}.")
            }
            Malformed::UnknownParameter(name) => format!("The parameter {name} is not recognized"),
        };
        ApiError::new(code, message)
    }
}

/// `MetricData.1.Value` as CloudWatch names it, whatever the protocol: `MetricData.member.1.Value`.
fn with_members(at: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in at.split('.') {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && parts.last() != Some(&"member") {
            parts.push("member");
        }
        parts.push(part);
    }
    parts.join(".")
}

fn kind_name(shape: &Shape) -> &'static str {
    use model::Kind;
    match shape.kind {
        Kind::Structure(_) => "structure",
        Kind::List { .. } => "list",
        Kind::Map { .. } => "map",
        Kind::Text => "string",
        Kind::Integer => "integer",
        Kind::Float => "number",
        Kind::Boolean => "boolean",
        Kind::Timestamp(_) => "timestamp",
        Kind::Blob => "blob",
        Kind::Document => "document",
    }
}

/// A handler's answer does not have the shape the API model says: a bug of the handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misshapen(String);

impl Misshapen {
    fn new(at: &str, shape: &Shape, value: &Json) -> Self {
        Self(format!("{at} is {}, not a {}", json::brief(value), kind_name(shape)))
    }

    /// Members the model does not have would silently not be sent, so tests fail on them.
    fn check_members(
        service: &Service,
        id: ShapeId,
        fields: &Map<String, Json>,
        at: &str,
    ) -> Result<(), Misshapen> {
        let members = service.members(id);
        let unknown = || {
            fields.iter().find(|(name, v)| !v.is_null() && !members.iter().any(|m| m.name == name.as_str()))
        };
        match cfg!(debug_assertions).then(unknown).flatten() {
            Some((name, _)) => Err(Self(format!("{at}.{name} is no member of {}", service.shape(id).name))),
            None => Ok(()),
        }
    }
}

/// Services with one endpoint for all regions.
const GLOBAL: &[&str] = &["iam", "route53", "sts"];

/// One request, answered by the world as it is now, in the region that it is signed for.
pub fn handle(world: &mut World, request: http::Request<Bytes>) -> Result<Response<Bytes>, Lost> {
    let here = |scope: &Scope, region: &str| {
        let global = GLOBAL.contains(&scope.service.as_str());
        *region == world.region || global && partition(region) == world.partition()
    };
    let asked = scope(request.headers()).and_then(|mut scope| {
        let region = scope.region.take()?;
        (!here(&scope, &region)).then_some(region)
    });
    match asked {
        Some(region) => world.in_region(&region, |world| answer(world, request)),
        None => answer(world, request),
    }
}

/// Unless a fault is in the way.
fn answer(world: &mut World, request: http::Request<Bytes>) -> Result<Response<Bytes>, Lost> {
    let request_id = world.request_id();
    let (mut parts, body) = request.into_parts();
    let mut body = plain_body(&parts, body);
    world.caller = scope(&parts.headers).map(|s| s.access_key).unwrap_or_default();
    world.token = parts.headers.get("x-amz-security-token").and_then(|t| t.to_str().ok()).map(str::to_owned);
    let form = query::Form::parse(&body);
    let signed = service_name(&parts, &form);
    let Some(service) = model::service(&signed) else {
        let message = format!("The embedded AWS has no service `{signed}`.");
        return Ok(unknown_service(&parts, &signed, &message, &request_id));
    };
    if service.name == "s3" {
        rest::to_path_style(&mut parts);
        body = rest::unframed(&parts, &body).map_or(body, Bytes::from);
    }
    let bodiless = parts.method == http::Method::HEAD;
    let call = Call { service, protocol: protocol(service, &parts), request_id, bodiless };
    let name = call.operation_name(&parts, &form);
    let found = call.operation(&parts, &form);
    let disturbance = match &found {
        Ok(_) => faults::on_call(world, service.name, &name, mutates(&name)),
        Err(_) => None,
    };
    let mut before = None;
    match disturbance {
        Some(Disturbance::Refused(error)) => {
            if mutates(&name) {
                world.tell_call(service.name, &name, Some(&error.code));
            }
            return Ok(call.answered(Err(error), name));
        }
        Some(Disturbance::LostBefore(lost)) => return Err(lost),
        Some(Disturbance::Stale(by)) => before = world.as_it_was(by),
        Some(Disturbance::LostAfter(_)) | None => {}
    }
    let changes = mutates(&name);
    if changes {
        world.remember();
    }
    let world = before.as_mut().unwrap_or(world);
    let result = found.and_then(|operation| {
        let answer = call.run(world, operation, &parts, &form, &body)?;
        call.encode(operation, &answer)
    });
    let waits = world.waits.take();
    if changes {
        let error = result.as_ref().err().map(|error| error.code.as_str());
        world.tell_call(service.name, &name, error);
    }
    match disturbance {
        Some(Disturbance::LostAfter(lost)) => Err(lost),
        _ => {
            let mut response = call.answered(result, name);
            if let Some(wait) = waits {
                response.extensions_mut().insert(wait);
            }
            Ok(response)
        }
    }
}

impl Call {
    fn answered(&self, result: Result<Response<Bytes>, ApiError>, operation: String) -> Response<Bytes> {
        let (mut response, error) = match result {
            Ok(response) => (response, None),
            Err(error) => (self.error(&error), Some(error.code)),
        };
        let service = self.service.name.to_owned();
        response.extensions_mut().insert(Called { service, operation, error });
        response
    }
}

/// The body without compression: the SDKs send PutMetricData gzipped.
fn plain_body(parts: &Parts, body: Bytes) -> Bytes {
    if parts.headers.get(CONTENT_ENCODING).is_none_or(|e| e != "gzip") {
        return body;
    }
    let mut plain = Vec::new();
    match flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain) {
        Ok(_) => plain.into(),
        Err(_) => body,
    }
}

/// Who signed, and for what.
struct Scope {
    access_key: String,
    region: Option<String>,
    service: String,
}

/// `AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/ecs/aws4_request, SignedHeaders=…` (SigV4A has no
/// region in it).
fn scope(headers: &HeaderMap) -> Option<Scope> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let credential = header.split("Credential=").nth(1)?.split(',').next()?;
    let mut parts = credential.trim().rsplit('/');
    let (_aws4_request, service) = (parts.next()?, parts.next()?);
    let dated = |part: &str| part.len() == 8 && part.bytes().all(|b| b.is_ascii_digit());
    let mut rest: Vec<_> = parts.collect();
    let region = rest.first().filter(|part| !dated(part)).map(|region| (*region).to_owned());
    Some(Scope { access_key: rest.pop()?.to_owned(), region, service: service.to_owned() })
}

/// From the signature, or else (unsigned operations, as STS has them) from target, path, version or host.
fn service_name(parts: &Parts, form: &query::Form) -> String {
    if let Some(scope) = scope(&parts.headers) {
        return scope.service;
    }
    let target = target(parts).map(|(prefix, _)| prefix);
    let version = form.get("Version");
    let by_table = model::SERVICES.iter().filter_map(|name| model::service(name)).find(|service| {
        target.is_some_and(|t| t == service.target)
            || version.is_some_and(|v| {
                v == service.version && form.get("Action").is_some_and(|a| service.operations.contains_key(a))
            })
    });
    let host = || parts.headers.get(HOST).and_then(|h| h.to_str().ok()).or(parts.uri.host()).unwrap_or("");
    by_table.map_or_else(|| host().split('.').next().unwrap_or("").to_owned(), |s| s.name.to_owned())
}

/// Service and operation as JSON (`x-amz-target`) and CBOR (`/service/S/operation/O`) name them.
fn target(parts: &Parts) -> Option<(&str, &str)> {
    if let Some(target) = parts.headers.get("x-amz-target") {
        return target.to_str().ok()?.rsplit_once('.');
    }
    let (_, path) = parts.uri.path().rsplit_once("/service/")?;
    path.split_once("/operation/")
}

/// What the client speaks, which need not be what AWS prefers: CloudWatch has three.
fn protocol(service: &Service, parts: &Parts) -> Protocol {
    let spoken = if parts.headers.get("smithy-protocol").is_some_and(|p| p == "rpc-v2-cbor") {
        Protocol::Cbor
    } else if parts.headers.contains_key("x-amz-target") {
        Protocol::Json
    } else if parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|t| t.as_bytes().starts_with(b"application/x-www-form"))
    {
        Protocol::Query
    } else {
        service.protocols[0]
    };
    if service.protocols.contains(&spoken) { spoken } else { service.protocols[0] }
}

/// For a service without table: in the form the request is in.
fn unknown_service(parts: &Parts, name: &str, message: &str, request_id: &str) -> Response<Bytes> {
    let code = "UnsupportedOperation";
    let mut response = if target(parts).is_some() {
        json_response("application/x-amz-json-1.1", &json!({"__type": code, "message": message}))
    } else {
        xml_response(error_document("", code, message, "Sender", request_id))
    };
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    let called = Called { service: name.to_owned(), operation: "?".to_owned(), error: Some(code.to_owned()) };
    response.extensions_mut().insert(called);
    response
}

/// One request to a service we have.
struct Call {
    service: &'static Service,
    protocol: Protocol,
    request_id: String,
    /// The answer to a HEAD request has no body, not even that of an error.
    bodiless: bool,
}

impl Call {
    /// As the request names it, whether there is such an operation or not.
    fn operation_name(&self, parts: &Parts, form: &query::Form) -> String {
        match self.protocol {
            Protocol::Query | Protocol::Ec2 => form.get("Action").unwrap_or("?").to_owned(),
            Protocol::Json | Protocol::Cbor => target(parts).map_or("?", |(_, name)| name).to_owned(),
            Protocol::RestXml | Protocol::RestJson => match rest::find(self.service, parts) {
                Some(operation) => operation.name.to_owned(),
                None => format!("{} {}", parts.method, parts.uri.path()),
            },
        }
    }

    fn operation(&self, parts: &Parts, form: &query::Form) -> Result<&'static Operation, ApiError> {
        let name = self.operation_name(parts, form);
        // The classic load balancers' API shares the signing name and many operation names.
        let other_api = self.protocol == Protocol::Query
            && form.get("Version").is_some_and(|version| version != self.service.version);
        if other_api {
            let version = form.get("Version").unwrap_or_default();
            return Err(self.unsupported(&format!("{name} of version {version}")));
        }
        self.service.operations.get(name.as_str()).ok_or_else(|| self.unsupported(&name))
    }

    /// 501 is what clients do not try again.
    fn unsupported(&self, operation: &str) -> ApiError {
        let message = format!("The embedded AWS does not support {}:{operation}.", self.service.name);
        ApiError::new("UnsupportedOperation", message).status(501)
    }

    fn run(
        &self,
        world: &mut World,
        operation: &Operation,
        parts: &Parts,
        form: &query::Form,
        body: &[u8],
    ) -> Result<Json, ApiError> {
        let handlers = service::operations(self.service.name).unwrap_or(&[]);
        let handler = handlers.iter().find(|(name, _)| *name == operation.name);
        let (_, handler) = handler.ok_or_else(|| self.unsupported(operation.name))?;
        let input =
            self.decode(operation, parts, form, body).map_err(|e| e.error(self.service, self.protocol))?;
        check::check(self.service, operation.input, &input)?;
        authority::authorize(world, self.service.name, operation.name, &input)?;
        service::sts::used(world, self.service.name);
        if self.protocol == Protocol::Ec2 && input["DryRun"] == Json::Bool(true) {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(ApiError::new("DryRunOperation", message).status(412));
        }
        let answer = if self.service.name == "ec2" {
            service::ec2::fresh::check(world, operation.name, &input)?;
            let (answer, given) = world.watching_ids(|world| handler(world, &input));
            service::ec2::fresh::given(world, given);
            answer
        } else {
            handler(world, &input)
        };
        if mutates(operation.name) {
            self.record(world, operation.name, parts, &input, &answer);
        }
        answer
    }

    /// For those who ask later who changed something.
    fn record(
        &self,
        world: &mut World,
        operation: &str,
        parts: &Parts,
        input: &Json,
        answer: &Result<Json, ApiError>,
    ) {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let made = cloudtrail::Call {
            service: self.service.name,
            operation,
            request_id: &self.request_id,
            agent: header("user-agent").unwrap_or_default(),
            // Nobody but this machine can reach the world.
            address: header("x-forwarded-for").unwrap_or("127.0.0.1"),
        };
        cloudtrail::record(world, &made, input, answer);
    }

    fn decode(
        &self,
        operation: &Operation,
        parts: &Parts,
        form: &query::Form,
        body: &[u8],
    ) -> Result<Json, Malformed> {
        match self.protocol {
            Protocol::Query | Protocol::Ec2 => {
                query::decode(self.service, self.protocol, operation.input, form)
            }
            Protocol::RestXml | Protocol::RestJson => rest::decode(self.service, operation, parts, body),
            Protocol::Cbor => cbor::decode(self.service, operation.input, body),
            Protocol::Json => {
                let text = if body.is_empty() { b"{}" } else { body };
                let wire: Json =
                    serde_json::from_slice(text).map_err(|e| Malformed::Document(e.to_string()))?;
                match operation.input {
                    Some(input) => json::decode(self.service, input, &wire, ""),
                    None => Ok(json!({})),
                }
            }
        }
    }

    fn encode(&self, operation: &Operation, answer: &Json) -> Result<Response<Bytes>, ApiError> {
        let response = match self.protocol {
            Protocol::Query | Protocol::Ec2 => self.xml_answer(operation, answer),
            Protocol::RestXml | Protocol::RestJson => {
                rest::encode(self.service, operation, answer).map(|response| self.typed(response))
            }
            Protocol::Cbor => cbor::encode(self.service, operation.output, answer).map(cbor_response),
            Protocol::Json => match operation.output {
                Some(output) => json::encode(self.service, output, answer, "")
                    .map(|wire| json_response(&self.json_type(), &wire)),
                // Operations without output answer an empty body.
                None => Ok(bare(&self.json_type(), Bytes::new())),
            },
        };
        let mut response = response.map_err(|Misshapen(why)| {
            let message = format!(
                "{}:{} answered what its API does not have: {why}",
                self.service.name, operation.name
            );
            ApiError::new("InternalFailure", message).status(500)
        })?;
        self.add_request_id(&mut response);
        Ok(response)
    }

    /// What an answer is in, unless it is an object that says so itself.
    fn typed(&self, response: Response<Vec<u8>>) -> Response<Bytes> {
        let mut response = response.map(Bytes::from);
        let xml = self.protocol == Protocol::RestXml;
        if !response.body().is_empty() && !response.headers().contains_key(CONTENT_TYPE) {
            let kind = HeaderValue::from_static(if xml { "text/xml" } else { "application/json" });
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        response
    }

    fn xml_answer(&self, operation: &Operation, answer: &Json) -> Result<Response<Bytes>, Misshapen> {
        let encoder = xml::Encoder { service: self.service, protocol: self.protocol };
        let mut result = Ok(());
        let mut writer = xml::Writer::document();
        let ec2 = self.protocol == Protocol::Ec2;
        // EC2's namespace ends in a slash on the wire but not in its model.
        let namespace =
            if ec2 { format!("{}/", self.service.namespace) } else { self.service.namespace.to_owned() };
        writer.root(&format!("{}Response", operation.name), &namespace, |w| {
            if ec2 {
                w.leaf("requestId", &self.request_id);
                match operation.output {
                    Some(output) => result = encoder.members(w, output, answer, ""),
                    None => w.leaf("return", "true"),
                }
                return;
            }
            if let Some(output) = operation.output {
                w.element(&format!("{}Result", operation.name), |w| {
                    result = encoder.members(w, output, answer, "");
                });
            }
            w.element("ResponseMetadata", |w| w.leaf("RequestId", &self.request_id));
        });
        result.map(|()| xml_response(writer.finish()))
    }

    fn error(&self, error: &ApiError) -> Response<Bytes> {
        let known = self.service.error(&error.code);
        let code = known.map_or(error.code.as_str(), |e| e.code);
        let shape = known.map_or(error.code.as_str(), |e| e.shape);
        let status = if error.status == 400 { known.map_or(400, |e| e.status) } else { error.status };
        let fault = if status < 500 { "Sender" } else { "Receiver" };
        let message = error.message.as_str();
        let mut response = match self.protocol {
            Protocol::Query => {
                xml_response(error_document(self.service.namespace, code, message, fault, &self.request_id))
            }
            // Of S3 alone an error is the whole document.
            Protocol::RestXml if self.service.name == "s3" => {
                xml_response(s3_error_document(code, message, &self.request_id))
            }
            Protocol::RestXml => {
                let namespace = rest::namespace(self.service);
                xml_response(error_document(&namespace, code, message, fault, &self.request_id))
            }
            Protocol::Ec2 => xml_response(ec2_error_document(code, message, &self.request_id)),
            Protocol::Json => {
                // SQS says its namespace too.
                let full = if self.service.name == "sqs" {
                    format!("com.amazonaws.sqs#{shape}")
                } else {
                    shape.to_owned()
                };
                let mut document = json!({"__type": full, "message": message});
                for (name, value) in error.details.iter().filter_map(|one| one.as_object()).flatten() {
                    document[name] = value.clone();
                }
                let mut response = json_response(&self.json_type(), &document);
                put(&mut response, "x-amzn-errortype", &full);
                response
            }
            Protocol::RestJson => {
                let kind = if status < 500 { "User" } else { "Service" };
                let mut response =
                    json_response("application/json", &json!({"Type": kind, "message": message}));
                put(&mut response, "x-amzn-errortype", shape);
                response
            }
            Protocol::Cbor => {
                let text = |s: &str| Cbor::Text(s.to_owned());
                let fields = vec![(text("__type"), text(shape)), (text("message"), text(message))];
                cbor_response(cbor::bytes(&Cbor::Map(fields)))
            }
        };
        if self.service.query_compatible && matches!(self.protocol, Protocol::Json | Protocol::Cbor) {
            put(&mut response, "x-amzn-query-error", &format!("{};{fault}", query_code(self.service, code)));
        }
        if self.bodiless || status == 304 {
            *response.body_mut() = Bytes::new();
        }
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.add_request_id(&mut response);
        response
    }

    fn json_type(&self) -> String {
        format!("application/x-amz-json-{}", self.service.json_version)
    }

    fn add_request_id(&self, response: &mut Response<Bytes>) {
        put(response, "x-amzn-requestid", &self.request_id);
    }
}

/// The code that an error had when the service spoke awsQuery. SQS's model no longer says it.
fn query_code<'a>(service: &Service, code: &'a str) -> std::borrow::Cow<'a, str> {
    let old = match (service.name, code) {
        ("sqs", "QueueDoesNotExist") => "NonExistentQueue",
        ("sqs", "QueueNameExists") => return "QueueAlreadyExists".into(),
        (
            "sqs",
            "BatchEntryIdsNotDistinct"
            | "BatchRequestTooLong"
            | "EmptyBatchRequest"
            | "InvalidBatchEntryId"
            | "MessageNotInflight"
            | "PurgeQueueInProgress"
            | "QueueDeletedRecently"
            | "TooManyEntriesInBatchRequest"
            | "UnsupportedOperation",
        ) => code,
        _ => return code.into(),
    };
    format!("AWS.SimpleQueueService.{old}").into()
}

fn put(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    // What is no header value (a code with a line break) is in the body as well.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn bare(content_type: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    put(&mut response, "content-type", content_type);
    response
}

fn json_response(content_type: &str, body: &Json) -> Response<Bytes> {
    bare(content_type, body.to_string().into())
}

fn xml_response(text: String) -> Response<Bytes> {
    bare("text/xml;charset=UTF-8", text.into())
}

fn cbor_response(body: Vec<u8>) -> Response<Bytes> {
    let mut response = bare("application/cbor", body.into());
    put(&mut response, "smithy-protocol", "rpc-v2-cbor");
    response
}

fn error_document(namespace: &str, code: &str, message: &str, fault: &str, request_id: &str) -> String {
    let mut writer = xml::Writer::document();
    writer.root("ErrorResponse", namespace, |w| {
        w.element("Error", |w| {
            w.leaf("Type", fault);
            w.leaf("Code", code);
            w.leaf("Message", message);
        });
        w.leaf("RequestId", request_id);
    });
    writer.finish()
}

fn s3_error_document(code: &str, message: &str, request_id: &str) -> String {
    let mut writer = xml::Writer::document();
    writer.element("Error", |w| {
        w.leaf("Code", code);
        w.leaf("Message", message);
        w.leaf("RequestId", request_id);
    });
    writer.finish()
}

fn ec2_error_document(code: &str, message: &str, request_id: &str) -> String {
    let mut writer = xml::Writer::document();
    writer.element("Response", |w| {
        w.element("Errors", |w| {
            w.element("Error", |w| {
                w.leaf("Code", code);
                w.leaf("Message", message);
            });
        });
        w.leaf("RequestID", request_id);
    });
    writer.finish()
}
