//! Mistakes: each located, with help, all reported at once, exit code 1, and nothing touched.

use crate::environment::TestEnvironment;

/// What must be said about a mistake, where.
struct Mistake {
    name: &'static str,
    main: &'static str,
    /// (code, line of main.tf, words)
    expected: &'static [(&'static str, usize, &'static str)],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "unknown attribute",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_blok = \"10.0.0.0/16\"\n}\n",
        expected: &[("unknown-attribute", 2, "did you mean `cidr_block`?")],
    },
    Mistake {
        name: "missing required argument",
        main: "resource \"aws_internet_gateway\" \"x\" {}\n\nresource \"aws_ecs_cluster\" \"x\" {\n}\n",
        expected: &[("missing-argument", 3, "`name`")],
    },
    Mistake {
        name: "wrong type",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_block         = \"10.0.0.0/16\"\n  enable_dns_support = \"maybe\"\n}\n",
        expected: &[("wrong-type", 3, "enable_dns_support")],
    },
    Mistake {
        name: "undeclared variable",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_block = var.cidr\n}\n\nvariable \"cidrs\" {\n  default = \"10.0.0.0/16\"\n}\n",
        expected: &[("undeclared", 2, "did you mean `cidrs`?")],
    },
    Mistake {
        name: "reference to nothing",
        main: "resource \"aws_subnet\" \"a\" {\n  vpc_id     = aws_vpc.man.id\n  cidr_block = \"10.0.0.0/24\"\n}\n\nresource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n",
        expected: &[("undeclared-resource", 2, "did you mean `aws_vpc.main`?")],
    },
    Mistake {
        name: "unknown attribute of a reference",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n\noutput \"x\" {\n  value = aws_vpc.main.idd\n}\n",
        expected: &[("unknown-attribute", 6, "did you mean `id`?")],
    },
    Mistake {
        name: "cycle",
        main: "locals {\n  a = local.b\n  b = local.a\n}\n",
        expected: &[("cycle", 2, "local.a, local.b")],
    },
    Mistake {
        name: "duplicate address",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n\nresource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.1.0.0/16\"\n}\n",
        expected: &[("duplicate", 5, "first declared here")],
    },
    Mistake {
        name: "missing module",
        main: "module \"net\" {\n  source = \"../modules/netwrk\"\n}\n",
        expected: &[("missing-module", 2, "did you mean `network`?")],
    },
    Mistake {
        name: "missing and unknown module arguments",
        main: "module \"ecr\" {\n  source = \"../modules/ecr\"\n  nam    = \"x\"\n}\n",
        expected: &[("missing-argument", 1, "`name`"), ("unknown-attribute", 3, "did you mean `name`?")],
    },
    Mistake {
        name: "unknown type",
        main: "resource \"aws_vpcs\" \"main\" {\n}\n",
        expected: &[("unknown-type", 1, "did you mean `aws_vpc`?")],
    },
    Mistake {
        name: "value out of the allowed",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_block       = \"10.0.0.0/16\"\n  instance_tenancy = \"defalt\"\n}\n",
        expected: &[("invalid-value", 3, "did you mean \"default\"?")],
    },
    Mistake {
        name: "count that is known only after apply",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n\nresource \"aws_eip\" \"x\" {\n  for_each = toset([aws_vpc.main.id])\n}\n",
        expected: &[("unknown-repetition", 6, "known only after apply")],
    },
    Mistake {
        name: "failed validation",
        main: "variable \"size\" {\n  type    = number\n  default = 0\n  validation {\n    condition     = var.size > 0\n    error_message = \"The size must be positive.\"\n  }\n}\n",
        expected: &[("invalid-variable", 1, "The size must be positive.")],
    },
    Mistake {
        name: "sensitive output",
        main: "variable \"x\" {\n  default   = \"hidden-thing\"\n  sensitive = true\n}\n\noutput \"x\" {\n  value = var.x\n}\n",
        expected: &[("sensitive-output", 6, "sensitive = true")],
    },
    Mistake {
        name: "several at once, in source order",
        main: "resource \"aws_vpc\" \"main\" {\n  cidr_blok = \"10.0.0.0/16\"\n  tags      = { a = local.nope }\n}\n\noutput \"y\" {\n  value = var.nope\n}\n",
        expected: &[("unknown-attribute", 2, ""), ("undeclared", 3, ""), ("undeclared", 7, "")],
    },
    Mistake {
        name: "broken HCL, twice",
        main: "locals {\n  a = [1, 2\n}\n\nlocals {\n  b = \n}\n",
        expected: &[("unclosed-bracket", 3, "never closed"), ("expected-expression", 6, "")],
    },
    Mistake {
        name: "missing variable",
        main: "variable \"size\" {\n  type = number\n}\n\noutput \"x\" {\n  value = var.size\n}\n",
        expected: &[("missing-variable", 1, "-var 'size=…'")],
    },
];

