//! moved, removed, import and check blocks, and the commands that do the same by hand.

use crate::environment::TestEnvironment;

const VPC: &str = r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "main" }
}
"#;

fn vpc_id(env: &TestEnvironment) -> String {
    let shown = env.run(&["state", "show", "root", "aws_vpc.main"]).ok().stdout;
    let line = shown.lines().find(|l| l.starts_with("id = ")).expect("an id");
    line.trim_start_matches("id = ").trim_matches('"').to_owned()
}

#[test]
fn a_moved_resource_keeps_its_object_and_the_plan_says_so() {
    let env = TestEnvironment::with_root(VPC);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let id = vpc_id(&env);
    env.write(
        "root/main.tf",
        &format!(
            "{}\nmoved {{\n  from = aws_vpc.main\n  to   = aws_vpc.network[0]\n}}\n",
            VPC.replace("\"main\" {", "\"network\" {\n  count = 1\n")
        ),
    );
    let plan = env.run(&["plan", "root"]).ok();
    assert!(plan.stdout.contains("aws_vpc.main has moved to aws_vpc.network[0]"), "{}", plan.all());
    assert!(plan.stdout.contains("0 to destroy, 1 to move"), "{}", plan.all());
    let json = env.run(&["plan", "root", "--format", "json"]).ok().json();
    assert_eq!(json["changes"][0]["previous_address"], "aws_vpc.main");
    assert_eq!(json["changes"][0]["action"], "none");
    let markdown = env.run(&["plan", "root", "--format", "markdown"]).ok();
    assert!(markdown.stdout.contains("aws_vpc.main has moved to"), "{}", markdown.all());
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(2);
    let applied = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(applied.stderr.contains("1 moved"), "{}", applied.all());
    let list = env.run(&["state", "list", "root"]).ok();
    assert_eq!(list.stdout.trim(), "aws_vpc.network[0]");
    let shown = env.run(&["state", "show", "root", "aws_vpc.network[0]"]).ok();
    assert!(shown.stdout.contains(&id), "{}", shown.all());
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_saved_plan_moves_what_it_said() {
    let env = TestEnvironment::with_root(VPC);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write(
        "root/main.tf",
        &format!(
            "{}\nmoved {{\n  from = aws_vpc.main\n  to   = aws_vpc.network\n}}\n",
            VPC.replace("\"main\" {", "\"network\" {")
        ),
    );
    env.run(&["plan", "root", "--out", "plan.cutover"]).ok();
    env.run(&["apply", "plan.cutover"]).ok();
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout.trim(), "aws_vpc.network");
}

