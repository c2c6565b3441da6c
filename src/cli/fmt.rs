use super::Done;
use super::error::CliError;
use crate::diag::{Diagnostics, Sources};
use crate::lang::format::format;
use clap::ArgAction;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rewrite configuration files in Terraform's canonical style
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, directories, or - for standard input
    #[arg(default_value = ".", value_name = "PATH")]
    targets: Vec<PathBuf>,
    /// Write nothing; exit 3 if a file is not in the canonical style
    #[arg(long)]
    check: bool,
    /// Show what is different
    #[arg(long)]
    diff: bool,
    /// Also in the directories inside
    #[arg(long)]
    recursive: bool,
    /// Print the names of files that are not in the canonical style
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    list: bool,
    /// Write the files
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    write: bool,
}

pub fn run(args: Args) -> Result<Done, CliError> {
    let stdin = args.targets.iter().any(|t| t == Path::new("-"));
    if stdin && args.targets.len() > 1 {
        return Err(CliError::usage(
            "`-` stands alone",
            "format files and standard input one after the other",
        ));
    }
    let mut run = Run {
        list: args.list && !stdin,
        write: args.write && !stdin && !args.check,
        print: !args.check && !args.diff && (stdin || !args.list && !args.write),
        args: &args,
        sources: Sources::default(),
        diags: Diagnostics::default(),
        different: false,
    };
    if stdin {
        run.stdin()?;
    } else {
        for file in files(&args.targets, args.recursive)? {
            run.file(&file)?;
        }
    }
    if run.diags.has_errors() {
        return Err(CliError::Config { diags: run.diags, sources: run.sources });
    }
    Ok(if args.check && run.different { Done::Unformatted } else { Done::Ok })
}

struct Run<'a> {
    args: &'a Args,
    list: bool,
    write: bool,
    /// The whole result on stdout.
    print: bool,
    sources: Sources,
    diags: Diagnostics,
    different: bool,
}

impl Run<'_> {
    fn stdin(&mut self) -> Result<(), CliError> {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| CliError::Io { what: "cannot read standard input".to_owned(), error })?;
        self.text(Path::new("<stdin>"), bytes)
    }

    fn file(&mut self, path: &Path) -> Result<(), CliError> {
        let bytes = std::fs::read(path).map_err(io("cannot read", path))?;
        self.text(path, bytes)
    }

    fn text(&mut self, path: &Path, bytes: Vec<u8>) -> Result<(), CliError> {
        let file = self.sources.add_bytes(path, bytes);
        let formatted = match format(&self.sources, file) {
            Ok(formatted) => formatted,
            Err(diags) => {
                self.diags.extend(diags);
                return Ok(());
            }
        };
        let text = self.sources.text(file).clone();
        if *formatted != *text {
            self.different = true;
            if self.list {
                print(&format!("{}\n", path.display()))?;
            }
            if self.write {
                replace(path, formatted.as_bytes()).map_err(io("cannot write", path))?;
            }
            if self.args.diff {
                print(&difference(path, &text, &formatted))?;
            }
        }
        if self.print {
            // Terraform ends what it prints with one line break, the file's own or another.
            return print(&format!("{}\n", formatted.strip_suffix('\n').unwrap_or(&formatted)));
        }
        Ok(())
    }
}

fn io<'a>(what: &'a str, path: &'a Path) -> impl Fn(std::io::Error) -> CliError + 'a {
    move |error| CliError::Io { what: format!("{what} `{}`", path.display()), error }
}

/// A reader that went away (`| head`) is no mistake of ours.
fn print(text: &str) -> Result<(), CliError> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::Io { what: "cannot write to standard output".to_owned(), error })
        }
        _ => Ok(()),
    }
}

fn difference(path: &Path, old: &str, new: &str) -> String {
    let path = path.display();
    similar::TextDiff::configure()
        .timeout(Duration::from_secs(5))
        .diff_lines(old, new)
        .unified_diff()
        .header(&format!("old/{path}"), &format!("new/{path}"))
        .to_string()
}

/// Whole or not at all, with the mode that the file has; a link keeps pointing to it.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let permissions = std::fs::metadata(&path)?.permissions();
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|e| e.error)?;
    Ok(())
}

// ---- which files

fn files(targets: &[PathBuf], recursive: bool) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for target in targets {
        let metadata = std::fs::metadata(target).map_err(|error| CliError::Usage {
            problem: format!("cannot read `{}`: {error}", target.display()),
            help: "name files or directories that exist".to_owned(),
        })?;
        if metadata.is_dir() {
            directory(target, recursive, &mut found)?;
        } else if has_known_ending(&target.to_string_lossy()) {
            found.push(target.clone());
        } else {
            return Err(CliError::usage(
                format!("`{}` is not a file of the language", target.display()),
                "only .tf, .tfvars and .hcl files can be formatted",
            ));
        }
    }
    Ok(found)
}

fn directory(dir: &Path, recursive: bool, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let depth = if recursive { usize::MAX } else { 1 };
    let hidden = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() > 0 && (is_ignored(&name) || entry.file_type().is_file() && is_foreign(&name))
    };
    let entries = walkdir::WalkDir::new(dir).max_depth(depth).sort_by_file_name();
    for entry in entries.into_iter().filter_entry(|entry| !hidden(entry)) {
        let entry = entry.map_err(|error| CliError::Io {
            what: format!("cannot read `{}`", dir.display()),
            error: error.into(),
        })?;
        if has_known_ending(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            let path = entry.path();
            found.push(
                if dir == Path::new(".") { path.strip_prefix(dir).unwrap_or(path) } else { path }.into(),
            );
        }
    }
    Ok(())
}

fn has_known_ending(name: &str) -> bool {
    [".tf", ".tfvars", ".hcl"].iter().any(|ending| name.ends_with(ending))
}

/// What editors and Terraform itself leave behind.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'))
}

/// HCL of other tools, which have their own styles.
fn is_foreign(name: &str) -> bool {
    name == "terragrunt.hcl" || name.ends_with(".pkr.hcl")
}
