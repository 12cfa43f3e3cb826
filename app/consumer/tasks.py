"""What is done with a message: one handler for each queue."""

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from app import errors, log
from app.broker import backoff
from app.consumer.delivery import Delivery
from app.consumer.trainer import Trainer
from app.jobs import JobStore
from app.messages import LATEST, PredictRequest, Reply, Row, Status, TrainRequest
from app.serving import Model
from app.storage import Storage

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Train:
    """The handler of `queue.model.train`.

    What S3 or the database refuses for now is tried again until it works or `stopping` is set.
    `worker` is the name that a job's row shows.
    """

    jobs: JobStore
    storage: Storage
    trainer: Trainer
    worker: str
    stopping: threading.Event

    def __call__(self, deliveries: list[Delivery]) -> None:
        """Claim each message's job, fit, store the model, publish it in the row, reply."""
        for delivery in deliveries:
            if request := delivery.decode(TrainRequest):
                job_id = request.model_id or _id_of(delivery)
                with log.job(job_id):
                    self._train(delivery, request, job_id)

    def _train(self, delivery: Delivery, request: TrainRequest, job_id: str) -> None:
        try:
            attempt = self._patiently(lambda: self._claim(delivery, request, job_id))
            if attempt is None:
                return
            logger.info("attempt %d: %s on %s", attempt, request.estimator, request.dataset_id)
            reply = self._attempt(delivery, request, job_id, attempt)
        except errors.Interrupted:
            logger.info("handed back")
            delivery.requeue()
            return
        if reply:
            logger.info("attempt %d: %s %s", attempt, reply.status, reply.fields)
            delivery.reply(reply)
        else:
            logger.warning("attempt %d came too late: another one has the job", attempt)

    def _claim(self, delivery: Delivery, request: TrainRequest, job_id: str) -> int | None:
        """Claim the job, writing its row first for a client that speaks AMQP only.

        A job that has ended is not run again: its end is told again.
        """
        attempt = self.jobs.claim(job_id, self.worker, delivery.redelivered)
        if attempt is not None:
            return attempt
        if self.jobs.accept(job_id, "train", request.dataset_id, request.model_dump()):
            return self.jobs.claim(job_id, self.worker, delivery.redelivered)
        if job := self.jobs.get(job_id):
            logger.info("not run again: %s in attempt %d", job.state, job.attempt)
            if job.state is Status.COMPLETED:
                delivery.reply(Reply(Status.COMPLETED, job_id, {"metrics": job.metrics}))
            elif job.error:
                delivery.reply(Reply(Status.ERROR, job_id, {"error": job.error}))
        return None

    def _attempt(
        self, delivery: Delivery, request: TrainRequest, job_id: str, attempt: int
    ) -> Reply | None:
        """Run one attempt and commit its end; return what to reply, None if it came too late."""

        def fetch(path: Path) -> None:
            self._patiently(lambda: self.storage.get_dataset(request.dataset_id, str(path)))

        def checked() -> None:
            delivery.reply(Reply(Status.RECEIVED, job_id))

        try:
            with TemporaryDirectory(prefix="warren-") as folder:
                manifest, onnx = self.trainer.fit(request, job_id, Path(folder), fetch, checked)
            key, sha256 = self._patiently(lambda: self.storage.put_model(attempt, manifest, onnx))
            metrics = manifest.metrics
            applied = self._patiently(
                lambda: self.jobs.complete(job_id, attempt, key, sha256, metrics)
            )
            return Reply(Status.COMPLETED, job_id, {"metrics": metrics}) if applied else None
        except errors.Interrupted:
            # Should the row stay TASK_RUNNING, a redelivery is claimed all the same.
            with suppress(errors.Unavailable):
                self.jobs.release(job_id, attempt)
            raise
        except errors.WarrenError as error:
            wire = error.to_wire()
            applied = self._patiently(lambda: self.jobs.fail(job_id, attempt, wire))
            return Reply.error(error, job_id) if applied else None
        except Exception:
            # A bug, or a full disk: the row must not say for ever that it runs.
            wire = errors.WarrenError().to_wire()
            self._patiently(lambda: self.jobs.fail(job_id, attempt, wire))
            raise

    def _patiently(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, asking again after `errors.Unavailable`."""
        for delay in backoff():
            try:
                return call()
            except errors.Unavailable as error:
                logger.warning("%s; again in %.1f s", error, delay)
                if self.stopping.wait(delay):
                    raise errors.Interrupted from error
        raise AssertionError


def _id_of(delivery: Delivery) -> str:
    """Name the job of a client that named none; a redelivery of its message gets the same name."""
    asked = f"{delivery.reply_to}\n{delivery.correlation_id}\n{delivery.body!r}"
    return uuid.uuid5(uuid.NAMESPACE_OID, asked).hex


@dataclass(frozen=True)
class Predict:
    """The handler of `queue.model.predict`.

    `find` returns a model by its id; `latest` the id of the one that finished last.
    """

    find: Callable[[str], Model]
    latest: Callable[[str | None], str]

    def __call__(self, deliveries: list[Delivery]) -> None:
        """Answer each message, those for one model in one run; a bad row spoils its own only."""
        groups: dict[str, list[tuple[Delivery, PredictRequest]]] = defaultdict(list)
        for delivery in deliveries:
            if request := delivery.decode(PredictRequest):
                try:
                    groups[self._name(request)].append((delivery, request))
                except errors.WarrenError as error:
                    delivery.reply(Reply.error(error, request.model_id))
        for model_id, asked in groups.items():
            try:
                _answer(asked, self.find(model_id))
            except errors.WarrenError as error:
                for delivery, _ in asked:
                    delivery.reply(Reply.error(error, model_id))
            except Exception:  # a bug with one model is none of the others' business
                logger.exception("predictions of %s go to the dead letters", model_id)
                for delivery, _ in asked:
                    delivery.reply(Reply.error(errors.WarrenError(), model_id))
                    delivery.reject()

    def _name(self, request: PredictRequest) -> str:
        return self.latest(request.dataset_id) if request.model_id == LATEST else request.model_id


def _answer(asked: list[tuple[Delivery, PredictRequest]], model: Model) -> None:
    """Check every message's rows, run the good ones together, reply to each."""
    rows: list[Row] = []
    waiting: list[tuple[Delivery, PredictRequest]] = []
    for delivery, request in asked:
        try:
            for row in request.rows:
                model.check(row)
        except errors.Invalid as error:
            delivery.reply(Reply.error(error, model.manifest.model_id))
        else:
            rows += request.rows
            waiting.append((delivery, request))
    answers = iter(model.predict(rows) if rows else ())
    model_id = model.manifest.model_id
    for delivery, request in waiting:
        mine = list(islice(answers, len(request.rows)))
        whole = [answer for answer in mine if answer is not None]
        if len(whole) < len(mine):
            infinite = errors.Invalid("input_data: has no finite answer", field="input_data")
            delivery.reply(Reply.error(infinite, model_id))
            continue
        fields = whole[0]
        if isinstance(request.input_data, list):
            fields = {name: [answer[name] for answer in whole] for name in fields}
        delivery.reply(Reply(Status.COMPLETED, model_id, fields))
