#!/usr/bin/env python3
"""Writes one table a service from botocore's service models: python3 generate.py --botocore DIR

DIR is botocore's data directory, or a directory above it (a virtual environment will do).
operations.txt says which operations: one line a service: its directory in botocore, then operation names,
`*` for all of them. With --service only that service's table is written. wire/model/mod.rs reads the tables
and describes their format.
"""

import argparse
import gzip
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent

# Java's names for character classes, and the only way UTF-16 patterns can name what is beyond the BMP.
JAVA = {
    r"\p{Graph}": r"!-~",
    r"\p{Alnum}": r"A-Za-z0-9",
    r"\p{Punct}": r"!-/:-@\[-`{-~",
    r"\p{ASCII}": r"\x00-\x7F",
    r"\p{Print}": r" -~",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\x{10000}-\x{10FFFF}",
    r"\ud800\udc00-\udbff\udfff": r"\x{10000}-\x{10FFFF}",
}


def find_data(root):
    root = pathlib.Path(root)
    for candidate in [root, *sorted(root.glob("**/botocore/data"))]:
        if (candidate / "endpoints.json").exists():
            return candidate
    sys.exit(f"no botocore data directory in {root}")


def load(data, service):
    versions = sorted((data / service).glob("*/service-2.json*"))
    if not versions:
        sys.exit(f"botocore has no service {service}")
    path = versions[-1]
    text = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    return json.loads(text)


