"""Data to learn from, and what is learnt from it, for the tests."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from app.inference import skops_file
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.predictor import Tensors
from app.inference.runtime import Answers
from app.inference.sklearn_answers import answer
from app.inference.trained_model import TrainedModel
from app.models.manifest import TrainedManifest
from app.protocol import estimators
from app.protocol.training_request import TrainRequest
from app.training import pipeline
from app.training.training_data import TrainingData, read_training_data
from devstack.demo import ROW, TRAIN

ESTIMATORS = [  # with a target
    name for name, spec in estimators.ESTIMATORS.items() if spec.task != "anomalies"
]
CLASSIFIERS = [
    name for name, spec in estimators.ESTIMATORS.items() if spec.task == "classification"
]
REGRESSORS = [name for name in ESTIMATORS if name not in CLASSIFIERS]
KINDS = ("numeric", "missing", "text", "bool", "everything")

REFERENCE_FEATURES, REFERENCE_ROW = TRAIN["features"], ROW


def diabetes() -> pd.DataFrame:
    """The data of the reference result."""
    return load_diabetes(as_frame=True).frame


def reference(**changes: Any) -> TrainRequest:
    """The request of the reference result."""
    return request(REFERENCE_FEATURES, dataset_id="diabetes", **changes)


def request(features: list[str], **changes: Any) -> TrainRequest:
    """A request to learn `target` from the features."""
    named = {"dataset_id": "data", "features": features, "target": "target"}
    return TrainRequest(**{**named, "defaults": "scikit-learn", **changes})


def frame(kind: str, estimator: str, rows: int = 120) -> pd.DataFrame:
    """Numbers and, by kind, missing values, text or booleans; no two rows alike."""
    random = np.random.default_rng(7)
    data = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "c"])
    target = data.a * 3 + data.b + random.normal(scale=0.1, size=rows)
    if kind in ("missing", "everything"):
        data.loc[::7, "a"] = np.nan
    if kind in ("text", "everything"):
        data["colour"] = random.choice(["red", "green", "blue", "ä,\n"], size=rows)
    if kind in ("bool", "everything"):
        data["flag"] = random.choice([True, False], size=rows)
    if kind == "everything":
        data.loc[::9, "colour"] = None
        data["flag"] = data["flag"].astype(object)
        data.loc[::11, "flag"] = None
    data["target"] = target if estimator in REGRESSORS else (target > 0).astype(int)
    return data


def features(data: pd.DataFrame) -> list[str]:
    """Every column but the target."""
    return [column for column in data.columns if column != "target"]


def write_csv(folder: Path, content: bytes) -> str:
    """The path of a CSV file with this content."""
    path = folder / "data.csv"
    path.write_bytes(content)
    return str(path)


def read(content: str, asked: TrainRequest) -> TrainingData:
    """The data set that a training reads from this CSV."""
    with TemporaryDirectory() as folder:
        return read_training_data(write_csv(Path(folder), content.encode()), asked)


def column(*cells: str, times: int = 1, **declared: Any) -> TrainingData:
    """A data set whose feature `a` has these cells, repeated, and a target that is no use."""
    rows = "".join(f"{cell},{n % 7}.5\n" for n, cell in enumerate(cells * times))
    return read(f"a,target\n{rows}", request(["a"], estimator="ridge", types=declared or None))


def through_csv(data: pd.DataFrame, asked: TrainRequest, folder: Path) -> TrainingData:
    """The data set as a training reads it from a CSV file."""
    path = folder / "data.csv"
    data.to_csv(path, index=False)
    return read_training_data(str(path), asked)


def train(
    data: pd.DataFrame | TrainingData, asked: TrainRequest, model_id: str = "m", **hooks: Any
) -> tuple[TrainedManifest, bytes]:
    """Fit a model; return its manifest and its file."""
    with TemporaryDirectory() as folder:
        if isinstance(data, pd.DataFrame):
            data = through_csv(data, asked, Path(folder))
        manifest, path = pipeline.fit_pipeline(data, asked, model_id, Path(folder), **hooks)
        return manifest, path.read_bytes()


@cache
def fitted(
    kind: str = "numeric", estimator: str = "random_forest_regressor"
) -> tuple[TrainedManifest, bytes]:
    """The manifest and the file of a model that is trained once for all tests."""
    data = frame(kind, estimator)
    return train(data, request(features(data), estimator=estimator), f"{kind}-{estimator}")


def file(kind: str = "numeric", estimator: str = "random_forest_regressor") -> bytes:
    """The file alone."""
    return fitted(kind, estimator)[1]


def loaded(onnx: bytes) -> TrainedModel:
    """The model of an ONNX file."""
    runtime = OnnxRuntime(onnx)
    return TrainedModel(runtime.manifest, runtime)


@cache
def trained(kind: str = "numeric", estimator: str = "random_forest_regressor") -> TrainedModel:
    """The model itself."""
    return load(*fitted(kind, estimator))


def load(manifest: TrainedManifest, file: bytes) -> TrainedModel:
    """The model of a file, whichever its runtime is."""
    return loaded(file) if manifest.runtime == "onnx" else in_process(file)


def in_process(skops: bytes) -> TrainedModel:
    """The model of a skops file, which scikit-learn answers in this process."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.skops")
        path.write_bytes(skops)
        pipeline, manifest = skops_file.load(path)
    return TrainedModel(manifest, InProcess(pipeline, manifest))


class InProcess:
    """A runtime without a child process."""

    bytes = 0

    def __init__(self, pipeline: Any, manifest: TrainedManifest) -> None:
        self._pipeline, self._manifest = pipeline, manifest

    def run(self, inputs: Tensors) -> Answers:
        """Answer rows; see `Runtime`."""
        return answer(self._pipeline, self._manifest, inputs)


def manifest(**changes: Any) -> TrainedManifest:
    """The description of a model that nobody has trained."""
    values = {
        "model_id": "m",
        "dataset_id": "data",
        "task": "regression",
        "estimator": "ridge",
        "params": {},
        "features": [{"name": "a", "type": "number"}],
        "target": "target",
        "labels": None,
        "rows": {"train": 8, "test": 2, "dropped": 0},
        "metrics": {"rmse": 1.0},
        "parity": 0.0,
        "versions": {},
    }
    return TrainedManifest.model_validate({**values, **changes})
