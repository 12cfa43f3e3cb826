"""Each option of the preprocessing gives what the scikit-learn code gives that it stands for."""

import json

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR
from xgboost import XGBRegressor

from app import errors
from app.models.manifest import Feature
from app.protocol.preprocessing import ResolvedPreprocessing
from app.training.fit_steps import fit_steps
from tests.support import frames
from tests.support.datasets import cars

NUMBERS = ["Cylinders", "Displacement", "Horsepower", "Weight_in_lbs", "Acceleration", "Year"]
TEXTS = ["Origin"]
TARGET = "Miles_per_Gallon"
MEDIAN = SimpleImputer(strategy="median")
ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
NATIVE = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
RARE = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=60, sparse_output=False)
TREES, FEW = {"n_estimators": 8}, {"max_iter": 20}
FOREST = RandomForestRegressor(random_state=42, **TREES)
BOOST = HistGradientBoostingRegressor(random_state=42, **FEW)
RIDGE, SMALL = Ridge(random_state=42), Ridge(random_state=42, alpha=0.1)


def native(booster):
    """The booster that takes the last column of the matrix, a text, as categories."""
    return booster.set_params(categorical_features=[len(NUMBERS)])


def scaled(scaler, imputer=MEDIAN):
    return make_pipeline(imputer, scaler)


# The estimator, its params, the preprocessing that is asked for, and what it stands for: the
# steps of numbers and of texts, and scikit-learn's estimator.
REGRESSIONS = {
    "a forest as it is": (
        "random_forest_regressor",
        TREES,
        {},
        MEDIAN,
        ONE_HOT,
        FOREST,
    ),
    "a forest that gets missing numbers": (
        "random_forest_regressor",
        TREES,
        {"imputation": "none"},
        "passthrough",
        ONE_HOT,
        FOREST,
    ),
    "ordinal": (
        "random_forest_regressor",
        TREES,
        {"categories": "ordinal"},
        MEDIAN,
        ORDINAL,
        FOREST,
    ),
    "boosting as it is": (
        "hist_gradient_boosting_regressor",
        FEW,
        {},
        "passthrough",
        NATIVE,
        native(HistGradientBoostingRegressor(random_state=42, **FEW)),
    ),
    "boosting of imputed numbers": (
        "hist_gradient_boosting_regressor",
        FEW,
        {"imputation": "median", "categories": "one-hot"},
        MEDIAN,
        ONE_HOT,
        BOOST,
    ),
    "boosting of rare categories": (
        "hist_gradient_boosting_regressor",
        FEW,
        {"min_frequency": 60},
        "passthrough",
        RARE,
        BOOST,
    ),
    "boosting of few bins": (
        "hist_gradient_boosting_regressor",
        {**FEW, "max_bins": 2},
        {},
        "passthrough",
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=2),
        native(HistGradientBoostingRegressor(random_state=42, max_bins=2, **FEW)),
    ),
    "XGBoost as it is": (
        "xgboost_regressor",
        TREES,
        {},
        "passthrough",
        ONE_HOT,
        XGBRegressor(random_state=42, **TREES),
    ),
    "LightGBM as it is": (
        "lightgbm_regressor",
        TREES,
        {},
        "passthrough",
        ONE_HOT,
        LGBMRegressor(random_state=42, n_jobs=1, verbose=-1, **TREES),
    ),
    "ridge as it is": ("ridge", {}, {}, scaled(StandardScaler()), ONE_HOT, RIDGE),
    "unscaled": ("ridge", {}, {"scaling": "none"}, MEDIAN, ONE_HOT, RIDGE),
    "min-max": (
        "ridge",
        {"alpha": 0.1},
        {"scaling": "min-max"},
        scaled(MinMaxScaler()),
        ONE_HOT,
        SMALL,
    ),
    "robust and mean": (
        "ridge",
        {},
        {"scaling": "robust", "imputation": "mean"},
        scaled(RobustScaler(), SimpleImputer(strategy="mean")),
        ONE_HOT,
        RIDGE,
    ),
    "most frequent": (
        "ridge",
        {},
        {"imputation": "most-frequent", "min_frequency": 60},
        scaled(StandardScaler(), SimpleImputer(strategy="most_frequent")),
        RARE,
        RIDGE,
    ),
    "constant": (
        "ridge",
        {},
        {"imputation": "constant", "fill_value": -7.5, "categories": "ordinal"},
        scaled(StandardScaler(), SimpleImputer(strategy="constant", fill_value=-7.5)),
        ORDINAL,
        RIDGE,
    ),
    "support vectors": (
        "svm_regressor",
        {},
        {},
        scaled(StandardScaler()),
        ONE_HOT,
        SVR(),
    ),
}


