"""How good a model is: the evaluation that the server has, as data frames and plots."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from warren_client.errors import MissingPackage, NotReady
from warren_client.html import evaluation_html

if TYPE_CHECKING:
    import pandas as pd


class Evaluation:
    """An evaluation; `content` is the whole document of `GET /models/{id}/evaluation`.

    docs/training.md, section Evaluation, says how each number is computed. Parts are data frames,
    which need pandas: `MissingPackage` without it. A part that the model does not have is a
    `NotReady`.
    """

    def __init__(self, content: dict[str, Any]) -> None:
        """Read the document of an evaluation."""
        self.content = content

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"<evaluation of {self.content.get('model_id')}: {scores}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return evaluation_html(self.content)

    @property
    def metrics(self) -> dict[str, float]:
        """The scores on the rows that tested the model."""
        return dict(self.content.get("test_scores") or {})

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The scores on test rows and training rows, and those of the baseline."""
        baseline = self.content.get("baseline") or {}
        return _frame(
            {
                "test": self.content.get("test_scores") or {},
                "train": self.content.get("train_scores") or {},
                "baseline": baseline.get("scores") or {},
            }
        )

    @cached_property
    def confusion_matrix(self) -> pd.DataFrame:
        """How many rows of a class (index) got a label (columns)."""
        part = self._part("classification")
        labels = part["labels"]
        frame = _frame(part["confusion"], index=labels, columns=labels)
        return frame.rename_axis(index="actual", columns="predicted")

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Precision, recall, F1, support and areas of each class."""
        rows = [
            {name: value for name, value in each.items() if not isinstance(value, dict)}
            for each in self._part("classification")["per_class"]
        ]
        return _frame(rows).set_index("label")

    def curve(self, label: Any, kind: str = "roc") -> pd.DataFrame:
        """Return a curve of a class: `roc`, `precision_recall` or `calibration`."""
        for each in self._part("classification")["per_class"]:
            if each["label"] == label and type(each["label"]) is type(label):
                if not each.get(kind):
                    raise NotReady(f"the evaluation has no {kind} of the class {label!r}")
                return _frame(each[kind])
        raise NotReady(f"the evaluation has no class {label!r}")

    @cached_property
    def residuals(self) -> pd.DataFrame:
        """The target, the prediction and their difference, of at most 2,000 test rows."""
        part = self._part("regression")
        names = {"actual": "actual", "predicted": "predicted", "residuals": "residual"}
        return _frame({new: part[old] for old, new in names.items()})

    @cached_property
    def importance(self) -> pd.DataFrame:
        """How much worse the score is if the values of a feature are shuffled."""
        return _frame(self._part("importance")["features"]).set_index("feature")

    @cached_property
    def columns(self) -> pd.DataFrame:
        """The profile of each column of the data."""
        return _frame(self._part("data")["columns"]).set_index("name")

    def plot(self, kind: str | None = None) -> Any:
        """Draw a plot; return the axes of matplotlib.

        Kinds are `residuals`, `confusion`, `roc` and `importance`; by default the first or the
        second, as the task is. Raises `MissingPackage` without matplotlib.
        """
        from warren_client.plots import draw

        return draw(self, kind)

    def _part(self, name: str) -> dict[str, Any]:
        part = self.content.get(name)
        if part is None:
            raise NotReady(f"the evaluation has no {name}: {self._why(name)}")
        return dict(part)

    def _why(self, name: str) -> str:
        for note in self.content.get("notes") or []:
            if note["part"] == name:
                return str(note["detail"])
        return f"the model is a {self.content.get('task', 'model of another kind')}"


def _frame(data: Any, **options: Any) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError:
        raise MissingPackage(
            "data frames need pandas: pip install pandas pyarrow; `content` has all "
            "numbers without it"
        ) from None
    return pd.DataFrame(data, **options)
