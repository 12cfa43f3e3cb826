"""What the graphs answer is compared with what scikit-learn answers, to the last digits."""

import warnings
from itertools import product

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from app.inference.onnx_session import load_session
from app.models.manifest import Feature
from app.training.features import feature_matrix
from app.training.onnx_export import to_onnx
from app.training.onnx_graph import NotExportable
from app.training.preprocessing import preprocessing_steps

EPOCH = 1_700_000_000.0


def columns(kind, rows=90):
    """Rows and their features; `offset` has numbers that float32 cannot tell apart."""
    random = np.random.default_rng(3)
    data = pd.DataFrame(random.normal(size=(rows, 3)), columns=["a", "b", "c"])
    if kind == "offset":
        data["a"] = EPOCH + np.arange(rows)
    if kind in ("missing", "mixed"):
        data.loc[::7, "a"] = np.nan
    if kind in ("text", "mixed"):
        data["t"] = random.choice(["red", "", "ä,\n", " red", "Red", "\0"], size=rows)
        data["u"] = random.choice(["x", "y"], size=rows)
    features = [
        Feature(name=n, type="text" if n in "tu" else "number", nullable=bool(data[n].isna().any()))
        for n in data
    ]
    return data, features


def answers_of_both(estimator, kind, y):
    """Fit; return what scikit-learn and the graph answer to the rows themselves."""
    data, features = columns(kind)
    x, numbers = feature_matrix(data, features)
    steps = preprocessing_steps(features, numbers)
    pipeline = Pipeline([*steps, ("estimator", estimator)]).fit(x, y)
    texts = len(features) - numbers
    file = b"".join(to_onnx(pipeline, numbers, texts))
    onnx.checker.check_model(onnx.load_from_string(file), full_check=True)
    frame = pd.DataFrame(x)
    inputs = {"number": frame.iloc[:, :numbers].to_numpy(np.float64)}
    if texts:
        inputs["text"] = frame.iloc[:, numbers:].to_numpy(object)
    expected = [pipeline.predict(x)]
    if hasattr(pipeline, "predict_proba"):
        expected.append(pipeline.predict_proba(x))
    return expected, load_session(file).run(None, inputs)


KINDS = ["numeric", "offset", "missing", "text", "mixed"]


REGRESSORS = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    LinearRegression(positive=True),
    Ridge(),
    Ridge(fit_intercept=False, solver="lsqr"),
    Lasso(alpha=0.1),
    ElasticNet(l1_ratio=0.2, fit_intercept=False),
    SVR(),
    SVR(kernel="sigmoid"),
]
SCALED = ["numeric", "missing", "text", "mixed"]  # of those that do not converge far from 0
SCALED_REGRESSORS = [
    SGDRegressor(average=True),
    LinearSVR(fit_intercept=False),
    *(
        MLPRegressor(hidden_layer_sizes=(7, 3), activation=each, max_iter=20)
        for each in ("identity", "logistic", "tanh", "relu")
    ),
    MLPRegressor(hidden_layer_sizes=(), max_iter=20),
]


