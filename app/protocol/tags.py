"""Tags: short words that a user gives to a training, to find its job and its model again."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from app.protocol.types import Explained

MAX_TAGS = 20
TagName = Annotated[
    str,
    Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:=/-]*$"),
    Explained(
        "use a string of letters, digits and _ - . : = /, at most 64 characters; begin with a "
        "letter or digit"
    ),
]


def tags_column(tags: Sequence[str] | None) -> str | None:
    """Return tags as the database keeps them: each between two bars, which no tag has."""
    return f"|{'|'.join(dict.fromkeys(tags))}|" if tags else None


def tags_of(column: str | None) -> list[str]:
    """Return the tags that the database keeps."""
    return column.strip("|").split("|") if column else []
