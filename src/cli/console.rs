use super::Done;
use super::environment::{Environment, EnvironmentArgs};
use super::error::{CliError, style};
use super::line::{Input, LineEditor};
use super::session::{with_recorded, with_walk};
use crate::addr::ModulePath;
use crate::clock::Clock;
use crate::config::is_configuration;
use crate::diag::render::render_text;
use crate::diag::{Diagnostic, Diagnostics, Severity, Sources};
use crate::lang::eval::{Resolved, Scope, eval, references};
use crate::lang::parse::{parse_expression, wants_more};
use crate::lang::syntax::{Expr, ExprKind, Traversal};
use crate::plan::walk::{Purpose, Walk};
use crate::render::console::{type_text, value};
use crate::value::{Value, answer_json};
use serde_json::{Value as Json, json};
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

/// Evaluate expressions, interactively or from stdin
///
/// Variables, locals, module outputs and resources are those of the environment: resources as the state has
/// them, or as they are declared where it does not. Data sources are not kept in the state: those that need no
/// cloud (files, templates, other states) are read, for the others use --plan. A directory without configuration will do for expressions that refer to nothing.
///
/// An expression goes on over several lines until its brackets close. `type(…)` tells the type of a value,
/// `exit` leaves. From a pipe, every result is printed; after an error the exit code is 1.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// Evaluate against the planned values: asks the cloud, as `cutover plan` does
    #[arg(long)]
    plan: bool,
    /// Read one expression a line, answer one JSON object a line
    ///
    /// A line is an expression as it is, or a JSON object whose "expr" is one (for those that have line
    /// breaks; its "id" is repeated). An answer has "type" (null where parts are unknown), "value" (numbers
    /// as {"$n": "text"}), "unknown" and "sensitive" (true, or the shape of such parts; left out where there
    /// are none); or "error", with "at": [line, column] in the expression, and its "code". Sensitive values
    /// are answered in the clear: they were asked for. Answers are those of a plan, so what only an apply
    /// knows, as timestamp(), is unknown. In a directory without configuration,
    /// `resource "terraform_data" "u" {}` is declared.
    #[arg(long)]
    json: bool,
}

/// What a directory without configuration declares with --json, so that there is something unknown.
const SCRATCH: &str = "resource \"terraform_data\" \"u\" {}\n";

const HELP: &str = "\
Type an expression and press enter to see its value, such as var.name, 1 + 2 or
[for s in [\"a\", \"b\"] : upper(s)]. It goes on over several lines until its brackets close.
type(x) tells the type of a value. exit, or ctrl-d, leaves.";

pub fn run(args: Args) -> Result<Done, CliError> {
    if args.plan {
        return with_walk(&args.environment, Purpose::Plan, None, async |walk, session| {
            session.environment.show_warnings();
            serve(walk, &mut session.environment.sources, args.json)
        });
    }
    let environment = match has_configuration(&args.environment.dir) {
        true => Environment::load(&args.environment)?,
        false => Environment::scratch(&args.environment, if args.json { SCRATCH } else { "" })?,
    };
    with_recorded(environment, |walk, environment| {
        environment.show_warnings();
        serve(walk, &mut environment.sources, args.json)
    })
}

/// A path that is no directory counts as having some: loading it says what is wrong.
fn has_configuration(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return true };
    entries.filter_map(Result::ok).any(|e| e.file_name().to_str().is_some_and(is_configuration))
}

fn serve(walk: &Walk<'_>, sources: &mut Sources, as_json: bool) -> Result<Done, CliError> {
    let path = ModulePath::root();
    let scope = walk.root_scope(&path);
    let stdin = std::io::stdin();
    if as_json {
        return answer_lines(&mut stdin.lock(), &scope, sources);
    }
    let scope = Live { inner: &scope };
    if stdin.is_terminal() {
        return interactive(&scope, sources);
    }
    piped(&mut stdin.lock(), &scope, sources)
}

/// The time and randomness of now, as people expect of a console.
struct Live<'s> {
    inner: &'s dyn Scope,
}

