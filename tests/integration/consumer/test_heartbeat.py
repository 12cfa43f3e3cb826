from dataclasses import replace

from app.consumer.heartbeat import Heartbeat
from app.database.engine import create_engine
from app.jobs import workers
from tests.integration.jobs.test_workers import WORKER
from tests.support.waiting import until


def test_a_consumer_is_heard_of_until_it_ends(store):
    said = [WORKER]
    heartbeat = Heartbeat(store.engine, lambda: said[0], seconds=0.01)
    assert not heartbeat.connected
    heartbeat.start()
    try:
        until(lambda: workers.known_workers(store.engine), "it is heard of")
        said[0] = replace(WORKER, jobs=3)
        until(lambda: workers.known_workers(store.engine)[0].jobs == 3, "it says something new")
        assert heartbeat.connected  # also while it writes
    finally:
        heartbeat.stop()
        heartbeat.join(60)
    assert workers.known_workers(store.engine) == []


def test_without_the_table_the_thread_goes_on(tmp_path, caplog):
    engine = create_engine(f"sqlite:///{tmp_path}/empty.db")
    heartbeat = Heartbeat(engine, lambda: WORKER, seconds=0.01)
    heartbeat.start()
    until(lambda: "nobody hears of this consumer" in caplog.text, "it warns")

    assert heartbeat.is_alive()
    assert not heartbeat.connected
    heartbeat.stop()
    heartbeat.join(10)
    engine.dispose()
