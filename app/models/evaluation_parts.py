"""The parts of an evaluation: of regressors, of classifiers, and what a model looks at."""

from pydantic import BaseModel, ConfigDict, Field

from app.models.column_profile import Value
from app.protocol.label_keys import Label


class Part(BaseModel):
    """A part of an evaluation; its numbers are finite."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Histogram(Part):
    """How many values lie between two edges, one more than the counts."""

    edges: list[float]
    counts: list[int]


class Regression(Part):
    """Predictions against actual values; a residual is actual - predicted."""

    rows: int = Field(description="Rows that tested the model.")
    actual: list[float] = Field(
        description="The target of at most 2,000 of these rows, which a fixed seed chose."
    )
    predicted: list[float] = Field(description="The predictions for them, in the same order.")
    residuals: list[float] = Field(description="Their residuals, in the same order.")
    residual_mean: float = Field(description="Of all rows: above 0 if predictions are too low.")
    residual_std: float = Field(description="The standard deviation of all residuals, with n.")
    residual_quantiles: dict[str, float] = Field(
        description="Quantiles of all residuals by their share, `0` (the smallest) to `1`."
    )
    residual_histogram: Histogram = Field(description="Of all residuals, in 20 equal ranges.")


class RocCurve(Part):
    """The receiver operating characteristic; its points are in the order of falling thresholds."""

    false_positive_rate: list[float]
    true_positive_rate: list[float]
    thresholds: list[float | None] = Field(description="Null is above each probability.")


class PrecisionRecallCurve(Part):
    """Precision against recall; the last point, precision 1 and recall 0, has a null threshold."""

    precision: list[float]
    recall: list[float]
    thresholds: list[float | None]


class CalibrationCurve(Part):
    """What share of the rows is of the class, where the model gives it some probability.

    Only those of ten equal ranges from 0 to 1 are listed that have rows.
    """

    predicted: list[float] = Field(description="The mean probability of each range.")
    observed: list[float] = Field(description="The share of its rows that are of the class.")
    rows: list[int] = Field(description="How many rows each range has.")


class Threshold(Part):
    """A row counts as of the class if its probability is the threshold or more."""

    threshold: float | None = Field(description="Null is above each probability.")
    precision: float
    recall: float
    f1: float
    false_positive_rate: float


class BestThresholds(Part):
    """The thresholds that are best on the rows that tested the model; the highest among equals."""

    f1: Threshold = Field(description="The greatest F1.")
    youden: Threshold = Field(
        description="The greatest Youden's J: true positive rate - false positive rate."
    )


class ClassScores(Part):
    """A class against all others. What needs probabilities is null without them."""

    label: Label
    precision: float = Field(description="0 if the model never answers the class.")
    recall: float = Field(description="0 if no row is of the class.")
    f1: float
    support: int = Field(description="Rows of the class.")
    roc_auc: float | None = Field(None, description="The area below the ROC curve.")
    average_precision: float | None = Field(
        None, description="The area below the precision-recall curve, as steps."
    )
    brier: float | None = Field(None, description="The Brier score of the class's probability.")
    roc: RocCurve | None = None
    precision_recall: PrecisionRecallCurve | None = None
    calibration: CalibrationCurve | None = None
    best_thresholds: BestThresholds | None = None


class Averages(Part):
    """Means over all classes that occur in the rows or in the answers."""

    precision: float
    recall: float
    f1: float


class Classification(Part):
    """Labels against actual ones. Of many classes, the most frequent 50 are shown."""

    rows: int = Field(description="Rows that tested the model.")
    classes: int = Field(description="Classes of the data.")
    labels: list[Label] = Field(description="The classes that are shown, in the model's order.")
    confusion: list[list[int]] = Field(
        description="How many rows are of a class (outer list) and got a label (inner list); "
        "both in the order of `labels`."
    )
    per_class: list[ClassScores] = Field(description="In the order of `labels`.")
    macro: Averages = Field(description="Each class counts the same.")
    weighted: Averages = Field(description="Each class counts by its rows.")


class FeatureImportance(Part):
    """How much worse the score is if the values of a feature are shuffled."""

    feature: str
    mean: float
    std: float = Field(description="The standard deviation over the repeats, with n.")


class Importance(Part):
    """Permutation importance, the greatest first; at most 1,000 features."""

    score: str = Field(description="`r2` of regressors, `accuracy` of classifiers.")
    base: float = Field(description="The score before anything is shuffled.")
    measured_on: str = Field(description="`test` rows, or `train` rows if there are none.")
    rows: int = Field(description="How many of these rows, which a fixed seed chose.")
    repeats: int
    features: list[FeatureImportance]


class Coefficients(Part):
    """The coefficients of a linear model, of the columns as its estimator gets them."""

    columns: list[str] = Field(
        description="At most 1,000, by falling size; a text has a column for each value."
    )
    labels: list[Label] | None = Field(
        description="Of a classifier, the class of each inner list; of two classes the second."
    )
    values: list[list[float]] = Field(description="A list of coefficients for each label.")
    intercepts: list[float] = Field(description="One for each label.")


class PartialDependence(Part):
    """The mean answer if all rows had the same value of a feature."""

    feature: str
    grid: list[Value] = Field(description="At most 20 values.")
    labels: list[Label] | None = Field(
        description="Of a classifier, the class of each inner list; of two classes the second."
    )
    values: list[list[float]] = Field(
        description="The mean answers, or mean probabilities of each label, at the grid."
    )
    rows: int = Field(description="How many rows the means are taken over.")
