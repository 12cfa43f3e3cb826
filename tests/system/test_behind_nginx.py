"""Warren behind a real nginx, below a prefix: links, pages, streams, and a thousand callers."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from devstack.demo import ROW, TRAIN
from tests.support import graphs
from tests.system.conftest import Running
from tests.system.support import gated, nginx
from tests.system.support.client import reached, train, upload
from tests.system.support.gated import HELD
from tests.system.support.nginx import PREFIX
from tests.system.support.processes import SECONDS

PLAIN_HTTP = True  # it speaks HTTP by itself

COMMAND = gated.ALONE
CALLERS, CALLS = 1000, 2


@pytest.fixture(scope="module", params=["nginx removes the prefix", "nginx leaves it"])
def http(
    request: pytest.FixtureRequest,
    running: Running,
    model_id: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx2.Client]:
    """A client of Warren by way of nginx."""
    servers, producer = nginx.documented(), running.http
    if request.param == "nginx leaves it":
        for line in ("proxy_pass http://warren/;", f"X-Forwarded-Prefix {PREFIX};"):
            assert line in servers
        servers = servers.replace("proxy_pass http://warren/;", "proxy_pass http://warren;")
        servers = servers.replace(f"X-Forwarded-Prefix {PREFIX};", 'X-Forwarded-Prefix "";')
        _, producer = running.stack.producer(ROOT_PATH=PREFIX, FORWARDED_ALLOW_IPS="")
    with nginx.serving(servers, producer, tmp_path_factory.mktemp("nginx")) as client:
        yield client


def linked(http: httpx2.Client, answer: httpx2.Response) -> Any:
    """Follow `Location`, as a client does that knows nothing of a prefix."""
    assert answer.is_success, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{PREFIX}/")
    found = http.get(answer.url.join(location))
    assert found.status_code == 200, found.text
    return found.json()


def test_links_are_below_the_prefix(http: httpx2.Client) -> None:
    asked = {"model_id": "latest", "input_data": ROW}
    both = {"sync_model_id": "latest", "async_model_id": "latest", "input_data": ROW}
    files = {"model": ("model.onnx", graphs.linear())}
    manifest = {"manifest": json.dumps(graphs.LINEAR)}
    key = {"Idempotency-Key": str(http.base_url.port)}

    assert "state" in linked(http, http.post("/train", json=TRAIN))
    for path, body in (("/train", TRAIN), ("/predict/async", asked), ("/predict/sync_async", both)):
        headers = {"Idempotency-Key": key["Idempotency-Key"] + path.replace("/", "")}
        first = linked(http, http.post(path, json=body, headers=headers))
        assert linked(http, http.post(path, json=body, headers=headers))["id"] == first["id"]
    for _ in range(2):  # new, then known
        answer = http.put("/models/sums", data=manifest, files=files)
        assert linked(http, answer)["model_id"] == "sums"


def test_a_prefix_that_a_client_claims_is_not_believed(http: httpx2.Client) -> None:
    claims = {"X-Forwarded-Prefix": "/evil", "X-Forwarded-Host": "evil.example"}
    answer = http.post("/train", json=TRAIN, headers=claims)
    assert answer.headers["location"].startswith(f"{PREFIX}/jobs/")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_pages_load_all_their_files_by_way_of_nginx(http: httpx2.Client, page: str) -> None:
    shown = http.get(page)
    assert shown.status_code == 200
    links = set(re.findall(r"[\"'](/[a-z][^\"']*)[\"']", shown.text))
    assert f"{PREFIX}/openapi.json" in links
    assert any(f"{PREFIX}/static/" in link for link in links)
    for link in links:
        assert http.get(shown.url.join(link)).status_code == 200, link


def test_the_api_description_names_the_prefix(http: httpx2.Client) -> None:
    assert http.get("/openapi.json").json()["servers"] == [{"url": PREFIX}]


def test_other_methods_and_slashes_know_the_prefix(http: httpx2.Client) -> None:
    assert http.head("/models").status_code == 200
    assert http.get("/datasets/").json() == http.get("/datasets").json()
    assert "POST" in http.options("/predict").headers["allow"]
    assert "POST" in http.get("/predict").headers["allow"]
    assert http.get("/").status_code == 200


def test_each_event_of_a_job_passes_at_once(running: Running, http: httpx2.Client) -> None:
    upload(http, HELD)
    job_id = train(http, dataset_id=HELD)
    running.consumer.says(f"holding {job_id}")
    with http.stream("GET", f"/jobs/{job_id}/events") as stream:
        assert stream.status_code == 200
        lines = (line for line in stream.iter_lines() if line.startswith("data: "))
        states = (json.loads(line.removeprefix("data: "))["state"] for line in lines)
        assert next(states) == "TASK_RUNNING"  # while the job is held
        running.stack.let_go(job_id)
        assert list(states)[-1] == "TASK_COMPLETED"
    reached(http, job_id, "TASK_COMPLETED")


def test_an_upload_above_a_megabyte_passes(http: httpx2.Client) -> None:
    upload(http, "long", "a,b\n" + "1.5,2.5\n" * 500_000)


@pytest.mark.slow
def test_a_thousand_callers_at_a_time_get_their_predictions(
    http: httpx2.Client, model_id: str
) -> None:
    body = json.dumps({"model_id": model_id, "input_data": ROW}).encode()
    head = (
        f"POST {PREFIX}/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    )
    sent = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    statuses: Counter[bytes] = Counter()
    all_connected = asyncio.Barrier(CALLERS)

    async def call() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
        await all_connected.wait()
        for _ in range(CALLS):
            writer.write(sent)
            fields = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", fields)[1]))  # type: ignore[index]
            statuses[fields.split()[1]] += 1
        writer.close()

    async def main() -> None:
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(call())

    asyncio.run(main())
    assert statuses == {b"200": CALLERS * CALLS}
