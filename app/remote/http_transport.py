"""HTTP to strangers: one POST, of whose answer no more is taken than may become a message."""

import asyncio
import errno
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from app import errors
from app.amqp.topology import MAX_MESSAGE_BYTES

MAX_ANSWER_BYTES = MAX_MESSAGE_BYTES
# An idle connection is given up before the server may do so (gunicorn after 2 s, others after 5):
# a call that crosses its end on the wire is lost. What may be sent again can take that risk.
KEEP_SECONDS = 1.0
KEEP_LONG_SECONDS = 15.0
IDENTITY = {"Accept-Encoding": "identity"}  # or a little would be much, once it is decompressed


@dataclass(frozen=True)
class HttpResponse:
    """What came back: the status, the headers by names in lower case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def open_session(*, idempotent: bool) -> aiohttp.ClientSession:
    """Return a session that knows no cookies, no proxies, and no limits but those of its users."""
    keep = KEEP_LONG_SECONDS if idempotent else KEEP_SECONDS
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keep),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # whoever calls has one
        trust_env=False,
        auto_decompress=False,
    )


async def post(
    session: aiohttp.ClientSession, url: URL, body: bytes, headers: Mapping[str, str]
) -> HttpResponse:
    """Send, and return what is answered with any status but a redirect; `headers` have `IDENTITY`.

    Raises `errors.EndpointUnavailable` where nothing can have been begun, `Overloaded` where
    that was for lack of open files, `EndpointLost` where the connection was lost after that, else
    `errors.EndpointFailed`.
    """
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            if 300 <= response.status < 400:
                response.close()
                raise errors.EndpointFailed(
                    f"the model's endpoint answers {response.status}: redirects are not followed"
                )
            return await _read(response)
    except aiohttp.ClientConnectorError as error:  # a name, a refusal, TLS: all before sending
        if error.os_error.errno in (errno.EMFILE, errno.ENFILE):
            raise errors.Overloaded(
                "too many calls at a time for this process: raise its limit of open files"
            ) from None
        raise errors.EndpointUnavailable(
            f"the model's endpoint cannot be reached: {_reason(error)}"
        ) from None
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
        raise errors.EndpointLost(
            f"the model's endpoint ended the connection without an answer ({type(error).__name__})"
        ) from None
    except (aiohttp.ClientError, ValueError) as error:  # no HTTP, or no URL after all
        raise errors.EndpointFailed(
            f"the model's endpoint does not speak HTTP as it should ({type(error).__name__})"
        ) from None


async def _read(response: aiohttp.ClientResponse) -> HttpResponse:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            response.close()  # the rest is left on the wire
            raise errors.EndpointFailed(
                f"the model's endpoint answers with more than {MAX_ANSWER_BYTES} bytes"
            )
        pieces.append(piece)
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.EndpointFailed(
            "the model's endpoint answers with a Content-Encoding, and none was accepted"
        )
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(response.status, headers, b"".join(pieces))


def _reason(error: aiohttp.ClientConnectorError) -> str:
    cause = error.os_error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS with it"
    if isinstance(cause, asyncio.TimeoutError):
        return "it does not answer"
    return cause.strerror or type(cause).__name__
