import numpy as np
import pytest

from app import errors
from app.training import pipeline
from app.training.features import MAX_CATEGORIES, describe_feature, feature_matrix
from tests.support import frames


def test_text_does_not_make_objects_of_the_numbers():
    data = frames.frame("everything", "ridge")
    features = [describe_feature(data[name]) for name in frames.features(data)]

    matrix, numbers = feature_matrix(data, features)

    assert numbers == 4
    assert [dtype.kind for dtype in matrix.dtypes] == ["f", "f", "f", "f", "O"]


def test_the_order_of_the_features_is_that_of_the_request():
    data = frames.frame("numeric", "ridge")

    fitted = pipeline.fit_pipeline(data, frames.request(["c", "a"], estimator="ridge"), "m")

    assert [feature.name for feature in fitted.manifest.features] == ["c", "a"]


def test_an_empty_column_is_bad_data_that_names_it():
    data = frames.frame("numeric", "ridge").assign(b=np.nan)

    with pytest.raises(errors.BadData, match="column b is empty") as caught:
        pipeline.fit_pipeline(data, frames.request(["a", "b"], estimator="ridge"), "m")

    assert caught.value.extra["field"] == "features"


def test_a_text_column_of_too_many_values_is_bad_data_that_names_it():
    rows = MAX_CATEGORIES + 1
    data = frames.frame("numeric", "ridge", rows=rows).assign(name=list(map(str, range(rows))))

    with pytest.raises(errors.BadData, match="text column name has 1001 different") as caught:
        pipeline.fit_pipeline(data, frames.request(["name"], estimator="ridge"), "m")

    assert caught.value.extra["field"] == "features"
