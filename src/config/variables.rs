//! Values of root variables: where they come from, and in which order they count.

use super::decl::Module;
use crate::diag::{Diagnostic, Diagnostics, Sources, Span, nearest};
use crate::lang::eval::{Resolved, Scope, convert_to_constraint, eval};
use crate::lang::json::{Json, Kind as JsonKind, Reading, read};
use crate::lang::parse::{not_utf8, parse_expression, parse_file};
use crate::lang::syntax::Traversal;
use crate::value::{Type, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command line and the environment give.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `-var` and `-var-file`, in the order written: later ones win.
    pub arguments: Vec<Argument>,
    /// Environment variables `CUTOVER_VAR_x` and `TF_VAR_x` (prefix removed).
    pub environment: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub enum Argument {
    Var(String),
    File(PathBuf),
}

/// One value with where it was written, for messages.
#[derive(Clone, Debug)]
pub struct VariableValue {
    pub value: Value,
    pub span: Option<Span>,
}

impl Given {
    /// Reads `CUTOVER_VAR_x` and `TF_VAR_x`; Cutover's own wins.
    pub fn with_environment(mut self, vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut own = BTreeMap::new();
        for (key, value) in vars {
            if let Some(name) = key.strip_prefix("CUTOVER_VAR_") {
                own.insert(name.to_owned(), value);
            } else if let Some(name) = key.strip_prefix("TF_VAR_") {
                self.environment.insert(name.to_owned(), value);
            }
        }
        self.environment.extend(own);
        self
    }
}

/// Values for the root module's variables, in Terraform's order of precedence: environment,
/// terraform.tfvars(.json), *.auto.tfvars(.json), then -var and -var-file as written. Defaults are not
/// filled in here.
pub fn root_values(
    module: &Module,
    given: &Given,
    sources: &mut Sources,
    diags: &mut Diagnostics,
) -> BTreeMap<Arc<str>, VariableValue> {
    let mut reader = Reader { module, sources, diags, values: BTreeMap::new() };
    for (name, text) in &given.environment {
        if module.variables.contains_key(name.as_str()) {
            reader.text(name, text, "an environment variable");
        }
    }
    for path in automatic_files(&module.dir) {
        reader.file(&path);
    }
    for argument in &given.arguments {
        match argument {
            Argument::File(path) => reader.file(path),
            Argument::Var(text) => reader.argument(text),
        }
    }
    reader.values
}

/// terraform.tfvars, terraform.tfvars.json, then *.auto.tfvars(.json) by name.
fn automatic_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = ["terraform.tfvars", "terraform.tfvars.json"]
        .iter()
        .map(|n| dir.join(n))
        .filter(|p| p.is_file())
        .collect();
    let mut auto: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| {
            let name = p.file_name().and_then(|n| n.to_str()).unwrap_or("");
            !name.starts_with('.') && (name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json"))
        })
        .collect();
    auto.sort();
    files.append(&mut auto);
    files
}

