//! The last log lines of containers that failed: as far as the log driver `awslogs` has them and we may read them.

use crate::aws::{Aws, AwsError, Op, Watch};
use crate::value::Secrets;
use aws_sdk_ecs::types as sdk;
use std::collections::BTreeMap;

/// So many lines of a container are shown.
const LINES: i32 = 10;
/// Of so many kinds of failure, and of so many containers of a task.
const KINDS: usize = 3;
const CONTAINERS: usize = 2;
/// A longer line is cut.
const WIDTH: usize = 240;

/// Environment variables with such names hold secrets, whatever the configuration says; `true` and `none` are none.
const TELLING: &[&str] = &["PASS", "PWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH"];
const SHORTEST: usize = 6;

/// By the reason of a failure: the task whose logs were read, and what they say.
#[derive(Debug, Default)]
pub struct LastWords(BTreeMap<String, (String, Vec<String>)>);

impl LastWords {
    /// Why tasks (the newest first) failed, each reason once, with the last lines of the first one's log below it.
    pub async fn reasons(&mut self, aws: &Aws, watch: &dyn Watch, tasks: &[sdk::Task]) -> Vec<String> {
        let mut told: Vec<(String, Vec<String>)> = Vec::new();
        for task in tasks {
            let Some(reason) = super::follow::stop_reason(task) else { continue };
            if told.iter().any(|(known, _)| *known == reason) {
                continue;
            }
            let wanted = told.len() < KINDS && super::follow::has_failed(task) && task.started_at().is_some();
            let lines = if wanted { self.of(aws, watch, &reason, task).await } else { Vec::new() };
            told.push((reason, lines));
        }
        let below = |(reason, lines): (String, Vec<String>)| {
            lines.iter().fold(reason, |text, line| format!("{text}\n      {line}"))
        };
        told.into_iter().map(below).collect()
    }

    /// Read once a reason, or again from another task as long as there are none.
    async fn of(&mut self, aws: &Aws, watch: &dyn Watch, reason: &str, task: &sdk::Task) -> Vec<String> {
        let arn = task.task_arn().unwrap_or_default();
        let known = self.0.get(reason);
        if let Some((_, lines)) = known.filter(|(of, lines)| of == arn || lines.iter().any(|l| is_line(l))) {
            return lines.clone();
        }
        // Logs are an extra: whatever is wrong with them, the rollout's own reason is told.
        let lines = match read(aws, watch, task).await {
            Ok(lines) => lines,
            Err(error) => vec![format!("(no log lines: {}: {})", error.operation, error.code)],
        };
        self.0.insert(reason.to_owned(), (arn.to_owned(), lines.clone()));
        lines
    }
}

fn is_line(text: &str) -> bool {
    text.starts_with('|')
}

async fn read(aws: &Aws, watch: &dyn Watch, task: &sdk::Task) -> Result<Vec<String>, AwsError> {
    let name = task.task_definition_arn().unwrap_or_default();
    let answer = aws.ecs.describe_task_definition().task_definition(name).send().await;
    let definition = answer.op("DescribeTaskDefinition")?.task_definition;
    let defined = definition.as_ref().map(|d| d.container_definitions()).unwrap_or_default();
    let mut secrets = watch.secrets();
    let overrides = task.overrides().map(|o| o.container_overrides()).unwrap_or_default();
    let environment = defined.iter().flat_map(|d| d.environment());
    let environment = environment.chain(overrides.iter().flat_map(|o| o.environment()));
    let secret = environment.filter_map(|v| secret_in(v.name().unwrap_or_default(), v.value()?));
    secret.for_each(|text| secrets.add(text));
    let mut told = Vec::new();
    let failed = culprits(task);
    for container in &failed {
        let name = container.name().unwrap_or_default();
        let logs = defined.iter().find(|d| d.name() == Some(name)).and_then(|d| d.log_configuration());
        let lines = match source(logs, container, task) {
            Ok(source) => source.lines(aws, &secrets).await,
            Err(why) => Err(why),
        };
        let label = if failed.len() > 1 { format!("{name}: ") } else { String::new() };
        match lines {
            Ok(lines) => told.extend(lines.into_iter().map(|line| format!("| {label}{line}"))),
            Err(why) => told.push(format!("({label}no log lines: {why})")),
        }
    }
    Ok(told)
}

/// What of an environment variable is secret: all, or the password in an address (`postgres://app:password@host`).
fn secret_in<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    let name = name.to_uppercase();
    if TELLING.iter().any(|part| name.contains(part)) {
        return Some(value).filter(|value| value.len() >= SHORTEST);
    }
    let user = value.split_once("://")?.1.split('/').next()?.rsplit_once('@')?.0;
    Some(user.split_once(':')?.1).filter(|password| !password.is_empty())
}

/// Those that ended badly; where none did, its task failed by what they answered.
fn culprits(task: &sdk::Task) -> Vec<&sdk::Container> {
    let all = task.containers();
    let bad = |c: &&sdk::Container| c.exit_code().is_some_and(|code| code != 0) || c.reason().is_some();
    let mut found: Vec<&sdk::Container> = all.iter().filter(bad).collect();
    if found.is_empty() {
        found = all.iter().collect();
    }
    found.truncate(CONTAINERS);
    found
}

/// Where a container's log is.
#[derive(Debug, PartialEq)]
struct Source {
    group: String,
    stream: String,
    region: Option<String>,
}