impl Scope for Live<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        self.inner.resolve(traversal)
    }

    fn base_dir(&self) -> &Path {
        self.inner.base_dir()
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        Some(Clock::wall_now())
    }

    fn provider(&self, local: &str) -> Option<&str> {
        self.inner.provider(local)
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        Some(Clock::wall_now())
    }

    fn random(&self) -> Option<[u8; 16]> {
        Some(*uuid::Uuid::new_v4().as_bytes())
    }
}

/// What one input came to.
enum Reply {
    Nothing,
    Text(String),
    Exit,
}

fn interactive(scope: &dyn Scope, sources: &mut Sources) -> Result<Done, CliError> {
    let mut editor = LineEditor::new();
    let mut pending = String::new();
    loop {
        let prompt = if pending.is_empty() { "> " } else { ": " };
        match editor.read(prompt).map_err(cannot_read)? {
            Input::Line(line) => pending.push_str(&line),
            Input::Interrupted if !pending.is_empty() => {
                pending.clear();
                continue;
            }
            Input::Interrupted | Input::End => return Ok(Done::Ok),
        }
        if wants_more(&format!("{pending}\n")) {
            pending.push('\n');
            continue;
        }
        match reply(&std::mem::take(&mut pending), scope, sources) {
            Ok(Reply::Text(text)) => println!("{text}"),
            Ok(Reply::Nothing) => {}
            Ok(Reply::Exit) => return Ok(Done::Ok),
            Err(diags) => eprint!("{}", render_text(&diags, sources, style())),
        }
    }
}

fn piped(input: &mut dyn BufRead, scope: &dyn Scope, sources: &mut Sources) -> Result<Done, CliError> {
    let mut pending = String::new();
    let mut done = Done::Ok;
    loop {
        let line = next_line(input).map_err(cannot_read)?;
        pending.push_str(line.as_deref().unwrap_or_default());
        if line.is_some() && wants_more(&format!("{pending}\n")) {
            pending.push('\n');
            continue;
        }
        match reply(std::mem::take(&mut pending).trim_end_matches('\n'), scope, sources) {
            Ok(Reply::Text(text)) => print_line(&text)?,
            Ok(Reply::Nothing) => {}
            Ok(Reply::Exit) => return Ok(done),
            Err(diags) => {
                eprint!("{}", render_text(&diags, sources, style()));
                done = Done::Failed;
            }
        }
        if line.is_none() {
            return Ok(done);
        }
    }
}

fn reply(text: &str, scope: &dyn Scope, sources: &mut Sources) -> Result<Reply, Vec<Diagnostic>> {
    match text.trim() {
        "" => return Ok(Reply::Nothing),
        "exit" | "quit" => return Ok(Reply::Exit),
        "help" => return Ok(Reply::Text(HELP.to_owned())),
        _ => {}
    }
    let expr = parse(text, sources)?;
    let asked = type_argument(&expr);
    let found = evaluate(asked.unwrap_or(&expr), scope);
    let found = found.map_err(|diags| diags.into_iter().map(explain_type).collect::<Vec<_>>())?;
    Ok(Reply::Text(if asked.is_some() { type_text(&found.ty()) } else { value(&found) }))
}

/// `x` of `type(x)`, which is no function: it can only stand alone.
fn type_argument(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Call(call) if &*call.name.name == "type" && !call.expand_last => match &call.args[..] {
            [argument] => Some(argument),
            _ => None,
        },
        _ => None,
    }
}

fn explain_type(diagnostic: Diagnostic) -> Diagnostic {
    if diagnostic.code != "unknown-function" || !diagnostic.summary.contains("`type`") {
        return diagnostic;
    }
    let summary = "`type` takes one value, and is no part of an expression";
    Diagnostic { summary: summary.to_owned(), ..diagnostic }.help("let `type(…)` be all of the input")
}

fn parse(text: &str, sources: &mut Sources) -> Result<Expr, Vec<Diagnostic>> {
    // A heredoc needs the line break behind its marker.
    let file = sources.add("<console>", format!("{text}\n"));
    let (expr, problems) = parse_expression(sources, file);
    match expr {
        Some(expr) if problems.is_empty() => Ok(expr),
        _ => Err(problems),
    }
}

