//! SQS: queues, visibility, dead-letter queues, FIFO groups. A receive answers at once with what is there,
//! whatever time it would wait (WaitTimeSeconds): requests take no time in this world.

mod messages;
mod queues;
#[cfg(test)]
mod tests;

use super::tree::{Output, Tags};
use super::{Answer, ApiError, Input, Operations, page};
use crate::World;
use crate::world::{Millis, SECOND};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};

pub use messages::{deliver, send_to};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    queues: BTreeMap<String, Queue>,
    /// When queues of these names were deleted: the names are free again a minute later.
    deleted: BTreeMap<String, Millis>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Queue {
    /// As they were set, with defaults; counts and times are added when somebody asks.
    attributes: BTreeMap<String, String>,
    tags: Tags,
    created: Millis,
    modified: Millis,
    purged: Option<Millis>,
    /// Oldest first.
    messages: VecDeque<Message>,
    /// Deduplication id → until when, message id, sequence number.
    seen: BTreeMap<String, (Millis, String, String)>,
    sequence: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Message {
    id: String,
    body: String,
    /// As they were sent.
    attributes: Json,
    system: Json,
    sent: Millis,
    visible: Millis,
    first_received: Option<Millis>,
    received: u32,
    receipt: Option<String>,
    group: Option<String>,
    deduplication: Option<String>,
    sequence: Option<String>,
    /// ARN of the queue that gave it up.
    source: Option<String>,
}

/// A ReceiveMessage that found nothing and has time (Developer Guide, "Amazon SQS short and long polling"). Nothing here
/// waits: whoever carries the answer asks again when there may be a message, and answers what it has when the
/// time is over.
#[derive(Clone, Debug)]
pub struct Wait {
    region: String,
    queue: String,
    pub until: Millis,
}

impl Wait {
    /// Whether to ask again: there is a message, or no queue any more.
    pub fn is_over(&self, world: &mut World) -> bool {
        let look = |world: &mut World| {
            let now = world.now;
            world
                .sqs
                .queues
                .get(&self.queue)
                .is_none_or(|queue| !messages::within_reach(queue, now, 1).is_empty())
        };
        if world.region == self.region { look(world) } else { world.in_region(&self.region, look) }
    }
}

pub const OPERATIONS: Operations = &[
    ("AddPermission", queues::add_permission),
    ("ChangeMessageVisibility", messages::change_visibility),
    ("ChangeMessageVisibilityBatch", messages::change_visibility_batch),
    ("CreateQueue", queues::create),
    ("DeleteMessage", messages::delete),
    ("DeleteMessageBatch", messages::delete_batch),
    ("DeleteQueue", queues::delete),
    ("GetQueueAttributes", queues::get_attributes),
    ("GetQueueUrl", queues::get_url),
    ("ListDeadLetterSourceQueues", queues::list_sources),
    ("ListQueueTags", queues::list_tags),
    ("ListQueues", queues::list),
    ("PurgeQueue", queues::purge),
    ("ReceiveMessage", messages::receive),
    ("RemovePermission", queues::remove_permission),
    ("SendMessage", messages::send),
    ("SendMessageBatch", messages::send_batch),
    ("SetQueueAttributes", queues::set_attributes),
    ("TagQueue", queues::tag),
    ("UntagQueue", queues::untag),
];

fn error(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

fn no_queue() -> ApiError {
    error("QueueDoesNotExist", "The specified queue does not exist.")
}

/// The name of the queue that a URL means.
fn name_of<'a>(world: &World, input: &'a Json) -> Result<&'a str, ApiError> {
    let url = input.text("QueueUrl").unwrap_or_default();
    let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if world.sqs.queues.contains_key(name) { Ok(name) } else { Err(no_queue()) }
}

fn queue<'a>(world: &'a mut World, input: &Json) -> Result<&'a mut Queue, ApiError> {
    let name = name_of(world, input)?;
    let now = world.now;
    let queue = world.sqs.queues.get_mut(name).expect("just found");
    queue.forget(now);
    Ok(queue)
}

fn url(world: &World, name: &str) -> String {
    let domain = if world.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://sqs.{}.{domain}/{}/{name}", world.region, world.account)
}

fn arn(world: &World, name: &str) -> String {
    world.arn("sqs", name)
}

impl Queue {
    fn number(&self, name: &str) -> i64 {
        self.attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn is_fifo(&self) -> bool {
        self.attributes.get("FifoQueue").is_some_and(|value| value == "true")
    }

    /// What has been kept for its time is gone.
    fn forget(&mut self, now: Millis) {
        let oldest = now - self.number("MessageRetentionPeriod") * SECOND;
        self.messages.retain(|message| message.sent > oldest);
        self.seen.retain(|_, (until, ..)| *until > now);
    }
}
