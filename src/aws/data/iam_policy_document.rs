//! `aws_iam_policy_document`: a policy document written as blocks. Asks AWS nothing.

use crate::aws::{Aws, AwsData, AwsError};
use crate::schema::{Attr, Blocks, ID, Object, StrList, TypeSchema, attributes};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

mod principal {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        IDENTIFIERS: StrSet = required("identifiers");
        TYPE: Str = required("type");
    }
}

mod condition {
    use crate::schema::attributes;
    attributes! {
        TABLE:
        TEST: Str = required("test");
        VALUES: StrList = required("values");
        VARIABLE: Str = required("variable");
    }
}

mod statement {
    use super::{condition, principal};
    use crate::schema::attributes;
    attributes! {
        TABLE:
        ACTIONS: StrSet = optional("actions");
        CONDITION: Blocks = optional("condition").set(&condition::TABLE);
        EFFECT: Str = optional("effect").default_str("Allow").one_of(&["Allow", "Deny"]);
        NOT_ACTIONS: StrSet = optional("not_actions");
        NOT_PRINCIPALS: Blocks = optional("not_principals").set(&principal::TABLE);
        NOT_RESOURCES: StrSet = optional("not_resources");
        PRINCIPALS: Blocks = optional("principals").set(&principal::TABLE);
        RESOURCES: StrSet = optional("resources");
        SID: Str = optional("sid");
    }
}

attributes! {
    TABLE:
    JSON: Str = computed("json");
    MINIFIED: Str = computed("minified_json");
    OVERRIDE_JSON: Json = optional("override_json").deprecated("use override_policy_documents");
    OVERRIDES: StrList = optional("override_policy_documents");
    POLICY_ID: Str = optional("policy_id");
    SOURCE_JSON: Json = optional("source_json").deprecated("use source_policy_documents");
    SOURCES: StrList = optional("source_policy_documents");
    STATEMENT: Blocks = optional("statement").list(&statement::TABLE);
    VERSION: Str = optional("version").default_str("2012-10-17").one_of(&["2008-10-17", "2012-10-17"]);
}

static SCHEMA: TypeSchema = TypeSchema {
    doc: "A policy document written as blocks",
    example: r#"
data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}
"#,
    ..TypeSchema::new("aws_iam_policy_document", &TABLE)
};

pub struct IamPolicyDocument;

#[async_trait(?Send)]
impl AwsData for IamPolicyDocument {
    fn schema(&self) -> &'static TypeSchema {
        &SCHEMA
    }

    async fn read(&self, _aws: &Aws, want: &Object) -> Result<Object, AwsError> {
        let document = document(want)?;
        let mut o = want.clone();
        let json = rendered(&document, true);
        o.set(&ID, checksum(&json)).set(&JSON, json).set(&MINIFIED, rendered(&document, false));
        Ok(o)
    }
}

/// Field order is the order in the rendered document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Statement {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_action: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_resource: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_principal: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Json>,
}

fn document(want: &Object) -> Result<Document, AwsError> {
    let mut document = Document::default();
    let sources = want.get(&SOURCE_JSON).into_iter().chain(want.all(&SOURCES));
    for source in sources {
        document.append(parsed(&source, "source")?)?;
    }
    let own =
        Document { version: want.all(&VERSION), id: want.get(&POLICY_ID), statement: statements(want)? };
    document.overlay(own);
    let overrides = want.get(&OVERRIDE_JSON).into_iter().chain(want.all(&OVERRIDES));
    for over in overrides {
        document.overlay(parsed(&over, "override")?);
    }
    Ok(document)
}

fn parsed(text: &str, what: &str) -> Result<Document, AwsError> {
    if text.trim().is_empty() {
        return Ok(Document::default());
    }
    serde_json::from_str(text).map_err(|error| {
        let message = format!("a {what} document is not a policy: {error}");
        AwsError::failed("aws_iam_policy_document", "InvalidDocument", message)
    })
}

impl Document {
    /// Source documents may not say the same `sid` twice.
    fn append(&mut self, other: Document) -> Result<(), AwsError> {
        for statement in &other.statement {
            let taken = |s: &&Statement| s.sid.is_some() && s.sid == statement.sid;
            if let Some(twice) = self.statement.iter().find(taken) {
                let sid = twice.sid.clone().unwrap_or_default();
                let message = format!("two source documents have a statement with the sid {sid:?}");
                return Err(AwsError::failed("aws_iam_policy_document", "DuplicateSid", message));
            }
        }
        self.header(&other);
        self.statement.extend(other.statement);
        Ok(())
    }

    /// Statements of the same `sid` are replaced in place, others come after.
    fn overlay(&mut self, other: Document) {
        self.header(&other);
        for statement in other.statement {
            let same = |s: &Statement| s.sid.is_some() && s.sid == statement.sid;
            match self.statement.iter().position(same) {
                Some(at) => self.statement[at] = statement,
                None => self.statement.push(statement),
            }
        }
    }

