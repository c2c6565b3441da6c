//! Wide configurations changed in place: after every apply nothing is left to change and nothing drifts.

use crate::environment::{TestEnvironment, repository};

/// Applies each set of variables in turn; after each a plan is empty and drift finds nothing.
fn changes(file: &str, variants: &[&[&str]]) {
    let path = repository().join("fixtures/changes").join(file);
    let env = TestEnvironment::with_root(&std::fs::read_to_string(path).expect("the fixture is there"));
    let run = |first: &[&str], variables: &[&str]| {
        let mut args = first.to_vec();
        variables.iter().for_each(|v| args.extend(["--var", v]));
        env.run(&args)
    };
    for variables in variants {
        run(&["apply", "root", "--auto-approve"], variables).ok();
        run(&["plan", "root", "--detailed-exitcode"], variables).ok();
        env.run(&["drift", "root", "--detailed-exitcode"]).ok();
    }
    let last = variants.last().copied().unwrap_or_default();
    run(&["destroy", "root", "--auto-approve"], last).ok();
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout, "");
}

#[test]
fn load_balancing_and_hosts_change_in_place() {
    changes("load_balancing_and_hosts.tf", &[&["v=1"], &["v=2"], &["v=1"]]);
}

#[test]
fn services_change_in_place_and_roll_out() {
    changes("services.tf", &[&["v=1"], &["v=2"], &["v=2", "tag=2"], &["v=1", "tag=2"]]);
}
