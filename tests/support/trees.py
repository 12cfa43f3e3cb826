"""Compare the graphs of trees with scikit-learn."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from app.inference.onnx_session import load_session
from app.training.onnx_export import to_onnx

KINDS = ["numbers", "missing", "offset", "dates", "ids", "town"]
ROWS = 240


def rows(kind: str, seed: int, count: int = ROWS) -> npt.NDArray[np.float64]:
    """Four columns; those of most kinds are numbers that float32 cannot tell apart."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 4))
    match kind:
        case "missing":
            x[random.random(x.shape) < 0.2] = np.nan
        case "offset":
            x += 1e9
        case "dates":  # epoch seconds within a day
            x[:, 0] = 1.7e9 + random.integers(0, 86_400, size=count)
        case "ids":
            x[:, 1] = 900_000_000_000 + random.integers(0, 500, size=count)
        case "town":  # coordinates
            x[:, 0], x[:, 1] = 52.52 + x[:, 0] / 1e6, 13.405 + x[:, 1] / 1e6
    return x


def target(x: npt.NDArray[np.float64], classes: int = 0) -> npt.NDArray[Any]:
    """A number that depends on all columns, or a class from 0."""
    ranks = np.argsort(np.argsort(np.nan_to_num(x), axis=0), axis=0) / len(x)
    y = ranks[:, 0] + 2 * ranks[:, 1] ** 2 + np.sin(9 * ranks[:, 2]) + ranks[:, 3] + 2
    return np.argsort(np.argsort(y)) * classes // len(y) if classes else y


def compare(fitted: Any, x: npt.NDArray[np.float64], rtol: float = 1e-12) -> None:
    """Assert that the graph answers rows as the fitted estimator does; its labels are places."""
    file = b"".join(to_onnx(Pipeline([("estimator", fitted)]), x.shape[1], 0))
    onnx.checker.check_model(onnx.load_from_string(file), full_check=True)
    outputs = load_session(file).run(None, {"number": x})
    assert all(output.dtype == np.float64 for output in outputs[-1:])
    if not is_classifier(fitted):
        np.testing.assert_allclose(outputs[0], fitted.predict(x), rtol=rtol, atol=0)
        return
    np.testing.assert_array_equal(fitted.classes_[outputs[0]], fitted.predict(x))
    np.testing.assert_allclose(outputs[1], fitted.predict_proba(x), rtol=rtol, atol=0)
