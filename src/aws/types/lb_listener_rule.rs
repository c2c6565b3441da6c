//! `aws_lb_listener_rule`: what a listener does with requests that match conditions.

use super::ecs::{patiently, small, some};
use super::elb_owner::Owners;
use super::elb_shift::{self, Forwards};
use super::{elb, elb_actions, elb_owner};
use crate::aws::arn;
use crate::aws::tags::{self, TAGS, TAGS_ALL};
use crate::aws::{Aws, AwsError, AwsType, Between, Existing, Job, Op, RolloutStep, absent};
use crate::rollout::settings::Settings;
use crate::schema::{Attr, Blocks, ID, Object, StrSet, TypeSchema, attributes};
use crate::value::Value;
use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types as sdk;
use aws_sdk_elasticloadbalancingv2::types::{Rule, RuleCondition};
use std::time::Duration;

mod condition {
    use super::*;
    attributes! {
        VALUES_TABLE:
        VALUES: StrSet = required("values").check(|v| short_values(v, 128));
    }
    attributes! {
        SOURCE_TABLE:
        SOURCES: StrSet = required("values").check(cidrs);
    }
    attributes! {
        METHOD_TABLE:
        METHODS: StrSet = required("values").check(methods);
    }
    attributes! {
        HEADER_TABLE:
        HEADER_NAME: Str = required("http_header_name");
        HEADER_VALUES: StrSet = required("values").check(|v| short_values(v, 128));
    }
    attributes! {
        QUERY_TABLE:
        QUERY_KEY: Str = optional("key");
        QUERY_VALUE: Str = required("value");
    }
    attributes! {
        TABLE:
        HOST_HEADER: Blocks = optional("host_header").single(&VALUES_TABLE);
        HTTP_HEADER: Blocks = optional("http_header").single(&HEADER_TABLE);
        HTTP_REQUEST_METHOD: Blocks = optional("http_request_method").single(&METHOD_TABLE);
        PATH_PATTERN: Blocks = optional("path_pattern").single(&VALUES_TABLE);
        QUERY_STRING: Blocks = optional("query_string").set(&QUERY_TABLE);
        SOURCE_IP: Blocks = optional("source_ip").single(&SOURCE_TABLE);
    }

    fn strings(value: &Value) -> impl Iterator<Item = &str> {
        value.as_slice().unwrap_or_default().iter().filter_map(Value::as_str)
    }

    fn short_values(value: &Value, limit: usize) -> Result<(), String> {
        match strings(value).find(|s| s.is_empty() || s.len() > limit) {
            Some(s) => Err(format!("must have 1 to {limit} characters each, `{s:.20}` has {}", s.len())),
            None => Ok(()),
        }
    }

    fn cidrs(value: &Value) -> Result<(), String> {
        match strings(value).find(|s| s.parse::<ipnet::IpNet>().is_err()) {
            Some(s) => Err(format!("must be CIDR blocks, `{s}` is none")),
            None => Ok(()),
        }
    }

    fn methods(value: &Value) -> Result<(), String> {
        let ok =
            |s: &&str| s.len() <= 40 && s.chars().all(|c| c.is_ascii_uppercase() || c == '-' || c == '_');
        match strings(value).find(|s| !ok(s)) {
            Some(s) => Err(format!("must be methods in capitals, `{s}` is not")),
            None => Ok(()),
        }
    }
}

attributes! {
    TABLE [TAGS, TAGS_ALL]:
    LISTENER_ARN: Str = required("listener_arn").replaces().check(arn::check);
    PRIORITY: Int = optional_computed("priority").range(1, 50_000);
    ACTION: Blocks = required("action").list(&elb_actions::TABLE).min_items(1)
        .same(elb_actions::same).owned_elsewhere(weights_are_moved);
    CONDITION: Blocks = required("condition").set(&condition::TABLE).min_items(1);
    ARN: Str = computed("arn");
    WEIGHTS_MOVED_BY: Str = computed("weights_moved_by")
        .doc("ARN of the ECS service or CodeDeploy deployment group that moves the weights of the action (Cutover's own)");
    MOVED_BETWEEN: StrSet = computed("moved_between")
        .doc("Names of the target groups between which CodeDeploy moves the traffic (Cutover's own)");
}

pub const SCHEMA: TypeSchema = TypeSchema {
    doc: "What a listener does with requests that match conditions",
    example: r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_subnet" "b" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.1.0/24"
  availability_zone = "us-east-1b"
}

