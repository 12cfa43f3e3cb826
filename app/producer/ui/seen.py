"""The state of a name that a page has shown, as a field of its form, and the changes since then.

A form changes nothing if somebody else has changed the same meanwhile. The page then asks again,
and says what is different.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from app import errors
from app.database.engine import Engine
from app.database.paging import Page
from app.models.alias_history import AliasChange, ChangeKind, read_history
from app.models.aliases import Check
from app.models.names import Split
from app.producer.ui.formats import cell, plain

NOTHING = "none"
_SINCE = "since this page was loaded"
_SHOWN = 3  # changes
_MOST = 200  # characters of a state
_DID = {
    ChangeKind.SET: "set it to version {}",
    ChangeKind.ROLLBACK: "rolled it back to version {}",
    ChangeKind.DELETE: "deleted it",
}
_StateT = TypeVar("_StateT")


class _Shadow(Protocol):
    """What tells shadows apart."""

    @property
    def alias(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def share(self) -> float: ...


def split_text(split: Split) -> str:
    """Return a split as the form takes it."""
    return ", ".join(f"{n}={plain(weight)}" for n, weight in (split or {}).items()) or NOTHING


def shadow_text(shadow: _Shadow | None) -> str:
    """Return a shadow in words."""
    if shadow is None:
        return NOTHING
    return f"version {shadow.version} for {plain(shadow.share)} of {shadow.alias}"


def still(
    what: str, seen: str | None, wanted: _StateT, text: Callable[[_StateT], str]
) -> Callable[[_StateT], None]:
    """Return a check that raises `errors.Conflict` unless a state is as `seen`, or as `wanted`.

    It is as wanted when a form is sent twice. The error has the extra `was`.
    """
    shown = seen or NOTHING

    def check(now: _StateT) -> None:
        if text(now) not in (shown, text(wanted)):
            was, become = cell(shown, _MOST), cell(text(now), _MOST)
            detail = f"somebody has changed the {what} {_SINCE}: it was {was}, it is {become} now"
            raise errors.Conflict(None, detail, was=was)

    return check


def unchanged_since(seen: int) -> Check:
    """Return a check that raises `errors.Conflict` if an alias was changed after a page was shown.

    `seen` is the newest change that the page has shown, 0 if the alias was not there. The error has
    the extra `was`.
    """

    def check(change: int | None) -> None:
        if (change or 0) != seen:
            raise errors.Conflict("alias", f"somebody has changed it {_SINCE}", was=seen)

    return check


def alias_changes(engine: Engine, name: str, alias: str, seen: int) -> str:
    """Tell who has changed an alias since the change `seen`, the newest first, and to what."""
    found, _ = read_history(engine, name, alias, Page(_SHOWN, "-change"))
    told = "; ".join(_did(each) for each in found if each.change > seen)
    return f"{alias} was changed {_SINCE}{f': {told}' if told else '; look at it again'}"


def _did(change: AliasChange) -> str:
    why = f" ({cell(change.why)})" if change.why else ""
    return f"{change.actor} {_DID[change.kind].format(change.to_version)}{why}"
