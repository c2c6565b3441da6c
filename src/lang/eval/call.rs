//! Function calls: arguments, their conversion, and what unknowns and marks do to the result.

use super::super::functions::{
    Call, FUNCTIONS, Failure, Function, Lazy, PROVIDER_FUNCTIONS, Param, Returns, Run, find,
};
use super::super::syntax::{self, Expr, Ident};
use super::{Env, Evaluator, unsuitable};
use crate::diag::{Diagnostic, Span, nearest};
use crate::value::{ConvertError, Kind, Marks, Type, Value, convert};

/// An argument with the expression it came from (several of one expression after `list...`).
struct Argument<'e> {
    value: Value,
    expr: &'e Expr,
}

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &syntax::Call, expr: &Expr, env: &Env) -> Value {
        let syntax::Call { name, args, expand_last: expand } = call;
        let expand = *expand;
        let Some(function) = self.function(name, args, env) else { return Value::dynamic() };
        match function.run {
            Run::Lazy(Lazy::Try | Lazy::Can) if expand => {
                // What is expanded is evaluated before, and may not fail.
                let Some(values) = self.arguments(args, true, env) else { return Value::dynamic() };
                let lazily = matches!(function.run, Run::Lazy(Lazy::Try));
                return match values.into_iter().next().map(|first| first.value) {
                    None if lazily => self.try_(&[], expr, env),
                    None => self.can(function, &[], expr, env),
                    Some(first) if !first.is_wholly_known() => Value::dynamic(),
                    Some(first) if lazily => first,
                    Some(_) => Value::bool(true),
                };
            }
            Run::Lazy(Lazy::Try) => return self.try_(args, expr, env),
            Run::Lazy(Lazy::Can) => return self.can(function, args, expr, env),
            _ => {}
        }
        let errors = self.errors;
        let Some(arguments) = self.arguments(args, expand, env) else { return Value::dynamic() };
        if !self.count_fits(function, &arguments, expr) {
            return Value::dynamic();
        }
        if !arguments.iter().all(|a| self.fits(&a.value, a.expr.span)) || self.is_exhausted() {
            return Value::dynamic();
        }
        let arguments = self.converted(function, arguments, env);
        if self.errors > errors {
            return Value::dynamic();
        }
        let values: Vec<Value> = arguments.iter().map(|a| a.value.clone()).collect();
        let scope = self.scope;
        let result = match &function.run {
            Run::Lazy(_) => self.steps.lend(|| super::super::functions::templatestring(&values, args, scope)),
            Run::Plain(run) => self.steps.lend(|| run_plain(function, *run, &values, scope)),
        };
        match result {
            Ok(value) => {
                // Only YAML has infinities inside of values.
                self.infinite |=
                    function.name == "yamldecode" || value.as_number().is_some_and(|n| !n.is_finite());
                self.spend_on_text(value.as_str().map_or(0, str::len), expr.span);
                value
            }
            Err(mut failure) => {
                // Reasons quote arguments, or parts of them.
                if values.iter().any(Value::contains_sensitive) {
                    failure.what = "this fails; why is not shown, for an argument is sensitive".to_owned();
                }
                let at = failure.arg.and_then(|i| arguments.get(i)).map(|a| a.expr);
                self.failed(function, failure, at, expr, env);
                Value::dynamic()
            }
        }
    }

    fn function(&mut self, name: &Ident, args: &[Expr], env: &Env) -> Option<&'static Function> {
        let wanted = name.name.strip_prefix("core::").unwrap_or(&name.name);
        let found = self.provider_function(wanted).or_else(|| find(wanted));
        let diagnostic = match found {
            Some(_) if !self.scope.allows_functions() => {
                Diagnostic::error("functions-not-allowed", "functions cannot be called here")
                    .help("write the value itself")
            }
            Some(function) => return Some(function),
            None => unknown_function(wanted),
        };
        self.push(diagnostic.at(name.span));
        // What else is wrong in there is worth reporting, too.
        for arg in args {
            self.expr(arg, env);
        }
        None
    }

    /// `provider::terraform::encode_expr`
    fn provider_function(&self, name: &str) -> Option<&'static Function> {
        let (local, function) = name.strip_prefix("provider::")?.split_once("::")?;
        let own = self.scope.provider(local)?;
        PROVIDER_FUNCTIONS.iter().find(|f| f.name.split_once("::") == Some((own, function)))
    }

    /// Evaluated arguments; None if their number is unknown or, after a report, there is none.
    fn arguments<'e>(&mut self, args: &'e [Expr], expand: bool, env: &Env) -> Option<Vec<Argument<'e>>> {
        let (last, args) = match args.split_last().filter(|_| expand) {
            None => (None, args),
            // First: where it is unknown Terraform does not look at the others.
            Some((expr, before)) => (Some(Argument { value: self.expr(expr, env), expr }), before),
        };
        let unknown = |a: &Argument| matches!(&a.value.kind, Kind::Unknown(u) if !u.ty.is_primitive());
        if last.as_ref().is_some_and(unknown) {
            return None;
        }
        let mut out: Vec<Argument> =
            args.iter().map(|expr| Argument { value: self.expr(expr, env), expr }).collect();
        let Some(last) = last else { return Some(out) };
        let marks = last.value.marks;
        let wrong = |what: String| Diagnostic::error("invalid-argument", what).at(last.expr.span);
        if last.value.is_null() {
            let diagnostic = wrong("null cannot be expanded to arguments".to_owned());
            self.report(diagnostic.help("give an empty list for the case of null"), last.expr, env);
            return None;
        }
        let Some(items) = last.value.as_slice() else {
            let what = format!("{} cannot be expanded to arguments", last.value.ty().a_noun());
            self.report(wrong(what).help("only lists, sets and tuples can"), last.expr, env);
            return None;
        };
        out.extend(items.iter().map(|v| Argument { value: v.clone().marked(marks), expr: last.expr }));
        Some(out)
    }

    fn count_fits(&mut self, function: &Function, args: &[Argument], expr: &Expr) -> bool {
        let help = format!("it is called as `{}`", function.signature());
        if args.len() < function.params.len() {
            let missing = function.params[args.len()].name;
            let end = expr.span.end as usize;
            let place = Span::new(expr.span.file, end.saturating_sub(1), end);
            let summary = format!("the function `{}` also needs the argument `{missing}`", function.name);
            self.push(Diagnostic::error("argument-count", summary).at(place).help(help));
            return false;
        }
        if args.len() > function.params.len() && function.rest.is_none() {
            let place = args[function.params.len()].expr.span.to(args[args.len() - 1].expr.span);
            let count = function.params.len();
            let noun = if count == 1 { "argument" } else { "arguments" };
            let summary =
                format!("the function `{}` takes {count} {noun}, not {}", function.name, args.len());
            self.push(Diagnostic::error("argument-count", summary).at(place).help(help));
            return false;
        }
        true
    }

    fn converted<'e>(
        &mut self,
        function: &Function,
        args: Vec<Argument<'e>>,
        env: &Env,
    ) -> Vec<Argument<'e>> {
        let mut out = Vec::with_capacity(args.len());
        for (i, argument) in args.into_iter().enumerate() {
            let ty = function.param(i).map_or(Type::Dynamic, |p| p.ty.ty());
            let converted = match convert(&argument.value, &ty) {
                Ok(_) if keeps_elements(&argument.value, &ty) => {
                    let what = format!("{} is required, but not all of this set is known", ty.a_noun());
                    Err(ConvertError::new(what))
                }
                converted => converted,
            };
            match converted {
                Ok(value) => out.push(Argument { value, expr: argument.expr }),
                Err(error) => {
                    let diagnostic = unsuitable("invalid-argument", &error, &argument.value)
                        .at(argument.expr.span)
                        .help(parameter_help(function, i));
                    self.report(diagnostic, argument.expr, env);
                }
            }
        }
        out
    }

    fn failed(&mut self, function: &Function, failure: Failure, at: Option<&Expr>, expr: &Expr, env: &Env) {
        let (code, place) = match at.filter(|_| !failure.whole) {
            Some(arg) => ("invalid-argument", arg),
            None => ("function-failed", expr),
        };
        let summary = format!("`{}`: {}", function.name, failure.what);
        let mut diagnostic = Diagnostic::error(code, summary).at(place.span);
        if let Some(arg) = at.filter(|_| failure.whole) {
            diagnostic = diagnostic.label(arg.span, "because of this");
        }
        diagnostic.help = failure.help.or_else(|| failure.arg.map(|i| parameter_help(function, i)));
        self.report(diagnostic, place, env);
    }

    /// The first argument that can be evaluated. What is unknown now may fail later: then the choice
    /// itself is unknown.
    fn try_(&mut self, args: &[Expr], expr: &Expr, env: &Env) -> Value {
        let mut reasons = Vec::new();
        for arg in args {
            let errors = self.errors;
            let ((value, failed), diags) = self.apart(|e| {
                let value = e.expr(arg, env);
                (value, e.errors > errors)
            });
            if !failed {
                return if value.is_wholly_known() { value } else { Value::dynamic() };
            }
            reasons.extend(diags.into_iter().next().map(|d| d.summary));
        }
        let mut diagnostic = if args.is_empty() {
            Diagnostic::error("argument-count", "the function `try` needs at least one argument")
        } else {
            Diagnostic::error("function-failed", "`try`: no argument could be evaluated")
        };
        diagnostic.notes =
            reasons.iter().enumerate().map(|(i, r)| format!("argument {}: {r}", i + 1)).collect();
        self.push(diagnostic.at(expr.span).help("make the last argument one that cannot fail"));
        Value::dynamic()
    }

    fn can(&mut self, function: &Function, args: &[Expr], expr: &Expr, env: &Env) -> Value {
        let [arg] = args else {
            let values: Vec<Argument> =
                args.iter().map(|expr| Argument { value: Value::dynamic(), expr }).collect();
            self.count_fits(function, &values, expr);
            return Value::dynamic();
        };
        let errors = self.errors;
        let ((value, failed), _) = self.apart(|e| {
            let value = e.expr(arg, env);
            (value, e.errors > errors)
        });
        match (failed, value.is_wholly_known()) {
            (true, _) => Value::bool(false),
            (false, true) => Value::bool(true),
            (false, false) => Value::unknown_not_null(Type::Bool),
        }
    }
}

