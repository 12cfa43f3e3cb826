"""Plots of an evaluation, where matplotlib is, and what is said where it is not."""

import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from warren_client import errors
from warren_client.evaluation import Evaluation

CURVE = {"false_positive_rate": [0, 1], "true_positive_rate": [0, 1], "thresholds": [None, 0.5]}
CLASSIFIER: dict[str, Any] = {
    "model_id": "m",
    "task": "classification",
    "test_scores": {"accuracy": 0.75},
    "classification": {
        "labels": ["no", "yes"],
        "confusion": [[3, 1], [0, 4]],
        "per_class": [{"label": "no", "f1": 0.8, "roc": CURVE}, {"label": "yes", "roc": CURVE}],
    },
    "importance": {"features": [{"feature": "a", "mean": 0.5, "std": 0.1}]},
    "notes": [{"part": "data", "detail": "there was no time"}],
}
REGRESSOR = {"regression": {"actual": [1, 2], "predicted": [1, 3], "residuals": [0, -1]}}


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    drawn = MagicMock()
    pyplot = SimpleNamespace(subplots=lambda: (None, drawn))
    monkeypatch.setitem(sys.modules, "matplotlib", SimpleNamespace(pyplot=pyplot))
    return drawn


def test_each_plot_draws_its_part(axes):
    found = Evaluation(CLASSIFIER)

    assert found.plot() is axes
    assert [call.args[2] for call in axes.text.call_args_list] == ["3", "1", "0", "4"]
    found.plot("roc")
    assert [call.kwargs.get("label") for call in axes.plot.call_args_list] == ["no", "yes", None]
    found.plot("importance")
    assert axes.barh.call_args.args[0] == ["a"]
    Evaluation(REGRESSOR).plot()
    assert axes.scatter.call_args.args[1].tolist() == [1, 3]


def test_what_is_not_there_is_said(monkeypatch):
    found = Evaluation(CLASSIFIER)
    with pytest.raises(errors.NotReady, match="no data: there was no time"):
        _ = found.columns
    with pytest.raises(errors.NotReady, match="there is no plot 'pie'; there are residuals"):
        found.plot("pie")
    with pytest.raises(errors.NotReady, match="no class 'maybe'"):
        found.curve("maybe")
    with pytest.raises(errors.NotReady, match="no calibration of the class 'no'"):
        found.curve("no", "calibration")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(errors.MissingPackage, match="pip install matplotlib"):
        found.plot()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(errors.MissingPackage, match="data frames need pandas"):
        _ = Evaluation(CLASSIFIER).confusion_matrix
    assert Evaluation(CLASSIFIER).metrics == {"accuracy": 0.75}
