"""The login of a browser: the form, the cookie, the logout."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from fastapi import FastAPI

from app.auth.api_key import NewKey
from app.auth.identity import Scope
from app.auth.store import create_key, revoke_key
from app.auth.tokens import KEY_PREFIX, new_token
from app.producer.callers.session_cookie import COOKIE
from tests.conftest import migrate
from tests.support.application import application

OWN = {"Sec-Fetch-Site": "same-origin"}

HERE = "http://localhost"


class Browser:
    """Keeps cookies between requests."""

    def __init__(self, app: FastAPI, scheme: str = "http") -> None:
        self.app = app
        self.scheme = scheme
        self.cookies = httpx2.Cookies()
        key = NewKey(name="n", owner="team", scopes=[Scope.METRICS, Scope.ADMIN])
        self.key, self.text = create_key(app.state.keys.engine, key)
        app.state.keys.refresh()

    def __call__(
        self, method: str, path: str, headers: dict[str, str] | None = None, **form: str
    ) -> httpx2.Response:
        async def send() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app)
            base = f"{self.scheme}://localhost"
            async with httpx2.AsyncClient(
                transport=transport, base_url=base, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, headers=headers, data=form or None)
                self.cookies = client.cookies
                return answer

        return asyncio.run(send())

    def log_in(self) -> httpx2.Response:
        return self("POST", "/login", OWN, key=self.text)


@pytest.fixture
def app(sqlite_url) -> Iterator[FastAPI]:
    with application(sqlite_url, auth="on") as made:
        yield made


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(app)


def test_a_login_lets_the_browser_in_until_the_logout(browser: Browser) -> None:
    assert browser("GET", "/keys").status_code == 401
    assert 'name="key"' in browser("GET", "/login").text

    answer = browser.log_in()

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert browser("GET", "/keys").status_code == 200
    page = browser("GET", "/login").text
    assert f"owner team, key {browser.key.id}, scopes metrics, admin" in page
    session = browser.cookies[COOKIE]
    assert browser("POST", "/logout", OWN).status_code == 303
    assert COOKIE not in browser.cookies
    browser.cookies.set(COOKIE, session)  # as a thief would
    assert browser("GET", "/keys").status_code == 401


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_has_an_end(app: FastAPI) -> None:
    for scheme in ("http", "https"):
        answer = Browser(app, scheme).log_in()
        value, *attributes = answer.headers["set-cookie"].split("; ")
        assert value.startswith(f"{COOKIE}=wrs_")
        secure = {"Secure"} if scheme == "https" else set()
        assert (
            set(attributes) == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=strict"} | secure
        )


def test_the_cookie_does_not_hold_the_key(browser: Browser) -> None:
    answer = browser.log_in()
    assert browser.text.split("_")[2] not in str(answer.headers)


def test_the_key_ends_its_logins(browser: Browser) -> None:
    browser.log_in()
    revoke_key(browser.app.state.keys.engine, browser.key.id)
    browser.app.state.keys.refresh()

    assert browser("GET", "/keys").status_code == 401


@pytest.mark.parametrize(
    "text",
    ["", "x", new_token(KEY_PREFIX).text, "<script>", "\u20ac"],
    ids=["empty", "short", "unknown", "markup", "euro"],
)
def test_a_wrong_key_gets_the_form_again(browser: Browser, text: str) -> None:
    answer = browser("POST", "/login", OWN, key=text)

    assert answer.status_code == 401
    assert "This key is not valid." in answer.text
    assert "<script>" not in answer.text
    assert "set-cookie" not in answer.headers


def test_a_login_takes_little_memory_of_those_who_have_no_key(browser: Browser) -> None:
    assert browser("POST", "/login", OWN, key="x" * 5000).status_code == 413


def test_a_session_is_no_key_to_log_in_with(browser: Browser) -> None:
    browser.log_in()
    assert browser("POST", "/login", OWN, key=browser.cookies[COOKIE]).status_code == 401


def test_a_login_counts_only_for_changes_from_own_pages(browser: Browser) -> None:
    browser.log_in()
    new = f"/keys/{browser.key.id}"
    assert browser("DELETE", new, {"Origin": "http://evil.test"}).status_code == 403
    assert browser("DELETE", new).status_code == 403
    assert browser("DELETE", new, OWN).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_a_foreign_page_logs_nobody_in_or_out(
    browser: Browser, path: str, headers: dict[str, str]
) -> None:
    browser.log_in()

    answer = browser("POST", path, headers, key=browser.text)

    assert answer.status_code == 403
    assert browser("GET", "/keys").status_code == 200


def test_the_page_runs_no_script_and_is_in_no_frame(browser: Browser) -> None:
    policy = browser("GET", "/login").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_without_authentication_there_is_no_login(tmp_path) -> None:
    with application(migrate(f"sqlite:///{tmp_path}/open.db")) as app:

        async def ask() -> list[httpx2.Response]:
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return [
                    await client.get("/login"),
                    await client.post("/login", data={"key": "x"}),
                    await client.post("/logout"),
                ]

        page, refused, out = asyncio.run(ask())
    assert "needs no key" in page.text
    assert (refused.status_code, out.status_code) == (401, 303)


def test_a_logout_ends_the_login_for_what_is_under_way(app: FastAPI, browser: Browser) -> None:
    keys = app.state.keys
    browser.log_in()
    text = browser.cookies[COOKIE].encode()
    login, key = keys.identify(text), keys.identify(browser.text.encode())
    assert keys.is_valid(login)

    browser("POST", "/logout", OWN)

    assert not keys.is_valid(login)
    assert keys.is_valid(key)


def test_a_wrong_key_in_the_form_is_a_line_of_the_log(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = new_token(KEY_PREFIX).text

    browser("POST", "/login", OWN, key=wrong)

    assert "1 requests with a key that is not valid" in caplog.text
    assert wrong not in caplog.text
