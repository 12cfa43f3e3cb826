"""Say in plain lines which settings are wrong, in place of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.errors import escaped

REFUSED = (ValidationError, SettingsError)


@contextmanager
def ends_for_wrong_settings() -> Iterator[None]:
    """End the process with status 1 and a line for each setting that is wrong."""
    try:
        yield
    except REFUSED as error:
        sys.exit("\n".join(wrong_settings(error)))


def wrong_settings(error: ValidationError | SettingsError) -> list[str]:
    """Return a line for each wrong setting: its name, and what is wrong. No line has its value."""
    if isinstance(error, SettingsError):
        return [escaped(str(error))]
    return [
        escaped(_named("__".join(map(str, each["loc"])).upper(), each["msg"]))
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _named(name: str, said: str) -> str:
    """Return a sentence behind the name of its setting; one about several names them itself."""
    said = said.removeprefix("Value error, ")
    return f"{name}: {said}" if name else said