resource "aws_lb" "web" {
  name       = "web"
  subnets    = [aws_subnet.a.id, aws_subnet.b.id]
  depends_on = [aws_internet_gateway.main]
}

resource "aws_lb_target_group" "green" {
  name     = "green"
  port     = 80
  protocol = "HTTP"
  vpc_id   = aws_vpc.main.id
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "nothing here"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "green" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 10

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.green.arn
  }

  condition {
    path_pattern {
      values = ["/green*"]
    }
  }
}
"#,
    validate,
    ..TypeSchema::new("aws_lb_listener_rule", &TABLE)
};

fn weights_are_moved(live: &Object, want: &Object) -> bool {
    elb_owner::moved(live, "action", "weights_moved_by", &live.all(&MOVED_BETWEEN), want)
}

fn validate(want: &Object) -> Vec<(&'static str, String)> {
    let mut problems = elb_actions::validate("action", &want.all(&ACTION));
    let mut values = 0;
    for block in want.all(&CONDITION) {
        values += condition_values(&block);
        let kinds = condition::TABLE.rows.iter().filter(|r| block.has(r.name)).count();
        if kinds != 1 {
            let names: Vec<&str> = condition::TABLE.rows.iter().map(|r| r.name).collect();
            problems.push(("condition", format!("must hold exactly one of {}", names.join(", "))));
        }
    }
    if values > 5 {
        problems.push(("condition", format!("may have at most 5 values in all, has {values}")));
    }
    problems
}

/// What counts against AWS's limit of five: every host, path, header value, method, address and pair.
fn condition_values(block: &Object) -> usize {
    let of = |attr: &Attr<Blocks>, inner: &Attr<StrSet>| block.block(attr).map_or(0, |b| b.all(inner).len());
    of(&condition::HOST_HEADER, &condition::VALUES)
        + of(&condition::PATH_PATTERN, &condition::VALUES)
        + of(&condition::HTTP_HEADER, &condition::HEADER_VALUES)
        + of(&condition::HTTP_REQUEST_METHOD, &condition::METHODS)
        + of(&condition::SOURCE_IP, &condition::SOURCES)
        + block.all(&condition::QUERY_STRING).len()
}

pub struct LbListenerRule;

