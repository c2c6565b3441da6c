//! A changed launch template rolls out in the plan that changes it, however its version is written.

use crate::environment::TestEnvironment;
use serde_json::Value as Json;

/// `group` is the part of the group that names the template; `data` is part of the template.
fn main(group: &str, data: &str) -> String {
    format!(
        r#"
data "aws_ssm_parameter" "ami" {{
  name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}}

resource "aws_vpc" "main" {{
  cidr_block = "10.0.0.0/16"
}}

resource "aws_subnet" "a" {{
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.0.0/24"
  availability_zone = "us-east-1a"
}}

resource "aws_launch_template" "hosts" {{
  name          = "hosts"
  image_id      = data.aws_ssm_parameter.ami.insecure_value
  instance_type = "t3.micro"
  {data}
}}

resource "aws_autoscaling_group" "hosts" {{
  name                = "hosts"
  min_size            = 1
  max_size            = 3
  desired_capacity    = 1
  vpc_zone_identifier = [aws_subnet.a.id]
  {group}
}}
"#
    )
}

const MIXED: &str = r#"
  mixed_instances_policy {
    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.hosts.id
        version            = VERSION
      }
      override {
        instance_type = "t3.micro"
      }
    }
  }
"#;

const PLAIN: &str = r#"
  launch_template {
    NAMED
    version = VERSION
  }
"#;

fn rolls_out(group: &str, always: &str) {
    let env = TestEnvironment::with_root(&main(group, always));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    env.write("root/main.tf", &main(group, &format!("{always}\n  user_data = \"ZWNobwo=\"")));
    let plan = env.run(&["plan", "root", "--format", "json"]).ok().json();
    let steps =
        plan["rollouts"][0]["steps"].as_array().unwrap_or_else(|| panic!("no rollout with {group}: {plan}"));
    let texts: Vec<&str> = steps.iter().filter_map(|s| s["text"].as_str()).collect();
    assert!(texts[0].contains("create a new version"), "{texts:?}");
    assert!(texts[1].contains("start an instance refresh of hosts"), "{texts:?}");
    let group_change = plan["changes"].as_array().expect("changes").iter();
    let causes: Vec<&Json> = group_change
        .filter(|c| c["address"] == "aws_autoscaling_group.hosts")
        .flat_map(|c| c["attributes"].as_array().expect("attributes"))
        .map(|a| &a["cause"])
        .collect();
    assert_eq!(causes, [&Json::from("config")], "nobody changed it by hand: {plan}");
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.run(&["plan", "root", "--detailed-exitcode"]).exits(0);
    env.run(&["drift", "root", "--detailed-exitcode"]).exits(0);
    let world: Json = serde_json::from_str(&env.read("root/.cutover/world.json")).expect("JSON");
    let members = world["autoscaling"]["groups"]["hosts"]["members"].as_object().expect("members");
    let serving = members.values().filter(|m| m["lifecycle"] == "InService");
    let versions: Vec<&Json> = serving.map(|m| &m["template"]["version"]).collect();
    assert_eq!(versions, [&Json::from("2")]);
}

#[test]
fn the_latest_version_by_reference() {
    let version = "aws_launch_template.hosts.latest_version";
    rolls_out(&MIXED.replace("VERSION", version), "");
    let plain = PLAIN.replace("NAMED", "id = aws_launch_template.hosts.id");
    rolls_out(&plain.replace("VERSION", version), "");
}

#[test]
fn the_latest_version_by_word() {
    rolls_out(&MIXED.replace("VERSION", "\"$Latest\""), "");
    let plain = PLAIN.replace("NAMED", "name = aws_launch_template.hosts.name");
    rolls_out(&plain.replace("VERSION", "\"$Latest\""), "");
}

#[test]
fn the_default_version_by_word() {
    let moves = "update_default_version = true";
    rolls_out(&MIXED.replace("VERSION", "\"$Default\""), moves);
    let plain = PLAIN.replace("NAMED", "id = aws_launch_template.hosts.id");
    rolls_out(&plain.replace("VERSION", "\"$Default\""), moves);
}

#[test]
fn a_default_version_that_stays_rolls_nothing_out() {
    let group = MIXED.replace("VERSION", "\"$Default\"");
    let env = TestEnvironment::with_root(&main(&group, ""));
    env.run(&["apply", "root", "--auto-approve"]).ok();
    env.write("root/main.tf", &main(&group, "user_data = \"ZWNobwo=\""));
    let plan = env.run(&["plan", "root", "--format", "json"]).ok().json();
    assert_eq!(plan["rollouts"], Json::Array(Vec::new()));
}
