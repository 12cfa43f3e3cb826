"""Who is identified, by which header, and what is refused."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request

from app import errors
from app.auth.api_key import NewKey
from app.auth.identity import Identity, Scope
from app.auth.key_ring import KeyRing
from app.auth.sessions import begin_session
from app.auth.store import create_key
from app.auth.tokens import KEY_PREFIX, new_token
from app.database.engine import create_engine
from app.producer.callers.caller import caller_of, identity_of
from app.producer.callers.session_cookie import COOKIE
from app.producer.middleware.authentication import Authentication
from app.producer.middleware.error_responses import ErrorResponses
from tests.conftest import migrate

NEW = NewKey(name="test", owner="team", scopes=[Scope.PREDICT])
HOST = "warren.example.com"


TOKEN = "header.claims.signature"


def identify_token(text: str) -> Identity:
    if text != TOKEN:
        raise errors.Unauthenticated("the token is not valid: it has expired")
    return Identity("research", frozenset({Scope.TRAIN}), subject="ada", ends_at=1e10)


class Door:
    """An application that says whom it sees, behind the middleware; a key and a session of it."""

    def __init__(self, keys: KeyRing) -> None:
        self.key, self.text = create_key(keys.engine, NEW)
        self.keys = keys
        self.session = begin_session(keys.engine, self.key.id)
        keys.refresh()
        app = FastAPI()

        @app.api_route("/{path:path}", methods=["GET", "POST", "DELETE", "HEAD", "OPTIONS"])
        async def who(request: Request) -> dict[str, Any]:
            found = identity_of(request.scope)
            known = {"owner": found.owner, "scopes": sorted(found.scopes), "key": found.key_id}
            return known | {"caller": caller_of(request.scope)}

        self.now = 0.0
        self.app = ErrorResponses(Authentication(app, keys, identify_token, lambda: self.now))

    def ask(
        self, headers: list[tuple[str, str]], method: str = "GET", path: str = "/jobs"
    ) -> httpx2.Response:
        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app, client=("192.0.2.1", 1))
            base = f"http://{HOST}"
            async with httpx2.AsyncClient(transport=transport, base_url=base) as client:
                sent = [(name, value.encode("latin-1")) for name, value in headers]
                return await client.request(method, path, headers=sent)

        return asyncio.run(send())

    @property
    def cookie(self) -> tuple[str, str]:
        return ("Cookie", f"theme=dark; {COOKIE}={self.session}; a=b")

    @property
    def seen(self) -> dict[str, Any]:
        key = self.key.id
        return {"owner": "team", "scopes": ["predict"], "key": key, "caller": "owner team"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    url = migrate(f"sqlite:///{tmp_path_factory.mktemp('tables')}/warren.db")
    engine = create_engine(url)
    yield Door(KeyRing(engine))
    engine.dispose()


def test_each_header_identifies(door: Door) -> None:
    for headers in (
        [("Authorization", f"Bearer {door.text}")],
        [("Authorization", f"bearer   {door.text} ")],
        [("X-API-Key", door.text)],
        [("Authorization", "Basic YTpi"), ("X-API-Key", door.text)],  # a proxy's own login
        [door.cookie],
        [("Authorization", f"Bearer {door.text}"), ("Cookie", f"{COOKIE}=wrong")],
    ):
        for path in ("/jobs", "/health"):
            answer = door.ask(headers, path=path)
            assert (answer.status_code, answer.json()) == (200, door.seen), headers


def test_on_an_open_path_nobody_has_no_scope_and_is_counted_by_address(door: Door) -> None:
    for headers in ([], [("X-API-Key", "wrong")], [("Cookie", f"{COOKIE}=wrong")]):
        seen = door.ask(headers, path="/health").json()
        assert seen == {"owner": "nobody", "scopes": [], "key": None, "caller": "192.0.2.1"}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "Basic YTpi")],
        [("X-API-Key", "")],
        [("X-API-Key", new_token(KEY_PREFIX).text)],
        [("Authorization", f"Bearer {new_token(KEY_PREFIX).text}")],
        [("Authorization", "Bearer \xff\xfe")],
        [("Cookie", f"{COOKIE}=")],
        [("Cookie", f"{COOKIE}={new_token('wrs').text}")],
        [("Cookie", COOKIE)],
    ],
)
def test_all_else_is_a_401_that_says_how(door: Door, headers: list[tuple[str, str]]) -> None:
    answer = door.ask(headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Warren"'
    assert answer.json()["type"] == "unauthenticated"
    assert answer.json()["title"] == "Unauthorized"


def test_a_wrong_key_is_not_made_good_by_a_right_one(door: Door) -> None:
    wrong = f"Bearer {new_token(KEY_PREFIX).text}"
    for other in (("X-API-Key", door.text), door.cookie):
        assert door.ask([("Authorization", wrong), other]).status_code == 401


def test_of_two_keys_the_first_counts_whichever_is_remembered(door: Door) -> None:
    other, text = create_key(door.keys.engine, NEW)
    door.keys.refresh()
    for remembered in (text, door.text):
        assert door.ask([("X-API-Key", remembered)]).status_code == 200

        answer = door.ask([("X-API-Key", door.text), ("X-API-Key", text)])

        assert answer.json()["key"] == door.key.id != other.id


def test_nothing_of_a_refused_key_is_repeated(door: Door) -> None:
    sent = new_token(KEY_PREFIX).text
    answer = door.ask([("X-API-Key", sent)])
    assert sent not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "headers", [[("Authorization", f"Bearer {TOKEN}")], [("X-API-Key", TOKEN)]]
)
def test_a_token_of_an_identity_provider_counts_like_a_key(
    door: Door, headers: list[tuple[str, str]]
) -> None:
    seen = {"owner": "research", "scopes": ["train"], "key": None, "caller": "owner research"}

    assert door.ask(headers).json() == seen


def test_a_token_that_is_not_valid_says_why(door: Door) -> None:
    for headers in ([("X-API-Key", "a.b.c")], [("Authorization", "Bearer a.b.c"), door.cookie]):
        answer = door.ask(headers)

        assert answer.status_code == 401
        assert answer.json()["detail"] == "the token is not valid: it has expired"


OWN = [
    [("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "same-origin"), ("Origin", f"https://{HOST}")],
    [("Origin", f"http://{HOST}")],  # a browser over http, to no loopback address
    [("Origin", f"https://{HOST}")],  # behind a proxy that does not say that it ends TLS
]
FOREIGN = [
    [],
    [("Origin", "null")],
    [("Origin", "http://[")],
    [("Origin", "http://evil.test")],
    [("Origin", f"http://{HOST}.evil.test")],
    [("Origin", f"http://{HOST}:8080")],
    [("Origin", f"http://evil.test/{HOST}")],
    [("Origin", f"http://{HOST}@evil.test")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site"), ("Origin", f"http://{HOST}")],
    [("Sec-Fetch-Site", "none")],
]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("headers", OWN)
def test_a_login_changes_things_from_its_own_pages(
    door: Door, method: str, headers: list[tuple[str, str]]
) -> None:
    assert door.ask([door.cookie, *headers], method).json() == door.seen


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("headers", FOREIGN)
def test_a_login_changes_nothing_from_elsewhere(
    door: Door, method: str, headers: list[tuple[str, str]]
) -> None:
    answer = door.ask([door.cookie, *headers], method)

    assert answer.status_code == 403
    assert answer.json()["type"] == "forbidden"


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_key_is_sent_on_purpose_so_it_counts_from_anywhere(
    door: Door, headers: list[tuple[str, str]]
) -> None:
    answer = door.ask([("X-API-Key", door.text), door.cookie, *headers], "POST")
    assert answer.json() == door.seen


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_by_a_login_needs_no_origin(door: Door, method: str) -> None:
    assert door.ask([door.cookie], method).status_code == 200


def test_wrong_keys_are_logged_in_one_line_a_minute(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    for now, lines in ((1000.0, 1), (1059.0, 1), (1060.0, 2)):
        door.now = now
        for _ in range(2 if lines == 1 else 1):
            door.ask([("X-API-Key", "wrong")])
            door.ask([])
        assert len(caplog.records) == lines
    assert "4 requests with a key that is not valid, the last of 192.0.2.1" in caplog.text
    assert "wrong" not in caplog.text
