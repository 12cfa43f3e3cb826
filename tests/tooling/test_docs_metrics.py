"""The expressions of the page about trainings, section Metrics, give the numbers of the code."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.calibration
import sklearn.inspection
import sklearn.metrics
from sklearn.datasets import load_diabetes, load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import train_test_split

from app.evaluation.evaluate import evaluate
from app.evaluation.evaluated import EvaluatedModel, HeldOut
from app.inference.runtime import Answers
from app.models.manifest import Feature
from app.tables.column_types import TypedColumn
from tests.support import frames
from tests.support.plain_evaluation import assert_equal

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text()
SECTION = PAGE[PAGE.index("\n## Metrics") :].partition("\n## Runtimes")[0]
# Of each row of a table, the names of its first cell and the code of its last one.
ROWS = [
    (re.findall(r"`([\w.]+)`", line.split("|")[1]), re.findall(r"`([^`]+)`", line.split("|")[-2]))
    for line in SECTION.splitlines()
    if line.startswith("| `") and "how" not in line
]
HOW = {name: code[0] for names, code in ROWS for name in names}


class Example:
    """A model, its evaluation, and the names that the page's expressions use."""

    def __init__(self, classifies: bool) -> None:
        data = (load_wine if classifies else load_diabetes)(as_frame=True).frame
        x, y = data.drop(columns="target").astype(float), data["target"].to_numpy()
        x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=42)
        forest = RandomForestClassifier if classifies else RandomForestRegressor
        model = forest(n_estimators=5, random_state=42).fit(x_train.to_numpy(), y_train)
        labels = model.classes_.tolist() if classifies else None
        predicted = model.predict(x_test.to_numpy())
        probabilities = model.predict_proba(x_test.to_numpy()) if classifies else None
        self.names: dict[str, Any] = {
            **vars(sklearn.metrics),
            "np": np,
            "sklearn": sklearn,
            "DummyRegressor": DummyRegressor,
            "DummyClassifier": DummyClassifier,
            "model": model,
            "labels": labels,
            "x_train": x_train,
            "y_train": y_train,
            "y_test": y_test,
            "predicted": predicted,
            "x_test": x_test.to_numpy(),
            "probabilities": probabilities,
            "score": "accuracy" if classifies else "r2",
        }
        if classifies:
            self.names["classes"] = range(3)
            self.names["is_class"] = y_test == 1
            self.names["probability"] = np.asarray(probabilities)[:, 1]
        else:
            self.names["residuals"] = y_test - predicted

        def run(inputs: Any) -> Answers:
            rows = inputs["number"]
            return Answers(model.predict(rows), model.predict_proba(rows) if classifies else None)

        self.found = evaluate(
            EvaluatedModel(
                manifest=frames.manifest(
                    features=[{"name": name, "type": "number"} for name in x.columns],
                    labels=labels,
                    task="classification" if classifies else "regression",
                ),
                pipeline=[model],
                run=run,
                train_inputs=lambda places: {"number": x_train.to_numpy()[places]},
                train_rows=len(x_train),
                y_train=y_train,
                test_inputs={"number": x_test.to_numpy()},
                y_test=y_test,
                held_out=[HeldOut(y_test, Answers(predicted, probabilities), y_train)],
                columns=[TypedColumn(Feature(name="age", type="number"), x["bmi"].to_numpy())]
                if not classifies
                else [],
            ),
            clock=lambda: 0.0,
        ).model_dump()

    def value(self, name: str, **more: Any) -> Any:
        """What the page's expression for a name gives."""
        return eval(HOW[name], {**self.names, **more})


@pytest.fixture(scope="module")
def regressor() -> Example:
    return Example(classifies=False)


@pytest.fixture(scope="module")
def classifier() -> Example:
    return Example(classifies=True)


def test_the_scores_are_those_of_the_page(regressor: Example, classifier: Example) -> None:
    seen = set()
    for example in (regressor, classifier):
        for name, value in example.found["test_scores"].items():
            code = next(code for names, code in ROWS if names == [name])[0]
            assert_equal(value, eval(code, dict(example.names)), name)
            seen.add(name)
    rows = SECTION[: SECTION.index("### Evaluation")]
    assert set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)) == seen


