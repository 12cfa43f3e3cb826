"""Data frames become files and rows without a loss, or are refused."""

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from warren_client.calls import as_json
from warren_client.errors import Unsendable
from warren_client.frame_rows import frame_rows
from warren_client.frames import frame_table
from warren_client.records import ModelRecord
from warren_client.rows import Answers, rows_of, shaped
from warren_client.tables import as_path, table_of
from warren_client.values import plain

BIG = 2**53 + 1
COLUMNS = {
    "ints": pd.array([BIG, None], dtype="Int64"),
    "floats": [0.1 + 0.2, np.nan],
    "small": np.array([0.1, 2], np.float32),
    "bools": np.array([True, None], object),
    "flags": pd.array([None, False], dtype="boolean"),
    "texts": ["007", "NA"],
    "labels": pd.Categorical(["a", None]),
    "codes": pd.Categorical([7, 1]),
    "days": pd.to_datetime(["2025-01-31", None]),
    "times": pd.to_datetime(["2025-01-31T12:00:00.000001+01:00", None]),
    "dates": np.array([date(2025, 1, 31), None], object),
    "decimals": np.array([Decimal("1.10"), None], object),
}


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(COLUMNS, index=["x", "y"])


@pytest.fixture
def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren_client.frames.find_spec", lambda _: None)


def test_parquet_holds_every_value(frame):
    table = frame_table(frame)
    assert isinstance(table.content, bytes)
    found = pd.read_parquet(io.BytesIO(table.content), dtype_backend="pyarrow")

    assert list(found) == list(frame)
    assert found["ints"].tolist() == [BIG, pd.NA]
    assert found["floats"].tolist() == [0.1 + 0.2, pd.NA]
    assert found["small"].tolist() == [float(np.float32(0.1)), 2]
    assert found["bools"].tolist() == [True, pd.NA]
    assert found["texts"].tolist() == ["007", "NA"]
    assert found["labels"].tolist() == ["a", pd.NA]
    assert found["codes"].tolist() == [7, 1]
    assert found["times"][0] == pd.Timestamp("2025-01-31T11:00:00.000001Z")
    assert found["dates"][0] == date(2025, 1, 31)
    assert found["decimals"][0] == Decimal("1.10")
    assert table.types == {"codes": "category"}
    assert frame_table(frame) == table


@pytest.mark.usefixtures("without_pyarrow")
def test_csv_holds_every_value_and_tells_the_types(frame):
    table = frame_table(frame)
    assert isinstance(table.content, bytes)
    header, first, second = table.content.decode().splitlines()

    assert header == ",".join(COLUMNS)
    assert first == (
        f"{BIG},0.30000000000000004,0.10000000149011612,true,,007,a,7,2025-01-31T00:00:00,"
        "2025-01-31T12:00:00.000001+01:00,2025-01-31,1.1"
    )
    assert second == ",,2.0,,false,NA,,1,,,,"
    assert table.types == {
        "codes": "category",
        **dict.fromkeys(("texts", "labels"), "text"),
        **dict.fromkeys(("days", "times", "dates"), "date"),
    }
    assert table.params["delimiter"] == "comma"


@pytest.mark.parametrize("pyarrow", [True, False])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([1, "a"], object), "int, str"),
        (np.array([[1], [2]], object).tolist(), "list"),
        ([1j, 2j], "complex"),
        (pd.to_timedelta([1, 2]), "Timedelta"),
    ],
)
def test_a_column_that_a_file_cannot_hold_is_named(values, said, pyarrow, request):
    if not pyarrow:
        request.getfixturevalue("without_pyarrow")
    with pytest.raises(Unsendable, match=f"column 'a' of the type .* holds .*{said}"):
        frame_table(pd.DataFrame({"a": values}))


def test_names_are_texts_and_each_its_own():
    assert b"7" in frame_table(pd.DataFrame({7: [1]})).content  # type: ignore[operator]
    with pytest.raises(Unsendable, match="two columns have the name '1'"):
        frame_table(pd.DataFrame([[1, 2]], columns=[1, "1"]))
    with pytest.raises(Unsendable, match="several levels"):
        frame_table(pd.DataFrame({("a", "b"): [1]}))


def test_rows_have_the_values_of_the_frame(frame):
    columns, rows = frame_rows(frame, None)

    assert columns == list(COLUMNS)
    assert rows[0] == [
        *(BIG, 0.1 + 0.2, float(np.float32(0.1)), True, None, "007", "a", 7),
        *("2025-01-31T00:00:00", "2025-01-31T12:00:00.000001+01:00", "2025-01-31", 1.1),
    ]
    assert rows[1] == [None, None, 2.0, None, False, "NA", None, 1, None, None, None, None]
    assert type(rows[0][0]) is int
    assert frame_rows(frame, ["texts", "ints"])[1] == [["007", BIG], ["NA", None]]
    with pytest.raises(Unsendable, match="no column 'other', which the model needs"):
        frame_rows(frame, ["texts", "other"])


