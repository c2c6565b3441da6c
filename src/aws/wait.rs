//! Waiting for AWS: one loop for all, on the clock port.

use super::{Aws, AwsError};
use std::time::Duration;

/// What one look at AWS said.
pub enum Poll<T> {
    Ready(T),
    /// Not yet; the text says what it is at.
    Pending(String),
}

/// Calls `look` every `every` until it is ready, fails, or `deadline` has passed.
pub async fn wait<T, F>(
    aws: &Aws,
    what: &str,
    every: Duration,
    deadline: Duration,
    progress: &dyn Fn(&str),
    mut look: F,
) -> Result<T, AwsError>
where
    F: AsyncFnMut() -> Result<Poll<T>, AwsError>,
{
    let end = aws.clock.now() + deadline;
    loop {
        let state = match look().await? {
            Poll::Ready(value) => return Ok(value),
            Poll::Pending(state) => state,
        };
        if aws.clock.now() >= end {
            let message = format!("still {state} after {} min", deadline.as_secs() / 60);
            return Err(AwsError::failed(what, "Timeout", message));
        }
        progress(&format!("{what}: {state}"));
        aws.clock.sleep(every).await;
    }
}
