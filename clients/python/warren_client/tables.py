"""What can be sent as a table: a file, or a data frame."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warren_client.errors import Unsendable

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".arrow", ".feather")
_READ_BYTES = 1_000_000


@dataclass(frozen=True)
class Table:
    """The bytes of a table, or the file that has them, and how to read them.

    `params` are those of the query that says the dialect of a CSV. `types` are the types of columns
    that a training has to be told, because the file does not say them.
    """

    content: bytes | Path
    sha256: str
    media_type: str = "application/octet-stream"
    params: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id of a data set with this content."""
        return f"data-{self.sha256[:24]}"


def is_frame(data: object) -> bool:
    """Tell whether something is a data frame of pandas, without importing pandas."""
    return any(
        base.__name__ == "DataFrame" and base.__module__.partition(".")[0] == "pandas"
        for base in type(data).__mro__
    )


def as_path(data: object) -> Path | None:
    """Return the file that something names, or None if it is the id of a data set.

    A text names a file if it has a separator of folders, or ends as tables do.
    """
    if isinstance(data, Path):
        return data
    if not isinstance(data, str):
        return None
    path = Path(data)
    if "/" in data or os.sep in data or data.lower().endswith(SUFFIXES):
        return path
    return None


def table_of(data: "pd.DataFrame | str | Path | bytes") -> Table:
    """Return a file, its bytes, or a data frame as a table.

    Raises `Unsendable` for anything else, or for a column that a file cannot hold without a loss,
    and `OSError` for a file that cannot be read.
    """
    if is_frame(data):
        from warren_client.frames import frame_table  # it needs pandas

        return frame_table(data)  # type: ignore[arg-type]
    if isinstance(data, bytes):
        return Table(data, hashlib.sha256(data).hexdigest())
    if not isinstance(data, str | Path):
        raise Unsendable(
            f"a {_kind(data)} is no table; give a data frame of pandas, or the path of a CSV, "
            "Parquet or Arrow file"
        )
    return Table(Path(data), _file_sha256(Path(data)))


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _kind(data: Any) -> str:
    return f"{type(data).__module__}.{type(data).__qualname__}".removeprefix("builtins.")
