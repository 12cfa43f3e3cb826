"""What jobs may take of the table, of answers, of memory and of the disk, and for how long."""

import json
from pathlib import Path

from devstack.demo import ROW, TRAIN
from tests.support import graphs
from tests.support.mlflow_folders import columns, folder
from tests.system.support.client import is_problem, job, predict, reached, train, trained, upload
from tests.system.support.gated import COMMAND, HELD
from tests.system.support.processes import Stack, until

JOBS = 24
MB = 1_000_000
COLUMNS = range(10_000)
FULL = {"DISK_RESERVE": str(10**18)}


def table_size(stack: Stack) -> int:
    """Return the bytes of the database's files."""
    path = Path(stack.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*"))


def test_trainings_with_many_columns_stay_small(stack: Stack) -> None:
    """They took 262 MB of table, 85 MB of a list and 561 MB of memory."""
    producer, http = stack.producer(TRAIN_WAIT="0.1")
    upload(http)

    for number in range(JOBS):
        long = [f"{number}-{column}-".ljust(180, "я") for column in COLUMNS]
        problem = is_problem(http.post("/train", json={**TRAIN, "features": long}), 413)
        assert problem["field"] == "features"
        train(http, features=[f"{number}-{column:014}" for column in COLUMNS])
    listed = http.get("/jobs")

    assert [each["shortened"] for each in listed.json()["jobs"]] == [True] * JOBS
    assert len(job(http, listed.json()["jobs"][0]["id"])["request"]["features"]) == len(COLUMNS)
    assert len(listed.content) < MB
    assert table_size(stack) < 20 * MB
    assert producer.peak() < 250 * MB


def test_a_disk_below_its_reserve_takes_nothing_and_answers_all_the_same(stack: Stack) -> None:
    _, _, http = stack.pair()
    upload(http)
    model_id = trained(http)
    _, full = stack.producer(**FULL)
    row = {"input_data": ROW}
    before = (table_size(stack), [each.key for each in stack.bucket.objects.all()])

    answers = {
        "train": full.post("/train", json=TRAIN),
        "async": full.post("/predict/async", json={"model_id": model_id, **row}),
        "both": full.post(
            "/predict/sync_async",
            json={"sync_model_id": model_id, "async_model_id": model_id, **row},
        ),
        "batch": full.post("/predict/batch", json={"model_id": model_id, "dataset_id": "diabetes"}),
        "table": full.post("/predict/batch", params={"model_id": model_id}, content="a,b\n1,2\n"),
        "data": full.put("/datasets/more", content="a,b\n1,2\n"),
        "model": full.put(
            "/models/more",
            data={"manifest": json.dumps(graphs.LINEAR)},
            files={"model": ("model.onnx", graphs.linear())},
        ),
        "folder": full.put(
            "/models/more",
            content=folder(graphs.linear(), columns("a", "b")),
            headers={"Content-Type": "application/zip"},
        ),
        "again": full.post(f"/ui/jobs/{model_id}/again", headers={"Sec-Fetch-Site": "same-origin"}),
    }

    for name, answer in answers.items():
        assert is_problem(answer, 507)["type"] == "storage_full", name
    assert [each.key for each in stack.bucket.objects.all()] == before[1]
    assert table_size(stack) == before[0]
    assert len(full.get("/jobs").json()["jobs"]) == 1
    assert predict(full, model_id)["prediction"]


def test_what_has_ended_is_deleted_and_models_and_running_jobs_are_kept(stack: Stack) -> None:
    _, http = stack.producer(TRAIN_WAIT="1")
    upload(http)
    upload(http, HELD)
    stack.consumer(COMMAND)
    failed = train(http, features=["nothing"])
    reached(http, failed, "TASK_ERROR")
    model_id = trained(http)
    held = [train(http, dataset_id=HELD) for _ in range(3)]  # two run, one waits
    reached(http, held[0], "TASK_RUNNING")

    sweeping, _ = stack.producer(SWEEP_SECONDS="0.1", KEEP_JOB_DAYS="0.000001")

    until(lambda: len(http.get("/jobs").json()["jobs"]) == 3, "the ended jobs are deleted")
    assert is_problem(http.get(f"/jobs/{failed}"), 404)
    assert http.get(f"/models/{model_id}").status_code == 200
    assert [each["model_id"] for each in http.get("/models").json()["models"]] == [model_id]
    assert predict(http, model_id)["prediction"]
    assert stack.stored(model_id) == {1}
    for each in held:
        stack.let_go(each)
        until(lambda each=each: http.get(f"/models/{each}").status_code == 200, "it is trained")
        assert predict(http, each)["prediction"]
    assert "Traceback" not in sweeping.output()