def test_what_json_has_no_form_of_is_named():
    with pytest.raises(Unsendable, match="column 'a': a number is infinite"):
        frame_rows(pd.DataFrame({"a": [1, np.inf]}), None)
    with pytest.raises(Unsendable, match="is a time; use numbers"):
        plain(time(12))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(BIG), BIG),
        (np.bool_(1), True),
        (np.float32("nan"), None),
        (np.datetime64("2025-01-31T12:00:00.000000001"), "2025-01-31T12:00:00.000000001"),
        (np.datetime64("NaT"), None),
        (np.longdouble(0.5), 0.5),
        (pd.NaT, None),
        (pd.NA, None),
        (datetime(2025, 1, 31, tzinfo=UTC), "2025-01-31T00:00:00+00:00"),
    ],
)
def test_a_single_value_is_plain(value, expected):
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


@pytest.mark.parametrize(
    ("labels", "shares"),
    [
        ([False, True], {"false": 0.25, "true": 0.75}),
        (["true", True], {"true": 0.25, "True": 0.75}),
        ([1, 2], {"1": 0.25, "2": 0.75}),
        (["1", "2"], {"1": 0.25, "2": 0.75}),
    ],
)
def test_probabilities_have_the_labels_of_the_model(labels, shares):
    model = ModelRecord(model_id="m", labels=labels)
    rows = rows_of([{"a": 1}], model)

    (found,) = shaped(Answers([labels[1]], [shares]), rows, model, proba=True)

    assert list(found.items()) == list(zip(labels, (0.25, 0.75), strict=True))
    assert [type(label) for label in found] == [type(label) for label in labels]


def test_what_is_no_row_is_named(frame):
    model = ModelRecord(model_id="m")

    row = frame[["texts", "codes"]].iloc[0]
    assert rows_of(row, model).part(0, 1) == (1, {"input_data": [{"texts": "007", "codes": 7}]})
    wanted = ModelRecord(model_id="m", features=[{"name": "codes"}])
    assert rows_of(row, wanted).part(0, 1) == (1, {"input_data": [{"codes": 7}]})
    for asked, said in [(7, "no list of rows"), ("a", "no list of rows"), ([1, 2], "1 is no row")]:
        with pytest.raises(Unsendable, match=said):
            rows_of(asked, model)


def test_numbers_of_numpy_are_numbers_in_a_request_too():
    body = {"params": {"n": np.int64(3), "share": np.float32(0.5), "since": date(2025, 1, 31)}}

    assert as_json(body) == '{"params":{"n":3,"share":0.5,"since":"2025-01-31"}}'
    for value in (np.nan, object(), np.zeros(2)):
        with pytest.raises(Unsendable):
            as_json({"a": value})


def test_a_text_is_a_file_or_the_id_of_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "houses.csv").write_text("a\n1\n")
    (tmp_path / "houses").write_text("a\n1\n")

    assert as_path("houses.csv") is not None
    assert as_path("houses") is None
    assert as_path("other.csv") is not None  # so that a file that is missing is told
    assert as_path("./houses") is not None
    assert table_of("houses.csv").id == table_of(tmp_path / "houses").id
    with pytest.raises(Unsendable, match=r"a numpy\.ndarray is no table"):
        table_of(np.zeros(1))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        table_of("none.csv")


@pytest.mark.parametrize("packages", ["pyarrow", None])
def test_a_text_with_half_a_character_is_not_sent(packages, request):
    if packages is None:
        request.getfixturevalue("without_pyarrow")
    frame = pd.DataFrame({"a": pd.Series(["x", "b\ud800"], dtype=object)})
    with pytest.raises(Unsendable, match="column 'a' has a text with half a character"):
        frame_table(frame)


def test_a_sparse_column_is_sent_as_its_values():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0, 1, 0])})
    table = frame_table(frame)
    assert pd.read_parquet(io.BytesIO(table.content))["a"].tolist() == [0, 1, 0]


def test_names_of_one_level_are_names():
    columns = pd.MultiIndex.from_tuples([("a",), ("b",)])
    names, rows = frame_rows(pd.DataFrame([[1, 2]], columns=columns), None)
    assert (names, rows) == (["a", "b"], [[1, 2]])
