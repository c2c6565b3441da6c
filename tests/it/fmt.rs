//! `cutover fmt`: which files, what it says, and how it ends.

use crate::environment::{TestEnvironment, ran};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

const UGLY: &str = "a=1\n";
const FINE: &str = "a = 1\n";

fn messy() -> TestEnvironment {
    let env = TestEnvironment::new();
    for (path, text) in [
        ("main.tf", UGLY),
        ("fine.tf", FINE),
        ("x.tfvars", UGLY),
        ("x.tftest.hcl", UGLY),
        ("cutover.hcl", UGLY),
        ("notes.txt", UGLY),
        (".hidden.tf", UGLY),
        ("main.tf~", UGLY),
        ("terragrunt.hcl", UGLY),
        ("inner/deep.tf", UGLY),
        ("inner/.terraform/modules/x.tf", UGLY),
    ] {
        env.write(path, text);
    }
    env
}

#[test]
fn files_of_a_directory_are_rewritten_and_listed() {
    let env = messy();
    let ran = env.run(&["fmt"]).ok();
    assert_eq!(ran.stdout, "cutover.hcl\nmain.tf\nx.tftest.hcl\nx.tfvars\n");
    assert_eq!(env.read("main.tf"), FINE);
    assert_eq!(env.read("inner/deep.tf"), UGLY);
    assert_eq!(env.run(&["fmt", "-recursive"]).ok().stdout, "inner/deep.tf\n");
    for path in ["notes.txt", ".hidden.tf", "main.tf~", "terragrunt.hcl", "inner/.terraform/modules/x.tf"] {
        assert_eq!(env.read(path), UGLY, "{path}");
    }
    assert_eq!(env.run(&["fmt", "--check", "--recursive"]).ok().stdout, "");
}

#[test]
fn checking_writes_nothing_and_exits_with_three() {
    let env = messy();
    assert_eq!(env.run(&["fmt", "--check", "main.tf", "fine.tf"]).exits(3).stdout, "main.tf\n");
    assert_eq!(env.run(&["fmt", "-check", "-list=false", "main.tf"]).exits(3).stdout, "");
    assert_eq!(env.read("main.tf"), UGLY);
    env.run(&["fmt", "--check", "fine.tf"]).ok();
}

#[test]
fn differences_are_shown() {
    let env = messy();
    let ran = env.run(&["fmt", "-diff", "-write=false", "main.tf"]).ok();
    assert_eq!(ran.stdout, "main.tf\n--- old/main.tf\n+++ new/main.tf\n@@ -1 +1 @@\n-a=1\n+a = 1\n");
    assert_eq!(env.read("main.tf"), UGLY);
    assert_eq!(env.run(&["fmt", "--list=false", "--write=false", "main.tf"]).ok().stdout, FINE);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let env = TestEnvironment::new();
    for (args, code, stdout) in [(&["fmt", "-"][..], 0, FINE), (&["fmt", "--check", "-"], 3, "")] {
        let mut command = env.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        child.stdin.take().expect("piped").write_all(UGLY.as_bytes()).expect("written");
        let ran = ran(child.wait_with_output().expect("it ends")).exits(code);
        assert_eq!(ran.stdout, stdout);
    }
}

#[test]
fn a_broken_file_is_told_and_left_alone_and_the_others_are_formatted() {
    let env = TestEnvironment::new();
    env.write("a.tf", UGLY);
    env.write("b.tf", "b   {\n");
    let ran = env.run(&["fmt"]).exits(1);
    assert!(ran.stderr.contains("error[unclosed-brace]") && ran.stderr.contains("b.tf:1:5"), "{}", ran.all());
    assert_eq!((env.read("a.tf").as_str(), env.read("b.tf").as_str()), (FINE, "b   {\n"));
    env.write("c.txt", UGLY);
    for args in [&["fmt", "nowhere"][..], &["fmt", "-", "a.tf"], &["fmt", "c.txt"]] {
        env.run(args).exits(1);
    }
}

#[test]
fn a_rewritten_file_keeps_its_mode_and_a_link_its_target() {
    let env = TestEnvironment::new();
    let path = env.write("target/a.tf", UGLY);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("set");
    symlink("target/a.tf", env.path().join("link.tf")).expect("made");
    env.run(&["fmt"]).ok();
    assert_eq!(env.read("target/a.tf"), FINE);
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
    assert!(env.path().join("link.tf").is_symlink());
}

#[test]
fn the_shipped_configuration_is_formatted() {
    TestEnvironment::shipped().run(&["fmt", "--check", "--recursive"]).ok();
}
