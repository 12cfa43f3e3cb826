"""The same table in every form has the same cells."""

import gzip
import io
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import errors
from app.protocol.column_types import ColumnType
from app.tables.column_types import infer_type, read_declared
from app.tables.dialect import DialectOptions, TableFormat
from app.tables.sniff import sniff
from app.tables.table import open_table

ROWS = 5000  # several chunks of few columns
rng = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "price": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(1000, 700, ROWS).round(2)),
        "count": rng.integers(-50, 5000, ROWS),
        "sold": rng.random(ROWS) < 0.5,
        "colour": pd.Series(rng.choice(["red", "blau, hell", 'größe 5"', ""], ROWS), dtype="str"),
        "large": rng.integers(2**52, 2**54, ROWS),
        "whole": np.where(rng.random(ROWS) < 0.1, np.nan, rng.integers(0, 9, ROWS)),
    }
)


def ipc(new, **options):
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    sink = io.BytesIO()
    with new(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=700)
    return sink.getvalue()


def grouped(frame):
    """The frame with its numbers as texts in German notation with groups."""
    swap = str.maketrans(",.", ".,")
    out = frame.copy()
    for name in ("price", "count", "large", "whole"):
        out[name] = [None if pd.isna(each) else f"{each:,}".translate(swap) for each in frame[name]]
    return out


PLAIN = FRAME.to_csv(index=False).encode()
FORMS = {
    "plain": PLAIN,
    "semicolons": FRAME.to_csv(index=False, sep=";", decimal=",").encode(),
    "tabs": FRAME.to_csv(index=False, sep="\t").encode(),
    "bars": FRAME.to_csv(index=False, sep="|", decimal=",").encode(),
    "crlf and bom": b"\xef\xbb\xbf" + FRAME.to_csv(index=False, lineterminator="\r\n").encode(),
    "cr": FRAME.to_csv(index=False, lineterminator="\r").encode(),
    "index": FRAME.to_csv().encode(),
    "index and semicolons": FRAME.to_csv(sep=";", decimal=",").encode(),
    "sep line": b"sep=;\r\n" + FRAME.to_csv(index=False, sep=";").encode(),
    "gzip": gzip.compress(PLAIN, mtime=0),
    "utf-16": FRAME.to_csv(index=False, sep="\t").encode("utf-16"),
    "gzip of utf-16": gzip.compress(FRAME.to_csv(index=False, sep=";").encode("utf-16"), mtime=0),
    "parquet": FRAME.to_parquet(index=False),
    "parquet with index": FRAME.iloc[::-1].iloc[::-1].set_index(np.arange(ROWS)[::-1]).to_parquet(),
    "small row groups": FRAME.to_parquet(index=False, row_group_size=300, compression="zstd"),
    "arrow file": ipc(pa.ipc.new_file),
    "arrow stream": ipc(pa.ipc.new_stream, compression="lz4"),
}


def typed(content, tmp_path, table_format=None, as_text=()):
    path = tmp_path / "table"
    path.write_bytes(content)
    with open_table(str(path), table_format, "d") as table:
        assert table.names == list(FRAME)
        cells = table.cells({name: at for at, name in enumerate(table.names)}, as_text)
        zeros = table.leading_zeros({name: at for at, name in enumerate(table.names)})
    assert zeros == {}
    return cells


def columns(cells):
    return {name: infer_type(name, each) for name, each in cells.items()}


def assert_same(found, expected):
    for name, column in expected.items():
        assert found[name].feature == column.feature
        assert found[name].warnings == column.warnings
        pd.testing.assert_series_equal(
            pd.Series(found[name].values), pd.Series(column.values), check_names=False
        )


@pytest.mark.parametrize("form", FORMS)
def test_a_table_has_the_same_columns_in_every_form(form, tmp_path):
    expected = columns(typed(PLAIN, tmp_path))
    assert [each.feature.type for each in expected.values()] == [
        *("number", "number", "boolean", "text", "number", "number")
    ]
    np.testing.assert_array_equal(expected["price"].values, FRAME["price"])

    assert_same(columns(typed(FORMS[form], tmp_path)), expected)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (grouped(FRAME).to_csv(index=False, sep=";").encode(), {"thousands": "."}),
        (grouped(FRAME).to_csv(index=False).encode(), {"thousands": ".", "decimal": ","}),
        (FRAME.to_csv(index=False, sep=";").encode("cp1252"), {"encoding": "windows-1252"}),
        (FRAME.rename_axis("id").to_csv().encode(), {"index": True}),
        (FRAME.to_csv(index_label=False).encode(), {"index": True}),
    ],
)
def test_so_it_has_with_options(content, options, tmp_path):
    found = sniff(content[:65_536], options=DialectOptions(**options)).format

    assert_same(columns(typed(content, tmp_path, found)), columns(typed(PLAIN, tmp_path)))


