//! Messages from one service to whatever an ARN names: a topic, a queue, a function.

#[cfg(test)]
mod tests;

use super::{lambda, sns, sqs};
use crate::World;
use serde_json::Value as Json;

/// Sends a message as the services do: what cannot be delivered is lost without an error.
pub fn send(world: &mut World, arn: &str, subject: Option<&str>, message: &Json) {
    let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    match arn.split(':').nth(2) {
        Some("sns") => sns::publish_to(world, arn, subject, &text),
        Some("sqs") => sqs::send_to(world, arn, &text, None),
        Some("lambda") => {
            lambda::ask(world, arn, message);
        }
        _ => {}
    }
}
