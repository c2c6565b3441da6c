//! Files, paths and templates. Relative paths start at the directory of the run.

use super::{Call, Failure};
use crate::diag::{Diagnostic, Diagnostics, FileId, Severity, Sources};
use crate::lang::eval::{Resolved, Scope, eval_template, template_references};
use crate::lang::parse::parse_template;
use crate::lang::syntax::{Expr, ExprKind, Traversal};
use crate::value::{Map, Type, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::{GlobBuilder, GlobMatcher};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

type Result<T = Value> = std::result::Result<T, Failure>;

fn full_path(scope: &dyn Scope, path: &str) -> PathBuf {
    scope.base_dir().join(expanded(path))
}

fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            match rest.trim_start_matches('/') {
                "" => PathBuf::from(home),
                rest => Path::new(&home).join(rest),
            }
        }
        _ => PathBuf::from(path),
    }
}

pub(super) fn read(scope: &dyn Scope, path: &str) -> std::result::Result<Vec<u8>, String> {
    let full = full_path(scope, path);
    if full.is_dir() {
        return Err(format!("`{path}` is a directory, not a file"));
    }
    read_bounded(&full).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no file `{path}`"),
        _ => format!("the file `{path}` cannot be read: {error}"),
    })
}

/// Devices have no end.
const LARGEST_FILE: u64 = 1 << 30;

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(std::io::Error::other("it is larger than 1 GiB"));
    }
    Ok(bytes)
}

fn read_text(scope: &dyn Scope, path: &str) -> Result<String> {
    let bytes = read(scope, path).map_err(missing)?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::arg(0, format!("the file `{path}` is not UTF-8 text"))
            .help("filebase64() reads binary files")
    })
}

fn missing(what: String) -> Failure {
    Failure::arg(0, what).help("paths count from the directory of the run; begin them with ${path.module}")
}

pub fn file(call: &Call) -> Result {
    Ok(Value::string(read_text(call.scope, call.str(0))?))
}

pub fn filebase64(call: &Call) -> Result {
    Ok(Value::string(STANDARD.encode(read(call.scope, call.str(0)).map_err(missing)?)))
}

pub fn fileexists(call: &Call) -> Result {
    let full = full_path(call.scope, call.str(0));
    if full.is_dir() {
        return Err(Failure::new(format!("`{}` is a directory, not a file", call.str(0))));
    }
    Ok(Value::bool(full.exists()))
}

const MOST_FILES: usize = 200_000;

pub fn fileset(call: &Call) -> Result {
    let mut base = full_path(call.scope, call.str(0));
    let mut pattern = call.str(1);
    let mut up = String::new();
    while let Some(rest) = pattern.strip_prefix("../") {
        base.push("..");
        up.push_str("../");
        pattern = rest;
    }
    let pattern = pattern.trim_start_matches("./");
    if pattern.split('/').any(|part| part.matches('{').count() != part.matches('}').count()) {
        return Err(Failure::inside(1, "this is not a file pattern: braces must close before the next `/`"));
    }
    let matcher =
        matcher(pattern).map_err(|e| Failure::inside(1, format!("this is not a file pattern: {e}")))?;
    let deepest = if pattern.contains("**") { usize::MAX } else { pattern.matches('/').count() + 1 };
    let mut names = Vec::new();
    let mut seen = 0;
    for entry in walkdir::WalkDir::new(&base).follow_links(true).max_depth(deepest).into_iter().flatten() {
        seen += 1;
        if seen > MOST_FILES {
            return Err(Failure::new(format!("there are more than {MOST_FILES} files to look at"))
                .help("name a directory further inside"));
        }
        let Ok(relative) = entry.path().strip_prefix(&base) else { continue };
        if entry.file_type().is_file() && matcher.is_match(relative) {
            names.push(Value::string(format!("{up}{}", relative.to_string_lossy())));
        }
    }
    Ok(Value::set(Type::String, names))
}

fn matcher(pattern: &str) -> std::result::Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build()?.compile_matcher())
}

pub fn abspath(call: &Call) -> Result {
    let path = call.scope.base_dir().join(call.str(0));
    let path = std::path::absolute(&path)
        .map_err(|e| Failure::new(format!("the path cannot be made absolute: {e}")))?;
    Ok(Value::string(cleaned(&path.to_string_lossy())))
}

pub fn pathexpand(call: &Call) -> Result {
    if call.str(0).strip_prefix('~').is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        return Err(Failure::new("the home directory of another user is not known"));
    }
    Ok(Value::string(expanded(call.str(0)).to_string_lossy().into_owned()))
}

pub fn basename(call: &Call) -> Result {
    let path = call.str(0);
    let trimmed = path.trim_end_matches('/');
    Ok(Value::string(match (path, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        _ => trimmed.rsplit('/').next().unwrap_or_default(),
    }))
}

pub fn dirname(call: &Call) -> Result {
    let directory = call.str(0).rfind('/').map_or("", |i| &call.str(0)[..=i]);
    Ok(Value::string(cleaned(directory)))
}

/// Without `.`, `..` and doubled slashes where these can go, as Go's `path.Clean`.
fn cleaned(path: &str) -> String {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            part => out.push(part),
        }
    }
    if out.as_os_str().is_empty() { ".".to_owned() } else { out.to_string_lossy().into_owned() }
}

// --- Templates ------------------------------------------------------------------------------------

/// The names of a template: the given variables and nothing else.
struct TemplateScope<'a> {
    variables: &'a Map,
    outer: &'a dyn Scope,
}

