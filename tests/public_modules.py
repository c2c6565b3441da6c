#!/usr/bin/env python3
"""Public modules, unmodified: what they evaluate to here against what the real Terraform planned for them.

    tests/public_modules.py DIR [--fetch] [--cutover FILE]
    tests/public_modules.py DIR --record --terraform FILE --endpoint URL

DIR holds checkouts of terraform-aws-modules as NAME@VERSION (`vpc@5.21.0`); --fetch makes them with git. They
are nobody's here and are never committed: fixtures/public-modules has our small roots that call them, and
Terraform's plans, recorded (addresses and values, unknown ones as "?").

Two things are checked. Every example listed in fixtures/public-modules/examples.json validates, where the only
thing wrong may be a resource type, data source or provider that Cutover lacks, each named as listed there. Every
root with a recorded plan has the same addresses and the same values, but for what is known here before it is
there (an id that is a name) and the differences listed with a reason in fixtures/public-modules/differences.json;
one listed there that does not occur is an error too.
"""
import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FIXTURES = PROJECT / "fixtures" / "public-modules"
# The newest tags that take version 5 of the AWS provider; where an example asks for an older major version, that.
VERSIONS = {
    "acm": ["5.1.1", "4.5.0"], "alb": ["9.17.0"], "autoscaling": ["8.3.1", "6.10.0"], "cloudwatch": ["5.7.1", "4.5.0"],
    "ecr": ["2.4.0"], "ecs": ["5.12.1"], "iam": ["5.60.0"], "lambda": ["7.21.1", "6.8.0"], "route53": ["5.0.0"],
    "s3-bucket": ["4.11.0", "3.15.2"], "secrets-manager": ["1.3.1"], "security-group": ["5.3.0"], "vpc": ["5.21.0"],
}
MISSING = {"unknown-type", "unknown-provider", "module-source"}


def fetch(modules):
    for name, versions in VERSIONS.items():
        for version in versions:
            into = modules / f"{name}@{version}"
            if not into.is_dir():
                url = f"https://github.com/terraform-aws-modules/terraform-aws-{name}"
                subprocess.run(["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1",
                                "--branch", f"v{version}", url, str(into)], check=True)


def calls(directory):
    for file in sorted(directory.glob("*.tf")):
        for call in re.finditer(r'^module\s+"([^"]+)"\s*\{(.*?)^\}', file.read_text(), re.S | re.M):
            source = re.search(r'^\s*source\s*=\s*"([^"]+)"', call.group(2), re.M)
            wanted = re.search(r'^\s*version\s*=\s*"[~>= ]*(\d+)', call.group(2), re.M)
            yield call.group(1), source.group(1), wanted and wanted.group(1)


def manifest(root, modules):
    """Writes what `terraform init` would: where the source of each module call lies."""
    records = [{"Key": "", "Source": "", "Dir": "."}]

    def walk(directory, key):
        for name, source, wanted in calls(directory):
            path = f"{key}.{name}" if key else name
            record = {"Key": path, "Source": source}
            if source.startswith("."):
                called = Path(os.path.normpath(directory / source))
            else:
                package, _, inner = source.partition("//")
                module = package.split("/")[1]
                versions = VERSIONS.get(module, [])
                version = next((v for v in versions if wanted and v.startswith(wanted + ".")), next(iter(versions), None))
                if version is None:
                    continue
                called = modules / f"{module}@{version}" / inner
                record.update(Source=f"registry.terraform.io/{source}", Version=version)
            record["Dir"] = os.path.relpath(called, root)
            records.append(record)
            walk(called, path)

    walk(root, "")
    into = root / ".terraform" / "modules"
    into.mkdir(parents=True, exist_ok=True)
    (into / "modules.json").write_text(json.dumps({"Modules": records}))


def known(value, unknown):
    """A planned value with "?" where it is unknown, without what is null or empty; documents as data."""
    if unknown is True:
        return "?"
    if isinstance(value, dict) or isinstance(unknown, dict):
        value, unknown = value or {}, unknown if isinstance(unknown, dict) else {}
        merged = {k: known(value.get(k), unknown.get(k)) for k in sorted(set(value) | set(unknown))}
        return {k: v for k, v in merged.items() if v is not None} or None
    if isinstance(value, list) or isinstance(unknown, list):
        value, unknown = value or [], unknown if isinstance(unknown, list) else []
        at = lambda of, i: of[i] if i < len(of) else None
        merged = [known(at(value, i), at(unknown, i)) for i in range(max(len(value), len(unknown)))]
        return merged if any(v is not None for v in merged) else None
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def planned(plan):
    return {c["address"]: known(c["change"].get("after"), c["change"].get("after_unknown"))
            for c in plan["resource_changes"] if c["mode"] == "managed"}


def differences(path, theirs, ours):
    if theirs == ours or theirs == "?":
        return
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(set(theirs) | set(ours)):
            yield from differences(f"{path}.{key}", theirs.get(key), ours.get(key))
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for a, b in zip(theirs, ours):
            yield from differences(f"{path}[]", a, b)
    else:
        yield path, theirs, ours


