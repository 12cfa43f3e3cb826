"""Models with names: versions, aliases and splits, over HTTP and AMQP."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pika
import pytest

from app.amqp.topology import PREDICT_QUEUE, TRAIN_QUEUE
from tests.system.conftest import Running
from tests.system.support.amqp import RpcClient
from tests.system.support.client import is_problem, job, reached, trained, upload
from tests.system.support.processes import until

TRAIN = {"features": ["a"], "target": "t", "estimator": "ridge", "name": "churn"}
ROW = {"a": 3.0}
ASKS = {"input_data": ROW}


@pytest.fixture(scope="module")
def models(running: Running) -> dict[int, str]:
    """Three versions of a name, whose answers differ; `champion` is the second one."""
    made = {}
    for version in (1, 2, 3):
        rows = "".join(f"{n},{n * 10**version}\n" for n in range(30))
        upload(running.http, f"data{version}", f"a,t\n{rows}")
        made[version] = trained(running.http, **TRAIN, dataset_id=f"data{version}")
    promote(running.http, 2, why="the second one")
    return made


@pytest.fixture
def http(running: Running) -> httpx2.Client:
    return running.http


@pytest.fixture
def client(connection: pika.BlockingConnection) -> RpcClient:
    return RpcClient(connection)


def promote(http: httpx2.Client, version: int, alias: str = "champion", **more: Any) -> None:
    path = f"/models/churn/aliases/{alias}"
    answer = http.put(path, json={"version": version, **more})
    assert answer.status_code in (200, 201), answer.text


def asked(http: httpx2.Client, reference: str, **more: Any) -> dict[str, Any]:
    answer = http.post("/predict", json={"model_id": reference, **ASKS, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["message"])


def named(reference: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield requests that ask a model: method, path and what is sent."""
    body = {"json": {"model_id": reference, **ASKS}}
    yield "POST", "/predict", body
    yield "POST", "/predict/async", body
    yield "POST", "/invocations", body
    yield "POST", "/predict/parallel", {"json": {"model_ids": [reference], **ASKS}}
    both = {"sync_model_id": reference, "async_model_id": reference}
    yield "POST", "/predict/sync_async", {"json": {**both, **ASKS}}
    yield "POST", "/predict/batch", {"json": {"model_id": reference, "dataset_id": "data1"}}
    yield "GET", "/metadata", {"params": {"model_id": reference}}
    yield "GET", "/predict/test", {"params": {"model_id": reference}}
    for below in ("", "/file", "/evaluation", "/export"):
        yield "GET", f"/models/{reference}{below}", {}
    yield "GET", f"/ui/models/{reference}", {}


@pytest.mark.parametrize("reference", ["churn@champion", "churn:2"])
def test_a_reference_stands_wherever_a_model_is_asked(
    reference: str, http: httpx2.Client, models: dict[int, str]
) -> None:
    for method, path, sent in named(reference):
        answer = http.request(method, path, **sent)

        assert answer.status_code in (200, 202), (path, answer.text)
        if not path.endswith(("/file", "/export")):
            assert models[2] in answer.text, path
        if path.startswith(("/predict", "/invocations")):
            assert '"model":"churn:2"' in answer.text.replace('": "', '":"'), path


def test_a_bare_name_is_the_newest_version(http: httpx2.Client, models: dict[int, str]) -> None:
    answer = asked(http, "churn")

    assert list(answer)[:3] == ["status", "model_id", "model"]
    assert (answer["model_id"], answer["model"]) == (models[3], "churn:3")
    assert answer["prediction"] > asked(http, "churn:1")["prediction"]
    assert "model" not in asked(http, models[3])


