#!/usr/bin/env python3
"""The real Terraform with the real AWS provider against `cutover sim serve`: apply, plan again, destroy.

    tests/terraform_provider.py [--cutover FILE] [--mirror DIR] [--modules DIR] [--speed N] [--prompt] [NAME…]

Needs Terraform 1.11 on the PATH, and version 5.100 of the AWS provider: from DIR, a provider mirror on this
machine, or as `terraform init` finds it. DIR of --modules holds public modules as tests/public_modules.py fetches
them; without it their configurations are left out.

Each configuration has a server and a world of its own, with throttling and IAM's delay unless --prompt. What is
printed: resources applied, whether the second plan is empty, resources destroyed, seconds. It ends with 1 when a
step fails, a second plan is not empty, anything outlives its destruction, or a step takes longer than --limit.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import public_modules

# Where it comes from, and what an override file says so that all of it can be destroyed in one go.
CONFIGURATIONS = {
    "dev": ("envs/dev", ""),
    "dev-fargate": ("envs/dev", 'variable "capacity" {\n  default = "FARGATE"\n}\n'),
    "staging": ("envs/staging", ""),
    "prod": (
        "envs/prod",
        'module "alb" {\n  deletion_protection = false\n}\n'
        'module "ecr" {\n  prevent_destroy = false\n  force_delete = true\n}\n'
        'module "asg" {\n  force_delete = true\n}\n',
    ),
}
# Our own, each a folder with what is said of it in its head.
OWN = ROOT / "fixtures" / "terraform-provider"
# Small roots that call public modules unmodified, and the modules' own examples.
CALLING = ROOT / "fixtures" / "public-modules" / "roots"
CALLED_WITH = {
    # The root only plans, so that any image will do.
    "asg": 'data "aws_ssm_parameter" "image" {\n'
    '  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64"\n}\n'
    'module "asg" {\n  image_id = data.aws_ssm_parameter.image.value\n}\n',
}
EXAMPLES = [
    "vpc@5.21.0/simple", "iam@5.60.0/iam-policy", "iam@5.60.0/iam-assumable-role",
    "iam@5.60.0/iam-assumable-roles",
]  # fmt: skip
SUMMARY = {
    "apply": re.compile(r"Apply complete! Resources: (\d+) added"),
    "plan": re.compile(r"^(No changes\.|Plan: .*|.* will be .*|.* must be .*)", re.M),
    "destroy": re.compile(r"Destroy complete! Resources: (\d+) destroyed"),
}

# What Terraform says of what it reads.
PLANNED = re.compile(r"^.*: (Refreshing state|Reading|Read complete|Still reading).*\n", re.M)


def configurations(modules):
    """Name, folder to copy, the root in it, an override file's text, whether it calls public modules."""
    for name, (path, override) in CONFIGURATIONS.items():
        yield name, ROOT, path, override, False
    for folder in sorted(p for p in OWN.iterdir() if p.is_dir()) if OWN.is_dir() else []:
        yield folder.name, folder, ".", "", False
    if modules:
        for folder in sorted(CALLING.iterdir()):
            yield f"module-{folder.name}", folder, ".", CALLED_WITH.get(folder.name, ""), True
        for example in EXAMPLES:
            module, name = example.split("/")
            short = module.split("@")[0]
            path = f"{module}/examples/{name}"
            if (modules / path).is_dir():
                yield f"example-{short}-{name}", modules, path, "", True


def serve(options, folder):
    (folder / "cutover.hcl").write_text('cutover {\n  cloud = "embedded"\n}\n')
    (folder / "main.tf").write_text('provider "aws" {\n  region = "us-east-1"\n}\n')
    command = [options.cutover, "sim", "serve", folder, "--port", "0", "--speed", str(options.speed)]
    log = open(folder / "serve.log", "w")
    command += ["--prompt"] if options.prompt else []
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", server.stdout.readline())
    if not endpoint:
        server.wait()
        sys.exit(f"the server did not start: {(folder / 'serve.log').read_text()}")
    return server, endpoint[1]


def copy(source, path, override, into):
    """A configuration as Terraform may see it: without Cutover's own blocks, with its state beside it."""
    keep = {"envs", "modules"} if source == ROOT else None
    skip = lambda folder, names: [
        n for n in names
        if n in {".git", ".terraform", "target"} or n.endswith((".tfstate", ".hcl", ".cutover"))
        or (keep and pathlib.Path(folder) == ROOT and n not in keep)
    ]  # fmt: skip
    shutil.copytree(source / path if source != ROOT and path == "." else source, into, ignore=skip)
    root = into / path
    if override:
        (root / "zz_override.tf").write_text(override)
    return root


