//! Functions that read files, the clock or random bytes.

use crate::diag::{Diagnostic, Diagnostics, Sources};
use crate::lang::eval::{Resolved, Scope, eval};
use crate::lang::parse::parse_file;
use crate::lang::syntax::Traversal;
use crate::value::{Value, json_text};
use std::path::{Path, PathBuf};

struct Applying {
    directory: PathBuf,
}

impl Scope for Applying {
    fn resolve(&self, traversal: &Traversal) -> Result<Resolved, Diagnostic> {
        match &*traversal.root {
            "template" => {
                Ok(Resolved { value: "hello ${name}%{ if true }!%{ endif }".into(), steps_used: 0 })
            }
            "secret" => Ok(Resolved { value: Value::string("s").sensitive(), steps_used: 0 }),
            _ => Err(Diagnostic::error("unknown-name", "there is no such name").at(traversal.span)),
        }
    }

    fn base_dir(&self) -> &Path {
        &self.directory
    }

    fn now(&self) -> Option<jiff::Timestamp> {
        "2026-11-21T04:27:56.5Z".parse().ok()
    }

    fn random(&self) -> Option<[u8; 16]> {
        Some([7; 16])
    }
}

fn run_in(directory: &Path, text: &str) -> (Value, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add("t.tf", format!("v = {text}\n"));
    let (body, problems) = parse_file(&sources, file);
    assert!(problems.is_empty(), "{text}: {problems:#?}");
    let mut diags = Diagnostics::default();
    let scope = Applying { directory: directory.to_owned() };
    let value = eval(&body.attribute("v").expect("v is there").expr, &scope, &mut diags);
    (value, diags.into_sorted())
}

fn shown(directory: &Path, text: &str) -> String {
    let (value, diags) = run_in(directory, text);
    assert!(diags.is_empty(), "{text}: {diags:#?}");
    json_text(&value).expect("known while applying")
}

fn error(directory: &Path, text: &str) -> Diagnostic {
    let (value, diags) = run_in(directory, text);
    diags.into_iter().next().unwrap_or_else(|| panic!("{text} is {value:?}"))
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside the directory")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    };
    write("a.txt", "é\n".as_bytes());
    write("binary", &[0xff, 0]);
    write("t/user.tftpl", b"%{ for x in names ~}\nadd ${x}\n%{ endfor ~}\n");
    write("t/bad.tftpl", b"a\n  ${nmae}");
    write("t/self.tftpl", b"${templatefile(\"t/self.tftpl\", {})}");
    write("t/lone.tftpl", b"${names}");
    write("t/deep/x.json", b"{}");
    directory
}

