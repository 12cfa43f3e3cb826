import csv

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from app.inference.part_files import (
    ResultWriter,
    header_line,
    part_rows,
    read_part,
    write_part,
)
from app.inference.runtime import NO_PLACE, Answers
from app.inference.table_layout import TableLayout

NAN = float("nan")
FRAME = pd.DataFrame({"chosen-0": pd.Series(['a, "b"', None], dtype="str")})


def layout(**more):
    return TableLayout(features=[], chosen=["id"], **more)


def written(path, form, answers):
    writer = ResultWriter(path, form)
    writer.write(FRAME, answers)
    writer.close()
    return path


def test_a_part_is_read_as_it_was_written(tmp_path):
    frame = pd.DataFrame(
        {
            "feature-0": [1.5, NAN, 3.0],
            "feature-1": pd.Series([True, NAN, False], dtype=object),
            "feature-2": pd.Series(["x", None, "01"], dtype="str"),
        }
    )
    write_part(frame, tmp_path / "part")

    pieces = list(read_part(tmp_path / "part", 2))

    assert [len(each) for each in pieces] == [2, 1]
    found = pd.concat(pieces, ignore_index=True)
    np.testing.assert_array_equal(found["feature-0"], frame["feature-0"])
    assert found["feature-1"].isna().tolist() == [False, True, False]
    assert found["feature-2"].dtype == "str"
    assert found["feature-2"][2] == "01"


@pytest.mark.parametrize(
    ("columns", "rows"), [(1, 50_000), (40, 50_000), (100, 20_000), (10_000, 1000)]
)
def test_a_part_of_many_columns_has_fewer_rows(columns, rows):
    assert part_rows(columns) == rows


def test_numbers_are_written_in_full(tmp_path):
    path = written(tmp_path / "r", layout(), Answers(np.array([0.1 + 0.2, NAN]), None))

    assert path.read_bytes() == b'"a, ""b""",0.30000000000000004\n,\n'
    assert header_line(layout()) == b"id,prediction\n"


@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "a\r\nb", "\r", "\n", "a,b", ""])
def test_a_cell_with_a_line_end_stays_one_row(tmp_path, cell):
    writer = ResultWriter(tmp_path / "r", layout())
    writer.write(pd.DataFrame({"chosen-0": [cell, "last"]}), Answers(np.array([1.0, 2.0]), None))
    writer.close()

    found = pd.read_csv(tmp_path / "r", header=None, keep_default_na=False)

    assert found[1].tolist() == [1.0, 2.0]
    with (tmp_path / "r").open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == [cell, "last"]


@pytest.mark.parametrize(
    ("labels", "cell"), [(["x", "y"], b"y"), ([False, True], b"true"), ([3, 4], b"4")]
)
def test_labels_and_probabilities_have_columns(tmp_path, labels, cell):
    form = layout(labels=labels, probabilities=True)
    answers = Answers(np.array([1, NO_PLACE]), np.array([[0.25, 0.75], [NAN, NAN]]))

    path = written(tmp_path / "r", form, answers)

    assert path.read_bytes() == b'"a, ""b""",' + cell + b",0.25,0.75\n,,,\n"


@pytest.mark.parametrize(
    ("labels", "wanted", "kind"),
    [
        (["x", "y"], "y", "string"),
        ([False, True], True, "bool"),
        ([3, 4], 4, "int64"),
        (["x", 4], "4", "string"),
        ([0, 2**70], str(2**70), "string"),
    ],
)
def test_labels_have_a_type_in_parquet(tmp_path, labels, wanted, kind):
    form = layout(labels=labels, probabilities=True, format="parquet")
    answers = Answers(np.array([1, NO_PLACE]), np.array([[0.25, 0.75], [NAN, NAN]]))

    table = pq.read_table(written(tmp_path / "r", form, answers))

    assert str(table.schema.field("prediction").type) == kind
    assert table.column("prediction").to_pylist() == [wanted, None]
    assert table.column(3).to_pylist() == [0.75, None]
