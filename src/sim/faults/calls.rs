//! Faults of single API calls.

use super::super::World;
use super::super::service::ApiError;
use super::super::world::Millis;
use super::{What, like};
use serde::{Deserialize, Serialize};

/// A share of the calls of some operations goes wrong in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallFault {
    pub how: How,
    /// As the SDKs sign it (`ecs`, `elasticloadbalancing`); `*` for any text in both.
    #[serde(default = "any")]
    pub service: String,
    #[serde(default = "any")]
    pub operation: String,
    /// Of the calls in question, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How often still; without it, as long as the fault lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

fn any() -> String {
    "*".to_owned()
}

fn always() -> f64 {
    1.0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    Throttle,
    InternalError,
    Unavailable,
    ExpiredCredentials,
    AccessDenied,
    /// No answer comes, and nothing was done.
    Timeout,
    /// No answer comes, but the call was carried out.
    TimeoutAfter,
    /// The connection breaks before the call arrives.
    Reset,
    /// The connection breaks after the call was carried out.
    ResetAfter,
    /// A read answers with what was true this many milliseconds ago.
    Stale(Millis),
}

/// Why no answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    #[error("no answer from the embedded AWS in time")]
    Timeout,
    #[error("connection reset by the embedded AWS")]
    Reset,
    /// There is nobody any more whom it could reach.
    #[error("the caller was killed")]
    Caller,
}

/// What happens to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    Refused(ApiError),
    LostBefore(Lost),
    LostAfter(Lost),
    Stale(Millis),
}

/// What the faults in force and the buckets do to this call.
pub fn on_call(world: &mut World, service: &str, operation: &str, mutates: bool) -> Option<Disturbance> {
    if let Some(how) = strike(world, service, operation, mutates) {
        return Some(disturbance(how, service));
    }
    let now = world.now;
    let faults = &mut world.faults;
    let too_many = faults.throttling && !faults.buckets.take(service, operation, now);
    too_many.then(|| Disturbance::Refused(throttled(service)))
}

fn strike(world: &mut World, service: &str, operation: &str, mutates: bool) -> Option<How> {
    let now = world.now;
    for at in 0..world.faults.declared.len() {
        let fault = &world.faults.declared[at];
        let What::Calls(call) = &fault.what else { continue };
        let meant = like(&call.service, service) && like(&call.operation, operation);
        let possible = !(mutates && matches!(call.how, How::Stale(_))) && call.times != Some(0);
        if !(fault.is_in_force(now) && meant && possible) {
            continue;
        }
        let (probability, how) = (call.probability, call.how);
        if probability < 1.0 && (world.random() % 1_000_000) as f64 >= probability * 1_000_000.0 {
            continue;
        }
        if let What::Calls(CallFault { times: Some(times), .. }) = &mut world.faults.declared[at].what {
            *times -= 1;
        }
        return Some(how);
    }
    None
}

fn disturbance(how: How, service: &str) -> Disturbance {
    let refused =
        |code: &str, message: &str, status| Disturbance::Refused(ApiError::new(code, message).status(status));
    match how {
        How::Throttle => Disturbance::Refused(throttled(service)),
        How::InternalError => refused(internal(service), "An internal error has occurred", 500),
        How::Unavailable => refused(unavailable(service), "The service is currently unavailable", 503),
        How::ExpiredCredentials => {
            refused(expired(service), "The security token included in the request is expired", 403)
        }
        How::AccessDenied => {
            let code = if service == "ec2" { "UnauthorizedOperation" } else { "AccessDenied" };
            refused(code, "You are not authorized to perform this operation.", 403)
        }
        How::Timeout => Disturbance::LostBefore(Lost::Timeout),
        How::TimeoutAfter => Disturbance::LostAfter(Lost::Timeout),
        How::Reset => Disturbance::LostBefore(Lost::Reset),
        How::ResetAfter => Disturbance::LostAfter(Lost::Reset),
        How::Stale(by) => Disturbance::Stale(by),
    }
}

/// EC2: "API error codes"; the other query services: "Common errors"; JSON services by their own types.
fn throttled(service: &str) -> ApiError {
    match service {
        "ec2" => ApiError::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
        "autoscaling" | "iam" | "monitoring" | "route53" | "sts" => {
            ApiError::new("Throttling", "Rate exceeded")
        }
        _ => ApiError::new("ThrottlingException", "Rate exceeded"),
    }
}

fn internal(service: &str) -> &'static str {
    match service {
        "ec2" => "InternalError",
        "ecs" => "ServerException",
        "ssm" => "InternalServerError",
        _ => "InternalFailure",
    }
}

fn unavailable(service: &str) -> &'static str {
    match service {
        "ec2" => "Unavailable",
        "logs" => "ServiceUnavailableException",
        _ => "ServiceUnavailable",
    }
}

fn expired(service: &str) -> &'static str {
    match service {
        "ec2" => "RequestExpired",
        "autoscaling" | "elasticloadbalancing" | "iam" | "monitoring" | "route53" | "sts" => "ExpiredToken",
        _ => "ExpiredTokenException",
    }
}

impl World {
    fn reads_stale(&self) -> bool {
        let stale = |what: &What| matches!(what, What::Calls(CallFault { how: How::Stale(_), .. }));
        self.faults.declared.iter().any(|fault| stale(&fault.what))
    }

    /// Keeps the world as it is before a change, if some read may yet ask for it.
    pub fn remember(&mut self) {
        if !self.reads_stale() {
            self.faults.past.clear();
            return;
        }
        match serde_json::to_vec(self) {
            Ok(saved) => self.faults.past.push((self.now, saved)),
            Err(error) => tracing::error!("the world cannot be remembered: {error}"),
        }
        let now = self.now;
        self.faults.past.retain(|(at, _)| now - at <= LONGEST);
    }

    /// The world as it was `by` ago; `None` if it is the same since.
    pub fn as_it_was(&self, by: Millis) -> Option<World> {
        let (_, saved) = self.faults.past.iter().find(|(at, _)| *at > self.now - by)?;
        serde_json::from_slice(saved).ok()
    }
}

/// No read is staler than this.
const LONGEST: Millis = 120_000;
