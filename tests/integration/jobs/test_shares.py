import pytest

from app.jobs import outbox, shares
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus
from tests.support.rows import accept, put, wait_for_the_clock

LONG_AGO = -shares.WAIT_SECONDS - 1


def state_of(store, running="", waiting=""):
    """Have trainings that run and that wait; each is a letter, its caller's, or - for no caller."""
    for number, letter in enumerate(running + waiting):
        caller = None if letter == "-" else letter
        accept(store, f"{letter}{number}", caller=caller)
        if number < len(running):
            store.claim(f"{letter}{number}", f"host:{number}:ab:train-0")
            wait_for_the_clock(store)
        else:
            put(store, f"{letter}{number}", published_at=LONG_AGO)


@pytest.mark.parametrize(
    ("running", "waiting", "gives_way"),
    [
        ("", "ab", False),
        ("a", "aa", False),  # nobody else waits
        ("a", "ab", True),
        ("a", "a-", True),
        ("ab", "ab", False),  # the other has as many
        ("aab", "ab", True),
        ("aabb", "abc", True),
        ("aaabbc", "abc", True),  # c has less, though b has not
        ("abc", "a", False),
        ("-", "-a", True),
        ("--a", "-a", True),
        ("a-", "-a", False),
    ],
)
def test_a_training_gives_way_to_callers_that_run_less(store, running, waiting, gives_way):
    state_of(store, running, waiting)
    job = store.get(f"{waiting[0]}{len(running)}")

    assert shares.must_give_way(store, job) == gives_way


@pytest.mark.parametrize("row", [{"run_after": 60}, {"kind": JobKind.PREDICT}])
def test_nobody_gives_way_to_what_could_not_run_now(store, row):
    state_of(store, "a", "ab")
    put(store, "b2", **row)

    assert not shares.must_give_way(store, store.get("a1"))


@pytest.mark.parametrize("most", [1, 2])
def test_a_caller_runs_no_more_than_it_may(database_url, most):
    store = JobStore(database_url, max_running=most)
    state_of(store, "a", "ab")
    put(store, "b2", state=JobStatus.CANCELLED)

    assert shares.must_give_way(store, store.get("a1")) == (most == 1)
    store.close()


def test_what_gave_way_is_published_again_after_a_while(store):
    state_of(store, "a", "ab")

    assert store.give_way("a1", 100.0)

    (entry,) = outbox.take_unpublished(store)
    assert entry.job_id == "a1"
    assert 90 < entry.delay <= 100
    assert store.get("a1").failures == store.get("a1").losses == 0


@pytest.mark.parametrize(
    ("running", "waiting", "released"),
    [
        ("aa", "b", "a1"),  # the youngest
        ("aba", "c", "a2"),
        ("--", "b", "-1"),
        ("aa", "-", "a1"),
        ("a", "b", None),  # its only one
        ("ab", "c", None),
        ("aa", "a", None),
        ("aab", "b", None),  # the other has one
    ],
)
def test_a_caller_that_runs_none_gets_a_slot_of_who_runs_most(store, running, waiting, released):
    state_of(store, running, waiting)

    assert shares.give_one_back(store) == released

    queued = {job.id for job in store.newest(10, JobStatus.QUEUED)}
    assert queued == {f"{waiting}{len(running)}", *filter(None, [released])}
    if released:
        job = store.get(released)
        assert (job.failures, job.losses, job.published_at) == (0, 0, None)
        assert shares.give_one_back(store) is None


def test_one_slot_is_given_back_for_one_that_waits(store):
    state_of(store, "aaaa", "b")

    assert [shares.give_one_back(store) for _ in range(3)] == ["a3", None, None]


@pytest.mark.parametrize("row", [{"published_at": 0}, {"published_at": None}, {"run_after": -1}])
def test_no_slot_is_given_back_before_the_other_has_waited(store, row):
    state_of(store, "aa", "b")
    put(store, "b2", **row)

    assert shares.give_one_back(store) is None
