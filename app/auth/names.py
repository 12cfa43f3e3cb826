"""The names of an owner's things, which are unique for this owner only.

Tables, files, caches and messages use the qualified name: the plain one for the owner `default`, so
that what was made before there were owners keeps its name, and `owner~name` for all others. An id
cannot have a tilde. A reader of another owner's thing asks for it by its qualified name.
"""

from app import errors
from app.auth.identity import DEFAULT_OWNER
from app.protocol.types import LATEST, MAX_ID
from app.protocol.types import SEPARATOR as SEPARATOR

_OWNERS_LATEST = f"{SEPARATOR}{LATEST}"


def qualified(owner: str, name: str) -> str:
    """Return the qualified name of what `owner` calls `name`; a qualified one stays."""
    if SEPARATOR in name or owner == DEFAULT_OWNER:
        return name.removeprefix(f"{DEFAULT_OWNER}{SEPARATOR}")
    return f"{owner}{SEPARATOR}{name}"


def new_name(owner: str, name: str, field: str) -> str:
    """Return the qualified name of what a request creates.

    Raises `errors.Invalid`, which names the `field`, if the owner's name leaves no room for it.
    """
    full = qualified(owner, name)
    if len(full) > MAX_ID:
        raise errors.Invalid(field, f"use at most {MAX_ID - len(full) + len(name)} characters")
    return full


def owner_of(name: str) -> str:
    """Return the owner of a qualified name."""
    owner, separator, _ = name.partition(SEPARATOR)
    return owner if separator else DEFAULT_OWNER


def is_latest(name: str) -> bool:
    """Return whether a qualified name is the alias `latest` of its owner."""
    return name == LATEST or name.endswith(_OWNERS_LATEST)


def shown(owner: str, name: str) -> str:
    """Return what `owner` calls a qualified name: without the owner if it is theirs."""
    own = owner_of(name)
    if own == owner:
        return name.rpartition(SEPARATOR)[2]
    return name if SEPARATOR in name else f"{own}{SEPARATOR}{name}"
