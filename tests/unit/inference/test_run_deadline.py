import threading

import pytest

from app import errors
from app.inference.run_deadline import Watchdog, watchdog
from tests.support.waiting import until


class Run:
    terminate = False


@pytest.fixture(scope="module")
def dog():
    return Watchdog(poll_seconds=0.01)


def fail_when_told(dog, run):
    with dog.deadline(run, 0.0):
        until(lambda: run.terminate, "it is told to end")
        raise RuntimeError


def test_a_run_beyond_its_deadline_is_told_to_end(dog):
    with pytest.raises(errors.DeadlineExceeded, match="longer than 0 s"):
        fail_when_told(dog, Run())


def test_runs_that_ended_are_forgotten(dog):
    with dog.deadline(Run(), 60.0):
        assert len(dog) == 1
    with pytest.raises(errors.DeadlineExceeded):
        fail_when_told(dog, Run())

    assert len(dog) == 0


def test_an_error_before_the_deadline_is_raised_as_it_is(dog):
    with pytest.raises(KeyError), dog.deadline(Run(), 60.0):
        raise KeyError

    assert len(dog) == 0


def test_each_run_has_its_own_deadline(dog):
    late, soon = Run(), Run()
    with dog.deadline(late, 60.0):
        with pytest.raises(errors.DeadlineExceeded):
            fail_when_told(dog, soon)
        assert not late.terminate


def test_a_process_has_one_watchdog_and_one_thread():
    before = threading.active_count()
    shared = watchdog()
    for _ in range(3):
        with watchdog().deadline(Run(), 60.0):
            pass

    assert watchdog() is shared
    assert threading.active_count() <= before + 1
