#!/usr/bin/env python3
"""CPU time and memory of Cutover and of Terraform on the same generated roots, in one run.

    cargo build --release && benches/against_terraform.py [--sizes 1000,10000] [--shapes chain,dag] [--only cutover]

Every root is made of `terraform_data`, so neither side talks to a cloud. Each line is a first plan, an apply and
a second plan; CPU is user + system seconds of the process and its children, memory the largest resident set.
Without a `terraform` on PATH (or --terraform FILE) only Cutover is measured. `parse` formats and validates one
large file instead, and gives MB/s.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 'resource "terraform_data" "r{i}" {{\n  input = {value}\n}}\n'


def chain(n):
    return {"main.tf": "".join(
        BLOCK.format(i=i, value=f"terraform_data.r{i - 1}.output" if i else '"start"') for i in range(n))}


def fan(n):
    return {"main.tf": "".join(
        BLOCK.format(i=i, value="terraform_data.r0.output" if i else '"start"') for i in range(n))}


def dag(n):
    pick = random.Random(1)

    def value(i):
        needed = sorted({pick.randrange(i) for _ in range(3)}) if i else []
        return "[" + ", ".join(f"terraform_data.r{j}.id" for j in needed) + "]"

    return {"main.tf": "".join(BLOCK.format(i=i, value=value(i)) for i in range(n))}


def count(n):
    return {"main.tf": f'resource "terraform_data" "r" {{\n  count = {n}\n  input = "item-${{count.index}}"\n}}\n'}


def module(n):
    return {
        "main.tf": f'module "m" {{\n  source   = "./m"\n  for_each = toset([for i in range({n}) : tostring(i)])\n'
                   '  name     = each.key\n}\n' if n <= 1024 else
                   'locals {\n' + f'  names = flatten([for i in range({-(-n // 1000)}) : [for j in range(1000) : "${{i}}-${{j}}"]])\n'
                   '}\nmodule "m" {\n  source   = "./m"\n  for_each = toset(local.names)\n  name     = each.key\n}\n',
        "m/main.tf": 'variable "name" {\n  type = string\n}\nresource "terraform_data" "r" {\n  input = var.name\n}\n'
                     'output "id" {\n  value = terraform_data.r.id\n}\n',
    }


SHAPES = {"chain": chain, "fan": fan, "dag": dag, "count": count, "module": module}


def write(directory, files):
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(command, cwd):
    """Runs to the end; CPU seconds, wall seconds, MB."""
    environment = dict(os.environ, TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1", NO_COLOR="1")
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=said, stderr=said,
                                   stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n"
                     + said.read().decode(errors="replace")[-3000:])
    return usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024


def measure(tool, binary, files):
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        write(directory, files)
        if tool == "terraform":
            run([binary, "init", "-input=false"], directory)
            commands = [["plan", "-input=false"], ["apply", "-auto-approve", "-input=false"], ["plan", "-input=false"]]
        else:
            commands = [["plan", "."], ["apply", ".", "--auto-approve"], ["plan", "."]]
        return [run([binary, *command], directory) for command in commands]


def compare(tools, shapes, sizes):
    print(f"{'shape':8} {'size':>7} {'command':12} " + " ".join(
        f"{tool + ' CPU s':>16} {'wall s':>8} {'MB':>7}" for tool in tools) + "  CPU ratio  memory ratio")
    for shape in shapes:
        for size in sizes:
            files = SHAPES[shape](size)
            results = {tool: measure(tool, binary, files) for tool, binary in tools.items()}
            for step, command in enumerate(["first plan", "apply", "second plan"]):
                figures = [results[tool][step] for tool in tools]
                line = f"{shape:8} {size:7} {command:12} " + " ".join(
                    f"{cpu:16.2f} {wall:8.2f} {mb:7.0f}" for cpu, wall, mb in figures)
                if len(figures) == 2:
                    ours, theirs = figures
                    line += f"  {theirs[0] / max(ours[0], 0.001):9.1f}  {theirs[2] / ours[2]:12.1f}"
                print(line, flush=True)


def parse(binary, megabytes):
    block = ('resource "aws_instance" "host_{i}" {{\n  ami           = data.aws_ami.ecs.id\n  subnet_id     = '
             'aws_subnet.private[{i} % 3].id\n  instance_type = var.sizes["web-{i}"] # chosen per host\n  tags = {{\n'
             '    Name = "${{var.name}}-{i}"\n    Role = upper(join("-", [var.role, "web"]))\n  }}\n}}\n\n')
    text = "".join(block.format(i=i) for i in range(megabytes * 1_000_000 // 300))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        path = Path(name) / "main.tf"
        path.write_text(text)
        cpu, wall, mb = run([binary, "fmt", "--check", str(path)], name)
        size = len(text) / 1e6
        print(f"parse and format {size:.0f} MB: {cpu:.2f} CPU s, {size / cpu:.0f} MB/s, {mb:.0f} MB of memory")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cutover", default=str(ROOT / "target/release/cutover"))
    options.add_argument("--terraform", default=shutil.which("terraform"))
    options.add_argument("--only", choices=["cutover", "terraform"])
    options.add_argument("--shapes", default=",".join(SHAPES))
    options.add_argument("--sizes", default="1000,5000,10000")
    options.add_argument("--parse", type=int, metavar="MB", help="measure reading one file of so many megabytes")
    given = options.parse_args()
    if given.parse:
        return parse(given.cutover, given.parse)
    tools = {"cutover": given.cutover, "terraform": given.terraform}
    tools = {name: path for name, path in tools.items() if path and given.only in (None, name)}
    compare(tools, given.shapes.split(","), [int(size) for size in given.sizes.split(",")])


if __name__ == "__main__":
    main()
