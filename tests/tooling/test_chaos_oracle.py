"""The oracle of the chaos run finds what was made up for it to find."""

from typing import Any

import pytest

from tests.chaos import batches
from tests.chaos.oracle import Verdict, bad_attempts, judge, unequal

KEY = "models/a/1/"
FILES = {f"{KEY}model.onnx": "aa", f"{KEY}metadata.json": ""}
ATTEMPTS = 4


def call(job: str = "a", **changes: Any) -> dict[str, Any]:
    return {"what": "train", "sort": "quick", "at": 10.0, "status": 202, "id": job, **changes}


def row(job: str = "a", **changes: Any) -> dict[str, Any]:
    good = {"state": "TASK_COMPLETED", "result_key": KEY, "result_sha256": "aa", "attempt": 1}
    return {"id": job, "kind": "train", "error": None, "failures": 0, **good, **changes}


def asked(number: int | None = 7, **changes: Any) -> dict[str, Any]:
    return call(**{"what": "async", "sort": "once", "number": number, **changes})


def answered(number: int = 7, **changes: Any) -> dict[str, Any]:
    none = {"result_key": None, "result_sha256": None}
    return row(kind="predict", result={"prediction": number}, **none, **changes)


def failed(kind: str, **changes: Any) -> dict[str, Any]:
    none = {"result_key": None, "result_sha256": None, "error": {"type": kind}}
    return row(state="TASK_ERROR", **{**none, **changes})


def line(old: str | None, new: str, attempt: int = 1, **changes: Any) -> dict[str, Any]:
    keys = {"old_key": None, "result_key": None}
    return {"op": "UPDATE", "id": "a", "old_state": old, "state": new, "attempt": attempt} | (
        keys | changes
    )


QUEUED = line(None, "TASK_QUEUED", 0, op="INSERT")
CLAIMED = line("TASK_QUEUED", "TASK_RUNNING")
DONE = line("TASK_RUNNING", "TASK_COMPLETED", result_key=KEY)
HISTORY = [QUEUED, CLAIMED, DONE]


def verdict(
    calls: list[Any] | None = None,
    rows: list[Any] | None = None,
    audit: list[Any] | None = None,
    objects: dict[str, str] | None = None,
    data_lost: tuple[float, ...] = (),
    called: dict[int, int] | None = None,
) -> Verdict:
    """Judge a good run of one job, but for what is given."""
    return judge(
        [call()] if calls is None else calls,
        [row()] if rows is None else rows,
        HISTORY if audit is None else audit,
        FILES if objects is None else objects,
        list(data_lost),
        ATTEMPTS,
        called or {},
    )


def test_a_good_run_holds() -> None:
    good = verdict()
    assert good.holds
    assert (good.completed, len(good.accepted)) == (1, 1)


def test_a_run_in_which_nothing_worked_proves_nothing() -> None:
    assert not verdict(calls=[], rows=[], audit=[], objects={}).holds


def test_an_accepted_job_without_a_row_is_lost() -> None:
    assert verdict(calls=[call(), call("b")]).lost == ["b: no row"]


@pytest.mark.parametrize("state", ["TASK_QUEUED", "TASK_RUNNING"])
def test_an_accepted_job_that_never_ends_is_lost_and_stuck(state: str) -> None:
    found = verdict(rows=[row(state=state, result_key=None)])
    assert (len(found.lost), len(found.stuck)) == (1, 1)
    assert not found.holds


def test_a_job_that_nobody_was_promised_may_be_stuck_too() -> None:
    found = verdict(rows=[row(), row("b", state="TASK_QUEUED", result_key=None)])
    assert (found.lost, found.stuck) == ([], ["b: TASK_QUEUED"])


@pytest.mark.parametrize(
    "more",
    [
        [line("TASK_COMPLETED", "TASK_COMPLETED", 2, old_key=KEY, result_key="models/a/2/")],
        [line("TASK_COMPLETED", "TASK_RUNNING", 2, old_key=KEY, result_key=KEY)],
        [line("TASK_RUNNING", "TASK_COMPLETED", 2, result_key="models/a/2/")],
        [line("TASK_COMPLETED", "TASK_ERROR", old_key=KEY, result_key=KEY)],
        [line("TASK_QUEUED", "TASK_RUNNING", 1)],
        [line("TASK_COMPLETED", "", op="DELETE", old_key=KEY)],
    ],
    ids=["result", "again", "two ends", "other end", "attempt twice", "deleted"],
)
def test_a_double_effect_is_found(more: list[dict[str, Any]]) -> None:
    found = verdict(audit=[*HISTORY, *more])
    assert found.double
    assert not found.holds


