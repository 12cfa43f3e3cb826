"""Attacks by models: uploads and questions that take all memory or time, and slow loads."""

import json
import threading
from functools import cache
from time import sleep

import numpy as np

from tests.chaos.neighbour import PREFIX, Neighbour
from tests.support import graphs, harmful_graphs, hostile_graphs

ROWS, LABELS, SLOW_MODELS = 100_000, 1000, 2
SIDE, BOXES = 55_000, 200_000  # 12 GB; minutes
HUNGRY_MODELS, HUNGRY_SIDE = 4, 10_000  # of 400 MB
TRAIN_SECONDS = 60


def register(neighbour: Neighbour, attack: str, name: str, file: bytes) -> int:
    status, _ = neighbour.ask(
        attack,
        "PUT",
        f"/models/{PREFIX}{name}",
        data={"manifest": json.dumps(graphs.LINEAR)},
        files={"model": ("model.onnx", file)},
    )
    return status


def predict(neighbour: Neighbour, attack: str, model: str, rows: object) -> int:
    body = {"model_id": model, "input_data": rows}
    return neighbour.ask(attack, "POST", "/predict", json=body)[0]


def trained(neighbour: Neighbour, attack: str, csv: str, **body: object) -> str:
    """Train on these data and wait; return the model's id, or nothing if there is none."""
    name = PREFIX + "".join(letter if letter.isalnum() else "-" for letter in attack)
    neighbour.ask(attack, "PUT", f"/datasets/{name}", content=csv)
    asked = {"dataset_id": name, "features": ["a", "b"], "target": "y", **body}
    status, answer = neighbour.ask(attack, "POST", "/train", json=asked)
    if status != 202:
        return ""
    job = str(answer["message"]["model_id"])
    for _ in range(TRAIN_SECONDS):
        found = neighbour.ask("(waiting)", "GET", f"/jobs/{job}")[1]
        if isinstance(found, dict) and found.get("state") not in ("TASK_QUEUED", "TASK_RUNNING"):
            return job if found.get("state") == "TASK_COMPLETED" else ""
        sleep(1)
    return ""


def table(rows: int, labels: int) -> str:
    """Return two features and as many labels."""
    numbers = np.random.default_rng(1).random((rows, 2)).round(4)
    lines = (f"{a},{b},c{n % labels}" for n, (a, b) in enumerate(numbers.tolist()))
    return "a,b,y\n" + "\n".join(lines)


class Greedy:
    """Ask an uploaded model that allocates what the request says."""

    name = "uploaded model: 12 GB a request"

    def prepare(self, neighbour: Neighbour) -> None:
        register(neighbour, self.name, "greedy", hostile_graphs.greedy())

    def strike(self, neighbour: Neighbour) -> None:
        predict(neighbour, self.name, f"{PREFIX}greedy", {"a": SIDE, "b": 0})


class Hungry:
    """Ask several uploaded models at a time, each of which fills most of what a run may take."""

    name = "uploaded models: most of a gigabyte each, at a time"

    def prepare(self, neighbour: Neighbour) -> None:
        self._names = [f"hungry-{n}" for n in range(HUNGRY_MODELS)]
        for name in self._names:
            register(neighbour, self.name, name, hostile_graphs.greedy())

    def strike(self, neighbour: Neighbour) -> None:
        asks = [
            threading.Thread(
                target=predict,
                args=(neighbour, self.name, f"{PREFIX}{name}", {"a": HUNGRY_SIDE, "b": 0}),
            )
            for name in self._names
        ]
        for each in asks:
            each.start()
        for each in asks:
            each.join()


class Quadratic:
    """Ask an uploaded model whose single node computes for minutes."""

    name = "uploaded model: one node for minutes"

    def prepare(self, neighbour: Neighbour) -> None:
        register(neighbour, self.name, "quadratic", hostile_graphs.quadratic())

    def strike(self, neighbour: Neighbour) -> None:
        predict(neighbour, self.name, f"{PREFIX}quadratic", {"a": BOXES, "b": 0})


class Endless:
    """Ask an uploaded model that loops for ever unless it is asked for zeros."""

    name = "uploaded model: a loop without end"

    def prepare(self, neighbour: Neighbour) -> None:
        register(neighbour, self.name, "endless", harmful_graphs.endless(ends_at_zero=True))

    def strike(self, neighbour: Neighbour) -> None:
        predict(neighbour, self.name, f"{PREFIX}endless", {"a": 1, "b": 1})


class ManyRows:
    """Ask nearest neighbours of many rows for many rows."""

    name = "trained model: gigabytes by many rows"

    def prepare(self, neighbour: Neighbour) -> None:
        self._model = trained(
            neighbour, self.name, table(ROWS, 10**6).replace("c", ""), estimator="knn_regressor"
        )

    def strike(self, neighbour: Neighbour) -> None:
        for rows in (3000, 10_000):
            predict(neighbour, self.name, self._model, [{"a": 0.5, "b": 0.5}] * rows)


class ManyLabels:
    """Load models of many labels, one after the other, again and again."""

    name = "trained model: loads slowly"

    def prepare(self, neighbour: Neighbour) -> None:
        self._models = [
            trained(neighbour, f"{self.name} {n}", _labels(), estimator="knn_classifier")
            for n in range(SLOW_MODELS)
        ]

    def strike(self, neighbour: Neighbour) -> None:
        for model in self._models:
            predict(neighbour, self.name, model, {"a": 0.5, "b": 0.5})


@cache
def _labels() -> str:
    return table(4 * LABELS, LABELS)


class Uploads:
    """Register files that cost memory or time already when they are inspected."""

    name = "uploads that harm their inspection"

    def prepare(self, neighbour: Neighbour) -> None:
        """Need nothing."""

    def strike(self, neighbour: Neighbour) -> None:
        for file in (
            harmful_graphs.memory_bomb(),
            harmful_graphs.swelling(400_000_000),
            harmful_graphs.endless(),
            b"\x08" * 1000,
        ):
            register(neighbour, self.name, "broken", file)
