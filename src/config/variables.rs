//! Values of root variables: where they come from, and in which order they count.

use super::decl::{Module, Variable};
use crate::diag::{Diagnostic, Diagnostics, FileId, Sources, Span, nearest};
use crate::lang::eval::{Resolved, Scope, convert_to_constraint, eval};
use crate::lang::json::{Json, Kind as JsonKind, Reading, read};
use crate::lang::parse::{not_utf8, parse_expression, parse_file};
use crate::lang::syntax::{Expr, ExprKind, Traversal};
use crate::value::{Type, Value, describe};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the command line and the environment give.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `-var` and `-var-file`, in the order written: later ones win.
    pub arguments: Vec<Argument>,
    /// `x` → `CUTOVER_VAR_x` or `TF_VAR_x`, and its text.
    pub environment: BTreeMap<String, (String, String)>,
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
                own.insert(name.to_owned(), (key.clone(), value));
            } else if let Some(name) = key.strip_prefix("TF_VAR_") {
                self.environment.insert(name.to_owned(), (key.clone(), value));
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
    let mut reader = Reader { module, sources, diags, found: BTreeMap::new() };
    for (name, (key, text)) in &given.environment {
        let found = Found::Text { text: text.clone(), from: Origin::Environment(key.clone()) };
        reader.found.insert(name.as_str().into(), found);
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
    reader.settle()
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

/// Values for variables that were asked for: name → what was typed.
pub fn answered_values(
    module: &Module,
    answers: &BTreeMap<String, String>,
    sources: &mut Sources,
    diags: &mut Diagnostics,
) -> BTreeMap<Arc<str>, VariableValue> {
    let mut reader = Reader { module, sources, diags, found: BTreeMap::new() };
    for (name, text) in answers {
        reader.found.insert(name.as_str().into(), Found::Text { text: text.clone(), from: Origin::Answer });
    }
    reader.settle()
}

/// Variables that need a value and have none, by name.
pub fn missing<'m>(module: &'m Module, values: &BTreeMap<Arc<str>, VariableValue>) -> Vec<&'m Variable> {
    let without = |v: &&Variable| v.default.is_none() && !values.contains_key(&v.name);
    module.variables.values().filter(without).collect()
}

/// Where a text came from.
enum Origin {
    /// Name of the environment variable.
    Environment(String),
    Argument,
    Answer,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Environment(name) => f.write_str(name),
            Origin::Argument => f.write_str("-var"),
            Origin::Answer => f.write_str("answer"),
        }
    }
}

/// What was found for a name; later finds replace earlier ones, which then need not even be valid.
enum Found {
    Text {
        text: String,
        from: Origin,
    },
    /// In a file; evaluated only if it counts.
    Expr {
        expr: Expr,
        span: Span,
    },
}