    fn header(&mut self, other: &Document) {
        if !other.version.is_empty() {
            self.version.clone_from(&other.version);
        }
        if other.id.is_some() {
            self.id.clone_from(&other.id);
        }
    }
}

fn statements(want: &Object) -> Result<Vec<Statement>, AwsError> {
    let statements: Vec<Statement> = want.all(&STATEMENT).iter().map(statement_of).collect();
    let mut sids = BTreeSet::new();
    if let Some(twice) = statements.iter().filter_map(|s| s.sid.as_ref()).find(|sid| !sids.insert(*sid)) {
        let message = format!("two statements have the sid {twice:?}");
        return Err(AwsError::failed("aws_iam_policy_document", "DuplicateSid", message));
    }
    let version = want.all(&VERSION);
    let text = serde_json::to_string(&statements).expect("statements are plain data");
    if version == "2008-10-17" && text.contains("&{") {
        let message = "`&{…}` stands for a policy variable, which version 2008-10-17 does not have";
        return Err(AwsError::failed("aws_iam_policy_document", "NoVariables", message));
    }
    Ok(statements)
}

fn statement_of(block: &Object) -> Statement {
    Statement {
        sid: block.get(&statement::SID),
        effect: block.get(&statement::EFFECT),
        action: list(block.all(&statement::ACTIONS)),
        not_action: list(block.all(&statement::NOT_ACTIONS)),
        resource: list(variables(block.all(&statement::RESOURCES))),
        not_resource: list(variables(block.all(&statement::NOT_RESOURCES))),
        principal: principals(block, &statement::PRINCIPALS),
        not_principal: principals(block, &statement::NOT_PRINCIPALS),
        condition: conditions(block),
    }
}

/// `&{…}` is how HCL writes a policy's own `${…}`.
fn variables(items: Vec<String>) -> Vec<String> {
    items.into_iter().map(|item| item.replace("&{", "${")).collect()
}

/// One element stands alone; several stand in descending order, as the provider writes them.
fn list(mut items: Vec<String>) -> Option<Json> {
    items.sort_by(|a, b| b.cmp(a));
    items.dedup();
    single_or_list(items)
}

fn single_or_list(items: Vec<String>) -> Option<Json> {
    // `&{…}` is how a policy variable is written where `${…}` would be a template.
    let mut items: Vec<String> = items.into_iter().map(|item| item.replace("&{", "${")).collect();
    match items.len() {
        0 => None,
        1 => Some(Json::String(items.remove(0))),
        _ => Some(Json::Array(items.into_iter().map(Json::String).collect())),
    }
}

/// Who is meant and what a condition compares with is written even when it is nobody and nothing.
fn even_if_empty(items: Vec<String>) -> Json {
    single_or_list(items).unwrap_or(Json::Array(Vec::new()))
}

fn principals(block: &Object, attr: &Attr<Blocks>) -> Option<Json> {
    let mut by_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let in_order = as_in_a_set(block.all(attr), |principal| {
        let identifiers = principal.all(&principal::IDENTIFIERS);
        let identifiers = as_in_a_set(identifiers, |id| format!("{id};"));
        let kind = principal.all(&principal::TYPE);
        format!("identifiers:{{{}}};type:{kind};", elements(&identifiers))
    });
    for principal in in_order {
        let mut identifiers = variables(principal.all(&principal::IDENTIFIERS));
        identifiers.sort_by(|a, b| b.cmp(a));
        by_type.entry(principal.all(&principal::TYPE)).or_default().extend(identifiers);
    }
    if by_type.get("*").is_some_and(|ids| !ids.is_empty() && ids.iter().all(|i| i == "*"))
        && by_type.len() == 1
    {
        return Some(Json::String("*".to_owned()));
    }
    let members: serde_json::Map<String, Json> =
        by_type.into_iter().map(|(kind, ids)| (kind, even_if_empty(ids))).collect();
    (!members.is_empty()).then_some(Json::Object(members))
}

fn conditions(block: &Object) -> Option<Json> {
    let mut tests: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let values: &Attr<StrList> = &condition::VALUES;
    let in_order = as_in_a_set(block.all(&statement::CONDITION), |condition| {
        let (test, variable) = (condition.all(&condition::TEST), condition.all(&condition::VARIABLE));
        format!("test:{test};values:({});variable:{variable};", elements(&condition.all(values)))
    });
    for condition in in_order {
        let by_variable = tests.entry(condition.all(&condition::TEST)).or_default();
        let values = variables(condition.all(values));
        by_variable.entry(condition.all(&condition::VARIABLE)).or_default().extend(values);
    }
    let member = |(variable, values)| (variable, even_if_empty(values));
    let members: serde_json::Map<String, Json> = tests
        .into_iter()
        .map(|(test, variables)| (test, Json::Object(variables.into_iter().map(member).collect())))
        .collect();
    (!members.is_empty()).then_some(Json::Object(members))
}

