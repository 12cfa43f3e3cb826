"""SageMaker's runtime: aiobotocore signs and packs the calls, our own session carries them.

So that what holds for other endpoints holds for these: no redirects, no proxies, bounded answers.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError
from yarl import URL

from app import errors
from app.models.endpoint import SageMaker
from app.remote.http_transport import IDENTITY, HttpResponse, post

Check = Callable[[HttpResponse], None]  # raises what a status means
Keys = tuple[str, str]  # the id of an access key and the key

MAX_CLIENTS = 16  # as a model's address is the choice of whoever registers it
_PACKED = ("content-type", "content-length", "x-amzn-invoked-production-variant")


class Runtime:
    """Calls endpoints of SageMaker; belongs to one event loop."""

    def __init__(self, stack: AsyncExitStack, session: aiohttp.ClientSession, check: Check) -> None:
        """Clients that are opened are closed with `stack`, or when others have been used since."""
        stack.push_async_callback(self._keep, 0)
        self._session = session
        self._check = check
        self._boto: Any = None  # one for all, as it keeps what it has read of the service
        self._clients: dict[tuple[str, str, Keys | None], Any] = {}  # the last is that used last
        self._opening = asyncio.Lock()

    async def invoke(self, model: SageMaker, url: str, keys: Keys | None, body: bytes) -> bytes:
        """Return the body of the answer. Without `keys` boto looks for some.

        Raises what `post` and the check do, and `errors.EndpointFailed`.
        """
        try:
            client = await self._client(model.region, url, keys)
            answer = await client.invoke_endpoint(
                EndpointName=model.endpoint_name,
                ContentType="application/json",
                Accept="application/json",
                Body=body,
            )
            return bytes(await answer["Body"].read())
        except (BotoCoreError, ValueError) as error:
            raise errors.EndpointFailed(
                f"SageMaker cannot be called ({type(error).__name__}): "
                "are the credentials and the endpoint_url right?"
            ) from None

    async def _client(self, region: str, url: str, keys: Keys | None) -> Any:
        key = region, url, keys
        async with self._opening:
            if key in self._clients:
                client = self._clients.pop(key)
            else:
                client = await self._opened(region, url, keys)
                await self._keep(MAX_CLIENTS - 1)
            self._clients[key] = client
        return client

    async def _opened(self, region: str, url: str, keys: Keys | None) -> Any:
        # Here, because it takes 0.2 s and 8 MB, and few consumers ever need it.
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        self._boto = self._boto or get_session()
        client = await self._boto.create_client(
            "sagemaker-runtime",
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=keys and keys[0],
            aws_secret_access_key=keys and keys[1],
            config=AioConfig(
                retries={"total_max_attempts": 1},
                proxies={},
                parameter_validation=False,
            ),
        ).__aenter__()
        client.meta.events.register("before-send.sagemaker-runtime", self._carry)
        return client

    async def _keep(self, number: int) -> None:
        """Close those used longest ago; calls go on, as it is our session that carries them."""
        while len(self._clients) > number:
            await self._clients.pop(next(iter(self._clients))).close()

    async def _carry(self, request: Any, **_: Any) -> Any:
        """Send what boto has signed in its stead."""
        from aiobotocore.awsrequest import AioAWSResponse

        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        headers = {**headers, **IDENTITY}
        headers.pop("Content-Length", None)
        answered = await post(
            self._session, URL(request.url, encoded=True), bytes(request.body), headers
        )
        self._check(answered)
        content = asyncio.StreamReader()
        content.feed_data(answered.body)
        content.feed_eof()
        packed = {name: answered.headers[name] for name in _PACKED if name in answered.headers}
        raw = SimpleNamespace(content=content, url=request.url, close=lambda: None)
        return AioAWSResponse(request.url, answered.status, packed, raw)
