import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeRegressor

from app.evaluation.coefficients import MAX_COLUMNS, read_coefficients
from app.models.manifest import Feature

RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=(60, 3))
TWO, THREE = (X[:, 0] > 0).astype(int), np.digitize(X[:, 0], [-0.5, 0.5])
NAMES = ["a", "b", "c"]


def read(estimator, y, labels=None, x=X):
    features = [Feature(name=f"f{n}", type="number") for n in range(x.shape[1])]
    pipeline = Pipeline([("estimator", estimator.fit(x, y))])
    return read_coefficients(pipeline, features, labels)


def test_a_regressor_has_one_list_by_falling_size():
    found = read(LinearRegression(), X @ [1.0, -3.0, 2.0] + 5)

    assert found.columns == ["f1", "f2", "f0"]
    assert found.values == [pytest.approx([-3, 2, 1])]
    assert found.intercepts == pytest.approx([5])
    assert found.labels is None


@pytest.mark.parametrize(
    ("estimator", "y", "labels", "shown"),
    [
        (LogisticRegression(), TWO, ["no", "yes"], ["yes"]),
        (LogisticRegression(), THREE, NAMES, NAMES),
        (SVC(kernel="linear"), TWO, ["no", "yes"], ["yes"]),
    ],
)
def test_a_classifier_has_a_list_for_each_label(estimator, y, labels, shown):
    found = read(estimator, y, labels)

    assert found.labels == shown
    order = [int(name[1:]) for name in found.columns]
    assert found.values == [pytest.approx(row) for row in estimator.coef_[:, order]]
    assert found.intercepts == pytest.approx(np.ravel(estimator.intercept_))


@pytest.mark.parametrize(
    ("estimator", "y", "labels"),
    [
        (DecisionTreeRegressor(), TWO, None),
        (SVR(), TWO, None),
        (SVC(), TWO, ["no", "yes"]),
        (SVC(kernel="linear"), THREE, NAMES),  # of pairs of classes, as many as classes
    ],
)
def test_others_have_none(estimator, y, labels):
    assert read(estimator, y, labels) is None


def test_the_coefficients_are_those_of_what_is_calibrated_or_transformed():
    inner = LogisticRegression()
    calibrated = read(CalibratedClassifierCV(inner, ensemble=False), TWO, ["no", "yes"])
    transformed = TransformedTargetRegressor(
        LinearRegression(), func=np.log1p, inverse_func=np.expm1
    )

    assert calibrated.values[0][0] == pytest.approx(inner.fit(X, TWO).coef_[0][0])
    assert read(transformed, np.expm1(X[:, 2])).values == [pytest.approx([1, 0, 0], abs=1e-9)]


def test_of_many_columns_the_largest_are_shown():
    wide = RANDOM.normal(size=(20, MAX_COLUMNS + 50))

    found = read(LinearRegression(), wide[:, 0], x=wide)

    assert len(found.columns) == len(found.values[0]) == MAX_COLUMNS
    sizes = np.abs(found.values[0])
    assert (np.diff(sizes) <= 0).all()
