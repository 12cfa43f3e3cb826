"""POST over HTTP with aiohttp; read no more of a response than fits into a message."""

import asyncio
import errno
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from app import errors
from app.amqp.topology import MAX_MESSAGE_BYTES

MAX_ANSWER_BYTES = MAX_MESSAGE_BYTES
# Idle connections are closed before servers do it (gunicorn after 2 s, others after 5), because a
# call is lost if the server closes its connection meanwhile. Idempotent calls are retried.
KEEPALIVE_SECONDS = 1.0
IDEMPOTENT_KEEPALIVE_SECONDS = 15.0
IDENTITY = {"Accept-Encoding": "identity"}  # because a small body may decompress to a huge one


@dataclass(frozen=True)
class HttpResponse:
    """A response: the status, the headers by names in lower case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def open_session(keepalive_seconds: float) -> aiohttp.ClientSession:
    """Return a session without cookies, proxies, or limits of time or connections.

    It closes connections that are idle for `keepalive_seconds`.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keepalive_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the callers have deadlines
        trust_env=False,
        auto_decompress=False,
    )


async def post(
    session: aiohttp.ClientSession, url: URL, body: bytes, headers: Mapping[str, str]
) -> HttpResponse:
    """Post `body` and return the response, whatever its status; `headers` include `IDENTITY`.

    Raises `errors.EndpointUnavailable` if no connection was made, `Overloaded` if that was for
    lack of file descriptors, `EndpointLost` if the connection was lost later, and `EndpointFailed`
    for redirects, compressed bodies, bodies above `MAX_ANSWER_BYTES` and violations of HTTP.
    """
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            if 300 <= response.status < 400:
                response.close()
                raise errors.EndpointFailed(
                    f"the model's endpoint answers {response.status}: redirects are not followed"
                )
            return await _read(response)
    except aiohttp.ClientConnectorError as error:  # name, refusal or TLS: nothing was sent
        if error.os_error.errno in (errno.EMFILE, errno.ENFILE):
            raise errors.Overloaded(
                "too many calls at a time for this process: raise its limit of open files"
            ) from None
        raise errors.EndpointUnavailable(
            f"the model's endpoint cannot be reached: {_reason(error)}"
        ) from None
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError):
        raise errors.EndpointLost(
            "the model's endpoint ended the connection without a complete answer"
        ) from None
    except (aiohttp.ClientError, ValueError):  # invalid HTTP, or a URL that aiohttp refuses
        raise errors.EndpointFailed("the model's endpoint does not speak HTTP correctly") from None


async def _read(response: aiohttp.ClientResponse) -> HttpResponse:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            response.close()  # without reading the rest
            raise errors.EndpointFailed(
                f"the model's endpoint answers with more than {MAX_ANSWER_BYTES} bytes"
            )
        pieces.append(piece)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.EndpointFailed(
            "the model's endpoint answers with a Content-Encoding, but none was accepted"
        )
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status, headers, b"".join(pieces))


def _reason(error: aiohttp.ClientConnectorError) -> str:
    cause = error.os_error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is unknown"
    if isinstance(error, aiohttp.ClientSSLError):
        return "the TLS handshake failed"
    if isinstance(cause, asyncio.TimeoutError):
        return "it does not answer"
    return cause.strerror or "the connection failed"