/// `prefix/container/task-id`; without a prefix the container's id (ECS developer guide, "Send Amazon ECS logs to
/// CloudWatch").
fn source(
    logs: Option<&sdk::LogConfiguration>,
    container: &sdk::Container,
    task: &sdk::Task,
) -> Result<Source, String> {
    let Some(logs) = logs else { return Err("no log is configured".to_owned()) };
    if *logs.log_driver() != sdk::LogDriver::Awslogs {
        return Err(format!("its log driver is {}", logs.log_driver().as_str()));
    }
    let option = |name: &str| logs.options().and_then(|options| options.get(name)).cloned();
    let group = option("awslogs-group").ok_or("its log driver names no group")?;
    let id = task.task_arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    let stream = match option("awslogs-stream-prefix") {
        Some(prefix) => format!("{prefix}/{}/{id}", container.name().unwrap_or_default()),
        None => container.runtime_id().ok_or("ECS does not tell the container's id")?.to_owned(),
    };
    Ok(Source { group, stream, region: option("awslogs-region") })
}

impl Source {
    async fn lines(&self, aws: &Aws, secrets: &Secrets) -> Result<Vec<String>, String> {
        let elsewhere = self.region.clone().filter(|region| *region != aws.region).map(|region| {
            let config = aws.logs.config().to_builder().region(aws_types::region::Region::new(region));
            aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
        });
        let client = elsewhere.as_ref().unwrap_or(&aws.logs);
        let call = client.get_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
        let answer = match call.limit(LINES).start_from_head(false).send().await.op("GetLogEvents") {
            Ok(answer) => answer,
            Err(error) if error.is(&["ResourceNotFoundException"]) => {
                return Err(format!("there is no stream {} in {}", self.stream, self.group));
            }
            Err(error) if error.code.starts_with("AccessDenied") => {
                return Err(format!("GetLogEvents on {} is not allowed", self.group));
            }
            Err(error) => return Err(format!("GetLogEvents: {}", error.code)),
        };
        let messages = answer.events().iter().filter_map(|event| event.message());
        let lines: Vec<String> = messages.flat_map(|message| shown(message, secrets)).collect();
        let first = lines.len().saturating_sub(LINES as usize);
        if lines.is_empty() { Err("its log is empty".to_owned()) } else { Ok(lines[first..].to_vec()) }
    }
}

/// The lines of a message, without colours and secrets; what could play tricks on a terminal shows as its number.
fn shown(message: &str, secrets: &Secrets) -> Vec<String> {
    let plain = secrets.cover(&without_colours(message));
    let lines = plain.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.map(|line| cut(line.chars().fold(String::new(), printed))).collect()
}

fn printed(mut out: String, c: char) -> String {
    match c {
        '\t' => out.push(' '),
        c if crate::value::is_printable(c) => out.push(c),
        c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
    }
    out
}

fn cut(line: String) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// Without the sequences by which programs colour what they write (`ESC [ 3 1 m`).
fn without_colours(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("\u{1b}[") {
        out += &rest[..at];
        let tail = &rest[at + 2..];
        let end = tail.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(tail.len());
        rest = match tail[end..].strip_prefix('m') {
            Some(after) => after,
            // Another sequence: it shows.
            None => {
                out.push('\u{1b}');
                &rest[at + 1..]
            }
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn awslogs(options: &[(&str, &str)]) -> sdk::LogConfiguration {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let logs = sdk::LogConfiguration::builder().log_driver(sdk::LogDriver::Awslogs);
        logs.set_options(Some(options)).build().expect("complete")
    }

    #[test]
    fn the_stream_is_named_by_prefix_container_and_task_or_by_the_containers_id() {
        let container = sdk::Container::builder().name("app").runtime_id("4f5e").build();
        let task = sdk::Task::builder().task_arn("arn:aws:ecs:us-east-1:1:task/main/0a1b").build();
        let of = |options: &[(&str, &str)]| source(Some(&awslogs(options)), &container, &task);
        let found = of(&[("awslogs-group", "/ecs/web"), ("awslogs-stream-prefix", "web")]).expect("found");
        assert_eq!((found.group.as_str(), found.stream.as_str()), ("/ecs/web", "web/app/0a1b"));
        let found = of(&[("awslogs-group", "/ecs/web"), ("awslogs-region", "eu-west-1")]).expect("found");
        assert_eq!((found.stream.as_str(), found.region.as_deref()), ("4f5e", Some("eu-west-1")));
        assert_eq!(of(&[]), Err("its log driver names no group".to_owned()));
        let other = sdk::LogConfiguration::builder().log_driver(sdk::LogDriver::JsonFile);
        let other = other.build().expect("complete");
        assert_eq!(source(Some(&other), &container, &task), Err("its log driver is json-file".to_owned()));
    }

    #[test]
    fn a_log_line_plays_no_tricks_and_tells_no_secrets() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2");
        let message =
            "\u{1b}[31mERROR\u{1b}[0m\tno login with hun\u{1b}[1mter2\r\n\u{1b}]0;title\u{7}\u{202e}\n\n";
        assert_eq!(
            shown(message, &secrets),
            ["ERROR no login with (sensitive value)", "\\u{1b}]0;title\\u{7}\\u{202e}"]
        );
        let long = shown(&"x".repeat(1000), &secrets);
        assert_eq!(long[0].chars().count(), WIDTH + 1);
    }

    #[test]
    fn environment_variables_tell_by_name_or_form_that_they_are_secret() {
        assert_eq!(secret_in("db_password", "hunter2"), Some("hunter2"));
        assert_eq!(secret_in("AUTH", "none"), None);
        assert_eq!(secret_in("DATABASE", "postgres://app:hunter2@db:5432/shop"), Some("hunter2"));
        assert_eq!(secret_in("UPSTREAM", "http://api:8080/users@home"), None);
        assert_eq!(secret_in("LOG_LEVEL", "verbose"), None);
    }
}