def test_a_model_tells_its_name_version_and_aliases(
    http: httpx2.Client, models: dict[int, str]
) -> None:
    for reference in (models[2], "churn:2", "churn@champion"):
        found = http.get(f"/models/{reference}").json()
        told = [found[each] for each in ("model_id", "name", "version", "aliases")]
        assert told == [models[2], "churn", 2, ["champion"]]
    listed = http.get("/models", params={"name": "churn"}).json()["models"]
    assert [(each["model_id"], each["version"]) for each in listed] == [
        (models[n], n) for n in (3, 2, 1)
    ]
    versions = http.get("/models/churn/versions").json()["versions"]
    assert [(each["version"], each["model_id"], each["aliases"]) for each in versions] == [
        (3, models[3], []),
        (2, models[2], ["champion"]),
        (1, models[1], []),
    ]
    assert http.get("/models/churn/versions/1").json()["model_id"] == models[1]
    names = http.get("/names").json()["names"]
    assert {each["name"]: each["last_version"] for each in names}["churn"] == 3


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("churn:9", "churn has no version 9; its newest one is 3"),
        ("churn@champoin", 'churn has no alias champoin; did you mean "champion"?'),
        ("chrun@champion", 'there is no name chrun; did you mean "churn"?'),
        ("chrun", 'there is no model chrun; did you mean "churn"?'),
    ],
)
def test_what_is_not_there_is_not_found(
    reference: str, said: str, http: httpx2.Client, client: RpcClient, models: dict[int, str]
) -> None:
    told = is_problem(http.post("/predict", json={"model_id": reference, **ASKS}), 404)
    (reply,) = client.call(PREDICT_QUEUE, {"model_id": reference, **ASKS})

    assert told["detail"].startswith(f"model_id: {said}")
    assert (reply["status"], reply["error"]["type"]) == ("TASK_ERROR", "not_found")
    assert reply["error"]["detail"].startswith(f"model_id: {said}")


def test_a_message_names_a_model_and_trains_one(
    client: RpcClient, http: httpx2.Client, models: dict[int, str]
) -> None:
    for reference, version in {"churn": 3, "churn:1": 1, "churn@champion": 2}.items():
        (reply,) = client.call(PREDICT_QUEUE, {"model_id": reference, **ASKS})
        assert (reply["model_id"], reply["model"]) == (models[version], f"churn:{version}")
        assert reply["prediction"] == asked(http, reference)["prediction"]
    training = {**TRAIN, "dataset_id": "data1", "name": "by-message"}
    client.call(TRAIN_QUEUE, training, count=2)
    assert asked(http, "by-message")["model"] == "by-message:1"


def test_a_switch_is_seen_and_rolled_back(
    http: httpx2.Client, client: RpcClient, models: dict[int, str]
) -> None:
    promote(http, 1, "live")
    before = http.get("/models/churn/aliases/live")
    for version in (3, 2):
        promote(http, version, "live", why=f"to {version}")
        assert asked(http, "churn@live")["model_id"] == models[version]

    body = {"model_id": "churn@live", **ASKS}
    seen = lambda n: client.call(PREDICT_QUEUE, body)[0]["model_id"] == models[n]  # noqa: E731
    until(lambda: seen(2), "the consumer sees the switch")
    for version in (3, 1):
        answer = http.post("/models/churn/aliases/live/rollback", json={"why": "nonsense"})
        assert answer.json()["version"] == version
        assert asked(http, "churn@live")["model_id"] == models[version]
    is_problem(http.post("/models/churn/aliases/live/rollback"), 409)

    changes = http.get("/models/churn/aliases/live/history?sort=change").json()["history"]
    told = [(c["kind"], c["from_version"], c["to_version"], c["why"]) for c in changes]
    assert told == [
        ("set", None, 1, None),
        ("set", 1, 3, "to 3"),
        ("set", 3, 2, "to 2"),
        ("rollback", 2, 3, "nonsense"),
        ("rollback", 3, 1, "nonsense"),
    ]
    for change in changes:
        then = http.get("/models/churn@live", params={"at": change["changed_at"]}).json()
        assert then["version"] == change["to_version"]
        assert then["since"] == change
    early = http.get("/models/churn@live", params={"at": "2000-01-01T00:00:00Z"})
    is_problem(early, 404)
    assert before.headers["ETag"] == '"1"'
    stale = {"If-Match": before.headers["ETag"]}
    is_problem(http.put("/models/churn/aliases/live", json={"version": 2}, headers=stale), 412)
    assert http.delete("/models/churn/aliases/live").status_code == 204
    is_problem(http.get("/models/churn/aliases/live"), 404)


