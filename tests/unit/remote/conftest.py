import pytest

from app.remote.client import RemoteModelClient
from app.settings import Settings
from tests.support.endpoints import KEY, KEY_ID, Fleet, Stranger
from tests.support.remote_calls import TOKEN
from tests.support.waiting import until


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def server():
    """A local HTTP server in a thread: what a path means, `Stranger` says."""
    with Stranger(pair=Fleet(2, 0.2), slow=Fleet(2, 1.0)) as running:
        yield running


@pytest.fixture
def peer(server):
    """The server, with no calls under way and none counted."""
    until(lambda: not server.peers, "the calls of the test before are over")
    server.calls.clear()
    server.requests.clear()
    return server


@pytest.fixture
def settings(peer):
    return Settings(
        _env_file=None,
        invoke_hosts=f"{peer.host},localhost",
        invoke_secrets={"token": TOKEN, "aws": f"{KEY_ID}:{KEY}", "bent": "a\r\nX-Evil: 1"},
    )


@pytest.fixture
async def endpoints(settings):
    async with RemoteModelClient(settings) as opened:
        yield opened