impl Scope for TemplateScope<'_> {
    fn resolve(&self, traversal: &Traversal) -> std::result::Result<Resolved, Diagnostic> {
        match self.variables.get(&traversal.root) {
            Some(value) => Ok(Resolved { value: value.clone(), steps_used: 0 }),
            None => {
                let summary = format!("the template has no variable `{}`", traversal.root);
                Err(Diagnostic::error("unknown-name", summary).at(traversal.span))
            }
        }
    }

    fn base_dir(&self) -> &Path {
        self.outer.base_dir()
    }

    fn plan_timestamp(&self) -> Option<jiff::Timestamp> {
        self.outer.plan_timestamp()
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        self.outer.now()
    }

    fn random(&self) -> Option<[u8; 16]> {
        self.outer.random()
    }

    fn in_template(&self) -> bool {
        true
    }
}

/// A template's text with `variables` (a map or object) filled in: what the data source `template_file`
/// does.
pub fn render_template(name: &str, text: &str, variables: &Value, scope: &dyn Scope) -> Result {
    render(name, text, variables, scope)
}

/// Parses and evaluates a template; its mistakes become one failure that names their places in it.
fn render(name: &str, text: &str, variables: &Value, scope: &dyn Scope) -> Result {
    if scope.in_template() {
        return Err(Failure::new("a template cannot use templatefile() or templatestring() itself"));
    }
    let Some(entries) = variables.as_map() else {
        let what =
            format!("a map or object of variables is required, but this is {}", variables.ty().a_noun());
        return Err(Failure::arg(1, what));
    };
    if let Some(bad) = entries.keys().find(|k| !is_identifier(k)) {
        return Err(Failure::arg(1, format!("`{bad}` cannot be the name of a variable")));
    }
    let mut sources = Sources::default();
    let file = sources.add(name, text);
    let (parts, problems) = parse_template(&sources, file);
    let mut diags = Diagnostics::default();
    diags.extend(problems);
    let mut value = Value::dynamic();
    if !diags.has_errors() {
        let scope = TemplateScope { variables: entries, outer: scope };
        // Also what is only in a branch that is not taken, or within try().
        let names = template_references(&parts);
        diags.extend(names.iter().filter_map(|name| scope.resolve(name).err()));
        value = eval_template(&parts, &scope, &mut diags);
    }
    if diags.has_errors() {
        let list: Vec<String> = diags
            .into_sorted()
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .map(|d| place(&sources, file, d))
            .collect();
        return Err(Failure::arg(0, format!("the template has mistakes: {}", list.join("; "))));
    }
    Ok(value.marked(variables.marks))
}

fn place(sources: &Sources, file: FileId, diagnostic: &Diagnostic) -> String {
    let (line, column) = diagnostic.span().map_or((1, 1), |span| sources.line_column(file, span.start));
    let path = sources.path(file).display();
    let help = diagnostic.help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    format!("{path}:{line}:{column}: {}{help}", diagnostic.summary)
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

pub fn templatefile(call: &Call) -> Result {
    let text = read_text(call.scope, call.str(0))?;
    not_null(render(call.str(0), &text, &call.args[1], call.scope)?)
}

fn not_null(value: Value) -> Result {
    match value.is_null() {
        true => Err(Failure::new("the template gives null, which is no text")),
        false => Ok(value),
    }
}

/// The first argument must be a reference: a template written in place would already be evaluated.
pub fn templatestring(values: &[Value], args: &[Expr], scope: &dyn Scope) -> Result {
    let (template, variables) = (&values[0], &values[1]);
    let marks = template.marks.union(variables.marks);
    if template.is_null() || variables.is_null() {
        return Err(Failure::arg(usize::from(!template.is_null()), "this must not be null"));
    }
    if variables.is_unknown() {
        return Ok(Value::dynamic().marked(marks));
    }
    let reference = refers(&args[0]);
    if !reference {
        return Err(Failure::arg(
            0,
            "the template must be a reference to where it is, such as local.template",
        )
        .help("a template in quotes is evaluated in its place, without templatestring()"));
    }
    let Some(text) = template.as_str() else { return Ok(Value::dynamic().marked(marks)) };
    Ok(not_null(render("template", text, variables, scope)?)?.marked(marks))
}

/// `local.templates["a"]`: steps from a name.
fn refers(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Root(_) => true,
        ExprKind::GetAttr { base, .. } | ExprKind::Index { base, .. } => refers(base),
        _ => false,
    }
}

// --- Hashes of files ------------------------------------------------------------------------------

fn hashed(call: &Call, hash: fn(&[u8]) -> Vec<u8>, text: fn(&[u8]) -> String) -> Result {
    let bytes = read(call.scope, call.str(0)).map_err(Failure::new)?;
    Ok(Value::string(text(&hash(&bytes))))
}

fn in_hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

fn in_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn filemd5(call: &Call) -> Result {
    hashed(call, super::hash::md5_of, in_hex)
}

pub fn filesha1(call: &Call) -> Result {
    hashed(call, super::hash::sha1_of, in_hex)
}

pub fn filesha256(call: &Call) -> Result {
    hashed(call, super::hash::sha256_of, in_hex)
}

pub fn filesha512(call: &Call) -> Result {
    hashed(call, super::hash::sha512_of, in_hex)
}

pub fn filebase64sha256(call: &Call) -> Result {
    hashed(call, super::hash::sha256_of, in_base64)
}

pub fn filebase64sha512(call: &Call) -> Result {
    hashed(call, super::hash::sha512_of, in_base64)
}
