"""Small stand-ins for the parts that need a server."""

import json
import threading
from collections import defaultdict
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from app import errors
from app.amqp.message import Disposition, IncomingMessage
from app.amqp.outgoing_message import OutgoingMessage
from app.database.tables import jobs_table, metadata
from app.jobs.store import JobStore
from app.models.record import StoredFile
from tests.support import frames


class FakeChannel:
    """A channel of pika that records its calls."""

    def __init__(self):
        self.is_open = True
        self.published = []
        self.settled = []

    def basic_publish(self, exchange, queue, body, properties):
        self.published.append((exchange, queue, body, properties))

    def basic_ack(self, tag, multiple=False):
        self.settled.append(("ack", tag, multiple))

    def basic_nack(self, tag, requeue=True):
        self.settled.append(("requeue" if requeue else "reject", tag, False))

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body, _ in self.published]


class FakeConnection:
    """A connection of pika whose callbacks are called when a test says so."""

    def __init__(self):
        self.callbacks = []

    def add_callback_threadsafe(self, callback):
        self.callbacks.append(callback)

    def come_by(self):
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


class FakeSession:
    """A channel that settles and publishes at once, and records both."""

    def __init__(self, *, alive=True):
        self.alive = alive
        self.crowded = False
        self.published: list[OutgoingMessage] = []
        self.settled: list[tuple[int, Disposition]] = []

    def publish(self, message):
        self.published.append(message)

    def settle(self, messages):
        self.settled += [
            (each.delivery_tag, each.disposition)
            for each in messages
            if each.disposition is not None
        ]

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.published]


def delivery(body: Any, channel: Any = None, **changes: Any) -> IncomingMessage:
    """A message that asks for a reply, which its own channel publishes."""
    channel = channel or FakeSession()
    values = {
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
        "reply_to": "callback",
        "correlation_id": "c1",
        "message_id": None,
        "queue": "work",
        "redelivered": False,
        "delivery_tag": 1,
        "channel": channel,
        "replies": channel,
    }
    return IncomingMessage(**{**values, **changes})


class HandlerOf:
    """A handler of a queue that calls a function; no message is fast unless `is_fast` says so."""

    def __init__(self, handle, queue="queue", prefetch=1, is_fast=None):
        self.queue = queue
        self.prefetch = prefetch
        self.is_fast = is_fast or (lambda message: False)
        self._handle = handle

    def __call__(self, messages):
        return self._handle(messages)


def at_once(load):
    """What finds models for `PredictHandler`, of a function that returns them or raises."""

    def find(model_id, isolated=False):
        found = Future()
        try:
            found.set_result(load(model_id))
        except errors.WarrenError as error:
            found.set_exception(error)
        return found

    return find


class Failing:
    """Raises, at each call of a method, what a test has put into `before` under its name."""

    def __init__(self):
        self.before = defaultdict(list)

    def obey(self, method):
        if self.before[method]:
            raise self.before[method].pop(0)


class FaultyJobs(JobStore):
    """The real table on SQLite, away when a test wants it to be.

    `before` and `after` hold errors by method: after means that only the answer got lost.
    """

    def __init__(self, path, **options):
        super().__init__(f"sqlite:///{path}", **options)
        metadata.create_all(self.engine)
        self.before = defaultdict(list)
        self.after = defaultdict(list)

    def set(self, job_id, **values):
        """Change a row behind everybody's back."""
        with self.engine.connect() as connection:
            connection.execute(
                sa.update(jobs_table).where(jobs_table.c.id == job_id).values(**values)
            )


def _faulty(name):
    method = getattr(JobStore, name)

    def call(self, *positional, **named):
        if self.before[name]:
            raise self.before[name].pop(0)
        answer = method(self, *positional, **named)
        if self.after[name]:
            raise self.after[name].pop(0)
        return answer

    return call


_STEPS = ("create", "claim", "renew", "complete_training", "fail", "retry", "release", "get")
for _name in (*_STEPS, "trainings_of"):
    setattr(FaultyJobs, _name, _faulty(_name))


class FakeDatasets(Failing):
    """One data set."""

    def pin(self, dataset_id, version=None):
        self.obey("pin")
        if dataset_id != "data":
            raise errors.NotFound(None, f"data set {dataset_id} does not exist")
        return SimpleNamespace(dataset_id=dataset_id, version=version or "current")

    def get(self, dataset_id, version):
        return SimpleNamespace(dataset_id=dataset_id, version=version)

    def download(self, version, path, on_bytes):
        self.obey("download")
        on_bytes(1)


class FakeModels(Failing):
    """Models that were stored and deleted."""

    def __init__(self):
        super().__init__()
        self.stored = []
        self.deleted = []

    def put_trained(self, attempt, manifest, path):
        self.obey("put_trained")
        self.stored.append((attempt, manifest, path.read_bytes()))
        return StoredFile(f"models/{manifest.model_id}/{attempt}/", "sha256")

    def delete_attempt(self, model_id, attempt):
        self.obey("delete_attempt")
        self.deleted.append((model_id, attempt))


class FakeTrainer(Failing):
    """Learns nothing; `meanwhile` happens during the fit, and may call `on_beat`."""

    def __init__(self):
        super().__init__()
        self.requests = []
        self.limits = []
        self.meanwhile = lambda on_beat: None

    def fit(self, request, model_id, folder, limits, fetch, on_checked, on_beat):
        self.requests.append(request)
        self.limits.append(limits)
        assert folder.is_dir()
        on_checked()
        fetch(folder / "data.csv")
        self.meanwhile(on_beat)
        self.obey("fit")
        path = folder / "model.onnx"
        path.write_bytes(b"onnx")
        return frames.manifest(model_id=model_id), path


class Pauses(threading.Event):
    """An event that is not waited for: instead, something happens in each pause."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.meanwhile = lambda: None

    def wait(self, timeout=None):
        self.count += 1
        assert self.count < 1000, "there is no end to it"
        self.meanwhile()
        return self.is_set()
