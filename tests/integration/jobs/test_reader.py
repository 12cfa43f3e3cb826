import json

import pytest
import sqlalchemy as sa

from app.jobs.long_answers import LISTED_CHARACTERS, read_answers, read_predictions
from app.jobs.store import JobStore
from app.protocol.types import LATEST, JobKind, JobStatus
from tests.support.rows import (
    ANSWER,
    ASKED,
    RESULT,
    SYNC,
    accept,
    put,
    run,
    wait_for_the_clock,
)


def test_the_newest_come_first(store):
    for n in range(5):
        accept(store, f"job-{n}")
        wait_for_the_clock(store)

    assert [job.id for job in store.newest(3)] == ["job-4", "job-3", "job-2"]
    assert len(store.newest(100)) == 5


def test_the_latest_job_is_the_newest_of_any_state(store):
    assert store.show(LATEST) is None

    for name in ("first", "last"):
        accept(store, name)
        wait_for_the_clock(store)
    store.cancel("last")

    assert store.show(LATEST).id == "last"


def test_the_newest_may_be_of_one_state(store):
    store.complete_training("done", run(store, "done"), *RESULT)
    run(store, "running")
    accept(store, "queued")
    accept(store, "cancelled")
    store.cancel("cancelled")

    assert [job.id for job in store.newest(10, JobStatus.COMPLETED)] == ["done"]
    assert [job.id for job in store.newest(10, JobStatus.RUNNING)] == ["running"]
    assert [job.id for job in store.newest(10, JobStatus.QUEUED)] == ["queued"]
    assert [job.id for job in store.newest(10, JobStatus.CANCELLED)] == ["cancelled"]
    assert store.newest(10, JobStatus.ERROR) == []


def test_a_list_has_no_answers(store):
    run(store, kind=JobKind.PREDICT)
    accept(store, "both", kind=JobKind.PREDICT, sync=SYNC)
    store.complete_prediction("both", store.claim("both", "worker"), ANSWER)

    found = {job.id: job for job in store.newest(10)}

    assert found["both"].sync is found["both"].result is None
    assert found["both"].request == ASKED
    assert (store.get("both").sync, store.get("both").result) == (SYNC, ANSWER)
    assert store.get("m").sync is None


@pytest.mark.parametrize("long", ["request", "error", "metrics", "fit_summary"])
def test_a_list_leaves_out_what_is_long(store, long):
    short, value = {"m": "x" * 10}, {"m": "x" * LISTED_CHARACTERS}
    for name in ("short", "long"):
        accept(store, name)
        put(store, name, request=short, error=short, metrics=short, fit_summary=short)
    put(store, "long", **{long: value})

    listed = {job.id: job for job in store.newest(10)}

    assert not listed["short"].shortened
    assert listed["long"].shortened
    assert listed["short"].request == short
    for name in ("request", "error", "metrics", "fit_summary"):
        left = getattr(listed["long"], name)
        assert left == (short if name != long else {} if long == "request" else None)
    assert getattr(store.get("long"), long) == value
    assert not store.get("long").shortened


def test_the_newest_are_read_in_their_order_and_not_sorted(sqlite_url):
    """A table of 100,000 rows would be sorted for each list."""
    asked = []
    store = JobStore(sqlite_url)
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    store.newest(10)
    ((statement, values),) = asked
    with store.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        assert [step[3] for step in plan] == [
            "SEARCH jobs USING INDEX ix_jobs_owner_created_at (owner=?)"
        ]
    store.close()


def test_a_version_tells_of_a_change(store):
    assert store.versions(["m", "n"]) == {}
    attempt = run(store)
    before = store.versions(["m", "n"])
    assert before == {"m": store.get("m").version}
    store.complete_training("m", attempt, *RESULT)
    assert store.versions(["m", "n"]) == {"m": before["m"] + 1}


def test_a_job_is_found_by_its_key(store):
    accept(store, "one", idempotency_key="k1")
    accept(store, "two", idempotency_key="k2")
    accept(store, "three")

    assert store.of_key("k2").id == "two"
    assert store.of_key("K2") is None


