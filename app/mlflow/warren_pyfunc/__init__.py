"""Load a model that Warren exported: `mlflow.pyfunc.load_model` calls `_load_pyfunc`.

Exports hold this package in their folder `code/`. It imports nothing of Warren, and Warren imports
nothing of it. It does what `app.inference` does to rows; the tests compare both.
"""

import json
from pathlib import Path
from typing import Any, Protocol

import pandas as pd


class Answering(Protocol):
    """A loaded model."""

    def answer(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Return the columns of the answer to the rows of `frame`."""


class ExportedModel:
    """What `mlflow.pyfunc` calls."""

    def __init__(self, model: Answering) -> None:
        """Answer by a loaded model."""
        self._model = model

    def predict(
        self,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002  MLflow passes it
    ) -> pd.DataFrame:
        """Answer rows. The result has a row for each, with the same index.

        Its columns are `prediction`, and of a classifier `probability_` and the key of each label.
        A row without a finite answer has missing values. Raises `ValueError` for a value that the
        model does not take; `params` are not used.
        """
        found = pd.DataFrame(self._model.answer(model_input))
        return found.set_index(model_input.index)


def _load_pyfunc(path: str) -> ExportedModel:
    """Load the exported model whose folder is `path`."""
    folder = Path(path)
    told = json.loads((folder / "model.json").read_text("utf-8"))
    # Each kind of model imports what its requirements.txt names, and no more.
    if told["kind"] == "uploaded":
        from .uploaded import UploadedModel

        return ExportedModel(UploadedModel(folder, told))
    from .trained import TrainedModel

    return ExportedModel(TrainedModel(folder, told))
