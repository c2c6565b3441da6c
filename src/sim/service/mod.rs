//! One module a service: its part of the world, and a handler an operation.
//!
//! Handlers get and give one value tree (JSON with the API model's member names: `CidrBlock`,
//! `TagSpecifications`), whatever protocol the client speaks. Inputs have already been decoded to the
//! types of the API model (numbers are numbers, lists are lists, timestamps RFC 3339 text, blobs base64
//! text) and checked against its constraints.

pub mod acm;
pub mod appautoscaling;
pub mod autoscaling;
pub mod cloudtrail;
pub mod cloudwatch;
pub mod codedeploy;
pub mod dynamodb;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elbv2;
pub mod events;
pub mod iam;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod notify;
pub mod route53;
pub mod s3;
pub mod secretsmanager;
pub mod servicediscovery;
pub mod servicequotas;
pub mod sns;
pub mod sqs;
pub mod ssm;
pub mod sts;
pub mod tagged;
pub mod tagging;
pub mod tree;

use super::World;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value as Json;

/// An error as AWS words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// `InvalidVpcID.NotFound`, without namespace or `Exception` juggling: as clients see the code.
    pub code: String,
    pub message: String,
    /// 400 unless AWS says otherwise.
    pub status: u16,
    /// Further members of the error's shape, for the JSON protocols.
    pub details: Option<Box<Json>>,
}

impl ApiError {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400, details: None }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with_details(mut self, members: Json) -> Self {
        self.details = Some(Box::new(members));
        self
    }
}

pub type Answer = Result<Json, ApiError>;
pub type Handler = fn(&mut World, &Json) -> Answer;

/// The operations of one service: (name in the API model, handler), sorted by name.
pub type Operations = &'static [(&'static str, Handler)];

/// By endpoint prefix as the SDKs sign it (`ec2`, `elasticloadbalancing`, `monitoring`, …).
pub fn operations(service: &str) -> Option<Operations> {
    Some(match service {
        "acm" => acm::OPERATIONS,
        "application-autoscaling" => appautoscaling::OPERATIONS,
        "autoscaling" => autoscaling::OPERATIONS,
        "cloudtrail" => cloudtrail::OPERATIONS,
        "codedeploy" => codedeploy::OPERATIONS,
        "dynamodb" => dynamodb::OPERATIONS,
        "events" => events::OPERATIONS,
        "lambda" => lambda::OPERATIONS,
        "monitoring" => cloudwatch::OPERATIONS,
        "ec2" => ec2::OPERATIONS,
        "ecr" => ecr::OPERATIONS,
        "ecs" => ecs::OPERATIONS,
        "elasticloadbalancing" => elbv2::OPERATIONS,
        "iam" => iam::OPERATIONS,
        "kms" => kms::OPERATIONS,
        "logs" => logs::OPERATIONS,
        "route53" => route53::OPERATIONS,
        "secretsmanager" => secretsmanager::OPERATIONS,
        "s3" => s3::OPERATIONS,
        "servicediscovery" => servicediscovery::OPERATIONS,
        "servicequotas" => servicequotas::OPERATIONS,
        "sns" => sns::OPERATIONS,
        "sqs" => sqs::OPERATIONS,
        "ssm" => ssm::OPERATIONS,
        "sts" => sts::OPERATIONS,
        "tagging" => tagging::OPERATIONS,
        _ => return None,
    })
}

/// An operation as one service calls it on another.
pub fn call(world: &mut World, service: &str, operation: &str, input: &Json) -> Answer {
    let all = operations(service).unwrap_or(&[]);
    match all.iter().find(|(name, _)| *name == operation) {
        Some((_, handler)) => handler(world, input),
        None => Err(ApiError::new("InternalServiceException", format!("{service} has no {operation}"))),
    }
}

/// Small readers of the value tree.
pub trait Input {
    fn text(&self, name: &str) -> Option<&str>;
    /// Empty when absent.
    fn list(&self, name: &str) -> &[Json];
    fn texts(&self, name: &str) -> Vec<&str>;
    fn int(&self, name: &str) -> Option<i64>;
    fn flag(&self, name: &str) -> Option<bool>;
}

impl Input for Json {
    fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    fn list(&self, name: &str) -> &[Json] {
        self.get(name).and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().filter_map(Json::as_str).collect()
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }
}

/// One page of a list: starts after `token`, at most `limit` items; the next token.
pub fn page<T>(items: Vec<T>, token: Option<&str>, limit: usize) -> (Vec<T>, Option<String>) {
    let start = token.and_then(page_start).unwrap_or(0);
    let total = items.len();
    let page: Vec<T> = items.into_iter().skip(start).take(limit).collect();
    let end = start + page.len();
    let next = (end < total).then(|| BASE64.encode(format!("{PAGE}{end}")));
    (page, next)
}

/// Tokens are opaque to clients: nobody shall count with them.
const PAGE: &str = "page starts at ";

/// The index that a token stands for; none if it is not one of ours.
pub fn page_start(token: &str) -> Option<usize> {
    let text = String::from_utf8(BASE64.decode(token).ok()?).ok()?;
    text.strip_prefix(PAGE)?.parse().ok()
}