def test_a_second_attempt_is_no_double_effect() -> None:
    again = [QUEUED, CLAIMED, line("TASK_RUNNING", "TASK_RUNNING", 2), DONE]
    found = verdict(rows=[row(attempt=2)], audit=again)
    assert (found.double, found.retried, found.recovered) == ([], 1, 1)


def test_a_key_with_two_jobs_is_a_double_effect() -> None:
    rows = [row(), row("b", result_key="models/b/1/")]
    files = {**FILES, "models/b/1/model.onnx": "aa", "models/b/1/metadata.json": ""}
    calls = [call(key="k"), call("b", key="k")]
    assert verdict(calls, rows, objects=files).double == ["k: one key, 2 jobs"]
    assert verdict([call(key="k"), call(key="k")]).holds


@pytest.mark.parametrize(
    "objects",
    [{}, {f"{KEY}model.onnx": "aa"}, {**FILES, f"{KEY}model.onnx": "bb"}],
    ids=["missing", "no manifest", "another"],
)
def test_a_published_model_that_is_not_there_is_wrong(objects: dict[str, str]) -> None:
    assert verdict(objects=objects).wrong


def test_a_good_job_may_only_fail_by_its_last_attempt() -> None:
    assert verdict(rows=[failed("fit_failed")]).wrong
    gave_up = verdict(rows=[failed("fit_failed", failures=ATTEMPTS), row("b")])
    assert (len(gave_up.gave_up), gave_up.wrong) == (1, [])


def test_a_bad_job_must_fail_clearly() -> None:
    bad = [call(sort="bad")]
    assert verdict(bad, [failed("bad_data")]).failed_as_must == 1
    assert verdict(bad, [failed("internal")]).wrong
    assert verdict(bad, [row()]).wrong


def test_a_cancelled_job_stays_cancelled() -> None:
    asked = {"what": "delete", "job": "a", "at": 11.0, "status": 200}
    cancelled = row(state="TASK_CANCELLED", result_key=None, result_sha256=None)
    assert verdict([call(), asked], [cancelled]).cancelled == 1
    assert not verdict([call(), asked], [cancelled]).wrong
    assert verdict([call(), asked]).wrong  # it completed
    assert verdict([call()], [cancelled]).wrong  # nobody asked


def test_what_a_wiped_broker_had_confirmed_is_told_apart() -> None:
    calls = [call(), call("b", what="amqp", at=20.0)]
    assert verdict(calls, data_lost=(25.0,)).gone_with_broker == ["b"]
    assert verdict(calls, data_lost=(15.0,)).lost == ["b: no row"]
    by_http = [call(), call("b", at=20.0)]
    assert verdict(by_http, data_lost=(25.0,)).lost == ["b: no row"]


def test_a_500_is_a_bug_and_a_503_is_not() -> None:
    assert len(verdict([call(), call(status=500)]).bugs) == 1
    assert verdict([call(), call(status=503)]).holds


def test_a_prediction_is_a_job_like_another() -> None:
    good = verdict([asked()], [answered()], objects={})
    assert good.holds
    assert (good.completed, good.predictions) == (1, {"a"})
    assert verdict([call(), asked(id="b")]).lost == ["b: no row"]


def test_the_answer_to_another_question_is_wrong() -> None:
    assert verdict([asked()], [answered(8)], objects={}).wrong
    assert verdict([asked(None, sort="here")], [answered(8)], objects={}).holds


def test_what_may_be_called_once_may_end_uncertainly_and_nothing_else() -> None:
    end = {**failed("endpoint_failed"), "kind": "predict"}
    rows = [end, row("b")]
    assert (verdict([asked()], rows).uncertain, verdict([asked()], rows).wrong) == (1, [])
    assert verdict([asked(sort="again")], rows).wrong
    for other in ("internal", "endpoint_unavailable"):
        assert verdict([asked()], [{**failed(other), "kind": "predict"}, row("b")]).wrong


