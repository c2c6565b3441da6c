//! One error type for all AWS operations.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What a call is answered that came too early: it was not carried out.
pub(super) const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "SlowDown",
];

/// Code of a rollout that did not end well, and is where it began again.
pub const ROLLED_BACK: &str = "RolledBack";

/// Code of a rollout that goes on when a person has agreed.
pub const WAITS_FOR_A_PERSON: &str = "WaitsForAPerson";

/// What AWS (or the way to it) answered instead of a result. The address is added by who knows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct AwsError {
    /// `CreateVpc`
    pub operation: String,
    /// `VpcLimitExceeded`; ours where AWS has none: `Unreachable`, `Unreadable` (an answer that
    /// is not AWS's: a proxy's page, say), `Timeout`, `NotStable`, `RolloutFailed`.
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
    /// Whether trying again later can help.
    pub transient: bool,
}

impl AwsError {
    /// An error of our own about an operation that AWS accepted but that did not end well.
    pub fn failed(operation: &str, code: &str, message: impl Into<String>) -> Self {
        Self {
            operation: operation.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            request_id: None,
            transient: false,
        }
    }

    /// Whether AWS may have done what was asked although no good answer came: a lost answer or a 5xx.
    pub fn is_ambiguous(&self) -> bool {
        self.transient && !self.is(THROTTLED)
    }

    /// Whether AWS does not know something: what was made a moment ago is not known everywhere at once.
    pub fn is_not_found(&self) -> bool {
        ["NotFound", "NoSuchEntity", "DoesNotExist"].iter().any(|part| self.code.contains(part))
            || self.is(&["NotVisible"])
    }

    /// Whether AWS says that there is one already.
    pub fn is_already_there(&self) -> bool {
        ["AlreadyExists", "Duplicate", "InUse", "AlreadyAssociated"]
            .iter()
            .any(|part| self.code.contains(part))
    }

    pub fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }
}

/// `client.create_vpc().send().await.op("CreateVpc")?`
pub trait Op<T> {
    fn op(self, operation: &str) -> Result<T, AwsError>;
}

impl<T, E> Op<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn op(self, operation: &str) -> Result<T, AwsError> {
        self.map_err(|error| from_sdk(operation, error))
    }
}

fn from_sdk<E>(operation: &str, error: SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let service = match &error {
        SdkError::ServiceError(service) => service,
        SdkError::ResponseError(answer) => return unreadable(operation, answer.raw()),
        other => {
            let late = match other {
                SdkError::TimeoutError(_) => true,
                SdkError::DispatchFailure(failure) => failure.is_timeout(),
                _ => false,
            };
            let code = if late { "Timeout" } else { "Unreachable" };
            let message = chain(other);
            return AwsError { transient: true, ..AwsError::failed(operation, code, message) };
        }
    };
    let meta = service.err().meta();
    let Some(code) = meta.code() else { return unreadable(operation, service.raw()) };
    AwsError {
        operation: operation.to_owned(),
        code: code.to_owned(),
        message: meta.message().unwrap_or("AWS gave no message").to_owned(),
        request_id: meta.extra("aws_request_id").map(str::to_owned),
        transient: THROTTLED.contains(&code) || service.raw().status().as_u16() >= 500,
    }
}

/// What it says, and what its causes add to that.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = error.source();
    }
    told
}

/// An answer without an error code that we know to read: its status and how it begins say most.
fn unreadable(operation: &str, answer: &HttpResponse) -> AwsError {
    const SHOWN: usize = 200;
    let status = answer.status().as_u16();
    let body = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    let begin: String = body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect();
    let message = match begin.as_str() {
        "" => format!("HTTP {status} without a word"),
        text => format!("HTTP {status}: {text}"),
    };
    // Gateways on the way say these; a 500 that is not in AWS's form comes from something that is not AWS.
    let passing = matches!(status, 502..=504);
    AwsError { transient: passing, ..AwsError::failed(operation, "Unreadable", message) }
}

/// Absence as None: a result whose error has one of `codes` means "is not there".
pub fn absent<T>(result: Result<T, AwsError>, codes: &[&str]) -> Result<Option<T>, AwsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(codes) => Ok(None),
        Err(error) => Err(error),
    }
}
