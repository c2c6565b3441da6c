#!/usr/bin/env python3
"""Records requests as botocore writes them, beside the value tree each must decode to, and checks answers.

record.py requests > requests.jsonl   random inputs of a few operations of every service and protocol;
                                      --all takes all operations, --seed N another choice.
record.py answers FILE                FILE holds the requests' lines with what our encoder answered added
                                      (status, headers, body): botocore must read `answer` from it.

Needs botocore. Members that are empty structures are left out: forms cannot carry them.
"""

import argparse
import base64
import datetime
import json
import pathlib
import random
import sys

import botocore.session
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

MODEL = pathlib.Path(__file__).parent.parent / "model"
TEXTS = ["a", "b c", "x/y", "ü&<>\"'", "%20", "a=b;c", "0", "line\nbreak", "  spaced  ", '{"j":[1]}']
SESSION = botocore.session.get_session()


def tables():
    """(service as signed, botocore's model, operations in our table)"""
    for line in (MODEL / "operations.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        model = SESSION.get_service_model(line.split(":")[0])
        table = (MODEL / f"{model.signing_name}.txt").read_text().splitlines()
        yield model.signing_name, model, [l.split()[1] for l in table if l.startswith("operation ")]


class Inventor:
    """Values of a shape: as botocore takes them and as the value tree has them, or nothing."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, shape, depth=0, location=None):
        match shape.type_name:
            case "structure" if getattr(shape, "is_document_type", False):
                return ({"k": [1, "x"]},) * 2
            case "structure":
                return self.structure(shape, depth)
            case "list":
                count = self.random.randint(1, 3) if depth < 5 else 1
                return self.both(list, [self.value(shape.member, depth + 1) for _ in range(count)])
            case "map":
                value = self.value(shape.value, depth + 1)
                return value and tuple({"key two": v} for v in value)
            case "timestamp":
                time = datetime.datetime(2026, 1, 2, 3, 4, self.random.randint(0, 59), tzinfo=datetime.UTC)
                return time, tree(time)
            case "blob":
                return b"\x00\xffblob", tree(b"\x00\xffblob")
            case "string" if location in ("uri", "header"):
                return ("label-1",) * 2
            case "string":
                return (self.random.choice(shape.enum or TEXTS),) * 2
            case "integer" | "long" as size:
                return (self.random.choice([0, 1, -5, 2**31 - 1 if size == "integer" else 2**40]),) * 2
            case "float" | "double":
                return (self.random.choice([0.0, 1.5, -2.25, 100.0]),) * 2
            case "boolean":
                return (self.random.choice([True, False]),) * 2
        sys.exit(f"unknown type {shape.type_name}")

    def both(self, make, values):
        values = [v for v in values if v is not None]
        return (make(v[0] for v in values), make(v[1] for v in values)) if values else None

    def structure(self, shape, depth):
        members = list(shape.members.items())
        if depth > 9 or not members:
            return ({}, {}) if depth == 0 else None
        few = self.random.sample(members, 1)
        if getattr(shape, "is_tagged_union", False):
            members = few
        wanted = lambda n: n in shape.required_members or (depth < 5 and self.random.random() < 0.5)
        chosen = [m for m in members if wanted(m[0])] or few
        filled = [
            v and ((name, v[0]), (name, v[1]))
            for name, member in chosen
            for v in [self.value(member, depth + 1, member.serialization.get("location"))]
        ]
        return self.both(dict, filled) or (({}, {}) if depth == 0 else None)


def tree(value):
    """What botocore parsed, as the value tree has it."""
    if isinstance(value, dict):
        return {k: tree(v) for k, v in value.items() if k != "ResponseMetadata"}
    if isinstance(value, list):
        return [tree(v) for v in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def request(native, operation, protocol):
    made = create_serializer(protocol, False).serialize_to_request(native, operation)
    prepare_request_dict(made, "http://127.0.0.1")
    made = create_request_object(made).prepare()
    body = made.body or b""
    text = lambda v: v.decode() if isinstance(v, bytes) else str(v)
    return {
        "method": made.method,
        "url": made.url,
        "headers": {k: text(v) for k, v in made.headers.items() if k != "User-Agent"},
        "body": tree(body.encode() if isinstance(body, str) else body),
    }


def requests(seed, everything):
    inventor = Inventor(seed)
    for service, model, operations in tables():
        for protocol in model.metadata.get("protocols", [model.metadata["protocol"]]):
            some = operations if everything else inventor.random.sample(operations, min(4, len(operations)))
            for name in some:
                operation = model.operation_model(name)
                invent = lambda shape: inventor.value(shape) if shape else ({}, {})
                native, input = invent(operation.input_shape)
                _, answer = invent(operation.output_shape)
                made = request(native, operation, protocol)
                case = {"service": service, "operation": name, "protocol": protocol, **made}
                print(json.dumps({**case, "input": input, "answer": answer}))


def answers(path):
    models = {name: model for name, model, _ in tables()}
    wrong = count = 0
    for line in pathlib.Path(path).read_text().splitlines():
        case = json.loads(line)
        operation = models[case["service"]].operation_model(case["operation"])
        response = {
            "status_code": case["status"],
            "headers": HeadersDict(case["response_headers"]),
            "body": base64.b64decode(case["response"]),
        }
        found = tree(create_parser(case["protocol"]).parse(response, operation.output_shape))
        if case["protocol"] in ("ec2", "query"):
            # AWS answers its lists even when there is nothing in them.
            found = {k: v for k, v in found.items() if v != [] or k in case["answer"]}
        count += 1
        if found != case["answer"]:
            wrong += 1
            print(case["service"], case["operation"], case["answer"], found, sep="\n", file=sys.stderr)
    sys.exit(f"{wrong} of {count} answers differ" if wrong else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("requests")
    write.add_argument("--seed", type=int, default=1)
    write.add_argument("--all", action="store_true")
    commands.add_parser("answers").add_argument("file")
    arguments = parser.parse_args()
    if arguments.command == "requests":
        requests(arguments.seed, arguments.all)
    else:
        answers(arguments.file)


if __name__ == "__main__":
    main()
