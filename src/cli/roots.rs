//! Terraform 1.11.4's own answers for whole small roots (`fixtures/lang/roots.jsonl`): the same exit code,
//! the same number of errors and warnings at the same lines, the same changes, the same outputs.
//!
//! A plan that failed is never applied: what it had planned until then is compared only where we, too,
//! get past validation. Where loading fails, Terraform stops at the first kind of mistake and we report
//! all: compared is that it fails.

use super::cloud::CloudKind;
use super::environment::{Environment, EnvironmentArgs, VariableArgs};
use super::error::CliError;
use super::session::{load_checked, with_unchecked_walk};
use crate::addr::{InstanceKey, Mode};
use crate::apply;
use crate::config::variables::Argument;
use crate::diag::{Diagnostic, Diagnostics, Severity, Sources};
use crate::plan::walk::Purpose;
use crate::plan::{Action, Change, Plan, Reason};
use crate::value::answer_json;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// (case, why ours differs, what shows that it is right)
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "rev_import_missing_inst",
        "an import that cannot be does not hide what else is planned",
        "Terraform reports the same error and lists no changes",
    ),
    (
        "prepost",
        "`self` in a precondition is one mistake, told once",
        "Terraform reports it while validating and again while evaluating, both at line 6",
    ),
    (
        "unused_local_err",
        "a division by zero is an error wherever it stands",
        "Terraform reports `1/0` (edge.jsonl) only where the infinity would have to be written down",
    ),
    (
        "json_trailing_comma",
        "a comma too many is told, and what stands before it understood",
        "Terraform reports line 2 as well: it takes the object for no object then",
    ),
    (
        "json_undeclared",
        "the reference stands on the line where it is written",
        "Terraform counts an escaped line break in the string before it as a line of the file",
    ),
    (
        "override_type_misfit",
        "what does not fit is the default, in the other file",
        "Terraform names the block of the override file; without an override the default, as we do",
    ),
    (
        "module_missing",
        "the source is what is wrong",
        "Terraform names the module block here, but the source in `terraform init`",
    ),
    (
        "vendored_not",
        "the source is what is wrong",
        "Terraform names the module block here, but the source in `terraform init`",
    ),
    (
        "more_v_type_err",
        "a wrong value given for a variable is told together with the module call",
        "Terraform checks values only when the configuration is valid",
    ),
    (
        "more_tfvars_bad",
        "what cannot be evaluated is told, and not that there is no value as well",
        "Terraform reports `No value for required variable` as a consequence",
    ),
    (
        "more_tfvars_ref",
        "what cannot be evaluated is told, and not that there is no value as well",
        "Terraform reports `No value for required variable` as a consequence",
    ),
    (
        "more_var_cli_types",
        "the text given on the command line is pointed at",
        "Terraform points at the variable when its type is primitive, at the command line otherwise",
    ),
    (
        "more_mod_single_idx",
        "an output with a sensitive value in it is told together with the wrong index",
        "Terraform reports line 4 only after line 5 was mended",
    ),
    (
        "more_check_block",
        "asserts that are wrong are asserts",
        "Terraform reports `Zero assert blocks` as well: it drops wrong ones first",
    ),
    (
        "more_tfjson_err",
        "an unknown argument is told together with the references",
        "Terraform reports `bogus` only after the references were mended",
    ),
    (
        "more_syntax_one",
        "a quote that is not closed is one mistake, told where it is",
        "Terraform reports each line that follows, and the quote last",
    ),
    (
        "more_prevent",
        "the setting that forbids it is pointed at",
        "Terraform points at the resource's first line",
    ),
    (
        "asked_imp_dup_each",
        "an instance that is imported once for each element is a mistake",
        "Terraform takes the last id without a word",
    ),
    (
        "asked_dep_undeclared",
        "all names in depends_on must be declared",
        "Terraform looks up resources only, and takes undeclared variables, locals, modules and data sources",
    ),
    ("asked_dep_undeclared_mod", "undeclared names are told in all modules", "Terraform stops at the root's"),
    (
        "asked_dep_attr",
        "an instance that cannot be is told together with what is no whole declaration",
        "Terraform reports it (`Unexpected resource instance key`) only after those were mended",
    ),
    (
        "asked_tfvars_two_errors",
        "what cannot be evaluated is told, and not that there is no value as well",
        "Terraform reports `No value for required variable` as a consequence",
    ),
    (
        "asked_tfvars_two_errors2",
        "what cannot be evaluated is told, and not that there is no value as well",
        "Terraform reports `No value for required variable` as a consequence",
    ),
    ("asked_tfvars_syntax2", "each line that cannot be read is told", "Terraform stops at the first"),
    ("asked_tfvars_block", "each block in a variable file is told", "Terraform stops at the first"),
    (
        "asked_lexec_err",
        "a command on this machine is told beside the errors",
        "Terraform has no such warning",
    ),
    ("asked_lexec_ok", "a command on this machine is told", "Terraform has no such warning"),
    ("asked_removed_declared", "the `removed` block is what is wrong", "Terraform points at the resource"),
    (
        "asked_import_id_bad",
        "an id that is not known yet is told together with those that cannot be",
        "Terraform reports it only after those were mended",
    ),
    (
        "asked_import_nodecl",
        "each import that nothing declares is told",
        "Terraform stops at the first that has a key, or at the others",
    ),
    (
        "asked_pre_self",
        "`self` in a precondition is one mistake, told once",
        "Terraform reports it twice, both at line 5",
    ),
    (
        "asked_pre_fail_each",
        "an output's precondition fails beside the resource's",
        "Terraform reports it only after the resource's was mended",
    ),
    (
        "asked_loc_cycle",
        "each circle is told, with its places",
        "Terraform reports one of the two, without a place",
    ),
    (
        "asked_self_ref",
        "what refers to itself is told beside other mistakes",
        "Terraform finds it only after `self` was mended",
    ),
    (
        "asked_validation_chain2",
        "the text given on the command line is pointed at",
        "Terraform points at the variable",
    ),
    (
        "asked_mod_sens",
        "what a module says to be sensitive is sensitive to who calls it, as Terraform's documentation has it",
        "Terraform 1.11.4 shows the value",
    ),
    (
        "asked_rtb_each",
        "what cannot be triggered is listed beside the error",
        "Terraform reports the same errors and leaves those instances out",
    ),
    (
        "asked_rtb_index",
        "what cannot be triggered is listed beside the error",
        "Terraform reports the same error and leaves that instance out",
    ),
];

