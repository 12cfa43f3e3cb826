"""What one owner has is not there for another one, unless it is shared.

`CASES` has each parameter of each route that takes the name of a model, a data set or a job. The
first test compares it with the application, so that a route that comes without a case fails it.
"""

import json
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import uvicorn
from fastapi.routing import iter_route_contexts

from app.producer.answers.oip_errors import is_of_protocol
from app.producer.app import create_app
from app.settings import Settings
from tests.support.owners import HEADER, ActsFor
from tests.support.uvicorn_server import serving
from tests.system.support.client import is_problem, job, reached, trained
from tests.system.support.processes import SECONDS, Stack, until

MODEL, DATASET, NAME = "models", "datasets", "names"
OWNERS = ("default", "red", "blue")
ROW = {"a": 1.0}
TRAIN = {"features": ["a"], "target": "t", "estimator": "ridge", "dataset_id": "houses"}
SHADOW = {"alias": "champion", "version": 1, "share": 0.5}
NAME_FORMS: dict[str, dict[str, Any]] = {
    "promote": {"alias": "champion", "version": 1},
    "rollback": {"alias": "champion"},
    "split": {"weights": "1=1"},
    "end-split": {},
    "shadow": SHADOW,
    "end-shadow": {},
}
KEY = "key_id"  # of any owner, for whoever has the scope admin
LABELS = {"job_id"}  # in a body, the client's own name of a call, which is only logged

Send = Callable[[httpx2.Client, str], httpx2.Response]


@dataclass(frozen=True)
class Case:
    """A parameter that takes a name of a `kind`, and a request with it.

    `shared` is the kind of the grant with which others may send the request, None if none helps.
    `own` tells whether the test may send it for a thing that it still needs.
    """

    method: str
    path: str
    parameter: str
    kind: str
    send: Send
    shared: str | None = None
    own: bool = True

    def __str__(self) -> str:
        """Return the name of the case in the tests' output."""
        return f"{self.method} {self.path} {self.parameter}"


def get(path: str) -> Send:
    return lambda http, name: http.get(path.format(name))


def post(path: str, **body: Any) -> Send:
    """Send JSON; a member that is `...` is the name, `[...]` a list with it."""

    def send(http: httpx2.Client, name: str) -> httpx2.Response:
        filled = {
            key: name if value is ... else [name] if value == [...] else value
            for key, value in body.items()
        }
        return http.post(path.format(name), json=filled)

    return send


def csv_batch(http: httpx2.Client, name: str) -> httpx2.Response:
    kind = {"Content-Type": "text/csv"}
    return http.post("/predict/batch", params={"model_id": name}, content="a\n1\n", headers=kind)


def readable(method: str, path: str, parameter: str, kind: str, send: Send) -> Case:
    return Case(method, path, parameter, kind, send, shared=kind)


def predictions() -> Iterator[Case]:
    """Yield the cases of bodies with rows."""
    inputs = {"input_data": ROW}
    for path in ("/predict", "/predict/async", "/invocations"):
        yield readable("POST", path, "model_id", MODEL, post(path, model_id=..., **inputs))
        latest = post(path, model_id="latest", dataset_id=..., **inputs)
        yield readable("POST", path, "dataset_id", DATASET, latest)
    path = "/predict/parallel"
    yield readable("POST", path, "model_ids", MODEL, post(path, model_ids=[...], **inputs))
    latest = post(path, model_ids=["latest"], dataset_id=..., **inputs)
    yield readable("POST", path, "dataset_id", DATASET, latest)
    path = "/predict/sync_async"
    for this, other in (("sync", "async"), ("async", "sync")):
        body = {f"{this}_model_id": ..., f"{other}_model_id": "latest", **inputs}
        yield readable("POST", path, f"{this}_model_id", MODEL, post(path, **body))
    path = "/predict/batch"
    yield readable("POST", path, "?model_id", MODEL, csv_batch)
    for name, kind, other in (
        ("model_id", MODEL, {"dataset_id": "houses"}),
        ("dataset_id", DATASET, {"model_id": "latest"}),
    ):
        yield readable("POST", path, name, kind, post(path, **{name: ..., **other}))
    tensor = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}
    infer = post("/v2/models/{}/infer", inputs=[tensor])
    yield readable("POST", "/v2/models/{model_id}/infer", "model_id", MODEL, infer)
    path = "/v2/models/{model_id}/versions/{version}/infer"
    of_version = post("/v2/models/{}/versions/1/infer", inputs=[tensor])
    yield Case("POST", path, "model_id", MODEL, of_version, own=False)
    yield readable(
        "POST", "/train", "dataset_id", DATASET, post("/train", **{**TRAIN, "dataset_id": ...})
    )


