"""How large a request's body may be, and how slowly it may come, by its path."""

from dataclasses import dataclass
from functools import cached_property

from starlette.datastructures import Headers
from starlette.types import Scope


@dataclass(frozen=True)
class BodyRule:
    """The bounds of a body.

    It has `size` bytes at most. The server waits for it for `seconds` in all, and for one more
    with each `rate` bytes that have come, but never for more than `seconds` in a row. A body that
    is `held` in memory counts there; the others pass through.
    """

    size: int
    seconds: float
    rate: float | None = None
    held: bool = True


@dataclass(frozen=True)
class BodyRules:
    """The rule of JSON, and those of uploads: by the beginning of the path and the media type."""

    usual: BodyRule
    uploads: tuple[tuple[str, str, BodyRule], ...] = ()

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(prefix for prefix, _, _ in self.uploads)

    def of(self, scope: Scope) -> BodyRule:
        """Return the rule of a request; a proxy's prefix does not belong to the path."""
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith(self._prefixes):
            return self.usual
        for prefix, media_type, rule in self.uploads:
            if path.startswith(prefix):
                sent = Headers(scope=scope).get("content-type", "").lower()
                if sent.startswith(media_type):
                    return rule
        return self.usual