#[async_trait(?Send)]
impl AwsType for LbListenerRule {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, aws: &Aws, items: &[Existing<'_>]) -> Result<Vec<Option<Object>>, AwsError> {
        let found = elb::by_arn(items, GONE, async |arns| {
            let call = aws.elb.describe_rules().set_rule_arns(Some(arns)).send().await;
            Ok(call.op("DescribeRules")?.rules.unwrap_or_default())
        })
        .await?;
        let arns: Vec<String> = found.iter().filter_map(|r| r.rule_arn().map(str::to_owned)).collect();
        let tags = elb::tags_of(aws, &arns).await?;
        let known = |r: &Rule| items.iter().find(|i| r.rule_arn() == Some(i.id));
        let actions =
            found.iter().map(|r| (known(r).and_then(|item| item.known.value("action")), r.actions()));
        let owners = Owners::ask(aws, actions).await?;
        let one = |item: &Existing<'_>| {
            let rule = found.iter().find(|r| r.rule_arn() == Some(item.id))?;
            let mut o = object(rule);
            match owners.deployer(&elb_owner::listener_of(item.id), rule.actions()) {
                Some((arn, deployer)) => {
                    o.set(&WEIGHTS_MOVED_BY, arn).set(&MOVED_BETWEEN, &deployer.target_groups[..])
                }
                None => o.set(&WEIGHTS_MOVED_BY, owners.service(item.id)),
            };
            tags::read(&mut o, tags.get(item.id).into_iter().flat_map(|t| elb::pairs(t)));
            Some(o.complete(&TABLE))
        };
        Ok(items.iter().map(one).collect())
    }

    async fn create(&self, aws: &Aws, job: &Job<'_>) -> Result<String, AwsError> {
        let want = job.want;
        let listener = want.need(&LISTENER_ARN);
        let declared = small(want.get(&PRIORITY));
        let passing = |e: &AwsError| e.is(&["TargetGroupNotFound"]);
        let deadline = Duration::from_secs(60);
        let made = patiently(aws, "CreateRule", deadline, job.progress, passing, async || {
            let mut tries = 0;
            loop {
                let priority = match declared {
                    Some(priority) => priority,
                    None => next_priority(aws, &listener).await?,
                };
                let call = aws
                    .elb
                    .create_rule()
                    .listener_arn(&listener)
                    .priority(priority)
                    .set_actions(Some(elb_actions::actions(&want.all(&ACTION))))
                    .set_conditions(Some(conditions(&want.all(&CONDITION))))
                    .set_tags(Some(elb::creation_tags(job)));
                let result = call.send().await.op("CreateRule");
                tries += 1;
                // Someone else took the priority between our look and our call.
                match result {
                    Err(e) if e.is(&["PriorityInUse"]) && declared.is_none() && tries < 5 => continue,
                    other => return other,
                }
            }
        })
        .await?;
        Ok(made.rules().first().and_then(|r| r.rule_arn()).unwrap_or_default().to_owned())
    }

    async fn update(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        if job.changes(&["priority"]) {
            set_priority(aws, job).await?;
        }
        if job.changes(&["action", "condition"]) {
            let mut call = aws.elb.modify_rule().rule_arn(job.id);
            if job.changes(&["action"]) {
                call = call.set_actions(Some(elb_actions::actions(&job.want.all(&ACTION))));
            }
            if job.changes(&["condition"]) {
                call = call.set_conditions(Some(conditions(&job.want.all(&CONDITION))));
            }
            call.send().await.op("ModifyRule")?;
        }
        elb::update_tags(aws, job).await
    }

    async fn delete(&self, aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
        let call = aws.elb.delete_rule().rule_arn(job.id).send().await;
        absent(call.op("DeleteRule"), GONE).map(drop)
    }

    async fn find(&self, aws: &Aws, job: &Job<'_>) -> Result<Option<String>, AwsError> {
        let rules = rules_of(aws, &job.want.need(&LISTENER_ARN)).await?;
        elb::ours(aws, job, rules.into_iter().filter_map(|r| r.rule_arn).collect()).await
    }

    fn tune(&self, _: &mut Object, settings: &Settings) -> Result<(), String> {
        elb_shift::check(settings)
    }

    fn rollout(
        &self,
        live: &Object,
        want: &Object,
        changed: &[String],
        settings: Option<&Settings>,
    ) -> Vec<RolloutStep> {
        elb_shift::rollout(&ACTION, (live, want), changed, settings)
    }

    fn between(&self, live: &Object, want: &Object, changed: &[String]) -> Option<Between> {
        elb_shift::between(&ACTION, live, want, changed)
    }

    async fn run_step(
        &self,
        aws: &Aws,
        job: &Job<'_>,
        step: &str,
        _: Option<&str>,
    ) -> Result<Option<String>, AwsError> {
        elb_shift::run_step(&ACTION, aws, job, step, &Shift { aws, job }).await
    }
}

struct Shift<'a> {
    aws: &'a Aws,
    job: &'a Job<'a>,
}

#[async_trait(?Send)]
impl Forwards for Shift<'_> {
    async fn set(&self, actions: Vec<sdk::Action>) -> Result<(), AwsError> {
        self.aws
            .elb
            .modify_rule()
            .rule_arn(self.job.id)
            .set_actions(Some(actions))
            .send()
            .await
            .op("ModifyRule")?;
        Ok(())
    }

    async fn read(&self) -> Result<Vec<sdk::Action>, AwsError> {
        let call = self.aws.elb.describe_rules().rule_arns(self.job.id).send().await;
        let found = call.op("DescribeRules")?.rules.unwrap_or_default();
        Ok(found.into_iter().next().and_then(|r| r.actions).unwrap_or_default())
    }

    async fn finish(&self, want: &Object) -> Result<(), AwsError> {
        LbListenerRule.update(self.aws, &Job { want, ..*self.job }).await
    }
}

const GONE: &[&str] = &["RuleNotFound", "RuleNotFoundException"];

async fn rules_of(aws: &Aws, listener: &str) -> Result<Vec<Rule>, AwsError> {
    let mut rules = Vec::new();
    let mut marker = None;
    loop {
        let call = aws.elb.describe_rules().listener_arn(listener).set_marker(marker).send().await;
        let Some(page) = absent(call.op("DescribeRules"), &["ListenerNotFound"])? else { return Ok(rules) };
        rules.extend(page.rules.unwrap_or_default());
        marker = page.next_marker;
        if marker.is_none() {
            return Ok(rules);
        }
    }
}

/// As the provider has it: one above the highest there is.
async fn next_priority(aws: &Aws, listener: &str) -> Result<i32, AwsError> {
    let rules = rules_of(aws, listener).await?;
    Ok(rules.iter().filter_map(|r| r.priority()?.parse::<i32>().ok()).max().unwrap_or(0) + 1)
}

