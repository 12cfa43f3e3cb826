"""Small files, each of which stands for a kind of data that is easily read or answered wrongly.

They are in `tests/support/cases/`, and made up.
"""

from pathlib import Path

import pytest

from app.protocol.training_request import TrainRequest
from tests.support import frames, plain, served

CASES = Path(__file__).parents[2] / "support/cases"


def write(case, tmp_path):
    """Return the path of a copy, because a model is written beside it."""
    path = tmp_path / "data.csv"
    path.write_bytes((CASES / f"{case}.csv").read_bytes())
    return path


def train(path, features, estimator):
    asked = TrainRequest(dataset_id="data", features=features, target="y", estimator=estimator)
    return served.train(path, asked)


def answer(model, **row):
    (answer,) = model.predict([model.check(row)])
    return answer["prediction"]


def warned(model, kind):
    return [warning for warning in model.manifest.warnings if warning.type == kind]


EXACT = ["random_forest_regressor", "hist_gradient_boosting_regressor", "knn_regressor"]
CLASSIFIERS = [name for name in frames.CLASSIFIERS if name != "xgboost_classifier"]  # in float32
STEADY = [name for name in frames.REGRESSORS if name != "mlp_regressor"]  # in few iterations
EVERY = [
    *(("target-yyyymmddhhmm", "a", estimator) for estimator in EXACT),
    *(("feature-yyyymmdd", "day", estimator) for estimator in frames.REGRESSORS),
    *(("target-none-class", "a", estimator) for estimator in CLASSIFIERS),
    *(("rare-class", "a", estimator) for estimator in CLASSIFIERS),
    *(("qmark", "a", estimator) for estimator in frames.REGRESSORS),
]


@pytest.mark.parametrize(("case", "feature", "estimator"), EVERY)
def test_all_numbers_are_those_of_scikit_learn(case, feature, estimator, tmp_path):
    path = write(case, tmp_path)
    empty = tmp_path / "empty.csv"
    empty.write_text(path.read_text().replace("?", ""))

    model = train(path, [feature], estimator)

    served.assert_same(model, plain.train(empty, [feature], "y", plain.build(estimator, {})))


def test_a_target_of_minutes_as_digits_is_answered_to_the_minute(tmp_path):
    path = write("target-yyyymmddhhmm", tmp_path)

    model = train(path, ["a"], "hist_gradient_boosting_regressor")

    assert model.manifest.metrics["rmse"] == pytest.approx(4.25, abs=0.01)
    assert answer(model, a=100) == pytest.approx(202611280100, abs=5)


def test_days_as_digits_are_learnt(tmp_path):
    path = write("feature-yyyymmdd", tmp_path)

    model = train(path, ["day"], "hist_gradient_boosting_regressor")

    assert model.manifest.metrics["rmse"] == pytest.approx(0.24, abs=0.01)
    assert answer(model, day=20251225) == pytest.approx(17, abs=1)


@pytest.mark.parametrize("estimator", frames.CLASSIFIERS)
def test_a_class_called_none_is_a_class(estimator, tmp_path):
    model = train(write("target-none-class", tmp_path), ["a"], estimator)

    assert model.manifest.labels == ["High", "Low", "None"]
    assert model.manifest.rows["dropped"] == 0
    assert answer(model, a=3) == "None"


@pytest.mark.parametrize("estimator", frames.CLASSIFIERS)
def test_a_class_of_one_row_is_learnt_or_named(estimator, tmp_path):
    model = train(write("rare-class", tmp_path), ["a"], estimator)

    (rare,) = warned(model, "rare_classes")
    assert (rare.field, rare.detail) == ("y", "classes of column y with few rows: z (1)")
    if "z" not in model.manifest.labels:
        (lost,) = warned(model, "class_not_learnt")
        assert lost.detail.endswith(": z")


@pytest.mark.parametrize("estimator", STEADY)
def test_a_question_mark_among_numbers_is_a_missing_number(estimator, tmp_path):
    model = train(write("qmark", tmp_path), ["a"], estimator)

    (feature,) = model.manifest.features
    assert (feature.type, feature.nullable) == ("number", True)
    assert model.manifest.metrics["r2"] > 0.5
    (warning,) = warned(model, "missing_markers")
    assert warning.detail.startswith('column a: 1 cell holds "?"')


@pytest.mark.parametrize("others", [[], ["word"], ["gap"]], ids=["alone", "text", "gap"])
def test_seconds_since_1970_are_exact_alone_and_beside_texts_and_gaps(others, tmp_path):
    rows = range(100)
    lines = [f"{1_700_000_000 + i},{'ab'[i % 2]},{'' if i % 7 == 0 else i % 3},{i}" for i in rows]
    path = tmp_path / "data.csv"
    path.write_text("\n".join(["t,word,gap,y", *lines]))

    model = train(path, ["t", *others], "linear_regression")

    row = {"t": 1_700_000_050, **{name: {"word": "a", "gap": None}[name] for name in others}}
    assert answer(model, **row) == pytest.approx(50, abs=0.01)
