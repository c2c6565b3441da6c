//! Configuration for resources that exist: what one would have written to get them.

use crate::addr::Address;
use crate::diag::Sources;
use crate::lang::format::format;
use crate::schema::{Object, Presence, Row, Shape, Table, TypeSchema, blocks_in};
use crate::value::{Value, to_json};
use hcl::{Block, Expression, Identifier};
use hcl_edit::Decorate;
use hcl_edit::structure::Body;
use std::collections::{BTreeMap, BTreeSet};

/// One resource to be written.
pub struct Generated<'a> {
    pub address: &'a Address,
    pub id: &'a str,
    pub schema: &'static TypeSchema,
    pub live: &'a Object,
    /// Named only where it is not the type's own.
    pub provider: Option<&'a str>,
}

#[derive(Debug, thiserror::Error)]
#[error("{address} cannot be written as configuration: {why}")]
pub struct Unwritable {
    pub address: Address,
    pub why: String,
}

const HEADER: &str = "# Written by `cutover plan --generate-config-out` from what exists. Look it over, take out what need not\n# be fixed, replace ids by references, then move it to where it belongs.\n";

/// A whole file.
pub fn file(resources: &[Generated<'_>]) -> Result<String, Unwritable> {
    let mut out = HEADER.to_owned();
    for resource in resources {
        out.push('\n');
        out += &one(resource)?;
    }
    Ok(out)
}

fn one(resource: &Generated<'_>) -> Result<String, Unwritable> {
    let fail = |why: String| Unwritable { address: resource.address.clone(), why };
    let mut secrets = BTreeSet::new();
    let written = chosen(resource.schema, resource.live);
    let mut block = Block::builder("resource")
        .add_label(resource.address.type_name.to_string())
        .add_label(resource.address.name.to_string());
    if let Some(provider) = resource.provider {
        let reference = hcl::expr::Variable::new(provider).map_err(|e| fail(e.to_string()))?;
        block = block.add_attribute(("provider", Expression::from(reference)));
    }
    let structures = structures(resource.schema.table, &written, &mut secrets).map_err(fail)?;
    let block = block.add_structures(structures).build();
    let body = hcl::Body::from(vec![hcl::Structure::Block(block)]);
    let text = hcl::format::to_string(&body).map_err(|e| fail(e.to_string()))?;
    let mut body: Body = text.parse().map_err(|e: hcl_edit::parser::Error| fail(e.to_string()))?;
    annotate(&mut body, resource, &secrets);
    canonical(body.to_string()).map_err(fail)
}

/// In the style of `cutover fmt`.
fn canonical(text: String) -> Result<String, String> {
    let mut sources = Sources::default();
    let file = sources.add("generated.tf", text);
    format(&sources, file)
        .map_err(|errors| errors.into_iter().map(|d| d.summary).collect::<Vec<_>>().join("; "))
}

/// Says where it comes from, and what could not be told.
fn annotate(body: &mut Body, resource: &Generated<'_>, secrets: &BTreeSet<String>) {
    for block in body.blocks_mut() {
        let remark = format!("# {} [{}]\n", resource.address, resource.id);
        block.decor_mut().set_prefix(remark);
        for mut attribute in block.body.attributes_mut() {
            if secrets.contains(attribute.key.as_str()) {
                attribute.value_mut().decor_mut().set_suffix(" # a secret: give it by a variable");
            }
        }
    }
}

/// What to write of what is live: settable, and not what it would be anyway.
fn chosen(schema: &TypeSchema, live: &Object) -> Object {
    let mut object = Object::new();
    for row in schema.table.rows.iter().filter(|row| is_written(row, live)) {
        object.put(row.name, live.value(row.name).cloned());
    }
    // Attributes that exclude each other: what is required or explicit wins over what was filled in.
    let optional: Vec<&Row> =
        schema.table.rows.iter().filter(|r| r.presence == Presence::OptionalComputed).collect();
    for row in optional {
        let clashes = row.conflicts_with.iter().any(|other| object.has(other))
            || schema.table.rows.iter().any(|r| r.conflicts_with.contains(&row.name) && object.has(r.name));
        if clashes {
            object.put(row.name, None);
        }
    }
    for (name, _) in (schema.validate)(&object.clone().complete(schema.table)) {
        if schema.table.row(name).is_some_and(|r| r.presence == Presence::OptionalComputed) {
            object.put(name, None);
        }
    }
    object
}

fn is_written(row: &Row, live: &Object) -> bool {
    let Some(value) = live.value(row.name).filter(|v| !row.is_absent(v)) else { return false };
    let implied = match row.default {
        Some(default) => default.value() == value.without_marks(),
        None => row.presence != Presence::Required && crate::diff::is_nothing(value),
    };
    let derived =
        row.name == "tags_all" || row.name.ends_with("_prefix") || row.name == "timeouts" || row.name == "id";
    row.settable() && !row.write_only && row.deprecated.is_none() && !implied && !derived
}

/// Attributes first, then blocks.
fn structures(
    table: &'static Table,
    object: &Object,
    secrets: &mut BTreeSet<String>,
) -> Result<Vec<hcl::Structure>, String> {
    let (mut attributes, mut blocks) = (Vec::new(), Vec::new());
    let rows: BTreeMap<&str, &Row> = table.rows.iter().map(|r| (r.name, r)).collect();
    // Required ones first, as people write them.
    let mut ordered: Vec<&&Row> = rows.values().collect();
    ordered.sort_by_key(|row| (row.presence != Presence::Required, row.name));
    for row in ordered {
        let Some(value) = object.value(row.name).filter(|v| !row.is_absent(v)) else { continue };
        if let Some((_, inner)) = row.block_table() {
            for item in blocks_in(value) {
                let nested = Object::from(item.as_map().cloned().unwrap_or_default());
                let mut kept = Object::new();
                for inner_row in inner.rows.iter().filter(|r| is_written(r, &nested)) {
                    kept.put(inner_row.name, nested.value(inner_row.name).cloned());
                }
                let inside = structures(inner, &kept, secrets)?;
                let name = Identifier::new(row.name).map_err(|e| e.to_string())?;
                blocks.push(hcl::Structure::Block(Block::builder(name).add_structures(inside).build()));
            }
            continue;
        }
        let expression = expression(row, value, secrets)?;
        let name = Identifier::new(row.name).map_err(|e| e.to_string())?;
        attributes.push(hcl::Structure::Attribute(hcl::Attribute::new(name, expression)));
    }
    attributes.extend(blocks);
    Ok(attributes)
}

fn expression(row: &Row, value: &Value, secrets: &mut BTreeSet<String>) -> Result<Expression, String> {
    if row.sensitive || value.contains_sensitive() {
        secrets.insert(row.name.to_owned());
        return Ok(Expression::Null);
    }
    let json = to_json(value).ok_or_else(|| format!("`{}` is not known", row.name))?;
    // JSON in a string is written as what it says.
    if let (Shape::Json, Some(inner)) = (row.shape, value.as_str().and_then(|s| serde_json::from_str(s).ok()))
    {
        let inner: serde_json::Value = inner;
        let argument = hcl::to_expression(&inner).map_err(|e| e.to_string())?;
        return Ok(hcl::expr::FuncCall::builder("jsonencode").arg(argument).build().into());
    }
    hcl::to_expression(&json).map_err(|e| e.to_string())
}
