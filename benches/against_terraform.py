#!/usr/bin/env python3
"""CPU time and memory of Cutover beside Terraform's, on the same generated roots, and whether the targets are met.

    cargo build --release && benches/against_terraform.py

Every root is made of `terraform_data`, so neither side talks to a cloud. Three commands each: a first plan, an
apply, a second plan. CPU is user + system seconds of the process, MB its largest resident set.

Terraform runs where it is installed and its run takes minutes at most (--live, instances); beyond that, and where it
is missing, its figures are those recorded in terraform-1.11.4.json (marked `r`; write them anew with --record).
After the table: how Cutover's time grows to 100,000 instances, and how fast it reads and formats one large file.
Ends with what was met and missed, and with exit code 1 if anything was.
"""
import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDED = Path(__file__).resolve().parent / "terraform-1.11.4.json"
CPU_TARGET, MEMORY_TARGET, PARSE_TARGET = 20, 10, 30
# Twice the instances may take a little more than twice the time: caches get colder.
GROWTH_TARGET = 1.5
COMMANDS = ["first plan", "apply", "second plan"]
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
    many = -(-n // 1000)
    return {
        "main.tf": f'locals {{\n  names = flatten([for i in range({many}) : [for j in range({n // many}) : "${{i}}-${{j}}"]])\n'
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


class Peak(threading.Thread):
    """The largest resident set of a process, as the kernel tells it while the process lives.

    What wait() tells in the end is at least the memory of this script: a child begins as a copy of it."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path, self.kilobytes, self.ended = f"/proc/{pid}/status", 0, threading.Event()

    def run(self):
        while not self.ended.wait(0.002):
            try:
                with open(self.path) as status:
                    for line in status:
                        if line.startswith("VmHWM:"):
                            self.kilobytes = max(self.kilobytes, int(line.split()[1]))
            except OSError:
                return


def run(command, cwd, allowed=(0,)):
    """Runs to the end; CPU seconds and MB."""
    environment = dict(os.environ, TF_IN_AUTOMATION="1", CHECKPOINT_DISABLE="1", NO_COLOR="1")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=said, stderr=said,
                                   stdin=subprocess.DEVNULL)
        peak = Peak(process.pid)
        peak.start()
        _, status, usage = os.wait4(process.pid, 0)
        peak.ended.set()
        peak.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in allowed:
            said.seek(0)
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n"
                     + said.read().decode(errors="replace")[-3000:])
    kilobytes = usage.ru_maxrss if usage.ru_maxrss > 1.1 * own or not peak.kilobytes else peak.kilobytes
    return round(usage.ru_utime + usage.ru_stime, 2), round(kilobytes / 1024, 1)


def measure(tool, binary, files, commands=COMMANDS):
    """{command: [CPU seconds, MB]}"""
    lines = {
        "terraform": {"first plan": ["plan", "-input=false"], "apply": ["apply", "-auto-approve", "-input=false"],
                      "second plan": ["plan", "-input=false"]},
        "cutover": {"first plan": ["plan", "."], "apply": ["apply", ".", "--auto-approve"],
                    "second plan": ["plan", "."]},
    }[tool]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        write(directory, files)
        if tool == "terraform":
            run([binary, "init", "-input=false"], directory)
        return {command: list(run([binary, *lines[command]], directory)) for command in commands}


def recorded():
    """{"chain 1000": {command: [CPU seconds, MB]}}"""
    return json.loads(RECORDED.read_text())["figures"] if RECORDED.exists() else {}


def record(binary, shapes, sizes):
    """Measures Terraform alone and keeps the figures."""
    document = json.loads(RECORDED.read_text()) if RECORDED.exists() else {"figures": {}}
    for size in sizes:
        for shape in shapes:
            figures = measure("terraform", binary, SHAPES[shape](size))
            document["figures"][f"{shape} {size}"] = figures
            RECORDED.write_text(json.dumps(document, indent=1) + "\n")
            print(shape, size, figures, flush=True)


def compare(given, shapes, sizes):
    """Prints the table; what was missed: (target, where)."""
    known = recorded()
    met, missed = {"CPU": 0, "memory": 0}, []
    print(f"{'shape':7} {'instances':>9}  {'command':12} {'Cutover CPU s':>13} {'MB':>7} "
          f"{'Terraform CPU s':>16} {'MB':>7}  {'CPU ratio':>9}  {'memory ratio':>12}")
    for shape in shapes:
        for size in sizes:
            files = SHAPES[shape](size)
            ours = measure("cutover", given.cutover, files)
            live = bool(given.terraform) and size <= given.live
            theirs = measure("terraform", given.terraform, files) if live else known.get(f"{shape} {size}", {})
            for command in COMMANDS:
                cpu, mb = ours[command]
                line = f"{shape:7} {size:9,}  {command:12} {cpu:13.2f} {mb:7.1f}"
                if command in theirs:
                    their_cpu, their_mb = theirs[command]
                    mark = " " if live else "r"
                    ratio = their_cpu / max(cpu, 0.005)
                    line += f" {their_cpu:15.2f}{mark} {their_mb or float('nan'):7.0f}  {ratio:8.1f}×"
                    judged = [("CPU", ratio, CPU_TARGET)]
                    if their_mb:
                        judged.append(("memory", their_mb / mb, MEMORY_TARGET))
                        line += f"  {their_mb / mb:11.1f}×"
                    for what, ratio, target in judged:
                        if ratio >= target:
                            met[what] += 1
                        else:
                            line += f"  {what} MISSED"
                            missed.append((what, f"{shape} {size:,} {command} ({ratio:.1f}×)"))
                print(line, flush=True)
    return met, missed


def growth(binary, shapes, sizes):
    """CPU seconds per instance as sizes grow; (met, [what was missed])."""
    print(f"\nCutover alone, first plan: CPU seconds and MB\n{'shape':7} "
          + " ".join(f"{size:>17,}" for size in sizes) + "   per instance, last against first")
    missed = []
    for shape in shapes:
        figures = [measure("cutover", binary, SHAPES[shape](size), ["first plan"])["first plan"] for size in sizes]
        ratio = (figures[-1][0] / sizes[-1]) / max(figures[0][0] / sizes[0], 1e-9)
        print(f"{shape:7} " + " ".join(f"{cpu:8.2f} {mb:8.1f}" for cpu, mb in figures)
              + f"   {ratio:.2f}×", flush=True)
        if ratio > GROWTH_TARGET:
            missed.append(f"{shape} ({ratio:.2f}×)")
    return missed


def parse(binary, megabytes):
    """MB/s of `bench parse`: reading and parsing one file; and of `fmt --check`, which lays it out, too."""
    block = ('resource "aws_instance" "host_{i}" {{\n  ami           = data.aws_ami.ecs.id\n  subnet_id     = '
             'aws_subnet.private[{i} % 3].id\n  instance_type = var.sizes["web-{i}"] # chosen per host\n  tags = {{\n'
             '    Name = "${{var.name}}-{i}"\n    Role = upper(join("-", [var.role, "web"]))\n  }}\n}}\n\n')
    text = "".join(block.format(i=i) for i in range(megabytes * 1_000_000 // 300))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        path = Path(name) / "main.tf"
        path.write_text(text)
        size = len(text) / 1e6
        speeds = []
        for what, command in [("parse", ["bench", "parse"]), ("parse and format", ["fmt", "--check"])]:
            cpu, mb = run([binary, *command, str(path)], name, allowed=(0, 3))
            speeds.append(size / cpu)
            print(f"\n{what} {size:.0f} MB: {cpu:.2f} CPU s, {speeds[-1]:.0f} MB/s, {mb:.0f} MB of memory", end="")
        print()
    return speeds[0]


def verdict(name, target, missed):
    print(f"{'MISSED' if missed else 'met   '}  {name}: {target}" + (f"; not: {', '.join(missed)}" if missed else ""))
    return not missed


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cutover", default=str(ROOT / "target/release/cutover"))
    options.add_argument("--terraform", default=shutil.which("terraform"))
    options.add_argument("--shapes", default=",".join(SHAPES))
    options.add_argument("--sizes", default="1000,5000,10000")
    options.add_argument("--live", type=int, default=1000, help="run Terraform itself up to so many instances")
    options.add_argument("--growth", default="1000,10000,100000", help="sizes for Cutover alone; empty: none")
    options.add_argument("--parse", type=int, default=30, metavar="MB", help="0: none")
    options.add_argument("--record", action="store_true", help="measure Terraform alone and keep the figures")
    given = options.parse_args()
    shapes, sizes = given.shapes.split(","), [int(size) for size in given.sizes.split(",") if size]
    if given.record:
        return record(given.terraform, shapes, sizes)
    met, missed = compare(given, shapes, sizes)
    grown = [int(size) for size in given.growth.split(",") if size]
    bent = growth(given.cutover, shapes, grown) if grown else None
    speed = parse(given.cutover, given.parse) if given.parse else None
    print()
    good = True
    for what, target in (("CPU", CPU_TARGET), ("memory", MEMORY_TARGET)):
        failed = [where for which, where in missed if which == what]
        of = met[what] + len(failed)
        good &= verdict(what, f"{target} times less than Terraform in {met[what]} of {of} commands", failed)
    if bent is not None:
        good &= verdict("growth", f"linear to {grown[-1]:,} instances (at most {GROWTH_TARGET}× per instance)", bent)
    if speed is not None:
        slow = [] if speed >= PARSE_TARGET else [f"{speed:.0f} MB/s"]
        good &= verdict("parsing", f"{PARSE_TARGET} MB/s", slow)
    print("all targets met" if good else "some targets missed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
