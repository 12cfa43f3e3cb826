"""Bearer tokens of an identity provider: JSON Web Tokens (RFC 7519), as OpenID Connect has them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from time import time
from typing import Any, Self

import jwt
from cachetools import TTLCache
from pydantic import TypeAdapter, ValidationError

from app import errors
from app.auth.api_key import read_scopes
from app.auth.identity import DEFAULT_OWNER, Identity
from app.auth.provider_keys import ProviderKeys
from app.protocol.types import OWNER_RULE, OwnerName
from app.settings.openid import OpenIdSettings

# Signatures by a key pair only: with a shared secret, whoever checks a token could make one.
_ALGORITHMS = (
    *(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)),
    "EdDSA",
)
_LEEWAY_SECONDS = 10.0  # between the clocks of the provider and of this machine
# A check takes longer than the rest of a prediction. Keys that the provider withdraws end it.
_MOST_REMEMBERED, _REMEMBERED_SECONDS = 10_000, 60.0
_NEEDED = ["exp", "iss", "aud", "sub"]
_OWNER = TypeAdapter[str](OwnerName)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_OF_SUBJECT = 200  # characters that are kept; OpenID Connect Core 1.0, 2 allows 255

_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience than OIDC_AUDIENCE",
    jwt.InvalidIssuerError: "its issuer is not OIDC_ISSUER",
    jwt.InvalidAlgorithmError: "it is not signed by an algorithm that is allowed",
    jwt.InvalidSignatureError: "its signature is wrong",
}


@dataclass(frozen=True)
class OpenIdTokens:
    """Checks the tokens of one issuer for one audience.

    The claim `scope_claim` has Warren's scopes, as a text with blanks or as a list; `owner_claim`
    names the owner. Without an `owner_claim`, each token acts for the owner `default`.
    """

    keys: ProviderKeys
    issuer: str
    audience: str
    scope_claim: str
    owner_claim: str
    now: Callable[[], float] = time
    _remembered: TTLCache[str, Identity] = field(
        default_factory=lambda: TTLCache(_MOST_REMEMBERED, _REMEMBERED_SECONDS), init=False
    )

    @classmethod
    def of(cls, settings: OpenIdSettings) -> Self:
        """Return what checks the tokens of the settings' provider; its keys are not read yet."""
        return cls(
            ProviderKeys(settings.oidc_issuer),
            settings.oidc_issuer,
            settings.oidc_audience,
            settings.oidc_scope_claim,
            settings.oidc_owner_claim,
        )

    def identify(self, text: str) -> Identity:
        """Return whom a token stands for; a token that counts is checked once a minute.

        Raises `errors.Unauthenticated`, which says why, and `errors.Unavailable`.
        """
        found: Identity | None = self._remembered.get(text)
        if found is None or found.is_over(self.now()):
            found = self._remembered[text] = self._checked(text)
        return found

    def _checked(self, text: str) -> Identity:
        try:
            header = jwt.get_unverified_header(text)
            key = self.keys.find(header.get("kid"))
            if key is None:
                raise _refusal("it is signed by a key that OIDC_ISSUER does not publish")
            claims = jwt.decode(
                text,
                key,
                algorithms=_ALGORITHMS,
                audience=self.audience,
                issuer=self.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": _NEEDED},
            )
        except jwt.MissingRequiredClaimError as error:
            raise _refusal(f"it has no claim {error.claim}") from None
        except jwt.PyJWTError as error:
            raise _refusal(_REASONS.get(type(error), "it is no JSON Web Token")) from None
        return self._identity(claims)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        scopes = claims.get(self.scope_claim, "")
        if isinstance(scopes, list):
            scopes = " ".join(map(str, scopes))
        subject = claims["sub"]
        if not subject:  # it would be taken for nobody
            raise _refusal("its claim sub is empty")
        if _SURROGATE.search(subject):  # the audit log could not keep it
            raise _refusal("its claim sub has half of a surrogate pair")
        try:
            end = float(claims["exp"])  # PyJWT takes digits in a text, too
        except OverflowError:
            raise _refusal("its claim exp is no time") from None
        return Identity(
            owner=self._owner(claims),
            scopes=read_scopes(str(scopes)),
            subject=subject[:_MOST_OF_SUBJECT],
            ends_at=end + _LEEWAY_SECONDS,
        )

    def _owner(self, claims: dict[str, Any]) -> str:
        if not self.owner_claim:
            return DEFAULT_OWNER
        try:
            return _OWNER.validate_python(claims.get(self.owner_claim))
        except ValidationError:
            raise _refusal(f"its claim {self.owner_claim} is no owner; {OWNER_RULE}") from None


def _refusal(reason: str) -> errors.Unauthenticated:
    return errors.Unauthenticated(f"the token is not valid: {reason}")
