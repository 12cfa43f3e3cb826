"""Faults of the broker, S3 and the database themselves."""

import shutil
from functools import partial
from random import Random
from time import monotonic, sleep
from urllib.parse import quote

import httpx2
import psycopg

from tests.chaos.processes import Detail
from tests.chaos.world import World
from tests.support.waiting import until

TRAIN, PREDICT = "queue.model.train", "queue.model.predict"
PREDICT_ASYNC, INVOKE = "queue.model.predict.async", "queue.model.invoke"
BATCH, BATCH_PART = "queue.model.batch", "queue.model.batch.part"
RETRY_QUEUES = [f"queue.model.retry.{number}" for number in (1, 2, 3)]
# What RabbitMQ starts with.
MEMORY, DISK = "0.4", "50MB"

YOUNG_SECONDS, SETTLE_SECONDS = 30.0, 2.0
ELECTION_SECONDS = 10.0


def broker_restarted(world: World, chance: Random, seconds: float) -> None:
    world.broker.stop()
    _start_broker(world)


def broker_killed(world: World, chance: Random, seconds: float) -> None:
    _settle(world)
    world.broker.kill()
    _start_broker(world)


def broker_wiped(world: World, chance: Random, seconds: float) -> None:
    """Lose the node with all its data: it starts with nothing but its definitions."""
    world.broker.kill()
    shutil.rmtree(world.broker.node.folder / "data")
    _start_broker(world)
    world.declared = monotonic()


def _start_broker(world: World) -> None:
    world.broker.start()
    world.started = monotonic()


def broker_closes_all_connections(world: World, chance: Random, seconds: float) -> Detail:
    open_ones = world.broker.api("GET", "connections")
    for each in open_ones:
        try:
            world.broker.api("DELETE", f"connections/{quote(each['name'], safe='')}")
        except httpx2.HTTPStatusError:
            continue  # it has gone meanwhile
    return {"connections": len(open_ones)}


def broker_out_of_memory(world: World, chance: Random, seconds: float) -> None:
    """Raise the memory alarm: publishers are blocked."""
    try:
        world.broker.ctl("set_vm_memory_high_watermark", "0.00001")
        sleep(seconds)
    finally:
        world.broker.ctl("set_vm_memory_high_watermark", MEMORY)


def broker_out_of_disk(world: World, chance: Random, seconds: float) -> None:
    """Raise the disk alarm: publishers are blocked."""
    try:
        world.broker.ctl("set_disk_free_limit", "999GB")
        sleep(seconds)
    finally:
        world.broker.ctl("set_disk_free_limit", DISK)


def train_queue_deleted(world: World, chance: Random, seconds: float) -> Detail:
    return _queue_of_jobs_deleted(world, TRAIN)


def predict_async_queue_deleted(world: World, chance: Random, seconds: float) -> Detail:
    return _queue_of_jobs_deleted(world, PREDICT_ASYNC)


def batch_queue_deleted(world: World, chance: Random, seconds: float) -> Detail:
    return _queue_of_jobs_deleted(world, chance.choice([BATCH, BATCH_PART]))


def _queue_of_jobs_deleted(world: World, queue: str) -> Detail:
    """Delete a quorum queue, but not while a broker that has just started elects its leaders.

    RabbitMQ 3.10 may end Ra's servers of other queues then, which never find a leader again. The
    run does not test that.
    """
    sleep(max(0.0, world.started + SETTLE_SECONDS - monotonic()))
    world.declared = monotonic()  # soon, by a consumer or the relay
    return {"deleted": _deleted(world, f"queues/%2F/{queue}")}


def predict_queue_deleted(world: World, chance: Random, seconds: float) -> Detail:
    return {
        "deleted": [queue for queue in (PREDICT, INVOKE) if _deleted(world, f"queues/%2F/{queue}")]
    }


def all_queues_purged(world: World, chance: Random, seconds: float) -> Detail:
    return {
        "purged": [
            queue
            for queue in (TRAIN, PREDICT_ASYNC, BATCH, BATCH_PART, *RETRY_QUEUES)
            if _purged(world, queue)
        ]
    }


def _purged(world: World, queue: str) -> bool:
    """Purge a queue; False when it was not there.

    It has no leader, which is a 400, for a moment after it was declared or the broker started.
    """
    deadline = monotonic() + ELECTION_SECONDS
    while True:
        try:
            return _deleted(world, f"queues/%2F/{queue}/contents")
        except httpx2.HTTPStatusError as error:
            if error.response.status_code != 400 or monotonic() > deadline:
                raise
        sleep(0.1)


def _settle(world: World) -> None:
    """Do not kill a broker that has declared a quorum queue a moment ago.

    RabbitMQ 3.10 may lose the queue's entry in Ra's directory then, which is written about a second
    later; after the start the queue exists and never finds a leader. The run does not test that.
    """
    if monotonic() - world.declared < YOUNG_SECONDS:
        for queue in (TRAIN, PREDICT_ASYNC, BATCH, BATCH_PART):
            until(partial(_exists, world, queue), f"{queue} is declared again", YOUNG_SECONDS)
        sleep(SETTLE_SECONDS)


def _exists(world: World, queue: str) -> bool:
    return any(each["name"] == queue for each in world.broker.api("GET", "queues/%2F"))


def _deleted(world: World, path: str) -> bool:
    """Delete something; False when it was not there, for a fault before may have taken it."""
    try:
        world.broker.api("DELETE", path)
    except httpx2.HTTPStatusError as error:
        if error.response.status_code != 404:
            raise
        return False
    return True


def s3_restarted(world: World, chance: Random, seconds: float) -> None:
    world.s3_server.stop()
    sleep(seconds / 2)
    world.s3_server.start()


def database_restarted(world: World, chance: Random, seconds: float) -> None:
    world.postgres.stop()
    world.postgres.start()


def database_crashed(world: World, chance: Random, seconds: float) -> None:
    """End the database without a checkpoint: it recovers from its log."""
    world.postgres.stop(crash=True)
    world.postgres.start()


def database_connections_ended(world: World, chance: Random, seconds: float) -> None:
    """Have the server end every session but ours, as an operator or a failover does."""
    with world.database.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def job_table_locked(world: World, chance: Random, seconds: float) -> None:
    """Hold the lock of a careless migration."""
    with (
        world.database.connect() as connection,
        connection.transaction(),
    ):
        try:
            connection.execute("SET LOCAL lock_timeout = '3s'")
            connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            sleep(seconds)
        except psycopg.errors.LockNotAvailable:
            raise psycopg.Rollback from None