/// Who changes places must know where all others are.
static PLACES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One call; if another rule has the priority, the error names that rule.
async fn set_priority(aws: &Aws, job: &Job<'_>) -> Result<(), AwsError> {
    let _alone = PLACES.lock().await;
    let Some(priority) = small(job.want.get(&PRIORITY)) else { return Ok(()) };
    let pair = sdk::RulePriorityPair::builder().rule_arn(job.id).priority(priority).build();
    let result = aws.elb.set_rule_priorities().rule_priorities(pair).send().await.op("SetRulePriorities");
    match result {
        Err(e) if e.is(&["PriorityInUse"]) => {
            let rules = rules_of(aws, &job.want.need(&LISTENER_ARN)).await?;
            let text = priority.to_string();
            let holder = rules.iter().find(|r| r.priority() == Some(&text)).and_then(|r| r.rule_arn());
            if let Some(holder) = holder.filter(|holder| job.watch.is_changing(holder, "priority")) {
                return change_places(aws, job, holder, &rules).await;
            }
            let message = match holder {
                Some(holder) => format!("{}: {holder} has it", e.message),
                None => e.message.clone(),
            };
            Err(AwsError { message, ..e })
        }
        other => other.map(drop),
    }
}

/// A rule of this plan that is about to leave the priority takes ours: both in one call, so that no request meets
/// neither.
async fn change_places(aws: &Aws, job: &Job<'_>, holder: &str, rules: &[Rule]) -> Result<(), AwsError> {
    let priority = |arn: &str| {
        let rule = rules.iter().find(|r| r.rule_arn() == Some(arn));
        rule.and_then(|r| r.priority()).and_then(|text| text.parse::<i32>().ok())
    };
    let pair = |arn: &str, priority: Option<i32>| {
        sdk::RulePriorityPair::builder().rule_arn(arn).set_priority(priority).build()
    };
    let pairs = vec![pair(job.id, priority(holder)), pair(holder, priority(job.id))];
    aws.elb
        .set_rule_priorities()
        .set_rule_priorities(Some(pairs))
        .send()
        .await
        .op("SetRulePriorities")
        .map(drop)
}

fn conditions(blocks: &[Object]) -> Vec<RuleCondition> {
    let values = |b: &Object, attr: &Attr<Blocks>, inner: &Attr<StrSet>| {
        b.block(attr).map(|v| v.all(inner)).filter(|v| !v.is_empty())
    };
    let mut conditions = Vec::new();
    for b in blocks {
        let new = |field: &str| RuleCondition::builder().field(field);
        if let Some(v) = values(b, &condition::HOST_HEADER, &condition::VALUES) {
            let config = sdk::HostHeaderConditionConfig::builder().set_values(Some(v)).build();
            conditions.push(new("host-header").host_header_config(config).build());
        }
        if let Some(v) = values(b, &condition::PATH_PATTERN, &condition::VALUES) {
            let config = sdk::PathPatternConditionConfig::builder().set_values(Some(v)).build();
            conditions.push(new("path-pattern").path_pattern_config(config).build());
        }
        if let Some(v) = values(b, &condition::HTTP_REQUEST_METHOD, &condition::METHODS) {
            let config = sdk::HttpRequestMethodConditionConfig::builder().set_values(Some(v)).build();
            conditions.push(new("http-request-method").http_request_method_config(config).build());
        }
        if let Some(v) = values(b, &condition::SOURCE_IP, &condition::SOURCES) {
            let config = sdk::SourceIpConditionConfig::builder().set_values(Some(v)).build();
            conditions.push(new("source-ip").source_ip_config(config).build());
        }
        if let Some(h) = b.block(&condition::HTTP_HEADER) {
            let config = sdk::HttpHeaderConditionConfig::builder()
                .http_header_name(h.need(&condition::HEADER_NAME))
                .set_values(Some(h.all(&condition::HEADER_VALUES)))
                .build();
            conditions.push(new("http-header").http_header_config(config).build());
        }
        let pair = |q: Object| {
            sdk::QueryStringKeyValuePair::builder()
                .set_key(q.get(&condition::QUERY_KEY))
                .set_value(q.get(&condition::QUERY_VALUE))
                .build()
        };
        if let Some(pairs) = some(b.all(&condition::QUERY_STRING).into_iter().map(pair).collect()) {
            let config = sdk::QueryStringConditionConfig::builder().set_values(Some(pairs)).build();
            conditions.push(new("query-string").query_string_config(config).build());
        }
    }
    conditions
}