def reads() -> Iterator[Case]:
    """Yield the cases of routes that show a thing."""
    for path in ("/metadata", "/predict/test"):
        yield readable("GET", path, "?model_id", MODEL, get(f"{path}?model_id={{}}"))
        latest = get(f"{path}?model_id=latest&dataset_id={{}}")
        yield readable("GET", path, "?dataset_id", DATASET, latest)
    for below in ("", "/file", "/export", "/evaluation"):
        path = f"/models/{{model_id}}{below}"
        yield readable("GET", path, "model_id", MODEL, get(f"/models/{{}}{below}"))
        latest = get(f"/models/latest{below}?dataset_id={{}}")
        yield readable("GET", path, "?dataset_id", DATASET, latest)
    for below in ("", "/ready"):
        path = f"/v2/models/{{model_id}}{below}"
        yield readable("GET", path, "model_id", MODEL, get(f"/v2/models/{{}}{below}"))
    for below in ("", "/file"):
        path = f"/datasets/{{dataset_id}}{below}"
        yield readable("GET", path, "dataset_id", DATASET, get(f"/datasets/{{}}{below}"))
    for prefix in ("jobs", "job"):
        for below in ("", "/events"):
            send = get(f"/{prefix}/{{}}{below}")
            yield readable("GET", f"/{prefix}/{{job_id}}{below}", "job_id", MODEL, send)
    log = "/jobs/{job_id}/log"
    yield readable("GET", log, "job_id", MODEL, get("/jobs/{}/log"))
    for below in ("", "/ready"):  # these models have no versions
        path, send = (
            f"/v2/models/{{model_id}}/versions/{{version}}{below}",
            "/v2/models/{}/versions/1",
        )
        yield Case("GET", path, "model_id", MODEL, get(f"{send}{below}"), own=False)
    path = "/jobs/{job_id}/attempts"
    yield readable("GET", path, "job_id", MODEL, get("/jobs/{}/attempts"))
    yield Case("GET", "/jobs/{job_id}/result", "job_id", "batches", get("/jobs/{}/result"))


def names() -> Iterator[Case]:
    """Yield the cases of routes that take a name of models."""

    def put(path: str, body: dict[str, Any]) -> Send:
        return lambda http, name: http.put(path.format(name), json=body)

    aliases = "/models/{name}/aliases"
    for path in (
        *("/names/{name}", "/models/{name}/versions", "/models/{name}/versions/{version}"),
        *(aliases, f"{aliases}/{{alias}}", f"{aliases}/{{alias}}/history"),
        "/models/{name}/shadow",
    ):
        filled = path.format(name="{}", version=1, alias="champion")
        yield Case("GET", path, "name", NAME, get(filled), shared=NAME)
    for path, body in {
        "/names/{name}": {"tags": ["a"]},
        "/models/{name}/versions/{version}": {},
        "/models/{name}/split": {"weights": {"1": 1}},
        "/models/{name}/shadow": SHADOW,
        f"{aliases}/{{alias}}": {"version": 1},
    }.items():
        filled = path.format(name="{}", version=1, alias="champion")
        yield Case("PUT", path, "name", NAME, put(filled, body))
    for path in ("/models/{name}/split", f"{aliases}/{{alias}}"):
        filled = path.format(name="{}", alias="other")
        yield Case("DELETE", path, "name", NAME, lambda h, n, f=filled: h.delete(f.format(n)))
    for path in ("/models/{name}/shadow", "/names/{name}"):
        filled = path.format(name="{}")
        send = lambda http, name, f=filled: http.delete(f.format(name))  # noqa: E731
        yield Case("DELETE", path, "name", NAME, send, own=False)
    path = f"{aliases}/{{alias}}/rollback"
    yield Case("POST", path, "name", NAME, post(path.format(name="{}", alias="back")), own=False)


