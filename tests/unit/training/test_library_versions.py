"""A model tells the versions of the libraries that trained it."""

import lightgbm
import numpy
import onnx
import pandas
import pytest
import sklearn
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import Ridge

from app.training.library_versions import library_versions

ALWAYS = {each.__name__: each.__version__ for each in (sklearn, onnx, numpy, pandas)}


@pytest.mark.parametrize(
    ("estimator", "more"),
    [
        (Ridge(), {}),
        (xgboost.XGBRegressor(), {"xgboost": xgboost.__version__}),
        (lightgbm.LGBMRegressor(), {"lightgbm": lightgbm.__version__}),
        (CalibratedClassifierCV(xgboost.XGBClassifier()), {"xgboost": xgboost.__version__}),
    ],
)
def test_the_library_of_the_estimator_is_among_them(estimator, more):
    assert library_versions(estimator) == ALWAYS | more
