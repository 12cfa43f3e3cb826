"""Remote models: asked over HTTP, within limits of time, of number and of bytes."""

import asyncio
import logging
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from cachetools import LRUCache
from multidict import CIMultiDict
from yarl import URL

from app import errors, strict_json
from app.concurrency import ConcurrencyLimiter, offload_if_large
from app.models.endpoint import EndpointSpec
from app.protocol.requests import PredictionInputs
from app.protocol.types import JSON_MEDIA_TYPE
from app.remote.http_transport import IDENTITY, HttpResponse, open_session, post
from app.remote.payloads import decode_response, encode_request
from app.remote.redaction import SecretRedactor
from app.remote.sagemaker import Keys, SageMakerSigner, invocation_url
from app.settings import Settings

log = logging.getLogger(__name__)

TRIES = 3  # of what is idempotent
PAUSE_SECONDS = 0.1  # before the second try; twice as long before the third
MAX_KNOWN = 10_000  # models; of one that is forgotten while it is asked the limit begins anew


@dataclass(frozen=True)
class _RemoteModel:
    """A model that has been checked: where it is, and what is sent along."""

    spec: EndpointSpec
    limiter: ConcurrencyLimiter
    url: URL
    headers: CIMultiDict[str]
    keys: Keys | None


class RemoteModelClient:
    """Asks remote models; an async context manager that belongs to one event loop.

    Of each model `spec.limit` calls are under way at a time, and as many wait.
    """

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        self._targets: LRUCache[str, _RemoteModel] = LRUCache(MAX_KNOWN)
        self._hidden = SecretRedactor(settings)
        self._signer = SageMakerSigner()
        self._stack = AsyncExitStack()
        self._shut = False

    async def __aenter__(self) -> Self:
        enter = self._stack.enter_async_context
        self._sessions = {
            each: await enter(open_session(idempotent=each)) for each in (False, True)
        }
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    def shut(self) -> None:
        """Begin nothing more: who waits for a turn gets `errors.ShuttingDown`, the others go on."""
        self._shut = True
        for each in self._targets.values():
            each.limiter.close()

    async def ask(
        self,
        model_id: str,
        spec: EndpointSpec,
        inputs: PredictionInputs,
        seconds: float,
        *,
        size: int = 0,
        patient: bool = False,
    ) -> dict[str, Any]:
        """Return `{"prediction", "pred_proba"?}`, lists where many were asked for.

        The inputs came as `size` bytes. It takes `seconds` at most, of which the wait for a turn is
        a part unless `patient`. Raises `errors.Invalid` for what the model refuses,
        `EndpointUnavailable`, `EndpointFailed`, `DeadlineExceeded`, `Overloaded`, and
        `ShuttingDown` once shut.
        """
        target = self._target(model_id, spec)
        body = await offload_if_large(size, lambda: encode_request(spec, inputs))
        try:
            if patient:
                async with target.limiter.slot(patient=True), asyncio.timeout(seconds):
                    answer = await self._tried(target, body)
            else:
                async with asyncio.timeout(seconds), target.limiter.slot():
                    answer = await self._tried(target, body)
        except TimeoutError:
            raise errors.DeadlineExceeded(
                f"model {model_id} gave no answer within {seconds:.3g} s"
            ) from None
        return await offload_if_large(
            len(answer), lambda: decode_response(spec, inputs, answer, self._hidden)
        )

    async def _tried(self, target: _RemoteModel, body: bytes) -> bytes:
        """Return the body of the answer; what is idempotent is tried again."""
        for number in range(1, TRIES):
            try:
                return await self._sent(target, body)
            except (errors.EndpointUnavailable, errors.EndpointLost) as error:
                if not target.spec.idempotent:
                    raise
                log.info("%s; asked again", error)
                await asyncio.sleep(PAUSE_SECONDS * number * random.uniform(0.5, 1.0))  # noqa: S311
        return await self._sent(target, body)

    async def _sent(self, target: _RemoteModel, body: bytes) -> bytes:
        headers = target.headers
        if model := target.spec.sagemaker:
            signed = await self._signer.headers(target.url, model.region, target.keys, body)
            headers = CIMultiDict({**headers, **signed})
        session = self._sessions[target.spec.idempotent]
        answered = await post(session, target.url, body, headers)
        self._check(answered)
        return answered.body

    def _check(self, answered: HttpResponse) -> None:
        """Raise what a status means, unless it is one of success."""
        if 200 <= answered.status < 300:
            return
        status, kind = answered.status, answered.headers.get("x-amzn-errortype", "")
        said = self._hidden.quoted(answered.body)
        detail = f"the model's endpoint answers {status}" + (f": {said}" if said else "")
        if status == 429 or kind.startswith("Throttling"):
            raise errors.EndpointUnavailable(detail)
        if status == 503:  # proxies say so, too, when what they forwarded to was lost
            raise errors.EndpointUnavailable(detail, may_have_begun=True)
        if kind:  # SageMaker speaks: what its container said is inside
            status = _original(answered.body)
        if status in (400, 422):
            raise errors.Invalid("input_data", f"{detail}")
        raise errors.EndpointFailed(detail)

    def _target(self, model_id: str, spec: EndpointSpec) -> _RemoteModel:
        """Check a model the first time it is asked. Raises `errors.Invalid`, `EndpointFailed`."""
        if known := self._targets.get(model_id):
            return known
        spec.check_host(self._settings.invoke_hosts)  # the row may be older than the list
        parts, url = urlsplit(spec.address), _url(spec.address)
        if (url.scheme, url.host, url.explicit_port) != (parts.scheme, parts.hostname, parts.port):
            raise errors.EndpointFailed("the model's address can be read in two ways")
        if spec.sagemaker:
            url = invocation_url(url, spec.sagemaker.endpoint_name)
        headers = CIMultiDict({"Content-Type": JSON_MEDIA_TYPE, **IDENTITY})
        if spec.secret:
            value = self._secret(spec.secret.name)
            headers[spec.secret.header] = f"{spec.secret.prefix}{value}"
        target = _RemoteModel(spec, ConcurrencyLimiter(spec.limit), url, headers, self._keys(spec))
        if self._shut:
            target.limiter.close()
        self._targets[model_id] = target
        return target

    def _secret(self, name: str) -> str:
        known = {each.lower(): value for each, value in self._settings.invoke_secrets.items()}
        value = _secret(known.get(name))
        variable = f"INVOKE_SECRETS__{name.upper()}"
        if not value:
            raise errors.EndpointFailed(f"{variable} is not set in the consumer's environment")
        if not (value.isascii() and value.isprintable()):
            raise errors.EndpointFailed(f"{variable} has characters that no header may have")
        return value

    def _keys(self, spec: EndpointSpec) -> Keys | None:
        if spec.sagemaker and spec.sagemaker.credentials:
            name = spec.sagemaker.credentials
            key_id, colon, key = self._secret(name).partition(":")
            if not (key_id and colon and key):
                raise errors.EndpointFailed(
                    f"INVOKE_SECRETS__{name.upper()} has to be KEY_ID:SECRET_KEY"
                )
            return key_id, key
        if self._settings.aws_access_key_id and self._settings.aws_secret_access_key:
            key = self._settings.aws_secret_access_key.get_secret_value()
            return self._settings.aws_access_key_id, key
        return None


def _secret(value: Any) -> str:
    return value.get_secret_value() if value else ""


def _url(address: str) -> URL:
    try:
        return URL(address)
    except ValueError:
        raise errors.EndpointFailed("the model's address is no URL") from None


def _original(body: bytes) -> int:
    """Return the status by which a container of SageMaker refused what it was asked."""
    try:
        said = strict_json.loads(body)
    except errors.Malformed:
        return 0
    status = said.get("OriginalStatusCode") if isinstance(said, dict) else None
    return status if isinstance(status, int) else 0
