"""Models of all kinds that can be exported, and the rows that they are asked."""

import random
from typing import Any

from tests.support import graphs

HOUSES = "houses"
FEATURES = ["area", "rooms", "garden", "town", "zip", "built", "note"]
TYPES = {
    "zip": {"type": "category", "missing": ["000"]},
    "built": "date",
    "area": {"type": "number", "missing": ["-1"]},
}
DATES = {"dates": ["year", "month", "weekday", "day-of-year", "hour"]}
UPLOADED = {
    "linear": (graphs.linear(), graphs.LINEAR),
    "words": (graphs.words(), graphs.WORDS),
    "batches": (graphs.linear(batch=4), graphs.LINEAR),
    "iris": (
        graphs.iris(),
        {
            "inputs": [{"name": "X", "features": ["length", "width"]}],
            "output": {"name": "probabilities", "holds": "probabilities"},
            "labels": ["setosa", "versicolor"],
        },
    ),
    "logits": (
        graphs.sigmoid([None], logits=True),
        {
            "inputs": [{"name": "x", "features": ["a"]}],
            "output": {"name": "p", "holds": "logits"},
            "labels": [False, True],
        },
    ),
    "nulls": (
        graphs.known_or_zero(),
        {
            "inputs": [{"name": "x", "features": ["a", "b"], "nullable": True}],
            "output": {"name": "y", "holds": "values"},
        },
    ),
}
UPLOADED_ROWS = {
    "linear": [{"a": n / 3, "b": n} for n in range(9)],
    "words": [{"word": "ten" if n % 2 else "nine", "a": n / 7} for n in range(9)],
    "batches": [{"a": n / 3, "b": n} for n in range(9)],
    "iris": [{"length": n / 3, "width": n / 7} for n in range(9)],
    "logits": [{"a": n / 3 - 1} for n in range(9)],
    "nulls": [{"a": None if n % 3 else n / 3, "b": 1.5 * n} for n in range(9)],
}
TRAININGS: dict[str, dict[str, Any]] = {
    "forest": {"target": "price", "params": {"n_estimators": 10}},
    "logarithm": {"estimator": "ridge", "target": "price", "target_transform": "log1p"},
    "boosting": {
        "estimator": "hist_gradient_boosting_regressor",
        "target": "price",
        "params": {"max_iter": 10},
    },
    "neighbours": {"estimator": "knn_regressor", "target": "price"},
    "terms": {
        "estimator": "ridge",
        "target": "price",
        "preprocessing": {**DATES, "tfidf": ["note"]},
    },
    "anomalies": {"estimator": "isolation_forest", "params": {"n_estimators": 10}},
    "sold": {"estimator": "logistic_regression", "target": "sold"},
    "bayes": {"estimator": "gaussian_nb", "target": "sold"},
    "kind": {
        "estimator": "random_forest_classifier",
        "target": "kind",
        "params": {"n_estimators": 10},
    },
    "stars": {
        "estimator": "hist_gradient_boosting_classifier",
        "target": "stars",
        "params": {"max_iter": 10},
    },
    "calibrated": {
        "estimator": "logistic_regression",
        "target": "kind",
        "calibrate": "isotonic",
    },
    "undecided": {"estimator": "linear_svm_classifier", "target": "kind"},
}
PIPELINES = {"neighbours", "terms", "anomalies", "bayes", "calibrated"}


def houses() -> list[dict[str, Any]]:
    """Return rows of all types of columns, in which values are missing."""
    chance = random.Random(7)
    rows = []
    for n in range(160):
        area, rooms = round(40 + 100 * chance.random(), 2), chance.randrange(1, 7)
        garden, town = chance.random() < 0.5, chance.choice(["Ulm", "Köln", "Bonn, \U0001f600"])
        kind = "house" if garden and rooms > 3 else "flat" if rooms > 1 else "room"
        day = f"20{n % 24:02}-{n % 12 + 1:02}-{n % 28 + 1:02}"
        rows.append(
            {
                "area": -1 if n % 17 == 3 else area,
                "rooms": rooms,
                "garden": garden,
                "town": None if n % 13 == 5 else town,
                "zip": "000" if n % 19 == 2 else f"{n % 5}.0",
                "built": None if n % 23 == 4 else f"{day}T{n % 24:02}:30:00Z" if n % 2 else day,
                "note": f"{town} with {rooms} rooms" + (" and a garden" if garden else ""),
                "price": round(area * 3 + 20 * rooms + 50 * garden + chance.random(), 3),
                "sold": "true" if area > 90 else "false",
                "kind": kind,
                "stars": min(5, rooms),
            }
        )
    return rows


def asked_rows() -> list[dict[str, Any]]:
    """Return rows as clients send them: whole numbers as numbers, categories of any type."""
    rows = [{name: row[name] for name in FEATURES} for row in houses()[:60]]
    for n, row in enumerate(rows):
        row["zip"] = [row["zip"], n % 5, float(n % 5), None][n % 4]
        row["town"] = "Nowhere" if n == 7 else row["town"]
        row["area"] = None if n % 10 == 9 else row["area"]
    return rows


def csv() -> str:
    rows = houses()
    lines = [",".join(rows[0])]
    for row in rows:
        cells = ["" if each is None else str(each) for each in row.values()]
        lines.append(",".join(f'"{cell}"' if "," in cell else cell for cell in cells))
    return "\n".join(lines) + "\n"
