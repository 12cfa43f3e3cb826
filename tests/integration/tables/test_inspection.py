import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import errors
from app.tables.inspection import Inspected, TableInspector
from tests.support.killed import killed

LIMIT = 100_000_000
FRAME = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})


@contextmanager
def stored(content: bytes) -> Iterator[IO[bytes]]:
    """Give a file without a name that has this content."""
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file


def inspect(content: bytes, kind: Any = "parquet", limit: int = LIMIT) -> Inspected:
    with stored(content) as file:
        return TableInspector()(file, kind, limit)


def parquet(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(table), sink, **options)
    return sink.getvalue()


def repeated(length: int, rows: int) -> bytes:
    """Return a Parquet file of one long text that stands in each row."""
    column = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["x" * length])
    return parquet({"a": column}, store_schema=False)


def arrow(table: pa.Table, new: Any = pa.ipc.new_file, **options: Any) -> bytes:
    sink = io.BytesIO()
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (FRAME.to_parquet(), "parquet"),
        (FRAME.set_index(pd.Index([3, 4])).to_parquet(), "parquet"),
        (arrow(pa.Table.from_pandas(FRAME)), "arrow"),
        (arrow(pa.Table.from_pandas(FRAME), pa.ipc.new_stream, compression="zstd"), "arrow"),
    ],
)
def test_the_columns_and_rows_of_a_table_are_found(content: bytes, kind: Any) -> None:
    assert inspect(content, kind) == Inspected(["a", "b"], 2, [])


def test_columns_that_no_training_can_use_are_told() -> None:
    content = parquet({"a": [[1]], " b": [{"c": 1}], "c": [b"x"], "d": [1]})

    assert inspect(content).warnings == [
        'blanks at the ends of names belong to the names: " b"',
        'columns that hold neither numbers, booleans, texts nor dates cannot be used: a, " b", c',
    ]


WHOLE = parquet({"a": np.arange(100_000), "b": ["x"] * 100_000})
STREAM = arrow(pa.table({"a": np.arange(1000), "b": ["xyz"] * 1000}), pa.ipc.new_stream)


def pointing_elsewhere() -> bytes:
    """An Arrow stream whose texts begin a gigabyte behind its end."""
    offsets = struct.pack("<3i", 0, 3, 6)
    assert STREAM.count(offsets) == 1
    return STREAM.replace(offsets, struct.pack("<3i", 0, 10**9, 10**9))


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (WHOLE[:-100], "parquet", "it is not readable as Parquet"),
        (WHOLE[:400] + bytes(2000) + WHOLE[2400:], "parquet", "it is not readable as Parquet"),
        (WHOLE[:4] + WHOLE[-8:], "parquet", "it is not readable as Parquet"),
        (STREAM[:-2000], "arrow", "it is not readable as Arrow"),
        (pointing_elsewhere(), "arrow", "it is not readable as Arrow"),
        (parquet({"a": pa.array([], pa.int8())}), "parquet", "it has no row"),
        (arrow(pa.table({"": [1]})), "arrow", "column 1 has no name"),
        (arrow(pa.table([[1], [2]], names=["a", "a"])), "arrow", "columns named twice: a"),
        (
            arrow(pa.table({"a": pa.array([b"\xff"]).view(pa.string())})),
            "arrow",
            "it is not readable as Arrow",
        ),
    ],
)
def test_what_a_training_could_not_read_is_refused(content: bytes, kind: Any, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        inspect(content, kind)

    assert said in caught.value.detail
    assert caught.value.extra["field"] == "body"


@pytest.mark.parametrize(
    "content",
    [
        parquet({"a": pa.nulls(50_000_000, pa.float64())}),
        parquet({"a": pa.nulls(200_000_000)}),
        repeated(200_000, 1000),
        arrow(pa.table({"a": np.zeros(20_000_000)}), compression="zstd"),
    ],
    ids=["nulls", "rows", "texts", "batch"],
)
def test_a_small_file_of_very_many_cells_is_too_large(content: bytes) -> None:
    assert len(content) < 2_000_000

    with pytest.raises(errors.TooLarge, match="over the limit of 100000000 bytes when decoded"):
        inspect(content, "arrow" if content.startswith(b"ARROW1") else "parquet")


def test_a_file_that_needs_too_much_memory_is_refused() -> None:
    content = repeated(1_000_000, 5000)
    assert len(content) < 2_000_000

    with pytest.raises(errors.Invalid, match="needs more than 1,500 MB of memory"):
        inspect(content, limit=10**11)


def test_a_file_that_takes_too_long_is_refused() -> None:
    with stored(WHOLE) as file, pytest.raises(errors.Invalid, match=r"took longer than 0\.01 s"):
        TableInspector(seconds=0.01)(file, "parquet", LIMIT)


def test_a_place_is_free_again_after_each_inspection() -> None:
    inspector = TableInspector(at_a_time=1)
    with stored(WHOLE[:-1]) as damaged, stored(WHOLE) as whole:
        with pytest.raises(errors.Invalid):
            inspector(damaged, "parquet", LIMIT)

        assert inspector(whole, "parquet", LIMIT).rows == 100_000


def test_a_child_that_is_killed_from_outside_says_nothing_about_the_file(tmp_path: Path) -> None:
    inspector = TableInspector(at_a_time=1)
    with stored(WHOLE) as file:
        with (
            killed("app.tables.inspection_child", tmp_path),
            pytest.raises(errors.Unavailable, match="the file is not at fault"),
        ):
            inspector(file, "parquet", LIMIT)

        assert inspector(file, "parquet", LIMIT).rows == 100_000
