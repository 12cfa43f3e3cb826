"""Where a feature lies in the arrays that a runtime takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.inference.date_parts import date_parts
from app.inference.predictor import Tensors
from app.models.manifest import Feature, TrainedManifest
from app.protocol.training_options import DatePart


@dataclass(frozen=True)
class FeatureColumns:
    """The array `tensor`, `number` or `text`, and the columns in it that hold a feature.

    The columns of a date are its days and its `parts`.
    """

    feature: Feature
    tensor: str
    columns: list[int]
    parts: Sequence[DatePart] = ()

    def values(self, inputs: Tensors) -> npt.NDArray[Any]:
        """Return the feature's values [rows]."""
        return inputs[self.tensor][:, self.columns[0]]

    def replaced(self, inputs: Tensors, values: npt.NDArray[Any]) -> Tensors:
        """Return the inputs with other values of the feature, [rows, columns] or [columns]."""
        changed = inputs[self.tensor].copy()
        changed[:, self.columns] = values
        return {**inputs, self.tensor: changed}

    def filled(self, inputs: Tensors, value: Any) -> Tensors:
        """Return the inputs with one value of the feature in all rows."""
        if not self.parts:
            return self.replaced(inputs, value)
        parts = date_parts(np.array([value], np.float64), self.parts)[0]
        return self.replaced(inputs, np.array([value, *parts]))

    def shuffled(self, inputs: Tensors, places: npt.NDArray[np.intp]) -> Tensors:
        """Return the inputs with the feature's values in another order of the rows."""
        return self.replaced(inputs, inputs[self.tensor][places][:, self.columns])


def feature_columns(manifest: TrainedManifest) -> list[FeatureColumns]:
    """Return the places of all features, in the order of the manifest."""
    parts = manifest.date_parts
    numbers = texts = 0
    found = []
    first_part = sum(feature.is_number for feature in manifest.features)
    for feature in manifest.features:
        if feature.is_number:
            columns = [numbers]
            if feature.type == "date":
                columns += range(first_part, first_part + len(parts))
                first_part += len(parts)
            of_date = parts if feature.type == "date" else ()
            found.append(FeatureColumns(feature, "number", columns, of_date))
            numbers += 1
        else:
            found.append(FeatureColumns(feature, "text", [texts]))
            texts += 1
    return found
