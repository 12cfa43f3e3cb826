"""When the keys of the identity provider are read, and what counts meanwhile."""

import logging
from collections.abc import Iterator

import pytest

from app import errors
from app.auth.provider_keys import ProviderKeys
from tests.support.identity_provider import IdentityProvider, identity_provider
from tests.support.waiting import until


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as made:
        yield made


@pytest.fixture
def keys(provider: IdentityProvider) -> Iterator[ProviderKeys]:
    thread = ProviderKeys(provider.url, retry_seconds=0.01)
    yield thread
    if thread.ident:
        thread.stop()
        thread.join()


def knows(keys: ProviderKeys, name: str) -> bool:
    try:
        return keys.find(name) is not None
    except errors.Unavailable:
        return False


def test_a_key_that_the_provider_adds_is_found_when_a_token_has_it(
    provider: IdentityProvider, keys: ProviderKeys
) -> None:
    keys.begin()
    assert keys.find("one")
    assert keys.find("new") is None
    provider.add_key("new")

    until(lambda: keys.find("new") is not None, "the new key")


def test_known_keys_stay_while_the_provider_is_away(
    provider: IdentityProvider, keys: ProviderKeys, caplog: pytest.LogCaptureFixture
) -> None:
    keys.begin()
    provider.is_away = True
    before = provider.asked

    assert keys.find("new") is None
    until(lambda: provider.asked > before, "the thread asks again")

    assert keys.find("one")
    until(lambda: "the keys of OIDC_ISSUER cannot be read" in caplog.text, "a line of the log")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[]", b"null", b"\xff"], ids=range(4))
def test_an_answer_that_is_no_document_ends_nothing(
    provider: IdentityProvider, keys: ProviderKeys, body: bytes
) -> None:
    keys.begin()
    provider.body, before = body, provider.asked
    assert keys.find("new") is None
    until(lambda: provider.asked > before, "the thread asks again")
    provider.body = None
    provider.add_key("new")

    until(lambda: keys.find("new") is not None, "the new key")


def test_without_any_keys_nobody_can_be_told(
    provider: IdentityProvider, keys: ProviderKeys, caplog: pytest.LogCaptureFixture
) -> None:
    provider.is_away = True
    with caplog.at_level(logging.WARNING):
        keys.begin()
    assert "503" in caplog.text

    with pytest.raises(errors.Unavailable, match="have not been read yet"):
        keys.find("one")

    provider.is_away = False
    until(lambda: knows(keys, "one"), "the keys")


def test_the_only_key_needs_no_name(provider: IdentityProvider, keys: ProviderKeys) -> None:
    keys.refresh()
    assert keys.find(None) is None

    del provider.keys[1]
    keys.refresh()

    assert keys.find(None) == keys.find("one")


def test_a_provider_that_calls_itself_otherwise_is_refused(
    provider: IdentityProvider, keys: ProviderKeys
) -> None:
    provider.issuer = "https://another.example.com"

    with pytest.raises(errors.Unavailable, match="calls itself https://another"):
        keys.refresh()


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://192.0.2.1", "file:///etc", "None", "ftp://127.0.0.1"]
)
def test_keys_come_over_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(errors.Unavailable, match="does not begin with https://"):
        ProviderKeys(url).refresh()


def test_an_address_in_the_document_is_checked_too(
    provider: IdentityProvider, keys: ProviderKeys
) -> None:
    provider.keys_url = "http://example.com/keys"

    with pytest.raises(errors.Unavailable, match="does not begin with https://"):
        keys.refresh()


def test_a_redirect_is_followed_to_https_or_this_machine_only(
    provider: IdentityProvider, keys: ProviderKeys
) -> None:
    provider.moved_to = "http://example.com/keys"
    with pytest.raises(errors.Unavailable, match="does not begin with https://"):
        keys.refresh()

    with identity_provider() as another:
        provider.moved_to = another.keys_url
        another.add_key("moved")
        keys.refresh()

    assert keys.find("moved")
