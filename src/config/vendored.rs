//! Modules that `terraform init` has put under `.terraform/modules`, by its manifest.

use super::decl::Call;
use super::version::Version;
use crate::diag::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `.terraform/modules/modules.json` of a root, if there is one.
#[derive(Debug, Default)]
pub struct Manifest {
    /// As messages name it.
    path: PathBuf,
    found: bool,
    /// By the names of the module blocks from the root: `web.alb`.
    records: BTreeMap<String, Record>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    key: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    version: String,
    dir: PathBuf,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records {
    #[serde(default)]
    modules: Vec<Record>,
}

impl Manifest {
    pub fn read(root: &Path, diags: &mut Diagnostics) -> Self {
        let data = std::env::var_os("TF_DATA_DIR").filter(|d| !d.is_empty());
        let path = root.join(data.map_or(".terraform".into(), PathBuf::from)).join("modules/modules.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) => return Self { path, ..Self::default() },
        };
        match serde_json::from_str::<Records>(&text) {
            Ok(read) => {
                let records = read.modules.into_iter().map(|r| (r.key.clone(), r)).collect();
                Self { path, found: true, records }
            }
            Err(error) => {
                let problem = format!("`{}` cannot be understood: {error}", path.display());
                let d = Diagnostic::error("module-manifest", problem);
                diags.push(d.help("run `terraform init` again, or remove the directory `.terraform`"));
                Self { path, ..Self::default() }
            }
        }
    }

    /// The directory of a module that is not a local one, relative to the root.
    pub fn directory(&self, key: &str, call: &Call) -> Result<PathBuf, Box<Diagnostic>> {
        let source = &call.source;
        let Some(record) = self.records.get(key) else {
            let d = Diagnostic::error("module-source", format!("module source `{source}` is not here"));
            let d = d.label(call.source_span, "this is neither a local path nor vendored");
            let d = match self.found {
                true => d.note(format!("`{}` does not know module `{key}`", self.path.display())),
                false => d.note(format!("there is no `{}`", self.path.display())),
            };
            return Err(Box::new(d.help(VENDOR)));
        };
        if same_source(source, &record.source) == Some(false) {
            let d = Diagnostic::error(
                "module-changed",
                format!("module `{}` has another source by now", call.name),
            );
            let d = d.label(call.source_span, format!("vendored is `{}`", record.source));
            return Err(Box::new(d.help(AGAIN)));
        }
        if let Some(wanted) = &call.version {
            let version = record.version.parse::<Version>();
            if version.is_ok_and(|v| !wanted.constraint.allows(&v)) {
                let d = Diagnostic::error(
                    "module-changed",
                    format!("module `{}` asks for version {}", call.name, wanted.text),
                );
                let d = d.label(call.source_span, format!("vendored is {}", record.version));
                let d = d.label(wanted.span, "this excludes it");
                return Err(Box::new(d.help(AGAIN)));
            }
        }
        Ok(record.dir.clone())
    }
}

const VENDOR: &str = "vendor it, in one of two ways: run `terraform init` (or `terraform get`) in this directory, whose `.terraform/modules` is then read; or copy the module into the repository and write its path, starting with `./` or `../`";
const AGAIN: &str = "run `terraform init` (or `terraform get`) again";

/// Whether `source` as written is what the manifest names; None where that cannot be told.
fn same_source(source: &str, recorded: &str) -> Option<bool> {
    if source == recorded || recorded.is_empty() {
        return Some(true);
    }
    if is_registry(source) {
        // With the registry's host before it, when none was written.
        let rest = recorded.strip_suffix(source).map(|host| host.strip_suffix('/'));
        return Some(matches!(rest, Some(Some(host)) if !host.contains('/')));
    }
    if is_registry(recorded) {
        return Some(false);
    }
    match (plain(source), plain(recorded)) {
        (a, b) if a == b => Some(true),
        // Spelled in so many ways that only the path's last part tells.
        (a, b) => (last(&a) != last(&b)).then_some(false),
    }
}

/// `namespace/name/system`, with a host before it or a `//directory` after it.
pub fn is_registry(source: &str) -> bool {
    let package = source.split("//").next().unwrap_or_default();
    let parts: Vec<&str> = package.split('/').collect();
    let name =
        |p: &&str| !p.is_empty() && p.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match parts.as_slice() {
        [_, _, _] => parts.iter().all(name),
        [host, rest @ ..] if rest.len() == 3 => {
            let known_to_git = ["github.com", "bitbucket.org", "gitlab.com"];
            host.contains('.') && !known_to_git.contains(host) && rest.iter().all(name)
        }
        _ => false,
    }
}

/// A remote source without what says only how to fetch it.
fn plain(source: &str) -> String {
    let mut text = source.strip_prefix("git::").or_else(|| source.strip_prefix("hg::")).unwrap_or(source);
    for scheme in ["https://", "http://", "ssh://", "git://"] {
        text = text.strip_prefix(scheme).unwrap_or(text);
    }
    let text = text.strip_prefix("git@").unwrap_or(text).replacen("github.com:", "github.com/", 1);
    text.replacen(".git//", "//", 1).replacen(".git?", "?", 1).trim_end_matches(".git").to_owned()
}

fn last(plain: &str) -> &str {
    plain.rsplit('/').next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::{is_registry, same_source};

    #[test]
    fn registry_sources_are_told_from_others() {
        for source in ["acme/vpc/aws", "acme/iam/aws//modules/policy", "registry.example/acme/vpc/aws"] {
            assert!(is_registry(source), "{source}");
        }
        for source in [
            "./vpc",
            "github.com/acme/vpc",
            "git::https://x.example/vpc.git",
            "acme/vpc",
            "s3::https://b/vpc.zip",
        ] {
            assert!(!is_registry(source), "{source}");
        }
    }

    #[test]
    fn sources_are_compared_as_the_manifest_spells_them() {
        let same = |a, b| same_source(a, b);
        assert_eq!(same("acme/vpc/aws", "registry.example/acme/vpc/aws"), Some(true));
        assert_eq!(same("acme/vpc/aws", "registry.example/acme/vpn/aws"), Some(false));
        assert_eq!(
            same("acme/iam/aws//modules/policy", "registry.example/acme/iam/aws//modules/policy"),
            Some(true)
        );
        assert_eq!(same("github.com/acme/vpc", "git::https://github.com/acme/vpc.git"), Some(true));
        assert_eq!(
            same("git@github.com:acme/vpc.git?ref=v1", "git::ssh://git@github.com/acme/vpc.git?ref=v1"),
            Some(true)
        );
        assert_eq!(
            same("git::https://x.example/vpc.git?ref=v2", "git::https://x.example/vpc.git?ref=v1"),
            Some(false)
        );
    }
}
