"""Writes what fixtures/ has of the language into corpus/, for each target."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE / "../../fixtures"
count = 0


def keep(target, text):
    global count
    directory = HERE / "corpus" / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"seed-{count:05}").write_text(text, encoding="utf-8", errors="replace", newline="")
    count += 1


for path in sorted(FIXTURES.rglob("*")):
    if path.suffix not in (".tf", ".hcl", ".json", ".jsonl"):
        continue
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".jsonl":
        for line in text.strip("\n").split("\n"):
            case = json.loads(line)
            if isinstance(case.get("expr"), str):
                keep("eval", case["expr"])
                keep("fmt", f"a = {case['expr']}\n")
                keep("json", json.dumps(case["expr"]))
            for name, file in (case.get("files") or {}).items():
                if isinstance(file, str):
                    keep("json" if name.endswith(".json") else "parse", file)
            if isinstance(case.get("input"), str):
                keep("fmt", case["input"])
    elif len(text) > 64 << 10:
        continue
    elif path.name.endswith(".tf.json"):
        keep("json", text)
    elif path.suffix != ".json":
        keep("parse", text)
        keep("fmt", text)
