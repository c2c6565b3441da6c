//! Messages from one service to whatever an ARN names: a topic, a queue, a function, a log group.

#[cfg(test)]
mod tests;

use super::{call, lambda, sns, sqs};
use crate::World;
use serde_json::{Value as Json, json};

/// Into a stream of its own in the log group.
fn log(world: &mut World, arn: &str, text: &str) {
    let group = arn.split(":log-group:").nth(1).unwrap_or_default().trim_end_matches(":*").to_owned();
    let stream = world.uuid();
    let place = json!({"logGroupName": group, "logStreamName": stream});
    // A group that is gone gets nothing.
    if call(world, "logs", "CreateLogStream", &place).is_ok() {
        let line = json!({"timestamp": world.now, "message": text});
        let input = json!({"logGroupName": group, "logStreamName": stream, "logEvents": [line]});
        let _ = call(world, "logs", "PutLogEvents", &input);
    }
}

/// Sends a message as the services do: what cannot be delivered is lost without an error.
pub fn send(world: &mut World, arn: &str, subject: Option<&str>, message: &Json) {
    let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    match arn.split(':').nth(2) {
        Some("sns") => sns::publish_to(world, arn, subject, &text),
        Some("sqs") => sqs::send_to(world, arn, &text, None),
        Some("lambda") => {
            lambda::ask(world, arn, message);
        }
        Some("logs") => log(world, arn, &text),
        _ => {}
    }
}