def known():
    """The cars whose target is known, with days in place of dates."""
    data = cars().dropna(subset=[TARGET])
    x = data[[*NUMBERS, *TEXTS]].copy()
    x["Year"] = (pd.to_datetime(x["Year"]) - pd.Timestamp("1970-01-01")).dt.days
    x[NUMBERS] = x[NUMBERS].astype(float)
    return x.astype(dict.fromkeys(TEXTS, object)), data


def ask(**changes):
    named = {"target": TARGET, "types": {"Year": "date"}, "defaults": "by-estimator"}
    features = changes.pop("features", [*NUMBERS, *TEXTS])
    return frames.request(features, **{**named, **changes})


def answers(model, data):
    """What the model answers to rows, as /predict takes them."""
    rows = json.loads(data[[*NUMBERS, *TEXTS]].to_json(orient="records"))
    return model.predict([model.check(row) for row in rows])


@pytest.mark.parametrize("case", REGRESSIONS.values(), ids=REGRESSIONS)
def test_regressions(case):
    name, params, options, numbers, texts, estimator = case
    x, data = known()
    y = data[TARGET].to_numpy()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    steps = ColumnTransformer([("number", numbers, NUMBERS), ("text", texts, TEXTS)])
    plain = make_pipeline(steps, estimator).fit(x_train, y_train)

    manifest, file = frames.train(cars(), ask(estimator=name, params=params, preprocessing=options))
    answered = answers(frames.load(manifest, file), data.loc[x_test.index])

    expected = plain.predict(x_test)
    assert manifest.runtime == "onnx"
    assert manifest.parity < 1e-12
    assert [each["prediction"] for each in answered] == pytest.approx(expected, rel=1e-9)
    assert manifest.metrics["rmse"] == pytest.approx(
        root_mean_squared_error(y_test, expected), rel=1e-9
    )


def test_boosting_gets_missing_numbers_and_categories_as_they_are():
    x, data = known()
    y = data[TARGET].to_numpy()
    x_train, x_test, y_train, y_test = train_test_split(
        x.astype({"Origin": "category"}), y, test_size=0.2, random_state=42
    )
    plain = HistGradientBoostingRegressor(random_state=42).fit(x_train, y_train)

    measured = {
        defaults: frames.train(
            cars(), ask(estimator="hist_gradient_boosting_regressor", defaults=defaults)
        )[0].metrics["rmse"]
        for defaults in ("by-estimator", "scikit-learn")
    }

    assert measured == pytest.approx({"by-estimator": 2.142, "scikit-learn": 2.198}, abs=5e-4)
    assert measured["by-estimator"] == pytest.approx(
        root_mean_squared_error(y_test, plain.predict(x_test)), rel=1e-12
    )


def test_missing_and_new_categories_are_missing_to_boosting():
    data = cars().dropna(subset=[TARGET])
    data.loc[::5, "Origin"] = None
    manifest, file = frames.train(data, ask(estimator="hist_gradient_boosting_regressor"))
    model = frames.load(manifest, file)
    row = dict(manifest.sample)

    asked = [{**row, "Origin": origin} for origin in (None, "Atlantis", "Japan")]
    missing, new, japan = model.predict([model.check(each) for each in asked])

    assert manifest.runtime == "onnx"
    assert missing == new != japan


