import logging

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVR

from app import errors
from app.inference import skops_file
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.runtime import Answers
from app.inference.sklearn_answers import answer
from app.training.onnx_export import to_onnx
from app.training.onnx_graph import DOUBLE, GraphBuilder
from app.training.runtime_choice import FittedPipeline, choose_runtime, write_file
from tests.support import frames

X = np.random.default_rng(1).normal(size=(40, 1))
REGRESSION = frames.manifest(format=2)
CLASSES = frames.manifest(task="classification", labels=["no", "yes"], format=2)


def fitted(estimator, draft):
    y = X[:, 0] * 3 if draft.labels is None else (X[:, 0] > 0).astype(int)
    pipeline = Pipeline([("estimator", estimator)]).fit(X, y)
    inputs = {"number": X}
    return FittedPipeline(pipeline, inputs, answer(pipeline, draft, inputs), scale=float(y.std()))


def shifted(by):
    """An exporter whose graph adds a number to what scikit-learn would answer."""

    def export(pipeline, numbers, _texts):
        graph = GraphBuilder()
        x = graph.input("number", DOUBLE, numbers)
        coef = graph.constant(pipeline.named_steps["estimator"].coef_)
        product = graph.add("MatMul", x, coef)
        moved = graph.constant([pipeline.named_steps["estimator"].intercept_ + by])
        graph.output("prediction", graph.add("Add", product, moved), DOUBLE, [None])
        return graph.file()

    return export


def failing(error):
    def export(*_):
        raise error

    return export


@pytest.mark.parametrize(
    ("estimator", "draft"),
    [(Ridge(), REGRESSION), (LogisticRegression(), CLASSES)],
    ids=["regressor", "classifier"],
)
def test_onnx_is_chosen_where_it_answers_as_scikit_learn_does(estimator, draft, tmp_path):
    model = fitted(estimator, draft)

    choice = choose_runtime(model, draft, tmp_path)

    assert (choice.runtime, choice.reason) == ("onnx", None)
    assert choice.parity <= 1e-12
    for expected, answered in zip(model.expected, choice.answers, strict=True):
        assert expected is answered is None or answered == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("gamma", "runtime"), [("scale", "onnx"), ("auto", "scikit-learn"), (1e-3, "scikit-learn")]
)
def test_scikit_learn_answers_where_the_order_of_a_sum_decides(gamma, runtime, tmp_path):
    x = np.random.default_rng(2).normal(size=(300, 2)) * [1, 1e5]
    pipeline = Pipeline([("estimator", SVR(C=100, gamma=gamma))]).fit(x[:200], x[:200, 0])
    inputs = {"number": x[200:]}
    expected = answer(pipeline, REGRESSION, inputs)

    choice = choose_runtime(FittedPipeline(pipeline, inputs, expected, 1.0), REGRESSION, tmp_path)

    assert choice.runtime == runtime
    assert (choice.reason is None) is (runtime == "onnx")


def test_the_onnx_file_holds_the_final_manifest_once(tmp_path):
    model = fitted(Ridge(), REGRESSION)
    choice = choose_runtime(model, REGRESSION, tmp_path)
    final = REGRESSION.model_copy(update={"metrics": {"rmse": 0.25}})

    path = write_file(choice, model, final, tmp_path)

    (prop,) = onnx.load(path).metadata_props
    assert prop.value == final.model_dump_json()
    assert OnnxRuntime(path.read_bytes()).manifest == final
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("by", "runtime"), [(1e-7, "onnx"), (1e-5, "scikit-learn"), (np.nan, "scikit-learn")]
)
def test_a_graph_that_answers_otherwise_is_not_chosen(by, runtime, tmp_path):
    model = fitted(Ridge(), REGRESSION)

    choice = choose_runtime(model, REGRESSION, tmp_path, shifted(by * model.scale))

    assert choice.runtime == runtime
    if runtime == "onnx":
        assert choice.parity == pytest.approx(by, rel=1e-6)
    else:
        assert "on the test rows, ONNX differs" in choice.reason
        assert choice.answers is model.expected  # so that what is measured is what is served
        assert choice.parity == 0
        assert list(tmp_path.iterdir()) == []


