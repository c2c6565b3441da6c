//! The Condition element (IAM User Guide, "IAM JSON policy elements: Condition operators", and "Multivalued
//! context keys").

use super::Context;
use super::pattern::Pattern;
use super::policy::texts;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use std::net::IpAddr;

/// One operator over one key: what it is compared with.
#[derive(Clone, Debug)]
pub struct Condition {
    test: Test,
    /// Whether the operator says what must not be.
    negated: bool,
    if_exists: bool,
    over: Over,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    One,
    All,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Text,
    TextAnyCase,
    TextLike,
    Arn,
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Null,
    /// Nothing passes a test that there is not.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equals,
    Less,
    LessOrEquals,
    Greater,
    GreaterOrEquals,
}

impl Condition {
    pub fn read_all(operators: &Map<String, Json>) -> Vec<Self> {
        let keys = |keys: &Json| keys.as_object().cloned().unwrap_or_default();
        operators
            .iter()
            .flat_map(|(operator, all)| {
                keys(all).into_iter().map(move |(key, value)| Self::read(operator, &key, &value))
            })
            .collect()
    }

    fn read(operator: &str, key: &str, value: &Json) -> Self {
        let (over, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Over::All, name),
            Some(("ForAnyValue", name)) => (Over::Any, name),
            _ => (Over::One, operator),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (test, negated) = test(name);
        Self { test, negated, if_exists, over, key: key.to_owned(), values: texts(value) }
    }

    pub fn holds(&self, context: &Context, variables: bool) -> bool {
        let found = context.get(&self.key);
        if self.test == Test::Null {
            let absent = found.is_none_or(<[String]>::is_empty);
            return self.values.iter().any(|value| value.eq_ignore_ascii_case("true") == absent);
        }
        let passes = |value: &String| self.passes(value, context, variables) != self.negated;
        match (found, self.over) {
            (None, _) if self.if_exists => true,
            (None | Some([]), Over::All) => true,
            (None | Some([]), Over::Any) => false,
            // "If the key … is not present in the request context", what must not be is not.
            (None | Some([]), Over::One) => self.negated,
            (Some(values), Over::All) => values.iter().all(passes),
            (Some(values), Over::Any | Over::One) => values.iter().any(passes),
        }
    }

    /// Any of the policy's values will do.
    fn passes(&self, asked: &str, context: &Context, variables: bool) -> bool {
        self.values.iter().any(|value| {
            Pattern::expand(value, context, variables).is_some_and(|wanted| self.compare(&wanted, asked))
        })
    }

    fn compare(&self, wanted: &Pattern, asked: &str) -> bool {
        let text = || wanted.literal();
        match self.test {
            Test::Text | Test::Binary => text() == asked,
            Test::TextAnyCase => text().to_lowercase() == asked.to_lowercase(),
            Test::TextLike => wanted.matches(asked),
            Test::Arn => wanted.matches_arn(asked),
            Test::Bool => text().eq_ignore_ascii_case(asked),
            Test::Number(order) => ordered(order, number(asked), number(&text())),
            Test::Date(order) => ordered(order, date(asked), date(&text())),
            Test::Ip => within(asked, &text()),
            Test::Null | Test::Unknown => false,
        }
    }
}

