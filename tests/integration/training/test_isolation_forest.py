"""What an isolation forest answers is what plain scikit-learn gives."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.protocol.requests import PredictionInputs
from app.protocol.training_request import TrainRequest
from app.training.fit_process import FitLimits, FitRunner
from tests.support import datasets, served

LIMITS = FitLimits(seconds=60.0, memory=1_000_000_000)
DATA = ["sklearn.iris", "sklearn.wine", "sklearn.diabetes", "vega_datasets.cars"]
PARAMS = [
    {},
    {"n_estimators": 20, "contamination": 0.1},
    {"n_estimators": 20, "max_samples": 0.5, "max_features": 0.5, "bootstrap": True},
]


@pytest.fixture(scope="module")
def runner():
    made = FitRunner()
    made.warm()
    return made


@pytest.mark.parametrize("params", PARAMS, ids=str)
@pytest.mark.parametrize("name", DATA)
def test_a_prediction_is_the_decision_of_scikit_learn(name, params, runner, tmp_path):
    data = datasets.DATA_SETS[name]
    frame = data.frame()[data.columns].reset_index(drop=True)
    texts = [each for each in data.columns if frame[each].dtype.kind not in "fiub"]
    numbers = [each for each in data.columns if each not in texts]
    steps = ColumnTransformer(
        [
            ("number", SimpleImputer(strategy="median"), numbers),
            ("text", OneHotEncoder(sparse_output=False), texts),
        ]
    )
    x = steps.fit_transform(frame)
    forest = IsolationForest(random_state=42, **params).fit(x)
    asked = TrainRequest(dataset_id="d", estimator="IsolationForest", params=params)

    def fetch(path: Path) -> None:
        frame.to_csv(path, index=False)

    manifest, file = runner.fit(asked, "m", tmp_path, LIMITS, fetch, lambda: None, lambda _: None)

    model = TrainedModel(manifest, SklearnRuntime(file))
    rows = PredictionInputs(input_data=served.rows_of(frame))
    answers = [answer["prediction"] for answer in model.predict(model.prepare(rows)) if answer]
    assert answers == pytest.approx(forest.decision_function(x), rel=0, abs=1e-12)
    assert np.where(np.less(answers, 0), -1, 1).tolist() == forest.predict(x).tolist()
    assert (manifest.task, manifest.target, manifest.labels) == ("anomalies", None, None)
    assert manifest.rows == {"train": len(frame), "test": 0, "dropped": 0}
    assert manifest.metrics == {}
    assert manifest.params == {**IsolationForest(random_state=42).get_params(), **params}


def test_rows_may_be_weighted(tmp_path):
    frame = datasets.DATA_SETS["sklearn.iris"].frame()[["petal length (cm)", "petal width (cm)"]]
    weights = 1.0 + np.arange(len(frame)) % 3
    frame.assign(weight=weights).to_csv(tmp_path / "data.csv", index=False)
    asked = TrainRequest(dataset_id="d", estimator="isolation_forest", sample_weight="weight")

    model = served.train(tmp_path / "data.csv", asked)

    plain = IsolationForest(random_state=42).fit(frame.to_numpy(), sample_weight=weights)
    answers = model.predict([model.check(row) for row in served.rows_of(frame)])
    decisions = [answer["prediction"] for answer in answers]
    assert decisions == pytest.approx(plain.decision_function(frame.to_numpy()), rel=0, abs=1e-12)