#[test]
fn what_is_removed_without_destroying_lives_on_and_can_be_imported_again() {
    let env = TestEnvironment::with_root(VPC);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let id = vpc_id(&env);
    env.write(
        "root/main.tf",
        "removed {\n  from = aws_vpc.main\n  lifecycle {\n    destroy = false\n  }\n}\n",
    );
    let plan = env.run(&["plan", "root"]).ok();
    assert!(plan.stdout.contains("will no longer be managed, but lives on"), "{}", plan.all());
    assert!(plan.stderr.contains("warning[forgotten]"), "{}", plan.all());
    let applied = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(applied.stderr.contains("0 destroyed, 1 forgotten"), "{}", applied.all());
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout, "");

    env.write("root/main.tf", &format!("{VPC}\nimport {{\n  to = aws_vpc.main\n  id = \"{id}\"\n}}\n"));
    let plan = env.run(&["plan", "root"]).ok();
    assert!(plan.stdout.contains("will be imported"), "{}", plan.all());
    assert!(
        plan.stdout.contains("0 to create, 0 to change, 0 to replace, 0 to destroy, 1 to import"),
        "{}",
        plan.all()
    );
    let applied = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(applied.stderr.contains("1 imported"), "{}", applied.all());
    assert_eq!(vpc_id(&env), id);
    // The block may stay.
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn an_import_that_differs_is_updated_after() {
    let env = TestEnvironment::with_root(VPC);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let id = vpc_id(&env);
    env.run(&["state", "rm", "root", "aws_vpc.main"]).ok();
    let changed = VPC.replace("Name = \"main\"", "Name = \"other\"");
    env.write("root/main.tf", &format!("{changed}\nimport {{\n  to = aws_vpc.main\n  id = \"{id}\"\n}}\n"));
    let plan = env.run(&["plan", "root"]).ok();
    assert!(
        plan.stdout.contains(&format!("will be imported by id {id}, then will be changed")),
        "{}",
        plan.all()
    );
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let shown = env.run(&["state", "show", "root", "aws_vpc.main"]).ok();
    assert!(shown.stdout.contains("other"), "{}", shown.all());
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn importing_what_does_not_exist_is_an_error_at_the_id() {
    let env = TestEnvironment::with_root(&format!(
        "{VPC}\nimport {{\n  to = aws_vpc.main\n  id = \"vpc-0123456789abcdef0\"\n}}\n"
    ));
    let plan = env.run(&["plan", "root"]).exits(1);
    assert!(plan.stderr.contains("nothing-to-import") && plan.stderr.contains("main.tf:9"), "{}", plan.all());
}

#[test]
fn configuration_is_written_for_what_is_imported_and_then_nothing_differs() {
    let env = TestEnvironment::with_root(VPC);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let id = vpc_id(&env);
    env.run(&["state", "rm", "root", "aws_vpc.main"]).ok();
    env.write("root/main.tf", &format!("import {{\n  to = aws_vpc.main\n  id = \"{id}\"\n}}\n"));
    let refused = env.run(&["plan", "root"]).exits(1);
    assert!(refused.stderr.contains("--generate-config-out"), "{}", refused.all());
    env.run(&["plan", "root", "--generate-config-out=root/generated.tf"]).ok();
    let text = env.read("root/generated.tf");
    assert!(text.contains("resource \"aws_vpc\" \"main\" {"), "{text}");
    assert!(text.contains("cidr_block") && text.contains("10.0.0.0/16"), "{text}");
    let formatted = env.run(&["fmt", "--check", "root/generated.tf"]);
    assert_eq!(formatted.code, 0, "{}", formatted.all());
    env.run(&["plan", "root", "--generate-config-out=root/generated.tf"]).exits(1);
    let plan = env.run(&["plan", "root"]).ok();
    assert!(plan.stdout.contains("0 to change, 0 to replace, 0 to destroy, 1 to import"), "{}", plan.all());
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_failed_check_warns_in_plan_and_apply_and_stops_nothing() {
    let env = TestEnvironment::with_root(&format!(
        r#"{VPC}
check "range" {{
  data "aws_vpc" "same" {{
    id = aws_vpc.main.id
  }}
  assert {{
    condition     = data.aws_vpc.same.cidr_block == "10.9.0.0/16"
    error_message = "the range is ${{data.aws_vpc.same.cidr_block}}"
  }}
}}
check "names" {{
  assert {{
    condition     = aws_vpc.main.tags.Name == "other"
    error_message = "not the name"
  }}
}}
"#
    ));
    let plan = env.run(&["plan", "root"]).ok();
    assert!(plan.stdout.contains("check.range: known only after apply"), "{}", plan.all());
    assert!(plan.stdout.contains("check.names: does not hold\n      not the name"), "{}", plan.all());
    let json = env.run(&["plan", "root", "--format", "json"]).ok().json();
    assert_eq!(json["checks"]["check.names"]["status"], "fail");
    let markdown = env.run(&["plan", "root", "--format", "markdown"]).ok();
    assert!(
        markdown.stdout.contains("| `check.names` | does not hold: not the name |"),
        "{}",
        markdown.all()
    );
    let applied = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(applied.stderr.contains("the range is 10.0.0.0/16"), "{}", applied.all());
}

#[test]
fn a_postcondition_that_fails_while_applying_stops_what_depends_on_it() {
    let env = TestEnvironment::with_root(
        r#"
resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  lifecycle {
    postcondition {
      condition     = startswith(self.id, "never")
      error_message = "the id is ${self.id}"
    }
  }
}
resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.0.0/24"
}
"#,
    );
    env.run(&["plan", "root"]).ok();
    let applied = env.run(&["apply", "root", "--auto-approve"]).exits(1);
    assert!(applied.stderr.contains("the id is vpc-"), "{}", applied.all());
    assert!(applied.stderr.contains("not begun: aws_subnet.a"), "{}", applied.all());
    // What was made is not lost.
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout.trim(), "aws_vpc.main");
}

