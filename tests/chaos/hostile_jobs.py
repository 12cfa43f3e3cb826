"""Attacks by numbers: jobs without end, jobs of large rows, and floods."""

from typing import Any

from tests.chaos.hostile_models import predict, register, table, trained
from tests.chaos.neighbour import PREFIX, Neighbour
from tests.support import graphs

DATASET = f"{PREFIX}data"
MODEL = f"{PREFIX}linear"
WIDE = 10_000
FLOOD_ROWS = 5000

# Fits that never end, by one parameter each.
ENDLESS: list[dict[str, Any]] = [
    {"estimator": "random_forest_regressor", "params": {"n_estimators": 10**9}},
    {
        "estimator": "hist_gradient_boosting_regressor",
        "params": {"max_iter": 10**12, "early_stopping": False, "learning_rate": 1e-9},
    },
]


def train(neighbour: Neighbour, attack: str, **body: Any) -> None:
    asked = {"dataset_id": DATASET, "features": ["a", "b"], "target": "y", **body}
    neighbour.ask(attack, "POST", "/train", json=asked)


class EndlessFits:
    """Start trainings that take every core for hours."""

    name = "trainings without end"

    def prepare(self, neighbour: Neighbour) -> None:
        csv = table(5000, 10**6).replace("c", "")
        neighbour.ask(self.name, "PUT", f"/datasets/{DATASET}", content=csv)

    def strike(self, neighbour: Neighbour) -> None:
        for asked in ENDLESS:
            train(neighbour, self.name, **asked)


class WideJobs:
    """Send small requests that are stored large, and read all of them."""

    name = "trainings of 10,000 names, and lists of them"

    def prepare(self, neighbour: Neighbour) -> None:
        """Need nothing."""

    def strike(self, neighbour: Neighbour) -> None:
        for _ in range(4):
            train(neighbour, self.name, features=[f"{n:0200}" for n in range(WIDE)])
        neighbour.ask(self.name, "GET", "/jobs?limit=1000")
        neighbour.ask(self.name, "GET", "/models?limit=1000")


class JobFlood:
    """Send prediction jobs as fast as they are taken."""

    name = "a flood of prediction jobs"

    def prepare(self, neighbour: Neighbour) -> None:
        register(neighbour, self.name, "linear", graphs.linear())

    def strike(self, neighbour: Neighbour) -> None:
        body = {"model_id": MODEL, "input_data": [{"a": 1, "b": 2}] * 1000}
        neighbour.ask(self.name, "POST", "/predict/async", json=body)


class PredictFlood:
    """Ask for many rows as fast as they are answered."""

    name = "a flood of predictions of an uploaded model"

    def prepare(self, neighbour: Neighbour) -> None:
        register(neighbour, self.name, "flooded", graphs.linear())

    def strike(self, neighbour: Neighbour) -> None:
        predict(neighbour, self.name, f"{PREFIX}flooded", [{"a": 1, "b": 2}] * FLOOD_ROWS)


class TrainedFlood:
    """Ask a trained model for many rows as fast as they are answered."""

    name = "a flood of predictions of a trained model"

    def prepare(self, neighbour: Neighbour) -> None:
        csv = table(5000, 10**6).replace("c", "")
        self._model = trained(neighbour, self.name, csv, estimator="random_forest_regressor")

    def strike(self, neighbour: Neighbour) -> None:
        predict(neighbour, self.name, self._model, [{"a": 0.5, "b": 0.5}] * FLOOD_ROWS)
