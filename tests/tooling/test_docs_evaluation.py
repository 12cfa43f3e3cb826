"""The page about trainings, section Metrics, names the parts of an evaluation and their bounds."""

import re
from pathlib import Path

from app.evaluation import classification, importance, partial_dependence, regression
from app.evaluation.budget import LEAST_SECONDS, SHARE
from app.evaluation.evaluate import LEAST_TRAIN_ROWS, TRAIN_ROWS
from app.evaluation.notes import MAX_COLUMNS
from app.models import column_profile, evaluation_parts
from app.models.evaluation import Evaluation
from app.tables.profile import MOST_FREQUENT

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text()
SECTION = PAGE[PAGE.index("\n## Metrics") :].partition("\n## Runtimes")[0]


def test_the_page_names_the_bounds_of_the_code() -> None:
    text = " ".join(SECTION.split())
    for said in (
        f"at most {TRAIN_ROWS:,} of them, or down to {LEAST_TRAIN_ROWS:,} if the model is slow",
        f"at most {regression.POINTS:,} points",
        f"at most {classification.MAX_CLASSES} classes",
        f"at most {classification.MAX_CURVES} classes",
        f"{importance.REPEATS} repeats and at most {importance.MAX_ROWS:,} rows",
        f"The first {importance.MAX_FEATURES:,} features",
        f"over at most {partial_dependence.MAX_ROWS:,} rows",
        f"grid has {partial_dependence.GRID} values",
        f"at most {MAX_COLUMNS:,} columns",
        f"head({MOST_FREQUENT})",
        f"or {LEAST_SECONDS} s if that is more",
    ):
        assert said in text, said
    assert SHARE == 0.1
    assert "a tenth of the fit's time" in text


def test_the_page_names_each_part() -> None:
    parts = {*Evaluation.model_fields} - {
        *(
            "model_id",
            "dataset_id",
            "dataset_version",
            "estimator",
            "task",
            "format",
            "rows",
            "cross_validation",
        ),
        *("regression", "classification", "versions"),
    }
    for model in (evaluation_parts.Regression, evaluation_parts.ClassScores):
        parts |= {*model.model_fields} - {"rows", "label", "best_thresholds"}
    parts |= {*column_profile.ColumnProfile.model_fields} - {"name", "type"}
    named = {
        word for code in re.findall(r"`([^`]+)`", SECTION) for word in re.findall(r"\w+", code)
    }

    assert parts - named == set()