struct Reader<'a> {
    module: &'a Module,
    sources: &'a mut Sources,
    diags: &'a mut Diagnostics,
    values: BTreeMap<Arc<str>, VariableValue>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.diags.push(
                    Diagnostic::error(
                        "unreadable",
                        format!("cannot read variable file `{}`: {error}", path.display()),
                    )
                    .help("check the path given with -var-file"),
                );
                return;
            }
        };
        let is_json = path.extension().is_some_and(|e| e == "json");
        let file = self.sources.add_bytes(path, bytes);
        if is_json {
            self.diags.extend(self.sources.undecodable(file).next().map(not_utf8));
            return self.json_file(file, path);
        }
        let (body, errors) = parse_file(self.sources, file);
        self.diags.extend(errors);
        for block in &body.blocks {
            self.diags.push(
                Diagnostic::error("unexpected-block", "a variable file holds only `name = value`")
                    .at(block.header)
                    .help("move blocks to a configuration file"),
            );
        }
        for attribute in body.attributes {
            let value = eval(&attribute.expr, &Constants, self.diags);
            self.set(&attribute.name.name.clone(), value, Some(attribute.span), true);
        }
    }

    /// Strings are just that: nothing in them is evaluated.
    fn json_file(&mut self, file: crate::diag::FileId, path: &Path) {
        let (json, errors) = read(self.sources, file);
        let understood = errors.is_empty();
        self.diags.extend(errors);
        let Json { kind: JsonKind::Object(members), .. } = json else {
            if understood {
                let problem = format!("`{}` must hold a JSON object", path.display());
                let d = Diagnostic::error("invalid-json", problem).at(json.span);
                self.diags.push(d.help("write `{ \"name\": value, … }`"));
            }
            return;
        };
        for member in members.iter().filter(|m| m.name.value != "//") {
            let expr = member.value.expr(Reading::Literal, self.diags);
            let value = eval(&expr, &Constants, self.diags);
            self.set(&member.name.value, value, Some(member.name.span.to(member.value.span)), true);
        }
    }

    /// `name=value` of `-var`.
    fn argument(&mut self, argument: &str) {
        let Some((name, text)) = argument.split_once('=') else {
            self.diags.push(
                Diagnostic::error("invalid-var", format!("`-var '{argument}'` has no `=`"))
                    .help("write `-var 'name=value'`"),
            );
            return;
        };
        let name = name.trim();
        if self.module.variables.contains_key(name) {
            return self.text(name, text, "-var");
        }
        let mut d = Diagnostic::error("undeclared-variable", format!("there is no variable `{name}`"))
            .note("it was given with -var");
        d = match nearest(name, self.module.variables.keys().map(|k| &**k)) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help(format!("declare it with `variable \"{name}\" {{ }}`, or leave -var out")),
        };
        self.diags.push(d);
    }

    /// Text is the string itself for variables of a primitive or unstated type, an expression otherwise.
    fn text(&mut self, name: &str, text: &str, from: &str) {
        let ty = self.module.variables.get(name).map_or(Type::Dynamic, |v| v.constraint.ty.clone());
        if matches!(ty, Type::Dynamic | Type::String | Type::Number | Type::Bool) {
            return self.set(name, Value::string(text), None, false);
        }
        let file = self.sources.add(format!("<{from} {name}>"), text);
        let (expr, errors) = parse_expression(self.sources, file);
        self.diags.extend(errors);
        if let Some(expr) = expr {
            let value = eval(&expr, &Constants, self.diags);
            self.set(name, value, Some(expr.span), false);
        }
    }

    fn set(&mut self, name: &str, value: Value, span: Option<Span>, from_file: bool) {
        let Some(variable) = self.module.variables.get(name) else {
            if from_file {
                let mut d =
                    Diagnostic::warning("undeclared-variable", format!("there is no variable `{name}`"));
                d.labels.extend(span.map(|span| crate::diag::Label { span, text: String::new() }));
                self.diags.push(match nearest(name, self.module.variables.keys().map(|k| &**k)) {
                    Some(near) => d.help(format!("did you mean `{near}`? The value is not used")),
                    None => d.help("the value is not used; remove the line or declare the variable"),
                });
            }
            return;
        };
        match convert_to_constraint(&value, &variable.constraint) {
            Ok(value) => {
                self.values.insert(name.into(), VariableValue { value, span });
            }
            Err(error) => {
                let mut d = Diagnostic::error("wrong-type", format!("variable `{name}`: {error}"))
                    .help(format!("`{name}` takes {}", variable.constraint.ty));
                match span {
                    Some(span) => d = d.label(span, "given here").label(variable.span, "declared here"),
                    None => d = d.label(variable.span, "declared here"),
                }
                self.diags.push(d);
            }
        }
    }
}

/// Variable files and defaults know no names, and call nothing.
pub struct Constants;

impl Scope for Constants {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        Err(Diagnostic::error("not-constant", format!("`{}` cannot be used here", traversal.root))
            .at(traversal.span)
            .help(
                "write the value out: neither values of variables nor their defaults may refer to anything",
            ))
    }

    fn base_dir(&self) -> &Path {
        Path::new(".")
    }

    fn allows_functions(&self) -> bool {
        false
    }
}