def test_a_model_that_an_alias_needs_is_not_deleted(
    http: httpx2.Client, models: dict[int, str]
) -> None:
    told = is_problem(http.delete("/models/churn:2"), 409)
    assert "churn@champion points to churn:2" in told["detail"]
    is_problem(http.delete("/models/churn"), 422)
    is_problem(http.delete("/models/churn@champion"), 422)


def test_a_name_that_is_an_id_is_refused(http: httpx2.Client, models: dict[int, str]) -> None:
    asked_twice = {**TRAIN, "dataset_id": "data1"}
    for name, status in ((models[1], 422), ("latest", 422), ("~x", 422)):
        told = is_problem(http.post("/train", json={**asked_twice, "name": name}), status)
        assert told["field"] == "name"


def test_a_failed_training_takes_no_number(http: httpx2.Client, models: dict[int, str]) -> None:
    upload(http, "text", "a,t\nx,1\ny,2\nz,3\n")
    body = {**TRAIN, "dataset_id": "text", "name": "fails", "types": {"a": "number"}}
    model_id = http.post("/train", json=body).json()["message"]["model_id"]
    reached(http, model_id, "TASK_ERROR")

    told = is_problem(http.post("/predict", json={"model_id": "fails", **ASKS}), 409)

    assert "fails has no version yet" in told["detail"]
    assert http.get("/names/fails").json()["last_version"] == 0
    assert http.delete("/names/fails").status_code == 204
    is_problem(http.get("/names/fails"), 404)
    assert is_problem(http.delete("/names/churn"), 409)["field"] == "name"


def test_calls_are_split_by_key(http: httpx2.Client, models: dict[int, str]) -> None:
    weights = {"weights": {"1": 1, "3": 1}}
    assert http.put("/models/churn/split", json=weights).json()["split"] == {"1": 1, "3": 1}
    keys = [f"customer-{n}" for n in range(20)]
    chosen = [asked(http, "churn", split_key=key)["model"] for key in keys]
    assert chosen == [asked(http, "churn", split_key=key)["model"] for key in keys]
    assert set(chosen) == {"churn:1", "churn:3"}
    is_problem(http.put("/models/churn/split", json={"weights": {"1": 0}}), 422)
    is_problem(http.put("/models/churn/split", json={"weights": {"9": 1}}), 404)
    assert http.delete("/models/churn/split").status_code == 204
    assert asked(http, "churn")["model"] == "churn:3"


def test_a_key_chooses_the_version_in_parallel_calls_and_for_whole_tables(
    http: httpx2.Client, models: dict[int, str]
) -> None:
    weights = {"weights": {"1": 1, "3": 1}}
    assert http.put("/models/churn/split", json=weights).status_code == 200
    keys = [f"customer-{n}" for n in range(6)]
    wanted = [asked(http, "churn", split_key=key)["model"] for key in keys]
    assert set(wanted) == {"churn:1", "churn:3"}
    for key, model in zip(keys, wanted, strict=True):
        both = {"model_ids": ["churn", "churn:2"], "split_key": key, **ASKS}
        answers = http.post("/predict/parallel", json=both).json()["message"]["answers"]
        assert [each["model"] for each in answers] == [model, "churn:2"]
        told = {"model_id": "churn", "dataset_id": "data1", "split_key": key}
        of_dataset = http.post("/predict/batch", json=told)
        sent = {"params": {"model_id": "churn", "split_key": key}, "content": b"a\n1\n"}
        of_table = http.post("/predict/batch", headers={"Content-Type": "text/csv"}, **sent)
        for accepted in (of_dataset, of_table):
            assert accepted.status_code == 202, accepted.text
            message = accepted.json()["message"]
            assert message["model"] == model
            assert "split_key" not in http.get(f"/jobs/{message['job_id']}").json()["request"]
    assert http.delete("/models/churn/split").status_code == 204


