#!/usr/bin/env python3
"""moto's own tests, in server mode, against `cutover sim serve`: python3 run.py DIR [SUITE…]

DIR holds moto's source with its tests, of the version in tests/requirements.txt:
  pip download --no-deps --no-binary :all: moto==5.2.5 && tar xf moto-5.2.5.tar.gz
The Python that runs this needs what tests/moto_suites/requirements.txt lists.

Each suite has its own server and world; moto's tests reset it. What is printed per suite:
  passed     of the tests that touch only operations we have
  failed     of these, and nobody said why: `--details FILE` lists them
  excepted   of these, in fixtures/moto/exceptions.txt: test, reason, evidence
  lacking    failed after an answer UnsupportedOperation
  elsewhere  moto's tests of itself: they ask the server nothing
  skipped    by moto, in server mode
It ends with 1 when an excepted test passes, when a suite is below its floor (--floor), or did not run.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# How many seconds pass in the world in one of ours (see adapt.py, time). Tests of things that carry times
# need the present.
FAST, PRESENT = 10_000, 1
SUITES = {
    "ec2": FAST, "ecs": FAST, "elbv2": FAST, "autoscaling": FAST, "iam": PRESENT, "ssm": PRESENT, "ecr": FAST,
    "logs": PRESENT, "cloudwatch": PRESENT, "route53": PRESENT, "applicationautoscaling": FAST,
    "secretsmanager": PRESENT, "sts": PRESENT, "acm": FAST, "resourcegroupstaggingapi": FAST,
    "codedeploy": PRESENT, "kms": PRESENT, "sns": PRESENT, "sqs": PRESENT, "events": PRESENT,
    "servicediscovery": FAST, "dynamodb": FAST, "cloudtrail": PRESENT,
}  # fmt: skip
# After a change, in a fast world: about five minutes of its time.
PAUSE_S = 0.03


def exceptions(path):
    """`test id ⇥ reason ⇥ evidence` a line; the id may lack its parameters."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not all(f.strip() for f in fields):
            sys.exit(f"{path}:{number}: not `test id, reason, evidence`, separated by tabs")
        found[fields[0]] = fields[1]
    return found


def serve(cutover, folder, speed):
    """A server of a new world in `folder`, and its endpoint."""
    (folder / "cutover.hcl").write_text('cutover {\n  cloud = "embedded"\n}\n')
    (folder / "main.tf").write_text('provider "aws" {\n  region = "us-east-1"\n}\n')
    command = [cutover, "sim", "serve", folder, "--port", "0", "--prompt", "--speed", str(speed)]
    log = open(folder / "serve.log", "w")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", server.stdout.readline())
    if not endpoint:
        server.wait()
        sys.exit(f"the server did not start: {(folder / 'serve.log').read_text()}")
    return server, endpoint[1]


def run(suite, options):
    """What each test of one suite came to."""
    with tempfile.TemporaryDirectory(prefix=f"moto-{suite}-", dir=options.work) as name:
        folder = pathlib.Path(name)
        server, endpoint = serve(options.cutover, folder, SUITES[suite])
        record = folder / "record.jsonl"
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "TEST_SERVER_MODE": "true",
            "TEST_SERVER_MODE_ENDPOINT": endpoint,
            "RECORD_TO": str(record),
            "PAUSE_AFTER_CHANGES": str(PAUSE_S if SUITES[suite] == FAST else 0),
            "PYTHONPATH": str(HERE),
            "AWS_ACCESS_KEY_ID": "embedded",
            "AWS_SECRET_ACCESS_KEY": "embedded",
            # Retries only hide answers, and moto's tests do not need them. One, because without any botocore adds to
            # every error's text that there were none.
            "AWS_MAX_ATTEMPTS": "2",
        }
        command = [sys.executable, "-m", "pytest", f"tests/test_{suite}", "-p", "record", "-q", "--tb=no"]
        command += ["-p", "no:cacheprovider", "--timeout", "60", "--color=no", *options.pytest]
        try:
            ended = subprocess.run(
                command, cwd=options.moto, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
        results = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        problem = "" if ended.returncode in (0, 1) and results else ended.stdout[-2000:]
        return results, problem


def kind(result, excepted):
    if result["outcome"] == "skipped":
        return "skipped"
    if result["asked"] == 0:
        return "elsewhere"
    if excepted(result["id"]):
        return "unexpected" if result["outcome"] == "passed" else "excepted"
    if result["outcome"] == "passed":
        return "passed"
    return "lacking" if result["lacking"] else "failed"


KINDS = ["passed", "failed", "excepted", "lacking", "elsewhere", "skipped"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("moto", type=pathlib.Path)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--cutover", default=str(ROOT / "target/debug/cutover"))
    parser.add_argument("--exceptions", type=pathlib.Path, default=ROOT / "fixtures/moto/exceptions.txt")
    parser.add_argument("--details", type=pathlib.Path, help="file for every test that did not pass, and why")
    parser.add_argument("--work", help="folder for the worlds (one in memory saves the disk)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--floor", type=float, default=0, help="least percentage passed in each suite")
    parser.add_argument("--pytest", action="append", default=[], help="further argument for pytest")
    options = parser.parse_args()
    listed = exceptions(options.exceptions)
    excepted = lambda name: name in listed or name.split("[")[0] in listed
    suites = options.suites or list(SUITES)
    details, status, lacking = [], 0, collections.Counter()
    print(f"{'':26}" + "".join(f"{k:>10}" for k in KINDS) + f"{'of ours':>10}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for suite, (results, problem) in zip(suites, pool.map(lambda s: run(s, options), suites)):
            counts = collections.Counter()
            for result in results:
                what = kind(result, excepted)
                counts[what] += 1
                if what == "lacking":
                    lacking.update(result["lacking"])
                if what in ("failed", "lacking", "unexpected"):
                    details.append(f"{what} {result['id']} {' '.join(result['lacking'])} {result['why']}")
            ours = counts["passed"] + counts["failed"]
            share = 100 * counts["passed"] / ours if ours else 0
            print(f"{suite:26}" + "".join(f"{counts[k]:10}" for k in KINDS) + f"{share:9.1f}%", flush=True)
            if counts["unexpected"]:
                print(f"  {counts['unexpected']} excepted tests pass: take them off the list")
            if problem:
                print(f"  the suite did not run: {problem}")
            if options.details:
                options.details.write_text("\n".join(details) + "\n")
            if problem or counts["unexpected"] or share < options.floor:
                status = 1
    print("lacking most: " + ", ".join(f"{name} {n}" for name, n in lacking.most_common(20)))
    if options.details:
        counts = [f"lacks {n} {name}" for name, n in lacking.most_common()]
        options.details.write_text("\n".join(details + counts) + "\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
