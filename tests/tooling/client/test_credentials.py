"""Keys and passwords are in no message and in no text of an object."""

import httpx2
import pytest

from warren_client import Warren, errors
from warren_client.calls import Call
from warren_client.credentials import checked_key, checked_url, without_user
from warren_client.failures import reason, shown
from warren_client.profiles import Profile, Server, find_server

URL = "http://127.0.0.1:5000"


@pytest.mark.parametrize("key", ["wrn_SECRET\rKEY", "wrn_SECRETKEYé", "wrn_SECRET\0", "wrn_S\x7f"])
@pytest.mark.parametrize("where", ["argument", "environment", "profile"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key, where, tmp_path):
    (tmp_path / "warren").mkdir()
    kept = f'default = "a"\n[profiles.a]\nurl = "{URL}"\n'
    if where == "profile":
        kept += 'api_key = "{}"\n'.format("".join(f"\\u{ord(each):04x}" for each in key))
    (tmp_path / "warren" / "config.toml").write_text(kept, "utf-8")
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    if where == "environment":
        environment["WARREN_API_KEY"] = key
    with pytest.raises(errors.Misconfigured) as raised:
        find_server(api_key=key if where == "argument" else None, environment=environment)
    assert str(raised.value) == "the API key has characters that no header can hold"


def test_white_space_around_a_key_does_not_count(monkeypatch):
    assert checked_key(" wrn_a\r\n") == "wrn_a"
    assert checked_key(" \n") is checked_key(None) is None
    monkeypatch.setenv("WARREN_API_KEY", "wrn_env\r")
    assert find_server().api_key == "wrn_env"
    assert find_server(api_key="wrn_own\n").api_key == "wrn_own"


def test_no_object_shows_its_key():
    for each in (Server(URL, "SECRET"), Profile(url=URL, api_key="SECRET"), Warren(URL, "SECRET")):
        assert "SECRET" not in repr(each)


@pytest.mark.parametrize(
    "url", ["http://u:SECRET@h", "https://SECRET@h:5/x", "ftp://u:SECRET@h", "http://u:SECRET@h:x"]
)
def test_an_address_with_a_password_is_refused_and_not_shown(url):
    with pytest.raises(errors.Misconfigured) as raised:
        checked_url(url, URL)
    assert "SECRET" not in str(raised.value)
    assert "h" in str(raised.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://u:p@h:5/x?y#z", "http://h:5/x?y#z"),
        ("http://h/@a", "http://h/@a"),
        ("u:p@h", "...@h"),
        ("http://u:p@[h", "...@[h"),
    ],
)
def test_an_address_is_shown_without_its_user(url, text):
    assert without_user(url) == text


def test_an_address_is_printable():
    with pytest.raises(errors.Misconfigured):
        checked_url("http://h\r", URL)


def test_no_header_is_printed_because_it_cannot_be_sent():
    for value in ("SECRET\r", "SECRETé"):
        with pytest.raises(errors.Unsendable, match="the header X-A has characters") as raised:
            Call("GET", "/", headers={"X-A": value})
        assert "SECRET" not in str(raised.value)


def test_what_the_http_library_says_of_headers_is_not_told():
    for kind in (httpx2.LocalProtocolError, httpx2.RemoteProtocolError):
        failure = kind("Illegal header value b'SECRET'")
        assert "SECRET" not in reason(failure)
        assert shown(failure) is None
    refused = httpx2.ConnectError("connection refused")
    assert (reason(refused), shown(refused)) == ("connection refused", refused)
