//! Functions of providers, as far as they need no provider: those of `terraform` and of `aws`.

use super::table::{f, p};
use super::{Call, Failure, Function, T};
use crate::diag::{Diagnostic, Diagnostics, Severity, Sources};
use crate::lang::eval::{Resolved, Scope, eval};
use crate::lang::format::format;
use crate::lang::parse::parse_file;
use crate::lang::syntax::Traversal;
use crate::value::{Kind, Map, Type, Value};
use std::path::Path;
use std::sync::Arc;

type Result<T = Value> = std::result::Result<T, Failure>;

/// By the provider's own name: `terraform::encode_expr`.
pub static PROVIDER_FUNCTIONS: &[Function] = &[
    f(
        "aws::arn_build",
        "An ARN of its parts",
        &[
            p("partition", T::Str),
            p("service", T::Str),
            p("region", T::Str),
            p("account_id", T::Str),
            p("resource", T::Str),
        ],
        T::Str,
        arn_build,
    ),
    super::table::g("aws::arn_parse", "The parts of an ARN", &[p("arn", T::Str)], arn_type, arn_parse),
    f(
        "aws::trim_iam_role_path",
        "The ARN of a role without its path",
        &[p("arn", T::Str)],
        T::Str,
        trim_iam_role_path,
    ),
    f(
        "terraform::decode_tfvars",
        "The values that a .tfvars text assigns",
        &[p("src", T::Str)],
        T::Any,
        decode_tfvars,
    ),
    f(
        "terraform::encode_expr",
        "The value as an expression",
        &[p("value", T::Any).dynamic()],
        T::Str,
        encode_expr,
    ),
    f(
        "terraform::encode_tfvars",
        "The object as the text of a .tfvars file",
        &[p("value", T::Any).dynamic()],
        T::Str,
        encode_tfvars,
    ),
];

fn encode_expr(call: &Call) -> Result {
    let value = &call.args[0];
    if !value.is_wholly_known() {
        return Ok(Value::unknown(Type::String));
    }
    let mut text = "x = ".to_owned();
    write(value, &mut text);
    text.push('\n');
    let text = formatted(text)?;
    Ok(Value::string(text.trim_start_matches("x = ").trim_end_matches('\n')))
}

fn encode_tfvars(call: &Call) -> Result {
    let value = &call.args[0];
    let object = |v: &Value| matches!(v.ty(), Type::Object(_) | Type::Map(_));
    if !object(value) {
        return Err(Failure::new("an object is required: its attributes become the variables"));
    }
    if !value.is_wholly_known() {
        return Ok(Value::unknown(Type::String));
    }
    let mut text = String::new();
    for (name, value) in value.as_map().into_iter().flatten() {
        if !is_identifier(name) {
            return Err(Failure::new(format!("`{name}` cannot be the name of a variable")));
        }
        text.push_str(name);
        text.push_str(" = ");
        write(value, &mut text);
        text.push('\n');
    }
    Ok(Value::string(formatted(text)?))
}