@pytest.mark.parametrize(
    ("estimator", "kind"),
    # libsvm does not end with a linear kernel of such offsets.
    [
        *product(REGRESSORS, KINDS),
        *product(SCALED_REGRESSORS, SCALED),
        (SVR(kernel="linear", C=0.1), "mixed"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_regressor_answers_in_float64(estimator, kind):
    y = np.sort(np.random.default_rng(4).normal(scale=5, size=90))

    (expected,), (answered,) = answers_of_both(estimator, kind, y)

    assert answered.dtype == np.float64
    assert np.abs(answered - expected).max() <= 1e-7 * y.std()


CLASSIFIERS = [
    LogisticRegression(max_iter=500),
    LogisticRegression(fit_intercept=False, C=0.01, max_iter=500),
    SVC(),
    SVC(kernel="poly", degree=2, decision_function_shape="ovo"),
    SVC(class_weight={0: 2.0}),
]
SCALED_CLASSIFIERS = [
    SGDClassifier(),
    SGDClassifier("log_loss", penalty="l1"),
    LinearSVC(),
    LinearSVC(multi_class="crammer_singer"),
    LinearSVC(fit_intercept=False),
    MLPClassifier((7, 3), activation="tanh", max_iter=20),
    MLPClassifier(max_iter=20, activation="logistic"),
]


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        *product(CLASSIFIERS, KINDS),
        *product(SCALED_CLASSIFIERS, SCALED),
        (SVC(kernel="linear", C=0.1), "mixed"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_classifier_gives_the_same_labels_and_probabilities(estimator, classes, kind):
    y = np.random.default_rng(4).permutation(np.arange(90) % classes)

    (labels, *probabilities), (answered, *shares) = answers_of_both(estimator, kind, y)

    assert answered.dtype == np.int64
    assert answered.tolist() == labels.tolist()
    assert len(shares) == len(probabilities)
    for expected, share in zip(probabilities, shares, strict=True):
        assert share.dtype == np.float64
        assert np.abs(expected - share).max() <= 1e-12


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_so_low_that_no_class_has_a_share_make_equal_shares(classes):
    x, y = np.arange(30.0)[:, None], np.arange(30) % classes
    estimator = SGDClassifier("log_loss", random_state=0).fit(x, y)
    estimator.coef_[:], estimator.intercept_[:] = -1e4, -1e4
    pipeline = Pipeline([("estimator", estimator)])

    labels, shares = load_session(b"".join(to_onnx(pipeline, 1, 0))).run(None, {"number": x})

    assert labels.tolist() == pipeline.predict(x).tolist()
    assert shares.tolist() == pipeline.predict_proba(x).tolist()


@pytest.mark.parametrize("classes", [2, 3])
def test_where_all_classes_tie_the_first_one_wins_as_in_scikit_learn(classes):
    y = np.arange(90) % classes
    estimator = LogisticRegression(fit_intercept=False)
    x = np.zeros((90, 1))
    pipeline = Pipeline([("estimator", estimator)]).fit(x, y)

    labels, shares = load_session(b"".join(to_onnx(pipeline, 1, 0))).run(None, {"number": x})

    assert labels.tolist() == pipeline.predict(x).tolist() == [0] * 90
    assert np.ptp(shares) < 1e-15


def test_votes_that_tie_go_to_the_first_class_as_in_scikit_learn():
    """Three classes in a ring, and rows at its centre: each class wins one of its pairs."""
    angles = np.arange(90) * 2 * np.pi / 90
    x = np.column_stack([np.cos(angles), np.sin(angles)])
    pipeline = Pipeline([("estimator", SVC(kernel="linear"))]).fit(x, np.arange(90) // 30)
    rows = np.random.default_rng(4).normal(scale=0.05, size=(2000, 2))

    (labels,) = load_session(b"".join(to_onnx(pipeline, 2, 0))).run(None, {"number": rows})

    assert labels.tolist() == pipeline.predict(rows).tolist()


@pytest.mark.parametrize(
    ("params", "exported"),
    [
        ({"kernel": "linear"}, False),
        ({"kernel": "poly", "degree": 1, "gamma": 1e-6}, False),
        ({"kernel": "rbf"}, True),
    ],
    ids=str,
)
def test_labels_that_the_order_of_a_sum_decides_are_left_to_scikit_learn(params, exported):
    x = np.column_stack([EPOCH + np.arange(90), np.arange(90) % 7]).astype(float)
    estimator = SVC(max_iter=100, **params)
    with warnings.catch_warnings(action="ignore"):
        pipeline = Pipeline([("estimator", estimator)]).fit(x, np.arange(90) % 2)

    if exported:
        assert to_onnx(pipeline, 2, 0)
    else:
        with pytest.raises(NotExportable, match="numbers that large"):
            to_onnx(pipeline, 2, 0)


def test_a_text_that_was_not_learnt_is_none_of_the_categories():
    x = pd.DataFrame({0: ["a", "b", "c"] * 5}, dtype=object)
    features = [Feature(name="t", type="text")]
    steps = preprocessing_steps(features, 0)
    pipeline = Pipeline([*steps, ("estimator", Ridge())]).fit(x, np.arange(15.0))
    asked = np.array([["d"], [""], ["a "]], object)

    (answered,) = load_session(b"".join(to_onnx(pipeline, 0, 1))).run(None, {"text": asked})

    assert answered == pytest.approx(pipeline.predict(pd.DataFrame(asked)), abs=1e-12)
    assert np.ptp(answered) == 0


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (KNeighborsRegressor(), "where distances tie"),
        (KNeighborsClassifier(weights="distance"), "where distances tie"),
        (GaussianNB(), "equally near"),
        (SGDClassifier("modified_huber"), "probabilities of the loss modified_huber"),
        (CalibratedClassifierCV(SVC(), ensemble=False), "calibrated classifiers"),
        (SVC(break_ties=True), "support vectors with break_ties"),
        (SVR(epsilon=1000.0), "no support vectors"),
    ],
    ids=str,
)
def test_what_no_graph_answers_alike_by_construction_is_not_exported(estimator, reason):
    x, y = np.random.default_rng(4).normal(size=(30, 2)), np.arange(30) % 3
    pipeline = Pipeline([("estimator", estimator)]).fit(x, y)

    with pytest.raises(NotExportable, match=reason):
        to_onnx(pipeline, 2, 0)


@pytest.mark.parametrize("estimator", [SVC(), LinearSVC()], ids=str)
def test_a_class_without_a_weight_is_not_exported(estimator):
    x, y = np.random.default_rng(4).normal(size=(30, 2)), np.arange(30) % 3
    fitted = {"estimator__sample_weight": (y != 2).astype(float)}
    pipeline = Pipeline([("estimator", estimator)]).fit(x, y, **fitted)

    with pytest.raises(NotExportable, match="a class has no row with a weight"):
        to_onnx(pipeline, 2, 0)


def test_support_vectors_of_many_labels_are_not_weighed_for_each_pair():
    x, y = np.random.default_rng(4).normal(size=(600, 2)), np.arange(600) % 200
    pipeline = Pipeline([("estimator", SVC())]).fit(x, y)

    with pytest.raises(NotExportable, match="support vectors of 200 labels are too many"):
        to_onnx(pipeline, 2, 0)
