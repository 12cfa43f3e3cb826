"""An evaluation by plain scikit-learn, as docs/training.md defines it, without our code."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics
from sklearn.base import BaseEstimator, is_classifier
from sklearn.calibration import calibration_curve
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder


class PlainModel:
    """A fitted pipeline of scikit-learn, and the rows that it was fitted to and tested with."""

    def __init__(self, path: Path, features: list[str], target: str, estimator: BaseEstimator):
        frame = pd.read_csv(path).dropna(subset=[target])
        self.texts = [f for f in features if not pd.api.types.is_numeric_dtype(frame[f])]
        numbers = [name for name in features if name not in self.texts]
        x = frame[features].copy()
        x[numbers] = x[numbers].astype(float)
        x[self.texts] = x[self.texts].astype(object).fillna("")
        self.classifies = is_classifier(estimator)
        y = frame[target].to_numpy(None if self.classifies else float)
        split = train_test_split(
            x, y, test_size=0.2, random_state=42, stratify=y if self.classifies else None
        )
        self.x_train, self.x_test, self.y_train, self.y_test = split
        columns = ColumnTransformer(
            [
                ("number", SimpleImputer(strategy="median", keep_empty_features=True), numbers),
                ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), self.texts),
            ]
        )
        self.pipeline = Pipeline([("columns", columns), ("estimator", estimator)])
        self.pipeline.fit(self.x_train, self.y_train)

    def scores(self, model: Any, x: Any, y: Any) -> dict[str, float]:
        """The scores of a model for some rows, without areas."""
        predicted = model.predict(x)
        if not self.classifies:
            found = {
                "rmse": metrics.root_mean_squared_error(y, predicted),
                "mae": metrics.mean_absolute_error(y, predicted),
                "r2": metrics.r2_score(y, predicted),
                "median_absolute_error": metrics.median_absolute_error(y, predicted),
            }
            if (y != 0).all():
                found["mape"] = metrics.mean_absolute_percentage_error(y, predicted)
            return found
        found = {
            "accuracy": metrics.accuracy_score(y, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, predicted),
            "f1": metrics.f1_score(y, predicted, average="macro"),
        }
        if hasattr(model, "predict_proba"):
            found["log_loss"] = metrics.log_loss(y, model.predict_proba(x), labels=model.classes_)
        return found

    def test_scores(self) -> dict[str, float]:
        """The scores of the test rows, with areas."""
        found = self.scores(self.pipeline, self.x_test, self.y_test)
        if self.classifies and hasattr(self.pipeline, "predict_proba"):
            probabilities = self.pipeline.predict_proba(self.x_test)
            classes = self.pipeline.classes_
            if len(classes) == 2:
                scored, actual = probabilities[:, 1], self.y_test == classes[1]
                found["roc_auc"] = metrics.roc_auc_score(actual, scored)
            else:
                scored = probabilities
                actual = np.array([self.y_test == each for each in classes]).T
                found["roc_auc"] = metrics.roc_auc_score(
                    self.y_test, scored, multi_class="ovr", average="macro", labels=classes
                )
            found["average_precision"] = metrics.average_precision_score(
                actual, scored, average="macro"
            )
        return found

    def baseline(self) -> dict[str, Any]:
        """The scores of a model that looks at no feature."""
        if self.classifies:
            strategy, model = "prior", DummyClassifier(strategy="prior")
        else:
            strategy, model = "mean", DummyRegressor(strategy="mean")
        model.fit(self.x_train, self.y_train)
        return {"strategy": strategy, "scores": self.scores(model, self.x_test, self.y_test)}

    def regression(self) -> dict[str, Any]:
        """Points and residuals of at most 2,000 test rows."""
        predicted = self.pipeline.predict(self.x_test)
        residuals = self.y_test - predicted
        shares = ["0", "0.05", "0.25", "0.5", "0.75", "0.95", "1"]
        counts, edges = np.histogram(residuals, bins=20)
        return {
            "rows": len(residuals),
            "actual": self.y_test,
            "predicted": predicted,
            "residuals": residuals,
            "residual_mean": np.mean(residuals),
            "residual_std": np.std(residuals),
            "residual_quantiles": {each: np.quantile(residuals, float(each)) for each in shares},
            "residual_histogram": {"edges": edges, "counts": counts},
        }

    def classification(self) -> dict[str, Any]:
        """The confusion matrix, and each class against all others."""
        y, predicted = self.y_test, self.pipeline.predict(self.x_test)
        labels = self.pipeline.classes_.tolist()
        each = metrics.precision_recall_fscore_support(y, predicted, labels=labels, zero_division=0)
        found: dict[str, Any] = {
            "rows": len(y),
            "classes": len(labels),
            "labels": labels,
            "confusion": metrics.confusion_matrix(y, predicted, labels=labels),
            "per_class": [
                {"label": label, "precision": p, "recall": r, "f1": f, "support": s}
                for label, p, r, f, s in zip(labels, *each, strict=True)
            ],
        }
        for average in ("macro", "weighted"):
            p, r, f, _ = metrics.precision_recall_fscore_support(
                y, predicted, average=average, zero_division=0
            )
            found[average] = {"precision": p, "recall": r, "f1": f}
        if hasattr(self.pipeline, "predict_proba"):
            probabilities = self.pipeline.predict_proba(self.x_test)
            for place, of_class in enumerate(found["per_class"]):
                of_class |= curves(y == labels[place], probabilities[:, place])
        return found

    def importance(self, repeats: int) -> list[dict[str, Any]]:
        """Permutation importance, the greatest first."""
        measured = permutation_importance(
            self.pipeline,
            self.x_test,
            self.y_test,
            scoring="accuracy" if self.classifies else "r2",
            n_repeats=repeats,
            random_state=42,
        )
        found = [
            {"feature": name, "mean": mean, "std": std}
            for name, mean, std in zip(
                self.x_test.columns,
                measured.importances_mean,
                measured.importances_std,
                strict=True,
            )
        ]
        return sorted(found, key=lambda each: each["feature"])

    def dependence(self, feature: str) -> dict[str, Any]:
        """Partial dependence of the test rows."""
        found = partial_dependence(
            self.pipeline,
            self.x_test,
            [feature],
            categorical_features=[feature] if feature in self.texts else None,
            response_method="predict_proba" if self.classifies else "auto",
            method="brute",
            kind="average",
            grid_resolution=20,
            percentiles=(0.05, 0.95),
        )
        return {"grid": found["grid_values"][0], "values": found["average"]}


def curves(is_class: Any, probability: Any) -> dict[str, Any]:
    """What scikit-learn computes of the probability of a class."""
    false_rate, true_rate, thresholds = metrics.roc_curve(is_class, probability)
    precision, recall, cuts = metrics.precision_recall_curve(
        is_class, probability, drop_intermediate=True
    )
    observed, predicted = calibration_curve(is_class, probability, n_bins=10)
    return {
        "roc_auc": metrics.roc_auc_score(is_class, probability),
        "average_precision": metrics.average_precision_score(is_class, probability),
        "brier": metrics.brier_score_loss(is_class, probability),
        "roc": {
            "false_positive_rate": false_rate,
            "true_positive_rate": true_rate,
            "thresholds": [None, *thresholds[1:]],
        },
        "precision_recall": {
            "precision": precision,
            "recall": recall,
            "thresholds": [*cuts, None],
        },
        "calibration": {"predicted": predicted, "observed": observed},
        "best_thresholds": {
            "f1": best(is_class, probability, metrics.f1_score),
            "youden": best(is_class, probability, youden),
        },
    }


def youden(is_class: Any, answered: Any) -> float:
    """Recall of the class, and of the others, less 1."""
    others = metrics.recall_score(is_class, answered, pos_label=False)
    return float(metrics.recall_score(is_class, answered) + others - 1)


def best(is_class: Any, probability: Any, score: Any) -> dict[str, Any]:
    """The best of all thresholds, the highest among equals, and what it gives."""
    thresholds = np.unique(probability)[::-1]
    values = [score(is_class, probability >= each) for each in thresholds]
    threshold = next(t for t, v in zip(thresholds, values, strict=True) if v >= max(values) - 1e-12)
    answered = probability >= threshold
    return {
        "threshold": threshold,
        "precision": metrics.precision_score(is_class, answered),
        "recall": metrics.recall_score(is_class, answered),
        "f1": metrics.f1_score(is_class, answered),
        "false_positive_rate": 1 - metrics.recall_score(is_class, answered, pos_label=False),
    }


def assert_equal(actual: Any, expected: Any, where: str = "") -> int:
    """Compare all numbers of `expected` to 1e-12; return how many they are."""
    if isinstance(expected, dict):
        assert expected.keys() <= actual.keys(), where
        return sum(
            assert_equal(actual[name], each, f"{where}.{name}") for name, each in expected.items()
        )
    if isinstance(expected, list | np.ndarray):
        assert len(actual) == len(expected), where
        return sum(
            assert_equal(a, e, f"{where}[{n}]")
            for n, (a, e) in enumerate(zip(actual, expected, strict=True))
        )
    if isinstance(expected, str | bool | None):
        assert actual == expected, where
        return 0
    assert abs(actual - expected) <= 1e-12 * max(1.0, abs(expected)), (where, actual, expected)
    return 1
