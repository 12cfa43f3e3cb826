"""The handler of `queue.model.predict`: predictions of models that Warren runs."""

import re
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ClassVar

from app import errors
from app.amqp.message import IncomingMessage
from app.amqp.topology import MAX_MESSAGE_BYTES, PREDICT_QUEUE
from app.auth.grants import Grants
from app.auth.names import is_latest
from app.consumer.handlers import Deferred
from app.consumer.handlers.asked import (
    NO_RUNTIME,
    Asked,
    drop,
    memory_of,
    messages_of,
    reply_error,
)
from app.consumer.handlers.isolated_predictions import FindModel, IsolatedPredictions
from app.consumer.handlers.joint_runs import answer_together
from app.consumer.held_bytes import HeldBytes
from app.consumer.message_owner import asked_model, owner_of_message
from app.consumer.model_lines import Key
from app.consumer.ndjson_batch import split_requests
from app.consumer.read_prediction import read_or_reject
from app.consumer.request_log import LoggedRequest
from app.consumer.versioned_request import VersionedRequest
from app.inference.predictor import Predictor
from app.models.exact import Exact
from app.models.references import ModelReferences
from app.observability.metrics import catalogue
from app.protocol.requests import PredictRequest
from app.protocol.types import LATEST

SMALL_BYTES = 64_000
_GENERATED = re.compile(rb'"model_id"\s*:\s*"[0-9a-f]{32}"')
_MODEL = re.compile(rb'"model_id"\s*:\s*"([^"]*)"')
RUN_BYTES = 64_000_000  # of decoded images and of answers in one run


class PredictHandler:
    """Handles `queue.model.predict`; requests for the same model run together.

    Requests for a model that runs isolated wait in a line, and so does a message that was delivered
    before: its handling may have ended the consumer, so it is answered by an isolated process.
    """

    queue: ClassVar[str] = PREDICT_QUEUE

    def __init__(
        self,
        find: FindModel,
        latest: Callable[[str, str | None], str],
        prefetch: int = 128,
        *,
        run_bytes: int = RUN_BYTES,
        reply_bytes: int = MAX_MESSAGE_BYTES,
        held: HeldBytes | None = None,
        grants: Grants | None = None,
        references: ModelReferences | None = None,
    ) -> None:
        """Create the handler without any request.

        `find` returns the future of a model, which may have to be loaded; if its second argument
        is true, the model runs isolated. `latest` returns the id of the model that an
        alias stands for, on a data set or on any. Both may raise `errors.WarrenError`. `held`
        counts the requests that wait. `grants` tell which models of others a client may ask, and
        `references` what names of models mean; without them there are none.
        """
        self.prefetch = prefetch
        self._find = find
        self._latest = latest
        self._grants = grants
        self._references = references
        self._run_bytes = run_bytes
        self._reply_bytes = reply_bytes
        self._held = held or HeldBytes()
        self._isolated = IsolatedPredictions(find, self._held, run_bytes)

    def __call__(self, messages: list[IncomingMessage]) -> list[Deferred]:
        """Reply to each request; an invalid row fails only its own request.

        Requests for a model that is not loaded yet or that runs isolated are deferred.
        """
        if not any(each.redelivered for each in messages):
            return self._answer(messages, isolated=False)
        again = [each for each in messages if each.redelivered]
        fresh = [each for each in messages if not each.redelivered]
        return self._answer(again, isolated=True) + self._answer(fresh, isolated=False)

    def is_fast(self, message: IncomingMessage) -> bool:
        """Tell whether a prediction takes milliseconds and waits for no other service."""
        return not (
            len(message.body) > SMALL_BYTES
            or LATEST.encode() in message.body  # resolved by the database
            or b"\\u" in message.body  # an escape that may encode it
            or b'"image_data"' in message.body
            or message.replies_directly
            or message.encoding is not None
            or not self._is_resolved(message.body)
            or message.infer is not None  # its headers name the model
        )

    def _answer(self, messages: list[IncomingMessage], *, isolated: bool) -> list[Deferred]:
        deferred: list[Deferred] = []
        for model_id, requests in self._by_model(messages).items():
            key = (model_id, isolated)
            deferred += self._handle(key, requests, self._find(*key))
        return deferred

    def _by_model(self, messages: list[IncomingMessage]) -> dict[str, list[Asked]]:
        groups: dict[str, list[Asked]] = defaultdict(list)
        for message in messages:
            if message.expired:
                catalogue.PREDICTIONS.add(NO_RUNTIME, "dropped")
                continue
            for part in split_requests(message, self._reply_bytes):
                if request := read_or_reject(part):
                    named = None
                    if self._references and not self._references.is_id(request.model_id):
                        part = named = VersionedRequest(part)
                    if request.job_id:
                        what = f"predict model={request.model_id}"
                        part = LoggedRequest(part, request.job_id, what)
                    try:
                        exact = self._resolve(message, request)
                        if named:
                            named.model = exact.label(owner_of_message(message))
                        groups[exact.model_id].append((part, request))
                    except errors.WarrenError as error:
                        reply_error([(part, request)], error)
                else:
                    catalogue.PREDICTIONS.add(NO_RUNTIME, "rejected")
        return groups

    def _resolve(self, message: IncomingMessage, request: PredictRequest) -> Exact:
        """Return the model that a request means. Raises the errors of a reference."""
        model_id, dataset_id = asked_model(message, request, self._grants)
        if is_latest(model_id):
            return Exact(self._latest(model_id, dataset_id))
        if self._references is None:
            return Exact(model_id)
        return self._references.resolve(model_id, request.split_key)

    def _is_resolved(self, body: bytes) -> bool:
        """Tell whether the database need not be asked what the first model of a body means."""
        if self._references is None or _GENERATED.search(body):
            return True
        found = _MODEL.search(body)
        return found is not None and self._references.is_known(found[1].decode(errors="replace"))

    def _handle(self, key: Key, requests: list[Asked], found: Future[Predictor]) -> list[Deferred]:
        """Reply to the requests for one model, or return what waits for it."""
        if not found.done():
            return self._wait(key, requests, found)
        try:
            model = found.result()
            if model.isolated:
                return self._isolated.defer(key, requests, found)
            answer_together(
                requests,
                model,
                found.result,
                self._run_bytes,
                lambda place, reply: requests[place][0].reply(reply),
            )
        except Exception as error:  # noqa: BLE001  a bug with one model must not fail others
            reply_error(requests, error)
        return []

    def _wait(self, key: Key, requests: list[Asked], found: Future[Predictor]) -> list[Deferred]:
        """Have requests wait until their model is loaded, or refuse them."""
        size = memory_of(requests)
        try:
            if requests[0][0].message.channel.crowded:
                detail = f"too many requests wait for model {key[0]} to be loaded"
                raise errors.Unavailable(detail)
            self._held.take(size)
        except errors.Unavailable as error:
            reply_error(requests, error)
            return []
        found.add_done_callback(lambda _: self._held.give(size))
        resume = partial(self._resume, key, requests, found)
        return [Deferred(found, messages_of(requests), resume)]

    def _resume(
        self,
        key: Key,
        requests: list[Asked],
        found: Future[Predictor],
        messages: list[IncomingMessage],
    ) -> list[Deferred]:
        """Go on with the requests whose senders still wait."""
        awaited = {message for message in messages if not message.expired}
        still = []
        for asked in requests:
            if asked[0].message in awaited:
                still.append(asked)
            else:
                drop(asked[0])
        return self._handle(key, still, found) if still else []
