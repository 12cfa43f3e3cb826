import json
import math

import numpy as np
import onnx
import pandas as pd
import pytest

from app import errors
from app.inference import trained_model
from app.models.manifest import METADATA_KEY, Feature, TrainedManifest
from app.training import pipeline
from app.training.dataset import read_dataset
from tests.support import frames

FAST = {
    "random_forest_regressor": {"n_estimators": 10},
    "random_forest_classifier": {"n_estimators": 10},
    "hist_gradient_boosting_regressor": {"max_iter": 10},
    "hist_gradient_boosting_classifier": {"max_iter": 10},
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    asked = frames.reference()
    data = frames.through_csv(frames.diabetes(), asked, tmp_path_factory.mktemp("reference"))
    return pipeline.fit_pipeline(data, asked, "reference")


def test_the_reference_training_has_the_reference_metrics(reference):
    assert reference.manifest.metrics["rmse"] == pytest.approx(53.00132602055401, rel=0, abs=1e-9)
    assert reference.manifest.rows == {"train": 353, "test": 89, "dropped": 0}


def test_the_reference_row_gets_the_reference_prediction_through_onnx(reference):
    file, _ = reference.encode(parity=0.0)

    (answer,) = trained_model.TrainedModel(file).predict([frames.REFERENCE_ROW])

    assert answer["prediction"] == pytest.approx(208.644578, rel=1e-7)
    assert answer["pred_proba"] == answer["prediction"]


def test_a_regressor_is_measured_by_rmse_mae_and_r2(reference):
    assert list(reference.manifest.metrics) == ["rmse", "mae", "r2"]
    assert 0 < reference.manifest.metrics["mae"] < reference.manifest.metrics["rmse"]
    assert 0 < reference.manifest.metrics["r2"] < 1


def test_a_classifier_is_measured_by_accuracy_f1_and_log_loss():
    data = frames.frame("numeric", "logistic_regression")
    asked = frames.request(frames.features(data), estimator="logistic_regression")

    metrics = pipeline.fit_pipeline(data, asked, "m").manifest.metrics

    assert list(metrics) == ["accuracy", "f1", "log_loss"]
    assert 0.8 < metrics["accuracy"] <= 1
    assert 0.8 < metrics["f1"] <= 1
    assert 0 < metrics["log_loss"] < 0.5


@pytest.mark.parametrize("kind", frames.KINDS)
@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_every_estimator_learns_from_every_kind_of_column(estimator, kind, tmp_path):
    data = frames.frame(kind, estimator)
    asked = frames.request(
        frames.features(data), estimator=estimator, params=FAST.get(estimator, {})
    )

    fitted = pipeline.fit_pipeline(frames.through_csv(data, asked, tmp_path), asked, "m")

    assert frames.parity(fitted) < 1e-4
    assert all(map(math.isfinite, fitted.manifest.metrics.values()))


def test_the_manifest_tells_what_was_learnt(tmp_path):
    data = frames.frame("everything", "random_forest_classifier")
    asked = frames.request(
        ["flag", "b", "colour", "a"],
        dataset_id="data",
        estimator="random_forest_classifier",
        params={"n_estimators": 5},
        test_size=0.25,
    )

    manifest = pipeline.fit_pipeline(frames.through_csv(data, asked, tmp_path), asked, "m").manifest

    assert manifest.model_id == "m"
    assert manifest.dataset_id == "data"
    assert manifest.task == "classification"
    assert manifest.estimator == "random_forest_classifier"
    assert manifest.params == {"n_estimators": 5}
    assert manifest.target == "target"
    assert manifest.labels == [0, 1]
    assert manifest.rows == {"train": 90, "test": 30, "dropped": 0}
    assert manifest.features == [
        Feature(name="flag", type="boolean", nullable=True),
        Feature(name="b", type="number"),
        Feature(name="colour", type="text", nullable=True),
        Feature(name="a", type="number", nullable=True),
    ]
    assert {"sklearn", "skl2onnx", "numpy", "pandas"} <= set(manifest.versions)


def test_the_manifest_travels_inside_the_onnx_file(reference):
    file, manifest = reference.encode(parity=0.25)

    properties = {prop.key: prop.value for prop in onnx.load_from_string(file).metadata_props}
    assert manifest.parity == 0.25
    assert TrainedManifest.model_validate_json(properties[METADATA_KEY]) == manifest


def test_a_second_encoding_takes_the_place_of_the_first(reference):
    reference.encode(parity=1.0)
    file, _ = reference.encode(parity=0.5)

    (prop,) = onnx.load_from_string(file).metadata_props
    assert json.loads(prop.value)["parity"] == 0.5


def test_the_file_is_the_one_that_would_be_written_at_once(reference):
    file, _ = reference.encode(parity=0.5)

    assert onnx.load_from_string(file).SerializeToString() == file


def test_text_does_not_make_objects_of_the_numbers():
    data = frames.frame("everything", "ridge")
    features = [pipeline._feature(data[name]) for name in frames.features(data)]

    matrix, numbers = pipeline._matrix(data, features)

    assert numbers == 4
    assert [dtype.kind for dtype in matrix.dtypes] == ["f", "f", "f", "f", "O"]


def test_the_order_of_the_features_is_that_of_the_request():
    data = frames.frame("numeric", "ridge")

    fitted = pipeline.fit_pipeline(data, frames.request(["c", "a"], estimator="ridge"), "m")

    assert [feature.name for feature in fitted.manifest.features] == ["c", "a"]


def test_the_same_request_gives_the_same_model_twice():
    data = frames.frame("everything", "random_forest_regressor")
    asked = frames.request(frames.features(data), params={"n_estimators": 5})

    first, second = (
        pipeline.fit_pipeline(data, asked, "m").encode(parity=0.0)[0] for _ in range(2)
    )

    assert onnx.load_from_string(first).graph == onnx.load_from_string(second).graph


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
    answers = trained_model.TrainedModel(fitted.encode(0.0)[0]).predict([{"a": 0.0}, {"a": 59.0}])
    assert [answer["prediction"] for answer in answers] == [wire[0], wire[-1]]
    assert answers[0]["pred_proba"] == {str(label): float(label == wire[0]) for label in wire}


def test_rows_without_a_target_are_left_out(tmp_path):
    data = frames.frame("numeric", "ridge", rows=50)
    asked = frames.request(["a", "b"], estimator="ridge")
    complete = pipeline.fit_pipeline(data, asked, "m")
    holes = pd.concat([data, data.assign(target=np.nan)]).sort_index(kind="stable")

    fitted = pipeline.fit_pipeline(frames.through_csv(holes, asked, tmp_path), asked, "m")

    assert fitted.manifest.rows == {"train": 40, "test": 10, "dropped": 50}
    assert fitted.manifest.metrics == pytest.approx(complete.manifest.metrics)


def test_a_class_that_only_the_test_rows_have_is_no_answer():
    data = pd.DataFrame({"a": [float(i) for i in range(20)], "target": ["x", "y"] * 10})
    asked = frames.request(["a"], estimator="knn_classifier", params={"n_neighbors": 2})
    _, test = pipeline.train_test_split(data.index, test_size=0.2, random_state=42)
    data.loc[test[0], "target"] = "z"

    fitted = pipeline.fit_pipeline(data, asked, "m")

    assert fitted.manifest.labels == ["x", "y"]
    assert fitted.manifest.metrics["accuracy"] < 1
    assert math.isfinite(fitted.manifest.metrics["log_loss"])


def test_a_metric_that_one_row_does_not_define_is_left_out():
    data = frames.frame("numeric", "ridge", rows=5)

    fitted = pipeline.fit_pipeline(data, frames.request(["a"], estimator="ridge"), "m")

    assert fitted.manifest.rows["test"] == 1
    assert list(fitted.manifest.metrics) == ["rmse", "mae"]


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
def test_a_column_that_is_empty_in_all_training_rows_is_learnt_as_nothing(estimator):
    data = frames.frame("numeric", estimator, rows=60)
    _, test = pipeline.train_test_split(data.index, test_size=0.2, random_state=42)
    data["b"] = np.nan
    data.loc[test[0], "b"] = 1.0
    params = FAST.get(estimator, {})

    fitted = pipeline.fit_pipeline(
        data, frames.request(["a", "b"], estimator=estimator, params=params), "m"
    )

    assert frames.parity(fitted) < 1e-4


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
    path = write(tmp_path, f"a,target\n{rows}".encode())
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
    (answer,) = trained_model.TrainedModel(fitted.encode(0.0)[0]).predict([{"a": 0.0}])
    assert answer["prediction"] == labels[0]


def test_an_empty_column_is_bad_data_that_names_it():
    data = frames.frame("numeric", "ridge").assign(b=np.nan)

    with pytest.raises(errors.BadData, match="column b is empty") as caught:
        pipeline.fit_pipeline(data, frames.request(["a", "b"], estimator="ridge"), "m")

    assert caught.value.extra["field"] == "features"


def test_a_text_column_of_too_many_values_is_bad_data_that_names_it():
    rows = pipeline.MAX_CATEGORIES + 1
    data = frames.frame("numeric", "ridge", rows=rows).assign(name=list(map(str, range(rows))))

    with pytest.raises(errors.BadData, match="text column name has 1001 different") as caught:
        pipeline.fit_pipeline(data, frames.request(["name"], estimator="ridge"), "m")

    assert caught.value.extra["field"] == "features"


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_too_few_rows_are_bad_data_or_enough(estimator, rows):
    data = frames.frame("numeric", estimator)
    data = pd.concat([data[data.target <= 0], data[data.target > 0]])[:rows]

    try:
        fitted = pipeline.fit_pipeline(data, frames.request(["a", "b"], estimator=estimator), "m")
    except errors.BadData as error:
        assert error.detail  # noqa: PT017
    else:
        assert fitted.manifest.rows["train"] + fitted.manifest.rows["test"] == rows


@pytest.mark.parametrize("estimator", frames.ESTIMATORS)
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_numbers_beyond_float32_are_bad_data_or_answered_alike(estimator, value):
    data = frames.frame("numeric", estimator, rows=60)
    data.loc[3, "a"] = value
    asked = frames.request(["a", "b"], estimator=estimator, params=FAST.get(estimator, {}))

    try:
        fitted = pipeline.fit_pipeline(data, asked, "m")
    except errors.BadData as error:
        assert estimator in error.detail  # noqa: PT017
    else:
        assert frames.parity(fitted) < 1e-4


def write(folder, content):
    path = folder / "data.csv"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    "content",
    {
        "nothing": b"",
        "newlines": b"\n\n\n",
        "too many fields": b"a,b,target\n1,2,3\n1,2,3,4\n",
        "too many fields in every row": b"a,b,target\n1,2,3,4\n1,2,3,4\n",
        "an open quote": b'a,b,target\n1,"2,3\n4,5,6\n',
        "Latin-1": "a,b,target\nä,ö,1\n".encode("latin-1"),
        "UTF-16": "a,b,target\n1,2,3\n".encode("utf-16"),
        "a picture": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    }.items(),
    ids=lambda item: item[0],
)
def test_a_broken_csv_is_bad_data(content, tmp_path):
    with pytest.raises(errors.BadData):
        read_dataset(write(tmp_path, content[1]), frames.request(["a", "b"]))