#[test]
fn files_are_read_from_the_directory_of_the_run() {
    let directory = directory();
    let d = directory.path();
    assert_eq!(shown(d, "file(\"a.txt\")"), r#""é\n""#);
    assert_eq!(
        shown(d, "[filebase64(\"binary\"), fileexists(\"a.txt\"), fileexists(\"b.txt\")]"),
        r#"["/wA=",true,false]"#
    );
    assert_eq!(shown(d, "filemd5(\"t/deep/x.json\")"), r#""99914b932bd37a50b983c5e7c90ae93b""#);
    assert_eq!(shown(d, "filebase64sha256(\"a.txt\") == base64sha256(file(\"a.txt\"))"), "true");
    assert_eq!(error(d, "file(\"binary\")").code, "invalid-argument");
    assert!(error(d, "file(\"b.txt\")").summary.contains("there is no file `b.txt`"));
    assert!(run_in(d, "file(sensitive(\"a.txt\"))").0.marks.sensitive);
}

#[test]
fn file_sets_are_relative_to_their_path() {
    let directory = directory();
    let d = directory.path();
    assert_eq!(shown(d, "fileset(\".\", \"*.txt\")"), r#"["a.txt"]"#);
    assert_eq!(shown(d, "fileset(\"t\", \"**/*.json\")"), r#"["deep/x.json"]"#);
    assert_eq!(
        shown(d, "fileset(\"t\", \"*.{tftpl,json}\")"),
        r#"["bad.tftpl","lone.tftpl","self.tftpl","user.tftpl"]"#
    );
    assert_eq!(shown(d, "fileset(\"t/deep\", \"../*.json\")"), "[]");
    assert_eq!(shown(d, "fileset(\"t/deep\", \"../../a.*\")"), r#"["../../a.txt"]"#);
}

#[test]
fn templates_see_only_their_variables() {
    let directory = directory();
    let d = directory.path();
    assert_eq!(shown(d, "templatefile(\"t/user.tftpl\", { names = [\"a\", 2] })"), r#""add a\nadd 2\n""#);
    assert_eq!(shown(d, "templatefile(\"t/lone.tftpl\", { names = [1] })"), "[1]");
    let bad = error(d, "templatefile(\"t/bad.tftpl\", { name = 1 })").summary;
    assert!(bad.contains("t/bad.tftpl:2:5: the template has no variable `nmae`"), "{bad}");
    assert!(error(d, "templatefile(\"t/self.tftpl\", {})").summary.contains("cannot use templatefile()"));
    assert_eq!(shown(d, "templatestring(template, { name = \"x\" })"), r#""hello x!""#);
    assert_eq!(error(d, "templatestring(\"${template}\", {})").code, "invalid-argument");
    assert!(run_in(d, "templatefile(\"t/user.tftpl\", { names = [secret] })").0.marks.sensitive);
    assert!(!run_in(d, "templatefile(\"t/user.tftpl\", { names = [], other = secret })").0.marks.sensitive);
}

#[test]
fn what_is_random_or_of_the_moment_is_known_while_applying() {
    let d = Path::new(".");
    assert_eq!(shown(d, "timestamp()"), r#""2026-11-21T04:27:56Z""#);
    assert_eq!(shown(d, "uuid()"), r#""07070707-0707-4707-8707-070707070707""#);
    assert!(shown(d, "bcrypt(\"a\", 4)").starts_with("\"$2a$04$"));
}

#[test]
fn rsa_texts_are_decrypted_with_keys_in_either_form() {
    let d = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/lang/rsa"));
    for key in ["pkcs1.pem", "pkcs8.pem"] {
        assert_eq!(
            shown(d, &format!("rsadecrypt(file(\"cipher.txt\"), file(\"{key}\"))")),
            r#""the password""#
        );
    }
    assert_eq!(error(d, "rsadecrypt(base64encode(\"x\"), file(\"pkcs1.pem\"))").code, "invalid-argument");
    assert_eq!(error(d, "rsadecrypt(file(\"cipher.txt\"), \"x\")").code, "invalid-argument");
}

#[test]
fn paths_are_taken_apart_as_in_go() {
    let d = Path::new("/base");
    for (text, want) in [
        ("basename(\"/a/b/\")", "b"),
        ("basename(\"/\")", "/"),
        ("dirname(\"/a\")", "/"),
        ("dirname(\"a/b/../c/d\")", "a/c"),
        ("abspath(\"x/../y\")", "/base/y"),
        ("abspath(\"/z/./q\")", "/z/q"),
        ("pathexpand(\"a~b\")", "a~b"),
    ] {
        assert_eq!(shown(d, text), format!("\"{want}\""), "{text}");
    }
}

#[test]
fn dates_are_formatted_in_their_own_time_zone() {
    let d = Path::new(".");
    let date = |spec: &str| shown(d, &format!("formatdate(\"{spec}\", \"2018-01-02T00:05:09+05:30\")"));
    for (spec, want) in [
        ("EEEE, D MMMM YY H:mm:ss AA", "Tuesday, 2 January 18 12:05:09 AM"),
        ("hh 'o''clock' m s ZZZZ ZZZZZ ZZZ Z", "00 o'clock 5 9 +0530 +05:30 +0530 +05:30"),
        ("EEE MMM MM M DD D h HH aa", "Tue Jan 01 1 02 2 0 12 am"),
    ] {
        assert_eq!(date(spec), format!("\"{want}\""));
    }
    assert_eq!(
        shown(d, "timeadd(\"2018-01-02T00:05:09+05:30\", \"-1.5h10ms\")"),
        "\"2018-01-01T22:35:08+05:30\""
    );
    for text in [
        "formatdate(\"YYY\", \"2018-01-02T00:00:00Z\")",
        "formatdate(\"'\", \"2018-01-02T00:00:00Z\")",
        "formatdate(\"YY\", \"2018-02-30T00:00:00Z\")",
    ] {
        assert_eq!(error(d, text).code, "invalid-argument", "{text}");
    }
}
