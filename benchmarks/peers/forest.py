"""The model that every peer serves: `python forest.py FILE` trains it, `load(file)` predicts.

The same forest as Warren's: the same rows, features and parameters, so the same answers.
"""

import os
import sys
from collections.abc import Callable

import joblib
import numpy as np

FEATURES = ["age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]

#: One row by name, as it is in a request.
Row = dict[str, float]


def train(path: str) -> None:
    """Fit on the diabetes data and store the forest with joblib, as scikit-learn's docs say."""
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import train_test_split

    data = load_diabetes()
    columns = [data.feature_names.index(name) for name in FEATURES]
    split = train_test_split(data.data[:, columns], data.target, test_size=0.2, random_state=42)
    x, _, y, _ = split
    joblib.dump(RandomForestRegressor(max_depth=3, random_state=42).fit(x, y), path)


def load(path: str) -> Callable[[list[Row]], list[float]]:
    """Load a .joblib or an .onnx file; return a function that answers rows in their order."""
    if path.endswith(".onnx"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more lose time on so small a model
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        return lambda rows: session.run(None, {"number": matrix(rows)})[0].reshape(-1).tolist()
    forest = joblib.load(path)
    return lambda rows: forest.predict(matrix(rows)).tolist()


def loaded() -> Callable[[list[Row]], list[float]]:
    """Load the file that the environment names."""
    return load(os.environ["MODEL"])


def matrix(rows: list[Row]) -> np.ndarray:
    """Make float64 [rows, 9] of them."""
    return np.array([[row[name] for name in FEATURES] for row in rows], np.float64)


if __name__ == "__main__":
    train(sys.argv[1])
