"""Which server a client asks, and with which key."""

from pathlib import Path

import pytest

from warren_client.errors import Misconfigured
from warren_client.profiles import config_file, find_server, read_profiles

FILE = """
default = "home"

[profiles.home]
url = "http://home:5000/"

[profiles.work]
url = "https://work.example"
api_key = "of-work"
ca_file = "/work.pem"
"""
OPEN = {"WARREN_URL": "http://env", "WARREN_API_KEY": "of-env", "WARREN_CA_FILE": "/env.pem"}


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "warren" / "config.toml"
    path.parent.mkdir()
    path.write_text(FILE)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def found(*arguments: str | None, **options) -> tuple[str, str | None, str | None]:
    server = find_server(*arguments, **options)
    return server.url, server.api_key, server.ca_file


def test_arguments_come_first_then_the_environment_then_the_default_profile(kept):
    assert found(environment=kept) == ("http://home:5000", None, None)
    assert found(environment=kept | OPEN) == ("http://env", "of-env", "/env.pem")
    assert found("http://a", "key", "/a.pem", environment=kept | OPEN) == (
        *("http://a", "key", "/a.pem"),
    )


def test_a_named_profile_comes_before_the_environment(kept):
    work = ("https://work.example", "of-work", "/work.pem")
    assert found(profile="work", environment=kept | OPEN) == work
    assert found(environment=kept | {"WARREN_PROFILE": "work"}) == work
    assert found(profile="home", environment=kept | OPEN) == ("http://home:5000", None, None)


def test_the_key_of_a_profile_goes_to_its_own_server_only(kept):
    assert found("http://other", profile="work", environment=kept) == ("http://other", None, None)
    named = {"WARREN_PROFILE": "work", "WARREN_URL": "http://env"}
    assert found(environment=kept | named) == ("http://env", None, None)


def test_there_need_be_no_file(tmp_path):
    empty = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert found(environment=empty) == ("http://127.0.0.1:5000", None, None)
    with pytest.raises(Misconfigured, match=r"no profile work in .*; it has none"):
        find_server(profile="work", environment=empty)
    assert config_file({}) == Path.home() / ".config/warren/config.toml"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"default =", "Invalid value"),
        (b"\xff", "utf-8"),
        (b"[profiles.a]\napi_key = '1'", "profiles.a.url: field required"),
        (b"[profiles.a]\nurl = 'http://a'\nkey = '1'", "profiles.a.key: extra inputs"),
    ],
)
def test_a_file_that_is_no_good_is_named(tmp_path, content, said):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=f"config.toml: .*{said}"):
        read_profiles(path)


@pytest.mark.parametrize("url", ["warren", "ftp://a", "http://", "http://a:b", "http://[a"])
def test_an_address_that_is_none_is_named(url):
    with pytest.raises(Misconfigured, match="is no address of a server"):
        find_server(url, environment={})
