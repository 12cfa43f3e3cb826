import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR

from app import errors
from app.inference import skops_file
from app.inference.cache import ModelCache
from app.inference.sklearn_answers import answer
from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.protocol.requests import PredictionInputs
from app.training.fit_process import FitRunner
from devstack.layout import ROOT
from tests.support import frames, pipelines
from tests.support.forked import child_processes
from tests.support.waiting import until

BOUND = 200_000_000


@pytest.fixture(scope="module", autouse=True)
def _fork_server():
    """Import the libraries once, before each child does."""
    FitRunner().warm()


def written(folder, estimator, **changes):
    pipeline, manifest = pipelines.fitted(estimator)
    path = folder / "model.skops"
    skops_file.dump(pipeline, manifest.model_copy(update=changes), path)
    return path


@pytest.mark.parametrize(
    "estimator",
    [
        KNeighborsRegressor(metric="cosine"),
        KNeighborsClassifier(weights="distance", n_jobs=-1),
        SVR(),
        SVC(random_state=42),
    ],
    ids=repr,
)
def test_the_child_answers_as_the_fitted_pipeline_does(estimator, tmp_path):
    path = written(tmp_path, estimator)
    expected = answer(*skops_file.load(path), pipelines.inputs())

    runtime = SklearnRuntime(path)
    path.unlink()
    answers = runtime.run(pipelines.inputs())

    for one, other in zip(expected, answers, strict=True):
        np.testing.assert_array_equal(one, other)
    assert runtime.manifest.runtime == "scikit-learn"
    assert runtime.bytes > 0


def test_a_model_predicts_labels_and_probabilities(tmp_path):
    runtime = SklearnRuntime(pipelines.neighbours(tmp_path / "model.skops"))
    model = TrainedModel(runtime.manifest, runtime)
    row = {"a": None, "b": 1.0, "c": 2, "colour": "unseen"}

    (found,) = model.predict(model.prepare(PredictionInputs(input_data=row)))

    assert found["prediction"] in pipelines.LABELS
    assert list(found["pred_proba"]) == pipelines.LABELS
    assert sum(found["pred_proba"].values()) == pytest.approx(1)


def test_a_row_that_the_estimator_cannot_take_fails_alone(tmp_path):
    runtime = SklearnRuntime(written(tmp_path, SVR()))
    inputs = {name: rows[:3].copy() for name, rows in pipelines.inputs().items()}
    inputs["number"][1, 1] = np.inf

    predicted = runtime.run(inputs).predicted

    assert np.isfinite(predicted).tolist() == [True, False, True]


def test_many_rows_stay_within_the_memory_of_a_run(tmp_path):
    random = np.random.default_rng(7)
    x = random.normal(size=(50_000, 3))
    pipeline = Pipeline([("estimator", KNeighborsRegressor(metric="cosine"))]).fit(x, x[:, 0])
    skops_file.dump(pipeline, frames.manifest(runtime="scikit-learn"), tmp_path / "model.skops")

    runtime = SklearnRuntime(tmp_path / "model.skops", run_memory=BOUND, run_seconds=100)
    predicted = runtime.run({"number": x[:1000]}).predicted  # the distances are 400 MB

    np.testing.assert_array_equal(predicted[:10], pipeline.predict(x[:10]))


def test_a_harmful_file_is_refused(tmp_path):
    path = pipelines.neighbours(tmp_path / "model.skops")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("model.pkl", b"harm")

    with pytest.raises(errors.Corrupt, match="foreign file"):
        SklearnRuntime(path)


def test_the_cache_starts_another_child_for_one_that_died_and_ends_those_it_forgets(tmp_path):
    path = pipelines.neighbours(tmp_path / "model.skops")
    size = SklearnRuntime(path).bytes
    before = child_processes()

    def load(model_id, isolated):
        runtime = SklearnRuntime(path)
        return TrainedModel(runtime.manifest, runtime)

    cache = ModelCache(load, max_bytes=size * 3 // 2)

    def predicted(model_id):
        model = cache.get(model_id).result(60)
        return model.predict([{"a": 1, "b": 1.0, "c": 2, "colour": "red"}])[0]["prediction"]

    first = predicted("a")
    (killed,) = child_processes() - before
    psutil.Process(killed).kill()
    until(lambda: killed not in child_processes(), "the child ends")

    assert predicted("a") == first
    (another,) = child_processes() - before
    assert predicted("b") == first
    until(lambda: another not in child_processes(), "the child of the forgotten model ends")
    assert len(child_processes() - before) == 1


def test_a_model_that_no_cache_keeps_answers_and_its_child_ends(tmp_path):
    path = pipelines.neighbours(tmp_path / "model.skops")
    before = child_processes()
    cache = ModelCache(lambda *_: SklearnRuntime(path), max_bytes=1)

    answers = cache.get("a").result(60).run(pipelines.inputs())

    assert len(answers.predicted) == 90
    until(lambda: child_processes() <= before, "the child ends")


SCRIPT = """
import json, sys
from pathlib import Path
from app.inference.loader import ModelLoader
from app.inference.sklearn_runtime import SklearnRuntime

def main():
    SklearnRuntime(Path(sys.argv[1]))
    json.dump([name for name in sys.modules if name in ("sklearn", "pandas", "skops")], sys.stdout)

if __name__ == "__main__":
    main()
"""


def test_the_parent_does_not_import_scikit_learn(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    path = pipelines.neighbours(tmp_path / "model.skops")

    ended = subprocess.run(
        [sys.executable, script, path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        check=True,
    )

    assert json.loads(ended.stdout) == []