def test_a_csv_without_rows_is_bad_data(tmp_path):
    asked = frames.request(["a", "b"], estimator="ridge")

    with pytest.raises(errors.BadData, match="is empty"):
        pipeline.fit_pipeline(read_dataset(write(tmp_path, b"a,b,target\n"), asked), asked, "m")


def test_a_missing_feature_is_bad_data_that_names_it_and_the_columns_there_are(tmp_path):
    path = write(tmp_path, b"a,b,target\n1,2,3\n")

    with pytest.raises(errors.BadData, match=r"no column x, y; it has a, b, target") as caught:
        read_dataset(path, frames.request(["a", "x", "y"]))

    assert caught.value.extra == {"field": "features", "columns": ["a", "b", "target"]}


def test_a_missing_target_is_bad_data_that_names_it(tmp_path):
    path = write(tmp_path, b"a,b\n1,2\n")

    with pytest.raises(errors.BadData, match=r"no column target; it has a, b") as caught:
        read_dataset(path, frames.request(["a"]))

    assert caught.value.extra["field"] == "target"


def test_columns_that_nobody_asked_for_are_not_kept(tmp_path):
    path = write(tmp_path, b"a,secret,target\n1,x,3\n2,y,4\n")

    assert list(read_dataset(path, frames.request(["a"])).columns) == ["a", "target"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,target\n1,2\n",
        b"a,target\r\n1,2\r\n",
        b"a,target\n1,2",
        b'"a","target"\n"1","2"\n',
        b"target,a\n2,1\n",
        b"a,target\n\n1,2\n\n",
    ],
)
def test_a_csv_may_look_different_and_hold_the_same(content, tmp_path):
    frame = read_dataset(write(tmp_path, content), frames.request(["a"]))

    assert frame.to_dict("records") == [{"a": 1, "target": 2}]