def test_a_call_that_a_model_got_twice_though_it_may_not_is_a_double_effect() -> None:
    found = verdict([asked()], [answered()], objects={}, called={7: 2, 8: 1})
    assert found.double == ["7: called 2 times"]


def test_a_folder_without_a_row_is_counted() -> None:
    found = verdict(objects={**FILES, "models/a/2/model.onnx": "cc"})
    assert (found.orphans, found.holds) == (["models/a/2/"], True)


FOLDED = {"estimator": "ridge", "cv": {"folds": 2, "repeats": 1}}


def folded(job: str, *folds: float, **changes: Any) -> dict[str, Any]:
    """A completed training with the score of each fold."""
    mean = sum(folds) / len(folds)
    scores = {"r2": {"mean": mean, "std": 0.1, "folds": list(folds)}}
    summary = {"metrics": {"r2": mean}, "fit_summary": {"cross_validation": scores}}
    return row(job, request={**FOLDED, "model_id": job}, **summary, **changes)


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        ([folded("a", 0.5, 0.6), folded("b", 0.5, 0.6)], []),
        (
            [folded("a", 0.5, 0.6), folded("b", 0.5, 0.7)],
            ["b: measured otherwise than a, which asked for the same"],
        ),
        (
            [folded("a", 0.5)],
            [
                "a: asked for {'folds': 2, 'repeats': 1}, "
                "measured {'r2': {'mean': 0.5, 'std': 0.1, 'folds': [0.5]}}"
            ],
        ),
        ([folded("a", 0.5, 0.6), folded("b", 0.5, 0.7, state="TASK_CANCELLED")], []),
        ([row("a"), row("b")], []),
    ],
)
def test_equal_trainings_end_alike_with_all_their_folds(
    rows: list[dict[str, Any]], wrong: list[str]
) -> None:
    assert unequal(rows) == wrong


def scored(**changes: Any) -> dict[str, Any]:
    key = "batches/a/2/result.csv"
    right = {"result_key": key, "result_sha256": batches.wanted(), "result": {"rows": 1}}
    return row(kind="batch", **{**right, **changes})


def test_a_batch_job_with_the_right_result_is_right():
    found = verdict(
        [call(what="batch")], [scored()], objects={"batches/a/2/result.csv": batches.wanted()}
    )

    assert found.holds
    assert (found.completed, found.orphans) == (1, [])


@pytest.mark.parametrize(
    ("published", "stored"), [("aa", "aa"), (batches.wanted(), "aa"), ("aa", batches.wanted())]
)
def test_a_batch_job_with_another_result_is_wrong(published, stored):
    found = verdict(
        [call(what="batch")],
        [scored(result_sha256=published)],
        objects={"batches/a/2/result.csv": stored},
    )

    assert len(found.wrong) == 1


def test_a_batch_job_without_its_file_is_wrong():
    assert len(verdict([call(what="batch")], [scored()], objects={}).wrong) == 1


def test_the_parts_of_an_ended_batch_job_may_be_deleted():
    gone = line("TASK_COMPLETED", None, op="DELETE", id="a.part-0")

    assert verdict(audit=[*HISTORY, gone]).holds


def tried(number: int, *, is_open: bool = False, job: str = "a") -> dict[str, Any]:
    return {"job_id": job, "attempt": number, "ended_at": None if is_open else 10.0}


@pytest.mark.parametrize(
    ("rows", "changes", "complaints"),
    [
        ([tried(1), tried(2)], {"attempt": 2}, []),
        ([tried(8), tried(9)], {"attempt": 9}, []),
        ([tried(1, is_open=True)], {"state": "TASK_RUNNING"}, []),
        ([tried(1), tried(3)], {"attempt": 3}, ["a: attempts [1, 3]"]),
        ([tried(1)], {"attempt": 2}, ["a: attempt 2, and 1 is the last row"]),
        ([tried(1, is_open=True)], {}, ["a: TASK_COMPLETED, and attempts [1] are open"]),
        (
            [tried(1, is_open=True), tried(2, is_open=True)],
            {"attempt": 2, "state": "TASK_RUNNING"},
            ["a: TASK_RUNNING, and attempts [1, 2] are open"],
        ),
        ([tried(1, job="b")], {}, ["b: attempts without a job"]),
    ],
)
def test_attempts_have_no_gaps_and_only_the_running_one_is_open(rows, changes, complaints):
    assert bad_attempts([row(**changes)], rows) == complaints
