#!/usr/bin/env python3
"""Writes link-order.txt: what usual runs call, for the linker to put side by side.

    benches/link_by_use.py && cargo build --release

The kernel maps a program in windows of 64 KB around every page that is touched. The SDK makes the binary large, and
what a plan needs lay scattered over a hundred such windows: twice the memory that a plan of a thousand resources
takes. Here Valgrind watches small runs (plan, apply, second plan, destroy; then a plan on the embedded AWS), and
build.rs hands the list to the linker. Nothing else changes: what is not in the list stands where it stood.

Worth doing again after a new Rust or new dependencies: names have a hash in them that changes with these, and of
names that are not there any more the list is just ignored. Needs valgrind, and LLD, which Rust links with on x86-64
Linux.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ORDER = ROOT / "benches/link-order.txt"
sys.path.insert(0, str(ROOT / "benches"))
from against_terraform import SHAPES, write  # noqa: E402

RUNS = [["plan", "."], ["apply", ".", "--auto-approve"], ["plan", "."], ["destroy", ".", "--auto-approve"]]


def with_names():
    """The release binary, with the names of its functions."""
    subprocess.run(["cargo", "rustc", "--release", "--package", "cutover", "--bin", "cutover", "--",
                    "-Cstrip=none"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/cutover"


def called(binary, command, cwd):
    """The functions of Rust that a run calls."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "calls"
        subprocess.run(["valgrind", "--tool=callgrind", "--compress-strings=no", "--demangle=no",
                        f"--callgrind-out-file={out}", binary, *command], cwd=cwd, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        # The frames of a recursion are numbered.
        return re.findall(r"^c?fn=((?:_ZN|_R)[^\s']+)", out.read_text(), re.MULTILINE)


def main():
    binary, functions = with_names(), {}
    with tempfile.TemporaryDirectory(prefix="link-") as name:
        for shape in SHAPES:
            directory = Path(name) / shape
            write(directory, SHAPES[shape](30))
            for command in RUNS:
                functions.update(dict.fromkeys(called(binary, command, directory)))
        tree = Path(name) / "tree"
        for part in ("envs", "modules"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns(".cutover"))
        functions.update(dict.fromkeys(called(binary, ["plan", "."], tree / "envs/dev")))
    ORDER.write_text("".join(f"{function}\n" for function in functions))
    print(f"{len(functions):,} functions")


if __name__ == "__main__":
    main()
