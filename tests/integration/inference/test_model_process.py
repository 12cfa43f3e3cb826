import gc
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from app import errors
from app.inference.memory_budget import MemoryBudget
from app.inference.model_process import ModelProcess
from app.jobs.outcomes import Interrupted, outcome_of
from devstack.layout import ROOT
from tests.support.model_children import asked, gone, obey, obey_confined
from tests.support.waiting import until


def pid_of(process):
    return int(process.run(asked("who"))["pid"][0])


@pytest.fixture(scope="module")
def process():
    return ModelProcess(obey)


def test_a_child_answers_by_arrays(process):
    numbers = np.array([[1.5, np.nan], [np.inf, -0.0]])

    answers = process.run(asked("echo", numbers))

    assert process.description == "obedient"
    assert process.memory > 0
    assert answers["pid"] != os.getpid()
    np.testing.assert_array_equal(answers["number"], numbers)
    assert answers["number"].dtype == np.float64


def test_arrays_without_rows_and_large_ones_pass(process):
    for shape in ((0, 2), (0, 0), (200_000, 2)):
        numbers = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
        np.testing.assert_array_equal(process.run(asked("echo", numbers))["number"], numbers)


def test_each_of_many_threads_gets_its_own_answer(process):
    def ask(number):
        return process.run(asked("echo", np.full((number, 1), number)))["number"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(1, 200)))

    for number, each in enumerate(answers, 1):
        np.testing.assert_array_equal(each, np.full((number, 1), number))


@pytest.mark.parametrize(
    ("command", "error", "detail"),
    [
        ("take", errors.ModelOutOfMemory, "the model needs more than 300 MB of memory to answer"),
        ("fail", errors.WarrenError, "Something went wrong inside Warren"),
        ("refuse", errors.Corrupt, "it is no model"),
    ],
)
def test_an_error_reaches_its_asker_and_the_child_goes_on(process, command, error, detail):
    pid = pid_of(process)

    with pytest.raises(error, match=detail) as caught:
        process.run(asked(command))

    assert type(caught.value) is error
    assert process.alive
    assert pid_of(process) == pid


@pytest.mark.parametrize(
    ("command", "cause"), [("crash", "killed by SIGSEGV"), ("exit", "exit status 3")]
)
def test_a_child_that_dies_is_lost_at_once(command, cause):
    process = ModelProcess(obey)

    with pytest.raises(errors.ModelLost, match=cause):
        process.run(asked(command))

    assert not process.alive
    with pytest.raises(errors.ModelLost, match=cause):
        process.run(asked("who"))


@pytest.mark.parametrize("command", ["sleep", "hold"])
def test_a_run_that_takes_too_long_is_ended(command):
    process = ModelProcess(obey, run_seconds=1.0)
    pid = pid_of(process)

    with pytest.raises(errors.DeadlineExceeded, match="the model took longer than"):
        process.run(asked(command))

    assert not process.alive
    until(lambda: gone(pid), "the child ends")


def test_a_child_that_is_stopped_does_not_stop_its_asker():
    process = ModelProcess(obey, run_seconds=1.0)
    os.kill(pid_of(process), signal.SIGSTOP)

    with pytest.raises(errors.DeadlineExceeded):
        process.run(asked("echo", np.zeros((1_000_000, 2))))  # more than the pipe holds


def test_who_waits_for_a_turn_too_long_is_told_so():
    process = ModelProcess(obey, run_seconds=1.0)

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(process.run, asked("sleep")) for _ in range(4)]

    errors_found = {type(each.exception()) for each in found}
    assert errors.DeadlineExceeded in errors_found
    assert errors_found <= {errors.DeadlineExceeded, errors.Overloaded, errors.ModelLost}


def test_who_has_waited_for_a_turn_gets_all_the_time_of_a_run():
    process = ModelProcess(obey, run_seconds=1.0)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(process.run, asked("nap"))
        waited = pool.submit(process.run, asked("sleep"))

    assert waited.exception().detail == "the model took longer than 1 s"