def test_a_table_under_an_idempotency_key_has_the_same_split_key(
    http: httpx2.Client, models: dict[int, str]
) -> None:
    headers = {"Idempotency-Key": "split"}
    told = {"model_id": "churn", "dataset_id": "data1", "split_key": "a"}
    first = http.post("/predict/batch", json=told, headers=headers).json()["message"]["job_id"]
    again = http.post("/predict/batch", json=told, headers=headers).json()["message"]["job_id"]
    assert again == first
    other = http.post("/predict/batch", json={**told, "split_key": "b"}, headers=headers)
    assert is_problem(other, 422)["field"] == "Idempotency-Key"


def test_a_shadow_gets_calls_once_more_and_is_compared(
    http: httpx2.Client, models: dict[int, str]
) -> None:
    path, rows = "/models/churn/shadow", [{"a": 1.0}, {"a": 2.0}, {"a": 3.0}]
    shadow = {"alias": "champion", "version": 1, "share": 1}
    made = http.put(path, json=shadow).json()
    assert {**shadow, "name": "churn", "model_id": models[1], "base_version": 2}.items() <= (
        made.items()
    )
    assert made["compared"] == []
    is_problem(http.delete("/models/churn:1"), 409)

    answer = asked(http, "churn@champion", input_data=rows)
    for reference in ("churn:2", "churn", models[2]):  # not of the alias
        asked(http, reference)

    until(lambda: http.get(path).json()["compared"], "the answers are compared")
    (compared,) = http.get(path).json()["compared"]
    assert answer["model"] == "churn:2"
    other = asked(http, "churn:1", input_data=rows)["prediction"]
    differences = [abs(a - b) for a, b in zip(answer["prediction"], other, strict=True)]
    told = {"base_version": 2, "version": 1, "calls": 1, "rows": 3, "disagreed": 3, "numbers": 3}
    assert {**told, "failed": 0, "dropped": 0}.items() <= compared.items()
    assert compared["difference_max"] == max(differences)
    assert compared["difference_mean"] == pytest.approx(sum(differences) / 3)
    assert http.delete(path).status_code == 204
    is_problem(http.get(path), 404)
    is_problem(http.put(path, json={**shadow, "alias": "champoin"}), 404)
    is_problem(http.put(path, json={**shadow, "share": 1.5}), 422)


def test_a_shadow_with_fewer_features_is_compared(http: httpx2.Client) -> None:
    rows = "".join(f"{n},{n % 3},{n * 2}\n" for n in range(30))
    upload(http, "wide", f"a,b,t\n{rows}")
    body = {"dataset_id": "wide", "target": "t", "estimator": "ridge", "name": "wide"}
    for features in (["a", "b"], ["a"], ["a", "b"]):
        trained(http, **body, features=features)
    http.put("/models/wide/aliases/champion", json={"version": 1}).raise_for_status()
    http.put("/models/wide/aliases/small", json={"version": 2}).raise_for_status()

    def counts(alias: str, version: int, sent: dict[str, Any]) -> tuple[int, int]:
        """Ask an alias with a new shadow; return how many rows were compared, and failed calls."""
        shadow = {"alias": alias, "version": version, "share": 1}
        http.put("/models/wide/shadow", json=shadow).raise_for_status()
        asks = {"model_id": f"wide@{alias}", "input_data": sent}
        assert http.post("/predict", json=asks).status_code == 200
        compared = until(
            lambda: http.get("/models/wide/shadow").json()["compared"], "the counts are there"
        )
        http.delete("/models/wide/shadow").raise_for_status()
        return compared[0]["rows"], compared[0]["failed"]

    assert counts("champion", 2, {"a": 1.0, "b": 2.0}) == (1, 0)
    assert counts("small", 3, {"a": 1.0}) == (0, 1)


