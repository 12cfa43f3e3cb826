"""Read an MLflow model folder: `python -m app.mlflow.import_child FILE LIMIT`.

Writes `{"member": ..., "manifest": {...}}` or `{"error": {...}}` to stdout: which file of the zip
archive is the ONNX graph, and what describes it. It is a process of its own because the archive may
be malicious: it has limits of memory and time, and opens no other file. No code of the folder is
run.
"""

import io
import json
import sys
from pathlib import Path
from typing import IO, Any

from app import errors
from app.children.limits import FILE_COPIES, FOLDER_INSPECTION
from app.mlflow.archive import MAX_MLMODEL, MLMODEL, copy_member, find_folder, open_archive
from app.mlflow.graph_manifest import describe_graph
from app.mlflow.onnx_flavour import read_mlmodel
from app.protocol.wire_errors import found_or_error
from app.runtime import confine_inspection

CPU_SECONDS = 60

"".encode("cp437")  # of names in archives: this loads the codec while files can be opened

_NEEDS_MEMORY = f"reading it needs more than {FOLDER_INSPECTION / 1e6:,.0f} MB of memory"


def main(path: str, limit: int) -> None:
    """Read the archive at `path`, whose graph may have `limit` bytes; write what is found."""
    with Path(path).open("rb") as file:
        confine_inspection(FOLDER_INSPECTION + FILE_COPIES * limit, CPU_SECONDS)
        found = found_or_error(
            lambda: read_folder(file, limit),
            lambda detail: errors.Invalid("body", detail),
            _NEEDS_MEMORY,
            "it cannot be read; the log of the producer has the cause",
        )
        sys.stdout.write(json.dumps(found))


def read_folder(file: IO[bytes], limit: int) -> dict[str, Any]:
    """Return the graph's name in an archive and its manifest.

    Raises `errors.Invalid` or `TooLarge`.
    """
    with open_archive(file) as archive:
        folder = find_folder(archive.namelist())
        text, graph = io.BytesIO(), io.BytesIO()
        copy_member(archive, folder + MLMODEL, text, MAX_MLMODEL)
        flavour = read_mlmodel(text.getvalue())
        member = folder + flavour.file
        copy_member(archive, member, graph, limit)
    manifest = describe_graph(graph.getvalue(), flavour.columns)
    return {"member": member, "manifest": manifest.model_dump(mode="json")}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
