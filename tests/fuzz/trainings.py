"""Trainings of drawn rows, labels and params: each keeps its bounds, and so does its model.

A case runs as in a consumer: a fit in a process of its own, then a model that is loaded and asked.
"""

import json
import multiprocessing
import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from app import errors
from app.inference.model_process import LOAD_SECONDS, RUN_SECONDS
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.sklearn_runtime import SklearnRuntime
from app.inference.trained_model import TrainedModel
from app.protocol.estimators import ESTIMATORS
from app.protocol.requests import PredictionInputs
from app.protocol.training_request import TrainRequest
from app.training.fit_process import FitLimits, FitRunner
from tests.support.words import foreign_words
from tests.system.support.memory import peak

LIMITS = FitLimits(seconds=8.0, memory=600_000_000)
LATE_SECONDS = 10.0  # beyond the limits: for starts and ends on a busy machine
LIBRARIES = 500_000_000  # bytes that a child has beside its limit
GROWTH = 400_000_000  # bytes that a parent takes for an answer of 4 MB, at most
PRELOAD = ("app.inference.sklearn_child", "tests.fuzz.trainings")

PARAMS: dict[str, dict[str, list[Any]]] = {
    "random_forest": {
        "n_estimators": [1, 10, 300, 10**5, 10**9],
        "max_depth": [None, 1, 30],
        "min_samples_leaf": [1, 50],
        "n_jobs": [None, 1, 2],
    },
    "hist_gradient_boosting": {
        "max_iter": [1, 10, 300, 10**5, 10**12],
        "max_leaf_nodes": [None, 2, 31],
        "early_stopping": [True, False],
    },
    "logistic_regression": {"max_iter": [1, 100, 10**12], "tol": [1e-4, 0.0], "C": [1e-9, 1, 1e9]},
    "ridge": {"max_iter": [1, 10**12], "solver": ["auto", "sag", "lsqr"], "tol": [0.0, 1e-4]},
    "svm": {
        "kernel": ["rbf", "linear", "poly", "sigmoid"],
        "max_iter": [-1, 10, 10**12],
        "C": [1e-9, 1, 1e9],
    },
    "knn": {
        "n_neighbors": [1, 5, 500, 10_000],
        "algorithm": ["auto", "brute", "kd_tree", "ball_tree"],
        "metric": ["minkowski", "manhattan", "chebyshev", "cosine", "nan_euclidean"],
        "weights": ["uniform", "distance"],
        "leaf_size": [1, 30, 10**6],
    },
}