def test_a_shadow_tells_in_which_range_of_a_feature_it_differs(http: httpx2.Client) -> None:
    """The champion and the challenger are trees that differ only where `a` is above its median."""
    for version, step in ((1, 0), (2, 100)):
        table = "".join(f"{n},{n % 7},{5 + step * (n >= 30)}\n" for n in range(60))
        upload(http, f"steps{version}", f"a,noise,t\n{table}")
        asked_for = {"features": ["a", "noise"], "target": "t", "test_size": 1, "name": "steps"}
        asked_for |= {"estimator": "decision_tree_regressor"}
        trained(http, dataset_id=f"steps{version}", **asked_for)
    http.put("/models/steps/aliases/champion", json={"version": 1}).raise_for_status()
    shadow = {"alias": "champion", "version": 2, "share": 1}
    http.put("/models/steps/shadow", json=shadow).raise_for_status()
    rows = [{"a": n, "noise": n % 7} for n in range(60)]
    asked(http, "steps@champion", input_data=rows)

    def features() -> Any:
        compared = http.get("/models/steps/shadow").json()["compared"]
        return compared and compared[0]["features"]

    found = until(features, "the rows are counted by feature") or []

    assert [each["feature"] for each in found] == ["a", "noise"]
    ranges = found[0]["ranges"]
    assert [each["rate"] for each in ranges] == [0, 0, 1, 1]
    assert [each["rows"] for each in ranges] == [15, 15, 15, 15]
    assert [each["difference_mean"] for each in ranges] == [0, 0, 100, 100]
    assert [each["high"] for each in ranges] == [14.5, 29.5, 44.5, None]
    assert found[0]["unevenness"] == 0.5
    assert found[1]["unevenness"] < 0.1


def test_a_job_tells_the_version(http: httpx2.Client, models: dict[int, str]) -> None:
    sent = {"model_id": "churn@champion", **ASKS}
    answer = http.post("/predict/async", json=sent).json()["message"]
    found = reached(http, answer["job_id"], "TASK_COMPLETED")

    assert answer["model"] == found["request"]["model"] == "churn:2"
    assert found["result"]["model_id"] == models[2]
    assert job(http, models[2])["request"]["name"] == "churn"


def test_a_worse_challenger_is_refused_with_the_numbers_unless_forced(
    http: httpx2.Client,
) -> None:
    rows = "".join(f"{n},{n % 7},{n * 2 + n % 3}\n" for n in range(60))
    upload(http, "rivals", f"a,noise,t\n{rows}")
    asked = {"dataset_id": "rivals", "target": "t", "estimator": "ridge", "name": "rivals"}
    for features in (["a"], ["noise"], ["a", "noise"]):
        trained(http, **asked, features=features)
    path, check = "/models/rivals/aliases/champion", {"metric": "rmse"}
    assert http.put(path, json={"version": 1, **check}).status_code == 201

    told = is_problem(http.put(path, json={"version": 2, **check}), 409)

    found = told["comparison"]
    assert found["worse"]
    assert found["challenger"] > found["champion"]
    assert found["test_rows"] == 12
    for name in ("champion", "challenger"):
        version = found["versions"][name]
        assert found[name] == http.get(f"/models/rivals:{version}").json()["metrics"]["rmse"]
        assert f"{found[name]:.6g}" in told["detail"]
    forced = {"version": 2, "force": True, "why": "a drill", **check}
    assert http.put(path, json=forced).json()["version"] == 2
    assert http.put(path, json={"version": 3, **check}).json()["version"] == 3
    history = http.get(f"{path}/history?sort=change").json()["history"]
    assert [each["forced"] for each in history] == [False, True, False]
    assert history[1]["comparison"] == found
    assert not history[2]["comparison"]["worse"]
    odd = is_problem(http.put(path, json={"version": 1, "metric": "rsme"}), 422)
    assert 'did you mean "rmse"?' in odd["detail"]
