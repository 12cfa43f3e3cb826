"""The steps that impute numbers and encode texts before the estimator."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from app.models.manifest import Feature


def preprocessing_steps(
    features: list[Feature], numbers: int
) -> list[tuple[str, ColumnTransformer]]:
    """Return the step that imputes numbers and encodes texts; none if no column needs it.

    It takes a matrix whose first columns are the `numbers`. All is computed in float64.
    """
    if all(f.is_number and not f.nullable for f in features):
        return []
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    left, right = list(range(numbers)), list(range(numbers, len(features)))
    steps = [("number", impute, left), ("text", encode, right)]
    return [("columns", ColumnTransformer([step for step in steps if step[2]]))]
