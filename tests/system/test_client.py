"""The Python client against a Warren that runs: data frames, jobs, models, and restarts."""

import asyncio
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from devstack import ports
from devstack.layout import ROOT
from tests.support import tiny
from tests.support.frames import diabetes
from tests.system.conftest import Running
from tests.system.support import gated
from tests.system.support.processes import PRODUCER, Process, Stack
from warren_client import AsyncWarren, JobCancelled, JobFailed, WaitTimeout, Warren, errors
from warren_client.blocking import primitives
from warren_client.blocking.job import Job
from warren_client.records import JobRecord

COMMAND = gated.COMMAND
SETTINGS = {"MAX_BODY": "200000"}  # of which a request with 10,000 rows has several times as many
WAIT = 60.0
PAGE, README = ROOT / "docs/client.md", ROOT / "README.md"


def client_of(stack: Stack, url: str, **options: Any) -> Warren:
    return Warren(url, ca_file=stack.environment["RABBITMQ_CA_FILE"] or None, **options)


@pytest.fixture(scope="module")
def warren(running: Running) -> Iterator[Warren]:
    with client_of(running.stack, str(running.http.base_url)) as made:
        yield made
    assert "Traceback" not in running.stack.output()


@pytest.fixture(scope="module")
def trained(warren: Warren) -> Job:
    """A training of the reference data, without the last rows."""
    return warren.train(diabetes().iloc[:400], target="target", tags=["reference"]).wait(WAIT)


def houses(rows: int = 120) -> pd.DataFrame:
    """Return columns of all types, in each of which a value is missing."""
    random = np.random.default_rng(7)
    size = random.uniform(30, 200, rows)
    days = pd.to_timedelta(random.integers(0, 9000, rows), unit="D")
    frame = pd.DataFrame(
        {
            "size": size.astype(np.float32),
            "rooms": pd.array(random.integers(1, 6, rows), dtype="Int64"),
            "garden": random.choice(np.array([True, False], object), rows),
            "kind": pd.Categorical(random.choice(["flat", "house", "NA"], rows)),
            "zip": random.choice(np.array(["01067", "1067", "10115"], object), rows),
            "zone": pd.Categorical(random.choice([1, 2, 3], rows)),
            "built": pd.Timestamp("1990-01-01") + days,
            "price": size * 3,
        },
        index=[f"house-{n}" for n in range(rows)],
    )
    for place, name in enumerate(frame.columns.drop("price")):
        frame.loc[f"house-{place}", name] = None
    return frame


def test_three_lines_from_a_frame_to_predictions(warren: Warren) -> None:
    frame = houses()

    model = (
        warren.train(frame, target="price", estimator="hist_gradient_boosting_regressor")
        .wait(WAIT)
        .model
    )
    prices = model.predict(frame)

    assert prices.index.equals(frame.index)
    assert (prices.name, prices.dtype) == ("price", np.float64)
    assert (prices - frame["price"]).abs().mean() < 30
    types = {each["name"]: each["type"] for each in model.record.features or []}
    assert types == {
        "size": "number",
        "rooms": "number",
        "garden": "boolean",
        "kind": "text",
        "zip": "text",
        "zone": "category",
        "built": "date",
    }
    assert all(each["nullable"] for each in model.record.features or [])


def test_parquet_and_csv_of_a_frame_are_the_same_data(
    warren: Warren, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = houses()
    options = {"estimator": "hist_gradient_boosting_regressor", "wait": True}
    parquet = warren.train(frame, "price", **options).model
    monkeypatch.setattr("warren_client.frames.find_spec", lambda _: None)
    csv = warren.train(frame, "price", **options).model

    assert parquet.record.dataset_id != csv.record.dataset_id
    assert parquet.record.features == csv.record.features
    assert parquet.metrics == csv.metrics
    assert parquet.predict(frame).equals(csv.predict(frame))


def test_the_same_training_of_the_same_frame_is_one_job(warren: Warren, trained: Job) -> None:
    frame = diabetes().iloc[:400]

    assert warren.train(frame, target="target", tags=["reference"]).id == trained.id
    other = warren.train(frame, target="target", tags=["other"])
    assert other.id != trained.id
    assert other.record.dataset_id == trained.record.dataset_id
    again = warren.train(frame, target="target", tags=["other"], again=True)
    assert again.id != other.id

    again.wait(WAIT).model.delete()
    other.wait(WAIT)
    with pytest.raises(errors.Gone):
        warren.models[again.id]


def test_a_training_that_failed_is_tried_anew(warren: Warren) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})

    first = warren.train(frame, target="b", estimator="ridge")
    with pytest.raises(JobFailed, match="classifier") as raised:
        first.wait(WAIT)
    assert isinstance(raised.value.__cause__, errors.BadData)
    assert raised.value.job.id == first.id
    assert warren.train(frame, target="b", estimator="ridge").id != first.id


