"""The actor of a change, as the audit log names it."""

from dataclasses import dataclass

from app.auth.identity import DEFAULT_OWNER


@dataclass(frozen=True)
class Actor:
    """Who asks for a change, for which owner, from which address, by which request and key.

    The name is `key ID`, `subject NAME` of a token, `user NAME` of the broker, `command NAME` of an
    operator on a machine, `anyone` without a key or a user, or `system` for Warren itself.
    """

    name: str = "system"
    owner: str = DEFAULT_OWNER
    address: str | None = None
    request: str | None = None
    key_id: str | None = None  # or the subject


SYSTEM = Actor()