def run(command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)


def roots(modules, copies):
    """Name and directory of every root with a recorded plan; ours are copied where a manifest may be written."""
    for root in sorted((FIXTURES / "roots").iterdir()):
        shutil.copytree(root, copies / root.name)
        yield root.name, copies / root.name
    for example in json.loads((FIXTURES / "examples.json").read_text()):
        if example.get("recorded"):
            directory = modules / example["module"] / "examples" / example["example"]
            yield f"{example['module'].split('@')[0]}-{example['example']}", directory


def plan_here(cutover, root):
    (root / "cutover.hcl").write_text('cutover {\n  cloud = "embedded"\n}\n')
    try:
        done = run([cutover, "plan", root, "--format", "terraform-json"])
    finally:
        (root / "cutover.hcl").unlink()
        for state in root.glob("*.cutover*"):
            shutil.rmtree(state) if state.is_dir() else state.unlink()
    if done.returncode != 0:
        raise SystemExit(f"{root}: {done.stderr}")
    return json.loads(done.stdout)


def record(arguments, copies):
    environment = dict(os.environ, AWS_ENDPOINT_URL=arguments.endpoint, AWS_ACCESS_KEY_ID="test", TF_INPUT="0",
                       AWS_SECRET_ACCESS_KEY="test", AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
    for name, root in roots(arguments.modules, copies):
        manifest(root, arguments.modules)
        for command in (["init", "-get=false", "-backend=false"], ["plan", "-out=plan.bin"]):
            done = run([arguments.terraform, *command], cwd=root, env=environment)
            if done.returncode != 0:
                raise SystemExit(f"{name}: {done.stdout}{done.stderr}")
        shown = run([arguments.terraform, "show", "-json", "plan.bin"], cwd=root, env=environment)
        (root / "plan.bin").unlink()
        into = FIXTURES / "recorded" / f"{name}.json"
        into.parent.mkdir(exist_ok=True)
        into.write_text(json.dumps(planned(json.loads(shown.stdout)), indent=1, sort_keys=True) + "\n")
        print(f"recorded {name}")


def check_examples(arguments):
    failed = 0
    for example in json.loads((FIXTURES / "examples.json").read_text()):
        root = arguments.modules / example["module"] / "examples" / example["example"]
        manifest(root, arguments.modules)
        done = run([arguments.cutover, "validate", root, "--json"])
        told = [d for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error"]
        other = [d for d in told if d["code"] not in MISSING]
        lacks = sorted({m for d in told if d["code"] in MISSING for m in re.findall(r"`([^`]+)`", d["summary"])[:1]})
        expected = sorted(example.get("lacks", []))
        wrong = [d["summary"] for d in other]
        if lacks != expected:
            wrong.append(f"lacks {lacks}, listed are {expected}")
        failed += bool(wrong)
        print(f"{'FAILED' if wrong else 'ok':7}{example['module']}/{example['example']}: "
              f"{'; '.join(wrong) or ('lacks ' + ', '.join(lacks) if lacks else 'nothing is missing')}")
    return failed


def check_plans(arguments, copies):
    listed = json.loads((FIXTURES / "differences.json").read_text())
    unseen = {(d["root"], d["at"]) for d in listed}
    failed, resources = 0, 0
    for name, root in roots(arguments.modules, copies):
        manifest(root, arguments.modules)
        theirs = json.loads((FIXTURES / "recorded" / f"{name}.json").read_text())
        ours = planned(plan_here(arguments.cutover, root))
        resources += len(theirs)
        found = collections.OrderedDict()
        for address in sorted(set(theirs) | set(ours)):
            if address not in theirs or address not in ours:
                found[address] = (address in theirs, address in ours)
                continue
            kind = address.rsplit(".", 2)[-2]
            for at, a, b in differences(kind, theirs[address], ours[address]):
                found.setdefault(at, (a, b))
        new = {at: ab for at, ab in found.items() if (name, at) not in unseen}
        unseen -= {(name, at) for at in found}
        failed += bool(new)
        print(f"{'FAILED' if new else 'ok':7}{name}: {len(theirs)} resources, {len(found)} differences, "
              f"{len(found) - len(new)} of them listed")
        for at, (a, b) in new.items():
            print(f"         {at}: Terraform {json.dumps(a)[:160]}, here {json.dumps(b)[:160]}")
    for root, at in sorted(unseen):
        print(f"FAILED {root}: {at} is listed as a difference and is none")
    print(f"counted: {resources} resources of public modules compared, {len(listed)} differences listed")
    return failed + len(unseen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", type=lambda p: Path(p).resolve())
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--cutover", type=Path, default=PROJECT / "target" / "debug" / "cutover")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--terraform", default="terraform")
    parser.add_argument("--endpoint")
    arguments = parser.parse_args()
    if arguments.fetch:
        arguments.modules.mkdir(parents=True, exist_ok=True)
        fetch(arguments.modules)
    with tempfile.TemporaryDirectory() as copies:
        if arguments.record:
            record(arguments, Path(copies))
            return
        failed = check_examples(arguments) + check_plans(arguments, Path(copies))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