struct Reader<'a> {
    module: &'a Module,
    sources: &'a mut Sources,
    diags: &'a mut Diagnostics,
    found: BTreeMap<Arc<str>, Found>,
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
            return self.json_file(file);
        }
        let (body, errors) = parse_file(self.sources, file);
        self.diags.extend(errors);
        for block in &body.blocks {
            let d = Diagnostic::error("unexpected-block", "a variable file holds only `name = value`")
                .at(block.header);
            self.diags.push(d.help(match &*block.kind.name {
                "variable" => {
                    "variables are declared in a configuration file, and get values here: `name = value`"
                }
                _ => "move blocks to a configuration file",
            }));
        }
        for attribute in body.attributes {
            self.found
                .insert(attribute.name.name, Found::Expr { expr: attribute.expr, span: attribute.span });
        }
    }

    /// Strings are just that: nothing in them is evaluated.
    fn json_file(&mut self, file: FileId) {
        let (json, errors) = read(self.sources, file);
        let understood = errors.is_empty();
        self.diags.extend(errors);
        let Json { kind: JsonKind::Object(members), .. } = json else {
            if understood {
                let d = Diagnostic::error("invalid-json", "a variable file in JSON must hold an object")
                    .at(json.span);
                self.diags.push(d.help("write `{ \"name\": value, … }`"));
            }
            return;
        };
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for member in members.iter().filter(|m| m.name.value != "//") {
            if let Some(first) = seen.insert(&member.name.value, member.name.span) {
                let d = Diagnostic::error("duplicate", format!("`{}` is given twice", member.name.value));
                let d = d.label(member.name.span, "given again here").label(first, "first given here");
                self.diags.push(d.help("remove one of them"));
            }
            let expr = member.value.expr(Reading::Literal, self.diags);
            let span = member.name.span.to(member.value.span);
            self.found.insert(member.name.value.as_str().into(), Found::Expr { expr, span });
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
        let found = Found::Text { text: text.to_owned(), from: Origin::Argument };
        self.found.insert(name.trim().into(), found);
    }

    fn settle(mut self) -> BTreeMap<Arc<str>, VariableValue> {
        let mut values = BTreeMap::new();
        let mut undeclared = Vec::new();
        for (name, found) in std::mem::take(&mut self.found) {
            let Some(variable) = self.module.variables.get(&name) else {
                match found {
                    Found::Text { from: Origin::Argument, .. } => self.undeclared_argument(&name),
                    Found::Expr { span, .. } => undeclared.push((span, name)),
                    Found::Text { .. } => {}
                }
                continue;
            };
            let (value, span) = match found {
                Found::Expr { expr, span } => (self.constant(&expr), span),
                Found::Text { text, from } => self.text(variable, &text, &from),
            };
            if let Some(text) = &variable.deprecated {
                self.diags.push(super::tree::deprecated(&name, text).at(span));
            }
            let value = value.and_then(|value| self.convert(variable, &value, span));
            // What is wrong was reported: it is not missing besides.
            let value = value.unwrap_or_else(|| Value::unknown(variable.constraint.ty.without_optional()));
            // A snippet of where a secret is written would show it.
            let span = (!variable.sensitive).then_some(span);
            values.insert(name, VariableValue { value, span });
        }
        self.undeclared_in_files(undeclared);
        values
    }

    fn undeclared_argument(&mut self, name: &str) {
        let file = self.sources.add("<-var>", format!("{name}=…"));
        let d = Diagnostic::error("undeclared-variable", format!("there is no variable `{name}`"))
            .at(Span::new(file, 0, name.len()));
        self.diags.push(match self.near(name) {
            Some(near) => d.help(format!("did you mean `{near}`?")),
            None => d.help(format!("declare it with `variable \"{name}\" {{ }}`, or leave -var out")),
        });
    }

    /// One file often serves several configurations: a warning for the first ones, and how many more.
    fn undeclared_in_files(&mut self, mut undeclared: Vec<(Span, Arc<str>)>) {
        const SHOWN: usize = 2;
        undeclared.sort();
        for (span, name) in undeclared.iter().take(SHOWN) {
            let d = Diagnostic::warning("undeclared-variable", format!("there is no variable `{name}`"))
                .at(*span);
            self.diags.push(match self.near(name) {
                Some(near) => d.help(format!("did you mean `{near}`? The value is not used")),
                None => d.help("the value is not used; remove the line or declare the variable"),
            });
        }
        if let Some(more) = undeclared.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            let names: Vec<&str> = undeclared[SHOWN..].iter().map(|(_, name)| &**name).collect();
            let (values, are) = if more == 1 { ("value", "is") } else { ("values", "are") };
            self.diags.push(
                Diagnostic::warning(
                    "undeclared-variable",
                    format!("{more} more {values} {are} of no declared variable"),
                )
                .note(names.join(", "))
                .help("values for several configurations can be given as TF_VAR_…: those are not checked"),
            );
        }
    }

    fn constant(&mut self, expr: &Expr) -> Option<Value> {
        let errors = self.diags.error_count();
        let value = eval(expr, &Constants, self.diags);
        (self.diags.error_count() == errors && expr.kind != ExprKind::Error).then_some(value)
    }

    fn near(&self, name: &str) -> Option<&str> {
        nearest(name, self.module.variables.keys().map(|k| &**k))
    }

    /// The string itself for variables of a primitive or unstated type, an expression otherwise.
    fn text(&mut self, variable: &Variable, text: &str, from: &Origin) -> (Option<Value>, Span) {
        let shown = if variable.sensitive { "(sensitive value)" } else { text };
        let file = self.sources.add(format!("<{from} {}>", variable.name), shown);
        let whole = Span::new(file, 0, shown.len());
        let literal = match variable.constraint.ty {
            Type::String | Type::Number | Type::Bool => true,
            Type::Dynamic => !variable.typed,
            _ => false,
        };
        if literal {
            return (Some(Value::string(text)), whole);
        }
        let mut hidden = Sources::default();
        let (sources, file) = match variable.sensitive {
            true => {
                // Errors inside are told without what is there.
                let file = hidden.add(self.sources.path(file), text);
                (&hidden, file)
            }
            false => (&*self.sources, file),
        };
        let (expr, errors) = parse_expression(sources, file);
        let mut diags = Diagnostics::default();
        diags.extend(errors);
        let value = expr.map(|expr| eval(&expr, &Constants, &mut diags));
        let failed = diags.has_errors();
        let place = |d: Diagnostic| {
            if variable.sensitive {
                Diagnostic { labels: Vec::new(), notes: Vec::new(), ..d }.at(whole)
            } else {
                d
            }
        };
        self.diags.extend(diags.into_iter().map(place));
        (value.filter(|_| !failed), whole)
    }

    fn convert(&mut self, variable: &Variable, value: &Value, span: Span) -> Option<Value> {
        let name = &variable.name;
        let error = match convert_to_constraint(value, &variable.constraint) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mut d = Diagnostic::error("wrong-type", format!("variable `{name}`: {error}"))
            .help(format!("`{name}` takes {}", variable.constraint.ty));
        d = match variable.sensitive {
            true => d.note(format!("its value is in {}", self.sources.path(span.file).display())),
            false => d.label(span, format!("this is {}", describe(value))),
        };
        self.diags.push(d.label(variable.span, "declared here"));
        None
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
