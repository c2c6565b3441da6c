//! Log streams and the events in them.

use super::*;
use crate::service::tree::Output;
use crate::world::MINUTE;

const DAY: Millis = 24 * 60 * MINUTE;
/// So that a long life of the world does not grow it without end.
const KEPT_EVENTS: usize = 10_000;
/// Every task makes a stream of its own: of a group's the oldest go. (AWS keeps them, empty.)
const KEPT_STREAMS: usize = 2_000;

fn no_stream() -> ApiError {
    ApiError::new("ResourceNotFoundException", "The specified log stream does not exist.")
}

fn stream_name(input: &Json) -> &str {
    input.text("logStreamName").unwrap_or_default()
}

impl Stream {
    fn add(&mut self, event: LogEvent) {
        let place = self.events.partition_point(|other| other.at <= event.at);
        self.events.insert(place, event);
        if self.events.len() > KEPT_EVENTS {
            self.events.remove(0);
        }
    }
}

/// What a log driver does: one line into a stream, which it makes. Lost when the group does not exist.
pub fn write(world: &mut World, group: &str, stream: &str, message: &str) {
    let now = world.now;
    if let Some(group) = world.logs.groups.get_mut(group) {
        if group.streams.len() >= KEPT_STREAMS && !group.streams.contains_key(stream) {
            forget_older_half(group);
        }
        let stream =
            group.streams.entry(stream.to_owned()).or_insert(Stream { created: now, events: Vec::new() });
        stream.add(LogEvent { at: now, ingested: now, message: message.to_owned() });
    }
}

fn forget_older_half(group: &mut Group) {
    let mut made: Vec<Millis> = group.streams.values().map(|stream| stream.created).collect();
    made.sort_unstable();
    let middle = made[made.len() / 2];
    let mut older = made.len() / 2;
    group.streams.retain(|_, stream| {
        let goes = older > 0 && stream.created <= middle;
        older -= usize::from(goes);
        !goes
    });
}

pub fn create(world: &mut World, input: &Json) -> Answer {
    let name = stream_name(input);
    if name.is_empty() || name.len() > 512 || name.contains([':', '*']) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [^:*]*"
        )));
    }
    let now = world.now;
    let group = find_mut(world, input)?;
    if group.streams.contains_key(name) {
        return Err(ApiError::new(
            "ResourceAlreadyExistsException",
            "The specified log stream already exists",
        ));
    }
    group.streams.insert(name.to_owned(), Stream { created: now, events: Vec::new() });
    Ok(json!({}))
}

pub fn delete(world: &mut World, input: &Json) -> Answer {
    find_mut(world, input)?.streams.remove(stream_name(input)).map(|_| json!({})).ok_or_else(no_stream)
}

pub fn describe(world: &mut World, input: &Json) -> Answer {
    let group = find(world, input)?;
    let prefix = input.text("logStreamNamePrefix");
    let by_time = input.text("orderBy") == Some("LastEventTime");
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut streams: Vec<(&String, &Stream)> =
        group.streams.iter().filter(|(name, _)| prefix.is_none_or(|p| name.starts_with(p))).collect();
    if by_time {
        streams.sort_by_key(|(_, stream)| stream.events.last().map_or(0, |event| event.at));
    }
    if input.flag("descending") == Some(true) {
        streams.reverse();
    }
    let all = streams
        .into_iter()
        .map(|(name, stream)| {
            json!({
                "logStreamName": name,
                "creationTime": stream.created,
                "arn": format!("{}:log-stream:{name}", arn(world, &group.name)),
                // "Always reported as zero" since 2019 (API reference of LogStream).
                "storedBytes": 0,
            })
            .with("firstEventTimestamp", stream.events.first().map(|event| event.at))
            .with("lastEventTimestamp", stream.events.last().map(|event| event.at))
            .with("lastIngestionTime", stream.events.iter().map(|event| event.ingested).max())
        })
        .collect();
    check_token(input)?;
    let (streams, next) = page(all, input.text("nextToken"), limit(input));
    Ok(json!({ "logStreams": streams }).with("nextToken", next))
}