class Failed(Exception):
    pass


def terraform(options, root, environment, *arguments):
    try:
        done = subprocess.run(
            [options.terraform, *arguments, "-no-color"], cwd=root, env=environment, text=True, timeout=options.limit,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as waited:
        text = (waited.stdout or b"").decode(errors="replace")
        raise Failed(f"{arguments[0]} did not end in {options.limit} s:\n{text[-3000:]}") from None
    if options.logs:
        with open(options.logs / f"{root_name(environment)}.log", "a") as log:
            log.write(f"$ terraform {' '.join(arguments)}\n{done.stdout}\n")
    if done.returncode != 0:
        text = done.stdout
        errors = text[text.find("Error"):] if "Error" in text else text[-3000:]
        raise Failed(f"{arguments[0]} failed:\n{errors}")
    return done.stdout


def root_name(environment):
    return environment["CONFIGURATION"]


def run(options, name, source, path, override, calls_modules, work):
    into = work / "copy"
    root = copy(source, path, override, into)
    if calls_modules:
        modules = into if source == options.modules else options.modules
        public_modules.manifest(root, modules)
    world = work / "world"
    world.mkdir()
    server, endpoint = serve(options, world)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))},
        "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "embedded", "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0",
        "CONFIGURATION": name,
    }  # fmt: skip
    if options.mirror:
        settings = work / "terraform.rc"
        installed = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{options.mirror}"\n  }}\n}}\n'
        settings.write_text(installed + "disable_checkpoint = true\n")
        environment["TF_CLI_CONFIG_FILE"] = str(settings)
    tell = lambda *arguments: terraform(options, root, environment, *arguments)
    started = time.monotonic()
    problems, applied, second, destroyed = [], "-", "-", "-"
    try:
        tell("init", "-backend=false", *(["-get=false"] if calls_modules else []))
        try:
            applied = SUMMARY["apply"].search(tell("apply", "-auto-approve"))[1]
            plan = tell("plan")
            found = SUMMARY["plan"].findall(plan)
            second = "empty" if found == ["No changes."] else "; ".join(found)
            if second != "empty":
                problems.append("the second plan is not empty:\n" + PLANNED.sub("", plan))
        except Failed as error:
            problems.append(str(error))
        destroyed = SUMMARY["destroy"].search(tell("destroy", "-auto-approve"))[1]
        if applied not in ("-", destroyed):
            problems.append(f"{applied} applied, {destroyed} destroyed")
    except Failed as error:
        problems.append(str(error))
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
    return applied, second, destroyed, time.monotonic() - started, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these configurations")
    parser.add_argument("--cutover", default=str(ROOT / "target" / "debug" / "cutover"))
    parser.add_argument("--terraform", default="terraform")
    parser.add_argument("--mirror", type=pathlib.Path)
    parser.add_argument("--modules", type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--speed", type=float, default=60)
    parser.add_argument("--prompt", action="store_true")
    parser.add_argument("--limit", type=float, default=600, help="seconds that one step may take")
    parser.add_argument("--logs", type=pathlib.Path, help="folder for what Terraform printed")
    parser.add_argument("--work", help="folder for copies and worlds")
    options = parser.parse_args()
    if not shutil.which(options.terraform):
        sys.exit("no Terraform on this machine")
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    listed = list(configurations(options.modules))
    unknown = set(options.names) - {name for name, *_ in listed}
    if unknown:
        sys.exit(f"no such configuration: {', '.join(sorted(unknown))}")
    failed, resources = 0, 0
    print(f"{'':34}{'applied':>8}{'destroyed':>10}{'seconds':>8}  second plan", flush=True)
    for name, *where in listed:
        if options.names and name not in options.names:
            continue
        with tempfile.TemporaryDirectory(prefix="terraform-", dir=options.work) as work:
            applied, second, destroyed, seconds, problems = run(options, name, *where, pathlib.Path(work))
        print(f"{name:34}{applied:>8}{destroyed:>10}{seconds:8.0f}  {second}", flush=True)
        for problem in problems:
            print("    " + problem.replace("\n", "\n    "), flush=True)
        failed += bool(problems)
        resources += int(applied) if applied.isdigit() else 0
    print(f"counted: {resources} resources applied by the AWS provider, {failed} configurations failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
