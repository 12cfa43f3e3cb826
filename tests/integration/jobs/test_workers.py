from dataclasses import replace

import pytest
import sqlalchemy as sa

from app.database.engine import connect, database_now
from app.database.tables import workers_table
from app.jobs import workers
from app.jobs.workers import KEEP_SECONDS, LOST_SECONDS, Unacknowledged, Worker
from tests.support.rows import wait_for_the_clock

WORKER = Worker(
    name="host:7:ab",
    host="host",
    pid=7,
    version="1",
    python="3",
    threads=2,
    jobs=0,
    memory=3**21,
    unacknowledged={"queue.a": 2, "queue.b": 0},
)


def silence(store, seconds):
    """Let the consumer be silent for some seconds."""
    with connect(store.engine) as connection:
        connection.execute(sa.update(workers_table).values(seen_at=database_now(-seconds)))


def test_a_consumer_is_known_by_what_it_said_last(store):
    workers.report(store.engine, WORKER)
    (first,) = workers.known_workers(store.engine)
    wait_for_the_clock(store)
    workers.report(store.engine, replace(WORKER, jobs=2))

    (found,) = workers.known_workers(store.engine)
    assert (found.jobs, found.memory, found.state) == (2, 3**21, "alive")
    assert found.unacknowledged == WORKER.unacknowledged
    assert found.started_at == first.started_at
    assert 0 <= found.seconds_ago < LOST_SECONDS


def test_a_consumer_that_ends_leaves_nothing_behind(store):
    workers.report(store.engine, WORKER)
    workers.report(store.engine, replace(WORKER, name="other"))
    workers.leave(store.engine, "other")

    assert [each.name for each in workers.known_workers(store.engine)] == [WORKER.name]


@pytest.mark.parametrize(
    ("seconds", "states"), [(LOST_SECONDS + 60, ["lost"]), (KEEP_SECONDS + 60, [])]
)
def test_a_silent_consumer_is_lost_and_later_forgotten(store, seconds, states):
    workers.report(store.engine, WORKER)
    silence(store, seconds)

    assert workers.forget_lost(store.engine) == 1 - len(states)
    assert [each.state for each in workers.known_workers(store.engine)] == states


def test_a_consumer_that_was_forgotten_comes_back(store):
    workers.report(store.engine, WORKER)
    silence(store, KEEP_SECONDS + 60)
    workers.forget_lost(store.engine)
    workers.report(store.engine, WORKER)

    assert [each.state for each in workers.known_workers(store.engine)] == ["alive"]


def test_what_consumers_hold_is_added_up_of_those_that_are_alive(store):
    workers.report(store.engine, replace(WORKER, name="lost"))
    silence(store, LOST_SECONDS + 60)
    workers.report(store.engine, WORKER)
    workers.report(store.engine, replace(WORKER, name="other", unacknowledged={"queue.a": 3}))
    workers.report(store.engine, replace(WORKER, name="older", unacknowledged=None))

    known = workers.known_workers(store.engine)
    found = workers.unacknowledged(known)

    assert found.queues == {"queue.a": 5, "queue.b": 0}
    told = [each.seconds_ago for each in known if each.name in (WORKER.name, "other")]
    assert found.seconds_ago == max(told)
    assert found.untold == 1


def test_without_a_consumer_nothing_is_held(store):
    assert workers.unacknowledged(workers.known_workers(store.engine)) == Unacknowledged(
        {}, None, 0
    )
