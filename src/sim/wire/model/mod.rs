//! What AWS's API models say: operations, shapes, and where each member travels. One table a service.
//!
//! The tables (`<service>.txt`, named as requests are signed) are written by `generate.py` from botocore's
//! models for the operations in `operations.txt`. A line is one of
//! ```text
//! service NAME VERSION PROTOCOL,… [namespace=URI] [json=1.1] [target=PREFIX] [query-compatible]
//! operation NAME INPUT|- OUTPUT|- [METHOD PATH [STATUS]]
//! error SHAPE CODE STATUS                        (only where code ≠ shape or status ≠ 400)
//! structure NAME                                 followed by its members:
//! ⇥NAME TYPE [!] [@WIRE] [query=…] [in=…] [flattened] [attribute] [format=…]
//! list NAME TYPE WIRE [flattened]⇥MIN..MAX
//! map NAME TYPE WIRE TYPE WIRE [flattened]⇥MIN..MAX
//! string|integer|… NAME⇥MIN..MAX⇥enum=A|B⇥pattern=…
//! ```
//! `!` is required, `@^` a wire name that differs only by its small first letter. Constraints stand only
//! on what inputs use, and for EC2 only ranges: it words its own errors about values.

use regex::Regex;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsQuery: form in, XML out.
    Query,
    /// ec2Query: as awsQuery, but flat lists and other names.
    Ec2,
    /// awsJson 1.0 and 1.1.
    Json,
    RestXml,
    RestJson,
    /// Smithy's RPC v2 over CBOR.
    Cbor,
}

#[derive(Debug)]
pub struct Service {
    /// As requests are signed: `elasticloadbalancing`, `monitoring`.
    pub name: &'static str,
    pub version: &'static str,
    /// The one AWS prefers first.
    pub protocols: Vec<Protocol>,
    pub namespace: &'static str,
    pub json_version: &'static str,
    pub target: &'static str,
    /// Was awsQuery once: errors carry their old code in a header.
    pub query_compatible: bool,
    pub operations: BTreeMap<&'static str, Operation>,
    pub errors: Vec<ErrorShape>,
    shapes: Vec<Shape>,
}

#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    pub method: &'static str,
    pub path: &'static str,
    pub status: u16,
}

#[derive(Debug)]
pub struct ErrorShape {
    pub shape: &'static str,
    pub code: &'static str,
    pub status: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(usize);

#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub values: Vec<&'static str>,
    pub pattern: Option<&'static str>,
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Debug)]
pub enum Kind {
    Structure(Vec<Member>),
    List {
        item: ShapeId,
        wire: &'static str,
        flattened: bool,
    },
    Map {
        key: ShapeId,
        key_wire: &'static str,
        value: ShapeId,
        value_wire: &'static str,
        flattened: bool,
    },
    Text,
    /// Both `integer` and `long`.
    Integer,
    Float,
    Boolean,
    Timestamp(Option<TimeFormat>),
    Blob,
    /// Any JSON.
    Document,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    Iso8601,
    Rfc822,
    Epoch,
}

#[derive(Debug)]
pub struct Member {
    pub name: &'static str,
    pub shape: ShapeId,
    pub required: bool,
    /// Name on the wire.
    pub wire: Cow<'static, str>,
    /// Name in EC2's forms.
    pub query: Option<&'static str>,
    pub place: Place,
    pub flattened: bool,
    pub attribute: bool,
    pub format: Option<TimeFormat>,
}

/// Where a member travels in REST protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Body,
    Payload,
    Path,
    Query,
    Header,
    Headers,
    Status,
}

impl Service {
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// Members of a structure, none for anything else.
    pub fn members(&self, id: ShapeId) -> &[Member] {
        match &self.shape(id).kind {
            Kind::Structure(members) => members,
            _ => &[],
        }
    }

    /// By shape name or by code: handlers may know an error under either.
    pub fn error(&self, code: &str) -> Option<&ErrorShape> {
        self.errors.iter().find(|e| e.code == code || e.shape == code)
    }
}

