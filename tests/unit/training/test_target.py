import json

import numpy as np
import pandas as pd
import pytest

from app import errors
from app.training import pipeline
from app.training.dataset import read_dataset
from tests.support import frames


@pytest.mark.parametrize(
    ("labels", "wire"),
    [
        (["no", "yes"], ["no", "yes"]),
        ([3, 7], [3, 7]),
        ([3.0, 7.0], [3, 7]),
        ([False, True], [False, True]),
        (["1", "x"], ["1", "x"]),
        (["a", "b", "c"], ["a", "b", "c"]),
        ([-1, 0, 1], [-1, 0, 1]),
    ],
)
def test_a_classifier_keeps_the_labels_of_the_data(labels, wire, tmp_path):
    data = pd.DataFrame({"a": [float(i) for i in range(60)]})
    data["target"] = [labels[i * len(labels) // 60] for i in range(60)]
    asked = frames.request(["a"], estimator="knn_classifier")

    fitted = pipeline.fit_pipeline(frames.through_csv(data, asked, tmp_path), asked, "m")

    assert fitted.manifest.labels == wire
    assert list(map(type, fitted.manifest.labels)) == list(map(type, wire))
    answers = frames.loaded(fitted.encode(0.0)[0]).predict([{"a": 0.0}, {"a": 59.0}])
    assert [answer["prediction"] for answer in answers] == [wire[0], wire[-1]]
    keys = [label if isinstance(label, str) else json.dumps(label) for label in wire]
    assert answers[0]["pred_proba"] == dict.fromkeys(keys, 0.0) | {keys[0]: 1.0}


def test_one_class_is_bad_data():
    data = frames.frame("numeric", "ridge").assign(target="only")

    with pytest.raises(errors.BadData, match="target has 1 class") as caught:
        pipeline.fit_pipeline(data, frames.request(["a"], estimator="logistic_regression"), "m")

    assert caught.value.extra["field"] == "target"


def test_one_class_behind_the_holes_is_bad_data():
    data = frames.frame("numeric", "ridge").assign(target="only")
    data.loc[::2, "target"] = None

    with pytest.raises(errors.BadData, match="target has 1 class"):
        pipeline.fit_pipeline(data, frames.request(["a"], estimator="svm_classifier"), "m")


def test_a_target_without_a_value_is_bad_data():
    data = frames.frame("numeric", "ridge").assign(target=np.nan)

    for estimator in ("ridge", "knn_classifier"):
        with pytest.raises(errors.BadData):
            pipeline.fit_pipeline(data, frames.request(["a"], estimator=estimator), "m")


@pytest.mark.parametrize("estimator", frames.REGRESSORS)
@pytest.mark.parametrize("values", [["low", "high"], [True, False]])
def test_a_regressor_refuses_a_target_of_text_or_booleans(estimator, values):
    data = frames.frame("numeric", "ridge")
    data["target"] = values * (len(data) // 2)

    with pytest.raises(errors.BadData, match="column target holds text or booleans") as caught:
        pipeline.fit_pipeline(data, frames.request(["a"], estimator=estimator), "m")

    assert caught.value.extra["field"] == "target"


@pytest.mark.parametrize("estimator", [*frames.REGRESSORS, *frames.CLASSIFIERS])
def test_a_target_of_infinity_is_bad_data(estimator, tmp_path):
    path = frames.write_csv(tmp_path, b"a,target\n" + b"1,2\n3,4\n" * 30 + b"5,1e999\n")
    asked = frames.request(["a"], estimator=estimator)

    with pytest.raises(errors.BadData, match="column target holds infinity") as caught:
        pipeline.fit_pipeline(read_dataset(path, asked), asked, "m")

    assert caught.value.extra["field"] == "target"


@pytest.mark.parametrize("estimator", frames.CLASSIFIERS)
def test_a_classifier_refuses_a_target_of_fractions(estimator):
    data = frames.frame("numeric", "ridge")

    with pytest.raises(errors.BadData, match="column target holds fractions") as caught:
        pipeline.fit_pipeline(data, frames.request(["a"], estimator=estimator), "m")

    assert caught.value.extra["field"] == "target"


@pytest.mark.parametrize(
    "labels",
    [
        ["9223372036854775808", "9223372036854775809"],  # uint64
        ["1", "18446744073709551615"],
        ["9007199254740992.0", "9007199254740994.0"],  # float64
        ["9007199254740993", "1", ""],
        ["-1e19", "1"],
    ],
)
def test_labels_too_large_to_be_kept_are_bad_data(labels, tmp_path):
    rows = "".join(f"{i},{labels[i % len(labels)]}\n" for i in range(60))
    path = frames.write_csv(tmp_path, f"a,target\n{rows}".encode())
    asked = frames.request(["a"], estimator="knn_classifier")

    with pytest.raises(errors.BadData, match="labels that are too large as numbers") as caught:
        pipeline.fit_pipeline(read_dataset(path, asked), asked, "m")

    assert caught.value.extra["field"] == "target"


@pytest.mark.parametrize(
    "labels",
    [
        [2**63 - 1, 2**63 - 2],
        [-(2**63) + 1, -(2**63) + 2],
        [2**53 - 1.0, 0.0],
        [2**64 + 1, 2**64],
    ],
)
def test_large_labels_that_can_be_kept_are_kept(labels, tmp_path):
    data = pd.DataFrame({"a": [float(i) for i in range(60)]})
    data["target"] = pd.Series([labels[i >= 30] for i in range(60)], dtype=object)
    asked = frames.request(["a"], estimator="knn_classifier")

    fitted = pipeline.fit_pipeline(frames.through_csv(data, asked, tmp_path), asked, "m")

    assert fitted.manifest.labels == sorted(labels)
    (answer,) = frames.loaded(fitted.encode(0.0)[0]).predict([{"a": 0.0}])
    assert answer["prediction"] == labels[0]
