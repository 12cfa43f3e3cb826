"""References: what a request writes in place of a model's id.

`churn` is the newest version of a name, `churn:3` its third one, `churn@champion` that of an alias.
An owner may stand in front: `red~churn@champion`. Names and ids share one namespace.
"""

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from app.protocol.types import ID, LATEST, MAX_ID, OWNER, SEPARATOR, Explained

MAX_NAME = 64  # characters
MAX_ALIAS = 30  # so that the longest reference has as many characters as the longest id
MAX_VERSION = 999_999_999
_ALIAS = rf"[A-Za-z][A-Za-z0-9_-]{{0,{MAX_ALIAS - 1}}}"
_DIGITS = "[0-9a-f]{32}"
_GENERATED = re.compile(rf"{_DIGITS}|{OWNER}{SEPARATOR}{_DIGITS}")

ModelReference = Annotated[
    str,
    Field(
        max_length=MAX_ID,
        pattern=rf"^(?:{OWNER}{SEPARATOR})?{ID}(?:@{_ALIAS}|:[1-9][0-9]{{0,8}})?$",
    ),
    Explained(
        "use a string of letters, digits, underscores, dashes and single dots, at most 128 "
        "characters; begin with a letter or digit; behind a name, @alias or :version may follow"
    ),
]


def _free(name: str) -> str:
    if name == LATEST:
        raise ValueError(f"{LATEST} always means the newest model")
    if is_generated(name):
        raise ValueError("32 hexadecimal digits are the id of a model; choose another name")
    return name


ModelName = Annotated[
    Annotated[str, Field(max_length=MAX_NAME, pattern=rf"^{ID}$")],
    Explained(
        "use a string of letters, digits, underscores, dashes and single dots, at most "
        f"{MAX_NAME} characters; begin with a letter or digit"
    ),
    AfterValidator(_free),
]
NameField = Annotated[
    ModelName | None,
    Field(
        description="A name for the model: it becomes the next version of that name, and is asked "
        "for by `name`, `name:version` or `name@alias`.",
        examples=["progression"],
    ),
]
AliasName = Annotated[
    Annotated[str, Field(max_length=MAX_ALIAS, pattern=rf"^{_ALIAS}$")],
    Explained(
        f"use letters, digits, underscores and dashes, at most {MAX_ALIAS}; begin with a letter"
    ),
    AfterValidator(_free),
]
VersionNumber = Annotated[int, Field(ge=1, le=MAX_VERSION)]


class Reference(NamedTuple):
    """A reference, split: an id or a name, which may be qualified, and an alias or a version."""

    base: str
    alias: str | None = None
    version: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Return the parts of a valid reference."""
        base, alias = text.partition("@")[::2]
        if alias:
            return cls(base, alias)
        base, version = text.partition(":")[::2]
        return cls(base, None, int(version)) if version else cls(base)

    @property
    def text(self) -> str:
        """Return the reference as it is written."""
        if self.alias is not None:
            return f"{self.base}@{self.alias}"
        return self.base if self.version is None else f"{self.base}:{self.version}"


def is_generated(text: str) -> bool:
    """Tell whether a text is an id as Warren makes them, which is never a name."""
    return _GENERATED.fullmatch(text) is not None