DECLARED = {
    "price": ColumnType(type="number"),
    "count": ColumnType(type="category", missing=["7"]),
    "sold": ColumnType(type="boolean"),
    "colour": ColumnType(type="text"),
}


@pytest.mark.parametrize("form", FORMS)
def test_declared_columns_are_the_same_in_every_form(form, tmp_path):
    def declared(content):
        cells = typed(content, tmp_path, as_text=DECLARED)
        return {name: read_declared(name, cells[name].texts(), of) for name, of in DECLARED.items()}

    found, expected = declared(FORMS[form]), declared(PLAIN)

    for name, values in expected.items():
        pd.testing.assert_series_equal(found[name], values)


def parquet(columns, tmp_path, **options):
    path = tmp_path / "table"
    pq.write_table(pa.table(columns), path, **options)
    return str(path)


def read(path, as_text=()):
    with open_table(path, None, "d") as table:
        return table.cells({name: at for at, name in enumerate(table.names)}, as_text)


MOMENT = datetime(2025, 1, 31, 12)
TYPED = [
    (pa.array([1, None, 3], pa.int8()), "number", [1, np.nan, 3]),
    (pa.array([2**63 + 2048, 1], pa.uint64()), "number", [2.0**63 + 2048, 1]),
    (pa.array([0.5, None, np.nan], pa.float32()), "number", [0.5, np.nan, np.nan]),
    (pa.array([0.5, 1], pa.float16()), "number", [0.5, 1]),
    (pa.array([Decimal("1234.56"), None, Decimal("0.10")]), "number", [1234.56, np.nan, 0.1]),
    (pa.array([True, None, False]), "boolean", [1, np.nan, 0]),
    (pa.array([True, False]), "boolean", [1, 0]),
    (pa.array([date(2025, 1, 31), None]), "date", [20119, np.nan]),
    (pa.array([MOMENT], pa.timestamp("s")), "date", [20119.5]),
    (pa.array([MOMENT, None], pa.timestamp("ns")), "date", [20119.5, np.nan]),
    (pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin")), "date", [20119.5]),
    (pa.array([MOMENT], pa.date64()), "date", [20119]),
    (pa.array(["a", None, ""], pa.string_view()), "text", ["a", np.nan, np.nan]),
    (pa.array(["01", "2"], pa.large_string()), "text", ["01", "2"]),
    (pa.array(["a", None, "a"]).dictionary_encode(), "text", ["a", np.nan, "a"]),
    (pa.array([3, None, 3]).dictionary_encode(), "number", [3, np.nan, 3]),
    (pa.array([None, None], pa.null()), "empty", None),
    (pa.array([None, None], pa.timestamp("s")), "empty", None),
]


@pytest.mark.parametrize(("array", "kind", "values"), TYPED)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_each_type_becomes_a_kind_of_columns(array, kind, values, form, tmp_path):
    if form == "parquet" and pa.types.is_string_view(array.type):
        array = array.cast(pa.string())
    path = tmp_path / "table"
    table = pa.table({"a": array})
    if form == "parquet":
        pq.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)

    cells = read(str(path))["a"]

    assert cells.kind == kind
    if values is None:
        with pytest.raises(errors.BadData, match="column a is empty"):
            infer_type("a", cells)
        return
    column = infer_type("a", cells)
    assert (column.feature.type, column.feature.nullable) == (kind, bool(pd.isna(values).any()))
    assert pd.Series(column.values).equals(
        pd.Series(values, dtype="str" if kind == "text" else "float64")
    )


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (pa.array([1, None, 3]), ["1", None, "3"]),
        (pa.array([1.0, None, np.nan, 0.1]), ["1.0", None, None, "0.1"]),
        (pa.array([Decimal("0.10")]), ["0.10"]),
        (pa.array([True, None]), ["True", None]),
        (pa.array([date(2025, 1, 31), None]), ["2025-01-31", None]),
        (pa.array([MOMENT], pa.timestamp("ns")), ["2025-01-31T12:00:00Z"]),
        (pa.array(["x", ""]), ["x", None]),
        (pa.array([3, None]).dictionary_encode(), ["3", None]),
        (pa.array([None], pa.null()), [None]),
    ],
)
def test_a_column_may_be_read_as_the_texts_of_a_csv(array, texts, tmp_path):
    path = parquet({"a": array}, tmp_path)

    found = read(path, as_text={"a"})["a"].texts()

    assert found.equals(pd.Series(texts, dtype="str"))


