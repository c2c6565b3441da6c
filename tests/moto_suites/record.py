"""A pytest plugin: one JSON line a test, with what it asked of the server and what the server lacks."""

import json
import os

import botocore.client
import pytest
import urllib3
from adapt import Scene

ENDPOINT = urllib3.util.parse_url(os.environ["TEST_SERVER_MODE_ENDPOINT"])

# What the running test has asked so far.
asked = 0
lacking = set()
scene = None


def watch_requests():
    """Counts what goes to the server, whoever sends it; moto's own paths are no questions."""
    real = urllib3.connectionpool.HTTPConnectionPool.urlopen

    def urlopen(pool, method, url, *args, **kwargs):
        global asked
        if pool.port == ENDPOINT.port and "/moto-api/" not in url:
            asked += 1
        return real(pool, method, url, *args, **kwargs)

    urllib3.connectionpool.HTTPConnectionPool.urlopen = urlopen


def watch_answers():
    """Recognises what is lacking from the answer UnsupportedOperation, which comes with status 501."""
    real = botocore.client.BaseClient._make_api_call
    pause = float(os.environ.get("PAUSE_AFTER_CHANGES", "0"))

    def new_scene():
        global scene
        scene = Scene(real, pause)

    def call(client, operation, arguments):
        try:
            return scene.ask(client, operation, arguments)
        except botocore.client.ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            # Ours alone: AWS answers no 501. What speaks REST-JSON does not find the code.
            if status == 501:
                lacking.add(f"{client.meta.service_model.service_name}:{operation}")
            raise

    botocore.client.BaseClient._make_api_call = call
    return new_scene


watch_requests()
new_scene = watch_answers()
new_scene()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    global asked
    asked = 0
    lacking.clear()
    new_scene()
    item.outcomes = {}
    answer = yield
    outcomes = item.outcomes
    failed = next((w for w in ("setup", "call", "teardown") if outcomes.get(w, ("",))[0] == "failed"), None)
    skipped = any(o[0] == "skipped" for o in outcomes.values())
    line = {
        "id": item.nodeid,
        "outcome": "failed" if failed else "skipped" if skipped else "passed",
        "why": outcomes[failed][1] if failed else "",
        "asked": asked,
        "lacking": sorted(lacking),
    }
    with open(os.environ["RECORD_TO"], "a") as file:
        file.write(json.dumps(line) + "\n")
    return answer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    why = ""
    if report.failed and call.excinfo:
        at = call.excinfo.traceback[-1]
        place = next((e for e in reversed(call.excinfo.traceback) if "/tests/" in str(e.path)), at)
        words = " ".join(str(call.excinfo.value).split())[:400]
        why = f"{place.path.name}:{place.lineno + 1}: {call.excinfo.typename}: {words}"
    item.outcomes[report.when] = (report.outcome, why)
    return report
