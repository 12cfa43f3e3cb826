"""Which tokens of an identity provider count, for whom, and what is wrong with others."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from time import time
from typing import Any

import jwt
import pytest

from app import errors
from app.auth.identity import Identity, Scope
from app.auth.openid import OpenIdTokens
from app.auth.provider_keys import ProviderKeys
from tests.support.identity_provider import AUDIENCE, IdentityProvider, identity_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as made:
        made.add_key("of encryption", use="enc")
        made.keys += [{"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}, {"kty": "unheard of"}, None]  # type: ignore[list-item]
        made.add_key("of no algorithm", alg="none")
        yield made


def checker(provider: IdentityProvider, **claims: str) -> OpenIdTokens:
    keys = ProviderKeys(provider.url)
    keys.refresh()
    named = {"scope_claim": "scope", "owner_claim": "", **claims}
    return OpenIdTokens(keys, provider.issuer, AUDIENCE, **named)


@pytest.fixture(scope="module")
def tokens(provider: IdentityProvider) -> OpenIdTokens:
    return checker(provider)


@pytest.mark.parametrize("key", ["one", "two"])
def test_a_token_acts_for_the_default_owner_with_the_scopes_that_it_has(
    provider: IdentityProvider, tokens: OpenIdTokens, key: str
) -> None:
    end = int(time()) + 60

    found = tokens.identify(provider.token(key, exp=end))

    scopes = frozenset({Scope.PREDICT, Scope.TRAIN})
    assert found == Identity("default", scopes, subject="ada", ends_at=end + 10)
    assert found.name == "ada"


def test_an_end_may_be_digits_in_a_text(provider: IdentityProvider, tokens: OpenIdTokens) -> None:
    end = int(time()) + 60

    assert tokens.identify(provider.token("one", exp=str(end))).ends_at == end + 10


def test_a_token_is_remembered_until_it_ends(provider: IdentityProvider) -> None:
    now = time()
    tokens = replace(checker(provider), now=lambda: now)
    token = provider.token("one", exp=int(now) + 60)
    found = tokens.identify(token)
    assert tokens.identify(token) is found

    now += 71

    assert tokens.identify(token) is not found  # PyJWT has looked at its own clock again


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["predict", "admin"], {Scope.PREDICT, Scope.ADMIN}),
        ("predict predict", {Scope.PREDICT}),
        ("openid profile", set()),
        ("", set()),
        (None, set()),
        ([], set()),
        ([["predict"]], set()),
        (7, set()),
        ({"predict": True}, set()),
    ],
)
def test_scopes_are_a_text_or_a_list(
    provider: IdentityProvider, tokens: OpenIdTokens, scopes: object, expected: set[Scope]
) -> None:
    assert tokens.identify(provider.token("one", scope=scopes)).scopes == expected


def test_other_claims_may_have_the_scopes_and_the_owner(provider: IdentityProvider) -> None:
    tokens = checker(provider, scope_claim="scp", owner_claim="team")

    found = tokens.identify(provider.token("one", scp=["models"], team="research"))

    assert (found.owner, found.scopes) == ("research", {Scope.MODELS})


@pytest.mark.parametrize("team", [None, "", "Research", "a~b", ["research"], 7, "x" * 33])
def test_a_token_whose_owner_is_no_name_of_one_is_refused(
    provider: IdentityProvider, team: object
) -> None:
    tokens = checker(provider, owner_claim="team")

    with pytest.raises(errors.Unauthenticated, match="its claim team is no owner"):
        tokens.identify(provider.token("one", team=team))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_000_000_000}, "it has expired"),
        ({"exp": None}, "it has no claim exp"),
        ({"exp": 1e400}, "it is no JSON Web Token"),
        ({"exp": "soon"}, "it is no JSON Web Token"),
        ({"exp": 10**400}, "its claim exp is no time"),
        ({"nbf": 4_000_000_000}, "it is not valid yet"),
        ({"aud": "another service"}, "it is for another audience than OIDC_AUDIENCE"),
        ({"aud": None}, "it has no claim aud"),
        ({"aud": [7]}, "it is for another audience than OIDC_AUDIENCE"),
        ({"iss": "https://example.com"}, "its issuer is not OIDC_ISSUER"),
        ({"iss": None}, "it has no claim iss"),
        ({"sub": None}, "it has no claim sub"),
        ({"sub": 7}, "it is no JSON Web Token"),
        ({"sub": ""}, "its claim sub is empty"),
        ({"sub": "a\ud800"}, "its claim sub has half of a surrogate pair"),
    ],
)
def test_a_claim_that_is_wrong_is_named(
    provider: IdentityProvider, tokens: OpenIdTokens, claims: dict[str, Any], reason: str
) -> None:
    with pytest.raises(errors.Unauthenticated) as refused:
        tokens.identify(provider.token("one", **claims))

    assert str(refused.value) == f"the token is not valid: {reason}"


def unsigned(provider: IdentityProvider, **header: str) -> str:
    """Return a token whose signature is empty."""
    parts = ({"typ": "JWT", **header}, provider.claims())
    return ".".join(_encoded(json.dumps(each).encode()) for each in parts) + "."


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def test_a_signature_that_proves_nothing_is_refused(
    provider: IdentityProvider, tokens: OpenIdTokens
) -> None:
    head, body, signature = provider.token("one").split(".")
    _, other, _ = provider.token("one", scope="admin").split(".")
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        shared = jwt.encode(provider.claims(), b"secret", "HS256", headers={"kid": "shared"})
    for text, reason in (
        (f"{head}.{other}.{signature}", "its signature is wrong"),
        (f"{head}.{body}.", "its signature is wrong"),
        (unsigned(provider, alg="none", kid="one"), "it is not signed by an algorithm"),
        (unsigned(provider, alg="HS256", kid="one"), "it is not signed by an algorithm"),
        (
            unsigned(provider, alg="RS256"),
            "it is signed by a key that OIDC_ISSUER does not publish",
        ),
        (provider.token("of encryption"), "it is signed by a key that"),
        (shared, "it is signed by a key that"),
        ("a.b.c", "it is no JSON Web Token"),
        ("..", "it is no JSON Web Token"),
        ("\xff.\xfe.\xfd", "it is no JSON Web Token"),
    ):
        with pytest.raises(errors.Unauthenticated, match=reason):
            tokens.identify(text)