def positions(store, *names):
    return [store.position(store.get(name)) for name in names]


def test_a_queued_job_has_its_place_in_the_queue(store):
    for name in ("zoe", "bob", "mia"):
        accept(store, name)
        wait_for_the_clock(store)

    assert positions(store, "zoe", "bob", "mia") == [1, 2, 3]


def test_jobs_of_one_moment_have_different_places(store):
    for name in ("zoe", "bob", "mia"):
        accept(store, name)
    put(store, created_at=-10)

    assert sorted(positions(store, "zoe", "bob", "mia")) == [1, 2, 3]


def test_only_who_waits_is_counted(store):
    for name in ("running", "done", "cancelled", "waiting", "last"):
        accept(store, name)
        wait_for_the_clock(store)
    store.claim("running", "worker")
    store.complete_training("done", store.claim("done", "worker"), *RESULT)
    store.cancel("cancelled")

    assert positions(store, "waiting", "last") == [1, 2]


def test_a_model_that_an_older_producer_registered_is_no_job(store):
    accept(store, "m")
    accept(store, "model")
    put(store, "model", kind="onnx", state=JobStatus.COMPLETED)

    assert [job.id for job in store.newest(10)] == ["m"]
    assert store.get("model") is None


def test_the_trainings_of_a_sender_are_those_that_its_messages_made(store):
    """All of these but `mine` differ in one thing; the newest comes first."""
    sender = {"reply_to": "queue", "correlation_id": "c"}
    accept(store, "elsewhere", "another data set", **sender)
    accept(store, "keyed", **sender, idempotency_key="k")
    accept(store, "theirs", reply_to="queue", correlation_id="other")
    accept(store, "mute")
    accept(store, "prediction", kind=JobKind.PREDICT, **sender)
    for name in ("mine", "ended", "mine too"):
        accept(store, name, **sender)
        wait_for_the_clock(store)
    accept(store, "long ago", **sender)
    for name in ("ended", "long ago"):
        store.cancel(name)
    put(store, "long ago", ended_at=-61)

    found = [job.id for job in store.trainings_of("d", "queue", "c", 60)]

    assert found == ["mine too", "ended", "mine"]
    assert [job.id for job in store.trainings_of("d", None, None, 60)] == ["mute"]


@pytest.mark.parametrize("long", [("result",), ("sync",), ("result", "sync")])
def test_long_answers_are_read_as_text(store, long):
    answers = {"result": ANSWER, "sync": SYNC}
    for name in long:
        answers[name] = {**answers[name], "pred_proba": ['\u044f"\\' * 50] * 1000}
    accept(store, "j", kind=JobKind.PREDICT)
    put(store, "j", **answers)

    shown = store.show("j")

    assert shown.shortened
    for name, value in answers.items():
        assert getattr(shown, name) == (None if name in long else value)
    texts = read_answers(store.engine, "j")
    assert {name: json.loads(text) for name, text in texts.items()} == answers
    assert read_predictions(store.engine, "j") == (SYNC["prediction"], ANSWER["prediction"])


@pytest.mark.parametrize(
    "prediction",
    ["a\0b", ["a\0b", "a"], "\ud800", ["\udfffx"], ["a", "\N{GRINNING FACE}"], [1, 0.1, 1e300]],
)
def test_predictions_are_read_whatever_texts_stand_in_an_answer(store, prediction):
    accept(store, "j", kind=JobKind.PREDICT)
    answer = {**ANSWER, "prediction": prediction, "pred_proba": {"a\0": 1.0, "\udc00": 0.0}}
    put(store, "j", result=answer, sync={**SYNC, "prediction": prediction})

    assert read_predictions(store.engine, "j") == (prediction, prediction)


def test_a_job_without_answers_is_not_shortened(store):
    accept(store, "j", kind=JobKind.PREDICT)

    assert not store.show("j").shortened
    assert read_answers(store.engine, "j") == {"result": "null", "sync": "null"}