@pytest.mark.parametrize(
    ("command", "error", "detail"),
    [
        ("take", errors.ModelOutOfMemory, "needs more than 300 MB of memory to be loaded"),
        ("refuse", errors.Corrupt, "it is no model"),
        ("crash", errors.ModelLost, "killed by SIGSEGV"),
        ("sleep", errors.DeadlineExceeded, "longer than 1 s"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(command, error, detail):
    with pytest.raises(error, match=detail):
        ModelProcess(obey, (command,), load_seconds=1.0 if command == "sleep" else 60.0)


@pytest.mark.parametrize(
    ("command", "counted"),
    [
        ("crash", ["model_lost"]),
        ("exit", ["model_lost"]),
        ("sleep", ["deadline_exceeded"]),
        ("take", []),  # the child goes on
        ("fail", []),
    ],
)
def test_what_ends_the_child_is_counted(command, counted):
    stops = []
    process = ModelProcess(obey, run_seconds=1.0, on_stop=stops.append)

    for each in (command, "who"):  # the second one finds the child gone, or answers
        with suppress(errors.WarrenError):
            process.run(asked(each))

    assert [each.type for each in stops] == counted


def test_a_child_that_another_killed_is_not_at_fault():
    stops = []
    process = ModelProcess(obey, on_stop=stops.append)
    os.kill(pid_of(process), signal.SIGKILL)

    with pytest.raises(errors.ModelLost, match="killed by SIGKILL"):
        process.run(asked("who"))

    assert stops == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_kernel_kills_a_child_before_its_parent(process):
    def score(pid):
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())

    assert score(pid_of(process)) == 1000
    assert score(os.getpid()) < 1000


def test_a_killed_child_costs_a_job_no_failure():
    process = ModelProcess(obey)
    os.kill(pid_of(process), signal.SIGKILL)

    with pytest.raises(errors.ModelLost) as killed:
        process.run(asked("who"))

    assert isinstance(outcome_of(killed.value), Interrupted)
    assert killed.value.to_wire()["type"] == "model_lost"


def test_a_run_that_needs_little_memory_waits_for_nobody():
    budget = MemoryBudget(wait_seconds=0.0)
    budget.take(budget.most)
    process = ModelProcess(obey, run_memory=300_000_000, account=budget.account("m"))

    for command in ("who", "take 8 MB"):
        assert process.run(asked(command))["pid"][0] != os.getpid()


def test_a_run_that_needs_more_gets_it_in_its_turn():
    budget = MemoryBudget()
    account = budget.account("m")
    process = ModelProcess(obey, run_memory=300_000_000, account=account)
    pid = pid_of(process)

    assert process.run(asked("take 200 MB"))["pid"][0] == pid
    assert account.large_from == asked("take 200 MB")["text"].nbytes
    assert budget.taken == 0


def test_a_run_that_needs_more_than_others_leave_is_refused_and_the_child_goes_on():
    budget = MemoryBudget()
    process = ModelProcess(
        obey, run_seconds=3.0, run_memory=300_000_000, account=budget.account("m")
    )
    pid = pid_of(process)

    with budget.reserved(budget.most), pytest.raises(errors.Overloaded, match="need memory"):
        process.run(asked("take 200 MB"))

    assert process.run(asked("take 200 MB"))["pid"][0] == pid


def test_a_run_gets_no_more_than_all_models_may_take():
    budget = MemoryBudget()
    budget.most = 100_000_000
    process = ModelProcess(obey, run_memory=300_000_000, account=budget.account("m"))

    with pytest.raises(errors.ModelOutOfMemory, match="more than 100 MB"):
        process.run(asked("take 200 MB"))


@pytest.mark.parametrize("serve", [obey, obey_confined])
def test_a_child_that_keeps_memory_is_ended_after_its_answer(serve):
    process = ModelProcess(serve)
    pid = pid_of(process)

    assert process.run(asked("keep 100 MB"))["pid"][0] == pid

    assert not process.alive
    until(lambda: gone(pid), "the child ends")


def test_a_child_that_gives_memory_back_goes_on():
    process = ModelProcess(obey)
    pid = pid_of(process)

    for _ in range(3):
        process.run(asked("take 200 MB"))

    assert pid_of(process) == pid


def test_a_child_that_was_killed_is_noticed_before_it_is_asked():
    process = ModelProcess(obey)

    os.kill(pid_of(process), signal.SIGKILL)

    until(lambda: not process.alive, "the end is noticed")


def test_the_child_outlives_the_server_that_forked_it():
    process = ModelProcess(obey)
    pid = pid_of(process)
    server = psutil.Process(pid).parent()

    server.kill()
    until(lambda: gone(server.pid), "the fork server ends")

    assert process.alive
    assert pid_of(process) == pid
    assert ModelProcess(obey).alive  # from a new server


def test_the_child_ends_with_its_last_user():
    process = ModelProcess(obey)
    pid = pid_of(process)
    another = process

    del process
    assert pid_of(another) == pid
    del another
    gc.collect()

    until(lambda: gone(pid), "the child ends")


@pytest.fixture
def parent():
    """A parent process in a group of its own, with its child's number."""
    found = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("model_parent.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ask(found, "who")
    yield found, int(found.stdout.readline())
    found.stdin.close()
    found.kill()
    found.wait()
    found.stdout.close()


def ask(parent, line):
    parent.stdin.write(f"{line}\n")
    parent.stdin.flush()


@pytest.mark.parametrize("command", [None, "sleep"])
def test_the_child_ends_with_its_parent(parent, command):
    process, pid = parent
    if command:
        ask(process, command)

    process.kill()

    until(lambda: gone(pid), "the child ends")


def test_a_signal_to_the_process_group_leaves_the_child_to_its_parent(parent):
    process, pid = parent

    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid, number)
    os.killpg(process.pid, signal.SIGTERM)
    ask(process, "who")

    assert int(process.stdout.readline()) == pid