def test_predictions_come_in_as_many_requests_as_the_limits_demand(
    warren: Warren, trained: Job
) -> None:
    some = diabetes()
    many = pd.concat([some] * 24, ignore_index=True)
    assert len(many) > 10_000
    model = trained.model

    assert model.predict(some).tolist() * 24 == model.predict(many).tolist()
    rows = some.drop(columns="target").head(3)
    assert model.predict(rows.to_dict("records")) == model.predict(rows).tolist()
    assert model.predict(rows.to_numpy()) == model.predict(rows).tolist()
    assert model.predict(dict(rows.iloc[0])) == model.predict(rows).iloc[0]
    assert model.predict(some.head(0)).empty
    assert model.predict([]) == []


@pytest.mark.parametrize("labels", [["no", "yes"], [3, 5], [False, True]])
def test_probabilities_have_the_labels_as_columns(warren: Warren, labels: list[Any]) -> None:
    frame = diabetes().head(100)
    above = frame.pop("target") > 140
    frame["high"] = np.where(above, labels[1], labels[0])

    model = warren.train(frame, "high", estimator="random_forest_classifier").wait(WAIT).model
    shares = model.predict(frame, proba=True)

    assert shares.columns.tolist() == labels
    assert shares.index.equals(frame.index)
    assert np.allclose(shares.sum(axis=1), 1)
    best = shares.idxmax(axis=1)
    assert (best == model.predict(frame)).mean() > 0.99  # but for ties
    first = model.predict(frame.drop(columns="high").head(1).to_dict("records")[0], proba=True)
    assert first == dict(shares.iloc[0])


def test_the_evaluation_is_data_frames(warren: Warren, trained: Job) -> None:
    found = trained.model.evaluation()

    assert found.metrics["rmse"] == found.scores.loc["rmse", "test"]
    assert found.residuals["residual"].abs().mean() == pytest.approx(found.metrics["mae"])
    assert found.importance.index[0] in diabetes().columns
    assert found.columns.loc["age", "type"] == "number"
    with pytest.raises(errors.NotReady, match="classification"):
        _ = found.confusion_matrix

    frame = pd.DataFrame({"a": range(100), "b": [n % 2 == 0 for n in range(100)]})
    model = warren.train(frame, "b", estimator="decision_tree_classifier").wait(WAIT).model
    matrix = model.evaluation().confusion_matrix
    assert (matrix.index.tolist(), matrix.columns.tolist()) == ([False, True], [False, True])
    assert matrix.to_numpy().sum() == 20
    assert model.evaluation().classes.loc[True, "support"] == matrix.loc[True].sum()
    assert {"false_positive_rate", "thresholds"} <= {*model.evaluation().curve(label=True)}
    compared = warren.models.compare([model.id, trained.id])
    assert compared.loc[model.id, "accuracy"] == (model.metrics or {})["accuracy"]


def test_a_file_is_scored_into_a_file_and_a_data_set(
    warren: Warren, trained: Job, tmp_path: Path
) -> None:
    frame = diabetes()
    frame.insert(0, "a, b", [f"row {n}" for n in range(len(frame))])
    frame.to_csv(tmp_path / "rows.csv", index=False)
    expected = trained.model.predict(frame).tolist()
    seen: list[JobRecord] = []

    job = trained.model.score(
        tmp_path / "rows.csv", tmp_path / "scored.csv", columns=["a, b"], progress=seen.append
    )
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["a, b"].tolist() == frame["a, b"].tolist()
    assert scored["prediction"].tolist() == expected
    assert seen[-1].state == "TASK_COMPLETED"
    assert (job.record.result or {})["scored"] == len(frame)

    out = warren.datasets.upload(frame, "scored")
    trained.model.score(warren.datasets.upload(frame), out)
    again = pd.read_csv(io.BytesIO(out.download(tmp_path / "x").read_bytes()))
    assert len(again) == len(frame)
    trained.model.score(frame, tmp_path / "scored.parquet")
    assert pd.read_parquet(tmp_path / "scored.parquet")["prediction"].tolist() == expected


