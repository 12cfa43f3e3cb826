"""A batch job answers the rows of a table as a prediction of the same rows does."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from app.inference.part_process import joined_results, score_part, split_table
from app.inference.table_model import TrainedTableModel
from app.protocol.requests import PredictionInputs
from tests.conftest import ROOT
from tests.support import datasets, frames, served

TYPES = {"Year": "date", "Sold": "date", "Name": "text", "Origin": "category"}
FEATURES = ["Origin", "Year", "Horsepower", "Sold", "Name", "Weight_in_lbs"]
ORDINAL = {"imputation": "mean", "categories": "ordinal", "dates": ["day-of-year", "month"]}
CASES = {
    "scaled": ("ridge", {"dates": ["weekday", "hour"]}, {}),
    "words": ("ridge", {"tfidf": ["Name"], "dates": ["year", "month"], "max_terms": 50}, {}),
    "native": ("hist_gradient_boosting_regressor", {"dates": ["year", "hour"]}, {}),
    "ordinal": ("random_forest_regressor", ORDINAL, {"target_transform": "log1p"}),
    "rare": (
        "logistic_regression",
        {"min_frequency": 5, "dates": ["day"]},
        {"calibrate": "sigmoid"},
    ),
    "labels": (
        "hist_gradient_boosting_classifier",
        {"categories": "ordinal", "dates": ["month"]},
        {},
    ),
    "no dates": ("extra_trees_classifier", {}, {}),
}


def cars():
    """Cars with the year of the model, and a time of sale; some values are missing."""
    frame = datasets.cars()
    random = np.random.default_rng(1)
    sold = pd.to_datetime(frame.Year) + pd.to_timedelta(random.integers(0, 9000, len(frame)), "h")
    frame["Sold"] = sold.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    frame.loc[::11, "Sold"] = None
    frame.loc[::17, "Origin"] = None
    frame["Miles_per_Gallon"] = frame.Miles_per_Gallon.fillna(20.0)
    frame["Cylinders"] = frame.Cylinders.map(str)
    return frame[[*FEATURES, "Miles_per_Gallon", "Cylinders"]]


def as_csv(frame, path):
    frame.to_csv(path, index=False)


def as_parquet(frame, path):
    typed = {"Year": pd.to_datetime(frame.Year), "Sold": pd.to_datetime(frame.Sold)}
    frame.assign(**typed).to_parquet(path, index=False)


def nothing():
    """Go on."""


def batch(folder, model, frame, write):
    """The result of a batch job as a frame."""
    table = folder / "table"
    write(frame, table)
    served_by = TrainedTableModel(model)
    probabilities = model.manifest.labels is not None
    more = {"probabilities": probabilities, "format": "parquet"}
    layout = served_by.layout.model_copy(update=more)
    with joined_results(folder / "joined", layout) as add:
        for part in split_table(table, folder, layout, None, "d", nothing):
            report = score_part(part.path, folder / "result", layout, served_by.answer, nothing)
            assert report["scored"] == report["rows"] == len(frame)
            add(folder / "result")
    return pq.read_table(folder / "joined").to_pandas()


@pytest.mark.parametrize(("estimator", "preprocessing", "more"), CASES.values(), ids=CASES)
def test_rows_of_a_table_get_the_answers_of_a_prediction(estimator, preprocessing, more, tmp_path):
    data = cars()
    classifies = estimator in frames.CLASSIFIERS
    asked = frames.request(
        FEATURES,
        target="Cylinders" if classifies else "Miles_per_Gallon",
        estimator=estimator,
        preprocessing=preprocessing,
        types=TYPES,
        defaults="by-estimator",
        **more,
    )
    model = frames.load(*frames.train(data, asked))

    rows = model.prepare(PredictionInputs(input_data=served.rows_of(data[FEATURES])))
    wanted = model.predict(rows)
    for write in (as_csv, as_parquet):
        assert_same(batch(tmp_path, model, data[FEATURES], write), wanted)


def assert_same(found, wanted):
    """Compare the columns of a result with the answers of predictions."""
    assert len(found) == len(wanted)
    if isinstance(wanted[0]["pred_proba"], dict):
        assert found.prediction.tolist() == [each["prediction"] for each in wanted]
        shares = found[[f"probability_{key}" for key in wanted[0]["pred_proba"]]].to_numpy()
        expected = [list(each["pred_proba"].values()) for each in wanted]
        np.testing.assert_allclose(shares, expected, rtol=0, atol=1e-12)
    else:
        expected = [each["prediction"] for each in wanted]
        np.testing.assert_allclose(found.prediction, expected, rtol=1e-12)
        assert found.prediction.std() > 0


OLD = ROOT / "tests" / "support" / "format_1"
OLD_ROWS = pd.DataFrame(
    {
        "a": [0.5, None],
        "b": [-0.25, 2.0],
        "c": [1.0, 0.1],
        "colour": ["red", None],
        "flag": [True, None],
    }
)


@pytest.mark.parametrize("file", sorted(OLD.glob("*.onnx")), ids=lambda file: file.stem)
def test_a_file_of_the_version_before_answers_tables_too(file, tmp_path):
    model = frames.loaded(file.read_bytes())

    wanted = model.predict(served.rows_of(OLD_ROWS))
    assert_same(batch(tmp_path, model, OLD_ROWS, as_csv), wanted)