/// What a plan came to.
#[derive(Default)]
struct Planned {
    exit: i64,
    /// (severity, file, line), sorted; no file where Terraform tells none.
    diagnostics: Vec<(String, Option<(String, u64)>)>,
    /// None: it failed before anything was planned.
    changes: Option<BTreeMap<String, Json>>,
    outputs: BTreeMap<String, Json>,
}

pub fn write(dir: &Path, files: &Json) {
    for (name, text) in files.as_object().expect("files by name") {
        let path = dir.join(name);
        match text.as_str() {
            Some(text) => {
                std::fs::create_dir_all(path.parent().expect("inside")).expect("made");
                std::fs::write(&path, text).expect("written");
            }
            None => std::fs::remove_file(&path).expect("removed"),
        }
    }
}

pub fn arguments(dir: &Path, args: &Json) -> EnvironmentArgs {
    let words: Vec<&str> = args.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let given = words.chunks(2).map(|pair| match pair {
        ["-var", text] => Argument::Var((*text).to_owned()),
        // Terraform runs in the root.
        ["-var-file", path] => Argument::File(dir.join(path)),
        other => panic!("the recorded arguments have something new: {other:?}"),
    });
    EnvironmentArgs {
        dir: dir.to_owned(),
        variables: VariableArgs { given: given.collect() },
        cloud: Some(CloudKind::Embedded),
        compact_warnings: false,
        generate: false,
    }
}

fn places(dir: &Path, diags: Diagnostics, sources: &Sources) -> Vec<(String, Option<(String, u64)>)> {
    let place = |d: &Diagnostic| {
        let span = d.span()?;
        let path = sources.path(span.file);
        let path = path.strip_prefix(dir).unwrap_or(path).display().to_string();
        Some((path, sources.line_column(span.file, span.start).0 as u64))
    };
    let word = |d: &Diagnostic| if d.severity == Severity::Error { "error" } else { "warning" };
    let mut out: Vec<_> = diags.iter().map(|d| (word(d).to_owned(), place(d))).collect();
    out.sort();
    out
}

/// Plans; with `apply`, carries it out.
fn run(dir: &Path, args: &Json, applying: bool) -> Planned {
    let environment = match load_checked(&arguments(dir, args)) {
        Ok(environment) => environment,
        Err(CliError::Config { diags, sources }) => {
            return Planned { exit: 1, diagnostics: places(dir, diags, &sources), ..Planned::default() };
        }
        Err(error) => panic!("{error:?}"),
    };
    plan(dir, environment, applying)
}

