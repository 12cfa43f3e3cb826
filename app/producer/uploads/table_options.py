"""The query parameters that say how a CSV is written."""

from typing import Annotated

from fastapi import Depends, Query

from app.protocol.validation import validate
from app.tables.dialect import DialectOptions

_FOUND = "Found out from the first bytes if it is left out."


async def _table_options(
    delimiter: Annotated[
        str | None,
        Query(
            description="The character between two fields: `comma`, `semicolon`, `tab` or `pipe`, "
            f"or the character itself. {_FOUND}",
            examples=["semicolon"],
        ),
    ] = None,
    decimal: Annotated[
        str | None,
        Query(
            description="The character before the decimals of a number: `point` or `comma`, or "
            f"the character itself. {_FOUND}",
            examples=["comma"],
        ),
    ] = None,
    thousands: Annotated[
        str | None,
        Query(
            description="The character between groups of three digits: `comma`, `point`, `blank` "
            "or `apostrophe`, or the character itself. Numbers have no groups if it is left out.",
            examples=["point"],
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        Query(
            description="The encoding of the text: `utf-8`, `utf-16`, `utf-16-le`, `utf-16-be` or "
            "`windows-1252`. The parameter `charset` of the Content-Type may say it, too. "
            "Windows-1252 is only read where one of them says so.",
            examples=["windows-1252"],
        ),
    ] = None,
    index: Annotated[
        bool | None,
        Query(
            description="Whether the first field of each row is its name, and is left out, as of "
            f"the index of a data frame. {_FOUND}",
            examples=[True],
        ),
    ] = None,
) -> DialectOptions:
    """Return what the query says. Raises `errors.Invalid`."""
    said = {
        "delimiter": delimiter,
        "decimal": decimal,
        "thousands": thousands,
        "encoding": encoding and encoding.lower(),
        "index": index,
    }
    options = validate(DialectOptions, said)
    options.check()
    return options


TableOptions = Annotated[DialectOptions, Depends(_table_options)]
