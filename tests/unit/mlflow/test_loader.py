"""The loader of an export reads values and answers as the server does, which it does not import."""

import ast
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.inference.date_parts import date_parts
from app.inference.graph import SessionGraph
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel
from app.mlflow import warren_pyfunc
from app.mlflow.model_json import describe_trained, describe_uploaded
from app.mlflow.warren_pyfunc import dates, values
from app.models.manifest import OnnxManifest
from app.protocol import cells
from app.protocol.requests import PredictionInputs
from tests.support import frames, graphs
from tests.support.frames import manifest

LOADER = Path(warren_pyfunc.__file__).parent
# Values of a row in JSON, at the edges of what a type takes.
VALUES = [
    *(None, True, False, 0, 1, -1, 1.5, -0.0, 2**53 + 1, 3.4028235e38, -3.5e38, 1e308, 10**400),
    *("", "red", " red ", "1", "1.0", "01", "1E5", "-0.0", "none", " none ", "NA", "true", "True"),
    *("2025-01-31", "2025-01-31T12:00:00Z", "20250131", "2025-01-31T12:00:00+02:00", "31.1.2025"),
    *("1970-01-01", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999999", "-999", "-999.0"),
    *(-999, -999.0),
]
KINDS = ("number", "boolean", "text", "category", "date")


@pytest.fixture
def runtime() -> Any:
    class Nothing:
        bytes = 0

        def run(self, inputs: Any) -> Any:
            self.inputs = inputs
            return np.zeros(1), None

    return Nothing()


def loaded(folder: Path, told: dict[str, Any], file: bytes) -> warren_pyfunc.ExportedModel:
    """Return the model that MLflow would load."""
    (folder / "model.json").write_text(json.dumps(told))
    (folder / told["file"]).write_bytes(file)
    return warren_pyfunc._load_pyfunc(str(folder))


def test_the_loader_imports_nothing_of_warren() -> None:
    for path in LOADER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            assert not [name for name in names if name.partition(".")[0] == "app"], path


@pytest.mark.parametrize("missing", [[], ["none", "-999", "1.0"]], ids=["", "declared missing"])
@pytest.mark.parametrize("nullable", [True, False], ids=["nullable", "required"])
@pytest.mark.parametrize("estimator", ["ridge", "random_forest_regressor"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_value_means_what_it_means_to_predict(
    runtime: Any, kind: str, estimator: str, nullable: bool, missing: list[str]
) -> None:
    feature = {"name": "a", "type": kind, "nullable": nullable, "missing": missing}
    described = manifest(features=[feature], estimator=estimator, format=2)
    model = TrainedModel(described, runtime)
    (told,) = describe_trained(described, "model.onnx")["features"]
    for value in VALUES:
        frame = pd.DataFrame({"a": pd.Series([value], dtype=object)})
        try:
            model.predict(model.prepare(PredictionInputs(input_data={"a": value})))
        except errors.Invalid:
            with pytest.raises(ValueError, match="row 0, column 'a': expected"):
                values.read_column(frame, told)
        else:
            (expected,) = runtime.inputs.values()
            found = values.read_column(frame, told)
            np.testing.assert_array_equal(found.reshape(expected.shape), expected, str(value))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2], dtype="int64"),
        pd.Series([1, 2], dtype="uint8"),
        pd.Series([1.5, None], dtype="float64"),
        pd.Series([1.5, None], dtype="float32"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, None], dtype=object),
    ],
    ids=lambda column: str(column.dtype),
)
def test_columns_of_numbers_of_any_type_are_read(column: "pd.Series[Any]") -> None:
    feature = {"name": "a", "type": "number", "nullable": True, "missing": [], "largest": 1e308}
    found = values.read_column(pd.DataFrame({"a": column}), feature)
    expected = [float("nan") if pd.isna(each) else float(each) for each in column]
    np.testing.assert_array_equal(found, expected)


def test_moments_of_pandas_are_dates() -> None:
    feature = {"name": "a", "type": "date", "nullable": True, "missing": [], "largest": 1e308}
    moments = [datetime(2025, 1, 31, 12, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), None]
    stamps = pd.Series(pd.to_datetime(moments, utc=True))
    days = pd.Series([each and each.date() for each in moments], dtype=object)
    for column, first in (
        (stamps, 20119.5),
        (stamps.dt.tz_localize(None), 20119.5),
        (pd.Series([each and each.isoformat() for each in moments]), 20119.5),
        (days, 20119.0),
    ):
        found = values.read_column(pd.DataFrame({"a": column}), feature)
        np.testing.assert_array_equal(found, [first, 0.0, np.nan])


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans()))
def test_categories_are_those_of_the_server(value: Any) -> None:
    assert values.category(value) == cells.category(value)


