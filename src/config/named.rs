//! Variables, locals and outputs of a module.

use super::body::describe;
use super::decl::*;
use super::load::{Sorter, take, unknown_argument};
use super::variables::Constants;
use crate::diag::Diagnostic;
use crate::lang::eval::{TypeConstraint, convert_to_constraint, eval, references, type_constraint};
use crate::lang::syntax::{Attribute, Block, ExprKind, Traversal};

/// What module blocks have for themselves.
const RESERVED: &[&str] =
    &["source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"];

impl Sorter<'_> {
    pub(super) fn variable(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, ["name"]) else { return };
        if RESERVED.contains(&&*name.name) {
            let d = Diagnostic::error("invalid-name", format!("a variable cannot be named `{}`", name.name));
            self.diags
                .push(d.at(name.span).help("module blocks have an argument of this name: choose another"));
        }
        if let Some(first) = self.module.variables.get(&name.name) {
            let first = first.span;
            return self.duplicate("variable", &name.name, block.header, first);
        }
        let mut variable = Variable {
            name: name.name.clone(),
            constraint: TypeConstraint::any(),
            typed: false,
            default: None,
            description: None,
            sensitive: false,
            ephemeral: false,
            nullable: true,
            deprecated: None,
            validations: Vec::new(),
            span: block.header,
        };
        for attribute in block.body.attributes {
            match &*attribute.name.name {
                "type" => {
                    variable.typed = true;
                    match type_constraint(&attribute.expr) {
                        Ok(constraint) => variable.constraint = constraint,
                        Err(d) => self.diags.push(d),
                    }
                }
                "default" => variable.default = Some(attribute.expr),
                "description" => variable.description = self.constant_text(&attribute),
                "sensitive" => variable.sensitive = self.constant_bool(&attribute.expr),
                "ephemeral" => variable.ephemeral = self.constant_bool(&attribute.expr),
                "nullable" => variable.nullable = self.constant_bool(&attribute.expr),
                "deprecated" => variable.deprecated = self.constant_text(&attribute),
                other => {
                    let known = [
                        "type",
                        "default",
                        "description",
                        "sensitive",
                        "ephemeral",
                        "nullable",
                        "deprecated",
                    ];
                    self.diags.push(unknown_argument("variable", other, attribute.name.span, &known));
                }
            }
        }
        for inner in block.body.blocks {
            if &*inner.kind.name == "validation" {
                variable.validations.extend(self.validation(inner));
            } else {
                let d = Diagnostic::error(
                    "unknown-block",
                    format!("`variable` has no block `{}`", inner.kind.name),
                );
                self.diags.push(d.at(inner.header).help("it may hold `validation` blocks"));
            }
        }
        self.check_variable(&mut variable);
        self.module.variables.insert(name.name, variable);
    }

    /// The default must fit; each condition must look at the variable.
    fn check_variable(&mut self, variable: &mut Variable) {
        for validation in &variable.validations {
            let own = |t: &Traversal| &*t.root == "var" && t.attr(0) == Some(&variable.name);
            if !references(&validation.condition).iter().any(own) {
                let problem = format!("this condition does not look at `var.{}`", variable.name);
                self.diags.push(
                    Diagnostic::error("invalid-condition", problem)
                        .at(validation.condition.span)
                        .help("a validation says what the value of its own variable must be"),
                );
            }
        }
        let Some(expr) = &mut variable.default else { return };
        let errors = self.diags.error_count();
        let value = eval(expr, &Constants, self.diags);
        match convert_to_constraint(&value, &variable.constraint) {
            _ if self.diags.error_count() > errors => {}
            Ok(value) if value.is_null() && !variable.nullable => self.diags.push(
                Diagnostic::error("null-variable", format!("variable `{}` must not be null", variable.name))
                    .label(expr.span, "this is null")
                    .help("give it another default, or none, or allow null: `nullable = true`"),
            ),
            Ok(_) => return,
            Err(error) => self.diags.push(
                Diagnostic::error(
                    "wrong-type",
                    format!("the default of variable `{}`: {error}", variable.name),
                )
                .label(expr.span, format!("this is {}", describe(&value)))
                .help(format!("`{}` takes {}", variable.name, variable.constraint.ty)),
            ),
        }
        expr.kind = ExprKind::Error;
    }

    pub(super) fn locals(&mut self, block: Block) {
        if self.labels(&block, []).is_none() {
            return;
        }
        for attribute in block.body.attributes {
            let name = attribute.name.name.clone();
            if let Some(first) = self.module.locals.get(&name) {
                let first = first.expr.span;
                self.duplicate("local", &name, attribute.name.span, first);
                continue;
            }
            self.module.locals.insert(name.clone(), Local { name, expr: attribute.expr });
        }
        for inner in block.body.blocks {
            let d = Diagnostic::error("unknown-block", "`locals` holds no blocks").at(inner.header);
            self.diags
                .push(d.help(format!("to give a name to an object, write `{} = {{ … }}`", inner.kind.name)));
        }
    }

    pub(super) fn output(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, ["name"]) else { return };
        if let Some(first) = self.module.outputs.get(&name.name) {
            let first = first.span;
            return self.duplicate("output", &name.name, block.header, first);
        }
        let mut body = block.body;
        let depends_on = self.depends_on(&mut body);
        let Some(value) = take(&mut body, "value") else {
            let d = Diagnostic::error("missing-argument", format!("output `{}` has no `value`", name.name));
            self.diags.push(d.at(block.header).help("add `value = …`"));
            self.diags.extend(body.attributes.iter().filter_map(not_of_output));
            self.diags.extend(body.blocks.iter().filter_map(not_in_output));
            return;
        };
        let mut output = Output {
            name: name.name.clone(),
            expr: value.expr,
            description: None,
            sensitive: false,
            ephemeral: false,
            depends_on,
            preconditions: Vec::new(),
            span: block.header,
        };
        for attribute in &body.attributes {
            match &*attribute.name.name {
                "description" => output.description = self.constant_text(attribute),
                "sensitive" => output.sensitive = self.constant_bool(&attribute.expr),
                "ephemeral" => output.ephemeral = self.constant_bool(&attribute.expr),
                _ => self.diags.extend(not_of_output(attribute)),
            }
        }
        for inner in body.blocks {
            match not_in_output(&inner) {
                None => output.preconditions.extend(self.validation(inner)),
                Some(problem) => self.diags.push(problem),
            }
        }
        self.module.outputs.insert(name.name, output);
    }
}

fn not_in_output(block: &Block) -> Option<Diagnostic> {
    let problem = format!("`output` has no block `{}`", block.kind.name);
    let diagnostic = Diagnostic::error("unknown-block", problem).at(block.header);
    (&*block.kind.name != "precondition").then(|| diagnostic.help("it may hold `precondition` blocks"))
}

fn not_of_output(attribute: &Attribute) -> Option<Diagnostic> {
    const KNOWN: [&str; 5] = ["value", "description", "sensitive", "ephemeral", "depends_on"];
    let name = &*attribute.name.name;
    (!KNOWN.contains(&name)).then(|| unknown_argument("output", name, attribute.name.span, &KNOWN))
}