impl Shape {
    /// The whole text must match. Patterns that need look-around say nothing here.
    pub fn matches(&self, text: &str) -> bool {
        let Some(pattern) = self.pattern else { return true };
        let compiled = self.compiled.get_or_init(|| Regex::new(&format!(r"\A(?:{pattern})\z")).ok());
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

macro_rules! tables {
    ($($name:literal)*) => {
        /// Services that have a table.
        pub const SERVICES: &[&str] = &[$($name),*];

        /// The table of the service that requests are signed for; parsed at first use.
        pub fn service(name: &str) -> Option<&'static Service> {
            match name {
                $($name => {
                    static TABLE: OnceLock<Service> = OnceLock::new();
                    Some(TABLE.get_or_init(|| parse(include_str!(concat!($name, ".txt")))))
                })*
                _ => None,
            }
        }
    };
}

tables! {
    "acm" "application-autoscaling" "autoscaling" "cloudtrail" "codedeploy" "dynamodb" "ec2" "ecr" "ecs"
    "elasticloadbalancing" "events" "iam" "kms" "lambda" "logs" "monitoring" "route53" "s3" "secretsmanager"
    "servicediscovery" "servicequotas" "sns" "sqs" "ssm" "sts" "tagging"
}

/// Shape ids by name, the unconstrained scalars first.
struct Names(BTreeMap<&'static str, ShapeId>);

const SCALARS: &[&str] = &[
    "string",
    "integer",
    "long",
    "float",
    "double",
    "boolean",
    "timestamp",
    "timestamp:iso8601",
    "timestamp:rfc822",
    "timestamp:unixTimestamp",
    "blob",
    "document",
];

impl Names {
    fn of(text: &'static str) -> Self {
        let mut names: BTreeMap<_, _> = SCALARS.iter().enumerate().map(|(i, n)| (*n, ShapeId(i))).collect();
        for line in text.lines() {
            if let Some(name) = shape_name(line) {
                let id = ShapeId(names.len());
                names.insert(name, id);
            }
        }
        Names(names)
    }

    fn find(&self, name: &str) -> ShapeId {
        *self.0.get(name).unwrap_or_else(|| panic!("the table has no shape {name}"))
    }

    fn optional(&self, name: &str) -> Option<ShapeId> {
        (name != "-").then(|| self.find(name))
    }
}

fn shape_name(line: &'static str) -> Option<&'static str> {
    let head = line.split('\t').next()?;
    let mut words = head.split(' ');
    match words.next()? {
        "" | "#" | "service" | "operation" | "error" => None,
        _ => words.next(),
    }
}

/// The tables are part of the program, so what cannot be read is a bug: a test reads them all.
fn parse(text: &'static str) -> Service {
    let names = Names::of(text);
    let mut service = None;
    let mut operations = BTreeMap::new();
    let mut errors = Vec::new();
    let mut shapes: Vec<Shape> = SCALARS.iter().map(|name| scalar(name)).collect();
    for line in text.lines() {
        if let Some(member) = line.strip_prefix('\t') {
            let Some(Shape { kind: Kind::Structure(members), .. }) = shapes.last_mut() else {
                panic!("a member outside a structure: {member}");
            };
            members.push(parse_member(&names, member));
            continue;
        }
        let mut fields = line.split('\t');
        let words: Vec<_> = fields.next().unwrap_or("").split(' ').collect();
        match words[..] {
            ["#", ..] => {}
            ["service", name, version, protocols, ref rest @ ..] => {
                service = Some((name, version, protocols, rest.to_vec()));
            }
            ["operation", name, input, output, ref http @ ..] => {
                let operation = Operation {
                    name,
                    input: names.optional(input),
                    output: names.optional(output),
                    method: http.first().unwrap_or(&"POST"),
                    path: http.get(1).unwrap_or(&"/"),
                    status: http.get(2).map_or(200, |s| s.parse().expect("a status is a number")),
                };
                operations.insert(name, operation);
            }
            ["error", shape, code, status] => {
                errors.push(ErrorShape {
                    shape,
                    code,
                    status: status.parse().expect("a status is a number"),
                });
            }
            _ => shapes.push(parse_shape(&names, &words, fields)),
        }
    }
    let (name, version, protocols, rest) = service.expect("a table starts with its service");
    let option = |key: &str| rest.iter().find_map(|w| w.strip_prefix(key)).unwrap_or("");
    Service {
        name,
        version,
        protocols: protocols.split(',').map(protocol).collect(),
        namespace: option("namespace="),
        json_version: option("json="),
        target: option("target="),
        query_compatible: rest.contains(&"query-compatible"),
        operations,
        errors,
        shapes,
    }
}

fn protocol(name: &str) -> Protocol {
    match name {
        "query" => Protocol::Query,
        "ec2" => Protocol::Ec2,
        "json" => Protocol::Json,
        "rest-xml" => Protocol::RestXml,
        "rest-json" => Protocol::RestJson,
        "smithy-rpc-v2-cbor" => Protocol::Cbor,
        _ => panic!("an unknown protocol: {name}"),
    }
}

fn scalar(name: &'static str) -> Shape {
    let kind = match name {
        "string" => Kind::Text,
        "integer" | "long" => Kind::Integer,
        "float" | "double" => Kind::Float,
        "boolean" => Kind::Boolean,
        "blob" => Kind::Blob,
        "document" => Kind::Document,
        "timestamp" => Kind::Timestamp(None),
        _ => Kind::Timestamp(Some(time_format(name.strip_prefix("timestamp:").unwrap_or(name)))),
    };
    Shape { name, kind, min: None, max: None, values: vec![], pattern: None, compiled: OnceLock::new() }
}

fn time_format(name: &str) -> TimeFormat {
    match name {
        "iso8601" => TimeFormat::Iso8601,
        "rfc822" => TimeFormat::Rfc822,
        "unixTimestamp" => TimeFormat::Epoch,
        _ => panic!("an unknown type: {name}"),
    }
}

fn parse_shape(
    names: &Names,
    words: &[&'static str],
    constraints: impl Iterator<Item = &'static str>,
) -> Shape {
    let flattened = words.last() == Some(&"flattened");
    let mut shape = match *words {
        ["structure", _] => Shape { kind: Kind::Structure(vec![]), ..scalar("string") },
        ["list", _, item, wire, ..] => {
            Shape { kind: Kind::List { item: names.find(item), wire, flattened }, ..scalar("string") }
        }
        ["map", _, key, key_wire, value, value_wire, ..] => {
            let (key, value) = (names.find(key), names.find(value));
            Shape { kind: Kind::Map { key, key_wire, value, value_wire, flattened }, ..scalar("string") }
        }
        [kind, _] => scalar(kind),
        _ => panic!("a line that is no shape: {words:?}"),
    };
    shape.name = words[1];
    for field in constraints {
        if let Some(values) = field.strip_prefix("enum=") {
            shape.values = values.split('|').collect();
        } else if let Some(pattern) = field.strip_prefix("pattern=") {
            shape.pattern = Some(pattern);
        } else if let Some((min, max)) = field.split_once("..") {
            (shape.min, shape.max) = (min.parse().ok(), max.parse().ok());
        }
    }
    shape
}

fn parse_member(names: &Names, line: &'static str) -> Member {
    let mut words = line.split(' ');
    let name = words.next().expect("a member has a name");
    let mut member = Member {
        name,
        shape: names.find(words.next().expect("a member has a type")),
        required: false,
        wire: Cow::Borrowed(name),
        query: None,
        place: Place::Body,
        flattened: false,
        attribute: false,
        format: None,
    };
    for word in words {
        match word {
            "!" => member.required = true,
            "flattened" => member.flattened = true,
            "attribute" => member.attribute = true,
            "@^" => member.wire = Cow::Owned(small_first(name)),
            _ => match word.split_once('=') {
                Some(("query", query)) => member.query = Some(query),
                Some(("in", place)) => member.place = parse_place(place),
                Some(("format", format)) => member.format = Some(time_format(format)),
                _ => member.wire = Cow::Borrowed(word.strip_prefix('@').expect("a wire name has its mark")),
            },
        }
    }
    member
}

fn parse_place(name: &str) -> Place {
    match name {
        "payload" => Place::Payload,
        "uri" => Place::Path,
        "querystring" => Place::Query,
        "header" => Place::Header,
        "headers" => Place::Headers,
        "statusCode" => Place::Status,
        _ => panic!("an unknown place: {name}"),
    }
}

/// `SubnetId` → `subnetId`: how AWS names members where it starts them small.
pub fn small_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_lowercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_reads() {
        for name in SERVICES {
            let service = service(name).expect("listed");
            assert_eq!(service.name, *name);
            assert!(!service.operations.is_empty(), "{name}");
        }
    }

    /// Patterns this engine cannot compile are not checked: know how many.
    #[test]
    fn few_patterns_cannot_be_compiled() {
        let mut not = Vec::new();
        for service in SERVICES.iter().filter_map(|n| service(n)) {
            for shape in &service.shapes {
                shape.matches("");
                if shape.pattern.is_some() && shape.compiled.get().is_some_and(Option::is_none) {
                    not.push(format!("{} {}", service.name, shape.name));
                }
            }
        }
        assert!(not.len() <= 25, "{not:#?}");
    }

    #[test]
    fn every_handler_has_a_place_in_its_table() {
        for name in SERVICES {
            let table = service(name).expect("listed");
            for (operation, _) in crate::service::operations(name).unwrap_or(&[]) {
                assert!(table.operations.contains_key(operation), "{name} {operation}");
            }
        }
    }
}