fn plan(dir: &Path, environment: Environment, applying: bool) -> Planned {
    let mut planned = Planned::default();
    let done = with_unchecked_walk(environment, Purpose::Plan, None, async |walk, session| {
        planned.changes = Some(changes(&walk.plan()));
        planned.outputs = outputs(&walk.plan());
        let found = std::mem::take(&mut walk.diags);
        session.environment.check(found)?;
        planned.diagnostics = places(dir, session.environment.diags.clone(), &session.environment.sources);
        if applying {
            session.environment.state.save(&walk.state)?;
            let mut journal = session.environment.state.open_journal()?;
            let outcome = apply::apply(
                walk,
                &mut journal,
                &|_| {},
                session.clock.clone(),
                10,
                &session.stop,
                &*session.prober,
            )
            .await;
            assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
            session.environment.state.save(&walk.state)?;
        }
        Ok(())
    });
    match done {
        Ok(()) => planned,
        Err(CliError::Config { diags, sources }) => {
            planned.exit = 1;
            planned.diagnostics = places(dir, diags, &sources);
            planned
        }
        Err(error) => panic!("{error:?}"),
    }
}

fn actions(change: &Change) -> Json {
    match change.action {
        Action::None | Action::Import => json!(["no-op"]),
        Action::Read => json!(["read"]),
        Action::Create => json!(["create"]),
        Action::Update => json!(["update"]),
        Action::Replace if change.create_before_destroy => json!(["create", "delete"]),
        Action::Replace => json!(["delete", "create"]),
        Action::Delete => json!(["delete"]),
        Action::Forget => json!(["forget"]),
    }
}

/// In Terraform's words.
fn reason(change: &Change) -> Option<&'static str> {
    match (change.action, change.reason.as_ref()) {
        (Action::Replace, None) => Some("replace_because_cannot_update"),
        (Action::Replace, Some(Reason::Triggered)) => Some("replace_by_triggers"),
        (_, Some(Reason::NotDeclared)) => Some("delete_because_no_resource_config"),
        (_, Some(Reason::WrongRepetition)) => Some("delete_because_wrong_repetition"),
        (_, Some(Reason::NoInstance)) => Some(match change.address.key {
            InstanceKey::Key(_) => "delete_because_each_key",
            _ => "delete_because_count_index",
        }),
        (_, Some(Reason::NoMoveTarget)) => Some("delete_because_no_move_target"),
        (_, Some(Reason::ConfigUnknown)) => Some("read_because_config_unknown"),
        (_, Some(Reason::DependencyPending)) => Some("read_because_dependency_pending"),
        _ => None,
    }
}

fn changes(plan: &Plan) -> BTreeMap<String, Json> {
    let shown = plan.changes.iter().filter(|c| !c.is_nothing());
    shown
        .filter(|c| c.address.mode == Mode::Managed || c.action == Action::Read)
        .map(|c| {
            let mut entry = json!({ "actions": actions(c) });
            if let Some(reason) = reason(c) {
                entry["action_reason"] = json!(reason);
            }
            if let Some(previous) = &c.previous {
                entry["previous_address"] = json!(previous);
            }
            if c.importing.is_some() {
                entry["importing"] = json!(true);
            }
            (c.address.to_string(), entry)
        })
        .collect()
}

fn outputs(plan: &Plan) -> BTreeMap<String, Json> {
    let declared = plan.outputs.iter().filter(|(_, o)| !o.removed);
    declared
        .map(|(name, output)| {
            let mut entry = Json::Object(answer_json(&output.after));
            if entry.get("value").is_none() {
                entry["value"] = Json::Null;
            }
            entry.as_object_mut().expect("an object").remove("sensitive");
            if output.sensitive {
                entry["sensitive"] = json!(true);
            }
            (name.clone(), entry)
        })
        .collect()
}

/// Severities and places of what Terraform says.
fn places_of(recorded: &Json) -> Vec<(String, Option<(String, u64)>)> {
    let diagnostic = |d: &Json| {
        let place = d["file"].as_str().zip(d["line"].as_u64());
        let place = place.map(|(file, line)| (file.to_owned(), line));
        (d["severity"].as_str().expect("a severity").to_owned(), place)
    };
    let mut found: Vec<_> =
        recorded["diagnostics"].as_array().into_iter().flatten().map(diagnostic).collect();
    found.sort();
    found
}

/// Terraform's side in the same shape.
fn recorded(plan: &Json) -> Planned {
    let list = |name: &str| plan[name].as_array().cloned().unwrap_or_default();
    let diagnostics = places_of(plan);
    let change = |mut c: Json| {
        let entry = c.as_object_mut().expect("an object");
        let address = entry.remove("address").expect("an address");
        (address.as_str().expect("text").to_owned(), c)
    };
    let outputs = plan["outputs"].as_object().cloned().unwrap_or_default();
    Planned {
        exit: plan["exit"].as_i64().expect("an exit code"),
        diagnostics,
        changes: Some(list("changes").into_iter().map(change).collect()),
        outputs: outputs.into_iter().collect(),
    }
}