fn formatted(text: String) -> Result<String> {
    let mut sources = Sources::default();
    let file = sources.add("expression", text);
    format(&sources, file).map_err(|_| Failure::new("the value cannot be written"))
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn write(value: &Value, out: &mut String) {
    match &value.kind {
        Kind::Unknown(_) | Kind::Null(_) => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Number(n) => out.push_str(&n.to_string()),
        Kind::String(s) => write_string(s, out),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(item, out);
            }
            out.push(']');
        }
        Kind::Map(_, items) | Kind::Object(items) if items.is_empty() => out.push_str("{}"),
        Kind::Map(_, items) | Kind::Object(items) => {
            out.push_str("{\n");
            for (key, item) in items.iter() {
                if is_identifier(key) {
                    out.push_str(key)
                } else {
                    write_string(key, out)
                }
                out.push_str(" = ");
                write(item, out);
                out.push('\n');
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Nothing to refer to, and nothing to call.
struct Constants;

impl Scope for Constants {
    fn resolve(&self, traversal: &Traversal) -> std::result::Result<Resolved, Diagnostic> {
        Err(Diagnostic::error("unknown-name", "variables cannot be referred to here").at(traversal.span))
    }

    fn base_dir(&self) -> &Path {
        Path::new(".")
    }

    fn allows_functions(&self) -> bool {
        false
    }
}

fn decode_tfvars(call: &Call) -> Result {
    let mut sources = Sources::default();
    let file = sources.add("src", call.str(0));
    let (body, problems) = parse_file(&sources, file);
    let mut diags = Diagnostics::default();
    diags.extend(problems);
    let mut values = Map::new();
    for attribute in &body.attributes {
        let value = eval(&attribute.expr, &Constants, &mut diags);
        values.insert(attribute.name.name.clone(), value);
    }
    if let Some(block) = body.blocks.first() {
        return Err(Failure::new(format!(
            "there is a block `{}`, where only values can be",
            block.kind.name
        )));
    }
    let diags = diags.into_sorted();
    if let Some(error) = diags.iter().find(|d| d.severity == Severity::Error) {
        let line = error.span().map_or(1, |span| sources.line_column(span.file, span.start).0);
        return Err(Failure::new(format!("line {line}: {}", error.summary)));
    }
    Ok(Value::object(values))
}

const PARTS: [&str; 5] = ["partition", "service", "region", "account_id", "resource"];

fn arn_type(_: &[Value]) -> Result<Type> {
    Ok(Type::object(PARTS.map(|name| (Arc::from(name), Type::String))))
}

fn arn_parts(call: &Call) -> Result<Vec<String>> {
    let parts: Vec<String> = call.str(0).splitn(6, ':').map(str::to_owned).collect();
    match parts.split_first() {
        Some((first, rest)) if first == "arn" && rest.len() == 5 => Ok(rest.to_vec()),
        _ => Err(Failure::new("this is not an ARN such as arn:aws:iam::123456789012:role/name")),
    }
}

fn arn_parse(call: &Call) -> Result {
    let parts = arn_parts(call)?;
    let entries = PARTS.iter().zip(parts).map(|(name, part)| (Arc::from(*name), Value::string(part)));
    Ok(Value::object(entries.collect()))
}

fn arn_build(call: &Call) -> Result {
    let parts: Vec<&str> = (0..5).map(|i| call.str(i)).collect();
    Ok(Value::string(format!("arn:{}", parts.join(":"))))
}

fn trim_iam_role_path(call: &Call) -> Result {
    let parts = arn_parts(call)?;
    let role = parts[4].strip_prefix("role/").filter(|_| parts[1] == "iam");
    let role = role.ok_or_else(|| Failure::new("this is not the ARN of a role"))?;
    let name = role.rsplit('/').next().unwrap_or(role);
    Ok(Value::string(format!("arn:{}:role/{name}", parts[..4].join(":"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Required;

    impl Scope for Required {
        fn resolve(&self, traversal: &Traversal) -> std::result::Result<Resolved, Diagnostic> {
            Constants.resolve(traversal)
        }

        fn base_dir(&self) -> &Path {
            Path::new(".")
        }

        fn provider(&self, local: &str) -> Option<&str> {
            match local {
                "tf" => Some("terraform"),
                "aws" => Some("aws"),
                _ => None,
            }
        }
    }

    fn value(expr: &str) -> Option<Value> {
        let mut sources = Sources::default();
        let file = sources.add("main.tf", format!("v = {expr}\n"));
        let (body, problems) = parse_file(&sources, file);
        assert!(problems.is_empty(), "{expr}: {problems:?}");
        let mut diags = Diagnostics::default();
        let value = eval(&body.attributes[0].expr, &Required, &mut diags);
        (!diags.has_errors()).then_some(value)
    }

    /// Recorded of Terraform 1.11.4.
    #[test]
    fn values_are_written_and_read_as_terraform_does() {
        for (expr, want) in [
            (
                r#"provider::tf::encode_tfvars({ a = 1, bbb = "x", c = { d = 1, eee = [1, { f = 2 }] }, l = [], o = {}, n = null, z = "a\nb\t\"é$${q}%%{r}" })"#,
                "a   = 1\nbbb = \"x\"\nc = {\n  d = 1\n  eee = [1, {\n    f = 2\n  }]\n}\nl = []\nn = null\no = {}\nz = \"a\\nb\\t\\\"é$${q}%%{r}\"\n",
            ),
            (
                r#"provider::tf::encode_expr([{ a = 1, bb = 2 }, [], {}, [[1]], "x\ny"])"#,
                "[{\n  a  = 1\n  bb = 2\n}, [], {}, [[1]], \"x\\ny\"]",
            ),
            (
                r#"provider::tf::encode_expr(tomap({ "a b" = 1, "1" = 2, "for" = 3, "null" = 4 }))"#,
                "{\n  \"1\"   = 2\n  \"a b\" = 1\n  for   = 3\n  null  = 4\n}",
            ),
            (r#"provider::tf::encode_expr("héllo 👍 \u0001")"#, "\"héllo 👍 \\u0001\""),
            (r#"provider::tf::encode_expr(-0.5)"#, "-0.5"),
            (r#"provider::tf::encode_tfvars({})"#, ""),
            (
                r#"jsonencode(provider::tf::decode_tfvars("x = {\n a = 1\n}\ny = \"a$${1 + 1}\"\n"))"#,
                r#"{"x":{"a":1},"y":"a2"}"#,
            ),
            (r#"provider::aws::arn_parse("arn:aws:iam::444455556666:role/a:b").resource"#, "role/a:b"),
            (
                r#"provider::aws::arn_build("aws", "iam", "", "444455556666", "role/x")"#,
                "arn:aws:iam::444455556666:role/x",
            ),
            (
                r#"provider::aws::trim_iam_role_path("arn:aws:iam::444455556666:role/with/path/x")"#,
                "arn:aws:iam::444455556666:role/x",
            ),
        ] {
            assert_eq!(value(expr).as_ref().and_then(Value::as_str), Some(want), "{expr}");
        }
        for wrong in [
            "provider::tf::encode_tfvars([1])",
            "provider::tf::encode_tfvars({ \"a b\" = 1 })",
            "provider::tf::encode_tfvars(null)",
            "provider::tf::decode_tfvars(\"a = b\")",
            "provider::tf::decode_tfvars(\"a = upper(1)\")",
            "provider::tf::decode_tfvars(\"b {}\")",
            "provider::tf::decode_tfvars(\"a =\")",
            "provider::tf::nope()",
            "provider::terraform::encode_expr(1)",
            "provider::aws::arn_parse(\"x\")",
            "provider::aws::trim_iam_role_path(\"arn:aws:s3:::x\")",
        ] {
            assert_eq!(value(wrong), None, "{wrong}");
        }
    }
}
