"""What is told of a table; the numbers are those of pandas."""

import json
import math

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app import errors
from app.datasets.describe import MAX_COLUMNS, describe
from app.datasets.descriptions import describe_in_child
from app.tables.dialect import TableFormat
from tests.support.killed import killed


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def numbers():
    return pd.DataFrame(
        {
            "size": [1.5, 2.5, None, 2.5] * 50,
            "colour": ["red", "blue", "red", None] * 50,
            "day": [f"2025-01-{1 + number % 28:02}" for number in range(200)],
            "new": [True, False, False, False] * 50,
            "key": [f"k{number}" for number in range(200)],
            "same": [1] * 200,
            "size again": [1.5, 2.5, None, 2.5] * 50,
            "empty": [None] * 200,
        }
    )


@pytest.mark.parametrize("cells", [1, 1000, 10**7])
def test_a_table_is_described(table, cells):
    frame = numbers()

    found = describe(table(frame.to_csv(index=False)), None, "d", cells)

    assert (found.rows, found.more_columns, found.format) == (200, 0, TableFormat.csv())
    assert [each.name for each in found.columns] == list(frame)
    of = {each.name: each for each in found.columns}
    assert [each.type for each in found.columns] == [
        *("number", "text", "text", "boolean", "text", "number", "number", "empty"),
    ]
    size = of["size"]
    assert (size.missing, size.distinct, size.min, size.max) == (50, 2, 1.5, 2.5)
    assert math.isclose(size.mean, frame["size"].mean(), rel_tol=1e-12)
    assert math.isclose(size.std, frame["size"].std(), rel_tol=1e-12)
    assert [(each.value, each.count) for each in of["colour"].most_frequent] == [
        ("red", 100),
        ("blue", 50),
    ]
    assert (of["empty"].missing, of["key"].distinct) == (200, 200)
    assert found.head[0] == {
        "size": 1.5,
        "colour": "red",
        "day": "2025-01-01",
        "new": "True",
        "key": "k0",
        "same": 1.0,
        "size again": 1.5,
        "empty": None,
    }
    assert len(found.head) == 5
    assert {(each.type, each.field) for each in found.warnings} == {
        ("identifier_like", "key"),
        ("constant_column", "same"),
        ("dates_as_text", "day"),
        ("duplicate_column", "size again"),
        ("unusable_column", "empty"),
    }


def test_columns_that_cannot_be_learnt_from_are_described(table):
    rows = "".join(f"{number},1e999,05\n" for number in range(3))

    found = describe(table("a,huge,code\n" + rows), None, "d")

    assert [each.type for each in found.columns] == ["number", "number", "number"]
    kinds = {each.type for each in found.warnings}
    assert {"unusable_column", "leading_zeros"} <= kinds
    json.dumps(found.model_dump(mode="json"), allow_nan=False)


def test_of_very_many_columns_the_first_are_described(table):
    names = [f"c{number}" for number in range(MAX_COLUMNS + 7)]

    found = describe(table(",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n"), None, "d")

    assert len(found.columns) == MAX_COLUMNS
    assert found.more_columns == 7


def test_a_dialect_is_found_out_or_told(table):
    text = "a;b\n1,5;x\n2,5;y\n"

    found = describe(table(text), None, "d")

    assert found.format.csv_dialect.delimiter == ";"
    assert found.columns[0].mean == 2.0
    assert found.head[0] == {"a": 1.5, "b": "x"}
    assert describe(table(text), found.format, "d") == found


def test_parquet_is_described(tmp_path):
    path = tmp_path / "table"
    frame = pd.DataFrame({"a": [1, 2, 3], "when": pd.to_datetime(["2025-01-31"] * 3)})
    frame.assign(lists=[[1]] * 3).to_parquet(path)

    found = describe(str(path), None, "d")

    assert [each.type for each in found.columns] == ["number", "date", "empty"]
    assert (found.rows, found.format.kind) == (3, "parquet")
    assert "unusable_column" in {each.type for each in found.warnings}
    assert found.head[0]["a"] == 1.0


def test_a_column_of_dates_in_a_wrong_unit_hides_no_other(tmp_path):
    path = tmp_path / "table"
    late = pa.array([0, 1_600_000_000 * 10**9], pa.timestamp("us"))
    pq.write_table(pa.table({"a": [1, 2], "when": late}), path)

    found = describe(str(path), None, "d")

    assert [each.type for each in found.columns] == ["number", "empty"]
    (warning,) = found.warnings
    assert (warning.type, warning.field) == ("unusable_column", "when")
    assert "outside of the years" in warning.detail


def test_a_child_describes_a_table(table):
    path = table(numbers().to_csv(index=False))

    found = describe_in_child(path, None, "d")

    assert found == describe(path, None, "d").model_dump(mode="json")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,b\n"1,2\n'])
def test_a_child_tells_what_is_wrong(table, content):
    with pytest.raises(errors.BadData, match=r".") as caught:
        describe_in_child(table(content), None, "d")

    assert "Traceback" not in caught.value.detail


def test_a_child_that_the_system_kills_says_nothing_about_the_table(table, tmp_path):
    with (
        killed("app.datasets.description_child", tmp_path),
        pytest.raises(errors.Unavailable, match="the file is not at fault, so try again later"),
    ):
        describe_in_child(table("a,b\n1,2\n"), None, "d")


def test_a_table_whose_description_takes_too_long_is_too_large(table):
    with pytest.raises(errors.BadData, match="too large to be described"):
        describe_in_child(table("a,b\n1,2\n"), None, "d", seconds=0.01)
