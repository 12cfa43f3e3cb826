"""Methods, slashes, conditional requests and CORS, as curl, Node and a browser use them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from devstack.demo import ROW
from tests.system.conftest import Running
from tests.system.support.client import ENDLESS, train
from tests.system.support.programs import program

PLAIN_HTTP = True  # it speaks HTTP by itself

SETTINGS = {"CORS_ORIGINS": "*"}
GET_METHODS = "GET, HEAD, OPTIONS"
PREFLIGHT = (
    *("-X", "OPTIONS", "-H", "Origin: https://a.example.com"),
    *("-H", "Access-Control-Request-Method: POST"),
)
JSON = ("-H", "Content-Type: application/json")


def curl(running: Running, path: str, *arguments: str) -> tuple[int, dict[str, str], str]:
    """Ask with curl; return status, headers and body."""
    command = [program("curl"), "-sS", "-i", "--max-time", "30", *arguments]
    done = subprocess.run(
        [*command, f"{running.http.base_url}{path}"], capture_output=True, text=True, check=True
    )
    head, _, body = done.stdout.partition("\n\n")
    start, *lines = head.splitlines()
    pairs = (line.partition(": ") for line in lines)
    return int(start.split()[1]), {name.lower(): value for name, _, value in pairs}, body


@pytest.mark.parametrize(
    ("path", "arguments", "status", "headers"),
    [
        ("/health", ["--head"], 200, {"content-length": "15"}),
        ("/jobs/nobody", ["--head"], 404, {}),
        ("/predict", ["--head"], 405, {"allow": "OPTIONS, POST"}),
        ("/predict", ["-X", "OPTIONS"], 204, {"allow": "OPTIONS, POST"}),
        ("/models/x", ["-X", "OPTIONS"], 204, {"allow": "DELETE, GET, HEAD, OPTIONS, PUT"}),
        ("/static/favicon.png", ["-X", "OPTIONS"], 204, {"allow": GET_METHODS}),
        ("/static/favicon.png", ["-X", "DELETE"], 405, {"allow": GET_METHODS}),
        ("/jobs", ["-X", "PATCH"], 405, {"allow": GET_METHODS}),
        ("/nowhere", ["-X", "OPTIONS"], 404, {}),
        ("", ["-X", "OPTIONS", "--request-target", "*"], 204, {}),
        ("/jobs/?limit=0", [], 422, {}),
        ("/predict/", [*JSON, "-d", "{}"], 422, {}),
        ("/predict", PREFLIGHT, 200, {"access-control-allow-origin": "*"}),
        ("/nowhere", PREFLIGHT, 200, {"access-control-allow-origin": "*"}),
        ("/nowhere", ["-H", "Origin: null"], 404, {"access-control-allow-origin": "*"}),
    ],
)
def test_curl_gets_what_the_method_and_the_path_say(
    running: Running, path: str, arguments: list[str], status: int, headers: dict[str, str]
) -> None:
    found, answered, body = curl(running, path, *arguments)

    assert found == status
    assert answered.items() >= headers.items()
    if "--head" in arguments or status == 204:
        assert body == ""


def test_curl_fetches_a_model_once(running: Running, model_id: str, tmp_path: Path) -> None:
    path, tag = f"/models/{model_id}", str(tmp_path / "tag")
    status, headers, body = curl(running, path, "--etag-save", tag)
    assert status == 200
    assert body
    assert headers["last-modified"]

    status, again, body = curl(running, path, "--etag-compare", tag)
    assert (status, again["etag"], body) == (304, headers["etag"], "")

    _, head, _ = curl(running, path, "--head")
    assert head["content-length"] == headers["content-length"]
    assert head["etag"] == headers["etag"]


def test_a_stream_of_events_has_a_head(running: Running, model_id: str) -> None:
    waiting = train(running.http, **ENDLESS)
    for job_id in (model_id, waiting):
        status, headers, body = curl(running, f"/jobs/{job_id}/events", "--head")
        assert (status, body) == (200, "")
        assert headers["content-type"].startswith("text/event-stream")
    running.http.delete(f"/jobs/{waiting}")


def test_a_data_set_is_put_with_a_slash_and_only_if_the_conditions_hold(running: Running) -> None:
    keep, replace = ("-H", "If-None-Match: *"), ("-H", "If-Match: *")
    for path, arguments, status in [
        ("/datasets/new", replace, 412),
        ("/datasets/new", (*replace, *keep), 412),
        ("/datasets/new", ("-H", 'If-Match: "abc"'), 412),
        ("/datasets/new/", keep, 201),
        ("/datasets/new", keep, 412),
        ("/datasets/new", (*replace, *keep), 412),
        ("/datasets/new", ("-H", 'If-Match: "abc", W/"def"'), 412),
        ("/datasets/new", replace, 200),
        ("/datasets/new", ("-H", 'If-None-Match: "abc"'), 200),
        ("/datasets/new", (), 200),
    ]:
        found, _, body = curl(running, path, "-X", "PUT", "--data-binary", "a,b\n1,2\n", *arguments)
        assert found == status, body
    _, before, _ = curl(running, "/datasets")
    status, _, _ = curl(running, "/datasets", "-H", f"If-None-Match: W/{before['etag']}")
    assert status == 304


# Prints the status, one header and the length of the body of each answer.
NODE = """
const [base, ...calls] = process.argv.slice(1);
for (const call of calls) {
  const [method, path, headers, body, header] = JSON.parse(call);
  const answer = await fetch(base + path, { method, headers, body: body ?? undefined });
  const text = await answer.text();
  console.log(JSON.stringify([answer.status, answer.headers.get(header), text.length > 0]));
}
"""


def test_node_gets_the_same_on_one_connection(running: Running, model_id: str) -> None:
    tag = running.http.get(f"/models/{model_id}").headers["etag"]
    row = json.dumps({"model_id": model_id, "input_data": ROW})
    kind = {"Content-Type": "application/json"}
    table: list[tuple[list[Any], list[Any]]] = [
        (["HEAD", "/models", {}, None, "content-type"], [200, "application/json", False]),
        (["HEAD", f"/jobs/{model_id}/events", {}, None, "cache-control"], [200, "no-store", False]),
        (["OPTIONS", "/jobs", {}, None, "allow"], [204, GET_METHODS, False]),
        (["PATCH", "/jobs", {}, None, "allow"], [405, GET_METHODS, True]),
        (["HEAD", "/nowhere", {}, None, "allow"], [404, None, False]),
        (["POST", "/predict/", kind, row, "content-type"], [200, "application/json", True]),
        (["GET", f"/models/{model_id}/", {"If-None-Match": tag}, None, "etag"], [304, tag, False]),
    ]
    command = [program("node"), "--input-type=module", "-e", NODE, str(running.http.base_url)]
    calls = [json.dumps(call) for call, _ in table]

    done = subprocess.run([*command, *calls], capture_output=True, text=True, check=True)

    assert [json.loads(line) for line in done.stdout.splitlines()] == [said for _, said in table]


# A page asks the same producer at its other origin, which takes a preflight.
PAGE = """async ([base, body]) => {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": "a-page" };
  const queued = await fetch(base + "/predict/async", { method: "POST", headers, body });
  const refused = await fetch(base + "/jobs/nobody", { method: "DELETE" });
  const model = await fetch(base + "/models/latest");
  return [queued.status, queued.headers.get("Location"), refused.status, model.headers.get("ETag")];
}"""


def test_a_page_of_another_origin_calls_and_reads_the_headers(
    running: Running, model_id: str, browser: Browser
) -> None:
    base = str(running.http.base_url).rstrip("/")
    body = json.dumps({"model_id": model_id, "input_data": ROW})
    page = browser.new_page(bypass_csp=True)  # in place of a server of the other origin
    page.goto(base.replace("127.0.0.1", "localhost") + "/health")
    queued, location, refused, tag = page.evaluate(PAGE, [base, body])
    page.close()

    assert (queued, refused) == (202, 404)
    assert location.startswith("/jobs/")
    assert tag == running.http.get(f"/models/{model_id}").headers["etag"]
