"""The fields of a training request, with their descriptions and examples."""

from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
)

from app.protocol.estimators import CLASS_NAMES, ESTIMATORS, CalibrationMethod, canonical_name
from app.protocol.examples import DATASET_ID
from app.protocol.types import Column, Explained, Id
from app.protocol.wording import did_you_mean, nfc, quoted
from app.settings.limits import MIN_FIT_MEMORY

ColumnKind = Literal["number", "category", "text", "date", "boolean"]
_KINDS: tuple[str, ...] = get_args(ColumnKind)


class ColumnType(BaseModel):
    """How to read a column: its type, and the texts that mean a missing value in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    type: Annotated[
        ColumnKind,
        Field(
            description="Each value of a `text` or `category` becomes a column of zeros and ones. "
            "A `category` takes 1 and 1.0 for the same value, a `text` does not.",
            examples=["category"],
        ),
    ]
    missing: Annotated[
        list[Annotated[str, Field(max_length=256)]],
        Field(
            max_length=100,
            description="Cells that mean a missing value, as an empty cell does.",
            examples=[["?", "-"]],
        ),
    ] = []


def _as_object(declared: object) -> object:
    """Return a declaration as an object; the name of a type stands for one with that type."""
    if isinstance(declared, ColumnType | dict):
        return declared
    if not isinstance(declared, str) or declared not in _KINDS:
        meant = did_you_mean(declared, _KINDS) if isinstance(declared, str) else ""
        raise ValueError(
            f'must be one of {", ".join(map(quoted, _KINDS))}, or an object with "type" and '
            f'"missing"{meant}'
        )
    return {"type": declared}


_SIZES = (
    "must be a number above 0 and below 1, the share of the rows that test the model, or a whole "
    "number of at least 1, the count of these rows"
)


def _as_count(size: object) -> object:
    """Return 50 for 50.0: JSON has one type of numbers. Raises `ValueError` for a string."""
    if isinstance(size, str):
        raise ValueError(f"{_SIZES}; you sent the string {quoted(size)}")
    return int(size) if isinstance(size, float) and size.is_integer() else size


_Column = Annotated[Column, AfterValidator(nfc)]  # data sets are read in the same form
_DeclaredType = Annotated[
    ColumnType,
    BeforeValidator(_as_object, json_schema_input_type=ColumnKind | ColumnType),
]
_EstimatorName = Annotated[
    str,
    AfterValidator(canonical_name),
    WithJsonSchema({"type": "string", "enum": [*ESTIMATORS, *CLASS_NAMES]}),
]

DatasetId = Annotated[Id, Field(description="The data set to learn from.", examples=[DATASET_ID])]
Features = Annotated[
    list[_Column],
    Field(
        min_length=1,
        max_length=10_000,
        description="The columns to predict from.",
        examples=[["age", "bmi"]],
    ),
]
Target = Annotated[_Column, Field(description="The column to predict.", examples=["target"])]
Estimator = Annotated[
    _EstimatorName | None,
    Field(
        description="The kind of model, by Warren's name or by its class in scikit-learn; jobs and "
        "models show Warren's name. Without it, a `random_forest_regressor`, whose `max_depth` is "
        "3 if `params` is empty, too.",
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
    Annotated[float, Field(gt=0, lt=1)] | Annotated[int, Field(ge=1)],
    Explained(_SIZES),
    BeforeValidator(_as_count),
    Field(
        description="The rows that test the model and are not learnt from: their share if below 1, "
        "else their count.",
        examples=[0.25, 100],
    ),
]
Types = Annotated[
    dict[_Column, _DeclaredType] | None,
    Field(
        max_length=10_001,
        description="The types of columns, and the texts that mean a missing value in them. The "
        "types of other columns are inferred from all their cells.",
        examples=[{"zip": "category", "size": {"type": "number", "missing": ["?", "-"]}}],
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
