"""The owners for whom users of the broker act, and their scopes."""

import re

from app import errors
from app.auth.identity import Identity, Scope
from app.protocol.types import OWNER, OWNER_RULE

CLIENT_SCOPES = frozenset({Scope.PREDICT, Scope.TRAIN})  # of a user without others

_FORM = "write user=owner:predict+train, separated by commas"


def parse_owners(text: str) -> dict[str, Identity]:
    """Return the identities of users, of `user=owner` or `user=owner:scope+scope` between commas.

    Without scopes, a user may predict and train. Raises `errors.Invalid`.
    """
    found: dict[str, Identity] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        user, _, rest = part.partition("=")
        owner, colon, scopes = rest.partition(":")
        try:
            named = frozenset(map(Scope, scopes.split("+"))) if colon else CLIENT_SCOPES
        except ValueError:
            known = ", ".join(Scope)
            raise errors.Invalid(
                "AMQP_OWNERS", f"{part}: the scopes are {known}; {_FORM}"
            ) from None
        if not user or not owner:
            raise errors.Invalid("AMQP_OWNERS", f"{part}: {_FORM}")
        if not re.fullmatch(OWNER, owner):
            raise errors.Invalid("AMQP_OWNERS", f"{part}: for the owner, {OWNER_RULE}")
        if user in found:
            raise errors.Invalid("AMQP_OWNERS", f"{part}: user {user} is there twice; {_FORM}")
        found[user] = Identity(owner, named)
    return found
