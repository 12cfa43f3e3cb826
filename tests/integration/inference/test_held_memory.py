import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline

from app.inference.held_memory import estimate_held, give_back_memory, held_bytes
from app.training.model_memory import node_count
from app.training.onnx_export import to_onnx
from tests.conftest import ROOT
from tests.support import trees

OLD = ROOT / "tests" / "support" / "format_1"


def held_by(path, models=1):
    """The bytes that a model holds, measured in a new process, whose memory nothing has used."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.held_by_models", str(path), str(models)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return float(told.stdout)


@pytest.mark.skipif(not Path("/proc").exists(), reason="measured from /proc")
@pytest.mark.parametrize("classes", [0, 2, 10])
@pytest.mark.parametrize(("count", "leaf"), [(30, 1), (40, 2), (3, 50)])
def test_the_memory_of_trees_is_that_which_is_measured(count, leaf, classes, tmp_path):
    x = trees.rows("numbers", 1, count=8_000)
    forest = RandomForestClassifier if classes else RandomForestRegressor
    fitted = forest(count, min_samples_leaf=leaf, max_features=1, n_jobs=2)
    fitted.fit(x, trees.target(x, classes) + np.random.default_rng(1).integers(0, 2, len(x)))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"".join(to_onnx(Pipeline([("estimator", fitted)]), 4, 0)))

    said = held_bytes(path.stat().st_size, node_count(fitted))

    assert said == pytest.approx(held_by(path), rel=0.25, abs=200_000)


@pytest.mark.skipif(not Path("/proc").exists(), reason="measured from /proc")
@pytest.mark.parametrize("path", sorted(OLD.glob("*.onnx")), ids=lambda path: path.stem)
def test_the_memory_of_a_small_model_is_that_of_its_session(path):
    assert estimate_held(path) == pytest.approx(held_by(path, models=300), rel=0.5)


def test_trees_hold_more_than_their_file(tmp_path):
    plain, with_trees = b"x" * 1000, b"x" * 500 + b"TreeEnsembleRegressor" + b"x" * 479
    path = tmp_path / "model.onnx"
    path.write_bytes(with_trees)

    assert estimate_held(plain) == held_bytes(1000)
    assert estimate_held(with_trees) == estimate_held(path) == held_bytes(6000)


def test_memory_can_be_given_back_at_any_time():
    give_back_memory()
    give_back_memory()