/// What an operator's name says, and whether it says what must not be.
fn test(name: &str) -> (Test, bool) {
    use Order::*;
    match name {
        "StringEquals" => (Test::Text, false),
        "StringNotEquals" => (Test::Text, true),
        "StringEqualsIgnoreCase" => (Test::TextAnyCase, false),
        "StringNotEqualsIgnoreCase" => (Test::TextAnyCase, true),
        "StringLike" => (Test::TextLike, false),
        "StringNotLike" => (Test::TextLike, true),
        // "ArnEquals and ArnLike … behave identically."
        "ArnEquals" | "ArnLike" => (Test::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
        "NumericEquals" => (Test::Number(Equals), false),
        "NumericNotEquals" => (Test::Number(Equals), true),
        "NumericLessThan" => (Test::Number(Less), false),
        "NumericLessThanEquals" => (Test::Number(LessOrEquals), false),
        "NumericGreaterThan" => (Test::Number(Greater), false),
        "NumericGreaterThanEquals" => (Test::Number(GreaterOrEquals), false),
        "DateEquals" => (Test::Date(Equals), false),
        "DateNotEquals" => (Test::Date(Equals), true),
        "DateLessThan" => (Test::Date(Less), false),
        "DateLessThanEquals" => (Test::Date(LessOrEquals), false),
        "DateGreaterThan" => (Test::Date(Greater), false),
        "DateGreaterThanEquals" => (Test::Date(GreaterOrEquals), false),
        "Bool" => (Test::Bool, false),
        "BinaryEquals" => (Test::Binary, false),
        "IpAddress" => (Test::Ip, false),
        "NotIpAddress" => (Test::Ip, true),
        "Null" => (Test::Null, false),
        _ => (Test::Unknown, false),
    }
}

fn ordered<T: PartialOrd>(order: Order, asked: Option<T>, wanted: Option<T>) -> bool {
    let (Some(asked), Some(wanted)) = (asked, wanted) else { return false };
    match order {
        Order::Equals => asked == wanted,
        Order::Less => asked < wanted,
        Order::LessOrEquals => asked <= wanted,
        Order::Greater => asked > wanted,
        Order::GreaterOrEquals => asked >= wanted,
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// ISO 8601, also a date alone, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

fn within(asked: &str, wanted: &str) -> bool {
    let Ok(asked) = asked.parse::<IpAddr>() else { return false };
    match wanted.parse::<IpNet>() {
        Ok(net) => net.contains(&asked),
        Err(_) => wanted.parse::<IpAddr>().is_ok_and(|one| one == asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a condition holds for these keys.
    fn holds(condition: &str, keys: &[(&str, &[&str])]) -> bool {
        let mut context = Context::default();
        for (key, values) in keys {
            context.set_all(key, values.iter().map(|value| (*value).to_owned()).collect());
        }
        let operators: Json = serde_json::from_str(condition).expect("JSON");
        Condition::read_all(operators.as_object().expect("an object"))
            .iter()
            .all(|one| one.holds(&context, true))
    }

    #[test]
    fn texts_are_compared_as_the_operator_says() {
        let team: &[(&str, &[&str])] = &[("aws:RequestTag/team", &["Web"])];
        assert!(holds(r#"{"StringEquals":{"aws:RequestTag/team":["db","Web"]}}"#, team));
        assert!(!holds(r#"{"StringEquals":{"aws:RequestTag/team":"web"}}"#, team));
        assert!(holds(r#"{"StringEqualsIgnoreCase":{"AWS:requesttag/TEAM":"web"}}"#, team));
        assert!(holds(r#"{"StringLike":{"aws:RequestTag/team":"W*"}}"#, team));
        assert!(!holds(r#"{"StringEquals":{"aws:RequestTag/team":"W*"}}"#, team));
        assert!(!holds(r#"{"StringNotEquals":{"aws:RequestTag/team":["db","Web"]}}"#, team));
    }

    #[test]
    fn an_absent_key_fails_what_must_be_and_passes_what_must_not_be() {
        assert!(!holds(r#"{"StringEquals":{"aws:RequestTag/team":"web"}}"#, &[]));
        assert!(holds(r#"{"StringNotEquals":{"aws:RequestTag/team":"web"}}"#, &[]));
        assert!(holds(r#"{"StringEqualsIfExists":{"aws:RequestTag/team":"web"}}"#, &[]));
        assert!(holds(r#"{"Null":{"aws:RequestTag/team":"true"}}"#, &[]));
        assert!(!holds(r#"{"Null":{"aws:RequestTag/team":"false"}}"#, &[]));
        assert!(!holds(r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, &[]));
        assert!(holds(r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#, &[]));
    }

    #[test]
    fn sets_are_asked_for_all_or_for_any_of_their_values() {
        let keys: &[(&str, &[&str])] = &[("aws:TagKeys", &["team", "cost"])];
        assert!(holds(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team","cost","env"]}}"#, keys));
        assert!(!holds(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}"#, keys));
        assert!(holds(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}"#, keys));
        assert!(!holds(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["env"]}}"#, keys));
        assert!(holds(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}"#, &[]));
        assert!(!holds(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}"#, &[]));
        assert!(holds(r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team"]}}"#, keys));
    }

    #[test]
    fn numbers_dates_addresses_and_arns_have_their_own_order() {
        assert!(holds(r#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#, &[("s3:max-keys", &["9"])]));
        let now: &[(&str, &[&str])] = &[("aws:CurrentTime", &["2026-06-01T12:00:00Z"])];
        assert!(holds(r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-06-01"}}"#, now));
        assert!(!holds(r#"{"DateLessThan":{"aws:CurrentTime":"2026-06-01T11:59:59Z"}}"#, now));
        let ip: &[(&str, &[&str])] = &[("aws:SourceIp", &["203.0.113.9"])];
        assert!(holds(r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","203.0.113.0/24"]}}"#, ip));
        assert!(!holds(r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.9"}}"#, ip));
        let cluster: &[(&str, &[&str])] = &[("ecs:cluster", &["arn:aws:ecs:us-east-1:1:cluster/main"])];
        assert!(holds(r#"{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:*:1:cluster/m*"}}"#, cluster));
        assert!(!holds(r#"{"ArnLike":{"ecs:cluster":"arn:aws:ecs:*:cluster/main"}}"#, cluster));
    }

    #[test]
    fn every_operator_and_key_must_hold() {
        let keys: &[(&str, &[&str])] = &[("aws:RequestedRegion", &["eu-west-1"]), ("aws:TagKeys", &["a"])];
        let both = r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1","aws:username":"x"}}"#;
        assert!(!holds(both, keys));
        assert!(!holds(r#"{"StringSortOfEquals":{"aws:RequestedRegion":"eu-west-1"}}"#, keys));
    }
}