def test_data_sets_are_uploaded_once_listed_fetched_and_deleted(
    warren: Warren, tmp_path: Path
) -> None:
    file = tmp_path / "colours.csv"
    file.write_text("size;colour\n1,5;red\n2,5;blue\n")

    uploaded = warren.datasets.upload(file)
    assert (uploaded.rows, uploaded.columns) == (2, ["size", "colour"])
    assert warren.datasets.upload(file).version == uploaded.version
    assert uploaded.id in [each.id for each in warren.datasets.list(begin="data-")]
    described = warren.datasets[uploaded.id]
    assert [each["name"] for each in described.columns] == ["size", "colour"]
    assert uploaded.download(tmp_path / "copy.csv").read_bytes() == file.read_bytes()
    warren.datasets.delete(uploaded.id)
    with pytest.raises(errors.NotFound):
        warren.datasets[uploaded.id]


def test_an_onnx_file_is_registered_once(warren: Warren, tmp_path: Path) -> None:
    file = tmp_path / "sums.onnx"
    file.write_bytes(tiny.sums())

    model = warren.models.upload(file, tiny.ROWS)
    assert warren.models.upload(file, tiny.ROWS).id == model.id
    frame = pd.DataFrame({"b": [1, 2], "a": [0.5, 0.25], "c": ["x", "y"]}, index=[7, 3])
    assert model.predict(frame).to_dict() == {7: 1.5, 3: 2.25}
    assert model.export("file", tmp_path / "copy.onnx").read_bytes() == file.read_bytes()
    with pytest.raises(errors.Conflict):
        model.evaluation()
    warren.models.delete(model.id)
    with pytest.raises(errors.Gone):
        warren.models[model.id]


