"""Data sets have versions: trainings learn from the one that they were accepted with."""

import csv
import hashlib
import io

import httpx2
import pandas as pd
import pytest

from app.protocol.types import CSV_MEDIA_TYPE
from devstack.demo import TRAIN
from tests.support.waiting import until
from tests.system.conftest import Running
from tests.system.support.client import diabetes, is_problem, predict, reached, train, upload
from tests.system.support.client import trained as trained_model
from tests.system.support.gated import ALONE, HELD

COMMAND = ALONE
SETTINGS = {
    "INVOKE_HOSTS": "127.0.0.1:1",
    "TRAIN_WAIT": "1",  # for trainings that wait in the queue
}
GONE_SECONDS = 2.0


def table(shift: float) -> str:
    """Return a CSV whose target is larger by `shift` in each row."""
    frame = pd.DataFrame({"a": [float(n) for n in range(40)]})
    frame["t"] = frame["a"] % 3 + shift
    return frame.to_csv(index=False)


def version_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(http: httpx2.Client, dataset_id: str, text: str, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.put(f"/datasets/{dataset_id}", content=text, headers=named)


def asked(dataset_id: str, **more: object) -> dict[str, object]:
    return {"dataset_id": dataset_id, "features": ["a"], "target": "t", **more}


def mean(http: httpx2.Client, model_id: str) -> float:
    return float(predict(http, model_id, {"a": 20.0})["prediction"])


def test_a_training_learns_from_the_version_that_it_was_accepted_with(running: Running) -> None:
    http, first, second = running.http, table(0), table(1000)
    upload(http, HELD)
    upload(http, "shifted", first)
    blocks = train(http, dataset_id=HELD)
    running.consumer.says(f"holding {blocks}")  # the only thread that trains
    before = http.post("/train", json=asked("shifted")).json()["message"]["model_id"]
    upload(http, "shifted", second)
    after = http.post("/train", json=asked("shifted")).json()["message"]["model_id"]
    again = http.post("/train", json=asked("shifted", dataset_version=version_of(first)))
    running.stack.let_go(blocks)

    jobs = [
        reached(http, each, "TASK_COMPLETED")
        for each in (before, after, again.json()["message"]["model_id"])
    ]

    named = [version_of(first), version_of(second), version_of(first)]
    assert [each["dataset_version"] for each in jobs] == named
    models = [http.get(f"/models/{each['id']}").json() for each in jobs]
    assert [each["dataset_version"] for each in models] == named
    means = [mean(http, each["id"]) for each in jobs]
    assert means[0] == means[2] < 500 < means[1]
    listed = http.get("/models", params={"dataset_version": named[0]}).json()["models"]
    assert {each["model_id"] for each in listed} == {jobs[0]["id"], jobs[2]["id"]}


def test_a_file_of_another_client_is_the_current_version(running: Running) -> None:
    http, text = running.http, table(5)
    upload(http, "foreign", table(1))
    running.stack.bucket.put_object(Key="data/foreign.csv", Body=text.encode())

    model_id = http.post("/train", json=asked("foreign")).json()["message"]["model_id"]
    running.stack.bucket.put_object(Key="data/foreign.csv", Body=table(9).encode())
    job = reached(http, model_id, "TASK_COMPLETED")

    assert job["dataset_version"] == version_of(text)
    found = http.get("/datasets/foreign/file", params={"version": version_of(text)})
    assert found.text == text


def test_a_waiting_training_outlives_its_data_set(running: Running) -> None:
    http = running.http
    upload(http, HELD)
    upload(http, "short-lived", table(0))
    blocks = train(http, dataset_id=HELD)
    running.consumer.says(f"holding {blocks}")
    waits = http.post("/train", json=asked("short-lived")).json()["message"]["model_id"]

    assert http.delete("/datasets/short-lived").status_code == 204
    refused = http.post("/train", json=asked("short-lived"))
    running.stack.let_go(blocks)

    assert is_problem(refused, 404)["field"] == "dataset_id"
    assert reached(http, waits, "TASK_COMPLETED")["metrics"]
    is_problem(http.get("/datasets/short-lived"), 404)
    is_problem(http.delete("/datasets/short-lived"), 404)


def test_a_data_set_is_described(running: Running) -> None:
    upload(running.http)

    found = running.http.get("/datasets/diabetes").json()

    frame = pd.read_csv(io.StringIO(diabetes()))
    assert found["version"] == version_of(diabetes())
    assert (found["rows"], found["size"]) == (442, len(diabetes()))
    assert [each["name"] for each in found["columns"]] == list(frame)
    of = {each["name"]: each for each in found["columns"]}
    assert of["target"]["max"] == frame["target"].max()
    assert of["bmi"]["distinct"] == frame["bmi"].nunique()
    assert of["sex"]["most_frequent"][0]["count"] == frame["sex"].value_counts().iloc[0]
    assert found["head"] == [
        {name: float(cell) for name, cell in row.items()}
        for row in list(csv.DictReader(io.StringIO(diabetes())))[:5]
    ]
    assert [each["version"] for each in found["versions"]] == [found["version"]]
    assert found["format"]["dialect"]["delimiter"] == ","
    again = running.http.get("/datasets/diabetes")
    tag = {"If-None-Match": again.headers["etag"]}
    assert running.http.get("/datasets/diabetes", headers=tag).status_code == 304


def test_a_data_set_is_downloaded_as_it_was(running: Running) -> None:
    http = running.http
    upload(http)

    found = http.get("/datasets/diabetes/file")

    assert found.text == diabetes()
    assert found.headers["content-type"].startswith(CSV_MEDIA_TYPE)
    assert found.headers["etag"] == f'"{version_of(diabetes())}"'
    assert found.headers["content-length"] == str(len(diabetes()))
    assert 'filename="diabetes.csv"' in found.headers["content-disposition"]
    tag = {"If-None-Match": found.headers["etag"]}
    assert http.get("/datasets/diabetes/file", headers=tag).status_code == 304
    head = http.head("/datasets/diabetes/file")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(diabetes()))
    unknown = http.get("/datasets/diabetes/file", params={"version": "0" * 64})
    assert is_problem(unknown, 404)["field"] == "version"