def changes() -> Iterator[Case]:
    """Yield the cases of routes that only an owner may call."""

    def to(method: str, path: str) -> Send:
        return lambda http, name: http.request(method, path.format(name))

    yield Case("DELETE", "/jobs/{job_id}", "job_id", MODEL, to("DELETE", "/jobs/{}"), own=False)
    for kind, name in ((MODEL, "model_id"), (DATASET, "dataset_id")):
        thing = f"/{kind}/{{{name}}}"
        yield Case("DELETE", thing, name, kind, to("DELETE", f"/{kind}/{{}}"), own=False)
        yield Case("GET", f"{thing}/grants", name, kind, to("GET", f"/{kind}/{{}}/grants"))
        for method in ("PUT", "DELETE"):
            send = to(method, f"/{kind}/{{}}/grants/nobody")
            yield Case(method, f"{thing}/grants/{{grantee}}", name, kind, send)


def pages() -> Iterator[Case]:
    """Yield the cases of the pages below /ui."""
    for below in ("", "/report.html", "/report.md"):
        path = f"/ui/models/{{model_id}}{below}"
        yield readable("GET", path, "model_id", MODEL, get(f"/ui/models/{{}}{below}"))
    yield readable("POST", "/ui/models/{model_id}", "model_id", MODEL, filled_form)
    yield readable("GET", "/ui/jobs/{job_id}", "job_id", MODEL, get("/ui/jobs/{}"))
    path = "/ui/datasets/{dataset_id}"
    yield readable("GET", path, "dataset_id", DATASET, get("/ui/datasets/{}"))
    path = "/ui/names/{name}"
    yield Case("GET", path, "name", NAME, get("/ui/names/{}"), shared=NAME)
    for kind, name in ((MODEL, "model_id"), (DATASET, "dataset_id")):
        path, below = f"/ui/{kind}/{{{name}}}/delete", f"/ui/{kind}/{{}}/delete"
        yield Case("GET", path, name, kind, get(below))
        yield Case("POST", path, name, kind, post(below), own=False)
    for action, fields in NAME_FORMS.items():
        path, form = f"/ui/names/{{name}}/{action}", urlencode(fields)
        asked = get(f"/ui/names/{{}}/{action}?{form}")
        # The alias has pointed to nothing before.
        yield Case("GET", path, "name", NAME, asked, own=action != "rollback")
        sent = lambda http, name, a=action, f=fields: http.post(f"/ui/names/{name}/{a}", data=f)  # noqa: E731
        yield Case("POST", path, "name", NAME, sent, own=False)
    for action in ("cancel", "again"):
        path, below = f"/ui/jobs/{{job_id}}/{action}", f"/ui/jobs/{{}}/{action}"
        yield Case("GET", path, "job_id", MODEL, get(below))
        yield Case("POST", path, "job_id", MODEL, post(below), own=False)


def filled_form(http: httpx2.Client, name: str) -> httpx2.Response:
    return http.post(f"/ui/models/{name}", data={"f0": "1.5"})


