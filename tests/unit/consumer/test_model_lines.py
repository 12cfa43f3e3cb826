"""The lines of isolated models: in turn, each model by itself, and few wait for a slow one."""

import threading

import pytest

from app import errors
from app.consumer.held_bytes import HeldBytes
from app.consumer.model_lines import (
    ALL_SLOW_MESSAGES,
    JOINED_MESSAGES,
    SLOW_MESSAGES,
    ModelLines,
    Piece,
)
from tests.support.waiting import until

SECONDS = 20


class Runs:
    """Answers each request by itself, when `gates` of its model lets it; keeps what was asked."""

    def __init__(self):
        self.asked = []
        self.gates = {}

    def __call__(self, key, requests):
        self.asked.append((key[0], requests))
        if gate := self.gates.get(key[0]):
            assert gate.wait(SECONDS)
        if "bug" in requests:
            raise KeyError("secret")
        return requests

    def hold(self, *names):
        for name in names:
            self.gates[name] = threading.Event()

    def release(self):
        for gate in self.gates.values():
            gate.set()


@pytest.fixture
def runs():
    made = Runs()
    yield made
    made.release()


@pytest.fixture
def held():
    return HeldBytes(1000)


def piece(*requests, messages=1, size=1):
    return Piece(list(requests), [object() for _ in range(messages)], size)


def put(lines, name, *args, **kwargs):
    made = piece(*args, **kwargs)
    lines.put((name, False), made)
    return made.replies


def begun(runs, name):
    until(lambda: runs.asked and runs.asked[-1][0] == name, f"{name} is asked")


def make_slow(lines, runs, name):
    """Have a model run until it counts as slow, which the refusal of a second piece tells."""
    runs.hold(name)
    first = put(lines, name, "first")
    begun(runs, name)
    shed = put(lines, name, "shed", messages=SLOW_MESSAGES + 1)
    assert isinstance(shed.exception(SECONDS), errors.Overloaded)
    return first


def test_each_piece_gets_the_replies_to_its_requests(runs, held):
    lines = ModelLines(runs, held)
    runs.hold("a")
    first = put(lines, "a", 1)
    begun(runs, "a")
    second, third = put(lines, "a", 2, 3), put(lines, "a", 4)

    runs.release()

    assert [each.result(SECONDS) for each in (first, second, third)] == [[1], [2, 3], [4]]
    assert runs.asked == [("a", [1]), ("a", [2, 3, 4])]  # what waited ran together
    assert held.held == 0


@pytest.mark.parametrize(
    "second", [{"messages": JOINED_MESSAGES}, {"size": 1_000_000}], ids=["messages", "bytes"]
)
def test_a_run_joins_no_more_than_its_bounds(runs, second):
    lines = ModelLines(runs, HeldBytes())
    runs.hold("a")
    put(lines, "a", 0)
    begun(runs, "a")
    put(lines, "a", 1)
    last = put(lines, "a", 2, **second)

    runs.release()

    assert last.result(SECONDS) == [2]
    assert [requests for _, requests in runs.asked] == [[0], [1], [2]]


def test_a_model_does_not_wait_for_another(runs, held):
    lines = ModelLines(runs, held)
    runs.hold("slow")
    slow = put(lines, "slow", 1)

    assert put(lines, "other", 2).result(SECONDS) == [2]
    assert not slow.done()


def test_a_bug_reaches_those_that_ran_together_and_nobody_else(runs, held):
    lines = ModelLines(runs, held)
    failed = put(lines, "a", "bug")
    assert isinstance(failed.exception(SECONDS), KeyError)
    assert put(lines, "a", 1).result(SECONDS) == [1]
    assert held.held == 0


def test_few_wait_for_a_slow_model(runs, held):
    lines = ModelLines(runs, held, slow_seconds=0.01)
    first = make_slow(lines, runs, "slow")
    waiting = [put(lines, "slow", n) for n in range(SLOW_MESSAGES)]

    with pytest.raises(errors.Overloaded, match="model slow takes long"):
        put(lines, "slow", "more")

    assert put(lines, "quick", 1).result(SECONDS) == [1]
    runs.release()
    assert first.result(SECONDS) == ["first"]
    assert [each.result(SECONDS) for each in waiting] == [[n] for n in range(SLOW_MESSAGES)]
    assert held.held == 0