class Table:
    def __init__(self, model, operations):
        self.meta = model["metadata"]
        self.shapes = model["shapes"]
        protocols = self.meta.get("protocols", [self.meta["protocol"]])
        self.ec2 = protocols == ["ec2"]
        self.name = self.meta.get("signingName", self.meta["endpointPrefix"])
        wanted = sorted(model["operations"]) if operations == ["*"] else operations
        for name in wanted:
            if name not in model["operations"]:
                sys.exit(f"{self.name} has no operation {name}")
        self.operations = [model["operations"][n] for n in sorted(set(wanted))]
        self.operations = [o for o in self.operations if not self.streams(o)]
        self.inputs = self.reach(o["input"]["shape"] for o in self.operations if "input" in o)
        self.outputs = self.reach(o["output"]["shape"] for o in self.operations if "output" in o)

    def children(self, shape):
        if shape["type"] == "structure":
            return [m["shape"] for m in shape["members"].values()]
        return [shape[k]["shape"] for k in ("member", "key", "value") if k in shape]

    def reach(self, roots):
        seen, todo = set(), list(roots)
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += self.children(self.shapes[name])
        return seen

    def streams(self, operation):
        roots = [operation[k]["shape"] for k in ("input", "output") if k in operation]
        return any(self.shapes[s].get("eventstream") for s in self.reach(roots))

    def constraints(self, name):
        """min, max, enum and pattern, where inputs are checked against them."""
        shape = self.shapes[name]
        if name not in self.inputs:
            return []
        fields = []
        if "min" in shape or "max" in shape:
            fields.append(f"{shape.get('min', '')}..{shape.get('max', '')}")
        # EC2 words its own errors about values, and its lists of instance types alone would double the table.
        if "enum" in shape and not self.ec2:
            assert not any("|" in v or "\t" in v for v in shape["enum"]), name
            fields.append("enum=" + "|".join(shape["enum"]))
        if "pattern" in shape and not self.ec2:
            pattern = shape["pattern"]
            for java, ours in JAVA.items():
                inside = f"[{ours}]"
                pattern = pattern.replace(f"[{java}]", inside)
                pattern = re.sub(r"(\[[^\]]*)" + re.escape(java), lambda m: m[1] + ours, pattern)
                pattern = pattern.replace(java, inside) if java.startswith(r"\p") else pattern
            if pattern not in (".*", r"[\s\S]*"):
                assert "\t" not in pattern and "\n" not in pattern, name
                fields.append("pattern=" + pattern)
        return fields

    def type(self, name):
        """A shape's name in the table: scalars without constraints go by their type."""
        shape = self.shapes[name]
        if shape["type"] == "structure" and shape.get("document"):
            return "document"
        if shape["type"] in ("structure", "list", "map") or self.constraints(name):
            return name
        if shape["type"] == "timestamp" and "timestampFormat" in shape:
            return "timestamp:" + shape["timestampFormat"]
        return shape["type"]

    def wire_name(self, api, ref):
        location = ref.get("locationName", api)
        if location == api:
            return []
        return ["@^" if location == api[0].lower() + api[1:] else "@" + location]

    def member(self, api, ref, shape):
        fields = [api, self.type(ref["shape"])]
        if api in shape.get("required", []):
            fields.append("!")
        fields += self.wire_name(api, ref)
        if "queryName" in ref:
            fields.append("query=" + ref["queryName"])
        location = ref.get("location")
        if shape.get("payload") == api:
            location = "payload"
        if location:
            fields.append("in=" + location)
        if ref.get("flattened"):
            fields.append("flattened")
        if ref.get("xmlAttribute"):
            fields.append("attribute")
        if ref.get("timestampFormat"):
            fields.append("format=" + ref["timestampFormat"])
        return "\t" + " ".join(fields)

    def shape_lines(self, name):
        shape = self.shapes[name]
        kind = shape["type"]
        composite = kind in ("structure", "list", "map")
        # A scalar may be called as its type is (SNS's "boolean").
        if self.type(name) != name or not composite and not self.constraints(name):
            return []
        fields = [kind, name]
        if kind == "list":
            fields.append(self.type(shape["member"]["shape"]))
            fields.append(shape["member"].get("locationName", "member"))
            fields += ["flattened"] if shape.get("flattened") else []
        elif kind == "map":
            for part in ("key", "value"):
                fields.append(self.type(shape[part]["shape"]))
                fields.append(shape[part].get("locationName", part))
            fields += ["flattened"] if shape.get("flattened") else []
        head = " ".join(fields)
        if kind == "structure":
            return [head] + [self.member(n, r, shape) for n, r in shape["members"].items()]
        return ["\t".join([head, *self.constraints(name)])]

    def operation_line(self, operation):
        name = lambda k: operation[k]["shape"] if k in operation else "-"
        fields = ["operation", operation["name"], name("input"), name("output")]
        http = operation["http"]
        if (http["method"], http["requestUri"]) != ("POST", "/"):
            fields += [http["method"], http["requestUri"]]
            if http.get("responseCode", 200) != 200:
                fields.append(str(http["responseCode"]))
        return " ".join(fields)

    def error_line(self, name):
        error = self.shapes[name].get("error", {})
        server = self.shapes[name].get("fault", False) or (
            error and not error.get("senderFault", error.get("httpStatusCode", 400) < 500)
        )
        code = error.get("code", name)
        status = error.get("httpStatusCode", 500 if server else 400)
        return f"error {name} {code} {status}" if (code, status) != (name, 400) else None

    def lines(self, botocore):
        meta = self.meta
        yield f"# Facts from botocore {botocore}'s model, written by generate.py: do not edit."
        protocols = ",".join(meta.get("protocols", [meta["protocol"]]))
        head = ["service", self.name, meta["apiVersion"], protocols]
        head.append("namespace=" + meta["xmlNamespace"] if "xmlNamespace" in meta else "")
        head.append("json=" + meta["jsonVersion"] if "jsonVersion" in meta else "")
        head.append("target=" + meta["targetPrefix"] if "targetPrefix" in meta else "")
        head.append("query-compatible" if "awsQueryCompatible" in meta else "")
        yield " ".join(filter(None, head))
        yield from map(self.operation_line, self.operations)
        errors = sorted(n for n, s in self.shapes.items() if s.get("exception"))
        yield from filter(None, map(self.error_line, errors))
        for name in sorted(self.inputs | self.outputs):
            yield from self.shape_lines(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--botocore", required=True)
    parser.add_argument("--service")
    arguments = parser.parse_args()
    data = find_data(arguments.botocore)
    version = re.search(r"__version__ = '(.+)'", (data.parent / "__init__.py").read_text())[1]
    for line in (HERE / "operations.txt").read_text().splitlines():
        service, _, names = line.partition(":")
        if line.startswith("#") or arguments.service not in (None, service):
            continue
        table = Table(load(data, service), names.split())
        text = "\n".join(table.lines(version)) + "\n"
        (HERE / f"{table.name}.txt").write_text(text)
        print(f"{table.name:24} {len(table.operations):4} operations {len(text) // 1024:5} KiB")


if __name__ == "__main__":
    main()
