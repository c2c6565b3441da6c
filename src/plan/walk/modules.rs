//! Module calls, variables, locals and outputs.

use super::{Purpose, Walk};
use crate::addr::{InstanceKey, ModulePath};
use crate::config::body::describe;
use crate::config::variables::Constants;
use crate::config::{Output, Repetition, Validation, Variable};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::graph::ModuleId;
use crate::lang::eval::{Scope, convert_to_constraint, eval};
use crate::plan::repeat::{expand, unknown_instance};
use crate::plan::values::{Expansion, Repeated};
use crate::value::{Marks, Type, Value, convert};
use std::sync::Arc;

impl Walk<'_> {
    /// count or for_each of a module block, in every instance of its parent.
    pub(super) fn expand_call(&mut self, child: ModuleId) {
        let entry = &self.graph.modules[child];
        let (Some(parent), name) = (entry.parent, entry.name.clone()) else { return };
        let call = &self.graph.modules[parent].module.calls[&name];
        for path in self.values.paths(parent) {
            let mut diags = std::mem::take(&mut self.diags);
            let scope = self.scope(parent, &path, self.repeated(parent, &path));
            let expansion = expand(&call.repetition, &scope, &mut diags, self.purpose == Purpose::Validate);
            self.diags = diags;
            let expansion = if self.blank { Expansion::Unknown } else { expansion };
            let mut keys = expansion.keys();
            if matches!(expansion, Expansion::Unknown) {
                // One stand-in, so that mistakes inside show.
                keys.push(InstanceKey::None);
            }
            for key in keys {
                self.values.module_mut(child, &path.child(&name, key));
            }
            self.values.module_mut(parent, &path).calls.insert(child, expansion);
        }
    }

    /// `each` and `count` are not seen inside a module: an empty one.
    fn repeated(&self, _module: ModuleId, _path: &ModulePath) -> Repeated {
        Repeated::default()
    }

    pub(super) fn variable(&mut self, id: ModuleId, name: &Arc<str>) {
        let variable = &self.graph.modules[id].module.variables[name];
        for path in self.values.paths(id) {
            let mut diags = std::mem::take(&mut self.diags);
            let given = if id == 0 && self.blank {
                None
            } else if id == 0 {
                self.root_value(variable, &mut diags)
            } else {
                self.argument(id, &path, variable, &mut diags)
            };
            let value = match given {
                Some(value) => self.settle(variable, value, self.argument_span(id, name), &mut diags),
                None => any_value(variable),
            };
            let value = if self.blank { any_value(variable) } else { value };
            self.values.module_mut(id, &path).variables.insert(name.clone(), value);
            for validation in &variable.validations {
                let scope = self.scope(id, &path, Repeated::default());
                condition(
                    validation,
                    &scope,
                    &mut diags,
                    "invalid-variable",
                    &format!("variable `{name}` is not valid"),
                    |mut d| {
                        let given = self.argument_span(id, name);
                        let place = match given {
                            Some(span) => crate::diag::Label { span, text: "given here".to_owned() },
                            None => crate::diag::Label { span: variable.span, text: String::new() },
                        };
                        d.labels.insert(0, place);
                        d
                    },
                );
            }
            self.diags = diags;
        }
    }

    /// Where a variable is given its value.
    fn argument_span(&self, id: ModuleId, name: &str) -> Option<Span> {
        let entry = &self.graph.modules[id];
        let Some(parent) = entry.parent else { return self.given.get(name)?.span };
        let call = &self.graph.modules[parent].module.calls[&entry.name];
        call.arguments.attribute(name).map(|a| a.expr.span)
    }

    /// None: an error was reported, or nothing is known yet.
    fn root_value(&self, variable: &Variable, diags: &mut Diagnostics) -> Option<Value> {
        if let Some(given) = self.given.get(&variable.name) {
            return Some(given.value.clone());
        }
        if variable.default.is_some() {
            return Some(default(variable, diags));
        }
        if self.purpose != Purpose::Validate {
            diags.push(
                Diagnostic::error("missing-variable", format!("variable `{}` has no value", variable.name))
                    .label(variable.span, "declared here, without default")
                    .help(format!(
                        "give it with `-var '{0}=…'`, in a .tfvars file, or as TF_VAR_{0}",
                        variable.name
                    )),
            );
        }
        None
    }

    fn argument(
        &self,
        id: ModuleId,
        path: &ModulePath,
        variable: &Variable,
        diags: &mut Diagnostics,
    ) -> Option<Value> {
        let entry = &self.graph.modules[id];
        let parent = entry.parent?;
        let call = &self.graph.modules[parent].module.calls[&entry.name];
        let Some(attribute) = call.arguments.attribute(&variable.name) else {
            if variable.default.is_some() {
                return Some(default(variable, diags));
            }
            // Reported with the graph.
            return None;
        };
        let (outer, key) = path.outer()?;
        let expansion = self.values.module(parent, &outer)?.calls.get(&id);
        let repeated = expansion
            .and_then(|e| e.get(key))
            .cloned()
            .unwrap_or_else(|| self.any_instance(&call.repetition));
        let scope = self.scope(parent, &outer, repeated);
        let value = eval(&attribute.expr, &scope, diags);
        if value.all_marks().ephemeral && !variable.ephemeral {
            diags.push(
                Diagnostic::error(
                    "ephemeral-value",
                    format!("`{}` of module `{}` does not take ephemeral values", variable.name, call.name),
                )
                .at(attribute.expr.span)
                .label(variable.span, "declared here without `ephemeral = true`")
                .help("declare the variable with `ephemeral = true`, if nothing of it is kept"),
            );
            return None;
        }
        match convert_to_constraint(&value, &variable.constraint) {
            Ok(value) => Some(value),
            Err(error) => {
                diags.push(
                    Diagnostic::error(
                        "wrong-type",
                        format!("`{}` of module `{}`: {error}", variable.name, call.name),
                    )
                    .label(attribute.expr.span, format!("this is {}", describe(&value)))
                    .label(variable.span, "declared here")
                    .help(format!("`{}` takes {}", variable.name, variable.constraint.ty)),
                );
                None
            }
        }
    }

    /// With nothing known, arguments may refer to both `each` and `count`: a quirk of Terraform.
    fn any_instance(&self, repetition: &Repetition) -> Repeated {
        match self.blank {
            true => Repeated { key: None, each_value: Some(Value::dynamic()), of_count: true },
            false => unknown_instance(repetition),
        }
    }

    /// Null rules, conversion and marks.
    fn settle(
        &self,
        variable: &Variable,
        value: Value,
        given: Option<Span>,
        diags: &mut Diagnostics,
    ) -> Value {
        let mut value = value;
        if value.is_null() && !variable.nullable {
            if variable.default.is_none() {
                let mut d = Diagnostic::error(
                    "null-variable",
                    format!("variable `{}` must not be null", variable.name),
                );
                if let Some(given) = given {
                    d = d.label(given, "this is null");
                }
                diags.push(
                    d.label(variable.span, "declared here with `nullable = false`").help("give it a value"),
                );
                return Value::unknown(variable.constraint.ty.clone());
            }
            value = default(variable, diags);
        }
        let marks = crate::value::Marks { sensitive: variable.sensitive, ephemeral: variable.ephemeral };
        match convert_to_constraint(&value, &variable.constraint) {
            Ok(value) => value.marked(marks),
            Err(error) => {
                diags.push(
                    Diagnostic::error("wrong-type", format!("variable `{}`: {error}", variable.name))
                        .at(variable.span)
                        .help(format!("`{}` takes {}", variable.name, variable.constraint.ty)),
                );
                Value::unknown(variable.constraint.ty.clone()).marked(marks)
            }
        }
    }

    pub(super) fn local(&mut self, id: ModuleId, name: &Arc<str>) {
        let local = &self.graph.modules[id].module.locals[name];
        for path in self.values.paths(id) {
            let mut diags = std::mem::take(&mut self.diags);
            let mut kept = std::mem::take(&mut self.kept);
            let value = kept.eval(&local.expr, &self.scope(id, &path, Repeated::default()), &mut diags);
            self.kept = kept;
            self.diags = diags;
            self.values.module_mut(id, &path).locals.insert(name.clone(), value);
        }
    }

    pub(super) fn output(&mut self, id: ModuleId, name: &Arc<str>) {
        let output = &self.graph.modules[id].module.outputs[name];
        for path in self.values.paths(id) {
            let mut diags = std::mem::take(&mut self.diags);
            let scope = self.scope(id, &path, Repeated::default());
            for precondition in &output.preconditions {
                condition(
                    precondition,
                    &scope,
                    &mut diags,
                    "failed-precondition",
                    &format!("output `{name}`: a precondition failed"),
                    |d| d,
                );
            }
            let mut value = eval(&output.expr, &scope, &mut diags);
            if id == 0 && value.contains_sensitive() && !output.sensitive {
                diags.push(
                    Diagnostic::error("sensitive-output", format!("output `{name}` holds a sensitive value"))
                        .at(output.span)
                        .label(output.expr.span, "this is sensitive")
                        .help("add `sensitive = true` to the output, or take `nonsensitive(…)` of what may be seen"),
                );
            }
            ephemeral_output(output, id == 0, &value, &mut diags);
            if output.sensitive {
                value = value.sensitive();
            }
            if output.ephemeral {
                value = value.marked(crate::value::Marks { ephemeral: true, ..Default::default() });
            }
            self.diags = diags;
            self.values.module_mut(id, &path).outputs.insert(name.clone(), value);
        }
    }
}

