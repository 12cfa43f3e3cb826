"""Errors as replies, the job table and child processes write them, and made errors again."""

import traceback
from collections.abc import Callable, Iterator
from typing import Any

from app.errors import WarrenError


def _tree(cls: type[WarrenError]) -> Iterator[type[WarrenError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from _tree(sub)


ERRORS = {cls.type: cls for cls in _tree(WarrenError) if "type" in vars(cls)}


def error_from_wire(error: dict[str, Any]) -> WarrenError:
    """Rebuild what `to_wire` wrote; an unknown type becomes a plain `WarrenError`."""
    cls = ERRORS.get(str(error.get("type")), WarrenError)
    extra = {key: value for key, value in error.items() if key not in ("type", "detail")}
    rebuilt = cls.__new__(cls)
    WarrenError.__init__(rebuilt, str(error.get("detail", "")), **extra)
    return rebuilt


def found_or_error(
    look: Callable[[], dict[str, Any]],
    refuse: Callable[[str], WarrenError],
    needs_memory: str,
    unknown: str,
) -> dict[str, Any]:
    """Return what `look` finds in a file that may be hostile, or `{"error": ...}`.

    `refuse` makes the error of the details `needs_memory`, and `unknown` for any other exception,
    whose traceback goes to stderr.
    """
    try:
        return look()
    except WarrenError as error:
        return {"error": error.to_wire()}
    except MemoryError:
        return {"error": refuse(needs_memory).to_wire()}
    except Exception:  # noqa: BLE001  a hostile file may cause an error of any kind
        traceback.print_exc()
        return {"error": refuse(unknown).to_wire()}