fn evaluate(expr: &Expr, scope: &dyn Scope) -> Result<Value, Vec<Diagnostic>> {
    let mut diags = Diagnostics::default();
    // What is not declared is an error even within try() and can().
    let unknown = references(expr).into_iter().filter_map(|t| scope.resolve(&t).err());
    diags.extend(unknown.filter(|d| NAMES.contains(&d.code)));
    if diags.has_errors() {
        return Err(diags.into_sorted());
    }
    let value = eval(expr, scope, &mut diags);
    if diags.has_errors() { Err(diags.into_sorted()) } else { Ok(value) }
}

fn answer_lines(input: &mut dyn BufRead, scope: &dyn Scope, sources: &mut Sources) -> Result<Done, CliError> {
    while let Some(line) = next_line(input).map_err(cannot_read)? {
        print_line(&answer_line(&line, scope, sources).to_string())?;
    }
    Ok(Done::Ok)
}

fn answer_line(line: &str, scope: &dyn Scope, sources: &mut Sources) -> Json {
    let case = serde_json::from_str::<Json>(line).ok().filter(|case| case["expr"].is_string());
    let text = case.as_ref().and_then(|case| case["expr"].as_str()).unwrap_or(line);
    let mut answer = serde_json::Map::new();
    if let Some(id) = case.as_ref().and_then(|case| case.get("id")) {
        answer.insert("id".into(), id.clone());
    }
    match parse(text, sources).and_then(|expr| evaluate(&expr, scope)) {
        Ok(value) => answer.extend(answer_json(&value)),
        Err(diags) => answer.extend(failure(&diags, sources)),
    }
    Json::Object(answer)
}

/// Mistakes in names.
const NAMES: &[&str] = &[
    "unknown-name",
    "undeclared",
    "undeclared-resource",
    "incomplete-reference",
    "each-outside",
    "count-outside",
];

/// The error that Terraform tells first: it resolves all names before it evaluates.
fn failure(diags: &[Diagnostic], sources: &Sources) -> serde_json::Map<String, Json> {
    let mut answer = serde_json::Map::new();
    let errors = diags.iter().filter(|d| d.severity == Severity::Error);
    let order = |d: &&Diagnostic| (!NAMES.contains(&d.code), d.span().map_or(u32::MAX, |s| s.start));
    let Some(error) = errors.min_by_key(order) else {
        answer.insert("error".into(), json!("this is no expression"));
        return answer;
    };
    answer.insert("error".into(), json!(error.summary));
    answer.insert("code".into(), json!(error.code));
    if let Some((line, column)) = place(error, sources) {
        answer.insert("at".into(), json!([line, column]));
    }
    answer
}

/// Where Terraform has an error: of an unsuitable string behind its opening quote (of an empty one behind
/// both), of an unclosed parenthesis behind the line that would close it, of a name with an index behind the name.
fn place(error: &Diagnostic, sources: &Sources) -> Option<(usize, usize)> {
    let span = error.span()?;
    let (line, column) = sources.line_column(span.file, span.start);
    let text = sources.snippet(span);
    let rest = &sources.text(span.file)[span.start as usize..];
    let name = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(rest.len());
    let indexed = rest[name..].starts_with('[');
    Some(match error.code {
        // A name that takes no index.
        code if NAMES.contains(&code) && indexed => (line, column + rest[..name].chars().count()),
        "unclosed-parenthesis" => (line + 1, column),
        "invalid-argument" | "argument-count" if text == "\"\"" => (line, column + 2),
        "invalid-argument" | "argument-count" if text.starts_with('"') => (line, column + 1),
        _ => (line, column),
    })
}

/// Without its line break; what is no UTF-8 is replaced.
fn next_line(input: &mut dyn BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if input.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    if bytes.ends_with(b"\r") {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// At once: who reads the other end waits for it.
fn print_line(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| CliError::Io { what: "cannot write".to_owned(), error })
}

fn cannot_read(error: std::io::Error) -> CliError {
    CliError::Io { what: "cannot read stdin".to_owned(), error }
}
