from contextlib import closing

import pika
import pytest

from app.amqp.connection import connect, connection_parameters
from app.jobs.lost_consumers import GAP_SECONDS, SILENT_SECONDS, LostConsumers
from app.jobs.presence import announce, is_present
from app.protocol.types import JobStatus
from app.settings import Settings
from tests.support.rows import run, wait_for_the_clock

CONSUMER = "host:1:ab"


@pytest.fixture
def settings(broker, vhost):
    found = {name.lower(): value for name, value in broker.node.settings().items()}
    return Settings(_env_file=None, **{**found, "rabbitmq_vhost": vhost})


@pytest.fixture
def connections(settings):
    """Two, as a consumer and another relay have them."""
    made = [connect(connection_parameters(settings, "test")) for _ in range(2)]
    yield made
    for each in made:
        if each.is_open:
            each.close()


class Watch:
    """The watch of a relay, whose time goes on when it is told to."""

    def __init__(self, store, connection):
        self.time = 1000.0
        self.connection = connection
        self.lost = LostConsumers(store, lambda: self.time)

    def look(self, seconds=1.0):
        self.time += seconds
        return self.lost.requeue(self.connection)

    def looks(self):
        """Look for as long as a consumer may be silent."""
        return [self.look() for _ in range(round(SILENT_SECONDS))]


@pytest.fixture
def watch(store, connections):
    return Watch(store, connections[1])


@pytest.fixture
def attempt(store):
    return run(store, worker=f"{CONSUMER}:train-0")


def test_a_consumer_is_present_as_long_as_its_connection(connections):
    mine, other = connections
    assert not is_present(other, CONSUMER)

    assert announce(mine, CONSUMER)
    assert is_present(other, CONSUMER)
    assert is_present(mine, CONSUMER)
    assert not is_present(other, f"{CONSUMER}c")

    mine.close()
    assert not is_present(other, CONSUMER)


def test_a_consumer_whose_earlier_connection_is_held_for_alive_is_present(connections, caplog):
    earlier, mine = connections
    assert announce(earlier, CONSUMER)

    assert not announce(mine, CONSUMER)

    assert is_present(mine, CONSUMER)
    assert "could not be announced" in caplog.text
    earlier.close()
    assert announce(mine, CONSUMER)


def test_a_consumer_that_is_silent_and_absent_loses_its_jobs(store, watch, attempt):
    assert watch.looks() == [0, 0, 0]
    assert watch.look() == 1

    job = store.get("m")
    assert (job.state, job.losses, job.failures) == (JobStatus.QUEUED, 1, 0)
    assert watch.look() == 0


def test_a_consumer_without_the_database_keeps_its_jobs(store, watch, attempt, connections):
    assert announce(connections[0], CONSUMER)

    assert watch.looks() + watch.looks() == [0] * 6

    assert store.get("m").state is JobStatus.RUNNING
    connections[0].close()  # now it is dead
    assert watch.look() == 1


def test_a_consumer_without_the_broker_keeps_its_jobs(store, watch, attempt):
    for _ in range(6):
        assert watch.look() == 0
        wait_for_the_clock(store)
        assert store.renew({("m", attempt): None})

    assert store.get("m").state is JobStatus.RUNNING


def test_a_consumer_that_renews_one_of_its_leases_keeps_all_its_jobs(store, watch, attempt):
    other = run(store, "other", worker=f"{CONSUMER}:answer")
    for _ in range(6):
        assert watch.look() == 0
        wait_for_the_clock(store)
        assert store.renew({("other", other): None})

    assert store.get("m").state is JobStatus.RUNNING


def test_a_relay_that_stood_still_begins_to_watch_anew(watch, attempt):
    watch.looks()

    assert watch.look(GAP_SECONDS + 1) == 0
    assert watch.looks() == [0, 0, 1]


def test_a_relay_that_is_told_to_forget_begins_to_watch_anew(watch, attempt):
    watch.looks()
    watch.lost.forget()

    assert [*watch.looks(), watch.look()] == [0, 0, 0, 1]


def test_a_relay_without_the_broker_takes_nobody_for_dead(store, watch, attempt):
    watch.looks()
    with closing(watch.connection):
        pass

    with pytest.raises(pika.exceptions.AMQPError):
        watch.look()

    assert store.get("m").state is JobStatus.RUNNING
