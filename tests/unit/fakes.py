"""Small stand-ins for the parts that need a server."""

import json
from typing import Any

from app import errors
from app.consumer.delivery import Delivery
from app.jobs import Job
from app.messages import Status
from tests.unit import frames


class FakeChannel:
    """A channel that writes down what is asked of it."""

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
    """A connection whose thread comes by when a test wants it to."""

    def __init__(self):
        self.callbacks = []

    def add_callback_threadsafe(self, callback):
        self.callbacks.append(callback)

    def come_by(self):
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()


class FakeSession:
    """A session that does at once what it is asked."""

    def __init__(self):
        self.channel = FakeChannel()
        self.alive = True

    def post(self, action):
        action()


def delivery(body: Any, session: Any = None, **changes: Any) -> Delivery:
    """A message that asks for a reply."""
    values = {
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
        "reply_to": "callback",
        "correlation_id": "c1",
        "redelivered": False,
        "tag": 1,
        "session": session or FakeSession(),
    }
    return Delivery(**{**values, **changes})


class Failing:
    """Raises what a test has put into `failures`, one at each call."""

    def __init__(self):
        self.failures = []

    def obey(self):
        if self.failures:
            raise self.failures.pop(0)


class FakeJobs(Failing):
    """The rows that matter to a consumer."""

    def __init__(self):
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}

    def accept(self, job_id, kind, dataset_id, request):
        self.obey()
        if job_id in self.rows:
            return False
        self.rows[job_id] = {"state": Status.QUEUED, "attempt": 0, "dataset_id": dataset_id}
        return True

    def claim(self, job_id, worker, redelivered):
        self.obey()
        row = self.rows.get(job_id)
        if row is None or row["state"] not in {Status.QUEUED, redelivered and Status.RUNNING}:
            return None
        row |= {"state": Status.RUNNING, "attempt": row["attempt"] + 1, "worker": worker}
        return row["attempt"]

    def complete(self, job_id, attempt, key, sha256, metrics):
        return self._end(
            job_id, attempt, state=Status.COMPLETED, result_key=key, metrics=metrics, sha256=sha256
        )

    def fail(self, job_id, attempt, error):
        return self._end(job_id, attempt, state=Status.ERROR, error=error)

    def release(self, job_id, attempt):
        return self._end(job_id, attempt, state=Status.QUEUED)

    def get(self, job_id):
        row = self.rows.get(job_id)
        if row is None:
            return None
        fields = dict.fromkeys(Job.__dataclass_fields__)
        return Job(**{**fields, **{key: row[key] for key in row if key in fields}})

    def _end(self, job_id, attempt, **values):
        self.obey()
        row = self.rows[job_id]
        if row["state"] is not Status.RUNNING or row["attempt"] != attempt:
            return False
        row |= values
        return True


class FakeStorage(Failing):
    """A bucket with one data set."""

    def __init__(self):
        super().__init__()
        self.models = []

    def get_dataset(self, dataset_id, path):
        self.obey()
        if dataset_id != "data":
            raise errors.NotFound(f"data set {dataset_id} does not exist")

    def put_model(self, attempt, manifest, onnx):
        self.obey()
        self.models.append((attempt, manifest, onnx))
        return f"models/{manifest.model_id}/{attempt}/", "sha256"


class FakeTrainer(Failing):
    """Learns nothing; `meanwhile` happens during the fit."""

    def __init__(self):
        super().__init__()
        self.requests = []
        self.meanwhile = lambda: None

    def fit(self, request, model_id, folder, fetch, on_checked):
        self.requests.append(request)
        assert folder.is_dir()
        on_checked()
        fetch(folder / "data.csv")
        self.meanwhile()
        self.obey()
        return frames.manifest(model_id=model_id), b"onnx"
