"""The steps that impute numbers and encode texts before the estimator."""

import numpy as np
from skl2onnx.sklapi import CastTransformer
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from app.models.manifest import Feature


def preprocessing_steps(
    features: list[Feature], numbers: int
) -> list[tuple[str, ColumnTransformer]]:
    """Return the step that imputes numbers and encodes texts; none if no column needs it."""
    if all(f.type != "text" and not f.nullable for f in features):
        return []
    # onnxruntime imputes float32 only; the parity of the test rows shows the loss of precision.
    impute = Pipeline(
        [
            ("cast", CastTransformer(np.float32)),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ]
    )
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    left, right = list(range(numbers)), list(range(numbers, len(features)))
    steps = [("number", impute, left), ("text", encode, right)]
    return [("columns", ColumnTransformer([step for step in steps if step[2]]))]
