import multiprocessing
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pandas as pd
import pytest

from app import errors
from app.training.fit_process import FitLimits, FitRunner
from tests.support import frames
from tests.support.child import child
from tests.support.waiting import until
from tests.support.words import foreign_words

OTHERS: set[object] = set()

ROOT = Path(__file__).parents[3]
ENDLESS = {"n_estimators": 1_000_000, "max_depth": 3}
LIMITS = FitLimits(seconds=60.0, memory=1_000_000_000)


@pytest.fixture(scope="module")
def trainer():
    made = FitRunner()
    made.warm()
    return made


@pytest.fixture
def fit(trainer, tmp_path):
    """Fit on the reference data, or on what another `fetch` gives."""

    def run(
        request=None,
        fetch=write_diabetes,
        on_checked=lambda: None,
        on_beat=lambda _: None,
        limits=LIMITS,
        by=trainer,
    ):
        asked = request or frames.reference()
        return by.fit(asked, "m", tmp_path, limits, fetch, on_checked, on_beat)

    return run


def write_diabetes(path):
    frames.diabetes().to_csv(path, index=False)


@pytest.fixture(autouse=True)
def others():
    """The children that models of other tests have left."""
    OTHERS.clear()
    OTHERS.update(multiprocessing.active_children())


def children():
    """List the children of the test."""
    return [each for each in multiprocessing.active_children() if each not in OTHERS]


def test_a_fit_returns_the_manifest_and_the_file_of_the_model(fit, tmp_path):
    manifest, path = fit()

    assert manifest.metrics["rmse"] == pytest.approx(53.00132602055401, rel=0, abs=1e-9)
    assert manifest.model_id == "m"
    assert manifest.parity < 1e-12
    assert path == tmp_path / "model.onnx"
    model = frames.loaded(path.read_bytes())
    assert model.manifest == manifest
    assert model.predict([frames.REFERENCE_ROW])[0]["prediction"] == pytest.approx(
        208.644578, rel=1e-8
    )
    assert children() == []


def test_each_fit_without_a_seed_draws_other_numbers(fit):
    asked = frames.reference(params={"random_state": None, "n_estimators": 3})

    first, second = (fit(asked)[0].metrics["rmse"] for _ in range(2))

    assert first != second


def test_a_pipeline_that_onnx_does_not_answer_alike_is_kept_as_a_skops_file(fit, tmp_path):
    manifest, path = fit(frames.reference(estimator="knn_regressor"))

    assert manifest.runtime == "scikit-learn"
    assert path == tmp_path / "model.skops"
    assert frames.in_process(path.read_bytes()).manifest == manifest
    assert not (tmp_path / "model.onnx").exists()


def test_the_request_is_checked_before_the_data_are_fetched(fit):
    order = []

    def fetch(path):
        order.append("fetched")
        write_diabetes(path)

    fit(fetch=fetch, on_checked=lambda: order.append("checked"))

    assert order == ["checked", "fetched"]


@pytest.mark.parametrize("count", [-1, 10**9])
def test_refused_parameters_are_refused_before_anything_is_fetched(fit, count):
    def never(*_):
        pytest.fail("went on")

    with pytest.raises(errors.Invalid) as caught:
        fit(frames.reference(params={"n_estimators": count}), fetch=never, on_checked=never)

    assert type(caught.value) is errors.Invalid
    assert caught.value.extra["field"] == "params.n_estimators"
    assert children() == []


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"metric_params": {"a": 1}}, "a param holds the key a, which is not known"),
        ({"leaf_size": 2**70}, "a number among the params is too large"),
    ],
)
def test_what_the_libraries_raise_is_told_in_plain_words(fit, params, says):
    asked = frames.reference(estimator="knn_regressor", params=params)

    with pytest.raises(errors.FitFailed, match="cannot be fitted with these") as caught:
        fit(asked)

    assert says in caught.value.detail
    assert not foreign_words(caught.value.detail)
    assert children() == []


def test_bad_data_are_told_with_what_there_is(fit):
    with pytest.raises(errors.BadData, match="no column nothing") as caught:
        fit(frames.request(["nothing"]))

    assert "bmi" in caught.value.extra["columns"]
    assert children() == []


def test_what_the_fetch_raises_is_raised_and_ends_the_child(fit):
    def fetch(_):
        raise errors.StorageUnavailable

    with pytest.raises(errors.StorageUnavailable):
        fit(fetch=fetch)

    assert children() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_says_why_and_the_fit_may_be_tried_again(fit, number):
    def fetch(path):
        write_diabetes(path)
        (child,) = children()
        os.kill(child.pid, number)

    with pytest.raises(errors.ChildKilled, match=f"killed by {number.name}"):
        fit(frames.reference(params=ENDLESS), fetch=fetch)

    assert children() == []