/// Ephemeral values end with the run: the state and the plan have none.
fn ephemeral_output(output: &Output, root: bool, value: &Value, diags: &mut Diagnostics) {
    if root && output.ephemeral {
        diags.push(
            Diagnostic::error("ephemeral-value", "outputs of the root module cannot be ephemeral")
                .at(output.span)
                .help("they are kept in the state; remove `ephemeral = true`, or the output"),
        );
    } else if !output.ephemeral && value.all_marks().ephemeral {
        let help = match root {
            true => "take `ephemeralasnull(…)` of it, or leave it out",
            false => "add `ephemeral = true` to the output",
        };
        diags.push(
            Diagnostic::error(
                "ephemeral-value",
                format!("output `{}` holds an ephemeral value", output.name),
            )
            .at(output.expr.span)
            .help(help),
        );
    }
}

/// A condition with its message. Unknown conditions wait for the apply.
pub(super) fn condition(
    validation: &Validation,
    scope: &dyn Scope,
    diags: &mut Diagnostics,
    code: &'static str,
    summary: &str,
    place: impl Fn(Diagnostic) -> Diagnostic,
) {
    let before = diags.error_count();
    let value = eval(&validation.condition, scope, diags);
    // A mistake in the message is one also where it is not needed.
    let message = eval(&validation.error_message, scope, diags);
    if diags.error_count() > before {
        return;
    }
    if code != "invalid-variable" && (message.is_null() || convert(&message, &Type::String).is_err()) {
        let d = Diagnostic::error("wrong-type", "an error message must be a string");
        diags.push(d.label(validation.error_message.span, format!("this is {}", describe(&message))));
    }
    if code != "invalid-variable" && message.all_marks() != Marks::NONE {
        let kind = if message.contains_sensitive() { "a sensitive" } else { "an ephemeral" };
        let d = Diagnostic::warning("secret-message", format!("the error message holds {kind} value"));
        let d = d.at(validation.error_message.span);
        diags.push(d.help("it will not be shown; tell what is wrong without the value"));
    }
    if value.is_unknown() {
        return;
    }
    let held = convert(&value, &Type::Bool).ok().and_then(|v| v.as_bool());
    match held {
        Some(true) => {}
        Some(false) => {
            let text = match message.as_str() {
                Some(_) if message.marks.sensitive => "(the message holds a sensitive value)".to_owned(),
                Some(_) if message.marks.ephemeral => "(the message holds an ephemeral value)".to_owned(),
                Some(text) => text.to_owned(),
                None => "(the message is not known yet)".to_owned(),
            };
            let d = Diagnostic::error(code, summary)
                .label(validation.condition.span, "this is false")
                .detail(text);
            diags.push(place(d));
        }
        None => diags.push(
            Diagnostic::error("wrong-type", "a condition must be true or false")
                .label(validation.condition.span, format!("this is {}", describe(&value))),
        ),
    }
}

/// Of the variable's type, with its marks.
fn any_value(variable: &Variable) -> Value {
    let marks = Marks { sensitive: variable.sensitive, ephemeral: variable.ephemeral };
    Value::unknown(variable.constraint.ty.without_optional()).marked(marks)
}

fn default(variable: &Variable, diags: &mut Diagnostics) -> Value {
    match &variable.default {
        Some(expr) => eval(expr, &Constants, diags),
        None => Value::null(variable.constraint.ty.clone()),
    }
}
