"""A version of a data set: a content that it has or had."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.tables.dialect import TableFormat


@dataclass(frozen=True)
class Facts:
    """What Warren knows of a file after reading it.

    `table_format` says how to read it. `told` is the same format if the sender named it because the
    file alone shows another one, or none; otherwise it is None.
    """

    columns: Sequence[str] | None = None
    rows: int | None = None
    warnings: Sequence[str] | None = None
    table_format: Mapping[str, Any] | None = None
    told: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class DatasetVersion:
    """A row of the table; `size` is in bytes.

    A field is None until it is known: of a file of another S3 client, only a description finds out
    the columns and rows. `etag` is that of the current object while that object has this content.
    """

    dataset_id: str
    version: str
    file_key: str
    etag: str | None
    size: int
    table_format: dict[str, Any] | None
    columns: list[str] | None
    rows: int | None
    warnings: list[str] | None
    created_at: datetime

    @property
    def format(self) -> TableFormat | None:
        """Return how to read the file; None if a reader has to find it out."""
        return TableFormat.model_validate(self.table_format) if self.table_format else None


def version_of(sha256: str, told: Mapping[str, Any] | None = None) -> str:
    """Return the name of a version: the sha256 of its bytes.

    The same bytes read in another way are another version, so a dash and a hash of `told` follow if
    the file alone does not show the format.
    """
    if not told:
        return sha256
    options = json.dumps(dict(told), sort_keys=True).encode()
    return f"{sha256}-{hashlib.sha256(options).hexdigest()[:16]}"