def test_images_of_all_kinds_get_the_same_answers(warren: Warren, tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(tiny.colours())
    model = warren.models.upload(tmp_path / "colours.onnx", tiny.COLOURS)
    file, pixels = tmp_path / "blue.png", np.zeros((6, 9, 3), np.uint8)
    pixels[..., 2] = 255
    Image.fromarray(pixels).save(file)
    kinds = [file, str(file), file.read_bytes(), Image.open(file), pixels]

    assert [model.predict(each) for each in kinds] == ["blue"] * 5
    assert model.predict(kinds) == ["blue"] * 5
    both = pd.Series([file, tiny.image()], index=["b", "r"])
    assert model.predict(both).to_dict() == {"b": "blue", "r": "red"}
    shares = model.predict(both, proba=True)
    assert list(shares.columns) == ["red", "green", "blue"]
    assert shares.loc["b"].idxmax() == "blue"
    noise = np.random.default_rng(7).integers(0, 255, (99, 150, 3), np.uint8)
    assert len(model.predict([noise] * 9)) == 9  # 540 kB, where a request may have 200 kB
    with pytest.raises(errors.Invalid, match="none of JPEG, PNG, WEBP"):
        model.predict(b"no image")


def test_lists_go_over_all_pages(warren: Warren, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": range(10), "b": range(10)})
    ids = [warren.train(frame, "b", tags=["page"], again=True).id for _ in range(5)]
    monkeypatch.setattr("warren_client.blocking.listing.PAGE", 2)

    found = [job.id for job in warren.jobs.list(tag="page")]
    assert sorted(found) == sorted(ids)
    assert [job.id for job in warren.jobs.list(tag="page", limit=3)] == found[:3]
    for job_id in ids:
        warren.jobs[job_id].wait(WAIT)
    assert {model.id for model in warren.models.list(tag="page")} == {*ids}
    assert next(iter(warren.jobs)).id == warren.jobs["latest"].id


def held(warren: Warren, running: Running) -> Job:
    """Have a job that waits in its fit."""
    warren.datasets.upload(diabetes(), gated.HELD)
    job = warren.train(gated.HELD, target="target")
    running.consumer.says(f"holding {job.id}")
    return job


def test_a_wait_ends_in_time_and_a_cancelled_job_says_so(warren: Warren, running: Running) -> None:
    job = held(warren, running)

    with pytest.raises(WaitTimeout, match="TASK_RUNNING"):
        job.wait(0.2)
    with pytest.raises(errors.NotReady):
        _ = job.model
    assert job.cancel().id == job.id
    with pytest.raises(JobCancelled):
        job.wait(WAIT)
    again = job.retry()
    assert again.id != job.id
    running.stack.let_go(again.id)
    assert again.wait(WAIT).model.metrics == again.metrics


class Lost:
    """A producer on a port of its own, that a test ends and starts again."""

    def __init__(self, stack: Stack) -> None:
        (self._port,) = ports.unused(1)
        self._stack = stack
        scheme = "https" if stack.environment["TLS_CERTIFICATE_FILE"] else "http"
        self.url = f"{scheme}://127.0.0.1:{self._port}"
        self.lives = 0
        self._start()

    def _start(self) -> None:
        self._process: Process = self._stack.start(PRODUCER, PORT=str(self._port))
        self._process.says("Uvicorn running")
        self.lives += 1

    def lose(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        self._start()

    def pauses(self, *actions: Callable[[], None]) -> Callable[[float], None]:
        """Return a sleep that does these things first, one at each pause."""
        left = list(actions)

        def sleep(seconds: float) -> None:
            if left:
                left.pop(0)()
            else:
                primitives.sleep(seconds)

        return sleep


def test_a_wait_goes_on_through_a_restart(warren: Warren, running: Running) -> None:
    lost = Lost(running.stack)
    job_id = held(warren, running).id
    back = [lost.restart, lambda: running.stack.let_go(job_id)]

    with client_of(running.stack, lost.url, sleep=lost.pauses(lost.lose, *back)) as client:
        job = client.jobs[job_id].wait(WAIT)

    assert (job.state, lost.lives) == ("TASK_COMPLETED", 2)


def test_events_go_on_through_a_restart_and_none_comes_twice(
    warren: Warren, running: Running
) -> None:
    lost = Lost(running.stack)
    job_id = held(warren, running).id

    def back() -> None:
        lost.restart()
        running.stack.let_go(job_id)

    with client_of(running.stack, lost.url, sleep=lost.pauses(back)) as client:
        events = client.jobs[job_id].events()
        seen = [next(events)]
        lost.lose()
        seen += events

    assert (seen[0].state, seen[-1].state, lost.lives) == ("TASK_RUNNING", "TASK_COMPLETED", 2)
    versions = [each.version for each in seen]
    assert versions == sorted(set(versions))


def test_the_client_for_event_loops_does_the_same(running: Running, tmp_path: Path) -> None:
    frame, url = diabetes(), str(running.http.base_url)
    authority = running.stack.environment["RABBITMQ_CA_FILE"] or None

    async def run() -> list[float]:
        async with AsyncWarren(url, ca_file=authority) as client:
            job = await client.train(frame, "target", wait=True)
            model = await (await client.jobs[job.id]).model
            assert [each.id async for each in client.jobs.list(limit=1)] == [job.id]
            states = [each.state async for each in job.events()]
            assert states == ["TASK_COMPLETED"]
            file = tmp_path / "rows.csv"
            frame.to_csv(file, index=False)
            await model.score(file, tmp_path / "scored.csv")
            predictions: list[float] = (await model.predict(frame)).tolist()
            return predictions

    found = asyncio.run(run())
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["prediction"].tolist() == found


def test_the_code_of_the_page_runs(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARREN_URL", str(running.http.base_url))
    monkeypatch.setenv("WARREN_CA_FILE", running.stack.environment["RABBITMQ_CA_FILE"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"rooms": random.integers(1, 6, 90), "size": random.uniform(30, 99, 90)})
    frame.assign(price=frame["size"] * 3).to_csv("houses.csv", index=False)
    names: dict[str, Any] = {}

    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(code, names)
    names["warren"].close()

    assert names["prices"].equals(names["again"])
    assert len(names["many"]) == 200 * 90
    assert names["types"] == {"rooms": "number", "size": "number", "price": "number"}
    said = capsys.readouterr().out
    assert "90 rows were scored" in said
    assert "prise" in said

    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(code, names)
    names["warren"].close()
    assert names["answers"].index.equals(names["frame"].index)


def test_what_the_server_tells_of_itself(warren: Warren) -> None:
    assert warren.health()["status"] == "ok"
    (worker,) = warren.workers()
    assert worker["threads"] == 2
    assert warren.status()["url"] == warren.url
    with pytest.raises(errors.NotFound) as raised:
        warren.models["none"]
    assert raised.value.field == "model_id"
    assert raised.value.status == 404
