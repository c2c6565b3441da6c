//! The services whose resources the tagging API knows by one and the same pattern: list them, ask for the tags of
//! each, tag and untag them. A table; services that are not here list nothing.

use super::tagging::{ask, every};
use super::{Answer, ApiError, Input, operations};
use crate::World;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

type Tags = BTreeMap<String, String>;

fn call(world: &mut World, service: &str, operation: &str, input: &Json) -> Answer {
    let handler = operations(service).and_then(|all| all.iter().find(|(name, _)| *name == operation));
    match handler {
        Some((_, handler)) => handler(world, input),
        None => Err(ApiError::new("InternalServiceException", format!("{service} has no {operation}"))),
    }
}

struct Kind {
    /// In ARNs, and as requests are signed.
    service: (&'static str, &'static str),
    /// Operation, list, member of its items (empty: they are texts themselves), token in the question and answer.
    list: (&'static str, &'static str, &'static str, (&'static str, &'static str)),
    /// Operation, and member of the answer that holds the tags.
    tags: (&'static str, &'static str),
    /// Operations that tag and untag, and their member for keys.
    change: (&'static str, &'static str, &'static str),
    /// Member of these questions that says which resource, and what it holds.
    by: (&'static str, By),
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Arn,
    /// What follows this in the ARN; the ARN is made of it.
    Name(&'static str),
}

#[derive(Clone, Copy)]
enum Form {
    /// `[{Key, Value}]`, with these names.
    List(&'static str, &'static str),
    Map,
}

const NEXT: (&str, &str) = ("NextToken", "NextToken");
const MARKER: (&str, &str) = ("Marker", "NextMarker");
const PAIRS: Form = Form::List("Key", "Value");

const KINDS: &[Kind] = &[
    Kind {
        service: ("cloudwatch", "monitoring"),
        list: ("DescribeAlarms", "MetricAlarms", "AlarmArn", NEXT),
        tags: ("ListTagsForResource", "Tags"),
        change: ("TagResource", "UntagResource", "TagKeys"),
        by: ("ResourceARN", By::Arn),
        form: PAIRS,
    },
    Kind {
        service: ("dynamodb", "dynamodb"),
        list: ("ListTables", "TableNames", "", ("ExclusiveStartTableName", "LastEvaluatedTableName")),
        tags: ("ListTagsOfResource", "Tags"),
        change: ("TagResource", "UntagResource", "TagKeys"),
        by: ("ResourceArn", By::Arn),
        form: PAIRS,
    },
    Kind {
        service: ("events", "events"),
        list: ("ListRules", "Rules", "Arn", NEXT),
        tags: ("ListTagsForResource", "Tags"),
        change: ("TagResource", "UntagResource", "TagKeys"),
        by: ("ResourceARN", By::Arn),
        form: PAIRS,
    },
    Kind {
        service: ("kms", "kms"),
        list: ("ListKeys", "Keys", "KeyArn", MARKER),
        tags: ("ListResourceTags", "Tags"),
        change: ("TagResource", "UntagResource", "TagKeys"),
        by: ("KeyId", By::Arn),
        form: Form::List("TagKey", "TagValue"),
    },
    Kind {
        service: ("lambda", "lambda"),
        list: ("ListFunctions", "Functions", "FunctionArn", MARKER),
        tags: ("ListTags", "Tags"),
        change: ("TagResource", "UntagResource", "TagKeys"),
        by: ("Resource", By::Arn),
        form: Form::Map,
    },
    Kind {
        service: ("s3", "s3"),
        list: ("ListBuckets", "Buckets", "Name", ("ContinuationToken", "ContinuationToken")),
        tags: ("GetBucketTagging", "TagSet"),
        change: ("PutBucketTagging", "DeleteBucketTagging", ""),
        by: ("Bucket", By::Name("")),
        form: PAIRS,
    },
    Kind {
        service: ("sns", "sns"),
        list: ("ListTopics", "Topics", "TopicArn", NEXT),
        tags: ("ListTagsForResource", "Tags"),
        change: ("TagResource", "UntagResource", "TagKeys"),
        by: ("ResourceArn", By::Arn),
        form: PAIRS,
    },
    Kind {
        service: ("sqs", "sqs"),
        list: ("ListQueues", "QueueUrls", "", NEXT),
        tags: ("ListQueueTags", "Tags"),
        change: ("TagQueue", "UntagQueue", "TagKeys"),
        by: ("QueueUrl", By::Name("")),
        form: Form::Map,
    },
    Kind {
        service: ("ssm", "ssm"),
        list: ("DescribeParameters", "Parameters", "Name", NEXT),
        tags: ("ListTagsForResource", "TagList"),
        change: ("AddTagsToResource", "RemoveTagsFromResource", "TagKeys"),
        by: ("ResourceId", By::Name("parameter/")),
        form: PAIRS,
    },
];

impl Kind {
    fn arn(&self, world: &World, item: &str) -> String {
        let (service, _) = self.service;
        match self.by.1 {
            _ if item.starts_with("arn:") => item.to_owned(),
            By::Arn => world.arn(service, &format!("table/{item}")),
            By::Name(_) if service == "s3" => format!("arn:{}:s3:::{item}", world.partition()),
            // A queue's URL ends in its name.
            By::Name(_) if service == "sqs" => world.arn(service, item.rsplit('/').next().unwrap_or(item)),
            By::Name(before) => world.arn(service, &format!("{before}{}", item.trim_start_matches('/'))),
        }
    }

    /// The question about one resource, of which the ARN or, for those that are named, what was listed is known.
    fn question(&self, world: &mut World, arn: &str) -> Json {
        let mut question = json!({});
        let (member, by) = self.by;
        question[member] = match by {
            By::Arn => json!(arn),
            By::Name(_) => json!(self.items(world).into_iter().find(|item| self.arn(world, item) == arn)),
        };
        if self.service.0 == "ssm" {
            question["ResourceType"] = json!("Parameter");
        }
        question
    }

    fn items(&self, world: &mut World) -> Vec<String> {
        let (operation, list, member, token) = self.list;
        let found = every(world, self.service.1, operation, list, token);
        let text =
            |one: &Json| if member.is_empty() { one.as_str() } else { one.text(member) }.map(str::to_owned);
        found.iter().filter_map(text).collect()
    }

    fn tags(&self, world: &mut World, question: &Json) -> Tags {
        let (operation, member) = self.tags;
        let mut answer = ask(world, self.service.1, operation, question);
        while let Some(token) = answer.text("NextToken").map(str::to_owned) {
            let mut next = question.clone();
            next["NextToken"] = Json::from(token);
            let mut more = ask(world, self.service.1, operation, &next);
            if let Some(Json::Array(rest)) = more.get_mut(member).map(Json::take) {
                let all = answer.list(member).iter().cloned().chain(rest).collect();
                more[member] = Json::Array(all);
            }
            answer = more;
        }
        let text = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or_default().to_owned();
        match (self.form, answer.get(member)) {
            (Form::List(key, value), Some(Json::Array(list))) => {
                list.iter().map(|tag| (text(tag.get(key)), text(tag.get(value)))).collect()
            }
            (Form::Map, Some(Json::Object(map))) => {
                map.iter().map(|(k, v)| (k.clone(), text(Some(v)))).collect()
            }
            _ => Tags::new(),
        }
    }

    fn written(&self, tags: &Tags) -> Json {
        match self.form {
            Form::List(key, value) => tags.iter().map(|(k, v)| json!({ key: k, value: v })).collect(),
            Form::Map => json!(tags),
        }
    }
}

/// Every resource of these kinds, with its tags.
pub fn all(world: &mut World) -> Vec<(String, Tags)> {
    let mut found = Vec::new();
    for kind in KINDS {
        for item in kind.items(world) {
            let arn = kind.arn(world, &item);
            let mut question = json!({});
            question[kind.by.0] = json!(if kind.by.1 == By::Arn { &arn } else { &item });
            if kind.service.0 == "ssm" {
                question["ResourceType"] = json!("Parameter");
            }
            found.push((arn, kind.tags(world, &question)));
        }
    }
    found
}

fn kind_of(arn: &str) -> Option<&'static Kind> {
    let service = arn.split(':').nth(2)?;
    KINDS.iter().find(|kind| kind.service.0 == service)
}

pub fn is_known(arn: &str) -> bool {
    kind_of(arn).is_some()
}

/// Tags a resource of a known kind, or takes tags from it.
pub fn change(world: &mut World, arn: &str, tags: Option<&Tags>, keys: &[&str]) -> Answer {
    let Some(kind) = kind_of(arn) else {
        return Err(ApiError::new("InternalServiceException", format!("{arn} cannot be tagged")));
    };
    let service = kind.service.0;
    let mut question = kind.question(world, arn);
    let (add, remove, member) = kind.change;
    if service == "s3" {
        // All of a bucket's tags are written at once.
        let mut all = kind.tags(world, &question);
        all.extend(tags.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        all.retain(|key, _| !keys.contains(&key.as_str()));
        let operation = if all.is_empty() { remove } else { add };
        if !all.is_empty() {
            question["Tagging"] = json!({ "TagSet": kind.written(&all) });
        }
        return call(world, kind.service.1, operation, &question);
    }
    let operation = match tags {
        Some(tags) => {
            question["Tags"] = kind.written(tags);
            add
        }
        None => {
            question[member] = json!(keys);
            remove
        }
    };
    call(world, kind.service.1, operation, &question)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_parameters_are_tagged_and_listed() {
        let mut world = World::new("123456789012", "us-east-1", 1, 1_700_000_000_000);
        let made = call(&mut world, "kms", "CreateKey", &json!({})).expect("made");
        let key = made["KeyMetadata"]["Arn"].as_str().expect("an ARN").to_owned();
        let put = json!({ "Name": "/web/key", "Value": "1", "Type": "String" });
        call(&mut world, "ssm", "PutParameter", &put).expect("put");
        let parameter = "arn:aws:ssm:us-east-1:123456789012:parameter/web/key";
        let tags = Tags::from([("team".to_owned(), "web".to_owned())]);
        for arn in [key.as_str(), parameter] {
            change(&mut world, arn, Some(&tags), &[]).expect("tagged");
        }
        let found: BTreeMap<String, Tags> = all(&mut world).into_iter().collect();
        assert_eq!((&found[&key], &found[parameter]), (&tags, &tags));
        change(&mut world, parameter, None, &["team"]).expect("untagged");
        assert!(all(&mut world).iter().all(|(arn, tags)| arn == &key || tags.is_empty()));
        assert!(!is_known("arn:aws:moon:::base"));
    }
}
