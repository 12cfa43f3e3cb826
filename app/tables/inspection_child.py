"""Inspect a table: `python -m app.tables.inspection_child FILE KIND LIMIT`.

Writes `{"columns": [...], "rows": ..., "warnings": [...]}` or `{"error": {...}}` to stdout. It is a
process of its own because the file may be malicious: it has limits of memory and time, and opens no
other file. All cells are read once, so that a training can read what is accepted here.
"""

import json
import sys
from typing import Any

import pyarrow as pa

from app import errors
from app.children.limits import TABLE_INSPECTION
from app.protocol.wire_errors import found_or_error
from app.protocol.wording import listed
from app.runtime import confine_inspection
from app.tables.arrow_file import ArrowFile, check_names
from app.tables.arrow_types import arrow_kind
from app.tables.dialect import Kind
from app.tables.odd_names import suspect_names

CPU_SECONDS = 120

_NAMES = {"parquet": "Parquet", "arrow": "Arrow"}
_MEMORY = f"{TABLE_INSPECTION / 1e6:,.0f} MB of memory"
_NEEDS_MEMORY = f"reading it needs more than {_MEMORY}; write smaller row groups"


def main(path: str, kind: Kind, limit: int) -> None:
    """Inspect the file at `path`; write what is found to stdout."""
    with pa.memory_map(path) as file:
        confine_inspection(TABLE_INSPECTION, CPU_SECONDS)
        found = found_or_error(
            lambda: inspect(file, kind, limit),
            lambda detail: errors.Invalid("body", detail),
            _NEEDS_MEMORY,
            "it cannot be inspected; the log of the producer has the cause",
        )
        sys.stdout.write(json.dumps(found))


def inspect(file: pa.MemoryMappedFile, kind: Kind, limit: int) -> dict[str, Any]:
    """Return the columns, rows and warnings of a file, whose cells are all read.

    Raises `errors.Invalid` for a file that is damaged, or whose columns have no names of their own,
    and `errors.TooLarge` if its cells take more than `limit` bytes when they are decoded.
    """
    try:
        table = ArrowFile(file, kind)
        check_names(table.schema.names)
        rows = _read_all(table, limit)
    except MemoryError:  # pyarrow's is one of its own errors, too
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        cause = str(error).partition("\n")[0].strip()[:200]
        detail = f"it is not readable as {_NAMES[kind]}: {cause}"
        raise errors.Invalid("body", detail) from None
    if not rows:
        raise errors.Invalid("body", "it has no row")
    return {"columns": table.names, "rows": rows, "warnings": _warnings(table)}


def _read_all(table: ArrowFile, limit: int) -> int:
    """Read each cell; return the number of rows."""
    columns = len(table.schema.names)
    _check_size(table.stored_rows * columns, limit)
    rows = size = 0
    for batch in table.batches(table.schema.names):
        rows += batch.num_rows
        size += batch.nbytes
        _check_size(max(size, rows * columns), limit)
    return rows


def _check_size(size: int, limit: int) -> None:
    """Raise `errors.TooLarge` for too many bytes; a cell counts as one at least."""
    if size > limit:
        raise errors.TooLarge("body", f"over the limit of {limit} bytes when decoded", limit=limit)


def _warnings(table: ArrowFile) -> list[str]:
    """Return what a training cannot use."""
    found = suspect_names(table.names, of_csv=False)
    fields = (table.schema.field(name) for name in table.names)
    if unread := [each.name for each in fields if arrow_kind(each.type) is None]:
        found.append(
            "columns that hold neither numbers, booleans, texts nor dates cannot be used: "
            f"{listed(unread)}"
        )
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))  # type: ignore[arg-type]
