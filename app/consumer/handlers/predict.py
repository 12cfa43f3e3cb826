"""What is done with a message of `queue.model.predict`."""

import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from time import monotonic
from typing import Any

from app import errors
from app.amqp.message import Deferred, IncomingMessage, Replyable, parse_or_reject
from app.consumer.ndjson_batch import split_requests
from app.consumer.request_log import LoggedRequest
from app.inference.predictor import Prediction, Predictor
from app.protocol.replies import Reply
from app.protocol.requests import PredictionInputs, PredictRequest
from app.protocol.types import LATEST, JobStatus

logger = logging.getLogger(__name__)

SMALL_BYTES = 64_000
IMAGE_BYTES = 64_000_000  # of images, decoded, that are answered together; more wait in base64

_Asked = tuple[Replyable, PredictRequest]


@dataclass(frozen=True)
class PredictHandler:
    """The handler of `queue.model.predict`.

    `find` returns what is or will be the model of an id; `latest` the id of the one that finished
    last.
    """

    find: Callable[[str], Future[Predictor]]
    latest: Callable[[str | None], str]

    def __call__(self, deliveries: list[IncomingMessage]) -> list[Deferred]:
        """Answer each message, those for one model in one run; a bad row spoils its own only.

        What needs a model that has yet to be loaded is left for later.
        """
        later: list[Deferred] = []
        for model_id, asked in self._by_model(_awaited(deliveries)).items():
            found = self.find(model_id)
            if found.done():
                _attempt(model_id, asked, found)
            elif asked[0][0].delivery.session.crowded:
                _refuse(asked, errors.Unavailable(f"many wait for model {model_id} to be loaded"))
            else:
                waiting = list(dict.fromkeys(part.delivery for part, _ in asked))
                later.append(Deferred(found, waiting, partial(_resume, model_id, asked, found)))
        return later

    def _by_model(self, deliveries: list[IncomingMessage]) -> dict[str, list[_Asked]]:
        groups: dict[str, list[_Asked]] = defaultdict(list)
        for part in chain.from_iterable(map(split_requests, deliveries)):
            if request := parse_or_reject(part, PredictRequest):
                if request.job_id:
                    part = LoggedRequest(part, request.job_id, f"predict model={request.model_id}")
                try:
                    groups[self._name(request)].append((part, request))
                except errors.WarrenError as error:
                    part.reply(Reply.error(error, request.model_id))
        return groups

    def _name(self, request: PredictRequest) -> str:
        return self.latest(request.dataset_id) if request.model_id == LATEST else request.model_id


def is_fast(delivery: IncomingMessage) -> bool:
    """Tell whether to answer a message takes milliseconds, and waits for nobody."""
    return not (
        len(delivery.body) > SMALL_BYTES
        or LATEST.encode() in delivery.body  # which the database tells
        or b"\\u" in delivery.body  # by which that may be written
        or b'"image_data"' in delivery.body
        or delivery.replies_directly
    )


def _awaited(deliveries: list[IncomingMessage]) -> list[IncomingMessage]:
    """Leave out what nobody waits for any more."""
    now = monotonic()
    return [each for each in deliveries if each.deadline is None or each.deadline > now]


def _resume(
    model_id: str, asked: list[_Asked], found: Future[Predictor], deliveries: list[IncomingMessage]
) -> None:
    awaited = set(_awaited(deliveries))
    _attempt(model_id, [each for each in asked if each[0].delivery in awaited], found)
    for part, _ in asked:
        if isinstance(part, LoggedRequest):
            part.end(JobStatus.ERROR, "dropped")  # unless it was answered


def _attempt(model_id: str, asked: list[_Asked], found: Future[Predictor]) -> None:
    """Answer what was asked of one model, be it that the model could not be loaded."""
    try:
        _answer(asked, found.result())
    except errors.WarrenError as error:
        error.__traceback__ = None  # the error may be kept for a while, not so what was asked
        _refuse(asked, error)
    except Exception:  # a bug with one model is none of the others' business
        logger.exception("predictions of %s go to the dead letters", model_id)
        for part, _ in asked:
            part.reply(Reply.error(errors.WarrenError(), model_id))
            part.reject()


def _refuse(asked: list[_Asked], error: errors.WarrenError) -> None:
    for part, request in asked:
        part.reply(Reply.error(error, request.model_id))


def _answer(asked: list[_Asked], model: Predictor) -> None:
    """Check what every request asks, run the good ones together, reply to each."""
    prepared: list[Any] = []
    waiting: list[tuple[Replyable, PredictRequest, int]] = []
    size = 0
    for part, request in asked:
        try:
            mine = model.prepare(request)
        except (errors.Invalid, errors.TooLarge) as error:
            part.reply(Reply.error(error, model.model_id))
            continue
        prepared += mine
        waiting.append((part, request, len(mine)))
        size += sum(each.nbytes for each in mine) if request.images else 0
        if size > IMAGE_BYTES:
            _run(prepared, waiting, model)
            prepared, waiting, size = [], [], 0
    _run(prepared, waiting, model)


def _run(
    prepared: list[Any], waiting: list[tuple[Replyable, PredictRequest, int]], model: Predictor
) -> None:
    answers = iter(model.predict(prepared) if prepared else ())
    for part, request, count in waiting:
        part.reply(prediction_reply(request, list(islice(answers, count)), model.model_id))


def prediction_reply(
    inputs: PredictionInputs, answers: list[Prediction | None], model_id: str
) -> Reply:
    """Return the reply that a model's answers make: one, or lists to a list."""
    whole = [answer for answer in answers if answer is not None]
    if len(whole) < len(answers):
        field = "input_data" if inputs.image_data is None else "image_data"
        infinite = errors.Invalid(field, "has no finite answer")
        return Reply.error(infinite, model_id)
    fields = whole[0]
    if inputs.many:
        fields = {name: [answer[name] for answer in whole] for name in fields}
    return Reply(JobStatus.COMPLETED, model_id, fields)