def test_a_data_set_is_replaced_only_if_nobody_else_did(running: Running) -> None:
    http, texts = running.http, [table(n) for n in range(3)]
    first = put(http, "shared", texts[0])
    version = first.json()["version"]
    assert first.status_code == 201

    tag = http.get("/datasets/shared").headers["etag"]

    assert put(http, "shared", texts[1], If_Match=tag).status_code == 200
    read = put(http, "shared", texts[2], If_Match=tag)
    late = put(http, "shared", texts[2], If_Match=f'"{version}"')
    gone = http.delete("/datasets/shared", headers={"If-Match": f'"{version}"'})

    for refused in (read, late, gone):
        assert version_of(texts[1]) in is_problem(refused, 412)["detail"]
    assert http.get("/datasets/shared/file").text == texts[1]


def test_lists_are_filtered_sorted_and_paged(running: Running) -> None:
    http = running.http
    upload(http)
    upload(http, "paged", table(0))
    ids = [
        trained_model(
            http, tags=["grid", f"alpha-{alpha:g}"], estimator="ridge", params={"alpha": alpha}
        )
        for alpha in (0.1, 10.0)
    ]
    other = trained_model(http, tags=["Grid"])

    def models(**params: str) -> list[str]:
        answer = http.get("/models", params=params)
        assert answer.status_code == 200, answer.text
        return [each["model_id"] for each in answer.json()["models"]]

    assert models(tag="grid") == [ids[1], ids[0]]
    assert models(tag="Grid") == [other]
    assert models(tag="grid", estimator="Ridge", sort="created_at") == ids
    scores = {each: http.get(f"/models/{each}").json()["metrics"]["r2"] for each in ids}
    best = max(ids, key=lambda each: scores[each])
    assert models(tag="grid", sort="-metrics.r2")[0] == best
    assert models(tag="grid", metric=f"r2>={scores[best]}") == [best]
    first = http.get("/models", params={"tag": "grid", "limit": 1})
    assert first.json()["next"]
    link = first.headers["link"]
    following = http.get(link.split(">")[0].lstrip("<"))
    assert [each["model_id"] for each in following.json()["models"]] == [ids[0]]
    assert following.json()["next"] is None
    assert "link" not in following.headers
    jobs = http.get("/jobs", params={"tag": "alpha-10", "state": "TASK_COMPLETED"}).json()["jobs"]
    assert [(each["id"], each["tags"]) for each in jobs] == [(ids[1], ["grid", "alpha-10"])]
    found = http.get("/datasets", params={"begin": "pag"}).json()["datasets"]
    assert [(each["id"], each["rows"], each["columns"]) for each in found] == [("paged", 40, 2)]
    for path, params, field in [
        ("/models", {"sort": "colour"}, "sort"),
        ("/jobs", {"sort": "metrics.R2"}, "sort"),
        ("/datasets", {"sort": "metrics.r2"}, "sort"),
        ("/models", {"metric": "r2=1"}, "metric"),
        ("/models", {"cursor": "nonsense"}, "cursor"),
        ("/models", {"cursor": first.json()["next"], "sort": "model_id"}, "cursor"),
        ("/jobs", {"tag": "a|b"}, "tag"),
        ("/jobs", {"estimator": "rigde"}, "estimator"),
    ]:
        assert is_problem(http.get(path, params=params), 422)["field"] == field