/// Events older than 14 days or the retention, or more than two hours ahead, are rejected by index.
pub fn put_events(world: &mut World, input: &Json) -> Answer {
    let now = world.now;
    let group = find_mut(world, input)?;
    let kept = group.retention_days.map_or(14, |days| days.min(14)) * DAY;
    let stream = group.streams.get_mut(stream_name(input)).ok_or_else(no_stream)?;
    let events = input.list("logEvents");
    let time = |event: &Json| event.int("timestamp").unwrap_or_default();
    if !events.is_sorted_by_key(time) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let old = events.iter().take_while(|event| time(event) < now - kept).count();
    let new = events.iter().position(|event| time(event) > now + 120 * MINUTE);
    for event in &events[old..new.unwrap_or(events.len()).max(old)] {
        let message = event.text("message").unwrap_or_default().to_owned();
        stream.add(LogEvent { at: time(event), ingested: now, message });
    }
    let mut rejected = json!({}).with("tooNewLogEventStartIndex", new);
    // "The index of the last log event that is too old. This field is inclusive."
    if old > 0 {
        rejected["tooOldLogEventEndIndex"] = (old - 1).into();
    }
    let any = rejected.as_object().is_some_and(|members| !members.is_empty());
    let token = format!("{:056}", stream.events.len());
    Ok(json!({ "nextSequenceToken": token }).with("rejectedLogEventsInfo", any.then_some(rejected)))
}

fn in_range(input: &Json, event: &LogEvent) -> bool {
    input.int("startTime").is_none_or(|start| event.at >= start)
        && input.int("endTime").is_none_or(|end| event.at < end)
}

fn event_json(event: &LogEvent) -> Json {
    json!({ "timestamp": event.at, "message": event.message, "ingestionTime": event.ingested })
}

/// Tokens are `f/` or `b/` and an index of 56 digits; at the end the same token comes back, as AWS documents.
pub fn get_events(world: &mut World, input: &Json) -> Answer {
    let group = find(world, input)?;
    let stream = group.streams.get(stream_name(input)).ok_or_else(no_stream)?;
    let events: Vec<&LogEvent> = stream.events.iter().filter(|event| in_range(input, event)).collect();
    let limit = input.int("limit").and_then(|n| usize::try_from(n).ok()).unwrap_or(10_000);
    let token = match input.text("nextToken") {
        None => None,
        Some(text) => {
            let index = text.split_once('/').and_then(|(way, n)| Some((way, n.parse::<usize>().ok()?)));
            let index = index.filter(|(way, _)| matches!(*way, "f" | "b"));
            Some(index.ok_or_else(|| invalid("The specified nextToken is invalid."))?)
        }
    };
    let (start, end) = match token {
        Some(("f", from)) => (from.min(events.len()), from.saturating_add(limit).min(events.len())),
        Some((_, to)) => (to.saturating_sub(limit), to.min(events.len())),
        None if input.flag("startFromHead") == Some(true) => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
    };
    Ok(json!({
        "events": events[start..end.max(start)].iter().map(|event| event_json(event)).collect::<Vec<_>>(),
        "nextForwardToken": format!("f/{end:056}"),
        "nextBackwardToken": format!("b/{start:056}"),
    }))
}

/// Patterns are plain terms that must all occur (`?term`: any of them, `-term`: none); JSON and column
/// patterns are not supported.
fn matches_pattern(pattern: &str, message: &str) -> bool {
    let terms: Vec<&str> = pattern.split_whitespace().map(|term| term.trim_matches('"')).collect();
    let any: Vec<&str> = terms.iter().filter_map(|term| term.strip_prefix('?')).collect();
    let all_fit =
        terms.iter().filter(|term| !term.starts_with('?')).all(|term| match term.strip_prefix('-') {
            Some(unwanted) => !message.contains(unwanted.trim_matches('"')),
            None => message.contains(term),
        });
    all_fit && (any.is_empty() || any.iter().any(|term| message.contains(term.trim_matches('"'))))
}

pub fn filter_events(world: &mut World, input: &Json) -> Answer {
    let group = find(world, input)?;
    let pattern = input.text("filterPattern").unwrap_or_default();
    if pattern.trim_start().starts_with(['{', '[', '%']) {
        return Err(invalid("The embedded AWS knows filter patterns of plain terms only."));
    }
    let names = input.texts("logStreamNames");
    let prefix = input.text("logStreamNamePrefix");
    let mut found: Vec<(Millis, Json)> = Vec::new();
    for (name, stream) in &group.streams {
        let wanted = (names.is_empty() || names.contains(&name.as_str()))
            && prefix.is_none_or(|prefix| name.starts_with(prefix));
        let events = stream.events.iter().enumerate().filter(|(_, event)| {
            wanted && in_range(input, event) && matches_pattern(pattern, &event.message)
        });
        found.extend(events.map(|(index, event)| {
            let json = event_json(event)
                .with("logStreamName", Some(name.as_str()))
                .with("eventId", Some(format!("{:037}{index:019}", event.at)));
            (event.at, json)
        }));
    }
    found.sort_by_key(|(at, _)| *at);
    let limit = input.int("limit").and_then(|n| usize::try_from(n).ok()).unwrap_or(10_000);
    let events = found.into_iter().map(|(_, event)| event).collect();
    check_token(input)?;
    let (events, next) = page(events, input.text("nextToken"), limit);
    Ok(json!({ "events": events, "searchedLogStreams": [] }).with("nextToken", next))
}
