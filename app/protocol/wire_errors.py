"""Errors as replies and the job table have them, made errors again."""

from collections.abc import Iterator
from typing import Any

from app.errors import WarrenError


def _tree(cls: type[WarrenError]) -> Iterator[type[WarrenError]]:
    yield cls
    for sub in cls.__subclasses__():
        yield from _tree(sub)


_BY_TYPE = {cls.type: cls for cls in _tree(WarrenError) if "type" in vars(cls)}


def error_from_wire(error: dict[str, Any]) -> WarrenError:
    """Rebuild what `to_wire` wrote; an unknown type becomes a plain `WarrenError`."""
    cls = _BY_TYPE.get(str(error.get("type")), WarrenError)
    extra = {key: value for key, value in error.items() if key not in ("type", "detail")}
    rebuilt = cls.__new__(cls)
    WarrenError.__init__(rebuilt, str(error.get("detail", "")), **extra)
    return rebuilt
