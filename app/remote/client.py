"""Call remote models over HTTP, with limits of time, of concurrent calls and of bytes."""

import asyncio
import logging
import random
from contextlib import AsyncExitStack
from typing import Any, Self

from cachetools import LRUCache
from multidict import CIMultiDict

from app import errors
from app.concurrency import ConcurrencyLimiter, offload_if_large
from app.models.endpoint import EndpointSpec
from app.protocol.requests import PredictionInputs
from app.remote.http_transport import (
    IDEMPOTENT_KEEPALIVE_SECONDS,
    KEEPALIVE_SECONDS,
    open_session,
    post,
)
from app.remote.payloads import check_status, decode_response, encode_request
from app.remote.redaction import SecretRedactor
from app.remote.sagemaker import SageMakerSigner
from app.remote.target import Target, resolve_target
from app.settings import Settings

log = logging.getLogger(__name__)

TRIES = 3  # of a call to an idempotent endpoint
PAUSE_SECONDS = 0.1  # before the second try; twice as long before the third
MAX_KNOWN = 10_000  # models; a model that drops out of the cache during a call gets a new limit


class RemoteModelClient:
    """Call remote models; an async context manager that belongs to one event loop.

    At most `spec.limit` calls of a model run at a time, and as many again wait for a slot.
    """

    def __init__(self, settings: Settings, keepalive_seconds: float = KEEPALIVE_SECONDS) -> None:
        """Create the client without connecting.

        Idle connections of endpoints that are not idempotent are closed after `keepalive_seconds`.
        """
        self._settings = settings
        self._keepalive_seconds = keepalive_seconds
        self._targets: LRUCache[str, tuple[Target, ConcurrencyLimiter]] = LRUCache(MAX_KNOWN)
        self._redactor = SecretRedactor(settings)
        self._signer = SageMakerSigner()
        self._stack = AsyncExitStack()
        self._stopped = False

    async def __aenter__(self) -> Self:
        open_ = self._stack.enter_async_context
        self._session = await open_(open_session(self._keepalive_seconds))
        self._idempotent_session = await open_(open_session(IDEMPOTENT_KEEPALIVE_SECONDS))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    def stop(self) -> None:
        """Start no more calls: those that wait get `errors.ShuttingDown`, the others finish."""
        self._stopped = True
        for _, limiter in self._targets.values():
            limiter.close()

    async def predict(
        self,
        model_id: str,
        spec: EndpointSpec,
        inputs: PredictionInputs,
        seconds: float,
        *,
        size: int = 0,
        background: bool = False,
    ) -> dict[str, Any]:
        """Return `{"prediction", "pred_proba"?}`, as lists if the inputs are a list.

        `size` is the size of the inputs as JSON, in bytes. The call takes at most `seconds`, which
        include the wait for a slot unless `background`. Raises `errors.Invalid` if the model
        refuses the inputs, `EndpointUnavailable`, `EndpointFailed`, `DeadlineExceeded`,
        `Overloaded` if too many wait and not `background`, and `ShuttingDown` after `stop`.
        """
        target, limiter = self._resolved(model_id, spec)
        body = await offload_if_large(size, lambda: encode_request(spec, inputs))
        try:
            if background:
                async with limiter.slot(background=True), asyncio.timeout(seconds):
                    answer = await self._call_with_retries(spec, target, body, inputs.field)
            else:
                async with asyncio.timeout(seconds), limiter.slot():
                    answer = await self._call_with_retries(spec, target, body, inputs.field)
        except TimeoutError:
            raise errors.DeadlineExceeded(
                f"model {model_id} gave no answer within {seconds:.3g} s"
            ) from None
        return await offload_if_large(
            len(answer), lambda: decode_response(spec, inputs, answer, self._redactor)
        )

    async def _call_with_retries(
        self, spec: EndpointSpec, target: Target, body: bytes, field: str
    ) -> bytes:
        """Return the body of the response; call an idempotent endpoint up to `TRIES` times."""
        for number in range(1, TRIES):
            try:
                return await self._call(spec, target, body, field)
            except (errors.EndpointUnavailable, errors.EndpointLost) as error:
                if not spec.idempotent:
                    raise
                log.info("%s; trying again", error)
                jitter = random.uniform(0.5, 1.0)  # noqa: S311 # nosec B311 # no secret
                await asyncio.sleep(PAUSE_SECONDS * number * jitter)
        return await self._call(spec, target, body, field)

    async def _call(self, spec: EndpointSpec, target: Target, body: bytes, field: str) -> bytes:
        headers = target.headers
        if model := spec.sagemaker:
            signed = await self._signer.headers(target.url, model.region, target.keys, body)
            headers = CIMultiDict({**headers, **signed})
        session = self._idempotent_session if spec.idempotent else self._session
        response = await post(session, target.url, body, headers)
        check_status(response, self._redactor, field)
        return response.body

    def _resolved(self, model_id: str, spec: EndpointSpec) -> tuple[Target, ConcurrencyLimiter]:
        if known := self._targets.get(model_id):
            return known
        limiter = ConcurrencyLimiter(spec.limit)
        resolved = resolve_target(spec, self._settings), limiter
        if self._stopped:
            limiter.close()
        self._targets[model_id] = resolved
        return resolved