#[test]
fn a_disabled_resource_is_destroyed_and_is_null_to_others() {
    let main = |enabled: bool| {
        format!(
            "resource \"aws_vpc\" \"main\" {{\n  cidr_block = \"10.0.0.0/16\"\n  lifecycle {{\n    enabled = {enabled}\n  }}\n}}\n\
             output \"range\" {{\n  value = aws_vpc.main == null ? \"none\" : try(aws_vpc.main.cidr_block, \"none\")\n}}\n"
        )
    };
    let env = TestEnvironment::with_root(&main(true));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout.trim(), "aws_vpc.main");
    env.write("root/main.tf", &main(false));
    let applied = env.run(&["apply", "root", "--auto-approve"]).ok();
    assert!(applied.stderr.contains("1 destroyed"), "{}", applied.all());
    assert!(applied.stdout.contains("range = \"none\""), "{}", applied.all());
}

#[test]
fn prevent_destroy_names_its_line_and_the_resource() {
    let main = |cidr: &str| {
        format!(
            "resource \"aws_vpc\" \"main\" {{\n  cidr_block = \"{cidr}\"\n  lifecycle {{\n    prevent_destroy = true\n  }}\n}}\n"
        )
    };
    let env = TestEnvironment::with_root(&main("10.0.0.0/16"));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write("root/main.tf", &main("10.1.0.0/16"));
    let plan = env.run(&["plan", "root"]).exits(1);
    assert!(plan.stderr.contains("prevent-destroy") && plan.stderr.contains("main.tf:4"), "{}", plan.all());
}

#[test]
fn state_commands_say_what_they_do_keep_a_backup_and_can_be_tried() {
    let env = TestEnvironment::with_root(VPC);
    env.run(&["apply", "root", "--auto-approve"]).ok();
    let id = vpc_id(&env);
    let tried =
        env.run(&["state", "mv", "root", "aws_vpc.main", "module.net.aws_vpc.main", "--dry-run"]).ok();
    assert_eq!(tried.stdout.trim(), format!("would move aws_vpc.main to module.net.aws_vpc.main [{id}]"));
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout.trim(), "aws_vpc.main");
    let moved = env.run(&["state", "mv", "root", "aws_vpc.main", "module.net.aws_vpc.main"]).ok();
    assert!(moved.stderr.contains("backup.json"), "{}", moved.all());
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout.trim(), "module.net.aws_vpc.main");
    env.run(&["state", "mv", "root", "module.net", "module.other"]).ok();
    env.run(&["state", "mv", "root", "module.other.aws_vpc.main", "aws_subnet.main"]).exits(1);
    env.run(&["state", "rm", "root", "aws_vpc.nothing"]).exits(1);
    env.run(&["state", "rm", "root", "module.other"]).ok();
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout, "");
    let imported = env.run(&["import", "root", "aws_vpc.main", &id]).ok();
    assert!(imported.stdout.contains("imported aws_vpc.main"), "{}", imported.all());
    assert_eq!(vpc_id(&env), id);
    env.run(&["import", "root", "aws_vpc.main", &id]).exits(1);
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
}

#[test]
fn moves_that_cannot_be_are_told_where_they_stand() {
    let cases = [
        (
            "moved {\n  from = aws_vpc.a\n  to   = aws_vpc.b\n}\nmoved {\n  from = aws_vpc.b\n  to   = aws_vpc.a\n}\n",
            "move-cycle",
        ),
        ("moved {\n  from = aws_vpc.main\n  to   = aws_vpc.b\n}\n", "still-declared"),
        ("moved {\n  from = aws_vpc.a\n  to   = aws_subnet.b\n}\n", "invalid-move"),
        (
            "moved {\n  from = aws_vpc.a\n  to   = aws_vpc.b\n}\nmoved {\n  from = aws_vpc.a\n  to   = aws_vpc.c\n}\n",
            "ambiguous-move",
        ),
        ("removed {\n  from = aws_vpc.main\n}\n", "still-declared"),
        ("removed {\n  from = aws_vpc.a[0]\n}\n", "invalid-removal"),
    ];
    for (block, code) in cases {
        let env = TestEnvironment::with_root(&format!("{VPC}{block}"));
        let found = env.run(&["validate", "root"]).exits(1);
        assert!(found.stderr.contains(code) && found.stderr.contains("main.tf:6"), "{code}: {}", found.all());
    }
}