CLASSIFICATIONS = {
    "boosting": (
        "hist_gradient_boosting_classifier",
        FEW,
        None,
        "passthrough",
        NATIVE,
        native(HistGradientBoostingClassifier(random_state=42, **FEW)),
    ),
    "calibrated boosting": (
        "hist_gradient_boosting_classifier",
        FEW,
        "isotonic",
        "passthrough",
        NATIVE,
        CalibratedClassifierCV(
            native(HistGradientBoostingClassifier(random_state=42, **FEW)),
            method="isotonic",
            ensemble=False,
        ),
    ),
    "calibrated support vectors": (
        "svm_classifier",
        {},
        "sigmoid",
        scaled(StandardScaler()),
        ONE_HOT,
        CalibratedClassifierCV(SVC(random_state=42), method="sigmoid", ensemble=False),
    ),
    "logistic": (
        "logistic_regression",
        {},
        None,
        scaled(StandardScaler()),
        ONE_HOT,
        LogisticRegression(random_state=42),
    ),
}


@pytest.mark.parametrize("case", CLASSIFICATIONS.values(), ids=CLASSIFICATIONS)
def test_classifications(case):
    name, params, calibrate, numbers, texts, estimator = case
    x, data = known()
    data["thirsty"] = np.where(data[TARGET] < 23, "yes", "no")
    y = (data["thirsty"] == "yes").to_numpy(int)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.2, random_state=42, stratify=y
    )
    steps = ColumnTransformer([("number", numbers, NUMBERS), ("text", texts, TEXTS)])
    plain = make_pipeline(steps, estimator).fit(x_train, y_train)

    asked = ask(estimator=name, params=params, calibrate=calibrate, target="thirsty")
    manifest, file = frames.train(data, asked)
    answered = answers(frames.load(manifest, file), data.loc[x_test.index])

    assert manifest.runtime == ("scikit-learn" if calibrate else "onnx")
    assert [each["pred_proba"]["yes"] for each in answered] == pytest.approx(
        plain.predict_proba(x_test)[:, 1], abs=1e-7
    )
    assert manifest.metrics["accuracy"] == accuracy_score(y_test, plain.predict(x_test))


@pytest.mark.parametrize(
    ("name", "params", "numbers", "estimator"),
    [
        ("ridge", {}, scaled(StandardScaler()), RIDGE),
        ("random_forest_regressor", TREES, MEDIAN, FOREST),
        ("svm_regressor", {}, scaled(StandardScaler()), SVR()),
        ("knn_regressor", {}, scaled(StandardScaler()), KNeighborsRegressor()),
    ],
)
def test_the_logarithm_of_the_target(name, params, numbers, estimator):
    x, data = known()
    y = data[TARGET].to_numpy()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    steps = ColumnTransformer([("number", numbers, NUMBERS), ("text", ONE_HOT, TEXTS)])
    whole = TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1)
    expected = make_pipeline(steps, whole).fit(x_train, y_train).predict(x_test)

    asked = ask(estimator=name, params=params, target_transform="log1p")
    manifest, file = frames.train(cars(), asked)
    answered = answers(frames.load(manifest, file), data.loc[x_test.index])

    assert manifest.runtime == ("scikit-learn" if name == "knn_regressor" else "onnx")
    assert manifest.preprocessing.target_transform == "log1p"
    assert [each["prediction"] for each in answered] == pytest.approx(expected, rel=1e-9)
    assert manifest.metrics["rmse"] == pytest.approx(
        root_mean_squared_error(y_test, expected), rel=1e-9
    )