CASES = [*predictions(), *reads(), *names(), *changes(), *pages()]
# Nobody creates a thing under another owner's name, so these refuse it.
CREATES = [
    Case(
        "PUT",
        "/models/{model_id}",
        "model_id",
        MODEL,
        lambda http, name: http.put(f"/models/{name}", json={}),
    ),
    Case(
        "PUT",
        "/datasets/{dataset_id:path}",
        "dataset_id",
        DATASET,
        lambda http, name: http.put(f"/datasets/{name}", content="a,t\n1,2\n"),
    ),
]
CREATES.append(
    Case(
        "POST",
        "/ui/datasets/{dataset_id}/upload",
        "dataset_id",
        DATASET,
        lambda http, name: http.post(f"/ui/datasets/{name}/upload", files={"file": b"a,t\n1,2\n"}),
    )
)
# Lists have nothing of others; a filter by another owner's data set finds one's own things.
FILTERS = [
    Case("GET", "/jobs", "?dataset_id", DATASET, get("/jobs?dataset_id={}")),
    Case("GET", "/models", "?dataset_id", DATASET, get("/models?dataset_id={}")),
]


def parameters() -> set[tuple[str, str, str]]:
    """Return each parameter of the application that takes a name; those of queries with a `?`."""
    app = create_app(Settings(_env_file=None))
    document = app.openapi()
    found = set()
    for context in iter_route_contexts(app.routes):
        path = context.path or ""
        for method in context.methods or ():
            for part in path.split("/"):
                name = part.strip("{}").partition(":")[0]
                if part.startswith("{") and name.endswith(("_id", "name")) and name != KEY:
                    found.add((method, path, name))
            operation = document["paths"].get(path, {}).get(method.lower(), {})
            for name in named_in(operation, document["components"]["schemas"]):
                found.add((method, path, name))
    return found