def test_a_column_of_lists_cannot_be_used_but_the_others_can(tmp_path):
    path = parquet({"a": pa.array([[1], [2]]), "b": pa.array([1, 2])}, tmp_path)

    with open_table(path, None, "d") as table:
        assert table.cells({"b": 1}, ())["b"].kind == "number"
        with pytest.raises(errors.BadData, match=r'column "a" holds list<.*leave it out'):
            table.cells({"a": 0}, ())


@pytest.mark.parametrize("rows", [1, 7, 5000, 100_000])
@pytest.mark.parametrize("form", ["plain", "index and semicolons", "parquet", "arrow stream"])
def test_chunks_have_so_many_rows_at_most(form, rows, tmp_path):
    path = tmp_path / "table"
    path.write_bytes(FORMS[form])

    with open_table(str(path), None, "d") as table:
        chunks = list(table.chunks({"price": 0, "c": 3}, {"c"}, rows))[:50]

    assert max(map(len, chunks)) == min(rows, 700 if form == "arrow stream" else ROWS)
    whole = pd.concat(chunks, ignore_index=True)
    assert list(whole) == ["price", "c"]
    np.testing.assert_array_equal(whole["price"], FRAME["price"][: len(whole)])
    assert whole["c"].fillna("").tolist() == FRAME["colour"][: len(whole)].tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FORMS["parquet"][:-9], "is not readable as Parquet: it is damaged"),
        (FORMS["parquet"][:4000] + bytes(3000) + FORMS["parquet"][7000:], "as Parquet: it is dam"),
        (FORMS["arrow stream"][:-3000], "is not readable as Arrow: it is damaged"),
        (FORMS["arrow file"][:-3000], "is not readable as Arrow: it is damaged"),
        (gzip.compress(PLAIN, mtime=0)[:-50], "is not readable as CSV: it is damaged"),
        (gzip.compress(PLAIN, mtime=0)[:200] + bytes(999), "is not readable as CSV: it is damaged"),
        ("a;b\nä;1\n".encode("cp1252"), "is not readable as CSV: it is not in UTF-8"),
    ],
)
def test_a_damaged_file_is_bad_data(content, said, tmp_path):
    path = tmp_path / "table"
    path.write_bytes(content)

    with pytest.raises(errors.BadData, match=said):
        read(str(path))


def test_a_file_that_is_not_there_is_no_fault_of_the_data(tmp_path):
    missing = open_table(str(tmp_path / "table"), TableFormat.csv(), "d")

    with pytest.raises(FileNotFoundError), missing:
        pass


@pytest.mark.parametrize(
    ("names", "said"), [(["a", "a"], "columns named twice: a"), (["a", ""], "column 2 has no name")]
)
def test_columns_need_names_of_their_own(names, said, tmp_path):
    table = pa.Table.from_arrays([pa.array([1])] * 2, names)
    path = tmp_path / "table"
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)

    with pytest.raises(errors.BadData, match=said):
        read(str(path))


@pytest.mark.parametrize("as_text", [set(), {"when"}])
@pytest.mark.parametrize("microseconds", [1_600_000_000 * 10**9, -70_000_000 * 10**9])
def test_dates_of_a_wrong_unit_are_refused_by_their_column(microseconds, as_text, tmp_path):
    path = parquet({"when": pa.array([0, microseconds], pa.timestamp("us"))}, tmp_path)

    said = 'column "when" holds a date outside of the years'
    with open_table(path, None, "d") as table, pytest.raises(errors.BadData, match=said):
        table.cells({"when": 0}, as_text)


def test_the_last_microsecond_of_dates_is_no_wrong_unit(tmp_path):
    last = pa.array([253_402_300_799_999_999], pa.timestamp("us"))
    path = parquet({"when": last}, tmp_path)

    with open_table(path, None, "d") as table:
        assert list(table.cells({"when": 0}, {"when"})["when"].texts()) == [
            "9999-12-31T23:59:59.999999Z"
        ]