fn unknown_function(name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error("unknown-function", format!("there is no function `{name}`"));
    match name {
        "list" => diagnostic.help("write `tolist([…])`"),
        "map" => diagnostic.help("write `tomap({…})`"),
        "type" => diagnostic.help("`type` is there only in the console"),
        _ if name.starts_with("provider::") => diagnostic.help(
            "required_providers must name the provider; those of `terraform` and `aws` have functions here",
        ),
        _ => match nearest(name, FUNCTIONS.iter().map(|f| f.name)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic,
        },
    }
}

fn parameter_help(function: &Function, i: usize) -> String {
    match function.param(i) {
        Some(param) => format!("this is `{}` of `{}`", param.name, function.signature()),
        None => format!("it is called as `{}`", function.signature()),
    }
}

/// Runs a function as cty does: null and unknown arguments first, marks off and on again.
fn run_plain(
    function: &Function,
    run: fn(&Call) -> Result<Value, Failure>,
    values: &[Value],
    scope: &dyn super::Scope,
) -> Result<Value, Failure> {
    let param = |i: usize| -> &Param { function.param(i).expect("the number of arguments was checked") };
    let mut marks = Marks::NONE;
    let mut args = Vec::with_capacity(values.len());
    let mut untyped = false;
    for (i, value) in values.iter().enumerate() {
        let param = param(i);
        // Behind an argument of unknown type Terraform looks at no other.
        if value.is_null() && !param.null && !untyped {
            return Err(Failure::arg(i, format!("`{}` must not be null", param.name)));
        }
        untyped |= !param.dynamic && value_type_is_dynamic(value);
        if param.marked {
            args.push(value.clone());
        } else {
            marks = marks.union(value.all_marks());
            args.push(value.without_marks());
        }
    }
    if untyped {
        let all = values.iter().fold(marks, |m, v| m.union(v.all_marks()));
        return Ok(Value::dynamic().marked(all));
    }
    let ty = match &function.returns {
        Returns::Is(ty) => ty.ty(),
        Returns::Of(of) => of(&args)?,
    };
    let undecided = |(i, value): (usize, &Value)| value.is_unknown() && !param(i).unknown;
    if args.iter().enumerate().any(undecided) {
        let all = values.iter().fold(marks, |m, v| m.union(v.all_marks()));
        return Ok(refined(Value::unknown(ty), function).marked(all));
    }
    let result = run(&Call { args: &args, ty: &ty, scope })?;
    Ok(refined(result, function).marked(marks))
}

fn refined(value: Value, function: &Function) -> Value {
    if function.nullable { value } else { value.refined_not_null() }
}

/// A set that may yet turn out smaller keeps the type of its elements on its way to a list, and so misses
/// what the parameter takes: a quirk of cty.
fn keeps_elements(value: &Value, ty: &Type) -> bool {
    let (Kind::Set(element, _), Type::List(wanted)) = (&value.kind, ty) else { return false };
    let undecided = value.length_bounds().is_some_and(|(least, most)| least != most);
    undecided && **wanted != Type::Dynamic && *element != **wanted
}

fn value_type_is_dynamic(value: &Value) -> bool {
    match &value.kind {
        Kind::Unknown(u) => u.ty == Type::Dynamic,
        Kind::Null(ty) => *ty == Type::Dynamic,
        _ => false,
    }
}