def named_in(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    for each in operation.get("parameters", ()):
        if each["in"] == "query" and each["name"].endswith(("_id", "_ids")):
            yield f"?{each['name']}"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from (
            name
            for name in members(content["schema"], schemas)
            if name.endswith(("_id", "_ids")) and name not in LABELS
        )


def members(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    yield from schema.get("properties", ())
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from members(each, schemas)


def test_each_parameter_that_takes_a_name_has_a_case() -> None:
    cases = [(each.method, each.path, each.parameter) for each in (*CASES, *CREATES, *FILTERS)]
    assert set(cases) == parameters()
    assert len(cases) == len(set(cases))


@dataclass(frozen=True)
class Warren:
    """A client for each owner, and what the owners `default` and `red` have, by kind."""

    clients: dict[str, httpx2.Client]
    things: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def warren(world: Stack) -> Iterator[Warren]:
    """A producer in this process, which believes its clients; `blue` has learnt from all data."""
    world.consumer()
    names = Settings.model_fields.keys() - {"invoke_secrets"}  # JSON in the environment
    environment = {name.lower(): value for name, value in world.environment.items()}
    known = {name: value for name, value in environment.items() if name in names}
    app = ActsFor(create_app(Settings(_env_file=None, **known)))
    config = uvicorn.Config(app, lifespan="on", log_config=None)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        clients = {
            owner: httpx2.Client(
                base_url=address, timeout=SECONDS, trust_env=False, headers={HEADER: owner}
            )
            for owner in OWNERS
        }
        with ExitStack() as opened, serving(config, listener):
            for http in clients.values():
                opened.enter_context(http)
            until(lambda: connects(clients["red"]), "the producer is connected")
            yield Warren(clients, prepare(clients))


def connects(http: httpx2.Client) -> bool:
    try:
        return http.get("/ping").status_code == 200
    except httpx2.ConnectError:
        return False


def prepare(clients: dict[str, httpx2.Client]) -> dict[str, dict[str, str]]:
    """Let each owner have a data set, a model and a result; blue also learns from the others'."""
    things = {}
    for factor, owner in enumerate(OWNERS, 1):
        http = clients[owner]
        rows = "".join(f"{n},{n * factor}\n" for n in range(30))
        assert http.put("/datasets/houses", content=f"a,t\n{rows}").status_code == 201
        model_id = trained(http, **TRAIN)
        batch = post("/predict/batch", model_id=..., dataset_id="houses")(http, model_id)
        job_id = str(batch.json()["message"]["job_id"])
        reached(http, job_id, "TASK_COMPLETED")
        named = trained(http, **TRAIN, name="prices")
        version = {"json": {"version": 1}}
        assert http.put("/models/prices/aliases/champion", **version).status_code == 201
        assert http.put("/models/prices/shadow", json=SHADOW).status_code == 201
        things[owner] = {DATASET: "houses", MODEL: model_id, "batches": job_id, NAME: "prices"}
        things[owner]["version"] = named
    for owner in ("default", "red"):
        granting(clients[owner], DATASET, "houses", "blue")
        trained(clients["blue"], **{**TRAIN, "dataset_id": f"{owner}~houses"})
        revoking(clients[owner], DATASET, "houses", "blue")
    return things


def granting(http: httpx2.Client, kind: str, name: str, grantee: str) -> None:
    assert http.put(f"/{place(kind)}/{name}/grants/{grantee}").status_code == 201


def revoking(http: httpx2.Client, kind: str, name: str, grantee: str) -> None:
    assert http.delete(f"/{place(kind)}/{name}/grants/{grantee}").status_code == 204


def place(kind: str) -> str:
    """Return the path of a kind's grants; those of names are among those of models."""
    return MODEL if kind == NAME else kind


def not_found(case: Case, http: httpx2.Client, name: str) -> dict[str, Any]:
    """Return the error of a name that is not there, which below /v2 is that of the protocol."""
    answer = case.send(http, name)
    if is_of_protocol(case.path):
        assert answer.status_code == 404
        assert answer.json().keys() == {"error"}
        return dict(answer.json())
    found = is_problem(answer, 404)
    assert found["type"] == "not_found"
    return found


def is_not_there(case: Case, http: httpx2.Client, name: str) -> None:
    """Check that the answer is that to a name which nobody has."""
    refused = not_found(case, http, name)
    owner = name.partition("~")[0]
    unknown = not_found(case, http, f"{owner}~nothing")
    for answer in (refused, unknown):
        for branch in answer.get("answers", ()):
            branch.pop("elapsed_ms")
    shown = json.loads(json.dumps(unknown).replace(f"{owner}~nothing", name))
    assert {**refused, "job_id": ""} == {**shown, "job_id": ""}  # a call's random id


@pytest.mark.parametrize("case", [each for each in CASES if each.own], ids=str)
@pytest.mark.parametrize("owner", ["default", "red"])
def test_an_owner_uses_their_own_things_by_their_own_names(
    warren: Warren, owner: str, case: Case
) -> None:
    answer = case.send(warren.clients[owner], warren.things[owner][case.kind])

    assert answer.status_code in (200, 201, 202, 204), answer.text
    assert not any("~" in value for value in answer.headers.values())
    assert case.path.endswith(("/file", "/export")) or "~" not in answer.text


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("owner", ["default", "red"])
def test_another_owner_finds_a_thing_only_while_it_is_shared(
    warren: Warren, owner: str, case: Case
) -> None:
    http, blue = warren.clients[owner], warren.clients["blue"]
    own = warren.things[owner][case.kind]
    name = f"{owner}~{own}"
    is_not_there(case, blue, name)
    grants = [case.shared] if case.shared else [MODEL, DATASET, NAME]

    for kind in grants:
        granting(http, kind, warren.things[owner][kind], "blue")
    try:
        if case.shared:
            until(lambda: case.send(blue, name).status_code != 404, "the grant is seen")
            answer = case.send(blue, name)
            assert answer.status_code in (200, 201, 202, 204), answer.text
            assert case.path.endswith(("/file", "/export")) or "blue~" not in answer.text
        else:
            not_found(case, blue, name)
    finally:
        for kind in grants:
            revoking(http, kind, warren.things[owner][kind], "blue")
    until(lambda: case.send(blue, name).status_code == 404, "the revocation is seen")
    is_not_there(case, blue, name)


@pytest.mark.parametrize("case", CREATES, ids=str)
def test_nobody_creates_a_thing_under_another_name(warren: Warren, case: Case) -> None:
    for owner in OWNERS:
        refused = is_problem(case.send(warren.clients[owner], "red~new"), 422)
        assert refused["detail"].startswith(f"{case.parameter}: use a string of letters")


@pytest.mark.parametrize("case", FILTERS, ids=str)
def test_a_filter_by_a_data_set_of_another_owner_finds_ones_own_things(
    warren: Warren, case: Case
) -> None:
    found, _ = case.send(warren.clients["blue"], "red~houses").json().values()
    assert {each["dataset_id"] for each in found} == {"red~houses"}
    found, _ = case.send(warren.clients["red"], "blue~houses").json().values()
    assert found == []


@pytest.mark.parametrize("path", ["/jobs", "/models", "/datasets"])
def test_a_list_has_an_owners_own_things_only(warren: Warren, path: str) -> None:
    for owner in ("default", "red"):
        text = warren.clients[owner].get(path).text
        assert warren.things[owner][DATASET if path == "/datasets" else MODEL] in text
        assert "~" not in text
        for other in set(OWNERS) - {owner}:
            assert warren.things[other][MODEL] not in text
            assert warren.things[other]["batches"] not in text


def working(http: httpx2.Client) -> bool:
    return any(
        http.get("/jobs", params={"state": state}).json()["jobs"]
        for state in ("TASK_QUEUED", "TASK_RUNNING")
    )


def test_latest_is_an_owners_own(warren: Warren) -> None:
    for owner in ("default", "red"):
        http = warren.clients[owner]
        until(lambda http=http: not working(http), "the jobs of other tests have ended")
        (model,) = http.get("/models?sort=-trained_at&limit=1").json()["models"]
        assert http.get("/models/latest").json()["model_id"] == model["model_id"]
        asked = post("/predict", model_id="latest", input_data=ROW)
        until(
            lambda http=http, model=model, asked=asked: (
                asked(http, "").json()["message"]["model_id"] == model["model_id"]
            ),
            "the consumer knows the newest model",
        )
        newest = http.get("/jobs?limit=1").json()["jobs"][0]["id"]
        assert http.get("/jobs/latest").json()["id"] == newest
    refused = post("/predict", model_id="red~latest", input_data=ROW)(warren.clients["blue"], "")
    assert is_problem(refused, 404)["detail"] == "model_id: there is no model red~latest"


def test_a_data_set_of_each_owner_has_the_same_id_and_another_content(warren: Warren) -> None:
    for factor, owner in enumerate(OWNERS, 1):
        http = warren.clients[owner]
        assert http.get("/datasets/houses/file").text.endswith(f"29,{29 * factor}\n")
        (listed,) = http.get("/datasets").json()["datasets"]
        assert listed["id"] == "houses"
        model_id = warren.things[owner][MODEL]
        answer = post("/predict", model_id=model_id, input_data={"a": 15})(http, "")
        assert answer.json()["message"]["prediction"] == pytest.approx(15 * factor, rel=0.1)


def test_an_idempotency_key_is_an_owners_own(warren: Warren) -> None:
    key = secrets.token_hex(8)
    found = {}
    for owner in OWNERS:
        for again in range(2):
            answer = warren.clients[owner].post(
                "/train", json=TRAIN, headers={"Idempotency-Key": key}
            )
            assert answer.status_code == 202, answer.text
            found[owner, again] = answer.json()["message"]["model_id"]
    assert len(set(found.values())) == len(OWNERS)
    assert all(found[owner, 0] == found[owner, 1] for owner in OWNERS)
    assert job(warren.clients["red"], found["red", 0])["dataset_id"] == "houses"


def test_all_may_read_what_is_granted_to_all(warren: Warren) -> None:
    http, name = warren.clients["red"], warren.things["red"][MODEL]
    granting(http, MODEL, name, "*")

    (grant,) = http.get(f"/models/{name}/grants").json()["grants"]
    assert (grant["grantee"], grant["granted_by"]) == ("*", "test")
    for other in ("default", "blue"):
        other_http = warren.clients[other]
        until(lambda http=other_http: http.get(f"/models/red~{name}").status_code == 200, "seen")
        answer = post("/predict", model_id=f"red~{name}", input_data=ROW)(other_http, "")
        assert answer.json()["message"]["model_id"] == f"red~{name}"

    revoking(http, MODEL, name, "*")


def test_a_shared_name_shares_its_versions(warren: Warren) -> None:
    red, blue = warren.clients["red"], warren.clients["blue"]
    version = warren.things["red"]["version"]
    granting(red, NAME, "prices", "blue")

    for reference in ("red~prices", "red~prices:1", "red~prices@champion", f"red~{version}"):
        asked = post("/predict", model_id=reference, input_data=ROW)
        until(lambda a=asked: a(blue, "").status_code == 200, "the grant is seen")
        answer = asked(blue, "").json()["message"]
        assert answer["model_id"] == f"red~{version}"
        assert answer.get("model") == ("red~prices:1" if version not in reference else None)
    own = post("/predict", model_id="prices@champion", input_data=ROW)(red, "").json()["message"]
    assert (own["model_id"], own["model"]) == (version, "prices:1")

    revoking(red, NAME, "prices", "blue")


def test_a_shared_version_hides_its_name_until_that_is_shared(warren: Warren) -> None:
    red, blue = warren.clients["red"], warren.clients["blue"]
    version = warren.things["red"]["version"]
    granting(red, MODEL, version, "blue")
    paths = (f"/models/red~{version}", f"/metadata?model_id=red~{version}", f"/jobs/red~{version}")
    until(lambda: blue.get(paths[0]).status_code == 200, "the grant is seen")
    for path in paths:
        own, seen = red.get(path.replace("red~", "")), blue.get(path)
        assert "prices" in own.text
        assert seen.status_code == 200
        assert "prices" not in seen.text

    granting(red, NAME, "prices", "blue")
    until(lambda: blue.get("/models/red~prices").status_code == 200, "the grant is seen")
    for path in paths[:2]:
        assert blue.get(path).json()["name"] == "red~prices"
    revoking(red, NAME, "prices", "blue")
    revoking(red, MODEL, version, "blue")


def test_a_deleted_data_set_is_shared_no_more(warren: Warren) -> None:
    red, blue = warren.clients["red"], warren.clients["blue"]
    for _ in range(2):
        assert red.put("/datasets/short", content="a,t\n1,2\n").status_code == 201
        assert red.get("/datasets/short/grants").json() == {"grants": []}
        granting(red, DATASET, "short", "blue")
        until(lambda: blue.get("/datasets/red~short/file").status_code == 200, "it is seen")
        assert red.delete("/datasets/short").status_code == 204


def test_a_name_is_granted_to_another_owner_only(warren: Warren) -> None:
    refused = warren.clients["red"].put("/datasets/houses/grants/red")
    assert is_problem(refused, 422)["detail"].startswith("grantee: it belongs to red")
    refused = warren.clients["red"].put("/datasets/houses/grants/no~one")
    assert is_problem(refused, 422)["detail"] == (
        'grantee: use the name of an owner, or * for all; you sent "no~one"'
    )


def test_an_error_names_things_as_its_reader_does(warren: Warren) -> None:
    refused = is_problem(warren.clients["red"].get("/models/iris"), 404)
    assert "~" not in refused["detail"]
    failed = warren.clients["red"].post("/train", json={**TRAIN, "target": "nothing"})
    ended = reached(warren.clients["red"], failed.json()["message"]["model_id"], "TASK_ERROR")
    assert "data set houses has no column nothing" in ended["error"]["detail"]