def test_words_are_weighed_by_tf_idf_and_dates_have_parts():
    x, data = known()
    dates = pd.to_datetime(data["Year"])
    x["Year.year"], x["Year.weekday"] = dates.dt.year * 1.0, dates.dt.day_of_week * 1.0
    x["Name"] = data["Name"].astype(object)
    y = data[TARGET].to_numpy()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    steps = ColumnTransformer(
        [
            ("number", scaled(StandardScaler()), [*NUMBERS, "Year.year", "Year.weekday"]),
            ("text", ONE_HOT, TEXTS),
            ("words", TfidfVectorizer(max_features=40), "Name"),
        ],
        sparse_threshold=0,
    )
    expected = make_pipeline(steps, RIDGE).fit(x_train, y_train).predict(x_test)

    options = {"dates": ["year", "weekday"], "tfidf": ["Name"], "max_terms": 40}
    asked = ask(features=[*NUMBERS, *TEXTS, "Name"], estimator="ridge", preprocessing=options)
    manifest, file = frames.train(cars(), asked)
    model = frames.load(manifest, file)
    rows = json.loads(data.loc[x_test.index, [*NUMBERS, *TEXTS, "Name"]].to_json(orient="records"))
    answered = model.predict([model.check(row) for row in rows])

    assert (manifest.runtime, manifest.runtime_reason) == (
        "scikit-learn",
        "TF-IDF is not written as ONNX",
    )
    assert [each["prediction"] for each in answered] == pytest.approx(expected, rel=1e-9)
    assert manifest.metrics["rmse"] == pytest.approx(
        root_mean_squared_error(y_test, expected), rel=1e-9
    )


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (
            {"estimator": "ridge", "preprocessing": {"imputation": "none"}},
            "preprocessing.imputation",
            '"none" leaves the missing values of Horsepower as they are, and Ridge takes none',
        ),
        (
            {"types": {}, "features": ["Cylinders"], "preprocessing": {"dates": ["month"]}},
            "preprocessing.dates",
            "no feature is a date",
        ),
        (
            {"features": {"exclude": ["Name"]}, "types": {}, "preprocessing": {"tfidf": ["Name"]}},
            "preprocessing.tfidf",
            '"Name" is not a feature',
        ),
    ],
)
def test_options_that_do_not_suit_the_columns_are_told(changes, field, said):
    with pytest.raises(errors.BadData, match=said) as raised:
        frames.train(cars(), ask(**changes))

    assert raised.value.extra["field"] == field


def test_a_target_without_a_logarithm_is_told():
    data = cars()
    data[TARGET] -= 30

    with pytest.raises(errors.BadData, match="log1p takes numbers above -1") as raised:
        frames.train(data, ask(estimator="ridge", target_transform="log1p"))

    assert raised.value.extra["field"] == "target_transform"


def test_a_text_without_words_is_told():
    data = cars().assign(Name="a b c")

    with pytest.raises(errors.BadData, match="has a word of two letters or more"):
        frames.train(
            data,
            ask(features=["Cylinders", "Name"], types={}, preprocessing={"tfidf": ["Name"]}),
        )


@pytest.mark.parametrize("scaling", ["standard", "min-max", "robust"])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", ["ridge", "logistic_regression", "svm_regressor"])
def test_a_single_column_is_scaled_in_float64_by_the_graph(name, gaps, scaling):
    random = np.random.default_rng(5)
    column = 1.7e9 + random.normal(size=60)  # whose differences float32 does not see
    data = pd.DataFrame({"a": column, "target": column - 1.7e9})
    if name in frames.CLASSIFIERS:
        data["target"] = np.where(data["target"] > 0, "high", "low")
    if gaps:
        data.loc[::8, "a"] = np.nan
    options = {"scaling": scaling, "imputation": "mean" if gaps else None}

    manifest, _ = frames.train(data, frames.request(["a"], estimator=name, preprocessing=options))

    assert manifest.runtime == "onnx"
    assert manifest.parity < 1e-9
    if name != "logistic_regression" and not gaps:
        assert manifest.metrics["r2"] > 0.8


def wide(columns):
    """Texts of a thousand values each, in so many columns."""
    names = [f"t{place}" for place in range(columns)]
    texts = np.array([f"v{row}" for row in range(1000)], object)
    return pd.DataFrame(dict.fromkeys(names, texts)), [Feature(name=n, type="text") for n in names]


def test_texts_become_at_most_so_many_columns():
    x, features = wide(101)
    one_hot = ResolvedPreprocessing()

    with pytest.raises(errors.BadData, match="would become 101,000 columns") as raised:
        fit_steps(x, features, one_hot, Ridge())

    assert raised.value.extra["field"] == "features"
    assert 'choose "ordinal" for preprocessing.categories' in raised.value.detail


def test_the_bound_counts_no_numbers_and_no_words():
    x, features = wide(101)
    ordinal = ResolvedPreprocessing(categories="ordinal")
    words = ResolvedPreprocessing(tfidf=["t0", "t1"], max_terms=10)
    few = x.assign(**{f.name: "v" for f in features[2:]})

    assert fit_steps(x, features, ordinal, Ridge())[0].shape == (1000, 101)
    assert fit_steps(few, features, words, Ridge())[0].shape == (1000, 99 + 2 * 10)