/// What Terraform makes up anew in each run: ids of resources are not compared.
fn without_ids(outputs: &BTreeMap<String, Json>) -> BTreeMap<String, Json> {
    let is_uuid = |v: &Json| v.as_str().is_some_and(|s| s.parse::<uuid::Uuid>().is_ok());
    let each = |(name, output): (&String, &Json)| {
        let mut output = output.clone();
        if is_uuid(&output["value"]) {
            output["value"] = json!("an id");
        }
        (name.clone(), output)
    };
    outputs.iter().map(each).collect()
}

/// As many of each severity; where Terraform tells a place, the same one.
fn same_diagnostics(ours: &Planned, theirs: &Planned) -> bool {
    let counted = |p: &Planned, severity: &str| p.diagnostics.iter().filter(|(s, _)| s == severity).count();
    let placed: BTreeSet<_> = theirs.diagnostics.iter().filter(|(_, place)| place.is_some()).collect();
    ["error", "warning"].iter().all(|s| counted(ours, s) == counted(theirs, s))
        && placed.iter().all(|d| ours.diagnostics.contains(d))
}

fn differences(ours: &Planned, theirs: &Planned) -> Vec<String> {
    let mut out = Vec::new();
    if ours.exit != theirs.exit {
        out.push(format!("exit {} instead of {}", ours.exit, theirs.exit));
    }
    if !same_diagnostics(ours, theirs) {
        out.push(format!("diagnostics {:?} instead of {:?}", ours.diagnostics, theirs.diagnostics));
    }
    if ours.changes.is_some() && ours.changes != theirs.changes {
        out.push(format!("changes {:?} instead of {:?}", ours.changes, theirs.changes));
    }
    let (mine, other) = (without_ids(&ours.outputs), without_ids(&theirs.outputs));
    if ours.exit == 0 && mine != other {
        out.push(format!("outputs {mine:?} instead of {other:?}"));
    }
    out
}

fn check(case: &Json) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let args = &case["args"];
    write(dir.path(), &case["files"]);
    if case.get("init_error").is_some() {
        let planned = run(dir.path(), args, false);
        if planned.exit == 0 || planned.changes.is_some() {
            return vec!["loading does not fail".to_owned()];
        }
        // Where Terraform was asked for the places, too: what it finds, we find there.
        let theirs = places_of(case);
        let missed: Vec<_> = theirs.into_iter().filter(|d| !planned.diagnostics.contains(d)).collect();
        let told = || format!("{:?} instead of at least {missed:?}", planned.diagnostics);
        return if missed.is_empty() { Vec::new() } else { vec![told()] };
    }
    let applying = case.get("then").is_some();
    let mut out = differences(&run(dir.path(), args, applying), &recorded(&case["plan"]));
    if applying {
        assert_eq!(case["apply_exit"], 0, "only applies that end well were recorded");
        write(dir.path(), &case["then"]);
        let second = differences(&run(dir.path(), args, false), &recorded(&case["second_plan"]));
        out.extend(second.into_iter().map(|d| format!("second plan: {d}")));
    }
    out
}

#[test]
fn whole_roots_are_planned_as_in_terraform() {
    let (mut agree, mut all, mut wrong) = (0, 0, Vec::new());
    let files = [
        include_str!("../../fixtures/lang/roots.jsonl"),
        include_str!("../../fixtures/lang/more-roots.jsonl"),
        include_str!("../../fixtures/lang/reviewed-roots.jsonl"),
        include_str!("../../fixtures/lang/asked-roots.jsonl"),
        include_str!("../../fixtures/modules/roots.jsonl"),
    ];
    for line in files.iter().flat_map(|text| text.lines()) {
        let case: Json = serde_json::from_str(line).expect("fixtures are JSON lines");
        let name = case["name"].as_str().expect("a name");
        let found = check(&case);
        all += 1;
        match (found.is_empty(), EXCEPTIONS.iter().find(|(e, ..)| *e == name)) {
            (true, None) => agree += 1,
            (true, Some((_, reason, _))) => {
                wrong.push(format!("{name} is as in Terraform now: no longer an exception ({reason})"))
            }
            (false, None) => wrong.push(format!("{name}: {}", found.join("\n    "))),
            (false, Some((_, reason, evidence))) => println!("exception: {name}: {reason} ({evidence})"),
        }
    }
    println!("counted: roots: {agree} of {all} agree");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(all, 57 + 121 + 116 + 355 + 154);
}
