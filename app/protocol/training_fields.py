"""The fields of a training request, with their descriptions and examples."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from app.protocol.column_types import DeclaredType
from app.protocol.estimator_choice import canonical_name
from app.protocol.estimators import CLASS_NAMES, ESTIMATORS, CalibrationMethod
from app.protocol.examples import DATASET_ID
from app.protocol.tags import MAX_TAGS, TagName
from app.protocol.training_options import (
    MAX_FEATURES,
    ColumnName,
    CrossValidation,
    ExcludedColumns,
    Preprocessing,
    Size,
    Split,
    TargetTransform,
)
from app.protocol.types import EXPLAINED, LIST_TAG, OBJECT_TAG, QualifiedId, VersionName
from app.settings.limits import MIN_FIT_MEMORY

_EstimatorName = Annotated[
    str,
    AfterValidator(canonical_name),
    WithJsonSchema({"type": "string", "enum": [*ESTIMATORS, *CLASS_NAMES]}),
]

DatasetId = Annotated[
    QualifiedId, Field(description="The data set to learn from.", examples=[DATASET_ID])
]


def _list_or_object(sent: object) -> object:
    """Return features of a type that may be read. Raises `PydanticCustomError`."""
    if sent is None or isinstance(sent, list | dict | ExcludedColumns):
        return sent
    raise PydanticCustomError(EXPLAINED, "must be a list of columns, or an object with exclude")


def _as_folds(sent: object) -> object:
    """Return a number of folds as an object. Raises `PydanticCustomError` for others."""
    if isinstance(sent, int | float) and not isinstance(sent, bool):
        return {"folds": sent}
    if sent is None or isinstance(sent, dict | CrossValidation):
        return sent
    allowed = "must be a whole number of folds, or an object with folds and repeats"
    raise PydanticCustomError(EXPLAINED, allowed)


Features = Annotated[
    Annotated[ExcludedColumns, Tag(OBJECT_TAG)]
    | Annotated[list[ColumnName], Field(min_length=1, max_length=MAX_FEATURES), Tag(LIST_TAG)],
    Discriminator(lambda value: LIST_TAG if isinstance(value, list) else OBJECT_TAG),
]
FeaturesField = Annotated[
    Features | None,
    BeforeValidator(_list_or_object),
    Field(
        description="The columns to predict from, or `exclude` with those that are not. Without "
        "it, all columns but the target, the weight, and the group or time of the split.",
        examples=[["age", "bmi"]],
    ),
]
Target = Annotated[
    ColumnName | None,
    Field(
        description="The column to predict. Only an estimator that finds anomalies has none.",
        examples=["target"],
    ),
]
Estimator = Annotated[
    _EstimatorName | None,
    Field(
        description="The kind of model, by Warren's name or by its class in scikit-learn; jobs and "
        "models show Warren's name. Without it, a `random_forest_regressor`, whose `max_depth` is "
        "3 if `params` is empty, too; for a target of texts or booleans a "
        "`random_forest_classifier`.",
        examples=["hist_gradient_boosting_regressor"],
    ),
]
Params = Annotated[
    dict[str, JsonValue] | None,
    Field(
        max_length=100,
        description="Parameters of the estimator by scikit-learn's names. The others have "
        "scikit-learn's defaults, but `random_state` is 42. `class_weight` may be an object with a "
        "weight for each label, by the label's key in `pred_proba`.",
        examples=[{"max_iter": 200, "learning_rate": 0.05}],
    ),
]
Calibrate = Annotated[
    CalibrationMethod | None,
    Field(
        description="Calibrate the probabilities of a classifier by cross-validation, as "
        "`CalibratedClassifierCV(estimator, method=calibrate, ensemble=False)` does.",
        examples=["sigmoid"],
    ),
]
TestSize = Annotated[
    Size | None,
    Field(
        description="The rows that test the model and are not learnt from: their share if below 1, "
        "else their count; 0 tests nothing. It is the `test_size` of the split by another name.",
        examples=[0.25, 100],
    ),
]
SplitField = Annotated[
    Split | None,
    Field(
        description="Which rows test the model.",
        examples=[{"test_size": 0.25, "random_state": 7}],
    ),
]
Folds = Annotated[
    CrossValidation | None,
    BeforeValidator(_as_folds, json_schema_input_type=int | CrossValidation | None),
    Field(
        description="Measure by cross-validation: the number of folds, or an object. The metrics "
        "are means over the folds.",
        examples=[5],
    ),
]
Refit = Annotated[
    bool | None,
    Field(
        description="Whether the published model learns from all rows, also those that tested it. "
        "True with `cv` if left out, otherwise false.",
        examples=[True],
    ),
]
SampleWeight = Annotated[
    ColumnName | None,
    Field(
        description="A column with the weight of each row in the fit, a number from 0 on. The "
        "metrics are not weighted.",
        examples=["weight"],
    ),
]
PreprocessingField = Annotated[
    Preprocessing | None,
    Field(
        description="What is done to the columns; what it leaves out follows the estimator.",
        examples=[{"scaling": "standard", "imputation": "mean"}],
    ),
]
Transform = Annotated[
    TargetTransform | None,
    Field(
        description="What a regressor learns instead of the target; `log1p` is log(1 + y). "
        "Predictions and metrics are those of the target itself.",
        examples=["log1p"],
    ),
]
DatasetVersion = Annotated[
    VersionName | None,
    Field(
        description="A version of the data set; the current one if left out.",
        examples=[None],
    ),
]
Types = Annotated[
    dict[ColumnName, DeclaredType] | None,
    Field(
        max_length=10_004,
        description="The types of columns, and the texts that mean a missing value in them. The "
        "types of other columns are inferred from all their cells.",
        examples=[{"zip": "category", "size": {"type": "number", "missing": ["?", "-"]}}],
    ),
]
Tags = Annotated[
    Annotated[list[TagName], Field(max_length=MAX_TAGS)] | None,
    Field(
        description="Words to find the job and the model by: `GET /models?tag=baseline`.",
        examples=[["baseline"]],
    ),
]
MaxSeconds = Annotated[
    Annotated[float, Field(gt=0)] | None,
    Field(
        description="Seconds that the fit may take, at most as many as the consumer allows.",
        examples=[60],
    ),
]
MaxMemory = Annotated[
    Annotated[int, Field(ge=MIN_FIT_MEMORY)] | None,
    Field(
        description="Bytes of memory that the fit may take on top of the libraries, at most as "
        "many as the consumer allows.",
        examples=[2_000_000_000],
    ),
]
