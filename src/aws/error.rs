//! One error type for all AWS operations.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What AWS (or the way to it) answered instead of a result. The address is added by who knows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}")]
pub struct AwsError {
    /// `CreateVpc`
    pub operation: String,
    /// `VpcLimitExceeded`; ours where AWS has none: `Unreachable`, `Timeout`, `NotStable`, `RolloutFailed`.
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

    pub fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }
}

/// `client.create_vpc().send().await.op("CreateVpc")?`
pub trait Op<T> {
    fn op(self, operation: &str) -> Result<T, AwsError>;
}

impl<T, E, R> Op<T> for Result<T, SdkError<E, R>>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    fn op(self, operation: &str) -> Result<T, AwsError> {
        self.map_err(|error| from_sdk(operation, error))
    }
}

fn from_sdk<E, R>(operation: &str, error: SdkError<E, R>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    const THROTTLED: &[&str] =
        &["Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"];
    let SdkError::ServiceError(service) = &error else {
        let code = if matches!(error, SdkError::TimeoutError(_)) { "Timeout" } else { "Unreachable" };
        let message = match &error {
            SdkError::ConstructionFailure(_) => DisplayErrorContext(&error).to_string(),
            other => DisplayErrorContext(other).to_string(),
        };
        return AwsError { transient: true, ..AwsError::failed(operation, code, message) };
    };
    let meta = service.err().meta();
    let code = meta.code().unwrap_or("Unknown");
    AwsError {
        operation: operation.to_owned(),
        code: code.to_owned(),
        message: meta.message().unwrap_or("AWS gave no message").to_owned(),
        request_id: meta.extra("aws_request_id").map(str::to_owned),
        transient: THROTTLED.contains(&code) || code.starts_with("Internal") || code == "ServiceUnavailable",
    }
}

/// Absence as None: a result whose error has one of `codes` means "is not there".
pub fn absent<T>(result: Result<T, AwsError>, codes: &[&str]) -> Result<Option<T>, AwsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(codes) => Ok(None),
        Err(error) => Err(error),
    }
}