def test_the_residuals_are_those_of_the_page(regressor: Example) -> None:
    found = regressor.found["regression"]

    for name in ("residuals", "residual_mean", "residual_std"):
        assert_equal(found[name], regressor.value(name), name)
    quantiles = list(found["residual_quantiles"].values())
    assert_equal(quantiles, regressor.value("residual_quantiles"))
    counts, edges = regressor.value("residual_histogram")
    assert_equal(found["residual_histogram"], {"counts": counts, "edges": edges})


def test_the_baselines_are_those_of_the_page(regressor: Example, classifier: Example) -> None:
    for example, kind in ((regressor, "Regressor"), (classifier, "Classifier")):
        (code,) = re.findall(rf"`(Dummy{kind}[^`]+)`", SECTION)
        predicted = eval(code, dict(example.names)).predict(example.names["x_test"])
        name = example.names["score"]
        expected = eval(HOW[name], {**example.names, "predicted": predicted})
        assert_equal(example.found["baseline"]["scores"][name], expected)


OF_CLASS: dict[str, Callable[[Any], Any]] = {
    "roc_auc": lambda value: value,
    "average_precision": lambda value: value,
    "brier": lambda value: value,
    "roc": lambda value: {
        "false_positive_rate": value[0],
        "true_positive_rate": value[1],
        "thresholds": [None, *value[2][1:]],
    },
    "precision_recall": lambda value: {
        "precision": value[0],
        "recall": value[1],
        "thresholds": [*value[2], None],
    },
    "calibration": lambda value: {"observed": value[0], "predicted": value[1]},
}


@pytest.mark.parametrize("name", OF_CLASS)
def test_what_a_class_has_is_that_of_the_page(name: str, classifier: Example) -> None:
    found = classifier.found["classification"]["per_class"][1]

    code = next(code for names, code in reversed(ROWS) if names == [name])[0]
    assert_equal(found[name], OF_CLASS[name](eval(code, dict(classifier.names))), name)


@pytest.mark.parametrize("name", ["f1", "youden"])
def test_the_best_thresholds_are_those_of_the_page(name: str, classifier: Example) -> None:
    found = classifier.found["classification"]["per_class"][1]["best_thresholds"][name]

    assert found["threshold"] == classifier.value(f"best_thresholds.{name}")


def test_the_matrix_and_the_averages_are_those_of_the_page(classifier: Example) -> None:
    found = classifier.found["classification"]

    assert_equal(found["confusion"], classifier.value("confusion"))
    for name in ("macro", "weighted"):
        assert_equal(list(found[name].values()), list(classifier.value(name)), name)
    for name, values in zip(
        ("precision", "recall", "f1", "support"), classifier.value("precision"), strict=True
    ):
        assert_equal([each[name] for each in found["per_class"]], values, name)


def test_what_a_model_looks_at_is_that_of_the_page(regressor: Example, classifier: Example) -> None:
    for example in (regressor, classifier):
        found = example.found["importance"]
        measured = example.value("importance", repeats=found["repeats"])
        expected = sorted(measured["importances_mean"], reverse=True)
        assert_equal([each["mean"] for each in found["features"]], expected)
        first = example.found["partial_dependence"][0]
        place = list(example.names["x_train"].columns).index(first["feature"])
        dependence = example.value("partial_dependence", feature=place)
        assert_equal(first["grid"], dependence["grid_values"][0])
        assert_equal(first["values"], dependence["average"])


def test_the_profile_is_that_of_the_page(regressor: Example) -> None:
    (found,) = regressor.found["data"]["columns"]
    column = pd.Series(load_diabetes(as_frame=True).frame["bmi"])

    for name in ("missing", "distinct", "mean", "std", "median", "min"):
        assert_equal(found[name], float(eval(HOW[name], {"column": column})), name)
    assert found["histogram"] == eval(HOW["histogram"], {"column": column, "np": np}).tolist()
    counts = eval(HOW["most_frequent"], {"column": column})
    frequent = [{"value": value, "count": count} for value, count in counts.items()]
    assert_equal(found["most_frequent"], [each for each in frequent if each["count"] > 1])
