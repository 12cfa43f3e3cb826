import asyncio
import json
import os
import resource
import tracemalloc

import pytest
from yarl import URL

from app import errors
from app.remote.http_transport import IDENTITY, open_session, post
from devstack.ports import unused
from tests.support.endpoints import LARGE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session():
    async with open_session(keepalive_seconds=1.0) as opened:
        yield opened


@pytest.fixture
def send(session, peer):
    """Post a row to a path of the server."""

    async def send(path, body=b'{"input_data": {"a": 1.5}}'):
        async with asyncio.timeout(20):
            return await post(session, URL(f"{peer.url}/{path}"), body, IDENTITY)

    return send


async def test_what_is_posted_arrives_and_the_response_comes_back(send, peer):
    response = await send("echo/418")

    (request,) = peer.requests
    assert (request.method, request.body) == ("POST", b'{"input_data": {"a": 1.5}}')
    assert request.headers["accept-encoding"] == "identity"
    assert response.status == 418
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.body) == request.headers


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("reset", errors.EndpointLost, "ended the connection"),
        ("half", errors.EndpointLost, "ended the connection"),
        ("redirect", errors.EndpointFailed, "answers 307: redirects are not followed"),
        ("gzip", errors.EndpointFailed, "Content-Encoding"),
        ("headers", errors.EndpointFailed, "speak HTTP"),
        ("noise", errors.EndpointFailed, "speak HTTP"),
        ("large/length", errors.EndpointFailed, "more than 4194304 bytes"),
        ("large/chunks", errors.EndpointFailed, "more than 4194304 bytes"),
    ],
)
async def test_a_bad_server_is_told_of_in_plain_words(send, peer, path, kind, says):
    with pytest.raises(kind, match=says) as caught:
        await send(path)

    assert type(caught.value) is kind
    assert "Error" not in caught.value.detail
    assert dict(peer.calls) == {path.partition("/")[0]: 1}


async def test_a_response_that_is_too_large_costs_no_memory(send, peer):
    peer.sent = 0
    with pytest.raises(errors.EndpointFailed):
        await send("large/length")
    tracemalloc.start()
    try:
        for _ in range(3):
            with pytest.raises(errors.EndpointFailed):
                await send("large/length")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000
    assert peer.sent < LARGE


async def test_too_many_open_files_are_told_of(send):
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    last = max(map(int, os.listdir("/dev/fd")))  # noqa: PTH208
    held = [os.dup(0) for _ in range(last)]  # so that no number below is free
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 1, hard))
    try:
        with pytest.raises(errors.Overloaded, match="limit of open files"):
            await send("ok")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        for each in held:
            os.close(each)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_there_is_unavailable(session, scheme):
    (port,) = unused(1)

    with pytest.raises(errors.EndpointUnavailable, match="cannot be reached: ") as caught:
        await post(session, URL(f"{scheme}://localhost:{port}/"), b"", IDENTITY)
    assert "Error" not in caught.value.detail


async def test_a_server_without_tls_is_unavailable(session):
    async def refuse(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.EndpointUnavailable, match="cannot be reached: ") as caught:
            await post(session, URL(f"https://127.0.0.1:{port}/ok"), b"", IDENTITY)
    assert "Error" not in caught.value.detail


async def test_an_unknown_host_is_unavailable(session):
    with pytest.raises(errors.EndpointUnavailable, match="its name is unknown"):
        await post(session, URL("http://nowhere.invalid/"), b"", IDENTITY)


async def test_an_idle_connection_is_kept_for_so_long(peer):
    async with open_session(keepalive_seconds=20.0) as session:
        await post(session, URL(f"{peer.url}/ok"), b'{"input_data": {"a": 1}}', IDENTITY)
        (kept,) = peer.peers
        await post(session, URL(f"{peer.url}/ok"), b'{"input_data": {"a": 1}}', IDENTITY)
        assert peer.peers == {kept}


async def test_cookies_are_not_kept(session, send, peer):
    session.cookie_jar.update_cookies({"a": "b"})
    await send("ok")
    assert "cookie" not in peer.requests[0].headers
