"""A client of a server that answers what a test has written down."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.scripted_server import Script, scripted_server
from warren_client import Warren
from warren_client.retries import RetryPolicy


@dataclass
class Scripted:
    """The client, its server, and the pauses that it would have made."""

    script: Script
    warren: Warren
    pauses: list[float] = field(default_factory=list)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """A user without profiles, and without variables that name a server."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("WARREN_URL", "WARREN_API_KEY", "WARREN_CA_FILE", "WARREN_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    pauses: list[float] = []
    policy = RetryPolicy(most=2, random=lambda: 1.0)
    with (
        scripted_server() as script,
        Warren(script.url, "secret", policy=policy, sleep=pauses.append) as warren,
    ):
        yield Scripted(script, warren, pauses)
        assert not script.answers