#[test]
fn mistakes_are_located_and_change_nothing() {
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let env = TestEnvironment::shipped();
        env.write("root/cutover.hcl", "cutover {\n  cloud = \"embedded\"\n}\n");
        env.write("root/main.tf", mistake.main);
        let ran = env.run(&["apply", "root", "--auto-approve"]);
        let mut problems = Vec::new();
        if ran.code != 1 {
            problems.push(format!("exit code {}", ran.code));
        }
        let mut from = 0;
        for (code, line, words) in mistake.expected {
            let place = format!("root/main.tf:{line}:");
            // In the order of the source: each is looked for after the one before.
            match ran.stderr[from..].find(&place) {
                Some(at) => from += at + place.len(),
                None => problems.push(format!("no error at line {line} (in order)")),
            }
            if !code.is_empty() && !ran.stderr.contains(&format!("error[{code}]")) {
                problems.push(format!("no error[{code}]"));
            }
            if !ran.stderr.contains(words) {
                problems.push(format!("{words:?} is not said"));
            }
        }
        if env.path().join("root/.cutover/state.json").exists() {
            problems.push("something was written to the state".to_owned());
        }
        if !problems.is_empty() {
            wrong.push(format!("{}: {}\n{}", mistake.name, problems.join("; "), ran.all()));
        }
    }
    println!("counted: {} kinds of mistakes", MISTAKES.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), MISTAKES.len(), wrong.join("\n"));
}

#[test]
fn usage_errors_exit_with_one() {
    let env = TestEnvironment::new();
    for args in
        [&["plam"][..], &["plan", "--nope"], &["plan", "nowhere"], &["state", "show", ".", "not an address"]]
    {
        let ran = env.run(args).exits(1);
        assert!(!ran.stderr.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn without_credentials_it_says_which_were_looked_for() {
    let env = TestEnvironment::new();
    env.write("root/main.tf", "provider \"aws\" {\n  region = \"us-east-1\"\n}\n\nresource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n");
    let ran = env.run_with(&["plan", "root"], &[("AWS_EC2_METADATA_DISABLED", "true")]).exits(1);
    for words in ["NoCredentials", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "web identity", "cloud = \"embedded\""]
    {
        assert!(ran.stderr.contains(words), "{words:?} is missing in\n{}", ran.all());
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_told() {
    let env = TestEnvironment::new();
    env.write("root/main.tf", "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n");
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_REGION", "us-east-1")];
    for (name, url, told) in [
        ("AWS_ENDPOINT_URL", "", "AWS_ENDPOINT_URL is empty"),
        ("AWS_ENDPOINT_URL_EC2", "", "AWS_ENDPOINT_URL_EC2 is empty"),
        ("AWS_ENDPOINT_URL", "localhost:4566", "AWS_ENDPOINT_URL is `localhost:4566`, which is no URL"),
    ] {
        let ran = env.run_with(&["plan", "root"], &[&keys[..], &[(name, url)]].concat()).exits(1);
        assert!(ran.stderr.contains("error[InvalidEndpoint]") && ran.stderr.contains(told), "{}", ran.all());
    }
}

#[test]
fn an_aws_error_names_operation_address_code_and_what_to_do() {
    let main = "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n\nresource \"aws_subnet\" \"out\" {\n  vpc_id     = aws_vpc.main.id\n  cidr_block = \"192.168.0.0/24\"\n}\n";
    let env = TestEnvironment::with_root(main);
    let ran = env.run(&["apply", "root", "--auto-approve"]).exits(1);
    for words in ["aws_subnet.out", "CreateSubnet", "InvalidSubnet.Range", "request id", "help:"] {
        assert!(ran.stderr.contains(words), "{words:?} is missing in\n{}", ran.all());
    }
    // What was made is known, and the rest goes on from there.
    assert_eq!(env.run(&["state", "list", "root"]).ok().stdout, "aws_vpc.main\n");
    env.run(&["destroy", "root", "--auto-approve"]).ok();
}
