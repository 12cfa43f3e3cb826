"""Read the versions of the libraries that train a model."""

import sys

import numpy as np
import onnx
import pandas as pd
import sklearn
from sklearn.base import BaseEstimator

from app.training.param_binding import inner_estimator


def library_versions(estimator: BaseEstimator) -> dict[str, str]:
    """Return the version of each library by its name, also of the one that has the estimator."""
    own = sys.modules[type(inner_estimator(estimator)).__module__.partition(".")[0]]
    return {each.__name__: each.__version__ for each in (sklearn, onnx, np, pd, own)}
