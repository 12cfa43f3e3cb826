"""Rows for a prediction: as pairs, as JSON, or as a file of JSON, JSON lines or CSV."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from warren_cli.table_file import table_file
from warren_cli.values import pair

CSV, JSON_LINES = "text/csv", "application/jsonlines"


@dataclass(frozen=True)
class Rows:
    """A body for `POST /invocations`, with its media type."""

    media_type: str
    body: bytes


def rows_of(given: Sequence[str], *, pairs: bool) -> Rows:
    """Return the rows that arguments mean. Raises `click.UsageError`."""
    if pairs:
        if not given:
            raise click.UsageError("--row needs the values of a row: --row age=40 colour=red")
        return _lines([dict(map(pair, given))])
    if len(given) != 1:
        raise click.UsageError(
            "give one file, - for stdin, or JSON; or --row and the values: --row age=40 colour=red"
        )
    (text,) = given
    if text.lstrip()[:1] in ("{", "["):
        return _lines(_json(text))
    with table_file(text) as path:
        return _of_file(path)


def _of_file(path: Path) -> Rows:
    content = path.read_bytes()
    if not content.strip():
        raise click.UsageError("there are no rows")
    if path.suffix in (".jsonl", ".ndjson"):
        return Rows(JSON_LINES, content)
    if path.suffix != ".json" and content.lstrip()[:1] not in (b"{", b"["):
        return Rows(CSV, content)
    try:
        return _lines(_json(content))
    except click.UsageError:
        if path.suffix == ".json":
            raise
        return Rows(JSON_LINES, content)  # an object in each line


def _json(text: str | bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"the rows are no JSON: {error}") from None
    rows = found if isinstance(found, list) else [found]
    if not rows or not all(isinstance(each, dict) for each in rows):
        raise click.UsageError('rows are objects such as {"age": 40}, or a list of such')
    return rows


def _lines(rows: list[dict[str, Any]]) -> Rows:
    try:
        lines = [json.dumps(each, allow_nan=False) for each in rows]
    except ValueError:
        raise click.UsageError("NaN and Infinity are no JSON: use null") from None
    return Rows(JSON_LINES, "\n".join(lines).encode())