def test_a_deleted_model_is_gone_within_two_seconds(running: Running) -> None:
    http = running.http
    upload(http)
    model_id = trained_model(http)
    file = http.get(f"/models/{model_id}/file")
    assert file.status_code == 200
    assert file.headers["etag"] == f'"{hashlib.sha256(file.content).hexdigest()}"'
    predict(http, model_id)

    assert http.delete(f"/models/{model_id}").status_code == 204

    seen: list[int] = []

    def is_gone() -> bool:
        body = {"model_id": model_id, "input_data": TRAIN_ROW}
        seen.append(http.post("/predict", json=body).status_code)
        return seen[-1] == 410

    until(is_gone, "the consumer has forgotten the model", GONE_SECONDS)
    assert set(seen) <= {200, 404, 410}
    for path in ("", "/file", "/evaluation"):
        assert is_problem(http.get(f"/models/{model_id}{path}"), 410)["type"] == "gone"
    assert http.delete(f"/models/{model_id}").status_code == 204
    assert running.stack.stored(model_id) == set()
    again = http.put(f"/models/{model_id}", json={"kind": "endpoint", "url": "http://127.0.0.1:1/"})
    assert is_problem(again, 409)["field"] == "model_id"
    assert http.get(f"/jobs/{model_id}").json()["state"] == "TASK_COMPLETED"


@pytest.mark.parametrize(
    ("path", "status"), [("/models/latest", 422), ("/models/nowhere", 404), ("/datasets/no", 404)]
)
def test_what_is_not_there_is_not_deleted(running: Running, path: str, status: int) -> None:
    is_problem(running.http.delete(path), status)


TRAIN_ROW = dict.fromkeys(TRAIN["features"], 0.01)


def test_a_version_that_is_not_there_is_named_as_in_the_query(running: Running) -> None:
    upload(running.http, "versions", table(0))
    for path in ("/datasets/versions", "/datasets/versions/file"):
        for version, status in (("f" * 64, 404), ("a b", 422)):
            answer = running.http.get(path, params={"version": version})
            assert is_problem(answer, status)["field"] == "version"