@pytest.fixture
def when_read():
    """Give the child a pipe to read its data from, and act when it begins to."""
    over = threading.Event()

    def make(path, act):
        def write():
            with path.open("wb"):  # waits for the reader
                act()
                over.wait()

        os.mkfifo(path)
        threading.Thread(target=write).start()

    yield make
    over.set()


def test_a_child_that_is_killed_at_work_says_so(fit, when_read):
    def fetch(path):
        (child,) = children()
        when_read(path, lambda: os.kill(child.pid, signal.SIGKILL))

    with pytest.raises(errors.ChildLost, match="killed by SIGKILL"):
        fit(fetch=fetch)

    assert children() == []


def test_after_a_failed_fit_the_next_one_works(fit):
    def fetch(_):
        os.kill(children()[0].pid, signal.SIGKILL)

    with pytest.raises(errors.ChildKilled):
        fit(fetch=fetch)

    assert fit()[0].model_id == "m"


def test_stop_interrupts_a_fit_that_runs(fit, when_read):
    trainer = FitRunner()

    with pytest.raises(errors.ShuttingDown):
        fit(fetch=lambda path: when_read(path, trainer.stop), by=trainer)

    assert children() == []


def test_stop_interrupts_every_fit(tmp_path):
    trainer = FitRunner()
    both = threading.Barrier(3)  # of the two fits and this test
    outcomes = []

    def fetch(path):
        write_diabetes(path)
        both.wait()

    def run(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            asked = frames.reference(params=ENDLESS)
            trainer.fit(asked, "m", folder, LIMITS, fetch, lambda: None, lambda _: None)
        except errors.WarrenError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        both.wait()
    except BaseException:
        both.abort()
        raise
    finally:
        trainer.stop()
        for thread in threads:
            thread.join()

    assert outcomes == [errors.ShuttingDown] * 2
    assert children() == []


def test_no_fit_begins_after_stop(fit):
    trainer = FitRunner()
    trainer.stop()

    with pytest.raises(errors.ShuttingDown):
        fit(frames.reference(params=ENDLESS), by=trainer)

    assert children() == []


# Limits.


def write_rows(path, count):
    path.write_bytes(b"a,target\n" + b"1,2\n" * count)


def test_a_fit_that_takes_too_long_ends(fit):
    with pytest.raises(errors.FitTimeout, match=r"longer than 0\.2 s"):
        fit(frames.reference(params=ENDLESS), limits=FitLimits(0.2, LIMITS.memory))

    assert children() == []


def test_the_estimator_that_the_target_implies_is_checked_like_others(fit):
    def write_words(path):
        pd.DataFrame({"a": range(60), "target": ["low", "high"] * 30}).to_csv(path, index=False)

    manifest, _ = fit(frames.request(["a"]), write_words)
    assert (manifest.estimator, manifest.params["max_depth"]) == ("random_forest_classifier", None)
    asked = frames.request(["a"], params={"criterion": "absolute_error"})
    with pytest.raises(errors.Invalid, match="criterion"):
        fit(asked, write_words)


def test_a_fit_that_takes_more_and_more_memory_ends(fit):
    asked = frames.reference(params={"n_estimators": 5_000})

    with pytest.raises(errors.FitOutOfMemory, match="more than 6 MB"):
        fit(asked, limits=FitLimits(110.0, 6_000_000))

    assert children() == []


def test_a_fit_that_asks_for_much_memory_at_once_ends(fit):
    with pytest.raises(errors.FitOutOfMemory, match="more than 50 MB"):
        fit(
            frames.request(["a"], estimator="ridge"),
            fetch=lambda path: write_rows(path, 10_000_000),
            limits=FitLimits(60.0, 50_000_000),
        )

    assert children() == []


def test_a_fit_within_its_limits_succeeds(fit):
    assert fit(limits=FitLimits(60.0, 200_000_000))[0].model_id == "m"


def test_test_rows_are_compared_with_many_rows_piece_by_piece(fit):
    def write(path):
        rows = np.random.default_rng(1).normal(size=(60_000, 2)).round(3)
        pd.DataFrame(rows, columns=["a", "target"]).to_csv(path, index=False)

    asked = frames.request(
        ["a"], estimator="knn_regressor", params={"algorithm": "brute"}, test_size=3_000
    )

    # All distances at a time are 1.4 GB.
    manifest, _ = fit(asked, fetch=write, limits=FitLimits(60.0, 200_000_000))

    assert manifest.rows["test"] == 3_000


def test_the_next_fit_has_its_own_limits(fit):
    with pytest.raises(errors.FitOutOfMemory):
        fit(limits=FitLimits(60.0, 200_000))

    assert fit()[0].model_id == "m"


# What a parent may say meanwhile, and what it is told.


def test_the_parent_is_asked_again_and_again(fit):
    beats = []

    def on_beat(progress):
        beats.append(progress)
        if len(beats) == 5:
            raise errors.Fenced

    with pytest.raises(errors.Fenced):
        fit(frames.reference(params=ENDLESS), on_beat=on_beat)

    assert len(beats) == 5
    assert children() == []


def test_what_the_parent_raises_ends_a_child_that_does_not_listen(fit, when_read):
    wanted = threading.Event()

    def on_beat(_):
        if wanted.is_set():
            raise errors.Fenced

    with pytest.raises(errors.Fenced):
        fit(fetch=lambda path: when_read(path, wanted.set), on_beat=on_beat)

    assert children() == []


# Children that behave as a test wants; they are pickled by name.


def tell_progress(pipe, body, model_id, csv, memory):
    pipe.send(("checked", 10**12))
    pipe.recv()
    pipe.send(("progress", 0.25))
    pipe.send(("progress", 0.5))
    pipe.send(("done", (frames.manifest().model_dump(), "model.onnx")))
    Path(csv).with_name("told").touch()


def never_stop_talking(pipe, body, model_id, csv, memory):
    pipe.send(("checked", 10**12))
    pipe.recv()
    with suppress(OSError):
        while True:
            pipe.send(("progress", 0.5))


def say_nothing(pipe, *_):
    with suppress(EOFError):
        pipe.recv()


def end_at_once(pipe, *_):
    sys.exit(7)


def nothing(_):
    """Fetch nothing, or do nothing at a beat."""


def test_the_progress_of_the_child_is_handed_on(fit):
    beats = []

    manifest, path = fit(fetch=nothing, on_beat=beats.append, by=FitRunner(child=tell_progress))

    assert [each for each in beats if each is not None] == [0.25, 0.5]
    assert (manifest, path) == (frames.manifest(), Path("model.onnx"))


def test_what_the_parent_raises_at_progress_is_raised(fit):
    def on_beat(progress):
        if progress is not None:
            raise errors.Fenced(str(progress))

    with pytest.raises(errors.Fenced, match=r"0\.25"):
        fit(fetch=nothing, on_beat=on_beat, by=FitRunner(child=tell_progress))


def test_a_child_that_never_stops_talking_is_limited(fit):
    limits = FitLimits(0.2, LIMITS.memory)

    with pytest.raises(errors.FitTimeout):
        fit(fetch=nothing, limits=limits, by=FitRunner(child=never_stop_talking))


def test_a_child_that_never_stops_talking_is_interrupted(fit):
    trainer = FitRunner(child=never_stop_talking)

    def on_beat(progress):
        if progress is not None:
            trainer.stop()

    with pytest.raises(errors.ShuttingDown):
        fit(fetch=nothing, on_beat=on_beat, by=trainer)


def test_a_result_that_is_there_is_not_thrown_away_by_stop(fit, tmp_path):
    trainer = FitRunner(child=tell_progress)

    def on_beat(progress):
        if progress == 0.5:
            until((tmp_path / "told").exists, "the result is in the pipe")
            trainer.stop()

    assert fit(fetch=nothing, on_beat=on_beat, by=trainer)[1] == Path("model.onnx")


def test_a_child_that_does_not_answer_in_time_is_ended(fit):
    with pytest.raises(errors.FitTimeout, match=r"longer than 0\.1 s"):
        fit(by=FitRunner(child=say_nothing, check_seconds=0.1))

    assert children() == []


def test_a_child_that_ends_without_an_answer_is_told_of_by_its_status(fit):
    with pytest.raises(errors.ChildKilled, match="exit status 7"):
        fit(by=FitRunner(child=end_at_once))


@pytest.mark.parametrize("error", [EOFError(), BrokenPipeError(), OSError(11, "Try again")])
def test_a_child_that_cannot_be_started_may_be_tried_again(fit, monkeypatch, error):
    def start(_):
        raise error

    # Python's own: no system can be made to refuse just this process.
    monkeypatch.setattr(ForkServerProcess, "start", start)

    with pytest.raises(errors.ChildKilled, match=r"could be started to fit: [Tt]") as caught:
        fit()
    assert "Error" not in caught.value.detail


PARENT = """
import sys
from pathlib import Path
from app.training.fit_process import FitLimits, FitRunner
from app.protocol.training_request import TrainRequest

def fetch(path):
    path.write_text(sys.stdin.read())
    print("fetched", flush=True)

if __name__ == "__main__":
    request = TrainRequest.model_validate_json(sys.argv[2])
    limits = FitLimits(60.0, 1_000_000_000)
    FitRunner().fit(request, "m", Path(sys.argv[1]), limits, fetch, lambda: None, lambda _: None)
"""


def test_a_child_dies_with_its_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with child(
        [sys.executable, script, tmp_path, frames.reference(params=ENDLESS).encode()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=PIPE,
        stdout=PIPE,
    ) as parent:
        parent.stdin.write(frames.diabetes().to_csv(index=False).encode())
        parent.stdin.close()
        assert parent.stdout.readline() == b"fetched\n"

        parent.kill()

        # The pipe ends when the last process that has it does: the child, and who has forked it.
        assert parent.stdout.read() == b""