fn condition_block(c: &RuleCondition) -> Option<Object> {
    let mut o = Object::new();
    let with = |attr: &Attr<StrSet>, values: &[String]| {
        let mut b = Object::new();
        b.set(attr, values);
        vec![b]
    };
    // Conditions made long ago are answered in the old form, `values` beside `field`.
    let old = c.values();
    match c.field()? {
        "host-header" => {
            let values = c.host_header_config().map_or(old, |h| h.values());
            o.set_blocks(&condition::HOST_HEADER, with(&condition::VALUES, values));
        }
        "path-pattern" => {
            let values = c.path_pattern_config().map_or(old, |p| p.values());
            o.set_blocks(&condition::PATH_PATTERN, with(&condition::VALUES, values));
        }
        "http-request-method" => {
            let values = c.http_request_method_config().map_or(old, |m| m.values());
            o.set_blocks(&condition::HTTP_REQUEST_METHOD, with(&condition::METHODS, values));
        }
        "source-ip" => {
            let values = c.source_ip_config().map_or(old, |s| s.values());
            o.set_blocks(&condition::SOURCE_IP, with(&condition::SOURCES, values));
        }
        "http-header" => {
            let header = c.http_header_config()?;
            let mut b = Object::new();
            b.set(&condition::HEADER_NAME, header.http_header_name())
                .set(&condition::HEADER_VALUES, header.values());
            o.set_blocks(&condition::HTTP_HEADER, vec![b]);
        }
        "query-string" => {
            let pair = |q: &sdk::QueryStringKeyValuePair| {
                let mut b = Object::new();
                b.set(&condition::QUERY_KEY, q.key()).set(&condition::QUERY_VALUE, q.value());
                b
            };
            let pairs = c.query_string_config()?.values().iter().map(pair).collect();
            o.set_blocks(&condition::QUERY_STRING, pairs);
        }
        _ => return None,
    }
    Some(o)
}

/// `…:listener-rule/app/web/<lb>/<listener>/<rule>` → `…:listener/app/web/<lb>/<listener>`.
fn listener_of(rule: &str) -> Option<String> {
    let (listener, _) = rule.rsplit_once('/')?;
    Some(listener.replacen(":listener-rule/", ":listener/", 1))
}

fn object(r: &Rule) -> Object {
    let arn = r.rule_arn().unwrap_or_default();
    let mut o = Object::new();
    o.set(&ID, arn)
        .set(&ARN, arn)
        .set(&LISTENER_ARN, listener_of(arn))
        .set(&PRIORITY, r.priority().and_then(|p| p.parse::<i64>().ok()))
        .set_blocks(&ACTION, elb_actions::blocks(r.actions()))
        .set_blocks(&CONDITION, r.conditions().iter().filter_map(condition_block).collect());
    o
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_in_the_arn_of_the_rule() {
        let rule = "arn:aws:elasticloadbalancing:us-east-1:1:listener-rule/app/web/a/b/c";
        let listener = "arn:aws:elasticloadbalancing:us-east-1:1:listener/app/web/a/b";
        assert_eq!(listener_of(rule).as_deref(), Some(listener));
    }

    #[test]
    fn conditions_read_back_as_declared() {
        let mut path = Object::new();
        path.set(&condition::VALUES, vec!["/green*".to_owned()]);
        let mut block = Object::new();
        block.set_blocks(&condition::PATH_PATTERN, vec![path]);
        let mut want = Object::new();
        want.set_blocks(&CONDITION, vec![block.clone()]);
        let mut live = Object::new();
        let answered = conditions(&[block]);
        live.set_blocks(&CONDITION, answered.iter().filter_map(condition_block).collect());
        assert_eq!(live, want);
    }

    #[test]
    fn a_condition_is_of_exactly_one_kind() {
        let mut want = Object::new();
        want.set_blocks(&CONDITION, vec![Object::new()]);
        assert_eq!(validate(&want).len(), 1);
    }

    #[test]
    fn a_rule_has_at_most_five_values() {
        let mut hosts = Object::new();
        hosts.set(&condition::VALUES, (0..6).map(|i| format!("{i}.example.com")).collect::<Vec<_>>());
        let mut block = Object::new();
        block.set_blocks(&condition::HOST_HEADER, vec![hosts]);
        let mut want = Object::new();
        want.set_blocks(&CONDITION, vec![block]);
        assert_eq!(validate(&want), [("condition", "may have at most 5 values in all, has 6".to_owned())]);
    }
}
