"""Describe a table: `python -m app.datasets.description_child FILE FORMAT DATASET_ID`.

FORMAT is the JSON of a `TableFormat`, or null. Writes `{"description": {...}}` or
`{"error": {...}}` to stdout. It is a process of its own, with limits of memory and time, because a
file may be large, and the producer imports neither pandas nor pyarrow.
"""

import json
import sys
from typing import Any

from app import errors
from app.children.limits import DESCRIPTION
from app.datasets.describe import describe
from app.protocol.wire_errors import found_or_error
from app.runtime import limit_resources
from app.tables.dialect import TableFormat

CPU_SECONDS = 300


def main(path: str, written: str, dataset_id: str) -> None:
    """Describe the file at `path`; write what is found to stdout."""
    limit_resources(DESCRIPTION, CPU_SECONDS)
    told = json.loads(written)

    def look() -> dict[str, Any]:
        table_format = TableFormat.model_validate(told) if told else None
        return {"description": describe(path, table_format, dataset_id).model_dump(mode="json")}

    found = found_or_error(
        look,
        lambda detail: errors.BadData("dataset_id", detail),
        f"data set {dataset_id} is too large to be described; a training may still read it",
        f"data set {dataset_id} cannot be described; the producer's log has the cause",
    )
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