TEXTS = ["NA", "None", "null", "NaN", "n/a", "nan", "<NA>", "N/A", "NULL"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_may_look_like_a_missing_value(text, tmp_path):
    rows = "".join(f"{['x', text, ''][i % 3]},{i % 3}\n" for i in range(60))
    path = write(tmp_path, f"a,target\n{rows}".encode())
    asked = frames.request(["a"], params={"n_estimators": 30})

    fitted = pipeline.fit_pipeline(read_dataset(path, asked), asked, "m")

    assert fitted.manifest.features == [Feature(name="a", type="text", nullable=True)]
    served = trained_model.TrainedModel(fitted.encode(0.0)[0])
    answers = served.predict([{"a": "x"}, {"a": text}, {"a": None}, {"a": ""}])
    assert [round(answer["prediction"]) for answer in answers] == [0, 1, 2, 2]


def test_a_text_that_looks_like_a_missing_value_does_not_allow_null(tmp_path):
    path = write(tmp_path, b"a,b,target\nNA,1,1\nx,2,2\nNA,3,3\nx,4,4\nx,5,5\n")
    asked = frames.request(["b", "a"], estimator="ridge")

    manifest = pipeline.fit_pipeline(read_dataset(path, asked), asked, "m").manifest

    assert manifest.features[1] == Feature(name="a", type="text", nullable=False)


@pytest.mark.parametrize("missing", ["", *TEXTS])
def test_among_numbers_and_booleans_and_in_the_target_it_is_a_missing_value(missing, tmp_path):
    rows = f"1,True,x,p\n{missing},False,y,q\n3,{missing},z,p\n4,True,x,{missing}\n"
    path = write(tmp_path, f"number,flag,text,target\n{rows}".encode())

    frame = read_dataset(path, frames.request(["number", "flag", "text"]))

    assert frame.isna().to_numpy().tolist() == [
        [False, False, False, False],
        [True, False, False, False],
        [False, True, False, False],
        [False, False, False, True],
    ]
    assert frame["number"].dtype == np.float64
    assert frame["flag"].dropna().tolist() == [True, False, True]


def test_texts_that_are_read_again_stay_in_their_rows(tmp_path):
    lines = [b"self,target,b", b'"NA",1,"two\nlines"', b"", b"x,2,", b'"1,0",3,null', b",4,1.50"]
    path = write(tmp_path, b"\n".join(lines) + b"\n")

    frame = read_dataset(path, frames.request(["b", "self"]))

    assert list(frame.columns) == ["b", "self", "target"]
    assert frame["self"].fillna("-").tolist() == ["NA", "x", "1,0", "-"]
    assert frame["b"].fillna("-").tolist() == ["two\nlines", "-", "null", "1.50"]
    assert frame["target"].tolist() == [1, 2, 3, 4]
