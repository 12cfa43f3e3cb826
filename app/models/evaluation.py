"""The evaluation of a trained model: one JSON document beside its file.

docs/training.md, section Metrics, says by which function of scikit-learn each number is computed.
"""

from pydantic import Field

from app.models.column_profile import ColumnProfile
from app.models.evaluation_parts import (
    Classification,
    Coefficients,
    Importance,
    Part,
    PartialDependence,
    Regression,
)
from app.models.manifest import FoldScores

EVALUATION_FILE = "evaluation.json"

Scores = dict[str, float]


class Note(Part):
    """What an evaluation leaves out, and why."""

    part: str = Field(description="The part, such as `importance`.")
    detail: str = Field(description="What is left out, and why.")


class Baseline(Part):
    """A model that looks at no feature, fitted and measured on the same rows."""

    strategy: str = Field(
        description="`mean` of a regressor: each answer is the mean of the training rows. `prior` "
        "of a classifier: each answer is the most frequent class of the training rows, and the "
        "probabilities are the shares of the classes in them."
    )
    scores: Scores = Field(description="Its scores, by the names of those of the model.")


class DataSummary(Part):
    """The data that the model learnt from and was tested with."""

    sha256: str = Field(description="The sha256 of the file as it was read.")
    rows: int = Field(description="Rows with a target; all others were left out.")
    columns: list[ColumnProfile] = Field(
        description="The features and the target, of these rows; at most 1,000."
    )


class Evaluation(Part):
    """How good a trained model is, what it looks at, and how it was made.

    Every number is finite. A part that does not apply is null; `notes` tell what was left out for
    another reason.
    """

    model_id: str
    dataset_id: str
    dataset_version: str | None = None
    estimator: str
    task: str
    format: int = 1
    tested_on: str = Field(
        description="`test`: the test rows. `folds`: all rows that a fold of the cross-validation "
        "tested, each answered by the model that did not learn it; of repeats the first one. "
        "`none`: nothing was tested."
    )
    rows: dict[str, int] = Field(description="How many rows trained and tested the model.")
    test_scores: Scores = Field(description="The scores on the rows that tested the model.")
    train_scores: Scores = Field(
        description="The scores of the published model on the rows that it learnt from, at most "
        "10,000 of them. Where they are far better than `test_scores`, the model overfits."
    )
    baseline: Baseline | None
    cross_validation: dict[str, FoldScores] | None = Field(
        None, description="Mean, standard deviation and folds of each metric, as in the model."
    )
    regression: Regression | None = None
    classification: Classification | None = None
    importance: Importance | None = None
    coefficients: Coefficients | None = None
    partial_dependence: list[PartialDependence] = Field(
        [], description="The four features of the greatest importance."
    )
    data: DataSummary | None
    versions: dict[str, str] = Field(description="The libraries that trained the model.")
    phases: dict[str, float] = Field(description="How many seconds each phase took.")
    notes: list[Note]