def test_when_a_model_turns_slow_the_newest_of_those_that_wait_are_refused(runs, held):
    lines = ModelLines(runs, held, slow_seconds=0.01)
    runs.hold("slow")
    put(lines, "slow", 0)
    begun(runs, "slow")
    waiting = [put(lines, "slow", n) for n in range(SLOW_MESSAGES + 2)]

    for each in waiting[SLOW_MESSAGES:]:
        assert isinstance(each.exception(SECONDS), errors.Overloaded)

    assert not any(each.done() for each in waiting[:SLOW_MESSAGES])
    runs.release()
    assert [each.result(SECONDS) for each in waiting[:SLOW_MESSAGES]] == [
        [n] for n in range(SLOW_MESSAGES)
    ]


def test_a_model_that_is_quick_again_is_no_longer_slow(runs, held):
    lines = ModelLines(runs, held, slow_seconds=1.0)
    first = make_slow(lines, runs, "slow")
    runs.release()
    first.result(SECONDS)
    assert put(lines, "slow", 1).result(SECONDS) == [1]
    runs.hold("slow")
    put(lines, "slow", 2)
    until(lambda: runs.asked[-1] == ("slow", [2]), "it runs")

    many = put(lines, "slow", 3, messages=SLOW_MESSAGES + 1)

    runs.release()
    assert many.result(SECONDS) == [3]


def test_all_slow_models_together_hold_a_part_of_what_the_broker_delivers(runs, held):
    lines = ModelLines(runs, held, slow_seconds=0.01)
    names = [f"slow-{n}" for n in range(ALL_SLOW_MESSAGES // SLOW_MESSAGES + 1)]
    for name in names:
        make_slow(lines, runs, name)
    for name in names[:-1]:
        put(lines, name, 1, messages=SLOW_MESSAGES)

    with pytest.raises(errors.Overloaded):
        put(lines, names[-1], 1)


def test_a_slow_model_for_which_nothing_waits_is_refused_while_too_many_wait_for_all(runs, held):
    lines = ModelLines(runs, held, slow_seconds=0.01)
    first = make_slow(lines, runs, "again")
    runs.release()
    first.result(SECONDS)
    for n in range(ALL_SLOW_MESSAGES // SLOW_MESSAGES):
        make_slow(lines, runs, f"slow-{n}")
        put(lines, f"slow-{n}", 1, messages=SLOW_MESSAGES)

    with pytest.raises(errors.Overloaded, match="model again takes long"):
        put(lines, "again", 1)


def test_slow_models_leave_threads_to_the_others(runs, held):
    lines = ModelLines(runs, held, threads=1, slow_threads=1, slow_seconds=0.01)
    first = make_slow(lines, runs, "slow")
    runs.release()
    first.result(SECONDS)
    until(lambda: put(lines, "quick", 0).result(SECONDS), "the line has ended")
    runs.hold("slow")
    again = put(lines, "slow", "again")
    until(lambda: runs.asked[-1] == ("slow", ["again"]), "it runs")

    assert put(lines, "quick", 1).result(SECONDS) == [1]

    assert not again.done()


def put_in_a_thread(lines, name, request):
    """Return a list that will tell whether the reply was there when `put` returned."""
    done = []
    threading.Thread(target=lambda: done.append(put(lines, name, request).done())).start()
    return done


def run_once(lines, runs, name):
    """Have a model run of which nothing is known; `put` does not wait for it."""
    runs.hold(name)
    assert not put(lines, name, "first").done()
    runs.release()
    until(lambda: not lines, "the run has ended")
    runs.hold(name)


def test_a_caller_awaits_a_model_whose_last_run_was_brief(runs, held):
    lines = ModelLines(runs, held, brief_seconds=1000)
    run_once(lines, runs, "a")

    done = put_in_a_thread(lines, "a", 2)
    until(lambda: len(runs.asked) == 2, "the second run has begun")
    assert not done
    assert not put(lines, "a", 3).done()  # another one runs, so this does not wait
    runs.release()

    until(lambda: done == [True], "the reply is there")


def test_a_caller_does_not_await_a_model_whose_last_run_was_long(runs, held):
    times = iter([0.0, 2000.0, 2000.0, 2000.0])
    lines = ModelLines(runs, held, brief_seconds=1000, clock=times.__next__)
    run_once(lines, runs, "a")

    done = put_in_a_thread(lines, "a", 2)

    until(lambda: done == [False], "it does not wait")


def test_what_waits_is_bounded_by_bytes(runs, held):
    lines = ModelLines(runs, held)
    runs.hold("a", "b")
    first = put(lines, "a", 1, size=600)

    with pytest.raises(errors.Overloaded, match="600 bytes"):
        put(lines, "b", 2, size=600)

    runs.release()
    first.result(SECONDS)
    assert put(lines, "b", 2, size=600).result(SECONDS) == [2]
