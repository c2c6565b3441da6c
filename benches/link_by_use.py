#!/usr/bin/env python3
"""Links the release binary once more, the functions of a usual run side by side.

    cargo build --release && benches/link_by_use.py

The kernel maps a program in windows of 64 KB around every page that is touched. The SDK makes the binary large, and
what a plan needs lies scattered in it: a hundred windows, twice the memory of a plan of a thousand resources. Here
Valgrind watches small runs (plan, apply, second plan, destroy; with and without the embedded AWS), and the linker
puts what they called in front. Nothing is compiled again, and nothing else changes: a function that was not seen
stands where it stood.

Needs valgrind, and LLD, which Rust links with on x86-64 Linux.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benches"))
from against_terraform import SHAPES, write  # noqa: E402

RUNS = [["plan", "."], ["apply", ".", "--auto-approve"], ["plan", "."], ["destroy", ".", "--auto-approve"]]


def link(*arguments):
    subprocess.run(["cargo", "rustc", "--release", "--package", "cutover", "--bin", "cutover", "--",
                    *(f"-C{argument}" for argument in arguments)], cwd=ROOT, check=True)


def called(binary, command, cwd):
    """The functions that a run calls, in the order in which Callgrind tells them."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "calls"
        subprocess.run(["valgrind", "--tool=callgrind", "--compress-strings=no", "--demangle=no",
                        f"--callgrind-out-file={out}", binary, *command], cwd=cwd, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        return re.findall(r"^c?fn=(\S+)", out.read_text(), re.MULTILINE)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--order", type=Path, help="keep the list of functions here")
    given = options.parse_args()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    binary = target / "release/cutover"
    link("strip=none")
    functions = {}
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
        order = given.order or Path(name) / "order"
        # Valgrind numbers the frames of a recursion.
        names = dict.fromkeys(re.sub(r"'\d+$", "", function) for function in functions)
        order.write_text("".join(f"{function}\n" for function in names))
        print(f"{len(names):,} functions")
        link("strip=symbols", f"link-arg=-Wl,--symbol-ordering-file={order.resolve()}",
             "link-arg=-Wl,--no-warn-symbol-ordering")


if __name__ == "__main__":
    main()
