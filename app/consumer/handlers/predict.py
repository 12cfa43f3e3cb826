"""The handler of `queue.model.predict`: predictions of models that run in this process."""

import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from app import errors
from app.amqp.message import IncomingMessage, Replyable, parse_or_reject
from app.amqp.topology import MAX_MESSAGE_BYTES, PREDICT_QUEUE
from app.consumer.handlers import Deferred
from app.consumer.ndjson_batch import split_requests
from app.consumer.request_log import LoggedRequest
from app.inference.predictor import Prediction, Predictor
from app.protocol.replies import Failed, Predicted
from app.protocol.requests import PredictionInputs, PredictRequest
from app.protocol.types import LATEST, JobStatus

log = logging.getLogger(__name__)

SMALL_BYTES = 64_000
IMAGE_BYTES = 64_000_000  # of decoded images in one model run; the others wait as base64

_Requests = list[tuple[Replyable, PredictRequest]]


@dataclass(frozen=True)
class PredictHandler:
    """Handles `queue.model.predict`; requests for the same model run together.

    `find` returns the future of a model, which may have to be loaded. `latest` returns the id of
    the model that was trained last on a data set, or on any. Both may raise `errors.WarrenError`.
    """

    queue: ClassVar[str] = PREDICT_QUEUE
    find: Callable[[str], Future[Predictor]]
    latest: Callable[[str | None], str]
    prefetch: int = 128
    image_bytes: int = IMAGE_BYTES
    reply_bytes: int = MAX_MESSAGE_BYTES

    def __call__(self, messages: list[IncomingMessage]) -> list[Deferred]:
        """Reply to each request; an invalid row fails only its own request.

        Requests for a model that is not loaded yet are deferred.
        """
        deferred: list[Deferred] = []
        for model_id, requests in self._by_model(messages).items():
            found = self.find(model_id)
            if found.done():
                self._predict(model_id, requests, found)
            elif requests[0][0].message.channel.crowded:
                detail = f"too many requests wait for model {model_id} to be loaded"
                _reply_error(requests, errors.Unavailable(detail))
            else:
                waiting = list(dict.fromkeys(part.message for part, _ in requests))
                resume = partial(self._resume, model_id, requests, found)
                deferred.append(Deferred(found, waiting, resume))
        return deferred

    def is_fast(self, message: IncomingMessage) -> bool:
        """Tell whether a prediction takes milliseconds and waits for no other service."""
        return not (
            len(message.body) > SMALL_BYTES
            or LATEST.encode() in message.body  # resolved by the database
            or b"\\u" in message.body  # an escape that may encode it
            or b'"image_data"' in message.body
            or message.replies_directly
            or message.encoding is not None
        )

    def _by_model(self, messages: list[IncomingMessage]) -> dict[str, _Requests]:
        groups: dict[str, _Requests] = defaultdict(list)
        for message in messages:
            if message.expired:
                continue
            for part in split_requests(message, self.reply_bytes):
                if request := parse_or_reject(part, PredictRequest):
                    if request.job_id:
                        what = f"predict model={request.model_id}"
                        part = LoggedRequest(part, request.job_id, what)
                    try:
                        groups[self._resolve(request)].append((part, request))
                    except errors.WarrenError as error:
                        part.reply(Failed.of(error, request.model_id))
        return groups

    def _resolve(self, request: PredictRequest) -> str:
        return self.latest(request.dataset_id) if request.model_id == LATEST else request.model_id

    def _resume(
        self,
        model_id: str,
        requests: _Requests,
        found: Future[Predictor],
        messages: list[IncomingMessage],
    ) -> None:
        """Predict for the requests whose senders still wait."""
        awaited = {message for message in messages if not message.expired}
        self._predict(model_id, [each for each in requests if each[0].message in awaited], found)
        for part, _ in requests:
            if isinstance(part, LoggedRequest):
                part.end(JobStatus.ERROR, "dropped")  # does nothing after a reply

    def _predict(self, model_id: str, requests: _Requests, found: Future[Predictor]) -> None:
        """Reply to the requests for one model, even if it could not be loaded."""
        try:
            self._run_in_chunks(requests, found.result())
        except errors.WarrenError as error:
            error.__traceback__ = None  # the cache keeps the error, but must not keep the requests
            _reply_error(requests, error)
        except Exception:  # a bug with one model must not fail the requests of others
            log.exception("predictions of %s failed; their requests are dead-lettered", model_id)
            for part, _ in requests:
                part.reply(Failed.of(errors.WarrenError(), model_id))
                part.reject()

    def _run_in_chunks(self, requests: _Requests, model: Predictor) -> None:
        """Validate each request and run the valid ones together, within `image_bytes`."""
        prepared: list[Any] = []
        waiting: list[tuple[Replyable, PredictRequest, int]] = []
        size = 0
        for part, request in requests:
            try:
                rows = model.prepare(request)
            except (errors.Invalid, errors.TooLarge) as error:
                part.reply(Failed.of(error, model.model_id))
                continue
            prepared += rows
            waiting.append((part, request, len(rows)))
            size += sum(each.nbytes for each in rows) if request.images else 0
            if size > self.image_bytes:
                _run(prepared, waiting, model)
                prepared, waiting, size = [], [], 0
        _run(prepared, waiting, model)


def _reply_error(requests: _Requests, error: errors.WarrenError) -> None:
    for part, request in requests:
        part.reply(Failed.of(error, request.model_id))


def _run(
    prepared: list[Any], waiting: list[tuple[Replyable, PredictRequest, int]], model: Predictor
) -> None:
    """Run the model and reply. If memory ends, run each request alone, so that others succeed."""
    try:
        predictions = iter(model.predict(prepared) if prepared else ())
    except errors.ModelOutOfMemory:
        if len(waiting) == 1:
            raise
        rows = iter(prepared)
        for each in waiting:
            try:
                _run(list(islice(rows, each[2])), [each], model)
            except errors.ModelOutOfMemory as error:
                each[0].reply(Failed.of(error, model.model_id))
        return
    for part, request, count in waiting:
        part.reply(prediction_reply(request, list(islice(predictions, count)), model.model_id))


def prediction_reply(
    inputs: PredictionInputs, predictions: list[Prediction | None], model_id: str
) -> Predicted | Failed:
    """Return the reply to one request: a single prediction, or lists for a list of inputs."""
    whole = [each for each in predictions if each is not None]
    if len(whole) < len(predictions):
        field = "input_data" if inputs.image_data is None else "image_data"
        if inputs.many:
            field = f"{field}.{predictions.index(None)}"
        return Failed.of(errors.Invalid(field, "has no finite answer"), model_id)
    fields = whole[0]
    if inputs.many:
        fields = {name: [each[name] for each in whole] for name in fields}
    return Predicted(model_id, **fields)
