"""What bad input gets: a problem document that names the field, and nothing worse."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from app.settings import Settings
from app.storage.client import S3Client
from app.storage.datasets import DatasetStore
from devstack.demo import ROW, TRAIN
from tests.support.words import foreign_words
from tests.system.conftest import Running
from tests.system.support.client import (
    ENDLESS,
    is_problem,
    predict,
    reached,
    train,
    trained,
    upload,
)

JSON = {"Content-Type": "application/json"}
MODEL = "MODEL"  # stands for the id of the reference model


@dataclass(frozen=True)
class Case:
    """A request, the field that its problem names, and what its detail says."""

    name: str
    method: str
    path: str
    status: int
    where: str | None
    says: str = ""
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: JSON)

    def __str__(self) -> str:
        return self.name


def raw(path: str, name: str, content: str | bytes, says: str = "") -> Case:
    """Make a body that is no JSON."""
    body = content.encode() if isinstance(content, str) else content
    return Case(f"{path}: {name}", "POST", path, 422, "body", says, body)


def training(name: str, where: str | None, says: str = "", status: int = 422, **to: Any) -> Case:
    """Make a training that is wrong in one thing."""
    body = json.dumps({**TRAIN, **to}).encode()
    return Case(f"train: {name}", "POST", "/train", status, where, says, body)


def prediction(name: str, where: str | None, says: str = "", status: int = 422, **to: Any) -> Case:
    """Make a prediction that is wrong in one thing."""
    body = json.dumps({"model_id": MODEL, "input_data": ROW, **to}).encode()
    return Case(f"predict: {name}", "POST", "/predict", status, where, says, body)


def csv(name: str, content: bytes, says: str) -> Case:
    """Make a data set that is none."""
    headers = {"Content-Type": "text/csv"}
    return Case(f"CSV: {name}", "PUT", "/datasets/bad", 422, "body", says, content, headers)


def without(feature: str) -> dict[str, float]:
    return {name: value for name, value in ROW.items() if name != feature}


IDS = ["", "../x", "a/b", "a..b", ".a", "-a", "a b", "a\n", "\u00fc", "a" * 129, "a\\b", "a\0b"]

NOT_JSON = [
    ("half an object", '{"dataset_id": ', "not valid JSON"),
    ("two objects", "{} {}", "not valid JSON"),
    ("Python's literals", "{'dataset_id': None}", "not valid JSON"),
    ("NaN", json.dumps({**TRAIN, "test_size": float("nan")}), "NaN"),
    ("Infinity", json.dumps({**TRAIN, "test_size": float("inf")}), "Infinity"),
    ("-Infinity", json.dumps({**TRAIN, "params": {"a": -float("inf")}}), "Infinity"),
    ("a number that overflows", '{"test_size": 1e999}', "1e999"),
    ("a number of 5000 digits", '{"test_size": %s}' % ("9" * 5000), "not valid JSON"),
    ("a key twice", '{"target": "a", "target": "b"}', '"target" stands twice'),
    ("a lone surrogate", '{"target": "\\ud800"}', "surrogate"),
    ("not UTF-8", b'{"target": "\xff"}', "utf-8"),
    ("a depth bomb", "[" * 20_000, "not valid JSON"),
    ("a list", "[]"),
    ("null", "null"),
]

CASES = [
    raw("/train", "no body", "", "is missing"),
    raw("/predict", "no body", "", "not valid JSON"),
    *(raw(path, *each) for path in ("/train", "/predict") for each in NOT_JSON),
    *(
        Case(f"{path}: {kind}", "POST", path, 415, "body", "application/json", b"{}", headers)
        for path in ("/train", "/predict")
        for kind, headers in [
            ("no type", {}),
            ("text", {"Content-Type": "text/plain"}),
            ("a form", {"Content-Type": "application/x-www-form-urlencoded"}),
        ]
    ),
    *(training(f"dataset_id {each!r:.20}", "dataset_id", dataset_id=each) for each in IDS),
    training("dataset_id is a number", "dataset_id", dataset_id=1),
    training("no dataset_id", "dataset_id", dataset_id=None),
    training("unknown data set", "dataset_id", "nowhere", 404, dataset_id="nowhere"),
    training("features are a string", "features", features="age"),
    training("a feature is a number", "features.0", features=[1]),
    training("a feature has no name", "features.1", features=["age", ""]),
    training("no features", "features", features=[]),
    training("a feature twice", "features", "bmi", features=["bmi", "age", "bmi"]),
    training("target among the features", "target", "bmi", target="bmi"),
    training("target is null", "target", target=None),
    training("test_size is text", "test_size", test_size="0.2"),
    *(training(f"test_size {each}", "test_size", test_size=each) for each in (1.5, -0.1)),
    training("unknown key", "colour", colour="red"),
    training("the client names the model", "model_id", model_id="mine"),
    training("unknown estimator", "estimator", "svm_regressor", estimator="magic"),
    training("params are a list", "params", params=[1]),
    training("unknown parameter", "params.trees", "n_estimators", params={"trees": 3}),
    training(
        "impossible parameter",
        "params.max_depth",
        "a whole number of at least 1 or null, not -1",
        params={"max_depth": -1},
    ),
    training("parameter of a wrong type", "params.n_estimators", params={"n_estimators": "many"}),
    training("max_seconds is 0", "max_seconds", max_seconds=0),
    training("max_seconds is text", "max_seconds", max_seconds="10"),
    training("max_memory is less than anything takes", "max_memory", max_memory=1_000_000),
    training("max_memory is a fraction", "max_memory", max_memory=1e9 + 0.5),
    training("parameter is an object", "params.n_estimators", params={"n_estimators": {"a": 1}}),
    *(prediction(f"model_id {each!r:.20}", "model_id", model_id=each) for each in IDS),
    prediction("model_id is a number", "model_id", model_id=1),
    prediction("unknown model", "model_id", "nobody", 404, model_id="nobody"),
    prediction(
        "no model on the data set", "model_id", "none", 404, model_id="latest", dataset_id="none"
    ),
    prediction("unknown key", "colour", colour="red"),
    prediction("missing feature", "input_data.bmi", "missing bmi", input_data=without("bmi")),
    prediction("no feature", "input_data.age", "missing age", input_data={}),
    prediction("extra feature", "input_data.sex", "unknown sex", input_data={**ROW, "sex": 1}),
    prediction("text", "input_data.bmi", "expected a number", input_data={**ROW, "bmi": "0.1"}),
    prediction("true", "input_data.bmi", "expected a number", input_data={**ROW, "bmi": True}),
    prediction("null", "input_data.bmi", "expected a number", input_data={**ROW, "bmi": None}),
    prediction("too large", "input_data.bmi", "a number", input_data={**ROW, "bmi": 1e300}),
    prediction("an integer too large", "input_data.bmi", input_data={**ROW, "bmi": 10**400}),
    prediction("a list in a row", "input_data.bmi", input_data={**ROW, "bmi": [1]}),
    prediction("one bad row of two", "input_data.1.bmi", input_data=[ROW, without("bmi")]),
    prediction("no rows", "input_data", input_data=[]),
    prediction("rows are text", "input_data", input_data="bmi"),
    prediction("a row is a number", "input_data.1", input_data=[ROW, 1]),
    csv("empty", b"", "empty"),
    csv("blank", b"\n\n", "empty"),
    csv("header only", b"a,b\n", "no row"),
    csv("a column twice", b"a,b,a\n1,2,3\n", "twice: a"),
    csv("a column without a name", b"a,,c\n1,2,3\n", "no name"),
    csv("an open quote", b'a,b\n1,2\n"3,4\n', "never closed"),
    csv("not UTF-8", b"a,b\n\xff,1\n", "UTF-8"),
    csv("rows longer than the header", b"a,b\n1,2,3\n", "say index=true to leave them out"),
    csv("a longer row", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 fields"),
    csv("a title", b"a title\na,b\n1,2\n", "if the header is a title or a comment, remove it"),
    csv("a workbook", b"PK\x03\x04[Content_Types].xml\0", "an Excel workbook (xlsx)"),
    csv("a NUL byte", b"a,b\n\0,1\n", "NUL"),
    Case(
        *("CSV: JSON", "PUT", "/datasets/bad", 415, "body", "send CSV", b"[]"),
        {"Content-Type": "application/json"},
    ),
    csv("an endless line", b"a" * 1_100_000 + b",b\n1,2\n", "longer than"),
    *(
        Case(f"{method} {path}", method, path, 422, where)
        for method, path, where in [
            ("PUT", "/datasets/a%20b", "dataset_id"),
            ("PUT", "/datasets/..%2Fa", "dataset_id"),
            ("PUT", "/datasets/%2E%2E", "dataset_id"),
            ("PUT", "/datasets/a/b", "dataset_id"),
            ("PUT", "/datasets/.a", "dataset_id"),
            ("GET", "/jobs/a..b", "job_id"),
            ("GET", "/jobs/%2E%2E", "job_id"),
            ("DELETE", "/jobs/a..b", "job_id"),
            ("GET", "/jobs/a..b/events", "job_id"),
            ("GET", "/jobs/a..b/log", "job_id"),
            ("GET", "/jobs/a/log?after=-1", "after"),
            ("GET", "/jobs/a/log?limit=501", "limit"),
            ("GET", "/models/a..b", "model_id"),
            ("GET", "/models/%2E%2E", "model_id"),
            ("GET", "/jobs?state=TASK_LOST", "state"),
            ("GET", "/jobs?limit=0", "limit"),
            ("GET", "/jobs?limit=many", "limit"),
            ("GET", "/models?limit=1001", "limit"),
        ]
    ),
    Case("unknown job", "GET", "/jobs/nobody", 404, "job_id", "nobody"),
    Case("unknown job to cancel", "DELETE", "/jobs/nobody", 404, "job_id", "nobody"),
    Case("unknown job to follow", "GET", "/jobs/nobody/events", 404, "job_id", "nobody"),
    Case("unknown job to read of", "GET", "/jobs/nobody/log", 404, "job_id", "nobody"),
    Case("unknown model", "GET", "/models/nobody", 404, "model_id", "nobody"),
    Case("unknown page", "GET", "/nowhere", 404, None),
    Case("unknown method", "DELETE", "/train", 405, None),
]


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    return running.http


@pytest.fixture(scope="module")
def limited(running: Running) -> httpx2.Client:
    """A second producer, with limits that a test reaches quickly."""
    _, http = running.stack.producer(MAX_BODY="1000", MAX_DATASET="2000")
    return http


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_gets_a_problem_that_names_the_field(
    case: Case, running: Running, model_id: str
) -> None:
    jobs = {each["id"] for each in running.http.get("/jobs?limit=1000").json()["jobs"]}
    answer = running.http.request(
        case.method,
        case.path,
        content=case.content.replace(MODEL.encode(), model_id.encode()),
        headers=case.headers,
    )
    problem = is_problem(answer, case.status)
    assert problem.get("field") == case.where
    assert case.says.lower() in problem["detail"].lower()
    assert not foreign_words(problem["detail"], case.content.decode(errors="replace"))
    if case.where and case.status == 422:
        assert problem["detail"].startswith(f"{case.where}: ")
    assert "Traceback" not in running.stack.output()

    if not (case.where or "").startswith("params."):  # these only a consumer can judge
        after = {each["id"] for each in running.http.get("/jobs?limit=1000").json()["jobs"]}
        assert after == jobs


def test_after_all_that_the_consumer_works_and_nothing_died(
    http: httpx2.Client, running: Running, model_id: str
) -> None:
    assert predict(http, model_id)["status"] == "TASK_COMPLETED"
    trained(http)
    assert running.stack.waiting("queue.model.dead") == 0
    assert {each["id"] for each in http.get("/datasets").json()["datasets"]} == {"diabetes"}


def test_an_unknown_estimator_or_parameter_is_answered_with_what_there_is(
    http: httpx2.Client, model_id: str
) -> None:
    known = http.get("/openapi.json").json()["components"]["schemas"]["TrainBody"]
    said = http.post("/train", json={**TRAIN, "estimator": "magic"}).json()["detail"]
    assert all(name in said for name in known["properties"]["estimator"]["anyOf"][0]["enum"])

    problem = http.post("/train", json={**TRAIN, "params": {"trees": 3}}).json()
    assert {"n_estimators", "max_depth", "random_state"} <= set(problem["allowed"])


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    ("method", "path", "kind", "limit"),
    [
        ("POST", "/train", "application/json", 1000),
        ("POST", "/predict", "application/json", 1000),
        ("PUT", "/datasets/large", "text/csv", 2000),
    ],
)
def test_a_body_over_the_limit_gets_413(
    limited: httpx2.Client, method: str, path: str, kind: str, limit: int, chunked: bool
) -> None:
    body = b'{"a":1}' + b" " * limit

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    content = chunks() if chunked else body
    headers = {"Content-Type": kind}
    problem = is_problem(limited.request(method, path, content=content, headers=headers), 413)
    assert problem["field"] == "body"
    assert f"{limit} bytes" in problem["detail"]


def test_a_data_set_over_the_limit_leaves_nothing_behind(
    limited: httpx2.Client, http: httpx2.Client
) -> None:
    line = b"1,2\n"
    is_problem(limited.put("/datasets/large", content=iter([b"a,b\n", *[line] * 1000])), 413)
    assert "large" not in [each["id"] for each in http.get("/datasets").json()["datasets"]]
    assert limited.put("/datasets/small", content=b"a,b\n" + line * 499).status_code == 201


def test_a_body_of_megabytes_gets_413_by_the_default_limit(http: httpx2.Client) -> None:
    body = b'{"a":"' + b"x" * 5_000_000 + b'"}'
    problem = is_problem(http.post("/predict", content=body, headers=JSON), 413)
    assert "4000000 bytes" in problem["detail"]


@pytest.mark.parametrize(
    ("csv", "changes", "where", "says"),
    [
        ("a,b\n1,2\n3,4\n", {"features": ["a", "c"]}, "features", "no column c; it has a, b"),
        ("a,b\n1,2\n3,4\n", {"features": ["a"], "target": "c"}, "target", "it has a, b"),
        (
            "a,b\n1,x\n2,x\n3,x\n",
            {"features": ["a"], "target": "b", "estimator": "logistic_regression"},
            "target",
            "1 class",
        ),
        (
            "a,b\n1,x\n2,y\n",
            {"features": ["a"], "target": "b", "estimator": "ridge"},
            "target",
            "text",
        ),
        ("a,b\n1,\n2,\n", {"features": ["a"], "target": "b"}, "target", "empty"),
        (b"a,b\n1,2\n1,2,3,4\n", {"features": ["a"], "target": "b"}, "dataset_id", "CSV"),
        (b"", {"features": ["a"], "target": "b"}, "dataset_id", "CSV"),
    ],
    ids=[
        "no such feature",
        "no such target",
        "one class",
        "text for a regressor",
        "no targets",
        "ragged",
        "empty",
    ],
)
def test_data_that_cannot_be_learnt_from_end_the_job_with_an_error(
    running: Running,
    csv: str | bytes,
    changes: dict[str, Any],
    where: str | None,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isinstance(csv, bytes):  # the API refuses it, but anybody may write into the bucket
        for name, value in running.stack.environment.items():
            monkeypatch.setenv(name, value)
        settings = Settings(_env_file=None)
        datasets = DatasetStore(S3Client(settings), settings.s3_path_name)
        datasets.put("awry", io.BytesIO(csv))
    else:
        upload(running.http, "awry", csv)
    job_id = train(running.http, dataset_id="awry", **{"target": "b", **changes})
    error = reached(running.http, job_id, "TASK_ERROR")["error"]
    assert error["type"] == "bad_data"
    assert error.get("field") == where
    assert says in error["detail"]
    if "no such" in says or "it has" in says:
        assert error["columns"] == ["a", "b"]
    assert "Traceback" not in running.stack.output()


@pytest.fixture(scope="module")
def busy(running: Running) -> str:
    """A model that is in training for as long as the tests last."""
    upload(running.http)
    busy = train(running.http, **ENDLESS)
    reached(running.http, busy, "TASK_RUNNING")
    return busy


@pytest.fixture(scope="module")
def failed(running: Running) -> str:
    """A model that could not be trained."""
    upload(running.http)
    failed = train(running.http, features=["size"])
    reached(running.http, failed, "TASK_ERROR")
    return failed


@pytest.mark.parametrize(("fixture", "state"), [("busy", "RUNNING"), ("failed", "ERROR")])
def test_a_model_without_a_result_is_a_conflict_that_tells_its_state(
    fixture: str, state: str, http: httpx2.Client, request: pytest.FixtureRequest
) -> None:
    model_id = request.getfixturevalue(fixture)
    asked = {"model_id": model_id, "input_data": ROW}
    for answer in (http.post("/predict", json=asked), http.get(f"/models/{model_id}")):
        problem = is_problem(answer, 409)
        assert problem["state"] == f"TASK_{state}"
        assert problem["field"] == "model_id"
    assert model_id not in [each["model_id"] for each in http.get("/models").json()["models"]]