def test_a_label_that_differs_is_counted(tmp_path):
    model = fitted(LogisticRegression(), CLASSES)
    labels = model.expected.predicted.copy()
    labels[:3] = 1 - labels[:3]
    told = FittedPipeline(
        model.pipeline, model.inputs, Answers(labels, model.expected.probabilities), model.scale
    )

    choice = choose_runtime(told, CLASSES, tmp_path)

    assert choice.reason == "ONNX gives 3 of 40 test rows another label"


def test_probabilities_that_differ_are_told(tmp_path):
    model = fitted(LogisticRegression(), CLASSES)
    told = Answers(model.expected.predicted, model.expected.probabilities + 1e-3)

    choice = choose_runtime(
        FittedPipeline(model.pipeline, model.inputs, told, model.scale), CLASSES, tmp_path
    )

    assert choice.reason == "on the test rows, ONNX's probabilities differ by up to 0.001"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Unable to create node 'SVM'"), "the export to ONNX failed"),
        (ValueError(), "the export to ONNX failed"),
        (MemoryError(), "the export to ONNX needs more memory than the fit may take"),
    ],
    ids=repr,
)
def test_an_export_that_fails_is_no_error_of_the_fit(error, reason, tmp_path, caplog):
    model = fitted(Ridge(), REGRESSION)

    with caplog.at_level(logging.INFO):
        choice = choose_runtime(model, REGRESSION, tmp_path, failing(error))

    assert (choice.runtime, choice.reason) == ("scikit-learn", reason)
    assert reason in caplog.text


@pytest.mark.parametrize("parts", [[b"no graph"], [b""]])
def test_a_file_that_does_not_load_is_not_chosen(parts, tmp_path):
    choice = choose_runtime(fitted(Ridge(), REGRESSION), REGRESSION, tmp_path, lambda *_: parts)

    assert (choice.runtime, choice.reason) == ("scikit-learn", "the export to ONNX failed")


@pytest.mark.parametrize(
    ("estimator", "draft"),
    [(KNeighborsRegressor(weights="distance"), REGRESSION), (KNeighborsClassifier(p=3), CLASSES)],
    ids=["regressor", "classifier"],
)
def test_a_pipeline_that_is_not_exported_is_kept_as_it_is(estimator, draft, tmp_path):
    model = fitted(estimator, draft)
    choice = choose_runtime(model, draft, tmp_path)
    final = draft.model_copy(
        update={"runtime": choice.runtime, "runtime_reason": choice.reason, "parity": 0.0}
    )

    path = write_file(choice, model, final, tmp_path)

    pipeline, manifest = skops_file.load(path)
    assert manifest == final
    assert manifest.runtime_reason.startswith("where distances tie")
    answers = answer(pipeline, manifest, model.inputs)
    for expected, answered in zip(model.expected, answers, strict=True):
        assert expected is answered is None or answered.tolist() == expected.tolist()


def test_a_pipeline_that_would_answer_otherwise_once_stored_is_an_error(tmp_path):
    model = fitted(KNeighborsRegressor(), REGRESSION)
    choice = choose_runtime(model, REGRESSION, tmp_path)
    told = FittedPipeline(
        model.pipeline, model.inputs, Answers(model.expected.predicted + 1, None), model.scale
    )

    with pytest.raises(errors.FitFailed, match="does not answer as the fitted one"):
        write_file(choice, told, REGRESSION, tmp_path)


def test_the_export_gets_the_columns_of_both_kinds(tmp_path):
    counts = []

    def export(pipeline, numbers, texts):
        counts.append((numbers, texts))
        return to_onnx(pipeline, numbers, texts)

    choose_runtime(fitted(Ridge(), REGRESSION), REGRESSION, tmp_path, export)

    assert counts == [(1, 0)]
