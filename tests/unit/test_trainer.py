import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app import errors, serving
from app.consumer.trainer import Trainer
from tests.unit import frames

ROOT = Path(__file__).parents[2]
ENDLESS = {"n_estimators": 1_000_000}


@pytest.fixture(scope="module")
def trainer():
    made = Trainer()
    made.warm()
    return made


@pytest.fixture
def fit(trainer, tmp_path):
    """Fit on the reference data, or on what another `fetch` gives."""

    def run(request=None, fetch=write_diabetes, on_checked=lambda: None, by=trainer):
        return by.fit(request or frames.reference(), "m", tmp_path, fetch, on_checked)

    return run


def write_diabetes(path):
    frames.diabetes().to_csv(path, index=False)


def children():
    return multiprocessing.active_children()


def test_a_fit_returns_the_manifest_and_the_onnx_file(fit):
    manifest, onnx = fit()

    assert manifest.metrics["rmse"] == pytest.approx(53.00132602055401, rel=0, abs=1e-9)
    assert manifest.model_id == "m"
    assert 0 < manifest.parity < 1e-6
    model = serving.Model(onnx)
    assert model.manifest == manifest
    assert model.predict([frames.REFERENCE_ROW])[0]["prediction"] == pytest.approx(
        208.644578, rel=1e-7
    )
    assert children() == []


def test_the_request_is_checked_before_the_data_are_fetched(fit):
    order = []

    def fetch(path):
        order.append("fetched")
        write_diabetes(path)

    fit(fetch=fetch, on_checked=lambda: order.append("checked"))

    assert order == ["checked", "fetched"]


def test_refused_parameters_are_refused_before_anything_is_fetched(fit):
    def never(*_):
        pytest.fail("went on")

    with pytest.raises(errors.Invalid) as caught:
        fit(frames.reference(params={"n_estimators": -1}), fetch=never, on_checked=never)

    assert type(caught.value) is errors.Invalid
    assert caught.value.extra["field"] == "params.n_estimators"
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
def test_a_child_that_dies_is_a_failed_fit_that_says_why(fit, number):
    def fetch(path):
        write_diabetes(path)
        (child,) = children()
        os.kill(child.pid, number)

    with pytest.raises(errors.FitFailed, match=f"killed by {number.name}"):
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


def test_a_child_that_is_killed_at_work_is_a_failed_fit(fit, when_read):
    def fetch(path):
        (child,) = children()
        when_read(path, lambda: os.kill(child.pid, signal.SIGKILL))

    with pytest.raises(errors.FitFailed, match="killed by SIGKILL"):
        fit(fetch=fetch)

    assert children() == []


def test_after_a_failed_fit_the_next_one_works(fit):
    def fetch(_):
        os.kill(children()[0].pid, signal.SIGKILL)

    with pytest.raises(errors.FitFailed):
        fit(fetch=fetch)

    assert fit()[0].model_id == "m"


def test_stop_interrupts_a_fit_that_runs(fit, when_read):
    trainer = Trainer()

    with pytest.raises(errors.Interrupted):
        fit(fetch=lambda path: when_read(path, trainer.stop), by=trainer)

    assert children() == []


def test_stop_interrupts_every_fit(tmp_path):
    trainer = Trainer()
    both = threading.Barrier(3)
    outcomes = []

    def fetch(path):
        write_diabetes(path)
        both.wait(20)

    def run(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            trainer.fit(frames.reference(params=ENDLESS), "m", folder, fetch, lambda: None)
        except errors.WarrenError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    both.wait(20)
    trainer.stop()
    for thread in threads:
        thread.join()

    assert outcomes == [errors.Interrupted] * 2
    assert children() == []


def test_no_fit_begins_after_stop(fit):
    trainer = Trainer()
    trainer.stop()

    with pytest.raises(errors.Interrupted):
        fit(frames.reference(params=ENDLESS), by=trainer)

    assert children() == []


PARENT = """
import sys
from pathlib import Path
from app.consumer.trainer import Trainer
from app.messages import TrainRequest

def fetch(path):
    path.write_text(sys.stdin.read())
    print("fetched", flush=True)

if __name__ == "__main__":
    request = TrainRequest.model_validate_json(sys.argv[2])
    Trainer().fit(request, "m", Path(sys.argv[1]), fetch, lambda: None)
"""


def test_a_child_dies_with_its_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, script, tmp_path, frames.reference(params=ENDLESS).encode()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        parent.stdin.write(frames.diabetes().to_csv(index=False).encode())
        parent.stdin.close()
        assert parent.stdout.readline() == b"fetched\n"

        parent.kill()

        # The pipe ends when the last process that has it does: the child, and who has forked it.
        assert parent.stdout.read() == b""