/// The order in which the provider goes through a set: by the checksum of each element's text, in decimal,
/// as text (terraform-plugin-sdk, `schema.Set` and `schema.HashResource`).
fn as_in_a_set<T>(mut items: Vec<T>, text: impl Fn(&T) -> String) -> Vec<T> {
    items.sort_by_cached_key(|item| checksum(&text(item)));
    items
}

fn elements(items: &[String]) -> String {
    items.iter().map(|item| format!("{item};")).collect()
}

/// Go's JSON: two spaces, and `<`, `>`, `&` escaped.
fn rendered(document: &Document, pretty: bool) -> String {
    let text = if pretty { serde_json::to_string_pretty(document) } else { serde_json::to_string(document) };
    let text = text.expect("a document is plain data");
    text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// CRC-32 (IEEE) as the provider makes ids of texts.
fn checksum(text: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    crc.sum().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{convert, from_json};

    fn wanted(json: &Json) -> Object {
        let mut object = Object::new();
        for row in TABLE.rows {
            if let Some(value) = json.get(row.name) {
                object.put(row.name, Some(completed(&from_json(value), row)));
            }
            if let (Some(default), None) = (row.default, json.get(row.name)) {
                object.put(row.name, Some(default.value()));
            }
        }
        object.complete(&TABLE)
    }

    /// Blocks with everything that is left out set to null or its default.
    fn completed(value: &crate::value::Value, row: &crate::schema::Row) -> crate::value::Value {
        let Some((_, table)) = row.block_table() else { return convert(value, &row.ty()).expect("fits") };
        let objects = value.as_slice().unwrap_or_default().iter().map(|item| {
            let mut object = Object::new();
            for inner in table.rows {
                match (item.as_map().and_then(|m| m.get(inner.name)), inner.default) {
                    (Some(v), _) => object.put(inner.name, Some(completed(v, inner))),
                    (None, Some(default)) => object.put(inner.name, Some(default.value())),
                    (None, None) => {}
                }
            }
            crate::value::Value::from(object.complete(table))
        });
        convert(&crate::value::Value::tuple(objects.collect()), &row.ty()).expect("fits")
    }

    /// The recorded inputs refer to other cases and call jsonencode: puts the texts in.
    fn resolved(json: &Json, cases: &[Json]) -> Json {
        match json {
            Json::String(text) => Json::String(resolved_text(text, cases)),
            Json::Array(items) => Json::Array(items.iter().map(|i| resolved(i, cases)).collect()),
            Json::Object(members) => {
                Json::Object(members.iter().map(|(k, v)| (k.clone(), resolved(v, cases))).collect())
            }
            other => other.clone(),
        }
    }

    fn resolved_text(text: &str, cases: &[Json]) -> String {
        let Some(inner) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) else {
            return text.to_owned();
        };
        if let Some(name) =
            inner.strip_prefix("data.aws_iam_policy_document.").and_then(|n| n.strip_suffix(".json"))
        {
            let case = cases.iter().find(|c| c["case"] == name).expect("a case of this name");
            return case["json_output"].as_str().expect("text").to_owned();
        }
        let mut sources = crate::diag::Sources::default();
        let file = sources.add("<case>", inner);
        let (expr, _) = crate::lang::parse::parse_expression(&sources, file);
        let mut diags = crate::diag::Diagnostics::default();
        let value = crate::lang::eval::eval(&expr.expect("an expression"), &NoNames, &mut diags);
        value.as_str().expect("a string").to_owned()
    }

    struct NoNames;

    impl crate::lang::eval::Scope for NoNames {
        fn resolve(
            &self,
            t: &crate::lang::syntax::Traversal,
        ) -> Result<crate::lang::eval::Resolved, crate::diag::Diagnostic> {
            Err(crate::diag::Diagnostic::error("no-names", "nothing is declared here").at(t.span))
        }

        fn base_dir(&self) -> &std::path::Path {
            std::path::Path::new(".")
        }
    }

    #[test]
    fn documents_render_as_the_provider_does() {
        let facts: Json =
            serde_json::from_str(include_str!("../../../fixtures/provider/policy_document.json"))
                .expect("JSON");
        let cases = facts["cases"].as_array().expect("a list");
        let (mut ran, mut wrong) = (0, Vec::new());
        for case in cases {
            let Some(expected) = case["json_output"].as_str() else { continue };
            ran += 1;
            let name = case["case"].as_str().expect("a name");
            let got = document(&wanted(&resolved(&case["input"], cases))).map(|d| rendered(&d, true));
            if got.as_deref() != Ok(expected) {
                wrong.push(format!("{name}: {got:?}"));
            }
        }
        println!("counted: {ran} policy documents");
        assert!(ran > 20 && wrong.is_empty(), "{} of {ran}:\n{}", wrong.len(), wrong.join("\n"));
    }
}
