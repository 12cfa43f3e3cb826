"""Read the record batches of a Parquet or Arrow file, a part of its columns at a time."""

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from app import errors
from app.protocol.wording import listed, repeated
from app.tables.dialect import Kind

BATCH_CELLS = 500_000
_READ_BYTES = 1_000_000  # of a Parquet column at a time, so that no row group is in memory
_BATCH_BYTES = 64_000_000
_MIN_BATCH_ROWS = 64
_ARROW_FILE = b"ARROW1"


class ArrowFile:
    """A Parquet or Arrow file; `names` leaves out an index of pandas that has no name.

    Its methods raise pyarrow's errors about damaged files.
    """

    def __init__(self, file: pa.MemoryMappedFile, kind: Kind) -> None:
        """Read the schema of an opened file."""
        self._file = file
        self._parquet = None
        if kind == "parquet":
            self._parquet = pq.ParquetFile(file, buffer_size=_READ_BYTES, pre_buffer=False)
            self.schema = self._parquet.schema_arrow
        else:
            self.schema, _ = self._open_ipc()
        index = _index_columns(self.schema)
        self.names = [name for name in self.schema.names if name not in index]

    @property
    def stored_rows(self) -> int:
        """Return the number of rows that a Parquet file says it has; 0 if it does not say."""
        return self._parquet.metadata.num_rows if self._parquet else 0

    def batches(self, names: Sequence[str], rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all rows of these columns, `rows` or about `BATCH_CELLS` cells at a time."""
        rows = rows or max(_MIN_BATCH_ROWS, BATCH_CELLS // max(1, len(names)))
        for batch in self._batches(names, rows):
            batch.validate(full=True)  # offsets may point elsewhere, texts may not be UTF-8
            for begin in range(0, batch.num_rows, rows):
                yield batch.slice(begin, rows)

    def _batches(self, names: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        if self._parquet:
            rows = min(rows, max(_MIN_BATCH_ROWS, _BATCH_BYTES // self._row_bytes()))
            yield from self._parquet.iter_batches(rows, columns=list(names), use_threads=False)
            return
        # A batch is in memory as a whole, unless it can be read from the mapped file.
        yield from self._open_ipc([self.schema.get_field_index(name) for name in names])[1]

    def _row_bytes(self) -> int:
        """Return the mean size of a row of a Parquet file, in bytes, when it is decompressed."""
        assert self._parquet is not None
        about = self._parquet.metadata
        groups = range(about.num_row_groups)
        size: int = sum(about.row_group(at).total_byte_size for at in groups)
        return max(1, size // (int(about.num_rows) or 1))

    def _open_ipc(
        self, places: Sequence[int] | None = None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Return the schema and the batches of an Arrow file or stream."""
        fields = None if places is None else list(places)
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields)
        self._file.seek(0)
        if self._file.read(len(_ARROW_FILE)) != _ARROW_FILE:
            self._file.seek(0)
            stream = pa.ipc.open_stream(self._file, options=options)
            return stream.schema, iter(stream)
        file = pa.ipc.open_file(self._file, options=options)
        return file.schema, (file.get_batch(at) for at in range(file.num_record_batches))


def check_names(names: Sequence[str]) -> None:
    """Raise `errors.Invalid` unless there are columns, each with a name of its own."""
    if not names:
        raise errors.Invalid("body", "it has no column")
    if "" in names:
        raise errors.Invalid("body", f"column {list(names).index('') + 1} has no name")
    if twice := repeated(names):
        raise errors.Invalid("body", f"columns named twice: {listed(twice)}")


def _index_columns(schema: pa.Schema) -> set[str]:
    """Return the columns that hold an index of pandas without a name of its own."""
    try:
        described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        index = [each for each in described.get("index_columns", ()) if isinstance(each, str)]
    except (ValueError, AttributeError, TypeError):
        return set()
    return {name for name in index if name.startswith("__index_level_")}
