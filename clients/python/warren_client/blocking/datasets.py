# Written by `python -m devstack.blocking_client`; change asynchronous/datasets.py instead.
"""The data sets of a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warren_client.blocking.listing import entries
from warren_client.blocking.primitives import work
from warren_client.blocking.transport import Transport
from warren_client.calls import UPLOAD_SECONDS, Call, get, part
from warren_client.errors import NotFound
from warren_client.html import dataset_html
from warren_client.records import DatasetRecord, member, read
from warren_client.tables import Table, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

NOT_MODIFIED = 304


class Dataset:
    """A data set as it was when the server was asked last; `record` has all that is known of it.

    `types` are the types of columns that a training has to be told, because the file that was
    uploaded does not say them; only an upload of a data frame knows them.
    """

    def __init__(
        self,
        transport: Transport,
        record: DatasetRecord,
        types: Mapping[str, str] | None = None,
    ) -> None:
        """Show a data set of a server."""
        self._transport = transport
        self.record = record
        self.types = dict(types or {})

    def __repr__(self) -> str:
        return f"<data set {self.id}: {self.rows} rows>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return dataset_html(self.record)

    @property
    def id(self) -> str:
        """The id of the data set."""
        return self.record.id

    @property
    def version(self) -> str | None:
        """The name of the content: the sha256 of the file."""
        return self.record.version

    @property
    def rows(self) -> int | None:
        """The number of rows."""
        return self.record.rows

    @property
    def columns(self) -> Any:
        """The columns: names after an upload, descriptions with brackets, a number in lists."""
        return self.record.columns

    def describe(self) -> Dataset:
        """Ask for the description of all columns; return the data set. Raises `WarrenError`."""
        answer = self._transport.json(get(f"/datasets/{part(self.id)}"))
        self.record = read(DatasetRecord, answer)
        return self

    def download(self, path: str | Path) -> Path:
        """Save the file of the data set as it was stored; return its path.

        Raises `WarrenError` and `OSError`.
        """
        call = get(f"/datasets/{part(self.id)}/file", version=self.version)
        return self._transport.download(call, Path(path))

    def delete(self) -> None:
        """Delete the data set and all its versions. Raises `WarrenError`."""
        self._transport.send(Call("DELETE", f"/datasets/{part(self.id)}"))


class Datasets:
    """All data sets: by id in brackets, one after the other in a loop, by their ids."""

    def __init__(self, transport: Transport) -> None:
        """Show the data sets of a server."""
        self._transport = transport

    def __repr__(self) -> str:
        return f"<data sets of the Warren at {self._transport.server.url}>"

    def __getitem__(self, dataset_id: str) -> Dataset:
        """Return a data set with the description of its columns. Raises `NotFound`, `WarrenError`.

        The server reads all of a large file first, and this call waits for it.
        """
        return Dataset(self._transport, DatasetRecord(id=dataset_id)).describe()

    def __iter__(self) -> Iterator[Dataset]:
        return self.list()

    def list(
        self, *, begin: str | None = None, sort: str | None = None, limit: int | None = None
    ) -> Iterator[Dataset]:
        """Yield data sets, at most `limit`: those whose id begins with `begin`.

        `sort` is `id`, `size` or `modified`, behind a minus if the largest comes first.
        """
        found = entries(self._transport, "/datasets", "datasets", limit, begin=begin, sort=sort)
        for entry in found:
            yield Dataset(self._transport, read(DatasetRecord, entry))

    def upload(
        self, data: pd.DataFrame | str | Path | bytes, dataset_id: str | None = None
    ) -> Dataset:
        """Store a file, its bytes, or a data frame without its index, as a data set; return it.

        Without an id, the id follows from the content, so the same table is uploaded once. A frame
        is sent as Parquet, or without pyarrow as CSV. Raises `Unsendable`, `OSError`,
        `WarrenError`.
        """
        table = work(lambda: table_of(data))
        return self.store(table, dataset_id)

    def store(self, table: Table, dataset_id: str | None = None) -> Dataset:
        """Store a table that was made ready; return the data set. Raises `WarrenError`."""
        named = dataset_id or table.id
        path = f"/datasets/{part(named)}"
        if not self._has(path, table):
            headers = {"Content-Type": table.media_type}
            call = Call("PUT", path, table.params, headers, table.content, seconds=UPLOAD_SECONDS)
            stored = self._transport.json(call)
            found = {**stored, "id": member(stored, "dataset_id")}
            return Dataset(self._transport, read(DatasetRecord, found), table.types)
        known = DatasetRecord(id=named, version=table.sha256)
        return Dataset(self._transport, known, table.types)

    def delete(self, dataset_id: str) -> None:
        """Delete a data set and all its versions. Raises `NotFound`, `WarrenError`."""
        Dataset(self._transport, DatasetRecord(id=dataset_id)).delete()

    def _has(self, path: str, table: Table) -> bool:
        """Tell whether the current version of a data set is this file, read without options."""
        if table.params:
            return False
        condition = {"If-None-Match": f'"{table.sha256}"'}
        same = Call("GET", f"{path}/file", headers=condition, accepts=(NOT_MODIFIED,))
        try:
            with self._transport.stream(same) as answer:
                return answer.status_code == NOT_MODIFIED
        except NotFound:
            return False