def draw(rng: Random) -> dict[str, Any]:
    """Draw a case: an estimator with params, and the shape of its data."""
    estimator = rng.choice(list(ESTIMATORS))
    known = next((of for name, of in PARAMS.items() if estimator.startswith(name)), {})
    named = rng.sample(list(known), rng.randrange(len(known) + 1))
    classifies = ESTIMATORS[estimator].task == "classification"
    columns = rng.choice((1, 3, 3, 20, 200))
    rows = rng.choice((10, 300, 3_000, 20_000, 100_000))
    return {
        "estimator": estimator,
        "params": {name: rng.choice(known[name]) for name in named},
        "calibrate": rng.choice((None, None, "sigmoid", "isotonic")) if classifies else None,
        "labels": rng.choice((2, 3, 50, 1_000, 3_000, 20_000)) if classifies else None,
        "rows": min(rows, 1_000_000 // columns),
        "columns": columns,
        "categories": rng.choice((0, 0, 0, 2, 1_000)),
        "asked": rng.choice((1, 1, 64, 3_000, 10_000)),
        "seed": rng.randrange(2**32),
    }


def frame(case: dict[str, Any]) -> pd.DataFrame:
    """Make the data set of a case."""
    random = np.random.default_rng(case["seed"])
    numbers = random.normal(size=(case["rows"], case["columns"])).round(3)
    data = pd.DataFrame(numbers, columns=[f"c{n}" for n in range(case["columns"])])
    if case["categories"]:
        data["text"] = [f"t{n}" for n in random.integers(0, case["categories"], case["rows"])]
    if case["labels"] is None:
        data["target"] = numbers.sum(axis=1).round(3)
    else:
        data["target"] = [f"l{n}" for n in random.integers(0, case["labels"], case["rows"])]
    return data


def request(case: dict[str, Any]) -> TrainRequest:
    """Return the message that asks for a case."""
    features = [f"c{n}" for n in range(case["columns"])] + ["text"] * bool(case["categories"])
    named = {name: case[name] for name in ("estimator", "params", "calibrate")}
    anomalies = ESTIMATORS[case["estimator"]].task == "anomalies"
    target = None if anomalies else "target"
    return TrainRequest(dataset_id="d", features=features, target=target, model_id="m", **named)


class Bounds:
    """Runs cases, and tells what was not as it should be; `outcomes` counts how they ended."""

    def __init__(self, limits: FitLimits = LIMITS, libraries: int = LIBRARIES) -> None:
        """Start the process that forks the fits; a child has `libraries` bytes in any case."""
        self._limits = limits
        self._libraries = libraries
        self.outcomes: dict[str, int] = {}
        self._fits = FitRunner(PRELOAD)
        self._fits.warm()

    def run(self, case: dict[str, Any]) -> list[str]:
        """Train, load and ask; return each bound that was broken."""
        wrong: list[str] = []
        with TemporaryDirectory(prefix="warren-fuzz-") as folder:
            try:
                outcome = self._train_and_ask(case, Path(folder), wrong)
            except errors.WarrenError as error:
                outcome = error.type
                wrong += self._judge(error, case)
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return wrong

    def _train_and_ask(self, case: dict[str, Any], folder: Path, wrong: list[str]) -> str:
        most = 0

        def beat(_: float | None) -> None:
            nonlocal most
            children = multiprocessing.active_children()
            most = max([most, *(peak(child.pid) for child in children if child.pid)])

        data = frame(case)
        began: list[float] = []
        try:
            manifest, path = self._fits.fit(
                request(case),
                "m",
                folder,
                self._limits,
                lambda path: data.to_csv(path, index=False),
                lambda: began.append(monotonic()),
                beat,
            )
        finally:
            if began and (taken := monotonic() - began[0]) > self._limits.seconds + LATE_SECONDS:
                wrong.append(f"the fit took {taken:.0f} s")
            if most > self._limits.memory + self._libraries:
                wrong.append(f"the fit took {most >> 20} MB")
        begin = monotonic()
        runtime = OnnxRuntime(path) if manifest.runtime == "onnx" else SklearnRuntime(path)
        if (taken := monotonic() - begin) > LOAD_SECONDS / 2:
            wrong.append(f"loading the model took {taken:.0f} s")
        wrong += ask(TrainedModel(manifest, runtime), data, case["asked"])
        return manifest.runtime

    def _judge(self, error: errors.WarrenError, case: dict[str, Any]) -> list[str]:
        if type(error) is errors.WarrenError or isinstance(error, errors.ChildKilled):
            return [f"it ended with {error!r}"]
        if words := foreign_words(error.detail, json.dumps(case)):
            return [f"the detail holds {words}: {error.detail}"]
        return []


def ask(model: TrainedModel, data: pd.DataFrame, count: int) -> list[str]:
    """Ask for as many rows as a request may have; return each bound that was broken."""
    features = data.drop(columns="target")
    rows = features.sample(count, replace=True, random_state=1).to_dict("records")
    before, begin = peak(os.getpid()), monotonic()
    try:
        model.predict(model.prepare(PredictionInputs(input_data=rows)))
    except errors.TooLarge as error:
        model.predict(model.prepare(PredictionInputs(input_data=rows[: error.extra["limit"]])))
    except errors.DeadlineExceeded:
        if count == 1:
            return ["one row takes longer than a run may take"]
    wrong = []
    if model.isolated and (taken := monotonic() - begin) > 2 * RUN_SECONDS + LATE_SECONDS:
        wrong.append(f"{count} rows took {taken:.0f} s")
    if (grown := peak(os.getpid()) - before) > GROWTH:
        wrong.append(f"{count} rows took {grown >> 20} MB")
    return wrong