@given(st.one_of(st.text(), st.datetimes().map(str), st.dates().map(str)))
def test_days_are_those_of_the_server(text: str) -> None:
    assert values.days_of(text) == cells.days_of(text)


def test_parts_of_dates_are_those_of_the_server() -> None:
    days = np.append(np.random.default_rng(5).uniform(-700_000, 2_900_000, 500), np.nan)
    parts = ["year", "month", "day", "weekday", "day-of-year", "hour"]
    np.testing.assert_array_equal(dates.date_parts(days, parts), date_parts(days, parts))


@pytest.mark.parametrize("kind", ["tensor(float)", "tensor(double)", "tensor(float16)",
                                  "tensor(int8)", "tensor(uint16)", "tensor(int64)",
                                  "tensor(uint64)", "tensor(bool)", "tensor(string)"])  # fmt: skip
@pytest.mark.parametrize("nullable", [True, False])
def test_a_tensor_takes_the_values_that_predict_takes(kind: str, nullable: bool) -> None:
    from app.inference.tensor_types import TENSOR_TYPES
    from app.mlflow.warren_pyfunc.tensors import read_tensor

    known = TENSOR_TYPES[kind]
    told = {"features": ["a"], "nullable": nullable and known.is_float}
    for value in VALUES:
        frame = pd.DataFrame({"a": pd.Series([value], dtype=object)})
        if known.fits(value) or (value is None and told["nullable"]):
            found = read_tensor(frame, told, kind)
            np.testing.assert_array_equal(found, np.array([[value]], known.dtype), str(value))
        else:
            with pytest.raises(ValueError, match="row 0, column 'a': expected"):
                read_tensor(frame, told, kind)


@pytest.mark.parametrize("batch", [None, 2])
def test_a_row_at_which_the_graph_fails_has_no_answer(tmp_path: Path, batch: int | None) -> None:
    spec = OnnxManifest.model_validate(graphs.LINEAR)
    file = graphs.linear(batch=batch)
    rows = [{"a": 1.0, "b": 2.0}, {"a": 3.4e38, "b": 3.4e38}, {"a": 0.0, "b": 0.5}]
    model = UploadedModel("m", spec, SessionGraph(file, spec), 1)
    expected = [each and each["prediction"] for each in model.predict(rows)]
    exported = loaded(tmp_path, describe_uploaded(spec, "model.onnx"), file)
    found = exported.predict(pd.DataFrame(rows, index=["x", "y", "z"]))
    assert [None if pd.isna(each) else each for each in found["prediction"]] == expected
    assert list(found.index) == ["x", "y", "z"]
    assert expected == [9.0, None, 2.5]


@pytest.mark.parametrize("estimator", ["random_forest_regressor", "knn_classifier"])
def test_no_rows_get_no_answers(tmp_path: Path, estimator: str) -> None:
    described, file = frames.fitted("everything", estimator)
    name = "model.onnx" if described.runtime == "onnx" else "model.skops"
    exported = loaded(tmp_path, describe_trained(described, name), file)
    names = [each.name for each in described.features]
    found = exported.predict(pd.DataFrame({each: [] for each in names}))
    assert found.empty
    assert next(iter(found)) == "prediction"


def test_models_of_the_first_format_answer(tmp_path: Path) -> None:
    file = (Path(frames.__file__).parent / "format_1/random_forest_classifier.onnx").read_bytes()
    model = frames.loaded(file)
    assert model.manifest.format == 1
    values_of = {"number": 0.5, "text": "red", "boolean": True}
    sample = {each.name: values_of[each.type] for each in model.manifest.features}
    (expected,) = model.predict([sample])
    assert expected
    exported = loaded(tmp_path, describe_trained(model.manifest, "model.onnx"), file)
    (found,) = exported.predict(pd.DataFrame([sample])).to_dict("records")
    assert found["prediction"] == expected["prediction"]
    assert list(found.values())[1:] == list(expected["pred_proba"].values())
