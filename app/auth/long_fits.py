"""The scope of trainings that may take longer than others."""

from collections.abc import Collection

from app import errors
from app.auth.identity import Scope


def check_fit_seconds(
    scopes: Collection[Scope], asked: float | None, seconds: float, longest: float
) -> None:
    """Refuse a training that asks for more than `seconds` unless `long` is among the scopes.

    Without `asked` it gets `seconds`, and at most `longest` in any case. Raises `errors.Forbidden`.
    """
    if asked is None or min(asked, longest) <= seconds or Scope.LONG in scopes:
        return
    raise errors.Forbidden(
        f"max_seconds: {asked:g} needs the scope {Scope.LONG}; "
        f"without it a fit takes at most {seconds:g} seconds",
        field="max_seconds",
        scopes=[Scope.LONG],
    )
