//! Templates: literals, interpolations, `%{ if }` and `%{ for }`.

use super::super::syntax::{Expr, TemplateFor, TemplateIf, TemplatePart};
use super::{Env, Evaluator};
use crate::diag::{Diagnostic, Span};
use crate::value::{Marks, Type, Value, convert};

/// What a template has become so far.
struct Output {
    text: String,
    marks: Marks,
    /// Once a part is unknown, `text` is what is known to come before it.
    known: bool,
}

impl Evaluator<'_> {
    /// A lone interpolation is its value as it is; everything else becomes a string.
    pub(super) fn template(&mut self, parts: &[TemplatePart], span: Span, env: &Env) -> Value {
        if let [TemplatePart::Interpolation(expr)] = parts {
            return self.expr(expr, env);
        }
        let errors = self.errors;
        let mut out = Output { text: String::new(), marks: Marks::NONE, known: true };
        self.parts(parts, span, env, &mut out);
        let value = if out.known {
            Value::string(out.text)
        } else if self.errors > errors {
            Value::unknown_not_null(Type::String)
        } else {
            Value::unknown_prefixed(&out.text)
        };
        value.marked(out.marks)
    }

    fn parts(&mut self, parts: &[TemplatePart], span: Span, env: &Env, out: &mut Output) {
        for part in parts {
            match part {
                TemplatePart::Literal(text, span) if out.known => {
                    self.spend_on_text(text.len(), *span);
                    out.text.push_str(text);
                }
                TemplatePart::Literal(..) => {}
                TemplatePart::Interpolation(expr) => self.interpolation(expr, env, out),
                TemplatePart::If(part) => self.template_if(part, span, env, out),
                TemplatePart::For(part) => {
                    let TemplateFor { key_var, value_var, collection, body, .. } = &**part;
                    let value = self.expr(collection, env);
                    let Some((items, marks)) = self.iterable(&value, collection, env) else {
                        out.marks = out.marks.union(value.marks);
                        out.known = false;
                        continue;
                    };
                    out.marks = out.marks.union(marks);
                    for (key, item) in items {
                        self.steps.spend(1, span);
                        if self.is_exhausted() {
                            out.known = false;
                            break;
                        }
                        let with_value = env.with(value_var, item.marked(marks));
                        match key_var {
                            Some(key_var) => {
                                self.parts(body, span, &with_value.with(key_var, key.marked(marks)), out)
                            }
                            None => self.parts(body, span, &with_value, out),
                        }
                    }
                }
            }
        }
    }

    fn interpolation(&mut self, expr: &Expr, env: &Env, out: &mut Output) {
        let value = self.expr(expr, env);
        out.marks = out.marks.union(value.marks);
        if value.is_null() {
            let diagnostic = Diagnostic::error("template-value", "a null value cannot be part of a string")
                .at(expr.span)
                .help("give another value for the case of null, for example with coalesce()");
            self.report(diagnostic, expr, env);
            out.known = false;
            return;
        }
        match convert(&value, &Type::String) {
            Ok(text) => match text.as_str() {
                Some(text) if out.known => {
                    self.spend_on_text(text.len(), expr.span);
                    if !self.is_exhausted() {
                        out.text.push_str(text);
                    }
                }
                Some(_) => {}
                None => out.known = false,
            },
            Err(_) => {
                let what = format!("{} cannot be part of a string", value.ty().a_noun());
                let diagnostic = Diagnostic::error("template-value", what)
                    .at(expr.span)
                    .help("join() makes a string of a list, jsonencode() of anything");
                self.report(diagnostic, expr, env);
                out.known = false;
            }
        }
    }

    fn template_if(&mut self, part: &TemplateIf, span: Span, env: &Env, out: &mut Output) {
        let value = self.expr(&part.condition, env);
        let Some(value) = self.condition(&value, &part.condition, "condition", env) else {
            out.known = false;
            return;
        };
        out.marks = out.marks.union(value.marks);
        match value.as_bool() {
            Some(true) => self.parts(&part.then, span, env, out),
            Some(false) => self.parts(&part.otherwise, span, env, out),
            None => out.known = false,
        }
    }
}
